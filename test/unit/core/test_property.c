/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random transactions against the model: after every one the verdict, the index of the refused
 * operation, every row, the answer and its JSON agree, and a refusal has changed nothing.
 *
 *     test_property [--transactions N] [--seed S]
 *
 * Each world (a few hundred transactions over few rows, so that they collide) has its own seed; a
 * failure prints the seed, and --seed replays that one world.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/id.h"
#include "base/rng.h"
#include "core/account.h"
#include "world.h"

#define WORLD_TXS   240
#define BATCH_MAX   6
#define OPS_MAX     5
#define SNAPSHOTS   4096
#define SETUP_TXS   (2 * M_WORLD_FIRST + M_SKUS)
#define HOUR_US     INT64_C(3600000000)
#define TRANSACTION (uint64_t)200000

/* A keyed request that was answered, for replays. */
struct sent {
	struct tx *tx;
	struct str body, location;
	struct tx_answer answer;
};

struct run {
	uint64_t seed;
	struct rng rng;
	struct world w;
	struct model m;
	struct sent sent[W_ANSWERS_MAX];
	uint32_t sents;
	uint32_t setup;
	bool extreme; /* amounts and floors at the ends of int64 */
	uint64_t done, committed, refused, replayed, reused;
	uint64_t by_code[32];
};

static struct run run;
static const struct tx *failing;
static const struct tx_answer *failing_answer;
static const struct verdict *failing_verdict;

static void fail(const char *what, const char *detail)
{
	(void)fprintf(stderr, "FAILED: %s%s%s\nseed %" PRIu64 ", transaction %" PRIu64 "\n", what,
	              detail == NULL ? "" : ": ", detail == NULL ? "" : detail, run.seed, run.done);
	for (uint32_t i = 0; failing != NULL && i < failing->ops_len; i++)
		(void)fprintf(stderr, "  operation %u: %s\n", i,
		              pawl__op_name(failing->ops[i].kind));
	if (failing_answer != NULL)
		(void)fprintf(stderr, "core:  %s, operation %d, revision %" PRId64 "\n%.*s\n",
		              pawl_status_code(failing_answer->code), failing_answer->op,
		              failing_answer->revision, (int)failing_answer->body.len,
		              failing_answer->body.ptr);
	if (failing_verdict != NULL)
		(void)fprintf(stderr, "model: %s, operation %d, revision %" PRId64 "\n",
		              pawl_status_code(failing_verdict->code), failing_verdict->op,
		              failing_verdict->revision);
	exit(1);
}

static void must(bool holds, const char *what)
{
	if (!holds)
		fail(what, NULL);
}

static void must_not(const char *why, const char *where)
{
	if (why != NULL)
		fail(where, why);
}

static uint64_t below(uint64_t bound)
{
	return pawl__rng_below(&run.rng, bound);
}

static bool chance(unsigned percent)
{
	return below(100) < percent;
}

static struct str text(const char *s)
{
	return (struct str){ s, strlen(s) };
}

static struct str kept(const char *s)
{
	return pawl__arena_str(&run.w.arena, text(s));
}

static int64_t amount(void)
{
	static const int64_t far[] = { INT64_MAX,         INT64_MAX - 1,    INT64_MAX / 2,
		                       INT64_MAX / 2 + 1, INT64_C(1) << 62, INT64_C(1) << 53 };

	if (run.extreme && chance(40))
		return far[below(ARRAY_LEN(far))];
	return 1 + (int64_t)below(chance(80) ? 12 : 200);
}

static struct str account_id(void)
{
	if (chance(2))
		return text(m_account_ids[M_WORLD_FIRST + 2]); /* nobody */
	if (chance(15))
		return text(m_account_ids[M_WORLD_FIRST + below(2)]);
	return text(m_account_ids[below(chance(70) ? M_WORLD_FIRST / 2 : M_WORLD_FIRST)]);
}

