/* SPDX-License-Identifier: Apache-2.0 */
/* A scenario says what it says, and everything wrong with it is found at its place. */
#include "harness.h"

#include "race/scenario/bind.h"

static void test_parse__the_published_shape_is_read(void **state)
{
	const struct scenario *s =
		parsed("name: last-item\n"
	               "target: http://127.0.0.1:8080        # any HTTP API\n"
	               "setup:\n"
	               "  - {method: PUT, path: /v1/items/last, body: {stock: 1}}\n"
	               "race:\n"
	               "  clients: 200\n"
	               "  rounds: 20\n"
	               "  sync: last-byte\n"
	               "  request: {method: POST, path: /v1/orders, headers: {Idempotency-Key: "
	               "\"{round}-{client}\"}, body: {lines: [{sku: last, quantity: 1}]}}\n"
	               "expect:\n"
	               "  - {status: {201: 1, 409: rest}}\n"
	               "  - {get: /v1/items/last, json: {/available: 0}}\n");

	(void)state;
	assert_int_equal(s->clients, 200);
	assert_int_equal(s->rounds, 20);
	assert_int_equal(s->sync, SYNC_LAST_BYTE);
	assert_int_equal(s->setup.len, 1);
	assert_int_equal(s->requests_len, 1);
	assert_int_equal(s->expects_len, 2);
	assert_int_equal(s->expects[0].kind, EXPECT_STATUS);
	assert_int_equal(s->expects[0].statuses.at[0].count.min, 1);
	assert_int_equal(s->expects[0].statuses.at[0].count.max, 1);
	assert_true(s->expects[0].statuses.at[1].rest);
	assert_int_equal(s->expects[1].kind, EXPECT_GET);
	assert_string_equal(s->setup.at[0].name.ptr, "PUT /v1/items/last");
	assert_string_equal(s->expects[0].label.ptr, "status: {201: 1, 409: rest}");
}

