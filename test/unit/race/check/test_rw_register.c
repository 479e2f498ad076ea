/* SPDX-License-Identifier: Apache-2.0 */
#include "cases.h"

#define SER     LEVEL_SERIALIZABLE
#define STRICT  LEVEL_STRONG_SERIALIZABLE
#define SESSION LEVEL_STRONG_SESSION_SERIALIZABLE
#define RC      LEVEL_READ_COMMITTED
#define SI      LEVEL_SNAPSHOT_ISOLATION
#define BAD     VERDICT_INVALID
#define GOOD    VERDICT_VALID

struct register_case {
	struct small_case one;
	const char *infer;
};

static const struct register_case planted[] = {
	{ { "aborted read", FAIL("[:w :x 1]") OK("[:r :x 1]"), RC, "G1a 1", BAD }, "" },
	{ { "intermediate read", OK("[:w :x 1] [:w :x 2]") OK("[:r :x 1]"), RC, "G1b 1", BAD },
	  "" },
	{ { "reading each other", OK("[:w :x 1] [:r :y 1]") OK("[:w :y 1] [:r :x 1]"), RC, "G1c 1",
	    BAD },
	  "" },
	{ { "read skew", OK("[:w :x 1] [:w :y 1]") OK("[:r :x nil] [:r :y 1]"), SI,
	    "G-single-item 1", BAD },
	  "" },
	{ { "long fork",
	    OK("[:w :x 1]") OK("[:w :y 1]") OK("[:r :x 1] [:r :y nil]") OK("[:r :x nil] [:r :y 1]"),
	    SI, "G-nonadjacent-item 1", BAD },
	  "" },
	{ { "write skew", OK("[:r :x nil] [:w :y 1]") OK("[:r :y nil] [:w :x 1]"), SER, "G2-item 1",
	    BAD },
	  "" },
	{ { "lost update of the first state",
	    OK("[:r :x nil] [:w :x 1]") OK("[:r :x nil] [:w :x 2]"), SI,
	    "G2-item 1?, lost-update 1", BAD },
	  "" },
	{ { "lost update", OK("[:r :x 0] [:w :x 1]") OK("[:r :x 0] [:w :x 2]"), SI, "lost-update 1",
	    BAD },
	  "" },
	{ { "internal", OK("[:w :x 1]") OK("[:r :x nil] [:r :x 1]"), LEVEL_READ_ATOMIC,
	    "internal 1", BAD },
	  "" },
	{ { "internal: own write", OK("[:w :x 1] [:r :x 2]"), LEVEL_READ_ATOMIC, "internal 1",
	    BAD },
	  "" },
	{ { "versions in a circle", AT(0, "[:w :x 1]") AT(0, "[:w :x 2]") AT(0, "[:r :x 1]"), SER,
	    "cyclic-versions 1", BAD },
	  "s" },
	{ { "versions in a circle in real time",
	    AT(0, "[:w :x 1]") AT(1, "[:w :x 2]") AT(2, "[:r :x 1]"), SER, "cyclic-versions 1",
	    BAD },
	  "l" },
	{ { "back to the first state", AT(0, "[:w :x 1]") AT(1, "[:r :x nil]"), SER,
	    "cyclic-versions 1", BAD },
	  "l" },
	{ { "writes follow reads in a circle", OK("[:r :x 1] [:w :x 2]") OK("[:r :x 2] [:w :x 1]"),
	    RC, "G1c 1, cyclic-versions 1", BAD },
	  "w" },
	{ { "write cycle, by processes",
	    AT(0, "[:w :x 1]") AT(0, "[:w :y 1] [:r :x 1]") BEGIN(1, "") BEGIN(0, "")
	            END(1, "[:w :y 2] [:w :x 2]") END(0, "[:r :y 1] [:w :y 3]")
	                    AT(1, "[:r :y 3] [:r :x 2]"),
	    SER, "", GOOD },
	  "w" },
	{ { "stale read in real time", AT(0, "[:w :x 1]") AT(1, "[:r :x nil]"), STRICT,
	    "G-single-item-realtime 1", BAD },
	  "" },
	{ { "stale read in a process", AT(0, "[:w :x 1]") AT(0, "[:r :x nil]"), SESSION,
	    "G-single-item-process 1", BAD },
	  "" },
	{ { "reads from the future", AT(0, "[:r :x 1]") AT(1, "[:w :x 1]"), STRICT,
	    "G1c-realtime 1", BAD },
	  "" },
	{ { "read skew that writes following reads show",
	    OK("[:w :x 1]") OK("[:r :x 1] [:w :x 2] [:w :y 1]") OK("[:r :x 1] [:r :y 1]"), SI,
	    "G-single-item 1", BAD },
	  "w" },
	{ { "the same, not known to follow",
	    OK("[:w :x 1]") OK("[:r :x 1] [:w :x 2] [:w :y 1]") OK("[:r :x 1] [:r :y 1]"), SI, "",
	    GOOD },
	  "" },
	{ { "write cycle that two processes saw",
	    AT(0, "[:w :x 1] [:w :y 2]") AT(1, "[:w :x 2] [:w :y 1]") AT(2, "[:r :x 1]")
	            AT(2, "[:r :x 2]") AT(3, "[:r :y 1]") AT(3, "[:r :y 2]"),
	    SER, "G-single-item 1, G0 1", BAD },
	  "s" },
	{ { "written, unknown, read", INFO("[:w :x 1] [:w :y 1]") OK("[:r :x 1] [:r :y nil]"), SI,
	    "G-single-item 1", BAD },
	  "" },
};

