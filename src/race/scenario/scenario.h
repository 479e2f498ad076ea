/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/scenario/scenario - what a scenario file says, checked and compiled. docs/race.md is its
 * manual; the tables in parse*.c are its grammar.
 *
 *     setup -> before (each client) -> RACE -> after (each client) -> expect -> teardown
 *     '------------------------------ one round -------------------------------'
 *
 * Everything that a file can be wrong about is found here, before anything is sent: unknown and
 * repeated members, wrong types, limits, names that nothing gives, variables that are not set.
 *
 * Invariants:
 *  (1) race.requests_len >= 1, and at least one of them has a weight or a count that is not 0.
 *  (2) Every template's holes are allowed where it stands.
 *  (3) At most one status of an expectation is `rest`.
 *
 * Threads: none of its own; plain data once it is read. Limits below. Errors: PAWL_E_CONFIG with
 * "LINE:COLUMN: ...".
 */
#ifndef PAWL_RACE_SCENARIO_SCENARIO_H
#define PAWL_RACE_SCENARIO_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/compiler.h"
#include "base/str.h"
#include "pawl/error.h"
#include "race/scenario/template.h"

#define SCENARIO_CLIENTS_MAX  10000
#define SCENARIO_ROUNDS_MAX   1000000
#define SCENARIO_STEPS_MAX    64 /* of setup, before, after and teardown each */
#define SCENARIO_REQUESTS_MAX 32 /* kinds of request in one race */
#define SCENARIO_EXPECT_MAX   64
#define SCENARIO_HEADERS_MAX  32
#define SCENARIO_CAPTURES_MAX 16  /* of one request */
#define SCENARIO_VALUES_MAX   64  /* statuses or JSON values of one expectation */
#define SCENARIO_PATHS_MAX    256 /* that one sum goes over */
#define SCENARIO_ARGS_MAX     64  /* of one Redis command */
#define SCENARIO_WEIGHT_MAX   1000
#define SCENARIO_TIMEOUT_MAX  INT64_C(600000000) /* us: ten minutes */
#define SCENARIO_SPREAD_MAX   INT64_C(60000000)  /* us */
#define SCENARIO_RATE_MAX     1000000            /* requests a second */
#define SCENARIO_HEAD_MAX     INT64_C(10000000)  /* us, of a head start */
#define OVERLAP_DEFAULT       (-1)
#define SCENARIO_REQUEST_MAX  ((size_t)1 << 20) /* bytes of one request, expanded */

/* What a request was answered with: a status, or why there is none. */
enum answer_class {
	ANSWER_STATUS,
	ANSWER_TIMEOUT,
	ANSWER_RESET,
	ANSWER_MALFORMED,
	ANSWER_UNSENT, /* the connection could not be made, or went before the gate */
};

struct count_range {
	int64_t min, max; /* max: INT64_MAX = no bound */
};

/* "201", "2xx", "timeout"; how many there may be. */
struct status_rule {
	enum answer_class answer;
	int low, high; /* ANSWER_STATUS: both included */
	bool rest;     /* any number: everything that no other rule is about */
	struct count_range count;
	struct str text; /* of its key */
};

struct status_set {
	uint32_t len;
	struct status_rule at[SCENARIO_VALUES_MAX];
};

struct header {
	struct str name;
	struct template value;
};

struct capture {
	struct str pointer; /* into the answer's JSON; "" with header set */
	struct str header;  /* or the value of this header; empty = none */
	uint32_t index;     /* of the name */
};

enum key_policy {
	KEY_NONE,
	KEY_OWN,      /* each client its own */
	KEY_SHARED,   /* one for all, the same request */
	KEY_REPEATED, /* two clients send the same request with the same key */
	KEY_REUSED,   /* one for all, but each client has its own body */
};

/* How a request is written down in a history. */
struct operation {
	bool given;
	struct str f;
	struct template key, value, result; /* JSON; len 0 = not given */
	bool has_key, has_value, has_result;
};

enum step_kind { STEP_HTTP, STEP_SQL, STEP_REDIS };

