/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gates for PostgreSQL and Redis, against real servers (test/rig/servers.py). Without them the
 * tests that need them skip, and say so.
 */
#include "harness.h"

#include "race/load/gate_pg.h"
#include "race/load/gate_redis.h"

#define CLIENTS 12

static const char *const no_postgres = "PAWL_TEST_POSTGRES is not set: no PostgreSQL to race";
static const char *const no_redis = "PAWL_TEST_REDIS is not set: no Redis to race";

static const char *server_of(const char *name, const char *why)
{
	const char *url = getenv(name);

	if (url == NULL) {
		print_message("skipped: %s\n", why);
		skip();
	}
	return url;
}

static void pg_do(struct pg_gate *g, const char *sql)
{
	PGresult *res = PQexec(pawl__pg_gate_conn(g, CLIENTS), sql);

	if (PQresultStatus(res) != PGRES_COMMAND_OK && PQresultStatus(res) != PGRES_TUPLES_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(pawl__pg_gate_conn(g, CLIENTS)));
	PQclear(res);
}

static long pg_number(struct pg_gate *g, const char *sql)
{
	PGresult *res = PQexec(pawl__pg_gate_conn(g, CLIENTS), sql);
	long n;

	assert_int_equal(PQresultStatus(res), PGRES_TUPLES_OK);
	n = strtol(PQgetvalue(res, 0, 0), NULL, 10);
	PQclear(res);
	return n;
}

static struct pg_gate *pg_open(void)
{
	struct pg_gate *g = NULL;
	struct pawl_error err = { 0 };

	if (pawl__pg_gate_new(server_of("PAWL_TEST_POSTGRES", no_postgres), CLIENTS, 0, &g, &err) !=
	    PAWL_OK)
		fail_msg("%s", err.text);
	pg_do(g, "DROP TABLE IF EXISTS load_gate");
	pg_do(g, "CREATE TABLE load_gate (id int PRIMARY KEY, n int NOT NULL)");
	pg_do(g, "INSERT INTO load_gate VALUES (1, 0), (2, 0)");
	return g;
}

static void pg_fire(struct pg_gate *g, struct gate_plan plan,
                    bool (*next)(void *, const struct gate_turn *, const struct pg_reply *, size_t,
                                 struct pg_batch *, struct gate_options *),
                    void *data, struct gate_result *ret)
{
	const struct pg_app app = { data, next };
	struct pawl_error err = { 0 };

	plan.clients = plan.clients == 0 ? CLIENTS : plan.clients;
	plan.head_start_ns = plan.head_start_ns == 0 ? -1 : plan.head_start_ns;
	if (pawl__pg_gate_run(g, &plan, &app, ret, &err) != PAWL_OK)
		fail_msg("%s", err.text);
	assert_int_equal(ret->finished + ret->lost + ret->timed_out, ret->clients);
}

static void add(struct pg_batch *b, const char *sql)
{
	assert_true(pawl__pg_batch_add(b, &(struct pg_statement){ .sql = sql }));
}

/* --- a lost update, as it is usually written --- */

struct naive {
	int read[CLIENTS];
	int64_t begun_ns, gate_ns;
	bool sent_early; /* a held batch went before every client was there */
	uint32_t began;
};

static bool naive_next(void *data, const struct gate_turn *t, const struct pg_reply *r, size_t n,
                       struct pg_batch *b, struct gate_options *o)
{
	struct naive *s = data;
	char text[16];
	const char *const params[] = { text };

	assert_false(t->lost);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(r[i].class, PG_OK);
	switch (t->step) {
	case 0:
		o->ahead = true;
		add(b, "BEGIN");
		return true;
	case 1:
		s->began++;
		add(b, "SELECT n FROM load_gate WHERE id = 1");
		return true;
	case 2:
		assert_true(t->held);
		s->sent_early = s->sent_early || s->began < CLIENTS;
		s->read[t->client] = (int)strtol(PQgetvalue(r[0].result, 0, 0), NULL, 10);
		(void)snprintf(text, sizeof(text), "%d", s->read[t->client] + 1);
		assert_true(pawl__pg_batch_add(
			b,
			&(struct pg_statement){ .sql = "UPDATE load_gate SET n = $1 WHERE id = 1",
		                                .params_len = 1,
		                                .params = params }));
		add(b, "COMMIT");
		return true;
	default:
		assert_false(t->held);
		assert_int_equal(n, 2);
		assert_string_equal(PQcmdTuples((PGresult *)(uintptr_t)r[0].result), "1");
		return false;
	}
}

