/* SPDX-License-Identifier: Apache-2.0 */
#include "race/check/linear_set.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

#define SLOTS_MIN   64U
#define SLOTS_MAX   (UINT32_C(1) << 31)
#define LIN_NO_SLOT UINT32_MAX

void pawl__lin_set_init(struct lin_set *s)
{
	*s = (struct lin_set){ 0 };
}

void pawl__lin_set_deinit(struct lin_set *s)
{
	free(s->rows);
	free(s->slots);
	*s = (struct lin_set){ 0 };
}

void pawl__lin_set_reset(struct lin_set *s, uint32_t window, uint32_t crashed, bool dominance)
{
	s->len = 0;
	s->gaps = 0;
	s->window = window;
	s->width = 1 + window + crashed;
	s->dominance = dominance;
	/* The table starts small again: most sets hold a few rows, and clearing is not free. */
	s->slots_len = s->slots_cap < SLOTS_MIN ? s->slots_cap : SLOTS_MIN;
	if (s->slots_len > 0)
		memset(s->slots, 0, s->slots_len * sizeof(*s->slots));
}

static uint32_t row_hash(const struct lin_set *s, const uint64_t *row)
{
	uint64_t h = lin_head_state(row[0]);
	uint32_t i;

	for (i = 1; i <= s->window; i++) {
		h = (h ^ row[i]) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 32;
	}
	h *= UINT64_C(0xbf58476d1ce4e5b9);
	return (uint32_t)(h >> 32);
}

static bool slots_grow(struct lin_set *s)
{
	uint32_t len = s->slots_len == 0 ? SLOTS_MIN : s->slots_len * 2, i;

	if (s->slots_len >= SLOTS_MAX / 2)
		return false;
	if (len > s->slots_cap) {
		uint32_t *slots = realloc(s->slots, len * sizeof(*slots));

		if (slots == NULL)
			return false;
		s->slots = slots;
		s->slots_cap = len;
	}
	s->slots_len = len;
	memset(s->slots, 0, len * sizeof(*s->slots));
	for (i = 0; i < s->len; i++) {
		const uint64_t *row = lin_set_row(s, i);
		uint32_t at;

		if ((row[0] & LIN_GONE) != 0)
			continue;
		at = row_hash(s, row) & (len - 1);
		while (s->slots[at] != 0)
			at = (at + 1) & (len - 1);
		s->slots[at] = i + 1;
	}
	return true;
}

static bool rows_reserve(struct lin_set *s)
{
	size_t need = ((size_t)s->len + 1) * s->width, cap;
	uint64_t *rows;

	if (need <= s->rows_cap)
		return true;
	cap = s->rows_cap < 1024 ? 1024 : s->rows_cap * 2;
	if (cap < need)
		cap = need;
	rows = realloc(s->rows, cap * sizeof(*rows));
	if (rows == NULL)
		return false;
	s->rows = rows;
	s->rows_cap = cap;
	return true;
}

static bool same_key(const struct lin_set *s, const uint64_t *a, const uint64_t *b)
{
	uint32_t i;

	if (lin_head_state(a[0]) != lin_head_state(b[0]))
		return false;
	for (i = 1; i <= s->window; i++)
		if (a[i] != b[i])
			return false;
	return true;
}

/* a is at least as good as b, whose key is the same. */
static bool row_beats(const struct lin_set *s, const uint64_t *a, const uint64_t *b)
{
	uint32_t i;

	if ((a[0] & LIN_FRESH) > (b[0] & LIN_FRESH) || lin_head_cover(a[0]) < lin_head_cover(b[0]))
		return false;
	for (i = 1 + s->window; i < s->width; i++)
		if (s->dominance ? (a[i] & ~b[i]) != 0 : a[i] != b[i])
			return false;
	return true;
}

enum lin_added pawl__lin_set_add(struct lin_set *s, const uint64_t *row)
{
	uint32_t at, spare = LIN_NO_SLOT;

	if ((s->len + 1) * UINT64_C(2) > s->slots_len && !slots_grow(s))
		return LIN_FULL;
	if (!rows_reserve(s))
		return LIN_FULL;
	at = row_hash(s, row) & (s->slots_len - 1);
	for (; s->slots[at] != 0; at = (at + 1) & (s->slots_len - 1)) {
		uint64_t *had = lin_set_row(s, s->slots[at] - 1);

		if ((had[0] & LIN_GONE) != 0) {
			spare = spare == LIN_NO_SLOT ? at : spare;
			continue;
		}
		if (!same_key(s, had, row))
			continue;
		s->compared++;
		if (row_beats(s, had, row))
			return LIN_HAD;
		if (row_beats(s, row, had)) {
			had[0] |= LIN_GONE;
			s->gaps++;
			spare = spare == LIN_NO_SLOT ? at : spare;
		}
	}
	s->slots[spare == LIN_NO_SLOT ? at : spare] = s->len + 1;
	memcpy(lin_set_row(s, s->len), row, s->width * sizeof(*row));
	s->len++;
	return LIN_ADDED;
}
