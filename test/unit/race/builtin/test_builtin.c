/* SPDX-License-Identifier: Apache-2.0 */
/* The data of the incidents, the machine that carries them out, and the enumeration of orders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "race/builtin/builtin.h"
#include "race/builtin/machine.h"
#include "race/builtin/race.h"
#include "race/builtin/schedule.h"
#include "race/builtin/session.h"
#include "race/page/page.h"

/* ---- Expressions ---- */

static void test_expr_sum__sums_and_what_is_none(void **state)
{
	static const struct {
		const char *text;
		bool well;
		int64_t v;
	} rows[] = {
		{ "1", true, 1 },      { " 5 - -3 + 2 ", true, 10 },
		{ "0 - 7", true, -7 }, { "9223372036854775807 + 1", false, 0 },
		{ "", false, 0 },      { "1 2", false, 0 },
		{ "1 * 2", false, 0 }, { "a", false, 0 },
		{ "1 +", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t v = 0;

		assert_int_equal(pawl__expr_sum(pawl__str_of(rows[i].text), &v), rows[i].well);
		if (rows[i].well)
			assert_int_equal(v, rows[i].v);
	}
}

static void test_expr_holds__each_comparison(void **state)
{
	static const struct {
		const char *text;
		int holds; /* -1: no condition */
	} rows[] = {
		{ "1 < 2", 1 },          { "2 < 2", 0 },  { "2 <= 2", 1 },
		{ "3 > 2", 1 },          { "2 >= 3", 0 }, { "1 + 1 = 2", 1 },
		{ "1 != 1", 0 },         { "1 != 2", 1 }, { "1", -1 },
		{ "1 ! 2", -1 },         { "1 = x", -1 }, { "= 1", -1 },
		{ "5 - 2 >= 1 + 2", 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool holds = false;
		const bool well = pawl__expr_holds(pawl__str_of(rows[i].text), &holds);

		assert_int_equal(well ? (int)holds : -1, rows[i].holds);
	}
}

/* ---- Orders ---- */

/* Lanes of so many steps each that never wait: every interleaving exactly once. */
static uint64_t enumerate(const uint32_t *steps, uint32_t lanes, char *ret_last, size_t last_max)
{
	struct schedule *s = calloc(1, sizeof(*s));
	uint64_t n = 0;
	char before[64] = "";

	do {
		uint32_t left[8];
		char path[64];
		size_t len = 0;

		memcpy(left, steps, lanes * sizeof(*left));
		pawl__schedule_begin(s);
		for (;;) {
			uint32_t ready = 0, chosen;

			for (uint32_t i = 0; i < lanes; i++)
				ready |= left[i] > 0 ? 1U << i : 0;
			if (ready == 0)
				break;
			assert_true(pawl__schedule_choose(s, ready));
			chosen = s->at[s->len - 1].chosen;
			left[chosen]--;
			path[len++] = (char)('a' + chosen);
		}
		path[len] = '\0';
		assert_true(strcmp(before, path) < 0); /* in order, so none twice */
		(void)snprintf(before, sizeof(before), "%s", path);
		n++;
	} while (pawl__schedule_next(s));
	assert_int_equal(s->strayed, 0);
	(void)snprintf(ret_last, last_max, "%s", before);
	free(s);
	return n;
}

static void test_schedule__independent_lanes_multinomial_count(void **state)
{
	static const struct {
		uint32_t steps[3], lanes;
		uint64_t n;
		const char *last;
	} rows[] = {
		{ { 1 }, 1, 1, "a" },
		{ { 3, 3 }, 2, 20, "bbbaaa" },
		{ { 5, 5 }, 2, 252, "bbbbbaaaaa" },
		{ { 2, 3 }, 2, 10, "bbbaa" },
		{ { 3, 3, 3 }, 3, 1680, "cccbbbaaa" },
		{ { 4, 3, 2 }, 3, 1260, "ccbbbaaaa" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char last[64];

		assert_int_equal(enumerate(rows[i].steps, rows[i].lanes, last, sizeof(last)),
		                 rows[i].n);
		assert_string_equal(last, rows[i].last);
	}
}

static void test_schedule_choose__at_its_limit_refused(void **state)
{
	struct schedule *s = calloc(1, sizeof(*s));

	(void)state;
	for (int i = 0; i < SCHEDULE_STEPS_MAX; i++)
		assert_true(pawl__schedule_choose(s, 1));
	assert_false(pawl__schedule_choose(s, 1));
	free(s);
}

static void test_schedule_choose__kept_lane_cannot_go_is_told(void **state)
{
	struct schedule *s = calloc(1, sizeof(*s));

	(void)state;
	assert_true(pawl__schedule_choose(s, 3));
	assert_true(pawl__schedule_next(s));
	pawl__schedule_begin(s);
	assert_true(pawl__schedule_choose(s, 1)); /* lane 1 was to go */
	assert_int_equal(s->strayed, 1);
	assert_int_equal(s->at[0].chosen, 0);
	free(s);
}

/* ---- The machine ---- */

struct bench {
	struct world world;
	struct machine m;
	struct program p;
};

static void bench_start(struct bench *b, const struct step *steps)
{
	const struct machine_start start = {
		.program = &b->p, .seed = 7, .client = 4, .number = 9, .round = 2
	};

	memset(b, 0, sizeof(*b));
	b->world = (struct world){ .prefix = "pre.", .clients = 10, .size = 5 };
	b->p.lock = " LOCKED";
	for (size_t i = 0; steps[i].op != STEP_END; i++)
		b->p.steps[i] = steps[i];
	pawl__machine_init(&b->m, &b->world);
	pawl__machine_start(&b->m, &start);
}

static void wants(struct bench *b, const char *text)
{
	struct want w;

	pawl__machine_next(&b->m, &w);
	assert_int_equal(w.what, WANT_STATEMENT);
	assert_string_equal(w.text.ptr, text);
}

static void answer(struct bench *b, enum reply_class class, int64_t rows, const char *cell)
{
	struct reply r;

	reply_init(&r, class);
	r.rows = rows;
	if (cell != NULL) {
		r.cells[0] = pawl__str_of(cell);
		r.cells_len = 1;
	}
	pawl__machine_reply(&b->m, &r);
}

static void ends(struct bench *b, enum machine_end end)
{
	struct want w;

	pawl__machine_next(&b->m, &w);
	assert_int_equal(w.what, WANT_END);
	assert_int_equal(b->m.end, end);
	pawl__machine_deinit(&b->m);
}

static void test_machine__holes_are_filled(void **state)
{
	struct bench b;

	(void)state;
	bench_start(&b,
	            STEPS(ASK("a", "@t {c} {i} {k} {d} {r} {z} {p} {N} {S}{L} {{\"x\":{i}}} {?}"),
	                  CALC("b", "{a} + {e} - 2"), RUN("{a}|{-a}|{b}|{n}")));
	wants(&b, "pre.t 4 9 5 1 2 0 0 10 5 LOCKED {{\"x\":9}} {?}");
	answer(&b, REPLY_OK, 1, "40");
	wants(&b, "40|0|38|1");
	answer(&b, REPLY_OK, 0, NULL);
	ends(&b, END_DONE);
}

static void test_machine__retry_undoes_and_runs_what_is_armed_first(void **state)
{
	struct bench b;
	struct want w;

	(void)state;
	bench_start(&b, STEPS(RUN("take"), ARM, RUN("BEGIN"), RUN("write"), RETRY_IF("{n} = 0"),
	                      RUN("COMMIT"), FINALLY, RUN("give")));
	wants(&b, "take");
	answer(&b, REPLY_OK, 1, NULL);
	wants(&b, "BEGIN");
	answer(&b, REPLY_OK, 0, NULL);
	wants(&b, "write");
	answer(&b, REPLY_OK, 0, NULL);
	wants(&b, "ROLLBACK");
	answer(&b, REPLY_OK, 0, NULL);
	wants(&b, "give");
	answer(&b, REPLY_OK, 0, NULL);
	pawl__machine_next(&b.m, &w);
	assert_int_equal(w.what, WANT_PAUSE);
	assert_true(w.backoff);
	pawl__machine_go(&b.m);
	assert_int_equal(b.m.retries, 1);
	wants(&b, "take");
	answer(&b, REPLY_OK, 1, NULL);
	wants(&b, "BEGIN");
	answer(&b, REPLY_OK, 0, NULL);
	wants(&b, "write");
	answer(&b, REPLY_OK, 1, NULL);
	wants(&b, "COMMIT");
	answer(&b, REPLY_OK, 0, NULL);
	wants(&b, "give");
	answer(&b, REPLY_OK, 0, NULL);
	ends(&b, END_DONE);
}

static void test_machine__commit_that_fails_is_undone_and_tried_again(void **state)
{
	struct bench b;
	struct want w;

	(void)state;
	bench_start(&b, STEPS(RUN("BEGIN"), RUN("COMMIT")));
	wants(&b, "BEGIN");
	answer(&b, REPLY_OK, 0, NULL);
	wants(&b, "COMMIT");
	answer(&b, REPLY_DEADLOCK, 0, NULL);
	wants(&b, "ROLLBACK");
	answer(&b, REPLY_ERROR, 0, NULL); /* nothing to undo any more */
	pawl__machine_next(&b.m, &w);
	assert_int_equal(w.what, WANT_PAUSE);
	assert_int_equal(b.m.deadlocks, 1);
	pawl__machine_deinit(&b.m);
}

static void test_machine__once_gives_up_and_crash_leaves_the_armed(void **state)
{
	struct bench b;

	(void)state;
	bench_start(&b, STEPS(RUN("x")));
	b.p.once = true;
	wants(&b, "x");
	answer(&b, REPLY_TRANSIENT, 0, NULL);
	ends(&b, END_GAVE_UP);

	bench_start(&b,
	            STEPS(RUN("take"), ARM, CRASH_IF("{z} = 0"), RUN("y"), FINALLY, RUN("give")));
	wants(&b, "take");
	answer(&b, REPLY_OK, 1, NULL);
	ends(&b, END_CRASHED);
}

static void test_machine__outcomes_of_replies(void **state)
{
	static const struct {
		enum reply_class class;
		enum machine_end end;
	} rows[] = { { REPLY_DUPLICATE, END_REFUSED },
		     { REPLY_LOST, END_UNKNOWN },
		     { REPLY_ERROR, END_ERROR } };
	struct bench b;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bench_start(&b, STEPS(RUN("x"), RUN("y")));
		wants(&b, "x");
		answer(&b, rows[i].class, 0, NULL);
		ends(&b, rows[i].end);
	}
}

static uint32_t tries_until_end(enum reply_class class)
{
	struct bench b;
	struct want w;
	uint32_t tries = 0;

	bench_start(&b, STEPS(RUN("x")));
	for (;;) {
		pawl__machine_next(&b.m, &w);
		if (w.what == WANT_END)
			break;
		if (w.what == WANT_PAUSE) {
			pawl__machine_go(&b.m);
			continue;
		}
		tries++;
		answer(&b, class, 0, NULL);
	}
	ends(&b, END_GAVE_UP);
	return tries;
}

static void test_machine__gives_up_after_its_tries(void **state)
{
	(void)state;
	assert_int_equal(tries_until_end(REPLY_LOCKED), MACHINE_TRIES_MAX);
	assert_int_equal(tries_until_end(REPLY_DEADLOCK), MACHINE_VICTIMS_MAX);
}

static void test_machine__a_damage_is_counted_when_positive(void **state)
{
	struct bench b;

	(void)state;
	bench_start(&b, STEPS(COUNT("lost", "3 - 5"), COUNT("lost", "5 - 3"), COUNT("other", "0"),
	                      TALLY("lost", "1 < 2"), TALLY("lost", "2 < 1")));
	ends(&b, END_DONE);
	assert_int_equal(b.m.counts_len, 2);
	assert_string_equal(b.m.counts[0].name, "lost");
	assert_int_equal(b.m.counts[0].n, 3);
	assert_int_equal(b.m.counts[1].n, 0);
}

/* ---- The tables ---- */

/* Answered with 1s, every step's text can be filled and every condition read. */
static void walk(const struct step *steps, const char *who)
{
	struct bench b;
	struct want w;

	if (steps == NULL)
		return;
	bench_start(&b, STEPS(RUN("x")));
	for (; steps->op != STEP_END; steps++) {
		int64_t v;
		bool holds;
		const bool sum = steps->op == STEP_CALC || steps->op == STEP_COUNT ||
		                 steps->op == STEP_LOCK || steps->op == STEP_CACHE ||
		                 steps->op == STEP_ACK || steps->op == STEP_AWAIT;
		const bool condition = steps->op == STEP_REFUSE || steps->op == STEP_RETRY ||
		                       steps->op == STEP_DONE || steps->op == STEP_CRASH ||
		                       steps->op == STEP_PAUSE || steps->op == STEP_TALLY;

		if (sum && !pawl__expr_sum(pawl__machine_fill(&b.m, steps->text, true), &v))
			fail_msg("%s: not a sum: %s", who, steps->text);
		if (condition &&
		    !pawl__expr_holds(pawl__machine_fill(&b.m, steps->text, true), &holds))
			fail_msg("%s: not a condition: %s", who, steps->text);
		if (steps->when != NULL &&
		    !pawl__expr_holds(pawl__machine_fill(&b.m, steps->when, true), &holds))
			fail_msg("%s: not a condition: %s", who, steps->when);
		if (steps->op == STEP_ASK)
			assert_non_null(pawl__machine_fill(&b.m, steps->text, false).ptr);
	}
	pawl__machine_next(&b.m, &w);
	pawl__machine_deinit(&b.m);
}

static void test_program_make__every_incident_has_naive_and_a_right_one(void **state)
{
	static struct program p;

	(void)state;
	for (const struct incident *const *i = pawl__incidents; *i != NULL; i++) {
		for (int store = 0; store < STORES; store++) {
			const struct parts *parts =
				pawl__incident_parts(*i, (enum store_kind)store);
			int right = 0, wrong = 0;

			if (parts == NULL)
				continue;
			for (int s = 0; s < STRATEGIES; s++) {
				if (!pawl__program_make(parts, (enum store_kind)store,
				                        (enum strategy)s, &p))
					continue;
				right += !p.wrong;
				wrong += p.wrong;
				assert_true(strlen(p.why) > 10);
				walk(p.steps, (*i)->name);
				walk(p.other, (*i)->name);
			}
			walk(parts->schema, (*i)->name);
			walk(parts->reset, (*i)->name);
			walk(parts->after, (*i)->name);
			walk(parts->check, (*i)->name);
			assert_true(right > 0);
			assert_true(wrong > 0 || store == STORE_HTTP);
		}
	}
}

static void test_incidents__the_thirteen_are_there(void **state)
{
	static const char *const names[] = {
		"oversell",       "last-item",   "lost-update", "bank-transfer",   "double-submit",
		"shared-session", "write-skew",  "deadlock",    "phantom-booking", "stale-config",
		"dual-write",     "lock-expiry", "counter",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct incident *incident = pawl__incident_find(names[i]);

		assert_non_null(incident);
		assert_non_null(pawl__incident_parts(incident, STORE_SQLITE));
		assert_non_null(pawl__incident_parts(incident, STORE_PG));
	}
	assert_null(pawl__incident_find("nothing"));
}

/* ---- A run's options ---- */

static enum pawl_status refused(struct builtin_options o, struct pawl_error *err)
{
	struct builtin_report *report = NULL;
	struct arena arena;
	enum pawl_status st;

	pawl__arena_init(&arena, 65536, (size_t)64 << 20);
	st = pawl__builtin_run(&o, &arena, &report, err);
	pawl__arena_deinit(&arena);
	return st;
}

static void test_builtin_run__bad_options_say_what_is_wrong(void **state)
{
	static const struct {
		struct builtin_options o;
		enum pawl_status st;
		const char *says;
	} rows[] = {
		{ { .incident = "oversel", .on = "sqlite:x" },
		  PAWL_E_INVALID,
		  "did you mean oversell" },
		{ { .incident = "oversell", .on = "sqlite:x", .strategy = "naiv" },
		  PAWL_E_INVALID,
		  "did you mean naive" },
		{ { .incident = "oversell", .on = "mysql://x" }, PAWL_E_CONFIG, "--on is sqlite" },
		{ { .incident = "oversell", .on = "sqlite:" }, PAWL_E_CONFIG, "nothing behind" },
		{ { .incident = "oversell", .on = "sqlite:x", .clients = 1 },
		  PAWL_E_INVALID,
		  "--clients" },
		{ { .incident = "oversell", .on = "sqlite:x", .clients = BUILTIN_CLIENTS_MAX + 1 },
		  PAWL_E_INVALID,
		  "--clients" },
		{ { .incident = "oversell", .on = "sqlite:x", .rounds = BUILTIN_ROUNDS_MAX + 1 },
		  PAWL_E_INVALID,
		  "--rounds" },
		{ { .incident = "oversell", .on = "sqlite:x", .clients = 4, .explore = true },
		  PAWL_E_INVALID,
		  "3 sessions" },
		{ { .incident = "lock-expiry", .on = "sqlite:x", .explore = true },
		  PAWL_E_CONFIG,
		  "by the clock" },
		{ { .incident = "oversell", .on = "redis://127.0.0.1:1", .explore = true },
		  PAWL_E_CONFIG,
		  "steps through SQL" },
		{ { .incident = "oversell", .on = "sqlite:x", .history = "h" },
		  PAWL_E_CONFIG,
		  "--history" },
		{ { .incident = "counter", .on = "sqlite:x", .history = "h" },
		  PAWL_E_INVALID,
		  "one strategy" },
		{ { .incident = "dual-write", .on = "http://127.0.0.1:1" },
		  PAWL_E_CONFIG,
		  "not there yet" },
		{ { .incident = "counter", .on = "sqlite:/nonexistent/x" },
		  PAWL_E_IO,
		  "cannot be opened" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pawl_error err = { 0 };

		assert_int_equal(refused(rows[i].o, &err), rows[i].st);
		if (strstr(err.text, rows[i].says) == NULL)
			fail_msg("row %zu says: %s", i, err.text);
	}
}

/* A SQLite file of its own: naive is found in the first orders, row-lock holds in all of them. */
static void test_builtin_run__explored_on_sqlite_the_same_every_time(void **state)
{
	char dir[] = "/tmp/pawl-race-XXXXXX", path[64], url[sizeof(path) + 8];
	uint64_t first = 0;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/a.db", dir);
	(void)snprintf(url, sizeof(url), "sqlite:%s", path);
	for (int i = 0; i < 2; i++) {
		const struct builtin_options o = {
			.incident = "lost-update", .on = url, .strategy = "naive", .explore = true
		};
		struct builtin_report *r = NULL;
		struct pawl_error err = { 0 };
		struct arena arena;

		pawl__arena_init(&arena, 65536, (size_t)64 << 20);
		assert_int_equal(pawl__builtin_run(&o, &arena, &r, &err), PAWL_OK);
		assert_int_equal(r->exit_status, 1);
		assert_int_equal(r->rows[0].explored.schedules, 6); /* 4! / (2! 2!) */
		assert_int_equal(r->rows[0].explored.violations, 4);
		assert_true(r->rows[0].explored.complete);
		assert_non_null(strstr(r->rows[0].explored.lane_text, "UPDATE docs SET body"));
		assert_int_equal(r->rows[0].explored.lane_len, 4);
		assert_true(i == 0 || first == r->rows[0].explored.first);
		first = r->rows[0].explored.first;
		pawl__arena_deinit(&arena);
	}
	(void)unlink(path);
	assert_int_equal(rmdir(dir), 0);
}

/* ---- The page ---- */

/* Whatever came from a store, a URL or a server's name is text on the page and nothing else. */
static void test_builtin_html__nothing_hostile(void **state)
{
	static const char hostile[] = "\xc3<b>&'\"\x1b\xff\xc3";
	static const char shown[] =
		"\xef\xbf\xbd&lt;b&gt;&amp;&#39;&quot; \xef\xbf\xbd\xef\xbf\xbd";
	struct builtin_row *row = calloc(1, sizeof(*row));
	struct builtin_report r = { .incident = hostile,
		                    .summary = hostile,
		                    .promise = hostile,
		                    .server = hostile,
		                    .unit = "orders",
		                    .notes = { hostile },
		                    .notes_len = 1,
		                    .system = hostile,
		                    .command = hostile,
		                    .rows_len = 1 };
	struct buf b;

	(void)state;
	assert_non_null(row);
	*row = (struct builtin_row){ .strategy = "naive", .why = hostile, .text = hostile };
	row->explored.sessions = 1;
	row->explored.lane_len = 1;
	row->explored.lane[0].text = hostile;
	r.rows = row;
	for (int explore = 0; explore < 2; explore++) {
		size_t n = 0;

		if (explore == 0) {
			row->explored.lane_len = 0;
			row->bars_len = row->bars_of = 1;
			row->bars[0] = (struct builtin_bar){ 1, 0, 10, hostile };
			row->bars_damage = hostile;
		} else {
			row->explored.lane_len = 1;
		}
		r.explore = explore;
		pawl__buf_init(&b, PAGE_BYTES_MAX);
		pawl__builtin_html(&r, &b);
		pawl__buf_putc(&b, '\0');
		assert_false(b.overflow);
		assert_null(strstr(b.data, "<b>"));
		assert_null(strchr(b.data, '\x1b'));
		assert_null(strchr(b.data, '\xff'));
		assert_null(strstr(b.data, "style=\""));
		for (const char *at = b.data; (at = strstr(at, shown)) != NULL; at++)
			n++;
		/* Title twice, summary, promise, server twice, text, why, note, system and command;
		   then label, drawing and table of a statement, or damage, label and bar. */
		assert_int_equal(n, 11 + 3);
		pawl__buf_deinit(&b);
	}
	free(row);
}

/* The first to begin are drawn, in that order; what did not happen is not. */
static void test_race_bars__the_first_in_order(void **state)
{
	struct race_span spans[BUILTIN_BARS_MAX + 3];
	enum machine_end ends[ARRAY_LEN(spans)];
	struct builtin_row *row = calloc(1, sizeof(*row));
	const uint32_t len = ARRAY_LEN(spans);

	(void)state;
	assert_non_null(row);
	for (uint32_t i = 0; i < len; i++) { /* the last began first */
		spans[i] = (struct race_span){ 1000 + (len - i) * 1000, 90000 };
		ends[i] = i % 2 == 0 ? END_DONE : END_REFUSED;
	}
	spans[len - 1] = (struct race_span){ 0, 0 };
	pawl__race_bars(spans, ends, len, 1000, row);
	assert_int_equal(row->bars_len, BUILTIN_BARS_MAX);
	assert_int_equal(row->bars_of, len);
	for (uint32_t i = 0; i < BUILTIN_BARS_MAX; i++) {
		assert_int_equal(row->bars[i].program, len - 1 - i);
		assert_int_equal(row->bars[i].from_us, i + 2);
		assert_int_equal(row->bars[i].to_us, 89);
		assert_string_equal(row->bars[i].outcome,
		                    (len - 2 - i) % 2 == 0 ? "done" : "refused");
	}
	free(row);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expr_sum__sums_and_what_is_none),
		cmocka_unit_test(test_expr_holds__each_comparison),
		cmocka_unit_test(test_schedule__independent_lanes_multinomial_count),
		cmocka_unit_test(test_schedule_choose__at_its_limit_refused),
		cmocka_unit_test(test_schedule_choose__kept_lane_cannot_go_is_told),
		cmocka_unit_test(test_machine__holes_are_filled),
		cmocka_unit_test(test_machine__retry_undoes_and_runs_what_is_armed_first),
		cmocka_unit_test(test_machine__commit_that_fails_is_undone_and_tried_again),
		cmocka_unit_test(test_machine__once_gives_up_and_crash_leaves_the_armed),
		cmocka_unit_test(test_machine__outcomes_of_replies),
		cmocka_unit_test(test_machine__gives_up_after_its_tries),
		cmocka_unit_test(test_machine__a_damage_is_counted_when_positive),
		cmocka_unit_test(test_program_make__every_incident_has_naive_and_a_right_one),
		cmocka_unit_test(test_incidents__the_thirteen_are_there),
		cmocka_unit_test(test_builtin_run__bad_options_say_what_is_wrong),
		cmocka_unit_test(test_builtin_run__explored_on_sqlite_the_same_every_time),
		cmocka_unit_test(test_builtin_html__nothing_hostile),
		cmocka_unit_test(test_race_bars__the_first_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
