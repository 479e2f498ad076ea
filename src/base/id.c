/* SPDX-License-Identifier: Apache-2.0 */
#include "base/id.h"

#include "base/assert.h"

static const char id_digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

void pawl__id_format(struct buf *b, int64_t number)
{
	char text[ID_TEXT_LEN];
	uint64_t v = (uint64_t)number;

	PRE(number > 0);
	for (int i = ID_TEXT_LEN; i > 0; i--) {
		text[i - 1] = id_digits[v & 31];
		v >>= 5;
	}
	pawl__buf_put(b, text, sizeof(text));
}

bool pawl__id_parse(struct str s, int64_t *ret)
{
	uint64_t v = 0;

	if (s.len != ID_TEXT_LEN)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		const char *at = s.ptr[i] == '\0' ? NULL : strchr(id_digits, s.ptr[i]);

		if (at == NULL)
			return false;
		if (v >> 58 != 0) /* the next shift would pass 63 bits */
			return false;
		v = v << 5 | (uint64_t)(at - id_digits);
	}
	if (v == 0)
		return false;
	INVARIANT(v <= INT64_MAX);
	*ret = (int64_t)v;
	return true;
}
