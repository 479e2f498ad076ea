/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pawl/account.h - accounts and holds: opening and reading. Changes are transactions: pawl/tx.h.
 *
 * An account has a unit and a balance in minor units of it. Every change moves an amount from one
 * account to another of the same unit, so each unit sums to zero over all accounts, for ever.
 * With a floor, balance - held >= floor holds at every commit.
 *
 * Reads see one committed snapshot, no older than the latest commit that any caller was answered
 * for, and take no lock. Any thread.
 */
#ifndef PAWL_ACCOUNT_H
#define PAWL_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "pawl/answer.h"
#include "pawl/error.h"
#include "pawl/export.h"
#include "pawl/limits.h"

PAWL_BEGIN_DECLS

struct pawl;

struct pawl_account {
	char id[PAWL_ACCOUNT_ID_MAX + 1];
	char unit[PAWL_ACCOUNT_ID_MAX + 1]; /* of an item's accounts: "sku:" and the SKU */
	int64_t balance;
	int64_t held;      /* reserved in it by live holds; expired ones do not count */
	int64_t available; /* may leave: balance - held - floor; INT64_MAX without a floor */
	int64_t floor;     /* 0 without a floor */
	bool has_floor;
	int64_t version; /* revision of the last change */
};

/* Commit pawl_tx_account, or pawl_tx_account_nofloor, and wait. Opening again changes nothing, so
 * it needs no key. Returns as pawl_tx_commit does. */
PAWL_EXPORT enum pawl_status pawl_account_open(struct pawl *p, const char *id, const char *unit,
                                               int64_t floor, struct pawl_answer **ret,
                                               struct pawl_error *err);
PAWL_EXPORT enum pawl_status pawl_account_open_nofloor(struct pawl *p, const char *id,
                                                       const char *unit, struct pawl_answer **ret,
                                                       struct pawl_error *err);

/* PAWL_E_NOT_FOUND; PAWL_E_INVALID: not an id (up to PAWL_ACCOUNT_ID_MAX bytes here); faults of the
 * store. "world:UNIT" always exists. */
PAWL_EXPORT enum pawl_status pawl_account_get(struct pawl *p, const char *id,
                                              struct pawl_account *ret, struct pawl_error *err);

enum pawl_hold_state {
	PAWL_HOLD_HELD,
	PAWL_HOLD_CAPTURED,
	PAWL_HOLD_RELEASED,
	PAWL_HOLD_EXPIRED /* by the store's clock, whether or not it was swept */
};

struct pawl_hold {
	char id[PAWL_ID_TEXT_SIZE];
	char from[PAWL_ACCOUNT_ID_MAX + 1];
	char to[PAWL_ACCOUNT_ID_MAX + 1];
	int64_t amount;
	int64_t captured;
	int64_t expires_us;
	enum pawl_hold_state state;
	int64_t version;
};

/* PAWL_E_NOT_FOUND; PAWL_E_INVALID: not the id of a hold; faults of the store. */
PAWL_EXPORT enum pawl_status pawl_hold_get(struct pawl *p, const char *id, struct pawl_hold *ret,
                                           struct pawl_error *err);

PAWL_END_DECLS

#endif /* PAWL_ACCOUNT_H */
