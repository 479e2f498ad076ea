/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include "api/canon.h"
#include "base/arena.h"
#include "base/assert.h"
#include "pawl/limits.h"
#include "server/decode.h"

#define ID128                                                                                      \
	"iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii"                         \
	"iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii"
#define UNIT64 "uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu"
#define HOLD   "0000000000401"

static_assert(sizeof(ID128) == PAWL_ID_MAX + 1 && sizeof(UNIT64) == PAWL_UNIT_MAX + 1,
              "at the limits");

/* One decoding, and what it needs. */
struct work {
	struct arena arena;
	struct buf scratch;
	struct decoder d;
	struct op_draft one;
	struct tx tx;
};

static void work_init(struct work *w)
{
	memset(w, 0, sizeof(*w));
	pawl__arena_init(&w->arena, 4096, (size_t)64 << 20);
	pawl__buf_init(&w->scratch, DECODE_SCRATCH);
	assert_non_null(pawl__buf_reserve(&w->scratch, DECODE_SCRATCH));
}

static void work_deinit(struct work *w)
{
	pawl__buf_deinit(&w->scratch);
	pawl__arena_deinit(&w->arena);
}

/* Decode from memory of exactly the body's length, so that reading on is seen. */
static enum pawl_status decode(struct work *w, enum form_id form, struct str body)
{
	char *exact = malloc(body.len + (body.len == 0));
	enum pawl_status st;

	assert_non_null(exact);
	if (body.len > 0)
		memcpy(exact, body.ptr, body.len);
	pawl__arena_reset(&w->arena);
	w->one = (struct op_draft){ 0 };
	w->tx = (struct tx){ 0 };
	pawl__decode_init(&w->d, &w->arena, &w->scratch);
	st = pawl__decode_body(&w->d, pawl__form(form), (struct str){ exact, body.len }, &w->one,
	                       &w->tx);
	free(exact);
	return st;
}

static void canonical(const struct work *w, struct buf *b)
{
	pawl__buf_init(b, (size_t)16 << 20);
	pawl__tx_canonical(&w->tx, b);
	assert_false(b->overflow);
}

/* Accepted, and the same bytes as `other` when that is not NULL. */
static void assert_same(enum form_id form, const char *body, const char *other)
{
	struct work a, b;
	struct buf ca, cb;

	work_init(&a);
	work_init(&b);
	if (decode(&a, form, pawl__str_of(body)) != PAWL_OK)
		fail_msg("%s: %s at \"%.*s\"", body, a.d.detail, (int)a.d.pointer.len,
		         a.d.pointer.data);
	assert_int_equal(decode(&b, form, pawl__str_of(other)), PAWL_OK);
	canonical(&a, &ca);
	canonical(&b, &cb);
	if (ca.len != cb.len || memcmp(ca.data, cb.data, ca.len) != 0)
		fail_msg("not the same request: %s and %s", body, other);
	pawl__buf_deinit(&ca);
	pawl__buf_deinit(&cb);
	work_deinit(&a);
	work_deinit(&b);
}

static void assert_refused_str(enum form_id form, struct str body, const char *pointer,
                               const char *detail)
{
	struct work w;
	const int shown = body.len > 120 ? 120 : (int)body.len;

	work_init(&w);
	if (decode(&w, form, body) != PAWL_E_INVALID)
		fail_msg("accepted: %.*s", shown, body.ptr);
	if (!str_eq(buf_get(&w.d.pointer), pawl__str_of(pointer)) ||
	    strcmp(w.d.detail, detail) != 0)
		fail_msg("%.*s: \"%.*s\" %s; want \"%s\" %s", shown, body.ptr, (int)w.d.pointer.len,
		         w.d.pointer.data, w.d.detail, pointer, detail);
	work_deinit(&w);
}

struct accepted {
	enum form_id form;
	const char *body;
};

