/* SPDX-License-Identifier: Apache-2.0 */
#include "race/load/reply.h"

#include <string.h>

#include "base/assert.h"
#include "base/num.h"

#define HEAD_TAKE ((size_t)PAWL_HEAD_MAX)

void pawl__reply_init(struct reply *r)
{
	*r = (struct reply){ 0 };
	pawl__buf_init(&r->head, 2 * HEAD_TAKE);
}

void pawl__reply_deinit(struct reply *r)
{
	pawl__buf_deinit(&r->head);
}

void pawl__reply_begin(struct reply *r, struct volley_outcome *o, bool head_only)
{
	r->o = o;
	r->head_only = head_only;
	r->phase = REPLY_HEAD;
	r->keep_alive = false;
	pawl__http1_reset(&r->parser);
	pawl__buf_reset(&r->head);
}

void pawl__outcome_body(struct volley_outcome *o, struct str bytes, size_t body_max, size_t *kept)
{
	size_t n = o->body.len < body_max ? body_max - o->body.len : 0;

	if (n > bytes.len)
		n = bytes.len;
	if (n > VOLLEY_KEPT_MAX - *kept)
		n = VOLLEY_KEPT_MAX - *kept;
	if (o->body.max == 0)
		pawl__buf_init(&o->body, body_max);
	pawl__buf_put(&o->body, bytes.ptr, n);
	if (n < bytes.len || o->body.overflow)
		o->truncated = true;
	if (!o->body.overflow)
		*kept += n;
	o->body_len += bytes.len;
}

/* --- the head --- */

/* What is no answer is known by its first bytes, and need not be waited for. */
static bool begins_well(const struct buf *head)
{
	const struct str begin = STR("HTTP/1.");
	const size_t n = head->len < begin.len ? head->len : begin.len;

	return memcmp(head->data, begin.ptr, n) == 0;
}

static void fields_keep(struct volley_outcome *o, const struct http_fields *fields)
{
	if (o->fields.max == 0)
		pawl__buf_init(&o->fields, 2 * HEAD_TAKE);
	pawl__buf_reset(&o->fields);
	for (size_t i = 0; i < fields->count; i++) {
		buf_str(&o->fields, fields->at[i].name);
		buf_lit(&o->fields, ": ");
		buf_str(&o->fields, fields->at[i].value);
		buf_lit(&o->fields, "\r\n");
	}
}

/* How the body is delimited: RFC 9112 section 6.3. net/http1 has refused what is ambiguous. */
static enum reply_state body_begin(struct reply *r, const struct http_response *head)
{
	struct str value;
	size_t count;
	uint64_t n = 0;

	r->keep_alive = head->keep_alive;
	if (r->head_only || head->status == 204 || head->status == 304)
		return REPLY_DONE;
	if (pawl__http1_field(&head->fields, STR("transfer-encoding"), &value, &count)) {
		r->phase = REPLY_CHUNK_SIZE;
		r->trailer_len = 0;
		r->line_len = 0;
		r->left = 0;
		r->cr = r->digits = r->ext = false;
		return REPLY_MORE;
	}
	if (!pawl__http1_field(&head->fields, STR("content-length"), &value, &count)) {
		r->phase = REPLY_UNTIL_EOF;
		r->keep_alive = false;
		return REPLY_MORE;
	}
	INVARIANT(pawl__num_parse_u64(value, &n)); /* net/http1 has read it */
	r->phase = REPLY_LENGTH;
	r->left = n;
	return n == 0 ? REPLY_DONE : REPLY_MORE;
}

static enum reply_state head_step(struct reply *r, const char *data, size_t len, size_t *ret_used)
{
	const size_t before = r->head.len;
	const size_t room = HEAD_TAKE - before, take = len < room ? len : room;
	struct http_response response;
	size_t all;

	*ret_used = 0;
	pawl__buf_put(&r->head, data, take);
	if (r->head.overflow)
		return REPLY_TOO_LARGE;
	if (!begins_well(&r->head))
		return REPLY_MALFORMED;
	all = r->head.len;
	/* As if it answered a HEAD: the bytes behind the head are looked at here. */
	switch (pawl__http1_response(&r->parser, r->head.data, &all, SIZE_MAX, true, &response)) {
	case HTTP1_BAD:
		r->o->status = 0;
		return r->parser.status == 400 || r->parser.status == 505 ? REPLY_MALFORMED
		                                                          : REPLY_TOO_LARGE;
	case HTTP1_MORE:
		*ret_used = take;
		return REPLY_MORE;
	case HTTP1_DONE:
		break;
	}
	*ret_used = pawl__http1_message_len(&r->parser) - before;
	if (response.status < 200) {
		pawl__http1_reset(&r->parser);
		pawl__buf_reset(&r->head);
		/* 101 would be another protocol, for which nobody asked. */
		return response.status == 101 || r->o->interim++ >= REPLY_INTERIM_MAX
		               ? REPLY_MALFORMED
		               : REPLY_MORE;
	}
	r->o->status = response.status;
	fields_keep(r->o, &response.fields);
	const enum reply_state state = body_begin(r, &response);

