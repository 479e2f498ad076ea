/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http1.h"

#include <string.h>

#include "base/assert.h"
#include "base/num.h"

/* The longest request line whose target can be within its limit. */
#define REQUEST_LINE_MAX (HTTP1_METHOD_MAX + 1 + PAWL_TARGET_MAX + 1 + 8 + 2)

#define CLASS_TOKEN      1u /* RFC 9110 5.6.2 */
#define CLASS_URI        2u /* RFC 3986: unreserved, reserved and '%', but '#' */
#define CLASS_HOST       4u /* the same without what ends or splits an authority */

/* clang-format off */
static const uint8_t char_class[256] = {
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0, 7, 0, 1, 7, 7, 7, 7, 6, 6, 7, 7, 2, 7, 7, 2,
	7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 6, 6, 0, 6, 0, 2,
	2, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
	7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 6, 0, 6, 1, 7,
	1, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
	7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 0, 1, 0, 7, 0,
};
/* clang-format on */

/* What the fields of a head say about the message. */
struct framing {
	struct str host, length_text;
	unsigned hosts, lengths, codings;
	bool chunked; /* the one coding there is */
	bool close, keep;
	bool expect, expect_other;
};

static bool all_of(struct str s, unsigned class)
{
	for (size_t i = 0; i < s.len; i++) {
		if ((char_class[(unsigned char)s.ptr[i]] & class) == 0)
			return false;
	}
	return true;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool pawl__http1_name_eq(struct str a, struct str b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++) {
		if (a.ptr[i] != b.ptr[i] && lower(a.ptr[i]) != lower(b.ptr[i]))
			return false;
	}
	return true;
}

bool pawl__http1_field(const struct http_fields *fields, struct str name, struct str *ret_value,
                       size_t *ret_count)
{
	*ret_count = 0;
	for (size_t i = 0; i < fields->count; i++) {
		if (!pawl__http1_name_eq(fields->at[i].name, name))
			continue;
		if ((*ret_count)++ == 0)
			*ret_value = fields->at[i].value;
	}
	return *ret_count > 0;
}

void pawl__http1_reset(struct http1 *parser)
{
	*parser = (struct http1){ .phase = HTTP1_HEAD };
}

static enum http1_result refuse(struct http1 *parser, int status)
{
	parser->phase = HTTP1_ERROR;
	parser->status = status;
	return HTTP1_BAD;
}

/*
 * Find the end of the head, line by line, looking at no byte twice. Only what does not depend on
 * what comes later is judged here, so that a head is judged the same however it arrives.
 */
static enum http1_result head_scan(struct http1 *parser, const char *data, size_t len,
                                   size_t first_max)
{
	const uint32_t end = (uint32_t)(len < PAWL_HEAD_MAX ? len : PAWL_HEAD_MAX);

	while (parser->scanned < end) {
		const char *nl = memchr(data + parser->scanned, '\n', end - parser->scanned);
		const uint32_t at = nl == NULL ? end : (uint32_t)(nl - data);

		if (parser->lines == 0 && at > first_max)
			return refuse(parser, 414);
		parser->scanned = at;
		if (nl == NULL)
			break;
		if (at == parser->line || data[at - 1] != '\r')
			return refuse(parser, 400);
		parser->scanned = at + 1;
		if (at - 1 == parser->line && parser->lines > 0) {
			parser->head_len = at + 1;
			return HTTP1_DONE;
		}
		if (parser->lines++ > PAWL_FIELDS_MAX)
			return refuse(parser, 431);
		parser->line = at + 1;
	}
	return len >= PAWL_HEAD_MAX ? refuse(parser, 431) : HTTP1_MORE;
}

/* The next line of a scanned head, without its CRLF. */
static struct str line_take(const char **at)
{
	const char *start = *at;
	/* head_scan has found the line feed and the CR before it; an earlier CR is a bare one. */
	const char *cr = (const char *)rawmemchr(start, '\n') - 1;

	*at = cr + 2;
	return (struct str){ start, (size_t)(cr - start) };
}

