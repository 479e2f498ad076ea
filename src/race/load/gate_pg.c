/* SPDX-License-Identifier: Apache-2.0 */
#include "race/load/gate_pg.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/num.h"
#include "race/load/gate_core.h"

#define CONNINFO_MAX 4096
#define PARAMS_MAX   64
/* libpq sends what is more than 8 KiB by itself, and the server begins with what it has: a larger
 * batch is not handed to libpq before its release. */
#define QUEUE_MAX    6000
#define MESSAGES_LEN 128 /* of one statement beside its texts */

struct pg_batch {
	struct arena arena;
	size_t len;
	size_t bytes; /* on the wire, about */
	bool queued;  /* it is in libpq's buffer */
	struct pg_statement at[GATE_BATCH_MAX];
};

struct pg_client {
	PGconn *conn;          /* NULL = lost */
	struct pg_batch batch; /* that is filled, waits or is under way */
	bool unflushed;
	int stuck_pid;   /* of a lost connection whose server may still be at it; 0 = none */
	size_t sent_len; /* statements of the batch under way */
	size_t replies_len;
	struct pg_reply replies[GATE_BATCH_MAX];
	PGresult *results[GATE_BATCH_MAX]; /* owned; of the replies */
	char trouble[GATE_TEXT_MAX];
};

struct pg_gate {
	struct gate_core core;
	char *conninfo; /* owned */
	int64_t open_ns;
	uint32_t conns;
	struct pg_client *clients; /* owned; conns of them */
	PGconn *extra;             /* NULL = lost */
	bool extra_busy;
	const struct pg_app *app;
	struct gate_result *result;
};

bool pawl__pg_batch_add(struct pg_batch *batch, const struct pg_statement *s)
{
	const char **params = NULL;
	struct pg_statement *to;

	if (batch->len == GATE_BATCH_MAX || s->params_len < 0 || s->params_len > PARAMS_MAX) {
		batch->arena.failed = true;
		return false;
	}
	if (s->params_len > 0)
		params = arena_array(&batch->arena, const char *, (size_t)s->params_len);
	batch->bytes += MESSAGES_LEN + strlen(s->sql);
	for (int i = 0; params != NULL && i < s->params_len; i++) {
		if (s->params[i] == NULL)
			continue;
		batch->bytes += strlen(s->params[i]);
		params[i] = pawl__arena_str(&batch->arena, pawl__str_of(s->params[i])).ptr;
	}
	to = &batch->at[batch->len];
	*to = *s;
	to->sql = pawl__arena_str(&batch->arena, pawl__str_of(s->sql)).ptr;
	to->params = params;
	if (batch->arena.failed)
		return false;
	batch->len++;
	return true;
}

/* The first line of what libpq says, without its end. */
static void trouble_set(char ret[GATE_TEXT_MAX], const char *message)
{
	const size_t n = strcspn(message, "\n"), len = n < GATE_TEXT_MAX ? n : GATE_TEXT_MAX - 1;

	memcpy(ret, message, len);
	ret[len] = '\0';
}

/* --- connecting --- */

static bool poll_for(int fd, short events, int64_t deadline_ns)
{
	for (;;) {
		const int64_t left_ns = deadline_ns - pawl__clock_mono_ns();
		struct pollfd pfd = { .fd = fd, .events = events };
		const int n = left_ns <= 0 ? 0 : poll(&pfd, 1, (int)(left_ns / 1000000) + 1);

		if (n > 0)
			return true;
		if (n == 0 || errno != EINTR)
			return false;
	}
}

static void notice_drop(void *data, const char *message)
{
	(void)data;
	(void)message;
}

