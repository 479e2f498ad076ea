/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The promises (1) to (6) of store/store.h and each of its slots, on working sets made by hand.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "stores.h"

#define BARE_ARENA_MAX ((size_t)32 << 20)

/* One transaction of the bare store. */
struct bare {
	struct fixture *f;
	struct store *s;
	struct arena arena;
	struct ws ws;
	struct store_begin b;
	struct pawl_error err;
};

static void bare_init(struct bare *x, void **state)
{
	x->f = *state;
	x->s = x->f->store;
	pawl__arena_init(&x->arena, 4096, BARE_ARENA_MAX);
}

static void bare_deinit(struct bare *x)
{
	pawl__arena_deinit(&x->arena);
}

static void ws_fresh(struct bare *x)
{
	pawl__arena_reset(&x->arena);
	pawl__ws_init(&x->ws, &x->arena, 7, 1);
	pawl__ws_begin(&x->ws);
}

static void begin(struct bare *x)
{
	ws_fresh(x);
	assert_int_equal(store_begin(x->s, &x->b, &x->err), PAWL_OK);
	x->ws.now_us = x->b.real_us > x->b.high_water_us ? x->b.real_us : x->b.high_water_us;
	x->ws.revision = x->b.revision;
	x->ws.answers_seq = x->b.answers_seq;
}

static void load(struct bare *x)
{
	assert_int_equal(store_load(x->s, &x->ws, &x->err), PAWL_OK);
}

/* The entry of a row, loaded, about to be changed. */
static struct ws_entry *open_entry(struct bare *x, struct ws_entry *e)
{
	assert_non_null(e);
	load(x);
	assert_true(e->loaded);
	pawl__ws_change(&x->ws, e);
	e->present = true;
	return e;
}

static struct ws_entry *open_row(struct bare *x, enum row_kind kind, const char *id)
{
	return open_entry(x, pawl__ws_want(&x->ws, kind, pawl__str_of(id)));
}

static struct ws_entry *open_number(struct bare *x, enum row_kind kind, int64_t number)
{
	return open_entry(x, pawl__ws_want_number(&x->ws, kind, number));
}

/* The next revision is this transaction's. */
static int64_t number(const struct bare *x, int64_t k)
{
	return (ws_next_revision(&x->ws) << ROW_NUMBER_BITS) | k;
}

static struct account *put_account(struct bare *x, const char *id, int64_t balance)
{
	struct ws_entry *e = open_row(x, ROW_ACCOUNT, id);
	const int64_t stored = e->row.account.number;

	e->row.account = (struct account){ .id = e->id,
		                           .unit = STR("EUR"),
		                           .number = stored,
		                           .balance = balance,
		                           .has_floor = id[0] != 'w',
		                           .version = ws_next_revision(&x->ws) };
	return &e->row.account;
}

static struct transfer *put_transfer(struct bare *x, const struct account *from,
                                     const struct account *to, int64_t amount)
{
	struct transfer *t = pawl__ws_transfer(&x->ws);

	assert_non_null(t);
	*t = (struct transfer){
		.number = number(x, x->ws.transfers.len), .from = from, .to = to, .amount = amount
	};
	return t;
}

static struct hold *put_hold(struct bare *x, int64_t k, int64_t amount, int64_t expires_us)
{
	struct ws_entry *e = pawl__ws_fresh(&x->ws, ROW_HOLD, number(x, k));

	assert_non_null(e);
	pawl__ws_change(&x->ws, e);
	e->present = true;
	e->row.hold = (struct hold){ .number = e->number,
		                     .from = STR("a"),
		                     .to = STR("world:EUR"),
		                     .amount = amount,
		                     .expires_us = expires_us,
		                     .version = ws_next_revision(&x->ws) };
	return &e->row.hold;
}

