/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The details that experts look at first, each as a scenario with its name: idempotency keys, what
 * is remembered, expiry against capture, clock steps, holds within one request, groups, and
 * compare-and-set.
 */
#include "stores.h"

static struct fixture *start(void **state, int64_t amount)
{
	struct fixture *f = *state;

	two_accounts(f, amount);
	return f;
}

static int64_t make_hold(struct fixture *f, int64_t amount, int64_t ttl_us)
{
	int64_t number;

	kit_tx_reset(&f->tx);
	kit_hold(&f->tx, "a", "b", amount, ttl_us);
	number = kit_id(run_ok(f), 0);
	kit_tx_reset(&f->tx);
	return number;
}

static void capture(struct fixture *f, int64_t hold)
{
	kit_tx_reset(&f->tx);
	kit_capture(&f->tx, hold, 0, true);
}

static void release(struct fixture *f, int64_t hold)
{
	kit_tx_reset(&f->tx);
	kit_release(&f->tx, hold);
}

/* A commit that touches none of the rows looked at, so that reads are of this time. */
static void some_commit(struct fixture *f)
{
	kit_tx_reset(&f->tx);
	kit_emit(&f->tx, "t", "", "1");
	(void)run_ok(f);
	kit_tx_reset(&f->tx);
}

/* A transfer of amount from a to b under a key. */
static void keyed_transfer(struct kit_tx *t, const char *caller, const char *key, int64_t amount)
{
	kit_tx_reset(t);
	kit_key(t, caller, key);
	kit_form(t, TX_FORM_TRANSFER, "POST /v1/transfers");
	kit_transfer(t, "a", "b", amount);
}

/* 1. same key, different body */

static void test_key__same_request_replays_byte_for_byte(void **state)
{
	struct fixture *f = start(state, 10);
	struct kit_answer first = { 0 };
	const struct kit_answer *again;
	struct store_audit audit;

	kit_key(&f->tx, "test", "k");
	kit_form(&f->tx, TX_FORM_HOLD, "POST /v1/holds");
	kit_hold(&f->tx, "a", "b", 4, KIT_HOUR);
	kit_answer_copy(&first, run_ok(f));
	assert_false(first.replayed);
	assert_int_equal(first.http, 201);
	assert_true(first.location[0] != '\0');
	kit_pass(&f->clock, 2 * KIT_HOUR); /* the hold has expired, the answer has not */
	again = run_ok(f);
	assert_true(again->replayed);
	assert_true(kit_same(&first, again));
	kit_answer_deinit(&first);
	assert_int_equal(kit_audit(&f->kit, &audit), 0);
	assert_int_equal(audit.holds, 1);
}

static void test_key__other_body_refused_and_told_nothing(void **state)
{
	struct fixture *f = start(state, 10);
	const struct kit_answer *a;

	keyed_transfer(&f->tx, "test", "k", 4);
	(void)run_ok(f);
	keyed_transfer(&f->tx, "test", "k", 5);
	a = run_refused(f, PAWL_E_KEY_REUSED, -1);
	assert_false(a->replayed);
	assert_false(kit_has(a, "\"amount\":4"));
	expect_account(f, "b", 4, 0);
	keyed_transfer(&f->tx, "test", "k", 4);
	assert_true(run_ok(f)->replayed);
	expect_account(f, "b", 4, 0);
}

static void test_key__other_route_or_operation_is_another_request(void **state)
{
	struct fixture *f = start(state, 10);

	keyed_transfer(&f->tx, "test", "k", 4);
	(void)run_ok(f);
	kit_form(&f->tx, TX_FORM_TRANSFER, "POST /v1/elsewhere");
	(void)run_refused(f, PAWL_E_KEY_REUSED, -1);
	keyed_transfer(&f->tx, "test", "k", 4);
	kit_emit(&f->tx, "t", "", "1");
	(void)run_refused(f, PAWL_E_KEY_REUSED, -1);
}

static void test_key__belongs_to_its_caller(void **state)
{
	struct fixture *f = start(state, 10);

	keyed_transfer(&f->tx, "one", "k", 4);
	assert_false(run_ok(f)->replayed);
	keyed_transfer(&f->tx, "two", "k", 4);
	assert_false(run_ok(f)->replayed);
	/* The boundary between caller and key is part of the key. */
	keyed_transfer(&f->tx, "on", "ek", 1);
	assert_false(run_ok(f)->replayed);
	expect_account(f, "b", 9, 0);
}