static int64_t hold_number(void)
{
	if (run.m.holds == 0 || chance(2))
		return 1 + (int64_t)below(1u << 20);
	/* The latest most of all, or they all end before they are looked at. */
	const uint32_t latest = run.m.holds < 6 || chance(40) ? run.m.holds : 6;

	return run.m.hold[run.m.holds - 1 - below(latest)].number;
}

static int64_t order_number(void)
{
	if (run.m.orders == 0 || chance(4))
		return 1 + (int64_t)below(1u << 20);
	return run.m.order[run.m.orders - 1 - below(run.m.orders < 8 ? run.m.orders : 8)].number;
}

static void gen_move(struct op *op)
{
	op->u.move.from = account_id();
	op->u.move.to = account_id();
	op->u.move.amount = amount();
	op->u.move.ttl_us = op->kind == OP_HOLD ? 1 + (int64_t)below(4 * HOUR_US) : 0;
}

static void gen_record(struct op *op, bool fresh)
{
	const uint64_t at = below(M_RECORDS);
	char value[M_VALUE_MAX];

	op->u.record.key = text(m_record_keys[at]);
	(void)snprintf(value, sizeof(value), "{\"n\":%u}", (unsigned)below(1000));
	op->u.record.value = op->kind == OP_PUT ? kept(value) : STR_NONE;
	switch (below(5)) {
	case 0:
		op->u.record.if_version = op->kind == OP_CHECK ? TX_VERSION_EXISTS : TX_VERSION_ANY;
		break;
	case 1:
		op->u.record.if_version =
			op->kind == OP_DELETE ? TX_VERSION_ANY : TX_VERSION_ABSENT;
		break;
	case 2:
		op->u.record.if_version = fresh ? TX_VERSION_NEW : TX_VERSION_EXISTS;
		break;
	default:
		op->u.record.if_version = run.m.record[at].present && chance(80)
		                                  ? run.m.record[at].version
		                                  : 1 + (int64_t)below(50);
		break;
	}
}

static void gen_account(struct op *op)
{
	static const int64_t far[] = { INT64_MIN, INT64_MIN + 1, INT64_MAX, -1, 1 };
	const uint64_t at = below(chance(95) ? M_WORLD_FIRST : M_WORLD_FIRST + 2);

	op->is_account = true;
	op->u.account.id = text(m_account_ids[at]);
	op->u.account.unit = at < 3 || chance(4) ? STR("EUR") : STR("USD");
	op->u.account.has_floor = chance(75);
	if (run.extreme && chance(40))
		op->u.account.floor = far[below(ARRAY_LEN(far))];
	else
		op->u.account.floor = chance(70) ? 0 : (int64_t)below(60) - 50;
	if (!op->u.account.has_floor)
		op->u.account.floor = 0;
}

static void gen_order(struct op *op)
{
	const uint32_t len = 1 + (uint32_t)below(3);
	struct order_line *lines = arena_array(&run.w.arena, struct order_line, len);

	for (uint32_t i = 0; i < len; i++) {
		lines[i].sku = chance(3) ? STR("none") : text(m_skus[below(M_SKUS)]);
		lines[i].quantity = chance(90) ? 1 + (int64_t)below(6) : amount();
	}
	op->u.order.lines = lines;
	op->u.order.lines_len = len;
	op->u.order.hold_us = chance(60) ? 1 + (int64_t)below(2 * HOUR_US) : 0;
	op->u.order.has_pay = chance(30);
	if (op->u.order.has_pay) {
		op->u.order.pay_from = account_id();
		op->u.order.pay_to = account_id();
		op->u.order.pay_amount = amount();
	}
	op->u.order.body = STR("\"lines\":[]");
}

