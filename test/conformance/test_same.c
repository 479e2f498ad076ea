/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All stores side by side: the same transactions in the same batches at the same times must be
 * answered with the same bytes and leave the same rows.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "client.h"
#include "stores.h"

#define SEEDS     12
#define STEPS     40
#define BATCH_MAX 5
#define KEYS_MAX  (STEPS * BATCH_MAX + 1)
#define SIDES_MAX 4

struct side {
	struct fixture *f;
	struct kit_tx twin[BATCH_MAX];
};

struct sides {
	struct side side[SIDES_MAX];
	unsigned len;
	struct rng rng;
	struct client client;
	struct kit_tx request[KEYS_MAX]; /* by key */
	uint32_t keys;
	uint64_t seed;
	uint32_t step;
};

static int sides_setup(void **state)
{
	struct sides *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	INVARIANT(store_kinds_len <= SIDES_MAX);
	engine_mode_now = ENGINE_LOOP;
	for (unsigned i = 0; i < store_kinds_len; i++) {
		void *f;

		/* The first is what the others are compared to. */
		if (i > 0 && !store_kind_here(&store_kinds[i]))
			continue;
		store_kind_now = &store_kinds[i];
		(void)fixture_setup(&f);
		b->side[b->len++].f = f;
	}
	*state = b;
	return 0;
}

static int sides_teardown(void **state)
{
	struct sides *b = *state;

	for (uint32_t i = 0; i < b->keys; i++)
		kit_tx_deinit(&b->request[i]);
	for (unsigned i = 0; i < b->len; i++) {
		void *f = b->side[i].f;

		(void)fixture_teardown(&f);
	}
	free(b);
	return 0;
}

static struct kit_tx *request_new(struct sides *b)
{
	struct kit_tx *t = &b->request[b->keys];
	char key[24];

	(void)snprintf(key, sizeof(key), "key-%u", b->keys++);
	kit_tx_init(t);
	kit_key(t, "same", key);
	return t;
}

static void expect_same_answer(const struct sides *b, const struct kit_answer *one,
                               const struct kit_answer *two)
{
	if (!kit_same(one, two) || one->replayed != two->replayed || one->op != two->op)
		fail_msg("seed %" PRIu64 " step %u: the stores answer differently:\n%s\n%s",
		         b->seed, b->step, one->body, two->body);
}

/* Numbers of accounts are a store's own. */
static bool account_same(const struct account *a, const struct account *b)
{
	return str_eq(a->id, b->id) && str_eq(a->unit, b->unit) && a->balance == b->balance &&
	       a->held == b->held && a->has_floor == b->has_floor && a->floor == b->floor &&
	       a->version == b->version && a->due_us == b->due_us;
}

static bool hold_same(const struct hold *a, const struct hold *b)
{
	return a->number == b->number && str_eq(a->from, b->from) && str_eq(a->to, b->to) &&
	       a->amount == b->amount && a->captured == b->captured &&
	       a->expires_us == b->expires_us && a->state == b->state && a->version == b->version;
}

static bool order_same(const struct order *a, const struct order *b)
{
	return a->number == b->number && a->state == b->state && a->holds == b->holds &&
	       a->expires_us == b->expires_us && str_eq(a->body, b->body) &&
	       a->version == b->version;
}

static bool answer_same(const struct answer *a, const struct answer *b)
{
	return str_eq(a->caller, b->caller) && str_eq(a->key, b->key) &&
	       memcmp(a->fingerprint, b->fingerprint, FINGERPRINT_LEN) == 0 && a->code == b->code &&
	       a->http == b->http && a->revision == b->revision && a->etag == b->etag &&
	       a->at_us == b->at_us && str_eq(a->location, b->location) && str_eq(a->body, b->body);
}

static bool row_same(const struct ws_entry *a, const struct ws_entry *b)
{
	if (!a->present || !b->present)
		return a->present == b->present;
	switch (a->kind) {
	case ROW_ACCOUNT:
		return account_same(&a->row.account, &b->row.account);
	case ROW_HOLD:
		return hold_same(&a->row.hold, &b->row.hold);
	case ROW_ORDER:
		return order_same(&a->row.order, &b->row.order);
	case ROW_ANSWER:
		return answer_same(&a->row.answer, &b->row.answer);
	case ROW_RECORD:
		return str_eq(a->row.record.key, b->row.record.key) &&
		       str_eq(a->row.record.value, b->row.record.value) &&
		       a->row.record.version == b->row.record.version;
	case ROW_LEASE:
		return false; /* none is granted here */
	}
	UNREACHABLE();
}

