/* SPDX-License-Identifier: Apache-2.0 */
#include "race/builtin/race.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"

#define STACK_BYTES ((size_t)1 << 20)

struct race {
	const struct race_job *job;
	const struct program *program;
	struct program other; /* of every fourth client, when the incident has such */
	struct world world;
	char prefix[RACE_NAME_MAX];
	const char *side_url;
	const struct store_ops *side_ops;
	struct session *shared;      /* all clients over this one; NULL = each its own */
	pthread_mutex_t shared_lock; /* of a statement over it */
	pthread_mutex_t mutex[MACHINE_PROCESSES];
	pthread_mutex_t lock; /* of what stands below */
	pthread_cond_t changed;
	uint32_t round;   /* threads run it when it is past theirs */
	uint32_t running; /* threads that have not ended it */
	bool over;
	uint32_t programs; /* of a round */
	_Atomic uint32_t next;
	int64_t gate_ns;
	struct race_span *spans; /* by program */
	enum machine_end *how;   /* it ended, by program */
	struct worker *workers;
	uint32_t workers_len;
	struct machine admin;
};

struct worker {
	struct race *race;
	pthread_t thread;
	struct session *session, *side; /* owned */
	struct machine machine;
	int64_t process; /* in the history */
	uint64_t ends[END_ERROR + 1];
	uint64_t retries, deadlocks, statements;
	struct hist latency_us, arrival_us;
	char trouble[PAWL_ERROR_TEXT_MAX];
	bool started;
};

/* ---- One client ---- */

static void sleep_us(int64_t us)
{
	const struct timespec t = { .tv_sec = us / 1000000, .tv_nsec = (us % 1000000) * 1000 };

	if (us > 0)
		(void)nanosleep(&t, NULL);
}

static void statement(struct worker *w, const struct want *want)
{
	struct race *race = w->race;
	struct reply reply;

	if (want->side) {
		race->side_ops->exec(w->side, want->text, want->pick, &reply);
		pawl__machine_reply(&w->machine, &reply);
		return;
	}
	if (race->shared != NULL)
		(void)pthread_mutex_lock(&race->shared_lock);
	race->job->ops->exec(race->shared != NULL ? race->shared : w->session, want->text,
	                     want->pick, &reply);
	/* The reply points into the session. */
	pawl__machine_reply(&w->machine, &reply);
	if (race->shared != NULL)
		(void)pthread_mutex_unlock(&race->shared_lock);
}

/* False: cancelled in the middle. */
static bool carry_out(struct worker *w, int64_t *ret_first_ns)
{
	struct race *race = w->race;
	struct want want;

	for (;;) {
		pawl__machine_next(&w->machine, &want);
		if (want.what == WANT_END)
			return true;
		if (race_cancelled(race->job)) {
			if (w->machine.locked)
				(void)pthread_mutex_unlock(&race->mutex[w->machine.lock]);
			w->machine.locked = false;
			return false;
		}
		switch (want.what) {
		case WANT_STATEMENT:
			if (*ret_first_ns == 0)
				*ret_first_ns = pawl__clock_mono_ns();
			statement(w, &want);
			continue;
		case WANT_LOCK:
			if (*ret_first_ns == 0)
				*ret_first_ns = pawl__clock_mono_ns();
			(void)pthread_mutex_lock(&race->mutex[want.lock]);
			break;
		case WANT_UNLOCK:
			(void)pthread_mutex_unlock(&race->mutex[want.lock]);
			break;
		case WANT_PAUSE:
			sleep_us(want.pause_us);
			break;
		case WANT_END:
			break;
		}
		pawl__machine_go(&w->machine);
	}
}

static void program_run(struct worker *w, uint32_t number)
{
	struct race *race = w->race;
	const struct builtin_options *o = race->job->options;
	const bool other = race->program->other != NULL && number % 4 == 0;
	const struct machine_start start = {
		.program = other ? &race->other : race->program,
		.seed = o->seed,
		.think_us = o->think_us,
		.client = (number - 1) % o->clients,
		.number = number,
		.round = race->round,
	};
	struct machine *m = &w->machine;
	int64_t first_ns = 0, end_ns;

	pawl__machine_start(m, &start);
	if (race->job->history != NULL)
		pawl__builtin_history_invoke(race->job->history, m, w->process, other);
	if (!carry_out(w, &first_ns))
		return;
	end_ns = pawl__clock_mono_ns();
	if (race->job->history != NULL)
		pawl__builtin_history_end(race->job->history, m, w->process, other);
	if (m->end >= END_CRASHED)
		w->process += race->workers_len;
	if (m->end == END_ERROR && w->trouble[0] == '\0')
		(void)snprintf(w->trouble, sizeof(w->trouble), "%s", m->trouble);
	/* Others only stand beside: what counts are the programs proper. */
	if (!other || m->end == END_ERROR)
		w->ends[m->end]++;
	if (first_ns == 0)
		first_ns = end_ns;
	race->spans[number - 1] = (struct race_span){ first_ns, end_ns };
	race->how[number - 1] = m->end;
	if (!other)
		pawl__hist_put(&w->latency_us, (uint64_t)(end_ns - first_ns) / 1000);
	if (number <= race->workers_len)
		pawl__hist_put(&w->arrival_us, (uint64_t)(first_ns - race->gate_ns) / 1000);
}

