/* SPDX-License-Identifier: Apache-2.0 */
/* Every operation through the front door: what it does, what refuses it, what it is answered. */
#include "kit.h"

static void expect(struct pawl_tx *tx, enum pawl_status added, enum pawl_status code)
{
	assert_int_equal(added, PAWL_OK);
	assert_int_equal(kit_commit(tx), code);
	pawl_tx_reset(tx);
}

static void test_transfer__moves_or_refuses(void **state)
{
	struct pawl_tx *tx = kit_tx(*state, NULL);

	kit_accounts(*state, 100);
	expect(tx, pawl_tx_transfer(tx, "a", "b", 100), PAWL_OK);
	assert_int_equal(kit_balance(*state, "a"), 0);
	assert_int_equal(kit_balance(*state, "b"), 100);
	assert_int_equal(kit_balance(*state, "world:EUR"), -100);
	expect(tx, pawl_tx_transfer(tx, "a", "b", 1), PAWL_E_INSUFFICIENT);
	expect(tx, pawl_tx_transfer(tx, "a", "nobody", 1), PAWL_E_NOT_FOUND);
	expect(tx, pawl_tx_transfer(tx, "nobody", "a", 1), PAWL_E_NOT_FOUND);
	expect(tx, pawl_tx_transfer(tx, "b", "b", 1), PAWL_E_INVALID);
	expect(tx, pawl_tx_transfer(tx, "b", "world:USD", 1), PAWL_E_INVALID);
	assert_int_equal(kit_balance(*state, "b"), 100);
	pawl_tx_free(tx);
}

static void test_tx__all_or_nothing_and_the_refused_one_is_named(void **state)
{
	struct pawl_tx *tx = kit_tx(*state, "k");
	struct pawl_record *record = NULL;
	struct pawl_answer *a;

	kit_accounts(*state, 10);
	assert_int_equal(pawl_tx_put(tx, "r", "1", PAWL_IF_ANY), PAWL_OK);
	assert_int_equal(pawl_tx_transfer(tx, "a", "b", 10), PAWL_OK);
	assert_int_equal(pawl_tx_transfer(tx, "a", "b", 1), PAWL_OK);
	a = kit_answer(tx);
	assert_int_equal(pawl_answer_code(a), PAWL_E_INSUFFICIENT);
	assert_int_equal(pawl_answer_op(a), 2);
	assert_int_equal(pawl_answer_http(a), 409);
	assert_int_equal(pawl_answer_revision(a), 0);
	assert_non_null(strstr(pawl_answer_json(a, NULL), "\"code\":\"insufficient\""));
	assert_non_null(strstr(pawl_answer_json(a, NULL), "\"available\":0"));
	pawl_answer_free(a);
	assert_int_equal(kit_balance(*state, "a"), 10);
	assert_int_equal(pawl_record_get(*state, "r", &record, NULL), PAWL_E_NOT_FOUND);
	/* Refusals are remembered, and found with the operation they name. */
	assert_int_equal(pawl_answer_find(*state, "k", &a, NULL), PAWL_OK);
	assert_int_equal(pawl_answer_code(a), PAWL_E_INSUFFICIENT);
	assert_int_equal(pawl_answer_op(a), 2);
	pawl_answer_free(a);
	pawl_tx_free(tx);
}

static void hold_is(struct pawl *p, const char *id, enum pawl_hold_state st, int64_t captured)
{
	struct pawl_hold h;

	assert_int_equal(pawl_hold_get(p, id, &h, NULL), PAWL_OK);
	assert_string_equal(h.id, id);
	assert_string_equal(h.from, "a");
	assert_string_equal(h.to, "b");
	assert_int_equal(h.amount, 10);
	assert_int_equal(h.state, st);
	assert_int_equal(h.captured, captured);
	assert_true(h.expires_us > 0 && h.version > 0);
}

static void hold_new(struct pawl_tx *tx, char id[PAWL_ID_TEXT_SIZE])
{
	struct pawl_answer *a;

	pawl_tx_reset(tx);
	assert_int_equal(pawl_tx_hold(tx, "a", "b", 10, 600), PAWL_OK);
	a = kit_answer(tx);
	assert_int_equal(pawl_answer_code(a), PAWL_OK);
	assert_int_equal(pawl_answer_id(a, 0, id), PAWL_OK);
	assert_int_equal(pawl_answer_id(a, 1, id), PAWL_E_NOT_FOUND);
	pawl_answer_free(a);
	pawl_tx_reset(tx);
}

