/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/rw_register - transactions of writes and reads of registers whose written values are
 * unique: who read from whom is known, which version followed which is inferred.
 *
 *     ww  T wrote a version, U a later one       wr  T wrote the version that U read
 *     rw  T read a version, U wrote a later one
 *
 * What is not inferred is not known: valid says that nothing was found in what is known.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "race/check/cycle.h"
#include "race/check/regs.h"

struct register_check {
	const struct history *h;
	struct regs x;
	enum graph_extra extra;
	uint32_t fans;    /* the node where fans begin */
	uint32_t *last;   /* by process */
	uint32_t *starts; /* by key, and one more: in `start` */
	uint32_t *start;  /* versions */
	uint32_t *fan;    /* by key: where its fan begins among the virtual nodes */
	bool *any;
};

/* Whether a version directly follows the initial one: others are reached through these. */
static bool starts_key(const struct regs *x, uint32_t v)
{
	return regs_has_writer(x, v) && x->led[v] == 0 && !regs_is_initial(x, v);
}

static bool starts_make(struct register_check *c)
{
	const struct regs *x = &c->x;
	uint32_t n = 0;

	c->starts = calloc((size_t)c->h->keys_len + 2, sizeof(*c->starts));
	c->start = malloc(((size_t)x->versions + 1) * sizeof(*c->start));
	if (c->starts == NULL || c->start == NULL)
		return false;
	for (uint32_t v = c->h->keys_len; v < x->versions; v++)
		c->starts[x->key[v]] += starts_key(x, v);
	for (uint32_t k = 0; k <= c->h->keys_len; k++) {
		const uint32_t len = c->starts[k];

		c->starts[k] = n;
		n += len;
	}
	for (uint32_t v = c->h->keys_len; v < x->versions; v++) {
		if (starts_key(x, v))
			c->start[c->starts[x->key[v]]++] = v;
	}
	memmove(c->starts + 1, c->starts, (size_t)c->h->keys_len * sizeof(*c->starts));
	c->starts[0] = 0;
	return true;
}

static bool has_fan(const struct register_check *c, uint32_t key)
{
	return c->x.writer[key] == REGS_NONE &&
	       graph_fan_pays(c->x.first[key + 1] - c->x.first[key],
	                      c->starts[key + 1] - c->starts[key]);
}

/* Where each key's fan begins; how many nodes they have. */
static uint64_t fans_make(struct register_check *c)
{
	uint64_t nodes = 0;

	for (uint32_t k = 0; k < c->h->keys_len; k++) {
		c->fan[k] = (uint32_t)nodes;
		if (has_fan(c, k))
			nodes += graph_fan_nodes(c->starts[k + 1] - c->starts[k]);
	}
	return nodes;
}

static void data_edge(const struct register_check *c, struct graph_maker *m, uint32_t from,
                      uint32_t to, enum graph_class cls)
{
	if (from == to)
		return;
	*c->any = true;
	graph_edge(m, from, to, cls);
}

/* The place among the first versions of a key of the one that this row wrote; their number when it
 * is none of them. */
