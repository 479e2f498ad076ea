/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "base/suggest.h"
#include "cli/commands.h"
#include "cli/race/race_cmd.h"
#include "race/load/load.h"

#define ROUNDS_MAX    1000000
#define CLIENTS_MAX   10000
#define SCHEDULES_MAX 1000000
#define FDS_SPARE     64u /* files of the process beside its connections */

atomic_bool pawl__race_cancelled;
struct volley *_Atomic pawl__race_volley;

static void on_signal(int signo)
{
	struct volley *volley = atomic_load(&pawl__race_volley);

	(void)signo;
	atomic_store(&pawl__race_cancelled, true);
	if (volley != NULL)
		pawl__volley_stop(volley);
}

void pawl__race_signals(void)
{
	const struct sigaction action = { .sa_handler = on_signal };

	atomic_store(&pawl__race_cancelled, false);
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
}

void pawl__race_files(uint32_t conns)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= conns + FDS_SPARE)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

enum verb { VERB_RUN = 1, VERB_INIT = 2, VERB_BUILTIN = 4, VERB_LIST = 8 };

static const struct verb_row {
	const char *name;
	enum verb verb;
	const char *operand; /* NULL = none */
} verbs[] = {
	{ "run", VERB_RUN, "FILE" },
	{ "init", VERB_INIT, "URL" },
	{ "builtin", VERB_BUILTIN, "NAME" },
	{ "list", VERB_LIST, NULL },
};

/* Which verbs an option is for. */
static const struct {
	const char *option;
	int verbs;
} uses[] = {
	{ "seed", VERB_RUN | VERB_BUILTIN },
	{ "rounds", VERB_RUN | VERB_BUILTIN },
	{ "until-failure", VERB_RUN },
	{ "history", VERB_RUN | VERB_BUILTIN },
	{ "report", VERB_RUN | VERB_BUILTIN },
	{ "ca-file", VERB_RUN },
	{ "output", VERB_INIT },
	{ "on", VERB_BUILTIN },
	{ "redis", VERB_BUILTIN },
	{ "strategy", VERB_BUILTIN },
	{ "clients", VERB_BUILTIN },
	{ "think", VERB_BUILTIN },
	{ "explore", VERB_BUILTIN },
	{ "schedules", VERB_BUILTIN },
};

static const struct verb_row *verb_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	}
	return NULL;
}

static int verb_unknown(struct cli *cli, const char *name)
{
	struct suggestion s;

	pawl__suggest_init(&s, name);
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		pawl__suggest_consider(&s, verbs[i].name);
	if (s.best != NULL)
		return pawl__cli_fail(cli, PAWL_E_INVALID, "race: no verb %.*s; did you mean %s?",
		                      SUGGEST_WORD_MAX, name, s.best);
	return pawl__cli_fail(cli, PAWL_E_INVALID,
	                      "race: needs run FILE, init URL, builtin NAME or list");
}

/* An option that would do nothing is a mistake. */
static const char *misplaced(const struct options *o, const struct verb_row *verb)
{
	for (size_t i = 0; i < ARRAY_LEN(uses); i++) {
		const size_t at = pawl__option_find(o, uses[i].option, strlen(uses[i].option), '-');

		if (at < o->rows_len && o->origin[at] == ORIGIN_FLAG &&
		    (uses[i].verbs & (int)verb->verb) == 0)
			return uses[i].option;
	}
	return NULL;
}

static int race_run(struct cli *cli, void *values)
{
	struct race_values *v = values;
	const struct options *o = cli->options;
	const struct verb_row *verb = o->operands_len == 0 ? NULL : verb_find(o->operands[0]);
	const char *wrong;

	if (o->origin[pawl__option_find(o, "think", 5, '-')] == ORIGIN_NONE)
		v->think_us = -1; /* the incident's own */
	if (verb == NULL)
		return verb_unknown(cli, o->operands_len == 0 ? "" : o->operands[0]);
	if (o->operands_len != (verb->operand == NULL ? 1 : 2))
		return pawl__cli_fail(cli, PAWL_E_INVALID, "race: %s takes %s", verb->name,
		                      verb->operand == NULL ? "no argument" : verb->operand);
	wrong = misplaced(o, verb);
	if (wrong != NULL)
		return pawl__cli_fail(cli, PAWL_E_INVALID, "race: --%s has no meaning for %s",
		                      wrong, verb->name);
	switch (verb->verb) {
	case VERB_RUN:
		return pawl__race_cmd_run(cli, v, o->operands[1]);
	case VERB_INIT:
		return pawl__race_cmd_init(cli, v, o->operands[1]);
	case VERB_BUILTIN:
		return pawl__race_cmd_builtin(cli, v, o->operands[1]);
	case VERB_LIST:
		break;
	}
	return pawl__race_cmd_list(cli);
}