static void test_hold__captured_in_parts_then_finished(void **state)
{
	struct pawl_tx *tx = kit_tx(*state, NULL);
	struct pawl_account account;
	char id[PAWL_ID_TEXT_SIZE];

	kit_accounts(*state, 30);
	hold_new(tx, id);
	hold_is(*state, id, PAWL_HOLD_HELD, 0);
	assert_int_equal(pawl_account_get(*state, "a", &account, NULL), PAWL_OK);
	assert_int_equal(account.held, 10);
	assert_int_equal(account.available, 20);
	expect(tx, pawl_tx_capture(tx, id, 3, false), PAWL_OK);
	hold_is(*state, id, PAWL_HOLD_HELD, 3);
	expect(tx, pawl_tx_capture(tx, id, 8, false), PAWL_E_INSUFFICIENT);
	expect(tx, pawl_tx_capture(tx, id, 4, true), PAWL_OK);
	hold_is(*state, id, PAWL_HOLD_CAPTURED, 7);
	expect(tx, pawl_tx_capture(tx, id, 0, true), PAWL_OK); /* a repeat */
	expect(tx, pawl_tx_release(tx, id), PAWL_E_HOLD_FINISHED);
	assert_int_equal(kit_balance(*state, "a"), 23);
	assert_int_equal(kit_balance(*state, "b"), 7);
	expect(tx, pawl_tx_release(tx, "7zzzzzzzzzzzz"), PAWL_E_NOT_FOUND);
	pawl_tx_free(tx);
}

static void test_hold__released(void **state)
{
	struct pawl_tx *tx = kit_tx(*state, NULL);
	struct pawl_account account;
	char id[PAWL_ID_TEXT_SIZE];

	kit_accounts(*state, 10);
	hold_new(tx, id);
	expect(tx, pawl_tx_hold(tx, "a", "b", 1, 600), PAWL_E_INSUFFICIENT);
	expect(tx, pawl_tx_release(tx, id), PAWL_OK);
	expect(tx, pawl_tx_release(tx, id), PAWL_OK);
	expect(tx, pawl_tx_capture(tx, id, 0, false), PAWL_E_HOLD_FINISHED);
	hold_is(*state, id, PAWL_HOLD_RELEASED, 0);
	assert_int_equal(pawl_account_get(*state, "a", &account, NULL), PAWL_OK);
	assert_int_equal(account.available, 10);
	pawl_tx_free(tx);
}

static int64_t record_is(struct pawl *p, const char *key, const char *value)
{
	struct pawl_record *r = NULL;
	int64_t version;

	assert_int_equal(pawl_record_get(p, key, &r, NULL), PAWL_OK);
	assert_string_equal(r->value, value);
	assert_int_equal(r->value_len, strlen(value));
	version = r->version;
	pawl_record_free(r);
	return version;
}

static void test_put__compare_and_set(void **state)
{
	struct pawl_tx *tx = kit_tx(*state, NULL);
	int64_t first, second, third;

	expect(tx, pawl_tx_put(tx, "r", "1", PAWL_IF_EXISTS), PAWL_E_VERSION_MISMATCH);
	expect(tx, pawl_tx_put(tx, "r", "{\"b\":[1, 2] ,\"a\" : 1.0}", PAWL_IF_ABSENT), PAWL_OK);
	first = record_is(*state, "r", "{\"a\":1.0,\"b\":[1,2]}");
	expect(tx, pawl_tx_put(tx, "r", "2", PAWL_IF_ABSENT), PAWL_E_VERSION_MISMATCH);
	expect(tx, pawl_tx_put(tx, "r", "2", first), PAWL_OK);
	second = record_is(*state, "r", "2");
	assert_true(second > first);
	expect(tx, pawl_tx_put(tx, "r", "3", first), PAWL_E_VERSION_MISMATCH);
	expect(tx, pawl_tx_check(tx, "r", second), PAWL_OK);
	expect(tx, pawl_tx_check(tx, "r", first), PAWL_E_VERSION_MISMATCH);
	expect(tx, pawl_tx_check(tx, "r", PAWL_IF_ABSENT), PAWL_E_VERSION_MISMATCH);
	expect(tx, pawl_tx_delete(tx, "r", first), PAWL_E_VERSION_MISMATCH);
	expect(tx, pawl_tx_delete(tx, "r", second), PAWL_OK);
	expect(tx, pawl_tx_delete(tx, "r", PAWL_IF_ANY), PAWL_E_NOT_FOUND);
	expect(tx, pawl_tx_check(tx, "r", PAWL_IF_ABSENT), PAWL_OK);
	expect(tx, pawl_tx_put(tx, "r", "4", PAWL_IF_ANY), PAWL_OK);
	third = record_is(*state, "r", "4");
	assert_true(third > second); /* never a version again */
	pawl_tx_free(tx);
}

