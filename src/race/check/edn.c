/* SPDX-License-Identifier: Apache-2.0 */
#include "race/check/edn.h"

#include "base/num.h"

const char *pawl__edn_error(struct builder *b, const char *p, const char *text)
{
	return pawl__builder_error(b, PAWL_E_INVALID, p, p >= b->end ? "it ends too early" : text);
}

static bool is_space(char c)
{
	return c == ' ' || c == ',' || (c >= '\t' && c <= '\r');
}

static bool is_token(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("*+!-_?$%&=<>.:#'/|", c) != NULL) || (unsigned char)c >= 0x80;
}

struct str pawl__edn_token(const char *p)
{
	const char *q = p;

	while (is_token(*q))
		q++;
	return (struct str){ p, (size_t)(q - p) };
}

static const char *skip(struct builder *b, const char *p, unsigned depth);

static const char *space(struct builder *b, const char *p, unsigned depth)
{
	for (;;) {
		while (is_space(*p))
			p++;
		if (*p == ';') {
			const char *q = memchr(p, '\n', (size_t)(b->end - p));

			p = q == NULL ? b->end : q;
		} else if (p[0] == '#' && p[1] == '_') {
			p = skip(b, p + 2, depth + 1);
			if (p == NULL)
				return NULL;
		} else {
			return p;
		}
	}
}

const char *pawl__edn_space_slow(struct builder *b, const char *p)
{
	return space(b, p, 0);
}

/* Behind the closing quote. */
static const char *skip_string(struct builder *b, const char *p)
{
	const char *q = p + 1;

	for (;;) {
		q = memchr(q, '"', (size_t)(b->end - q));
		if (q == NULL)
			return pawl__builder_error(b, PAWL_E_INVALID, p, "a string is not closed");
		const char *slash = q;

		while (slash[-1] == '\\' && slash - 1 > p)
			slash--;
		q++;
		if ((q - 1 - slash) % 2 == 0)
			return q;
	}
}

static const char *skip_forms(struct builder *b, const char *p, char close, bool pairs,
                              unsigned depth)
{
	const char *begin = p;
	size_t n = 0;

	for (p++;; n++) {
		p = space(b, p, depth);
		if (p == NULL)
			return NULL;
		if (*p == close)
			break;
		p = skip(b, p, depth + 1);
		if (p == NULL)
			return NULL;
	}
	if (pairs && n % 2 != 0)
		return pawl__edn_error(b, begin, "a map has a key without a value");
	return p + 1;
}

static const char *skip_tagged(struct builder *b, const char *p, unsigned depth)
{
	struct str tag;

	if (p[1] == '#') /* ##Inf */
		return p + 2 + pawl__edn_token(p + 2).len;
	tag = pawl__edn_token(p + 1);
	if (tag.len == 0)
		return pawl__edn_error(b, p, "'#' is not followed by a tag");
	return skip(b, tag.ptr + tag.len, depth + 1);
}

static const char *skip(struct builder *b, const char *p, unsigned depth)
{
	struct str token;

	if (depth > HISTORY_DEPTH_MAX)
		return pawl__edn_error(b, p, "nested deeper than 64");
	p = space(b, p, depth);
	if (p == NULL)
		return NULL;
	switch (*p) {
	case '"':
		return skip_string(b, p);
	case '[':
		return skip_forms(b, p, ']', false, depth);
	case '(':
		return skip_forms(b, p, ')', false, depth);
	case '{':
		return skip_forms(b, p, '}', true, depth);
	case '#':
		return p[1] == '{' ? skip_forms(b, p + 1, '}', false, depth)
		                   : skip_tagged(b, p, depth);
	case '^':
		p = skip(b, p + 1, depth + 1);
		return p == NULL ? NULL : skip(b, p, depth + 1);
	case '\\':
		if (p + 1 >= b->end || is_space(p[1]))
			return pawl__edn_error(b, p, "'\\' is not followed by a character");
		return p + 2 + pawl__edn_token(p + 2).len;
	default:
		token = pawl__edn_token(p);
		if (token.len == 0)
			return pawl__edn_error(b, p, "unexpected character");
		return p + token.len;
	}
}

const char *pawl__edn_skip(struct builder *b, const char *p)
{
	return skip(b, p, 0);
}

static size_t put_utf8(char *to, unsigned c)
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xc0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	to[0] = (char)(0xe0 | c >> 12);
	to[1] = (char)(0x80 | (c >> 6 & 0x3f));
	to[2] = (char)(0x80 | (c & 0x3f));
	return 3;
}