static const struct accepted accepted[] = {
	{ FORM_TX, "{\"ops\":[{\"op\":\"transfer\",\"from\":\"a\",\"to\":\"b\",\"amount\":1}]}" },
	{ FORM_TX,
	  "{\"ops\":[{\"op\":\"hold\",\"from\":\"a\",\"to\":\"b\",\"amount\":1,\"ttl_s\":1}]}" },
	{ FORM_TX, "{\"ops\":[{\"op\":\"hold\",\"from\":\"a\",\"to\":\"b\",\"amount\":"
	           "9223372036854775807,\"ttl_s\":31536000}]}" },
	{ FORM_TX, "{\"ops\":[{\"op\":\"capture\",\"hold\":\"" HOLD "\"}]}" },
	{ FORM_TX,
	  "{\"ops\":[{\"op\":\"capture\",\"hold\":\"" HOLD "\",\"amount\":2,\"final\":true}]}" },
	{ FORM_TX, "{\"ops\":[{\"op\":\"release\",\"hold\":\"" HOLD "\"}]}" },
	{ FORM_TX, "{\"ops\":[{\"op\":\"put\",\"key\":\"k\",\"value\":null}]}" },
	{ FORM_TX, "{\"ops\":[{\"op\":\"put\",\"key\":\"k\",\"value\":[1],\"if_version\":0}]}" },
	{ FORM_TX, "{\"ops\":[{\"op\":\"delete\",\"key\":\"k\",\"if_version\":1}]}" },
	{ FORM_TX, "{\"ops\":[{\"op\":\"delete\",\"key\":\"k\"}]}" },
	{ FORM_TX, "{\"ops\":[{\"op\":\"check\",\"key\":\"k\",\"version\":0}]}" },
	{ FORM_TX, "{\"ops\":[{\"op\":\"check\",\"account\":\"a\",\"available_min\":"
	           "-9223372036854775808}]}" },
	{ FORM_TX, "{\"ops\":[{\"op\":\"emit\",\"topic\":\"t\",\"body\":{}}]}" },
	{ FORM_TX, "{\"ops\":[{\"op\":\"emit\",\"topic\":\"t\",\"key\":\"k\",\"body\":false}]}" },
	{ FORM_TX, "{\"ops\":[{\"op\":\"enqueue\",\"queue\":\"q\",\"body\":0,\"delay_s\":0}]}" },
	{ FORM_TX,
	  "{\"ops\":[{\"op\":\"enqueue\",\"queue\":\"q\",\"body\":\"\",\"delay_s\":31536000}]}" },
	{ FORM_TX, "{\"ops\":[{\"op\":\"fence\",\"lock\":\"l\",\"token\":1}]}" },
	{ FORM_ACCOUNT, "{\"unit\":\"EUR\"}" },
	{ FORM_ACCOUNT, "{\"unit\":\"" UNIT64 "\",\"floor\":-9223372036854775808}" },
	{ FORM_ACCOUNT, "{\"unit\":\"EUR\",\"floor\":null}" },
	{ FORM_TRANSFER, "{\"from\":\"" ID128 "\",\"to\":\"b\",\"amount\":9223372036854775807}" },
	{ FORM_HOLD, "{\"from\":\"a\",\"to\":\"b\",\"amount\":1,\"ttl_s\":31536000}" },
	{ FORM_CAPTURE, "" },
	{ FORM_CAPTURE, "{}" },
	{ FORM_CAPTURE, "{\"amount\":1,\"final\":false}" },
	{ FORM_RELEASE, "" },
	{ FORM_RELEASE, "{}" },
	{ FORM_ITEM, "{\"stock\":0}" },
	{ FORM_ITEM, "{\"stock\":9223372036854775807}" },
	{ FORM_RESTOCK, "{\"quantity\":1}" },
	{ FORM_ORDER, "{\"lines\":[{\"sku\":\"a\",\"quantity\":1}]}" },
	{ FORM_ORDER, "{\"lines\":[{\"sku\":\"a\",\"quantity\":1},{\"sku\":\"a\",\"quantity\":2}],"
	              "\"customer\":\"\",\"hold_s\":31536000,"
	              "\"pay\":{\"from\":\"a\",\"to\":\"b\",\"amount\":1}}" },
	{ FORM_CONFIRM, "" },
	{ FORM_CANCEL, "{}" },
	{ FORM_RECORD_PUT, "null" },
	{ FORM_RECORD_PUT, " \"\\u00e9\" " },
	{ FORM_RECORD_DELETE, "" },
	{ FORM_RECORD_DELETE, "what is in it is not looked at" },
};

static void test_decode_body__valid_bodies_are_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(accepted); i++)
		assert_same(accepted[i].form, accepted[i].body, accepted[i].body);
}

static void test_decode_body__every_form_has_a_valid_body(void **state)
{
	bool seen[FORMS] = { false };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(accepted); i++)
		seen[accepted[i].form] = true;
	for (size_t i = 0; i < FORMS; i++)
		assert_true(seen[i]);
}