static void test_check_account__guards_the_rest(void **state)
{
	struct pawl_tx *tx = kit_tx(*state, NULL);

	kit_accounts(*state, 5);
	assert_int_equal(pawl_tx_check_account(tx, "a", 5), PAWL_OK);
	expect(tx, pawl_tx_transfer(tx, "a", "b", 5), PAWL_OK);
	assert_int_equal(pawl_tx_check_account(tx, "a", 1), PAWL_OK);
	expect(tx, pawl_tx_transfer(tx, "b", "a", 5), PAWL_E_INSUFFICIENT);
	expect(tx, pawl_tx_check_account(tx, "nobody", 0), PAWL_E_NOT_FOUND);
	assert_int_equal(kit_balance(*state, "b"), 5);
	pawl_tx_free(tx);
}

static void test_emit_and_enqueue__have_ids(void **state)
{
	struct pawl_tx *tx = kit_tx(*state, NULL);
	char event[PAWL_ID_TEXT_SIZE], job[PAWL_ID_TEXT_SIZE], put[PAWL_ID_TEXT_SIZE];
	struct pawl_answer *a;

	assert_int_equal(pawl_tx_emit(tx, "t", "k", "{\"x\":1}"), PAWL_OK);
	assert_int_equal(pawl_tx_enqueue(tx, "q", "[]", 1), PAWL_OK);
	assert_int_equal(pawl_tx_put(tx, "r", "1", PAWL_IF_ANY), PAWL_OK);
	a = kit_answer(tx);
	assert_int_equal(pawl_answer_id(a, 0, event), PAWL_OK);
	assert_int_equal(pawl_answer_id(a, 1, job), PAWL_OK);
	assert_int_equal(pawl_answer_id(a, 2, put), PAWL_E_NOT_FOUND);
	assert_true(strcmp(event, job) < 0);
	pawl_answer_free(a);
	pawl_tx_free(tx);
}

static void test_fence__a_token_that_was_never_granted_is_refused(void **state)
{
	struct pawl_tx *tx = kit_tx(*state, NULL);

	assert_int_equal(pawl_tx_fence(tx, "lock", 1), PAWL_OK);
	expect(tx, pawl_tx_put(tx, "r", "1", PAWL_IF_ANY), PAWL_E_FENCED);
	pawl_tx_free(tx);
}

static enum pawl_status take(struct pawl_answer *a)
{
	const enum pawl_status st = pawl_answer_code(a);

	pawl_answer_free(a);
	return st;
}

