/* SPDX-License-Identifier: Apache-2.0 */
#include "race/check/level.h"

#include <string.h>

#include "base/assert.h"
#include "base/compiler.h"

static const char *const level_names[] = {
#define X(id, name) [LEVEL_##id] = (name),
	LEVEL_MAP(X)
#undef X
};

static_assert(LEVEL_LEN < 64, "a set of levels is one word");

#define B(id) LEVEL_BIT(LEVEL_##id)

/* What each level directly implies. */
static const uint64_t level_implies[LEVEL_LEN] = {
	[LEVEL_CAUSAL_CERONE] = B(READ_ATOMIC),
	[LEVEL_CONSISTENT_VIEW] = B(CURSOR_STABILITY) | B(MONOTONIC_VIEW),
	[LEVEL_CURSOR_STABILITY] = B(READ_COMMITTED),
	[LEVEL_FORWARD_CONSISTENT_VIEW] = B(CONSISTENT_VIEW),
	[LEVEL_MONOTONIC_ATOMIC_VIEW] = B(READ_COMMITTED),
	[LEVEL_MONOTONIC_SNAPSHOT_READ] = B(READ_COMMITTED),
	[LEVEL_MONOTONIC_VIEW] = B(READ_COMMITTED),
	[LEVEL_PARALLEL_SNAPSHOT_ISOLATION] = B(CAUSAL_CERONE) | B(UPDATE_ATOMIC),
	[LEVEL_PREFIX] = B(CAUSAL_CERONE),
	[LEVEL_READ_ATOMIC] = B(MONOTONIC_ATOMIC_VIEW),
	[LEVEL_READ_COMMITTED] = B(READ_UNCOMMITTED),
	[LEVEL_REPEATABLE_READ] = B(CURSOR_STABILITY) | B(MONOTONIC_ATOMIC_VIEW),
	[LEVEL_SERIALIZABLE] = B(REPEATABLE_READ) | B(UPDATE_SERIALIZABLE) | B(SNAPSHOT_ISOLATION),
	[LEVEL_SNAPSHOT_ISOLATION] = B(FORWARD_CONSISTENT_VIEW) | B(MONOTONIC_ATOMIC_VIEW) |
	                             B(MONOTONIC_SNAPSHOT_READ) | B(PARALLEL_SNAPSHOT_ISOLATION) |
	                             B(PREFIX),
	[LEVEL_STRONG_READ_COMMITTED] =
		B(STRONG_SESSION_READ_COMMITTED) | B(STRONG_READ_UNCOMMITTED),
	[LEVEL_STRONG_READ_UNCOMMITTED] = B(STRONG_SESSION_READ_UNCOMMITTED),
	[LEVEL_STRONG_SERIALIZABLE] =
		B(SERIALIZABLE) | B(STRONG_SNAPSHOT_ISOLATION) | B(STRONG_SESSION_SERIALIZABLE),
	[LEVEL_STRONG_SESSION_READ_COMMITTED] =
		B(READ_COMMITTED) | B(STRONG_SESSION_READ_UNCOMMITTED),
	[LEVEL_STRONG_SESSION_READ_UNCOMMITTED] = B(READ_UNCOMMITTED),
	[LEVEL_STRONG_SESSION_SERIALIZABLE] =
		B(SERIALIZABLE) | B(STRONG_SESSION_SNAPSHOT_ISOLATION),
	[LEVEL_STRONG_SESSION_SNAPSHOT_ISOLATION] =
		B(SNAPSHOT_ISOLATION) | B(STRONG_SESSION_READ_COMMITTED),
	[LEVEL_STRONG_SNAPSHOT_ISOLATION] =
		B(STRONG_SESSION_SNAPSHOT_ISOLATION) | B(STRONG_READ_COMMITTED),
	[LEVEL_UPDATE_ATOMIC] = B(READ_ATOMIC),
	[LEVEL_UPDATE_SERIALIZABLE] = B(FORWARD_CONSISTENT_VIEW),
};

static const struct {
	const char *name;
	enum level level;
} other_names[] = {
	{ "1SR", LEVEL_SERIALIZABLE },
	{ "PL-1", LEVEL_READ_UNCOMMITTED },
	{ "PL-2", LEVEL_READ_COMMITTED },
	{ "PL-2+", LEVEL_CONSISTENT_VIEW },
	{ "PL-2.99", LEVEL_REPEATABLE_READ },
	{ "PL-2L", LEVEL_MONOTONIC_VIEW },
	{ "PL-3", LEVEL_SERIALIZABLE },
	{ "PL-3U", LEVEL_UPDATE_SERIALIZABLE },
	{ "PL-CS", LEVEL_CURSOR_STABILITY },
	{ "PL-FCV", LEVEL_FORWARD_CONSISTENT_VIEW },
	{ "PL-MSR", LEVEL_MONOTONIC_SNAPSHOT_READ },
	{ "PL-SI", LEVEL_SNAPSHOT_ISOLATION },
	{ "PL-SS", LEVEL_STRONG_SERIALIZABLE },
	{ "ROLA", LEVEL_UPDATE_ATOMIC },
	{ "causal", LEVEL_CAUSAL_CERONE },
	{ "causal-consistency", LEVEL_CAUSAL_CERONE },
	{ "conflict-serializable", LEVEL_SERIALIZABLE },
	{ "strict-serializable", LEVEL_STRONG_SERIALIZABLE },
	{ "strong-PL-1", LEVEL_STRONG_READ_UNCOMMITTED },
	{ "strong-PL-2", LEVEL_STRONG_READ_COMMITTED },
	{ "strong-session-PL-1", LEVEL_STRONG_SESSION_READ_UNCOMMITTED },
	{ "strong-session-PL-2", LEVEL_STRONG_SESSION_READ_COMMITTED },
};

