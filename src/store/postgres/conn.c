/* SPDX-License-Identifier: Apache-2.0 */
#include "store/postgres/conn.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"

static_assert(PG_STATEMENTS <= 64, "a bit for each statement");

static const char *const sql_text[PG_STATEMENTS] = {
#define X(name, text) [PG_##name] = (text),
	PG_SQL_TABLE(X)
#undef X
};

/* Of the connection itself; any other failure has a result. */
static enum pawl_status pg_lost(struct pg_conn *c, struct pawl_error *err)
{
	const char *said = PQerrorMessage(c->pg);
	const size_t len = strcspn(said, "\n");

	(void)pawl__error_set(err, PAWL_E_STORE_UNAVAILABLE, "PostgreSQL: %.*s",
	                      len == 0 ? 15 : (int)len, len == 0 ? "connection lost" : said);
	pawl__pg_close(c);
	return PAWL_E_STORE_UNAVAILABLE;
}

/* SQLSTATE, or the start of one, and what it means for the transaction. First match. */
static const struct {
	char state[6];
	enum pawl_status status;
} states[] = {
	{ "40002", PAWL_E_CORRUPT },           /* a constraint, at commit */
	{ "40", PAWL_E_SERIALIZE },            /* serialization failure, deadlock */
	{ "23505", PAWL_E_SERIALIZE },         /* somebody else was first */
	{ "0A000", PAWL_E_SERIALIZE },         /* a plan from before a migration */
	{ "55P03", PAWL_E_BUSY },              /* lock timeout */
	{ "57014", PAWL_E_BUSY },              /* cancelled, statement timeout */
	{ "22", PAWL_E_CORRUPT },              /* out of range, not UTF-8, PG_EXACTLY */
	{ "23", PAWL_E_CORRUPT },              /* any other constraint */
	{ "XX001", PAWL_E_CORRUPT },           /* damaged pages */
	{ "XX002", PAWL_E_CORRUPT },           /* damaged index */
	{ "26000", PAWL_E_STORE_UNAVAILABLE }, /* a pooler that we did not see: reconnected */
	{ "42P05", PAWL_E_STORE_UNAVAILABLE },
	{ "42", PAWL_E_SCHEMA }, /* what should be there is not, or is not ours to use */
	{ "3F", PAWL_E_SCHEMA },
};

static enum pawl_status state_status(const char *state)
{
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		if (strncmp(state, states[i].state, strlen(states[i].state)) == 0)
			return states[i].status;
	}
	/* Disk full, too many connections, shutdown, read-only, out of memory, a pooler's own. */
	return PAWL_E_STORE_UNAVAILABLE;
}

static enum pawl_status pg_fail(struct pg_conn *c, const PGresult *r, struct pawl_error *err)
{
	const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
	const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
	enum pawl_status st;

	if (state == NULL) /* libpq's own: the connection */
		return pawl__error_set(err, PAWL_E_STORE_UNAVAILABLE,
		                       "PostgreSQL: the connection was lost");
	st = state_status(state);
	if (strcmp(state, "26000") == 0 || strcmp(state, "42P05") == 0)
		c->named = false;
	(void)pawl__error_set(err, st, "PostgreSQL: %s (%s)", text == NULL ? "?" : text, state);
	if (err != NULL)
		(void)snprintf(err->sqlstate, sizeof(err->sqlstate), "%s", state);
	return st;
}

static void slots_clear(struct pg_conn *c)
{
	for (unsigned i = 0; i < c->slots; i++)
		PQclear(c->slot[i].res);
	c->slots = 0;
	c->read = false;
}

void pawl__pg_init(struct pg_conn *c)
{
	*c = (struct pg_conn){ .pg = NULL };
	pawl__args_init(&c->args);
}

void pawl__pg_close(struct pg_conn *c)
{
	if (c->pg != NULL)
		PQfinish(c->pg);
	c->pg = NULL;
	c->has = 0;
	c->broken = false;
}

void pawl__pg_deinit(struct pg_conn *c)
{
	slots_clear(c);
	pawl__pg_close(c);
	pawl__args_deinit(&c->args);
}

static void notice_ignore(void *arg, const PGresult *res)
{
	(void)arg;
	(void)res;
}

/* Results that have been read belong to the round trip before. */
static unsigned slot_next(struct pg_conn *c, enum pg_sql which, bool prepares)
{
	if (c->read)
		slots_clear(c);
	PRE(c->slots < PG_SLOTS_MAX);
	c->slot[c->slots] = (struct pg_slot){ .which = which, .prepares = prepares };
	return c->slots++;
}

