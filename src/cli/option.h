/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/option - what a command can be told, as one table per command. From it come the parser of the
 * command line, of the environment and of the configuration file, the defaults and the help.
 *
 *     default < configuration file < environment < command line
 *
 * Each value is text until pawl__option_set reads it, so all four sources obey the same rules.
 *
 * Invariants:
 *  (1) A value is replaced only by one of the same or a higher origin, in whatever order they come.
 *  (2) A list of a higher origin replaces the whole list; within one origin the values add up.
 *  (3) A number or duration that was set is within [min, max].
 *
 * It never prints, never exits and never repeats a value in an error: it may be a secret.
 * Threads: none of its own. Limits: OPTIONS_MAX options of a command, OPTION_LIST_MAX values.
 */
#ifndef PAWL_CLI_OPTION_H
#define PAWL_CLI_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "pawl/error.h"

#define OPTIONS_MAX     24
#define OPTION_LIST_MAX 16
#define OPERANDS_MAX    4096 /* pawl check takes a directory's worth of files */

/* The type of the value in the command's struct stands behind the kind. */
enum option_kind {
	OPTION_FLAG,     /* bool: "true" or "false"; on the command line no value is needed */
	OPTION_TEXT,     /* const char *: not empty */
	OPTION_LIST,     /* struct option_list */
	OPTION_NUMBER,   /* int64_t */
	OPTION_DURATION, /* int64_t, microseconds: a whole number with ms, s, m, h or d */
	OPTION_CHOICE,   /* int: the place in choices */
};

struct option_list {
	const char *at[OPTION_LIST_MAX]; /* borrowed */
	size_t len;
};

struct option_row {
	const char *name; /* the flag --queue-max, the configuration key queue_max */
	const char *arg;  /* what stands for the value in the help; NULL for a flag */
	enum option_kind kind;
	size_t offset;              /* of the value in the command's struct */
	const char *def;            /* as text; NULL = false, NULL, empty or 0 */
	int64_t min, max;           /* OPTION_NUMBER; OPTION_DURATION in microseconds */
	const char *const *choices; /* OPTION_CHOICE, up to a NULL */
	const char *env;            /* NULL = none */
	bool file;                  /* may stand in the configuration file */
	const char *doc;
};

enum option_origin { ORIGIN_NONE, ORIGIN_DEFAULT, ORIGIN_FILE, ORIGIN_ENV, ORIGIN_FLAG };

struct options {
	const struct option_row *rows; /* borrowed */
	size_t rows_len;
	void *values; /* borrowed; the command's struct */
	enum option_origin origin[OPTIONS_MAX];
	const char *operands[OPERANDS_MAX]; /* borrowed */
	size_t operands_len;
	bool help; /* --help or -h was given: nothing else matters */
};

/* values: zeroed, of the struct that the rows' offsets are about. */
void pawl__options_init(struct options *o, const struct option_row *rows, size_t rows_len,
                        void *values);

/* The row's place, or rows_len. name is name_len bytes; dash is what stands for '-' in it. */
size_t pawl__option_find(const struct options *o, const char *name, size_t name_len, char dash);

/* Give row i a value. text is borrowed for as long as the values. The error's text has the reason
 * alone ("must be ..."): the caller knows how the user wrote the name. */
PAWL_MUST_CHECK enum pawl_status pawl__option_set(struct options *o, size_t i, const char *text,
                                                  enum option_origin origin,
                                                  struct pawl_error *err);

/* Arguments behind the command's name. PAWL_E_INVALID: one line for the user. */
PAWL_MUST_CHECK enum pawl_status
pawl__options_args(struct options *o, int argc, const char *const *argv, struct pawl_error *err);
/* The variables that the rows name. An empty variable is as good as none. */
PAWL_MUST_CHECK enum pawl_status pawl__options_env(struct options *o, struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status pawl__options_defaults(struct options *o, struct pawl_error *err);

const char *pawl__origin_name(enum option_origin origin);

#endif /* PAWL_CLI_OPTION_H */
