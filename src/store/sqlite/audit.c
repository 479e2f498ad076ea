/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/id.h"
#include "pawl/limits.h"
#include "store/sqlite/runs.h"

/* Not int64: partial sums may leave it, whatever the order. */
typedef __int128 wide;

/* What the log says about one account. */
struct tally {
	wide sum;       /* of its transfers */
	wide live;      /* what its live holds still hold */
	int64_t due_us; /* when the first of them expires; 0 = none */
	int64_t unit;   /* rank of its unit; 0 = there is no such account */
};

struct audit {
	struct conn *c;
	const struct answers *answers;
	store_drift_fn drift;
	void *arg;
	struct store_audit n;
	struct meta meta;
	struct tally *tally; /* owned; by account number */
	int64_t tally_len;
	struct pawl_error *err;
};

PAWL_PRINTF(3, 4)
static void audit_drift(struct audit *au, const char *check, const char *fmt, ...)
{
	char text[PAWL_ERROR_TEXT_MAX + ROW_ID_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	au->n.drifts++;
	au->drift(au->arg, check, text);
}

struct wide_text {
	char at[44];
};

static struct wide_text wide_format(wide v)
{
	unsigned __int128 left = v < 0 ? -(unsigned __int128)v : (unsigned __int128)v;
	struct wide_text t;
	size_t i = sizeof(t.at) - 1;

	t.at[i] = '\0';
	do {
		t.at[--i] = (char)('0' + (int)(left % 10));
		left /= 10;
	} while (left > 0);
	if (v < 0)
		t.at[--i] = '-';
	memmove(t.at, t.at + i, sizeof(t.at) - i);
	return t;
}

struct id_text {
	char at[ID_TEXT_LEN + 1];
};

static struct id_text id_format(int64_t number)
{
	struct id_text t = { "?" };
	struct buf b;

	if (number <= 0)
		return t;
	pawl__buf_init_fixed(&b, t.at, ID_TEXT_LEN);
	pawl__id_format(&b, number);
	t.at[b.len] = '\0';
	return t;
}

typedef void (*audit_row_fn)(struct audit *au, sqlite3_stmt *row);

/* Call fn for each row of a query; ?1 is `arg` where the query has it. */
static enum pawl_status audit_each(struct audit *au, const char *sql, int64_t arg, audit_row_fn fn)
{
	sqlite3_stmt *q;
	int rc = sqlite3_prepare_v2(au->c->db, sql, -1, &q, NULL);

	if (rc != SQLITE_OK)
		return pawl__conn_fail(au->c, rc, au->err);
	if (sqlite3_bind_parameter_count(q) > 0)
		bind_i64(q, 1, arg);
	while ((rc = sqlite3_step(q)) == SQLITE_ROW)
		fn(au, q);
	(void)sqlite3_finalize(q);
	return rc == SQLITE_DONE ? PAWL_OK : pawl__conn_fail(au->c, rc, au->err);
}

/* --- the file --- */

static void row_quick_check(struct audit *au, sqlite3_stmt *row)
{
	const struct str said = column_str(row, 0);

	if (!str_eq(said, STR("ok")))
		audit_drift(au, "file", "%.*s", (int)said.len, said.ptr);
}

/* --- accounts, transfers, holds --- */

static void row_tally_len(struct audit *au, sqlite3_stmt *row)
{
	au->tally_len = sqlite3_column_int64(row, 0) + 1;
}

static void row_unit_of(struct audit *au, sqlite3_stmt *row)
{
	au->tally[sqlite3_column_int64(row, 0)].unit = sqlite3_column_int64(row, 1);
}

static struct tally *tally_of(struct audit *au, int64_t number)
{
	if (number <= 0 || number >= au->tally_len || au->tally[number].unit == 0)
		return NULL;
	return &au->tally[number];
}

static void row_transfer(struct audit *au, sqlite3_stmt *row)
{
	const int64_t number = sqlite3_column_int64(row, 0);
	const int64_t amount = sqlite3_column_int64(row, 3);
	struct tally *from = tally_of(au, sqlite3_column_int64(row, 1));
	struct tally *to = tally_of(au, sqlite3_column_int64(row, 2));

	au->n.transfers++;
	if (from == NULL || to == NULL) {
		audit_drift(au, "transfer", "transfer %s names an account that is not there",
		            id_format(number).at);
		return;
	}
	from->sum -= amount;
	to->sum += amount;
	if (from->unit != to->unit)
		audit_drift(au, "unit", "transfer %s joins accounts of two units",
		            id_format(number).at);
}

static void row_hold(struct audit *au, sqlite3_stmt *row)
{
	const int64_t number = sqlite3_column_int64(row, 0);
	const int64_t expires_us = sqlite3_column_int64(row, 5);
	struct tally *from = tally_of(au, sqlite3_column_int64(row, 1));
	const struct tally *to = tally_of(au, sqlite3_column_int64(row, 2));

	au->n.holds++;
	if (from == NULL || to == NULL) {
		audit_drift(au, "hold", "hold %s names an account that is not there",
		            id_format(number).at);
		return;
	}
	if (from->unit != to->unit)
		audit_drift(au, "unit", "hold %s joins accounts of two units",
		            id_format(number).at);
	if (sqlite3_column_int64(row, 6) != HOLD_HELD)
		return;
	from->live += (wide)sqlite3_column_int64(row, 3) - sqlite3_column_int64(row, 4);
	if (from->due_us == 0 || expires_us < from->due_us)
		from->due_us = expires_us;
}

static void row_capture(struct audit *au, sqlite3_stmt *row)
{
	audit_drift(au, "capture", "hold %s: captured is %lld, its transfers sum to %lld",
	            id_format(sqlite3_column_int64(row, 0)).at,
	            (long long)sqlite3_column_int64(row, 1),
	            (long long)sqlite3_column_int64(row, 2));
}

static void row_account(struct audit *au, sqlite3_stmt *row)
{
	const struct tally *t = &au->tally[sqlite3_column_int64(row, 0)];
	const struct str id = column_str(row, 1);
	const int id_len = id.len > ROW_ID_MAX ? ROW_ID_MAX : (int)id.len;
	const int64_t balance = sqlite3_column_int64(row, 2), held = sqlite3_column_int64(row, 3);
	const int64_t floor = sqlite3_column_int64(row, 4);
	const int64_t due_us = sqlite3_column_int64(row, 6);

	au->n.accounts++;
	if (t->sum != balance)
		audit_drift(au, "balance",
		            "account %.*s: balance is %" PRId64 ", its transfers sum to %s", id_len,
		            id.ptr, balance, wide_format(t->sum).at);
	if (t->live != held)
		audit_drift(au, "held", "account %.*s: held is %" PRId64 ", its live holds hold %s",
		            id_len, id.ptr, held, wide_format(t->live).at);
	if (sqlite3_column_type(row, 4) != SQLITE_NULL && (wide)balance - held < floor)
		audit_drift(au, "floor",
		            "account %.*s: balance %" PRId64 " - held %" PRId64
		            " is below its floor %" PRId64,
		            id_len, id.ptr, balance, held, floor);
	if (t->due_us != 0 && (due_us == 0 || due_us > t->due_us))
		audit_drift(au, "due",
		            "account %.*s: a live hold expires at %" PRId64
		            " us, before the account is looked at (%" PRId64 ")",
		            id_len, id.ptr, t->due_us, due_us);
	if (sqlite3_column_int64(row, 5) > au->meta.revision)
		audit_drift(au, "revision", "account %.*s: its version is of the future", id_len,
		            id.ptr);
}

/* Sums of a unit: SQL's sum() would overflow where the halves of double entry are large. */
struct unit_sum {
	int64_t unit;
	wide sum;
};

static void row_unit_sum(struct audit *au, struct unit_sum *u, sqlite3_stmt *row)
{
	const int64_t unit = row != NULL ? sqlite3_column_int64(row, 1) : 0;

	if (unit != u->unit) {
		if (u->unit != 0)
			au->n.units++;
		if (u->sum != 0)
			audit_drift(au, "unit-sum",
			            "unit %" PRId64 " in order of names: its balances sum to %s",
			            u->unit, wide_format(u->sum).at);
		*u = (struct unit_sum){ .unit = unit };
	}
	if (row != NULL)
		u->sum += sqlite3_column_int64(row, 2);
}

/* Every account with the rank of its unit's name, unit by unit. */
#define SQL_UNITS                                                                                  \
	"SELECT number, dense_rank() OVER (ORDER BY unit), balance FROM account ORDER BY unit"

static enum pawl_status audit_units(struct audit *au)
{
	struct unit_sum u = { .unit = 0 };
	sqlite3_stmt *q;
	int rc = sqlite3_prepare_v2(au->c->db, SQL_UNITS, -1, &q, NULL);

	if (rc != SQLITE_OK)
		return pawl__conn_fail(au->c, rc, au->err);
	while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
		row_unit_of(au, q);
		row_unit_sum(au, &u, q);
	}
	row_unit_sum(au, &u, NULL);
	(void)sqlite3_finalize(q);
	return rc == SQLITE_DONE ? PAWL_OK : pawl__conn_fail(au->c, rc, au->err);
}

