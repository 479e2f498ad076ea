/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small histories for the tests of the linearizability search: made by seed, judged by trying every
 * order of the operations, without anything that the search is made of.
 */
#ifndef TEST_RACE_CHECK_TINY_H
#define TEST_RACE_CHECK_TINY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rng.h"
#include "race/check/linear.h"
#include "race/check/linear_text.h"

#define TINY_OPS   8
#define TINY_STEPS 3 /* of an operation */
#define TINY_CELLS 3

struct tiny_op {
	struct lin_step step[TINY_STEPS]; /* texts are written as in tiny_text */
	uint32_t steps;
	bool crashed;
	bool optional;
	uint32_t inv, ret; /* places in events */
};

struct tiny {
	struct tiny_op op[TINY_OPS];
	uint32_t ops;
	uint32_t event[TINY_OPS * 2];
	uint32_t events;
	uint32_t cells;
	uint32_t initial[TINY_CELLS];
	bool texts;
};

enum tiny_shape {
	TINY_REGISTER, /* read, write, compare and set */
	TINY_ETCD,     /* and refusals of it, and reads that say nothing */
	TINY_LOCK,     /* compare and set between two values only */
	TINY_LOG,      /* one text, appended to and read */
	TINY_KV,       /* texts in several cells, which may be put too */
	TINY_MULTI,    /* transactions over several registers */
	TINY_UNIQUE,   /* a register; no value is written twice */
	TINY_SHAPES,
};

/* A text over the letters a, b, c: digits 1 to 3 to the base 4, after a leading 1. */
#define TINY_EMPTY 1U
uint32_t tiny_text_append(uint32_t text, uint32_t piece);

/* Fill inv and ret from the events. */
void tiny_index(struct tiny *t);

/* A history that one order explains, and every other time one answer of it is changed. */
void tiny_make(struct tiny *t, enum tiny_shape shape, struct rng *rng);

/* Make some operations that return optional. */
void tiny_options(struct tiny *t, struct rng *rng);

/* Whether some order explains every answer: all of them are tried. */
bool tiny_judge(const struct tiny *t);

/* The history as a problem for the search. The problem borrows from here; do not move it. */
struct tiny_built {
	struct lin_problem p;
	struct lin_text texts;
	char bytes[TINY_OPS * TINY_STEPS][16];
	struct lin_step steps[TINY_OPS * TINY_STEPS];
	struct lin_op ops[TINY_OPS];
	uint32_t initial[TINY_CELLS];
};

void tiny_build(struct tiny_built *b, const struct tiny *t);
void tiny_unbuild(struct tiny_built *b);

/* What the search says. */
enum lin_verdict tiny_search(struct lin_search *s, const struct tiny *t, unsigned reductions);

/* For a failed test: the history on stderr. */
void tiny_print(const struct tiny *t);

#endif /* TEST_RACE_CHECK_TINY_H */
