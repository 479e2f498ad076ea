/* SPDX-License-Identifier: Apache-2.0 */
#include "race/check/cycle.h"

#include <stdlib.h>
#include <string.h>

#include "race/check/component.h"
#include "race/check/path.h"
#include "race/check/scc.h"

#define WW     GRAPH_BIT(GRAPH_WW)
#define WR     GRAPH_BIT(GRAPH_WR)
#define RW     GRAPH_BIT(GRAPH_RW)
#define EXTRA  GRAPH_BIT(GRAPH_EXTRA)
#define FAN    GRAPH_BIT(GRAPH_FAN)

#define WORDS  4u /* of 64 nodes behind rw edges, at once */
#define NO_ROW HISTORY_NONE

struct finder {
	const struct cycle_job *job;
	struct found *f;
	struct components parts;
	struct graph one;    /* the component at hand */
	struct graph states; /* of it: (node), and nodes + (node when the last edge was rw) */
	struct scc scc;
	struct path path;
	uint64_t (*reached)[WORDS]; /* by component of scc: which of the batch reach it */
	uint32_t *order;            /* nodes of `one` by component of scc */
	uint32_t *behind;           /* nodes behind rw edges */
	uint8_t *is_behind;
	struct check_step *steps;
	uint32_t i; /* component at hand */
	uint64_t used;
	bool ran_out;
	bool has_rw, has_extra;
};

static void finder_deinit(struct finder *s)
{
	pawl__components_deinit(&s->parts);
	pawl__graph_deinit(&s->one);
	pawl__graph_deinit(&s->states);
	pawl__scc_deinit(&s->scc);
	pawl__path_deinit(&s->path);
	free(s->reached);
	free(s->order);
	free(s->behind);
	free(s->is_behind);
	free(s->steps);
}

static bool finder_init(struct finder *s)
{
	const uint32_t n = s->parts.nodes_max;

	s->reached = malloc(((size_t)n + 1) * sizeof(*s->reached));
	s->order = malloc(((size_t)n + 1) * sizeof(*s->order));
	s->behind = malloc(((size_t)n + 1) * sizeof(*s->behind));
	s->is_behind = calloc((size_t)n + 1, 1);
	s->steps = malloc(((size_t)n + 1) * 2 * sizeof(*s->steps));
	return s->reached != NULL && s->order != NULL && s->behind != NULL &&
	       s->is_behind != NULL && s->steps != NULL &&
	       pawl__components_room(&s->parts, 1, &s->one) &&
	       pawl__components_room(&s->parts, 2, &s->states) && pawl__scc_init(&s->scc, n * 2) &&
	       pawl__path_init(&s->path, n);
}

static uint32_t row_of(const struct finder *s, uint32_t node)
{
	return s->parts.member[s->parts.first[s->i] + node];
}

static enum check_edge edge_of(const struct finder *s, uint8_t cls)
{
	switch ((enum graph_class)cls) {
	case GRAPH_WW:
		return EDGE_WW;
	case GRAPH_WR:
		return EDGE_WR;
	case GRAPH_RW:
		return EDGE_RW;
	case GRAPH_EXTRA:
		return s->job->extra == GRAPH_PROCESS ? EDGE_PROCESS : EDGE_REALTIME;
	case GRAPH_FAN:
	case GRAPH_CLASSES:
		break;
	}
	UNREACHABLE();
}

/* The path as a witness. */
static void tell(struct finder *s, enum found_kind kind)
{
	const struct path *p = &s->path;

	INVARIANT(p->len >= 2);
	for (uint32_t i = 0; i < p->len; i++) {
		const uint32_t a = row_of(s, p->node[i]), b = row_of(s, p->node[(i + 1) % p->len]);

		s->steps[i] = (struct check_step){ .op = a,
			                           .edge = edge_of(s, p->cls[i]),
			                           .key = HISTORY_NONE,
			                           .by = HISTORY_NONE };
		if (p->cls[i] < GRAPH_EXTRA)
			s->job->explain(s->job->arg, a, b, (enum graph_class)p->cls[i],
			                &s->steps[i]);
	}
	pawl__found_cycle(s->f, kind, s->steps, p->len);
}

