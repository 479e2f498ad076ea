/* SPDX-License-Identifier: Apache-2.0 */
#include "race/scenario/run.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/rng.h"
#include "race/page/page.h"
#include "race/scenario/history.h"
#include "race/scenario/round.h"

#define KEEP_MAX   ((size_t)64 << 10)
#define TARGET_MAX 1024
/* {round} is this many times the milliseconds since 2026, plus the round's number. */
#define ROUNDS_OF_MS 1000
#define MS_OF_2026   INT64_C(1767225600000)

struct run {
	struct field field;
	struct race_report *report;
	struct volley_target target;
	struct round round; /* the one that is played */
	int64_t carried_sum[SCENARIO_EXPECT_MAX];
	/* Since a round was set up, for those that are carried. */
	struct status_count since[RUN_STATUSES_MAX];
	uint32_t since_len;
};

struct str pawl__race_keep(struct race_report *r, struct str s, size_t max)
{
	struct buf clean, b;
	struct str kept;

	pawl__buf_init(&clean, KEEP_MAX * 2);
	pawl__buf_init(&b, KEEP_MAX * 2);
	/* Secrets first, cut then: half a secret is one, too. */
	pawl__names_redact(&r->s->names,
	                   (struct str){ s.ptr, s.len < KEEP_MAX / 2 ? s.len : KEEP_MAX / 2 },
	                   &clean);
	for (size_t i = 0; i < clean.len && b.len < max; i++) {
		const unsigned char c = (unsigned char)clean.data[i];
		size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

		if (n > clean.len - i || !pawl__str_utf8((struct str){ clean.data + i, n })) {
			buf_lit(&b, "\xef\xbf\xbd");
			continue;
		}
		if (c < 0x20 || c == 0x7f)
			buf_lit(&b, " ");
		else
			pawl__buf_put(&b, clean.data + i, n);
		i += n - 1;
	}
	if (clean.len > max)
		buf_lit(&b, "...");
	kept = pawl__arena_str(r->arena, buf_get(&b));
	pawl__buf_deinit(&clean);
	pawl__buf_deinit(&b);
	return kept;
}

static void note(struct race_report *r, const char *text)
{
	const struct str s = pawl__str_of(text);

	for (uint32_t i = 0; i < r->notes_len; i++) {
		if (str_eq(r->notes[i], s))
			return;
	}
	if (r->notes_len < RUN_NOTES_MAX)
		r->notes[r->notes_len++] = s;
}

static void status_add(struct status_count *at, uint32_t *len, const struct race_op *op)
{
	uint32_t i = 0;

	while (i < *len && (at[i].class != op->class || at[i].status != op->status))
		i++;
	if (i == RUN_STATUSES_MAX) /* the last row takes what has none */
		i--;
	if (i == *len)
		at[(*len)++] = (struct status_count){ .class = op->class, .status = op->status };
	at[i].n++;
}

static uint64_t us_between(int64_t from_ns, int64_t to_ns)
{
	return to_ns <= from_ns ? 0 : (uint64_t)(to_ns - from_ns) / 1000;
}

/* From the first release of a round to the last. */
static uint64_t skew_of(const struct round *r)
{
	return r->result.len == 0 ? 0 : (uint64_t)r->result.release_spread_ns / 1000;
}

