/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <strings.h>

#include "base/assert.h"
#include "base/error.h"
#include "race/scenario/bind.h"
#include "race/scenario/pointer.h"

#define TEXT_MAX 200

static bool token(struct str s)
{
	if (s.len == 0 || s.len > 64)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		const unsigned char c = (unsigned char)s.ptr[i];

		if (c <= 0x20 || c >= 0x7f || strchr("()<>@,;:\\\"/[]?={}", c) != NULL)
			return false;
	}
	return true;
}

static bool same_name(struct str a, struct str b)
{
	return a.len == b.len && strncasecmp(a.ptr, b.ptr, a.len) == 0;
}

static enum pawl_status header_take(struct parse *p, const struct tree *v, struct headers_at *h)
{
	static const char *const ours[] = {
		"Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "TE", "Trailer",
		"Expect"
	};
	char word[TREE_WORD_MAX + 1];

	if (!token(v->key->text))
		return pawl__tree_refuse(p->err, v->key, 0, "is not a header's name");
	for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
		if (same_name(v->key->text, pawl__str_of(ours[i])))
			return pawl__tree_refuse(p->err, v->key, 0, "%s is written by the tester",
			                         pawl__tree_word(v->key->text, word));
	}
	for (uint32_t i = 0; i < h->len; i++) {
		if (same_name(h->at[i].name, v->key->text))
			return pawl__tree_refuse(p->err, v->key, 0, "\"%s\" is there twice",
			                         pawl__tree_word(v->key->text, word));
	}
	if (h->len == SCENARIO_HEADERS_MAX)
		return pawl__tree_refuse(p->err, v->key, 0, "more than %d headers",
		                         SCENARIO_HEADERS_MAX);
	if (v->kind != TREE_SCALAR || memchr(v->text.ptr, '\n', v->text.len) != NULL ||
	    memchr(v->text.ptr, '\r', v->text.len) != NULL)
		return pawl__bind_refuse(p, v, "must be one line of text");
	h->at[h->len].name = v->key->text;
	return pawl__template_parse(&p->s->names, v, USE_HEADER, p->allowed, &h->at[h->len++].value,
	                            p->err);
}

enum pawl_status pawl__take_headers(struct parse *p, const struct member *m, const struct tree *v,
                                    void *at)
{
	(void)m;
	if (v->kind != TREE_MAP)
		return pawl__bind_refuse(p, v, "must be a mapping of names to values");
	tree_each(child, v)
	{
		const enum pawl_status st = header_take(p, child, at);

		if (st != PAWL_OK)
			return st;
	}
	return PAWL_OK;
}

/* What a request is while its mapping is read. */
struct raw {
	struct step step;
	struct headers_at headers;
	struct template text;
	bool has_text;
	int key;
};

static enum pawl_status take_method(struct parse *p, const struct member *m, const struct tree *v,
                                    void *at)
{
	(void)m;
	if (v->kind != TREE_SCALAR || !token(v->text) || v->text.len > 32 ||
	    str_eq(v->text, STR("CONNECT")))
		return pawl__bind_refuse(p, v, "must be a method such as POST");
	for (size_t i = 0; i < v->text.len; i++) {
		if (v->text.ptr[i] >= 'a' && v->text.ptr[i] <= 'z')
			return pawl__bind_refuse(p, v, "must be in capitals");
	}
	*(struct str *)at = v->text;
	return PAWL_OK;
}

static enum pawl_status take_body(struct parse *p, const struct member *m, const struct tree *v,
                                  void *at)
{
	struct step *step = at;

	(void)m;
	step->has_body = step->json_body = true;
	return pawl__template_json(&p->s->names, v, p->allowed, &step->body, p->err);
}

static enum pawl_status take_raw_text(struct parse *p, const struct member *m, const struct tree *v,
                                      void *at)
{
	struct step *step = at;

	(void)m;
	if (step->has_body)
		return pawl__bind_refuse(p, v, "cannot stand beside body");
	if (v->kind != TREE_SCALAR)
		return pawl__bind_refuse(p, v, "must be text; write JSON as body");
	step->has_body = true;
	return pawl__template_parse(&p->s->names, v, USE_TEXT, p->allowed, &step->body, p->err);
}

static enum pawl_status capture_take(struct parse *p, const struct tree *v, struct step *step)
{
	struct capture *c = &step->captures[step->captures_len];
	const struct str header = STR("header:");

