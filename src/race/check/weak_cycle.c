/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cycles of "before", and what to say about their steps. What is before a transaction lies at hand:
 * its session's previous one, those that it read from, the sources of the rule's edges.
 */
#include "race/check/weak.h"

#include <stdlib.h>

#include "race/check/before.h"

struct so_wr {
	const struct weak *w;
	const struct weak_edges *e; /* NULL: so and wr alone */
};

/* The i-th transaction that is before t; *ret WEAK_NONE when that one is none. false: no more. */
static bool before(const void *graph, uint32_t t, uint32_t i, uint32_t *ret)
{
	const struct so_wr *g = graph;
	const struct weak *w = g->w;
	const uint32_t reads = w->read_first[t + 1] - w->read_first[t];

	if (i == 0) {
		*ret = pawl__weak_before(w, t);
		return true;
	}
	if (i <= reads) {
		*ret = w->read_from[w->read_first[t] + i - 1];
		if (*ret == WEAK_INIT)
			*ret = WEAK_NONE;
		return true;
	}
	i -= reads + 1;
	if (g->e == NULL || i >= g->e->first[t + 1] - g->e->first[t])
		return false;
	*ret = g->e->from[g->e->first[t] + i];
	return true;
}

static bool is_session(const struct weak *w, uint32_t u, uint32_t v)
{
	return (w->session[u] == w->session[v] && w->place[u] < w->place[v]) || u == w->init;
}

/* A read of v from u; its key, or HISTORY_NONE. */
static uint32_t read_between(const struct weak *w, uint32_t u, uint32_t v)
{
	for (uint32_t i = w->read_first[v]; i < w->read_first[v + 1]; i++)
		if (w->read_from[i] == u)
			return w->read_key[i];
	return HISTORY_NONE;
}

/* Whether the step u -> v is there because of session order alone. */
static bool only_session(const struct weak *w, uint32_t u, uint32_t v)
{
	return is_session(w, u, v) && read_between(w, u, v) == HISTORY_NONE;
}

/* Steps along one session become one; the lowest transaction comes first. */
static void tidy(const struct weak *w, struct before_cycle *c)
{
	uint32_t low = 0;

	for (uint32_t i = 0; c->len > 2 && i < c->len;) {
		const uint32_t a = c->at[i], b = c->at[(i + 1) % c->len],
			       d = c->at[(i + 2) % c->len];

		if (w->session[a] == w->session[b] && w->session[b] == w->session[d] &&
		    only_session(w, a, b) && only_session(w, b, d)) {
			const uint32_t out = (i + 1) % c->len;

			memmove(c->at + out, c->at + out + 1, (c->len - out - 1) * sizeof(*c->at));
			c->len--;
			i = out < i ? i - 1 : i;
		} else {
			i++;
		}
	}
	for (uint32_t i = 1; i < c->len; i++)
		if (c->at[i] < c->at[low])
			low = i;
	for (; low > 0; low--) {
		const uint32_t first = c->at[0];

		memmove(c->at, c->at + 1, (c->len - 1) * sizeof(*c->at));
		c->at[c->len - 1] = first;
	}
}

static uint32_t after(const struct before_cycle *c, uint32_t i)
{
	return c->at[i + 1 == c->len ? 0 : i + 1];
}

/* Ask the rule why, for every step that is neither so nor wr. */
static bool explain(const struct weak *w, struct weak_edges *e, weak_rule_fn rule,
                    const struct before_cycles *cycles)
{
	uint32_t len = 0;
	bool ok;

	if (e == NULL)
		return true;
	ok = table_init(&e->wanted, 64);
	for (uint32_t c = 0; ok && c < cycles->len; c++)
		for (uint32_t i = 0; ok && i < cycles->at[c].len; i++) {
			const uint32_t u = cycles->at[c].at[i], v = after(&cycles->at[c], i);
			uint32_t *slot;

			if (is_session(w, u, v) || read_between(w, u, v) != HISTORY_NONE)
				continue;
			slot = table_put(&e->wanted, weak_edge_id(u, v));
			ok = slot != NULL;
			if (ok && *slot == TABLE_NONE)
				*slot = len++;
		}
	e->why = malloc(((size_t)len + 1) * sizeof(*e->why));
	ok = ok && e->why != NULL;
	for (uint32_t i = 0; ok && i < len; i++)
		e->why[i].by = WEAK_NONE;
	e->pass = PASS_EXPLAIN;
	return ok && rule(w, e);
}

