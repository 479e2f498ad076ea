/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault/work - a seeded workload over one engine, and a memory of everything that it was answered,
 * to be held against what is there after the engine and its store have died in some way.
 *
 *           send                answered            the store is open again
 *   UNSENT ------> 503: NOTHING, 504: OPEN, else ANSWER ------> settled: remembered or not
 *
 * What it holds the store to:
 *  (1) An ANSWER is remembered, byte for byte; NOTHING is not; OPEN may be either.
 *  (2) Every balance, every reserved amount, every record and the numbers of orders, events and
 *      jobs are what the remembered answers add up to: no half of a transaction is there, and
 *      nothing is there twice.
 *  (3) Sent again, whatever was remembered is answered the same and is marked as a replay; the
 *      rest is done now.
 *  (4) The revision has not gone back, and the store's own audit finds no drift.
 * The sums are made here from the requests; nothing of core or of the store is used for them.
 *
 * Threads: one. A failed check is printed and latched in `bad`.
 */
#ifndef FAULT_WORK_H
#define FAULT_WORK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/rng.h"
#include "core/tx.h"
#include "engine/engine.h"

#define WORK_ASKS_MAX  160U
#define WORK_LINES_MAX 3U
#define WORK_USERS     4U
#define WORK_SKUS      3U
#define WORK_RECORDS   4U

enum ask_kind {
	ASK_ACCOUNT,
	ASK_ITEM,
	ASK_FUND,
	ASK_TRANSFER,
	ASK_HOLD,
	ASK_CAPTURE,
	ASK_RELEASE,
	ASK_ORDER,
	ASK_CONFIRM,
	ASK_CANCEL,
	ASK_PUT,
	ASK_DELETE,
	ASK_MANY /* transfer, put, emit, enqueue */
};

enum known { KNOWN_UNSENT, KNOWN_ANSWER, KNOWN_NOTHING, KNOWN_OPEN };

struct ask {
	enum ask_kind kind;
	char key[16];
	uint32_t a, b; /* users, SKU or record */
	int64_t amount;
	uint32_t sku[WORK_LINES_MAX];
	int64_t quantity[WORK_LINES_MAX];
	uint32_t lines_len;
	bool held;
	int64_t if_version;
	uint32_t of;      /* the ask whose hold or order this one ends */
	struct str value; /* of the record */
	enum known known;
	struct tx_answer answer; /* valid with KNOWN_ANSWER; strings in the arena */
	int64_t number;          /* of the hold or the order that it made; 0 = not known */
};

struct work {
	struct rng rng;
	struct arena arena;
	struct engine *engine; /* owned; NULL while closed */
	struct ask ask[WORK_ASKS_MAX];
	uint32_t len;
	int64_t revision_seen; /* the greatest that was answered */
	bool (*dark)(void);    /* this life is over; NULL = it goes on */
	bool unheard;          /* what is refused in the dark reaches nobody */
	bool bad;
};

void pawl__work_init(struct work *w, uint64_t seed);
void pawl__work_deinit(struct work *w);

/* path of the store, vfs NULL = the default. false: it was refused; err says why. */
PAWL_MUST_CHECK bool pawl__work_open(struct work *w, const char *path, const char *vfs,
                                     struct pawl_error *err);
void pawl__work_close(struct work *w);

/* Accounts, items, money. */
void pawl__work_setup(struct work *w);

/* About n more requests in batches, some of them twice; checks repeats as they come. Ends early in
 * the dark. */
void pawl__work_some(struct work *w, uint32_t n);

/* Send everything again that was not answered. */
void pawl__work_retry(struct work *w);

/* One new transfer of the world: was it carried out? */
bool pawl__work_probe(struct work *w);

/* The store is open again, after whatever happened: (1), (2), (4), then (3), then (2) and (4). */
void pawl__work_check(struct work *w);

PAWL_PRINTF(2, 3) void pawl__work_fail(struct work *w, const char *fmt, ...);

#endif /* FAULT_WORK_H */
