/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"
#include "cli/help.h"
#include "pawl/pawl.h"

struct version_values {
	bool json;
};

static int version_run(struct cli *cli, void *values)
{
	(void)values;
	if (cli->json)
		pawl__json_print(cli->out, json_pack("{s:i, s:s, s:s}", "schema_version", 1, "name",
		                                     "pawl", "version", PAWL_VERSION));
	else
		pawl__print(cli->out, "pawl %s\n", PAWL_VERSION);
	return CLI_OK;
}

static const struct option_row version_rows[] = { OPTION_JSON(struct version_values) };

const struct cli_command pawl__cmd_version = {
	.name = "version",
	.summary = "print the version",
	.usage = "[--json]",
	.about = "The same as pawl --version.",
	.examples = (const char *const[]){ "pawl version --json", NULL },
	.rows = version_rows,
	.rows_len = ARRAY_LEN(version_rows),
	.values_len = sizeof(struct version_values),
	.json_offset = offsetof(struct version_values, json),
	.run = version_run,
};
