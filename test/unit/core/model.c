/* SPDX-License-Identifier: Apache-2.0 */
#include "model.h"

#include <string.h>

typedef __int128 wide;

const char *const m_account_ids[M_ACCOUNTS] = {
	"a0",        "a1",        "a2",           "a3",       "a4",      "a5",
	"world:EUR", "world:USD", "nobody",       "stock:s0", "sold:s0", "world:sku:s0",
	"stock:s1",  "sold:s1",   "world:sku:s1", "stock:s2", "sold:s2", "world:sku:s2",
};
const char *const m_skus[M_SKUS] = { "s0", "s1", "s2" };
const char *const m_record_keys[M_RECORDS] = { "r0", "r1", "r2", "r3" };
const char *const m_lease_names[M_LEASES] = { "l0", "l1" };

static bool is(struct str s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.ptr, text, s.len) == 0;
}

static int index_of(struct str s, const char *const *names, int len)
{
	for (int i = 0; i < len; i++) {
		if (is(s, names[i]))
			return i;
	}
	return -1;
}

int m_account_index(struct str id)
{
	return index_of(id, m_account_ids, M_ACCOUNTS);
}

static bool fits(wide v)
{
	return v >= INT64_MIN && v <= INT64_MAX;
}

/* One transaction at work. */
struct work {
	struct model m;
	const struct tx *tx;
	int64_t now_us;
	int64_t revision;
	uint32_t created;
	bool changed;
	struct verdict v;
};

static int64_t number(struct work *w)
{
	w->changed = true;
	return w->revision << ROW_NUMBER_BITS | (int64_t)w->created++;
}

static bool world(int at)
{
	return strncmp(m_account_ids[at], "world:", 6) == 0;
}

/* Behind the first colon: of a world account the unit. */
static const char *tail(int at)
{
	const char *colon = strchr(m_account_ids[at], ':');

	return colon == NULL ? "" : colon + 1;
}

static void unit_set(struct m_account *a, const char *unit)
{
	memcpy(a->unit, unit, strlen(unit) + 1);
}

/* The account, or NULL; a world account springs into being. */
static struct m_account *account(struct work *w, struct str id)
{
	const int at = m_account_index(id);
	struct m_account *a = at < 0 ? NULL : &w->m.account[at];

	if (a == NULL || (!a->present && !world(at)))
		return NULL;
	if (!a->present) {
		*a = (struct m_account){ .present = true, .version = w->revision };
		w->changed = true;
		unit_set(a, tail(at));
	}
	return a;
}

static enum pawl_status post(struct work *w, struct m_account *a, wide balance, wide held)
{
	const wide b = a->balance + balance, h = a->held + held;

	/* First what the account allows, then what the numbers can hold. */
	if (a->has_floor && b - h < a->floor) {
		const wide left = (wide)a->balance - a->held - a->floor;

		w->v.available = left > INT64_MAX ? INT64_MAX : (int64_t)left;
		return PAWL_E_INSUFFICIENT;
	}
	if (!fits(b) || !fits(h) || !fits(b - h))
		return PAWL_E_INVALID;
	a->balance = (int64_t)b;
	a->held = (int64_t)h;
	a->version = w->revision;
	w->changed = true;
	return PAWL_OK;
}

static enum pawl_status both(struct work *w, struct str from, struct str to, struct m_account **f,
                             struct m_account **t)
{
	*f = account(w, from);
	*t = account(w, to);
	if (*f == NULL || *t == NULL)
		return PAWL_E_NOT_FOUND;
	if (*f == *t || strcmp((*f)->unit, (*t)->unit) != 0)
		return PAWL_E_INVALID;
	return PAWL_OK;
}

static enum pawl_status transfer(struct work *w, struct str from, struct str to, int64_t amount)
{
	struct m_account *f, *t;
	enum pawl_status st = both(w, from, to, &f, &t);

	w->v.requested = amount;
	if (st == PAWL_OK)
		st = post(w, f, -(wide)amount, 0);
	if (st == PAWL_OK)
		st = post(w, t, amount, 0);
	if (st == PAWL_OK) {
		(void)number(w);
		w->m.transfers++;
	}
	return st;
}

