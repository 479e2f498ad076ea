/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "store/memory/memory.h"

#define SIM_LOG_MAX ((size_t)4 << 20)
#define SIM_CALLER  "sim"

void sim_log(struct sim *s, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	buf_str(&s->log, pawl__str_of(line));
	pawl__buf_putc(&s->log, '\n');
}

void sim_fail(struct sim *s, const char *fmt, ...)
{
	char line[sizeof(s->why)];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	sim_log(s, "VIOLATION: %s", line);
	if (!s->failed)
		memcpy(s->why, line, sizeof(line));
	s->failed = true;
}

static void store_is(struct sim *s, struct store *store)
{
	/* The mutants' slots would be wrapped twice after a restart. */
	s->store = store;
	s->world = pawl__memory_sim(store);
	mutant_apply(store, s->opt->mutant);
}

static void engine_start(struct sim *s)
{
	const struct engine_options o = {
		.batch_max = 64,
		.queue_max = 64,
		.retention_us = 1000 * KIT_DAY,
		.clock_step_max_us = 1000 * KIT_DAY, /* steps are believed */
		.sweep_us = -1, /* the simulation sweeps, at times of its own */
	};

	INVARIANT(kit_start(&s->kit, s->store, ENGINE_LOOP, &o));
}

/* The death of the process, and the next one over what was committed. Requests that wait fall with
 * the first: its store is dead before it can answer them. */
static void restart(struct sim *s, const char *why)
{
	struct store *next;
	struct pawl_error err;

	sim_log(s, "  restart: %s", why);
	INVARIANT(pawl__memory_reopen(s->store, &next, &err) == PAWL_OK);
	kit_stop(&s->kit);
	store_is(s, next);
	engine_start(s);
}

static bool is_well(struct sim *s)
{
	struct engine_health h;

	pawl__engine_health(s->kit.engine, &h);
	return h.writable && !s->world->crashed && !s->world->failed;
}

/* What may go wrong in this seed: each kind alone, all together, or nothing. */
static void faults_choose(struct sim *s, struct memory_faults *f)
{
	const uint64_t kinds = sim_draw(s, 16);
	const bool all = kinds >= 12;

	*f = (struct memory_faults){ 0 };
	if (all || kinds == 1 || kinds == 2)
		f->refuse = 600;
	if (all || kinds == 3 || kinds == 4)
		f->refuse_commit = 3000;
	if (all || kinds == 5 || kinds == 6)
		f->lose_reply = 6000;
	if (all || kinds == 7 || kinds == 8)
		f->crash = 700;
	if (all || kinds == 9 || kinds == 10)
		f->fail_commit = 1500;
	f->refuse_read = f->refuse;
	f->not_known_max = sim_draw(s, 2) == 0 ? 3 : 8;
}

static void clock_move(struct sim *s)
{
	const uint64_t n = sim_draw(s, 40);
	const int64_t us = (int64_t)sim_draw(s, 6 * (uint64_t)KIT_SECOND);

	s->world->real_us += us;
	s->world->mono_us += us;
	if (n == 0)
		s->world->real_us += KIT_HOUR;
	else if (n == 1)
		s->world->real_us -= KIT_HOUR;
	else if (n == 2)
		s->world->real_us -= 5 * KIT_SECOND;
	if (n <= 2)
		sim_log(s, "  the clock steps to %" PRId64, s->world->real_us);
}

static struct sim_key *key_new(struct sim *s)
{
	struct sim_key *k = &s->keys[s->keys_len];

	INVARIANT(s->keys_len < SIM_KEYS_MAX);
	*k = (struct sim_key){ .tx = calloc(1, sizeof(*k->tx)) };
	INVARIANT(k->tx != NULL);
	(void)snprintf(k->name, sizeof(k->name), "key-%u", s->keys_len);
	kit_tx_init(k->tx);
	kit_key(k->tx, SIM_CALLER, k->name);
	s->keys_len++;
	return k;
}

static void log_request(struct sim *s, const struct sim_key *k)
{
	char ops[256] = "";
	size_t len = 0;

	for (uint32_t i = 0; i < k->tx->tx.ops_len && len < sizeof(ops) - 16; i++)
		len += (size_t)snprintf(ops + len, sizeof(ops) - len, " %s",
		                        pawl__op_name(k->tx->ops[i].kind));
	sim_log(s, "  ask %s:%s", k->name, ops);
}

