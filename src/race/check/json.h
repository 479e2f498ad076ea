/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/json - words of JSON (RFC 8259): space, strings, whole values. base/ has a reader of
 * its own for requests, which builds a tree and refuses what histories have (numbers beyond int64).
 * All take a place in the builder's file and return the place behind, NULL after an error.
 */
#ifndef PAWL_RACE_CHECK_JSON_H
#define PAWL_RACE_CHECK_JSON_H

#include "race/check/builder.h"

static inline const char *json_space(const char *p)
{
	while (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r')
		p++;
	return p;
}

/* Over one value. */
const char *pawl__json_skip(struct builder *b, const char *p);

/* One value, a collection as its text. */
const char *pawl__json_scalar(struct builder *b, const char *p, int64_t *ret);

/* The bytes of the string at p, escapes and all; STR_NONE when there is none. */
struct str pawl__json_raw(struct builder *b, const char *p, const char **ret_end);

/* Over `"name" :`; ret is the name. */
const char *pawl__json_member(struct builder *b, const char *p, struct str *ret);

/*
 * Between elements: p is behind the opening bracket (first) or an element. Returns the place of the
 * next element, or of `close`, NULL after an error.
 */
const char *pawl__json_next(struct builder *b, const char *p, char close, bool first);

const char *pawl__json_error(struct builder *b, const char *p, const char *text);

#endif /* PAWL_RACE_CHECK_JSON_H */
