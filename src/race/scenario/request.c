/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "race/scenario/pointer.h"
#include "race/scenario/round.h"

#define CAPTURE_MAX 4096 /* bytes of a captured value */

static enum pawl_status expand(const struct template *t, const struct scope *scope,
                               struct arena *arena, struct str *ret, struct pawl_error *err)
{
	enum pawl_status st;
	struct buf b;

	pawl__buf_init(&b, SCENARIO_REQUEST_MAX);
	st = pawl__template_expand(t, scope, &b, err);
	if (st == PAWL_OK) {
		*ret = pawl__arena_str(arena, buf_get(&b));
		if (ret->ptr == NULL)
			st = pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
	}
	pawl__buf_deinit(&b);
	return st;
}

static bool named(const struct http_field *fields, size_t len, struct str name, struct str *ret)
{
	for (size_t i = 0; i < len; i++) {
		if (fields[i].name.len == name.len &&
		    strncasecmp(fields[i].name.ptr, name.ptr, name.len) == 0) {
			if (ret != NULL)
				*ret = fields[i].value;
			return true;
		}
	}
	return false;
}

static enum pawl_status fields_build(const struct step *step, const struct scope *scope,
                                     struct str key, struct arena *arena, struct built *b,
                                     struct pawl_error *err)
{
	struct http_field *f = arena_array(arena, struct http_field, (size_t)step->headers_len + 2);
	size_t n = 0;

	if (f == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
	for (uint32_t i = 0; i < step->headers_len; i++) {
		const enum pawl_status st =
			expand(&step->headers[i].value, scope, arena, &f[n].value, err);

		if (st != PAWL_OK)
			return st;
		f[n++].name = step->headers[i].name;
	}
	if (key.len > 0)
		f[n++] = (struct http_field){ STR("Idempotency-Key"), key };
	if (step->has_body && !named(f, n, STR("Content-Type"), NULL))
		f[n++] = (struct http_field){ STR("Content-Type"),
			                      step->json_body ? STR("application/json")
			                                      : STR("text/plain; charset=utf-8") };
	b->request.fields = f;
	b->request.fields_len = n;
	(void)named(f, n, STR("Idempotency-Key"), &b->key);
	return PAWL_OK;
}

enum pawl_status pawl__request_build(const struct step *step, const struct scope *scope,
                                     struct str key, struct arena *arena, struct built *ret,
                                     struct pawl_error *err)
{
	struct built b = { .request = { .conn = VOLLEY_ANY, .method = step->method } };
	enum pawl_status st = expand(&step->path, scope, arena, &b.path, err);

	if (st == PAWL_OK && (b.path.len == 0 || b.path.ptr[0] != '/'))
		st = pawl__error_set(err, PAWL_E_INVALID,
		                     "a captured path does not begin with /: requests go to the "
		                     "target only");
	if (st == PAWL_OK)
		st = fields_build(step, scope, key, arena, &b, err);
	if (st == PAWL_OK && step->has_body)
		st = expand(&step->body, scope, arena, &b.sent, err);
	if (st != PAWL_OK)
		return st;
	b.request.target = b.path;
	b.request.body = b.sent;
	*ret = b;
	return PAWL_OK;
}

static enum pawl_status value_take(const struct capture *c, const json_t *doc,
                                   const struct volley_outcome *o, struct arena *arena,
                                   struct capture_value *ret)
{
	const json_t *v =
		c->header.len > 0 || doc == NULL ? NULL : pawl__pointer_get(doc, c->pointer);
	struct str text = STR_NONE;
	bool bare = false;
	struct buf b;

	pawl__buf_init(&b, CAPTURE_MAX);
	if (c->header.len > 0) {
		if (!pawl__volley_field(o, c->header, &text))
			return PAWL_E_NOT_FOUND;
		buf_str(&b, text);
	} else if (v == NULL) {
		return PAWL_E_NOT_FOUND;
	} else if (json_is_string(v)) {
		pawl__buf_put(&b, json_string_value(v), json_string_length(v));
	} else {
		pawl__pointer_dump(v, &b);
		bare = true;
	}
	if (!b.overflow)
		*ret = (struct capture_value){ pawl__arena_str(arena, buf_get(&b)), bare };
	pawl__buf_deinit(&b);
	return b.overflow ? PAWL_E_TOO_LARGE : ret->text.ptr == NULL ? PAWL_E_NOMEM : PAWL_OK;
}

enum pawl_status pawl__request_capture(const struct step *step, const struct volley_outcome *o,
                                       struct arena *arena, struct capture_value *to,
                                       struct pawl_error *err)
{
	json_t *doc = step->captures_len == 0 || o->body.len == 0
	                      ? NULL
	                      : json_loadb(o->body.data, o->body.len,
	                                   JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	enum pawl_status st = PAWL_OK;

	for (uint32_t i = 0; i < step->captures_len && st == PAWL_OK; i++) {
		const struct capture *c = &step->captures[i];

		st = value_take(c, doc, o, arena, &to[c->index]);
		if (st != PAWL_OK)
			(void)pawl__error_set(err, st,
			                      st == PAWL_E_NOT_FOUND ? "the answer has no %.*s%.*s"
			                      : st == PAWL_E_TOO_LARGE
			                              ? "a captured value is too long: %.*s%.*s"
			                              : "out of memory for %.*s%.*s",
			                      (int)c->pointer.len, c->pointer.ptr,
			                      (int)c->header.len, c->header.ptr);
	}
	json_decref(doc);
	return st;
}