static void test_key__none_runs_every_time(void **state)
{
	struct fixture *f = start(state, 10);

	kit_transfer(&f->tx, "a", "b", 4);
	(void)run_ok(f);
	assert_false(run_ok(f)->replayed);
	expect_account(f, "b", 8, 0);
}

/* 2. concurrent duplicate */

static void test_key__duplicates_in_one_batch_have_one_effect(void **state)
{
	struct fixture *f = start(state, 10);
	struct kit_tx t[5];
	unsigned fresh = 0;

	for (unsigned i = 0; i < 5; i++) {
		kit_tx_init(&t[i]);
		keyed_transfer(&t[i], "test", "k", 3);
	}
	for (unsigned i = 0; i < 5; i++)
		kit_submit(&f->kit, &t[i]);
	for (unsigned i = 0; i < 5; i++)
		kit_wait(&f->kit, &t[i]);
	for (unsigned i = 0; i < 5; i++) {
		expect_code(&t[i].answer, PAWL_OK, -1);
		assert_true(kit_same(&t[i].answer, &t[0].answer));
		fresh += !t[i].answer.replayed;
	}
	assert_int_equal(fresh, 1);
	expect_account(f, "b", 3, 0);
	for (unsigned i = 0; i < 5; i++)
		kit_tx_deinit(&t[i]);
	expect_clean(f);
}

static void test_key__other_body_in_one_batch_refused(void **state)
{
	struct fixture *f = start(state, 10);
	struct kit_tx one, two;

	kit_tx_init(&one);
	kit_tx_init(&two);
	keyed_transfer(&one, "test", "k", 3);
	keyed_transfer(&two, "test", "k", 4);
	kit_submit(&f->kit, &one);
	kit_submit(&f->kit, &two);
	kit_wait(&f->kit, &one);
	kit_wait(&f->kit, &two);
	expect_code(&one.answer, PAWL_OK, -1);
	expect_code(&two.answer, PAWL_E_KEY_REUSED, -1);
	expect_account(f, "b", 3, 0);
	kit_tx_deinit(&one);
	kit_tx_deinit(&two);
}

/* 3. which failures are remembered */

static void test_refusal__remembered_after_it_would_succeed(void **state)
{
	struct fixture *f = start(state, 3);
	struct kit_answer first = { 0 };
	const struct kit_answer *again;

	keyed_transfer(&f->tx, "test", "k", 5);
	kit_answer_copy(&first, run_refused(f, PAWL_E_INSUFFICIENT, -1));
	kit_tx_reset(&f->tx);
	kit_transfer(&f->tx, "world:EUR", "a", 100);
	(void)run_ok(f);
	keyed_transfer(&f->tx, "test", "k", 5);
	again = run_refused(f, PAWL_E_INSUFFICIENT, -1);
	assert_true(again->replayed);
	assert_true(kit_same(&first, again));
	expect_account(f, "b", 0, 0);
	kit_answer_deinit(&first);
}

static void test_refusal__kept_apart_from_its_neighbours(void **state)
{
	struct fixture *f = start(state, 3);
	const struct ws_entry *e;

	keyed_transfer(&f->tx, "test", "k", 5);
	(void)run_refused(f, PAWL_E_INSUFFICIENT, -1);
	e = kit_read_answer(&f->read, &f->kit, "test", "k");
	assert_non_null(e);
	assert_int_equal(e->row.answer.code, PAWL_E_INSUFFICIENT);
	assert_int_equal(e->row.answer.http, 409);
	assert_int_equal(e->row.answer.revision, 0);
	assert_int_equal(e->row.answer.at_us, KIT_START_US);
	assert_null(kit_read_answer(&f->read, &f->kit, "test", "k2"));
	assert_null(kit_read_answer(&f->read, &f->kit, "tes", "tk"));
}

static void test_fault__deadline_passed_not_remembered(void **state)
{
	struct fixture *f = start(state, 10);

	keyed_transfer(&f->tx, "test", "k", 5);
	f->tx.deadline_mono_us = 1;
	expect_code(kit_run(&f->kit, &f->tx), PAWL_E_OVERLOADED, -1);
	assert_null(kit_read_answer(&f->read, &f->kit, "test", "k"));
	expect_account(f, "b", 0, 0);
	f->tx.deadline_mono_us = 0;
	assert_false(run_ok(f)->replayed);
	expect_account(f, "b", 5, 0);
}

