/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/help.h"
#include "cli/notify.h"
#include "pawl/pawl.h"
#include "server/server.h"

enum commit_choice { COMMIT_LOOP, COMMIT_THREAD };
enum log_choice { LOG_CHOICE_TEXT, LOG_CHOICE_JSON };

struct serve_values {
	struct option_list listen;
	const char *store, *config, *token_file;
	int64_t queue_max, batch_max, conns_max, retention_us;
	int64_t lanes, db_conns_max;
	int commit;
	int log_format;
	bool plaintext, quiet, json;
};

static const char *const commit_choices[] = { "loop", "thread", NULL };
static const char *const log_choices[] = { "text", "json", NULL };

static const struct option_row serve_rows[] = {
	{ .name = "listen",
	  .arg = "ADDR:PORT",
	  .kind = OPTION_LIST,
	  .offset = offsetof(struct serve_values, listen),
	  .def = SERVER_LISTEN_DEFAULT,
	  .env = "PAWL_LISTEN",
	  .file = true,
	  .doc = "an address, or unix:PATH; port 0 takes a free one. Other machines are listened "
	         "to "
	         "only with --token-file and --plaintext" },
	{ .name = "store",
	  .arg = "URL",
	  .kind = OPTION_TEXT,
	  .offset = offsetof(struct serve_values, store),
	  .def = "sqlite:./pawl-data/pawl.db",
	  .env = "PAWL_STORE",
	  .file = true,
	  .doc = "sqlite:PATH, created when missing, with its directory; postgresql://..., as "
	         "libpq reads it, for several servers over one database; or memory:, which keeps "
	         "nothing" },
	{ .name = "config",
	  .arg = "FILE",
	  .kind = OPTION_TEXT,
	  .offset = offsetof(struct serve_values, config),
	  .doc = "a YAML file with the keys below; what is said on the command line or in the "
	         "environment goes before it" },
	{ .name = "token-file",
	  .arg = "FILE",
	  .kind = OPTION_TEXT,
	  .offset = offsetof(struct serve_values, token_file),
	  .env = "PAWL_TOKEN_FILE",
	  .file = true,
	  .doc = "bearer tokens, one line each: TOKEN or NAME TOKEN. Readable by its owner only" },
	{ .name = "plaintext",
	  .kind = OPTION_FLAG,
	  .offset = offsetof(struct serve_values, plaintext),
	  .file = true,
	  .doc = "let tokens cross a network without encryption: there is a TLS proxy in front" },
	{ .name = "queue-max",
	  .arg = "N",
	  .kind = OPTION_NUMBER,
	  .offset = offsetof(struct serve_values, queue_max),
	  .def = "65536",
	  .min = 1,
	  .max = 1 << 20,
	  .file = true,
	  .doc = "requests that may wait for their commit; above, the answer is 503" },
	{ .name = "batch-max",
	  .arg = "N",
	  .kind = OPTION_NUMBER,
	  .offset = offsetof(struct serve_values, batch_max),
	  .def = "2048",
	  .min = 1,
	  .max = 65536,
	  .file = true,
	  .doc = "requests in one commit" },
	{ .name = "conns-max",
	  .arg = "N",
	  .kind = OPTION_NUMBER,
	  .offset = offsetof(struct serve_values, conns_max),
	  .def = "10000",
	  .min = 1,
	  .max = 1 << 20,
	  .file = true,
	  .doc = "open connections; above, the answer is 503" },
	{ .name = "retention",
	  .arg = "TIME",
	  .kind = OPTION_DURATION,
	  .offset = offsetof(struct serve_values, retention_us),
	  .def = "24h",
	  .min = INT64_C(60) * 1000000,
	  .max = INT64_C(31536000) * 1000000,
	  .file = true,
	  .doc = "how long an idempotency key is remembered, at least: 90s, 24h, 7d" },
	{ .name = "commit",
	  .arg = "loop|thread",
	  .kind = OPTION_CHOICE,
	  .offset = offsetof(struct serve_values, commit),
	  .def = "thread",
	  .choices = commit_choices,
	  .file = true,
	  .doc = "who commits: the thread that reads the requests, or one of its own, so that "
	         "reads "
	         "do not wait for a slow disk" },
	{ .name = "lanes",
	  .arg = "N",
	  .kind = OPTION_NUMBER,
	  .offset = offsetof(struct serve_values, lanes),
	  .min = 1,
	  .max = ENGINE_LANES_MAX,
	  .file = true,
	  .doc = "batches in flight at the same time on PostgreSQL, each with a connection "
	         "(default 2); the other stores have one writer" },
	{ .name = "db-conns-max",
	  .arg = "N",
	  .kind = OPTION_NUMBER,
	  .offset = offsetof(struct serve_values, db_conns_max),
	  .min = 2,
	  .max = 1000,
	  .file = true,
	  .doc = "connections to PostgreSQL, lanes and reads together (default twice the cores "
	         "and one, at most 25)" },
	{ .name = "log-format",
	  .arg = "text|json",
	  .kind = OPTION_CHOICE,
	  .offset = offsetof(struct serve_values, log_format),
	  .choices = log_choices,
	  .file = true,
	  .doc = "of the messages on stderr (default text on a terminal, else json)" },
	{ .name = "quiet",
	  .kind = OPTION_FLAG,
	  .offset = offsetof(struct serve_values, quiet),
	  .file = true,
	  .doc = "print nothing at the start but that it is ready" },
	OPTION_JSON(struct serve_values),
};

