/* SPDX-License-Identifier: Apache-2.0 */
/* Tables: the arithmetic of accounts and holds, most of all at the ends of int64. */
#include "harness.h"

#include "core/account.h"
#include "core/hold.h"

#define MAX INT64_MAX
#define MIN INT64_MIN

/* One account before, one post, the account after. */
struct post_row {
	bool has_floor;
	int64_t floor, balance, held;
	int64_t add_balance, add_held;
	enum pawl_status st;
	int64_t want_balance, want_held;
};

static const struct post_row post_rows[] = {
	/* to the floor and not below it */
	{ true, 0, 10, 0, -10, 0, PAWL_OK, 0, 0 },
	{ true, 0, 10, 0, -11, 0, PAWL_E_INSUFFICIENT, 0, 0 },
	{ true, -5, 0, 0, -5, 0, PAWL_OK, -5, 0 },
	{ true, -5, 0, 0, -6, 0, PAWL_E_INSUFFICIENT, 0, 0 },
	{ true, 5, 10, 0, -5, 0, PAWL_OK, 5, 0 },
	{ true, 5, 10, 0, -6, 0, PAWL_E_INSUFFICIENT, 0, 0 },
	/* what is held counts */
	{ true, 0, 10, 4, -6, 0, PAWL_OK, 4, 4 },
	{ true, 0, 10, 4, -7, 0, PAWL_E_INSUFFICIENT, 0, 0 },
	{ true, 0, 10, 4, 0, 6, PAWL_OK, 10, 10 },
	{ true, 0, 10, 4, 0, 7, PAWL_E_INSUFFICIENT, 0, 0 },
	/* captures and releases give back what was held */
	{ true, 0, 10, 10, -10, -10, PAWL_OK, 0, 0 },
	{ true, 0, 10, 10, -4, -10, PAWL_OK, 6, 0 },
	{ true, 0, 10, 10, 0, -10, PAWL_OK, 10, 0 },
	/* the upper end */
	{ true, 0, MAX - 1, 0, 1, 0, PAWL_OK, MAX, 0 },
	{ true, 0, MAX, 0, 1, 0, PAWL_E_INVALID, 0, 0 },
	{ true, 0, 1, 0, MAX, 0, PAWL_E_INVALID, 0, 0 },
	{ true, 0, MAX, 0, -MAX, 0, PAWL_OK, 0, 0 },
	{ true, 0, MAX, 0, 0, MAX, PAWL_OK, MAX, MAX },
	{ true, 0, MAX, 1, 0, MAX, PAWL_E_INSUFFICIENT, 0, 0 },
	{ true, MIN, MAX, 1, 0, MAX, PAWL_E_INVALID, 0, 0 }, /* the floor would allow it */
	{ false, 0, MAX, 0, 1, 0, PAWL_E_INVALID, 0, 0 },
	/* the lower end */
	{ false, 0, 0, 0, -MAX, 0, PAWL_OK, -MAX, 0 },
	{ false, 0, -MAX, 0, -1, 0, PAWL_OK, MIN, 0 },
	{ false, 0, MIN, 0, -1, 0, PAWL_E_INVALID, 0, 0 },
	{ false, 0, -MAX, 0, 0, 1, PAWL_OK, -MAX, 1 },
	{ false, 0, -MAX, 1, 0, 1, PAWL_E_INVALID, 0, 0 }, /* balance - held has no place */
	{ true, MIN, -MAX, 0, -1, 0, PAWL_OK, MIN, 0 },
	{ true, MIN, -MAX, 0, -2, 0, PAWL_E_INSUFFICIENT, 0, 0 },
	{ true, MIN, MIN, 0, -1, 0, PAWL_E_INSUFFICIENT, 0, 0 },
	{ true, MAX, MAX, 0, -1, 0, PAWL_E_INSUFFICIENT, 0, 0 },
	/* an unlimited account holds what it has not */
	{ false, 0, 0, 0, 0, MAX, PAWL_OK, 0, MAX },
	{ false, 0, 0, MAX, 0, 1, PAWL_E_INVALID, 0, 0 },
};

