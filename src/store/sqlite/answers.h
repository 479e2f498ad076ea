/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite/answers - finding the answer of an idempotency key among very many, at a cost that does
 * not grow with them: every order asks for a key that is not there.
 *
 *            batch                  full, or old             written out             expired
 *   answer --------> ACTIVE memtable ------------> FROZEN ----------------> RUN ------------> -
 *                    hash -> seq                   hash -> seq              rows, a filter
 *
 * Time is cut into runs; each has tables of its own (runs.h). The active run's answers are appended
 * to answer_<run> under seq, the number of the answer. Their 64-bit hashes (SipHash-2-4 under the
 * file's own seed) stay in memory until there are run_max of them or they are an eighth of the
 * retention old. Then the run is frozen and the next one begins, with new tables in the same
 * transaction; the hashes are written to answer_key_<run> in their order, a slice with each
 * following batch, while a second memtable takes the new ones. With the last slice the run is
 * finished: its row in `answer_run` gets a Bloom filter. Sorted, each index page is written about
 * once - a single index over all keys would rewrite a page for every key.
 *
 * A run whose youngest answer has expired is dropped: its keys in one transaction, its answers in a
 * later one, so that one stall is short. housekeep does it when nobody waits; batches do it when
 * that has not happened for a while (ANSWERS_LATE): expiry never waits for idleness.
 *
 * Invariants:
 *  (1) An answer is in exactly one of active, frozen, a run (or it is expired and dropped).
 *  (2) The hash only leads to candidates: a hit compares caller and key in the row itself, and the
 *      newest row of a key is the one that counts.
 *  (3) What is in memory is derived at open from committed rows: answer_run tells which runs are
 *      finished; of the one or two that are not, the last is active. A run whose keys were half
 *      written is written again; its rows are the same rows.
 *  (4) Memory changes after the commit, never before: a rollback forgets a struct.
 *  (5) There is always an active run; the first is made with the schema. Runs go oldest first, and
 *      not more than one is half gone.
 *
 * Memory: 2 memtables of 24 bytes an answer (run_max plus a batch each, rounded up to a power of
 * two: 12 MiB in all), and filters of 1.5 bytes an answer up to filters_max; the oldest runs beyond
 * it are looked up in the file without one. An open reads at most 2 x run_max answers and the
 * filters. Disk: about 20 bytes an answer for its key.
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
#define ANSWERS_AGES        8 /* a run spans at most this part of the retention: expiry is steady */
#define ANSWERS_LATE        64 /* batches drop a run when it is this part of the retention late */
#define ANSWERS_SLICE_MIN   64u
#define ANSWERS_SLICE_IDLE  4096u /* when nobody waits */
#define ANSWERS_FILTERS_MAX ((size_t)64 << 20)

/* One that is finished. */
struct answer_run {
	int64_t run; /* its number: they ascend */
	int64_t answers;
	int64_t max_at_us;
	struct filter filter; /* may be none */
	bool going;           /* its keys are dropped: not looked at any more */
};

enum answers_drop { ANSWERS_DROP_NONE, ANSWERS_DROP_KEYS, ANSWERS_DROP_ANSWERS };

/* What the open transaction has written, to be done to the memory when it has committed. */
struct answers_step {
	bool freeze;            /* active becomes frozen, the next run active */
	bool finish;            /* frozen is finished */
	uint32_t cursor;        /* slots of frozen that have been walked, .. */
	uint32_t written;       /* .. and keys that were found in them */
	enum answers_drop drop; /* what has gone of the oldest run */
	uint32_t hashes_len;    /* of the new answers */
	int64_t first_seq;
	int64_t now_us;
};

struct answers {
	struct answers_tuning tuning;
	int64_t retention_us;
	unsigned char seed[ANSWERS_SEED_LEN];
	pthread_mutex_t mu; /* to change, and for others than the lane to see, the next six */
	struct memtable table[2];
	int64_t run[2];          /* whose hashes they are; of an empty frozen one: no matter */
	unsigned active;         /* table that takes the new; the other is frozen, or empty */
	struct answer_run *runs; /* owned; oldest first */
	uint32_t runs_len, runs_cap;
	size_t filters_len; /* bytes of all filters */
	/* the lane's alone */
	struct filter building; /* of frozen */
	uint32_t cursor, written;
	int64_t last_seq;
	uint64_t *hashes; /* owned; of the new answers of the open transaction */
	uint32_t hashes_cap;
	struct answers_step step;
};

/* Where a key may be: the answer `seq` of `run`, or (seq 0) somewhere in it. */
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

/* Write the new answers of ws (NULL: nobody waits) and at least `work` rows of upkeep; keeps meta.
 * Never more than one table is dropped. */
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
