/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include "base/buf.h"

static void assert_buf(const struct buf *b, const char *want)
{
	assert_int_equal(b->len, strlen(want));
	assert_true(str_eq(buf_get(b), (struct str){ want, strlen(want) }));
}

static void test_buf_put__fixed_fills_to_the_last_byte(void **state)
{
	char mem[5];
	struct buf b;

	(void)state;
	pawl__buf_init_fixed(&b, mem, 4);
	mem[4] = '!';
	buf_lit(&b, "abcd");
	assert_buf(&b, "abcd");
	assert_false(b.overflow);
	pawl__buf_putc(&b, 'e');
	assert_true(b.overflow);
	assert_buf(&b, "abcd");
	assert_int_equal(mem[4], '!');
	pawl__buf_deinit(&b);
}

static void test_buf_put__overflow_writes_nothing_and_latches(void **state)
{
	char mem[8];
	struct buf b;

	(void)state;
	pawl__buf_init_fixed(&b, mem, sizeof(mem));
	buf_lit(&b, "abcdef");
	buf_lit(&b, "ghi");
	assert_true(b.overflow);
	assert_buf(&b, "abcdef");
	pawl__buf_putc(&b, 'g');
	assert_buf(&b, "abcdef");
	assert_null(pawl__buf_reserve(&b, 1));
	pawl__buf_reset(&b);
	assert_false(b.overflow);
	buf_lit(&b, "12345678");
	assert_buf(&b, "12345678");
}

static void test_buf_put__heap_grows_to_its_ceiling_exactly(void **state)
{
	struct buf b;

	(void)state;
	pawl__buf_init(&b, 1000);
	assert_null(b.data);
	for (int i = 0; i < 1000; i++)
		pawl__buf_putc(&b, (char)('a' + i % 26));
	assert_false(b.overflow);
	assert_int_equal(b.len, 1000);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(b.data[i], 'a' + i % 26);
	pawl__buf_putc(&b, '!');
	assert_true(b.overflow);
	assert_int_equal(b.len, 1000);
	pawl__buf_deinit(&b);
	assert_null(b.data);
}

static void test_buf_put__nothing_is_always_welcome(void **state)
{
	struct buf b;

	(void)state;
	pawl__buf_init(&b, 0);
	pawl__buf_put(&b, NULL, 0);
	buf_str(&b, STR_NONE);
	assert_false(b.overflow);
	pawl__buf_putc(&b, 'x');
	assert_true(b.overflow);
	pawl__buf_deinit(&b);
}

static void test_buf_reserve__room_does_not_move_len(void **state)
{
	struct buf b;
	char *at;

	(void)state;
	pawl__buf_init(&b, 4096);
	buf_lit(&b, "ab");
	at = pawl__buf_reserve(&b, 600);
	assert_non_null(at);
	assert_ptr_equal(at, b.data + 2);
	memset(at, 'x', 600);
	assert_buf(&b, "ab");
	assert_null(pawl__buf_reserve(&b, SIZE_MAX));
	assert_true(b.overflow);
	pawl__buf_deinit(&b);
}

/* The header promises NULL only with the latch. */
static void test_buf_reserve__nothing_in_an_empty_buffer_is_no_overflow(void **state)
{
	struct buf b;

	(void)state;
	pawl__buf_init(&b, 64);
	assert_true(pawl__buf_reserve(&b, 0) != NULL || !b.overflow);
	pawl__buf_deinit(&b);
}

static void test_buf_i64__every_length_and_both_ends(void **state)
{
	static const struct {
		int64_t v;
		const char *want;
	} rows[] = {
		{ 0, "0" },
		{ 7, "7" },
		{ -1, "-1" },
		{ 10, "10" },
		{ -10, "-10" },
		{ 99, "99" },
		{ 1000000007, "1000000007" },
		{ INT64_MAX, "9223372036854775807" },
		{ INT64_MIN, "-9223372036854775808" },
	};
	char mem[32];
	struct buf b;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		pawl__buf_init_fixed(&b, mem, sizeof(mem));
		pawl__buf_i64(&b, rows[i].v);
		assert_buf(&b, rows[i].want);
	}
}

static void test_buf_u64__top_of_the_range(void **state)
{
	char mem[20];
	struct buf b;

	(void)state;
	pawl__buf_init_fixed(&b, mem, sizeof(mem));
	pawl__buf_u64(&b, UINT64_MAX);
	assert_buf(&b, "18446744073709551615");
}

