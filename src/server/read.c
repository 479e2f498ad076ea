/* SPDX-License-Identifier: Apache-2.0 */
/* GET: a row or two from one committed snapshot. What is wanted is known before anything is read,
 * so that the reading may be left to another thread. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/id.h"
#include "core/account.h"
#include "server/call.h"

#define READ_BLOCK 4096u

static void not_found(struct read_call *r, const char *detail)
{
	pawl__call_fail(&r->call, PAWL_E_NOT_FOUND, STR_NONE, detail);
}

/* The body is in server.out. */
static void answer_out(struct read_call *r)
{
	const struct buf *out = &r->call.server->out;

	if (out->overflow)
		pawl__call_fail(&r->call, PAWL_E_NOMEM, STR_NONE, NULL);
	else
		pawl__call_answer(&r->call, 200, TYPE_JSON, buf_get(out), NULL);
}

static struct buf *out_begin(struct read_call *r)
{
	pawl__buf_reset(&r->call.server->out);
	return &r->call.server->out;
}

static bool account_want(struct read_call *r)
{
	if (!pawl__call_param(&r->call, PAWL_ACCOUNT_ID_MAX, r->id_mem, &r->id))
		return false;
	r->row[0] = pawl__ws_want(&r->ws, ROW_ACCOUNT, r->id);
	return true;
}

static void account_render(struct read_call *r)
{
	const struct str unit = pawl__account_world_unit(r->id);
	struct buf *out = out_begin(r);

	if (r->row[0]->present) {
		pawl__json_account(out, &r->row[0]->row.account);
	} else if (unit.len > 0) {
		/* It exists for every unit, and has a row once something has moved. */
		pawl__json_account(out, &(struct account){ .id = r->id, .unit = unit });
	} else {
		not_found(r, "no such account");
		return;
	}
	answer_out(r);
}

const struct read_kind pawl__read_account = { account_want, account_render, NULL };

/* The row of a hold or order by the id in the path. */
static bool numbered_want(struct read_call *r, enum row_kind kind, const char *absent)
{
	int64_t number;

	if (!pawl__call_param(&r->call, PAWL_ID_MAX, r->id_mem, &r->id))
		return false;
	if (!pawl__id_parse(r->id, &number)) {
		not_found(r, absent);
		return false;
	}
	r->row[0] = pawl__ws_want_number(&r->ws, kind, number);
	return true;
}

static bool hold_want(struct read_call *r)
{
	return numbered_want(r, ROW_HOLD, "no such hold");
}

static void hold_render(struct read_call *r)
{
	if (!r->row[0]->present) {
		not_found(r, "no such hold");
		return;
	}
	pawl__json_hold(out_begin(r), &r->row[0]->row.hold, r->ws.now_us);
	answer_out(r);
}

const struct read_kind pawl__read_hold = { hold_want, hold_render, NULL };

static bool order_want(struct read_call *r)
{
	return numbered_want(r, ROW_ORDER, "no such order");
}

static void order_render(struct read_call *r)
{
	if (!r->row[0]->present) {
		not_found(r, "no such order");
		return;
	}
	pawl__json_order(out_begin(r), &r->row[0]->row.order, r->ws.now_us);
	answer_out(r);
}

const struct read_kind pawl__read_order = { order_want, order_render, NULL };

static const struct ws_entry *want_joined(struct read_call *r, unsigned i, struct str prefix)
{
	struct buf b;

	pawl__buf_init_fixed(&b, r->name_mem[i], sizeof(r->name_mem[i]));
	buf_str(&b, prefix);
	buf_str(&b, r->id);
	INVARIANT(!b.overflow);
	return pawl__ws_want(&r->ws, ROW_ACCOUNT, buf_get(&b));
}

static bool item_want(struct read_call *r)
{
	if (!pawl__call_param(&r->call, PAWL_ID_MAX, r->id_mem, &r->id))
		return false;
	r->row[0] = want_joined(r, 0, STR("stock:"));
	r->row[1] = want_joined(r, 1, STR("sold:"));
	return true;
}

static void item_render(struct read_call *r)
{
	if (!r->row[0]->present || !r->row[1]->present) {
		not_found(r, "no such item");
		return;
	}
	pawl__json_item(out_begin(r), r->id, &r->row[0]->row.account, &r->row[1]->row.account);
	answer_out(r);
}

const struct read_kind pawl__read_item = { item_want, item_render, NULL };

/* One of the conditions of a GET. False: answered. */
static bool take_tags(struct read_call *r, struct str name, struct etags *ret, bool *ret_has)
{
	struct str value;

	*ret_has = false;
	if (pawl__call_field(&r->call, name, &value) &&
	    (value.ptr == NULL || pawl__field_etags(value, ret))) {
		*ret_has = value.ptr != NULL;
		return true;
	}
	pawl__call_fail(&r->call, PAWL_E_INVALID, STR_NONE,
	                "If-Match and If-None-Match are * or a list of at most 32 entity tags");
	return false;
}

static bool record_want(struct read_call *r)
{
	if (!pawl__call_param(&r->call, PAWL_ID_MAX, r->id_mem, &r->id) ||
	    !take_tags(r, STR("If-Match"), &r->match, &r->has_match) ||
	    !take_tags(r, STR("If-None-Match"), &r->none, &r->has_none))
		return false;
	r->row[0] = pawl__ws_want(&r->ws, ROW_RECORD, r->id);
	return true;
}

