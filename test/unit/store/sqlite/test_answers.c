/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index of answers against a model that simply remembers: random keys, rollbacks, closes and
 * kills at random moments, expiry, hashes that collide - with runs of 40 answers, so that a few
 * thousand answers take every path that millions would.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/rng.h"
#include "kit.h"
#include "store/sqlite/load.h"
#include "store/sqlite/runs.h"
#include "store/sqlite/schema.h"

#define KEYS      300u
#define BATCH_MAX 24u
#define RETENTION INT64_C(1000)

struct model {
	struct kit *k;
	struct rng rng;
	bool alone; /* without a store: what would be there? */
	bool dies;  /* in the next batch, before its commit */
	int64_t now_us;
	int64_t at_us[KEYS]; /* of the latest answer; 0 = none yet */
	int64_t body[KEYS];  /* which it was */
	int64_t bodies;      /* given so far */
	uint32_t some[KEYS]; /* the keys, shuffled */
};

static void model_init(struct model *m, struct kit *k, uint64_t seed)
{
	*m = (struct model){ .k = k, .now_us = KIT_START_US };
	rng_init(&m->rng, seed);
	for (uint32_t i = 0; i < KEYS; i++)
		m->some[i] = i;
	k->opt.retention_us = RETENTION;
	k->tuned = true;
	k->tuning = (struct answers_tuning){
		.run_max = 40, .slice_min = 3, .filters_max = 320, .hash_mask = UINT64_MAX
	};
}

/* Two callers with the same keys. */
static struct ws_entry *model_want(struct model *m, uint32_t key)
{
	char *text = pawl__arena_alloc(&m->k->arena, 16);

	assert_non_null(text);
	(void)snprintf(text, 16, "key-%u", (unsigned)key / 2);
	return pawl__ws_want_answer(&m->k->ws, key % 2 ? STR("") : STR("someone"), kit_str(text));
}

static bool model_there(const struct model *m, uint32_t key, int64_t now_us)
{
	return m->at_us[key] != 0 && m->at_us[key] + RETENTION > now_us;
}

static void model_check(const struct model *m, const struct ws_entry *e, uint32_t key)
{
	char body[32];

	assert_true(e->loaded);
	if (e->present != model_there(m, key, m->k->ws.now_us))
		fail_msg("key %u is %sthere at %lld, its answer is of %lld", (unsigned)key,
		         e->present ? "" : "not ", (long long)m->k->ws.now_us,
		         (long long)m->at_us[key]);
	if (!e->present)
		return;
	(void)snprintf(body, sizeof(body), "{\"n\":%lld}", (long long)m->body[key]);
	assert_int_equal(e->row.answer.at_us, m->at_us[key]);
	assert_true(str_eq(e->row.answer.body, kit_str(body)));
	assert_int_equal(e->row.answer.fingerprint[31], 0x5a);
	assert_int_equal(e->row.answer.http, 201);
}

/* Take len different keys into m->some[0 .. len). */
static void model_draw(struct model *m, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++) {
		const uint32_t j = i + (uint32_t)pawl__rng_below(&m->rng, KEYS - i);
		const uint32_t key = m->some[j];

		m->some[j] = m->some[i];
		m->some[i] = key;
	}
}

static void model_answer(struct model *m, struct ws_entry *e, uint32_t key)
{
	char body[32];

	m->at_us[key] = m->now_us;
	m->body[key] = ++m->bodies;
	(void)snprintf(body, sizeof(body), "{\"n\":%lld}", (long long)m->body[key]);
	if (!m->alone)
		kit_answer(m->k, e, body);
}

static void model_finish(struct model *m, bool keep)
{
	struct kit *k = m->k;

	pawl__ws_keep(&k->ws);
	assert_int_equal(store_flush(k->store, &k->ws, &k->err), PAWL_OK);
	if (m->dies)
		_exit(0);
	if (keep)
		assert_int_equal(store_commit(k->store, &k->err), PAWL_OK);
	else
		store_rollback(k->store);
}

/* A batch that asks for some keys and answers those that are not there; one in five is rolled
 * back. */
