/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"

#define WIRES_MAX 32

struct wire {
	int client, server; /* -1: closed */
	char *held;         /* owned: a request that is held back */
	size_t held_len;
};

struct proxy {
	int listener, port, server_port;
	char url[256];
	_Atomic int mode;
	_Atomic bool stop;
	pthread_t thread;
	struct wire wire[WIRES_MAX];
};

static void fd_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static void wire_close(struct wire *w)
{
	fd_close(&w->client);
	fd_close(&w->server);
	free(w->held);
	w->held = NULL;
	w->held_len = 0;
}

static int server_connect(int port)
{
	const struct sockaddr_in a = { .sin_family = AF_INET,
		                       .sin_port = htons((uint16_t)port),
		                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	INVARIANT(fd >= 0);
	if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) != 0)
		fd_close(&fd);
	return fd;
}

static void wire_accept(struct proxy *p)
{
	const int fd = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);

	for (size_t i = 0; i < WIRES_MAX && fd >= 0; i++) {
		struct wire *w = &p->wire[i];

		if (w->client >= 0 || w->server >= 0)
			continue;
		w->client = fd;
		w->server = server_connect(p->server_port);
		if (w->server < 0)
			fd_close(&w->client);
		return;
	}
	if (fd >= 0)
		(void)close(fd);
}

static bool put_all(int fd, const char *p, size_t len)
{
	while (len > 0) {
		const ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

static void wire_request(struct proxy *p, struct wire *w)
{
	char b[65536];
	const ssize_t n = recv(w->client, b, sizeof(b), 0);

	if (n <= 0) {
		fd_close(&w->client);
		if (w->held == NULL)
			wire_close(w);
	} else if (p->mode == PROXY_LOSE_REQUEST) {
		wire_close(w);
	} else if (p->mode == PROXY_HOLD_REQUEST) {
		char *more = realloc(w->held, w->held_len + (size_t)n);

		INVARIANT(more != NULL);
		memcpy(more + w->held_len, b, (size_t)n);
		w->held = more;
		w->held_len += (size_t)n;
	} else if (!put_all(w->server, b, (size_t)n)) {
		wire_close(w);
	}
}

static void wire_reply(struct proxy *p, struct wire *w)
{
	char b[65536];
	const ssize_t n = recv(w->server, b, sizeof(b), 0);

	if (n <= 0)
		wire_close(w);
	else if (p->mode == PROXY_LOSE_REPLY)
		fd_close(&w->client); /* the server is left to finish what it has */
	else if (w->client >= 0 && !put_all(w->client, b, (size_t)n))
		wire_close(w);
}

/* A request that is held: cut the client once all of it has come; hand it over when told to. */
static void wire_held(struct proxy *p, struct wire *w)
{
	if (w->held == NULL)
		return;
	fd_close(&w->client);
	if (p->mode != PROXY_PASS)
		return;
	(void)put_all(w->server, w->held, w->held_len);
	free(w->held);
	w->held = NULL;
}

static void *proxy_main(void *arg)
{
	struct proxy *p = arg;

	while (!p->stop) {
		struct pollfd f[1 + 2 * WIRES_MAX];
		int quiet;

		f[0] = (struct pollfd){ .fd = p->listener, .events = POLLIN };
		for (size_t i = 0; i < WIRES_MAX; i++) {
			f[1 + 2 * i] = (struct pollfd){ .fd = p->wire[i].client, .events = POLLIN };
			f[2 + 2 * i] = (struct pollfd){ .fd = p->wire[i].server, .events = POLLIN };
		}
		quiet = poll(f, ARRAY_LEN(f), 20) == 0;
		for (size_t i = 0; i < WIRES_MAX; i++) {
			struct wire *w = &p->wire[i];

			if (f[1 + 2 * i].revents != 0 && w->client == f[1 + 2 * i].fd)
				wire_request(p, w);
			if (f[2 + 2 * i].revents != 0 && w->server == f[2 + 2 * i].fd)
				wire_reply(p, w);
			if (quiet)
				wire_held(p, w);
		}
		if (f[0].revents != 0)
			wire_accept(p);
	}
	return NULL;
}

struct proxy *proxy_start(const char *url)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	struct proxy *p = calloc(1, sizeof(*p));
	const char *host = strrchr(url, '@'), *colon = strrchr(url, ':');
	const char *slash = strrchr(url, '/');

	INVARIANT(p != NULL && host != NULL && colon != NULL && slash != NULL);
	p->server_port = (int)strtol(colon + 1, NULL, 10);
	for (size_t i = 0; i < WIRES_MAX; i++)
		p->wire[i] = (struct wire){ .client = -1, .server = -1 };
	p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	INVARIANT(p->listener >= 0);
	INVARIANT(bind(p->listener, (const struct sockaddr *)&a, sizeof(a)) == 0);
	INVARIANT(listen(p->listener, WIRES_MAX) == 0);
	INVARIANT(getsockname(p->listener, (struct sockaddr *)&a, &len) == 0);
	(void)snprintf(p->url, sizeof(p->url), "%.*s@127.0.0.1:%d%s", (int)(host - url), url,
	               ntohs(a.sin_port), slash);
	INVARIANT(pthread_create(&p->thread, NULL, proxy_main, p) == 0);
	return p;
}

void proxy_stop(struct proxy *p)
{
	p->stop = true;
	INVARIANT(pthread_join(p->thread, NULL) == 0);
	for (size_t i = 0; i < WIRES_MAX; i++)
		wire_close(&p->wire[i]);
	fd_close(&p->listener);
	free(p);
}

const char *proxy_url(const struct proxy *p)
{
	return p->url;
}

void proxy_mode(struct proxy *p, enum proxy_mode mode)
{
	p->mode = (int)mode;
}