static void test_fault__draining_not_remembered(void **state)
{
	struct fixture *f = start(state, 10);

	keyed_transfer(&f->tx, "test", "k", 5);
	pawl__engine_drain(f->kit.engine);
	kit_submit(&f->kit, &f->tx);
	expect_code(&f->tx.answer, PAWL_E_DRAINING, -1);
	assert_null(kit_read_answer(&f->read, &f->kit, "test", "k"));
	if (!fixture_reopen(f))
		return;
	assert_false(run_ok(f)->replayed);
	expect_account(f, "b", 5, 0);
}

static void test_key__found_until_the_retention_has_passed(void **state)
{
	struct fixture *f = start(state, 10);

	keyed_transfer(&f->tx, "test", "k", 2);
	(void)run_ok(f);
	kit_pass(&f->clock, STORES_RETENTION_US - 1);
	assert_true(run_ok(f)->replayed);
	kit_pass(&f->clock, 1);
	some_commit(f);
	assert_null(kit_read_answer(&f->read, &f->kit, "test", "k"));
	keyed_transfer(&f->tx, "test", "k", 3); /* a new request, and a new answer */
	assert_false(run_ok(f)->replayed);
	assert_true(run_ok(f)->replayed);
	expect_account(f, "b", 5, 0);
	expect_clean(f);
}

static void test_key__replayed_by_the_next_process(void **state)
{
	struct fixture *f = start(state, 10);
	struct kit_answer first = { 0 };
	const struct kit_answer *again;

	keyed_transfer(&f->tx, "test", "k", 2);
	kit_answer_copy(&first, run_ok(f));
	if (fixture_reopen(f)) {
		again = run_ok(f);
		assert_true(again->replayed);
		assert_true(kit_same(&first, again));
		expect_account(f, "b", 2, 0);
		expect_clean(f);
	}
	kit_answer_deinit(&first);
}

/* 4. expiry racing capture */

static void test_expiry__last_microsecond_belongs_to_the_capture(void **state)
{
	struct fixture *f = start(state, 10);
	const int64_t hold = make_hold(f, 4, KIT_SECOND);

	kit_pass(&f->clock, KIT_SECOND - 1);
	capture(f, hold);
	(void)run_ok(f);
	expect_account(f, "b", 4, 0);
}

static void test_expiry__at_its_time_nobody_has_swept(void **state)
{
	struct fixture *f = start(state, 10);
	const int64_t hold = make_hold(f, 4, KIT_SECOND);

	kit_pass(&f->clock, KIT_SECOND);
	capture(f, hold);
	expect_has(run_refused(f, PAWL_E_HOLD_EXPIRED, 0), "\"state\":\"expired\"");
	release(f, hold);
	(void)run_refused(f, PAWL_E_HOLD_EXPIRED, 0);
	expect_account(f, "a", 10, 0);
	expect_account(f, "b", 0, 0);
	expect_clean(f);
}

static void test_expiry__at_its_time_after_the_sweep(void **state)
{
	struct fixture *f = start(state, 10);
	const int64_t hold = make_hold(f, 4, KIT_SECOND);
	const struct ws_entry *e;

	kit_pass(&f->clock, KIT_SECOND);
	kit_touch(&f->tx, "a");
	(void)run_ok(f);
	e = kit_read_number(&f->read, &f->kit, ROW_HOLD, hold);
	assert_non_null(e);
	assert_int_equal(e->row.hold.state, HOLD_EXPIRED);
	expect_account(f, "a", 10, 0);
	capture(f, hold);
	expect_has(run_refused(f, PAWL_E_HOLD_EXPIRED, 0), "\"state\":\"expired\"");
	expect_clean(f);
}

static void test_expiry__frees_for_the_next_request(void **state)
{
	struct fixture *f = start(state, 10);

	(void)make_hold(f, 10, KIT_SECOND);
	kit_transfer(&f->tx, "a", "b", 1);
	(void)run_refused(f, PAWL_E_INSUFFICIENT, 0);
	kit_pass(&f->clock, KIT_SECOND);
	(void)run_ok(f);
	expect_account(f, "a", 9, 0);
	expect_clean(f);
}

