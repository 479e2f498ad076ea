/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Durable orders through libpawl, in process, by the public headers alone: one application thread
 * keeps `outstanding` orders in flight, each with an idempotency key of its own.
 *
 *     orders --store sqlite:FILE [--outstanding 1000] [--items 1] [--seconds S]
 *            [--rows N [--measure M]]
 *
 * --rows grows the store to N orders first (not measured), then measures M orders.
 * One JSON line on stdout.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hist.h"
#include "base/rng.h"
#include "pawl/pawl.h"
#include "proc.h"

#define OUTSTANDING_MAX 65536
#define KEY_LEN         32
#define STOCK           INT64_C(1000000000000)

struct bench;

/* One order in flight. */
struct flight {
	struct bench *bench;
	struct pawl_tx *tx;
	int64_t start_us;
	struct flight *next;
};

struct bench {
	const char *store;
	uint32_t outstanding;
	uint32_t items;
	double seconds;
	uint64_t rows, measure;

	struct pawl *pawl;
	struct flight *flights;
	struct rng rng;
	pthread_mutex_t mu;
	pthread_cond_t landed;
	struct flight *free; /* landed, under mu */
	uint32_t free_len;
	struct hist latency_us; /* the lane's thread while flying */
	uint64_t ok, refused, failed;
};

static void landed(void *arg, enum pawl_status st, const struct pawl_answer *answer)
{
	struct flight *f = arg;
	struct bench *b = f->bench;

	pawl__hist_put(&b->latency_us, (uint64_t)(pawl__clock_mono_us() - f->start_us));
	if (st != PAWL_OK)
		b->failed++;
	else if (pawl_answer_code(answer) == PAWL_OK)
		b->ok++;
	else
		b->refused++;
	(void)pthread_mutex_lock(&b->mu);
	f->next = b->free;
	b->free = f;
	/* Wake the application when a quarter has landed, not for each: it would wait again. */
	if (++b->free_len == (b->outstanding + 3) / 4 || b->free_len == b->outstanding)
		(void)pthread_cond_signal(&b->landed);
	(void)pthread_mutex_unlock(&b->mu);
}

/* All that have landed; waits until at least `least` have. */
static struct flight *take_landed(struct bench *b, uint32_t least)
{
	struct flight *list;

	(void)pthread_mutex_lock(&b->mu);
	while (b->free_len < least)
		(void)pthread_cond_wait(&b->landed, &b->mu);
	list = b->free;
	b->free = NULL;
	b->free_len = 0;
	(void)pthread_mutex_unlock(&b->mu);
	return list;
}

static void give_back(struct bench *b, struct flight *list)
{
	(void)pthread_mutex_lock(&b->mu);
	while (list != NULL) {
		struct flight *f = list;

		list = f->next;
		f->next = b->free;
		b->free = f;
		b->free_len++;
	}
	(void)pthread_mutex_unlock(&b->mu);
}

static void order_submit(struct bench *b, struct flight *f)
{
	struct pawl_error err = { .status = PAWL_OK };
	char key[KEY_LEN + 1], sku[32];
	const struct pawl_order_line line = { .sku = sku, .quantity = 1 };
	struct pawl_order order = PAWL_ORDER_INIT;

	(void)snprintf(key, sizeof(key), "%016llx%016llx",
	               (unsigned long long)pawl__rng_next(&b->rng),
	               (unsigned long long)pawl__rng_next(&b->rng));
	(void)snprintf(sku, sizeof(sku), "item-%05llu",
	               (unsigned long long)pawl__rng_below(&b->rng, b->items));
	order.lines = &line;
	order.lines_len = 1;
	order.customer = "a customer";
	pawl_tx_reset(f->tx);
	bench_must(pawl_tx_key(f->tx, key), &err, "key");
	bench_must(pawl_tx_order(f->tx, &order), &err, "order");
	f->start_us = pawl__clock_mono_us();
	bench_must(pawl_tx_submit(f->tx, landed, f, &err), &err, "submit");
}

/* Fly until `count` orders have been sent (0 = no count) or the time is over (0 = no time). */
static double fly(struct bench *b, uint64_t count, double seconds)
{
	const int64_t start_us = pawl__clock_mono_us();
	const int64_t until_us = seconds > 0 ? start_us + (int64_t)(seconds * 1e6) : INT64_MAX;
	uint64_t sent = 0;
	bool more = true;

	while (more) {
		struct flight *list = take_landed(b, (b->outstanding + 3) / 4);

		while (list != NULL && more) {
			struct flight *f = list;

			list = f->next;
			order_submit(b, f);
			sent++;
			more = (count == 0 || sent < count) && pawl__clock_mono_us() < until_us;
		}
		give_back(b, list);
	}
	/* The last ones land, too: they count. */
	give_back(b, take_landed(b, b->outstanding));
	return (double)(pawl__clock_mono_us() - start_us) / 1e6;
}

