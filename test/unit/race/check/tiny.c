/* SPDX-License-Identifier: Apache-2.0 */
#include "tiny.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"

uint32_t tiny_text_append(uint32_t text, uint32_t piece)
{
	uint32_t top = 1;

	while (top <= piece / 4)
		top *= 4;
	return text * top + (piece - top);
}

void tiny_index(struct tiny *t)
{
	uint32_t i;

	for (i = 0; i < t->ops; i++)
		t->op[i].ret = LIN_NONE;
	for (i = 0; i < t->events; i++)
		if (t->event[i] % 2 == 0)
			t->op[t->event[i] / 2].inv = i;
		else
			t->op[t->event[i] / 2].ret = i;
	for (i = 0; i < t->ops; i++)
		t->op[i].crashed = t->op[i].ret == LIN_NONE;
}

/* False when the step does not fit. */
static bool step_do(const struct lin_step *st, uint32_t *cells)
{
	uint32_t *v = &cells[st->cell];

	switch ((enum lin_kind)st->kind) {
	case LIN_READ:
		return st->a == LIN_ANY || st->a == *v;
	case LIN_WRITE:
		*v = st->a;
		return true;
	case LIN_CAS:
		if (*v != st->a)
			return false;
		*v = st->b;
		return true;
	case LIN_NOT:
		return *v != st->a;
	case LIN_APPEND:
		*v = tiny_text_append(*v, st->a);
		return true;
	}
	UNREACHABLE();
}

static bool order_from(const struct tiny *t, uint32_t done, const uint32_t *cells)
{
	uint32_t first_ret = LIN_NONE, last_inv = 0, i, k;

	for (i = 0; i < t->ops; i++) {
		if ((done >> i & 1) == 0 && !t->op[i].optional && t->op[i].ret < first_ret)
			first_ret = t->op[i].ret;
		if ((done >> i & 1) != 0 && t->op[i].inv > last_inv)
			last_inv = t->op[i].inv;
	}
	if (first_ret == LIN_NONE)
		return true; /* what is left need not happen */
	for (i = 0; i < t->ops; i++) {
		uint32_t next[TINY_CELLS];
		bool fits = true;

		if ((done >> i & 1) != 0 || t->op[i].inv > first_ret || t->op[i].ret < last_inv)
			continue;
		memcpy(next, cells, sizeof(next));
		for (k = 0; k < t->op[i].steps && fits; k++)
			fits = step_do(&t->op[i].step[k], next);
		if (fits && order_from(t, done | 1U << i, next))
			return true;
	}
	return false;
}

bool tiny_judge(const struct tiny *t)
{
	return order_from(t, 0, t->initial);
}

static struct lin_step step_make(enum tiny_shape shape, uint32_t cells, struct rng *rng)
{
	struct lin_step st = { .cell = (uint32_t)pawl__rng_below(rng, cells) };
	const uint32_t a = (uint32_t)pawl__rng_below(rng, 3), b = (uint32_t)pawl__rng_below(rng, 3);
	const uint32_t die = (uint32_t)pawl__rng_below(rng, 6);

	st.a = a;
	st.b = b;
	switch (shape) {
	case TINY_REGISTER:
	case TINY_ETCD:
		st.kind = die < 2 ? LIN_READ : die < 4 ? LIN_WRITE : LIN_CAS;
		if (shape == TINY_ETCD && die == 5)
			st.kind = LIN_NOT;
		if (shape == TINY_ETCD && die == 0 && a == 0)
			st.a = LIN_ANY;
		break;
	case TINY_LOCK:
		st = (struct lin_step){ .kind = LIN_CAS, .a = die % 2, .b = 1 - die % 2 };
		break;
	case TINY_LOG:
	case TINY_KV:
		st.kind = die < 3 ? LIN_READ : LIN_APPEND;
		if (shape == TINY_KV && die == 5)
			st.kind = LIN_WRITE;
		st.a = a == 2 ? tiny_text_append(5, 5 + b) : 5 + a; /* "a", "b" .. "aa", "ab" */
		if (die == 3 && a == 0 && b == 0)
			st.a = TINY_EMPTY;
		break;
	case TINY_MULTI:
		st.kind = die < 3 ? LIN_READ : die < 5 ? LIN_WRITE : LIN_CAS;
		break;
	case TINY_UNIQUE:
		st.kind = die < 3 ? LIN_READ : LIN_WRITE;
		break;
	case TINY_SHAPES:
		UNREACHABLE();
	}
	return st;
}

/* Let the operation happen: what it answers becomes what it would have said. */
static void op_happen(struct tiny_op *op, uint32_t *cells)
{
	uint32_t k;

	for (k = 0; k < op->steps; k++) {
		struct lin_step *st = &op->step[k];

		if (st->kind == LIN_READ && st->a != LIN_ANY)
			st->a = cells[st->cell];
		else if (st->kind == LIN_NOT && st->a == cells[st->cell])
			st->a = (st->a + 1) % 3;
		else if (st->kind == LIN_CAS)
			st->a = cells[st->cell];
		(void)step_do(st, cells);
	}
}