/* A session that was lost is made anew; while it cannot be, its programs are lost, too. */
static void session_again(struct worker *w)
{
	const struct race_job *job = w->race->job;
	struct pawl_error err;

	if (w->machine.end != END_UNKNOWN || w->race->shared != NULL)
		return;
	job->ops->close(TAKE_PTR(w->session));
	if (job->ops->open(job->options->on, &w->session, &err) != PAWL_OK && w->trouble[0] == '\0')
		(void)snprintf(w->trouble, sizeof(w->trouble), "%s", err.text);
}

static void round_run(struct worker *w)
{
	struct race *race = w->race;

	for (;;) {
		const uint32_t number = atomic_fetch_add(&race->next, 1) + 1;

		if (number > race->programs || race_cancelled(race->job))
			return;
		if (w->session == NULL && race->shared == NULL)
			return;
		program_run(w, number);
		session_again(w);
	}
}

static void *worker_main(void *data)
{
	struct worker *w = data;
	struct race *race = w->race;
	uint32_t seen = 0;

	(void)pthread_mutex_lock(&race->lock);
	for (;;) {
		while (race->round == seen && !race->over)
			(void)pthread_cond_wait(&race->changed, &race->lock);
		if (race->over)
			break;
		seen = race->round;
		(void)pthread_mutex_unlock(&race->lock);
		round_run(w);
		(void)pthread_mutex_lock(&race->lock);
		if (--race->running == 0)
			(void)pthread_cond_broadcast(&race->changed);
	}
	(void)pthread_mutex_unlock(&race->lock);
	return NULL;
}

/* ---- Steps of the one who prepares and checks ---- */

enum pawl_status pawl__race_steps(struct machine *m, struct session *s, const struct store_ops *ops,
                                  const struct step *steps, struct pawl_error *err)
{
	struct program p = { .lock = "" };
	struct machine_start start = { .program = &p, .client = 0 };
	struct reply reply;
	struct want want;
	size_t n = 0;

	if (steps == NULL)
		return PAWL_OK;
	for (; steps[n].op != STEP_END; n++) {
		INVARIANT(n + 1 < PROGRAM_STEPS_MAX);
		p.steps[n] = steps[n];
	}
	start.number = m->world->programs;
	pawl__machine_start(m, &start);
	for (;;) {
		pawl__machine_next(m, &want);
		if (want.what == WANT_END)
			break;
		INVARIANT(want.what == WANT_STATEMENT || want.what == WANT_PAUSE);
		if (want.what == WANT_PAUSE) {
			pawl__machine_go(m);
			continue;
		}
		ops->exec(s, want.text, want.pick, &reply);
		if (reply.class != REPLY_OK && reply.class != REPLY_TRANSIENT)
			return pawl__error_set(err, PAWL_E_IO, "%s: %s",
			                       pawl__store_names[ops->kind], reply.text);
		if (reply.status == 404 || reply.status == 422)
			return pawl__error_set(err, PAWL_E_IO, "pawl refused what the race needs");
		pawl__machine_reply(m, &reply);
	}
	m->program = NULL;
	return m->end == END_DONE
	               ? PAWL_OK
	               : pawl__error_set(err, PAWL_E_IO, "%s: %s", pawl__store_names[ops->kind],
	                                 m->trouble[0] == '\0' ? "busy" : m->trouble);
}

/* ---- The team ---- */

static enum pawl_status worker_open(struct race *race, struct worker *w, struct pawl_error *err)
{
	const struct race_job *job = race->job;
	enum pawl_status st = PAWL_OK;

	w->race = race;
	w->process = w - race->workers;
	pawl__machine_init(&w->machine, &race->world);
	if (!race->program->shared)
		st = job->ops->open(job->options->on, &w->session, err);
	if (st == PAWL_OK && race->program->side)
		st = race->side_ops->open(race->side_url, &w->side, err);
	return st;
}

