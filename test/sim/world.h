/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One seed of the simulation: clients with idempotency keys over an engine over a store with
 * faults, and everything that must hold after every step.
 *
 *   client:  IDLE -- makes a transaction --> ASKING -- definite answer --> IDLE
 *                                             ^   | 503, 504, death of the process
 *                                             '---'  the same key again
 *
 * Checked after every step, by the answers and rows that are read back and by the model:
 *  (1) every key that the store knows is decided as the model decides it, once;
 *  (2) an answer that a client was given is the one remembered, byte for byte, and stays;
 *  (3) a request answered with 503 left nothing;
 *  (4) a key of unknown outcome is remembered or has no effect, never something between;
 *  (5) each balance, held amount, floor, record and hold is the model's; each unit sums to zero;
 *      the items put in are available, held or sold; the audit of the store finds nothing.
 */
#ifndef TEST_SIM_WORLD_H
#define TEST_SIM_WORLD_H

#include "base/rng.h"
#include "client.h"
#include "kit.h"
#include "model.h"
#include "mutants.h"

#define SIM_CLIENTS  6
#define SIM_KEYS_MAX 1024

struct sim_options {
	uint64_t seed;
	uint32_t steps;
	enum mutant mutant; /* MUTANT_NONE but to see the checks fail */
	bool print;         /* the log of the run and the trace of the store, however it ends */
};

struct sim_report {
	bool held;     /* every promise */
	char why[512]; /* the first that did not */
	uint64_t hash; /* of all that would be printed: the same options give the same */
};

void sim_run(const struct sim_options *opt, struct sim_report *ret);

/* Inside: the run, and the parts that world.c shares with check.c. */

struct sim_key {
	char name[24];
	struct kit_tx *tx; /* owned */
	bool decided;      /* the store knows it: played on the model */
	bool acked;        /* a client was told */
	struct kit_answer answer;
};

struct sim {
	const struct sim_options *opt;
	struct rng rng;
	struct store *store; /* borrowed: the engine's */
	struct memory_sim *world;
	struct kit kit;
	struct model model;
	struct client client; /* what all clients know */
	struct sim_key *keys; /* owned, SIM_KEYS_MAX */
	uint32_t keys_len;
	uint32_t asking[SIM_CLIENTS]; /* index of the key + 1; 0 = idle */
	/* this step: keys in the order in which they were queued, and copies of requests */
	uint32_t queued[SIM_CLIENTS];
	uint32_t queued_len;
	int64_t last_at_us; /* time of the latest decision */
	struct buf log;
	bool failed;
	char why[512];
	struct kit_read read;
};

PAWL_PRINTF(2, 3) void sim_log(struct sim *s, const char *fmt, ...);
/* A promise is broken. */
PAWL_PRINTF(2, 3) void sim_fail(struct sim *s, const char *fmt, ...);

static inline uint64_t sim_draw(struct sim *s, uint64_t bound)
{
	return pawl__rng_below(&s->rng, bound);
}

/* check.c: what the store says of the keys of this step, then of everything. */
void check_step(struct sim *s);
void check_answer(struct sim *s, struct sim_key *k, const struct kit_answer *given, bool was_known);

#endif /* TEST_SIM_WORLD_H */
