/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/filter.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

#define FILTER_PROBES 7

static bool filter_alloc(struct filter *f, uint32_t blocks)
{
	void *p = aligned_alloc(FILTER_BLOCK_LEN, (size_t)blocks * FILTER_BLOCK_LEN);

	if (p == NULL)
		return false;
	*f = (struct filter){ .block = p, .blocks = blocks };
	return true;
}

bool pawl__filter_init(struct filter *f, uint32_t keys)
{
	const uint64_t bits = (uint64_t)keys * FILTER_BITS_PER_KEY;

	if (!filter_alloc(f, (uint32_t)(bits / (8 * FILTER_BLOCK_LEN)) + 1))
		return false;
	memset(f->block, 0, filter_len(f));
	return true;
}

bool pawl__filter_restore(struct filter *f, const void *bytes, size_t len)
{
	if (len == 0 || len % FILTER_BLOCK_LEN != 0 || len / FILTER_BLOCK_LEN > UINT32_MAX)
		return false;
	if (!filter_alloc(f, (uint32_t)(len / FILTER_BLOCK_LEN)))
		return false;
	memcpy(f->block, bytes, len);
	return true;
}

void pawl__filter_deinit(struct filter *f)
{
	free(f->block);
	*f = (struct filter){ .block = NULL };
}

/* The upper half of the hash picks the block; seven times nine bits of a product pick the bits, so
 * that both are independent. */
static uint64_t *filter_block(const struct filter *f, uint64_t hash, uint64_t *ret_bits)
{
	*ret_bits = (hash ^ (hash >> 32)) * UINT64_C(0x9e3779b97f4a7c15);
	return filter_line(f, hash);
}

void pawl__filter_add(struct filter *f, uint64_t hash)
{
	uint64_t bits;
	uint64_t *at;

	PRE(f->block != NULL);
	at = filter_block(f, hash, &bits);
	for (int i = 0; i < FILTER_PROBES; i++, bits >>= 9)
		at[(bits >> 6) & 7] |= UINT64_C(1) << (bits & 63);
}

bool pawl__filter_maybe(const struct filter *f, uint64_t hash)
{
	const uint64_t *at;
	uint64_t bits;

	if (f->block == NULL)
		return true;
	at = filter_block(f, hash, &bits);
	for (int i = 0; i < FILTER_PROBES; i++, bits >>= 9) {
		if ((at[(bits >> 6) & 7] & (UINT64_C(1) << (bits & 63))) == 0)
			return false;
	}
	return true;
}
