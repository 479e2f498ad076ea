/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is PostgreSQL's own: commits whose answer is lost, nodes that start at once or stop in the
 * middle, parts of answers, other users of the tables, and what is left in a pooler's sessions.
 */
#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/rng.h"
#include "proxy.h"
#include "stores.h"

#define WAIT_TRIES 100000 /* questions to the server: for what must come, never near */

/* One transaction of a bare store. */
struct bare {
	struct store *s;
	struct arena arena;
	struct ws ws;
	struct store_begin b;
	struct pawl_error err;
};

static void bare_open(struct bare *x, const char *url, uint32_t connections)
{
	const struct store_options o = { .retention_us = STORES_RETENTION_US,
		                         .connections_max = connections };

	x->err.text[0] = '\0';
	if (pawl__store_open(url, &o, &x->s, &x->err) != PAWL_OK)
		fail_msg("the store does not open: %s", x->err.text);
	pawl__arena_init(&x->arena, 4096, (size_t)4 << 20);
}

static void bare_close(struct bare *x)
{
	store_close(x->s);
	pawl__arena_deinit(&x->arena);
}

static void begin(struct bare *x)
{
	pawl__arena_reset(&x->arena);
	pawl__ws_init(&x->ws, &x->arena, 7, 1);
	pawl__ws_begin(&x->ws);
	if (store_begin(x->s, &x->b, &x->err) != PAWL_OK)
		fail_msg("begin: %s", x->err.text);
	x->ws.now_us = x->b.real_us > x->b.high_water_us ? x->b.real_us : x->b.high_water_us;
	x->ws.revision = x->b.revision;
	x->ws.answers_seq = x->b.answers_seq;
}

static enum pawl_status put_record(struct bare *x, const char *key, const char *value)
{
	struct ws_entry *e = pawl__ws_want(&x->ws, ROW_RECORD, pawl__str_of(key));
	const enum pawl_status st = store_load(x->s, &x->ws, &x->err);

	if (st != PAWL_OK)
		return st;
	pawl__ws_change(&x->ws, e);
	e->present = true;
	e->row.record = (struct record){ .key = e->id,
		                         .value = pawl__str_of(value),
		                         .version = ws_next_revision(&x->ws) };
	return PAWL_OK;
}

static enum pawl_status flush(struct bare *x)
{
	x->ws.revision += x->ws.changed;
	return store_flush(x->s, &x->ws, &x->err);
}

static void commit(struct bare *x)
{
	if (flush(x) != PAWL_OK || store_commit(x->s, &x->err) != PAWL_OK)
		fail_msg("commit: %s", x->err.text);
}

static void write_one(struct bare *x, const char *key, const char *value)
{
	begin(x);
	assert_int_equal(put_record(x, key, value), PAWL_OK);
	commit(x);
}

static const struct store_kind *kind_of(void **state)
{
	return ((struct fixture *)*state)->kind;
}

static void expect_sql(void **state, const char *sql, const char *expected)
{
	assert_string_equal(stores_sql(kind_of(state), sql).text, expected);
}

/* Until a query's first value is this one. */
static void wait_sql(void **state, const char *sql, const char *expected)
{
	for (int i = 0; i < WAIT_TRIES; i++) {
		if (strcmp(stores_sql(kind_of(state), sql).text, expected) == 0)
			return;
	}
	fail_msg("never %s: %s", expected, sql);
}

static const char sql_waiting[] =
	"SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database()"
	" AND wait_event_type = 'Lock'";

static void drift_note(void *arg, const char *check, const char *text)
{
	char *checks = arg;

	(void)text;
	(void)snprintf(checks + strlen(checks), 256 - strlen(checks), "%s ", check);
}

static int64_t drifts_of(struct bare *x, char *ret_checks, size_t size)
{
	struct store_audit a;

	assert_true(size == 256);
	ret_checks[0] = '\0';
	assert_int_equal(store_audit(x->s, drift_note, ret_checks, &a, &x->err), PAWL_OK);
	return a.drifts;
}

static void expect_no_drift(struct bare *x)
{
	char checks[256];

	if (drifts_of(x, checks, sizeof(checks)) != 0)
		fail_msg("drift: %s", checks);
}

/* Lost answers */

