/* SPDX-License-Identifier: Apache-2.0 */
#include "work.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/id.h"
#include "store/sqlite/sqlite.h"
#include "work_sums.h"

#define CALLER      STR("tester")
#define BATCH_MAX   5U
#define TURNS_MAX   100U
#define TTL_US      (INT64_C(3600) * 1000000)
#define STOCK       40
#define MONEY       500
#define VALUE_BIG   20000U
#define ANSWERS_RUN 16U /* so that runs are written and found again within one run of the work */

/* One sending of an ask. */
struct call {
	struct lane_request rq;
	struct work *w;
	struct ask *ask;
	struct tx tx;
	struct op op[4];
	struct order_line line[WORK_LINES_MAX];
	char id[4][ROW_ID_MAX];
	char text[256];
	bool sent, answered;
};

void pawl__work_fail(struct work *w, const char *fmt, ...)
{
	va_list ap;

	w->bad = true;
	va_start(ap, fmt);
	(void)fputs("work: ", stderr);
	(void)vfprintf(stderr, fmt, ap);
	(void)fputc('\n', stderr);
	va_end(ap);
}

static bool work_dark(const struct work *w)
{
	return w->dark != NULL && w->dark();
}

void pawl__work_init(struct work *w, uint64_t seed)
{
	*w = (struct work){ .engine = NULL };
	rng_init(&w->rng, seed);
	pawl__arena_init(&w->arena, (size_t)256 << 10, (size_t)64 << 20);
}

void pawl__work_deinit(struct work *w)
{
	pawl__work_close(w);
	pawl__arena_deinit(&w->arena);
}

bool pawl__work_open(struct work *w, const char *path, const char *vfs, struct pawl_error *err)
{
	const struct answers_tuning tuning = { .run_max = ANSWERS_RUN,
		                               .slice_min = 2,
		                               .filters_max = (size_t)1 << 20,
		                               .hash_mask = UINT64_MAX };
	const struct engine_options opt = { .mode = ENGINE_LOOP, .sweep_us = -1 };
	const struct store_options store_opt = { .retention_us = TTL_US };
	char place[512];
	struct store *s;

	(void)snprintf(place, sizeof(place), "%s%s%s", path,
	               vfs == NULL ? "" : "?vfs=", vfs == NULL ? "" : vfs);
	if (pawl__sqlite_open(place, &store_opt, &tuning, &s, err) != PAWL_OK)
		return false;
	return pawl__engine_start(s, &opt, &w->engine, err) == PAWL_OK;
}

void pawl__work_close(struct work *w)
{
	pawl__engine_close(w->engine);
	w->engine = NULL;
}

static struct str keep(struct work *w, struct str s)
{
	return s.len == 0 ? STR_NONE : pawl__arena_str(&w->arena, s);
}

/* "/v1/orders/ID": the number that ID stands for. */
static int64_t location_number(struct str location)
{
	int64_t number = 0;

	if (location.len < ID_TEXT_LEN ||
	    !pawl__id_parse((struct str){ location.ptr + location.len - ID_TEXT_LEN, ID_TEXT_LEN },
	                    &number))
		return 0;
	return number;
}

static bool answer_same(const struct tx_answer *a, const struct tx_answer *b)
{
	return a->code == b->code && a->http == b->http && a->etag == b->etag &&
	       a->revision == b->revision && str_eq(a->location, b->location) &&
	       str_eq(a->body, b->body);
}

static void ask_answered(struct work *w, struct ask *ask, const struct tx_answer *a)
{
	ask->known = KNOWN_ANSWER;
	ask->answer = *a;
	ask->answer.location = keep(w, a->location);
	ask->answer.body = keep(w, a->body);
	ask->number = a->code == PAWL_OK ? location_number(a->location) : 0;
	if (a->revision > w->revision_seen)
		w->revision_seen = a->revision;
}

