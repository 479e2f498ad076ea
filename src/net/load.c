/* SPDX-License-Identifier: Apache-2.0 */
#include "net/load.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "net/loop.h"

#define SCRATCH_LEN     (64 * 1024)
#define OUT_MAX         (64 * 1024 * 1024)
#define SWEEP_US        50000
#define RECONNECT_US    20000 /* pause after a connection that could not be made */
#define TIMEOUT_DEFAULT INT64_C(30000000)

enum load_state { LOAD_DOWN, LOAD_CONNECTING, LOAD_UP };

struct load_flight {
	uint64_t tag;
	int64_t sent_us;
	bool head;
};

struct load_conn {
	struct loop_watch watch;
	struct http_load *load;
	enum load_state state;
	uint32_t index;
	uint32_t first;  /* of the ring of flights */
	uint32_t flying; /* requests under way */
	uint32_t addr;   /* which of the peer's addresses is tried */
	bool finished;   /* the application has no more for it */
	int64_t retry_us;
	struct http1 parser;
	struct buf in;  /* the beginning of an answer */
	struct buf out; /* bytes from out_at on are not written */
	size_t out_at;
	struct load_flight *flights; /* depth of them, in the load's array */
};

struct http_load {
	struct loop *loop;
	struct load_app app;
	struct net_peer peer;
	uint32_t conns_len, depth;
	int64_t timeout_us;
	size_t body_max;
	struct load_conn *conns;     /* owned */
	struct load_flight *flights; /* owned */
	char *scratch;               /* owned */
	struct buf gather;           /* requests on their way into one write */
	struct loop_timer sweep;
	struct loop_timer end;
	uint64_t flying;   /* over all connections */
	uint32_t finished; /* connections */
	bool ending;       /* no more requests are taken */
	atomic_bool stopped;
	struct load_counters counters;
	struct http_response response;
};

static void conn_connect(struct load_conn *c);

static void flight_end(struct load_conn *c, enum load_outcome outcome, int64_t now_us,
                       const struct http_response *response)
{
	struct http_load *load = c->load;
	const struct load_flight *f = &c->flights[c->first];
	const struct load_result result = {
		.outcome = outcome,
		.conn = c->index,
		.tag = f->tag,
		.sent_us = f->sent_us,
		.done_us = now_us,
		.response = response,
	};

	INVARIANT(c->flying > 0);
	c->first = c->first + 1 == load->depth ? 0 : c->first + 1;
	c->flying--;
	load->flying--;
	switch (outcome) {
	case LOAD_ANSWERED:
		load->counters.answered++;
		break;
	case LOAD_TIMEOUT:
		load->counters.timeouts++;
		break;
	case LOAD_RESET:
		load->counters.resets++;
		break;
	case LOAD_MALFORMED:
		load->counters.malformed++;
		break;
	}
	load->app.done(load->app.data, &result);
}

/* The connection is of no more use: what is under way ends with why, and a new one is made. */
static void conn_lose(struct load_conn *c, enum load_outcome why)
{
	struct http_load *load = c->load;
	const int64_t now_us = pawl__clock_mono_us();
	const int fd = c->watch.fd;

	pawl__loop_del(load->loop, &c->watch);
	if (fd >= 0)
		(void)close(fd);
	if (c->state == LOAD_CONNECTING) {
		load->counters.connects_lost++;
		c->addr = (c->addr + 1) % (uint32_t)load->peer.addrs_len;
	}
	c->retry_us = c->state == LOAD_UP ? now_us : now_us + RECONNECT_US;
	c->state = LOAD_DOWN;
	pawl__buf_deinit(&c->in);
	pawl__buf_deinit(&c->out);
	c->out_at = 0;
	while (c->flying > 0)
		flight_end(c, why, now_us, NULL);
}

static void conn_finished(struct load_conn *c)
{
	if (c->finished)
		return;
	c->finished = true;
	c->load->finished++;
}

