/* SPDX-License-Identifier: Apache-2.0 */
#include "oracle.h"

#define INIT (-1)
#define BAD  (-2)

struct judge {
	const struct gen_history *g;
	uint32_t n;
	const struct gen_op *op[GEN_OPS]; /* those that count */
	bool before[GEN_OPS][GEN_OPS];    /* sessions, or real time */

	/* For the axioms: where a read came from, INIT, or BAD; -3 for its own. */
	int from[GEN_OPS][GEN_MOPS];
	bool wr[GEN_OPS][GEN_OPS], hb[GEN_OPS][GEN_OPS];
	uint32_t place[GEN_OPS]; /* in the order of commits */
};

#define OWN (-3)

/* ---- orders of points: prefix, snapshot isolation, serializable ---- */

struct state {
	uint32_t started, ended; /* sets */
	uint32_t log[ORACLE_OPS];
	uint32_t len; /* of log */
};

/* Whether every read of t is what the log says, and its own writes. */
static bool explained(const struct judge *j, const struct state *s, uint32_t t)
{
	const struct gen_op *op = j->op[t];

	for (uint32_t r = 0; op->type == HT_OK && r < op->mops; r++) {
		uint16_t at[GEN_OPS * GEN_MOPS];
		uint32_t n = 0;
		const struct gen_mop *read = &op->mop[r];

		if (read->write)
			continue;
		for (uint32_t i = 0; i <= s->len; i++) {
			const struct gen_op *o = i == s->len ? op : j->op[s->log[i]];
			const uint32_t mops = i == s->len ? r : o->mops;

			for (uint32_t k = 0; k < mops; k++)
				if (o->mop[k].write && o->mop[k].key == read->key)
					at[n++] = o->mop[k].value;
		}
		if (!j->g->lists && (n == 0 ? 0 : at[n - 1]) != read->value)
			return false;
		if (j->g->lists && (n != read->len || memcmp(at, read->at, n * sizeof(*at)) != 0))
			return false;
	}
	return true;
}

static bool writes(const struct gen_op *op, uint32_t key)
{
	for (uint32_t i = 0; i < op->mops; i++)
		if (op->mop[i].write && op->mop[i].key == key)
			return true;
	return false;
}

static bool clash(const struct gen_op *a, const struct gen_op *b)
{
	for (uint32_t i = 0; i < a->mops; i++)
		if (a->mop[i].write && writes(b, a->mop[i].key))
			return true;
	return false;
}

static bool may_start(const struct judge *j, const struct state *s, uint32_t t, bool alone)
{
	for (uint32_t u = 0; u < j->n && u < GEN_OPS; u++) {
		const bool open = (s->started >> u & 1) != 0 && (s->ended >> u & 1) == 0;

		if (j->before[u][t] && (s->ended >> u & 1) == 0)
			return false;
		if (alone && open && clash(j->op[u], j->op[t]))
			return false;
	}
	return explained(j, s, t);
}

static bool some_order(const struct judge *j, struct state *s, enum oracle_level level)
{
	if (s->len == j->n)
		return true;
	for (uint32_t t = 0; t < j->n; t++) {
		struct state next = *s;

		if ((s->started >> t & 1) == 0) {
			if (!may_start(j, s, t, level == ORACLE_SI))
				continue;
			next.started |= 1U << t;
			if (level != ORACLE_SER) {
				if (some_order(j, &next, level))
					return true;
				continue;
			}
		} else if ((s->ended >> t & 1) != 0) {
			continue;
		}
		next.ended |= 1U << t;
		next.log[next.len++] = t;
		if (some_order(j, &next, level))
			return true;
	}
	return false;
}

/* ---- orders of commits: read committed, read atomic, causal ---- */

static int source(const struct judge *j, uint32_t t, uint32_t r)
{
	const struct gen_mop *read = &j->op[t]->mop[r];

	for (uint32_t i = r; i-- > 0;) {
		const struct gen_mop *m = &j->op[t]->mop[i];

		if (m->write && m->key == read->key)
			return m->value == read->value ? OWN : BAD;
	}
	if (read->value == 0)
		return INIT;
	for (uint32_t u = 0; u < j->n; u++) {
		uint16_t last = 0;

		for (uint32_t i = 0; u != t && i < j->op[u]->mops; i++)
			if (j->op[u]->mop[i].write && j->op[u]->mop[i].key == read->key)
				last = j->op[u]->mop[i].value;
		if (last == read->value)
			return (int)u;
	}
	return BAD;
}

static bool relations(struct judge *j)
{
	for (uint32_t t = 0; t < j->n; t++)
		for (uint32_t r = 0; j->op[t]->type == HT_OK && r < j->op[t]->mops; r++) {
			if (j->op[t]->mop[r].write)
				continue;
			j->from[t][r] = source(j, t, r);
			if (j->from[t][r] == BAD)
				return false;
			if (j->from[t][r] >= 0)
				j->wr[j->from[t][r]][t] = true;
		}
	for (uint32_t a = 0; a < j->n; a++)
		for (uint32_t b = 0; b < j->n; b++)
			j->hb[a][b] = j->before[a][b] || j->wr[a][b];
	for (uint32_t k = 0; k < j->n; k++)
		for (uint32_t a = 0; a < j->n; a++)
			for (uint32_t b = 0; b < j->n; b++)
				j->hb[a][b] |= j->hb[a][k] && j->hb[k][b];
	return true;
}

