/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/builtin - the known incidents, run against a plain database with every strategy that people
 * use against them, so that a reader sees which is wrong, which is slow, and why.
 *
 * An incident is data: what stands in the store before, what one client does under each strategy
 * (a straight list of statements), and what must hold afterwards. One interpreter carries out all
 * of them; it is driven by threads with a connection each (a race), or one statement at a time
 * through every interleaving (exploration).
 *
 *     options -> run -> report -> text | json | page
 *
 * What it writes is its own: the schema pawl_race on PostgreSQL, tables pawl_race_* on SQLite, keys
 * pawl_race:* on Redis, names pawl_race:* over http. They carry a mark; what bears such a name
 * without the mark belongs to somebody else, and the run is refused. What a crashed run has left is
 * removed by the next one. Over http nothing can be dropped: every round takes new names.
 *
 * Verdict of a strategy, and of the run the heaviest of those that ought to hold:
 *     held < inconclusive < error < violated
 * inconclusive: the clients were not under way together, so nothing was shown; or a strategy known
 * to be wrong did not break in the rounds it had ("did not break").
 *
 * It prints nothing and never ends the process. No text holds the URL's password.
 *
 * Threads: run starts its own and joins them; one run at a time in a process. cancel: any thread.
 * Limits: BUILTIN_*. Units are in the names.
 * Errors: PAWL_E_INVALID (a name or a number; with did-you-mean), PAWL_E_CONFIG (the URL, or what
 * does not fit the store), PAWL_E_IO (the store cannot be reached), PAWL_E_NOMEM. What a client
 * meets during a race is part of the result, never an error of the run.
 */
#ifndef PAWL_RACE_BUILTIN_BUILTIN_H
#define PAWL_RACE_BUILTIN_BUILTIN_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/compiler.h"
#include "base/hist.h"
#include "pawl/error.h"

#define BUILTIN_CLIENTS_MAX     1000
#define BUILTIN_CLIENTS_DEFAULT 50
#define BUILTIN_ROUNDS_MAX      10000
#define BUILTIN_ROUNDS_DEFAULT  5
#define BUILTIN_THINK_MAX_US    1000000
#define BUILTIN_THINK_US        200  /* what an application does between its read and its write */
#define BUILTIN_SCHEDULES_MAX   5000 /* of an exploration, unless told */
#define BUILTIN_SESSIONS_MAX    3    /* of an exploration */
#define BUILTIN_COUNTS_MAX      4    /* kinds of damage of an incident */
#define BUILTIN_STRATEGIES_MAX  24   /* rows of a report */
#define BUILTIN_LANE_STEPS_MAX  64   /* statements of a drawn schedule */
#define BUILTIN_BARS_MAX        12   /* programs of a drawn round */

struct builtin_options {
	const char *incident; /* "oversell" */
	const char *on;       /* sqlite:PATH, postgresql://..., redis://..., http://... of a pawl */
	const char *redis;    /* a Redis beside --on, for the strategy redis-lock; NULL = none */
	const char *strategy; /* "naive"; NULL or "all" = each that fits */
	uint32_t clients;     /* 0 = default; of an exploration: sessions, 0 = 2, at most 3 */
	uint32_t rounds;      /* 0 = default */
	uint64_t seed;        /* 0 = a new one; the report has it */
	int64_t think_us;     /* < 0 = default */
	bool explore;
	uint32_t schedules_max; /* 0 = default */
	const char *history;    /* a file for `pawl check`; NULL = none. One strategy only */
	const atomic_bool *cancel;
	void (*progress)(void *data, const char *strategy, uint32_t done, uint32_t of);
	void *data;
};

enum builtin_verdict {
	BUILTIN_HELD,
	BUILTIN_INCONCLUSIVE,
	BUILTIN_ERROR,
	BUILTIN_VIOLATED,
	BUILTIN_LEFT_OUT, /* does not fit this store; text says why */
};
#define BUILTIN_VERDICTS 5

/* "held", "inconclusive", "error", "violated", "left out" */
const char *pawl__builtin_verdict_name(enum builtin_verdict v);

/* A kind of damage: what was counted against the invariant, over all rounds. */
struct builtin_count {
	const char *name; /* "oversold" */
	uint64_t n;
};

