/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/hist - a log-linear histogram of non-negative integers: 32 buckets an octave, so a value
 * read back is at most 1/32 (3.2%) above the value put in. Fixed size, no allocation.
 * After the idea of HdrHistogram (G. Tene). Threads: one owner; merge for several.
 */
#ifndef PAWL_BASE_HIST_H
#define PAWL_BASE_HIST_H

#include <stdint.h>

#define HIST_SUB_BITS 5U
#define HIST_BUCKETS  ((64U - HIST_SUB_BITS + 1U) << HIST_SUB_BITS)

struct hist {
	uint64_t count;
	uint64_t sum;
	uint64_t max;
	uint64_t bucket[HIST_BUCKETS];
};

void pawl__hist_put(struct hist *h, uint64_t v);
void pawl__hist_merge(struct hist *into, const struct hist *from);

/* The smallest bucket bound that at least the share q (0..1) of the values do not exceed; 0 when
 * empty; never above the largest value seen. */
uint64_t pawl__hist_quantile(const struct hist *h, double q);

/* How many values are known to be <= v (exact at bucket bounds). */
uint64_t pawl__hist_count_le(const struct hist *h, uint64_t v);

#endif /* PAWL_BASE_HIST_H */
