/* SPDX-License-Identifier: Apache-2.0 */
#include "../../base/harness.h"

#include <stdio.h>

#include "base/compiler.h"
#include "race/check/linear_core.h"
#include "race/check/linear_zone.h"
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
	uint32_t open; /* set of operations */
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
		e->open |= 1U << started;
		every_event(e, ops, started + 1);
		e->open &= ~(1U << started);
		e->t.events--;
	}
	for (i = 0; i < started; i++) {
		if ((e->open >> i & 1) == 0)
			continue;
		e->t.event[e->t.events++] = i * 2 + 1;
		e->open &= ~(1U << i);
		every_event(e, ops, started);
		e->open |= 1U << i;
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
		{ .kind = LIN_READ, .a = 0 },        { .kind = LIN_READ, .a = 1 },
		{ .kind = LIN_WRITE, .a = 0 },       { .kind = LIN_WRITE, .a = 1 },
		{ .kind = LIN_CAS, .a = 0, .b = 1 }, { .kind = LIN_CAS, .a = 1, .b = 0 },
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

static void test_zone__agrees_with_every_order(void **state)
{
	uint32_t i, told = 0, valid = 0, kinds[4] = { 0 };
	struct rng rng;
	struct tiny t;

	(void)state;
	rng_init(&rng, 3000);
	for (i = 0; i < RANDOM_HISTORIES * 2; i++) {
		struct tiny_built b;
		struct lin_conflict why;
		enum lin_zone zone;
		struct pawl_error err;
		bool want;

		tiny_make(&t, i % 5 == 0 ? TINY_REGISTER : TINY_UNIQUE, &rng);
		tiny_build(&b, &t);
		assert_int_equal(pawl__lin_zone_check(&b.p, &zone, &why, &err), PAWL_OK);
		tiny_unbuild(&b);
		if (zone == LIN_ZONE_OTHER)
			continue;
		told++;
		want = tiny_judge(&t);
		valid += want;
		if (zone == LIN_ZONE_INVALID)
			kinds[why.kind]++;
		if (want != (zone == LIN_ZONE_VALID)) {
			tiny_print(&t);
			fail_msg("the zones say %s", want ? "invalid" : "valid");
		}
	}
	assert_true(told > RANDOM_HISTORIES && valid > told / 10 && valid < told);
	for (i = 0; i < 4; i++)
		assert_true(kinds[i] > 10);
}

/* Whether some order explains the core when all others may happen or not, from some first value. */
static bool core_judge(const struct tiny *t, const struct lin_core *core, uint32_t last,
                       uint32_t spared)
{
	struct tiny rest = *t;
	uint32_t i, k, v;

	for (i = 0; i < t->ops; i++) {
		bool in = false;

		for (k = 0; k < core->len; k++)
			in = in || (core->ops[k] == i && i != spared);
		rest.op[i].optional = !in;
		if (t->op[i].ret < core->from || t->op[i].inv > last)
			rest.op[i].steps = 0;
		if (t->op[i].ret > last)
			rest.op[i].ret = LIN_NONE;
		/* What began before may have happened before. */
		if (rest.op[i].inv < core->from)
			rest.op[i].inv = 0;
	}
	if (!core->any_initial)
		return tiny_judge(&rest);
	for (v = 0; v < TINY_OPS + 2; v++) {
		rest.initial[0] = v;
		if (tiny_judge(&rest))
			return true;
	}
	return false;
}

static void test_core__cannot_be_explained_and_none_is_too_many(void **state)
{
	const struct lin_limits limits = { LIN_STEPS_MAX, LIN_BYTES_MAX,
		                           LIN_ALL & ~(unsigned)LIN_LOOKAHEAD };
	uint32_t shape, i, k, seen = 0, windows = 0;
	struct rng rng;
	struct tiny t;

	(void)state;
	rng_init(&rng, 4000);
	for (i = 0; i < RANDOM_HISTORIES; i++) {
		struct tiny_built b;
		struct lin_result r;
		struct lin_core core;
		struct pawl_error err;

		shape = i % TINY_SHAPES;
		tiny_make(&t, shape, &rng);
		tiny_build(&b, &t);
		assert_int_equal(pawl__lin_search_run(search, &b.p, &limits, &r, &err), PAWL_OK);
		if (r.verdict == LIN_INVALID) {
			assert_int_equal(pawl__lin_core_find(search, &b.p, &r, &core, &err),
			                 PAWL_OK);
			assert_true(core.len >= 1 && core.smallest);
			if (core_judge(&t, &core, r.event, LIN_NONE)) {
				tiny_print(&t);
				fail_msg(
					"shape %u, event %u: a core of %u from %u can be explained",
					shape, r.event, core.len, core.from);
			}
			for (k = 0; k < core.len; k++)
				if (core.ops[k] != r.op)
					assert_true(core_judge(&t, &core, r.event, core.ops[k]));
			seen++;
			windows += core.any_initial;
			pawl__lin_core_deinit(&core);
		}
		tiny_unbuild(&b);
	}
	assert_true(seen > 1000 && windows > 100);
}

static void test_search__budget_is_exact_and_names_the_operation(void **state)
{
	struct lin_limits limits = { LIN_STEPS_MAX, LIN_BYTES_MAX, LIN_ALL };
	struct rng rng;
	struct tiny t;
	uint32_t i;

	(void)state;
	rng_init(&rng, 5000);
	for (i = 0; i < 500; i++) {
		struct tiny_built b;
		struct lin_result r, again;
		struct pawl_error err;

		tiny_make(&t, TINY_REGISTER, &rng);
		tiny_build(&b, &t);
		limits.steps_max = LIN_STEPS_MAX;
		assert_int_equal(pawl__lin_search_run(search, &b.p, &limits, &r, &err), PAWL_OK);
		limits.steps_max = r.steps;
		assert_int_equal(pawl__lin_search_run(search, &b.p, &limits, &again, &err),
		                 PAWL_OK);
		assert_int_equal(again.verdict, r.verdict);
		assert_int_equal(again.op, r.op);
		assert_int_equal(again.steps, r.steps);
		if (r.steps > 0) {
			limits.steps_max = r.steps - 1;
			assert_int_equal(pawl__lin_search_run(search, &b.p, &limits, &again, &err),
			                 PAWL_OK);
			assert_int_equal(again.verdict, LIN_UNKNOWN);
			assert_true(again.op < t.ops && again.event == t.op[again.op].ret);
		}
		tiny_unbuild(&b);
	}
}

static void test_config__tells_state_and_what_happened(void **state)
{
	/* 0 writes 1, still open; 1 reads 1, so 0 has happened; 2 reads 5: nothing explains it. */
	static const struct lin_step steps[] = { { .kind = LIN_WRITE, .a = 1 },
		                                 { .kind = LIN_READ, .a = 1 },
		                                 { .kind = LIN_READ, .a = 5 } };
	static const struct lin_op ops[] = { { .first = 0, .count = 1, .crashed = true },
		                             { .first = 1, .count = 1 },
		                             { .first = 2, .count = 1 } };
	static const uint32_t events[] = { 0, 2, 3, 4, 5 }, initial[] = { 0 };
	const struct lin_problem p = { .ops = ops,
		                       .steps = steps,
		                       .events = events,
		                       .initial = initial,
		                       .ops_len = 3,
		                       .events_len = 5,
		                       .cells = 1,
		                       .initial_len = 1 };
	const struct lin_limits limits = { LIN_STEPS_MAX, LIN_BYTES_MAX, LIN_ALL };
	struct lin_config c;
	struct lin_result r;
	struct pawl_error err;

	(void)state;
	assert_int_equal(pawl__lin_search_run(search, &p, &limits, &r, &err), PAWL_OK);
	assert_int_equal(r.verdict, LIN_INVALID);
	assert_int_equal(r.op, 2);
	assert_int_equal(r.event, 4);
	assert_int_equal(pawl__lin_search_last(search), 1);
	c = pawl__lin_search_config(search, 0);
	assert_int_equal(c.cells[0], 1);
	assert_int_equal(c.done_len, 1);
	assert_int_equal(c.done[0], 0);
}

static void test_text__same_bytes_are_the_same_number(void **state)
{
	struct lin_text t;
	char out[4];
	uint32_t a, b, ab, abc;

	(void)state;
	pawl__lin_text_init(&t);
	assert_int_equal(pawl__lin_text_put(&t, STR("")), 0);
	a = pawl__lin_text_put(&t, STR("a"));
	b = pawl__lin_text_put(&t, STR("bcdefghijk"));
	ab = pawl__lin_text_append(&t, a, b);
	assert_int_equal(pawl__lin_text_append(&t, ab, 0), ab);
	assert_int_equal(pawl__lin_text_append(&t, 0, b), b);
	abc = pawl__lin_text_append(&t, pawl__lin_text_put(&t, STR("abcdef")),
	                            pawl__lin_text_put(&t, STR("ghijk")));
	assert_int_equal(abc, ab);
	assert_int_equal(pawl__lin_text_put(&t, STR("abcdefghijk")), ab);
	assert_int_equal(pawl__lin_text_get(&t, ab, out, sizeof(out)), 11);
	assert_memory_equal(out, "abcd", 4);
	assert_true(pawl__lin_text_may_start(&t, a, ab));
	assert_false(pawl__lin_text_may_start(&t, b, ab));
	assert_false(pawl__lin_text_may_start(&t, ab, a));
	pawl__lin_text_deinit(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_search__every_history_of_four_operations),
		cmocka_unit_test(test_search__every_history_of_five_operations),
		cmocka_unit_test(test_search__agrees_with_every_order),
		cmocka_unit_test(test_search__every_reduction_is_sound),
		cmocka_unit_test(test_zone__agrees_with_every_order),
		cmocka_unit_test(test_core__cannot_be_explained_and_none_is_too_many),
		cmocka_unit_test(test_search__budget_is_exact_and_names_the_operation),
		cmocka_unit_test(test_config__tells_state_and_what_happened),
		cmocka_unit_test(test_text__same_bytes_are_the_same_number),
	};

	return cmocka_run_group_tests(tests, search_open, search_close);
}