/*
 * An anomaly: what it is a special case of, and the levels that forbid it by definition, besides
 * those that forbid what it is a case of. A cycle through process or realtime edges is a case of
 * the same through more of them; one process is sequential, so process is a case of realtime.
 */
struct anomaly {
	const char *name;
	const char *case_of[4];
	uint64_t forbidden_by;
};

#define SI_ALL                                                                                     \
	(B(SNAPSHOT_ISOLATION) | B(STRONG_SESSION_SNAPSHOT_ISOLATION) |                            \
	 B(STRONG_SNAPSHOT_ISOLATION) | B(PARALLEL_SNAPSHOT_ISOLATION) | B(PREFIX))
#define ATOMIC (B(CAUSAL_CERONE) | B(READ_ATOMIC) | SI_ALL | B(SERIALIZABLE))

static const struct anomaly anomalies[] = {
	{ "G-MSR", { NULL }, B(MONOTONIC_SNAPSHOT_READ) },
	{ "G-SI", { NULL }, B(SNAPSHOT_ISOLATION) },
	{ "G-SIb", { NULL }, B(FORWARD_CONSISTENT_VIEW) },
	{ "G-cursor", { NULL }, B(CURSOR_STABILITY) },
	{ "G-monotonic", { NULL }, B(MONOTONIC_VIEW) },
	{ "G-nonadjacent", { "G2", "G-nonadjacent-process" }, B(SNAPSHOT_ISOLATION) },
	{ "G-nonadjacent-item", { "G-nonadjacent", "G2-item", "G-nonadjacent-item-process" }, 0 },
	{ "G-nonadjacent-item-process",
	  { "G-nonadjacent-process", "G2-item-process", "G-nonadjacent-item-realtime" },
	  0 },
	{ "G-nonadjacent-item-realtime", { "G2-item-realtime", "G-nonadjacent-realtime" }, 0 },
	{ "G-nonadjacent-process",
	  { "G2-process", "G-nonadjacent-realtime" },
	  B(STRONG_SESSION_SNAPSHOT_ISOLATION) },
	{ "G-nonadjacent-realtime", { "G2-realtime" }, B(STRONG_SNAPSHOT_ISOLATION) },
	{ "G-single", { "G-nonadjacent", "G-single-process" }, B(CONSISTENT_VIEW) },
	{ "G-single-item", { "G-single", "G-single-item-process", "G-nonadjacent-item" }, 0 },
	{ "G-single-item-process",
	  { "G-single-process", "G-single-item-realtime", "G-nonadjacent-item-process" },
	  0 },
	{ "G-single-item-realtime", { "G-single-realtime", "G-nonadjacent-item-realtime" }, 0 },
	{ "G-single-process", { "G-nonadjacent-process", "G-single-realtime" }, 0 },
	{ "G-single-realtime", { "G-nonadjacent-realtime" }, 0 },
	{ "G-update", { NULL }, B(UPDATE_SERIALIZABLE) },
	{ "G0", { "G1c", "G0-process" }, B(READ_UNCOMMITTED) },
	{ "G0-process", { "G1c-process", "G0-realtime" }, B(STRONG_SESSION_READ_UNCOMMITTED) },
	{ "G0-realtime", { "G1c-realtime" }, B(STRONG_READ_UNCOMMITTED) },
	{ "G1", { "G1-process" }, B(READ_COMMITTED) },
	{ "G1-process",
	  { "G1-realtime" },
	  B(STRONG_SESSION_SNAPSHOT_ISOLATION) | B(STRONG_SESSION_SERIALIZABLE) },
	{ "G1-realtime", { NULL }, B(STRONG_SNAPSHOT_ISOLATION) },
	{ "G1a", { "G1" }, ATOMIC },
	{ "G1b", { "G1" }, 0 },
	{ "G1c", { "G1", "G1c-process" }, 0 },
	{ "G1c-process", { "G1c-realtime", "G1-process" }, B(STRONG_SESSION_READ_COMMITTED) },
	{ "G1c-realtime", { "G1-realtime" }, B(STRONG_READ_COMMITTED) | B(STRONG_SERIALIZABLE) },
	{ "G2", { "G2-process" }, B(SERIALIZABLE) },
	{ "G2-item", { "G2", "G2-item-process" }, B(REPEATABLE_READ) },
	{ "G2-item-process", { "G2-process", "G2-item-realtime" }, 0 },
	{ "G2-item-realtime", { "G2-realtime" }, 0 },
	{ "G2-process", { "G2-realtime" }, B(STRONG_SESSION_SERIALIZABLE) },
	{ "G2-realtime", { NULL }, B(STRONG_SERIALIZABLE) },
	{ "cyclic-versions", { NULL }, B(READ_UNCOMMITTED) },
	{ "dirty-update", { "G1a" }, 0 },
	{ "duplicate-elements", { NULL }, B(READ_UNCOMMITTED) },
	{ "future-read", { "G1c" }, B(READ_ATOMIC) },
	{ "garbage-read", { "G1a" }, 0 },
	{ "incompatible-order", { "G1a" }, 0 },
	{ "internal", { NULL }, ATOMIC },
	{ "lost-update",
	  { "write-skew", "G2-item" },
	  B(CURSOR_STABILITY) | B(REPEATABLE_READ) | B(UPDATE_ATOMIC) },
	{ "predicate-read-miss", { NULL }, B(SERIALIZABLE) },
	{ "write-skew", { "G2" }, 0 },
};

