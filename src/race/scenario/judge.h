/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/scenario/judge - one expectation and one round: held or not, in words, and by which
 * operations it can be seen.
 *
 * What is asked of the target or a database comes in by the caller's hands (judge_ask), so that
 * everything here is decided on values alone.
 *
 * Threads: none of its own. Memory: the round's arena.
 */
#ifndef PAWL_RACE_SCENARIO_JUDGE_H
#define PAWL_RACE_SCENARIO_JUDGE_H

#include <jansson.h>

#include "base/arena.h"
#include "race/scenario/run.h"

#define WITNESS_MAX RUN_LANES_MAX

struct finding {
	enum verdict verdict;
	enum pawl_status status; /* VERDICT_ERROR: why */
	char detail[RUN_DETAIL_MAX];
	uint32_t witness[WITNESS_MAX]; /* places in the round's ops */
	uint32_t witness_len;
};

/* An answer of the target, rows of a database: as JSON. */
struct asked {
	int status;
	struct str body; /* JSON text */
};

struct judge {
	struct arena *arena; /* the round's */
	struct scope scope;
	const struct race_op *ops;
	uint32_t ops_len;
	bool carried;
	/* From the last round that was set up, this one included. */
	const struct status_count *statuses;
	uint32_t statuses_len;
	int64_t *carried_sum; /* of each expectation; updated */
	void *data;
	enum pawl_status (*get)(void *data, const struct template *path, struct asked *ret,
	                        struct pawl_error *err);
	enum pawl_status (*store)(void *data, const struct step *step, struct asked *ret,
	                          struct pawl_error *err);
};

/* i: the expectation's place. */
void pawl__judge(const struct judge *j, const struct expect *e, uint32_t i, struct finding *ret);

/* Whether v is as the match says. Not PAWL_OK: the match itself cannot be made. why: what was seen
 * instead. */
PAWL_MUST_CHECK enum pawl_status pawl__match(const struct match *m, const struct scope *scope,
                                             const json_t *v, bool *ret_ok, struct buf *why,
                                             struct pawl_error *err);

#endif /* PAWL_RACE_SCENARIO_JUDGE_H */
