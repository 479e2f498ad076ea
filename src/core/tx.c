/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tx.h"

#include "base/assert.h"

#define CANONICAL_VERSION 1

const char *pawl__op_name(enum op_kind kind)
{
	static const char *const names[] = {
		[OP_TRANSFER] = "transfer", [OP_HOLD] = "hold",       [OP_CAPTURE] = "capture",
		[OP_RELEASE] = "release",   [OP_PUT] = "put",         [OP_DELETE] = "delete",
		[OP_CHECK] = "check",       [OP_EMIT] = "emit",       [OP_ENQUEUE] = "enqueue",
		[OP_FENCE] = "fence",       [OP_ACCOUNT] = "account", [OP_ITEM] = "item",
		[OP_RESTOCK] = "restock",   [OP_ORDER] = "order",     [OP_CONFIRM] = "confirm",
		[OP_CANCEL] = "cancel",     [OP_TOUCH] = "touch",
	};

	PRE((size_t)kind < ARRAY_LEN(names));
	return names[kind];
}

/* Zigzag and base 128 (as in Protocol Buffers): most numbers here are one byte, and what is short
 * is soon hashed. */
static void canon_num(struct buf *b, int64_t v)
{
	uint64_t z = ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0);

	for (; z >= 0x80; z >>= 7)
		pawl__buf_putc(b, (char)(0x80 | (z & 0x7f)));
	pawl__buf_putc(b, (char)z);
}

static void canon_str(struct buf *b, struct str s)
{
	canon_num(b, (int64_t)s.len);
	buf_str(b, s);
}

static void canon_order(struct buf *b, const struct op *op)
{
	canon_num(b, op->u.order.lines_len);
	for (uint32_t i = 0; i < op->u.order.lines_len; i++) {
		canon_str(b, op->u.order.lines[i].sku);
		canon_num(b, op->u.order.lines[i].quantity);
	}
	canon_num(b, op->u.order.hold_us);
	canon_num(b, op->u.order.has_pay);
	canon_str(b, op->u.order.pay_from);
	canon_str(b, op->u.order.pay_to);
	canon_num(b, op->u.order.pay_amount);
	canon_str(b, op->u.order.body);
}

static void canon_account(struct buf *b, const struct op *op)
{
	canon_str(b, op->u.account.id);
	canon_str(b, op->u.account.unit);
	canon_num(b, op->u.account.has_floor);
	canon_num(b, op->u.account.floor);
	canon_num(b, op->u.account.check);
	canon_num(b, op->u.account.available_min);
}

static void canon_record(struct buf *b, const struct op *op)
{
	canon_str(b, op->u.record.key);
	canon_str(b, op->u.record.value);
	canon_num(b, op->u.record.if_version);
	if (op->u.record.if_version != TX_VERSION_LIST)
		return;
	canon_num(b, op->u.record.versions_len);
	for (uint32_t i = 0; i < op->u.record.versions_len; i++)
		canon_num(b, op->u.record.versions[i]);
}

static void canon_op(struct buf *b, const struct op *op)
{
	canon_num(b, op->kind);
	canon_num(b, op->is_account);
	switch (op->kind) {
	case OP_TRANSFER:
	case OP_HOLD:
		canon_str(b, op->u.move.from);
		canon_str(b, op->u.move.to);
		canon_num(b, op->u.move.amount);
		canon_num(b, op->u.move.ttl_us);
		return;
	case OP_CAPTURE:
	case OP_RELEASE:
		canon_num(b, op->u.hold.number);
		canon_num(b, op->u.hold.amount);
		canon_num(b, op->u.hold.final);
		return;
	case OP_CHECK:
	case OP_PUT:
	case OP_DELETE:
		if (op->is_account)
			canon_account(b, op);
		else
			canon_record(b, op);
		return;
	case OP_EMIT:
		canon_str(b, op->u.emit.topic);
		canon_str(b, op->u.emit.key);
		canon_str(b, op->u.emit.body);
		return;
	case OP_ENQUEUE:
		canon_str(b, op->u.enqueue.queue);
		canon_str(b, op->u.enqueue.body);
		canon_num(b, op->u.enqueue.delay_us);
		return;
	case OP_FENCE:
		canon_str(b, op->u.fence.name);
		canon_num(b, op->u.fence.token);
		return;
	case OP_ACCOUNT:
	case OP_TOUCH:
		canon_account(b, op);
		return;
	case OP_ITEM:
	case OP_RESTOCK:
		canon_str(b, op->u.item.sku);
		canon_num(b, op->u.item.quantity);
		return;
	case OP_ORDER:
		canon_order(b, op);
		return;
	case OP_CONFIRM:
	case OP_CANCEL:
		canon_num(b, op->u.order_number);
		return;
	}
	UNREACHABLE();
}

void pawl__tx_canonical(const struct tx *tx, struct buf *b)
{
	pawl__buf_putc(b, CANONICAL_VERSION);
	canon_str(b, tx->caller);
	canon_str(b, tx->route);
	canon_num(b, tx->form);
	canon_num(b, tx->ops_len);
	for (uint32_t i = 0; i < tx->ops_len; i++)
		canon_op(b, &tx->ops[i]);
}
