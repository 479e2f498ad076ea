/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/linear_parts - a history cut into problems for the linearizability search.
 *
 * Decides what an operation of a model means as steps on cells, which operations count at all, and
 * which keys must be searched together: those that some operation touches at once. A history is
 * linearizable when each part is (Herlihy and Wing 1990, locality).
 *
 *   model           | rows                        | cells
 *   cas-register    | read, write, put, cas       | one per key
 *   multi-register  | transactions, read, write   | one per key, joined by transactions
 *   kv              | read, put, write, append    | one text per key; nil is the empty text
 *   mutex           | acquire, release            | one lock
 *
 * A failed operation did not happen; in mode etcd a failed cas is an answer: the value was another.
 * A read of nil says nothing in mode knossos; in mode etcd it says nil. What has no outcome
 * (:info, or never completed) may have happened at any time after its start, or never.
 *
 * Limits: LIN_OPS_MAX, LIN_CELLS_MAX keys of one part. Errors: PAWL_E_INVALID for a row that the
 * model does not know, with its line. Threads: one owner.
 */
#ifndef PAWL_RACE_CHECK_LINEAR_PARTS_H
#define PAWL_RACE_CHECK_LINEAR_PARTS_H

#include "base/buf.h"
#include "race/check/check.h"
#include "race/check/linear.h"
#include "race/check/linear_text.h"
#include "race/check/table.h"

struct lin_part {
	struct lin_problem p;
	const uint32_t *rows; /* of the history, by operation of p */
	const uint32_t *keys; /* by cell of p */
};

struct lin_parts {
	const struct history *h; /* borrowed */
	struct lin_part *at;     /* owned, as all below; in the order of their first rows */
	uint32_t len;
	struct lin_op *ops;
	struct lin_step *steps;
	uint32_t *rows, *events, *keys, *initial;
	struct table values; /* value -> number; number 0 is nil */
	int64_t *value;      /* by number */
	uint32_t values_len, values_cap;
	struct lin_text texts;
	struct arena arena; /* bytes of texts that were integers */
	bool has_texts;
	bool has_key; /* some key is not nil */
};

/* ret is zeroed first; deinit it also after an error. */
PAWL_MUST_CHECK enum pawl_status pawl__lin_parts_build(const struct history *h,
                                                       const struct check_options *o,
                                                       struct lin_parts *ret,
                                                       struct pawl_error *err);
void pawl__lin_parts_deinit(struct lin_parts *p);

/* Append the value of a cell as a person writes it; long texts are cut. */
void pawl__lin_parts_value(const struct lin_parts *p, uint32_t value, struct buf *to);

#endif /* PAWL_RACE_CHECK_LINEAR_PARTS_H */