static void test_pg__naive_read_then_write_loses_updates(void **state)
{
	struct pg_gate *g = pg_open();
	struct gate_result r = { 0 };
	long kept = CLIENTS;

	(void)state;
	for (int round = 0; round < 10 && kept == CLIENTS; round++) {
		struct naive s = { 0 };

		pg_do(g, "UPDATE load_gate SET n = 0");
		pg_fire(g, (struct gate_plan){ 0 }, naive_next, &s, &r);
		assert_int_equal(r.finished, CLIENTS);
		assert_int_equal(r.released, CLIENTS);
		assert_int_equal(r.batches, 3 * CLIENTS);
		assert_int_equal(r.errors, 0);
		assert_false(s.sent_early);
		kept = pg_number(g, "SELECT n FROM load_gate WHERE id = 1");
	}
	assert_true(kept < CLIENTS); /* every client has committed an increment */
	assert_true(pawl__overlap_reached(&r.overlap, 2));
	pawl__pg_gate_free(g);
}

/* --- serializable, with retries --- */

static bool serial_next(void *data, const struct gate_turn *t, const struct pg_reply *r, size_t n,
                        struct pg_batch *b, struct gate_options *o)
{
	bool failed = false;

	(void)data;
	for (size_t i = 0; i < n; i++) {
		failed = failed || r[i].class != PG_OK;
		if (r[i].class == PG_ERROR)
			assert_true(strcmp(r[i].sqlstate, "40001") == 0 ||
			            strcmp(r[i].sqlstate, "40P01") == 0);
		if (r[i].class == PG_SKIPPED)
			assert_true(i > 0 && r[i - 1].class != PG_OK && r[i].result == NULL);
	}
	if (t->step > 0 && !failed)
		return false;
	if (failed) {
		o->retry = true;
		o->delay_ns = (int64_t)(t->client % 7) * MS / 4;
		add(b, "ROLLBACK");
	}
	add(b, "BEGIN ISOLATION LEVEL SERIALIZABLE");
	add(b, "UPDATE load_gate SET n = n + 1 WHERE id = 1");
	add(b, "COMMIT");
	return true;
}

static void test_pg__serializable_retries_are_counted_and_nothing_is_lost(void **state)
{
	struct pg_gate *g = pg_open();
	struct gate_result r = { 0 };

	(void)state;
	for (int round = 0; round < 20 && r.serialization == 0; round++) {
		pg_do(g, "UPDATE load_gate SET n = 0");
		pg_fire(g, (struct gate_plan){ 0 }, serial_next, NULL, &r);
		assert_int_equal(r.finished, CLIENTS);
		assert_int_equal(pg_number(g, "SELECT n FROM load_gate WHERE id = 1"), CLIENTS);
	}
	assert_true(r.serialization > 0);
	assert_true(r.retries > 0 && r.errors >= r.retries);
	pawl__pg_gate_free(g);
}

/* --- a deadlock --- */

static bool deadlock_next(void *data, const struct gate_turn *t, const struct pg_reply *r, size_t n,
                          struct pg_batch *b, struct gate_options *o)
{
	int *victims = data;
	const bool first = t->client == 0;

	for (size_t i = 0; i < n; i++) {
		if (r[i].class == PG_ERROR && strcmp(r[i].sqlstate, "40P01") == 0)
			(*victims)++;
	}
	if (t->step == 0) {
		o->ahead = true;
		add(b, "BEGIN");
		add(b, "SET LOCAL deadlock_timeout = '20ms'");
		add(b, first ? "UPDATE load_gate SET n = 1 WHERE id = 1"
		             : "UPDATE load_gate SET n = 1 WHERE id = 2");
		return true;
	}
	if (t->step == 1) {
		add(b, first ? "UPDATE load_gate SET n = 2 WHERE id = 2"
		             : "UPDATE load_gate SET n = 2 WHERE id = 1");
		add(b, "COMMIT");
		return true;
	}
	return false;
}

