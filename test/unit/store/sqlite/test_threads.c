/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readers beside the lane: each read is one committed state, no older than the latest commit that
 * was told of, and finds every answer whose commit had returned - while runs are frozen, written,
 * finished and dropped under it.
 */
#include "kit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/assert.h"

#define BATCHES 600
#define READERS 2

struct shared {
	struct store *store;
	_Atomic int64_t told; /* batches whose commit has returned */
	_Atomic int bad;
	_Atomic bool stop;
};

static void bad(struct shared *s, const char *what)
{
	(void)fprintf(stderr, "reader: %s\n", what);
	atomic_store(&s->bad, 1);
}

static void read_once(struct shared *s, struct arena *arena)
{
	const int64_t told = atomic_load(&s->told);
	const struct ws_entry *a, *b, *answer;
	struct pawl_error err;
	char key[32];
	struct ws ws;

	pawl__arena_reset(arena);
	pawl__ws_init(&ws, arena, 3, 4);
	(void)snprintf(key, sizeof(key), "key-%lld", (long long)told);
	answer = pawl__ws_want_answer(&ws, STR("c"), kit_str(key));
	a = pawl__ws_want(&ws, ROW_ACCOUNT, STR("world:EUR"));
	b = pawl__ws_want(&ws, ROW_ACCOUNT, STR("alice"));
	if (store_read(s->store, &ws, &err) != PAWL_OK) {
		bad(s, err.text);
		return;
	}
	if (told > 0 && !answer->present)
		bad(s, "an answer that was given is not found");
	if (ws.revision < told)
		bad(s, "the snapshot is older than a commit that was told of");
	if (a->present != b->present)
		bad(s, "half of a commit is seen");
	else if (a->present && (a->row.account.balance + b->row.account.balance != 0 ||
	                        b->row.account.balance != ws.revision))
		bad(s, "the accounts are of two commits");
}

static void *reader(void *arg)
{
	struct shared *s = arg;
	struct store_stats st;
	struct arena arena;

	pawl__arena_init(&arena, 65536, 1 << 20);
	while (!atomic_load(&s->stop)) {
		read_once(s, &arena);
		if (store_stats(s->store, &st, NULL) != PAWL_OK)
			bad(s, "stats");
	}
	pawl__arena_deinit(&arena);
	return NULL;
}

static void lane(struct kit *k, struct shared *s)
{
	for (int64_t i = 1; i <= BATCHES && atomic_load(&s->bad) == 0; i++) {
		struct ws_entry *a, *b, *e;
		char key[32];

		kit_begin(k, KIT_START_US + i);
		a = kit_account(k, "world:EUR");
		b = kit_account(k, "alice");
		(void)snprintf(key, sizeof(key), "key-%lld", (long long)i);
		e = pawl__ws_want_answer(&k->ws, STR("c"), kit_str(key));
		kit_load(k);
		kit_transfer(k, a, b, 1);
		kit_answer(k, e, "{}");
		kit_commit(k);
		atomic_store(&s->told, i);
		if (i % 50 == 0)
			assert_int_equal(store_housekeep(k->store, true, &k->err), PAWL_OK);
	}
}

static void test_sqlite_read__beside_the_lane_sees_whole_commits(void **state)
{
	struct kit *k = *state;
	struct shared s = { .told = 0 };
	pthread_t thread[READERS];

	k->tuned = true;
	k->opt.retention_us = 100; /* of BATCHES: most runs are dropped again */
	k->tuning = (struct answers_tuning){
		.run_max = 10, .slice_min = 2, .filters_max = 320, .hash_mask = UINT64_MAX
	};
	kit_open(k);
	s.store = k->store;
	for (int i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, reader, &s), 0);
	lane(k, &s);
	atomic_store(&s.stop, true);
	for (int i = 0; i < READERS; i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
	assert_int_equal(s.bad, 0);
	assert_int_equal(kit_drifts(k, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_sqlite_read__beside_the_lane_sees_whole_commits, kit_setup,
			kit_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
