/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/error.h"
#include "race/scenario/bind.h"
#include "race/scenario/pointer.h"

#define LABEL_MAX 240

static enum pawl_status json_take(struct parse *p, const struct tree *v, struct template *ret)
{
	return pawl__template_json(&p->s->names, v, p->allowed, ret, p->err);
}

static bool all_of(const struct tree *map, const char *const *names)
{
	tree_each(v, map)
	{
		bool is = false;

		for (size_t i = 0; names[i] != NULL; i++)
			is = is || str_eq(v->key->text, pawl__str_of(names[i]));
		if (!is)
			return false;
	}
	return map->len > 0;
}

/* {min: 0, max: 9}, {not: 1}, {exists: true}, {length: 3}: a comparison; anything else must be
 * equal. A mapping with such names that is meant as a value is written {equals: {..}}. */
static enum pawl_status match_value(struct parse *p, const struct tree *v, struct match *ret)
{
	static const char *const words[] = {
		"equals", "not", "min", "max", "exists", "length", NULL
	};
	const struct tree *first = v->first, *low, *high;

	ret->kind = MATCH_EQ;
	if (v->kind != TREE_MAP || !all_of(v, words))
		return json_take(p, v, &ret->value);
	low = pawl__tree_member(v, STR("min"));
	high = pawl__tree_member(v, STR("max"));
	if (low != NULL && high != NULL && v->len == 2) {
		const enum pawl_status st = json_take(p, low, &ret->value);

		ret->kind = MATCH_RANGE;
		return st == PAWL_OK ? json_take(p, high, &ret->high) : st;
	}
	if (v->len != 1)
		return pawl__bind_refuse(p, v, "must be one comparison, or min and max");
	if (str_eq(first->key->text, STR("exists"))) {
		ret->kind = MATCH_EXISTS;
		return pawl__take_flag(p, NULL, first, &ret->exists);
	}
	if (str_eq(first->key->text, STR("not")))
		ret->kind = MATCH_NE;
	else if (low != NULL)
		ret->kind = MATCH_MIN;
	else if (high != NULL)
		ret->kind = MATCH_MAX;
	else if (str_eq(first->key->text, STR("length")))
		ret->kind = MATCH_LEN;
	return json_take(p, first, &ret->value);
}

static enum pawl_status match_new(struct parse *p, struct matches *m, const struct tree *v,
                                  struct str pointer)
{
	if (m->at == NULL)
		m->at = arena_array(p->arena, struct match, SCENARIO_VALUES_MAX);
	if (m->at == NULL)
		return pawl__bind_nomem(p);
	if (m->len == SCENARIO_VALUES_MAX)
		return pawl__tree_refuse(p->err, v, 0, "more than %d values", SCENARIO_VALUES_MAX);
	m->at[m->len].pointer = pointer;
	return match_value(p, v, &m->at[m->len++]);
}

/* {/available: 0, /state: open} */
static enum pawl_status take_json(struct parse *p, const struct member *m, const struct tree *v,
                                  void *at)
{
	(void)m;
	if (v->kind != TREE_MAP || v->len == 0)
		return pawl__bind_refuse(p, v, "must be a mapping such as {/available: 0}");
	tree_each(child, v)
	{
		enum pawl_status st;

		if (!pawl__pointer_valid(child->key->text))
			return pawl__tree_refuse(p->err, child->key, 0,
			                         "must be a JSON pointer such as /available");
		st = match_new(p, at, child, child->key->text);
		if (st != PAWL_OK)
			return st;
	}
	return PAWL_OK;
}

/* The first column of the first row; the reply of a command; a sum. */
static enum pawl_status take_one(struct parse *p, const struct member *m, const struct tree *v,
                                 void *at)
{
	return match_new(p, at, v, m->choices == NULL ? STR("") : pawl__str_of(m->choices[0]));
}