static enum pawl_status audit_money(struct audit *au)
{
	enum pawl_status st;

	st = audit_each(au, "SELECT coalesce(max(number), 0) FROM account", 0, row_tally_len);
	if (st != PAWL_OK)
		return st;
	au->tally = calloc((size_t)au->tally_len, sizeof(*au->tally));
	if (au->tally == NULL)
		return pawl__error_set(au->err, PAWL_E_NOMEM, "no memory for the audit");
	st = audit_units(au);
	if (st == PAWL_OK)
		st = audit_each(au, "SELECT number, from_account, to_account, amount FROM transfer",
		                0, row_transfer);
	if (st == PAWL_OK)
		st = audit_each(au,
		                "SELECT number, from_account, to_account, amount, captured,"
		                " expires_us, state FROM hold",
		                0, row_hold);
	if (st == PAWL_OK)
		st = audit_each(au,
		                "SELECT number, id, balance, held, floor, version, due_us"
		                " FROM account",
		                0, row_account);
	if (st == PAWL_OK)
		st = audit_each(
			au,
			"SELECT h.number, h.captured, coalesce(t.sum, 0) FROM hold h LEFT JOIN"
			" (SELECT hold, sum(amount) AS sum FROM transfer"
			"  WHERE hold IS NOT NULL GROUP BY hold) t ON t.hold = h.number"
			" WHERE h.captured <> coalesce(t.sum, 0)",
			0, row_capture);
	return st;
}

