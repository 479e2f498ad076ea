/* SPDX-License-Identifier: Apache-2.0 */
#include "race/check/explain.h"

const char *pawl__explain_verdict(enum check_verdict v)
{
	return v == VERDICT_VALID ? "valid" : v == VERDICT_INVALID ? "invalid" : "unknown";
}

const char *pawl__explain_edge(enum check_edge e)
{
	static const char *const names[] = {
		[EDGE_NONE] = "",           [EDGE_WW] = "ww",
		[EDGE_WR] = "wr",           [EDGE_RW] = "rw",
		[EDGE_PROCESS] = "process", [EDGE_REALTIME] = "realtime",
		[EDGE_SESSION] = "session", [EDGE_VISIBLE] = "visible",
	};

	return names[e];
}

static void put(struct buf *to, const char *s)
{
	buf_str(to, pawl__str_of(s));
}

static void put_row(struct buf *to, uint32_t op)
{
	pawl__buf_putc(to, 'T');
	pawl__buf_u64(to, op);
}

/* " of key :x" */
static void put_key(const struct history *h, const char *of, uint32_t key, struct buf *to)
{
	if (key == HISTORY_NONE || value_is_nil(h->key[key]))
		return;
	put(to, of);
	put(to, "key ");
	pawl__history_value(h, h->key[key], to);
}

/* "append" or "write": what op does to keys. */
static bool appends(const struct history *h, uint32_t op)
{
	for (uint32_t m = h->mop_first[op]; m < h->mop_first[op] + h->mop_len[op]; m++) {
		if (h->mop_f[m] == HF_APPEND)
			return true;
	}
	return false;
}

static void put_wrote(const struct history *h, uint32_t op, int64_t v, struct buf *to)
{
	put_row(to, op);
	put(to, appends(h, op) ? " appended " : " wrote ");
	pawl__history_value(h, v, to);
}

static void put_process(const struct history *h, uint32_t op, struct buf *to)
{
	const int64_t name = h->process_name[h->process[op]];

	if (value_is_nil(name))
		put(to, "its process");
	else
		put(to, "process ");
	if (!value_is_nil(name))
		pawl__history_value(h, name, to);
}

static void put_rw(const struct history *h, const struct check_step *s, uint32_t next,
                   struct buf *to)
{
	put_row(to, s->op);
	if (value_is_nil(s->value)) {
		put(to, " read the initial state");
		put_key(h, " of ", s->key, to);
	} else {
		put(to, appends(h, next) ? " read up to " : " read ");
		pawl__history_value(h, s->value, to);
		put_key(h, " of ", s->key, to);
	}
	put(to, ", and so did not see that ");
	put_wrote(h, next, s->value2, to);
	if (!value_is_nil(s->value))
		put(to, appends(h, next) ? " behind it" : " over it");
}

static void put_visible(const struct history *h, const struct check_step *s, uint32_t next,
                        struct buf *to)
{
	if (s->by != HISTORY_NONE) {
		put_row(to, s->by);
		put(to, " read ");
		pawl__history_value(h, s->value, to);
		put_key(h, " of ", s->key, to);
		put(to, " from ");
		put_row(to, next);
		put(to, " although ");
		put_row(to, s->op);
		put(to, ", which wrote the key too, was visible to it: ");
	}
	put_row(to, s->op);
	put(to, " must come first");
}

void pawl__explain_step(const struct history *h, const struct check_witness *w, uint32_t i,
                        struct buf *to)
{
	const struct check_step *s = &w->steps[i];
	const uint32_t next = w->steps[(i + 1) % w->steps_len].op;

	switch (s->edge) {
	case EDGE_WW:
		put_wrote(h, s->op, s->value, to);
		put_key(h, " to ", s->key, to);
		put(to, ", and ");
		put_wrote(h, next, s->value2, to);
		put(to, appends(h, next) ? " right behind it" : " over it");
		break;
	case EDGE_WR:
		put_row(to, next);
		put(to, " read ");
		pawl__history_value(h, s->value, to);
		put_key(h, " of ", s->key, to);
		put(to, ", which ");
		put_row(to, s->op);
		put(to, appends(h, s->op) ? " appended" : " wrote");
		break;
	case EDGE_RW:
		put_rw(h, s, next, to);
		break;
	case EDGE_PROCESS:
	case EDGE_SESSION:
		put_process(h, s->op, to);
		put(to, " ran ");
		put_row(to, s->op);
		put(to, " and then ");
		put_row(to, next);
		break;
	case EDGE_REALTIME:
		put_row(to, s->op);
		put(to, " had completed (line ");
		pawl__buf_u64(to, h->line[s->op]);
		put(to, ") before ");
		put_row(to, next);
		put(to, " began");
		break;
	case EDGE_VISIBLE:
		put_visible(h, s, next, to);
		break;
	case EDGE_NONE:
		break;
	}
}

static bool seen_before(const struct check_witness *w, uint32_t i)
{
	for (uint32_t j = 0; j < i; j++) {
		if (w->steps[j].op == w->steps[i].op)
			return true;
	}
	return false;
}

