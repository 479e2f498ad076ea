/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/route - which lane a request goes to. Requests on one hot row should meet in one lane,
 * where they share a batch; in two they would wait for each other's lock.
 *
 * A request goes by the row that is asked for most among those it names: a payment into one
 * busy account goes by that account, whoever pays. How often a row is asked for is counted in a
 * small table by hash, halved from time to time, so a collision costs speed and nothing else.
 *
 * Threads: pawl__route_rows any; pawl__route_lane under the engine's lock.
 */
#ifndef PAWL_ENGINE_ROUTE_H
#define PAWL_ENGINE_ROUTE_H

#include <stdint.h>

#include "core/tx.h"

#define ROUTE_CELLS    4096u /* power of two */
#define ROUTE_ROWS_MAX 16u   /* rows of one request that are looked at */

struct route_heat {
	uint32_t count[ROUTE_CELLS];
	uint32_t total; /* since the last halving */
};

/* Hashes of rows that tx names, the idempotency key's when it names none; at least 1. */
uint32_t pawl__route_rows(const struct tx *tx, uint64_t ret[ROUTE_ROWS_MAX]);

/* Count the rows, and give the lane in [0, lanes) of the hottest. */
uint32_t pawl__route_lane(struct route_heat *h, const uint64_t *rows, uint32_t len, uint32_t lanes);

#endif /* PAWL_ENGINE_ROUTE_H */
