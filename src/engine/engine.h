/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/engine - drives core over a store: the lane that commits requests in groups, the reads,
 * the sweeper, the clock. Both libpawl and the server enter here.
 *
 *   submit          turn: take what waits          commit           done
 *   -------> QUEUED -----------------------> BATCH ----------> ANSWERED
 *               |  deadline passed: no effect    |  refused by the store: redone, bounded
 *               +-------------------------------> ANSWERED (503)
 *
 * Promises:
 *  (1) No answer before the commit it rests on. A lane commits batches one after the other.
 *  (2) A request is answered exactly once, on the thread that runs its lane.
 *  (3) Whoever is refused with 503 changed nothing. On a store with a single writer, after an fsync
 *      failure or an unknown outcome that no question resolves every write is refused for good
 *      (engine_health says so): the failed batch is answered PAWL_E_OUTCOME_UNKNOWN.
 *  (4) One batch redone after E_SERIALIZE or E_BUSY applies the same requests to fresh rows. On a
 *      shared store so is one whose connection was lost before its commit, with jitter, until the
 *      latest deadline in it. A lane whose whole batch found no store fails the next ones at their
 *      first try, until one succeeds.
 *  (5) A commit whose answer was lost is asked after, on a shared store until that deadline too,
 *      before anybody is answered.
 *
 * Who runs the lane: its own thread (ENGINE_THREAD, what libpawl uses), or the owner's loop through
 * pawl__lane_turn (ENGINE_LOOP: no hand-over between reading a request and committing it). A
 * shared store has several lanes, each with its thread and its connection.
 */
#ifndef PAWL_ENGINE_ENGINE_H
#define PAWL_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/hist.h"
#include "core/apply.h"
#include "pawl/error.h"
#include "store/store.h"

enum engine_mode { ENGINE_THREAD, ENGINE_LOOP };

/* 0 = the default of pawl/limits.h. */
struct engine_options {
	enum engine_mode mode;
	uint32_t queue_max;
	uint32_t batch_max;
	int64_t retention_us;
	int64_t clock_step_max_us;
	int64_t sweep_us; /* between two looks for expired holds; default 1 s; < 0 = never */
	uint32_t lanes;   /* default 1 on a store with a single writer, else ENGINE_LANES_DEFAULT */
	uint32_t connections_max; /* of a remote store; see store_options */
};

#define ENGINE_LANES_DEFAULT 2
#define ENGINE_LANES_MAX     16

struct engine;
struct lane_request;

/* answer and what it points to are valid during the call. The request is the owner's again when it
 * is called, and may be freed in it. Runs on the lane's thread; must not block, may submit. */
typedef void (*lane_done_fn)(struct lane_request *rq, const struct tx_answer *answer);

/* Embed it. Owned by the engine from submit until done. */
struct lane_request {
	struct lane_request *next;
	struct tx *tx;            /* borrowed */
	int64_t deadline_mono_us; /* 0 = PAWL_DEADLINE_MS_DEFAULT from submit */
	lane_done_fn done;
	int64_t submitted_us; /* mono; set by submit */
	uint32_t detail;      /* engine's */
};

/* url as in store/store.h. In ENGINE_THREAD the lanes' threads run on return. PAWL_E_CONFIG:
 * several lanes on a store with a single writer, or ENGINE_LOOP on a remote one. */
PAWL_MUST_CHECK enum pawl_status pawl__engine_open(const char *url,
                                                   const struct engine_options *opt,
                                                   struct engine **ret, struct pawl_error *err);

/* The same over a store that is already open; takes it, also on failure. For tests. */
PAWL_MUST_CHECK enum pawl_status pawl__engine_start(struct store *take_store,
                                                    const struct engine_options *opt,
                                                    struct engine **ret, struct pawl_error *err);

/* Refuse new requests (PAWL_E_DRAINING); those submitted go on. Any thread. */
void pawl__engine_drain(struct engine *e);

/* Drains, answers everything that was submitted, closes the store. */
void pawl__engine_close(struct engine *e);

/*
 * Queue rq. Any thread. PAWL_OK: done will be called. Otherwise (E_OVERLOADED, E_DRAINING,
 * E_STORE_UNAVAILABLE after a fatal fault) it never will be and nothing was done.
 */
PAWL_MUST_CHECK enum pawl_status pawl__lane_submit(struct engine *e, struct lane_request *rq);

/* Load what is wanted in ws, on a reader's thread: where pawl__engine_reads_wait, for those who
 * must not. Owned by the engine from submit until done, which runs on that thread. */
struct read_request {
	struct read_request *next;
	struct ws *ws;            /* borrowed */
	int64_t deadline_mono_us; /* 0 = PAWL_DEADLINE_MS_DEFAULT from submit */
	/* In place of the load of ws; NULL = that. On the reader's thread. */
	enum pawl_status (*work)(struct read_request *rq);
	void (*done)(struct read_request *rq, enum pawl_status st);
};

/* Whether a read may take longer than an event loop should wait. */
bool pawl__engine_reads_wait(const struct engine *e);

/* E_OVERLOADED: done will not be called. PRE: pawl__engine_reads_wait. Any thread. */
PAWL_MUST_CHECK enum pawl_status pawl__engine_read_submit(struct engine *e,
                                                          struct read_request *rq);

/* ENGINE_LOOP: commit at most one batch of what is queued, or do a piece of upkeep when nothing
 * is. Returns how long the loop may sleep before the next call, in microseconds, 0 = come back
 * at once. */
int64_t pawl__lane_turn(struct engine *e);

/* Requests that wait, in all lanes. Any thread. */
uint32_t pawl__lane_depth(struct engine *e);

/* Load what is wanted in ws from one committed snapshot. Any thread. */
PAWL_MUST_CHECK enum pawl_status pawl__engine_read(struct engine *e, struct ws *ws,
                                                   struct pawl_error *err);

/* On a remote store as of some seconds ago at most, and it never waits. */
PAWL_MUST_CHECK enum pawl_status pawl__engine_stats(struct engine *e, struct store_stats *ret,
                                                    struct pawl_error *err);

PAWL_MUST_CHECK enum pawl_status pawl__engine_audit(struct engine *e, store_drift_fn drift,
                                                    void *arg, struct store_audit *ret,
                                                    struct pawl_error *err);

/* Any thread; on a remote store it waits. */
PAWL_MUST_CHECK enum pawl_status pawl__engine_examine(struct engine *e, store_finding_fn found,
                                                      void *arg, struct pawl_error *err);

struct engine_health {
	bool writable; /* false: fatal fault, or no lane reaches the store: writes are refused */
	bool draining;
	bool clock_stepped; /* the wall clock jumped ahead: expiry goes on at the old pace */
	char detail[PAWL_ERROR_TEXT_MAX]; /* of the fault */
};

/* Counters since open; a consistent copy. Any thread. */
struct engine_metrics {
	uint64_t requests, committed, refused, replayed, dropped, overloaded;
	uint64_t batches, batches_empty, retries, sweeps, holds_expired_accounts;
	uint64_t lost, unknown; /* connections lost under a batch; commits that were asked after */
	struct hist batch_len;  /* requests a batch */
	struct hist commit_us;  /* begin to commit */
	struct hist wait_us;    /* submit to done */
};

void pawl__engine_health(struct engine *e, struct engine_health *ret);
void pawl__engine_metrics(struct engine *e, struct engine_metrics *ret);

#endif /* PAWL_ENGINE_ENGINE_H */
