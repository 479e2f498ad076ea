/* SPDX-License-Identifier: Apache-2.0 */
#include "cases.h"

#define SER     LEVEL_SERIALIZABLE
#define STRICT  LEVEL_STRONG_SERIALIZABLE
#define SESSION LEVEL_STRONG_SESSION_SERIALIZABLE
#define RC      LEVEL_READ_COMMITTED
#define SI      LEVEL_SNAPSHOT_ISOLATION
#define BAD     VERDICT_INVALID
#define GOOD    VERDICT_VALID

/* Each has one anomaly, and nothing else may be found. */
static const struct small_case planted[] = {
	{ "write cycle",
	  OK("[:append :x 1] [:append :y 1]") OK("[:append :x 2] [:append :y 2]")
	          OK("[:r :x [1 2]]") OK("[:r :y [2 1]]"),
	  SER, "G0 1", BAD },
	{ "aborted read", FAIL("[:append :x 1]") OK("[:r :x [1]]"), RC, "G1a 1", BAD },
	{ "aborted read, under another",
	  FAIL("[:append :x 1]") INFO("[:append :x 2]") OK("[:r :x [1 2]]"), RC, "G1a 1", BAD },
	{ "intermediate read",
	  OK("[:append :x 1] [:append :x 2]") OK("[:r :x [1]]") OK("[:r :x [1 2]]"), RC,
	  "G-single-item 1?, G1b 1", BAD },
	{ "reading each other", OK("[:append :x 1] [:r :y [1]]") OK("[:append :y 1] [:r :x [1]]"),
	  RC, "G1c 1", BAD },
	{ "read skew", OK("[:append :x 1] [:append :y 1]") OK("[:r :x nil] [:r :y [1]]"), SI,
	  "G-single-item 1", BAD },
	{ "long fork",
	  OK("[:append :x 1]") OK("[:append :y 1]") OK("[:r :x [1]] [:r :y nil]")
	          OK("[:r :x nil] [:r :y [1]]"),
	  SI, "G-nonadjacent-item 1", BAD },
	{ "write skew", OK("[:r :x nil] [:append :y 1]") OK("[:r :y nil] [:append :x 1]"), SER,
	  "G2-item 1", BAD },
	{ "write skew under snapshots",
	  OK("[:r :x nil] [:append :y 1]") OK("[:r :y nil] [:append :x 1]"), SI, "G2-item 1?",
	  GOOD },
	{ "lost update",
	  OK("[:r :x nil] [:append :x 1]") OK("[:r :x nil] [:append :x 2]") OK("[:r :x [1 2]]"), SI,
	  "G-single-item 1, lost-update 1", BAD },
	{ "internal: lost own append", OK("[:append :x 1] [:r :x nil]"), LEVEL_READ_ATOMIC,
	  "internal 1", BAD },
	{ "internal: two reads", OK("[:append :x 1]") OK("[:r :x nil] [:r :x [1]]"),
	  LEVEL_READ_ATOMIC, "G-single-item 1?, internal 1", BAD },
	{ "internal: own append is not last",
	  INFO("[:append :x 2]") OK("[:append :x 1] [:r :x [1 2]]"), LEVEL_READ_ATOMIC,
	  "G1c 1, internal 1", BAD },
	{ "future read", OK("[:r :x [1]] [:append :x 1]"), RC, "future-read 1", BAD },
	{ "dirty update", FAIL("[:append :x 1]") OK("[:append :x 2]") OK("[:r :x [1 2]]"), RC,
	  "G1a 1, dirty-update 1", BAD },
	{ "dirty update, once for all behind it",
	  FAIL("[:append :x 1]") OK("[:append :x 2]") OK("[:append :x 3]") OK("[:r :x [1 2 3]]"),
	  RC, "G1a 1, dirty-update 1", BAD },
	{ "lists of which neither continues the other",
	  OK("[:append :x 1]") OK("[:append :x 2]") OK("[:r :x [1]]") OK("[:r :x [2]]"), RC,
	  "incompatible-order 1", BAD },
	{ "an element twice", OK("[:append :x 1]") OK("[:r :x [1 1]]"), LEVEL_READ_UNCOMMITTED,
	  "duplicate-elements 1", BAD },
	{ "an element of nobody", OK("[:append :x 1]") OK("[:r :x [7 1]]"), RC, "garbage-read 1",
	  BAD },
	{ "an element of nobody twice", OK("[:append :x 1]") OK("[:r :x [7 7 1]]"), RC,
	  "duplicate-elements 1, garbage-read 2", BAD },
	{ "stale read in real time",
	  AT(0, "[:append :x 1]") AT(1, "[:r :x nil]") AT(2, "[:r :x [1]]"), STRICT,
	  "G-single-item-realtime 1", BAD },
	{ "the same, real time not promised",
	  AT(0, "[:append :x 1]") AT(1, "[:r :x nil]") AT(2, "[:r :x [1]]"), SER, "", GOOD },
	{ "the same, other processes",
	  AT(0, "[:append :x 1]") AT(1, "[:r :x nil]") AT(2, "[:r :x [1]]"), SESSION, "", GOOD },
	{ "a process does not see its own", AT(0, "[:append :x 1]") AT(0, "[:r :x nil]"), SESSION,
	  "G-single-item-process 1", BAD },
	{ "concurrent, in either order",
	  BEGIN(0, "[:append :x 1]") AT(1, "[:r :x nil]") END(0, "[:append :x 1]"), STRICT, "",
	  GOOD },
	{ "appends against real time",
	  AT(0, "[:append :x 1]") AT(1, "[:append :x 2]") AT(2, "[:r :x [2 1]]"), STRICT,
	  "G0-realtime 1", BAD },
	{ "appends against a process",
	  AT(0, "[:append :x 1]") AT(0, "[:append :x 2]") AT(2, "[:r :x [2 1]]"), SESSION,
	  "G0-process 1", BAD },
	{ "reads from the future", AT(0, "[:r :x [1]]") AT(1, "[:append :x 1]"), STRICT,
	  "G1c-realtime 1", BAD },
	{ "reads from its process's future", AT(0, "[:r :x [1]]") AT(0, "[:append :x 1]"), SESSION,
	  "G1c-process 1", BAD },
	{ "a fork that real time closes",
	  BEGIN(0, "[:r :x nil] [:r :z nil]") BEGIN(3, "[:append :z 1]") AT(1, "[:append :x 1]")
	          AT(2, "[:r :z nil]") END(3, "[:append :z 1]") END(0, "[:r :x nil] [:r :z [1]]"),
	  STRICT, "G-nonadjacent-item-realtime 1", BAD },
	{ "two reads of the past that real time closes",
	  BEGIN(0, "[:r :x nil]") BEGIN(1, "[:r :y nil]") AT(2, "[:append :y 1]")
	          AT(3, "[:append :z 1]") END(1, "[:r :y nil] [:append :x 1]")
	                  END(0, "[:r :x nil] [:r :z [1]]"),
	  STRICT, "G2-item-realtime 1", BAD },
};

