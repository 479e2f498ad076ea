/* SPDX-License-Identifier: Apache-2.0 */
#include "net/conn.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"

#define EVENTS_READ (EPOLLIN | EPOLLRDHUP | EPOLLET)

struct conn_late {
	struct conn_late *next;
	uint32_t serial;
	size_t len;
	char bytes[];
};

/* --- chunks: the memory of buffers --- */

static bool chunk_take(struct http_server *server, struct buf *b, size_t max)
{
	union net_chunk *chunk = server->free_chunk;

	if (chunk != NULL) {
		server->free_chunk = chunk->next;
		server->free_chunks--;
	} else {
		chunk = malloc(sizeof(*chunk));
		if (chunk == NULL)
			return false;
	}
	*b = (struct buf){ .data = chunk->bytes, .cap = NET_CHUNK_LEN, .max = max, .grows = true };
	return true;
}

static void chunk_give(struct http_server *server, struct buf *b)
{
	if (b->data != NULL && b->cap == NET_CHUNK_LEN && server->free_chunks < NET_CHUNKS_KEPT) {
		union net_chunk *chunk = (union net_chunk *)(void *)b->data;

		chunk->next = server->free_chunk;
		server->free_chunk = chunk;
		server->free_chunks++;
		*b = (struct buf){ 0 };
		return;
	}
	pawl__buf_deinit(b);
}

/* --- lists --- */

static void dirty_push(struct http_conn *c)
{
	struct http_server *server = c->server;

	if (c->dirty_queued)
		return;
	c->dirty_queued = true;
	c->dirty_next = NULL;
	if (server->dirty.first == NULL)
		server->dirty.first = c;
	else
		server->dirty.last->dirty_next = c;
	server->dirty.last = c;
	pawl__loop_soon(server->loop);
}

struct http_conn *pawl__http_conn_list_take_dirty(struct http_server *server)
{
	struct http_conn *c = server->dirty.first;

	if (c == NULL)
		return NULL;
	server->dirty.first = c->dirty_next;
	c->dirty_queued = false;
	return c;
}

void pawl__http_conn_again(struct http_conn *c)
{
	struct http_server *server = c->server;

	if (c->again_queued)
		return;
	c->again_queued = true;
	c->again_next = NULL;
	if (server->again.first == NULL)
		server->again.first = c;
	else
		server->again.last->again_next = c;
	server->again.last = c;
	pawl__loop_soon(server->loop);
}

struct http_conn *pawl__http_conn_list_take_again(struct http_server *server)
{
	struct http_conn *c = server->again.first;

	if (c == NULL)
		return NULL;
	server->again.first = c->again_next;
	c->again_queued = false;
	return c;
}

/* --- life --- */

static void conn_ready(struct loop_watch *w, uint32_t events)
{
	struct http_conn *c = CONTAINER_OF(w, struct http_conn, watch);

	if (events & EPOLLERR) { /* reset: nothing can be read or answered any more */
		c->server->counters.broken++;
		pawl__http_conn_close(c);
		return;
	}
	if (events & (EPOLLRDHUP | EPOLLHUP))
		c->hung_up = true;
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP))
		c->readable = true;
	if ((events & EPOLLOUT) && c->blocked) {
		c->blocked = false;
		pawl__http_conn_flush(c);
	}
	if (c->state != CONN_CLOSED)
		pawl__http_conn_input(c);
}

static struct http_conn *slot_take(struct http_server *server)
{
	struct http_conn *c = server->free_slot;

	if (c != NULL) {
		server->free_slot = c->gone_next;
	} else {
		if (server->slots_used == server->slots)
			return NULL;
		c = &server->conns[server->slots_used];
		c->slot = server->slots_used++;
	}
	INVARIANT(c->state == CONN_FREE);
	*c = (struct http_conn){
		.watch = { .fd = -1, .ready = conn_ready },
		.server = server,
		.slot = c->slot,
		.generation = c->generation + 1 == 0 ? 1 : c->generation + 1,
		.state = CONN_OPEN,
	};
	server->due_us[c->slot] = INT64_MAX;
	pawl__http1_reset(&c->parser);
	return c;
}