static void test_account__opening_and_floors(void **state)
{
	struct pawl_account account;
	struct pawl_answer *a;

	assert_int_equal(pawl_account_open(*state, "x", "EUR", -50, &a, NULL), PAWL_OK);
	assert_int_equal(pawl_answer_http(a), 201);
	assert_int_equal(take(a), PAWL_OK);
	assert_int_equal(pawl_account_get(*state, "x", &account, NULL), PAWL_OK);
	assert_string_equal(account.id, "x");
	assert_string_equal(account.unit, "EUR");
	assert_true(account.has_floor);
	assert_int_equal(account.floor, -50);
	assert_int_equal(account.available, 50);
	assert_int_equal(pawl_account_open(*state, "x", "EUR", 1, &a, NULL), PAWL_OK);
	assert_int_equal(take(a), PAWL_E_INSUFFICIENT);
	assert_int_equal(pawl_account_open_nofloor(*state, "x", "EUR", &a, NULL), PAWL_OK);
	assert_int_equal(take(a), PAWL_OK);
	assert_int_equal(pawl_account_get(*state, "x", &account, NULL), PAWL_OK);
	assert_false(account.has_floor);
	assert_true(account.available == INT64_MAX);
	assert_int_equal(pawl_account_open(*state, "x", "USD", 0, &a, NULL), PAWL_OK);
	assert_int_equal(take(a), PAWL_E_EXISTS);
	/* The world is there for every unit. */
	assert_int_equal(pawl_account_get(*state, "world:ZZZ", &account, NULL), PAWL_OK);
	assert_string_equal(account.unit, "ZZZ");
	assert_int_equal(account.balance, 0);
	assert_false(account.has_floor);
	assert_int_equal(pawl_account_get(*state, "world:", &account, NULL), PAWL_E_NOT_FOUND);
	assert_int_equal(pawl_account_open(*state, "bad id", "USD", 0, &a, NULL), PAWL_E_INVALID);
}

static void item_is(struct pawl *p, int64_t available, int64_t held, int64_t sold)
{
	struct pawl_item item;

	assert_int_equal(pawl_item_get(p, "s", &item, NULL), PAWL_OK);
	assert_string_equal(item.sku, "s");
	assert_int_equal(item.available, available);
	assert_int_equal(item.held, held);
	assert_int_equal(item.sold, sold);
	assert_true(item.version > 0);
}

static void test_item__opened_once_and_restocked(void **state)
{
	struct pawl_answer *a;

	assert_int_equal(pawl_item_open(*state, "s", 5, &a, NULL), PAWL_OK);
	assert_int_equal(take(a), PAWL_OK);
	assert_int_equal(pawl_item_open(*state, "s", 5, &a, NULL), PAWL_OK);
	assert_int_equal(take(a), PAWL_E_EXISTS);
	item_is(*state, 5, 0, 0);
	assert_int_equal(pawl_item_restock(*state, "k", "s", 2, &a, NULL), PAWL_OK);
	assert_int_equal(take(a), PAWL_OK);
	assert_int_equal(pawl_item_restock(*state, "k", "s", 2, &a, NULL), PAWL_OK);
	assert_true(pawl_answer_replayed(a));
	assert_int_equal(take(a), PAWL_OK);
	item_is(*state, 7, 0, 0);
	assert_int_equal(pawl_item_restock(*state, NULL, "none", 2, &a, NULL), PAWL_OK);
	assert_int_equal(take(a), PAWL_E_NOT_FOUND);
}

static enum pawl_status place(struct pawl *p, int64_t quantity, int64_t hold_s, int64_t pay,
                              char id[PAWL_ID_TEXT_SIZE])
{
	const struct pawl_order_line line = { "s", quantity };
	struct pawl_order order = PAWL_ORDER_INIT;
	struct pawl_answer *a;

	order.lines = &line;
	order.lines_len = 1;
	order.customer = "Ada \"the first\" L\xc3\xb6ve";
	order.hold_s = hold_s;
	if (pay > 0) {
		order.pay_from = "a";
		order.pay_to = "b";
		order.pay_amount = pay;
	}
	assert_int_equal(pawl_order_place(p, NULL, &order, &a, NULL), PAWL_OK);
	if (pawl_answer_code(a) == PAWL_OK) {
		assert_int_equal(pawl_answer_http(a), 201);
		assert_int_equal(pawl_answer_id(a, 0, id), PAWL_OK);
	}
	return take(a);
}

static void order_is(struct pawl *p, const char *id, enum pawl_order_state st)
{
	struct pawl_order_row *o = NULL;

	assert_int_equal(pawl_order_get(p, id, &o, NULL), PAWL_OK);
	assert_string_equal(o->id, id);
	assert_int_equal(o->state, st);
	assert_int_equal(o->json_len, strlen(o->json));
	assert_non_null(strstr(o->json, id));
	assert_non_null(strstr(o->json, "\"customer\":\"Ada \\\"the first\\\" L\xc3\xb6ve\""));
	assert_true(o->version > 0);
	pawl_order_free(o);
}

