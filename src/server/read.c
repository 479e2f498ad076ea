/* SPDX-License-Identifier: Apache-2.0 */
/* GET: a row or two from one committed snapshot, on the loop's thread. */
#include "base/assert.h"
#include "base/error.h"
#include "base/id.h"
#include "core/account.h"
#include "server/call.h"
#include "server/fields.h"

static void ws_begin(struct server *s, struct ws *ws)
{
	pawl__arena_reset(&s->read_arena);
	pawl__ws_init(ws, &s->read_arena, s->id_prefix, 1);
}

static enum pawl_status ws_read(struct server *s, struct ws *ws, struct pawl_error *err)
{
	if (ws->failed)
		return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
	return pawl__engine_read(s->engine, ws, err);
}

/* Load what is wanted. False: answered. */
static bool load(struct call *c, struct ws *ws)
{
	struct pawl_error err;
	const enum pawl_status st = ws_read(c->server, ws, &err);

	if (st == PAWL_OK)
		return true;
	pawl__call_fail(c, st, STR_NONE, NULL);
	return false;
}

static void not_found(struct call *c, const char *detail)
{
	pawl__call_fail(c, PAWL_E_NOT_FOUND, STR_NONE, detail);
}

/* The body is in server.out. */
static void answer_out(struct call *c)
{
	if (c->server->out.overflow)
		pawl__call_fail(c, PAWL_E_NOMEM, STR_NONE, NULL);
	else
		pawl__call_answer(c, 200, TYPE_JSON, buf_get(&c->server->out), NULL);
}

void pawl__get_account(struct call *c)
{
	struct buf *out = &c->server->out;
	char mem[PAWL_TARGET_MAX];
	struct str id, unit;
	struct ws ws;
	const struct ws_entry *e;

	if (!pawl__call_param(c, PAWL_ACCOUNT_ID_MAX, mem, &id))
		return;
	ws_begin(c->server, &ws);
	e = pawl__ws_want(&ws, ROW_ACCOUNT, id);
	if (!load(c, &ws))
		return;
	unit = pawl__account_world_unit(id);
	pawl__buf_reset(out);
	if (e->present) {
		pawl__json_account(out, &e->row.account);
	} else if (unit.len > 0) {
		/* It exists for every unit, and has a row once something has moved. */
		pawl__json_account(out, &(struct account){ .id = id, .unit = unit });
	} else {
		not_found(c, "no such account");
		return;
	}
	answer_out(c);
}

/* The row of a hold or order by the id in the path. NULL: answered. */
static const struct ws_entry *load_numbered(struct call *c, struct ws *ws, enum row_kind kind,
                                            const char *absent)
{
	char mem[PAWL_TARGET_MAX];
	struct str id;
	int64_t number;
	const struct ws_entry *e;

	if (!pawl__call_param(c, PAWL_ID_MAX, mem, &id))
		return NULL;
	if (!pawl__id_parse(id, &number)) {
		not_found(c, absent);
		return NULL;
	}
	ws_begin(c->server, ws);
	e = pawl__ws_want_number(ws, kind, number);
	if (!load(c, ws))
		return NULL;
	if (e->present)
		return e;
	not_found(c, absent);
	return NULL;
}

void pawl__get_hold(struct call *c)
{
	struct ws ws;
	const struct ws_entry *e = load_numbered(c, &ws, ROW_HOLD, "no such hold");

	if (e == NULL)
		return;
	pawl__buf_reset(&c->server->out);
	pawl__json_hold(&c->server->out, &e->row.hold, ws.now_us);
	answer_out(c);
}

void pawl__get_order(struct call *c)
{
	struct ws ws;
	const struct ws_entry *e = load_numbered(c, &ws, ROW_ORDER, "no such order");

	if (e == NULL)
		return;
	pawl__buf_reset(&c->server->out);
	pawl__json_order(&c->server->out, &e->row.order, ws.now_us);
	answer_out(c);
}

static struct str joined(char *mem, size_t cap, struct str prefix, struct str s)
{
	struct buf b;

	pawl__buf_init_fixed(&b, mem, cap);
	buf_str(&b, prefix);
	buf_str(&b, s);
	INVARIANT(!b.overflow);
	return buf_get(&b);
}

