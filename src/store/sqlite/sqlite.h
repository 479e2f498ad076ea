/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite/sqlite - the store in one SQLite file: store/store.h kept by a single writer.
 *
 *   writer   the only read-write connection; begin..commit, housekeep and due use it, and it alone
 *            checkpoints. Owned by the lane's thread.
 *   reader   read-only, behind a mutex: read and stats.
 *   audit    opens a read-only connection of its own, for as long as it takes.
 *
 * Promises and their means:
 *  (1) Committed is durable: WAL with synchronous=FULL, one fsync a commit. What is in the WAL at
 *      open is moved to the database file and synced before anything is built on it.
 *  (2) After a failed fsync nothing is written any more, by anybody: the kernel may have dropped
 *      the pages, and asking again would be told "fine" (the fsync gate of 2018).
 *  (3) SQLite 3.7.0 to 3.51.2 can corrupt a WAL that one connection resets while another commits.
 *      Here one connection does both, and PATH.lock keeps other processes' pawls out.
 *  (4) Everything that is remembered to find answers is derived from rows, or committed in the same
 *      transaction as they are: see answers.h.
 *
 * Limits: page cache 32 MiB a connection; answer index see answers.h; the WAL is checkpointed at
 * about 1,000 pages, and grows beyond only while a reader holds a snapshot (an audit).
 * Never: a value or a key in an error text; a second writer; a write by a reader.
 */
#ifndef PAWL_STORE_SQLITE_SQLITE_H
#define PAWL_STORE_SQLITE_SQLITE_H

#include "store/sqlite/answers.h"
#include "store/store.h"

/*
 * place: PATH or PATH?vfs=NAME, NAME being a VFS that the process has registered.
 * tuning: NULL = as in answers.h; tests make the sizes small.
 *
 * E_CONFIG: the place is not understood, or the file belongs to another program. E_BUSY: another
 * process (or this one) has it open. E_SCHEMA: written by a newer pawl. E_IO: cannot be created,
 * read or written. E_CORRUPT: not a database.
 * With opt->read_only nothing is locked and nothing is created. A file that nobody has open is read
 * as one that does not change; if a server opens it meanwhile, read and audit say E_BUSY.
 */
PAWL_MUST_CHECK enum pawl_status pawl__sqlite_open(const char *place,
                                                   const struct store_options *opt,
                                                   const struct answers_tuning *tuning,
                                                   struct store **ret, struct pawl_error *err);

#endif /* PAWL_STORE_SQLITE_SQLITE_H */
