/* SPDX-License-Identifier: Apache-2.0 */
#include "race/scenario/pick.h"

#include <stdlib.h>

#include "base/assert.h"

#define EFFECTS_SHOWN 4

void pawl__pick_add(struct pick *p, uint32_t op)
{
	PRE(op < p->len);
	if (p->candidates_len < PICK_CANDIDATES_MAX)
		p->candidates[p->candidates_len++] = op;
}

static bool together(const struct race_op *a, const struct race_op *b)
{
	return a->released_ns > 0 && b->released_ns > 0 && a->released_ns <= b->done_ns &&
	       b->released_ns <= a->done_ns;
}

static bool before(const struct race_op *ops, uint32_t a, uint32_t b)
{
	return ops[a].released_ns < ops[b].released_ns ||
	       (ops[a].released_ns == ops[b].released_ns && a < b);
}

static void sort(const struct race_op *ops, uint32_t *at, uint32_t len)
{
	for (uint32_t i = 1; i < len; i++) {
		const uint32_t op = at[i];
		uint32_t k = i;

		for (; k > 0 && before(ops, op, at[k - 1]); k--)
			at[k] = at[k - 1];
		at[k] = op;
	}
}

/* The place of the first candidate, by release, that overlaps with another; 0 when none does. */
static uint32_t anchor(const struct pick *p, const uint32_t *sorted)
{
	for (uint32_t i = 0; i + 1 < p->candidates_len; i++) {
		for (uint32_t k = i + 1; k < p->candidates_len; k++) {
			if (together(&p->ops[sorted[i]], &p->ops[sorted[k]]))
				return i;
		}
	}
	return 0;
}

uint32_t pawl__pick_together(const struct pick *p, uint32_t n, uint32_t *ret)
{
	uint32_t sorted[PICK_CANDIDATES_MAX], len = 0, first;

	if (n > RUN_LANES_MAX)
		n = RUN_LANES_MAX;
	if (p->candidates_len == 0 || n == 0)
		return 0;
	for (uint32_t i = 0; i < p->candidates_len; i++)
		sorted[i] = p->candidates[i];
	sort(p->ops, sorted, p->candidates_len);
	first = anchor(p, sorted);
	ret[len++] = sorted[first];
	for (int pass = 0; pass < 2; pass++) {
		for (uint32_t i = 0; i < p->candidates_len && len < n; i++) {
			const bool near = together(&p->ops[sorted[first]], &p->ops[sorted[i]]);

			if (i != first && near == (pass == 0))
				ret[len++] = sorted[i];
		}
	}
	sort(p->ops, ret, len);
	return len;
}

uint32_t pawl__pick_effects(const struct race_op *ops, uint32_t len, uint32_t *ret)
{
	struct pick p = { .ops = ops, .len = len };

	for (uint32_t i = 0; i < len; i++) {
		if (ops[i].class == VOLLEY_ANSWERED && ops[i].status >= 200 && ops[i].status <= 299)
			pawl__pick_add(&p, i);
	}
	for (uint32_t i = 0; i < len && p.candidates_len == 0; i++)
		pawl__pick_add(&p, i);
	return pawl__pick_together(&p, EFFECTS_SHOWN, ret);
}

struct moment {
	int64_t ns;
	bool release; /* else: done */
	uint32_t number;
};

static int by_time(const void *a, const void *b)
{
	const struct moment *x = a, *y = b;

	if (x->ns != y->ns)
		return x->ns < y->ns ? -1 : 1;
	if (x->release != y->release) /* at the same time: they overlap */
		return x->release ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

uint32_t pawl__pick_backwards(const struct race_op *ops, const struct pick_number *numbers,
                              uint32_t len, struct arena *arena, uint32_t *ret)
{
	struct moment *m = arena_array(arena, struct moment, (size_t)len * 2);
	uint32_t *ahead = arena_array(arena, uint32_t, len); /* the most so far, at its release */
	uint32_t most = len, n = 0;
	double worst = 0;

	if (m == NULL || ahead == NULL || len == 0)
		return 0;
	for (uint32_t i = 0; i < len; i++) {
		m[2 * i] = (struct moment){ ops[numbers[i].op].released_ns, true, i };
		m[2 * i + 1] = (struct moment){ ops[numbers[i].op].done_ns, false, i };
	}
	qsort(m, (size_t)len * 2, sizeof(*m), by_time);
	for (size_t i = 0; i < (size_t)len * 2; i++) {
		if (m[i].release)
			ahead[m[i].number] = most;
		else if (most == len || numbers[m[i].number].value > numbers[most].value)
			most = m[i].number;
	}
	for (uint32_t i = 0; i < len; i++) {
		const double by = ahead[i] == len ? 0 : numbers[ahead[i]].value - numbers[i].value;

		if (by <= 0)
			continue;
		n++;
		if (by > worst) {
			worst = by;
			ret[0] = numbers[ahead[i]].op;
			ret[1] = numbers[i].op;
		}
	}
	return n;
}
