/* SPDX-License-Identifier: Apache-2.0 */
/* The demo's judgement, given runs in which something went wrong: each must be seen. */
#include "harness.h"

#include "cli/demo/judge.h"
#include "cli/demo/report.h"

/* 100 buyers for 3 items, 10 send again, 5 twice at once; all is well. */
static const struct demo_counts sound = {
	.buyers = 100,
	.stock = 3,
	.repeats = 10,
	.twins = 5,
	.requests = 115,
	.answered = 115,
	.keys_sold = 3,
	.keys_refused = 97,
	.refused_insufficient = 97,
	.replayed = 15,
	.effects = 3,
	.orders = 3,
	.overlaps = 5,
	.item_seen = true,
	.item_available = 0,
	.item_sold = 3,
	.stopped_well = true,
	.audited = true,
	.audit_orders = 3,
};

static bool held(const struct demo_counts *c, const char *name)
{
	for (int i = 0; i < DEMO_PROMISES; i++) {
		if (strcmp(pawl__demo_promises[i].name, name) == 0)
			return pawl__demo_promises[i].held(c);
	}
	fail_msg("no such promise: %s", name);
	return false;
}

static void test_judge__sound_run_holds_every_promise(void **state)
{
	(void)state;
	assert_int_equal(pawl__demo_broken(&sound), 0);
	assert_int_equal(pawl__demo_duplicates(&sound), 0);
	assert_int_equal(pawl__demo_oversold(&sound), 0);
}

static void test_judge__enough_for_everybody_is_sound(void **state)
{
	struct demo_counts c = sound;

	(void)state;
	c.stock = 500;
	c.keys_sold = c.effects = c.orders = c.item_sold = c.audit_orders = 100;
	c.item_available = 400;
	c.keys_refused = c.refused_insufficient = 0;
	assert_int_equal(pawl__demo_broken(&c), 0);
}

static void test_judge__nothing_seen_holds_nothing(void **state)
{
	const struct demo_counts nothing = { .buyers = 100, .stock = 3 };

	(void)state;
	assert_true(pawl__demo_broken(&nothing) >= 6);
}

#define SET(member, value) offsetof(struct demo_counts, member), sizeof(sound.member), (value)

/* One planted defect, and the promise that must not be held because of it. */
static const struct {
	const char *promise;
	size_t offset, len;
	int64_t value;
} planted[] = {
	{ "all_answered", SET(answered, 114) },
	{ "all_answered", SET(keys_unanswered, 1) },
	{ "all_answered", SET(keys_other, 1) },
	{ "all_answered", SET(requests, 114) },
	{ "never_oversold", SET(keys_sold, 4) },
	{ "never_oversold", SET(orders, 4) },
	{ "never_oversold", SET(item_sold, 4) },
	{ "never_oversold", SET(audit_orders, 4) },
	{ "never_oversold", SET(item_available, -1) },
	{ "never_oversold", SET(item_seen, 0) },
	{ "never_oversold", SET(audited, 0) },
	{ "sold_what_there_was", SET(keys_sold, 2) },
	{ "sold_what_there_was", SET(keys_sold, 0) },
	{ "told_why", SET(refused_insufficient, 96) },
	{ "told_why", SET(keys_refused, 96) },
	{ "one_effect_per_key", SET(effects, 4) },
	{ "one_effect_per_key", SET(effects, 2) },
	{ "one_effect_per_key", SET(orders, 4) },
	{ "one_effect_per_key", SET(item_sold, 4) },
	{ "one_effect_per_key", SET(audit_orders, 4) },
	{ "one_effect_per_key", SET(replayed, 14) },
	{ "one_effect_per_key", SET(audited, 0) },
	{ "answers_stay", SET(changed, 1) },
	{ "answers_stay", SET(answered, 0) },
	{ "all_agree", SET(orders, 2) },
	{ "all_agree", SET(item_sold, 2) },
	{ "all_agree", SET(audit_orders, 2) },
	{ "all_agree", SET(item_available, 1) },
	{ "all_agree", SET(item_held, 1) },
	{ "books_balance", SET(audit_drifts, 1) },
	{ "books_balance", SET(audited, 0) },
	{ "books_balance", SET(stopped_well, 0) },
};

static struct demo_counts plant(size_t i)
{
	struct demo_counts c = sound;

	/* Counts are int64_t and signs bool: little-endian or not, both are set whole. */
	if (planted[i].len == sizeof(bool))
		memcpy((char *)&c + planted[i].offset, &(bool){ planted[i].value != 0 },
		       sizeof(bool));
	else
		memcpy((char *)&c + planted[i].offset, &planted[i].value, sizeof(int64_t));
	return c;
}

static void test_judge__each_planted_defect_breaks_its_promise(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(planted) / sizeof(planted[0]); i++) {
		const struct demo_counts c = plant(i);

		assert_true(held(&sound, planted[i].promise));
		if (held(&c, planted[i].promise))
			fail_msg("row %zu: %s was held", i, planted[i].promise);
		assert_true(pawl__demo_broken(&c) > 0);
	}
}

static void test_judge__every_promise_can_be_broken_by_the_table(void **state)
{
	(void)state;
	for (int p = 0; p < DEMO_PROMISES; p++) {
		bool found = false;

		for (size_t i = 0; i < sizeof(planted) / sizeof(planted[0]); i++)
			found = found ||
			        strcmp(planted[i].promise, pawl__demo_promises[p].name) == 0;
		assert_true(found);
	}
}

static void test_judge__counts_what_is_over(void **state)
{
	struct demo_counts c = sound;

	(void)state;
	c.audit_orders = 7; /* the books know of more than anybody was told */
	assert_int_equal(pawl__demo_oversold(&c), 4);
	assert_int_equal(pawl__demo_duplicates(&c), 4);
	c.effects = 9;
	assert_int_equal(pawl__demo_duplicates(&c), 6);
}

static char *report_text(const struct demo_report *r)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	pawl__report_print(out, r);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void test_report__verdict_names_what_was_not_held(void **state)
{
	struct demo_report r = { .engine = "E", .durability = "D" };
	char *text;
	json_t *doc;

	(void)state;
	r.rounds[ROUND_LAST].counts = sound;
	r.rounds[ROUND_PLENTY].counts = sound;
	assert_int_equal(pawl__report_broken(&r), 0);
	text = report_text(&r);
	assert_non_null(strstr(text, "\nevery promise held\n"));
	free(text);
	r.rounds[ROUND_PLENTY].counts.changed = 1;
	assert_int_equal(pawl__report_broken(&r), 1);
	text = report_text(&r);
	assert_null(strstr(text, "every promise held"));
	assert_non_null(strstr(text, "not held  an answer never changed, to the byte (plenty)\n"));
	free(text);
	doc = pawl__report_json(&r);
	assert_string_equal(json_string_value(json_object_get(doc, "verdict")), "broken");
	json_decref(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_judge__sound_run_holds_every_promise),
		cmocka_unit_test(test_judge__enough_for_everybody_is_sound),
		cmocka_unit_test(test_judge__nothing_seen_holds_nothing),
		cmocka_unit_test(test_judge__each_planted_defect_breaks_its_promise),
		cmocka_unit_test(test_judge__every_promise_can_be_broken_by_the_table),
		cmocka_unit_test(test_judge__counts_what_is_over),
		cmocka_unit_test(test_report__verdict_names_what_was_not_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
