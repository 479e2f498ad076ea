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
#define BACKOFF_MAX_US    100000
#define OUTCOME_TRIES_MAX 5 /* on a store with a single writer */

/* A part of the batch: requests [from, from + len). */
struct part {
	struct lane_request **rq;
	struct tx_answer *answer;
	uint32_t len;
};

/* The latest deadline: how long it may be worked at, mono. */
static int64_t part_until_us(const struct part *p)
{
	int64_t until_us = 0;

	for (uint32_t i = 0; i < p->len; i++) {
		if (p->rq[i]->deadline_mono_us > until_us)
			until_us = p->rq[i]->deadline_mono_us;
	}
	return until_us;
}

void pawl__engine_count(struct engine *e, uint64_t *metric, uint64_t n)
{
	(void)pthread_mutex_lock(&e->metrics_mu);
	*metric += n;
	(void)pthread_mutex_unlock(&e->metrics_mu);
}

/* Rows of all requests, round by round: what a hold hangs on is known once the hold is loaded. */
static enum pawl_status part_load(struct lane *l, const struct part *p, struct pawl_error *err)
{
	struct ws *ws = &l->ws;
	int64_t now_us = 0;

	for (unsigned round = 0; round < APPLY_ROUNDS_MAX; round++) {
		struct ws_entry *first;
		enum pawl_status st;

		for (uint32_t i = 0; i < p->len; i++)
			pawl__apply_needs(ws, p->rq[i]->tx);
		if (ws->failed)
			return pawl__error_set(err, PAWL_E_NOMEM, "the batch is too large");
		if (ws->wanted == NULL && round > 0)
			return PAWL_OK;
		first = ws->wanted;
		st = store_load(l->store, ws, err);
		/* One time for the whole batch: the first load's. */
		now_us = round == 0 ? ws->now_us : now_us;
		ws->now_us = now_us;
		for (struct ws_entry *en = first; en != NULL && st == PAWL_OK; en = en->next) {
			int64_t freed_due[2];

			if (en->kind != ROW_ACCOUNT || !en->present || en->dirty ||
			    en->row.account.due_us == 0 || en->row.account.due_us > ws->now_us)
				continue;
			st = store_expire(l->store, en, ws->now_us, pawl__ws_expiry_revision(ws),
			                  freed_due, err);
			if (st == PAWL_OK)
				pawl__apply_expire(ws, en, freed_due[0], freed_due[1]);
		}
		if (st != PAWL_OK)
			return st;
	}
	return PAWL_OK;
}

static enum pawl_status part_begin(struct lane *l, const struct part *p, struct pawl_error *err)
{
	struct engine *e = l->engine;
	struct store_begin b;
	enum pawl_status st;

	pawl__arena_reset(&l->arena);
	pawl__ws_init(&l->ws, &l->arena, pawl__rng_next(&l->rng), p->len);
	for (uint32_t i = 0; i < p->len; i++)
		pawl__apply_reset(p->rq[i]->tx);
	st = store_begin(l->store, &b, err);
	if (st != PAWL_OK)
		return st;
	(void)pthread_mutex_lock(&e->mu);
	if (b.high_water_us > e->clock.high_water_us)
		e->clock.high_water_us = b.high_water_us;
	l->ws.now_us = pawl__engine_now(e);
	(void)pthread_mutex_unlock(&e->mu);
	l->ws.revision = b.revision;
	l->ws.answers_seq = b.answers_seq;
	return PAWL_OK;
}

static void backoff(struct lane *l, unsigned attempt)
{
	const unsigned shift = attempt < 8 ? attempt : 8;
	uint64_t most = (uint64_t)BACKOFF_FIRST_US << shift;
	uint64_t us;
	struct timespec ts;

	if (most > BACKOFF_MAX_US)
		most = BACKOFF_MAX_US;
	us = 1 + pawl__rng_below(&l->rng, most); /* full jitter */
	ts = (struct timespec){ .tv_nsec = (long)(us * 1000) };
	(void)nanosleep(&ts, NULL);
}

/* After a lost answer to COMMIT: ask, never guess. A shared store is asked for as long as the
 * requests may wait; with a single writer the answer is near, or there is none. */
static enum pawl_status part_outcome(struct lane *l, int64_t until_us, struct pawl_error *err)
{
	const bool shared = engine_shared(l->engine);

	pawl__engine_count(l->engine, &l->engine->metrics.unknown, 1);
	for (unsigned i = 0; shared || i < OUTCOME_TRIES_MAX; i++) {
		enum store_outcome known = STORE_NOT_KNOWN;
		struct pawl_error why;

		if (store_outcome(l->store, l->ws.revision, l->ws.answers_seq, &known, &why) !=
		    PAWL_OK)
			known = STORE_NOT_KNOWN;
		if (known == STORE_COMMITTED)
			return PAWL_OK;
		if (known == STORE_NOT_COMMITTED)
			return pawl__error_set(err, PAWL_E_SERIALIZE, "the commit was lost");
		if (shared && pawl__clock_mono_us() >= until_us)
			break;
		if (shared)
			backoff(l, i);
	}
	return PAWL_E_OUTCOME_UNKNOWN;
}

