/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/linear_set - a set of configurations in which a worse one gives way to a better one.
 *
 * A configuration is a row of words: a head, `window` words of bits for the operations that will
 * return, `crashed` words for those that never do. Rows with the same state and window are
 * compared: one is at least as good as another when it used no crashed operation that the other did
 * not, its cover is as late, and it isn't marked as fresh where the other isn't. Only the best are
 * kept. A row that is beaten after it was added stays as a gap (LIN_GONE in its head), so indices
 * hold.
 *
 * Limits: rows 2^31 - 1, and the bytes that the owner allows. Threads: one owner.
 */
#ifndef PAWL_RACE_CHECK_LINEAR_SET_H
#define PAWL_RACE_CHECK_LINEAR_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/* The head: state in the upper half, then the event of the last write that covers, a gap's mark,
 * and whether the last step was a write that nothing saw yet. */
#define LIN_FRESH UINT64_C(1)
#define LIN_GONE  UINT64_C(2)

static inline uint64_t lin_head(uint32_t state, uint32_t cover)
{
	return (uint64_t)state << 32 | (uint64_t)cover << 2;
}

static inline uint32_t lin_head_state(uint64_t head)
{
	return (uint32_t)(head >> 32);
}

static inline uint32_t lin_head_cover(uint64_t head)
{
	return (uint32_t)head >> 2;
}

struct lin_set {
	uint64_t *rows;  /* owned */
	uint32_t *slots; /* owned; row + 1, or 0 */
	size_t rows_cap; /* in words */
	uint32_t len;    /* rows, gaps included */
	uint32_t gaps;
	uint32_t slots_cap; /* allocated, a power of two */
	uint32_t slots_len; /* in use, a power of two */
	uint64_t compared;  /* rows with equal keys looked at, ever */
	uint32_t width;     /* words of a row */
	uint32_t window;    /* words of its window */
	bool dominance; /* false: only rows that used the same crashed operations are compared */
};

enum lin_added { LIN_ADDED, LIN_HAD, LIN_FULL };

void pawl__lin_set_init(struct lin_set *s);
void pawl__lin_set_deinit(struct lin_set *s);
/* Empty it, for rows of this shape. */
void pawl__lin_set_reset(struct lin_set *s, uint32_t window, uint32_t crashed, bool dominance);

/* LIN_FULL: the heap refused, or the set is as large as it can be; nothing was added. */
PAWL_MUST_CHECK enum lin_added pawl__lin_set_add(struct lin_set *s, const uint64_t *row);

static inline uint64_t *lin_set_row(const struct lin_set *s, uint32_t i)
{
	return s->rows + (size_t)i * s->width;
}

static inline size_t lin_set_bytes(const struct lin_set *s)
{
	return s->rows_cap * sizeof(*s->rows) + s->slots_cap * sizeof(*s->slots);
}

#endif /* PAWL_RACE_CHECK_LINEAR_SET_H */
