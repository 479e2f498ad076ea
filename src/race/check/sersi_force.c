/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Saturation. What is before what is kept as clocks, computed along a topological order; from them
 * follow forced edges, with these new clocks, until nothing is forced any more. What is before a
 * point of a session is so for all later ones, so of a key's writers in a session one border has to
 * be found, by halving.
 */
#include "race/check/sersi.h"

#include <stdlib.h>

#include "race/check/before.h"

/* A read as the rules see it. */
struct read {
	uint32_t by, key, from;
};

static const char out_of_steps[] = "the search ran out of steps";

static bool spend(struct sersi *s, uint64_t n)
{
	s->steps -= n < s->steps ? n : s->steps;
	if (s->steps == 0)
		s->why = out_of_steps;
	return s->steps > 0;
}

static enum sersi_answer add(struct sersi *s, const struct sersi_edge *e)
{
	if (point_before(s, e->from, e->to))
		return SERSI_YES;
	if (s->edges_len == s->edges_cap) {
		const uint32_t cap = s->edges_cap == 0 ? 1024 : s->edges_cap * 2;
		struct sersi_edge *bigger;

		if (cap > SERSI_EDGES_MAX) {
			s->why = "too many forced orders";
			return SERSI_UNKNOWN;
		}
		bigger = realloc(s->edge, cap * sizeof(*bigger));
		if (bigger == NULL)
			return SERSI_NO_MEMORY;
		s->edge = bigger;
		s->edges_cap = cap;
	}
	s->edge[s->edges_len++] = *e;
	return SERSI_YES;
}

static enum sersi_answer clocks(struct sersi *s)
{
	const uint32_t n = s->w->sessions;
	struct before_parts c;
	enum sersi_answer ret = SERSI_YES;

	if (!pawl__sersi_index(s) || !pawl__before_parts(&c, s, pawl__sersi_before, s->points)) {
		ret = SERSI_NO_MEMORY;
	} else if (c.comps < s->points) {
		ret = SERSI_NO;
	} else {
		for (uint32_t i = 0; i < s->points; i++) {
			const uint32_t p = c.member[i];
			uint32_t *restrict mine = s->clock + (size_t)p * n;
			uint32_t u;

			memset(mine, 0, n * sizeof(*mine));
			for (uint32_t j = 0; pawl__sersi_before(s, p, j, &u); j++) {
				const uint32_t *restrict other = s->clock + (size_t)u * n;

				if (u == WEAK_NONE)
					continue;
				for (uint32_t k = 0; k < n; k++)
					mine[k] = mine[k] > other[k] ? mine[k] : other[k];
			}
			mine[s->w->session[point_txn(s, p)]] = point_place(s, p);
		}
	}
	pawl__before_parts_deinit(&c);
	return ret;
}

