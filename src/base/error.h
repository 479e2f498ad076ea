/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/error - fill a caller's struct pawl_error in one idiom:
 *     return pawl__error_set(err, PAWL_E_IO, "cannot open the lock file");
 * The lowest layer that knows the fact sets it; upper layers may prefix, never replace.
 * Texts carry no keys, values or secrets.
 */
#ifndef PAWL_BASE_ERROR_H
#define PAWL_BASE_ERROR_H

#include "base/compiler.h"
#include "pawl/error.h"

/* Returns st. err may be NULL. st is not PAWL_OK. */
PAWL_PRINTF(3, 4)
enum pawl_status pawl__error_set(struct pawl_error *err, enum pawl_status st, const char *fmt, ...);

/* The same, keeping a native code (errno, SQLite extended code) beside the text. */
PAWL_PRINTF(4, 5)
enum pawl_status pawl__error_native(struct pawl_error *err, enum pawl_status st, int native,
                                    const char *fmt, ...);

/* A row of the status table: what pawl_status_* look up one by one. Never NULL. */
struct status_row {
	const char *code;
	const char *text;
	enum pawl_status status;
	int http;
	int exit;
	enum pawl_retry retry;
};

const struct status_row *pawl__status_row(enum pawl_status st);

#endif /* PAWL_BASE_ERROR_H */
