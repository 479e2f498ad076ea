/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/load/overlap - how much of what should have happened together did.
 *
 * Pure. A span is closed: two that touch overlap. Spans whose from_ns is 0, or whose to_ns is
 * before from_ns, did not happen and are left out. Costs O(n log n).
 * Threads: none of its own. Errors: PAWL_E_NOMEM.
 */
#ifndef PAWL_RACE_LOAD_OVERLAP_H
#define PAWL_RACE_LOAD_OVERLAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "pawl/error.h"

struct race_span {
	int64_t from_ns, to_ns;
};

struct race_overlap {
	uint32_t asked;   /* spans given */
	uint32_t counted; /* of them, that happened */
	uint32_t peak;    /* most at one time */
	uint64_t pairs;   /* that overlapped */
};

PAWL_MUST_CHECK enum pawl_status pawl__overlap_measure(const struct race_span *spans, size_t len,
                                                       struct race_overlap *ret,
                                                       struct pawl_error *err);

/* At least asked - 1 pairs overlapped and at least peak_min (0 = not asked) at one time. */
bool pawl__overlap_reached(const struct race_overlap *o, uint32_t peak_min);

#endif /* PAWL_RACE_LOAD_OVERLAP_H */
