/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/commands - the rows of the command table, each from its own cmd_*.c.
 */
#ifndef PAWL_CLI_COMMANDS_H
#define PAWL_CLI_COMMANDS_H

#include "cli/cli.h"

extern const struct cli_command pawl__cmd_check;
extern const struct cli_command pawl__cmd_demo;
extern const struct cli_command pawl__cmd_doctor;
extern const struct cli_command pawl__cmd_help;
extern const struct cli_command pawl__cmd_race;
extern const struct cli_command pawl__cmd_serve;
extern const struct cli_command pawl__cmd_status;
extern const struct cli_command pawl__cmd_verify;
extern const struct cli_command pawl__cmd_version;

#endif /* PAWL_CLI_COMMANDS_H */
