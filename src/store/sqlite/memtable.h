/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite/memtable - the hashes of the newest answers, in memory: hash -> seq, append only.
 *
 * Open addressing with linear probing. The home slot of a hash is its top bits, so a walk over the
 * slots meets the entries in (all but) ascending order of the hash: a table that is written out as
 * a sorted run needs no sort.
 *
 * Invariants: (1) at most half of the slots are in use. (2) Entries of one hash are met in the
 * order in which they were added.
 * Memory: 24 bytes for each entry that there is room for. Threads: its owner's.
 */
#ifndef PAWL_STORE_SQLITE_MEMTABLE_H
#define PAWL_STORE_SQLITE_MEMTABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

struct mem_entry {
	uint64_t hash;
	int64_t seq;
};

struct memtable {
	struct mem_entry *at; /* owned; in order of seq */
	uint32_t *slot;       /* owned; index into at, plus one; 0 = free */
	uint32_t len, cap;    /* cap is a power of two; there are twice as many slots */
	int64_t first_at_us;  /* times of the first and the last answer */
	int64_t last_at_us;
};

void pawl__memtable_deinit(struct memtable *m);

/* Forget the entries; keeps the memory. */
void pawl__memtable_reset(struct memtable *m);

/* Room for `more` entries beside those that are there. false: no memory, nothing has changed. */
PAWL_MUST_CHECK bool pawl__memtable_reserve(struct memtable *m, uint32_t more);

/* There is room. seq is above all that are there. */
void pawl__memtable_add(struct memtable *m, uint64_t hash, int64_t seq, int64_t at_us);

/* The next entry of this hash; *cursor starts as MEMTABLE_START. NULL: no more. */
#define MEMTABLE_START UINT32_MAX
const struct mem_entry *pawl__memtable_find(const struct memtable *m, uint64_t hash,
                                            uint32_t *cursor);

/* The next entry at or behind slot *slot in order of hashes; moves *slot behind it. NULL: no more.
 *  */
const struct mem_entry *pawl__memtable_walk(const struct memtable *m, uint32_t *slot);

#endif /* PAWL_STORE_SQLITE_MEMTABLE_H */
