/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/scenario/tree - a YAML file as a tree in which every value knows its place, so that whatever
 * is wrong with it later can be shown as FILE:LINE:COLUMN.
 *
 * Strict: anchors, aliases, tags, a second document, a member that is there twice, a key that is no
 * plain text, and NUL bytes are refused. It decides nothing about what members mean.
 *
 * Threads: none of its own. Limits: TREE_FILE_MAX bytes, TREE_DEPTH_MAX levels, TREE_NODES_MAX
 * values, TREE_MEMBERS_MAX in one list or mapping. Errors: PAWL_E_CONFIG, "LINE:COLUMN: ...",
 * counted from 1; PAWL_E_NOMEM.
 */
#ifndef PAWL_RACE_SCENARIO_TREE_H
#define PAWL_RACE_SCENARIO_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/compiler.h"
#include "base/str.h"
#include "pawl/error.h"

#define TREE_FILE_MAX    ((size_t)256 << 10)
#define TREE_DEPTH_MAX   32
#define TREE_NODES_MAX   20000
#define TREE_MEMBERS_MAX 2000

enum tree_kind { TREE_SCALAR, TREE_LIST, TREE_MAP };

struct tree {
	enum tree_kind kind;
	bool plain;           /* a scalar without quotes */
	bool exact;           /* byte n of the text stands n columns behind its start */
	uint32_t line, col;   /* from 1; col is that of the text's first byte when exact */
	uint32_t len;         /* children */
	struct str text;      /* of a scalar; NUL behind it */
	struct tree *key;     /* in a mapping: the member's name, a scalar */
	struct tree *first;   /* child */
	struct tree *sibling; /* the next one */
};

/* *ret is in the arena. An empty file is an empty plain scalar. */
PAWL_MUST_CHECK enum pawl_status pawl__tree_parse(struct str yaml, struct arena *arena,
                                                  struct tree **ret, struct pawl_error *err);

/* The member of that name; NULL = none. map is a TREE_MAP. */
const struct tree *pawl__tree_member(const struct tree *map, struct str name);

/* NOLINTBEGIN(bugprone-macro-parentheses): a name cannot stand in parentheses */
#define tree_each(it, node)                                                                        \
	for (const struct tree *it = (node)->first; (it) != NULL; it = (it)->sibling)
/* NOLINTEND(bugprone-macro-parentheses) */

/* Sets err: "LINE:COLUMN: ...", at byte `at` of the node's text. Returns PAWL_E_CONFIG. What comes
 * of the file is cut and cleaned by pawl__tree_word first. */
PAWL_PRINTF(4, 5)
enum pawl_status pawl__tree_refuse(struct pawl_error *err, const struct tree *node, size_t at,
                                   const char *fmt, ...);

/* A word of the file as it may be shown: up to 40 visible ASCII bytes, others as '?'. */
#define TREE_WORD_MAX 40
const char *pawl__tree_word(struct str s, char ret[TREE_WORD_MAX + 1]);

#endif /* PAWL_RACE_SCENARIO_TREE_H */
