/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of server/decode: what each operation and each mutating route takes.
 */
#include "base/assert.h"
#include "pawl/limits.h"
#include "server/decode.h"

#define AT(member) offsetof(struct op_draft, member)
#define OP(member) offsetof(struct op_draft, op.u.member)

#define ID(name, at)                                                                               \
	{                                                                                          \
		name, MEMBER_ID, true, 1, PAWL_ID_MAX, 0, OP(at), 0                                \
	}
#define ID_OPT(name, at)                                                                           \
	{                                                                                          \
		name, MEMBER_ID, false, 1, PAWL_ID_MAX, 0, OP(at), 0                               \
	}
#define AMOUNT(name, at)                                                                           \
	{                                                                                          \
		name, MEMBER_INT, true, 1, PAWL_AMOUNT_MAX, 0, OP(at), 0                           \
	}
#define AMOUNT_OPT(name, at)                                                                       \
	{                                                                                          \
		name, MEMBER_INT, false, 1, PAWL_AMOUNT_MAX, 0, OP(at), 0                          \
	}
#define JSON(name, max, at)                                                                        \
	{                                                                                          \
		name, MEMBER_JSON, true, 1, max, 0, OP(at), 0                                      \
	}
#define SECONDS(name, required, min, max, at)                                                      \
	{                                                                                          \
		name, MEMBER_INT, required, min, max, 1000000, OP(at), 0                           \
	}
#define NAME                                                                                       \
	{                                                                                          \
		"op", MEMBER_NAME, true, 0, 0, 0, 0, 0                                             \
	}
#define SHAPE(k, m)                                                                                \
	{                                                                                          \
#		m, k, false, m##_members, ARRAY_LEN(m##_members)                                  \
	}

/* POST /v1/tx: one operation */

static const struct member transfer_members[] = {
	NAME,
	ID("from", move.from),
	ID("to", move.to),
	AMOUNT("amount", move.amount),
};

static const struct member hold_members[] = {
	NAME,
	ID("from", move.from),
	ID("to", move.to),
	AMOUNT("amount", move.amount),
	SECONDS("ttl_s", true, 1, PAWL_HOLD_TTL_MAX_S, move.ttl_us),
};

static const struct member capture_members[] = {
	NAME,
	{ "hold", MEMBER_NUMBER, true, 0, 0, 0, OP(hold.number), 0 },
	AMOUNT_OPT("amount", hold.amount),
	{ "final", MEMBER_BOOL, false, 0, 0, 0, OP(hold.final), 0 },
};

static const struct member release_members[] = {
	NAME,
	{ "hold", MEMBER_NUMBER, true, 0, 0, 0, OP(hold.number), 0 },
};

static const struct member put_members[] = {
	NAME,
	ID("key", record.key),
	JSON("value", PAWL_VALUE_MAX, record.value),
	{ "if_version", MEMBER_INT, false, 0, INT64_MAX, 0, OP(record.if_version), 0 },
};

static const struct member delete_members[] = {
	NAME,
	ID("key", record.key),
	{ "if_version", MEMBER_INT, false, 1, INT64_MAX, 0, OP(record.if_version), 0 },
};

static const struct member check_members[] = {
	NAME,
	ID("key", record.key),
	{ "version", MEMBER_INT, true, 0, INT64_MAX, 0, OP(record.if_version), 0 },
};

static const struct member check_account_members[] = {
	NAME,
	ID("account", account.id),
	{ "available_min", MEMBER_INT, true, INT64_MIN, INT64_MAX, 0, OP(account.available_min),
	  0 },
};

static const struct member emit_members[] = {
	NAME,
	ID("topic", emit.topic),
	ID_OPT("key", emit.key),
	JSON("body", PAWL_EVENT_MAX, emit.body),
};

static const struct member enqueue_members[] = {
	NAME,
	ID("queue", enqueue.queue),
	JSON("body", PAWL_EVENT_MAX, enqueue.body),
	SECONDS("delay_s", false, 0, PAWL_JOB_DELAY_MAX_S, enqueue.delay_us),
};

static const struct member fence_members[] = {
	NAME,
	ID("lock", fence.name),
	AMOUNT("token", fence.token),
};

static const struct shape op_shapes[] = {
	SHAPE(OP_TRANSFER, transfer),
	SHAPE(OP_HOLD, hold),
	SHAPE(OP_CAPTURE, capture),
	SHAPE(OP_RELEASE, release),
	SHAPE(OP_PUT, put),
	SHAPE(OP_DELETE, delete),
	SHAPE(OP_CHECK, check),
	{ "check", OP_CHECK, true, check_account_members, ARRAY_LEN(check_account_members) },
	SHAPE(OP_EMIT, emit),
	SHAPE(OP_ENQUEUE, enqueue),
	SHAPE(OP_FENCE, fence),
};

