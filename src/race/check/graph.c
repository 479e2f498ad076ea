/* SPDX-License-Identifier: Apache-2.0 */
#include "race/check/graph.h"

#include <stdlib.h>
#include <string.h>

void pawl__graph_deinit(struct graph *g)
{
	free(g->first);
	free(g->to);
	free(g->cls);
	*g = (struct graph){ 0 };
}

/* Counts at first[i] become places: where the edges of node i begin. */
static void counts_to_places(struct graph *g)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i <= g->nodes; i++) {
		const uint32_t n = g->first[i];

		g->first[i] = sum;
		sum += n;
	}
}

enum pawl_status pawl__graph_make(struct graph *ret, uint32_t rows, uint64_t virtual_nodes,
                                  graph_emit_fn emit, const void *arg)
{
	struct graph g = { .rows = rows };
	struct graph_maker m = { .g = &g };

	if (virtual_nodes > GRAPH_NODES_MAX - rows)
		return PAWL_E_TOO_LARGE;
	g.nodes = rows + (uint32_t)virtual_nodes;
	g.first = calloc((size_t)g.nodes + 1, sizeof(*g.first));
	if (g.first == NULL)
		return PAWL_E_NOMEM;
	emit(&m, arg);
	if (m.counted > GRAPH_EDGES_MAX) {
		pawl__graph_deinit(&g);
		return PAWL_E_TOO_LARGE;
	}
	g.edges = (uint32_t)m.counted;
	g.to = malloc(((size_t)g.edges + 1) * sizeof(*g.to));
	g.cls = malloc((size_t)g.edges + 1);
	if (g.to == NULL || g.cls == NULL) {
		pawl__graph_deinit(&g);
		return PAWL_E_NOMEM;
	}
	counts_to_places(&g);
	m.placing = true;
	emit(&m, arg);
	/* Each first[i] has moved to where node i ends, which is where node i + 1 began. */
	memmove(g.first + 1, g.first, (size_t)g.nodes * sizeof(*g.first));
	g.first[0] = 0;
	*ret = g;
	return PAWL_OK;
}

uint64_t pawl__graph_barriers(const struct history *h, enum graph_extra extra)
{
	uint64_t n = 0;
	bool completed = false;

	if (extra != GRAPH_REALTIME)
		return 0;
	for (uint32_t i = 0; i < h->events_len; i++) {
		const bool completion = (h->event[i] & 1) != 0;

		n += !completion && completed;
		completed = completion;
	}
	return n;
}

/*
 * Completions gather until something begins: then they get a barrier. A row without invocation
 * stands in the events with its completion only, so nothing is known to come before it.
 */
static bool realtime(struct graph_maker *m, const struct history *h, uint32_t barrier)
{
	uint32_t gathered = 0, begun = 0, current = HISTORY_NONE;
	bool any = false;

	for (uint32_t i = 0; i < h->events_len; i++) {
		const uint32_t row = h->event[i] >> 1;

		if ((h->event[i] & 1) != 0)
			continue;
		/* The run of completions right before. */
		for (gathered = i; gathered > begun && (h->event[gathered - 1] & 1) != 0;)
			gathered--;
		if (gathered < i) {
			if (current != HISTORY_NONE)
				graph_edge(m, current, barrier, GRAPH_EXTRA);
			current = barrier++;
			for (uint32_t j = gathered; j < i; j++) {
				const uint32_t done = h->event[j] >> 1;

				if (h->type[done] == HT_OK)
					graph_edge(m, done, current, GRAPH_EXTRA);
			}
		}
		begun = i + 1;
		if (current != HISTORY_NONE && graph_has_row(h, row)) {
			graph_edge(m, current, row, GRAPH_EXTRA);
			any = true;
		}
	}
	return any;
}

/* What never completed may take effect later than what its process did next. */
static bool process(struct graph_maker *m, const struct history *h, uint32_t *last)
{
	bool any = false;

	for (uint32_t i = 0; i < h->processes_len; i++)
		last[i] = HISTORY_NONE;
	for (uint32_t i = 0; i < h->ops_len; i++) {
		const uint32_t p = h->process[i];

		if (!graph_has_row(h, i))
			continue;
		if (last[p] != HISTORY_NONE) {
			graph_edge(m, last[p], i, GRAPH_EXTRA);
			any = true;
		}
		if (h->type[i] == HT_OK)
			last[p] = i;
	}
	return any;
}

bool pawl__graph_extra(struct graph_maker *m, const struct history *h, enum graph_extra extra,
                       uint32_t barrier, uint32_t *last)
{
	switch (extra) {
	case GRAPH_REALTIME:
		return realtime(m, h, barrier);
	case GRAPH_PROCESS:
		return process(m, h, last);
	case GRAPH_NO_EXTRA:
		break;
	}
	return false;
}