static void model_batch(struct model *m)
{
	const struct model before = *m;
	const uint32_t len = 1 + (uint32_t)pawl__rng_below(&m->rng, BATCH_MAX);
	const bool keep = pawl__rng_below(&m->rng, 5) > 0;
	struct ws_entry *e[BATCH_MAX] = { NULL };

	m->now_us += (int64_t)pawl__rng_below(&m->rng, 40);
	model_draw(m, len);
	if (!m->alone) {
		kit_begin(m->k, m->now_us);
		for (uint32_t i = 0; i < len; i++)
			e[i] = model_want(m, m->some[i]);
		kit_load(m->k);
		for (uint32_t i = 0; i < len; i++)
			model_check(m, e[i], m->some[i]);
	}
	for (uint32_t i = 0; i < len; i++) {
		if (!model_there(m, m->some[i], m->now_us))
			model_answer(m, e[i], m->some[i]);
	}
	if (!m->alone)
		model_finish(m, keep);
	if (keep)
		return;
	memcpy(m->at_us, before.at_us, sizeof(m->at_us));
	memcpy(m->body, before.body, sizeof(m->body));
	m->now_us = before.now_us;
}

/* Every key through the reader. */
static void model_read_all(struct model *m, struct store *s)
{
	struct ws_entry *e[KEYS];
	struct kit *k = m->k;

	pawl__arena_reset(&k->arena);
	pawl__ws_init(&k->ws, &k->arena, 7, KEYS);
	for (uint32_t i = 0; i < KEYS; i++)
		e[i] = model_want(m, i);
	assert_int_equal(store_read(s, &k->ws, &k->err), PAWL_OK);
	for (uint32_t i = 0; i < KEYS; i++)
		model_check(m, e[i], i);
}

static void model_some(struct model *m, int batches)
{
	for (int i = 0; i < batches; i++) {
		model_batch(m);
		if (pawl__rng_below(&m->rng, 10) == 0)
			assert_int_equal(store_housekeep(m->k->store, true, &m->k->err), PAWL_OK);
	}
}

static void model_life(struct model *m, int lives)
{
	kit_open(m->k);
	for (int i = 0; i < lives; i++) {
		model_some(m, 1 + (int)pawl__rng_below(&m->rng, 40));
		model_read_all(m, m->k->store);
		if (i % 10 == 0)
			assert_int_equal(kit_drifts(m->k, NULL), 0);
		if (pawl__rng_below(&m->rng, 2) == 0) {
			kit_close(m->k);
			kit_open(m->k);
		}
	}
	assert_int_equal(kit_drifts(m->k, NULL), 0);
}

static void test_answers__random_keys_are_what_the_model_says(void **state)
{
	struct kit *k = *state;
	struct model m;

	model_init(&m, k, 11);
	model_life(&m, 60);
	/* Of the thousands that were given, what has expired is gone, and in runs. */
	assert_true(m.bodies > 3000);
	assert_true(kit_sql(k, "SELECT max(run) FROM answer_run") > 50);
	assert_true(kit_sql(k, "SELECT min(run) FROM answer_run") > 40);
	assert_true(kit_sql(k, "SELECT count(*) FROM answers") < 2000);
	/* A pair of tables each; of one the keys may be gone. */
	assert_in_range(kit_sql(k, "SELECT 2 * (SELECT count(*) FROM answer_run) - count(*)"
	                           " FROM sqlite_schema WHERE type = 'table' AND"
	                           " (name GLOB 'answer_[0-9]*' OR name GLOB 'answer_key_*')"),
	                0, 1);
}

static void test_answers__colliding_hashes_are_told_apart(void **state)
{
	struct kit *k = *state;
	struct model m;
	char sql[80];

	model_init(&m, k, 12);
	k->tuning.hash_mask = UINT64_C(0xc000000000000000); /* four hashes */
	model_life(&m, 30);
	(void)snprintf(sql, sizeof(sql), "SELECT count(DISTINCT hash) FROM answer_key_%lld",
	               (long long)kit_sql(k, "SELECT max(run) FROM answer_run WHERE state = 1"));
	assert_in_range(kit_sql(k, sql), 1, 4);
}

static void test_answers__a_read_only_store_finds_the_same(void **state)
{
	struct kit *k = *state;
	struct store_options opt = { .read_only = true, .retention_us = RETENTION };
	struct store *reader;
	struct model m;

	model_init(&m, k, 13);
	kit_open(k);
	assert_int_equal(pawl__sqlite_open(k->path, &opt, NULL, &reader, &k->err), PAWL_OK);
	for (int i = 0; i < 10; i++) {
		model_some(&m, 20);
		model_read_all(&m, reader);
	}
	store_close(reader);
}