static void want_all(const struct sides *b, struct ws *ws)
{
	static const char *const accounts[] = { "acct:a",    "acct:b",        "acct:c",
		                                "acct:d",    "acct:usd",      "world:EUR",
		                                "world:USD", "stock:one",     "world:sku:one",
		                                "sold:one",  "world:sku:two", "stock:two",
		                                "sold:two",  "stock:none" };

	for (size_t i = 0; i < ARRAY_LEN(accounts); i++)
		(void)pawl__ws_want(ws, ROW_ACCOUNT, pawl__str_of(accounts[i]));
	for (size_t i = 0; i < CLIENT_RECORDS; i++)
		(void)pawl__ws_want(ws, ROW_RECORD, pawl__str_of(client_records[i]));
	for (uint32_t i = 0; i < CLIENT_IDS; i++) {
		if (b->client.holds[i] != 0)
			(void)pawl__ws_want_number(ws, ROW_HOLD, b->client.holds[i]);
		if (b->client.orders[i] != 0)
			(void)pawl__ws_want_number(ws, ROW_ORDER, b->client.orders[i]);
	}
	for (uint32_t i = 0; i < b->keys; i++)
		(void)pawl__ws_want_answer(ws, STR("same"), b->request[i].tx.key);
}

static void expect_same_rows(struct sides *b)
{
	const struct ws_entry *e[SIDES_MAX];

	for (unsigned i = 0; i < b->len; i++) {
		struct fixture *f = b->side[i].f;

		kit_read_begin(&f->read);
		want_all(b, &f->read.ws);
		kit_read_all(&f->read, &f->kit);
		e[i] = f->read.ws.first;
		assert_int_equal(f->read.ws.now_us, b->side[0].f->read.ws.now_us);
		assert_int_equal(f->read.ws.revision, b->side[0].f->read.ws.revision);
	}
	for (; e[0] != NULL; e[0] = e[0]->next) {
		for (unsigned i = 1; i < b->len; i++) {
			if (e[i] == NULL || !row_same(e[0], e[i]))
				fail_msg("seed %" PRIu64 " step %u: a row of kind %d on %s differs:"
				         " %.*s %" PRId64,
				         b->seed, b->step, e[0]->kind, b->side[i].f->kind->name,
				         (int)e[0]->id.len, e[0]->id.len == 0 ? "" : e[0]->id.ptr,
				         e[0]->number);
			e[i] = e[i]->next;
		}
	}
}

static void expect_same_counts(struct sides *b)
{
	struct store_stats stats[SIDES_MAX];
	struct store_audit audit[SIDES_MAX];
	struct pawl_error err;

	for (unsigned i = 0; i < b->len; i++) {
		struct kit *k = &b->side[i].f->kit;

		assert_int_equal(pawl__engine_stats(k->engine, &stats[i], &err), PAWL_OK);
		assert_int_equal(kit_audit(k, &audit[i]), 0);
	}
	for (unsigned i = 1; i < b->len; i++) {
		assert_int_equal(stats[0].revision, stats[i].revision);
		assert_int_equal(stats[0].accounts, stats[i].accounts);
		assert_int_equal(stats[0].holds_live, stats[i].holds_live);
		assert_int_equal(stats[0].orders, stats[i].orders);
		assert_int_equal(stats[0].records, stats[i].records);
		assert_int_equal(stats[0].events, stats[i].events);
		assert_int_equal(stats[0].jobs, stats[i].jobs);
		assert_int_equal(audit[0].accounts, audit[i].accounts);
		assert_int_equal(audit[0].transfers, audit[i].transfers);
		assert_int_equal(audit[0].holds, audit[i].holds);
		assert_int_equal(audit[0].orders, audit[i].orders);
		assert_int_equal(audit[0].records, audit[i].records);
		assert_int_equal(audit[0].units, audit[i].units);
	}
}

static void sides_pass(struct sides *b, int64_t real_us, int64_t mono_us)
{
	for (unsigned i = 0; i < b->len; i++) {
		b->side[i].f->clock.real_us += real_us;
		b->side[i].f->clock.mono_us += mono_us;
	}
}