static enum pawl_status take_rows(struct parse *p, const struct member *m, const struct tree *v,
                                  void *at)
{
	(void)m;
	if (v->kind != TREE_LIST)
		return pawl__bind_refuse(p, v, "must be a list of rows");
	tree_each(row, v)
	{
		if (row->kind != TREE_LIST)
			return pawl__bind_refuse(p, row, "a row must be a list of values");
	}
	return match_new(p, at, v, STR(""));
}

static enum pawl_status take_paths(struct parse *p, const struct member *m, const struct tree *v,
                                   void *at)
{
	struct expect *e = at;

	(void)m;
	e->paths = arena_array(p->arena, struct template, v->kind == TREE_LIST ? v->len : 1);
	if (e->paths == NULL)
		return pawl__bind_nomem(p);
	if (v->kind == TREE_SCALAR) {
		e->paths_len = 1;
		return pawl__take_path(p, NULL, v, &e->paths[0]);
	}
	if (v->kind != TREE_LIST || v->len == 0 || v->len > SCENARIO_PATHS_MAX)
		return pawl__bind_refuse(p, v, "must be a path or a list of up to %d",
		                         SCENARIO_PATHS_MAX);
	tree_each(child, v)
	{
		const enum pawl_status st =
			pawl__take_path(p, NULL, child, &e->paths[e->paths_len++]);

		if (st != PAWL_OK)
			return st;
	}
	return PAWL_OK;
}

static enum pawl_status take_of(struct parse *p, const struct member *m, const struct tree *v,
                                void *at)
{
	const struct scenario *s = p->s;

	(void)m;
	for (uint32_t i = 0; i < s->requests_len && v->kind == TREE_SCALAR; i++) {
		if (str_eq(s->requests[i].name, v->text)) {
			*(struct str *)at = v->text;
			return PAWL_OK;
		}
	}
	return pawl__bind_refuse(p, v, "must be the name of a request of the race");
}

static enum pawl_status take_literal(struct parse *p, const struct member *m, const struct tree *v,
                                     void *at)
{
	(void)at;
	if (v->kind != TREE_SCALAR || !str_eq(v->text, pawl__str_of(m->choices[0])))
		return pawl__bind_refuse(p, v, "must be \"%s\"", m->choices[0]);
	return PAWL_OK;
}

static enum pawl_status take_store(struct parse *p, const struct member *m, const struct tree *v,
                                   void *at)
{
	(void)m, (void)v, (void)at, (void)p;
	return PAWL_OK;
}

#define EX(field) offsetof(struct expect, field)

static const char *const first_cell[] = { "/0/0", NULL };
static const char *const identical[] = { "identical", NULL };
static const char *const answers[] = { "answers", NULL };

#define OF_AND_STATUS                                                                              \
	MEMBER("of", take_of, EX(of)), MEMBER("status", pawl__take_statuses, EX(statuses))

static const struct member status_members[] = {
	MEMBER("status", pawl__take_counts, EX(statuses), .required = true),
	MEMBER("of", take_of, EX(of)),
};
static const struct member get_members[] = {
	MEMBER("get", take_paths, 0, .required = true),
	MEMBER("status", pawl__take_statuses, EX(statuses)),
	MEMBER("json", take_json, EX(values)),
};
static const struct member sql_members[] = {
	MEMBER("sql", take_store, 0),
	MEMBER("on", take_store, 0, .required = true),
	MEMBER("value", take_one, EX(values), .choices = first_cell),
	MEMBER("rows", take_rows, EX(values)),
};
static const struct member redis_members[] = {
	MEMBER("redis", take_store, 0),
	MEMBER("on", take_store, 0, .required = true),
	MEMBER("value", take_one, EX(values), .required = true),
};
static const struct member sum_members[] = {
	MEMBER("sum", pawl__take_pointer, EX(pointer), .required = true),
	MEMBER("get", take_paths, 0, .required = true),
	MEMBER("value", take_one, EX(values), .required = true),
};
static const struct member answers_members[] = {
	MEMBER("sum", pawl__take_pointer, EX(pointer), .required = true),
	MEMBER("over", take_literal, 0, .choices = answers, .required = true),
	OF_AND_STATUS,
	MEMBER("value", take_one, EX(values), .required = true),
};
static const struct member distinct_members[] = {
	MEMBER("distinct", pawl__take_pointer, EX(pointer), .required = true),
	OF_AND_STATUS,
};
static const struct member monotone_members[] = {
	MEMBER("monotone", pawl__take_pointer, EX(pointer), .required = true),
	OF_AND_STATUS,
};
static const struct member replays_members[] = {
	MEMBER("replays", take_literal, 0, .choices = identical, .required = true),
	OF_AND_STATUS,
};

