/* SPDX-License-Identifier: Apache-2.0 */
#include "net/client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"

#define CLIENT_OUT_MAX  (64 * 1024 * 1024)
#define CLIENT_READ_LEN (16 * 1024)

struct http_client {
	struct net_peer peer;
	size_t body_max;
	int fd;         /* -1 = not connected */
	bool used;      /* the connection has carried an answer */
	bool received;  /* bytes of this answer */
	bool sent;      /* bytes of this request */
	struct buf out; /* the request */
	struct buf in;  /* the answer, from in_at on */
	size_t in_at;
};

/* How one attempt ended. */
enum attempt { ATTEMPT_DONE, ATTEMPT_LOST, ATTEMPT_TIMEOUT, ATTEMPT_MALFORMED, ATTEMPT_LARGE };

enum pawl_status pawl__client_new(const struct net_peer *peer, size_t body_max,
                                  struct http_client **ret_client, struct pawl_error *err)
{
	struct http_client *client = calloc(1, sizeof(*client));

	if (client == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for the client");
	client->peer = *peer;
	client->body_max = body_max == 0 ? PAWL_UNSENT_MAX : body_max;
	client->fd = -1;
	pawl__buf_init(&client->out, CLIENT_OUT_MAX);
	pawl__buf_init(&client->in, client->body_max + 2 * PAWL_HEAD_MAX + CLIENT_READ_LEN);
	*ret_client = client;
	return PAWL_OK;
}

static void client_close(struct http_client *client)
{
	if (client->fd >= 0)
		(void)close(client->fd);
	client->fd = -1;
	client->used = false;
	pawl__buf_reset(&client->in);
	client->in_at = 0;
}

void pawl__client_free(struct http_client *client)
{
	if (client == NULL)
		return;
	client_close(client);
	pawl__buf_deinit(&client->out);
	pawl__buf_deinit(&client->in);
	free(client);
}

void pawl__client_put_head(struct buf *out, const struct net_peer *peer,
                           const struct http_call *call)
{
	buf_str(out, call->method);
	pawl__buf_putc(out, ' ');
	buf_str(out, call->target);
	buf_lit(out, " HTTP/1.1\r\nHost: ");
	buf_str(out, (struct str){ peer->authority, strlen(peer->authority) });
	buf_lit(out, "\r\n");
	buf_str(out, call->fields);
	if (call->body.len > 0 || str_eq(call->method, STR("POST")) ||
	    str_eq(call->method, STR("PUT"))) {
		buf_lit(out, "Content-Length: ");
		pawl__buf_u64(out, call->body.len);
		buf_lit(out, "\r\n");
	}
	buf_lit(out, "\r\n");
}

/* Whether the server has ended the kept connection, or sent what nobody has asked for. Asked before
 * a request is sent, so that one that may not be repeated is seldom lost. */
static bool kept_is_stale(const struct http_client *client)
{
	char byte;

	return recv(client->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || (errno != EAGAIN);
}

static bool wait_for(int fd, short events, int64_t deadline_us)
{
	for (;;) {
		const int64_t left_us = deadline_us - pawl__clock_mono_us();
		struct pollfd pfd = { .fd = fd, .events = events };
		int n;

		if (left_us <= 0)
			return false;
		n = poll(&pfd, 1, left_us > INT64_C(60000000) ? 60000 : (int)(left_us / 1000) + 1);
		if (n > 0)
			return true;
		if (n < 0 && errno != EINTR)
			return false;
	}
}

static enum attempt client_send(struct http_client *client, int64_t deadline_us)
{
	size_t at = 0;

	while (at < client->out.len) {
		const ssize_t n =
			send(client->fd, client->out.data + at, client->out.len - at, MSG_NOSIGNAL);

		if (n > 0) {
			at += (size_t)n;
			client->sent = true;
		} else if (n < 0 && (errno == EAGAIN)) {
			/* A server that refuses early answers before it has read everything. */
			if (!wait_for(client->fd, POLLOUT | POLLIN, deadline_us))
				return ATTEMPT_TIMEOUT;
			char byte;

			if (recv(client->fd, &byte, 1, MSG_PEEK) >= 0)
				return ATTEMPT_DONE;
		} else if (n < 0 && errno != EINTR) {
			/* The answer to what was read may still be there. */
			return client->sent ? ATTEMPT_DONE : ATTEMPT_LOST;
		}
	}
	return ATTEMPT_DONE;
}

static enum attempt client_read(struct http_client *client, int64_t deadline_us, bool *ret_eof)
{
	for (;;) {
		char *to = pawl__buf_reserve(&client->in, CLIENT_READ_LEN);
		ssize_t n;

		if (to == NULL)
			return ATTEMPT_LARGE;
		n = recv(client->fd, to, CLIENT_READ_LEN, 0);
		if (n > 0) {
			client->in.len += (size_t)n;
			client->received = true;
			return ATTEMPT_DONE;
		}
		if (n == 0) {
			*ret_eof = true;
			return ATTEMPT_DONE;
		}
		if (errno == EAGAIN) {
			if (!wait_for(client->fd, POLLIN, deadline_us))
				return ATTEMPT_TIMEOUT;
		} else if (errno != EINTR) {
			return ATTEMPT_LOST;
		}
	}
}

static enum attempt client_receive(struct http_client *client, bool no_body, int64_t deadline_us,
                                   struct http_response *ret)
{
	struct http1 parser;
	bool eof = false;

	pawl__http1_reset(&parser);
	for (;;) {
		size_t len = client->in.len - client->in_at;
		char *data = client->in.data + client->in_at;
		enum http1_result res = HTTP1_MORE;
		enum attempt end;

		if (len > 0)
			res = eof ? pawl__http1_response_eof(&parser, data, len, ret)
			          : pawl__http1_response(&parser, data, &len, client->body_max,
			                                 no_body, ret);
		else if (eof)
			return ATTEMPT_LOST;
		client->in.len = client->in_at + len;
		if (res == HTTP1_BAD && eof)
			return ATTEMPT_LOST;
		if (res == HTTP1_BAD)
			return parser.status == 413 ? ATTEMPT_LARGE : ATTEMPT_MALFORMED;
		if (res == HTTP1_DONE) {
			client->in_at += pawl__http1_message_len(&parser);
			if (ret->status >= 200)
				return ATTEMPT_DONE;
			pawl__http1_reset(&parser); /* interim */
			continue;
		}
		end = client_read(client, deadline_us, &eof);
		if (end != ATTEMPT_DONE)
			return end;
	}
}

static enum attempt client_attempt(struct http_client *client, bool no_body, int64_t deadline_us,
                                   struct http_response *ret)
{
	enum attempt end;

	client->sent = false;
	client->received = false;
	end = client_send(client, deadline_us);
	if (end == ATTEMPT_DONE)
		end = client_receive(client, no_body, deadline_us, ret);
	if (end != ATTEMPT_DONE)
		return end;
	client->used = true;
	/* Bytes behind the answer belong to no request. The slices stay: only the fd goes. */
	if (!ret->keep_alive || client->in.len > client->in_at) {
		(void)close(client->fd);
		client->fd = -1;
		client->used = false;
	}
	return ATTEMPT_DONE;
}

static bool repeatable(struct str method)
{
	return str_eq(method, STR("GET")) || str_eq(method, STR("HEAD")) ||
	       str_eq(method, STR("PUT")) || str_eq(method, STR("DELETE")) ||
	       str_eq(method, STR("OPTIONS"));
}

static enum pawl_status attempt_status(const struct http_client *client, enum attempt end,
                                       struct pawl_error *err)
{
	switch (end) {
	case ATTEMPT_DONE:
		return PAWL_OK;
	case ATTEMPT_LARGE:
		return pawl__error_set(err, PAWL_E_TOO_LARGE, "the answer is over the limit");
	case ATTEMPT_MALFORMED:
		return pawl__error_set(err, PAWL_E_OUTCOME_UNKNOWN, "the answer is not HTTP/1.1");
	case ATTEMPT_TIMEOUT:
		if (client->sent)
			return pawl__error_set(err, PAWL_E_OUTCOME_UNKNOWN,
			                       "the server did not answer in time");
		return pawl__error_set(err, PAWL_E_IO, "the server takes no requests");
	case ATTEMPT_LOST:
		break;
	}
	if (client->sent)
		return pawl__error_set(err, PAWL_E_OUTCOME_UNKNOWN,
		                       "the connection was lost before the answer");
	return pawl__error_set(err, PAWL_E_IO, "the connection was lost before the request");
}

enum pawl_status pawl__client_request(struct http_client *client, const struct http_call *call,
                                      struct http_response *ret, struct pawl_error *err)
{
	const int64_t deadline_us = pawl__clock_mono_us() + call->timeout_us;
	const bool no_body = str_eq(call->method, STR("HEAD"));
	enum attempt end;

	PRE(call->timeout_us > 0 && call->method.len > 0 && call->target.len > 0);
	pawl__buf_reset(&client->out);
	pawl__client_put_head(&client->out, &client->peer, call);
	buf_str(&client->out, call->body);
	if (client->out.overflow)
		return pawl__error_set(err, PAWL_E_TOO_LARGE, "the request is over the limit");
	for (;;) {
		bool kept;

		if (client->used && kept_is_stale(client))
			client_close(client);
		kept = client->used;
		pawl__buf_reset(&client->in);
		client->in_at = 0;
		if (client->fd < 0) {
			const enum pawl_status st =
				pawl__peer_connect(&client->peer, deadline_us, &client->fd, err);

			if (st != PAWL_OK)
				return st;
		}
		end = client_attempt(client, no_body, deadline_us, ret);
		if (end == ATTEMPT_DONE)
			return PAWL_OK;
		client_close(client);
		if (end != ATTEMPT_LOST || !kept || client->received ||
		    (client->sent && !repeatable(call->method)))
			return attempt_status(client, end, err);
	}
}