static void put_answer(struct bare *x, const char *key, const char *body)
{
	struct ws_entry *e = pawl__ws_want_answer(&x->ws, STR("me"), pawl__str_of(key));

	assert_non_null(e);
	load(x);
	e->present = true;
	e->row.answer = (struct answer){ .caller = e->id,
		                         .key = e->id2,
		                         .code = PAWL_E_INSUFFICIENT,
		                         .http = 409,
		                         .etag = 3,
		                         .at_us = x->ws.now_us,
		                         .location = STR("/v1/x"),
		                         .body = pawl__str_of(body) };
	memset(e->row.answer.fingerprint, 0xa5, FINGERPRINT_LEN);
	assert_true(pawl__ws_answer(&x->ws, e));
}

static void flush(struct bare *x)
{
	if (x->ws.changed)
		x->ws.revision++;
	if (store_flush(x->s, &x->ws, &x->err) != PAWL_OK)
		fail_msg("flush: %s", x->err.text);
}

static void commit(struct bare *x)
{
	flush(x);
	if (store_commit(x->s, &x->err) != PAWL_OK)
		fail_msg("commit: %s", x->err.text);
}

/* Flush and commit what breaks a rule: one of them refuses, and nothing of it remains. */
static void expect_corrupt(struct bare *x, const char *what)
{
	const int64_t revision = x->b.revision, answers = x->b.answers_seq;
	enum pawl_status st;

	x->ws.revision++;
	st = store_flush(x->s, &x->ws, &x->err);
	if (st == PAWL_OK)
		st = store_commit(x->s, &x->err);
	if (st != PAWL_E_CORRUPT)
		fail_msg("%s: %s instead of corrupt", what, pawl_status_code(st));
	store_rollback(x->s);
	begin(x);
	assert_int_equal(x->b.revision, revision);
	assert_int_equal(x->b.answers_seq, answers);
	store_rollback(x->s);
}

/* a (floor 0) has 10 of world:EUR; revision 1. */
static void funded(struct bare *x)
{
	const struct account *a, *w;

	begin(x);
	a = put_account(x, "a", 10);
	w = put_account(x, "world:EUR", -10);
	(void)put_transfer(x, w, a, 10);
	commit(x);
}

/* a holds 4 until KIT_START_US + KIT_SECOND (returned) and 3 for a second longer; revision 2. */
static int64_t two_holds(struct bare *x)
{
	struct ws_entry *a;
	int64_t first;

	begin(x);
	a = open_row(x, ROW_ACCOUNT, "a");
	(void)open_row(x, ROW_ACCOUNT, "world:EUR");
	a->row.account.held = 7;
	a->row.account.due_us = KIT_START_US + KIT_SECOND;
	first = put_hold(x, 0, 4, KIT_START_US + KIT_SECOND)->number;
	(void)put_hold(x, 1, 3, KIT_START_US + 2 * KIT_SECOND);
	commit(x);
	return first;
}

static void read_all(struct bare *x)
{
	if (store_read(x->s, &x->ws, &x->err) != PAWL_OK)
		fail_msg("read: %s", x->err.text);
}

static const struct ws_entry *read_row(struct bare *x, enum row_kind kind, const char *id)
{
	const struct ws_entry *e;

	ws_fresh(x);
	e = pawl__ws_want(&x->ws, kind, pawl__str_of(id));
	read_all(x);
	return e->present ? e : NULL;
}

static void print_drift(void *arg, const char *check, const char *text)
{
	(void)arg;
	print_error("drift: %s: %s\n", check, text);
}

static struct store_audit audited(struct bare *x, int64_t drifts)
{
	struct store_audit a;

	assert_int_equal(store_audit(x->s, print_drift, NULL, &a, &x->err), PAWL_OK);
	assert_int_equal(a.drifts, drifts);
	return a;
}

/* (1) and (6) */

static void test_begin__empty_store_starts_at_zero(void **state)
{
	struct bare x;

	bare_init(&x, state);
	begin(&x);
	assert_int_equal(x.b.revision, 0);
	assert_int_equal(x.b.answers_seq, 0);
	assert_int_equal(x.b.real_us, KIT_START_US);
	store_rollback(x.s);
	assert_int_equal(audited(&x, 0).accounts, 0);
	bare_deinit(&x);
}