static enum pawl_status hold(struct work *w, struct str from, struct str to, int64_t amount,
                             int64_t ttl_us)
{
	struct m_account *f, *t;
	enum pawl_status st = both(w, from, to, &f, &t);

	w->v.requested = amount;
	if (st == PAWL_OK)
		st = post(w, f, 0, amount);
	if (st == PAWL_OK)
		w->m.hold[w->m.holds++] = (struct m_hold){
			.number = number(w),
			.from = m_account_index(from),
			.to = m_account_index(to),
			.amount = amount,
			.expires_us = w->now_us + ttl_us,
			.version = w->revision,
			.state = HOLD_HELD,
		};
	return st;
}

static struct m_hold *hold_find(struct work *w, int64_t n)
{
	for (uint32_t i = 0; i < w->m.holds; i++) {
		if (w->m.hold[i].number == n)
			return &w->m.hold[i];
	}
	return NULL;
}

/* take leaves for good, give is free again. */
static enum pawl_status hold_move(struct work *w, struct m_hold *h, int64_t take, int64_t give)
{
	enum pawl_status st = post(w, &w->m.account[h->from], -(wide)take, -(wide)take - give);

	if (st == PAWL_OK && take > 0) {
		st = post(w, &w->m.account[h->to], take, 0);
		(void)number(w);
		w->m.transfers++;
	}
	h->version = w->revision;
	w->changed = true;
	return st;
}

static enum pawl_status capture(struct work *w, int64_t n, int64_t amount, bool final)
{
	struct m_hold *h = hold_find(w, n);
	const int64_t left = h == NULL ? 0 : h->amount - h->captured;
	int64_t give;

	if (h == NULL)
		return PAWL_E_NOT_FOUND;
	if (h->state == HOLD_EXPIRED)
		return PAWL_E_HOLD_EXPIRED;
	if (h->state == HOLD_CAPTURED && (amount == 0 || amount == h->captured))
		return PAWL_OK;
	if (h->state != HOLD_HELD)
		return PAWL_E_HOLD_FINISHED;
	if (amount == 0)
		amount = left;
	if (amount > left)
		return PAWL_E_INSUFFICIENT;
	give = final ? left - amount : 0;
	h->captured += amount;
	if (final || h->captured == h->amount)
		h->state = HOLD_CAPTURED;
	return hold_move(w, h, amount, give);
}

static enum pawl_status release(struct work *w, int64_t n)
{
	struct m_hold *h = hold_find(w, n);

	if (h == NULL)
		return PAWL_E_NOT_FOUND;
	if (h->state == HOLD_EXPIRED)
		return PAWL_E_HOLD_EXPIRED;
	if (h->state == HOLD_CAPTURED)
		return PAWL_E_HOLD_FINISHED;
	if (h->state == HOLD_RELEASED)
		return PAWL_OK;
	h->state = HOLD_RELEASED;
	return hold_move(w, h, 0, h->amount - h->captured);
}

static enum pawl_status condition(struct work *w, const struct m_record *r, int64_t if_version)
{
	w->v.current = r->present ? r->version : 0;
	switch (if_version) {
	case TX_VERSION_ANY:
		return PAWL_OK;
	case TX_VERSION_EXISTS:
		return r->present ? PAWL_OK : PAWL_E_VERSION_MISMATCH;
	case TX_VERSION_ABSENT:
		return r->present ? PAWL_E_VERSION_MISMATCH : PAWL_OK;
	case TX_VERSION_NEW:
		return r->present ? PAWL_E_PRECONDITION_REQUIRED : PAWL_OK;
	default:
		return r->present && r->version == if_version ? PAWL_OK : PAWL_E_VERSION_MISMATCH;
	}
}

static enum pawl_status record_op(struct work *w, const struct op *op)
{
	struct m_record *r = &w->m.record[index_of(op->u.record.key, m_record_keys, M_RECORDS)];
	enum pawl_status st;

	if (op->kind == OP_DELETE && !r->present && op->u.record.if_version == TX_VERSION_ANY)
		return PAWL_E_NOT_FOUND;
	st = condition(w, r, op->u.record.if_version);
	if (st != PAWL_OK || op->kind == OP_CHECK)
		return st;
	*r = (struct m_record){ .present = op->kind == OP_PUT, .version = w->revision };
	if (r->present)
		memcpy(r->value, op->u.record.value.ptr, op->u.record.value.len);
	w->changed = true;
	return PAWL_OK;
}

static enum pawl_status check_account(struct work *w, const struct op *op)
{
	const int at = m_account_index(op->u.account.id);
	const struct m_account *a = &w->m.account[at];
	const wide left = (wide)a->balance - a->held - a->floor;

