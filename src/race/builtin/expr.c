/* SPDX-License-Identifier: Apache-2.0 */
#include "base/num.h"
#include "race/builtin/machine.h"

static const char *blanks(const char *p, const char *end)
{
	while (p < end && *p == ' ')
		p++;
	return p;
}

/* -?[0-9]+ */
static const char *integer(const char *p, const char *end, int64_t *ret)
{
	const char *begin = p;

	if (p < end && *p == '-')
		p++;
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return pawl__num_parse_i64((struct str){ begin, (size_t)(p - begin) }, ret) ? p : NULL;
}

bool pawl__expr_sum(struct str text, int64_t *ret)
{
	const char *end = text.ptr + text.len, *p = blanks(text.ptr, end);
	int64_t sum, v;

	p = integer(p, end, &sum);
	if (p == NULL)
		return false;
	for (p = blanks(p, end); p < end; p = blanks(p, end)) {
		const char sign = *p;

		if (sign != '+' && sign != '-')
			return false;
		p = integer(blanks(p + 1, end), end, &v);
		if (p == NULL || !(sign == '+' ? num_add(sum, v, &sum) : num_sub(sum, v, &sum)))
			return false;
	}
	*ret = sum;
	return true;
}

bool pawl__expr_holds(struct str text, bool *ret)
{
	static const char marks[] = "<>=!";
	const char *end = text.ptr + text.len, *p = text.ptr, *rest;
	int64_t left, right;
	bool with_equal;

	while (p < end && memchr(marks, *p, sizeof(marks) - 1) == NULL)
		p++;
	if (p == end)
		return false;
	with_equal = p + 1 < end && p[1] == '=';
	if (*p == '!' && !with_equal)
		return false;
	rest = p + (with_equal ? 2 : 1);
	if (!pawl__expr_sum((struct str){ text.ptr, (size_t)(p - text.ptr) }, &left) ||
	    !pawl__expr_sum((struct str){ rest, (size_t)(end - rest) }, &right))
		return false;
	switch (*p) {
	case '<':
		*ret = left < right || (with_equal && left == right);
		return true;
	case '>':
		*ret = left > right || (with_equal && left == right);
		return true;
	default:
		*ret = (left == right) == (*p == '=');
		return true;
	}
}