static void test_expiry__only_what_is_due(void **state)
{
	struct fixture *f = start(state, 10);
	int64_t late;

	(void)make_hold(f, 3, KIT_SECOND);
	late = make_hold(f, 4, 2 * KIT_SECOND);
	kit_pass(&f->clock, KIT_SECOND);
	kit_transfer(&f->tx, "a", "b", 7);
	(void)run_refused(f, PAWL_E_INSUFFICIENT, 0);
	expect_account(f, "a", 10, 4);
	capture(f, late);
	(void)run_ok(f);
	expect_account(f, "b", 4, 0);
	expect_clean(f);
}

static void test_expiry__of_a_partly_captured_hold_frees_the_rest(void **state)
{
	struct fixture *f = start(state, 10);
	const int64_t hold = make_hold(f, 6, KIT_SECOND);

	kit_capture(&f->tx, hold, 2, false);
	(void)run_ok(f);
	kit_pass(&f->clock, KIT_SECOND);
	kit_tx_reset(&f->tx);
	kit_touch(&f->tx, "a");
	(void)run_ok(f);
	expect_account(f, "a", 8, 0);
	expect_account(f, "b", 2, 0);
	expect_clean(f);
}

static void test_read__expired_holds_are_free_before_any_sweep(void **state)
{
	struct fixture *f = start(state, 10);
	const int64_t version = read_account(f, "a")->version;
	const int64_t hold = make_hold(f, 4, KIT_SECOND);

	expect_account(f, "a", 10, 4);
	kit_pass(&f->clock, KIT_SECOND);
	some_commit(f);
	expect_account(f, "a", 10, 0);
	assert_true(read_account(f, "a")->version > version);
	assert_non_null(kit_read_number(&f->read, &f->kit, ROW_HOLD, hold));
}

static void test_hold__ends_once_and_says_which_way(void **state)
{
	struct fixture *f = start(state, 10);
	const int64_t taken = make_hold(f, 4, KIT_HOUR), given = make_hold(f, 5, KIT_HOUR);

	capture(f, taken);
	(void)run_ok(f);
	release(f, taken);
	expect_has(run_refused(f, PAWL_E_HOLD_FINISHED, 0), "\"state\":\"captured\"");
	release(f, given);
	(void)run_ok(f);
	capture(f, given);
	expect_has(run_refused(f, PAWL_E_HOLD_FINISHED, 0), "\"state\":\"released\"");
	kit_pass(&f->clock, KIT_DAY); /* what ended does not expire */
	capture(f, taken);
	(void)run_ok(f);
	release(f, given);
	(void)run_ok(f);
	expect_account(f, "a", 6, 0);
	expect_account(f, "b", 4, 0);
	expect_clean(f);
}

static void test_hold__same_end_again_succeeds_and_does_nothing(void **state)
{
	struct fixture *f = start(state, 10);
	const int64_t hold = make_hold(f, 4, KIT_HOUR);
	int64_t revision;

	capture(f, hold);
	revision = run_ok(f)->revision;
	assert_int_equal(run_ok(f)->revision, revision);
	kit_tx_reset(&f->tx);
	kit_capture(&f->tx, hold, 4, false); /* exactly what was captured */
	(void)run_ok(f);
	kit_tx_reset(&f->tx);
	kit_capture(&f->tx, hold, 3, false);
	(void)run_refused(f, PAWL_E_HOLD_FINISHED, 0);
	expect_account(f, "b", 4, 0);
	expect_clean(f);
}

static void test_order__same_end_again_succeeds_other_is_finished(void **state)
{
	static const struct kit_line line = { "tea", 2 };
	struct fixture *f = *state;
	int64_t order;

	kit_item(&f->tx, "tea", 5);
	(void)run_ok(f);
	kit_tx_reset(&f->tx);
	(void)kit_order(&f->tx, &line, 1, KIT_HOUR);
	order = kit_id(run_ok(f), 0);
	kit_tx_reset(&f->tx);
	kit_finish(&f->tx, OP_CONFIRM, order);
	(void)run_ok(f);
	(void)run_ok(f);
	kit_tx_reset(&f->tx);
	kit_finish(&f->tx, OP_CANCEL, order);
	expect_has(run_refused(f, PAWL_E_HOLD_FINISHED, 0), "\"state\":\"confirmed\"");
	expect_account(f, "sold:tea", 2, 0);
	expect_clean(f);
}

