/* SPDX-License-Identifier: Apache-2.0 */
#include "kit.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"

#define HOUR_US INT64_C(3600000000)

int kit_setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	struct kit *k = calloc(1, sizeof(*k));

	assert_non_null(k);
	(void)snprintf(k->dir, sizeof(k->dir), "%.30s/pawl-test-XXXXXX",
	               tmp != NULL ? tmp : "/tmp");
	assert_non_null(mkdtemp(k->dir));
	(void)snprintf(k->path, sizeof(k->path), "%s/s.db", k->dir);
	(void)snprintf(k->url, sizeof(k->url), "sqlite:%s", k->path);
	k->opt.retention_us = HOUR_US;
	pawl__arena_init(&k->arena, 65536, (size_t)64 << 20);
	*state = k;
	return 0;
}

int kit_teardown(void **state)
{
	static const char *const suffixes[] = { "", "-wal", "-shm", "-journal", ".lock" };
	struct kit *k = *state;
	char name[128];

	store_close(k->store);
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		(void)snprintf(name, sizeof(name), "%s%s", k->path, suffixes[i]);
		(void)unlink(name);
	}
	if (rmdir(k->dir) != 0)
		print_message("%s is left behind\n", k->dir);
	pawl__arena_deinit(&k->arena);
	free(k);
	return 0;
}

enum pawl_status kit_try_open(struct kit *k, struct store **ret)
{
	if (k->tuned)
		return pawl__sqlite_open(k->path, &k->opt, &k->tuning, ret, &k->err);
	return pawl__store_open(k->url, &k->opt, ret, &k->err);
}

void kit_open(struct kit *k)
{
	const enum pawl_status st = kit_try_open(k, &k->store);

	if (st != PAWL_OK)
		fail_msg("open: %s", k->err.text);
}

void kit_close(struct kit *k)
{
	store_closep(&k->store);
}

static void kit_ok(struct kit *k, enum pawl_status st, const char *what)
{
	if (st != PAWL_OK)
		fail_msg("%s: %s: %s", what, pawl_status_code(st), k->err.text);
}

void kit_begin(struct kit *k, int64_t now_us)
{
	struct store_begin b;

	kit_ok(k, store_begin(k->store, &b, &k->err), "begin");
	pawl__arena_reset(&k->arena);
	pawl__ws_init(&k->ws, &k->arena, 7, 16);
	k->ws.now_us = now_us;
	k->ws.revision = b.revision;
	k->ws.answers_seq = b.answers_seq;
	pawl__ws_begin(&k->ws);
}

void kit_load(struct kit *k)
{
	kit_ok(k, store_load(k->store, &k->ws, &k->err), "load");
}

void kit_commit(struct kit *k)
{
	pawl__ws_keep(&k->ws);
	kit_ok(k, store_flush(k->store, &k->ws, &k->err), "flush");
	kit_ok(k, store_commit(k->store, &k->err), "commit");
}

void kit_flush_fails(struct kit *k, enum pawl_status expected)
{
	enum pawl_status st;

	pawl__ws_keep(&k->ws);
	st = store_flush(k->store, &k->ws, &k->err);
	assert_int_equal(st, expected);
	store_rollback(k->store);
}

void kit_rollback(struct kit *k)
{
	store_rollback(k->store);
}

struct ws_entry *kit_account(struct kit *k, const char *id)
{
	struct ws_entry *e = pawl__ws_want(&k->ws, ROW_ACCOUNT, kit_str(id));

	assert_non_null(e);
	return e;
}

void kit_post(struct kit *k, struct ws_entry *e, const char *unit, int64_t amount)
{
	pawl__ws_change(&k->ws, e);
	if (!e->present) {
		e->present = true;
		e->row.account = (struct account){ .id = e->id, .unit = kit_str(unit) };
	}
	e->row.account.balance += amount;
	e->row.account.version = ws_next_revision(&k->ws);
}

void kit_transfer(struct kit *k, struct ws_entry *from, struct ws_entry *to, int64_t amount)
{
	struct transfer *t = pawl__ws_transfer(&k->ws);

	assert_non_null(t);
	*t = (struct transfer){ .number = pawl__ws_number(&k->ws),
		                .from = &from->row.account,
		                .to = &to->row.account,
		                .amount = amount };
	kit_post(k, from, "EUR", -amount);
	kit_post(k, to, "EUR", amount);
}

struct ws_entry *kit_hold(struct kit *k, struct ws_entry *from, struct ws_entry *to, int64_t amount,
                          int64_t expires_us)
{
	struct ws_entry *e = pawl__ws_fresh(&k->ws, ROW_HOLD, pawl__ws_number(&k->ws));
	struct account *a = &from->row.account;

	assert_non_null(e);
	pawl__ws_change(&k->ws, e);
	e->present = true;
	e->row.hold = (struct hold){ .number = e->number,
		                     .from = from->id,
		                     .to = to->id,
		                     .from_number = a->number,
		                     .to_number = to->row.account.number,
		                     .amount = amount,
		                     .expires_us = expires_us,
		                     .version = ws_next_revision(&k->ws) };
	kit_post(k, from, "EUR", 0);
	a->held += amount;
	if (a->due_us == 0 || expires_us < a->due_us)
		a->due_us = expires_us;
	return e;
}

void kit_answer(struct kit *k, struct ws_entry *e, const char *body)
{
	e->present = true;
	e->row.answer = (struct answer){ .caller = e->id,
		                         .key = e->id2,
		                         .code = PAWL_OK,
		                         .http = 201,
		                         .revision = ws_next_revision(&k->ws),
		                         .at_us = k->ws.now_us,
		                         .location = STR_NONE,
		                         .body = pawl__arena_str(&k->arena, kit_str(body)) };
	memset(e->row.answer.fingerprint, 0x5a, FINGERPRINT_LEN);
	assert_true(pawl__ws_answer(&k->ws, e));
	k->ws.changed = true;
}

static sqlite3 *sql_open(struct kit *k)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(k->path, &db), SQLITE_OK);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	return db;
}

void kit_sql_text(struct kit *k, const char *sql, char *ret, size_t size)
{
	sqlite3 *db = sql_open(k);
	sqlite3_stmt *q;
	int rc;

	if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	rc = sqlite3_step(q);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	(void)snprintf(ret, size, "%s",
	               rc == SQLITE_ROW && sqlite3_column_type(q, 0) != SQLITE_NULL
	                       ? (const char *)sqlite3_column_text(q, 0)
	                       : "");
	(void)sqlite3_finalize(q);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

int64_t kit_sql(struct kit *k, const char *sql)
{
	char text[64];

	kit_sql_text(k, sql, text, sizeof(text));
	return strtoll(text, NULL, 10);
}

int kit_sql_try(struct kit *k, const char *sql)
{
	sqlite3 *db = sql_open(k);
	const int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);

	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return rc;
}

struct drift_count {
	const char *check;
	int64_t n;
};

static void drift_count(void *arg, const char *check, const char *text)
{
	struct drift_count *d = arg;

	if (d->check == NULL)
		print_message("drift: %s: %s\n", check, text);
	if (d->check == NULL || strcmp(d->check, check) == 0)
		d->n++;
}

int64_t kit_drifts(struct kit *k, const char *check)
{
	struct drift_count d = { .check = check };
	struct store_audit a;

	kit_ok(k, store_audit(k->store, drift_count, &d, &a, &k->err), "audit");
	assert_true(a.drifts >= d.n);
	return d.n;
}
