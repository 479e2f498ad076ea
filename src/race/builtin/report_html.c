/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/clock.h"
#include "race/builtin/builtin.h"
#include "race/page/page.h"

#define STEP_H   26
#define STEPS_W  900
#define GUTTER   40 /* the statement's number */
#define STEP_TOP 26 /* the sessions' names */
#define CHAR_W   7  /* of the drawing's letters, at most */

static void esc(struct buf *out, const char *text)
{
	pawl__page_esc(out, pawl__str_of(text));
}

static void head(const struct builtin_report *r, struct buf *out)
{
	pawl__page_head(out, pawl__str_of(r->incident), pawl__builtin_verdict_name(r->verdict),
	                pawl__str_of(r->summary));
	buf_lit(out, "<p>Must hold: ");
	esc(out, r->promise);
	buf_lit(out, "</p>\n<p class=\"soft\">");
	if (r->explore)
		pawl__put(out, "%u sessions, every order of their statements", r->clients);
	else
		pawl__put(out, "%u clients, %u rounds, %lld us of thinking", r->clients, r->rounds,
		          (long long)r->think_us);
	buf_lit(out, ", on ");
	esc(out, r->server);
	buf_lit(out, "</p>\n");
	pawl__page_main(out);
}

static void cell_u64(struct buf *out, uint64_t v)
{
	pawl__put(out, "<td class=\"n\">%llu</td>", (unsigned long long)v);
}

static void cell_ms(struct buf *out, const struct hist *h, double q)
{
	pawl__put(out, "<td class=\"n\">%.1f</td>", (double)pawl__hist_quantile(h, q) / 1000);
}

static void numbers(const struct builtin_row *row, bool explore, struct buf *out)
{
	if (row->verdict == BUILTIN_LEFT_OUT) {
		for (int i = 0; i < (explore ? 4 : 6); i++)
			buf_lit(out, "<td class=\"n\">-</td>");
		return;
	}
	if (explore) {
		cell_u64(out, row->explored.schedules);
		cell_u64(out, row->explored.violations);
	} else {
		pawl__put(out, "<td class=\"n\">%.0f</td>", row->per_second);
		cell_ms(out, &row->latency_us, 0.5);
		cell_ms(out, &row->latency_us, 0.99);
	}
	cell_u64(out, row->retries);
	cell_u64(out, row->deadlocks);
	if (!explore)
		cell_u64(out, row->gave_up);
}

static void strategies(const struct builtin_report *r, struct buf *out)
{
	char rate[64] = "#";
	const char *const raced[] = { "Strategy", "Verdict",  "What broke", rate,      "#p50 ms",
		                      "#p99 ms",  "#Retries", "#Deadlocks", "#Failed", NULL };
	static const char *const explored[] = { "Strategy", "Verdict",  "Result",     "#Orders",
		                                "#Broken",  "#Retries", "#Deadlocks", NULL };
	struct buf b;

	pawl__buf_init_fixed(&b, rate, sizeof(rate) - 1);
	pawl__put(&b, "#%s/s", r->unit);
	pawl__page_section(out, "strategies", "Strategies");
	pawl__page_table(out, "Strategies", r->explore ? explored : raced);
	for (uint32_t i = 0; i < r->rows_len; i++) {
		const struct builtin_row *row = &r->rows[i];

		pawl__put(out, "<tr><th scope=\"row\">%s</th><td>", row->strategy);
		pawl__page_verdict(out, pawl__builtin_verdict_name(row->verdict));
		buf_lit(out, "</td><td>");
		esc(out, row->text);
		buf_lit(out, "</td>");
		numbers(row, r->explore, out);
		buf_lit(out, "</tr>\n");
	}
	pawl__page_table_end(out);
	buf_lit(out, "</section>\n");
	pawl__page_section(out, "why", "Why");
	buf_lit(out, "<dl>\n");
	for (uint32_t i = 0; i < r->rows_len; i++) {
		const struct builtin_row *row = &r->rows[i];

		pawl__put(out, "<dt>%s%s</dt><dd>", row->strategy,
		          row->wrong ? " (known to break)" : "");
		esc(out, row->why);
		buf_lit(out, "</dd>\n");
	}
	buf_lit(out, "</dl></section>\n");
}