static void test_parse__every_kind_of_sync(void **state)
{
	static const struct {
		const char *text;
		enum sync_kind kind;
		bool http2;
	} rows[] = {
		{ "last-byte", SYNC_LAST_BYTE, false },
		{ "single-packet", SYNC_SINGLE_PACKET, true },
		{ "none", SYNC_NONE, false },
		{ "{spread: 5ms}", SYNC_SPREAD, false },
		{ "\"spread: 5ms\"", SYNC_SPREAD, false },
		{ "{rate: 500}", SYNC_RATE, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct scenario *s;
		char yaml[512];

		(void)snprintf(yaml, sizeof(yaml), HEAD RACE "  sync: %s\n" EXPECT, rows[i].text);
		s = parsed(yaml);
		assert_int_equal(s->sync, rows[i].kind);
		assert_int_equal(s->http2, rows[i].http2);
		assert_int_equal(s->spread_us, rows[i].kind == SYNC_SPREAD ? 5000 : 0);
		assert_int_equal(s->rate, rows[i].kind == SYNC_RATE ? 500 : 0);
	}
}

static void test_parse__all_that_a_scenario_can_say(void **state)
{
	const struct scenario *s = parsed(
		"name: all\ndescription: everything\ntarget: https://127.0.0.1:1\nverify_tls: "
		"false\n"
		"timeout: 3s\nseed: 7\nheaders: {Accept: application/json}\n"
		"setup:\n"
		"  - {sql: \"DELETE FROM t\", on: \"sqlite:x.db\"}\n"
		"  - {redis: [SET, k, \"{round}\"], on: \"redis://127.0.0.1\"}\n"
		"  - {path: /token, capture: {token: /token, tag: \"header: ETag\"}}\n"
		"warm_up: {path: /livez}\n"
		"race:\n  clients: 10\n  repeat: until-failure\n  overlap: 5\n  head_start: 20ms\n"
		"  before:\n  - {method: POST, path: /login, capture: {session: /id}}\n"
		"  requests:\n"
		"  - {name: buy, path: /buy, body: {s: \"{session}\", n: \"{int:client}\"}, count: "
		"4, "
		"key: repeated, op: {f: write, key: x, value: \"{int:random}\", result: /v}}\n"
		"  - {name: look, path: /look, weight: 3}\n"
		"  after:\n  - {method: DELETE, path: \"/s/{session}\"}\n"
		"expect:\n"
		"  - {status: {2xx: \">= 1\", 409: \"0..9\", timeout: any}, of: buy}\n"
		"  - {sql: \"SELECT 1\", on: \"sqlite:x.db\", value: 1}\n"
		"  - {sql: \"SELECT 1, 'a'\", on: \"sqlite:x.db\", rows: [[1, a]]}\n"
		"  - {redis: \"GET k\", on: \"redis://127.0.0.1\", value: {not: null}}\n"
		"  - {sum: /n, get: [/a, /b], value: {min: 1, max: 2}}\n"
		"  - {sum: /n, over: answers, status: 201, value: 3}\n"
		"  - {distinct: /id}\n  - {monotone: /version}\n  - {replays: identical, of: buy}\n"
		"  - {get: /x, status: 404}\n"
		"teardown:\n  - {method: DELETE, path: /x, status: [200, 204, 404]}\n");

	(void)state;
	assert_false(s->verify_tls);
	assert_int_equal(s->timeout_us, 3000000);
	assert_int_equal(s->seed, 7);
	assert_int_equal(s->setup.at[0].kind, STEP_SQL);
	assert_int_equal(s->setup.at[1].kind, STEP_REDIS);
	assert_int_equal(s->setup.at[1].args_len, 3);
	assert_int_equal(s->setup.at[2].captures_len, 2);
	assert_int_equal(s->setup.at[2].headers_len, 1); /* the scenario's */
	assert_int_equal(s->warm_up.len, 1);
	assert_true(s->until_failure);
	assert_int_equal(s->overlap, 5);
	assert_int_equal(s->head_start_us, 20000);
	assert_int_equal(s->requests[0].key, KEY_REPEATED);
	assert_int_equal(s->requests[0].count, 4);
	assert_int_equal(s->requests[0].weight, 0);
	assert_int_equal(s->requests[1].weight, 3);
	assert_true(s->requests[0].op.has_result);
	assert_int_equal(s->expects[0].statuses.at[0].low, 200);
	assert_int_equal(s->expects[0].statuses.at[0].high, 299);
	assert_int_equal(s->expects[0].statuses.at[1].count.max, 9);
	assert_int_equal(s->expects[0].statuses.at[2].answer, ANSWER_TIMEOUT);
	assert_int_equal(s->expects[4].kind, EXPECT_SUM);
	assert_int_equal(s->expects[4].paths_len, 2);
	assert_int_equal(s->expects[4].values.at[0].kind, MATCH_RANGE);
	assert_int_equal(s->expects[5].kind, EXPECT_ANSWERS);
	assert_int_equal(s->teardown.at[0].accepted.len, 3);
}

static const struct {
	const char *yaml, *text;
} mistakes[] = {
	{ "", "1:1: a scenario must be a mapping" },
	{ "- a\n", "1:1: a scenario must be a mapping" },
	{ HEAD RACE, "1:1: a scenario needs \"expect\"" },
	{ HEAD "rcae: 1\n", "3:1: a scenario has no \"rcae\"; did you mean \"race\"?" },
	{ HEAD "zebra: 1\n", "3:1: a scenario has no \"zebra\"" },
	{ HEAD "name: u\n", "3:1: \"name\" is there twice" },
	{ "name: {a: 1}\ntarget: x\n" RACE EXPECT, "1:7: name must be text of 1 to 64 bytes" },
	{ HEAD "seed: 0\n" RACE EXPECT,
	  "3:7: seed must be a whole number from 1 to 9223372036854775807" },
	{ HEAD "timeout: 5\n" RACE EXPECT, "3:10: timeout must be a whole number with us, "
	                                   "ms, s or m behind it, up to 600s" },
	{ HEAD "race:\n  clients: 10001\n",
	  "4:12: clients must be a whole number from 1 to 10000" },
	{ HEAD "race:\n  clients: \"4\"\n",
	  "4:13: clients must be a whole number from 1 to 10000" },
	{ HEAD "race:\n  sync: last-bite\n",
	  "4:9: sync cannot be \"last-bite\"; did you mean \"last-byte\"?" },
	{ HEAD "race:\n  sync: single-packet\n  protocol: http1\n",
	  "5:13: protocol must be http2: one packet holds no HTTP/1.1 requests of several "
	  "connections" },
	{ HEAD "race:\n  clients: 2\n", "4:3: race needs \"request\" or \"requests\"" },
	{ HEAD "race:\n  request: {method: POST}\n", "4:12: a request needs \"path\"" },
	{ HEAD "race:\n  request: {path: \"http://elsewhere/\"}\n",
	  "4:20: path must begin with / and have no blanks: requests go to the target "
	  "only" },
	{ HEAD "race:\n  request: {path: /x, metod: GET}\n",
	  "4:23: a request has no \"metod\"; did you mean \"method\"?" },
	{ HEAD "race:\n  request: {path: \"/x/{cleint}\"}\n",
	  "4:23: nothing has the name {cleint}; did you mean {client}?" },
	{ HEAD "race:\n  request: {path: /x, body: {a: {client}}}\n",
	  "4:33: write \"{client}\" with quotes, or \"{int:client}\"" },
	{ HEAD "race:\n  request: {path: /x, headers: {Content-Length: 4}}\n",
	  "4:33: Content-Length is written by the tester" },
	{ HEAD "race:\n  request: {path: /x, headers: {A: b, a: c}}\n",
	  "4:39: \"a\" is there twice" },
	{ HEAD "race:\n  request: {path: /x, key: reused-with-another-body, body: {a: 1}}\n",
	  "4:28: key reused-with-another-body needs {client} or {random} in the body" },
	{ HEAD "race:\n  request: {path: /x, key: own, headers: {Idempotency-Key: a}}\n",
	  "4:28: key cannot stand beside an Idempotency-Key" },
	{ HEAD "race:\n  clients: 2\n  requests: [{path: /x, count: 1}, {path: /y, count: 2}]\n",
	  "4:3: the counts are more than the 2 clients" },
	{ HEAD "race:\n  clients: 4\n  requests: [{path: /x, count: 1}]\n",
	  "4:3: the counts are less than the 4 clients" },
	{ HEAD "race:\n  requests: [{path: /x}, {path: /x}]\n", "4:26: needs a name of its own" },
	{ HEAD "setup: [{path: /x, weight: 3}]\n" RACE EXPECT,
	  "3:20: a request has no \"weight\"" },
	{ HEAD "setup: [{path: \"/x/{client}\"}]\n" RACE EXPECT,
	  "3:20: {client} has no meaning here" },
	{ HEAD RACE "expect: []\n", "6:9: expect must be a list of 1 to 64 expectations" },
	{ HEAD RACE "expect:\n  - {statsu: {201: 1}}\n",
	  "7:6: an expectation has no \"statsu\"; did you mean \"status\"?" },
	{ HEAD RACE "expect:\n  - {status: {20l: 1}}\n",
	  "7:15: must be a status such as 201 or 4xx, or timeout, reset, malformed or "
	  "unsent" },
	{ HEAD RACE "expect:\n  - {status: {201: rest, 409: rest}}\n",
	  "7:31: 409 cannot be rest, too: that is what is left" },
	{ HEAD RACE "expect:\n  - {status: {201: 1, 2xx: rest}}\n", "7:23: counts a status twice" },
	{ HEAD RACE "expect:\n  - {status: {201: 3..1}}\n",
	  "7:20: 201 must be a number, \"1..3\", \">= 1\", \"<= 3\", any or rest" },
	{ HEAD RACE "expect:\n  - {get: /x, json: {available: 0}}\n",
	  "7:22: must be a JSON pointer such as /available" },
	{ HEAD RACE "expect:\n  - {sql: \"SELECT 1\", on: \"sqlite:x\"}\n",
	  "7:5: sql needs value or rows" },
	{ HEAD RACE "expect:\n  - {sql: \"SELECT 1\", value: 1}\n",
	  "7:5: an expectation needs \"on\"" },
	{ HEAD RACE "expect:\n  - {distinct: /id, of: nobody}\n",
	  "7:25: of must be the name of a request of the race" },
	{ HEAD "headers: {A: \"{env:PAWL_TEST_NO_SUCH}\"}\n" RACE EXPECT,
	  "3:15: the environment variable PAWL_TEST_NO_SUCH is not set" },
	{ "a: &x 1\n", "1:4: anchors and tags are not allowed" },
	{ "a: *x\n", "1:4: aliases are not allowed" },
	{ "a: !!str b\n", "1:4: anchors and tags are not allowed" },
	{ HEAD RACE EXPECT "---\nname: b\n", "9:1: a second document is not allowed" },
	{ "a: [1\nb: 2\n", "2:2: not YAML: did not find expected ',' or ']'" },
	{ "a: {p: /x/{round}}\n", "1:11: not YAML: did not find expected ',' or '}' (between "
	                          "braces, text with braces needs quotes)" },
};

static void test_parse__mistakes_are_shown_where_they_are(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mistakes); i++)
		refused(mistakes[i].yaml, mistakes[i].text);
}