static void test_pg__deadlock_is_seen_and_waiters_are_counted(void **state)
{
	struct pg_gate *g = pg_open();
	struct gate_result r = { 0 };
	int victims = 0;

	(void)state;
	pg_fire(g, (struct gate_plan){ .clients = 2 }, deadlock_next, &victims, &r);
	assert_int_equal(r.finished, 2);
	assert_int_equal(r.deadlocks, 1);
	assert_int_equal(victims, 1);
	assert_int_equal(r.overlap.pairs, 1);
	assert_true(r.lock_waiters >= 1);
	/* The victim's open transaction is rolled back: the next run is clean. */
	pg_fire(g, (struct gate_plan){ 0 }, serial_next, NULL, &r);
	assert_int_equal(r.finished, CLIENTS);
	pawl__pg_gate_free(g);
}

/* --- connections that are lost --- */

static bool killed_next(void *data, const struct gate_turn *t, const struct pg_reply *r, size_t n,
                        struct pg_batch *b, struct gate_options *o)
{
	int *told = data;

	(void)o;
	if (t->lost) {
		told[t->client]++;
		assert_int_equal(n, 2);
		if (t->client == 0)
			assert_string_equal(r[1].sqlstate, "57P01");
		else
			assert_int_equal(r[1].class, PG_NONE);
	}
	if (t->step > 0)
		return false;
	add(b, "SELECT 1");
	add(b, t->client == 0   ? "SELECT pg_terminate_backend(pg_backend_pid())"
	       : t->client == 1 ? "SELECT pg_sleep(600)"
	                        : "SELECT 2");
	return true;
}

static void test_pg__killed_and_hanging_backends_end_the_client(void **state)
{
	struct pg_gate *g = pg_open();
	struct gate_result r = { 0 };
	int told[CLIENTS] = { 0 };

	(void)state;
	pg_fire(g, (struct gate_plan){ .deadline_ns = 400 * MS }, killed_next, told, &r);
	assert_int_equal(r.lost, 1);
	assert_int_equal(r.timed_out, 1);
	assert_int_equal(r.finished, CLIENTS - 2);
	assert_int_equal(told[0], 1);
	assert_int_equal(told[1], 1);
	assert_string_not_equal(r.trouble, "");
	/* The one that sleeps is ended, too. */
	for (int i = 0;
	     i < 1000 && pg_number(g, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE "
	                              "'SELECT pg_sleep(6%' AND state = 'active'") > 0;
	     i++)
		(void)poll(NULL, 0, 5);
	assert_int_equal(pg_number(g, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE "
	                              "'SELECT pg_sleep(6%' AND state = 'active'"),
	                 0);
	pg_fire(g, (struct gate_plan){ 0 }, serial_next, NULL, &r); /* made anew */
	assert_int_equal(r.finished, CLIENTS);
	pawl__pg_gate_free(g);
}

/* --- large batches wait as well --- */

static bool large_next(void *data, const struct gate_turn *t, const struct pg_reply *r, size_t n,
                       struct pg_batch *b, struct gate_options *o)
{
	static char large[20000];
	const char *const params[] = { large };

	(void)data, (void)r, (void)n, (void)o;
	memset(large, 'x', sizeof(large) - 1);
	if (t->step > 0) {
		assert_true(t->held);
		assert_int_equal(PQgetvalue(r[0].result, 0, 0)[0], '1');
		return false;
	}
	/* Did it run before the gate was opened? The clock of the server says. */
	assert_true(pawl__pg_batch_add(
		b,
		&(struct pg_statement){
			.sql = "SELECT (clock_timestamp() > (SELECT max(at) FROM load_start))::int",
			.params_len = 0,
		}));
	assert_true(pawl__pg_batch_add(b, &(struct pg_statement){ .sql = "SELECT length($1)",
	                                                          .params_len = 1,
	                                                          .params = params }));
	return true;
}