/* Nothing may be found. */
static const struct small_case clean[] = {
	{ "one after the other",
	  AT(0, "[:append :x 1] [:r :x [1]]") AT(1, "[:r :x [1]] [:append :x 2]")
	          AT(0, "[:r :x [1 2]] [:append :y 1]") AT(2, "[:r :y [1]] [:r :z nil]"),
	  STRICT, "", GOOD },
	{ "own appends in between",
	  AT(0, "[:append :x 1]")
	          AT(1, "[:r :x [1]] [:append :x 2] [:r :x [1 2]] [:append :x 3] [:r :x [1 2 3]]"),
	  STRICT, "", GOOD },
	{ "empty is nil", AT(0, "[:r :x nil] [:r :x []]") AT(0, "[:append :x 1]"), STRICT, "",
	  GOOD },
	{ "unknown outcome, seen later",
	  BEGIN(0, "[:append :x 1]") AT(1, "[:r :x nil]") AT(1, "[:r :x [1]]"), STRICT, "", GOOD },
	{ "unknown outcome, after what its process did next",
	  BEGIN(0, "[:append :x 1]") "{:type :info, :process 0, :f :txn, :value [[:append :x "
	                             "1]]}\n" AT(0, "[:r :x nil]") AT(1, "[:r :x [1]]"),
	  SESSION, "", GOOD },
	{ "failed and never seen", OK("[:append :x 1]") FAIL("[:append :x 2]") OK("[:r :x [1]]"),
	  SER, "", GOOD },
	{ "appended, then read by another in order",
	  AT(0, "[:append :x 1] [:append :x 2]") AT(1, "[:r :x [1 2]]"), STRICT, "", GOOD },
	{ "nothing depends on anything", OK("[:append :x 1]"), SER, "", VERDICT_UNKNOWN },
	{ "an element appended twice", OK("[:append :x 1]") OK("[:append :x 1]") OK("[:r :x [1]]"),
	  SER, "", VERDICT_UNKNOWN },
};

