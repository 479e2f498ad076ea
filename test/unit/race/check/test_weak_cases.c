/* SPDX-License-Identifier: Apache-2.0 */
/* Levels of register histories: recorded ones with known verdicts, and what can't be told. */
#include "base/buf.h"
#include "base/compiler.h"
#include "judge.h"
#include "race/check/sersi.h"

static enum check_verdict level_of(const char *text, enum level level, struct check_result *ret)
{
	struct check_options o;
	struct pawl_error err = { 0 };

	pawl__check_options_init(&o, MODEL_RW_REGISTER);
	o.level = level;
	if (judge_text(pawl__check_weak, text, strlen(text), &o, ret, &err) != PAWL_OK)
		fail_msg("%s", err.text);
	return ret->verdict;
}

static enum check_verdict verdict(const char *text, enum level level)
{
	struct check_result r;
	const enum check_verdict v = level_of(text, level, &r);

	pawl__check_result_deinit(&r);
	return v;
}

static void assert_unknown(const char *text, enum level level, const char *why)
{
	struct check_result r;

	assert_int_equal(level_of(text, level, &r), VERDICT_UNKNOWN);
	assert_non_null(strstr(r.unknown, why));
	assert_int_equal(r.anomalies_len, 0);
	pawl__check_result_deinit(&r);
}

/* ---- recorded histories ---- */

static char *file(const char *dir, const char *name)
{
	char path[512];
	FILE *f;
	char *text = calloc(1, 1 << 20);

	assert_non_null(text);
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "r");
	if (f == NULL) {
		free(text);
		return NULL;
	}
	assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
	(void)fclose(f);
	return text;
}

static const struct {
	const char *awdit, *dbcop;
	enum level level;
} names[] = {
	{ "read-committed=", "\"CommittedRead\": ", LEVEL_READ_COMMITTED },
	{ "read-atomic=", "\"AtomicRead\": ", LEVEL_READ_ATOMIC },
	{ "causal=", "\"Causal\": ", LEVEL_CAUSAL_CERONE },
	{ NULL, "\"Prefix\": ", LEVEL_PREFIX },
	{ NULL, "\"SnapshotIsolation\": ", LEVEL_SNAPSHOT_ISOLATION },
	{ NULL, "\"Serializable\": ", LEVEL_SERIALIZABLE },
};

static uint32_t awdit_line(const char *dir, const char *line)
{
	uint32_t judged = 0;
	char name[256];
	char *text;

	assert_int_equal(sscanf(line, "%200s", name), 1);
	memmove(name + 6, name, strlen(name) + 1);
	memcpy(name, "awdit/", 6);
	text = file(dir, name);
	if (text == NULL)
		return 0;
	for (size_t i = 0; i < 3; i++) {
		const char *said = strstr(line, names[i].awdit);
		const enum check_verdict v = verdict(text, names[i].level);

		assert_non_null(said);
		said += strlen(names[i].awdit);
		if (v != (strncmp(said, "Consistent", 10) == 0 ? VERDICT_VALID : VERDICT_INVALID))
			fail_msg("%s: %s", name, names[i].awdit);
		judged++;
	}
	free(text);
	return judged;
}

/* The sessions that stand in the line itself, as a file of that format. */
static uint32_t dbcop_line(const char *line)
{
	const char *from = strstr(line, "\"sessions\": "), *to = strstr(line, ", \"text\"");
	char text[4096];
	uint32_t judged = 0;

	assert_true(from != NULL && to != NULL && to > from && to - from < 4000);
	(void)snprintf(text, sizeof(text), "{%.*s}", (int)(to - from), from);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *said = strstr(line, names[i].dbcop);

		if (said == NULL)
			continue;
		said += strlen(names[i].dbcop);
		if (verdict(text, names[i].level) !=
		    (strncmp(said, "\"pass", 5) == 0 ? VERDICT_VALID : VERDICT_INVALID))
			fail_msg("%.60s: %s", line, names[i].dbcop);
		judged++;
	}
	return judged;
}

