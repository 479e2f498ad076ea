/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/page/assets - files of web/ that are compiled in; tools/embed.py writes their bytes.
 */
#ifndef PAWL_RACE_PAGE_ASSETS_H
#define PAWL_RACE_PAGE_ASSETS_H

#include <stddef.h>

extern const unsigned char pawl__asset_report_css[];
extern const size_t pawl__asset_report_css_len;
extern const char pawl__asset_report_css_sha256[]; /* base 64 */

#endif /* PAWL_RACE_PAGE_ASSETS_H */
