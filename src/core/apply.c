/* SPDX-License-Identifier: Apache-2.0 */
#include "core/apply.h"

#include "base/assert.h"
#include "base/error.h"
#include "base/id.h"
#include "core/account.h"
#include "core/step.h"
#include "pawl/limits.h"

/* What one result or problem can take: two ids of ROW_ID_MAX, each byte escaped, and numbers. */
#define RESULT_LEN_MAX 1536u
#define ANSWER_LEN_MAX 2048u

static enum pawl_status apply_transfer(struct step *s, const struct op *op)
{
	struct transfer *t;
	const enum pawl_status st =
		pawl__step_transfer(s, op->row[0], op->row[1], op->u.move.amount, &t);

	if (st != PAWL_OK)
		return st;
	s->created = true;
	pawl__json_transfer(s->out, t);
	return PAWL_OK;
}

static enum pawl_status apply_hold(struct step *s, const struct op *op)
{
	const int64_t expires_us = s->ws->now_us + op->u.move.ttl_us;
	struct hold *h;
	const enum pawl_status st =
		pawl__step_hold(s, op->row[0], op->row[1], op->u.move.amount, expires_us, &h);

	if (st != PAWL_OK)
		return st;
	s->created = true;
	s->location = "/v1/holds/";
	s->location_number = h->number;
	pawl__json_hold(s->out, h, s->ws->now_us);
	return PAWL_OK;
}

static enum pawl_status apply_end_hold(struct step *s, const struct op *op)
{
	const enum pawl_status st =
		op->kind == OP_CAPTURE
			? pawl__step_capture(s, op->row[0], op->u.hold.amount, op->u.hold.final)
			: pawl__step_release(s, op->row[0]);

	if (st == PAWL_OK)
		pawl__json_hold(s->out, &op->row[0]->row.hold, s->ws->now_us);
	return st;
}

static enum pawl_status record_refuse(struct step *s, enum pawl_status code,
                                      const struct ws_entry *e)
{
	s->why.name = e->id;
	s->why.a = e->present ? e->row.record.version : 0;
	return pawl__step_refuse(s, code, NULL);
}

/* The version the request asks for, against the one that is. */
static enum pawl_status record_condition(struct step *s, const struct ws_entry *e,
                                         const struct op *op)
{
	const int64_t version = e->present ? e->row.record.version : 0;
	int64_t want = op->u.record.if_version;

	if (want == TX_VERSION_LIST) {
		for (uint32_t i = 0; i < op->u.record.versions_len && e->present; i++) {
			if (op->u.record.versions[i] == version)
				want = version;
		}
	}
	if (want == TX_VERSION_ANY)
		return PAWL_OK;
	if (want == TX_VERSION_NEW)
		return e->present ? record_refuse(s, PAWL_E_PRECONDITION_REQUIRED, e) : PAWL_OK;
	if (want == TX_VERSION_EXISTS ? e->present : version == want)
		return PAWL_OK;
	return record_refuse(s, PAWL_E_VERSION_MISMATCH, e);
}

static void result_record(struct step *s, struct str key, int64_t version)
{
	buf_lit(s->out, "{\"key\":");
	pawl__buf_json(s->out, key);
	buf_lit(s->out, ",\"version\":");
	pawl__buf_i64(s->out, version);
	pawl__buf_putc(s->out, '}');
}

static enum pawl_status apply_put(struct step *s, const struct op *op)
{
	struct ws_entry *e = op->row[0];
	const enum pawl_status st = record_condition(s, e, op);

	if (st != PAWL_OK)
		return st;
	s->created = !e->present;
	pawl__ws_change(s->ws, e);
	e->present = true;
	e->row.record = (struct record){ .key = e->id,
		                         .value = op->u.record.value,
		                         .version = s->revision };
	s->etag = s->revision;
	result_record(s, e->id, s->revision);
	return PAWL_OK;
}

static enum pawl_status apply_delete(struct step *s, const struct op *op)
{
	struct ws_entry *e = op->row[0];
	const int64_t want = op->u.record.if_version;
	enum pawl_status st;

