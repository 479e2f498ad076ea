/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite/filter - a blocked Bloom filter over 64-bit hashes (Putze, Sanders, Singler 2007): "surely
 * not here" or "maybe here". All bits of a key lie in one cache line, so a probe is one miss.
 *
 * 12 bits a key and 7 probes: about 1% of the keys that are not there say maybe. A filter has the
 * size that it was made with; its bytes are stored as they are (little-endian machines only).
 * Threads: none of its own; a filter that nobody adds to may be probed by any.
 */
#ifndef PAWL_STORE_SQLITE_FILTER_H
#define PAWL_STORE_SQLITE_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

#define FILTER_BITS_PER_KEY 12u
#define FILTER_BLOCK_LEN    64u /* bytes: a cache line */

struct filter {
	uint64_t *block; /* owned, aligned to a cache line; NULL = no filter: all are maybes */
	uint32_t blocks;
};

/* Room for `keys` keys. false: no memory. */
PAWL_MUST_CHECK bool pawl__filter_init(struct filter *f, uint32_t keys);
/* From stored bytes. false: no memory, or a length that no filter has. */
PAWL_MUST_CHECK bool pawl__filter_restore(struct filter *f, const void *bytes, size_t len);
void pawl__filter_deinit(struct filter *f);

void pawl__filter_add(struct filter *f, uint64_t hash);
bool pawl__filter_maybe(const struct filter *f, uint64_t hash);

/* The cache line of a key. */
static inline uint64_t *filter_line(const struct filter *f, uint64_t hash)
{
	const size_t block = (size_t)(((hash >> 32) * f->blocks) >> 32);

	return f->block + block * (FILTER_BLOCK_LEN / sizeof(*f->block));
}

/* Have it on its way: for many filters, all of them first. */
static inline void filter_prefetch(const struct filter *f, uint64_t hash)
{
	if (f->block != NULL)
		__builtin_prefetch(filter_line(f, hash));
}

static inline size_t filter_len(const struct filter *f)
{
	return (size_t)f->blocks * FILTER_BLOCK_LEN;
}

#endif /* PAWL_STORE_SQLITE_FILTER_H */