static void test_order__sold_at_once(void **state)
{
	char id[PAWL_ID_TEXT_SIZE];
	struct pawl_answer *a;

	kit_accounts(*state, 10);
	assert_int_equal(pawl_item_open(*state, "s", 5, &a, NULL), PAWL_OK);
	pawl_answer_free(a);
	assert_int_equal(place(*state, 3, 0, 4, id), PAWL_OK);
	order_is(*state, id, PAWL_ORDER_CONFIRMED);
	item_is(*state, 2, 0, 3);
	assert_int_equal(kit_balance(*state, "b"), 4);
	assert_int_equal(place(*state, 3, 0, 1, id), PAWL_E_INSUFFICIENT);
	assert_int_equal(place(*state, 1, 0, 7, id), PAWL_E_INSUFFICIENT); /* the money */
	item_is(*state, 2, 0, 3);
	assert_int_equal(kit_balance(*state, "b"), 4);
}

static void test_order__held_then_confirmed_or_cancelled(void **state)
{
	char one[PAWL_ID_TEXT_SIZE], two[PAWL_ID_TEXT_SIZE];
	struct pawl_answer *a;

	kit_accounts(*state, 10);
	assert_int_equal(pawl_item_open(*state, "s", 5, &a, NULL), PAWL_OK);
	pawl_answer_free(a);
	assert_int_equal(place(*state, 2, 600, 4, one), PAWL_OK);
	assert_int_equal(place(*state, 3, 600, 4, two), PAWL_OK);
	order_is(*state, one, PAWL_ORDER_HELD);
	item_is(*state, 0, 5, 0);
	assert_int_equal(kit_balance(*state, "a"), 10);
	assert_int_equal(pawl_order_confirm(*state, "k", one, &a, NULL), PAWL_OK);
	assert_int_equal(take(a), PAWL_OK);
	assert_int_equal(pawl_order_confirm(*state, NULL, one, &a, NULL), PAWL_OK);
	assert_int_equal(take(a), PAWL_OK);
	assert_int_equal(pawl_order_cancel(*state, NULL, one, &a, NULL), PAWL_OK);
	assert_int_equal(take(a), PAWL_E_HOLD_FINISHED);
	assert_int_equal(pawl_order_cancel(*state, NULL, two, &a, NULL), PAWL_OK);
	assert_int_equal(take(a), PAWL_OK);
	assert_int_equal(pawl_order_confirm(*state, NULL, two, &a, NULL), PAWL_OK);
	assert_int_equal(take(a), PAWL_E_HOLD_FINISHED);
	order_is(*state, one, PAWL_ORDER_CONFIRMED);
	order_is(*state, two, PAWL_ORDER_CANCELLED);
	item_is(*state, 3, 0, 2);
	assert_int_equal(kit_balance(*state, "b"), 4);
	assert_int_equal(pawl_order_cancel(*state, NULL, "7zzzzzzzzzzzz", &a, NULL), PAWL_OK);
	assert_int_equal(take(a), PAWL_E_NOT_FOUND);
}

static void test_key__one_effect_one_answer(void **state)
{
	struct pawl_tx *tx = kit_tx(*state, "k"), *other = kit_tx(*state, "k");
	struct pawl_answer *first, *again, *found, *copy;
	size_t len = 0;

	kit_accounts(*state, 10);
	assert_int_equal(pawl_tx_transfer(tx, "a", "b", 3), PAWL_OK);
	first = kit_answer(tx);
	again = kit_answer(tx); /* the same object, committed again */
	assert_false(pawl_answer_replayed(first));
	assert_true(pawl_answer_replayed(again));
	assert_int_equal(pawl_answer_revision(again), pawl_answer_revision(first));
	assert_string_equal(pawl_answer_json(again, &len), pawl_answer_json(first, NULL));
	assert_int_equal(len, strlen(pawl_answer_json(first, NULL)));
	assert_int_equal(kit_balance(*state, "b"), 3);
	assert_int_equal(pawl_answer_find(*state, "k", &found, NULL), PAWL_OK);
	assert_true(pawl_answer_replayed(found));
	assert_string_equal(pawl_answer_json(found, NULL), pawl_answer_json(first, NULL));
	assert_int_equal(pawl_answer_dup(found, &copy, NULL), PAWL_OK);
	pawl_answer_free(found);
	assert_string_equal(pawl_answer_json(copy, NULL), pawl_answer_json(first, NULL));
	/* Another request under the key. */
	assert_int_equal(pawl_tx_transfer(other, "a", "b", 4), PAWL_OK);
	assert_int_equal(kit_commit(other), PAWL_E_KEY_REUSED);
	assert_int_equal(kit_balance(*state, "b"), 3);
	pawl_answer_free(copy);
	pawl_answer_free(first);
	pawl_answer_free(again);
	pawl_tx_free(tx);
	pawl_tx_free(other);
}

