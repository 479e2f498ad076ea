/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The search: of every choice one edge, so that there is no cycle.
 *
 * A cycle stays inside one component of the graph that has both edges of every choice, so each such
 * component is searched alone, and a choice with an edge between two of them is no choice. Inside,
 * what is before what is kept as two bit matrices (before, after), an edge is added with all that
 * follows from it, and what that changed is written to a trail to be undone.
 *
 * The order of rows is tried first: it is nearly always right. As long as no choice fails, each is
 * looked at once; after the first failure everything that is forced is followed up at every step.
 */
#include "race/check/sersi.h"

#include <stdlib.h>

#include "race/check/before.h"

struct change {
	size_t at;
	uint64_t was;
};

struct pick {
	uint32_t choice;
	bool second;  /* its second edge is being tried */
	size_t trail; /* length of the trail before it */
};

struct search {
	struct sersi *s;
	uint32_t n;      /* points of the component */
	size_t words;    /* of a row of the matrices */
	uint64_t *bits;  /* n rows of what is after a point, then n rows of what is before */
	uint32_t *point; /* by local number */
	struct sersi_choice *choice; /* in local numbers */
	uint32_t choices;

	struct change *trail;
	size_t trail_len, trail_cap;
	bool keep; /* the trail; what is certain is never undone */
	struct pick *pick;
	uint32_t picks;
	bool no_memory;
};

static bool after(const struct search *k, uint32_t a, uint32_t b)
{
	return (k->bits[a * k->words + b / 64] >> b % 64 & 1U) != 0;
}

/* Remember what bits[at] was. */
static bool remember(struct search *k, size_t at)
{
	if (k->trail_len == k->trail_cap) {
		const size_t cap = k->trail_cap == 0 ? 4096 : k->trail_cap * 2;
		struct change *bigger = realloc(k->trail, cap * sizeof(*bigger));

		if (bigger == NULL) {
			k->no_memory = true;
			return false;
		}
		k->trail = bigger;
		k->trail_cap = cap;
	}
	k->trail[k->trail_len++] = (struct change){ at, k->bits[at] };
	return true;
}

/* Row `to` of one matrix gets row `from` and the bit of from's own point. */
static void merge_row(struct search *k, size_t to, size_t from, uint32_t own)
{
	uint64_t *into = k->bits + to * k->words;
	const uint64_t *add = k->bits + from * k->words;

	for (size_t i = 0; i < k->words; i++) {
		const uint64_t bits = add[i] | (i == own / 64 ? UINT64_C(1) << own % 64 : 0);

		if ((bits & ~into[i]) != 0 && (!k->keep || remember(k, to * k->words + i)))
			into[i] |= bits;
	}
}

static void spend(struct search *k, uint64_t n)
{
	k->s->steps -= n < k->s->steps ? n : k->s->steps;
}

/* PRE: v is not before u. */
static void add_edge(struct search *k, uint32_t u, uint32_t v)
{
	const size_t n = k->n;
	const uint64_t *before_u = k->bits + (n + u) * k->words;
	const uint64_t *after_v = k->bits + v * k->words;

	if (after(k, u, v))
		return;
	/* Neither row changes here: u is not after v. */
	for (size_t i = 0; i < k->words; i++) {
		for (uint64_t b = before_u[i]; b != 0; b &= b - 1) {
			const uint32_t a = (uint32_t)(i * 64) + (uint32_t)__builtin_ctzll(b);

			if (!after(k, a, v))
				merge_row(k, a, v, v);
		}
		for (uint64_t b = after_v[i]; b != 0; b &= b - 1) {
			const uint32_t a = (uint32_t)(i * 64) + (uint32_t)__builtin_ctzll(b);

			merge_row(k, n + a, n + u, u);
		}
	}
	merge_row(k, u, v, v);
	merge_row(k, n + v, n + u, u);
	spend(k, 1 + k->words);
}

static void undo(struct search *k, size_t to)
{
	while (k->trail_len > to) {
		const struct change *c = &k->trail[--k->trail_len];

		k->bits[c->at] = c->was;
	}
}

enum state { MET, OPEN, FORCED_FIRST, FORCED_SECOND, IMPOSSIBLE };

static enum state look(struct search *k, const struct sersi_choice *c)
{
	bool first, second;

	spend(k, 1);
	if (after(k, c->either.from, c->either.to) || after(k, c->or.from, c->or.to))
		return MET;
	first = !after(k, c->either.to, c->either.from);
	second = !after(k, c->or.to, c->or.from);
	if (first && second)
		return OPEN;
	if (first)
		return FORCED_FIRST;
	return second ? FORCED_SECOND : IMPOSSIBLE;
}

/* Add the edge if the choice leaves only one. false: it leaves none. */
static bool follow(struct search *k, const struct sersi_choice *c, bool *changed, bool *open)
{
	const enum state st = look(k, c);

	*open = st == OPEN;
	if (st == FORCED_FIRST)
		add_edge(k, c->either.from, c->either.to);
	if (st == FORCED_SECOND)
		add_edge(k, c->or.from, c->or.to);
	*changed |= st == FORCED_FIRST || st == FORCED_SECOND;
	return st != IMPOSSIBLE;
}

