/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every operation of a transaction above the engine: its success, and each of its refusals with
 * code, index and numbers; and that a refusal leaves the rows as they were.
 */
#include <stdio.h>

#include "base/id.h"
#include "pawl/limits.h"
#include "stores.h"

static struct fixture *start(void **state)
{
	struct fixture *f = *state;

	kit_tx_reset(&f->tx);
	return f;
}

/* A hold of `amount` from a to b that lives an hour; its number. */
static int64_t make_hold(struct fixture *f, int64_t amount)
{
	int64_t number;

	kit_tx_reset(&f->tx);
	kit_hold(&f->tx, "a", "b", amount, KIT_HOUR);
	number = kit_id(run_ok(f), 0);
	assert_true(number > 0);
	kit_tx_reset(&f->tx);
	return number;
}

static void make_item(struct fixture *f, const char *sku, int64_t stock)
{
	kit_tx_reset(&f->tx);
	kit_item(&f->tx, sku, stock);
	(void)run_ok(f);
	kit_tx_reset(&f->tx);
}

static int64_t make_order(struct fixture *f, const char *sku, int64_t quantity, int64_t hold_us)
{
	const struct kit_line line = { sku, quantity };
	int64_t number;

	kit_tx_reset(&f->tx);
	(void)kit_order(&f->tx, &line, 1, hold_us);
	number = kit_id(run_ok(f), 0);
	assert_true(number > 0);
	kit_tx_reset(&f->tx);
	return number;
}

static void expect_item(struct fixture *f, const char *sku, int64_t available, int64_t held,
                        int64_t sold)
{
	char id[64];
	const struct account *a;

	(void)snprintf(id, sizeof(id), "stock:%s", sku);
	a = read_account(f, id);
	assert_int_equal(a->balance - a->held, available);
	assert_int_equal(a->held, held);
	(void)snprintf(id, sizeof(id), "sold:%s", sku);
	assert_int_equal(read_account(f, id)->balance, sold);
}

/* accounts */

static void test_account__new_answered_and_stored(void **state)
{
	struct fixture *f = start(state);
	const struct kit_answer *a;
	const struct account *row;

	kit_account(&f->tx, "a", "EUR", -5);
	a = run_ok(f);
	assert_int_equal(a->http, 201);
	assert_int_equal(a->revision, 1);
	assert_string_equal(a->body,
	                    "{\"committed\":true,\"revision\":1,\"results\":[{\"id\":\"a\","
	                    "\"unit\":\"EUR\",\"balance\":0,\"held\":0,\"available\":5,"
	                    "\"floor\":-5,\"version\":1}]}");
	row = read_account(f, "a");
	assert_true(row->has_floor && str_eq(row->unit, STR("EUR")));
	assert_int_equal(row->floor, -5);
	assert_int_equal(row->version, 1);
	expect_clean(f);
}

static void test_account__without_floor_has_no_available(void **state)
{
	struct fixture *f = start(state);
	const struct kit_answer *a;

	kit_account_free(&f->tx, "a", "EUR");
	a = run_ok(f);
	expect_has(a, "\"available\":null,\"floor\":null");
	assert_false(read_account(f, "a")->has_floor);
}

static void test_account__again_unchanged_same_version(void **state)
{
	struct fixture *f = start(state);

	kit_account(&f->tx, "a", "EUR", 0);
	(void)run_ok(f);
	assert_int_equal(run_ok(f)->http, 200);
	assert_int_equal(read_account(f, "a")->version, 1);
}

static void test_account__other_unit_exists(void **state)
{
	struct fixture *f = start(state);

	two_accounts(f, 0);
	kit_account(&f->tx, "a", "USD", 0);
	(void)run_refused(f, PAWL_E_EXISTS, 0);
}

static void test_account__floor_lowered_takes_effect(void **state)
{
	struct fixture *f = start(state);

	two_accounts(f, 10);
	kit_account(&f->tx, "a", "EUR", -5);
	kit_transfer(&f->tx, "a", "b", 15);
	(void)run_ok(f);
	expect_account(f, "a", -5, 0);
	expect_clean(f);
}

static void test_account__floor_above_balance_insufficient(void **state)
{
	struct fixture *f = start(state);

	two_accounts(f, 10);
	(void)make_hold(f, 4);
	kit_account(&f->tx, "a", "EUR", 7);
	expect_has(run_refused(f, PAWL_E_INSUFFICIENT, 0),
	           "\"account\":\"a\",\"available\":6,\"requested\":7");
	kit_tx_reset(&f->tx);
	kit_account(&f->tx, "a", "EUR", 6);
	(void)run_ok(f);
	assert_int_equal(read_account(f, "a")->floor, 6);
}

