/* SPDX-License-Identifier: Apache-2.0 */
#include "core/answer.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/id.h"
#include "core/account.h"
#include "core/hold.h"

const char *pawl__hold_state_name(enum hold_state st)
{
	static const char *const names[] = { "held", "captured", "released", "expired" };

	PRE((size_t)st < ARRAY_LEN(names));
	return names[st];
}

const char *pawl__order_state_name(enum order_state st)
{
	static const char *const names[] = { "held", "confirmed", "cancelled", "expired" };

	PRE((size_t)st < ARRAY_LEN(names));
	return names[st];
}

/* name is the literal up to the value: ,"held": */
#define MEMBER_NUM(b, name, v) (buf_lit((b), name), pawl__buf_i64((b), (v)))
#define MEMBER_STR(b, name, v) (buf_lit((b), name), pawl__buf_json((b), (v)))

static void member_id(struct buf *b, int64_t number)
{
	buf_lit(b, "{\"id\":\"");
	pawl__id_format(b, number);
	pawl__buf_putc(b, '"');
}

static void member_expires(struct buf *b, int64_t us)
{
	buf_lit(b, ",\"expires_at\":\"");
	pawl__clock_format(b, us);
	pawl__buf_putc(b, '"');
}

static void num_or_null(struct buf *b, bool is, int64_t v)
{
	if (is)
		pawl__buf_i64(b, v);
	else
		buf_lit(b, "null");
}

void pawl__json_account(struct buf *b, const struct account *a)
{
	int64_t available = 0;
	const bool limited = pawl__account_available(a, &available);

	MEMBER_STR(b, "{\"id\":", a->id);
	MEMBER_STR(b, ",\"unit\":", a->unit);
	MEMBER_NUM(b, ",\"balance\":", a->balance);
	MEMBER_NUM(b, ",\"held\":", a->held);
	buf_lit(b, ",\"available\":");
	num_or_null(b, limited, available);
	buf_lit(b, ",\"floor\":");
	num_or_null(b, limited, a->floor);
	MEMBER_NUM(b, ",\"version\":", a->version);
	pawl__buf_putc(b, '}');
}

void pawl__json_hold(struct buf *b, const struct hold *h, int64_t now_us)
{
	member_id(b, h->number);
	MEMBER_STR(b,
	           ",\"state\":", pawl__str_of(pawl__hold_state_name(pawl__hold_state(h, now_us))));
	MEMBER_STR(b, ",\"from\":", h->from);
	MEMBER_STR(b, ",\"to\":", h->to);
	MEMBER_NUM(b, ",\"amount\":", h->amount);
	MEMBER_NUM(b, ",\"captured\":", h->captured);
	member_expires(b, h->expires_us);
	MEMBER_NUM(b, ",\"version\":", h->version);
	pawl__buf_putc(b, '}');
}

void pawl__json_order(struct buf *b, const struct order *o, int64_t now_us)
{
	const bool live = o->state == ORDER_HELD;
	const enum order_state st = live && now_us >= o->expires_us ? ORDER_EXPIRED : o->state;

	member_id(b, o->number);
	MEMBER_STR(b, ",\"state\":", pawl__str_of(pawl__order_state_name(st)));
	pawl__buf_putc(b, ',');
	buf_str(b, o->body);
	if (live)
		member_expires(b, o->expires_us);
	MEMBER_NUM(b, ",\"version\":", o->version);
	pawl__buf_putc(b, '}');
}

void pawl__json_order_body(struct buf *b, const struct op *op, struct str customer)
{
	buf_lit(b, "\"lines\":[");
	for (uint32_t i = 0; i < op->u.order.lines_len; i++) {
		if (i > 0)
			pawl__buf_putc(b, ',');
		MEMBER_STR(b, "{\"sku\":", op->u.order.lines[i].sku);
		MEMBER_NUM(b, ",\"quantity\":", op->u.order.lines[i].quantity);
		pawl__buf_putc(b, '}');
	}
	pawl__buf_putc(b, ']');
	if (customer.ptr != NULL)
		MEMBER_STR(b, ",\"customer\":", customer);
	if (op->u.order.has_pay) {
		MEMBER_STR(b, ",\"pay\":{\"from\":", op->u.order.pay_from);
		MEMBER_STR(b, ",\"to\":", op->u.order.pay_to);
		MEMBER_NUM(b, ",\"amount\":", op->u.order.pay_amount);
		pawl__buf_putc(b, '}');
	}
}