/* One process: some batches, then death between two, or behind a piece of upkeep, or in a batch. */
static void model_until_death(struct model *m)
{
	const uint64_t batches = pawl__rng_below(&m->rng, 40);
	const uint64_t how = pawl__rng_below(&m->rng, 3);

	for (uint64_t i = 0; i < batches; i++)
		model_batch(m);
	if (m->alone)
		return;
	if (how == 1)
		assert_int_equal(store_housekeep(m->k->store, true, &m->k->err), PAWL_OK);
	m->dies = how == 2;
	if (m->dies)
		model_batch(m);
	_exit(0);
}

static void test_answers__killed_processes_lose_nothing(void **state)
{
	struct kit *k = *state;
	struct model m;

	model_init(&m, k, 14);
	for (int life = 0; life < 60; life++) {
		const pid_t pid = fork();
		int status;

		assert_true(pid >= 0);
		if (pid == 0) {
			kit_open(k);
			model_until_death(&m);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		/* What the child did follows from the seed. */
		m.alone = true;
		model_until_death(&m);
		m.alone = false;
		kit_open(k);
		model_read_all(&m, k->store);
		if (life % 10 == 9)
			assert_int_equal(kit_drifts(k, NULL), 0);
		kit_close(k);
	}
	assert_true(kit_sql(k, "SELECT max(run) FROM answer_run") > 10);
}

/* An answer that is written but not yet committed must not be in the index afterwards. */
static void test_answers__a_rolled_back_answer_is_unknown(void **state)
{
	struct kit *k = *state;
	struct ws_entry *e;

	kit_open(k);
	kit_begin(k, KIT_START_US);
	e = pawl__ws_want_answer(&k->ws, STR("c"), STR("k"));
	kit_load(k);
	assert_false(e->present);
	kit_answer(k, e, "{}");
	assert_int_equal(store_flush(k->store, &k->ws, &k->err), PAWL_OK);
	kit_rollback(k);
	kit_begin(k, KIT_START_US);
	e = pawl__ws_want_answer(&k->ws, STR("c"), STR("k"));
	kit_load(k);
	assert_false(e->present);
	kit_answer(k, e, "{}");
	kit_commit(k);
	kit_begin(k, KIT_START_US);
	e = pawl__ws_want_answer(&k->ws, STR("c"), STR("k"));
	kit_load(k);
	assert_true(e->present);
	kit_rollback(k);
}

static void test_answers__retention_ends_at_the_microsecond(void **state)
{
	struct kit *k = *state;
	struct ws_entry *e;

	kit_open(k);
	kit_begin(k, KIT_START_US);
	e = pawl__ws_want_answer(&k->ws, STR("c"), STR("k"));
	kit_load(k);
	kit_answer(k, e, "{}");
	kit_commit(k);
	for (int late = 0; late < 2; late++) {
		kit_begin(k, KIT_START_US + k->opt.retention_us - 1 + late);
		e = pawl__ws_want_answer(&k->ws, STR("c"), STR("k"));
		kit_load(k);
		assert_int_equal(e->present, !late);
		kit_rollback(k);
	}
}

/* A store that is hardly used fills no run; its answers must go all the same. */
static void test_answers__few_answers_leave_the_file_too(void **state)
{
	struct kit *k = *state;
	struct ws_entry *e;

	kit_open(k);
	for (int i = 0; i < 2; i++) {
		kit_begin(k, KIT_START_US + i * 2 * k->opt.retention_us);
		e = pawl__ws_want_answer(&k->ws, STR("c"), i == 0 ? STR("k") : STR("later"));
		kit_load(k);
		kit_answer(k, e, "{}");
		kit_commit(k);
	}
	for (int i = 0; i < 10; i++)
		assert_int_equal(store_housekeep(k->store, true, &k->err), PAWL_OK);
	assert_int_equal(kit_sql(k, "SELECT count(*) FROM answers WHERE key = 'k'"), 0);
	assert_int_equal(kit_sql(k, "SELECT count(*) FROM answers"), 1);
	assert_int_equal(kit_sql(k, "SELECT answers FROM meta"), 1);
	assert_int_equal(kit_sql(k, "SELECT count(*) FROM sqlite_schema WHERE name = 'answer_1'"),
	                 0);
}

/* The index alone, below the store: what it keeps in memory. */
struct bare {
	struct conn c;
	struct answers a;
	struct meta meta;
};

static void bare_open(struct bare *b, struct kit *k)
{
	assert_int_equal(pawl__conn_open(&b->c, k->path, NULL, CONN_WRITER, &k->err), PAWL_OK);
	assert_int_equal(pawl__schema_upgrade(&b->c, &k->err), PAWL_OK);
	assert_int_equal(pawl__conn_prepare(&b->c, CONN_WRITER, &k->err), PAWL_OK);
	pawl__answers_init(&b->a, &k->tuning, RETENTION);
	assert_int_equal(pawl__answers_open(&b->a, &b->c, &k->err), PAWL_OK);
}

static void bare_close(struct bare *b)
{
	pawl__answers_deinit(&b->a);
	pawl__conn_close(&b->c, true);
}

static void bare_batch(struct bare *b, struct kit *k, int len)
{
	assert_int_equal(pawl__conn_run(&b->c, SQL_BEGIN, &k->err), PAWL_OK);
	assert_int_equal(pawl__meta_get(&b->c, &b->meta, &k->err), PAWL_OK);
	pawl__answers_begin(&b->a);
	pawl__arena_reset(&k->arena);
	pawl__ws_init(&k->ws, &k->arena, 1, 16);
	k->ws.now_us = KIT_START_US;
	k->ws.answers_seq = b->meta.answers_seq;
	for (int i = 0; i < len; i++) {
		char *key = pawl__arena_alloc(&k->arena, 24);

		assert_non_null(key);
		(void)snprintf(key, 24, "%lld-%d", (long long)b->meta.answers_seq, i);
		kit_answer(k, pawl__ws_want_answer(&k->ws, STR("c"), kit_str(key)), "{}");
	}
	b->meta.answers_seq = k->ws.answers_seq;
	b->meta.high_water_us = KIT_START_US;
	assert_int_equal(pawl__answers_flush(&b->a, &b->c, &b->meta, &k->ws, 0, &k->err), PAWL_OK);
	assert_int_equal(pawl__meta_set(&b->c, &b->meta, &k->err), PAWL_OK);
	assert_int_equal(pawl__conn_run(&b->c, SQL_COMMIT, &k->err), PAWL_OK);
	pawl__answers_committed(&b->a);
}

static bool bare_finds(struct bare *b, struct kit *k, const char *key)
{
	struct loader l = {
		.conn = &b->c, .ws = &k->ws, .retention_us = RETENTION, .answers = &b->a
	};
	const struct ws_entry *e;

	pawl__arena_reset(&k->arena);
	pawl__ws_init(&k->ws, &k->arena, 1, 16);
	k->ws.now_us = KIT_START_US;
	e = pawl__ws_want_answer(&k->ws, STR("c"), kit_str(key));
	if (pawl__load_wanted(&l, &k->err) != PAWL_OK)
		fail_msg("%s", k->err.text);
	return e->present;
}

static void bare_check(const struct bare *b)
{
	size_t filters = 0;

	for (uint32_t i = 0; i < b->a.runs_len; i++)
		filters += filter_len(&b->a.runs[i].filter);
	assert_int_equal(filters, b->a.filters_len);
	assert_true(filters <= b->a.tuning.filters_max);
	/* A run and a batch each: see the header. */
	assert_true(b->a.table[0].len <= 40 + 8 && b->a.table[1].len <= 40 + 8);
}

static void test_answers__memory_stays_under_its_caps(void **state)
{
	struct kit *k = *state;
	struct model m;
	struct bare b;

	model_init(&m, k, 15);
	bare_open(&b, k);
	for (int i = 0; i < 300; i++) {
		bare_batch(&b, k, 8);
		bare_check(&b);
	}
	assert_true(b.a.runs_len > 50);
	assert_true(b.a.filters_len > 0);
	bare_close(&b);
	bare_open(&b, k);
	bare_check(&b);
	assert_true(b.a.filters_len > 0);
	/* The youngest have theirs, the oldest have none. */
	assert_non_null(b.a.runs[b.a.runs_len - 1].filter.block);
	assert_null(b.a.runs[0].filter.block);
	bare_close(&b);
}

static int64_t runs_len(struct kit *k)
{
	return kit_sql(k, "SELECT count(*) FROM answer_run");
}

static int64_t tables_len(struct kit *k)
{
	return kit_sql(k, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND"
	                  " (name GLOB 'answer_[0-9]*' OR name GLOB 'answer_key_*')");
}

/* More runs than a connection keeps look-ups for, and none has a filter: each is asked. */
static void test_answers__more_runs_than_statements_are_kept_for(void **state)
{
	struct kit *k = *state;
	const int batches = 2 * CONN_RUNS + 80; /* two make a run */
	struct model m;
	struct bare b;
	char key[24];

	model_init(&m, k, 16);
	k->tuning.run_max = 8;
	k->tuning.slice_min = 64;
	k->tuning.filters_max = 0;
	bare_open(&b, k);
	for (int i = 0; i < batches; i++)
		bare_batch(&b, k, 8);
	assert_true(runs_len(k) > CONN_RUNS + 10);
	for (int i = 0; i < batches; i += 7) {
		(void)snprintf(key, sizeof(key), "%d-%d", i * 8, i % 8);
		assert_true(bare_finds(&b, k, key));
		(void)snprintf(key, sizeof(key), "%d-%d", i * 8, 8);
		assert_false(bare_finds(&b, k, key));
	}
	/* The view has its limit too. */
	assert_in_range(kit_sql(k, "SELECT count(*) FROM answers"), RUNS_VIEW_MAX * 15,
	                RUNS_VIEW_MAX * 16);
	assert_int_equal(kit_sql(k, "SELECT max(seq) FROM answers"), batches * 8);
	bare_close(&b);
}

/* The memory says "look in run 1", and meanwhile it has gone: what was in it has expired. Gone from
 * the directory, that is: a table that is missing otherwise is a damage. */
static void test_answers__a_run_that_goes_under_a_reader_has_expired(void **state)
{
	struct kit *k = *state;
	struct model m;
	struct bare b;

	model_init(&m, k, 17);
	bare_open(&b, k);
	for (int i = 0; i < 40; i++)
		bare_batch(&b, k, 8);
	assert_true(b.a.runs_len > 3);
	b.a.tuning.filters_max = 0;
	for (uint32_t i = 0; i < b.a.runs_len; i++)
		pawl__filter_deinit(&b.a.runs[i].filter);
	assert_true(bare_finds(&b, k, "0-0")); /* and the look-ups in run 1 are prepared */
	assert_int_equal(pawl__run_drop_keys(&b.c, 1, &k->err), PAWL_OK);
	assert_false(bare_finds(&b, k, "0-0"));
	assert_int_equal(pawl__run_drop_answers(&b.c, 1, &k->err), PAWL_OK);
	assert_false(bare_finds(&b, k, "0-0"));
	/* Without anything prepared before. */
	assert_int_equal(pawl__run_drop_keys(&b.c, 2, &k->err), PAWL_OK);
	assert_int_equal(pawl__run_drop_answers(&b.c, 2, &k->err), PAWL_OK);
	assert_false(bare_finds(&b, k, "0-0"));
	assert_int_equal(kit_sql_try(k, "DROP TABLE answer_key_3"), SQLITE_OK);
	pawl__arena_reset(&k->arena);
	pawl__ws_init(&k->ws, &k->arena, 1, 16);
	k->ws.now_us = KIT_START_US;
	assert_non_null(pawl__ws_want_answer(&k->ws, STR("c"), STR("0-0")));
	{
		struct loader l = {
			.conn = &b.c, .ws = &k->ws, .retention_us = RETENTION, .answers = &b.a
		};

		assert_int_equal(pawl__load_wanted(&l, &k->err), PAWL_E_CORRUPT);
	}
	bare_close(&b);
}

static void answer_some(struct kit *k, int64_t now_us, int len)
{
	kit_begin(k, now_us);
	for (int i = 0; i < len; i++) {
		char *key = pawl__arena_alloc(&k->arena, 32);
		struct ws_entry *e;

		assert_non_null(key);
		(void)snprintf(key, 32, "%lld-%d", (long long)k->ws.answers_seq, i);
		e = pawl__ws_want_answer(&k->ws, STR("c"), kit_str(key));
		kit_load(k);
		kit_answer(k, e, "{}");
	}
}

/* Batches alone, nobody is ever idle; and no transaction drops two tables. */
static void test_answers__expiry_does_not_wait_for_idleness(void **state)
{
	struct kit *k = *state;
	struct model m;
	int64_t now_us = KIT_START_US, tables, dropped = 0;

	model_init(&m, k, 18);
	kit_open(k);
	for (int i = 0; i < 60; i++) {
		answer_some(k, now_us, 8);
		kit_commit(k);
	}
	tables = tables_len(k);
	assert_true(tables > 16);
	now_us += 2 * RETENTION;
	for (int i = 0; i < 100; i++) {
		const int64_t before = tables;

		answer_some(k, ++now_us, 1);
		kit_commit(k);
		tables = tables_len(k);
		assert_true(tables >= before - 1);
		dropped += tables < before;
	}
	assert_true(dropped > 16);
	assert_true(kit_sql(k, "SELECT min(run) FROM answer_run") > 10);
	assert_int_equal(kit_sql(k, "SELECT count(*) FROM answers"), 100);
	assert_int_equal(kit_drifts(k, NULL), 0);
}

/* The tables of a run that a rolled back batch began are gone with it, and are made again. */
static void test_answers__a_rolled_back_run_leaves_no_tables(void **state)
{
	struct kit *k = *state;
	struct model m;

	model_init(&m, k, 19);
	kit_open(k);
	answer_some(k, KIT_START_US, 40);
	kit_commit(k);
	assert_int_equal(tables_len(k), 2);
	for (int i = 0; i < 2; i++) {
		answer_some(k, KIT_START_US, 1);
		assert_int_equal(store_flush(k->store, &k->ws, &k->err), PAWL_OK);
		kit_rollback(k);
		assert_int_equal(tables_len(k), 2);
		assert_int_equal(runs_len(k), 1);
	}
	answer_some(k, KIT_START_US, 1);
	kit_commit(k);
	assert_int_equal(tables_len(k), 4);
	assert_int_equal(runs_len(k), 2);
	assert_int_equal(kit_sql(k, "SELECT count(*) FROM answer_2"), 1);
	assert_int_equal(kit_drifts(k, NULL), 0);
}

/* A run that is half gone goes on going when the retention has been made longer. */
static void test_answers__a_longer_retention_brings_nothing_back(void **state)
{
	struct kit *k = *state;
	struct model m;

	model_init(&m, k, 20);
	kit_open(k);
	for (int i = 0; i < 12; i++) {
		answer_some(k, KIT_START_US, 8);
		kit_commit(k);
	}
	kit_begin(k, KIT_START_US + RETENTION);
	kit_commit(k);
	while (kit_sql(k, "SELECT count(*) FROM answer_run WHERE state = 2") == 0)
		assert_int_equal(store_housekeep(k->store, true, &k->err), PAWL_OK);
	assert_int_equal(kit_sql(k, "SELECT min(run) FROM answer_run"), 1);
	kit_close(k);
	k->opt.retention_us = 100 * RETENTION;
	kit_open(k);
	assert_int_equal(kit_drifts(k, NULL), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(store_housekeep(k->store, true, &k->err), PAWL_OK);
	assert_int_equal(kit_sql(k, "SELECT min(run) FROM answer_run"), 2);
	assert_int_equal(kit_drifts(k, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
		TEST(test_answers__random_keys_are_what_the_model_says),
		TEST(test_answers__colliding_hashes_are_told_apart),
		TEST(test_answers__a_read_only_store_finds_the_same),
		TEST(test_answers__killed_processes_lose_nothing),
		TEST(test_answers__few_answers_leave_the_file_too),
		TEST(test_answers__memory_stays_under_its_caps),
		TEST(test_answers__a_rolled_back_answer_is_unknown),
		TEST(test_answers__retention_ends_at_the_microsecond),
		TEST(test_answers__more_runs_than_statements_are_kept_for),
		TEST(test_answers__a_run_that_goes_under_a_reader_has_expired),
		TEST(test_answers__expiry_does_not_wait_for_idleness),
		TEST(test_answers__a_rolled_back_run_leaves_no_tables),
		TEST(test_answers__a_longer_retention_brings_nothing_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
