/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a store with several writers promises besides: nodes with lanes of their own over the same
 * rows, at the same time, and others who use the tables with plain SQL.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/rng.h"
#include "stores.h"

#define NODES   2
#define CLIENTS 4 /* of a node */
#define ROUNDS  60

struct node {
	struct fixture *f;
	struct kit kit;
};

static void node_start(struct node *n, struct fixture *f)
{
	const struct store_options so = { .retention_us = STORES_RETENTION_US,
		                          .connections_max = 6 };
	const struct engine_options eo = { .retention_us = STORES_RETENTION_US,
		                           .sweep_us = -1,
		                           .lanes = 2 };
	struct pawl_error err = { 0 };
	struct store *s;

	n->f = f;
	if (fixture_open(f, &so, &s, &err) != PAWL_OK)
		fail_msg("the store does not open: %s", err.text);
	assert_true(kit_start(&n->kit, kit_clock_store(&f->clock, s), ENGINE_THREAD, &eo));
}

static void nodes_start(struct node *n, void **state)
{
	for (unsigned i = 0; i < NODES; i++)
		node_start(&n[i], *state);
}

static void nodes_stop(struct node *n)
{
	for (unsigned i = 0; i < NODES; i++)
		kit_stop(&n[i].kit);
}

static void nodes_clean(struct node *n)
{
	struct store_audit a;

	assert_int_equal(kit_audit(&n[0].kit, &a), 0);
	assert_true(a.checks > 0);
}

static void run_fine(struct node *n, struct kit_tx *t)
{
	expect_code(kit_run(&n->kit, t), PAWL_OK, -1);
}

/* a and others, with what is needed to give. */
static void accounts_make(struct node *n, const char *const *ids, unsigned len, int64_t amount)
{
	struct kit_tx t;

	kit_tx_init(&t);
	for (unsigned i = 0; i < len; i++) {
		kit_account(&t, ids[i], "EUR", 0);
		kit_transfer(&t, "world:EUR", ids[i], amount);
	}
	run_fine(n, &t);
	kit_tx_deinit(&t);
}

static void threads_run(unsigned len, void *(*main)(void *), void *arg, size_t arg_size)
{
	pthread_t thread[NODES * CLIENTS];

	assert_true(len <= ARRAY_LEN(thread));
	for (unsigned i = 0; i < len; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, main, (char *)arg + i * arg_size),
		                 0);
	for (unsigned i = 0; i < len; i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
}

/* Duplicates */

static void make_round(struct kit_tx *t, unsigned round)
{
	char id[32];

	(void)snprintf(id, sizeof(id), "new:%u", round);
	kit_account(t, id, "EUR", 0);
	kit_transfer(t, "a", id, 1);
	kit_put(t, id, "{\"x\":1}", 0); /* only if it is not there */
	kit_emit(t, "made", id, "{}");
}

/* The same key to two nodes at the same instant: what it makes was not there, either. */
static void test_submit__same_key_on_two_nodes_one_effect(void **state)
{
	static const char *const ids[] = { "a" };
	struct node n[NODES];
	unsigned replayed = 0;

	nodes_start(n, state);
	accounts_make(&n[0], ids, 1, 1000);
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct kit_tx t, twin;
		char key[32];

		kit_tx_init(&t);
		(void)snprintf(key, sizeof(key), "twice-%u", round);
		kit_key(&t, "me", key);
		make_round(&t, round);
		kit_tx_twin(&twin, &t);
		kit_submit(&n[0].kit, &t);
		kit_submit(&n[1].kit, &twin);
		kit_wait(&n[0].kit, &t);
		kit_wait(&n[1].kit, &twin);
		expect_code(&t.answer, PAWL_OK, -1);
		assert_true(kit_same(&t.answer, &twin.answer));
		assert_int_equal(t.answer.replayed + twin.answer.replayed, 1);
		replayed += twin.answer.replayed;
		kit_tx_deinit(&twin);
		kit_tx_deinit(&t);
	}
	print_message("# the first node was first in %u of %d rounds\n", replayed, ROUNDS);
	nodes_clean(n);
	{
		struct fixture *f = *state;

		kit_read_begin(&f->read);
		(void)pawl__ws_want(&f->read.ws, ROW_ACCOUNT, STR("a"));
		kit_read_all(&f->read, &n[1].kit);
		assert_int_equal(f->read.ws.first->row.account.balance, 1000 - ROUNDS);
	}
	nodes_stop(n);
}

