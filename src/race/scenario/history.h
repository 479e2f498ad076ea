/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/scenario/history - the requests of the race as operations, in JSON lines, for `pawl check`.
 *
 *     {"index":0,"process":3,"type":"invoke","f":"write","key":"x","value":7,"time":12345, ...}
 *
 * invoke, then ok (2xx, 3xx: it happened), fail (4xx but 408: it did not) or info (no answer, 5xx:
 * it may have happened, then or later, or never). A process whose operation ended as info is not
 * heard of again: its client goes on under a new number. time, t_send, t_recv: nanoseconds from
 * the start of the run; an operation begins when its last byte was released.
 *
 * Lines of a round stand in the order of their times; of two at the same time the invocation comes
 * first, so that what could have overlapped does.
 *
 * Threads: one. Errors: PAWL_E_IO, once the file cannot be written.
 */
#ifndef PAWL_RACE_SCENARIO_HISTORY_H
#define PAWL_RACE_SCENARIO_HISTORY_H

#include <stdio.h>

#include "race/scenario/round.h"

struct history {
	FILE *f;
	const struct scenario *s;
	int64_t start_ns; /* 0: at the first round */
	uint64_t index, seed;
	uint64_t *process; /* of each client; owned */
	uint64_t next;
	const char *target;
};

/* Creates the file; one that is there is not touched: PAWL_E_EXISTS. */
PAWL_MUST_CHECK enum pawl_status pawl__history_open(struct history *h, const char *path,
                                                    const struct scenario *s,
                                                    struct pawl_error *err);
/* Also tells what was not written. h->f may be NULL. */
PAWL_MUST_CHECK enum pawl_status pawl__history_close(struct history *h, struct pawl_error *err);

PAWL_MUST_CHECK enum pawl_status pawl__history_round(struct history *h, struct round *r,
                                                     struct pawl_error *err);

enum history_type { HISTORY_OK, HISTORY_FAIL, HISTORY_INFO };
enum history_type pawl__history_type(enum volley_class class, int status);

#endif /* PAWL_RACE_SCENARIO_HISTORY_H */
