/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pawl/record.h - records: a key, a JSON value, a version. Reading; writing is pawl_tx_put and
 * pawl_tx_delete. Reads: see pawl/account.h. Any thread.
 */
#ifndef PAWL_RECORD_H
#define PAWL_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "pawl/error.h"
#include "pawl/export.h"

PAWL_BEGIN_DECLS

struct pawl;

struct pawl_record {
	int64_t version;   /* revision of the commit that wrote it: what to write back against */
	const char *value; /* compact JSON, NUL-terminated */
	size_t value_len;
};

/* One block: pawl_record_free. PAWL_E_NOT_FOUND; PAWL_E_INVALID: not a key; PAWL_E_NOMEM; faults of
 * the store. */
PAWL_EXPORT enum pawl_status pawl_record_get(struct pawl *p, const char *key,
                                             struct pawl_record **ret, struct pawl_error *err);

/* NULL is allowed. */
PAWL_EXPORT void pawl_record_free(struct pawl_record *record);

PAWL_END_DECLS

#endif /* PAWL_RECORD_H */
