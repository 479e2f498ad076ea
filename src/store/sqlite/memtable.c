/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/memtable.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

#define MEMTABLE_CAP_MIN 64u

/* Hashes are stored as SQLite's signed integers; the flipped sign bit makes slot order their order.
 *  */
static uint32_t slot_home(const struct memtable *m, uint64_t hash)
{
	const int slot_bits = __builtin_ctz(m->cap) + 1;

	return (uint32_t)((hash ^ (UINT64_C(1) << 63)) >> (64 - slot_bits));
}

static uint32_t slot_next(const struct memtable *m, uint32_t slot)
{
	return (slot + 1) & (2 * m->cap - 1);
}

static void slot_put(struct memtable *m, uint32_t index)
{
	uint32_t slot = slot_home(m, m->at[index].hash);

	while (m->slot[slot] != 0)
		slot = slot_next(m, slot);
	m->slot[slot] = index + 1;
}

void pawl__memtable_deinit(struct memtable *m)
{
	free(m->at);
	free(m->slot);
	*m = (struct memtable){ .at = NULL };
}

void pawl__memtable_reset(struct memtable *m)
{
	if (m->len > 0)
		memset(m->slot, 0, 2 * (size_t)m->cap * sizeof(*m->slot));
	m->len = 0;
}

bool pawl__memtable_reserve(struct memtable *m, uint32_t more)
{
	uint32_t cap = m->cap == 0 ? MEMTABLE_CAP_MIN : m->cap;
	struct mem_entry *at;
	uint32_t *slot;

	PRE(more < UINT32_MAX / 8 && m->len < UINT32_MAX / 8);
	while (cap < m->len + more)
		cap *= 2;
	if (cap == m->cap)
		return true;
	slot = calloc(2 * (size_t)cap, sizeof(*slot));
	if (slot == NULL)
		return false;
	at = realloc(m->at, cap * sizeof(*at));
	if (at == NULL) {
		free(slot);
		return false;
	}
	free(m->slot);
	m->at = at;
	m->slot = slot;
	m->cap = cap;
	for (uint32_t i = 0; i < m->len; i++)
		slot_put(m, i); /* (2): in order of seq */
	return true;
}

void pawl__memtable_add(struct memtable *m, uint64_t hash, int64_t seq, int64_t at_us)
{
	PRE(m->len < m->cap); /* (1) */
	PRE(m->len == 0 || seq > m->at[m->len - 1].seq);
	if (m->len == 0)
		m->first_at_us = at_us;
	m->last_at_us = at_us;
	m->at[m->len] = (struct mem_entry){ hash, seq };
	slot_put(m, m->len++);
}

const struct mem_entry *pawl__memtable_find(const struct memtable *m, uint64_t hash,
                                            uint32_t *cursor)
{
	uint32_t slot;

	if (m->len == 0)
		return NULL;
	slot = *cursor == MEMTABLE_START ? slot_home(m, hash) : slot_next(m, *cursor);
	for (; m->slot[slot] != 0; slot = slot_next(m, slot)) {
		const struct mem_entry *e = &m->at[m->slot[slot] - 1];

		if (e->hash == hash) {
			*cursor = slot;
			return e;
		}
	}
	return NULL;
}

const struct mem_entry *pawl__memtable_walk(const struct memtable *m, uint32_t *slot)
{
	for (; *slot < 2 * m->cap; (*slot)++) {
		if (m->slot[*slot] != 0)
			return &m->at[m->slot[(*slot)++] - 1];
	}
	return NULL;
}
