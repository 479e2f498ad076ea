/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Items and orders: compositions of the operations in core/step, with nothing of their own but an
 * order's row. stock:SKU -> sold:SKU, both in the unit sku:SKU.
 */
#include "base/assert.h"
#include "base/id.h"
#include "core/account.h"
#include "core/hold.h"
#include "core/step.h"

static struct str copy_str(struct step *s, const struct buf *b)
{
	const struct str copy = pawl__arena_str(s->ws->arena, buf_get(b));

	if (copy.ptr == NULL)
		s->ws->failed = true;
	return copy;
}

/* The answer's JSON of the order is also the body of its event. */
static enum pawl_status order_tell(struct step *s, const struct order *o)
{
	const size_t at = s->out->len;
	char id[ID_TEXT_LEN];
	struct buf id_buf, doc;
	int64_t number;

	pawl__buf_init_fixed(&id_buf, id, sizeof(id));
	pawl__id_format(&id_buf, o->number);
	pawl__json_order(s->out, o, s->ws->now_us);
	pawl__buf_init_fixed(&doc, s->out->data + at, s->out->len - at);
	doc.len = doc.cap;
	return pawl__step_emit(s, STR("orders"), copy_str(s, &id_buf), copy_str(s, &doc), &number);
}

static struct ws_entry *item_make(struct step *s, struct ws_entry *e, struct str unit)
{
	pawl__ws_change(s->ws, e);
	e->present = true;
	e->row.account = (struct account){
		.id = e->id, .unit = unit, .has_floor = true, .version = s->revision
	};
	return e;
}

enum pawl_status pawl__step_item(struct step *s, const struct op *op)
{
	/* "world:sku:SKU" holds the unit's text, and lives as long as the batch. */
	const struct str unit = pawl__account_world_unit(op->rows[0]->id);
	struct transfer *t;
	enum pawl_status st = PAWL_OK;

	if (op->row[0]->present || op->row[1]->present)
		return pawl__step_refuse(s, PAWL_E_EXISTS, "the item exists already");
	(void)item_make(s, op->row[0], unit);
	(void)item_make(s, op->row[1], unit);
	if (op->u.item.quantity > 0)
		st = pawl__step_transfer(s, op->rows[0], op->row[0], op->u.item.quantity, &t);
	if (st != PAWL_OK)
		return st;
	s->created = true;
	pawl__json_item(s->out, op->u.item.sku, &op->row[0]->row.account, &op->row[1]->row.account);
	return PAWL_OK;
}

enum pawl_status pawl__step_restock(struct step *s, const struct op *op)
{
	struct transfer *t;
	enum pawl_status st;

	if (!op->row[0]->present || !op->row[1]->present)
		return pawl__step_not_found(s, "no such item");
	st = pawl__step_transfer(s, op->rows[0], op->row[0], op->u.item.quantity, &t);
	if (st != PAWL_OK)
		return st;
	pawl__json_item(s->out, op->u.item.sku, &op->row[0]->row.account, &op->row[1]->row.account);
	return PAWL_OK;
}

/* One line, or the payment. */
static enum pawl_status order_move(struct step *s, struct ws_entry *const pair[2], int64_t amount,
                                   int64_t expires_us)
{
	struct transfer *t;
	struct hold *h;

	if (expires_us != 0)
		return pawl__step_hold(s, pair[0], pair[1], amount, expires_us, &h);
	return pawl__step_transfer(s, pair[0], pair[1], amount, &t);
}

static enum pawl_status order_moves(struct step *s, const struct op *op, int64_t expires_us)
{
	const size_t n = op->u.order.lines_len;
	enum pawl_status st;

	for (size_t i = 0; i < n; i++) {
		if (!op->rows[2 * i]->present || !op->rows[2 * i + 1]->present)
			return pawl__step_not_found(s, "no such item");
		st = order_move(s, &op->rows[2 * i], op->u.order.lines[i].quantity, expires_us);
		if (st != PAWL_OK)
			return st;
	}
	if (!op->u.order.has_pay)
		return PAWL_OK;
	return order_move(s, &op->rows[2 * n], op->u.order.pay_amount, expires_us);
}

enum pawl_status pawl__step_order(struct step *s, const struct op *op)
{
	const bool held = op->u.order.hold_us > 0;
	const int64_t expires_us = held ? s->ws->now_us + op->u.order.hold_us : 0;
	const int64_t number = pawl__ws_number(s->ws);
	struct ws_entry *e;
	enum pawl_status st;

	if (number == 0)
		return pawl__step_invalid(s, "", "the transaction creates too many rows");
	st = order_moves(s, op, expires_us);
	if (st != PAWL_OK)
		return st;
	e = pawl__ws_fresh(s->ws, ROW_ORDER, number);
	if (e == NULL)
		return PAWL_E_NOMEM;
	pawl__ws_change(s->ws, e);
	e->present = true;
	e->row.order = (struct order){
		.number = number,
		.state = held ? ORDER_HELD : ORDER_CONFIRMED,
		.holds = held ? op->rows_len / 2 : 0,
		.expires_us = expires_us,
		.body = op->u.order.body,
		.version = s->revision,
	};
	s->created = true;
	s->location = "/v1/orders/";
	s->location_number = number;
	return order_tell(s, &e->row.order);
}

static enum pawl_status order_end(struct step *s, const struct op *op, enum order_state end)
{
	struct ws_entry *e = op->row[0];
	enum pawl_status st;

	for (uint32_t i = 0; i < e->row.order.holds; i++) {
		struct ws_entry *hold = pawl__ws_want_number(s->ws, ROW_HOLD, e->number + 1 + i);

		if (s->ws->failed)
			return PAWL_E_NOMEM;
		INVARIANT(hold->loaded);
		st = end == ORDER_CONFIRMED ? pawl__step_capture(s, hold, 0, true)
		                            : pawl__step_release(s, hold);
		if (st != PAWL_OK)
			return st;
	}
	pawl__ws_change(s->ws, e);
	e->row.order.state = end;
	e->row.order.version = s->revision;
	return order_tell(s, &e->row.order);
}

enum pawl_status pawl__step_finish(struct step *s, const struct op *op)
{
	const enum order_state end = op->kind == OP_CONFIRM ? ORDER_CONFIRMED : ORDER_CANCELLED;
	const struct ws_entry *e = op->row[0];
	const struct order *o = &e->row.order;

	if (!e->present)
		return pawl__step_not_found(s, "no such order");
	if (o->state == end) {
		pawl__json_order(s->out, o, s->ws->now_us);
		return PAWL_OK;
	}
	if (o->state != ORDER_HELD)
		return pawl__step_hold_refuse(s, PAWL_E_HOLD_FINISHED, o->number,
		                              pawl__order_state_name(o->state));
	if (s->ws->now_us >= o->expires_us)
		return pawl__step_hold_refuse(s, PAWL_E_HOLD_EXPIRED, o->number,
		                              pawl__order_state_name(ORDER_EXPIRED));
	return order_end(s, op, end);
}
