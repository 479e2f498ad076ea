/* SPDX-License-Identifier: Apache-2.0 */
#include "store/memory/memory.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/memory/world.h"

#define SIM_START_US    INT64_C(1700000000000000) /* virtual clocks start at a plausible time */
#define FORGET_PER_TURN 256u                      /* answers forgotten by one housekeep */

/* Every slot: lock, find the world, take the step; leave through world_leave. */
static struct world *world_enter(struct store *s)
{
	struct world *w = ((struct memory_store *)s)->world;

	INVARIANT(pthread_mutex_lock(&w->lock) == 0);
	return w;
}

static void world_leave(struct world *w)
{
	INVARIANT(pthread_mutex_unlock(&w->lock) == 0);
}

static bool is_dead(const struct store *s, const struct world *w)
{
	return ((const struct memory_store *)s)->epoch != w->epoch;
}

static enum pawl_status dead(struct pawl_error *err)
{
	return pawl__error_set(err, PAWL_E_IO, "the store was opened again by its successor");
}

static void world_clock(const struct world *w, int64_t *ret_real_us, int64_t *ret_mono_us)
{
	*ret_real_us = w->simulated ? w->sim.real_us : pawl__clock_real_us();
	*ret_mono_us = w->simulated ? w->sim.mono_us : pawl__clock_mono_us();
}

static enum pawl_status memory_begin(struct store *s, struct store_begin *ret,
                                     struct pawl_error *err)
{
	struct world *w = world_enter(s);
	enum pawl_status st;
	int64_t mono_us;

	if (is_dead(s, w))
		st = dead(err);
	else if (w->read_only)
		st = pawl__error_set(err, PAWL_E_STORE_UNAVAILABLE, "opened for reading only");
	else
		st = pawl__world_step(w, MEMORY_BEGIN, err);
	if (st == PAWL_OK) {
		pawl__world_forget(w);
		ret->high_water_us = w->now.high_water_us;
		ret->revision = w->now.revision;
		ret->answers_seq = w->now.answers_seq;
		world_clock(w, &ret->real_us, &mono_us);
	}
	world_leave(w);
	return st;
}

static enum pawl_status memory_load(struct store *s, struct ws *ws, struct pawl_error *err)
{
	struct world *w = world_enter(s);
	enum pawl_status st = is_dead(s, w) ? dead(err) : pawl__world_step(w, MEMORY_LOAD, err);

	if (st == PAWL_OK)
		st = pawl__world_load(w, ws, true);
	if (st == PAWL_E_NOMEM)
		st = pawl__error_set(err, st, "out of memory");
	world_leave(w);
	return st;
}

static enum pawl_status memory_expire(struct store *s, const struct ws_entry *account,
                                      int64_t now_us, int64_t revision, int64_t ret_freed_due[2],
                                      struct pawl_error *err)
{
	struct world *w = world_enter(s);
	enum pawl_status st = is_dead(s, w) ? dead(err) : pawl__world_step(w, MEMORY_EXPIRE, err);

	if (st == PAWL_OK)
		st = pawl__world_expire(w, account, now_us, revision, ret_freed_due);
	if (st == PAWL_E_NOMEM)
		st = pawl__error_set(err, st, "out of memory");
	world_leave(w);
	return st;
}

static enum pawl_status memory_flush(struct store *s, struct ws *ws, struct pawl_error *err)
{
	struct world *w = world_enter(s);
	enum pawl_status st = is_dead(s, w) ? dead(err) : pawl__world_step(w, MEMORY_FLUSH, err);

	if (st == PAWL_OK)
		st = pawl__world_flush(w, ws, err);
	world_leave(w);
	return st;
}

static enum pawl_status memory_commit(struct store *s, struct pawl_error *err)
{
	struct world *w = world_enter(s);
	enum pawl_status st;
	bool apply;

	if (is_dead(s, w)) {
		st = dead(err);
	} else {
		st = pawl__world_step_commit(w, &apply, err);
		if (apply)
			pawl__world_keep(w);
		else
			pawl__world_forget(w);
		pawl__world_trace(w, MEMORY_COMMIT, st);
	}
	world_leave(w);
	return st;
}

static void memory_rollback(struct store *s)
{
	struct world *w = world_enter(s);

	if (!is_dead(s, w)) {
		w->sim.steps++;
		pawl__world_forget(w);
		pawl__world_trace(w, MEMORY_ROLLBACK, PAWL_OK);
	}
	world_leave(w);
}

static enum pawl_status memory_outcome(struct store *s, int64_t revision, int64_t answers_seq,
                                       enum store_outcome *ret, struct pawl_error *err)
{
	struct world *w = world_enter(s);
	enum pawl_status st = is_dead(s, w) ? dead(err) : pawl__world_step(w, MEMORY_OUTCOME, err);

	if (st == PAWL_OK && w->not_known > 0) {
		w->not_known--;
		*ret = STORE_NOT_KNOWN;
	} else if (st == PAWL_OK) {
		*ret = w->now.revision >= revision && w->now.answers_seq >= answers_seq
		               ? STORE_COMMITTED
		               : STORE_NOT_COMMITTED;
	}
	world_leave(w);
	return st;
}

