/* SPDX-License-Identifier: Apache-2.0 */
#include "race/scenario/template.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/suggest.h"
#include "race/scenario/pointer.h"

#define HOLES_MAX 512 /* in one template; literal runs count, too */

static const struct {
	struct str name;
	enum hole_kind kind;
} builtins[] = {
	{ { "client", 6 }, HOLE_CLIENT },
	{ { "round", 5 }, HOLE_ROUND },
	{ { "number", 6 }, HOLE_NUMBER },
	{ { "random", 6 }, HOLE_RANDOM },
};

/* A template while it is compiled. */
struct maker {
	struct names *names;
	const struct tree *node; /* whose text is read */
	uint32_t allowed;
	enum template_use use;
	bool bare;
	struct hole holes[HOLES_MAX];
	uint32_t len;
	struct buf literal; /* since the last hole */
	struct pawl_error *err;
};

static bool letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool name_valid(struct str s)
{
	if (s.len == 0 || s.len > NAME_MAX_LEN || !letter(s.ptr[0]))
		return false;
	for (size_t i = 1; i < s.len; i++) {
		if (!letter(s.ptr[i]) && (s.ptr[i] < '0' || s.ptr[i] > '9') && s.ptr[i] != '-')
			return false;
	}
	return true;
}

static enum pawl_status nomem(struct pawl_error *err)
{
	return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
}

static enum pawl_status hole_put(struct maker *m, struct hole hole)
{
	if (m->len == HOLES_MAX)
		return pawl__tree_refuse(m->err, m->node, 0, "has more than %d parts",
		                         HOLES_MAX / 2);
	hole.use = m->use;
	m->holes[m->len++] = hole;
	return PAWL_OK;
}

static enum pawl_status literal_end(struct maker *m)
{
	struct hole hole = { .kind = HOLE_NONE };

	if (m->literal.overflow)
		return nomem(m->err);
	if (m->literal.len == 0)
		return PAWL_OK;
	hole.text = pawl__arena_str(m->names->arena, buf_get(&m->literal));
	if (hole.text.ptr == NULL)
		return nomem(m->err);
	pawl__buf_reset(&m->literal);
	return hole_put(m, hole);
}

static enum pawl_status unknown(const struct maker *m, struct str name, size_t at)
{
	char word[TREE_WORD_MAX + 1];
	struct suggestion s;

	pawl__suggest_init(&s, pawl__tree_word(name, word));
	for (size_t i = 0; i < ARRAY_LEN(builtins); i++) {
		if ((m->allowed & 1U << builtins[i].kind) != 0)
			pawl__suggest_consider(&s, builtins[i].name.ptr);
	}
	for (uint32_t i = 0; i < m->names->captures_len; i++)
		pawl__suggest_consider(&s, m->names->captures[i].name.ptr);
	if (s.best == NULL)
		return pawl__tree_refuse(m->err, m->node, at,
		                         "nothing has the name {%s}; {{ is a plain brace", word);
	return pawl__tree_refuse(m->err, m->node, at,
	                         "nothing has the name {%s}; did you mean {%s}?", word, s.best);
}

static enum pawl_status env_hole(struct maker *m, struct str name, size_t at, struct hole *hole)
{
	char word[TREE_WORD_MAX + 1], variable[NAME_MAX_LEN + 1];
	struct names *n = m->names;
	const char *value;

	hole->kind = HOLE_ENV;
	for (uint32_t i = 0; i < n->env_len; i++) {
		if (str_eq(n->env[i].name, name)) {
			hole->index = i;
			return PAWL_OK;
		}
	}
	if (!name_valid(name))
		return pawl__tree_refuse(m->err, m->node, at, "no name of a variable: {env:%s}",
		                         pawl__tree_word(name, word));
	memcpy(variable, name.ptr, name.len);
	variable[name.len] = '\0';
	value = secure_getenv(variable);
	if (value == NULL || value[0] == '\0')
		return pawl__tree_refuse(m->err, m->node, at,
		                         "the environment variable %s is not set", variable);
	if (n->env_len == NAMES_MAX)
		return pawl__tree_refuse(m->err, m->node, at, "more than %d variables", NAMES_MAX);
	n->env[n->env_len].name = pawl__arena_str(n->arena, name);
	n->env[n->env_len].value = pawl__arena_str(n->arena, pawl__str_of(value));
	if (n->arena->failed)
		return nomem(m->err);
	hole->index = n->env_len++;
	return PAWL_OK;
}