/* No control byte but HTAB. Eight bytes at a time, as most values have none at all. */
static bool value_valid(struct str s)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), high = ones * 0x80;
	size_t i = 0;

	for (; i + 8 <= s.len; i += 8) {
		uint64_t w, del;

		memcpy(&w, s.ptr + i, 8);
		del = w ^ (ones * 0x7f);
		if ((((w - ones * 0x20) & ~w) | ((del - ones) & ~del)) & high)
			break;
	}
	for (; i < s.len; i++) {
		const unsigned char c = (unsigned char)s.ptr[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

static struct str trim(struct str s)
{
	while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t')) {
		s.ptr++;
		s.len--;
	}
	while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* A folded line begins with a space, which is no byte of a name; so does "Name :" end in one. */
static bool field_split(struct str line, struct http_field *ret)
{
	size_t n = 0;

	while (n < line.len && (char_class[(unsigned char)line.ptr[n]] & CLASS_TOKEN) != 0)
		n++;
	if (n == 0 || n == line.len || line.ptr[n] != ':')
		return false;
	ret->name = (struct str){ line.ptr, n };
	ret->value = trim((struct str){ line.ptr + n + 1, line.len - n - 1 });
	return value_valid(ret->value);
}

static void connection_read(struct framing *f, struct str value)
{
	while (value.len > 0) {
		const char *comma = memchr(value.ptr, ',', value.len);
		const size_t n = comma == NULL ? value.len : (size_t)(comma - value.ptr);
		const struct str option = trim((struct str){ value.ptr, n });

		if (pawl__http1_name_eq(option, STR("close")))
			f->close = true;
		else if (pawl__http1_name_eq(option, STR("keep-alive")))
			f->keep = true;
		if (comma == NULL)
			break;
		value.ptr += n + 1;
		value.len -= n + 1;
	}
}

static void framing_note(struct framing *f, const struct http_field *field)
{
	switch (field->name.len) {
	case 4:
		if (pawl__http1_name_eq(field->name, STR("host")) && f->hosts++ == 0)
			f->host = field->value;
		break;
	case 6:
		if (!pawl__http1_name_eq(field->name, STR("expect")))
			break;
		if (pawl__http1_name_eq(field->value, STR("100-continue")))
			f->expect = true;
		else
			f->expect_other = true;
		break;
	case 10:
		if (pawl__http1_name_eq(field->name, STR("connection")))
			connection_read(f, field->value);
		break;
	case 14:
		if (pawl__http1_name_eq(field->name, STR("content-length")) && f->lengths++ == 0)
			f->length_text = field->value;
		break;
	case 17:
		if (!pawl__http1_name_eq(field->name, STR("transfer-encoding")))
			break;
		f->codings++;
		f->chunked = pawl__http1_name_eq(field->value, STR("chunked"));
		break;
	default:
		break;
	}
}

static bool fields_parse(const char *at, struct framing *f, struct http_fields *ret)
{
	ret->count = 0;
	for (;;) {
		const struct str line = line_take(&at);

		if (line.len == 0)
			return true;
		INVARIANT(ret->count < PAWL_FIELDS_MAX); /* head_scan has counted the lines */
		if (!field_split(line, &ret->at[ret->count]))
			return false;
		framing_note(f, &ret->at[ret->count]);
		ret->count++;
	}
}

/* Returns 0 or the status of the refusal. */
static int framing_check(const struct framing *f, bool old, size_t body_max, uint64_t *ret_len)
{
	uint64_t n = 0;

	if (f->lengths > 1 || f->codings > 1 || (f->lengths > 0 && f->codings > 0))
		return 400;
	/* A sender of HTTP/1.0 does not know of transfer codings: RFC 9112 6.1. */
	if (f->codings > 0 && (!f->chunked || old))
		return 400;
	if (f->lengths > 0 && !pawl__num_parse_u64(f->length_text, &n))
		return 400;
	if (n > body_max)
		return 413;
	*ret_len = n;
	return 0;
}

static enum http_method method_parse(struct str s)
{
	static const struct {
		struct str name;
		enum http_method method;
	} known[] = {
		{ { "POST", 4 }, HTTP_POST },   { { "GET", 3 }, HTTP_GET },
		{ { "PUT", 3 }, HTTP_PUT },     { { "DELETE", 6 }, HTTP_DELETE },
		{ { "HEAD", 4 }, HTTP_HEAD },   { { "OPTIONS", 7 }, HTTP_OPTIONS },
		{ { "PATCH", 5 }, HTTP_PATCH },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (str_eq(s, known[i].name))
			return known[i].method;
	}
	return HTTP_OTHER;
}

/* "HTTP/1.0" or "HTTP/1.1": 0; another version: 505; anything else: 400. */
static int version_parse(struct str s, int *ret_minor)
{
	if (s.len != 8 || memcmp(s.ptr, "HTTP/", 5) != 0 || s.ptr[5] < '0' || s.ptr[5] > '9' ||
	    s.ptr[6] != '.' || s.ptr[7] < '0' || s.ptr[7] > '9')
		return 400;
	if (s.ptr[5] != '1' || s.ptr[7] > '1')
		return 505;
	*ret_minor = s.ptr[7] - '0';
	return 0;
}

/* The absolute form: what follows the authority is the target (RFC 9112 3.2.2). */
static bool absolute_strip(struct str s, struct str *ret)
{
	size_t n = 0;

	while (n < s.len && s.ptr[n] != ':')
		n++;
	if (!pawl__http1_name_eq((struct str){ s.ptr, n }, STR("http")) &&
	    !pawl__http1_name_eq((struct str){ s.ptr, n }, STR("https")))
		return false;
	if (s.len - n < 4 || memcmp(s.ptr + n, "://", 3) != 0)
		return false;
	const size_t authority = n + 3;

	for (n = authority; n < s.len && s.ptr[n] != '/' && s.ptr[n] != '?'; n++)
		;
	if (n == authority || !all_of((struct str){ s.ptr + authority, n - authority }, CLASS_HOST))
		return false;
	*ret = (struct str){ s.ptr + n, s.len - n };
	return true;
}

static bool target_parse(struct http_request *req)
{
	struct str s = req->target;
	const char *mark;

	req->query = STR_NONE;
	if (s.len == 1 && s.ptr[0] == '*') {
		req->path = s;
		return req->method == HTTP_OPTIONS;
	}
	if (s.ptr[0] != '/' && !absolute_strip(s, &s))
		return false;
	mark = s.len == 0 ? NULL : memchr(s.ptr, '?', s.len);
	req->path = (struct str){ s.ptr, mark == NULL ? s.len : (size_t)(mark - s.ptr) };
	if (mark != NULL)
		req->query = (struct str){ mark + 1, (size_t)(s.ptr + s.len - mark) - 1 };
	if (req->path.len == 0) /* http://host?query: the path is "/", and there is one before */
		req->path =
			(struct str){ (const char *)memchr(req->target.ptr, '/', req->target.len),
			              1 };
	return true;
}

static int request_line_parse(struct str line, struct http_request *req)
{
	const char *sp = memchr(line.ptr, ' ', line.len), *sp2;
	size_t rest;

	if (sp == NULL)
		return 400;
	req->method_text = (struct str){ line.ptr, (size_t)(sp - line.ptr) };
	if (req->method_text.len == 0 || req->method_text.len > HTTP1_METHOD_MAX ||
	    !all_of(req->method_text, CLASS_TOKEN))
		return 400;
	req->method = method_parse(req->method_text);
	rest = line.len - req->method_text.len - 1;
	sp2 = memchr(sp + 1, ' ', rest);
	if (sp2 == NULL)
		return 400;
	req->target = (struct str){ sp + 1, (size_t)(sp2 - sp) - 1 };
	if (req->target.len > PAWL_TARGET_MAX)
		return 414;
	if (req->target.len == 0 || !all_of(req->target, CLASS_URI))
		return 400;
	const int status = version_parse((struct str){ sp2 + 1, rest - req->target.len - 1 },
	                                 &req->version_minor);

	if (status != 0)
		return status;
	return target_parse(req) ? 0 : 400;
}

/* The whole head is there and its lines are known to end in CRLF. Returns 0 or a status. */
static int request_head_parse(const char *data, size_t body_max, struct http_request *req)
{
	struct framing f = { 0 };
	const char *at = data;
	int status;

	/* One empty line before the request is tolerated: RFC 9112 2.2. */
	if (*at == '\r')
		at += 2;
	status = request_line_parse(line_take(&at), req);
	if (status != 0)
		return status;
	if (!fields_parse(at, &f, &req->fields))
		return 400;
	if (f.hosts > 1 || (f.hosts == 0 && req->version_minor > 0) || !all_of(f.host, CLASS_HOST))
		return 400;
	status = framing_check(&f, req->version_minor == 0, body_max, &req->content_length);
	if (status != 0)
		return status;
	if (f.expect_other && req->version_minor > 0)
		return 417;
	req->chunked = f.chunked;
	req->expect_continue = f.expect && req->version_minor > 0;
	req->keep_alive = !f.close && (req->version_minor > 0 || f.keep);
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "1*HEXDIG [;extensions]". Returns 0 or a status. */
static int chunk_line_parse(struct http1 *parser, struct str line, size_t body_max)
{
	uint64_t n = 0;
	size_t i = 0;

	for (; i < line.len && hex_digit(line.ptr[i]) >= 0; i++) {
		if (n >> 60 != 0)
			return 400;
		n = n << 4 | (uint64_t)hex_digit(line.ptr[i]);
	}
	if (i == 0 || (i < line.len && line.ptr[i] != ';'))
		return 400;
	parser->ext_len += (uint32_t)(line.len - i);
	if (parser->ext_len > HTTP1_CHUNK_EXT_MAX ||
	    !value_valid((struct str){ line.ptr + i, line.len - i }))
		return 400;
	if (n > body_max - parser->body_len)
		return 413;
	parser->chunk_left = n;
	return 0;
}

/* A line of at most max bytes at parser->in, with its CRLF. over: the status when it is longer. */
static enum http1_result chunked_line(struct http1 *parser, const char *data, size_t len,
                                      size_t max, int over, struct str *ret)
{
	const char *start = data + parser->in;
	const size_t have = len - parser->in, n = have < max ? have : max;
	const char *nl = n == 0 ? NULL : memchr(start, '\n', n);

	if (nl == NULL)
		return have >= max ? refuse(parser, over) : HTTP1_MORE;
	if (nl == start || nl[-1] != '\r')
		return refuse(parser, 400);
	*ret = (struct str){ start, (size_t)(nl - start) - 1 };
	parser->in += (size_t)(nl - start) + 1;
	return HTTP1_DONE;
}

static enum http1_result chunk_size_step(struct http1 *parser, const char *data, size_t len,
                                         size_t body_max)
{
	struct str line;
	const enum http1_result res =
		chunked_line(parser, data, len, HTTP1_CHUNK_LINE_MAX, 400, &line);
	int status;

	if (res != HTTP1_DONE)
		return res;
	status = chunk_line_parse(parser, line, body_max);
	if (status != 0)
		return refuse(parser, status);
	parser->phase = parser->chunk_left == 0 ? HTTP1_TRAILER : HTTP1_CHUNK_DATA;
	return HTTP1_DONE;
}

static enum http1_result chunk_data_step(struct http1 *parser, char *data, size_t len)
{
	const size_t have = len - parser->in;
	const size_t n = have < parser->chunk_left ? have : (size_t)parser->chunk_left;

	if (n > 0)
		memmove(data + parser->head_len + parser->body_len, data + parser->in, n);
	parser->body_len += n;
	parser->in += n;
	parser->chunk_left -= n;
	if (parser->chunk_left > 0)
		return HTTP1_MORE;
	parser->phase = HTTP1_CHUNK_END;
	return HTTP1_DONE;
}

static enum http1_result chunk_end_step(struct http1 *parser, const char *data, size_t len)
{
	if (len - parser->in < 2)
		return HTTP1_MORE;
	if (memcmp(data + parser->in, "\r\n", 2) != 0)
		return refuse(parser, 400);
	parser->in += 2;
	parser->phase = HTTP1_CHUNK_SIZE;
	return HTTP1_DONE;
}

/* Trailers are held to the rules of fields and dropped: nobody asked for them (no TE: trailers
 * from our side), and merging them into the head would let them forge it. */
static enum http1_result trailer_step(struct http1 *parser, const char *data, size_t len)
{
	struct http_field field;
	struct str line;
	const enum http1_result res =
		chunked_line(parser, data, len, PAWL_HEAD_MAX - parser->trailer_len, 431, &line);

	if (res != HTTP1_DONE)
		return res;
	if (line.len == 0) {
		parser->phase = HTTP1_COMPLETE;
		return HTTP1_DONE;
	}
	parser->trailer_len += (uint32_t)line.len + 2;
	if (parser->trailer_fields++ >= PAWL_FIELDS_MAX)
		return refuse(parser, 431);
	return field_split(line, &field) ? HTTP1_DONE : refuse(parser, 400);
}

static enum http1_result chunked_decode(struct http1 *parser, char *data, size_t *len,
                                        size_t body_max)
{
	enum http1_result res = HTTP1_DONE;
	size_t end;

	while (res == HTTP1_DONE && parser->phase != HTTP1_COMPLETE) {
		if (parser->phase == HTTP1_CHUNK_SIZE)
			res = chunk_size_step(parser, data, *len, body_max);
		else if (parser->phase == HTTP1_CHUNK_DATA)
			res = chunk_data_step(parser, data, *len);
		else if (parser->phase == HTTP1_CHUNK_END)
			res = chunk_end_step(parser, data, *len);
		else
			res = trailer_step(parser, data, *len);
	}
	if (res != HTTP1_MORE)
		return res;
	/* Close the gap, so that framing takes no room while the body grows. */
	end = parser->head_len + parser->body_len;
	if (parser->in > end) {
		memmove(data + end, data + parser->in, *len - parser->in);
		*len -= parser->in - end;
		parser->in = end;
	}
	return HTTP1_MORE;
}

/* Whether the body is complete. */
static enum http1_result body_step(struct http1 *parser, char *data, size_t *len, size_t body_max)
{
	if (parser->phase == HTTP1_LENGTH) {
		if (*len - parser->head_len < parser->body_len)
			return HTTP1_MORE;
		parser->phase = HTTP1_COMPLETE;
		return HTTP1_DONE;
	}
	if (parser->phase == HTTP1_UNTIL_EOF)
		return *len - parser->head_len > body_max ? refuse(parser, 413) : HTTP1_MORE;
	return chunked_decode(parser, data, len, body_max);
}

static void body_begin(struct http1 *parser, bool chunked, uint64_t content_length)
{
	parser->chunked = chunked;
	parser->phase = chunked ? HTTP1_CHUNK_SIZE : HTTP1_LENGTH;
	parser->body_len = (size_t)content_length;
	parser->in = parser->head_len;
}

/* A request begins with a token's byte, after at most one empty line. This is known at the first
 * byte, so a client that speaks another protocol need not be waited for. */
static bool request_begins(const struct http1 *parser, const char *data, size_t len)
{
	size_t at = 0;

	if (parser->lines > 0 || len == 0)
		return true;
	if (data[0] == '\r') {
		if (len > 1 && data[1] != '\n')
			return false;
		at = 2;
	}
	return len <= at || (char_class[(unsigned char)data[at]] & CLASS_TOKEN) != 0;
}

static void request_body_set(const struct http1 *parser, const char *data, struct http_request *ret)
{
	ret->content_length = parser->body_len;
	ret->body = (struct str){ data + parser->head_len, parser->body_len };
}

/* Reading the head again costs less than keeping the fields of every connection whose body is on
 * its way: 2 KiB each. */
void pawl__http1_request_again(const struct http1 *parser, const char *data, size_t body_max,
                               struct http_request *ret)
{
	PRE(parser->phase == HTTP1_COMPLETE);
	INVARIANT(request_head_parse(data, body_max, ret) == 0);
	request_body_set(parser, data, ret);
}

enum http1_result pawl__http1_request(struct http1 *parser, char *data, size_t *len,
                                      size_t body_max, struct http_request *ret)
{
	bool fresh = false; /* *ret holds this head */
	enum http1_result res;

	PRE(parser->phase != HTTP1_COMPLETE && parser->phase != HTTP1_ERROR);
	if (parser->phase == HTTP1_HEAD) {
		int status;

		if (!request_begins(parser, data, *len))
			return refuse(parser, 400);
		if (parser->line == 0 && *len > 0 && data[0] == '\r') {
			if (*len < 2)
				return HTTP1_MORE;
			parser->line = 2;
			parser->scanned = 2;
		}
		res = head_scan(parser, data, *len, (data[0] == '\r' ? 2 : 0) + REQUEST_LINE_MAX);
		if (res != HTTP1_DONE)
			return res;
		status = request_head_parse(data, body_max, ret);
		if (status != 0)
			return refuse(parser, status);
		body_begin(parser, ret->chunked, ret->content_length);
		parser->wants_continue = ret->expect_continue && *len == parser->head_len;
		fresh = true;
	}
	res = body_step(parser, data, len, body_max);
	if (res != HTTP1_DONE)
		return res;
	parser->wants_continue = false;
	if (fresh)
		request_body_set(parser, data, ret);
	else
		pawl__http1_request_again(parser, data, body_max, ret);
	return HTTP1_DONE;
}

static int status_line_parse(struct str line, struct http_response *res)
{
	const char *p = line.ptr + 9;

	/* The space before an empty reason is in the grammar, and left out by some servers. */
	if (line.len < 12 || line.ptr[8] != ' ' || (line.len > 12 && line.ptr[12] != ' '))
		return 400;
	if (version_parse((struct str){ line.ptr, 8 }, &res->version_minor) != 0)
		return 400;
	if (p[0] < '1' || p[0] > '5' || p[1] < '0' || p[1] > '9' || p[2] < '0' || p[2] > '9')
		return 400;
	res->status = (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');
	res->reason = line.len > 13 ? (struct str){ p + 4, line.len - 13 } : STR("");
	return value_valid(res->reason) ? 0 : 400;
}

static bool response_bodiless(int status, bool no_body)
{
	return no_body || status < 200 || status == 204 || status == 304;
}

static int response_head_parse(const char *data, size_t body_max, bool no_body,
                               struct http_response *res, struct framing *f, uint64_t *ret_len)
{
	const char *at = data;
	bool bodiless;
	int status = status_line_parse(line_take(&at), res);

	if (status != 0)
		return status;
	if (!fields_parse(at, f, &res->fields))
		return 400;
	bodiless = response_bodiless(res->status, no_body);
	/* A length in answer to HEAD tells of a body that does not come: it has no limit here. */
	status = framing_check(f, res->version_minor == 0, bodiless ? SIZE_MAX : body_max, ret_len);
	if (status != 0)
		return status;
	res->chunked = f->chunked && !bodiless;
	res->keep_alive = !f->close && (res->version_minor > 0 || f->keep);
	if (bodiless)
		*ret_len = 0;
	else if (f->lengths == 0 && f->codings == 0)
		res->keep_alive = false;
	return 0;
}

enum http1_result pawl__http1_response(struct http1 *parser, char *data, size_t *len,
                                       size_t body_max, bool no_body, struct http_response *ret)
{
	struct framing f = { 0 };
	uint64_t content_length = 0;
	bool fresh = false;
	enum http1_result res;

	PRE(parser->phase != HTTP1_COMPLETE && parser->phase != HTTP1_ERROR);
	if (parser->phase == HTTP1_HEAD) {
		int status;

		res = head_scan(parser, data, *len, PAWL_HEAD_MAX);
		if (res != HTTP1_DONE)
			return res;
		status = response_head_parse(data, body_max, no_body, ret, &f, &content_length);
		if (status != 0)
			return refuse(parser, status);
		body_begin(parser, ret->chunked, content_length);
		if (f.lengths == 0 && f.codings == 0 && !response_bodiless(ret->status, no_body))
			parser->phase = HTTP1_UNTIL_EOF;
		fresh = true;
	}
	res = body_step(parser, data, len, body_max);
	if (res != HTTP1_DONE)
		return res;
	if (!fresh)
		INVARIANT(response_head_parse(data, body_max, no_body, ret, &f, &content_length) ==
		          0);
	ret->body = (struct str){ data + parser->head_len, parser->body_len };
	return HTTP1_DONE;
}

enum http1_result pawl__http1_response_eof(struct http1 *parser, const char *data, size_t len,
                                           struct http_response *ret)
{
	struct framing f = { 0 };
	uint64_t content_length;

	if (parser->phase != HTTP1_UNTIL_EOF)
		return refuse(parser, 400);
	INVARIANT(response_head_parse(data, SIZE_MAX, false, ret, &f, &content_length) == 0);
	parser->phase = HTTP1_COMPLETE;
	parser->body_len = len - parser->head_len;
	ret->body = (struct str){ data + parser->head_len, parser->body_len };
	return HTTP1_DONE;
}

size_t pawl__http1_message_len(const struct http1 *parser)
{
	PRE(parser->phase == HTTP1_COMPLETE);
	return parser->chunked ? parser->in : parser->head_len + parser->body_len;
}

size_t pawl__http1_expected_len(const struct http1 *parser)
{
	if (parser->phase == HTTP1_LENGTH)
		return parser->head_len + parser->body_len;
	if (parser->phase == HTTP1_CHUNK_DATA)
		return parser->head_len + parser->body_len + (size_t)parser->chunk_left + 2;
	return 0;
}

bool pawl__http1_unescape(struct str s, char *mem, size_t cap, struct str *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (n == cap)
			return false;
		if (c == '%') {
			if (s.len - i < 3)
				return false;
			const int high = hex_digit(s.ptr[i + 1]), low = hex_digit(s.ptr[i + 2]);

			if (high < 0 || low < 0)
				return false;
			c = (char)(high << 4 | low);
			if (c == '\0' || c == '/')
				return false;
			i += 2;
		}
		mem[n++] = c;
	}
	*ret = (struct str){ mem, n };
	return true;
}
