/* SPDX-License-Identifier: Apache-2.0 */
#include "model.h"

#include <stdlib.h>

#include "base/assert.h"
#include "client.h"

/* One transaction at work on a copy. */
struct play {
	struct model *m;
	int64_t now_us;
	int64_t revision;
	int64_t created; /* rows that have been numbered */
};

static int64_t next_number(struct play *p)
{
	return p->revision * 1024 + p->created++;
}

void model_setup(struct model *m)
{
	static const struct model_account accounts[] = {
		/* id, unit, has_floor, floor, balance */
		{ "acct:a", "EUR", true, 0, 100 },
		{ "acct:b", "EUR", true, 0, 0 },
		{ "acct:c", "EUR", true, -50, 0 },
		{ "acct:d", "EUR", false, 0, 0 },
		{ "acct:usd", "USD", true, 0, 100 },
		{ "world:EUR", "EUR", false, 0, -100 },
		{ "world:USD", "USD", false, 0, -100 },
		{ "world:sku:one", "sku:one", false, 0, -20 },
		{ "stock:one", "sku:one", true, 0, 20 },
		{ "sold:one", "sku:one", true, 0, 0 },
		{ "world:sku:two", "sku:two", false, 0, -5 },
		{ "stock:two", "sku:two", true, 0, 5 },
		{ "sold:two", "sku:two", true, 0, 0 },
	};

	static_assert(ARRAY_LEN(accounts) <= MODEL_ACCOUNTS, "the model has room for all");
	memcpy(m->account, accounts, sizeof(accounts));
	m->accounts = ARRAY_LEN(accounts);
	for (uint32_t i = 0; i < CLIENT_RECORDS; i++)
		m->record[m->records++].key = client_records[i];
	m->stocked = 25;
	m->transfers = 4;
}

uint32_t model_find(const struct model *m, struct str id)
{
	for (uint32_t i = 0; i < m->accounts; i++) {
		if (str_eq(id, pawl__str_of(m->account[i].id)))
			return i;
	}
	return MODEL_ACCOUNTS;
}

static uint32_t find_prefixed(const struct model *m, const char *prefix, struct str sku)
{
	const size_t len = strlen(prefix);

	for (uint32_t i = 0; i < m->accounts; i++) {
		const struct str id = pawl__str_of(m->account[i].id);

		if (id.len == len + sku.len && memcmp(id.ptr, prefix, len) == 0 &&
		    memcmp(id.ptr + len, sku.ptr, sku.len) == 0)
			return i;
	}
	return MODEL_ACCOUNTS;
}

static bool is_live(const struct model_hold *h, int64_t now_us)
{
	return h->state == HOLD_HELD && now_us < h->expires_us;
}

int64_t model_held(const struct model *m, uint32_t account, int64_t now_us)
{
	int64_t held = 0;

	for (uint32_t i = 0; i < m->holds; i++) {
		if (m->hold[i].from == account && is_live(&m->hold[i], now_us))
			held += m->hold[i].amount - m->hold[i].captured;
	}
	return held;
}

static bool affords(const struct play *p, uint32_t account, int64_t amount)
{
	const struct model_account *a = &p->m->account[account];

	return !a->has_floor ||
	       a->balance - model_held(p->m, account, p->now_us) - a->floor >= amount;
}

static enum pawl_status pair(const struct play *p, uint32_t from, uint32_t to)
{
	if (from == MODEL_ACCOUNTS || to == MODEL_ACCOUNTS)
		return PAWL_E_NOT_FOUND;
	if (from == to || strcmp(p->m->account[from].unit, p->m->account[to].unit) != 0)
		return PAWL_E_INVALID;
	return PAWL_OK;
}

static void move(struct play *p, uint32_t from, uint32_t to, int64_t amount)
{
	p->m->account[from].balance -= amount;
	p->m->account[to].balance += amount;
	p->m->transfers++;
	(void)next_number(p);
}

static enum pawl_status transfer(struct play *p, uint32_t from, uint32_t to, int64_t amount)
{
	const enum pawl_status st = pair(p, from, to);

	if (st != PAWL_OK)
		return st;
	if (!affords(p, from, amount))
		return PAWL_E_INSUFFICIENT;
	move(p, from, to, amount);
	return PAWL_OK;
}

static enum pawl_status reserve(struct play *p, uint32_t from, uint32_t to, int64_t amount,
                                int64_t expires_us)
{
	const enum pawl_status st = pair(p, from, to);

	if (st != PAWL_OK)
		return st;
	if (!affords(p, from, amount))
		return PAWL_E_INSUFFICIENT;
	INVARIANT(p->m->holds < MODEL_HOLDS);
	p->m->hold[p->m->holds++] = (struct model_hold){ .number = next_number(p),
		                                         .from = from,
		                                         .to = to,
		                                         .amount = amount,
		                                         .expires_us = expires_us,
		                                         .state = HOLD_HELD };
	return PAWL_OK;
}

