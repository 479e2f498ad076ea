/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/num.h"
#include "race/builtin/session.h"

#define LOOK_MS    2 /* how long an answer may take before it is asked whether it waits */
#define ROOM_SPARE 2 /* connections left to others */
#define LOCK_KEY   "7021497611" /* of the advisory lock: one run at a time in a database */

struct session {
	PGconn *conn;
	PGresult *result; /* what the last reply points into */
	int pid;
};

static void pg_close(struct session *s)
{
	if (s == NULL)
		return;
	PQclear(s->result);
	PQfinish(s->conn);
	free(s);
}

/* A notice (BEGIN inside a transaction) is what some incidents are about: not ours to print. */
static void pg_notice(void *data, const PGresult *result)
{
	(void)data;
	(void)result;
}

static enum pawl_status pg_open(const char *url, struct session **ret, struct pawl_error *err)
{
	static const char *const names[] = { "dbname", "connect_timeout", "application_name",
		                             NULL };
	const char *const values[] = { url, "10", "pawl race", NULL };
	struct session *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for a session");
	s->conn = PQconnectdbParams(names, values, 1);
	if (PQstatus(s->conn) != CONNECTION_OK) {
		/* What libpq says may have the user and the host in it. */
		(void)pawl__error_set(err, PAWL_E_IO, "PostgreSQL cannot be reached%s",
		                      strstr(PQerrorMessage(s->conn), "too many") != NULL
		                              ? ": too many connections"
		                              : "");
		pg_close(s);
		return PAWL_E_IO;
	}
	(void)PQsetNoticeReceiver(s->conn, pg_notice, NULL);
	s->pid = PQbackendPID(s->conn);
	*ret = s;
	return PAWL_OK;
}

static enum reply_class pg_class(const char *sqlstate)
{
	static const struct {
		const char *state;
		enum reply_class class;
	} rows[] = {
		{ "40001", REPLY_TRANSIENT }, { "40P01", REPLY_DEADLOCK },
		{ "55P03", REPLY_LOCKED },    { "23505", REPLY_DUPLICATE },
		{ "23P01", REPLY_DUPLICATE },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (strcmp(rows[i].state, sqlstate) == 0)
			return rows[i].class;
	}
	/* Class 08, and the server going down. */
	if (strncmp(sqlstate, "08", 2) == 0 || strncmp(sqlstate, "57P", 3) == 0)
		return REPLY_LOST;
	return REPLY_ERROR;
}

static void pg_rows(struct session *s, struct reply *ret)
{
	const int rows = PQntuples(s->result), columns = PQnfields(s->result);
	const char *changed = PQcmdTuples(s->result);

	ret->rows = rows;
	if (columns == 0 && changed[0] != '\0' &&
	    !pawl__num_parse_i64(pawl__str_of(changed), &ret->rows))
		ret->rows = 0;
	for (int row = 0; row < rows; row++) {
		for (int i = 0; i < columns && ret->cells_len < REPLY_CELLS_MAX; i++)
			ret->cells[ret->cells_len++] =
				(struct str){ PQgetvalue(s->result, row, i),
				              (size_t)PQgetlength(s->result, row, i) };
	}
}

static void pg_take(struct session *s, struct reply *ret)
{
	const ExecStatusType status = PQresultStatus(s->result);

	reply_init(ret, REPLY_OK);
	if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
		pg_rows(s, ret);
		return;
	}
	if (PQstatus(s->conn) != CONNECTION_OK) {
		pawl__reply_fail(ret, REPLY_LOST, "the connection to PostgreSQL is lost");
		return;
	}
	{
		const char *state = PQresultErrorField(s->result, PG_DIAG_SQLSTATE);
		const char *text = PQresultErrorField(s->result, PG_DIAG_MESSAGE_PRIMARY);

		pawl__reply_fail(ret, pg_class(state == NULL ? "" : state),
		                 text == NULL ? "PostgreSQL refused the statement" : text);
	}
}

/* 1: there is a result to get, 0: not within ms, -1: lost. */
static int pg_ready(struct session *s, int ms)
{
	while (PQisBusy(s->conn) == 1) {
		struct pollfd fd = { .fd = PQsocket(s->conn), .events = POLLIN };
		const int n = poll(&fd, 1, ms);

		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0 && PQconsumeInput(s->conn) != 1)
			return -1;
	}
	return 1;
}

/* The last result of the statement, when it is there within ms. */
static bool pg_answer(struct session *s, int ms, struct reply *ret)
{
	int ready;

	while ((ready = pg_ready(s, ms)) == 1) {
		PGresult *r = PQgetResult(s->conn);

		if (r == NULL) {
			pg_take(s, ret);
			return true;
		}
		PQclear(s->result);
		s->result = r;
	}
	if (ready < 0)
		pawl__reply_fail(ret, REPLY_LOST, "the connection to PostgreSQL is lost");
	return ready < 0;
}

static bool pg_send(struct session *s, struct str text, struct reply *ret)
{
	PQclear(s->result);
	s->result = NULL;
	if (PQsendQuery(s->conn, text.ptr) == 1)
		return true;
	pawl__reply_fail(ret, REPLY_LOST, "the connection to PostgreSQL is lost");
	return false;
}

