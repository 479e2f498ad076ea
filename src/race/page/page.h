/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/page - what all reports have in common: the frame of the page of HTML, and the wording of
 * numbers, which text and page share.
 *
 * A page needs nothing else: no script, no request; its policy (CSP) forbids both and allows one
 * style sheet, by its hash. Whatever came from outside goes through pawl__page_esc. What it never
 * does: decide what is told.
 *
 * A page is: head, what stands under its title, main, sections, end. Pure but for pawl__put_system.
 * Limits: PUT_MAX, and those of the caller's buffer.
 */
#ifndef PAWL_RACE_PAGE_PAGE_H
#define PAWL_RACE_PAGE_PAGE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/hist.h"

#define PAGE_BYTES_MAX ((size_t)8 << 20)
#define PUT_MAX        512 /* bytes of one pawl__put; more is cut */

/* ---- text.c ---- */

PAWL_PRINTF(2, 3) void pawl__put(struct buf *out, const char *fmt, ...);
/* "212 us", "1.5 ms", "3.20 s" */
void pawl__put_us(struct buf *out, uint64_t us);
/* "p50 1.2 ms, p90 ..., p99 ..., max ..." */
void pawl__put_quantiles(struct buf *out, const struct hist *h);
/* One word of a shell's line, in quotes where it needs them. */
void pawl__put_word(struct buf *out, struct str word);
/* "Linux 6.1.0, x86_64, 2 processors" */
void pawl__put_system(struct buf *out);

/* ---- page.c ---- */

/* For element content and attribute values. What is no UTF-8 becomes U+FFFD, a control byte " ". */
void pawl__page_esc(struct buf *out, struct str s);
/* name is also its class: "held", "violated", "inconclusive", "error". */
void pawl__page_verdict(struct buf *out, const char *name);

/* Up to the header, open: title, verdict, description (or empty). */
void pawl__page_head(struct buf *out, struct str title, const char *verdict,
                     struct str description);
/* The header ends, what was found begins. */
void pawl__page_main(struct buf *out);
/* Until "</section>". id is unique in the page. */
void pawl__page_section(struct buf *out, const char *id, const char *title);
/* Until pawl__page_table_end. columns: NULL at its end; a leading '#' = numbers. */
void pawl__page_table(struct buf *out, const char *label, const char *const *columns);
void pawl__page_table_end(struct buf *out);
/* A row of a <dl>. */
void pawl__page_row(struct buf *out, const char *name, struct str value);
/* The command to repeat it, and the end. */
void pawl__page_end(struct buf *out, struct str command);

/* ---- bars.c ---- */

struct page_bar {
	const char *who; /* "client" */
	uint32_t number;
	int64_t from_us, to_us;
	struct str outcome, text; /* behind the bar; text is cut there, whole in its label */
};

/* Bars over one time-line, each on a line of its own. */
void pawl__page_bars(struct buf *out, const struct page_bar *bars, uint32_t len);

#endif /* PAWL_RACE_PAGE_PAGE_H */