struct step {
	enum step_kind kind;
	struct str name; /* given, or "PUT /v1/items/{round}" as written */
	/* STEP_HTTP */
	struct str method;
	struct template path, body;
	struct header *headers; /* the scenario's, too */
	uint32_t headers_len;
	bool has_body, json_body;
	struct status_set accepted; /* len 0: 200 to 299 */
	struct capture captures[SCENARIO_CAPTURES_MAX];
	uint32_t captures_len;
	/* of a race's request */
	int64_t weight, count; /* count > 0: exactly so many clients; else by weight */
	enum key_policy key;
	struct operation op;
	/* STEP_SQL and STEP_REDIS */
	struct template on, query;
	struct template *args;
	uint32_t args_len;
};

struct steps {
	struct step *at;
	uint32_t len;
};

enum sync_kind { SYNC_LAST_BYTE, SYNC_SINGLE_PACKET, SYNC_NONE, SYNC_SPREAD, SYNC_RATE };

enum match_kind { MATCH_EQ, MATCH_NE, MATCH_MIN, MATCH_MAX, MATCH_RANGE, MATCH_EXISTS, MATCH_LEN };

/* What a JSON value, a column or a sum must be. */
struct match {
	enum match_kind kind;
	struct str pointer;
	struct template value, high; /* JSON; high: of MATCH_RANGE */
	bool exists;                 /* MATCH_EXISTS */
	bool lenient;                /* "5" is 5, as databases have it */
};

struct matches {
	struct match *at;
	uint32_t len;
};

enum expect_kind {
	EXPECT_STATUS,
	EXPECT_GET,
	EXPECT_SQL,
	EXPECT_REDIS,
	EXPECT_SUM,      /* over GETs of paths */
	EXPECT_ANSWERS,  /* a sum over the answers of the race */
	EXPECT_DISTINCT, /* no two answers have the same value */
	EXPECT_MONOTONE, /* no answer is behind one that was there before it was asked for */
	EXPECT_REPLAYS,  /* the same key, the same answer */
};

struct expect {
	enum expect_kind kind;
	struct str label;
	uint32_t line;
	struct str of;              /* only requests of this name; empty = all */
	struct status_set statuses; /* EXPECT_STATUS: the rules; else: which answers count */
	struct str pointer;         /* sum, distinct, monotone */
	struct template *paths;     /* GET and sum */
	uint32_t paths_len;
	struct matches values;
	struct step store; /* SQL and Redis: what to ask */
};

struct scenario {
	struct arena *arena;
	struct names names;
	struct str name, description;
	struct template target;
	bool verify_tls;
	struct header headers[SCENARIO_HEADERS_MAX];
	uint32_t headers_len;
	int64_t timeout_us;
	uint64_t seed; /* 0 = none given */
	struct steps setup, before, after, teardown;
	struct steps warm_up; /* at most one request, once on each new connection */
	uint32_t clients, rounds;
	bool until_failure;
	enum sync_kind sync;
	int64_t spread_us, rate;
	int64_t head_start_us; /* < 0: the load generator's own */
	int64_t overlap; /* this many requests at one time at least; OVERLAP_DEFAULT: one less pairs
	                  * than requests; 0: not asked for */
	bool http2;
	struct step *requests;
	uint32_t requests_len;
	struct expect *expects;
	uint32_t expects_len;
};

/* yaml is read into s, which lives in the arena with all its parts. */
PAWL_MUST_CHECK enum pawl_status pawl__scenario_parse(struct str yaml, struct arena *arena,
                                                      struct scenario **ret,
                                                      struct pawl_error *err);

/* The same from a file; the text of an error begins with "PATH:" or "PATH: ". */
PAWL_MUST_CHECK enum pawl_status pawl__scenario_read(const char *path, struct arena *arena,
                                                     struct scenario **ret, struct pawl_error *err);

/* Whether an answer is what the rule is about. */
bool pawl__status_in(const struct status_rule *rule, enum answer_class answer, int status);
/* Whether any rule is; an empty set takes 200 to 299. */
bool pawl__status_accepted(const struct status_set *set, enum answer_class answer, int status);

#endif /* PAWL_RACE_SCENARIO_SCENARIO_H */
