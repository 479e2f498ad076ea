/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/str - a borrowed run of bytes. Never owns, never NUL-terminated by promise.
 */
#ifndef PAWL_BASE_STR_H
#define PAWL_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *ptr;
	size_t len;
};

#define STR(literal) ((struct str){ (literal), sizeof(literal) - 1 })
#define STR_NONE     ((struct str){ NULL, 0 })

/* A NUL-terminated string, without its NUL. NULL gives STR_NONE. */
struct str pawl__str_of(const char *s);

static inline bool str_eq(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool str_starts(struct str s, struct str prefix)
{
	return s.len >= prefix.len &&
	       (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

/* 1 to max visible ASCII bytes (0x21-0x7e), and no '/' unless slash is true. */
bool pawl__str_visible(struct str s, size_t max, bool slash);

/* Valid UTF-8 by RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
bool pawl__str_utf8(struct str s);

#endif /* PAWL_BASE_STR_H */