static struct model_hold *find_hold(struct play *p, int64_t number)
{
	for (uint32_t i = 0; i < p->m->holds; i++) {
		if (p->m->hold[i].number == number)
			return &p->m->hold[i];
	}
	return NULL;
}

static enum pawl_status capture(struct play *p, struct model_hold *h, int64_t amount, bool final)
{
	int64_t take;

	if (h == NULL)
		return PAWL_E_NOT_FOUND;
	if (h->state == HOLD_CAPTURED && (amount == 0 || amount == h->captured))
		return PAWL_OK;
	if (h->state != HOLD_HELD)
		return PAWL_E_HOLD_FINISHED;
	if (!is_live(h, p->now_us))
		return PAWL_E_HOLD_EXPIRED;
	take = amount == 0 ? h->amount - h->captured : amount;
	if (take > h->amount - h->captured)
		return PAWL_E_INSUFFICIENT;
	h->captured += take;
	if (final || h->captured == h->amount)
		h->state = HOLD_CAPTURED;
	move(p, h->from, h->to, take);
	return PAWL_OK;
}

static enum pawl_status release(const struct play *p, struct model_hold *h)
{
	if (h == NULL)
		return PAWL_E_NOT_FOUND;
	if (h->state == HOLD_RELEASED)
		return PAWL_OK;
	if (h->state == HOLD_CAPTURED)
		return PAWL_E_HOLD_FINISHED;
	if (!is_live(h, p->now_us))
		return PAWL_E_HOLD_EXPIRED;
	h->state = HOLD_RELEASED;
	return PAWL_OK;
}

static struct model_record *find_record(struct play *p, struct str key)
{
	for (uint32_t i = 0; i < p->m->records; i++) {
		if (str_eq(key, pawl__str_of(p->m->record[i].key)))
			return &p->m->record[i];
	}
	UNREACHABLE();
}

static enum pawl_status condition(const struct model_record *r, int64_t want)
{
	if (want == TX_VERSION_ANY)
		return PAWL_OK;
	if (want == TX_VERSION_NEW)
		return r->present ? PAWL_E_PRECONDITION_REQUIRED : PAWL_OK;
	if (want == TX_VERSION_EXISTS)
		return r->present ? PAWL_OK : PAWL_E_VERSION_MISMATCH;
	return want == (r->present ? r->version : 0) ? PAWL_OK : PAWL_E_VERSION_MISMATCH;
}

static enum pawl_status record(struct play *p, const struct op *op)
{
	struct model_record *r = find_record(p, op->u.record.key);
	enum pawl_status st;

	if (op->kind == OP_DELETE && !r->present &&
	    (op->u.record.if_version == TX_VERSION_ANY ||
	     op->u.record.if_version == TX_VERSION_NEW))
		return PAWL_E_NOT_FOUND;
	st = condition(r, op->u.record.if_version);
	if (st != PAWL_OK || op->kind == OP_CHECK)
		return st;
	r->present = op->kind == OP_PUT;
	r->version = p->revision;
	if (op->kind == OP_PUT) {
		INVARIANT(op->u.record.value.len < sizeof(r->value));
		memcpy(r->value, op->u.record.value.ptr, op->u.record.value.len);
		r->value[op->u.record.value.len] = '\0';
	}
	return PAWL_OK;
}

static enum pawl_status set_floor(struct play *p, const struct op *op)
{
	const uint32_t i = model_find(p->m, op->u.account.id);
	struct model_account *a = &p->m->account[i];

	if (strcmp(a->unit, "EUR") != 0)
		return PAWL_E_EXISTS;
	if (op->u.account.has_floor &&
	    a->balance - model_held(p->m, i, p->now_us) < op->u.account.floor)
		return PAWL_E_INSUFFICIENT;
	a->has_floor = op->u.account.has_floor;
	a->floor = op->u.account.floor;
	return PAWL_OK;
}

static enum pawl_status either(struct play *p, uint32_t from, uint32_t to, int64_t amount,
                               int64_t expires_us)
{
	return expires_us != 0 ? reserve(p, from, to, amount, expires_us)
	                       : transfer(p, from, to, amount);
}

static enum pawl_status order(struct play *p, const struct op *op)
{
	const bool held = op->u.order.hold_us > 0;
	struct model_order o = { .number = next_number(p),
		                 .state = held ? ORDER_HELD : ORDER_CONFIRMED,
		                 .first_hold = p->m->holds,
		                 .expires_us = held ? p->now_us + op->u.order.hold_us : 0 };
	enum pawl_status st = PAWL_OK;

