/* SPDX-License-Identifier: Apache-2.0 */
/* Holes are filled, escaped for where they go, and secrets are taken out again. */
#include "harness.h"

#include "race/scenario/pointer.h"
#include "race/scenario/round.h"

static struct names names;
static struct capture_value of_round[4], of_client[4];

static void names_reset(void)
{
	names = (struct names){ .arena = &test_arena };
}

static struct tree scalar(const char *text)
{
	return (struct tree){
		.kind = TREE_SCALAR, .exact = true, .line = 1, .col = 1, .text = pawl__str_of(text)
	};
}

static const char *filled(const char *text, enum template_use use)
{
	const struct scope scope = { .names = &names,
		                     .client = 3,
		                     .round = 77,
		                     .number = 2,
		                     .random = 99,
		                     .of_round = of_round,
		                     .of_client = of_client };
	const struct tree node = scalar(text);
	struct pawl_error err = { .text = "" };
	struct template t;
	struct str s;
	struct buf b;

	assert_int_equal(pawl__template_parse(&names, &node, use, HOLES_CLIENT, &t, &err), PAWL_OK);
	pawl__buf_init(&b, 4096);
	if (pawl__template_expand(&t, &scope, &b, &err) != PAWL_OK) {
		pawl__buf_deinit(&b);
		return pawl__arena_str(&test_arena, pawl__str_of(err.text)).ptr;
	}
	s = pawl__arena_str(&test_arena, buf_get(&b));
	pawl__buf_deinit(&b);
	return s.ptr;
}

static void capture(const char *name, const char *value, bool bare)
{
	const struct tree node = scalar(name);
	uint32_t i;

	assert_int_equal(pawl__names_capture(&names, &node, OWNER_CLIENT, &i, NULL), PAWL_OK);
	of_client[i] = (struct capture_value){ pawl__str_of(value), bare };
}

static void test_template__builtin_holes_and_braces(void **state)
{
	(void)state;
	names_reset();
	assert_string_equal(filled("{round}-{client}/{number}.{random}", USE_TEXT), "77-3/2.99");
	assert_string_equal(filled("{\"a\": 1} {{client} {", USE_TEXT), "{\"a\": 1} {client} {");
	assert_string_equal(filled("", USE_TEXT), "");
}

static void test_template__values_are_escaped_for_their_place(void **state)
{
	(void)state;
	names_reset();
	capture("v", "a b/\"\xff?#%\n", false);
	assert_string_equal(filled("/x/{v}", USE_PATH), "/x/a%20b/%22%ff%3f%23%25%0a");
	assert_string_equal(filled("{v}", USE_HEADER),
	                    "a value with control bytes cannot go into a header");
	assert_string_equal(filled("{v}", USE_QUERY),
	                    "a value with quotes or control bytes cannot go into SQL");
	assert_string_equal(filled("{v}", USE_JSON), "a b/\\\"\xef\xbf\xbd?#%\\u000a");
}

static void test_template__a_value_that_is_missing_is_named(void **state)
{
	(void)state;
	names_reset();
	capture("v", NULL, false);
	assert_string_equal(filled("{v}", USE_TEXT), "nothing was captured as {v}");
}

static const char *json_of(const char *yaml)
{
	const struct scope scope = { .names = &names,
		                     .client = 3,
		                     .round = 77,
		                     .number = 2,
		                     .random = 99,
		                     .of_round = of_round,
		                     .of_client = of_client,
		                     .answer = STR("{\"v\":[1,{\"a\":null}]}") };
	struct pawl_error err = { .text = "" };
	struct template t;
	struct tree *root;
	struct str s;
	struct buf b;

	assert_int_equal(pawl__tree_parse(pawl__str_of(yaml), &test_arena, &root, &err), PAWL_OK);
	if (pawl__template_json(&names, root, HOLES_RESULT, &t, &err) != PAWL_OK)
		return pawl__arena_str(&test_arena, pawl__str_of(err.text)).ptr;
	pawl__buf_init(&b, 4096);
	assert_int_equal(pawl__template_expand(&t, &scope, &b, &err), PAWL_OK);
	s = pawl__arena_str(&test_arena, buf_get(&b));
	pawl__buf_deinit(&b);
	return s.ptr;
}

static void test_template_json__types_are_those_of_yaml(void **state)
{
	(void)state;
	names_reset();
	capture("n", "12", true);
	capture("s", "12", false);
	assert_string_equal(
		json_of("{a: 1, b: \"1\", c: true, d: null, e: , f: 1.5, g: x y, h: 007}"),
		"{\"a\":1,\"b\":\"1\",\"c\":true,\"d\":null,\"e\":null,\"f\":1.5,"
		"\"g\":\"x y\",\"h\":\"007\"}");
	assert_string_equal(
		json_of("[\"{client}\", \"{int:client}\", \"c{client}\", \"{n}\", \"{s}\"]"),
		"[\"3\",3,\"c3\",12,\"12\"]");
	assert_string_equal(json_of("[r, x, \"{answer:/v}\", \"{answer:/none}\"]"),
	                    "[\"r\",\"x\",[1,{\"a\":null}],null]");
	assert_string_equal(json_of("[99999999999999999999]"),
	                    "1:2: is over 64 bits; write it in quotes");
	assert_string_equal(json_of("[\"x{int:client}\"]"),
	                    "1:4: {int:NAME} must be a JSON value alone");
}