static bool hole_find(const struct maker *m, struct str name, struct hole *hole)
{
	for (size_t i = 0; i < ARRAY_LEN(builtins); i++) {
		if (str_eq(builtins[i].name, name)) {
			hole->kind = builtins[i].kind;
			return true;
		}
	}
	for (uint32_t i = 0; i < m->names->captures_len; i++) {
		if (str_eq(m->names->captures[i].name, name)) {
			hole->kind = HOLE_CAPTURE;
			hole->index = i;
			return true;
		}
	}
	return false;
}

static bool hole_allowed(const struct maker *m, const struct hole *hole)
{
	if ((m->allowed & 1U << hole->kind) == 0)
		return false;
	return hole->kind != HOLE_CAPTURE || m->names->captures[hole->index].owner == OWNER_ROUND ||
	       (m->allowed & 1U << HOLE_CLIENT) != 0;
}

/* name stands at byte `at` of the node, between braces. alone: nothing else does. */
static enum pawl_status hole_parse(struct maker *m, struct str name, size_t at, bool alone)
{
	const struct str env = STR("env:"), number = STR("int:"), answer = STR("answer:");
	struct hole hole = { .bare = m->bare && alone };
	char word[TREE_WORD_MAX + 1];
	enum pawl_status st = literal_end(m);

	if (st != PAWL_OK)
		return st;
	if (str_starts(name, env)) {
		st = env_hole(m, (struct str){ name.ptr + env.len, name.len - env.len }, at, &hole);
		if (st != PAWL_OK)
			return st;
	} else if (str_starts(name, answer)) {
		hole.kind = HOLE_ANSWER;
		hole.text = (struct str){ name.ptr + answer.len, name.len - answer.len };
		if (!hole.bare || !pawl__pointer_valid(hole.text))
			return pawl__tree_refuse(m->err, m->node, at,
			                         "{answer:/POINTER} must be a JSON value alone");
		hole.text = pawl__arena_str(m->names->arena, hole.text);
		if (hole.text.ptr == NULL)
			return nomem(m->err);
	} else {
		hole.number = str_starts(name, number);
		if (hole.number && !hole.bare)
			return pawl__tree_refuse(m->err, m->node, at,
			                         "{int:NAME} must be a JSON value alone");
		if (hole.number)
			name = (struct str){ name.ptr + number.len, name.len - number.len };
		if (!hole_find(m, name, &hole))
			return unknown(m, name, at);
	}
	if (!hole_allowed(m, &hole))
		return pawl__tree_refuse(m->err, m->node, at, "{%s} has no meaning here",
		                         pawl__tree_word(name, word));
	return hole_put(m, hole);
}

static void literal_put(struct maker *m, struct str s)
{
	if (m->use == USE_JSON)
		pawl__json_escape(&m->literal, s);
	else
		buf_str(&m->literal, s);
}

/* Text and holes of m->node. */
static enum pawl_status scalar_parse(struct maker *m)
{
	const struct str text = m->node->text;
	size_t start = 0;

