/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/load/gate - the gate of load.h for clients of databases: what gate_pg and gate_redis share.
 *
 * Each client is a connection and a small program: the application's `next` is asked for its first
 * batch, and again with the replies whenever a batch has been answered. Batches marked `ahead`
 * (BEGIN, a SELECT that is not part of the race) run at once; the first that is not is held back.
 * When every client holds one (or has ended), the gate opens and all leave in one send loop; from
 * then on each client runs as fast as it is answered.
 *
 *     AHEAD -> HELD -> (gate) -> RACING -> ENDED      a lost connection or the deadline: ENDED
 *
 * It never repeats a batch by itself: a retry is a decision of the application, which says so by
 * batch->retry, so that it is counted.
 *
 * Invariants:
 *  (1) Every batch that `next` has filled comes back to it exactly once, whatever the server does:
 *      with its replies, or lost.
 *  (2) run returns at most 2 * deadline_ns + head start after it was called.
 *  (3) Not before every client is HELD or ENDED does any byte of a held batch's release leave.
 *
 * Threads: one at a time; stop from any. Units: ns of CLOCK_MONOTONIC. Limits: GATE_*.
 */
#ifndef PAWL_RACE_LOAD_GATE_H
#define PAWL_RACE_LOAD_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pawl/error.h"
#include "race/load/overlap.h"

#define GATE_CLIENTS_MAX         2000
#define GATE_BATCH_MAX           64                /* statements or commands of one batch */
#define GATE_BATCH_BYTES_MAX     ((size_t)1 << 20) /* of one batch */
#define GATE_STEPS_MAX           100000            /* batches of one client in one run */
#define GATE_DEADLINE_DEFAULT_NS INT64_C(30000000000)
#define GATE_HEAD_DEFAULT_NS     INT64_C(100000000)
#define GATE_TEXT_MAX            160

struct gate_plan {
	uint32_t clients;      /* 1 .. connections of the gate */
	int64_t head_start_ns; /* from the last client held to the gate; 0 = default, < 0 none */
	int64_t deadline_ns;   /* of what runs ahead, and again of the race; 0 = default */
	bool no_wake;          /* without the 2 ms in which the server's CPU is woken */
};

/* What was sent last, and what came of it. */
struct gate_turn {
	uint32_t client; /* in [0, plan.clients) */
	uint32_t step;   /* batches of this client that were sent before; 0 = none was yet, and
	                  * all below is zero */
	bool held;       /* it was the one that waited for the gate */
	bool lost;       /* no (complete) answer: the connection broke, or the deadline. Whether the
	                  * server did it is not known. What next returns is not looked at */
	bool timed_out;  /* lost by the deadline */
	int64_t sent_ns; /* of a held batch: when it was released */
	int64_t done_ns; /* all replies were read, or it was given up */
};

/* What next says about the batch that it has filled. */
struct gate_options {
	bool ahead;       /* before the gate; only while nothing was held yet */
	bool retry;       /* it repeats earlier work: counted */
	int64_t delay_ns; /* do not send before this has passed (backing off, pausing); at most the
	                   * deadline */
};

struct gate_result {
	uint32_t clients;
	uint32_t finished;  /* next said that they are done */
	uint32_t lost;      /* ended by their connection */
	uint32_t timed_out; /* ended by the deadline */
	uint64_t batches, retries;
	uint64_t errors;        /* replies that are errors */
	uint64_t deadlocks;     /* of them, SQLSTATE 40P01 */
	uint64_t serialization; /* 40001 */
	uint64_t unavailable;   /* 55P03, a lock that NOWAIT or a time-out did not wait for */
	uint32_t lock_waiters;  /* PostgreSQL: most sessions seen waiting for a lock at one time */
	uint32_t released;      /* held batches that left */
	int64_t gate_ns;
	int64_t release_spread_ns;
	int64_t end_ns;
	bool stopped;
	struct race_overlap overlap; /* of [release, end of the client] */
	char trouble[GATE_TEXT_MAX]; /* why the first lost connection was lost; "" = none */
};

#endif /* PAWL_RACE_LOAD_GATE_H */