/* --- orders, revisions, counts --- */

static void row_order(struct audit *au, sqlite3_stmt *row)
{
	audit_drift(au, "order", "order %s: it has %lld holds, %lld are there",
	            id_format(sqlite3_column_int64(row, 0)).at,
	            (long long)sqlite3_column_int64(row, 1),
	            (long long)sqlite3_column_int64(row, 2));
}

static void row_future(struct audit *au, sqlite3_stmt *row)
{
	const struct str table = column_str(row, 0);
	const int64_t revision = sqlite3_column_int64(row, 1);

	if (revision > au->meta.revision)
		audit_drift(au, "revision",
		            "table %.*s has a row of revision %" PRId64
		            ", the latest commit is %" PRId64,
		            (int)table.len, table.ptr, revision, au->meta.revision);
}

static void row_count(struct audit *au, sqlite3_stmt *row)
{
	const struct str table = column_str(row, 0);
	const int64_t said = sqlite3_column_int64(row, 1), is = sqlite3_column_int64(row, 2);

	if (said != is)
		audit_drift(au, "count", "%.*s: meta says %" PRId64 " rows, there are %" PRId64,
		            (int)table.len, table.ptr, said, is);
	if (str_eq(table, STR("orders")))
		au->n.orders = is;
	else if (str_eq(table, STR("records")))
		au->n.records = is;
}