static_assert(OPTION_LIST_MAX <= SERVER_LISTEN_MAX, "every address fits");

/* Everything that one run of the server owns. */
struct serving {
	struct cli *cli;
	const struct serve_values *v;
	struct engine *engine;
	struct server *server;
	struct store_stats stats;
};

static bool was_set(const struct cli *cli, const char *name, enum option_origin origin)
{
	const size_t i = pawl__option_find(cli->options, name, strlen(name), '-');

	INVARIANT(i < cli->options->rows_len);
	return cli->options->origin[i] == origin;
}

static void log_start(const struct cli *cli, const struct serve_values *v)
{
	enum log_format format = LOG_FORMAT_AUTO;

	if (!was_set(cli, "log-format", ORIGIN_NONE))
		format = v->log_format == LOG_CHOICE_JSON ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT;
	pawl__log_init(LOG_INFO, format);
}

static enum pawl_status serving_open(struct serving *s, struct pawl_error *err)
{
	const struct serve_values *v = s->v;
	const struct engine_options engine = {
		.mode = v->commit == COMMIT_LOOP ? ENGINE_LOOP : ENGINE_THREAD,
		.queue_max = (uint32_t)v->queue_max,
		.batch_max = (uint32_t)v->batch_max,
		.retention_us = v->retention_us,
		.lanes = (uint32_t)v->lanes,
		.connections_max = (uint32_t)v->db_conns_max,
	};
	struct server_options server = {
		.listen = v->listen.at,
		.listen_len = v->listen.len,
		.commit_on_loop = v->commit == COMMIT_LOOP,
		.token_file = v->token_file,
		.plaintext = v->plaintext,
		.conns_max = (uint32_t)v->conns_max,
		.signals = true,
	};
	enum pawl_status st;

	pawl__server_block_signals(); /* before the lane's thread is made */
	st = pawl__engine_open(v->store, &engine, &s->engine, err);
	if (st != PAWL_OK)
		return st;
	server.engine = s->engine;
	st = pawl__server_open(&server, &s->server, err);
	if (st == PAWL_OK)
		st = pawl__engine_stats(s->engine, &s->stats, err);
	return st;
}

/* The i-th address as a URL, with the port that was taken. */
static const char *listen_url(const struct serving *s, size_t i, char *ret, size_t cap)
{
	const char *text = s->v->listen.at[i];
	const uint16_t port = pawl__server_port(s->server, i);
	const char *colon = strrchr(text, ':');
	struct buf b;

	pawl__buf_init_fixed(&b, ret, cap - 1);
	if (port == 0 || colon == NULL) {
		pawl__buf_put(&b, text, strlen(text));
	} else {
		buf_lit(&b, "http://");
		pawl__buf_put(&b, text, (size_t)(colon - text));
		pawl__buf_putc(&b, ':');
		pawl__buf_u64(&b, port);
	}
	ret[b.len] = '\0';
	return ret;
}

static const char *auth_state(const struct serve_values *v)
{
	if (v->token_file == NULL)
		return "none; this machine only";
	return v->plaintext ? "bearer tokens, without encryption" : "bearer tokens";
}

static void print_origin(const struct serving *s, FILE *out)
{
	const struct options *o = s->cli->options;
	bool any = false;

	if (s->v->config != NULL)
		pawl__print(out, "config      %s", s->v->config);
	else
		pawl__print(out, "config      no file");
	for (size_t i = 0; i < o->rows_len; i++) {
		if (o->origin[i] != ORIGIN_ENV && o->origin[i] != ORIGIN_FLAG)
			continue;
		pawl__print(out, "%s%s (%s)", any ? ", " : "; ", o->rows[i].name,
		            pawl__origin_name(o->origin[i]));
		any = true;
	}
	pawl__print(out, "\n");
}