/* ---- How it broke ---- */

/* What fits into the lane, and dots; never half a character. */
static void put_cut(struct buf *out, const char *text, size_t max)
{
	size_t n = strlen(text);

	if (n <= max) {
		esc(out, text);
		return;
	}
	for (n = max - 3; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80;)
		n--;
	pawl__page_esc(out, (struct str){ text, n });
	buf_lit(out, "...");
}

static void step_draw(const struct builtin_exploration *x, uint32_t i, struct buf *out)
{
	const struct builtin_lane_step *s = &x->lane[i];
	const int width = (STEPS_W - GUTTER) / (int)x->sessions;
	const int left = GUTTER + (int)s->session * width, top = STEP_TOP + (int)i * STEP_H;

	pawl__put(out, "<g tabindex=\"0\" role=\"img\" aria-label=\"%u, session %u: ", i + 1,
	          s->session + 1);
	esc(out, s->text);
	if (s->waits)
		pawl__put(out, ", waited until %u", s->answered + 1);
	pawl__put(out, "\"><text x=\"0\" y=\"%d\">%u</text>", top + 14, i + 1);
	pawl__put(out,
	          "<rect class=\"lane %s\" x=\"%d\" y=\"%d\" width=\"8\" height=\"%d\" rx=\"3\"/>",
	          s->waits ? "wait" : "bad", left, top,
	          (int)(s->answered - i) * STEP_H + STEP_H - 6);
	pawl__put(out, "<text class=\"code\" x=\"%d\" y=\"%d\">", left + 14, top + 14);
	put_cut(out, s->text, (size_t)(width - 20) / CHAR_W);
	buf_lit(out, "</text></g>\n");
}

static void schedule_draw(const struct builtin_exploration *x, struct buf *out)
{
	static const char *const columns[] = { "#Order", "Session", "Statement and answer",
		                               "Waited until", NULL };
	const int width = (STEPS_W - GUTTER) / (int)x->sessions;

	buf_lit(out,
	        "<figure><figcaption>Downwards in the order in which the statements were sent. "
	        "A long bar waited for a lock.</figcaption>\n");
	pawl__put(out, "<svg viewBox=\"0 0 %d %d\" role=\"group\" aria-label=\"Interleaving\">\n",
	          STEPS_W, STEP_TOP + (int)x->lane_len * STEP_H);
	for (uint32_t i = 0; i < x->sessions; i++)
		pawl__put(out, "<text x=\"%d\" y=\"14\">session %u</text>", GUTTER + (int)i * width,
		          i + 1);
	for (uint32_t i = 0; i < x->lane_len; i++)
		step_draw(x, i, out);
	buf_lit(out, "</svg></figure>\n");
	pawl__page_table(out, "Statements", columns);
	for (uint32_t i = 0; i < x->lane_len; i++) {
		const struct builtin_lane_step *s = &x->lane[i];

		pawl__put(out, "<tr><td class=\"n\">%u</td><td>%u</td><td><code>", i + 1,
		          s->session + 1);
		esc(out, s->text);
		buf_lit(out, "</code></td><td>");
		if (s->waits)
			pawl__put(out, "%u", s->answered + 1);
		buf_lit(out, "</td></tr>\n");
	}
	pawl__page_table_end(out);
}

static void round_draw(const struct builtin_row *row, struct buf *out)
{
	struct page_bar bars[BUILTIN_BARS_MAX];

	for (uint32_t i = 0; i < row->bars_len; i++) {
		const struct builtin_bar *b = &row->bars[i];

		bars[i] = (struct page_bar){ .who = "program",
			                     .number = b->program,
			                     .from_us = b->from_us,
			                     .to_us = b->to_us,
			                     .outcome = pawl__str_of(b->outcome) };
	}
	pawl__put(out,
	          "<figure><figcaption>The first %u of its %u programs, each from its first "
	          "statement to its end. Bars that stand over each other were under way "
	          "together.</figcaption>\n",
	          row->bars_len, row->bars_of);
	pawl__page_bars(out, bars, row->bars_len);
	buf_lit(out, "</figure>\n");
}

