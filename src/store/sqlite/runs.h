/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite/runs - the tables of a run of answers: how they come, and how they go.
 *
 *   answer_<run>      the answers, appended under their numbers
 *   answer_key_<run>  (hash, seq), in order of the hash
 *   answer_run        a row for each run: the directory
 *   answers           a view over the answers of all runs, for people
 *
 * Expiry is a DROP of whole tables: nothing of what was in them is written again, their pages go to
 * the free list by number. A DROP still walks its table, so one transaction drops one table: first
 * the keys, and with them the run can no longer be found (state 2); then the answers.
 *
 * Invariants: (1) run r has a row in answer_run if and only if answer_r exists; answer_key_r exists
 * if and only if that row's state is below 2. (2) The view names tables that exist. (3) The only
 * foreign part of a table's name is the run's integer.
 *
 * Each function runs inside the writer's transaction, with no other statement open on the
 * connection (SQLite would refuse the DROP), and leaves a part behind when it fails: roll back.
 * Every DDL makes each connection prepare its statements again at their next step; SQLite does that
 * by itself. Limit: the view shows the newest RUNS_VIEW_MAX runs, because SQLite limits the terms
 * of a UNION and reads the text of every view with the schema.
 */
#ifndef PAWL_STORE_SQLITE_RUNS_H
#define PAWL_STORE_SQLITE_RUNS_H

#include "base/compiler.h"
#include "store/sqlite/conn.h"

#define RUNS_VIEW_MAX 100

enum run_state {
	RUN_OPEN,     /* active or frozen: its keys are in memory, answer_key_<run> is not whole */
	RUN_FINISHED, /* it has its keys, its filter, and how many answers there are */
	RUN_GOING     /* its keys are dropped, its answers are next */
};

PAWL_MUST_CHECK enum pawl_status pawl__run_create(struct conn *c, int64_t run,
                                                  struct pawl_error *err);
/* The first half of a run's end, .. */
PAWL_MUST_CHECK enum pawl_status pawl__run_drop_keys(struct conn *c, int64_t run,
                                                     struct pawl_error *err);
/* .. and the second. */
PAWL_MUST_CHECK enum pawl_status pawl__run_drop_answers(struct conn *c, int64_t run,
                                                        struct pawl_error *err);

#endif /* PAWL_STORE_SQLITE_RUNS_H */
