/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/answers.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/error.h"
#include "pawl/limits.h"
#include "store/sqlite/bulk.h"
#include "store/sqlite/runs.h"

static const struct answers_tuning answers_defaults = {
	.run_max = ANSWERS_RUN_MAX,
	.slice_min = ANSWERS_SLICE_MIN,
	.filters_max = ANSWERS_FILTERS_MAX,
	.hash_mask = UINT64_MAX,
};

static struct memtable *answers_active(struct answers *a)
{
	return &a->table[a->active];
}

static struct memtable *answers_frozen(struct answers *a)
{
	return &a->table[!a->active];
}

static int64_t active_run(const struct answers *a)
{
	return a->run[a->active];
}

static int64_t frozen_run(const struct answers *a)
{
	return a->run[!a->active];
}

static enum pawl_status answers_nomem(struct pawl_error *err)
{
	return pawl__error_set(err, PAWL_E_NOMEM, "no memory for the index of answers");
}

uint64_t pawl__answers_hash(const struct answers *a, struct str caller, struct str key)
{
	unsigned char in[PAWL_CALLER_MAX + 1 + PAWL_KEY_MAX];
	uint64_t hash;

	static_assert(sizeof(hash) == crypto_shorthash_BYTES, "SipHash gives 64 bits");
	static_assert(ANSWERS_SEED_LEN == crypto_shorthash_KEYBYTES, "SipHash takes 128 bits");
	PRE(caller.len <= PAWL_CALLER_MAX && key.len <= PAWL_KEY_MAX);
	if (caller.len > 0)
		memcpy(in, caller.ptr, caller.len);
	in[caller.len] = 0;
	if (key.len > 0)
		memcpy(in + caller.len + 1, key.ptr, key.len);
	(void)crypto_shorthash((unsigned char *)&hash, in, caller.len + 1 + key.len, a->seed);
	return hash & a->tuning.hash_mask;
}

/* Open: memory from rows. */

static enum pawl_status seed_read(struct answers *a, struct conn *c, struct pawl_error *err)
{
	sqlite3_stmt *q;
	int rc = sqlite3_prepare_v2(c->db, "SELECT hash_seed FROM meta", -1, &q, NULL);

	if (rc != SQLITE_OK)
		return pawl__conn_fail(c, rc, err);
	rc = sqlite3_step(q);
	if (rc == SQLITE_ROW && sqlite3_column_bytes(q, 0) == ANSWERS_SEED_LEN)
		memcpy(a->seed, sqlite3_column_blob(q, 0), ANSWERS_SEED_LEN);
	else
		rc = SQLITE_CORRUPT;
	(void)sqlite3_finalize(q);
	return rc == SQLITE_ROW ? PAWL_OK : pawl__conn_fail(c, rc, err);
}

static bool runs_reserve(struct answers *a)
{
	const uint32_t cap = a->runs_cap == 0 ? 16 : a->runs_cap * 2;
	struct answer_run *p;

	if (a->runs_len < a->runs_cap)
		return true;
	p = realloc(a->runs, cap * sizeof(*p));
	if (p == NULL)
		return false;
	a->runs = p;
	a->runs_cap = cap;
	return true;
}

static enum pawl_status open_run_read(struct answers *a, int64_t run, struct pawl_error *err)
{
	/* Youngest first, (3), (5). */
	if (a->runs_len > 0 || frozen_run(a) != 0)
		return pawl__error_set(err, PAWL_E_CORRUPT,
		                       "a run of answers is open that may not be");
	a->run[active_run(a) == 0 ? a->active : !a->active] = run;
	return PAWL_OK;
}

static enum pawl_status run_read(struct answers *a, sqlite3_stmt *q, struct pawl_error *err)
{
	const enum run_state state = (enum run_state)sqlite3_column_int(q, 1);
	struct answer_run r = {
		.run = sqlite3_column_int64(q, 0),
		.answers = sqlite3_column_int64(q, 2),
		.max_at_us = sqlite3_column_int64(q, 3),
		.going = state == RUN_GOING,
	};
	const size_t len = (size_t)sqlite3_column_int64(q, 4);

