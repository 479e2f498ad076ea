/* SPDX-License-Identifier: Apache-2.0 */
#include "kit.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/id.h"
#include "base/num.h"

#define READ_ARENA_MAX ((size_t)16 << 20)

/* The store behind a clock */

struct clock_store {
	struct store base;
	struct store_ops ops;
	struct store *inner;
	struct kit_clock *clock;
};

static struct clock_store *clock_of(struct store *s)
{
	return CONTAINER_OF(s, struct clock_store, base);
}

static enum pawl_status clock_another(struct store *s, struct store **ret, struct pawl_error *err)
{
	struct clock_store *c = clock_of(s);
	struct store *inner;
	const enum pawl_status st = pawl__store_another(c->inner, &inner, err);

	if (st == PAWL_OK)
		*ret = kit_clock_store(c->clock, inner);
	return st;
}

static enum pawl_status clock_begin(struct store *s, struct store_begin *ret,
                                    struct pawl_error *err)
{
	struct clock_store *c = clock_of(s);
	const enum pawl_status st = store_begin(c->inner, ret, err);

	if (st == PAWL_OK)
		ret->real_us = c->clock->real_us;
	return st;
}

static enum pawl_status clock_load(struct store *s, struct ws *ws, struct pawl_error *err)
{
	return store_load(clock_of(s)->inner, ws, err);
}

static enum pawl_status clock_expire(struct store *s, const struct ws_entry *account,
                                     int64_t now_us, int64_t revision, int64_t ret_freed_due[2],
                                     struct pawl_error *err)
{
	return store_expire(clock_of(s)->inner, account, now_us, revision, ret_freed_due, err);
}

static enum pawl_status clock_flush(struct store *s, struct ws *ws, struct pawl_error *err)
{
	return store_flush(clock_of(s)->inner, ws, err);
}

static enum pawl_status clock_commit(struct store *s, struct pawl_error *err)
{
	return store_commit(clock_of(s)->inner, err);
}

static void clock_rollback(struct store *s)
{
	store_rollback(clock_of(s)->inner);
}

static enum pawl_status clock_outcome(struct store *s, int64_t revision, int64_t answers_seq,
                                      enum store_outcome *ret, struct pawl_error *err)
{
	return store_outcome(clock_of(s)->inner, revision, answers_seq, ret, err);
}

static enum pawl_status clock_read(struct store *s, struct ws *ws, struct pawl_error *err)
{
	return store_read(clock_of(s)->inner, ws, err);
}

static enum pawl_status clock_due(struct store *s, int64_t now_us, struct arena *arena,
                                  struct store_due *ret, struct pawl_error *err)
{
	return store_due(clock_of(s)->inner, now_us, arena, ret, err);
}

static enum pawl_status clock_housekeep(struct store *s, bool idle, struct pawl_error *err)
{
	return store_housekeep(clock_of(s)->inner, idle, err);
}

static enum pawl_status clock_audit(struct store *s, store_drift_fn drift, void *arg,
                                    struct store_audit *ret, struct pawl_error *err)
{
	return store_audit(clock_of(s)->inner, drift, arg, ret, err);
}

static enum pawl_status clock_stats(struct store *s, struct store_stats *ret,
                                    struct pawl_error *err)
{
	return store_stats(clock_of(s)->inner, ret, err);
}

static enum pawl_status clock_examine(struct store *s, store_finding_fn found, void *arg,
                                      struct pawl_error *err)
{
	return store_examine(clock_of(s)->inner, found, arg, err);
}

static void clock_clock(struct store *s, int64_t *ret_real_us, int64_t *ret_mono_us)
{
	*ret_real_us = clock_of(s)->clock->real_us;
	*ret_mono_us = clock_of(s)->clock->mono_us;
}

static void clock_close(struct store *s)
{
	store_close(clock_of(s)->inner);
	free(clock_of(s));
}

struct store *kit_clock_store(struct kit_clock *clock, struct store *take_inner)
{
	struct clock_store *c = calloc(1, sizeof(*c));

	INVARIANT(c != NULL);
	*c = (struct clock_store){
		.ops = { .name = take_inner->ops->name,
		         .caps = take_inner->ops->caps & ~(clock->near ? STORE_CAP_REMOTE : 0u),
		         .another = clock_another,
		         .begin = clock_begin,
		         .load = clock_load,
		         .expire = clock_expire,
		         .flush = clock_flush,
		         .commit = clock_commit,
		         .rollback = clock_rollback,
		         .outcome = clock_outcome,
		         .read = clock_read,
		         .due = clock_due,
		         .housekeep = clock_housekeep,
		         .audit = clock_audit,
		         .stats = clock_stats,
		         .examine = clock_examine,
		         .clock = clock_clock,
		         .close = clock_close },
		.inner = take_inner,
		.clock = clock,
	};
	c->base.ops = &c->ops;
	return &c->base;
}

void kit_pass(struct kit_clock *clock, int64_t us)
{
	clock->real_us += us;
	clock->mono_us += us;
}

/* The engine */