static void count_round(struct run *run, const struct round *r)
{
	struct race_report *report = run->report;
	const uint64_t skew = skew_of(r), pairs = r->overlap.pairs;

	if (!r->carried)
		run->since_len = 0;
	for (uint32_t i = 0; i < r->ops_len; i++) {
		const struct race_op *op = &r->ops[i];

		status_add(report->statuses, &report->statuses_len, op);
		status_add(run->since, &run->since_len, op);
		report->early += op->early;
		if (op->class != VOLLEY_ANSWERED)
			continue;
		pawl__hist_put(&report->intended_us, us_between(op->intended_ns, op->done_ns));
		pawl__hist_put(&report->actual_us, us_between(op->released_ns, op->done_ns));
	}
	report->requests += r->ops_len;
	pawl__hist_put(&report->skew_us, skew);
	if (report->series_len < RUN_SERIES_MAX)
		report->series[report->series_len++] =
			skew > UINT32_MAX ? UINT32_MAX : (uint32_t)skew;
	if (report->rounds_run == 0 || pairs < report->pairs_min)
		report->pairs_min = pairs;
	if (report->rounds_run == 0 || r->overlap.peak < report->peak_min)
		report->peak_min = r->overlap.peak;
	if (r->overlap.peak > report->peak_max)
		report->peak_max = r->overlap.peak;
	report->pairs_asked = r->ops_len - 1;
	report->overlap_missed += !r->overlapped;
	report->carried += r->carried;
	report->conns = r->result.conns_used;
	report->packet_max = r->result.packet_max;
	report->split = report->split || r->result.split;
}

static struct str outcome_text(struct race_report *report, const struct race_op *op)
{
	char mem[32];
	struct buf b;

	pawl__buf_init_fixed(&b, mem, sizeof(mem));
	if (op->class == VOLLEY_ANSWERED)
		pawl__buf_i64(&b, op->status);
	else
		buf_str(&b, pawl__str_of(pawl__volley_class_name(op->class)));
	return pawl__race_keep(report, buf_get(&b), sizeof(mem));
}

static struct str request_text(struct race_report *report, const struct race_op *op)
{
	struct buf b;
	struct str kept;

	pawl__buf_init(&b, KEEP_MAX);
	buf_str(&b, op->step->method);
	buf_lit(&b, " ");
	buf_str(&b, op->path);
	kept = pawl__race_keep(report, buf_get(&b), RUN_BODY_MAX / 2);
	pawl__buf_deinit(&b);
	return kept;
}

/* The few operations by which it can be seen. */
static void lanes_keep(struct race_report *report, const struct round *r, uint32_t expect,
                       const struct finding *f)
{
	int64_t first = 0;

	if (report->lanes_len > 0 || f->witness_len == 0)
		return;
	for (uint32_t i = 0; i < f->witness_len; i++) {
		const int64_t at = r->ops[f->witness[i]].released_ns;

		first = first == 0 || (at > 0 && at < first) ? at : first;
	}
	for (uint32_t i = 0; i < f->witness_len; i++) {
		const struct race_op *op = &r->ops[f->witness[i]];

		report->lanes[report->lanes_len++] = (struct lane){
			.client = op->client,
			.request = request_text(report, op),
			.outcome = outcome_text(report, op),
			.body = pawl__race_keep(report, op->body, RUN_BODY_MAX),
			.from_us = (int64_t)us_between(first, op->released_ns),
			.to_us = (int64_t)us_between(first, op->done_ns),
		};
	}
	report->lanes_of = r->ops_len;
	report->lanes_round = (uint32_t)r->number;
	report->lanes_expect = expect;
}

static void overlap_text(const struct round *r, char *mem, size_t cap)
{
	(void)snprintf(mem, cap,
	               "the overlap that was asked for was not reached: %llu pairs of %u requests, "
	               "%u at one time",
	               (unsigned long long)r->overlap.pairs, r->ops_len, r->overlap.peak);
}

/* Returns the round's verdict. */
static enum verdict judge_round(struct run *run, struct round *r)
{
	struct race_report *report = run->report;
	const struct scenario *s = run->field.s;
	struct judge j = {
		.arena = &r->arena,
		.ops = r->ops,
		.ops_len = r->ops_len,
		.carried = r->carried,
		.statuses = run->since,
		.statuses_len = run->since_len,
		.carried_sum = run->carried_sum,
		.data = r,
		.get = pawl__round_get,
		.store = pawl__round_store,
	};
	enum verdict verdict = VERDICT_HELD;

