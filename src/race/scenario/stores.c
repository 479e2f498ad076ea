/* SPDX-License-Identifier: Apache-2.0 */
#include "race/scenario/stores.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <libpq-fe.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/num.h"
#include "race/scenario/pointer.h"
#include "race/scenario/template.h"

#define URL_LEN_MAX    2048
#define CONNECT_S      10
#define TICKS_OF_CHECK 1000 /* SQLite's steps between two looks at the clock */

struct connection {
	char *url; /* owned */
	sqlite3 *lite;
	PGconn *pg;
	redisContext *redis;
};

struct stores {
	struct connection at[STORES_MAX];
	size_t len;
	int64_t deadline_us; /* of the statement that runs */
};

struct stores *pawl__stores_new(void)
{
	return calloc(1, sizeof(struct stores));
}

static void connection_close(struct connection *c)
{
	(void)sqlite3_close(c->lite);
	PQfinish(c->pg);
	if (c->redis != NULL)
		redisFree(c->redis);
	free(c->url);
	*c = (struct connection){ .url = NULL };
}

void pawl__stores_free(struct stores *s)
{
	for (size_t i = 0; s != NULL && i < s->len; i++)
		connection_close(&s->at[i]);
	free(s);
}

static enum pawl_status over(struct pawl_error *err)
{
	return pawl__error_set(err, PAWL_E_TOO_LARGE, "the answer is over %zu bytes or %d rows",
	                       STORES_BYTES_MAX, STORES_ROWS_MAX);
}

static void put_text(struct buf *out, struct str s)
{
	buf_lit(out, "\"");
	pawl__json_escape(out, s);
	buf_lit(out, "\"");
}

/* ---- SQLite ---- */

static int lite_tick(void *data)
{
	const struct stores *s = data;

	return pawl__clock_mono_us() > s->deadline_us;
}

static enum pawl_status lite_open(struct stores *s, struct connection *c, struct pawl_error *err)
{
	const char *path = c->url + strlen("sqlite:");

	if (sqlite3_open_v2(path, &c->lite, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
		return pawl__error_set(err, PAWL_E_IO, "the SQLite file cannot be opened: %s",
		                       sqlite3_errmsg(c->lite));
	sqlite3_progress_handler(c->lite, TICKS_OF_CHECK, lite_tick, s);
	return PAWL_OK;
}

static void lite_cell(sqlite3_stmt *stmt, int i, struct buf *out)
{
	switch (sqlite3_column_type(stmt, i)) {
	case SQLITE_INTEGER:
		pawl__buf_i64(out, sqlite3_column_int64(stmt, i));
		return;
	case SQLITE_NULL:
		buf_lit(out, "null");
		return;
	default:
		break;
	}
	{
		const bool real = sqlite3_column_type(stmt, i) == SQLITE_FLOAT;
		const char *text = (const char *)sqlite3_column_text(stmt, i);
		const struct str value = { text == NULL ? "" : text,
			                   (size_t)sqlite3_column_bytes(stmt, i) };

		if (real && pawl__pointer_number(value))
			buf_str(out, value);
		else
			put_text(out, value);
	}
}

static enum pawl_status lite_rows(struct connection *c, sqlite3_stmt *stmt, struct buf *out,
                                  struct pawl_error *err)
{
	int rows = 0, rc;

	buf_lit(out, "[");
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		if (rows++ == STORES_ROWS_MAX)
			return over(err);
		buf_str(out, rows > 1 ? STR(",[") : STR("["));
		for (int i = 0; i < sqlite3_column_count(stmt); i++) {
			if (i > 0)
				buf_lit(out, ",");
			lite_cell(stmt, i, out);
		}
		buf_lit(out, "]");
	}
	buf_lit(out, "]");
	if (rc == SQLITE_INTERRUPT || rc == SQLITE_BUSY)
		return pawl__error_set(err, PAWL_E_IO, "SQLite did not answer in time");
	if (rc != SQLITE_DONE)
		return pawl__error_native(err, PAWL_E_CONFIG, rc, "SQLite: %s",
		                          sqlite3_errmsg(c->lite));
	return PAWL_OK;
}

/* All statements; the answer is that of the last. */
static enum pawl_status lite_ask(struct connection *c, const struct stores_ask *ask,
                                 struct buf *out, struct pawl_error *err)
{
	const char *sql = ask->sql.ptr, *end = ask->sql.ptr + ask->sql.len;
	enum pawl_status st = PAWL_OK;

