/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/help.h"
#include "cli/progress.h"
#include "cli/race/race_cmd.h"

#include "base/clock.h"
#include "race/builtin/builtin.h"

#define ARENA_BLOCK ((size_t)64 << 10)
#define ARENA_MAX   ((size_t)256 << 20)
#define TEXT_MAX    ((size_t)4 << 20)

static void print_text(struct cli *cli, struct buf *b)
{
	pawl__print(cli->out, "%.*s", (int)b->len, b->data == NULL ? "" : b->data);
	pawl__buf_deinit(b);
}

static void on_progress(void *data, const char *strategy, uint32_t done, uint32_t of)
{
	pawl__progress_update(data, strategy, done, of == 0 ? 1 : of, pawl__clock_mono_us());
}

int pawl__race_cmd_builtin(struct cli *cli, const struct race_values *v, const char *name)
{
	struct progress progress;
	const struct builtin_options options = {
		.incident = name,
		.on = v->on,
		.redis = v->redis,
		.strategy = v->strategy,
		.clients = (uint32_t)v->clients,
		.rounds = (uint32_t)v->rounds,
		.seed = (uint64_t)v->seed,
		.think_us = v->think_us,
		.explore = v->explore,
		.schedules_max = (uint32_t)v->schedules,
		.history = v->history,
		.cancel = &pawl__race_cancelled,
		.progress = on_progress,
		.data = &progress,
	};
	struct builtin_report *report = NULL;
	struct pawl_error err = { 0 };
	struct arena arena;
	enum pawl_status st;
	struct buf b;
	int status;

	if (v->on == NULL)
		return pawl__cli_fail(cli, PAWL_E_INVALID,
		                      "race: builtin needs --on sqlite:PATH, postgresql://..., "
		                      "redis://... or http://...");
	pawl__race_signals();
	pawl__arena_init(&arena, ARENA_BLOCK, ARENA_MAX);
	pawl__progress_init(&progress, cli->err, !cli->json);
	st = pawl__builtin_run(&options, &arena, &report, &err);
	pawl__progress_clear(&progress);
	if (st != PAWL_OK) {
		pawl__arena_deinit(&arena);
		status = pawl__cli_fail(cli, st, "race: %s", err.text);
		return st == PAWL_E_CONFIG ? CLI_USAGE : status;
	}
	status = report->exit_status;
	if (cli->json) {
		pawl__json_print(cli->out, pawl__builtin_json(report));
	} else {
		pawl__buf_init(&b, TEXT_MAX);
		pawl__builtin_text(report, &b);
		print_text(cli, &b);
	}
	pawl__arena_deinit(&arena);
	return status;
}

int pawl__race_cmd_list(struct cli *cli)
{
	struct buf b;

	if (cli->json) {
		pawl__json_print(cli->out, pawl__builtin_list_json());
		return CLI_OK;
	}
	pawl__buf_init(&b, TEXT_MAX);
	pawl__builtin_list_text(&b);
	print_text(cli, &b);
	return CLI_OK;
}
