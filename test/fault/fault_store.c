/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine over SQLite on a disk that fails, and on one that loses its power: whatever happens,
 * what was answered is there afterwards and nothing else is. See work.h for what is checked.
 *
 * Each fault is tried at the first operation of its kind, at the second, and so on until a run is
 * not struck any more. Power is cut at operations drawn from all of them.
 *
 * Replay of one run: fault_store FAULT NTH SEED LAST. FAULT_CUTS: how often the power is
 * cut. FAULT_EACH: up to which operation none is left out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "disk.h"
#include "work.h"

#define REQUESTS     60
#define CUTS_DEFAULT 300
/* Each of the first operations, then each STRIDE_MAX-th at most. */
#define EACH_UNTIL 40U
#define STRIDE_MAX 15U
#define FULL_TIMES 25U

static char dir[256];
static char path[300];

static const char *const fault_names[] = {
	[DISK_SOUND] = "sound",
	[DISK_WRITE_FAILS] = "write-fails",
	[DISK_WRITE_SHORT] = "write-short",
	[DISK_WRITE_LIES] = "write-lies",
	[DISK_FULL] = "full",
	[DISK_SYNC_FAILS] = "sync-fails",
	[DISK_TRUNCATE_FAILS] = "truncate-fails",
	[DISK_OPEN_FAILS] = "open-fails",
	[DISK_READ_FAILS] = "read-fails",
	[DISK_POWER_CUT] = "power-cut",
};

static void files_remove(void)
{
	static const char *const suffixes[] = { "", "-wal", "-shm", "-journal", ".lock" };
	char name[320];

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
		(void)snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		if (unlink(name) != 0)
			assert_int_equal(errno, ENOENT);
	}
}

static bool sync_failed(const struct disk_plan *plan)
{
	return plan->fault == DISK_SYNC_FAILS && pawl__disk_struck() > 0;
}

/* What engine_health says must be what the next write meets. */
static void check_health(struct work *w, const struct disk_plan *plan)
{
	struct engine_health health;
	bool done;

	pawl__disk_heal();
	done = pawl__work_probe(w);
	pawl__engine_health(w->engine, &health);
	if (health.writable != done)
		pawl__work_fail(w, "health says %swritable, a write is %s: %s",
		                health.writable ? "" : "not ", done ? "done" : "refused",
		                health.detail);
	if (sync_failed(plan) && done)
		pawl__work_fail(w, "a write is done after a sync that failed");
	if (plan->fault == DISK_FULL && !done)
		pawl__work_fail(w, "there is space again, yet a write is refused: %s",
		                health.detail);
	if (!health.writable && health.detail[0] == '\0')
		pawl__work_fail(w, "not writable, and no reason given");
}

/* The life of a process on the bad disk. */
static void live(struct work *w, const struct disk_plan *plan)
{
	struct pawl_error err = { .status = PAWL_OK };

	if (!pawl__work_open(w, path, "disk", &err)) {
		if (pawl__disk_struck() == 0)
			pawl__work_fail(w, "opening: %s", err.text);
		return;
	}
	pawl__work_setup(w);
	pawl__work_some(w, REQUESTS / 2);
	if (plan->seed % 3 == 0 && !pawl__disk_dark() && !sync_failed(plan)) {
		pawl__work_close(w);
		/* Who has met a failed sync is not to be started again as if there were none. */
		if (sync_failed(plan))
			return;
		if (!pawl__work_open(w, path, "disk", &err)) {
			if (pawl__disk_struck() == 0)
				pawl__work_fail(w, "opening again: %s", err.text);
			return;
		}
	}
	pawl__work_some(w, REQUESTS / 2);
	if (!pawl__disk_dark() && plan->fault != DISK_POWER_CUT) {
		check_health(w, plan);
		if (plan->seed % 2 == 0)
			pawl__work_retry(w);
	}
	pawl__work_close(w);
}

/* A process that only gets as far as opening before the power goes again. */
static void flicker(struct work *w, uint64_t seed)
{
	const struct disk_plan plan = {
		.fault = DISK_POWER_CUT, .nth = 1 + seed % 23, .times = 1, .seed = seed + 1
	};
	struct pawl_error err;

	pawl__disk_reset(&plan);
	if (pawl__work_open(w, path, "disk", &err))
		pawl__work_close(w);
	pawl__disk_lose();
}

