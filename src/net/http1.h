/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net/http1 - HTTP/1.1 messages as bytes (RFC 9112), strictly: what two parsers could read in two
 * ways is refused, because that difference is what request smuggling is made of.
 *
 * Pure: no fd, no clock, no heap. The caller keeps the bytes of a message in one run of memory and
 * calls again when more have arrived; a chunked body is decoded in place, so that the body, too,
 * is one run of bytes.
 *
 *     HEAD --(empty line)--> LENGTH ----------------------------> DONE   reset for the next one
 *       |                  > CHUNK_SIZE <-> CHUNK_DATA -> TRAILER -> DONE
 *       |                  > UNTIL_EOF (responses only) -> DONE
 *       +--(any error)--> BAD: a status; the connection cannot go on
 *
 * Refused with 400: Content-Length with Transfer-Encoding; either, or Host, twice; a length that is
 * not digits or does not fit; a transfer coding other than one `chunked`; space before a colon;
 * a line that does not end in CRLF; a bare CR, NUL or other control byte; folded lines; names that
 * are not tokens; no Host in HTTP/1.1; sizes of chunks with anything but hexadecimal digits.
 * Others: 413, 414, 417, 431, 505.
 *
 * Invariants:
 *  (1) How the bytes were cut into pieces does not change the outcome.
 *  (2) Nothing behind the given length is read, nothing before the message or behind it is changed.
 *  (3) A body that is delivered has exactly the declared length and at most body_max bytes.
 *  (4) Every slice of a result points into the caller's bytes.
 *
 * Limits: PAWL_HEAD_MAX, PAWL_FIELDS_MAX, PAWL_TARGET_MAX, HTTP1_CHUNK_LINE_MAX bytes of one
 * chunk's line, HTTP1_CHUNK_EXT_MAX bytes of chunk extensions in one message,
 * PAWL_HEAD_MAX of trailers.
 * Threads: none of its own.
 */
#ifndef PAWL_NET_HTTP1_H
#define PAWL_NET_HTTP1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/str.h"
#include "pawl/limits.h"

#define HTTP1_METHOD_MAX     32   /* bytes of a method */
#define HTTP1_CHUNK_LINE_MAX 256  /* bytes of a chunk's size and extensions */
#define HTTP1_CHUNK_EXT_MAX  4096 /* bytes of chunk extensions in one message */
#define HTTP1_DATE_LEN       29   /* "Sun, 06 Nov 1994 08:49:37 GMT" */

enum http_method {
	HTTP_GET,
	HTTP_HEAD,
	HTTP_POST,
	HTTP_PUT,
	HTTP_DELETE,
	HTTP_OPTIONS,
	HTTP_PATCH,
	HTTP_OTHER, /* a token; method_text tells which */
};

struct http_field {
	struct str name; /* as sent: compare with pawl__http1_name_eq */
	struct str value;
};

struct http_fields {
	size_t count;
	struct http_field at[PAWL_FIELDS_MAX];
};

struct http_request {
	enum http_method method;
	int version_minor; /* HTTP/1.0 or 1.1 */
	bool keep_alive;
	bool chunked;
	bool expect_continue;
	struct str method_text;
	struct str target;       /* as sent */
	struct str path;         /* begins with '/', or is "*"; not decoded */
	struct str query;        /* behind the first '?', not decoded; empty when there is none */
	uint64_t content_length; /* of the body, also when it came in chunks */
	struct str body;
	struct http_fields fields;
};

struct http_response {
	int status;
	int version_minor;
	bool keep_alive;
	bool chunked;
	struct str reason;
	struct str body;
	struct http_fields fields;
};

enum http1_phase {
	HTTP1_HEAD,
	HTTP1_LENGTH,
	HTTP1_UNTIL_EOF,
	HTTP1_CHUNK_SIZE,
	HTTP1_CHUNK_DATA,
	HTTP1_CHUNK_END,
	HTTP1_TRAILER,
	HTTP1_COMPLETE,
	HTTP1_ERROR,
};