const struct shape *pawl__form_ops(size_t *ret_len)
{
	*ret_len = ARRAY_LEN(op_shapes);
	return op_shapes;
}

/* the bodies of the other routes */

static const struct member tx_members[] = {
	{ "ops", MEMBER_OPS, true, 1, PAWL_OPS_MAX, 0, 0, 0 },
};

static const struct member account_members[] = {
	{ "unit", MEMBER_ID, true, 1, PAWL_UNIT_MAX, 0, OP(account.unit), 0 },
	/* absent = 0; null = no floor */
	{ "floor", MEMBER_INT_NULL, false, INT64_MIN, INT64_MAX, 0, OP(account.floor),
	  OP(account.has_floor) },
};

static const struct member capture_route_members[] = {
	AMOUNT_OPT("amount", hold.amount),
	{ "final", MEMBER_BOOL, false, 0, 0, 0, OP(hold.final), 0 },
};

static const struct member item_members[] = {
	{ "stock", MEMBER_INT, true, 0, INT64_MAX, 0, OP(item.quantity), 0 },
};

static const struct member restock_members[] = {
	AMOUNT("quantity", item.quantity),
};

static const struct member order_members[] = {
	{ "lines", MEMBER_LINES, true, 1, PAWL_LINES_MAX, 0, 0, 0 },
	{ "customer", MEMBER_TEXT, false, 0, PAWL_CUSTOMER_MAX, 0, AT(customer), AT(has_customer) },
	SECONDS("hold_s", false, 1, PAWL_HOLD_TTL_MAX_S, order.hold_us),
	{ "pay", MEMBER_PAY, false, 0, 0, 0, 0, OP(order.has_pay) },
};

/* The same members as in POST /v1/tx, but for the name of the operation. */
#define BARE(k, m)                                                                                 \
	{                                                                                          \
#		m, k, false, m##_members + 1, ARRAY_LEN(m##_members) - 1                          \
	}
#define EMPTY(k)                                                                                   \
	{                                                                                          \
		"", k, false, NULL, 0                                                              \
	}

static const struct form forms[FORMS] = {
	[FORM_TX] = { { "tx", OP_TOUCH, false, tx_members, ARRAY_LEN(tx_members) },
	              BODY_OBJECT,
	              PARAM_NONE,
	              0,
	              TX_FORM_TX,
	              200 },
	[FORM_ACCOUNT] = { { "account", OP_ACCOUNT, true, account_members,
	                     ARRAY_LEN(account_members) },
	                   BODY_OBJECT,
	                   PARAM_ID,
	                   OP(account.id),
	                   TX_FORM_ACCOUNT,
	                   201 },
	[FORM_TRANSFER] = { BARE(OP_TRANSFER, transfer), BODY_OBJECT, PARAM_NONE, 0,
	                    TX_FORM_TRANSFER, 201 },
	[FORM_HOLD] = { BARE(OP_HOLD, hold), BODY_OBJECT, PARAM_NONE, 0, TX_FORM_HOLD, 201 },
	[FORM_CAPTURE] = { SHAPE(OP_CAPTURE, capture_route), BODY_OBJECT, PARAM_NUMBER,
	                   OP(hold.number), TX_FORM_HOLD, 200 },
	[FORM_RELEASE] = { EMPTY(OP_RELEASE), BODY_OBJECT, PARAM_NUMBER, OP(hold.number),
	                   TX_FORM_HOLD, 200 },
	[FORM_ITEM] = { SHAPE(OP_ITEM, item), BODY_OBJECT, PARAM_ID, OP(item.sku), TX_FORM_ITEM,
	                201 },
	[FORM_RESTOCK] = { SHAPE(OP_RESTOCK, restock), BODY_OBJECT, PARAM_ID, OP(item.sku),
	                   TX_FORM_ITEM, 200 },
	[FORM_ORDER] = { SHAPE(OP_ORDER, order), BODY_OBJECT, PARAM_NONE, 0, TX_FORM_ORDER, 201 },
	[FORM_CONFIRM] = { EMPTY(OP_CONFIRM), BODY_OBJECT, PARAM_NUMBER, OP(order_number),
	                   TX_FORM_ORDER, 200 },
	[FORM_CANCEL] = { EMPTY(OP_CANCEL), BODY_OBJECT, PARAM_NUMBER, OP(order_number),
	                  TX_FORM_ORDER, 200 },
	[FORM_RECORD_PUT] = { EMPTY(OP_PUT), BODY_VALUE, PARAM_ID, OP(record.key), TX_FORM_RECORD,
	                      201 },
	[FORM_RECORD_DELETE] = { EMPTY(OP_DELETE), BODY_NONE, PARAM_ID, OP(record.key),
	                         TX_FORM_NONE, 200 },
};

const struct form *pawl__form(enum form_id id)
{
	PRE((size_t)id < FORMS);
	return &forms[id];
}
