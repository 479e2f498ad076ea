/* SPDX-License-Identifier: Apache-2.0 */
/* The command table, walked; and what the program answers to mistakes. */
#include "base/suggest.h"
#include "harness.h"

#include <jansson.h>
#include <unistd.h>

static void assert_has(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("\"%s\" is not in: %s", part, text);
}

static void test_commands__each_is_described_and_its_options_are_sound(void **state)
{
	(void)state;
	for (size_t i = 0; pawl__cli_commands[i] != NULL; i++) {
		const struct cli_command *c = pawl__cli_commands[i];
		bool json = false;

		assert_true(strlen(c->summary) > 0 && strlen(c->about) > 0);
		assert_non_null(c->examples[0]);
		assert_true(strlen(c->name) <= 10); /* the column of the help */
		assert_true(c->rows_len <= OPTIONS_MAX);
		assert_ptr_equal(pawl__cli_command(c->name), c);
		for (size_t j = 0; j < c->rows_len; j++) {
			const struct option_row *row = &c->rows[j];

			assert_true(strlen(row->doc) > 0);
			assert_true(strlen(row->name) <= SUGGEST_WORD_MAX);
			assert_true(row->offset < c->values_len);
			assert_true((row->kind == OPTION_FLAG) == (row->arg == NULL));
			if (row->kind == OPTION_NUMBER || row->kind == OPTION_DURATION)
				assert_true(row->min < row->max);
			json = json || strcmp(row->name, "json") == 0;
			for (size_t k = 0; k < j; k++)
				assert_string_not_equal(c->rows[k].name, row->name);
		}
		assert_true(json);
	}
}

static void test_commands__every_default_satisfies_its_own_row(void **state)
{
	(void)state;
	for (size_t i = 0; pawl__cli_commands[i] != NULL; i++) {
		const struct cli_command *c = pawl__cli_commands[i];
		_Alignas(max_align_t) char values[1024] = { 0 };
		struct pawl_error err;
		struct options o;

		pawl__options_init(&o, c->rows, c->rows_len, values);
		assert_int_equal(pawl__options_defaults(&o, &err), PAWL_OK);
	}
}

static void test_help__lists_every_command(void **state)
{
	struct run r = RUN("help");

	(void)state;
	assert_int_equal(r.status, CLI_OK);
	assert_string_equal(r.err, "");
	for (size_t i = 0; pawl__cli_commands[i] != NULL; i++) {
		assert_has(r.out, pawl__cli_commands[i]->name);
		assert_has(r.out, pawl__cli_commands[i]->summary);
	}
	run_free(&r);
}

static void test_help__of_each_command_names_each_option_three_ways_the_same(void **state)
{
	(void)state;
	for (size_t i = 0; pawl__cli_commands[i] != NULL; i++) {
		const struct cli_command *c = pawl__cli_commands[i];
		struct run by_help = RUN("help", c->name);
		struct run by_flag = RUN(c->name, "--help");
		struct run by_letter = RUN(c->name, "-h");
		char flag[64];

		assert_int_equal(by_help.status, CLI_OK);
		assert_int_equal(by_flag.status, CLI_OK);
		assert_string_equal(by_help.out, by_flag.out);
		assert_string_equal(by_help.out, by_letter.out);
		for (size_t j = 0; j < c->rows_len; j++) {
			(void)snprintf(flag, sizeof(flag), "  --%s", c->rows[j].name);
			assert_has(by_help.out, flag);
			if (c->rows[j].kind != OPTION_NUMBER || c->rows[j].def == NULL)
				continue;
			(void)snprintf(flag, sizeof(flag), "(default %s)\n", c->rows[j].def);
			assert_has(by_help.out, flag);
		}
		run_free(&by_help);
		run_free(&by_flag);
		run_free(&by_letter);
	}
}

static void test_help__lines_fit_a_terminal(void **state)
{
	(void)state;
	for (size_t i = 0; pawl__cli_commands[i] != NULL; i++) {
		struct run r = RUN("help", pawl__cli_commands[i]->name);

		for (const char *s = r.out; *s != '\0'; s += strcspn(s, "\n") + 1)
			assert_true(strcspn(s, "\n") <= 100);
		run_free(&r);
	}
}

static void test_help_json__is_the_table(void **state)
{
	struct run r = RUN("help", "--json");
	json_t *doc = json_loads(r.out, 0, NULL);
	const json_t *commands = json_object_get(doc, "commands");

	(void)state;
	assert_int_equal(r.status, CLI_OK);
	for (size_t i = 0; pawl__cli_commands[i] != NULL; i++) {
		const json_t *c = json_array_get(commands, i);

		assert_string_equal(json_string_value(json_object_get(c, "name")),
		                    pawl__cli_commands[i]->name);
		assert_int_equal(json_array_size(json_object_get(c, "options")),
		                 pawl__cli_commands[i]->rows_len);
	}
	json_decref(doc);
	run_free(&r);
}

