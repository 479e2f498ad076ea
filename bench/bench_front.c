/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_front - what the HTTP front costs by itself: 150 bytes in, 150 bytes out, no storage.
 *
 * The front runs in one thread, the load generator in another, over loopback. Prints one line per
 * setting: requests per second, latency, and CPU microseconds of the front per request.
 *
 *     bench_front [seconds per setting] [connections depth]...
 *     bench_front serve PORT        only the front, for another load generator
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/hist.h"
#include "base/num.h"
#include "net/load.h"
#include "net/server.h"

#define BODY_LEN 150

static char fixed_body[BODY_LEN];

struct front {
	struct loop *loop;
	struct http_server *server;
	_Atomic int64_t cpu_us; /* of its thread, as of the last turn's end */
	struct loop_hook hook;
};

static int64_t thread_cpu_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void front_request(void *data, struct http_conn *conn, const struct http_request *req)
{
	const struct http_answer answer = {
		.status = 200,
		.content_type = STR("application/json"),
		.fields = STR("ETag: \"12345\"\r\n"),
		.body = { fixed_body, sizeof(fixed_body) },
	};

	(void)data;
	(void)req;
	pawl__http_answer(conn, &answer);
}

_Noreturn static void fail(const struct pawl_error *err)
{
	(void)fprintf(stderr, "bench_front: %s\n", err->text);
	abort();
}

static void front_open(struct front *front, uint16_t port, uint16_t *ret_port)
{
	const struct http_config config = { .app.request = front_request };
	struct pawl_error err = { 0 };

	if (pawl__loop_new(&front->loop, &err) != PAWL_OK ||
	    pawl__http_new(front->loop, &config, &front->server, &err) != PAWL_OK ||
	    pawl__http_listen_tcp(front->server, "127.0.0.1", port, ret_port, &err) != PAWL_OK)
		fail(&err);
}

/* The thread's own CPU clock can only be read there: it is asked for by a wake-up. */
static int64_t front_cpu(struct loop_hook *h)
{
	struct front *front = CONTAINER_OF(h, struct front, hook);
	static int64_t turns;

	if (turns++ % 64 == 0)
		front->cpu_us = thread_cpu_us();
	return LOOP_FOREVER;
}

static void *front_run(void *data)
{
	struct front *front = data;
	struct pawl_error err = { 0 };

	if (pawl__loop_run(front->loop, &err) != PAWL_OK)
		fail(&err);
	return NULL;
}

struct driver {
	struct hist latency;
	char request[512];
	size_t request_len;
};

static bool driver_next(void *data, struct load_request *request)
{
	const struct driver *d = data;

	pawl__buf_put(request->out, d->request, d->request_len);
	return true;
}

static void driver_done(void *data, const struct load_result *result)
{
	struct driver *d = data;

	if (result->outcome == LOAD_ANSWERED)
		pawl__hist_put(&d->latency, (uint64_t)(result->done_us - result->sent_us));
}

static uint32_t number(const char *text)
{
	int64_t n;

	if (!pawl__num_parse_i64((struct str){ text, strlen(text) }, &n) || n < 0 || n > 100000) {
		(void)fprintf(stderr, "bench_front: not a number of at most 100000: %s\n", text);
		abort();
	}
	return (uint32_t)n;
}

static void measure(struct front *front, uint16_t port, uint32_t conns, uint32_t depth,
                    int64_t seconds)
{
	static struct driver driver;
	const struct load_config config = {
		.app = { &driver, driver_next, driver_done },
		.conns = conns,
		.depth = depth,
	};
	const struct load_counters *n;
	struct pawl_error err = { 0 };
	struct net_peer peer;
	struct http_load *load = NULL;
	char text[64];
	int64_t start_us, cpu_us, took_us;

	memset(&driver, 0, sizeof(driver));
	driver.request_len =
		(size_t)snprintf(driver.request, sizeof(driver.request),
	                         "POST /v1/orders HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n"
	                         "Content-Type: application/json\r\nIdempotency-Key: 0123456789\r\n"
	                         "Content-Length: %d\r\n\r\n%.*s",
	                         port, BODY_LEN, BODY_LEN, fixed_body);
	(void)snprintf(text, sizeof(text), "127.0.0.1:%u", port);
	if (pawl__peer_parse(text, 0, &peer, &err) != PAWL_OK ||
	    pawl__load_new(&peer, &config, &load, &err) != PAWL_OK)
		fail(&err);
	if (pawl__load_run(load, 200000, &err) != PAWL_OK) /* warm */
		fail(&err);
	memset(&driver.latency, 0, sizeof(driver.latency));
	n = pawl__load_counters(load);
	const uint64_t before = n->answered;

	cpu_us = front->cpu_us;
	start_us = pawl__clock_mono_us();
	if (pawl__load_run(load, seconds * 1000000, &err) != PAWL_OK)
		fail(&err);
	took_us = pawl__clock_mono_us() - start_us;
	cpu_us = front->cpu_us - cpu_us;
	const uint64_t answered = n->answered - before;

	(void)printf("%6u connections, depth %3u: %8.0f/s  p50 %6lu us  p99 %6lu us  "
	             "front CPU %.2f us/request  lost %lu\n",
	             conns, depth, (double)answered * 1e6 / (double)took_us,
	             (unsigned long)pawl__hist_quantile(&driver.latency, 0.5),
	             (unsigned long)pawl__hist_quantile(&driver.latency, 0.99),
	             (double)cpu_us / (double)answered,
	             (unsigned long)(n->timeouts + n->resets + n->malformed));
	(void)fflush(stdout);
	pawl__load_free(load);
}

int main(int argc, char **argv)
{
	static const char *const standard[] = { "64", "1", "64", "10", "1000", "1", "1000", "10" };
	static struct front front;
	const char *const *settings = standard;
	int settings_len = ARRAY_LEN(standard);
	uint16_t port = 0;
	pthread_t thread;
	uint32_t seconds = 3;

	memset(fixed_body, 'x', sizeof(fixed_body));
	if (argc == 3 && strcmp(argv[1], "serve") == 0) {
		front_open(&front, (uint16_t)number(argv[2]), &port);
		(void)front_run(&front);
		return 0;
	}
	if (argc > 1)
		seconds = number(argv[1]);
	if (argc > 3) {
		settings = (const char *const *)argv + 2;
		settings_len = argc - 2;
	}
	front_open(&front, 0, &port);
	front.hook = (struct loop_hook){ LOOP_OUTPUT, front_cpu };
	pawl__loop_hook_add(front.loop, &front.hook);
	if (pthread_create(&thread, NULL, front_run, &front) != 0)
		return 1;
	for (int i = 0; i + 1 < settings_len; i += 2)
		measure(&front, port, number(settings[i]), number(settings[i + 1]), seconds);
	pawl__loop_stop(front.loop);
	(void)pthread_join(thread, NULL);
	pawl__http_free(front.server);
	pawl__loop_free(front.loop);
	return 0;
}