static void slot_give(struct http_conn *c)
{
	c->state = CONN_FREE;
	c->gone_next = c->server->free_slot;
	c->server->free_slot = c;
}

void pawl__http_conn_close(struct http_conn *c)
{
	struct http_server *server = c->server;
	const int fd = c->watch.fd;

	PRE(c->state == CONN_OPEN || c->state == CONN_LINGER);
	/* No epoll_ctl: closing the only descriptor of a socket removes it, and descriptors are
	 * close-on-exec. The watch is marked as gone for events of this turn. */
	c->watch.fd = -1;
	server->io->close(fd, c->io_state);
	c->state = CONN_CLOSED;
	server->due_us[c->slot] = INT64_MAX;
	c->gone_next = server->gone;
	server->gone = c;
	if (c->over)
		server->over--;
	server->counters.conns_open--;
}

static void conn_break(struct http_conn *c)
{
	c->server->counters.broken++;
	pawl__http_conn_close(c);
}

void pawl__http_conn_reap(struct http_server *server)
{
	struct http_conn *c = server->gone;

	server->gone = NULL;
	while (c != NULL) {
		struct http_conn *next = c->gone_next;

		if (c->dirty_queued || c->again_queued) { /* a list still points here */
			c->gone_next = server->gone;
			server->gone = c;
			c = next;
			continue;
		}
		chunk_give(server, &c->in);
		chunk_give(server, &c->out);
		while (c->late != NULL) {
			struct conn_late *late = c->late;

			c->late = late->next;
			free(late);
		}
		slot_give(c);
		c = next;
	}
}

/* The deadline of what the connection waits for now. (5) */
static void conn_clock(struct http_conn *c)
{
	struct http_server *server = c->server;
	const struct http_limits *limits = &server->limits;
	enum conn_wait wait = WAIT_IDLE;
	int64_t after_us = limits->idle_timeout_us;

	if (c->state == CONN_LINGER) {
		wait = WAIT_LINGER;
		after_us = limits->linger_timeout_us;
	} else if (conn_unsent(c) > 0) {
		wait = WAIT_WRITE;
		after_us = limits->write_timeout_us;
	} else if (conn_in_flight(c) > 0) {
		wait = WAIT_NONE; /* for us */
	} else if (c->parser.head_len > 0) {
		wait = WAIT_BODY;
		after_us = limits->body_timeout_us;
	} else if (c->in.len > c->in_at) {
		wait = WAIT_HEAD;
		after_us = limits->head_timeout_us;
	}
	if (wait == c->wait && (wait == WAIT_WRITE || c->wait_next == c->next))
		return;
	c->wait = wait;
	c->wait_next = c->next;
	server->due_us[c->slot] =
		wait == WAIT_NONE ? INT64_MAX : pawl__loop_now_us(server->loop) + after_us;
}

/* All answers have left and no request follows. */
static void conn_finish(struct http_conn *c)
{
	if (c->eof || (c->polite && !c->readable && c->in.len == c->in_at)) {
		pawl__http_conn_close(c);
		return;
	}
	/* Closing now would reset the connection if the peer has sent, or is sending, something
	 * more, and a reset may destroy the answer before the peer has read it. */
	c->state = CONN_LINGER;
	chunk_give(c->server, &c->in);
	c->in_at = 0;
	c->server->io->finish(c->watch.fd, c->io_state);
	if (c->readable)
		pawl__http_conn_again(c);
	conn_clock(c);
}

/* After every change: does anything remain to be done here? */
static void conn_settle(struct http_conn *c)
{
	if (c->state != CONN_OPEN)
		return;
	if (conn_in_flight(c) == 0 && conn_unsent(c) == 0) {
		if (c->last) {
			conn_finish(c);
			return;
		}
		if (c->eof && !c->stalled && !c->again_queued) {
			pawl__http_conn_close(c);
			return;
		}
		if (c->server->draining && c->in.len == c->in_at && !c->readable) {
			pawl__http_conn_close(c);
			return;
		}
	}
	conn_clock(c);
}

/* --- answers --- */

static struct str date_now(struct http_server *server)
{
	const int64_t now_us = pawl__loop_now_us(server->loop);

