/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "cli/help.h"
#include "cli/progress.h"
#include "cli/race/part.h"
#include "cli/race/race_cmd.h"
#include "race/scenario/history.h"
#include "race/scenario/report.h"

#define ARENA_BLOCK  ((size_t)64 << 10)
#define ARENA_MAX    ((size_t)256 << 20)
#define COMMAND_MAX  8192
#define RACE_UNCLEAR 9 /* inconclusive */

static void command_of(struct race_report *r, const struct race_values *v, const char *file)
{
	struct buf b;

	pawl__buf_init(&b, COMMAND_MAX);
	buf_lit(&b, "pawl race run ");
	pawl__put_word(&b, pawl__str_of(file));
	pawl__put(&b, " --seed %llu", (unsigned long long)r->seed);
	if (v->rounds != 0)
		pawl__put(&b, " --rounds %lld", (long long)v->rounds);
	if (v->until_failure)
		buf_lit(&b, " --until-failure");
	if (v->ca_file != NULL) {
		buf_lit(&b, " --ca-file ");
		pawl__put_word(&b, pawl__str_of(v->ca_file));
	}
	r->command = pawl__race_keep(r, buf_get(&b), COMMAND_MAX);
	pawl__buf_deinit(&b);
}

struct shown {
	struct progress progress;
	const char *name;
};

static void on_progress(void *data, const struct race_report *r, uint32_t rounds)
{
	struct shown *s = data;

	pawl__progress_update(&s->progress, s->name, r->rounds_run, rounds, pawl__clock_mono_us());
}

static int exit_of(const struct race_report *r)
{
	if (r->interrupted)
		return CLI_INTERRUPTED;
	switch (r->verdict) {
	case VERDICT_HELD:
		return CLI_OK;
	case VERDICT_VIOLATED:
		return CLI_FAILED;
	case VERDICT_INCONCLUSIVE:
		return RACE_UNCLEAR;
	case VERDICT_ERROR:
		break;
	}
	/* A scenario that does not fit its target is wrong, as one that cannot be read. */
	return pawl_status_exit(r->error_status) == CLI_UNAVAILABLE ? CLI_UNAVAILABLE : CLI_USAGE;
}

static void print(struct cli *cli, const struct race_report *r)
{
	const enum cli_tone tone = r->verdict == VERDICT_HELD ? TONE_GOOD : TONE_BAD;
	struct buf b;

	if (cli->json) {
		pawl__json_print(cli->out, pawl__race_json(r));
		return;
	}
	pawl__buf_init(&b, REPORT_BYTES_MAX);
	pawl__race_text(r, &b);
	pawl__print(cli->out, "%.*s: ", (int)r->s->name.len, r->s->name.ptr);
	pawl__cli_tone(cli->out, tone, pawl__verdict_name(r->verdict));
	pawl__print(cli->out, "\n%.*s", (int)b.len, b.data == NULL ? "" : b.data);
	pawl__buf_deinit(&b);
}

static enum pawl_status report_write(struct part *part, const struct race_report *r,
                                     struct pawl_error *err)
{
	enum pawl_status st;
	struct buf b;

	if (part->f == NULL)
		return PAWL_OK;
	pawl__buf_init(&b, REPORT_BYTES_MAX);
	pawl__race_html(r, &b);
	st = pawl__part_keep(part, &b, err);
	pawl__buf_deinit(&b);
	return st;
}

static enum pawl_status run_all(struct cli *cli, const struct race_values *v, const char *file,
                                struct arena *arena, int *ret_exit, struct pawl_error *err)
{
	struct run_config config = {
		.seed = (uint64_t)v->seed,
		.rounds = (uint32_t)v->rounds,
		.until_failure = v->until_failure,
		.ca_file = v->ca_file,
		.cancel = &pawl__race_cancelled,
		.volley = &pawl__race_volley,
		.progress = on_progress,
	};
	struct history history = { .f = NULL };
	struct part part = { .f = NULL };
	struct race_report *report = NULL;
	struct scenario *s = NULL;
	struct shown shown;
	struct pawl_error late;
	enum pawl_status st = pawl__scenario_read(file, arena, &s, err);

	if (st == PAWL_OK)
		st = pawl__part_open(&part, v->report, err);
	if (st == PAWL_OK && v->history != NULL) {
		st = pawl__history_open(&history, v->history, s, err);
		config.history = &history;
	}
	if (st == PAWL_OK) {
		pawl__race_files(s->clients);
		shown.name = s->name.ptr;
		config.data = &shown;
		pawl__progress_init(&shown.progress, cli->err, !cli->json);
		st = pawl__race_run_scenario(s, &config, arena, &report, err);
		pawl__progress_clear(&shown.progress);
	}
	if (pawl__history_close(&history, &late) != PAWL_OK && st == PAWL_OK) {
		st = late.status;
		*err = late;
	}
	if (report != NULL) {
		command_of(report, v, file);
		print(cli, report);
		*ret_exit = exit_of(report);
		if (st == PAWL_OK)
			st = report_write(&part, report, err);
	}
	pawl__part_drop(&part);
	return st;
}

int pawl__race_cmd_run(struct cli *cli, const struct race_values *v, const char *file)
{
	struct pawl_error err = { 0 };
	struct arena arena;
	enum pawl_status st;
	int status = CLI_OK;

	pawl__race_signals();
	pawl__arena_init(&arena, ARENA_BLOCK, ARENA_MAX);
	st = run_all(cli, v, file, &arena, &status, &err);
	pawl__arena_deinit(&arena);
	if (st == PAWL_OK)
		return status;
	status = pawl__cli_fail(cli, st, "race: %s", err.text);
	return st == PAWL_E_CONFIG ? CLI_USAGE : status; /* the file is what the user wrote */
}

int pawl__race_cmd_init(struct cli *cli, const struct race_values *v, const char *url)
{
	struct pawl_error err = { 0 };
	struct buf b;
	FILE *f;
	int fd;
	bool ok;

	if (!pawl__str_visible(pawl__str_of(url), 1024, true))
		return pawl__cli_fail(cli, PAWL_E_INVALID,
		                      "race: the URL must be visible ASCII, up to 1024 bytes");
	{
		struct volley_target *target = pawl__arena_zero(cli->arena, sizeof(*target));

		if (target == NULL)
			return pawl__cli_fail(cli, PAWL_E_NOMEM, "race: out of memory");
		if (pawl__volley_target_parse(url, target, &err) == PAWL_E_INVALID)
			return pawl__cli_fail(cli, PAWL_E_INVALID, "race: %s", err.text);
	}
	pawl__buf_init(&b, REPORT_BYTES_MAX);
	pawl__race_starter(pawl__str_of(url), &b);
	if (v->output == NULL) {
		pawl__print(cli->out, "%.*s", (int)b.len, b.data == NULL ? "" : b.data);
		pawl__buf_deinit(&b);
		return CLI_OK;
	}
	fd = open(v->output, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (f == NULL) {
		const enum pawl_status st = errno == EEXIST ? PAWL_E_EXISTS : PAWL_E_IO;

		pawl__buf_deinit(&b);
		return pawl__cli_fail(cli, st, "race: %s: %s", v->output,
		                      st == PAWL_E_EXISTS ? "is there already, and stays as it is"
		                                          : "cannot be made");
	}
	ok = fwrite(b.data, 1, b.len, f) == b.len;
	ok = fclose(f) == 0 && ok;
	pawl__buf_deinit(&b);
	if (!ok)
		return pawl__cli_fail(cli, PAWL_E_IO, "race: %s: could not be written", v->output);
	return CLI_OK;
}