/* Whether the first edge of a choice goes along with the order of rows. */
static bool first_is_natural(const struct search *k, const struct sersi_choice *c)
{
	const uint32_t *rank = k->s->rank;
	const uint32_t a = point_txn(k->s, k->point[c->either.from]);
	const uint32_t b = point_txn(k->s, k->point[c->either.to]);

	return rank == NULL ? a < b : rank[a] < rank[b];
}

static void take(struct search *k, const struct pick *p)
{
	const struct sersi_choice *c = &k->choice[p->choice];

	if (first_is_natural(k, c) != p->second)
		add_edge(k, c->either.from, c->either.to);
	else
		add_edge(k, c->or.from, c->or.to);
}

static void try(struct search *k, uint32_t choice)
{
	k->pick[k->picks] = (struct pick){ choice, false, k->trail_len };
	take(k, &k->pick[k->picks++]);
}

/* Back to the last choice whose second edge was not tried. false: there is none. */
static bool back(struct search *k)
{
	while (k->picks > 0) {
		struct pick *p = &k->pick[k->picks - 1];

		undo(k, p->trail);
		if (!p->second) {
			p->second = true;
			take(k, p);
			return true;
		}
		k->picks--;
	}
	return false;
}

/* Each choice once, in order. false: one has no edge left. */
static bool glance(struct search *k)
{
	for (uint32_t i = 0; i < k->choices; i++) {
		bool changed = false, open;

		if (!follow(k, &k->choice[i], &changed, &open))
			return false;
		if (open)
			try(k, i);
	}
	return true;
}

/* Everything that is forced. false: some choice has no edge left. *ret_open: the first open one. */
static bool follow_all(struct search *k, uint32_t *ret_open)
{
	bool changed = true;

	while (changed && k->s->steps > 0) {
		changed = false;
		*ret_open = k->choices;
		for (uint32_t i = 0; i < k->choices; i++) {
			bool open;

			if (!follow(k, &k->choice[i], &changed, &open))
				return false;
			if (open && *ret_open == k->choices)
				*ret_open = i;
		}
	}
	return true;
}

static enum sersi_answer solve(struct search *k)
{
	uint32_t open = 0;

	if (glance(k) && k->s->steps > 0)
		return SERSI_YES;
	undo(k, 0);
	k->picks = 0;
	while (k->s->steps > 0 && !k->no_memory) {
		if (!follow_all(k, &open)) {
			if (!back(k))
				return SERSI_NO;
			continue;
		}
		if (k->s->steps == 0)
			break;
		if (open == k->choices)
			return SERSI_YES;
		try(k, open);
	}
	if (k->no_memory)
		return SERSI_NO_MEMORY;
	k->s->why = "the search ran out of steps";
	return SERSI_UNKNOWN;
}

/* ---- from the whole graph to one component ---- */

struct parts {
	struct sersi *s;
	struct before_parts base, all; /* without the choices' edges, with them */
	uint32_t *local;               /* by point */
	uint32_t *size;                /* points by component of all */
	uint32_t *choices;             /* by component of all, and two more: ends, then places */
	uint32_t *by_comp;             /* choices by component */
};

static bool parts_init(struct parts *p, struct sersi *s)
{
	const uint32_t edges = s->edges_len;
	const size_t n = (size_t)s->points + 2;
	bool ok;

	*p = (struct parts){ .s = s };
	p->local = malloc(n * sizeof(*p->local));
	p->size = calloc(n, sizeof(*p->size));
	p->choices = calloc(n, sizeof(*p->choices));
	p->by_comp = malloc(((size_t)s->choices_len + 1) * sizeof(*p->by_comp));
	if (s->edges_cap - edges < 2 * s->choices_len) {
		struct sersi_edge *bigger = realloc(
			s->edge, ((size_t)edges + 2 * (size_t)s->choices_len) * sizeof(*bigger));

		if (bigger == NULL)
			return false;
		s->edge = bigger;
		s->edges_cap = edges + 2 * s->choices_len;
	}
	ok = p->local != NULL && p->size != NULL && p->choices != NULL && p->by_comp != NULL &&
	     pawl__sersi_index(s) && pawl__before_parts(&p->base, s, pawl__sersi_before, s->points);
	for (uint32_t i = 0; i < s->choices_len; i++) {
		s->edge[s->edges_len++] = s->choice[i].either;
		s->edge[s->edges_len++] = s->choice[i].or ;
	}
	ok = ok && pawl__sersi_index(s) &&
	     pawl__before_parts(&p->all, s, pawl__sersi_before, s->points);
	s->edges_len = edges;
	return ok && pawl__sersi_index(s);
}