	for (size_t i = 0; i < text.len; i++) {
		const char *end;
		struct str name;
		enum pawl_status st;

		if (text.ptr[i] != '{' || i + 1 == text.len)
			continue;
		if (text.ptr[i + 1] == '{') {
			literal_put(m, (struct str){ text.ptr + start, i + 1 - start });
			start = ++i + 1;
			continue;
		}
		if (!letter(text.ptr[i + 1]))
			continue;
		end = memchr(text.ptr + i, '}', text.len - i);
		if (end == NULL)
			return pawl__tree_refuse(m->err, m->node, i,
			                         "a brace is not closed; {{ is a plain brace");
		literal_put(m, (struct str){ text.ptr + start, i - start });
		name = (struct str){ text.ptr + i + 1, (size_t)(end - text.ptr) - i - 1 };
		st = hole_parse(m, name, i, i == 0 && end == text.ptr + text.len - 1);
		if (st != PAWL_OK)
			return st;
		i = (size_t)(end - text.ptr);
		start = i + 1;
	}
	literal_put(m, (struct str){ text.ptr + start, text.len - start });
	return PAWL_OK;
}

static enum pawl_status maker_end(struct maker *m, struct template *ret)
{
	enum pawl_status st = literal_end(m);
	struct template t = { .len = m->len };

	if (st != PAWL_OK)
		return st;
	t.holes = arena_array(m->names->arena, struct hole, m->len);
	if (t.holes == NULL)
		return nomem(m->err);
	for (uint32_t i = 0; i < m->len; i++) {
		t.holes[i] = m->holes[i];
		t.kinds |= 1U << m->holes[i].kind;
	}
	*ret = t;
	return PAWL_OK;
}

static struct maker *maker_new(struct names *names, const struct tree *node, uint32_t allowed,
                               struct pawl_error *err)
{
	struct maker *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	m->names = names;
	m->node = node;
	m->allowed = allowed;
	m->err = err;
	pawl__buf_init(&m->literal, TREE_FILE_MAX * 6); /* \u00xx for every byte */
	return m;
}

static void maker_free(struct maker *m)
{
	pawl__buf_deinit(&m->literal);
	free(m);
}

enum pawl_status pawl__template_parse(struct names *names, const struct tree *node,
                                      enum template_use use, uint32_t allowed, struct template *ret,
                                      struct pawl_error *err)
{
	struct maker *m;
	enum pawl_status st;

	if (node->kind != TREE_SCALAR)
		return pawl__tree_refuse(err, node, 0, "must be text");
	m = maker_new(names, node, allowed, err);
	if (m == NULL)
		return nomem(err);
	m->use = use;
	st = scalar_parse(m);
	if (st == PAWL_OK)
		st = maker_end(m, ret);
	maker_free(m);
	return st;
}

/* A plain scalar that JSON writes without quotes. */
static bool plain_json(const struct tree *node, struct str *ret)
{
	const struct str t = node->text;

	if (!node->plain)
		return false;
	*ret = t.len == 0 || str_eq(t, STR("~")) ? STR("null") : t;
	return str_eq(*ret, STR("null")) || str_eq(t, STR("true")) || str_eq(t, STR("false")) ||
	       pawl__pointer_number(t);
}

static bool number_fits(struct str t)
{
	json_t *v = json_loadb(t.ptr, t.len, JSON_DECODE_ANY, NULL);

	json_decref(v);
	return v != NULL;
}

/* Whether the scalar is one hole and nothing else: that brings its own quotes. */
static bool one_hole(struct str t)
{
	return t.len >= 3 && t.ptr[0] == '{' && letter(t.ptr[1]) &&
	       memchr(t.ptr, '}', t.len) == t.ptr + t.len - 1;
}

static enum pawl_status json_scalar(struct maker *m)
{
	enum pawl_status st;
	struct str text;

	if (plain_json(m->node, &text)) {
		if (!number_fits(text))
			return pawl__tree_refuse(m->err, m->node, 0,
			                         "is over 64 bits; write it in quotes");
		buf_str(&m->literal, text);
		return PAWL_OK;
	}
	if (!pawl__str_utf8(m->node->text))
		return pawl__tree_refuse(m->err, m->node, 0, "is not UTF-8");
	m->bare = one_hole(m->node->text);
	if (!m->bare)
		buf_lit(&m->literal, "\"");
	st = scalar_parse(m);
	if (!m->bare)
		buf_lit(&m->literal, "\"");
	return st;
}