	pawl__round_scope(r, &j.scope);
	for (uint32_t i = 0; i < s->expects_len; i++) {
		struct expect_report *e = &report->expects[i];
		struct finding f;

		pawl__judge(&j, &s->expects[i], i, &f);
		if (f.verdict == VERDICT_HELD && !r->overlapped) {
			f.verdict = VERDICT_INCONCLUSIVE;
			overlap_text(r, f.detail, sizeof(f.detail));
		}
		e->rounds[f.verdict]++;
		if (f.verdict > e->verdict) {
			e->verdict = f.verdict;
			e->round = (uint32_t)r->number;
			e->detail = pawl__race_keep(report, pawl__str_of(f.detail), RUN_DETAIL_MAX);
		}
		if (f.verdict == VERDICT_ERROR && report->error_status == PAWL_OK)
			report->error_status = f.status == PAWL_OK ? PAWL_E_CONFIG : f.status;
		if (f.verdict == VERDICT_VIOLATED)
			lanes_keep(report, r, i, &f);
		verdict = verdict_worse(verdict, f.verdict);
	}
	return verdict;
}

static void failed(struct race_report *report, enum pawl_status st, const struct pawl_error *err)
{
	if (report->error.len > 0)
		return;
	report->error_status = st;
	report->error = pawl__race_keep(report, pawl__str_of(err->text), RUN_DETAIL_MAX);
}

static enum verdict play(struct run *run, struct round *r)
{
	struct race_report *report = run->report;
	const struct run_config *config = run->field.config;
	struct pawl_error err = { 0 };
	enum verdict verdict = VERDICT_ERROR;
	enum pawl_status st = pawl__round_play(r, &err);

	if (st == PAWL_OK && config->history != NULL)
		st = pawl__history_round(config->history, r, &err);
	if (st == PAWL_OK) {
		count_round(run, r);
		verdict = judge_round(run, r);
	} else if (r->ops_len > 0 && (r->result.len > 0 || r->flow.requests > 0)) {
		count_round(run, r); /* what was sent is counted, whatever came then */
	}
	if (st != PAWL_OK)
		failed(report, st, &err);
	if (pawl__round_teardown(r, &err) != PAWL_OK) {
		note(report, "a step of teardown failed");
		if (verdict == VERDICT_HELD) {
			verdict = VERDICT_ERROR;
			failed(report, err.status, &err);
		}
	}
	return verdict;
}

static bool interrupted(const struct run *run)
{
	return run->field.config->cancel != NULL && atomic_load(run->field.config->cancel);
}

static void rounds_play(struct run *run, uint32_t rounds, bool until_failure)
{
	struct race_report *report = run->report;
	const struct run_config *config = run->field.config;

	for (uint32_t n = 1; n <= rounds && !interrupted(run); n++) {
		struct round *r = &run->round;
		enum verdict verdict;

		if (config->progress != NULL)
			config->progress(config->data, report, rounds);
		pawl__round_init(r, &run->field, n, report->first_round + n - 1);
		verdict = play(run, r);
		pawl__round_deinit(r);
		if (interrupted(run))
			break;
		report->rounds_run++;
		report->rounds[verdict]++;
		report->verdict = verdict_worse(report->verdict, verdict);
		if (verdict == VERDICT_ERROR || (verdict == VERDICT_VIOLATED && until_failure))
			break;
	}
	report->interrupted = interrupted(run);
	if (report->interrupted || report->rounds_run == 0)
		report->verdict = verdict_worse(report->verdict, VERDICT_INCONCLUSIVE);
}

static void notes_take(struct race_report *r)
{
	if (r->carried > 0)
		note(r,
		     "setup was refused in some rounds because what an earlier one made was still "
		     "there: they counted with that round, and were no new trial. Put {round} into "
		     "the names that setup makes");
	if (r->split)
		note(r, "the requests did not fit one packet: several connections sent one each");
	if (r->early > 0)
		note(r,
		     "the target answered some requests before they were complete: those were no "
		     "part of the race");
}

