/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is SQLite's own: opening, the lock, the schema and its constraints, the views, the reader.
 * What every store does the same is in the conformance suite.
 */
#include "kit.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/id.h"

#define SECOND INT64_C(1000000)

/* --- opening --- */

/* Two accounts and a transfer between them. */
static void fund(struct kit *k, int64_t now_us)
{
	struct ws_entry *a, *b;

	kit_begin(k, now_us);
	a = kit_account(k, "world:EUR");
	b = kit_account(k, "alice");
	kit_load(k);
	kit_transfer(k, a, b, 100);
	kit_commit(k);
}

static void ignore_drift(void *arg, const char *check, const char *text)
{
	(void)arg;
	(void)check;
	(void)text;
}

static void test_store_open__unknown_scheme_is_refused_without_its_text(void **state)
{
	struct kit *k = *state;
	struct store *s;

	assert_int_equal(pawl__store_open("redis://user:secret@host", &k->opt, &s, &k->err),
	                 PAWL_E_CONFIG);
	assert_null(strstr(k->err.text, "secret"));
	assert_non_null(strstr(k->err.text, "sqlite:PATH"));
	assert_int_equal(pawl__store_open("sqlite:", &k->opt, &s, &k->err), PAWL_E_CONFIG);
	assert_int_equal(pawl__store_open("sqlite:x?vfs=nobody", &k->opt, &s, &k->err),
	                 PAWL_E_CONFIG);
	assert_int_equal(pawl__store_open("sqlite:x?mode=ro", &k->opt, &s, &k->err), PAWL_E_CONFIG);
}

static void test_sqlite_open__missing_directories_are_made_private(void **state)
{
	struct kit *k = *state;
	static const char *const made[] = { "a/b/s.db", "a/b/s.db.lock", "a/b", "a" };
	char path[256];
	struct stat sb;
	struct store *s;

	(void)snprintf(path, sizeof(path), "sqlite:%s/a/b/s.db", k->dir);
	assert_int_equal(pawl__store_open(path, &k->opt, &s, &k->err), PAWL_OK);
	store_close(s);
	(void)snprintf(path, sizeof(path), "%s/a", k->dir);
	assert_int_equal(stat(path, &sb), 0);
	assert_int_equal(sb.st_mode & 0777, 0700);
	for (size_t i = 0; i < ARRAY_LEN(made); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", k->dir, made[i]);
		assert_int_equal(remove(path), 0);
	}
}

static void test_sqlite_open__second_opener_is_told_who_has_it(void **state)
{
	struct kit *k = *state;
	char pid[16];
	struct store *s;

	kit_open(k);
	(void)snprintf(pid, sizeof(pid), "%ld", (long)getpid());
	assert_int_equal(kit_try_open(k, &s), PAWL_E_BUSY);
	assert_non_null(strstr(k->err.text, pid));
	kit_close(k);
	assert_int_equal(kit_try_open(k, &s), PAWL_OK);
	store_close(s);
}

static void test_sqlite_open__lock_of_a_dead_process_is_gone(void **state)
{
	struct kit *k = *state;
	const pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		kit_open(k);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	kit_open(k);
}

static void test_sqlite_open__newer_schema_is_refused(void **state)
{
	struct kit *k = *state;
	struct store *s;

	kit_open(k);
	kit_close(k);
	assert_int_equal(kit_sql_try(k, "PRAGMA user_version = 1000"), SQLITE_OK);
	assert_int_equal(kit_try_open(k, &s), PAWL_E_SCHEMA);
	k->opt.read_only = true;
	assert_int_equal(kit_try_open(k, &s), PAWL_E_SCHEMA);
}

static void test_sqlite_open__other_programs_database_is_left_alone(void **state)
{
	struct kit *k = *state;
	struct store *s;

	assert_int_equal(kit_sql_try(k, "CREATE TABLE t (x)"), SQLITE_OK);
	assert_int_equal(kit_try_open(k, &s), PAWL_E_CONFIG);
	assert_int_equal(kit_sql(k, "SELECT count(*) FROM sqlite_schema"), 1);
}