	if (!a->present && !world(at))
		return PAWL_E_NOT_FOUND;
	w->v.requested = op->u.account.available_min;
	w->v.available = left > INT64_MAX ? INT64_MAX : (int64_t)left;
	return a->has_floor && left < op->u.account.available_min ? PAWL_E_INSUFFICIENT : PAWL_OK;
}

static enum pawl_status open_account(struct work *w, const struct op *op)
{
	const int at = m_account_index(op->u.account.id);
	struct m_account *a = &w->m.account[at];
	const bool has_floor = op->u.account.has_floor;
	const int64_t floor = has_floor ? op->u.account.floor : 0;

	/* What it is anyway may be asked for. */
	if (world(at) && (has_floor || !is(op->u.account.unit, tail(at))))
		return PAWL_E_INVALID;
	if (a->present && !is(op->u.account.unit, a->unit))
		return PAWL_E_EXISTS;
	if (has_floor && (wide)a->balance - a->held < floor) {
		/* Against a floor of zero: what is there, and where it may not fall below. */
		w->v.available = (int64_t)((wide)a->balance - a->held);
		w->v.requested = floor;
		return PAWL_E_INSUFFICIENT;
	}
	if (a->present && a->has_floor == has_floor && a->floor == floor)
		return PAWL_OK;
	if (!a->present)
		memcpy(a->unit, op->u.account.unit.ptr, op->u.account.unit.len);
	a->present = true;
	a->has_floor = has_floor;
	a->floor = floor;
	a->version = w->revision;
	w->changed = true;
	return PAWL_OK;
}

static struct str stock_id(int sku)
{
	const char *id = m_account_ids[9 + 3 * sku];

	return (struct str){ id, strlen(id) };
}

static struct str sold_id(int sku)
{
	const char *id = m_account_ids[9 + 3 * sku + 1];

	return (struct str){ id, strlen(id) };
}

static enum pawl_status item_op(struct work *w, const struct op *op)
{
	const int sku = index_of(op->u.item.sku, m_skus, M_SKUS);
	struct m_account *stock = &w->m.account[9 + 3 * sku], *sold = stock + 1;
	const char *outside = m_account_ids[9 + 3 * sku + 2];

	if (op->kind == OP_ITEM && stock->present)
		return PAWL_E_EXISTS;
	if (op->kind == OP_RESTOCK && !stock->present)
		return PAWL_E_NOT_FOUND;
	if (op->kind == OP_ITEM) {
		*stock = (struct m_account){ .present = true, .has_floor = true };
		unit_set(stock, tail(9 + 3 * sku + 2));
		stock->version = w->revision;
		*sold = *stock;
		w->changed = true;
	}
	if (op->u.item.quantity == 0)
		return PAWL_OK;
	return transfer(w, (struct str){ outside, strlen(outside) }, stock_id(sku),
	                op->u.item.quantity);
}

static enum pawl_status part(struct work *w, struct str from, struct str to, int64_t amount,
                             int64_t hold_us)
{
	return hold_us > 0 ? hold(w, from, to, amount, hold_us) : transfer(w, from, to, amount);
}

static enum pawl_status order(struct work *w, const struct op *op)
{
	const int64_t hold_us = op->u.order.hold_us;
	struct m_order *o = &w->m.order[w->m.orders++];
	enum pawl_status st = PAWL_OK;

	*o = (struct m_order){ .number = number(w), .version = w->revision };
	o->state = hold_us > 0 ? ORDER_HELD : ORDER_CONFIRMED;
	o->expires_us = hold_us > 0 ? w->now_us + hold_us : 0;
	o->holds = hold_us > 0 ? op->u.order.lines_len + (op->u.order.has_pay ? 1 : 0) : 0;
	for (uint32_t i = 0; i < op->u.order.lines_len && st == PAWL_OK; i++) {
		const int sku = index_of(op->u.order.lines[i].sku, m_skus, M_SKUS);

		if (sku < 0 || !w->m.account[9 + 3 * sku].present)
			return PAWL_E_NOT_FOUND;
		st = part(w, stock_id(sku), sold_id(sku), op->u.order.lines[i].quantity, hold_us);
	}
	if (st == PAWL_OK && op->u.order.has_pay)
		st = part(w, op->u.order.pay_from, op->u.order.pay_to, op->u.order.pay_amount,
		          hold_us);
	if (st == PAWL_OK)
		w->m.events++;
	return st;
}

static enum pawl_status finish(struct work *w, const struct op *op)
{
	const bool confirm = op->kind == OP_CONFIRM;
	const enum order_state want = confirm ? ORDER_CONFIRMED : ORDER_CANCELLED;
	struct m_order *o = NULL;
	enum pawl_status st = PAWL_OK;

