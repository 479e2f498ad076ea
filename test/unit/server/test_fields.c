/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include "server/fields.h"

/* Memory of exactly the value's length, so that reading on is seen. Owned by the caller. */
static char *exact(struct str s)
{
	char *mem = malloc(s.len + (s.len == 0));

	assert_non_null(mem);
	if (s.len > 0)
		memcpy(mem, s.ptr, s.len);
	return mem;
}

static void test_field_key__quoted_and_bare_give_the_key(void **state)
{
	static const struct {
		const char *value, *key;
	} rows[] = {
		{ "k", "k" },
		{ "\"k\"", "k" },
		{ "8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324" },
		{ "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"",
		  "8e03978e-40d5-43dd-bc93-6894a57f9324" },
		{ "\"a\\\"b\"", "a\"b" },
		{ "\"a\\\\b\"", "a\\b" },
		{ "a\\b", "a\\b" },
		{ "a\"b\"", "a\"b\"" },
		{ "a/b;c=d,e", "a/b;c=d,e" },
		{ "!~", "!~" },
	};
	char mem[PAWL_KEY_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *bytes = exact(pawl__str_of(rows[i].value));
		const struct str value = { bytes, strlen(rows[i].value) };
		struct str key;

		if (!pawl__field_key(value, mem, &key))
			fail_msg("refused: %s", rows[i].value);
		assert_str(key, rows[i].key);
		free(bytes);
	}
}

static void test_field_key__anything_else_is_refused(void **state)
{
	static const char *const rows[] = {
		"",          "\"\"",         "\"",    "\"abc",    "\"a\"b\"",
		"\"a\";q=1", "\"a\" ",       "a b",   "\"a b\"",  "a\tb",
		"\"a\\b\"",  "\"a\\\"",      "\"a\\", "\xc3\xa9", "\"\xc3\xa9\"",
		"a\x7f",     "\"a\", \"b\"", "a, b",  "\"\\n\"",  "\x01",
	};
	char mem[PAWL_KEY_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *bytes = exact(pawl__str_of(rows[i]));
		const struct str value = { bytes, strlen(rows[i]) };
		struct str key;

		if (pawl__field_key(value, mem, &key))
			fail_msg("accepted: %s", rows[i]);
		free(bytes);
	}
}

static void test_field_key__up_to_the_limit(void **state)
{
	char text[2 * PAWL_KEY_MAX + 4], mem[PAWL_KEY_MAX];
	struct str key;

	(void)state;
	memset(text, 'k', sizeof(text));
	assert_true(pawl__field_key((struct str){ text, PAWL_KEY_MAX }, mem, &key));
	assert_int_equal(key.len, PAWL_KEY_MAX);
	assert_false(pawl__field_key((struct str){ text, PAWL_KEY_MAX + 1 }, mem, &key));
	text[0] = '"';
	text[PAWL_KEY_MAX + 1] = '"';
	assert_true(pawl__field_key((struct str){ text, PAWL_KEY_MAX + 2 }, mem, &key));
	assert_int_equal(key.len, PAWL_KEY_MAX);
	text[PAWL_KEY_MAX + 1] = 'k';
	text[PAWL_KEY_MAX + 2] = '"';
	assert_false(pawl__field_key((struct str){ text, PAWL_KEY_MAX + 3 }, mem, &key));
	/* Measured as decoded. */
	for (size_t i = 0; i < PAWL_KEY_MAX; i++) {
		text[1 + 2 * i] = '\\';
		text[2 + 2 * i] = '"';
	}
	text[2 * PAWL_KEY_MAX + 1] = '"';
	assert_true(pawl__field_key((struct str){ text, 2 * PAWL_KEY_MAX + 2 }, mem, &key));
	assert_int_equal(key.len, PAWL_KEY_MAX);
}

