/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/config - the YAML file of a command: one flat mapping, bound strictly to the rows of the
 * command's option table that may stand in a file.
 *
 *     listen: 127.0.0.1:7077          # or a list
 *     store: sqlite:/var/lib/pawl/pawl.db
 *     queue_max: 65536
 *
 * Strict: an unknown or repeated key, a value of the wrong kind or outside its bounds, an anchor,
 * an alias, a tag or a second document is refused, with its place. A file that silently means less
 * than it says is how a server runs for a year without what its owner configured.
 *
 * It never prints. Threads: none of its own. Limits: CONFIG_FILE_MAX bytes.
 */
#ifndef PAWL_CLI_CONFIG_H
#define PAWL_CLI_CONFIG_H

#include "base/arena.h"
#include "base/compiler.h"
#include "base/str.h"
#include "cli/option.h"
#include "pawl/error.h"

#define CONFIG_FILE_MAX ((size_t)64 << 10)

/* Texts of values go to the arena, which outlives the values. PAWL_E_CONFIG: the text begins with
 * "LINE:COLUMN: ", counted from 1. */
PAWL_MUST_CHECK enum pawl_status pawl__config_parse(struct options *o, struct str yaml,
                                                    struct arena *arena, struct pawl_error *err);

/* The same from a file. PAWL_E_CONFIG, also when it is missing: a file that was named is wanted.
 * The text lacks the path. */
PAWL_MUST_CHECK enum pawl_status pawl__config_read(struct options *o, const char *path,
                                                   struct arena *arena, struct pawl_error *err);

#endif /* PAWL_CLI_CONFIG_H */
