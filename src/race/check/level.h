/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/level - consistency levels as a lattice, and which anomaly rules out which level.
 *
 * Data only: one row per level (its name, its other names, what it directly implies) and one per
 * anomaly (the weakest levels that forbid it). Names are those of Elle; "strict-serializable" is
 * another name of strong-serializable, "causal" of causal-cerone, and so on.
 * Sources: Adya 1999; Cerone, Bernardi, Gotsman 2015; Daudjee & Salem; Elle (VLDB 2020).
 * Threads: constants.
 */
#ifndef PAWL_RACE_CHECK_LEVEL_H
#define PAWL_RACE_CHECK_LEVEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* In alphabetical order, which is the order in which levels are printed. */
#define LEVEL_MAP(X)                                                                               \
	X(CAUSAL_CERONE, "causal-cerone")                                                          \
	X(CONSISTENT_VIEW, "consistent-view")                                                      \
	X(CURSOR_STABILITY, "cursor-stability")                                                    \
	X(FORWARD_CONSISTENT_VIEW, "forward-consistent-view")                                      \
	X(MONOTONIC_ATOMIC_VIEW, "monotonic-atomic-view")                                          \
	X(MONOTONIC_SNAPSHOT_READ, "monotonic-snapshot-read")                                      \
	X(MONOTONIC_VIEW, "monotonic-view")                                                        \
	X(PARALLEL_SNAPSHOT_ISOLATION, "parallel-snapshot-isolation")                              \
	X(PREFIX, "prefix")                                                                        \
	X(READ_ATOMIC, "read-atomic")                                                              \
	X(READ_COMMITTED, "read-committed")                                                        \
	X(READ_UNCOMMITTED, "read-uncommitted")                                                    \
	X(REPEATABLE_READ, "repeatable-read")                                                      \
	X(SERIALIZABLE, "serializable")                                                            \
	X(SNAPSHOT_ISOLATION, "snapshot-isolation")                                                \
	X(STRONG_READ_COMMITTED, "strong-read-committed")                                          \
	X(STRONG_READ_UNCOMMITTED, "strong-read-uncommitted")                                      \
	X(STRONG_SERIALIZABLE, "strong-serializable")                                              \
	X(STRONG_SESSION_READ_COMMITTED, "strong-session-read-committed")                          \
	X(STRONG_SESSION_READ_UNCOMMITTED, "strong-session-read-uncommitted")                      \
	X(STRONG_SESSION_SERIALIZABLE, "strong-session-serializable")                              \
	X(STRONG_SESSION_SNAPSHOT_ISOLATION, "strong-session-snapshot-isolation")                  \
	X(STRONG_SNAPSHOT_ISOLATION, "strong-snapshot-isolation")                                  \
	X(UPDATE_ATOMIC, "update-atomic")                                                          \
	X(UPDATE_SERIALIZABLE, "update-serializable")

enum level {
#define X(id, name) LEVEL_##id,
	LEVEL_MAP(X)
#undef X
		LEVEL_LEN
};

/* A set of levels: bit 1 << level. */
#define LEVEL_BIT(l) ((uint64_t)1 << (l))

const char *pawl__level_name(enum level l);

/* LEVEL_LEN: no such level. Other names too: strict-serializable, causal, PL-3 .. */
enum level pawl__level_find(const char *name);

/* Levels that hold wherever l holds, with l itself. */
uint64_t pawl__level_implied(enum level l);

/* Levels that do not hold where l does not: l and everything stronger. */
uint64_t pawl__level_impossible(enum level l);

/* The weakest levels that an anomaly of that name rules out; 0: the name rules out nothing. */
uint64_t pawl__level_ruled_out(const char *anomaly);

/* Whether a history that must satisfy l may not have that anomaly. */
bool pawl__level_forbids(enum level l, const char *anomaly);

/* Whether the anomaly is of, or a special case of it: G-single-item of G2, G0 of G1c. */
bool pawl__level_case_of(const char *anomaly, const char *of);

/* The members of set that no other member implies: the strongest, and the weakest. */
uint64_t pawl__level_strongest(uint64_t set);
uint64_t pawl__level_weakest(uint64_t set);

#endif /* PAWL_RACE_CHECK_LEVEL_H */
