/* SPDX-License-Identifier: Apache-2.0 */
/* The operations that a transaction is built of. Each: arguments checked, one struct op. */
#include "api/api.h"

#include "base/assert.h"
#include "core/answer.h"

#define US_PER_S INT64_C(1000000)

/* NOLINTNEXTLINE(misc-redundant-expression): that both are the same is what it checks */
static_assert(PAWL_IF_ANY == TX_VERSION_ANY, "no condition");
/* NOLINTNEXTLINE(misc-redundant-expression) */
static_assert(PAWL_IF_EXISTS == TX_VERSION_EXISTS, "must exist");
/* NOLINTNEXTLINE(misc-redundant-expression) */
static_assert(PAWL_IF_ABSENT == TX_VERSION_ABSENT, "must not exist");

static void move_args(struct adding *add, const char *from, const char *to, int64_t amount)
{
	add->op.u.move.from = pawl__arg_id(add, "from", from);
	add->op.u.move.to = pawl__arg_id(add, "to", to);
	add->op.u.move.amount = pawl__arg_between(add, "amount", amount, 1, PAWL_AMOUNT_MAX);
}

enum pawl_status pawl_tx_transfer(struct pawl_tx *tx, const char *from, const char *to,
                                  int64_t amount)
{
	struct adding add = pawl__adding(tx, OP_TRANSFER, false);

	move_args(&add, from, to, amount);
	return pawl__added(&add);
}

enum pawl_status pawl_tx_hold(struct pawl_tx *tx, const char *from, const char *to, int64_t amount,
                              int64_t ttl_s)
{
	struct adding add = pawl__adding(tx, OP_HOLD, false);

	move_args(&add, from, to, amount);
	add.op.u.move.ttl_us =
		pawl__arg_between(&add, "ttl_s", ttl_s, 1, PAWL_HOLD_TTL_MAX_S) * US_PER_S;
	return pawl__added(&add);
}

enum pawl_status pawl_tx_capture(struct pawl_tx *tx, const char *hold, int64_t amount, bool final)
{
	struct adding add = pawl__adding(tx, OP_CAPTURE, false);

	add.op.u.hold.number = pawl__arg_number(&add, "hold", hold);
	add.op.u.hold.amount = pawl__arg_between(&add, "amount", amount, 0, PAWL_AMOUNT_MAX);
	add.op.u.hold.final = final;
	return pawl__added(&add);
}

enum pawl_status pawl_tx_release(struct pawl_tx *tx, const char *hold)
{
	struct adding add = pawl__adding(tx, OP_RELEASE, false);

	add.op.u.hold.number = pawl__arg_number(&add, "hold", hold);
	return pawl__added(&add);
}

enum pawl_status pawl_tx_put(struct pawl_tx *tx, const char *key, const char *json,
                             int64_t if_version)
{
	struct adding add = pawl__adding(tx, OP_PUT, false);

	add.op.u.record.key = pawl__arg_id(&add, "key", key);
	add.op.u.record.value = pawl__arg_json(&add, "json", json, PAWL_VALUE_MAX);
	add.op.u.record.if_version =
		pawl__arg_between(&add, "if_version", if_version, PAWL_IF_EXISTS, INT64_MAX);
	return pawl__added(&add);
}

enum pawl_status pawl_tx_delete(struct pawl_tx *tx, const char *key, int64_t if_version)
{
	struct adding add = pawl__adding(tx, OP_DELETE, false);

	add.op.u.record.key = pawl__arg_id(&add, "key", key);
	add.op.u.record.if_version =
		pawl__arg_between(&add, "if_version", if_version, PAWL_IF_EXISTS, INT64_MAX);
	if (if_version == PAWL_IF_ABSENT)
		pawl__adding_refuse(&add, PAWL_E_INVALID, "if_version",
		                    "asks for nothing to delete");
	return pawl__added(&add);
}

enum pawl_status pawl_tx_check(struct pawl_tx *tx, const char *key, int64_t version)
{
	struct adding add = pawl__adding(tx, OP_CHECK, false);