/* With the conditions of RFC 9110 13.2.2. */
static void record_render(struct read_call *r)
{
	const struct record *record = &r->row[0]->row.record;
	char mem[64];
	struct buf etag;

	if (!r->row[0]->present) {
		not_found(r, "no such record");
		return;
	}
	pawl__buf_init_fixed(&etag, mem, sizeof(mem));
	buf_lit(&etag, "ETag: \"");
	pawl__buf_i64(&etag, record->version);
	buf_lit(&etag, "\"\r\n");
	if (r->has_match && !pawl__etags_match(&r->match, record->version, false))
		pawl__call_problem(&r->call, &(struct problem){ .code = PAWL_E_VERSION_MISMATCH,
		                                                .op = -1,
		                                                .name = r->id,
		                                                .a = record->version });
	else if (r->has_none && pawl__etags_match(&r->none, record->version, true))
		pawl__call_answer(&r->call, 304, STR_NONE, STR_NONE, &etag);
	else
		pawl__call_answer(&r->call, 200, TYPE_JSON, record->value, &etag);
}

const struct read_kind pawl__read_record = { record_want, record_render, NULL };

static bool answer_want(struct read_call *r)
{
	if (!pawl__call_param(&r->call, PAWL_KEY_MAX, r->id_mem, &r->id))
		return false;
	r->row[0] = pawl__ws_want_answer(&r->ws, r->call.caller, r->id);
	return true;
}

static void answer_render(struct read_call *r)
{
	pawl__json_answer(out_begin(r), r->id, r->row[0]->present ? &r->row[0]->row.answer : NULL);
	answer_out(r);
}

const struct read_kind pawl__read_answer = { answer_want, answer_render, NULL };

static struct read_call *read_new(struct server *s)
{
	struct read_call *r = s->reads_free;

	if (r == NULL) {
		r = calloc(1, sizeof(*r));
		if (r != NULL)
			pawl__arena_init(&r->arena, READ_BLOCK, READ_MAX);
		return r;
	}
	s->reads_free = r->next;
	s->reads_free_len--;
	return r;
}

static void read_destroy(struct read_call *r)
{
	pawl__arena_deinit(&r->arena);
	free(r);
}

static void read_free(struct server *s, struct read_call *r)
{
	if (r == &s->read_here)
		return;
	if (s->reads_free_len >= READS_KEPT) {
		read_destroy(r);
		return;
	}
	r->next = s->reads_free;
	s->reads_free = r;
	s->reads_free_len++;
}

static void read_finish(struct read_call *r)
{
	if (r->st == PAWL_OK)
		r->call.route->reads->render(r);
	else
		pawl__call_fail(&r->call, r->st, STR_NONE, NULL);
}

/* On a reader's thread. */
static void done_on_thread(struct read_request *rq, enum pawl_status st)
{
	struct read_call *r = CONTAINER_OF(rq, struct read_call, rq);
	struct server *s = r->call.server;

	r->st = st;
	(void)pthread_mutex_lock(&s->lock);
	r->next = s->reads;
	s->reads = r;
	(void)pthread_mutex_unlock(&s->lock);
	pawl__loop_wake(s->loop);
}

/* Hand it to the engine; nothing of the connection's bytes goes along. */
static void read_defer(struct read_call *r, struct call *c)
{
	struct server *s = c->server;
	enum pawl_status st;

	r->call.request_id = pawl__arena_str(&r->arena, c->request_id);
	r->call.req = NULL;
	r->rq.done = done_on_thread;
	st = r->arena.failed ? PAWL_E_NOMEM : pawl__engine_read_submit(s->engine, &r->rq);
	if (st != PAWL_OK) {
		pawl__call_fail(c, st, STR_NONE, NULL);
		read_free(s, r);
		return;
	}
	/* It is answered on this thread, so not before the token is there. */
	s->pending++;
	r->call.conn = NULL;
	r->call.token = pawl__http_defer(c->conn);
}

void pawl__call_read(struct call *c)
{
	struct server *s = c->server;
	const bool waits = pawl__engine_reads_wait(s->engine);
	struct read_call *r = waits ? read_new(s) : &s->read_here;
	struct pawl_error err;

	if (r == NULL) {
		pawl__call_fail(c, PAWL_E_NOMEM, STR_NONE, NULL);
		return;
	}
	pawl__arena_reset(&r->arena);
	r->call = *c;
	r->rq = (struct read_request){ .ws = &r->ws, .work = c->route->reads->work };
	pawl__ws_init(&r->ws, &r->arena, s->id_prefix, 1);
	if (!c->route->reads->want(r)) {
		read_free(s, r);
	} else if (r->ws.failed) {
		pawl__call_fail(c, PAWL_E_NOMEM, STR_NONE, NULL);
		read_free(s, r);
	} else if (waits) {
		read_defer(r, c);
	} else {
		r->st = r->rq.work != NULL ? r->rq.work(&r->rq)
		                           : pawl__engine_read(s->engine, &r->ws, &err);
		read_finish(r);
	}
}

void pawl__reads_drain(struct server *s)
{
	struct read_call *list;

	(void)pthread_mutex_lock(&s->lock);
	list = s->reads;
	s->reads = NULL;
	(void)pthread_mutex_unlock(&s->lock);
	while (list != NULL) {
		struct read_call *r = list;

		list = r->next;
		read_finish(r);
		s->pending--;
		read_free(s, r);
	}
}

void pawl__reads_init(struct server *s)
{
	pawl__arena_init(&s->read_here.arena, READ_BLOCK, READ_MAX);
}

void pawl__reads_deinit(struct server *s)
{
	while (s->reads_free != NULL) {
		struct read_call *r = s->reads_free;

		s->reads_free = r->next;
		read_destroy(r);
	}
	pawl__arena_deinit(&s->read_here.arena);
}
