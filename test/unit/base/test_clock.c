/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include <time.h>

#include "base/clock.h"

#define SECOND INT64_C(1000000)

static void assert_format(int64_t us, const char *want)
{
	char mem[64];
	struct buf b;

	pawl__buf_init_fixed(&b, mem, sizeof(mem) - 1);
	pawl__clock_format(&b, us);
	mem[b.len] = '\0';
	assert_string_equal(mem, want);
}

static void test_clock_format__known_dates(void **state)
{
	static const struct {
		int64_t s;
		const char *want;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00.000000Z" },
		{ 86399, "1970-01-01T23:59:59.000000Z" },
		{ 86400, "1970-01-02T00:00:00.000000Z" },
		{ 68169599, "1972-02-28T23:59:59.000000Z" },
		{ 68169600, "1972-02-29T00:00:00.000000Z" },
		{ 68256000, "1972-03-01T00:00:00.000000Z" },
		{ 951782400, "2000-02-29T00:00:00.000000Z" }, /* divisible by 400: leap */
		{ 951868800, "2000-03-01T00:00:00.000000Z" },
		{ 978307199, "2000-12-31T23:59:59.000000Z" },
		{ 1000000000, "2001-09-09T01:46:40.000000Z" },
		{ 1677628799, "2023-02-28T23:59:59.000000Z" },
		{ 1677628800, "2023-03-01T00:00:00.000000Z" },
		{ 1709164800, "2024-02-29T00:00:00.000000Z" },
		{ 1735689599, "2024-12-31T23:59:59.000000Z" },
		{ 2147483647, "2038-01-19T03:14:07.000000Z" },
		{ 2147483648, "2038-01-19T03:14:08.000000Z" },
		{ 4107542399, "2100-02-28T23:59:59.000000Z" }, /* divisible by 100: not leap */
		{ 4107542400, "2100-03-01T00:00:00.000000Z" },
		{ INT64_C(13574563200), "2400-02-29T00:00:00.000000Z" },
		{ INT64_C(253402300799), "9999-12-31T23:59:59.000000Z" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_format(rows[i].s * SECOND, rows[i].want);
}

static void test_clock_format__six_digits_of_microseconds(void **state)
{
	(void)state;
	assert_format(1, "1970-01-01T00:00:00.000001Z");
	assert_format(999999, "1970-01-01T00:00:00.999999Z");
	assert_format(1795243533000123, "2026-11-21T06:45:33.000123Z");
	assert_format(INT64_C(253402300799) * SECOND + 999999, "9999-12-31T23:59:59.999999Z");
}

/* Every day of eight centuries, against the C library. */
static void test_clock_format__every_day_agrees_with_libc(void **state)
{
	(void)state;
	for (int64_t day = 0; day < 365 * 800; day++) {
		const time_t t = (time_t)(day * 86400 + day % 86400);
		struct tm tm;
		char want[64];

		assert_non_null(gmtime_r(&t, &tm));
		assert_true(strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%S.000000Z", &tm) > 0);
		assert_format((int64_t)t * SECOND, want);
	}
}

static void format_negative(void)
{
	assert_format(-1, "");
}

static void format_year_10000(void)
{
	assert_format(INT64_C(253402300800) * SECOND, "");
}

static void test_clock_format__outside_its_years_is_a_bug(void **state)
{
	(void)state;
	assert_true(aborts(format_negative));
	assert_true(aborts(format_year_10000));
}

static void test_clock_mono__never_goes_back(void **state)
{
	int64_t last = pawl__clock_mono_us();

	(void)state;
	for (int i = 0; i < 10000; i++) {
		const int64_t now = pawl__clock_mono_us();

		assert_true(now >= last);
		last = now;
	}
}

static void test_clock_real__is_between_two_readings_of_time(void **state)
{
	const int64_t before = (int64_t)time(NULL);
	const int64_t us = pawl__clock_real_us();

	(void)state;
	/* time(2) may lag by a tick. */
	assert_true(us / SECOND >= before);
	assert_true(us / SECOND <= (int64_t)time(NULL) + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clock_format__known_dates),
		cmocka_unit_test(test_clock_format__six_digits_of_microseconds),
		cmocka_unit_test(test_clock_format__every_day_agrees_with_libc),
		cmocka_unit_test(test_clock_format__outside_its_years_is_a_bug),
		cmocka_unit_test(test_clock_mono__never_goes_back),
		cmocka_unit_test(test_clock_real__is_between_two_readings_of_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
