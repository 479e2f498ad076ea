/* SPDX-License-Identifier: Apache-2.0 */
/* Where the built-in incidents are not compiled in. */
#include "cli/race/race_cmd.h"

int pawl__race_cmd_builtin(struct cli *cli, const struct race_values *v, const char *name)
{
	(void)v, (void)name;
	return pawl__cli_fail(cli, PAWL_E_UNSUPPORTED,
	                      "race: this program has no built-in incidents");
}

int pawl__race_cmd_list(struct cli *cli)
{
	return pawl__race_cmd_builtin(cli, NULL, NULL);
}
