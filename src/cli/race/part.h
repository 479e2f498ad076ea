/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/race/part - a file that takes its name only when it is whole: until then, and when the run
 * came to nothing, what bore the name before stays as it is.
 *
 * Opened before the run, so that a place where nothing can be written is told at once.
 * Threads: one owner. Errors: PAWL_E_INVALID (the path is too long), PAWL_E_IO.
 */
#ifndef PAWL_CLI_RACE_PART_H
#define PAWL_CLI_RACE_PART_H

#include <stdio.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "pawl/error.h"

#define PART_PATH_MAX 4096

struct part {
	const char *path; /* borrowed */
	char temporary[PART_PATH_MAX];
	FILE *f; /* NULL = nothing is asked for, or it is done */
};

/* path NULL: none is asked for. */
PAWL_MUST_CHECK enum pawl_status pawl__part_open(struct part *p, const char *path,
                                                 struct pawl_error *err);
/* What the buffer holds, under the file's name. */
PAWL_MUST_CHECK enum pawl_status pawl__part_keep(struct part *p, const struct buf *b,
                                                 struct pawl_error *err);
/* Nothing after keep. */
void pawl__part_drop(struct part *p);

#endif /* PAWL_CLI_RACE_PART_H */
