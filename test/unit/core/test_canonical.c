/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes that make two requests the same request: equal exactly when the meaning is. */
#include "harness.h"

#include <string.h>

#include "core/tx.h"

static char mem[2][4096];

static struct str form_of(const struct tx *tx, int at)
{
	struct buf b;

	pawl__buf_init_fixed(&b, mem[at], sizeof(mem[at]));
	pawl__tx_canonical(tx, &b);
	assert_false(b.overflow);
	return buf_get(&b);
}

static struct op transfer(struct str from, struct str to, int64_t amount)
{
	struct op op = { .kind = OP_TRANSFER };

	op.u.move.from = from;
	op.u.move.to = to;
	op.u.move.amount = amount;
	return op;
}

static struct tx tx_of(struct op *ops, uint32_t len)
{
	return (struct tx){ .ops = ops,
		            .ops_len = len,
		            .form = TX_FORM_TX,
		            .http_created = 200,
		            .caller = STR("c"),
		            .key = STR("k"),
		            .route = STR("POST /v1/tx") };
}

static void assert_same(const struct tx *a, const struct tx *b, bool same)
{
	assert_true(str_eq(form_of(a, 0), form_of(b, 1)) == same);
}

static void test_tx_canonical__same_meaning_same_bytes(void **state)
{
	char copy[] = "a";
	struct op one = transfer(STR("a"), STR("b"), 1);
	struct op two = transfer((struct str){ copy, 1 }, STR("b"), 1);
	const struct tx a = tx_of(&one, 1);
	struct tx b = tx_of(&two, 1);

	(void)state;
	assert_same(&a, &b, true);
	/* What does not say what is asked for. */
	b.request_id = STR("other");
	b.ready = true;
	two.rows_len = 7;
	assert_same(&a, &b, true);
}

static void test_tx_canonical__every_part_counts(void **state)
{
	struct op one = transfer(STR("a"), STR("b"), 1), other = one;
	const struct tx a = tx_of(&one, 1);
	struct tx b = tx_of(&other, 1);

	(void)state;
	b.caller = STR("d");
	assert_same(&a, &b, false);
	b = tx_of(&other, 1);
	b.route = STR("POST /v1/transfers");
	assert_same(&a, &b, false);
	b = tx_of(&other, 1);
	b.form = TX_FORM_TRANSFER;
	assert_same(&a, &b, false);
	b = tx_of(&other, 1);
	other = transfer(STR("b"), STR("a"), 1);
	assert_same(&a, &b, false);
	other = transfer(STR("a"), STR("b"), 2);
	assert_same(&a, &b, false);
	other = one;
	other.kind = OP_HOLD;
	other.u.move.ttl_us = 1000000;
	assert_same(&a, &b, false);
}

static void test_tx_canonical__borders_of_strings_count(void **state)
{
	struct op one = transfer(STR("ab"), STR("c"), 1), two = transfer(STR("a"), STR("bc"), 1);
	const struct tx a = tx_of(&one, 1), b = tx_of(&two, 1);

	(void)state;
	assert_same(&a, &b, false);
}

static void test_tx_canonical__order_and_number_of_operations_count(void **state)
{
	struct op ab[2] = { transfer(STR("a"), STR("b"), 1), transfer(STR("b"), STR("a"), 2) };
	struct op ba[2] = { ab[1], ab[0] };
	const struct tx a = tx_of(ab, 2), b = tx_of(ba, 2), first = tx_of(ab, 1);

	(void)state;
	assert_same(&a, &b, false);
	assert_same(&a, &first, false);
}

/* One pair of operations for every kind, that differ in one argument alone. */
static void differ(struct op *one, struct op *two)
{
	const struct tx a = tx_of(one, 1), b = tx_of(two, 1);

	two->kind = one->kind;
	two->is_account = one->is_account;
	assert_same(&a, &b, false);
}

#define DIFFER(kind_, member, x, y)                                                                \
	do {                                                                                       \
		struct op one = { .kind = (kind_) }, two = { .kind = (kind_) };                    \
		one.u.member = (x);                                                                \
		two.u.member = (y);                                                                \
		differ(&one, &two);                                                                \
	} while (0)