static void test_begin__tells_what_the_last_commit_left(void **state)
{
	struct bare x;

	bare_init(&x, state);
	funded(&x);
	begin(&x);
	put_answer(&x, "k", "{}");
	commit(&x);
	begin(&x);
	assert_int_equal(x.b.revision, 1);
	assert_int_equal(x.b.answers_seq, 1);
	assert_int_equal(x.b.high_water_us, KIT_START_US);
	store_rollback(x.s);
	x.f->clock.real_us -= KIT_HOUR; /* the mark does not follow the clock back */
	begin(&x);
	assert_int_equal(x.b.real_us, KIT_START_US - KIT_HOUR);
	assert_int_equal(x.b.high_water_us, KIT_START_US);
	store_rollback(x.s);
	bare_deinit(&x);
}

static void write_every_kind(struct bare *x)
{
	struct ws_entry *e;
	struct event *ev;
	struct job *j;

	begin(x);
	e = open_row(x, ROW_RECORD, "r");
	e->row.record = (struct record){ .key = e->id,
		                         .value = STR("{\"text\":\"caf\xc3\xa9\"}"),
		                         .version = number(x, 0) >> 10 };
	e = open_row(x, ROW_LEASE, "l");
	e->row.lease = (struct lease){
		.name = e->id, .owner = STR("me"), .token = 5, .deadline_us = KIT_START_US + 1
	};
	e = open_number(x, ROW_ORDER, number(x, 0));
	e->row.order = (struct order){ .number = e->number,
		                       .state = ORDER_CONFIRMED,
		                       .body = STR("\"lines\":[]"),
		                       .version = ws_next_revision(&x->ws) };
	ev = pawl__ws_event(&x->ws);
	*ev = (struct event){
		.number = number(x, 1), .topic = STR("t"), .key = STR("k"), .body = STR("1")
	};
	j = pawl__ws_job(&x->ws);
	*j = (struct job){
		.number = number(x, 2), .queue = STR("q"), .body = STR("2"), .run_at_us = 9
	};
	put_answer(x, "k", "{\"x\":1}");
	commit(x);
}

static void expect_every_kind(struct bare *x)
{
	const int64_t order = INT64_C(3) << ROW_NUMBER_BITS, hold = INT64_C(2) << ROW_NUMBER_BITS;
	const struct ws_entry *a, *h, *r, *l, *o, *k;

	ws_fresh(x);
	a = pawl__ws_want(&x->ws, ROW_ACCOUNT, STR("a"));
	h = pawl__ws_want_number(&x->ws, ROW_HOLD, hold);
	r = pawl__ws_want(&x->ws, ROW_RECORD, STR("r"));
	l = pawl__ws_want(&x->ws, ROW_LEASE, STR("l"));
	o = pawl__ws_want_number(&x->ws, ROW_ORDER, order);
	k = pawl__ws_want_answer(&x->ws, STR("me"), STR("k"));
	read_all(x);
	assert_true(a->present && h->present && r->present && l->present && o->present &&
	            k->present);
	assert_int_equal(a->row.account.balance, 10);
	assert_int_equal(a->row.account.held, 7);
	assert_int_equal(a->row.account.due_us, KIT_START_US + KIT_SECOND);
	assert_true(a->row.account.has_floor && a->row.account.number > 0);
	assert_true(str_eq(h->row.hold.from, STR("a")) && str_eq(h->row.hold.to, STR("world:EUR")));
	assert_int_equal(h->row.hold.from_number, a->row.account.number);
	assert_int_equal(h->row.hold.amount, 4);
	assert_int_equal(h->row.hold.state, HOLD_HELD);
	assert_true(str_eq(r->row.record.value, STR("{\"text\":\"caf\xc3\xa9\"}")));
	assert_int_equal(r->row.record.version, 3);
	assert_true(str_eq(l->row.lease.owner, STR("me")));
	assert_int_equal(l->row.lease.token, 5);
	assert_int_equal(l->row.lease.deadline_us, KIT_START_US + 1);
	assert_int_equal(o->row.order.state, ORDER_CONFIRMED);
	assert_true(str_eq(o->row.order.body, STR("\"lines\":[]")));
	assert_int_equal(k->row.answer.code, PAWL_E_INSUFFICIENT);
	assert_int_equal(k->row.answer.http, 409);
	assert_int_equal(k->row.answer.etag, 3);
	assert_int_equal(k->row.answer.fingerprint[FINGERPRINT_LEN - 1], 0xa5);
	assert_true(str_eq(k->row.answer.location, STR("/v1/x")));
	assert_true(str_eq(k->row.answer.body, STR("{\"x\":1}")));
}

