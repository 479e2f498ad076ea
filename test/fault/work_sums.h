/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault/work_sums - what the remembered answers of a workload add up to, against the rows.
 * An independent sum: of requests and their answers' codes alone.
 */
#ifndef FAULT_WORK_SUMS_H
#define FAULT_WORK_SUMS_H

#include "work.h"

/* Every ask is settled: KNOWN_ANSWER or KNOWN_NOTHING. */
void pawl__work_sums(struct work *w);

#endif /* FAULT_WORK_SUMS_H */
