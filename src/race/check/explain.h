/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/explain - a result as text for people: each anomaly with the rows that show it, and a
 * cycle as a chain of "before", each step with the values that prove it, up to the contradiction.
 *
 * It decides nothing. What came from the history is printed as visible ASCII, cut to a length.
 * Threads: none of its own.
 */
#ifndef PAWL_RACE_CHECK_EXPLAIN_H
#define PAWL_RACE_CHECK_EXPLAIN_H

#include "race/check/check.h"

/* Everything about r: first line the verdict, then a block per anomaly, then notes. */
void pawl__explain_result(const struct history *h, const struct check_options *o,
                          const struct check_result *r, struct buf *to);

/* "Let T1 = .. Then T1 < T2, because ..": lines, each with a line feed. */
void pawl__explain_witness(const struct history *h, const struct check_witness *w, struct buf *to);

/* Why step i of a cycle is before the next: "T2 read 5 of key :x, which T1 wrote". */
void pawl__explain_step(const struct history *h, const struct check_witness *w, uint32_t i,
                        struct buf *to);

/* Names of a set of levels, with ", " between. */
void pawl__explain_levels(uint64_t set, struct buf *to);

const char *pawl__explain_verdict(enum check_verdict v);
const char *pawl__explain_edge(enum check_edge e);

#endif /* PAWL_RACE_CHECK_EXPLAIN_H */
