/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pawl/pawl.h - libpawl: concurrent writes that are correct, in your own process.
 *
 *     struct pawl *p;
 *     struct pawl_error err;
 *
 *     if (pawl_open("sqlite:shop.db", NULL, &p, &err) != PAWL_OK)
 *             return fail(&err);
 *     ... pawl_tx_new, pawl_tx_transfer, pawl_tx_commit: see pawl/tx.h ...
 *     pawl_close(p);
 *
 * The library is the engine of `pawl serve` without the front: the same store, the same decisions
 * and the same bytes in the answers. What is promised:
 *
 *  (1) A transaction commits whole or not at all, together with its own answer. An answer is given
 *      after the commit that it rests on, never before.
 *  (2) Transactions of all threads are committed in groups: a contended account costs one write per
 *      commit, not one per transaction.
 *  (3) Nothing is global: two stores can be open at once. Nothing is logged, no signal is touched,
 *      and no call ends the process - but a broken contract of this library's own (or freed memory
 *      passed in) is a bug, and a bug aborts rather than spoil the store.
 *
 * Two channels. The status that a function returns tells of faults: arguments that can't be, a
 * store that can't be written, a commit whose outcome is not known. Whether a transaction was
 * accepted is in its answer (pawl/answer.h): a refusal was decided, committed and is remembered.
 *
 * Conventions. Strings are NUL-terminated, borrowed for the call and copied when needed later.
 * `ret_*` is untouched unless PAWL_OK is returned. err may be NULL. Amounts are integers in minor
 * units, at least 1; times are microseconds since 1970 by the store's clock. Limits stand in
 * pawl/limits.h and exceeding one is PAWL_E_INVALID.
 *
 * Threads. One struct pawl serves any number of threads; a struct pawl_tx serves one at a time.
 * fork: open the store in the process that uses it.
 */
#ifndef PAWL_PAWL_H
#define PAWL_PAWL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pawl/account.h"
#include "pawl/answer.h"
#include "pawl/error.h"
#include "pawl/export.h"
#include "pawl/limits.h"
#include "pawl/order.h"
#include "pawl/record.h"
#include "pawl/tx.h"

PAWL_BEGIN_DECLS

#define PAWL_VERSION "0.1.0"

/* The version of the library that runs; PAWL_VERSION is that of the header. Never NULL. */
PAWL_EXPORT const char *pawl_version(void);

/* A store and its engine. Opaque. */
struct pawl;

/*
 * Set it up with PAWL_OPTIONS_INIT, then change members. `size` tells the library which version of
 * the struct the program was compiled with, so members may be added behind the last one. Zero or
 * NULL means the default of pawl/limits.h.
 */
struct pawl_options {
	size_t size;              /* sizeof(struct pawl_options) */
	uint32_t queue_max;       /* transactions waiting; above: PAWL_E_OVERLOADED */
	uint32_t batch_max;       /* transactions in one commit */
	int64_t deadline_ms;      /* from submit to the start of its commit, else nothing is done */
	int64_t retention_s;      /* how long an idempotency key is remembered, at least */
	int64_t clock_step_max_s; /* a larger step of the clock forward pauses expiry */
	const char *caller; /* whose idempotency keys these are: 1 to PAWL_CALLER_MAX visible ASCII
	                       bytes; NULL = "anonymous", as over HTTP without a token */
};

#define PAWL_OPTIONS_INIT                                                                          \
	{                                                                                          \
		sizeof(struct pawl_options), 0, 0, 0, 0, 0, NULL                                   \
	}

/*
 * Open a store and start its lane, the one thread that commits.
 *
 * url: "sqlite:PATH" (created when missing, its directory as well) or "memory:" (gone at close).
 * options: NULL = all defaults. Borrowed for the call.
 *
 * PAWL_E_INVALID: an option is out of range. PAWL_E_CONFIG: the URL is not understood.
 * PAWL_E_BUSY: another process has the store. PAWL_E_SCHEMA: a newer version has written it.
 * PAWL_E_STORE_UNAVAILABLE, PAWL_E_IO, PAWL_E_CORRUPT, PAWL_E_NOMEM.
 */
PAWL_EXPORT enum pawl_status pawl_open(const char *url, const struct pawl_options *options,
                                       struct pawl **ret, struct pawl_error *err);

/*
 * Refuse new transactions with PAWL_E_DRAINING; those submitted go on and are answered. For a
 * program that winds down: drain, join the workers, close. Any thread; may be called twice.
 */
PAWL_EXPORT void pawl_drain(struct pawl *p);

/*
 * Drain, answer everything that was submitted (callbacks run, threads in pawl_tx_commit return),
 * close the store and free p. No call on p may begin once this has begun; transactions outlive p
 * only to be freed. Never from a callback: it would wait for itself. NULL is allowed.
 */
PAWL_EXPORT void pawl_close(struct pawl *p);

struct pawl_health {
	bool writable; /* false: a fault such as a failed fsync; every write is refused for good */
	bool draining; /* pawl_drain was called */
	bool clock_stepped;               /* the clock jumped ahead: holds expire at the old pace */
	uint32_t queued;                  /* transactions waiting now */
	char detail[PAWL_ERROR_TEXT_MAX]; /* of the fault; "" = none */
};

/* What readiness checks want to know. No I/O, never fails. Any thread. */
PAWL_EXPORT void pawl_health(struct pawl *p, struct pawl_health *ret);

/* What pawl_verify looked at. */
struct pawl_audit {
	int64_t accounts, transfers, holds, orders, records, units, answers;
	int64_t checks; /* kinds of check made */
	int64_t drifts; /* things that do not add up: 0 in a sound store */
};

/* One thing that does not add up: which check, and a sentence that names the row and the numbers.
 * Both are valid during the call. Runs on the thread that called pawl_verify. */
typedef void (*pawl_drift_fn)(void *arg, const char *check, const char *text);

/*
 * Re-derive every balance from the log of transfers and check every promise of the store, on one
 * committed snapshot, while writes go on. Time grows with the store. drift may be NULL.
 *
 * PAWL_OK: it was looked at; whether all is well is in ret->drifts. Otherwise it could not look:
 * PAWL_E_STORE_UNAVAILABLE, PAWL_E_IO, PAWL_E_CORRUPT, PAWL_E_NOMEM. Any thread.
 */
PAWL_EXPORT enum pawl_status pawl_verify(struct pawl *p, pawl_drift_fn drift, void *arg,
                                         struct pawl_audit *ret, struct pawl_error *err);

PAWL_END_DECLS

#endif /* PAWL_PAWL_H */