static void test_pg__batch_over_8_kib_is_held_as_well(void **state)
{
	struct pg_gate *g = pg_open();
	struct gate_result r = { 0 };

	(void)state;
	pg_do(g, "DROP TABLE IF EXISTS load_start");
	pg_do(g, "CREATE TABLE load_start AS SELECT clock_timestamp() + interval '150 ms' AS at");
	pg_fire(g, (struct gate_plan){ .head_start_ns = 300 * MS }, large_next, NULL, &r);
	assert_int_equal(r.finished, CLIENTS);
	assert_int_equal(r.errors, 0);
	pg_do(g, "DROP TABLE load_start");
	pawl__pg_gate_free(g);
}

static void test_pg__nobody_there_says_why(void **state)
{
	struct pg_gate *g = NULL;
	struct pawl_error err = { 0 };

	(void)state;
	assert_int_equal(pawl__pg_gate_new("host=127.0.0.1 port=1 password=sesame", 1, 0, &g, &err),
	                 PAWL_E_IO);
	assert_null(g);
	assert_string_not_equal(err.text, "");
	assert_null(strstr(err.text, "sesame"));
}

/* --- Redis --- */

static struct redis_gate *redis_open(void)
{
	struct redis_gate *g = NULL;
	struct pawl_error err = { 0 };

	if (pawl__redis_gate_new(server_of("PAWL_TEST_REDIS", no_redis), CLIENTS, 0, &g, &err) !=
	    PAWL_OK)
		fail_msg("%s", err.text);
	return g;
}

struct stock {
	long read[CLIENTS], sold;
	int wrong, replies;
};

static bool stock_next(void *data, const struct gate_turn *t, redisReply *const *r, size_t n,
                       struct redis_batch *b, struct gate_options *o)
{
	struct stock *s = data;
	const char *const set[] = { "SET", "load:stock", "1" }, *const get[] = { "GET",
		                                                                 "load:stock" };
	const char *const decr[] = { "DECR", "load:stock" }, *const bad[] = { "NO-SUCH-COMMAND" };

	assert_false(t->lost);
	s->replies += (int)n;
	if (t->step == 0) {
		o->ahead = true;
		assert_true(pawl__redis_batch_add(b, 3, set, NULL));
		return true;
	}
	if (t->step == 1)
		return pawl__redis_batch_add(b, 2, get, NULL);
	if (t->step == 2) {
		assert_true(t->held);
		assert_int_equal(n, 1);
		assert_int_equal(r[0]->type, REDIS_REPLY_STRING);
		if (strtol(r[0]->str, NULL, 10) < 1)
			return false;
		s->sold++;
		assert_true(pawl__redis_batch_add(b, 2, decr, NULL));
		return pawl__redis_batch_add(b, 1, bad, NULL);
	}
	assert_int_equal(n, 2);
	assert_int_equal(r[1]->type, REDIS_REPLY_ERROR);
	s->wrong++;
	return false;
}

static void test_redis__check_then_act_oversells(void **state)
{
	struct redis_gate *g = redis_open();
	struct gate_result r = { 0 };
	struct stock s = { 0 };
	const struct redis_app app = { &s, stock_next };
	const struct gate_plan plan = { .clients = CLIENTS, .head_start_ns = 5 * MS };
	struct pawl_error err = { 0 };

	(void)state;
	for (int round = 0; round < 20 && s.sold < 2; round++) {
		s = (struct stock){ 0 };
		if (pawl__redis_gate_run(g, &plan, &app, &r, &err) != PAWL_OK)
			fail_msg("%s", err.text);
		assert_int_equal(r.finished, CLIENTS);
		assert_int_equal(r.released, CLIENTS);
		assert_int_equal(s.wrong, s.sold);
		assert_int_equal(r.errors, s.sold);
		assert_int_equal(s.replies, CLIENTS + CLIENTS + 2 * s.sold);
	}
	assert_true(s.sold >= 2);
	pawl__redis_gate_free(g);
}

