/* SPDX-License-Identifier: Apache-2.0 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/num.h"
#include "race/builtin/session.h"

#define WAIT_LEAST_US 200
#define WAIT_MOST_US  5000
#define NAMES_MAX     64
#define TEXT_MAX      ((size_t)256 << 10)
#define MARK          "pawl_race_mark"

struct session {
	sqlite3 *db;
	sqlite3_stmt *stmt;
	struct buf cells; /* what the last reply points into */
	int64_t busy_since_us;
	bool explores;
};

static void lite_close(struct session *s)
{
	if (s == NULL)
		return;
	pawl__buf_deinit(&s->cells);
	(void)sqlite3_close(s->db);
	free(s);
}

/* Those who wait are many and the writes are short: SQLite's own handler soon sleeps 100 ms. */
static int lite_busy(void *data, int times)
{
	struct session *s = data;
	const int64_t now = pawl__clock_mono_us();
	int64_t us = (int64_t)WAIT_LEAST_US << (times < 5 ? times : 5);
	struct timespec t;

	if (s->explores)
		return 0;
	if (times == 0)
		s->busy_since_us = now;
	if (now - s->busy_since_us > SESSION_TIMEOUT_US)
		return 0;
	us = us < WAIT_MOST_US ? us : WAIT_MOST_US;
	t = (struct timespec){ .tv_nsec = (long)us * 1000 };
	(void)nanosleep(&t, NULL);
	return 1;
}

static enum pawl_status lite_open(const char *url, struct session **ret, struct pawl_error *err)
{
	struct session *s = calloc(1, sizeof(*s));
	int rc;

	if (s == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for a session");
	pawl__buf_init(&s->cells, TEXT_MAX);
	rc = sqlite3_open_v2(url + strlen("sqlite:"), &s->db,
	                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX,
	                     NULL);
	if (rc == SQLITE_OK) {
		(void)sqlite3_busy_handler(s->db, lite_busy, s);
		rc = sqlite3_exec(s->db, "PRAGMA journal_mode=WAL", NULL, NULL, NULL);
	}
	if (rc != SQLITE_OK) {
		(void)pawl__error_native(err, PAWL_E_IO, rc, "the SQLite file cannot be opened: %s",
		                         s->db == NULL ? "no memory" : sqlite3_errmsg(s->db));
		lite_close(s);
		return PAWL_E_IO;
	}
	*ret = s;
	return PAWL_OK;
}

static void lite_fail(struct session *s, int rc, struct reply *ret)
{
	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		pawl__reply_fail(ret, REPLY_TRANSIENT, "database is locked");
		return;
	case SQLITE_CONSTRAINT:
		pawl__reply_fail(ret, REPLY_DUPLICATE, "a constraint failed");
		return;
	default:
		pawl__reply_fail(ret, REPLY_ERROR, sqlite3_errmsg(s->db));
	}
}

/* Copies, so that the read is over when exec returns: an open one holds its snapshot. */
static int lite_rows(struct session *s, struct reply *ret)
{
	size_t at[REPLY_CELLS_MAX + 1] = { 0 };
	int rc;

	pawl__buf_reset(&s->cells);
	while ((rc = sqlite3_step(s->stmt)) == SQLITE_ROW) {
		const int columns = sqlite3_column_count(s->stmt);

		ret->rows++;
		for (int i = 0; i < columns && ret->cells_len < REPLY_CELLS_MAX; i++) {
			const void *text = sqlite3_column_text(s->stmt, i);

			pawl__buf_put(&s->cells, text, (size_t)sqlite3_column_bytes(s->stmt, i));
			at[++ret->cells_len] = s->cells.len;
		}
	}
	for (size_t i = 0; i < ret->cells_len; i++)
		ret->cells[i] = (struct str){ s->cells.data == NULL ? "" : s->cells.data + at[i],
			                      at[i + 1] - at[i] };
	return s->cells.overflow ? SQLITE_TOOBIG : rc;
}

