/* SPDX-License-Identifier: Apache-2.0 */
/* Options from four sources, and the strictness of the configuration file. */
#include "harness.h"

#include <unistd.h>

#include "cli/config.h"

struct values {
	struct option_list listen;
	const char *store;
	int64_t queue_max, retention_us;
	int commit;
	bool quiet;
};

static const char *const commits[] = { "loop", "thread", NULL };

static const struct option_row rows[] = {
	{ .name = "listen",
	  .arg = "A",
	  .kind = OPTION_LIST,
	  .offset = offsetof(struct values, listen),
	  .def = "default:1",
	  .env = "TEST_LISTEN",
	  .file = true },
	{ .name = "store",
	  .arg = "URL",
	  .kind = OPTION_TEXT,
	  .offset = offsetof(struct values, store),
	  .def = "from default",
	  .env = "TEST_STORE",
	  .file = true },
	{ .name = "queue-max",
	  .arg = "N",
	  .kind = OPTION_NUMBER,
	  .offset = offsetof(struct values, queue_max),
	  .def = "7",
	  .min = 1,
	  .max = 100,
	  .env = "TEST_QUEUE_MAX",
	  .file = true },
	{ .name = "retention",
	  .arg = "TIME",
	  .kind = OPTION_DURATION,
	  .offset = offsetof(struct values, retention_us),
	  .min = 1000,
	  .max = INT64_C(86400000000),
	  .file = true },
	{ .name = "commit",
	  .arg = "loop|thread",
	  .kind = OPTION_CHOICE,
	  .offset = offsetof(struct values, commit),
	  .choices = commits,
	  .file = true },
	{ .name = "quiet",
	  .kind = OPTION_FLAG,
	  .offset = offsetof(struct values, quiet),
	  .file = true },
	{ .name = "config",
	  .arg = "FILE",
	  .kind = OPTION_TEXT,
	  .offset = offsetof(struct values, store) },
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

struct fixture {
	struct values v;
	struct options o;
	struct arena arena;
	struct pawl_error err;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	pawl__arena_init(&f->arena, 1024, 1 << 20);
	pawl__options_init(&f->o, rows, ROWS, &f->v);
	(void)unsetenv("TEST_LISTEN");
	(void)unsetenv("TEST_STORE");
	(void)unsetenv("TEST_QUEUE_MAX");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	pawl__arena_deinit(&f->arena);
	free(f);
	return 0;
}

static enum pawl_status parse(struct fixture *f, const char *yaml)
{
	return pawl__config_parse(&f->o, pawl__str_of(yaml), &f->arena, &f->err);
}

#define ARGS(f, ...)                                                                               \
	pawl__options_args(&(f)->o,                                                                \
	                   (int)(sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *)),        \
	                   (const char *const[]){ __VA_ARGS__ }, &(f)->err)

static void test_parse__every_kind_is_bound(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(parse(f, "# a comment\nlisten: [a:1, \"b:2\"]\nstore: sqlite:/x y.db\n"
	                          "queue_max: 100\nretention: 90s\ncommit: thread\nquiet: true\n"),
	                 PAWL_OK);
	assert_int_equal(f->v.listen.len, 2);
	assert_string_equal(f->v.listen.at[1], "b:2");
	assert_string_equal(f->v.store, "sqlite:/x y.db");
	assert_int_equal(f->v.queue_max, 100);
	assert_int_equal(f->v.retention_us, 90000000);
	assert_int_equal(f->v.commit, 1);
	assert_true(f->v.quiet);
}

static void test_parse__one_scalar_is_a_list_of_one(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(parse(f, "listen: a:1\n"), PAWL_OK);
	assert_int_equal(f->v.listen.len, 1);
}

static void test_parse__nothing_is_a_configuration(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(parse(f, ""), PAWL_OK);
	assert_int_equal(parse(f, "# only this\n"), PAWL_OK);
	assert_int_equal(parse(f, "---\n...\n"), PAWL_OK);
	assert_int_equal(parse(f, "{}\n"), PAWL_OK);
	assert_null(f->v.store);
}

