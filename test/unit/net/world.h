/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A front with a small application, and peers of it, all in one thread: nothing happens but when a
 * test makes turns, so a test sees every state in between. Waiting is by turns, with a bound that
 * only a hang reaches.
 *
 * The application goes by the path: /now... is answered at once and may overlap, /later... is
 * deferred and may overlap, /alone... is answered at once and may not overlap, /hold... is deferred
 * and may not. The body of an answer is the path, or what a test gives.
 */
#ifndef TEST_NET_WORLD_H
#define TEST_NET_WORLD_H

#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "net/peer.h"
#include "net/server.h"

#define WORLD_TURNS  2000 /* of up to 5 ms: then a test hangs */
#define WORLD_TOKENS 512

struct world {
	struct loop *loop;
	struct http_server *server;
	struct net_peer peer;
	uint16_t port;
	char log[8192]; /* the paths handed over, each followed by a space */
	size_t log_len;
	size_t handed;
	struct http_token tokens[WORLD_TOKENS];
	size_t tokens_len;
	struct str fields;    /* of every answer */
	struct str body;      /* of every answer, when set */
	bool close;           /* of every answer */
	size_t body_len;      /* of the latest request */
	uint64_t body_sum;    /* of its bytes */
	struct str refuse_as; /* the body of refusals, when set */
};

static inline bool path_starts(const struct http_request *req, const char *prefix)
{
	return str_starts(req->path, (struct str){ prefix, strlen(prefix) });
}

static inline bool world_may_overlap(void *data, const struct http_request *req)
{
	(void)data;
	return path_starts(req, "/now") || path_starts(req, "/later");
}

static inline void world_request(void *data, struct http_conn *conn, const struct http_request *req)
{
	struct world *w = data;
	const struct http_answer answer = {
		.status = 200,
		.close = w->close,
		.content_type = STR("text/plain"),
		.fields = w->fields,
		.body = w->body.len > 0 ? w->body : req->path,
	};

	if (w->log_len + req->path.len + 1 < sizeof(w->log)) {
		memcpy(w->log + w->log_len, req->path.ptr, req->path.len);
		w->log_len += req->path.len;
		w->log[w->log_len++] = ' ';
	}
	w->handed++;
	w->body_len = req->body.len;
	w->body_sum = 0;
	for (size_t i = 0; i < req->body.len; i++)
		w->body_sum += (unsigned char)req->body.ptr[i];
	if (path_starts(req, "/later") || path_starts(req, "/hold")) {
		assert_true(w->tokens_len < WORLD_TOKENS);
		w->tokens[w->tokens_len++] = pawl__http_defer(conn);
	} else {
		pawl__http_answer(conn, &answer);
	}
}

static inline void world_refuse(void *data, struct http_answer *answer)
{
	const struct world *w = data;

	if (w->refuse_as.len > 0)
		answer->body = w->refuse_as;
}

static inline struct world *world_open(const struct http_limits *limits, const struct net_io *io)
{
	struct world *w = calloc(1, sizeof(*w));
	struct pawl_error err = { 0 };
	struct http_config config = { .io = io };
	char text[64];

	assert_non_null(w);
	if (limits != NULL)
		config.limits = *limits;
	config.app = (struct http_app){ w, world_request, world_may_overlap, world_refuse };
	assert_int_equal(pawl__loop_new(&w->loop, &err), PAWL_OK);
	assert_int_equal(pawl__http_new(w->loop, &config, &w->server, &err), PAWL_OK);
	assert_int_equal(pawl__http_listen_tcp(w->server, "127.0.0.1", 0, &w->port, &err), PAWL_OK);
	(void)snprintf(text, sizeof(text), "127.0.0.1:%u", w->port);
	assert_int_equal(pawl__peer_parse(text, 0, &w->peer, &err), PAWL_OK);
	return w;
}

static inline void world_close(struct world *w)
{
	pawl__http_free(w->server);
	pawl__loop_free(w->loop);
	free(w);
}

static inline void world_turn(struct world *w, int64_t wait_us)
{
	struct pawl_error err = { 0 };

	assert_int_equal(pawl__loop_turn(w->loop, wait_us, &err), PAWL_OK);
}

