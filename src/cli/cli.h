/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cli - the program: one table of commands, and how a run of one of them begins and ends.
 *
 *     arguments -> row of the table -> options bound (flags > environment > file > default)
 *               -> command's run() -> exit status
 *
 * Help, "did you mean" and the man pages are read from the same rows, so they cannot disagree with
 * what the program does.
 *
 * Promises to scripts:
 *  (1) Data goes to stdout and nothing else does; messages go to stderr.
 *  (2) The exit status is one of enum cli_exit, and is not 0 when anything failed, also not when
 *      the output could not be written.
 *  (3) A mistake in the arguments is one line, exit 2, and nothing was done.
 */
#ifndef PAWL_CLI_CLI_H
#define PAWL_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/compiler.h"
#include "cli/option.h"
#include "pawl/error.h"

enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1, /* a check failed, or it was refused */
	CLI_USAGE = 2,
	CLI_NOT_FOUND = 3,
	CLI_CONFLICT = 4,
	CLI_INSUFFICIENT = 5,
	CLI_UNAVAILABLE = 6, /* or timed out: may be tried again */
	CLI_AUTH = 7,
	CLI_CONFIG = 8,
	CLI_UNKNOWN = 9, /* pawl check could not decide within its steps */
	CLI_INTERRUPTED = 130,
};

/* One run of the program. */
struct cli {
	FILE *out, *err; /* borrowed */
	const struct cli_command *command;
	struct options *options;
	struct arena *arena; /* until the end of the run */
	int64_t begun_us;    /* mono */
	bool json;           /* the command's --json */
};

struct cli_command {
	const char *name;
	const char *summary;         /* a line without its full stop */
	const char *usage;           /* behind the name */
	const char *about;           /* a paragraph; lines are filled */
	const char *const *examples; /* up to a NULL */
	const struct option_row *rows;
	size_t rows_len;
	size_t values_len; /* bytes of the command's struct of values */
	size_t operands_max;
	size_t json_offset; /* of its bool json; every command has --json */
	int (*run)(struct cli *cli, void *values);
};

#define OPTION_JSON(type)                                                                          \
	{                                                                                          \
		.name = "json", .kind = OPTION_FLAG, .offset = offsetof(type, json),               \
		.doc = "print one JSON document instead of text",                                  \
	}

extern const struct cli_command *const pawl__cli_commands[]; /* up to a NULL */

/* The program without its process: what main returns. */
int pawl__cli_main(int argc, const char *const *argv, FILE *out, FILE *err);

/* NULL: no such command. */
const struct cli_command *pawl__cli_command(const char *name);

/* "pawl: unknown command ..." with a guess. Returns CLI_USAGE. */
int pawl__cli_unknown(struct cli *cli, const char *name);

/* printf to where failures are found out later, by ferror at the end of the run. */
PAWL_PRINTF(2, 3) void pawl__print(FILE *f, const char *fmt, ...);

/* One line "pawl: ..." to stderr, or with --json a JSON object. Returns the exit status of st. */
PAWL_PRINTF(3, 4)
int pawl__cli_fail(struct cli *cli, enum pawl_status st, const char *fmt, ...);

/* With thousands separated: "10,000". ret is returned. */
#define CLI_NUMBER_MAX 32
const char *pawl__cli_number(int64_t v, char ret[CLI_NUMBER_MAX]);

enum cli_tone { TONE_GOOD, TONE_BAD, TONE_BOLD };

/* text in that tone, where f is a terminal and the user has nothing against colour. */
void pawl__cli_tone(FILE *f, enum cli_tone tone, const char *text);

/* Whether f is a terminal that understands escapes. */
bool pawl__cli_terminal(FILE *f);

#endif /* PAWL_CLI_CLI_H */
