/* SPDX-License-Identifier: Apache-2.0 */
/* Registers, texts and locks, from the lines of a history to the verdict and its words. */
#include "judge.h"

#include <dirent.h>

#include "base/compiler.h"

#define I(p, f, v)    "{:process " #p ", :type :invoke, :f :" #f ", :value " v "}\n"
#define OK(p, f, v)   "{:process " #p ", :type :ok, :f :" #f ", :value " v "}\n"
#define FAIL(p, f, v) "{:process " #p ", :type :fail, :f :" #f ", :value " v "}\n"
#define INFO(p, f, v) "{:process " #p ", :type :info, :f :" #f ", :value " v "}\n"
#define W(p, v)       I(p, write, v) OK(p, write, v)
#define R(p, v)       I(p, read, "nil") OK(p, read, v)
/* With a key */
#define IK(p, f, k, v)  "{:process " #p ", :type :invoke, :f :" #f ", :key " k ", :value " v "}\n"
#define OKK(p, f, k, v) "{:process " #p ", :type :ok, :f :" #f ", :key " k ", :value " v "}\n"

struct example {
	const char *what;
	enum check_model model;
	enum check_mode mode;
	int64_t initial; /* VALUE_NIL: not given */
	const char *text;
	enum check_verdict want;
	const char *says; /* part of the first witness; NULL */
};

#define REG   MODEL_CAS_REGISTER, MODE_KNOSSOS, VALUE_NIL
#define ETCD  MODEL_CAS_REGISTER, MODE_ETCD, VALUE_NIL
#define KV    MODEL_KV, MODE_KNOSSOS, VALUE_NIL
#define LOCK  MODEL_MUTEX, MODE_KNOSSOS, VALUE_NIL
#define MULTI MODEL_MULTI_REGISTER, MODE_KNOSSOS

