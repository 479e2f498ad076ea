/* SPDX-License-Identifier: Apache-2.0 */
#include "store/postgres/postgres.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/postgres/store.h"

#define UPKEEP_PER_RETENTION 64

static enum pawl_status writable(const struct pg_store *s, struct pawl_error *err)
{
	if (s->sh->read_only)
		return pawl__error_set(err, PAWL_E_UNSUPPORTED, "the store is open for reading");
	return PAWL_OK;
}

/* A connection, and a row of pawl.lane. */
static enum pawl_status ready(struct pg_store *s, struct pawl_error *err)
{
	enum pawl_status st = writable(s, err);

	if (st == PAWL_OK && s->conn.pg == NULL) {
		st = pawl__pg_reconnect(s->sh, &s->conn, err);
		s->block = PG_BLOCK_UNKNOWN; /* the server may have lost what it had drawn */
	}
	if (st == PAWL_OK && s->lane == 0)
		st = pawl__pg_lane_open(s, err);
	return st;
}

static void forget(struct pg_store *s)
{
	if (s->sent)
		pawl__pg_held(s->sh, s->begun_us);
	s->sent = false;
	s->loaded = false;
	s->made = 0;
	s->counts = (struct pg_counts){ 0 };
	s->stale = NULL;
	s->stale_len = 0;
	s->stale_cap = 0;
	if (s->gaps)
		memset(s->gap, 0, sizeof(s->gap));
	s->gaps = false;
}

static void op_rollback(struct store *base)
{
	struct pg_store *s = pg_of(base);
	struct pg_conn *c = &s->conn;

	if (s->sent && c->pg != NULL && c->slots > 0 && !c->read)
		(void)!pawl__pg_collect(c, PG_WAIT_US, NULL); /* what was queued */
	if (s->sent && c->pg != NULL && PQtransactionStatus(c->pg) != PQTRANS_IDLE) {
		(void)pawl__pg_send_bare(c, PG_ROLLBACK);
		if (pawl__pg_collect(c, PG_WAIT_US, NULL) != PAWL_OK)
			pawl__pg_close(c);
	}
	forget(s);
}

static enum pawl_status op_begin(struct store *base, struct store_begin *ret,
                                 struct pawl_error *err)
{
	struct pg_store *s = pg_of(base);
	enum pawl_status st = ready(s, err);

	if (st != PAWL_OK)
		return st;
	forget(s);
	*ret = (struct store_begin){
		.real_us = pawl__pg_clock_us(s->sh),
		.high_water_us = atomic_load_explicit(&s->sh->high_water_us, memory_order_relaxed),
		.revision = s->revision,
		.answers_seq = s->answers_base + s->answers,
	};
	return PAWL_OK;
}

static enum pawl_status op_load(struct store *base, struct ws *ws, struct pawl_error *err)
{
	return pawl__pg_load(pg_of(base), ws, err);
}

static enum pawl_status op_expire(struct store *base, const struct ws_entry *account,
                                  int64_t now_us, int64_t revision, int64_t ret_freed_due[2],
                                  struct pawl_error *err)
{
	struct pg_store *s = pg_of(base);
	struct pg_args *a = &s->conn.args;
	enum pawl_status st;
	const PGresult *r;
	unsigned slot;

	pawl__args_start(a);
	pawl__args_i64(a, account->row.account.number);
	pawl__args_i64(a, now_us);
	pawl__args_i64(a, revision);
	slot = pawl__pg_send(&s->conn, PG_HOLDS_EXPIRE);
	st = pawl__pg_collect(&s->conn, PG_WAIT_US, err);
	if (st != PAWL_OK)
		return st;
	r = pg_res(&s->conn, slot);
	if (pg_i64(r, 0, 1) > account->row.account.held)
		return pawl__error_set(err, PAWL_E_CORRUPT, "an account holds less than its holds");
	s->counts.holds_live -= pg_i64(r, 0, 0);
	ret_freed_due[0] = pg_i64(r, 0, 1);
	ret_freed_due[1] = pg_i64(r, 0, 2);
	return PAWL_OK;
}

static enum pawl_status op_flush(struct store *base, struct ws *ws, struct pawl_error *err)
{
	return pawl__pg_flush(pg_of(base), ws, err);
}

static enum pawl_status op_commit(struct store *base, struct pawl_error *err)
{
	struct pg_store *s = pg_of(base);
	struct pg_conn *c = &s->conn;
	const unsigned slot = pawl__pg_send_bare(c, PG_COMMIT);
	enum pawl_status st = pawl__pg_collect(c, PG_WAIT_US, err);

