/* SPDX-License-Identifier: Apache-2.0 */
/* What the door refuses: every argument at its limit and one beyond. */
#include "kit.h"

/* The same call twice on a fresh transaction: accepted, or refused and remembered. */
#define ACCEPTS(tx, call)                                                                          \
	do {                                                                                       \
		pawl_tx_reset(tx);                                                                 \
		assert_int_equal((call), PAWL_OK);                                                 \
	} while (0)

#define REFUSES(tx, call)                                                                          \
	do {                                                                                       \
		pawl_tx_reset(tx);                                                                 \
		assert_int_equal((call), PAWL_E_INVALID);                                          \
		assert_int_equal(kit_commit(tx), PAWL_E_INVALID);                                  \
	} while (0)

#define ID_MAX      kit_text('i', PAWL_ID_MAX)
#define ID_TOO_LONG kit_text('i', PAWL_ID_MAX + 1)

static void test_tx__ids(void **state)
{
	static const char *const bad[] = { "", "a b", "a/b", "\x7f", "\xc3\xa9", "a\n", "\x01" };
	struct pawl_tx *tx = kit_tx(*state, NULL);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		REFUSES(tx, pawl_tx_transfer(tx, bad[i], "b", 1));
		REFUSES(tx, pawl_tx_transfer(tx, "a", bad[i], 1));
		REFUSES(tx, pawl_tx_put(tx, bad[i], "1", PAWL_IF_ANY));
		REFUSES(tx, pawl_tx_delete(tx, bad[i], PAWL_IF_ANY));
		REFUSES(tx, pawl_tx_check(tx, bad[i], 1));
		REFUSES(tx, pawl_tx_check_account(tx, bad[i], 1));
		REFUSES(tx, pawl_tx_emit(tx, bad[i], NULL, "1"));
		REFUSES(tx, pawl_tx_emit(tx, "t", bad[i], "1"));
		REFUSES(tx, pawl_tx_enqueue(tx, bad[i], "1", 0));
		REFUSES(tx, pawl_tx_fence(tx, bad[i], 1));
		REFUSES(tx, pawl_tx_account(tx, bad[i], "EUR", 0));
		REFUSES(tx, pawl_tx_account(tx, "a", bad[i], 0));
		REFUSES(tx, pawl_tx_account_nofloor(tx, bad[i], "EUR"));
		REFUSES(tx, pawl_tx_item(tx, bad[i], 1));
		REFUSES(tx, pawl_tx_restock(tx, bad[i], 1));
	}
	ACCEPTS(tx, pawl_tx_transfer(tx, ID_MAX, "b", 1));
	REFUSES(tx, pawl_tx_transfer(tx, ID_TOO_LONG, "b", 1));
	ACCEPTS(tx, pawl_tx_hold(tx, "a", ID_MAX, 1, 1));
	REFUSES(tx, pawl_tx_hold(tx, "a", ID_TOO_LONG, 1, 1));
	ACCEPTS(tx, pawl_tx_put(tx, ID_MAX, "1", PAWL_IF_ANY));
	REFUSES(tx, pawl_tx_put(tx, ID_TOO_LONG, "1", PAWL_IF_ANY));
	ACCEPTS(tx, pawl_tx_emit(tx, "t", ID_MAX, "1"));
	REFUSES(tx, pawl_tx_emit(tx, "t", ID_TOO_LONG, "1"));
	ACCEPTS(tx, pawl_tx_account(tx, "a", kit_text('U', PAWL_UNIT_MAX), 0));
	REFUSES(tx, pawl_tx_account(tx, "a", kit_text('U', PAWL_UNIT_MAX + 1), 0));
	REFUSES(tx, pawl_tx_transfer(tx, NULL, "b", 1));
	REFUSES(tx, pawl_tx_item(tx, NULL, 1));
	pawl_tx_free(tx);
}

