/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/builtin/step - an incident as data: steps, the parts that a strategy is made of, and the
 * tables of incidents.
 *
 * A step is an operation and a text. Before use the text's holes are filled:
 *     {a}..{z}  a register of the client, set by ASK and CALC. Given from the start:
 *               c client, i number of this program from 1, k its pair (1, 1, 2, 2, ..),
 *               d 0 or 1 within the pair, r round, t a number no other program has,
 *               x < y two of 1..8 and m an amount from x to y (or back, when negative), by the
 *               seed, the same as f, g and q > 0: q from f to g; p process (0 or 1); z i modulo 3.
 *               After a statement n is the number of its rows, s its HTTP status.
 *               Of a check, i is the number of programs there were
 *     {-a}      the same without its first byte
 *     {N} {S}   clients; the size of the thing raced for (Incident.size)
 *     {D} {G}   in a check: programs that were told "done"; that gave up
 *     {T}       the client's clock, ms
 *     {L}       the lock clause that the strategy puts behind a SELECT
 *     @         prefix of the scratch names in this store
 * Expressions (of conditions, CALC and COUNT) are sums of integers: "{a} - 1"; an empty register
 * counts as 0. Conditions compare two of them with < <= > >= = or !=.
 *
 * Every register holds what the store gave or the driver counted, never text from outside, so
 * nothing in a statement needs quoting.
 */
#ifndef PAWL_RACE_BUILTIN_STEP_H
#define PAWL_RACE_BUILTIN_STEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum step_op {
	STEP_END,
	STEP_ASK,     /* statement; its cells, row by row, into the registers of `into` */
	STEP_REFUSE,  /* on the condition: the client is told no */
	STEP_RETRY,   /* on the condition: undo, wait a little, start again */
	STEP_DONE,    /* on the condition: the client has what it wants */
	STEP_CRASH,   /* on the condition: the client's process dies here */
	STEP_CALC,    /* into = expression */
	STEP_COUNT,   /* into names a damage: add the expression, when positive */
	STEP_TALLY,   /* into names a damage: add one, on the condition */
	STEP_THINK,   /* what an application does between its read and its write */
	STEP_PAUSE,   /* on the condition: stop for PAUSE_US, as a long garbage collection does */
	STEP_LOCK,    /* the mutex in the process that text's expression gives */
	STEP_ARM,     /* from here on the steps behind FINALLY run, whatever happens */
	STEP_FINALLY, /* end of the program proper */
	STEP_CACHED,  /* into = what this process has cached; empty: nothing */
	STEP_CACHE,   /* this process caches the expression */
	STEP_AWAIT,   /* until a value of at least the expression was acknowledged to somebody */
	STEP_NOTE,    /* into = the newest value that was acknowledged to anybody */
	STEP_ACK,     /* the expression was acknowledged: NOTE sees it from now on */
};

#define STEP_SIDE   1U /* over the second connection: the lock server, or the broker */
#define STEP_IGNORE 2U /* an error is passed over, as careless code does */
#define PAUSE_US    60000
#define LEASE_MS    "30"

struct step {
	enum step_op op;
	const char *text;
	const char *into; /* letters; of HTTP each has its JSON pointer in pick */
	unsigned flags;
	const char *pick; /* HTTP: JSON pointers, space between; "ETag" = that field's number */
	const char *when; /* of ASK: only on the condition; NULL = always */
};

#define ASK(into_, text_)                                                                          \
	{                                                                                          \
		.op = STEP_ASK, .text = (text_), .into = (into_)                                   \
	}
#define RUN(text_)                                                                                 \
	{                                                                                          \
		.op = STEP_ASK, .text = (text_)                                                    \
	}
#define CARELESS(text_)                                                                            \
	{                                                                                          \
		.op = STEP_ASK, .text = (text_), .flags = STEP_IGNORE                              \
	}
#define SIDE(text_)                                                                                \
	{                                                                                          \
		.op = STEP_ASK, .text = (text_), .flags = STEP_SIDE                                \
	}
#define SIDE_ASK(into_, text_)                                                                     \
	{                                                                                          \
		.op = STEP_ASK, .text = (text_), .into = (into_), .flags = STEP_SIDE               \
	}