static const struct example examples[] = {
	{ "write then read", REG, W(0, "1") R(1, "1"), VERDICT_VALID, NULL },
	{ "old value after a write", REG, W(0, "1") W(0, "2") R(1, "1"), VERDICT_INVALID,
	  "and within that time another" },
	{ "a value that nobody wrote", REG, W(0, "1") R(1, "3"), VERDICT_INVALID, "nothing wrote" },
	{ "a read before its write", REG, R(0, "1") W(1, "1"), VERDICT_INVALID,
	  "before its value was written" },
	{ "written twice, so searched", REG, W(0, "1") W(0, "2") W(0, "2") R(1, "1"),
	  VERDICT_INVALID, "Just before it returned the value could only be: 2" },
	{ "the core leaves out what is past", REG,
	  W(0, "2") R(0, "2") W(0, "1") W(0, "2") R(0, "2") W(0, "1") R(1, "2"), VERDICT_INVALID,
	  "whatever the value was before them: T5 {:ok process 0 line 12, [:w 1]}; T6 {" },
	{ "nil says nothing in mode knossos", REG, W(0, "1") R(1, "nil"), VERDICT_VALID, NULL },
	{ "nil is nil in mode etcd", ETCD, W(0, "1") R(1, "nil"), VERDICT_INVALID, NULL },
	{ "it begins as nil", ETCD, R(1, "nil") W(0, "1"), VERDICT_VALID, NULL },
	{ "or as told", MODEL_CAS_REGISTER, MODE_KNOSSOS, 0, R(1, "0") W(0, "1"), VERDICT_VALID,
	  NULL },
	{ "else 0 is unexplained", REG, R(1, "0") W(0, "1"), VERDICT_INVALID, NULL },
	{ "a failed cas is nothing in mode knossos", REG,
	  W(0, "1") I(1, cas, "[1 2]") FAIL(1, cas, "[1 2]") R(0, "1"), VERDICT_VALID, NULL },
	{ "and an answer in mode etcd", ETCD, W(0, "1") I(1, cas, "[1 2]") FAIL(1, cas, "[1 2]"),
	  VERDICT_INVALID, NULL },
	{ "a right one", ETCD, W(0, "1") I(1, cas, "[3 2]") FAIL(1, cas, "[3 2]"), VERDICT_VALID,
	  NULL },
	{ "a failed write did not happen", REG,
	  W(0, "1") I(1, write, "2") FAIL(1, write, "2") R(0, "2"), VERDICT_INVALID, NULL },
	{ "cas", REG, W(0, "1") I(1, cas, "[1 2]") OK(1, cas, "[1 2]") R(0, "2"), VERDICT_VALID,
	  NULL },
	{ "cas of another value", REG, W(0, "1") I(1, cas, "[3 2]") OK(1, cas, "[3 2]"),
	  VERDICT_INVALID, NULL },
	{ "a write without outcome may have happened", REG,
	  W(0, "1") I(1, write, "2") INFO(1, write, "2") R(0, "1") R(0, "2"), VERDICT_VALID, NULL },
	{ "at any time, but once", REG,
	  W(0, "1") I(1, write, "2") INFO(1, write, "2") R(0, "2") W(0, "1") R(0, "2"),
	  VERDICT_INVALID, NULL },
	{ "never completed is the same", REG, I(1, write, "2") W(0, "1") R(0, "1") R(0, "2"),
	  VERDICT_VALID, NULL },
	{ "a read without outcome says nothing", REG,
	  W(0, "1") I(1, read, "nil") INFO(1, read, "nil") R(0, "1"), VERDICT_VALID, NULL },
	{ "keys are apart", REG,
	  IK(0, write, "1", "5") OKK(0, write, "1", "5") IK(0, read, "2", "nil")
	          OKK(0, read, "2", "5"),
	  VERDICT_INVALID, "key 2: " },
	{ "no invocations", REG, OK(0, write, "1") OK(1, read, "1"), VERDICT_VALID, NULL },
	{ "texts", KV,
	  IK(0, append, "\"k\"", "\"a\"") IK(1, append, "\"k\"", "\"b\"")
	          OKK(0, append, "\"k\"", "\"a\"") OKK(1, append, "\"k\"", "\"b\"")
	                  IK(0, get, "\"k\"", "nil") OKK(0, get, "\"k\"", "\"ba\""),
	  VERDICT_VALID, NULL },
	{ "texts, confused", KV,
	  IK(0, append, "\"k\"", "\"a\"") OKK(0, append, "\"k\"", "\"a\"")
	          IK(1, append, "\"k\"", "\"b\"") OKK(1, append, "\"k\"", "\"b\"")
	                  IK(0, get, "\"k\"", "nil") OKK(0, get, "\"k\"", "\"ba\""),
	  VERDICT_INVALID, "explains T2 {:ok process 0 line 6" },
	{ "nothing is the empty text", KV,
	  IK(0, get, "\"k\"", "nil") OKK(0, get, "\"k\"", "\"\"") IK(0, put, "\"k\"", "\"x\"") OKK(
		  0, put, "\"k\"", "\"x\"") IK(0, get, "\"k\"", "nil") OKK(0, get, "\"k\"", "nil"),
	  VERDICT_INVALID, NULL },
	{ "a lock", LOCK,
	  I(0, acquire, "nil") OK(0, acquire, "nil") I(1, acquire, "nil") I(0, release, "nil")
	          OK(0, release, "nil") OK(1, acquire, "nil"),
	  VERDICT_VALID, NULL },
	{ "held twice", LOCK,
	  I(0, acquire, "nil") OK(0, acquire, "nil") I(1, acquire, "nil") OK(1, acquire, "nil"),
	  VERDICT_INVALID, "the lock could only be: held" },
	{ "refused", LOCK,
	  I(0, acquire, "nil") OK(0, acquire, "nil") I(1, acquire, "nil") FAIL(1, acquire, "nil"),
	  VERDICT_VALID, NULL },
	{ "released without outcome", LOCK,
	  I(0, acquire, "nil") OK(0, acquire, "nil") I(0, release, "nil") INFO(0, release, "nil")
	          I(1, acquire, "nil") OK(1, acquire, "nil"),
	  VERDICT_VALID, NULL },
	{ "several registers at once", MULTI, 0,
	  I(0, txn, "[[:write :x 1] [:write :y 1]]") I(1, txn, "[[:read :x nil] [:read :y nil]]")
	          OK(1, txn, "[[:read :x 1] [:read :y 1]]")
	                  OK(0, txn, "[[:write :x 1] [:write :y 1]]"),
	  VERDICT_VALID, NULL },
	{ "half of it", MULTI, 0,
	  I(0, txn, "[[:write :x 1] [:write :y 1]]") I(1, txn, "[[:read :x nil] [:read :y nil]]")
	          OK(1, txn, "[[:read :x 1] [:read :y 0]]")
	                  OK(0, txn, "[[:write :x 1] [:write :y 1]]"),
	  VERDICT_INVALID, NULL },
};

static struct check_options options_of(const struct example *e)
{
	struct check_options o;

	pawl__check_options_init(&o, e->model);
	o.mode = e->mode;
	o.initial_set = !value_is_nil(e->initial);
	o.initial = o.initial_set ? e->initial : 0;
	return o;
}

