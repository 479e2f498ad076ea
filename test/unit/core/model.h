/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model - what a transaction does, said a second time: a few arrays and plain arithmetic in 128
 * bits, written from the contract (core/tx.h, core/apply.h, core/rows.h, core/account.h,
 * core/hold.h) and not from core's code. Slow, small, and nothing in it is clever.
 *
 * A transaction is applied to a copy; the copy replaces the original when nothing was refused.
 */
#ifndef TEST_MODEL_H
#define TEST_MODEL_H

#include "core/tx.h"

#define M_SKUS        3
#define M_ACCOUNTS    (9 + 3 * M_SKUS)
#define M_RECORDS     4
#define M_LEASES      2
#define M_HOLDS_MAX   512
#define M_ORDERS_MAX  160
#define M_VALUE_MAX   24
#define M_WORLD_FIRST 6

/* The names that transactions use; [8] is never opened. */
extern const char *const m_account_ids[M_ACCOUNTS];
extern const char *const m_skus[M_SKUS];
extern const char *const m_record_keys[M_RECORDS];
extern const char *const m_lease_names[M_LEASES];

struct m_account {
	bool present;
	bool has_floor;
	char unit[16];
	int64_t balance, held, floor, version;
};

struct m_hold {
	int64_t number;
	int from, to;
	int64_t amount, captured, expires_us, version;
	enum hold_state state;
};

struct m_record {
	bool present;
	char value[M_VALUE_MAX];
	int64_t version;
};

struct m_order {
	int64_t number, expires_us, version;
	uint32_t holds;
	enum order_state state;
};

struct model {
	struct m_account account[M_ACCOUNTS];
	struct m_hold hold[M_HOLDS_MAX];
	uint32_t holds;
	struct m_record record[M_RECORDS];
	struct m_order order[M_ORDERS_MAX];
	uint32_t orders;
	int64_t token[M_LEASES];
	int64_t revision;
	int64_t transfers, events, jobs; /* how many there are */
};

/* What a transaction came to. */
struct verdict {
	enum pawl_status code;
	int32_t op;       /* refused one; -1 */
	int64_t revision; /* of the commit; 0 when refused */
	/* what a refusal says */
	int64_t available, requested; /* E_INSUFFICIENT, of an account */
	int64_t current;              /* E_VERSION_MISMATCH, E_FENCED */
};

int m_account_index(struct str id);

/* Holds whose time has come, in the whole model. */
void model_expire(struct model *m, int64_t now_us);

struct verdict model_apply(struct model *m, const struct tx *tx, int64_t now_us);

/* Every promise that needs no transaction: sums, floors, held. NULL = all hold, else which not. */
const char *model_broken(const struct model *m, int64_t now_us);

#endif /* TEST_MODEL_H */
