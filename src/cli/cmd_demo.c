/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/rng.h"
#include "cli/child.h"
#include "cli/commands.h"
#include "cli/demo/report.h"
#include "cli/help.h"
#include "cli/metric.h"
#include "net/client.h"

#define DEMO_PATH_MAX   512
#define SECONDS         INT64_C(1000000)
#define START_US        (30 * SECONDS)
#define CALL_US         (30 * SECONDS)
#define RACE_US         (120 * SECONDS)
#define STOP_US         (30 * SECONDS)
#define NAIVE_THREADS   32u
#define NAIVE_THINK_US  1000
#define NAIVE_BUDGET_US (SECONDS * 3 / 2)
#define OUTPUT_MAX      ((size_t)1 << 20)
#define FDS_SPARE       64u /* files of a process beside its connections */

struct demo_values {
	int64_t buyers, stock, retries, twice, connections, seed;
	const char *store;
	bool keep, json;
};

static const struct {
	struct str target; /* of its item */
	const char *sku;
	const char *naive[NAIVE_STRATEGIES]; /* file names */
} rounds[DEMO_ROUNDS] = {
	[ROUND_LAST] = { { "/v1/items/last", 14 },
	                 "last",
	                 { "last-0.db", "last-1.db", "last-2.db" } },
	[ROUND_PLENTY] = { { "/v1/items/plenty", 16 },
	                   "plenty",
	                   { "plenty-0.db", "plenty-1.db", "plenty-2.db" } },
};

struct demo {
	struct cli *cli;
	const struct demo_values *v;
	struct progress progress;
	char dir[DEMO_PATH_MAX]; /* scratch; "" = none */
	const char *store;       /* its URL */
	struct child server;
	struct net_peer peer;
	struct http_client *client; /* owned */
	struct demo_report report;
};

/* Written by the handler of SIGINT and SIGTERM, read by all threads. */
static atomic_bool demo_cancelled;

static void on_signal(int signo)
{
	(void)signo;
	atomic_store(&demo_cancelled, true);
}

static void signals_take(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	atomic_store(&demo_cancelled, false);
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
}

static enum pawl_status cancelled(struct pawl_error *err)
{
	return pawl__error_set(err, PAWL_E_IO, "interrupted");
}

/* The pieces behind each other, in the arena. */
static const char *joined(const struct demo *d, const char *const *pieces)
{
	char mem[DEMO_PATH_MAX + 64];
	struct buf b;
	struct str text;

	pawl__buf_init_fixed(&b, mem, sizeof(mem));
	for (size_t i = 0; pieces[i] != NULL; i++)
		pawl__buf_put(&b, pieces[i], strlen(pieces[i]));
	text = pawl__arena_str(d->cli->arena, buf_get(&b));
	INVARIANT(!b.overflow && text.ptr != NULL);
	return text.ptr;
}

#define JOINED(d, ...) joined((d), (const char *const[]){ __VA_ARGS__, NULL })

static enum pawl_status scratch_make(struct demo *d, struct pawl_error *err)
{
	const char *tmp = secure_getenv("TMPDIR");
	int n;

	if (tmp == NULL || tmp[0] != '/')
		tmp = "/tmp";
	n = snprintf(d->dir, sizeof(d->dir), "%s/pawl-demo-XXXXXX", tmp);
	if (n < 0 || (size_t)n >= sizeof(d->dir) || mkdtemp(d->dir) == NULL) {
		d->dir[0] = '\0';
		return pawl__error_native(err, PAWL_E_IO, errno, "cannot make a scratch directory");
	}
	d->store = d->v->store != NULL ? d->v->store : JOINED(d, "sqlite:", d->dir, "/pawl.db");
	return PAWL_OK;
}

/* Removed by name: what somebody else may have put there stays, and is seen to stay. */
static void scratch_remove(const struct demo *d)
{
	static const char *const names[] = { "pawl.db",     "pawl.db.lock", "last-0.db",
		                             "last-1.db",   "last-2.db",    "plenty-0.db",
		                             "plenty-1.db", "plenty-2.db",  "server.log",
		                             "verify.log" };
	static const char *const beside[] = { "", "-wal", "-shm" };

	if (d->dir[0] == '\0')
		return;
	for (size_t i = 0; i < ARRAY_LEN(names) && !d->v->keep; i++) {
		for (size_t j = 0; j < ARRAY_LEN(beside); j++)
			(void)unlink(JOINED(d, d->dir, "/", names[i], beside[j]));
	}
	if (d->v->keep || rmdir(d->dir) != 0)
		pawl__print(d->cli->err, "pawl: kept %s\n", d->dir);
}