static const char sql_orders[] =
	"SELECT number, holds, (SELECT count(*) FROM hold h"
	" WHERE h.number BETWEEN o.number + 1 AND o.number + o.holds) AS there"
	" FROM order_ o WHERE holds > 0 AND holds <> there";

static const char sql_futures[] = "SELECT 'transfer', max(number) >> 10 FROM transfer"
				  " UNION ALL SELECT 'hold', max(number) >> 10 FROM hold"
				  " UNION ALL SELECT 'order_', max(number) >> 10 FROM order_"
				  " UNION ALL SELECT 'event', max(number) >> 10 FROM event"
				  " UNION ALL SELECT 'job', max(number) >> 10 FROM job"
				  " UNION ALL SELECT 'hold', max(version) FROM hold"
				  " UNION ALL SELECT 'order_', max(version) FROM order_"
				  " UNION ALL SELECT 'record', max(version) FROM record";

static const char sql_counts[] =
	"SELECT 'accounts', accounts, (SELECT count(*) FROM account) FROM meta"
	" UNION ALL SELECT 'holds_live', holds_live,"
	"  (SELECT count(*) FROM hold WHERE state = 0) FROM meta"
	" UNION ALL SELECT 'orders', orders, (SELECT count(*) FROM order_) FROM meta"
	" UNION ALL SELECT 'records', records, (SELECT count(*) FROM record) FROM meta"
	" UNION ALL SELECT 'events', events, (SELECT count(*) FROM event) FROM meta"
	" UNION ALL SELECT 'jobs', jobs, (SELECT count(*) FROM job) FROM meta";

/* --- answers --- */

/* The order of the keys differs from that of the answers, so what is compared is a sum over all. */
struct run_sum {
	int64_t len;
	uint64_t mix;
};

static void run_sum_add(struct run_sum *r, uint64_t hash, int64_t seq)
{
	const uint64_t v = (hash ^ ((uint64_t)seq * UINT64_C(0x9e3779b97f4a7c15))) *
	                   UINT64_C(0xd6e8feb86659fd93);

	r->len++;
	r->mix += v ^ (v >> 32);
}

/* sql is made of the run's number and what stands around it. */
static enum pawl_status run_prepare(struct audit *au, const char *before, int64_t run,
                                    const char *behind, sqlite3_stmt **ret)
{
	char sql[128];
	int rc;

	(void)snprintf(sql, sizeof(sql), "%s%" PRId64 "%s", before, run, behind);
	rc = sqlite3_prepare_v2(au->c->db, sql, -1, ret, NULL);
	return rc == SQLITE_OK ? PAWL_OK : pawl__conn_fail(au->c, rc, au->err);
}

/* Walk the answers of a run. *seq is the last answer of the runs before, and moves on. */
static enum pawl_status run_answers(struct audit *au, int64_t run, int64_t *seq,
                                    struct run_sum *ret)
{
	const int64_t before = *seq;
	int64_t first = 0, revision = 0;
	sqlite3_stmt *q;
	enum pawl_status st = run_prepare(au, "SELECT seq, caller, key, revision FROM answer_", run,
	                                  " ORDER BY seq", &q);
	int rc = SQLITE_DONE;