static void test_account_post__table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(post_rows); i++) {
		const struct post_row *r = &post_rows[i];
		struct account a = {
			.balance = r->balance,
			.held = r->held,
			.floor = r->floor,
			.has_floor = r->has_floor,
			.version = 3,
		};
		const struct account before = a;
		const enum pawl_status st = pawl__account_post(&a, r->add_balance, r->add_held);

		if (st != r->st)
			fail_msg("row %zu: status %d, not %d", i, (int)st, (int)r->st);
		if (st != PAWL_OK) {
			assert_memory_equal(&a, &before, sizeof(a));
			continue;
		}
		if (a.balance != r->want_balance || a.held != r->want_held)
			fail_msg("row %zu: balance or held", i);
	}
}

static void test_account_available__is_what_may_leave(void **state)
{
	static const struct {
		int64_t balance, held, floor, want;
	} rows[] = {
		{ 10, 0, 0, 10 },    { 10, 4, 0, 6 },         { 10, 4, -5, 11 },
		{ -5, 0, -5, 0 },    { MAX, 0, 0, MAX },      { MAX, MAX, 0, 0 },
		{ MAX, 0, -1, MAX }, { MAX, 0, MIN, MAX },    { 0, 0, MIN, MAX },
		{ -1, 0, MIN, MAX }, { -2, 0, MIN, MAX - 1 }, { MIN, 0, MIN, 0 },
		{ MAX, 0, MAX, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct account a = { .balance = rows[i].balance,
			                   .held = rows[i].held,
			                   .floor = rows[i].floor,
			                   .has_floor = true };
		int64_t got = 77;

		assert_true(pawl__account_available(&a, &got));
		if (got != rows[i].want)
			fail_msg("row %zu", i);
	}
}

static void test_account_available__no_floor_has_no_number(void **state)
{
	const struct account a = { .balance = 5 };
	int64_t got = 0;

	(void)state;
	assert_false(pawl__account_available(&a, &got));
}

static void test_account_set_floor__only_where_the_balance_allows(void **state)
{
	static const struct {
		int64_t balance, held, floor;
		enum pawl_status st;
	} rows[] = {
		{ 10, 0, 10, PAWL_OK },   { 10, 0, 11, PAWL_E_INSUFFICIENT },
		{ 10, 4, 6, PAWL_OK },    { 10, 4, 7, PAWL_E_INSUFFICIENT },
		{ -3, 0, -3, PAWL_OK },   { -3, 0, 0, PAWL_E_INSUFFICIENT },
		{ MIN, 0, MIN, PAWL_OK }, { MIN, 0, MIN + 1, PAWL_E_INSUFFICIENT },
		{ MAX, 0, MAX, PAWL_OK }, { MAX, 1, MAX, PAWL_E_INSUFFICIENT },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct account a = { .balance = rows[i].balance, .held = rows[i].held };
		const struct account before = a;

		if (pawl__account_set_floor(&a, true, rows[i].floor) != rows[i].st)
			fail_msg("row %zu", i);
		if (rows[i].st != PAWL_OK)
			assert_memory_equal(&a, &before, sizeof(a));
		else
			assert_true(a.has_floor && a.floor == rows[i].floor);
	}
}

static void test_account_set_floor__none_is_always_allowed(void **state)
{
	struct account a = { .balance = 5, .floor = 5, .has_floor = true };

	(void)state;
	assert_int_equal(pawl__account_set_floor(&a, false, 9), PAWL_OK);
	assert_false(a.has_floor);
	assert_int_equal(a.floor, 0);
}

static void test_account_world_unit__is_what_follows_the_prefix(void **state)
{
	(void)state;
	assert_true(str_eq(pawl__account_world_unit(STR("world:EUR")), STR("EUR")));
	assert_true(str_eq(pawl__account_world_unit(STR("world:sku:a")), STR("sku:a")));
	assert_int_equal(pawl__account_world_unit(STR("world:")).len, 0);
	assert_int_equal(pawl__account_world_unit(STR("world")).len, 0);
	assert_int_equal(pawl__account_world_unit(STR("World:EUR")).len, 0);
	assert_int_equal(pawl__account_world_unit(STR("user:world:EUR")).len, 0);
}

struct hold_row {
	enum hold_state state;
	int64_t amount, captured;
	int64_t take;
	bool final;
	bool late; /* now is the moment of expiry */
	enum pawl_status st;
	int64_t want_take, want_give;
	enum hold_state want_state;
	bool repeat;
};

static const struct hold_row capture_rows[] = {
	{ HOLD_HELD, 10, 0, 0, false, false, PAWL_OK, 10, 0, HOLD_CAPTURED, false },
	{ HOLD_HELD, 10, 0, 10, false, false, PAWL_OK, 10, 0, HOLD_CAPTURED, false },
	{ HOLD_HELD, 10, 0, 4, false, false, PAWL_OK, 4, 0, HOLD_HELD, false },
	{ HOLD_HELD, 10, 0, 4, true, false, PAWL_OK, 4, 6, HOLD_CAPTURED, false },
	{ HOLD_HELD, 10, 4, 6, false, false, PAWL_OK, 6, 0, HOLD_CAPTURED, false },
	{ HOLD_HELD, 10, 4, 0, false, false, PAWL_OK, 6, 0, HOLD_CAPTURED, false },
	{ HOLD_HELD, 10, 4, 0, true, false, PAWL_OK, 6, 0, HOLD_CAPTURED, false },
	{ HOLD_HELD, 10, 4, 1, true, false, PAWL_OK, 1, 5, HOLD_CAPTURED, false },
	{ HOLD_HELD, 10, 4, 7, false, false, PAWL_E_INSUFFICIENT, 0, 0, 0, false },
	{ HOLD_HELD, 10, 0, 11, true, false, PAWL_E_INSUFFICIENT, 0, 0, 0, false },
	{ HOLD_HELD, MAX, 0, MAX, false, false, PAWL_OK, MAX, 0, HOLD_CAPTURED, false },
	{ HOLD_HELD, MAX, 0, 1, false, false, PAWL_OK, 1, 0, HOLD_HELD, false },
	{ HOLD_HELD, MAX, 1, MAX, false, false, PAWL_E_INSUFFICIENT, 0, 0, 0, false },
	{ HOLD_HELD, 10, 0, 0, false, true, PAWL_E_HOLD_EXPIRED, 0, 0, 0, false },
	{ HOLD_HELD, 10, 0, 11, false, true, PAWL_E_HOLD_EXPIRED, 0, 0, 0, false },
	/* done already */
	{ HOLD_CAPTURED, 10, 10, 0, false, false, PAWL_OK, 0, 0, HOLD_CAPTURED, true },
	{ HOLD_CAPTURED, 10, 10, 10, true, false, PAWL_OK, 0, 0, HOLD_CAPTURED, true },
	{ HOLD_CAPTURED, 10, 4, 4, true, false, PAWL_OK, 0, 0, HOLD_CAPTURED, true },
	{ HOLD_CAPTURED, 10, 4, 0, false, true, PAWL_OK, 0, 0, HOLD_CAPTURED, true },
	{ HOLD_CAPTURED, 10, 4, 5, false, false, PAWL_E_HOLD_FINISHED, 0, 0, 0, false },
	{ HOLD_RELEASED, 10, 0, 0, false, false, PAWL_E_HOLD_FINISHED, 0, 0, 0, false },
	{ HOLD_EXPIRED, 10, 0, 0, false, true, PAWL_E_HOLD_EXPIRED, 0, 0, 0, false },
	{ HOLD_EXPIRED, 10, 0, 0, false, false, PAWL_E_HOLD_EXPIRED, 0, 0, 0, false },
};

static const struct hold_row release_rows[] = {
	{ HOLD_HELD, 10, 0, 0, false, false, PAWL_OK, 0, 10, HOLD_RELEASED, false },
	{ HOLD_HELD, 10, 4, 0, false, false, PAWL_OK, 0, 6, HOLD_RELEASED, false },
	{ HOLD_HELD, MAX, 0, 0, false, false, PAWL_OK, 0, MAX, HOLD_RELEASED, false },
	{ HOLD_HELD, 10, 4, 0, false, true, PAWL_E_HOLD_EXPIRED, 0, 0, 0, false },
	{ HOLD_RELEASED, 10, 4, 0, false, false, PAWL_OK, 0, 0, HOLD_RELEASED, true },
	{ HOLD_RELEASED, 10, 4, 0, false, true, PAWL_OK, 0, 0, HOLD_RELEASED, true },
	{ HOLD_CAPTURED, 10, 10, 0, false, false, PAWL_E_HOLD_FINISHED, 0, 0, 0, false },
	{ HOLD_EXPIRED, 10, 0, 0, false, false, PAWL_E_HOLD_EXPIRED, 0, 0, 0, false },
};

#define EXPIRES INT64_C(1000)

static void hold_row_check(const struct hold_row *r, size_t i, bool capture)
{
	const struct hold h = { .number = 1,
		                .amount = r->amount,
		                .captured = r->captured,
		                .expires_us = EXPIRES,
		                .state = r->state };
	const int64_t now_us = r->late ? EXPIRES : EXPIRES - 1;
	struct hold_step step = { .take = 0 };
	const enum pawl_status st =
		capture ? pawl__hold_capture(&h, now_us, r->take, r->final, &step)
			: pawl__hold_release(&h, now_us, &step);

	if (st != r->st)
		fail_msg("row %zu: status %d, not %d", i, (int)st, (int)r->st);
	if (st != PAWL_OK)
		return;
	if (step.repeat != r->repeat || step.take != r->want_take || step.give != r->want_give)
		fail_msg("row %zu: repeat, take or give", i);
	if (!step.repeat &&
	    (step.next.state != r->want_state || step.next.captured != r->captured + r->want_take))
		fail_msg("row %zu: the next row", i);
}

static void test_hold_capture__table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(capture_rows); i++)
		hold_row_check(&capture_rows[i], i, true);
}