static void test_decode_body__one_meaning_is_one_request(void **state)
{
	static const struct {
		enum form_id form;
		const char *a, *b;
	} rows[] = {
		{ FORM_TRANSFER, "{\"from\":\"a\",\"to\":\"b\",\"amount\":7}",
		  " {\"amount\" : \"7\",\r\n\t\"to\":\"\\u0062\", \"from\":\"a\"}\n" },
		{ FORM_ACCOUNT, "{\"unit\":\"EUR\"}", "{\"unit\":\"EUR\",\"floor\":0}" },
		{ FORM_ACCOUNT, "{\"unit\":\"EUR\",\"floor\":\"-5\"}",
		  "{\"floor\":-5,\"unit\":\"EUR\"}" },
		{ FORM_CAPTURE, "", "{\"final\":false}" },
		{ FORM_RECORD_PUT, "{\"b\":[1,2.50,\"\\u0041\"],\"a\":{}}",
		  "{\"a\" : { } , \"b\":[ 1 , 2.5, \"A\"] }" },
		{ FORM_TX, "{\"ops\":[{\"op\":\"put\",\"key\":\"k\",\"value\":{\"z\":1,\"y\":2}}]}",
		  "{\"ops\":[{\"value\":{\"y\":2,\"z\":1},\"key\":\"k\",\"op\":\"put\"}]}" },
		{ FORM_ORDER,
		  "{\"lines\":[{\"sku\":\"s\",\"quantity\":1}],\"customer\":\"\\u00e9\"}",
		  "{\"customer\":\"\xc3\xa9\",\"lines\":[{\"quantity\":\"1\",\"sku\":\"s\"}]}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_same(rows[i].form, rows[i].a, rows[i].b);
}

static void test_decode_body__two_meanings_are_two_requests(void **state)
{
	static const struct {
		enum form_id form;
		const char *a, *b;
	} rows[] = {
		{ FORM_ACCOUNT, "{\"unit\":\"EUR\"}", "{\"unit\":\"EUR\",\"floor\":null}" },
		{ FORM_CAPTURE, "{}", "{\"amount\":1}" },
		{ FORM_RECORD_PUT, "1", "1.0" },
		{ FORM_RECORD_PUT, "[1,2]", "[2,1]" },
		{ FORM_TX, "{\"ops\":[{\"op\":\"delete\",\"key\":\"k\"}]}",
		  "{\"ops\":[{\"op\":\"delete\",\"key\":\"k\",\"if_version\":1}]}" },
		{ FORM_ORDER, "{\"lines\":[{\"sku\":\"s\",\"quantity\":1}]}",
		  "{\"lines\":[{\"sku\":\"s\",\"quantity\":1}],\"customer\":\"\"}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct work a, b;
		struct buf ca, cb;

		work_init(&a);
		work_init(&b);
		assert_int_equal(decode(&a, rows[i].form, pawl__str_of(rows[i].a)), PAWL_OK);
		assert_int_equal(decode(&b, rows[i].form, pawl__str_of(rows[i].b)), PAWL_OK);
		canonical(&a, &ca);
		canonical(&b, &cb);
		assert_false(str_eq(buf_get(&ca), buf_get(&cb)));
		pawl__buf_deinit(&ca);
		pawl__buf_deinit(&cb);
		work_deinit(&a);
		work_deinit(&b);
	}
}

/* what lands where */

static void test_decode_body__each_operation_fills_its_members(void **state)
{
	struct work w;
	const struct op *op;

	(void)state;
	work_init(&w);
	assert_int_equal(
		decode(&w, FORM_TX,
	               STR("{\"ops\":["
	                   "{\"op\":\"hold\",\"from\":\"a\",\"to\":\"b\",\"amount\":3,\"ttl_s\":2},"
	                   "{\"op\":\"capture\",\"hold\":\"" HOLD "\",\"amount\":4,\"final\":true},"
	                   "{\"op\":\"put\",\"key\":\"k\",\"value\":{\"b\":1,\"a\":2}},"
	                   "{\"op\":\"check\",\"account\":\"acc\",\"available_min\":5},"
	                   "{\"op\":\"check\",\"key\":\"k2\",\"version\":6},"
	                   "{\"op\":\"emit\",\"topic\":\"t\",\"key\":\"ek\",\"body\":[ ]},"
	                   "{\"op\":\"enqueue\",\"queue\":\"q\",\"body\":1,\"delay_s\":7},"
	                   "{\"op\":\"fence\",\"lock\":\"l\",\"token\":8}]}")),
		PAWL_OK);
	assert_int_equal(w.tx.ops_len, 8);
	assert_int_equal(w.tx.form, TX_FORM_TX);
	op = w.tx.ops;
	assert_int_equal(op[0].kind, OP_HOLD);
	assert_str(op[0].u.move.from, "a");
	assert_str(op[0].u.move.to, "b");
	assert_int_equal(op[0].u.move.amount, 3);
	assert_int_equal(op[0].u.move.ttl_us, 2000000);
	assert_int_equal(op[1].kind, OP_CAPTURE);
	assert_int_equal(op[1].u.hold.number, 4 * 32 * 32 + 1);
	assert_int_equal(op[1].u.hold.amount, 4);
	assert_true(op[1].u.hold.final);
	assert_int_equal(op[2].kind, OP_PUT);
	assert_str(op[2].u.record.value, "{\"a\":2,\"b\":1}");
	assert_int_equal(op[2].u.record.if_version, TX_VERSION_ANY);
	assert_true(op[3].is_account);
	assert_str(op[3].u.account.id, "acc");
	assert_int_equal(op[3].u.account.available_min, 5);
	assert_false(op[4].is_account);
	assert_int_equal(op[4].u.record.if_version, 6);
	assert_str(op[5].u.emit.topic, "t");
	assert_str(op[5].u.emit.key, "ek");
	assert_str(op[5].u.emit.body, "[]");
	assert_int_equal(op[6].u.enqueue.delay_us, 7000000);
	assert_str(op[7].u.fence.name, "l");
	assert_int_equal(op[7].u.fence.token, 8);
	work_deinit(&w);
}

static void test_decode_body__an_order_keeps_its_body(void **state)
{
	struct work w;

	(void)state;
	work_init(&w);
	assert_int_equal(
		decode(&w, FORM_ORDER,
	               STR("{\"pay\":{\"amount\":9,\"from\":\"f\",\"to\":\"t\"},\"hold_s\":3,"
	                   "\"customer\":\"\\\"\\u00e9\",\"lines\":[{\"sku\":\"a\\\"b\","
	                   "\"quantity\":\"2\"}]}")),
		PAWL_OK);
	assert_str(w.one.op.u.order.body,
	           "\"lines\":[{\"sku\":\"a\\\"b\",\"quantity\":2}],\"customer\":\"\\\"\xc3\xa9\","
	           "\"pay\":{\"from\":\"f\",\"to\":\"t\",\"amount\":9}");
	assert_int_equal(w.one.op.u.order.hold_us, 3000000);
	assert_true(w.one.op.u.order.has_pay);
	assert_int_equal(w.one.op.u.order.lines_len, 1);
	assert_int_equal(w.one.op.u.order.lines[0].quantity, 2);
	work_deinit(&w);
}

static void test_decode_body__an_account_has_a_floor_unless_null(void **state)
{
	struct work w;

	(void)state;
	work_init(&w);
	assert_int_equal(decode(&w, FORM_ACCOUNT, STR("{\"unit\":\"EUR\"}")), PAWL_OK);
	assert_true(w.one.op.u.account.has_floor);
	assert_int_equal(w.one.op.u.account.floor, 0);
	assert_int_equal(decode(&w, FORM_ACCOUNT, STR("{\"unit\":\"EUR\",\"floor\":-7}")), PAWL_OK);
	assert_true(w.one.op.u.account.has_floor);
	assert_int_equal(w.one.op.u.account.floor, -7);
	assert_int_equal(decode(&w, FORM_ACCOUNT, STR("{\"unit\":\"EUR\",\"floor\":null}")),
	                 PAWL_OK);
	assert_false(w.one.op.u.account.has_floor);
	assert_int_equal(w.one.op.u.account.floor, 0);
	work_deinit(&w);
}

static void test_decode_body__values_are_canonical_as_in_the_library(void **state)
{
	static const char *const rows[] = {
		"null",
		"{\"b\":{\"y\":1,\"x\":[true,false,null]},\"a\":\"\\u0001\\n\\\"\\u20ac\"}",
		"[1, -0, 9223372036854775807, -9223372036854775808, 1.5, 1e300, 0.1]",
		"\"\xf0\x9f\x98\x80\"",
		"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
	};
	struct work w;

	(void)state;
	work_init(&w);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b;

		pawl__buf_init(&b, 1 << 20);
		assert_int_equal(pawl__canon_json(pawl__str_of(rows[i]), PAWL_VALUE_MAX, &b, NULL),
		                 PAWL_OK);
		assert_int_equal(decode(&w, FORM_RECORD_PUT, pawl__str_of(rows[i])), PAWL_OK);
		assert_true(str_eq(w.one.op.u.record.value, buf_get(&b)));
		pawl__buf_deinit(&b);
	}
	work_deinit(&w);
}

static void test_decode_body__preconditions_set_before_are_kept(void **state)
{
	struct work w;

	(void)state;
	work_init(&w);
	pawl__decode_init(&w.d, &w.arena, &w.scratch);
	w.one.op.u.record.if_version = 42;
	w.one.op.u.record.key = STR("k");
	assert_int_equal(
		pawl__decode_body(&w.d, pawl__form(FORM_RECORD_PUT), STR("1"), &w.one, &w.tx),
		PAWL_OK);
	assert_int_equal(w.one.op.u.record.if_version, 42);
	assert_str(w.one.op.u.record.key, "k");
	work_deinit(&w);
}

/* refusals */

struct refused {
	enum form_id form;
	const char *body, *pointer, *detail;
};

#define REQUIRED "is required"
#define UNKNOWN  "is not a member that is known here"
#define INTEGER  "must be an integer"
#define DIGITS   "must be an integer of 64 bits in decimal digits"
#define STRING   "must be a string"
#define VISIBLE  "must be visible ASCII without '/', not empty"
#define LONG     "is too long"
#define NOT_JSON "the body is not JSON"
#define RANGE    "a number is out of range"
#define CUT      "the JSON value is cut off"
#define OPS                                                                                        \
	"must name an operation: transfer, hold, capture, release, put, delete, check, emit, "     \
	"enqueue or fence"
#define OP1(members) "{\"ops\":[{\"op\":\"transfer\"," members "}]}"

static const struct refused refused[] = {
	/* not JSON, or not one value of it */
	{ FORM_TRANSFER, "", "", "a body is required" },
	{ FORM_RECORD_PUT, "", "", CUT },
	{ FORM_TRANSFER, " ", "", CUT },
	{ FORM_TRANSFER, "{", "", CUT },
	{ FORM_TRANSFER, "{\"from\":\"a", "", CUT },
	{ FORM_TRANSFER, "{\"from\":\"a\"", "", CUT },
	{ FORM_TRANSFER, "{} {}", "", "there is more than one JSON value" },
	{ FORM_TRANSFER, "{}x", "", "there is more than one JSON value" },
	{ FORM_TRANSFER, "{'from':'a'}", "", NOT_JSON },
	{ FORM_TRANSFER, "{\"from\":\"a\",}", "", NOT_JSON },
	{ FORM_TRANSFER, "{from:\"a\"}", "", NOT_JSON },
	{ FORM_TRANSFER, "// comment\n{}", "", NOT_JSON },
	{ FORM_RECORD_PUT, "NaN", "", NOT_JSON },
	{ FORM_RECORD_PUT, "Infinity", "", NOT_JSON },
	{ FORM_RECORD_PUT, "01", "", NOT_JSON },
	{ FORM_RECORD_PUT, "+1", "", NOT_JSON },
	{ FORM_RECORD_PUT, ".5", "", NOT_JSON },
	{ FORM_RECORD_PUT, "1.", "", NOT_JSON },
	{ FORM_RECORD_PUT, "0x10", "", "there is more than one JSON value" },
	{ FORM_RECORD_PUT, "\"\t\"", "", NOT_JSON },
	{ FORM_RECORD_PUT, "\"\\x\"", "", NOT_JSON },
	{ FORM_RECORD_PUT, "\"\\ud800\"", "", NOT_JSON }, /* lone surrogates */
	{ FORM_RECORD_PUT, "\"\\udc00\"", "", NOT_JSON },
	{ FORM_RECORD_PUT, "\"\\ud800\\u0041\"", "", NOT_JSON },
	{ FORM_RECORD_PUT, "\"\\u0000\"", "", "a string holds the character U+0000" },
	{ FORM_RECORD_PUT, "{\"\\u0000\":1}", "", "a member's name holds the character U+0000" },
	{ FORM_RECORD_PUT, "\"\xff\"", "", "the body is not UTF-8" },
	{ FORM_RECORD_PUT, "\"\xc0\xaf\"", "", "the body is not UTF-8" },
	{ FORM_RECORD_PUT, "\"\xed\xa0\x80\"", "", "the body is not UTF-8" },
	{ FORM_RECORD_PUT, "\xef\xbb\xbf{}", "", NOT_JSON }, /* a byte order mark */
	{ FORM_RECORD_PUT, "9223372036854775808", "", RANGE },
	{ FORM_RECORD_PUT, "-9223372036854775809", "", RANGE },
	{ FORM_RECORD_PUT, "1e400", "", RANGE },
	{ FORM_RECORD_PUT, "{\"a\":1,\"a\":1}", "", "a member is given twice" },
	{ FORM_TRANSFER, "{\"from\":\"a\",\"from\":\"b\"}", "", "a member is given twice" },
	{ FORM_TRANSFER, "{\"from\":\"a\",\"\\u0066rom\":\"b\"}", "", "a member is given twice" },
	/* not an object */
	{ FORM_TRANSFER, "null", "", "must be an object" },
	{ FORM_TRANSFER, "[]", "", "must be an object" },
	{ FORM_RELEASE, "0", "", "must be an object" },
	/* members */
	{ FORM_TRANSFER, "{}", "/from", REQUIRED },
	{ FORM_TRANSFER, "{\"from\":\"a\",\"amount\":1}", "/to", REQUIRED },
	{ FORM_TRANSFER, "{\"from\":\"a\",\"to\":\"b\"}", "/amount", REQUIRED },
	{ FORM_HOLD, "{\"from\":\"a\",\"to\":\"b\",\"amount\":1}", "/ttl_s", REQUIRED },
	{ FORM_ACCOUNT, "{}", "/unit", REQUIRED },
	{ FORM_ITEM, "{}", "/stock", REQUIRED },
	{ FORM_RESTOCK, "{}", "/quantity", REQUIRED },
	{ FORM_ORDER, "{}", "/lines", REQUIRED },
	{ FORM_TX, "{}", "/ops", REQUIRED },
	{ FORM_TRANSFER, "{\"op\":\"transfer\"}", "/op", UNKNOWN },
	{ FORM_RELEASE, "{\"a/b~c\":1}", "/a~1b~0c", UNKNOWN },
	{ FORM_RELEASE, "{\"\":1}", "/", UNKNOWN },
	{ FORM_RELEASE, "{\"" ID128 "x\":1}", "", UNKNOWN },
	{ FORM_CONFIRM, "{\"x\":1}", "/x", UNKNOWN },
	{ FORM_CANCEL, "{\"x\":1}", "/x", UNKNOWN },
	{ FORM_CAPTURE, "{\"hold\":\"x\"}", "/hold", UNKNOWN },
	{ FORM_ACCOUNT, "{\"unit\":\"EUR\",\"Floor\":1}", "/Floor", UNKNOWN },
	/* integers */
	{ FORM_RESTOCK, "{\"quantity\":1.0}", "/quantity", INTEGER },
	{ FORM_RESTOCK, "{\"quantity\":1e2}", "/quantity", INTEGER },
	{ FORM_RESTOCK, "{\"quantity\":true}", "/quantity", INTEGER },
	{ FORM_RESTOCK, "{\"quantity\":null}", "/quantity", INTEGER },
	{ FORM_RESTOCK, "{\"quantity\":[1]}", "/quantity", INTEGER },
	{ FORM_RESTOCK, "{\"quantity\":{}}", "/quantity", INTEGER },
	{ FORM_RESTOCK, "{\"quantity\":\"\"}", "/quantity", DIGITS },
	{ FORM_RESTOCK, "{\"quantity\":\"1.0\"}", "/quantity", DIGITS },
	{ FORM_RESTOCK, "{\"quantity\":\" 1\"}", "/quantity", DIGITS },
	{ FORM_RESTOCK, "{\"quantity\":\"+1\"}", "/quantity", DIGITS },
	{ FORM_RESTOCK, "{\"quantity\":\"01\"}", "/quantity", DIGITS },
	{ FORM_RESTOCK, "{\"quantity\":\"0x1\"}", "/quantity", DIGITS },
	{ FORM_RESTOCK, "{\"quantity\":\"9223372036854775808\"}", "/quantity", DIGITS },
	{ FORM_RESTOCK, "{\"quantity\":9223372036854775808}", "", RANGE },
	{ FORM_RESTOCK, "{\"quantity\":0}", "/quantity", "must be at least 1" },
	{ FORM_RESTOCK, "{\"quantity\":-1}", "/quantity", "must be at least 1" },
	{ FORM_RESTOCK, "{\"quantity\":\"-1\"}", "/quantity", "must be at least 1" },
	{ FORM_ITEM, "{\"stock\":-1}", "/stock", "must not be negative" },
	{ FORM_TRANSFER, "{\"from\":\"a\",\"to\":\"b\",\"amount\":0}", "/amount",
	  "must be at least 1" },
	{ FORM_HOLD, "{\"from\":\"a\",\"to\":\"b\",\"amount\":1,\"ttl_s\":0}", "/ttl_s",
	  "must be at least 1" },
	{ FORM_HOLD, "{\"from\":\"a\",\"to\":\"b\",\"amount\":1,\"ttl_s\":31536001}", "/ttl_s",
	  "is over the limit" },
	{ FORM_CAPTURE, "{\"amount\":0}", "/amount", "must be at least 1" },
	{ FORM_CAPTURE, "{\"final\":1}", "/final", "must be true or false" },
	{ FORM_CAPTURE, "{\"final\":null}", "/final", "must be true or false" },
	{ FORM_ACCOUNT, "{\"unit\":\"EUR\",\"floor\":0.5}", "/floor", INTEGER },
	{ FORM_ACCOUNT, "{\"unit\":\"EUR\",\"floor\":false}", "/floor", INTEGER },
	/* ids */
	{ FORM_TRANSFER, "{\"from\":1}", "/from", STRING },
	{ FORM_TRANSFER, "{\"from\":\"\"}", "/from", VISIBLE },
	{ FORM_TRANSFER, "{\"from\":\"a b\"}", "/from", VISIBLE },
	{ FORM_TRANSFER, "{\"from\":\"a/b\"}", "/from", VISIBLE },
	{ FORM_TRANSFER, "{\"from\":\"\xc3\xa9\"}", "/from", VISIBLE },
	{ FORM_TRANSFER, "{\"from\":\"a\\u007f\"}", "/from", VISIBLE },
	{ FORM_TRANSFER, "{\"from\":\"" ID128 "x\"}", "/from", LONG },
	{ FORM_ACCOUNT, "{\"unit\":\"" UNIT64 "x\"}", "/unit", LONG },
	{ FORM_ACCOUNT, "{\"unit\":\"\"}", "/unit", VISIBLE },
	/* transactions */
	{ FORM_TX, "{\"ops\":[]}", "/ops", "must not be empty" },
	{ FORM_TX, "{\"ops\":{}}", "/ops", "must be an array" },
	{ FORM_TX, "{\"ops\":[1]}", "/ops/0", "must be an object" },
	{ FORM_TX, "{\"ops\":[{}]}", "/ops/0/op", OPS },
	{ FORM_TX, "{\"ops\":[{\"op\":\"order\"}]}", "/ops/0/op", OPS },
	{ FORM_TX, "{\"ops\":[{\"op\":\"Transfer\"}]}", "/ops/0/op", OPS },
	{ FORM_TX, "{\"ops\":[{\"op\":1}]}", "/ops/0/op", OPS },
	{ FORM_TX, "{\"ops\":[{\"op\":\"touch\"}]}", "/ops/0/op", OPS },
	{ FORM_TX, "{\"ops\":[],\"x\":1}", "/ops", "must not be empty" },
	{ FORM_TX, "{\"x\":1,\"ops\":[]}", "/x", UNKNOWN },
	{ FORM_TX, OP1("\"from\":\"a\",\"to\":\"b\",\"amount\":1,\"ttl_s\":1"), "/ops/0/ttl_s",
	  UNKNOWN },
	{ FORM_TX, OP1("\"from\":\"a\",\"to\":\"b\",\"amount\":1.5"), "/ops/0/amount", INTEGER },
	{ FORM_TX, "{\"ops\":[{\"op\":\"release\",\"hold\":\"" HOLD "\"},{\"op\":\"release\"}]}",
	  "/ops/1/hold", REQUIRED },
	{ FORM_TX, "{\"ops\":[{\"op\":\"release\",\"hold\":\"x\"}]}", "/ops/0/hold",
	  "must be the id of a hold" },
	{ FORM_TX, "{\"ops\":[{\"op\":\"release\",\"hold\":\"0000000000000\"}]}", "/ops/0/hold",
	  "must be the id of a hold" },
	{ FORM_TX, "{\"ops\":[{\"op\":\"capture\",\"hold\":\"" HOLD "\",\"amount\":0}]}",
	  "/ops/0/amount", "must be at least 1" },
	{ FORM_TX, "{\"ops\":[{\"op\":\"put\",\"key\":\"k\"}]}", "/ops/0/value", REQUIRED },
	{ FORM_TX, "{\"ops\":[{\"op\":\"put\",\"key\":\"k\",\"value\":1,\"if_version\":-1}]}",
	  "/ops/0/if_version", "must not be negative" },
	{ FORM_TX, "{\"ops\":[{\"op\":\"delete\",\"key\":\"k\",\"if_version\":0}]}",
	  "/ops/0/if_version", "must be at least 1" },
	{ FORM_TX, "{\"ops\":[{\"op\":\"check\",\"key\":\"k\"}]}", "/ops/0/version", REQUIRED },
	{ FORM_TX, "{\"ops\":[{\"op\":\"check\"}]}", "/ops/0/key", REQUIRED },
	{ FORM_TX, "{\"ops\":[{\"op\":\"check\",\"account\":\"a\"}]}", "/ops/0/available_min",
	  REQUIRED },
	{ FORM_TX, "{\"ops\":[{\"op\":\"check\",\"account\":\"a\",\"key\":\"k\",\"version\":1}]}",
	  "/ops/0/key", UNKNOWN },
	{ FORM_TX, "{\"ops\":[{\"op\":\"emit\",\"topic\":\"t\"}]}", "/ops/0/body", REQUIRED },
	{ FORM_TX, "{\"ops\":[{\"op\":\"emit\",\"topic\":\"t\",\"key\":\"\",\"body\":1}]}",
	  "/ops/0/key", VISIBLE },
	{ FORM_TX,
	  "{\"ops\":[{\"op\":\"enqueue\",\"queue\":\"q\",\"body\":1,\"delay_s\":31536001}]}",
	  "/ops/0/delay_s", "is over the limit" },
	{ FORM_TX, "{\"ops\":[{\"op\":\"enqueue\",\"queue\":\"q\",\"body\":1,\"delay_s\":-1}]}",
	  "/ops/0/delay_s", "must not be negative" },
	{ FORM_TX, "{\"ops\":[{\"op\":\"fence\",\"lock\":\"l\",\"token\":0}]}", "/ops/0/token",
	  "must be at least 1" },
	/* orders */
	{ FORM_ORDER, "{\"lines\":[]}", "/lines", "must not be empty" },
	{ FORM_ORDER, "{\"lines\":{}}", "/lines", "must be an array" },
	{ FORM_ORDER, "{\"lines\":[[]]}", "/lines/0", "must be an object" },
	{ FORM_ORDER, "{\"lines\":[{\"sku\":\"a\"}]}", "/lines/0/quantity", REQUIRED },
	{ FORM_ORDER, "{\"lines\":[{\"sku\":\"a\",\"quantity\":1},{\"sku\":\"b\",\"quantity\":0}]}",
	  "/lines/1/quantity", "must be at least 1" },
	{ FORM_ORDER, "{\"lines\":[{\"sku\":\"a\",\"quantity\":1,\"price\":1}]}", "/lines/0/price",
	  UNKNOWN },
	{ FORM_ORDER, "{\"lines\":[{\"sku\":\"a\",\"quantity\":1}],\"customer\":7}", "/customer",
	  STRING },
	{ FORM_ORDER, "{\"lines\":[{\"sku\":\"a\",\"quantity\":1}],\"customer\":null}", "/customer",
	  STRING },
	{ FORM_ORDER, "{\"lines\":[{\"sku\":\"a\",\"quantity\":1}],\"customer\":\"" ID128 "x\"}",
	  "/customer", LONG },
	{ FORM_ORDER, "{\"lines\":[{\"sku\":\"a\",\"quantity\":1}],\"hold_s\":0}", "/hold_s",
	  "must be at least 1" },
	{ FORM_ORDER, "{\"lines\":[{\"sku\":\"a\",\"quantity\":1}],\"hold_s\":31536001}", "/hold_s",
	  "is over the limit" },
	{ FORM_ORDER, "{\"lines\":[{\"sku\":\"a\",\"quantity\":1}],\"pay\":null}", "/pay",
	  "must be an object" },
	{ FORM_ORDER, "{\"lines\":[{\"sku\":\"a\",\"quantity\":1}],\"pay\":{}}", "/pay/from",
	  REQUIRED },
	{ FORM_ORDER,
	  "{\"lines\":[{\"sku\":\"a\",\"quantity\":1}],"
	  "\"pay\":{\"from\":\"a\",\"to\":\"b\",\"amount\":-5}}",
	  "/pay/amount", "must be at least 1" },
};

static void test_decode_body__invalid_bodies_are_refused_where_they_are_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		assert_refused_str(refused[i].form, pawl__str_of(refused[i].body),
		                   refused[i].pointer, refused[i].detail);
	assert_refused_str(FORM_RECORD_PUT, STR("1\0"), "", NOT_JSON);
	assert_refused_str(FORM_RECORD_PUT, STR("[1\0,2]"), "", NOT_JSON);
	assert_refused_str(FORM_RECORD_PUT, STR("\"a\0b\""), "", NOT_JSON);
}

/* n times `piece`, with commas, between head and foot. Owned by the caller. */
static char *repeat(const char *head, const char *piece, size_t n, const char *foot)
{
	const size_t size = strlen(head) + n * (strlen(piece) + 1) + strlen(foot) + 1;
	char *mem = malloc(size);
	struct buf b;

	assert_non_null(mem);
	pawl__buf_init_fixed(&b, mem, size);
	buf_str(&b, pawl__str_of(head));
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			pawl__buf_putc(&b, ',');
		buf_str(&b, pawl__str_of(piece));
	}
	buf_str(&b, pawl__str_of(foot));
	pawl__buf_putc(&b, '\0');
	assert_false(b.overflow);
	return mem;
}