static const struct {
	const char *yaml;
	const char *says; /* the whole text */
} refused[] = {
	{ "store: a\nquue_max: 1\n", "2:1: unknown key \"quue_max\"; did you mean \"queue_max\"?" },
	{ "queue-max: 1\n", "1:1: unknown key \"queue-max\"; did you mean \"queue_max\"?" },
	{ "config: x\n", "1:1: unknown key \"config\"; did you mean \"commit\"?" },
	{ "zzz: 1\n", "1:1: unknown key \"zzz\"" },
	{ "store: a\nstore: b\n", "2:1: key \"store\" is there twice" },
	{ "  queue_max: 0\n", "1:14: queue_max must be a whole number from 1 to 100" },
	{ "queue_max: 101\n", "1:12: queue_max must be a whole number from 1 to 100" },
	{ "queue_max: 1.0\n", "1:12: queue_max must be a whole number from 1 to 100" },
	{ "queue_max:\n", "1:11: queue_max needs a value" },
	{ "queue_max: [1]\n", "1:12: a list cannot stand here" },
	{ "queue_max: {a: 1}\n", "1:12: a mapping cannot stand here" },
	{ "listen: [[a]]\n", "1:10: a list cannot stand here" },
	{ "listen: [a, {b: c}]\n", "1:13: a mapping cannot stand here" },
	{ "retention: 5\n",
	  "1:12: retention must be a whole number with ms, s, m, h or d behind it" },
	{ "retention: 2d\n", "1:12: retention must be from 0s to 86400s" },
	{ "retention: 99999999999999999999d\n",
	  "1:12: retention must be a whole number with ms, s, m, h or d behind it" },
	{ "commit: never\n", "1:9: commit must be one of loop|thread" },
	{ "quiet: yes\n", "1:8: quiet must be true or false" },
	{ "store: &a x\n", "1:8: anchors and tags are not allowed" },
	{ "store: !!str x\n", "1:8: anchors and tags are not allowed" },
	{ "listen: &a [x]\n", "1:9: anchors and tags are not allowed" },
	{ "&a {}\n", "1:1: anchors and tags are not allowed" },
	{ "store: *a\n", "1:8: aliases are not allowed" },
	{ "*a : x\n", "1:1: aliases are not allowed" },
	{ "just text\n", "1:1: expected a mapping of keys to values" },
	{ "- store\n", "1:1: a list cannot stand here" },
	{ "[a]: b\n", "1:1: a list cannot stand here" },
	{ "store: a\n---\nstore: b\n", "2:1: a second document is not allowed" },
	{ "store: \"a\\0b\"\n", "1:8: store has a NUL in it" },
};

static void test_parse__mistake_is_refused_with_its_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		void *one;

		assert_int_equal(setup(&one), 0);
		assert_int_equal(parse(one, refused[i].yaml), PAWL_E_CONFIG);
		assert_string_equal(((struct fixture *)one)->err.text, refused[i].says);
		(void)teardown(&one);
	}
}

static void test_parse__what_is_no_yaml_is_refused_with_its_place(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(parse(f, "store: \"a\n"), PAWL_E_CONFIG);
	assert_memory_equal(f->err.text, "2:1: not YAML: ", 15);
	assert_int_equal(parse(f, "store: a\n\tqueue_max: 1\n"), PAWL_E_CONFIG);
	assert_int_equal(parse(f, "store: \xff\n"), PAWL_E_CONFIG);
}

static void test_parse__list_is_full_at_its_limit(void **state)
{
	struct fixture *f = *state;
	char yaml[512] = "listen: [";
	size_t n = strlen(yaml);

	for (int i = 0; i < OPTION_LIST_MAX; i++)
		n += (size_t)snprintf(yaml + n, sizeof(yaml) - n, "a:%d,", i);
	(void)snprintf(yaml + n, sizeof(yaml) - n, "]\n");
	assert_int_equal(parse(f, yaml), PAWL_OK);
	assert_int_equal(f->v.listen.len, OPTION_LIST_MAX);
	(void)snprintf(yaml + n, sizeof(yaml) - n, "b]\n");
	pawl__options_init(&f->o, rows, ROWS, &f->v);
	assert_int_equal(parse(f, yaml), PAWL_E_CONFIG);
}

static void test_read__file_at_its_limit_and_above(void **state)
{
	struct fixture *f = *state;
	char path[] = "/tmp/pawl-test-config-XXXXXX";
	const int fd = mkstemp(path);
	char *spaces = malloc(CONFIG_FILE_MAX);

	assert_true(fd >= 0);
	assert_non_null(spaces);
	memset(spaces, '#', CONFIG_FILE_MAX);
	assert_int_equal(write(fd, spaces, CONFIG_FILE_MAX), CONFIG_FILE_MAX);
	assert_int_equal(pawl__config_read(&f->o, path, &f->arena, &f->err), PAWL_OK);
	assert_int_equal(write(fd, "#", 1), 1);
	assert_int_equal(pawl__config_read(&f->o, path, &f->arena, &f->err), PAWL_E_CONFIG);
	assert_non_null(strstr(f->err.text, "is over 65536 bytes"));
	free(spaces);
	(void)close(fd);
	(void)unlink(path);
	assert_int_equal(pawl__config_read(&f->o, path, &f->arena, &f->err), PAWL_E_CONFIG);
}