static void gen_op(struct op *op, enum op_kind kind)
{
	op->kind = kind;
	switch (kind) {
	case OP_TRANSFER:
	case OP_HOLD:
		gen_move(op);
		break;
	case OP_CAPTURE:
	case OP_RELEASE:
		op->u.hold.number = hold_number();
		op->u.hold.amount = kind == OP_RELEASE || chance(40) ? 0 : amount();
		op->u.hold.final = kind == OP_CAPTURE && chance(40);
		break;
	case OP_CHECK:
		if (chance(50)) {
			op->is_account = true;
			op->u.account.id = account_id();
			op->u.account.check = true;
			op->u.account.available_min =
				chance(90) ? (int64_t)below(40) - 5 : amount();
			break;
		}
		gen_record(op, false);
		break;
	case OP_PUT:
	case OP_DELETE:
		gen_record(op, false);
		break;
	case OP_EMIT:
		op->u.emit.topic = STR("topic");
		op->u.emit.key = chance(50) ? STR("k") : STR_NONE;
		op->u.emit.body = STR("{}");
		break;
	case OP_ENQUEUE:
		op->u.enqueue.queue = STR("queue");
		op->u.enqueue.body = STR("[1]");
		op->u.enqueue.delay_us = (int64_t)below(5) * 1000000;
		break;
	case OP_FENCE: {
		const uint64_t at = below(M_LEASES);

		op->u.fence.name = text(m_lease_names[at]);
		op->u.fence.token =
			chance(80) && run.m.token[at] > 0 ? run.m.token[at] : 1 + (int64_t)below(9);
		break;
	}
	case OP_ACCOUNT:
		gen_account(op);
		break;
	case OP_ITEM:
	case OP_RESTOCK:
		op->u.item.sku = text(m_skus[below(M_SKUS)]);
		op->u.item.quantity = kind == OP_ITEM && chance(20) ? 0 : amount();
		break;
	case OP_ORDER:
		gen_order(op);
		break;
	case OP_CONFIRM:
	case OP_CANCEL:
		op->u.order_number = order_number();
		break;
	case OP_TOUCH:
		break;
	}
}

/* The routes of one operation, and their forms. */
static void gen_single(struct tx *tx)
{
	static const struct {
		enum op_kind kind;
		enum tx_form form;
		int http;
		const char *route;
	} rows[] = {
		{ OP_ACCOUNT, TX_FORM_ACCOUNT, 201, "PUT /v1/accounts/{id}" },
		{ OP_ACCOUNT, TX_FORM_ACCOUNT, 201, "PUT /v1/accounts/{id}" },
		{ OP_ITEM, TX_FORM_ITEM, 201, "PUT /v1/items/{sku}" },
		{ OP_RESTOCK, TX_FORM_ITEM, 200, "POST /v1/items/{sku}/restock" },
		{ OP_ORDER, TX_FORM_ORDER, 201, "POST /v1/orders" },
		{ OP_ORDER, TX_FORM_ORDER, 201, "POST /v1/orders" },
		{ OP_ORDER, TX_FORM_ORDER, 201, "POST /v1/orders" },
		{ OP_CONFIRM, TX_FORM_ORDER, 200, "POST /v1/orders/{id}/confirm" },
		{ OP_CANCEL, TX_FORM_ORDER, 200, "POST /v1/orders/{id}/cancel" },
		{ OP_TRANSFER, TX_FORM_TRANSFER, 201, "POST /v1/transfers" },
		{ OP_HOLD, TX_FORM_HOLD, 201, "POST /v1/holds" },
		{ OP_CAPTURE, TX_FORM_HOLD, 200, "POST /v1/holds/{id}/capture" },
		{ OP_RELEASE, TX_FORM_HOLD, 200, "POST /v1/holds/{id}/release" },
		{ OP_PUT, TX_FORM_RECORD, 201, "PUT /v1/records/{key}" },
		{ OP_DELETE, TX_FORM_NONE, 204, "DELETE /v1/records/{key}" },
	};
	const uint64_t at = below(ARRAY_LEN(rows));

	tx->ops_len = 1;
	tx->form = rows[at].form;
	tx->http_created = rows[at].http;
	tx->route = text(rows[at].route);
	gen_op(&tx->ops[0], rows[at].kind);
	if (rows[at].kind == OP_PUT && chance(50))
		tx->ops[0].u.record.if_version = TX_VERSION_NEW;
}

