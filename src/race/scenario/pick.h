/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/scenario/pick - which few of a round's operations show what happened: the reduction behind
 * the lane diagram.
 *
 * Pure. Of those that would do, it takes the ones that were under way together, because that is
 * what the reader has to see; then the earlier ones. Same input, same picks.
 */
#ifndef PAWL_RACE_SCENARIO_PICK_H
#define PAWL_RACE_SCENARIO_PICK_H

#include "base/arena.h"
#include "race/scenario/run.h"

#define PICK_CANDIDATES_MAX 512

struct pick {
	const struct race_op *ops;
	uint32_t len; /* of ops */
	uint32_t candidates[PICK_CANDIDATES_MAX];
	uint32_t candidates_len; /* more are left out */
};

void pawl__pick_add(struct pick *p, uint32_t op);

/* At most n (<= RUN_LANES_MAX) candidates: the first two that overlap, then others that overlap
 * with the first, then the rest; in order of release. Returns how many. */
uint32_t pawl__pick_together(const struct pick *p, uint32_t n, uint32_t *ret);

/* Operations that had an effect (2xx) and overlap; when there are none, any. */
uint32_t pawl__pick_effects(const struct race_op *ops, uint32_t len, uint32_t *ret);

struct pick_number {
	uint32_t op;
	double value;
};

/* How many numbers are less than one whose answer was there before they were asked for; the worst
 * pair goes to ret[0] (the earlier) and ret[1]. */
uint32_t pawl__pick_backwards(const struct race_op *ops, const struct pick_number *numbers,
                              uint32_t len, struct arena *arena, uint32_t *ret);

#endif /* PAWL_RACE_SCENARIO_PICK_H */