static void test_tx_canonical__every_argument_counts(void **state)
{
	(void)state;
	DIFFER(OP_HOLD, move.ttl_us, 1, 2);
	DIFFER(OP_HOLD, move.amount, 1, 2);
	DIFFER(OP_CAPTURE, hold.number, 1, 2);
	DIFFER(OP_CAPTURE, hold.amount, 0, 2);
	DIFFER(OP_CAPTURE, hold.final, false, true);
	DIFFER(OP_RELEASE, hold.number, 1, 2);
	DIFFER(OP_PUT, record.key, STR("a"), STR("b"));
	DIFFER(OP_PUT, record.value, STR("1"), STR("2"));
	DIFFER(OP_PUT, record.if_version, TX_VERSION_ANY, TX_VERSION_ABSENT);
	DIFFER(OP_DELETE, record.if_version, TX_VERSION_ANY, 7);
	DIFFER(OP_CHECK, record.if_version, 8, 7);
	DIFFER(OP_EMIT, emit.topic, STR("a"), STR("b"));
	DIFFER(OP_EMIT, emit.key, STR_NONE, STR("b"));
	DIFFER(OP_EMIT, emit.body, STR("1"), STR("2"));
	DIFFER(OP_ENQUEUE, enqueue.queue, STR("a"), STR("b"));
	DIFFER(OP_ENQUEUE, enqueue.body, STR("1"), STR("2"));
	DIFFER(OP_ENQUEUE, enqueue.delay_us, 0, 1);
	DIFFER(OP_FENCE, fence.name, STR("a"), STR("b"));
	DIFFER(OP_FENCE, fence.token, 1, 2);
	DIFFER(OP_ACCOUNT, account.id, STR("a"), STR("b"));
	DIFFER(OP_ACCOUNT, account.unit, STR("a"), STR("b"));
	DIFFER(OP_ACCOUNT, account.has_floor, false, true);
	DIFFER(OP_ITEM, item.sku, STR("a"), STR("b"));
	DIFFER(OP_ITEM, item.quantity, 1, 2);
	DIFFER(OP_RESTOCK, item.quantity, 1, 2);
	DIFFER(OP_CONFIRM, order_number, 1, 2);
	DIFFER(OP_CANCEL, order_number, 1, 2);
	DIFFER(OP_ORDER, order.hold_us, 0, 1);
	DIFFER(OP_ORDER, order.body, STR("\"lines\":[1]"), STR("\"lines\":[2]"));
}

static void test_tx_canonical__floor_and_minimum_count(void **state)
{
	struct op one = { .kind = OP_ACCOUNT, .is_account = true }, two = one;

	(void)state;
	one.u.account.has_floor = two.u.account.has_floor = true;
	two.u.account.floor = 1;
	differ(&one, &two);
	one = two = (struct op){ .kind = OP_CHECK, .is_account = true };
	two.u.account.available_min = 1;
	differ(&one, &two);
	/* A check of a record and a check of an account are not the same. */
	two = (struct op){ .kind = OP_CHECK };
	one.u.account.id = two.u.record.key = STR("a");
	assert_same(&(struct tx){ .ops = &one, .ops_len = 1 },
	            &(struct tx){ .ops = &two, .ops_len = 1 }, false);
}

static void test_op_name__as_over_http(void **state)
{
	static const char *const names[] = { "transfer", "hold",  "capture", "release", "put",
		                             "delete",   "check", "emit",    "enqueue", "fence" };

	(void)state;
	for (int i = 0; i < (int)ARRAY_LEN(names); i++)
		assert_string_equal(pawl__op_name((enum op_kind)i), names[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tx_canonical__same_meaning_same_bytes),
		cmocka_unit_test(test_tx_canonical__every_part_counts),
		cmocka_unit_test(test_tx_canonical__borders_of_strings_count),
		cmocka_unit_test(test_tx_canonical__order_and_number_of_operations_count),
		cmocka_unit_test(test_tx_canonical__every_argument_counts),
		cmocka_unit_test(test_tx_canonical__floor_and_minimum_count),
		cmocka_unit_test(test_op_name__as_over_http),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