static void test_tx__numbers(void **state)
{
	struct pawl_tx *tx = kit_tx(*state, NULL);

	REFUSES(tx, pawl_tx_transfer(tx, "a", "b", 0));
	REFUSES(tx, pawl_tx_transfer(tx, "a", "b", -1));
	REFUSES(tx, pawl_tx_transfer(tx, "a", "b", INT64_MIN));
	ACCEPTS(tx, pawl_tx_transfer(tx, "a", "b", 1));
	ACCEPTS(tx, pawl_tx_transfer(tx, "a", "b", PAWL_AMOUNT_MAX));
	REFUSES(tx, pawl_tx_hold(tx, "a", "b", 0, 1));
	REFUSES(tx, pawl_tx_hold(tx, "a", "b", 1, 0));
	REFUSES(tx, pawl_tx_hold(tx, "a", "b", 1, PAWL_HOLD_TTL_MAX_S + 1));
	REFUSES(tx, pawl_tx_hold(tx, "a", "b", 1, INT64_MAX));
	ACCEPTS(tx, pawl_tx_hold(tx, "a", "b", 1, PAWL_HOLD_TTL_MAX_S));
	REFUSES(tx, pawl_tx_capture(tx, "0000000000101", -1, false));
	ACCEPTS(tx, pawl_tx_capture(tx, "0000000000101", 0, false));
	REFUSES(tx, pawl_tx_enqueue(tx, "q", "1", -1));
	REFUSES(tx, pawl_tx_enqueue(tx, "q", "1", PAWL_JOB_DELAY_MAX_S + 1));
	ACCEPTS(tx, pawl_tx_enqueue(tx, "q", "1", PAWL_JOB_DELAY_MAX_S));
	REFUSES(tx, pawl_tx_fence(tx, "l", 0));
	ACCEPTS(tx, pawl_tx_fence(tx, "l", INT64_MAX));
	REFUSES(tx, pawl_tx_put(tx, "k", "1", -3));
	ACCEPTS(tx, pawl_tx_put(tx, "k", "1", PAWL_IF_EXISTS));
	ACCEPTS(tx, pawl_tx_put(tx, "k", "1", INT64_MAX));
	REFUSES(tx, pawl_tx_delete(tx, "k", PAWL_IF_ABSENT));
	REFUSES(tx, pawl_tx_check(tx, "k", PAWL_IF_ANY));
	ACCEPTS(tx, pawl_tx_check(tx, "k", PAWL_IF_ABSENT));
	REFUSES(tx, pawl_tx_item(tx, "s", -1));
	ACCEPTS(tx, pawl_tx_item(tx, "s", 0));
	REFUSES(tx, pawl_tx_restock(tx, "s", 0));
	ACCEPTS(tx, pawl_tx_restock(tx, "s", PAWL_AMOUNT_MAX));
	REFUSES(tx, pawl_tx_deadline(tx, 0));
	REFUSES(tx, pawl_tx_deadline(tx, (int64_t)PAWL_DEADLINE_MS_MAX + 1));
	ACCEPTS(tx, pawl_tx_deadline(tx, PAWL_DEADLINE_MS_MAX));
	pawl_tx_free(tx);
}

static void test_tx__ids_of_holds_and_orders(void **state)
{
	static const char *const bad[] = { "",
		                           "1",
		                           "000000000010",
		                           "00000000001010",
		                           "000000000010L",
		                           "0000000000000",
		                           "8000000000000",
		                           "00000 0000101",
		                           "000000000010I" };
	struct pawl_tx *tx = kit_tx(*state, NULL);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		REFUSES(tx, pawl_tx_capture(tx, bad[i], 0, false));
		REFUSES(tx, pawl_tx_release(tx, bad[i]));
		REFUSES(tx, pawl_tx_confirm(tx, bad[i]));
		REFUSES(tx, pawl_tx_cancel(tx, bad[i]));
	}
	REFUSES(tx, pawl_tx_release(tx, NULL));
	ACCEPTS(tx, pawl_tx_confirm(tx, "7zzzzzzzzzzzz"));
	pawl_tx_free(tx);
}

static void test_tx__keys(void **state)
{
	struct pawl_tx *tx = kit_tx(*state, NULL);

	REFUSES(tx, pawl_tx_key(tx, NULL));
	REFUSES(tx, pawl_tx_key(tx, ""));
	REFUSES(tx, pawl_tx_key(tx, "two words"));
	REFUSES(tx, pawl_tx_key(tx, "\xc3\xa9"));
	REFUSES(tx, pawl_tx_key(tx, kit_text('k', PAWL_KEY_MAX + 1)));
	ACCEPTS(tx, pawl_tx_key(tx, kit_text('k', PAWL_KEY_MAX)));
	ACCEPTS(tx, pawl_tx_key(tx, "any/thing"));
	pawl_tx_free(tx);
}

static const char *nested(unsigned depth)
{
	static char text[2 * (PAWL_JSON_DEPTH_MAX + 2) + 1];

	memset(text, '[', depth);
	memset(text + depth, ']', depth);
	text[2 * depth] = '\0';
	return text;
}