static void test_account__new_with_positive_floor_insufficient(void **state)
{
	struct fixture *f = start(state);

	kit_account(&f->tx, "a", "EUR", 1);
	(void)run_refused(f, PAWL_E_INSUFFICIENT, 0);
	assert_null(kit_read_row(&f->read, &f->kit, ROW_ACCOUNT, "a"));
}

static void test_account__world_of_other_unit_invalid(void **state)
{
	struct fixture *f = start(state);

	kit_account_free(&f->tx, "world:EUR", "USD");
	expect_has(run_refused(f, PAWL_E_INVALID, 0), "\"pointer\":\"/ops/0/unit\"");
}

static void test_account__world_with_floor_invalid(void **state)
{
	struct fixture *f = start(state);

	kit_account(&f->tx, "world:EUR", "EUR", 0);
	expect_has(run_refused(f, PAWL_E_INVALID, 0), "\"pointer\":\"/ops/0/floor\"");
}

/* transfers */

static void test_transfer__afforded_moves(void **state)
{
	struct fixture *f = start(state);
	const struct kit_answer *a;

	two_accounts(f, 10);
	kit_transfer(&f->tx, "a", "b", 10);
	a = run_ok(f);
	assert_int_equal(a->http, 201);
	expect_has(a, "\"from\":\"a\",\"to\":\"b\",\"amount\":10}");
	assert_true(kit_id(a, 0) == a->revision << ROW_NUMBER_BITS);
	expect_account(f, "a", 0, 0);
	expect_account(f, "b", 10, 0);
	expect_account(f, "world:EUR", -10, 0);
	expect_clean(f);
}

static void test_transfer__one_too_many_insufficient_with_numbers(void **state)
{
	struct fixture *f = start(state);

	two_accounts(f, 10);
	kit_transfer(&f->tx, "a", "b", 11);
	expect_has(run_refused(f, PAWL_E_INSUFFICIENT, 0),
	           "\"op\":0,\"account\":\"a\",\"available\":10,\"requested\":11");
	expect_account(f, "a", 10, 0);
	expect_account(f, "b", 0, 0);
}

static void test_transfer__of_held_insufficient(void **state)
{
	struct fixture *f = start(state);

	two_accounts(f, 10);
	(void)make_hold(f, 7);
	kit_transfer(&f->tx, "a", "b", 4);
	expect_has(run_refused(f, PAWL_E_INSUFFICIENT, 0), "\"available\":3,\"requested\":4");
	expect_account(f, "a", 10, 7);
}

static void test_transfer__no_account_not_found(void **state)
{
	struct fixture *f = start(state);

	two_accounts(f, 10);
	kit_transfer(&f->tx, "a", "nobody", 1);
	expect_has(run_refused(f, PAWL_E_NOT_FOUND, 0), "no such account: to");
	kit_tx_reset(&f->tx);
	kit_transfer(&f->tx, "nobody", "a", 1);
	expect_has(run_refused(f, PAWL_E_NOT_FOUND, 0), "no such account: from");
}

static void test_transfer__to_itself_invalid(void **state)
{
	struct fixture *f = start(state);

	two_accounts(f, 10);
	kit_transfer(&f->tx, "a", "a", 1);
	expect_has(run_refused(f, PAWL_E_INVALID, 0), "\"pointer\":\"/ops/0/to\"");
}

static void test_transfer__between_units_invalid(void **state)
{
	struct fixture *f = start(state);

	two_accounts(f, 10);
	kit_transfer(&f->tx, "a", "world:USD", 1);
	expect_has(run_refused(f, PAWL_E_INVALID, 0), "different units");
	expect_account(f, "a", 10, 0);
	assert_null(kit_read_row(&f->read, &f->kit, ROW_ACCOUNT, "world:USD"));
	expect_clean(f);
}

static void test_transfer__world_pays_without_limit(void **state)
{
	struct fixture *f = start(state);

	kit_account(&f->tx, "a", "EUR", 0);
	kit_transfer(&f->tx, "world:EUR", "a", INT64_MAX);
	(void)run_ok(f);
	expect_account(f, "a", INT64_MAX, 0);
	expect_account(f, "world:EUR", -INT64_MAX, 0);
	expect_clean(f);
}