static void outcome_after(void **state, enum proxy_mode mode, enum store_outcome expected)
{
	struct proxy *p = proxy_start(stores_database(kind_of(state)));
	enum store_outcome o = STORE_NOT_KNOWN;
	struct bare x;
	int64_t revision;

	bare_open(&x, proxy_url(p), 0);
	write_one(&x, "r", "1");
	begin(&x);
	assert_int_equal(put_record(&x, "r", "2"), PAWL_OK);
	assert_int_equal(flush(&x), PAWL_OK);
	revision = x.ws.revision;
	proxy_mode(p, mode);
	assert_int_equal(store_commit(x.s, &x.err), PAWL_E_OUTCOME_UNKNOWN);
	proxy_mode(p, PROXY_PASS);
	if (store_outcome(x.s, revision, x.ws.answers_seq, &o, &x.err) != PAWL_OK)
		fail_msg("outcome: %s", x.err.text);
	assert_int_equal(o, expected);
	expect_sql(state, "SELECT value FROM pawl.record", expected == STORE_COMMITTED ? "2" : "1");
	write_one(&x, "r", "3"); /* and it goes on */
	expect_sql(state, "SELECT value FROM pawl.record", "3");
	expect_no_drift(&x);
	bare_close(&x);
	proxy_stop(p);
}

static void test_outcome__reply_lost_was_committed(void **state)
{
	outcome_after(state, PROXY_LOSE_REPLY, STORE_COMMITTED);
}

static void test_outcome__request_lost_was_not(void **state)
{
	outcome_after(state, PROXY_LOSE_REQUEST, STORE_NOT_COMMITTED);
}

struct asker {
	struct bare *x;
	int64_t revision;
	enum store_outcome outcome;
	enum pawl_status st;
};

static void *asker_main(void *arg)
{
	struct asker *a = arg;

	a->st = store_outcome(a->x->s, a->revision, a->x->ws.answers_seq, &a->outcome, &a->x->err);
	return NULL;
}

/* The COMMIT is still on its way when the question comes: it is not answered "no" meanwhile. */
static void test_outcome__request_on_its_way_is_waited_for(void **state)
{
	struct proxy *p = proxy_start(stores_database(kind_of(state)));
	struct asker a = { .outcome = STORE_NOT_KNOWN };
	pthread_t thread;
	struct bare x;

	bare_open(&x, proxy_url(p), 0);
	write_one(&x, "r", "1");
	begin(&x);
	assert_int_equal(put_record(&x, "r", "2"), PAWL_OK);
	assert_int_equal(flush(&x), PAWL_OK);
	proxy_mode(p, PROXY_HOLD_REQUEST);
	assert_int_equal(store_commit(x.s, &x.err), PAWL_E_OUTCOME_UNKNOWN);
	a.x = &x;
	a.revision = x.ws.revision;
	proxy_mode(p, PROXY_KEEP_HELD);
	assert_int_equal(pthread_create(&thread, NULL, asker_main, &a), 0);
	wait_sql(state, sql_waiting, "t");
	expect_sql(state, "SELECT value FROM pawl.record", "1");
	proxy_mode(p, PROXY_PASS);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(a.st, PAWL_OK);
	assert_int_equal(a.outcome, STORE_COMMITTED);
	expect_sql(state, "SELECT value FROM pawl.record", "2");
	bare_close(&x);
	proxy_stop(p);
}

static void test_load__connection_lost_is_unavailable_then_made_anew(void **state)
{
	struct proxy *p = proxy_start(stores_database(kind_of(state)));
	struct bare x;

	bare_open(&x, proxy_url(p), 0);
	write_one(&x, "r", "1");
	proxy_mode(p, PROXY_LOSE_REQUEST);
	begin(&x); /* sends nothing */
	assert_int_equal(put_record(&x, "r", "2"), PAWL_E_STORE_UNAVAILABLE);
	store_rollback(x.s);
	assert_int_equal(store_begin(x.s, &x.b, &x.err), PAWL_E_STORE_UNAVAILABLE);
	proxy_mode(p, PROXY_PASS);
	write_one(&x, "r", "3");
	expect_sql(state, "SELECT value FROM pawl.record", "3");
	bare_close(&x);
	proxy_stop(p);
}