/* Whether t3 has to know of t2 when it makes its read r. */
static bool knows(const struct judge *j, uint32_t t2, uint32_t t3, uint32_t r,
                  enum oracle_level level)
{
	if (level == ORACLE_CC)
		return j->hb[t2][t3];
	if (level == ORACLE_RA)
		return j->before[t2][t3] || j->wr[t2][t3];
	for (uint32_t i = 0; i < r; i++)
		if (!j->op[t3]->mop[i].write && j->from[t3][i] == (int)t2)
			return true;
	return false;
}

static bool axiom(const struct judge *j, enum oracle_level level)
{
	for (uint32_t a = 0; a < j->n; a++)
		for (uint32_t b = 0; b < j->n; b++)
			if ((j->before[a][b] || j->wr[a][b]) && j->place[a] >= j->place[b])
				return false;
	for (uint32_t t = 0; t < j->n; t++)
		for (uint32_t r = 0; j->op[t]->type == HT_OK && r < j->op[t]->mops; r++) {
			const int from = j->from[t][r];

			if (j->op[t]->mop[r].write || from == OWN)
				continue;
			for (uint32_t u = 0; u < j->n; u++)
				if ((int)u != from && u != t &&
				    writes(j->op[u], j->op[t]->mop[r].key) &&
				    knows(j, u, t, r, level) &&
				    (from == INIT || j->place[u] >= j->place[from]))
					return false;
		}
	return true;
}

static bool some_commit_order(struct judge *j, enum oracle_level level, uint32_t placed,
                              uint32_t used)
{
	if (placed == j->n)
		return axiom(j, level);
	for (uint32_t t = 0; t < j->n; t++) {
		if ((used >> t & 1) != 0)
			continue;
		j->place[t] = placed;
		if (some_commit_order(j, level, placed + 1, used | 1U << t))
			return true;
	}
	return false;
}

/* ---- forced orders ---- */

static void close_over(bool m[GEN_OPS][GEN_OPS], uint32_t n)
{
	for (uint32_t k = 0; k < n; k++)
		for (uint32_t a = 0; a < n; a++)
			for (uint32_t b = 0; m[a][k] && b < n; b++)
				m[a][b] |= m[k][b];
}

/* Every order that the axiom asks for, at once. false: before the initial state. */
static bool force(const struct judge *j, enum oracle_level level, bool co[GEN_OPS][GEN_OPS])
{
	for (uint32_t t = 0; t < j->n; t++)
		for (uint32_t r = 0; r < j->op[t]->mops; r++) {
			const int from = j->from[t][r];

			if (j->op[t]->mop[r].write || from == OWN)
				continue;
			for (uint32_t u = 0; u < j->n; u++) {
				if ((int)u == from || u == t ||
				    !writes(j->op[u], j->op[t]->mop[r].key) ||
				    !knows(j, u, t, r, level))
					continue;
				if (from == INIT)
					return false;
				co[u][from] = true;
			}
		}
	return true;
}

/* ---- */

static bool ordered(const struct gen_op *a, const struct gen_op *b, enum oracle_order order)
{
	if (order == ORACLE_REALTIME && a->type == HT_OK && a->ret < b->inv)
		return true;
	return order != ORACLE_FREE && a->process == b->process && a->inv < b->inv;
}

bool oracle_holds(const struct gen_history *g, enum oracle_level level, enum oracle_order order)
{
	uint32_t unsure[ORACLE_OPS], unsures = 0;

	PRE(g->ops <= ORACLE_OPS);
	for (uint32_t i = 0; i < g->ops; i++)
		if (g->op[i].type == HT_INFO)
			unsure[unsures++] = i;
	for (uint32_t set = 0; set < 1U << unsures; set++) {
		struct judge j = { .g = g };
		struct state s = { 0 };
		uint32_t left_out = 0;

		for (uint32_t i = 0; i < unsures; i++)
			left_out |= (set >> i & 1) != 0 ? 1U << unsure[i] : 0;
		for (uint32_t i = 0; i < g->ops; i++)
			if (g->op[i].type != HT_FAIL && (left_out >> i & 1) == 0)
				j.op[j.n++] = &g->op[i];
		for (uint32_t a = 0; a < j.n; a++)
			for (uint32_t b = 0; b < j.n; b++)
				j.before[a][b] = ordered(j.op[a], j.op[b], order);
		if (level >= ORACLE_PREFIX ? some_order(&j, &s, level)
		                           : relations(&j) && some_commit_order(&j, level, 0, 0))
			return true;
	}
	return false;
}

bool oracle_forced(const struct gen_history *g, enum oracle_level level)
{
	static struct judge j;
	static bool co[GEN_OPS][GEN_OPS];

	j = (struct judge){ .g = g };
	for (uint32_t i = 0; i < g->ops; i++)
		j.op[j.n++] = &g->op[i];
	for (uint32_t a = 0; a < j.n; a++)
		for (uint32_t b = 0; b < j.n; b++)
			j.before[a][b] = ordered(j.op[a], j.op[b], ORACLE_SESSIONS);
	if (!relations(&j))
		return false;
	memcpy(co, j.hb, sizeof(co));
	if (!force(&j, level, co))
		return false;
	close_over(co, j.n);
	for (uint32_t a = 0; a < j.n; a++)
		if (co[a][a])
			return false;
	return true;
}