	if (!e->present && (want == TX_VERSION_ANY || want == TX_VERSION_NEW))
		return pawl__step_not_found(s, "no such record");
	st = record_condition(s, e, op);
	if (st != PAWL_OK)
		return st;
	if (e->present) {
		pawl__ws_change(s->ws, e);
		e->present = false;
	}
	result_record(s, e->id, 0);
	return PAWL_OK;
}

static enum pawl_status check_account(struct step *s, const struct op *op)
{
	const struct ws_entry *e = op->row[0];
	/* A world account that nobody has used yet is there all the same, and a look leaves it
	 * so. */
	const struct account unused = { .id = e->id, .unit = pawl__account_world_unit(e->id) };
	const struct account *a = e->present ? &e->row.account : &unused;
	int64_t available = 0;
	bool limited;

	if (!e->present && unused.unit.len == 0)
		return pawl__step_not_found(s, "no such account");
	limited = pawl__account_available(a, &available);
	if (limited && available < op->u.account.available_min) {
		s->why.name = a->id;
		s->why.a = available;
		s->why.b = op->u.account.available_min;
		return pawl__step_refuse(s, PAWL_E_INSUFFICIENT, "not enough available");
	}
	pawl__json_account(s->out, a);
	return PAWL_OK;
}

static enum pawl_status apply_check(struct step *s, const struct op *op)
{
	const struct ws_entry *e = op->row[0];
	enum pawl_status st;

	if (op->is_account)
		return check_account(s, op);
	st = record_condition(s, e, op);
	if (st == PAWL_OK)
		result_record(s, e->id, e->present ? e->row.record.version : 0);
	return st;
}

static void result_number(struct step *s, const char *name, int64_t number)
{
	buf_lit(s->out, "{\"");
	buf_str(s->out, pawl__str_of(name));
	buf_lit(s->out, "\":\"");
	pawl__id_format(s->out, number);
	buf_lit(s->out, "\"}");
}

static enum pawl_status apply_emit(struct step *s, const struct op *op)
{
	int64_t number;
	const enum pawl_status st =
		pawl__step_emit(s, op->u.emit.topic, op->u.emit.key, op->u.emit.body, &number);

	if (st == PAWL_OK)
		result_number(s, "event", number);
	return st;
}

static enum pawl_status apply_enqueue(struct step *s, const struct op *op)
{
	const int64_t number = pawl__ws_number(s->ws);
	struct job *j;

	if (number == 0)
		return pawl__step_invalid(s, "", "the transaction creates too many rows");
	j = pawl__ws_job(s->ws);
	if (j == NULL)
		return PAWL_E_NOMEM;
	*j = (struct job){ .number = number,
		           .queue = op->u.enqueue.queue,
		           .body = op->u.enqueue.body,
		           .run_at_us = s->ws->now_us + op->u.enqueue.delay_us };
	result_number(s, "job", number);
	return PAWL_OK;
}

/* Only the newest token passes, whether its lease has run out or not: until somebody else was
 * granted the lock nobody else can have written. A token that was never granted is no token. */
static enum pawl_status apply_fence(struct step *s, const struct op *op)
{
	const struct ws_entry *e = op->row[0];
	const int64_t current = e->present ? e->row.lease.token : 0;

	if (op->u.fence.token != current || current == 0) {
		s->why.name = e->id;
		s->why.a = op->u.fence.token;
		s->why.b = current;
		return pawl__step_refuse(s, PAWL_E_FENCED, NULL);
	}
	buf_lit(s->out, "{\"lock\":");
	pawl__buf_json(s->out, e->id);
	buf_lit(s->out, ",\"token\":");
	pawl__buf_i64(s->out, current);
	pawl__buf_putc(s->out, '}');
	return PAWL_OK;
}

static enum pawl_status account_create(struct step *s, const struct op *op)
{
	struct ws_entry *e = op->row[0];
	struct account a = { .id = e->id, .unit = op->u.account.unit, .version = s->revision };