static void call_done(struct lane_request *rq, const struct tx_answer *a)
{
	struct call *c = CONTAINER_OF(rq, struct call, rq);
	struct ask *ask = c->ask;
	const bool nothing = a->http == 503, open = a->http == 504;

	if (c->answered)
		pawl__work_fail(c->w, "%s is answered twice", ask->key);
	c->answered = true;
	if (nothing || open) {
		/* A repeat of what is known: the answer stands. */
		if (ask->known != KNOWN_ANSWER && ask->known != KNOWN_OPEN)
			ask->known = nothing && !(c->w->unheard && work_dark(c->w)) ? KNOWN_NOTHING
			                                                            : KNOWN_OPEN;
		return;
	}
	if (a->http >= 500)
		pawl__work_fail(c->w, "%s is answered %d", ask->key, a->http);
	if (ask->known == KNOWN_ANSWER && (!answer_same(&ask->answer, a) || !a->replayed))
		pawl__work_fail(c->w, "%s is answered %d, then %d%s with another body", ask->key,
		                ask->answer.http, a->http, a->replayed ? " (replay)" : "");
	if (ask->known == KNOWN_NOTHING && a->replayed)
		pawl__work_fail(c->w, "%s was told 503, yet it had been done", ask->key);
	if (ask->known != KNOWN_ANSWER)
		ask_answered(c->w, ask, a);
}

/* Names of the rows that a call needs, in its own memory. */
static struct str name(struct call *c, unsigned slot, const char *prefix, uint32_t n)
{
	const int len = snprintf(c->id[slot], sizeof(c->id[slot]), "%s%u", prefix, n);

	return (struct str){ c->id[slot], (size_t)len };
}

static struct op op_move(struct call *c, enum op_kind kind, const struct ask *ask)
{
	struct op op = { .kind = kind };

	op.u.move.from = ask->kind == ASK_FUND ? STR("world:EUR") : name(c, 0, "user:", ask->a);
	op.u.move.to = name(c, 1, "user:", ask->b);
	op.u.move.amount = ask->amount;
	op.u.move.ttl_us = TTL_US;
	return op;
}

static struct op op_record(struct call *c, enum op_kind kind, const struct ask *ask)
{
	struct op op = { .kind = kind };

	op.u.record.key = name(c, 2, "record:", ask->kind == ASK_MANY ? ask->lines_len : ask->a);
	op.u.record.value = ask->value;
	op.u.record.if_version = ask->if_version;
	return op;
}

static struct op op_order(struct call *c, const struct ask *ask)
{
	struct op op = { .kind = OP_ORDER };
	struct buf b;

	pawl__buf_init_fixed(&b, c->text, sizeof(c->text));
	buf_lit(&b, "\"lines\":[");
	for (uint32_t i = 0; i < ask->lines_len; i++) {
		const int n = snprintf(c->id[i], sizeof(c->id[i]), "sku%u", ask->sku[i]);

		c->line[i] = (struct order_line){ { c->id[i], (size_t)n }, ask->quantity[i] };
		if (i > 0)
			pawl__buf_putc(&b, ',');
		buf_lit(&b, "{\"sku\":");
		pawl__buf_json(&b, c->line[i].sku);
		buf_lit(&b, ",\"quantity\":");
		pawl__buf_i64(&b, ask->quantity[i]);
		pawl__buf_putc(&b, '}');
	}
	pawl__buf_putc(&b, ']');
	op.u.order.lines = c->line;
	op.u.order.lines_len = ask->lines_len;
	op.u.order.hold_us = ask->held ? TTL_US : 0;
	op.u.order.body = buf_get(&b);
	return op;
}

static struct op op_account(struct call *c, const struct ask *ask)
{
	struct op op = { .kind = OP_ACCOUNT };

	op.u.account.id = name(c, 0, "user:", ask->a);
	op.u.account.unit = STR("EUR");
	op.u.account.has_floor = true;
	return op;
}

static struct op op_item(struct call *c, const struct ask *ask)
{
	struct op op = { .kind = OP_ITEM };

	op.u.item.sku = name(c, 0, "sku", ask->a);
	op.u.item.quantity = ask->amount;
	return op;
}

static struct op op_end_hold(const struct work *w, enum op_kind kind, const struct ask *ask)
{
	struct op op = { .kind = kind };

	op.u.hold.number = w->ask[ask->of].number;
	op.u.hold.final = true;
	return op;
}

static struct op op_end_order(const struct work *w, enum op_kind kind, const struct ask *ask)
{
	struct op op = { .kind = kind };

	op.u.order_number = w->ask[ask->of].number;
	return op;
}

static void call_form(struct call *c, struct op op, enum tx_form form, const char *route)
{
	c->op[0] = op;
	c->tx.ops_len = 1;
	c->tx.form = form;
	c->tx.route = pawl__str_of(route);
}