static void assert_limit(enum form_id form, char *take_at, char *take_over, const char *pointer,
                         const char *detail)
{
	struct work w;

	work_init(&w);
	if (decode(&w, form, pawl__str_of(take_at)) != PAWL_OK)
		fail_msg("refused at the limit: %s", w.d.detail);
	work_deinit(&w);
	assert_refused_str(form, pawl__str_of(take_over), pointer, detail);
	free(take_at);
	free(take_over);
}

static void test_decode_body__operations_up_to_the_limit(void **state)
{
	const char *op = "{\"op\":\"release\",\"hold\":\"" HOLD "\"}";

	(void)state;
	assert_limit(FORM_TX, repeat("{\"ops\":[", op, PAWL_OPS_MAX, "]}"),
	             repeat("{\"ops\":[", op, PAWL_OPS_MAX + 1, "]}"), "/ops",
	             "has too many elements");
}

static void test_decode_body__lines_up_to_the_limit(void **state)
{
	const char *line = "{\"sku\":\"" ID128 "\",\"quantity\":9223372036854775807}";

	(void)state;
	assert_limit(FORM_ORDER, repeat("{\"lines\":[", line, PAWL_LINES_MAX, "]}"),
	             repeat("{\"lines\":[", line, PAWL_LINES_MAX + 1, "]}"), "/lines",
	             "has too many elements");
}

