/* SPDX-License-Identifier: Apache-2.0 */
/* Reads: a working set of a row or two, filled from one committed snapshot. */
#include "api/api.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/id.h"
#include "core/account.h"
#include "core/answer.h"
#include "core/hold.h"

#define READ_BLOCK 2048u
#define READ_MAX   ((size_t)16 * 1024 * 1024) /* a remembered answer may be long */

/* core's states and the public ones are the same numbers. */
static_assert((int)PAWL_HOLD_HELD == (int)HOLD_HELD &&
                      (int)PAWL_HOLD_CAPTURED == (int)HOLD_CAPTURED &&
                      (int)PAWL_HOLD_RELEASED == (int)HOLD_RELEASED &&
                      (int)PAWL_HOLD_EXPIRED == (int)HOLD_EXPIRED,
              "states of holds");
static_assert((int)PAWL_ORDER_HELD == (int)ORDER_HELD &&
                      (int)PAWL_ORDER_CONFIRMED == (int)ORDER_CONFIRMED &&
                      (int)PAWL_ORDER_CANCELLED == (int)ORDER_CANCELLED &&
                      (int)PAWL_ORDER_EXPIRED == (int)ORDER_EXPIRED,
              "states of orders");
static_assert(PAWL_ACCOUNT_ID_MAX == ROW_ID_MAX, "the longest account id");

struct reading {
	struct pawl *p;
	struct arena arena;
	struct ws ws;
};

static void reading_end(struct reading *r)
{
	pawl__arena_deinit(&r->arena);
}

static void reading_begin(struct reading *r, struct pawl *p)
{
	PRE(p != NULL);
	r->p = p;
	pawl__arena_init(&r->arena, READ_BLOCK, READ_MAX);
	pawl__ws_init(&r->ws, &r->arena, 0, 1);
}

/* Load what was wanted. */
static enum pawl_status reading_run(struct reading *r, struct pawl_error *err)
{
	enum pawl_status st;

	if (r->ws.failed)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory to read");
	if (!pawl__gate_enter(r->p, err))
		return PAWL_E_DRAINING;
	st = pawl__engine_read(r->p->engine, &r->ws, err);
	pawl__gate_leave(r->p);
	return st;
}

/* text: at least s.len + 1 bytes; what would not fit is a broken store. */
static bool text_put(char *text, size_t size, struct str s)
{
	if (s.len >= size)
		return false;
	if (s.len > 0)
		memcpy(text, s.ptr, s.len);
	text[s.len] = '\0';
	return true;
}

static void id_put(char text[PAWL_ID_TEXT_SIZE], int64_t number)
{
	struct buf b;

	pawl__buf_init_fixed(&b, text, PAWL_ID_TEXT_SIZE);
	pawl__id_format(&b, number);
	pawl__buf_putc(&b, '\0');
	POST(!b.overflow);
}

static enum pawl_status id_take(struct str text, const char *what, int64_t *ret,
                                struct pawl_error *err)
{
	if (!pawl__id_parse(text, ret))
		return pawl__error_set(err, PAWL_E_INVALID, "not the id of %s", what);
	return PAWL_OK;
}

static enum pawl_status not_found(const char *what, struct pawl_error *err)
{
	return pawl__error_set(err, PAWL_E_NOT_FOUND, "no such %s", what);
}

enum pawl_status pawl_account_get(struct pawl *p, const char *id, struct pawl_account *ret,
                                  struct pawl_error *err)
{
	PAWL_CLEANUP(reading_end) struct reading r;
	const struct str text = pawl__text(id, PAWL_ACCOUNT_ID_MAX);
	struct pawl_account out = { .available = INT64_MAX };
	const struct ws_entry *e;
	struct account world;
	const struct account *a;
	enum pawl_status st;

