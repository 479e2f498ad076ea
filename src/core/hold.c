/* SPDX-License-Identifier: Apache-2.0 */
#include "core/hold.h"

#include "base/assert.h"

enum hold_state pawl__hold_state(const struct hold *h, int64_t now_us)
{
	if (h->state == HOLD_HELD && now_us >= h->expires_us)
		return HOLD_EXPIRED;
	return h->state;
}

static enum pawl_status hold_finish(const struct hold *h, int64_t now_us, enum hold_state wanted,
                                    struct hold_step *ret)
{
	INVARIANT(h->amount > 0 && h->captured >= 0 && h->captured <= h->amount); /* (3) */
	*ret = (struct hold_step){ .next = *h };
	switch (pawl__hold_state(h, now_us)) {
	case HOLD_HELD:
		return PAWL_OK;
	case HOLD_EXPIRED:
		return PAWL_E_HOLD_EXPIRED;
	case HOLD_CAPTURED:
	case HOLD_RELEASED:
		ret->repeat = h->state == wanted;
		return ret->repeat ? PAWL_OK : PAWL_E_HOLD_FINISHED;
	}
	UNREACHABLE();
}

enum pawl_status pawl__hold_capture(const struct hold *h, int64_t now_us, int64_t amount,
                                    bool final, struct hold_step *ret)
{
	const enum pawl_status st = hold_finish(h, now_us, HOLD_CAPTURED, ret);

	PRE(amount >= 0);
	if (st != PAWL_OK)
		return st;
	if (ret->repeat) {
		if (amount == 0 || amount == h->captured)
			return PAWL_OK;
		ret->repeat = false;
		return PAWL_E_HOLD_FINISHED;
	}
	if (amount > hold_left(h))
		return PAWL_E_INSUFFICIENT;
	ret->take = amount == 0 ? hold_left(h) : amount;
	ret->next.captured += ret->take;
	if (final || hold_left(&ret->next) == 0) {
		ret->give = hold_left(&ret->next);
		ret->next.state = HOLD_CAPTURED;
	}
	return PAWL_OK;
}

enum pawl_status pawl__hold_release(const struct hold *h, int64_t now_us, struct hold_step *ret)
{
	const enum pawl_status st = hold_finish(h, now_us, HOLD_RELEASED, ret);

	if (st != PAWL_OK || ret->repeat)
		return st;
	ret->give = hold_left(h);
	ret->next.state = HOLD_RELEASED;
	return PAWL_OK;
}