static void test_transfer__beyond_int64_invalid(void **state)
{
	struct fixture *f = start(state);

	two_accounts(f, INT64_MAX);
	kit_transfer(&f->tx, "world:EUR", "a", 1);
	expect_has(run_refused(f, PAWL_E_INVALID, 0), "\"pointer\":\"/ops/0/amount\"");
	kit_tx_reset(&f->tx);
	kit_transfer(&f->tx, "world:EUR", "b", 2);
	(void)run_refused(f, PAWL_E_INVALID, 0);
	kit_tx_reset(&f->tx);
	kit_transfer(&f->tx, "world:EUR", "b", 1); /* -INT64_MAX - 1 is INT64_MIN */
	(void)run_ok(f);
	expect_account(f, "world:EUR", INT64_MIN, 0);
	expect_clean(f);
}

static void test_transfer__extreme_floor_available_is_capped(void **state)
{
	struct fixture *f = start(state);

	two_accounts(f, INT64_MAX);
	kit_account(&f->tx, "a", "EUR", INT64_MIN);
	expect_has(run_ok(f), "\"available\":9223372036854775807,\"floor\":-9223372036854775808");
	kit_tx_reset(&f->tx);
	kit_transfer(&f->tx, "a", "b", INT64_MAX);
	(void)run_ok(f);
	kit_tx_reset(&f->tx);
	kit_transfer(&f->tx, "a", "world:EUR", INT64_MAX);
	(void)run_ok(f);
	expect_account(f, "a", -INT64_MAX, 0);
	kit_tx_reset(&f->tx);
	kit_transfer(&f->tx, "a", "world:EUR", 2);
	(void)run_refused(f, PAWL_E_INSUFFICIENT, 0);
	expect_clean(f);
}

/* holds */

static void test_hold__afforded_reserves(void **state)
{
	struct fixture *f = start(state);
	const struct kit_answer *a;
	const struct ws_entry *e;

	two_accounts(f, 10);
	kit_hold(&f->tx, "a", "b", 10, KIT_HOUR);
	a = run_ok(f);
	expect_has(a, "\"state\":\"held\",\"from\":\"a\",\"to\":\"b\",\"amount\":10,\"captured\":0,"
	              "\"expires_at\":\"2096-10-02T08:06:40.000000Z\"");
	expect_account(f, "a", 10, 10);
	expect_account(f, "b", 0, 0);
	e = kit_read_number(&f->read, &f->kit, ROW_HOLD, kit_id(a, 0));
	assert_non_null(e);
	assert_int_equal(e->row.hold.expires_us, KIT_START_US + KIT_HOUR);
	assert_true(str_eq(e->row.hold.from, STR("a")) && str_eq(e->row.hold.to, STR("b")));
	assert_int_equal(e->row.hold.state, HOLD_HELD);
	expect_clean(f);
}

static void test_hold__one_too_many_insufficient(void **state)
{
	struct fixture *f = start(state);

	two_accounts(f, 10);
	(void)make_hold(f, 6);
	kit_hold(&f->tx, "a", "b", 5, KIT_HOUR);
	expect_has(run_refused(f, PAWL_E_INSUFFICIENT, 0),
	           "\"account\":\"a\",\"available\":4,\"requested\":5");
	expect_account(f, "a", 10, 6);
}

static void test_hold__bad_pair_refused(void **state)
{
	struct fixture *f = start(state);

	two_accounts(f, 10);
	kit_hold(&f->tx, "a", "nobody", 1, KIT_HOUR);
	(void)run_refused(f, PAWL_E_NOT_FOUND, 0);
	kit_tx_reset(&f->tx);
	kit_hold(&f->tx, "a", "a", 1, KIT_HOUR);
	(void)run_refused(f, PAWL_E_INVALID, 0);
	kit_tx_reset(&f->tx);
	kit_hold(&f->tx, "a", "world:USD", 1, KIT_HOUR);
	(void)run_refused(f, PAWL_E_INVALID, 0);
}

static void test_capture__all_moves_and_ends(void **state)
{
	struct fixture *f = start(state);
	int64_t hold;

	two_accounts(f, 10);
	hold = make_hold(f, 7);
	kit_capture(&f->tx, hold, 0, false);
	expect_has(run_ok(f), "\"state\":\"captured\"");
	expect_account(f, "a", 3, 0);
	expect_account(f, "b", 7, 0);
	expect_clean(f);
}

