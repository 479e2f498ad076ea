/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/lane - inside the engine: the queues, the batches, and what its files share.
 *
 * A lane is a queue, a thread and a writer of the store. A store with a single writer has one lane;
 * others have several, whose batches are in flight at the same time. Which lane a request goes to
 * is only a matter of speed (engine/route): what keeps lanes and nodes apart is the store's locks.
 *
 * Threads: `mu` guards the queues, the flags and the clock, `metrics_mu` the metrics (apart, so
 * that counting a batch makes nobody wait who submits); everything under "the lane's own" is
 * touched only by the thread that runs the lane, without them. The sweep is lane 0's.
 */
#ifndef PAWL_ENGINE_LANE_H
#define PAWL_ENGINE_LANE_H

#include <pthread.h>

#include "base/arena.h"
#include "base/rng.h"
#include "engine/engine.h"
#include "engine/reader.h"
#include "engine/route.h"
#include "pawl/limits.h"

/* The store's clock as the engine believes it; see ARCHITECTURE.md, Time. */
struct engine_clock {
	int64_t anchor_real_us; /* a pair of readings that was believed */
	int64_t anchor_mono_us;
	int64_t high_water_us; /* greatest batch time committed */
	int64_t step_max_us;
	bool stepped;
};

struct lane {
	struct engine *engine;
	struct store *store;
	pthread_t thread;
	pthread_cond_t wake; /* its thread sleeps here */
	bool has_thread;
	/* guarded by engine.mu */
	struct lane_request *head, **tail;
	uint32_t depth;
	bool down; /* the store did not answer for the whole time of the last batch */
	/* the lane's own */
	struct arena arena; /* of the batch */
	struct ws ws;
	struct lane_request **batch;
	struct tx_answer *answers;
	uint32_t batch_len;
	struct rng rng;
	bool idle_work; /* upkeep is worth another look */
};

/* Looks at rows that nobody else looks at. */
struct sweep {
	int64_t next_us; /* mono */
	struct tx tx;
	struct op *ops;
	struct str *ids;
	struct arena arena;
	struct lane_request request;
};

struct engine {
	struct store *store; /* owned; lanes[0] writes through it */
	struct engine_options opt;
	struct lane *lanes;
	uint32_t lanes_len;
	struct reader reader;

	pthread_mutex_t mu;
	struct route_heat heat;
	uint32_t depth; /* of all lanes */
	bool draining;
	bool stop;
	bool fatal;
	char fault[PAWL_ERROR_TEXT_MAX]; /* why it is fatal, or a lane down */
	struct engine_clock clock;
	pthread_mutex_t metrics_mu;
	struct engine_metrics metrics;
	struct sweep sweep;
};

/* Whether other writers than this process's one lane may change the store. */
static inline bool engine_shared(const struct engine *e)
{
	return (e->store->ops->caps & STORE_CAP_SINGLE_WRITER) == 0;
}

/* The batch's time: max(clock, high water), at the old pace after a step forward. mu is held. */
int64_t pawl__engine_now(struct engine *e);

/* A time that the store has seen: no later one of this process lies before it. Any thread. */
void pawl__engine_seen(struct engine *e, int64_t us);

/* One whose timed waits go by the monotonic clock. */
void pawl__cond_init(pthread_cond_t *ret);

/* Add n to one of e->metrics. */
void pawl__engine_count(struct engine *e, uint64_t *metric, uint64_t n);

/* The thread of a lane: its turns, until the engine stops and the queue is empty. */
void *pawl__lane_main(void *lane);

/* What the store's last word tells: whether this lane reaches it. */
void pawl__lane_reached(struct lane *l, enum pawl_status st, const struct pawl_error *err);

/* Run what was taken from the queue, batch[0..batch_len), to its answers. */
void pawl__batch_run(struct lane *l);

#endif /* PAWL_ENGINE_LANE_H */
