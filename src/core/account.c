/* SPDX-License-Identifier: Apache-2.0 */
#include "core/account.h"

#include "base/assert.h"
#include "base/num.h"

static void account_check(const struct account *a)
{
	int64_t left = 0;

	INVARIANT(a->held >= 0);                        /* (2) */
	INVARIANT(num_sub(a->balance, a->held, &left)); /* (1) */
	INVARIANT(!a->has_floor || left >= a->floor);   /* (1) */
}

bool pawl__account_available(const struct account *a, int64_t *ret)
{
	if (!a->has_floor)
		return false;
	if (!num_sub(a->balance - a->held, a->floor, ret))
		*ret = INT64_MAX;
	return true;
}

enum pawl_status pawl__account_post(struct account *a, int64_t balance, int64_t held)
{
	/* Exact: what is below the floor is below it, wherever int64 ends. */
	const __int128 exact = (__int128)a->balance + balance - a->held - held;
	int64_t new_balance, new_held, left;

	account_check(a);
	if (a->has_floor && exact < a->floor)
		return PAWL_E_INSUFFICIENT;
	if (!num_add(a->balance, balance, &new_balance) || !num_add(a->held, held, &new_held) ||
	    !num_sub(new_balance, new_held, &left))
		return PAWL_E_INVALID;
	PRE(new_held >= 0);
	a->balance = new_balance;
	a->held = new_held;
	account_check(a);
	return PAWL_OK;
}

enum pawl_status pawl__account_set_floor(struct account *a, bool has_floor, int64_t floor)
{
	if (has_floor && a->balance - a->held < floor)
		return PAWL_E_INSUFFICIENT;
	a->has_floor = has_floor;
	a->floor = has_floor ? floor : 0;
	account_check(a);
	return PAWL_OK;
}

struct str pawl__account_world_unit(struct str id)
{
	const struct str prefix = ACCOUNT_WORLD;

	if (!str_starts(id, prefix) || id.len == prefix.len)
		return STR_NONE;
	return (struct str){ id.ptr + prefix.len, id.len - prefix.len };
}