	(void)sqlite3_busy_timeout(c->lite, (int)(ask->timeout_us / 1000));
	buf_lit(out, "[]");
	while (st == PAWL_OK && sql < end) {
		sqlite3_stmt *stmt = NULL;

		if (sqlite3_prepare_v2(c->lite, sql, (int)(end - sql), &stmt, &sql) != SQLITE_OK)
			return pawl__error_set(err, PAWL_E_CONFIG, "SQLite: %s",
			                       sqlite3_errmsg(c->lite));
		if (stmt == NULL)
			break;
		pawl__buf_reset(out);
		st = lite_rows(c, stmt, out, err);
		(void)sqlite3_finalize(stmt);
	}
	return st;
}

/* ---- PostgreSQL ---- */

static enum pawl_status pg_open(struct connection *c, struct pawl_error *err)
{
	static const char *const names[] = { "dbname", "connect_timeout", "application_name",
		                             NULL };
	const char *const values[] = { c->url, "10", "pawl race", NULL };

	c->pg = PQconnectdbParams(names, values, 1);
	/* What libpq says may name hosts and users: not shown. */
	if (PQstatus(c->pg) != CONNECTION_OK)
		return pawl__error_set(err, PAWL_E_IO, "PostgreSQL cannot be reached");
	return PAWL_OK;
}

/* A result, NULL when there are no more; PAWL_E_IO when time is up. */
static enum pawl_status pg_result(struct stores *s, struct connection *c, PGresult **ret,
                                  struct pawl_error *err)
{
	while (PQisBusy(c->pg) == 1) {
		struct pollfd fd = { .fd = PQsocket(c->pg), .events = POLLIN };
		const int64_t left_us = s->deadline_us - pawl__clock_mono_us();
		int n;

		if (left_us <= 0)
			return pawl__error_set(err, PAWL_E_IO, "PostgreSQL did not answer in time");
		n = poll(&fd, 1, (int)(left_us / 1000) + 1);
		if ((n < 0 && errno != EINTR) || (n > 0 && PQconsumeInput(c->pg) != 1))
			return pawl__error_set(err, PAWL_E_IO,
			                       "the connection to PostgreSQL is lost");
	}
	*ret = PQgetResult(c->pg);
	return PAWL_OK;
}

static void pg_cell(const PGresult *r, int row, int i, struct buf *out)
{
	enum { PG_BOOL = 16 };
	const struct str value = { PQgetvalue(r, row, i), (size_t)PQgetlength(r, row, i) };

	if (PQgetisnull(r, row, i) == 1)
		buf_lit(out, "null");
	else if (PQftype(r, i) == PG_BOOL)
		buf_str(out, value.ptr[0] == 't' ? STR("true") : STR("false"));
	else
		put_text(out, value); /* a number compares as one: match is lenient */
}

static enum pawl_status pg_rows(const PGresult *r, struct buf *out, struct pawl_error *err)
{
	if (PQresultStatus(r) != PGRES_TUPLES_OK && PQresultStatus(r) != PGRES_COMMAND_OK &&
	    PQresultStatus(r) != PGRES_EMPTY_QUERY) {
		const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
		const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);

		return pawl__error_set(err, PAWL_E_CONFIG, "PostgreSQL: %s (%s)",
		                       text == NULL ? "" : text, state == NULL ? "" : state);
	}
	if (PQntuples(r) > STORES_ROWS_MAX)
		return over(err);
	buf_lit(out, "[");
	for (int row = 0; row < PQntuples(r); row++) {
		buf_str(out, row > 0 ? STR(",[") : STR("["));
		for (int i = 0; i < PQnfields(r); i++) {
			if (i > 0)
				buf_lit(out, ",");
			pg_cell(r, row, i, out);
		}
		buf_lit(out, "]");
	}
	buf_lit(out, "]");
	return PAWL_OK;
}

static enum pawl_status pg_ask(struct stores *s, struct connection *c, const struct stores_ask *ask,
                               struct buf *out, struct pawl_error *err)
{
	char *sql = strndup(ask->sql.ptr, ask->sql.len);
	enum pawl_status st = PAWL_OK;
	PGresult *r = NULL;