/* A JSON string of n bytes with its quotes, between head and foot. */
static char *text_of(const char *head, size_t n, const char *foot)
{
	const size_t size = strlen(head) + n + strlen(foot) + 1;
	char *mem = malloc(size);
	struct buf b;

	assert_non_null(mem);
	pawl__buf_init_fixed(&b, mem, size);
	buf_str(&b, pawl__str_of(head));
	pawl__buf_putc(&b, '"');
	memset(pawl__buf_reserve(&b, n - 2), 'v', n - 2);
	b.len += n - 2;
	pawl__buf_putc(&b, '"');
	buf_str(&b, pawl__str_of(foot));
	pawl__buf_putc(&b, '\0');
	assert_false(b.overflow);
	return mem;
}

static void test_decode_body__values_up_to_the_limit(void **state)
{
	const char *put = "{\"ops\":[{\"op\":\"put\",\"key\":\"k\",\"value\":";
	const char *emit = "{\"ops\":[{\"op\":\"emit\",\"topic\":\"t\",\"body\":";
	const char *job = "{\"ops\":[{\"op\":\"enqueue\",\"queue\":\"q\",\"body\":";

	(void)state;
	assert_limit(FORM_RECORD_PUT, text_of("", PAWL_VALUE_MAX, ""),
	             text_of("", PAWL_VALUE_MAX + 1, ""), "", LONG);
	assert_limit(FORM_TX, text_of(put, PAWL_VALUE_MAX, "}]}"),
	             text_of(put, PAWL_VALUE_MAX + 1, "}]}"), "/ops/0/value", LONG);
	assert_limit(FORM_TX, text_of(emit, PAWL_EVENT_MAX, "}]}"),
	             text_of(emit, PAWL_EVENT_MAX + 1, "}]}"), "/ops/0/body", LONG);
	assert_limit(FORM_TX, text_of(job, PAWL_EVENT_MAX, "}]}"),
	             text_of(job, PAWL_EVENT_MAX + 1, "}]}"), "/ops/0/body", LONG);
}