static void call_many(struct call *c, const struct ask *ask)
{
	call_form(c, op_move(c, OP_TRANSFER, ask), TX_FORM_TX, "POST /v1/tx");
	c->op[1] = op_record(c, OP_PUT, ask);
	c->op[2] = (struct op){ .kind = OP_EMIT };
	c->op[2].u.emit.topic = STR("news");
	c->op[2].u.emit.body = STR("{\"n\":1}");
	c->op[3] = (struct op){ .kind = OP_ENQUEUE };
	c->op[3].u.enqueue.queue = STR("mail");
	c->op[3].u.enqueue.body = STR("[1,2,3]");
	c->tx.ops_len = 4;
}

static void call_ops(struct call *c, const struct ask *ask)
{
	const struct work *w = c->w;

	switch (ask->kind) {
	case ASK_ACCOUNT:
		return call_form(c, op_account(c, ask), TX_FORM_ACCOUNT, "PUT /v1/accounts");
	case ASK_ITEM:
		return call_form(c, op_item(c, ask), TX_FORM_ITEM, "PUT /v1/items");
	case ASK_FUND:
	case ASK_TRANSFER:
		return call_form(c, op_move(c, OP_TRANSFER, ask), TX_FORM_TRANSFER, "transfers");
	case ASK_HOLD:
		return call_form(c, op_move(c, OP_HOLD, ask), TX_FORM_HOLD, "holds");
	case ASK_CAPTURE:
		return call_form(c, op_end_hold(w, OP_CAPTURE, ask), TX_FORM_HOLD, "capture");
	case ASK_RELEASE:
		return call_form(c, op_end_hold(w, OP_RELEASE, ask), TX_FORM_HOLD, "release");
	case ASK_ORDER:
		return call_form(c, op_order(c, ask), TX_FORM_ORDER, "orders");
	case ASK_CONFIRM:
		return call_form(c, op_end_order(w, OP_CONFIRM, ask), TX_FORM_ORDER, "confirm");
	case ASK_CANCEL:
		return call_form(c, op_end_order(w, OP_CANCEL, ask), TX_FORM_ORDER, "cancel");
	case ASK_PUT:
		return call_form(c, op_record(c, OP_PUT, ask), TX_FORM_RECORD, "records");
	case ASK_DELETE:
		return call_form(c, op_record(c, OP_DELETE, ask), TX_FORM_NONE, "records");
	case ASK_MANY:
		return call_many(c, ask);
	}
	UNREACHABLE();
}

static void call_make(struct call *c, struct work *w, struct ask *ask)
{
	*c = (struct call){ .w = w, .ask = ask };
	c->tx = (struct tx){ .ops = c->op, .caller = CALLER, .http_created = 201 };
	c->tx.key = pawl__str_of(ask->key);
	memcpy(c->tx.fingerprint, ask->key, sizeof(ask->key));
	call_ops(c, ask);
	c->rq = (struct lane_request){ .tx = &c->tx, .done = call_done };
}

/* Send a batch and wait for its answers. */
static void work_send(struct work *w, struct ask *const *asks, uint32_t n)
{
	struct call call[BATCH_MAX];
	bool wait = true;

	PRE(n <= BATCH_MAX);
	for (uint32_t i = 0; i < n; i++) {
		call_make(&call[i], w, asks[i]);
		call[i].sent = pawl__lane_submit(w->engine, &call[i].rq) == PAWL_OK;
		if (!call[i].sent && asks[i]->known == KNOWN_UNSENT)
			asks[i]->known = KNOWN_NOTHING; /* refused at the door */
	}
	for (uint32_t turn = 0; turn < TURNS_MAX && wait; turn++) {
		(void)pawl__lane_turn(w->engine);
		wait = false;
		for (uint32_t i = 0; i < n; i++)
			wait = wait || (call[i].sent && !call[i].answered);
	}
	INVARIANT(!wait); /* the calls are about to go out of scope */
}

static struct ask *ask_new(struct work *w, enum ask_kind kind)
{
	struct ask *ask;

	PRE(w->len < WORK_ASKS_MAX);
	ask = &w->ask[w->len];
	*ask = (struct ask){ .kind = kind, .if_version = TX_VERSION_ANY };
	(void)snprintf(ask->key, sizeof(ask->key), "key-%u", w->len);
	w->len++;
	return ask;
}

static uint32_t pick(struct work *w, uint32_t n)
{
	return (uint32_t)pawl__rng_below(&w->rng, n);
}

