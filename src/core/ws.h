/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/ws - the working set of one batch: every row that its transactions look at, once, and
 * everything that they append. Filled by the store, changed by core/apply, flushed by the store.
 *
 * It never does I/O and never allocates but from the arena it is given.
 *
 *   pawl__ws_want()      an entry that is not loaded yet is put on the wanted list
 *   store load           fills row, sets loaded, and present when the row exists
 *   pawl__ws_change()    before the first change of a row by a transaction: keeps a copy
 *   pawl__ws_undo()      a refused transaction: copies back, cuts the appended rows
 *
 * Invariants:
 *  (1) One entry per (kind, key): two transactions of a batch see the same row.
 *  (2) dirty implies loaded. After undo the set is bit for bit as before the transaction, but for
 *      entries that were added and loaded.
 *  (3) Appended rows are in number order.
 * Threads: the lane that owns the batch.
 * Limits: the arena's ceiling; `failed` latches and the batch is redone smaller or refused.
 */
#ifndef PAWL_CORE_WS_H
#define PAWL_CORE_WS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "core/rows.h"

struct ws_entry {
	struct ws_entry *chain; /* hash bucket */
	struct ws_entry *next;  /* in order of creation */
	uint64_t hash;
	enum row_kind kind;
	bool loaded;
	bool present; /* the row exists (now, in this batch) */
	bool stored;  /* it existed when it was loaded: flush updates or deletes, else inserts */
	bool dirty;
	uint32_t saved_by; /* ordinal of the transaction that has its copy in the undo list */
	struct str id;     /* account id, record key, lease name, answer's caller */
	struct str id2;    /* answer's key */
	int64_t number;    /* hold, order */
	union {
		struct account account;
		struct hold hold;
		struct record record;
		struct order order;
		struct lease lease;
		struct answer answer;
	} row;
};

/* A growing array in the arena. */
#define WS_LIST(type)                                                                              \
	struct {                                                                                   \
		type *at;                                                                          \
		uint32_t len, cap;                                                                 \
	}

struct ws_saved;

struct ws {
	struct arena *arena;      /* borrowed */
	struct ws_entry **bucket; /* power of two */
	uint32_t buckets, entries;
	uint64_t seed;
	struct ws_entry *first, **last;
	struct ws_entry *wanted; /* first entry that may not be loaded; NULL = all are */
	/* one per batch, from the store */
	int64_t now_us;
	int64_t revision;    /* of the latest transaction that changed something */
	int64_t answers_seq; /* number of the latest answer */
	/* appended */
	WS_LIST(struct transfer) transfers;
	WS_LIST(struct event) events;
	WS_LIST(struct job) jobs;
	WS_LIST(struct ws_entry *) answers; /* new ones, in order */
	/* undo */
	uint32_t ordinal; /* of the running transaction */
	struct ws_saved *undo;
	uint32_t mark_transfers, mark_events, mark_jobs;
	uint32_t created; /* rows numbered by the running transaction */
	bool changed;     /* the running transaction has changed something */
	char *scratch;    /* where answers are rendered before they are copied to size */
	size_t scratch_len;
	bool expired; /* due holds were expired at the start of this batch */
	bool failed;  /* out of arena: nothing that was decided may be used */
};

/* hint: how many transactions the batch has. The arena must be empty or shared by nobody else. */
void pawl__ws_init(struct ws *ws, struct arena *arena, uint64_t seed, uint32_t hint);

/* The entry of a key, made and put on the wanted list when it is new. id is borrowed until the
 * batch ends. NULL only with ws->failed. Kinds ACCOUNT, RECORD, LEASE by id; HOLD, ORDER by number;
 * ANSWER by caller and key. */
struct ws_entry *pawl__ws_want(struct ws *ws, enum row_kind kind, struct str id);
struct ws_entry *pawl__ws_want_number(struct ws *ws, enum row_kind kind, int64_t number);
struct ws_entry *pawl__ws_want_answer(struct ws *ws, struct str caller, struct str key);

/* The entry of a hold's account: it was loaded with the hold, or named by who made it. */
struct ws_entry *pawl__ws_find_account(struct ws *ws, struct str id);

/* Keys that the running transaction has just made up: known not to be in the store. */
struct ws_entry *pawl__ws_fresh(struct ws *ws, enum row_kind kind, int64_t number);

/* Brackets of one transaction. begin sets the marks; keep makes the changes final in this batch;
 * undo takes them back. */
void pawl__ws_begin(struct ws *ws);
void pawl__ws_keep(struct ws *ws);
void pawl__ws_undo(struct ws *ws);

/* Call before changing e->row, e->present. Marks it dirty. */
void pawl__ws_change(struct ws *ws, struct ws_entry *e);

/* The number of the next row that the running transaction creates; 0 when it may create no more. */
int64_t pawl__ws_number(struct ws *ws);

/* Appends; NULL with ws->failed. */
struct transfer *pawl__ws_transfer(struct ws *ws);
struct event *pawl__ws_event(struct ws *ws);
struct job *pawl__ws_job(struct ws *ws);
bool pawl__ws_answer(struct ws *ws, struct ws_entry *e);

/* The revision under which this batch expires holds, taken once for all of them. */
int64_t pawl__ws_expiry_revision(struct ws *ws);

/* The revision of the running transaction, should it change anything. */
static inline int64_t ws_next_revision(const struct ws *ws)
{
	return ws->revision + 1;
}

/* At least len bytes that live until the next call; NULL with ws->failed. */
char *pawl__ws_scratch(struct ws *ws, size_t len);

/* Nothing to flush: reads, replays. */
bool pawl__ws_clean(const struct ws *ws);

#endif /* PAWL_CORE_WS_H */
