/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/progress - one line on a terminal that says how far a long command is. Nothing at all where
 * stderr is no terminal, or a dumb one.
 */
#ifndef PAWL_CLI_PROGRESS_H
#define PAWL_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct progress {
	FILE *f;
	bool on;
	int64_t drawn_us; /* mono; of the last time */
};

void pawl__progress_init(struct progress *p, FILE *f, bool wanted);

/* Draws ten times a second at most. now_us: mono. total >= 1. */
void pawl__progress_update(struct progress *p, const char *what, int64_t done, int64_t total,
                           int64_t now_us);

/* Take the line away. */
void pawl__progress_clear(struct progress *p);

#endif /* PAWL_CLI_PROGRESS_H */
