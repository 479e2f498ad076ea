/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/memory - a store that lives and dies with its process, and the simulated world of the
 * tests: the same contract with a clock that is told the time, and with the faults of a seed.
 *
 *             sim_seed == 0            the real clocks, no faults: "memory:" for tests and demos
 *             sim_seed != 0            virtual clocks; faults once `faults` is set
 *
 *   ALIVE --- commit fails for good ----> FAILED    writing fails, reading goes on
 *     |------ crash, at any step -------> CRASHED   every call fails with PAWL_E_IO
 *     |<-- pawl__memory_restart, pawl__memory_reopen --- FAILED, CRASHED
 *
 * Promises:
 *  (1) The same seed, knobs and calls give the same behaviour, call for call.
 *  (2) A batch is applied at commit whole or not at all, and what was applied stays: no fault
 *      breaks a promise of store/store.h, it only uses the freedom that the contract leaves.
 *  (3) Whether a batch whose reply was lost, or whose commit failed for good, was applied is
 *      decided when commit is called, by the seed; `outcome` may put off telling, never lies.
 *  (4) audit, stats and clock take no step: looking changes nothing of the schedule.
 *
 * It never writes anything anywhere: caps lack STORE_CAP_DURABLE.
 * Threads: any; one lock over everything. The knobs of an idle store only.
 * Limits: the heap; PAWL_E_NOMEM before commit, nothing done.
 */
#ifndef PAWL_STORE_MEMORY_MEMORY_H
#define PAWL_STORE_MEMORY_MEMORY_H

#include "base/buf.h"
#include "store/store.h"

#define MEMORY_TRACE_LEN 128 /* steps that the trace remembers */

/* Chances of a step in 65536; 0 = never. */
struct memory_faults {
	uint32_t refuse; /* begin, load, expire, flush: E_BUSY, E_SERIALIZE, E_STORE_UNAVAILABLE */
	uint32_t refuse_read;   /* read, due, housekeep: E_STORE_UNAVAILABLE */
	uint32_t refuse_commit; /* like refuse; nothing was applied */
	uint32_t lose_reply;    /* commit: E_OUTCOME_UNKNOWN, applied or not */
	uint32_t fail_commit;   /* commit: E_IO for good, applied or not */
	uint32_t crash;         /* any step; at commit, applied or not */
	uint32_t not_known_max; /* so often at most outcome answers STORE_NOT_KNOWN */
};

/* The test writes faults and the clocks; the rest is for reading. */
struct memory_sim {
	struct memory_faults faults;
	int64_t real_us; /* may be set back */
	int64_t mono_us; /* may not */
	uint64_t steps;  /* taken since open */
	bool crashed;
	bool failed;
};

PAWL_MUST_CHECK enum pawl_status pawl__memory_open(const struct store_options *opt,
                                                   struct store **ret, struct pawl_error *err);

/* The knobs of a memory store; they live as long as any store of this world is open. */
struct memory_sim *pawl__memory_sim(struct store *s);

/* Forget what was not committed, and be well again. */
void pawl__memory_restart(struct store *s);

/*
 * What the next process finds: another store over what `s` has committed, restarted. s is dead: all
 * its calls fail with PAWL_E_IO, and it is still to be closed.
 */
PAWL_MUST_CHECK enum pawl_status pawl__memory_reopen(struct store *s, struct store **ret,
                                                     struct pawl_error *err);

/* The latest steps as lines of text: number, call, status, and the revision committed after it. */
void pawl__memory_trace(struct store *s, struct buf *b);

#endif /* PAWL_STORE_MEMORY_MEMORY_H */