static void test_check_weak__recorded_history_gets_recorded_verdict(void **state)
{
	const char *dir = histories();
	char *awdit = file(dir, "awdit/expected.txt");
	char *dbcop = file(dir, "dbcop-tests/index.jsonl"), *at = NULL;
	uint32_t judged = 0;

	(void)state;
	assert_true(awdit != NULL && dbcop != NULL);
	for (char *l = strtok_r(awdit, "\n", &at); l != NULL; l = strtok_r(NULL, "\n", &at))
		judged += awdit_line(dir, l);
	for (char *l = strtok_r(dbcop, "\n", &at); l != NULL; l = strtok_r(NULL, "\n", &at))
		judged += dbcop_line(l);
	assert_true(judged >= 40);
	free(awdit);
	free(dbcop);
}

/* Files of bugs in databases: the weakest level that fails, LEVEL_LEN when none does. */
static const struct {
	const char *name;
	enum level fails;
} bugs[] = {
	{ "isovista/pg_ser_bug.txt", LEVEL_SERIALIZABLE },
	{ "isovista/dgraph_si.txt", LEVEL_CAUSAL_CERONE },
	{ "isovista/yugabyte_tcc.txt", LEVEL_READ_ATOMIC },
	{ "isovista/sample_history.txt", LEVEL_LEN },
};

static void test_check_weak__bug_of_a_database_breaks_its_level(void **state)
{
	const char *dir = histories();
	uint32_t judged = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bugs); i++) {
		char *text = file(dir, bugs[i].name);

		for (size_t l = 0; text != NULL && l < ARRAY_LEN(names); l++) {
			const uint64_t broken = bugs[i].fails == LEVEL_LEN
			                                ? 0
			                                : pawl__level_impossible(bugs[i].fails);
			const bool breaks = (broken & LEVEL_BIT(names[l].level)) != 0;

			if (verdict(text, names[l].level) !=
			    (breaks ? VERDICT_INVALID : VERDICT_VALID))
				fail_msg("%s: %s", bugs[i].name, names[l].dbcop);
			judged++;
		}
		free(text);
	}
	assert_true(judged > 0);
}

/* ---- writes that are not unique ---- */

#define TXN(process, type, mops)                                                                   \
	"{:process " process ", :type " type ", :f :txn, :value [" mops "]}\n"

static void test_check_weak__value_written_twice_and_read_unknown(void **state)
{
	const char *text = TXN("0", ":ok", "[:w :x 7]") TXN("1", ":ok", "[:w :x 7]")
		TXN("2", ":ok", "[:r :x 7]");

	(void)state;
	assert_unknown(text, LEVEL_READ_COMMITTED, "the value 7 that was read of key :x");
	assert_unknown(text, LEVEL_SERIALIZABLE, "the value 7 that was read of key :x");
}

static void test_check_weak__value_written_twice_but_not_read_valid(void **state)
{
	(void)state;
	assert_int_equal(verdict(TXN("0", ":ok", "[:w :x 7]") TXN("1", ":ok", "[:w :x 7]")
	                                 TXN("2", ":ok", "[:w :x 7] [:r :x 7]"),
	                         LEVEL_SERIALIZABLE),
	                 VERDICT_VALID);
}

