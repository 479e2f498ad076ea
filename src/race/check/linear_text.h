/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/linear_text - texts that grow by appending, each known by one number.
 *
 * Two texts have the same number exactly when their bytes are the same, however they were put
 * together. Text 0 is the empty one. A text that came from an append holds its parent and the piece
 * only, so a history's worth of them stays small.
 *
 * Limits: the arena's ceiling, LIN_TEXTS_MAX texts. Refusals: LIN_TEXT_NONE. Threads: one owner.
 */
#ifndef PAWL_RACE_CHECK_LINEAR_TEXT_H
#define PAWL_RACE_CHECK_LINEAR_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/str.h"

#define LIN_TEXT_NONE UINT32_MAX
#define LIN_TEXTS_MAX (UINT32_C(1) << 30)

struct lin_text_node {
	const char *piece; /* borrowed from who put it */
	uint64_t hash;     /* of all bytes, modulo 2^61 - 1 */
	uint64_t power;    /* the base to the len-th power */
	size_t len;        /* of all bytes */
	uint32_t parent;   /* what stands before the piece */
	uint32_t piece_len;
};

struct lin_text {
	struct lin_text_node *nodes; /* owned */
	uint32_t *slots;             /* owned; node + 1 or 0, by hash */
	uint32_t len, cap;
	uint32_t slots_len; /* a power of two */
};

void pawl__lin_text_init(struct lin_text *t);
void pawl__lin_text_deinit(struct lin_text *t);

/* The number of these bytes, which must outlive t. LIN_TEXT_NONE: no memory, or too many. */
uint32_t pawl__lin_text_put(struct lin_text *t, struct str s);
/* The number of text `id` with text `piece` behind it. */
uint32_t pawl__lin_text_append(struct lin_text *t, uint32_t id, uint32_t piece);

/* Whether the bytes of `id` can be the start of those of `whole`; never wrong when it says no.
 * whole was put in one piece. */
bool pawl__lin_text_may_start(const struct lin_text *t, uint32_t id, uint32_t whole);

/* Copy the bytes of id into at most cap bytes at ret; returns how many the text has. */
size_t pawl__lin_text_get(const struct lin_text *t, uint32_t id, char *ret, size_t cap);

#endif /* PAWL_RACE_CHECK_LINEAR_TEXT_H */