/* Count a kind and, if its witness is wanted, look for one: s->scc holds the parts it lies in. */
static void report(struct finder *s, enum found_kind kind, struct path_shape shape, uint32_t first)
{
	s->f->count[kind]++;
	if (!found_wants(s->f, kind, row_of(s, 0)))
		return;
	pawl__path_shortest(&s->path, &s->one, &shape, s->scc.comp, first);
	tell(s, kind);
}

/* Whether an edge of one of the classes lies inside a component of the last run. */
static bool inside(const struct finder *s, unsigned classes)
{
	const struct graph *g = &s->one;

	for (uint32_t v = 0; v < g->nodes; v++) {
		for (uint32_t e = g->first[v]; e < g->first[v + 1]; e++) {
			if ((classes & GRAPH_BIT(g->cls[e])) != 0 &&
			    s->scc.comp[v] == s->scc.comp[g->to[e]])
				return true;
		}
	}
	return false;
}

/* A cycle of these edges. */
static bool plain(struct finder *s, enum found_kind kind, unsigned classes)
{
	const struct path_shape shape = { .classes = classes, .closing = classes };

	pawl__scc_run(&s->scc, &s->one, classes);
	if (!inside(s, classes))
		return false;
	report(s, kind, shape, NO_ROW);
	return true;
}

static void states_edge(struct graph *g, uint32_t to, uint8_t cls)
{
	g->to[g->edges] = to;
	g->cls[g->edges++] = cls;
}

/* The graph of states, with `classes` and rw edges. */
static void states_make(struct finder *s, unsigned classes)
{
	const struct graph *g = &s->one;
	struct graph *st = &s->states;

	st->nodes = g->nodes * 2;
	st->edges = 0;
	for (uint32_t i = 0; i < st->nodes; i++) {
		const bool after_rw = i >= g->nodes;
		const uint32_t v = after_rw ? i - g->nodes : i;

		st->first[i] = st->edges;
		for (uint32_t e = g->first[v]; e < g->first[v + 1]; e++) {
			const uint32_t to = g->to[e];

			if (g->cls[e] == GRAPH_RW && !after_rw)
				states_edge(st, g->nodes + to, GRAPH_RW);
			else if (g->cls[e] == GRAPH_FAN && after_rw)
				states_edge(st, g->nodes + to, GRAPH_FAN);
			else if ((classes & GRAPH_BIT(g->cls[e])) != 0)
				states_edge(st, to, g->cls[e]);
		}
	}
	st->first[st->nodes] = st->edges;
}

/* Nodes behind rw edges that lie inside a component of the states; how many. */
static uint32_t behind_make(struct finder *s)
{
	const struct graph *g = &s->one;
	uint32_t n = 0;

	for (uint32_t v = 0; v < g->nodes; v++) {
		for (uint32_t e = g->first[v]; e < g->first[v + 1]; e++) {
			const uint32_t to = g->to[e];

			if (g->cls[e] != GRAPH_RW || s->is_behind[to] != 0 ||
			    s->scc.comp[v] != s->scc.comp[g->nodes + to])
				continue;
			s->is_behind[to] = 1;
			s->behind[n++] = to;
		}
	}
	for (uint32_t i = 0; i < n; i++)
		s->is_behind[s->behind[i]] = 0;
	return n;
}

/* Nodes in the order of components: what an edge leads to comes before where it comes from. */
static void order_make(struct finder *s)
{
	uint32_t *place = s->path.now; /* not in use: room for every component */
	uint32_t sum = 0;

	memset(place, 0, ((size_t)s->scc.comps + 1) * sizeof(*place));
	for (uint32_t v = 0; v < s->one.nodes; v++)
		place[s->scc.comp[v]]++;
	for (uint32_t k = 0; k < s->scc.comps; k++) {
		const uint32_t n = place[k];

		place[k] = sum;
		sum += n;
	}
	for (uint32_t v = 0; v < s->one.nodes; v++)
		s->order[place[s->scc.comp[v]]++] = v;
}

