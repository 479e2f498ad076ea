/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/num.h"

#define BUF_FIRST 512u

void pawl__buf_init_fixed(struct buf *b, char *mem, size_t cap)
{
	*b = (struct buf){ .cap = cap, .max = cap };
	b->data = mem;
}

void pawl__buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max, .grows = true };
}

void pawl__buf_deinit(struct buf *b)
{
	if (b->grows)
		free(b->data);
	*b = (struct buf){ 0 };
}

void pawl__buf_reset(struct buf *b)
{
	b->len = 0;
	b->overflow = false;
}

static bool buf_grow(struct buf *b, size_t need)
{
	size_t cap = b->cap == 0 ? BUF_FIRST : b->cap;
	char *data;

	if (!b->grows || need > b->max)
		return false;
	while (cap < need)
		cap = cap > SIZE_MAX / 2 ? need : cap * 2;
	if (cap > b->max)
		cap = b->max;
	data = realloc(b->data, cap);
	if (data == NULL)
		return false;
	b->data = data;
	b->cap = cap;
	return true;
}

char *pawl__buf_reserve(struct buf *b, size_t n)
{
	size_t need;

	if (b->overflow)
		return NULL;
	if (!num_size_add(b->len, n, &need) || (need > b->cap && !buf_grow(b, need))) {
		b->overflow = true;
		return NULL;
	}
	return b->data == NULL ? NULL : b->data + b->len;
}

void pawl__buf_put_slow(struct buf *b, const void *p, size_t n)
{
	char *at = pawl__buf_reserve(b, n);

	if (at == NULL)
		return;
	memcpy(at, p, n);
	b->len += n;
}

void pawl__buf_u64(struct buf *b, uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v != 0);
	pawl__buf_put(b, digits + at, sizeof(digits) - at);
}

void pawl__buf_i64(struct buf *b, int64_t v)
{
	if (v < 0)
		pawl__buf_putc(b, '-');
	pawl__buf_u64(b, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

static void buf_json_escape(struct buf *b, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	char esc[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };
	size_t n = 2;

	switch (c) {
	case '"':
		esc[1] = '"';
		break;
	case '\\':
		esc[1] = '\\';
		break;
	case '\b':
		esc[1] = 'b';
		break;
	case '\f':
		esc[1] = 'f';
		break;
	case '\n':
		esc[1] = 'n';
		break;
	case '\r':
		esc[1] = 'r';
		break;
	case '\t':
		esc[1] = 't';
		break;
	default:
		n = 6;
		break;
	}
	pawl__buf_put(b, esc, n);
}

void pawl__buf_json(struct buf *b, struct str s)
{
	size_t start = 0;

	pawl__buf_putc(b, '"');
	for (size_t i = 0; i < s.len; i++) {
		const unsigned char c = (unsigned char)s.ptr[i];

		if (PAWL_LIKELY(c >= 0x20 && c != '"' && c != '\\'))
			continue;
		pawl__buf_put(b, s.ptr + start, i - start);
		buf_json_escape(b, c);
		start = i + 1;
	}
	pawl__buf_put(b, s.len == 0 ? "" : s.ptr + start, s.len - start);
	pawl__buf_putc(b, '"');
}

void pawl__buf_shift(struct buf *b, size_t n)
{
	PRE(n <= b->len);
	b->len -= n;
	if (n > 0 && b->len > 0)
		memmove(b->data, b->data + n, b->len);
}