/* No half of a number: the sign alone must not look like one. */
static void test_buf_i64__overflow_is_latched(void **state)
{
	char mem[3];
	struct buf b;

	(void)state;
	pawl__buf_init_fixed(&b, mem, sizeof(mem));
	pawl__buf_i64(&b, -100);
	assert_true(b.overflow);
}

static void test_buf_json__escapes_by_rfc_8259(void **state)
{
	static const struct {
		struct str s;
		const char *want;
	} rows[] = {
		{ { "", 0 }, "\"\"" },
		{ { NULL, 0 }, "\"\"" },
		{ { "plain", 5 }, "\"plain\"" },
		{ { "a\"b\\c/d", 7 }, "\"a\\\"b\\\\c/d\"" },
		{ { "\b\f\n\r\t", 5 }, "\"\\b\\f\\n\\r\\t\"" },
		{ { "\x00\x01\x1f", 3 }, "\"\\u0000\\u0001\\u001f\"" },
		{ { "\x7f", 1 }, "\"\x7f\"" },
		{ { "\xe2\x82\xac\xf0\x9f\x98\x80", 7 }, "\"\xe2\x82\xac\xf0\x9f\x98\x80\"" },
		{ { "\n", 1 }, "\"\\n\"" },
		{ { "\"x", 2 }, "\"\\\"x\"" },
		{ { "x\"", 2 }, "\"x\\\"\"" },
	};
	struct buf b;

	(void)state;
	pawl__buf_init(&b, 4096);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		pawl__buf_reset(&b);
		pawl__buf_json(&b, rows[i].s);
		assert_buf(&b, rows[i].want);
	}
	pawl__buf_deinit(&b);
}

static void test_buf_json__every_control_character_is_escaped(void **state)
{
	char mem[16];
	struct buf b;

	(void)state;
	for (int c = 0; c < 0x20; c++) {
		const char ch = (char)c;

		pawl__buf_init_fixed(&b, mem, sizeof(mem));
		pawl__buf_json(&b, (struct str){ &ch, 1 });
		assert_true(b.len == 4 || b.len == 8);
		for (size_t i = 0; i < b.len; i++)
			assert_true((unsigned char)b.data[i] >= 0x20);
	}
}

static void test_buf_shift__drops_the_front_and_keeps_the_rest(void **state)
{
	struct buf b;

	(void)state;
	pawl__buf_init(&b, 64);
	pawl__buf_shift(&b, 0);
	buf_lit(&b, "abcdef");
	pawl__buf_shift(&b, 0);
	assert_buf(&b, "abcdef");
	pawl__buf_shift(&b, 2);
	assert_buf(&b, "cdef");
	pawl__buf_shift(&b, 4);
	assert_buf(&b, "");
	pawl__buf_deinit(&b);
}

static void shift_too_far(void)
{
	char mem[4];
	struct buf b;

	pawl__buf_init_fixed(&b, mem, sizeof(mem));
	pawl__buf_shift(&b, 1);
}

static void test_buf_shift__past_the_end_is_a_bug(void **state)
{
	(void)state;
	assert_true(aborts(shift_too_far));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buf_put__fixed_fills_to_the_last_byte),
		cmocka_unit_test(test_buf_put__overflow_writes_nothing_and_latches),
		cmocka_unit_test(test_buf_put__heap_grows_to_its_ceiling_exactly),
		cmocka_unit_test(test_buf_put__nothing_is_always_welcome),
		cmocka_unit_test(test_buf_reserve__room_does_not_move_len),
		cmocka_unit_test(test_buf_reserve__nothing_in_an_empty_buffer_is_no_overflow),
		cmocka_unit_test(test_buf_i64__every_length_and_both_ends),
		cmocka_unit_test(test_buf_u64__top_of_the_range),
		cmocka_unit_test(test_buf_i64__overflow_is_latched),
		cmocka_unit_test(test_buf_json__escapes_by_rfc_8259),
		cmocka_unit_test(test_buf_json__every_control_character_is_escaped),
		cmocka_unit_test(test_buf_shift__drops_the_front_and_keeps_the_rest),
		cmocka_unit_test(test_buf_shift__past_the_end_is_a_bug),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
