/* SPDX-License-Identifier: Apache-2.0 */
/* Levels of register histories: against every order of tiny ones, and against databases that keep
 * what they promise. A seed that fails prints the smallest history that still does. */
#include "../../base/harness.h"

#include <stdio.h>
#include <stdlib.h>

#include "gen_history.h"
#include "oracle.h"
#include "race/check/check.h"
#include "race/check/sersi.h"

static const struct {
	enum level level;
	enum oracle_level oracle;
	const char *name;
} levels[] = {
	{ LEVEL_READ_COMMITTED, ORACLE_RC, "read-committed" },
	{ LEVEL_READ_ATOMIC, ORACLE_RA, "read-atomic" },
	{ LEVEL_CAUSAL_CERONE, ORACLE_CC, "causal" },
	{ LEVEL_PREFIX, ORACLE_PREFIX, "prefix" },
	{ LEVEL_SNAPSHOT_ISOLATION, ORACLE_SI, "snapshot-isolation" },
	{ LEVEL_SERIALIZABLE, ORACLE_SER, "serializable" },
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

/* ---- witnesses ---- */

/* Whether row op wrote (or read) the value of the key. */
static bool did(const struct history *h, uint32_t op, bool wrote, uint32_t key, int64_t value)
{
	for (uint32_t i = 0; i < h->mop_len[op]; i++) {
		const uint32_t m = h->mop_first[op] + i;

		if ((h->mop_f[m] == HF_WRITE) == wrote && h->mop_key[m] == key &&
		    h->mop_val[m] == value)
			return true;
	}
	return false;
}

static bool step_is_true(const struct history *h, const struct check_step *s, uint32_t next)
{
	switch (s->edge) {
	case EDGE_NONE:
		return true;
	case EDGE_SESSION:
		return h->process[s->op] == h->process[next] && s->op < next;
	case EDGE_WR:
		return did(h, s->op, true, s->key, s->value) &&
		       did(h, next, false, s->key, s->value);
	case EDGE_WW:
		return did(h, s->op, true, s->key, s->value) &&
		       did(h, next, true, s->key, s->value2);
	case EDGE_RW:
		return did(h, s->op, false, s->key, s->value) &&
		       did(h, next, true, s->key, s->value2);
	case EDGE_VISIBLE:
		return did(h, s->op, true, s->key, s->value2) &&
		       did(h, next, true, s->key, s->value) &&
		       did(h, s->by, false, s->key, s->value);
	case EDGE_PROCESS:
	case EDGE_REALTIME:
		break;
	}
	return false;
}

static bool witnesses_are_true(const struct history *h, const struct check_result *r)
{
	for (uint32_t a = 0; a < r->anomalies_len; a++) {
		const struct check_anomaly *an = &r->anomalies[a];

		if (an->witnesses_len == 0 || an->count < an->witnesses_len)
			return false;
		for (uint32_t i = 0; i < an->witnesses_len; i++) {
			const struct check_witness *w = &an->witnesses[i];

			if (w->steps_len < (w->cycle ? 2 : 1) || (!w->cycle && w->text == NULL))
				return false;
			for (uint32_t k = 0; k < w->steps_len; k++)
				if (!step_is_true(h, &w->steps[k],
				                  w->steps[(k + 1) % w->steps_len].op))
					return false;
		}
	}
	return true;
}

/* ---- one history ---- */

struct want {
	size_t level;
	unsigned without; /* of the search */
};

static enum check_verdict verdict(const struct history *h, enum level level, bool *ret_true)
{
	struct check_options o;
	struct check_result r;
	struct pawl_error err = { 0 };
	enum check_verdict v;

	pawl__check_options_init(&o, MODEL_RW_REGISTER);
	o.level = level;
	pawl__check_result_init(&r);
	assert_int_equal(pawl__check_weak(h, &o, &r, &err), PAWL_OK);
	v = r.verdict;
	*ret_true = (v == VERDICT_INVALID) == (r.anomalies_len > 0) && witnesses_are_true(h, &r);
	pawl__check_result_deinit(&r);
	return v;
}

/* The search alone, without what comes before it. */
static enum check_verdict search(const struct history *h, size_t level, unsigned without)
{
	const struct sersi_job job = { (enum sersi_kind)(level - 3), NULL, 0, without };
	struct check_options o;
	struct check_result r;
	struct sersi_result s;
	struct pawl_error err = { 0 };
	struct weak w;

	pawl__check_options_init(&o, MODEL_RW_REGISTER);
	pawl__check_result_init(&r);
	assert_int_equal(pawl__weak_load(&w, h, &o, &err), PAWL_OK);
	assert_true(pawl__sersi_check(&w, &job, &s, &r));
	pawl__weak_deinit(&w);
	pawl__check_result_deinit(&r);
	return s.verdict;
}

static bool wrong(const struct history *h, const struct want *want, bool holds, bool causal)
{
	const enum check_verdict right = holds ? VERDICT_VALID : VERDICT_INVALID;
	bool truth = true;

	if (want->without == 0)
		return verdict(h, levels[want->level].level, &truth) != right || !truth;
	/* The search takes it for granted that so and wr have no cycle. */
	return causal && search(h, want->level, want->without) != right;
}

static bool disagrees(const struct gen_history *g, void *arg)
{
	const struct want *want = arg;
	struct history *h = gen_read(g);
	bool ret;

	assert_non_null(h);
	ret = wrong(h, want, oracle_holds(g, levels[want->level].oracle, ORACLE_SESSIONS),
	            oracle_holds(g, ORACLE_CC, ORACLE_SESSIONS));
	pawl__history_free(h);
	return ret;
}

static void small(struct gen_history *g, uint64_t seed)
{
	struct rng rng;
	struct gen_shape shape;

	rng_init(&rng, seed);
	shape = (struct gen_shape){
		.db = (enum gen_db)pawl__rng_below(&rng, GEN_DBS),
		.ops = 2 + (uint32_t)pawl__rng_below(&rng, 4),
		.mops = 1 + (uint32_t)pawl__rng_below(&rng, 4),
		.keys = 1 + (uint32_t)pawl__rng_below(&rng, 3),
		.processes = 1 + (uint32_t)pawl__rng_below(&rng, 5),
		.crashes = pawl__rng_below(&rng, 3) == 0,
	};
	gen_make(g, &shape, &rng);
	for (uint64_t n = pawl__rng_below(&rng, 8); n > 0; n--)
		(void)gen_spoil(g, &rng);
}

static void test_check_weak__tiny_history_agrees_with_every_order(void **state)
{
	static struct gen_history g;
	uint64_t valid[ARRAY_LEN(levels)] = { 0 };
	const uint64_t n = histories(40000);

	(void)state;
	for (uint64_t seed = 0; seed < n; seed++) {
		struct history *h;
		bool holds[ARRAY_LEN(levels)] = { false };

		small(&g, seed);
		h = gen_read(&g);
		assert_non_null(h);
		for (size_t l = 0; l < ARRAY_LEN(levels); l++) {
			holds[l] = oracle_holds(&g, levels[l].oracle, ORACLE_SESSIONS);
			valid[l] += holds[l];
			for (unsigned without = 0; without <= (l < 3 ? 0 : 3); without++) {
				struct want want = { l, without };

				if (!wrong(h, &want, holds[l], holds[2]))
					continue;
				gen_shrink(&g, disagrees, &want);
				gen_print(&g);
				fail_msg("seed %llu, %s, without %u", (unsigned long long)seed,
				         levels[l].name, without);
			}
		}
		pawl__history_free(h);
	}
	/* Both answers are frequent, and the levels differ: else this would test little. */
	for (size_t l = 0; n >= 4000 && l < ARRAY_LEN(levels); l++) {
		assert_in_range(valid[l], n / 5, n * 4 / 5);
		/* Some levels differ in one history of thousands. */
		if (l > 0)
			assert_true(valid[l] < valid[l - 1] + (n < 40000));
	}
}

static bool disagrees_forced(const struct gen_history *g, void *arg)
{
	const struct want *want = arg;
	struct history *h = gen_read(g);
	bool truth;
	enum check_verdict v;

	assert_non_null(h);
	v = verdict(h, levels[want->level].level, &truth);
	pawl__history_free(h);
	return v != (oracle_forced(g, levels[want->level].oracle) ? VERDICT_VALID
	                                                          : VERDICT_INVALID) ||
	       !truth;
}

static void test_check_weak__longer_history_agrees_with_axioms(void **state)
{
	static struct gen_history g;
	uint64_t valid[3] = { 0 };
	const uint64_t n = histories(5000);

	(void)state;
	for (uint64_t seed = 0; seed < n; seed++)
		for (size_t l = 0; l < 3; l++) {
			const struct gen_shape shape = {
				.db = (enum gen_db)(seed % GEN_DBS),
				.ops = 40,
				.mops = 5,
				.keys = 1 + (uint32_t)(seed % 4),
				.processes = 2 + (uint32_t)(seed % 6),
			};
			struct want want = { l, 0 };
			struct rng rng;

			rng_init(&rng, seed);
			gen_make(&g, &shape, &rng);
			for (uint32_t i = 0; i < g.ops; i++)
				g.op[i].type = HT_OK; /* what failed had its snapshot too */
			for (uint64_t i = pawl__rng_below(&rng, 3); i > 0; i--)
				(void)gen_spoil(&g, &rng);
			valid[l] += oracle_forced(&g, levels[l].oracle);
			if (!disagrees_forced(&g, &want))
				continue;
			gen_shrink(&g, disagrees_forced, &want);
			gen_print(&g);
			fail_msg("seed %llu, %s", (unsigned long long)seed, levels[l].name);
		}
	for (size_t l = 0; n >= 1000 && l < 3; l++)
		assert_in_range(valid[l], n / 10, n * 9 / 10);
}

static const struct {
	enum gen_db db;
	enum level level;
} promises[] = {
	{ GEN_SERIAL, LEVEL_SERIALIZABLE },      { GEN_SNAPSHOT, LEVEL_SNAPSHOT_ISOLATION },
	{ GEN_COMMITTED, LEVEL_READ_COMMITTED }, { GEN_CAUSAL, LEVEL_CAUSAL_CERONE },
	{ GEN_READ_ATOMIC, LEVEL_READ_ATOMIC },
};

static bool broken_promise(const struct gen_history *g, void *arg)
{
	const enum level *level = arg;
	struct history *h = gen_read(g);
	bool truth, ret;

	assert_non_null(h);
	ret = verdict(h, *level, &truth) != VERDICT_VALID;
	pawl__history_free(h);
	return ret;
}

static void test_check_weak__database_keeps_its_promise_valid(void **state)
{
	static struct gen_history g;

	(void)state;
	for (uint64_t seed = 0; seed < histories(2000); seed++)
		for (size_t i = 0; i < ARRAY_LEN(promises); i++) {
			const struct gen_shape shape = { .db = promises[i].db,
				                         .ops = 50,
				                         .mops = 5,
				                         .keys = 4,
				                         .processes = 6,
				                         .crashes = seed % 2 == 0 };
			enum level level = promises[i].level;
			struct rng rng;

			rng_init(&rng, seed);
			gen_make(&g, &shape, &rng);
			if (!broken_promise(&g, &level))
				continue;
			gen_shrink(&g, broken_promise, &level);
			gen_print(&g);
			fail_msg("seed %llu, database %d", (unsigned long long)seed, (int)i);
		}
}

static const struct {
	const char *name;
	enum level not ; /* the weakest level that it breaks */
} plants[PLANTS] = {
	[PLANT_G1A] = { "G1a", LEVEL_READ_COMMITTED },
	[PLANT_G1B] = { "G1b", LEVEL_READ_COMMITTED },
	[PLANT_G1C] = { "G1c", LEVEL_READ_COMMITTED },
	[PLANT_FRACTURED_INITIAL] = { "fractured-read", LEVEL_READ_ATOMIC },
	[PLANT_FRACTURED] = { "fractured-read", LEVEL_READ_ATOMIC },
	[PLANT_LONG_FORK] = { "G-nonadjacent-item", LEVEL_PREFIX },
	[PLANT_LOST_UPDATE] = { "lost-update", LEVEL_SNAPSHOT_ISOLATION },
	[PLANT_WRITE_SKEW] = { "G2-item", LEVEL_SERIALIZABLE },
	[PLANT_G2] = { "G2-item", LEVEL_SERIALIZABLE },
	[PLANT_INTERNAL] = { "internal", LEVEL_READ_COMMITTED },
	[PLANT_FUTURE] = { "future-read", LEVEL_READ_COMMITTED },
	[PLANT_THIN_AIR] = { "garbage-read", LEVEL_READ_COMMITTED },
	[PLANT_OTV] = { "OTV", LEVEL_READ_COMMITTED },
	[PLANT_CAUSAL] = { "causality-violation", LEVEL_CAUSAL_CERONE },
	[PLANT_CAUSAL_SESSION] = { "causality-violation", LEVEL_CAUSAL_CERONE },
};

/* Whether, asked for `level`, the checker finds the planted anomaly and nothing else; where the
 * level allows it, nothing. */
static void assert_planted(const struct history *h, enum gen_anomaly what, enum level level)
{
	const bool forbidden = (pawl__level_impossible(plants[what].not ) & LEVEL_BIT(level)) != 0;
	struct check_options o;
	struct check_result r;
	struct pawl_error err = { 0 };

	pawl__check_options_init(&o, MODEL_RW_REGISTER);
	o.level = level;
	pawl__check_result_init(&r);
	assert_int_equal(pawl__check_weak(h, &o, &r, &err), PAWL_OK);
	assert_int_equal(r.verdict, forbidden ? VERDICT_INVALID : VERDICT_VALID);
	assert_int_equal(r.anomalies_len, forbidden ? 1 : 0);
	if (forbidden) {
		assert_string_equal(r.anomalies[0].name, plants[what].name);
		assert_int_equal(r.anomalies[0].count, 1);
		assert_int_equal(r.not, LEVEL_BIT(plants[what].not ));
		assert_true((r.also_not & r.not ) == 0);
		assert_true(witnesses_are_true(h, &r));
	}
	pawl__check_result_deinit(&r);
}

static void test_check_weak__planted_anomaly_found_and_nothing_else(void **state)
{
	static struct gen_history g;

	(void)state;
	for (uint64_t seed = 0; seed < histories(300); seed++)
		for (int what = 0; what < PLANTS; what++) {
			struct rng rng;
			struct history *h;

			rng_init(&rng, seed);
			if (!gen_plant(&g, (enum gen_anomaly)what, false, &rng))
				continue;
			h = gen_read(&g);
			assert_non_null(h);
			for (size_t l = 0; l < ARRAY_LEN(levels); l++)
				assert_planted(h, (enum gen_anomaly)what, levels[l].level);
			pawl__history_free(h);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check_weak__tiny_history_agrees_with_every_order),
		cmocka_unit_test(test_check_weak__longer_history_agrees_with_axioms),
		cmocka_unit_test(test_check_weak__database_keeps_its_promise_valid),
		cmocka_unit_test(test_check_weak__planted_anomaly_found_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
