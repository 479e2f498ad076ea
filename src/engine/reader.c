/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/reader.h"

#include <time.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "engine/lane.h"

#define STATS_US INT64_C(1000000) /* between two looks at the store */

static struct read_request *reader_take(struct reader *r)
{
	struct read_request *rq = r->head;

	r->head = rq->next;
	if (r->head == NULL)
		r->tail = &r->head;
	r->depth--;
	return rq;
}

static void reader_run(struct reader *r, struct read_request *rq)
{
	struct pawl_error err;
	enum pawl_status st = PAWL_E_OVERLOADED;

	if (pawl__clock_mono_us() < rq->deadline_mono_us)
		st = rq->work != NULL ? rq->work(rq) : pawl__engine_read(r->engine, rq->ws, &err);
	rq->done(rq, st);
}

/* Called and left with mu held. */
static void reader_look(struct reader *r)
{
	struct store_stats stats;
	struct pawl_error err;
	enum pawl_status st;

	r->stats_us = pawl__clock_mono_us();
	(void)pthread_mutex_unlock(&r->mu);
	st = store_stats(r->engine->store, &stats, &err);
	(void)pthread_mutex_lock(&r->mu);
	r->stats_known = st == PAWL_OK;
	if (r->stats_known)
		r->stats = stats;
}

/* Called and left with mu held: until there is work, or another look is due. */
static void reader_wait(struct reader *r)
{
	const int64_t until_us = r->stats_us + STATS_US;
	const struct timespec until = { .tv_sec = until_us / 1000000,
		                        .tv_nsec = until_us % 1000000 * 1000 };

	(void)pthread_cond_timedwait(&r->wake, &r->mu, &until);
}

static void *reader_main(void *arg)
{
	struct reader *r = arg;

	(void)pthread_mutex_lock(&r->mu);
	for (;;) {
		if (r->head != NULL) {
			struct read_request *rq = reader_take(r);

			(void)pthread_mutex_unlock(&r->mu);
			reader_run(r, rq);
			(void)pthread_mutex_lock(&r->mu);
		} else if (r->stop) {
			break;
		} else if (pawl__clock_mono_us() - r->stats_us >= STATS_US) {
			reader_look(r);
		} else {
			reader_wait(r);
		}
	}
	(void)pthread_mutex_unlock(&r->mu);
	return NULL;
}

enum pawl_status pawl__reader_start(struct reader *r, struct engine *e, uint32_t threads,
                                    struct pawl_error *err)
{
	PRE(threads <= READER_THREADS_MAX);
	r->engine = e;
	r->tail = &r->head;
	INVARIANT(pthread_mutex_init(&r->mu, NULL) == 0);
	pawl__cond_init(&r->wake);
	/* The first look, so that whoever has just opened the engine can show it. */
	(void)pthread_mutex_lock(&r->mu);
	reader_look(r);
	(void)pthread_mutex_unlock(&r->mu);
	for (; r->threads_len < threads; r->threads_len++) {
		if (pthread_create(&r->threads[r->threads_len], NULL, reader_main, r) != 0)
			return pawl__error_set(err, PAWL_E_NOMEM, "cannot start a reader's thread");
	}
	return PAWL_OK;
}

void pawl__reader_stop(struct reader *r)
{
	if (r->engine == NULL)
		return;
	(void)pthread_mutex_lock(&r->mu);
	r->stop = true;
	(void)pthread_mutex_unlock(&r->mu);
	(void)pthread_cond_broadcast(&r->wake);
	for (uint32_t i = 0; i < r->threads_len; i++)
		INVARIANT(pthread_join(r->threads[i], NULL) == 0);
	(void)pthread_cond_destroy(&r->wake);
	(void)pthread_mutex_destroy(&r->mu);
	r->engine = NULL;
}

bool pawl__engine_reads_wait(const struct engine *e)
{
	return (e->store->ops->caps & STORE_CAP_REMOTE) != 0;
}

enum pawl_status pawl__engine_read_submit(struct engine *e, struct read_request *rq)
{
	struct reader *r = &e->reader;
	enum pawl_status st = PAWL_OK;

	PRE(r->threads_len > 0 && (rq->ws != NULL || rq->work != NULL) && rq->done != NULL);
	rq->next = NULL;
	if (rq->deadline_mono_us == 0)
		rq->deadline_mono_us =
			pawl__clock_mono_us() + (int64_t)PAWL_DEADLINE_MS_DEFAULT * 1000;
	(void)pthread_mutex_lock(&r->mu);
	if (r->depth >= READER_QUEUE_MAX) {
		st = PAWL_E_OVERLOADED;
	} else {
		*r->tail = rq;
		r->tail = &rq->next;
		r->depth++;
	}
	(void)pthread_mutex_unlock(&r->mu);
	(void)pthread_cond_signal(&r->wake);
	return st;
}

enum pawl_status pawl__reader_stats(struct reader *r, struct store_stats *ret,
                                    struct pawl_error *err)
{
	bool known;

	(void)pthread_mutex_lock(&r->mu);
	known = r->stats_known;
	*ret = r->stats;
	(void)pthread_mutex_unlock(&r->mu);
	return known ? PAWL_OK
	             : pawl__error_set(err, PAWL_E_STORE_UNAVAILABLE,
	                               "the store has not answered yet");
}
