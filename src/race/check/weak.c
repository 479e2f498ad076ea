/* SPDX-License-Identifier: Apache-2.0 */
/* From the level that was promised to the rules that decide it, and from these to a result. */
#include "race/check/weak.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "race/check/sersi.h"

/* Weakest first; each implies those before it. */
static const struct rung {
	enum level level;
	weak_rule_fn rule; /* NULL: pawl__sersi_check */
	const char *anomaly;
	enum sersi_kind kind;
} ladder[] = {
	{ LEVEL_READ_COMMITTED, pawl__weak_rc, ANOMALY_RC, 0 },
	{ LEVEL_READ_ATOMIC, pawl__weak_ra, ANOMALY_RA, 0 },
	{ LEVEL_CAUSAL_CERONE, pawl__weak_cc, ANOMALY_CC, 0 },
	{ LEVEL_PREFIX, NULL, NULL, SERSI_PREFIX },
	{ LEVEL_SNAPSHOT_ISOLATION, NULL, NULL, SERSI_SI },
	{ LEVEL_SERIALIZABLE, NULL, NULL, SERSI_SER },
};
#define RUNGS  ((int)ARRAY_LEN(ladder))
#define CAUSAL 2

/* Levels that are a rung's under another name where sessions are ordered and nothing is read by a
 * predicate. */
static const struct {
	enum level level;
	int rung;
} aliases[] = {
	{ LEVEL_STRONG_SESSION_READ_COMMITTED, 0 },
	{ LEVEL_STRONG_SESSION_SNAPSHOT_ISOLATION, 4 },
	{ LEVEL_STRONG_SESSION_SERIALIZABLE, 5 },
	{ LEVEL_REPEATABLE_READ, 5 },
};

static const struct {
	const char *name;
	const char *text;
} fault_words[READ_FAULTS] = {
	[READ_FUTURE] = { "future-read", "what it wrote itself only later" },
	[READ_ABORTED] = { "G1a", "what a transaction wrote that failed" },
	[READ_BETWEEN] = { "G1b", "what its writer itself replaced" },
	[READ_INTERNAL] = { "internal", "not what it had written itself" },
	[READ_THIN_AIR] = { "garbage-read", "what nobody wrote" },
};

#define ANOMALIES_MAX (READ_FAULTS + SERSI_NAMES_MAX + 1)

struct run {
	struct weak w;
	const struct check_options *o;
	struct check_result *out;
	struct pawl_error *err;
	struct check_anomaly found[ANOMALIES_MAX];
	uint32_t found_len;
	uint32_t *order, *rank; /* of so and wr; NULL: transactions stand in order */
	bool cyclic;
};

enum outcome { HOLDS, FAILS, UNDECIDED, FAULT };

static enum pawl_status no_memory(struct pawl_error *err)
{
	return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
}

static bool add(struct run *r, const char *name, uint64_t count, const struct check_witness *at,
                uint32_t len)
{
	struct check_witness *copy = arena_array(&r->out->arena, struct check_witness, len);

	if (copy == NULL)
		return false;
	memcpy(copy, at, len * sizeof(*at));
	INVARIANT(r->found_len < ANOMALIES_MAX);
	r->found[r->found_len++] = (struct check_anomaly){
		.name = name, .count = count, .witnesses = copy, .witnesses_len = len
	};
	return true;
}

static const char *fault_text(struct run *r, enum weak_read_fault kind, const struct weak_fault *f)
{
	const struct history *h = r->w.h;
	struct buf b;
	struct str s = STR_NONE;
	char name[16];

	pawl__buf_init(&b, HISTORY_TEXT_MAX * 4);
	(void)snprintf(name, sizeof(name), "T%u", f->row);
	buf_str(&b, pawl__str_of(name));
	buf_lit(&b, " read ");
	pawl__history_value(h, f->value, &b);
	buf_lit(&b, " of key ");
	pawl__history_value(h, h->key[f->key], &b);
	buf_lit(&b, ": ");
	buf_str(&b, pawl__str_of(fault_words[kind].text));
	if (kind == READ_ABORTED || kind == READ_BETWEEN) {
		(void)snprintf(name, sizeof(name), " (T%u)", f->from);
		buf_str(&b, pawl__str_of(name));
	}
	if (kind == READ_BETWEEN || kind == READ_INTERNAL) {
		buf_lit(&b, ", which was ");
		pawl__history_value(h, f->expected, &b);
	}
	if (!b.overflow)
		s = pawl__arena_str(&r->out->arena, buf_get(&b));
	pawl__buf_deinit(&b);
	return s.ptr;
}

