/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lanes come and go, and answers expire.
 *
 * Answers: a part is written until it is half a retention old, and dropped when its youngest answer
 * has expired; so there are three or four. That a key is answered once holds within a part by its
 * constraint, and across parts because the next part begins while no batch is open: every batch
 * holds a lock on its row of pawl.lane from its first look to its commit, and the change of parts
 * locks that table against all of them. It waits for them PATIENCE only; if one takes longer, the
 * part lasts a little longer, too.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/rng.h"
#include "store/postgres/store.h"

#define PARTS     2 /* of a retention */
#define PATIENCE  "SELECT set_config('lock_timeout', '100ms', true)"
#define LANE_DAYS "7" /* a lane that has been silent for so long is gone */

/* The counts of the rows that `dead` deletes are added to row 0. */
#define FOLD(dead)                                                                                 \
	"WITH dead AS (DELETE FROM pawl.lane WHERE id <> 0 AND id IN (" dead ") RETURNING *)"      \
	" UPDATE pawl.lane l SET revision = greatest(l.revision, d.revision),"                     \
	" answers = l.answers + d.answers, accounts = l.accounts + d.accounts,"                    \
	" high_water_us = greatest(l.high_water_us, d.high_water_us),"                             \
	" holds_live = l.holds_live + d.holds_live, orders = l.orders + d.orders,"                 \
	" records = l.records + d.records, events = l.events + d.events, jobs = l.jobs + d.jobs"   \
	" FROM (SELECT max(revision) AS revision, sum(answers)::bigint AS answers,"                \
	" max(high_water_us) AS high_water_us, sum(accounts)::bigint AS accounts,"                 \
	" sum(holds_live)::bigint AS holds_live, sum(orders)::bigint AS orders,"                   \
	" sum(records)::bigint AS records, sum(events)::bigint AS events,"                         \
	" sum(jobs)::bigint AS jobs FROM dead HAVING count(*) > 0) d WHERE l.id = 0"

/*
 * Revisions go on without a gap if nobody has any under way: the sequence is read first, then every
 * lane must be free. Whoever draws after that is noticed by the next draw.
 */
static const char *const lane_open_sql[] = {
	"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
	"SELECT last_value, is_called::integer::bigint FROM pawl.revision",
	"SELECT count(*), max(revision) FROM (SELECT revision FROM pawl.lane FOR UPDATE SKIP "
	"LOCKED) l",
	"SELECT count(*), max(revision), sum(answers)::bigint, max(high_water_us) FROM pawl.lane",
	FOLD("SELECT id FROM pawl.lane WHERE seen < clock_timestamp() - interval '" LANE_DAYS
	     " days' FOR UPDATE SKIP LOCKED"),
	NULL, /* the new row */
	"COMMIT",
};

enum pawl_status pawl__pg_lane_open(struct pg_store *s, struct pawl_error *err)
{
	const int64_t owner = (int64_t)(pawl__rng_os() >> 1) | 1;
	const PGresult *seq, *free, *all;
	unsigned slot[ARRAY_LEN(lane_open_sql)];
	enum pawl_status st;
	char sql[96];

	(void)snprintf(sql, sizeof(sql),
	               "INSERT INTO pawl.lane (owner) VALUES (%" PRId64 ") RETURNING id", owner);
	for (size_t i = 0; i < ARRAY_LEN(lane_open_sql); i++)
		slot[i] = pawl__pg_send_plain(&s->conn,
		                              lane_open_sql[i] == NULL ? sql : lane_open_sql[i]);
	st = pawl__pg_collect(&s->conn, PG_WAIT_US, err);
	if (st != PAWL_OK) {
		pawl__pg_close(&s->conn);
		return st;
	}
	seq = pg_res(&s->conn, slot[1]);
	free = pg_res(&s->conn, slot[2]);
	all = pg_res(&s->conn, slot[3]);
	s->owner = owner;
	s->lane = pg_i64(pg_res(&s->conn, slot[5]), 0, 0);
	s->answers = 0;
	s->answers_base = pg_i64(all, 0, 2);
	s->revision = pg_i64(all, 0, 1);
	s->block = PG_BLOCK_UNKNOWN;
	if (pg_i64(free, 0, 0) == pg_i64(all, 0, 0) && pg_i64(free, 0, 1) == s->revision)
		s->block = pg_i64(seq, 0, 1) != 0 ? pg_i64(seq, 0, 0) : pg_i64(seq, 0, 0) - 1;
	pawl__pg_high_water(s->sh, pg_i64(all, 0, 3));
	return PAWL_OK;
}

void pawl__pg_lane_close(struct pg_store *s)
{
	char sql[1024];

	if (s->lane == 0 || s->conn.pg == NULL)
		return;
	(void)snprintf(sql, sizeof(sql), FOLD("SELECT %" PRId64 "::bigint"), s->lane);
	(void)pawl__pg_send_bare(&s->conn, PG_BEGIN);
	(void)pawl__pg_send_plain(&s->conn, PATIENCE);
	(void)pawl__pg_send_plain(&s->conn, sql);
	(void)pawl__pg_send_bare(&s->conn, PG_COMMIT);
	(void)!pawl__pg_collect(&s->conn, PG_WAIT_US, NULL); /* if not, it will be found silent */
	s->lane = 0;
}

