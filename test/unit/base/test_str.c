/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include "base/compiler.h"
#include "base/str.h"

static void test_str_eq__length_and_bytes(void **state)
{
	(void)state;
	assert_true(str_eq(STR("abc"), (struct str){ "abcd", 3 }));
	assert_false(str_eq(STR("abc"), STR("abd")));
	assert_false(str_eq(STR("abc"), STR("ab")));
	assert_true(str_eq(STR_NONE, STR("")));
	assert_true(str_eq(STR("a\0b"), (struct str){ "a\0b", 3 }));
	assert_false(str_eq(STR("a\0b"), STR("a\0c")));
}

static void test_str_starts__prefix_of_any_length(void **state)
{
	(void)state;
	assert_true(str_starts(STR("stock:tea"), STR("stock:")));
	assert_true(str_starts(STR("stock:"), STR("stock:")));
	assert_true(str_starts(STR("x"), STR("")));
	assert_true(str_starts(STR_NONE, STR("")));
	assert_true(str_starts(STR("x"), STR_NONE));
	assert_true(str_starts(STR_NONE, STR_NONE));
	assert_false(str_starts(STR("stock"), STR("stock:")));
	assert_false(str_starts(STR("Stock:tea"), STR("stock:")));
}

static void test_str_visible__bounds_of_length(void **state)
{
	(void)state;
	assert_false(pawl__str_visible(STR(""), 4, true));
	assert_true(pawl__str_visible(STR("a"), 4, true));
	assert_true(pawl__str_visible(STR("abcd"), 4, true));
	assert_false(pawl__str_visible(STR("abcde"), 4, true));
}

static void test_str_visible__every_byte(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		const char text[3] = { 'a', (char)c, 'z' };
		const bool visible = c > 0x20 && c < 0x7f;

		assert_int_equal(pawl__str_visible((struct str){ text, 3 }, 3, true), visible);
		assert_int_equal(pawl__str_visible((struct str){ text, 3 }, 3, false),
		                 visible && c != '/');
	}
}

static void test_str_utf8__well_formed_is_accepted(void **state)
{
	static const char *const rows[] = {
		"",
		"ascii \x01\x7f",
		"\xc2\x80",
		"\xdf\xbf",
		"\xe0\xa0\x80",
		"\xe1\x80\x80",
		"\xec\xbf\xbf",
		"\xed\x80\x80",
		"\xed\x9f\xbf",     /* U+D7FF, the last before the surrogates */
		"\xee\x80\x80",     /* U+E000, the first after them */
		"\xef\xbf\xbf",     /* a noncharacter is still a scalar value */
		"\xf0\x90\x80\x80", /* U+10000 */
		"\xf3\xbf\xbf\xbf",
		"\xf4\x8f\xbf\xbf", /* U+10FFFF */
		"a\xc3\xa9z\xe2\x82\xac\xf0\x9f\x98\x80!",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_true(pawl__str_utf8((struct str){ rows[i], strlen(rows[i]) }));
	assert_true(pawl__str_utf8(STR_NONE));
	assert_true(pawl__str_utf8((struct str){ "a\0b", 3 }));
}

static void test_str_utf8__ill_formed_is_refused(void **state)
{
	static const char *const rows[] = {
		"\x80",
		"\xbf",
		"a\x80z",
		"\xc0\x80", /* overlong NUL */
		"\xc0\xaf", /* overlong '/' */
		"\xc1\xbf",
		"\xc2",
		"\xc2z",
		"\xc2\xc2",
		"\xe0\x80\x80",
		"\xe0\x9f\xbf",
		"\xe2\x82",
		"\xe2\x82z",
		"\xe2\x28\xa1",
		"\xed\xa0\x80", /* U+D800 */
		"\xed\xbf\xbf", /* U+DFFF */
		"\xed\xa0\xbd\xed\xb8\x80",
		"\xf0\x80\x80\x80",
		"\xf0\x8f\xbf\xbf",
		"\xf0\x9f\x98",
		"\xf0\x9f\x98z",
		"\xf4\x90\x80\x80", /* U+110000 */
		"\xf5\x80\x80\x80",
		"\xf8\x88\x80\x80\x80",
		"\xfc\x84\x80\x80\x80\x80",
		"\xfe",
		"\xff",
		"ok\xff",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_false(pawl__str_utf8((struct str){ rows[i], strlen(rows[i]) }));
}

/* All 2- and 3-byte strings that start with a lead byte, against the definition. */
static void test_str_utf8__all_two_and_three_byte_sequences(void **state)
{
	(void)state;
	for (unsigned v = 0xc000; v <= 0xffff; v++) {
		const unsigned char a = (unsigned char)(v >> 8), b = (unsigned char)v;
		const char two[2] = { (char)a, (char)b };
		const bool tail = b >= 0x80 && b <= 0xbf;
		const unsigned two_cp = (a & 0x1fu) << 6 | (b & 0x3fu);

		assert_int_equal(pawl__str_utf8((struct str){ two, 2 }),
		                 tail && a <= 0xdf && two_cp >= 0x80);
		for (unsigned c = 0x7f; c <= 0xc0; c++) {
			const char three[3] = { (char)a, (char)b, (char)c };
			const unsigned cp = (a & 0xfu) << 12 | (b & 0x3fu) << 6 | (c & 0x3fu);
			const bool tails = tail && c >= 0x80 && c <= 0xbf;
			const bool fits = a >= 0xe0 && a <= 0xef && tails && cp >= 0x800 &&
			                  (cp < 0xd800 || cp > 0xdfff);
			const bool two_one = tail && a <= 0xdf && two_cp >= 0x80 && c < 0x80;

			assert_int_equal(pawl__str_utf8((struct str){ three, 3 }), fits || two_one);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_str_eq__length_and_bytes),
		cmocka_unit_test(test_str_starts__prefix_of_any_length),
		cmocka_unit_test(test_str_visible__bounds_of_length),
		cmocka_unit_test(test_str_visible__every_byte),
		cmocka_unit_test(test_str_utf8__well_formed_is_accepted),
		cmocka_unit_test(test_str_utf8__ill_formed_is_refused),
		cmocka_unit_test(test_str_utf8__all_two_and_three_byte_sequences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
