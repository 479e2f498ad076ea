/* SPDX-License-Identifier: Apache-2.0 */
/* The exact bytes of every resource and of every problem. */
#include "harness.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "core/answer.h"

#define AT_US   INT64_C(1700000000000000)
#define AT_TEXT "2023-11-14T22:13:20.000000Z"

static char mem[8192];
static struct buf out;

static struct buf *fresh(void)
{
	pawl__buf_init_fixed(&out, mem, sizeof(mem) - 1);
	return &out;
}

static void is(const char *want)
{
	assert_false(out.overflow);
	mem[out.len] = '\0';
	assert_string_equal(mem, want);
}

static void test_json_account__with_and_without_floor(void **state)
{
	struct account a = { .id = STR("user:1"),
		             .unit = STR("EUR"),
		             .balance = 1000,
		             .held = 200,
		             .floor = -50,
		             .has_floor = true,
		             .version = 7 };

	(void)state;
	pawl__json_account(fresh(), &a);
	is("{\"id\":\"user:1\",\"unit\":\"EUR\",\"balance\":1000,\"held\":200,\"available\":850,"
	   "\"floor\":-50,\"version\":7}");
	a = (struct account){ .id = STR("a\"b\\"), .unit = STR("X"), .balance = INT64_MIN };
	pawl__json_account(fresh(), &a);
	is("{\"id\":\"a\\\"b\\\\\",\"unit\":\"X\",\"balance\":-9223372036854775808,\"held\":0,"
	   "\"available\":null,\"floor\":null,\"version\":0}");
	a = (struct account){ .id = STR("m"),
		              .unit = STR("X"),
		              .balance = INT64_MAX,
		              .floor = INT64_MIN,
		              .has_floor = true,
		              .version = INT64_MAX };
	pawl__json_account(fresh(), &a);
	is("{\"id\":\"m\",\"unit\":\"X\",\"balance\":9223372036854775807,\"held\":0,"
	   "\"available\":9223372036854775807,\"floor\":-9223372036854775808,"
	   "\"version\":9223372036854775807}");
}

