/* SPDX-License-Identifier: Apache-2.0 */
/*
 * planted_server - a small HTTP service with races planted in it, and their correct twins.
 *
 *     planted_server [--window-us N] [--correct]
 *
 * One thread a connection, HTTP/1.1 with keep-alive, on a free port of loopback that is printed on
 * stdout. ID is a number; each ID is a fresh state. window-us is how long the gap between check and
 * act lasts (a thread sleeps there, as one that waits for its database does).
 *
 *     POST /counter/ID        one is left: 201 and it is taken, or 409.    race: check, then act
 *     POST /retry/ID          pays once per Idempotency-Key: 201, then 200. race: seen, then kept
 *     PUT  /cache/ID/VALUE    200. GET /cache/ID: the value.                race: an old value is
 *                             read, and put into the cache behind the invalidation
 *     GET  /state/ID          {"taken":N,"paid":N,"value":N,"cached":N}
 *     GET  /stamps            arrival of every request since the last /stamps, one a line: when its
 *                             last byte had been read, ns of CLOCK_MONOTONIC
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define STATES_MAX 65536
#define KEYS_MAX   8
#define KEY_LEN    64
#define STAMPS_MAX 65536
#define IN_MAX     16384
#define BACKLOG    4096

struct state {
	pthread_mutex_t lock; /* of the correct twin: over check and act */
	pthread_mutex_t cell; /* of single reads and writes: the race is planted, not undefined */
	long left, taken, paid, value, cached;
	bool filled; /* the cache holds something */
	char keys[KEYS_MAX][KEY_LEN];
	int keys_len;
};

static struct state states[STATES_MAX];
static long window_us = 50;
static bool correct;
static int64_t stamps[STAMPS_MAX];
static size_t stamps_len;
static pthread_mutex_t stamps_lock = PTHREAD_MUTEX_INITIALIZER;