/* Both processes need a descriptor for each connection; the child inherits the limit. */
static void raise_files(uint32_t conns)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= conns + FDS_SPARE)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* What the server said when it was ready. */
static enum pawl_status server_told(struct demo *d, struct str line, struct pawl_error *err)
{
	json_t *doc = json_loadb(line.ptr, line.len, 0, NULL);
	const char *url = json_string_value(json_array_get(json_object_get(doc, "listen"), 0));
	const char *engine = json_string_value(json_object_get(doc, "engine"));
	const char *durability = json_string_value(json_object_get(doc, "durability"));
	enum pawl_status st;

	if (url == NULL || engine == NULL || durability == NULL) {
		st = pawl__error_set(err, PAWL_E_IO, "the server does not say where it listens");
	} else {
		d->report.engine = pawl__arena_str(d->cli->arena, pawl__str_of(engine)).ptr;
		d->report.durability = pawl__arena_str(d->cli->arena, pawl__str_of(durability)).ptr;
		st = pawl__peer_parse(url, 0, &d->peer, err);
	}
	json_decref(doc);
	return st;
}

static enum pawl_status server_start(struct demo *d, struct pawl_error *err)
{
	const char *const argv[] = { "pawl",    "serve",  "--listen", "127.0.0.1:0",
		                     "--store", d->store, "--json",   NULL };
	char mem[8192];
	struct pawl_error why;
	struct buf line;
	enum pawl_status st;

	raise_files((uint32_t)d->v->connections);
	pawl__buf_init_fixed(&line, mem, sizeof(mem));
	st = pawl__child_start(argv, JOINED(d, d->dir, "/server.log"), &d->server, err);
	if (st != PAWL_OK)
		return st;
	if (pawl__child_read(&d->server, true, START_US, &line, &why) != PAWL_OK)
		return pawl__error_set(err, PAWL_E_IO,
		                       "the server did not start: %s; --keep keeps its server.log",
		                       why.text);
	st = server_told(d, buf_get(&line), err);
	if (st == PAWL_OK)
		st = pawl__client_new(&d->peer, 0, &d->client, err);
	return st;
}

static enum pawl_status call(struct demo *d, struct http_call *c, int expected,
                             struct http_response *ret, struct pawl_error *err)
{
	enum pawl_status st;

	c->timeout_us = CALL_US;
	st = pawl__client_request(d->client, c, ret, err);
	if (st == PAWL_OK && ret->status != expected)
		return pawl__error_set(err, PAWL_E_IO, "the server answers %.*s with %d, not %d",
		                       (int)c->target.len, c->target.ptr, ret->status, expected);
	return st;
}

static enum pawl_status item_put(struct demo *d, struct str target, int64_t stock,
                                 struct pawl_error *err)
{
	struct http_call c = { .method = STR("PUT"),
		               .target = target,
		               .fields = STR("Content-Type: application/json\r\n") };
	struct http_response response;
	char mem[64];
	struct buf body;

	pawl__buf_init_fixed(&body, mem, sizeof(mem));
	buf_lit(&body, "{\"stock\":");
	pawl__buf_i64(&body, stock);
	buf_lit(&body, "}");
	c.body = buf_get(&body);
	return call(d, &c, 201, &response, err);
}

static enum pawl_status item_get(struct demo *d, struct str target, struct demo_counts *counts,
                                 struct pawl_error *err)
{
	struct http_call c = { .method = STR("GET"), .target = target };
	struct http_response response;
	enum pawl_status st = call(d, &c, 200, &response, err);
	json_int_t available, held, sold;
	json_t *doc;

	if (st != PAWL_OK)
		return st;
	doc = json_loadb(response.body.ptr, response.body.len, 0, NULL);
	if (json_unpack(doc, "{s:I, s:I, s:I}", "available", &available, "held", &held, "sold",
	                &sold) == 0) {
		counts->item_seen = true;
		counts->item_available = available;
		counts->item_held = held;
		counts->item_sold = sold;
	}
	json_decref(doc);
	return PAWL_OK;
}

static enum pawl_status metrics_get(struct demo *d, double *ret_commits, struct pawl_error *err)
{
	struct http_call c = { .method = STR("GET"), .target = STR("/metrics") };
	struct http_response response;
	enum pawl_status st = call(d, &c, 200, &response, err);

	*ret_commits = -1;
	if (st == PAWL_OK &&
	    !pawl__metric_sum(response.body, "pawl_store_commits_total", ret_commits))
		*ret_commits = -1;
	return st;
}

