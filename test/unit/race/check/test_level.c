/* SPDX-License-Identifier: Apache-2.0 */
#include "judge.h"

#define B(id) LEVEL_BIT(LEVEL_##id)

static void test_names(void **state)
{
	(void)state;
	for (unsigned l = 0; l < LEVEL_LEN; l++) {
		assert_int_equal(pawl__level_find(pawl__level_name((enum level)l)), l);
		if (l > 0)
			assert_true(strcmp(pawl__level_name((enum level)(l - 1)),
			                   pawl__level_name((enum level)l)) < 0);
	}
	assert_int_equal(pawl__level_find("strict-serializable"), LEVEL_STRONG_SERIALIZABLE);
	assert_int_equal(pawl__level_find("PL-2.99"), LEVEL_REPEATABLE_READ);
	assert_int_equal(pawl__level_find("serialisable"), LEVEL_LEN);
	assert_int_equal(pawl__level_find(""), LEVEL_LEN);
}

/* An order: what implies each other is the same; strict serializable implies all. */
static void test_lattice(void **state)
{
	(void)state;
	for (unsigned a = 0; a < LEVEL_LEN; a++) {
		const uint64_t implied = pawl__level_implied((enum level)a);

		assert_true((implied & LEVEL_BIT(a)) != 0);
		assert_true((implied & B(READ_UNCOMMITTED)) != 0);
		for (unsigned b = 0; b < LEVEL_LEN; b++) {
			const bool ab = (implied & LEVEL_BIT(b)) != 0;
			const bool ba = (pawl__level_implied((enum level)b) & LEVEL_BIT(a)) != 0;

			assert_true(a == b || !ab || !ba);
			if (ab)
				assert_true((pawl__level_implied((enum level)b) & ~implied) == 0);
			assert_true(((pawl__level_impossible((enum level)b) >> a & 1) != 0) == ab);
		}
	}
	assert_true(pawl__level_implied(LEVEL_STRONG_SERIALIZABLE) == LEVEL_BIT(LEVEL_LEN) - 1);
	assert_true(pawl__level_strongest(LEVEL_BIT(LEVEL_LEN) - 1) == B(STRONG_SERIALIZABLE));
	assert_true(pawl__level_weakest(LEVEL_BIT(LEVEL_LEN) - 1) == B(READ_UNCOMMITTED));
	assert_true(pawl__level_strongest(0) == 0);
	assert_true(pawl__level_weakest(B(REPEATABLE_READ) | B(SERIALIZABLE) | B(PREFIX)) ==
	            (B(REPEATABLE_READ) | B(PREFIX)));
}

static void test_ruled_out(void **state)
{
	static const struct {
		const char *anomaly;
		uint64_t levels;
	} rows[] = {
		{ "G0", B(READ_UNCOMMITTED) },
		{ "G0-process", B(STRONG_SESSION_READ_UNCOMMITTED) },
		{ "G0-realtime", B(STRONG_READ_UNCOMMITTED) },
		{ "G1a", B(READ_COMMITTED) },
		{ "G1b", B(READ_COMMITTED) },
		{ "G1c", B(READ_COMMITTED) },
		{ "G1c-realtime", B(STRONG_READ_COMMITTED) },
		{ "G-single-item", B(CONSISTENT_VIEW) | B(REPEATABLE_READ) },
		{ "G-single-item-process", B(STRONG_SESSION_SNAPSHOT_ISOLATION) },
		{ "G-single-item-realtime", B(STRONG_SNAPSHOT_ISOLATION) },
		{ "G-nonadjacent-item", B(SNAPSHOT_ISOLATION) | B(REPEATABLE_READ) },
		{ "G2-item", B(REPEATABLE_READ) },
		{ "G2-item-process", B(STRONG_SESSION_SERIALIZABLE) },
		{ "G2-item-realtime", B(STRONG_SERIALIZABLE) },
		{ "G2", B(SERIALIZABLE) },
		{ "internal", B(READ_ATOMIC) },
		{ "lost-update", B(CURSOR_STABILITY) | B(UPDATE_ATOMIC) },
		{ "dirty-update", B(READ_COMMITTED) },
		{ "incompatible-order", B(READ_COMMITTED) },
		{ "duplicate-elements", B(READ_UNCOMMITTED) },
		{ "cyclic-versions", B(READ_UNCOMMITTED) },
		{ "future-read", B(READ_COMMITTED) },
		{ "write-skew", B(SERIALIZABLE) },
		{ "no such anomaly", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (pawl__level_ruled_out(rows[i].anomaly) != rows[i].levels)
			fail_msg("%s", rows[i].anomaly);
		for (unsigned l = 0; l < LEVEL_LEN; l++)
			assert_true(pawl__level_forbids((enum level)l, rows[i].anomaly) ==
			            ((pawl__level_implied((enum level)l) & rows[i].levels) != 0));
	}
}

static void test_case_of(void **state)
{
	(void)state;
	assert_true(pawl__level_case_of("G-single-item", "G2-item-realtime"));
	assert_true(pawl__level_case_of("G0", "G1"));
	assert_true(pawl__level_case_of("G2", "G2"));
	assert_false(pawl__level_case_of("G2-item", "G-single-item"));
	assert_false(pawl__level_case_of("nothing", "nothing"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_lattice),
		cmocka_unit_test(test_ruled_out),
		cmocka_unit_test(test_case_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
