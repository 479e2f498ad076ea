/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/scenario/round - one round: setup, the clients' steps before, the race itself, the steps
 * after, teardown. What it found out is in its struct until pawl__round_end; run.c judges it.
 *
 * Threads: one. Memory: the round's arena.
 */
#ifndef PAWL_RACE_SCENARIO_ROUND_H
#define PAWL_RACE_SCENARIO_ROUND_H

#include "race/scenario/judge.h"
#include "race/scenario/run.h"
#include "race/scenario/stores.h"

/* What all rounds of a run share. */
struct field {
	const struct scenario *s;
	const struct run_config *config;
	struct volley *race, *control;
	struct stores *stores;
	uint64_t seed;
	bool was_set_up; /* in some round all of setup was accepted */
};

struct round {
	struct field *field;
	struct arena arena;
	uint64_t number, id;
	bool carried, overlapped;
	struct capture_value *of_round;
	struct capture_value *of_client; /* captures of client c from c * stride on */
	uint32_t stride;
	struct race_op *ops;
	uint32_t ops_len;
	struct volley_result result;    /* of the race; empty when it flowed */
	struct volley_flow_result flow; /* SYNC_RATE */
	struct race_overlap overlap;
	int64_t began_ns;
};

/* id: what {round} is. */
void pawl__round_init(struct round *r, struct field *field, uint64_t number, uint64_t id);
void pawl__round_deinit(struct round *r);

/* Up to the steps after the race. Not PAWL_OK: it could not be carried out. */
PAWL_MUST_CHECK enum pawl_status pawl__round_play(struct round *r, struct pawl_error *err);
/* Always, also after a failure. The error is that of the first step that failed. */
PAWL_MUST_CHECK enum pawl_status pawl__round_teardown(struct round *r, struct pawl_error *err);

/* For the judge: data is the round. */
enum pawl_status pawl__round_get(void *data, const struct template *path, struct asked *ret,
                                 struct pawl_error *err);
enum pawl_status pawl__round_store(void *data, const struct step *step, struct asked *ret,
                                   struct pawl_error *err);
void pawl__round_scope(const struct round *r, struct scope *ret);

/* In request.c: a request's text. key: of idempotency, for a policy; empty = none of its own. */
struct built {
	struct volley_request request;
	struct str path, key, sent;
};

PAWL_MUST_CHECK enum pawl_status pawl__request_build(const struct step *step,
                                                     const struct scope *scope, struct str key,
                                                     struct arena *arena, struct built *ret,
                                                     struct pawl_error *err);

/* Take what the step captures out of an answer; to: by capture index. */
PAWL_MUST_CHECK enum pawl_status
pawl__request_capture(const struct step *step, const struct volley_outcome *o, struct arena *arena,
                      struct capture_value *to, struct pawl_error *err);

/* In deal.c: which client sends what. */
struct dealt {
	const struct step *step;
	uint32_t leader; /* whose {client} and {random} it uses */
	struct str key;  /* by the step's policy; empty = none */
};

/* ret: clients of them, in the arena; NULL = out of memory. The same seed, the same deal. */
struct dealt *pawl__deal(const struct scenario *s, uint64_t seed, uint64_t number, uint64_t id,
                         struct arena *arena);
/* {random} of a client in a round; client UINT32_MAX: of the round. */
uint64_t pawl__deal_random(uint64_t seed, uint64_t number, uint32_t client);

#endif /* PAWL_RACE_SCENARIO_ROUND_H */
