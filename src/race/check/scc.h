/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/scc - strongly connected components of a graph, by Pearce's form of Tarjan's
 * algorithm, without recursion: time linear in nodes and edges, 13 bytes a node of working room.
 *
 * Components are numbered in the order in which they are finished: every edge between two leads
 * from the higher number to the lower. Threads: one owner of the working room.
 */
#ifndef PAWL_RACE_CHECK_SCC_H
#define PAWL_RACE_CHECK_SCC_H

#include "race/check/graph.h"

struct scc {
	uint32_t *comp; /* by node, after a run */
	uint32_t comps;
	uint32_t *next; /* edge to look at next, by node */
	uint32_t *stack;
	uint8_t *root;
	uint32_t cap; /* nodes */
};

/* Room for graphs of up to so many nodes. */
PAWL_MUST_CHECK bool pawl__scc_init(struct scc *s, uint32_t nodes);
void pawl__scc_deinit(struct scc *s);

/* Components of g with the edges whose class is in `classes` only. */
void pawl__scc_run(struct scc *s, const struct graph *g, unsigned classes);

#endif /* PAWL_RACE_CHECK_SCC_H */
