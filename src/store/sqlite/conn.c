/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/conn.h"

#include <limits.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/error.h"

static const struct {
	enum conn_kind who;
	const char *text;
} sql_table[] = {
#define READ               CONN_READER
#define WRITE              CONN_WRITER
#define X(name, who, text) { who, text },
	SQL_TABLE(X)
#undef X
#undef READ
#undef WRITE
};

static const char *const run_sql_table[][2] = {
#define X(name, before, behind) { before, behind },
	RUN_SQL_TABLE(X)
#undef X
};

/* What a result code means to the caller: may he try again, and when not, why. */
static enum pawl_status conn_status(int rc)
{
	switch (rc) {
	case SQLITE_IOERR_FSYNC:
	case SQLITE_IOERR_DIR_FSYNC:
		return PAWL_E_IO;
	case SQLITE_IOERR_CORRUPTFS:
		return PAWL_E_CORRUPT;
	case SQLITE_IOERR_NOMEM:
		return PAWL_E_NOMEM;
	default:
		break;
	}
	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return PAWL_E_BUSY;
	case SQLITE_NOMEM:
		return PAWL_E_NOMEM;
	case SQLITE_FULL:
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_INTERRUPT:
	case SQLITE_PROTOCOL:
	case SQLITE_SCHEMA:
		return PAWL_E_STORE_UNAVAILABLE;
	default:
		/* CORRUPT, NOTADB, CONSTRAINT, MISMATCH, a sum that overflows, a missing table. */
		return PAWL_E_CORRUPT;
	}
}

enum pawl_status pawl__conn_fail(const struct conn *c, int rc, struct pawl_error *err)
{
	PRE(rc != SQLITE_OK && rc != SQLITE_ROW && rc != SQLITE_DONE);
	INVARIANT((rc & 0xff) != SQLITE_MISUSE && (rc & 0xff) != SQLITE_RANGE);
	/* SQLite's texts name tables, columns and constraints, never what is in them. */
	return pawl__error_native(err, conn_status(rc), rc, "SQLite: %s (%d)",
	                          c->db != NULL ? sqlite3_errmsg(c->db) : sqlite3_errstr(rc), rc);
}

static enum pawl_status conn_open_fail(struct conn *c, int rc, struct pawl_error *err)
{
	const int sys = c->db != NULL ? sqlite3_system_errno(c->db) : 0;
	enum pawl_status st = pawl__conn_fail(c, rc, err);

	/* At the door these are not passing: somebody has to do something about it. */
	if ((rc & 0xff) == SQLITE_CANTOPEN || (rc & 0xff) == SQLITE_READONLY ||
	    (rc & 0xff) == SQLITE_PERM || (rc & 0xff) == SQLITE_IOERR)
		st = pawl__error_native(err, PAWL_E_IO, sys, "cannot open the store: %s",
		                        sys != 0 ? strerrordesc_np(sys) : sqlite3_errstr(rc));
	if ((rc & 0xff) == SQLITE_NOTADB)
		st = pawl__error_native(err, PAWL_E_CORRUPT, rc,
		                        "cannot open the store: the file is not a database");
	pawl__conn_close(c, false);
	return st;
}

/* Debian's SQLite is built with secure_delete, which would write every freed page. */
#define CONN_PRAGMAS                                                                               \
	"PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0; PRAGMA trusted_schema = OFF;"           \
	"PRAGMA secure_delete = OFF; PRAGMA synchronous = FULL;"

/* The path as a URI that says that the file does not change. */
static void still_uri(char *ret, size_t size, const char *path)
{
	size_t len = (size_t)snprintf(ret, size, "file:");

	for (; *path != '\0'; path++)
		len += (size_t)snprintf(ret + len, size - len,
		                        strchr("%?#", *path) != NULL ? "%%%02X" : "%c",
		                        (unsigned)*path);
	(void)snprintf(ret + len, size - len, "?immutable=1");
}

enum pawl_status pawl__conn_open(struct conn *c, const char *path, const char *vfs,
                                 enum conn_kind kind, struct pawl_error *err)
{
	const int flags = SQLITE_OPEN_NOMUTEX |
	                  (kind == CONN_WRITER ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
	                                       : SQLITE_OPEN_READONLY);
	char uri[3 * PATH_MAX + sizeof("file:?immutable=1")];
	char cache[64];
	int rc;