static void test_decode_body__values_are_measured_as_they_are_stored(void **state)
{
	/* 17 digits each where the request has three bytes. */
	char *tenths = repeat("[", "0.3", PAWL_VALUE_MAX / 4, "]");
	struct work w;
	char *spaced = malloc(PAWL_BODY_MAX);

	(void)state;
	assert_non_null(spaced);
	memset(spaced, ' ', PAWL_BODY_MAX);
	spaced[PAWL_BODY_MAX - 1] = '1';
	work_init(&w);
	assert_int_equal(decode(&w, FORM_RECORD_PUT, (struct str){ spaced, PAWL_BODY_MAX }),
	                 PAWL_OK);
	assert_str(w.one.op.u.record.value, "1");
	work_deinit(&w);
	assert_refused_str(FORM_RECORD_PUT, pawl__str_of(tenths), "", LONG);
	free(spaced);
	free(tenths);
}

static void test_decode_body__customer_up_to_the_limit_in_bytes(void **state)
{
	const char *head = "{\"lines\":[{\"sku\":\"a\",\"quantity\":1}],\"customer\":";

	(void)state;
	assert_limit(FORM_ORDER, text_of(head, PAWL_CUSTOMER_MAX + 2, "}"),
	             text_of(head, PAWL_CUSTOMER_MAX + 3, "}"), "/customer", LONG);
}

