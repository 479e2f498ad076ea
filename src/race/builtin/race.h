/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/builtin/race - one strategy of one incident, carried out: by many clients at once, or by two
 * or three sessions in every order.
 *
 * A race: threads with a session each, opened and waiting; the round's rows are set; the gate is
 * opened for all; each thread takes programs by their number until there are none; when all have
 * ended the check looks. A round in which the programs were not under way together is not counted
 * and run again, up to ATTEMPTS times as often as rounds were asked for.
 *
 * Threads: of race, its own, joined before it returns. Limits: RACE_CONNS_MAX sessions.
 */
#ifndef PAWL_RACE_BUILTIN_RACE_H
#define PAWL_RACE_BUILTIN_RACE_H

#include "race/builtin/history.h"
#include "race/builtin/session.h"
#include "race/load/overlap.h"

#define RACE_CONNS_MAX 256
#define RACE_ATTEMPTS  3
#define RACE_NAME_MAX  64

struct race_job {
	const struct builtin_options *options; /* with the defaults filled in */
	const struct incident *incident;
	const struct parts *parts;
	const struct store_ops *ops;
	struct session *admin;
	struct arena *arena;
	uint32_t conns;                  /* at most */
	uint64_t run;                    /* makes names of this run */
	struct builtin_history *history; /* NULL = none */
};

/* The row has name, why and wrong; all else is filled in. */
PAWL_MUST_CHECK enum pawl_status pawl__race_strategy(const struct race_job *job,
                                                     const struct program *program,
                                                     struct builtin_row *row,
                                                     struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status pawl__explore_strategy(const struct race_job *job,
                                                        const struct program *program,
                                                        struct builtin_row *row,
                                                        struct pawl_error *err);

/* Schema, reset, after: steps by one machine, in one session. NULL: nothing. */
PAWL_MUST_CHECK enum pawl_status pawl__race_steps(struct machine *m, struct session *s,
                                                  const struct store_ops *ops,
                                                  const struct step *steps, struct pawl_error *err);

/* Draws the round: spans and ends by program, a span from 0 did not happen. */
void pawl__race_bars(const struct race_span *spans, const enum machine_end *ends, uint32_t programs,
                     int64_t gate_ns, struct builtin_row *row);

/* n of the count of that name in the row, made when it is not there. */
void pawl__race_count(struct builtin_row *row, const struct builtin_count *counts, uint32_t len);
/* "oversold 12, lost 3", of what is not zero, in the arena. */
const char *pawl__race_damage(const struct builtin_row *row, struct arena *arena);
/* The names of this round. */
void pawl__race_prefix(const struct race_job *job, enum strategy strategy, uint32_t round,
                       char ret[RACE_NAME_MAX]);

static inline bool race_cancelled(const struct race_job *job)
{
	return job->options->cancel != NULL && atomic_load(job->options->cancel);
}

#endif /* PAWL_RACE_BUILTIN_RACE_H */
