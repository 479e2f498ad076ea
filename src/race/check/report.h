/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/report - results as one HTML page: text, and per witness a picture of the cycle and of
 * when its rows ran. The page asks for nothing else (no script, no font, no link) and follows the
 * reader's choice of light or dark.
 *
 *     begin -> history .. -> end
 *
 * Everything that came from a file is escaped. Threads: none of its own.
 */
#ifndef PAWL_RACE_CHECK_REPORT_H
#define PAWL_RACE_CHECK_REPORT_H

#include "race/check/check.h"

#define REPORT_ROWS_MAX 64 /* rows in one picture; what is beyond stands in the text alone */

void pawl__report_begin(struct buf *to);
/* name: of the file, borrowed. */
void pawl__report_history(const char *name, const struct history *h, const struct check_options *o,
                          const struct check_result *r, struct buf *to);
/* A file that could not be read. */
void pawl__report_unreadable(const char *name, const char *why, struct buf *to);
void pawl__report_end(struct buf *to);

#endif /* PAWL_RACE_CHECK_REPORT_H */