/* A node that stops in the middle of a batch, for good or not, keeps its locks for a while only. */
static void test_load__stopped_writer_is_waited_for_a_while_only(void **state)
{
	enum store_outcome o;
	struct bare x, y;
	enum pawl_status st = PAWL_E_BUSY;

	bare_open(&x, stores_database(kind_of(state)), 0);
	bare_open(&y, stores_database(kind_of(state)), 0);
	write_one(&x, "r", "1");
	begin(&x);
	assert_int_equal(put_record(&x, "r", "2"), PAWL_OK); /* and no more */
	for (int i = 0; i < 10 && st == PAWL_E_BUSY; i++) {
		begin(&y);
		st = put_record(&y, "r", "3");
		if (st != PAWL_OK)
			store_rollback(y.s);
	}
	assert_int_equal(st, PAWL_OK);
	commit(&y);
	st = flush(&x);
	if (st == PAWL_OK)
		st = store_commit(x.s, &x.err);
	if (st == PAWL_E_OUTCOME_UNKNOWN) {
		assert_int_equal(store_outcome(x.s, x.ws.revision, 0, &o, &x.err), PAWL_OK);
		assert_int_equal(o, STORE_NOT_COMMITTED);
	} else {
		assert_int_not_equal(st, PAWL_OK);
		store_rollback(x.s);
	}
	expect_sql(state, "SELECT value FROM pawl.record", "3");
	write_one(&x, "r", "4");
	bare_close(&y);
	bare_close(&x);
}

static void *writer_main(void *arg)
{
	write_one(arg, "r", "2");
	return NULL;
}

/* Who waits for a row gets a revision behind that of whom it waited for, however late that one
 * drew its own. */
static void test_load__revision_is_drawn_under_the_locks(void **state)
{
	struct ws_entry *e;
	struct bare x, y;
	char sql[96];
	pthread_t thread;

	bare_open(&x, stores_database(kind_of(state)), 0);
	bare_open(&y, stores_database(kind_of(state)), 0);
	write_one(&x, "r", "0");
	begin(&x);
	e = pawl__ws_want(&x.ws, ROW_RECORD, STR("r"));
	assert_int_equal(store_load(x.s, &x.ws, &x.err), PAWL_OK);
	assert_int_equal(pthread_create(&thread, NULL, writer_main, &y), 0);
	wait_sql(state, sql_waiting, "t");
	assert_int_equal(put_record(&x, "other", "1"), PAWL_OK);
	pawl__ws_change(&x.ws, e);
	e->row.record.version = ws_next_revision(&x.ws);
	(void)snprintf(sql, sizeof(sql),
	               "SELECT version > %" PRId64 " FROM pawl.record WHERE key = 'r'",
	               e->row.record.version);
	commit(&x);
	assert_int_equal(pthread_join(thread, NULL), 0);
	expect_sql(state, sql, "t");
	bare_close(&y);
	bare_close(&x);
}

/* Opening */

struct opener {
	const char *url;
	enum pawl_status st;
};

static void *opener_main(void *arg)
{
	const struct store_options so = { .retention_us = STORES_RETENTION_US };
	struct opener *o = arg;
	struct pawl_error err;
	struct store *s;

	o->st = pawl__store_open(o->url, &so, &s, &err);
	if (o->st == PAWL_OK)
		store_close(s);
	return NULL;
}

static void test_open__several_at_once_on_an_empty_database(void **state)
{
	struct opener o[4];
	pthread_t thread[4];

	for (int round = 0; round < 3; round++) {
		(void)stores_sql(kind_of(state), "DROP SCHEMA IF EXISTS pawl CASCADE");
		for (int i = 0; i < 4; i++) {
			o[i].url = stores_database(kind_of(state));
			assert_int_equal(pthread_create(&thread[i], NULL, opener_main, &o[i]), 0);
		}
		for (int i = 0; i < 4; i++) {
			assert_int_equal(pthread_join(thread[i], NULL), 0);
			assert_int_equal(o[i].st, PAWL_OK);
		}
		expect_sql(state, "SELECT version FROM pawl.meta", "1");
		expect_sql(state, "SELECT count(*) FROM pawl.lane", "1"); /* folded */
	}
}

static enum pawl_status open_status(const char *url, struct pawl_error *err)
{
	const struct store_options so = { .retention_us = STORES_RETENTION_US };
	struct store *s;
	const enum pawl_status st = pawl__store_open(url, &so, &s, err);