static void test_sqlite_open__not_a_database_is_corrupt(void **state)
{
	struct kit *k = *state;
	FILE *f = fopen(k->path, "we");
	struct store *s;

	assert_non_null(f);
	for (int i = 0; i < 1000; i++)
		(void)fputs("not a database", f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(kit_try_open(k, &s), PAWL_E_CORRUPT);
	assert_non_null(strstr(k->err.text, "not a database"));
}

static void test_sqlite_open__a_directory_in_its_place_is_an_io_error(void **state)
{
	struct kit *k = *state;
	struct store *s;

	assert_int_equal(mkdir(k->path, 0700), 0);
	assert_int_equal(kit_try_open(k, &s), PAWL_E_IO);
	assert_int_equal(rmdir(k->path), 0);
}

static void test_sqlite_open__read_only_creates_nothing_and_writes_nothing(void **state)
{
	static const char *const suffixes[] = { "-wal", "-shm", "-journal" };
	struct kit *k = *state;
	struct store_begin b;
	char path[128];
	struct stat sb;

	k->opt.read_only = true;
	assert_int_equal(kit_try_open(k, &k->store), PAWL_E_IO);
	k->store = NULL;
	assert_int_equal(stat(k->path, &sb), -1);
	k->opt.read_only = false;
	kit_open(k);
	kit_close(k);
	k->opt.read_only = true;
	kit_open(k);
	assert_int_equal(store_begin(k->store, &b, &k->err), PAWL_E_UNSUPPORTED);
	assert_int_equal(kit_drifts(k, NULL), 0);
	assert_int_equal(store_housekeep(k->store, true, &k->err), PAWL_OK);
	kit_close(k);
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", k->path, suffixes[i]);
		assert_int_equal(stat(path, &sb), -1);
	}
}

static void test_sqlite_read__file_that_a_server_opens_meanwhile_is_busy(void **state)
{
	struct store_options opt = { .read_only = true, .retention_us = SECOND };
	struct kit *k = *state;
	struct store_audit a;
	struct store *reader;
	struct ws_entry *e;

	kit_open(k);
	fund(k, KIT_START_US);
	kit_close(k);
	assert_int_equal(pawl__store_open(k->url, &opt, &reader, &k->err), PAWL_OK);
	pawl__ws_init(&k->ws, &k->arena, 7, 1);
	e = kit_account(k, "alice");
	assert_int_equal(store_read(reader, &k->ws, &k->err), PAWL_OK);
	assert_int_equal(e->row.account.balance, 100);
	kit_open(k);
	assert_int_equal(store_audit(reader, ignore_drift, NULL, &a, &k->err), PAWL_E_BUSY);
	fund(k, KIT_START_US);
	kit_close(k);
	assert_int_equal(store_audit(reader, ignore_drift, NULL, &a, &k->err), PAWL_E_BUSY);
	store_close(reader);
	/* Opened while the server runs, it follows it. */
	kit_open(k);
	assert_int_equal(pawl__store_open(k->url, &opt, &reader, &k->err), PAWL_OK);
	fund(k, KIT_START_US);
	assert_int_equal(store_audit(reader, ignore_drift, NULL, &a, &k->err), PAWL_OK);
	assert_int_equal(a.transfers, 3);
	store_close(reader);
}

/* --- rows --- */

static struct ws_entry *read_account(struct kit *k, const char *id)
{
	struct ws_entry *e;

	pawl__arena_reset(&k->arena);
	pawl__ws_init(&k->ws, &k->arena, 7, 1);
	e = kit_account(k, id);
	assert_int_equal(store_read(k->store, &k->ws, &k->err), PAWL_OK);
	return e;
}

