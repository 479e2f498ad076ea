/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/scenario/pointer - JSON pointers (RFC 6901) into a JSON document.
 *
 * Pure. It never follows anything but members and array places; "-" names nothing.
 * Limits: POINTER_MAX bytes; depth of a document as jansson's.
 */
#ifndef PAWL_RACE_SCENARIO_POINTER_H
#define PAWL_RACE_SCENARIO_POINTER_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/str.h"

#define POINTER_MAX 512

/* "" or "/a/b", with ~0 and ~1 as the only escapes. */
bool pawl__pointer_valid(struct str pointer);

/* Borrowed from doc; NULL = not there. pointer is valid. */
const json_t *pawl__pointer_get(const json_t *doc, struct str pointer);

/* Append the value at pointer of the document as JSON; false: no document, or nothing there. */
bool pawl__pointer_json(struct str doc, struct str pointer, struct buf *out);

/* A JSON number, by its letters. */
bool pawl__pointer_number(struct str s);

/* Append v as compact JSON with sorted members. */
void pawl__pointer_dump(const json_t *v, struct buf *out);

#endif /* PAWL_RACE_SCENARIO_POINTER_H */
