/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as HTTP: the first byte says how they are cut and whether they are a
 * request or a response; the rest is the message. Every piece lies in memory of exactly its length,
 * so that a sanitizer sees a byte read behind it. What must hold:
 *  - however the bytes are cut, the outcome is the same;
 *  - every slice of an accepted message lies within the bytes given;
 *  - an accepted body has the declared length and is within the limit;
 *  - an accepted message, written again plainly from its parts, is accepted again as the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/num.h"
#include "net/http1.h"

#define BODY_MAX  5000
#define INPUT_MAX 40000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

union message {
	struct http_request request;
	struct http_response response;
};

struct outcome {
	enum http1_result result;
	int status;  /* of the refusal */
	char *bytes; /* owned; what the slices point into */
	size_t len;
	size_t left; /* bytes of the input behind the message */
	union message m;
};

static enum http1_result parse(struct http1 *parser, bool response, char *data, size_t *len,
                               union message *m)
{
	return response ? pawl__http1_response(parser, data, len, BODY_MAX, false, &m->response)
	                : pawl__http1_request(parser, data, len, BODY_MAX, &m->request);
}

/* first bytes, then step at a time. */
static void feed(const uint8_t *data, size_t size, size_t first, size_t step, bool response,
                 struct outcome *o)
{
	struct http1 parser;
	size_t at = 0, n = first;

	*o = (struct outcome){ .result = HTTP1_MORE };
	pawl__http1_reset(&parser);
	while (at < size && o->result == HTTP1_MORE) {
		char *grown;

		if (n > size - at)
			n = size - at;
		grown = malloc(o->len + n);
		INVARIANT(grown != NULL);
		if (o->len > 0)
			memcpy(grown, o->bytes, o->len);
		memcpy(grown + o->len, data + at, n);
		free(o->bytes);
		o->bytes = grown;
		o->len += n;
		at += n;
		n = step;
		o->result = parse(&parser, response, o->bytes, &o->len, &o->m);
	}
	o->status = parser.status;
	if (o->result == HTTP1_DONE) {
		INVARIANT(pawl__http1_message_len(&parser) <= o->len);
		o->left = o->len - pawl__http1_message_len(&parser) + (size - at);
	}
}

static void check_slice(const struct outcome *o, struct str s)
{
	INVARIANT(s.len == 0 || (s.ptr >= o->bytes && s.ptr + s.len <= o->bytes + o->len));
}

static void check_fields(const struct outcome *o, const struct http_fields *fields, struct str body,
                         bool bodiless)
{
	struct str value;
	uint64_t declared;
	size_t n;

	INVARIANT(fields->count <= PAWL_FIELDS_MAX);
	for (size_t i = 0; i < fields->count; i++) {
		check_slice(o, fields->at[i].name);
		check_slice(o, fields->at[i].value);
	}
	check_slice(o, body);
	INVARIANT(body.len <= BODY_MAX);
	if (pawl__http1_field(fields, STR("content-length"), &value, &n)) {
		INVARIANT(n == 1 && pawl__num_parse_u64(value, &declared));
		INVARIANT(bodiless ? body.len == 0 : body.len == declared);
		INVARIANT(!pawl__http1_field(fields, STR("transfer-encoding"), &value, &n));
	}
}