static enum pawl_status workers_start(struct race *race, struct pawl_error *err)
{
	pthread_attr_t attr;
	enum pawl_status st = PAWL_OK;

	if (race->program->shared)
		st = race->job->ops->open(race->job->options->on, &race->shared, err);
	for (uint32_t i = 0; i < race->workers_len && st == PAWL_OK; i++)
		st = worker_open(race, &race->workers[i], err);
	if (st != PAWL_OK)
		return st;
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, STACK_BYTES);
	for (uint32_t i = 0; i < race->workers_len && st == PAWL_OK; i++) {
		struct worker *w = &race->workers[i];
		const int rc = pthread_create(&w->thread, &attr, worker_main, w);

		w->started = rc == 0;
		if (rc != 0)
			st = pawl__error_native(err, PAWL_E_IO, rc, "no thread for client %u",
			                        i + 1);
	}
	(void)pthread_attr_destroy(&attr);
	return st;
}

static void workers_stop(struct race *race)
{
	(void)pthread_mutex_lock(&race->lock);
	race->over = true;
	(void)pthread_cond_broadcast(&race->changed);
	(void)pthread_mutex_unlock(&race->lock);
	for (uint32_t i = 0; i < race->workers_len; i++) {
		struct worker *w = &race->workers[i];

		if (w->started)
			(void)pthread_join(w->thread, NULL);
		if (w->race == NULL)
			continue;
		race->job->ops->close(w->session);
		if (race->side_ops != NULL)
			race->side_ops->close(w->side);
		pawl__machine_deinit(&w->machine);
	}
	race->job->ops->close(race->shared);
}

static void gate_open(struct race *race)
{
	(void)pthread_mutex_lock(&race->lock);
	atomic_store(&race->next, 0);
	memset(race->spans, 0, race->programs * sizeof(*race->spans));
	race->running = race->workers_len;
	race->gate_ns = pawl__clock_mono_ns();
	race->round++;
	(void)pthread_cond_broadcast(&race->changed);
	while (race->running > 0)
		(void)pthread_cond_wait(&race->changed, &race->lock);
	(void)pthread_mutex_unlock(&race->lock);
}

/* ---- Rounds ---- */

void pawl__race_count(struct builtin_row *row, const struct builtin_count *counts, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++) {
		uint32_t at = 0;

		while (at < row->counts_len && strcmp(row->counts[at].name, counts[i].name) != 0)
			at++;
		if (at == row->counts_len) {
			INVARIANT(at < BUILTIN_COUNTS_MAX);
			row->counts[row->counts_len++] =
				(struct builtin_count){ .name = counts[i].name };
		}
		row->counts[at].n += counts[i].n;
	}
}

const char *pawl__race_damage(const struct builtin_row *row, struct arena *arena)
{
	char mem[256];
	struct buf b;

	pawl__buf_init_fixed(&b, mem, sizeof(mem));
	for (uint32_t i = 0; i < row->counts_len; i++) {
		if (row->counts[i].n == 0)
			continue;
		buf_str(&b, b.len > 0 ? STR(", ") : STR(""));
		buf_str(&b, pawl__str_of(row->counts[i].name));
		buf_lit(&b, " ");
		pawl__buf_u64(&b, row->counts[i].n);
	}
	return b.len == 0 ? "" : pawl__arena_str(arena, buf_get(&b)).ptr;
}

void pawl__race_prefix(const struct race_job *job, enum strategy strategy, uint32_t round,
                       char ret[RACE_NAME_MAX])
{
	if (job->ops->kind == STORE_HTTP)
		(void)snprintf(ret, RACE_NAME_MAX,
		               "pawl_race:%llx-%d-%u:", (unsigned long long)job->run, (int)strategy,
		               round);
	else
		(void)snprintf(ret, RACE_NAME_MAX, "%s", job->ops->prefix);
}

static uint64_t ended(const struct race *race, enum machine_end end)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < race->workers_len; i++)
		n += race->workers[i].ends[end];
	return n;
}

/* What the round did, by the check and by what the clients themselves saw. */
static enum pawl_status round_check(struct race *race, struct builtin_row *row, bool *ret_violated,
                                    struct pawl_error *err)
{
	const struct race_job *job = race->job;
	struct machine *m = &race->admin;
	uint64_t damage = 0;
	enum pawl_status st;

