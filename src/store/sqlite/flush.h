/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite/flush - write the dirty rows and the appended ones of a working set; answers are written
 * by sqlite/answers.
 */
#ifndef PAWL_STORE_SQLITE_FLUSH_H
#define PAWL_STORE_SQLITE_FLUSH_H

#include "base/compiler.h"
#include "core/ws.h"
#include "store/sqlite/meta.h"

/* Keeps the counts of meta, and sets account.number of new accounts. */
PAWL_MUST_CHECK enum pawl_status pawl__flush_rows(struct conn *c, struct meta *meta, struct ws *ws,
                                                  struct pawl_error *err);

#endif /* PAWL_STORE_SQLITE_FLUSH_H */
