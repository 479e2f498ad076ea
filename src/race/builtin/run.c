/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/suggest.h"
#include "race/builtin/builtin.h"
#include "race/builtin/race.h"
#include "race/page/page.h"

#define TEXT_MAX   1024
#define FDS_SPARE  64U
#define NOTES_MAX  ARRAY_LEN(((struct builtin_report *)NULL)->notes)
#define SIDE_CONNS 2U /* connections of a client of the strategies that need two */

struct run {
	struct builtin_options options;
	struct race_job job;
	struct builtin_report *report;
	enum strategy only; /* STRATEGIES = all */
};

const char *pawl__builtin_verdict_name(enum builtin_verdict v)
{
	static const char *const names[BUILTIN_VERDICTS] = {
		[BUILTIN_HELD] = "held",         [BUILTIN_INCONCLUSIVE] = "inconclusive",
		[BUILTIN_ERROR] = "error",       [BUILTIN_VIOLATED] = "violated",
		[BUILTIN_LEFT_OUT] = "left out",
	};

	return names[v];
}

/* ---- Options ---- */

static enum pawl_status incident_unknown(const char *name, struct pawl_error *err)
{
	struct suggestion s;

	pawl__suggest_init(&s, name);
	for (const struct incident *const *p = pawl__incidents; *p != NULL; p++)
		pawl__suggest_consider(&s, (*p)->name);
	if (s.best != NULL)
		return pawl__error_set(err, PAWL_E_INVALID, "no incident %.*s; did you mean %s?",
		                       SUGGEST_WORD_MAX, name, s.best);
	return pawl__error_set(err, PAWL_E_INVALID, "no incident %.*s; pawl race list names them",
	                       SUGGEST_WORD_MAX, name);
}

static enum pawl_status strategy_unknown(const char *name, struct pawl_error *err)
{
	struct suggestion s;

	pawl__suggest_init(&s, name);
	for (int i = 0; i < STRATEGIES; i++)
		pawl__suggest_consider(&s, pawl__strategies[i].name);
	if (s.best != NULL)
		return pawl__error_set(err, PAWL_E_INVALID, "no strategy %.*s; did you mean %s?",
		                       SUGGEST_WORD_MAX, name, s.best);
	return pawl__error_set(err, PAWL_E_INVALID, "no strategy %.*s; pawl race list names them",
	                       SUGGEST_WORD_MAX, name);
}

static enum pawl_status numbers_check(const struct builtin_options *o, struct pawl_error *err)
{
	const uint32_t clients_max = o->explore ? BUILTIN_SESSIONS_MAX : BUILTIN_CLIENTS_MAX;

	if (o->clients < 2 || o->clients > clients_max)
		return pawl__error_set(err, PAWL_E_INVALID, "--clients is 2 to %u%s", clients_max,
		                       o->explore ? " sessions with --explore" : "");
	if (o->rounds > BUILTIN_ROUNDS_MAX)
		return pawl__error_set(err, PAWL_E_INVALID, "--rounds is at most %d",
		                       BUILTIN_ROUNDS_MAX);
	if (o->think_us > BUILTIN_THINK_MAX_US)
		return pawl__error_set(err, PAWL_E_INVALID, "--think is at most %d us",
		                       BUILTIN_THINK_MAX_US);
	return PAWL_OK;
}

static enum pawl_status history_check(const struct run *run, struct pawl_error *err)
{
	const struct incident *i = run->job.incident;

	if (run->options.history == NULL)
		return PAWL_OK;
	if (i->model == NULL)
		return pawl__error_set(err, PAWL_E_CONFIG,
		                       "--history: %s has no history that a model could judge",
		                       i->name);
	if (run->only == STRATEGIES || run->options.explore)
		return pawl__error_set(err, PAWL_E_INVALID,
		                       "--history is of one strategy, raced: give --strategy NAME");
	return PAWL_OK;
}

static enum pawl_status explore_check(const struct run *run, struct pawl_error *err)
{
	if (!run->options.explore)
		return PAWL_OK;
	if (run->job.ops->attempt == NULL)
		return pawl__error_set(err, PAWL_E_CONFIG,
		                       "--explore steps through SQL: --on sqlite: or postgresql:");
	if (run->job.incident->timed != NULL)
		return pawl__error_set(err, PAWL_E_CONFIG, "--explore: %s: %s",
		                       run->job.incident->name, run->job.incident->timed);
	return PAWL_OK;
}

