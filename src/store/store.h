/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/store - the contract of everything that keeps rows. A store persists; it never decides.
 *
 *            begin                load+, expire*, flush            commit
 *   IDLE ------------> OPEN ---------------------------> OPEN -------------> IDLE
 *     ^                 |                                  |
 *     +--- rollback ----+----------- rollback -------------+   (any failure inside: rollback)
 *
 * Promises of a store, tested by one conformance suite on each:
 *  (1) What was flushed is visible to later begins and reads exactly when commit returned PAWL_OK,
 *      all of it, and is then durable: it survives the death of the process and of the machine.
 *  (2) commit alone may return PAWL_E_OUTCOME_UNKNOWN. Every other failure means that nothing of
 *      the transaction remains; rollback is still called.
 *  (3) Rows loaded between begin and commit can't be changed by anybody else before commit: either
 *      there is one writer, or the rows are locked in canonical order (kind, then key).
 *  (4) The promises of core/rows are backed by constraints of the store's own: a row that breaks
 *      one makes flush or commit fail with PAWL_E_CORRUPT, whoever wrote it.
 *  (5) A remembered answer is found until `retention` has passed since at_us, and is forgotten at
 *      some time after it.
 *  (6) read sees one committed snapshot, no older than the latest commit that this process has
 *      been told of.
 *
 * Threads: begin..commit, housekeep and due by one thread at a time, the lane's. read, audit, stats
 * and examine by any thread, at any time.
 */
#ifndef PAWL_STORE_STORE_H
#define PAWL_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "core/ws.h"
#include "pawl/error.h"

struct store_options {
	int64_t retention_us;     /* of answers; > 0 */
	bool read_only;           /* open for read and audit only; no lock, nothing is created */
	uint32_t connections_max; /* remote stores: this one and its siblings together; 0 =
	                             min(2 x cores + 1, 25) */
	uint64_t sim_seed;        /* memory only: see memory/memory.h */
};

struct store_begin {
	int64_t real_us;       /* the store's clock; may step */
	int64_t high_water_us; /* greatest batch time committed */
	int64_t revision;
	int64_t answers_seq;
};

struct store_stats {
	int64_t revision;
	int64_t accounts, holds_live, orders, records, events, jobs,
		answers;               /* -1 = costs too much */
	int64_t file_bytes, wal_bytes; /* 0 where there is none */
	int64_t written_bytes;         /* by this process since open, where it is known */
	int64_t commits;
	char engine[96];     /* "SQLite 3.40.1 (WAL-reset bug: avoided by design)" */
	char durability[64]; /* what an acknowledged write has survived: "fsync .." */
};

/* One thing that does not add up. text names the row and the numbers. */
typedef void (*store_drift_fn)(void *arg, const char *check, const char *text);

struct store_audit {
	int64_t accounts, transfers, holds, orders, records, units, answers;
	int64_t checks; /* kinds of check made */
	int64_t drifts; /* calls of the drift function */
};

/* Where due puts what it finds. */
struct store_due {
	struct str *ids; /* the caller's array of max */
	uint32_t max;
	uint32_t len; /* set */
};

/* What an administrator should know of a store as it is set up and used. */
enum finding_level { FINDING_OK, FINDING_WARN, FINDING_FAIL };

/* check: one word, the same at every look. text: without values, keys or secrets. */
typedef void (*store_finding_fn)(void *arg, enum finding_level level, const char *check,
                                 const char *text);

enum store_outcome { STORE_COMMITTED, STORE_NOT_COMMITTED, STORE_NOT_KNOWN };

#define STORE_CAP_SINGLE_WRITER 1U /* one process; its lane is the only writer */
#define STORE_CAP_DURABLE       2U /* promise (1) in full; memory lacks it */
#define STORE_CAP_REMOTE        4U /* beyond a network: a call may take long */

struct store;

struct store_ops {
	const char *name;
	unsigned caps;

	/* One more writer over the same rows, with a transaction of its own; to be closed before
	 * s. NULL where STORE_CAP_SINGLE_WRITER. Its read, audit and stats are those of s. */
	enum pawl_status (*another)(struct store *s, struct store **ret, struct pawl_error *err);

	/* E_STORE_UNAVAILABLE, E_BUSY, E_SERIALIZE, E_IO, E_CORRUPT. */
	enum pawl_status (*begin)(struct store *s, struct store_begin *ret, struct pawl_error *err);

	/* Fill every entry from ws->wanted on (skipping those that are loaded), set loaded,
	 * present and stored, and set ws->wanted to NULL. At least one call before flush, also when
	 * nothing is wanted. Strings go to ws->arena; account rows
	 * are complete. Holds come with the ids of their accounts. An answer older than the
	 * retention is absent. It may add entries that the named ones hang on.
	 * Where there are several writers it may raise ws->revision, which begin gave as a floor
	 * only: revisions are drawn after the rows are locked, so that those of one row grow. The
	 * first load of a transaction may raise ws->now_us as well. */
	enum pawl_status (*load)(struct store *s, struct ws *ws, struct pawl_error *err);

	/* Mark every live hold of this account with expires_us <= now_us expired (version =
	 * revision), and tell what they still held together and when the next one expires (0 =
	 * none). */
	enum pawl_status (*expire)(struct store *s, const struct ws_entry *account, int64_t now_us,
	                           int64_t revision, int64_t ret_freed_due[2],
	                           struct pawl_error *err);