static void test_commit__every_kind_of_row_is_there(void **state)
{
	struct store_stats stats;
	struct bare x;

	bare_init(&x, state);
	funded(&x);
	(void)two_holds(&x);
	write_every_kind(&x);
	expect_every_kind(&x);
	assert_int_equal(store_stats(x.s, &stats, &x.err), PAWL_OK);
	assert_int_equal(stats.revision, 3);
	assert_int_equal(stats.accounts, 2);
	assert_int_equal(stats.holds_live, 2);
	assert_int_equal(stats.orders, 1);
	assert_int_equal(stats.records, 1);
	assert_int_equal(stats.events, 1);
	assert_int_equal(stats.jobs, 1);
	assert_true(stats.answers == 1 || stats.answers == -1);
	assert_true(stats.engine[0] != '\0' && stats.durability[0] != '\0');
	assert_int_equal(audited(&x, 0).transfers, 1);
	bare_deinit(&x);
}

static void test_commit__survives_the_process(void **state)
{
	struct bare x;

	bare_init(&x, state);
	funded(&x);
	(void)two_holds(&x);
	write_every_kind(&x);
	if (fixture_reopen(x.f)) {
		x.s = x.f->store;
		expect_every_kind(&x);
		begin(&x);
		assert_int_equal(x.b.revision, 3);
		assert_int_equal(x.b.answers_seq, 1);
		assert_int_equal(x.b.high_water_us, KIT_START_US);
		store_rollback(x.s);
		(void)audited(&x, 0);
	}
	bare_deinit(&x);
}

static void test_flush__seen_by_nobody_before_commit(void **state)
{
	struct bare x, reader;

	bare_init(&x, state);
	bare_init(&reader, state);
	funded(&x);
	begin(&x);
	(void)put_account(&x, "b", 0);
	open_row(&x, ROW_ACCOUNT, "a")->row.account.held = 1;
	(void)open_row(&x, ROW_ACCOUNT, "world:EUR");
	put_hold(&x, 0, 1, KIT_START_US + KIT_HOUR)->version = 2;
	x.ws.first->row.account.due_us = 0;
	flush(&x);
	assert_null(read_row(&reader, ROW_ACCOUNT, "b"));
	assert_int_equal(read_row(&reader, ROW_ACCOUNT, "a")->row.account.held, 0);
	assert_int_equal(reader.ws.revision, 1);
	assert_int_equal(store_commit(x.s, &x.err), PAWL_OK);
	assert_non_null(read_row(&reader, ROW_ACCOUNT, "b"));
	assert_int_equal(read_row(&reader, ROW_ACCOUNT, "a")->row.account.held, 1);
	assert_int_equal(reader.ws.revision, 2);
	bare_deinit(&reader);
	bare_deinit(&x);
}

/* (2) */

static void test_rollback__leaves_nothing(void **state)
{
	struct bare x;

	bare_init(&x, state);
	funded(&x);
	begin(&x);
	(void)put_account(&x, "b", 0);
	put_answer(&x, "k", "{}");
	flush(&x);
	store_rollback(x.s);
	assert_null(read_row(&x, ROW_ACCOUNT, "b"));
	begin(&x);
	assert_int_equal(x.b.revision, 1);
	assert_int_equal(x.b.answers_seq, 0);
	store_rollback(x.s);
	store_rollback(x.s); /* in IDLE: nothing */
	assert_int_equal(audited(&x, 0).answers, 0);
	bare_deinit(&x);
}

