/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of cli share: one run of the program with its output caught.
 */
#ifndef TEST_CLI_HARNESS_H
#define TEST_CLI_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

struct run {
	char *out, *err; /* owned */
	int status;
};

#define RUN(...) run_program((const char *const[]){ "pawl", __VA_ARGS__, NULL })

static inline struct run run_program(const char *const *argv)
{
	struct run r = { 0 };
	size_t out_len, err_len;
	FILE *out = open_memstream(&r.out, &out_len);
	FILE *err = open_memstream(&r.err, &err_len);
	int argc = 0;

	assert_non_null(out);
	assert_non_null(err);
	while (argv[argc] != NULL)
		argc++;
	r.status = pawl__cli_main(argc, argv, out, err);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(fclose(err), 0);
	return r;
}

static inline void run_free(struct run *r)
{
	free(r->out);
	free(r->err);
}

static inline int lines_of(const char *text)
{
	int n = 0;

	for (; *text != '\0'; text++)
		n += *text == '\n';
	return n;
}

#endif /* TEST_CLI_HARNESS_H */