	if (step->captures_len == SCENARIO_CAPTURES_MAX)
		return pawl__tree_refuse(p->err, v->key, 0, "more than %d captures",
		                         SCENARIO_CAPTURES_MAX);
	if (v->kind == TREE_SCALAR && str_starts(v->text, header)) {
		c->header = (struct str){ v->text.ptr + header.len, v->text.len - header.len };
		while (c->header.len > 0 && c->header.ptr[0] == ' ')
			c->header = (struct str){ c->header.ptr + 1, c->header.len - 1 };
		if (!token(c->header))
			return pawl__bind_refuse(p, v, "must be header:NAME or a JSON pointer");
	} else if (v->kind == TREE_SCALAR && pawl__pointer_valid(v->text)) {
		c->pointer = v->text;
	} else {
		return pawl__bind_refuse(p, v, "must be a JSON pointer, or header:NAME");
	}
	step->captures_len++;
	return pawl__names_capture(&p->s->names, v->key, p->owner, &c->index, p->err);
}

static enum pawl_status take_captures(struct parse *p, const struct member *m, const struct tree *v,
                                      void *at)
{
	(void)m;
	if (v->kind != TREE_MAP)
		return pawl__bind_refuse(p, v, "must be a mapping such as {id: /id}");
	tree_each(child, v)
	{
		const enum pawl_status st = capture_take(p, child, at);

		if (st != PAWL_OK)
			return st;
	}
	return PAWL_OK;
}

static enum pawl_status take_value(struct parse *p, const struct member *m, const struct tree *v,
                                   void *at)
{
	struct template *t = at;

	(void)m;
	return pawl__template_json(&p->s->names, v, p->allowed, t, p->err);
}

/* "/value" is short for "{answer:/value}". */
static enum pawl_status take_result(struct parse *p, const struct member *m, const struct tree *v,
                                    void *at)
{
	struct template *t = at;
	struct hole *hole;

	(void)m;
	p->allowed = HOLES_RESULT;
	if (v->kind != TREE_SCALAR || v->text.len == 0 || v->text.ptr[0] != '/')
		return pawl__template_json(&p->s->names, v, p->allowed, t, p->err);
	if (!pawl__pointer_valid(v->text))
		return pawl__bind_refuse(p, v, "must be a JSON pointer or a JSON value");
	hole = arena_new(p->arena, struct hole);
	if (hole == NULL)
		return pawl__bind_nomem(p);
	*hole = (struct hole){ .kind = HOLE_ANSWER, .use = USE_JSON, .text = v->text };
	hole->bare = true;
	*t = (struct template){ .holes = hole, .len = 1, .kinds = 1U << HOLE_ANSWER };
	return PAWL_OK;
}

static enum pawl_status take_op(struct parse *p, const struct member *m, const struct tree *v,
                                void *at)
{
	static const struct member members[] = {
		MEMBER("f", pawl__take_text, offsetof(struct operation, f), .max = TEXT_MAX,
		       .required = true),
		MEMBER("key", take_value, offsetof(struct operation, key)),
		MEMBER("value", take_value, offsetof(struct operation, value)),
		MEMBER("result", take_result, offsetof(struct operation, result)),
	};
	struct operation *op = at;
	const uint32_t allowed = p->allowed;
	enum pawl_status st;

	(void)m;
	st = pawl__bind(p, v, "op", members, ARRAY_LEN(members), op);
	p->allowed = allowed;
	if (st != PAWL_OK)
		return st;
	op->given = true;
	op->has_key = pawl__tree_member(v, STR("key")) != NULL;
	op->has_value = pawl__tree_member(v, STR("value")) != NULL;
	op->has_result = pawl__tree_member(v, STR("result")) != NULL;
	return PAWL_OK;
}

static const char *const policies[] = {
	"none", "own", "shared", "repeated", "reused-with-another-body", NULL
};

#define STEP(field) offsetof(struct raw, step.field)

static const struct member http_members[] = {
	MEMBER("name", pawl__take_text, STEP(name), .max = TEXT_MAX),
	MEMBER("method", take_method, STEP(method)),
	MEMBER("path", pawl__take_path, STEP(path), .required = true),
	MEMBER("headers", pawl__take_headers, offsetof(struct raw, headers)),
	MEMBER("body", take_body, STEP(kind)),
	MEMBER("text", take_raw_text, STEP(kind)),
	MEMBER("capture", take_captures, STEP(kind)),
	MEMBER("status", pawl__take_statuses, STEP(accepted)),
	/* of the race only */
	MEMBER("weight", pawl__take_number, STEP(weight), .min = 0, .max = SCENARIO_WEIGHT_MAX),
	MEMBER("count", pawl__take_number, STEP(count), .min = 1, .max = SCENARIO_CLIENTS_MAX),
	MEMBER("key", pawl__take_choice, offsetof(struct raw, key), .choices = policies),
	MEMBER("op", take_op, STEP(op)),
};
#define STEP_MEMBERS (ARRAY_LEN(http_members) - 4)