static void test_hold_release__table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(release_rows); i++)
		hold_row_check(&release_rows[i], i, false);
}

static void test_hold_state__held_is_expired_from_the_moment_on(void **state)
{
	const struct hold h = { .amount = 1, .expires_us = EXPIRES, .state = HOLD_HELD };
	struct hold ended = h;

	(void)state;
	assert_int_equal(pawl__hold_state(&h, EXPIRES - 1), HOLD_HELD);
	assert_int_equal(pawl__hold_state(&h, EXPIRES), HOLD_EXPIRED);
	assert_int_equal(pawl__hold_state(&h, MAX), HOLD_EXPIRED);
	ended.state = HOLD_CAPTURED;
	assert_int_equal(pawl__hold_state(&ended, MAX), HOLD_CAPTURED);
	ended.state = HOLD_RELEASED;
	assert_int_equal(pawl__hold_state(&ended, MAX), HOLD_RELEASED);
	ended.state = HOLD_EXPIRED;
	assert_int_equal(pawl__hold_state(&ended, 0), HOLD_EXPIRED); /* it never revives */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_account_post__table),
		cmocka_unit_test(test_account_available__is_what_may_leave),
		cmocka_unit_test(test_account_available__no_floor_has_no_number),
		cmocka_unit_test(test_account_set_floor__only_where_the_balance_allows),
		cmocka_unit_test(test_account_set_floor__none_is_always_allowed),
		cmocka_unit_test(test_account_world_unit__is_what_follows_the_prefix),
		cmocka_unit_test(test_hold_capture__table),
		cmocka_unit_test(test_hold_release__table),
		cmocka_unit_test(test_hold_state__held_is_expired_from_the_moment_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