/* A program of the round that is drawn, from its first statement to its end. */
struct builtin_bar {
	uint32_t program;       /* from 1 */
	int64_t from_us, to_us; /* after the gate was opened */
	const char *outcome;    /* "done", "refused", "gave up", ... */
};

/* A statement of the schedule that is drawn. */
struct builtin_lane_step {
	uint32_t session;  /* from 0 */
	const char *text;  /* "SELECT stock ... -> 1"; in the report's arena */
	bool waits;        /* it blocked here, and was answered at the step `answered` */
	uint32_t answered; /* index; its own unless it waited */
	bool failed;       /* the store refused it */
};

struct builtin_exploration {
	bool done;     /* there was one */
	bool complete; /* all interleavings; else schedules_max was reached */
	uint32_t sessions;
	uint64_t schedules, violations, deadlocks;
	uint64_t first;    /* number of the first that violated, from 1 */
	uint32_t lane_len; /* its statements, in the order they were sent */
	struct builtin_lane_step lane[BUILTIN_LANE_STEPS_MAX];
	const char *lane_text; /* the same, drawn; NULL = none violated */
};

struct builtin_row {
	const char *strategy;
	const char *why; /* one line: what it does, and what that costs or misses */
	bool wrong;      /* known to break; ought to be seen to */
	enum builtin_verdict verdict;
	const char *text; /* beside the verdict: "did not break in 5 rounds"; or "" */
	struct builtin_count counts[BUILTIN_COUNTS_MAX];
	uint32_t counts_len;
	uint32_t rounds, rounds_violated, rounds_overlapped;
	uint64_t done;    /* programs that ended with what they wanted ("orders") */
	uint64_t refused; /* that were told no: sold out, taken */
	uint64_t gave_up; /* after their tries */
	uint64_t unknown; /* connection or process lost in the middle */
	uint64_t retries, deadlocks, statements;
	uint32_t conns;    /* clients under way together at most: connections opened */
	uint32_t peak;     /* programs measured under way together, the least over all rounds */
	uint64_t pairs;    /* that overlapped, the least over all rounds */
	double per_second; /* done, by the time of the rounds */
	struct hist latency_us; /* of a program from its first statement, retries included */
	struct hist arrival_us; /* first statement after the gate was opened */
	struct builtin_exploration explored;
	/* The first of the programs of the first round that was violated, by when they began. */
	struct builtin_bar bars[BUILTIN_BARS_MAX];
	uint32_t bars_len, bars_of, bars_round;
	const char *bars_damage; /* of that round */
};

struct builtin_report {
	struct arena *arena;                      /* borrowed */
	const char *incident, *summary, *promise; /* promise: what must hold */
	const char *store;                        /* "sqlite", "postgresql", "redis", "pawl" */
	const char *server;                       /* "PostgreSQL 15.8", "SQLite 3.40.1 ..." */
	const char *unit;                         /* what done counts: "orders" */
	const char *notes[8];
	uint32_t notes_len;
	uint64_t seed;
	uint32_t clients, rounds;
	int64_t started_us, elapsed_us;
	const char *system; /* the machine it ran on */
	int64_t think_us;
	bool explore;
	enum builtin_verdict verdict;
	int exit_status; /* 0, 1 or 9; 6 when the run was spoiled by an error, 130 when cancelled */
	struct builtin_row *rows; /* those left out are last */
	uint32_t rows_len;
	const char *command; /* to repeat it, without the URL's password */
};

/* *ret lies in the arena. PAWL_OK whatever the verdict. */
PAWL_MUST_CHECK enum pawl_status pawl__builtin_run(const struct builtin_options *options,
                                                   struct arena *arena, struct builtin_report **ret,
                                                   struct pawl_error *err);

/* The table, the explanations and the drawn schedules. */
void pawl__builtin_text(const struct builtin_report *r, struct buf *out);
/* NULL: no memory. */
json_t *pawl__builtin_json(const struct builtin_report *r);
/* The same as one page of HTML: see race/page. */
void pawl__builtin_html(const struct builtin_report *r, struct buf *out);

/* `pawl race list`: the incidents, their strategies by store, and what is not there yet. */
void pawl__builtin_list_text(struct buf *out);
json_t *pawl__builtin_list_json(void);

#endif /* PAWL_RACE_BUILTIN_BUILTIN_H */
