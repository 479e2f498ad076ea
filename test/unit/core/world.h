/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world - a store of plain arrays behind core: what a loader, a sweeper and a flush do, in the
 * simplest way, for one thread and without failures.
 */
#ifndef TEST_WORLD_H
#define TEST_WORLD_H

#include "core/apply.h"
#include "model.h"

#define W_ANSWERS_MAX 512

struct world {
	struct account account[M_ACCOUNTS];
	bool account_present[M_ACCOUNTS];
	struct hold hold[M_HOLDS_MAX];
	uint32_t holds;
	struct record record[M_RECORDS];
	bool record_present[M_RECORDS];
	struct order order[M_ORDERS_MAX];
	uint32_t orders;
	int64_t token[M_LEASES];
	struct answer answer[W_ANSWERS_MAX];
	uint32_t answers;
	int64_t transfers, events, jobs;
	int64_t last_number;
	int64_t revision, answers_seq, now_us;
	struct arena arena; /* strings of rows */
	/* of the running batch */
	struct arena batch;
	struct ws ws;
	bool swept;             /* a revision was taken for expiry */
	bool freed[M_ACCOUNTS]; /* expiry has changed it */
	int rounds;
};

void world_init(struct world *w);
void world_deinit(struct world *w);

/* Load all that txs need. */
void world_begin(struct world *w, struct tx *const *txs, uint32_t len);

/* Write back what is dirty, append what was appended. Returns NULL, or the promise that is broken.
 *  */
const char *world_flush(struct world *w);

/* NULL, or how the rows differ from those of the model. */
const char *world_differs(const struct world *w, const struct model *m);

/* The same for the working set of the running batch. */
const char *ws_differs(const struct ws *ws, const struct model *m);

#endif /* TEST_WORLD_H */
