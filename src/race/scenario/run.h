/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/scenario/run - a scenario carried out, round by round, and what came of it.
 *
 * Verdicts, of an expectation in a round, of a round, of an expectation in all rounds, of the run;
 * the heaviest below counts:
 *
 *     held < inconclusive < error < violated
 *
 * inconclusive: the overlap that was asked for was not reached, or answers are missing without
 * which it cannot be said. error: the round could not be carried out, or the expectation does not
 * fit the target. The first error ends the run: it would come again.
 *
 * When a step of setup is refused with 409 or 412 in a later round although it was accepted in an
 * earlier one, what that round left is still there. Such a round is `carried`: statuses and sums
 * over answers are counted from the last round that was set up.
 *
 * It sends to the scenario's target only, and asks only the databases that it names. It prints
 * nothing. No text of a report has a secret in it: what came from environment variables is replaced
 * when it is kept.
 *
 * Threads: one. Limits: RUN_*, and those of scenario.h and load.h.
 */
#ifndef PAWL_RACE_SCENARIO_RUN_H
#define PAWL_RACE_SCENARIO_RUN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/compiler.h"
#include "base/hist.h"
#include "pawl/error.h"
#include "race/load/load.h"
#include "race/scenario/scenario.h"

#define RUN_STATUSES_MAX 64   /* rows of the status histogram */
#define RUN_SERIES_MAX   1000 /* rounds whose skew is kept for the plot */
#define RUN_LANES_MAX    8    /* operations of the diagram */
#define RUN_DETAIL_MAX   400  /* bytes of a text about an expectation */
#define RUN_BODY_MAX     240  /* bytes of an answer that are shown */
#define RUN_ROUND_MEMORY ((size_t)512 << 20)
#define RUN_NOTES_MAX    8

enum verdict { VERDICT_HELD, VERDICT_INCONCLUSIVE, VERDICT_ERROR, VERDICT_VIOLATED };
#define VERDICTS 4

/* "held", "inconclusive", "error", "violated" */
const char *pawl__verdict_name(enum verdict v);

static inline enum verdict verdict_worse(enum verdict a, enum verdict b)
{
	return a > b ? a : b;
}

/* Wilson's interval at 95 % for n of total. total 0: [0, 1]. */
void pawl__wilson(uint64_t n, uint64_t total, double *ret_low, double *ret_high);

/* One request of the race in one round. */
struct race_op {
	const struct step *step;
	uint32_t client, leader; /* leader: whose {client} and {random} it used */
	uint64_t random;
	struct str path, key; /* as sent; key: of idempotency, empty = none */
	struct str sent;      /* body */
	enum volley_class class;
	int status; /* when answered */
	bool early, truncated;
	struct str body; /* of the answer */
	int64_t intended_ns, sent_ns, released_ns, first_byte_ns, done_ns;
};

enum answer_class pawl__answer_of(enum volley_class class);

struct lane {
	uint32_t client;
	struct str request, outcome, body; /* to be shown: redacted, cut */
	int64_t from_us, to_us;            /* from the first of them */
};

struct status_count {
	enum volley_class class;
	int status; /* 0 unless answered */
	uint64_t n;
};

struct expect_report {
	enum verdict verdict;
	uint64_t rounds[VERDICTS];
	uint32_t round;    /* of the heaviest verdict, from 1; 0 = none */
	struct str detail; /* what was seen then */
};

struct race_report {
	struct arena *arena;
	const struct scenario *s;
	enum verdict verdict;
	enum pawl_status error_status; /* VERDICT_ERROR: which */
	struct str error;              /* why a round could not be carried out */
	uint64_t seed, first_round;    /* first_round: what {round} was in round 1 */
	uint32_t rounds_run, carried, overlap_missed;
	uint64_t rounds[VERDICTS];
	struct expect_report expects[SCENARIO_EXPECT_MAX];
	struct status_count statuses[RUN_STATUSES_MAX];
	uint32_t statuses_len;
	uint64_t requests, early;
	struct hist intended_us, actual_us; /* latency of answers */
	struct hist skew_us;                /* of a round: first to last release */
	uint32_t series[RUN_SERIES_MAX];    /* the same by round, us */
	uint32_t series_len;
	uint64_t pairs_min, pairs_asked; /* overlapping pairs, the least of all rounds */
	uint32_t peak_min, peak_max;
	uint32_t conns, packet_max;
	bool split, interrupted;
	struct str notes[RUN_NOTES_MAX];
	uint32_t notes_len;
	struct lane lanes[RUN_LANES_MAX];
	uint32_t lanes_len, lanes_of; /* lanes_of: so many more operations were in that round */
	uint32_t lanes_round, lanes_expect;
	int64_t started_us, elapsed_us; /* started: real time */
	char target[PEER_AUTHORITY_MAX + 16];
	struct str system;  /* the machine it ran on */
	struct str command; /* to repeat it */
};

struct history;

struct run_config {
	uint64_t seed;   /* 0: the scenario's, or a new one */
	uint32_t rounds; /* 0: the scenario's */
	bool until_failure;
	const char *ca_file;     /* NULL = the system's */
	struct history *history; /* NULL = none */
	const atomic_bool *cancel;
	struct volley *_Atomic *volley; /* where a signal handler finds what to stop; may be NULL */
	void (*progress)(void *data, const struct race_report *r, uint32_t rounds);
	void *data;
};

/* The report is in its arena. PAWL_OK whatever the verdict; else nothing could be begun. */
PAWL_MUST_CHECK enum pawl_status
pawl__race_run_scenario(const struct scenario *s, const struct run_config *config,
                        struct arena *arena, struct race_report **ret, struct pawl_error *err);

/* s without secrets and control bytes, at most max bytes, in the report's arena. */
struct str pawl__race_keep(struct race_report *r, struct str s, size_t max);

#endif /* PAWL_RACE_SCENARIO_RUN_H */