	if (st == PAWL_OK)
		store_close(s);
	return st;
}

static void test_open__newer_or_foreign_schema_refused(void **state)
{
	const char *url = stores_database(kind_of(state));
	struct pawl_error err;

	(void)stores_sql(kind_of(state), "UPDATE pawl.meta SET version = 99");
	assert_int_equal(open_status(url, &err), PAWL_E_SCHEMA);
	assert_non_null(strstr(err.text, "99"));
	(void)stores_sql(kind_of(state), "UPDATE pawl.meta SET version = 1");
	assert_int_equal(open_status(url, &err), PAWL_OK);
}

/* A server that forgets what it has acknowledged is not served, unless that is asked for. */
static void test_open__settings_that_void_durability_refused(void **state)
{
	char url[512], sql[128];
	const char *database = stores_database(kind_of(state));
	struct pawl_error err;

	(void)snprintf(sql, sizeof(sql), "ALTER DATABASE %s SET synchronous_commit = off",
	               strrchr(database, '/') + 1);
	(void)stores_sql(kind_of(state), sql);
	/* A pooler's server connections keep what they began with. */
	(void)stores_sql(kind_of(state),
	                 "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
	                 " WHERE datname = current_database() AND pid <> pg_backend_pid()");
	if (kind_of(state) == &store_kinds[2]) {
		assert_int_equal(open_status(database, &err), PAWL_E_CONFIG);
		assert_non_null(strstr(err.text, "synchronous_commit"));
		(void)snprintf(url, sizeof(url), "%s?unsafe_durability=yes", database);
		assert_int_equal(open_status(url, &err), PAWL_OK);
		(void)snprintf(url, sizeof(url), "%s?unsafe_durability=perhaps", database);
		assert_int_equal(open_status(url, &err), PAWL_E_CONFIG);
	}
	(void)snprintf(sql, sizeof(sql), "ALTER DATABASE %s RESET synchronous_commit",
	               strrchr(database, '/') + 1);
	(void)stores_sql(kind_of(state), sql);
}

static void test_open__text_of_an_error_has_no_password(void **state)
{
	static const char *const urls[] = {
		"postgresql://pawl:sesame@127.0.0.1:1/none?connect_timeout=2",
		"postgresql://pawl:sesame@[::1:1/none",
		"postgresql://pawl:sesame@127.0.0.1:1/none?sesame=1",
	};
	struct pawl_error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		const enum pawl_status st = open_status(urls[i], &err);

		assert_true(st == PAWL_E_STORE_UNAVAILABLE || st == PAWL_E_CONFIG);
		assert_null(strstr(err.text, "sesame"));
	}
}

/* Events */

static void emit(struct bare *x, const char *key)
{
	struct event *v;

	assert_int_equal(put_record(x, key, "1"), PAWL_OK);
	v = pawl__ws_event(&x->ws);
	assert_non_null(v);
	*v = (struct event){ .number = ws_next_revision(&x->ws) << ROW_NUMBER_BITS,
		             .topic = STR("t"),
		             .key = pawl__str_of(key),
		             .body = STR("{}") };
	assert_int_equal(flush(x), PAWL_OK);
}

static void test_events__slow_transaction_is_not_skipped(void **state)
{
	struct bare slow, fast;

	bare_open(&slow, stores_database(kind_of(state)), 0);
	bare_open(&fast, stores_database(kind_of(state)), 0);
	begin(&slow);
	emit(&slow, "slow");
	begin(&fast);
	emit(&fast, "fast");
	assert_int_equal(store_commit(fast.s, &fast.err), PAWL_OK);
	expect_sql(state, "SELECT count(*) FROM pawl.event", "1");
	expect_sql(state, "SELECT count(*) FROM pawl.events", "0"); /* not yet */
	assert_int_equal(store_commit(slow.s, &slow.err), PAWL_OK);
	/* Any transaction of the cluster may hold the horizon back for a while. */
	wait_sql(state, "SELECT string_agg(key, ' ' ORDER BY xact, number) FROM pawl.events",
	         "slow fast");
	bare_close(&fast);
	bare_close(&slow);
}

#define EVENT_KEYS    4
#define EVENT_WRITERS 6
#define EVENT_ROUNDS  80