	m->counts_len = 0;
	st = pawl__race_steps(m, job->admin, job->ops, job->parts->after, err);
	if (st == PAWL_OK)
		st = pawl__race_steps(m, job->admin, job->ops, job->parts->check, err);
	if (st != PAWL_OK)
		return st;
	for (uint32_t i = 0; i < race->workers_len; i++) {
		struct machine *client = &race->workers[i].machine;

		for (uint32_t j = 0; j < client->counts_len; j++)
			damage += client->counts[j].n;
		pawl__race_count(row, client->counts, client->counts_len);
		client->counts_len = 0;
	}
	for (uint32_t j = 0; j < m->counts_len; j++)
		damage += m->counts[j].n;
	pawl__race_count(row, m->counts, m->counts_len);
	*ret_violated = damage > 0;
	return PAWL_OK;
}

static enum pawl_status overlap_check(const struct race *race, struct builtin_row *row, bool *ret,
                                      struct pawl_error *err)
{
	struct race_overlap o;
	enum pawl_status st = pawl__overlap_measure(race->spans, race->programs, &o, err);

	if (st != PAWL_OK)
		return st;
	*ret = pawl__overlap_reached(&o, 2);
	if (row->rounds == 0 || o.peak < row->peak)
		row->peak = o.peak;
	if (row->rounds == 0 || o.pairs < row->pairs)
		row->pairs = o.pairs;
	return PAWL_OK;
}

static enum pawl_status round_once(struct race *race, struct builtin_row *row, int64_t *busy_ns,
                                   struct pawl_error *err)
{
	const struct race_job *job = race->job;
	const uint64_t done = ended(race, END_DONE), gave_up = ended(race, END_GAVE_UP);
	bool violated = false, overlapped = false;
	enum pawl_status st;

	pawl__race_prefix(job, race->program->strategy, race->round + 1, race->prefix);
	atomic_store(&race->world.acked, 0);
	for (int i = 0; i < MACHINE_PROCESSES; i++)
		atomic_store(&race->world.cache[i], 0);
	race->world.done = race->world.gave_up = 0;
	st = pawl__race_steps(&race->admin, job->admin, job->ops, job->parts->reset, err);
	if (st != PAWL_OK)
		return st;
	if (job->history != NULL)
		pawl__builtin_history_round(job->history, &race->admin);
	gate_open(race);
	*busy_ns += pawl__clock_mono_ns() - race->gate_ns;
	if (race_cancelled(job))
		return PAWL_OK;
	race->world.done = (int64_t)(ended(race, END_DONE) - done);
	race->world.gave_up = (int64_t)(ended(race, END_GAVE_UP) - gave_up);
	st = round_check(race, row, &violated, err);
	if (st == PAWL_OK)
		st = overlap_check(race, row, &overlapped, err);
	if (st != PAWL_OK)
		return st;
	if (job->history != NULL)
		pawl__builtin_history_checked(job->history, &race->admin, violated);
	if (violated && row->rounds_violated == 0) {
		/* Of this round alone: none before it had any. */
		row->bars_damage = pawl__race_damage(row, job->arena);
		pawl__race_bars(race->spans, race->how, race->programs, race->gate_ns, row);
	}
	row->rounds++;
	row->rounds_violated += violated;
	row->rounds_overlapped += overlapped || violated;
	return PAWL_OK;
}

static void row_sum(const struct race *race, struct builtin_row *row, int64_t busy_ns)
{
	for (uint32_t i = 0; i < race->workers_len; i++) {
		const struct worker *w = &race->workers[i];

		row->retries += w->machine.retries;
		row->deadlocks += w->machine.deadlocks;
		row->statements += w->machine.statements;
		pawl__hist_merge(&row->latency_us, &w->latency_us);
		pawl__hist_merge(&row->arrival_us, &w->arrival_us);
		if (w->trouble[0] != '\0' && row->text[0] == '\0')
			row->text = pawl__arena_str(race->job->arena, pawl__str_of(w->trouble)).ptr;
	}
	row->done = ended(race, END_DONE);
	row->refused = ended(race, END_REFUSED);
	row->gave_up = ended(race, END_GAVE_UP);
	row->unknown = ended(race, END_UNKNOWN) + ended(race, END_CRASHED);
	row->conns = race->program->shared ? 1 : race->workers_len;
	row->per_second = busy_ns == 0 ? 0 : (double)row->done * 1e9 / (double)busy_ns;
}

