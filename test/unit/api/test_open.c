/* SPDX-License-Identifier: Apache-2.0 */
/* The handle: versions, options, health, the audit. */
#include "kit.h"

static void test_version__is_that_of_the_header_and_the_build(void **state)
{
	(void)state;
	assert_string_equal(pawl_version(), PAWL_VERSION);
	assert_string_equal(pawl_version(), TEST_PROJECT_VERSION);
}

static void test_open__unknown_scheme_is_configuration(void **state)
{
	struct pawl_error err = { .status = PAWL_OK };
	struct pawl *p = NULL;

	(void)state;
	assert_int_equal(pawl_open("mysql://x", NULL, &p, &err), PAWL_E_CONFIG);
	assert_int_equal(err.status, PAWL_E_CONFIG);
	assert_true(err.text[0] != '\0');
	assert_null(p);
	assert_int_equal(pawl_open("", NULL, &p, NULL), PAWL_E_CONFIG);
	assert_null(p);
}

static enum pawl_status open_with(const struct pawl_options *o)
{
	struct pawl *p = NULL;
	const enum pawl_status st = pawl_open("memory:", o, &p, NULL);

	assert_true((st == PAWL_OK) == (p != NULL));
	pawl_close(p);
	return st;
}

static void test_open__options_of_another_version(void **state)
{
	struct {
		struct pawl_options o;
		int64_t later;
	} newer = { PAWL_OPTIONS_INIT, 0 };
	struct pawl_options o = PAWL_OPTIONS_INIT;

	(void)state;
	assert_int_equal(open_with(&o), PAWL_OK);
	o.size = 0;
	assert_int_equal(open_with(&o), PAWL_E_INVALID);
	o.size = offsetof(struct pawl_options, deadline_ms); /* an older program's */
	o.deadline_ms = -5;                                  /* which it does not have */
	assert_int_equal(open_with(&o), PAWL_OK);
	newer.o.size = sizeof(newer);
	assert_int_equal(open_with(&newer.o), PAWL_OK);
	newer.later = 1; /* a wish that this library can't fulfil */
	assert_int_equal(open_with(&newer.o), PAWL_E_INVALID);
}

static void test_open__options_out_of_range_are_refused(void **state)
{
	struct pawl_options o = PAWL_OPTIONS_INIT;

	(void)state;
	o.deadline_ms = -1;
	assert_int_equal(open_with(&o), PAWL_E_INVALID);
	o.deadline_ms = (int64_t)PAWL_DEADLINE_MS_MAX + 1;
	assert_int_equal(open_with(&o), PAWL_E_INVALID);
	o.deadline_ms = PAWL_DEADLINE_MS_MAX;
	assert_int_equal(open_with(&o), PAWL_OK);
	o.retention_s = -1;
	assert_int_equal(open_with(&o), PAWL_E_INVALID);
	o.retention_s = INT64_MAX;
	assert_int_equal(open_with(&o), PAWL_E_INVALID);
	o.retention_s = 1;
	assert_int_equal(open_with(&o), PAWL_OK);
	o.clock_step_max_s = -1;
	assert_int_equal(open_with(&o), PAWL_E_INVALID);
	o.clock_step_max_s = 1;
	o.caller = "";
	assert_int_equal(open_with(&o), PAWL_E_INVALID);
	o.caller = "two words";
	assert_int_equal(open_with(&o), PAWL_E_INVALID);
	o.caller = kit_text('c', PAWL_CALLER_MAX + 1);
	assert_int_equal(open_with(&o), PAWL_E_INVALID);
	o.caller = kit_text('c', PAWL_CALLER_MAX);
	assert_int_equal(open_with(&o), PAWL_OK);
}

static void test_open__two_stores_at_once(void **state)
{
	struct pawl *p, *q;

	(void)state;
	assert_int_equal(pawl_open(kit_url(), NULL, &p, NULL), PAWL_OK);
	assert_int_equal(pawl_open(kit_url(), NULL, &q, NULL), PAWL_OK);
	kit_accounts(p, 7);
	kit_accounts(q, 9);
	assert_int_equal(kit_balance(p, "a"), 7);
	assert_int_equal(kit_balance(q, "a"), 9);
	pawl_close(p);
	assert_int_equal(kit_balance(q, "a"), 9);
	pawl_close(q);
}

static void test_open__a_store_that_is_open_is_busy(void **state)
{
	struct pawl_error err = { .status = PAWL_OK };
	struct pawl *p, *q = NULL;
	const char *url = kit_url();

	(void)state;
	KIT_NEEDS_DURABLE();
	assert_int_equal(pawl_open(url, NULL, &p, NULL), PAWL_OK);
	assert_int_equal(pawl_open(url, NULL, &q, &err), PAWL_E_BUSY);
	assert_null(q);
	pawl_close(p);
	assert_int_equal(pawl_open(url, NULL, &q, &err), PAWL_OK);
	pawl_close(q);
}

