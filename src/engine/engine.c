/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "engine/lane.h"

#define ARENA_BLOCK      ((size_t)1 << 20)
#define ARENA_KEEP       ((size_t)16 << 20)
#define ARENA_MAX        ((size_t)512 << 20) /* of one batch; a larger one is split */
#define SWEEP_US_DEFAULT INT64_C(1000000)

static void clock_start(struct engine *e)
{
	e->clock.step_max_us = e->opt.clock_step_max_us;
	store_clock(e->store, &e->clock.anchor_real_us, &e->clock.anchor_mono_us);
}

int64_t pawl__engine_now(struct engine *e)
{
	struct engine_clock *c = &e->clock;
	int64_t real_us, mono_us, expected_us;

	store_clock(e->store, &real_us, &mono_us);
	expected_us = c->anchor_real_us + (mono_us - c->anchor_mono_us);
	/* A step forward would expire what should still live, and that can't be taken back: time
	 * goes on at its old pace until the clock is set right or the process is started anew. */
	c->stepped = real_us - expected_us > c->step_max_us;
	if (c->stepped) {
		real_us = expected_us;
	} else {
		c->anchor_real_us = real_us;
		c->anchor_mono_us = mono_us;
	}
	/* A step backward is waited out: holds live longer, none revives. */
	if (real_us > c->high_water_us)
		c->high_water_us = real_us;
	return c->high_water_us;
}

void pawl__engine_seen(struct engine *e, int64_t us)
{
	if (!engine_shared(e))
		return; /* nobody else moves its clock */
	(void)pthread_mutex_lock(&e->mu);
	if (us > e->clock.high_water_us)
		e->clock.high_water_us = us;
	(void)pthread_mutex_unlock(&e->mu);
}

static void engine_defaults(struct engine_options *o)
{
	if (o->queue_max == 0)
		o->queue_max = PAWL_QUEUE_MAX_DEFAULT;
	if (o->batch_max == 0)
		o->batch_max = PAWL_BATCH_MAX_DEFAULT;
	if (o->retention_us == 0)
		o->retention_us = (int64_t)PAWL_ANSWER_RETENTION_S_DEFAULT * 1000000;
	if (o->clock_step_max_us == 0)
		o->clock_step_max_us = (int64_t)PAWL_CLOCK_STEP_MAX_S_DEFAULT * 1000000;
	if (o->sweep_us == 0)
		o->sweep_us = SWEEP_US_DEFAULT;
}

static void lane_deinit(struct engine *e, struct lane *l)
{
	if (l->engine == NULL)
		return; /* not reached when it started */
	if (l->store != e->store)
		store_close(l->store);
	pawl__arena_deinit(&l->arena);
	free(l->batch);
	free(l->answers);
	(void)pthread_cond_destroy(&l->wake);
}

/* Every lane that has a thread ends when its queue is empty. */
static void lanes_stop(struct engine *e)
{
	(void)pthread_mutex_lock(&e->mu);
	e->stop = true;
	(void)pthread_mutex_unlock(&e->mu);
	for (uint32_t i = 0; i < e->lanes_len; i++) {
		if (!e->lanes[i].has_thread)
			continue;
		(void)pthread_cond_signal(&e->lanes[i].wake);
		INVARIANT(pthread_join(e->lanes[i].thread, NULL) == 0);
		e->lanes[i].has_thread = false;
	}
}

static void engine_free(struct engine *e)
{
	if (e == NULL)
		return;
	lanes_stop(e);
	pawl__reader_stop(&e->reader);
	for (uint32_t i = e->lanes_len; i > 0; i--)
		lane_deinit(e, &e->lanes[i - 1]);
	store_close(e->store);
	pawl__arena_deinit(&e->sweep.arena);
	free(e->sweep.ops);
	free(e->sweep.ids);
	free(e->lanes);
	(void)pthread_mutex_destroy(&e->metrics_mu);
	(void)pthread_mutex_destroy(&e->mu);
	free(e);
}

static void engine_freep(struct engine **e)
{
	engine_free(*e);
}