static enum pawl_status json_member(struct maker *m, const struct tree *child)
{
	buf_lit(&m->literal, "\"");
	if (!pawl__str_utf8(child->key->text))
		return pawl__tree_refuse(m->err, child->key, 0, "is not UTF-8");
	pawl__json_escape(&m->literal, child->key->text);
	buf_lit(&m->literal, "\":");
	return PAWL_OK;
}

/* {client} without quotes is a mapping to YAML: the commonest slip there is. */
static enum pawl_status slip(const struct maker *m, const struct tree *node)
{
	struct hole hole;
	char word[TREE_WORD_MAX + 1];

	if (node->kind != TREE_MAP || node->len != 1 || node->first->kind != TREE_SCALAR ||
	    node->first->text.len != 0 || !node->first->plain ||
	    !hole_find(m, node->first->key->text, &hole))
		return PAWL_OK;
	pawl__tree_word(node->first->key->text, word);
	return pawl__tree_refuse(m->err, node, 0, "write \"{%s}\" with quotes, or \"{int:%s}\"",
	                         word, word);
}

/* The depth is bounded by the tree's. */
/* NOLINTNEXTLINE(misc-no-recursion) */
static enum pawl_status json_value(struct maker *m, const struct tree *node)
{
	const bool map = node->kind == TREE_MAP;
	enum pawl_status st = slip(m, node);

	if (st != PAWL_OK)
		return st;
	if (node->kind == TREE_SCALAR) {
		m->node = node;
		return json_scalar(m);
	}
	pawl__buf_putc(&m->literal, map ? '{' : '[');
	tree_each(child, node)
	{
		if (child != node->first)
			pawl__buf_putc(&m->literal, ',');
		if (map)
			st = json_member(m, child);
		if (st == PAWL_OK)
			st = json_value(m, child);
		if (st != PAWL_OK)
			return st;
	}
	pawl__buf_putc(&m->literal, map ? '}' : ']');
	return PAWL_OK;
}

enum pawl_status pawl__template_json(struct names *names, const struct tree *node, uint32_t allowed,
                                     struct template *ret, struct pawl_error *err)
{
	struct maker *m = maker_new(names, node, allowed, err);
	enum pawl_status st;

	if (m == NULL)
		return nomem(err);
	m->use = USE_JSON;
	st = json_value(m, node);
	if (st == PAWL_OK)
		st = maker_end(m, ret);
	maker_free(m);
	return st;
}

enum pawl_status pawl__names_capture(struct names *names, const struct tree *node,
                                     enum name_owner owner, uint32_t *ret_index,
                                     struct pawl_error *err)
{
	const struct maker m = { .names = names };
	char word[TREE_WORD_MAX + 1];
	struct hole hole = { .kind = HOLE_NONE };

	if (!name_valid(node->text))
		return pawl__tree_refuse(err, node, 0,
		                         "must be a letter, then letters, digits, - and _");
	if (hole_find(&m, node->text, &hole)) {
		if (hole.kind != HOLE_CAPTURE)
			return pawl__tree_refuse(err, node, 0, "{%s} is taken",
			                         pawl__tree_word(node->text, word));
		if (names->captures[hole.index].owner != owner)
			return pawl__tree_refuse(err, node, 0,
			                         "{%s} is captured once for all in setup",
			                         pawl__tree_word(node->text, word));
		*ret_index = hole.index;
		return PAWL_OK;
	}
	if (names->captures_len == NAMES_MAX)
		return pawl__tree_refuse(err, node, 0, "more than %d names", NAMES_MAX);
	names->captures[names->captures_len].name = pawl__arena_str(names->arena, node->text);
	names->captures[names->captures_len].owner = owner;
	if (names->arena->failed)
		return nomem(err);
	*ret_index = names->captures_len++;
	return PAWL_OK;
}