struct pg_params {
	const char *value[PG_ARGS_MAX];
	int len[PG_ARGS_MAX];
	int format[PG_ARGS_MAX];
};

static bool params_of(struct pg_args *a, struct pg_params *ret)
{
	if (!pawl__args_end(a))
		return false;
	for (unsigned i = 0; i < a->len; i++) {
		ret->value[i] = a->at[i].data;
		ret->len[i] = (int)a->at[i].len;
		ret->format[i] = 1;
	}
	return true;
}

static unsigned send_unnamed(struct pg_conn *c, const char *text)
{
	const unsigned slot = slot_next(c, PG_STATEMENTS, false);
	struct pg_params p;

	if (c->pg == NULL || c->broken || !params_of(&c->args, &p) ||
	    PQsendQueryParams(c->pg, text, (int)c->args.len, NULL, p.value, p.len, p.format, 1) !=
	            1)
		c->broken = true;
	return slot;
}

unsigned pawl__pg_send_text(struct pg_conn *c, const char *text)
{
	return send_unnamed(c, text);
}

unsigned pawl__pg_send_plain(struct pg_conn *c, const char *text)
{
	pawl__args_start(&c->args);
	return send_unnamed(c, text);
}

unsigned pawl__pg_send(struct pg_conn *c, enum pg_sql which)
{
	const uint64_t bit = UINT64_C(1) << which;
	struct pg_params p;
	char name[16];
	unsigned slot;

	if (!c->named)
		return send_unnamed(c, sql_text[which]);
	(void)snprintf(name, sizeof(name), "pawl_%d", (int)which);
	if ((c->has & bit) == 0) {
		(void)slot_next(c, which, true);
		if (c->pg == NULL || c->broken ||
		    PQsendPrepare(c->pg, name, sql_text[which], 0, NULL) != 1)
			c->broken = true;
		c->has |= bit;
	}
	slot = slot_next(c, which, false);
	if (c->pg == NULL || c->broken || !params_of(&c->args, &p) ||
	    PQsendQueryPrepared(c->pg, name, (int)c->args.len, p.value, p.len, p.format, 1) != 1)
		c->broken = true;
	return slot;
}

unsigned pawl__pg_send_bare(struct pg_conn *c, enum pg_sql which)
{
	pawl__args_start(&c->args);
	return pawl__pg_send(c, which);
}

/* Until a result can be taken without waiting. False: the connection is gone, or too slow. */
static bool pg_wait(struct pg_conn *c, int64_t until_us)
{
	while (PQisBusy(c->pg)) {
		const int unsent = PQflush(c->pg);
		const int64_t left_us = until_us - pawl__clock_mono_us();
		struct pollfd p = { .fd = PQsocket(c->pg), .events = POLLIN };
		int n;

		if (unsent < 0)
			return false;
		/* While there is something to send, read as well: else both ends might wait. */
		if (unsent > 0)
			p.events |= POLLOUT;
		if (left_us <= 0 || p.fd < 0)
			return false;
		n = poll(&p, 1, (int)(left_us / 1000 < INT32_MAX ? left_us / 1000 + 1 : INT32_MAX));
		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0 && (p.revents & (POLLIN | POLLERR | POLLHUP)) != 0 &&
		    PQconsumeInput(c->pg) != 1)
			return false;
	}
	return true;
}

/* The next result that is one; NULL: lost. */
static PGresult *pg_next(struct pg_conn *c, int64_t until_us)
{
	/* Behind the result of a statement stands a NULL. Two in a row: libpq has given up. */
	for (int i = 0; i < 2; i++) {
		PGresult *r;

		if (!pg_wait(c, until_us))
			return NULL;
		r = PQgetResult(c->pg);
		if (r != NULL)
			return r;
	}
	return NULL;
}

static bool result_ok(const PGresult *r)
{
	const ExecStatusType t = PQresultStatus(r);

	return t == PGRES_COMMAND_OK || t == PGRES_TUPLES_OK;
}

/* A statement that failed by itself, and not with its session: those behind it have not run. */
static bool result_definite(const PGresult *r)
{
	const char *severity = PQresultErrorField(r, PG_DIAG_SEVERITY_NONLOCALIZED);

	return severity != NULL && strcmp(severity, "ERROR") == 0;
}

static enum pawl_status collect(struct pg_conn *c, int64_t until_us, struct pawl_error *err)
{
	enum pawl_status st = PAWL_OK;
	unsigned i = 0;

