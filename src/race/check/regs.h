/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/regs - versions of registers: who wrote and read them, and which is known to come
 * before which.
 *
 *     init: a number for each (key, value) -> scan: anomalies that need no cycle -> order: edges
 *     between versions, from each source that was asked for -> (rw_register) edges between rows
 *
 * Versions below keys_len are the initial ones (nil) of each key. Of a transaction only what others
 * can see counts for the order: its first access to a key if that is a read, its last write of it.
 * A version that was written twice, or an initial value that was written too, has no writer; where
 * such a version was read, something stays unknown.
 * Owner: the check that runs; it borrows the history. Threads: one.
 */
#ifndef PAWL_RACE_CHECK_REGS_H
#define PAWL_RACE_CHECK_REGS_H

#include "race/check/found.h"
#include "race/check/graph.h"

#define REGS_NONE    UINT32_MAX
#define REGS_SEVERAL (UINT32_MAX - 1)

/* Flags of micro-operations */
#define REGS_EXTERNAL 1u /* others can see it, or it can see others */

struct regs {
	const struct history *h;
	const struct check_options *o;
	uint32_t *version; /* by mop */
	uint32_t *row;     /* by mop */
	uint8_t *flags;    /* by mop */

	uint32_t versions;
	uint32_t *key;    /* by version */
	uint32_t *writer; /* by version: row whose last write it is; REGS_NONE, REGS_SEVERAL */
	uint32_t *failed; /* by version: failed row that wrote it; REGS_NONE */
	uint32_t *middle; /* by version: row that wrote over it itself; REGS_NONE */
	uint32_t *other;  /* by version: a second writer */
	uint32_t *first;  /* by version, and one more: its readers in `reader` */
	uint32_t *reader; /* rows */

	uint32_t *slots; /* hash of (key, value) -> a mop that has it */
	uint64_t slots_mask;

	/* From version `before` to version `after`, besides those from the initial versions. */
	uint32_t *before, *after;
	uint64_t edges, edges_cap;
	struct graph order; /* of versions, the initial edges too */
	uint8_t *led; /* by version: a version that somebody wrote is known to come before it */
	uint32_t left_out; /* sources that were not used, for they made a cycle */
};

/* PAWL_E_INVALID: no rw-register history. On failure too, deinit. */
PAWL_MUST_CHECK enum pawl_status pawl__regs_init(struct regs *x, const struct history *h,
                                                 const struct check_options *o,
                                                 struct pawl_error *err);
void pawl__regs_deinit(struct regs *x);

PAWL_MUST_CHECK enum pawl_status pawl__regs_scan(const struct regs *x, struct found *f,
                                                 struct pawl_error *err);

/* Infer what comes before what; cyclic-versions go to f. PAWL_E_TOO_LARGE. */
PAWL_MUST_CHECK enum pawl_status pawl__regs_order(struct regs *x, struct found *f);

static inline bool regs_is_initial(const struct regs *x, uint32_t version)
{
	return version < x->h->keys_len;
}

static inline bool regs_has_writer(const struct regs *x, uint32_t version)
{
	return x->writer[version] < REGS_SEVERAL;
}

#endif /* PAWL_RACE_CHECK_REGS_H */