/* Violated before all else: damage is damage, whatever else went wrong. */
static void row_judge(const struct race *race, struct builtin_row *row)
{
	const uint32_t rounds = race->job->options->rounds;
	char text[96];

	if (row->rounds_violated > 0) {
		row->verdict = BUILTIN_VIOLATED;
		row->text = pawl__race_damage(row, race->job->arena);
		return;
	}
	if (row->text[0] != '\0' || ended(race, END_ERROR) > 0) {
		row->verdict = BUILTIN_ERROR;
		return;
	}
	row->verdict = BUILTIN_HELD;
	if (row->rounds_overlapped < rounds) {
		row->verdict = BUILTIN_INCONCLUSIVE;
		(void)snprintf(text, sizeof(text), "clients were together in %u of %u rounds",
		               row->rounds_overlapped, row->rounds);
		row->text = pawl__arena_str(race->job->arena, pawl__str_of(text)).ptr;
	} else if (row->wrong) {
		row->verdict = BUILTIN_INCONCLUSIVE;
		(void)snprintf(text, sizeof(text), "did not break in %u rounds", row->rounds);
		row->text = pawl__arena_str(race->job->arena, pawl__str_of(text)).ptr;
	} else if (row->gave_up > 0) {
		(void)snprintf(text, sizeof(text), "%llu clients got an error",
		               (unsigned long long)row->gave_up);
		row->text = pawl__arena_str(race->job->arena, pawl__str_of(text)).ptr;
	}
}

static enum pawl_status rounds_run(struct race *race, struct builtin_row *row,
                                   struct pawl_error *err)
{
	const struct builtin_options *o = race->job->options;
	int64_t busy_ns = 0;
	enum pawl_status st = workers_start(race, err);

	while (st == PAWL_OK && !race_cancelled(race->job) && row->rounds_overlapped < o->rounds &&
	       row->rounds < o->rounds * RACE_ATTEMPTS && ended(race, END_ERROR) == 0) {
		if (o->progress != NULL)
			o->progress(o->data, row->strategy, row->rounds_overlapped, o->rounds);
		st = round_once(race, row, &busy_ns, err);
	}
	workers_stop(race);
	if (st != PAWL_OK)
		return st;
	row_sum(race, row, busy_ns);
	row_judge(race, row);
	return PAWL_OK;
}

static void race_init(struct race *race, const struct race_job *job, const struct program *program)
{
	const struct builtin_options *o = job->options;
	const int64_t share = o->clients * job->incident->size_share / 100;
	const bool redis =
		program->strategy == STRATEGY_REDIS_LOCK && job->ops->kind != STORE_REDIS;

	race->job = job;
	race->program = program;
	race->world = (struct world){ .prefix = race->prefix,
		                      .clients = o->clients,
		                      .programs = (int64_t)o->clients * job->incident->repeat,
		                      .size = share < 1 ? 1 : share };
	race->programs = o->clients * job->incident->repeat;
	race->workers_len = o->clients < job->conns ? o->clients : job->conns;
	race->side_url = redis ? o->redis : o->on;
	race->side_ops = redis ? &pawl__store_redis : job->ops;
	race->other = (struct program){ .lock = "" };
	for (size_t i = 0; program->other != NULL && program->other[i].op != STEP_END; i++)
		race->other.steps[i] = program->other[i];
	pawl__race_prefix(job, program->strategy, 0, race->prefix);
	pawl__machine_init(&race->admin, &race->world);
	(void)pthread_mutex_init(&race->lock, NULL);
	(void)pthread_mutex_init(&race->shared_lock, NULL);
	for (int i = 0; i < MACHINE_PROCESSES; i++)
		(void)pthread_mutex_init(&race->mutex[i], NULL);
	(void)pthread_cond_init(&race->changed, NULL);
}

static void race_deinit(struct race *race)
{
	pawl__machine_deinit(&race->admin);
	(void)pthread_cond_destroy(&race->changed);
	for (int i = 0; i < MACHINE_PROCESSES; i++)
		(void)pthread_mutex_destroy(&race->mutex[i]);
	(void)pthread_mutex_destroy(&race->shared_lock);
	(void)pthread_mutex_destroy(&race->lock);
	free(race->spans);
	free(race->how);
	free(race->workers);
	free(race);
}

enum pawl_status pawl__race_strategy(const struct race_job *job, const struct program *program,
                                     struct builtin_row *row, struct pawl_error *err)
{
	struct race *race = calloc(1, sizeof(*race));
	enum pawl_status st = PAWL_E_NOMEM;

	if (race == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for the race");
	race_init(race, job, program);
	race->spans = calloc(race->programs, sizeof(*race->spans));
	race->how = calloc(race->programs, sizeof(*race->how));
	race->workers = calloc(race->workers_len, sizeof(*race->workers));
	if (race->spans == NULL || race->how == NULL || race->workers == NULL)
		(void)pawl__error_set(err, PAWL_E_NOMEM, "no memory for the clients");
	else
		st = rounds_run(race, row, err);
	race_deinit(race);
	return st;
}
