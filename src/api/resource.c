/* SPDX-License-Identifier: Apache-2.0 */
/* Transactions of one operation that wait for their answer: conveniences over pawl/tx.h. */
#include "api/api.h"

/* tx of one operation: the key first, so that a wrong one is what is told. */
static enum pawl_status once_new(struct pawl *p, const char *key, struct pawl_tx **ret,
                                 struct pawl_error *err)
{
	const enum pawl_status st = pawl_tx_new(p, ret, err);

	if (st == PAWL_OK && key != NULL)
		(void)pawl_tx_key(*ret, key);
	return st;
}

enum pawl_status pawl_account_open(struct pawl *p, const char *id, const char *unit, int64_t floor,
                                   struct pawl_answer **ret, struct pawl_error *err)
{
	struct pawl_tx *tx;
	const enum pawl_status st = once_new(p, NULL, &tx, err);

	if (st != PAWL_OK)
		return st;
	(void)pawl_tx_account(tx, id, unit, floor);
	return pawl__tx_once(tx, ret, err);
}

enum pawl_status pawl_account_open_nofloor(struct pawl *p, const char *id, const char *unit,
                                           struct pawl_answer **ret, struct pawl_error *err)
{
	struct pawl_tx *tx;
	const enum pawl_status st = once_new(p, NULL, &tx, err);

	if (st != PAWL_OK)
		return st;
	(void)pawl_tx_account_nofloor(tx, id, unit);
	return pawl__tx_once(tx, ret, err);
}

enum pawl_status pawl_item_open(struct pawl *p, const char *sku, int64_t stock,
                                struct pawl_answer **ret, struct pawl_error *err)
{
	struct pawl_tx *tx;
	const enum pawl_status st = once_new(p, NULL, &tx, err);

	if (st != PAWL_OK)
		return st;
	(void)pawl_tx_item(tx, sku, stock);
	return pawl__tx_once(tx, ret, err);
}

enum pawl_status pawl_item_restock(struct pawl *p, const char *key, const char *sku,
                                   int64_t quantity, struct pawl_answer **ret,
                                   struct pawl_error *err)
{
	struct pawl_tx *tx;
	const enum pawl_status st = once_new(p, key, &tx, err);

	if (st != PAWL_OK)
		return st;
	(void)pawl_tx_restock(tx, sku, quantity);
	return pawl__tx_once(tx, ret, err);
}

enum pawl_status pawl_order_place(struct pawl *p, const char *key, const struct pawl_order *order,
                                  struct pawl_answer **ret, struct pawl_error *err)
{
	struct pawl_tx *tx;
	const enum pawl_status st = once_new(p, key, &tx, err);

	if (st != PAWL_OK)
		return st;
	(void)pawl_tx_order(tx, order);
	return pawl__tx_once(tx, ret, err);
}

enum pawl_status pawl_order_confirm(struct pawl *p, const char *key, const char *id,
                                    struct pawl_answer **ret, struct pawl_error *err)
{
	struct pawl_tx *tx;
	const enum pawl_status st = once_new(p, key, &tx, err);

	if (st != PAWL_OK)
		return st;
	(void)pawl_tx_confirm(tx, id);
	return pawl__tx_once(tx, ret, err);
}

enum pawl_status pawl_order_cancel(struct pawl *p, const char *key, const char *id,
                                   struct pawl_answer **ret, struct pawl_error *err)
{
	struct pawl_tx *tx;
	const enum pawl_status st = once_new(p, key, &tx, err);

	if (st != PAWL_OK)
		return st;
	(void)pawl_tx_cancel(tx, id);
	return pawl__tx_once(tx, ret, err);
}