static void defaults(struct builtin_options *o)
{
	if (o->clients == 0)
		o->clients = o->explore ? 2 : BUILTIN_CLIENTS_DEFAULT;
	if (o->rounds == 0)
		o->rounds = BUILTIN_ROUNDS_DEFAULT;
	if (o->think_us < 0)
		o->think_us = BUILTIN_THINK_US;
	if (o->seed == 0) /* one that a command line takes */
		o->seed = (pawl__rng_os() >> 33) + 1;
	if (o->schedules_max == 0)
		o->schedules_max = BUILTIN_SCHEDULES_MAX;
}

static enum pawl_status options_take(struct run *run, const struct builtin_options *options,
                                     struct pawl_error *err)
{
	struct builtin_options *o = &run->options;
	enum pawl_status st;

	*o = *options;
	defaults(o);
	run->only = STRATEGIES;
	run->job.options = o;
	run->job.incident = pawl__incident_find(o->incident);
	if (run->job.incident == NULL)
		return incident_unknown(o->incident, err);
	if (o->strategy != NULL && strcmp(o->strategy, "all") != 0) {
		run->only = pawl__strategy_find(o->strategy);
		if (run->only == STRATEGIES)
			return strategy_unknown(o->strategy, err);
	}
	st = numbers_check(o, err);
	if (st == PAWL_OK)
		st = pawl__store_of(o->on, &run->job.ops, err);
	if (st == PAWL_OK && o->redis != NULL && strncmp(o->redis, "redis://", 8) != 0)
		st = pawl__error_set(err, PAWL_E_CONFIG, "--redis is redis://...");
	if (st != PAWL_OK)
		return st;
	run->job.parts = pawl__incident_parts(run->job.incident, run->job.ops->kind);
	if (run->job.parts == NULL)
		return pawl__error_set(
			err, PAWL_E_CONFIG, "%s is not run on %s%s%s", run->job.incident->name,
			pawl__store_names[run->job.ops->kind],
			run->job.incident->missing == NULL ? "" : ": ",
			run->job.incident->missing == NULL ? "" : run->job.incident->missing);
	st = history_check(run, err);
	return st == PAWL_OK ? explore_check(run, err) : st;
}

/* ---- The report's head ---- */

static const char *kept(struct run *run, const char *text)
{
	return pawl__arena_str(run->job.arena, pawl__str_of(text)).ptr;
}

static void note(struct run *run, const char *text)
{
	if (run->report->notes_len < NOTES_MAX)
		run->report->notes[run->report->notes_len++] = kept(run, text);
}

/* A URL without what stands between ':' and '@', and without password=. */
static void url_put(struct buf *b, const char *url)
{
	static const char mark[] = "password=";
	const char *at = strrchr(url, '@'), *scheme = strstr(url, "://");
	const char *colon = scheme == NULL || at == NULL
	                            ? NULL
	                            : memchr(scheme + 3, ':', (size_t)(at - scheme - 3));
	const char *rest = url, *pass;

	if (colon != NULL) {
		pawl__buf_put(b, url, (size_t)(colon + 1 - url));
		buf_lit(b, "***");
		rest = at;
	}
	pass = strstr(rest, mark);
	if (pass == NULL) {
		buf_str(b, pawl__str_of(rest));
		return;
	}
	pawl__buf_put(b, rest, (size_t)(pass - rest) + sizeof(mark) - 1);
	buf_lit(b, "***");
	buf_str(b, pawl__str_of(pass + sizeof(mark) - 1 + strcspn(pass + sizeof(mark) - 1, "&")));
}

static void option_put(struct buf *b, const char *name, uint64_t v)
{
	buf_lit(b, " --");
	buf_str(b, pawl__str_of(name));
	buf_lit(b, " ");
	pawl__buf_u64(b, v);
}

static void url_option_put(struct buf *b, const char *name, const char *url)
{
	char mem[SESSION_URL_MAX + sizeof("***")];
	struct buf shown;

	pawl__buf_init_fixed(&shown, mem, sizeof(mem));
	url_put(&shown, url);
	pawl__put(b, " --%s ", name);
	pawl__put_word(b, buf_get(&shown));
}

