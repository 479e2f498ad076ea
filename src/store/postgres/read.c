/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads of committed rows: one snapshot, one round trip, on a connection of the pool.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/error.h"
#include "store/postgres/store.h"

/* Slots of the round trip; -1: not asked for. */
struct asked {
	int meta, orders, accounts, holds, records, leases, answers;
};

static int ask(struct pg_conn *c, const struct pg_wanted *w, enum pg_sql which, enum row_kind kind)
{
	if (w->count[kind] == 0)
		return -1;
	pawl__args_start(&c->args);
	pawl__pg_keys(&c->args, w, kind);
	return (int)pawl__pg_send(c, which);
}

static void ask_all(struct pg_shared *sh, struct pg_conn *c, const struct ws *ws, struct asked *ret)
{
	struct pg_wanted w;

	pawl__pg_wanted(ws, &w);
	(void)pawl__pg_send_bare(c, PG_SNAPSHOT);
	*ret = (struct asked){ .accounts = -1, .holds = -1, .answers = -1 };
	ret->meta = (int)pawl__pg_send_bare(c, PG_READ_META);
	ret->orders = ask(c, &w, PG_READ_ORDERS, ROW_ORDER);
	ret->records = ask(c, &w, PG_READ_RECORDS, ROW_RECORD);
	ret->leases = ask(c, &w, PG_READ_LEASES, ROW_LEASE);
	if (w.count[ROW_ACCOUNT] > 0) {
		pawl__args_start(&c->args);
		pawl__pg_keys(&c->args, &w, ROW_ACCOUNT);
		pawl__args_i64(&c->args, ws->now_us);
		ret->accounts = (int)pawl__pg_send(c, PG_READ_ACCOUNTS);
	}
	if (w.count[ROW_HOLD] > 0) {
		pawl__args_start(&c->args);
		pawl__pg_keys(&c->args, &w, ROW_HOLD);
		pawl__args_array(&c->args, PG_INT8);
		ret->holds = (int)pawl__pg_send(c, PG_HOLDS_GET);
	}
	if (w.count[ROW_ANSWER] > 0) {
		pawl__args_start(&c->args);
		pawl__pg_hashes(&c->args, &w, sh);
		ret->answers = (int)pawl__pg_send(c, PG_ANSWERS_GET);
	}
	(void)pawl__pg_send_bare(c, PG_COMMIT);
}

static const PGresult *result(const struct pg_conn *c, int slot)
{
	return slot < 0 ? NULL : pg_res(c, (unsigned)slot);
}

static enum pawl_status fill(struct pg_shared *sh, struct pg_conn *c, struct ws *ws,
                             const struct asked *q, struct pawl_error *err)
{
	const PGresult *meta = result(c, q->meta);
	const struct pg_rows rows = {
		.orders = result(c, q->orders),
		.accounts = result(c, q->accounts),
		.holds = result(c, q->holds),
		.records = result(c, q->records),
		.leases = result(c, q->leases),
		.answers = result(c, q->answers),
		.due = true,
		.retention_us = sh->retention_us,
		.sh = sh,
	};
	enum pawl_status st;

	if (ws->now_us < pg_i64(meta, 0, 1))
		ws->now_us = pg_i64(meta, 0, 1);
	ws->revision = pg_i64(meta, 0, 0);
	pawl__pg_clock_set(sh, c, pg_i64(meta, 0, 2));
	st = pawl__pg_fill(ws, &rows, err);
	if (st == PAWL_OK)
		pawl__pg_filled(ws);
	return st;
}

/* Send what ask queues. A connection that has idled may be dead: then once more on a new one. */
static enum pawl_status again_if_lost(struct pg_shared *sh, struct pg_conn *c, enum pawl_status st,
                                      struct pawl_error *err)
{
	if (st != PAWL_E_STORE_UNAVAILABLE || c->pg != NULL)
		return st;
	return pawl__pg_reconnect(sh, c, err);
}

enum pawl_status pawl__pg_read(struct pg_shared *sh, struct ws *ws, struct pawl_error *err)
{
	struct pg_reader *r;
	struct asked q;
	enum pawl_status st = pawl__pg_take(sh, &r, err);