	if (state == RUN_OPEN)
		return open_run_read(a, r.run, err);
	if (!runs_reserve(a))
		return answers_nomem(err);
	/* Youngest first: the oldest go without. The bytes are not even read then. */
	if (!r.going && a->filters_len + len <= a->tuning.filters_max) {
		const void *bytes = sqlite3_column_blob(q, 5);

		if (bytes == NULL || !pawl__filter_restore(&r.filter, bytes, len))
			return answers_nomem(err);
		a->filters_len += len;
	}
	a->runs[a->runs_len++] = r;
	return PAWL_OK;
}

static enum pawl_status runs_read(struct answers *a, struct conn *c, struct pawl_error *err)
{
	enum pawl_status st = PAWL_OK;
	sqlite3_stmt *q;
	int rc = sqlite3_prepare_v2(c->db,
	                            "SELECT run, state, answers, max_at_us, length(filter),"
	                            " filter FROM answer_run ORDER BY run DESC",
	                            -1, &q, NULL);

	if (rc != SQLITE_OK)
		return pawl__conn_fail(c, rc, err);
	while (st == PAWL_OK && (rc = sqlite3_step(q)) == SQLITE_ROW)
		st = run_read(a, q, err);
	if (st == PAWL_OK && rc != SQLITE_DONE)
		st = pawl__conn_fail(c, rc, err);
	(void)sqlite3_finalize(q);
	for (uint32_t i = 0; i < a->runs_len / 2; i++) {
		const struct answer_run r = a->runs[i];

		a->runs[i] = a->runs[a->runs_len - 1 - i];
		a->runs[a->runs_len - 1 - i] = r;
	}
	if (st == PAWL_OK && active_run(a) == 0)
		st = pawl__error_set(err, PAWL_E_CORRUPT, "no run of answers is open");
	return st;
}

static enum pawl_status tail_row(struct answers *a, struct memtable *m, sqlite3_stmt *q,
                                 struct pawl_error *err)
{
	const struct str caller = column_str(q, 1), key = column_str(q, 2);

	if (caller.len > PAWL_CALLER_MAX || key.len > PAWL_KEY_MAX)
		return pawl__error_set(err, PAWL_E_CORRUPT, "an answer has a key over the limit");
	if (!pawl__memtable_reserve(m, 1))
		return answers_nomem(err);
	pawl__memtable_add(m, pawl__answers_hash(a, caller, key), sqlite3_column_int64(q, 0),
	                   sqlite3_column_int64(q, 3));
	return PAWL_OK;
}

/* (3) */
static enum pawl_status tail_read(struct answers *a, struct conn *c, unsigned table,
                                  struct pawl_error *err)
{
	enum pawl_status st = PAWL_OK;
	sqlite3_stmt *q;
	char sql[96];
	int rc;

	(void)snprintf(sql, sizeof(sql),
	               "SELECT seq, caller, key, at_us FROM answer_%" PRId64 " ORDER BY seq",
	               a->run[table]);
	rc = sqlite3_prepare_v2(c->db, sql, -1, &q, NULL);
	if (rc != SQLITE_OK)
		return pawl__conn_fail(c, rc, err);
	while (st == PAWL_OK && (rc = sqlite3_step(q)) == SQLITE_ROW)
		st = tail_row(a, &a->table[table], q, err);
	if (st == PAWL_OK && rc != SQLITE_DONE)
		st = pawl__conn_fail(c, rc, err);
	(void)sqlite3_finalize(q);
	return st;
}

void pawl__answers_init(struct answers *a, const struct answers_tuning *tuning,
                        int64_t retention_us)
{
	PRE(retention_us > 0);
	*a = (struct answers){ .tuning = tuning != NULL ? *tuning : answers_defaults,
		               .retention_us = retention_us };
	INVARIANT(pthread_mutex_init(&a->mu, NULL) == 0);
}

enum pawl_status pawl__answers_open_bare(struct answers *a, struct conn *c, struct pawl_error *err)
{
	return seed_read(a, c, err);
}

enum pawl_status pawl__answers_open(struct answers *a, struct conn *c, struct pawl_error *err)
{
	struct meta meta;
	enum pawl_status st = pawl__meta_get(c, &meta, err);

