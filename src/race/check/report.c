/* SPDX-License-Identifier: Apache-2.0 */
#include "race/check/report.h"

#include <stdlib.h>

#include "race/check/explain.h"

#define TEXT_MAX   ((size_t)4 << 20)
#define NODE_W     64u
#define NODE_GAP   116u
#define LANE_H     26u
#define TICK_W     26u
#define LANE_LABEL 150u

static void put(struct buf *to, const char *s)
{
	buf_str(to, pawl__str_of(s));
}

static void put_escaped(struct buf *to, struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		switch (s.ptr[i]) {
		case '<':
			put(to, "&lt;");
			break;
		case '>':
			put(to, "&gt;");
			break;
		case '&':
			put(to, "&amp;");
			break;
		case '"':
			put(to, "&quot;");
			break;
		default:
			if ((unsigned char)s.ptr[i] >= 0x20 || s.ptr[i] == '\n')
				pawl__buf_putc(to, s.ptr[i]);
			break;
		}
	}
}

static void put_row(struct buf *to, uint32_t op)
{
	pawl__buf_putc(to, 'T');
	pawl__buf_u64(to, op);
}

/* name="n" */
static void put_attr(struct buf *to, const char *name, uint64_t n)
{
	pawl__buf_putc(to, ' ');
	put(to, name);
	put(to, "=\"");
	pawl__buf_u64(to, n);
	pawl__buf_putc(to, '"');
}

void pawl__report_begin(struct buf *to)
{
	put(to,
	    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	    "<meta name=\"viewport\" content=\"width=device-width\">"
	    "<title>pawl check</title>\n<style>\n"
	    ":root{color-scheme:light dark;--fg:#1b1f24;--dim:#57606a;--bg:#fff;--box:#f6f8fa;"
	    "--line:#d0d7de;--bad:#b42318;--good:#1a7f37;--odd:#9a6700;--hue:#0969da}\n"
	    "@media(prefers-color-scheme:dark){:root{--fg:#e6edf3;--dim:#9198a1;--bg:#0d1117;"
	    "--box:#161b22;--line:#3d444d;--bad:#ff7b72;--good:#3fb950;--odd:#d29922;"
	    "--hue:#58a6ff}}\n"
	    "body{font:15px/1.5 system-ui,sans-serif;color:var(--fg);background:var(--bg);"
	    "max-width:70rem;margin:2rem auto;padding:0 1rem}\n"
	    "h1,h2,h3{line-height:1.2}h2{border-top:1px solid var(--line);padding-top:1rem}\n"
	    "pre{background:var(--box);border:1px solid var(--line);border-radius:6px;"
	    "padding:.7rem;overflow-x:auto;font:13px/1.45 ui-monospace,monospace}\n"
	    ".invalid{color:var(--bad)}.valid{color:var(--good)}"
	    ".unknown,.unreadable{color:var(--odd)}\n"
	    "figure{margin:1rem 0;overflow-x:auto}figcaption{color:var(--dim)}\n"
	    "svg text{fill:var(--fg);font:12px ui-monospace,monospace}\n"
	    "svg .dim{fill:var(--dim)}svg .node{fill:var(--box);stroke:var(--hue)}\n"
	    "svg .edge{stroke:var(--fg);fill:none}svg .back{stroke:var(--bad);fill:none}\n"
	    "svg .bar{fill:var(--hue)}svg .open{fill:none;stroke:var(--hue);stroke-dasharray:4 3}"
	    "svg .tip{fill:var(--fg)}\n"
	    "</style></head><body>\n<h1>pawl check</h1>\n"
	    "<svg width=\"0\" height=\"0\" style=\"position:absolute\" aria-hidden=\"true\">"
	    "<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" "
	    "markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\">"
	    "<path class=\"tip\" d=\"M0 0L8 4L0 8z\"/></marker></defs></svg>\n");
}

void pawl__report_end(struct buf *to)
{
	put(to, "</body></html>\n");
}

static void put_heading(const char *name, const char *verdict, struct buf *to)
{
	put(to, "<h2><span class=\"");
	put(to, verdict);
	put(to, "\">");
	put(to, verdict);
	put(to, "</span> ");
	put_escaped(to, pawl__str_of(name));
	put(to, "</h2>\n");
}

void pawl__report_unreadable(const char *name, const char *why, struct buf *to)
{
	put_heading(name, "unreadable", to);
	put(to, "<p>");
	put_escaped(to, pawl__str_of(why));
	put(to, "</p>\n");
}

