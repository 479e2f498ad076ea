/* SPDX-License-Identifier: Apache-2.0 */
#include "race/scenario/pointer.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/num.h"

bool pawl__pointer_valid(struct str p)
{
	if (p.len == 0)
		return true;
	if (p.len > POINTER_MAX || p.ptr[0] != '/' || !pawl__str_utf8(p))
		return false;
	for (size_t i = 0; i < p.len; i++) {
		if (p.ptr[i] == '~' &&
		    (i + 1 == p.len || (p.ptr[i + 1] != '0' && p.ptr[i + 1] != '1')))
			return false;
	}
	return true;
}

/* The next token of *p, unescaped into mem; its length. */
static size_t token_take(struct str *p, char mem[POINTER_MAX + 1])
{
	size_t n = 0, i = 1;

	for (; i < p->len && p->ptr[i] != '/'; i++) {
		char c = p->ptr[i];

		if (c == '~')
			c = p->ptr[++i] == '0' ? '~' : '/';
		mem[n++] = c;
	}
	mem[n] = '\0';
	*p = (struct str){ p->ptr + i, p->len - i };
	return n;
}

const json_t *pawl__pointer_get(const json_t *doc, struct str pointer)
{
	char token[POINTER_MAX + 1];

	PRE(pointer.len <= POINTER_MAX);
	while (doc != NULL && pointer.len > 0) {
		const size_t n = token_take(&pointer, token);
		int64_t at;

		if (json_is_object(doc))
			doc = json_object_get(doc, token);
		else if (json_is_array(doc) && pawl__num_parse_i64((struct str){ token, n }, &at) &&
		         at >= 0)
			doc = json_array_get(doc, (size_t)at);
		else
			doc = NULL;
	}
	return doc;
}

static int dump_put(const char *bytes, size_t len, void *data)
{
	pawl__buf_put(data, bytes, len);
	return 0;
}

void pawl__pointer_dump(const json_t *v, struct buf *out)
{
	if (json_dump_callback(v, dump_put, out, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS) !=
	    0)
		buf_lit(out, "null");
}

bool pawl__pointer_json(struct str doc, struct str pointer, struct buf *out)
{
	json_t *root =
		doc.len == 0 ? NULL
			     : json_loadb(doc.ptr, doc.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	const json_t *v = root == NULL ? NULL : pawl__pointer_get(root, pointer);

	if (v != NULL)
		pawl__pointer_dump(v, out);
	json_decref(root);
	return v != NULL;
}

static size_t digits(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && s[i] >= '0' && s[i] <= '9')
		i++;
	return i;
}

bool pawl__pointer_number(struct str s)
{
	size_t i = s.len > 0 && s.ptr[0] == '-' ? 1 : 0, n;

	n = digits(s.ptr + i, s.len - i);
	if (n == 0 || (n > 1 && s.ptr[i] == '0'))
		return false;
	i += n;
	if (i < s.len && s.ptr[i] == '.') {
		n = digits(s.ptr + i + 1, s.len - i - 1);
		if (n == 0)
			return false;
		i += 1 + n;
	}
	if (i < s.len && (s.ptr[i] == 'e' || s.ptr[i] == 'E')) {
		i++;
		if (i < s.len && (s.ptr[i] == '+' || s.ptr[i] == '-'))
			i++;
		n = digits(s.ptr + i, s.len - i);
		if (n == 0)
			return false;
		i += n;
	}
	return i == s.len;
}
