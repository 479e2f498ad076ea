/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/num - checked arithmetic on numbers that came from outside, and strict parsing.
 *
 * add/sub/mul return true and set *ret when the exact result fits, else false with *ret untouched.
 */
#ifndef PAWL_BASE_NUM_H
#define PAWL_BASE_NUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/str.h"

PAWL_MUST_CHECK static inline bool num_add(int64_t a, int64_t b, int64_t *ret)
{
	int64_t r;

	if (__builtin_add_overflow(a, b, &r))
		return false;
	*ret = r;
	return true;
}

PAWL_MUST_CHECK static inline bool num_sub(int64_t a, int64_t b, int64_t *ret)
{
	int64_t r;

	if (__builtin_sub_overflow(a, b, &r))
		return false;
	*ret = r;
	return true;
}

PAWL_MUST_CHECK static inline bool num_mul(int64_t a, int64_t b, int64_t *ret)
{
	int64_t r;

	if (__builtin_mul_overflow(a, b, &r))
		return false;
	*ret = r;
	return true;
}

PAWL_MUST_CHECK static inline bool num_size_add(size_t a, size_t b, size_t *ret)
{
	size_t r;

	if (__builtin_add_overflow(a, b, &r))
		return false;
	*ret = r;
	return true;
}

/* The whole of s is -?(0|[1-9][0-9]*) and fits int64. No sign '+', no spaces, no leading zeros. */
PAWL_MUST_CHECK bool pawl__num_parse_i64(struct str s, int64_t *ret);

/* The whole of s is [0-9]+ and fits uint64. Leading zeros are allowed (RFC 9110 Content-Length). */
PAWL_MUST_CHECK bool pawl__num_parse_u64(struct str s, uint64_t *ret);

#endif /* PAWL_BASE_NUM_H */
