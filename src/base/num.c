/* SPDX-License-Identifier: Apache-2.0 */
#include "base/num.h"

bool pawl__num_parse_u64(struct str s, uint64_t *ret)
{
	uint64_t v = 0;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		const unsigned char c = (unsigned char)s.ptr[i];

		if (c < '0' || c > '9' || __builtin_mul_overflow(v, UINT64_C(10), &v) ||
		    __builtin_add_overflow(v, (uint64_t)(c - '0'), &v))
			return false;
	}
	*ret = v;
	return true;
}

bool pawl__num_parse_i64(struct str s, int64_t *ret)
{
	const bool neg = s.len > 0 && s.ptr[0] == '-';
	const struct str digits = neg ? (struct str){ s.ptr + 1, s.len - 1 } : s;
	uint64_t v;

	if (digits.len > 1 && digits.ptr[0] == '0')
		return false;
	if (!pawl__num_parse_u64(digits, &v))
		return false;
	if (v > (uint64_t)INT64_MAX + (neg ? 1 : 0))
		return false;
	*ret = neg ? (int64_t)(0 - v) : (int64_t)v;
	return true;
}