static void test_capture__in_parts_until_final(void **state)
{
	struct fixture *f = start(state);
	int64_t hold;

	two_accounts(f, 10);
	hold = make_hold(f, 9);
	kit_capture(&f->tx, hold, 2, false);
	expect_has(run_ok(f), "\"state\":\"held\",\"from\":\"a\",\"to\":\"b\",\"amount\":9,"
	                      "\"captured\":2");
	expect_account(f, "a", 8, 7);
	(void)run_ok(f);
	expect_account(f, "a", 6, 5);
	kit_tx_reset(&f->tx);
	kit_capture(&f->tx, hold, 1, true);
	expect_has(run_ok(f), "\"state\":\"captured\"");
	expect_account(f, "a", 5, 0);
	expect_account(f, "b", 5, 0);
	expect_clean(f);
}

static void test_capture__last_part_ends_without_final(void **state)
{
	struct fixture *f = start(state);
	int64_t hold;

	two_accounts(f, 10);
	hold = make_hold(f, 4);
	kit_capture(&f->tx, hold, 2, false);
	(void)run_ok(f);
	expect_has(run_ok(f), "\"state\":\"captured\"");
	expect_account(f, "b", 4, 0);
}

static void test_capture__more_than_left_insufficient(void **state)
{
	struct fixture *f = start(state);
	int64_t hold;

	two_accounts(f, 10);
	hold = make_hold(f, 4);
	kit_capture(&f->tx, hold, 1, false);
	(void)run_ok(f);
	kit_tx_reset(&f->tx);
	kit_capture(&f->tx, hold, 4, false);
	expect_has(run_refused(f, PAWL_E_INSUFFICIENT, 0), "\"available\":3,\"requested\":4");
	expect_account(f, "a", 9, 3);
}

static void test_capture__no_hold_not_found(void **state)
{
	struct fixture *f = start(state);

	kit_capture(&f->tx, 12345, 0, false);
	(void)run_refused(f, PAWL_E_NOT_FOUND, 0);
}

static void test_release__gives_back_what_is_left(void **state)
{
	struct fixture *f = start(state);
	int64_t hold;

	two_accounts(f, 10);
	hold = make_hold(f, 6);
	kit_capture(&f->tx, hold, 2, false);
	kit_release(&f->tx, hold);
	expect_has(run_ok(f), "\"state\":\"released\"");
	expect_account(f, "a", 8, 0);
	expect_account(f, "b", 2, 0);
	expect_clean(f);
}

static void test_release__no_hold_not_found(void **state)
{
	struct fixture *f = start(state);

	kit_release(&f->tx, 12345);
	(void)run_refused(f, PAWL_E_NOT_FOUND, 0);
}

/* records */

static void test_put__new_then_replaced_versions_grow(void **state)
{
	struct fixture *f = start(state);
	const struct ws_entry *e;

	kit_put(&f->tx, "r", "{\"n\":1}", TX_VERSION_ABSENT);
	expect_has(run_ok(f), "{\"key\":\"r\",\"version\":1}");
	kit_tx_reset(&f->tx);
	kit_put(&f->tx, "r", "[2]", 1);
	expect_has(run_ok(f), "{\"key\":\"r\",\"version\":2}");
	e = kit_read_row(&f->read, &f->kit, ROW_RECORD, "r");
	assert_non_null(e);
	assert_true(str_eq(e->row.record.value, STR("[2]")));
	assert_int_equal(e->row.record.version, 2);
}

static void test_put__as_record_answers_value_and_etag(void **state)
{
	struct fixture *f = start(state);
	const struct kit_answer *a;

	kit_form(&f->tx, TX_FORM_RECORD, "PUT /v1/records/r");
	kit_put(&f->tx, "r", "{\"n\":1}", TX_VERSION_NEW);
	a = run_ok(f);
	assert_int_equal(a->http, 201);
	assert_int_equal(a->etag, 1);
	assert_string_equal(a->body, "{\"n\":1}");
}

static void test_put__conditions_refused_with_current_version(void **state)
{
	struct fixture *f = start(state);

	kit_put(&f->tx, "r", "1", TX_VERSION_EXISTS);
	expect_has(run_refused(f, PAWL_E_VERSION_MISMATCH, 0),
	           "\"key\":\"r\",\"current_version\":0");
	kit_tx_reset(&f->tx);
	kit_put(&f->tx, "r", "1", 7);
	(void)run_refused(f, PAWL_E_VERSION_MISMATCH, 0);
	kit_tx_reset(&f->tx);
	kit_put(&f->tx, "r", "1", TX_VERSION_ANY);
	(void)run_ok(f);
	kit_tx_reset(&f->tx);
	kit_put(&f->tx, "r", "2", TX_VERSION_ABSENT);
	expect_has(run_refused(f, PAWL_E_VERSION_MISMATCH, 0), "\"current_version\":1");
	kit_tx_reset(&f->tx);
	kit_put(&f->tx, "r", "2", TX_VERSION_NEW);
	expect_has(run_refused(f, PAWL_E_PRECONDITION_REQUIRED, 0), "\"current_version\":1");
	kit_tx_reset(&f->tx);
	kit_put(&f->tx, "r", "2", TX_VERSION_EXISTS);
	(void)run_ok(f);
}

