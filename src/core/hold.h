/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/hold - how a hold ends, decided from its row and one reading of the store's clock.
 * The state diagram stands at struct hold (core/rows.h).
 */
#ifndef PAWL_CORE_HOLD_H
#define PAWL_CORE_HOLD_H

#include "base/compiler.h"
#include "core/rows.h"

/* What a decision does to the hold and its accounts. */
struct hold_step {
	int64_t take; /* leaves `from` for `to` */
	int64_t give; /* is free again in `from` */
	bool repeat;  /* the same final state was reached before: success, nothing changes */
	struct hold next;
};

/* The state as of now: a HELD row whose time has come is EXPIRED, swept or not. */
enum hold_state pawl__hold_state(const struct hold *h, int64_t now_us);

static inline int64_t hold_left(const struct hold *h)
{
	return h->amount - h->captured;
}

/*
 * Capture amount (0 = all that is left) and, when final, give back the rest. PAWL_OK,
 * PAWL_E_HOLD_EXPIRED, PAWL_E_HOLD_FINISHED, or PAWL_E_INSUFFICIENT for more than is left.
 * A repeat is: of a CAPTURED hold, all, or exactly what was captured.
 */
PAWL_MUST_CHECK enum pawl_status pawl__hold_capture(const struct hold *h, int64_t now_us,
                                                    int64_t amount, bool final,
                                                    struct hold_step *ret);

/* Give back what is left. PAWL_OK (also for a RELEASED hold), PAWL_E_HOLD_EXPIRED,
 * PAWL_E_HOLD_FINISHED. */
PAWL_MUST_CHECK enum pawl_status pawl__hold_release(const struct hold *h, int64_t now_us,
                                                    struct hold_step *ret);

#endif /* PAWL_CORE_HOLD_H */