bool kit_start(struct kit *k, struct store *take_store, enum engine_mode mode,
               const struct engine_options *opt)
{
	struct engine_options o = *opt;
	struct pawl_error err;

	k->mode = mode;
	o.mode = mode;
	INVARIANT(pthread_mutex_init(&k->mu, NULL) == 0);
	INVARIANT(pthread_cond_init(&k->answered, NULL) == 0);
	if (pawl__engine_start(take_store, &o, &k->engine, &err) == PAWL_OK)
		return true;
	k->engine = NULL;
	(void)fprintf(stderr, "the engine does not start: %s\n", err.text);
	return false;
}

void kit_stop(struct kit *k)
{
	if (k->engine == NULL)
		return;
	pawl__engine_close(k->engine);
	k->engine = NULL;
	(void)pthread_cond_destroy(&k->answered);
	(void)pthread_mutex_destroy(&k->mu);
}

void kit_turn(struct kit *k)
{
	PRE(k->mode == ENGINE_LOOP);
	while (pawl__lane_depth(k->engine) > 0)
		(void)pawl__lane_turn(k->engine);
}

void kit_wait(struct kit *k, struct kit_tx *t)
{
	if (k->mode == ENGINE_LOOP)
		kit_turn(k);
	INVARIANT(pthread_mutex_lock(&k->mu) == 0);
	while (!t->answer.done)
		INVARIANT(pthread_cond_wait(&k->answered, &k->mu) == 0);
	INVARIANT(pthread_mutex_unlock(&k->mu) == 0);
}

const struct kit_answer *kit_run(struct kit *k, struct kit_tx *t)
{
	kit_submit(k, t);
	kit_wait(k, t);
	return &t->answer;
}

/* Answers */

bool kit_has(const struct kit_answer *a, const char *text)
{
	return strstr(a->body, text) != NULL;
}

int64_t kit_id(const struct kit_answer *a, unsigned nth)
{
	static const char member[] = "\"id\":\"";
	const char *p = a->body;
	int64_t number;

	do {
		p = strstr(p, member);
		if (p == NULL)
			return 0;
		p += sizeof(member) - 1;
	} while (nth-- > 0);
	if (strnlen(p, ID_TEXT_LEN) != ID_TEXT_LEN ||
	    !pawl__id_parse((struct str){ p, ID_TEXT_LEN }, &number))
		return 0;
	return number;
}

int64_t kit_num(const struct kit_answer *a, const char *name)
{
	char member[64];
	const char *p;
	size_t len = 0;
	int64_t v;

	(void)snprintf(member, sizeof(member), "\"%s\":", name);
	p = strstr(a->body, member);
	if (p == NULL)
		return INT64_MIN;
	p += strlen(member);
	len = strspn(p, "-0123456789");
	return pawl__num_parse_i64((struct str){ p, len }, &v) ? v : INT64_MIN;
}

bool kit_same(const struct kit_answer *a, const struct kit_answer *b)
{
	return a->code == b->code && a->http == b->http && a->revision == b->revision &&
	       a->etag == b->etag && strcmp(a->location, b->location) == 0 &&
	       a->body_len == b->body_len && memcmp(a->body, b->body, a->body_len) == 0;
}

/* Reading */

void kit_read_init(struct kit_read *r)
{
	pawl__arena_init(&r->arena, 4096, READ_ARENA_MAX);
}

void kit_read_deinit(struct kit_read *r)
{
	pawl__arena_deinit(&r->arena);
}

void kit_read_begin(struct kit_read *r)
{
	pawl__arena_reset(&r->arena);
	pawl__ws_init(&r->ws, &r->arena, 1, 1);
}

void kit_read_all(struct kit_read *r, struct kit *k)
{
	struct pawl_error err;

	INVARIANT(pawl__engine_read(k->engine, &r->ws, &err) == PAWL_OK && r->ws.wanted == NULL);
}

static struct ws_entry *read_go(struct kit_read *r, struct kit *k, struct ws_entry *e)
{
	kit_read_all(r, k);
	return e->present ? e : NULL;
}

struct ws_entry *kit_read_row(struct kit_read *r, struct kit *k, enum row_kind kind, const char *id)
{
	kit_read_begin(r);
	return read_go(r, k, pawl__ws_want(&r->ws, kind, pawl__str_of(id)));
}

struct ws_entry *kit_read_number(struct kit_read *r, struct kit *k, enum row_kind kind,
                                 int64_t number)
{
	kit_read_begin(r);
	return read_go(r, k, pawl__ws_want_number(&r->ws, kind, number));
}

struct ws_entry *kit_read_answer(struct kit_read *r, struct kit *k, const char *caller,
                                 const char *key)
{
	kit_read_begin(r);
	return read_go(r, k, pawl__ws_want_answer(&r->ws, pawl__str_of(caller), pawl__str_of(key)));
}

static void print_drift(void *arg, const char *check, const char *text)
{
	(void)arg;
	(void)fprintf(stderr, "drift: %s: %s\n", check, text);
}

int64_t kit_audit(struct kit *k, struct store_audit *ret)
{
	struct pawl_error err;

	if (pawl__engine_audit(k->engine, print_drift, NULL, ret, &err) != PAWL_OK) {
		(void)fprintf(stderr, "the audit cannot look: %s\n", err.text);
		return -1;
	}
	return ret->drifts;
}
