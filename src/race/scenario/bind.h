/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/scenario/bind - a mapping of the file bound to a struct by a table of its members. Unknown
 * members are refused with a guess, missing ones named; a value of the wrong kind or outside its
 * bounds is refused where it stands.
 *
 * Members are taken in the order of the table, not of the file, so that what gives a name can stand
 * behind what uses it.
 *
 * Threads: none of its own. Errors: PAWL_E_CONFIG "LINE:COLUMN: ...", PAWL_E_NOMEM.
 */
#ifndef PAWL_RACE_SCENARIO_BIND_H
#define PAWL_RACE_SCENARIO_BIND_H

#include "race/scenario/scenario.h"

/* Where the parser is. */
struct parse {
	struct scenario *s;
	struct arena *arena;
	struct pawl_error *err;
	uint32_t allowed;      /* holes */
	enum name_owner owner; /* of what is captured */
	bool in_race;          /* a request of the race itself */
};

struct member;
typedef enum pawl_status take_fn(struct parse *p, const struct member *m, const struct tree *v,
                                 void *at);

struct member {
	const char *name;
	take_fn *take;
	size_t offset; /* of what it sets in the struct */
	int64_t min, max;
	const char *const *choices; /* up to a NULL */
	bool required;
};

/* A row: the name, who takes it, where it goes, and what else is said about it. */
#define MEMBER(name_, take_, offset_, ...)                                                         \
	{                                                                                          \
		.name = (name_), .take = (take_), .offset = (offset_), __VA_ARGS__                 \
	}

/* node must be a mapping. what: "a request", for the errors. */
PAWL_MUST_CHECK enum pawl_status pawl__bind(struct parse *p, const struct tree *node,
                                            const char *what, const struct member *members,
                                            size_t len, void *into);

/* "LINE:COLUMN: NAME must be ..."; v->key gives the name. */
PAWL_PRINTF(3, 4)
enum pawl_status pawl__bind_refuse(struct parse *p, const struct tree *v, const char *fmt, ...);

enum pawl_status pawl__bind_nomem(struct parse *p);

/* What a member can be; `at` points to the type that stands behind. */
take_fn pawl__take_text;     /* struct str: 1 to max bytes of visible text */
take_fn pawl__take_number;   /* int64_t */
take_fn pawl__take_count;    /* uint32_t */
take_fn pawl__take_duration; /* int64_t, us */
take_fn pawl__take_flag;     /* bool */
take_fn pawl__take_choice;   /* int: the place in choices */
take_fn pawl__take_template; /* struct template of USE_TEXT */
take_fn pawl__take_path;     /* struct template of USE_PATH: begins with '/' */
take_fn pawl__take_pointer;  /* struct str: a JSON pointer */
take_fn pawl__take_statuses; /* struct status_set: 201, [200, 2xx] */
take_fn pawl__take_counts;   /* struct status_set: {201: 1, 409: rest} */
take_fn pawl__take_ignored;  /* nothing: somebody else has taken it */

/* In parse_step.c. */
take_fn pawl__take_headers; /* struct headers_at */
take_fn pawl__take_steps;   /* struct steps */

struct headers_at {
	struct header at[SCENARIO_HEADERS_MAX];
	uint32_t len;
};

enum pawl_status pawl__step_parse(struct parse *p, const struct tree *node, struct step *ret);

/* In parse_expect.c: struct scenario's expects. */
take_fn pawl__take_expects;

/* A duration: a whole number with us, ms, s or m behind it. */
bool pawl__duration_parse(struct str s, int64_t *ret_us);

#endif /* PAWL_RACE_SCENARIO_BIND_H */
