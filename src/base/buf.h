/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/buf - a byte buffer with a ceiling. An append that would pass the ceiling (or that the heap
 * refuses) writes nothing and latches `overflow`; later appends do nothing. Test once, at the end.
 *
 * Two kinds: over the caller's memory (fixed), or on the heap, growing up to its ceiling.
 * Threads: one owner at a time.
 */
#ifndef PAWL_BASE_BUF_H
#define PAWL_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/str.h"

struct buf {
	char *data;    /* owned when grows */
	size_t len;    /* bytes in use */
	size_t cap;    /* bytes at data */
	size_t max;    /* ceiling */
	bool grows;    /* data is on the heap */
	bool overflow; /* latched */
};

/* Over the caller's memory, which must outlive the buffer. */
void pawl__buf_init_fixed(struct buf *b, char *mem, size_t cap);
/* On the heap; allocates at the first append. */
void pawl__buf_init(struct buf *b, size_t max);
void pawl__buf_deinit(struct buf *b);

/* Forget the contents and the latch; keeps the memory. */
void pawl__buf_reset(struct buf *b);

/* Make room for n more bytes and return where they go, or NULL and the latch. Does not move len. */
char *pawl__buf_reserve(struct buf *b, size_t n);

/* The way of an append that does not fit at once: grows, or latches. */
void pawl__buf_put_slow(struct buf *b, const void *p, size_t n);

/* Answers are made of many short appends, so the ordinary case is inline. */
static inline void pawl__buf_put(struct buf *b, const void *p, size_t n)
{
	if (n == 0)
		return;
	if (PAWL_UNLIKELY(b->overflow || n > b->cap - b->len)) {
		pawl__buf_put_slow(b, p, n);
		return;
	}
	memcpy(b->data + b->len, p, n);
	b->len += n;
}

static inline void pawl__buf_putc(struct buf *b, char c)
{
	pawl__buf_put(b, &c, 1);
}

void pawl__buf_i64(struct buf *b, int64_t v);
void pawl__buf_u64(struct buf *b, uint64_t v);
/* A JSON string with its quotes, escaped by RFC 8259 section 7. s is valid UTF-8. */
void pawl__buf_json(struct buf *b, struct str s);
/* Drop the first n bytes. */
void pawl__buf_shift(struct buf *b, size_t n);

static inline void buf_str(struct buf *b, struct str s)
{
	pawl__buf_put(b, s.ptr, s.len);
}

#define buf_lit(b, literal) pawl__buf_put((b), (literal), sizeof(literal) - 1)

static inline struct str buf_get(const struct buf *b)
{
	return (struct str){ b->data, b->len };
}

#endif /* PAWL_BASE_BUF_H */