/* Reads as a relay would: what is final, behind what it has. */
struct follower {
	const struct store_kind *kind;
	_Atomic bool stop;
	unsigned expected, seen, out_of_order, skipped;
	char xact[24], number[24];
	int64_t last[EVENT_KEYS]; /* count in the latest event of a key */
};

static void follow(struct follower *w, PGconn *pg)
{
	const char *values[] = { w->xact, w->number };
	PGresult *r = PQexecParams(pg,
	                           "SELECT key, body, xact, number FROM pawl.events"
	                           " WHERE (xact, number) > ($1::bigint, $2::bigint)"
	                           " ORDER BY xact, number LIMIT 7",
	                           2, NULL, values, NULL, NULL, 0);

	if (PQresultStatus(r) != PGRES_TUPLES_OK)
		w->skipped += 1000000;
	for (int i = 0; i < PQntuples(r); i++) {
		const unsigned key = (unsigned)(PQgetvalue(r, i, 0)[0] - 'a');
		const int64_t count = strtoll(PQgetvalue(r, i, 1), NULL, 10);

		w->seen++;
		w->out_of_order += count <= w->last[key];
		w->skipped += count > w->last[key] + 1;
		w->last[key] = count;
		(void)snprintf(w->xact, sizeof(w->xact), "%s", PQgetvalue(r, i, 2));
		(void)snprintf(w->number, sizeof(w->number), "%s", PQgetvalue(r, i, 3));
	}
	PQclear(r);
}

static void *follower_main(void *arg)
{
	struct follower *w = arg;
	PGconn *pg = PQconnectdb(stores_database(w->kind));
	unsigned more = 0;

	/* When everybody has stopped, transactions of others in the cluster may still hold the
	 * horizon back. */
	while (!w->stop || (w->seen < w->expected && more++ < WAIT_TRIES))
		follow(w, pg);
	PQfinish(pg);
	return NULL;
}

/* Adds one to two records, read under their locks, and tells of both. */
struct teller {
	struct bare x;
	uint64_t seed;
	unsigned done, failed;
};

static enum pawl_status tell(struct bare *x, const unsigned pair[2], char values[2][24])
{
	static const char *const keys[EVENT_KEYS] = { "a", "b", "c", "d" };
	struct ws_entry *e[2];
	enum pawl_status st;

	for (unsigned i = 0; i < 2; i++)
		e[i] = pawl__ws_want(&x->ws, ROW_RECORD, pawl__str_of(keys[pair[i]]));
	st = store_load(x->s, &x->ws, &x->err);
	for (unsigned i = 0; i < 2 && st == PAWL_OK; i++) {
		const struct str was = e[i]->present ? e[i]->row.record.value : STR("0");
		struct event *v = pawl__ws_event(&x->ws);

		(void)snprintf(values[i], 24, "%.*s", (int)was.len, was.ptr);
		(void)snprintf(values[i], 24, "%ld", strtol(values[i], NULL, 10) + 1);
		*v = (struct event){ .number = ws_next_revision(&x->ws) << ROW_NUMBER_BITS | i,
			             .topic = STR("t"),
			             .key = e[i]->id,
			             .body = pawl__str_of(values[i]) };
		pawl__ws_change(&x->ws, e[i]);
		e[i]->present = true;
		e[i]->row.record = (struct record){ .key = e[i]->id,
			                            .value = v->body,
			                            .version = ws_next_revision(&x->ws) };
	}
	if (st == PAWL_OK)
		st = flush(x);
	return st == PAWL_OK ? store_commit(x->s, &x->err) : st;
}

static void *teller_main(void *arg)
{
	struct teller *t = arg;
	struct rng r;

	rng_init(&r, t->seed);
	while (t->done < EVENT_ROUNDS && t->failed == 0) {
		const unsigned first = (unsigned)pawl__rng_below(&r, EVENT_KEYS);
		const unsigned pair[2] = { first, (first + 1) % EVENT_KEYS };
		char values[2][24];
		enum pawl_status st;

		begin(&t->x);
		st = tell(&t->x, pair, values);
		store_rollback(t->x.s);
		t->done += st == PAWL_OK;
		t->failed += st != PAWL_OK && st != PAWL_E_SERIALIZE && st != PAWL_E_BUSY;
	}
	return NULL;
}

