/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "race/builtin/lanes.h"
#include "race/builtin/race.h"
#include "race/builtin/schedule.h"

#define WAIT_MS      1
#define NUMBER_FIRST 2 /* so that there is one that three divides */
#define NOBODY       UINT32_MAX

/*
 * A schedule is a run of choices: who of those that can go does his next statement. It is carried
 * out from the start each time, on rows set anew, so the only state is in schedule.h's stack.
 *
 * Who waits in the database is not asked; he goes on by himself when the one he waits for lets go,
 * and that belongs to the other's step. Who tries again (his lock was taken, his version old) does
 * so after somebody else has done a statement: otherwise trying again and again would be schedules
 * without end.
 */
struct lane {
	struct session *session; /* owned */
	struct machine machine;
	bool waits, yields;
	bool ended;
	size_t asked; /* its last statement in the trace */
};

struct explorer {
	const struct race_job *job;
	const struct program *program;
	struct program other;
	struct world world;
	struct session *shared; /* all over this one; NULL = each its own */
	struct machine admin;
	struct lane lanes[BUILTIN_SESSIONS_MAX];
	uint32_t lanes_len;
	uint32_t holder[MACHINE_PROCESSES]; /* lane that has the mutex; NOBODY */
	struct schedule schedule;
	struct trace trace;
	char prefix[RACE_NAME_MAX];
	struct pawl_error *err;
	enum pawl_status status;
};

static struct session *session_of(struct explorer *e, uint32_t i)
{
	return e->shared != NULL ? e->shared : e->lanes[i].session;
}

static void answered(struct explorer *e, uint32_t i, const struct reply *r)
{
	struct lane *l = &e->lanes[i];
	struct want want;
	struct reply undone;

	l->waits = false;
	pawl__trace_answer(&e->trace, l->asked, r);
	pawl__machine_reply(&l->machine, r);
	/* Undoing waits for nobody and is nobody's choice. */
	while (l->machine.phase == PHASE_UNDO && l->machine.undo != NULL) {
		pawl__machine_next(&l->machine, &want);
		l->asked = pawl__trace_ask(&e->trace, i, want.text);
		e->job->ops->exec(session_of(e, i), want.text, want.pick, &undone);
		pawl__trace_answer(&e->trace, l->asked, &undone);
		pawl__machine_reply(&l->machine, &undone);
	}
}

/* Those that wait, asked once each. True: somebody goes on. */
static bool waiting_asked(struct explorer *e)
{
	struct reply r;
	struct want want;
	bool any = false;

	for (uint32_t i = 0; i < e->lanes_len; i++) {
		struct lane *l = &e->lanes[i];

		if (!l->waits)
			continue;
		pawl__machine_next(&l->machine, &want);
		if (e->job->ops->attempt(session_of(e, i), e->job->admin, want.text, true, &r) ==
		    SESSION_WAITS)
			continue;
		answered(e, i, &r);
		any = true;
	}
	return any;
}

static void others_go(struct explorer *e, uint32_t i)
{
	for (uint32_t j = 0; j < e->lanes_len; j++)
		e->lanes[j].yields = j == i && e->lanes[j].yields;
}

/* Everything that is no statement and no lock; false: it has ended or wants one of these. */
static bool idle_step(struct explorer *e, uint32_t i, struct want *want)
{
	struct lane *l = &e->lanes[i];

	pawl__machine_next(&l->machine, want);
	switch (want->what) {
	case WANT_PAUSE:
		l->yields = l->yields || want->backoff;
		pawl__machine_go(&l->machine);
		return true;
	case WANT_UNLOCK:
		e->holder[want->lock] = NOBODY;
		pawl__machine_go(&l->machine);
		return true;
	case WANT_STATEMENT:
	case WANT_LOCK:
		break;
	case WANT_END:
		l->ended = true;
		break;
	}
	return false;
}

/* Bits of the lanes that can do a step now. All come to rest first: who gives back the mutex may
 * stand behind who wants it. */
static uint32_t ready(struct explorer *e)
{
	struct want want;
	uint32_t mask = 0;

	for (uint32_t i = 0; i < e->lanes_len; i++) {
		while (!e->lanes[i].waits && !e->lanes[i].ended && !e->lanes[i].yields &&
		       idle_step(e, i, &want))
			;
	}
	for (uint32_t i = 0; i < e->lanes_len; i++) {
		const struct lane *l = &e->lanes[i];

		if (l->waits || l->ended || l->yields)
			continue;
		pawl__machine_next(&e->lanes[i].machine, &want);
		if (want.what != WANT_LOCK || e->holder[want.lock] == NOBODY)
			mask |= 1U << i;
	}
	return mask;
}

static bool all_ended(const struct explorer *e)
{
	for (uint32_t i = 0; i < e->lanes_len; i++) {
		if (!e->lanes[i].ended)
			return false;
	}
	return true;
}

