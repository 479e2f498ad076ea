/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/help.h"
#include "cli/progress.h"
#include "cli/race/part.h"
#include "cli/race/race_cmd.h"

#include "base/clock.h"
#include "race/builtin/builtin.h"
#include "race/page/page.h"

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

static enum pawl_status page_write(struct part *part, const struct builtin_report *r,
                                   struct pawl_error *err)
{
	enum pawl_status st;
	struct buf b;

	if (part->f == NULL)
		return PAWL_OK;
	pawl__buf_init(&b, PAGE_BYTES_MAX);
	pawl__builtin_html(r, &b);
	st = pawl__part_keep(part, &b, err);
	pawl__buf_deinit(&b);
	return st;
}

static void print(struct cli *cli, const struct builtin_report *r)
{
	struct buf b;

	if (cli->json) {
		pawl__json_print(cli->out, pawl__builtin_json(r));
		return;
	}
	pawl__buf_init(&b, TEXT_MAX);
	pawl__builtin_text(r, &b);
	print_text(cli, &b);
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
	struct part part;
	enum pawl_status st;
	int status = CLI_OK;

	if (v->on == NULL)
		return pawl__cli_fail(cli, PAWL_E_INVALID,
		                      "race: builtin needs --on sqlite:PATH, postgresql://..., "
		                      "redis://... or http://...");
	pawl__race_signals();
	pawl__arena_init(&arena, ARENA_BLOCK, ARENA_MAX);
	pawl__progress_init(&progress, cli->err, !cli->json);
	st = pawl__part_open(&part, v->report, &err);
	if (st == PAWL_OK)
		st = pawl__builtin_run(&options, &arena, &report, &err);
	pawl__progress_clear(&progress);
	if (st == PAWL_OK) {
		status = report->exit_status;
		print(cli, report);
		st = page_write(&part, report, &err);
	}
	pawl__part_drop(&part);
	pawl__arena_deinit(&arena);
	if (st == PAWL_OK)
		return status;
	status = pawl__cli_fail(cli, st, "race: %s", err.text);
	return st == PAWL_E_CONFIG ? CLI_USAGE : status;
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
