/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a transaction object: building, in flight, answered. */
#include "api/api.h"

#include <stdlib.h>

#include "api/canon.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"

/* A typical transaction fits one block, which the arena keeps over a reset. */
#define TX_BLOCK 2048u

/* Canonical forms and answers of the largest transactions; they grow to what is used. */
#define TX_TEXT_MAX ((size_t)4 * PAWL_TX_BYTES_MAX)

/* What a request looks like to the engine; one row per kind that stands alone. The routes are those
 * of the server: they are in the fingerprint. */
static const struct tx_row {
	const char *route;
	enum tx_form form;
	int http_created;
} tx_row_tx = { "POST /v1/tx", TX_FORM_TX, 200 }, tx_rows[] = {
	[OP_ACCOUNT] = { "PUT /v1/accounts/{id}", TX_FORM_ACCOUNT, 201 },
	[OP_ITEM] = { "PUT /v1/items/{sku}", TX_FORM_ITEM, 201 },
	[OP_RESTOCK] = { "POST /v1/items/{sku}/restock", TX_FORM_ITEM, 200 },
	[OP_ORDER] = { "POST /v1/orders", TX_FORM_ORDER, 201 },
	[OP_CONFIRM] = { "POST /v1/orders/{id}/confirm", TX_FORM_ORDER, 200 },
	[OP_CANCEL] = { "POST /v1/orders/{id}/cancel", TX_FORM_ORDER, 200 },
};

enum pawl_status pawl_tx_new(struct pawl *p, struct pawl_tx **ret, struct pawl_error *err)
{
	struct pawl_tx *tx = calloc(1, sizeof(*tx));

	PRE(p != NULL && ret != NULL);
	if (tx == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for a transaction");
	if (pthread_mutex_init(&tx->lock, NULL) != 0)
		goto fail;
	if (pthread_cond_init(&tx->cond, NULL) != 0)
		goto fail_lock;
	tx->p = p;
	pawl__arena_init(&tx->arena, TX_BLOCK, PAWL_TX_BYTES_MAX);
	pawl__buf_init(&tx->text, TX_TEXT_MAX);
	atomic_init(&tx->in_flight, false);
	pawl_tx_reset(tx);
	*ret = tx;
	return PAWL_OK;

fail_lock:
	(void)pthread_mutex_destroy(&tx->lock);
fail:
	free(tx);
	return pawl__error_set(err, PAWL_E_NOMEM, "no memory for a transaction's lock");
}

void pawl_tx_free(struct pawl_tx *tx)
{
	if (tx == NULL)
		return;
	PRE(!atomic_load(&tx->in_flight));
	pawl__arena_deinit(&tx->arena);
	pawl__buf_deinit(&tx->text);
	free(tx->ops);
	(void)pthread_cond_destroy(&tx->cond);
	(void)pthread_mutex_destroy(&tx->lock);
	free(tx);
}

void pawl_tx_reset(struct pawl_tx *tx)
{
	PRE(tx != NULL && !atomic_load(&tx->in_flight));
	pawl__arena_reset(&tx->arena);
	tx->tx = (struct tx){ .caller = { tx->p->caller, tx->p->caller_len } };
	tx->alone = false;
	tx->err.status = PAWL_OK;
	tx->deadline_ms = 0;
}

enum pawl_status pawl_tx_key(struct pawl_tx *tx, const char *key)
{
	const struct str text = pawl__text(key, PAWL_KEY_MAX);

	PRE(tx != NULL);
	if (atomic_load(&tx->in_flight))
		return PAWL_E_INVALID;
	if (tx->err.status != PAWL_OK)
		return tx->err.status;
	if (!pawl__str_visible(text, PAWL_KEY_MAX, true))
		return pawl__error_set(&tx->err, PAWL_E_INVALID,
		                       "the idempotency key must be 1 to %d visible ASCII bytes",
		                       PAWL_KEY_MAX);
	tx->tx.key = pawl__arena_str(&tx->arena, text);
	if (tx->tx.key.ptr == NULL)
		return pawl__error_set(&tx->err, PAWL_E_NOMEM, "no memory for the idempotency key");
	return PAWL_OK;
}

enum pawl_status pawl_tx_deadline(struct pawl_tx *tx, int64_t deadline_ms)
{
	PRE(tx != NULL);
	if (atomic_load(&tx->in_flight))
		return PAWL_E_INVALID;
	if (tx->err.status != PAWL_OK)
		return tx->err.status;
	if (deadline_ms < 1 || deadline_ms > PAWL_DEADLINE_MS_MAX)
		return pawl__error_set(&tx->err, PAWL_E_INVALID, "the deadline must be 1 to %d ms",
		                       PAWL_DEADLINE_MS_MAX);
	tx->deadline_ms = deadline_ms;
	return PAWL_OK;
}

/* The lane's answer in the terms of this library. NOT the text: it is only borrowed. */
static struct pawl_answer answer_of(const struct tx_answer *a)
{
	return (struct pawl_answer){
		.code = a->code,
		.http = a->http,
		.op = a->op,
		.replayed = a->replayed,
		.revision = a->revision,
		.etag = a->etag,
	};
}

static void tx_wake(struct pawl_tx *tx, const struct tx_answer *answer)
{
	INVARIANT(pthread_mutex_lock(&tx->lock) == 0);
	tx->status = answer->code;
	*tx->answer = answer_of(answer);
	pawl__answer_body(tx->answer, answer->body);
	tx->answered = true;
	atomic_store(&tx->in_flight, false);
	(void)pthread_cond_signal(&tx->cond);
	/* The waiter may free tx as soon as this has let go of the lock. */
	INVARIANT(pthread_mutex_unlock(&tx->lock) == 0);
}

static void tx_call(struct pawl_tx *tx, const struct tx_answer *answer)
{
	struct pawl_answer view = answer_of(answer);
	const pawl_tx_fn fn = tx->fn;
	void *arg = tx->arg;

	if (!status_is_verdict(answer->code)) {
		atomic_store(&tx->in_flight, false);
		fn(arg, answer->code, NULL);
		return;
	}
	pawl__buf_reset(&tx->text);
	buf_str(&tx->text, answer->body);
	pawl__buf_putc(&tx->text, '\0');
	if (!tx->text.overflow) {
		view.body = tx->text.data;
		view.body_len = answer->body.len;
	}
	atomic_store(&tx->in_flight, false);
	fn(arg, PAWL_OK, &view); /* may free tx */
}

static void tx_done(struct lane_request *rq, const struct tx_answer *answer)
{
	struct pawl_tx *tx = CONTAINER_OF(rq, struct pawl_tx, rq);

	INVARIANT(atomic_load(&tx->in_flight));
	if (tx->fn != NULL)
		tx_call(tx, answer);
	else
		tx_wake(tx, answer);
}

static enum pawl_status tx_prepare(struct pawl_tx *tx, struct pawl_error *err)
{
	const struct tx_row *row = &tx_row_tx;
	const int64_t deadline_ms = tx->deadline_ms > 0 ? tx->deadline_ms : tx->p->deadline_ms;