	if (st == PAWL_OK && strcmp(PQcmdStatus(c->slot[slot].res), "COMMIT") != 0)
		st = pawl__error_set(err, PAWL_E_SERIALIZE, "the server has rolled back");
	if (st == PAWL_OK) {
		s->revision = s->next_revision > s->revision ? s->next_revision : s->revision;
		s->answers = s->next_answers;
		pawl__pg_high_water(s->sh, s->next_high_water_us);
		atomic_fetch_add_explicit(&s->sh->commits, 1, memory_order_relaxed);
		forget(s);
		return PAWL_OK;
	}
	/* The COMMIT may have been read, though no answer came. */
	if (c->lost) {
		s->block = PG_BLOCK_UNKNOWN;
		if (err != NULL)
			err->status = PAWL_E_OUTCOME_UNKNOWN;
		return PAWL_E_OUTCOME_UNKNOWN;
	}
	return st;
}

/* On a connection made for it, so that it asks whoever is the primary now. */
static enum pawl_status outcome_ask(struct pg_store *s, struct pg_conn *c, int64_t ret_row[2],
                                    enum store_outcome *ret, struct pawl_error *err)
{
	enum pawl_status st;
	unsigned slot;

	pawl__pg_close(c);
	st = pawl__pg_reconnect(s->sh, c, err);
	if (st != PAWL_OK)
		return st;
	(void)pawl__pg_send_bare(c, PG_BEGIN);
	pawl__args_start(&c->args);
	pawl__args_i64(&c->args, s->lane);
	pawl__args_i64(&c->args, s->owner);
	slot = pawl__pg_send(c, PG_LANE_ASK);
	(void)pawl__pg_send_bare(c, PG_ROLLBACK);
	st = pawl__pg_collect(c, PG_WAIT_US, err);
	if (st != PAWL_OK) {
		pawl__pg_close(c);
		return st;
	}
	if (PQntuples(pg_res(c, slot)) != 1) {
		*ret = STORE_NOT_KNOWN;
		return PAWL_OK;
	}
	*ret = STORE_NOT_COMMITTED;
	ret_row[0] = pg_i64(pg_res(c, slot), 0, 0);
	ret_row[1] = pg_i64(pg_res(c, slot), 0, 1);
	return PAWL_OK;
}

static enum pawl_status op_outcome(struct store *base, int64_t revision, int64_t answers_seq,
                                   enum store_outcome *ret, struct pawl_error *err)
{
	struct pg_store *s = pg_of(base);
	int64_t row[2] = { 0, 0 };
	struct pg_reader *r;
	enum pawl_status st = pawl__pg_take(s->sh, &r, err);

	if (st != PAWL_OK)
		return st;
	st = outcome_ask(s, &r->conn, row, ret, err);
	pawl__pg_give(s->sh, r);
	if (st != PAWL_OK || *ret == STORE_NOT_KNOWN)
		return st;
	if (row[0] >= revision && s->answers_base + row[1] >= answers_seq)
		*ret = STORE_COMMITTED;
	s->answers = row[1];
	if (row[0] > s->revision)
		s->revision = row[0];
	return PAWL_OK;
}

static enum pawl_status op_read(struct store *base, struct ws *ws, struct pawl_error *err)
{
	return pawl__pg_read(pg_of(base)->sh, ws, err);
}

static enum pawl_status op_due(struct store *base, int64_t now_us, struct arena *arena,
                               struct store_due *ret, struct pawl_error *err)
{
	return pawl__pg_due(pg_of(base)->sh, now_us, arena, ret, err);
}

static enum pawl_status op_housekeep(struct store *base, bool idle, struct pawl_error *err)
{
	struct pg_store *s = pg_of(base);
	const int64_t now_us = atomic_load_explicit(&s->sh->high_water_us, memory_order_relaxed);
	enum pawl_status st;

	(void)idle;
	if (s->sh->read_only || now_us < s->upkeep_us)
		return PAWL_OK;
	st = ready(s, err);
	if (st == PAWL_OK)
		st = pawl__pg_upkeep(s->sh, &s->conn, err);
	if (st == PAWL_OK)
		s->upkeep_us = now_us + s->sh->retention_us / UPKEEP_PER_RETENTION;
	return st;
}

static enum pawl_status op_audit(struct store *base, store_drift_fn drift, void *arg,
                                 struct store_audit *ret, struct pawl_error *err)
{
	return pawl__pg_audit(pg_of(base)->sh, drift, arg, ret, err);
}

static enum pawl_status op_stats(struct store *base, struct store_stats *ret,
                                 struct pawl_error *err)
{
	return pawl__pg_stats(pg_of(base)->sh, ret, err);
}

static enum pawl_status op_examine(struct store *base, store_finding_fn found, void *arg,
                                   struct pawl_error *err)
{
	return pawl__pg_examine(pg_of(base)->sh, found, arg, err);
}

