/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /metrics: Prometheus text 0.0.4, or OpenMetrics 1.0.0 when it is asked for. Labels are routes,
 * methods, classes and outcomes: never an id, a key or a caller.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/num.h"
#include "pawl/pawl.h"
#include "server/call.h"
#include "server/fields.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_INFO, METRIC_HISTOGRAM };

/* Everything that is told, read once. */
struct scrape {
	struct server *server;
	struct buf *b;
	bool open; /* OpenMetrics */
	struct engine_metrics engine;
	struct http_counters http;
	struct store_stats store;
	int64_t ready, writes_pending, queue_depth;
	int64_t resident_bytes, open_fds, cpu_us, start_us;
};

struct metric {
	enum metric_type type;
	const char *name; /* of a counter: without _total */
	const char *help;
	size_t at;    /* in struct scrape: 8 bytes; -1 there = not known */
	bool seconds; /* what is there is microseconds */
	void (*put)(const struct scrape *sc, const struct metric *m); /* instead of `at` */
};

/* Seconds with as many decimals as it takes, at least one: the canonical form of OpenMetrics. */
static void put_seconds(struct buf *b, uint64_t us)
{
	uint64_t rest = us % 1000000, digit = 100000;

	pawl__buf_u64(b, us / 1000000);
	pawl__buf_putc(b, '.');
	do {
		pawl__buf_putc(b, (char)('0' + rest / digit));
		rest %= digit;
		digit /= 10;
	} while (rest > 0);
}

static void put_name(const struct scrape *sc, const struct metric *m, const char *suffix)
{
	buf_str(sc->b, pawl__str_of(m->name));
	buf_str(sc->b, pawl__str_of(suffix));
}

/* A label's value: the escapes of the format. */
static void put_label(struct buf *b, const char *name, struct str value)
{
	buf_str(b, pawl__str_of(name));
	buf_lit(b, "=\"");
	for (size_t i = 0; i < value.len; i++) {
		if (value.ptr[i] == '\n') {
			buf_lit(b, "\\n");
			continue;
		}
		if (value.ptr[i] == '"' || value.ptr[i] == '\\')
			pawl__buf_putc(b, '\\');
		pawl__buf_putc(b, value.ptr[i]);
	}
	pawl__buf_putc(b, '"');
}

static void put_count(const struct scrape *sc, uint64_t v)
{
	pawl__buf_putc(sc->b, ' ');
	pawl__buf_u64(sc->b, v);
	pawl__buf_putc(sc->b, '\n');
}

static void put_sum(const struct scrape *sc, uint64_t v, bool seconds)
{
	pawl__buf_putc(sc->b, ' ');
	if (seconds)
		put_seconds(sc->b, v);
	else
		pawl__buf_u64(sc->b, v);
	pawl__buf_putc(sc->b, '\n');
}

static void put_build(const struct scrape *sc, const struct metric *m)
{
	put_name(sc, m, "_info{");
	put_label(sc->b, "version", pawl__str_of(pawl_version()));
	pawl__buf_putc(sc->b, ',');
	put_label(sc->b, "store", pawl__str_of(sc->store.engine));
	pawl__buf_putc(sc->b, '}');
	put_count(sc, 1);
}

/* method="POST",route="/v1/orders" */
static void put_route(struct buf *b, size_t i)
{
	struct str method = STR("other"), pattern = STR("none");

	if (i < pawl__routes_len) {
		pattern = pawl__route_pattern(&pawl__routes[i]);
		method = (struct str){ pawl__routes[i].text,
			               (size_t)(pattern.ptr - pawl__routes[i].text) - 1 };
	}
	put_label(b, "method", method);
	pawl__buf_putc(b, ',');
	put_label(b, "route", pattern);
}

static void put_requests(const struct scrape *sc, const struct metric *m)
{
	static const char *const classes[] = { "", "1xx", "2xx", "3xx", "4xx", "5xx" };

	for (size_t i = 0; i <= ROUTES_MAX; i++) {
		const struct route_counts *n = &sc->server->counts[i];

		for (size_t class = 1; class < ARRAY_LEN(classes); class ++) {
			if (n->by_class[class] == 0)
				continue;
			put_name(sc, m, "_total{");
			put_route(sc->b, i);
			pawl__buf_putc(sc->b, ',');
			put_label(sc->b, "class", pawl__str_of(classes[class]));
			pawl__buf_putc(sc->b, '}');
			put_count(sc, n->by_class[class]);
		}
	}
}

