/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "race/page/page.h"
#include "race/scenario/report.h"

#define PLOT_W    480
#define PLOT_H    180
#define PLOT_LEFT 70
#define PLOT_LOW  26 /* under the axis */
#define BARS_MAX  100

static void put_verdict(struct buf *out, enum verdict v)
{
	pawl__page_verdict(out, pawl__verdict_name(v));
}

static void html_head(const struct race_report *r, struct buf *out)
{
	pawl__page_head(out, r->s->name, pawl__verdict_name(r->verdict), r->s->description);
	pawl__put(out, "<p class=\"soft\">%u rounds of %u clients, ", r->rounds_run, r->s->clients);
	pawl__put_sync(out, r->s);
	buf_lit(out, ", against ");
	pawl__page_esc(out, pawl__str_of(r->target));
	buf_lit(out, "</p>\n");
	pawl__page_main(out);
}

static void html_expects(const struct race_report *r, struct buf *out)
{
	static const char *const columns[] = { "Verdict", "Expectation", "Violated in", NULL };

	pawl__page_section(out, "expect", "What was expected");
	if (r->error.len > 0) {
		buf_lit(out, "<p role=\"alert\"><span class=\"verdict error\">error</span> ");
		pawl__page_esc(out, r->error);
		buf_lit(out, "</p>\n");
	}
	pawl__page_table(out, "Expectations", columns);
	for (uint32_t i = 0; i < r->s->expects_len; i++) {
		const struct expect_report *e = &r->expects[i];

		buf_lit(out, "<tr><td>");
		put_verdict(out, e->verdict);
		buf_lit(out, "</td><td><code>");
		pawl__page_esc(out, r->s->expects[i].label);
		buf_lit(out, "</code>");
		if (e->detail.len > 0) {
			buf_lit(out, "<br>");
			pawl__page_esc(out, e->detail);
			pawl__put(out, " <span class=\"soft\">(round %u)</span>", e->round);
		}
		buf_lit(out, "</td><td>");
		{
			char mem[160];
			struct buf rate;

			pawl__buf_init_fixed(&rate, mem, sizeof(mem));
			pawl__put_rate(&rate, r, e);
			pawl__page_esc(out, buf_get(&rate));
		}
		buf_lit(out, "</td></tr>\n");
	}
	pawl__page_table_end(out);
	buf_lit(out, "</section>\n");
}

static void html_operations(const struct race_report *r, struct buf *out)
{
	static const char *const columns[] = { "Client", "Request", "Answer", "Body", NULL };

	pawl__page_table(out, "Operations", columns);
	for (uint32_t i = 0; i < r->lanes_len; i++) {
		pawl__put(out, "<tr><td>%u</td><td><code>", r->lanes[i].client);
		pawl__page_esc(out, r->lanes[i].request);
		buf_lit(out, "</code></td><td>");
		pawl__page_esc(out, r->lanes[i].outcome);
		buf_lit(out, "</td><td><code>");
		pawl__page_esc(out, r->lanes[i].body);
		buf_lit(out, "</code></td></tr>\n");
	}
	pawl__page_table_end(out);
}

static void html_lanes(const struct race_report *r, struct buf *out)
{
	struct page_bar bars[RUN_LANES_MAX];

	if (r->lanes_len == 0)
		return;
	for (uint32_t i = 0; i < r->lanes_len; i++) {
		const struct lane *l = &r->lanes[i];

		bars[i] = (struct page_bar){ "client", l->client,  l->from_us,
			                     l->to_us, l->outcome, l->request };
	}
	pawl__page_section(out, "broke", "How it broke");
	pawl__put(out, "<p>Round %u, %u of its %u requests: <code>", r->lanes_round, r->lanes_len,
	          r->lanes_of);
	pawl__page_esc(out, r->s->expects[r->lanes_expect].label);
	buf_lit(out,
	        "</code></p>\n<figure><figcaption>From the last byte sent to the last byte of the "
	        "answer. Bars that stand over each other were under way together."
	        "</figcaption>\n");
	pawl__page_bars(out, bars, r->lanes_len);
	buf_lit(out, "</figure>\n");
	html_operations(r, out);
	buf_lit(out, "</section>\n");
}

static void html_answers(const struct race_report *r, struct buf *out)
{
	static const char *const columns[] = { "Answer", "Requests", NULL };
	uint32_t order[RUN_STATUSES_MAX];

	pawl__page_section(out, "answers", "Answers");
	pawl__page_table(out, "Answers", columns);
	pawl__statuses_sort(r, order);
	for (uint32_t i = 0; i < r->statuses_len; i++) {
		const struct status_count *c = &r->statuses[order[i]];

		buf_lit(out, "<tr><th scope=\"row\">");
		pawl__put_status(out, c);
		pawl__put(out, "</th><td>%llu</td></tr>\n", (unsigned long long)c->n);
	}
	pawl__page_table_end(out);
	buf_lit(out, "</section>\n");
}

static void plot_open(struct buf *out, const char *title, uint64_t max_us)
{
	pawl__put(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" tabindex=\"0\" aria-label=\"%s\">",
	          PLOT_W, PLOT_H + PLOT_LOW, title);
	pawl__put(out, "<line class=\"axis\" x1=\"%d\" y1=\"0\" x2=\"%d\" y2=\"%d\"/>", PLOT_LEFT,
	          PLOT_LEFT, PLOT_H);
	pawl__put(out, "<line class=\"axis\" x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\"/>", PLOT_LEFT,
	          PLOT_H, PLOT_W, PLOT_H);
	pawl__put(out, "<text x=\"%d\" y=\"12\" text-anchor=\"end\">", PLOT_LEFT - 6);
	pawl__put_us(out, max_us);
	pawl__put(out, "</text><text x=\"%d\" y=\"%d\" text-anchor=\"end\">0</text>\n",
	          PLOT_LEFT - 6, PLOT_H);
}

