/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/help.h"

#include <string.h>

#include "base/buf.h"

#define HELP_WIDTH  96
#define HELP_COLUMN 28 /* where the text of an option begins */

/* Words of text, from column `at` on, in lines that begin at `indent`. Ends the line. */
static void fill(FILE *out, const char *text, size_t at, size_t indent)
{
	bool first = true;

	while (*text != '\0') {
		const size_t len = strcspn(text, " ");

		if (!first && at + 1 + len > HELP_WIDTH) {
			pawl__print(out, "\n%*s", (int)indent, "");
			at = indent;
			first = true;
		}
		pawl__print(out, "%s%.*s", first ? "" : " ", (int)len, text);
		at += len + (first ? 0 : 1);
		first = false;
		text += len;
		while (*text == ' ')
			text++;
	}
	pawl__print(out, "\n");
}

static void put(struct buf *b, const char *s)
{
	pawl__buf_put(b, s, strlen(s));
}

/* "--queue-max N" */
static size_t put_flag(FILE *out, const struct option_row *row)
{
	pawl__print(out, "  --%s%s%s", row->name, row->arg == NULL ? "" : " ",
	            row->arg == NULL ? "" : row->arg);
	return 4 + strlen(row->name) + (row->arg == NULL ? 0 : 1 + strlen(row->arg));
}

static void help_option(FILE *out, const struct option_row *row)
{
	char mem[1024];
	struct buf b;
	size_t at = put_flag(out, row);

	pawl__buf_init_fixed(&b, mem, sizeof(mem) - 1);
	put(&b, row->doc);
	if (row->kind == OPTION_LIST)
		put(&b, "; may be given several times");
	if (row->def != NULL) {
		put(&b, " (default ");
		put(&b, row->def);
		put(&b, ")");
	}
	if (row->env != NULL) {
		put(&b, " [$");
		put(&b, row->env);
		put(&b, "]");
	}
	mem[b.len] = '\0';
	if (at + 2 > HELP_COLUMN) {
		pawl__print(out, "\n");
		at = 0;
	}
	pawl__print(out, "%*s", (int)(HELP_COLUMN - at), "");
	fill(out, mem, HELP_COLUMN, HELP_COLUMN);
}

static void help_examples(FILE *out, const char *const *examples)
{
	pawl__print(out, "\nexamples:\n");
	for (size_t i = 0; examples[i] != NULL; i++)
		pawl__print(out, "  %s\n", examples[i]);
}

/* The names of options as keys: '-' becomes '_'. */
static void help_keys(FILE *out, const struct cli_command *command)
{
	char mem[1024];
	struct buf b;

	pawl__buf_init_fixed(&b, mem, sizeof(mem) - 1);
	for (size_t i = 0; i < command->rows_len; i++) {
		if (!command->rows[i].file)
			continue;
		for (const char *s = command->rows[i].name; *s != '\0'; s++)
			pawl__buf_putc(&b, *s == '-' ? '_' : *s);
		pawl__buf_putc(&b, ' ');
	}
	mem[b.len] = '\0';
	pawl__print(out, "\nkeys of the configuration file:\n  ");
	fill(out, mem, 2, 2);
}

void pawl__help_command(FILE *out, const struct cli_command *command)
{
	bool file = false;

	pawl__print(out, "pawl %s - %s\n\nusage: pawl %s%s%s\n", command->name, command->summary,
	            command->name, command->usage[0] == '\0' ? "" : " ", command->usage);
	help_examples(out, command->examples);
	pawl__print(out, "\n");
	fill(out, command->about, 0, 0);
	pawl__print(out, "\noptions:\n");
	for (size_t i = 0; i < command->rows_len; i++) {
		help_option(out, &command->rows[i]);
		file = file || command->rows[i].file;
	}
	pawl__print(out, "  -h, --help%*sprint this\n", HELP_COLUMN - 12, "");
	if (!file)
		return;
	help_keys(out, command);
}

void pawl__help_all(FILE *out)
{
	static const char *const examples[] = {
		"pawl demo                      see it: ten thousand buyers race for one item",
		"pawl serve                     a server on 127.0.0.1:7077, data in ./pawl-data",
		"pawl verify --store sqlite:./pawl-data/pawl.db",
		NULL,
	};

	pawl__print(out, "pawl makes concurrent writes correct.\n\n"
	                 "usage: pawl COMMAND [options]\n");
	help_examples(out, examples);
	pawl__print(out, "\ncommands:\n");
	for (size_t i = 0; pawl__cli_commands[i] != NULL; i++)
		pawl__print(out, "  %-10s %s\n", pawl__cli_commands[i]->name,
		            pawl__cli_commands[i]->summary);
	pawl__print(
		out,
		"\npawl help COMMAND tells more of one. Every command knows --json and --help.\n"
		"exit status: 0 ok, 1 failed or refused, 2 usage, 3 not found, 4 conflict,\n"
		"  5 insufficient, 6 unavailable (may be tried again), 7 auth,\n"
		"  8 configuration, 9 undecided (pawl check), 130 interrupted\n");
}

static json_t *option_json(const struct option_row *row)
{
	static const char *const kinds[] = {
		"flag", "text", "list", "number", "duration", "choice"
	};

	return json_pack("{s:s, s:s, s:s?, s:s?, s:s?, s:b, s:s}", "name", row->name, "kind",
	                 kinds[row->kind], "argument", row->arg, "default", row->def, "environment",
	                 row->env, "file", (int)row->file, "text", row->doc);
}

static json_t *command_json(const struct cli_command *command)
{
	json_t *doc = json_pack("{s:s, s:s, s:s, s:s, s:[], s:[]}", "name", command->name,
	                        "summary", command->summary, "usage", command->usage, "about",
	                        command->about, "examples", "options");

	for (size_t i = 0; command->examples[i] != NULL; i++)
		(void)json_array_append_new(json_object_get(doc, "examples"),
		                            json_string(command->examples[i]));
	for (size_t i = 0; i < command->rows_len; i++)
		(void)json_array_append_new(json_object_get(doc, "options"),
		                            option_json(&command->rows[i]));
	return doc;
}

json_t *pawl__help_json(void)
{
	json_t *doc = json_pack("{s:i, s:[]}", "schema_version", 1, "commands");

	for (size_t i = 0; pawl__cli_commands[i] != NULL; i++)
		(void)json_array_append_new(json_object_get(doc, "commands"),
		                            command_json(pawl__cli_commands[i]));
	return doc;
}

void pawl__json_print(FILE *out, json_t *take_doc)
{
	if (take_doc == NULL) {
		pawl__print(out, "null\n");
		return;
	}
	(void)json_dumpf(take_doc, out, JSON_INDENT(2));
	pawl__print(out, "\n");
	json_decref(take_doc);
}