static void test_tx__json(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"{",
		"[1,]",
		"{'a':1}",
		"{\"a\":1,\"a\":2}",
		"NaN",
		"01",
		"1 2",
		"\"\\ud800\"",
		"\"\\u0000\"",
		"\"\xff\"",
		"9223372036854775808",
		"-9223372036854775809",
		"nul",
		"\"\t\"",
		"{\"a\"}",
		"1e999",
	};
	static const char *const good[] = {
		"null",
		"true",
		"0",
		"-1",
		"1.5",
		"\"\"",
		"[]",
		"{}",
		" {\"a\" : [1, 2] } ",
		"9223372036854775807",
		"-9223372036854775808",
		"\"\\u00e9\xc3\xa9\"",
		"\"[[[[{{{{\"",
	};
	struct pawl_tx *tx = kit_tx(*state, NULL);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		REFUSES(tx, pawl_tx_put(tx, "k", bad[i], PAWL_IF_ANY));
		REFUSES(tx, pawl_tx_emit(tx, "t", NULL, bad[i]));
		REFUSES(tx, pawl_tx_enqueue(tx, "q", bad[i], 0));
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ACCEPTS(tx, pawl_tx_put(tx, "k", good[i], PAWL_IF_ANY));
		assert_int_equal(kit_commit(tx), PAWL_OK);
	}
	REFUSES(tx, pawl_tx_put(tx, "k", NULL, PAWL_IF_ANY));
	ACCEPTS(tx, pawl_tx_put(tx, "k", nested(PAWL_JSON_DEPTH_MAX), PAWL_IF_ANY));
	REFUSES(tx, pawl_tx_put(tx, "k", nested(PAWL_JSON_DEPTH_MAX + 1), PAWL_IF_ANY));
	pawl_tx_free(tx);
}

/* A JSON string of so many bytes with its quotes. */
static const char *json_string(size_t len)
{
	static char text[PAWL_BODY_MAX + 2];

	memset(text, 'x', len);
	text[0] = text[len - 1] = '"';
	text[len] = '\0';
	return text;
}

static void test_tx__json_sizes_are_of_the_compact_form(void **state)
{
	static char spaced[PAWL_EVENT_MAX + 64];
	struct pawl_tx *tx = kit_tx(*state, NULL);

	ACCEPTS(tx, pawl_tx_put(tx, "k", json_string(PAWL_VALUE_MAX), PAWL_IF_ANY));
	assert_int_equal(kit_commit(tx), PAWL_OK);
	REFUSES(tx, pawl_tx_put(tx, "k", json_string(PAWL_VALUE_MAX + 1), PAWL_IF_ANY));
	REFUSES(tx, pawl_tx_put(tx, "k", json_string(PAWL_BODY_MAX + 1), PAWL_IF_ANY));
	ACCEPTS(tx, pawl_tx_emit(tx, "t", NULL, json_string(PAWL_EVENT_MAX)));
	REFUSES(tx, pawl_tx_emit(tx, "t", NULL, json_string(PAWL_EVENT_MAX + 1)));
	ACCEPTS(tx, pawl_tx_enqueue(tx, "q", json_string(PAWL_EVENT_MAX), 0));
	REFUSES(tx, pawl_tx_enqueue(tx, "q", json_string(PAWL_EVENT_MAX + 1), 0));
	memset(spaced, ' ', sizeof(spaced) - 1);
	spaced[0] = '[';
	spaced[sizeof(spaced) - 2] = ']';
	ACCEPTS(tx, pawl_tx_emit(tx, "t", NULL, spaced));
	pawl_tx_free(tx);
}

static void test_tx__operations_up_to_the_limit(void **state)
{
	struct pawl_tx *tx = kit_tx(*state, NULL);

	for (int i = 0; i < PAWL_OPS_MAX; i++)
		assert_int_equal(pawl_tx_emit(tx, "t", NULL, "1"), PAWL_OK);
	assert_int_equal(kit_commit(tx), PAWL_OK);
	assert_int_equal(pawl_tx_emit(tx, "t", NULL, "1"), PAWL_E_INVALID);
	assert_int_equal(kit_commit(tx), PAWL_E_INVALID);
	pawl_tx_free(tx);
}

