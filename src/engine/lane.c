/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/lane.h"

#include "base/assert.h"
#include "base/clock.h"
#include "core/answer.h"

#define SWEEP_ACCOUNTS_MAX PAWL_OPS_MAX
#define UPKEEP_US          50000 /* between two looks at the store's upkeep when nothing happens */

enum pawl_status pawl__lane_submit(struct engine *e, struct lane_request *rq)
{
	enum pawl_status st = PAWL_OK;
	bool was_empty;

	PRE(rq->tx != NULL && rq->tx->ops_len > 0 && rq->done != NULL);
	rq->next = NULL;
	rq->submitted_us = pawl__clock_mono_us();
	if (rq->deadline_mono_us == 0)
		rq->deadline_mono_us = rq->submitted_us + (int64_t)PAWL_DEADLINE_MS_DEFAULT * 1000;
	(void)pthread_mutex_lock(&e->mu);
	was_empty = e->depth == 0;
	if (e->draining)
		st = PAWL_E_DRAINING;
	else if (e->fatal)
		st = PAWL_E_STORE_UNAVAILABLE;
	else if (e->depth >= e->opt.queue_max)
		st = PAWL_E_OVERLOADED;
	if (st == PAWL_OK) {
		*e->tail = rq;
		e->tail = &rq->next;
		e->depth++;
	}
	(void)pthread_mutex_unlock(&e->mu);
	if (st != PAWL_OK)
		pawl__engine_count(e, &e->metrics.overloaded, 1);
	if (st == PAWL_OK && was_empty && e->opt.mode == ENGINE_THREAD)
		(void)pthread_cond_signal(&e->wake);
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
static void lane_take(struct engine *e)
{
	struct lane_request *list = NULL, **last = &list;
	uint32_t n = 0;
	int64_t now_us;
	bool fatal;

	(void)pthread_mutex_lock(&e->mu);
	fatal = e->fatal;
	while (e->head != NULL && n < e->opt.batch_max) {
		*last = e->head;
		last = &e->head->next;
		e->head = e->head->next;
		n++;
	}
	*last = NULL;
	e->depth -= n;
	if (e->head == NULL)
		e->tail = &e->head;
	(void)pthread_mutex_unlock(&e->mu);
	if (n > 0)
		pawl__engine_count(e, &e->metrics.requests, n);
	now_us = n > 0 ? pawl__clock_mono_us() : 0;
	e->batch_len = 0;
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
			e->batch[e->batch_len++] = rq;
	}
}

static void sweep_done(struct lane_request *rq, const struct tx_answer *answer)
{
	(void)rq;
	(void)answer;
}

/* Expiry is decided wherever a row is looked at; the sweeper only looks at rows that nobody else
 * does. True when there is more to do. */
static bool lane_sweep(struct engine *e)
{
	struct store_due due = { .ids = e->sweep_ids, .max = SWEEP_ACCOUNTS_MAX };
	struct pawl_error err;
	int64_t now_us;

	(void)pthread_mutex_lock(&e->mu);
	now_us = e->fatal ? -1 : pawl__engine_now(e);
	(void)pthread_mutex_unlock(&e->mu);
	if (now_us < 0)
		return false;
	pawl__arena_reset(&e->sweep_arena);
	if (store_due(e->store, now_us, &e->sweep_arena, &due, &err) != PAWL_OK || due.len == 0)
		return false;
	for (uint32_t i = 0; i < due.len; i++) {
		e->sweep_ops[i] = (struct op){ .kind = OP_TOUCH };
		e->sweep_ops[i].u.account.id = due.ids[i];
	}
	e->sweep_tx = (struct tx){ .ops = e->sweep_ops, .ops_len = due.len };
	e->sweep_request = (struct lane_request){ .tx = &e->sweep_tx,
		                                  .done = sweep_done,
		                                  .submitted_us = pawl__clock_mono_us() };
	e->batch[0] = &e->sweep_request;
	e->batch_len = 1;
	pawl__batch_run(e);
	pawl__engine_count(e, &e->metrics.sweeps, 1);
	pawl__engine_count(e, &e->metrics.holds_expired_accounts, due.len);
	return due.len == SWEEP_ACCOUNTS_MAX;
}

static void lane_upkeep(struct engine *e, bool idle)
{
	struct pawl_error err;

	/* Upkeep that fails is tried again later; what matters fails in a commit. */
	if (!e->fatal && store_housekeep(e->store, idle, &err) != PAWL_OK)
		return;
}

int64_t pawl__lane_turn(struct engine *e)
{
	int64_t now_us, left_us;

	lane_take(e);
	if (e->batch_len > 0) {
		pawl__batch_run(e);
		lane_upkeep(e, false);
		e->idle_work = true;
	} else if (e->idle_work) {
		lane_upkeep(e, true);
		e->idle_work = false;
	}
	if (pawl__lane_depth(e) > 0)
		return 0;
	if (e->opt.sweep_us < 0)
		return UPKEEP_US;
	now_us = pawl__clock_mono_us();
	if (now_us >= e->next_sweep_us) {
		const bool more = lane_sweep(e);

		e->next_sweep_us = more ? now_us : now_us + e->opt.sweep_us;
		lane_upkeep(e, true);
	}
	left_us = e->next_sweep_us - now_us;
	if (left_us < 0)
		left_us = 0;
	return e->idle_work && left_us > UPKEEP_US ? UPKEEP_US : left_us;
}