static void test_rollback__an_expiry_is_undone(void **state)
{
	struct bare x;
	int64_t freed_due[2];
	struct ws_entry *a;

	bare_init(&x, state);
	funded(&x);
	(void)two_holds(&x);
	begin(&x);
	a = open_row(&x, ROW_ACCOUNT, "a");
	assert_int_equal(store_expire(x.s, a, KIT_START_US + KIT_HOUR, 3, freed_due, &x.err),
	                 PAWL_OK);
	assert_int_equal(freed_due[0], 7);
	assert_int_equal(freed_due[1], 0);
	store_rollback(x.s);
	assert_int_equal(read_row(&x, ROW_ACCOUNT, "a")->row.account.held, 7);
	(void)audited(&x, 0);
	bare_deinit(&x);
}

static void test_outcome__knows_what_was_committed(void **state)
{
	enum store_outcome o;
	struct bare x;

	bare_init(&x, state);
	funded(&x);
	assert_int_equal(store_outcome(x.s, 1, 0, &o, &x.err), PAWL_OK);
	assert_int_equal(o, STORE_COMMITTED);
	assert_int_equal(store_outcome(x.s, 2, 0, &o, &x.err), PAWL_OK);
	assert_int_equal(o, STORE_NOT_COMMITTED);
	assert_int_equal(store_outcome(x.s, 1, 1, &o, &x.err), PAWL_OK);
	assert_int_equal(o, STORE_NOT_COMMITTED);
	bare_deinit(&x);
}

/* (4) */

static void test_flush__account_below_floor_corrupt(void **state)
{
	struct account *edge;
	struct bare x;

	bare_init(&x, state);
	funded(&x);
	begin(&x);
	put_account(&x, "a", -1);
	expect_corrupt(&x, "below the floor");
	begin(&x);
	put_account(&x, "a", 10)->held = 11;
	expect_corrupt(&x, "held below the floor");
	begin(&x);
	put_account(&x, "a", 10)->held = -1;
	expect_corrupt(&x, "negative held");
	begin(&x);
	edge = put_account(&x, "edge", INT64_MIN);
	edge->floor = INT64_MIN;
	edge->held = 1;
	expect_corrupt(&x, "balance - held leaves int64");
	assert_int_equal(read_row(&x, ROW_ACCOUNT, "a")->row.account.balance, 10);
	(void)audited(&x, 0);
	bare_deinit(&x);
}

static void test_flush__hold_out_of_range_corrupt(void **state)
{
	static const int64_t bad[][2] = { { 4, 5 }, { 4, -1 }, { 0, 0 } };
	struct bare x;

	bare_init(&x, state);
	funded(&x);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		begin(&x);
		(void)open_row(&x, ROW_ACCOUNT, "a");
		(void)open_row(&x, ROW_ACCOUNT, "world:EUR");
		put_hold(&x, 0, bad[i][0], KIT_START_US + KIT_HOUR)->captured = bad[i][1];
		expect_corrupt(&x, "a hold out of range");
	}
	(void)audited(&x, 0);
	bare_deinit(&x);
}

static void test_flush__row_there_already_corrupt(void **state)
{
	struct bare x;

	bare_init(&x, state);
	funded(&x);
	begin(&x);
	(void)put_account(&x, "a", 10);
	x.ws.first->stored = false; /* as if it had not been there */
	x.ws.first->row.account.number = 0;
	expect_corrupt(&x, "an account twice");
	bare_deinit(&x);
}

static void test_flush__transfer_of_nothing_corrupt(void **state)
{
	struct bare x;
	const struct account *a, *w;

	bare_init(&x, state);
	funded(&x);
	begin(&x);
	a = put_account(&x, "a", 10);
	w = put_account(&x, "world:EUR", -10);
	(void)put_transfer(&x, w, a, 0);
	expect_corrupt(&x, "a transfer of nothing");
	bare_deinit(&x);
}

/* (5) */

static void test_load__answer_found_until_its_retention(void **state)
{
	const struct ws_entry *e;
	struct bare x;

	bare_init(&x, state);
	begin(&x);
	put_answer(&x, "k", "{}");
	commit(&x);
	for (int late = 0; late < 2; late++) {
		begin(&x);
		x.ws.now_us = KIT_START_US + STORES_RETENTION_US - 1 + late;
		e = pawl__ws_want_answer(&x.ws, STR("me"), STR("k"));
		load(&x);
		assert_int_equal(e->present, late == 0);
		store_rollback(x.s);
	}
	bare_deinit(&x);
}

