/* SPDX-License-Identifier: Apache-2.0 */
/* What to show: a cycle of forced edges, under its name; or the transactions no order fits. */
#include "race/check/sersi.h"

#include <stdio.h>
#include <stdlib.h>

#include "race/check/before.h"

/* A read of v from u; its key, or HISTORY_NONE. */
static uint32_t read_between(const struct weak *w, uint32_t u, uint32_t v)
{
	for (uint32_t i = w->read_first[v]; i < w->read_first[v + 1]; i++)
		if (w->read_from[i] == u)
			return w->read_key[i];
	return HISTORY_NONE;
}

static const struct sersi_edge *forced(const struct sersi *s, uint32_t p, uint32_t q)
{
	for (uint32_t i = s->first[q]; i < s->first[q + 1]; i++)
		if (s->edge[s->by_target[i]].from == p)
			return &s->edge[s->by_target[i]];
	return NULL;
}

/* What the reader read of the key. */
static int64_t value_read(const struct weak *w, uint32_t reader, uint32_t key)
{
	for (uint32_t i = w->read_first[reader]; i < w->read_first[reader + 1]; i++)
		if (w->read_key[i] == key)
			return w->read_from[i] == WEAK_INIT
			               ? w->initial
			               : pawl__weak_value(w, w->read_from[i], key);
	UNREACHABLE();
}

/* The step between points of two transactions. */
static struct check_step step(const struct sersi *s, uint32_t p, uint32_t q)
{
	const struct weak *w = s->w;
	const uint32_t u = point_txn(s, p), v = point_txn(s, q);
	struct check_step ret = { w->row[u], EDGE_SESSION, HISTORY_NONE,
		                  VALUE_NIL, VALUE_NIL,    HISTORY_NONE };
	const struct sersi_edge *e = forced(s, p, q);

	if (p == point_commit(s, u) && q == point_start(s, v)) {
		ret.key = read_between(w, u, v);
		if (ret.key != HISTORY_NONE) {
			ret.edge = EDGE_WR;
			ret.value = pawl__weak_value(w, u, ret.key);
			return ret;
		}
		if (pawl__weak_before(w, v) == u)
			return ret;
	}
	INVARIANT(e != NULL);
	ret.edge = (enum check_edge)e->edge;
	ret.key = e->key;
	ret.value2 = pawl__weak_value(w, v, e->key);
	if (ret.edge == EDGE_RW) {
		ret.value = value_read(w, u, e->key);
	} else if (ret.edge == EDGE_WW) {
		ret.value = pawl__weak_value(w, u, e->key);
	} else {
		ret.value = ret.value2;
		ret.value2 = pawl__weak_value(w, u, e->key);
		ret.by = w->row[e->by];
	}
	return ret;
}

/* Steps of a cycle of points, those of one transaction taken together; returns how many. */
static uint32_t steps_of(const struct sersi *s, const struct before_cycle *c,
                         struct check_step *ret)
{
	uint32_t n = 0, low = 0;

	for (uint32_t i = 0; i < c->len; i++) {
		const uint32_t p = c->at[i], q = c->at[i + 1 == c->len ? 0 : i + 1];

		if (point_txn(s, p) == point_txn(s, q))
			continue;
		ret[n] = step(s, p, q);
		/* One step along a session. */
		if (n > 0 && ret[n].edge == EDGE_SESSION && ret[n - 1].edge == EDGE_SESSION)
			continue;
		n++;
	}
	if (n > 2 && ret[0].edge == EDGE_SESSION && ret[n - 1].edge == EDGE_SESSION) {
		n--;
		ret[0].op = ret[n].op;
	}
	for (uint32_t i = 1; i < n; i++)
		if (ret[i].op < ret[low].op)
			low = i;
	for (; low > 0; low--) {
		const struct check_step first = ret[0];

		memmove(ret, ret + 1, (n - 1) * sizeof(*ret));
		ret[n - 1] = first;
	}
	return n;
}