/* Turns until nothing more happens by itself: for what must not happen. */
static inline void world_settle(struct world *w)
{
	for (int i = 0; i < 20; i++)
		world_turn(w, 0);
}

#define WORLD_UNTIL(w, condition)                                                                  \
	do {                                                                                       \
		int turns_ = 0;                                                                    \
		while (!(condition)) {                                                             \
			if (++turns_ > WORLD_TURNS)                                                \
				fail_msg("did not happen: %s", #condition);                        \
			world_turn((w), 5000);                                                     \
		}                                                                                  \
	} while (0)

static inline const struct http_counters *world_counters(const struct world *w)
{
	return pawl__http_counters(w->server);
}

static inline int peer_open(struct world *w)
{
	const uint64_t before = world_counters(w)->conns_accepted;
	const int fd = pawl__peer_connect_start(&w->peer.addrs[0]);

	assert_true(fd >= 0);
	WORLD_UNTIL(w, world_counters(w)->conns_accepted > before);
	return fd;
}

static inline void peer_send(struct world *w, int fd, struct str text)
{
	size_t at = 0;
	int turns = 0;

	while (at < text.len) {
		const ssize_t n = send(fd, text.ptr + at, text.len - at, MSG_NOSIGNAL);

		if (n > 0) {
			at += (size_t)n;
			continue;
		}
		assert_true(errno == EAGAIN && ++turns < WORLD_TURNS);
		world_turn(w, 0);
	}
	world_settle(w);
}

#define SEND(w, fd, literal) peer_send((w), (fd), STR(literal))

/* What has come until now; 0 = nothing, -1 = the end, -2 = a reset. */
static inline ssize_t peer_take(int fd, char *to, size_t len)
{
	const ssize_t n = recv(fd, to, len, 0);

	if (n > 0)
		return n;
	if (n == 0)
		return -1;
	return errno == EAGAIN ? 0 : -2;
}

/* Answers of one peer, read one by one. */
struct reader {
	int fd;
	char data[65536];
	size_t len;
	size_t last_len; /* of the answer read last, still at the front */
	struct http_response response;
};

static inline struct reader *reader_new(int fd)
{
	struct reader *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	r->fd = fd;
	return r;
}

static inline void reader_free(struct reader *r)
{
	(void)close(r->fd);
	free(r);
}

/* The next answer, or false when none is there yet or ever. */
static inline bool reader_next(struct reader *r, bool head)
{
	struct http1 parser;
	size_t len;
	ssize_t n;

	memmove(r->data, r->data + r->last_len, r->len - r->last_len);
	r->len -= r->last_len;
	r->last_len = 0;
	while (r->len < sizeof(r->data) &&
	       (n = peer_take(r->fd, r->data + r->len, sizeof(r->data) - r->len)) > 0)
		r->len += (size_t)n;
	pawl__http1_reset(&parser);
	len = r->len;
	if (len == 0 || pawl__http1_response(&parser, r->data, &len, sizeof(r->data), head,
	                                     &r->response) != HTTP1_DONE)
		return false;
	r->last_len = pawl__http1_message_len(&parser);
	return true;
}

static inline void expect_answer(struct world *w, struct reader *r, int status, const char *body)
{
	WORLD_UNTIL(w, reader_next(r, false));
	assert_int_equal(r->response.status, status);
	if (body != NULL)
		assert_str(r->response.body, body);
}

static inline void expect_end(struct world *w, struct reader *r)
{
	char byte;
	ssize_t n = 0;

	assert_int_equal(r->len, r->last_len);
	WORLD_UNTIL(w, (n = peer_take(r->fd, &byte, 1)) != 0);
	assert_int_equal(n, -1); /* in order, not by a reset, and with no byte more */
}

static inline void answer_token(struct world *w, size_t i, const char *body)
{
	const struct http_answer answer = { .status = 200, .body = { body, strlen(body) } };

	assert_true(i < w->tokens_len);
	assert_true(pawl__http_answer_token(w->server, w->tokens[i], &answer));
}

static inline void assert_log(const struct world *w, const char *want)
{
	assert_str((struct str){ w->log, w->log_len }, want);
}

#endif /* TEST_NET_WORLD_H */
