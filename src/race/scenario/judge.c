/* SPDX-License-Identifier: Apache-2.0 */
#include "race/scenario/judge.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/num.h"
#include "race/scenario/pick.h"
#include "race/scenario/pointer.h"

PAWL_PRINTF(3, 4)
static void found(struct finding *f, enum verdict v, const char *fmt, ...)
{
	va_list ap;

	if (f->verdict > v || (f->verdict == v && f->detail[0] != '\0'))
		return;
	f->verdict = v;
	va_start(ap, fmt);
	if (vsnprintf(f->detail, sizeof(f->detail), fmt, ap) < 0)
		f->detail[0] = '\0';
	va_end(ap);
}

static void failed(struct finding *f, const struct pawl_error *err)
{
	found(f, VERDICT_ERROR, "%s", err->text);
	f->status = err->status;
}

static bool counts(const struct expect *e, const struct race_op *op)
{
	return (e->of.len == 0 || str_eq(e->of, op->step->name)) &&
	       pawl__status_accepted(&e->statuses, pawl__answer_of(op->class), op->status);
}

/* ---- statuses ---- */

static uint64_t status_sum(const struct judge *j, const struct expect *e, uint32_t rule)
{
	const struct status_rule *r = &e->statuses.at[rule];
	uint64_t n = 0;

	for (uint32_t i = 0; i < j->statuses_len && j->carried && e->of.len == 0; i++) {
		const struct status_count *c = &j->statuses[i];

		n += pawl__status_in(r, pawl__answer_of(c->class), c->status) ? c->n : 0;
	}
	for (uint32_t i = 0; i < j->ops_len && (!j->carried || e->of.len > 0); i++) {
		const struct race_op *op = &j->ops[i];

		n += (e->of.len == 0 || str_eq(e->of, op->step->name)) &&
		     pawl__status_in(r, pawl__answer_of(op->class), op->status);
	}
	return n;
}

/* Operations of a rule that was broken upwards: as many as prove it. */
static void status_witness(const struct judge *j, const struct expect *e, uint32_t rule,
                           struct finding *f)
{
	const struct status_rule *r = &e->statuses.at[rule];
	const int64_t enough = r->count.max >= WITNESS_MAX ? WITNESS_MAX : r->count.max + 1;
	struct pick p = { .ops = j->ops, .len = j->ops_len };

	for (uint32_t i = 0; i < j->ops_len; i++) {
		const struct race_op *op = &j->ops[i];

		if ((e->of.len == 0 || str_eq(e->of, op->step->name)) &&
		    pawl__status_in(r, pawl__answer_of(op->class), op->status))
			pawl__pick_add(&p, i);
	}
	f->witness_len = pawl__pick_together(&p, (uint32_t)(enough < 2 ? 2 : enough), f->witness);
}

/* What no rule is about: an answer is a violation, a missing one is not known. */
static void status_others(const struct judge *j, const struct expect *e, struct finding *f,
                          uint64_t *ret_missing)
{
	uint64_t others = 0, missing = 0;
	uint32_t first = 0;

	for (uint32_t i = 0; i < j->ops_len; i++) {
		const struct race_op *op = &j->ops[i];
		bool listed = false;

		if (e->of.len > 0 && !str_eq(e->of, op->step->name))
			continue;
		for (uint32_t k = 0; k < e->statuses.len; k++)
			listed = listed || pawl__status_in(&e->statuses.at[k],
			                                   pawl__answer_of(op->class), op->status);
		if (listed)
			continue;
		if (op->class != VOLLEY_ANSWERED) {
			missing++;
			continue;
		}
		if (others++ == 0)
			first = i;
		if (f->witness_len < WITNESS_MAX)
			f->witness[f->witness_len++] = i;
	}
	if (others > 0)
		found(f, VERDICT_VIOLATED, "%llu answers that were not expected, the first with %d",
		      (unsigned long long)others, j->ops[first].status);
	*ret_missing = missing;
}

