/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pawl/status.h - every way a call can end, in one table.
 *
 * The table is the only place where a status is defined. It generates the enum,
 * the machine-readable code of the HTTP problem document, the HTTP status, the
 * exit code of pawl(1), the retry advice and the text; a test walks it.
 *
 * Two channels carry these values. A function that returns `enum pawl_status`
 * reports faults. An answer (pawl_answer_code) carries the verdict on a
 * transaction: PAWL_OK, or why it was refused. A refusal is not a fault: it was
 * decided, committed and is remembered under the idempotency key.
 *
 * Sources: RFC 9110 and RFC 6585 (status codes), RFC 9457 (problem documents),
 * draft-ietf-httpapi-idempotency-key-header-07 (400, 409, 422).
 */
#ifndef PAWL_STATUS_H
#define PAWL_STATUS_H

/* clang-format off */
/*        name                    num  code                     http exit retry    text */
#define PAWL_STATUS_MAP(X) \
	X(OK,                       0, "ok",                     200,  0, NEVER,   "success") \
	/* verdicts on a transaction */ \
	X(E_INVALID,               -1, "invalid",                400,  2, NEVER,   "the request is not valid") \
	X(E_NOT_FOUND,             -2, "not_found",              404,  3, NEVER,   "no such object") \
	X(E_INSUFFICIENT,          -3, "insufficient",           409,  5, NEVER,   "not enough available") \
	X(E_EXISTS,                -4, "exists",                 409,  4, NEVER,   "the object exists already") \
	X(E_HOLD_EXPIRED,          -5, "hold_expired",           409,  4, NEVER,   "the hold has expired") \
	X(E_HOLD_FINISHED,         -6, "hold_finished",          409,  4, NEVER,   "the hold has reached another final state") \
	X(E_FENCED,                -7, "fenced",                 409,  4, NEVER,   "the fencing token is not the current one") \
	X(E_HELD,                  -8, "held",                   409,  4, BACKOFF, "the lock is held by another owner") \
	X(E_IN_PROGRESS,           -9, "in_progress",            409,  6, BACKOFF, "the first request with this key is still running") \
	X(E_VERSION_MISMATCH,     -10, "version_mismatch",       412,  4, NEVER,   "the version is not the current one") \
	X(E_KEY_REUSED,           -11, "key_reused",             422,  4, NEVER,   "the idempotency key was used for another request") \
	X(E_PRECONDITION_REQUIRED,-12, "precondition_required",  428,  4, NEVER,   "the write needs If-Match or If-None-Match") \
	/* nothing was done */ \
	X(E_OVERLOADED,           -20, "overloaded",             503,  6, BACKOFF, "too much to do; nothing was done") \
	X(E_DRAINING,             -21, "draining",               503,  6, BACKOFF, "shutting down; nothing was done") \
	X(E_STORE_UNAVAILABLE,    -22, "store_unavailable",      503,  6, BACKOFF, "the store cannot be written; nothing was done") \
	X(E_NOMEM,                -23, "out_of_memory",          503,  6, BACKOFF, "out of memory; nothing was done") \
	X(E_SERIALIZE,            -24, "serialization_failure",  503,  6, REDO,    "rolled back to keep isolation; nothing was done") \
	/* not known */ \
	X(E_OUTCOME_UNKNOWN,      -30, "outcome_unknown",        504,  6, RECHECK, "the commit may or may not have happened") \
	/* the front */ \
	X(E_UNAUTHORIZED,         -40, "unauthorized",           401,  7, NEVER,   "a valid bearer token is needed") \
	X(E_METHOD_NOT_ALLOWED,   -41, "method_not_allowed",     405,  2, NEVER,   "the resource does not have this method") \
	X(E_NOT_ACCEPTABLE,       -42, "not_acceptable",         406,  2, NEVER,   "no acceptable representation") \
	X(E_REQUEST_TIMEOUT,      -43, "request_timeout",        408,  6, BACKOFF, "the request did not arrive in time") \
	X(E_TOO_LARGE,            -44, "too_large",              413,  2, NEVER,   "the body is over the limit") \
	X(E_URI_TOO_LONG,         -45, "uri_too_long",           414,  2, NEVER,   "the request target is over the limit") \
	X(E_MEDIA_TYPE,           -46, "unsupported_media_type", 415,  2, NEVER,   "the body must be application/json") \
	X(E_EXPECTATION,          -47, "expectation_failed",     417,  2, NEVER,   "the only expectation known is 100-continue") \
	X(E_HEADERS_TOO_LARGE,    -48, "headers_too_large",      431,  2, NEVER,   "the header fields are over the limit") \
	X(E_HTTP_VERSION,         -49, "http_version",           505,  2, NEVER,   "HTTP/1.0 and HTTP/1.1 only") \
	/* opening and running */ \
	X(E_UNSUPPORTED,          -60, "not_implemented",        501,  2, NEVER,   "not supported here") \
	X(E_INTERNAL,             -61, "internal",               500,  1, NEVER,   "internal error") \
	X(E_IO,                   -62, "io_error",               500,  6, NEVER,   "input or output failed") \
	X(E_CORRUPT,              -63, "corrupt",                500,  1, NEVER,   "stored data fails its checks") \
	X(E_BUSY,                 -64, "busy",                   503,  6, BACKOFF, "the store is in use by another process") \
	X(E_SCHEMA,               -65, "schema",                 500,  8, NEVER,   "the store's schema is newer than this program") \
	X(E_CONFIG,               -66, "configuration",          500,  8, NEVER,   "the configuration is not valid")
/* clang-format on */

enum pawl_status {
#define X(name, num, code, http, exit, retry, text) PAWL_##name = (num),
	PAWL_STATUS_MAP(X)
#undef X
};

/* What a caller may do next. This is never a guess. */
enum pawl_retry {
	PAWL_RETRY_NEVER,   /* the same call will end the same way */
	PAWL_RETRY_REDO,    /* nothing applied: run the whole transaction again now */
	PAWL_RETRY_BACKOFF, /* nothing applied: run it again after a delay */
	PAWL_RETRY_RECHECK, /* maybe applied: ask by idempotency key, or send the same key again */
};

#endif /* PAWL_STATUS_H */
