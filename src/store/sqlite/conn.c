/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/conn.h"

#include <errno.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/error.h"

static const struct {
	enum conn_kind who;
	const char *text;
} sql_table[] = {
#define READ  CONN_READER
#define WRITE CONN_WRITER
#define X(name, who, text) { who, text },
	SQL_TABLE(X)
#undef X
#undef READ
#undef WRITE
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

enum pawl_status pawl__conn_open(struct conn *c, const char *path, const char *vfs,
                                 enum conn_kind kind, struct pawl_error *err)
{
	const int flags = SQLITE_OPEN_NOMUTEX |
	                  (kind == CONN_WRITER ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
	                                       : SQLITE_OPEN_READONLY);
	char cache[64];
	int rc;

	*c = (struct conn){ .db = NULL };
	rc = sqlite3_open_v2(path, &c->db, flags, vfs);
	if (rc != SQLITE_OK)
		return conn_open_fail(c, rc, err);
	(void)sqlite3_extended_result_codes(c->db, 1);
	(void)sqlite3_busy_timeout(c->db, CONN_BUSY_MS);
	(void)sqlite3_db_config(c->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, kind == CONN_READER, NULL);
	(void)snprintf(cache, sizeof(cache), "PRAGMA cache_size = -%d;", CONN_CACHE_KIB);
	rc = sqlite3_exec(c->db, cache, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(c->db, CONN_PRAGMAS, NULL, NULL, NULL);
	/* The first look into the file: is it a database at all? */
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(c->db, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL);
	return rc == SQLITE_OK ? PAWL_OK : conn_open_fail(c, rc, err);
}

enum pawl_status pawl__conn_prepare(struct conn *c, enum conn_kind kind, struct pawl_error *err)
{
	static_assert(ARRAY_LEN(sql_table) == SQL_STATEMENTS, "one row for each statement");

	for (int i = 0; i < SQL_STATEMENTS; i++) {
		int rc;

		if (kind == CONN_READER && sql_table[i].who == CONN_WRITER)
			continue;
		rc = sqlite3_prepare_v3(c->db, sql_table[i].text, -1, SQLITE_PREPARE_PERSISTENT,
		                        &c->stmt[i], NULL);
		if (rc != SQLITE_OK)
			return pawl__conn_fail(c, rc, err);
	}
	return PAWL_OK;
}

void pawl__conn_close(struct conn *c, bool checkpoint)
{
	if (c->db == NULL)
		return;
	for (int i = 0; i < SQL_STATEMENTS; i++)
		(void)sqlite3_finalize(c->stmt[i]);
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

enum pawl_status pawl__conn_run(struct conn *c, enum sql which, struct pawl_error *err)
{
	const int rc = sqlite3_step(c->stmt[which]);
	enum pawl_status st = PAWL_OK;

	INVARIANT(rc != SQLITE_ROW);
	if (rc != SQLITE_DONE)
		st = pawl__conn_fail(c, rc, err);
	(void)sqlite3_reset(c->stmt[which]);
	return st;
}

enum pawl_status pawl__conn_run_one(struct conn *c, enum sql which, struct pawl_error *err)
{
	const enum pawl_status st = pawl__conn_run(c, which, err);

	if (st == PAWL_OK && sqlite3_changes(c->db) != 1)
		return pawl__error_set(err, PAWL_E_CORRUPT, "a row has vanished or has changed");
	return st;
}

enum pawl_status pawl__conn_row(struct conn *c, enum sql which, bool *ret_row,
                                struct pawl_error *err)
{
	const int rc = sqlite3_step(c->stmt[which]);
	enum pawl_status st = PAWL_OK;

	*ret_row = rc == SQLITE_ROW;
	if (rc == SQLITE_ROW)
		return PAWL_OK;
	if (rc != SQLITE_DONE)
		st = pawl__conn_fail(c, rc, err);
	(void)sqlite3_reset(c->stmt[which]);
	return st;
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