static void op_clock(struct store *base, int64_t *ret_real_us, int64_t *ret_mono_us)
{
	*ret_real_us = pawl__pg_clock_us(pg_of(base)->sh);
	*ret_mono_us = pawl__clock_mono_us();
}

static void op_close(struct store *base)
{
	struct pg_store *s = pg_of(base);
	struct pg_shared *sh = s->sh;

	if (!sh->read_only)
		pawl__pg_lane_close(s);
	pawl__pg_deinit(&s->conn);
	if (!sh->read_only)
		pawl__pg_writer_leave(sh);
	if (s->first) {
		pawl__pg_shared_deinit(sh);
		free(sh);
	}
	free(s);
}

static enum pawl_status op_another(struct store *base, struct store **ret, struct pawl_error *err);

static const struct store_ops postgres_ops = {
	.name = "postgresql",
	.caps = STORE_CAP_DURABLE | STORE_CAP_REMOTE,
	.another = op_another,
	.begin = op_begin,
	.load = op_load,
	.expire = op_expire,
	.flush = op_flush,
	.commit = op_commit,
	.rollback = op_rollback,
	.outcome = op_outcome,
	.read = op_read,
	.due = op_due,
	.housekeep = op_housekeep,
	.audit = op_audit,
	.stats = op_stats,
	.examine = op_examine,
	.clock = op_clock,
	.close = op_close,
};

static struct pg_store *writer_new(struct pg_shared *sh, bool first)
{
	struct pg_store *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->base.ops = &postgres_ops;
	s->sh = sh;
	s->first = first;
	s->block = PG_BLOCK_UNKNOWN;
	pawl__pg_init(&s->conn);
	return s;
}

static enum pawl_status op_another(struct store *base, struct store **ret, struct pawl_error *err)
{
	struct pg_shared *sh = pg_of(base)->sh;
	enum pawl_status st = writable(pg_of(base), err);
	struct pg_store *s;

	if (st != PAWL_OK)
		return st;
	if (!pawl__pg_writer_join(sh))
		return pawl__error_set(err, PAWL_E_UNSUPPORTED,
		                       "%u connections are too few for one more writer: one is "
		                       "kept for reads",
		                       sh->max);
	s = writer_new(sh, false);
	if (s == NULL) {
		pawl__pg_writer_leave(sh);
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for the store");
	}
	st = ready(s, err);
	if (st != PAWL_OK) {
		op_close(&s->base);
		return st;
	}
	*ret = &s->base;
	return PAWL_OK;
}

/* The first connection makes the tables. */
static enum pawl_status open_first(struct pg_store *s, struct pawl_error *err)
{
	struct pg_shared *sh = s->sh;
	struct pg_hello hello;
	enum pawl_status st = pawl__pg_connect(&s->conn, &sh->url, &hello, err);

	if (st != PAWL_OK)
		return st;
	pawl__pg_clock_set(sh, &s->conn, hello.now_us);
	st = pawl__pg_schema(&s->conn, sh->read_only, sh->hash_key, err);
	if (sh->read_only)
		pawl__pg_close(&s->conn); /* reads have their own */
	else if (st == PAWL_OK)
		st = ready(s, err);
	return st;
}

enum pawl_status pawl__postgres_open(const char *url, const struct store_options *opt,
                                     struct store **ret, struct pawl_error *err)
{
	struct pg_shared *sh = malloc(sizeof(*sh));
	struct pg_store *s;
	enum pawl_status st;

	PRE(opt->retention_us > 0 && ret != NULL);
	if (sh == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for the store");
	pawl__pg_shared_init(sh, opt->connections_max);
	sh->retention_us = opt->retention_us;
	sh->read_only = opt->read_only;
	s = writer_new(sh, true);
	st = s == NULL ? pawl__error_set(err, PAWL_E_NOMEM, "no memory for the store") : PAWL_OK;
	if (st == PAWL_OK)
		st = pawl__pg_url_parse(url, sh->read_only, &sh->url, err);
	if (s == NULL) {
		pawl__pg_shared_deinit(sh);
		free(sh);
		return st;
	}
	if (!sh->read_only && !pawl__pg_writer_join(sh)) {
		sh->writers++; /* op_close counts it off */
		st = pawl__error_set(err, PAWL_E_CONFIG,
		                     "a store on PostgreSQL needs at least two connections");
	}
	if (st == PAWL_OK && sh->max > PG_POOL_MAX)
		st = pawl__error_set(err, PAWL_E_CONFIG, "at most %u connections", PG_POOL_MAX);
	if (st == PAWL_OK)
		st = open_first(s, err);
	if (st != PAWL_OK) {
		op_close(&s->base);
		return st;
	}
	*ret = &s->base;
	return PAWL_OK;
}