	if (pawl__account_set_floor(&a, op->u.account.has_floor, op->u.account.floor) != PAWL_OK) {
		s->why.name = e->id;
		s->why.b = op->u.account.floor;
		return pawl__step_refuse(s, PAWL_E_INSUFFICIENT,
		                         "a new account is below a positive floor");
	}
	pawl__ws_change(s->ws, e);
	e->present = true;
	e->row.account = a;
	s->created = true;
	return PAWL_OK;
}

static enum pawl_status account_alter(struct step *s, const struct op *op)
{
	struct ws_entry *e = op->row[0];
	struct account *a = &e->row.account;

	if (!str_eq(a->unit, op->u.account.unit))
		return pawl__step_refuse(s, PAWL_E_EXISTS, "the account exists in another unit");
	if (a->has_floor == op->u.account.has_floor && a->floor == op->u.account.floor)
		return PAWL_OK;
	pawl__ws_change(s->ws, e);
	if (pawl__account_set_floor(a, op->u.account.has_floor, op->u.account.floor) != PAWL_OK) {
		s->why.name = a->id;
		s->why.a = a->balance - a->held;
		s->why.b = op->u.account.floor;
		return pawl__step_refuse(s, PAWL_E_INSUFFICIENT,
		                         "the account is below the new floor");
	}
	a->version = s->revision;
	return PAWL_OK;
}

static enum pawl_status apply_account(struct step *s, const struct op *op)
{
	struct ws_entry *e = op->row[0];
	const struct str world = pawl__account_world_unit(e->id);
	enum pawl_status st;

	if (str_starts(e->id, ACCOUNT_WORLD) && !str_eq(world, op->u.account.unit))
		return pawl__step_invalid(s, "unit", "the unit of world:UNIT is UNIT");
	if (world.len > 0 && op->u.account.has_floor)
		return pawl__step_invalid(s, "floor", "a world account has no floor");
	st = e->present ? account_alter(s, op) : account_create(s, op);
	if (st == PAWL_OK)
		pawl__json_account(s->out, &e->row.account);
	return st;
}

static enum pawl_status step_run(struct step *s, const struct op *op)
{
	switch (op->kind) {
	case OP_TRANSFER:
		return apply_transfer(s, op);
	case OP_HOLD:
		return apply_hold(s, op);
	case OP_CAPTURE:
	case OP_RELEASE:
		return apply_end_hold(s, op);
	case OP_PUT:
		return apply_put(s, op);
	case OP_DELETE:
		return apply_delete(s, op);
	case OP_CHECK:
		return apply_check(s, op);
	case OP_EMIT:
		return apply_emit(s, op);
	case OP_ENQUEUE:
		return apply_enqueue(s, op);
	case OP_FENCE:
		return apply_fence(s, op);
	case OP_ACCOUNT:
		return apply_account(s, op);
	case OP_ITEM:
		return pawl__step_item(s, op);
	case OP_RESTOCK:
		return pawl__step_restock(s, op);
	case OP_ORDER:
		return pawl__step_order(s, op);
	case OP_CONFIRM:
	case OP_CANCEL:
		return pawl__step_finish(s, op);
	case OP_TOUCH:
		return PAWL_OK;
	}
	UNREACHABLE();
}

/* More than the body can take, so that an overflow is a bug. */
static size_t answer_bound(const struct tx *tx)
{
	size_t len = ANSWER_LEN_MAX + (size_t)tx->ops_len * RESULT_LEN_MAX;

	for (uint32_t i = 0; i < tx->ops_len; i++) {
		const struct op *op = &tx->ops[i];

		if (op->kind == OP_ORDER)
			len += op->u.order.body.len;
		else if ((op->kind == OP_CONFIRM || op->kind == OP_CANCEL) && op->row[0]->present)
			len += op->row[0]->row.order.body.len;
	}
	return len;
}

static struct str keep_str(struct ws *ws, const struct buf *b)
{
	const struct str s = pawl__arena_str(ws->arena, buf_get(b));