void pawl__get_item(struct call *c)
{
	char mem[PAWL_TARGET_MAX], stock_mem[ROW_ID_MAX], sold_mem[ROW_ID_MAX];
	const struct ws_entry *stock, *sold;
	struct str sku;
	struct ws ws;

	if (!pawl__call_param(c, PAWL_ID_MAX, mem, &sku))
		return;
	ws_begin(c->server, &ws);
	stock = pawl__ws_want(&ws, ROW_ACCOUNT,
	                      joined(stock_mem, sizeof(stock_mem), STR("stock:"), sku));
	sold = pawl__ws_want(&ws, ROW_ACCOUNT,
	                     joined(sold_mem, sizeof(sold_mem), STR("sold:"), sku));
	if (!load(c, &ws))
		return;
	if (!stock->present || !sold->present) {
		not_found(c, "no such item");
		return;
	}
	pawl__buf_reset(&c->server->out);
	pawl__json_item(&c->server->out, sku, &stock->row.account, &sold->row.account);
	answer_out(c);
}

/* The conditions of a GET, RFC 9110 13.2.2. False: answered. */
static bool record_conditions(struct call *c, struct str key, int64_t version,
                              const struct buf *etag)
{
	struct str match, none;
	struct etags tags;

	if (!pawl__call_field(c, STR("If-Match"), &match) ||
	    !pawl__call_field(c, STR("If-None-Match"), &none) ||
	    (match.ptr != NULL && !pawl__field_etags(match, &tags))) {
		pawl__call_fail(
			c, PAWL_E_INVALID, STR_NONE,
			"If-Match and If-None-Match are * or a list of at most 32 entity tags");
		return false;
	}
	if (match.ptr != NULL && !pawl__etags_match(&tags, version, false)) {
		pawl__call_problem(c, &(struct problem){ .code = PAWL_E_VERSION_MISMATCH,
		                                         .op = -1,
		                                         .name = key,
		                                         .a = version });
		return false;
	}
	if (none.ptr == NULL)
		return true;
	if (!pawl__field_etags(none, &tags)) {
		pawl__call_fail(c, PAWL_E_INVALID, STR_NONE,
		                "If-None-Match is * or a list of at most 32 entity tags");
		return false;
	}
	if (!pawl__etags_match(&tags, version, true))
		return true;
	pawl__call_answer(c, 304, STR_NONE, STR_NONE, etag);
	return false;
}

void pawl__get_record(struct call *c)
{
	char mem[PAWL_TARGET_MAX], etag_mem[64];
	const struct ws_entry *e;
	struct buf etag;
	struct str key;
	struct ws ws;

	if (!pawl__call_param(c, PAWL_ID_MAX, mem, &key))
		return;
	ws_begin(c->server, &ws);
	e = pawl__ws_want(&ws, ROW_RECORD, key);
	if (!load(c, &ws))
		return;
	if (!e->present) {
		not_found(c, "no such record");
		return;
	}
	pawl__buf_init_fixed(&etag, etag_mem, sizeof(etag_mem));
	buf_lit(&etag, "ETag: \"");
	pawl__buf_i64(&etag, e->row.record.version);
	buf_lit(&etag, "\"\r\n");
	if (record_conditions(c, key, e->row.record.version, &etag))
		pawl__call_answer(c, 200, TYPE_JSON, e->row.record.value, &etag);
}

enum pawl_status pawl__read_version(struct server *s, struct str key, int64_t *ret)
{
	struct pawl_error err;
	struct ws ws;
	const struct ws_entry *e;
	enum pawl_status st;

	ws_begin(s, &ws);
	e = pawl__ws_want(&ws, ROW_RECORD, key);
	st = ws_read(s, &ws, &err);
	if (st == PAWL_OK)
		*ret = e->present ? e->row.record.version : 0;
	return st;
}

void pawl__get_answer(struct call *c)
{
	char mem[PAWL_TARGET_MAX];
	const struct ws_entry *e;
	struct str key;
	struct ws ws;

	if (!pawl__call_param(c, PAWL_KEY_MAX, mem, &key))
		return;
	ws_begin(c->server, &ws);
	e = pawl__ws_want_answer(&ws, c->caller, key);
	if (!load(c, &ws))
		return;
	pawl__buf_reset(&c->server->out);
	pawl__json_answer(&c->server->out, key, e->present ? &e->row.answer : NULL);
	answer_out(c);
}
