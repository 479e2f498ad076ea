/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of race/load share: cmocka with the headers that it wants before it, and a peer
 * that behaves as a script says. Every connection is served by a thread of its own, all by the same
 * script, so that a volley meets the same misbehaviour on each.
 */
#ifndef TEST_LOAD_HARNESS_H
#define TEST_LOAD_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "race/load/load.h"

#define MS             INT64_C(1000000)
#define GENEROUS_NS    (20000 * MS) /* only a hang reaches it */
#define PEER_CONNS_MAX 512
#define DRIP_PAUSE_MS  2

/* In this order, what is not set is left out. */
struct act {
	size_t early_len; /* read that many bytes .. */
	struct str early; /* .. and send this before the request is complete */
	bool early_reset; /* .. and reset */
	size_t more_len;  /* read that many bytes */
	bool requests;    /* read a whole request (to its empty line and Content-Length) */
	struct str send;
	size_t repeat;   /* send it that many times more */
	struct str drip; /* byte by byte, with pauses, for ever again */
	bool hang;       /* nothing more until the other end goes */
	bool reset;      /* the end is a reset */
	bool again;      /* keep-alive: from `requests` on, until the other end goes */
};

struct peer {
	struct act act;
	int fd;
	uint16_t port;
	pthread_t thread;
	pthread_t conns[PEER_CONNS_MAX];
	_Atomic size_t conns_len;
	_Atomic uint64_t bytes_in, bytes_out; /* of all connections */
	atomic_bool stop;
};

struct peer_conn {
	struct peer *peer;
	int fd;
};

static inline size_t peer_read(struct peer *p, int fd, char *to, size_t len)
{
	const ssize_t n = recv(fd, to, len, 0);

	if (n <= 0)
		return 0;
	p->bytes_in += (size_t)n;
	return (size_t)n;
}

static inline bool peer_write(struct peer *p, int fd, struct str s)
{
	size_t at = 0;

	while (at < s.len) {
		const ssize_t n = send(fd, s.ptr + at, s.len - at, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		at += (size_t)n;
		p->bytes_out += (size_t)n;
	}
	return true;
}

static inline bool peer_request(struct peer *p, int fd)
{
	char in[65536];
	size_t len = 0;

	for (;;) {
		const char *end, *length;
		size_t n;

		in[len] = '\0';
		end = strstr(in, "\r\n\r\n");
		length = end == NULL ? NULL : strcasestr(in, "\ncontent-length:");
		if (end != NULL &&
		    len >= (size_t)(end - in) + 4 +
		                    (length == NULL ? 0 : strtoul(length + 16, NULL, 10)))
			return true;
		n = len + 1 < sizeof(in) ? peer_read(p, fd, in + len, sizeof(in) - 1 - len) : 0;
		if (n == 0)
			return false;
		len += n;
	}
}

static inline void peer_drip(struct peer *p, int fd, struct str s)
{
	for (size_t i = 0; !p->stop; i = i + 1 == s.len ? 0 : i + 1) {
		if (!peer_write(p, fd, (struct str){ s.ptr + i, 1 }))
			return;
		(void)poll(NULL, 0, DRIP_PAUSE_MS);
	}
}

static inline bool peer_drop(struct peer *p, int fd, size_t len)
{
	char drop[4096];

	for (size_t got = 0, n; got < len; got += n) {
		n = peer_read(p, fd, drop, len - got < sizeof(drop) ? len - got : sizeof(drop));
		if (n == 0)
			return false;
	}
	return true;
}

static inline void peer_serve(struct peer *p, int fd)
{
	const struct act *a = &p->act;
	char drop[4096];

	if (!peer_drop(p, fd, a->early_len) || !peer_write(p, fd, a->early) || a->early_reset ||
	    !peer_drop(p, fd, a->more_len))
		return;
	do {
		if (a->requests && !peer_request(p, fd))
			return;
		for (size_t i = 0; i <= a->repeat; i++) {
			if (!peer_write(p, fd, a->send))
				return;
		}
		if (a->drip.len > 0)
			peer_drip(p, fd, a->drip);
	} while (a->again);
	while (a->hang && peer_read(p, fd, drop, sizeof(drop)) > 0)
		;
}

static inline void *peer_conn_run(void *data)
{
	struct peer_conn *c = data;
	const struct act *a = &c->peer->act;

	peer_serve(c->peer, c->fd);
	if (a->reset || a->early_reset)
		(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 },
		                 sizeof(struct linger));
	(void)close(c->fd);
	free(c);
	return NULL;
}