static const char *command(struct run *run)
{
	const struct builtin_options *o = &run->options;
	char mem[SESSION_URL_MAX * 2 + TEXT_MAX];
	struct buf b;

	pawl__buf_init_fixed(&b, mem, sizeof(mem));
	buf_lit(&b, "pawl race builtin ");
	buf_str(&b, pawl__str_of(run->job.incident->name));
	url_option_put(&b, "on", o->on);
	if (o->redis != NULL)
		url_option_put(&b, "redis", o->redis);
	buf_lit(&b, " --strategy ");
	buf_str(&b, pawl__str_of(run->only == STRATEGIES ? "all" : o->strategy));
	option_put(&b, "clients", o->clients);
	if (o->explore)
		buf_lit(&b, " --explore");
	else
		option_put(&b, "rounds", o->rounds);
	if (o->explore && o->schedules_max != BUILTIN_SCHEDULES_MAX)
		option_put(&b, "schedules", o->schedules_max);
	if (!o->explore && o->think_us != BUILTIN_THINK_US)
		pawl__put(&b, " --think %lldms", (long long)(o->think_us / 1000));
	option_put(&b, "seed", o->seed);
	return pawl__arena_str(run->job.arena, buf_get(&b)).ptr;
}

static void report_head(struct run *run)
{
	struct builtin_report *r = run->report;
	const struct incident *i = run->job.incident;
	char mem[PUT_MAX];
	struct buf b;

	pawl__buf_init_fixed(&b, mem, sizeof(mem));
	run->job.ops->describe(run->job.admin, &b);
	r->arena = run->job.arena;
	r->incident = i->name;
	r->summary = i->summary;
	r->promise = i->promise;
	r->unit = i->unit;
	r->store = pawl__store_names[run->job.ops->kind];
	r->server = pawl__arena_str(run->job.arena, buf_get(&b)).ptr;
	r->seed = run->options.seed;
	r->clients = run->options.clients;
	r->rounds = run->options.rounds;
	r->think_us = run->options.think_us;
	r->explore = run->options.explore;
	r->started_us = pawl__clock_real_us();
	pawl__buf_init_fixed(&b, mem, sizeof(mem));
	pawl__put_system(&b);
	r->system = pawl__arena_str(run->job.arena, buf_get(&b)).ptr;
	r->command = command(run);
	if (run->job.ops->kind == STORE_HTTP && i->missing != NULL)
		note(run, i->missing);
}

/* ---- Strategies ---- */

static void files_raise(uint32_t conns)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= conns * 4U + FDS_SPARE)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static void conns_choose(struct run *run)
{
	const uint32_t room = run->job.ops->room(run->job.admin);
	uint32_t conns = run->options.clients;
	char text[160];

	conns = conns < RACE_CONNS_MAX ? conns : RACE_CONNS_MAX;
	if (!run->options.explore && room / SIDE_CONNS < conns)
		conns = room / SIDE_CONNS < 2 ? 2 : room / SIDE_CONNS;
	run->job.conns = conns;
	files_raise(conns);
	if (conns == run->options.clients)
		return;
	(void)snprintf(text, sizeof(text), "%u clients over %u connections: the %s",
	               run->options.clients, conns,
	               conns == RACE_CONNS_MAX ? "most there are" : "server has no more for them");
	note(run, text);
}

/* False: it does not fit here and nobody asked for it. */
static bool row_make(struct run *run, enum strategy s, struct program *p, struct builtin_row *row)
{
	const enum store_kind kind = run->job.ops->kind;

	if (run->only != STRATEGIES && run->only != s)
		return false;
	if (!pawl__program_make(run->job.parts, kind, s, p))
		return false;
	row->strategy = pawl__strategies[s].name;
	row->why = p->why;
	row->wrong = p->wrong;
	row->text = "";
	if (s == STRATEGY_REDIS_LOCK && kind != STORE_REDIS) {
		row->verdict = BUILTIN_LEFT_OUT;
		row->text = run->options.explore ? "the lock is not in the database that is stepped"
		            : run->options.redis == NULL ? "needs --redis URL"
		                                         : "";
	} else if (run->options.explore && p->side) {
		row->verdict = BUILTIN_LEFT_OUT;
		row->text = "two connections to a session: not stepped";
	}
	return true;
}

static enum pawl_status row_run(struct run *run, const struct program *p, struct builtin_row *row,
                                struct pawl_error *err)
{
	if (row->text[0] != '\0')
		return PAWL_OK;
	if (run->options.explore)
		return pawl__explore_strategy(&run->job, p, row, err);
	return pawl__race_strategy(&run->job, p, row, err);
}

static enum pawl_status rows_run(struct run *run, struct pawl_error *err)
{
	struct builtin_report *r = run->report;
	struct program *p = arena_new(run->job.arena, struct program);
	enum pawl_status st = PAWL_OK;