static_assert(offsetof(struct raw, step) == 0 && offsetof(struct step, kind) == 0,
              "takers of a whole step are given its first member");

static enum pawl_status headers_merge(struct parse *p, const struct tree *node, struct raw *raw)
{
	const struct scenario *s = p->s;
	struct headers_at *h = &raw->headers;

	for (uint32_t i = 0; i < s->headers_len; i++) {
		bool given = false;

		for (uint32_t j = 0; j < h->len; j++)
			given = given || same_name(h->at[j].name, s->headers[i].name);
		if (given)
			continue;
		if (h->len == SCENARIO_HEADERS_MAX)
			return pawl__tree_refuse(p->err, node, 0, "more than %d headers",
			                         SCENARIO_HEADERS_MAX);
		h->at[h->len++] = s->headers[i];
	}
	raw->step.headers = arena_array(p->arena, struct header, h->len);
	if (raw->step.headers == NULL)
		return pawl__bind_nomem(p);
	if (h->len > 0)
		memcpy(raw->step.headers, h->at, h->len * sizeof(h->at[0]));
	raw->step.headers_len = h->len;
	return PAWL_OK;
}

/* The policy decides about the key; so nothing else may. */
static enum pawl_status key_check(struct parse *p, const struct tree *node, const struct step *step)
{
	const uint32_t varies = 1U << HOLE_CLIENT | 1U << HOLE_RANDOM;
	const struct tree *v = pawl__tree_member(node, STR("key"));

	if (step->key == KEY_NONE)
		return PAWL_OK;
	for (uint32_t i = 0; i < step->headers_len; i++) {
		if (same_name(step->headers[i].name, STR("Idempotency-Key")))
			return pawl__bind_refuse(p, v, "cannot stand beside an Idempotency-Key");
	}
	if (step->key == KEY_REUSED && (step->body.kinds & varies) == 0)
		return pawl__bind_refuse(
			p, v, "reused-with-another-body needs {client} or {random} in the body");
	return PAWL_OK;
}

/* "PUT /v1/items/{round}", for whoever gave no name. */
static enum pawl_status step_name(struct parse *p, const struct tree *node, struct step *step)
{
	char mem[TEXT_MAX];
	struct buf b;
	struct str path;

	if (step->name.len > 0)
		return PAWL_OK;
	path = pawl__tree_member(node, STR("path"))->text;
	pawl__buf_init_fixed(&b, mem, sizeof(mem));
	buf_str(&b, step->method);
	buf_lit(&b, " ");
	pawl__buf_put(&b, path.ptr, path.len < TEXT_MAX / 2 ? path.len : TEXT_MAX / 2);
	step->name = pawl__arena_str(p->arena, buf_get(&b));
	return step->name.ptr == NULL ? pawl__bind_nomem(p) : PAWL_OK;
}

static enum pawl_status http_parse(struct parse *p, const struct tree *node, struct step *ret)
{
	struct raw raw = { .step = { .weight = -1 } };
	enum pawl_status st = pawl__bind(p, node, "a request", http_members,
	                                 p->in_race ? ARRAY_LEN(http_members) : STEP_MEMBERS, &raw);

	if (st == PAWL_OK)
		st = headers_merge(p, node, &raw);
	if (st != PAWL_OK)
		return st;
	raw.step.key = (enum key_policy)raw.key;
	if (raw.step.method.len == 0)
		raw.step.method = raw.step.has_body ? STR("POST") : STR("GET");
	if (raw.step.weight >= 0 && raw.step.count > 0)
		return pawl__bind_refuse(p, pawl__tree_member(node, STR("count")),
		                         "cannot stand beside weight");
	if (raw.step.weight < 0)
		raw.step.weight = raw.step.count > 0 ? 0 : 1;
	st = key_check(p, node, &raw.step);
	if (st == PAWL_OK)
		st = step_name(p, node, &raw.step);
	if (st == PAWL_OK)
		*ret = raw.step;
	return st;
}