	pawl__buf_reset(&r->head);
	return state;
}

/* --- the body --- */

static size_t body_take(struct reply *r, const char *data, size_t len)
{
	const size_t n = len < r->left ? len : (size_t)r->left;

	pawl__outcome_body(r->o, (struct str){ data, n }, r->body_max, r->kept);
	r->left -= n;
	return n;
}

static int hex_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One byte of "1*HEXDIG [BWS ;extensions] CRLF". */
static enum reply_state size_step(struct reply *r, char c)
{
	const int digit = hex_of(c);

	if (++r->line_len > HTTP1_CHUNK_LINE_MAX)
		return REPLY_MALFORMED;
	if (r->cr) {
		if (c != '\n' || !r->digits)
			return REPLY_MALFORMED;
		r->phase = r->left == 0 ? REPLY_TRAILER : REPLY_CHUNK_DATA;
		r->line_len = 0;
		r->cr = r->digits = r->ext = false;
	} else if (c == '\r') {
		r->cr = true;
	} else if (!r->ext && digit >= 0) {
		if (r->left >> 59 != 0)
			return REPLY_MALFORMED;
		r->left = r->left << 4 | (uint64_t)digit;
		r->digits = true;
	} else if (r->digits && (r->ext || c == ';' || c == ' ' || c == '\t') &&
	           (c == '\t' || (unsigned char)c >= ' ')) {
		r->ext = true;
	} else {
		return REPLY_MALFORMED;
	}
	return REPLY_MORE;
}

static enum reply_state end_step(struct reply *r, char c)
{
	if (c != (r->cr ? '\n' : '\r'))
		return REPLY_MALFORMED;
	if (r->cr)
		r->phase = REPLY_CHUNK_SIZE;
	r->cr = !r->cr;
	return REPLY_MORE;
}

static enum reply_state trailer_step(struct reply *r, char c)
{
	if (++r->trailer_len > PAWL_HEAD_MAX)
		return REPLY_TOO_LARGE;
	if (r->cr) {
		if (c != '\n')
			return REPLY_MALFORMED;
		r->cr = false;
		if (r->line_len == 0)
			return REPLY_DONE;
		r->line_len = 0;
	} else if (c == '\r') {
		r->cr = true;
	} else if (c == '\t' || (unsigned char)c >= ' ') {
		r->line_len++;
	} else {
		return REPLY_MALFORMED;
	}
	return REPLY_MORE;
}

/* As much of data as one step takes. */
static enum reply_state body_step(struct reply *r, const char *data, size_t len, size_t *ret_used)
{
	*ret_used = 1;
	switch (r->phase) {
	case REPLY_LENGTH:
		*ret_used = body_take(r, data, len);
		return r->left == 0 ? REPLY_DONE : REPLY_MORE;
	case REPLY_UNTIL_EOF:
		r->left = len;
		*ret_used = body_take(r, data, len);
		return REPLY_MORE;
	case REPLY_CHUNK_DATA:
		*ret_used = body_take(r, data, len);
		if (r->left == 0)
			r->phase = REPLY_CHUNK_END;
		return REPLY_MORE;
	case REPLY_CHUNK_SIZE:
		return size_step(r, *data);
	case REPLY_CHUNK_END:
		return end_step(r, *data);
	case REPLY_TRAILER:
		return trailer_step(r, *data);
	case REPLY_HEAD:
		break;
	}
	UNREACHABLE();
}

enum reply_state pawl__reply_feed(struct reply *r, const char *data, size_t len, size_t *ret_used)
{
	enum reply_state state = REPLY_MORE;
	size_t at = 0, n;

	while (at < len && state == REPLY_MORE) {
		if (r->phase == REPLY_HEAD)
			state = head_step(r, data + at, len - at, &n);
		else
			state = body_step(r, data + at, len - at, &n);
		at += n;
		if (state == REPLY_MORE && r->o->body_len > VOLLEY_DRAIN_MAX)
			state = REPLY_TOO_LARGE;
	}
	*ret_used = at;
	return state;
}

bool pawl__reply_eof(const struct reply *r)
{
	return r->phase == REPLY_UNTIL_EOF;
}
