/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite/audit - derive again what can be derived, from one snapshot, and tell what differs.
 *
 * One pass over each table, in the order of the file; sums are 128 bits wide, so that no order of
 * adding overflows. Memory: 64 bytes an account. It never changes anything, never uses the memory
 * of a running store, and while it runs the WAL cannot be reset (it grows).
 */
#ifndef PAWL_STORE_SQLITE_AUDIT_H
#define PAWL_STORE_SQLITE_AUDIT_H

#include "base/compiler.h"
#include "store/sqlite/answers.h"
#include "store/store.h"

/* c is the audit's own connection, prepared as a reader. a: for its hash. */
PAWL_MUST_CHECK enum pawl_status pawl__audit_run(struct conn *c, const struct answers *a,
                                                 store_drift_fn drift, void *arg,
                                                 struct store_audit *ret, struct pawl_error *err);

#endif /* PAWL_STORE_SQLITE_AUDIT_H */
