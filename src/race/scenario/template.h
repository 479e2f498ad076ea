/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/scenario/template - text with holes: "/v1/items/{round}-{client}".
 *
 *     {client}    who sends: 0 to clients - 1
 *     {round}     a number that no round had before, not even in another run: for names and keys
 *     {number}    the round's number, from 1
 *     {random}    a number of this request, from the seed: the same wherever the request uses it
 *     {NAME}      what a step captured under that name
 *     {env:NAME}  an environment variable; its value is a secret and never shown
 *     {int:NAME}  alone in a JSON value: the number itself, not a string with it
 *     {answer:/P} alone in the result of an operation: the value at P in the answer
 *     {{          a brace
 *
 * A brace before anything but a letter is a brace, so JSON can be written as it is. A value is
 * escaped for the place it goes to (path, JSON string) or, in a header, refused.
 *
 * Pure but for pawl__names_env, which reads the environment when a template is compiled.
 * Limits: NAMES_MAX captures, as many variables; NAME_MAX_LEN bytes of a name.
 */
#ifndef PAWL_RACE_SCENARIO_TEMPLATE_H
#define PAWL_RACE_SCENARIO_TEMPLATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/compiler.h"
#include "race/scenario/tree.h"

#define NAMES_MAX    64
#define NAME_MAX_LEN 64

/* Whose value a capture is. */
enum name_owner { OWNER_ROUND, OWNER_CLIENT };

struct names {
	struct arena *arena;
	uint32_t captures_len, env_len;
	struct capture_name {
		struct str name;
		enum name_owner owner;
	} captures[NAMES_MAX];
	struct env_name {
		struct str name, value;
	} env[NAMES_MAX];
};

enum template_use {
	USE_TEXT,   /* as it is */
	USE_HEADER, /* control bytes are refused */
	USE_PATH,   /* percent-encoded where needed */
	USE_JSON,   /* the inside of a JSON string */
	USE_QUERY,  /* SQL: only numbers and captured values without quotes or backslashes */
};

enum hole_kind {
	HOLE_NONE, /* literal text */
	HOLE_CLIENT,
	HOLE_ROUND,
	HOLE_NUMBER,
	HOLE_RANDOM,
	HOLE_CAPTURE,
	HOLE_ENV,
	HOLE_ANSWER,
};

/* Which holes may stand somewhere: bits of 1 << hole_kind; captures of OWNER_CLIENT only where
 * HOLE_CLIENT may. */
#define HOLES_ROUND                                                                                \
	(1U << HOLE_ROUND | 1U << HOLE_NUMBER | 1U << HOLE_RANDOM | 1U << HOLE_CAPTURE |           \
	 1U << HOLE_ENV)
#define HOLES_CLIENT (HOLES_ROUND | 1U << HOLE_CLIENT)
#define HOLES_RESULT (HOLES_CLIENT | 1U << HOLE_ANSWER)

struct hole {
	enum hole_kind kind;
	enum template_use use;
	bool bare;       /* a JSON value of its own: quotes, if needed, belong to the value */
	bool number;     /* {int:..} */
	uint32_t index;  /* of a capture or variable */
	struct str text; /* literal; of HOLE_ANSWER the pointer */
};

struct template
{
	struct hole *holes; /* in the arena */
	uint32_t len;
	uint32_t kinds; /* bits: which are in it */
};

/* Captured: its text, and whether it may stand in JSON without quotes. */
struct capture_value {
	struct str text; /* ptr NULL = nothing yet */
	bool bare;       /* a number, true, false or null */
};

/* What fills the holes. */
struct scope {
	const struct names *names;
	uint64_t round, number, random;
	uint32_t client;
	const struct capture_value *of_round;  /* NAMES_MAX of them, by the capture's index */
	const struct capture_value *of_client; /* the same; NULL = none */
	struct str answer;                     /* JSON document; empty = none */
};

/* Compile the scalar node. allowed: bits. PAWL_E_CONFIG with the place. */
PAWL_MUST_CHECK enum pawl_status pawl__template_parse(struct names *names, const struct tree *node,
                                                      enum template_use use, uint32_t allowed,
                                                      struct template *ret, struct pawl_error *err);

/* Compile any value as JSON text. */
PAWL_MUST_CHECK enum pawl_status pawl__template_json(struct names *names, const struct tree *node,
                                                     uint32_t allowed, struct template *ret,
                                                     struct pawl_error *err);

/* A name that a capture gives. Refuses the built-in ones and one of another owner. */
PAWL_MUST_CHECK enum pawl_status pawl__names_capture(struct names *names, const struct tree *node,
                                                     enum name_owner owner, uint32_t *ret_index,
                                                     struct pawl_error *err);

/* PAWL_E_NOT_FOUND: a value is not there (yet); PAWL_E_INVALID: one that may not stand there;
 * PAWL_E_TOO_LARGE: out is full. The text has names only, never values. */
PAWL_MUST_CHECK enum pawl_status pawl__template_expand(const struct template *t,
                                                       const struct scope *scope, struct buf *out,
                                                       struct pawl_error *err);

/* s as the inside of a JSON string; bytes that are not UTF-8 become U+FFFD. */
void pawl__json_escape(struct buf *out, struct str s);

/* Append s with every secret in it replaced by "{env:NAME}", also where it was JSON-escaped. */
void pawl__names_redact(const struct names *names, struct str s, struct buf *out);

#endif /* PAWL_RACE_SCENARIO_TEMPLATE_H */
