/* SPDX-License-Identifier: Apache-2.0 */
#include "server/server.h"

#include <signal.h>
#include <sodium.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rng.h"
#include "server/address.h"
#include "server/call.h"

#define WAITING_MAX_DEFAULT ((size_t)256 << 20)
#define DRAIN_US_DEFAULT    INT64_C(10000000)
#define DRAIN_LOOK_US       INT64_C(10000) /* between two looks whether all is done */
#define UNIX_MODE           0660
#define CANON_MAX           ((size_t)16 << 20)

static void server_signal(void *data, int signo)
{
	(void)signo;
	pawl__server_stop(data);
}

/* Stop taking connections; those that are open end with what they have in flight. */
static void drain_close(struct server *s)
{
	s->closing = true;
	pawl__http_drain(s->http);
}

static void drain_due(struct loop_timer *t)
{
	struct server *s = CONTAINER_OF(t, struct server, drain_timer);

	if (!s->closing)
		drain_close(s);
}

static void drain_begin(struct server *s)
{
	const int64_t delay_us = s->opt.drain_delay_us;

	s->draining = true;
	s->drain_us = pawl__loop_now_us(s->loop) + delay_us + s->opt.drain_us;
	if (delay_us <= 0 ||
	    pawl__loop_timer_set(s->loop, &s->drain_timer, delay_us, NULL) != PAWL_OK)
		drain_close(s);
}

/* How long the loop may sleep for the drain's sake; ends the loop when there is nothing more to
 * wait for. */
static int64_t drain_turn(struct server *s)
{
	const unsigned stops = atomic_load(&s->stops);

	if (stops == 0)
		return LOOP_FOREVER;
	if (!s->draining)
		drain_begin(s);
	if (stops > 1 || pawl__loop_now_us(s->loop) >= s->drain_us ||
	    (s->closing && s->pending == 0 && pawl__http_counters(s->http)->conns_open == 0)) {
		pawl__loop_stop(s->loop);
		return 0;
	}
	return DRAIN_LOOK_US;
}

static int64_t server_work(struct loop_hook *h)
{
	struct server *s = CONTAINER_OF(h, struct server, work);
	int64_t lane_us = LOOP_FOREVER, drain_us;

	if (s->opt.commit_on_loop) {
		/* Answers that are ready do not wait for a commit they do not rest on. */
		if (pawl__lane_depth(s->engine) > 0)
			pawl__http_flush(s->http);
		lane_us = pawl__lane_turn(s->engine);
	} else {
		pawl__pending_drain(s);
		pawl__reads_drain(s);
	}
	drain_us = drain_turn(s);
	return lane_us < drain_us ? lane_us : drain_us;
}

static enum pawl_status listen_one(struct server *s, size_t i, struct pawl_error *err)
{
	const char *text = s->opt.listen[i];
	struct address a;

	if (!pawl__address_parse(text, &a))
		return pawl__error_set(err, PAWL_E_CONFIG,
		                       "cannot listen on \"%.100s\": expected ADDR:PORT, "
		                       "[IPV6]:PORT or unix:PATH",
		                       text);
	if (a.is_unix)
		return pawl__http_listen_unix(s->http, a.path, UNIX_MODE, err);
	if (!pawl__address_local(&a) && s->auth == NULL)
		return pawl__error_set(
			err, PAWL_E_CONFIG,
			"%.100s is open to other machines, and nobody would be asked "
			"for a token: give a token file, or listen on 127.0.0.1",
			text);
	if (!pawl__address_local(&a) && !s->opt.plaintext)
		return pawl__error_set(
			err, PAWL_E_CONFIG,
			"%.100s is open to other machines, and tokens would cross the "
			"network unencrypted: put a TLS proxy in front and listen on "
			"127.0.0.1, or allow plaintext",
			text);
	return pawl__http_listen_tcp(s->http, a.host, a.port, &s->ports[i], err);
}

static enum pawl_status listen_all(struct server *s, struct pawl_error *err)
{
	if (s->opt.listen_len > SERVER_LISTEN_MAX)
		return pawl__error_set(err, PAWL_E_CONFIG, "too many addresses to listen on");
	for (size_t i = 0; i < s->opt.listen_len; i++) {
		const enum pawl_status st = listen_one(s, i, err);

		if (st != PAWL_OK)
			return st;
	}
	return PAWL_OK;
}

