/* SPDX-License-Identifier: Apache-2.0 */
#include "race/check/json.h"

#include "base/num.h"
#include "race/check/edn.h"

const char *pawl__json_error(struct builder *b, const char *p, const char *text)
{
	return pawl__builder_error(b, PAWL_E_INVALID, p, p >= b->end ? "it ends too early" : text);
}

struct str pawl__json_raw(struct builder *b, const char *p, const char **ret_end)
{
	const char *q;

	if (*p != '"') {
		(void)pawl__json_error(b, p, "a string is missing");
		return STR_NONE;
	}
	for (q = p + 1; q < b->end && *q != '"'; q++) {
		if (*q == '\\')
			q++;
	}
	if (q >= b->end) {
		(void)pawl__builder_error(b, PAWL_E_INVALID, p, "a string is not closed");
		return STR_NONE;
	}
	*ret_end = q + 1;
	return (struct str){ p + 1, (size_t)(q - p) - 1 };
}

const char *pawl__json_member(struct builder *b, const char *p, struct str *ret)
{
	*ret = pawl__json_raw(b, p, &p);
	if (ret->ptr == NULL)
		return NULL;
	p = json_space(p);
	if (*p != ':')
		return pawl__json_error(b, p, "a name is not followed by ':'");
	return json_space(p + 1);
}

const char *pawl__json_next(struct builder *b, const char *p, char close, bool first)
{
	p = json_space(p);
	if (*p == close)
		return p;
	if (first)
		return p;
	if (*p != ',')
		return pawl__json_error(b, p, "',' or the end of an array or object is missing");
	p = json_space(p + 1);
	if (*p == close)
		return pawl__json_error(b, p, "a ',' has nothing behind it");
	return p;
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '+' || c == '.';
}

static struct str word(const char *p)
{
	const char *q = p;

	while (is_word(*q))
		q++;
	return (struct str){ p, (size_t)(q - p) };
}

static bool is_number(struct str t)
{
	const char *p = t.ptr, *end = t.ptr + t.len;
	const char *digits;

	if (p < end && *p == '-')
		p++;
	digits = p;
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	if (p == digits || (*digits == '0' && p - digits > 1))
		return false;
	if (p < end && *p == '.') {
		digits = ++p;
		while (p < end && *p >= '0' && *p <= '9')
			p++;
		if (p == digits)
			return false;
	}
	if (p < end && (*p | 32) == 'e') {
		p++;
		if (p < end && (*p == '-' || *p == '+'))
			p++;
		digits = p;
		while (p < end && *p >= '0' && *p <= '9')
			p++;
		if (p == digits)
			return false;
	}
	return p == end;
}

static bool is_literal(struct str t)
{
	return str_eq(t, STR("null")) || str_eq(t, STR("true")) || str_eq(t, STR("false"));
}

static const char *skip(struct builder *b, const char *p, unsigned depth)
{
	const char *begin = p;
	struct str t;
	char close;
	bool first = true;

	if (depth > HISTORY_DEPTH_MAX)
		return pawl__json_error(b, p, "nested deeper than 64");
	if (*p == '"')
		return pawl__json_raw(b, p, &p).ptr == NULL ? NULL : p;
	if (*p != '[' && *p != '{') {
		t = word(p);
		if (!is_literal(t) && !is_number(t))
			return pawl__json_error(b, p, "unexpected character");
		return p + t.len;
	}
	close = *p == '[' ? ']' : '}';
	for (p++;; first = false) {
		p = pawl__json_next(b, p, close, first);
		if (p == NULL)
			return NULL;
		if (*p == close)
			return p + 1;
		if (*begin == '{')
			p = pawl__json_member(b, p, &t);
		p = p == NULL ? NULL : skip(b, p, depth + 1);
		if (p == NULL)
			return NULL;
	}
}

const char *pawl__json_skip(struct builder *b, const char *p)
{
	return skip(b, p, 0);
}

static const char *named(struct builder *b, const char *p, enum history_name_kind kind, size_t len,
                         int64_t *ret)
{
	*ret = pawl__builder_name(b, kind, (struct str){ p, len });
	return b->error == NULL ? p + len : NULL;
}

const char *pawl__json_scalar(struct builder *b, const char *p, int64_t *ret)
{
	const char *q = scan_int(p, ret);
	struct str t;

	if (PAWL_LIKELY(q != NULL && !is_word(*q) && *p != '+' && (*p != '0' || q == p + 1)))
		return q;
	if (*p == '"')
		return pawl__edn_string(b, p, ret);
	if (*p == '[' || *p == '{') {
		q = skip(b, p, 0);
		return q == NULL ? NULL : named(b, p, NAME_FORM, (size_t)(q - p), ret);
	}
	t = word(p);
	if (str_eq(t, STR("null"))) {
		*ret = VALUE_NIL;
		return p + t.len;
	}
	if (is_literal(t))
		return named(b, p, NAME_BOOL, t.len, ret);
	if (!is_number(t))
		return pawl__json_error(b, p, "unexpected character");
	if (str_eq(t, STR("-0"))) {
		*ret = 0;
		return p + t.len;
	}
	if (pawl__num_parse_i64(t, ret) && *ret >= VALUE_INT_MIN)
		return p + t.len;
	return named(b, p, NAME_NUMBER, t.len, ret);
}