static void pg_exec(struct session *s, struct str text, const char *pick, struct reply *ret)
{
	(void)pick;
	if (!pg_send(s, text, ret))
		return;
	if (!pg_answer(s, (int)(SESSION_TIMEOUT_US / 1000), ret)) {
		pawl__reply_fail(ret, REPLY_LOST, "PostgreSQL did not answer in time");
		PQfinish(s->conn);
		s->conn = NULL;
	}
}

static int64_t pg_number(struct session *s, struct str sql)
{
	struct reply r;
	int64_t v;

	pg_exec(s, sql, NULL, &r);
	if (r.class != REPLY_OK || r.cells_len == 0 || !pawl__num_parse_i64(r.cells[0], &v))
		return -1;
	return v;
}

#define MARK "scratch of pawl race: may be dropped"

static void pg_clean(struct session *s)
{
	struct reply r;

	pg_exec(s, STR("DROP SCHEMA IF EXISTS pawl_race CASCADE"), NULL, &r);
	pg_exec(s, STR("SELECT pg_advisory_unlock(" LOCK_KEY ")"), NULL, &r);
}

static enum pawl_status pg_prepare(struct session *s, struct pawl_error *err)
{
	struct reply r;

	if (pg_number(s, STR("SELECT pg_try_advisory_lock(" LOCK_KEY ")::int")) == 0)
		return pawl__error_set(err, PAWL_E_CONFIG,
		                       "another race runs in this database: wait for it");
	if (pg_number(s, STR("SELECT COUNT(*) FROM pg_namespace WHERE nspname = 'pawl_race' AND "
	                     "obj_description(oid, 'pg_namespace') IS DISTINCT FROM '" MARK "'")) !=
	    0)
		return pawl__error_set(err, PAWL_E_CONFIG,
		                       "the database has a schema pawl_race that is not of a race: "
		                       "take another database, or rename it");
	pg_exec(s,
	        STR("DROP SCHEMA IF EXISTS pawl_race CASCADE; CREATE SCHEMA pawl_race; "
	            "COMMENT ON SCHEMA pawl_race IS '" MARK "'"),
	        NULL, &r);
	return r.class == REPLY_OK ? PAWL_OK
	                           : pawl__error_set(err, PAWL_E_IO, "PostgreSQL: %s", r.text);
}

static void pg_describe(struct session *s, struct buf *out)
{
	struct reply r;

	buf_lit(out, "PostgreSQL ");
	buf_str(out, pawl__str_of(PQparameterStatus(s->conn, "server_version")));
	pg_exec(s, STR("SELECT current_setting('default_transaction_isolation')"), NULL, &r);
	if (r.class == REPLY_OK && r.cells_len == 1) {
		buf_lit(out, ", default ");
		buf_str(out, r.cells[0]);
	}
}

static uint32_t pg_room(struct session *s)
{
	const int64_t free_now = pg_number(
		s, STR("SELECT current_setting('max_connections')::int - "
	               "current_setting('superuser_reserved_connections')::int - COUNT(*) FROM "
	               "pg_stat_activity WHERE backend_type = 'client backend'"));

	if (free_now < 0)
		return UINT32_MAX;
	return free_now > ROOM_SPARE ? (uint32_t)(free_now - ROOM_SPARE) : 1;
}

/* With the shortest deadlock_timeout the first who waits has looked for a deadlock, and found none,
 * before he is known to wait: the victim is always the one who closes the circle. Whoever may not
 * set it waits the server's own timeout. */
static void pg_explore(struct session *s)
{
	struct reply r;

	pg_exec(s, STR("SET synchronous_commit = off"), NULL, &r);
	pg_exec(s, STR("SET deadlock_timeout = '1ms'"), NULL, &r);
}

static bool pg_blocked(struct session *control, int pid)
{
	char sql[128];

	(void)snprintf(sql, sizeof(sql), "SELECT CARDINALITY(pg_blocking_pids(%d))", pid);
	return pg_number(control, pawl__str_of(sql)) > 0;
}

static enum session_state pg_attempt(struct session *s, struct session *control, struct str text,
                                     bool begun, struct reply *ret)
{
	const int64_t end_us = pawl__clock_mono_us() + SESSION_TIMEOUT_US;

	if (!begun && !pg_send(s, text, ret))
		return SESSION_ANSWERED;
	/* Who has just begun may be the one who closes a circle: he is given time to be told. */
	while (!pg_answer(s, begun ? 0 : LOOK_MS, ret)) {
		if (pg_blocked(control, s->pid) && !pg_answer(s, begun ? 0 : LOOK_MS, ret) &&
		    pg_blocked(control, s->pid))
			return SESSION_WAITS;
		begun = false;
		if (pawl__clock_mono_us() > end_us) {
			pawl__reply_fail(ret, REPLY_LOST, "PostgreSQL did not answer in time");
			return SESSION_ANSWERED;
		}
	}
	return SESSION_ANSWERED;
}

const struct store_ops pawl__store_pg = {
	.kind = STORE_PG,
	.prefix = "pawl_race.",
	.open = pg_open,
	.close = pg_close,
	.exec = pg_exec,
	.prepare = pg_prepare,
	.clean = pg_clean,
	.describe = pg_describe,
	.room = pg_room,
	.explore = pg_explore,
	.attempt = pg_attempt,
};
