/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/account - the arithmetic of one account. Whoever changes a balance or a hold goes through
 * pawl__account_post, so the floor is checked in one place.
 */
#ifndef PAWL_CORE_ACCOUNT_H
#define PAWL_CORE_ACCOUNT_H

#include "base/compiler.h"
#include "core/rows.h"

/* The prefix of the accounts that stand for the rest of the world: they exist for every unit,
 * have no floor, and make each unit sum to zero. */
#define ACCOUNT_WORLD STR("world:")

/* What may still leave the account: balance - held - floor, at most INT64_MAX; false = no floor. */
bool pawl__account_available(const struct account *a, int64_t *ret);

/*
 * Add to balance and held at once. PAWL_OK; PAWL_E_INSUFFICIENT when (1) would break;
 * PAWL_E_INVALID when a number would leave int64. Untouched unless PAWL_OK.
 */
PAWL_MUST_CHECK enum pawl_status pawl__account_post(struct account *a, int64_t balance,
                                                    int64_t held);

/* The same for the floor. */
PAWL_MUST_CHECK enum pawl_status pawl__account_set_floor(struct account *a, bool has_floor,
                                                         int64_t floor);

/* "world:UNIT" and UNIT not empty: the unit, else STR_NONE. */
struct str pawl__account_world_unit(struct str id);

#endif /* PAWL_CORE_ACCOUNT_H */