static void put_durations(const struct scrape *sc, const struct metric *m)
{
	static const uint64_t bounds[] = DURATION_BOUNDS;

	for (size_t i = 0; i < pawl__routes_len; i++) {
		const struct route_counts *n = &sc->server->counts[i];
		uint64_t count = 0;

		for (size_t k = 0; k < DURATION_BUCKETS; k++)
			count += n->duration[k];
		if (count == 0)
			continue;
		count = 0;
		for (size_t k = 0; k < DURATION_BUCKETS; k++) {
			count += n->duration[k];
			put_name(sc, m, "_bucket{");
			put_route(sc->b, i);
			buf_lit(sc->b, ",le=\"");
			if (k < ARRAY_LEN(bounds))
				put_seconds(sc->b, bounds[k]);
			else
				buf_lit(sc->b, "+Inf");
			buf_lit(sc->b, "\"}");
			put_count(sc, count);
		}
		put_name(sc, m, "_sum{");
		put_route(sc->b, i);
		pawl__buf_putc(sc->b, '}');
		put_sum(sc, n->duration_sum_us, true);
		put_name(sc, m, "_count{");
		put_route(sc->b, i);
		pawl__buf_putc(sc->b, '}');
		put_count(sc, count);
	}
}

static void put_transactions(const struct scrape *sc, const struct metric *m)
{
	const struct {
		const char *outcome;
		uint64_t n;
	} rows[] = {
		{ "committed", sc->engine.committed },   { "refused", sc->engine.refused },
		{ "replayed", sc->engine.replayed },     { "dropped", sc->engine.dropped },
		{ "overloaded", sc->engine.overloaded },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		put_name(sc, m, "_total{");
		put_label(sc->b, "outcome", pawl__str_of(rows[i].outcome));
		pawl__buf_putc(sc->b, '}');
		put_count(sc, rows[i].n);
	}
}

/* A histogram of the engine, at bounds that every scrape has in common. */
static void put_hist(const struct scrape *sc, const struct metric *m)
{
	static const uint64_t times[] = DURATION_BOUNDS;
	static const uint64_t sizes[] = { 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048 };
	const struct hist *h = (const void *)((const char *)sc + m->at);
	const uint64_t *bounds = m->seconds ? times : sizes;
	const size_t len = m->seconds ? ARRAY_LEN(times) : ARRAY_LEN(sizes);

	for (size_t i = 0; i < len; i++) {
		put_name(sc, m, "_bucket{le=\"");
		put_seconds(sc->b, m->seconds ? bounds[i] : bounds[i] * 1000000);
		buf_lit(sc->b, "\"}");
		put_count(sc, pawl__hist_count_le(h, bounds[i]));
	}
	put_name(sc, m, "_bucket{le=\"+Inf\"}");
	put_count(sc, h->count);
	put_name(sc, m, "_sum");
	put_sum(sc, h->sum, m->seconds);
	put_name(sc, m, "_count");
	put_count(sc, h->count);
}

#define AT(member) offsetof(struct scrape, member)

