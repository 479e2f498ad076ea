/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/builtin/lanes - the statements of one schedule as they went, and their drawing.
 *
 * Threads: one owner. Limits: BUILTIN_LANE_STEPS_MAX statements, LANE_TEXT_MAX bytes of each; what
 * comes behind is left out.
 */
#ifndef PAWL_RACE_BUILTIN_LANES_H
#define PAWL_RACE_BUILTIN_LANES_H

#include "race/builtin/machine.h"

#define LANE_TEXT_MAX 240

struct trace {
	const char *prefix; /* of scratch names: not shown */
	struct builtin_lane_step steps[BUILTIN_LANE_STEPS_MAX];
	char texts[BUILTIN_LANE_STEPS_MAX][LANE_TEXT_MAX];
	uint32_t len;
};

void pawl__trace_init(struct trace *t, const char *prefix);
void pawl__trace_deinit(struct trace *t);
void pawl__trace_reset(struct trace *t);
/* Its number, for what follows. */
size_t pawl__trace_ask(struct trace *t, uint32_t session, struct str text);
void pawl__trace_wait(struct trace *t, size_t at);
void pawl__trace_answer(struct trace *t, size_t at, const struct reply *r);

/* Into the exploration: the steps and their drawing. */
void pawl__trace_keep(const struct trace *t, struct builtin_exploration *x, struct arena *arena);

#endif /* PAWL_RACE_BUILTIN_LANES_H */
