/* SPDX-License-Identifier: Apache-2.0 */
#include "../../base/harness.h"

#include <stdio.h>

#include "base/compiler.h"
#include "tiny.h"

#define RANDOM_HISTORIES 20000 /* of each shape */
#define SUBSET_HISTORIES 3000  /* of each shape, under every set of reductions that is tried */

static struct lin_search *search;

static int search_open(void **state)
{
	struct pawl_error err;

	(void)state;
	return pawl__lin_search_new(&search, &err) == PAWL_OK ? 0 : -1;
}

static int search_close(void **state)
{
	(void)state;
	pawl__lin_search_free(search);
	return 0;
}

static void assert_agrees(const struct tiny *t, unsigned reductions)
{
	const bool want = tiny_judge(t);
	const enum lin_verdict got = tiny_search(search, t, reductions);

	if (got == (want ? LIN_VALID : LIN_INVALID))
		return;
	tiny_print(t);
	fail_msg("reductions %#x: the search says %s", reductions,
	         got == LIN_VALID ? "valid" : "invalid");
}

/* Every history of `ops` operations, all kinds of each out of `kinds`, in every order of starts and
 * returns, returning or not. Operations are named in the order of their starts. */
struct every {
	const struct lin_step *kinds;
	uint32_t kinds_len;
	struct tiny t;
	uint32_t open;  /* set of operations */
	uint64_t count, valid;
};

static void every_kind(struct every *e, uint32_t op)
{
	uint32_t k;

	if (op == e->t.ops) {
		tiny_index(&e->t);
		assert_agrees(&e->t, LIN_ALL);
		e->count++;
		e->valid += tiny_judge(&e->t);
		return;
	}
	for (k = 0; k < e->kinds_len; k++) {
		e->t.op[op].step[0] = e->kinds[k];
		e->t.op[op].steps = 1;
		every_kind(e, op + 1);
	}
}

static void every_event(struct every *e, uint32_t ops, uint32_t started)
{
	uint32_t i;

	if (started == ops) {
		e->t.ops = ops;
		every_kind(e, 0);
	}
	if (started < ops) {
		e->t.event[e->t.events++] = started * 2;
		e->open |= 1u << started;
		every_event(e, ops, started + 1);
		e->open &= ~(1u << started);
		e->t.events--;
	}
	for (i = 0; i < started; i++) {
		if ((e->open >> i & 1) == 0)
			continue;
		e->t.event[e->t.events++] = i * 2 + 1;
		e->open &= ~(1u << i);
		every_event(e, ops, started);
		e->open |= 1u << i;
		e->t.events--;
	}
}

static void every_history(uint32_t ops, const struct lin_step *kinds, uint32_t kinds_len)
{
	struct every e = { .kinds = kinds, .kinds_len = kinds_len, .t.cells = 1 };

	every_event(&e, ops, 0);
	print_message("%u operations of %u kinds: %llu histories, %llu valid\n", ops, kinds_len,
	              (unsigned long long)e.count, (unsigned long long)e.valid);
	assert_true(e.valid > 0 && e.valid < e.count);
}

static void test_search__every_history_of_four_operations(void **state)
{
	static const struct lin_step kinds[] = {
		{ .kind = LIN_READ, .a = 0 },          { .kind = LIN_READ, .a = 1 },
		{ .kind = LIN_WRITE, .a = 0 },         { .kind = LIN_WRITE, .a = 1 },
		{ .kind = LIN_CAS, .a = 0, .b = 1 },   { .kind = LIN_CAS, .a = 1, .b = 0 },
		{ .kind = LIN_NOT, .a = 0 },
	};
	uint32_t n;

	(void)state;
	for (n = 1; n <= 3; n++)
		every_history(n, kinds, ARRAY_LEN(kinds));
	every_history(4, kinds, getenv("PAWL_TEST_LONG") != NULL ? ARRAY_LEN(kinds) : 6);
}

static void test_search__every_history_of_five_operations(void **state)
{
	static const struct lin_step kinds[] = {
		{ .kind = LIN_READ, .a = 1 },        { .kind = LIN_WRITE, .a = 1 },
		{ .kind = LIN_CAS, .a = 1, .b = 0 }, { .kind = LIN_READ, .a = 0 },
		{ .kind = LIN_WRITE, .a = 0 },
	};

	(void)state;
	every_history(5, kinds, getenv("PAWL_TEST_LONG") != NULL ? ARRAY_LEN(kinds) : 3);
	if (getenv("PAWL_TEST_LONG") != NULL)
		every_history(6, kinds, 3);
}

static void test_search__agrees_with_every_order(void **state)
{
	uint32_t shape, i, valid;
	struct rng rng;
	struct tiny t;

	(void)state;
	for (shape = 0; shape < TINY_SHAPES; shape++) {
		rng_init(&rng, 1000 + shape);
		for (i = valid = 0; i < RANDOM_HISTORIES; i++) {
			tiny_make(&t, shape, &rng);
			assert_agrees(&t, LIN_ALL);
			valid += tiny_judge(&t);
			tiny_options(&t, &rng);
			assert_agrees(&t, LIN_ALL);
		}
		/* Both kinds are there in numbers. */
		print_message("shape %u: %u valid\n", shape, valid);
		assert_in_range(valid, RANDOM_HISTORIES / 10, RANDOM_HISTORIES * 9 / 10);
	}
}

static void test_search__every_reduction_is_sound(void **state)
{
	uint32_t shape, i, bit;
	struct rng rng;
	struct tiny t;

	(void)state;
	for (shape = 0; shape < TINY_SHAPES; shape++) {
		rng_init(&rng, 2000 + shape);
		for (i = 0; i < SUBSET_HISTORIES; i++) {
			tiny_make(&t, shape, &rng);
			if (i % 2 != 0)
				tiny_options(&t, &rng);
			assert_agrees(&t, 0);
			assert_agrees(&t, (unsigned)pawl__rng_below(&rng, LIN_ALL + 1));
			for (bit = 1; bit < LIN_ALL; bit <<= 1) {
				assert_agrees(&t, bit);
				assert_agrees(&t, LIN_ALL & ~bit);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_search__every_history_of_four_operations),
		cmocka_unit_test(test_search__every_history_of_five_operations),
		cmocka_unit_test(test_search__agrees_with_every_order),
		cmocka_unit_test(test_search__every_reduction_is_sound),
	};

	return cmocka_run_group_tests(tests, search_open, search_close);
}