static void test_housekeep__forgets_no_answer_in_its_retention(void **state)
{
	const struct ws_entry *e;
	char key[16];
	struct bare x;

	bare_init(&x, state);
	for (int i = 0; i < 300; i++) {
		begin(&x);
		(void)snprintf(key, sizeof(key), "k%d", i);
		put_answer(&x, key, "{}");
		commit(&x);
		kit_pass(&x.f->clock, STORES_RETENTION_US / 250);
		assert_int_equal(store_housekeep(x.s, i % 2 == 0, &x.err), PAWL_OK);
	}
	begin(&x);
	for (int i = 300 - 249; i < 300; i++) {
		(void)snprintf(key, sizeof(key), "k%d", i);
		e = pawl__ws_want_answer(&x.ws, STR("me"),
		                         pawl__arena_str(&x.arena, pawl__str_of(key)));
		load(&x);
		if (!e->present)
			fail_msg("answer %d is forgotten", i);
	}
	e = pawl__ws_want_answer(&x.ws, STR("me"), STR("k1"));
	load(&x);
	assert_false(e->present);
	store_rollback(x.s);
	bare_deinit(&x);
}

static void test_load__answers_of_other_callers_absent(void **state)
{
	const struct ws_entry *mine, *other, *shifted;
	struct bare x;

	bare_init(&x, state);
	begin(&x);
	put_answer(&x, "k", "{}");
	commit(&x);
	begin(&x);
	mine = pawl__ws_want_answer(&x.ws, STR("me"), STR("k"));
	other = pawl__ws_want_answer(&x.ws, STR("you"), STR("k"));
	shifted = pawl__ws_want_answer(&x.ws, STR("m"), STR("ek"));
	load(&x);
	assert_true(mine->present && !other->present && !shifted->present);
	store_rollback(x.s);
	bare_deinit(&x);
}

/* the slots about holds */

static void test_expire__marks_what_is_due_and_tells(void **state)
{
	struct bare x;
	int64_t freed_due[2], first;
	struct ws_entry *a, *h;

	bare_init(&x, state);
	funded(&x);
	first = two_holds(&x);
	begin(&x);
	a = open_row(&x, ROW_ACCOUNT, "a");
	assert_int_equal(store_expire(x.s, a, KIT_START_US + KIT_SECOND - 1, 3, freed_due, &x.err),
	                 PAWL_OK);
	assert_int_equal(freed_due[0], 0);
	assert_int_equal(freed_due[1], KIT_START_US + KIT_SECOND);
	assert_int_equal(store_expire(x.s, a, KIT_START_US + KIT_SECOND, 3, freed_due, &x.err),
	                 PAWL_OK);
	assert_int_equal(freed_due[0], 4);
	assert_int_equal(freed_due[1], KIT_START_US + 2 * KIT_SECOND);
	/* What was expired in this transaction is seen by it. */
	h = pawl__ws_want_number(&x.ws, ROW_HOLD, first);
	load(&x);
	assert_int_equal(h->row.hold.state, HOLD_EXPIRED);
	assert_int_equal(h->row.hold.version, 3);
	assert_int_equal(store_expire(x.s, a, KIT_START_US + KIT_SECOND, 3, freed_due, &x.err),
	                 PAWL_OK);
	assert_int_equal(freed_due[0], 0);
	a->row.account.held = 3;
	a->row.account.due_us = freed_due[1];
	commit(&x);
	(void)audited(&x, 0);
	bare_deinit(&x);
}

