/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite/answers - finding the answer of an idempotency key among very many, at a cost that does
 * not grow with them: every order asks for a key that is not there.
 *
 *            batch                  full, or old             written out             expired
 *   answer --------> ACTIVE memtable ------------> FROZEN ----------------> RUN ------------> -
 *                    hash -> seq                   hash -> seq              rows, a filter
 *
 * The rows of table `answer` are appended under seq, the number of the answer. Their 64-bit hashes
 * (SipHash-2-4 under the file's own seed) stay in memory until there are run_max of them or they
 * are an eighth of the retention old. Then they are frozen, and written to `answer_key` in order of
 * the hash, a slice with each following batch, while a second memtable takes the new ones. When the
 * last slice is written the run is finished: it gets a row in `answer_run` with a Bloom filter.
 * A run's rows lie side by side in answer_key, so each index page is written about once - a single
 * index over all keys would rewrite a page for every key. A run whose youngest answer has expired
 * is deleted from its start on, again in slices.
 *
 * Invariants:
 *  (1) An answer is in exactly one of active, frozen, a run (or it is expired and dropped).
 *  (2) The hash only leads to candidates: a hit compares caller and key in the row itself, and the
 *      newest row of a key is the one that counts.
 *  (3) What is in memory is derived at open from committed rows: runs from answer_run, frozen and
 *      active from the answers behind the last run, split at meta.frozen_seq. A run that was half
 *      written is written again; its rows are the same rows.
 *  (4) Memory changes after the commit, never before: a rollback forgets a struct.
 *
 * Memory: 2 memtables of 24 bytes an answer (run_max plus a batch each, rounded up to a power of
 * two: 12 MiB in all), and filters of 1.5 bytes an answer up to filters_max; the oldest runs beyond
 * it are looked up in the file without one. An open reads at most 2 x run_max answers and the
 * filters. Disk: about 20 bytes an answer for answer_key.
 * Threads: the lane's; pawl__answers_probe by others while they hold `mu`.
 */
#ifndef PAWL_STORE_SQLITE_ANSWERS_H
#define PAWL_STORE_SQLITE_ANSWERS_H

#include <pthread.h>

#include "base/arena.h"
#include "base/compiler.h"
#include "core/ws.h"
#include "store/sqlite/filter.h"
#include "store/sqlite/memtable.h"
#include "store/sqlite/meta.h"

#define ANSWERS_SEED_LEN 16 /* of SipHash */

struct answers_tuning {
	uint32_t run_max;   /* answers in a run */
	uint32_t slice_min; /* of index rows with each batch, beside two for each of its answers */
	size_t filters_max; /* bytes */
	uint64_t hash_mask; /* tests let hashes collide */
};

#define ANSWERS_RUN_MAX     262144u
#define ANSWERS_SLICE_MIN   64u
#define ANSWERS_SLICE_IDLE  4096u /* when nobody waits */
#define ANSWERS_FILTERS_MAX ((size_t)64 << 20)

struct answer_run {
	int64_t run; /* its number: they ascend */
	int64_t first_seq, last_seq;
	int64_t max_at_us;
	struct filter filter; /* may be none */
};

/* What the open transaction has written, to be done to the memory when it has committed. */
struct answers_step {
	bool freeze;         /* active becomes frozen */
	int64_t finish;      /* frozen has become this run; 0 = it has not */
	uint32_t cursor;     /* slots of frozen that have been walked, .. */
	uint32_t written;    /* .. and keys that were found in them */
	int64_t dropped;     /* answers of the oldest run that are deleted */
	bool drop;           /* it is all gone */
	uint32_t hashes_len; /* of the new answers */
	int64_t first_seq;
	int64_t now_us;
};

struct answers {
	struct answers_tuning tuning;
	int64_t retention_us;
	unsigned char seed[ANSWERS_SEED_LEN];
	pthread_mutex_t mu; /* to change, and for others than the lane to see, the next five */
	struct memtable table[2];
	unsigned active;         /* table that takes the new; the other is frozen, or empty */
	struct answer_run *runs; /* owned; oldest first */
	uint32_t runs_len, runs_cap;
	size_t filters_len; /* bytes of all filters */
	/* the lane's alone */
	struct filter building; /* of frozen */
	uint32_t cursor, written;
	int64_t dropped;
	int64_t last_seq;
	uint64_t *hashes; /* owned; of the new answers of the open transaction */
	uint32_t hashes_cap;
	struct answers_step step;
};

/* Where a key may be: the answer `seq` itself, or (seq 0) somewhere in `run`. */
struct answer_candidate {
	int64_t run, seq;
};

/* Candidates, newest first. Zero it and set arena. */
struct answer_probe {
	struct arena *arena;
	struct answer_candidate *at;
	uint32_t len, cap;
};

/* tuning NULL = the defaults. */
void pawl__answers_init(struct answers *a, const struct answers_tuning *tuning,
                        int64_t retention_us);
/* Read what is there, once. */
PAWL_MUST_CHECK enum pawl_status pawl__answers_open(struct answers *a, struct conn *c,
                                                    struct pawl_error *err);
/* Read the seed of the hash and nothing else, for one who finds answers by SQL alone. */
PAWL_MUST_CHECK enum pawl_status pawl__answers_open_bare(struct answers *a, struct conn *c,
                                                         struct pawl_error *err);
void pawl__answers_deinit(struct answers *a);

uint64_t pawl__answers_hash(const struct answers *a, struct str caller, struct str key);

/* false: the arena is full. */
PAWL_MUST_CHECK bool pawl__answers_probe(const struct answers *a, uint64_t hash,
                                         struct answer_probe *ret);

/* Write the new answers of ws (NULL: none) and at least `work` rows of upkeep; keeps meta. */
PAWL_MUST_CHECK enum pawl_status pawl__answers_flush(struct answers *a, struct conn *c,
                                                     struct meta *meta, const struct ws *ws,
                                                     uint32_t work, struct pawl_error *err);

/* A transaction begins: forget what one that was rolled back had written. */
void pawl__answers_begin(struct answers *a);
/* It has committed. */
void pawl__answers_committed(struct answers *a);

/* There is upkeep to do besides taking new answers. */
bool pawl__answers_due(const struct answers *a, int64_t high_water_us);

static inline bool answer_expired(int64_t at_us, int64_t retention_us, int64_t now_us)
{
	return at_us <= now_us - retention_us;
}

#endif /* PAWL_STORE_SQLITE_ANSWERS_H */
