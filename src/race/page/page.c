/* SPDX-License-Identifier: Apache-2.0 */
#include "race/page/page.h"

#include "race/page/assets.h"

static void esc_ascii(struct buf *out, char c)
{
	switch (c) {
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
		pawl__buf_putc(out, c >= 0x20 && c != 0x7f ? c : ' ');
	}
}

void pawl__page_esc(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.len;) {
		const unsigned char c = (unsigned char)s.ptr[i];
		const size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

		if (n == 1) {
			esc_ascii(out, s.ptr[i]);
		} else if (n > s.len - i || !pawl__str_utf8((struct str){ s.ptr + i, n })) {
			buf_lit(out, "\xef\xbf\xbd");
			i++;
			continue;
		} else {
			pawl__buf_put(out, s.ptr + i, n);
		}
		i += n;
	}
}

void pawl__page_verdict(struct buf *out, const char *name)
{
	pawl__put(out, "<span class=\"verdict %s\">%s</span>", name, name);
}

void pawl__page_head(struct buf *out, struct str title, const char *verdict, struct str description)
{
	buf_lit(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	             "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	             "style-src 'sha256-");
	buf_str(out, pawl__str_of(pawl__asset_report_css_sha256));
	buf_lit(out, "'; base-uri 'none'; form-action 'none'\">\n"
	             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	             "<meta name=\"color-scheme\" content=\"light dark\">\n"
	             "<meta name=\"referrer\" content=\"no-referrer\">\n<title>");
	pawl__page_esc(out, title);
	pawl__put(out, ": %s</title>\n<style>", verdict);
	pawl__buf_put(out, pawl__asset_report_css, pawl__asset_report_css_len);
	buf_lit(out, "</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#main\">To the "
	             "verdicts</a>\n<header>\n<div class=\"top\"><h1>");
	pawl__page_esc(out, title);
	buf_lit(out, "</h1>");
	pawl__page_verdict(out, verdict);
	buf_lit(out, "</div>\n");
	if (description.len > 0) {
		buf_lit(out, "<p>");
		pawl__page_esc(out, description);
		buf_lit(out, "</p>\n");
	}
}

void pawl__page_main(struct buf *out)
{
	buf_lit(out, "</header>\n<main id=\"main\" tabindex=\"-1\">\n");
}

void pawl__page_section(struct buf *out, const char *id, const char *title)
{
	pawl__put(out, "<section aria-labelledby=\"%s\"><h2 id=\"%s\">%s</h2>\n", id, id, title);
}

void pawl__page_table(struct buf *out, const char *label, const char *const *columns)
{
	pawl__put(out,
	          "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"%s\"><table>"
	          "<thead><tr>",
	          label);
	for (; *columns != NULL; columns++) {
		const bool number = (*columns)[0] == '#';

		pawl__put(out, "<th scope=\"col\"%s>%s</th>", number ? " class=\"n\"" : "",
		          *columns + number);
	}
	buf_lit(out, "</tr></thead><tbody>\n");
}

void pawl__page_table_end(struct buf *out)
{
	buf_lit(out, "</tbody></table></div>\n");
}

void pawl__page_row(struct buf *out, const char *name, struct str value)
{
	pawl__put(out, "<dt>%s</dt><dd>", name);
	pawl__page_esc(out, value);
	buf_lit(out, "</dd>\n");
}

void pawl__page_end(struct buf *out, struct str command)
{
	pawl__page_section(out, "again", "Again");
	buf_lit(out, "<pre tabindex=\"0\" aria-label=\"The command to repeat it\"><code>");
	pawl__page_esc(out, command);
	buf_lit(out, "</code></pre></section>\n</main>\n</body>\n</html>\n");
}
