/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include "base/compiler.h"
#include "base/rng.h"

static void test_rng_next__reference_sequence(void **state)
{
	/* Published outputs of SplitMix64 for this seed. */
	static const uint64_t want[] = {
		UINT64_C(6457827717110365317),  UINT64_C(3203168211198807973),
		UINT64_C(9817491932198370423),  UINT64_C(4593380528125082431),
		UINT64_C(16408922859458223821),
	};
	struct rng r;

	(void)state;
	rng_init(&r, 1234567);
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		assert_true(pawl__rng_next(&r) == want[i]);
}

static void test_rng_next__a_seed_is_a_sequence(void **state)
{
	struct rng a, b, c;
	int differ = 0;

	(void)state;
	rng_init(&a, 0);
	rng_init(&b, 0);
	rng_init(&c, 1);
	for (int i = 0; i < 1000; i++) {
		const uint64_t v = pawl__rng_next(&a);

		assert_true(v == pawl__rng_next(&b));
		differ += v != pawl__rng_next(&c);
	}
	assert_int_equal(differ, 1000);
}

static void test_rng_below__stays_below_every_bound(void **state)
{
	static const uint64_t bounds[] = {
		1, 2, 3, 10, 1000003, UINT64_C(1) << 63, (UINT64_C(1) << 63) + 1, UINT64_MAX
	};
	struct rng r;

	(void)state;
	rng_init(&r, 42);
	for (size_t i = 0; i < ARRAY_LEN(bounds); i++) {
		for (int n = 0; n < 1000; n++)
			assert_true(pawl__rng_below(&r, bounds[i]) < bounds[i]);
	}
}

/* Seeded, so not flaky: each of six sides within five standard deviations of its share. */
static void test_rng_below__is_even(void **state)
{
	uint64_t seen[6] = { 0 };
	struct rng r;

	(void)state;
	rng_init(&r, 7);
	for (int i = 0; i < 600000; i++)
		seen[pawl__rng_below(&r, 6)]++;
	for (int i = 0; i < 6; i++)
		assert_in_range(seen[i], 100000 - 1445, 100000 + 1445);
}

/* With this bound a product without rejection would give the low half of [0, bound) twice as often
 * as it should: its average would be 5/12, not 1/2. */
static void test_rng_below__is_even_where_the_bound_divides_badly(void **state)
{
	const uint64_t bound = (UINT64_C(1) << 63) / 2 * 3;
	uint64_t low = 0;
	struct rng r;

	(void)state;
	rng_init(&r, 9);
	for (int i = 0; i < 90000; i++)
		low += pawl__rng_below(&r, bound) % 3 == 0;
	assert_in_range(low, 30000 - 710, 30000 + 710);
}

static void below_nothing(void)
{
	struct rng r;

	rng_init(&r, 1);
	(void)pawl__rng_below(&r, 0);
}

static void test_rng_below__zero_is_a_bug(void **state)
{
	(void)state;
	assert_true(aborts(below_nothing));
}

static void test_rng_os__does_not_repeat(void **state)
{
	const uint64_t a = pawl__rng_os(), b = pawl__rng_os(), c = pawl__rng_os();

	(void)state;
	assert_true(a != b && b != c && a != c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rng_next__reference_sequence),
		cmocka_unit_test(test_rng_next__a_seed_is_a_sequence),
		cmocka_unit_test(test_rng_below__stays_below_every_bound),
		cmocka_unit_test(test_rng_below__is_even),
		cmocka_unit_test(test_rng_below__is_even_where_the_bound_divides_badly),
		cmocka_unit_test(test_rng_below__zero_is_a_bug),
		cmocka_unit_test(test_rng_os__does_not_repeat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