	c->lost = true;
	for (;;) {
		PGresult *r = pg_next(c, until_us);

		if (r == NULL && st == PAWL_OK)
			return pg_lost(c, err);
		if (r == NULL || PQresultStatus(r) == PGRES_PIPELINE_SYNC) {
			c->lost = c->lost && r == NULL;
			PQclear(r);
			return st;
		}
		if (!result_ok(r)) {
			c->lost = c->lost && !result_definite(r);
			if (st == PAWL_OK)
				st = pg_fail(c, r, err);
			if (i < c->slots && c->slot[i].prepares)
				c->has &= ~(UINT64_C(1) << c->slot[i].which);
		}
		/* A FATAL of the server may come when nothing was asked. */
		if (i < c->slots)
			c->slot[i++].res = r;
		else
			PQclear(r);
	}
}

enum pawl_status pawl__pg_collect(struct pg_conn *c, int64_t wait_us, struct pawl_error *err)
{
	enum pawl_status st;

	c->lost = false;
	c->sent_us = pawl__clock_mono_us();
	if (c->pg == NULL) {
		st = pawl__error_set(err, PAWL_E_STORE_UNAVAILABLE,
		                     "PostgreSQL: the connection was lost");
	} else if (c->broken && PQstatus(c->pg) == CONNECTION_OK) {
		pawl__pg_close(c); /* what was queued must not run in part */
		st = pawl__error_set(err, PAWL_E_NOMEM, "the batch is over its memory limit");
	} else if (c->broken) {
		st = pg_lost(c, err);
	} else if (PQpipelineSync(c->pg) != 1) {
		c->lost = true;
		st = pg_lost(c, err);
	} else {
		st = collect(c, c->sent_us + wait_us, err);
		if (c->lost || st == PAWL_E_STORE_UNAVAILABLE)
			pawl__pg_close(c);
	}
	c->seen_us = pawl__clock_mono_us();
	c->read = true;
	return st;
}

bool pawl__pg_done(const struct pg_conn *c, unsigned slot)
{
	return slot < c->slots && c->slot[slot].res != NULL && result_ok(c->slot[slot].res);
}

static enum pawl_status hello_check(const PGresult *r, const struct pg_url *url,
                                    struct pawl_error *err)
{
	static const char *const settings[] = { "fsync", "full_page_writes", "synchronous_commit" };

	if (pg_i64(r, 0, 6) < PG_VERSION_MIN)
		return pawl__error_set(err, PAWL_E_CONFIG, "PostgreSQL is older than 15");
	if (!str_eq(pg_str(r, 0, 5), STR("UTF8")))
		return pawl__error_set(err, PAWL_E_CONFIG, "the database's encoding is not UTF8");
	for (int i = 0; i < 3 && !url->unsafe_durability; i++) {
		if (str_eq(pg_str(r, 0, 2 + i), STR("off")))
			return pawl__error_set(
				err, PAWL_E_CONFIG,
				"PostgreSQL runs with %s = off: what it acknowledges may be lost; "
				"turn it on, or say unsafe_durability=yes in the URL",
				settings[i]);
	}
	return PAWL_OK;
}

static enum pawl_status hello(struct pg_conn *c, const struct pg_url *url, struct pg_hello *ret,
                              struct pawl_error *err)
{
	const unsigned slot = pawl__pg_send_bare(c, PG_HELLO);
	enum pawl_status st = pawl__pg_collect(c, PG_WAIT_US, err);
	const PGresult *r;

	if (st != PAWL_OK)
		return st;
	r = pg_res(c, slot);
	st = hello_check(r, url, err);
	c->named = url->prepare == PG_PREPARE_ON ||
	           (url->prepare == PG_PREPARE_AUTO && pg_i64(r, 0, 0) == PQbackendPID(c->pg));
	*ret = (struct pg_hello){ .now_us = pg_i64(r, 0, 1), .version = pg_i64(r, 0, 6) };
	return st;
}

enum pawl_status pawl__pg_connect(struct pg_conn *c, const struct pg_url *url, struct pg_hello *ret,
                                  struct pawl_error *err)
{
	enum pawl_status st;

	PRE(c->pg == NULL);
	slots_clear(c);
	c->named = false;
	c->broken = false;
	c->pg = PQconnectdbParams(url->keyword, url->value, 0);
	if (c->pg == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for a connection");
	if (PQstatus(c->pg) != CONNECTION_OK)
		return pg_lost(c, err);
	(void)PQsetNoticeReceiver(c->pg, notice_ignore, NULL);
	if (PQsetnonblocking(c->pg, 1) != 0 || PQenterPipelineMode(c->pg) != 1)
		return pg_lost(c, err);
	st = hello(c, url, ret, err);
	if (st != PAWL_OK)
		pawl__pg_close(c);
	return st;
}