static void test_delete__present_goes_absent_is_not_found(void **state)
{
	struct fixture *f = start(state);

	kit_put(&f->tx, "r", "1", TX_VERSION_ANY);
	(void)run_ok(f);
	kit_tx_reset(&f->tx);
	kit_delete(&f->tx, "r", 2);
	(void)run_refused(f, PAWL_E_VERSION_MISMATCH, 0);
	kit_tx_reset(&f->tx);
	kit_delete(&f->tx, "r", 1);
	expect_has(run_ok(f), "{\"key\":\"r\",\"version\":0}");
	assert_null(kit_read_row(&f->read, &f->kit, ROW_RECORD, "r"));
	kit_tx_reset(&f->tx);
	kit_delete(&f->tx, "r", TX_VERSION_ANY);
	(void)run_refused(f, PAWL_E_NOT_FOUND, 0);
}

static void test_delete__alone_answers_204_and_nothing(void **state)
{
	struct fixture *f = start(state);
	const struct kit_answer *a;

	kit_put(&f->tx, "r", "1", TX_VERSION_ANY);
	(void)run_ok(f);
	kit_tx_reset(&f->tx);
	kit_form(&f->tx, TX_FORM_NONE, "DELETE /v1/records/r");
	kit_delete(&f->tx, "r", TX_VERSION_ANY);
	a = run_ok(f);
	assert_int_equal(a->http, 204);
	assert_int_equal(a->body_len, 0);
}

/* checks, events, jobs, fences */

static void test_check__record_version_guards_the_rest(void **state)
{
	struct fixture *f = start(state);

	two_accounts(f, 10);
	kit_check(&f->tx, "r", TX_VERSION_ABSENT);
	kit_transfer(&f->tx, "a", "b", 1);
	(void)run_ok(f);
	kit_tx_reset(&f->tx);
	kit_transfer(&f->tx, "a", "b", 1);
	kit_check(&f->tx, "r", TX_VERSION_EXISTS);
	(void)run_refused(f, PAWL_E_VERSION_MISMATCH, 1);
	expect_account(f, "a", 9, 0);
}

static void test_check__account_available_counts_holds(void **state)
{
	struct fixture *f = start(state);

	two_accounts(f, 10);
	(void)make_hold(f, 4);
	kit_check_account(&f->tx, "a", 6);
	expect_has(run_ok(f), "\"held\":4,\"available\":6");
	kit_tx_reset(&f->tx);
	kit_check_account(&f->tx, "a", 7);
	expect_has(run_refused(f, PAWL_E_INSUFFICIENT, 0), "\"available\":6,\"requested\":7");
	kit_tx_reset(&f->tx);
	kit_check_account(&f->tx, "nobody", 0);
	(void)run_refused(f, PAWL_E_NOT_FOUND, 0);
}

static void test_check__world_account_always_passes(void **state)
{
	struct fixture *f = start(state);

	kit_check_account(&f->tx, "world:EUR", INT64_MAX);
	expect_has(run_ok(f), "\"id\":\"world:EUR\",\"unit\":\"EUR\",\"balance\":0");
	expect_clean(f);
}

static void test_emit_enqueue__are_stored_and_numbered(void **state)
{
	struct fixture *f = start(state);
	struct store_stats stats;
	struct pawl_error err;
	const struct kit_answer *a;
	char want[64];
	struct buf b;

	kit_emit(&f->tx, "topic", "key", "{\"n\":1}");
	kit_enqueue(&f->tx, "queue", "{\"n\":2}", KIT_HOUR);
	a = run_ok(f);
	pawl__buf_init_fixed(&b, want, sizeof(want));
	buf_lit(&b, "[{\"event\":\"");
	pawl__id_format(&b, INT64_C(1) << ROW_NUMBER_BITS);
	buf_lit(&b, "\"},{\"job\":\"");
	pawl__buf_putc(&b, '\0');
	expect_has(a, want);
	assert_int_equal(pawl__engine_stats(f->kit.engine, &stats, &err), PAWL_OK);
	assert_int_equal(stats.events, 1);
	assert_int_equal(stats.jobs, 1);
	assert_int_equal(stats.revision, 1);
	expect_clean(f);
}

