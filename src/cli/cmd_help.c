/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"
#include "cli/help.h"

struct help_values {
	bool json;
};

static int help_run(struct cli *cli, void *values)
{
	const struct cli_command *command;

	(void)values;
	if (cli->json) {
		pawl__json_print(cli->out, pawl__help_json());
		return CLI_OK;
	}
	if (cli->options->operands_len == 0) {
		pawl__help_all(cli->out);
		return CLI_OK;
	}
	command = pawl__cli_command(cli->options->operands[0]);
	if (command == NULL)
		return pawl__cli_unknown(cli, cli->options->operands[0]);
	pawl__help_command(cli->out, command);
	return CLI_OK;
}

static const struct option_row help_rows[] = { OPTION_JSON(struct help_values) };

const struct cli_command pawl__cmd_help = {
	.name = "help",
	.summary = "print what the commands do",
	.usage = "[COMMAND]",
	.about = "With --json: the whole table of commands and options, as data.",
	.examples = (const char *const[]){ "pawl help serve", NULL },
	.rows = help_rows,
	.rows_len = ARRAY_LEN(help_rows),
	.values_len = sizeof(struct help_values),
	.operands_max = 1,
	.json_offset = offsetof(struct help_values, json),
	.run = help_run,
};