/* Rows that only justify a step are named too. */
static void put_rows(const struct history *h, const struct check_witness *w, struct buf *to)
{
	for (uint32_t i = 0; i < w->steps_len; i++) {
		if (seen_before(w, i))
			continue;
		put(to, "  ");
		put_row(to, w->steps[i].op);
		put(to, " = ");
		pawl__history_op(h, w->steps[i].op, to);
		pawl__buf_putc(to, '\n');
	}
	for (uint32_t i = 0; i < w->steps_len; i++) {
		const uint32_t by = w->steps[i].by;
		bool named = !w->cycle || by == HISTORY_NONE || w->steps[i].edge != EDGE_VISIBLE;

		for (uint32_t j = 0; j < w->steps_len && !named; j++)
			named = w->steps[j].op == by || (j < i && w->steps[j].by == by);
		if (named)
			continue;
		put(to, "  ");
		put_row(to, by);
		put(to, " = ");
		pawl__history_op(h, by, to);
		pawl__buf_putc(to, '\n');
	}
}

static void put_chain(const struct history *h, const struct check_witness *w, struct buf *to)
{
	for (uint32_t i = 0; i < w->steps_len; i++) {
		const bool last = i + 1 == w->steps_len;

		put(to, "  - ");
		if (last)
			put(to, "However, ");
		put_row(to, w->steps[i].op);
		put(to, " < ");
		put_row(to, w->steps[(i + 1) % w->steps_len].op);
		put(to, ", because ");
		pawl__explain_step(h, w, i, to);
		put(to, last ? ": a contradiction!\n" : ".\n");
	}
}

void pawl__explain_witness(const struct history *h, const struct check_witness *w, struct buf *to)
{
	put(to, w->cycle ? "Let:\n" : "In:\n");
	put_rows(h, w, to);
	if (w->cycle) {
		put(to, "Then:\n");
		put_chain(h, w, to);
	}
	if (w->text != NULL) {
		put(to, "  ");
		put(to, w->text);
		pawl__buf_putc(to, '\n');
	}
}

void pawl__explain_levels(uint64_t set, struct buf *to)
{
	bool first = true;

	for (unsigned l = 0; l < LEVEL_LEN; l++) {
		if ((set & LEVEL_BIT(l)) == 0)
			continue;
		if (!first)
			put(to, ", ");
		put(to, pawl__level_name((enum level)l));
		first = false;
	}
	if (first)
		put(to, "none");
}

static void put_levels(const char *what, uint64_t set, struct buf *to)
{
	put(to, what);
	pawl__explain_levels(set, to);
	pawl__buf_putc(to, '\n');
}

static void put_summary(const struct check_options *o, const struct check_result *r, struct buf *to)
{
	for (uint32_t i = 0; i < r->anomalies_len; i++) {
		put(to, i == 0 ? "anomalies  " : ", ");
		put(to, r->anomalies[i].name);
		pawl__buf_putc(to, ' ');
		pawl__buf_u64(to, r->anomalies[i].count);
		if (r->anomalies[i].permitted)
			put(to, " (permitted)");
	}
	if (r->anomalies_len > 0)
		pawl__buf_putc(to, '\n');
	if (!pawl__check_model_levels(o->model))
		return;
	if (r->not != 0)
		put_levels("not        ", r->not, to);
	if (r->also_not != 0)
		put_levels("also not   ", r->also_not, to);
	if (r->strongest != 0)
		put_levels("strongest  ", r->strongest, to);
}

static void put_anomaly(const struct history *h, const struct check_anomaly *a, struct buf *to)
{
	for (uint32_t i = 0; i < a->witnesses_len; i++) {
		pawl__buf_putc(to, '\n');
		put(to, a->name);
		if (a->count > 1) {
			put(to, ", ");
			pawl__buf_u64(to, i + 1);
			put(to, " of ");
			pawl__buf_u64(to, a->count);
		}
		pawl__buf_putc(to, '\n');
		pawl__explain_witness(h, &a->witnesses[i], to);
	}
}

void pawl__explain_result(const struct history *h, const struct check_options *o,
                          const struct check_result *r, struct buf *to)
{
	put(to, pawl__explain_verdict(r->verdict));
	put(to, r->verdict == VERDICT_VALID ? "      " : "    ");
	put(to, pawl__check_model_name(o->model));
	if (pawl__check_model_levels(o->model)) {
		put(to, ", ");
		put(to, pawl__level_name(o->level));
	}
	put(to, ", ");
	pawl__buf_u64(to, h->ops_len);
	put(to, h->ops_len == 1 ? " operation\n" : " operations\n");
	if (r->unknown != NULL) {
		put(to, "because    ");
		put(to, r->unknown);
		pawl__buf_putc(to, '\n');
	}
	put_summary(o, r, to);
	for (uint32_t i = 0; i < r->notes_len; i++) {
		put(to, "note       ");
		put(to, r->notes[i]);
		pawl__buf_putc(to, '\n');
	}
	for (uint32_t i = 0; i < r->anomalies_len; i++)
		put_anomaly(h, &r->anomalies[i], to);
}
