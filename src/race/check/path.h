/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/path - the shortest cycle of a shape, in a part of a graph that is known to have one.
 *
 * Breadth-first from every node that a closing edge leads into, back to where that edge comes from.
 * Virtual nodes cost nothing, so that length counts transactions. Searches are cut at the best
 * length so far and by a number of steps: the cycle is the shortest unless those ran out, then the
 * shortest that was met. The same graph gives the same cycle. An alternating one passes through a
 * node twice only when no simple one was met; one exists where there is no cycle without rw edges.
 */
#ifndef PAWL_RACE_CHECK_PATH_H
#define PAWL_RACE_CHECK_PATH_H

#include "race/check/graph.h"

#define PATH_STEPS_MAX ((uint64_t)1000000) /* edges looked at for one cycle */

/* What a cycle looks like: one edge whose class is in `closing`, the rest in `classes`; alternate:
 * no two rw edges side by side, of any number. */
struct path_shape {
	unsigned classes, closing;
	bool alternate;
};

struct path {
	uint32_t *node; /* of the graph, virtual ones left out */
	uint8_t *cls;   /* of the edge to the next node, the last one's to the first */
	uint32_t len;   /* 0: none found */
	bool simple;    /* it passes through every node once */
	uint32_t *dist; /* by state: a node, or nodes + a node behind rw; working room */
	uint32_t *from; /* state before */
	uint8_t *by;    /* class of the edge from there */
	uint32_t *now, *later;
	uint32_t *touched;
	uint8_t *begun; /* by node: searched from */
	uint32_t cap;   /* nodes */
};

PAWL_MUST_CHECK bool pawl__path_init(struct path *p, uint32_t nodes);
void pawl__path_deinit(struct path *p);

/*
 * The shortest cycle within a component: part[] numbers the nodes' components, or, of an
 * alternating shape, those of states. rows: nodes below are no virtual ones.
 * first: a node to begin at, known to lie behind a closing edge of such a cycle; HISTORY_NONE.
 */
void pawl__path_shortest(struct path *p, const struct graph *g, const struct path_shape *shape,
                         const uint32_t *part, uint32_t first);

#endif /* PAWL_RACE_CHECK_PATH_H */
