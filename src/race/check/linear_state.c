/* SPDX-License-Identifier: Apache-2.0 */
#include "race/check/linear_state.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "race/check/linear_text.h"

#define STATES_MIN 64U
#define STATES_MAX (UINT32_C(1) << 30)

void pawl__lin_states_init(struct lin_states *s)
{
	*s = (struct lin_states){ 0 };
}

void pawl__lin_states_deinit(struct lin_states *s)
{
	free(s->rows);
	free(s->slots);
	*s = (struct lin_states){ 0 };
}

void pawl__lin_states_reset(struct lin_states *s, const struct lin_problem *p)
{
	if (s->cells != p->cells)
		pawl__lin_states_deinit(s);
	s->p = p;
	s->cells = p->cells;
	s->len = 0;
	if (s->slots_len > 0)
		memset(s->slots, 0, s->slots_len * sizeof(*s->slots));
}

static uint32_t values_hash(const uint32_t *v, uint32_t n)
{
	uint64_t h = n;
	uint32_t i;

	for (i = 0; i < n; i++) {
		h = (h ^ v[i]) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 32;
	}
	return (uint32_t)(h * UINT64_C(0xbf58476d1ce4e5b9) >> 32);
}

static bool states_grow(struct lin_states *s)
{
	uint32_t cap = s->cap == 0 ? STATES_MIN : s->cap * 2, i;
	uint32_t *rows, *slots;

	if (cap > STATES_MAX)
		return false;
	/* One row more than counted: where the next state is put together. */
	rows = realloc(s->rows, ((size_t)cap + 1) * s->cells * sizeof(*rows));
	if (rows == NULL)
		return false;
	s->rows = rows;
	slots = calloc((size_t)cap * 2, sizeof(*slots));
	if (slots == NULL)
		return false;
	free(s->slots);
	s->slots = slots;
	s->cap = cap;
	s->slots_len = cap * 2;
	for (i = 0; i < s->len; i++) {
		uint32_t at = values_hash(s->rows + (size_t)i * s->cells, s->cells);

		for (at &= s->slots_len - 1; s->slots[at] != 0;)
			at = (at + 1) & (s->slots_len - 1);
		s->slots[at] = i + 1;
	}
	return true;
}

/* Room for one more row; its values may be written before it is put. */
static uint32_t *states_next(struct lin_states *s)
{
	if (s->len == s->cap && !states_grow(s))
		return NULL;
	return s->rows + (size_t)s->len * s->cells;
}

/* The values stand in states_next. */
static uint32_t states_intern(struct lin_states *s)
{
	const uint32_t *values = s->rows + (size_t)s->len * s->cells;
	uint32_t at = values_hash(values, s->cells) & (s->slots_len - 1);

	for (; s->slots[at] != 0; at = (at + 1) & (s->slots_len - 1)) {
		const uint32_t *had = s->rows + (size_t)(s->slots[at] - 1) * s->cells;

		if (memcmp(had, values, s->cells * sizeof(*values)) == 0)
			return s->slots[at] - 1;
	}
	s->slots[at] = s->len + 1;
	return s->len++;
}

bool pawl__lin_states_put(struct lin_states *s, const uint32_t *values, uint32_t *ret)
{
	uint32_t *next;

	if (s->cells == 1) {
		*ret = values[0];
		return true;
	}
	next = states_next(s);
	if (next == NULL)
		return false;
	memcpy(next, values, s->cells * sizeof(*next));
	*ret = states_intern(s);
	return true;
}

static enum lin_stepped step_value(const struct lin_states *s, const struct lin_step *st,
                                   uint32_t *v)
{
	uint32_t text;

	switch ((enum lin_kind)st->kind) {
	case LIN_READ:
		return st->a == LIN_ANY || st->a == *v ? LIN_STEPPED : LIN_REFUSED;
	case LIN_WRITE:
		*v = st->a;
		return LIN_STEPPED;
	case LIN_CAS:
		if (st->a != *v)
			return LIN_REFUSED;
		*v = st->b;
		return LIN_STEPPED;
	case LIN_NOT:
		return st->a != *v ? LIN_STEPPED : LIN_REFUSED;
	case LIN_APPEND:
		text = pawl__lin_text_append(s->p->texts, *v, st->a);
		if (text == LIN_TEXT_NONE)
			return LIN_STATES_FULL;
		*v = text;
		return LIN_STEPPED;
	}
	UNREACHABLE();
}

enum lin_stepped pawl__lin_states_step(struct lin_states *s, uint32_t state,
                                       const struct lin_op *op, uint32_t *ret)
{
	const struct lin_step *st = s->p->steps + op->first, *end = st + op->count;
	enum lin_stepped done = LIN_STEPPED;
	uint32_t *next;

	if (s->cells == 1) {
		for (; st < end && done == LIN_STEPPED; st++)
			done = step_value(s, st, &state);
		if (done == LIN_STEPPED)
			*ret = state;
		return done;
	}
	next = states_next(s);
	if (next == NULL)
		return LIN_STATES_FULL;
	memcpy(next, s->rows + (size_t)state * s->cells, s->cells * sizeof(*next));
	for (; st < end && done == LIN_STEPPED; st++)
		done = step_value(s, st, &next[st->cell]);
	if (done == LIN_STEPPED)
		*ret = states_intern(s);
	return done;
}

const uint32_t *pawl__lin_states_values(const struct lin_states *s, uint32_t state,
                                        uint32_t *scalar)
{
	if (s->cells > 1)
		return s->rows + (size_t)state * s->cells;
	*scalar = state;
	return scalar;
}