static void fingerprint(struct tx *tx)
{
	static char mem[16384];
	uint64_t h = UINT64_C(1469598103934665603);
	struct buf b;

	pawl__buf_init_fixed(&b, mem, sizeof(mem));
	pawl__tx_canonical(tx, &b);
	must(!b.overflow && b.len > 0, "a request has a canonical form");
	for (size_t i = 0; i < b.len; i++)
		h = (h ^ (unsigned char)b.data[i]) * UINT64_C(1099511628211);
	for (int i = 0; i < FINGERPRINT_LEN; i++)
		tx->fingerprint[i] = (unsigned char)(h >> (i % 8 * 8));
}

static struct tx *gen_tx(void)
{
	struct tx *tx = arena_new(&run.w.arena, struct tx);

	tx->ops = arena_array(&run.w.arena, struct op, OPS_MAX);
	tx->caller = chance(80) ? STR("alice") : STR("bob");
	if (chance(40)) {
		gen_single(tx);
		return tx;
	}
	tx->form = TX_FORM_TX;
	tx->http_created = 200;
	tx->route = STR("POST /v1/tx");
	tx->ops_len = 1 + (uint32_t)below(chance(60) ? 2 : OPS_MAX);
	for (uint32_t i = 0; i < tx->ops_len; i++) {
		/* Money moves more often than the rest. */
		const enum op_kind kind = chance(55) ? (enum op_kind)below(OP_RELEASE + 1)
		                                     : (enum op_kind)below(OP_FENCE + 1);

		gen_op(&tx->ops[i], kind);
	}
	return tx;
}

/* Bit for bit: every entry that was there before. */
struct snapshot {
	const struct ws_entry *entry;
	struct ws_entry copy;
};

static struct snapshot snapshots[SNAPSHOTS];
static struct ws ws_before;

static uint32_t snapshot_take(const struct ws *ws)
{
	uint32_t len = 0;

	for (const struct ws_entry *e = ws->first; e != NULL; e = e->next) {
		must(len < SNAPSHOTS, "the test has room");
		snapshots[len].entry = e;
		memcpy(&snapshots[len++].copy, e, sizeof(*e));
	}
	ws_before = *ws;
	return len;
}

static void snapshot_same(const struct ws *ws, uint32_t len, const struct ws_entry *but)
{
	for (uint32_t i = 0; i < len; i++) {
		const struct ws_entry *now = snapshots[i].entry, *was = &snapshots[i].copy;

		if (now == but)
			continue;
		must(now->present == was->present && now->dirty == was->dirty &&
		             now->stored == was->stored && now->loaded == was->loaded &&
		             memcmp(&now->row, &was->row, sizeof(now->row)) == 0,
		     "a refusal changes no row");
	}
	must(ws->transfers.len == ws_before.transfers.len &&
	             ws->events.len == ws_before.events.len && ws->jobs.len == ws_before.jobs.len,
	     "a refusal appends nothing");
	must(ws->revision == ws_before.revision, "a refusal takes no revision");
}

static int64_t member_i64(const json_t *of, const char *name)
{
	const json_t *v = json_object_get(of, name);

	if (!json_is_integer(v))
		fail("an answer has the number", name);
	return json_integer_value(v);
}

static bool member_is(const json_t *of, const char *name, const char *value)
{
	const json_t *v = json_object_get(of, name);

	return json_is_string(v) && strcmp(json_string_value(v), value) == 0;
}

static int64_t member_number(const json_t *of, const char *name)
{
	const json_t *v = json_object_get(of, name);
	int64_t number = 0;

	if (!json_is_string(v) || !pawl__id_parse(text(json_string_value(v)), &number))
		fail("an answer has the id", name);
	return number;
}

static void json_account_same(const json_t *j, int at)
{
	const struct m_account *a = &run.m.account[at];
	const __int128 left = (__int128)a->balance - a->held - a->floor;

	must(member_i64(j, "balance") == a->balance, "balance in JSON");
	must(member_i64(j, "held") == a->held, "held in JSON");
	must(member_is(j, "unit", a->unit), "unit in JSON");
	must(member_i64(j, "version") == a->version, "version in JSON");
	if (a->has_floor) {
		must(member_i64(j, "floor") == a->floor, "floor in JSON");
		must(member_i64(j, "available") == (left > INT64_MAX ? INT64_MAX : (int64_t)left),
		     "available in JSON");
	} else {
		must(json_is_null(json_object_get(j, "floor")), "no floor in JSON");
		must(json_is_null(json_object_get(j, "available")), "no limit in JSON");
	}
}

