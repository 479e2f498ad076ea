/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "net/client.h"
#include "race/builtin/session.h"

#define ANSWER_MAX ((size_t)1 << 20)
#define FIELDS_MAX 512
#define PICK_MAX   128

/*
 * A statement is "METHOD TARGET[ if=VERSION][ key=KEY]", and on a second line the body.
 */
struct session {
	struct net_peer peer;
	struct http_client *client; /* owned */
	struct buf cells;           /* what the last reply points into */
};

static void http_close(struct session *s)
{
	if (s == NULL)
		return;
	pawl__client_free(s->client);
	pawl__buf_deinit(&s->cells);
	free(s);
}

static enum pawl_status http_open(const char *url, struct session **ret, struct pawl_error *err)
{
	struct session *s = calloc(1, sizeof(*s));
	struct http_call call = { .method = STR("GET"),
		                  .target = STR("/livez"),
		                  .timeout_us = SESSION_TIMEOUT_US };
	struct http_response response;
	enum pawl_status st;

	if (s == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for a session");
	pawl__buf_init(&s->cells, ANSWER_MAX);
	st = pawl__peer_parse(url, 0, &s->peer, err);
	if (st == PAWL_OK)
		st = pawl__client_new(&s->peer, ANSWER_MAX, &s->client, err);
	if (st == PAWL_OK) /* connects, so that the race does not */
		st = pawl__client_request(s->client, &call, &response, err);
	if (st == PAWL_OK && response.status != 200)
		st = pawl__error_set(err, PAWL_E_CONFIG, "no pawl serve answers there");
	if (st != PAWL_OK) {
		http_close(s);
		return st;
	}
	*ret = s;
	return PAWL_OK;
}

static struct str word_next(const char **p, const char *end)
{
	const char *begin = *p;
	const char *stop = memchr(begin, ' ', (size_t)(end - begin));

	*p = stop == NULL ? end : stop + 1;
	return (struct str){ begin, (size_t)((stop == NULL ? end : stop) - begin) };
}

static void field_put(struct buf *fields, struct str word)
{
	static const struct {
		struct str mark, name;
	} rows[] = { { { "if=", 3 }, { "If-Match: ", 10 } },
		     { { "key=", 4 }, { "Idempotency-Key: ", 17 } } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct str mark = rows[i].mark;
		const struct str v = { word.ptr + mark.len, word.len - mark.len };
		const struct str quote = str_eq(v, STR("*")) ? STR_NONE : STR("\"");

		if (!str_starts(word, mark))
			continue;
		buf_str(fields, rows[i].name);
		buf_str(fields, quote);
		buf_str(fields, v);
		buf_str(fields, quote);
		buf_lit(fields, "\r\n");
	}
}

/* Codes that a program looks at by {s}; what else there is spoils the run. */
static enum reply_class status_class(int status)
{
	switch (status) {
	case 404:
	case 409:
	case 412:
	case 422:
		return REPLY_OK;
	case 429:
	case 503:
		return REPLY_TRANSIENT;
	case 504:
		return REPLY_LOST;
	default:
		return status >= 200 && status < 300 ? REPLY_OK : REPLY_ERROR;
	}
}

static void put_etag(struct session *s, const struct http_response *response)
{
	struct str v;
	size_t n;

	if (!pawl__http1_field(&response->fields, STR("ETag"), &v, &n))
		return;
	if (v.len >= 2 && v.ptr[0] == '"')
		v = (struct str){ v.ptr + 1, v.len - 2 };
	buf_str(&s->cells, v);
}

/* A member of the answer: "/available"; "" is the whole. */
static void put_member(struct session *s, const json_t *doc, struct str pointer)
{
	const char *p = pointer.ptr, *end = pointer.ptr + pointer.len;
	char name[PICK_MAX];

	while (p < end && doc != NULL) {
		const char *stop = memchr(p + 1, '/', (size_t)(end - p - 1));
		const size_t len = (size_t)((stop == NULL ? end : stop) - p - 1);

		(void)snprintf(name, sizeof(name), "%.*s", (int)len, p + 1);
		doc = json_object_get(doc, name);
		p += len + 1;
	}
	if (json_is_integer(doc))
		pawl__buf_i64(&s->cells, json_integer_value(doc));
	else if (json_is_string(doc))
		buf_str(&s->cells, pawl__str_of(json_string_value(doc)));
}

static void picks(struct session *s, const struct http_response *response, const char *pick,
                  struct reply *ret)
{
	const char *p = pick, *end = pick + strlen(pick);
	size_t at[REPLY_CELLS_MAX + 1] = { 0 };
	json_t *doc = json_loadb(response->body.ptr, response->body.len, JSON_DECODE_ANY, NULL);

	pawl__buf_reset(&s->cells);
	while (p < end && ret->cells_len < REPLY_CELLS_MAX) {
		const struct str pointer = word_next(&p, end);

		if (str_eq(pointer, STR("ETag")))
			put_etag(s, response);
		else
			put_member(s, doc, pointer);
		at[++ret->cells_len] = s->cells.len;
	}
	json_decref(doc);
	for (size_t i = 0; i < ret->cells_len; i++)
		ret->cells[i] = (struct str){ s->cells.data == NULL ? "" : s->cells.data + at[i],
			                      at[i + 1] - at[i] };
}

static void http_exec(struct session *s, struct str text, const char *pick, struct reply *ret)
{
	const char *line = memchr(text.ptr, '\n', text.len);
	const char *p = text.ptr, *end = line == NULL ? text.ptr + text.len : line;
	struct http_call call = { .timeout_us = SESSION_TIMEOUT_US };
	struct http_response response;
	struct pawl_error why = { 0 };
	char mem[FIELDS_MAX];
	struct buf fields;

	reply_init(ret, REPLY_OK);
	pawl__buf_init_fixed(&fields, mem, sizeof(mem));
	call.method = word_next(&p, end);
	call.target = word_next(&p, end);
	if (line != NULL) {
		buf_lit(&fields, "Content-Type: application/json\r\n");
		call.body = (struct str){ line + 1, text.len - (size_t)(line + 1 - text.ptr) };
	}
	while (p < end)
		field_put(&fields, word_next(&p, end));
	call.fields = buf_get(&fields);
	if (pawl__client_request(s->client, &call, &response, &why) != PAWL_OK) {
		pawl__reply_fail(ret, REPLY_LOST, why.text);
		return;
	}
	ret->class = status_class(response.status);
	ret->status = response.status;
	ret->rows = response.status < 300 ? 1 : 0;
	if (ret->class == REPLY_OK && pick != NULL)
		picks(s, &response, pick, ret);
	else if (ret->class != REPLY_OK)
		(void)snprintf(ret->text, sizeof(ret->text), "HTTP status %d", response.status);
}

/* Nothing is there to be marked or dropped: every run takes names of its own. */
static enum pawl_status http_prepare(struct session *s, struct pawl_error *err)
{
	(void)s;
	(void)err;
	return PAWL_OK;
}

static void http_clean(struct session *s)
{
	(void)s;
}

static void http_describe(struct session *s, struct buf *out)
{
	buf_lit(out, "pawl serve at ");
	buf_str(out, pawl__str_of(s->peer.authority));
}

static uint32_t http_room(struct session *s)
{
	(void)s;
	return UINT32_MAX;
}

const struct store_ops pawl__store_http = {
	.kind = STORE_HTTP,
	.prefix = "pawl_race:",
	.open = http_open,
	.close = http_close,
	.exec = http_exec,
	.prepare = http_prepare,
	.clean = http_clean,
	.describe = http_describe,
	.room = http_room,
};