	if (st != PAWL_OK)
		return st;
	if (ws->now_us == 0)
		ws->now_us = pawl__pg_clock_us(sh);
	ask_all(sh, &r->conn, ws, &q);
	st = pawl__pg_collect(&r->conn, PG_WAIT_US, err);
	if (st == PAWL_E_STORE_UNAVAILABLE && r->conn.pg == NULL) {
		st = again_if_lost(sh, &r->conn, st, err);
		if (st == PAWL_OK) {
			ask_all(sh, &r->conn, ws, &q);
			st = pawl__pg_collect(&r->conn, PG_WAIT_US, err);
		}
	}
	if (st == PAWL_OK)
		st = fill(sh, &r->conn, ws, &q, err);
	else
		pawl__pg_close(&r->conn); /* whatever state it is in */
	pawl__pg_give(sh, r);
	return st;
}

/* One statement by itself; its result is in slot *ret of the reader. */
static enum pawl_status read_one(struct pg_shared *sh, struct pg_reader *r, enum pg_sql which,
                                 unsigned *ret, struct pawl_error *err)
{
	enum pawl_status st;

	*ret = pawl__pg_send(&r->conn, which);
	st = pawl__pg_collect(&r->conn, PG_WAIT_US, err);
	if (st == PAWL_E_STORE_UNAVAILABLE && r->conn.pg == NULL) {
		st = again_if_lost(sh, &r->conn, st, err);
		if (st == PAWL_OK) {
			*ret = pawl__pg_send(&r->conn, which);
			st = pawl__pg_collect(&r->conn, PG_WAIT_US, err);
		}
	}
	return st;
}

enum pawl_status pawl__pg_due(struct pg_shared *sh, int64_t now_us, struct arena *arena,
                              struct store_due *ret, struct pawl_error *err)
{
	struct pg_reader *r;
	unsigned slot;
	enum pawl_status st = pawl__pg_take(sh, &r, err);

	if (st != PAWL_OK)
		return st;
	pawl__args_start(&r->conn.args);
	pawl__args_i64(&r->conn.args, now_us);
	pawl__args_i64(&r->conn.args, ret->max);
	st = read_one(sh, r, PG_READ_DUE, &slot, err);
	if (st == PAWL_OK) {
		const PGresult *res = pg_res(&r->conn, slot);

		for (int i = 0; i < PQntuples(res); i++)
			ret->ids[i] = pawl__arena_str(arena, pg_str(res, i, 0));
		if (arena->failed)
			st = pawl__error_set(err, PAWL_E_NOMEM,
			                     "the list of due accounts is over its limit");
		else
			ret->len = (uint32_t)PQntuples(res);
	}
	pawl__pg_give(sh, r);
	return st;
}

static void stats_fill(struct store_stats *s, const PGresult *r)
{
	const struct str version = pg_str(r, 0, 8), commit = pg_str(r, 0, 9),
			 fsync = pg_str(r, 0, 10);
	const bool standby = pg_str(r, 0, 11).len > 0;

	*s = (struct store_stats){
		.revision = pg_i64(r, 0, 0),
		.accounts = pg_i64(r, 0, 1),
		.holds_live = pg_i64(r, 0, 2),
		.orders = pg_i64(r, 0, 3),
		.records = pg_i64(r, 0, 4),
		.events = pg_i64(r, 0, 5),
		.jobs = pg_i64(r, 0, 6),
		.answers = -1,
		.file_bytes = pg_i64(r, 0, 7),
	};
	(void)snprintf(s->engine, sizeof(s->engine), "PostgreSQL %.*s", (int)version.len,
	               version.ptr);
	(void)snprintf(s->durability, sizeof(s->durability), "fsync=%.*s synchronous_commit=%.*s%s",
	               (int)fsync.len, fsync.ptr, (int)commit.len, commit.ptr,
	               standby ? ", standby" : "");
}

enum pawl_status pawl__pg_stats(struct pg_shared *sh, struct store_stats *ret,
                                struct pawl_error *err)
{
	struct pg_reader *r;
	unsigned slot;
	enum pawl_status st = pawl__pg_take(sh, &r, err);

	if (st != PAWL_OK)
		return st;
	pawl__args_start(&r->conn.args);
	st = read_one(sh, r, PG_READ_STATS, &slot, err);
	if (st == PAWL_OK) {
		stats_fill(ret, pg_res(&r->conn, slot));
		ret->commits = atomic_load_explicit(&sh->commits, memory_order_relaxed);
	}
	pawl__pg_give(sh, r);
	return st;
}
