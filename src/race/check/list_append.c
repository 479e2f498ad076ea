/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/list_append - transactions of appends to lists and reads of them: what the reads say
 * about the order of appends gives every dependency, and cycles of these are the anomalies.
 *
 *     ww  T appended an element, U the next one       wr  T appended the last element that U read
 *     rw  T read a version, U appended the next one
 */
#include <stdlib.h>

#include "base/error.h"
#include "race/check/cycle.h"
#include "race/check/list.h"

struct append_check {
	const struct history *h;
	struct list_index x;
	enum graph_extra extra;
	uint32_t fans;  /* the node where fans begin */
	uint32_t *last; /* by process */
	bool *any;      /* whether any row depends on another */
};

static uint32_t unread_len(const struct append_check *c, uint32_t key)
{
	return c->x.order[key + 1].unread - c->x.order[key].unread;
}

static bool has_fan(const struct append_check *c, uint32_t key)
{
	return graph_fan_pays(c->x.order[key].readers, unread_len(c, key));
}

/* How many of a key's unread appends stand before mop m. */
static uint32_t unread_before(const struct append_check *c, uint32_t key, uint32_t m)
{
	const uint32_t *list = c->x.unread_mop + c->x.order[key].unread;
	uint32_t lo = 0, hi = unread_len(c, key);

	while (lo < hi) {
		const uint32_t mid = lo + (hi - lo) / 2;

		if (list[mid] < m)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void data_edge(const struct append_check *c, struct graph_maker *m, uint32_t from,
                      uint32_t to, enum graph_class cls)
{
	if (from == to)
		return;
	*c->any = true;
	graph_edge(m, from, to, cls);
}

/* From a reader of the last version to what was appended behind it, in whatever order. */
static void last_version(const struct append_check *c, struct graph_maker *m, uint32_t read,
                         uint32_t writer)
{
	const struct list_index *x = &c->x;
	const uint32_t key = c->h->mop_key[read], row = x->row[read];
	const uint32_t first = x->order[key].unread, end = x->order[key + 1].unread;

	/* What its writer appended next is ww, which must be seen as such. */
	if (has_fan(c, key) && writer != row) {
		const uint32_t mop = c->h->mop_first[row];
		const uint32_t own = unread_before(c, key, mop);
		const uint32_t own_end = unread_before(c, key, mop + c->h->mop_len[row]);

		*c->any = true;
		graph_fan_from(m, c->fans + x->order[key].fan, end - first, row,
		               own < own_end ? own : 0, own < own_end ? own_end : 0);
		return;
	}
	for (uint32_t i = first; i < end && m->counted <= GRAPH_EDGES_MAX; i++)
		data_edge(c, m, row, x->row[x->unread_mop[i]], GRAPH_RW);
}

static void read_edges(const struct append_check *c, struct graph_maker *m, uint32_t read)
{
	const struct list_index *x = &c->x;
	const uint32_t key = c->h->mop_key[read], version = x->pos[read];
	const uint32_t last = list_last(x, read);
	uint32_t next = LIST_NONE;

	if (last != LIST_NONE && graph_has_row(c->h, x->row[last]))
		data_edge(c, m, x->row[last], x->row[read], GRAPH_WR);
	if (version == LIST_NONE)
		return;
	next = list_after(x, key, version);
	if (next != LIST_NONE && graph_has_row(c->h, x->row[next]))
		data_edge(c, m, x->row[read], x->row[next], GRAPH_RW);
	if (version == x->order[key].len)
		last_version(c, m, read, last == LIST_NONE ? LIST_NONE : x->row[last]);
}

static uint32_t append_before(const struct append_check *c, uint32_t append)
{
	const uint32_t key = c->h->mop_key[append], pos = c->x.pos[append];

	return list_before(&c->x, key, pos == LIST_NONE ? c->x.order[key].len : pos);
}

static void append_edges(const struct append_check *c, struct graph_maker *m, uint32_t append)
{
	const struct list_index *x = &c->x;
	const uint32_t key = c->h->mop_key[append], row = x->row[append];
	const uint32_t before = append_before(c, append);

	if (before != LIST_NONE && graph_has_row(c->h, x->row[before]))
		data_edge(c, m, x->row[before], row, GRAPH_WW);
	if (x->pos[append] == LIST_NONE && has_fan(c, key))
		graph_fan_to(m, c->fans + x->order[key].fan, unread_len(c, key),
		             unread_before(c, key, append), row);
}

static void emit(struct graph_maker *m, const void *arg)
{
	const struct append_check *c = arg;
	const struct history *h = c->h;

	if (pawl__graph_extra(m, h, c->extra, h->ops_len, c->last))
		*c->any = true;
	for (uint32_t i = 0; i < h->ops_len; i++) {
		const uint32_t end = h->mop_first[i] + h->mop_len[i];

		if (!graph_has_row(h, i) || m->counted > GRAPH_EDGES_MAX)
			continue;
		for (uint32_t p = h->mop_first[i]; p < end; p++) {
			if (h->mop_f[p] == HF_APPEND)
				append_edges(c, m, p);
			else if (h->type[i] == HT_OK)
				read_edges(c, m, p);
		}
	}
}

static void explain_ww(const struct append_check *c, uint32_t a, uint32_t append,
                       struct check_step *step)
{
	const uint32_t before = append_before(c, append);

	if (before == LIST_NONE || c->x.row[before] != a)
		return;
	step->key = c->h->mop_key[append];
	step->value = c->h->mop_val[before];
	step->value2 = c->h->mop_val[append];
}

static void explain_wr(const struct append_check *c, uint32_t a, uint32_t read,
                       struct check_step *step)
{
	const uint32_t last = list_last(&c->x, read);

	if (last == LIST_NONE || c->x.row[last] != a)
		return;
	step->key = c->h->mop_key[read];
	step->value = c->h->mop_val[last];
}

static void explain_rw(const struct append_check *c, uint32_t read, uint32_t b,
                       struct check_step *step)
{
	const struct history *h = c->h;
	const struct list_index *x = &c->x;
	const uint32_t key = h->mop_key[read], version = x->pos[read];
	uint32_t len;
	const int64_t *at = list_read(x, read, &len);

	if (version == LIST_NONE)
		return;
	for (uint32_t m = h->mop_first[b]; m < h->mop_first[b] + h->mop_len[b]; m++) {
		if (h->mop_f[m] != HF_APPEND || h->mop_key[m] != key)
			continue;
		if (list_after(x, key, version) != m &&
		    (version != x->order[key].len || x->pos[m] != LIST_NONE))
			continue;
		step->key = key;
		step->value = len == 0 ? VALUE_NIL : at[len - 1];
		step->value2 = h->mop_val[m];
		return;
	}
}

static void explain(const void *arg, uint32_t a, uint32_t b, enum graph_class cls,
                    struct check_step *step)
{
	const struct append_check *c = arg;
	const struct history *h = c->h;
	const uint32_t row = cls == GRAPH_RW ? a : b;
	const uint32_t end = h->mop_first[row] + h->mop_len[row];

	for (uint32_t m = h->mop_first[row]; m < end && step->key == HISTORY_NONE; m++) {
		if (cls == GRAPH_WW && h->mop_f[m] == HF_APPEND)
			explain_ww(c, a, m, step);
		else if (cls == GRAPH_WR && h->mop_f[m] == HF_READ)
			explain_wr(c, a, m, step);
		else if (cls == GRAPH_RW && h->mop_f[m] == HF_READ)
			explain_rw(c, m, b, step);
	}
	POST(step->key != HISTORY_NONE);
}

/* Where each key's fan begins; how many nodes they have. */
static uint64_t fans_make(struct append_check *c)
{
	uint64_t nodes = 0;

	for (uint32_t k = 0; k < c->h->keys_len; k++) {
		c->x.order[k].fan = (uint32_t)nodes;
		if (has_fan(c, k))
			nodes += graph_fan_nodes(unread_len(c, k));
	}
	return nodes;
}

static enum pawl_status cycles(struct append_check *c, const struct check_options *o,
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
	if (c->last == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
	st = pawl__graph_make(&g, c->h->ops_len, barriers + fans_make(c), emit, c);
	free(c->last);
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

static enum pawl_status run(struct append_check *c, const struct check_options *o, struct found *f,
                            struct pawl_error *err)
{
	const struct list_index *x = &c->x;
	enum pawl_status st = pawl__list_init(&c->x, c->h, err);

	if (st != PAWL_OK)
		return st;
	if (x->twice_a != LIST_NONE) {
		pawl__found_say(f,
		                "%V%K was appended by %T and by %T: every append to a key must "
		                "have an element of its own",
		                c->h->mop_val[x->twice_a], c->h->mop_key[x->twice_a],
		                x->row[x->twice_a], x->row[x->twice_b]);
		pawl__found_unknown(f);
		return PAWL_OK;
	}
	st = pawl__list_scan(x, f, err);
	return st == PAWL_OK ? cycles(c, o, f, err) : st;
}

enum pawl_status pawl__check_list_append(const struct history *h, const struct check_options *o,
                                         struct check_result *ret, struct pawl_error *err)
{
	struct append_check c = { .h = h, .extra = pawl__found_extra_of(h, o->level) };
	struct found f;
	enum pawl_status st;

	pawl__found_init(&f, h, ret);
	st = run(&c, o, &f, err);
	if (st == PAWL_OK)
		st = pawl__found_finish(&f, o->level, c.extra, err);
	pawl__list_deinit(&c.x);
	pawl__found_deinit(&f);
	return st;
}