void pawl__cond_init(pthread_cond_t *ret)
{
	pthread_condattr_t attr;

	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	INVARIANT(pthread_cond_init(ret, &attr) == 0);
	(void)pthread_condattr_destroy(&attr);
}

static enum pawl_status lane_init(struct engine *e, struct lane *l, struct pawl_error *err)
{
	l->engine = e;
	l->tail = &l->head;
	pawl__cond_init(&l->wake);
	rng_init(&l->rng, pawl__rng_os());
	pawl__arena_init(&l->arena, ARENA_BLOCK, ARENA_MAX);
	pawl__arena_keep(&l->arena, ARENA_KEEP);
	l->batch = calloc(e->opt.batch_max, sizeof(struct lane_request *));
	l->answers = calloc(e->opt.batch_max, sizeof(*l->answers));
	if (l->batch == NULL || l->answers == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
	if (l == &e->lanes[0]) {
		l->store = e->store;
		return PAWL_OK;
	}
	return pawl__store_another(e->store, &l->store, err);
}

static enum pawl_status lanes_open(struct engine *e, struct pawl_error *err)
{
	const uint32_t n = e->opt.lanes;

	e->lanes = calloc(n, sizeof(*e->lanes));
	e->sweep.ops = calloc(PAWL_OPS_MAX, sizeof(*e->sweep.ops));
	e->sweep.ids = calloc(PAWL_OPS_MAX, sizeof(*e->sweep.ids));
	if (e->lanes == NULL || e->sweep.ops == NULL || e->sweep.ids == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
	while (e->lanes_len < n) {
		const enum pawl_status st = lane_init(e, &e->lanes[e->lanes_len++], err);

		if (st != PAWL_OK)
			return st;
	}
	return PAWL_OK;
}

static enum pawl_status threads_start(struct engine *e, struct pawl_error *err)
{
	if (e->opt.mode != ENGINE_THREAD)
		return PAWL_OK;
	for (uint32_t i = 0; i < e->lanes_len; i++) {
		struct lane *l = &e->lanes[i];

		if (pthread_create(&l->thread, NULL, pawl__lane_main, l) != 0)
			return pawl__error_set(err, PAWL_E_NOMEM, "cannot start a lane's thread");
		l->has_thread = true;
	}
	if (!pawl__engine_reads_wait(e))
		return PAWL_OK;
	return pawl__reader_start(&e->reader, e, READER_THREADS_MAX, err);
}

/* What the options ask of this store. */
static enum pawl_status engine_settle(struct engine *e, struct pawl_error *err)
{
	if (e->opt.lanes == 0)
		e->opt.lanes = engine_shared(e) ? ENGINE_LANES_DEFAULT : 1;
	if (e->opt.mode == ENGINE_LOOP && pawl__engine_reads_wait(e))
		return pawl__error_set(err, PAWL_E_CONFIG,
		                       "a store beyond a network is not for the loop's own thread");
	if (e->opt.mode == ENGINE_LOOP)
		e->opt.lanes = 1;
	if (e->opt.lanes > 1 && !engine_shared(e))
		return pawl__error_set(err, PAWL_E_CONFIG,
		                       "this store has a single writer: one lane");
	if (e->opt.lanes > ENGINE_LANES_MAX)
		return pawl__error_set(err, PAWL_E_CONFIG, "at most %d lanes", ENGINE_LANES_MAX);
	return PAWL_OK;
}

enum pawl_status pawl__engine_start(struct store *take_store, const struct engine_options *opt,
                                    struct engine **ret, struct pawl_error *err)
{
	PAWL_CLEANUP(engine_freep) struct engine *e = calloc(1, sizeof(*e));
	enum pawl_status st;