	add.op.u.record.key = pawl__arg_id(&add, "key", key);
	add.op.u.record.if_version =
		pawl__arg_between(&add, "version", version, PAWL_IF_EXISTS, INT64_MAX);
	if (version == PAWL_IF_ANY)
		pawl__adding_refuse(&add, PAWL_E_INVALID, "version", "asks for no check");
	return pawl__added(&add);
}

enum pawl_status pawl_tx_check_account(struct pawl_tx *tx, const char *account,
                                       int64_t available_min)
{
	struct adding add = pawl__adding(tx, OP_CHECK, false);

	add.op.is_account = true;
	add.op.u.account.id = pawl__arg_id(&add, "account", account);
	add.op.u.account.check = true;
	add.op.u.account.available_min = available_min;
	return pawl__added(&add);
}

enum pawl_status pawl_tx_emit(struct pawl_tx *tx, const char *topic, const char *key,
                              const char *json)
{
	struct adding add = pawl__adding(tx, OP_EMIT, false);

	add.op.u.emit.topic = pawl__arg_id(&add, "topic", topic);
	if (key != NULL)
		add.op.u.emit.key = pawl__arg_id(&add, "key", key);
	add.op.u.emit.body = pawl__arg_json(&add, "json", json, PAWL_EVENT_MAX);
	return pawl__added(&add);
}

enum pawl_status pawl_tx_enqueue(struct pawl_tx *tx, const char *queue, const char *json,
                                 int64_t delay_s)
{
	struct adding add = pawl__adding(tx, OP_ENQUEUE, false);

	add.op.u.enqueue.queue = pawl__arg_id(&add, "queue", queue);
	add.op.u.enqueue.body = pawl__arg_json(&add, "json", json, PAWL_EVENT_MAX);
	add.op.u.enqueue.delay_us =
		pawl__arg_between(&add, "delay_s", delay_s, 0, PAWL_JOB_DELAY_MAX_S) * US_PER_S;
	return pawl__added(&add);
}

enum pawl_status pawl_tx_fence(struct pawl_tx *tx, const char *lock, int64_t token)
{
	struct adding add = pawl__adding(tx, OP_FENCE, false);

	add.op.u.fence.name = pawl__arg_id(&add, "lock", lock);
	add.op.u.fence.token = pawl__arg_between(&add, "token", token, 1, INT64_MAX);
	return pawl__added(&add);
}

static enum pawl_status tx_account(struct pawl_tx *tx, const char *id, const char *unit,
                                   bool has_floor, int64_t floor)
{
	struct adding add = pawl__adding(tx, OP_ACCOUNT, true);

	add.op.is_account = true;
	add.op.u.account.id = pawl__arg_id(&add, "id", id);
	add.op.u.account.unit = pawl__arg_unit(&add, "unit", unit);
	add.op.u.account.has_floor = has_floor;
	add.op.u.account.floor = floor;
	return pawl__added(&add);
}

enum pawl_status pawl_tx_account(struct pawl_tx *tx, const char *id, const char *unit,
                                 int64_t floor)
{
	return tx_account(tx, id, unit, true, floor);
}

enum pawl_status pawl_tx_account_nofloor(struct pawl_tx *tx, const char *id, const char *unit)
{
	return tx_account(tx, id, unit, false, 0);
}

enum pawl_status pawl_tx_item(struct pawl_tx *tx, const char *sku, int64_t stock)
{
	struct adding add = pawl__adding(tx, OP_ITEM, true);

	add.op.u.item.sku = pawl__arg_id(&add, "sku", sku);
	add.op.u.item.quantity = pawl__arg_between(&add, "stock", stock, 0, PAWL_AMOUNT_MAX);
	return pawl__added(&add);
}

enum pawl_status pawl_tx_restock(struct pawl_tx *tx, const char *sku, int64_t quantity)
{
	struct adding add = pawl__adding(tx, OP_RESTOCK, true);

	add.op.u.item.sku = pawl__arg_id(&add, "sku", sku);
	add.op.u.item.quantity = pawl__arg_between(&add, "quantity", quantity, 1, PAWL_AMOUNT_MAX);
	return pawl__added(&add);
}