static int plot_y(uint64_t v, uint64_t max)
{
	return PLOT_H - (int)((double)v * (PLOT_H - 8) / (double)max);
}

static void curve(struct buf *out, const struct hist *h, uint64_t max_us, const char *class)
{
	pawl__put(out, "<polyline class=\"%s\" points=\"", class);
	for (int i = 0; i <= 100; i++) {
		const double q = i == 0 ? 0.001 : i / 100.0;

		pawl__put(out, "%d,%d ", PLOT_LEFT + i * (PLOT_W - PLOT_LEFT) / 100,
		          plot_y(pawl__hist_quantile(h, q), max_us));
	}
	buf_lit(out, "\"/>\n");
}

static void html_latency(const struct race_report *r, struct buf *out)
{
	uint64_t max_us =
		r->actual_us.max > r->intended_us.max ? r->actual_us.max : r->intended_us.max;

	max_us = max_us == 0 ? 1 : max_us;
	buf_lit(out, "<figure><figcaption>Latency by percentile<br><span class=\"one\">released: ");
	pawl__put_quantiles(out, &r->actual_us);
	buf_lit(out, "</span><br><span class=\"two\">intended: ");
	pawl__put_quantiles(out, &r->intended_us);
	buf_lit(out, "</span></figcaption>\n");
	plot_open(out, "Latency by percentile; the numbers stand above", max_us);
	curve(out, &r->actual_us, max_us, "curve-one");
	curve(out, &r->intended_us, max_us, "curve-two");
	pawl__put(out, "<text x=\"%d\" y=\"%d\">0 %%</text>", PLOT_LEFT, PLOT_H + 18);
	pawl__put(out,
	          "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">100 %% of the answers</text>"
	          "</svg></figure>\n",
	          PLOT_W, PLOT_H + 18);
}

static void html_skew(const struct race_report *r, struct buf *out)
{
	const uint32_t bars = r->series_len < BARS_MAX ? r->series_len : BARS_MAX;
	const uint64_t max_us = r->skew_us.max == 0 ? 1 : r->skew_us.max;

	if (bars == 0 || r->s->sync == SYNC_RATE)
		return;
	buf_lit(out,
	        "<figure><figcaption>Arrival skew by round: from the first request released to "
	        "the last<br>");
	pawl__put_quantiles(out, &r->skew_us);
	buf_lit(out, "</figcaption>\n");
	plot_open(out, "Arrival skew by round; the numbers stand above", max_us);
	for (uint32_t i = 0; i < bars; i++) {
		const uint32_t from = (uint32_t)((uint64_t)i * r->series_len / bars);
		const uint32_t to = (uint32_t)((uint64_t)(i + 1) * r->series_len / bars);
		const int x = PLOT_LEFT + (int)(i * (PLOT_W - PLOT_LEFT) / bars);
		const int w = (int)((PLOT_W - PLOT_LEFT) / bars);
		uint64_t v = 0;

		for (uint32_t k = from; k < to; k++)
			v = r->series[k] > v ? r->series[k] : v;
		pawl__put(out, "<rect class=\"bar\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>",
		          x, plot_y(v, max_us), w > 2 ? w - 1 : w, PLOT_H - plot_y(v, max_us));
	}
	pawl__put(out, "<text x=\"%d\" y=\"%d\">round 1</text>", PLOT_LEFT, PLOT_H + 18);
	pawl__put(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%u</text></svg></figure>\n",
	          PLOT_W, PLOT_H + 18, r->series_len);
}

static void html_environment(const struct race_report *r, struct buf *out)
{
	char mem[512];
	struct buf b;

	pawl__page_section(out, "where", "Where and how");
	buf_lit(out, "<dl>\n");
	pawl__page_row(out, "Target", pawl__str_of(r->target));
	pawl__buf_init_fixed(&b, mem, sizeof(mem));
	pawl__put_overlap(&b, r);
	pawl__page_row(out, "Overlap", buf_get(&b));
	pawl__buf_reset(&b);
	pawl__put(&b, "%llu", (unsigned long long)r->seed);
	pawl__page_row(out, "Seed", buf_get(&b));
	pawl__buf_reset(&b);
	pawl__clock_format(&b, r->started_us);
	buf_lit(&b, ", for ");
	pawl__put_us(&b, (uint64_t)r->elapsed_us);
	pawl__page_row(out, "Started", buf_get(&b));
	pawl__page_row(out, "From", r->system);
	if (r->carried > 0) {
		pawl__buf_reset(&b);
		pawl__put(&b, "%u rounds on what earlier ones left", r->carried);
		pawl__page_row(out, "Carried", buf_get(&b));
	}
	for (uint32_t i = 0; i < r->notes_len; i++)
		pawl__page_row(out, "Note", r->notes[i]);
	buf_lit(out, "</dl></section>\n");
	pawl__page_end(out, r->command);
}

void pawl__race_html(const struct race_report *r, struct buf *out)
{
	html_head(r, out);
	html_expects(r, out);
	html_lanes(r, out);
	if (r->requests > 0) {
		html_answers(r, out);
		pawl__page_section(out, "times", "Times");
		buf_lit(out, "<div class=\"plots\">\n");
		html_latency(r, out);
		html_skew(r, out);
		buf_lit(out, "</div></section>\n");
	}
	html_environment(r, out);
}
