/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/load/reply - an HTTP/1.1 answer as it comes, of any length: the head is judged by net/http1,
 * the body is counted to its end and kept up to a limit.
 *
 *     HEAD -> (1xx: HEAD again) -> LENGTH | CHUNKED | UNTIL_EOF -> DONE      any error: BAD
 *
 * Pure but for the memory of the outcome's buffers. Trailers are checked as lines and dropped.
 * Limits: PAWL_HEAD_MAX and PAWL_FIELDS_MAX of the head, PAWL_HEAD_MAX of trailers,
 * HTTP1_CHUNK_LINE_MAX of a chunk's line, REPLY_INTERIM_MAX interim answers, VOLLEY_DRAIN_MAX.
 * Threads: none of its own.
 */
#ifndef PAWL_RACE_LOAD_REPLY_H
#define PAWL_RACE_LOAD_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "net/http1.h"
#include "race/load/load.h"

#define REPLY_INTERIM_MAX 64

enum reply_state { REPLY_MORE, REPLY_DONE, REPLY_MALFORMED, REPLY_TOO_LARGE };

enum reply_phase {
	REPLY_HEAD,
	REPLY_LENGTH,
	REPLY_UNTIL_EOF,
	REPLY_CHUNK_SIZE,
	REPLY_CHUNK_DATA,
	REPLY_CHUNK_END,
	REPLY_TRAILER,
};

struct reply {
	struct volley_outcome *o; /* status, fields, body and their lengths are written to it */
	size_t *kept;             /* bytes kept of all bodies, up to VOLLEY_KEPT_MAX */
	size_t body_max;
	bool head_only; /* it answers a HEAD */
	enum reply_phase phase;
	struct http1 parser;
	struct buf head;   /* as far as it has come */
	uint64_t left;     /* bytes of the body, or of the chunk */
	uint32_t line_len; /* of the chunk's or the trailer's line */
	uint32_t trailer_len;
	bool cr, digits, ext; /* of the chunk's line: what was seen */
	bool keep_alive;      /* DONE: another request may follow */
};

void pawl__reply_init(struct reply *r);
void pawl__reply_deinit(struct reply *r);
/* Begin with an answer. */
void pawl__reply_begin(struct reply *r, struct volley_outcome *o, bool head_only);

/* Go on. *ret_used: bytes of data that belong to the answer; all of them with REPLY_MORE. */
enum reply_state pawl__reply_feed(struct reply *r, const char *data, size_t len, size_t *ret_used);

/* The peer ended its bytes: is this how the body ends? */
bool pawl__reply_eof(const struct reply *r);

/* Bytes of a body, for HTTP/2 as well: counted, and kept within the limits. */
void pawl__outcome_body(struct volley_outcome *o, struct str bytes, size_t body_max, size_t *kept);

#endif /* PAWL_RACE_LOAD_REPLY_H */
