/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "race/scenario/assets.h"
#include "race/scenario/report.h"

#define PLOT_W    480
#define PLOT_H    180
#define PLOT_LEFT 70
#define PLOT_LOW  26 /* under the axis */
#define BARS_MAX  100
#define LANE_H    30
#define LANE_W    900
#define LANE_LEFT 90
#define LANE_END  220 /* for the outcome, behind the bars */

/* For element content and attribute values. */
static void esc(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		switch (s.ptr[i]) {
		case '&':
			buf_lit(out, "&amp;");
			break;
		case '<':
			buf_lit(out, "&lt;");
			break;
		case '>':
			buf_lit(out, "&gt;");
			break;
		case '"':
			buf_lit(out, "&quot;");
			break;
		case '\'':
			buf_lit(out, "&#39;");
			break;
		default:
			pawl__buf_putc(out, s.ptr[i]);
		}
	}
}

static void put_verdict(struct buf *out, enum verdict v)
{
	pawl__put(out, "<span class=\"verdict %s\">%s</span>", pawl__verdict_name(v),
	          pawl__verdict_name(v));
}

static void put_row(struct buf *out, const char *name, struct str value)
{
	pawl__put(out, "<dt>%s</dt><dd>", name);
	esc(out, value);
	buf_lit(out, "</dd>\n");
}