static void assert_depth(enum form_id form, size_t depth, bool ok)
{
	char text[256];
	struct buf b;
	struct work w;

	pawl__buf_init_fixed(&b, text, sizeof(text));
	for (size_t i = 0; i < depth; i++)
		pawl__buf_putc(&b, '[');
	for (size_t i = 0; i < depth; i++)
		pawl__buf_putc(&b, ']');
	work_init(&w);
	assert_int_equal(decode(&w, form, buf_get(&b)), ok ? PAWL_OK : PAWL_E_INVALID);
	if (!ok)
		assert_string_equal(w.d.detail, "the JSON value nests too deep");
	work_deinit(&w);
}

static void test_decode_body__nesting_up_to_the_limit(void **state)
{
	char brackets[4098];
	struct work w;

	(void)state;
	assert_depth(FORM_RECORD_PUT, PAWL_JSON_DEPTH_MAX, true);
	assert_depth(FORM_RECORD_PUT, PAWL_JSON_DEPTH_MAX + 1, false);
	/* In a string they nest nothing. */
	memset(brackets, '[', sizeof(brackets));
	brackets[0] = '"';
	brackets[sizeof(brackets) - 1] = '"';
	work_init(&w);
	assert_int_equal(decode(&w, FORM_RECORD_PUT, (struct str){ brackets, sizeof(brackets) }),
	                 PAWL_OK);
	work_deinit(&w);
	brackets[1] = '"';
	brackets[sizeof(brackets) - 1] = '[';
	assert_refused_str(FORM_RECORD_PUT, (struct str){ brackets, sizeof(brackets) }, "",
	                   "the JSON value nests too deep");
}