static void test_order__expires_with_its_holds(void **state)
{
	static const struct kit_line line = { "tea", 2 };
	struct fixture *f = *state;
	int64_t order;

	kit_item(&f->tx, "tea", 2);
	(void)run_ok(f);
	kit_tx_reset(&f->tx);
	(void)kit_order(&f->tx, &line, 1, KIT_SECOND);
	order = kit_id(run_ok(f), 0);
	kit_pass(&f->clock, KIT_SECOND);
	kit_tx_reset(&f->tx);
	kit_finish(&f->tx, OP_CONFIRM, order);
	expect_has(run_refused(f, PAWL_E_HOLD_EXPIRED, 0), "\"state\":\"expired\"");
	kit_tx_reset(&f->tx);
	(void)kit_order(&f->tx, &line, 1, 0);
	(void)run_ok(f);
	expect_account(f, "stock:tea", 0, 0);
	expect_account(f, "sold:tea", 2, 0);
	expect_clean(f);
}

/* 5. clock steps */

static void test_clock__back_lets_holds_live_and_revives_none(void **state)
{
	struct fixture *f = start(state, 10);
	const int64_t dead = make_hold(f, 3, KIT_SECOND), live = make_hold(f, 4, 2 * KIT_SECOND);

	kit_pass(&f->clock, KIT_SECOND);
	capture(f, dead);
	(void)run_refused(f, PAWL_E_HOLD_EXPIRED, 0);
	f->clock.real_us -= KIT_HOUR;
	(void)run_refused(f, PAWL_E_HOLD_EXPIRED, 0);
	kit_pass(&f->clock,
	         KIT_HOUR - KIT_SECOND / 2); /* real is still before the high-water mark */
	capture(f, live);
	(void)run_ok(f);
	expect_account(f, "b", 4, 0);
	expect_clean(f);
}

static void test_clock__back_between_processes_revives_none(void **state)
{
	struct fixture *f = start(state, 10);
	const int64_t dead = make_hold(f, 3, KIT_SECOND);

	kit_pass(&f->clock, KIT_SECOND);
	some_commit(f);
	f->clock.real_us -= KIT_HOUR;
	if (!fixture_reopen(f))
		return;
	capture(f, dead);
	(void)run_refused(f, PAWL_E_HOLD_EXPIRED, 0);
	expect_clean(f);
}

static void test_clock__far_ahead_expires_nothing_and_is_told(void **state)
{
	struct fixture *f = start(state, 10);
	const int64_t hold = make_hold(f, 3, KIT_HOUR);
	struct engine_health h;

	f->clock.real_us += 365 * KIT_DAY;
	capture(f, hold);
	(void)run_ok(f);
	expect_account(f, "b", 3, 0);
	pawl__engine_health(f->kit.engine, &h);
	assert_true(h.clock_stepped);
	f->clock.real_us -= 365 * KIT_DAY;
	some_commit(f);
	pawl__engine_health(f->kit.engine, &h);
	assert_false(h.clock_stepped);
}

static void test_clock__far_ahead_time_goes_on_at_its_pace(void **state)
{
	struct fixture *f = start(state, 10);
	const int64_t hold = make_hold(f, 3, KIT_HOUR);

	f->clock.real_us += 365 * KIT_DAY;
	some_commit(f);
	kit_pass(&f->clock, KIT_HOUR);
	capture(f, hold);
	(void)run_refused(f, PAWL_E_HOLD_EXPIRED, 0);
}

/* 6. holds count at creation, also within one request */

static void test_holds__in_one_request_count_one_after_the_other(void **state)
{
	struct fixture *f = start(state, 10);

	kit_hold(&f->tx, "a", "b", 6, KIT_HOUR);
	kit_hold(&f->tx, "a", "b", 5, KIT_HOUR);
	expect_has(run_refused(f, PAWL_E_INSUFFICIENT, 1), "\"available\":4,\"requested\":5");
	expect_account(f, "a", 10, 0);
	kit_tx_reset(&f->tx);
	kit_hold(&f->tx, "a", "b", 6, KIT_HOUR);
	kit_transfer(&f->tx, "a", "b", 4);
	kit_hold(&f->tx, "a", "b", 1, KIT_HOUR);
	(void)run_refused(f, PAWL_E_INSUFFICIENT, 2);
	expect_account(f, "a", 10, 0);
	expect_clean(f);
}

