/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/linear_core - why there is no order: the few operations that can't be explained.
 *
 * Starts from the return at which the search ended. An operation is let go by making it optional:
 * it may have happened, in its time, or not. When there is still no order, it does not matter. What
 * is left can't be explained whatever the others did. For a single cell that holds no
 * text it looks first for the latest moment from which there is no order whatever the value was.
 *
 * Never changes the verdict; when its steps run out it gives the smallest core so far.
 * Threads: one owner; uses the caller's search.
 */
#ifndef PAWL_RACE_CHECK_LINEAR_CORE_H
#define PAWL_RACE_CHECK_LINEAR_CORE_H

#include "race/check/linear.h"

#define LIN_CORE_STEPS_MAX UINT64_C(300000) /* configurations, over all attempts */

struct lin_core {
	uint32_t *ops; /* owned; of the problem, ascending; the one that ended the search is in */
	uint32_t len;
	uint32_t from;    /* the event from which this holds */
	bool any_initial; /* whatever the value was at `from` */
	bool smallest;    /* none of ops can be let go */
};

/* The search of p, without LIN_LOOKAHEAD, ended as r says, invalid. Errors: PAWL_E_NOMEM. */
PAWL_MUST_CHECK enum pawl_status pawl__lin_core_find(struct lin_search *s,
                                                     const struct lin_problem *p,
                                                     const struct lin_result *r,
                                                     struct lin_core *ret, struct pawl_error *err);
void pawl__lin_core_deinit(struct lin_core *c);

#endif /* PAWL_RACE_CHECK_LINEAR_CORE_H */