static void test_sqlite_flush__new_accounts_get_numbers_that_transfers_use(void **state)
{
	struct kit *k = *state;
	char text[64];

	kit_open(k);
	fund(k, KIT_START_US);
	assert_true(read_account(k, "alice")->row.account.number > 0);
	assert_int_equal(read_account(k, "alice")->row.account.balance, 100);
	kit_sql_text(k, "SELECT from_id || '>' || to_id || ':' || amount FROM transfers", text,
	             sizeof(text));
	assert_string_equal(text, "world:EUR>alice:100");
	assert_int_equal(kit_drifts(k, NULL), 0);
}

static void test_sqlite_flush__row_below_its_floor_is_corrupt_and_leaves_nothing(void **state)
{
	struct kit *k = *state;
	struct ws_entry *e;

	kit_open(k);
	fund(k, KIT_START_US);
	kit_begin(k, KIT_START_US);
	e = kit_account(k, "alice");
	kit_load(k);
	kit_post(k, e, "EUR", -101);
	e->row.account.has_floor = true;
	kit_flush_fails(k, PAWL_E_CORRUPT);
	assert_int_equal(read_account(k, "alice")->row.account.balance, 100);
	assert_false(read_account(k, "alice")->row.account.has_floor);
}

static void test_schema__constraints_hold_for_other_programs_too(void **state)
{
	static const char *const refused[] = {
		"UPDATE account SET floor = 101 WHERE id = 'alice'",
		"UPDATE account SET floor = 0, balance = -9223372036854775807, held = 2",
		"UPDATE account SET held = -1",
		"UPDATE account SET balance = 'much'",
		"UPDATE account SET balance = 1.5",
		"UPDATE account SET id = 'alice'",
		"UPDATE transfer SET amount = 0",
		"UPDATE transfer SET amount = -5",
		"INSERT INTO hold VALUES (1, 1, 2, 5, 6, 9, 0, 1)",
		"INSERT INTO hold VALUES (1, 1, 2, 5, -1, 9, 0, 1)",
		"INSERT INTO hold VALUES (1, 1, 2, 5, 0, 9, 4, 1)",
		"INSERT INTO hold VALUES (1, 1, 2, 5, 5, 9, 0, 1)",
		"INSERT INTO order_ VALUES (1, 3, 0, 0, 1, '{}')",
		"INSERT INTO record VALUES ('', 1, '{}')",
		"INSERT INTO record VALUES ('k', 0, '{}')",
		"INSERT INTO lease VALUES ('l', 'o', 0, 1)",
		"INSERT INTO answer_1 VALUES (1, '', 'k', x'00', 0, 200, 1, 0, 1, '', '{}')",
		"UPDATE meta SET revision = -1",
		"INSERT INTO meta SELECT 2, revision, answers_seq, high_water_us, accounts,"
		" holds_live, orders, records, events, jobs, answers, hash_seed, created_us"
		" FROM meta",
	};
	struct kit *k = *state;

	kit_open(k);
	fund(k, KIT_START_US);
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		const int rc = kit_sql_try(k, refused[i]);

		if (rc != SQLITE_CONSTRAINT)
			fail_msg("%s: %d", refused[i], rc);
	}
	assert_int_equal(kit_sql_try(k, "UPDATE account SET floor = 100 WHERE id = 'alice'"),
	                 SQLITE_OK);
}

static void test_sqlite_flush__record_lives_and_dies(void **state)
{
	struct kit *k = *state;
	struct ws_entry *e;
	struct store_stats st;

	kit_open(k);
	for (int life = 0; life < 3; life++) {
		kit_begin(k, KIT_START_US);
		e = pawl__ws_want(&k->ws, ROW_RECORD, STR("r"));
		kit_load(k);
		assert_int_equal(e->present, life == 1);
		pawl__ws_change(&k->ws, e);
		e->present = life != 1;
		e->row.record =
			(struct record){ e->id, STR("{\"a\":1}"), ws_next_revision(&k->ws) };
		kit_commit(k);
		assert_int_equal(store_stats(k->store, &st, &k->err), PAWL_OK);
		assert_int_equal(st.records, life != 1);
		assert_int_equal(st.revision, life + 1);
	}
	assert_int_equal(kit_drifts(k, NULL), 0);
}