static void html_head(const struct race_report *r, struct buf *out)
{
	buf_lit(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	             "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	             "style-src 'sha256-");
	buf_str(out, pawl__str_of(pawl__asset_report_css_sha256));
	buf_lit(out, "'; base-uri 'none'; form-action 'none'\">\n"
	             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	             "<meta name=\"color-scheme\" content=\"light dark\">\n"
	             "<meta name=\"referrer\" content=\"no-referrer\">\n<title>");
	esc(out, r->s->name);
	pawl__put(out, ": %s</title>\n<style>", pawl__verdict_name(r->verdict));
	pawl__buf_put(out, pawl__asset_report_css, pawl__asset_report_css_len);
	buf_lit(out, "</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#main\">To the "
	             "verdicts</a>\n<header>\n<div class=\"top\"><h1>");
	esc(out, r->s->name);
	buf_lit(out, "</h1>");
	put_verdict(out, r->verdict);
	buf_lit(out, "</div>\n");
	if (r->s->description.len > 0) {
		buf_lit(out, "<p>");
		esc(out, r->s->description);
		buf_lit(out, "</p>\n");
	}
	pawl__put(out, "<p class=\"soft\">%u rounds of %u clients, ", r->rounds_run, r->s->clients);
	pawl__put_sync(out, r->s);
	buf_lit(out, ", against ");
	esc(out, pawl__str_of(r->target));
	buf_lit(out, "</p>\n</header>\n<main id=\"main\" tabindex=\"-1\">\n");
}

static void html_expects(const struct race_report *r, struct buf *out)
{
	buf_lit(out,
	        "<section aria-labelledby=\"expect\"><h2 id=\"expect\">What was expected</h2>\n");
	if (r->error.len > 0) {
		buf_lit(out, "<p role=\"alert\"><span class=\"verdict error\">error</span> ");
		esc(out, r->error);
		buf_lit(out, "</p>\n");
	}
	buf_lit(out, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
	             "aria-label=\"Expectations\"><table><thead><tr><th scope=\"col\">Verdict</th>"
	             "<th scope=\"col\">Expectation</th><th scope=\"col\">Violated in</th></tr>"
	             "</thead><tbody>\n");
	for (uint32_t i = 0; i < r->s->expects_len; i++) {
		const struct expect_report *e = &r->expects[i];

		buf_lit(out, "<tr><td>");
		put_verdict(out, e->verdict);
		buf_lit(out, "</td><td><code>");
		esc(out, r->s->expects[i].label);
		buf_lit(out, "</code>");
		if (e->detail.len > 0) {
			buf_lit(out, "<br>");
			esc(out, e->detail);
			pawl__put(out, " <span class=\"soft\">(round %u)</span>", e->round);
		}
		buf_lit(out, "</td><td>");
		{
			char mem[160];
			struct buf rate;

			pawl__buf_init_fixed(&rate, mem, sizeof(mem));
			pawl__put_rate(&rate, r, e);
			esc(out, buf_get(&rate));
		}
		buf_lit(out, "</td></tr>\n");
	}
	buf_lit(out, "</tbody></table></div></section>\n");
}

static int lane_x(int64_t us, int64_t end_us)
{
	return LANE_LEFT + (int)(us * (LANE_W - LANE_LEFT - LANE_END) / end_us);
}

static void html_lane(const struct lane *l, uint32_t i, int64_t end_us, struct buf *out)
{
	const int x = lane_x(l->from_us, end_us), end = lane_x(l->to_us, end_us);
	const int y = (int)i * LANE_H + 8;

	pawl__put(out, "<g tabindex=\"0\" role=\"img\" aria-label=\"client %u: ", l->client);
	esc(out, l->request);
	pawl__put(out, ", from %lld to %lld microseconds, ", (long long)l->from_us,
	          (long long)l->to_us);
	esc(out, l->outcome);
	pawl__put(out, "\"><text x=\"0\" y=\"%d\">client %u</text>", y + 14, l->client);
	pawl__put(out,
	          "<rect class=\"lane bad\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"18\" "
	          "rx=\"3\"/>",
	          x, y, end - x < 2 ? 2 : end - x);
	pawl__put(out, "<text x=\"%d\" y=\"%d\">", end + 8, y + 14);
	esc(out, l->outcome);
	buf_lit(out, " ");
	esc(out, (struct str){ l->request.ptr, l->request.len < 26 ? l->request.len : 26 });
	buf_lit(out, "</text></g>\n");
}

static void html_lanes(const struct race_report *r, struct buf *out)
{
	int64_t end_us = 1;

	if (r->lanes_len == 0)
		return;
	for (uint32_t i = 0; i < r->lanes_len; i++)
		end_us = r->lanes[i].to_us > end_us ? r->lanes[i].to_us : end_us;
	pawl__put(out,
	          "<section aria-labelledby=\"broke\"><h2 id=\"broke\">How it broke</h2>\n"
	          "<p>Round %u, %u of its %u requests: ",
	          r->lanes_round, r->lanes_len, r->lanes_of);
	buf_lit(out, "<code>");
	esc(out, r->s->expects[r->lanes_expect].label);
	buf_lit(out,
	        "</code></p>\n<figure><figcaption>From the last byte sent to the last byte of the "
	        "answer. Bars that stand over each other were under way together."
	        "</figcaption>\n");
	pawl__put(out, "<svg viewBox=\"0 0 %d %d\" role=\"group\" aria-label=\"Interleaving\">\n",
	          LANE_W, (int)r->lanes_len * LANE_H + 34);
	for (uint32_t i = 0; i < r->lanes_len; i++)
		html_lane(&r->lanes[i], i, end_us, out);
	{
		const int y = (int)r->lanes_len * LANE_H + 8;

		pawl__put(out, "<line class=\"axis\" x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\"/>",
		          LANE_LEFT, y, LANE_W - LANE_END, y);
		pawl__put(out,
		          "<text x=\"%d\" y=\"%d\">0</text><text x=\"%d\" y=\"%d\" "
		          "text-anchor=\"end\">",
		          LANE_LEFT, y + 18, LANE_W - LANE_END, y + 18);
		pawl__put_us(out, (uint64_t)end_us);
		buf_lit(out, "</text></svg></figure>\n");
	}
	buf_lit(out,
	        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Operations\">"
	        "<table><thead><tr><th scope=\"col\">Client</th><th scope=\"col\">Request</th>"
	        "<th scope=\"col\">Answer</th><th scope=\"col\">Body</th></tr></thead><tbody>\n");
	for (uint32_t i = 0; i < r->lanes_len; i++) {
		pawl__put(out, "<tr><td>%u</td><td><code>", r->lanes[i].client);
		esc(out, r->lanes[i].request);
		buf_lit(out, "</code></td><td>");
		esc(out, r->lanes[i].outcome);
		buf_lit(out, "</td><td><code>");
		esc(out, r->lanes[i].body);
		buf_lit(out, "</code></td></tr>\n");
	}
	buf_lit(out, "</tbody></table></div></section>\n");
}

static void html_answers(const struct race_report *r, struct buf *out)
{
	uint32_t order[RUN_STATUSES_MAX];

	buf_lit(out,
	        "<section aria-labelledby=\"answers\"><h2 id=\"answers\">Answers</h2>\n"
	        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Answers\">"
	        "<table><thead><tr><th scope=\"col\">Answer</th><th scope=\"col\">Requests</th>"
	        "</tr></thead><tbody>\n");
	pawl__statuses_sort(r, order);
	for (uint32_t i = 0; i < r->statuses_len; i++) {
		const struct status_count *c = &r->statuses[order[i]];

		buf_lit(out, "<tr><th scope=\"row\">");
		pawl__put_status(out, c);
		pawl__put(out, "</th><td>%llu</td></tr>\n", (unsigned long long)c->n);
	}
	buf_lit(out, "</tbody></table></div></section>\n");
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

	buf_lit(out,
	        "<section aria-labelledby=\"where\"><h2 id=\"where\">Where and how</h2>\n<dl>\n");
	put_row(out, "Target", pawl__str_of(r->target));
	pawl__buf_init_fixed(&b, mem, sizeof(mem));
	pawl__put_overlap(&b, r);
	put_row(out, "Overlap", buf_get(&b));
	pawl__buf_reset(&b);
	pawl__put(&b, "%llu", (unsigned long long)r->seed);
	put_row(out, "Seed", buf_get(&b));
	pawl__buf_reset(&b);
	pawl__clock_format(&b, r->started_us);
	buf_lit(&b, ", for ");
	pawl__put_us(&b, (uint64_t)r->elapsed_us);
	put_row(out, "Started", buf_get(&b));
	put_row(out, "From", r->system);
	if (r->carried > 0) {
		pawl__buf_reset(&b);
		pawl__put(&b, "%u rounds on what earlier ones left", r->carried);
		put_row(out, "Carried", buf_get(&b));
	}
	for (uint32_t i = 0; i < r->notes_len; i++)
		put_row(out, "Note", r->notes[i]);
	buf_lit(out,
	        "</dl></section>\n<section aria-labelledby=\"again\"><h2 id=\"again\">Again</h2>\n"
	        "<pre tabindex=\"0\" aria-label=\"The command to repeat it\"><code>");
	esc(out, r->command);
	buf_lit(out, "</code></pre></section>\n</main>\n</body>\n</html>\n");
}

void pawl__race_html(const struct race_report *r, struct buf *out)
{
	html_head(r, out);
	html_expects(r, out);
	html_lanes(r, out);
	if (r->requests > 0) {
		html_answers(r, out);
		buf_lit(out, "<section aria-labelledby=\"times\"><h2 id=\"times\">Times</h2>\n"
		             "<div class=\"plots\">\n");
		html_latency(r, out);
		html_skew(r, out);
		buf_lit(out, "</div></section>\n");
	}
	html_environment(r, out);
}