static void learn(struct sides *b, const struct kit_tx *t)
{
	unsigned nth = 0;

	for (uint32_t i = 0; i < t->tx.ops_len && t->answer.code == PAWL_OK; i++) {
		const enum op_kind kind = t->ops[i].kind;
		const bool has_id = kind == OP_TRANSFER || kind == OP_HOLD || kind == OP_CAPTURE ||
		                    kind == OP_RELEASE || kind == OP_ORDER || kind == OP_CONFIRM ||
		                    kind == OP_CANCEL;
		const int64_t id = has_id ? kit_id(&t->answer, nth) : 0;

		/* An account's answer has an "id" too, which is not a number. */
		nth += has_id || kind == OP_ACCOUNT || (kind == OP_CHECK && t->ops[i].is_account);
		if (kind == OP_HOLD)
			client_learn_hold(&b->client, id);
		if (kind == OP_ORDER)
			client_learn_order(&b->client, id);
	}
	for (uint32_t i = 0; i < CLIENT_RECORDS; i++) {
		struct fixture *f = b->side[0].f;
		const struct ws_entry *e =
			kit_read_row(&f->read, &f->kit, ROW_RECORD, client_records[i]);

		b->client.version[i] = e == NULL ? 0 : e->row.record.version;
	}
}

static void run_batch(struct sides *b, struct kit_tx *const *batch, uint32_t n)
{
	for (unsigned i = 0; i < b->len; i++) {
		for (uint32_t j = 0; j < n; j++) {
			kit_tx_twin(&b->side[i].twin[j], batch[j]);
			kit_submit(&b->side[i].f->kit, &b->side[i].twin[j]);
		}
		kit_turn(&b->side[i].f->kit);
	}
	for (uint32_t j = 0; j < n; j++) {
		for (unsigned i = 1; i < b->len; i++)
			expect_same_answer(b, &b->side[0].twin[j].answer,
			                   &b->side[i].twin[j].answer);
		if (!b->side[0].twin[j].answer.replayed)
			learn(b, &b->side[0].twin[j]);
	}
	for (unsigned i = 0; i < b->len; i++) {
		for (uint32_t j = 0; j < n; j++)
			kit_tx_deinit(&b->side[i].twin[j]);
	}
}

static void run_step(struct sides *b)
{
	struct kit_tx *batch[BATCH_MAX];
	const uint32_t n = 1 + (uint32_t)pawl__rng_below(&b->rng, BATCH_MAX);
	const int64_t us = (int64_t)pawl__rng_below(&b->rng, 6 * (uint64_t)KIT_SECOND);

	sides_pass(b, us, us);
	if (pawl__rng_below(&b->rng, 20) == 0)
		sides_pass(b, -KIT_HOUR, 0);
	for (uint32_t j = 0; j < n; j++) {
		if (b->keys > 1 && pawl__rng_below(&b->rng, 6) == 0) {
			batch[j] = &b->request[pawl__rng_below(&b->rng, b->keys)];
			continue;
		}
		batch[j] = request_new(b);
		client_make(&b->client, batch[j]);
	}
	run_batch(b, batch, n);
	expect_same_rows(b);
	expect_same_counts(b);
}

static void run_seed(void **state, uint64_t seed)
{
	struct sides *b = *state;
	struct kit_tx *first;

	b->seed = seed;
	rng_init(&b->rng, seed);
	b->client.rng = &b->rng;
	first = request_new(b);
	client_setup(first);
	run_batch(b, &first, 1);
	for (b->step = 0; b->step < STEPS; b->step++)
		run_step(b);
}

static void test_same__random_transactions_answered_with_the_same_bytes(void **state)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		if (seed > 1) {
			(void)sides_teardown(state);
			(void)sides_setup(state);
		}
		run_seed(state, seed);
	}
}

/* The same, and the stores that can are opened anew between any two batches. */
static void test_same__across_restarts(void **state)
{
	struct sides *b = *state;
	struct kit_tx *first;

	rng_init(&b->rng, 77);
	b->client.rng = &b->rng;
	first = request_new(b);
	client_setup(first);
	run_batch(b, &first, 1);
	for (b->step = 0; b->step < STEPS; b->step++) {
		run_step(b);
		for (unsigned i = 0; i < b->len; i++)
			(void)!fixture_reopen(b->side[i].f);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, sides_setup, sides_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(test_same__random_transactions_answered_with_the_same_bytes),
		T(test_same__across_restarts),
	};

	INVARIANT(stores_init());
	return cmocka_run_group_tests_name("same", tests, NULL, NULL);
}