void pawl__json_transfer(struct buf *b, const struct transfer *t)
{
	member_id(b, t->number);
	MEMBER_STR(b, ",\"from\":", t->from->id);
	MEMBER_STR(b, ",\"to\":", t->to->id);
	MEMBER_NUM(b, ",\"amount\":", t->amount);
	pawl__buf_putc(b, '}');
}

void pawl__json_item(struct buf *b, struct str sku, const struct account *stock,
                     const struct account *sold)
{
	int64_t available = 0;

	if (!pawl__account_available(stock, &available))
		available = stock->balance - stock->held;
	MEMBER_STR(b, "{\"sku\":", sku);
	MEMBER_NUM(b, ",\"available\":", available);
	MEMBER_NUM(b, ",\"held\":", stock->held);
	MEMBER_NUM(b, ",\"sold\":", sold->balance);
	MEMBER_NUM(b, ",\"version\":",
	           stock->version > sold->version ? stock->version : sold->version);
	pawl__buf_putc(b, '}');
}

void pawl__json_answer(struct buf *b, struct str key, const struct answer *a)
{
	MEMBER_STR(b, "{\"key\":", key);
	if (a == NULL) {
		buf_lit(b, ",\"state\":\"unknown\"}");
		return;
	}
	MEMBER_STR(b, ",\"state\":", pawl__str_of(a->code == PAWL_OK ? "committed" : "refused"));
	MEMBER_NUM(b, ",\"status\":", a->http);
	MEMBER_STR(b, ",\"code\":", pawl__str_of(pawl__status_row(a->code)->code));
	MEMBER_NUM(b, ",\"revision\":", a->revision);
	buf_lit(b, ",\"at\":\"");
	pawl__clock_format(b, a->at_us);
	pawl__buf_putc(b, '"');
	if (a->location.len > 0)
		MEMBER_STR(b, ",\"location\":", a->location);
	buf_lit(b, ",\"body\":");
	if (a->body.len > 0)
		buf_str(b, a->body);
	else
		buf_lit(b, "null");
	pawl__buf_putc(b, '}');
}

/* The members that API.md gives to each code. */
static void problem_members(struct buf *b, const struct problem *p)
{
	/* Only these codes have any; all others say it with code and detail. */
	if (p->code == PAWL_E_INSUFFICIENT) {
		MEMBER_STR(b, ",\"account\":", p->name);
		buf_lit(b, ",\"available\":");
		num_or_null(b, !p->unlimited, p->a);
		MEMBER_NUM(b, ",\"requested\":", p->b);
	} else if (p->code == PAWL_E_HOLD_EXPIRED || p->code == PAWL_E_HOLD_FINISHED) {
		MEMBER_STR(b, ",\"hold\":", p->name);
		MEMBER_STR(b, ",\"state\":", p->state);
	} else if (p->code == PAWL_E_FENCED) {
		MEMBER_STR(b, ",\"lock\":", p->name);
		MEMBER_NUM(b, ",\"token\":", p->a);
		MEMBER_NUM(b, ",\"current\":", p->b);
	} else if (p->code == PAWL_E_VERSION_MISMATCH || p->code == PAWL_E_PRECONDITION_REQUIRED) {
		MEMBER_STR(b, ",\"key\":", p->name);
		MEMBER_NUM(b, ",\"current_version\":", p->a);
	}
}

void pawl__json_problem(struct buf *b, const struct problem *p)
{
	const struct status_row *row = pawl__status_row(p->code);
	const struct str detail = p->detail.len > 0 ? p->detail : pawl__str_of(row->text);

	buf_lit(b, "{\"type\":\"urn:pawl:problem:");
	buf_str(b, pawl__str_of(row->code));
	MEMBER_STR(b, "\",\"title\":", pawl__str_of(row->text));
	MEMBER_NUM(b, ",\"status\":", row->http);
	MEMBER_STR(b, ",\"detail\":", detail);
	MEMBER_STR(b, ",\"code\":", pawl__str_of(row->code));
	buf_lit(b, ",\"retryable\":");
	if (row->retry == PAWL_RETRY_NEVER)
		buf_lit(b, "false");
	else
		buf_lit(b, "true");
	if (p->request_id.len > 0)
		MEMBER_STR(b, ",\"request_id\":", p->request_id);
	if (p->op >= 0)
		MEMBER_NUM(b, ",\"op\":", p->op);
	problem_members(b, p);
	if (p->code == PAWL_E_INVALID) {
		MEMBER_STR(b, ",\"errors\":[{\"pointer\":", p->pointer);
		MEMBER_STR(b, ",\"detail\":", detail);
		buf_lit(b, "}]");
	}
	pawl__buf_putc(b, '}');
}