static void json_hold_same(const json_t *j)
{
	static const char *const states[] = { "held", "captured", "released", "expired" };
	const int64_t number = member_number(j, "id");

	for (uint32_t i = 0; i < run.m.holds; i++) {
		const struct m_hold *h = &run.m.hold[i];

		if (h->number != number)
			continue;
		must(member_i64(j, "amount") == h->amount, "amount of a hold in JSON");
		must(member_i64(j, "captured") == h->captured, "captured in JSON");
		must(member_is(j, "state", states[h->state]), "state of a hold in JSON");
		return;
	}
	fail("a hold in JSON exists", NULL);
}

static void json_order_same(const json_t *j)
{
	static const char *const states[] = { "held", "confirmed", "cancelled", "expired" };
	const int64_t number = member_number(j, "id");

	for (uint32_t i = 0; i < run.m.orders; i++) {
		const struct m_order *o = &run.m.order[i];

		if (o->number != number)
			continue;
		must(member_is(j, "state", states[o->state]), "state of an order in JSON");
		must(member_i64(j, "version") == o->version, "version of an order in JSON");
		must(json_is_array(json_object_get(j, "lines")), "lines of an order in JSON");
		return;
	}
	fail("an order in JSON exists", NULL);
}

static void json_item_same(const json_t *j, struct str sku)
{
	for (int i = 0; i < M_SKUS; i++) {
		const struct m_account *stock = &run.m.account[9 + 3 * i];

		if (!str_eq(sku, text(m_skus[i])))
			continue;
		must(member_i64(j, "available") == stock->balance - stock->held, "available");
		must(member_i64(j, "held") == stock->held, "held of an item");
		must(member_i64(j, "sold") == stock[1].balance, "sold");
	}
}

/* What one operation shows of itself. Later operations may have changed the same rows, so rows are
 * compared only when it was the last of them. */
static void json_result_same(const json_t *j, const struct op *op, bool last)
{
	must(json_is_object(j), "a result is an object");
	switch (op->kind) {
	case OP_TRANSFER:
		(void)member_number(j, "id");
		must(member_i64(j, "amount") == op->u.move.amount, "amount in JSON");
		break;
	case OP_HOLD:
	case OP_CAPTURE:
	case OP_RELEASE:
		if (last)
			json_hold_same(j);
		break;
	case OP_ACCOUNT:
		json_account_same(j, m_account_index(op->u.account.id));
		break;
	case OP_ITEM:
	case OP_RESTOCK:
		json_item_same(j, op->u.item.sku);
		break;
	case OP_ORDER:
	case OP_CONFIRM:
	case OP_CANCEL:
		json_order_same(j);
		break;
	case OP_PUT:
		must(member_i64(j, "version") == run.m.revision, "version of a record in JSON");
		break;
	case OP_EMIT:
		(void)member_number(j, "event");
		break;
	case OP_ENQUEUE:
		(void)member_number(j, "job");
		break;
	case OP_DELETE:
	case OP_CHECK:
	case OP_FENCE:
	case OP_TOUCH:
		break;
	}
}

static void json_success_same(const struct tx *tx, const json_t *j, const struct verdict *v)
{
	const json_t *results = json_object_get(j, "results");

	if (tx->form == TX_FORM_RECORD) {
		must(json_is_object(j), "the stored value itself");
		return;
	}
	if (tx->form != TX_FORM_TX) {
		json_result_same(j, &tx->ops[0], true);
		return;
	}
	must(json_is_true(json_object_get(j, "committed")), "committed in JSON");
	must(member_i64(j, "revision") == v->revision, "revision in JSON");
	must(json_array_size(results) == tx->ops_len, "one result an operation");
	for (uint32_t i = 0; i < tx->ops_len; i++)
		json_result_same(json_array_get(results, i), &tx->ops[i], i + 1 == tx->ops_len);
}