/* The name of a cycle, as Adya and Elle give them; EDGE_VISIBLE is an order of writes. */
static const char *name_of(const struct check_step *at, uint32_t n)
{
	static const char *const names[][2] = {
		{ "G0", "G0-process" },
		{ "G1c", "G1c-process" },
		{ "G-single-item", "G-single-item-process" },
		{ "G-nonadjacent-item", "G-nonadjacent-item-process" },
		{ "G2-item", "G2-item-process" },
	};
	uint32_t rw = 0, wr = 0, session = 0;
	bool adjacent = false;

	for (uint32_t i = 0; i < n; i++) {
		const enum check_edge next = at[i + 1 == n ? 0 : i + 1].edge;

		rw += at[i].edge == EDGE_RW;
		wr += at[i].edge == EDGE_WR;
		session += at[i].edge == EDGE_SESSION;
		adjacent |= n > 1 && at[i].edge == EDGE_RW && next == EDGE_RW;
	}
	if (n == 2 && rw == 1 && session + wr == 0 && at[0].key == at[1].key)
		return "lost-update";
	if (adjacent)
		return names[4][session > 0];
	if (rw > 1)
		return names[3][session > 0];
	if (rw == 1)
		return names[2][session > 0];
	return names[wr > 0][session > 0];
}

static void put(struct sersi_result *ret, const char *name, const struct check_witness *w)
{
	struct sersi_anomaly *a = ret->anomaly;
	uint32_t i = 0;

	while (i < ret->anomalies_len && strcmp(a[i].name, name) != 0)
		i++;
	INVARIANT(i < SERSI_NAMES_MAX);
	if (i == ret->anomalies_len)
		a[ret->anomalies_len++] = (struct sersi_anomaly){ .name = name };
	a[i].count++;
	if (a[i].len < CHECK_WITNESSES_MAX)
		a[i].at[a[i].len++] = *w;
}

static int by_row(const void *a, const void *b)
{
	const struct check_witness *x = a, *y = b;

	if (x->steps[0].op == y->steps[0].op)
		return 0;
	return x->steps[0].op < y->steps[0].op ? -1 : 1;
}

bool pawl__sersi_cycles(const struct sersi *s, struct sersi_result *ret, struct check_result *out)
{
	struct before_cycles cycles;
	bool ok = pawl__before_cycles(&cycles, s, pawl__sersi_before, s->points);

	for (uint32_t i = 0; ok && i < cycles.len; i++) {
		struct check_step *at =
			arena_array(&out->arena, struct check_step, (size_t)cycles.at[i].len + 1);
		struct check_witness w = { .steps = at, .cycle = true };

		ok = at != NULL;
		if (!ok)
			break;
		w.steps_len = steps_of(s, &cycles.at[i], at);
		put(ret, name_of(at, w.steps_len), &w);
	}
	/* Of the components beyond those that are kept the kind is not known. */
	if (ok && cycles.count > cycles.len)
		ret->anomaly[0].count += cycles.count - cycles.len;
	for (uint32_t i = 0; i < ret->anomalies_len; i++)
		qsort(ret->anomaly[i].at, ret->anomaly[i].len, sizeof(ret->anomaly[i].at[0]),
		      by_row);
	pawl__before_cycles_deinit(&cycles);
	return ok;
}

static const char *no_order_text(const struct sersi *s, uint32_t txns, struct check_result *out)
{
	static const char *const what[] = {
		[SERSI_PREFIX] = "no order of commits, with a snapshot of some prefix for each,",
		[SERSI_SI] = "no order of snapshots and commits",
		[SERSI_SER] = "no serial order",
	};
	char text[160];

	(void)snprintf(text, sizeof(text), "%s of these %u transactions explains what they read",
	               what[s->kind], txns);
	return pawl__arena_str(&out->arena, pawl__str_of(text)).ptr;
}

static int ascending(const void *a, const void *b)
{
	const struct check_step *x = a, *y = b;

	return x->op < y->op ? -1 : x->op > y->op;
}

bool pawl__sersi_no_order(const struct sersi *s, const uint32_t *points, uint32_t len,
                          struct sersi_result *ret, struct check_result *out)
{
	static const char *const name[] = {
		[SERSI_PREFIX] = "no-prefix-order",
		[SERSI_SI] = "no-snapshot-order",
		[SERSI_SER] = "no-serial-order",
	};
	struct check_step *at = arena_array(&out->arena, struct check_step, (size_t)len + 1);
	struct check_witness w = { .steps = at };
	uint32_t n = 0;

	if (at == NULL)
		return false;
	for (uint32_t i = 0; i < len; i++) {
		const uint32_t t = point_txn(s, points[i]);

		if (points[i] == point_commit(s, t))
			at[n++] = (struct check_step){ s->w->row[t], EDGE_NONE, HISTORY_NONE,
				                       VALUE_NIL,    VALUE_NIL, HISTORY_NONE };
	}
	qsort(at, n, sizeof(*at), ascending);
	w.text = no_order_text(s, n, out);
	w.steps_len = n < SERSI_ROWS_MAX ? n : SERSI_ROWS_MAX;
	put(ret, name[s->kind], &w);
	return w.text != NULL && n > 0;
}
