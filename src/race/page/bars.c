/* SPDX-License-Identifier: Apache-2.0 */
#include "race/page/page.h"

#define BAR_H     30
#define BARS_W    900
#define BARS_LEFT 90
#define BARS_END  220 /* for the outcome, behind the bars */
#define TEXT_SEEN 26

static int bar_x(int64_t us, int64_t end_us)
{
	return BARS_LEFT + (int)(us * (BARS_W - BARS_LEFT - BARS_END) / end_us);
}

static void bar_put(struct buf *out, const struct page_bar *b, uint32_t i, int64_t end_us)
{
	const int x = bar_x(b->from_us, end_us), end = bar_x(b->to_us, end_us);
	const int y = (int)i * BAR_H + 8;

	pawl__put(out, "<g tabindex=\"0\" role=\"img\" aria-label=\"%s %u: ", b->who, b->number);
	if (b->text.len > 0) {
		pawl__page_esc(out, b->text);
		buf_lit(out, ", ");
	}
	pawl__put(out, "from %lld to %lld microseconds, ", (long long)b->from_us,
	          (long long)b->to_us);
	pawl__page_esc(out, b->outcome);
	pawl__put(out, "\"><text x=\"0\" y=\"%d\">%s %u</text>", y + 14, b->who, b->number);
	pawl__put(out,
	          "<rect class=\"lane bad\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"18\" "
	          "rx=\"3\"/>",
	          x, y, end - x < 2 ? 2 : end - x);
	pawl__put(out, "<text x=\"%d\" y=\"%d\">", end + 8, y + 14);
	pawl__page_esc(out, b->outcome);
	buf_lit(out, " ");
	pawl__page_esc(out, (struct str){ b->text.ptr,
	                                  b->text.len < TEXT_SEEN ? b->text.len : TEXT_SEEN });
	buf_lit(out, "</text></g>\n");
}

void pawl__page_bars(struct buf *out, const struct page_bar *bars, uint32_t len)
{
	const int y = (int)len * BAR_H + 8;
	int64_t end_us = 1;

	for (uint32_t i = 0; i < len; i++)
		end_us = bars[i].to_us > end_us ? bars[i].to_us : end_us;
	pawl__put(out, "<svg viewBox=\"0 0 %d %d\" role=\"group\" aria-label=\"Interleaving\">\n",
	          BARS_W, y + 26);
	for (uint32_t i = 0; i < len; i++)
		bar_put(out, &bars[i], i, end_us);
	pawl__put(out, "<line class=\"axis\" x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\"/>", BARS_LEFT,
	          y, BARS_W - BARS_END, y);
	pawl__put(out,
	          "<text x=\"%d\" y=\"%d\">0</text><text x=\"%d\" y=\"%d\" text-anchor=\"end\">",
	          BARS_LEFT, y + 18, BARS_W - BARS_END, y + 18);
	pawl__put_us(out, (uint64_t)end_us);
	buf_lit(out, "</text></svg>");
}