/* The progress of one message; offsets are from its first byte. */
struct http1 {
	enum http1_phase phase;
	int status;           /* when HTTP1_ERROR: what to answer */
	uint32_t scanned;     /* bytes of the head that hold no line end that was not looked at */
	uint32_t line;        /* start of the head's current line */
	uint32_t lines;       /* complete lines of the head */
	uint32_t head_len;    /* with its empty line; 0 = not known yet */
	uint32_t ext_len;     /* chunk extensions so far */
	uint32_t trailer_len; /* bytes so far */
	uint32_t trailer_fields; /* so far */
	bool chunked;
	bool wants_continue; /* Expect: 100-continue and none of the body seen; the caller clears */
	uint64_t chunk_left;
	size_t body_len; /* declared, or decoded so far */
	size_t in;       /* chunked: bytes from here on are not decoded yet */
};

enum http1_result {
	HTTP1_MORE, /* not complete: call again with more bytes behind the same ones */
	HTTP1_DONE, /* complete; *ret is filled; the message is pawl__http1_message_len bytes */
	HTTP1_BAD,  /* refused; parser->status says how; close the connection after that answer */
};

/* Begin a message. */
void pawl__http1_reset(struct http1 *parser);

/*
 * Go on with a request whose bytes so far are data[0, *len). While a chunked body is decoded the
 * bytes move and *len shrinks; otherwise data is not changed. The slices of *ret live as long as
 * these bytes stay where they are. *ret means nothing before HTTP1_DONE. body_max is the same in
 * every call for one message.
 */
PAWL_MUST_CHECK enum http1_result pawl__http1_request(struct http1 *parser, char *data, size_t *len,
                                                      size_t body_max, struct http_request *ret);

/* The complete request once more, for a caller that set it aside or has moved its bytes. */
void pawl__http1_request_again(const struct http1 *parser, const char *data, size_t body_max,
                               struct http_request *ret);

/* The same as pawl__http1_request for a response. no_body: it answers a HEAD. An interim (1xx)
 * response is complete as any other: the caller drops it. */
PAWL_MUST_CHECK enum http1_result pawl__http1_response(struct http1 *parser, char *data,
                                                       size_t *len, size_t body_max, bool no_body,
                                                       struct http_response *ret);

/* The peer has ended its bytes: HTTP1_DONE if that is how this response's body ends, else BAD. */
PAWL_MUST_CHECK enum http1_result pawl__http1_response_eof(struct http1 *parser, const char *data,
                                                           size_t len, struct http_response *ret);

/* Bytes at the front of the data that a complete message takes. */
size_t pawl__http1_message_len(const struct http1 *parser);

/* Bytes from the message's front that it needs in all, as far as known; 0 = not known. */
size_t pawl__http1_expected_len(const struct http1 *parser);

/* Names of fields compare without regard to ASCII case. */
bool pawl__http1_name_eq(struct str a, struct str b);

/* The value of the first field of that name, and how many there are, so that a caller can refuse
 * duplicates. Returns false, with *ret_count = 0 and *ret_value untouched, when there is none. */
bool pawl__http1_field(const struct http_fields *fields, struct str name, struct str *ret_value,
                       size_t *ret_count);

/* Decode percent escapes of s into mem (cap >= s.len). Refuses bad escapes, %00 and %2F, because
 * a decoded '/' or NUL would be read differently by whoever looks at the target next. */
PAWL_MUST_CHECK bool pawl__http1_unescape(struct str s, char *mem, size_t cap, struct str *ret);

/* The reason phrase of a status; "" when the status is not one we send. */
struct str pawl__http1_reason(int status);

/* RFC 9110 5.6.7, from seconds since 1970, up to the year 9999. */
void pawl__http1_date(int64_t real_s, char ret[HTTP1_DATE_LEN]);

enum http_linger { HTTP_KEEP, HTTP_KEEP_SAY, HTTP_CLOSE }; /* what the Connection field says */

struct http_head {
	int status;              /* 100-599 */
	enum http_linger linger; /* HTTP_KEEP writes no Connection field */
	struct str date;         /* HTTP1_DATE_LEN bytes; empty = no Date field */
	struct str content_type; /* empty = no field */
	struct str fields;       /* more of them, each as "Name: value\r\n" */
	size_t body_len;
};

/* Status line, fields and the empty line. No Content-Length with 1xx, 204 and 304: RFC 9110 8.6. */
void pawl__http1_put_head(struct buf *out, const struct http_head *head);

#endif /* PAWL_NET_HTTP1_H */
