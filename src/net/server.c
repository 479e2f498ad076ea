/* SPDX-License-Identifier: Apache-2.0 */
#include "net/server.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/error.h"
#include "net/conn.h"

#define SWEEP_MAX_US 1000000 /* a deadline is noticed at most this late */

static int64_t server_input(struct loop_hook *h)
{
	struct http_server *server = CONTAINER_OF(h, struct http_server, input);
	/* Only what was there at the start: one that puts itself back has its turn in the next. */
	const struct http_conn *last = server->again.first == NULL ? NULL : server->again.last;
	struct http_conn *c = NULL;

	while (last != NULL && c != last) {
		c = pawl__http_conn_list_take_again(server);
		if (c->state == CONN_OPEN || c->state == CONN_LINGER)
			pawl__http_conn_input(c);
	}
	return LOOP_FOREVER;
}

void pawl__http_flush(struct http_server *server)
{
	struct http_conn *c;

	while ((c = pawl__http_conn_list_take_dirty(server)) != NULL)
		pawl__http_conn_flush(c);
}

static int64_t server_output(struct loop_hook *h)
{
	struct http_server *server = CONTAINER_OF(h, struct http_server, output);

	pawl__http_flush(server);
	pawl__http_conn_reap(server);
	return server->again.first != NULL ? 0 : LOOP_FOREVER;
}

static void min_us(int64_t *at, int64_t v)
{
	if (v < *at)
		*at = v;
}

/*
 * Deadlines are kept beside the connections, in one array, and looked at once in a while: 80 KiB
 * for 10,000 connections, a few microseconds. Lists in order of time would be touched by every
 * request, and timers set by every request cost more still.
 */
static void server_sweep(struct loop_timer *t)
{
	struct http_server *server = CONTAINER_OF(t, struct http_server, sweep);
	const int64_t now_us = pawl__loop_now_us(server->loop);
	int64_t every_us = SWEEP_MAX_US;

	for (uint32_t i = 0; i < server->slots_used; i++) {
		if (server->due_us[i] <= now_us)
			pawl__http_conn_expire(&server->conns[i]);
	}
	min_us(&every_us, server->limits.head_timeout_us / 4);
	min_us(&every_us, server->limits.body_timeout_us / 4);
	min_us(&every_us, server->limits.idle_timeout_us / 4);
	min_us(&every_us, server->limits.write_timeout_us / 4);
	min_us(&every_us, server->limits.linger_timeout_us / 4);
	/* The timer that has just fired left its place in the heap. */
	INVARIANT(pawl__loop_timer_set(server->loop, t, every_us, NULL) == PAWL_OK);
}

static void accept_resume(struct loop_timer *t)
{
	pawl__listen_resume(CONTAINER_OF(t, struct http_server, accept_pause));
}

static int64_t or_ms(int64_t us, int64_t default_ms)
{
	return us > 0 ? us : default_ms * 1000;
}

static struct http_limits limits_complete(struct http_limits l)
{
	if (l.body_max == 0)
		l.body_max = PAWL_BODY_MAX;
	if (l.answer_max == 0)
		l.answer_max = PAWL_UNSENT_MAX;
	if (l.conns_max == 0)
		l.conns_max = PAWL_CONNS_MAX_DEFAULT;
	l.head_timeout_us = or_ms(l.head_timeout_us, PAWL_HEAD_TIMEOUT_MS);
	l.body_timeout_us = or_ms(l.body_timeout_us, PAWL_BODY_TIMEOUT_MS);
	l.idle_timeout_us = or_ms(l.idle_timeout_us, PAWL_IDLE_TIMEOUT_MS);
	l.write_timeout_us = or_ms(l.write_timeout_us, PAWL_WRITE_TIMEOUT_MS);
	l.linger_timeout_us = or_ms(l.linger_timeout_us, PAWL_LINGER_TIMEOUT_MS);
	return l;
}

enum pawl_status pawl__http_new(struct loop *loop, const struct http_config *config,
                                struct http_server **ret_server, struct pawl_error *err)
{
	struct http_server *server = calloc(1, sizeof(*server));
	enum pawl_status st;

	PRE(config->app.request != NULL);
	if (server == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for the HTTP front");
	server->loop = loop;
	server->app = config->app;
	server->limits = limits_complete(config->limits);
	server->io = config->io == NULL ? &pawl__net_io_plain : config->io;
	server->io_config = config->io_config;
	/* Slots of connections that go in a turn are free again only after it. */
	server->slots =
		server->limits.conns_max + NET_REFUSED_MAX + NET_LISTENERS * NET_ACCEPTS_TURN;
	/* Large and zeroed: memory of slots that are never used is never touched. */
	server->conns = calloc(server->slots, sizeof(*server->conns));
	server->due_us = calloc(server->slots, sizeof(*server->due_us));
	server->scratch = malloc(NET_SCRATCH_LEN);
	server->input = (struct loop_hook){ LOOP_INPUT, server_input };
	server->output = (struct loop_hook){ LOOP_OUTPUT, server_output };
	server->sweep.due = server_sweep;
	server->accept_pause.due = accept_resume;
	if (server->conns == NULL || server->due_us == NULL || server->scratch == NULL) {
		st = pawl__error_set(err, PAWL_E_NOMEM, "no memory for the connections");
		pawl__http_free(server);
		return st;
	}
	st = pawl__loop_timer_set(loop, &server->sweep, 0, err);
	if (st != PAWL_OK) {
		pawl__http_free(server);
		return st;
	}
	pawl__loop_hook_add(loop, &server->input);
	pawl__loop_hook_add(loop, &server->output);
	*ret_server = server;
	return PAWL_OK;
}

void pawl__http_free(struct http_server *server)
{
	if (server == NULL)
		return;
	PRE(server->current == NULL);
	pawl__listen_end(server);
	for (uint32_t i = 0; i < server->slots_used; i++) {
		struct http_conn *c = &server->conns[i];

		c->dirty_queued = false;
		c->again_queued = false;
		if (c->state == CONN_OPEN || c->state == CONN_LINGER)
			pawl__http_conn_close(c);
	}
	pawl__http_conn_reap(server);
	while (server->free_chunk != NULL) {
		union net_chunk *chunk = server->free_chunk;

		server->free_chunk = chunk->next;
		free(chunk);
	}
	pawl__loop_timer_cancel(server->loop, &server->sweep);
	pawl__loop_timer_cancel(server->loop, &server->accept_pause);
	pawl__loop_hook_del(server->loop, &server->input);
	pawl__loop_hook_del(server->loop, &server->output);
	free(server->conns);
	free(server->due_us);
	free(server->scratch);
	free(server);
}

void pawl__http_drain(struct http_server *server)
{
	if (server->draining)
		return;
	server->draining = true;
	pawl__listen_end(server);
	for (uint32_t i = 0; i < server->slots_used; i++) {
		struct http_conn *c = &server->conns[i];

		if (c->state != CONN_OPEN)
			continue;
		if (conn_in_flight(c) > 0)
			c->last = true;
		/* A request may wait in the kernel: it is still served, as the last one. */
		c->readable = true;
		pawl__http_conn_again(c);
	}
}

const struct http_counters *pawl__http_counters(const struct http_server *server)
{
	return &server->counters;
}