	if (st == PAWL_OK)
		st = seed_read(a, c, err);
	if (st == PAWL_OK)
		st = runs_read(a, c, err);
	for (unsigned table = 0; table < 2 && st == PAWL_OK; table++) {
		if (a->run[table] != 0)
			st = tail_read(a, c, table, err);
	}
	if (st == PAWL_OK)
		a->last_seq = meta.answers_seq;
	return st;
}

void pawl__answers_deinit(struct answers *a)
{
	for (uint32_t i = 0; i < a->runs_len; i++)
		pawl__filter_deinit(&a->runs[i].filter);
	free(a->runs);
	free(a->hashes);
	pawl__filter_deinit(&a->building);
	pawl__memtable_deinit(&a->table[0]);
	pawl__memtable_deinit(&a->table[1]);
	INVARIANT(pthread_mutex_destroy(&a->mu) == 0);
}

/* Probe: where may this key be? */

static bool probe_add(struct answer_probe *p, int64_t run, int64_t seq)
{
	if (p->len == p->cap) {
		const uint32_t cap = p->cap == 0 ? 4 : p->cap * 2;
		struct answer_candidate *at = arena_array(p->arena, struct answer_candidate, cap);

		if (at == NULL)
			return false;
		if (p->len > 0)
			memcpy(at, p->at, p->len * sizeof(*at));
		p->at = at;
		p->cap = cap;
	}
	p->at[p->len++] = (struct answer_candidate){ run, seq };
	return true;
}

static bool probe_memtable(const struct answers *a, unsigned table, uint64_t hash,
                           struct answer_probe *p)
{
	const struct memtable *m = &a->table[table];
	uint32_t cursor = MEMTABLE_START;
	uint32_t first = p->len;
	const struct mem_entry *e;

	while ((e = pawl__memtable_find(m, hash, &cursor)) != NULL) {
		if (!probe_add(p, a->run[table], e->seq))
			return false;
	}
	/* They were met oldest first. */
	for (uint32_t last = p->len; first + 1 < last; first++, last--) {
		const struct answer_candidate older = p->at[first];

		p->at[first] = p->at[last - 1];
		p->at[last - 1] = older;
	}
	return true;
}

bool pawl__answers_probe(const struct answers *a, uint64_t hash, struct answer_probe *ret)
{
	for (uint32_t i = 0; i < a->runs_len; i++)
		filter_prefetch(&a->runs[i].filter, hash);
	if (!probe_memtable(a, a->active, hash, ret) || !probe_memtable(a, !a->active, hash, ret))
		return false;
	for (uint32_t i = a->runs_len; i > 0; i--) {
		const struct answer_run *r = &a->runs[i - 1];

		if (!r->going && pawl__filter_maybe(&r->filter, hash) && !probe_add(ret, r->run, 0))
			return false;
	}
	return true;
}

/* Flush: rows now, memory when they have committed. */

static enum pawl_status answer_write(struct bulk *b, int64_t seq, const struct answer *w,
                                     struct pawl_error *err)
{
	sqlite3_stmt *q = pawl__bulk_row(b);

	bind_i64(q, b->at + 1, seq);
	bind_str(q, b->at + 2, w->caller);
	bind_str(q, b->at + 3, w->key);
	bind_blob(q, b->at + 4, w->fingerprint, FINGERPRINT_LEN);
	bind_i64(q, b->at + 5, w->code);
	bind_i64(q, b->at + 6, w->http);
	bind_i64(q, b->at + 7, w->revision);
	bind_i64(q, b->at + 8, w->etag);
	bind_i64(q, b->at + 9, w->at_us);
	bind_str(q, b->at + 10, w->location);
	bind_str(q, b->at + 11, w->body);
	return pawl__bulk_step(b, err);
}

static bool step_reserve(struct answers *a, uint32_t len)
{
	/* Behind a freeze the new answers go to the other table, which is empty. */
	struct memtable *m = a->step.freeze ? answers_frozen(a) : answers_active(a);
	bool ok;

	if (len > a->hashes_cap) {
		uint64_t *p = realloc(a->hashes, len * sizeof(*p));

		if (p == NULL)
			return false;
		a->hashes = p;
		a->hashes_cap = len;
	}
	INVARIANT(pthread_mutex_lock(&a->mu) == 0);
	ok = pawl__memtable_reserve(m, len) && runs_reserve(a);
	INVARIANT(pthread_mutex_unlock(&a->mu) == 0);
	return ok;
}