	INVARIANT(!b->overflow);
	if (s.ptr == NULL)
		ws->failed = true;
	return s;
}

static struct str answer_location(struct step *s)
{
	char mem[64];
	struct buf b;

	if (s->location == NULL)
		return STR_NONE;
	pawl__buf_init_fixed(&b, mem, sizeof(mem));
	buf_str(&b, pawl__str_of(s->location));
	pawl__id_format(&b, s->location_number);
	return keep_str(s->ws, &b);
}

/* "/ops/3/to" in POST /v1/tx, "/to" elsewhere. */
static struct str problem_pointer(const struct step *s, uint32_t op, char mem[64])
{
	const struct str member = pawl__str_of(s->member);
	struct buf b;

	pawl__buf_init_fixed(&b, mem, 64);
	if (s->tx->form == TX_FORM_TX) {
		buf_lit(&b, "/ops/");
		pawl__buf_u64(&b, op);
	}
	if (member.len > 0)
		pawl__buf_putc(&b, '/');
	buf_str(&b, member);
	return buf_get(&b);
}

static void answer_refused(struct step *s, uint32_t op, enum pawl_status code,
                           struct tx_answer *ret)
{
	char mem[64];

	pawl__ws_undo(s->ws);
	pawl__buf_reset(s->out);
	s->why.request_id = s->tx->request_id;
	s->why.op = s->tx->form == TX_FORM_TX ? (int32_t)op : -1;
	if (code == PAWL_E_INVALID)
		s->why.pointer = problem_pointer(s, op, mem);
	pawl__json_problem(s->out, &s->why);
	*ret = (struct tx_answer){
		.code = code,
		.http = pawl__status_row(code)->http,
		.op = s->why.op,
		.body = keep_str(s->ws, s->out),
	};
}

/* {"committed":true,"revision":N,"results":[..]}: the revision is known last and stands first. */
static struct str committed_body(struct step *s, int64_t revision)
{
	char mem[64], *p;
	struct buf head;
	size_t len;

	pawl__buf_init_fixed(&head, mem, sizeof(mem));
	buf_lit(&head, "{\"committed\":true,\"revision\":");
	pawl__buf_i64(&head, revision);
	buf_lit(&head, ",\"results\":[");
	buf_lit(s->out, "]}");
	INVARIANT(!head.overflow && !s->out->overflow);
	len = head.len + s->out->len;
	p = pawl__arena_alloc(s->ws->arena, len);
	if (p == NULL) {
		s->ws->failed = true;
		return STR_NONE;
	}
	memcpy(p, head.data, head.len);
	memcpy(p + head.len, s->out->data, s->out->len);
	return (struct str){ p, len };
}

static struct str answer_body(struct step *s, int64_t revision)
{
	switch (s->tx->form) {
	case TX_FORM_TX:
		return committed_body(s, revision);
	case TX_FORM_RECORD:
		return s->tx->ops[0].u.record.value;
	case TX_FORM_NONE:
		return STR_NONE;
	case TX_FORM_ACCOUNT:
	case TX_FORM_TRANSFER:
	case TX_FORM_HOLD:
	case TX_FORM_ITEM:
	case TX_FORM_ORDER:
		return keep_str(s->ws, s->out);
	}
	UNREACHABLE();
}

static void answer_committed(struct step *s, struct tx_answer *ret)
{
	const struct tx *tx = s->tx;
	const int64_t revision = s->ws->changed ? s->revision : s->ws->revision;

	*ret = (struct tx_answer){
		.code = PAWL_OK,
		.http = tx->form == TX_FORM_NONE ? 204
		        : s->created             ? tx->http_created
		                                 : 200,
		.op = -1,
		.revision = revision,
		.etag = tx->form == TX_FORM_RECORD ? s->etag : 0,
		.location = tx->form == TX_FORM_TX ? STR_NONE : answer_location(s),
		.body = answer_body(s, revision),
	};
	pawl__ws_keep(s->ws);
}

