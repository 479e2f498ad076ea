/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/linear - decides whether concurrent operations on a few cells can be put into one
 * order that respects real time and explains every answer: linearizability.
 *
 * A just-in-time search (Lowe, "Testing for linearizability", 2017): it walks the events in order
 * and keeps the set of configurations that are still possible. A configuration is the state and
 * which of the open operations have taken effect. Only when an operation returns is it made to take
 * effect, after whatever open operations are needed for that; the set becomes empty at the first
 * return that nothing explains.
 *
 * What keeps the set small, each of which can be switched off, and never changes the verdict:
 *   LIN_GREEDY     an open operation that can't change the state takes effect as soon as it fits;
 *   LIN_SYMMETRY   of equal open operations the one that returns first goes first;
 *   LIN_DOMINANCE  of two configurations that differ only in crashed operations the one that used
 *                  fewer stays;
 *   LIN_USELESS    a crashed operation that would not change the state never takes effect;
 *   LIN_COVER      a write may take effect unseen just before a later write: it is not tried where
 *                  nothing would see its value, but counted as done when it returns;
 *   LIN_DISJOINT   only operations that share cells, directly or through others, with the one that
 *                  returns are tried;
 *   LIN_LOOKAHEAD  a text that the next read of its cell can't extend is given up at once.
 * Arguments: docs of each in linear.c; the tests compare every subset with all permutations.
 *
 * INV1: no operation takes effect outside its interval; a crashed one at any time after its start
 *       or never; every other exactly once.
 * INV2: two runs give the same result: work is counted in steps, never in time.
 *
 * Limits: operations LIN_OPS_MAX, cells LIN_CELLS_MAX, `steps_max` configurations (then UNKNOWN),
 * memory `bytes_max` for what is kept at once (then UNKNOWN). Heap refusals: PAWL_E_NOMEM.
 * Threads: none of its own; one problem, one thread.
 */
#ifndef PAWL_RACE_CHECK_LINEAR_H
#define PAWL_RACE_CHECK_LINEAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "pawl/error.h"

#define LIN_OPS_MAX   (UINT32_C(1) << 30)
#define LIN_CELLS_MAX 4096U
#define LIN_STEPS_MAX UINT64_C(20000000)
#define LIN_BYTES_MAX (UINT64_C(2) << 30)
#define LIN_NONE      UINT32_MAX
#define LIN_ANY       UINT32_MAX /* a read that says nothing */

enum lin_kind {
	LIN_READ,   /* the cell holds a */
	LIN_WRITE,  /* the cell becomes a */
	LIN_CAS,    /* the cell holds a and becomes b */
	LIN_NOT,    /* the cell holds anything but a */
	LIN_APPEND, /* the text a is put behind the text in the cell */
};

/* One step of an operation. Values are numbers that the caller chose; in a problem with texts
 * they are numbers of texts. */
struct lin_step {
	uint32_t cell;
	uint32_t a;
	uint32_t b;
	uint8_t kind; /* enum lin_kind */
};

/* An operation: its steps happen in order, all at once. */
struct lin_op {
	uint32_t first; /* of its steps */
	uint32_t count; /* >= 1 */
	bool crashed;   /* never returns; may have happened or not */
	bool optional;  /* returns, but may not have happened: to ask what others need of it */
};

enum lin_reduction {
	LIN_GREEDY = 1U << 0,
	LIN_SYMMETRY = 1U << 1,
	LIN_DOMINANCE = 1U << 2,
	LIN_USELESS = 1U << 3,
	LIN_COVER = 1U << 4,
	LIN_DISJOINT = 1U << 5,
	LIN_LOOKAHEAD = 1U << 6,
	LIN_ALL = (1U << 7) - 1,
};

struct lin_text;

/* Everything is borrowed for the call. */
struct lin_problem {
	const struct lin_op *ops;
	const struct lin_step *steps;
	/* In order of time: op * 2 for a start, op * 2 + 1 for a return. Every operation starts
	 * once; those that are not crashed return once, later. */
	const uint32_t *events;
	const uint32_t *initial; /* value of each cell; several rows of `cells` when any may be */
	struct lin_text *texts;  /* NULL without LIN_APPEND */
	uint32_t ops_len;
	uint32_t events_len;
	uint32_t cells;
	uint32_t initial_len; /* rows; >= 1 */
};

struct lin_limits {
	uint64_t steps_max;
	uint64_t bytes_max;
	unsigned reductions; /* enum lin_reduction */
};

enum lin_verdict { LIN_VALID, LIN_INVALID, LIN_UNKNOWN };

/* A configuration as it was when the search stopped. */
struct lin_config {
	const uint32_t *cells; /* borrowed from the search; lin_problem.cells values */
	const uint32_t *done;  /* open operations that took effect, ascending */
	uint32_t done_len;
};

struct lin_result {
	enum lin_verdict verdict;
	uint32_t op; /* whose return nothing explains, or at which the budget ran out; LIN_NONE */
	uint32_t event;       /* its place in events; LIN_NONE */
	uint64_t steps;       /* configurations looked at */
	uint32_t configs_max; /* most that were possible at once */
};

/* A search keeps its memory from one problem to the next. */
struct lin_search;

PAWL_MUST_CHECK enum pawl_status pawl__lin_search_new(struct lin_search **ret,
                                                      struct pawl_error *err);
void pawl__lin_search_free(struct lin_search *s);
void pawl__lin_search_freep(struct lin_search **s);

/* Errors: PAWL_E_NOMEM. */
PAWL_MUST_CHECK enum pawl_status pawl__lin_search_run(struct lin_search *s,
                                                      const struct lin_problem *p,
                                                      const struct lin_limits *limits,
                                                      struct lin_result *ret,
                                                      struct pawl_error *err);

/* How many configurations stood before the return at which the last run stopped, and one of them;
 * its arrays hold until the next call on s. */
uint32_t pawl__lin_search_last(const struct lin_search *s);
struct lin_config pawl__lin_search_config(struct lin_search *s, uint32_t i);

#endif /* PAWL_RACE_CHECK_LINEAR_H */