/* A setup that is not answered is asked again later, by retry. */
void pawl__work_setup(struct work *w)
{
	struct ask *ask[BATCH_MAX];
	uint32_t n = 0;

	for (uint32_t i = 0; i < WORK_USERS; i++) {
		ask[n] = ask_new(w, ASK_ACCOUNT);
		ask[n++]->a = i;
	}
	work_send(w, ask, n);
	n = 0;
	for (uint32_t i = 0; i < WORK_SKUS; i++) {
		ask[n] = ask_new(w, ASK_ITEM);
		ask[n]->a = i;
		ask[n++]->amount = STOCK;
	}
	work_send(w, ask, n);
	n = 0;
	for (uint32_t i = 0; i < WORK_USERS; i++) {
		ask[n] = ask_new(w, ASK_FUND);
		ask[n]->b = i;
		ask[n++]->amount = MONEY;
	}
	work_send(w, ask, n);
}

/* An ask that has made a hold (or a held order) of which the number is known. */
static bool ask_find(struct work *w, enum ask_kind kind, uint32_t *ret)
{
	const uint32_t start = pick(w, w->len);

	for (uint32_t i = 0; i < w->len; i++) {
		const struct ask *ask = &w->ask[(start + i) % w->len];

		if (ask->kind == kind && ask->number != 0 && (kind == ASK_HOLD || ask->held)) {
			*ret = (start + i) % w->len;
			return true;
		}
	}
	return false;
}

static struct str value_new(struct work *w)
{
	const size_t len = pick(w, 8) == 0 ? 2 + pick(w, VALUE_BIG) : 2 + pick(w, 100);
	char *p = pawl__arena_alloc(&w->arena, len);

	INVARIANT(p != NULL);
	for (size_t i = 0; i < len; i++)
		p[i] = (char)('a' + pick(w, 26));
	p[0] = p[len - 1] = '"';
	return (struct str){ p, len };
}

static void make_move(struct work *w, struct ask *ask)
{
	ask->a = pick(w, WORK_USERS);
	ask->b = (ask->a + 1 + pick(w, WORK_USERS - 1)) % WORK_USERS;
	ask->amount = 1 + pick(w, 120);
}

static struct ask *make_order(struct work *w)
{
	struct ask *ask = ask_new(w, ASK_ORDER);

	ask->lines_len = 1 + pick(w, WORK_LINES_MAX);
	ask->held = pick(w, 5) < 2;
	for (uint32_t i = 0; i < ask->lines_len; i++) {
		ask->sku[i] = pick(w, WORK_SKUS);
		ask->quantity[i] = 1 + pick(w, 4);
	}
	return ask;
}

static struct ask *make_end(struct work *w, enum ask_kind of_kind, enum ask_kind end)
{
	struct ask *ask;
	uint32_t of;

	if (!ask_find(w, of_kind, &of))
		return make_order(w);
	ask = ask_new(w, end);
	ask->of = of;
	return ask;
}

static struct ask *make_record(struct work *w)
{
	struct ask *ask = ask_new(w, pick(w, 5) == 0 ? ASK_DELETE : ASK_PUT);
	const uint32_t dice = pick(w, 4);

	ask->a = pick(w, WORK_RECORDS);
	ask->value = ask->kind == ASK_PUT ? value_new(w) : STR_NONE;
	if (dice == 0)
		ask->if_version = TX_VERSION_EXISTS;
	if (dice == 1)
		ask->if_version = ask->kind == ASK_PUT ? TX_VERSION_ABSENT : w->revision_seen;
	return ask;
}

static struct ask *make_many(struct work *w)
{
	struct ask *ask = ask_new(w, ASK_MANY);

	make_move(w, ask);
	ask->lines_len = pick(w, WORK_RECORDS); /* the record */
	ask->value = value_new(w);
	return ask;
}

static struct ask *ask_next(struct work *w)
{
	const uint32_t dice = pick(w, 13);
	struct ask *ask;

	if (dice < 4)
		return make_order(w);
	if (dice < 6) {
		ask = ask_new(w, dice == 4 ? ASK_TRANSFER : ASK_HOLD);
		make_move(w, ask);
		return ask;
	}
	switch (dice) {
	case 6:
		return make_end(w, ASK_HOLD, pick(w, 3) == 0 ? ASK_RELEASE : ASK_CAPTURE);
	case 7:
		return make_end(w, ASK_ORDER, pick(w, 3) == 0 ? ASK_CANCEL : ASK_CONFIRM);
	case 8:
	case 9:
		return make_record(w);
	case 10:
	case 11:
		return make_many(w);
	default:
		return &w->ask[pick(w, w->len)]; /* once more */
	}
}