static void test_events__of_a_key_come_in_order_and_none_is_skipped(void **state)
{
	struct follower w = { .kind = kind_of(state),
		              .expected = 2 * EVENT_WRITERS * EVENT_ROUNDS,
		              .xact = "0",
		              .number = "0" };
	struct teller t[EVENT_WRITERS] = { 0 };
	pthread_t thread[EVENT_WRITERS], follower;

	for (unsigned i = 0; i < EVENT_WRITERS; i++) {
		t[i].seed = 100 + i;
		bare_open(&t[i].x, stores_database(kind_of(state)), 2);
	}
	assert_int_equal(pthread_create(&follower, NULL, follower_main, &w), 0);
	for (unsigned i = 0; i < EVENT_WRITERS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, teller_main, &t[i]), 0);
	for (unsigned i = 0; i < EVENT_WRITERS; i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
	w.stop = true;
	assert_int_equal(pthread_join(follower, NULL), 0);
	for (unsigned i = 0; i < EVENT_WRITERS; i++) {
		assert_int_equal(t[i].failed, 0);
		bare_close(&t[i].x);
	}
	assert_int_equal(w.skipped, 0);
	assert_int_equal(w.out_of_order, 0);
	assert_int_equal(w.seen, w.expected);
}

/* Parts of answers */

static void answer(struct bare *x, const char *key, int64_t at_us)
{
	struct ws_entry *e;

	begin(x);
	if (x->ws.now_us < at_us)
		x->ws.now_us = at_us;
	e = pawl__ws_want_answer(&x->ws, STR("me"), pawl__str_of(key));
	assert_int_equal(store_load(x->s, &x->ws, &x->err), PAWL_OK);
	assert_false(e->present);
	e->present = true;
	e->row.answer = (struct answer){ .caller = e->id,
		                         .key = e->id2,
		                         .http = 200,
		                         .at_us = x->ws.now_us,
		                         .location = STR(""),
		                         .body = STR("{}") };
	assert_true(pawl__ws_answer(&x->ws, e));
}

static void housekeep(struct bare *x)
{
	if (store_housekeep(x->s, true, &x->err) != PAWL_OK)
		fail_msg("housekeep: %s", x->err.text);
}

#define SQL_PARTS "SELECT string_agg(part::text, ' ' ORDER BY part) FROM pawl.answer_part"

static void test_housekeep__part_ends_when_nobody_writes_in_it(void **state)
{
	struct bare x, y;

	bare_open(&x, stores_database(kind_of(state)), 0);
	bare_open(&y, stores_database(kind_of(state)), 0);
	answer(&x, "first", KIT_START_US);
	commit(&x);
	housekeep(&x); /* the first part is as old as time */
	expect_sql(state, SQL_PARTS, "1 2");
	answer(&x, "second", KIT_START_US + STORES_RETENTION_US / 2);
	commit(&x);
	answer(&y, "third", 0); /* open: it has looked, and will write */
	housekeep(&x);
	expect_sql(state, SQL_PARTS, "1 2");
	commit(&y);
	answer(&x, "fourth", KIT_START_US + STORES_RETENTION_US / 2 + STORES_RETENTION_US / 32);
	commit(&x);
	housekeep(&x);
	expect_sql(state, SQL_PARTS, "1 2 3");
	/* Found across parts, and what expires goes with its part. */
	begin(&y);
	(void)pawl__ws_want_answer(&y.ws, STR("me"), STR("first"));
	assert_int_equal(store_load(y.s, &y.ws, &y.err), PAWL_OK);
	assert_true(y.ws.first->present);
	store_rollback(y.s);
	answer(&x, "fifth", KIT_START_US + STORES_RETENTION_US + STORES_RETENTION_US / 16);
	commit(&x);
	housekeep(&x);
	expect_sql(state, SQL_PARTS, "2 3 4");
	expect_sql(state, "SELECT to_regclass('pawl.answer_1') IS NULL", "t");
	expect_no_drift(&x);
	bare_close(&y);
	bare_close(&x);
}

/* Others who use the tables */

