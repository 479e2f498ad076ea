/* SPDX-License-Identifier: Apache-2.0 */
/* A drift is planted with another program's hands; the audit must name it by its check. */
#include "kit.h"

#include <sqlite3.h>
#include <stdio.h>

#include "base/assert.h"

/* Two units, a transfer, a hold that is partly captured, an order, a record, 60 answers in runs. */
static void furnish(struct kit *k)
{
	struct ws_entry *a, *b, *c, *h, *o, *r;
	struct transfer *t;

	k->tuned = true;
	k->tuning = (struct answers_tuning){
		.run_max = 10, .slice_min = 8, .filters_max = 1 << 20, .hash_mask = UINT64_MAX
	};
	kit_open(k);
	kit_begin(k, KIT_START_US);
	a = kit_account(k, "world:EUR");
	b = kit_account(k, "alice");
	c = kit_account(k, "sku:none");
	r = pawl__ws_want(&k->ws, ROW_RECORD, STR("r"));
	kit_load(k);
	kit_transfer(k, a, b, 100);
	pawl__ws_change(&k->ws, r);
	r->present = true;
	r->row.record = (struct record){ r->id, STR("1"), 1 };
	kit_post(k, c, "sku", 0);
	o = pawl__ws_fresh(&k->ws, ROW_ORDER, pawl__ws_number(&k->ws));
	pawl__ws_change(&k->ws, o);
	o->present = true;
	o->row.order = (struct order){ .number = o->number,
		                       .holds = 1,
		                       .body = STR(""),
		                       .expires_us = KIT_START_US + 9,
		                       .version = 1 };
	h = kit_hold(k, b, a, 30, KIT_START_US + 9);
	h->row.hold.captured = 10;
	b->row.account.held -= 10;
	kit_transfer(k, b, a, 10);
	t = &k->ws.transfers.at[1];
	t->hold = h->number;
	kit_commit(k);
	for (int i = 0; i < 60; i += 5) {
		kit_begin(k, KIT_START_US + i);
		for (int j = 0; j < 5; j++) {
			char *key = pawl__arena_alloc(&k->arena, 16);
			struct ws_entry *e;

			assert_non_null(key);
			(void)snprintf(key, 16, "key-%d", i + j);
			e = pawl__ws_want_answer(&k->ws, STR("c"), kit_str(key));
			kit_load(k);
			kit_answer(k, e, "{}");
		}
		kit_commit(k);
	}
}

struct plant {
	const char *check; /* NULL: none may be found */
	const char *sql;
};

struct drifts {
	const char *check;
	int64_t n;
};

static void ignore_drift(void *arg, const char *check, const char *text)
{
	(void)arg;
	(void)check;
	(void)text;
}

static void count_drift(void *arg, const char *check, const char *text)
{
	struct drifts *d = arg;

	(void)text;
	d->n += d->check == NULL || strcmp(d->check, check) == 0;
}

static int64_t audit_copy(struct kit *k, const char *path, const char *check)
{
	const struct store_options opt = { .read_only = true, .retention_us = k->opt.retention_us };
	struct drifts d = { .check = check };
	struct store_audit a;
	struct store *s;

	if (pawl__sqlite_open(path, &opt, &k->tuning, &s, &k->err) != PAWL_OK ||
	    store_audit(s, count_drift, &d, &a, &k->err) != PAWL_OK)
		fail_msg("%s", k->err.text);
	store_close(s);
	return d.n;
}