	while (st == PAWL_OK && (rc = sqlite3_step(q)) == SQLITE_ROW) {
		const struct str caller = column_str(q, 1), key = column_str(q, 2);

		*seq = sqlite3_column_int64(q, 0);
		first = first != 0 ? first : *seq;
		if (sqlite3_column_int64(q, 3) > revision)
			revision = sqlite3_column_int64(q, 3);
		if (caller.len <= PAWL_CALLER_MAX && key.len <= PAWL_KEY_MAX)
			run_sum_add(ret, pawl__answers_hash(au->answers, caller, key), *seq);
	}
	if (rc != SQLITE_DONE)
		st = pawl__conn_fail(au->c, rc, au->err);
	(void)sqlite3_finalize(q);
	au->n.answers += ret->len;
	if (first != 0 && first <= before)
		audit_drift(au, "answers", "run %" PRId64 " overlaps the one before", run);
	if (revision > au->meta.revision)
		audit_drift(au, "revision",
		            "run %" PRId64 " has an answer of revision %" PRId64
		            ", the latest commit is %" PRId64,
		            run, revision, au->meta.revision);
	return st;
}

/* Every key that the run has must pass its filter: one that does not would be executed twice. */
static enum pawl_status run_keys(struct audit *au, int64_t run, const struct filter *f,
                                 struct run_sum *ret)
{
	int64_t hidden = 0;
	sqlite3_stmt *q;
	enum pawl_status st = run_prepare(au, "SELECT hash, seq FROM answer_key_", run, "", &q);
	int rc = SQLITE_DONE;

	while (st == PAWL_OK && (rc = sqlite3_step(q)) == SQLITE_ROW) {
		const uint64_t hash = (uint64_t)sqlite3_column_int64(q, 0);

		run_sum_add(ret, hash, sqlite3_column_int64(q, 1));
		hidden += !pawl__filter_maybe(f, hash);
	}
	if (rc != SQLITE_DONE)
		st = pawl__conn_fail(au->c, rc, au->err);
	(void)sqlite3_finalize(q);
	if (hidden > 0)
		audit_drift(au, "answers", "run %" PRId64 ": its filter hides %" PRId64 " keys",
		            run, hidden);
	return st;
}

/* One that is finished: directory, answers, keys and filter must agree. */
static enum pawl_status run_agrees(struct audit *au, sqlite3_stmt *row,
                                   const struct run_sum *answers)
{
	const int64_t run = sqlite3_column_int64(row, 0), len = sqlite3_column_int64(row, 2);
	struct run_sum keys = { .len = 0 };
	struct filter f = { .block = NULL };
	enum pawl_status st;

	if (len != answers->len)
		audit_drift(au, "answers",
		            "run %" PRId64 " should have %" PRId64 " answers, it has %" PRId64, run,
		            len, answers->len);
	if (!pawl__filter_restore(&f, sqlite3_column_blob(row, 3),
	                          (size_t)sqlite3_column_bytes(row, 3)))
		audit_drift(au, "answers", "run %" PRId64 ": its filter cannot be read", run);
	st = run_keys(au, run, &f, &keys);
	pawl__filter_deinit(&f);
	if (st == PAWL_OK && (answers->len != keys.len || answers->mix != keys.mix))
		audit_drift(au, "answers",
		            "run %" PRId64 ": the %" PRId64 " keys are not those of the %" PRId64
		            " answers",
		            run, keys.len, answers->len);
	return st;
}

/* What the latest run ends with, and how many are open. */
struct runs_seen {
	int64_t seq;
	int open;
};

static enum pawl_status audit_run(struct audit *au, sqlite3_stmt *row, struct runs_seen *seen)
{
	const int64_t run = sqlite3_column_int64(row, 0);
	const int state = sqlite3_column_int(row, 1);
	struct run_sum answers = { .len = 0 };
	enum pawl_status st;

	seen->open += state == RUN_OPEN;
	if (sqlite3_column_int(row, 4) != (state == RUN_GOING ? 1 : 2)) {
		audit_drift(au, "answers",
		            "run %" PRId64 " does not have the tables that it should", run);
		return PAWL_OK;
	}
	st = run_answers(au, run, &seen->seq, &answers);
	return st == PAWL_OK && state == RUN_FINISHED ? run_agrees(au, row, &answers) : st;
}

