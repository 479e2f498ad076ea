/* SPDX-License-Identifier: Apache-2.0 */
#include "race/check/scc.h"

#include <stdlib.h>
#include <string.h>

/* comp[] holds, while it runs: 0, not seen; a small number, the lowest place reached from here; a
 * number counted down from FINISHED, the component. */
#define FINISHED (UINT32_MAX - 1)

bool pawl__scc_init(struct scc *s, uint32_t nodes)
{
	const size_t size = ((size_t)nodes + 1) * sizeof(uint32_t);

	*s = (struct scc){ .cap = nodes };
	s->comp = malloc(size);
	s->next = malloc(size);
	s->stack = malloc(size);
	s->root = malloc((size_t)nodes + 1);
	if (s->comp != NULL && s->next != NULL && s->stack != NULL && s->root != NULL)
		return true;
	pawl__scc_deinit(s);
	return false;
}

void pawl__scc_deinit(struct scc *s)
{
	free(s->comp);
	free(s->next);
	free(s->stack);
	free(s->root);
	*s = (struct scc){ 0 };
}

/*
 * Nodes on the way from the start (calls) grow from the left of stack[], finished ones without a
 * component (kept) from the right: a node is never in both.
 */
struct walk {
	uint32_t calls, kept, place, comp;
};

static void enter(struct scc *s, const struct graph *g, struct walk *w, uint32_t v)
{
	s->stack[w->calls++] = v;
	s->comp[v] = w->place++;
	s->next[v] = g->first[v];
	s->root[v] = 1;
}

static void leave(struct scc *s, struct walk *w, uint32_t v)
{
	w->calls--;
	if (s->root[v] == 0) {
		s->stack[--w->kept] = v;
		return;
	}
	w->place--;
	while (w->kept < s->cap && s->comp[s->stack[w->kept]] >= s->comp[v]) {
		s->comp[s->stack[w->kept++]] = w->comp;
		w->place--;
	}
	s->comp[v] = w->comp--;
}

static void visit(struct scc *s, const struct graph *g, unsigned classes, struct walk *w)
{
	const uint32_t v = s->stack[w->calls - 1];

	while (s->next[v] < g->first[v + 1]) {
		const uint32_t e = s->next[v];
		const uint32_t to = g->to[e];

		if ((classes & GRAPH_BIT(g->cls[e])) == 0) {
			s->next[v]++;
			continue;
		}
		if (s->comp[to] == 0) {
			/* The edge is looked at again on the way back. */
			enter(s, g, w, to);
			return;
		}
		if (s->comp[to] < s->comp[v]) {
			s->comp[v] = s->comp[to];
			s->root[v] = 0;
		}
		s->next[v]++;
	}
	leave(s, w, v);
}

void pawl__scc_run(struct scc *s, const struct graph *g, unsigned classes)
{
	struct walk w = { .kept = s->cap, .place = 1, .comp = FINISHED };

	PRE(g->nodes <= s->cap);
	memset(s->comp, 0, (size_t)g->nodes * sizeof(*s->comp));
	for (uint32_t start = 0; start < g->nodes; start++) {
		if (s->comp[start] != 0)
			continue;
		enter(s, g, &w, start);
		while (w.calls > 0)
			visit(s, g, classes, &w);
	}
	for (uint32_t i = 0; i < g->nodes; i++)
		s->comp[i] = FINISHED - s->comp[i];
	s->comps = FINISHED - w.comp;
}