static uint32_t own_start(const struct register_check *c, uint32_t row, uint32_t key)
{
	const struct history *h = c->h;
	const uint32_t *list = c->start + c->starts[key];
	uint32_t lo = 0, hi = c->starts[key + 1] - c->starts[key], version = REGS_NONE;
	const uint32_t len = hi;

	for (uint32_t m = h->mop_first[row]; m < h->mop_first[row] + h->mop_len[row]; m++) {
		if (h->mop_key[m] == key && h->mop_f[m] == HF_WRITE &&
		    (c->x.flags[m] & REGS_EXTERNAL) != 0)
			version = c->x.version[m];
	}
	while (lo < hi) {
		const uint32_t mid = lo + (hi - lo) / 2;

		if (list[mid] < version)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < len && list[lo] == version ? lo : len;
}

static void initial_fan(const struct register_check *c, struct graph_maker *m, uint32_t key)
{
	const struct regs *x = &c->x;
	const uint32_t len = c->starts[key + 1] - c->starts[key], fan = c->fans + c->fan[key];

	for (uint32_t r = x->first[key]; r < x->first[key + 1]; r++) {
		const uint32_t own = own_start(c, x->reader[r], key);

		*c->any = true;
		graph_fan_from(m, fan, len, x->reader[r], own < len ? own : 0,
		               own < len ? own + 1 : 0);
	}
	for (uint32_t i = 0; i < len; i++)
		graph_fan_to(m, fan, len, i, x->writer[c->start[c->starts[key] + i]]);
}

/* From those who read the initial state to those who wrote the first versions. */
static void initial_edges(const struct register_check *c, struct graph_maker *m, uint32_t key)
{
	const struct regs *x = &c->x;

	if (x->writer[key] != REGS_NONE)
		return;
	if (has_fan(c, key)) {
		initial_fan(c, m, key);
		return;
	}
	for (uint32_t r = x->first[key]; r < x->first[key + 1]; r++) {
		for (uint32_t i = c->starts[key]; i < c->starts[key + 1]; i++)
			data_edge(c, m, x->reader[r], x->writer[c->start[i]], GRAPH_RW);
	}
}

static void version_edges(const struct register_check *c, struct graph_maker *m, uint32_t v)
{
	const struct regs *x = &c->x;

	if (x->writer[v] == REGS_SEVERAL)
		return;
	for (uint32_t r = x->first[v]; r < x->first[v + 1] && regs_has_writer(x, v); r++)
		data_edge(c, m, x->writer[v], x->reader[r], GRAPH_WR);
	for (uint32_t e = x->order.first[v]; e < x->order.first[v + 1]; e++) {
		const uint32_t after = x->order.to[e];

		if (!regs_has_writer(x, after))
			continue;
		if (regs_has_writer(x, v))
			data_edge(c, m, x->writer[v], x->writer[after], GRAPH_WW);
		for (uint32_t r = x->first[v]; r < x->first[v + 1]; r++) {
			if (m->counted > GRAPH_EDGES_MAX)
				return;
			data_edge(c, m, x->reader[r], x->writer[after], GRAPH_RW);
		}
	}
}

static void emit(struct graph_maker *m, const void *arg)
{
	const struct register_check *c = arg;

	if (pawl__graph_extra(m, c->h, c->extra, c->h->ops_len, c->last))
		*c->any = true;
	for (uint32_t k = 0; k < c->h->keys_len; k++)
		initial_edges(c, m, k);
	for (uint32_t v = c->h->keys_len; v < c->x.versions; v++)
		version_edges(c, m, v);
}

static bool comes_before(const struct regs *x, uint32_t v, uint32_t after)
{
	for (uint32_t e = x->order.first[v]; e < x->order.first[v + 1]; e++) {
		if (x->order.to[e] == after)
			return true;
	}
	return false;
}

/* Whether these two are why a is before b, as cls says. */
static bool explains(const struct register_check *c, uint32_t ma, uint32_t mb, enum graph_class cls)
{
	const struct history *h = c->h;
	const struct regs *x = &c->x;

	if (h->mop_key[ma] != h->mop_key[mb] ||
	    (x->flags[ma] & x->flags[mb] & REGS_EXTERNAL) == 0 ||
	    h->mop_f[ma] != (cls == GRAPH_RW ? HF_READ : HF_WRITE) ||
	    h->mop_f[mb] != (cls == GRAPH_WR ? HF_READ : HF_WRITE))
		return false;
	if (cls == GRAPH_WR)
		return x->version[ma] == x->version[mb];
	return comes_before(x, x->version[ma], x->version[mb]);
}

static void explain(const void *arg, uint32_t a, uint32_t b, enum graph_class cls,
                    struct check_step *step)
{
	const struct register_check *c = arg;
	const struct history *h = c->h;

	for (uint32_t ma = h->mop_first[a]; ma < h->mop_first[a] + h->mop_len[a]; ma++) {
		for (uint32_t mb = h->mop_first[b]; mb < h->mop_first[b] + h->mop_len[b]; mb++) {
			if (!explains(c, ma, mb, cls))
				continue;
			step->key = h->mop_key[ma];
			step->value = h->mop_val[ma];
			step->value2 = h->mop_val[mb];
			return;
		}
	}
	UNREACHABLE();
}

/* Keys whose versions are not known to follow each other. */
static void tell_order(const struct register_check *c, struct found *f)
{
	uint64_t keys = 0, open = 0;

	for (uint32_t k = 0; k < c->h->keys_len; k++) {
		keys += c->starts[k + 1] > c->starts[k];
		open += c->starts[k + 1] > c->starts[k] + 1;
	}
	if (open > 0) {
		pawl__found_say(
			f,
			"of %U keys that were written, the order of versions is not known of "
			"%U, or in part: cycles that need it were not found",
			keys, open);
		pawl__found_note(f);
	}
	if (c->x.left_out > 0) {
		pawl__found_say(f,
		                "an order that contradicts what was known before it was not used");
		pawl__found_note(f);
	}
}

static enum pawl_status cycles(struct register_check *c, const struct check_options *o,
                               struct found *f, struct pawl_error *err)
{
	const uint64_t barriers = pawl__graph_barriers(c->h, c->extra);
	bool any = false, ran_out = false;
	struct graph g;
	struct cycle_job job = { .g = &g, .extra = c->extra, .explain = explain, .arg = c };
	enum pawl_status st;

	c->fans = c->h->ops_len + (uint32_t)barriers;
	c->any = &any;
	c->last = malloc(((size_t)c->h->processes_len + 1) * sizeof(*c->last));
	c->fan = malloc(((size_t)c->h->keys_len + 1) * sizeof(*c->fan));
	if (c->last == NULL || c->fan == NULL || !starts_make(c))
		return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
	tell_order(c, f);
	st = pawl__graph_make(&g, c->h->ops_len, barriers + fans_make(c), emit, c);
	if (st != PAWL_OK)
		return pawl__found_no_graph(f, st, err);
	job.steps = pawl__found_steps(o);
	st = pawl__cycle_find(&job, f, &f->r->steps, &ran_out);
	pawl__graph_deinit(&g);
	if (st != PAWL_OK)
		return pawl__error_set(err, st, "out of memory");
	pawl__found_limits(f, o, any, ran_out);
	return PAWL_OK;
}

static enum pawl_status run(struct register_check *c, const struct check_options *o,
                            struct found *f, struct pawl_error *err)
{
	enum pawl_status st = pawl__regs_init(&c->x, c->h, o, err);

	if (st == PAWL_OK)
		st = pawl__regs_scan(&c->x, f, err);
	if (st != PAWL_OK)
		return st;
	st = pawl__regs_order(&c->x, f);
	if (st != PAWL_OK)
		return pawl__found_no_graph(f, st, err);
	return cycles(c, o, f, err);
}

enum pawl_status pawl__check_rw_register(const struct history *h, const struct check_options *o,
                                         struct check_result *ret, struct pawl_error *err)
{
	struct register_check c = { .h = h, .extra = pawl__found_extra_of(h, o->level) };
	struct found f;
	enum pawl_status st;

	pawl__found_init(&f, h, ret);
	st = run(&c, o, &f, err);
	if (st == PAWL_OK)
		st = pawl__found_finish(&f, o->level, c.extra, err);
	pawl__regs_deinit(&c.x);
	free(c.last);
	free(c.starts);
	free(c.start);
	free(c.fan);
	pawl__found_deinit(&f);
	return st;
}