/* One life, one death, and the judgement. Returns how often the fault struck. */
static uint64_t run(const struct disk_plan *plan, bool *ret_bad)
{
	static struct work w;
	struct pawl_error err = { .status = PAWL_OK };
	uint64_t struck;

	files_remove();
	pawl__disk_reset(plan);
	pawl__work_init(&w, plan->seed);
	w.dark = pawl__disk_dark;
	w.unheard = plan->fault == DISK_POWER_CUT;
	live(&w, plan);
	pawl__work_close(&w);
	struck = pawl__disk_struck();
	/* After a sync that failed the machine may go down as well. */
	if (plan->fault == DISK_POWER_CUT || (plan->fault == DISK_SYNC_FAILS && plan->seed % 2))
		pawl__disk_lose();
	if (plan->fault == DISK_POWER_CUT && plan->seed % 3 == 1)
		flicker(&w, plan->seed);
	w.dark = NULL;
	if (!w.bad && !pawl__work_open(&w, path, NULL, &err))
		pawl__work_fail(&w, "opening on a sound disk: %s", err.text);
	if (!w.bad)
		pawl__work_check(&w);
	*ret_bad = w.bad;
	if (w.bad)
		(void)fprintf(stderr, "replay: fault_store %s %llu %llu %d\n",
		              fault_names[plan->fault], (unsigned long long)plan->nth,
		              (unsigned long long)plan->seed, plan->last);
	pawl__work_deinit(&w);
	return struck;
}

static int64_t number_of(const char *text, int64_t otherwise)
{
	int64_t n = otherwise;

	if (text != NULL && !pawl__num_parse_i64(pawl__str_of(text), &n))
		return otherwise;
	return n;
}

/* The fault at the first operation, at the second, .. until it strikes no more. */
static void until_clean(enum disk_fault fault, uint64_t times, bool last)
{
	struct disk_plan plan = {
		.fault = fault, .nth = 1, .times = times, .seed = 1, .last = last
	};
	const uint64_t each = (uint64_t)number_of(secure_getenv("FAULT_EACH"), EACH_UNTIL);
	uint64_t runs = 0, bad_runs = 0, struck;

	do {
		bool bad;

		struck = run(&plan, &bad);
		runs++;
		bad_runs += bad;
		plan.nth += plan.nth < each ? 1 : 1 + plan.seed % STRIDE_MAX;
		plan.seed++;
	} while (struck > 0 && bad_runs < 5);
	print_message("%s%s: %llu runs, the last at operation %llu\n", fault_names[fault],
	              last ? ", killed" : "", (unsigned long long)runs,
	              (unsigned long long)plan.nth - 1);
	assert_int_equal(bad_runs, 0);
	assert_true(runs > 1);
}

static void test_engine__sound_disk_remembers_everything(void **state)
{
	const struct disk_plan plan = { .fault = DISK_SOUND, .seed = 7 };
	bool bad;

	(void)state;
	(void)run(&plan, &bad);
	assert_false(bad);
}

static void test_engine__nth_write_fails_answers_hold(void **state)
{
	(void)state;
	until_clean(DISK_WRITE_FAILS, 1, false);
}

static void test_engine__nth_write_is_short_answers_hold(void **state)
{
	(void)state;
	until_clean(DISK_WRITE_SHORT, 1, false);
}

static void test_engine__nth_write_lies_answers_hold(void **state)
{
	(void)state;
	until_clean(DISK_WRITE_LIES, 1, false);
}

static void test_engine__disk_full_answers_hold_and_work_resumes(void **state)
{
	(void)state;
	until_clean(DISK_FULL, FULL_TIMES, false);
}

static void test_engine__nth_write_fails_then_killed_answers_hold(void **state)
{
	(void)state;
	until_clean(DISK_WRITE_FAILS, 1, true);
}

static void test_engine__nth_write_is_short_then_killed_answers_hold(void **state)
{
	(void)state;
	until_clean(DISK_WRITE_SHORT, 1, true);
}

static void test_engine__nth_write_lies_then_killed_answers_hold(void **state)
{
	(void)state;
	until_clean(DISK_WRITE_LIES, 1, true);
}

static void test_engine__disk_full_then_killed_answers_hold(void **state)
{
	(void)state;
	until_clean(DISK_FULL, 1, true);
}