/* What clients have read: the ids that were given, the versions that are. */
static void clients_learn(struct sim *s)
{
	const struct model *m = &s->model;

	while (s->client.holds_len < m->holds)
		client_learn_hold(&s->client, m->hold[s->client.holds_len].number);
	while (s->client.orders_len < m->orders)
		client_learn_order(&s->client, m->order[s->client.orders_len].number);
	for (uint32_t i = 0; i < CLIENT_RECORDS; i++)
		s->client.version[i] = m->record[i].present ? m->record[i].version : 0;
}

/* Each client at most once: its own new or unanswered request, or an old one again. */
static void clients_ask(struct sim *s)
{
	s->queued_len = 0;
	for (uint32_t c = 0; c < SIM_CLIENTS; c++) {
		uint32_t n;

		if (sim_draw(s, 3) == 0)
			continue;
		if (s->asking[c] == 0 && s->keys_len > 1 && sim_draw(s, 8) == 0) {
			n = (uint32_t)sim_draw(s, s->keys_len);
		} else if (s->asking[c] == 0) {
			client_make(&s->client, key_new(s)->tx);
			s->asking[c] = s->keys_len;
			n = s->keys_len - 1;
		} else {
			n = s->asking[c] - 1;
		}
		s->queued[s->queued_len++] = n;
	}
}

/* A key of another request: must be refused and must tell nothing. */
static void check_reused(struct sim *s, const struct sim_key *k, const struct kit_answer *given,
                         bool was_known)
{
	if (given->http == 503 || given->http == 504)
		return;
	if (was_known && given->code != PAWL_E_KEY_REUSED)
		sim_fail(s, "%s was used for another request and answered %s", k->name,
		         pawl_status_code(given->code));
}

struct sent {
	struct kit_tx twin[SIM_CLIENTS];
	bool was_known[SIM_CLIENTS];
	struct kit_tx other; /* another request under a known key */
	struct sim_key *other_key;
	struct kit_tx touch;
};

static void requests_send(struct sim *s, struct sent *q)
{
	for (uint32_t i = 0; i < s->queued_len; i++) {
		struct sim_key *k = &s->keys[s->queued[i]];

		log_request(s, k);
		q->was_known[i] = k->decided;
		kit_tx_twin(&q->twin[i], k->tx);
		kit_submit(&s->kit, &q->twin[i]);
	}
	kit_tx_init(&q->other);
	q->other_key = NULL;
	if (s->keys_len > 1 && sim_draw(s, 10) == 0) {
		struct sim_key *k = &s->keys[sim_draw(s, s->keys_len)];

		if (k->decided) {
			q->other_key = k;
			kit_key(&q->other, SIM_CALLER, k->name);
			kit_emit(&q->other, "other", "", "0");
			kit_submit(&s->kit, &q->other);
		}
	}
	kit_tx_init(&q->touch);
	if (sim_draw(s, 4) == 0) {
		kit_touch(&q->touch, s->model.account[sim_draw(s, s->model.accounts)].id);
		kit_submit(&s->kit, &q->touch);
	}
}

static void answers_take(struct sim *s, struct sent *q)
{
	for (uint32_t i = 0; i < s->queued_len; i++) {
		struct sim_key *k = &s->keys[s->queued[i]];
		const struct kit_answer *a = &q->twin[i].answer;

		INVARIANT(a->done);
		sim_log(s, "  %s answered %d %s%s", k->name, a->http, pawl_status_code(a->code),
		        a->replayed ? " again" : "");
		check_answer(s, k, a, q->was_known[i]);
		for (uint32_t c = 0; c < SIM_CLIENTS; c++) {
			if (s->asking[c] == s->queued[i] + 1 && k->acked)
				s->asking[c] = 0;
		}
	}
	if (q->other_key != NULL)
		check_reused(s, q->other_key, &q->other.answer, true);
}

static void sent_free(struct sim *s, struct sent *q)
{
	for (uint32_t i = 0; i < s->queued_len; i++)
		kit_tx_deinit(&q->twin[i]);
	kit_tx_deinit(&q->other);
	kit_tx_deinit(&q->touch);
}

/* A request that was asked for twice in one step is decided once; the copies are replays. */
static void duplicate(struct sim *s)
{
	if (s->queued_len > 0 && s->queued_len < SIM_CLIENTS && sim_draw(s, 3) == 0) {
		s->queued[s->queued_len] = s->queued[sim_draw(s, s->queued_len)];
		s->queued_len++;
	}
}