/* The rows from left to right, an arrow from each to the next, and the one that closes the circle
 * below them. */
static void put_node(uint32_t op, uint32_t i, struct buf *to)
{
	put(to, "<rect class=\"node\" rx=\"6\" height=\"30\" y=\"25\"");
	put_attr(to, "x", 10 + i * (NODE_W + NODE_GAP));
	put_attr(to, "width", NODE_W);
	put(to, "/><text text-anchor=\"middle\" y=\"44\"");
	put_attr(to, "x", 10 + i * (NODE_W + NODE_GAP) + NODE_W / 2);
	put(to, ">");
	put_row(to, op);
	put(to, "</text>\n");
}

static void put_label(const struct history *h, const struct check_step *s, uint32_t x, uint32_t y,
                      struct buf *to)
{
	put(to, "<text text-anchor=\"middle\"");
	put_attr(to, "x", x);
	put_attr(to, "y", y);
	put(to, ">");
	put(to, pawl__explain_edge(s->edge));
	if (s->key != HISTORY_NONE && !value_is_nil(h->key[s->key])) {
		char mem[512];
		struct buf key;

		pawl__buf_init_fixed(&key, mem, sizeof(mem));
		pawl__history_value(h, h->key[s->key], &key);
		pawl__buf_putc(to, ' ');
		put_escaped(to, (struct str){ key.data, key.len > 12 ? 12 : key.len });
	}
	put(to, "</text>\n");
}

static void put_cycle(const struct history *h, const struct check_witness *w, struct buf *to)
{
	const uint32_t n = w->steps_len;
	const uint32_t last = 10 + (n - 1) * (NODE_W + NODE_GAP) + NODE_W / 2;

	put(to, "<figure><svg role=\"img\" aria-label=\"the cycle\" height=\"130\"");
	put_attr(to, "width", last + NODE_W);
	put(to, ">\n");
	for (uint32_t i = 0; i < n; i++) {
		const uint32_t x = 10 + i * (NODE_W + NODE_GAP) + NODE_W;

		put_node(w->steps[i].op, i, to);
		if (i + 1 == n)
			break;
		put(to, "<line class=\"edge\" marker-end=\"url(#tip)\" y1=\"40\" y2=\"40\"");
		put_attr(to, "x1", x);
		put_attr(to, "x2", x + NODE_GAP);
		put(to, "/>");
		put_label(h, &w->steps[i], x + NODE_GAP / 2, 33, to);
	}
	put(to, "<path class=\"back\" marker-end=\"url(#tip)\" d=\"M");
	pawl__buf_u64(to, last);
	put(to, " 55V95H");
	pawl__buf_u64(to, 10 + NODE_W / 2);
	put(to, "V55\"/>");
	put_label(h, &w->steps[n - 1], (last + 10 + NODE_W / 2) / 2, 112, to);
	put(to, "</svg><figcaption>each row must come before the next, and the last before the "
	        "first</figcaption></figure>\n");
}

