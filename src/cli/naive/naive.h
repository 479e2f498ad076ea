/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/naive - the same sale written as applications write it, on plain SQLite: what pawl is shown
 * beside. Real transactions on a real file (WAL, synchronous=FULL), one connection per thread, all
 * threads released together.
 *
 *     for each buyer:  read the stock -> think -> refuse, or write the order and stock - 1
 *
 * The strategies differ only in what is around these steps. None is made worse than it is: what
 * the numbers show comes from the order in which the database ran them.
 *
 * It measures and never judges. Threads: starts its own and has joined them when it returns.
 * Limits: NAIVE_THREADS_MAX threads; no buyer is begun after budget_us.
 */
#ifndef PAWL_CLI_NAIVE_NAIVE_H
#define PAWL_CLI_NAIVE_NAIVE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "pawl/error.h"

#define NAIVE_THREADS_MAX 64
#define NAIVE_RETRIES_MAX 10 /* of one buyer, after SQLITE_BUSY */

enum naive_strategy {
	NAIVE_STATEMENTS, /* each statement for itself */
	NAIVE_DEFERRED,   /* BEGIN ... COMMIT, again after SQLITE_BUSY */
	NAIVE_IMMEDIATE,  /* BEGIN IMMEDIATE ... COMMIT: one buyer at a time */
};

#define NAIVE_STRATEGIES 3

struct naive_config {
	const char *path; /* of a file that is not there yet */
	int64_t buyers, stock;
	uint32_t threads;
	int64_t think_us;          /* whole milliseconds, between the read and the write */
	int64_t budget_us;         /* after it no more buyers are begun */
	const atomic_bool *cancel; /* set by a signal's handler; NULL = never */
};

struct naive_result {
	int64_t tried;   /* buyers that were begun, of config.buyers */
	int64_t sold;    /* buyers that were told "yours" */
	int64_t refused; /* that were told "sold out" */
	int64_t failed;  /* that got an error: SQLITE_BUSY to the end */
	int64_t retries;
	int64_t orders;      /* rows in the table of orders afterwards */
	int64_t stock_shown; /* by the table of items afterwards */
	int64_t elapsed_us;
};

/* "read, then write", ... Never NULL. */
const char *pawl__naive_name(enum naive_strategy strategy);

PAWL_MUST_CHECK enum pawl_status pawl__naive_run(enum naive_strategy strategy,
                                                 const struct naive_config *config,
                                                 struct naive_result *ret, struct pawl_error *err);

#endif /* PAWL_CLI_NAIVE_NAIVE_H */
