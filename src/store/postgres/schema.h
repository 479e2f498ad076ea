/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postgres/schema - the tables, as a list of steps from an empty database to the newest version.
 *
 * They live in the schema `pawl`. Every promise of core/rows is a constraint here too, for whoever
 * writes the tables with other programs; docs/sql.md says how they may. Several nodes may start at
 * once: who makes a step holds a lock that ends with its transaction.
 */
#ifndef PAWL_STORE_POSTGRES_SCHEMA_H
#define PAWL_STORE_POSTGRES_SCHEMA_H

#include "base/compiler.h"
#include "store/postgres/conn.h"

#define PG_SCHEMA_VERSION 1
#define PG_HASH_KEY_LEN   16

/* Revisions come in blocks, one a load: the sequence numbers the blocks. Below 2^53, so that each
 * is a number of JSON; as many blocks last for 60 years at a thousand a second. */
#define PG_BLOCK_BITS 12
#define PG_BLOCK      (INT64_C(1) << PG_BLOCK_BITS)
/* New accounts are numbered from the block, too. */
#define PG_ACCOUNT_BITS 20

#define PG_GAPS         16384 /* rows of pawl.gap */

/* Bring the database up to PG_SCHEMA_VERSION. E_SCHEMA: it is newer, or the schema `pawl` is
 * another program's. read_only: only look; an older one is E_SCHEMA, too. */
PAWL_MUST_CHECK enum pawl_status pawl__pg_schema(struct pg_conn *c, bool read_only,
                                                 unsigned char ret_hash_key[PG_HASH_KEY_LEN],
                                                 struct pawl_error *err);

#endif /* PAWL_STORE_POSTGRES_SCHEMA_H */
