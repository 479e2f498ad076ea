/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the end of a run of answers costs: two runs of the real size expire, the first while nobody
 * waits, the second under batches. Prints JSON lines; decides nothing.
 *
 *     TMPDIR=DIRECTORY-ON-A-DISK meson test -C BUILD --benchmark sqlite_expiry
 *
 * bytes: what the kernel counts as written by the process, so mostly the WAL's.
 */
#include <stdio.h>

#include "base/assert.h"
#include "base/clock.h"
#include "kit.h"

#define RETENTION INT64_C(64000000)
#define BATCH     1000
#define RUN       ((int64_t)ANSWERS_RUN_MAX)

struct cost {
	int64_t start_us, start_bytes;
	int64_t us, bytes;
};

static int64_t bytes_now(struct kit *k)
{
	struct store_stats s;

	assert_int_equal(store_stats(k->store, &s, &k->err), PAWL_OK);
	return s.written_bytes;
}

static void cost_start(struct cost *c, struct kit *k)
{
	c->start_bytes = bytes_now(k);
	c->start_us = pawl__clock_mono_us();
}

static void cost_stop(struct cost *c, struct kit *k)
{
	c->us = pawl__clock_mono_us() - c->start_us;
	c->bytes = bytes_now(k) - c->start_bytes;
}

static struct cost batch(struct kit *k, int64_t now_us, int len)
{
	char body[257];
	struct cost c;

	memset(body, 'x', sizeof(body) - 1);
	body[sizeof(body) - 1] = '\0';
	kit_begin(k, now_us);
	for (int i = 0; i < len; i++) {
		char *key = pawl__arena_alloc(&k->arena, 32);
		struct ws_entry *e;

		assert_non_null(key);
		(void)snprintf(key, 32, "%lld-%d", (long long)k->ws.answers_seq, i);
		e = pawl__ws_want_answer(&k->ws, STR("c"), kit_str(key));
		kit_load(k);
		kit_answer(k, e, body);
	}
	cost_start(&c, k);
	kit_commit(k);
	cost_stop(&c, k);
	return c;
}

static struct cost housekeep(struct kit *k)
{
	struct cost c;

	cost_start(&c, k);
	assert_int_equal(store_housekeep(k->store, true, &k->err), PAWL_OK);
	cost_stop(&c, k);
	return c;
}

static int64_t tables(struct kit *k)
{
	return kit_sql(k, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND"
	                  " (name GLOB 'answer_[0-9]*' OR name GLOB 'answer_key_*')");
}

static void print(const char *what, struct cost c)
{
	(void)printf("{\"what\":\"%s\",\"us\":%lld,\"bytes\":%lld,\"bytes_per_answer\":%.2f}\n",
	             what, (long long)c.us, (long long)c.bytes, (double)c.bytes / (double)RUN);
}

static void fill(struct kit *k)
{
	struct cost all;
	int64_t last = KIT_START_US;

	cost_start(&all, k);
	for (int64_t n = 0; n < 2 * RUN + BATCH; n += BATCH)
		(void)batch(k, last, BATCH);
	cost_stop(&all, k);
	all.bytes /= 2; /* print is of one run */
	all.us /= 2;
	print("a run comes (insert, index, checkpoints)", all);
	/* The third run is begun and written as well, so that only drops are left to do. */
	last += RETENTION / ANSWERS_AGES;
	(void)batch(k, last, 0);
	for (int i = 0; i < 100; i++)
		(void)housekeep(k);
}

static void measure(void **state)
{
	struct kit *k = *state;
	int64_t before;

	k->opt.retention_us = RETENTION;
	kit_open(k);
	fill(k);
	(void)batch(k, KIT_START_US + RETENTION, 0);
	print("idle: the keys of a run go", housekeep(k));
	print("idle: its answers go", housekeep(k));
	assert_int_equal(kit_sql(k, "SELECT min(run) FROM answer_run"), 2);
	before = tables(k);
	for (int i = 0; i < 50; i++) {
		const int64_t now_us =
			KIT_START_US + RETENTION + (i > 20) * RETENTION / ANSWERS_LATE;
		const struct cost c = batch(k, now_us, BATCH);
		const int64_t after = tables(k);

		if (after < before)
			print("load: a batch of 1000 that drops a table", c);
		else if (i % 10 == 5)
			print("load: a batch of 1000 that does not", c);
		before = after;
	}
	assert_int_equal(kit_drifts(k, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(measure, kit_setup, kit_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
