/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulation's own idea of what is right: balances, holds, orders and records as plain arrays,
 * and every operation decided a second time, the slow way. It shares no code with core.
 *
 * Time is the time at which the store says that an answer was decided.
 */
#ifndef TEST_SIM_MODEL_H
#define TEST_SIM_MODEL_H

#include "core/tx.h"

#define MODEL_ACCOUNTS 16
#define MODEL_HOLDS    1024
#define MODEL_ORDERS   512
#define MODEL_RECORDS  4

struct model_account {
	const char *id;
	const char *unit;
	bool has_floor;
	int64_t floor;
	int64_t balance;
};

struct model_hold {
	int64_t number;
	uint32_t from, to; /* indexes of accounts */
	int64_t amount;
	int64_t captured;
	int64_t expires_us;
	enum hold_state state; /* never HOLD_EXPIRED: that is read off the time */
};

struct model_order {
	int64_t number;
	enum order_state state;
	uint32_t first_hold, holds;
	int64_t expires_us;
};

struct model_record {
	const char *key;
	bool present;
	char value[32];
	int64_t version;
};

struct model {
	struct model_account account[MODEL_ACCOUNTS];
	uint32_t accounts;
	struct model_hold hold[MODEL_HOLDS];
	uint32_t holds;
	struct model_order order[MODEL_ORDERS];
	uint32_t orders;
	struct model_record record[MODEL_RECORDS];
	uint32_t records;
	int64_t transfers, events, jobs;
	int64_t stocked; /* items ever put into stock */
};

struct model_verdict {
	enum pawl_status code;
	uint32_t op; /* that was refused */
};

/* The world after client_setup. */
void model_setup(struct model *m);
/* Index of an account, or MODEL_ACCOUNTS. */
uint32_t model_find(const struct model *m, struct str id);

/* What is held in an account at a time. */
int64_t model_held(const struct model *m, uint32_t account, int64_t now_us);

/* Decide a transaction that the store committed (or refused) at now_us under this revision. */
struct model_verdict model_apply(struct model *m, const struct tx *tx, int64_t now_us,
                                 int64_t revision);

#endif /* TEST_SIM_MODEL_H */