/* Ask for as many requests as may be under way; they are gathered behind each other. */
static void conn_fill(struct load_conn *c, int64_t now_us)
{
	struct http_load *load = c->load;

	while (c->flying < load->depth && !c->finished && !load->ending) {
		struct load_request request = { .conn = c->index, .out = &load->gather };
		const size_t before = load->gather.len;
		uint32_t at = c->first + c->flying;

		if (!load->app.next(load->app.data, &request)) {
			conn_finished(c);
			return;
		}
		if (load->gather.overflow || load->gather.len == before) {
			conn_finished(c); /* not a request, or one over every limit */
			return;
		}
		if (at >= load->depth)
			at -= load->depth;
		c->flights[at] = (struct load_flight){ request.tag, now_us, request.head };
		c->flying++;
		load->flying++;
		load->counters.requests++;
	}
}

/* False: the connection broke. */
static bool conn_send(struct load_conn *c, const char *data, size_t len, size_t *ret_sent)
{
	*ret_sent = 0;
	while (*ret_sent < len) {
		const ssize_t n =
			send(c->watch.fd, data + *ret_sent, len - *ret_sent, MSG_NOSIGNAL);

		if (n > 0) {
			*ret_sent += (size_t)n;
			c->load->counters.bytes_out += (uint64_t)n;
		} else if (n < 0 && (errno == EAGAIN)) {
			return true;
		} else if (n < 0 && errno != EINTR) {
			return false;
		}
	}
	return true;
}

static void conn_pump(struct load_conn *c, int64_t now_us)
{
	struct http_load *load = c->load;
	size_t sent;

	if (c->out.len > c->out_at) { /* first what is left of earlier ones */
		if (!conn_send(c, c->out.data + c->out_at, c->out.len - c->out_at, &sent)) {
			conn_lose(c, LOAD_RESET);
			return;
		}
		c->out_at += sent;
		if (c->out_at < c->out.len)
			return;
		pawl__buf_reset(&c->out);
		c->out_at = 0;
	}
	pawl__buf_reset(&load->gather);
	conn_fill(c, now_us);
	if (load->gather.len == 0)
		return;
	if (!conn_send(c, load->gather.data, load->gather.len, &sent)) {
		conn_lose(c, LOAD_RESET);
		return;
	}
	if (sent == load->gather.len)
		return;
	if (c->out.max == 0)
		pawl__buf_init(&c->out, OUT_MAX);
	pawl__buf_put(&c->out, load->gather.data + sent, load->gather.len - sent);
	if (c->out.overflow)
		conn_lose(c, LOAD_RESET);
}

/* All complete answers of data[0, *len). Returns how many bytes they were; false: malformed. */
static bool conn_parse(struct load_conn *c, char *data, size_t *len, int64_t now_us,
                       size_t *ret_done)
{
	struct http_load *load = c->load;
	size_t at = 0;

	while (at < *len) {
		size_t rest = *len - at;
		enum http1_result res;

		if (c->flying == 0)
			return false; /* an answer to nothing */
		res = pawl__http1_response(&c->parser, data + at, &rest, load->body_max,
		                           c->flights[c->first].head, &load->response);
		*len = at + rest;
		if (res == HTTP1_BAD)
			return false;
		if (res == HTTP1_MORE)
			break;
		at += pawl__http1_message_len(&c->parser);
		pawl__http1_reset(&c->parser);
		if (load->response.status >= 200)
			flight_end(c, LOAD_ANSWERED, now_us, &load->response);
	}
	*ret_done = at;
	return true;
}

static bool conn_parse_read(struct load_conn *c, size_t n, int64_t now_us)
{
	struct http_load *load = c->load;
	size_t len = n, done;

	if (c->in.len > 0) { /* behind the beginning that is there already */
		pawl__buf_put(&c->in, load->scratch, n);
		if (c->in.overflow)
			return false;
		len = c->in.len;
		if (!conn_parse(c, c->in.data, &len, now_us, &done))
			return false;
		c->in.len = len;
		pawl__buf_shift(&c->in, done);
		return true;
	}
	if (!conn_parse(c, load->scratch, &len, now_us, &done))
		return false;
	if (done == len)
		return true;
	if (c->in.max == 0)
		pawl__buf_init(&c->in, load->body_max + 2 * PAWL_HEAD_MAX + SCRATCH_LEN);
	pawl__buf_put(&c->in, load->scratch + done, len - done);
	return !c->in.overflow;
}

