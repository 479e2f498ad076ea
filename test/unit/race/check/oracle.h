/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Levels of tiny histories by their definitions: every order is tried, nothing is shared with what
 * is tested. A write of unknown outcome may have happened or not: both are tried.
 *
 * With sessions ordered or not; see enum oracle_order. A level is held when some order of
 *   commits (read committed, read atomic, causal: Biswas and Enea 2019, axioms as written there),
 *   starts and commits (prefix, snapshot isolation), transactions (serializable)
 * explains every read.
 */
#ifndef TEST_RACE_CHECK_ORACLE_H
#define TEST_RACE_CHECK_ORACLE_H

#include "gen_history.h"

#define ORACLE_OPS 8 /* of histories that can be judged */

enum oracle_level {
	ORACLE_RC,
	ORACLE_RA,
	ORACLE_CC,
	ORACLE_PREFIX,
	ORACLE_SI,
	ORACLE_SER,
	ORACLE_LEVELS
};

enum oracle_order { ORACLE_FREE, ORACLE_SESSIONS, ORACLE_REALTIME };

/* RC, RA and CC of registers only, and with sessions ordered. */
bool oracle_holds(const struct gen_history *g, enum oracle_level level, enum oracle_order order);

/*
 * The same of longer histories: whatever the axioms ask of the order of commits is put into a
 * matrix, which then has a cycle or not. RC, RA and CC of registers with sessions, and only
 * when every transaction is ok.
 */
bool oracle_forced(const struct gen_history *g, enum oracle_level level);

#endif /* TEST_RACE_CHECK_ORACLE_H */