/* Nothing is locked that both want: only the answer is one. */
static void test_submit__same_key_without_rows_one_effect(void **state)
{
	struct fixture *f = *state;
	struct node n[NODES];
	char expected[24];

	nodes_start(n, state);
	for (unsigned round = 0; round < 4 * ROUNDS; round++) {
		struct kit_tx t, twin;
		char key[32];

		kit_tx_init(&t);
		(void)snprintf(key, sizeof(key), "bare-%u", round);
		kit_key(&t, "me", key);
		kit_emit(&t, "bare", key, "{}");
		kit_tx_twin(&twin, &t);
		kit_submit(&n[round % 2].kit, &t);
		kit_submit(&n[1 - round % 2].kit, &twin);
		kit_wait(&n[round % 2].kit, &t);
		kit_wait(&n[1 - round % 2].kit, &twin);
		expect_code(&t.answer, PAWL_OK, -1);
		assert_true(kit_same(&t.answer, &twin.answer));
		kit_tx_deinit(&twin);
		kit_tx_deinit(&t);
	}
	nodes_clean(n);
	nodes_stop(n);
	(void)snprintf(expected, sizeof(expected), "%d", 4 * ROUNDS);
	assert_string_equal(stores_sql(f->kind, "SELECT count(*) FROM pawl.event").text, expected);
}

/* Without a key both are asked for, and only one of them may find the row missing. */
static void test_submit__same_new_rows_on_two_nodes_made_once(void **state)
{
	static const char *const ids[] = { "a" };
	struct node n[NODES];

	nodes_start(n, state);
	accounts_make(&n[0], ids, 1, 1000);
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct kit_tx t, twin;
		int made;

		kit_tx_init(&t);
		make_round(&t, round);
		kit_tx_twin(&twin, &t);
		kit_submit(&n[0].kit, &t);
		kit_submit(&n[1].kit, &twin);
		kit_wait(&n[0].kit, &t);
		kit_wait(&n[1].kit, &twin);
		made = (t.answer.code == PAWL_OK) + (twin.answer.code == PAWL_OK);
		assert_int_equal(made, 1);
		expect_code(t.answer.code == PAWL_OK ? &twin.answer : &t.answer,
		            PAWL_E_VERSION_MISMATCH, 2);
		kit_tx_deinit(&twin);
		kit_tx_deinit(&t);
	}
	nodes_clean(n);
	nodes_stop(n);
}

/* If one is not there, make the other: done one after the other only one is made. */
static void test_submit__absence_is_locked_as_rows_are(void **state)
{
	struct node n[NODES];

	nodes_start(n, state);
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct kit_tx t[NODES];
		char id[NODES][32];

		for (unsigned i = 0; i < NODES; i++)
			(void)snprintf(id[i], sizeof(id[i]), "skew:%u:%u", round, i);
		for (unsigned i = 0; i < NODES; i++) {
			kit_tx_init(&t[i]);
			kit_check(&t[i], id[1 - i], 0);
			kit_put(&t[i], id[i], "1", 0);
			kit_submit(&n[i].kit, &t[i]);
		}
		for (unsigned i = 0; i < NODES; i++)
			kit_wait(&n[i].kit, &t[i]);
		assert_int_equal((t[0].answer.code == PAWL_OK) + (t[1].answer.code == PAWL_OK), 1);
		for (unsigned i = 0; i < NODES; i++)
			kit_tx_deinit(&t[i]);
	}
	nodes_clean(n);
	nodes_stop(n);
}

/* Contention */

#define SHARED_ACCOUNTS 6
static const char *const shared_ids[SHARED_ACCOUNTS] = { "s:0", "s:1", "s:2", "s:3", "s:4", "s:5" };

struct shared_client {
	struct node *n;
	uint64_t seed;
	unsigned done, refused, failed;
};

/* Transfers among a few accounts, named in any order, with holds that are finished. */
static void shared_tx(struct kit_tx *t, struct rng *r)
{
	const unsigned ops = 1 + (unsigned)pawl__rng_below(r, 4);

	for (unsigned i = 0; i < ops; i++) {
		const unsigned from = (unsigned)pawl__rng_below(r, SHARED_ACCOUNTS);
		const unsigned to = (from + 1 + (unsigned)pawl__rng_below(r, SHARED_ACCOUNTS - 1)) %
		                    SHARED_ACCOUNTS;

		if (pawl__rng_below(r, 4) == 0)
			kit_hold(t, shared_ids[from], shared_ids[to], 1, KIT_HOUR);
		else
			kit_transfer(t, shared_ids[from], shared_ids[to],
			             1 + (int64_t)pawl__rng_below(r, 5));
	}
	kit_emit(t, "shared", "k", "{}");
}