	if (now_us >= server->date_until_us) {
		const int64_t real_us = pawl__clock_real_us();

		pawl__http1_date(real_us / 1000000, server->date);
		server->date_until_us = now_us + 1000000 - real_us % 1000000;
	}
	return (struct str){ server->date, sizeof(server->date) };
}

static void answer_put(struct http_conn *c, uint32_t serial, const struct http_answer *answer,
                       struct buf *out)
{
	const bool bodiless = answer->status == 204 || answer->status == 304;
	const struct http_head head = {
		.status = answer->status,
		.linger = c->last && serial + 1 == c->next ? HTTP_CLOSE
		          : c->alone_old                   ? HTTP_KEEP_SAY
		                                           : HTTP_KEEP,
		.date = date_now(c->server),
		.content_type = answer->content_type,
		.fields = answer->fields,
		.body_len = answer->body.len,
	};

	PRE(answer->status >= 200);
	PRE(!bodiless || answer->body.len == 0);
	pawl__http1_put_head(out, &head);
	if (!c->alone_head)
		buf_str(out, answer->body);
}

static void late_insert(struct http_conn *c, uint32_t serial, const struct http_answer *answer)
{
	struct conn_late **at = &c->late, *late = NULL;
	struct buf bytes;

	while (*at != NULL && (int32_t)((*at)->serial - serial) < 0)
		at = &(*at)->next;
	INVARIANT(*at == NULL || (*at)->serial != serial); /* (2) */
	pawl__buf_init(&bytes, c->server->limits.answer_max - c->late_len);
	answer_put(c, serial, answer, &bytes);
	if (!bytes.overflow)
		late = malloc(sizeof(*late) + bytes.len);
	if (late == NULL) {
		pawl__buf_deinit(&bytes);
		conn_break(c);
		return;
	}
	late->serial = serial;
	late->len = bytes.len;
	c->late_len += bytes.len;
	memcpy(late->bytes, bytes.data, bytes.len);
	pawl__buf_deinit(&bytes);
	late->next = *at;
	*at = late;
}

/* (1): into the output when it is this one's turn, together with those that waited for it. */
static void answer_emit(struct http_conn *c, uint32_t serial, const struct http_answer *answer)
{
	INVARIANT(serial - c->due < conn_in_flight(c)); /* (2) */
	if (answer->close)
		c->last = true;
	if (serial != c->due) {
		late_insert(c, serial, answer);
		return;
	}
	if (c->out.data == NULL && !chunk_take(c->server, &c->out, c->server->limits.answer_max)) {
		conn_break(c);
		return;
	}
	answer_put(c, serial, answer, &c->out);
	c->due++;
	while (c->late != NULL && c->late->serial == c->due) {
		struct conn_late *late = c->late;

		pawl__buf_put(&c->out, late->bytes, late->len);
		c->late_len -= late->len;
		c->due++;
		c->late = late->next;
		free(late);
	}
	if (c->out.overflow)
		conn_break(c);
}

/* Whether the connection may take another request. */
static bool conn_takes(const struct http_conn *c)
{
	return c->state == CONN_OPEN && !c->last && conn_in_flight(c) < PAWL_PIPELINE_MAX &&
	       !(c->alone && conn_in_flight(c) > 0) && conn_unsent(c) < NET_UNSENT_STALL;
}

static void conn_resume(struct http_conn *c)
{
	if (!c->stalled || !conn_takes(c))
		return;
	if (c->in.len > c->in_at || c->readable || c->eof)
		pawl__http_conn_again(c);
	else
		c->stalled = false;
}

/* Write until all is written or a write would block. False: the connection broke. */
static bool conn_write(struct http_conn *c)
{
	struct http_server *server = c->server;

	while (conn_unsent(c) > 0) {
		const ssize_t n = server->io->write(c->watch.fd, c->io_state,
		                                    c->out.data + c->out_at, conn_unsent(c));

		if (n == NET_IO_AGAIN) {
			c->blocked = true;
			pawl__buf_shift(&c->out, c->out_at); /* what is written needs no room */
			c->out_at = 0;
			break;
		}
		if (n == NET_IO_FAILED)
			return false;
		c->out_at += (size_t)n;
		server->counters.bytes_out += (uint64_t)n;
		c->wait = WAIT_NONE; /* progress: its deadline begins again */
	}
	return true;
}

