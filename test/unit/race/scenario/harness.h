/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of race/scenario share: a scenario from text.
 */
#ifndef TEST_SCENARIO_HARNESS_H
#define TEST_SCENARIO_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "race/scenario/judge.h"
#include "race/scenario/scenario.h"

/* A scenario that is right, with a hole for what a test is about. */
#define HEAD   "name: t\ntarget: http://127.0.0.1:1\n"
#define RACE   "race:\n  clients: 4\n  request: {method: POST, path: /x}\n"
#define EXPECT "expect:\n  - {status: {201: 1, 409: rest}}\n"

static struct arena test_arena;

static inline int setup(void **state)
{
	(void)state;
	pawl__arena_init(&test_arena, 4096, (size_t)64 << 20);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	pawl__arena_deinit(&test_arena);
	return 0;
}

static inline struct scenario *parsed(const char *yaml)
{
	struct pawl_error err = { .text = "" };
	struct scenario *s = NULL;

	if (pawl__scenario_parse(pawl__str_of(yaml), &test_arena, &s, &err) != PAWL_OK)
		fail_msg("%s", err.text);
	return s;
}

/* The whole text of the refusal. */
static inline void refused(const char *yaml, const char *text)
{
	struct pawl_error err = { .text = "" };
	struct scenario *s = NULL;

	assert_int_equal(pawl__scenario_parse(pawl__str_of(yaml), &test_arena, &s, &err),
	                 PAWL_E_CONFIG);
	assert_string_equal(err.text, text);
	assert_null(s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif /* TEST_SCENARIO_HARNESS_H */