static void test_sqlite_expire__due_holds_only_and_next_is_told(void **state)
{
	struct kit *k = *state;
	struct ws_entry *a, *b;
	struct store_stats st;
	struct str due[4];
	struct store_due found = { .ids = due, .max = 4, .len = 9 };
	int64_t freed_due[2];

	kit_open(k);
	fund(k, KIT_START_US);
	kit_begin(k, KIT_START_US);
	a = kit_account(k, "alice");
	b = kit_account(k, "bob");
	kit_load(k);
	kit_post(k, b, "EUR", 0);
	for (int i = 1; i <= 3; i++)
		(void)kit_hold(k, a, b, 10 * i, KIT_START_US + i * SECOND);
	kit_commit(k);
	assert_int_equal(store_stats(k->store, &st, &k->err), PAWL_OK);
	assert_int_equal(st.holds_live, 3);

	assert_int_equal(store_due(k->store, KIT_START_US + SECOND - 1, &k->arena, &found, &k->err),
	                 PAWL_OK);
	assert_int_equal(found.len, 0);
	assert_int_equal(store_due(k->store, KIT_START_US + 2 * SECOND, &k->arena, &found, &k->err),
	                 PAWL_OK);
	assert_int_equal(found.len, 1);
	assert_true(str_eq(due[0], STR("alice")));

	kit_begin(k, KIT_START_US + 2 * SECOND);
	a = kit_account(k, "alice");
	kit_load(k);
	assert_int_equal(a->row.account.held, 60);
	assert_int_equal(store_expire(k->store, a, k->ws.now_us, ws_next_revision(&k->ws),
	                              freed_due, &k->err),
	                 PAWL_OK);
	assert_int_equal(freed_due[0], 30);
	assert_int_equal(freed_due[1], KIT_START_US + 3 * SECOND);
	kit_post(k, a, "EUR", 0);
	a->row.account.held -= freed_due[0];
	a->row.account.due_us = freed_due[1];
	kit_commit(k);
	assert_int_equal(store_stats(k->store, &st, &k->err), PAWL_OK);
	assert_int_equal(st.holds_live, 1);
	assert_int_equal(kit_sql(k, "SELECT count(*) FROM holds WHERE state = 'expired'"), 2);
	assert_int_equal(kit_drifts(k, NULL), 0);
}

static void test_sqlite_read__due_holds_are_off_before_anybody_sweeps(void **state)
{
	struct kit *k = *state;
	struct ws_entry *a, *b, *h;
	int64_t hold;

	kit_open(k);
	/* In the past of the real clock: due at once for a reader. */
	fund(k, 1);
	kit_begin(k, 1);
	a = kit_account(k, "alice");
	b = kit_account(k, "bob");
	kit_load(k);
	kit_post(k, b, "EUR", 0);
	hold = kit_hold(k, a, b, 10, 2)->number;
	(void)kit_hold(k, a, b, 20, KIT_START_US);
	kit_commit(k);
	a = read_account(k, "alice");
	assert_int_equal(a->row.account.held, 20);
	assert_int_equal(a->row.account.due_us, KIT_START_US);
	pawl__arena_reset(&k->arena);
	pawl__ws_init(&k->ws, &k->arena, 7, 1);
	h = pawl__ws_want_number(&k->ws, ROW_HOLD, hold);
	assert_int_equal(store_read(k->store, &k->ws, &k->err), PAWL_OK);
	assert_true(str_eq(h->row.hold.from, STR("alice")));
	assert_true(str_eq(h->row.hold.to, STR("bob")));
	assert_int_equal(h->row.hold.state, HOLD_HELD); /* nothing was written */
	assert_int_equal(k->ws.revision, 2);
	assert_true(k->ws.now_us > 2);
}

