/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pawl/error.h - a fault, told to the caller in the caller's own memory.
 *
 * No call of libpawl logs, exits or keeps a "last error": what went wrong is in the
 * struct that the caller passed. The text never contains keys, values or secrets, so
 * it may be logged as it is.
 */
#ifndef PAWL_ERROR_H
#define PAWL_ERROR_H

#include "pawl/export.h"
#include "pawl/status.h"

PAWL_BEGIN_DECLS

#define PAWL_ERROR_TEXT_MAX 240

/* Plain data; the caller owns it; valid until the next call that is given it. */
struct pawl_error {
	enum pawl_status status;
	int native;                     /* SQLite extended code or errno; 0 = none */
	char sqlstate[6];               /* PostgreSQL only, "" otherwise */
	char text[PAWL_ERROR_TEXT_MAX]; /* NUL-terminated */
};

/* Look-ups in the status table. Any thread; never NULL; an unlisted value gives the row of
 * PAWL_E_INTERNAL. */
PAWL_EXPORT const char *pawl_status_code(enum pawl_status st);
PAWL_EXPORT const char *pawl_status_text(enum pawl_status st);
PAWL_EXPORT int pawl_status_http(enum pawl_status st);
PAWL_EXPORT int pawl_status_exit(enum pawl_status st);
PAWL_EXPORT enum pawl_retry pawl_status_retry(enum pawl_status st);

PAWL_END_DECLS

#endif /* PAWL_ERROR_H */
