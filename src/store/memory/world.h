/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/memory/world - inside the memory store: its tables and the transaction in progress.
 *
 *   row:   now, the committed image;  staged, what the open transaction leaves in its place
 *
 *          flush                     commit
 *   now ----------> now + staged ------------> staged is now
 *                       '------- rollback ---> now
 *
 * Invariants:
 *  (1) Outside of a transaction no row is staged and each has an image.
 *  (2) An image never changes: it is replaced.
 *  (3) Nothing after flush needs memory: commit can't fail half way.
 * Threads: whoever holds `lock`.
 */
#ifndef PAWL_STORE_MEMORY_WORLD_H
#define PAWL_STORE_MEMORY_WORLD_H

#include <pthread.h>

#include "base/rng.h"
#include "store/memory/memory.h"

#define WORLD_BUCKETS_MIN 256u

/* An entry as it was flushed, with its strings behind it. */
struct memory_image {
	struct ws_entry e;
	char bytes[];
};

struct memory_row {
	struct memory_row *chain;       /* hash bucket */
	struct memory_row *prev, *next; /* of its kind, in order of creation */
	struct memory_row *next_staged;
	uint64_t hash;
	enum row_kind kind;
	struct str id, id2; /* owned: in bytes */
	int64_t number;
	struct memory_image *now;    /* owned; NULL = not in the committed state */
	struct memory_image *staged; /* owned; when is_staged, NULL = deleted */
	bool is_staged;
	/* of accounts, while an audit runs */
	__int128 audit_balance, audit_held;
	int64_t audit_due_us;
	char bytes[];
};

/* Appended rows. Accounts are never deleted, so their rows may be pointed at. */
struct memory_transfer {
	int64_t number;
	struct memory_row *from, *to;
	int64_t amount;
	int64_t hold;
};

struct memory_text {
	int64_t number;
	int64_t run_at_us;          /* jobs */
	char *mem;                  /* owned: all the text */
	struct str name, key, body; /* name: topic or queue */
};

struct memory_kind {
	struct memory_row *first, *last;
};

/* committed of len are committed; the rest belongs to the open transaction. */
#define MEMORY_LOG(type)                                                                           \
	struct {                                                                                   \
		type *at;                                                                          \
		size_t committed, len, cap;                                                        \
	}

/* What stands beside the rows, and is replaced with them. */
struct memory_marks {
	int64_t revision, answers_seq, high_water_us;
	int64_t accounts_seq; /* the latest account number */
};

enum memory_call {
	MEMORY_BEGIN,
	MEMORY_LOAD,
	MEMORY_EXPIRE,
	MEMORY_FLUSH,
	MEMORY_COMMIT,
	MEMORY_ROLLBACK,
	MEMORY_OUTCOME,
	MEMORY_READ,
	MEMORY_DUE,
	MEMORY_HOUSEKEEP
};

struct memory_step {
	uint64_t n;
	enum memory_call call;
	enum pawl_status status;
	int64_t revision;
};

struct world {
	pthread_mutex_t lock;
	uint32_t refs;  /* stores that are not closed */
	uint32_t epoch; /* of the live store: grows with each reopen */
	int64_t retention_us;
	bool read_only;
	bool simulated;
	struct memory_sim sim;
	struct rng rng;
	uint32_t not_known; /* so often outcome still answers STORE_NOT_KNOWN */
	struct memory_step trace[MEMORY_TRACE_LEN];
	/* tables */
	struct memory_row **bucket;
	uint32_t buckets, rows;
	struct memory_kind kind[ROW_KINDS];
	MEMORY_LOG(struct memory_transfer) transfers;
	MEMORY_LOG(struct memory_text) events;
	MEMORY_LOG(struct memory_text) jobs;
	struct memory_marks now, staged;
	struct memory_row *staged_rows;
	int64_t commits;
};

struct memory_store {
	struct store base;
	struct world *world;
	uint32_t epoch;
};

/* table.c: rows and images */

/* The row of an entry's key; NULL = there is none. */
struct memory_row *pawl__world_find(const struct world *w, const struct ws_entry *key);
struct memory_row *pawl__world_find_account(const struct world *w, struct str id);
struct memory_row *pawl__world_find_number(const struct world *w, enum row_kind kind,
                                           int64_t number);

/* The image that the open transaction sees, or the committed one; NULL = not present. */
const struct memory_image *pawl__row_image(const struct memory_row *r, bool staged);

/* Put a copy of the entry (NULL: its absence) in place of the row. False: no memory, no change. */
PAWL_MUST_CHECK bool pawl__world_stage(struct world *w, const struct ws_entry *key,
                                       const struct ws_entry *e);

/* Room for one more at the end of a log; NULL = no memory. */
struct memory_transfer *pawl__world_add_transfer(struct world *w);
struct memory_text *pawl__world_add_event(struct world *w);
struct memory_text *pawl__world_add_job(struct world *w);
PAWL_MUST_CHECK bool pawl__text_fill(struct memory_text *t, struct str name, struct str key,
                                     struct str body);

/* Make what is staged the committed state, or forget it. */
void pawl__world_keep(struct world *w);
void pawl__world_forget(struct world *w);

/* Remove a committed row for good. Outside of a transaction. */
void pawl__world_remove(struct world *w, struct memory_row *r);

PAWL_MUST_CHECK bool pawl__world_init(struct world *w);
void pawl__world_deinit(struct world *w);

/* The strings of a row, by kind. At most ROW_STRS_MAX. */
#define ROW_STRS_MAX 4
unsigned pawl__row_strs(struct ws_entry *e, struct str *ret[ROW_STRS_MAX]);

/* tx.c: the slots that move rows; the lock is held and the step was allowed */
enum pawl_status pawl__world_load(struct world *w, struct ws *ws, bool staged);
enum pawl_status pawl__world_expire(struct world *w, const struct ws_entry *account, int64_t now_us,
                                    int64_t revision, int64_t ret_freed_due[2]);
enum pawl_status pawl__world_flush(struct world *w, struct ws *ws, struct pawl_error *err);

/* faults.c: what a step meets. PAWL_OK: do it. */
enum pawl_status pawl__world_step(struct world *w, enum memory_call call, struct pawl_error *err);
/* For commit: *ret_apply says whether the batch is applied, whatever is returned. */
enum pawl_status pawl__world_step_commit(struct world *w, bool *ret_apply, struct pawl_error *err);
void pawl__world_trace(struct world *w, enum memory_call call, enum pawl_status st);

/* audit.c */
/* The only user of the audit members of rows. False: no memory to look. */
PAWL_MUST_CHECK bool pawl__world_audit(const struct world *w, store_drift_fn drift, void *arg,
                                       struct store_audit *ret);

#endif /* PAWL_STORE_MEMORY_WORLD_H */
