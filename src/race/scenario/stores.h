/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/scenario/stores - databases that a scenario looks into, beside its target: SQLite,
 * PostgreSQL, Redis. One connection to each, made when it is first asked.
 *
 *     sqlite:PATH (must be there), postgresql://..., redis://[[user]:password@]host[:port][/db]
 *
 * An answer is JSON: rows as a list of lists, a reply of Redis as it is. Errors never carry the URL
 * or the statement.
 *
 * Threads: one. Limits: STORES_MAX connections, STORES_ROWS_MAX rows, STORES_BYTES_MAX of an
 * answer, a deadline for each.
 * Errors: PAWL_E_CONFIG (URL, statement), PAWL_E_IO (cannot be reached, timed out),
 * PAWL_E_TOO_LARGE.
 */
#ifndef PAWL_RACE_SCENARIO_STORES_H
#define PAWL_RACE_SCENARIO_STORES_H

#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/str.h"
#include "pawl/error.h"

#define STORES_MAX       16
#define STORES_ROWS_MAX  10000
#define STORES_BYTES_MAX ((size_t)4 << 20)

struct stores;

/* NULL: out of memory. */
struct stores *pawl__stores_new(void);
void pawl__stores_free(struct stores *s);

struct stores_ask {
	struct str url, sql;    /* sql: of SQLite and PostgreSQL */
	const struct str *args; /* of Redis */
	size_t args_len;
	int64_t timeout_us;
};

/* out: emptied, then the JSON. */
PAWL_MUST_CHECK enum pawl_status pawl__stores_ask(struct stores *s, const struct stores_ask *ask,
                                                  struct buf *out, struct pawl_error *err);

#endif /* PAWL_RACE_SCENARIO_STORES_H */
