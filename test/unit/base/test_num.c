/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include "base/num.h"

#define UNTOUCHED INT64_C(-77)

static struct str str_of(const char *s)
{
	return (struct str){ s, strlen(s) };
}

static void test_num_add__exact_or_untouched(void **state)
{
	int64_t r = UNTOUCHED;

	(void)state;
	assert_false(num_add(INT64_MAX, 1, &r));
	assert_false(num_add(INT64_MIN, -1, &r));
	assert_true(r == UNTOUCHED);
	assert_true(num_add(INT64_MAX, INT64_MIN, &r));
	assert_true(r == -1);
	assert_true(num_add(INT64_MAX - 1, 1, &r));
	assert_true(r == INT64_MAX);
}

static void test_num_sub__exact_or_untouched(void **state)
{
	int64_t r = UNTOUCHED;

	(void)state;
	assert_false(num_sub(0, INT64_MIN, &r));
	assert_false(num_sub(INT64_MIN, 1, &r));
	assert_false(num_sub(INT64_MAX, -1, &r));
	assert_true(r == UNTOUCHED);
	assert_true(num_sub(-1, INT64_MAX, &r));
	assert_true(r == INT64_MIN);
}

static void test_num_mul__exact_or_untouched(void **state)
{
	int64_t r = UNTOUCHED;

	(void)state;
	assert_false(num_mul(INT64_MIN, -1, &r));
	assert_false(num_mul(INT64_C(3037000500), INT64_C(3037000500), &r));
	assert_true(r == UNTOUCHED);
	assert_true(num_mul(INT64_C(3037000499), INT64_C(3037000499), &r));
	assert_true(r == INT64_C(9223372030926249001));
	assert_true(num_mul(INT64_MIN, 1, &r));
	assert_true(r == INT64_MIN);
}

static void test_num_size_add__exact_or_untouched(void **state)
{
	size_t r = 9;

	(void)state;
	assert_false(num_size_add(SIZE_MAX, 1, &r));
	assert_int_equal(r, 9);
	assert_true(num_size_add(SIZE_MAX - 1, 1, &r));
	assert_true(r == SIZE_MAX);
}

static void test_num_parse_i64__accepts_one_text_per_number(void **state)
{
	static const struct {
		const char *s;
		int64_t want;
	} rows[] = {
		{ "0", 0 },
		{ "1", 1 },
		{ "-1", -1 },
		{ "10", 10 },
		{ "-0", 0 }, /* JSON's grammar has it */
		{ "1234567890123456789", INT64_C(1234567890123456789) },
		{ "9223372036854775807", INT64_MAX },
		{ "-9223372036854775807", -INT64_MAX },
		{ "-9223372036854775808", INT64_MIN },
	};
	int64_t r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		r = UNTOUCHED;
		assert_true(pawl__num_parse_i64(str_of(rows[i].s), &r));
		assert_true(r == rows[i].want);
	}
}

static void test_num_parse_i64__refuses_all_else_and_leaves_ret(void **state)
{
	static const char *const rows[] = {
		"",
		"-",
		"+1",
		" 1",
		"1 ",
		"01",
		"-01",
		"00",
		"-00",
		"--1",
		"1-",
		"1.0",
		"1e3",
		"0x10",
		"\xd9\xa1",
		"9223372036854775808",
		"-9223372036854775809",
		"18446744073709551615",
		"18446744073709551616",
		"99999999999999999999999999",
	};
	int64_t r = UNTOUCHED;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_false(pawl__num_parse_i64(str_of(rows[i]), &r));
	assert_false(pawl__num_parse_i64(STR_NONE, &r));
	assert_false(pawl__num_parse_i64((struct str){ "1\0002", 3 }, &r));
	assert_true(r == UNTOUCHED);
}

static void test_num_parse_i64__reads_only_its_run_of_bytes(void **state)
{
	int64_t r;

	(void)state;
	assert_true(pawl__num_parse_i64((struct str){ "12345", 3 }, &r));
	assert_true(r == 123);
}

static void test_num_parse_u64__digits_that_fit(void **state)
{
	uint64_t r = 0;

	(void)state;
	assert_true(pawl__num_parse_u64(STR("18446744073709551615"), &r));
	assert_true(r == UINT64_MAX);
	assert_true(pawl__num_parse_u64(STR("00000000000000000000000000042"), &r));
	assert_true(r == 42);
	assert_true(pawl__num_parse_u64(STR("0"), &r));
	assert_true(r == 0);
}

static void test_num_parse_u64__refuses_all_else_and_leaves_ret(void **state)
{
	static const char *const rows[] = { "",
		                            "-1",
		                            "+1",
		                            " 1",
		                            "1 ",
		                            "1,2",
		                            "0x1",
		                            "/",
		                            ":",
		                            "18446744073709551616",
		                            "18446744073709551620",
		                            "184467440737095516150" };
	uint64_t r = 7;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_false(pawl__num_parse_u64(str_of(rows[i]), &r));
	assert_true(r == 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_num_add__exact_or_untouched),
		cmocka_unit_test(test_num_sub__exact_or_untouched),
		cmocka_unit_test(test_num_mul__exact_or_untouched),
		cmocka_unit_test(test_num_size_add__exact_or_untouched),
		cmocka_unit_test(test_num_parse_i64__accepts_one_text_per_number),
		cmocka_unit_test(test_num_parse_i64__refuses_all_else_and_leaves_ret),
		cmocka_unit_test(test_num_parse_i64__reads_only_its_run_of_bytes),
		cmocka_unit_test(test_num_parse_u64__digits_that_fit),
		cmocka_unit_test(test_num_parse_u64__refuses_all_else_and_leaves_ret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
