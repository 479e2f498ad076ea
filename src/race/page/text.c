/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "race/page/page.h"

#define PLAIN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=@%+,"

void pawl__put(struct buf *out, const char *fmt, ...)
{
	char mem[PUT_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(mem, sizeof(mem), fmt, ap);
	va_end(ap);
	if (n > 0)
		pawl__buf_put(out, mem, (size_t)n < sizeof(mem) ? (size_t)n : sizeof(mem) - 1);
}

void pawl__put_us(struct buf *out, uint64_t us)
{
	if (us < 1000)
		pawl__put(out, "%llu us", (unsigned long long)us);
	else if (us < 1000000)
		pawl__put(out, "%.1f ms", (double)us / 1e3);
	else
		pawl__put(out, "%.2f s", (double)us / 1e6);
}

void pawl__put_quantiles(struct buf *out, const struct hist *h)
{
	static const struct {
		const char *name;
		double q;
	} shown[] = { { "p50 ", 0.5 }, { ", p90 ", 0.9 }, { ", p99 ", 0.99 } };

	for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
		buf_str(out, pawl__str_of(shown[i].name));
		pawl__put_us(out, pawl__hist_quantile(h, shown[i].q));
	}
	buf_lit(out, ", max ");
	pawl__put_us(out, h->max);
}

static bool plain(struct str word)
{
	for (size_t i = 0; i < word.len; i++) {
		if (memchr(PLAIN, word.ptr[i], sizeof(PLAIN) - 1) == NULL)
			return false;
	}
	return word.len > 0;
}

void pawl__put_word(struct buf *out, struct str word)
{
	if (plain(word)) {
		buf_str(out, word);
		return;
	}
	buf_lit(out, "'");
	for (size_t i = 0; i < word.len; i++) {
		if (word.ptr[i] == '\'')
			buf_lit(out, "'\\''");
		else
			pawl__buf_putc(out, word.ptr[i]);
	}
	buf_lit(out, "'");
}

void pawl__put_system(struct buf *out)
{
	struct utsname u;

	if (uname(&u) == 0)
		pawl__put(out, "%s %s, %s, %ld processors", u.sysname, u.release, u.machine,
		          sysconf(_SC_NPROCESSORS_ONLN));
}
