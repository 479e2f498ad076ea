/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include "base/compiler.h"
#include "base/hist.h"
#include "base/rng.h"

#define VALUES 20000

static int by_value(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* The smallest value that at least the share num/den of v do not exceed; v is sorted, n > 0. */
static uint64_t exact_quantile(const uint64_t *v, uint64_t n, uint64_t num, uint64_t den)
{
	const uint64_t want = (n * num + den - 1) / den;

	return v[want == 0 ? 0 : want - 1];
}

/* What the header promises: not below the exact value, and at most 1/32 above it. */
static void assert_close(uint64_t got, uint64_t exact)
{
	assert_true(got >= exact);
	assert_true(got - exact <= exact / 32);
}

static void test_hist_quantile__empty_is_zero(void **state)
{
	static const struct hist h;

	(void)state;
	assert_int_equal(pawl__hist_quantile(&h, 0), 0);
	assert_int_equal(pawl__hist_quantile(&h, 1), 0);
	assert_int_equal(pawl__hist_count_le(&h, UINT64_MAX), 0);
}

static void test_hist_quantile__one_value_is_every_quantile(void **state)
{
	static const uint64_t values[] = { 0,
		                           1,
		                           31,
		                           32,
		                           33,
		                           63,
		                           64,
		                           65,
		                           1000,
		                           1023,
		                           1024,
		                           123456789,
		                           UINT64_C(1) << 62,
		                           INT64_MAX,
		                           UINT64_C(1) << 63,
		                           UINT64_MAX - 1,
		                           UINT64_MAX };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		struct hist h = { 0 };

		pawl__hist_put(&h, values[i]);
		assert_true(pawl__hist_quantile(&h, 0) == values[i]);
		assert_true(pawl__hist_quantile(&h, 0.5) == values[i]);
		assert_true(pawl__hist_quantile(&h, 1) == values[i]);
		assert_true(h.max == values[i] && h.count == 1 && h.sum == values[i]);
	}
}

static void test_hist_put__small_values_are_exact(void **state)
{
	struct hist h = { 0 };

	(void)state;
	for (uint64_t v = 0; v < 64; v++)
		pawl__hist_put(&h, v);
	for (uint64_t v = 0; v < 64; v++)
		assert_int_equal(pawl__hist_count_le(&h, v), v + 1);
	assert_int_equal(pawl__hist_quantile(&h, 0.5), 31);
}

/* The bound of each value's bucket, seen through a quantile below the largest value. */
static void test_hist_put__every_octave_keeps_its_bound(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 64; bit++) {
		for (int step = -1; step <= 1; step++) {
			const uint64_t v = (UINT64_C(1) << bit) + (uint64_t)step;
			struct hist h = { 0 };

			if (v == UINT64_MAX)
				continue;
			pawl__hist_put(&h, v);
			pawl__hist_put(&h, UINT64_MAX);
			assert_close(pawl__hist_quantile(&h, 0.5), v);
		}
	}
}

static void assert_quantiles(const struct hist *h, uint64_t *v, uint64_t n)
{
	static const uint64_t permille[] = { 0, 1, 10, 250, 500, 750, 900, 950, 990, 999, 1000 };

	qsort(v, n, sizeof(*v), by_value);
	for (size_t i = 0; i < ARRAY_LEN(permille); i++)
		assert_close(pawl__hist_quantile(h, (double)permille[i] / 1000),
		             exact_quantile(v, n, permille[i], 1000));
	assert_true(pawl__hist_quantile(h, 1) == v[n - 1]);
}

static void test_hist_quantile__agrees_with_sorted_arrays(void **state)
{
	static uint64_t v[VALUES];
	struct rng r;

	(void)state;
	rng_init(&r, 1);
	for (unsigned shift = 0; shift < 64; shift += 7) {
		struct hist h = { 0 };

		for (size_t i = 0; i < VALUES; i++) {
			/* Values of many magnitudes, as latencies are. */
			v[i] = pawl__rng_next(&r) >> shift >> pawl__rng_below(&r, 16);
			pawl__hist_put(&h, v[i]);
		}
		assert_int_equal(h.count, VALUES);
		assert_quantiles(&h, v, VALUES);
	}
}

static void test_hist_quantile__exact_ranks_of_few_values(void **state)
{
	struct hist h = { 0 };

	(void)state;
	for (uint64_t v = 1; v <= 10; v++)
		pawl__hist_put(&h, v);
	for (uint64_t i = 1; i <= 10; i++)
		assert_int_equal(pawl__hist_quantile(&h, (double)i / 10), i);
	assert_int_equal(pawl__hist_quantile(&h, 0), 1);
	assert_int_equal(pawl__hist_quantile(&h, 0.11), 2);
	assert_int_equal(pawl__hist_quantile(&h, 0.91), 10);
}

static void test_hist_merge__is_as_if_one_had_seen_all(void **state)
{
	struct hist all = { 0 }, a = { 0 }, b = { 0 };
	struct rng r;

	(void)state;
	rng_init(&r, 3);
	for (int i = 0; i < 5000; i++) {
		const uint64_t v = pawl__rng_below(&r, 1000000);

		pawl__hist_put(&all, v);
		pawl__hist_put(i % 3 == 0 ? &a : &b, v);
	}
	pawl__hist_merge(&a, &b);
	assert_memory_equal(&a, &all, sizeof(all));
}

static void test_hist_count_le__never_over_and_exact_at_bounds(void **state)
{
	static uint64_t v[VALUES];
	struct hist h = { 0 };
	struct rng r;
	uint64_t last = 0;

	(void)state;
	rng_init(&r, 5);
	for (size_t i = 0; i < VALUES; i++) {
		v[i] = pawl__rng_below(&r, 100000);
		pawl__hist_put(&h, v[i]);
	}
	qsort(v, VALUES, sizeof(*v), by_value);
	for (uint64_t at = 0, i = 0; at < 100001; at += 37) {
		const uint64_t n = pawl__hist_count_le(&h, at);

		while (i < VALUES && v[i] <= at)
			i++;
		assert_true(n <= i);
		assert_true(n >= last);
		last = n;
	}
	/* 2^k - 1 is the bound of a bucket. */
	for (unsigned bit = 5; bit < 17; bit++) {
		const uint64_t bound = (UINT64_C(1) << bit) - 1;
		uint64_t n = 0;

		while (n < VALUES && v[n] <= bound)
			n++;
		assert_int_equal(pawl__hist_count_le(&h, bound), n);
	}
	assert_int_equal(pawl__hist_count_le(&h, UINT64_MAX), VALUES);
}

static void quantile_above_one(void)
{
	static const struct hist h;

	(void)pawl__hist_quantile(&h, 1.001);
}

static void test_hist_quantile__outside_0_1_is_a_bug(void **state)
{
	(void)state;
	assert_true(aborts(quantile_above_one));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hist_quantile__empty_is_zero),
		cmocka_unit_test(test_hist_quantile__one_value_is_every_quantile),
		cmocka_unit_test(test_hist_put__small_values_are_exact),
		cmocka_unit_test(test_hist_put__every_octave_keeps_its_bound),
		cmocka_unit_test(test_hist_quantile__agrees_with_sorted_arrays),
		cmocka_unit_test(test_hist_quantile__exact_ranks_of_few_values),
		cmocka_unit_test(test_hist_merge__is_as_if_one_had_seen_all),
		cmocka_unit_test(test_hist_count_le__never_over_and_exact_at_bounds),
		cmocka_unit_test(test_hist_quantile__outside_0_1_is_a_bug),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
