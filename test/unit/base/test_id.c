/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include "base/id.h"
#include "base/rng.h"

static struct str id_of(struct buf *b, char mem[static ID_TEXT_LEN], int64_t number)
{
	pawl__buf_init_fixed(b, mem, ID_TEXT_LEN);
	pawl__id_format(b, number);
	assert_false(b->overflow);
	return buf_get(b);
}

static void test_id_format__known_texts(void **state)
{
	char mem[ID_TEXT_LEN];
	struct buf b;

	(void)state;
	assert_true(str_eq(id_of(&b, mem, 1), STR("0000000000001")));
	assert_true(str_eq(id_of(&b, mem, 31), STR("000000000000z")));
	assert_true(str_eq(id_of(&b, mem, 32), STR("0000000000010")));
	assert_true(str_eq(id_of(&b, mem, 32 * 32 + 18 * 32 + 19), STR("00000000001jk")));
	assert_true(str_eq(id_of(&b, mem, INT64_MAX), STR("7zzzzzzzzzzzz")));
}

static void test_id_parse__round_trip(void **state)
{
	char mem[ID_TEXT_LEN];
	struct buf b;
	struct rng r;
	int64_t got;

	(void)state;
	rng_init(&r, 11);
	for (unsigned bit = 0; bit < 63; bit++) {
		for (int i = 0; i < 200; i++) {
			const int64_t v = (int64_t)(pawl__rng_next(&r) >> 1 >> bit) | 1;

			assert_true(pawl__id_parse(id_of(&b, mem, v), &got));
			assert_true(got == v);
		}
	}
	assert_true(pawl__id_parse(id_of(&b, mem, INT64_MAX), &got));
	assert_true(got == INT64_MAX);
}

static void test_id_format__text_order_is_number_order(void **state)
{
	char mem[2][ID_TEXT_LEN];
	struct buf b;
	struct rng r;

	(void)state;
	rng_init(&r, 12);
	for (int i = 0; i < 10000; i++) {
		const int64_t x = (int64_t)(pawl__rng_next(&r) >> 1 >> i % 60) | 1;
		const int64_t y = (int64_t)(pawl__rng_next(&r) >> 1 >> i % 59) | 1;
		int order;

		(void)id_of(&b, mem[0], x);
		(void)id_of(&b, mem[1], y);
		order = memcmp(mem[0], mem[1], ID_TEXT_LEN);
		assert_int_equal((order > 0) - (order < 0), (x > y) - (x < y));
	}
}

static void test_id_parse__refuses_all_else_and_leaves_ret(void **state)
{
	static const struct str rows[] = {
		{ NULL, 0 },
		{ "", 0 },
		{ "000000000001", 12 },
		{ "00000000000001", 14 },
		{ "0000000000000", 13 }, /* zero is no number of a thing */
		{ "8000000000000", 13 }, /* 2^63 */
		{ "fzzzzzzzzzzzz", 13 }, /* 2^64 - 1 */
		{ "g000000000001", 13 }, /* wraps 64 bits to 1 */
		{ "zzzzzzzzzzzzz", 13 },
		{ "000000000000A", 13 }, /* upper case would be an alias */
		{ "000000000000i", 13 }, /* so would Crockford's readings of i, l and o */
		{ "000000000000l", 13 },
		{ "000000000000o", 13 },
		{ "000000000000u", 13 },
		{ "00000000000-1", 13 },
		{ " 000000000001", 13 },
		{ "000000000001 ", 13 },
		{ "000000000001\0", 13 },
		{ "\0"
		  "00000000001z",
		  13 },
		{ "00000000000\xc3\xa9", 13 },
	};
	int64_t r = -7;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_false(pawl__id_parse(rows[i], &r));
	assert_true(r == -7);
}

/* One text per number: of all bytes in the last place, 31 give a number, each another. */
static void test_id_parse__every_byte_in_every_place(void **state)
{
	(void)state;
	for (size_t place = 1; place < ID_TEXT_LEN; place++) {
		int accepted = 0;
		int64_t last = 0;

		for (int c = 0; c < 256; c++) {
			char text[] = "0000000000000";
			int64_t v;

			text[place] = (char)c;
			if (!pawl__id_parse((struct str){ text, ID_TEXT_LEN }, &v))
				continue;
			assert_true(v > last);
			last = v;
			accepted++;
		}
		assert_int_equal(accepted, 31);
	}
}

static void format_zero(void)
{
	char mem[ID_TEXT_LEN];
	struct buf b;

	(void)id_of(&b, mem, 0);
}

static void format_negative(void)
{
	char mem[ID_TEXT_LEN];
	struct buf b;

	(void)id_of(&b, mem, -1);
}

static void test_id_format__no_number_below_one(void **state)
{
	(void)state;
	assert_true(aborts(format_zero));
	assert_true(aborts(format_negative));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_id_format__known_texts),
		cmocka_unit_test(test_id_parse__round_trip),
		cmocka_unit_test(test_id_format__text_order_is_number_order),
		cmocka_unit_test(test_id_parse__refuses_all_else_and_leaves_ret),
		cmocka_unit_test(test_id_parse__every_byte_in_every_place),
		cmocka_unit_test(test_id_format__no_number_below_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