static enum pawl_status take_sql(struct parse *p, const struct member *m, const struct tree *v,
                                 void *at)
{
	struct step *step = at;

	(void)m;
	if (v->kind != TREE_SCALAR || v->text.len == 0)
		return pawl__bind_refuse(p, v, "must be SQL");
	step->kind = STEP_SQL;
	step->name = v->text;
	return pawl__template_parse(&p->s->names, v, USE_QUERY, p->allowed, &step->query, p->err);
}

/* [SET, "stock:{round}", 1] or "SET stock:{round} 1": words are cut at blanks before holes are
 * filled, so no value can become two words. */
static enum pawl_status redis_words(struct parse *p, const struct tree *v, struct step *step)
{
	struct tree word = *v;
	size_t at = 0;

	while (at < v->text.len) {
		const size_t n = strcspn(v->text.ptr + at, " ");
		enum pawl_status st;

		if (n == 0) {
			at++;
			continue;
		}
		if (step->args_len == SCENARIO_ARGS_MAX)
			return pawl__bind_refuse(p, v, "has more than %d words", SCENARIO_ARGS_MAX);
		word.text = (struct str){ v->text.ptr + at, n };
		word.col = v->col + (uint32_t)(v->exact ? at : 0);
		st = pawl__template_parse(&p->s->names, &word, USE_TEXT, p->allowed,
		                          &step->args[step->args_len++], p->err);
		if (st != PAWL_OK)
			return st;
		at += n;
	}
	return step->args_len == 0 ? pawl__bind_refuse(p, v, "must be a command") : PAWL_OK;
}

static enum pawl_status take_redis(struct parse *p, const struct member *m, const struct tree *v,
                                   void *at)
{
	struct step *step = at;

	(void)m;
	step->kind = STEP_REDIS;
	step->args = arena_array(p->arena, struct template, SCENARIO_ARGS_MAX);
	if (step->args == NULL)
		return pawl__bind_nomem(p);
	if (v->kind == TREE_SCALAR) {
		step->name = v->text;
		return redis_words(p, v, step);
	}
	if (v->kind != TREE_LIST || v->len == 0 || v->len > SCENARIO_ARGS_MAX)
		return pawl__bind_refuse(p, v, "must be a command of 1 to %d words",
		                         SCENARIO_ARGS_MAX);
	tree_each(child, v)
	{
		enum pawl_status st;

		if (child->kind != TREE_SCALAR)
			return pawl__bind_refuse(p, child, "must be words");
		st = pawl__template_parse(&p->s->names, child, USE_TEXT, p->allowed,
		                          &step->args[step->args_len++], p->err);
		if (st != PAWL_OK)
			return st;
	}
	step->name = v->first->text;
	return PAWL_OK;
}

static enum pawl_status store_parse(struct parse *p, const struct tree *node, struct step *ret)
{
	static const struct member members[] = {
		MEMBER("sql", take_sql, 0),
		MEMBER("redis", take_redis, 0),
		MEMBER("on", pawl__take_template, offsetof(struct step, on), .required = true),
	};
	struct step step = { .kind = STEP_SQL };
	enum pawl_status st;

	if (pawl__tree_member(node, STR("sql")) != NULL &&
	    pawl__tree_member(node, STR("redis")) != NULL)
		return pawl__tree_refuse(p->err, node, 0, "a step is sql or redis, not both");
	st = pawl__bind(p, node, "a step", members, ARRAY_LEN(members), &step);
	if (st == PAWL_OK)
		*ret = step;
	return st;
}

enum pawl_status pawl__step_parse(struct parse *p, const struct tree *node, struct step *ret)
{
	if (node->kind == TREE_MAP && !p->in_race &&
	    (pawl__tree_member(node, STR("sql")) != NULL ||
	     pawl__tree_member(node, STR("redis")) != NULL))
		return store_parse(p, node, ret);
	return http_parse(p, node, ret);
}

enum pawl_status pawl__take_steps(struct parse *p, const struct member *m, const struct tree *v,
                                  void *at)
{
	struct steps *steps = at;

	if (v->kind != TREE_LIST || v->len > (size_t)m->max)
		return pawl__bind_refuse(p, v, "must be a list of up to %lld steps",
		                         (long long)m->max);
	steps->at = arena_array(p->arena, struct step, v->len);
	if (steps->at == NULL)
		return pawl__bind_nomem(p);
	tree_each(child, v)
	{
		const enum pawl_status st = pawl__step_parse(p, child, &steps->at[steps->len]);

		if (st != PAWL_OK)
			return st;
		steps->len++;
	}
	return PAWL_OK;
}