/* More levels, values or entries than a file may have. */
static void test_parse__limits_are_refused(void **state)
{
	char deep[512] = "a: ";
	struct pawl_error err = { .text = "" };
	struct scenario *s = NULL;
	struct buf b;

	(void)state;
	memset(deep + 3, '[', TREE_DEPTH_MAX);
	memset(deep + 3 + TREE_DEPTH_MAX, ']', TREE_DEPTH_MAX);
	refused(deep, "1:35: nested too deep"); /* the mapping is a level, too */
	pawl__buf_init(&b, (size_t)1 << 20);
	buf_lit(&b, "a: [");
	for (int i = 0; i < TREE_MEMBERS_MAX; i++)
		buf_lit(&b, "1,\n");
	buf_lit(&b, "1]");
	assert_int_equal(pawl__scenario_parse(buf_get(&b), &test_arena, &s, &err), PAWL_E_CONFIG);
	assert_string_equal(err.text, "2001:1: more than 2000 entries");
	pawl__buf_reset(&b);
	for (size_t i = 0; i <= TREE_FILE_MAX; i++)
		buf_lit(&b, "#");
	assert_int_equal(pawl__scenario_parse(buf_get(&b), &test_arena, &s, &err), PAWL_E_CONFIG);
	assert_string_equal(err.text, "is over 262144 bytes");
	pawl__buf_deinit(&b);
}

static void test_duration_parse__units_and_overflow(void **state)
{
	int64_t us = 0;

	(void)state;
	assert_true(pawl__duration_parse(STR("7us"), &us) && us == 7);
	assert_true(pawl__duration_parse(STR("5ms"), &us) && us == 5000);
	assert_true(pawl__duration_parse(STR("2s"), &us) && us == 2000000);
	assert_true(pawl__duration_parse(STR("1m"), &us) && us == 60000000);
	assert_false(pawl__duration_parse(STR("5"), &us));
	assert_false(pawl__duration_parse(STR("ms"), &us));
	assert_false(pawl__duration_parse(STR("9223372036854775807s"), &us));
	assert_false(pawl__duration_parse(STR("1.5s"), &us));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_parse__the_published_shape_is_read),
		TEST(test_parse__every_kind_of_sync),
		TEST(test_parse__all_that_a_scenario_can_say),
		TEST(test_parse__mistakes_are_shown_where_they_are),
		TEST(test_parse__limits_are_refused),
		TEST(test_duration_parse__units_and_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