static enum pawl_status front_open(struct server *s, struct pawl_error *err)
{
	const struct http_config config = {
		.app = { .data = s,
		         .request = pawl__call_request,
		         .may_overlap = pawl__call_may_overlap,
		         .refuse = pawl__call_refuse },
		.limits = { .conns_max = s->opt.conns_max },
	};
	sigset_t signals;
	enum pawl_status st = pawl__loop_new(&s->loop, err);

	if (st != PAWL_OK)
		return st;
	s->work = (struct loop_hook){ LOOP_WORK, server_work };
	s->drain_timer.due = drain_due;
	pawl__loop_hook_add(s->loop, &s->work);
	st = pawl__http_new(s->loop, &config, &s->http, err);
	if (st == PAWL_OK)
		st = listen_all(s, err);
	if (st != PAWL_OK || !s->opt.signals)
		return st;
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	return pawl__loop_signals(s->loop, &signals, server_signal, s, err);
}

static void server_defaults(struct server_options *o)
{
	static const char *const listen_default[] = { SERVER_LISTEN_DEFAULT };

	if (o->listen_len == 0) {
		o->listen = listen_default;
		o->listen_len = 1;
	}
	if (o->waiting_max == 0)
		o->waiting_max = WAITING_MAX_DEFAULT;
	if (o->drain_us <= 0)
		o->drain_us = DRAIN_US_DEFAULT;
}

static void server_closep(struct server **s)
{
	pawl__server_close(*s);
}

enum pawl_status pawl__server_open(const struct server_options *opt, struct server **ret,
                                   struct pawl_error *err)
{
	PAWL_CLEANUP(server_closep) struct server *s = NULL;
	enum pawl_status st = PAWL_OK;

	PRE(opt->engine != NULL);
	if (sodium_init() < 0)
		return pawl__error_set(err, PAWL_E_INTERNAL,
		                       "cannot initialise the crypto library");
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
	s->opt = *opt;
	server_defaults(&s->opt);
	s->engine = opt->engine;
	s->id_prefix = pawl__rng_os();
	s->start_real_us = pawl__clock_real_us();
	s->finished_last = &s->finished;
	INVARIANT(pthread_mutex_init(&s->lock, NULL) == 0);
	pawl__buf_init(&s->scratch, DECODE_SCRATCH);
	pawl__buf_init(&s->canon, CANON_MAX);
	pawl__buf_init(&s->out, BODY_OUT_MAX);
	pawl__reads_init(s);
	/* All of it now, so that a later overflow means a value over its limit, nothing else. */
	if (pawl__buf_reserve(&s->scratch, DECODE_SCRATCH) == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
	if (opt->token_file != NULL)
		st = pawl__auth_load(opt->token_file, &s->auth, err);
	if (st == PAWL_OK)
		st = front_open(s, err);
	if (st != PAWL_OK)
		return st;
	*ret = TAKE_PTR(s);
	return PAWL_OK;
}

enum pawl_status pawl__server_run(struct server *s, struct pawl_error *err)
{
	return pawl__loop_run(s->loop, err);
}

void pawl__server_stop(struct server *s)
{
	(void)atomic_fetch_add(&s->stops, 1);
	pawl__loop_wake(s->loop);
}

uint16_t pawl__server_port(const struct server *s, size_t i)
{
	PRE(i < s->opt.listen_len);
	return s->ports[i];
}

/* The engine holds pointers into our pool until it has called back. */
static void await_pending(struct server *s)
{
	struct pawl_error err;

	while (s->pending > 0 && s->opt.commit_on_loop)
		(void)pawl__lane_turn(s->engine);
	if (s->pending > 0 && !s->closing)
		drain_close(s); /* or new requests would keep it up */
	while (s->pending > 0) {
		/* The lane wakes the loop when something is finished, and the hook takes it. */
		if (pawl__loop_turn(s->loop, LOOP_FOREVER, &err) != PAWL_OK)
			log_error("cannot wait for the engine: %s", err.text);
	}
}

void pawl__server_close(struct server *s)
{
	if (s == NULL)
		return;
	await_pending(s);
	pawl__http_free(s->http);
	pawl__loop_free(s->loop);
	pawl__pending_free_all(s);
	pawl__auth_free(s->auth);
	pawl__buf_deinit(&s->scratch);
	pawl__buf_deinit(&s->canon);
	pawl__buf_deinit(&s->out);
	pawl__reads_deinit(s);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}

void pawl__server_block_signals(void)
{
	sigset_t signals;

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	INVARIANT(pthread_sigmask(SIG_BLOCK, &signals, NULL) == 0);
}
