/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/builtin/hermitage - which isolation anomalies a PostgreSQL lets happen, found out by doing
 * them: fixed schedules of two or three sessions, after the matrix that M. Kleppmann's Hermitage
 * made known. One row per anomaly of Adya's thesis and what followed it.
 *
 * A schedule has marked answers; the anomaly has happened when every marked step was answered as
 * marked.
 *
 * Threads: one. It writes in the schema pawl_race only; see builtin.h.
 * Errors: those of opening; PAWL_E_IO.
 */
#ifndef PAWL_RACE_BUILTIN_HERMITAGE_H
#define PAWL_RACE_BUILTIN_HERMITAGE_H

#include <stdbool.h>

#include "base/compiler.h"
#include "pawl/error.h"

#define HERMITAGE_SESSIONS  3
#define HERMITAGE_STEPS_MAX 16

enum hermitage_level { LEVEL_RC, LEVEL_RR, LEVEL_SER };
#define HERMITAGE_LEVELS 3

struct hermitage_step {
	int session;
	const char *sql;    /* NULL ends */
	const char *marked; /* cells with a space between, '|' between choices; "" = it succeeds;
	                     * NULL = not marked */
};

struct hermitage {
	const char *name;
	bool prevented[HERMITAGE_LEVELS]; /* by PostgreSQL, as is known */
	struct hermitage_step steps[HERMITAGE_STEPS_MAX];
};

/* name NULL ends. */
extern const struct hermitage pawl__hermitage[];

PAWL_MUST_CHECK enum pawl_status pawl__hermitage_run(const char *url,
                                                     const struct hermitage *anomaly,
                                                     enum hermitage_level level, bool *ret_happened,
                                                     struct pawl_error *err);

#endif /* PAWL_RACE_BUILTIN_HERMITAGE_H */