static void lite_exec(struct session *s, struct str text, const char *pick, struct reply *ret)
{
	sqlite3_stmt *stmt;
	int rc;

	(void)pick;
	reply_init(ret, REPLY_OK);
	rc = sqlite3_prepare_v2(s->db, text.ptr, (int)text.len, &s->stmt, NULL);
	stmt = s->stmt;
	if (rc == SQLITE_OK)
		rc = lite_rows(s, ret);
	if (rc != SQLITE_DONE)
		lite_fail(s, rc, ret);
	else if (sqlite3_column_count(stmt) == 0)
		ret->rows = sqlite3_changes64(s->db);
	(void)sqlite3_finalize(stmt);
}

static int64_t lite_number(struct session *s, struct str sql)
{
	struct reply r;
	int64_t v = -1;

	lite_exec(s, sql, NULL, &r);
	if (r.class != REPLY_OK || r.cells_len == 0 || !pawl__num_parse_i64(r.cells[0], &v))
		return -1;
	return v;
}

#define OURS "name GLOB 'pawl_race_*'"

static void lite_clean(struct session *s)
{
	char sql[192];
	struct reply r;

	for (int i = 0; i < NAMES_MAX; i++) {
		lite_exec(s,
		          STR("SELECT type, name FROM sqlite_master WHERE type IN ('table', "
		              "'view') AND " OURS " ORDER BY name = '" MARK "', name LIMIT 1"),
		          NULL, &r);
		if (r.class != REPLY_OK || r.cells_len < 2)
			return;
		(void)snprintf(sql, sizeof(sql), "DROP %.*s \"%.*s\"", (int)r.cells[0].len,
		               r.cells[0].ptr, (int)r.cells[1].len, r.cells[1].ptr);
		lite_exec(s, pawl__str_of(sql), NULL, &r);
		if (r.class != REPLY_OK)
			return;
	}
}

static enum pawl_status lite_prepare(struct session *s, struct pawl_error *err)
{
	const int64_t ours = lite_number(s, STR("SELECT COUNT(*) FROM sqlite_master WHERE " OURS));
	const int64_t marks =
		lite_number(s, STR("SELECT COUNT(*) FROM sqlite_master WHERE name = '" MARK "'"));
	struct reply r;

	if (ours > 0 && marks == 0)
		return pawl__error_set(err, PAWL_E_CONFIG,
		                       "the file has tables pawl_race_* that are not of a race: "
		                       "take another file, or rename them");
	lite_clean(s);
	lite_exec(s, STR("CREATE TABLE " MARK " (note TEXT)"), NULL, &r);
	return r.class == REPLY_OK ? PAWL_OK
	                           : pawl__error_set(err, PAWL_E_IO, "SQLite: %s", r.text);
}

static void lite_describe(struct session *s, struct buf *out)
{
	(void)s;
	buf_lit(out, "SQLite ");
	buf_str(out, pawl__str_of(sqlite3_libversion()));
	buf_lit(out, ", WAL, synchronous=FULL");
}

static uint32_t lite_room(struct session *s)
{
	(void)s;
	return UINT32_MAX;
}

static void lite_explore(struct session *s)
{
	s->explores = true;
	(void)sqlite3_exec(s->db, "PRAGMA synchronous=OFF", NULL, NULL, NULL);
}

/* SQLite's waiting is asking again. It would wait for the writer unless this session holds a read
 * that the writer makes old: then it is refused at once. */
static enum session_state lite_attempt(struct session *s, struct session *control, struct str text,
                                       bool begun, struct reply *ret)
{
	const bool outside = sqlite3_get_autocommit(s->db) != 0;

	(void)control;
	(void)begun;
	lite_exec(s, text, NULL, ret);
	return outside && ret->class == REPLY_TRANSIENT ? SESSION_WAITS : SESSION_ANSWERED;
}

const struct store_ops pawl__store_sqlite = {
	.kind = STORE_SQLITE,
	.prefix = "pawl_race_",
	.open = lite_open,
	.close = lite_close,
	.exec = lite_exec,
	.prepare = lite_prepare,
	.clean = lite_clean,
	.describe = lite_describe,
	.room = lite_room,
	.explore = lite_explore,
	.attempt = lite_attempt,
};
