/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/route.h"

#include "base/assert.h"

#define HALVE_AFTER (ROUTE_CELLS * 16)

/* FNV-1a, then a mix: its low bits alone are weak. */
static uint64_t hash_bytes(struct str s)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < s.len; i++)
		h = (h ^ (unsigned char)s.ptr[i]) * UINT64_C(0x100000001b3);
	return h;
}

static uint64_t mix(uint64_t h)
{
	h ^= h >> 32;
	h *= UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 29;
}

struct rows {
	uint64_t *at;
	uint32_t len;
};

static void put(struct rows *r, uint64_t hash)
{
	if (r->len < ROUTE_ROWS_MAX)
		r->at[r->len++] = mix(hash);
}

static void put_str(struct rows *r, struct str id)
{
	put(r, hash_bytes(id));
}

/* A SKU and the accounts that are made of it are the same rows. */
static void put_account(struct rows *r, struct str id)
{
	static const struct str prefixes[] = { STR("stock:"), STR("sold:") };

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		if (str_starts(id, prefixes[i])) {
			id.ptr += prefixes[i].len;
			id.len -= prefixes[i].len;
			break;
		}
	}
	put_str(r, id);
}

static void put_op(struct rows *r, const struct op *op)
{
	switch (op->kind) {
	case OP_TRANSFER:
	case OP_HOLD:
		put_account(r, op->u.move.from);
		put_account(r, op->u.move.to);
		return;
	case OP_CAPTURE:
	case OP_RELEASE:
		put(r, (uint64_t)op->u.hold.number);
		return;
	case OP_CONFIRM:
	case OP_CANCEL:
		put(r, (uint64_t)op->u.order_number);
		return;
	case OP_CHECK:
		if (op->is_account)
			put_account(r, op->u.account.id);
		else
			put_str(r, op->u.record.key);
		return;
	case OP_PUT:
	case OP_DELETE:
		put_str(r, op->u.record.key);
		return;
	case OP_FENCE:
		put_str(r, op->u.fence.name);
		return;
	case OP_ACCOUNT:
	case OP_TOUCH:
		put_account(r, op->u.account.id);
		return;
	case OP_ITEM:
	case OP_RESTOCK:
		put_str(r, op->u.item.sku);
		return;
	case OP_ORDER:
		for (uint32_t i = 0; i < op->u.order.lines_len && r->len < ROUTE_ROWS_MAX; i++)
			put_str(r, op->u.order.lines[i].sku);
		if (op->u.order.has_pay) {
			put_account(r, op->u.order.pay_from);
			put_account(r, op->u.order.pay_to);
		}
		return;
	case OP_EMIT:
	case OP_ENQUEUE:
		return;
	}
	UNREACHABLE();
}

/* NOLINTNEXTLINE(readability-non-const-parameter): put writes through r.at */
uint32_t pawl__route_rows(const struct tx *tx, uint64_t ret[ROUTE_ROWS_MAX])
{
	struct rows r = { .at = ret };

	for (uint32_t i = 0; i < tx->ops_len && r.len < ROUTE_ROWS_MAX; i++)
		put_op(&r, &tx->ops[i]);
	if (r.len == 0)
		put_str(&r, tx->key);
	return r.len;
}

uint32_t pawl__route_lane(struct route_heat *h, const uint64_t *rows, uint32_t len, uint32_t lanes)
{
	uint64_t hottest = rows[0];
	uint32_t most = 0;

	PRE(len > 0 && lanes > 0);
	for (uint32_t i = 0; i < len; i++) {
		const uint32_t n = ++h->count[rows[i] & (ROUTE_CELLS - 1)];

		if (n > most) {
			most = n;
			hottest = rows[i];
		}
	}
	h->total += len;
	if (h->total >= HALVE_AFTER) {
		h->total = 0;
		for (uint32_t i = 0; i < ROUTE_CELLS; i++)
			h->count[i] /= 2;
	}
	return (uint32_t)((hottest >> 32) % lanes);
}