static void order_lines(struct adding *add, const struct pawl_order *order)
{
	struct order_line *lines;
	const bool counts =
		order->lines != NULL && order->lines_len >= 1 && order->lines_len <= PAWL_LINES_MAX;

	if (!counts) {
		pawl__adding_refuse(add, PAWL_E_INVALID, "lines", "must be 1 to 256 lines");
		return;
	}
	lines = arena_array(&add->tx->arena, struct order_line, order->lines_len);
	if (lines == NULL) {
		pawl__adding_refuse(add, PAWL_E_NOMEM, "lines", "got no memory");
		return;
	}
	for (size_t i = 0; i < order->lines_len; i++) {
		lines[i].sku = pawl__arg_id(add, "a line's sku", order->lines[i].sku);
		lines[i].quantity = pawl__arg_between(add, "a line's quantity",
		                                      order->lines[i].quantity, 1, PAWL_AMOUNT_MAX);
	}
	add->op.u.order.lines = lines;
	add->op.u.order.lines_len = (uint32_t)order->lines_len;
}
static_assert(PAWL_LINES_MAX == 256, "the text above names it");

static void order_pay(struct adding *add, const struct pawl_order *order)
{
	if (order->pay_from == NULL && order->pay_to == NULL && order->pay_amount == 0)
		return;
	add->op.u.order.has_pay = true;
	add->op.u.order.pay_from = pawl__arg_id(add, "pay_from", order->pay_from);
	add->op.u.order.pay_to = pawl__arg_id(add, "pay_to", order->pay_to);
	add->op.u.order.pay_amount =
		pawl__arg_between(add, "pay_amount", order->pay_amount, 1, PAWL_AMOUNT_MAX);
}

enum pawl_status pawl_tx_order(struct pawl_tx *tx, const struct pawl_order *order)
{
	struct adding add = pawl__adding(tx, OP_ORDER, true);
	const struct str customer = pawl__text(order->customer, PAWL_CUSTOMER_MAX);

	if (add.st != PAWL_OK)
		return add.st;
	if (order->size != sizeof(*order))
		pawl__adding_refuse(&add, PAWL_E_INVALID, "size", "is not set by PAWL_ORDER_INIT");
	else
		order_lines(&add, order);
	if (customer.len > PAWL_CUSTOMER_MAX || !pawl__str_utf8(customer))
		pawl__adding_refuse(&add, PAWL_E_INVALID, "customer",
		                    "must be at most 128 bytes of UTF-8");
	add.op.u.order.hold_us =
		pawl__arg_between(&add, "hold_s", order->hold_s, 0, PAWL_HOLD_TTL_MAX_S) * US_PER_S;
	order_pay(&add, order);
	if (add.st != PAWL_OK)
		return add.st;
	pawl__buf_reset(&tx->text);
	pawl__json_order_body(&tx->text, &add.op, pawl__text(order->customer, PAWL_CUSTOMER_MAX));
	add.op.u.order.body =
		tx->text.overflow ? STR_NONE : pawl__arena_str(&tx->arena, buf_get(&tx->text));
	if (add.op.u.order.body.ptr == NULL)
		pawl__adding_refuse(&add, PAWL_E_NOMEM, "the order", "got no memory");
	return pawl__added(&add);
}
static_assert(PAWL_CUSTOMER_MAX == 128, "the text above names it");

static enum pawl_status tx_finish(struct pawl_tx *tx, enum op_kind kind, const char *order)
{
	struct adding add = pawl__adding(tx, kind, true);

	add.op.u.order_number = pawl__arg_number(&add, "order", order);
	return pawl__added(&add);
}

enum pawl_status pawl_tx_confirm(struct pawl_tx *tx, const char *order)
{
	return tx_finish(tx, OP_CONFIRM, order);
}

enum pawl_status pawl_tx_cancel(struct pawl_tx *tx, const char *order)
{
	return tx_finish(tx, OP_CANCEL, order);
}
