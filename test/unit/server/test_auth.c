/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pawl/limits.h"
#include "server/auth.h"

static struct auth *parse(const char *text)
{
	struct pawl_error err;
	struct auth *a = NULL;

	if (pawl__auth_parse(pawl__str_of(text), &a, &err) != PAWL_OK)
		fail_msg("refused: %s: %s", text, err.text);
	return a;
}

static void assert_caller(const struct auth *a, const char *token, const char *caller)
{
	struct str got;

	if (!pawl__auth_find(a, pawl__str_of(token), &got))
		fail_msg("unknown: %s", token);
	assert_str(got, caller);
}

static void test_auth_find__names_the_caller(void **state)
{
	struct auth *a = parse("# callers\n\n  \t\nshop s3cret\r\n\tbilling  b1lling \nshop n3xt");
	struct str got;

	(void)state;
	assert_int_equal(pawl__auth_len(a), 3);
	assert_caller(a, "s3cret", "shop");
	assert_caller(a, "n3xt", "shop");
	assert_caller(a, "b1lling", "billing");
	assert_false(pawl__auth_find(a, STR("shop"), &got));
	assert_false(pawl__auth_find(a, STR("s3cre"), &got));
	assert_false(pawl__auth_find(a, STR("s3cret "), &got));
	assert_false(pawl__auth_find(a, STR(""), &got));
	pawl__auth_free(a);
}

static void test_auth_find__a_nameless_token_has_a_name_of_its_own(void **state)
{
	struct auth *a = parse("one\ntwo\n");
	struct auth *b = parse("two");
	struct str one, two, again;

	(void)state;
	assert_true(pawl__auth_find(a, STR("one"), &one));
	assert_true(pawl__auth_find(a, STR("two"), &two));
	assert_true(pawl__auth_find(b, STR("two"), &again));
	assert_false(str_eq(one, two));
	assert_true(str_eq(two, again)); /* whatever else is in the file */
	assert_true(str_starts(one, STR("token-")));
	assert_true(pawl__str_visible(one, PAWL_CALLER_MAX, true));
	pawl__auth_free(a);
	pawl__auth_free(b);
}

static void assert_refused(struct str text, const char *want)
{
	struct pawl_error err;
	struct auth *a = NULL;

	assert_int_equal(pawl__auth_parse(text, &a, &err), PAWL_E_CONFIG);
	assert_string_equal(err.text, want);
	assert_null(a);
}

static void test_auth_parse__bad_lines_are_named_but_not_shown(void **state)
{
	(void)state;
	assert_refused(STR(""), "the token file holds no token");
	assert_refused(STR("# nothing\n\n"), "the token file holds no token");
	assert_refused(STR("a b c"), "token file, line 1: expected TOKEN or NAME TOKEN");
	assert_refused(STR("ok\n\nn\xc3\xa9 t"),
	               "token file, line 3: a name is 1 to 64 visible ASCII bytes");
	assert_refused(STR("t\xc3\xa9"),
	               "token file, line 1: a token is 1 to 512 visible ASCII bytes");
	assert_refused(STR("a\0b"), "token file, line 1: a token is 1 to 512 visible ASCII bytes");
	assert_refused(STR("x same\ny same"),
	               "token file, line 2: this token stands in the file twice");
}

static void test_auth_parse__up_to_the_limits(void **state)
{
	char text[AUTH_TOKEN_MAX + PAWL_CALLER_MAX + 3];
	struct pawl_error err;
	struct auth *a;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[PAWL_CALLER_MAX] = ' ';
	assert_int_equal(
		pawl__auth_parse((struct str){ text, PAWL_CALLER_MAX + 1 + AUTH_TOKEN_MAX }, &a,
	                         &err),
		PAWL_OK);
	pawl__auth_free(a);
	assert_refused((struct str){ text, PAWL_CALLER_MAX + 1 + AUTH_TOKEN_MAX + 1 },
	               "token file, line 1: a token is 1 to 512 visible ASCII bytes");
	text[PAWL_CALLER_MAX] = 'x';
	text[PAWL_CALLER_MAX + 1] = ' ';
	assert_refused((struct str){ text, PAWL_CALLER_MAX + 3 },
	               "token file, line 1: a name is 1 to 64 visible ASCII bytes");
}