static void test_sqlite_read__sees_no_part_of_an_open_transaction(void **state)
{
	struct kit *k = *state;
	struct ws_entry *a;
	struct arena other;
	struct ws ws;

	kit_open(k);
	fund(k, KIT_START_US);
	pawl__arena_init(&other, 4096, 65536);
	kit_begin(k, KIT_START_US);
	a = kit_account(k, "alice");
	kit_load(k);
	kit_post(k, a, "EUR", 900);
	pawl__ws_keep(&k->ws);
	assert_int_equal(store_flush(k->store, &k->ws, &k->err), PAWL_OK);
	pawl__ws_init(&ws, &other, 1, 1);
	a = pawl__ws_want(&ws, ROW_ACCOUNT, STR("alice"));
	assert_int_equal(store_read(k->store, &ws, &k->err), PAWL_OK);
	assert_int_equal(a->row.account.balance, 100);
	assert_int_equal(store_commit(k->store, &k->err), PAWL_OK);
	pawl__arena_reset(&other);
	pawl__ws_init(&ws, &other, 1, 1);
	a = pawl__ws_want(&ws, ROW_ACCOUNT, STR("alice"));
	assert_int_equal(store_read(k->store, &ws, &k->err), PAWL_OK);
	assert_int_equal(a->row.account.balance, 1000);
	pawl__arena_deinit(&other);
}

static void test_sqlite_load__arena_at_its_ceiling_is_out_of_memory(void **state)
{
	struct kit *k = *state;
	struct ws_entry *e;
	struct arena tiny;
	struct ws ws;
	static char text[20000];

	kit_open(k);
	kit_begin(k, KIT_START_US);
	e = pawl__ws_want(&k->ws, ROW_RECORD, STR("r"));
	kit_load(k);
	pawl__ws_change(&k->ws, e);
	e->present = true;
	memset(text, '1', sizeof(text));
	e->row.record = (struct record){ e->id, { text, sizeof(text) }, 1 };
	kit_commit(k);
	pawl__arena_init(&tiny, 4096, 8192);
	pawl__ws_init(&ws, &tiny, 1, 1);
	(void)pawl__ws_want(&ws, ROW_RECORD, STR("r"));
	assert_int_equal(store_read(k->store, &ws, &k->err), PAWL_E_NOMEM);
	assert_true(ws.failed);
	pawl__arena_deinit(&tiny);
	/* The connection is as good as before. */
	assert_false(read_account(k, "nobody")->present);
}

static void test_schema__views_show_ids_as_answers_do(void **state)
{
	struct kit *k = *state;
	const int64_t number = (INT64_C(1) << ROW_NUMBER_BITS);
	char seen[64], expected[ID_TEXT_LEN + 1] = "";
	struct ws_entry *e;
	struct buf b;

	kit_open(k);
	kit_begin(k, KIT_START_US);
	e = pawl__ws_fresh(&k->ws, ROW_ORDER, pawl__ws_number(&k->ws));
	assert_int_equal(e->number, number);
	pawl__ws_change(&k->ws, e);
	e->present = true;
	e->row.order = (struct order){ .number = e->number,
		                       .state = ORDER_CONFIRMED,
		                       .body = STR("\"lines\":[]"),
		                       .version = 1 };
	kit_commit(k);
	pawl__buf_init_fixed(&b, expected, ID_TEXT_LEN);
	pawl__id_format(&b, number);
	kit_sql_text(k, "SELECT id FROM orders WHERE state = 'confirmed'", seen, sizeof(seen));
	assert_string_equal(seen, expected);
	kit_sql_text(k, "SELECT count(*) FROM accounts, items, transfers, holds, events, answers",
	             seen, sizeof(seen));
	assert_string_equal(seen, "0");
}