static void test_open__what_was_committed_is_there_again(void **state)
{
	struct pawl_options other = PAWL_OPTIONS_INIT;
	struct pawl_answer *first, *again;
	struct pawl_tx *tx;
	struct pawl *p;
	const char *url = kit_url();

	(void)state;
	KIT_NEEDS_DURABLE();
	assert_int_equal(pawl_open(url, NULL, &p, NULL), PAWL_OK);
	kit_accounts(p, 5);
	tx = kit_tx(p, "k");
	assert_int_equal(pawl_tx_transfer(tx, "a", "b", 2), PAWL_OK);
	first = kit_answer(tx);
	pawl_tx_free(tx);
	pawl_close(p);
	assert_int_equal(pawl_open(url, NULL, &p, NULL), PAWL_OK);
	assert_int_equal(kit_balance(p, "a"), 3);
	tx = kit_tx(p, "k");
	assert_int_equal(pawl_tx_transfer(tx, "a", "b", 2), PAWL_OK);
	again = kit_answer(tx);
	assert_true(pawl_answer_replayed(again));
	assert_string_equal(pawl_answer_json(again, NULL), pawl_answer_json(first, NULL));
	assert_int_equal(kit_balance(p, "a"), 3);
	pawl_answer_free(first);
	pawl_answer_free(again);
	pawl_tx_free(tx);
	pawl_close(p);
	/* Keys are per caller. */
	other.caller = "somebody-else";
	assert_int_equal(pawl_open(url, &other, &p, NULL), PAWL_OK);
	assert_int_equal(pawl_answer_find(p, "k", &first, NULL), PAWL_E_NOT_FOUND);
	tx = kit_tx(p, "k");
	assert_int_equal(pawl_tx_transfer(tx, "a", "b", 1), PAWL_OK);
	assert_int_equal(kit_commit(tx), PAWL_OK);
	assert_int_equal(kit_balance(p, "a"), 2);
	pawl_tx_free(tx);
	pawl_close(p);
}

static void test_close__null_is_allowed(void **state)
{
	(void)state;
	pawl_close(NULL);
	pawl_tx_free(NULL);
	pawl_answer_free(NULL);
	pawl_order_free(NULL);
	pawl_record_free(NULL);
}

static void test_health__writable_until_drained(void **state)
{
	struct pawl_health h;
	struct pawl_tx *tx = kit_tx(*state, NULL);

	pawl_health(*state, &h);
	assert_true(h.writable);
	assert_false(h.draining);
	assert_false(h.clock_stepped);
	assert_int_equal(h.queued, 0);
	assert_string_equal(h.detail, "");
	pawl_drain(*state);
	pawl_drain(*state);
	pawl_health(*state, &h);
	assert_true(h.draining);
	assert_int_equal(pawl_tx_emit(tx, "t", NULL, "1"), PAWL_OK);
	assert_int_equal(kit_commit(tx), PAWL_E_DRAINING);
	pawl_tx_free(tx);
}

static void no_drift(void *arg, const char *check, const char *text)
{
	(void)arg;
	fail_msg("%s: %s", check, text);
}

static void test_verify__counts_what_there_is(void **state)
{
	struct pawl_audit audit;
	struct pawl_tx *tx = kit_tx(*state, "k");

	kit_accounts(*state, 10);
	assert_int_equal(pawl_tx_transfer(tx, "a", "b", 3), PAWL_OK);
	assert_int_equal(pawl_tx_hold(tx, "a", "b", 2, 60), PAWL_OK);
	assert_int_equal(pawl_tx_put(tx, "r", "{}", PAWL_IF_ABSENT), PAWL_OK);
	assert_int_equal(kit_commit(tx), PAWL_OK);
	assert_int_equal(pawl_verify(*state, no_drift, NULL, &audit, NULL), PAWL_OK);
	assert_int_equal(audit.drifts, 0);
	assert_int_equal(audit.accounts, 3);
	assert_int_equal(audit.transfers, 2);
	assert_int_equal(audit.holds, 1);
	assert_int_equal(audit.records, 1);
	assert_int_equal(audit.units, 1);
	assert_int_equal(audit.answers, 1);
	assert_true(audit.checks > 0);
	assert_int_equal(pawl_verify(*state, NULL, NULL, &audit, NULL), PAWL_OK);
	pawl_tx_free(tx);
}

static void test_status__look_ups(void **state)
{
	(void)state;
	assert_string_equal(pawl_status_code(PAWL_E_INSUFFICIENT), "insufficient");
	assert_int_equal(pawl_status_http(PAWL_E_VERSION_MISMATCH), 412);
	assert_int_equal(pawl_status_exit(PAWL_E_NOT_FOUND), 3);
	assert_int_equal(pawl_status_retry(PAWL_E_OUTCOME_UNKNOWN), PAWL_RETRY_RECHECK);
	assert_string_equal(pawl_status_text(PAWL_OK), "success");
	assert_string_equal(pawl_status_code((enum pawl_status) - 9999), "internal");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_version__is_that_of_the_header_and_the_build),
		cmocka_unit_test(test_open__unknown_scheme_is_configuration),
		cmocka_unit_test(test_open__options_of_another_version),
		cmocka_unit_test(test_open__options_out_of_range_are_refused),
		cmocka_unit_test(test_open__two_stores_at_once),
		cmocka_unit_test(test_open__a_store_that_is_open_is_busy),
		cmocka_unit_test(test_open__what_was_committed_is_there_again),
		cmocka_unit_test(test_close__null_is_allowed),
		cmocka_unit_test_setup_teardown(test_health__writable_until_drained, kit_setup,
		                                kit_teardown),
		cmocka_unit_test_setup_teardown(test_verify__counts_what_there_is, kit_setup,
		                                kit_teardown),
		cmocka_unit_test(test_status__look_ups),
	};

	kit_init(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