static void lane_step(struct explorer *e, uint32_t i)
{
	struct lane *l = &e->lanes[i];
	struct want want;
	struct reply r;

	pawl__machine_next(&l->machine, &want);
	others_go(e, i);
	if (want.what == WANT_LOCK) {
		e->holder[want.lock] = i;
		l->asked = pawl__trace_ask(&e->trace, i, STR("lock the mutex"));
		pawl__machine_go(&l->machine);
		return;
	}
	l->asked = pawl__trace_ask(&e->trace, i, want.text);
	if (e->job->ops->attempt(session_of(e, i), e->job->admin, want.text, false, &r) ==
	    SESSION_WAITS) {
		l->waits = true;
		pawl__trace_wait(&e->trace, l->asked);
		return;
	}
	answered(e, i, &r);
}

/* Nobody can go: a deadlock is being found, or all but the yielding have ended. */
static bool unstick(struct explorer *e)
{
	const int64_t end_us = pawl__clock_mono_us() + SESSION_TIMEOUT_US;
	bool waiting = false, yielding = false;

	for (uint32_t i = 0; i < e->lanes_len; i++) {
		waiting = waiting || e->lanes[i].waits;
		yielding = yielding || (e->lanes[i].yields && !e->lanes[i].ended);
	}
	if (yielding) {
		others_go(e, NOBODY);
		return true;
	}
	while (waiting && pawl__clock_mono_us() < end_us) {
		if (waiting_asked(e))
			return true;
		(void)poll(NULL, 0, WAIT_MS);
	}
	return false;
}

static void lanes_start(struct explorer *e)
{
	for (uint32_t i = 0; i < e->lanes_len; i++) {
		struct lane *l = &e->lanes[i];
		const bool other = e->job->incident->other_races && i + 1 == e->lanes_len;
		const struct machine_start start = { .program = other ? &e->other : e->program,
			                             .seed = e->job->options->seed,
			                             .client = i,
			                             .number = i + NUMBER_FIRST };

		l->waits = l->yields = l->ended = false;
		l->machine.counts_len = 0;
		pawl__machine_start(&l->machine, &start);
		/* One account in common: with both, what is lost on one is lost on the other. */
		pawl__machine_set(&l->machine, 'x', i + 1);
		pawl__machine_set(&l->machine, 'y', i + 2);
		pawl__machine_set(&l->machine, 'm', 10);
		pawl__machine_set(&l->machine, 'k', i / 2 + 1);
	}
}

/* One schedule. */
static bool run_once(struct explorer *e, struct builtin_row *row)
{
	lanes_start(e);
	pawl__trace_reset(&e->trace);
	pawl__schedule_begin(&e->schedule);
	for (;;) {
		const uint32_t mask = ready(e);

		if (mask == 0) {
			if (all_ended(e))
				return true;
			if (!unstick(e)) {
				e->status = pawl__error_set(e->err, PAWL_E_IO,
				                            "the sessions wait for each other, and "
				                            "the store does not end it");
				return false;
			}
			continue;
		}
		if (!pawl__schedule_choose(&e->schedule, mask)) {
			row->explored.complete = false;
			e->status = pawl__error_set(e->err, PAWL_E_TOO_LARGE,
			                            "a schedule has over %d statements",
			                            SCHEDULE_STEPS_MAX);
			return false;
		}
		lane_step(e, e->schedule.at[e->schedule.len - 1].chosen);
		(void)waiting_asked(e);
	}
}

/* ---- What came of it ---- */

static bool judge(struct explorer *e, struct builtin_row *row)
{
	const struct race_job *job = e->job;
	struct builtin_exploration *x = &row->explored;
	struct machine *m = &e->admin;
	uint64_t damage = 0;

	e->world.done = e->world.gave_up = 0;
	for (uint32_t i = 0; i < e->lanes_len; i++) {
		struct machine *c = &e->lanes[i].machine;

		e->world.done += c->end == END_DONE;
		e->world.gave_up += c->end == END_GAVE_UP;
		row->done += c->end == END_DONE;
		row->refused += c->end == END_REFUSED;
		row->gave_up += c->end == END_GAVE_UP;
		row->unknown += c->end == END_UNKNOWN || c->end == END_CRASHED;
		for (uint32_t j = 0; j < c->counts_len; j++)
			damage += c->counts[j].n;
		pawl__race_count(row, c->counts, c->counts_len);
		if (c->end == END_ERROR) {
			row->verdict = BUILTIN_ERROR;
			row->text = pawl__arena_str(job->arena, pawl__str_of(c->trouble)).ptr;
			return false;
		}
	}
	m->counts_len = 0;
	e->status = pawl__race_steps(m, job->admin, job->ops, job->parts->after, e->err);
	if (e->status == PAWL_OK)
		e->status = pawl__race_steps(m, job->admin, job->ops, job->parts->check, e->err);
	if (e->status != PAWL_OK)
		return false;
	for (uint32_t j = 0; j < m->counts_len; j++)
		damage += m->counts[j].n;
	pawl__race_count(row, m->counts, m->counts_len);
	x->schedules++;
	if (damage > 0 && x->violations++ == 0) {
		x->first = x->schedules;
		pawl__trace_keep(&e->trace, x, job->arena);
	}
	return true;
}

