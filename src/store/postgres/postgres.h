/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postgres/postgres - the store in a PostgreSQL database: store/store.h kept by any number of
 * writers, in any number of processes.
 *
 * Promises and their means (docs/internals/postgres.md):
 *  (1) Durable is what the server says: it is refused with fsync, full_page_writes or
 *      synchronous_commit off.
 *  (2) A batch holds a lock on its writer's row of pawl.lane from its first round trip to its end,
 *      and changes it. So a commit whose answer was lost is found out by asking for that row on
 *      another connection: the question waits until the server is done with the batch.
 *  (3) Rows are locked in one order by everybody, also those that are not there yet: pawl.gap.
 *  (4) The tables' constraints.
 *  (5) Answers are kept in parts that go as a whole.
 *  (6) Reads are snapshots of the primary.
 * Nothing is left in a session, so a pooler in transaction mode may stand between.
 * A lost connection is made anew by the next begin; the store object does not die.
 *
 * Limits: connections as in store_options; PG_BLOCK revisions and 2^PG_ACCOUNT_BITS new accounts a
 * batch.
 */
#ifndef PAWL_STORE_POSTGRES_POSTGRES_H
#define PAWL_STORE_POSTGRES_POSTGRES_H

#include "base/compiler.h"
#include "store/store.h"

/* url: postgresql://... or postgres://..., with the parameters of postgres/url.h. E_CONFIG;
 * E_STORE_UNAVAILABLE: not to be reached; E_SCHEMA. */
PAWL_MUST_CHECK enum pawl_status pawl__postgres_open(const char *url,
                                                     const struct store_options *opt,
                                                     struct store **ret, struct pawl_error *err);

#endif /* PAWL_STORE_POSTGRES_POSTGRES_H */