static enum pawl_status step_answers(struct answers *a, struct conn *c, const struct ws *ws,
                                     struct pawl_error *err)
{
	const uint32_t len = ws->answers.len;
	/* Behind a freeze they belong to the next run. */
	enum pawl_status st =
		pawl__conn_bulk_run(c, BULK_ANSWER, active_run(a) + a->step.freeze, err);
	struct bulk b;

	if (st != PAWL_OK)
		return st;
	pawl__bulk_begin(&b, c, BULK_ANSWER, len);
	a->step.first_seq = ws->answers_seq - len + 1;
	a->step.now_us = ws->now_us;
	INVARIANT(a->step.first_seq > a->last_seq);
	for (uint32_t i = 0; i < len; i++) {
		const struct answer *w = &ws->answers.at[i]->row.answer;

		st = answer_write(&b, a->step.first_seq + i, w, err);
		if (st != PAWL_OK)
			return st;
		a->hashes[i] = pawl__answers_hash(a, w->caller, w->key);
	}
	a->step.hashes_len = len;
	return PAWL_OK;
}

static enum pawl_status run_finish(struct answers *a, struct conn *c, struct pawl_error *err)
{
	const struct memtable *m = answers_frozen(a);
	sqlite3_stmt *q = conn_stmt(c, SQL_RUN_FINISH);

	bind_i64(q, 1, frozen_run(a));
	bind_i64(q, 2, m->len);
	bind_i64(q, 3, m->last_at_us);
	bind_blob(q, 4, a->building.block, filter_len(&a->building));
	a->step.finish = true;
	return pawl__conn_run_one(c, SQL_RUN_FINISH, err);
}

/* Write the next `work` keys of frozen. */
static enum pawl_status run_slice(struct answers *a, struct conn *c, uint32_t work,
                                  struct pawl_error *err)
{
	const struct memtable *m = answers_frozen(a);
	const uint32_t left = m->len - a->step.written;
	const uint32_t len = work < left ? work : left;
	enum pawl_status st = pawl__conn_bulk_run(c, BULK_KEY, frozen_run(a), err);
	struct bulk b;

	if (st != PAWL_OK)
		return st;
	if (a->building.block == NULL && !pawl__filter_init(&a->building, m->len))
		return answers_nomem(err);
	pawl__bulk_begin(&b, c, BULK_KEY, len);
	for (uint32_t i = 0; i < len; i++) {
		const struct mem_entry *e = pawl__memtable_walk(m, &a->step.cursor);
		sqlite3_stmt *q = pawl__bulk_row(&b);

		/* After a rollback a key is added again: a filter does not mind. */
		pawl__filter_add(&a->building, e->hash);
		bind_i64(q, b.at + 1, (int64_t)e->hash);
		bind_i64(q, b.at + 2, e->seq);
		st = pawl__bulk_step(&b, err);
		if (st != PAWL_OK)
			return st;
	}
	a->step.written += len;
	return a->step.written == m->len ? run_finish(a, c, err) : PAWL_OK;
}

/* Drop one table of the oldest run. */
static enum pawl_status run_drop(struct answers *a, struct conn *c, struct meta *meta,
                                 struct pawl_error *err)
{
	const struct answer_run *r = &a->runs[0];

	if (!r->going) {
		a->step.drop = ANSWERS_DROP_KEYS;
		return pawl__run_drop_keys(c, r->run, err);
	}
	a->step.drop = ANSWERS_DROP_ANSWERS;
	meta->answers -= r->answers;
	return pawl__run_drop_answers(c, r->run, err);
}

/* The oldest run has expired, `late_us` ago or earlier. What is half gone goes on, though the
 * retention may have been made longer since. */
static bool run_expired(const struct answers *a, int64_t high_water_us, int64_t late_us)
{
	return a->runs_len > 0 &&
	       (a->runs[0].going ||
	        answer_expired(a->runs[0].max_at_us, a->retention_us + late_us, high_water_us));
}

