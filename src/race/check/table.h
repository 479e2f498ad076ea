/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/table - a map from 64-bit keys to 32-bit values: open addressing, linear probing,
 * never more than half full. TABLE_NONE is no value, so an empty slot needs no mark of its own.
 * Threads: one owner. Limits: TABLE_MAX entries. The order of entries is never visible.
 */
#ifndef PAWL_RACE_CHECK_TABLE_H
#define PAWL_RACE_CHECK_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"

#define TABLE_NONE UINT32_MAX
#define TABLE_MAX  ((size_t)1 << 31)

struct table_slot {
	uint64_t key;
	uint32_t value; /* TABLE_NONE: empty */
};

struct table {
	struct table_slot *slots; /* owned */
	size_t mask;              /* slots - 1; slots is a power of two */
	size_t len;
};

/* A finaliser of MurmurHash3 (Appleby, public domain): every bit of x reaches every bit. */
static inline uint64_t table_mix(uint64_t x)
{
	x ^= x >> 33;
	x *= UINT64_C(0xff51afd7ed558ccd);
	x ^= x >> 33;
	x *= UINT64_C(0xc4ceb9fe1a85ec53);
	x ^= x >> 33;
	return x;
}

/* For pairs such as (key, value). Not injective: use pawl__table_* only with keys that are. */
static inline uint64_t table_pair(uint32_t a, uint64_t b)
{
	return table_mix(b + UINT64_C(0x9e3779b97f4a7c15) * ((uint64_t)a + 1));
}

/* Room for n entries before it grows; n may be 0. false: no memory. */
PAWL_MUST_CHECK static inline bool table_init(struct table *t, size_t n)
{
	size_t slots = 16;

	while (slots < n * 2)
		slots *= 2;
	*t = (struct table){ .mask = slots - 1 };
	t->slots = malloc(slots * sizeof(*t->slots));
	if (t->slots == NULL)
		return false;
	memset(t->slots, 0xff, slots * sizeof(*t->slots));
	return true;
}

static inline void table_deinit(struct table *t)
{
	free(t->slots);
	*t = (struct table){ 0 };
}

static inline uint32_t table_get(const struct table *t, uint64_t key)
{
	size_t i = (size_t)table_mix(key) & t->mask;

	while (t->slots[i].value != TABLE_NONE && t->slots[i].key != key)
		i = (i + 1) & t->mask;
	return t->slots[i].value;
}

PAWL_MUST_CHECK static inline bool table_grow(struct table *t)
{
	struct table bigger;

	if (t->len >= TABLE_MAX || !table_init(&bigger, (t->mask + 1)))
		return false;
	for (size_t i = 0; i <= t->mask; i++) {
		size_t at = (size_t)table_mix(t->slots[i].key) & bigger.mask;

		if (t->slots[i].value == TABLE_NONE)
			continue;
		while (bigger.slots[at].value != TABLE_NONE)
			at = (at + 1) & bigger.mask;
		bigger.slots[at] = t->slots[i];
	}
	bigger.len = t->len;
	free(t->slots);
	*t = bigger;
	return true;
}

/* Where the value of key is or goes, TABLE_NONE when new: the caller then writes one. The pointer
 * is good until the next call. NULL: no memory. */
PAWL_MUST_CHECK static inline uint32_t *table_put(struct table *t, uint64_t key)
{
	size_t i;

	if (PAWL_UNLIKELY(t->len * 2 > t->mask) && !table_grow(t))
		return NULL;
	i = (size_t)table_mix(key) & t->mask;
	while (t->slots[i].value != TABLE_NONE && t->slots[i].key != key)
		i = (i + 1) & t->mask;
	if (t->slots[i].value == TABLE_NONE) {
		t->slots[i].key = key;
		t->len++;
	}
	return &t->slots[i].value;
}

#endif /* PAWL_RACE_CHECK_TABLE_H */