static void two_accounts_bare(void **state, struct kit *kit)
{
	struct fixture *f = *state;
	const struct engine_options eo = { .retention_us = STORES_RETENTION_US, .sweep_us = -1 };
	const struct store_options so = { .retention_us = STORES_RETENTION_US };
	struct pawl_error err;
	struct kit_tx t;
	struct store *s;

	assert_int_equal(fixture_open(f, &so, &s, &err), PAWL_OK);
	assert_true(kit_start(kit, kit_clock_store(&f->clock, s), ENGINE_THREAD, &eo));
	kit_tx_init(&t);
	kit_account(&t, "a", "EUR", 0);
	kit_account(&t, "b", "EUR", 0);
	kit_transfer(&t, "world:EUR", "a", 10);
	expect_code(kit_run(kit, &t), PAWL_OK, -1);
	kit_tx_deinit(&t);
}

static void sql_run(PGconn *pg, const char *sql)
{
	PGresult *r = PQexec(pg, sql);
	const ExecStatusType st = PQresultStatus(r);

	PQclear(r);
	if (st != PGRES_COMMAND_OK && st != PGRES_TUPLES_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(pg));
}

static void test_sql__for_update_and_pawl_exclude_each_other(void **state)
{
	PGconn *pg = PQconnectdb(stores_database(kind_of(state)));
	struct kit kit = { .clock = NULL };
	struct kit_tx t;
	struct store_audit audit;

	two_accounts_bare(state, &kit);
	sql_run(pg, "BEGIN");
	sql_run(pg, "SELECT balance FROM pawl.account WHERE id = 'a' FOR UPDATE");
	kit_tx_init(&t);
	kit_transfer(&t, "a", "b", 1);
	kit_submit(&kit, &t);
	wait_sql(state, sql_waiting, "t");
	sql_run(pg, "SELECT pawl.transfer('a', 'b', 9)");
	sql_run(pg, "COMMIT");
	kit_wait(&kit, &t);
	expect_code(&t.answer, PAWL_OK, -1);
	expect_sql(state, "SELECT balance FROM pawl.accounts WHERE id = 'b'", "10");
	assert_int_equal(kit_audit(&kit, &audit), 0);
	kit_tx_deinit(&t);
	kit_stop(&kit);
	PQfinish(pg);
}

static void test_sql__constraints_hold_and_the_audit_sees_the_rest(void **state)
{
	struct kit kit = { .clock = NULL };
	PGconn *pg;
	char checks[256];
	PGresult *r;
	struct bare x;

	two_accounts_bare(state, &kit);
	kit_stop(&kit);
	pg = PQconnectdb(stores_database(kind_of(state)));
	r = PQexec(pg, "UPDATE pawl.account SET balance = -1 WHERE id = 'a'");
	assert_string_equal(PQresultErrorField(r, PG_DIAG_SQLSTATE), "23514");
	PQclear(r);
	r = PQexec(pg, "SELECT pawl.transfer('a', 'b', 11)");
	assert_string_equal(PQresultErrorField(r, PG_DIAG_SQLSTATE), "23514");
	PQclear(r);
	sql_run(pg, "UPDATE pawl.account SET balance = balance + 1 WHERE id = 'a'");
	bare_open(&x, stores_database(kind_of(state)), 0);
	assert_int_equal(drifts_of(&x, checks, sizeof(checks)), 2);
	assert_string_equal(checks, "unit-sum balance ");
	sql_run(pg, "UPDATE pawl.account SET balance = balance - 1 WHERE id = 'a'");
	sql_run(pg, "DELETE FROM pawl.transfer");
	assert_int_equal(drifts_of(&x, checks, sizeof(checks)), 2);
	assert_string_equal(checks, "balance balance ");
	bare_close(&x);
	PQfinish(pg);
}

/* Connections */

#define SQL_CONNECTIONS                                                                            \
	"SELECT (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"         \
	" AND application_name = 'pawl')"

struct reading {
	struct store *s;
	_Atomic bool *stop;
	unsigned fine, refused;
};

static void *reading_main(void *arg)
{
	struct reading *r = arg;
	struct store_stats stats;
	struct pawl_error err;

	while (!*r->stop) {
		if (store_stats(r->s, &stats, &err) == PAWL_OK)
			r->fine++;
		else
			r->refused++;
	}
	return NULL;
}

