/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pawl/order.h - items and orders: never oversold, never negative, never doubled.
 *
 * An item is two accounts, stock:SKU with the floor 0 and sold:SKU; selling is a transfer between
 * them and reserving a hold, so nothing can be sold that is not there. An order takes all its lines
 * or none.
 *
 *                    confirm
 *   (hold_s > 0) HELD -----------> CONFIRMED <------------- (hold_s = 0)
 *                 |---- cancel --> CANCELLED
 *                 |---- time ----> EXPIRED
 *
 * Reads: see pawl/account.h. Any thread.
 */
#ifndef PAWL_ORDER_H
#define PAWL_ORDER_H

#include <stddef.h>
#include <stdint.h>

#include "pawl/answer.h"
#include "pawl/error.h"
#include "pawl/export.h"
#include "pawl/limits.h"

PAWL_BEGIN_DECLS

struct pawl;

struct pawl_item {
	char sku[PAWL_ID_MAX + 1];
	int64_t available;
	int64_t held;
	int64_t sold;
	int64_t version; /* revision of the last change */
};

/* Commit pawl_tx_item and wait. Returns as pawl_tx_commit does. */
PAWL_EXPORT enum pawl_status pawl_item_open(struct pawl *p, const char *sku, int64_t stock,
                                            struct pawl_answer **ret, struct pawl_error *err);

/* Commit pawl_tx_restock and wait. key: restocking twice is easily done; NULL = it may be. */
PAWL_EXPORT enum pawl_status pawl_item_restock(struct pawl *p, const char *key, const char *sku,
                                               int64_t quantity, struct pawl_answer **ret,
                                               struct pawl_error *err);

/* PAWL_E_NOT_FOUND; PAWL_E_INVALID: not an id; faults of the store. */
PAWL_EXPORT enum pawl_status pawl_item_get(struct pawl *p, const char *sku, struct pawl_item *ret,
                                           struct pawl_error *err);

struct pawl_order_line {
	const char *sku;
	int64_t quantity; /* at least 1 */
};

/* An order as it is asked for: set it up with PAWL_ORDER_INIT. Everything is borrowed. */
struct pawl_order {
	size_t size; /* sizeof(struct pawl_order) */
	const struct pawl_order_line *lines;
	size_t lines_len;     /* 1 to PAWL_LINES_MAX */
	const char *customer; /* at most PAWL_CUSTOMER_MAX bytes of UTF-8; NULL = none */
	int64_t hold_s; /* reserve for so long, at most PAWL_HOLD_TTL_MAX_S; 0 = sell at once */
	const char *pay_from; /* pay in the same commit, or hold the money as long; NULL = no */
	const char *pay_to;
	int64_t pay_amount;
};

#define PAWL_ORDER_INIT                                                                            \
	{                                                                                          \
		sizeof(struct pawl_order), NULL, 0, NULL, 0, NULL, NULL, 0                         \
	}

/* Commit pawl_tx_order, pawl_tx_confirm, pawl_tx_cancel and wait. key: the idempotency key; NULL =
 * nothing is remembered. Returns as pawl_tx_commit does. */
PAWL_EXPORT enum pawl_status pawl_order_place(struct pawl *p, const char *key,
                                              const struct pawl_order *order,
                                              struct pawl_answer **ret, struct pawl_error *err);
PAWL_EXPORT enum pawl_status pawl_order_confirm(struct pawl *p, const char *key, const char *id,
                                                struct pawl_answer **ret, struct pawl_error *err);
PAWL_EXPORT enum pawl_status pawl_order_cancel(struct pawl *p, const char *key, const char *id,
                                               struct pawl_answer **ret, struct pawl_error *err);

enum pawl_order_state {
	PAWL_ORDER_HELD,
	PAWL_ORDER_CONFIRMED,
	PAWL_ORDER_CANCELLED,
	PAWL_ORDER_EXPIRED /* by the store's clock */
};

struct pawl_order_row {
	char id[PAWL_ID_TEXT_SIZE];
	enum pawl_order_state state;
	int64_t expires_us; /* 0 = it was not held */
	int64_t version;
	const char *json; /* all of it, as GET /v1/orders/{id}; NUL-terminated */
	size_t json_len;
};

/* One block: pawl_order_free. PAWL_E_NOT_FOUND; PAWL_E_INVALID: not the id of an order;
 * PAWL_E_NOMEM; faults of the store. */
PAWL_EXPORT enum pawl_status pawl_order_get(struct pawl *p, const char *id,
                                            struct pawl_order_row **ret, struct pawl_error *err);

/* NULL is allowed. */
PAWL_EXPORT void pawl_order_free(struct pawl_order_row *order);

PAWL_END_DECLS

#endif /* PAWL_ORDER_H */
