/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/rng.h"
#include "stamp_server.h"

#define PIECE_LEN 65536

struct relay {
	int listen_fd;
	uint16_t to_port;
	long mean_us, deviation_us;
};

struct pipe_end {
	int from, to;
	struct rng rng;
	const struct relay *relay;
};

/* Normal, by the sum of twelve: near enough, and bounded. */
static long delay_us(struct pipe_end *p)
{
	double sum = -6.0;

	for (int i = 0; i < 12; i++)
		sum += (double)pawl__rng_below(&p->rng, 1U << 20) / (1U << 20);
	const long us = p->relay->mean_us + lround(sum * (double)p->relay->deviation_us);

	return us > 0 ? us : 0;
}

static void *pipe_run(void *data)
{
	struct pipe_end *p = data;
	char *piece = malloc(PIECE_LEN);
	ssize_t n;

	while (piece != NULL && (n = recv(p->from, piece, PIECE_LEN, 0)) > 0) {
		const long us = delay_us(p);
		const struct timespec ts = { us / 1000000, us % 1000000 * 1000 };

		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
		for (ssize_t at = 0, m; at < n; at += m) {
			m = send(p->to, piece + at, (size_t)(n - at), MSG_NOSIGNAL);
			if (m <= 0)
				break;
		}
	}
	(void)shutdown(p->to, SHUT_WR);
	free(piece);
	free(p);
	return NULL;
}

static int dial(uint16_t port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
		                    .sin_port = htons(port),
		                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0)
		return -1;
	(void)setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &one, sizeof(one));
	return fd;
}

static void pipe_start(const struct relay *r, int from, int to, unsigned seed)
{
	struct pipe_end *p = malloc(sizeof(*p));
	pthread_attr_t attr;
	pthread_t thread;

	if (p == NULL)
		abort();
	*p = (struct pipe_end){ from, to, { seed }, r };
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	(void)pthread_attr_setstacksize(&attr, (size_t)256 << 10);
	if (pthread_create(&thread, &attr, pipe_run, p) != 0)
		abort();
	(void)pthread_attr_destroy(&attr);
}

_Noreturn static void *relay_run(void *data)
{
	const struct relay *r = data;

	for (unsigned seed = 1;; seed += 2) {
		const int one = 1, in = accept4(r->listen_fd, NULL, NULL, SOCK_CLOEXEC);
		int out;

		if (in < 0)
			continue;
		out = dial(r->to_port);
		if (out < 0) {
			(void)close(in);
			continue;
		}
		(void)setsockopt(in, IPPROTO_TCP, 1 /* TCP_NODELAY */, &one, sizeof(one));
		/* Descriptors are left to the end of the process: each has two users. */
		pipe_start(r, in, out, seed);
		pipe_start(r, out, in, seed + 1);
	}
}

uint16_t relay_start(uint16_t to_port, long mean_us, long deviation_us)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
		                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	struct relay *r = malloc(sizeof(*r));
	pthread_t thread;

	if (r == NULL)
		return 0;
	*r = (struct relay){ socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), to_port, mean_us,
		             deviation_us };
	if (r->listen_fd < 0 || bind(r->listen_fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 ||
	    listen(r->listen_fd, 4096) != 0 ||
	    getsockname(r->listen_fd, (struct sockaddr *)&addr, &len) != 0 ||
	    pthread_create(&thread, NULL, relay_run, r) != 0) {
		free(r);
		return 0;
	}
	(void)pthread_detach(thread);
	return ntohs(addr.sin_port);
}