static bool active_due(const struct answers *a, int64_t high_water_us, uint32_t more)
{
	const struct memtable *m = &a->table[a->active];

	return m->len > 0 && a->table[!a->active].len == 0 &&
	       (m->len + more > a->tuning.run_max ||
	        answer_expired(m->first_at_us, a->retention_us / ANSWERS_AGES, high_water_us));
}

bool pawl__answers_due(const struct answers *a, int64_t high_water_us)
{
	return a->table[!a->active].len > 0 || run_expired(a, high_water_us, 0) ||
	       active_due(a, high_water_us, 0);
}

enum pawl_status pawl__answers_flush(struct answers *a, struct conn *c, struct meta *meta,
                                     const struct ws *ws, uint32_t work, struct pawl_error *err)
{
	const uint32_t len = ws != NULL ? ws->answers.len : 0;
	const int64_t late_us = ws != NULL ? a->retention_us / ANSWERS_LATE : 0;
	enum pawl_status st = PAWL_OK;

	/* Two rows out for each that comes in: frozen is written before active is half full. */
	work += 2 * len + a->tuning.slice_min;
	if (active_due(a, meta->high_water_us, len)) {
		a->step.freeze = true;
		st = pawl__run_create(c, active_run(a) + 1, err);
	}
	if (st == PAWL_OK && !step_reserve(a, len))
		st = answers_nomem(err);
	if (st == PAWL_OK && len > 0)
		st = step_answers(a, c, ws, err);
	meta->answers += len;
	if (st == PAWL_OK && answers_frozen(a)->len > 0)
		st = run_slice(a, c, work, err);
	/* Not when a run begins: that is schema enough for one transaction. */
	if (st == PAWL_OK && !a->step.freeze && run_expired(a, meta->high_water_us, late_us))
		st = run_drop(a, c, meta, err);
	return st;
}

static void commit_finish(struct answers *a)
{
	struct memtable *m = answers_frozen(a);

	a->runs[a->runs_len++] = (struct answer_run){
		.run = frozen_run(a),
		.answers = m->len,
		.max_at_us = m->last_at_us,
		.filter = a->building,
	};
	a->filters_len += filter_len(&a->building);
	a->building = (struct filter){ .block = NULL };
	pawl__memtable_reset(m);
	for (uint32_t i = 0; i < a->runs_len && a->filters_len > a->tuning.filters_max; i++) {
		a->filters_len -= filter_len(&a->runs[i].filter);
		pawl__filter_deinit(&a->runs[i].filter);
	}
}

static void commit_drop(struct answers *a, enum answers_drop what)
{
	struct answer_run *r = &a->runs[0];

	if (what == ANSWERS_DROP_KEYS) {
		r->going = true;
		a->filters_len -= filter_len(&r->filter);
		pawl__filter_deinit(&r->filter);
		return;
	}
	a->runs_len--;
	memmove(a->runs, a->runs + 1, a->runs_len * sizeof(*a->runs));
}

void pawl__answers_begin(struct answers *a)
{
	a->step = (struct answers_step){ .cursor = a->cursor, .written = a->written };
}

void pawl__answers_committed(struct answers *a)
{
	const struct answers_step *s = &a->step;

	INVARIANT(pthread_mutex_lock(&a->mu) == 0);
	if (s->drop != ANSWERS_DROP_NONE)
		commit_drop(a, s->drop);
	if (s->finish)
		commit_finish(a);
	if (s->freeze) {
		a->run[!a->active] = active_run(a) + 1;
		a->active = !a->active;
	}
	for (uint32_t i = 0; i < s->hashes_len; i++)
		pawl__memtable_add(answers_active(a), a->hashes[i], s->first_seq + i, s->now_us);
	INVARIANT(pthread_mutex_unlock(&a->mu) == 0);
	a->cursor = s->finish ? 0 : s->cursor;
	a->written = s->finish ? 0 : s->written;
	if (s->hashes_len > 0)
		a->last_seq = s->first_seq + s->hashes_len - 1;
	pawl__answers_begin(a);
}