static void test_check_linear__examples(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(examples); i++) {
		const struct example *e = &examples[i];
		const struct check_options o = options_of(e);
		struct check_result r;
		struct pawl_error err = { 0 };

		if (judge_text(pawl__check_linear, e->text, strlen(e->text), &o, &r, &err) !=
		    PAWL_OK)
			fail_msg("%s: %s", e->what, err.text);
		if (r.verdict != e->want)
			fail_msg("%s: verdict %d", e->what, (int)r.verdict);
		if (e->want == VERDICT_INVALID) {
			assert_int_equal(r.anomalies_len, 1);
			assert_string_equal(r.anomalies[0].name, "nonlinearizable");
			assert_true(r.anomalies[0].witnesses_len == 1);
			assert_true(r.anomalies[0].witnesses[0].steps_len >= 1);
			if (e->says != NULL &&
			    strstr(r.anomalies[0].witnesses[0].text, e->says) == NULL)
				fail_msg("%s: %s", e->what, r.anomalies[0].witnesses[0].text);
		}
		pawl__check_result_deinit(&r);
	}
}

static void test_check_linear__what_the_model_does_not_know(void **state)
{
	static const struct {
		enum check_model model;
		const char *text;
		const char *error;
	} bad[] = {
		{ MODEL_CAS_REGISTER, W(0, "1") I(0, acquire, "nil"),
		  "line 3: an operation that this model does not know" },
		{ MODEL_CAS_REGISTER, I(0, append, "5") OK(0, append, "5"),
		  "line 2: an operation that this model does not know" },
		{ MODEL_CAS_REGISTER, R(0, "[1 2]"),
		  "line 2: a collection where this model has a single value" },
		{ MODEL_MUTEX, W(0, "1"), "line 2: an operation that this model does not know" },
		{ MODEL_MULTI_REGISTER,
		  I(0, txn, "[[:append :x 1]]") OK(0, txn, "[[:append :x 1]]"),
		  "line 2: an append where this model has none" },
	};
	uint32_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		struct check_options o;
		struct check_result r;
		struct pawl_error err = { 0 };

		pawl__check_options_init(&o, bad[i].model);
		assert_int_equal(judge_text(pawl__check_linear, bad[i].text, strlen(bad[i].text),
		                            &o, &r, &err),
		                 PAWL_E_INVALID);
		assert_string_equal(err.text, bad[i].error);
		pawl__check_result_deinit(&r);
	}
}

static void test_check_linear__budget_names_operation_and_key(void **state)
{
	static const char text[] =
		IK(0, write, "7", "1") IK(1, write, "7", "1") OKK(0, write, "7", "1")
			OKK(1, write, "7", "1") IK(0, read, "7", "nil") OKK(0, read, "7", "1");
	struct check_options o;
	struct check_result r;
	struct pawl_error err = { 0 };

	(void)state;
	pawl__check_options_init(&o, MODEL_CAS_REGISTER);
	o.steps = 1;
	assert_int_equal(judge_text(pawl__check_linear, text, sizeof(text) - 1, &o, &r, &err),
	                 PAWL_OK);
	assert_int_equal(r.verdict, VERDICT_UNKNOWN);
	assert_string_equal(r.unknown, "key 7: the search gave up after 2 steps, at "
	                               "T0 {:ok process 0 line 3, [:w 7 1]}");
	pawl__check_result_deinit(&r);
}

static void test_check_linear__every_bad_key_is_counted(void **state)
{
	char text[4096];
	struct check_options o;
	struct check_result r;
	struct pawl_error err = { 0 };
	size_t n = 0;
	uint32_t k;

	(void)state;
	/* 20 keys, every other one reads what was never written. */
	for (k = 0; k < 20; k++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		                      "{:process 0 :type :invoke :f :read :key %u :value nil}\n"
		                      "{:process 0 :type :ok :f :read :key %u :value %s}\n",
		                      k, k, k % 2 == 0 ? "1" : "nil");
	pawl__check_options_init(&o, MODEL_CAS_REGISTER);
	assert_int_equal(judge_text(pawl__check_linear, text, n, &o, &r, &err), PAWL_OK);
	assert_int_equal(r.verdict, VERDICT_INVALID);
	assert_int_equal(r.anomalies[0].count, 10);
	assert_int_equal(r.anomalies[0].witnesses_len, CHECK_WITNESSES_MAX);
	for (k = 0; k < CHECK_WITNESSES_MAX; k++)
		assert_int_equal(r.anomalies[0].witnesses[k].steps[0].op, k * 2);
	pawl__check_result_deinit(&r);
}