#define FETCH(into_, pick_, text_)                                                                 \
	{                                                                                          \
		.op = STEP_ASK, .text = (text_), .into = (into_), .pick = (pick_)                  \
	}
#define CARELESS_WHEN(cond, text_)                                                                 \
	{                                                                                          \
		.op = STEP_ASK, .text = (text_), .flags = STEP_IGNORE, .when = (cond)              \
	}
#define RUN_WHEN(cond, text_)                                                                      \
	{                                                                                          \
		.op = STEP_ASK, .text = (text_), .when = (cond)                                    \
	}
#define ASK_WHEN(cond, into_, text_)                                                               \
	{                                                                                          \
		.op = STEP_ASK, .text = (text_), .into = (into_), .when = (cond)                   \
	}
#define FETCH_WHEN(cond, into_, pick_, text_)                                                      \
	{                                                                                          \
		.op = STEP_ASK, .text = (text_), .into = (into_), .pick = (pick_), .when = (cond)  \
	}
#define REFUSE_IF(cond)                                                                            \
	{                                                                                          \
		.op = STEP_REFUSE, .text = (cond)                                                  \
	}
#define RETRY_IF(cond)                                                                             \
	{                                                                                          \
		.op = STEP_RETRY, .text = (cond)                                                   \
	}
#define DONE_IF(cond)                                                                              \
	{                                                                                          \
		.op = STEP_DONE, .text = (cond)                                                    \
	}
#define CRASH_IF(cond)                                                                             \
	{                                                                                          \
		.op = STEP_CRASH, .text = (cond)                                                   \
	}
#define PAUSE_IF(cond)                                                                             \
	{                                                                                          \
		.op = STEP_PAUSE, .text = (cond)                                                   \
	}
#define CALC(into_, expr)                                                                          \
	{                                                                                          \
		.op = STEP_CALC, .text = (expr), .into = (into_)                                   \
	}
#define COUNT(name_, expr)                                                                         \
	{                                                                                          \
		.op = STEP_COUNT, .text = (expr), .into = (name_)                                  \
	}
#define TALLY(name_, cond)                                                                         \
	{                                                                                          \
		.op = STEP_TALLY, .text = (cond), .into = (name_)                                  \
	}
#define THINK                                                                                      \
	{                                                                                          \
		.op = STEP_THINK                                                                   \
	}
#define LOCK(expr)                                                                                 \
	{                                                                                          \
		.op = STEP_LOCK, .text = (expr)                                                    \
	}
#define ARM                                                                                        \
	{                                                                                          \
		.op = STEP_ARM                                                                     \
	}
#define FINALLY                                                                                    \
	{                                                                                          \
		.op = STEP_FINALLY                                                                 \
	}
#define CACHED(into_)                                                                              \
	{                                                                                          \
		.op = STEP_CACHED, .into = (into_)                                                 \
	}
#define CACHE(expr)                                                                                \
	{                                                                                          \
		.op = STEP_CACHE, .text = (expr)                                                   \
	}
#define AWAIT(expr)                                                                                \
	{                                                                                          \
		.op = STEP_AWAIT, .text = (expr)                                                   \
	}
#define NOTE(into_)                                                                                \
	{                                                                                          \
		.op = STEP_NOTE, .into = (into_)                                                   \
	}
#define ACK(expr)                                                                                  \
	{                                                                                          \
		.op = STEP_ACK, .text = (expr)                                                     \
	}
#define END                                                                                        \
	{                                                                                          \
		.op = STEP_END                                                                     \
	}

#define STEPS(...) ((const struct step[]){ __VA_ARGS__, END })

enum store_kind { STORE_SQLITE, STORE_PG, STORE_REDIS, STORE_HTTP };
#define STORES 4