static enum pawl_status race(struct demo *d, enum demo_round_kind kind, struct pawl_error *err)
{
	const struct demo_values *v = d->v;
	struct demo_round *round = &d->report.rounds[kind];
	const struct race_config config = {
		.peer = &d->peer,
		.sku = rounds[kind].sku,
		.buyers = (uint32_t)v->buyers,
		.retries_percent = kind == ROUND_LAST ? (uint32_t)v->retries : 0,
		.twice_percent = kind == ROUND_LAST ? (uint32_t)v->twice : 0,
		.conns = (uint32_t)v->connections,
		.seed = d->report.seed,
		.timeout_us = RACE_US,
		.progress = &d->progress,
		.cancel = &demo_cancelled,
	};
	double before, after;
	enum pawl_status st;

	round->counts.stock = kind == ROUND_LAST ? v->stock : v->buyers;
	st = item_put(d, rounds[kind].target, round->counts.stock, err);
	if (st == PAWL_OK)
		st = metrics_get(d, &before, err);
	if (st == PAWL_OK)
		st = pawl__race_run(&config, &round->counts, &round->race, err);
	if (st == PAWL_OK && atomic_load(&demo_cancelled))
		st = cancelled(err);
	if (st == PAWL_OK)
		st = metrics_get(d, &after, err);
	if (st != PAWL_OK)
		return st;
	round->commits = before < 0 || after < 0 ? -1 : (int64_t)(after - before);
	return item_get(d, rounds[kind].target, &round->counts, err);
}

/* The books know the orders of both rounds together: to a round belong those that the buyers of
 * the other one were not told of. */
static void audited(struct demo *d, int64_t orders, int64_t drifts)
{
	for (int i = 0; i < DEMO_ROUNDS; i++) {
		struct demo_counts *c = &d->report.rounds[i].counts;

		c->audited = true;
		c->audit_drifts = drifts;
		c->audit_orders = orders;
		for (int j = 0; j < DEMO_ROUNDS; j++)
			c->audit_orders -= j == i ? 0 : d->report.rounds[j].counts.orders;
	}
}

/* Another process, with nothing of the server's memory, looks at what is on the disk. */
static enum pawl_status verify(struct demo *d, struct pawl_error *err)
{
	const char *const argv[] = { "pawl", "verify", "--store", d->store, "--json", NULL };
	json_int_t checks, orders, drifts;
	struct child child;
	json_t *doc;
	struct buf out;
	enum pawl_status st;
	int exit_status;

	st = pawl__child_start(argv, JOINED(d, d->dir, "/verify.log"), &child, err);
	if (st != PAWL_OK)
		return st;
	pawl__buf_init(&out, OUTPUT_MAX);
	st = pawl__child_read(&child, false, RACE_US, &out, err);
	exit_status = pawl__child_end(&child, st == PAWL_OK ? 0 : SIGTERM, STOP_US);
	doc = st == PAWL_OK ? json_loadb(out.data == NULL ? "" : out.data, out.len, 0, NULL) : NULL;
	if (json_unpack(doc, "{s:I, s:I, s:{s:I}}", "checks", &checks, "drifts_total", &drifts,
	                "checked", "orders", &orders) == 0 &&
	    exit_status == (drifts == 0 ? CLI_OK : CLI_FAILED)) {
		audited(d, orders, drifts);
		d->report.audit_checks = checks;
	}
	json_decref(doc);
	pawl__buf_deinit(&out);
	return PAWL_OK; /* not to have looked is the judge's affair */
}

static enum pawl_status naive(struct demo *d, enum demo_round_kind kind, struct pawl_error *err)
{
	struct demo_round *round = &d->report.rounds[kind];
	struct naive_config config = {
		.buyers = round->counts.buyers,
		.stock = round->counts.stock,
		.threads = NAIVE_THREADS,
		.think_us = NAIVE_THINK_US,
		.budget_us = NAIVE_BUDGET_US,
		.cancel = &demo_cancelled,
	};

	for (int i = 0; i < NAIVE_STRATEGIES; i++) {
		const char *name = pawl__naive_name((enum naive_strategy)i);
		enum pawl_status st;

		config.path = JOINED(d, d->dir, "/", rounds[kind].naive[i]);
		pawl__progress_update(&d->progress, name, (int64_t)kind * NAIVE_STRATEGIES + i,
		                      DEMO_ROUNDS * NAIVE_STRATEGIES, pawl__clock_mono_us());
		st = pawl__naive_run((enum naive_strategy)i, &config, &round->naive[i], err);
		if (st == PAWL_OK && atomic_load(&demo_cancelled))
			st = cancelled(err);
		if (st != PAWL_OK)
			return st;
	}
	return PAWL_OK;
}

static enum pawl_status demo_all(struct demo *d, struct pawl_error *err)
{
	enum pawl_status st = scratch_make(d, err);
	bool stopped_well;

