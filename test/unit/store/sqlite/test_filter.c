/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "store/sqlite/filter.h"

#define KEYS 20000u

static void test_filter_maybe__every_added_key_passes(void **state)
{
	struct filter f;
	struct rng r;

	(void)state;
	assert_true(pawl__filter_init(&f, KEYS));
	rng_init(&r, 1);
	for (uint32_t i = 0; i < KEYS; i++)
		pawl__filter_add(&f, pawl__rng_next(&r));
	rng_init(&r, 1);
	for (uint32_t i = 0; i < KEYS; i++)
		assert_true(pawl__filter_maybe(&f, pawl__rng_next(&r)));
	pawl__filter_deinit(&f);
}

static void test_filter_maybe__other_keys_pass_rarely(void **state)
{
	struct filter f;
	struct rng r;
	uint32_t passed = 0;

	(void)state;
	assert_true(pawl__filter_init(&f, KEYS));
	rng_init(&r, 2);
	for (uint32_t i = 0; i < KEYS; i++)
		pawl__filter_add(&f, pawl__rng_next(&r));
	for (uint32_t i = 0; i < 10 * KEYS; i++)
		passed += pawl__filter_maybe(&f, pawl__rng_next(&r));
	/* Seeded, so the number is always the same: about 0.6%. */
	assert_in_range(passed, 1, 10 * KEYS / 66);
	pawl__filter_deinit(&f);
}

static void test_filter_restore__stored_bytes_are_the_same_filter(void **state)
{
	struct filter f, g;
	struct rng r;

	(void)state;
	assert_true(pawl__filter_init(&f, 100));
	rng_init(&r, 3);
	for (int i = 0; i < 100; i++)
		pawl__filter_add(&f, pawl__rng_next(&r));
	assert_true(pawl__filter_restore(&g, f.block, filter_len(&f)));
	for (int i = 0; i < 10000; i++) {
		const uint64_t h = pawl__rng_next(&r);

		assert_int_equal(pawl__filter_maybe(&f, h), pawl__filter_maybe(&g, h));
	}
	assert_false(pawl__filter_restore(&g, f.block, 0));
	assert_false(pawl__filter_restore(&g, f.block, filter_len(&f) - 1));
	pawl__filter_deinit(&f);
	pawl__filter_deinit(&g);
}

static void test_filter_maybe__no_filter_hides_nothing(void **state)
{
	const struct filter f = { .block = NULL };

	(void)state;
	assert_true(pawl__filter_maybe(&f, 0));
	assert_true(pawl__filter_maybe(&f, UINT64_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filter_maybe__every_added_key_passes),
		cmocka_unit_test(test_filter_maybe__other_keys_pass_rarely),
		cmocka_unit_test(test_filter_restore__stored_bytes_are_the_same_filter),
		cmocka_unit_test(test_filter_maybe__no_filter_hides_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
