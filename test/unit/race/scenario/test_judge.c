/* SPDX-License-Identifier: Apache-2.0 */
/* What is held, violated, inconclusive or an error, and by which operations it is seen. */
#include "harness.h"

#include "race/scenario/history.h"
#include "race/scenario/pick.h"

static struct race_op ops[16];
static uint32_t ops_len;
static struct asked answer; /* of every get and store */
static struct status_count since[4];
static uint32_t since_len;
static bool carried;
static int64_t sums[SCENARIO_EXPECT_MAX];

static void ops_reset(void)
{
	memset(ops, 0, sizeof(ops));
	ops_len = 0;
	carried = false;
	since_len = 0;
	memset(sums, 0, sizeof(sums));
	answer = (struct asked){ 200, STR("{}") };
}

/* An operation from `from` to `to`. */
static void op(const struct scenario *s, int status, int from, int to, const char *body)
{
	ops[ops_len] = (struct race_op){ .step = &s->requests[0],
		                         .client = ops_len,
		                         .class = status == 0 ? VOLLEY_TIMEOUT : VOLLEY_ANSWERED,
		                         .status = status,
		                         .released_ns = from,
		                         .done_ns = to,
		                         .body = pawl__str_of(body) };
	ops_len++;
}

static enum pawl_status get(void *data, const struct template *path, struct asked *ret,
                            struct pawl_error *err)
{
	(void)data, (void)path, (void)err;
	*ret = answer;
	return PAWL_OK;
}

static enum pawl_status store(void *data, const struct step *step, struct asked *ret,
                              struct pawl_error *err)
{
	(void)data, (void)step, (void)err;
	*ret = answer;
	return PAWL_OK;
}

static struct finding judged(const struct scenario *s)
{
	struct judge j = { .arena = &test_arena,
		           .ops = ops,
		           .ops_len = ops_len,
		           .carried = carried,
		           .statuses = since,
		           .statuses_len = since_len,
		           .carried_sum = sums,
		           .get = get,
		           .store = store };
	struct finding f;

	j.scope.names = &s->names;
	pawl__judge(&j, &s->expects[0], 0, &f);
	return f;
}

static const struct scenario *expecting(const char *expect)
{
	char yaml[1024];

	ops_reset();
	(void)snprintf(yaml, sizeof(yaml), HEAD RACE "expect:\n  - %s\n", expect);
	return parsed(yaml);
}

static void expects(const struct finding f, enum verdict verdict, const char *detail)
{
	assert_string_equal(pawl__verdict_name(f.verdict), pawl__verdict_name(verdict));
	assert_string_equal(f.detail, detail);
}

static void test_judge_status__held_and_broken_both_ways(void **state)
{
	const struct scenario *s = expecting("{status: {201: 1, 409: rest}}");

	(void)state;
	op(s, 201, 1, 10, "");
	op(s, 409, 2, 9, "");
	expects(judged(s), VERDICT_HELD, "");
	op(s, 201, 3, 8, "");
	op(s, 201, 20, 30, "");
	{
		const struct finding f = judged(s);

		expects(f, VERDICT_VIOLATED, "201: 3, expected 1");
		assert_int_equal(f.witness_len, 2); /* that is enough to see it .. */
		assert_int_equal(f.witness[0], 0);  /* .. by those that overlap */
		assert_int_equal(f.witness[1], 2);
	}
	ops_reset();
	op(s, 409, 1, 2, "");
	expects(judged(s), VERDICT_VIOLATED, "201: 0, expected 1");
	op(s, 500, 1, 2, "");
	expects(judged(s), VERDICT_VIOLATED,
	        "1 answers that were not expected, the first with 500");
}

static void
test_judge_status__a_missing_answer_is_inconclusive_unless_it_cannot_matter(void **state)
{
	const struct scenario *s = expecting("{status: {201: 1, 409: rest}}");

	(void)state;
	op(s, 409, 1, 2, "");
	op(s, 0, 1, 2, "");
	expects(judged(s), VERDICT_INCONCLUSIVE, "1 requests have no answer");
	op(s, 201, 1, 2, "");
	op(s, 201, 1, 2, "");
	expects(judged(s), VERDICT_VIOLATED, "201: 2, expected 1");
	s = expecting("{status: {201: 1, 409: rest, timeout: any}}");
	op(s, 201, 1, 2, "");
	op(s, 0, 1, 2, "");
	expects(judged(s), VERDICT_HELD, "");
}