static enum pawl_status part_commit(struct lane *l, int64_t until_us, struct pawl_error *err)
{
	enum pawl_status st = store_commit(l->store, err);

	if (st == PAWL_E_IO)
		return PAWL_E_OUTCOME_UNKNOWN; /* it may have reached the device */
	if (st != PAWL_E_OUTCOME_UNKNOWN)
		return st;
	store_rollback(l->store);
	return part_outcome(l, until_us, err);
}

/* One attempt, one transaction of the store. */
static enum pawl_status part_try(struct lane *l, const struct part *p, int64_t until_us,
                                 struct pawl_error *err)
{
	struct ws *ws = &l->ws;
	enum pawl_status st = part_begin(l, p, err);

	if (st == PAWL_OK)
		st = part_load(l, p, err);
	if (st == PAWL_OK) {
		pawl__engine_seen(l->engine, ws->now_us);
		for (uint32_t i = 0; i < p->len && !ws->failed; i++)
			pawl__apply(ws, p->rq[i]->tx, &p->answer[i]);
		if (ws->failed)
			st = pawl__error_set(err, PAWL_E_NOMEM, "the batch is too large");
	}
	if (st == PAWL_OK && pawl__ws_clean(ws)) {
		store_rollback(l->store);
		pawl__engine_count(l->engine, &l->engine->metrics.batches_empty, 1);
		return PAWL_OK;
	}
	if (st == PAWL_OK)
		st = store_flush(l->store, ws, err);
	if (st == PAWL_OK)
		st = part_commit(l, until_us, err);
	if (st != PAWL_OK)
		store_rollback(l->store);
	return st;
}

/* Whether what the store said may be otherwise at the next try. */
static bool worth_retry(const struct lane *l, enum pawl_status st, unsigned attempt)
{
	if (st == PAWL_E_SERIALIZE || st == PAWL_E_BUSY)
		return attempt < PAWL_BATCH_RETRIES_MAX;
	return st == PAWL_E_STORE_UNAVAILABLE && engine_shared(l->engine) && !l->down;
}

static enum pawl_status part_work(struct lane *l, const struct part *p, struct pawl_error *err)
{
	struct engine *e = l->engine;
	const int64_t until_us = part_until_us(p);
	enum pawl_status st = part_try(l, p, until_us, err);

	for (unsigned attempt = 0; worth_retry(l, st, attempt); attempt++) {
		if (attempt > 0 && engine_shared(e) && pawl__clock_mono_us() >= until_us)
			break;
		pawl__engine_count(
			e, st == PAWL_E_STORE_UNAVAILABLE ? &e->metrics.lost : &e->metrics.retries,
			1);
		backoff(l, attempt);
		st = part_try(l, p, until_us, err);
	}
	return st;
}

/* A device that failed an fsync has lost pages it had called written (fsyncgate, 2018): nothing
 * this process writes after it can be trusted, so it writes no more. */
static void engine_fail(struct engine *e, const struct pawl_error *err)
{
	(void)pthread_mutex_lock(&e->mu);
	e->fatal = true;
	memcpy(e->fault, err->text, sizeof(e->fault));
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

	if (rq == &e->sweep.request)
		return; /* nobody waited for it */
	pawl__hist_put(&m->wait_us, (uint64_t)(now_us - rq->submitted_us));
	if (a->replayed)
		m->replayed++;
	else if (a->code == PAWL_OK)
		m->committed++;
	else
		m->refused++;
}

static void part_answer(struct lane *l, const struct part *p, enum pawl_status fault)
{
	struct engine *e = l->engine;
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

static void part_run(struct lane *l, const struct part *p)
{
	struct engine *e = l->engine;
	const int64_t start_us = pawl__clock_mono_us();
	struct pawl_error err = { .status = PAWL_OK };
	const enum pawl_status st = part_work(l, p, &err);

	(void)pthread_mutex_lock(&e->metrics_mu);
	e->metrics.batches++;
	pawl__hist_put(&e->metrics.batch_len, p->len);
	pawl__hist_put(&e->metrics.commit_us, (uint64_t)(pawl__clock_mono_us() - start_us));
	(void)pthread_mutex_unlock(&e->metrics_mu);
	if ((st == PAWL_E_NOMEM || st == PAWL_E_CORRUPT) && p->len > 1) {
		const uint32_t half = p->len / 2;

		part_run(l, &(struct part){ p->rq, p->answer, half });
		part_run(l, &(struct part){ p->rq + half, p->answer + half, p->len - half });
		return;
	}
	if (engine_shared(e))
		pawl__lane_reached(l, st, &err);
	else if (st == PAWL_E_IO || st == PAWL_E_OUTCOME_UNKNOWN)
		engine_fail(e, &err);
	part_answer(l, p, st == PAWL_OK ? PAWL_OK : client_fault(st));
}

void pawl__batch_run(struct lane *l)
{
	if (l->batch_len > 0)
		part_run(l, &(struct part){ l->batch, l->answers, l->batch_len });
	l->batch_len = 0;
}