static void test_engine__nth_sync_fails_no_later_write_is_done(void **state)
{
	(void)state;
	until_clean(DISK_SYNC_FAILS, 1, false);
}

static void test_engine__nth_truncate_fails_answers_hold(void **state)
{
	(void)state;
	until_clean(DISK_TRUNCATE_FAILS, 1, false);
}

static void test_engine__nth_open_fails_answers_hold(void **state)
{
	(void)state;
	until_clean(DISK_OPEN_FAILS, 1, false);
}

static void test_engine__nth_read_fails_answers_hold(void **state)
{
	(void)state;
	until_clean(DISK_READ_FAILS, 1, false);
}

static void test_engine__power_cut_keeps_what_was_answered(void **state)
{
	const int64_t cuts = number_of(secure_getenv("FAULT_CUTS"), CUTS_DEFAULT);
	struct disk_plan plan = { .fault = DISK_POWER_CUT, .nth = DISK_FOR_EVER, .times = 1 };
	int64_t struck = 0, bad_runs = 0;
	uint64_t operations;
	struct rng rng;
	bool bad;

	(void)state;
	(void)run(&plan, &bad); /* never cut: how many operations are there? */
	operations = pawl__disk_count();
	assert_false(bad);
	assert_true(operations > 100);
	rng_init(&rng, 1);
	for (plan.seed = 1; struck < cuts && bad_runs < 5; plan.seed++) {
		plan.nth = 1 + pawl__rng_below(&rng, operations);
		struck += run(&plan, &bad) > 0;
		bad_runs += bad;
		assert_true(plan.seed < (uint64_t)cuts * 3);
	}
	print_message("power-cut: %lld cuts in lives of about %llu operations\n", (long long)struck,
	              (unsigned long long)operations);
	assert_int_equal(bad_runs, 0);
}

static int replay(char **argv)
{
	struct disk_plan plan = { .nth = (uint64_t)number_of(argv[2], 0),
		                  .times = 1,
		                  .seed = (uint64_t)number_of(argv[3], 0),
		                  .last = number_of(argv[4], 0) != 0 };
	bool bad = true;

	for (size_t i = 0; i < sizeof(fault_names) / sizeof(*fault_names); i++) {
		if (strcmp(fault_names[i], argv[1]) != 0)
			continue;
		plan.fault = (enum disk_fault)i;
		if (plan.fault == DISK_FULL && !plan.last)
			plan.times = FULL_TIMES;
		(void)fprintf(stderr, "struck %llu times\n", (unsigned long long)run(&plan, &bad));
	}
	return bad ? 1 : 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_engine__sound_disk_remembers_everything),
		cmocka_unit_test(test_engine__nth_write_fails_answers_hold),
		cmocka_unit_test(test_engine__nth_write_is_short_answers_hold),
		cmocka_unit_test(test_engine__nth_write_lies_answers_hold),
		cmocka_unit_test(test_engine__disk_full_answers_hold_and_work_resumes),
		cmocka_unit_test(test_engine__nth_write_fails_then_killed_answers_hold),
		cmocka_unit_test(test_engine__nth_write_is_short_then_killed_answers_hold),
		cmocka_unit_test(test_engine__nth_write_lies_then_killed_answers_hold),
		cmocka_unit_test(test_engine__disk_full_then_killed_answers_hold),
		cmocka_unit_test(test_engine__nth_sync_fails_no_later_write_is_done),
		cmocka_unit_test(test_engine__nth_truncate_fails_answers_hold),
		cmocka_unit_test(test_engine__nth_open_fails_answers_hold),
		cmocka_unit_test(test_engine__nth_read_fails_answers_hold),
		cmocka_unit_test(test_engine__power_cut_keeps_what_was_answered),
	};
	const char *tmp = secure_getenv("TMPDIR");
	int rc;

	(void)snprintf(dir, sizeof(dir), "%s/pawl-fault-XXXXXX", tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(dir) == NULL) {
		perror(dir);
		return 1;
	}
	(void)snprintf(path, sizeof(path), "%s/pawl.db", dir);
	rc = argc == 5 ? replay(argv) : cmocka_run_group_tests(tests, NULL, NULL);
	files_remove();
	(void)rmdir(dir);
	return rc;
}