static const struct register_case clean[] = {
	{ { "one after the other",
	    AT(0, "[:w :x 1] [:r :x 1]") AT(1, "[:r :x 1] [:w :x 2]")
	            AT(0, "[:r :x 2] [:r :y nil] [:w :y 1]"),
	    STRICT, "", GOOD },
	  "slw" },
	{ { "what nobody wrote", AT(0, "[:r :x 7]") AT(1, "[:w :x 1]") AT(1, "[:r :x 1]"), STRICT,
	    "", GOOD },
	  "slw" },
	{ { "unknown outcome, seen later",
	    BEGIN(0, "[:w :x 1]") AT(1, "[:r :x nil]") AT(1, "[:r :x 1]"), STRICT, "", GOOD },
	  "slw" },
	{ { "own write, read, written over",
	    AT(0, "[:w :x 1] [:r :x 1] [:w :x 2]") AT(1, "[:r :x 2]"), STRICT, "", GOOD },
	  "slw" },
	{ { "own writes over each other", AT(0, "[:w :x 1] [:w :x 2] [:r :x 2]") AT(1, "[:r :x 2]"),
	    STRICT, "", GOOD },
	  "slw" },
	{ { "one value written twice",
	    OK("[:w :x 1]") OK("[:w :x 1]") OK("[:r :x 1]") OK("[:r :x nil]"), SER, "",
	    VERDICT_UNKNOWN },
	  "" },
	{ { "nil written",
	    OK("[:w :x nil]") OK("[:w :x 1]") OK("[:r :x nil]") OK("[:r :x 1] [:w :y 1]"), SER, "",
	    VERDICT_UNKNOWN },
	  "" },
	{ { "nothing depends on anything", OK("[:w :x 1]") OK("[:w :x 2]"), SER, "",
	    VERDICT_UNKNOWN },
	  "" },
};

static void test_planted(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(planted); i++)
		case_run(pawl__check_rw_register, MODEL_RW_REGISTER, &planted[i].one,
		         planted[i].infer);
}

static void test_clean(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(clean); i++)
		case_run(pawl__check_rw_register, MODEL_RW_REGISTER, &clean[i].one, clean[i].infer);
}

static void test_refused(void **state)
{
	static const char text[] = OK("[:w :x 1]") OK("[:append :x 1]");
	struct check_options o;
	struct check_result r;
	struct pawl_error err = { 0 };

	(void)state;
	pawl__check_options_init(&o, MODEL_RW_REGISTER);
	assert_int_equal(judge_text(pawl__check_rw_register, text, strlen(text), &o, &r, &err),
	                 PAWL_E_INVALID);
	assert_string_equal(err.text,
	                    "line 2: operations of rw-register read and write single values");
	pawl__check_result_deinit(&r);
}

/* What could not be inferred is said; with more known, nothing is left to say. */
static void test_tells(void **state)
{
	static const char text[] = AT(0, "[:w :x 1]") AT(1, "[:w :x 2]") AT(2, "[:r :x 2]");
	struct check_options o;
	struct check_result r;
	struct pawl_error err = { 0 };

	(void)state;
	pawl__check_options_init(&o, MODEL_RW_REGISTER);
	assert_int_equal(judge_text(pawl__check_rw_register, text, strlen(text), &o, &r, &err),
	                 PAWL_OK);
	assert_int_equal(r.notes_len, 1);
	assert_non_null(strstr(r.notes[0], "the order of versions is not known of 1"));
	pawl__check_result_deinit(&r);
	o.linearizable_keys = true;
	assert_int_equal(judge_text(pawl__check_rw_register, text, strlen(text), &o, &r, &err),
	                 PAWL_OK);
	assert_int_equal(r.notes_len, 0);
	pawl__check_result_deinit(&r);
}

/* n transactions that read the first state and wrote: each is before all others. */
static void test_fan(void **state)
{
	struct check_options o;
	struct check_result r;
	struct pawl_error err = { 0 };
	struct buf b;
	char found[512];

	(void)state;
	pawl__buf_init(&b, (size_t)64 << 20);
	for (uint32_t i = 1; i < 20000; i++) {
		buf_lit(&b, "{:type :ok, :value [[:r :x nil] [:w :x ");
		pawl__buf_u64(&b, i);
		buf_lit(&b, "]]}\n{:type :ok, :value [[:r :x nil]]}\n");
	}
	pawl__check_options_init(&o, MODEL_RW_REGISTER);
	o.level = SER;
	assert_int_equal(judge_text(pawl__check_rw_register, b.data, b.len, &o, &r, &err), PAWL_OK);
	case_found(&r, found, sizeof(found));
	assert_string_equal(found, "G2-item 1, lost-update 1");
	case_witnesses(&r);
	pawl__check_result_deinit(&r);
	pawl__buf_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_planted), cmocka_unit_test(test_clean),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_tells),
		cmocka_unit_test(test_fan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