/* Each source is applied in turn, and the next one is stronger. */
static void test_precedence__flag_environment_file_default(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(pawl__options_defaults(&f->o, &f->err), PAWL_OK);
	assert_string_equal(f->v.store, "from default");
	assert_int_equal(f->v.listen.len, 1);
	assert_int_equal(parse(f, "store: from file\nlisten: [f:1, f:2]\n"), PAWL_OK);
	assert_string_equal(f->v.store, "from file");
	assert_int_equal(f->v.listen.len, 2);
	(void)setenv("TEST_STORE", "from environment", 1);
	(void)setenv("TEST_LISTEN", "e:1", 1);
	assert_int_equal(pawl__options_env(&f->o, &f->err), PAWL_OK);
	assert_string_equal(f->v.store, "from environment");
	assert_int_equal(f->v.listen.len, 1);
	assert_int_equal(ARGS(f, "--store=from flag", "--listen", "g:1", "--listen=g:2"), PAWL_OK);
	assert_string_equal(f->v.store, "from flag");
	assert_int_equal(f->v.listen.len, 2);
	assert_string_equal(f->v.listen.at[0], "g:1");
}

static void test_precedence__does_not_depend_on_the_order_of_reading(void **state)
{
	struct fixture *f = *state;

	(void)setenv("TEST_QUEUE_MAX", "3", 1);
	assert_int_equal(ARGS(f, "--store", "from flag"), PAWL_OK);
	assert_int_equal(pawl__options_env(&f->o, &f->err), PAWL_OK);
	assert_int_equal(parse(f, "store: from file\nqueue_max: 2\nlisten: f:1\n"), PAWL_OK);
	assert_int_equal(pawl__options_defaults(&f->o, &f->err), PAWL_OK);
	assert_string_equal(f->v.store, "from flag");
	assert_int_equal(f->v.queue_max, 3);
	assert_string_equal(f->v.listen.at[0], "f:1");
	assert_int_equal(f->v.listen.len, 1);
	assert_int_equal(f->o.origin[0], ORIGIN_FILE);
	assert_int_equal(f->o.origin[1], ORIGIN_FLAG);
	assert_int_equal(f->o.origin[2], ORIGIN_ENV);
}

static void test_precedence__an_overruled_value_is_still_checked(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ARGS(f, "--queue-max", "5"), PAWL_OK);
	assert_int_equal(parse(f, "queue_max: nonsense\n"), PAWL_E_CONFIG);
	assert_int_equal(f->v.queue_max, 5);
}

static void test_env__bad_value_names_the_variable_not_the_value(void **state)
{
	struct fixture *f = *state;

	(void)setenv("TEST_QUEUE_MAX", "s3cret", 1);
	assert_int_equal(pawl__options_env(&f->o, &f->err), PAWL_E_CONFIG);
	assert_string_equal(f->err.text, "TEST_QUEUE_MAX must be a whole number from 1 to 100");
	(void)setenv("TEST_QUEUE_MAX", "", 1);
	assert_int_equal(pawl__options_env(&f->o, &f->err), PAWL_OK);
	assert_int_equal(f->v.queue_max, 0);
}

static void test_args__options_and_operands_come_in_any_order(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ARGS(f, "one", "--quiet", "-", "--", "--store"), PAWL_OK);
	assert_true(f->v.quiet);
	assert_null(f->v.store);
	assert_int_equal(f->o.operands_len, 3);
	assert_string_equal(f->o.operands[1], "-");
	assert_string_equal(f->o.operands[2], "--store");
}

static void test_args__a_flag_can_be_taken_back(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ARGS(f, "--quiet", "--quiet=false"), PAWL_OK);
	assert_false(f->v.quiet);
}

static void test_args__value_may_begin_with_a_dash(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ARGS(f, "--store", "--quiet"), PAWL_OK);
	assert_string_equal(f->v.store, "--quiet");
	assert_false(f->v.quiet);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_parse__every_kind_is_bound),
		T(test_parse__one_scalar_is_a_list_of_one),
		T(test_parse__nothing_is_a_configuration),
		T(test_parse__mistake_is_refused_with_its_place),
		T(test_parse__what_is_no_yaml_is_refused_with_its_place),
		T(test_parse__list_is_full_at_its_limit),
		T(test_read__file_at_its_limit_and_above),
		T(test_precedence__flag_environment_file_default),
		T(test_precedence__does_not_depend_on_the_order_of_reading),
		T(test_precedence__an_overruled_value_is_still_checked),
		T(test_env__bad_value_names_the_variable_not_the_value),
		T(test_args__options_and_operands_come_in_any_order),
		T(test_args__a_flag_can_be_taken_back),
		T(test_args__value_may_begin_with_a_dash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
