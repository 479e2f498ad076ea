/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/cycle - which kinds of cycles a graph of transactions has, with the shortest of each.
 *
 *     graph -> strongly connected components -> of each, alone: which kinds -> a witness
 *
 * Kinds, worst first: G0 (ww only), G1c (with wr), G-single-item (one rw), G-nonadjacent-item
 * (several rw, no two side by side), G2-item (rw side by side); then the same with process or with
 * realtime edges. A kind that another one found in the same component is a case of is not looked
 * for. Between two transactions the worst class of data counts: one that is ww and rw is ww.
 *
 * How each is decided, completely and in time linear in the component except where said:
 *   G0, G1c         a component of the edges allowed
 *   G-single and    an rw edge inside a component of the graph whose nodes are (transaction,
 *   G-nonadjacent   whether the last edge was rw), in which rw leaves only the one state
 *   the two apart   reachability without rw from behind every such rw edge, 256 at once; this alone
 *                   is bounded by steps: when they run out, a component counts as
 *                   G-nonadjacent-item, and the result says so
 *   G2-item         an rw edge inside a component of everything
 * Never a clock: the same history gives the same answer.
 *
 * Threads: one owner.
 */
#ifndef PAWL_RACE_CHECK_CYCLE_H
#define PAWL_RACE_CHECK_CYCLE_H

#include "race/check/found.h"
#include "race/check/graph.h"

/* Why row a is before row b: fill key, value and value2 of the step; cls as found. */
typedef void (*cycle_explain_fn)(const void *arg, uint32_t a, uint32_t b, enum graph_class cls,
                                 struct check_step *step);

struct cycle_job {
	const struct graph *g;
	enum graph_extra extra; /* what GRAPH_EXTRA edges are */
	cycle_explain_fn explain;
	const void *arg;
	uint64_t steps; /* for telling G-single from G-nonadjacent */
};

/* Counts and witnesses go to f. PAWL_E_NOMEM. */
PAWL_MUST_CHECK enum pawl_status pawl__cycle_find(const struct cycle_job *job, struct found *f,
                                                  uint64_t *ret_steps, bool *ret_ran_out);

#endif /* PAWL_RACE_CHECK_CYCLE_H */