static inline void *peer_run(void *data)
{
	struct peer *p = data;

	while (p->conns_len < PEER_CONNS_MAX) {
		struct peer_conn *c = malloc(sizeof(*c));

		c->peer = p;
		c->fd = accept4(p->fd, NULL, NULL, SOCK_CLOEXEC);
		if (c->fd < 0 || pthread_create(&p->conns[p->conns_len], NULL, peer_conn_run, c)) {
			free(c);
			break;
		}
		p->conns_len++;
	}
	return NULL;
}

static inline int listen_any(uint16_t *ret_port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
		                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 1024), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	*ret_port = ntohs(addr.sin_port);
	return fd;
}

static inline struct peer *peer_open(const struct act *act)
{
	struct peer *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	p->act = *act;
	p->fd = listen_any(&p->port);
	assert_int_equal(pthread_create(&p->thread, NULL, peer_run, p), 0);
	return p;
}

/* After the volley is freed: every connection ends by itself then. */
static inline void peer_close(struct peer *p)
{
	p->stop = true;
	(void)shutdown(p->fd, SHUT_RDWR);
	(void)pthread_join(p->thread, NULL);
	for (size_t i = 0; i < p->conns_len; i++)
		(void)pthread_join(p->conns[i], NULL);
	(void)close(p->fd);
	free(p);
}

/* --- volleys --- */

static inline struct volley *volley_to(const char *scheme, uint16_t port,
                                       const struct volley_config *config)
{
	struct volley_config used = *config;
	struct volley_target target;
	struct pawl_error err = { 0 };
	struct volley *v = NULL;
	char text[64];

	(void)snprintf(text, sizeof(text), "%s://127.0.0.1:%u", scheme, port);
	if (used.answer_ns == 0)
		used.answer_ns = GENEROUS_NS;
	if (pawl__volley_target_parse(text, &target, &err) != PAWL_OK ||
	    pawl__volley_new(&target, &used, &v, &err) != PAWL_OK)
		fail_msg("%s", err.text);
	return v;
}

#define REQUESTS_MAX 400

static inline void fire(struct volley *v, struct volley_plan *plan, size_t len,
                        struct volley_result *ret)
{
	struct volley_request requests[REQUESTS_MAX];
	struct pawl_error err = { 0 };

	if (plan->requests == NULL) {
		assert_true(len <= REQUESTS_MAX);
		for (size_t i = 0; i < len; i++)
			requests[i] = (struct volley_request){ .conn = VOLLEY_ANY,
				                               .method = STR("POST"),
				                               .target = STR("/x"),
				                               .body = STR("{\"n\":1}") };
		plan->requests = requests;
		plan->len = len;
	}
	if (plan->head_start_ns == 0)
		plan->head_start_ns = -1;
	if (pawl__volley_fire(v, plan, ret, &err) != PAWL_OK)
		fail_msg("%s", err.text);
	assert_int_equal(ret->len, plan->len);
	if (plan->requests == requests)
		plan->requests = NULL;
}

static inline void assert_class(const struct volley_outcome *o, enum volley_class want)
{
	if (o->class != want)
		fail_msg("got %s (status %d, native %d), want %s",
		         pawl__volley_class_name(o->class), o->status, o->native,
		         pawl__volley_class_name(want));
}

#endif /* TEST_LOAD_HARNESS_H */