/* Invalid, insufficient, .. precondition_required: decided on rows, so it stays decided. */
static bool is_verdict(enum pawl_status code)
{
	return code <= PAWL_OK && code >= PAWL_E_PRECONDITION_REQUIRED;
}

static void answer_remember(struct ws *ws, struct tx *tx, const struct tx_answer *a)
{
	struct ws_entry *e = tx->answer_row;

	if (e == NULL || ws->failed || !is_verdict(a->code))
		return;
	e->present = true;
	e->row.answer = (struct answer){
		.caller = tx->caller,
		.key = tx->key,
		.code = a->code,
		.http = a->http,
		.revision = a->revision,
		.etag = a->etag,
		.at_us = ws->now_us,
		.location = a->location,
		.body = a->body,
	};
	memcpy(e->row.answer.fingerprint, tx->fingerprint, FINGERPRINT_LEN);
	(void)pawl__ws_answer(ws, e); /* failure latches in ws */
}

/* The key was answered before: that answer, or a refusal that tells nothing of it. */
static void answer_replay(struct ws *ws, const struct tx *tx, struct buf *out,
                          struct tx_answer *ret)
{
	const struct answer *a = &tx->answer_row->row.answer;
	const struct problem reused = { .code = PAWL_E_KEY_REUSED,
		                        .request_id = tx->request_id,
		                        .op = -1 };

	if (memcmp(a->fingerprint, tx->fingerprint, FINGERPRINT_LEN) != 0) {
		pawl__json_problem(out, &reused);
		*ret = (struct tx_answer){ .code = PAWL_E_KEY_REUSED,
			                   .http = pawl__status_row(PAWL_E_KEY_REUSED)->http,
			                   .op = -1,
			                   .body = keep_str(ws, out) };
		return;
	}
	*ret = (struct tx_answer){
		.code = a->code,
		.http = a->http,
		.replayed = true,
		.op = -1,
		.revision = a->revision,
		.etag = a->etag,
		.location = a->location,
		.body = a->body,
	};
}

static enum pawl_status apply_ops(struct step *s, uint32_t *ret_op)
{
	const struct tx *tx = s->tx;

	for (uint32_t i = 0; i < tx->ops_len; i++) {
		enum pawl_status st;

		if (i > 0)
			pawl__buf_putc(s->out, ',');
		st = step_run(s, &tx->ops[i]);
		if (s->ws->failed)
			st = PAWL_E_NOMEM;
		if (st != PAWL_OK) {
			*ret_op = i;
			return st;
		}
	}
	return PAWL_OK;
}

void pawl__apply(struct ws *ws, struct tx *tx, struct tx_answer *ret)
{
	struct buf out;
	struct step s = { .ws = ws, .tx = tx, .out = &out, .revision = ws_next_revision(ws) };
	const size_t bound = answer_bound(tx);
	enum pawl_status st;
	uint32_t op = 0;

	PRE(tx->ready && tx->ops_len > 0 && tx->ops_len <= PAWL_OPS_MAX);
	*ret = (struct tx_answer){ .code = PAWL_E_NOMEM, .http = 503, .op = -1 };
	if (pawl__ws_scratch(ws, bound) == NULL)
		return;
	pawl__buf_init_fixed(&out, ws->scratch, bound);
	if (tx->answer_row != NULL && tx->answer_row->present) {
		answer_replay(ws, tx, &out, ret);
		return;
	}
	pawl__ws_begin(ws);
	st = apply_ops(&s, &op);
	if (st == PAWL_OK)
		answer_committed(&s, ret);
	else
		answer_refused(&s, op, st, ret);
	answer_remember(ws, tx, ret);
}

void pawl__apply_expire(struct ws *ws, struct ws_entry *account, int64_t freed, int64_t due_us)
{
	struct account *a = &account->row.account;

	PRE(account->kind == ROW_ACCOUNT && account->present && freed >= 0 && freed <= a->held);
	a->due_us = due_us;
	a->held -= freed;
	if (freed > 0)
		a->version = pawl__ws_expiry_revision(ws);
	account->dirty = true;
}