static void test_due__lists_accounts_whose_time_has_come(void **state)
{
	struct str ids[4];
	struct store_due found = { .ids = ids, .max = 4, .len = 9 };
	struct bare x;

	bare_init(&x, state);
	funded(&x);
	assert_int_equal(store_due(x.s, INT64_MAX, &x.arena, &found, &x.err), PAWL_OK);
	assert_int_equal(found.len, 0);
	(void)two_holds(&x);
	assert_int_equal(store_due(x.s, KIT_START_US + KIT_SECOND - 1, &x.arena, &found, &x.err),
	                 PAWL_OK);
	assert_int_equal(found.len, 0);
	assert_int_equal(store_due(x.s, KIT_START_US + KIT_SECOND, &x.arena, &found, &x.err),
	                 PAWL_OK);
	assert_int_equal(found.len, 1);
	assert_true(str_eq(ids[0], STR("a")));
	found.max = 0;
	assert_int_equal(store_due(x.s, INT64_MAX, &x.arena, &found, &x.err), PAWL_OK);
	assert_int_equal(found.len, 0);
	bare_deinit(&x);
}

static void test_read__due_holds_are_taken_off_held(void **state)
{
	const struct ws_entry *a;
	struct bare x;

	bare_init(&x, state);
	funded(&x);
	(void)two_holds(&x);
	kit_pass(&x.f->clock, KIT_SECOND);
	begin(&x);
	put_answer(&x, "k", "{}"); /* moves the high-water mark */
	commit(&x);
	a = read_row(&x, ROW_ACCOUNT, "a");
	assert_int_equal(x.ws.now_us, KIT_START_US + KIT_SECOND);
	assert_int_equal(a->row.account.held, 3);
	assert_int_equal(a->row.account.balance, 10);
	bare_deinit(&x);
}

/* values */

static void test_load__extremes_come_back(void **state)
{
	struct ws_entry *e;
	struct account *lo, *hi;
	struct bare x;

	bare_init(&x, state);
	begin(&x);
	hi = put_account(&x, "high", INT64_MAX);
	lo = put_account(&x, "world:EUR", -INT64_MAX);
	hi->floor = INT64_MIN;
	(void)put_transfer(&x, lo, hi, INT64_MAX);
	commit(&x);
	begin(&x);
	e = open_row(&x, ROW_ACCOUNT, "high");
	assert_int_equal(e->row.account.balance, INT64_MAX);
	assert_int_equal(e->row.account.floor, INT64_MIN);
	e = open_row(&x, ROW_ACCOUNT, "world:EUR");
	assert_int_equal(e->row.account.balance, -INT64_MAX);
	assert_false(e->row.account.has_floor);
	store_rollback(x.s);
	(void)audited(&x, 0);
	bare_deinit(&x);
}

static void test_load__absent_rows_are_loaded_as_absent(void **state)
{
	const struct ws_entry *e[6];
	struct bare x;

	bare_init(&x, state);
	begin(&x);
	e[0] = pawl__ws_want(&x.ws, ROW_ACCOUNT, STR("a"));
	e[1] = pawl__ws_want(&x.ws, ROW_RECORD, STR("a"));
	e[2] = pawl__ws_want(&x.ws, ROW_LEASE, STR("a"));
	e[3] = pawl__ws_want_number(&x.ws, ROW_HOLD, 1);
	e[4] = pawl__ws_want_number(&x.ws, ROW_ORDER, INT64_MAX);
	e[5] = pawl__ws_want_answer(&x.ws, STR(""), STR("k"));
	load(&x);
	for (unsigned i = 0; i < 6; i++)
		assert_true(e[i]->loaded && !e[i]->present && !e[i]->stored);
	store_rollback(x.s);
	bare_deinit(&x);
}

static void test_flush__record_deleted_and_made_again(void **state)
{
	struct ws_entry *e;
	struct bare x;

	bare_init(&x, state);
	for (int64_t i = 1; i <= 3; i++) {
		begin(&x);
		e = open_row(&x, ROW_RECORD, "r");
		assert_int_equal(e->stored, i == 2);
		e->present = i != 2;
		e->row.record = (struct record){ .key = e->id, .value = STR("1"), .version = i };
		commit(&x);
		assert_int_equal(read_row(&x, ROW_RECORD, "r") != NULL, i != 2);
	}
	assert_int_equal(audited(&x, 0).records, 1);
	bare_deinit(&x);
}

