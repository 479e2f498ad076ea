/* SPDX-License-Identifier: Apache-2.0 */
#include "race/check/path.h"

#include <stdlib.h>
#include <string.h>

#define UNSEEN UINT32_MAX

bool pawl__path_init(struct path *p, uint32_t nodes)
{
	const size_t states = ((size_t)nodes + 1) * 2;

	*p = (struct path){ .cap = nodes };
	p->node = malloc(states * sizeof(*p->node));
	p->cls = malloc(states);
	p->dist = malloc(states * sizeof(*p->dist));
	p->from = malloc(states * sizeof(*p->from));
	p->by = malloc(states);
	p->now = malloc(states * sizeof(*p->now));
	p->later = malloc(states * sizeof(*p->later));
	p->touched = malloc(states * sizeof(*p->touched));
	p->begun = malloc(states);
	if (p->node == NULL || p->cls == NULL || p->dist == NULL || p->from == NULL ||
	    p->by == NULL || p->now == NULL || p->later == NULL || p->touched == NULL ||
	    p->begun == NULL) {
		pawl__path_deinit(p);
		return false;
	}
	memset(p->dist, 0xff, states * sizeof(*p->dist));
	return true;
}

void pawl__path_deinit(struct path *p)
{
	free(p->node);
	free(p->cls);
	free(p->dist);
	free(p->from);
	free(p->by);
	free(p->now);
	free(p->later);
	free(p->touched);
	free(p->begun);
	*p = (struct path){ 0 };
}

struct search {
	struct path *p;
	const struct graph *g;
	const struct path_shape *shape;
	const uint32_t *part;
	uint32_t start; /* state */
	uint32_t now_len, later_len, touched_len;
	uint32_t best; /* UINT32_MAX: none yet */
	uint64_t steps;
};

static uint32_t state_node(const struct search *s, uint32_t state)
{
	return state < s->g->nodes ? state : state - s->g->nodes;
}

static bool is_virtual(const struct search *s, uint32_t node)
{
	return node >= s->g->rows;
}

/* Whether the way from the start to `end` passes through a node twice: alternating ones may. */
static bool passes_twice(const struct search *s, uint32_t end)
{
	const struct path *p = s->p;
	const uint32_t nodes = s->g->nodes;

	for (uint32_t state = end; state != s->start; state = p->from[state]) {
		const uint32_t twin = state < nodes ? state + nodes : state - nodes;

		/* Both states of a node have been met: is the other on the way? */
		for (uint32_t t = end; p->dist[twin] != UNSEEN; t = p->from[t]) {
			if (t == twin)
				return true;
			if (t == s->start)
				break;
		}
	}
	return false;
}

static void turn_round(struct path *p)
{
	for (uint32_t i = 0; i < p->len / 2; i++) {
		const uint32_t other = p->len - 1 - i, node = p->node[i];
		const uint8_t cls = p->cls[i];

		p->node[i] = p->node[other];
		p->cls[i] = p->cls[other];
		p->node[other] = node;
		p->cls[other] = cls;
	}
}

/* The way from the start to `end`, and back over an edge of class cls. */
static void keep(struct search *s, uint32_t end, uint8_t cls)
{
	struct path *p = s->p;
	const bool simple = !s->shape->alternate || !passes_twice(s, end);
	uint32_t state = end;

	/* One that is not simple is kept for want of a better one only. */
	if (!simple && p->len > 0)
		return;
	/* Backwards: class cls leaves `end`'s node. A row's step is the edge that leaves it. */
	p->len = 0;
	for (;;) {
		const uint32_t node = state_node(s, state);

		if (!is_virtual(s, node)) {
			p->node[p->len] = node;
			p->cls[p->len++] = cls;
		}
		if (state == s->start)
			break;
		cls = p->by[state];
		state = p->from[state];
	}
	turn_round(p);
	p->simple = simple;
	if (simple)
		s->best = p->len;
}