	if (e == NULL) {
		store_close(take_store);
		return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
	}
	e->store = take_store;
	e->opt = opt == NULL ? (struct engine_options){ .mode = ENGINE_THREAD } : *opt;
	engine_defaults(&e->opt);
	INVARIANT(pthread_mutex_init(&e->mu, NULL) == 0);
	INVARIANT(pthread_mutex_init(&e->metrics_mu, NULL) == 0);
	pawl__arena_init(&e->sweep.arena, (size_t)64 << 10, (size_t)1 << 20);
	st = engine_settle(e, err);
	if (st == PAWL_OK)
		st = lanes_open(e, err);
	if (st == PAWL_OK) {
		clock_start(e);
		st = threads_start(e, err);
	}
	if (st != PAWL_OK)
		return st;
	*ret = TAKE_PTR(e);
	return PAWL_OK;
}

enum pawl_status pawl__engine_open(const char *url, const struct engine_options *opt,
                                   struct engine **ret, struct pawl_error *err)
{
	struct engine_options o =
		opt == NULL ? (struct engine_options){ .mode = ENGINE_THREAD } : *opt;
	struct store_options so = { 0 };
	struct store *store;
	enum pawl_status st;

	engine_defaults(&o);
	so.retention_us = o.retention_us;
	so.connections_max = o.connections_max;
	st = pawl__store_open(url, &so, &store, err);
	if (st != PAWL_OK)
		return st;
	return pawl__engine_start(store, &o, ret, err);
}

void pawl__engine_drain(struct engine *e)
{
	(void)pthread_mutex_lock(&e->mu);
	e->draining = true;
	(void)pthread_mutex_unlock(&e->mu);
}

void pawl__engine_close(struct engine *e)
{
	if (e == NULL)
		return;
	pawl__engine_drain(e);
	while (e->opt.mode == ENGINE_LOOP && pawl__lane_depth(e) > 0)
		(void)pawl__lane_turn(e);
	engine_free(e);
}

enum pawl_status pawl__engine_read(struct engine *e, struct ws *ws, struct pawl_error *err)
{
	(void)pthread_mutex_lock(&e->mu);
	ws->now_us = pawl__engine_now(e);
	(void)pthread_mutex_unlock(&e->mu);
	return store_read(e->store, ws, err);
}

enum pawl_status pawl__engine_stats(struct engine *e, struct store_stats *ret,
                                    struct pawl_error *err)
{
	if (e->reader.threads_len > 0)
		return pawl__reader_stats(&e->reader, ret, err);
	return store_stats(e->store, ret, err);
}

enum pawl_status pawl__engine_audit(struct engine *e, store_drift_fn drift, void *arg,
                                    struct store_audit *ret, struct pawl_error *err)
{
	return store_audit(e->store, drift, arg, ret, err);
}

enum pawl_status pawl__engine_examine(struct engine *e, store_finding_fn found, void *arg,
                                      struct pawl_error *err)
{
	struct engine_health h;
	char text[96];

	pawl__engine_health(e, &h);
	(void)snprintf(text, sizeof(text), "%u, each with its thread and its writer", e->lanes_len);
	found(arg, FINDING_OK, "lanes", text);
	if (h.clock_stepped)
		found(arg, FINDING_WARN, "clock",
		      "it jumped ahead: holds expire at the old pace until it is set right");
	if (!h.writable)
		found(arg, FINDING_FAIL, "writable", h.detail);
	return store_examine(e->store, found, arg, err);
}

void pawl__engine_health(struct engine *e, struct engine_health *ret)
{
	*ret = (struct engine_health){ 0 };
	(void)pthread_mutex_lock(&e->mu);
	ret->writable = false;
	for (uint32_t i = 0; i < e->lanes_len && !e->fatal; i++)
		ret->writable = ret->writable || !e->lanes[i].down;
	ret->draining = e->draining;
	ret->clock_stepped = e->clock.stepped;
	if (!ret->writable)
		memcpy(ret->detail, e->fault, sizeof(ret->detail));
	(void)pthread_mutex_unlock(&e->mu);
}

void pawl__engine_metrics(struct engine *e, struct engine_metrics *ret)
{
	(void)pthread_mutex_lock(&e->metrics_mu);
	*ret = e->metrics;
	(void)pthread_mutex_unlock(&e->metrics_mu);
}