static void json_problem_same(const struct tx *tx, const json_t *j, const struct verdict *v)
{
	const struct op *op = &tx->ops[v->op];

	must(member_is(j, "code", pawl_status_code(v->code)), "code in JSON");
	must(member_i64(j, "status") == pawl_status_http(v->code), "status in JSON");
	must(json_is_string(json_object_get(j, "title")), "title in JSON");
	must(json_is_string(json_object_get(j, "type")), "type in JSON");
	must(json_is_boolean(json_object_get(j, "retryable")), "retryable in JSON");
	if (tx->form == TX_FORM_TX)
		must(member_i64(j, "op") == v->op, "op in JSON");
	/* More than is left of a hold is said of the hold, not of an account. */
	if (v->code == PAWL_E_INSUFFICIENT && op->kind != OP_CAPTURE) {
		must(member_i64(j, "available") == v->available, "available of a refusal");
		must(member_i64(j, "requested") == v->requested, "requested of a refusal");
		must(json_is_string(json_object_get(j, "account")), "account of a refusal");
	}
	if (v->code == PAWL_E_VERSION_MISMATCH)
		must(member_i64(j, "current_version") == v->current, "current_version");
	if (v->code == PAWL_E_FENCED) {
		must(member_i64(j, "token") == op->u.fence.token, "token of a refusal");
		must(member_i64(j, "current") == v->current, "current token");
	}
	if (v->code == PAWL_E_HOLD_EXPIRED || v->code == PAWL_E_HOLD_FINISHED) {
		must(json_is_string(json_object_get(j, "hold")), "hold of a refusal");
		must(json_is_string(json_object_get(j, "state")), "state of a refusal");
	}
}