/* --- Recorded histories ----------------------------------------------------------------------- */

struct job {
	enum check_model model;
	enum check_mode mode;
	bool initial_zero;
	bool unpartitioned;
};

static enum check_verdict file_verdict(const char *path, struct job job)
{
	struct check_options o;

	pawl__check_options_init(&o, job.model);
	o.mode = job.mode;
	o.initial_set = job.initial_zero;
	o.unpartitioned = job.unpartitioned;
	return judge_file(pawl__check_linear, path, &o);
}

/* Every file of a folder gives the verdict; returns how many there were. */
static uint32_t folder_check(const char *folder, struct job job, enum check_verdict want)
{
	char dir[512], path[1024];
	struct dirent *d;
	uint32_t n = 0;
	DIR *list;

	assert_true((size_t)snprintf(dir, sizeof(dir), "%s/%s", histories(), folder) < sizeof(dir));
	list = opendir(dir);
	if (list == NULL)
		return 0;
	while ((d = readdir(list)) != NULL) {
		const size_t len = strlen(d->d_name);

		if (len < 4 || strcmp(d->d_name + len - 4, ".edn") != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, d->d_name);
		if (file_verdict(path, job) != want)
			fail_msg("%s", path);
		n++;
	}
	closedir(list);
	return n;
}

/* A table of file and true or false. */
static uint32_t table_check(const char *table, const char *folder, struct job job)
{
	char path[1024], line[256], name[128], want[16];
	uint32_t n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", histories(), table);
	f = fopen(path, "r");
	if (f == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%127s %15s", name, want) != 2)
			continue;
		snprintf(path, sizeof(path), "%s/%s/%s", histories(), folder, name);
		if (file_verdict(path, job) !=
		    (strcmp(want, "true") == 0 ? VERDICT_VALID : VERDICT_INVALID))
			fail_msg("%s", path);
		n++;
	}
	fclose(f);
	return n;
}

static void test_files__porcupine(void **state)
{
	(void)state;
	assert_true(table_check("porcupine/expected-jepsen.tsv", "porcupine/jepsen",
	                        (struct job){ .model = MODEL_CAS_REGISTER, .mode = MODE_ETCD }) >
	            0);
	assert_true(table_check("porcupine/expected-kv.tsv", "porcupine",
	                        (struct job){ .model = MODEL_KV }) > 0);
	assert_true(table_check("porcupine/expected-kv.tsv", "porcupine",
	                        (struct job){ .model = MODEL_KV, .unpartitioned = true }) > 0);
}

static void test_files__knossos(void **state)
{
	static const struct job reg = { .model = MODEL_CAS_REGISTER };
	static const struct job reg0 = { .model = MODEL_CAS_REGISTER, .initial_zero = true };

	(void)state;
	assert_true(folder_check("knossos/cas-register/good", reg, VERDICT_VALID) > 0);
	assert_true(folder_check("knossos/cas-register/good", reg0, VERDICT_VALID) > 0);
	assert_true(folder_check("knossos/cas-register/bad", reg, VERDICT_INVALID) > 0);
	assert_true(folder_check("knossos/mutex/bad", (struct job){ .model = MODEL_MUTEX },
	                         VERDICT_INVALID) > 0);
	assert_true(
		folder_check("knossos/multi-register/good",
	                     (struct job){ .model = MODEL_MULTI_REGISTER, .initial_zero = true },
	                     VERDICT_VALID) > 0);
}

static void test_files__synthetic(void **state)
{
	static const struct job reg = { .model = MODEL_CAS_REGISTER };
	static const char *const names[] = { "1000-c10-x0", "1000-c10-x0.005", "1000-c10-x0.01",
		                             "1000-c20-x0.01", "10000-c10-x0" };
	char path[512];
	uint32_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/synthetic/lin-n%s-v5-b0.edn", histories(),
		         names[i]);
		assert_int_equal(file_verdict(path, reg), VERDICT_VALID);
		snprintf(path, sizeof(path), "%s/synthetic/lin-n%s-v5-b1.edn", histories(),
		         names[i]);
		assert_int_equal(file_verdict(path, reg), VERDICT_INVALID);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check_linear__examples),
		cmocka_unit_test(test_check_linear__what_the_model_does_not_know),
		cmocka_unit_test(test_check_linear__budget_names_operation_and_key),
		cmocka_unit_test(test_check_linear__every_bad_key_is_counted),
		cmocka_unit_test(test_files__porcupine),
		cmocka_unit_test(test_files__knossos),
		cmocka_unit_test(test_files__synthetic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