static int by_number(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* When rows began and ended, with only these moments on the axis. */
struct lanes {
	uint32_t ops[REPORT_ROWS_MAX];
	uint32_t len;
	uint32_t ticks[2 * REPORT_ROWS_MAX];
	uint32_t ticks_len;
};

static void lanes_of(const struct history *h, const struct check_witness *w, struct lanes *l)
{
	uint32_t n = 0;

	*l = (struct lanes){ 0 };
	for (uint32_t i = 0; i < w->steps_len && l->len < REPORT_ROWS_MAX; i++)
		l->ops[l->len++] = w->steps[i].op;
	qsort(l->ops, l->len, sizeof(l->ops[0]), by_number);
	for (uint32_t i = 0; i < l->len; i++) {
		if (i == 0 || l->ops[i] != l->ops[i - 1])
			l->ops[n++] = l->ops[i];
	}
	l->len = n;
	for (uint32_t i = 0; i < l->len; i++) {
		l->ticks[l->ticks_len++] = h->inv[l->ops[i]];
		if (h->ret[l->ops[i]] != HISTORY_NEVER)
			l->ticks[l->ticks_len++] = h->ret[l->ops[i]];
	}
	qsort(l->ticks, l->ticks_len, sizeof(l->ticks[0]), by_number);
}

static uint32_t tick_x(const struct lanes *l, uint32_t event)
{
	uint32_t i = 0;

	while (i < l->ticks_len && l->ticks[i] < event)
		i++;
	return LANE_LABEL + i * TICK_W;
}

static void put_lane(const struct history *h, const struct lanes *l, uint32_t i, struct buf *to)
{
	const uint32_t op = l->ops[i];
	const bool open = h->ret[op] == HISTORY_NEVER;
	const uint32_t x = tick_x(l, h->inv[op]);
	const uint32_t end =
		open ? LANE_LABEL + (l->ticks_len + 1) * TICK_W : tick_x(l, h->ret[op]);
	const int64_t process = h->process_name[h->process[op]];

	put(to, "<text x=\"5\"");
	put_attr(to, "y", i * LANE_H + 18);
	put(to, ">");
	put_row(to, op);
	if (value_is_int(process)) {
		put(to, " process ");
		pawl__buf_i64(to, process);
	}
	put(to, open ? "</text><rect class=\"open\" rx=\"3\" height=\"14\""
	             : "</text><rect class=\"bar\" rx=\"3\" height=\"14\"");
	put_attr(to, "x", x);
	put_attr(to, "y", i * LANE_H + 6);
	put_attr(to, "width", end > x ? end - x : 6);
	put(to, "/>\n");
}

static void put_times(const struct history *h, const struct check_witness *w, struct buf *to)
{
	struct lanes l;

	lanes_of(h, w, &l);
	put(to, "<figure><svg role=\"img\" aria-label=\"when the rows ran\"");
	put_attr(to, "width", LANE_LABEL + (l.ticks_len + 2) * TICK_W);
	put_attr(to, "height", l.len * LANE_H + 6);
	put(to, ">\n");
	for (uint32_t i = 0; i < l.len; i++)
		put_lane(h, &l, i, to);
	put(to, "</svg><figcaption>when they ran, in the order of events; dashed: never known to "
	        "have ended</figcaption></figure>\n");
}

static void put_witness(const struct history *h, const struct check_witness *w, struct buf *to)
{
	struct buf text;

	if (w->cycle && w->steps_len > 1 && w->steps_len <= REPORT_ROWS_MAX)
		put_cycle(h, w, to);
	if (h->has_realtime && w->steps_len > 0)
		put_times(h, w, to);
	pawl__buf_init(&text, TEXT_MAX);
	pawl__explain_witness(h, w, &text);
	put(to, "<pre>");
	put_escaped(to, buf_get(&text));
	put(to, text.overflow ? "\n(cut)</pre>\n" : "</pre>\n");
	pawl__buf_deinit(&text);
}

static void put_levels(const char *what, uint64_t set, struct buf *to)
{
	if (set == 0)
		return;
	put(to, "<br>");
	put(to, what);
	put(to, ": ");
	pawl__explain_levels(set, to);
}

static void put_summary(const struct history *h, const struct check_options *o,
                        const struct check_result *r, struct buf *to)
{
	put(to, "<p>");
	put(to, pawl__check_model_name(o->model));
	if (pawl__check_model_levels(o->model)) {
		put(to, ", ");
		put(to, pawl__level_name(o->level));
	}
	put(to, ", operations: ");
	pawl__buf_u64(to, h->ops_len);
	if (pawl__check_model_levels(o->model)) {
		put_levels("not", r->not, to);
		put_levels("also not", r->also_not, to);
		put_levels("strongest that nothing found rules out", r->strongest, to);
	}
	put(to, "</p>\n");
	if (r->unknown != NULL) {
		put(to, "<p>unknown because ");
		put_escaped(to, pawl__str_of(r->unknown));
		put(to, "</p>\n");
	}
	for (uint32_t i = 0; i < r->notes_len; i++) {
		put(to, "<p>");
		put_escaped(to, pawl__str_of(r->notes[i]));
		put(to, "</p>\n");
	}
}

void pawl__report_history(const char *name, const struct history *h, const struct check_options *o,
                          const struct check_result *r, struct buf *to)
{
	put_heading(name, pawl__explain_verdict(r->verdict), to);
	put_summary(h, o, r, to);
	for (uint32_t i = 0; i < r->anomalies_len; i++) {
		const struct check_anomaly *a = &r->anomalies[i];

		put(to, "<h3>");
		put_escaped(to, pawl__str_of(a->name));
		put(to, " &times; ");
		pawl__buf_u64(to, a->count);
		put(to, a->permitted ? " (permitted)</h3>\n" : "</h3>\n");
		for (uint32_t k = 0; k < a->witnesses_len; k++)
			put_witness(h, &a->witnesses[k], to);
	}
}