void pawl__work_some(struct work *w, uint32_t n)
{
	const uint32_t end = w->len + n;

	while (w->len < end && w->len + BATCH_MAX < WORK_ASKS_MAX && !work_dark(w)) {
		const uint32_t len = 1 + pick(w, BATCH_MAX);
		struct ask *ask[BATCH_MAX];

		for (uint32_t i = 0; i < len; i++)
			ask[i] = ask_next(w);
		work_send(w, ask, len);
		(void)pawl__lane_turn(w->engine); /* nothing waits: upkeep */
	}
}

void pawl__work_retry(struct work *w)
{
	for (uint32_t i = 0; i < w->len; i++) {
		struct ask *ask = &w->ask[i];

		if (ask->known != KNOWN_ANSWER)
			work_send(w, &ask, 1);
	}
}

bool pawl__work_probe(struct work *w)
{
	struct ask *ask = ask_new(w, ASK_ITEM);

	ask->a = w->len + 1000;
	ask->amount = 0;
	work_send(w, &ask, 1);
	return ask->known == KNOWN_ANSWER && ask->answer.code == PAWL_OK;
}

/* Reading back. */

static void read_rows(struct work *w, struct ws *ws)
{
	struct pawl_error err;

	if (pawl__engine_read(w->engine, ws, &err) != PAWL_OK)
		pawl__work_fail(w, "reading: %s", err.text);
}

/* (1): the remembered answer of each ask, against what was heard. */
static void work_settle(struct work *w)
{
	struct ws ws;
	struct ws_entry *row[WORK_ASKS_MAX] = { NULL };

	pawl__ws_init(&ws, &w->arena, 1, w->len);
	for (uint32_t i = 0; i < w->len; i++) {
		row[i] = pawl__ws_want_answer(&ws, CALLER, pawl__str_of(w->ask[i].key));
		INVARIANT(row[i] != NULL);
	}
	read_rows(w, &ws);
	for (uint32_t i = 0; i < w->len && !w->bad; i++) {
		struct ask *ask = &w->ask[i];
		const struct answer *r = &row[i]->row.answer;
		const struct tx_answer a = { .code = r->code,
			                     .http = r->http,
			                     .revision = r->revision,
			                     .etag = r->etag,
			                     .location = r->location,
			                     .body = r->body };

		if (ask->known == KNOWN_ANSWER && !row[i]->present)
			pawl__work_fail(w, "%s was answered %d and is lost", ask->key,
			                ask->answer.http);
		else if (ask->known == KNOWN_ANSWER && !answer_same(&ask->answer, &a))
			pawl__work_fail(w, "%s was answered otherwise", ask->key);
		else if (ask->known == KNOWN_NOTHING && row[i]->present)
			pawl__work_fail(w, "%s was told 503, yet it is done", ask->key);
		else if (ask->known != KNOWN_ANSWER && row[i]->present)
			ask_answered(w, ask, &a);
		else if (!row[i]->present)
			ask->known = KNOWN_NOTHING;
	}
}

static void drift(void *arg, const char *check, const char *text)
{
	pawl__work_fail(arg, "audit: %s: %s", check, text);
}

/* (4) */
static void work_audit(struct work *w)
{
	struct store_stats stats;
	struct store_audit audit;
	struct pawl_error err;

	if (pawl__engine_stats(w->engine, &stats, &err) != PAWL_OK ||
	    pawl__engine_audit(w->engine, drift, w, &audit, &err) != PAWL_OK) {
		pawl__work_fail(w, "looking: %s", err.text);
		return;
	}
	if (stats.revision < w->revision_seen)
		pawl__work_fail(w, "revision %lld was seen, now it is %lld",
		                (long long)w->revision_seen, (long long)stats.revision);
	if (audit.drifts != 0 || audit.checks == 0)
		pawl__work_fail(w, "audit: %lld drifts in %lld checks", (long long)audit.drifts,
		                (long long)audit.checks);
}

void pawl__work_check(struct work *w)
{
	work_settle(w);
	if (!w->bad)
		pawl__work_sums(w);
	if (!w->bad)
		work_audit(w);
	if (w->bad)
		return;
	for (uint32_t i = 0; i < w->len; i++) {
		struct ask *ask = &w->ask[i];

		work_send(w, &ask, 1);
		if (ask->known != KNOWN_ANSWER)
			pawl__work_fail(w, "%s is not answered on a sound disk", ask->key);
	}
	if (!w->bad)
		pawl__work_sums(w);
	if (!w->bad)
		work_audit(w);
}