/* Spread a batch of nodes over everything they reach without rw edges. */
static void spread(struct finder *s, const uint32_t *batch, uint32_t len, unsigned classes)
{
	const struct graph *g = &s->one;

	memset(s->reached, 0, (size_t)s->scc.comps * sizeof(*s->reached));
	for (uint32_t i = 0; i < len; i++)
		s->reached[s->scc.comp[batch[i]]][i / 64] |= UINT64_C(1) << (i % 64);
	for (uint32_t i = g->nodes; i-- > 0;) {
		const uint32_t v = s->order[i];
		const uint64_t *from = s->reached[s->scc.comp[v]];

		for (uint32_t e = g->first[v]; e < g->first[v + 1]; e++) {
			uint64_t *to = s->reached[s->scc.comp[g->to[e]]];

			if ((classes & GRAPH_BIT(g->cls[e])) == 0 || to == from)
				continue;
			for (uint32_t k = 0; k < WORDS; k++)
				to[k] |= from[k];
		}
	}
	s->used += g->edges + g->nodes;
}

/* A node of the batch that reaches the start of an rw edge that leads to it. */
static uint32_t batch_hit(const struct finder *s, const uint32_t *batch, uint32_t len)
{
	const struct graph *g = &s->one;
	uint32_t *place = s->path.later; /* by node: its place in the batch */
	uint32_t best = len;

	for (uint32_t v = 0; v < g->nodes; v++)
		place[v] = NO_ROW;
	for (uint32_t i = 0; i < len; i++)
		place[batch[i]] = i;
	for (uint32_t v = 0; v < g->nodes; v++) {
		for (uint32_t e = g->first[v]; e < g->first[v + 1]; e++) {
			const uint32_t i = place[g->to[e]];

			if (g->cls[e] != GRAPH_RW || i >= best)
				continue;
			if ((s->reached[s->scc.comp[v]][i / 64] >> (i % 64) & 1) != 0)
				best = i;
		}
	}
	return best < len ? batch[best] : NO_ROW;
}

/* A node behind the one rw edge of a cycle; NO_ROW: there is no such cycle, or steps ran out. */
static uint32_t single_find(struct finder *s, uint32_t behind_len, unsigned classes)
{
	pawl__scc_run(&s->scc, &s->one, classes);
	order_make(s);
	for (uint32_t at = 0; at < behind_len; at += 64 * WORDS) {
		const uint32_t left = behind_len - at;
		const uint32_t len = left < 64 * WORDS ? left : 64 * WORDS;
		uint32_t hit;

		if (s->used > s->job->steps) {
			s->ran_out = true;
			return NO_ROW;
		}
		spread(s, s->behind + at, len, classes);
		hit = batch_hit(s, s->behind + at, len);
		if (hit != NO_ROW)
			return hit;
	}
	return NO_ROW;
}

/*
 * Several rw edges that don't touch, in a component of states that has a cycle with some. Where
 * there are cycles without rw edges, what alternates may go through a transaction twice, and is
 * then not counted: cut there, it falls into one of those and a G2-item.
 */
static bool several(struct finder *s, unsigned variant, unsigned classes, bool plain_too)
{
	const enum found_kind kind = FOUND_GNI + variant;
	const struct path_shape shape = { .classes = classes | FAN | RW,
		                          .closing = RW,
		                          .alternate = true };

	pawl__scc_run(&s->scc, &s->states, GRAPH_ALL);
	if (!plain_too) {
		report(s, kind, shape, NO_ROW);
		return true;
	}
	pawl__path_shortest(&s->path, &s->one, &shape, s->scc.comp, NO_ROW);
	if (!s->path.simple)
		return false;
	s->f->count[kind]++;
	if (found_wants(s->f, kind, row_of(s, 0)))
		tell(s, kind);
	return true;
}