	PRE(ret != NULL);
	reading_begin(&r, p);
	if (!pawl__str_visible(text, PAWL_ACCOUNT_ID_MAX, false))
		return pawl__error_set(err, PAWL_E_INVALID, "not the id of an account");
	e = pawl__ws_want(&r.ws, ROW_ACCOUNT, text);
	st = reading_run(&r, err);
	if (st != PAWL_OK)
		return st;
	world = (struct account){ .id = text, .unit = pawl__account_world_unit(text) };
	a = e->present ? &e->row.account : &world;
	if (!e->present && world.unit.len == 0)
		return not_found("account", err);
	if (!text_put(out.id, sizeof(out.id), a->id) ||
	    !text_put(out.unit, sizeof(out.unit), a->unit))
		return pawl__error_set(err, PAWL_E_CORRUPT, "an account's id or unit is too long");
	out.balance = a->balance;
	out.held = a->held;
	out.has_floor = a->has_floor;
	out.floor = a->floor;
	out.version = a->version;
	(void)pawl__account_available(a, &out.available);
	*ret = out;
	return PAWL_OK;
}

enum pawl_status pawl_hold_get(struct pawl *p, const char *id, struct pawl_hold *ret,
                               struct pawl_error *err)
{
	PAWL_CLEANUP(reading_end) struct reading r;
	struct pawl_hold out = { .version = 0 };
	const struct ws_entry *e;
	const struct hold *h;
	int64_t number;
	enum pawl_status st;

	PRE(ret != NULL);
	reading_begin(&r, p);
	st = id_take(pawl__text(id, ID_TEXT_LEN), "a hold", &number, err);
	if (st != PAWL_OK)
		return st;
	e = pawl__ws_want_number(&r.ws, ROW_HOLD, number);
	st = reading_run(&r, err);
	if (st != PAWL_OK)
		return st;
	if (!e->present)
		return not_found("hold", err);
	h = &e->row.hold;
	id_put(out.id, number);
	if (!text_put(out.from, sizeof(out.from), h->from) ||
	    !text_put(out.to, sizeof(out.to), h->to))
		return pawl__error_set(err, PAWL_E_CORRUPT, "an account's id is too long");
	out.amount = h->amount;
	out.captured = h->captured;
	out.expires_us = h->expires_us;
	out.state = (enum pawl_hold_state)pawl__hold_state(h, r.ws.now_us);
	out.version = h->version;
	*ret = out;
	return PAWL_OK;
}

/* Room for prefix and SKU; false: not a SKU. */
static bool item_account(struct buf *b, char text[PAWL_ACCOUNT_ID_MAX], struct str prefix,
                         struct str sku)
{
	pawl__buf_init_fixed(b, text, PAWL_ACCOUNT_ID_MAX);
	buf_str(b, prefix);
	buf_str(b, sku);
	return !b->overflow;
}

enum pawl_status pawl_item_get(struct pawl *p, const char *sku, struct pawl_item *ret,
                               struct pawl_error *err)
{
	PAWL_CLEANUP(reading_end) struct reading r;
	const struct str text = pawl__text(sku, PAWL_ID_MAX);
	char stock_id[PAWL_ACCOUNT_ID_MAX], sold_id[PAWL_ACCOUNT_ID_MAX];
	struct pawl_item out = { .version = 0 };
	const struct ws_entry *stock, *sold;
	struct buf stock_text, sold_text;
	enum pawl_status st;

	PRE(ret != NULL);
	reading_begin(&r, p);
	if (!pawl__str_visible(text, PAWL_ID_MAX, false) ||
	    !item_account(&stock_text, stock_id, STR("stock:"), text) ||
	    !item_account(&sold_text, sold_id, STR("sold:"), text))
		return pawl__error_set(err, PAWL_E_INVALID, "not a SKU");
	stock = pawl__ws_want(&r.ws, ROW_ACCOUNT, buf_get(&stock_text));
	sold = pawl__ws_want(&r.ws, ROW_ACCOUNT, buf_get(&sold_text));
	st = reading_run(&r, err);
	if (st != PAWL_OK)
		return st;
	if (!stock->present || !sold->present)
		return not_found("item", err);
	if (!text_put(out.sku, sizeof(out.sku), text))
		UNREACHABLE();
	(void)pawl__account_available(&stock->row.account, &out.available);
	out.held = stock->row.account.held;
	out.sold = sold->row.account.balance;
	out.version = stock->row.account.version;
	if (sold->row.account.version > out.version)
		out.version = sold->row.account.version;
	*ret = out;
	return PAWL_OK;
}

static enum pawl_status order_take(struct reading *r, const struct order *o,
                                   struct pawl_order_row **ret, struct pawl_error *err)
{
	struct pawl_order_row *row;
	struct buf json;
	char *text;