static PGconn *conn_open(const struct pg_gate *g, int64_t deadline_ns, struct pawl_error *err)
{
	PGconn *conn = PQconnectStart(g->conninfo);
	PostgresPollingStatusType st = PGRES_POLLING_WRITING;

	if (conn == NULL) {
		pawl__error_set(err, PAWL_E_NOMEM, "no memory for a connection");
		return NULL;
	}
	while (PQstatus(conn) != CONNECTION_BAD && st != PGRES_POLLING_OK &&
	       st != PGRES_POLLING_FAILED) {
		if (!poll_for(PQsocket(conn), st == PGRES_POLLING_READING ? POLLIN : POLLOUT,
		              deadline_ns)) {
			pawl__error_set(err, PAWL_E_IO, "PostgreSQL did not answer in time");
			PQfinish(conn);
			return NULL;
		}
		st = PQconnectPoll(conn);
	}
	if (st != PGRES_POLLING_OK || PQstatus(conn) != CONNECTION_OK) {
		char text[GATE_TEXT_MAX];

		trouble_set(text, PQerrorMessage(conn));
		pawl__error_set(err, PAWL_E_IO, "cannot connect to PostgreSQL: %s", text);
		PQfinish(conn);
		return NULL;
	}
	PQsetNoticeProcessor(conn, notice_drop, NULL);
	return conn;
}

static enum pawl_status conns_open(struct pg_gate *g, struct pawl_error *err)
{
	const int64_t deadline_ns = pawl__clock_mono_ns() + g->open_ns;

	PRE(g->clients != NULL);
	for (uint32_t i = 0; i < g->conns; i++) {
		if (g->clients[i].conn == NULL)
			g->clients[i].conn = conn_open(g, deadline_ns, err);
		if (g->clients[i].conn == NULL)
			return PAWL_E_IO;
	}
	if (g->extra == NULL)
		g->extra = conn_open(g, deadline_ns, err);
	return g->extra == NULL ? PAWL_E_IO : PAWL_OK;
}

/* --- operations of the gate --- */

static int pg_fd(void *db, uint32_t i)
{
	const struct pg_gate *g = db;

	return g->clients[i].conn == NULL ? -1 : PQsocket(g->clients[i].conn);
}

static void replies_clear(struct pg_client *c)
{
	for (size_t i = 0; i < c->replies_len; i++)
		PQclear(c->results[i]);
	c->replies_len = 0;
	c->sent_len = 0;
}

static enum gate_ask pg_ask(void *db, const struct gate_turn *turn, struct gate_options *options)
{
	struct pg_gate *g = db;
	struct pg_client *c = &g->clients[turn->client];
	bool more;

	for (; c->replies_len < c->sent_len; c->replies_len++) {
		c->replies[c->replies_len] = (struct pg_reply){ .class = PG_NONE };
		c->results[c->replies_len] = NULL;
	}
	pawl__arena_reset(&c->batch.arena);
	c->batch.len = 0;
	c->batch.bytes = 0;
	c->batch.queued = false;
	more = g->app->next(g->app->data, turn, c->replies, c->replies_len, &c->batch, options);
	replies_clear(c);
	if (c->batch.arena.failed)
		return GATE_BROKEN;
	c->sent_len = more ? c->batch.len : 0;
	return c->sent_len > 0 ? GATE_FILLED : GATE_FINISHED;
}

static bool pg_queue(struct pg_client *c)
{
	c->batch.queued = true;
	for (size_t i = 0; i < c->batch.len; i++) {
		const struct pg_statement *s = &c->batch.at[i];
		const int rc = s->prepared ? PQsendQueryPrepared(c->conn, s->sql, s->params_len,
		                                                 s->params, NULL, NULL, 0)
		                           : PQsendQueryParams(c->conn, s->sql, s->params_len, NULL,
		                                               s->params, NULL, NULL, 0);

		if (rc != 1) {
			trouble_set(c->trouble, PQerrorMessage(c->conn));
			return false;
		}
	}
	return true;
}

static bool pg_hold(void *db, uint32_t i)
{
	struct pg_gate *g = db;
	struct pg_client *c = &g->clients[i];

	return c->batch.bytes > QUEUE_MAX || pg_queue(c);
}

