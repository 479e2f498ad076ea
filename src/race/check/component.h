/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/component - the strongly connected components of a graph, each as a graph of its own.
 *
 * Only those of two transactions or more. They come in the order of their lowest row; nodes of one
 * stand in the order of the whole graph. Of parallel edges the worst class stays, ww before wr
 * before rw; an extra edge stays beside rw, for it serves where rw does not.
 * Threads: one owner.
 */
#ifndef PAWL_RACE_CHECK_COMPONENT_H
#define PAWL_RACE_CHECK_COMPONENT_H

#include "race/check/graph.h"

struct components {
	const struct graph *g; /* borrowed */
	uint32_t len;
	uint32_t *first;               /* len + 1; members of i are [first[i], first[i + 1]) */
	uint32_t *member;              /* nodes of g */
	uint32_t *local;               /* by node of g: its place in its component */
	uint32_t *of;                  /* by node of g: its component; HISTORY_NONE */
	uint32_t nodes_max, edges_max; /* of the largest ones */
	uint32_t *mark;                /* by local node, see take */
};

/* false: no memory. */
PAWL_MUST_CHECK bool pawl__components_init(struct components *c, const struct graph *g);
void pawl__components_deinit(struct components *c);

/* Fill ret, which has room for nodes_max and edges_max, with component i. */
void pawl__components_take(struct components *c, uint32_t i, struct graph *ret);

/* false: no memory. */
PAWL_MUST_CHECK bool pawl__components_room(const struct components *c, uint32_t factor,
                                           struct graph *ret);

#endif /* PAWL_RACE_CHECK_COMPONENT_H */