/* The first place in [lo, hi) of writers whose commit `from` is before; hi. */
static uint32_t first_after(const struct sersi *s, uint32_t from, uint32_t lo, uint32_t hi)
{
	while (lo < hi) {
		const uint32_t mid = lo + (hi - lo) / 2;

		if (point_before(s, from, point_commit(s, s->writers.writer[mid])))
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

/* The end of those writers in [lo, hi) whose commit is before `to`; itself not counted. */
static uint32_t end_before(const struct sersi *s, uint32_t to, uint32_t lo, uint32_t hi)
{
	while (lo < hi) {
		const uint32_t mid = lo + (hi - lo) / 2;
		const uint32_t p = point_commit(s, s->writers.writer[mid]);

		if (p != to && point_before(s, p, to))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* The first of the group's writers that is after what was read. */
static uint32_t first_later(const struct sersi *s, const struct read *r, const struct weak_group *g)
{
	uint32_t i;

	if (r->from == WEAK_INIT)
		return g->first;
	i = first_after(s, point_behind(s, r->from), g->first, g[1].first);
	return i < g[1].first && s->writers.writer[i] == r->from ? i + 1 : i;
}

static struct sersi_edge earlier(const struct sersi *s, const struct read *r, uint32_t writer)
{
	return (struct sersi_edge){ point_commit(s, writer), point_behind(s, r->from), r->key,
		                    r->by, EDGE_VISIBLE };
}

static struct sersi_edge later(const struct sersi *s, const struct read *r, uint32_t writer)
{
	return (struct sersi_edge){ point_start(s, r->by), point_commit(s, writer), r->key, r->by,
		                    EDGE_RW };
}

static struct sersi_edge apart(const struct sersi *s, uint32_t a, uint32_t b, uint32_t key)
{
	return (struct sersi_edge){ point_commit(s, a), point_start(s, b), key, WEAK_NONE,
		                    EDGE_WW };
}

static enum sersi_answer force_read(struct sersi *s, const struct read *r)
{
	const uint32_t *writer = s->writers.writer;
	enum sersi_answer ret = SERSI_YES;

	for (uint32_t i = s->writers.group_first[r->key];
	     ret == SERSI_YES && i < s->writers.group_first[r->key + 1]; i++) {
		const struct weak_group *g = &s->writers.group[i];
		const uint32_t seen = end_before(s, point_start(s, r->by), g->first, g[1].first);
		const uint32_t next = first_later(s, r, g);
		struct sersi_edge e;

		if (seen > g->first && r->from != WEAK_INIT && writer[seen - 1] != r->from) {
			e = earlier(s, r, writer[seen - 1]);
			ret = add(s, &e);
		}
		if (ret == SERSI_YES && next < g[1].first && writer[next] != r->by) {
			e = later(s, r, writer[next]);
			ret = add(s, &e);
		}
	}
	return ret;
}

/* What to do with two groups of writers of a key. */
typedef enum sersi_answer (*pair_fn)(struct sersi *s, uint32_t key, const struct weak_group *a,
                                     const struct weak_group *b);

static enum sersi_answer force_pair(struct sersi *s, uint32_t key, const struct weak_group *a,
                                    const struct weak_group *b)
{
	enum sersi_answer ret = SERSI_YES;

	for (uint32_t i = a->first; ret == SERSI_YES && i < a[1].first; i++) {
		const uint32_t t = s->writers.writer[i];
		const uint32_t j = first_after(s, point_start(s, t), b->first, b[1].first);

		if (j < b[1].first) {
			const struct sersi_edge e = apart(s, t, s->writers.writer[j], key);

			ret = add(s, &e);
		}
	}
	return ret;
}

/* Of every key, all pairs of sessions that write it; both ways. */
static enum sersi_answer each_pair(struct sersi *s, pair_fn fn)
{
	enum sersi_answer ret = SERSI_YES;

	for (uint32_t k = 0; k < s->w->h->keys_len; k++) {
		const uint32_t first = s->writers.group_first[k];
		const uint32_t end = s->writers.group_first[k + 1];

		if (!spend(s, ((uint64_t)(end - first) * (end - first)) / 8))
			return SERSI_UNKNOWN;
		for (uint32_t i = first; i < end; i++)
			for (uint32_t j = first; ret == SERSI_YES && j < end; j++)
				if (i != j)
					ret = fn(s, k, &s->writers.group[i], &s->writers.group[j]);
	}
	return ret;
}

typedef enum sersi_answer (*read_fn)(struct sersi *s, const struct read *r);

static enum sersi_answer each_read(struct sersi *s, read_fn fn)
{
	const struct weak *w = s->w;
	enum sersi_answer ret = SERSI_YES;

	for (uint32_t t = 0; t < w->txns; t++)
		for (uint32_t i = w->read_first[t]; ret == SERSI_YES && i < w->read_first[t + 1];
		     i++) {
			const struct read r = { t, w->read_key[i], w->read_from[i] };

			ret = fn(s, &r);
		}
	return ret;
}

enum sersi_answer pawl__sersi_force(struct sersi *s)
{
	for (;;) {
		const uint32_t before = s->edges_len;
		enum sersi_answer got = clocks(s);

		if (got != SERSI_YES || (s->without & SERSI_NO_FORCE) != 0)
			return got;
		if ((s->without & SERSI_NO_ORDER) == 0) {
			got = pawl__sersi_order(s);
			s->fits = got == SERSI_YES;
			if (got != SERSI_UNKNOWN)
				return got;
		}
		if (!spend(s, 1 + s->points / 8 + s->w->read_first[s->w->txns] / 8))
			return SERSI_UNKNOWN;
		got = each_read(s, force_read);
		if (got == SERSI_YES && s->kind == SERSI_SI)
			got = each_pair(s, force_pair);
		if (got != SERSI_YES || s->edges_len == before)
			return got;
	}
}

static enum sersi_answer leave_open(struct sersi *s, const struct sersi_edge *a,
                                    const struct sersi_edge *b)
{
	if (s->choices_len == s->choices_cap) {
		const uint32_t cap = s->choices_cap == 0 ? 256 : s->choices_cap * 2;
		struct sersi_choice *bigger;

		if (cap > SERSI_CHOICES_MAX) {
			s->why = "too much is left open for a search";
			return SERSI_UNKNOWN;
		}
		bigger = realloc(s->choice, cap * sizeof(*bigger));
		if (bigger == NULL)
			return SERSI_NO_MEMORY;
		s->choice = bigger;
		s->choices_cap = cap;
	}
	s->choice[s->choices_len++] = (struct sersi_choice){ *a, *b };
	return SERSI_YES;
}

/* Writers that are neither before what was read nor after the reader. */
static enum sersi_answer open_read(struct sersi *s, const struct read *r)
{
	enum sersi_answer ret = SERSI_YES;

	for (uint32_t i = s->writers.group_first[r->key];
	     r->from != WEAK_INIT && i < s->writers.group_first[r->key + 1]; i++) {
		const struct weak_group *g = &s->writers.group[i];
		const uint32_t lo = end_before(s, point_behind(s, r->from), g->first, g[1].first);
		const uint32_t hi = first_after(s, point_start(s, r->by), lo, g[1].first);

		for (uint32_t j = lo; ret == SERSI_YES && j < hi; j++) {
			const uint32_t writer = s->writers.writer[j];
			const struct sersi_edge a = earlier(s, r, writer);
			const struct sersi_edge b = later(s, r, writer);

			if (writer != r->from && writer != r->by)
				ret = leave_open(s, &a, &b);
		}
	}
	return ret;
}

static enum sersi_answer open_pair(struct sersi *s, uint32_t key, const struct weak_group *a,
                                   const struct weak_group *b)
{
	enum sersi_answer ret = SERSI_YES;

	for (uint32_t i = a->first; a < b && i < a[1].first; i++)
		for (uint32_t j = b->first; ret == SERSI_YES && j < b[1].first; j++) {
			const uint32_t t = s->writers.writer[i], u = s->writers.writer[j];
			const struct sersi_edge e = apart(s, t, u, key);
			const struct sersi_edge f = apart(s, u, t, key);

			if (!point_before(s, e.from, e.to) && !point_before(s, f.from, f.to))
				ret = leave_open(s, &e, &f);
		}
	return ret;
}

/* Reads of initial values leave nothing open, but without saturation nobody said so. */
static enum sersi_answer initial_read(struct sersi *s, const struct read *r)
{
	return r->from == WEAK_INIT ? force_read(s, r) : SERSI_YES;
}

enum sersi_answer pawl__sersi_choices(struct sersi *s)
{
	enum sersi_answer got = SERSI_YES;

	if ((s->without & SERSI_NO_FORCE) != 0) {
		got = each_read(s, initial_read);
		if (got == SERSI_YES)
			got = clocks(s);
		if (got != SERSI_YES)
			return got;
	}
	got = each_read(s, open_read);
	if (got == SERSI_YES && s->kind == SERSI_SI)
		got = each_pair(s, open_pair);
	if (got != SERSI_YES) {
		s->choices_len = 0;
		return got;
	}
	return s->choices_len == 0 ? SERSI_YES : SERSI_UNKNOWN;
}