static bool pg_release(void *db, uint32_t i)
{
	struct pg_gate *g = db;
	struct pg_client *c = &g->clients[i];

	int rc = c->batch.queued || pg_queue(c) ? 0 : -1;

	if (rc == 0)
		rc = PQpipelineSync(c->conn) == 1 ? PQflush(c->conn) : -1;
	c->unflushed = rc == 1;
	if (rc >= 0)
		return true;
	trouble_set(c->trouble, PQerrorMessage(c->conn));
	return false;
}

static bool pg_writes(void *db, uint32_t i)
{
	const struct pg_gate *g = db;

	return g->clients[i].unflushed;
}

/* Takes the result. False: it is none that a batch may have. */
static bool reply_keep(struct pg_gate *g, struct pg_client *c, PGresult *res)
{
	struct pg_reply *reply = &c->replies[c->replies_len];
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	const ExecStatusType st = PQresultStatus(res);
	const bool failed = st == PGRES_FATAL_ERROR;

	if (c->replies_len == c->sent_len || st == PGRES_COPY_IN || st == PGRES_COPY_OUT ||
	    st == PGRES_COPY_BOTH || (failed && state == NULL)) {
		trouble_set(c->trouble,
		            failed ? PQerrorMessage(c->conn) : "COPY is not for the gate");
		PQclear(res);
		return false;
	}
	*reply = (struct pg_reply){ .class = failed                         ? PG_ERROR
		                             : st == PGRES_PIPELINE_ABORTED ? PG_SKIPPED
		                                                            : PG_OK,
		                    .result = res };
	c->results[c->replies_len++] = res;
	if (reply->class == PG_SKIPPED)
		reply->result = NULL;
	if (!failed)
		return true;
	memcpy(reply->sqlstate, state, strnlen(state, sizeof(reply->sqlstate) - 1));
	g->result->errors++;
	g->result->deadlocks += strcmp(state, "40P01") == 0 ? 1 : 0;
	g->result->serialization += strcmp(state, "40001") == 0 ? 1 : 0;
	g->result->unavailable += strcmp(state, "55P03") == 0 ? 1 : 0;
	return true;
}

static enum gate_ready pg_ready(void *db, uint32_t i)
{
	struct pg_gate *g = db;
	struct pg_client *c = &g->clients[i];
	int rc = c->unflushed ? PQflush(c->conn) : 0, nulls = 0;

	c->unflushed = rc == 1;
	if (rc < 0 || PQconsumeInput(c->conn) == 0) {
		trouble_set(c->trouble, PQerrorMessage(c->conn));
		return GATE_LOST;
	}
	/* libpq says NULL behind each statement, and once more before it goes on to the next. */
	while (nulls < 3 && !PQisBusy(c->conn)) {
		PGresult *res = PQgetResult(c->conn);

		if (res == NULL) {
			nulls++;
			continue;
		}
		nulls = 0;
		if (PQresultStatus(res) == PGRES_PIPELINE_SYNC) {
			PQclear(res);
			return c->sent_len > 0 ? GATE_ANSWERED : GATE_LOST;
		}
		if (!reply_keep(g, c, res))
			return GATE_LOST;
	}
	if (PQstatus(c->conn) != CONNECTION_OK) {
		trouble_set(c->trouble, PQerrorMessage(c->conn));
		return GATE_LOST;
	}
	return GATE_WAIT;
}

static void pg_lost(void *db, uint32_t i)
{
	struct pg_gate *g = db;
	struct pg_client *c = &g->clients[i];

	if (c->conn == NULL)
		return;
	c->stuck_pid = PQstatus(c->conn) == CONNECTION_OK ? PQbackendPID(c->conn) : 0;
	PQfinish(c->conn);
	c->conn = NULL;
	c->unflushed = false;
}

static const char *pg_trouble(void *db, uint32_t i)
{
	const struct pg_gate *g = db;

	return g->clients[i].trouble;
}