static const struct metric metrics[] = {
	{ METRIC_INFO, "pawl_build", "What runs.", 0, false, put_build },
	{ METRIC_GAUGE, "pawl_ready", "1 while new work is welcome.", AT(ready), false, NULL },
	{ METRIC_COUNTER, "pawl_http_requests", "Answers by route and class of status.", 0, false,
	  put_requests },
	{ METRIC_HISTOGRAM, "pawl_http_request_duration_seconds",
	  "From the complete request to its answer.", 0, false, put_durations },
	{ METRIC_GAUGE, "pawl_http_connections", "Open connections.", AT(http.conns_open), false,
	  NULL },
	{ METRIC_COUNTER, "pawl_http_connections_accepted", "Connections accepted.",
	  AT(http.conns_accepted), false, NULL },
	{ METRIC_COUNTER, "pawl_http_connections_refused", "Connections over the limit.",
	  AT(http.conns_refused), false, NULL },
	{ METRIC_COUNTER, "pawl_http_messages_refused",
	  "Messages that were not well-formed or over a limit.", AT(http.refusals), false, NULL },
	{ METRIC_COUNTER, "pawl_http_timeouts", "Connections that were too slow.",
	  AT(http.timeouts), false, NULL },
	{ METRIC_COUNTER, "pawl_http_connections_broken", "Connections that broke.",
	  AT(http.broken), false, NULL },
	{ METRIC_COUNTER, "pawl_http_received_bytes", "Bytes read.", AT(http.bytes_in), false,
	  NULL },
	{ METRIC_COUNTER, "pawl_http_sent_bytes", "Bytes written.", AT(http.bytes_out), false,
	  NULL },
	{ METRIC_GAUGE, "pawl_http_writes_pending", "Writes that wait for their answer.",
	  AT(writes_pending), false, NULL },
	{ METRIC_GAUGE, "pawl_queue_depth", "Transactions that wait for a batch.", AT(queue_depth),
	  false, NULL },
	{ METRIC_COUNTER, "pawl_transactions", "Transactions by outcome.", 0, false,
	  put_transactions },
	{ METRIC_COUNTER, "pawl_batches", "Batches run.", AT(engine.batches), false, NULL },
	{ METRIC_COUNTER, "pawl_batches_empty", "Batches with nothing to commit.",
	  AT(engine.batches_empty), false, NULL },
	{ METRIC_COUNTER, "pawl_batch_retries", "Batches run again after a refusal of the store.",
	  AT(engine.retries), false, NULL },
	{ METRIC_HISTOGRAM, "pawl_batch_transactions", "Transactions in a batch.",
	  AT(engine.batch_len), false, put_hist },
	{ METRIC_HISTOGRAM, "pawl_commit_duration_seconds", "From begin to commit of a batch.",
	  AT(engine.commit_us), true, put_hist },
	{ METRIC_HISTOGRAM, "pawl_transaction_duration_seconds", "From submit to answer.",
	  AT(engine.wait_us), true, put_hist },
	{ METRIC_COUNTER, "pawl_sweeps", "Runs of the sweeper that found something.",
	  AT(engine.sweeps), false, NULL },
	{ METRIC_COUNTER, "pawl_accounts_swept", "Accounts whose holds the sweeper expired.",
	  AT(engine.holds_expired_accounts), false, NULL },
	{ METRIC_GAUGE, "pawl_store_revision", "Revision of the latest commit.", AT(store.revision),
	  false, NULL },
	{ METRIC_GAUGE, "pawl_store_file_bytes", "Size of the database file.", AT(store.file_bytes),
	  false, NULL },
	{ METRIC_GAUGE, "pawl_store_wal_bytes", "Size of the write-ahead log.", AT(store.wal_bytes),
	  false, NULL },
	{ METRIC_COUNTER, "pawl_store_written_bytes", "Bytes written to the store.",
	  AT(store.written_bytes), false, NULL },
	{ METRIC_COUNTER, "pawl_store_commits", "Commits of the store.", AT(store.commits), false,
	  NULL },
	{ METRIC_GAUGE, "process_resident_memory_bytes", "Resident memory.", AT(resident_bytes),
	  false, NULL },
	{ METRIC_COUNTER, "process_cpu_seconds", "Processor time, user and system.", AT(cpu_us),
	  true, NULL },
	{ METRIC_GAUGE, "process_open_fds", "Open file descriptors.", AT(open_fds), false, NULL },
	{ METRIC_GAUGE, "process_start_time_seconds", "Start, seconds since 1970.", AT(start_us),
	  true, NULL },
};

static void put_head(const struct scrape *sc, const struct metric *m, const char *what)
{
	/* In the older format the suffix belongs to the family. */
	const char *suffix = sc->open                    ? ""
	                     : m->type == METRIC_COUNTER ? "_total"
	                     : m->type == METRIC_INFO    ? "_info"
	                                                 : "";

	buf_lit(sc->b, "# ");
	buf_str(sc->b, pawl__str_of(what));
	pawl__buf_putc(sc->b, ' ');
	put_name(sc, m, suffix);
	pawl__buf_putc(sc->b, ' ');
}

