/* SPDX-License-Identifier: Apache-2.0 */
/* race/builtin/incidents - the tables of step.h, one per incident. */
#ifndef PAWL_RACE_BUILTIN_INCIDENTS_H
#define PAWL_RACE_BUILTIN_INCIDENTS_H

#include "race/builtin/step.h"

extern const struct incident pawl__incident_oversell, pawl__incident_last_item,
	pawl__incident_double_submit, pawl__incident_lost_update, pawl__incident_counter,
	pawl__incident_bank_transfer, pawl__incident_deadlock, pawl__incident_write_skew,
	pawl__incident_phantom_booking, pawl__incident_shared_session, pawl__incident_stale_config,
	pawl__incident_dual_write, pawl__incident_lock_expiry;

#define SQL_STORES (BIT(STORE_SQLITE) | BIT(STORE_PG))
#define SPECIALS(...)                                                                              \
	((const struct special[]){ __VA_ARGS__, { .strategy = STRATEGY_NAIVE, .steps = NULL } })

#endif /* PAWL_RACE_BUILTIN_INCIDENTS_H */