static bool add_faults(struct run *r)
{
	for (int k = 0; k < READ_FAULTS; k++) {
		const struct weak_faults *f = &r->w.fault[k];
		struct check_witness at[CHECK_WITNESSES_MAX] = { 0 };
		uint32_t n = 0;

		for (; n < f->count && n < CHECK_WITNESSES_MAX; n++) {
			const struct weak_fault *one = &f->first[n];
			const bool two = k == READ_ABORTED || k == READ_BETWEEN;
			struct check_step *s = arena_array(&r->out->arena, struct check_step, 2);

			at[n].text = fault_text(r, (enum weak_read_fault)k, one);
			if (s == NULL || at[n].text == NULL)
				return false;
			s[0] = s[1] = (struct check_step){ one->row,   EDGE_NONE, one->key,
				                           one->value, VALUE_NIL, HISTORY_NONE };
			if (two)
				s[0].op = one->from;
			at[n].steps = s;
			at[n].steps_len = two ? 2 : 1;
		}
		if (n > 0 && !add(r, fault_words[k].name, f->count, at, n))
			return false;
	}
	return true;
}

static bool needs_session(const struct weak_witnesses *found)
{
	for (uint32_t i = 0; i < found->len; i++) {
		bool session = false;

		for (uint32_t j = 0; j < found->at[i].steps_len; j++)
			session |= found->at[i].steps[j].edge == EDGE_SESSION;
		if (!session)
			return false;
	}
	return true;
}

/* Cycles of so and wr alone: no level allows them. */
static bool add_cycles(struct run *r)
{
	struct weak_witnesses found;

	if (!pawl__weak_cycles(&r->w, NULL, NULL, &found, r->out))
		return false;
	return add(r, needs_session(&found) ? "G1c-process" : "G1c", found.count, found.at,
	           found.len);
}

static void edges_deinit(struct weak_edges *e)
{
	free(e->first);
	free(e->from);
	free(e->why);
	if (e->wanted.slots != NULL)
		table_deinit(&e->wanted);
}

/* Run the rule again, to keep the edges by target. */
static bool store(const struct weak *w, struct weak_edges *e, weak_rule_fn rule)
{
	uint32_t sum = 0;

	if (e->count > UINT32_MAX)
		return false;
	for (uint32_t t = 0; t <= w->txns; t++) {
		const uint32_t n = e->first[t];

		e->first[t] = sum;
		sum += n;
	}
	e->from = malloc((e->count + 1) * sizeof(*e->from));
	e->pass = PASS_STORE;
	if (e->from == NULL || !rule(w, e))
		return false;
	memmove(e->first + 1, e->first, (size_t)w->txns * sizeof(*e->first));
	e->first[0] = 0;
	return true;
}

static bool add_stale(struct run *r, const struct weak_edges *e, struct weak_witnesses *into)
{
	for (uint32_t i = 0; i < e->stale_count && i < CHECK_WITNESSES_MAX; i++)
		if (into->len < CHECK_WITNESSES_MAX &&
		    !pawl__weak_stale_witness(&r->w, &e->stale[i], &into->at[into->len++], r->out))
			return false;
	into->count += e->stale_count;
	return true;
}

static int by_row(const void *a, const void *b)
{
	const struct check_witness *x = a, *y = b;

	if (x->steps[0].op == y->steps[0].op)
		return 0;
	return x->steps[0].op < y->steps[0].op ? -1 : 1;
}

static enum outcome run_rule(struct run *r, const struct rung *rung)
{
	struct weak_edges e = { .order = r->order, .rank = r->rank, .forward = true };
	struct weak_witnesses found = { 0 };
	enum outcome ret = FAULT;
	bool ok;

