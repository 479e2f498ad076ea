/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is not exported: one text for one value, a request through libpawl is the request that the
 * server builds, and closing waits for those who are inside.
 */
#include "kit.h"

#include "api/api.h"
#include "api/canon.h"
#include "engine/engine.h"

static enum pawl_status canon(const char *text, size_t max, char ret[256])
{
	struct buf b;
	const char *why = NULL;
	enum pawl_status st;

	pawl__buf_init_fixed(&b, ret, 255);
	st = pawl__canon_json((struct str){ text, strlen(text) }, max, &b, &why);
	ret[b.len] = '\0';
	assert_true((st == PAWL_E_INVALID) == (why != NULL));
	return st;
}

static void test_canon_json__one_text_for_one_value(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ " { \"b\":1 , \"a\" : [ true,null ] } ", "{\"a\":[true,null],\"b\":1}" },
		{ "{\"a\":{\"d\":1,\"c\":2}}", "{\"a\":{\"c\":2,\"d\":1}}" },
		{ "\"\\u0041\\/\"", "\"A/\"" },
		{ "\"\\u00e9\"", "\"\xc3\xa9\"" },
		{ "-0", "0" },
		{ "9223372036854775807", "9223372036854775807" },
		{ "-9223372036854775808", "-9223372036854775808" },
		{ "[]", "[]" },
	};
	char got[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(canon(rows[i].in, 255, got), PAWL_OK);
		assert_string_equal(got, rows[i].out);
		assert_int_equal(canon(rows[i].out, 255, got), PAWL_OK); /* and stays */
		assert_string_equal(got, rows[i].out);
	}
}

static void test_canon_json__limit_is_of_the_result(void **state)
{
	char got[256];

	(void)state;
	assert_int_equal(canon(" [ 1 , 2 ] ", 5, got), PAWL_OK);
	assert_int_equal(canon("[1,2]", 4, got), PAWL_E_INVALID);
	assert_string_equal(got, "");
	assert_int_equal(canon("[1,2", 255, got), PAWL_E_INVALID);
	assert_string_equal(got, "");
}

static void test_canon_depth__brackets_in_strings_do_not_count(void **state)
{
	(void)state;
	assert_true(pawl__canon_depth_ok(STR("[[]]"), 2));
	assert_false(pawl__canon_depth_ok(STR("[[]]"), 1));
	assert_true(pawl__canon_depth_ok(STR("[[],[],{}]"), 2));
	assert_true(pawl__canon_depth_ok(STR("[\"[[[\\\"[[{\"]"), 1));
	assert_true(pawl__canon_depth_ok(STR("\"\\"), 1));
	assert_true(pawl__canon_depth_ok(STR("]]]]"), 0));
}

static char file_url[128];

/* A request as the server decodes it: canonical values, the route's text, the caller. */
static void engine_done(struct lane_request *rq, const struct tx_answer *answer)
{
	(void)rq;
	assert_int_equal(answer->code, PAWL_OK);
	assert_false(answer->replayed);
}

static void serve_one(void)
{
	const struct engine_options opt = { .mode = ENGINE_LOOP };
	struct op ops[2] = { { .kind = OP_PUT }, { .kind = OP_EMIT } };
	struct tx tx = { .ops = ops,
		         .ops_len = 2,
		         .form = TX_FORM_TX,
		         .http_created = 200,
		         .caller = STR("anonymous"),
		         .key = STR("shared"),
		         .route = STR("POST /v1/tx"),
		         .request_id = STR("r-1") };
	struct lane_request rq = { .tx = &tx, .done = engine_done };
	struct engine *e;
	struct buf scratch;

	ops[0].u.record.key = STR("r");
	ops[0].u.record.value = STR("{\"a\":1,\"b\":2}");
	ops[0].u.record.if_version = TX_VERSION_ANY;
	ops[1].u.emit.topic = STR("t");
	ops[1].u.emit.body = STR("[]");
	pawl__buf_init(&scratch, 65536);
	assert_int_equal(pawl__canon_fingerprint(&tx, &scratch), PAWL_OK);
	pawl__buf_deinit(&scratch);
	assert_int_equal(pawl__engine_open(file_url, &opt, &e, NULL), PAWL_OK);
	assert_int_equal(pawl__lane_submit(e, &rq), PAWL_OK);
	(void)pawl__lane_turn(e);
	pawl__engine_close(e);
}

static void test_fingerprint__is_that_of_the_same_request_over_http(void **state)
{
	struct pawl_answer *answer;
	struct pawl_tx *tx;
	struct pawl *p;

	(void)state;
	KIT_NEEDS_DURABLE();
	(void)snprintf(file_url, sizeof(file_url), "%s", kit_url());
	serve_one();
	assert_int_equal(pawl_open(file_url, NULL, &p, NULL), PAWL_OK);
	tx = kit_tx(p, "shared");
	assert_int_equal(pawl_tx_put(tx, "r", "{\"b\": 2, \"a\": 1}", PAWL_IF_ANY), PAWL_OK);
	assert_int_equal(pawl_tx_emit(tx, "t", NULL, "[ ]"), PAWL_OK);
	answer = kit_answer(tx);
	assert_true(pawl_answer_replayed(answer));
	assert_int_equal(pawl_answer_code(answer), PAWL_OK);
	pawl_answer_free(answer);
	pawl_tx_free(tx);
	pawl_close(p);
}

static void *close_work(void *arg)
{
	pawl_close(arg);
	return NULL;
}

static void test_gate__closing_waits_for_those_inside(void **state)
{
	struct pawl_error err = { .status = PAWL_OK };
	struct pawl *p;
	pthread_t closer;

	(void)state;
	assert_int_equal(pawl_open("memory:", NULL, &p, NULL), PAWL_OK);
	assert_true(pawl__gate_enter(p, NULL));
	assert_true(pawl__gate_enter(p, NULL));
	assert_int_equal(pthread_create(&closer, NULL, close_work, p), 0);
	while ((atomic_load(&p->gate) & GATE_CLOSING) == 0)
		;
	assert_false(pawl__gate_enter(p, &err)); /* no more are let in, and that wakes nobody */
	assert_int_equal(err.status, PAWL_E_DRAINING);
	pawl__gate_leave(p);
	assert_false(pawl__gate_enter(p, NULL));
	assert_false(p->left);
	assert_int_equal(pawl__lane_depth(p->engine), 0); /* it is still there */
	pawl__gate_leave(p);
	assert_int_equal(pthread_join(closer, NULL), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_canon_json__one_text_for_one_value),
		cmocka_unit_test(test_canon_json__limit_is_of_the_result),
		cmocka_unit_test(test_canon_depth__brackets_in_strings_do_not_count),
		cmocka_unit_test(test_gate__closing_waits_for_those_inside),
		cmocka_unit_test(test_fingerprint__is_that_of_the_same_request_over_http),
	};

	kit_init(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