static void judge_status(const struct judge *j, const struct expect *e, struct finding *f)
{
	uint64_t missing;

	status_others(j, e, f, &missing);
	for (uint32_t i = 0; i < e->statuses.len; i++) {
		const struct status_rule *r = &e->statuses.at[i];
		const uint64_t n = status_sum(j, e, i);

		if (r->rest)
			continue;
		if (n > (uint64_t)r->count.max) {
			if (f->verdict != VERDICT_VIOLATED)
				status_witness(j, e, i, f);
			found(f, VERDICT_VIOLATED, "%.*s: %llu, expected %s%lld", (int)r->text.len,
			      r->text.ptr, (unsigned long long)n,
			      r->count.min == r->count.max ? "" : "at most ",
			      (long long)r->count.max);
		} else if (n + missing < (uint64_t)r->count.min) {
			found(f, VERDICT_VIOLATED, "%.*s: %llu, expected %s%lld", (int)r->text.len,
			      r->text.ptr, (unsigned long long)n,
			      r->count.min == r->count.max ? "" : "at least ",
			      (long long)r->count.min);
		}
	}
	if (missing > 0)
		found(f, VERDICT_INCONCLUSIVE, "%llu requests have no answer",
		      (unsigned long long)missing);
	if (f->verdict == VERDICT_VIOLATED && f->witness_len == 0)
		f->witness_len = pawl__pick_effects(j->ops, j->ops_len, f->witness);
}

/* ---- state ---- */

static void matches(const struct judge *j, const struct expect *e, const struct asked *a,
                    struct finding *f)
{
	json_t *doc = json_loadb(a->body.ptr == NULL ? "" : a->body.ptr, a->body.len,
	                         JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

	if (doc == NULL && e->values.len > 0)
		found(f, VERDICT_ERROR, "the answer is no JSON");
	for (uint32_t i = 0; i < e->values.len && doc != NULL; i++) {
		const struct match *m = &e->values.at[i];
		char mem[RUN_DETAIL_MAX];
		struct pawl_error err;
		struct buf why;
		bool ok = true;

		pawl__buf_init_fixed(&why, mem, sizeof(mem));
		if (pawl__match(m, &j->scope, pawl__pointer_get(doc, m->pointer), &ok, &why,
		                &err) != PAWL_OK)
			failed(f, &err);
		else if (!ok)
			found(f, VERDICT_VIOLATED, "%.*s", (int)why.len, mem);
	}
	json_decref(doc);
	if (f->verdict == VERDICT_VIOLATED)
		f->witness_len = pawl__pick_effects(j->ops, j->ops_len, f->witness);
}

static void judge_get(const struct judge *j, const struct expect *e, struct finding *f)
{
	struct asked a = { .body = STR_NONE };
	struct pawl_error err = { 0 };

	if (j->get(j->data, &e->paths[0], &a, &err) != PAWL_OK) {
		failed(f, &err);
		return;
	}
	if (!pawl__status_accepted(&e->statuses, ANSWER_STATUS, a.status)) {
		/* Asked for: that is the expectation. Not asked for: it cannot be looked at. */
		found(f, e->statuses.len > 0 ? VERDICT_VIOLATED : VERDICT_ERROR,
		      "it is answered with %d", a.status);
		f->witness_len = pawl__pick_effects(j->ops, j->ops_len, f->witness);
		return;
	}
	matches(j, e, &a, f);
}

static void judge_store(const struct judge *j, const struct expect *e, struct finding *f)
{
	struct asked a = { .body = STR_NONE };
	struct pawl_error err = { 0 };

	if (j->store(j->data, &e->store, &a, &err) != PAWL_OK)
		failed(f, &err);
	else
		matches(j, e, &a, f);
}

/* ---- sums ---- */

struct sum {
	int64_t whole;
	double real;
	bool is_real, overflow;
};

static bool sum_add(struct sum *s, const json_t *v)
{
	if (!json_is_number(v))
		return false;
	s->real += json_number_value(v);
	if (!json_is_integer(v))
		s->is_real = true;
	else if (!num_add(s->whole, json_integer_value(v), &s->whole))
		s->overflow = true;
	return true;
}

static void sum_judge(const struct judge *j, const struct expect *e, const struct sum *s,
                      struct finding *f)
{
	json_t *v = s->is_real ? json_real(s->real) : json_integer(s->whole);
	char *text = v == NULL ? NULL : json_dumps(v, JSON_ENCODE_ANY);
	const struct asked a = { .body = pawl__str_of(text) };

