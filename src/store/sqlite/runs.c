/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/runs.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/error.h"

#define RUN_SQL_MAX  2048
#define VIEW_SQL_MAX 32768

/* clang-format off */
/* Texts with the run's number between them. */
static const char *const sql_create[] = {
	"CREATE TABLE answer_", " ("
	"  seq INTEGER PRIMARY KEY CHECK (seq > 0),"
	"  caller TEXT NOT NULL,"
	"  key TEXT NOT NULL CHECK (key <> ''),"
	"  fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),"
	"  code INTEGER NOT NULL CHECK (code <= 0)," /* 0: committed; else why it was refused */
	"  http INTEGER NOT NULL CHECK (http BETWEEN 100 AND 599),"
	"  revision INTEGER NOT NULL CHECK (revision >= 0),"
	"  etag INTEGER NOT NULL,"
	"  at_us INTEGER NOT NULL,"
	"  location TEXT NOT NULL,"
	"  body TEXT NOT NULL"
	") STRICT;"
	"CREATE TABLE answer_key_", " ("
	"  hash INTEGER NOT NULL, seq INTEGER NOT NULL,"
	"  PRIMARY KEY (hash, seq)"
	") STRICT, WITHOUT ROWID;"
	"INSERT INTO answer_run (run, state, answers, max_at_us, filter) VALUES (", ", 0, 0, 0, x'');",
};

static const char *const sql_drop_keys[] = {
	"DROP TABLE answer_key_",
	"; UPDATE answer_run SET state = 2, filter = x'' WHERE run = ",
	";",
};

static const char *const sql_drop_answers[] = {
	"DROP TABLE answer_",
	"; DELETE FROM answer_run WHERE run = ",
	";",
};
/* clang-format on */

static enum pawl_status run_exec(struct conn *c, const char *const text[], size_t texts,
                                 int64_t run, struct pawl_error *err)
{
	char sql[RUN_SQL_MAX];
	struct buf b;

	PRE(run > 0);
	pawl__buf_init_fixed(&b, sql, sizeof(sql));
	for (size_t i = 0; i < texts; i++) {
		if (i > 0)
			pawl__buf_i64(&b, run);
		buf_str(&b, pawl__str_of(text[i]));
	}
	pawl__buf_putc(&b, '\0');
	INVARIANT(!b.overflow);
	return pawl__conn_exec(c, sql, err);
}

static enum pawl_status view_runs(struct conn *c, struct buf *b, struct pawl_error *err)
{
	sqlite3_stmt *q;
	int rc = sqlite3_prepare_v2(c->db,
	                            "SELECT run FROM answer_run WHERE state < 2"
	                            " ORDER BY run DESC LIMIT ?1",
	                            -1, &q, NULL);

	if (rc != SQLITE_OK)
		return pawl__conn_fail(c, rc, err);
	bind_i64(q, 1, RUNS_VIEW_MAX);
	for (bool first = true; (rc = sqlite3_step(q)) == SQLITE_ROW; first = false) {
		if (!first)
			buf_lit(b, " UNION ALL ");
		buf_lit(b, "SELECT seq, caller, key, code, http, revision, at_us, location, body"
		           " FROM answer_");
		pawl__buf_i64(b, sqlite3_column_int64(q, 0));
	}
	(void)sqlite3_finalize(q);
	return rc == SQLITE_DONE ? PAWL_OK : pawl__conn_fail(c, rc, err);
}

/* Invariant (2). There is always an active run, so there is always a table to name. */
static enum pawl_status view_write(struct conn *c, struct pawl_error *err)
{
	struct buf b;
	enum pawl_status st;

	pawl__buf_init(&b, VIEW_SQL_MAX);
	buf_lit(&b, "DROP VIEW IF EXISTS answers; CREATE VIEW answers AS SELECT seq, caller, key,"
	            " CASE WHEN code = 0 THEN 'committed' ELSE 'refused' END AS state, http,"
	            " revision, " SQL_TIME("at_us") " AS at, location, body FROM (");
	st = view_runs(c, &b, err);
	buf_lit(&b, ");");
	pawl__buf_putc(&b, '\0');
	if (st == PAWL_OK && b.overflow) /* it fits: the heap has refused */
		st = pawl__error_set(err, PAWL_E_NOMEM, "no memory for the view of answers");
	if (st == PAWL_OK)
		st = pawl__conn_exec(c, b.data, err);
	pawl__buf_deinit(&b);
	return st;
}

enum pawl_status pawl__run_create(struct conn *c, int64_t run, struct pawl_error *err)
{
	const enum pawl_status st = run_exec(c, sql_create, ARRAY_LEN(sql_create), run, err);

	return st == PAWL_OK ? view_write(c, err) : st;
}

enum pawl_status pawl__run_drop_keys(struct conn *c, int64_t run, struct pawl_error *err)
{
	const enum pawl_status st = run_exec(c, sql_drop_keys, ARRAY_LEN(sql_drop_keys), run, err);

	/* It has expired: what the view shows ends here, so that the answers can go alone. */
	return st == PAWL_OK ? view_write(c, err) : st;
}

enum pawl_status pawl__run_drop_answers(struct conn *c, int64_t run, struct pawl_error *err)
{
	return run_exec(c, sql_drop_answers, ARRAY_LEN(sql_drop_answers), run, err);
}