	for (uint32_t i = 0; i < op->u.order.lines_len && st == PAWL_OK; i++)
		st = either(p, find_prefixed(p->m, "stock:", op->u.order.lines[i].sku),
		            find_prefixed(p->m, "sold:", op->u.order.lines[i].sku),
		            op->u.order.lines[i].quantity, o.expires_us);
	if (st == PAWL_OK && op->u.order.has_pay)
		st = either(p, model_find(p->m, op->u.order.pay_from),
		            model_find(p->m, op->u.order.pay_to), op->u.order.pay_amount,
		            o.expires_us);
	if (st != PAWL_OK)
		return st;
	o.holds = p->m->holds - o.first_hold;
	INVARIANT(p->m->orders < MODEL_ORDERS);
	p->m->order[p->m->orders++] = o;
	p->m->events++;
	(void)next_number(p);
	return PAWL_OK;
}

static enum pawl_status finish(struct play *p, const struct op *op)
{
	const enum order_state end = op->kind == OP_CONFIRM ? ORDER_CONFIRMED : ORDER_CANCELLED;
	enum pawl_status st = PAWL_OK;
	struct model_order *o = NULL;

	for (uint32_t i = 0; i < p->m->orders; i++) {
		if (p->m->order[i].number == op->u.order_number)
			o = &p->m->order[i];
	}
	if (o == NULL)
		return PAWL_E_NOT_FOUND;
	if (o->state == end)
		return PAWL_OK;
	if (o->state != ORDER_HELD)
		return PAWL_E_HOLD_FINISHED;
	if (p->now_us >= o->expires_us)
		return PAWL_E_HOLD_EXPIRED;
	for (uint32_t i = 0; i < o->holds && st == PAWL_OK; i++) {
		struct model_hold *h = &p->m->hold[o->first_hold + i];

		st = end == ORDER_CONFIRMED ? capture(p, h, 0, true) : release(p, h);
	}
	o->state = end;
	p->m->events++;
	(void)next_number(p);
	return st;
}

static enum pawl_status restock(struct play *p, const struct op *op)
{
	const uint32_t stock = find_prefixed(p->m, "stock:", op->u.item.sku);
	const uint32_t world = find_prefixed(p->m, "world:sku:", op->u.item.sku);

	if (stock == MODEL_ACCOUNTS)
		return PAWL_E_NOT_FOUND;
	move(p, world, stock, op->u.item.quantity);
	p->m->stocked += op->u.item.quantity;
	return PAWL_OK;
}

static enum pawl_status check(struct play *p, const struct op *op)
{
	uint32_t i;

	if (!op->is_account)
		return record(p, op);
	i = model_find(p->m, op->u.account.id);
	if (i == MODEL_ACCOUNTS)
		return PAWL_E_NOT_FOUND;
	return affords(p, i, op->u.account.available_min) ? PAWL_OK : PAWL_E_INSUFFICIENT;
}

static enum pawl_status play_op(struct play *p, const struct op *op)
{
	switch ((int)op->kind) {
	case OP_TRANSFER:
		return transfer(p, model_find(p->m, op->u.move.from),
		                model_find(p->m, op->u.move.to), op->u.move.amount);
	case OP_HOLD:
		return reserve(p, model_find(p->m, op->u.move.from),
		               model_find(p->m, op->u.move.to), op->u.move.amount,
		               p->now_us + op->u.move.ttl_us);
	case OP_CAPTURE:
		return capture(p, find_hold(p, op->u.hold.number), op->u.hold.amount,
		               op->u.hold.final);
	case OP_RELEASE:
		return release(p, find_hold(p, op->u.hold.number));
	case OP_PUT:
	case OP_DELETE:
		return record(p, op);
	case OP_CHECK:
		return check(p, op);
	case OP_EMIT:
		p->m->events++;
		(void)next_number(p);
		return PAWL_OK;
	case OP_ENQUEUE:
		p->m->jobs++;
		(void)next_number(p);
		return PAWL_OK;
	case OP_FENCE:
		return PAWL_E_FENCED; /* no lease is ever granted here */
	case OP_ACCOUNT:
		return set_floor(p, op);
	case OP_RESTOCK:
		return restock(p, op);
	case OP_ORDER:
		return order(p, op);
	case OP_CONFIRM:
	case OP_CANCEL:
		return finish(p, op);
	default:
		UNREACHABLE();
	}
}

struct model_verdict model_apply(struct model *m, const struct tx *tx, int64_t now_us,
                                 int64_t revision)
{
	struct model *copy = malloc(sizeof(*copy));
	struct play p = { .m = copy, .now_us = now_us, .revision = revision };
	struct model_verdict v = { .code = PAWL_OK };

	INVARIANT(copy != NULL);
	*copy = *m;
	for (uint32_t i = 0; i < tx->ops_len && v.code == PAWL_OK; i++)
		v = (struct model_verdict){ play_op(&p, &tx->ops[i]), i };
	if (v.code == PAWL_OK)
		*m = *copy;
	free(copy);
	return v;
}
