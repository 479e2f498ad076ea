/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Orders over HTTP against a server that runs already: closed loop, `conns` keep-alive connections
 * with `depth` requests under way on each (1 = no pipelining), each order with a key of its own.
 * The same bytes go to whatever listens, so the front without storage is measured by the same load.
 *
 *     load --server HOST:PORT [--pid PID] [--conns 64] [--depth 1] [--items 1] [--seconds 3]
 *          [--setup yes]
 *
 * --setup makes the items first. With --pid the server's CPU and written bytes are counted.
 * Latency is from the send of a request to its answer, by this program's clock; a closed loop
 * under-reports the latency of a stalled server, so compare percentiles at equal rates only.
 * One JSON line on stdout.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hist.h"
#include "base/rng.h"
#include "net/client.h"
#include "net/load.h"
#include "proc.h"

#define STOCK    "1000000000000"
#define BODY_MAX 256

struct run {
	const char *server;
	long pid;
	uint32_t conns, depth, items;
	double seconds;
	bool setup;
	struct net_peer peer;
	struct rng rng;
	struct hist latency_us;
	uint64_t created, refused, other;
};

static bool next_order(void *data, struct load_request *request)
{
	struct run *r = data;
	char body[BODY_MAX], head[BODY_MAX * 2];
	const int body_len = snprintf(body, sizeof(body),
	                              "{\"lines\":[{\"sku\":\"item-%05llu\",\"quantity\":1}],"
	                              "\"customer\":\"a customer with a name of some length\"}",
	                              (unsigned long long)pawl__rng_below(&r->rng, r->items));
	const int head_len =
		snprintf(head, sizeof(head),
	                 "POST /v1/orders HTTP/1.1\r\nHost: %s\r\n"
	                 "Content-Type: application/json\r\n"
	                 "Idempotency-Key: %016llx%016llx\r\nContent-Length: %d\r\n\r\n",
	                 r->peer.authority, (unsigned long long)pawl__rng_next(&r->rng),
	                 (unsigned long long)pawl__rng_next(&r->rng), body_len);

	pawl__buf_put(request->out, head, (size_t)head_len);
	pawl__buf_put(request->out, body, (size_t)body_len);
	return true;
}

static void order_done(void *data, const struct load_result *result)
{
	struct run *r = data;

	if (result->outcome != LOAD_ANSWERED) {
		r->other++;
		return;
	}
	pawl__hist_put(&r->latency_us, (uint64_t)(result->done_us - result->sent_us));
	if (result->response->status == 201 || result->response->status == 200)
		r->created++;
	else if (result->response->status == 409)
		r->refused++;
	else
		r->other++;
}

static void make_items(const struct run *r)
{
	struct pawl_error err = { .status = PAWL_OK };
	struct http_client *client;

	bench_must(pawl__client_new(&r->peer, 0, &client, &err), &err, "client");
	for (uint32_t i = 0; i < r->items; i++) {
		struct http_response response;
		char target[64];
		const struct http_call call = {
			.method = STR("PUT"),
			.target = { target, (size_t)snprintf(target, sizeof(target),
			                                     "/v1/items/item-%05u", i) },
			.fields = STR("Content-Type: application/json\r\n"),
			.body = STR("{\"stock\":" STOCK "}"),
			.timeout_us = 10000000,
		};

		bench_must(pawl__client_request(client, &call, &response, &err), &err, "PUT item");
		if (response.status != 201 && response.status != 409)
			bench_fail("PUT item", "refused");
	}
	pawl__client_free(client);
}

static bool parse(struct run *r, int argc, char **argv)
{
	for (int i = 1; i + 1 < argc; i += 2) {
		const char *name = argv[i], *value = argv[i + 1];

		if (strcmp(name, "--server") == 0)
			r->server = value;
		else if (strcmp(name, "--pid") == 0)
			r->pid = strtol(value, NULL, 10);
		else if (strcmp(name, "--conns") == 0)
			r->conns = (uint32_t)strtoul(value, NULL, 10);
		else if (strcmp(name, "--depth") == 0)
			r->depth = (uint32_t)strtoul(value, NULL, 10);
		else if (strcmp(name, "--items") == 0)
			r->items = (uint32_t)strtoul(value, NULL, 10);
		else if (strcmp(name, "--seconds") == 0)
			r->seconds = strtod(value, NULL);
		else if (strcmp(name, "--setup") == 0)
			r->setup = strcmp(value, "yes") == 0;
		else
			return false;
	}
	return argc % 2 == 1 && r->server != NULL && r->conns >= 1 && r->items >= 1 &&
	       r->depth >= 1 && r->depth <= LOAD_DEPTH_MAX;
}

static void report(const struct run *r, double took, const struct proc_use *before)
{
	const uint64_t n = r->created + r->refused;
	const double each = n == 0 ? 1 : (double)n;
	const struct proc_use now = proc_use(r->pid);

	(void)printf(
		"{\"name\":\"http\",\"conns\":%u,\"depth\":%u,\"items\":%u,\"orders\":%llu,"
		"\"refused\":%llu,\"failed\":%llu,\"seconds\":%.3f,\"per_s\":%.0f,\"p50_us\":%llu,"
		"\"p99_us\":%llu,\"p999_us\":%llu,\"cpu_us\":%.2f,\"bytes\":%.0f}\n",
		r->conns, r->depth, r->items, (unsigned long long)r->created,
		(unsigned long long)r->refused, (unsigned long long)r->other, took,
		(double)n / took, (unsigned long long)pawl__hist_quantile(&r->latency_us, 0.5),
		(unsigned long long)pawl__hist_quantile(&r->latency_us, 0.99),
		(unsigned long long)pawl__hist_quantile(&r->latency_us, 0.999),
		(now.cpu_s - before->cpu_s) * 1e6 / each,
		(double)(now.written - before->written) / each);
}

int main(int argc, char **argv)
{
	static struct run r = { .conns = 64, .depth = 1, .items = 1, .seconds = 3 };
	struct load_config config = { .app = { &r, next_order, order_done } };
	struct rlimit files = { 65536, 65536 };
	struct pawl_error err = { .status = PAWL_OK };
	struct http_load *load;
	struct proc_use before;
	int64_t start_us;
	double took;

	if (!parse(&r, argc, argv)) {
		(void)fprintf(stderr,
		              "usage: load --server HOST:PORT [--pid PID] [--conns N] [--depth N]"
		              " [--items N] [--seconds S] [--setup yes]\n");
		return 2;
	}
	(void)setrlimit(RLIMIT_NOFILE, &files);
	rng_init(&r.rng, pawl__rng_os());
	bench_must(pawl__peer_parse(r.server, 7077, &r.peer, &err), &err, "server");
	if (r.setup)
		make_items(&r);
	config.conns = r.conns;
	config.depth = r.depth;
	bench_must(pawl__load_new(&r.peer, &config, &load, &err), &err, "load");
	/* Connections are made and caches filled before anything counts. */
	bench_must(pawl__load_run(load, (int64_t)(r.seconds * 1e6 / 5), &err), &err, "warm up");
	memset(&r.latency_us, 0, sizeof(r.latency_us));
	r.created = r.refused = r.other = 0;
	before = proc_use(r.pid);
	start_us = pawl__clock_mono_us();
	bench_must(pawl__load_run(load, (int64_t)(r.seconds * 1e6), &err), &err, "run");
	took = (double)(pawl__clock_mono_us() - start_us) / 1e6;
	report(&r, took, &before);
	pawl__load_free(load);
	return r.other == 0 ? 0 : 1;
}
