/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/help - the command table and its option tables as text and as JSON. Says only what stands in
 * the tables.
 */
#ifndef PAWL_CLI_HELP_H
#define PAWL_CLI_HELP_H

#include <jansson.h>

#include "cli/cli.h"

/* All commands, one line each, examples first. */
void pawl__help_all(FILE *out);
void pawl__help_command(FILE *out, const struct cli_command *command);

/* The same as data; NULL without memory. A new reference. */
json_t *pawl__help_json(void);

/* One JSON document and a line feed; takes it. */
void pawl__json_print(FILE *out, json_t *take_doc);

#endif /* PAWL_CLI_HELP_H */
