/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/num.h"

#define ARENA_ALIGN 16u

struct arena_block {
	struct arena_block *next;
	size_t len; /* of data */
	size_t used;
	_Alignas(ARENA_ALIGN) unsigned char data[];
};

void pawl__arena_init(struct arena *a, size_t block_len, size_t max)
{
	PRE(block_len > 0 && block_len <= max);
	*a = (struct arena){ .block_len = block_len, .max = max, .keep = block_len };
}

void pawl__arena_keep(struct arena *a, size_t bytes)
{
	a->keep = bytes;
}

/* Free the first block of a list. */
static void block_drop(struct arena *a, struct arena_block **list)
{
	struct arena_block *b = *list;

	*list = b->next;
	a->used -= b->len;
	free(b);
}

static struct arena_block *block_get(struct arena *a, size_t len)
{
	struct arena_block *b;
	size_t size, used;

	if (a->spare != NULL && a->spare->len >= len) {
		b = a->spare;
		a->spare = b->next;
		b->used = 0;
		return b;
	}
	if (len < a->block_len)
		len = a->block_len;
	/* A spare too small for this counts too, and must not take the place that is left. */
	while (a->spare != NULL && len > a->max - a->used)
		block_drop(a, &a->spare);
	if (!num_size_add(a->used, len, &used) || used > a->max ||
	    !num_size_add(len, sizeof(*b), &size))
		return NULL;
	b = malloc(size);
	if (b == NULL)
		return NULL;
	b->len = len;
	b->used = 0;
	a->used = used;
	return b;
}

void *pawl__arena_alloc(struct arena *a, size_t len)
{
	struct arena_block *b = a->head;
	size_t rounded;
	void *p;

	if (!num_size_add(len, ARENA_ALIGN - 1, &rounded)) {
		a->failed = true;
		return NULL;
	}
	rounded &= ~(size_t)(ARENA_ALIGN - 1);
	if (b == NULL || b->len - b->used < rounded) {
		b = block_get(a, rounded);
		if (b == NULL) {
			a->failed = true;
			return NULL;
		}
		b->next = a->head;
		a->head = b;
	}
	p = b->data + b->used;
	b->used += rounded;
	return p;
}

void *pawl__arena_zero(struct arena *a, size_t len)
{
	void *p = pawl__arena_alloc(a, len);

	if (p != NULL)
		memset(p, 0, len);
	return p;
}

void *pawl__arena_zero_array(struct arena *a, size_t size, size_t n)
{
	size_t len;

	if (__builtin_mul_overflow(size, n, &len)) {
		a->failed = true;
		return NULL;
	}
	return pawl__arena_zero(a, len);
}

struct str pawl__arena_str(struct arena *a, struct str s)
{
	char *p = pawl__arena_alloc(a, s.len + 1);

	if (p == NULL)
		return STR_NONE;
	if (s.len > 0)
		memcpy(p, s.ptr, s.len);
	p[s.len] = '\0';
	return (struct str){ p, s.len };
}

void pawl__arena_reset(struct arena *a)
{
	while (a->head != NULL) {
		struct arena_block *b = a->head;

		if (b->len != a->block_len) {
			block_drop(a, &a->head);
			continue;
		}
		a->head = b->next;
		b->next = a->spare;
		a->spare = b;
	}
	/* Last, so that neither order nor size of what was handed out decides what stays. */
	while (a->spare != NULL && a->used > a->keep)
		block_drop(a, &a->spare);
	a->failed = false;
}

void pawl__arena_deinit(struct arena *a)
{
	pawl__arena_reset(a);
	while (a->spare != NULL)
		block_drop(a, &a->spare);
	POST(a->used == 0);
}