static void test_sqlite_begin__revision_and_high_water_outlive_the_process(void **state)
{
	struct kit *k = *state;
	struct store_begin b;

	kit_open(k);
	fund(k, KIT_START_US + 5);
	kit_close(k);
	kit_open(k);
	assert_int_equal(store_begin(k->store, &b, &k->err), PAWL_OK);
	assert_int_equal(b.revision, 1);
	assert_int_equal(b.high_water_us, KIT_START_US + 5);
	store_rollback(k->store);
}

static void test_sqlite_outcome__tells_committed_from_not(void **state)
{
	struct kit *k = *state;
	enum store_outcome o;

	kit_open(k);
	fund(k, KIT_START_US);
	assert_int_equal(store_outcome(k->store, 1, 0, &o, &k->err), PAWL_OK);
	assert_int_equal(o, STORE_COMMITTED);
	assert_int_equal(store_outcome(k->store, 2, 0, &o, &k->err), PAWL_OK);
	assert_int_equal(o, STORE_NOT_COMMITTED);
	assert_int_equal(store_outcome(k->store, 1, 1, &o, &k->err), PAWL_OK);
	assert_int_equal(o, STORE_NOT_COMMITTED);
}

static void test_sqlite_stats__wal_stays_small_without_housekeep(void **state)
{
	struct kit *k = *state;
	static char text[60000];
	struct store_stats st;

	kit_open(k);
	for (int i = 0; i < 400; i++) {
		struct ws_entry *e;

		/* A page that stays as it was would not be written. */
		memset(text, '0' + i % 10, sizeof(text));
		kit_begin(k, KIT_START_US);
		e = pawl__ws_want(&k->ws, ROW_RECORD, STR("r"));
		kit_load(k);
		pawl__ws_change(&k->ws, e);
		e->present = true;
		e->row.record = (struct record){ e->id, { text, sizeof(text) }, i + 1 };
		kit_commit(k);
	}
	assert_int_equal(store_stats(k->store, &st, &k->err), PAWL_OK);
	assert_int_equal(st.commits, 400);
	assert_in_range(st.wal_bytes, 1, 8 << 20);
	assert_non_null(strstr(st.engine, sqlite3_libversion()));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
		TEST(test_store_open__unknown_scheme_is_refused_without_its_text),
		TEST(test_sqlite_open__missing_directories_are_made_private),
		TEST(test_sqlite_open__second_opener_is_told_who_has_it),
		TEST(test_sqlite_open__lock_of_a_dead_process_is_gone),
		TEST(test_sqlite_open__newer_schema_is_refused),
		TEST(test_sqlite_open__other_programs_database_is_left_alone),
		TEST(test_sqlite_open__not_a_database_is_corrupt),
		TEST(test_sqlite_open__a_directory_in_its_place_is_an_io_error),
		TEST(test_sqlite_open__read_only_creates_nothing_and_writes_nothing),
		TEST(test_sqlite_read__file_that_a_server_opens_meanwhile_is_busy),
		TEST(test_sqlite_flush__new_accounts_get_numbers_that_transfers_use),
		TEST(test_sqlite_flush__row_below_its_floor_is_corrupt_and_leaves_nothing),
		TEST(test_schema__constraints_hold_for_other_programs_too),
		TEST(test_sqlite_flush__record_lives_and_dies),
		TEST(test_sqlite_expire__due_holds_only_and_next_is_told),
		TEST(test_sqlite_read__due_holds_are_off_before_anybody_sweeps),
		TEST(test_sqlite_read__sees_no_part_of_an_open_transaction),
		TEST(test_sqlite_load__arena_at_its_ceiling_is_out_of_memory),
		TEST(test_schema__views_show_ids_as_answers_do),
		TEST(test_sqlite_begin__revision_and_high_water_outlive_the_process),
		TEST(test_sqlite_outcome__tells_committed_from_not),
		TEST(test_sqlite_stats__wal_stays_small_without_housekeep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
