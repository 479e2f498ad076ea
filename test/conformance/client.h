/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What random clients ask for: few accounts, so that everybody is in everybody's way, and ids that
 * were given before, so that holds and orders are ended, twice, too late, and the other way.
 */
#ifndef TEST_CONFORMANCE_CLIENT_H
#define TEST_CONFORMANCE_CLIENT_H

#include "base/rng.h"
#include "kit.h"

#define CLIENT_IDS     32
#define CLIENT_RECORDS 2

struct client {
	struct rng *rng;           /* borrowed */
	int64_t holds[CLIENT_IDS]; /* a ring of the latest */
	int64_t orders[CLIENT_IDS];
	uint32_t holds_len, orders_len;  /* ever learnt */
	int64_t version[CLIENT_RECORDS]; /* as last seen; 0 = absent */
};

extern const char *const client_records[CLIENT_RECORDS];

/* The world they start in: acct:a to acct:d of EUR, acct:usd, the items one and two. */
void client_setup(struct kit_tx *t);

/* A transaction of one to four operations. */
void client_make(const struct client *c, struct kit_tx *t);

void client_learn_hold(struct client *c, int64_t number);
void client_learn_order(struct client *c, int64_t number);

#endif /* TEST_CONFORMANCE_CLIENT_H */