static void test_order__two_lines_of_one_item_share_its_stock(void **state)
{
	static const struct kit_line lines[] = { { "tea", 3 }, { "tea", 3 } };
	struct fixture *f = *state;

	kit_item(&f->tx, "tea", 5);
	(void)run_ok(f);
	for (int held = 0; held < 2; held++) {
		kit_tx_reset(&f->tx);
		(void)kit_order(&f->tx, lines, 2, held * KIT_HOUR);
		expect_has(run_refused(f, PAWL_E_INSUFFICIENT, 0),
		           "\"available\":2,\"requested\":3");
		expect_account(f, "stock:tea", 5, 0);
	}
	expect_clean(f);
}

static void test_holds__do_not_draw_on_what_others_hold(void **state)
{
	struct fixture *f = start(state, 10);

	(void)make_hold(f, 10, KIT_HOUR);
	kit_hold(&f->tx, "a", "b", 1, KIT_HOUR);
	(void)run_refused(f, PAWL_E_INSUFFICIENT, 0);
	kit_tx_reset(&f->tx);
	kit_account(&f->tx, "a", "EUR", -1);
	kit_hold(&f->tx, "a", "b", 1, KIT_HOUR);
	(void)run_ok(f);
	expect_account(f, "a", 10, 11);
	expect_clean(f);
}

static void test_last_item__sold_once(void **state)
{
	static const struct kit_line line = { "last", 1 };
	struct fixture *f = *state;
	struct kit_tx t[50];
	unsigned sold = 0;

	kit_item(&f->tx, "last", 1);
	(void)run_ok(f);
	for (unsigned i = 0; i < 50; i++) {
		kit_tx_init(&t[i]);
		(void)kit_order(&t[i], &line, 1, i % 2 * KIT_HOUR);
		kit_submit(&f->kit, &t[i]);
	}
	for (unsigned i = 0; i < 50; i++) {
		kit_wait(&f->kit, &t[i]);
		sold += t[i].answer.code == PAWL_OK;
		if (t[i].answer.code != PAWL_OK)
			expect_code(&t[i].answer, PAWL_E_INSUFFICIENT, 0);
		kit_tx_deinit(&t[i]);
	}
	assert_int_equal(sold, 1);
	expect_clean(f);
}

/* 7. groups */

static void test_batch__refused_neighbour_changes_nothing_for_others(void **state)
{
	struct fixture *f = start(state, 10);
	struct kit_tx t[3];

	for (unsigned i = 0; i < 3; i++) {
		static const int64_t amounts[] = { 6, 7, 4 };

		kit_tx_init(&t[i]);
		kit_transfer(&t[i], "a", "b", amounts[i]);
		kit_submit(&f->kit, &t[i]);
	}
	for (unsigned i = 0; i < 3; i++)
		kit_wait(&f->kit, &t[i]);
	expect_code(&t[0].answer, PAWL_OK, -1);
	expect_code(&t[1].answer, PAWL_E_INSUFFICIENT, 0);
	expect_has(&t[1].answer, "\"available\":4,\"requested\":7");
	expect_code(&t[2].answer, PAWL_OK, -1);
	assert_int_equal(t[2].answer.revision, t[0].answer.revision + 1);
	for (unsigned i = 0; i < 3; i++)
		kit_tx_deinit(&t[i]);
	expect_account(f, "b", 10, 0);
	expect_clean(f);
}

static void test_tx__first_refused_operation_is_named(void **state)
{
	struct fixture *f = start(state, 10);

	kit_transfer(&f->tx, "a", "b", 1);
	kit_transfer(&f->tx, "a", "nobody", 1);
	kit_transfer(&f->tx, "a", "b", 100);
	(void)run_refused(f, PAWL_E_NOT_FOUND, 1);
}

/* 8. compare-and-set */

