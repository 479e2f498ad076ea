/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/before - strongly connected components and shortest cycles of a graph that is never
 * built: its nodes know what is before them.
 *
 * Components by Tarjan (1972), without recursion. Because the graph is walked against its edges,
 * components come out with everything that is before them first: a topological order.
 *
 * Owner: one thread. Limits: below 2^32 - 1 nodes; the search for a shortest cycle looks at no more
 * than BEFORE_STEPS edges once it has found some cycle. Same graph, same answer. false: no memory.
 */
#ifndef PAWL_RACE_CHECK_BEFORE_H
#define PAWL_RACE_CHECK_BEFORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

#define BEFORE_NONE     UINT32_MAX
#define BEFORE_STEPS    ((uint64_t)1 << 24)
#define BEFORE_KEPT_MAX 8 /* cycles; count has all */

/* The i-th node before t into *ret, BEFORE_NONE when that place is empty. false: no more. */
typedef bool (*before_fn)(const void *graph, uint32_t t, uint32_t i, uint32_t *ret);

struct before_parts {
	uint32_t *comp;   /* by node */
	uint32_t *member; /* nodes by component, those before first */
	uint32_t comps;   /* as many as nodes: no cycle, and member is a topological order */
	uint32_t *scratch;
};

/* Deinit in any case. */
PAWL_MUST_CHECK bool pawl__before_parts(struct before_parts *c, const void *graph, before_fn before,
                                        uint32_t nodes);
void pawl__before_parts_deinit(struct before_parts *c);

/* Some nodes in a row, or in a circle, in the direction of the edges. */
struct before_cycle {
	uint32_t *at; /* owned */
	uint32_t len;
};

struct before_cycles {
	struct before_cycle at[BEFORE_KEPT_MAX];
	uint32_t len;
	uint64_t count; /* components with a cycle */
};

/* A shortest cycle in each of the first components that have one, by their lowest node. Deinit in
 * any case. */
PAWL_MUST_CHECK bool pawl__before_cycles(struct before_cycles *ret, const void *graph,
                                         before_fn before, uint32_t nodes);
void pawl__before_cycles_deinit(struct before_cycles *c);

/* The shortest way from ends[0] to ends[1], both included. PRE: there is one. */
PAWL_MUST_CHECK bool pawl__before_way(struct before_cycle *ret, const void *graph, before_fn before,
                                      uint32_t nodes, const uint32_t ends[2]);

#endif /* PAWL_RACE_CHECK_BEFORE_H */