/* The parts of an accepted request, written the one way that we would: the same request. */
static void check_again(const struct outcome *o)
{
	const struct http_request *req = &o->m.request;
	struct outcome again;
	struct buf b;

	pawl__buf_init(&b, INPUT_MAX * 2);
	buf_str(&b, req->method_text);
	pawl__buf_putc(&b, ' ');
	buf_str(&b, req->target);
	buf_lit(&b, " HTTP/1.");
	pawl__buf_putc(&b, (char)('0' + req->version_minor));
	buf_lit(&b, "\r\n");
	for (size_t i = 0; i < req->fields.count; i++) {
		if (pawl__http1_name_eq(req->fields.at[i].name, STR("transfer-encoding")))
			buf_lit(&b, "content-length: ");
		else
			buf_str(&b, req->fields.at[i].name);
		if (pawl__http1_name_eq(req->fields.at[i].name, STR("transfer-encoding"))) {
			pawl__buf_u64(&b, req->body.len);
		} else {
			buf_lit(&b, ":");
			buf_str(&b, req->fields.at[i].value);
		}
		buf_lit(&b, "\r\n");
	}
	buf_lit(&b, "\r\n");
	buf_str(&b, req->body);
	INVARIANT(!b.overflow);
	if (b.len - req->body.len <= PAWL_HEAD_MAX) { /* "content-length" can be longer */
		feed((const uint8_t *)b.data, b.len, b.len, b.len, false, &again);
		INVARIANT(again.result == HTTP1_DONE && again.left == 0);
		INVARIANT(str_eq(again.m.request.body, req->body));
		INVARIANT(str_eq(again.m.request.path, req->path));
		INVARIANT(str_eq(again.m.request.query, req->query));
		INVARIANT(again.m.request.keep_alive == req->keep_alive);
		INVARIANT(again.m.request.fields.count == req->fields.count);
		free(again.bytes);
	}
	pawl__buf_deinit(&b);
}

static void check_request(const struct outcome *o)
{
	const struct http_request *req = &o->m.request;
	char mem[PAWL_TARGET_MAX];
	struct str plain;

	check_slice(o, req->method_text);
	check_slice(o, req->target);
	check_slice(o, req->path);
	check_slice(o, req->query);
	INVARIANT(req->path.len > 0 && req->target.len <= PAWL_TARGET_MAX);
	INVARIANT(req->path.ptr[0] == '/' || req->path.ptr[0] == '*');
	INVARIANT(req->content_length == req->body.len);
	check_fields(o, &req->fields, req->body, false);
	if (pawl__http1_unescape(req->path, mem, sizeof(mem), &plain))
		INVARIANT(plain.len <= req->path.len && memchr(mem, '\0', plain.len) == NULL);
	check_again(o);
}

static void check_response(const struct outcome *o)
{
	const struct http_response *res = &o->m.response;

	check_slice(o, res->reason);
	INVARIANT(res->status >= 100 && res->status <= 599);
	check_fields(o, &res->fields, res->body,
	             res->status < 200 || res->status == 204 || res->status == 304);
}

static void check_same(const struct outcome *a, const struct outcome *b, bool response)
{
	INVARIANT(a->result == b->result && a->status == b->status && a->left == b->left);
	if (a->result != HTTP1_DONE)
		return;
	if (response) {
		INVARIANT(a->m.response.status == b->m.response.status);
		INVARIANT(str_eq(a->m.response.body, b->m.response.body));
		return;
	}
	INVARIANT(str_eq(a->m.request.target, b->m.request.target));
	INVARIANT(str_eq(a->m.request.body, b->m.request.body));
	INVARIANT(a->m.request.fields.count == b->m.request.fields.count);
	for (size_t i = 0; i < a->m.request.fields.count; i++)
		INVARIANT(str_eq(a->m.request.fields.at[i].value, b->m.request.fields.at[i].value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole, cut;
	bool response;
	size_t first;

	if (size < 2 || size > INPUT_MAX)
		return 0;
	response = (data[0] & 1) != 0;
	first = 1 + (size_t)(data[0] >> 1) * (size - 1) / 128;
	data++;
	size--;
	feed(data, size, size, size, response, &whole);
	if (whole.result == HTTP1_DONE && response)
		check_response(&whole);
	else if (whole.result == HTTP1_DONE)
		check_request(&whole);
	feed(data, size, first, size, response, &cut);
	check_same(&whole, &cut, response);
	free(cut.bytes);
	feed(data, size, first, 1 + first % 7, response, &cut);
	check_same(&whole, &cut, response);
	free(cut.bytes);
	free(whole.bytes);
	return 0;
}
