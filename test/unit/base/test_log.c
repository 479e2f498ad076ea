/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include <jansson.h>
#include <stdio.h>

#include "base/log.h"

/* Run say() with stderr in a pipe and give what it wrote. */
static size_t captured(void (*say)(void), char *ret, size_t cap)
{
	int ends[2];
	size_t len = 0;
	ssize_t n;
	const int saved = dup(STDERR_FILENO);

	assert_true(saved >= 0);
	assert_int_equal(pipe(ends), 0);
	assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
	(void)close(ends[1]);
	say();
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	(void)close(saved);
	while (len < cap - 1 && (n = read(ends[0], ret + len, cap - 1 - len)) > 0)
		len += (size_t)n;
	(void)close(ends[0]);
	ret[len] = '\0';
	return len;
}

static void say_hello(void)
{
	log_info("hello %d", 7);
}

static void say_error(void)
{
	log_error("disk \"full\"\n");
}

static void say_debug(void)
{
	pawl__log(LOG_DEBUG, "detail");
}

static char long_text[8192];

static void say_long(void)
{
	log_warn("%s", long_text);
}

static void test_log__text_lines(void **state)
{
	char out[16384];

	(void)state;
	pawl__log_init(LOG_INFO, LOG_FORMAT_TEXT);
	captured(say_hello, out, sizeof(out));
	assert_string_equal(out, "hello 7\n");
	captured(say_error, out, sizeof(out));
	assert_string_equal(out, "error: disk \"full\" \n");
}

static void test_log__levels_above_are_silent(void **state)
{
	char out[256];

	(void)state;
	pawl__log_init(LOG_INFO, LOG_FORMAT_TEXT);
	assert_int_equal(captured(say_debug, out, sizeof(out)), 0);
	pawl__log_init(LOG_ERROR, LOG_FORMAT_TEXT);
	assert_int_equal(captured(say_hello, out, sizeof(out)), 0);
	pawl__log_init(LOG_DEBUG, LOG_FORMAT_TEXT);
	assert_int_not_equal(captured(say_debug, out, sizeof(out)), 0);
}

static void assert_json_line(const char *out, const char *level)
{
	const size_t len = strlen(out);
	json_t *line;

	assert_true(len > 1 && out[len - 1] == '\n');
	line = json_loads(out, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(line);
	assert_string_equal(json_string_value(json_object_get(line, "level")), level);
	assert_int_equal(json_string_length(json_object_get(line, "ts")), 27);
	assert_true(json_string_length(json_object_get(line, "msg")) > 0);
	json_decref(line);
}

static void test_log__json_lines_parse(void **state)
{
	char out[16384];

	(void)state;
	pawl__log_init(LOG_INFO, LOG_FORMAT_JSON);
	captured(say_error, out, sizeof(out));
	assert_json_line(out, "error");
}

/* A line is a line, however long or odd its message: escapes may make it six times as long. */
static void test_log__a_message_over_the_limit_is_still_one_json_line(void **state)
{
	static const char fill[] = { 'a', '\x01', '"' };
	char out[16384];

	(void)state;
	pawl__log_init(LOG_INFO, LOG_FORMAT_JSON);
	for (size_t i = 0; i < sizeof(fill); i++) {
		memset(long_text, fill[i], sizeof(long_text) - 1);
		captured(say_long, out, sizeof(out));
		assert_json_line(out, "warn");
	}
}

/* Cut in the middle of a character, the line would not be UTF-8, and so not JSON. */
static void test_log__a_cut_keeps_whole_characters(void **state)
{
	char out[16384];

	(void)state;
	pawl__log_init(LOG_INFO, LOG_FORMAT_JSON);
	for (size_t shift = 0; shift < 3; shift++) {
		memset(long_text, 'a', sizeof(long_text) - 1);
		for (size_t i = shift; i + 3 < sizeof(long_text); i += 3) {
			long_text[i] = '\xe2';
			long_text[i + 1] = '\x82';
			long_text[i + 2] = '\xac';
		}
		captured(say_long, out, sizeof(out));
		assert_json_line(out, "warn");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log__text_lines),
		cmocka_unit_test(test_log__levels_above_are_silent),
		cmocka_unit_test(test_log__json_lines_parse),
		cmocka_unit_test(test_log__a_message_over_the_limit_is_still_one_json_line),
		cmocka_unit_test(test_log__a_cut_keeps_whole_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