static void answer_same(const struct tx *tx, const struct tx_answer *a, const struct verdict *v)
{
	json_t *j;

	must(a->code == v->code, "the verdict's code is the model's");
	/* A route of one operation is refused as a whole: only a transaction names an operation. */
	must(a->op == (tx->form == TX_FORM_TX ? v->op : -1),
	     "the refused operation is the model's");
	must(a->revision == v->revision, "the revision is the model's");
	must(!a->replayed, "a new answer is not a replay");
	must(v->code == PAWL_OK || a->http == pawl_status_http(v->code), "status of a refusal");
	must(v->code != PAWL_OK || (a->http >= 200 && a->http < 300), "status of a success");
	if (v->code == PAWL_OK && tx->form == TX_FORM_NONE) {
		must(a->body.len == 0, "204 has no body");
		return;
	}
	j = json_loadb(a->body.ptr, a->body.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
	must(j != NULL, "an answer is JSON");
	if (v->code == PAWL_OK)
		json_success_same(tx, j, v);
	else
		json_problem_same(tx, j, v);
	json_decref(j);
}

static struct sent *sent_find(const struct tx *tx)
{
	for (uint32_t i = 0; i < run.sents; i++) {
		if (str_eq(run.sent[i].tx->caller, tx->caller) &&
		    str_eq(run.sent[i].tx->key, tx->key))
			return &run.sent[i];
	}
	return NULL;
}

static void replay_same(const struct sent *s, const struct tx_answer *a)
{
	must(a->replayed, "a replay says so");
	must(a->code == s->answer.code && a->http == s->answer.http, "a replay's verdict");
	must(a->revision == s->answer.revision && a->etag == s->answer.etag, "a replay's version");
	must(str_eq(a->location, s->location), "a replay's Location");
	must(str_eq(a->body, s->body), "a replay's body, byte for byte");
	run.replayed++;
}

static void reuse_same(const struct sent *s, const struct tx_answer *a)
{
	must(a->code == PAWL_E_KEY_REUSED && a->http == 422, "another request under the key");
	must(!a->replayed && a->revision == 0, "is refused and replays nothing");
	must(!str_eq(a->body, s->body), "and does not tell the first answer");
	run.reused++;
}

static void remember(struct tx *tx, const struct tx_answer *a)
{
	struct sent *s = &run.sent[run.sents++];

	s->tx = tx;
	s->answer = *a;
	s->body = pawl__arena_str(&run.w.arena, a->body);
	s->location = pawl__arena_str(&run.w.arena, a->location);
}

static void check_tx(struct tx *tx)
{
	const uint32_t before = snapshot_take(&run.w.ws);
	const struct sent *s = tx->key.len > 0 ? sent_find(tx) : NULL;
	struct tx_answer a;
	struct verdict v;

	failing = tx;
	memset(&a, 0xa5, sizeof(a));
	pawl__apply(&run.w.ws, tx, &a);
	failing_answer = &a;
	must(!run.w.ws.failed, "there is memory");
	if (s != NULL) {
		snapshot_same(&run.w.ws, before, NULL);
		if (memcmp(s->tx->fingerprint, tx->fingerprint, FINGERPRINT_LEN) == 0)
			replay_same(s, &a);
		else
			reuse_same(s, &a);
	} else {
		v = model_apply(&run.m, tx, run.w.now_us);
		failing_verdict = &v;
		answer_same(tx, &a, &v);
		if (v.code != PAWL_OK)
			snapshot_same(&run.w.ws, before, tx->answer_row);
		else
			run.committed++;
		run.refused += v.code != PAWL_OK;
		run.by_code[-(int)v.code]++;
		if (tx->key.len > 0)
			remember(tx, &a);
	}
	must_not(ws_differs(&run.w.ws, &run.m), "the rows are the model's");
	must_not(model_broken(&run.m, run.w.now_us), "the promises hold");
	run.done++;
	failing = NULL;
	failing_answer = NULL;
	failing_verdict = NULL;
}

/* A new request, a replay, or another request under a known key. */
static struct tx *next_tx(void)
{
	struct tx *tx;
	char key[16];

	if (run.sents > 0 && chance(12))
		return run.sent[below(run.sents)].tx;
	tx = gen_tx();
	if (run.sents > 0 && chance(5)) {
		const struct sent *s = &run.sent[below(run.sents)];

		tx->caller = s->tx->caller;
		tx->key = s->tx->key;
		fingerprint(tx);
	} else if (chance(50)) {
		(void)snprintf(key, sizeof(key), "k%u", (unsigned)below(400));
		tx->key = kept(key);
		fingerprint(tx);
	}
	return tx;
}

static void clock_move(void)
{
	if (chance(50))
		return;
	run.w.now_us += chance(80) ? (int64_t)below(HOUR_US / 4) : (int64_t)below(4 * HOUR_US);
	if (chance(10) && run.m.holds > 0) {
		/* Exactly at an expiry: it counts as expired. */
		const struct m_hold *h = &run.m.hold[below(run.m.holds)];

		if (h->expires_us > run.w.now_us)
			run.w.now_us = h->expires_us - (chance(50) ? 1 : 0);
	}
}

/* Accounts and items to begin with, and something in them: tx number i of the set-up. */
static struct tx *setup_tx(uint32_t i)
{
	static const struct str units[] = { STR("EUR"), STR("USD") };
	struct tx *tx = arena_new(&run.w.arena, struct tx);
	struct op *op = arena_array(&run.w.arena, struct op, OPS_MAX);

	*tx = (struct tx){ .ops = op,
		           .ops_len = 1,
		           .form = TX_FORM_TX,
		           .http_created = 200,
		           .caller = STR("alice"),
		           .route = STR("POST /v1/tx") };
	if (i < M_WORLD_FIRST) {
		gen_op(op, OP_ACCOUNT);
		op->u.account.id = text(m_account_ids[i]);
		op->u.account.unit = units[i < 3 ? 0 : 1];
	} else if (i < 2 * M_WORLD_FIRST) {
		gen_op(op, OP_TRANSFER);
		op->u.move.from = text(m_account_ids[i - 6 < 3 ? 6 : 7]);
		op->u.move.to = text(m_account_ids[i - 6]);
		op->u.move.amount = 50;
	} else {
		gen_op(op, OP_ITEM);
		op->u.item.sku = text(m_skus[i - 12]);
	}
	return tx;
}
static bool tx_once(struct tx *const *txs, uint32_t len, const struct tx *tx)
{
	for (uint32_t i = 0; i < len; i++) {
		if (txs[i] == tx)
			return false;
	}
	return true;
}

static void batch(void)
{
	struct tx *txs[BATCH_MAX];
	uint32_t len = 0;
	const uint32_t want = 1 + (uint32_t)below(BATCH_MAX);

	clock_move();
	while (len < want) {
		struct tx *tx = run.setup < SETUP_TXS ? setup_tx(run.setup++) : next_tx();

		if (!tx_once(txs, len, tx)) {
			/* The same request twice in one batch is another object over HTTP. */
			struct tx *copy = arena_new(&run.w.arena, struct tx);

			*copy = *tx;
			copy->ops = arena_array(&run.w.arena, struct op, OPS_MAX);
			memcpy(copy->ops, tx->ops, tx->ops_len * sizeof(*tx->ops));
			tx = copy;
		}
		txs[len++] = tx;
	}
	model_expire(&run.m, run.w.now_us);
	world_begin(&run.w, txs, len);
	run.m.revision += run.w.swept ? 1 : 0;
	for (int i = 0; i < M_ACCOUNTS; i++) {
		if (run.w.freed[i])
			run.m.account[i].version = run.m.revision;
	}
	for (uint32_t i = 0; i < len; i++)
		must(txs[i]->ready, "all rows are loaded after APPLY_ROUNDS_MAX rounds");
	must(run.w.rounds <= APPLY_ROUNDS_MAX, "rounds");
	must_not(ws_differs(&run.w.ws, &run.m), "the rows as loaded");
	for (uint32_t i = 0; i < len; i++)
		check_tx(txs[i]);
	must_not(world_flush(&run.w), "flush");
	must_not(world_differs(&run.w, &run.m), "the stored rows are the model's");
}

static void world_run(uint64_t seed)
{
	const uint64_t until = run.done + WORLD_TXS;

	run.seed = seed;
	rng_init(&run.rng, seed);
	memset(&run.m, 0, sizeof(run.m));
	run.sents = 0;
	run.setup = chance(95) ? 0 : SETUP_TXS;
	world_init(&run.w);
	run.extreme = chance(35);
	run.m.revision = run.w.revision;
	run.m.token[0] = run.w.token[0] = 3;
	while (run.done < until)
		batch();
	world_deinit(&run.w);
}

int main(int argc, char **argv)
{
	uint64_t transactions = TRANSACTION, seed = 1;
	bool one = false;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--transactions") == 0)
			transactions = strtoull(argv[i + 1], NULL, 10);
		if (strcmp(argv[i], "--seed") == 0) {
			seed = strtoull(argv[i + 1], NULL, 10);
			one = true;
		}
	}
	do {
		world_run(seed++);
	} while (!one && run.done < transactions);
	(void)printf("%" PRIu64 " transactions: %" PRIu64 " committed, %" PRIu64
	             " refused, %" PRIu64 " replayed, %" PRIu64
	             " other requests under a used key\n",
	             run.done, run.committed, run.refused, run.replayed, run.reused);
	for (int i = 1; i < 32; i++) {
		if (run.by_code[i] > 0)
			(void)printf("  %-22s %" PRIu64 "\n",
			             pawl_status_code((enum pawl_status) - i), run.by_code[i]);
	}
	/* A test that never got there has tested nothing. */
	if (!one && (run.replayed == 0 || run.reused == 0 || run.by_code[3] == 0 ||
	             run.by_code[5] == 0 || run.by_code[6] == 0 || run.by_code[10] == 0)) {
		(void)fprintf(stderr, "FAILED: some verdicts were never reached\n");
		return 1;
	}
	return 0;
}
