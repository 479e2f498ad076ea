/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite/conn - one connection with its statements, and the one way to run them.
 *
 * A statement is taken with conn_stmt, bound, stepped, and reset in the same function. Bound
 * strings are SQLITE_STATIC: they must live until that reset. The result of a bind is not looked
 * at: it fails only for a wrong index (a bug, found by the first test) or a string of more than
 * 10^9 bytes, and then binds NULL, which every text column refuses.
 * Threads: one at a time; connections are opened without SQLite's own mutex.
 */
#ifndef PAWL_STORE_SQLITE_CONN_H
#define PAWL_STORE_SQLITE_CONN_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/compiler.h"
#include "base/str.h"
#include "pawl/error.h"
#include "store/sqlite/sql.h"

#define CONN_CACHE_KIB 32768 /* of pages, a connection */
#define CONN_BUSY_MS   100   /* to wait for a lock that only a foreign program can hold */
#define CONN_RUNS      256   /* runs of answers whose look-ups stay prepared: about 8 KiB each */

/* The look-ups in the tables of one run; see pawl__conn_run_stmt. */
struct conn_run {
	int64_t run; /* 0 = none */
	sqlite3_stmt *stmt[RUN_SQL_STATEMENTS];
};

struct conn {
	sqlite3 *db;
	sqlite3_stmt *stmt[SQL_STATEMENTS]; /* NULL where it is the writer's alone */
	sqlite3_stmt *bulk[BULK_TABLES][2]; /* the writer's: of one row, of BULK_ROWS */
	int64_t bulk_run[BULK_TABLES];   /* the run whose table it is; 0 = of none, or not made */
	struct conn_run runs[CONN_RUNS]; /* by run modulo CONN_RUNS */
};

enum conn_kind {
	CONN_WRITER,
	CONN_READER,
	CONN_STILL /* a reader of a file that nobody has open: it makes no files for a WAL */
};

/* Opens and sets the pragmas; prepares nothing: the schema may have to be made first. vfs NULL =
 * the default. On failure the conn is closed. */
PAWL_MUST_CHECK enum pawl_status pawl__conn_open(struct conn *c, const char *path, const char *vfs,
                                                 enum conn_kind kind, struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status pawl__conn_prepare(struct conn *c, enum conn_kind kind,
                                                    struct pawl_error *err);
/* Have the bulk statements of a run's table ready: for the next run they are made anew. */
PAWL_MUST_CHECK enum pawl_status pawl__conn_bulk_run(struct conn *c, enum bulk_table table,
                                                     int64_t run, struct pawl_error *err);
/* checkpoint false: leave the WAL as it is, also when this is the last connection. */
void pawl__conn_close(struct conn *c, bool checkpoint);

/* The status of a SQLite result, with its text; keeps the extended code. rc is an error. */
enum pawl_status pawl__conn_fail(const struct conn *c, int rc, struct pawl_error *err);

/* Several statements without parameters or rows. */
PAWL_MUST_CHECK enum pawl_status pawl__conn_exec(struct conn *c, const char *sql,
                                                 struct pawl_error *err);

/* Step a statement that returns no row, and reset it. */
PAWL_MUST_CHECK enum pawl_status pawl__conn_step(struct conn *c, sqlite3_stmt *q,
                                                 struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status pawl__conn_run(struct conn *c, enum sql which,
                                                struct pawl_error *err);

/* Step a statement that changes exactly one row: any other number is PAWL_E_CORRUPT. */
PAWL_MUST_CHECK enum pawl_status pawl__conn_run_one(struct conn *c, enum sql which,
                                                    struct pawl_error *err);

/* Step a statement for its next row. *ret_row false: no more, and it is reset. */
PAWL_MUST_CHECK enum pawl_status pawl__conn_row(struct conn *c, enum sql which, bool *ret_row,
                                                struct pawl_error *err);

/* A look-up in a run, prepared when it is first asked for and kept until another run needs its
 * place. *ret NULL: the run is gone, see below. */
PAWL_MUST_CHECK enum pawl_status pawl__conn_run_stmt(struct conn *c, int64_t run,
                                                     enum run_sql which, sqlite3_stmt **ret,
                                                     struct pawl_error *err);
/* As pawl__conn_row. No row either when the run is gone: dropped between the moment in which it was
 * found to be worth a look and the snapshot. What was in it has expired by that snapshot. */
PAWL_MUST_CHECK enum pawl_status pawl__conn_run_row(struct conn *c, int64_t run, sqlite3_stmt *q,
                                                    bool *ret_row, struct pawl_error *err);

/* The integer in the first column of the only row of a statement, and reset it. */
PAWL_MUST_CHECK enum pawl_status pawl__conn_number(struct conn *c, enum sql which, int64_t *ret,
                                                   struct pawl_error *err);

/* End the transaction that may be open. If that fails (SQLite may have ended it by itself, after a
 * fault) it is gone as well: nothing follows from it. */
void pawl__conn_end(struct conn *c, enum sql how);

static inline sqlite3_stmt *conn_stmt(const struct conn *c, enum sql which)
{
	return c->stmt[which];
}

static inline void conn_reset(struct conn *c, enum sql which)
{
	(void)sqlite3_reset(c->stmt[which]);
}

static inline void bind_i64(sqlite3_stmt *st, int i, int64_t v)
{
	(void)sqlite3_bind_int64(st, i, v);
}

static inline void bind_str(sqlite3_stmt *st, int i, struct str s)
{
	/* A NULL pointer would bind NULL. */
	(void)sqlite3_bind_text64(st, i, s.len == 0 ? "" : s.ptr, s.len, SQLITE_STATIC,
	                          SQLITE_UTF8);
}

static inline void bind_blob(sqlite3_stmt *st, int i, const void *p, size_t len)
{
	(void)sqlite3_bind_blob64(st, i, p, len, SQLITE_STATIC);
}

/* Valid until the next step or reset of st. */
static inline struct str column_str(sqlite3_stmt *st, int i)
{
	const void *p = sqlite3_column_blob(st, i);

	return (struct str){ p, (size_t)sqlite3_column_bytes(st, i) };
}

#endif /* PAWL_STORE_SQLITE_CONN_H */