static void parts_deinit(struct parts *p)
{
	pawl__before_parts_deinit(&p->base);
	pawl__before_parts_deinit(&p->all);
	free(p->local);
	free(p->size);
	free(p->choices);
	free(p->by_comp);
}

/* The component in which the choice matters; BEFORE_NONE when one of its edges can't do harm. */
static uint32_t home(const struct parts *p, const struct sersi_choice *c)
{
	const uint32_t *comp = p->all.comp;

	if (comp[c->either.from] != comp[c->either.to] || comp[c->or.from] != comp[c->or.to])
		return BEFORE_NONE;
	return comp[c->either.from];
}

/* Sizes, and choices sorted by component: those of c end at choices[c]. */
static void sort_choices(struct parts *p)
{
	const struct sersi *s = p->s;

	for (uint32_t i = 0; i < s->points; i++)
		p->size[p->all.comp[i]]++;
	for (uint32_t i = 0; i < s->choices_len; i++)
		if (home(p, &s->choice[i]) != BEFORE_NONE)
			p->choices[home(p, &s->choice[i]) + 1]++;
	for (uint32_t c = 0; c < p->all.comps; c++)
		p->choices[c + 1] += p->choices[c];
	for (uint32_t i = 0; i < s->choices_len; i++)
		if (home(p, &s->choice[i]) != BEFORE_NONE)
			p->by_comp[p->choices[home(p, &s->choice[i])]++] = i;
}

static void localize(const struct parts *p, struct sersi_edge *e)
{
	e->from = p->local[e->from];
	e->to = p->local[e->to];
}

/* The matrices from the edges that are certain. k->point is in topological order. */
static void closure(struct search *k, const struct parts *p, uint32_t comp)
{
	const size_t n = k->n;
	uint32_t u;

	for (uint32_t v = 0; v < k->n; v++)
		for (uint32_t i = 0; pawl__sersi_before(k->s, k->point[v], i, &u); i++)
			if (u != WEAK_NONE && p->all.comp[u] == comp)
				merge_row(k, n + v, n + p->local[u], p->local[u]);
	for (uint32_t v = k->n; v-- > 0;)
		for (uint32_t i = 0; pawl__sersi_before(k->s, k->point[v], i, &u); i++)
			if (u != WEAK_NONE && p->all.comp[u] == comp)
				merge_row(k, p->local[u], v, v);
	k->keep = true;
}

static bool search_init(struct search *k, struct parts *p, uint32_t comp)
{
	const uint32_t begin = comp == 0 ? 0 : p->choices[comp - 1];

	*k = (struct search){ .s = p->s, .words = ((size_t)p->size[comp] + 63) / 64 };
	k->choices = p->choices[comp] - begin;
	k->bits = calloc(2 * k->words * p->size[comp], sizeof(*k->bits));
	k->point = malloc(p->size[comp] * sizeof(*k->point));
	k->choice = malloc(k->choices * sizeof(*k->choice));
	k->pick = malloc(k->choices * sizeof(*k->pick));
	if (k->bits == NULL || k->point == NULL || k->choice == NULL || k->pick == NULL)
		return false;
	for (uint32_t i = 0; i < p->s->points; i++) {
		const uint32_t point = p->base.member[i];

		if (p->all.comp[point] != comp)
			continue;
		p->local[point] = k->n;
		k->point[k->n++] = point;
	}
	for (uint32_t i = 0; i < k->choices; i++) {
		k->choice[i] = p->s->choice[p->by_comp[begin + i]];
		localize(p, &k->choice[i].either);
		localize(p, &k->choice[i].or);
	}
	closure(k, p, comp);
	return !k->no_memory;
}

static void search_deinit(struct search *k)
{
	free(k->bits);
	free(k->point);
	free(k->choice);
	free(k->pick);
	free(k->trail);
}

enum sersi_answer pawl__sersi_search(struct sersi *s, uint32_t **ret_points, uint32_t *ret_len)
{
	struct parts p;
	enum sersi_answer ret = parts_init(&p, s) ? SERSI_YES : SERSI_NO_MEMORY;

	if (ret == SERSI_YES)
		sort_choices(&p);
	for (uint32_t c = 0; c < p.all.comps && (ret == SERSI_YES || ret == SERSI_UNKNOWN); c++) {
		struct search k;
		enum sersi_answer got = SERSI_NO_MEMORY;

		if (p.choices[c] == (c == 0 ? 0 : p.choices[c - 1]))
			continue;
		if (p.size[c] > SERSI_SEARCH_MAX) {
			s->why = "more transactions depend on each other than a search can take";
			ret = SERSI_UNKNOWN;
			continue;
		}
		if (search_init(&k, &p, c))
			got = solve(&k);
		if (got == SERSI_NO) {
			*ret_points = TAKE_PTR(k.point);
			*ret_len = k.n;
		}
		search_deinit(&k);
		ret = got == SERSI_YES ? ret : got;
	}
	parts_deinit(&p);
	return ret;
}