static void test_field_etags__lists(void **state)
{
	static const struct {
		const char *value;
		bool any;
		uint32_t len;
		struct etag at[3];
	} rows[] = {
		{ "*", true, 0, { { 0, false } } },
		{ " * ", true, 0, { { 0, false } } },
		{ "\"5\"", false, 1, { { 5, false } } },
		{ "W/\"5\"", false, 1, { { 5, true } } },
		{ "\"5\", \"6\"", false, 2, { { 5, false }, { 6, false } } },
		{ "\"5\",W/\"6\" ,\t\"x\"", false, 3, { { 5, false }, { 6, true }, { 0, false } } },
		{ ", \"5\" ,, ", false, 1, { { 5, false } } },
		/* Not versions of ours. */
		{ "\"0\"", false, 1, { { 0, false } } },
		{ "\"-5\"", false, 1, { { 0, false } } },
		{ "\"05\"", false, 1, { { 0, false } } },
		{ "\"\"", false, 1, { { 0, false } } },
		{ "\"a,b\"", false, 1, { { 0, false } } },
		{ "\"\x80\xff\"", false, 1, { { 0, false } } },
		{ "\"9223372036854775807\"", false, 1, { { INT64_MAX, false } } },
		{ "\"9223372036854775808\"", false, 1, { { 0, false } } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *bytes = exact(pawl__str_of(rows[i].value));
		const struct str value = { bytes, strlen(rows[i].value) };
		struct etags tags;

		if (!pawl__field_etags(value, &tags))
			fail_msg("refused: %s", rows[i].value);
		assert_int_equal(tags.any, rows[i].any);
		assert_int_equal(tags.len, rows[i].len);
		for (uint32_t k = 0; k < tags.len; k++) {
			assert_int_equal(tags.at[k].version, rows[i].at[k].version);
			assert_int_equal(tags.at[k].weak, rows[i].at[k].weak);
		}
		free(bytes);
	}
}

static void test_field_etags__anything_else_is_refused(void **state)
{
	static const char *const rows[] = {
		"",         " ",       ",",         "5",           "\"5",    "5\"",
		"w/\"5\"",  "W/5",     "W/ \"5\"",  "\"5\" \"6\"", "\"5\"6", "*, \"5\"",
		"\"5\", *", "\"a b\"", "\"a\x7f\"", "\"5\"\"6\"",  "'5'",    "W/",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *bytes = exact(pawl__str_of(rows[i]));
		const struct str value = { bytes, strlen(rows[i]) };
		struct etags tags;

		if (pawl__field_etags(value, &tags))
			fail_msg("accepted: %s", rows[i]);
		free(bytes);
	}
}

static void test_field_etags__up_to_the_limit(void **state)
{
	char text[8 * (ETAGS_MAX + 1)];
	struct etags tags;
	struct buf b;

	(void)state;
	pawl__buf_init_fixed(&b, text, sizeof(text));
	for (size_t i = 1; i <= ETAGS_MAX; i++) {
		buf_lit(&b, "\"");
		pawl__buf_u64(&b, i);
		buf_lit(&b, "\",");
	}
	assert_true(pawl__field_etags(buf_get(&b), &tags));
	assert_int_equal(tags.len, ETAGS_MAX);
	buf_lit(&b, "\"99\"");
	assert_false(b.overflow);
	assert_false(pawl__field_etags(buf_get(&b), &tags));
}

static void test_etags_match__strong_and_weak_comparison(void **state)
{
	const struct etags list = { .len = 3, .at = { { 5, false }, { 6, true }, { 0, false } } };
	const struct etags any = { .any = true };

	(void)state;
	assert_true(pawl__etags_match(&list, 5, false));
	assert_false(pawl__etags_match(&list, 6, false));
	assert_true(pawl__etags_match(&list, 6, true));
	assert_false(pawl__etags_match(&list, 7, true));
	/* What is absent matches nothing, not even a foreign tag. */
	assert_false(pawl__etags_match(&list, 0, true));
	assert_true(pawl__etags_match(&any, 1, false));
	assert_false(pawl__etags_match(&any, 0, true));
}

static void test_field_is_json__media_types(void **state)
{
	static const struct {
		const char *value;
		bool is;
	} rows[] = {
		{ "application/json", true },
		{ "Application/JSON", true },
		{ "application/json; charset=utf-8", true },
		{ "application/json;charset=\"UTF-8\"", true },
		{ "application/json; profile=x", true },
		{ "application/json;", true },
		{ "", false },
		{ "text/json", false },
		{ "application/jsonx", false },
		{ "application/problem+json", false },
		{ "application/x-www-form-urlencoded", false },
		{ "application/json; charset=iso-8859-1", false },
		{ "application/json, application/json", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *bytes = exact(pawl__str_of(rows[i].value));
		const struct str value = { bytes, strlen(rows[i].value) };

		if (pawl__field_is_json(value) != rows[i].is)
			fail_msg("%s", rows[i].value);
		free(bytes);
	}
}

static void test_field_openmetrics__accept(void **state)
{
	static const struct {
		const char *value;
		bool is;
	} rows[] = {
		{ "application/openmetrics-text", true },
		{ "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.2", true },
		{ "text/plain, Application/OpenMetrics-Text; version=1.0.0", true },
		{ "application/openmetrics-text;q=0", false },
		{ "application/openmetrics-text; q=0.000", false },
		{ "application/openmetrics-text; q=0.001", true },
		{ "text/plain", false },
		{ "*/*", false },
		{ "", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *bytes = exact(pawl__str_of(rows[i].value));
		const struct str value = { bytes, strlen(rows[i].value) };

		if (pawl__field_openmetrics(value) != rows[i].is)
			fail_msg("%s", rows[i].value);
		free(bytes);
	}
}

static void test_field_bearer__authorization(void **state)
{
	static const struct {
		const char *value, *token; /* NULL: refused */
	} rows[] = {
		{ "Bearer abc", "abc" },     { "bearer abc", "abc" },
		{ "BEARER  abc", "abc" },    { "Bearer a+/=", "a+/=" },
		{ "Bearer", NULL },          { "Bearer ", NULL },
		{ "Bearer a b", NULL },      { "Bearerabc", NULL },
		{ "Basic abc", NULL },       { "", NULL },
		{ "Bearer \xc3\xa9", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *bytes = exact(pawl__str_of(rows[i].value));
		const struct str value = { bytes, strlen(rows[i].value) };
		struct str token;

		if (pawl__field_bearer(value, &token) != (rows[i].token != NULL))
			fail_msg("%s", rows[i].value);
		if (rows[i].token != NULL)
			assert_str(token, rows[i].token);
		free(bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_field_key__quoted_and_bare_give_the_key),
		cmocka_unit_test(test_field_key__anything_else_is_refused),
		cmocka_unit_test(test_field_key__up_to_the_limit),
		cmocka_unit_test(test_field_etags__lists),
		cmocka_unit_test(test_field_etags__anything_else_is_refused),
		cmocka_unit_test(test_field_etags__up_to_the_limit),
		cmocka_unit_test(test_etags_match__strong_and_weak_comparison),
		cmocka_unit_test(test_field_is_json__media_types),
		cmocka_unit_test(test_field_openmetrics__accept),
		cmocka_unit_test(test_field_bearer__authorization),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
