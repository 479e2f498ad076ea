/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list-append and rw-register by inferred dependencies: against every order of tiny histories,
 * against databases that keep what they promise, and with planted anomalies. A seed that fails
 * prints the smallest history that still does.
 */
#include "../../base/harness.h"

#include <stdio.h>
#include <stdlib.h>

#include "gen_history.h"
#include "oracle.h"
#include "race/check/check.h"

static const struct {
	enum level level;
	enum oracle_level oracle;
	enum oracle_order order;
	const char *name;
} levels[] = {
	{ LEVEL_SERIALIZABLE, ORACLE_SER, ORACLE_FREE, "serializable" },
	{ LEVEL_STRONG_SESSION_SERIALIZABLE, ORACLE_SER, ORACLE_SESSIONS,
	  "strong-session-serializable" },
	{ LEVEL_STRONG_SERIALIZABLE, ORACLE_SER, ORACLE_REALTIME, "strong-serializable" },
	{ LEVEL_SNAPSHOT_ISOLATION, ORACLE_SI, ORACLE_FREE, "snapshot-isolation" },
	{ LEVEL_STRONG_SESSION_SNAPSHOT_ISOLATION, ORACLE_SI, ORACLE_SESSIONS,
	  "strong-session-snapshot-isolation" },
	{ LEVEL_STRONG_SNAPSHOT_ISOLATION, ORACLE_SI, ORACLE_REALTIME,
	  "strong-snapshot-isolation" },
};

/* How many seeds; a tenth under a sanitizer, whose heap makes every history dear. */
static uint64_t histories(uint64_t usual)
{
#if defined(__SANITIZE_ADDRESS__)
	usual /= 10;
#endif

	const char *more = getenv("PAWL_TEST_SEEDS");

	return more == NULL ? usual : strtoull(more, NULL, 10);
}

struct ask {
	size_t level;
	bool wfr, sequential, linearizable; /* registers */
};

static enum check_verdict verdict(const struct history *h, bool lists, const struct ask *ask)
{
	struct check_options o;
	struct check_result r;
	struct pawl_error err = { 0 };
	enum check_verdict v;

	pawl__check_options_init(&o, lists ? MODEL_LIST_APPEND : MODEL_RW_REGISTER);
	o.level = levels[ask->level].level;
	o.wfr_keys = ask->wfr;
	o.sequential_keys = ask->sequential;
	o.linearizable_keys = ask->linearizable;
	pawl__check_result_init(&r);
	assert_int_equal(lists ? pawl__check_list_append(h, &o, &r, &err)
	                       : pawl__check_rw_register(h, &o, &r, &err),
	                 PAWL_OK);
	v = r.verdict;
	assert_true(v != VERDICT_INVALID || r.anomalies_len > 0);
	pawl__check_result_deinit(&r);
	return v;
}

/* Whether the order of all appends can be told: every one that happened was read by somebody. */
static bool all_read(const struct gen_history *g, uint16_t value)
{
	for (uint32_t i = 0; i < g->ops; i++)
		for (uint32_t j = 0; g->op[i].type == HT_OK && j < g->op[i].mops; j++)
			for (uint32_t k = 0; !g->op[i].mop[j].write && k < g->op[i].mop[j].len; k++)
				if (g->op[i].mop[j].at[k] == value)
					return true;
	return false;
}

static bool complete(const struct gen_history *g)
{
	for (uint32_t i = 0; i < g->ops; i++)
		for (uint32_t j = 0; g->op[i].type == HT_OK && j < g->op[i].mops; j++)
			if (g->op[i].mop[j].write && !all_read(g, g->op[i].mop[j].value))
				return false;
	return true;
}

static bool wrong(const struct gen_history *g, const struct history *h, const struct ask *ask,
                  bool holds)
{
	const enum check_verdict v = verdict(h, g->lists, ask);

	/* Unknown: nothing depended on anything, or the versions' order can't be told. */
	if (holds)
		return v == VERDICT_INVALID;
	return g->lists && complete(g) && v != VERDICT_INVALID;
}

