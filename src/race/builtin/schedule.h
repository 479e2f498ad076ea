/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/builtin/schedule - all interleavings, one after the other, in the order of the lanes'
 * numbers: a search depth first that keeps nothing but its present path.
 *
 *     begin, choose .. choose, [next: there is another] begin, choose .. choose, ..
 *
 * Which lanes can go at each point is the driver's knowledge; where it is always the same on the
 * same path, every interleaving comes exactly once.
 *
 * Pure. Limits: SCHEDULE_STEPS_MAX choices of a path, 32 lanes.
 */
#ifndef PAWL_RACE_BUILTIN_SCHEDULE_H
#define PAWL_RACE_BUILTIN_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#define SCHEDULE_STEPS_MAX 512

struct schedule {
	struct {
		uint32_t ready; /* bits */
		uint32_t chosen;
	} at[SCHEDULE_STEPS_MAX];
	uint32_t len;     /* choices made on this path so far */
	uint32_t kept;    /* first choices that are those of the path before */
	uint64_t strayed; /* a kept choice could not go: the store did not do the same again */
};

/* Zeroed is the first path. */
void pawl__schedule_begin(struct schedule *s);
/* ready is not 0. The choice is at[len - 1].chosen. False: over SCHEDULE_STEPS_MAX. */
bool pawl__schedule_choose(struct schedule *s, uint32_t ready);
/* False: that was the last path. */
bool pawl__schedule_next(struct schedule *s);

#endif /* PAWL_RACE_BUILTIN_SCHEDULE_H */
