/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/elements - numbers for the elements of sets: one per key and value, in the order in
 * which they were first put.
 *
 * Limits: ELEMENTS_MAX. Threads: one owner.
 */
#ifndef PAWL_RACE_CHECK_ELEMENTS_H
#define PAWL_RACE_CHECK_ELEMENTS_H

#include "race/check/history.h"
#include "race/check/table.h"

#define ELEMENTS_MAX  (UINT32_C(1) << 30)
#define ELEMENTS_NONE UINT32_MAX

struct element {
	int64_t value;
	uint32_t key;
	uint32_t next; /* with the same hash; ELEMENTS_NONE */
};

struct elements {
	struct table by_hash;
	struct element *at; /* owned */
	uint32_t len, cap;
};

PAWL_MUST_CHECK bool pawl__elements_init(struct elements *e);
void pawl__elements_deinit(struct elements *e);
/* ELEMENTS_NONE: no memory, or too many. */
uint32_t pawl__elements_put(struct elements *e, uint32_t key, int64_t value);
/* ELEMENTS_NONE: not there. */
uint32_t pawl__elements_find(const struct elements *e, uint32_t key, int64_t value);

/* Check the rows of a set: additions of one value, reads of collections. PAWL_E_INVALID. */
PAWL_MUST_CHECK enum pawl_status pawl__elements_rows(const struct history *h,
                                                     struct pawl_error *err);

/* What an ok read of a set showed; NULL with length 0: nothing. */
const int64_t *pawl__elements_read(const struct history *h, uint32_t row, uint32_t *ret_len);

/* Whether an ok read said anything. */
bool pawl__elements_said(const struct history *h, uint32_t row);

#endif /* PAWL_RACE_CHECK_ELEMENTS_H */
