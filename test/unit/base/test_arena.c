/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include "base/arena.h"

static void test_arena_init__nothing_is_allocated(void **state)
{
	struct arena a;

	(void)state;
	pawl__arena_init(&a, 64, 128);
	assert_int_equal(a.used, 0);
	assert_false(a.failed);
	pawl__arena_deinit(&a);
}

static void init_with_block_over_max(void)
{
	struct arena a;

	pawl__arena_init(&a, 129, 128);
}

static void init_with_no_block(void)
{
	struct arena a;

	pawl__arena_init(&a, 0, 128);
}

static void test_arena_init__bad_sizes_are_a_bug(void **state)
{
	(void)state;
	assert_true(aborts(init_with_block_over_max));
	assert_true(aborts(init_with_no_block));
}

static void test_arena_alloc__every_size_is_aligned_and_apart(void **state)
{
	struct arena a;
	unsigned char *p[100];

	(void)state;
	pawl__arena_init(&a, 256, 1 << 20);
	for (size_t i = 0; i < 100; i++) {
		p[i] = pawl__arena_alloc(&a, i);
		assert_non_null(p[i]);
		assert_int_equal((uintptr_t)p[i] % 16, 0);
		memset(p[i], (int)i, i);
	}
	for (size_t i = 0; i < 100; i++) {
		for (size_t j = 0; j < i; j++)
			assert_int_equal(p[i][j], i);
	}
	assert_false(a.failed);
	pawl__arena_deinit(&a);
}

static void test_arena_alloc__ceiling_is_inclusive_and_failure_latches(void **state)
{
	struct arena a;

	(void)state;
	pawl__arena_init(&a, 64, 128);
	assert_non_null(pawl__arena_alloc(&a, 64));
	assert_non_null(pawl__arena_alloc(&a, 64));
	assert_int_equal(a.used, 128);
	assert_false(a.failed);
	assert_null(pawl__arena_alloc(&a, 1));
	assert_true(a.failed);
	pawl__arena_reset(&a);
	assert_false(a.failed);
	assert_non_null(pawl__arena_alloc(&a, 1));
	pawl__arena_deinit(&a);
}

static void test_arena_alloc__a_spare_block_is_not_in_the_way(void **state)
{
	struct arena a;

	(void)state;
	pawl__arena_init(&a, 64, 128);
	for (int i = 0; i < 3; i++) {
		assert_non_null(pawl__arena_alloc(&a, 128));
		pawl__arena_reset(&a);
		assert_non_null(pawl__arena_alloc(&a, 64));
		pawl__arena_reset(&a);
		assert_int_equal(a.used, 64);
	}
	assert_false(a.failed);
	pawl__arena_deinit(&a);
}

static void test_arena_alloc__larger_than_a_block_gets_its_own(void **state)
{
	struct arena a;
	unsigned char *big, *small;

	(void)state;
	pawl__arena_init(&a, 64, 4096);
	small = pawl__arena_alloc(&a, 16);
	big = pawl__arena_alloc(&a, 1000);
	assert_non_null(small);
	assert_non_null(big);
	memset(big, 0xff, 1000);
	assert_non_null(pawl__arena_alloc(&a, 16));
	pawl__arena_deinit(&a);
	assert_int_equal(a.used, 0);
}

static void test_arena_alloc__a_refused_size_does_not_end_the_arena(void **state)
{
	struct arena a;

	(void)state;
	pawl__arena_init(&a, 64, 128);
	assert_null(pawl__arena_alloc(&a, 129));
	assert_true(a.failed);
	assert_non_null(pawl__arena_alloc(&a, 64));
	assert_true(a.failed);
	pawl__arena_deinit(&a);
}

static void test_arena_alloc__sizes_that_wrap_are_refused(void **state)
{
	static const size_t lens[] = { SIZE_MAX, SIZE_MAX - 14, SIZE_MAX - 15 };
	struct arena a;

	(void)state;
	pawl__arena_init(&a, 64, SIZE_MAX);
	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		a.failed = false;
		assert_null(pawl__arena_alloc(&a, lens[i]));
		assert_true(a.failed);
	}
	a.failed = false;
	assert_null(pawl__arena_zero_array(&a, SIZE_MAX / 2, 3));
	assert_true(a.failed);
	pawl__arena_deinit(&a);
}

static void test_arena_zero__memory_used_before_is_zeroed(void **state)
{
	struct arena a;

	(void)state;
	pawl__arena_init(&a, 256, 256);
	memset(pawl__arena_alloc(&a, 256), 0xff, 256);
	pawl__arena_reset(&a);
	for (int i = 0; i < 4; i++) {
		const uint64_t *p = arena_array(&a, uint64_t, 8);

		assert_non_null(p);
		for (size_t j = 0; j < 8; j++)
			assert_true(p[j] == 0);
	}
	pawl__arena_deinit(&a);
}

static void test_arena_str__copy_is_terminated_and_its_own(void **state)
{
	char text[] = "capture";
	struct arena a;
	struct str s, none;

	(void)state;
	pawl__arena_init(&a, 64, 64);
	s = pawl__arena_str(&a, (struct str){ text, 4 });
	text[0] = 'X';
	assert_int_equal(s.len, 4);
	assert_string_equal(s.ptr, "capt");
	none = pawl__arena_str(&a, STR_NONE);
	assert_int_equal(none.len, 0);
	assert_string_equal(none.ptr, "");
	none = pawl__arena_str(&a, (struct str){ text, 7 });
	assert_non_null(none.ptr);
	none = pawl__arena_str(&a, (struct str){ "0123456789abcdef0123", 20 });
	assert_null(none.ptr);
	assert_true(a.failed);
	pawl__arena_deinit(&a);
}

