/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stores that are wrong on purpose: each breaks one promise of store/store.h now and then, and the
 * simulation must notice. They wrap the slots of a store; nothing of the product knows of them.
 */
#ifndef TEST_SIM_MUTANTS_H
#define TEST_SIM_MUTANTS_H

#include "store/store.h"

/* clang-format off */
#define MUTANT_MAP(X) \
	X(NONE,   "none") \
	X(FORGET, "forget")   /* an answer is not remembered */ \
	X(TWICE,  "twice")    /* a transfer is applied twice, consistently */ \
	X(TEAR,   "tear")     /* a batch is written without one of its accounts */ \
	X(LIE,    "lie")      /* a commit is acknowledged and rolled back */ \
	X(UNSURE, "unsure")   /* the outcome of a lost commit is told the other way round */ \
	X(LATE,   "late")     /* due holds are called expired and left as they are */ \
	X(STALE,  "stale")    /* the bytes of a remembered answer change */
/* clang-format on */

enum mutant {
#define X(name, text) MUTANT_##name,
	MUTANT_MAP(X)
#undef X
		MUTANTS
};

const char *mutant_name(enum mutant m);

/* Make s break the promise. One store at a time. */
void mutant_apply(struct store *s, enum mutant m);

#endif /* TEST_SIM_MUTANTS_H */