#define TEXT(name_, field_, arg_, doc_)                                                            \
	{                                                                                          \
		.name = (name_), .arg = (arg_), .kind = OPTION_TEXT,                               \
		.offset = offsetof(struct race_values, field_), .doc = (doc_),                     \
	}
#define NUMBER(name_, field_, min_, max_, doc_)                                                    \
	{                                                                                          \
		.name = (name_), .arg = "N", .kind = OPTION_NUMBER,                                \
		.offset = offsetof(struct race_values, field_), .min = (min_), .max = (max_),      \
		.doc = (doc_),                                                                     \
	}
#define FLAG(name_, field_, doc_)                                                                  \
	{                                                                                          \
		.name = (name_), .kind = OPTION_FLAG,                                              \
		.offset = offsetof(struct race_values, field_), .doc = (doc_),                     \
	}

static const struct option_row race_rows[] = {
	NUMBER("seed", seed, 1, INT64_MAX, "of what is random; a new one every time unless told"),
	NUMBER("rounds", rounds, 1, ROUNDS_MAX, "in place of the scenario's"),
	FLAG("until-failure", until_failure, "run: stop at the first round that is violated"),
	TEXT("report", report, "FILE", "write one page of HTML with everything"),
	TEXT("history", history, "FILE", "write the operations for pawl check; never over a file"),
	TEXT("ca-file", ca_file, "FILE", "run: certificates to trust, in place of the system's"),
	TEXT("output", output, "FILE", "init: write there, never over a file"),
	TEXT("on", on, "URL", "builtin: the database, or the http:// of a pawl"),
	TEXT("redis", redis, "URL", "builtin: a Redis beside it, for the strategy redis-lock"),
	TEXT("strategy", strategy, "NAME", "builtin: one of pawl race list, or all (default all)"),
	NUMBER("clients", clients, 1, CLIENTS_MAX, "builtin: how many there are"),
	{ .name = "think",
	  .arg = "TIME",
	  .kind = OPTION_DURATION,
	  .offset = offsetof(struct race_values, think_us),
	  .max = 1000000,
	  .doc = "builtin: what an application does between its read and its write" },
	FLAG("explore", explore,
	     "builtin: step through all interleavings of two or three sessions"),
	NUMBER("schedules", schedules, 1, SCHEDULES_MAX, "builtin: of an exploration at most"),
	OPTION_JSON(struct race_values),
};

const struct cli_command pawl__cmd_race = {
	.name = "race",
	.summary = "find the races in any service: many clients in the same instant",
	.usage = "run FILE | init URL | builtin NAME | list [options]",
	.about = "run carries out a scenario against the target that it names and nothing else: "
		 "every request is sent but its last byte, then all are completed at once, and "
		 "what must hold is looked at after every round. init writes a scenario to begin "
		 "with. builtin runs known incidents against a database of yours, with every "
		 "strategy; list names them. Exit status: 0 everything held in every round, 1 "
		 "violated, 2 the scenario is wrong or does not fit the target, 6 the target is "
		 "not there, 9 inconclusive: the overlap that was asked for was not reached, or "
		 "answers are missing.",
	.examples =
		(const char *const[]){
			"pawl race init http://127.0.0.1:8080 --output last-item.yaml",
			"pawl race run last-item.yaml --report race.html",
			"pawl race builtin oversell --on sqlite:scratch.db", NULL },
	.rows = race_rows,
	.rows_len = ARRAY_LEN(race_rows),
	.values_len = sizeof(struct race_values),
	.operands_max = 2,
	.json_offset = offsetof(struct race_values, json),
	.run = race_run,
};