enum strategy {
	STRATEGY_NAIVE,
	STRATEGY_TRANSACTION,
	STRATEGY_MUTEX,
	STRATEGY_MUTEX_2,
	STRATEGY_ROW_LOCK,
	STRATEGY_PARENT_LOCK,
	STRATEGY_NOWAIT,
	STRATEGY_SKIP_LOCKED,
	STRATEGY_OPTIMISTIC,
	STRATEGY_ATOMIC,
	STRATEGY_CONSTRAINT,
	STRATEGY_REPEATABLE_READ,
	STRATEGY_SERIALIZABLE,
	STRATEGY_REDIS_LOCK,
	STRATEGY_REDIS_LUA,
	STRATEGY_SESSION,
	STRATEGY_RETRY,
	STRATEGY_ORDERED,
	STRATEGY_INVALIDATE,
	STRATEGY_NO_CACHE,
	STRATEGY_PUBLISH_FIRST,
	STRATEGY_OUTBOX,
	STRATEGY_FENCED,
	STRATEGY_PAWL,
	STRATEGIES,
};
#define BIT(s) (1U << (unsigned)(s))

/* A strategy that an incident spells out, in place of the one made from parts. */
struct special {
	enum strategy strategy; /* STRATEGY_NAIVE with steps NULL ends the list */
	const struct step *steps;
	const char *why;          /* NULL = the strategy's own */
	unsigned stores;          /* BIT(store)s it is for; 0 = all of the parts */
	bool once;                /* a transient error is the client's to see: no retry */
	bool shared;              /* all clients over one session */
	bool wrong;               /* breaks, although the strategy usually does not */
	const struct step *other; /* in place of the parts' */
};

/* What a strategy is made of, on stores that speak alike. */
struct parts {
	unsigned stores;              /* BIT(store)s */
	const struct step *schema;    /* once */
	const struct step *reset;     /* before each round */
	const struct step *read;      /* looks and decides; {L} where rows can be locked */
	const struct step *write;     /* writes what was read, changed */
	const struct step *versioned; /* writes only over the version that was read, else RETRY */
	const struct step *atomic;    /* looks and writes in one statement */
	const char *watch;            /* Redis: the keys that its WATCH names */
	const struct step *lua;
	const struct special *specials;
	const struct step *other; /* what every fourth client does instead; NULL = none */
	const struct step *after; /* before the check */
	const struct step *check;
	unsigned without; /* BIT(strategy)s that make no sense here */
	unsigned wrong;   /* BIT(strategy)s that break, although they usually do not */
};

struct incident {
	const char *name;
	const char *summary;
	const char *promise;
	const char *unit;
	const char *missing; /* what of pawl it would need and is not there yet; NULL = nothing */
	int64_t size_share;  /* {S} = clients * share / 100, at least 1; 0 = 1 */
	uint32_t repeat;     /* programs of a client in a round */
	bool other_races;    /* explorations: the last session is one of the others */
	const char *timed;   /* why no exploration shows anything; NULL = it does */
	const char *model;   /* of its history; NULL = none */
	/* The members f and value of the history's lines, before and after; of `other` likewise. */
	const char *invoke, *ok, *other_invoke, *other_ok;
	const char *blind;         /* ok of a strategy that does not read first; NULL = the same */
	const char *first;         /* a first operation, told before the race: "f" and "value" */
	const char *last;          /* a last one, with the registers of the check */
	const struct parts *parts; /* stores 0 ends */
};

/* NULL ends. */
extern const struct incident *const pawl__incidents[];

const struct incident *pawl__incident_find(const char *name);
/* NULL: the incident does not run there. */
const struct parts *pawl__incident_parts(const struct incident *incident, enum store_kind store);

struct strategy_info {
	const char *name;
	const char *why;
	bool wrong;
};
extern const struct strategy_info pawl__strategies[STRATEGIES];
/* STRATEGIES: there is none of that name. */
enum strategy pawl__strategy_find(const char *name);
extern const char *const pawl__store_names[STORES];

#define PROGRAM_STEPS_MAX 40

struct program {
	enum strategy strategy;
	const char *why;
	const char *lock; /* fills {L} */
	bool wrong, once, shared, side;
	struct step steps[PROGRAM_STEPS_MAX]; /* ended by STEP_END */
	const struct step *other;             /* of every fourth client; NULL = none */
};

/* The program of a client under the strategy; false: it does not fit that store. */
bool pawl__program_make(const struct parts *parts, enum store_kind store, enum strategy strategy,
                        struct program *ret);

#endif /* PAWL_RACE_BUILTIN_STEP_H */
