/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <time.h>

#include "base/assert.h"

static int64_t clock_read_us(clockid_t id)
{
	struct timespec ts;

	INVARIANT(clock_gettime(id, &ts) == 0);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t pawl__clock_real_us(void)
{
	return clock_read_us(CLOCK_REALTIME);
}

int64_t pawl__clock_mono_us(void)
{
	return clock_read_us(CLOCK_MONOTONIC);
}

int64_t pawl__clock_mono_ns(void)
{
	struct timespec ts;

	INVARIANT(clock_gettime(CLOCK_MONOTONIC, &ts) == 0);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void buf_digits(struct buf *b, int64_t v, int width)
{
	char text[20];

	for (int i = width; i > 0; i--) {
		text[i - 1] = (char)('0' + v % 10);
		v /= 10;
	}
	pawl__buf_put(b, text, (size_t)width);
}

/* 10000-01-01T00:00:00Z: the first instant whose year has five digits. */
#define CLOCK_FORMAT_END_US (INT64_C(253402300800) * 1000000)

void pawl__clock_format(struct buf *b, int64_t us)
{
	const int64_t second = us / 1000000, in_day = second % 86400;
	/* Days to a civil date: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
	const int64_t z = second / 86400 + 719468, era = z / 146097, doe = z - era * 146097;
	const int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	const int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	const int64_t month = mp < 10 ? mp + 3 : mp - 9;

	PRE(us >= 0 && us < CLOCK_FORMAT_END_US);
	buf_digits(b, yoe + era * 400 + (month <= 2 ? 1 : 0), 4);
	pawl__buf_putc(b, '-');
	buf_digits(b, month, 2);
	pawl__buf_putc(b, '-');
	buf_digits(b, doy - (153 * mp + 2) / 5 + 1, 2);
	pawl__buf_putc(b, 'T');
	buf_digits(b, in_day / 3600, 2);
	pawl__buf_putc(b, ':');
	buf_digits(b, in_day / 60 % 60, 2);
	pawl__buf_putc(b, ':');
	buf_digits(b, in_day % 60, 2);
	pawl__buf_putc(b, '.');
	buf_digits(b, us % 1000000, 6);
	pawl__buf_putc(b, 'Z');
}
