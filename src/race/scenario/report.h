/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/scenario/report - a report as text, as JSON and as one page of HTML.
 *
 * All that came from the target or the file is escaped (race/page). Text and page show the same
 * numbers.
 *
 * Pure: no clock, no files. Limits: REPORT_BYTES_MAX.
 */
#ifndef PAWL_RACE_SCENARIO_REPORT_H
#define PAWL_RACE_SCENARIO_REPORT_H

#include <jansson.h>

#include "base/buf.h"
#include "race/page/page.h"
#include "race/scenario/run.h"

#define REPORT_BYTES_MAX PAGE_BYTES_MAX
#define LANES_WIDTH      48 /* cells of a diagram */

void pawl__race_text(const struct race_report *r, struct buf *out);
/* NULL: no memory. */
json_t *pawl__race_json(const struct race_report *r);
void pawl__race_html(const struct race_report *r, struct buf *out);

/* A commented scenario for that target, for `pawl race init`. url is a visible text. */
void pawl__race_starter(struct str url, struct buf *out);

/* In lanes.c: operations as bars over one time-line, each on a line of its own. */
void pawl__lanes_text(const struct lane *lanes, uint32_t len, struct buf *out);

/* In wording.c: the wording that text and page have in common. */
/* "0 of 200 rounds: < 1.9 % at 95 %" */
void pawl__put_rate(struct buf *out, const struct race_report *r, const struct expect_report *e);
/* "201", "timed-out" */
void pawl__put_status(struct buf *out, const struct status_count *c);
void pawl__put_overlap(struct buf *out, const struct race_report *r);
/* "last-byte, HTTP/1.1" */
void pawl__put_sync(struct buf *out, const struct scenario *s);
/* By class, then by status. ret: r->statuses_len places. */
void pawl__statuses_sort(const struct race_report *r, uint32_t ret[RUN_STATUSES_MAX]);

#endif /* PAWL_RACE_SCENARIO_REPORT_H */