static void test_tx__bytes_up_to_the_limit(void **state)
{
	struct pawl_tx *tx = kit_tx(*state, NULL);
	int taken = 0;

	while (pawl_tx_put(tx, "k", json_string(PAWL_VALUE_MAX), PAWL_IF_ANY) == PAWL_OK)
		taken++;
	assert_true(taken >= 8 && taken <= PAWL_TX_BYTES_MAX / PAWL_VALUE_MAX);
	assert_int_equal(kit_commit(tx), PAWL_E_INVALID);
	/* And it is usable again. */
	ACCEPTS(tx, pawl_tx_put(tx, "k", "1", PAWL_IF_ANY));
	assert_int_equal(kit_commit(tx), PAWL_OK);
	pawl_tx_free(tx);
}

static void test_tx__no_operation_is_refused(void **state)
{
	struct pawl_tx *tx = kit_tx(*state, "k");

	assert_int_equal(kit_commit(tx), PAWL_E_INVALID);
	pawl_tx_free(tx);
}

static void test_tx__second_group_stands_alone(void **state)
{
	struct pawl_tx *tx = kit_tx(*state, NULL);

	assert_int_equal(pawl_tx_item(tx, "s", 1), PAWL_OK);
	assert_int_equal(pawl_tx_emit(tx, "t", NULL, "1"), PAWL_E_INVALID);
	assert_int_equal(kit_commit(tx), PAWL_E_INVALID);
	pawl_tx_reset(tx);
	assert_int_equal(pawl_tx_emit(tx, "t", NULL, "1"), PAWL_OK);
	assert_int_equal(pawl_tx_restock(tx, "s", 1), PAWL_E_INVALID);
	pawl_tx_reset(tx);
	assert_int_equal(pawl_tx_item(tx, "s", 1), PAWL_OK);
	assert_int_equal(pawl_tx_item(tx, "u", 1), PAWL_E_INVALID);
	pawl_tx_free(tx);
}

static void test_tx__first_wrong_argument_is_remembered_and_named(void **state)
{
	struct pawl_error err = { .status = PAWL_OK };
	struct pawl_answer *answer = NULL;
	struct pawl_tx *tx = kit_tx(*state, NULL);

	assert_int_equal(pawl_tx_emit(tx, "t", NULL, "1"), PAWL_OK);
	assert_int_equal(pawl_tx_transfer(tx, "secret name", "b", 1), PAWL_E_INVALID);
	assert_int_equal(pawl_tx_transfer(tx, "a", "b", 0), PAWL_E_INVALID);
	assert_int_equal(pawl_tx_emit(tx, "t", NULL, "1"),
	                 PAWL_E_INVALID); /* nothing wrong in it */
	assert_int_equal(pawl_tx_key(tx, "k"), PAWL_E_INVALID);
	assert_int_equal(pawl_tx_commit(tx, &answer, &err), PAWL_E_INVALID);
	assert_null(answer);
	assert_int_equal(err.status, PAWL_E_INVALID);
	assert_non_null(strstr(err.text, "operation 1 (transfer): from"));
	assert_null(strstr(err.text, "secret"));
	pawl_tx_free(tx);
}

static enum pawl_status order_with(struct pawl *p, const struct pawl_order *o)
{
	struct pawl_answer *answer = NULL;
	enum pawl_status st = pawl_order_place(p, NULL, o, &answer, NULL);

	if (st == PAWL_OK)
		st = pawl_answer_code(answer);
	pawl_answer_free(answer);
	return st;
}

static void test_order__arguments(void **state)
{
	static struct pawl_order_line lines[PAWL_LINES_MAX + 1];
	struct pawl_order o = PAWL_ORDER_INIT, ok;

	for (int i = 0; i < PAWL_LINES_MAX + 1; i++)
		lines[i] = (struct pawl_order_line){ "s", 1 };
	assert_int_equal(order_with(*state, &o), PAWL_E_INVALID); /* no lines */
	o.lines = lines;
	assert_int_equal(order_with(*state, &o), PAWL_E_INVALID);
	o.lines_len = 1;
	ok = o;
	assert_int_equal(order_with(*state, &o), PAWL_E_NOT_FOUND); /* passed the door */
	o.lines_len = PAWL_LINES_MAX;
	assert_int_equal(order_with(*state, &o), PAWL_E_NOT_FOUND);
	o.lines_len = PAWL_LINES_MAX + 1;
	assert_int_equal(order_with(*state, &o), PAWL_E_INVALID);
	o = ok;
	o.size = 0;
	assert_int_equal(order_with(*state, &o), PAWL_E_INVALID);
	o = ok;
	o.hold_s = -1;
	assert_int_equal(order_with(*state, &o), PAWL_E_INVALID);
	o.hold_s = PAWL_HOLD_TTL_MAX_S + 1;
	assert_int_equal(order_with(*state, &o), PAWL_E_INVALID);
	o.hold_s = PAWL_HOLD_TTL_MAX_S;
	assert_int_equal(order_with(*state, &o), PAWL_E_NOT_FOUND);
	o = ok;
	o.customer = kit_text('c', PAWL_CUSTOMER_MAX);
	assert_int_equal(order_with(*state, &o), PAWL_E_NOT_FOUND);
	o.customer = kit_text('c', PAWL_CUSTOMER_MAX + 1);
	assert_int_equal(order_with(*state, &o), PAWL_E_INVALID);
	o.customer = "\xff";
	assert_int_equal(order_with(*state, &o), PAWL_E_INVALID);
	o = ok;
	o.pay_from = "a";
	assert_int_equal(order_with(*state, &o), PAWL_E_INVALID);
	o.pay_to = "b";
	assert_int_equal(order_with(*state, &o), PAWL_E_INVALID);
	o.pay_amount = 1;
	assert_int_equal(order_with(*state, &o), PAWL_E_NOT_FOUND);
	lines[0].quantity = 0;
	assert_int_equal(order_with(*state, &ok), PAWL_E_INVALID);
	lines[0] = (struct pawl_order_line){ NULL, 1 };
	assert_int_equal(order_with(*state, &ok), PAWL_E_INVALID);
}

