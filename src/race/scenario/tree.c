/* SPDX-License-Identifier: Apache-2.0 */
#include "race/scenario/tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "base/assert.h"
#include "base/error.h"

/* A list or mapping that is open. */
struct level {
	struct tree *node;
	struct tree *last; /* child so far */
	struct tree *key;  /* of a mapping: read, its value comes */
};

struct reader {
	struct arena *arena;
	struct tree *root;
	struct level levels[TREE_DEPTH_MAX];
	size_t depth;
	size_t nodes;
	bool over; /* the document has ended */
};

const char *pawl__tree_word(struct str s, char ret[TREE_WORD_MAX + 1])
{
	const size_t n = s.len < TREE_WORD_MAX ? s.len : TREE_WORD_MAX;

	for (size_t i = 0; i < n; i++)
		ret[i] = (char)(s.ptr[i] < 0x20 || s.ptr[i] > 0x7e ? '?' : s.ptr[i]);
	ret[n] = '\0';
	return ret;
}

enum pawl_status pawl__tree_refuse(struct pawl_error *err, const struct tree *node, size_t at,
                                   const char *fmt, ...)
{
	char text[PAWL_ERROR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	return pawl__error_set(err, PAWL_E_CONFIG, "%u:%zu: %s", node->line,
	                       node->col + (node->exact ? at : 0), text);
}

const struct tree *pawl__tree_member(const struct tree *map, struct str name)
{
	PRE(map->kind == TREE_MAP);
	tree_each(m, map)
	{
		if (str_eq(m->key->text, name))
			return m;
	}
	return NULL;
}

static struct tree at_mark(yaml_mark_t mark)
{
	return (struct tree){ .line = (uint32_t)mark.line + 1, .col = (uint32_t)mark.column + 1 };
}

static enum pawl_status refuse_mark(struct pawl_error *err, yaml_mark_t mark, const char *why)
{
	const struct tree place = at_mark(mark);

	return pawl__tree_refuse(err, &place, 0, "%s", why);
}

static enum pawl_status node_new(struct reader *r, const yaml_event_t *ev, struct tree **ret,
                                 struct pawl_error *err)
{
	struct tree *node;

	if (r->over)
		return refuse_mark(err, ev->start_mark, "a second document is not allowed");
	if (r->nodes++ == TREE_NODES_MAX)
		return refuse_mark(err, ev->start_mark, "more values than a scenario may have");
	node = arena_new(r->arena, struct tree);
	if (node == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
	*node = at_mark(ev->start_mark);
	*ret = node;
	return PAWL_OK;
}

static enum pawl_status key_take(struct level *level, struct tree *node, struct pawl_error *err)
{
	char word[TREE_WORD_MAX + 1];

	if (node->kind != TREE_SCALAR)
		return pawl__tree_refuse(err, node, 0, "a member's name must be plain text");
	if (pawl__tree_member(level->node, node->text) != NULL)
		return pawl__tree_refuse(err, node, 0, "\"%s\" is there twice",
		                         pawl__tree_word(node->text, word));
	level->key = node;
	return PAWL_OK;
}

/* Put a node where the reader stands. */
static enum pawl_status node_place(struct reader *r, struct tree *node, struct pawl_error *err)
{
	struct level *level = r->depth == 0 ? NULL : &r->levels[r->depth - 1];

	if (level == NULL) {
		r->root = node;
		return PAWL_OK;
	}
	if (level->node->kind == TREE_MAP && level->key == NULL)
		return key_take(level, node, err);
	if (level->node->len == TREE_MEMBERS_MAX)
		return pawl__tree_refuse(err, node, 0, "more than %d entries", TREE_MEMBERS_MAX);
	node->key = TAKE_PTR(level->key);
	if (level->last == NULL)
		level->node->first = node;
	else
		level->last->sibling = node;
	level->last = node;
	level->node->len++;
	return PAWL_OK;
}

/* Whether the text stands in the file byte for byte: one line, no escapes, ASCII. */
static void scalar_exact(struct tree *node, const yaml_event_t *ev)
{
	const size_t quotes = node->plain ? 0 : 2;
	const size_t columns = ev->end_mark.column - ev->start_mark.column;

	node->exact =
		ev->start_mark.line == ev->end_mark.line && columns == node->text.len + quotes;
	if (node->exact && !node->plain)
		node->col++;
}

static enum pawl_status scalar_take(struct reader *r, const yaml_event_t *ev,
                                    struct pawl_error *err)
{
	const struct str text = { (const char *)ev->data.scalar.value, ev->data.scalar.length };
	struct tree *node = NULL;
	enum pawl_status st;

	if (ev->data.scalar.anchor != NULL || ev->data.scalar.tag != NULL)
		return refuse_mark(err, ev->start_mark, "anchors and tags are not allowed");
	if (memchr(text.ptr, '\0', text.len) != NULL)
		return refuse_mark(err, ev->start_mark, "a NUL is not allowed");
	st = node_new(r, ev, &node, err);
	if (st != PAWL_OK)
		return st;
	INVARIANT(node != NULL);
	node->kind = TREE_SCALAR;
	node->plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	node->text = pawl__arena_str(r->arena, text);
	if (r->arena->failed)
		return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
	scalar_exact(node, ev);
	return node_place(r, node, err);
}

static enum pawl_status open_take(struct reader *r, const yaml_event_t *ev, enum tree_kind kind,
                                  struct pawl_error *err)
{
	struct tree *node = NULL;
	enum pawl_status st;

	if (kind == TREE_MAP
	            ? ev->data.mapping_start.anchor != NULL || ev->data.mapping_start.tag != NULL
	            : ev->data.sequence_start.anchor != NULL || ev->data.sequence_start.tag != NULL)
		return refuse_mark(err, ev->start_mark, "anchors and tags are not allowed");
	if (r->depth == TREE_DEPTH_MAX)
		return refuse_mark(err, ev->start_mark, "nested too deep");
	st = node_new(r, ev, &node, err);
	if (st != PAWL_OK)
		return st;
	INVARIANT(node != NULL);
	node->kind = kind;
	st = node_place(r, node, err);
	if (st == PAWL_OK)
		r->levels[r->depth++] = (struct level){ .node = node };
	return st;
}

static enum pawl_status event_take(struct reader *r, const yaml_event_t *ev, struct pawl_error *err)
{
	switch (ev->type) {
	case YAML_SCALAR_EVENT:
		return scalar_take(r, ev, err);
	case YAML_SEQUENCE_START_EVENT:
		return open_take(r, ev, TREE_LIST, err);
	case YAML_MAPPING_START_EVENT:
		return open_take(r, ev, TREE_MAP, err);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		INVARIANT(r->depth > 0);
		r->depth--;
		return PAWL_OK;
	case YAML_ALIAS_EVENT:
		return refuse_mark(err, ev->start_mark, "aliases are not allowed");
	case YAML_DOCUMENT_END_EVENT:
		r->over = true;
		return PAWL_OK;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_START_EVENT:
		return PAWL_OK;
	}
	return PAWL_OK;
}

enum pawl_status pawl__tree_parse(struct str yaml, struct arena *arena, struct tree **ret,
                                  struct pawl_error *err)
{
	struct reader r = { .arena = arena };
	enum pawl_status st = PAWL_OK;
	yaml_parser_t parser;
	bool over = false;

	if (yaml.len > TREE_FILE_MAX)
		return pawl__error_set(err, PAWL_E_CONFIG, "is over %zu bytes", TREE_FILE_MAX);
	if (yaml_parser_initialize(&parser) != 1)
		return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
	yaml_parser_set_input_string(
		&parser, (const unsigned char *)(yaml.ptr == NULL ? "" : yaml.ptr), yaml.len);
	while (st == PAWL_OK && !over) {
		yaml_event_t ev;

		if (yaml_parser_parse(&parser, &ev) != 1) {
			const char *problem =
				parser.problem == NULL ? "unreadable" : parser.problem;
			char why[PAWL_ERROR_TEXT_MAX / 2];

			/* The commonest cause: {round} in a mapping on one line. */
			(void)snprintf(
				why, sizeof(why), "not YAML: %s%s", problem,
				strstr(problem, "'}'") == NULL
					? ""
					: " (between braces, text with braces needs quotes)");
			st = refuse_mark(err, parser.problem_mark, why);
			break;
		}
		st = event_take(&r, &ev, err);
		over = ev.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&ev);
	}
	yaml_parser_delete(&parser);
	if (st == PAWL_OK && r.root == NULL) {
		r.root = arena_new(arena, struct tree);
		if (r.root == NULL)
			return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
		*r.root = (struct tree){ .plain = true, .line = 1, .col = 1, .text = STR("") };
	}
	if (st == PAWL_OK)
		*ret = r.root;
	return st;
}