static void test_version__is_one_line_and_the_same_in_json(void **state)
{
	struct run text = RUN("--version");
	struct run json = RUN("version", "--json");
	json_t *doc = json_loads(json.out, 0, NULL);
	const char *version = json_string_value(json_object_get(doc, "version"));

	(void)state;
	assert_int_equal(text.status, CLI_OK);
	assert_int_equal(lines_of(text.out), 1);
	assert_non_null(version);
	assert_has(text.out, version);
	json_decref(doc);
	run_free(&text);
	run_free(&json);
}

/* arguments, exit status, and a part of the one line on stderr */
static const struct {
	const char *args[4];
	int status;
	const char *says;
} mistakes[] = {
	{ { "serv" }, CLI_USAGE, "unknown command serv; did you mean serve?" },
	{ { "vreify" }, CLI_USAGE, "did you mean verify?" },
	{ { "frobnicate" }, CLI_USAGE, "unknown command frobnicate; see pawl help" },
	{ { "raze", "list" }, CLI_USAGE, "unknown command raze; did you mean race?" },
	{ { "lock" }, CLI_USAGE, "unknown command lock" },
	{ { "--json", "demo" }, CLI_USAGE, "a command comes first" },
	{ { "serve", "--lisen", "x" }, CLI_USAGE, "--lisen; did you mean --listen?" },
	{ { "serve", "--token_file", "x" }, CLI_USAGE, "did you mean --token-file?" },
	{ { "serve", "--zzzzzzzzz" }, CLI_USAGE, "unknown option --zzzzzzzzz" },
	{ { "serve", "-x" }, CLI_USAGE, "unknown option -x" },
	{ { "serve", "--store" }, CLI_USAGE, "--store needs a value" },
	{ { "serve", "--store=" }, CLI_USAGE, "--store needs a value" },
	{ { "serve", "--queue-max", "0" }, CLI_USAGE, "--queue-max must be a whole number from 1" },
	{ { "serve", "--queue-max", "1e3" }, CLI_USAGE, "--queue-max must be" },
	{ { "serve", "--retention", "24" }, CLI_USAGE, "--retention must be a whole number with" },
	{ { "serve", "--retention", "59s" }, CLI_USAGE, "--retention must be from 60s" },
	{ { "serve", "--commit", "later" }, CLI_USAGE, "--commit must be one of loop|thread" },
	{ { "serve", "--quiet=maybe" }, CLI_USAGE, "--quiet must be true or false" },
	{ { "serve", "extra" }, CLI_USAGE, "serve: takes no arguments" },
	{ { "verify", "--", "--json" }, CLI_USAGE, "verify: takes no arguments" },
	{ { "help", "a", "b" }, CLI_USAGE, "takes one argument" },
	{ { "help", "demmo" }, CLI_USAGE, "did you mean demo?" },
	{ { "demo", "--buyers", "100001" }, CLI_USAGE, "--buyers must be" },
	{ { "demo", "--retries", "101" }, CLI_USAGE, "--retries must be" },
	{ { "verify", "--store", "memory:" }, CLI_USAGE, "lives in its server alone" },
	{ { "verify", "--store", "sqlite:no/such.db" }, CLI_NOT_FOUND, "there is no such store" },
	{ { "verify", "--store", "mysql:x" }, CLI_CONFIG, "known are sqlite:" },
	{ { "serve", "--store", "mysql:x" }, CLI_CONFIG, "known are sqlite:" },
	{ { "serve", "--config", "no/such.yaml" }, CLI_CONFIG, "no/such.yaml:cannot be read" },
	{ { "status", "--server", "unix:no-such.sock" }, CLI_UNAVAILABLE, "cannot be reached" },
};

static void test_main__mistake_is_one_line_and_its_exit_status(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		const char *argv[6] = { "pawl" };
		struct run r;

		for (size_t j = 0; j < 4 && mistakes[i].args[j] != NULL; j++)
			argv[j + 1] = mistakes[i].args[j];
		r = run_program(argv);
		assert_has(r.err, mistakes[i].says);
		assert_int_equal(r.status, mistakes[i].status);
		assert_int_equal(lines_of(r.err), 1);
		assert_string_equal(r.out, "");
		run_free(&r);
	}
}