	r->rows = arena_array(run->job.arena, struct builtin_row, STRATEGIES);
	if (p == NULL || r->rows == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for the report");
	for (int pass = 0; pass < 2; pass++) { /* those left out stand last */
		for (int s = 0; s < STRATEGIES && st == PAWL_OK; s++) {
			struct builtin_row *row = &r->rows[r->rows_len];

			if (race_cancelled(&run->job))
				return PAWL_OK;
			if (!row_make(run, (enum strategy)s, p, row) ||
			    (row->text[0] != '\0') != (pass == 1)) {
				memset(row, 0, sizeof(*row));
				continue;
			}
			st = row_run(run, p, row, err);
			r->rows_len++;
		}
	}
	if (st == PAWL_OK && r->rows_len == 0)
		st = pawl__error_set(err, PAWL_E_CONFIG, "strategy %s does not fit %s on %s",
		                     run->options.strategy, r->incident, r->store);
	return st;
}

/* ---- The whole ---- */

static void judge(struct run *run)
{
	static const int exits[BUILTIN_VERDICTS] = {
		[BUILTIN_HELD] = 0,     [BUILTIN_INCONCLUSIVE] = 9, [BUILTIN_ERROR] = 6,
		[BUILTIN_VIOLATED] = 1, [BUILTIN_LEFT_OUT] = 0,
	};
	struct builtin_report *r = run->report;

	r->verdict = BUILTIN_HELD;
	for (uint32_t i = 0; i < r->rows_len; i++) {
		const struct builtin_row *row = &r->rows[i];
		const bool counts = run->only != STRATEGIES || !row->wrong;

		if (row->verdict == BUILTIN_LEFT_OUT)
			continue;
		if ((counts || row->verdict == BUILTIN_ERROR) && row->verdict > r->verdict)
			r->verdict = row->verdict;
	}
	if (run->only != STRATEGIES && r->rows[0].verdict == BUILTIN_LEFT_OUT)
		r->verdict = BUILTIN_INCONCLUSIVE;
	r->exit_status = race_cancelled(&run->job) ? 130 : exits[r->verdict];
}

static enum pawl_status history_end(struct run *run, struct pawl_error *err)
{
	if (run->job.history == NULL || race_cancelled(&run->job))
		return PAWL_OK;
	return pawl__builtin_history_write(run->job.history, run->options.history, err);
}

static enum pawl_status run_prepared(struct run *run, struct pawl_error *err)
{
	struct race_job *job = &run->job;
	struct world world = { .prefix = job->ops->prefix, .clients = run->options.clients };
	struct machine m;
	enum pawl_status st;

	pawl__machine_init(&m, &world);
	st = pawl__race_steps(&m, job->admin, job->ops, job->parts->schema, err);
	pawl__machine_deinit(&m);
	if (st == PAWL_OK)
		st = rows_run(run, err);
	if (st == PAWL_OK)
		st = history_end(run, err);
	return st;
}

enum pawl_status pawl__builtin_run(const struct builtin_options *options, struct arena *arena,
                                   struct builtin_report **ret, struct pawl_error *err)
{
	struct run run = { .job = { .arena = arena, .run = pawl__rng_os() } };
	struct race_job *job = &run.job;
	const int64_t begun_us = pawl__clock_mono_us();
	enum pawl_status st = options_take(&run, options, err);

	if (st != PAWL_OK)
		return st;
	INVARIANT(job->ops != NULL && job->parts != NULL);
	run.report = arena_new(arena, struct builtin_report);
	if (run.options.history != NULL)
		job->history = pawl__builtin_history_new(job->incident);
	if (run.report == NULL || (run.options.history != NULL && job->history == NULL))
		st = pawl__error_set(err, PAWL_E_NOMEM, "no memory for the report");
	if (st == PAWL_OK)
		st = job->ops->open(run.options.on, &job->admin, err);
	if (st == PAWL_OK)
		st = job->ops->prepare(job->admin, err);
	if (st == PAWL_OK) {
		report_head(&run);
		conns_choose(&run);
		st = run_prepared(&run, err);
		job->ops->clean(job->admin);
		run.report->elapsed_us = pawl__clock_mono_us() - begun_us;
	}
	job->ops->close(job->admin);
	pawl__builtin_history_free(job->history);
	if (st == PAWL_OK && arena->failed)
		st = pawl__error_set(err, PAWL_E_NOMEM, "no memory for the report");
	if (st != PAWL_OK)
		return st;
	judge(&run);
	*ret = run.report;
	return PAWL_OK;
}
