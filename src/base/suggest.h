/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/suggest - "did you mean": which known name a mistyped word is nearest to.
 *
 * Decides by the number of letters inserted, dropped, changed or swapped with their neighbour (the
 * optimal string alignment distance). Only suggests; never runs what it guessed.
 *
 *  (1) A name is suggested only when no more than one letter, and a third of the word, differs: a
 *      far guess is noise.
 *
 * Threads: none of its own. Limits: words over SUGGEST_WORD_MAX bytes get no suggestion.
 */
#ifndef PAWL_BASE_SUGGEST_H
#define PAWL_BASE_SUGGEST_H

#include <stddef.h>

#define SUGGEST_WORD_MAX 32

struct suggestion {
	const char *word; /* borrowed */
	const char *best; /* borrowed; NULL = nothing near enough */
	size_t distance;  /* of best */
};

void pawl__suggest_init(struct suggestion *s, const char *word);

/* Of equally near names the first stays. */
void pawl__suggest_consider(struct suggestion *s, const char *name);

/* Letters to insert, drop, change or swap; SIZE_MAX when a word is too long. */
size_t pawl__suggest_distance(const char *a, const char *b);

#endif /* PAWL_BASE_SUGGEST_H */