static bool hex4(const char *p, unsigned *ret)
{
	unsigned v = 0;

	for (int i = 0; i < 4; i++) {
		const char c = p[i];

		if (c >= '0' && c <= '9')
			v = v * 16 + (unsigned)(c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			v = v * 16 + (unsigned)((c | 32) - 'a') + 10;
		else
			return false;
	}
	*ret = v;
	return true;
}

/* The byte that \c stands for; 0: none. */
static char escape(char c)
{
	static const char from[] = "nrtbf\"\\/";
	static const char to[] = "\n\r\t\b\f\"\\/";
	const char *at = c == '\0' ? NULL : strchr(from, c);

	return at == NULL ? '\0' : to[at - from];
}

const char *pawl__edn_string(struct builder *b, const char *p, int64_t *ret)
{
	const char *end = skip_string(b, p);
	char *text;
	size_t len = 0;

	if (end == NULL)
		return NULL;
	if (memchr(p, '\\', (size_t)(end - p)) == NULL) {
		*ret = pawl__builder_name(b, NAME_STRING,
		                          (struct str){ p + 1, (size_t)(end - p) - 2 });
		return b->error == NULL ? end : NULL;
	}
	if ((size_t)(end - p) > HISTORY_TEXT_MAX)
		return pawl__builder_error(b, PAWL_E_TOO_LARGE, p,
		                           "a value is over the limit of 16 MiB");
	text = pawl__arena_alloc(&b->h->arena, (size_t)(end - p));
	if (text == NULL)
		return pawl__builder_error(b, PAWL_E_NOMEM, p, "out of memory");
	for (const char *q = p + 1; q < end - 1; q++) {
		unsigned c;

		if (*q != '\\') {
			text[len++] = *q;
		} else if (q[1] == 'u' && hex4(q + 2, &c)) {
			len += put_utf8(text + len, c);
			q += 5;
		} else if (escape(q[1]) != '\0') {
			text[len++] = escape(*++q);
		} else {
			return pawl__builder_error(b, PAWL_E_INVALID, q, "unknown escape");
		}
	}
	*ret = pawl__builder_name(b, NAME_STRING, (struct str){ text, len });
	return b->error == NULL ? end : NULL;
}

/* A token that begins as a number: an int64, or the text of whatever it is. */
static bool number(struct builder *b, struct str t, int64_t *ret)
{
	struct str digits = t;

	if (digits.len > 1 && digits.ptr[digits.len - 1] == 'N')
		digits.len--;
	if (digits.ptr[0] == '+') {
		digits.ptr++;
		digits.len--;
	}
	if (str_eq(digits, STR("-0"))) {
		*ret = 0;
		return true;
	}
	if (pawl__num_parse_i64(digits, ret) && *ret >= VALUE_INT_MIN)
		return true;
	*ret = pawl__builder_name(b, NAME_NUMBER, t);
	return b->error == NULL;
}

static bool token(struct builder *b, struct str t, int64_t *ret)
{
	const char c = t.ptr[0];
	const char d = t.len > 1 ? t.ptr[1] : '\0';

	if ((c >= '0' && c <= '9') || ((c == '-' || c == '+') && d >= '0' && d <= '9'))
		return number(b, t, ret);
	if (str_eq(t, STR("nil"))) {
		*ret = VALUE_NIL;
		return true;
	}
	if (c == ':')
		*ret = pawl__builder_name(b, NAME_KEYWORD, (struct str){ t.ptr + 1, t.len - 1 });
	else if (str_eq(t, STR("true")) || str_eq(t, STR("false")))
		*ret = pawl__builder_name(b, NAME_BOOL, t);
	else
		*ret = pawl__builder_name(b, NAME_SYMBOL, t);
	return b->error == NULL;
}

const char *pawl__edn_scalar_slow(struct builder *b, const char *p, int64_t *ret)
{
	const char *q;
	struct str t;

	p = space(b, p, 0);
	if (p == NULL)
		return NULL;
	if (*p == '"')
		return pawl__edn_string(b, p, ret);
	t = pawl__edn_token(p);
	if (t.len == 0 || *p == '#') {
		q = skip(b, p, 0);
		if (q == NULL)
			return NULL;
		*ret = pawl__builder_name(b, NAME_FORM, (struct str){ p, (size_t)(q - p) });
		return b->error == NULL ? q : NULL;
	}
	if (t.len == 1 && *p == ':')
		return pawl__edn_error(b, p, "':' is not followed by a name");
	return token(b, t, ret) ? p + t.len : NULL;
}