	if (s->overflow)
		found(f, VERDICT_ERROR, "the sum is over 64 bits");
	else if (text == NULL)
		found(f, VERDICT_ERROR, "out of memory");
	else
		matches(j, e, &a, f);
	free(text);
	json_decref(v);
}

static void judge_sum(const struct judge *j, const struct expect *e, struct finding *f)
{
	struct sum s = { 0 };

	for (uint32_t i = 0; i < e->paths_len; i++) {
		struct asked a = { .body = STR_NONE };
		struct pawl_error err = { 0 };
		json_t *doc;

		if (j->get(j->data, &e->paths[i], &a, &err) != PAWL_OK) {
			failed(f, &err);
			return;
		}
		doc = json_loadb(a.body.ptr == NULL ? "" : a.body.ptr, a.body.len,
		                 JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
		if (a.status < 200 || a.status > 299 || doc == NULL ||
		    !sum_add(&s, pawl__pointer_get(doc, e->pointer)))
			found(f, VERDICT_ERROR,
			      "item %u is answered with %d and has no number at %.*s", i + 1,
			      a.status, (int)e->pointer.len, e->pointer.ptr);
		json_decref(doc);
		if (f->verdict != VERDICT_HELD)
			return;
	}
	sum_judge(j, e, &s, f);
}

/* ---- answers beside each other ---- */

/* The value at the expectation's pointer, of each answer that counts. */
struct values {
	struct value {
		uint32_t op;
		json_t *doc;     /* owned */
		const json_t *v; /* in doc */
		char *text;      /* owned by jansson's heap; NULL until wanted */
	} * at;
	uint32_t len;
};

static void values_free(struct values *v)
{
	for (uint32_t i = 0; i < v->len; i++) {
		json_decref(v->at[i].doc);
		free(v->at[i].text);
	}
}

static bool values_of(const struct judge *j, const struct expect *e, struct values *ret,
                      struct finding *f)
{
	uint32_t without = 0, cut = 0, missing = 0;

	*ret = (struct values){ .at = arena_array(j->arena, struct value, j->ops_len) };
	if (ret->at == NULL) {
		found(f, VERDICT_ERROR, "out of memory");
		return false;
	}
	for (uint32_t i = 0; i < j->ops_len; i++) {
		const struct race_op *op = &j->ops[i];
		struct value *v = &ret->at[ret->len];

		missing += op->class != VOLLEY_ANSWERED &&
		           (e->of.len == 0 || str_eq(e->of, op->step->name));
		if (!counts(e, op) || op->class != VOLLEY_ANSWERED)
			continue;
		*v = (struct value){ .op = i,
			             .doc = json_loadb(op->body.ptr == NULL ? "" : op->body.ptr,
			                               op->body.len,
			                               JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL) };
		v->v = v->doc == NULL ? NULL : pawl__pointer_get(v->doc, e->pointer);
		without += v->v == NULL && !op->truncated;
		cut += v->v == NULL && op->truncated;
		ret->len++;
	}
	if (without > 0)
		found(f, VERDICT_ERROR, "%u answers have nothing at %.*s", without,
		      (int)e->pointer.len, e->pointer.ptr);
	else if (cut > 0)
		found(f, VERDICT_INCONCLUSIVE, "%u answers are too long to be looked at", cut);
	else if (missing > 0)
		found(f, VERDICT_INCONCLUSIVE, "%u requests have no answer", missing);
	else if (ret->len == 0)
		found(f, VERDICT_INCONCLUSIVE, "there is no answer to look at");
	return without == 0 && cut == 0;
}

static void judge_answers(const struct judge *j, const struct expect *e, uint32_t at,
                          struct finding *f)
{
	struct sum s = { .whole = j->carried ? j->carried_sum[at] : 0 };
	struct values v;

	if (values_of(j, e, &v, f)) {
		for (uint32_t i = 0; i < v.len; i++) {
			if (!sum_add(&s, v.at[i].v))
				found(f, VERDICT_ERROR, "an answer has no number at %.*s",
				      (int)e->pointer.len, e->pointer.ptr);
		}
		j->carried_sum[at] = s.whole;
		if (f->verdict == VERDICT_HELD) /* of a sum that lacks a part nothing can be said */
			sum_judge(j, e, &s, f);
	}
	values_free(&v);
}

static int by_text(const void *a, const void *b)
{
	const struct value *x = a, *y = b;
	const int order = strcmp(x->text, y->text);

	return order != 0 ? order : x->op < y->op ? -1 : x->op > y->op;
}

static void judge_distinct(const struct judge *j, const struct expect *e, struct finding *f)
{
	uint32_t same = 0;
	struct values v;
	bool ok = values_of(j, e, &v, f);

	for (uint32_t i = 0; i < v.len && ok; i++) {
		v.at[i].text = json_dumps(v.at[i].v, JSON_ENCODE_ANY | JSON_SORT_KEYS);
		ok = v.at[i].text != NULL;
	}
	if (ok && v.len > 0)
		qsort(v.at, v.len, sizeof(v.at[0]), by_text);
	for (uint32_t i = 1; i < v.len && ok; i++) {
		if (strcmp(v.at[i - 1].text, v.at[i].text) != 0)
			continue;
		if (same++ == 0) {
			f->witness[0] = v.at[i - 1].op;
			f->witness[1] = v.at[i].op;
			f->witness_len = 2;
		}
	}
	if (same > 0)
		found(f, VERDICT_VIOLATED, "%u answers have a value at %.*s that another has, too",
		      same, (int)e->pointer.len, e->pointer.ptr);
	values_free(&v);
}

/* An answer that was there before a request was released must not be ahead of that request's. */
static void judge_monotone(const struct judge *j, const struct expect *e, struct finding *f)
{
	struct values v;
	bool ok = values_of(j, e, &v, f);
	uint32_t back = 0;

	for (uint32_t i = 0; i < v.len && ok; i++) {
		ok = json_is_number(v.at[i].v);
		if (!ok)
			found(f, VERDICT_ERROR, "an answer has no number at %.*s",
			      (int)e->pointer.len, e->pointer.ptr);
	}
	if (ok) {
		struct pick_number *n = arena_array(j->arena, struct pick_number, v.len);

		for (uint32_t i = 0; n != NULL && i < v.len; i++)
			n[i] = (struct pick_number){ .op = v.at[i].op,
				                     .value = json_number_value(v.at[i].v) };
		back = n == NULL ? 0 : pawl__pick_backwards(j->ops, n, v.len, j->arena, f->witness);
		if (n == NULL)
			found(f, VERDICT_ERROR, "out of memory");
	}
	if (back > 0) {
		f->witness_len = 2;
		found(f, VERDICT_VIOLATED,
		      "%u answers are behind one that was there before they were asked for", back);
	}
	values_free(&v);
}

/* Asked again at a better time: no answer to hold against another. */
static bool not_yet(int status)
{
	return status == 409 || status == 425 || status == 429 || status == 503;
}

static int by_key(const void *a, const void *b)
{
	const struct race_op *const *x = a, *const *y = b;
	const size_t n = (*x)->key.len < (*y)->key.len ? (*x)->key.len : (*y)->key.len;
	const int order = memcmp((*x)->key.ptr, (*y)->key.ptr, n);

	if (order != 0)
		return order;
	if ((*x)->key.len != (*y)->key.len)
		return (*x)->key.len < (*y)->key.len ? -1 : 1;
	return *x < *y ? -1 : *x > *y;
}

static void judge_replays(const struct judge *j, const struct expect *e, struct finding *f)
{
	const struct race_op **ops = arena_array(j->arena, const struct race_op *, j->ops_len);
	uint32_t len = 0, pairs = 0, differ = 0;

	if (ops == NULL) {
		found(f, VERDICT_ERROR, "out of memory");
		return;
	}
	for (uint32_t i = 0; i < j->ops_len; i++) {
		const struct race_op *op = &j->ops[i];

		if (op->key.len == 0 || op->class != VOLLEY_ANSWERED ||
		    (e->of.len > 0 && !str_eq(e->of, op->step->name)) ||
		    (e->statuses.len > 0 ? !counts(e, op) : not_yet(op->status)))
			continue;
		ops[len++] = op;
	}
	if (len > 0)
		qsort(ops, len, sizeof(const struct race_op *), by_key);
	for (uint32_t i = 1; i < len; i++) {
		if (!str_eq(ops[i - 1]->key, ops[i]->key))
			continue;
		pairs++;
		if (ops[i - 1]->status == ops[i]->status && str_eq(ops[i - 1]->body, ops[i]->body))
			continue;
		if (differ++ == 0) {
			f->witness[0] = (uint32_t)(ops[i - 1] - j->ops);
			f->witness[1] = (uint32_t)(ops[i] - j->ops);
			f->witness_len = 2;
		}
	}
	if (differ > 0)
		found(f, VERDICT_VIOLATED, "%u answers differ from another to the same key",
		      differ);
	else if (pairs == 0)
		found(f, VERDICT_INCONCLUSIVE, "no key was answered twice");
}

void pawl__judge(const struct judge *j, const struct expect *e, uint32_t i, struct finding *ret)
{
	*ret = (struct finding){ .verdict = VERDICT_HELD };
	switch (e->kind) {
	case EXPECT_STATUS:
		judge_status(j, e, ret);
		break;
	case EXPECT_GET:
		judge_get(j, e, ret);
		break;
	case EXPECT_SQL:
	case EXPECT_REDIS:
		judge_store(j, e, ret);
		break;
	case EXPECT_SUM:
		judge_sum(j, e, ret);
		break;
	case EXPECT_ANSWERS:
		judge_answers(j, e, i, ret);
		break;
	case EXPECT_DISTINCT:
		judge_distinct(j, e, ret);
		break;
	case EXPECT_MONOTONE:
		judge_monotone(j, e, ret);
		break;
	case EXPECT_REPLAYS:
		judge_replays(j, e, ret);
		break;
	}
}