void pawl__http_conn_flush(struct http_conn *c)
{
	struct http_server *server = c->server;

	if (c->state != CONN_OPEN)
		return;
	if (!c->blocked && !conn_write(c)) {
		conn_break(c);
		return;
	}
	if (conn_unsent(c) == 0 && c->out.data != NULL) {
		chunk_give(server, &c->out);
		c->out_at = 0;
	}
	/* Only while it is needed: a Unix socket tells of every byte that its peer takes. */
	if (c->watches_out != c->blocked) {
		c->watches_out = c->blocked;
		pawl__loop_mod(server->loop, &c->watch,
		               c->blocked ? EVENTS_READ | EPOLLOUT : EVENTS_READ);
	}
	conn_resume(c);
	conn_settle(c);
}

/* --- requests --- */

void pawl__http_answer(struct http_conn *conn, const struct http_answer *answer)
{
	PRE(conn->handing == HANDING_OPEN);
	conn->handing = HANDING_DONE;
	if (conn->state == CONN_OPEN)
		answer_emit(conn, conn->next - 1, answer);
}

struct http_token pawl__http_defer(struct http_conn *conn)
{
	PRE(conn->handing == HANDING_OPEN);
	conn->handing = HANDING_DONE;
	return (struct http_token){ conn->slot, conn->generation, conn->next - 1 };
}

static struct http_conn *token_conn(const struct http_server *server, struct http_token token)
{
	struct http_conn *c;

	if (token.slot >= server->slots_used || token.generation == 0)
		return NULL;
	c = &server->conns[token.slot];
	return c->state == CONN_OPEN && c->generation == token.generation ? c : NULL;
}

bool pawl__http_token_lives(const struct http_server *server, struct http_token token)
{
	return token_conn(server, token) != NULL;
}

bool pawl__http_answer_token(struct http_server *server, struct http_token token,
                             const struct http_answer *answer)
{
	struct http_conn *c = token_conn(server, token);

	if (c == NULL)
		return false;
	answer_emit(c, token.serial, answer);
	if (c->state == CONN_OPEN && c != server->current)
		dirty_push(c);
	return true;
}

/* The front's own answer to what is no request. It takes its place behind those in flight. */
static void conn_refuse(struct http_conn *c, int status)
{
	struct http_server *server = c->server;
	struct http_answer answer = { .status = status, .close = true };
	char text[128];
	struct buf body;

	INVARIANT(!(c->alone && conn_in_flight(c) > 0));
	pawl__buf_init_fixed(&body, text, sizeof(text));
	buf_lit(&body, "{\"title\":\"");
	buf_str(&body, pawl__http1_reason(status));
	buf_lit(&body, "\",\"status\":");
	pawl__buf_i64(&body, status);
	buf_lit(&body, "}\n");
	answer.content_type = STR("application/problem+json");
	answer.body = buf_get(&body);
	if (server->app.refuse != NULL)
		server->app.refuse(server->app.data, &answer);
	server->counters.refusals++;
	c->alone_head = false;
	c->alone_old = false;
	c->last = true; /* (4) */
	c->next++;
	answer.close = true;
	answer_emit(c, c->next - 1, &answer);
}

static void conn_hand_over(struct http_conn *c, const struct http_request *req, bool overlaps)
{
	struct http_server *server = c->server;

	c->alone = !overlaps;
	c->alone_head = req->method == HTTP_HEAD;
	c->alone_old = req->version_minor == 0 && req->keep_alive;
	if (!req->keep_alive) {
		c->last = true;
		c->polite = true;
	}
	if (server->draining)
		c->last = true;
	c->next++;
	server->counters.requests++;
	c->handing = HANDING_OPEN;
	server->app.request(server->app.data, c, req);
	INVARIANT(c->handing == HANDING_DONE); /* (2) */
	c->handing = HANDING_NOT;
}

