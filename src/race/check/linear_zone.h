/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/linear_zone - registers whose written values are all different, without a search.
 *
 * All that read one value belong to its write, so the operations of a value can be taken together:
 * from the first return to the last start the value stands (a forward zone), or, where every
 * operation overlaps every other, it need stand only somewhere in between (a backward zone). There
 * is an order exactly when no read returns before its write starts, no two forward zones overlap
 * and no backward zone lies inside a forward one. Gibbons and Korach, "Testing Shared Memories"
 * (1997), section 4. O(n log n).
 *
 * Threads: none of its own.
 */
#ifndef PAWL_RACE_CHECK_LINEAR_ZONE_H
#define PAWL_RACE_CHECK_LINEAR_ZONE_H

#include "race/check/linear.h"

enum lin_zone {
	LIN_ZONE_VALID,
	LIN_ZONE_INVALID,
	LIN_ZONE_OTHER, /* not such a history: search */
};

enum lin_conflict_kind {
	LIN_UNWRITTEN, /* op[0] read what nothing wrote */
	LIN_EARLY,     /* op[0] read what op[1], which began later, wrote */
	LIN_OVERLAP, /* the value of op[0] stood until op[1] began, that of op[2] until op[3] did */
	LIN_INSIDE,  /* op[2] and op[3] lie within the time that the value of op[0] stood */
};

/* Why a history is invalid. LIN_NONE stands for the initial value's write. */
struct lin_conflict {
	enum lin_conflict_kind kind;
	uint32_t op[4];
};

/* ret_why is set for LIN_ZONE_INVALID: the conflict that shows first. Errors: PAWL_E_NOMEM. */
PAWL_MUST_CHECK enum pawl_status pawl__lin_zone_check(const struct lin_problem *p,
                                                      enum lin_zone *ret,
                                                      struct lin_conflict *ret_why,
                                                      struct pawl_error *err);

#endif /* PAWL_RACE_CHECK_LINEAR_ZONE_H */