static void test_key__two_spellings_of_one_value_are_one_request(void **state)
{
	struct pawl_tx *tx = kit_tx(*state, "k"), *same = kit_tx(*state, "k");
	struct pawl_tx *other = kit_tx(*state, "k");
	struct pawl_answer *a;

	assert_int_equal(pawl_tx_put(tx, "r", "{\"a\":1,\"b\":\"\\u0041\"}", PAWL_IF_ABSENT),
	                 PAWL_OK);
	assert_int_equal(kit_commit(tx), PAWL_OK);
	assert_int_equal(pawl_tx_put(same, "r", " { \"b\" : \"A\", \"a\":1 } ", PAWL_IF_ABSENT),
	                 PAWL_OK);
	a = kit_answer(same);
	assert_true(pawl_answer_replayed(a)); /* not a mismatch: the key comes first */
	assert_int_equal(take(a), PAWL_OK);
	assert_int_equal(pawl_tx_put(other, "r", "{\"a\":2,\"b\":\"A\"}", PAWL_IF_ABSENT), PAWL_OK);
	assert_int_equal(kit_commit(other), PAWL_E_KEY_REUSED);
	pawl_tx_free(tx);
	pawl_tx_free(same);
	pawl_tx_free(other);
}

static void test_key__none_means_done_each_time(void **state)
{
	struct pawl_tx *tx = kit_tx(*state, NULL);

	kit_accounts(*state, 10);
	assert_int_equal(pawl_tx_transfer(tx, "a", "b", 3), PAWL_OK);
	assert_int_equal(kit_commit(tx), PAWL_OK);
	assert_int_equal(kit_commit(tx), PAWL_OK);
	assert_int_equal(kit_balance(*state, "b"), 6);
	pawl_tx_free(tx);
}

static void test_reset__starts_anew(void **state)
{
	struct pawl_tx *tx = kit_tx(*state, "k");
	struct pawl_answer *a = NULL;

	assert_int_equal(pawl_tx_item(tx, "s", 1), PAWL_OK);
	assert_int_equal(kit_commit(tx), PAWL_OK);
	for (int i = 0; i < 100; i++) {
		pawl_tx_reset(tx);
		assert_int_equal(pawl_tx_put(tx, "r", "\"value\"", PAWL_IF_ANY), PAWL_OK);
		assert_int_equal(kit_commit(tx), PAWL_OK); /* no key, no leftover operation */
	}
	pawl_tx_reset(tx);
	assert_int_equal(pawl_tx_commit(tx, &a, NULL), PAWL_E_INVALID);
	assert_null(a);
	pawl_tx_free(tx);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, kit_setup, kit_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(test_transfer__moves_or_refuses),
		WITH_STORE(test_tx__all_or_nothing_and_the_refused_one_is_named),
		WITH_STORE(test_hold__captured_in_parts_then_finished),
		WITH_STORE(test_hold__released),
		WITH_STORE(test_put__compare_and_set),
		WITH_STORE(test_check_account__guards_the_rest),
		WITH_STORE(test_emit_and_enqueue__have_ids),
		WITH_STORE(test_fence__a_token_that_was_never_granted_is_refused),
		WITH_STORE(test_account__opening_and_floors),
		WITH_STORE(test_item__opened_once_and_restocked),
		WITH_STORE(test_order__sold_at_once),
		WITH_STORE(test_order__held_then_confirmed_or_cancelled),
		WITH_STORE(test_key__one_effect_one_answer),
		WITH_STORE(test_key__two_spellings_of_one_value_are_one_request),
		WITH_STORE(test_key__none_means_done_each_time),
		WITH_STORE(test_reset__starts_anew),
	};

	kit_init(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