	PRE(strlen(path) < PATH_MAX);
	*c = (struct conn){ .db = NULL };
	still_uri(uri, sizeof(uri), path);
	rc = kind == CONN_STILL ? sqlite3_open_v2(uri, &c->db, flags | SQLITE_OPEN_URI, vfs)
	                        : sqlite3_open_v2(path, &c->db, flags, vfs);
	if (rc != SQLITE_OK)
		return conn_open_fail(c, rc, err);
	(void)sqlite3_extended_result_codes(c->db, 1);
	(void)sqlite3_busy_timeout(c->db, CONN_BUSY_MS);
	(void)sqlite3_db_config(c->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, kind != CONN_WRITER, NULL);
	(void)snprintf(cache, sizeof(cache), "PRAGMA cache_size = -%d;", CONN_CACHE_KIB);
	rc = sqlite3_exec(c->db, cache, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(c->db, CONN_PRAGMAS, NULL, NULL, NULL);
	/* The first look into the file: is it a database at all? */
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(c->db, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL);
	return rc == SQLITE_OK ? PAWL_OK : conn_open_fail(c, rc, err);
}

static enum pawl_status conn_prepare_one(struct conn *c, const char *sql, sqlite3_stmt **ret,
                                         struct pawl_error *err)
{
	const int rc = sqlite3_prepare_v3(c->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);

	return rc == SQLITE_OK ? PAWL_OK : pawl__conn_fail(c, rc, err);
}

static const struct {
	const char *verb, *table, *names;
	int columns;
} bulk_tables[] = {
#define X(name, verb, table, columns, names) { verb, table, names, columns },
	BULK_TABLE(X)
#undef X
};

static bool bulk_of_run(enum bulk_table table)
{
	return table == BULK_ANSWER || table == BULK_KEY;
}

/* VERB INTO table (names) VALUES (?, ..), .. */
static enum pawl_status conn_prepare_bulk(struct conn *c, enum bulk_table table, bool many,
                                          struct pawl_error *err)
{
	const uint32_t rows = many ? BULK_ROWS : 1;
	char sql[1024];
	struct buf b;

	pawl__buf_init_fixed(&b, sql, sizeof(sql));
	buf_str(&b, pawl__str_of(bulk_tables[table].verb));
	buf_lit(&b, " INTO ");
	buf_str(&b, pawl__str_of(bulk_tables[table].table));
	if (bulk_of_run(table))
		pawl__buf_i64(&b, c->bulk_run[table]);
	buf_lit(&b, " (");
	buf_str(&b, pawl__str_of(bulk_tables[table].names));
	buf_lit(&b, ") VALUES ");
	for (uint32_t row = 0; row < rows; row++) {
		for (int i = 0; i < bulk_tables[table].columns; i++)
			buf_str(&b, i > 0 ? STR(",?") : row > 0 ? STR(",(?") : STR("(?"));
		pawl__buf_putc(&b, ')');
	}
	pawl__buf_putc(&b, '\0');
	INVARIANT(!b.overflow);
	return conn_prepare_one(c, sql, &c->bulk[table][many], err);
}

static void bulk_finalize(struct conn *c, enum bulk_table table)
{
	for (int many = 0; many < 2; many++) {
		(void)sqlite3_finalize(c->bulk[table][many]);
		c->bulk[table][many] = NULL;
	}
	c->bulk_run[table] = 0;
}

static enum pawl_status conn_bulk(struct conn *c, enum bulk_table table, int64_t run,
                                  struct pawl_error *err)
{
	enum pawl_status st;

	bulk_finalize(c, table);
	c->bulk_run[table] = run;
	st = conn_prepare_bulk(c, table, false, err);
	if (st == PAWL_OK)
		st = conn_prepare_bulk(c, table, true, err);
	if (st != PAWL_OK)
		bulk_finalize(c, table);
	return st;
}

enum pawl_status pawl__conn_bulk_run(struct conn *c, enum bulk_table table, int64_t run,
                                     struct pawl_error *err)
{
	PRE(run > 0 && bulk_of_run(table));
	return c->bulk_run[table] == run ? PAWL_OK : conn_bulk(c, table, run, err);
}

enum pawl_status pawl__conn_prepare(struct conn *c, enum conn_kind kind, struct pawl_error *err)
{
	enum pawl_status st = PAWL_OK;