/* Each strategy that broke; the first is open. */
static void broken(const struct builtin_report *r, struct buf *out)
{
	uint32_t shown = 0;

	for (uint32_t i = 0; i < r->rows_len; i++) {
		const struct builtin_row *row = &r->rows[i];
		const struct builtin_exploration *x = &row->explored;

		if (row->bars_len == 0 && x->lane_len == 0)
			continue;
		if (shown++ == 0)
			pawl__page_section(out, "broke", "How it broke");
		pawl__put(out, "<details%s><summary>%s, ", shown == 1 ? " open" : "",
		          row->strategy);
		if (x->lane_len > 0)
			pawl__put(out, "order %llu", (unsigned long long)x->first);
		else
			pawl__put(out, "round %u: ", row->bars_round);
		if (x->lane_len == 0)
			esc(out, row->bars_damage);
		buf_lit(out, "</summary>\n");
		if (x->lane_len > 0)
			schedule_draw(x, out);
		else
			round_draw(row, out);
		buf_lit(out, "</details>\n");
	}
	if (shown > 0)
		buf_lit(out, "</section>\n");
}

/* ---- Where ---- */

static void together(const struct builtin_report *r, struct buf *out)
{
	static const char *const columns[] = { "Strategy",
		                               "#Rounds together",
		                               "#Of",
		                               "#At one time, at least",
		                               "#First statement within",
		                               NULL };

	if (r->explore)
		return;
	pawl__page_section(out, "together", "Were they together?");
	pawl__page_table(out, "Overlap", columns);
	for (uint32_t i = 0; i < r->rows_len; i++) {
		const struct builtin_row *row = &r->rows[i];

		if (row->verdict == BUILTIN_LEFT_OUT || row->rounds == 0)
			continue;
		pawl__put(out, "<tr><th scope=\"row\">%s</th>", row->strategy);
		cell_u64(out, row->rounds_overlapped);
		cell_u64(out, row->rounds);
		cell_u64(out, row->peak);
		buf_lit(out, "<td class=\"n\">");
		pawl__put_us(out, pawl__hist_quantile(&row->arrival_us, 1));
		buf_lit(out, "</td></tr>\n");
	}
	pawl__page_table_end(out);
	buf_lit(out, "</section>\n");
}

static void where(const struct builtin_report *r, struct buf *out)
{
	char mem[128];
	struct buf b;

	pawl__page_section(out, "where", "Where and how");
	buf_lit(out, "<dl>\n");
	pawl__page_row(out, "Store", pawl__str_of(r->server));
	pawl__buf_init_fixed(&b, mem, sizeof(mem));
	pawl__buf_u64(&b, r->seed);
	pawl__page_row(out, "Seed", buf_get(&b));
	pawl__buf_reset(&b);
	pawl__clock_format(&b, r->started_us);
	buf_lit(&b, ", for ");
	pawl__put_us(&b, (uint64_t)r->elapsed_us);
	pawl__page_row(out, "Started", buf_get(&b));
	pawl__page_row(out, "From", pawl__str_of(r->system));
	for (uint32_t i = 0; i < r->notes_len; i++)
		pawl__page_row(out, "Note", pawl__str_of(r->notes[i]));
	if (r->rows_len > 1)
		pawl__page_row(out, "Verdict",
		               STR("of the strategies that ought to hold; those known to break do "
		                   "not count against it"));
	buf_lit(out, "</dl></section>\n");
}

void pawl__builtin_html(const struct builtin_report *r, struct buf *out)
{
	head(r, out);
	strategies(r, out);
	broken(r, out);
	together(r, out);
	where(r, out);
	pawl__page_end(out, pawl__str_of(r->command));
}