/* --- a peer that is no Redis --- */

static bool ping_next(void *data, const struct gate_turn *t, redisReply *const *r, size_t n,
                      struct redis_batch *b, struct gate_options *o)
{
	int *lost = data;
	const char *const ping[] = { "PING" };

	(void)o;
	if (t->lost) {
		*lost += t->timed_out ? 100 : 1;
		assert_int_equal(n, 1);
		assert_true(r[0] == NULL || r[0]->type == REDIS_REPLY_STATUS);
	}
	return t->step == 0 && pawl__redis_batch_add(b, 1, ping, NULL);
}

/* The first answer lets the connection stand; the second is what the test is about. */
static void redis_peer(struct str second, bool hang, int want)
{
	const struct act act = {
		.early_len = 14, .early = STR("+PONG\r\n"), .more_len = 14, .hang = hang
	};
	struct act then = act;
	struct peer *p;
	struct redis_gate *g = NULL;
	struct gate_result r = { 0 };
	int lost = 0;
	const struct redis_app app = { &lost, ping_next };
	const struct gate_plan plan = {
		.clients = 2, .head_start_ns = -1, .deadline_ns = 150 * MS, .no_wake = true
	};
	struct pawl_error err = { 0 };
	char url[64];

	then.send = second;
	p = peer_open(&then);
	(void)snprintf(url, sizeof(url), "redis://127.0.0.1:%u", p->port);
	if (pawl__redis_gate_new(url, 2, 0, &g, &err) != PAWL_OK)
		fail_msg("%s", err.text);
	if (pawl__redis_gate_run(g, &plan, &app, &r, &err) != PAWL_OK)
		fail_msg("%s", err.text);
	assert_int_equal(lost, want);
	assert_int_equal(r.lost + r.timed_out, 2);
	assert_string_not_equal(r.trouble, "");
	pawl__redis_gate_free(g);
	peer_close(p);
}

static void test_redis__peer_misbehaves_the_client_is_lost(void **state)
{
	(void)state;
	redis_peer(STR(""), true, 200);                 /* hangs: the deadline */
	redis_peer(STR("what?\r\n"), true, 2);          /* garbage */
	redis_peer(STR("+PONG\r\n+PONG\r\n"), true, 2); /* answers to nothing */
	redis_peer(STR(""), false, 2);                  /* closes */
}

static void test_redis__urls_that_are_none(void **state)
{
	static const char *const bad[] = { "http://127.0.0.1", "redis://", "redis://127.0.0.1/x",
		                           "redis://127.0.0.1:0" };
	struct redis_gate *g = NULL;
	struct pawl_error err = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(pawl__redis_gate_new(bad[i], 1, 0, &g, &err), PAWL_E_INVALID);
	assert_int_equal(pawl__redis_gate_new("redis://:sesame@127.0.0.1:1", 1, 0, &g, &err),
	                 PAWL_E_IO);
	assert_null(strstr(err.text, "sesame"));
	/* The password is all of it: what else it is made of does not matter. */
	assert_int_equal(pawl__redis_gate_new("redis://u:ses@me/:@127.0.0.1:1/3", 1, 0, &g, &err),
	                 PAWL_E_IO);
	assert_null(strstr(err.text, "ses@me"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pg__naive_read_then_write_loses_updates),
		cmocka_unit_test(test_pg__serializable_retries_are_counted_and_nothing_is_lost),
		cmocka_unit_test(test_pg__deadlock_is_seen_and_waiters_are_counted),
		cmocka_unit_test(test_pg__killed_and_hanging_backends_end_the_client),
		cmocka_unit_test(test_pg__batch_over_8_kib_is_held_as_well),
		cmocka_unit_test(test_pg__nobody_there_says_why),
		cmocka_unit_test(test_redis__check_then_act_oversells),
		cmocka_unit_test(test_redis__peer_misbehaves_the_client_is_lost),
		cmocka_unit_test(test_redis__urls_that_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