static void test_json_hold__each_state_as_of_now(void **state)
{
	static const struct {
		enum hold_state st;
		int64_t now_us;
		const char *name;
	} rows[] = {
		{ HOLD_HELD, AT_US - 1, "held" },     { HOLD_HELD, AT_US, "expired" },
		{ HOLD_CAPTURED, AT_US, "captured" }, { HOLD_RELEASED, AT_US, "released" },
		{ HOLD_EXPIRED, 0, "expired" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct hold h = { .number = 1 << ROW_NUMBER_BITS,
			                .from = STR("a"),
			                .to = STR("b"),
			                .amount = 10,
			                .captured = 3,
			                .expires_us = AT_US,
			                .state = rows[i].st,
			                .version = 1 };
		char want[256];

		pawl__json_hold(fresh(), &h, rows[i].now_us);
		(void)snprintf(
			want, sizeof(want),
			"{\"id\":\"0000000000100\",\"state\":\"%s\",\"from\":\"a\",\"to\":\"b\","
			"\"amount\":10,\"captured\":3,\"expires_at\":\"" AT_TEXT
			"\",\"version\":1}",
			rows[i].name);
		is(want);
	}
}

static void test_json_order__each_state_as_of_now(void **state)
{
	struct order o = { .number = 2 << ROW_NUMBER_BITS,
		           .state = ORDER_CONFIRMED,
		           .body = STR("\"lines\":[{\"sku\":\"s\",\"quantity\":2}]"),
		           .version = 2 };

	(void)state;
	pawl__json_order(fresh(), &o, AT_US);
	is("{\"id\":\"0000000000200\",\"state\":\"confirmed\",\"lines\":[{\"sku\":\"s\","
	   "\"quantity\":2}],\"version\":2}");
	o.expires_us = AT_US;
	o.state = ORDER_HELD;
	pawl__json_order(fresh(), &o, AT_US - 1);
	is("{\"id\":\"0000000000200\",\"state\":\"held\",\"lines\":[{\"sku\":\"s\",\"quantity\":2}]"
	   ","
	   "\"expires_at\":\"" AT_TEXT "\",\"version\":2}");
	pawl__json_order(fresh(), &o, AT_US);
	assert_non_null(strstr(mem, "\"state\":\"expired\""));
	o.state = ORDER_CANCELLED;
	pawl__json_order(fresh(), &o, AT_US);
	assert_non_null(strstr(mem, "\"state\":\"cancelled\""));
	o.state = ORDER_CONFIRMED;
	pawl__json_order(fresh(), &o, AT_US);
	assert_non_null(strstr(mem, "\"state\":\"confirmed\""));
}

static void test_json_transfer__exact(void **state)
{
	const struct account from = { .id = STR("a") }, to = { .id = STR("b") };
	const struct transfer t = {
		.number = (1 << ROW_NUMBER_BITS) + 1, .from = &from, .to = &to, .amount = INT64_MAX
	};

	(void)state;
	pawl__json_transfer(fresh(), &t);
	is("{\"id\":\"0000000000101\",\"from\":\"a\",\"to\":\"b\",\"amount\":9223372036854775807}");
}

static void test_json_item__version_is_the_later_of_both(void **state)
{
	struct account stock = { .balance = 9, .held = 2, .has_floor = true, .version = 4 };
	struct account sold = { .balance = 3, .has_floor = true, .version = 5 };

	(void)state;
	pawl__json_item(fresh(), STR("s"), &stock, &sold);
	is("{\"sku\":\"s\",\"available\":7,\"held\":2,\"sold\":3,\"version\":5}");
	stock.version = 6;
	pawl__json_item(fresh(), STR("s"), &stock, &sold);
	is("{\"sku\":\"s\",\"available\":7,\"held\":2,\"sold\":3,\"version\":6}");
}

static void test_json_answer__unknown_committed_refused(void **state)
{
	struct answer a = { .caller = STR("c"),
		            .key = STR("k"),
		            .http = 201,
		            .revision = 5,
		            .etag = 5,
		            .at_us = AT_US,
		            .location = STR("/v1/x"),
		            .body = STR("{\"a\":1}") };

	(void)state;
	pawl__json_answer(fresh(), STR("k"), NULL);
	is("{\"key\":\"k\",\"state\":\"unknown\"}");
	pawl__json_answer(fresh(), STR("k"), &a);
	is("{\"key\":\"k\",\"state\":\"committed\",\"status\":201,\"code\":\"ok\",\"revision\":5,"
	   "\"at\":\"" AT_TEXT "\",\"location\":\"/v1/x\",\"body\":{\"a\":1}}");
	a.code = PAWL_E_INSUFFICIENT;
	a.http = 409;
	a.revision = 0;
	a.location = STR_NONE;
	pawl__json_answer(fresh(), STR("k"), &a);
	is("{\"key\":\"k\",\"state\":\"refused\",\"status\":409,\"code\":\"insufficient\","
	   "\"revision\":0,\"at\":\"" AT_TEXT "\",\"body\":{\"a\":1}}");
	a = (struct answer){ .http = 204, .revision = 9, .at_us = AT_US };
	pawl__json_answer(fresh(), STR("k"), &a);
	is("{\"key\":\"k\",\"state\":\"committed\",\"status\":204,\"code\":\"ok\",\"revision\":9,"
	   "\"at\":\"" AT_TEXT "\",\"body\":null}");
}

/* What a code adds when nothing was filled in. */
static const char *extra_members(enum pawl_status st)
{
	if (st == PAWL_E_INSUFFICIENT)
		return ",\"account\":\"\",\"available\":0,\"requested\":0";
	if (st == PAWL_E_HOLD_EXPIRED || st == PAWL_E_HOLD_FINISHED)
		return ",\"hold\":\"\",\"state\":\"\"";
	if (st == PAWL_E_FENCED)
		return ",\"lock\":\"\",\"token\":0,\"current\":0";
	if (st == PAWL_E_VERSION_MISMATCH || st == PAWL_E_PRECONDITION_REQUIRED)
		return ",\"key\":\"\",\"current_version\":0";
	return "";
}

static void test_json_problem__every_code_from_the_table(void **state)
{
	static const enum pawl_status codes[] = {
#define X(name, num, code, http, exit, retry, text) PAWL_##name,
		PAWL_STATUS_MAP(X)
#undef X
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		const struct status_row *row = pawl__status_row(codes[i]);
		const struct problem p = { .code = codes[i], .op = -1 };
		char want[512], errors[256] = "";

		if (codes[i] == PAWL_OK)
			continue;
		if (codes[i] == PAWL_E_INVALID)
			(void)snprintf(errors, sizeof(errors),
			               ",\"errors\":[{\"pointer\":\"\",\"detail\":\"%s\"}]",
			               row->text);
		pawl__json_problem(fresh(), &p);
		(void)snprintf(want, sizeof(want),
		               "{\"type\":\"urn:pawl:problem:%s\",\"title\":\"%s\",\"status\":%d,"
		               "\"detail\":\"%s\",\"code\":\"%s\",\"retryable\":%s%s%s}",
		               row->code, row->text, row->http, row->text, row->code,
		               row->retry == PAWL_RETRY_NEVER ? "false" : "true",
		               extra_members(codes[i]), errors);
		is(want);
	}
}

static void problem_is(struct problem p, const char *members)
{
	const struct status_row *row = pawl__status_row(p.code);
	char want[512];

	pawl__json_problem(fresh(), &p);
	(void)snprintf(want, sizeof(want),
	               "{\"type\":\"urn:pawl:problem:%s\",\"title\":\"%s\",\"status\":%d,"
	               "\"detail\":\"why\",\"code\":\"%s\",\"retryable\":false,%s}",
	               row->code, row->text, row->http, row->code, members);
	is(want);
}

static void test_json_problem__members_by_code(void **state)
{
	const struct str why = STR("why");

	(void)state;
	problem_is((struct problem){ .code = PAWL_E_INSUFFICIENT,
	                             .detail = why,
	                             .op = 2,
	                             .name = STR("a\"1"),
	                             .a = -3,
	                             .b = 9,
	                             .request_id = STR("r") },
	           "\"request_id\":\"r\",\"op\":2,\"account\":\"a\\\"1\",\"available\":-3,"
	           "\"requested\":9");
	problem_is((struct problem){ .code = PAWL_E_INSUFFICIENT,
	                             .detail = why,
	                             .op = -1,
	                             .name = STR("a"),
	                             .unlimited = true,
	                             .b = 9 },
	           "\"account\":\"a\",\"available\":null,\"requested\":9");
	problem_is((struct problem){ .code = PAWL_E_HOLD_EXPIRED,
	                             .detail = why,
	                             .op = 0,
	                             .name = STR("h"),
	                             .state = STR("expired") },
	           "\"op\":0,\"hold\":\"h\",\"state\":\"expired\"");
	problem_is((struct problem){ .code = PAWL_E_HOLD_FINISHED,
	                             .detail = why,
	                             .op = 255,
	                             .name = STR("h"),
	                             .state = STR("released") },
	           "\"op\":255,\"hold\":\"h\",\"state\":\"released\"");
	problem_is((struct problem){ .code = PAWL_E_FENCED,
	                             .detail = why,
	                             .op = 0,
	                             .name = STR("l"),
	                             .a = 1,
	                             .b = 2 },
	           "\"op\":0,\"lock\":\"l\",\"token\":1,\"current\":2");
	problem_is((struct problem){ .code = PAWL_E_VERSION_MISMATCH,
	                             .detail = why,
	                             .op = -1,
	                             .name = STR("k"),
	                             .a = 4 },
	           "\"key\":\"k\",\"current_version\":4");
	problem_is((struct problem){ .code = PAWL_E_INVALID,
	                             .detail = why,
	                             .op = -1,
	                             .pointer = STR("/ops/0/a~1b") },
	           "\"errors\":[{\"pointer\":\"/ops/0/a~1b\",\"detail\":\"why\"}]");
}

static void test_state_names__all(void **state)
{
	(void)state;
	assert_string_equal(pawl__hold_state_name(HOLD_HELD), "held");
	assert_string_equal(pawl__hold_state_name(HOLD_CAPTURED), "captured");
	assert_string_equal(pawl__hold_state_name(HOLD_RELEASED), "released");
	assert_string_equal(pawl__hold_state_name(HOLD_EXPIRED), "expired");
	assert_string_equal(pawl__order_state_name(ORDER_HELD), "held");
	assert_string_equal(pawl__order_state_name(ORDER_CONFIRMED), "confirmed");
	assert_string_equal(pawl__order_state_name(ORDER_CANCELLED), "cancelled");
	assert_string_equal(pawl__order_state_name(ORDER_EXPIRED), "expired");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_account__with_and_without_floor),
		cmocka_unit_test(test_json_hold__each_state_as_of_now),
		cmocka_unit_test(test_json_order__each_state_as_of_now),
		cmocka_unit_test(test_json_transfer__exact),
		cmocka_unit_test(test_json_item__version_is_the_later_of_both),
		cmocka_unit_test(test_json_answer__unknown_committed_refused),
		cmocka_unit_test(test_json_problem__every_code_from_the_table),
		cmocka_unit_test(test_json_problem__members_by_code),
		cmocka_unit_test(test_state_names__all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