static void test_read__no_more_connections_than_allowed(void **state)
{
	_Atomic bool stop = false;
	struct reading r[12];
	pthread_t thread[12];
	struct store *second = NULL, *third = NULL;
	struct bare x;

	if (strcmp(kind_of(state)->name, "pgbouncer") == 0)
		return; /* what can be counted there is the pooler's */
	/* Those of the tests before may still be on their way out; the fixture has one. */
	wait_sql(state, SQL_CONNECTIONS " <= 1", "t");
	bare_open(&x, stores_database(kind_of(state)), 3);
	assert_int_equal(pawl__store_another(x.s, &second, &x.err), PAWL_OK);
	assert_int_equal(pawl__store_another(x.s, &third, &x.err), PAWL_E_UNSUPPORTED);
	for (int i = 0; i < 12; i++) {
		r[i] = (struct reading){ .s = x.s, .stop = &stop };
		assert_int_equal(pthread_create(&thread[i], NULL, reading_main, &r[i]), 0);
	}
	for (int i = 0; i < 20; i++) {
		const struct server_value v = stores_sql(kind_of(state), SQL_CONNECTIONS);

		assert_true(strtol(v.text, NULL, 10) <= 3 + 1); /* the fixture's own */
	}
	stop = true;
	for (int i = 0; i < 12; i++) {
		assert_int_equal(pthread_join(thread[i], NULL), 0);
		assert_true(r[i].fine > 0);
		assert_int_equal(r[i].refused, 0);
	}
	store_close(second);
	bare_close(&x);
	assert_int_equal(
		open_status("postgresql://127.0.0.1:1/x?target_session_attrs=mystery", &x.err),
		PAWL_E_STORE_UNAVAILABLE);
}

/* Nothing of ours stays in a session: a pooler hands it to somebody else. All its server
 * connections are looked at by holding them at once. */
static void test_session__nothing_is_left_behind(void **state)
{
	static const char sql[] =
		"SELECT (SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'pawl%')"
		" + (SELECT count(*) FROM pg_cursors WHERE name <> '')"
		" + (SELECT count(*) FROM pg_listening_channels())"
		" + (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory')"
		" + (SELECT count(*) FROM pg_class WHERE relpersistence = 't')"
		" + (SELECT count(*) FROM pg_settings WHERE source = 'session' AND name NOT IN"
		"     ('application_name', 'client_encoding', 'DateStyle', 'TimeZone',"
		"      'standard_conforming_strings'))";
	struct kit kit = { .clock = NULL };
	PGconn *pg[8];
	struct bare x;

	two_accounts_bare(state, &kit);
	kit_stop(&kit);
	bare_open(&x, stores_database(kind_of(state)), 0);
	answer(&x, "k", KIT_START_US);
	commit(&x);
	housekeep(&x);
	expect_no_drift(&x);
	if (strcmp(kind_of(state)->name, "pgbouncer") != 0) {
		bare_close(&x);
		return; /* its sessions are gone with it */
	}
	bare_close(&x);
	for (size_t i = 0; i < ARRAY_LEN(pg); i++) {
		PGresult *r;

		pg[i] = PQconnectdb(stores_database(kind_of(state)));
		sql_run(pg[i], "BEGIN");
		r = PQexec(pg[i], sql);
		assert_string_equal(PQgetvalue(r, 0, 0), "0");
		PQclear(r);
	}
	for (size_t i = 0; i < ARRAY_LEN(pg); i++)
		PQfinish(pg[i]);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup_bare, fixture_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(test_outcome__reply_lost_was_committed),
		T(test_outcome__request_lost_was_not),
		T(test_outcome__request_on_its_way_is_waited_for),
		T(test_load__connection_lost_is_unavailable_then_made_anew),
		T(test_load__stopped_writer_is_waited_for_a_while_only),
		T(test_load__revision_is_drawn_under_the_locks),
		T(test_open__several_at_once_on_an_empty_database),
		T(test_open__newer_or_foreign_schema_refused),
		T(test_open__settings_that_void_durability_refused),
		T(test_open__text_of_an_error_has_no_password),
		T(test_events__slow_transaction_is_not_skipped),
		T(test_events__of_a_key_come_in_order_and_none_is_skipped),
		T(test_housekeep__part_ends_when_nobody_writes_in_it),
		T(test_sql__for_update_and_pawl_exclude_each_other),
		T(test_sql__constraints_hold_and_the_audit_sees_the_rest),
		T(test_read__no_more_connections_than_allowed),
		T(test_session__nothing_is_left_behind),
	};

	return stores_run_shared("postgres", tests, ARRAY_LEN(tests));
}