	pawl__buf_init(&json, READ_MAX);
	pawl__json_order(&json, o, r->ws.now_us);
	row = json.overflow ? NULL : malloc(sizeof(*row) + json.len + 1);
	if (row == NULL) {
		pawl__buf_deinit(&json);
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for an order");
	}
	text = (char *)(row + 1);
	(void)text_put(text, json.len + 1, buf_get(&json));
	*row = (struct pawl_order_row){
		.state = (enum pawl_order_state)o->state,
		.expires_us = o->expires_us,
		.version = o->version,
		.json = text,
		.json_len = json.len,
	};
	if (o->state == ORDER_HELD && o->expires_us > 0 && r->ws.now_us >= o->expires_us)
		row->state = PAWL_ORDER_EXPIRED;
	id_put(row->id, o->number);
	pawl__buf_deinit(&json);
	*ret = row;
	return PAWL_OK;
}

enum pawl_status pawl_order_get(struct pawl *p, const char *id, struct pawl_order_row **ret,
                                struct pawl_error *err)
{
	PAWL_CLEANUP(reading_end) struct reading r;
	const struct ws_entry *e;
	int64_t number;
	enum pawl_status st;

	PRE(ret != NULL);
	reading_begin(&r, p);
	st = id_take(pawl__text(id, ID_TEXT_LEN), "an order", &number, err);
	if (st != PAWL_OK)
		return st;
	e = pawl__ws_want_number(&r.ws, ROW_ORDER, number);
	st = reading_run(&r, err);
	if (st != PAWL_OK)
		return st;
	return e->present ? order_take(&r, &e->row.order, ret, err) : not_found("order", err);
}

void pawl_order_free(struct pawl_order_row *order)
{
	free(order);
}

enum pawl_status pawl_record_get(struct pawl *p, const char *key, struct pawl_record **ret,
                                 struct pawl_error *err)
{
	PAWL_CLEANUP(reading_end) struct reading r;
	const struct str text = pawl__text(key, PAWL_ID_MAX);
	struct pawl_record *record;
	const struct ws_entry *e;
	struct str value;
	char *copy;
	enum pawl_status st;

	PRE(ret != NULL);
	reading_begin(&r, p);
	if (!pawl__str_visible(text, PAWL_ID_MAX, false))
		return pawl__error_set(err, PAWL_E_INVALID, "not the key of a record");
	e = pawl__ws_want(&r.ws, ROW_RECORD, text);
	st = reading_run(&r, err);
	if (st != PAWL_OK)
		return st;
	if (!e->present)
		return not_found("record", err);
	value = e->row.record.value;
	record = malloc(sizeof(*record) + value.len + 1);
	if (record == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for a record");
	copy = (char *)(record + 1);
	(void)text_put(copy, value.len + 1, value);
	*record = (struct pawl_record){ e->row.record.version, copy, value.len };
	*ret = record;
	return PAWL_OK;
}

void pawl_record_free(struct pawl_record *record)
{
	free(record);
}

enum pawl_status pawl_answer_find(struct pawl *p, const char *key, struct pawl_answer **ret,
                                  struct pawl_error *err)
{
	PAWL_CLEANUP(reading_end) struct reading r;
	const struct str text = pawl__text(key, PAWL_KEY_MAX);
	const struct ws_entry *e;
	struct pawl_answer view;
	enum pawl_status st;

	PRE(ret != NULL);
	reading_begin(&r, p);
	if (!pawl__str_visible(text, PAWL_KEY_MAX, true))
		return pawl__error_set(err, PAWL_E_INVALID, "not an idempotency key");
	e = pawl__ws_want_answer(&r.ws, (struct str){ p->caller, p->caller_len }, text);
	st = reading_run(&r, err);
	if (st != PAWL_OK)
		return st;
	if (!e->present)
		return not_found("answer", err);
	view = (struct pawl_answer){
		.code = e->row.answer.code,
		.http = e->row.answer.http,
		.op = -1,
		.replayed = true,
		.revision = e->row.answer.revision,
		.etag = e->row.answer.etag,
	};
	return pawl__answer_copy(&view, e->row.answer.body, ret, err);
}
