/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite/meta - the one row that says where the store stands, read at begin and written at flush.
 */
#ifndef PAWL_STORE_SQLITE_META_H
#define PAWL_STORE_SQLITE_META_H

#include <stdint.h>

#include "base/compiler.h"
#include "store/sqlite/conn.h"

struct meta {
	int64_t revision;
	int64_t answers_seq;
	int64_t high_water_us;
	/* how many rows there are: what stats tells, and the audit counts again */
	int64_t accounts, holds_live, orders, records, events, jobs, answers;
};

PAWL_MUST_CHECK enum pawl_status pawl__meta_get(struct conn *c, struct meta *ret,
                                                struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status pawl__meta_set(struct conn *c, const struct meta *m,
                                                struct pawl_error *err);

#endif /* PAWL_STORE_SQLITE_META_H */