/* The peer has ended its bytes. */
static void conn_eof(struct load_conn *c)
{
	struct http_load *load = c->load;

	if (c->flying > 0 && c->in.len > 0 &&
	    pawl__http1_response_eof(&c->parser, c->in.data, c->in.len, &load->response) ==
	            HTTP1_DONE)
		flight_end(c, LOAD_ANSWERED, pawl__clock_mono_us(), &load->response);
	conn_lose(c, LOAD_RESET);
}

static void conn_read(struct load_conn *c, bool ended)
{
	struct http_load *load = c->load;

	for (;;) {
		const ssize_t n = recv(c->watch.fd, load->scratch, SCRATCH_LEN, 0);
		int64_t now_us;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN))
			return;
		if (n < 0) {
			conn_lose(c, LOAD_RESET);
			return;
		}
		if (n == 0) {
			conn_eof(c);
			return;
		}
		load->counters.bytes_in += (uint64_t)n;
		now_us = pawl__clock_mono_us();
		if (!conn_parse_read(c, (size_t)n, now_us)) {
			conn_lose(c, LOAD_MALFORMED);
			return;
		}
		conn_pump(c, now_us);
		if (c->state != LOAD_UP || ((size_t)n < SCRATCH_LEN && !ended))
			return;
	}
}