/* --- the extra connection --- */

static void extra_close(struct pg_gate *g)
{
	PQfinish(g->extra);
	g->extra = NULL;
	g->extra_busy = false;
}

/* What has come of it; a number is how many wait for locks. */
static void extra_take(struct pg_gate *g)
{
	if (g->extra == NULL || !g->extra_busy)
		return;
	if (PQconsumeInput(g->extra) == 0) {
		extra_close(g);
		return;
	}
	while (g->extra_busy && !PQisBusy(g->extra)) {
		PGresult *res = PQgetResult(g->extra);
		uint64_t n;

		if (res == NULL)
			g->extra_busy = false;
		else if (PQresultStatus(res) == PGRES_TUPLES_OK && PQntuples(res) == 1 &&
		         pawl__num_parse_u64(pawl__str_of(PQgetvalue(res, 0, 0)), &n) &&
		         n > g->result->lock_waiters && n <= UINT32_MAX)
			g->result->lock_waiters = (uint32_t)n;
		PQclear(res);
	}
}

static void extra_send(struct pg_gate *g, const char *sql)
{
	extra_take(g);
	if (g->extra == NULL || g->extra_busy)
		return;
	if (PQsendQuery(g->extra, sql) != 1 || PQflush(g->extra) < 0)
		extra_close(g);
	else
		g->extra_busy = true;
}

static void pg_wake(void *db, int step)
{
	(void)step;
	extra_send(db, "SELECT 0");
}

static void pg_sample(void *db)
{
	extra_send(db, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
	               "AND datname = current_database()");
}

/* --- before and after a run --- */

/* What is under way on the connection comes to its end. False: not by the deadline. */
static bool conn_drain(PGconn *conn, int64_t deadline_ns)
{
	for (;;) {
		PGresult *res;

		while (PQisBusy(conn)) {
			if (!poll_for(PQsocket(conn), POLLIN, deadline_ns) ||
			    PQconsumeInput(conn) == 0)
				return false;
		}
		res = PQgetResult(conn);
		if (res == NULL)
			return PQstatus(conn) == CONNECTION_OK;
		PQclear(res);
	}
}

static bool conn_exec(PGconn *conn, const char *sql, int64_t deadline_ns)
{
	return PQsendQuery(conn, sql) == 1 && PQflush(conn) == 0 && conn_drain(conn, deadline_ns);
}

static bool client_begin(struct pg_client *c)
{
	c->trouble[0] = '\0';
	c->stuck_pid = 0;
	c->unflushed = false;
	return PQsetnonblocking(c->conn, 1) == 0 && PQenterPipelineMode(c->conn) == 1;
}

static void client_finish(struct pg_gate *g, struct pg_client *c, int64_t deadline_ns)
{
	char sql[64];
	struct buf b;

	replies_clear(c);
	if (c->stuck_pid != 0 && g->extra != NULL) {
		pawl__buf_init_fixed(&b, sql, sizeof(sql) - 1);
		buf_lit(&b, "SELECT pg_terminate_backend(");
		pawl__buf_i64(&b, c->stuck_pid);
		pawl__buf_putc(&b, ')');
		sql[b.len] = '\0';
		if (!conn_exec(g->extra, sql, deadline_ns))
			extra_close(g);
	}
	c->stuck_pid = 0;
	if (c->conn == NULL)
		return;
	if (PQexitPipelineMode(c->conn) == 1 &&
	    (PQtransactionStatus(c->conn) == PQTRANS_IDLE ||
	     conn_exec(c->conn, "ROLLBACK", deadline_ns)) &&
	    PQsetnonblocking(c->conn, 0) == 0)
		return;
	PQfinish(c->conn);
	c->conn = NULL;
}

static const struct gate_ops pg_ops = {
	.fd = pg_fd,
	.ask = pg_ask,
	.send = pg_release,
	.hold = pg_hold,
	.release = pg_release,
	.writes = pg_writes,
	.ready = pg_ready,
	.wake = pg_wake,
	.sample = pg_sample,
	.lost = pg_lost,
	.trouble = pg_trouble,
};

