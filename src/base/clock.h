/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/clock - the two clocks and the text form of a time. Microseconds everywhere.
 */
#ifndef PAWL_BASE_CLOCK_H
#define PAWL_BASE_CLOCK_H

#include <stdint.h>

#include "base/buf.h"

/* Microseconds since 1970-01-01T00:00:00Z. May step. */
int64_t pawl__clock_real_us(void);

/* Microseconds since some start. Never goes back; for deadlines and durations only. */
int64_t pawl__clock_mono_us(void);

/* The same clock in nanoseconds, for measuring what is too short for microseconds. */
int64_t pawl__clock_mono_ns(void);

/* RFC 3339 in UTC with six digits: 2026-11-21T06:45:33.000123Z. Pure. us is in [0, year 9999]. */
void pawl__clock_format(struct buf *b, int64_t us);

#endif /* PAWL_BASE_CLOCK_H */