static void setup(struct bench *b)
{
	struct pawl_options options = PAWL_OPTIONS_INIT;
	struct pawl_error err = { .status = PAWL_OK };

	rng_init(&b->rng, pawl__rng_os());
	(void)pthread_mutex_init(&b->mu, NULL);
	(void)pthread_cond_init(&b->landed, NULL);
	bench_must(pawl_open(b->store, &options, &b->pawl, &err), &err, "open");
	for (uint32_t i = 0; i < b->items; i++) {
		struct pawl_answer *a;
		char sku[32];

		(void)snprintf(sku, sizeof(sku), "item-%05u", i);
		bench_must(pawl_item_open(b->pawl, sku, STOCK, &a, &err), &err, "item");
		pawl_answer_free(a);
	}
	b->flights = calloc(b->outstanding, sizeof(*b->flights));
	if (b->flights == NULL)
		bench_fail("start", "out of memory");
	for (uint32_t i = 0; i < b->outstanding; i++) {
		struct flight *f = &b->flights[i];

		f->bench = b;
		bench_must(pawl_tx_new(b->pawl, &f->tx, &err), &err, "tx");
		f->next = b->free;
		b->free = f;
		b->free_len++;
	}
}

static void teardown(struct bench *b)
{
	for (uint32_t i = 0; b->flights != NULL && i < b->outstanding; i++)
		pawl_tx_free(b->flights[i].tx);
	free(b->flights);
	pawl_close(b->pawl);
}

static void report(const struct bench *b, double took, const struct proc_use *before)
{
	const double n = b->ok == 0 ? 1 : (double)b->ok;
	const struct proc_use now = proc_use(0);

	(void)printf(
		"{\"name\":\"libpawl\",\"outstanding\":%u,\"items\":%u,\"rows\":%llu,\"orders\":%"
		"llu,"
		"\"refused\":%llu,\"failed\":%llu,\"seconds\":%.3f,\"per_s\":%.0f,\"p50_us\":%llu,"
		"\"p99_us\":%llu,\"p999_us\":%llu,\"cpu_us\":%.2f,\"bytes\":%.0f,\"rss_kib\":%llu}"
		"\n",
		b->outstanding, b->items, (unsigned long long)b->rows, (unsigned long long)b->ok,
		(unsigned long long)b->refused, (unsigned long long)b->failed, took,
		(double)b->ok / took, (unsigned long long)pawl__hist_quantile(&b->latency_us, 0.5),
		(unsigned long long)pawl__hist_quantile(&b->latency_us, 0.99),
		(unsigned long long)pawl__hist_quantile(&b->latency_us, 0.999),
		(now.cpu_s - before->cpu_s) * 1e6 / n, (double)(now.written - before->written) / n,
		(unsigned long long)now.rss_kib);
}

static void reset_counts(struct bench *b)
{
	memset(&b->latency_us, 0, sizeof(b->latency_us));
	b->ok = b->refused = b->failed = 0;
}

static bool parse(struct bench *b, int argc, char **argv)
{
	for (int i = 1; i + 1 < argc; i += 2) {
		const char *name = argv[i], *value = argv[i + 1];

		if (strcmp(name, "--store") == 0)
			b->store = value;
		else if (strcmp(name, "--outstanding") == 0)
			b->outstanding = (uint32_t)strtoul(value, NULL, 10);
		else if (strcmp(name, "--items") == 0)
			b->items = (uint32_t)strtoul(value, NULL, 10);
		else if (strcmp(name, "--seconds") == 0)
			b->seconds = strtod(value, NULL);
		else if (strcmp(name, "--rows") == 0)
			b->rows = strtoull(value, NULL, 10);
		else if (strcmp(name, "--measure") == 0)
			b->measure = strtoull(value, NULL, 10);
		else
			return false;
	}
	return argc % 2 == 1 && b->store != NULL && b->outstanding >= 1 &&
	       b->outstanding <= OUTSTANDING_MAX && b->items >= 1 && b->items <= 100000;
}

int main(int argc, char **argv)
{
	static struct bench b = { .outstanding = 1000, .items = 1, .measure = 100000 };
	struct proc_use before;
	double took;

	if (!parse(&b, argc, argv)) {
		(void)fprintf(stderr,
		              "usage: orders --store sqlite:NEW.db [--outstanding N] [--items N]"
		              " [--seconds S] [--rows N] [--measure N]\n");
		return 2;
	}
	setup(&b);
	if (b.rows > 0) {
		(void)fly(&b, b.rows, 0);
		sync(); /* what growing left in the kernel's cache is not the measured orders' */
	}
	reset_counts(&b);
	before = proc_use(0);
	took = fly(&b, b.seconds > 0 ? 0 : b.measure, b.seconds);
	report(&b, took, &before);
	teardown(&b);
	return b.failed == 0 ? 0 : 1;
}