/* By the member that says what is expected; the first that is there decides. */
static const struct form {
	const char *names[2]; /* both must be there */
	enum expect_kind kind;
	const struct member *members;
	size_t len;
} forms[] = {
	{ { "sum", "get" }, EXPECT_SUM, sum_members, ARRAY_LEN(sum_members) },
	{ { "sum", NULL }, EXPECT_ANSWERS, answers_members, ARRAY_LEN(answers_members) },
	{ { "get", NULL }, EXPECT_GET, get_members, ARRAY_LEN(get_members) },
	{ { "sql", NULL }, EXPECT_SQL, sql_members, ARRAY_LEN(sql_members) },
	{ { "redis", NULL }, EXPECT_REDIS, redis_members, ARRAY_LEN(redis_members) },
	{ { "distinct", NULL }, EXPECT_DISTINCT, distinct_members, ARRAY_LEN(distinct_members) },
	{ { "monotone", NULL }, EXPECT_MONOTONE, monotone_members, ARRAY_LEN(monotone_members) },
	{ { "replays", NULL }, EXPECT_REPLAYS, replays_members, ARRAY_LEN(replays_members) },
	{ { "status", NULL }, EXPECT_STATUS, status_members, ARRAY_LEN(status_members) },
};

static const struct form *form_of(const struct tree *node)
{
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		const char *const *n = forms[i].names;

		if (pawl__tree_member(node, pawl__str_of(n[0])) != NULL &&
		    (n[1] == NULL || pawl__tree_member(node, pawl__str_of(n[1])) != NULL))
			return &forms[i];
	}
	return NULL;
}

/* The statement itself is a step: what `sql`, `redis` and `on` are about. */
static enum pawl_status store_of(struct parse *p, const struct tree *node, struct expect *e)
{
	struct tree map = { .kind = TREE_MAP, .line = node->line, .col = node->col };
	struct tree members[2], *last = NULL;

	tree_each(v, node)
	{
		if (!str_eq(v->key->text, STR("sql")) && !str_eq(v->key->text, STR("redis")) &&
		    !str_eq(v->key->text, STR("on")))
			continue;
		members[map.len] = *v;
		members[map.len].sibling = NULL;
		if (last != NULL)
			last->sibling = &members[map.len];
		last = &members[map.len++];
	}
	map.first = &members[0];
	return pawl__step_parse(p, &map, &e->store);
}

/* Bounded by the tree's depth. */
/* NOLINTNEXTLINE(misc-no-recursion) */
static void label_put(struct buf *b, const struct tree *node)
{
	if (node->kind == TREE_SCALAR) {
		buf_str(b, node->text);
		return;
	}
	pawl__buf_putc(b, node->kind == TREE_MAP ? '{' : '[');
	tree_each(v, node)
	{
		if (v != node->first)
			buf_lit(b, ", ");
		if (node->kind == TREE_MAP) {
			buf_str(b, v->key->text);
			buf_lit(b, ": ");
		}
		label_put(b, v);
	}
	pawl__buf_putc(b, node->kind == TREE_MAP ? '}' : ']');
}

/* "status: {201: 1, 409: rest}", as it was written but on one line. Without `on`: it may say who
 * and where. */