	if (tx->err.status != PAWL_OK) {
		if (err != NULL)
			*err = tx->err;
		return tx->err.status;
	}
	if (tx->tx.ops_len == 0)
		return pawl__error_set(err, PAWL_E_INVALID, "the transaction has no operation");
	if (tx->alone)
		row = &tx_rows[tx->ops[0].kind];
	tx->tx.ops = tx->ops;
	tx->tx.form = row->form;
	tx->tx.http_created = row->http_created;
	tx->tx.route = (struct str){ row->route, strlen(row->route) };
	if (tx->tx.key.len > 0 && pawl__canon_fingerprint(&tx->tx, &tx->text) != PAWL_OK)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for the fingerprint");
	tx->rq = (struct lane_request){ .tx = &tx->tx, .done = tx_done };
	if (deadline_ms > 0)
		tx->rq.deadline_mono_us = pawl__clock_mono_us() + deadline_ms * 1000;
	return PAWL_OK;
}

/* fn: NULL = tx_wake. After PAWL_OK tx may be gone. */
static enum pawl_status tx_submit(struct pawl_tx *tx, pawl_tx_fn fn, void *arg,
                                  struct pawl_error *err)
{
	struct pawl *p = tx->p;
	enum pawl_status st = tx_prepare(tx, err);

	if (st != PAWL_OK)
		return st;
	if (!pawl__gate_enter(p, err))
		return PAWL_E_DRAINING;
	tx->fn = fn;
	tx->arg = arg;
	atomic_store(&tx->in_flight, true);
	st = pawl__lane_submit(p->engine, &tx->rq);
	if (st != PAWL_OK) {
		atomic_store(&tx->in_flight, false);
		(void)pawl__error_set(err, st, "%s", pawl_status_text(st));
	}
	pawl__gate_leave(p);
	return st;
}

enum pawl_status pawl_tx_submit(struct pawl_tx *tx, pawl_tx_fn fn, void *arg,
                                struct pawl_error *err)
{
	PRE(tx != NULL && fn != NULL);
	if (atomic_load(&tx->in_flight))
		return pawl__error_set(err, PAWL_E_INVALID, "the transaction is in flight");
	return tx_submit(tx, fn, arg, err);
}

static void tx_wait(struct pawl_tx *tx)
{
	INVARIANT(pthread_mutex_lock(&tx->lock) == 0);
	while (!tx->answered)
		INVARIANT(pthread_cond_wait(&tx->cond, &tx->lock) == 0);
	INVARIANT(pthread_mutex_unlock(&tx->lock) == 0);
}

enum pawl_status pawl_tx_commit(struct pawl_tx *tx, struct pawl_answer **ret,
                                struct pawl_error *err)
{
	struct pawl_answer *answer;
	enum pawl_status st;

	PRE(tx != NULL && ret != NULL);
	if (atomic_load(&tx->in_flight))
		return pawl__error_set(err, PAWL_E_INVALID, "the transaction is in flight");
	answer = calloc(1, sizeof(*answer));
	if (answer == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for the answer");
	tx->answer = answer;
	tx->answered = false;
	st = tx_submit(tx, NULL, NULL, err);
	if (st == PAWL_OK) {
		tx_wait(tx);
		st = status_is_verdict(tx->status) ? PAWL_OK : tx->status;
		if (st != PAWL_OK)
			(void)pawl__error_set(err, st, "%s", pawl_status_text(st));
	}
	tx->answer = NULL;
	if (st != PAWL_OK)
		pawl_answer_free(answer);
	else
		*ret = answer;
	return st;
}

enum pawl_status pawl__tx_once(struct pawl_tx *take_tx, struct pawl_answer **ret,
                               struct pawl_error *err)
{
	const enum pawl_status st = pawl_tx_commit(take_tx, ret, err);

	pawl_tx_free(take_tx);
	return st;
}