static void test_names_redact__secrets_are_not_shown_in_any_form(void **state)
{
	const char *secret = "s3\"cr/et x";
	struct buf b;

	(void)state;
	names_reset();
	assert_int_equal(setenv("PAWL_TEST_SECRET", secret, 1), 0);
	assert_string_equal(filled("Bearer {env:PAWL_TEST_SECRET}", USE_TEXT),
	                    "Bearer s3\"cr/et x");
	pawl__buf_init(&b, 4096);
	pawl__names_redact(&names, STR("a s3\"cr/et x b s3\\\"cr/et x c s3%22cr/et%20x d s3"), &b);
	pawl__buf_putc(&b, '\0');
	assert_string_equal(b.data, "a {env:PAWL_TEST_SECRET} b {env:PAWL_TEST_SECRET} c "
	                            "{env:PAWL_TEST_SECRET} d s3");
	pawl__buf_deinit(&b);
}

static void test_pointer__rfc_6901(void **state)
{
	json_t *doc = json_loads("{\"a\":[10,{\"b/c\":1,\"d~\":2}],\"\":3}", 0, NULL);

	(void)state;
	assert_int_equal(json_integer_value(pawl__pointer_get(doc, STR("/a/0"))), 10);
	assert_int_equal(json_integer_value(pawl__pointer_get(doc, STR("/a/1/b~1c"))), 1);
	assert_int_equal(json_integer_value(pawl__pointer_get(doc, STR("/a/1/d~0"))), 2);
	assert_int_equal(json_integer_value(pawl__pointer_get(doc, STR("/"))), 3);
	assert_ptr_equal(pawl__pointer_get(doc, STR("")), doc);
	assert_null(pawl__pointer_get(doc, STR("/a/-1")));
	assert_null(pawl__pointer_get(doc, STR("/a/00")));
	assert_null(pawl__pointer_get(doc, STR("/a/2")));
	assert_null(pawl__pointer_get(doc, STR("/a/0/x")));
	assert_false(pawl__pointer_valid(STR("a")));
	assert_false(pawl__pointer_valid(STR("/~2")));
	assert_false(pawl__pointer_valid(STR("/~")));
	json_decref(doc);
}

static void test_deal__policies_and_seeds(void **state)
{
	const struct scenario *s =
		parsed(HEAD "race:\n  clients: 9\n  requests:\n"
	                    "  - {name: a, path: /a, key: repeated, count: 4}\n"
	                    "  - {name: b, path: /b, key: shared, count: 3}\n"
	                    "  - {name: c, path: /c, key: own, weight: 1}\n" EXPECT);
	const struct dealt *d = pawl__deal(s, 5, 1, 1000, &test_arena);
	const struct dealt *same = pawl__deal(s, 5, 1, 1000, &test_arena);
	uint32_t n[3] = { 0 }, pairs = 0, shared = 0, own = 0;

	(void)state;
	for (uint32_t i = 0; i < 9; i++) {
		n[d[i].step - s->requests]++;
		assert_ptr_equal(d[i].step, same[i].step);
		assert_true(d[i].key.len > 0);
		for (uint32_t k = 0; k < i; k++) {
			if (!str_eq(d[i].key, d[k].key))
				continue;
			assert_ptr_equal(d[i].step, d[k].step);
			assert_int_equal(d[i].leader, d[k].leader);
			pairs += d[i].step->key == KEY_REPEATED;
			shared += d[i].step->key == KEY_SHARED;
			own += d[i].step->key == KEY_OWN;
		}
	}
	assert_int_equal(n[0], 4);
	assert_int_equal(n[1], 3);
	assert_int_equal(n[2], 2);
	assert_int_equal(pairs, 2);
	assert_int_equal(shared, 3);
	assert_int_equal(own, 0);
	assert_int_not_equal(pawl__deal_random(1, 1, 1), pawl__deal_random(1, 1, 2));
	assert_int_not_equal(pawl__deal_random(1, 1, 1), pawl__deal_random(1, 2, 1));
	assert_int_not_equal(pawl__deal_random(1, 1, 1), pawl__deal_random(2, 1, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_template__builtin_holes_and_braces),
		TEST(test_template__values_are_escaped_for_their_place),
		TEST(test_template__a_value_that_is_missing_is_named),
		TEST(test_template_json__types_are_those_of_yaml),
		TEST(test_names_redact__secrets_are_not_shown_in_any_form),
		TEST(test_pointer__rfc_6901),
		TEST(test_deal__policies_and_seeds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