static void test_main__failure_with_json_is_a_json_object_on_stderr(void **state)
{
	struct run r = RUN("verify", "--json", "--store", "sqlite:no/such.db");
	json_t *doc = json_loads(r.err, 0, NULL);

	(void)state;
	assert_int_equal(r.status, CLI_NOT_FOUND);
	assert_string_equal(json_string_value(json_object_get(doc, "code")), "not_found");
	assert_string_equal(r.out, "");
	json_decref(doc);
	run_free(&r);
}

static void test_main__value_of_an_option_is_not_repeated_in_its_error(void **state)
{
	struct run r = RUN("serve", "--queue-max", "s3cret");

	(void)state;
	assert_null(strstr(r.err, "s3cret"));
	run_free(&r);
}

static void test_main__without_command_prints_help_to_stderr_exit_2(void **state)
{
	struct run r = run_program((const char *const[]){ "pawl", NULL });

	(void)state;
	assert_int_equal(r.status, CLI_USAGE);
	assert_string_equal(r.out, "");
	assert_has(r.err, "usage: pawl COMMAND");
	run_free(&r);
}

/* Buffered, the failure comes with the last flush; unbuffered, with the first write. */
static void test_main__output_that_cannot_be_written_is_no_success(void **state)
{
	static const int modes[] = { _IOFBF, _IONBF };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		FILE *full = fopen("/dev/full", "w");
		char *text = NULL;
		size_t len;
		FILE *err = open_memstream(&text, &len);

		assert_non_null(full);
		assert_int_equal(setvbuf(full, NULL, modes[i], BUFSIZ), 0);
		assert_int_equal(pawl__cli_main(2, (const char *const[]){ "pawl", "version", NULL },
		                                full, err),
		                 CLI_UNAVAILABLE);
		(void)fclose(full);
		(void)fclose(err);
		assert_has(text, "could not be written");
		free(text);
	}
}

static void test_suggest__counts_swaps_as_one(void **state)
{
	(void)state;
	assert_int_equal(pawl__suggest_distance("serve", "serve"), 0);
	assert_int_equal(pawl__suggest_distance("sevre", "serve"), 1);
	assert_int_equal(pawl__suggest_distance("", "abc"), 3);
	assert_int_equal(pawl__suggest_distance("kitten", "sitting"), 3);
	assert_true(pawl__suggest_distance("123456789012345678901234567890123", "a") == SIZE_MAX);
}

static void test_suggest__far_words_get_none(void **state)
{
	struct suggestion s;

	(void)state;
	pawl__suggest_init(&s, "id");
	pawl__suggest_consider(&s, "to");
	assert_null(s.best);
	pawl__suggest_init(&s, "status");
	pawl__suggest_consider(&s, "serve");
	assert_null(s.best);
	pawl__suggest_consider(&s, "stats");
	assert_string_equal(s.best, "stats");
}

static void test_number__groups_by_thousands(void **state)
{
	char n[CLI_NUMBER_MAX];

	(void)state;
	assert_string_equal(pawl__cli_number(0, n), "0");
	assert_string_equal(pawl__cli_number(999, n), "999");
	assert_string_equal(pawl__cli_number(1000, n), "1,000");
	assert_string_equal(pawl__cli_number(-1234567, n), "-1,234,567");
	assert_string_equal(pawl__cli_number(-100, n), "-100");
	assert_string_equal(pawl__cli_number(INT64_MIN, n), "-9,223,372,036,854,775,808");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands__each_is_described_and_its_options_are_sound),
		cmocka_unit_test(test_commands__every_default_satisfies_its_own_row),
		cmocka_unit_test(test_help__lists_every_command),
		cmocka_unit_test(test_help__of_each_command_names_each_option_three_ways_the_same),
		cmocka_unit_test(test_help__lines_fit_a_terminal),
		cmocka_unit_test(test_help_json__is_the_table),
		cmocka_unit_test(test_version__is_one_line_and_the_same_in_json),
		cmocka_unit_test(test_main__mistake_is_one_line_and_its_exit_status),
		cmocka_unit_test(test_main__failure_with_json_is_a_json_object_on_stderr),
		cmocka_unit_test(test_main__value_of_an_option_is_not_repeated_in_its_error),
		cmocka_unit_test(test_main__without_command_prints_help_to_stderr_exit_2),
		cmocka_unit_test(test_main__output_that_cannot_be_written_is_no_success),
		cmocka_unit_test(test_suggest__counts_swaps_as_one),
		cmocka_unit_test(test_suggest__far_words_get_none),
		cmocka_unit_test(test_number__groups_by_thousands),
	};

	/* What the environment of the test run says is none of these tests' business. */
	(void)unsetenv("PAWL_LISTEN");
	(void)unsetenv("PAWL_STORE");
	(void)unsetenv("PAWL_SERVER");
	(void)unsetenv("PAWL_TOKEN_FILE");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
