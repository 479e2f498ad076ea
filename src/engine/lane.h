/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/lane - inside the engine: the queue, the batch, and what both halves of it share.
 *
 * Threads: `mu` guards the queue, the flags and the clock, `metrics_mu` the metrics (apart, so
 * that counting a batch makes nobody wait who submits); everything under "the lane's own" is
 * touched only by the thread that runs the lane, without them.
 */
#ifndef PAWL_ENGINE_LANE_H
#define PAWL_ENGINE_LANE_H

#include <pthread.h>

#include "base/arena.h"
#include "base/rng.h"
#include "engine/engine.h"
#include "pawl/limits.h"

/* The store's clock as the engine believes it; see ARCHITECTURE.md, Time. */
struct engine_clock {
	int64_t anchor_real_us; /* a pair of readings that was believed */
	int64_t anchor_mono_us;
	int64_t high_water_us; /* greatest batch time committed */
	int64_t step_max_us;
	bool stepped;
};

struct engine {
	struct store *store; /* owned */
	struct engine_options opt;

	pthread_mutex_t mu;
	pthread_cond_t wake; /* the lane's thread sleeps here */
	struct lane_request *head, **tail;
	uint32_t depth;
	bool draining;
	bool stop;
	bool fatal;
	char fatal_detail[PAWL_ERROR_TEXT_MAX];
	struct engine_clock clock;
	pthread_mutex_t metrics_mu;
	struct engine_metrics metrics;
	pthread_t thread;

	/* the lane's own */
	struct arena arena; /* of the batch */
	struct ws ws;
	struct lane_request **batch;
	struct tx_answer *answers;
	uint32_t batch_len;
	struct rng rng;
	int64_t next_sweep_us; /* mono */
	bool idle_work;        /* upkeep is worth another look */
	struct tx sweep_tx;
	struct op *sweep_ops;
	struct str *sweep_ids;
	struct arena sweep_arena;
	struct lane_request sweep_request;
};

/* The batch's time: max(clock, high water), at the old pace after a step forward. mu is held. */
int64_t pawl__engine_now(struct engine *e);

/* Add n to one of e->metrics. */
void pawl__engine_count(struct engine *e, uint64_t *metric, uint64_t n);

/* Run what was taken from the queue, batch[0..batch_len), to its answers. */
void pawl__batch_run(struct engine *e);

#endif /* PAWL_ENGINE_LANE_H */