static void test_fence__never_granted_fenced(void **state)
{
	struct fixture *f = start(state);

	kit_fence(&f->tx, "lock", 1);
	expect_has(run_refused(f, PAWL_E_FENCED, 0), "\"lock\":\"lock\",\"token\":1,\"current\":0");
	kit_tx_reset(&f->tx);
	kit_fence(&f->tx, "lock", 0);
	(void)run_refused(f, PAWL_E_FENCED, 0);
}

/* items and orders */

static void test_item__new_has_stock(void **state)
{
	struct fixture *f = start(state);

	kit_form(&f->tx, TX_FORM_ITEM, "PUT /v1/items/tea");
	kit_item(&f->tx, "tea", 5);
	assert_string_equal(run_ok(f)->body, "{\"sku\":\"tea\",\"available\":5,\"held\":0,"
	                                     "\"sold\":0,\"version\":1}");
	expect_item(f, "tea", 5, 0, 0);
	expect_account(f, "world:sku:tea", -5, 0);
	expect_clean(f);
}

static void test_item__with_no_stock_is_there(void **state)
{
	struct fixture *f = start(state);

	make_item(f, "tea", 0);
	expect_item(f, "tea", 0, 0, 0);
	expect_clean(f);
}

static void test_item__again_exists(void **state)
{
	struct fixture *f = start(state);

	make_item(f, "tea", 5);
	kit_item(&f->tx, "tea", 5);
	(void)run_refused(f, PAWL_E_EXISTS, 0);
	expect_item(f, "tea", 5, 0, 0);
}

static void test_restock__adds_or_is_not_found(void **state)
{
	struct fixture *f = start(state);

	make_item(f, "tea", 5);
	kit_restock(&f->tx, "tea", 7);
	(void)run_ok(f);
	expect_item(f, "tea", 12, 0, 0);
	kit_tx_reset(&f->tx);
	kit_restock(&f->tx, "nothing", 7);
	(void)run_refused(f, PAWL_E_NOT_FOUND, 0);
	kit_tx_reset(&f->tx);
	kit_restock(&f->tx, "tea", INT64_MAX);
	(void)run_refused(f, PAWL_E_INVALID, 0);
	expect_item(f, "tea", 12, 0, 0);
}

static void test_order__confirmed_at_once_sells(void **state)
{
	static const struct kit_line lines[] = { { "tea", 2 }, { "cup", 1 } };
	struct fixture *f = start(state);
	const struct kit_answer *a;

	make_item(f, "tea", 5);
	make_item(f, "cup", 1);
	kit_form(&f->tx, TX_FORM_ORDER, "POST /v1/orders");
	(void)kit_order(&f->tx, lines, 2, 0);
	a = run_ok(f);
	assert_int_equal(a->http, 201);
	expect_has(a, "\"state\":\"confirmed\",\"lines\":[{\"sku\":\"tea\",\"quantity\":2},"
	              "{\"sku\":\"cup\",\"quantity\":1}],\"version\":3}");
	assert_int_equal(strncmp(a->location, "/v1/orders/", 11), 0);
	expect_item(f, "tea", 3, 0, 2);
	expect_item(f, "cup", 0, 0, 1);
	expect_clean(f);
}

static void test_order__one_line_short_sells_nothing(void **state)
{
	static const struct kit_line lines[] = { { "tea", 2 }, { "cup", 2 } };
	struct fixture *f = start(state);

	make_item(f, "tea", 5);
	make_item(f, "cup", 1);
	(void)kit_order(&f->tx, lines, 2, 0);
	expect_has(run_refused(f, PAWL_E_INSUFFICIENT, 0),
	           "\"account\":\"stock:cup\",\"available\":1,\"requested\":2");
	expect_item(f, "tea", 5, 0, 0);
	kit_tx_reset(&f->tx);
	(void)kit_order(&f->tx, &(struct kit_line){ "nothing", 1 }, 1, 0);
	(void)run_refused(f, PAWL_E_NOT_FOUND, 0);
	expect_clean(f);
}

static void test_order__held_then_confirmed(void **state)
{
	struct fixture *f = start(state);
	int64_t order;

	make_item(f, "tea", 5);
	order = make_order(f, "tea", 2, KIT_HOUR);
	expect_item(f, "tea", 3, 2, 0);
	kit_finish(&f->tx, OP_CONFIRM, order);
	expect_has(run_ok(f), "\"state\":\"confirmed\"");
	expect_item(f, "tea", 3, 0, 2);
	expect_clean(f);
}