static void *shared_main(void *arg)
{
	struct shared_client *c = arg;
	struct rng r;

	rng_init(&r, c->seed);
	for (unsigned i = 0; i < ROUNDS; i++) {
		const struct kit_answer *a;
		int64_t hold = 0;
		struct kit_tx t;

		kit_tx_init(&t);
		shared_tx(&t, &r);
		a = kit_run(&c->n->kit, &t);
		c->done += a->code == PAWL_OK;
		c->refused += a->code == PAWL_E_INSUFFICIENT;
		c->failed += a->code != PAWL_OK && a->code != PAWL_E_INSUFFICIENT;
		for (uint32_t k = 0; k < t.tx.ops_len && a->code == PAWL_OK; k++)
			hold = t.ops[k].kind == OP_HOLD ? kit_id(a, k) : hold;
		kit_tx_reset(&t);
		if (hold != 0) {
			kit_capture(&t, hold, 0, true);
			c->failed += kit_run(&c->n->kit, &t)->code != PAWL_OK;
		}
		kit_tx_deinit(&t);
	}
	return NULL;
}

static void test_submit__many_clients_on_few_rows_no_deadlock(void **state)
{
	struct fixture *f = *state;
	struct shared_client c[NODES * CLIENTS] = { 0 };
	struct node n[NODES];
	unsigned done = 0;

	nodes_start(n, state);
	accounts_make(&n[0], shared_ids, SHARED_ACCOUNTS, 1000);
	for (unsigned i = 0; i < NODES * CLIENTS; i++) {
		c[i].n = &n[i % NODES];
		c[i].seed = i + 1;
	}
	threads_run(NODES * CLIENTS, shared_main, c, sizeof(c[0]));
	for (unsigned i = 0; i < NODES * CLIENTS; i++) {
		assert_int_equal(c[i].failed, 0);
		assert_int_equal(c[i].done + c[i].refused, ROUNDS);
		done += c[i].done;
	}
	assert_true(done > 0);
	nodes_clean(n);
	nodes_stop(n);
	assert_string_equal(stores_sql(f->kind, "SELECT sum(balance) FROM pawl.account"
	                                        " WHERE id LIKE 's:%'")
	                            .text,
	                    "6000");
	assert_string_equal(stores_sql(f->kind, "SELECT deadlocks FROM pg_stat_database"
	                                        " WHERE datname = current_database()")
	                            .text,
	                    "0");
	/* The revisions of a row grow in the order in which it was written. */
	assert_string_equal(stores_sql(f->kind,
	                               "SELECT count(*) FROM pawl.account a WHERE version <"
	                               " (SELECT max(number) >> 10 FROM pawl.transfer t"
	                               "  WHERE a.number IN (t.from_account, t.to_account))")
	                            .text,
	                    "0");
}

/* A counter in a record, by compare-and-set: every success counts, so none is lost. */
static void *counter_main(void *arg)
{
	struct shared_client *c = arg;
	struct kit_read read;

	kit_read_init(&read);
	while (c->done < ROUNDS / 2) {
		const struct ws_entry *e = kit_read_row(&read, &c->n->kit, ROW_RECORD, "counter");
		struct kit_tx t;
		char value[24];

		(void)snprintf(value, sizeof(value), "%.*s", (int)e->row.record.value.len,
		               e->row.record.value.ptr);
		(void)snprintf(value, sizeof(value), "%ld", strtol(value, NULL, 10) + 1);
		kit_tx_init(&t);
		kit_put(&t, "counter", value, e->row.record.version);
		c->done += kit_run(&c->n->kit, &t)->code == PAWL_OK;
		c->failed += t.answer.code != PAWL_OK && t.answer.code != PAWL_E_VERSION_MISMATCH;
		kit_tx_deinit(&t);
	}
	kit_read_deinit(&read);
	return NULL;
}

static void test_submit__compare_and_set_loses_no_update(void **state)
{
	struct fixture *f = *state;
	struct shared_client c[NODES * CLIENTS] = { 0 };
	struct node n[NODES];
	struct kit_tx t;
	char expected[24];

	nodes_start(n, state);
	kit_tx_init(&t);
	kit_put(&t, "counter", "0", 0);
	run_fine(&n[0], &t);
	kit_tx_deinit(&t);
	for (unsigned i = 0; i < NODES * CLIENTS; i++)
		c[i].n = &n[i % NODES];
	threads_run(NODES * CLIENTS, counter_main, c, sizeof(c[0]));
	for (unsigned i = 0; i < NODES * CLIENTS; i++)
		assert_int_equal(c[i].failed, 0);
	(void)snprintf(expected, sizeof(expected), "%d", NODES * CLIENTS * (ROUNDS / 2));
	assert_string_equal(stores_sql(f->kind, "SELECT value FROM pawl.record").text, expected);
	nodes_stop(n);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup_bare, fixture_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(test_submit__same_key_on_two_nodes_one_effect),
		T(test_submit__same_key_without_rows_one_effect),
		T(test_submit__same_new_rows_on_two_nodes_made_once),
		T(test_submit__absence_is_locked_as_rows_are),
		T(test_submit__many_clients_on_few_rows_no_deadlock),
		T(test_submit__compare_and_set_loses_no_update),
	};

	return stores_run_shared("shared", tests, ARRAY_LEN(tests));
}