static void test_judge_status__carried_rounds_count_together(void **state)
{
	const struct scenario *s = expecting("{status: {201: 1, 409: rest}}");

	(void)state;
	op(s, 409, 1, 2, "");
	carried = true;
	since[0] = (struct status_count){ VOLLEY_ANSWERED, 201, 1 };
	since_len = 1;
	expects(judged(s), VERDICT_HELD, "");
	since[0].n = 2;
	expects(judged(s), VERDICT_VIOLATED, "201: 2, expected 1");
}

static void test_judge_get__compares_values(void **state)
{
	static const struct {
		const char *expect, *body;
		enum verdict verdict;
		const char *detail;
	} rows[] = {
		{ "{/a: 0}", "{\"a\":0}", VERDICT_HELD, "" },
		{ "{/a: 0}", "{\"a\":0.0}", VERDICT_HELD, "" },
		{ "{/a: 0}", "{\"a\":-3}", VERDICT_VIOLATED, "/a is -3, expected 0" },
		{ "{/a: \"0\"}", "{\"a\":0}", VERDICT_VIOLATED, "/a is 0, expected \"0\"" },
		{ "{/a: 0}", "{}", VERDICT_VIOLATED, "/a is nothing, expected 0" },
		{ "{/a: {exists: false}}", "{}", VERDICT_HELD, "" },
		{ "{/a: {exists: true}}", "{}", VERDICT_VIOLATED,
		  "/a is nothing, expected a value" },
		{ "{/a: {min: 1, max: 3}}", "{\"a\":3}", VERDICT_HELD, "" },
		{ "{/a: {min: 1, max: 3}}", "{\"a\":4}", VERDICT_VIOLATED,
		  "/a is 4, expected between 1 and 3" },
		{ "{/a: {min: 1}}", "{\"a\":0}", VERDICT_VIOLATED, "/a is 0, expected at least 1" },
		{ "{/a: {not: 1}}", "{\"a\":1}", VERDICT_VIOLATED, "/a is 1, expected not 1" },
		{ "{/a: {length: 2}}", "{\"a\":[1,2]}", VERDICT_HELD, "" },
		{ "{/a: {b: [1, x]}}", "{\"a\":{\"b\":[1,\"x\"]}}", VERDICT_HELD, "" },
		{ "{/a: 1}", "<html>", VERDICT_ERROR, "the answer is no JSON" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct scenario *s;
		char expect[200];

		(void)snprintf(expect, sizeof(expect), "{get: /x, json: %s}", rows[i].expect);
		s = expecting(expect);
		answer.body = pawl__str_of(rows[i].body);
		expects(judged(s), rows[i].verdict, rows[i].detail);
	}
}

static void test_judge_get__a_status_is_an_expectation_only_when_asked_for(void **state)
{
	const struct scenario *s = expecting("{get: /x, json: {/a: 1}}");

	(void)state;
	answer.status = 404;
	expects(judged(s), VERDICT_ERROR, "it is answered with 404");
	s = expecting("{get: /x, status: 200}");
	answer.status = 404;
	expects(judged(s), VERDICT_VIOLATED, "it is answered with 404");
	s = expecting("{get: /x, status: 404}");
	answer.status = 404;
	expects(judged(s), VERDICT_HELD, "");
}

static void test_judge_store__text_of_a_database_is_a_number(void **state)
{
	const struct scenario *s = expecting("{sql: \"SELECT 1\", on: \"sqlite:x\", value: 5}");

	(void)state;
	answer.body = STR("[[\"5\"]]");
	expects(judged(s), VERDICT_HELD, "");
	answer.body = STR("[[\"6\"]]");
	expects(judged(s), VERDICT_VIOLATED, "/0/0 is \"6\", expected 5");
	answer.body = STR("[]");
	expects(judged(s), VERDICT_VIOLATED, "/0/0 is nothing, expected 5");
	s = expecting("{sql: \"SELECT 1\", on: \"sqlite:x\", rows: [[1, a], [2, b]]}");
	answer.body = STR("[[\"1\",\"a\"],[\"2\",\"b\"]]");
	expects(judged(s), VERDICT_HELD, "");
}

static void test_judge_sum__over_items_and_over_answers(void **state)
{
	const struct scenario *s = expecting("{sum: /n, get: [/a, /b, /c], value: 6}");

	(void)state;
	answer.body = STR("{\"n\":2}");
	expects(judged(s), VERDICT_HELD, "");
	answer.body = STR("{\"n\":3}");
	expects(judged(s), VERDICT_VIOLATED, "is 9, expected 6");
	answer.body = STR("{\"n\":9223372036854775807}");
	expects(judged(s), VERDICT_ERROR, "the sum is over 64 bits");
	s = expecting("{sum: /n, over: answers, status: 201, value: 5}");
	op(s, 201, 1, 2, "{\"n\":2}");
	op(s, 201, 1, 2, "{\"n\":3}");
	op(s, 409, 1, 2, "{\"n\":100}");
	expects(judged(s), VERDICT_HELD, "");
	op(s, 201, 1, 2, "{}");
	expects(judged(s), VERDICT_ERROR, "1 answers have nothing at /n");
}

static void test_judge_distinct__names_the_pair(void **state)
{
	const struct scenario *s = expecting("{distinct: /id}");
	struct finding f;

	(void)state;
	op(s, 201, 1, 2, "{\"id\":1}");
	op(s, 201, 1, 2, "{\"id\":2}");
	op(s, 409, 1, 2, "{}"); /* not asked about */
	expects(judged(s), VERDICT_HELD, "");
	op(s, 201, 1, 2, "{\"id\":1}");
	f = judged(s);
	expects(f, VERDICT_VIOLATED, "1 answers have a value at /id that another has, too");
	assert_int_equal(f.witness[0], 0);
	assert_int_equal(f.witness[1], 3);
}

static void test_judge_distinct__says_nothing_about_answers_that_are_not_there(void **state)
{
	const struct scenario *s = expecting("{distinct: /id}");

	(void)state;
	op(s, 409, 1, 2, "{}");
	expects(judged(s), VERDICT_INCONCLUSIVE, "there is no answer to look at");
	op(s, 201, 1, 2, "{\"id\":1}");
	op(s, 0, 1, 2, "");
	expects(judged(s), VERDICT_INCONCLUSIVE, "1 requests have no answer");
	op(s, 201, 1, 2, "{\"id\":1}");
	expects(judged(s), VERDICT_VIOLATED, "1 answers have a value at /id that another has, too");
}

static void test_judge_monotone__only_against_what_was_there_before(void **state)
{
	const struct scenario *s = expecting("{monotone: /v}");
	struct finding f;

	(void)state;
	op(s, 200, 1, 10, "{\"v\":5}");
	op(s, 200, 10, 20, "{\"v\":4}"); /* released as the other was done: they overlap */
	expects(judged(s), VERDICT_HELD, "");
	op(s, 200, 11, 20, "{\"v\":3}");
	f = judged(s);
	expects(f, VERDICT_VIOLATED,
	        "1 answers are behind one that was there before they were asked for");
	assert_int_equal(f.witness[0], 0);
	assert_int_equal(f.witness[1], 2);
}

static void test_judge_replays__the_same_key_the_same_answer(void **state)
{
	const struct scenario *s = expecting("{replays: identical}");

	(void)state;
	op(s, 201, 1, 2, "a");
	op(s, 201, 1, 2, "b");
	ops[0].key = STR("k");
	ops[1].key = STR("l");
	expects(judged(s), VERDICT_INCONCLUSIVE, "no key was answered twice");
	ops[1].key = STR("k");
	expects(judged(s), VERDICT_VIOLATED, "1 answers differ from another to the same key");
	ops[1].body = STR("a");
	expects(judged(s), VERDICT_HELD, "");
	op(s, 409, 1, 2, "in progress"); /* told to come again: no answer */
	ops[2].key = STR("k");
	expects(judged(s), VERDICT_HELD, "");
}

static void test_wilson__known_values(void **state)
{
	double low, high;

	(void)state;
	pawl__wilson(0, 200, &low, &high);
	assert_true(low == 0 && high > 0.0188 && high < 0.0189); /* 0 of 200: < 1.9 % */
	pawl__wilson(7, 20, &low, &high);
	assert_true(low > 0.1811 && low < 0.1813 && high > 0.5671 && high < 0.5673);
	pawl__wilson(20, 20, &low, &high);
	assert_true(low > 0.8388 && low < 0.8389 && high == 1);
	pawl__wilson(0, 0, &low, &high);
	assert_true(low == 0 && high == 1);
}

static void test_verdict__the_heaviest_counts(void **state)
{
	(void)state;
	assert_int_equal(verdict_worse(VERDICT_HELD, VERDICT_INCONCLUSIVE), VERDICT_INCONCLUSIVE);
	assert_int_equal(verdict_worse(VERDICT_ERROR, VERDICT_INCONCLUSIVE), VERDICT_ERROR);
	assert_int_equal(verdict_worse(VERDICT_ERROR, VERDICT_VIOLATED), VERDICT_VIOLATED);
}

static void test_pick__few_and_those_that_overlap(void **state)
{
	const struct scenario *s = expecting("{status: {201: 1}}");
	struct pick p = { .ops = ops };
	uint32_t at[RUN_LANES_MAX];

	(void)state;
	for (int i = 0; i < 12; i++)
		op(s, 201, 100 * i + 1, 100 * i + 50, ""); /* one after the other */
	ops[9].done_ns = ops[10].released_ns + 1;          /* but these two */
	p.len = ops_len;
	for (uint32_t i = 0; i < ops_len; i++)
		pawl__pick_add(&p, i);
	assert_int_equal(pawl__pick_together(&p, 2, at), 2);
	assert_int_equal(at[0], 9);
	assert_int_equal(at[1], 10);
	assert_int_equal(pawl__pick_together(&p, 100, at), RUN_LANES_MAX);
	assert_int_equal(pawl__pick_effects(ops, ops_len, at), 4);
}

static void test_history_type__what_may_have_happened_is_info(void **state)
{
	(void)state;
	assert_int_equal(pawl__history_type(VOLLEY_ANSWERED, 201), HISTORY_OK);
	assert_int_equal(pawl__history_type(VOLLEY_ANSWERED, 409), HISTORY_FAIL);
	assert_int_equal(pawl__history_type(VOLLEY_ANSWERED, 408), HISTORY_INFO);
	assert_int_equal(pawl__history_type(VOLLEY_ANSWERED, 503), HISTORY_INFO);
	assert_int_equal(pawl__history_type(VOLLEY_TIMEOUT, 0), HISTORY_INFO);
	assert_int_equal(pawl__history_type(VOLLEY_RESET, 0), HISTORY_INFO);
	assert_int_equal(pawl__history_type(VOLLEY_UNSENT, 0), HISTORY_FAIL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_judge_status__held_and_broken_both_ways),
		TEST(test_judge_status__a_missing_answer_is_inconclusive_unless_it_cannot_matter),
		TEST(test_judge_status__carried_rounds_count_together),
		TEST(test_judge_get__compares_values),
		TEST(test_judge_get__a_status_is_an_expectation_only_when_asked_for),
		TEST(test_judge_store__text_of_a_database_is_a_number),
		TEST(test_judge_sum__over_items_and_over_answers),
		TEST(test_judge_distinct__names_the_pair),
		TEST(test_judge_distinct__says_nothing_about_answers_that_are_not_there),
		TEST(test_judge_monotone__only_against_what_was_there_before),
		TEST(test_judge_replays__the_same_key_the_same_answer),
		TEST(test_wilson__known_values),
		TEST(test_verdict__the_heaviest_counts),
		TEST(test_pick__few_and_those_that_overlap),
		TEST(test_history_type__what_may_have_happened_is_info),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