static void test_auth_parse__as_many_tokens_as_the_limit(void **state)
{
	struct pawl_error err;
	struct auth *a;
	struct buf b;

	(void)state;
	pawl__buf_init(&b, 1 << 20);
	for (uint64_t i = 0; i < AUTH_TOKENS_MAX; i++) {
		pawl__buf_u64(&b, i);
		pawl__buf_putc(&b, '\n');
	}
	assert_int_equal(pawl__auth_parse(buf_get(&b), &a, &err), PAWL_OK);
	assert_int_equal(pawl__auth_len(a), AUTH_TOKENS_MAX);
	pawl__auth_free(a);
	buf_lit(&b, "one-more");
	assert_int_equal(pawl__auth_parse(buf_get(&b), &a, &err), PAWL_E_CONFIG);
	assert_string_equal(err.text, "token file, line 1025: too many tokens");
	pawl__buf_deinit(&b);
}

/* files */

struct file {
	char dir[32];
	char path[64];
};

static void file_make(struct file *f, const char *text, mode_t mode)
{
	FILE *out;

	memcpy(f->dir, "/tmp/pawl-auth-XXXXXX", sizeof("/tmp/pawl-auth-XXXXXX"));
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(f->path, sizeof(f->path), "%s/tokens", f->dir);
	out = fopen(f->path, "we");
	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, strlen(text), out), strlen(text));
	assert_int_equal(fclose(out), 0);
	assert_int_equal(chmod(f->path, mode), 0);
}

static void file_remove(const struct file *f)
{
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(rmdir(f->dir), 0);
}

static void test_auth_load__of_its_owner_alone(void **state)
{
	static const mode_t modes[] = { 0600, 0400 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		struct pawl_error err;
		struct auth *a;
		struct file f;

		file_make(&f, "shop s3cret\n", modes[i]);
		assert_int_equal(pawl__auth_load(f.path, &a, &err), PAWL_OK);
		assert_caller(a, "s3cret", "shop");
		pawl__auth_free(a);
		file_remove(&f);
	}
}

static void test_auth_load__open_to_others_is_refused(void **state)
{
	static const mode_t modes[] = { 0640, 0604, 0620, 0602, 0644 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		struct pawl_error err;
		struct auth *a = NULL;
		struct file f;

		file_make(&f, "shop s3cret\n", modes[i]);
		assert_int_equal(pawl__auth_load(f.path, &a, &err), PAWL_E_CONFIG);
		assert_null(a);
		assert_null(strstr(err.text, "s3cret"));
		assert_non_null(strstr(err.text, "0600"));
		file_remove(&f);
	}
}

static void test_auth_load__no_such_file_is_refused(void **state)
{
	struct pawl_error err;
	struct auth *a = NULL;

	(void)state;
	assert_int_equal(pawl__auth_load("/nonexistent/tokens", &a, &err), PAWL_E_CONFIG);
	assert_int_equal(pawl__auth_load("/", &a, &err), PAWL_E_CONFIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_auth_find__names_the_caller),
		cmocka_unit_test(test_auth_find__a_nameless_token_has_a_name_of_its_own),
		cmocka_unit_test(test_auth_parse__bad_lines_are_named_but_not_shown),
		cmocka_unit_test(test_auth_parse__up_to_the_limits),
		cmocka_unit_test(test_auth_parse__as_many_tokens_as_the_limit),
		cmocka_unit_test(test_auth_load__of_its_owner_alone),
		cmocka_unit_test(test_auth_load__open_to_others_is_refused),
		cmocka_unit_test(test_auth_load__no_such_file_is_refused),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