static void test_audit__names_each_planted_drift(void **state)
{
	static const struct plant plants[] = {
		{ NULL, "SELECT 1" },
		{ "balance", "UPDATE account SET balance = balance + 1 WHERE id = 'alice'" },
		{ "unit-sum", "UPDATE account SET balance = balance + 1 WHERE id = 'alice'" },
		{ "balance", "UPDATE transfer SET amount = amount + 1 WHERE hold IS NULL" },
		{ "balance", "DELETE FROM transfer WHERE hold IS NULL" },
		{ "held", "UPDATE account SET held = held + 1 WHERE id = 'alice'" },
		{ "held", "UPDATE hold SET state = 2" },
		{ "floor", "PRAGMA ignore_check_constraints = 1;"
		           "UPDATE account SET floor = 1000 WHERE id = 'alice'" },
		{ "due", "UPDATE account SET due_us = 0" },
		{ "due", "UPDATE account SET due_us = due_us + 1 WHERE due_us > 0" },
		{ "unit", "UPDATE account SET unit = 'sku' WHERE id = 'alice'" },
		{ "transfer", "UPDATE transfer SET to_account = 77" },
		{ "hold", "UPDATE hold SET to_account = 77" },
		{ "capture", "UPDATE hold SET captured = 11" },
		{ "capture", "UPDATE transfer SET hold = NULL" },
		{ "order", "UPDATE order_ SET holds = 2" },
		{ "revision", "UPDATE meta SET revision = 0" },
		{ "revision", "UPDATE account SET version = 1000000 WHERE id = 'alice'" },
		{ "revision", "INSERT INTO event VALUES (1 << 40, 't', '', '')" },
		{ "count", "UPDATE meta SET records = records + 1" },
		{ "count", "DELETE FROM record" },
		{ "revision", "UPDATE answer_1 SET revision = 1000000 WHERE seq = 3" },
		{ "count", "UPDATE meta SET answers = answers + 1" },
		{ "count", "DELETE FROM answer_1 WHERE seq = 3" },
		{ "answers", "DELETE FROM answer_1 WHERE seq = 3" },
		{ "answers", "UPDATE answer_1 SET key = 'other' WHERE seq = 3" },
		{ "answers", "DELETE FROM answer_key_1 WHERE seq = 3" },
		{ "answers", "UPDATE answer_key_1 SET hash = hash + 1 WHERE seq = 3" },
		{ "answers", "UPDATE answer_run SET filter = zeroblob(64) WHERE run = 1" },
		{ "answers", "UPDATE answer_run SET filter = x'00' WHERE run = 1" },
		{ "answers", "UPDATE answer_run SET answers = answers + 1 WHERE run = 2" },
		{ "answers", "UPDATE answer_run SET answers = 0, state = 0" },
		{ "answers",
		  "UPDATE answer_2 SET seq = 1 WHERE seq = (SELECT min(seq) FROM answer_2)" },
		{ "answers", "UPDATE meta SET answers_seq = answers_seq - 1" },
		{ "answers", "CREATE TABLE answer_77 (seq)" },
		{ "answers", "CREATE TABLE answer_key_77 (hash)" },
		{ "answers", "DROP TABLE answer_1" },
		{ "answers", "DROP TABLE answer_key_1" },
		{ "answers", "DELETE FROM answer_run WHERE run = 1" },
		{ "answers", "UPDATE answer_run SET state = 2 WHERE run = 1" },
	};
	struct kit *k = *state;
	char undo[128];

	furnish(k);
	assert_true(kit_sql(k, "SELECT count(*) FROM answer_run") > 2);
	(void)snprintf(undo, sizeof(undo), "%s.clean", k->path);
	for (size_t i = 0; i < ARRAY_LEN(plants); i++) {
		sqlite3 *db;
		char sql[400];
		int64_t n;

		/* Plant in a copy of its own: the audit of the open store must not see it. */
		(void)snprintf(sql, sizeof(sql), "VACUUM INTO '%s'", undo);
		assert_int_equal(kit_sql_try(k, sql), SQLITE_OK);
		assert_int_equal(sqlite3_open(undo, &db), SQLITE_OK);
		if (sqlite3_exec(db, plants[i].sql, NULL, NULL, NULL) != SQLITE_OK)
			fail_msg("%s: %s", plants[i].sql, sqlite3_errmsg(db));
		assert_int_equal(sqlite3_close(db), SQLITE_OK);
		n = audit_copy(k, undo, plants[i].check);
		if ((n > 0) != (plants[i].check != NULL))
			fail_msg("%s: %lld drifts of %s", plants[i].sql, (long long)n,
			         plants[i].check != NULL ? plants[i].check : "any check");
		assert_int_equal(remove(undo), 0);
	}
	assert_int_equal(kit_drifts(k, NULL), 0);
}

static void test_audit__counts_what_it_has_seen(void **state)
{
	struct kit *k = *state;
	struct store_audit a;

	furnish(k);
	assert_int_equal(store_audit(k->store, ignore_drift, NULL, &a, &k->err), PAWL_OK);
	assert_int_equal(a.accounts, 3);
	assert_int_equal(a.transfers, 2);
	assert_int_equal(a.holds, 1);
	assert_int_equal(a.orders, 1);
	assert_int_equal(a.records, 1);
	assert_int_equal(a.units, 2);
	assert_int_equal(a.answers, 60);
	assert_int_equal(a.drifts, 0);
}

/* SQL's sum() would have failed. */
static void test_audit__sums_beyond_int64_are_summed(void **state)
{
	struct kit *k = *state;
	struct ws_entry *a, *b;

	kit_open(k);
	kit_begin(k, KIT_START_US);
	a = kit_account(k, "a");
	b = kit_account(k, "b");
	kit_load(k);
	kit_transfer(k, a, b, INT64_MAX);
	kit_transfer(k, b, a, INT64_MAX);
	kit_commit(k);
	assert_int_equal(kit_sql_try(k, "UPDATE transfer SET from_account = 1, to_account = 2;"
	                                "UPDATE account SET balance = 5 WHERE id = 'a'"),
	                 SQLITE_OK);
	/* Planted: both transfers go the same way, twice INT64_MAX. */
	assert_int_equal(kit_drifts(k, "balance"), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
		TEST(test_audit__names_each_planted_drift),
		TEST(test_audit__counts_what_it_has_seen),
		TEST(test_audit__sums_beyond_int64_are_summed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
