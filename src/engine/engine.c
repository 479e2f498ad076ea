/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

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

static struct timespec deadline_in(int64_t us)
{
	const int64_t at_us = pawl__clock_mono_us() + us;

	return (struct timespec){ .tv_sec = at_us / 1000000, .tv_nsec = at_us % 1000000 * 1000 };
}

static void *lane_main(void *arg)
{
	struct engine *e = arg;
	bool stop;

	do {
		const int64_t sleep_us = pawl__lane_turn(e);
		const struct timespec until = deadline_in(sleep_us);

		(void)pthread_mutex_lock(&e->mu);
		if (e->head == NULL && !e->stop && sleep_us > 0)
			(void)pthread_cond_timedwait(&e->wake, &e->mu, &until);
		stop = e->stop && e->head == NULL;
		(void)pthread_mutex_unlock(&e->mu);
	} while (!stop);
	return NULL;
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

static void engine_free(struct engine *e)
{
	if (e == NULL)
		return;
	store_close(e->store);
	pawl__arena_deinit(&e->arena);
	pawl__arena_deinit(&e->sweep_arena);
	free(e->batch);
	free(e->answers);
	free(e->sweep_ops);
	free(e->sweep_ids);
	(void)pthread_cond_destroy(&e->wake);
	(void)pthread_mutex_destroy(&e->metrics_mu);
	(void)pthread_mutex_destroy(&e->mu);
	free(e);
}

static void engine_freep(struct engine **e)
{
	engine_free(*e);
}

static void engine_sync_init(struct engine *e)
{
	pthread_condattr_t attr;

	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	INVARIANT(pthread_mutex_init(&e->mu, NULL) == 0);
	INVARIANT(pthread_mutex_init(&e->metrics_mu, NULL) == 0);
	INVARIANT(pthread_cond_init(&e->wake, &attr) == 0);
	(void)pthread_condattr_destroy(&attr);
}

enum pawl_status pawl__engine_start(struct store *take_store, const struct engine_options *opt,
                                    struct engine **ret, struct pawl_error *err)
{
	PAWL_CLEANUP(engine_freep) struct engine *e = calloc(1, sizeof(*e));

	if (e == NULL) {
		store_close(take_store);
		return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
	}
	e->store = take_store;
	e->opt = opt == NULL ? (struct engine_options){ .mode = ENGINE_THREAD } : *opt;
	engine_defaults(&e->opt);
	engine_sync_init(e);
	e->tail = &e->head;
	rng_init(&e->rng, pawl__rng_os());
	pawl__arena_init(&e->arena, ARENA_BLOCK, ARENA_MAX);
	pawl__arena_keep(&e->arena, ARENA_KEEP);
	pawl__arena_init(&e->sweep_arena, (size_t)64 << 10, (size_t)1 << 20);
	e->batch = calloc(e->opt.batch_max, sizeof(struct lane_request *));
	e->answers = calloc(e->opt.batch_max, sizeof(*e->answers));
	e->sweep_ops = calloc(PAWL_OPS_MAX, sizeof(*e->sweep_ops));
	e->sweep_ids = calloc(PAWL_OPS_MAX, sizeof(*e->sweep_ids));
	if (e->batch == NULL || e->answers == NULL || e->sweep_ops == NULL || e->sweep_ids == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
	clock_start(e);
	if (e->opt.mode == ENGINE_THREAD && pthread_create(&e->thread, NULL, lane_main, e) != 0)
		return pawl__error_set(err, PAWL_E_NOMEM, "cannot start the lane's thread");
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
	if (e->opt.mode == ENGINE_THREAD) {
		(void)pthread_mutex_lock(&e->mu);
		e->stop = true;
		(void)pthread_mutex_unlock(&e->mu);
		(void)pthread_cond_signal(&e->wake);
		INVARIANT(pthread_join(e->thread, NULL) == 0);
	} else {
		while (pawl__lane_depth(e) > 0)
			(void)pawl__lane_turn(e);
	}
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
	return store_stats(e->store, ret, err);
}

enum pawl_status pawl__engine_audit(struct engine *e, store_drift_fn drift, void *arg,
                                    struct store_audit *ret, struct pawl_error *err)
{
	return store_audit(e->store, drift, arg, ret, err);
}

void pawl__engine_health(struct engine *e, struct engine_health *ret)
{
	*ret = (struct engine_health){ 0 };
	(void)pthread_mutex_lock(&e->mu);
	ret->writable = !e->fatal;
	ret->draining = e->draining;
	ret->clock_stepped = e->clock.stepped;
	memcpy(ret->detail, e->fatal_detail, sizeof(ret->detail));
	(void)pthread_mutex_unlock(&e->mu);
}

void pawl__engine_metrics(struct engine *e, struct engine_metrics *ret)
{
	(void)pthread_mutex_lock(&e->metrics_mu);
	*ret = e->metrics;
	(void)pthread_mutex_unlock(&e->metrics_mu);
}