static void test_reads__arguments(void **state)
{
	struct pawl_answer *answer = NULL;
	struct pawl_order_row *order = NULL;
	struct pawl_record *record = NULL;
	struct pawl_account account;
	struct pawl_hold hold;
	struct pawl_item item;

	assert_int_equal(pawl_account_get(*state, "", &account, NULL), PAWL_E_INVALID);
	assert_int_equal(pawl_account_get(*state, "a/b", &account, NULL), PAWL_E_INVALID);
	assert_int_equal(
		pawl_account_get(*state, kit_text('a', PAWL_ACCOUNT_ID_MAX), &account, NULL),
		PAWL_E_NOT_FOUND);
	assert_int_equal(
		pawl_account_get(*state, kit_text('a', PAWL_ACCOUNT_ID_MAX + 1), &account, NULL),
		PAWL_E_INVALID);
	assert_int_equal(pawl_hold_get(*state, "x", &hold, NULL), PAWL_E_INVALID);
	assert_int_equal(pawl_hold_get(*state, "0000000000101", &hold, NULL), PAWL_E_NOT_FOUND);
	assert_int_equal(pawl_item_get(*state, ID_TOO_LONG, &item, NULL), PAWL_E_INVALID);
	assert_int_equal(pawl_item_get(*state, ID_MAX, &item, NULL), PAWL_E_NOT_FOUND);
	assert_int_equal(pawl_order_get(*state, "", &order, NULL), PAWL_E_INVALID);
	assert_int_equal(pawl_order_get(*state, "0000000000101", &order, NULL), PAWL_E_NOT_FOUND);
	assert_int_equal(pawl_record_get(*state, ID_TOO_LONG, &record, NULL), PAWL_E_INVALID);
	assert_int_equal(pawl_record_get(*state, ID_MAX, &record, NULL), PAWL_E_NOT_FOUND);
	assert_int_equal(pawl_answer_find(*state, "", &answer, NULL), PAWL_E_INVALID);
	assert_int_equal(pawl_answer_find(*state, kit_text('k', PAWL_KEY_MAX), &answer, NULL),
	                 PAWL_E_NOT_FOUND);
	assert_int_equal(pawl_answer_find(*state, kit_text('k', PAWL_KEY_MAX + 1), &answer, NULL),
	                 PAWL_E_INVALID);
	assert_true(order == NULL && record == NULL && answer == NULL);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, kit_setup, kit_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(test_tx__ids),
		WITH_STORE(test_tx__numbers),
		WITH_STORE(test_tx__ids_of_holds_and_orders),
		WITH_STORE(test_tx__keys),
		WITH_STORE(test_tx__json),
		WITH_STORE(test_tx__json_sizes_are_of_the_compact_form),
		WITH_STORE(test_tx__operations_up_to_the_limit),
		WITH_STORE(test_tx__bytes_up_to_the_limit),
		WITH_STORE(test_tx__no_operation_is_refused),
		WITH_STORE(test_tx__second_group_stands_alone),
		WITH_STORE(test_tx__first_wrong_argument_is_remembered_and_named),
		WITH_STORE(test_order__arguments),
		WITH_STORE(test_reads__arguments),
	};

	kit_init(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