static void test_load__many_rows_at_once(void **state)
{
	const struct ws_entry *first = NULL;
	struct bare x;
	char id[16];

	bare_init(&x, state);
	begin(&x);
	for (int i = 0; i < 1000; i++) {
		struct ws_entry *e;

		(void)snprintf(id, sizeof(id), "r%d", i);
		e = open_entry(&x, pawl__ws_want(&x.ws, ROW_RECORD,
		                                 pawl__arena_str(&x.arena, pawl__str_of(id))));
		e->row.record = (struct record){ .key = e->id, .value = e->id, .version = 1 };
	}
	commit(&x);
	begin(&x);
	for (int i = 0; i < 1000; i += 2) {
		struct ws_entry *e;

		(void)snprintf(id, sizeof(id), "r%d", i);
		e = pawl__ws_want(&x.ws, ROW_RECORD, pawl__arena_str(&x.arena, pawl__str_of(id)));
		first = first == NULL ? e : first;
	}
	load(&x);
	for (const struct ws_entry *e = first; e != NULL; e = e->next)
		assert_true(e->present && str_eq(e->row.record.value, e->id));
	store_rollback(x.s);
	bare_deinit(&x);
}

/* opening and closing */

static void test_close__open_transaction_is_rolled_back(void **state)
{
	struct bare x;

	bare_init(&x, state);
	funded(&x);
	begin(&x);
	(void)put_account(&x, "b", 0);
	flush(&x);
	if (fixture_reopen(x.f)) {
		x.s = x.f->store;
		assert_null(read_row(&x, ROW_ACCOUNT, "b"));
		assert_non_null(read_row(&x, ROW_ACCOUNT, "a"));
	}
	bare_deinit(&x);
}

static void test_open__twice_is_busy(void **state)
{
	const struct store_options o = { .retention_us = STORES_RETENTION_US };
	struct store *second = NULL;
	struct bare x;

	bare_init(&x, state);
	if ((x.s->ops->caps & STORE_CAP_SINGLE_WRITER) != 0 &&
	    (x.s->ops->caps & STORE_CAP_DURABLE) != 0) {
		assert_int_equal(fixture_open(x.f, &o, &second, &x.err), PAWL_E_BUSY);
		assert_null(second);
		funded(&x); /* and the first goes on */
	}
	bare_deinit(&x);
}

static void test_open__unknown_scheme_is_configuration(void **state)
{
	const struct store_options o = { .retention_us = 1 };
	struct pawl_error err;
	struct store *s;

	(void)state;
	assert_int_equal(pawl__store_open("mystery:secret", &o, &s, &err), PAWL_E_CONFIG);
	assert_null(strstr(err.text, "secret"));
	assert_non_null(strstr(err.text, "memory:"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup_bare, fixture_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(test_begin__empty_store_starts_at_zero),
		T(test_begin__tells_what_the_last_commit_left),
		T(test_commit__every_kind_of_row_is_there),
		T(test_commit__survives_the_process),
		T(test_flush__seen_by_nobody_before_commit),
		T(test_rollback__leaves_nothing),
		T(test_rollback__an_expiry_is_undone),
		T(test_outcome__knows_what_was_committed),
		T(test_flush__account_below_floor_corrupt),
		T(test_flush__hold_out_of_range_corrupt),
		T(test_flush__row_there_already_corrupt),
		T(test_flush__transfer_of_nothing_corrupt),
		T(test_load__answer_found_until_its_retention),
		T(test_housekeep__forgets_no_answer_in_its_retention),
		T(test_load__answers_of_other_callers_absent),
		T(test_expire__marks_what_is_due_and_tells),
		T(test_due__lists_accounts_whose_time_has_come),
		T(test_read__due_holds_are_taken_off_held),
		T(test_load__extremes_come_back),
		T(test_load__absent_rows_are_loaded_as_absent),
		T(test_flush__record_deleted_and_made_again),
		T(test_load__many_rows_at_once),
		T(test_close__open_transaction_is_rolled_back),
		T(test_open__twice_is_busy),
		T(test_open__unknown_scheme_is_configuration),
	};

	return stores_run("store", tests, ARRAY_LEN(tests), false);
}