	/* Write what is dirty and what was appended; remember ws->now_us as high-water mark,
	 * ws->revision and ws->answers_seq. Sets account.number of new accounts. */
	enum pawl_status (*flush)(struct store *s, struct ws *ws, struct pawl_error *err);

	/* PAWL_OK: durable. E_OUTCOME_UNKNOWN: see outcome. E_IO: the device failed under the
	 * commit (fsync), or the store is gone: not known either, and nothing may be trusted
	 * after it, so the caller stops writing for good. Others: not committed, may be tried
	 * again. */
	enum pawl_status (*commit)(struct store *s, struct pawl_error *err);

	void (*rollback)(struct store *s); /* allowed in IDLE: does nothing */

	/* After E_OUTCOME_UNKNOWN: did the batch that set this revision and answers_seq commit? */
	enum pawl_status (*outcome)(struct store *s, int64_t revision, int64_t answers_seq,
	                            enum store_outcome *ret, struct pawl_error *err);

	/* Like load, on one committed snapshot, as of the greater of ws->now_us (0: the clock)
	 * and the high-water mark, which ws->now_us is set to; sets ws->revision. Accounts come
	 * with due holds already taken off held. Several loads may share a snapshot: it is taken
	 * by the first read on a ws and that is all callers may rely on. */
	enum pawl_status (*read)(struct store *s, struct ws *ws, struct pawl_error *err);

	/* Ids of up to ret->max accounts with due_us in (0, now_us], the strings in the arena. */
	enum pawl_status (*due)(struct store *s, int64_t now_us, struct arena *arena,
	                        struct store_due *ret, struct pawl_error *err);

	/* A bounded piece of upkeep between batches: checkpoint, answer index, expired
	 * partitions. idle says that nobody waits. */
	enum pawl_status (*housekeep)(struct store *s, bool idle, struct pawl_error *err);

	/* Re-derive everything that can be re-derived, from a snapshot. E_* only when it could
	 * not look. */
	enum pawl_status (*audit)(struct store *s, store_drift_fn drift, void *arg,
	                          struct store_audit *ret, struct pawl_error *err);

	enum pawl_status (*stats)(struct store *s, struct store_stats *ret, struct pawl_error *err);

	/* Look for what endangers durability, correctness or speed, and tell what is well. Changes
	 * nothing. E_*: it could not look. */
	enum pawl_status (*examine)(struct store *s, store_finding_fn found, void *arg,
	                            struct pawl_error *err);

	/* The two clocks: real may step, mono never goes back. */
	void (*clock)(struct store *s, int64_t *ret_real_us, int64_t *ret_mono_us);

	void (*close)(struct store *s); /* frees s; an open transaction is rolled back */
};

/* A backend's own struct starts with this. */
struct store {
	const struct store_ops *ops;
	bool open_tx; /* kept by the wrappers: the state in the diagram */
};

/* url: "sqlite:PATH", "postgresql://..." or "memory:". E_CONFIG for an unknown scheme (the text
 * names those known), E_BUSY when another process has it, E_SCHEMA when a newer program has written
 * it. */
PAWL_MUST_CHECK enum pawl_status pawl__store_open(const char *url, const struct store_options *opt,
                                                  struct store **ret, struct pawl_error *err);

/* url for people to read: passwords, and where a key lies, as "***"; "" when it is too long. ret is
 * returned. */
#define STORE_SHOWN_MAX 512
const char *pawl__store_shown(const char *url, char ret[STORE_SHOWN_MAX]);

/* A sibling of s, for another lane; PRE: not STORE_CAP_SINGLE_WRITER. */
PAWL_MUST_CHECK enum pawl_status pawl__store_another(struct store *s, struct store **ret,
                                                     struct pawl_error *err);

/* The only call sites of struct store_ops: they assert the state and the legality of results. */
PAWL_MUST_CHECK enum pawl_status store_begin(struct store *s, struct store_begin *ret,
                                             struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status store_load(struct store *s, struct ws *ws, struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status store_expire(struct store *s, const struct ws_entry *account,
                                              int64_t now_us, int64_t revision,
                                              int64_t ret_freed_due[2], struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status store_flush(struct store *s, struct ws *ws,
                                             struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status store_commit(struct store *s, struct pawl_error *err);
void store_rollback(struct store *s);
PAWL_MUST_CHECK enum pawl_status store_outcome(struct store *s, int64_t revision,
                                               int64_t answers_seq, enum store_outcome *ret,
                                               struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status store_read(struct store *s, struct ws *ws, struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status store_due(struct store *s, int64_t now_us, struct arena *arena,
                                           struct store_due *ret, struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status store_housekeep(struct store *s, bool idle,
                                                 struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status store_audit(struct store *s, store_drift_fn drift, void *arg,
                                             struct store_audit *ret, struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status store_stats(struct store *s, struct store_stats *ret,
                                             struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status store_examine(struct store *s, store_finding_fn found, void *arg,
                                               struct pawl_error *err);
void store_clock(struct store *s, int64_t *ret_real_us, int64_t *ret_mono_us);
void store_close(struct store *s);
void store_closep(struct store **s);

#endif /* PAWL_STORE_STORE_H */