static void print_start(const struct serving *s)
{
	const struct serve_values *v = s->v;
	FILE *out = s->cli->out;
	char url[256], store[STORE_SHOWN_MAX];

	pawl__print(out, "pawl %s\n", PAWL_VERSION);
	pawl__print(out, "store       %s\n", pawl__store_shown(v->store, store));
	pawl__print(out, "engine      %s\n", s->stats.engine);
	pawl__print(out, "durability  %s\n", s->stats.durability);
	pawl__print(out, "listen      ");
	for (size_t i = 0; i < v->listen.len; i++)
		pawl__print(out, "%s%s", i == 0 ? "" : " ", listen_url(s, i, url, sizeof(url)));
	pawl__print(out, "\nauth        %s\n", auth_state(v));
	pawl__print(out,
	            "limits      queue %lld, batch %lld, connections %lld, keys kept %lld s, "
	            "commit on the %s\n",
	            (long long)v->queue_max, (long long)v->batch_max, (long long)v->conns_max,
	            (long long)(v->retention_us / 1000000),
	            v->commit == COMMIT_LOOP ? "loop" : "lane's thread");
	print_origin(s, out);
}

static void print_json(const struct serving *s, int64_t ready_ms)
{
	const struct serve_values *v = s->v;
	char store[STORE_SHOWN_MAX];
	json_t *doc = json_pack("{s:i, s:s, s:I, s:s, s:s, s:s, s:[], s:s, s:I}", "schema_version",
	                        1, "version", PAWL_VERSION, "pid", (json_int_t)getpid(), "store",
	                        pawl__store_shown(v->store, store), "engine", s->stats.engine,
	                        "durability", s->stats.durability, "listen", "auth", auth_state(v),
	                        "ready_ms", (json_int_t)ready_ms);
	char url[256];

	for (size_t i = 0; i < v->listen.len; i++)
		(void)json_array_append_new(json_object_get(doc, "listen"),
		                            json_string(listen_url(s, i, url, sizeof(url))));
	/* One line, so that whoever started the server can read it to its end. */
	(void)json_dumpf(doc, s->cli->out, JSON_COMPACT);
	pawl__print(s->cli->out, "\n");
	json_decref(doc);
}

static void serving_ready(const struct serving *s)
{
	const int64_t ready_ms = (pawl__clock_mono_us() - s->cli->begun_us + 999) / 1000;

	if (s->cli->json) {
		print_json(s, ready_ms);
	} else {
		if (!s->v->quiet)
			print_start(s);
		pawl__print(s->cli->out, "ready in %lld ms\n", (long long)ready_ms);
	}
	(void)fflush(s->cli->out);
	if (!pawl__notify("READY=1"))
		log_warn("the service manager could not be told that the server is ready");
}

static enum pawl_status serving_run(struct serving *s, struct pawl_error *err)
{
	enum pawl_status st = serving_open(s, err);

	if (st == PAWL_OK) {
		serving_ready(s);
		st = pawl__server_run(s->server, err);
		(void)pawl__notify("STOPPING=1");
	}
	pawl__server_close(s->server);
	pawl__engine_close(s->engine);
	return st;
}

static int serve_run(struct cli *cli, void *values)
{
	const struct serve_values *v = values;
	struct serving s = { .cli = cli, .v = v };
	struct pawl_error err = { 0 };
	enum pawl_status st;

	if (v->config != NULL) {
		st = pawl__config_read(cli->options, v->config, cli->arena, &err);
		if (st != PAWL_OK)
			return pawl__cli_fail(cli, st, "%s:%s", v->config, err.text);
	}
	log_start(cli, v);
	st = serving_run(&s, &err);
	if (st != PAWL_OK)
		return pawl__cli_fail(cli, st, "serve: %s", err.text);
	return CLI_OK;
}

const struct cli_command pawl__cmd_serve = {
	.name = "serve",
	.summary = "run the server",
	.usage = "[options]",
	.about = "Without options it listens to this machine alone and keeps its data in "
		 "./pawl-data. "
		 "It prints what it chose, then one line \"ready in N ms\". SIGTERM stops it: what "
		 "has "
		 "arrived is answered first; a second one stops it at once.",
	.examples =
		(const char *const[]){
			"pawl serve",
			"pawl serve --listen 127.0.0.1:8080 --store sqlite:/var/lib/pawl/pawl.db",
			"pawl serve --listen unix:/run/pawl/pawl.sock --config pawl.yaml", NULL },
	.rows = serve_rows,
	.rows_len = ARRAY_LEN(serve_rows),
	.values_len = sizeof(struct serve_values),
	.json_offset = offsetof(struct serve_values, json),
	.run = serve_run,
};