static void put_metric(const struct scrape *sc, const struct metric *m)
{
	static const char *const types[] = { "counter", "gauge", "info", "histogram" };
	const bool info = m->type == METRIC_INFO && !sc->open;
	int64_t v;

	put_head(sc, m, "TYPE");
	buf_str(sc->b, pawl__str_of(info ? "gauge" : types[m->type]));
	pawl__buf_putc(sc->b, '\n');
	put_head(sc, m, "HELP");
	buf_str(sc->b, pawl__str_of(m->help));
	pawl__buf_putc(sc->b, '\n');
	if (m->put != NULL) {
		m->put(sc, m);
		return;
	}
	memcpy(&v, (const char *)sc + m->at, sizeof(v));
	if (v < 0)
		return;
	put_name(sc, m, m->type == METRIC_COUNTER ? "_total" : "");
	put_sum(sc, (uint64_t)v, m->seconds);
}

static int64_t count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int64_t n = 0;

	if (dir == NULL)
		return -1;
	while (readdir(dir) != NULL) /* NOLINT(concurrency-mt-unsafe): a DIR of our own */
		n++;
	(void)closedir(dir);
	return n - 3; /* ".", ".." and the directory itself */
}

/* The second number of /proc/self/statm, in pages. */
static int64_t resident_bytes(void)
{
	const int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	char text[128];
	ssize_t len;
	const char *from, *to;
	uint64_t pages;

	if (fd < 0)
		return -1;
	len = read(fd, text, sizeof(text));
	(void)close(fd);
	from = len > 0 ? memchr(text, ' ', (size_t)len) : NULL;
	to = from == NULL ? NULL : memchr(from + 1, ' ', (size_t)(text + len - from - 1));
	if (to == NULL ||
	    !pawl__num_parse_u64((struct str){ from + 1, (size_t)(to - from - 1) }, &pages))
		return -1;
	return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

static int64_t cpu_us(void)
{
	struct rusage u;

	if (getrusage(RUSAGE_SELF, &u) != 0)
		return -1;
	return (int64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 + u.ru_utime.tv_usec +
	       u.ru_stime.tv_usec;
}

static void scrape_read(struct scrape *sc)
{
	struct server *s = sc->server;
	struct engine_health health;
	struct pawl_error err;

	pawl__engine_metrics(s->engine, &sc->engine);
	pawl__engine_health(s->engine, &health);
	if (pawl__engine_stats(s->engine, &sc->store, &err) != PAWL_OK)
		sc->store = (struct store_stats){ .revision = -1,
			                          .file_bytes = -1,
			                          .wal_bytes = -1,
			                          .written_bytes = -1,
			                          .commits = -1 };
	sc->http = *pawl__http_counters(s->http);
	sc->ready = health.writable && !health.draining && !s->draining;
	sc->writes_pending = s->pending;
	sc->queue_depth = pawl__lane_depth(s->engine);
	sc->resident_bytes = resident_bytes();
	sc->open_fds = count_fds();
	sc->cpu_us = cpu_us();
	sc->start_us = s->start_real_us;
}

void pawl__get_metrics(struct call *c)
{
	struct scrape sc = { .server = c->server, .b = &c->server->out };
	struct str accept = STR_NONE;
	size_t count;

	(void)pawl__http1_field(&c->req->fields, STR("Accept"), &accept, &count);
	sc.open = pawl__field_openmetrics(accept);
	scrape_read(&sc);
	pawl__buf_reset(sc.b);
	for (size_t i = 0; i < ARRAY_LEN(metrics); i++)
		put_metric(&sc, &metrics[i]);
	if (sc.open)
		buf_lit(sc.b, "# EOF\n");
	if (sc.b->overflow) {
		pawl__call_fail(c, PAWL_E_NOMEM, STR_NONE, NULL);
		return;
	}
	pawl__call_answer(
		c, 200,
		sc.open ? STR("application/openmetrics-text; version=1.0.0; charset=utf-8")
			: STR("text/plain; version=0.0.4; charset=utf-8"),
		buf_get(sc.b), NULL);
}
