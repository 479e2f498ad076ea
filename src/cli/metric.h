/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/metric - reads one number out of a Prometheus text exposition (format 0.0.4).
 */
#ifndef PAWL_CLI_METRIC_H
#define PAWL_CLI_METRIC_H

#include <stdbool.h>

#include "base/compiler.h"
#include "base/str.h"

/* The sum of all samples of that name, over all label sets; name "x_sum" and "x_count" for a
 * histogram. False, *ret untouched: there is none. What is no finite number is skipped. */
PAWL_MUST_CHECK bool pawl__metric_sum(struct str text, const char *name, double *ret);

#endif /* PAWL_CLI_METRIC_H */