/* What the due holds of a loaded account still hold is free, whether it was swept or not. */
static void read_expire(const struct world *w, struct account *a, int64_t now_us)
{
	if (a->due_us == 0 || a->due_us > now_us)
		return;
	a->due_us = 0;
	for (const struct memory_row *r = w->kind[ROW_HOLD].first; r != NULL; r = r->next) {
		const struct hold *h;

		if (r->now == NULL)
			continue;
		h = &r->now->e.row.hold;
		if (h->state != HOLD_HELD || !str_eq(h->from, a->id))
			continue;
		if (h->expires_us <= now_us)
			a->held -= h->amount - h->captured;
		else if (a->due_us == 0 || h->expires_us < a->due_us)
			a->due_us = h->expires_us;
	}
}

static enum pawl_status memory_read(struct store *s, struct ws *ws, struct pawl_error *err)
{
	struct world *w = world_enter(s);
	enum pawl_status st = is_dead(s, w) ? dead(err) : pawl__world_step(w, MEMORY_READ, err);
	struct ws_entry *const wanted = ws->wanted;
	int64_t real_us, mono_us;

	if (st == PAWL_OK) {
		world_clock(w, &real_us, &mono_us);
		ws->revision = w->now.revision;
		if (ws->now_us == 0)
			ws->now_us = real_us;
		if (ws->now_us < w->now.high_water_us)
			ws->now_us = w->now.high_water_us;
		st = pawl__world_load(w, ws, false);
		if (st == PAWL_E_NOMEM)
			st = pawl__error_set(err, st, "out of memory");
	}
	for (struct ws_entry *e = wanted; e != NULL && st == PAWL_OK; e = e->next) {
		if (e->kind == ROW_ACCOUNT && e->present)
			read_expire(w, &e->row.account, ws->now_us);
	}
	world_leave(w);
	return st;
}

static enum pawl_status due_collect(const struct world *w, int64_t now_us, struct arena *arena,
                                    struct store_due *ret)
{
	uint32_t n = 0;

	for (const struct memory_row *r = w->kind[ROW_ACCOUNT].first; r != NULL && n < ret->max;
	     r = r->next) {
		if (r->now == NULL || r->now->e.row.account.due_us == 0 ||
		    r->now->e.row.account.due_us > now_us)
			continue;
		ret->ids[n] = pawl__arena_str(arena, r->id);
		if (ret->ids[n].ptr == NULL)
			return PAWL_E_NOMEM;
		n++;
	}
	ret->len = n;
	return PAWL_OK;
}

static enum pawl_status memory_due(struct store *s, int64_t now_us, struct arena *arena,
                                   struct store_due *ret, struct pawl_error *err)
{
	struct world *w = world_enter(s);
	enum pawl_status st = is_dead(s, w) ? dead(err) : pawl__world_step(w, MEMORY_DUE, err);

	if (st == PAWL_OK)
		st = due_collect(w, now_us, arena, ret);
	if (st == PAWL_E_NOMEM)
		st = pawl__error_set(err, st, "out of memory");
	world_leave(w);
	return st;
}

/* By the high-water mark, not by the clock: a clock that jumped ahead forgets nothing. Answers
 * stand in the order in which their keys came first: the oldest are in front, and a key that was
 * used again after its time keeps those behind it a retention longer, which the contract allows. */
static enum pawl_status memory_housekeep(struct store *s, bool idle, struct pawl_error *err)
{
	struct world *w = world_enter(s);
	enum pawl_status st =
		is_dead(s, w) ? dead(err) : pawl__world_step(w, MEMORY_HOUSEKEEP, err);

	for (unsigned n = 0; n < FORGET_PER_TURN && idle && st == PAWL_OK; n++) {
		struct memory_row *r = w->kind[ROW_ANSWER].first;

		if (r == NULL ||
		    w->now.high_water_us - r->now->e.row.answer.at_us < w->retention_us)
			break;
		pawl__world_remove(w, r);
	}
	world_leave(w);
	return st;
}

static enum pawl_status memory_audit(struct store *s, store_drift_fn drift, void *arg,
                                     struct store_audit *ret, struct pawl_error *err)
{
	struct world *w = world_enter(s);
	enum pawl_status st = PAWL_OK;

	if (is_dead(s, w))
		st = dead(err);
	else if (w->sim.crashed)
		st = pawl__error_set(err, PAWL_E_IO, "the store has crashed");
	else if (!pawl__world_audit(w, drift, arg, ret))
		st = pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
	world_leave(w);
	return st;
}

static int64_t kind_count(const struct world *w, enum row_kind kind, bool live_only)
{
	int64_t n = 0;

	for (const struct memory_row *r = w->kind[kind].first; r != NULL; r = r->next) {
		if (r->now != NULL && (!live_only || r->now->e.row.hold.state == HOLD_HELD))
			n++;
	}
	return n;
}