static enum pawl_status label_of(struct parse *p, const struct tree *node, struct str *ret)
{
	struct buf b;

	pawl__buf_init(&b, TREE_FILE_MAX);
	tree_each(v, node)
	{
		if (str_eq(v->key->text, STR("on")))
			continue;
		if (b.len > 0)
			buf_lit(&b, ", ");
		buf_str(&b, v->key->text);
		buf_lit(&b, ": ");
		label_put(&b, v);
	}
	if (b.len > LABEL_MAX) {
		b.len = LABEL_MAX;
		while (b.len > 0 && ((unsigned char)b.data[b.len] & 0xc0) == 0x80)
			b.len--;
		memcpy(b.data + b.len - 3, "...", 3);
	}
	for (size_t i = 0; i < b.len; i++) {
		if ((unsigned char)b.data[i] < 0x20 || b.data[i] == 0x7f)
			b.data[i] = ' ';
	}
	*ret = pawl__arena_str(p->arena, buf_get(&b));
	pawl__buf_deinit(&b);
	return ret->ptr == NULL ? pawl__bind_nomem(p) : PAWL_OK;
}

static enum pawl_status expect_parse(struct parse *p, const struct tree *node, struct expect *ret)
{
	const struct form *form = node->kind == TREE_MAP ? form_of(node) : NULL;
	struct expect *e = ret;
	enum pawl_status st;

	if (node->kind == TREE_MAP && form == NULL) {
		static const struct member names[] = {
			MEMBER("status", NULL, 0),   MEMBER("get", NULL, 0),
			MEMBER("sql", NULL, 0),      MEMBER("redis", NULL, 0),
			MEMBER("sum", NULL, 0),      MEMBER("distinct", NULL, 0),
			MEMBER("monotone", NULL, 0), MEMBER("replays", NULL, 0),
		};

		if (node->len > 0) /* one of them is unknown: none is there */
			return pawl__bind(p, node, "an expectation", names, ARRAY_LEN(names), e);
	}
	if (form == NULL)
		return pawl__tree_refuse(p->err, node, 0,
		                         "an expectation must be a mapping with status, get, sql, "
		                         "redis, sum, distinct, monotone or replays");
	e->kind = form->kind;
	e->line = node->line;
	st = pawl__bind(p, node, "an expectation", form->members, form->len, e);
	if (st == PAWL_OK && (form->kind == EXPECT_SQL || form->kind == EXPECT_REDIS))
		st = store_of(p, node, e);
	for (uint32_t i = 0; i < e->values.len; i++)
		e->values.at[i].lenient = form->kind == EXPECT_SQL || form->kind == EXPECT_REDIS;
	if (st == PAWL_OK && form->kind == EXPECT_SQL && e->values.len == 0)
		st = pawl__tree_refuse(p->err, node, 0, "sql needs value or rows");
	if (st == PAWL_OK && form->kind == EXPECT_GET && e->paths_len != 1)
		st = pawl__tree_refuse(p->err, node, 0, "get takes one path, unless it is a sum");
	return st == PAWL_OK ? label_of(p, node, &e->label) : st;
}

enum pawl_status pawl__take_expects(struct parse *p, const struct member *m, const struct tree *v,
                                    void *at)
{
	struct scenario *s = at;

	(void)m;
	p->allowed = HOLES_ROUND;
	p->owner = OWNER_ROUND;
	if (v->kind != TREE_LIST || v->len == 0 || v->len > SCENARIO_EXPECT_MAX)
		return pawl__bind_refuse(p, v, "must be a list of 1 to %d expectations",
		                         SCENARIO_EXPECT_MAX);
	s->expects = arena_array(p->arena, struct expect, v->len);
	if (s->expects == NULL)
		return pawl__bind_nomem(p);
	tree_each(child, v)
	{
		const enum pawl_status st = expect_parse(p, child, &s->expects[s->expects_len]);

		if (st != PAWL_OK)
			return st;
		s->expects_len++;
	}
	return PAWL_OK;
}
