/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite/schema - the tables, as a list of steps from an empty file to the newest version.
 *
 * Every promise of core/rows is a constraint here too, so that whoever writes the file with another
 * program is held to it. The views are for people: plain `sqlite3 FILE 'SELECT * FROM items'`.
 */
#ifndef PAWL_STORE_SQLITE_SCHEMA_H
#define PAWL_STORE_SQLITE_SCHEMA_H

#include "base/compiler.h"
#include "store/sqlite/conn.h"

#define SCHEMA_APPLICATION_ID 0x7061776c /* "pawl", for file(1) */
#define SCHEMA_VERSION        1
#define SCHEMA_PAGE_SIZE      4096

/* Bring the file of the writer up to SCHEMA_VERSION, in one transaction. E_SCHEMA: it is newer.
 * E_CONFIG: it is another program's. */
PAWL_MUST_CHECK enum pawl_status pawl__schema_upgrade(struct conn *c, struct pawl_error *err);

/* The same checks, without changing anything; an older version is E_SCHEMA too. */
PAWL_MUST_CHECK enum pawl_status pawl__schema_check(struct conn *c, struct pawl_error *err);

#endif /* PAWL_STORE_SQLITE_SCHEMA_H */
