/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Histories for the tests of the transactional checkers: made by seed by a simulated database of a
 * known isolation level, or with one planted anomaly; written as Jepsen EDN, so that they pass
 * through the reader like anybody's.
 *
 * A database is a log of commits and, per transaction, the set of commits that it sees, in bits.
 * What a key holds is the list of the values written to it, in the order of the log; a register's
 * value is the last of them. So one simulation serves list-append and registers.
 *
 *   serial       sees everything at its commit
 *   snapshot     sees everything at its begin; of two concurrent writers of a key the second fails
 *   committed    sees everything at each read
 *   causal       sees its session's past, and others' commits with all that those saw
 *   read atomic  sees its session's past, and any other commits
 */
#ifndef TEST_RACE_CHECK_GEN_HISTORY_H
#define TEST_RACE_CHECK_GEN_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/rng.h"
#include "race/check/history.h"

#define GEN_OPS   64
#define GEN_MOPS  6
#define GEN_KEYS  6
#define GEN_LIST  48
#define GEN_NEVER UINT32_MAX

/* A value is a number from 1; a register that was never written reads 0, which is nil. */
struct gen_mop {
	bool write; /* or append */
	uint32_t key;
	uint16_t value;
	uint16_t len; /* of a list that was read */
	uint16_t at[GEN_LIST];
};

struct gen_op {
	uint32_t process;
	enum history_type type;
	uint32_t inv, ret; /* places in time, all different; GEN_NEVER */
	uint32_t mops;
	struct gen_mop mop[GEN_MOPS];
};

struct gen_history {
	bool lists;
	uint32_t keys;
	uint32_t ops; /* in the order of inv */
	struct gen_op op[GEN_OPS];
};

enum gen_db { GEN_SERIAL, GEN_SNAPSHOT, GEN_COMMITTED, GEN_CAUSAL, GEN_READ_ATOMIC, GEN_DBS };

struct gen_shape {
	enum gen_db db;
	bool lists;
	uint32_t ops, mops, keys, processes; /* at most */
	bool crashes;                        /* some fail, some have no known outcome */
	bool last_read;                      /* at the end somebody reads every key */
};

void gen_make(struct gen_history *g, const struct gen_shape *shape, struct rng *rng);

/* Give one read another answer. false: there is no read. */
bool gen_spoil(struct gen_history *g, struct rng *rng);

/* Named anomalies. */
enum gen_anomaly {
	PLANT_G0, /* lists */
	PLANT_G1A,
	PLANT_G1B,
	PLANT_G1C,
	PLANT_SINGLE, /* lists; of registers the same is PLANT_FRACTURED_INITIAL */
	PLANT_FRACTURED_INITIAL,
	PLANT_FRACTURED,
	PLANT_LONG_FORK, /* the smallest G-nonadjacent */
	PLANT_LOST_UPDATE,
	PLANT_WRITE_SKEW, /* the smallest G2-item */
	PLANT_G2,         /* three transactions round */
	PLANT_INTERNAL,
	PLANT_FUTURE,         /* registers */
	PLANT_THIN_AIR,       /* registers */
	PLANT_OTV,            /* registers */
	PLANT_CAUSAL,         /* registers */
	PLANT_CAUSAL_SESSION, /* registers */
	PLANT_ORDER,          /* lists: incompatible-order */
	PLANT_DUPLICATE,      /* lists: duplicate-elements */
	PLANTS
};

/*
 * A serial history, and before or behind it the anomaly, on keys and by processes of its own.
 * false: that one can't be planted in such a history.
 */
bool gen_plant(struct gen_history *g, enum gen_anomaly what, bool lists, struct rng *rng);

/* As EDN, into a buffer that has HISTORY_SLACK zero bytes behind its len. */
void gen_write(const struct gen_history *g, struct buf *to);
/* NULL: the reader refused it, and said so on stderr. */
struct history *gen_read(const struct gen_history *g);
void gen_print(const struct gen_history *g);

/* Drop transactions, then single reads and writes, as long as `fails` goes on to say true. */
typedef bool (*gen_fails_fn)(const struct gen_history *g, void *arg);
void gen_shrink(struct gen_history *g, gen_fails_fn fails, void *arg);

#endif /* TEST_RACE_CHECK_GEN_HISTORY_H */
