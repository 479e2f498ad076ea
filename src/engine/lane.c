/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/lane.h"

#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "base/clock.h"
#include "core/answer.h"

#define SWEEP_ACCOUNTS_MAX PAWL_OPS_MAX
#define UPKEEP_US          50000  /* between two looks at the store's upkeep when nothing happens */
#define PROBE_US           250000 /* between two questions whether the store is back */

enum pawl_status pawl__lane_submit(struct engine *e, struct lane_request *rq)
{
	enum pawl_status st = PAWL_OK;
	uint64_t rows[ROUTE_ROWS_MAX];
	struct lane *l = &e->lanes[0];
	uint32_t rows_len = 0;
	bool was_empty = false;

	PRE(rq->tx != NULL && rq->tx->ops_len > 0 && rq->done != NULL);
	if (e->lanes_len > 1)
		rows_len = pawl__route_rows(rq->tx, rows);
	rq->next = NULL;
	rq->submitted_us = pawl__clock_mono_us();
	if (rq->deadline_mono_us == 0)
		rq->deadline_mono_us = rq->submitted_us + (int64_t)PAWL_DEADLINE_MS_DEFAULT * 1000;
	(void)pthread_mutex_lock(&e->mu);
	if (e->draining)
		st = PAWL_E_DRAINING;
	else if (e->fatal)
		st = PAWL_E_STORE_UNAVAILABLE;
	else if (e->depth >= e->opt.queue_max)
		st = PAWL_E_OVERLOADED;
	if (st == PAWL_OK) {
		if (rows_len > 0)
			l += pawl__route_lane(&e->heat, rows, rows_len, e->lanes_len);
		was_empty = l->head == NULL;
		*l->tail = rq;
		l->tail = &rq->next;
		l->depth++;
		e->depth++;
	}
	(void)pthread_mutex_unlock(&e->mu);
	if (st != PAWL_OK)
		pawl__engine_count(e, &e->metrics.overloaded, 1);
	if (st == PAWL_OK && was_empty && l->has_thread)
		(void)pthread_cond_signal(&l->wake);
	return st;
}

uint32_t pawl__lane_depth(struct engine *e)
{
	uint32_t n;

	(void)pthread_mutex_lock(&e->mu);
	n = e->depth;
	(void)pthread_mutex_unlock(&e->mu);
	return n;
}

/* Answer a request that does not get into a batch. */
static void request_refuse(struct engine *e, struct lane_request *rq, enum pawl_status st,
                           struct str detail)
{
	char mem[1024 + 2 * PAWL_REQUEST_ID_MAX];
	const struct problem p = {
		.code = st, .op = -1, .request_id = rq->tx->request_id, .detail = detail
	};
	struct tx_answer a = { .code = st, .http = pawl_status_http(st), .op = -1 };
	struct buf body;

	pawl__buf_init_fixed(&body, mem, sizeof(mem));
	pawl__json_problem(&body, &p);
	a.body = buf_get(&body);
	pawl__engine_count(e, &e->metrics.dropped, 1);
	rq->done(rq, &a);
}

/* Move up to batch_max requests from the queue to the batch; refuse those that came too late. */
static void lane_take(struct lane *l)
{
	struct engine *e = l->engine;
	struct lane_request *list = NULL, **last = &list;
	uint32_t n = 0;
	int64_t now_us;
	bool fatal;

	(void)pthread_mutex_lock(&e->mu);
	fatal = e->fatal;
	while (l->head != NULL && n < e->opt.batch_max) {
		*last = l->head;
		last = &l->head->next;
		l->head = l->head->next;
		n++;
	}
	*last = NULL;
	l->depth -= n;
	e->depth -= n;
	if (l->head == NULL)
		l->tail = &l->head;
	(void)pthread_mutex_unlock(&e->mu);
	if (n > 0)
		pawl__engine_count(e, &e->metrics.requests, n);
	now_us = n > 0 ? pawl__clock_mono_us() : 0;
	l->batch_len = 0;
	while (list != NULL) {
		struct lane_request *rq = list;

		list = rq->next;
		if (fatal)
			request_refuse(e, rq, PAWL_E_STORE_UNAVAILABLE, STR_NONE);
		else if (now_us >= rq->deadline_mono_us)
			request_refuse(
				e, rq, PAWL_E_OVERLOADED,
				STR("the deadline passed before the work began; nothing was done"));
		else
			l->batch[l->batch_len++] = rq;
	}
}

static void sweep_done(struct lane_request *rq, const struct tx_answer *answer)
{
	(void)rq;
	(void)answer;
}

/* Expiry is decided wherever a row is looked at; the sweeper only looks at rows that nobody else
 * does. True when there is more to do. */