void tiny_make(struct tiny *t, enum tiny_shape shape, struct rng *rng)
{
	enum { UNBORN, OPEN, DONE, CLOSED } stage[TINY_OPS] = { UNBORN };
	uint32_t cells[TINY_CELLS] = { 0 }, i, k, turns;

	*t = (struct tiny){ .ops = 2 + (uint32_t)pawl__rng_below(rng, TINY_OPS - 2), .cells = 1 };
	t->texts = shape == TINY_LOG || shape == TINY_KV;
	if (shape == TINY_KV || shape == TINY_MULTI)
		t->cells = 1 + (uint32_t)pawl__rng_below(rng, TINY_CELLS);
	for (i = 0; i < t->cells; i++)
		t->initial[i] = cells[i] = t->texts ? TINY_EMPTY : 0;
	for (i = 0; i < t->ops; i++) {
		t->op[i].steps = shape == TINY_MULTI ? 1 + (uint32_t)pawl__rng_below(rng, 2) : 1;
		for (k = 0; k < t->op[i].steps; k++)
			t->op[i].step[k] = step_make(shape, t->cells, rng);
		if (shape == TINY_UNIQUE)
			t->op[i].step[0].a = i + 1;
	}
	for (turns = 0; turns < 60; turns++) {
		i = (uint32_t)pawl__rng_below(rng, t->ops);
		if (stage[i] == UNBORN) {
			t->event[t->events++] = i * 2;
			stage[i] = OPEN;
		} else if (stage[i] == OPEN) {
			op_happen(&t->op[i], cells);
			stage[i] = DONE;
		} else if (stage[i] == DONE && pawl__rng_below(rng, 5) != 0) {
			t->event[t->events++] = i * 2 + 1;
			stage[i] = CLOSED;
		}
	}
	for (i = 0; i < t->ops; i++)
		if (stage[i] == UNBORN)
			t->event[t->events++] = i * 2;
	if (pawl__rng_below(rng, 3) != 0) {
		struct tiny_op *op = &t->op[pawl__rng_below(rng, t->ops)];
		const struct lin_step other = step_make(shape, t->cells, rng);

		if (shape != TINY_UNIQUE)
			op->step[pawl__rng_below(rng, op->steps)].a = other.a;
		else if (op->step[0].kind == LIN_READ)
			op->step[0].a = (uint32_t)pawl__rng_below(rng, t->ops + 1);
	}
	tiny_index(t);
}

void tiny_options(struct tiny *t, struct rng *rng)
{
	uint32_t i;

	for (i = 0; i < t->ops; i++)
		t->op[i].optional = !t->op[i].crashed && pawl__rng_below(rng, 3) == 0;
}

/* The number of a text in the problem. */
static uint32_t text_put(struct lin_text *texts, char (*bytes)[16], uint32_t *used, uint32_t code)
{
	char *at = bytes[(*used)++];
	size_t len = 0, i;
	uint32_t c;

	for (c = code; c > 1; c /= 4)
		len++;
	INVARIANT(len <= 16 && *used <= TINY_OPS * TINY_STEPS);
	for (i = len, c = code; i-- > 0; c /= 4)
		at[i] = (char)('a' + c % 4);
	return pawl__lin_text_put(texts, (struct str){ at, len });
}

void tiny_build(struct tiny_built *b, const struct tiny *t)
{
	uint32_t used = 0, n = 0, i, k;

	pawl__lin_text_init(&b->texts);
	for (i = 0; i < t->ops; i++) {
		b->ops[i] = (struct lin_op){ .first = n,
			                     .count = t->op[i].steps,
			                     .crashed = t->op[i].crashed,
			                     .optional = t->op[i].optional };
		for (k = 0; k < t->op[i].steps; k++) {
			b->steps[n] = t->op[i].step[k];
			if (t->texts)
				b->steps[n].a = text_put(&b->texts, b->bytes, &used, b->steps[n].a);
			n++;
		}
	}
	for (i = 0; i < t->cells; i++)
		b->initial[i] = t->texts ? 0 : t->initial[i];
	b->p = (struct lin_problem){ .ops = b->ops,
		                     .steps = b->steps,
		                     .events = t->event,
		                     .initial = b->initial,
		                     .texts = t->texts ? &b->texts : NULL,
		                     .ops_len = t->ops,
		                     .events_len = t->events,
		                     .cells = t->cells,
		                     .initial_len = 1 };
}

void tiny_unbuild(struct tiny_built *b)
{
	pawl__lin_text_deinit(&b->texts);
}

enum lin_verdict tiny_search(struct lin_search *s, const struct tiny *t, unsigned reductions)
{
	const struct lin_limits limits = { .steps_max = LIN_STEPS_MAX,
		                           .bytes_max = LIN_BYTES_MAX,
		                           .reductions = reductions };
	struct tiny_built b;
	struct lin_result r;
	struct pawl_error err;

	tiny_build(&b, t);
	INVARIANT(pawl__lin_search_run(s, &b.p, &limits, &r, &err) == PAWL_OK);
	tiny_unbuild(&b);
	return r.verdict;
}

void tiny_print(const struct tiny *t)
{
	static const char *const names[] = { "read", "write", "cas", "not", "append" };
	uint32_t i, k;

	for (i = 0; i < t->ops; i++) {
		fprintf(stderr, "%u [%u, %d]", i, t->op[i].inv, (int)t->op[i].ret);
		for (k = 0; k < t->op[i].steps; k++) {
			const struct lin_step *st = &t->op[i].step[k];

			fprintf(stderr, " %s c%u %d %u", names[st->kind], st->cell, (int)st->a,
			        st->b);
		}
		fputc('\n', stderr);
	}
}
