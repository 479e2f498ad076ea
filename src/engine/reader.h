/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/reader - reads that may take long, on threads of their own: on a store beyond a network an
 * event loop must not wait for a row. Requests that wait together are not merged; there are few
 * threads and each asks for one working set at a time.
 *
 * Promises: done is called once for every submitted read, on a reader's thread, also when the
 * engine closes. A read whose deadline has passed is answered PAWL_E_OVERLOADED, unasked.
 */
#ifndef PAWL_ENGINE_READER_H
#define PAWL_ENGINE_READER_H

#include <pthread.h>

#include "engine/engine.h"

#define READER_THREADS_MAX 4
#define READER_QUEUE_MAX   16384u /* waiting; above: PAWL_E_OVERLOADED */

struct reader {
	struct engine *engine;
	pthread_mutex_t mu; /* guards what follows */
	pthread_cond_t wake;
	struct read_request *head, **tail;
	uint32_t depth;
	bool stop;
	bool stats_known;
	struct store_stats stats; /* as of stats_us, mono */
	int64_t stats_us;         /* 0: not yet */
	/* */
	pthread_t threads[READER_THREADS_MAX];
	uint32_t threads_len;
};

/* Without threads (threads = 0) nothing may be submitted. */
PAWL_MUST_CHECK enum pawl_status pawl__reader_start(struct reader *r, struct engine *e,
                                                    uint32_t threads, struct pawl_error *err);
void pawl__reader_stop(struct reader *r);

/* What the store said of itself when it was last asked, about a second ago. */
PAWL_MUST_CHECK enum pawl_status pawl__reader_stats(struct reader *r, struct store_stats *ret,
                                                    struct pawl_error *err);

#endif /* PAWL_ENGINE_READER_H */
