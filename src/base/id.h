/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/id - the text form of the number of a hold, order, transfer, event or job:
 * 13 digits of Crockford's base 32, lower case, fixed width, so that text order is number order.
 */
#ifndef PAWL_BASE_ID_H
#define PAWL_BASE_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/str.h"

#define ID_TEXT_LEN 13

void pawl__id_format(struct buf *b, int64_t number);

/* Exactly 13 lower-case digits of a number in [1, INT64_MAX]: one text per number, no aliases. */
PAWL_MUST_CHECK bool pawl__id_parse(struct str s, int64_t *ret);

#endif /* PAWL_BASE_ID_H */
