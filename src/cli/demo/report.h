/* SPDX-License-Identifier: Apache-2.0 */
/*
 * demo/report - the rounds of the demo as tables and as JSON. Prints what was measured and nothing
 * else.
 */
#ifndef PAWL_CLI_DEMO_REPORT_H
#define PAWL_CLI_DEMO_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "cli/demo/judge.h"
#include "cli/demo/race.h"
#include "cli/naive/naive.h"

enum demo_round_kind {
	ROUND_LAST,   /* nearly everybody goes away empty */
	ROUND_PLENTY, /* there is enough for everybody: what a sale costs, and what gets lost */
};

#define DEMO_ROUNDS 2

struct demo_round {
	struct demo_counts counts;
	struct race_result race;
	int64_t commits; /* that changed something; -1 = not told */
	struct naive_result naive[NAIVE_STRATEGIES];
};

struct demo_report {
	uint64_t seed;
	uint32_t conns;
	const char *engine, *durability; /* as the server says them */
	int64_t audit_checks;            /* kinds of check that verify made */
	uint32_t threads;                /* of the naive strategies */
	int64_t think_us, budget_us;
	struct demo_round rounds[DEMO_ROUNDS]; /* by enum demo_round_kind */
};

/* Promises that were not held, over all rounds. */
int pawl__report_broken(const struct demo_report *r);

void pawl__report_print(FILE *out, const struct demo_report *r);

/* A new reference; NULL without memory. */
json_t *pawl__report_json(const struct demo_report *r);

#endif /* PAWL_CLI_DEMO_REPORT_H */
