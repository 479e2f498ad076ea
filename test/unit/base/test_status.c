/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include <stdio.h>

#include "base/error.h"

static const struct row {
	const char *name;
	int num;
	const char *code;
	int http;
	int exit;
	enum pawl_retry retry;
	const char *text;
} rows[] = {
#define X(name, num, code, http, exit, retry, text)                                                \
	{ #name, num, code, http, exit, PAWL_RETRY_##retry, text },
	PAWL_STATUS_MAP(X)
#undef X
};

static void test_status__numbers_and_codes_are_unique(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t j = 0; j < i; j++) {
			assert_int_not_equal(rows[i].num, rows[j].num);
			assert_string_not_equal(rows[i].code, rows[j].code);
			assert_string_not_equal(rows[i].text, rows[j].text);
		}
	}
}

static void test_status__look_ups_give_the_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const enum pawl_status st = (enum pawl_status)rows[i].num;

		assert_string_equal(pawl_status_code(st), rows[i].code);
		assert_string_equal(pawl_status_text(st), rows[i].text);
		assert_int_equal(pawl_status_http(st), rows[i].http);
		assert_int_equal(pawl_status_exit(st), rows[i].exit);
		assert_int_equal(pawl_status_retry(st), rows[i].retry);
	}
}

static void test_status__values_are_in_range(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];

		if (r->num == 0) {
			assert_string_equal(r->name, "OK");
			assert_int_equal(r->http, 200);
			assert_int_equal(r->exit, 0);
			continue;
		}
		assert_true(r->num < 0);
		assert_memory_equal(r->name, "E_", 2);
		assert_in_range(r->http, 400, 599);
		assert_in_range(r->exit, 1, 8);
		assert_true(strspn(r->code, "abcdefghijklmnopqrstuvwxyz_") == strlen(r->code));
		assert_true(strlen(r->text) > 0 && strlen(r->text) < PAWL_ERROR_TEXT_MAX);
	}
}

/* What may be sent again must say so in each of its three voices. */
static void test_status__retry_http_and_exit_agree(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];

		if (r->http == 503)
			assert_true(r->retry == PAWL_RETRY_BACKOFF || r->retry == PAWL_RETRY_REDO);
		if (r->http == 504)
			assert_int_equal(r->retry, PAWL_RETRY_RECHECK);
		if (r->retry == PAWL_RETRY_RECHECK)
			assert_int_equal(r->http, 504);
		if (r->retry != PAWL_RETRY_NEVER && r->num != PAWL_E_HELD)
			assert_int_equal(r->exit, 6);
	}
}

static void test_status__an_unlisted_value_is_internal(void **state)
{
	static const int unlisted[] = { 1, -1000, INT32_MAX, INT32_MIN };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(unlisted); i++) {
		const enum pawl_status st = (enum pawl_status)unlisted[i];

		assert_string_equal(pawl_status_code(st), "internal");
		assert_int_equal(pawl_status_http(st), 500);
		assert_int_equal(pawl_status_exit(st), 1);
		assert_int_equal(pawl_status_retry(st), PAWL_RETRY_NEVER);
		assert_string_equal(pawl_status_text(st), pawl_status_text(PAWL_E_INTERNAL));
	}
}

static void test_error_set__fills_all_and_returns_the_status(void **state)
{
	struct pawl_error err;

	(void)state;
	memset(&err, 0xff, sizeof(err));
	assert_int_equal(pawl__error_set(&err, PAWL_E_IO, "cannot open %s", "it"), PAWL_E_IO);
	assert_int_equal(err.status, PAWL_E_IO);
	assert_int_equal(err.native, 0);
	assert_string_equal(err.sqlstate, "");
	assert_string_equal(err.text, "cannot open it");
}

static void test_error_set__nobody_need_ask(void **state)
{
	(void)state;
	assert_int_equal(pawl__error_set(NULL, PAWL_E_BUSY, "x"), PAWL_E_BUSY);
	assert_int_equal(pawl__error_native(NULL, PAWL_E_BUSY, 5, "x"), PAWL_E_BUSY);
}

static void test_error_native__keeps_the_code(void **state)
{
	struct pawl_error err;

	(void)state;
	assert_int_equal(pawl__error_native(&err, PAWL_E_BUSY, 517, "busy"), PAWL_E_BUSY);
	assert_int_equal(err.native, 517);
	assert_string_equal(err.text, "busy");
}

static void test_error_set__a_long_text_is_cut_and_terminated(void **state)
{
	char text[2 * PAWL_ERROR_TEXT_MAX + 1];
	struct pawl_error err;

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	(void)pawl__error_set(&err, PAWL_E_IO, "%s", text);
	assert_int_equal(strlen(err.text), PAWL_ERROR_TEXT_MAX - 1);
}

static void set_ok(void)
{
	(void)pawl__error_set(NULL, PAWL_OK, "fine");
}

static void test_error_set__success_is_no_error(void **state)
{
	(void)state;
	assert_true(aborts(set_ok));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status__numbers_and_codes_are_unique),
		cmocka_unit_test(test_status__look_ups_give_the_row),
		cmocka_unit_test(test_status__values_are_in_range),
		cmocka_unit_test(test_status__retry_http_and_exit_agree),
		cmocka_unit_test(test_status__an_unlisted_value_is_internal),
		cmocka_unit_test(test_error_set__fills_all_and_returns_the_status),
		cmocka_unit_test(test_error_set__nobody_need_ask),
		cmocka_unit_test(test_error_native__keeps_the_code),
		cmocka_unit_test(test_error_set__a_long_text_is_cut_and_terminated),
		cmocka_unit_test(test_error_set__success_is_no_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