static enum pawl_status target_take(struct run *run, struct pawl_error *err)
{
	const struct scenario *s = run->field.s;
	const struct scope scope = { .names = &s->names };
	struct race_report *report = run->report;
	char mem[TARGET_MAX] = "";
	enum pawl_status st;
	struct buf b;

	pawl__buf_init_fixed(&b, mem, sizeof(mem) - 1);
	st = pawl__template_expand(&s->target, &scope, &b, err);
	if (st != PAWL_OK)
		return st;
	if (pawl__volley_target_parse(mem, &run->target, err) != PAWL_OK)
		return err->status;
	(void)snprintf(report->target, sizeof(report->target), "%s%s",
	               run->target.tls ? "https://" : "http://", run->target.peer.authority);
	return PAWL_OK;
}

static enum pawl_status open_all(struct run *run, struct pawl_error *err)
{
	const struct scenario *s = run->field.s;
	const struct volley_config config = {
		.proto = s->http2 ? VOLLEY_HTTP2 : VOLLEY_HTTP1,
		.ca_file = run->field.config->ca_file,
		.insecure = !s->verify_tls,
		.open_ns = s->timeout_us * 1000,
		.answer_ns = s->timeout_us * 1000,
	};
	enum pawl_status st = target_take(run, err);

	if (st == PAWL_OK)
		st = pawl__volley_new(&run->target, &config, &run->field.race, err);
	if (st == PAWL_OK)
		st = pawl__volley_new(&run->target, &config, &run->field.control, err);
	if (st != PAWL_OK)
		return st;
	run->field.stores = pawl__stores_new();
	if (run->field.stores == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
	return PAWL_OK;
}

static void system_take(struct race_report *report)
{
	char mem[PUT_MAX];
	struct buf b;

	pawl__buf_init_fixed(&b, mem, sizeof(mem));
	pawl__put_system(&b);
	report->system = pawl__race_keep(report, buf_get(&b), sizeof(mem));
}

static uint64_t first_round(void)
{
	const int64_t ms = pawl__clock_real_us() / 1000 - MS_OF_2026;

	/* In [1, 2^53): exact in every JSON reader. */
	return (uint64_t)(ms > 0 ? ms : 1) * ROUNDS_OF_MS % (UINT64_C(1) << 52) + 1;
}

enum pawl_status pawl__race_run_scenario(const struct scenario *s, const struct run_config *config,
                                         struct arena *arena, struct race_report **ret,
                                         struct pawl_error *err)
{
	struct run *run = arena_new(arena, struct run);
	struct race_report *report = arena_new(arena, struct race_report);
	const int64_t begun = pawl__clock_mono_us();
	enum pawl_status st;

	if (run == NULL || report == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
	report->arena = arena;
	report->s = s;
	report->seed = config->seed != 0 ? config->seed : s->seed;
	if (report->seed == 0)
		report->seed = (pawl__rng_os() >> 33) + 1;
	report->first_round = first_round();
	report->started_us = pawl__clock_real_us();
	system_take(report);
	run->report = report;
	run->field = (struct field){ .s = s, .config = config, .seed = report->seed };
	st = open_all(run, err);
	if (st == PAWL_OK) {
		if (config->volley != NULL)
			atomic_store(config->volley, run->field.race);
		if (config->history != NULL) {
			config->history->seed = report->seed;
			config->history->target = report->target;
		}
		rounds_play(run, config->rounds != 0 ? config->rounds : s->rounds,
		            config->until_failure || s->until_failure);
		if (config->volley != NULL)
			atomic_store(config->volley, NULL);
	}
	pawl__volley_free(run->field.race);
	pawl__volley_free(run->field.control);
	pawl__stores_free(run->field.stores);
	report->elapsed_us = pawl__clock_mono_us() - begun;
	if (st != PAWL_OK)
		return st;
	notes_take(report);
	*ret = report;
	return PAWL_OK;
}
