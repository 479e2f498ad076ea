/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/assert.h"
#include "engine/route.h"

#define LANES 4

static uint32_t lane_of(struct route_heat *h, struct op *op)
{
	const struct tx tx = { .ops = op, .ops_len = 1, .key = STR("k") };
	uint64_t rows[ROUTE_ROWS_MAX];
	const uint32_t len = pawl__route_rows(&tx, rows);

	return pawl__route_lane(h, rows, len, LANES);
}

static struct op transfer(const char *from, const char *to)
{
	struct op op = { .kind = OP_TRANSFER };

	op.u.move.from = pawl__str_of(from);
	op.u.move.to = pawl__str_of(to);
	op.u.move.amount = 1;
	return op;
}

static void test_route__payments_into_one_account_share_a_lane(void **state)
{
	static struct route_heat h;
	uint32_t lane = 0;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		char from[] = "payer:000";
		struct op op;
		uint32_t l;

		from[6] = (char)('0' + i / 100 % 10);
		from[7] = (char)('0' + i / 10 % 10);
		from[8] = (char)('0' + i % 10);
		op = transfer(from, "shop");
		l = lane_of(&h, &op);
		/* Hot once it has been seen twice. */
		if (i == 1)
			lane = l;
		else if (i > 1)
			assert_int_equal(l, lane);
	}
}

static void test_route__an_item_and_its_accounts_are_one_row(void **state)
{
	const struct order_line line = { .sku = STR("seat"), .quantity = 1 };
	struct op order = { .kind = OP_ORDER }, restock = { .kind = OP_RESTOCK };
	struct op check = { .kind = OP_CHECK, .is_account = true };
	static struct route_heat h;
	uint32_t lane;

	(void)state;
	order.u.order.lines = &line;
	order.u.order.lines_len = 1;
	restock.u.item.sku = STR("seat");
	check.u.account.id = STR("stock:seat");
	lane = lane_of(&h, &order);
	assert_int_equal(lane_of(&h, &restock), lane);
	assert_int_equal(lane_of(&h, &check), lane);
}

static void test_route__cold_rows_spread_over_all_lanes(void **state)
{
	static struct route_heat h;
	unsigned count[LANES] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 4000; i++) {
		char id[] = "a:0000";
		struct op op = { .kind = OP_RESTOCK };

		for (unsigned d = 0, v = i; d < 4; d++, v /= 10)
			id[5 - d] = (char)('0' + v % 10);
		op.u.item.sku = pawl__str_of(id);
		count[lane_of(&h, &op)]++;
	}
	for (unsigned i = 0; i < LANES; i++)
		assert_in_range(count[i], 700, 1300);
}

static void test_route__nothing_named_goes_by_the_key(void **state)
{
	struct op op = { .kind = OP_EMIT };
	static struct route_heat h;

	(void)state;
	op.u.emit.topic = STR("t");
	assert_int_equal(lane_of(&h, &op), lane_of(&h, &op));
}

static void test_route__more_rows_than_it_looks_at_is_fine(void **state)
{
	struct order_line lines[ROUTE_ROWS_MAX + 5];
	struct op op = { .kind = OP_ORDER };
	static struct route_heat h;
	uint64_t rows[ROUTE_ROWS_MAX];
	const struct tx tx = { .ops = &op, .ops_len = 1 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(lines); i++)
		lines[i] = (struct order_line){ .sku = STR("x"), .quantity = 1 };
	op.u.order.lines = lines;
	op.u.order.lines_len = ARRAY_LEN(lines);
	op.u.order.has_pay = true;
	op.u.order.pay_from = STR("a");
	op.u.order.pay_to = STR("b");
	assert_int_equal(pawl__route_rows(&tx, rows), ROUTE_ROWS_MAX);
	/* Counts are halved now and then, and never run over. */
	for (unsigned i = 0; i < 100000; i++)
		assert_in_range(lane_of(&h, &op), 0, LANES - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_route__payments_into_one_account_share_a_lane),
		cmocka_unit_test(test_route__an_item_and_its_accounts_are_one_row),
		cmocka_unit_test(test_route__cold_rows_spread_over_all_lanes),
		cmocka_unit_test(test_route__nothing_named_goes_by_the_key),
		cmocka_unit_test(test_route__more_rows_than_it_looks_at_is_fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
