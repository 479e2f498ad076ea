/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "net/http1.h"

/* Every status that the front or the application sends. */
#define STATUS_LINES(X)                                                                            \
	X(100, "Continue")                                                                         \
	X(200, "OK")                                                                               \
	X(201, "Created")                                                                          \
	X(202, "Accepted")                                                                         \
	X(204, "No Content")                                                                       \
	X(206, "Partial Content")                                                                  \
	X(301, "Moved Permanently")                                                                \
	X(302, "Found")                                                                            \
	X(303, "See Other")                                                                        \
	X(304, "Not Modified")                                                                     \
	X(307, "Temporary Redirect")                                                               \
	X(308, "Permanent Redirect")                                                               \
	X(400, "Bad Request")                                                                      \
	X(401, "Unauthorized")                                                                     \
	X(403, "Forbidden")                                                                        \
	X(404, "Not Found")                                                                        \
	X(405, "Method Not Allowed")                                                               \
	X(406, "Not Acceptable")                                                                   \
	X(408, "Request Timeout")                                                                  \
	X(409, "Conflict")                                                                         \
	X(410, "Gone")                                                                             \
	X(411, "Length Required")                                                                  \
	X(412, "Precondition Failed")                                                              \
	X(413, "Content Too Large")                                                                \
	X(414, "URI Too Long")                                                                     \
	X(415, "Unsupported Media Type")                                                           \
	X(416, "Range Not Satisfiable")                                                            \
	X(417, "Expectation Failed")                                                               \
	X(421, "Misdirected Request")                                                              \
	X(422, "Unprocessable Content")                                                            \
	X(426, "Upgrade Required")                                                                 \
	X(428, "Precondition Required")                                                            \
	X(429, "Too Many Requests")                                                                \
	X(431, "Request Header Fields Too Large")                                                  \
	X(500, "Internal Server Error")                                                            \
	X(501, "Not Implemented")                                                                  \
	X(502, "Bad Gateway")                                                                      \
	X(503, "Service Unavailable")                                                              \
	X(504, "Gateway Timeout")                                                                  \
	X(505, "HTTP Version Not Supported")                                                       \
	X(507, "Insufficient Storage")

#define STATUS_LINE_MAX 64
/* Bytes of everything but the variable parts. */
#define HEAD_FIXED_MAX (STATUS_LINE_MAX + 6 + HTTP1_DATE_LEN + 2 + 16 + 18 + 20 + 26 + 8)

struct str pawl__http1_reason(int status)
{
	switch (status) {
#define X(code, text)                                                                              \
	case code:                                                                                 \
		return STR(text);
		STATUS_LINES(X)
#undef X
	default:
		return STR_NONE;
	}
}

static char *put(char *at, struct str s)
{
	if (s.len > 0)
		memcpy(at, s.ptr, s.len);
	return at + s.len;
}

static char *put_number(char *at, size_t v)
{
	char digits[20];
	size_t n = sizeof(digits);

	do {
		digits[--n] = (char)('0' + v % 10);
		v /= 10;
	} while (v != 0);
	return put(at, (struct str){ digits + n, sizeof(digits) - n });
}

static char *put_status_line(char *at, int status)
{
	switch (status) {
#define X(code, text)                                                                              \
	case code:                                                                                 \
		return put(at, STR("HTTP/1.1 " #code " " text "\r\n"));
		STATUS_LINES(X)
#undef X
	default: /* a status without a phrase of ours: the phrase may be empty (RFC 9112 4) */
		at = put(at, STR("HTTP/1.1 "));
		at = put_number(at, (size_t)status);
		return put(at, STR(" \r\n"));
	}
}

void pawl__http1_put_head(struct buf *out, const struct http_head *head)
{
	char *at;

	PRE(head->status >= 100 && head->status <= 599);
	PRE(head->date.len == 0 || head->date.len == HTTP1_DATE_LEN);
	at = pawl__buf_reserve(out, HEAD_FIXED_MAX + head->content_type.len + head->fields.len);
	if (at == NULL)
		return;
	at = put_status_line(at, head->status);
	if (head->date.len > 0) {
		at = put(at, STR("Date: "));
		at = put(at, head->date);
		at = put(at, STR("\r\n"));
	}
	if (head->content_type.len > 0) {
		at = put(at, STR("Content-Type: "));
		at = put(at, head->content_type);
		at = put(at, STR("\r\n"));
	}
	if (head->status >= 200 && head->status != 204 && head->status != 304) {
		at = put(at, STR("Content-Length: "));
		at = put_number(at, head->body_len);
		at = put(at, STR("\r\n"));
	}
	if (head->linger == HTTP_CLOSE)
		at = put(at, STR("Connection: close\r\n"));
	else if (head->linger == HTTP_KEEP_SAY)
		at = put(at, STR("Connection: keep-alive\r\n"));
	at = put(at, head->fields);
	at = put(at, STR("\r\n"));
	out->len = (size_t)(at - out->data);
	POST(out->len <= out->cap);
}

static char *put_digits(char *at, int v, int width)
{
	for (int i = width - 1; i >= 0; i--) {
		at[i] = (char)('0' + v % 10);
		v /= 10;
	}
	return at + width;
}

void pawl__http1_date(int64_t real_s, char ret[HTTP1_DATE_LEN])
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	const time_t t = (time_t)real_s;
	char *at = ret;
	struct tm tm;

	PRE(real_s >= 0 && real_s <= INT64_C(253402300799));
	INVARIANT(gmtime_r(&t, &tm) != NULL);
	at = put(at, (struct str){ days + 3 * tm.tm_wday, 3 });
	at = put(at, STR(", "));
	at = put_digits(at, tm.tm_mday, 2);
	*at++ = ' ';
	at = put(at, (struct str){ months + 3 * tm.tm_mon, 3 });
	*at++ = ' ';
	at = put_digits(at, tm.tm_year + 1900, 4);
	*at++ = ' ';
	at = put_digits(at, tm.tm_hour, 2);
	*at++ = ':';
	at = put_digits(at, tm.tm_min, 2);
	*at++ = ':';
	at = put_digits(at, tm.tm_sec, 2);
	at = put(at, STR(" GMT"));
	POST(at == ret + HTTP1_DATE_LEN);
}