enum pawl_status pawl__pg_gate_run(struct pg_gate *g, const struct gate_plan *plan,
                                   const struct pg_app *app, struct gate_result *ret,
                                   struct pawl_error *err)
{
	enum pawl_status st;
	int64_t deadline_ns;

	if (plan->clients > g->conns)
		return pawl__error_set(err, PAWL_E_INVALID, "more clients than connections");
	st = conns_open(g, err);
	for (uint32_t i = 0; st == PAWL_OK && i < g->conns; i++) {
		if (!client_begin(&g->clients[i]))
			st = pawl__error_set(err, PAWL_E_IO, "a connection is in use, or broken");
	}
	g->app = app;
	g->result = ret;
	if (st == PAWL_OK)
		st = pawl__gate_run(&g->core, plan, ret, err);
	deadline_ns = pawl__clock_mono_ns() + g->open_ns;
	if (g->extra_busy && (g->extra == NULL || !conn_drain(g->extra, deadline_ns)))
		extra_close(g);
	g->extra_busy = false;
	for (uint32_t i = 0; i < g->conns; i++)
		client_finish(g, &g->clients[i], deadline_ns);
	g->app = NULL;
	g->result = NULL;
	return st;
}

void pawl__pg_gate_stop(struct pg_gate *g)
{
	pawl__gate_stop(&g->core);
}

PGconn *pawl__pg_gate_conn(struct pg_gate *g, uint32_t i)
{
	PRE(i <= g->conns);
	return i == g->conns ? g->extra : g->clients[i].conn;
}

enum pawl_status pawl__pg_gate_new(const char *conninfo, uint32_t conns, int64_t open_ns,
                                   struct pg_gate **ret_gate, struct pawl_error *err)
{
	struct pg_gate *g;
	enum pawl_status st;

	if (conns == 0 || conns > GATE_CLIENTS_MAX)
		return pawl__error_set(err, PAWL_E_INVALID, "a gate has 1 to %d connections",
		                       GATE_CLIENTS_MAX);
	if (strnlen(conninfo, CONNINFO_MAX) == CONNINFO_MAX)
		return pawl__error_set(err, PAWL_E_INVALID, "the URL of the database is too long");
	g = calloc(1, sizeof(*g));
	if (g == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for a gate");
	g->core.epoll_fd = -1;
	g->core.event_fd = -1;
	g->open_ns = open_ns > 0 ? open_ns : GATE_DEADLINE_DEFAULT_NS;
	g->conninfo = strdup(conninfo);
	g->clients = calloc(conns, sizeof(*g->clients));
	st = g->conninfo == NULL || g->clients == NULL
	             ? pawl__error_set(err, PAWL_E_NOMEM, "no memory for a gate")
	             : PAWL_OK;
	for (uint32_t i = 0; g->clients != NULL && i < conns; i++)
		pawl__arena_init(&g->clients[i].batch.arena, 1024, GATE_BATCH_BYTES_MAX);
	if (st == PAWL_OK) {
		g->conns = conns;
		st = conns_open(g, err);
	}
	if (st == PAWL_OK)
		st = pawl__gate_init(&g->core, &pg_ops, g, err);
	if (st != PAWL_OK) {
		pawl__pg_gate_free(g);
		return st;
	}
	*ret_gate = g;
	return PAWL_OK;
}

void pawl__pg_gate_free(struct pg_gate *g)
{
	if (g == NULL)
		return;
	for (uint32_t i = 0; i < g->conns; i++) {
		replies_clear(&g->clients[i]);
		PQfinish(g->clients[i].conn);
		pawl__arena_deinit(&g->clients[i].batch.arena);
	}
	PQfinish(g->extra);
	pawl__gate_deinit(&g->core);
	free(g->clients);
	free(g->conninfo);
	free(g);
}