static void reach(struct search *s, uint32_t next, uint32_t before, uint8_t cls, uint32_t dist)
{
	struct path *p = s->p;
	const bool free_step = is_virtual(s, state_node(s, next));

	if (p->dist[next] != UNSEEN)
		return;
	p->dist[next] = free_step ? dist : dist + 1;
	p->from[next] = before;
	p->by[next] = cls;
	p->touched[s->touched_len++] = next;
	if (free_step)
		p->now[s->now_len++] = next;
	else
		p->later[s->later_len++] = next;
}

/* Where class cls leads from a state to node `to`; UNSEEN: nowhere within the component. */
static uint32_t next_state(const struct search *s, uint32_t state, uint8_t cls, uint32_t to)
{
	const uint32_t nodes = s->g->nodes;
	uint32_t next = to;

	if ((s->shape->classes & GRAPH_BIT(cls)) == 0)
		return UNSEEN;
	if (s->shape->alternate && cls == GRAPH_RW)
		next = state < nodes ? nodes + to : UNSEEN;
	else if (s->shape->alternate && cls == GRAPH_FAN)
		next = state < nodes ? to : nodes + to;
	if (next == UNSEEN || s->part[next] != s->part[state])
		return UNSEEN;
	return next;
}

static void expand(struct search *s, uint32_t state)
{
	const struct graph *g = s->g;
	const uint32_t node = state_node(s, state), start = state_node(s, s->start);
	const uint32_t dist = s->p->dist[state];

	for (uint32_t e = g->first[node]; e < g->first[node + 1]; e++) {
		const uint32_t to = g->to[e];
		const uint8_t cls = g->cls[e];
		uint32_t ahead;

		s->steps++;
		if (to == start && (s->shape->closing & GRAPH_BIT(cls)) != 0 &&
		    (!s->shape->alternate || state < g->nodes) && node != start) {
			const uint32_t len = dist + (is_virtual(s, start) ? 0 : 1);

			if (len < s->best)
				keep(s, state, cls);
			continue;
		}
		ahead = next_state(s, state, cls, to);
		if (ahead != UNSEEN && dist + 1 < s->best)
			reach(s, ahead, state, cls, dist);
	}
}

static void from_node(struct search *s, uint32_t node)
{
	struct path *p = s->p;

	if (p->begun[node] != 0)
		return;
	p->begun[node] = 1;
	s->start = s->shape->alternate ? s->g->nodes + node : node;
	s->touched_len = s->later_len = 0;
	s->now_len = 1;
	p->now[0] = s->start;
	p->dist[s->start] = 0;
	p->touched[s->touched_len++] = s->start;
	while (s->now_len > 0) {
		uint32_t *swap;

		for (uint32_t i = 0; i < s->now_len && p->dist[p->now[i]] < s->best; i++)
			expand(s, p->now[i]);
		swap = p->now;
		p->now = p->later;
		p->later = swap;
		s->now_len = s->later_len;
		s->later_len = 0;
	}
	for (uint32_t i = 0; i < s->touched_len; i++)
		p->dist[p->touched[i]] = UNSEEN;
}

/* Whether a closing edge leads from u, within the component, to v. */
static bool closes(const struct search *s, uint32_t u, uint32_t e)
{
	const struct graph *g = s->g;
	const uint32_t end = s->shape->alternate ? g->nodes + g->to[e] : g->to[e];

	return (s->shape->closing & GRAPH_BIT(g->cls[e])) != 0 && s->part[u] == s->part[end];
}

void pawl__path_shortest(struct path *p, const struct graph *g, const struct path_shape *shape,
                         const uint32_t *part, uint32_t first)
{
	struct search s = { .p = p, .g = g, .shape = shape, .part = part, .best = UINT32_MAX };

	PRE(g->nodes <= p->cap);
	p->len = 0;
	memset(p->begun, 0, g->nodes);
	if (first != HISTORY_NONE)
		from_node(&s, first);
	for (uint32_t u = 0; u < g->nodes; u++) {
		for (uint32_t e = g->first[u]; e < g->first[u + 1]; e++) {
			if (p->len > 0 && (s.best <= 2 || s.steps > PATH_STEPS_MAX))
				return;
			if (closes(&s, u, e))
				from_node(&s, g->to[e]);
		}
	}
}