static enum pawl_status end(struct pg_conn *c, enum pawl_status st, struct pawl_error *err)
{
	if (c->pg != NULL && st != PAWL_OK) {
		(void)pawl__pg_send_bare(c, PG_ROLLBACK);
		if (pawl__pg_collect(c, PG_WAIT_US, NULL) != PAWL_OK)
			pawl__pg_close(c);
	}
	/* Somebody was in the way, or another node has just done it: next time. */
	if (st == PAWL_E_BUSY || st == PAWL_E_SERIALIZE || st == PAWL_E_SCHEMA) {
		if (err != NULL)
			err->status = PAWL_OK;
		return PAWL_OK;
	}
	return st;
}

static enum pawl_status part_next(struct pg_conn *c, int64_t part, struct pawl_error *err)
{
	char create[128], attach[160], finish[192], begin[192];

	(void)snprintf(create, sizeof(create),
	               "CREATE TABLE pawl.answer_%" PRId64 " (LIKE pawl.answer INCLUDING ALL)",
	               part + 1);
	(void)snprintf(attach, sizeof(attach),
	               "ALTER TABLE pawl.answer ATTACH PARTITION pawl.answer_%" PRId64
	               " FOR VALUES IN (%" PRId64 ")",
	               part + 1, part + 1);
	(void)snprintf(finish, sizeof(finish),
	               "UPDATE pawl.answer_part SET ended_us = greatest(begun_us,"
	               " (SELECT max(high_water_us) FROM pawl.lane)) WHERE part = %" PRId64,
	               part);
	(void)snprintf(begin, sizeof(begin),
	               "INSERT INTO pawl.answer_part SELECT %" PRId64
	               ", max(high_water_us), NULL FROM pawl.lane",
	               part + 1);
	(void)pawl__pg_send_bare(c, PG_BEGIN);
	(void)pawl__pg_send_plain(c, PATIENCE);
	(void)pawl__pg_send_plain(c, create);
	(void)pawl__pg_send_plain(c, attach);
	(void)pawl__pg_send_plain(c, "LOCK TABLE pawl.lane IN EXCLUSIVE MODE");
	(void)pawl__pg_send_plain(c, finish);
	(void)pawl__pg_send_plain(c, begin);
	(void)pawl__pg_send_bare(c, PG_COMMIT);
	return end(c, pawl__pg_collect(c, PG_WAIT_US, err), err);
}

static enum pawl_status part_drop(struct pg_conn *c, int64_t part, struct pawl_error *err)
{
	char drop[64], forget[96];

	(void)snprintf(drop, sizeof(drop), "DROP TABLE pawl.answer_%" PRId64, part);
	(void)snprintf(forget, sizeof(forget), "DELETE FROM pawl.answer_part WHERE part = %" PRId64,
	               part);
	(void)pawl__pg_send_bare(c, PG_BEGIN);
	(void)pawl__pg_send_plain(c, PATIENCE);
	(void)pawl__pg_send_plain(c, drop);
	(void)pawl__pg_send_plain(c, forget);
	(void)pawl__pg_send_bare(c, PG_COMMIT);
	return end(c, pawl__pg_collect(c, PG_WAIT_US, err), err);
}

enum pawl_status pawl__pg_upkeep(struct pg_shared *sh, struct pg_conn *c, struct pawl_error *err)
{
	const unsigned slot = pawl__pg_send_plain(
		c, "SELECT part, begun_us, ended_us, max(l.high_water_us) FROM pawl.answer_part,"
		   " pawl.lane l GROUP BY 1, 2, 3 ORDER BY part");
	enum pawl_status st = pawl__pg_collect(c, PG_WAIT_US, err);
	int64_t last = 0, last_begun_us = 0, first = 0, first_ended_us = 0, now_us = 0;
	const PGresult *r;

	if (st != PAWL_OK)
		return st;
	r = pg_res(c, slot);
	for (int i = 0; i < PQntuples(r); i++) {
		now_us = pg_i64(r, i, 3);
		if (PQgetisnull(r, i, 2)) {
			last = pg_i64(r, i, 0);
			last_begun_us = pg_i64(r, i, 1);
		} else if (first == 0) {
			first = pg_i64(r, i, 0);
			first_ended_us = pg_i64(r, i, 2);
		}
	}
	if (first != 0 && first_ended_us <= now_us - sh->retention_us)
		st = part_drop(c, first, err);
	if (st == PAWL_OK && c->pg != NULL && last != 0 &&
	    last_begun_us <= now_us - sh->retention_us / PARTS)
		st = part_next(c, last, err);
	return st;
}