const char *pawl__level_name(enum level l)
{
	PRE(l < LEVEL_LEN);
	return level_names[l];
}

enum level pawl__level_find(const char *name)
{
	for (unsigned l = 0; l < LEVEL_LEN; l++) {
		if (strcmp(name, level_names[l]) == 0)
			return (enum level)l;
	}
	for (size_t i = 0; i < ARRAY_LEN(other_names); i++) {
		if (strcmp(name, other_names[i].name) == 0)
			return other_names[i].level;
	}
	return LEVEL_LEN;
}

uint64_t pawl__level_implied(enum level l)
{
	uint64_t set = LEVEL_BIT(l), before;

	PRE(l < LEVEL_LEN);
	do {
		before = set;
		for (unsigned i = 0; i < LEVEL_LEN; i++) {
			if ((set & LEVEL_BIT(i)) != 0)
				set |= level_implies[i];
		}
	} while (set != before);
	return set;
}

uint64_t pawl__level_impossible(enum level l)
{
	uint64_t set = 0;

	PRE(l < LEVEL_LEN);
	for (unsigned i = 0; i < LEVEL_LEN; i++) {
		if ((pawl__level_implied((enum level)i) & LEVEL_BIT(l)) != 0)
			set |= LEVEL_BIT(i);
	}
	return set;
}

uint64_t pawl__level_weakest(uint64_t set)
{
	uint64_t weakest = set;

	for (unsigned i = 0; i < LEVEL_LEN; i++) {
		if ((set & LEVEL_BIT(i)) != 0)
			weakest &= ~(pawl__level_impossible((enum level)i) & ~LEVEL_BIT(i));
	}
	return weakest;
}

uint64_t pawl__level_strongest(uint64_t set)
{
	uint64_t strongest = set;

	for (unsigned i = 0; i < LEVEL_LEN; i++) {
		if ((set & LEVEL_BIT(i)) != 0)
			strongest &= ~(pawl__level_implied((enum level)i) & ~LEVEL_BIT(i));
	}
	return strongest;
}

static const struct anomaly *anomaly_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(anomalies); i++) {
		if (strcmp(name, anomalies[i].name) == 0)
			return &anomalies[i];
	}
	return NULL;
}

/* Levels that forbid the anomaly or what it is a case of. The table has no loops. */
static uint64_t forbidden_by(const char *name)
{
	const struct anomaly *a = anomaly_find(name);
	uint64_t set;

	if (a == NULL)
		return 0;
	set = a->forbidden_by;
	for (size_t i = 0; i < ARRAY_LEN(a->case_of) && a->case_of[i] != NULL; i++)
		set |= forbidden_by(a->case_of[i]);
	return set;
}

uint64_t pawl__level_ruled_out(const char *anomaly)
{
	return pawl__level_weakest(forbidden_by(anomaly));
}

bool pawl__level_forbids(enum level l, const char *anomaly)
{
	PRE(l < LEVEL_LEN);
	return (forbidden_by(anomaly) & pawl__level_implied(l)) != 0;
}

bool pawl__level_case_of(const char *anomaly, const char *of)
{
	const struct anomaly *a = anomaly_find(anomaly);

	if (a == NULL || strcmp(anomaly, of) == 0)
		return a != NULL;
	for (size_t i = 0; i < ARRAY_LEN(a->case_of) && a->case_of[i] != NULL; i++) {
		if (pawl__level_case_of(a->case_of[i], of))
			return true;
	}
	return false;
}
