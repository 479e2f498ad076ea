/* SPDX-License-Identifier: Apache-2.0 */
/* Text, JSON and page: the same numbers, nothing hostile, no secret. */
#include "harness.h"

#include "race/scenario/report.h"

/* Nothing of this may reach a page or a terminal as it is. */
#define HOSTILE "</code><script>alert(1)</script>\x1b[31m&'\"\xff"

static struct race_report *made(void)
{
	struct race_report *r = arena_new(&test_arena, struct race_report);

	assert_int_equal(setenv("PAWL_TEST_SECRET", "hunter22", 1), 0);
	r->s = parsed("name: \"<b>t</b>\"\ntarget: http://127.0.0.1:1\n"
	              "headers: {A: \"{env:PAWL_TEST_SECRET}\"}\n" RACE
	              "expect:\n  - {get: \"/<i>\", json: {/a: 1}}\n");
	r->arena = &test_arena;
	r->verdict = VERDICT_VIOLATED;
	r->seed = 42;
	r->rounds_run = 20;
	r->requests = 80;
	r->expects[0].verdict = VERDICT_VIOLATED;
	r->expects[0].rounds[VERDICT_HELD] = 13;
	r->expects[0].rounds[VERDICT_VIOLATED] = 7;
	r->expects[0].round = 3;
	r->expects[0].detail = pawl__race_keep(r, STR(HOSTILE), RUN_DETAIL_MAX);
	r->statuses[0] = (struct status_count){ VOLLEY_ANSWERED, 409, 60 };
	r->statuses[1] = (struct status_count){ VOLLEY_TIMEOUT, 0, 1 };
	r->statuses[2] = (struct status_count){ VOLLEY_ANSWERED, 201, 19 };
	r->statuses_len = 3;
	r->lanes[0] = (struct lane){
		1,          STR("POST /x"),
		STR("201"), pawl__race_keep(r, STR(HOSTILE " hunter22"), RUN_BODY_MAX),
		0,          480
	};
	r->lanes[1] = (struct lane){ 2, STR("POST /x"), STR("201"), STR(""), 100, 200 };
	r->lanes_len = 2;
	r->lanes_of = 4;
	r->lanes_round = 3;
	for (uint64_t i = 1; i <= 100; i++) {
		pawl__hist_put(&r->actual_us, i * 10);
		pawl__hist_put(&r->intended_us, i * 20);
		pawl__hist_put(&r->skew_us, i);
	}
	r->series_len = 3;
	r->command = STR("pawl race run 'a b.yaml' --seed 42");
	return r;
}

static const char *text_of(void (*write)(const struct race_report *, struct buf *))
{
	struct str s;
	struct buf b;

	pawl__buf_init(&b, REPORT_BYTES_MAX);
	write(made(), &b);
	assert_false(b.overflow);
	s = pawl__arena_str(&test_arena, buf_get(&b));
	pawl__buf_deinit(&b);
	assert_non_null(s.ptr);
	return s.ptr;
}

static void has(const char *text, const char *part)
{
	if (strstr(text, part) != NULL)
		return;
	print_error("lacks: %s\n", part);
	fail();
}

static void lacks(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		return;
	print_error("has: %s\n", part);
	fail();
}

static void test_text__numbers_and_lanes(void **state)
{
	const char *text = text_of(pawl__race_text);

	(void)state;
	has(text, "  violated      get: /<i>, json: {/a: 1}\n");
	has(text, "violated in 7 of 20 rounds: 18.1 to 56.7 % at 95 %\n");
	has(text, "  answers       19 x 201, 60 x 409, 1 x timed-out\n");
	has(text,
	    "  client 1     |[==============================================]| 201  POST /x\n");
	has(text,
	    "  client 2     |          [=========]                           | 201  POST /x\n");
	has(text, "again         pawl race run 'a b.yaml' --seed 42\n");
	lacks(text, "\x1b");
	lacks(text, "hunter22");
	has(text, "{env:PAWL_TEST_SECRET}");
}

static void test_html__nothing_hostile_and_nothing_from_elsewhere(void **state)
{
	const char *html = text_of(pawl__race_html);

	(void)state;
	has(html, "default-src 'none'; style-src 'sha256-");
	has(html, "&lt;script&gt;alert(1)&lt;/script&gt;");
	has(html, "<h1>&lt;b&gt;t&lt;/b&gt;</h1>");
	has(html, "7 of 20 rounds: 18.1 to 56.7 % at 95 %");
	has(html, "prefers-color-scheme: dark");
	lacks(html, "<script");
	lacks(html, "<b>");
	lacks(html, "style=\"");
	lacks(html, "url(");
	lacks(html, "src=\"");
	lacks(html, "hunter22");
	lacks(html, "\xff");
	lacks(html, "\x1b");
}

static void test_json__the_same_numbers(void **state)
{
	json_t *doc = pawl__race_json(made());
	const json_t *e = json_array_get(json_object_get(doc, "expectations"), 0);

	(void)state;
	assert_string_equal(json_string_value(json_object_get(doc, "verdict")), "violated");
	assert_int_equal(json_integer_value(json_object_get(doc, "seed")), 42);
	assert_string_equal(json_string_value(json_object_get(e, "verdict")), "violated");
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(e, "rounds"), "violated")), 7);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(doc, "answers"), "201")), 19);
	assert_int_equal(json_array_size(json_object_get(json_object_get(doc, "interleaving"),
	                                                 "operations")),
	                 2);
	json_decref(doc);
}

static void test_rate__carried_rounds_are_no_trials(void **state)
{
	struct race_report *r = made();
	char mem[200] = "";
	struct buf b;

	(void)state;
	r->expects[0].rounds[VERDICT_HELD] = 200;
	r->expects[0].rounds[VERDICT_VIOLATED] = 0;
	pawl__buf_init_fixed(&b, mem, sizeof(mem) - 1);
	pawl__put_rate(&b, r, &r->expects[0]);
	assert_string_equal(mem, "0 of 200 rounds: < 1.9 % at 95 %");
	r->carried = 199;
	memset(mem, 0, sizeof(mem));
	pawl__buf_reset(&b);
	pawl__put_rate(&b, r, &r->expects[0]);
	assert_string_equal(mem, "0 of 1 rounds: < 79.3 % at 95 %");
}

/* Secrets are taken out before a text is cut: half of one would not be known for one. */
static void test_keep__a_cut_secret_is_not_shown(void **state)
{
	struct race_report *r = made();
	const struct str kept = pawl__race_keep(r, STR("abcd hunter22"), 9);

	(void)state;
	lacks(kept.ptr, "hunt");
}

static void test_starter__is_a_scenario(void **state)
{
	struct buf b;

	(void)state;
	pawl__buf_init(&b, REPORT_BYTES_MAX);
	pawl__race_starter(STR("http://127.0.0.1:8080/a\"b{c}"), &b);
	pawl__buf_putc(&b, '\0');
	assert_int_equal(parsed(b.data)->expects_len, 2);
	pawl__buf_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_text__numbers_and_lanes),
		TEST(test_html__nothing_hostile_and_nothing_from_elsewhere),
		TEST(test_json__the_same_numbers),
		TEST(test_rate__carried_rounds_are_no_trials),
		TEST(test_keep__a_cut_secret_is_not_shown),
		TEST(test_starter__is_a_scenario),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