static void test_order__held_then_cancelled(void **state)
{
	struct fixture *f = start(state);
	int64_t order;

	make_item(f, "tea", 5);
	order = make_order(f, "tea", 2, KIT_HOUR);
	kit_finish(&f->tx, OP_CANCEL, order);
	expect_has(run_ok(f), "\"state\":\"cancelled\"");
	expect_item(f, "tea", 5, 0, 0);
	expect_clean(f);
}

static void test_order__with_payment_both_or_none(void **state)
{
	static const struct kit_line line = { "tea", 1 };
	struct fixture *f = start(state);
	struct op *op;

	make_item(f, "tea", 5);
	two_accounts(f, 10);
	op = kit_order(&f->tx, &line, 1, 0);
	kit_order_pay(&f->tx, op, "a", "b", 10);
	(void)run_ok(f);
	expect_item(f, "tea", 4, 0, 1);
	expect_account(f, "b", 10, 0);
	expect_has(run_refused(f, PAWL_E_INSUFFICIENT, 0),
	           "\"account\":\"a\",\"available\":0,\"requested\":10");
	expect_item(f, "tea", 4, 0, 1);
	expect_clean(f);
}

static void test_order__held_payment_captured_with_it(void **state)
{
	static const struct kit_line line = { "tea", 1 };
	struct fixture *f = start(state);
	struct op *op;
	int64_t order;

	make_item(f, "tea", 5);
	two_accounts(f, 10);
	op = kit_order(&f->tx, &line, 1, KIT_HOUR);
	kit_order_pay(&f->tx, op, "a", "b", 8);
	order = kit_id(run_ok(f), 0);
	expect_account(f, "a", 10, 8);
	kit_tx_reset(&f->tx);
	kit_finish(&f->tx, OP_CONFIRM, order);
	(void)run_ok(f);
	expect_account(f, "a", 2, 0);
	expect_account(f, "b", 8, 0);
	expect_item(f, "tea", 4, 0, 1);
	expect_clean(f);
}

static void test_finish__no_order_not_found(void **state)
{
	struct fixture *f = start(state);

	kit_finish(&f->tx, OP_CONFIRM, 12345);
	(void)run_refused(f, PAWL_E_NOT_FOUND, 0);
	kit_tx_reset(&f->tx);
	kit_finish(&f->tx, OP_CANCEL, 12345);
	(void)run_refused(f, PAWL_E_NOT_FOUND, 0);
}

static void test_order__emits_an_event_in_the_same_commit(void **state)
{
	struct fixture *f = start(state);
	struct store_stats stats;
	struct pawl_error err;

	make_item(f, "tea", 5);
	(void)make_order(f, "tea", 2, 0);
	assert_int_equal(pawl__engine_stats(f->kit.engine, &stats, &err), PAWL_OK);
	assert_int_equal(stats.events, 1);
	assert_int_equal(stats.orders, 1);
}

/* whole transactions */

static void test_tx__later_operations_see_earlier_ones(void **state)
{
	struct fixture *f = start(state);

	kit_account(&f->tx, "a", "EUR", 0);
	kit_account(&f->tx, "b", "EUR", 0);
	kit_transfer(&f->tx, "world:EUR", "a", 5);
	kit_transfer(&f->tx, "a", "b", 5);
	kit_check_account(&f->tx, "b", 5);
	kit_put(&f->tx, "r", "1", TX_VERSION_ABSENT);
	kit_put(&f->tx, "r", "2", 1); /* the version that this transaction gives */
	kit_delete(&f->tx, "r", TX_VERSION_EXISTS);
	(void)run_ok(f);
	expect_account(f, "b", 5, 0);
	assert_null(kit_read_row(&f->read, &f->kit, ROW_RECORD, "r"));
	expect_clean(f);
}

static void test_tx__last_operation_refused_undoes_all(void **state)
{
	struct fixture *f = start(state);
	struct store_stats stats;
	struct pawl_error err;

	two_accounts(f, 10);
	kit_account(&f->tx, "c", "EUR", 0);
	kit_transfer(&f->tx, "a", "c", 5);
	kit_hold(&f->tx, "a", "b", 5, KIT_HOUR);
	kit_put(&f->tx, "r", "1", TX_VERSION_ANY);
	kit_emit(&f->tx, "t", "", "1");
	kit_enqueue(&f->tx, "q", "1", 0);
	kit_item(&f->tx, "tea", 1);
	kit_transfer(&f->tx, "a", "b", 1);
	(void)run_refused(f, PAWL_E_INSUFFICIENT, 7);
	expect_account(f, "a", 10, 0);
	assert_null(kit_read_row(&f->read, &f->kit, ROW_ACCOUNT, "c"));
	assert_null(kit_read_row(&f->read, &f->kit, ROW_RECORD, "r"));
	assert_null(kit_read_row(&f->read, &f->kit, ROW_ACCOUNT, "stock:tea"));
	assert_int_equal(pawl__engine_stats(f->kit.engine, &stats, &err), PAWL_OK);
	assert_int_equal(stats.events + stats.jobs + stats.holds_live, 0);
	assert_int_equal(stats.revision, 1);
	expect_clean(f);
}