	if (sql == NULL || PQsendQuery(c->pg, sql) != 1) {
		free(sql);
		return pawl__error_set(err, PAWL_E_IO, "the connection to PostgreSQL is lost");
	}
	free(sql);
	for (;;) {
		st = pg_result(s, c, &r, err);
		if (st != PAWL_OK || r == NULL)
			break;
		pawl__buf_reset(out);
		st = pg_rows(r, out, err);
		PQclear(r);
		if (st != PAWL_OK)
			break;
	}
	return st;
}

/* ---- Redis ---- */

/* user, password, host, port, db of the URL, each NUL-terminated in mem. */
struct redis_url {
	char mem[URL_LEN_MAX];
	char *user, *password, *host;
	int port;
	int64_t db;
};

static bool redis_parse(const char *url, struct redis_url *u)
{
	char *at, *colon, *slash;
	int64_t port = 6379;

	*u = (struct redis_url){ .port = 6379 };
	if (strlen(url) >= sizeof(u->mem) || strncmp(url, "redis://", 8) != 0)
		return false;
	memcpy(u->mem, url + 8, strlen(url + 8) + 1);
	u->host = u->mem;
	at = strrchr(u->mem, '@');
	if (at != NULL) {
		*at = '\0';
		u->host = at + 1;
		u->password = strchr(u->mem, ':');
		if (u->password != NULL) {
			*u->password++ = '\0';
			u->user = u->mem[0] == '\0' ? NULL : u->mem;
		} else {
			u->password = u->mem;
		}
	}
	slash = strchr(u->host, '/');
	if (slash != NULL) {
		*slash = '\0';
		if (slash[1] != '\0' && !pawl__num_parse_i64(pawl__str_of(slash + 1), &u->db))
			return false;
	}
	colon = strrchr(u->host, ':');
	if (colon != NULL) {
		*colon = '\0';
		if (!pawl__num_parse_i64(pawl__str_of(colon + 1), &port) || port < 1 ||
		    port > 65535)
			return false;
	}
	u->port = (int)port;
	return u->host[0] != '\0';
}

static bool redis_ok(redisContext *c, int argc, const char **argv)
{
	redisReply *r = redisCommandArgv(c, argc, argv, NULL);
	const bool ok = r != NULL && r->type != REDIS_REPLY_ERROR;

	freeReplyObject(r);
	return ok;
}

static enum pawl_status redis_open(struct connection *c, struct pawl_error *err)
{
	const struct timeval timeout = { .tv_sec = CONNECT_S };
	struct redis_url u;
	char db[24] = "";
	struct buf b;

	if (!redis_parse(c->url, &u) || u.db < 0)
		return pawl__error_set(err, PAWL_E_CONFIG,
		                       "`on` must be redis://[[user]:password@]host[:port][/db]");
	c->redis = redisConnectWithTimeout(u.host, u.port, timeout);
	if (c->redis == NULL || c->redis->err != 0)
		return pawl__error_set(err, PAWL_E_IO, "Redis cannot be reached");
	(void)redisSetTimeout(c->redis, timeout);
	if (u.password != NULL) {
		const char *argv[] = { "AUTH", u.user == NULL ? u.password : u.user, u.password };

		if (!redis_ok(c->redis, u.user == NULL ? 2 : 3, argv))
			return pawl__error_set(err, PAWL_E_IO, "Redis refuses the password");
	}
	pawl__buf_init_fixed(&b, db, sizeof(db) - 1);
	pawl__buf_i64(&b, u.db);
	if (u.db != 0 && !redis_ok(c->redis, 2, (const char *[]){ "SELECT", db }))
		return pawl__error_set(err, PAWL_E_IO, "Redis has no such database");
	return PAWL_OK;
}

/* Replies nest a few levels; hiredis itself refuses more than seven. */
/* NOLINTNEXTLINE(misc-no-recursion) */
static void redis_put(const redisReply *r, struct buf *out)
{
	switch (r->type) {
	case REDIS_REPLY_INTEGER:
		pawl__buf_i64(out, r->integer);
		return;
	case REDIS_REPLY_NIL:
		buf_lit(out, "null");
		return;
	case REDIS_REPLY_ARRAY:
		buf_lit(out, "[");
		for (size_t i = 0; i < r->elements; i++) {
			if (i > 0)
				buf_lit(out, ",");
			redis_put(r->element[i], out);
		}
		buf_lit(out, "]");
		return;
	default:
		put_text(out, (struct str){ r->str, (size_t)r->len });
	}
}

