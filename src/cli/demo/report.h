/* SPDX-License-Identifier: Apache-2.0 */
/*
 * demo/report - one run of the demo as a table and as JSON. Prints what was measured and nothing
 * else.
 */
#ifndef PAWL_CLI_DEMO_REPORT_H
#define PAWL_CLI_DEMO_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "cli/demo/judge.h"
#include "cli/demo/race.h"
#include "cli/naive/naive.h"

struct demo_report {
	uint64_t seed;
	uint32_t conns;
	const char *engine, *durability; /* as the server says them */
	struct demo_counts counts;
	struct race_result race;
	int64_t commits;      /* that changed something; -1 = not told */
	int64_t audit_checks; /* kinds of check that verify made */
	uint32_t threads;     /* of the naive strategies */
	int64_t think_us, budget_us;
	struct naive_result naive[NAIVE_STRATEGIES];
};

void pawl__report_print(FILE *out, const struct demo_report *r);

/* A new reference; NULL without memory. */
json_t *pawl__report_json(const struct demo_report *r);

#endif /* PAWL_CLI_DEMO_REPORT_H */
