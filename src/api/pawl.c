/* SPDX-License-Identifier: Apache-2.0 */
/* The handle: opening, closing, the gate, health and the audit. */
#include "api/api.h"

#include <sodium.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/error.h"

#define US_PER_S INT64_C(1000000)

const char *pawl_version(void)
{
	return PAWL_VERSION;
}

bool pawl__gate_enter(struct pawl *p, struct pawl_error *err)
{
	if ((atomic_fetch_add(&p->gate, GATE_ONE) & GATE_CLOSING) == 0)
		return true;
	pawl__gate_leave(p);
	(void)pawl__error_set(err, PAWL_E_DRAINING, "%s", pawl_status_text(PAWL_E_DRAINING));
	return false;
}

void pawl__gate_leave(struct pawl *p)
{
	if (atomic_fetch_sub(&p->gate, GATE_ONE) != (GATE_ONE | GATE_CLOSING))
		return;
	INVARIANT(pthread_mutex_lock(&p->lock) == 0);
	p->left = true;
	(void)pthread_cond_signal(&p->cond);
	INVARIANT(pthread_mutex_unlock(&p->lock) == 0);
}

/* Nobody uses the engine from now on but its own lane. */
static void gate_close(struct pawl *p)
{
	if (atomic_fetch_or(&p->gate, GATE_CLOSING) == 0)
		return;
	INVARIANT(pthread_mutex_lock(&p->lock) == 0);
	while (!p->left)
		INVARIANT(pthread_cond_wait(&p->cond, &p->lock) == 0);
	INVARIANT(pthread_mutex_unlock(&p->lock) == 0);
}

/* What an older or newer program passed, in the terms of this library: members that it does not
 * know are zero, members that we do not know must be. */
static bool options_take(const struct pawl_options *from, struct pawl_options *ret)
{
	const unsigned char *bytes = (const unsigned char *)from;

	if (from->size < sizeof(from->size))
		return false;
	for (size_t i = sizeof(*ret); i < from->size; i++) {
		if (bytes[i] != 0)
			return false;
	}
	memcpy(ret, from, from->size < sizeof(*ret) ? from->size : sizeof(*ret));
	return true;
}

static enum pawl_status options_check(const struct pawl_options *o, struct pawl_error *err)
{
	if (o->deadline_ms < 0 || o->deadline_ms > PAWL_DEADLINE_MS_MAX)
		return pawl__error_set(err, PAWL_E_INVALID, "deadline_ms is out of range");
	if (o->retention_s < 0 || o->retention_s > PAWL_ANSWER_RETENTION_S_MAX)
		return pawl__error_set(err, PAWL_E_INVALID, "retention_s is out of range");
	if (o->clock_step_max_s < 0 || o->clock_step_max_s > PAWL_ANSWER_RETENTION_S_MAX)
		return pawl__error_set(err, PAWL_E_INVALID, "clock_step_max_s is out of range");
	if (o->caller != NULL &&
	    !pawl__str_visible(pawl__text(o->caller, PAWL_CALLER_MAX), PAWL_CALLER_MAX, true))
		return pawl__error_set(err, PAWL_E_INVALID,
		                       "caller must be 1 to %d visible ASCII bytes",
		                       PAWL_CALLER_MAX);
	return PAWL_OK;
}

static struct pawl *handle_new(const struct pawl_options *o)
{
	const struct str caller =
		pawl__text(o->caller == NULL ? "anonymous" : o->caller, PAWL_CALLER_MAX);
	struct pawl *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	if (pthread_mutex_init(&p->lock, NULL) != 0)
		goto fail;
	if (pthread_cond_init(&p->cond, NULL) != 0)
		goto fail_lock;
	atomic_init(&p->gate, 0);
	p->deadline_ms = o->deadline_ms;
	memcpy(p->caller, caller.ptr, caller.len);
	p->caller_len = caller.len;
	return p;

fail_lock:
	(void)pthread_mutex_destroy(&p->lock);
fail:
	free(p);
	return NULL;
}

static void handle_free(struct pawl *p)
{
	(void)pthread_cond_destroy(&p->cond);
	(void)pthread_mutex_destroy(&p->lock);
	free(p);
}

enum pawl_status pawl_open(const char *url, const struct pawl_options *options, struct pawl **ret,
                           struct pawl_error *err)
{
	struct pawl_options o = PAWL_OPTIONS_INIT;
	struct engine_options engine = { .mode = ENGINE_THREAD };
	struct pawl *p;
	enum pawl_status st;

	PRE(url != NULL && ret != NULL);
	if (options != NULL && !options_take(options, &o))
		return pawl__error_set(err, PAWL_E_INVALID,
		                       "options were not set by PAWL_OPTIONS_INIT, or by that of a "
		                       "newer version");
	st = options_check(&o, err);
	if (st != PAWL_OK)
		return st;
	if (sodium_init() < 0)
		return pawl__error_set(err, PAWL_E_INTERNAL, "libsodium does not start");
	p = handle_new(&o);
	if (p == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for a handle");
	engine.queue_max = o.queue_max;
	engine.batch_max = o.batch_max;
	engine.retention_us = o.retention_s * US_PER_S;
	engine.clock_step_max_us = o.clock_step_max_s * US_PER_S;
	st = pawl__engine_open(url, &engine, &p->engine, err);
	if (st != PAWL_OK) {
		handle_free(p);
		return st;
	}
	*ret = p;
	return PAWL_OK;
}

void pawl_drain(struct pawl *p)
{
	PRE(p != NULL);
	if (!pawl__gate_enter(p, NULL))
		return;
	pawl__engine_drain(p->engine);
	pawl__gate_leave(p);
}

void pawl_close(struct pawl *p)
{
	if (p == NULL)
		return;
	gate_close(p);
	pawl__engine_close(p->engine);
	handle_free(p);
}

void pawl_health(struct pawl *p, struct pawl_health *ret)
{
	struct engine_health h = { .draining = true };

	PRE(p != NULL && ret != NULL);
	*ret = (struct pawl_health){ .draining = true };
	if (!pawl__gate_enter(p, NULL))
		return;
	pawl__engine_health(p->engine, &h);
	ret->queued = pawl__lane_depth(p->engine);
	pawl__gate_leave(p);
	ret->writable = h.writable;
	ret->draining = h.draining;
	ret->clock_stepped = h.clock_stepped;
	static_assert(sizeof(ret->detail) == sizeof(h.detail), "one size of texts");
	memcpy(ret->detail, h.detail, sizeof(ret->detail));
}

static void drift_count_only(void *arg, const char *check, const char *text)
{
	(void)arg;
	(void)check;
	(void)text;
}

enum pawl_status pawl_verify(struct pawl *p, pawl_drift_fn drift, void *arg, struct pawl_audit *ret,
                             struct pawl_error *err)
{
	struct store_audit a = { 0 };
	enum pawl_status st;

	PRE(p != NULL && ret != NULL);
	if (!pawl__gate_enter(p, err))
		return PAWL_E_DRAINING;
	st = pawl__engine_audit(p->engine, drift == NULL ? drift_count_only : drift, arg, &a, err);
	pawl__gate_leave(p);
	if (st != PAWL_OK)
		return st;
	*ret = (struct pawl_audit){
		.accounts = a.accounts,
		.transfers = a.transfers,
		.holds = a.holds,
		.orders = a.orders,
		.records = a.records,
		.units = a.units,
		.answers = a.answers,
		.checks = a.checks,
		.drifts = a.drifts,
	};
	return PAWL_OK;
}