	if (st == PAWL_OK)
		st = server_start(d, err);
	for (int i = 0; i < DEMO_ROUNDS && st == PAWL_OK; i++)
		st = race(d, (enum demo_round_kind)i, err);
	if (st != PAWL_OK)
		return st;
	stopped_well = pawl__child_end(&d->server, SIGTERM, STOP_US) == CLI_OK;
	for (int i = 0; i < DEMO_ROUNDS; i++)
		d->report.rounds[i].counts.stopped_well = stopped_well;
	st = verify(d, err);
	for (int i = 0; i < DEMO_ROUNDS && st == PAWL_OK; i++)
		st = naive(d, (enum demo_round_kind)i, err);
	return st;
}

static int demo_run(struct cli *cli, void *values)
{
	const struct demo_values *v = values;
	struct demo d = { .cli = cli, .v = v, .server = { .out = -1 } };
	struct pawl_error err = { 0 };
	enum pawl_status st;

	d.report.seed = v->seed != 0 ? (uint64_t)v->seed : (pawl__rng_os() >> 33) + 1;
	d.report.conns = (uint32_t)v->connections;
	d.report.threads = NAIVE_THREADS;
	d.report.think_us = NAIVE_THINK_US;
	d.report.budget_us = NAIVE_BUDGET_US;
	signals_take();
	pawl__progress_init(&d.progress, cli->err, !cli->json);
	st = demo_all(&d, &err);
	pawl__progress_clear(&d.progress);
	pawl__client_free(d.client);
	(void)pawl__child_end(&d.server, SIGTERM, STOP_US); /* still there after a failure */
	scratch_remove(&d);
	if (atomic_load(&demo_cancelled)) {
		(void)pawl__cli_fail(cli, PAWL_E_IO, "demo: interrupted");
		return CLI_INTERRUPTED;
	}
	if (st != PAWL_OK)
		return pawl__cli_fail(cli, st, "demo: %s", err.text);
	if (cli->json)
		pawl__json_print(cli->out, pawl__report_json(&d.report));
	else
		pawl__report_print(cli->out, &d.report);
	return pawl__report_broken(&d.report) == 0 ? CLI_OK : CLI_FAILED;
}

#define NUMBER(name_, default_, min_, max_, doc_)                                                  \
	{                                                                                          \
		.name = #name_, .arg = "N", .kind = OPTION_NUMBER,                                 \
		.offset = offsetof(struct demo_values, name_), .def = (default_), .min = (min_),   \
		.max = (max_), .doc = (doc_),                                                      \
	}

static const struct option_row demo_rows[] = {
	NUMBER(buyers, "10000", 1, RACE_BUYERS_MAX, "who race, each with a key of its own"),
	NUMBER(stock, "1", 0, RACE_BUYERS_MAX, "items there are"),
	NUMBER(retries, "10", 0, 100, "percent of the buyers that send their order again"),
	NUMBER(twice, "5", 0, 100, "percent of the buyers that send it twice at once"),
	NUMBER(connections, "256", 1, RACE_CONNS_MAX, "over which they come"),
	{ .name = "seed",
	  .arg = "N",
	  .kind = OPTION_NUMBER,
	  .offset = offsetof(struct demo_values, seed),
	  .min = 1,
	  .max = INT64_MAX,
	  .doc = "of who comes when and who sends again; a new one every time unless told" },
	{ .name = "store",
	  .arg = "URL",
	  .kind = OPTION_TEXT,
	  .offset = offsetof(struct demo_values, store),
	  .doc = "an empty store, in place of one that is thrown away" },
	{ .name = "keep",
	  .kind = OPTION_FLAG,
	  .offset = offsetof(struct demo_values, keep),
	  .doc = "keep the scratch directory and say where it is" },
	OPTION_JSON(struct demo_values),
};

const struct cli_command pawl__cmd_demo = {
	.name = "demo",
	.summary = "race ten thousand buyers for the last item and see what holds",
	.usage = "[options]",
	.about =
		"Starts a server of its own on a free port and a scratch store, sends it the "
		"orders over HTTP, stops it, and verifies its books; first for the last item, then "
		"with enough for everybody. Beside it the same sales are made by hand on plain "
		"SQLite, as applications do. Every number is measured in this run. Exit status: 0 "
		"every promise held, 1 not.",
	.examples = (const char *const[]){ "pawl demo", "pawl demo --buyers 2000 --stock 100",
	                                   "pawl demo --json", NULL },
	.rows = demo_rows,
	.rows_len = ARRAY_LEN(demo_rows),
	.values_len = sizeof(struct demo_values),
	.json_offset = offsetof(struct demo_values, json),
	.run = demo_run,
};