	e.first = calloc((size_t)r->w.txns + 2, sizeof(*e.first));
	ok = e.first != NULL && rung->rule(&r->w, &e);
	if (ok && !e.forward)
		ok = store(&r->w, &e, rung->rule) &&
		     pawl__weak_cycles(&r->w, &e, rung->rule, &found, r->out);
	ok = ok && add_stale(r, &e, &found);
	if (ok && found.count == 0) {
		ret = HOLDS;
	} else if (ok) {
		qsort(found.at, found.len, sizeof(found.at[0]), by_row);
		if (add(r, rung->anomaly, found.count, found.at, found.len))
			ret = FAILS;
	}
	edges_deinit(&e);
	return ret;
}

static enum outcome run_search(struct run *r, const struct rung *rung)
{
	const struct sersi_job job = { rung->kind, r->rank, r->o->steps, SERSI_ALL };
	struct sersi_result s;
	enum outcome ret;

	if (!pawl__sersi_check(&r->w, &job, &s, r->out))
		return FAULT;
	r->out->steps += s.steps;
	ret = s.verdict == VERDICT_VALID ? HOLDS : FAILS;
	if (s.verdict == VERDICT_UNKNOWN) {
		r->out->unknown = s.why;
		ret = UNDECIDED;
	}
	for (uint32_t i = 0; i < s.anomalies_len; i++)
		if (!add(r, s.anomaly[i].name, s.anomaly[i].count, s.anomaly[i].at,
		         s.anomaly[i].len))
			ret = FAULT;
	return ret;
}

static enum outcome run_rung(struct run *r, int rung)
{
	if (ladder[rung].rule == NULL)
		return run_search(r, &ladder[rung]);
	if (ladder[rung].rule == pawl__weak_cc && r->w.sessions > WEAK_SESSIONS_MAX) {
		r->out->unknown = "causal consistency of more than 8192 sessions is not decided";
		return UNDECIDED;
	}
	return run_rule(r, &ladder[rung]);
}

/*
 * Whether the rung holds; *ret_fails: the weakest that does not. What is found at a rung that a
 * weaker one explains is dropped for the weaker one's.
 */
static enum outcome climb(struct run *r, int rung, int *ret_fails)
{
	enum outcome got = HOLDS;
	const uint32_t before = r->found_len;

	if (rung > CAUSAL)
		got = climb(r, CAUSAL, ret_fails);
	if (got != HOLDS && !(rung > CAUSAL && got == UNDECIDED))
		return got;
	got = run_rung(r, rung);
	if (got != FAILS)
		return got;
	*ret_fails = rung;
	for (int i = rung > CAUSAL ? CAUSAL + 1 : 0; i < rung; i++) {
		const uint32_t mark = r->found_len;
		const char *unknown = r->out->unknown;
		const enum outcome weaker = run_rung(r, i);

		r->out->unknown = unknown;
		if (weaker == FAULT)
			return FAULT;
		if (weaker != FAILS)
			continue;
		*ret_fails = i;
		memmove(r->found + before, r->found + mark,
		        (r->found_len - mark) * sizeof(r->found[0]));
		r->found_len -= mark - before;
		break;
	}
	return FAILS;
}