static enum pawl_status memory_stats(struct store *s, struct store_stats *ret,
                                     struct pawl_error *err)
{
	struct world *w = world_enter(s);
	enum pawl_status st = PAWL_OK;

	if (is_dead(s, w)) {
		st = dead(err);
	} else {
		*ret = (struct store_stats){
			.revision = w->now.revision,
			.accounts = kind_count(w, ROW_ACCOUNT, false),
			.holds_live = kind_count(w, ROW_HOLD, true),
			.orders = kind_count(w, ROW_ORDER, false),
			.records = kind_count(w, ROW_RECORD, false),
			.events = (int64_t)w->events.committed,
			.jobs = (int64_t)w->jobs.committed,
			.answers = kind_count(w, ROW_ANSWER, false),
			.commits = w->commits,
		};
		(void)snprintf(ret->engine, sizeof(ret->engine), "memory%s",
		               w->simulated ? " (simulated)" : "");
		(void)snprintf(ret->durability, sizeof(ret->durability),
		               "none: gone when the process ends");
	}
	world_leave(w);
	return st;
}

static void memory_clock(struct store *s, int64_t *ret_real_us, int64_t *ret_mono_us)
{
	struct world *w = world_enter(s);

	world_clock(w, ret_real_us, ret_mono_us);
	world_leave(w);
}

static void world_free(struct world *w)
{
	pawl__world_deinit(w);
	(void)pthread_mutex_destroy(&w->lock);
	free(w);
}

static void memory_close(struct store *s)
{
	struct world *w = world_enter(s);
	const bool last = --w->refs == 0;

	if (!is_dead(s, w))
		pawl__world_forget(w);
	world_leave(w);
	if (last)
		world_free(w);
	free(s);
}

static enum pawl_status memory_examine(struct store *base, store_finding_fn found, void *arg,
                                       struct pawl_error *err)
{
	(void)base;
	(void)err;
	found(arg, FINDING_WARN, "durability", "memory keeps nothing: for tests and demos only");
	return PAWL_OK;
}

static const struct store_ops memory_ops = {
	.name = "memory",
	.caps = STORE_CAP_SINGLE_WRITER,
	.begin = memory_begin,
	.load = memory_load,
	.expire = memory_expire,
	.flush = memory_flush,
	.commit = memory_commit,
	.rollback = memory_rollback,
	.outcome = memory_outcome,
	.read = memory_read,
	.due = memory_due,
	.housekeep = memory_housekeep,
	.audit = memory_audit,
	.stats = memory_stats,
	.examine = memory_examine,
	.clock = memory_clock,
	.close = memory_close,
};

/* Not by the table: a test may have put its own slots before these. */
static bool is_memory(const struct store *s)
{
	return s->ops->close == memory_close;
}

static struct memory_store *store_new(struct world *w, uint32_t epoch)
{
	struct memory_store *m = calloc(1, sizeof(*m));

	if (m != NULL)
		*m = (struct memory_store){ .base.ops = &memory_ops, .world = w, .epoch = epoch };
	return m;
}

static struct world *world_new(const struct store_options *opt)
{
	struct world *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	if (!pawl__world_init(w) || pthread_mutex_init(&w->lock, NULL) != 0) {
		free(w->bucket);
		free(w);
		return NULL;
	}
	w->refs = 1;
	w->retention_us = opt->retention_us;
	w->read_only = opt->read_only;
	w->simulated = opt->sim_seed != 0;
	w->sim.real_us = SIM_START_US;
	rng_init(&w->rng, opt->sim_seed);
	return w;
}

enum pawl_status pawl__memory_open(const struct store_options *opt, struct store **ret,
                                   struct pawl_error *err)
{
	struct memory_store *m = NULL;
	struct world *w;

	PRE(opt->retention_us > 0);
	w = world_new(opt);
	if (w != NULL)
		m = store_new(w, 0);
	if (m == NULL) {
		if (w != NULL)
			world_free(w);
		return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
	}
	*ret = &m->base;
	return PAWL_OK;
}

struct memory_sim *pawl__memory_sim(struct store *s)
{
	PRE(is_memory(s));
	return &((struct memory_store *)s)->world->sim;
}

static void world_restart(struct world *w)
{
	pawl__world_forget(w);
	w->not_known = 0;
	w->sim.crashed = false;
	w->sim.failed = false;
}

void pawl__memory_restart(struct store *s)
{
	struct world *w = world_enter(s);

	PRE(is_memory(s) && !is_dead(s, w));
	world_restart(w);
	world_leave(w);
}

enum pawl_status pawl__memory_reopen(struct store *s, struct store **ret, struct pawl_error *err)
{
	struct world *w = world_enter(s);
	struct memory_store *m = store_new(w, w->epoch + 1);
	enum pawl_status st = PAWL_OK;

	PRE(is_memory(s));
	if (m != NULL) {
		w->epoch++;
		w->refs++;
		world_restart(w);
		*ret = &m->base;
	} else {
		st = pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
	}
	world_leave(w);
	return st;
}