	static_assert(ARRAY_LEN(sql_table) == SQL_STATEMENTS, "one row for each statement");
	for (int i = 0; i < SQL_STATEMENTS && st == PAWL_OK; i++) {
		if (kind == CONN_WRITER || sql_table[i].who == CONN_READER)
			st = conn_prepare_one(c, sql_table[i].text, &c->stmt[i], err);
	}
	for (int i = 0; kind == CONN_WRITER && i < BULK_TABLES && st == PAWL_OK; i++) {
		if (!bulk_of_run((enum bulk_table)i))
			st = conn_bulk(c, (enum bulk_table)i, 0, err);
	}
	return st;
}

static void run_finalize(struct conn_run *r)
{
	for (int i = 0; i < RUN_SQL_STATEMENTS; i++)
		(void)sqlite3_finalize(r->stmt[i]);
	*r = (struct conn_run){ .run = 0 };
}

void pawl__conn_close(struct conn *c, bool checkpoint)
{
	if (c->db == NULL)
		return;
	for (int i = 0; i < SQL_STATEMENTS; i++)
		(void)sqlite3_finalize(c->stmt[i]);
	for (int i = 0; i < BULK_TABLES; i++)
		bulk_finalize(c, (enum bulk_table)i);
	for (int i = 0; i < CONN_RUNS; i++)
		run_finalize(&c->runs[i]);
	if (!checkpoint)
		(void)sqlite3_db_config(c->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	INVARIANT(sqlite3_close(c->db) == SQLITE_OK); /* else a statement has leaked */
	*c = (struct conn){ .db = NULL };
}

enum pawl_status pawl__conn_exec(struct conn *c, const char *sql, struct pawl_error *err)
{
	const int rc = sqlite3_exec(c->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? PAWL_OK : pawl__conn_fail(c, rc, err);
}

enum pawl_status pawl__conn_step(struct conn *c, sqlite3_stmt *q, struct pawl_error *err)
{
	const int rc = sqlite3_step(q);
	enum pawl_status st = PAWL_OK;

	INVARIANT(rc != SQLITE_ROW);
	if (rc != SQLITE_DONE)
		st = pawl__conn_fail(c, rc, err);
	(void)sqlite3_reset(q);
	return st;
}

enum pawl_status pawl__conn_run(struct conn *c, enum sql which, struct pawl_error *err)
{
	return pawl__conn_step(c, c->stmt[which], err);
}

enum pawl_status pawl__conn_run_one(struct conn *c, enum sql which, struct pawl_error *err)
{
	const enum pawl_status st = pawl__conn_run(c, which, err);

	if (st == PAWL_OK && sqlite3_changes(c->db) != 1)
		return pawl__error_set(err, PAWL_E_CORRUPT, "a row has vanished or has changed");
	return st;
}

static enum pawl_status conn_fetch(struct conn *c, sqlite3_stmt *q, bool *ret_row,
                                   struct pawl_error *err)
{
	const int rc = sqlite3_step(q);
	enum pawl_status st = PAWL_OK;

	*ret_row = rc == SQLITE_ROW;
	if (rc == SQLITE_ROW)
		return PAWL_OK;
	if (rc != SQLITE_DONE)
		st = pawl__conn_fail(c, rc, err);
	(void)sqlite3_reset(q);
	return st;
}

enum pawl_status pawl__conn_row(struct conn *c, enum sql which, bool *ret_row,
                                struct pawl_error *err)
{
	return conn_fetch(c, c->stmt[which], ret_row, err);
}

/* A statement on a run's table has failed, with its text in err. If the directory no longer has the
 * run, that is why, and it is no failure. */
static enum pawl_status run_failed(struct conn *c, int64_t run, enum pawl_status st,
                                   struct pawl_error *err)
{
	struct pawl_error other;
	int64_t lives = 1;

	if ((sqlite3_errcode(c->db) & 0xff) != SQLITE_ERROR) /* "no such table" */
		return st;
	bind_i64(conn_stmt(c, SQL_RUN_LIVES), 1, run);
	if (pawl__conn_number(c, SQL_RUN_LIVES, &lives, &other) != PAWL_OK || lives > 0)
		return st;
	if (err != NULL)
		*err = (struct pawl_error){ .status = PAWL_OK };
	return PAWL_OK;
}

enum pawl_status pawl__conn_run_stmt(struct conn *c, int64_t run, enum run_sql which,
                                     sqlite3_stmt **ret, struct pawl_error *err)
{
	struct conn_run *r = &c->runs[run % CONN_RUNS];
	enum pawl_status st = PAWL_OK;
	char sql[256];

	PRE(run > 0);
	if (r->run != run)
		run_finalize(r);
	r->run = run;
	if (r->stmt[which] == NULL) {
		const int len = snprintf(sql, sizeof(sql), "%s%lld%s", run_sql_table[which][0],
		                         (long long)run, run_sql_table[which][1]);

		INVARIANT(len > 0 && (size_t)len < sizeof(sql));
		st = conn_prepare_one(c, sql, &r->stmt[which], err);
		if (st != PAWL_OK)
			st = run_failed(c, run, st, err);
	}
	*ret = r->stmt[which];
	return st;
}

enum pawl_status pawl__conn_run_row(struct conn *c, int64_t run, sqlite3_stmt *q, bool *ret_row,
                                    struct pawl_error *err)
{
	const enum pawl_status st = conn_fetch(c, q, ret_row, err);

	return st == PAWL_OK ? st : run_failed(c, run, st, err);
}

enum pawl_status pawl__conn_number(struct conn *c, enum sql which, int64_t *ret,
                                   struct pawl_error *err)
{
	bool row;
	enum pawl_status st = pawl__conn_row(c, which, &row, err);

	if (st != PAWL_OK)
		return st;
	INVARIANT(row);
	*ret = sqlite3_column_int64(c->stmt[which], 0);
	(void)sqlite3_reset(c->stmt[which]);
	return PAWL_OK;
}

void pawl__conn_end(struct conn *c, enum sql how)
{
	if (sqlite3_get_autocommit(c->db) != 0)
		return;
	(void)sqlite3_step(c->stmt[how]);
	(void)sqlite3_reset(c->stmt[how]);
}
