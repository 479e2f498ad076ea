/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/suggest.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "pawl/pawl.h"

#define CLI_ARENA_BLOCK ((size_t)16 << 10)
#define CLI_ARENA_MAX   ((size_t)1 << 20)
#define CLI_VALUES_MAX  1024 /* bytes of a command's struct of values */

const struct cli_command *const pawl__cli_commands[] = {
	&pawl__cmd_serve,  &pawl__cmd_demo,
	&pawl__cmd_race,   &pawl__cmd_verify,
	&pawl__cmd_check,  &pawl__cmd_status,
	&pawl__cmd_doctor, &pawl__cmd_version,
	&pawl__cmd_help,   NULL,
};

const struct cli_command *pawl__cli_command(const char *name)
{
	for (size_t i = 0; pawl__cli_commands[i] != NULL; i++) {
		if (strcmp(pawl__cli_commands[i]->name, name) == 0)
			return pawl__cli_commands[i];
	}
	return NULL;
}

void pawl__print(FILE *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vfprintf(f, fmt, ap);
	va_end(ap);
}

bool pawl__cli_terminal(FILE *f)
{
	const char *term = secure_getenv("TERM");
	const int fd = fileno(f);

	return fd >= 0 && isatty(fd) == 1 && term != NULL && strcmp(term, "dumb") != 0;
}

void pawl__cli_tone(FILE *f, enum cli_tone tone, const char *text)
{
	static const char *const escapes[] = { "\033[32m", "\033[1;31m", "\033[1m" };
	const char *no_color = secure_getenv("NO_COLOR");

	if (!pawl__cli_terminal(f) || (no_color != NULL && no_color[0] != '\0'))
		pawl__print(f, "%s", text);
	else
		pawl__print(f, "%s%s\033[0m", escapes[tone], text);
}

const char *pawl__cli_number(int64_t v, char ret[CLI_NUMBER_MAX])
{
	char digits[CLI_NUMBER_MAX];
	struct buf plain, grouped;
	size_t first;

	pawl__buf_init_fixed(&plain, digits, sizeof(digits));
	pawl__buf_i64(&plain, v);
	pawl__buf_init_fixed(&grouped, ret, CLI_NUMBER_MAX);
	first = v < 0 ? 1 : 0;
	for (size_t i = 0; i < plain.len; i++) {
		if (i > first && (plain.len - i) % 3 == 0)
			pawl__buf_putc(&grouped, ',');
		pawl__buf_putc(&grouped, digits[i]);
	}
	pawl__buf_putc(&grouped, '\0');
	return ret;
}

static void print_problem(struct cli *cli, enum pawl_status st, const char *text)
{
	json_t *doc = json_pack("{s:s, s:s, s:s, s:i, s:b}", "title", pawl_status_text(st), "code",
	                        pawl_status_code(st), "detail", text, "exit", pawl_status_exit(st),
	                        "retryable", pawl_status_retry(st) != PAWL_RETRY_NEVER);

	if (doc == NULL)
		pawl__print(cli->err, "pawl: %s\n", text);
	else
		pawl__json_print(cli->err, doc);
}

int pawl__cli_fail(struct cli *cli, enum pawl_status st, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	int n;

	PRE(st != PAWL_OK);
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0)
		text[0] = '\0';
	if (cli->json)
		print_problem(cli, st, text);
	else
		pawl__print(cli->err, "pawl: %s\n", text);
	return pawl_status_exit(st);
}

int pawl__cli_unknown(struct cli *cli, const char *name)
{
	struct suggestion s;

	pawl__suggest_init(&s, name);
	for (size_t i = 0; pawl__cli_commands[i] != NULL; i++)
		pawl__suggest_consider(&s, pawl__cli_commands[i]->name);
	if (s.best != NULL)
		return pawl__cli_fail(cli, PAWL_E_INVALID, "unknown command %.*s; did you mean %s?",
		                      SUGGEST_WORD_MAX, name, s.best);
	return pawl__cli_fail(cli, PAWL_E_INVALID, "unknown command %.*s; see pawl help",
	                      SUGGEST_WORD_MAX, name);
}

/* Bind what the arguments, the environment and the table say; true when run() may be called. */
static bool command_bind(struct cli *cli, int argc, const char *const *argv, char *values,
                         int *ret_exit)
{
	const struct cli_command *command = cli->command;
	struct pawl_error err;
	enum pawl_status st;

	pawl__options_init(cli->options, command->rows, command->rows_len, values);
	st = pawl__options_args(cli->options, argc, argv, &err);
	if (st == PAWL_OK && cli->options->help) {
		pawl__help_command(cli->out, command);
		*ret_exit = CLI_OK;
		return false;
	}
	memcpy(&cli->json, values + command->json_offset, sizeof(cli->json));
	if (st == PAWL_OK)
		st = pawl__options_env(cli->options, &err);
	if (st == PAWL_OK)
		st = pawl__options_defaults(cli->options, &err);
	if (st == PAWL_OK && cli->options->operands_len > command->operands_max)
		st = pawl__error_set(&err, PAWL_E_INVALID, "takes %s; see pawl help %s",
		                     command->operands_max == 0   ? "no arguments"
		                     : command->operands_max == 1 ? "one argument"
		                                                  : "fewer arguments",
		                     command->name);
	if (st == PAWL_OK)
		return true;
	*ret_exit = pawl__cli_fail(cli, st, "%s: %s", command->name, err.text);
	return false;
}

static int command_run(struct cli *cli, int argc, const char *const *argv)
{
	_Alignas(max_align_t) char values[CLI_VALUES_MAX] = { 0 };
	int status;

	PRE(cli->command->values_len <= sizeof(values));
	if (!command_bind(cli, argc, argv, values, &status))
		return status;
	return cli->command->run(cli, values);
}

static int dispatch(struct cli *cli, int argc, const char *const *argv)
{
	const char *name = argc < 2 ? "" : argv[1];

	if (argc < 2) {
		pawl__help_all(cli->err);
		return CLI_USAGE;
	}
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		name = "help";
	if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
		name = "version";
	cli->command = pawl__cli_command(name);
	if (cli->command != NULL)
		return command_run(cli, argc - 2, argv + 2);
	if (name[0] == '-')
		return pawl__cli_fail(
			cli, PAWL_E_INVALID,
			"a command comes first: pawl COMMAND [options]; see pawl help");
	return pawl__cli_unknown(cli, name);
}

int pawl__cli_main(int argc, const char *const *argv, FILE *out, FILE *err)
{
	struct options options = { 0 };
	struct arena arena;
	struct cli cli = {
		.out = out,
		.err = err,
		.options = &options,
		.arena = &arena,
		.begun_us = pawl__clock_mono_us(),
	};
	int status;

	/* A reader that has gone is a failure of that write, not the end of a server. */
	(void)sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	pawl__log_init(LOG_INFO, LOG_FORMAT_AUTO);
	pawl__arena_init(&arena, CLI_ARENA_BLOCK, CLI_ARENA_MAX);
	status = dispatch(&cli, argc, argv);
	pawl__arena_deinit(&arena);
	if ((fflush(out) != 0 || ferror(out) != 0) && status == CLI_OK) {
		pawl__print(err, "pawl: the output could not be written\n");
		return CLI_UNAVAILABLE;
	}
	return status;
}