static void conn_ready(struct loop_watch *w, uint32_t events)
{
	struct load_conn *c = CONTAINER_OF(w, struct load_conn, watch);

	if (c->state == LOAD_CONNECTING) {
		int failure = 0;
		socklen_t len = sizeof(failure);

		if (getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &failure, &len) != 0 || failure != 0) {
			conn_lose(c, LOAD_RESET);
			return;
		}
		c->state = LOAD_UP;
		c->load->counters.connects++;
		pawl__http1_reset(&c->parser);
		conn_pump(c, pawl__clock_mono_us());
	} else if ((events & EPOLLOUT) && c->out.len > c->out_at) {
		conn_pump(c, pawl__clock_mono_us());
	}
	if (c->state == LOAD_UP && (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
		conn_read(c, (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
	/* A connection that has ended in order is made again at once, while there is more to do. */
	if (c->state == LOAD_DOWN && c->retry_us <= pawl__loop_now_us(c->load->loop))
		conn_connect(c);
}

static void conn_connect(struct load_conn *c)
{
	struct http_load *load = c->load;
	int fd;

	if (c->finished || load->ending)
		return;
	c->state = LOAD_CONNECTING;
	fd = pawl__peer_connect_start(&load->peer.addrs[c->addr]);
	if (fd < 0) {
		conn_lose(c, LOAD_RESET);
		return;
	}
	if (pawl__loop_add(load->loop, &c->watch, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
	                   NULL) != PAWL_OK) {
		(void)close(fd);
		conn_lose(c, LOAD_RESET);
	}
}

static void load_sweep(struct loop_timer *t)
{
	struct http_load *load = CONTAINER_OF(t, struct http_load, sweep);
	const int64_t now_us = pawl__clock_mono_us();

	for (uint32_t i = 0; i < load->conns_len; i++) {
		struct load_conn *c = &load->conns[i];

		if (c->flying > 0 && now_us - c->flights[c->first].sent_us >= load->timeout_us)
			conn_lose(c, LOAD_TIMEOUT);
		if (c->state == LOAD_DOWN && c->retry_us <= now_us)
			conn_connect(c);
	}
	INVARIANT(pawl__loop_timer_set(load->loop, t, SWEEP_US, NULL) == PAWL_OK);
}

static void load_end(struct loop_timer *t)
{
	CONTAINER_OF(t, struct http_load, end)->ending = true;
}

static bool load_alloc(struct http_load *load)
{
	load->conns = calloc(load->conns_len, sizeof(*load->conns));
	load->flights = calloc((size_t)load->conns_len * load->depth, sizeof(*load->flights));
	load->scratch = malloc(SCRATCH_LEN);
	if (load->conns == NULL || load->flights == NULL || load->scratch == NULL)
		return false;
	for (uint32_t i = 0; i < load->conns_len; i++) {
		load->conns[i] = (struct load_conn){
			.watch = { .fd = -1, .ready = conn_ready },
			.load = load,
			.index = i,
			.flights = load->flights + (size_t)i * load->depth,
		};
	}
	return true;
}

enum pawl_status pawl__load_new(const struct net_peer *peer, const struct load_config *config,
                                struct http_load **ret_load, struct pawl_error *err)
{
	struct http_load *load = calloc(1, sizeof(*load));
	enum pawl_status st = PAWL_OK;

	PRE(config->conns > 0 && config->depth <= LOAD_DEPTH_MAX);
	PRE(config->app.next != NULL && config->app.done != NULL);
	if (load == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for the load");
	load->app = config->app;
	load->peer = *peer;
	load->conns_len = config->conns;
	load->depth = config->depth == 0 ? 1 : config->depth;
	load->timeout_us = config->timeout_us == 0 ? TIMEOUT_DEFAULT : config->timeout_us;
	load->body_max = config->body_max == 0 ? PAWL_BODY_MAX : config->body_max;
	load->sweep.due = load_sweep;
	load->end.due = load_end;
	pawl__buf_init(&load->gather, OUT_MAX);
	if (!load_alloc(load)) {
		load->conns_len = 0;
		st = pawl__error_set(err, PAWL_E_NOMEM, "no memory for the load's connections");
	}
	if (st == PAWL_OK)
		st = pawl__loop_new(&load->loop, err);
	if (st != PAWL_OK) {
		pawl__load_free(load);
		return st;
	}
	*ret_load = load;
	return PAWL_OK;
}

void pawl__load_free(struct http_load *load)
{
	if (load == NULL)
		return;
	for (uint32_t i = 0; i < load->conns_len; i++) {
		if (load->conns[i].watch.fd >= 0)
			(void)close(load->conns[i].watch.fd);
		pawl__buf_deinit(&load->conns[i].in);
		pawl__buf_deinit(&load->conns[i].out);
	}
	pawl__loop_free(load->loop);
	pawl__buf_deinit(&load->gather);
	free(load->conns);
	free(load->flights);
	free(load->scratch);
	free(load);
}

void pawl__load_stop(struct http_load *load)
{
	atomic_store(&load->stopped, true);
	pawl__loop_wake(load->loop);
}

enum pawl_status pawl__load_run(struct http_load *load, int64_t duration_us, struct pawl_error *err)
{
	enum pawl_status st = PAWL_OK;

	load->ending = false;
	load->finished = 0;
	atomic_store(&load->stopped, false);
	st = pawl__loop_turn(load->loop, 0, err); /* the loop's clock, for the timers */
	if (st == PAWL_OK)
		st = pawl__loop_timer_set(load->loop, &load->sweep, SWEEP_US, err);
	if (st == PAWL_OK && duration_us != LOAD_FOREVER)
		st = pawl__loop_timer_set(load->loop, &load->end, duration_us, err);
	for (uint32_t i = 0; st == PAWL_OK && i < load->conns_len; i++) {
		load->conns[i].finished = false;
		if (load->conns[i].state == LOAD_UP)
			conn_pump(&load->conns[i], pawl__clock_mono_us());
		if (load->conns[i].state == LOAD_DOWN)
			conn_connect(&load->conns[i]);
	}
	while (st == PAWL_OK) {
		if (atomic_load(&load->stopped))
			load->ending = true;
		if ((load->ending || load->finished == load->conns_len) && load->flying == 0)
			break;
		st = pawl__loop_turn(load->loop, LOOP_FOREVER, err);
	}
	pawl__loop_timer_cancel(load->loop, &load->sweep);
	pawl__loop_timer_cancel(load->loop, &load->end);
	return st;
}

const struct load_counters *pawl__load_counters(const struct http_load *load)
{
	return &load->counters;
}