static bool disagrees(const struct gen_history *g, void *arg)
{
	const struct ask *ask = arg;
	struct history *h = gen_read(g);
	bool ret;

	assert_non_null(h);
	ret = wrong(g, h, ask,
	            oracle_holds(g, levels[ask->level].oracle, levels[ask->level].order));
	pawl__history_free(h);
	return ret;
}

static void small(struct gen_history *g, uint64_t seed, bool lists)
{
	struct rng rng;
	struct gen_shape shape;

	rng_init(&rng, seed);
	shape = (struct gen_shape){
		.db = (enum gen_db)pawl__rng_below(&rng, lists ? GEN_CAUSAL : GEN_DBS),
		.lists = lists,
		.ops = 2 + (uint32_t)pawl__rng_below(&rng, 3),
		.mops = 1 + (uint32_t)pawl__rng_below(&rng, 4),
		.keys = 1 + (uint32_t)pawl__rng_below(&rng, 3),
		.processes = 1 + (uint32_t)pawl__rng_below(&rng, 4),
		.crashes = pawl__rng_below(&rng, 3) == 0,
		.last_read = lists && pawl__rng_below(&rng, 4) != 0,
	};
	gen_make(g, &shape, &rng);
	for (uint64_t n = pawl__rng_below(&rng, 4); n > 0; n--)
		(void)gen_spoil(g, &rng);
}

static void ask_all(struct gen_history *g, uint64_t seed, const struct ask *asks, size_t n)
{
	struct history *h;

	small(g, seed, asks[0].level == SIZE_MAX);
	h = gen_read(g);
	assert_non_null(h);
	for (size_t i = asks[0].level == SIZE_MAX ? 1 : 0; i < n; i++) {
		struct ask ask = asks[i];
		const bool holds =
			oracle_holds(g, levels[ask.level].oracle, levels[ask.level].order);

		if (!wrong(g, h, &ask, holds))
			continue;
		gen_shrink(g, disagrees, &ask);
		gen_print(g);
		fail_msg("seed %llu, %s, wfr %d, sequential %d, linearizable %d: should be %s",
		         (unsigned long long)seed, levels[ask.level].name, ask.wfr, ask.sequential,
		         ask.linearizable,
		         oracle_holds(g, levels[ask.level].oracle, levels[ask.level].order)
		                 ? "valid"
		                 : "invalid");
	}
	pawl__history_free(h);
}

static void test_check_list_append__tiny_history_agrees_with_every_order(void **state)
{
	static struct gen_history g;
	static const struct ask asks[] = {
		{ .level = SIZE_MAX }, /* lists */
		{ .level = 0 },        { .level = 1 }, { .level = 2 },
		{ .level = 3 },        { .level = 4 }, { .level = 5 },
	};

	(void)state;
	for (uint64_t seed = 0; seed < histories(20000); seed++)
		ask_all(&g, seed, asks, ARRAY_LEN(asks));
}

/* What may be assumed of keys where the level holds must not turn it down. */
static void test_check_rw_register__tiny_history_that_holds_not_invalid(void **state)
{
	static struct gen_history g;
	static const struct ask asks[] = {
		{ .level = 0 }, { .level = 0, .wfr = true },
		{ .level = 1 }, { .level = 1, .wfr = true, .sequential = true },
		{ .level = 2 }, { .level = 2, .wfr = true, .linearizable = true },
		{ .level = 3 }, { .level = 4 },
		{ .level = 5 },
	};

	(void)state;
	for (uint64_t seed = 0; seed < histories(20000); seed++)
		ask_all(&g, seed, asks, ARRAY_LEN(asks));
}

static const struct {
	enum gen_db db;
	size_t level;
} promises[] = { { GEN_SERIAL, 2 }, { GEN_SNAPSHOT, 5 } };

static bool broken_promise(const struct gen_history *g, void *arg)
{
	struct history *h = gen_read(g);
	bool ret;

	assert_non_null(h);
	ret = verdict(h, g->lists, arg) == VERDICT_INVALID;
	pawl__history_free(h);
	return ret;
}