static void test_check_weak__value_failed_and_written_again_is_of_the_second(void **state)
{
	const char *const orders[] = {
		TXN("0", ":fail", "[:w :x 7]") TXN("1", ":ok", "[:w :x 7]")
			TXN("2", ":ok", "[:r :x 7]"),
		TXN("0", ":ok", "[:w :x 7]") TXN("1", ":fail", "[:w :x 7]")
			TXN("2", ":ok", "[:r :x 7]"),
		TXN("0", ":info", "[:w :x 7]") TXN("1", ":fail", "[:w :x 7]")
			TXN("2", ":ok", "[:r :x 7]"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(orders); i++)
		assert_int_equal(verdict(orders[i], LEVEL_SERIALIZABLE), VERDICT_VALID);
	assert_unknown(TXN("0", ":info", "[:w :x 7]") TXN("1", ":ok", "[:w :x 7]")
	                       TXN("2", ":ok", "[:r :x 7]"),
	               LEVEL_READ_COMMITTED, "not unique");
}

static void test_check_weak__initial_value_written_and_read_unknown(void **state)
{
	const char *text = TXN("0", ":ok", "[:w :x 0]") TXN("1", ":ok", "[:r :x 0]");
	struct check_options o;
	struct check_result r;
	struct pawl_error err = { 0 };

	(void)state;
	assert_int_equal(verdict(text, LEVEL_SERIALIZABLE), VERDICT_VALID);
	pawl__check_options_init(&o, MODEL_RW_REGISTER);
	o.level = LEVEL_SERIALIZABLE;
	o.initial_set = true;
	o.initial = 0;
	assert_int_equal(judge_text(pawl__check_weak, text, strlen(text), &o, &r, &err), PAWL_OK);
	assert_int_equal(r.verdict, VERDICT_UNKNOWN);
	pawl__check_result_deinit(&r);
}

static void test_check_weak__own_write_overwritten_reads_as_internal(void **state)
{
	struct check_result r;

	(void)state;
	assert_int_equal(level_of(TXN("0", ":ok", "[:w :x 1] [:w :x 2] [:r :x 1]"),
	                          LEVEL_READ_COMMITTED, &r),
	                 VERDICT_INVALID);
	assert_int_equal(r.anomalies_len, 1);
	assert_string_equal(r.anomalies[0].name, "internal");
	assert_non_null(strstr(r.anomalies[0].witnesses[0].text, "T0 read 1 of key :x"));
	assert_non_null(strstr(r.anomalies[0].witnesses[0].text, "which was 2"));
	pawl__check_result_deinit(&r);
}

static void test_check_weak__appends_refused_with_their_line(void **state)
{
	const char *text = TXN("0", ":ok", "[:w :x 1]") TXN("0", ":ok", "[:append :x 1]");
	struct check_options o;
	struct check_result r;
	struct pawl_error err = { 0 };

	(void)state;
	pawl__check_options_init(&o, MODEL_RW_REGISTER);
	o.level = LEVEL_READ_COMMITTED;
	assert_int_equal(judge_text(pawl__check_weak, text, strlen(text), &o, &r, &err),
	                 PAWL_E_INVALID);
	assert_non_null(strstr(err.text, "line 2"));
	pawl__check_result_deinit(&r);
}

/* ---- levels by other names, and what lies between ---- */

#define SKEW                                                                                       \
	TXN("0", ":ok", "[:w :x 1] [:w :y 1]")                                                     \
	TXN("1", ":ok", "[:r :x 1] [:w :y 2]") TXN("2", ":ok", "[:r :y 1] [:w :x 2]")
#define LOST                                                                                       \
	TXN("0", ":ok", "[:w :x 1]")                                                               \
	TXN("1", ":ok", "[:r :x 1] [:w :x 2]") TXN("2", ":ok", "[:r :x 1] [:w :x 3]")
#define DIRTY TXN("0", ":fail", "[:w :x 1]") TXN("1", ":ok", "[:r :x 1]")

static void test_check_weak__level_between_two_decided_where_they_agree(void **state)
{
	(void)state;
	assert_int_equal(verdict(SKEW, LEVEL_REPEATABLE_READ), VERDICT_INVALID);
	assert_int_equal(verdict(SKEW, LEVEL_STRONG_SESSION_SERIALIZABLE), VERDICT_INVALID);
	assert_int_equal(verdict(SKEW, LEVEL_STRONG_SESSION_SNAPSHOT_ISOLATION), VERDICT_VALID);
	assert_int_equal(verdict(SKEW, LEVEL_STRONG_SERIALIZABLE), VERDICT_INVALID);
	/* Implied by snapshot isolation. */
	assert_int_equal(verdict(SKEW, LEVEL_PARALLEL_SNAPSHOT_ISOLATION), VERDICT_VALID);
	assert_int_equal(verdict(SKEW, LEVEL_READ_UNCOMMITTED), VERDICT_VALID);
	/* Snapshot isolation fails, causal holds. */
	assert_unknown(LOST, LEVEL_PARALLEL_SNAPSHOT_ISOLATION, "between two levels");
	assert_int_equal(verdict(LOST, LEVEL_CAUSAL_CERONE), VERDICT_VALID);
	assert_int_equal(verdict(DIRTY, LEVEL_PARALLEL_SNAPSHOT_ISOLATION), VERDICT_INVALID);
	assert_unknown(DIRTY, LEVEL_READ_UNCOMMITTED, "between two levels");
}

static void test_check_weak__real_time_asked_for_of_what_is_serializable_unknown(void **state)
{
	(void)state;
	assert_unknown(TXN("0", ":ok", "[:w :x 1]") TXN("1", ":ok", "[:r :x 1]"),
	               LEVEL_STRONG_SERIALIZABLE, "stronger level");
}

static void test_check_weak__initial_transaction_is_before_all(void **state)
{
	/* Session 1 read y from transaction 2, which wrote x, and then the initial x. */
	const char *text =
		"w(0,0,0,0)\nw(1,0,0,0)\nw(0,5,2,2)\nw(1,6,2,2)\nr(1,6,1,1)\nr(0,0,1,1)\n";
	const char *fine =
		"w(0,0,0,0)\nw(1,0,0,0)\nw(0,5,2,2)\nw(1,6,2,2)\nr(0,0,1,1)\nr(1,6,1,1)\n";

	(void)state;
	assert_int_equal(verdict(text, LEVEL_READ_COMMITTED), VERDICT_INVALID);
	assert_int_equal(verdict(fine, LEVEL_READ_COMMITTED), VERDICT_VALID);
	assert_int_equal(verdict(fine, LEVEL_READ_ATOMIC), VERDICT_INVALID);
}

/* ---- limits ---- */

/* n sessions, each of one transaction that reads from the one before. */
static char *chain(uint32_t n)
{
	struct buf b;
	char *text;

	pawl__buf_init(&b, (size_t)16 << 20);
	for (uint32_t i = 0; i < n; i++) {
		char line[128];

		(void)snprintf(line, sizeof(line),
		               "{:process %u, :type :ok, :f :txn, :value [[:r 0 %u] [:w 0 %u]]}\n",
		               i, i, i + 1);
		buf_str(&b, i == 0 ? STR("{:process 0, :type :ok, :f :txn, :value [[:w 0 1]]}\n")
		                   : pawl__str_of(line));
	}
	pawl__buf_putc(&b, '\0');
	assert_false(b.overflow);
	text = strdup(b.data);
	pawl__buf_deinit(&b);
	assert_non_null(text);
	return text;
}

static void test_check_weak__sessions_at_and_over_the_limit(void **state)
{
	char *at = chain(WEAK_SESSIONS_MAX), *over = chain(WEAK_SESSIONS_MAX + 1);

	(void)state;
	assert_int_equal(verdict(at, LEVEL_CAUSAL_CERONE), VERDICT_VALID);
	assert_unknown(over, LEVEL_CAUSAL_CERONE, "sessions");
	assert_int_equal(verdict(over, LEVEL_READ_ATOMIC), VERDICT_VALID);
	/* Its rows are a serial order, which needs no clocks. */
	assert_int_equal(verdict(over, LEVEL_SERIALIZABLE), VERDICT_VALID);
	free(at);
	free(over);
}

static void test_check_weak__out_of_steps_unknown_and_says_so(void **state)
{
	/* Two readers that saw the two writers' keys the other way round than rows stand. */
	struct check_options o;
	struct pawl_error err = { 0 };
	struct check_result r;

	(void)state;
	pawl__check_options_init(&o, MODEL_RW_REGISTER);
	o.level = LEVEL_SERIALIZABLE;
	o.steps = 1;
	assert_int_equal(judge_text(pawl__check_weak, SKEW, strlen(SKEW), &o, &r, &err), PAWL_OK);
	assert_int_equal(r.verdict, VERDICT_UNKNOWN);
	assert_non_null(strstr(r.unknown, "out of steps"));
	assert_true(r.steps <= 1);
	pawl__check_result_deinit(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check_weak__recorded_history_gets_recorded_verdict),
		cmocka_unit_test(test_check_weak__bug_of_a_database_breaks_its_level),
		cmocka_unit_test(test_check_weak__value_written_twice_and_read_unknown),
		cmocka_unit_test(test_check_weak__value_written_twice_but_not_read_valid),
		cmocka_unit_test(test_check_weak__value_failed_and_written_again_is_of_the_second),
		cmocka_unit_test(test_check_weak__initial_value_written_and_read_unknown),
		cmocka_unit_test(test_check_weak__own_write_overwritten_reads_as_internal),
		cmocka_unit_test(test_check_weak__appends_refused_with_their_line),
		cmocka_unit_test(test_check_weak__level_between_two_decided_where_they_agree),
		cmocka_unit_test(
			test_check_weak__real_time_asked_for_of_what_is_serializable_unknown),
		cmocka_unit_test(test_check_weak__initial_transaction_is_before_all),
		cmocka_unit_test(test_check_weak__sessions_at_and_over_the_limit),
		cmocka_unit_test(test_check_weak__out_of_steps_unknown_and_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