static void test_record__version_not_reused_after_delete(void **state)
{
	struct fixture *f = *state;
	int64_t old;

	kit_put(&f->tx, "r", "1", TX_VERSION_ABSENT);
	old = kit_num(run_ok(f), "version");
	kit_tx_reset(&f->tx);
	kit_delete(&f->tx, "r", old);
	(void)run_ok(f);
	kit_tx_reset(&f->tx);
	kit_put(&f->tx, "r", "1", TX_VERSION_ABSENT);
	assert_true(kit_num(run_ok(f), "version") > old);
	kit_tx_reset(&f->tx);
	kit_put(&f->tx, "r", "2", old);
	(void)run_refused(f, PAWL_E_VERSION_MISMATCH, 0);
}

static void test_record__create_only_once(void **state)
{
	struct fixture *f = *state;
	struct kit_tx t[4];
	unsigned made = 0;

	for (unsigned i = 0; i < 4; i++) {
		kit_tx_init(&t[i]);
		kit_put(&t[i], "r", "1", TX_VERSION_ABSENT);
		kit_submit(&f->kit, &t[i]);
	}
	for (unsigned i = 0; i < 4; i++) {
		kit_wait(&f->kit, &t[i]);
		made += t[i].answer.code == PAWL_OK;
		if (t[i].answer.code != PAWL_OK)
			expect_code(&t[i].answer, PAWL_E_VERSION_MISMATCH, 0);
		kit_tx_deinit(&t[i]);
	}
	assert_int_equal(made, 1);
}

static void test_record__retried_compare_and_set_replays_its_success(void **state)
{
	struct fixture *f = *state;

	kit_put(&f->tx, "r", "1", TX_VERSION_ABSENT);
	(void)run_ok(f);
	kit_tx_reset(&f->tx);
	kit_key(&f->tx, "test", "k");
	kit_form(&f->tx, TX_FORM_RECORD, "PUT /v1/records/r");
	kit_put(&f->tx, "r", "2", 1);
	assert_int_equal(run_ok(f)->etag, 2);
	assert_true(run_ok(f)->replayed); /* not a mismatch, although version 1 is gone */
	assert_int_equal(f->tx.answer.etag, 2);
	assert_string_equal(f->tx.answer.body, "2");
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(test_key__same_request_replays_byte_for_byte),
		T(test_key__other_body_refused_and_told_nothing),
		T(test_key__other_route_or_operation_is_another_request),
		T(test_key__belongs_to_its_caller),
		T(test_key__none_runs_every_time),
		T(test_key__duplicates_in_one_batch_have_one_effect),
		T(test_key__other_body_in_one_batch_refused),
		T(test_refusal__remembered_after_it_would_succeed),
		T(test_refusal__kept_apart_from_its_neighbours),
		T(test_fault__deadline_passed_not_remembered),
		T(test_fault__draining_not_remembered),
		T(test_key__found_until_the_retention_has_passed),
		T(test_key__replayed_by_the_next_process),
		T(test_expiry__last_microsecond_belongs_to_the_capture),
		T(test_expiry__at_its_time_nobody_has_swept),
		T(test_expiry__at_its_time_after_the_sweep),
		T(test_expiry__frees_for_the_next_request),
		T(test_expiry__only_what_is_due),
		T(test_expiry__of_a_partly_captured_hold_frees_the_rest),
		T(test_read__expired_holds_are_free_before_any_sweep),
		T(test_hold__ends_once_and_says_which_way),
		T(test_hold__same_end_again_succeeds_and_does_nothing),
		T(test_order__same_end_again_succeeds_other_is_finished),
		T(test_order__expires_with_its_holds),
		T(test_clock__back_lets_holds_live_and_revives_none),
		T(test_clock__back_between_processes_revives_none),
		T(test_clock__far_ahead_expires_nothing_and_is_told),
		T(test_clock__far_ahead_time_goes_on_at_its_pace),
		T(test_holds__in_one_request_count_one_after_the_other),
		T(test_order__two_lines_of_one_item_share_its_stock),
		T(test_holds__do_not_draw_on_what_others_hold),
		T(test_last_item__sold_once),
		T(test_batch__refused_neighbour_changes_nothing_for_others),
		T(test_tx__first_refused_operation_is_named),
		T(test_record__version_not_reused_after_delete),
		T(test_record__create_only_once),
		T(test_record__retried_compare_and_set_replays_its_success),
	};

	return stores_run("domain", tests, sizeof(tests) / sizeof(tests[0]), true);
}
