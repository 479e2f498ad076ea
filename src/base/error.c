/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"

_Noreturn void pawl__bug(const char *kind, const char *expr, const char *file, int line)
{
	(void)fprintf(stderr, "pawl: %s failed: %s at %s:%d\n", kind, expr, file, line);
	abort();
}

PAWL_PRINTF(4, 0)
static void error_fill(struct pawl_error *err, enum pawl_status st, int native, const char *fmt,
                       va_list ap)
{
	PRE(st != PAWL_OK);
	if (err == NULL)
		return;
	*err = (struct pawl_error){ .status = st, .native = native };
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
}

enum pawl_status pawl__error_set(struct pawl_error *err, enum pawl_status st, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	error_fill(err, st, 0, fmt, ap);
	va_end(ap);
	return st;
}

enum pawl_status pawl__error_native(struct pawl_error *err, enum pawl_status st, int native,
                                    const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	error_fill(err, st, native, fmt, ap);
	va_end(ap);
	return st;
}

const struct status_row *pawl__status_row(enum pawl_status st)
{
	static const struct status_row rows[] = {
#define X(name, num, code, http, exit, retry, text)                                                \
	{ code, text, PAWL_##name, http, exit, PAWL_RETRY_##retry },
		PAWL_STATUS_MAP(X)
#undef X
	};
	static const struct status_row internal = {
		"internal", "internal error", PAWL_E_INTERNAL, 500, 1, PAWL_RETRY_NEVER
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].status == st)
			return &rows[i];
	}
	return &internal;
}

const char *pawl_status_code(enum pawl_status st)
{
	return pawl__status_row(st)->code;
}

const char *pawl_status_text(enum pawl_status st)
{
	return pawl__status_row(st)->text;
}

int pawl_status_http(enum pawl_status st)
{
	return pawl__status_row(st)->http;
}

int pawl_status_exit(enum pawl_status st)
{
	return pawl__status_row(st)->exit;
}

enum pawl_retry pawl_status_retry(enum pawl_status st)
{
	return pawl__status_row(st)->retry;
}
