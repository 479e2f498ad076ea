/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/linear_state - states of a problem as numbers, and what an operation makes of them.
 *
 * With one cell the state is the cell's value. With several it is the number of a row of values,
 * the same number for the same values. Never forgets a state while the problem lasts.
 *
 * Limits: states 2^31 - 1 and the bytes that the owner allows. Threads: one owner.
 */
#ifndef PAWL_RACE_CHECK_LINEAR_STATE_H
#define PAWL_RACE_CHECK_LINEAR_STATE_H

#include "race/check/linear.h"

struct lin_states {
	const struct lin_problem *p; /* borrowed */
	uint32_t *rows;              /* owned; `cells` values each, and room for one being made */
	uint32_t *slots;             /* owned; state + 1 or 0 */
	uint32_t cells;
	uint32_t len, cap;
	uint32_t slots_len; /* a power of two */
};

enum lin_stepped { LIN_STEPPED, LIN_REFUSED, LIN_STATES_FULL };

void pawl__lin_states_init(struct lin_states *s);
void pawl__lin_states_deinit(struct lin_states *s);
void pawl__lin_states_reset(struct lin_states *s, const struct lin_problem *p);

/* The number of these values; false: no memory. */
PAWL_MUST_CHECK bool pawl__lin_states_put(struct lin_states *s, const uint32_t *values,
                                          uint32_t *ret);
/* LIN_REFUSED: the operation does not fit this state. ret is then untouched. */
PAWL_MUST_CHECK enum lin_stepped pawl__lin_states_step(struct lin_states *s, uint32_t state,
                                                       const struct lin_op *op, uint32_t *ret);
/* The values of a state; *scalar is where that of the only cell goes. */
const uint32_t *pawl__lin_states_values(const struct lin_states *s, uint32_t state,
                                        uint32_t *scalar);

static inline size_t lin_states_bytes(const struct lin_states *s)
{
	return (size_t)s->cap * s->cells * sizeof(*s->rows) + s->slots_len * sizeof(*s->slots);
}

#endif /* PAWL_RACE_CHECK_LINEAR_STATE_H */