static bool may_overlap(const struct http_server *server, const struct http_request *req)
{
	return server->app.may_overlap != NULL && req->method != HTTP_HEAD &&
	       req->version_minor > 0 && server->app.may_overlap(server->app.data, req);
}

/* The body is asked for only when all answers before it have left: a 100 among them would be
 * taken for one of theirs. Returns whether it must wait for that. */
static bool conn_continue(struct http_conn *c)
{
	if (!c->parser.wants_continue)
		return false;
	if (conn_in_flight(c) > 0)
		return true;
	c->parser.wants_continue = false;
	if (c->out.data == NULL && !chunk_take(c->server, &c->out, c->server->limits.answer_max)) {
		conn_break(c);
		return false;
	}
	buf_lit(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
	return false;
}

/*
 * Hand over the requests that data[0, *len) begins with, as far as they are complete and allowed.
 * Returns the bytes that are done with; *len shrinks when a chunked body is decoded.
 */
static size_t conn_parse(struct http_conn *c, char *data, size_t *len)
{
	struct http_server *server = c->server;
	struct http_request *req = &server->request;
	const size_t body_max = server->limits.body_max;
	size_t at = 0;

	c->stalled = false;
	while (at < *len && conn_takes(c)) {
		size_t rest = *len - at;
		bool overlaps;

		if (c->parser.phase == HTTP1_COMPLETE) { /* it had to wait */
			pawl__http1_request_again(&c->parser, data + at, body_max, req);
		} else {
			const enum http1_result res =
				pawl__http1_request(&c->parser, data + at, &rest, body_max, req);

			*len = at + rest;
			if (res == HTTP1_BAD) {
				conn_refuse(c, c->parser.status);
				return *len;
			}
			if (res == HTTP1_MORE) {
				c->stalled = conn_continue(c);
				return at;
			}
		}
		overlaps = may_overlap(server, req);
		if (!overlaps && conn_in_flight(c) > 0) {
			c->stalled = true;
			return at;
		}
		at += pawl__http1_message_len(&c->parser);
		pawl__http1_reset(&c->parser);
		conn_hand_over(c, req, overlaps);
	}
	c->stalled = !conn_takes(c);
	return at;
}

/* The connection's own bytes. */
static void conn_parse_own(struct http_conn *c)
{
	size_t len = c->in.len - c->in_at;
	const size_t done = conn_parse(c, c->in.data + c->in_at, &len);

	c->in.len = c->in_at + len;
	c->in_at += done;
	if (c->in_at == c->in.len && c->state == CONN_OPEN) {
		chunk_give(c->server, &c->in);
		c->in_at = 0;
	}
}

/* Bytes just read into the scratch buffer; what is left of them becomes the connection's own. */
static void conn_parse_scratch(struct http_conn *c, size_t len)
{
	char *data = c->server->scratch;
	const size_t done = conn_parse(c, data, &len);
	const size_t in_max = c->server->limits.body_max + 2 * PAWL_HEAD_MAX + NET_SCRATCH_LEN;

	if (done == len || c->state != CONN_OPEN)
		return;
	if (chunk_take(c->server, &c->in, in_max))
		pawl__buf_put(&c->in, data + done, len - done);
	if (c->in.data == NULL || c->in.overflow)
		conn_break(c);
}

/* Where the next bytes go; NULL: out of memory. */
static char *conn_room(struct http_conn *c, size_t *ret_room)
{
	const size_t expected = pawl__http1_expected_len(&c->parser);
	size_t room = NET_CHUNK_LEN;

	if (c->in.data == NULL) {
		*ret_room = NET_SCRATCH_LEN;
		return c->server->scratch;
	}
	pawl__buf_shift(&c->in, c->in_at);
	c->in_at = 0;
	if (c->in.cap - c->in.len >= NET_CHUNK_LEN / 4)
		room = c->in.cap - c->in.len;
	if (expected > c->in.len + room)
		room = expected - c->in.len;
	*ret_room = room;
	return pawl__buf_reserve(&c->in, room);
}

static void conn_read(struct http_conn *c)
{
	struct http_server *server = c->server;
	size_t room;
	char *to = conn_room(c, &room);
	ssize_t n;

	if (to == NULL) {
		conn_break(c);
		return;
	}
	n = server->io->read(c->watch.fd, c->io_state, to, room);
	if (n == NET_IO_FAILED) {
		conn_break(c);
		return;
	}
	if (n <= 0) {
		c->eof = n == 0;
		c->readable = false;
		return;
	}
	server->counters.bytes_in += (uint64_t)n;
	if ((size_t)n < room && server->io->short_read_drains && !c->hung_up)
		c->readable = false;
	if (c->in.data == NULL) {
		conn_parse_scratch(c, (size_t)n);
	} else {
		c->in.len += (size_t)n;
		conn_parse_own(c);
	}
}

static void conn_discard(struct http_conn *c)
{
	struct http_server *server = c->server;

	for (int i = 0; i < NET_READS_TURN && c->readable; i++) {
		const ssize_t n = server->io->read(c->watch.fd, c->io_state, server->scratch,
		                                   NET_SCRATCH_LEN);

		if (n == NET_IO_AGAIN) {
			c->readable = false;
		} else if (n <= 0) {
			pawl__http_conn_close(c);
			return;
		}
	}
	if (c->readable)
		pawl__http_conn_again(c);
}

void pawl__http_conn_input(struct http_conn *c)
{
	struct http_server *server = c->server;

	if (c->state == CONN_LINGER)
		conn_discard(c);
	if (c->state != CONN_OPEN)
		return;
	INVARIANT(server->current == NULL);
	server->current = c;
	if (c->stalled && c->in.len > c->in_at)
		conn_parse_own(c);
	else
		c->stalled = !conn_takes(c);
	for (int i = 0; i < NET_READS_TURN && c->readable && !c->stalled; i++) {
		if (c->state != CONN_OPEN)
			break;
		conn_read(c);
	}
	server->current = NULL;
	if (c->state != CONN_OPEN)
		return;
	if (c->readable && !c->stalled)
		pawl__http_conn_again(c);
	if (conn_unsent(c) > 0 && conn_in_flight(c) > 0)
		dirty_push(c); /* more will be ready in this turn: one write for all of it */
	else if (conn_unsent(c) > 0 && !c->blocked)
		pawl__http_conn_flush(c);
	else
		conn_settle(c);
}

void pawl__http_conn_expire(struct http_conn *c)
{
	struct http_server *server = c->server;

	/* What it waits for may have changed in this turn. */
	if (c->state == CONN_OPEN)
		conn_clock(c);
	if (server->due_us[c->slot] > pawl__loop_now_us(server->loop))
		return;
	switch (c->wait) {
	case WAIT_HEAD:
	case WAIT_BODY:
		server->counters.timeouts++;
		conn_refuse(c, 408);
		if (c->state == CONN_OPEN)
			pawl__http_conn_flush(c);
		break;
	case WAIT_WRITE:
		server->counters.timeouts++;
		conn_break(c);
		break;
	case WAIT_NONE:
	case WAIT_IDLE:
	case WAIT_LINGER:
		pawl__http_conn_close(c);
		break;
	}
}

void pawl__http_conn_open(struct http_server *server, int take_fd)
{
	const bool over = server->counters.conns_open - server->over >= server->limits.conns_max;
	struct http_conn *c = NULL;
	void *state = NULL;

	server->counters.conns_accepted++;
	if (over)
		server->counters.conns_refused++;
	if (server->io->open != NULL && !server->io->open(take_fd, server->io_config, &state)) {
		(void)close(take_fd);
		return;
	}
	if (!over || server->over < NET_REFUSED_MAX)
		c = slot_take(server);
	if (c == NULL ||
	    pawl__loop_add(server->loop, &c->watch, take_fd, EVENTS_READ, NULL) != PAWL_OK) {
		if (c != NULL)
			slot_give(c);
		server->io->close(take_fd, state);
		return;
	}
	c->io_state = state;
	c->over = over;
	server->counters.conns_open++;
	conn_clock(c);
	if (!over)
		return;
	server->over++;
	conn_refuse(c, 503);
	if (c->state == CONN_OPEN)
		pawl__http_conn_flush(c);
}