	for (uint32_t i = 0; i < w->m.orders; i++) {
		if (w->m.order[i].number == op->u.order_number)
			o = &w->m.order[i];
	}
	if (o == NULL)
		return PAWL_E_NOT_FOUND;
	if (o->state == want)
		return PAWL_OK;
	if (o->state != ORDER_HELD)
		return PAWL_E_HOLD_FINISHED;
	if (w->now_us >= o->expires_us)
		return PAWL_E_HOLD_EXPIRED;
	for (uint32_t i = 1; i <= o->holds && st == PAWL_OK; i++)
		st = confirm ? capture(w, o->number + i, 0, true) : release(w, o->number + i);
	o->state = want;
	o->version = w->revision;
	w->changed = true;
	w->m.events++;
	return st;
}

static enum pawl_status step(struct work *w, const struct op *op)
{
	switch (op->kind) {
	case OP_TRANSFER:
		return transfer(w, op->u.move.from, op->u.move.to, op->u.move.amount);
	case OP_HOLD:
		return hold(w, op->u.move.from, op->u.move.to, op->u.move.amount,
		            op->u.move.ttl_us);
	case OP_CAPTURE:
		return capture(w, op->u.hold.number, op->u.hold.amount, op->u.hold.final);
	case OP_RELEASE:
		return release(w, op->u.hold.number);
	case OP_PUT:
	case OP_DELETE:
		return record_op(w, op);
	case OP_CHECK:
		return op->is_account ? check_account(w, op) : record_op(w, op);
	case OP_EMIT:
		(void)number(w);
		w->m.events++;
		return PAWL_OK;
	case OP_ENQUEUE:
		(void)number(w);
		w->m.jobs++;
		return PAWL_OK;
	case OP_FENCE:
		w->v.current = w->m.token[index_of(op->u.fence.name, m_lease_names, M_LEASES)];
		return w->v.current == op->u.fence.token ? PAWL_OK : PAWL_E_FENCED;
	case OP_ACCOUNT:
		return open_account(w, op);
	case OP_ITEM:
	case OP_RESTOCK:
		return item_op(w, op);
	case OP_ORDER:
		return order(w, op);
	case OP_CONFIRM:
	case OP_CANCEL:
		return finish(w, op);
	case OP_TOUCH:
		break;
	}
	return PAWL_OK;
}

void model_expire(struct model *m, int64_t now_us)
{
	for (uint32_t i = 0; i < m->holds; i++) {
		struct m_hold *h = &m->hold[i];

		if (h->state != HOLD_HELD || now_us < h->expires_us)
			continue;
		h->state = HOLD_EXPIRED;
		m->account[h->from].held -= h->amount - h->captured;
	}
}

struct verdict model_apply(struct model *m, const struct tx *tx, int64_t now_us)
{
	static struct work w;

	w = (struct work){ .tx = tx, .now_us = now_us, .revision = m->revision + 1 };
	w.m = *m;
	w.v.op = -1;
	for (uint32_t i = 0; i < tx->ops_len; i++) {
		w.v.code = step(&w, &tx->ops[i]);
		if (w.v.code != PAWL_OK) {
			w.v.op = (int32_t)i;
			return w.v;
		}
	}
	if (w.changed)
		w.m.revision = w.revision;
	w.v.revision = w.m.revision;
	*m = w.m;
	return w.v;
}

const char *model_broken(const struct model *m, int64_t now_us)
{
	wide held[M_ACCOUNTS] = { 0 };

	for (uint32_t i = 0; i < m->holds; i++) {
		const struct m_hold *h = &m->hold[i];

		if (h->captured < 0 || h->captured > h->amount)
			return "captured is between 0 and the amount";
		if (h->state == HOLD_HELD && now_us < h->expires_us)
			held[h->from] += h->amount - h->captured;
	}
	for (int i = 0; i < M_ACCOUNTS; i++) {
		const struct m_account *a = &m->account[i];
		wide sum = 0;

		if (a->held != held[i])
			return "held is the sum of the live holds";
		if (a->has_floor && (wide)a->balance - a->held < a->floor)
			return "the floor holds";
		for (int j = 0; j < M_ACCOUNTS; j++) {
			if (strcmp(m->account[j].unit, a->unit) == 0)
				sum += m->account[j].balance;
		}
		if (sum != 0)
			return "each unit sums to zero";
	}
	return NULL;
}