static enum pawl_status lanes_open(struct explorer *e)
{
	const struct race_job *job = e->job;
	enum pawl_status st = PAWL_OK;

	for (uint32_t i = 0; i < e->lanes_len; i++)
		pawl__machine_init(&e->lanes[i].machine, &e->world);
	if (e->program->shared)
		st = job->ops->open(job->options->on, &e->shared, e->err);
	for (uint32_t i = 0; i < e->lanes_len && st == PAWL_OK && !e->program->shared; i++)
		st = job->ops->open(job->options->on, &e->lanes[i].session, e->err);
	for (uint32_t i = 0; i < e->lanes_len && st == PAWL_OK; i++)
		job->ops->explore(session_of(e, i));
	return st;
}

static void explore_all(struct explorer *e, struct builtin_row *row)
{
	const struct race_job *job = e->job;
	const struct builtin_options *o = job->options;
	struct builtin_exploration *x = &row->explored;

	do {
		if (race_cancelled(job))
			return;
		if (x->schedules == o->schedules_max)
			return;
		if (o->progress != NULL && x->schedules % 16 == 0)
			o->progress(o->data, row->strategy, (uint32_t)x->schedules,
			            o->schedules_max);
		atomic_store(&e->world.acked, 0);
		for (int i = 0; i < MACHINE_PROCESSES; i++) {
			atomic_store(&e->world.cache[i], 0);
			e->holder[i] = NOBODY;
		}
		e->status = pawl__race_steps(&e->admin, job->admin, job->ops, job->parts->reset,
		                             e->err);
		if (e->status != PAWL_OK || !run_once(e, row) || !judge(e, row))
			return;
	} while (pawl__schedule_next(&e->schedule));
	x->complete = true;
}

static void row_end(struct explorer *e, struct builtin_row *row)
{
	struct builtin_exploration *x = &row->explored;
	char text[128];

	x->done = true;
	x->sessions = e->lanes_len;
	for (uint32_t i = 0; i < e->lanes_len; i++) {
		row->retries += e->lanes[i].machine.retries;
		row->statements += e->lanes[i].machine.statements;
		x->deadlocks += e->lanes[i].machine.deadlocks;
	}
	row->deadlocks = x->deadlocks;
	row->conns = e->lanes_len;
	if (row->verdict == BUILTIN_ERROR)
		return;
	if (x->violations > 0) {
		row->verdict = BUILTIN_VIOLATED;
		(void)snprintf(text, sizeof(text),
		               "in %llu of %llu orders: ", (unsigned long long)x->violations,
		               (unsigned long long)x->schedules);
	} else {
		row->verdict = x->complete && !row->wrong ? BUILTIN_HELD : BUILTIN_INCONCLUSIVE;
		(void)snprintf(text, sizeof(text),
		               x->complete ? "%s%llu orders" : "%s%llu orders only",
		               row->wrong && x->complete ? "did not break in any of "
		               : x->complete             ? "in all "
		                                         : "in the first ",
		               (unsigned long long)x->schedules);
	}
	{
		char all[400];

		(void)snprintf(all, sizeof(all), "%s%s", text,
		               x->violations > 0 ? pawl__race_damage(row, e->job->arena) : "");
		row->text = pawl__arena_str(e->job->arena, pawl__str_of(all)).ptr;
	}
}

enum pawl_status pawl__explore_strategy(const struct race_job *job, const struct program *program,
                                        struct builtin_row *row, struct pawl_error *err)
{
	struct explorer *e = calloc(1, sizeof(*e));
	const struct builtin_options *o = job->options;
	const int64_t share = o->clients * job->incident->size_share / 100;
	enum pawl_status st;

	if (e == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for the exploration");
	e->job = job;
	e->program = program;
	e->err = err;
	e->lanes_len = o->clients;
	e->world = (struct world){ .prefix = e->prefix,
		                   .clients = o->clients,
		                   .programs = o->clients,
		                   .size = share < 1 ? 1 : share };
	e->other = (struct program){ .lock = "" };
	for (size_t i = 0; program->other != NULL && program->other[i].op != STEP_END; i++)
		e->other.steps[i] = program->other[i];
	pawl__race_prefix(job, program->strategy, 0, e->prefix);
	pawl__machine_init(&e->admin, &e->world);
	pawl__trace_init(&e->trace, e->prefix);
	st = lanes_open(e);
	if (st == PAWL_OK) {
		explore_all(e, row);
		row_end(e, row);
		st = e->status;
	}
	for (uint32_t i = 0; i < e->lanes_len; i++) {
		job->ops->close(e->lanes[i].session);
		pawl__machine_deinit(&e->lanes[i].machine);
	}
	job->ops->close(e->shared);
	pawl__trace_deinit(&e->trace);
	pawl__machine_deinit(&e->admin);
	free(e);
	return st;
}
