/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "store/sqlite/memtable.h"

#define ENTRIES 5000

static void fill(struct memtable *m, uint64_t seed, uint64_t mask)
{
	struct rng r;

	rng_init(&r, seed);
	for (int64_t seq = 1; seq <= ENTRIES; seq++) {
		assert_true(pawl__memtable_reserve(m, 1));
		pawl__memtable_add(m, pawl__rng_next(&r) & mask, seq, 100 + seq);
	}
}

static bool has(const struct memtable *m, uint64_t hash, int64_t seq)
{
	uint32_t cursor = MEMTABLE_START;
	const struct mem_entry *e;

	while ((e = pawl__memtable_find(m, hash, &cursor)) != NULL) {
		if (e->seq == seq)
			return true;
	}
	return false;
}

static void test_memtable_find__finds_all_and_nothing_else(void **state)
{
	struct memtable m = { .at = NULL };
	uint32_t cursor = MEMTABLE_START;
	struct rng r;

	(void)state;
	assert_null(pawl__memtable_find(&m, 1, &cursor));
	fill(&m, 1, UINT64_MAX);
	rng_init(&r, 1);
	for (int64_t seq = 1; seq <= ENTRIES; seq++)
		assert_true(has(&m, pawl__rng_next(&r), seq));
	for (int i = 0; i < ENTRIES; i++) {
		cursor = MEMTABLE_START;
		assert_null(pawl__memtable_find(&m, pawl__rng_next(&r), &cursor));
	}
	assert_int_equal(m.first_at_us, 101);
	assert_int_equal(m.last_at_us, 100 + ENTRIES);
	pawl__memtable_deinit(&m);
}

static void test_memtable_find__equal_hashes_come_oldest_first(void **state)
{
	struct memtable m = { .at = NULL };

	(void)state;
	fill(&m, 2, UINT64_C(0xf000000000000000)); /* 16 hashes, all at the end of the table too */
	for (uint64_t hash = 0; hash < 16; hash++) {
		uint32_t cursor = MEMTABLE_START;
		int64_t last = 0;
		const struct mem_entry *e;

		while ((e = pawl__memtable_find(&m, hash << 60, &cursor)) != NULL) {
			assert_true(e->seq > last);
			last = e->seq;
		}
		assert_true(last > 0);
	}
	pawl__memtable_deinit(&m);
}

static void test_memtable_walk__meets_each_once_nearly_in_signed_order(void **state)
{
	static bool seen[ENTRIES + 1];
	struct memtable m = { .at = NULL };
	const struct mem_entry *e;
	int64_t last = INT64_MIN;
	uint32_t slot = 0;
	int len = 0, descents = 0;

	(void)state;
	fill(&m, 3, UINT64_MAX);
	while ((e = pawl__memtable_walk(&m, &slot)) != NULL) {
		assert_false(seen[e->seq]);
		seen[e->seq] = true;
		descents += (int64_t)e->hash < last;
		last = (int64_t)e->hash;
		len++;
	}
	assert_int_equal(len, ENTRIES);
	/* A random order would have 50%. Seeded: always the same number. */
	assert_in_range(descents, 0, ENTRIES / 8);
	pawl__memtable_deinit(&m);
}

static void test_memtable_reset__forgets_and_can_be_filled_again(void **state)
{
	struct memtable m = { .at = NULL };
	struct rng r;

	(void)state;
	fill(&m, 4, UINT64_MAX);
	pawl__memtable_reset(&m);
	rng_init(&r, 4);
	assert_false(has(&m, pawl__rng_next(&r), 1));
	fill(&m, 5, UINT64_MAX);
	rng_init(&r, 5);
	assert_true(has(&m, pawl__rng_next(&r), 1));
	pawl__memtable_deinit(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memtable_find__finds_all_and_nothing_else),
		cmocka_unit_test(test_memtable_find__equal_hashes_come_oldest_first),
		cmocka_unit_test(test_memtable_walk__meets_each_once_nearly_in_signed_order),
		cmocka_unit_test(test_memtable_reset__forgets_and_can_be_filled_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