static bool lane_sweep(struct lane *l)
{
	struct engine *e = l->engine;
	struct sweep *sw = &e->sweep;
	struct store_due due = { .ids = sw->ids, .max = SWEEP_ACCOUNTS_MAX };
	struct pawl_error err;
	int64_t now_us;

	(void)pthread_mutex_lock(&e->mu);
	now_us = e->fatal || l->down ? -1 : pawl__engine_now(e);
	(void)pthread_mutex_unlock(&e->mu);
	if (now_us < 0)
		return false;
	pawl__arena_reset(&sw->arena);
	if (store_due(l->store, now_us, &sw->arena, &due, &err) != PAWL_OK || due.len == 0)
		return false;
	for (uint32_t i = 0; i < due.len; i++) {
		sw->ops[i] = (struct op){ .kind = OP_TOUCH };
		sw->ops[i].u.account.id = due.ids[i];
	}
	sw->tx = (struct tx){ .ops = sw->ops, .ops_len = due.len };
	sw->request = (struct lane_request){ .tx = &sw->tx,
		                             .done = sweep_done,
		                             .submitted_us = pawl__clock_mono_us() };
	l->batch[0] = &sw->request;
	l->batch_len = 1;
	pawl__batch_run(l);
	pawl__engine_count(e, &e->metrics.sweeps, 1);
	pawl__engine_count(e, &e->metrics.holds_expired_accounts, due.len);
	return due.len == SWEEP_ACCOUNTS_MAX;
}

static void lane_upkeep(struct lane *l)
{
	struct pawl_error err;

	/* Upkeep that fails is tried again later; what matters fails in a commit. */
	if (!l->engine->fatal && !l->down && store_housekeep(l->store, true, &err) != PAWL_OK)
		return;
}

void pawl__lane_reached(struct lane *l, enum pawl_status st, const struct pawl_error *err)
{
	struct engine *e = l->engine;
	const bool down = st == PAWL_E_STORE_UNAVAILABLE || st == PAWL_E_OUTCOME_UNKNOWN;

	if (!down && !l->down)
		return;
	(void)pthread_mutex_lock(&e->mu);
	l->down = down;
	if (down)
		memcpy(e->fault, err->text, sizeof(e->fault));
	(void)pthread_mutex_unlock(&e->mu);
}

/* Nobody may come to find out: those who ask /readyz send no writes until it is well again. */
static void lane_probe(struct lane *l)
{
	struct str id;
	struct store_due due = { .ids = &id, .max = 1 };
	struct pawl_error err;

	pawl__arena_reset(&l->arena);
	pawl__lane_reached(l, store_due(l->store, 1, &l->arena, &due, &err), &err);
}

static bool lane_empty(struct lane *l)
{
	bool empty;

	(void)pthread_mutex_lock(&l->engine->mu);
	empty = l->head == NULL;
	(void)pthread_mutex_unlock(&l->engine->mu);
	return empty;
}

/* At most one batch; how long the lane may sleep after it. */
static int64_t lane_turn(struct lane *l)
{
	struct engine *e = l->engine;
	int64_t now_us, left_us;

	lane_take(l);
	if (l->batch_len > 0) {
		pawl__batch_run(l);
		l->idle_work = true; /* what cannot wait the store does at its next begin */
	} else if (l->idle_work) {
		lane_upkeep(l);
		l->idle_work = false;
	}
	if (!lane_empty(l))
		return 0;
	if (l->down) {
		lane_probe(l);
		return PROBE_US;
	}
	if (e->opt.sweep_us < 0 || l != &e->lanes[0])
		return UPKEEP_US;
	now_us = pawl__clock_mono_us();
	if (now_us >= e->sweep.next_us) {
		const bool more = lane_sweep(l);

		e->sweep.next_us = more ? now_us : now_us + e->opt.sweep_us;
		lane_upkeep(l);
	}
	left_us = e->sweep.next_us - now_us;
	if (left_us < 0)
		left_us = 0;
	return l->idle_work && left_us > UPKEEP_US ? UPKEEP_US : left_us;
}

int64_t pawl__lane_turn(struct engine *e)
{
	return lane_turn(&e->lanes[0]);
}

static struct timespec deadline_in(int64_t us)
{
	const int64_t at_us = pawl__clock_mono_us() + us;

	return (struct timespec){ .tv_sec = at_us / 1000000, .tv_nsec = at_us % 1000000 * 1000 };
}

void *pawl__lane_main(void *lane)
{
	struct lane *l = lane;
	struct engine *e = l->engine;
	bool stop;

	do {
		const int64_t sleep_us = lane_turn(l);
		const struct timespec until = deadline_in(sleep_us);

		(void)pthread_mutex_lock(&e->mu);
		if (l->head == NULL && !e->stop && sleep_us > 0)
			(void)pthread_cond_timedwait(&l->wake, &e->mu, &until);
		stop = e->stop && l->head == NULL;
		(void)pthread_mutex_unlock(&e->mu);
	} while (!stop);
	return NULL;
}
