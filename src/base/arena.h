/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/arena - memory that is given back all at once.
 *
 * An arena has a ceiling. An allocation that would pass it, or that the heap refuses, returns NULL
 * and latches `failed`, so that a long run of allocations may be checked once at its end.
 * A reset keeps one ordinary block (or what pawl__arena_keep allows), so an owner whose work fits
 * allocates nothing in the steady state, and a burst's memory goes back to the heap.
 *
 * Threads: none of its own; one owner at a time.
 */
#ifndef PAWL_BASE_ARENA_H
#define PAWL_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/str.h"

struct arena_block;

struct arena {
	struct arena_block *head;  /* owned; the block that is being filled is first */
	struct arena_block *spare; /* owned; empty blocks */
	size_t block_len;
	size_t used; /* bytes in blocks, counted against max */
	size_t max;
	size_t keep; /* bytes of blocks that a reset keeps */
	bool failed;
};

/* block_len: bytes of an ordinary block; max: ceiling over all blocks. Allocates nothing. */
void pawl__arena_init(struct arena *a, size_t block_len, size_t max);

/* How many bytes of ordinary blocks a reset keeps for the next use; one block unless told. */
void pawl__arena_keep(struct arena *a, size_t bytes);

/* Give back every allocation. Clears `failed`. */
void pawl__arena_reset(struct arena *a);
void pawl__arena_deinit(struct arena *a);

/* Aligned to 16. NULL and a.failed when over the ceiling. Not zeroed. len may be 0. */
void *pawl__arena_alloc(struct arena *a, size_t len);

/* A copy of s in the arena with a NUL behind it (not counted); STR_NONE and a.failed on failure. */
struct str pawl__arena_str(struct arena *a, struct str s);

#define arena_new(a, type)      ((type *)pawl__arena_zero((a), sizeof(type)))
#define arena_array(a, type, n) ((type *)pawl__arena_zero_array((a), sizeof(type), (n)))
void *pawl__arena_zero(struct arena *a, size_t len);
void *pawl__arena_zero_array(struct arena *a, size_t size, size_t n);

#endif /* PAWL_BASE_ARENA_H */
