/* SPDX-License-Identifier: Apache-2.0 */
/*
 * demo/race - ten thousand buyers at the door of one server: their requests, and what they were
 * told, kept to the byte.
 *
 * Each buyer has a key of its own and sends one order. A share of them sends it again, with the
 * same key, after the answer ("the answer was lost"); a share sends it twice at once. Which ones,
 * and in which order they come, follows from the seed.
 *
 * It counts and never judges: that is demo/judge. Owning thread: the caller's.
 * Limits: RACE_BUYERS_MAX, RACE_CONNS_MAX, RACE_ANSWERS_MAX bytes of first answers.
 */
#ifndef PAWL_CLI_DEMO_RACE_H
#define PAWL_CLI_DEMO_RACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/hist.h"
#include "cli/demo/judge.h"
#include "cli/progress.h"
#include "net/peer.h"
#include "pawl/error.h"

#define RACE_BUYERS_MAX  100000
#define RACE_CONNS_MAX   4096
#define RACE_ANSWERS_MAX ((size_t)256 << 20)

struct race_config {
	const struct net_peer *peer;
	const char *sku;
	uint32_t buyers;
	uint32_t retries_percent, twice_percent;
	uint32_t conns;
	uint64_t seed;
	int64_t timeout_us; /* of the whole race */
	struct progress *progress;
	const atomic_bool *cancel; /* set by a signal's handler */
};

struct race_result {
	struct hist latency_us;
	int64_t elapsed_us;
	int64_t in_flight_max;
	int64_t timeouts, resets, malformed; /* requests without an answer */
	int64_t shed;                        /* answers with 503: nothing was done */
};

/* Fills the counts that answers tell of; those of the server and the books stay as they are. */
PAWL_MUST_CHECK enum pawl_status pawl__race_run(const struct race_config *config,
                                                struct demo_counts *counts, struct race_result *ret,
                                                struct pawl_error *err);

#endif /* PAWL_CLI_DEMO_RACE_H */
