/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One batch: load, apply, flush, commit, answer. A batch that the store refuses is applied again
 * on fresh rows; one that does not fit its memory, or holds a request that the store can't take,
 * is split, so that a request never falls with its neighbours.
 */
#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "core/answer.h"
#include "engine/lane.h"

#define BACKOFF_FIRST_US  500
#define OUTCOME_TRIES_MAX 5

/* A part of the batch: requests [from, from + len). */
struct part {
	struct lane_request **rq;
	struct tx_answer *answer;
	uint32_t len;
};

void pawl__engine_count(struct engine *e, uint64_t *metric, uint64_t n)
{
	(void)pthread_mutex_lock(&e->metrics_mu);
	*metric += n;
	(void)pthread_mutex_unlock(&e->metrics_mu);
}

/* Rows of all requests, round by round: what a hold hangs on is known once the hold is loaded. */
static enum pawl_status part_load(struct engine *e, const struct part *p, struct pawl_error *err)
{
	struct ws *ws = &e->ws;

	for (unsigned round = 0; round < APPLY_ROUNDS_MAX; round++) {
		struct ws_entry *first;
		enum pawl_status st;

		for (uint32_t i = 0; i < p->len; i++)
			pawl__apply_needs(ws, p->rq[i]->tx);
		if (ws->failed)
			return pawl__error_set(err, PAWL_E_NOMEM, "the batch is too large");
		if (ws->wanted == NULL)
			return PAWL_OK;
		first = ws->wanted;
		st = store_load(e->store, ws, err);
		for (struct ws_entry *en = first; en != NULL && st == PAWL_OK; en = en->next) {
			int64_t freed_due[2];

			if (en->kind != ROW_ACCOUNT || !en->present || en->dirty ||
			    en->row.account.due_us == 0 || en->row.account.due_us > ws->now_us)
				continue;
			st = store_expire(e->store, en, ws->now_us, pawl__ws_expiry_revision(ws),
			                  freed_due, err);
			if (st == PAWL_OK)
				pawl__apply_expire(ws, en, freed_due[0], freed_due[1]);
		}
		if (st != PAWL_OK)
			return st;
	}
	return PAWL_OK;
}

static enum pawl_status part_begin(struct engine *e, const struct part *p, struct pawl_error *err)
{
	struct store_begin b;
	enum pawl_status st;

	pawl__arena_reset(&e->arena);
	pawl__ws_init(&e->ws, &e->arena, pawl__rng_next(&e->rng), p->len);
	for (uint32_t i = 0; i < p->len; i++)
		pawl__apply_reset(p->rq[i]->tx);
	st = store_begin(e->store, &b, err);
	if (st != PAWL_OK)
		return st;
	(void)pthread_mutex_lock(&e->mu);
	if (b.high_water_us > e->clock.high_water_us)
		e->clock.high_water_us = b.high_water_us;
	e->ws.now_us = pawl__engine_now(e);
	(void)pthread_mutex_unlock(&e->mu);
	e->ws.revision = b.revision;
	e->ws.answers_seq = b.answers_seq;
	return PAWL_OK;
}

/* After a lost answer to COMMIT: ask, never guess. */
static enum pawl_status part_outcome(struct engine *e, struct pawl_error *err)
{
	for (int i = 0; i < OUTCOME_TRIES_MAX; i++) {
		enum store_outcome known = STORE_NOT_KNOWN;
		struct pawl_error why;

		if (store_outcome(e->store, e->ws.revision, e->ws.answers_seq, &known, &why) !=
		    PAWL_OK)
			continue;
		if (known == STORE_COMMITTED)
			return PAWL_OK;
		if (known == STORE_NOT_COMMITTED)
			return pawl__error_set(err, PAWL_E_SERIALIZE, "the commit was lost");
	}
	return PAWL_E_OUTCOME_UNKNOWN;
}

/* One attempt, one transaction of the store. */
static enum pawl_status part_try(struct engine *e, const struct part *p, struct pawl_error *err)
{
	struct ws *ws = &e->ws;
	enum pawl_status st = part_begin(e, p, err);

	if (st == PAWL_OK)
		st = part_load(e, p, err);
	if (st == PAWL_OK) {
		for (uint32_t i = 0; i < p->len && !ws->failed; i++)
			pawl__apply(ws, p->rq[i]->tx, &p->answer[i]);
		if (ws->failed)
			st = pawl__error_set(err, PAWL_E_NOMEM, "the batch is too large");
	}
	if (st == PAWL_OK && pawl__ws_clean(ws)) {
		store_rollback(e->store);
		pawl__engine_count(e, &e->metrics.batches_empty, 1);
		return PAWL_OK;
	}
	if (st == PAWL_OK)
		st = store_flush(e->store, ws, err);
	if (st == PAWL_OK) {
		st = store_commit(e->store, err);
		if (st == PAWL_E_OUTCOME_UNKNOWN) {
			store_rollback(e->store);
			st = part_outcome(e, err);
		} else if (st == PAWL_E_IO) {
			st = PAWL_E_OUTCOME_UNKNOWN; /* it may have reached the device */
		}
	}
	if (st != PAWL_OK)
		store_rollback(e->store);
	return st;
}

