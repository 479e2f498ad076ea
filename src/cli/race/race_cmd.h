/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/race/race_cmd - the parts of `pawl race`: its values, and one function for each of its verbs.
 *
 * Each returns the exit status: 0 held, 1 violated, 2 usage or a scenario that is wrong or does not
 * fit the target, 6 target unavailable, 9 inconclusive, 130 interrupted.
 */
#ifndef PAWL_CLI_RACE_RACE_CMD_H
#define PAWL_CLI_RACE_RACE_CMD_H

#include <stdatomic.h>

#include "cli/cli.h"

struct race_values {
	int64_t seed, rounds, clients, think_us, schedules;
	const char *history, *report, *ca_file, *output, *on, *redis, *strategy;
	bool until_failure, explore, json;
};

struct volley;

/* Written by the handler of SIGINT and SIGTERM. */
extern atomic_bool pawl__race_cancelled;
/* What the handler stops; NULL = nothing. */
extern struct volley *_Atomic pawl__race_volley;

void pawl__race_signals(void);
/* A descriptor for each connection, as far as the system allows. */
void pawl__race_files(uint32_t conns);

int pawl__race_cmd_run(struct cli *cli, const struct race_values *v, const char *file);
int pawl__race_cmd_init(struct cli *cli, const struct race_values *v, const char *url);
int pawl__race_cmd_builtin(struct cli *cli, const struct race_values *v, const char *name);
int pawl__race_cmd_list(struct cli *cli);

#endif /* PAWL_CLI_RACE_RACE_CMD_H */