static struct check_step step(const struct weak *w, const struct weak_edges *e, uint32_t u,
                              uint32_t v)
{
	struct check_step s = { w->row[u], EDGE_SESSION, HISTORY_NONE,
		                VALUE_NIL, VALUE_NIL,    HISTORY_NONE };
	const struct weak_forced *why;

	s.key = read_between(w, u, v);
	if (s.key != HISTORY_NONE) {
		s.edge = EDGE_WR;
		s.value = pawl__weak_value(w, u, s.key);
		return s;
	}
	if (is_session(w, u, v))
		return s;
	INVARIANT(e != NULL);
	why = &e->why[table_get(&e->wanted, weak_edge_id(u, v))];
	INVARIANT(why->by != WEAK_NONE);
	s.edge = EDGE_VISIBLE;
	s.key = why->key;
	s.value = pawl__weak_value(w, v, why->key);
	s.value2 = pawl__weak_value(w, u, why->key);
	s.by = w->row[why->by];
	return s;
}

static bool write_down(const struct weak *w, const struct weak_edges *e,
                       const struct before_cycle *c, struct check_witness *ret,
                       struct check_result *out)
{
	struct check_step *s = arena_array(&out->arena, struct check_step, c->len);

	if (s == NULL)
		return false;
	for (uint32_t i = 0; i < c->len; i++)
		s[i] = step(w, e, c->at[i], after(c, i));
	*ret = (struct check_witness){ .steps = s, .steps_len = c->len, .cycle = true };
	return true;
}

static int by_row(const void *a, const void *b)
{
	const struct check_witness *x = a, *y = b;

	if (x->steps[0].op == y->steps[0].op)
		return 0;
	return x->steps[0].op < y->steps[0].op ? -1 : 1;
}

bool pawl__weak_stale_witness(const struct weak *w, const struct weak_stale *s,
                              struct check_witness *ret, struct check_result *out)
{
	struct so_wr g = { .w = w };
	struct before_cycle c = { 0 };
	struct check_step *steps = NULL;
	const bool ok = pawl__before_way(&c, &g, before, w->txns, (uint32_t[]){ s->seen, s->by });

	if (ok)
		steps = arena_array(&out->arena, struct check_step, c.len);
	if (steps != NULL) {
		steps[0] = (struct check_step){ w->row[s->by],
			                        EDGE_RW,
			                        s->key,
			                        w->initial,
			                        pawl__weak_value(w, s->seen, s->key),
			                        HISTORY_NONE };
		for (uint32_t i = 0; i + 1 < c.len; i++)
			steps[i + 1] = step(w, NULL, c.at[i], c.at[i + 1]);
	}
	*ret = (struct check_witness){ .steps = steps, .steps_len = c.len, .cycle = true };
	free(c.at);
	return steps != NULL;
}

bool pawl__weak_cycles(const struct weak *w, struct weak_edges *e, weak_rule_fn rule,
                       struct weak_witnesses *ret, struct check_result *out)
{
	const struct so_wr g = { .w = w, .e = e };
	struct before_cycles cycles;
	bool ok = pawl__before_cycles(&cycles, &g, before, w->txns);

	*ret = (struct weak_witnesses){ .count = cycles.count };
	for (uint32_t i = 0; ok && i < cycles.len; i++)
		tidy(w, &cycles.at[i]);
	ok = ok && explain(w, e, rule, &cycles);
	for (; ok && ret->len < cycles.len; ret->len++)
		ok = write_down(w, e, &cycles.at[ret->len], &ret->at[ret->len], out);
	if (ok)
		qsort(ret->at, ret->len, sizeof(ret->at[0]), by_row);
	pawl__before_cycles_deinit(&cycles);
	return ok;
}