static void row_left(struct audit *au, sqlite3_stmt *row)
{
	if (sqlite3_column_int64(row, 0) > 0)
		audit_drift(au, "answers", "%lld tables are left of runs that are gone",
		            (long long)sqlite3_column_int64(row, 0));
}

static const char sql_left[] =
	"SELECT count(*) FROM sqlite_schema WHERE type = 'table'"
	" AND (name GLOB 'answer_[0-9]*' OR name GLOB 'answer_key_*') AND name NOT IN"
	" (SELECT 'answer_' || run FROM answer_run UNION ALL"
	"  SELECT 'answer_key_' || run FROM answer_run WHERE state < 2)";

static const char sql_runs[] =
	"SELECT run, state, answers, filter, (SELECT count(*) FROM sqlite_schema"
	"  WHERE type = 'table' AND name IN ('answer_' || run, 'answer_key_' || run))"
	" FROM answer_run ORDER BY run";

static enum pawl_status audit_answers(struct audit *au)
{
	struct runs_seen seen = { .seq = 0 };
	enum pawl_status st = PAWL_OK;
	sqlite3_stmt *q;
	int rc = sqlite3_prepare_v2(au->c->db, sql_runs, -1, &q, NULL);

	if (rc != SQLITE_OK)
		return pawl__conn_fail(au->c, rc, au->err);
	while (st == PAWL_OK && (rc = sqlite3_step(q)) == SQLITE_ROW)
		st = audit_run(au, q, &seen);
	(void)sqlite3_finalize(q);
	if (st == PAWL_OK && rc != SQLITE_DONE)
		st = pawl__conn_fail(au->c, rc, au->err);
	if (st != PAWL_OK)
		return st;
	if (seen.seq > au->meta.answers_seq)
		audit_drift(au, "answers", "a run ends behind the latest answer");
	if (seen.open < 1 || seen.open > 2)
		audit_drift(au, "answers", "%d runs are open, not one or two", seen.open);
	if (au->n.answers != au->meta.answers)
		audit_drift(au, "count", "answers: meta says %" PRId64 " rows, there are %" PRId64,
		            au->meta.answers, au->n.answers);
	return PAWL_OK;
}

static enum pawl_status audit_all(struct audit *au)
{
	static const struct {
		const char *sql;
		audit_row_fn row;
	} queries[] = {
		{ "PRAGMA quick_check(10)", row_quick_check },
		{ sql_orders, row_order },
		{ sql_futures, row_future },
		{ sql_counts, row_count },
		{ sql_left, row_left },
	};
	enum pawl_status st = pawl__meta_get(au->c, &au->meta, au->err);

	for (size_t i = 0; i < ARRAY_LEN(queries) && st == PAWL_OK; i++)
		st = audit_each(au, queries[i].sql, 0, queries[i].row);
	if (st == PAWL_OK)
		st = audit_money(au);
	if (st == PAWL_OK)
		st = audit_answers(au);
	/* file, order, revision, count, transfer, hold, unit, unit-sum, balance, held, floor, due,
	 * capture, answers */
	au->n.checks = 14;
	return st;
}

enum pawl_status pawl__audit_run(struct conn *c, const struct answers *a, store_drift_fn drift,
                                 void *arg, struct store_audit *ret, struct pawl_error *err)
{
	struct audit au = { .c = c, .answers = a, .drift = drift, .arg = arg, .err = err };
	enum pawl_status st = pawl__conn_run(c, SQL_SNAPSHOT, err);

	if (st == PAWL_OK)
		st = audit_all(&au);
	pawl__conn_end(c, SQL_SNAPSHOT_END);
	free(au.tally);
	if (st == PAWL_OK)
		*ret = au.n;
	return st;
}