/* Cycles whose rw edges don't touch: one, or several unless those were found before. */
static enum found_kind alternating(struct finder *s, unsigned variant, unsigned classes,
                                   bool plain_too, bool had_several)
{
	const struct path_shape one = { .classes = classes | FAN, .closing = RW };
	uint32_t behind, hit;

	states_make(s, classes);
	pawl__scc_run(&s->scc, &s->states, GRAPH_ALL);
	behind = behind_make(s);
	if (behind == 0)
		return FOUND_KINDS;
	hit = single_find(s, behind, classes | FAN);
	if (hit != NO_ROW) {
		/* It lies in the whole component: paths that lead nowhere are cut by length. */
		memset(s->scc.comp, 0, (size_t)s->one.nodes * sizeof(*s->scc.comp));
		report(s, FOUND_GSI + variant, one, hit);
		return FOUND_GSI;
	}
	return !had_several && several(s, variant, classes, plain_too) ? FOUND_GNI : FOUND_KINDS;
}

/* Any cycle with an rw edge. */
static bool crossing(struct finder *s, unsigned variant, unsigned classes)
{
	const struct path_shape shape = { .classes = classes | FAN | RW, .closing = RW };

	pawl__scc_run(&s->scc, &s->one, shape.classes);
	if (!inside(s, RW))
		return false;
	report(s, FOUND_G2I + variant, shape, NO_ROW);
	return true;
}

/* What data alone shows, then what the extra edges add; see cycle.h for what is skipped. */
static void classify(struct finder *s)
{
	const unsigned x = (unsigned)s->job->extra;
	const bool g0 = plain(s, FOUND_G0, WW);
	const bool g1c = !g0 && plain(s, FOUND_G1C, WW | WR);
	const enum found_kind alt =
		s->has_rw ? alternating(s, 0, WW | WR, g0 || g1c, false) : FOUND_KINDS;
	const bool g2 = s->has_rw && alt == FOUND_KINDS && crossing(s, 0, WW | WR);
	enum found_kind alt_x = FOUND_KINDS;
	bool plain_x = g0 || g1c;

	if (!s->has_extra)
		return;
	if (!g0)
		plain_x = plain(s, FOUND_G0 + x, WW | EXTRA) || plain_x;
	if (!plain_x)
		plain_x = plain(s, FOUND_G1C + x, WW | WR | EXTRA);
	if (!s->has_rw)
		return;
	if (alt != FOUND_GSI)
		alt_x = alternating(s, x, WW | WR | EXTRA, plain_x, alt == FOUND_GNI);
	if (alt == FOUND_KINDS && !g2 && alt_x == FOUND_KINDS)
		(void)crossing(s, x, WW | WR | EXTRA);
}

enum pawl_status pawl__cycle_find(const struct cycle_job *job, struct found *f, uint64_t *ret_steps,
                                  bool *ret_ran_out)
{
	struct finder s = { .job = job, .f = f };

	*ret_steps = 0;
	*ret_ran_out = false;
	if (!pawl__components_init(&s.parts, job->g))
		return PAWL_E_NOMEM;
	if (s.parts.len > 0 && !finder_init(&s)) {
		finder_deinit(&s);
		return PAWL_E_NOMEM;
	}
	for (s.i = 0; s.i < s.parts.len; s.i++) {
		pawl__components_take(&s.parts, s.i, &s.one);
		s.has_rw = s.has_extra = false;
		for (uint32_t e = 0; e < s.one.edges; e++) {
			s.has_rw = s.has_rw || s.one.cls[e] == GRAPH_RW;
			s.has_extra = s.has_extra || s.one.cls[e] == GRAPH_EXTRA;
		}
		classify(&s);
	}
	*ret_steps = s.used;
	*ret_ran_out = s.ran_out;
	finder_deinit(&s);
	return PAWL_OK;
}