static void step(struct sim *s, uint32_t n, const struct memory_faults *faults)
{
	struct sent *q = calloc(1, sizeof(*q));

	INVARIANT(q != NULL);
	sim_log(s, "step %u", n);
	clock_move(s);
	clients_learn(s);
	clients_ask(s);
	duplicate(s);
	s->world->faults = *faults;
	requests_send(s, q);
	if (faults->crash > 0 && sim_draw(s, 50) == 0)
		restart(s, "killed with requests waiting");
	else
		kit_turn(&s->kit);
	/* Looking is not part of the world. */
	s->world->faults = (struct memory_faults){ 0 };
	if (!is_well(s))
		restart(s, s->world->crashed ? "crashed" : "refuses to write");
	s->world->faults = (struct memory_faults){ 0 };
	check_step(s);
	if (!s->failed)
		answers_take(s, q);
	sent_free(s, q);
	free(q);
}

static void setup(struct sim *s)
{
	const struct store_options o = { .retention_us = 1000 * KIT_DAY,
		                         .sim_seed = s->opt->seed + 1 };
	struct sim_key *k;
	struct store *store;
	struct pawl_error err;

	INVARIANT(pawl__memory_open(&o, &store, &err) == PAWL_OK);
	s->keys = calloc(SIM_KEYS_MAX, sizeof(*s->keys));
	INVARIANT(s->keys != NULL);
	s->store = store;
	s->world = pawl__memory_sim(store);
	engine_start(s);
	k = key_new(s);
	client_setup(k->tx);
	model_setup(&s->model);
	(void)kit_run(&s->kit, k->tx);
	if (k->tx->answer.code != PAWL_OK)
		sim_fail(s, "the setup is refused: %s", k->tx->answer.body);
	kit_answer_copy(&k->answer, &k->tx->answer);
	k->decided = true;
	k->acked = true;
	mutant_apply(store, s->opt->mutant);
}

/* FNV-1a */
static uint64_t hash_text(uint64_t h, const struct buf *b)
{
	for (size_t i = 0; i < b->len; i++)
		h = (h ^ (unsigned char)b->data[i]) * UINT64_C(0x100000001b3);
	return h;
}

static void print_run(const struct sim *s, const struct buf *trace)
{
	(void)fprintf(stderr, "%s SEED=%" PRIu64 "\n", s->failed ? "FAILED" : "held", s->opt->seed);
	(void)fwrite(s->log.data, 1, s->log.len, stderr);
	(void)fprintf(stderr, "the latest steps of the store:\n");
	(void)fwrite(trace->data, 1, trace->len, stderr);
	(void)fprintf(stderr, "again: sim --seed %" PRIu64 " --steps %u --mutant %s\n",
	              s->opt->seed, s->opt->steps, mutant_name(s->opt->mutant));
}

static void report(struct sim *s, struct sim_report *ret)
{
	struct buf trace;

	pawl__buf_init(&trace, SIM_LOG_MAX);
	pawl__memory_trace(s->store, &trace);
	if (s->opt->print)
		print_run(s, &trace);
	*ret = (struct sim_report){ .held = !s->failed };
	memcpy(ret->why, s->why, sizeof(ret->why));
	ret->hash = hash_text(hash_text(UINT64_C(0xcbf29ce484222325), &s->log), &trace);
	pawl__buf_deinit(&trace);
}

void sim_run(const struct sim_options *opt, struct sim_report *ret)
{
	struct sim s = { .opt = opt };
	struct memory_faults faults;

	rng_init(&s.rng, opt->seed);
	s.client.rng = &s.rng;
	pawl__buf_init(&s.log, SIM_LOG_MAX);
	kit_read_init(&s.read);
	faults_choose(&s, &faults);
	setup(&s);
	for (uint32_t n = 0; n < opt->steps && !s.failed; n++)
		step(&s, n, &faults);
	report(&s, ret);
	kit_stop(&s.kit);
	for (uint32_t i = 0; i < s.keys_len; i++) {
		kit_answer_deinit(&s.keys[i].answer);
		kit_tx_deinit(s.keys[i].tx);
		free(s.keys[i].tx);
	}
	free(s.keys);
	kit_read_deinit(&s.read);
	pawl__buf_deinit(&s.log);
}