static void test_decode_body__without_memory_nothing_is_decoded(void **state)
{
	struct work w;

	(void)state;
	work_init(&w);
	pawl__arena_deinit(&w.arena);
	pawl__arena_init(&w.arena, 64, 64);
	pawl__decode_init(&w.d, &w.arena, &w.scratch);
	assert_int_equal(pawl__decode_body(
				 &w.d, pawl__form(FORM_ORDER),
				 STR("{\"lines\":[{\"sku\":\"a\",\"quantity\":1},"
	                             "{\"sku\":\"b\",\"quantity\":1}],\"customer\":\"" ID128 "\"}"),
				 &w.one, &w.tx),
	                 PAWL_E_NOMEM);
	work_deinit(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode_body__valid_bodies_are_accepted),
		cmocka_unit_test(test_decode_body__every_form_has_a_valid_body),
		cmocka_unit_test(test_decode_body__one_meaning_is_one_request),
		cmocka_unit_test(test_decode_body__two_meanings_are_two_requests),
		cmocka_unit_test(test_decode_body__each_operation_fills_its_members),
		cmocka_unit_test(test_decode_body__an_order_keeps_its_body),
		cmocka_unit_test(test_decode_body__an_account_has_a_floor_unless_null),
		cmocka_unit_test(test_decode_body__values_are_canonical_as_in_the_library),
		cmocka_unit_test(test_decode_body__preconditions_set_before_are_kept),
		cmocka_unit_test(test_decode_body__invalid_bodies_are_refused_where_they_are_wrong),
		cmocka_unit_test(test_decode_body__operations_up_to_the_limit),
		cmocka_unit_test(test_decode_body__lines_up_to_the_limit),
		cmocka_unit_test(test_decode_body__values_up_to_the_limit),
		cmocka_unit_test(test_decode_body__values_are_measured_as_they_are_stored),
		cmocka_unit_test(test_decode_body__customer_up_to_the_limit_in_bytes),
		cmocka_unit_test(test_decode_body__nesting_up_to_the_limit),
		cmocka_unit_test(test_decode_body__without_memory_nothing_is_decoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
