/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/edn - words of EDN (github.com/edn-format/edn): space, tokens, whole forms.
 * All take a place in the builder's file and return the place behind, NULL after an error.
 */
#ifndef PAWL_RACE_CHECK_EDN_H
#define PAWL_RACE_CHECK_EDN_H

#include "race/check/builder.h"

/* White space, commas, comments and discarded forms. */
const char *pawl__edn_space_slow(struct builder *b, const char *p);

static inline const char *edn_space(struct builder *b, const char *p)
{
	while (*p == ' ' || *p == ',')
		p++;
	if (PAWL_LIKELY(*p > ' ' && *p != ';' && *p != '#'))
		return p;
	return pawl__edn_space_slow(b, p);
}

/* A symbol's, keyword's or number's characters; may be empty. */
struct str pawl__edn_token(const char *p);

/* Over one whole form. */
const char *pawl__edn_skip(struct builder *b, const char *p);

/* A string, p at its quote, as a value. JSON's escapes are the same. */
const char *pawl__edn_string(struct builder *b, const char *p, int64_t *ret);

/* One form as a value. */
const char *pawl__edn_scalar_slow(struct builder *b, const char *p, int64_t *ret);

static inline bool edn_ends(char c)
{
	return c == ' ' || c == ']' || c == ',' || c == '}' || c == ')' || c == '\n';
}

static inline const char *edn_scalar(struct builder *b, const char *p, int64_t *ret)
{
	const char *q = scan_int(p, ret);

	if (PAWL_LIKELY(q != NULL && edn_ends(*q)))
		return q;
	return pawl__edn_scalar_slow(b, p, ret);
}

/* "unexpected end" or text, at p. Returns NULL. */
const char *pawl__edn_error(struct builder *b, const char *p, const char *text);

#endif /* PAWL_RACE_CHECK_EDN_H */