static void test_check_dependencies__database_keeps_its_promise_not_invalid(void **state)
{
	static struct gen_history g;

	(void)state;
	for (uint64_t seed = 0; seed < histories(2000); seed++)
		for (size_t i = 0; i < ARRAY_LEN(promises); i++) {
			const struct gen_shape shape = { .db = promises[i].db,
				                         .lists = seed % 2 != 0,
				                         .ops = 50,
				                         .mops = 5,
				                         .keys = 4,
				                         .processes = 6,
				                         .crashes = seed % 4 < 2 };
			struct ask ask = { .level = promises[i].level };
			struct rng rng;

			rng_init(&rng, seed);
			gen_make(&g, &shape, &rng);
			if (!broken_promise(&g, &ask))
				continue;
			gen_shrink(&g, broken_promise, &ask);
			gen_print(&g);
			fail_msg("seed %llu, database %d", (unsigned long long)seed, (int)i);
		}
}

/* What must be found, and what may be found besides: the same thing by other names. */
static const struct {
	const char *name, *also;
	bool registers; /* inferred in registers too */
} plants[PLANTS] = {
	[PLANT_G0] = { "G0", "", false },
	[PLANT_G1A] = { "G1a", "", true },
	[PLANT_G1B] = { "G1b", "G-single-item", true },
	[PLANT_G1C] = { "G1c", "", true },
	[PLANT_SINGLE] = { "G-single-item", "", false },
	[PLANT_FRACTURED_INITIAL] = { "G-single-item", "", true },
	[PLANT_LONG_FORK] = { "G-nonadjacent-item", "", true },
	[PLANT_LOST_UPDATE] = { "lost-update", "G-single-item G2-item", false },
	[PLANT_WRITE_SKEW] = { "G2-item", "", true },
	[PLANT_G2] = { "G2-item", "", true },
	[PLANT_INTERNAL] = { "internal", "G-single-item", true },
	[PLANT_ORDER] = { "incompatible-order", "", false },
	[PLANT_DUPLICATE] = { "duplicate-elements", "", false },
};

static void assert_found(const struct gen_history *g, enum gen_anomaly what, uint64_t seed)
{
	struct history *h = gen_read(g);
	struct check_options o;
	struct check_result r;
	struct pawl_error err = { 0 };
	bool found = false, other = false;

	assert_non_null(h);
	pawl__check_options_init(&o, g->lists ? MODEL_LIST_APPEND : MODEL_RW_REGISTER);
	o.level = LEVEL_STRONG_SERIALIZABLE;
	pawl__check_result_init(&r);
	assert_int_equal(g->lists ? pawl__check_list_append(h, &o, &r, &err)
	                          : pawl__check_rw_register(h, &o, &r, &err),
	                 PAWL_OK);
	for (uint32_t i = 0; i < r.anomalies_len; i++) {
		const char *name = r.anomalies[i].name;

		found |= strcmp(name, plants[what].name) == 0;
		other |= strcmp(name, plants[what].name) != 0 &&
		         strstr(plants[what].also, name) == NULL;
	}
	if (!found || other || r.verdict != VERDICT_INVALID) {
		gen_print(g);
		for (uint32_t i = 0; i < r.anomalies_len; i++)
			(void)fprintf(stderr, "found %s\n", r.anomalies[i].name);
		fail_msg("seed %llu: planted %s", (unsigned long long)seed, plants[what].name);
	}
	pawl__check_result_deinit(&r);
	pawl__history_free(h);
}

static void test_check_dependencies__planted_anomaly_found_and_nothing_else(void **state)
{
	static struct gen_history g;

	(void)state;
	for (uint64_t seed = 0; seed < histories(300); seed++)
		for (int what = 0; what < PLANTS; what++)
			for (int lists = 0; lists < 2; lists++) {
				struct rng rng;

				if (plants[what].name == NULL ||
				    (lists == 0 && !plants[what].registers))
					continue;
				rng_init(&rng, seed);
				if (gen_plant(&g, (enum gen_anomaly)what, lists != 0, &rng))
					assert_found(&g, (enum gen_anomaly)what, seed);
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check_list_append__tiny_history_agrees_with_every_order),
		cmocka_unit_test(test_check_rw_register__tiny_history_that_holds_not_invalid),
		cmocka_unit_test(test_check_dependencies__database_keeps_its_promise_not_invalid),
		cmocka_unit_test(test_check_dependencies__planted_anomaly_found_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