static int64_t now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void gap(void)
{
	const struct timespec ts = { window_us / 1000000, window_us % 1000000 * 1000 };

	if (window_us > 0)
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

static void enter(struct state *s)
{
	if (correct)
		(void)pthread_mutex_lock(&s->lock);
}

static void leave(struct state *s)
{
	if (correct)
		(void)pthread_mutex_unlock(&s->lock);
}

static long cell_get(struct state *s, const long *cell)
{
	long v;

	(void)pthread_mutex_lock(&s->cell);
	v = *cell;
	(void)pthread_mutex_unlock(&s->cell);
	return v;
}

static int counter(struct state *s)
{
	int status = 409;

	enter(s);
	if (cell_get(s, &s->left) > 0) {
		gap();
		(void)pthread_mutex_lock(&s->cell);
		s->left--;
		s->taken++;
		(void)pthread_mutex_unlock(&s->cell);
		status = 201;
	}
	leave(s);
	return status;
}

static bool key_known(struct state *s, const char *key)
{
	bool known = false;

	(void)pthread_mutex_lock(&s->cell);
	for (int i = 0; i < s->keys_len; i++)
		known = known || strcmp(s->keys[i], key) == 0;
	(void)pthread_mutex_unlock(&s->cell);
	return known;
}

static int pay(struct state *s, const char *key)
{
	int status = 200;

	enter(s);
	if (!key_known(s, key)) {
		gap();
		(void)pthread_mutex_lock(&s->cell);
		s->paid++;
		if (s->keys_len < KEYS_MAX)
			(void)snprintf(s->keys[s->keys_len++], KEY_LEN, "%s", key);
		(void)pthread_mutex_unlock(&s->cell);
		status = 201;
	}
	leave(s);
	return status;
}

static void cache_write(struct state *s, long value)
{
	enter(s);
	(void)pthread_mutex_lock(&s->cell);
	s->value = value;
	s->filled = false;
	(void)pthread_mutex_unlock(&s->cell);
	leave(s);
}

static long cache_read(struct state *s)
{
	bool filled;
	long v;

	enter(s);
	(void)pthread_mutex_lock(&s->cell);
	filled = s->filled;
	v = filled ? s->cached : s->value;
	(void)pthread_mutex_unlock(&s->cell);
	if (!filled) {
		gap();
		(void)pthread_mutex_lock(&s->cell);
		s->cached = v;
		s->filled = true;
		(void)pthread_mutex_unlock(&s->cell);
	}
	leave(s);
	return v;
}

static void stamp(void)
{
	const int64_t at_ns = now_ns();

	(void)pthread_mutex_lock(&stamps_lock);
	if (stamps_len < STAMPS_MAX)
		stamps[stamps_len++] = at_ns;
	(void)pthread_mutex_unlock(&stamps_lock);
}

static char *stamps_take(size_t *ret_len)
{
	char *text = malloc(STAMPS_MAX * 21 + 1);
	size_t at = 0;

	if (text == NULL)
		abort();
	(void)pthread_mutex_lock(&stamps_lock);
	for (size_t i = 0; i < stamps_len; i++)
		at += (size_t)snprintf(text + at, 22, "%lld\n", (long long)stamps[i]);
	stamps_len = 0;
	(void)pthread_mutex_unlock(&stamps_lock);
	*ret_len = at;
	return text;
}

static void answer(int fd, int status, const char *body, size_t len)
{
	char head[160];
	const int n = snprintf(head, sizeof(head),
	                       "HTTP/1.1 %d X\r\nContent-Type: application/json\r\n"
	                       "Content-Length: %zu\r\n\r\n",
	                       status, len);

	(void)!send(fd, head, (size_t)n, len == 0 ? MSG_NOSIGNAL : MSG_NOSIGNAL | MSG_MORE);
	if (len > 0)
		(void)!send(fd, body, len, MSG_NOSIGNAL);
}

/* The value of Idempotency-Key, unquoted or not; "" = none. */
static void key_of(const char *head, char key[KEY_LEN])
{
	const char *at = strcasestr(head, "\nidempotency-key:");
	size_t n;

	key[0] = '\0';
	if (at == NULL)
		return;
	at += strlen("\nidempotency-key:");
	at += strspn(at, " \"");
	n = strcspn(at, "\"\r");
	(void)snprintf(key, KEY_LEN, "%.*s", (int)n, at);
}

static void state_tell(int fd, struct state *s)
{
	char text[160];
	int n;

	(void)pthread_mutex_lock(&s->cell);
	n = snprintf(text, sizeof(text),
	             "{\"taken\":%ld,\"paid\":%ld,\"value\":%ld,\"cached\":%ld}", s->taken, s->paid,
	             s->value, s->filled ? s->cached : s->value);
	(void)pthread_mutex_unlock(&s->cell);
	answer(fd, 200, text, (size_t)n);
}

static void value_tell(int fd, long v)
{
	char text[32];

	answer(fd, 200, text, (size_t)snprintf(text, sizeof(text), "%ld", v));
}

/* head is a NUL-terminated text. */
static void handle(int fd, char *head)
{
	char method[16], route[32], key[KEY_LEN];
	unsigned long id = 0;
	long value = 0;
	struct state *s;
	int n;

	if (strncmp(head, "GET /stamps ", 12) == 0) {
		size_t len;
		char *text = stamps_take(&len);

		answer(fd, 200, text, len);
		free(text);
		return;
	}
	stamp();
	n = sscanf(head, "%15s /%31[a-z]/%lu/%ld", method, route, &id, &value);
	s = &states[id % STATES_MAX];
	key_of(head, key);
	if (n >= 3 && strcmp(route, "counter") == 0)
		answer(fd, counter(s), "{}", 2);
	else if (n >= 3 && strcmp(route, "retry") == 0)
		answer(fd, pay(s, key), "{}", 2);
	else if (n >= 3 && strcmp(route, "state") == 0)
		state_tell(fd, s);
	else if (n == 4 && strcmp(route, "cache") == 0 && strcmp(method, "PUT") == 0)
		cache_write(s, value), answer(fd, 200, "{}", 2);
	else if (n == 3 && strcmp(route, "cache") == 0)
		value_tell(fd, cache_read(s));
	else
		answer(fd, n >= 2 ? 404 : 200, "{}", 2);
}

/* Requests of one connection, each with its body read to the end. */
static void *serve(void *data)
{
	const int fd = (int)(intptr_t)data;
	char *in = malloc(IN_MAX + 1);
	size_t len = 0;

	(void)prctl(PR_SET_TIMERSLACK, 1UL);
	while (in != NULL) {
		char *end;
		size_t head_len, body_len = 0;
		ssize_t n;

		in[len] = '\0';
		end = strstr(in, "\r\n\r\n");
		if (end != NULL) {
			const char *length = strcasestr(in, "\ncontent-length:");

			head_len = (size_t)(end - in) + 4;
			if (length != NULL && length < end)
				body_len = strtoul(length + 16, NULL, 10);
			if (len >= head_len + body_len) {
				end[2] = '\0';
				handle(fd, in);
				len -= head_len + body_len;
				memmove(in, in + head_len + body_len, len);
				continue;
			}
		}
		if (len == IN_MAX)
			break;
		n = recv(fd, in + len, IN_MAX - len, 0);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	free(in);
	(void)close(fd);
	return NULL;
}

static int listen_any(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
		                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 ||
	    listen(fd, BACKLOG) != 0 || getsockname(fd, (struct sockaddr *)&addr, &len) != 0) {
		perror("planted_server");
		exit(1);
	}
	(void)printf("%u\n", ntohs(addr.sin_port));
	(void)fflush(stdout);
	return fd;
}

int main(int argc, char **argv)
{
	pthread_attr_t attr;
	int fd;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--correct") == 0) {
			correct = true;
		} else if (strcmp(argv[i], "--window-us") == 0 && i + 1 < argc) {
			window_us = strtol(argv[++i], NULL, 10);
		} else {
			(void)fputs("planted_server [--window-us N] [--correct]\n", stderr);
			return 2;
		}
	}
	for (size_t i = 0; i < STATES_MAX; i++) {
		(void)pthread_mutex_init(&states[i].lock, NULL);
		(void)pthread_mutex_init(&states[i].cell, NULL);
		states[i].left = 1;
	}
	fd = listen_any();
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	(void)pthread_attr_setstacksize(&attr, (size_t)256 << 10);
	for (;;) {
		const int one = 1, client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		pthread_t thread;

		if (client < 0)
			continue;
		(void)setsockopt(client, IPPROTO_TCP, 1 /* TCP_NODELAY */, &one, sizeof(one));
		if (pthread_create(&thread, &attr, serve, (void *)(intptr_t)client) != 0)
			(void)close(client);
	}
}