static void test_planted(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(planted); i++)
		case_run(pawl__check_list_append, MODEL_LIST_APPEND, &planted[i], "");
}

static void test_clean(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(clean); i++)
		case_run(pawl__check_list_append, MODEL_LIST_APPEND, &clean[i], "");
}

static void refused(const char *text, const char *why)
{
	struct check_options o;
	struct check_result r;
	struct pawl_error err = { 0 };

	pawl__check_options_init(&o, MODEL_LIST_APPEND);
	assert_int_equal(judge_text(pawl__check_list_append, text, strlen(text), &o, &r, &err),
	                 PAWL_E_INVALID);
	assert_string_equal(err.text, why);
	pawl__check_result_deinit(&r);
}

static void test_refused(void **state)
{
	(void)state;
	refused(OK("[:append :x 1]") OK("[:w :x 1]"),
	        "line 2: operations of list-append read and append only");
	refused(OK("[:r :x 1]"), "line 1: a read of list-append returns a list or nil");
}

/* The shortest cycle is shown, from its lowest row, with what each step rests on. */
static void test_witness(void **state)
{
	static const char text[] = OK("[:r :a nil]") OK("[:append :x 1] [:append :y 1]")
		OK("[:r :x [1]] [:append :z 1]") OK("[:r :z [1]] [:r :y nil]")
			OK("[:r :x [1]] [:r :y nil]");
	struct check_options o;
	struct check_result r;
	struct pawl_error err = { 0 };
	const struct check_witness *w;

	(void)state;
	pawl__check_options_init(&o, MODEL_LIST_APPEND);
	o.level = SER;
	assert_int_equal(judge_text(pawl__check_list_append, text, strlen(text), &o, &r, &err),
	                 PAWL_OK);
	assert_int_equal(r.anomalies_len, 1);
	w = &r.anomalies[0].witnesses[0];
	assert_int_equal(w->steps_len, 2);
	assert_int_equal(w->steps[0].op, 1);
	assert_int_equal(w->steps[0].edge, EDGE_WR);
	assert_int_equal(w->steps[0].value, 1);
	assert_int_equal(w->steps[1].op, 4);
	assert_int_equal(w->steps[1].edge, EDGE_RW);
	assert_true(value_is_nil(w->steps[1].value));
	assert_int_equal(w->steps[1].value2, 1);
	assert_true(r.not == (LEVEL_BIT(LEVEL_CONSISTENT_VIEW) | LEVEL_BIT(LEVEL_REPEATABLE_READ)));
	pawl__check_result_deinit(&r);
}

/* n readers of the first state and n appends that nobody read, all in one key: judged without n * n
 * edges. both: each transaction does both. */
static void fan_run(uint32_t n, bool both, const char *found_want, enum check_verdict want)
{
	struct check_options o;
	struct check_result r;
	struct pawl_error err = { 0 };
	struct buf b;
	char found[512];

	pawl__buf_init(&b, (size_t)64 << 20);
	for (uint32_t i = 0; i < n; i++) {
		buf_str(&b, pawl__str_of(both ? "{:type :ok, :value [[:r :x nil] [:append :x "
		                              : "{:type :ok, :value [[:r :x nil]]}\n"
		                                "{:type :ok, :value [[:append :x "));
		pawl__buf_u64(&b, i);
		buf_lit(&b, "]]}\n");
	}
	assert_false(b.overflow);
	pawl__check_options_init(&o, MODEL_LIST_APPEND);
	o.level = SER;
	assert_int_equal(judge_text(pawl__check_list_append, b.data, b.len, &o, &r, &err), PAWL_OK);
	case_found(&r, found, sizeof(found));
	assert_string_equal(found, found_want);
	assert_int_equal(r.verdict, want);
	case_witnesses(&r);
	pawl__check_result_deinit(&r);
	pawl__buf_deinit(&b);
}

static void test_fan(void **state)
{
	(void)state;
	/* Below and above what makes a fan pay. */
	fan_run(10, false, "", GOOD);
	fan_run(20000, false, "", GOOD);
	fan_run(10, true, "G2-item 1, lost-update 1", BAD);
	fan_run(20000, true, "G2-item 1, lost-update 1", BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_planted), cmocka_unit_test(test_clean),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_witness),
		cmocka_unit_test(test_fan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
