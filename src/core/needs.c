/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which rows a transaction looks at. Rows that the request names are found at the first call;
 * what hangs on them (a hold's accounts, an order's holds) once they are loaded.
 */
#include "base/assert.h"
#include "core/apply.h"

void pawl__apply_reset(struct tx *tx)
{
	for (uint32_t i = 0; i < tx->ops_len; i++) {
		tx->ops[i].row[0] = NULL;
		tx->ops[i].row[1] = NULL;
		tx->ops[i].rows = NULL;
		tx->ops[i].rows_len = 0;
	}
	tx->answer_row = NULL;
	tx->ready = false;
}

/* prefix + sku in the batch's arena. */
static struct str prefixed(struct ws *ws, struct str prefix, struct str sku)
{
	char *p = pawl__arena_alloc(ws->arena, prefix.len + sku.len);

	if (p == NULL) {
		ws->failed = true;
		return STR_NONE;
	}
	memcpy(p, prefix.ptr, prefix.len);
	memcpy(p + prefix.len, sku.ptr, sku.len);
	return (struct str){ p, prefix.len + sku.len };
}

static struct ws_entry *want_prefixed(struct ws *ws, struct str prefix, struct str sku)
{
	const struct str id = prefixed(ws, prefix, sku);

	return ws->failed ? NULL : pawl__ws_want(ws, ROW_ACCOUNT, id);
}

/* rows: stock:SKU and sold:SKU of each line, then the two of the payment. */
static void order_named(struct ws *ws, struct op *op)
{
	const size_t n = op->u.order.lines_len;

	op->rows_len = 2 * op->u.order.lines_len + (op->u.order.has_pay ? 2 : 0);
	op->rows = arena_array(ws->arena, struct ws_entry *, op->rows_len);
	if (op->rows == NULL) {
		ws->failed = true;
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const struct str sku = op->u.order.lines[i].sku;

		op->rows[2 * i] = want_prefixed(ws, STR("stock:"), sku);
		op->rows[2 * i + 1] = want_prefixed(ws, STR("sold:"), sku);
	}
	if (op->u.order.has_pay) {
		op->rows[2 * n] = pawl__ws_want(ws, ROW_ACCOUNT, op->u.order.pay_from);
		op->rows[2 * n + 1] = pawl__ws_want(ws, ROW_ACCOUNT, op->u.order.pay_to);
	}
}

/* rows: the world's side of the item's unit. */
static void item_named(struct ws *ws, struct op *op)
{
	op->row[0] = want_prefixed(ws, STR("stock:"), op->u.item.sku);
	op->row[1] = want_prefixed(ws, STR("sold:"), op->u.item.sku);
	op->rows = arena_array(ws->arena, struct ws_entry *, 1);
	if (op->rows == NULL) {
		ws->failed = true;
		return;
	}
	op->rows[0] = want_prefixed(ws, STR("world:sku:"), op->u.item.sku);
	op->rows_len = 1;
}

/* The rows that the request names. */
static void op_named(struct ws *ws, struct op *op)
{
	switch (op->kind) {
	case OP_TRANSFER:
	case OP_HOLD:
		op->row[0] = pawl__ws_want(ws, ROW_ACCOUNT, op->u.move.from);
		op->row[1] = pawl__ws_want(ws, ROW_ACCOUNT, op->u.move.to);
		return;
	case OP_CAPTURE:
	case OP_RELEASE:
		op->row[0] = pawl__ws_want_number(ws, ROW_HOLD, op->u.hold.number);
		return;
	case OP_CHECK:
		op->row[0] = op->is_account ? pawl__ws_want(ws, ROW_ACCOUNT, op->u.account.id)
		                            : pawl__ws_want(ws, ROW_RECORD, op->u.record.key);
		return;
	case OP_PUT:
	case OP_DELETE:
		op->row[0] = pawl__ws_want(ws, ROW_RECORD, op->u.record.key);
		return;
	case OP_FENCE:
		op->row[0] = pawl__ws_want(ws, ROW_LEASE, op->u.fence.name);
		return;
	case OP_ACCOUNT:
	case OP_TOUCH:
		op->row[0] = pawl__ws_want(ws, ROW_ACCOUNT, op->u.account.id);
		return;
	case OP_ITEM:
	case OP_RESTOCK:
		item_named(ws, op);
		return;
	case OP_ORDER:
		order_named(ws, op);
		return;
	case OP_CONFIRM:
	case OP_CANCEL:
		op->row[0] = pawl__ws_want_number(ws, ROW_ORDER, op->u.order_number);
		return;
	case OP_EMIT:
	case OP_ENQUEUE:
		return;
	}
	UNREACHABLE();
}

/* The accounts of a hold that is loaded. True when nothing is missing. */
static bool hold_hangs(struct ws *ws, const struct ws_entry *e)
{
	const struct ws_entry *from, *to;

	INVARIANT(e != NULL); /* named before, or ws->failed */
	if (!e->loaded)
		return false;
	if (!e->present)
		return true;
	from = pawl__ws_want(ws, ROW_ACCOUNT, e->row.hold.from);
	to = pawl__ws_want(ws, ROW_ACCOUNT, e->row.hold.to);
	return !ws->failed && from->loaded && to->loaded;
}

/* The holds of an order that is loaded, then their accounts. */
static bool order_hangs(struct ws *ws, struct op *op)
{
	const struct ws_entry *e = op->row[0];
	bool all = true;

	INVARIANT(e != NULL);
	if (!e->loaded)
		return false;
	if (!e->present)
		return true;
	if (op->rows == NULL && e->row.order.holds > 0) {
		op->rows = arena_array(ws->arena, struct ws_entry *, e->row.order.holds);
		if (op->rows == NULL) {
			ws->failed = true;
			return false;
		}
		op->rows_len = e->row.order.holds;
		for (uint32_t i = 0; i < op->rows_len; i++)
			op->rows[i] =
				pawl__ws_want_number(ws, ROW_HOLD, e->row.order.number + 1 + i);
	}
	INVARIANT(op->rows != NULL || op->rows_len == 0);
	for (uint32_t i = 0; i < op->rows_len && !ws->failed; i++)
		all = hold_hangs(ws, op->rows[i]) && all;
	return all;
}

static bool op_hangs(struct ws *ws, struct op *op)
{
	bool all = true;

	if (op->kind == OP_CAPTURE || op->kind == OP_RELEASE)
		return hold_hangs(ws, op->row[0]);
	if (op->kind == OP_CONFIRM || op->kind == OP_CANCEL)
		return order_hangs(ws, op);
	for (unsigned i = 0; i < ARRAY_LEN(op->row); i++)
		all = all && (op->row[i] == NULL || op->row[i]->loaded);
	INVARIANT(op->rows != NULL || op->rows_len == 0);
	for (uint32_t i = 0; i < op->rows_len; i++)
		all = all && op->rows[i]->loaded;
	return all;
}

void pawl__apply_needs(struct ws *ws, struct tx *tx)
{
	bool all = true;

	if (tx->ready || ws->failed)
		return;
	if (tx->answer_row == NULL && tx->key.len > 0)
		tx->answer_row = pawl__ws_want_answer(ws, tx->caller, tx->key);
	for (uint32_t i = 0; i < tx->ops_len && !ws->failed; i++) {
		if (tx->ops[i].row[0] == NULL && tx->ops[i].rows == NULL)
			op_named(ws, &tx->ops[i]);
		if (!ws->failed)
			all = op_hangs(ws, &tx->ops[i]) && all;
	}
	tx->ready = !ws->failed && all && (tx->answer_row == NULL || tx->answer_row->loaded);
}