static void test_arena_reset__one_block_of_work_allocates_once(void **state)
{
	struct arena a;
	const void *first;

	(void)state;
	pawl__arena_init(&a, 256, 4096);
	first = pawl__arena_alloc(&a, 100);
	for (int i = 0; i < 10; i++) {
		pawl__arena_reset(&a);
		assert_int_equal(a.used, 256);
		assert_ptr_equal(pawl__arena_alloc(&a, 100), first);
	}
	pawl__arena_deinit(&a);
}

static void test_arena_reset__a_burst_is_given_back(void **state)
{
	struct arena a;

	(void)state;
	pawl__arena_init(&a, 256, 1 << 20);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 100; i++)
			assert_non_null(pawl__arena_alloc(&a, 200));
		assert_non_null(pawl__arena_alloc(&a, 10000));
		assert_true(a.used >= 100 * 256 + 10000);
		pawl__arena_reset(&a);
		assert_int_equal(a.used, 256);
	}
	pawl__arena_deinit(&a);
}

static void test_arena_reset__keeps_a_block_whatever_the_order(void **state)
{
	struct arena a;

	(void)state;
	pawl__arena_init(&a, 64, 4096);
	assert_non_null(pawl__arena_alloc(&a, 1000));
	assert_non_null(pawl__arena_alloc(&a, 10));
	pawl__arena_reset(&a);
	assert_int_equal(a.used, 64);
	pawl__arena_deinit(&a);
}

static void test_arena_keep__a_reset_keeps_that_much(void **state)
{
	struct arena a;

	(void)state;
	pawl__arena_init(&a, 64, 4096);
	pawl__arena_keep(&a, 200);
	for (int i = 0; i < 10; i++)
		assert_non_null(pawl__arena_alloc(&a, 64));
	assert_int_equal(a.used, 640);
	pawl__arena_reset(&a);
	assert_int_equal(a.used, 192);
	for (int i = 0; i < 3; i++)
		assert_non_null(pawl__arena_alloc(&a, 64));
	assert_int_equal(a.used, 192);
	assert_non_null(pawl__arena_alloc(&a, 64));
	assert_int_equal(a.used, 256);
	pawl__arena_keep(&a, 0);
	pawl__arena_reset(&a);
	assert_int_equal(a.used, 0);
	pawl__arena_deinit(&a);
}

/* After a reset that kept a spare, work that never takes it must leave it be. */
static void test_arena_reset__spare_and_large_blocks_do_not_mix(void **state)
{
	struct arena a;

	(void)state;
	pawl__arena_init(&a, 64, 4096);
	assert_non_null(pawl__arena_alloc(&a, 10));
	pawl__arena_reset(&a);
	assert_non_null(pawl__arena_alloc(&a, 1000));
	pawl__arena_reset(&a);
	assert_int_equal(a.used, 64);
	pawl__arena_reset(&a);
	assert_int_equal(a.used, 64);
	assert_non_null(pawl__arena_alloc(&a, 10));
	assert_int_equal(a.used, 64);
	pawl__arena_deinit(&a);
}

/* Seeded work against the ceiling: what was handed out never overlaps and used is what it says. */
static void test_arena__random_work_keeps_contents_and_ceiling(void **state)
{
	struct arena a;
	uint32_t x = 12345;

	(void)state;
	pawl__arena_init(&a, 512, 16384);
	for (int round = 0; round < 200; round++) {
		unsigned char *p[64];
		size_t len[64], n = 0;

		while (n < 64) {
			x = x * 1664525u + 1013904223u;
			len[n] = (x >> 16) % 700;
			p[n] = pawl__arena_alloc(&a, len[n]);
			if (p[n] == NULL)
				break;
			memset(p[n], (int)n, len[n]);
			n++;
		}
		assert_true(a.used <= a.max);
		for (size_t i = 0; i < n; i++) {
			for (size_t j = 0; j < len[i]; j++)
				assert_int_equal(p[i][j], i);
		}
		pawl__arena_reset(&a);
	}
	pawl__arena_deinit(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arena_init__nothing_is_allocated),
		cmocka_unit_test(test_arena_init__bad_sizes_are_a_bug),
		cmocka_unit_test(test_arena_alloc__every_size_is_aligned_and_apart),
		cmocka_unit_test(test_arena_alloc__ceiling_is_inclusive_and_failure_latches),
		cmocka_unit_test(test_arena_alloc__a_spare_block_is_not_in_the_way),
		cmocka_unit_test(test_arena_alloc__larger_than_a_block_gets_its_own),
		cmocka_unit_test(test_arena_alloc__a_refused_size_does_not_end_the_arena),
		cmocka_unit_test(test_arena_alloc__sizes_that_wrap_are_refused),
		cmocka_unit_test(test_arena_zero__memory_used_before_is_zeroed),
		cmocka_unit_test(test_arena_str__copy_is_terminated_and_its_own),
		cmocka_unit_test(test_arena_reset__one_block_of_work_allocates_once),
		cmocka_unit_test(test_arena_reset__a_burst_is_given_back),
		cmocka_unit_test(test_arena_reset__keeps_a_block_whatever_the_order),
		cmocka_unit_test(test_arena_keep__a_reset_keeps_that_much),
		cmocka_unit_test(test_arena_reset__spare_and_large_blocks_do_not_mix),
		cmocka_unit_test(test_arena__random_work_keeps_contents_and_ceiling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