static enum pawl_status redis_ask(struct connection *c, const struct stores_ask *ask,
                                  struct buf *out, struct pawl_error *err)
{
	const struct timeval timeout = { .tv_sec = (time_t)(ask->timeout_us / 1000000) + 1 };
	const char **argv = calloc(ask->args_len + 1, sizeof(*argv));
	size_t *lens = calloc(ask->args_len + 1, sizeof(*lens));
	redisReply *r = NULL;
	enum pawl_status st = PAWL_OK;

	for (size_t i = 0; argv != NULL && lens != NULL && i < ask->args_len; i++) {
		argv[i] = ask->args[i].len == 0 ? "" : ask->args[i].ptr;
		lens[i] = ask->args[i].len;
	}
	if (argv != NULL && lens != NULL) {
		(void)redisSetTimeout(c->redis, timeout);
		r = redisCommandArgv(c->redis, (int)ask->args_len, argv, lens);
	}
	free(argv);
	free(lens);
	if (r == NULL)
		return pawl__error_set(err, PAWL_E_IO, "Redis did not answer");
	if (r->type == REDIS_REPLY_ERROR)
		st = pawl__error_set(err, PAWL_E_CONFIG, "Redis: %.*s", (int)r->len, r->str);
	else
		redis_put(r, out);
	freeReplyObject(r);
	return st;
}

/* ---- */

static enum pawl_status connect_to(struct stores *s, struct connection *c, struct pawl_error *err)
{
	if (strncmp(c->url, "sqlite:", 7) == 0)
		return lite_open(s, c, err);
	if (strncmp(c->url, "postgresql://", 13) == 0 || strncmp(c->url, "postgres://", 11) == 0)
		return pg_open(c, err);
	if (strncmp(c->url, "redis://", 8) == 0)
		return redis_open(c, err);
	return pawl__error_set(err, PAWL_E_CONFIG,
	                       "`on` must be sqlite:PATH, postgresql://... or redis://...");
}

static enum pawl_status connection_of(struct stores *s, struct str url, struct connection **ret,
                                      struct pawl_error *err)
{
	struct connection *c;
	enum pawl_status st;

	for (size_t i = 0; i < s->len; i++) {
		if (str_eq(pawl__str_of(s->at[i].url), url)) {
			*ret = &s->at[i];
			return PAWL_OK;
		}
	}
	if (s->len == STORES_MAX || url.len >= URL_LEN_MAX)
		return pawl__error_set(err, PAWL_E_CONFIG, "more than %d databases", STORES_MAX);
	c = &s->at[s->len];
	c->url = strndup(url.ptr, url.len);
	if (c->url == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
	st = connect_to(s, c, err);
	if (st != PAWL_OK) {
		connection_close(c);
		return st;
	}
	s->len++;
	*ret = c;
	return PAWL_OK;
}

enum pawl_status pawl__stores_ask(struct stores *s, const struct stores_ask *ask, struct buf *out,
                                  struct pawl_error *err)
{
	struct connection *c = NULL;
	enum pawl_status st = connection_of(s, ask->url, &c, err);

	if (st != PAWL_OK || c == NULL)
		return st;
	pawl__buf_reset(out);
	s->deadline_us = pawl__clock_mono_us() + ask->timeout_us;
	if ((c->redis != NULL) != (ask->args_len > 0))
		return pawl__error_set(err, PAWL_E_CONFIG,
		                       "sql: is for SQLite and PostgreSQL, redis: for Redis");
	if (c->lite != NULL)
		st = lite_ask(c, ask, out, err);
	else if (c->pg != NULL)
		st = pg_ask(s, c, ask, out, err);
	else
		st = redis_ask(c, ask, out, err);
	if (st == PAWL_OK && out->overflow)
		st = over(err);
	if (st != PAWL_OK && s->len > 0) { /* made anew when it is asked again */
		connection_close(c);
		*c = s->at[s->len - 1];
		s->at[--s->len] = (struct connection){ .url = NULL };
	}
	return st;
}