static int by_name(const void *a, const void *b)
{
	const struct check_anomaly *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static enum pawl_status finish(struct run *r, enum outcome got, int fails)
{
	struct check_result *out = r->out;
	struct check_anomaly *all;

	out->verdict = got == HOLDS   ? VERDICT_VALID
	               : got == FAILS ? VERDICT_INVALID
	                              : VERDICT_UNKNOWN;
	if (got == FAILS) {
		out->not = LEVEL_BIT(ladder[fails].level);
		out->also_not = pawl__level_impossible(ladder[fails].level) & ~out->not ;
		out->strongest = fails == 0 ? 0 : LEVEL_BIT(ladder[fails - 1].level);
		out->unknown = NULL;
	} else if (got == HOLDS) {
		out->strongest = LEVEL_BIT(r->o->level);
		out->unknown = NULL;
	}
	if (got != FAILS)
		return PAWL_OK;
	all = arena_array(&out->arena, struct check_anomaly, r->found_len);
	if (all == NULL)
		return no_memory(r->err);
	qsort(r->found, r->found_len, sizeof(r->found[0]), by_name);
	memcpy(all, r->found, r->found_len * sizeof(*all));
	out->anomalies = all;
	out->anomalies_len = r->found_len;
	return PAWL_OK;
}

static const char not_decided[] =
	"a stronger level than can be decided from such a history, or one between two levels that "
	"can, of which the weaker holds";

/* The rungs between which the level lies: holds is the weakest that implies it, RUNGS when none
 * does; must is the strongest that it implies, -1. */
static void place(enum level level, int *ret_holds, int *ret_must)
{
	*ret_holds = RUNGS;
	*ret_must = -1;
	for (size_t i = 0; i < ARRAY_LEN(aliases); i++)
		if (aliases[i].level == level) {
			*ret_holds = *ret_must = aliases[i].rung;
			return;
		}
	for (int i = 0; i < RUNGS; i++) {
		if ((pawl__level_implied(level) & LEVEL_BIT(ladder[i].level)) != 0)
			*ret_must = i;
		if (*ret_holds == RUNGS &&
		    (pawl__level_implied(ladder[i].level) & LEVEL_BIT(level)) != 0)
			*ret_holds = i;
	}
}

static enum outcome between(struct run *r, int *ret_fails)
{
	int holds, must;
	enum outcome got = UNDECIDED;

	place(r->o->level, &holds, &must);
	if (holds < RUNGS)
		got = climb(r, holds, ret_fails);
	if (got == FAULT || got == HOLDS || (got == FAILS && *ret_fails <= must))
		return got;
	if (got == UNDECIDED && must >= 0 && must != holds) {
		got = climb(r, must, ret_fails);
		if (got == FAULT || got == FAILS)
			return got;
	}
	if (r->out->unknown == NULL)
		r->out->unknown = not_decided;
	return UNDECIDED;
}

/* Say which read can't be told. */
static bool ambiguous(struct run *r)
{
	const struct history *h = r->w.h;
	struct buf b;
	struct str s = STR_NONE;

	pawl__buf_init(&b, HISTORY_TEXT_MAX * 2 + 256);
	buf_lit(&b, "writes are not unique: several may have written the value ");
	pawl__history_value(h, r->w.ambiguous_value, &b);
	buf_lit(&b, " that was read of key ");
	pawl__history_value(h, h->key[r->w.ambiguous_key], &b);
	if (!b.overflow)
		s = pawl__arena_str(&r->out->arena, buf_get(&b));
	pawl__buf_deinit(&b);
	r->out->unknown = s.ptr;
	return s.ptr != NULL;
}

static bool rank_order(struct run *r)
{
	if (r->order == NULL)
		return true;
	r->rank = malloc(((size_t)r->w.txns + 1) * sizeof(*r->rank));
	if (r->rank == NULL)
		return false;
	for (uint32_t i = 0; i < r->w.txns; i++)
		r->rank[r->order[i]] = i;
	return true;
}

static enum outcome judge(struct run *r, int *ret_fails)
{
	int holds, must;

	if (r->w.ambiguous)
		return ambiguous(r) ? UNDECIDED : FAULT;
	if (!add_faults(r) || !pawl__weak_order(&r->w, &r->order, &r->cyclic) || !rank_order(r))
		return FAULT;
	if (r->cyclic && !add_cycles(r))
		return FAULT;
	if (r->found_len == 0)
		return between(r, ret_fails);
	place(r->o->level, &holds, &must);
	if (must >= 0)
		return FAILS;
	r->out->unknown = not_decided;
	return UNDECIDED;
}

enum pawl_status pawl__check_weak(const struct history *h, const struct check_options *o,
                                  struct check_result *ret, struct pawl_error *err)
{
	struct run r = { .o = o, .out = ret, .err = err };
	enum outcome got = FAULT;
	int fails = 0;
	enum pawl_status st = pawl__weak_load(&r.w, h, o, err);

	if (st == PAWL_OK) {
		got = judge(&r, &fails);
		st = got == FAULT ? no_memory(err) : finish(&r, got, fails);
	}
	free(r.order);
	free(r.rank);
	pawl__weak_deinit(&r.w);
	return st;
}