static void test_tx__most_operations_commit(void **state)
{
	struct fixture *f = start(state);

	two_accounts(f, PAWL_OPS_MAX);
	for (int i = 0; i < PAWL_OPS_MAX; i++)
		kit_transfer(&f->tx, "a", "b", 1);
	(void)run_ok(f);
	expect_account(f, "b", PAWL_OPS_MAX, 0);
	expect_clean(f);
}

static void test_tx__longest_names_and_values_kept(void **state)
{
	static char id[PAWL_ID_MAX + 1], value[PAWL_VALUE_MAX + 1];
	struct fixture *f = start(state);
	const struct ws_entry *e;

	memset(id, 'x', PAWL_ID_MAX);
	memset(value, '1', PAWL_VALUE_MAX);
	kit_put(&f->tx, id, value, TX_VERSION_ABSENT);
	(void)run_ok(f);
	e = kit_read_row(&f->read, &f->kit, ROW_RECORD, id);
	assert_non_null(e);
	assert_true(str_eq(e->row.record.value, pawl__str_of(value)));
	kit_tx_reset(&f->tx);
	kit_item(&f->tx, id, 1);
	(void)run_ok(f);
	expect_clean(f);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(test_account__new_answered_and_stored),
		T(test_account__without_floor_has_no_available),
		T(test_account__again_unchanged_same_version),
		T(test_account__other_unit_exists),
		T(test_account__floor_lowered_takes_effect),
		T(test_account__floor_above_balance_insufficient),
		T(test_account__new_with_positive_floor_insufficient),
		T(test_account__world_of_other_unit_invalid),
		T(test_account__world_with_floor_invalid),
		T(test_transfer__afforded_moves),
		T(test_transfer__one_too_many_insufficient_with_numbers),
		T(test_transfer__of_held_insufficient),
		T(test_transfer__no_account_not_found),
		T(test_transfer__to_itself_invalid),
		T(test_transfer__between_units_invalid),
		T(test_transfer__world_pays_without_limit),
		T(test_transfer__beyond_int64_invalid),
		T(test_transfer__extreme_floor_available_is_capped),
		T(test_hold__afforded_reserves),
		T(test_hold__one_too_many_insufficient),
		T(test_hold__bad_pair_refused),
		T(test_capture__all_moves_and_ends),
		T(test_capture__in_parts_until_final),
		T(test_capture__last_part_ends_without_final),
		T(test_capture__more_than_left_insufficient),
		T(test_capture__no_hold_not_found),
		T(test_release__gives_back_what_is_left),
		T(test_release__no_hold_not_found),
		T(test_put__new_then_replaced_versions_grow),
		T(test_put__as_record_answers_value_and_etag),
		T(test_put__conditions_refused_with_current_version),
		T(test_delete__present_goes_absent_is_not_found),
		T(test_delete__alone_answers_204_and_nothing),
		T(test_check__record_version_guards_the_rest),
		T(test_check__account_available_counts_holds),
		T(test_check__world_account_always_passes),
		T(test_emit_enqueue__are_stored_and_numbered),
		T(test_fence__never_granted_fenced),
		T(test_item__new_has_stock),
		T(test_item__with_no_stock_is_there),
		T(test_item__again_exists),
		T(test_restock__adds_or_is_not_found),
		T(test_order__confirmed_at_once_sells),
		T(test_order__one_line_short_sells_nothing),
		T(test_order__held_then_confirmed),
		T(test_order__held_then_cancelled),
		T(test_order__with_payment_both_or_none),
		T(test_order__held_payment_captured_with_it),
		T(test_finish__no_order_not_found),
		T(test_order__emits_an_event_in_the_same_commit),
		T(test_tx__later_operations_see_earlier_ones),
		T(test_tx__last_operation_refused_undoes_all),
		T(test_tx__most_operations_commit),
		T(test_tx__longest_names_and_values_kept),
	};

	return stores_run("operations", tests, sizeof(tests) / sizeof(tests[0]), true);
}