static void backoff(struct engine *e, unsigned attempt)
{
	const uint64_t most = (uint64_t)BACKOFF_FIRST_US << attempt;
	const uint64_t us = 1 + pawl__rng_below(&e->rng, most); /* full jitter */
	const struct timespec ts = { .tv_nsec = (long)(us * 1000) };

	(void)nanosleep(&ts, NULL);
}

static enum pawl_status part_commit(struct engine *e, const struct part *p, struct pawl_error *err)
{
	enum pawl_status st = part_try(e, p, err);

	for (unsigned attempt = 0; attempt < PAWL_BATCH_RETRIES_MAX; attempt++) {
		if (st != PAWL_E_SERIALIZE && st != PAWL_E_BUSY)
			break;
		pawl__engine_count(e, &e->metrics.retries, 1);
		backoff(e, attempt);
		st = part_try(e, p, err);
	}
	return st;
}

/* A device that failed an fsync has lost pages it had called written (fsyncgate, 2018): nothing
 * this process writes after it can be trusted, so it writes no more. */
static void engine_fail(struct engine *e, const struct pawl_error *err)
{
	(void)pthread_mutex_lock(&e->mu);
	e->fatal = true;
	memcpy(e->fatal_detail, err->text, sizeof(e->fatal_detail));
	(void)pthread_mutex_unlock(&e->mu);
}

static void answer_fault(const struct lane_request *rq, enum pawl_status st, struct buf *body,
                         struct tx_answer *ret)
{
	const struct problem p = { .code = st, .op = -1, .request_id = rq->tx->request_id };

	pawl__json_problem(body, &p);
	*ret = (struct tx_answer){
		.code = st, .http = pawl_status_http(st), .op = -1, .body = buf_get(body)
	};
}

static void answer_count(struct engine *e, const struct lane_request *rq, const struct tx_answer *a,
                         int64_t now_us)
{
	struct engine_metrics *m = &e->metrics;

	if (rq == &e->sweep_request)
		return; /* nobody waited for it */
	pawl__hist_put(&m->wait_us, (uint64_t)(now_us - rq->submitted_us));
	if (a->replayed)
		m->replayed++;
	else if (a->code == PAWL_OK)
		m->committed++;
	else
		m->refused++;
}

static void part_answer(struct engine *e, const struct part *p, enum pawl_status fault)
{
	char mem[1024 + 2 * PAWL_REQUEST_ID_MAX];
	const int64_t now_us = pawl__clock_mono_us();

	(void)pthread_mutex_lock(&e->metrics_mu);
	for (uint32_t i = 0; i < p->len && fault == PAWL_OK; i++)
		answer_count(e, p->rq[i], &p->answer[i], now_us);
	if (fault != PAWL_OK)
		e->metrics.dropped += p->len;
	(void)pthread_mutex_unlock(&e->metrics_mu);
	for (uint32_t i = 0; i < p->len; i++) {
		struct lane_request *rq = p->rq[i];
		struct buf body;

		if (fault != PAWL_OK) {
			pawl__buf_init_fixed(&body, mem, sizeof(mem));
			answer_fault(rq, fault, &body, &p->answer[i]);
		}
		rq->done(rq, &p->answer[i]);
	}
}

/* What a client is told of a fault of the store: nothing was done, or not known. */
static enum pawl_status client_fault(enum pawl_status st)
{
	switch (pawl_status_http(st)) {
	case 503:
	case 504:
		return st == PAWL_E_SERIALIZE || st == PAWL_E_BUSY ? PAWL_E_STORE_UNAVAILABLE : st;
	default:
		return PAWL_E_STORE_UNAVAILABLE;
	}
}

static void part_run(struct engine *e, const struct part *p)
{
	const int64_t start_us = pawl__clock_mono_us();
	struct pawl_error err = { .status = PAWL_OK };
	const enum pawl_status st = part_commit(e, p, &err);

	(void)pthread_mutex_lock(&e->metrics_mu);
	e->metrics.batches++;
	pawl__hist_put(&e->metrics.batch_len, p->len);
	pawl__hist_put(&e->metrics.commit_us, (uint64_t)(pawl__clock_mono_us() - start_us));
	(void)pthread_mutex_unlock(&e->metrics_mu);
	if ((st == PAWL_E_NOMEM || st == PAWL_E_CORRUPT) && p->len > 1) {
		const uint32_t half = p->len / 2;

		part_run(e, &(struct part){ p->rq, p->answer, half });
		part_run(e, &(struct part){ p->rq + half, p->answer + half, p->len - half });
		return;
	}
	if (st == PAWL_E_IO || st == PAWL_E_OUTCOME_UNKNOWN)
		engine_fail(e, &err);
	part_answer(e, p, st == PAWL_OK ? PAWL_OK : client_fault(st));
}

void pawl__batch_run(struct engine *e)
{
	if (e->batch_len > 0)
		part_run(e, &(struct part){ e->batch, e->answers, e->batch_len });
	e->batch_len = 0;
}
