/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_barrier - what a load generator with threads does: each has its connection, sends all but
 * the last byte, waits at a barrier, sends the last byte.
 *
 *     bench_barrier PORT THREADS
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX   1000
#define HEAD_START_NS 100000000

static pthread_barrier_t ready, gate;
static uint16_t port;

static void *client(void *data)
{
	static const char request[] = "POST /plain HTTP/1.1\r\nHost: localhost\r\n"
				      "Content-Length: 14\r\n\r\n{\"quantity\":1}";
	const struct sockaddr_in addr = { .sin_family = AF_INET,
		                          .sin_port = htons(port),
		                          .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	char answer[1024];

	if (fd < 0 || connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0 ||
	    setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &one, sizeof(one)) != 0 ||
	    send(fd, request, sizeof(request) - 2, MSG_NOSIGNAL) < 0)
		_exit(1);
	(void)pthread_barrier_wait(&ready);
	(void)pthread_barrier_wait(&gate);
	if (send(fd, request + sizeof(request) - 2, 1, MSG_NOSIGNAL) != 1 ||
	    recv(fd, answer, sizeof(answer), 0) <= 0)
		_exit(1);
	(void)close(fd);
	return data;
}

int main(int argc, char **argv)
{
	const struct timespec head = { 0, HEAD_START_NS };
	pthread_t threads[THREADS_MAX];
	long n;

	if (argc != 3)
		return 2;
	port = (uint16_t)strtoul(argv[1], NULL, 10);
	n = strtol(argv[2], NULL, 10);
	if (n < 1 || n > THREADS_MAX || pthread_barrier_init(&ready, NULL, (unsigned)n + 1) != 0 ||
	    pthread_barrier_init(&gate, NULL, (unsigned)n + 1) != 0)
		return 2;
	for (long i = 0; i < n; i++) {
		if (pthread_create(&threads[i], NULL, client, NULL) != 0)
			return 1;
	}
	(void)pthread_barrier_wait(&ready);
	(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &head, NULL);
	(void)pthread_barrier_wait(&gate);
	for (long i = 0; i < n; i++)
		(void)pthread_join(threads[i], NULL);
	return 0;
}
