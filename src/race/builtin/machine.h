/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/builtin/machine - one client carrying out a program, without doing anything itself: it says
 * what it wants (a statement, a mutex, a pause), is told what came of it, and goes on.
 *
 *     RUNNING -> (undo, FINALLY) -> ENDED       RETRY: undo, FINALLY, pause, RUNNING from the start
 *
 * The driver decides how: at once and blocking in a race, or when the schedule says so.
 *
 * Invariants:
 *  (1) A transaction that is open when the program ends or starts again is undone first, and what
 *      was armed is run, before anything else; a crash does neither.
 *  (2) Steps that ask for nothing outside run at once, so between two wants of different machines
 *      only the driver chooses.
 *  (3) A program ends: after MACHINE_TRIES_MAX starts, or MACHINE_VICTIMS_MAX deadlocks, it gives
 *      up.
 *
 * Threads: one owner; `world` is shared by all machines of a race.
 */
#ifndef PAWL_RACE_BUILTIN_MACHINE_H
#define PAWL_RACE_BUILTIN_MACHINE_H

#include <stdatomic.h>

#include "base/buf.h"
#include "base/rng.h"
#include "base/str.h"
#include "race/builtin/builtin.h"
#include "race/builtin/step.h"

#define MACHINE_VICTIMS_MAX 50
#define MACHINE_TRIES_MAX   2000
#define MACHINE_AWAITS_MAX  20000
#define MACHINE_REGS        26
#define MACHINE_REG_MAX     ((size_t)64 << 10)  /* bytes of a register */
#define MACHINE_TEXT_MAX    ((size_t)256 << 10) /* bytes of a filled statement */
#define MACHINE_PROCESSES   2
#define REPLY_CELLS_MAX     16

enum reply_class {
	REPLY_OK,
	REPLY_TRANSIENT, /* serialization failure, busy: the whole may be tried again */
	REPLY_DEADLOCK,  /* the same, and it was a deadlock's victim */
	REPLY_LOCKED,    /* NOWAIT did not get its lock */
	REPLY_DUPLICATE, /* a constraint said no */
	REPLY_LOST,      /* no answer: whether it was done is not known */
	REPLY_ERROR,     /* anything else: the run is spoiled */
};

struct reply {
	enum reply_class class;
	int64_t rows;   /* returned, or changed */
	int64_t status; /* HTTP */
	size_t cells_len;
	struct str cells[REPLY_CELLS_MAX]; /* valid until the next statement of the session */
	char text[160];                    /* of an error; no values */
};

/* What all clients of a race share, besides the store. */
struct world {
	const char *prefix; /* fills @ */
	int64_t clients, size;
	int64_t programs;      /* of a round */
	int64_t done, gave_up; /* {D} {G}; set before the check */
	_Atomic int64_t acked;
	_Atomic int64_t cache[MACHINE_PROCESSES]; /* 0 = nothing */
};

enum machine_want {
	WANT_STATEMENT, /* text, over the side connection when side */
	WANT_LOCK,      /* the mutex of process `lock` */
	WANT_UNLOCK,
	WANT_PAUSE,
	WANT_END,
};

enum machine_end { END_DONE, END_REFUSED, END_GAVE_UP, END_CRASHED, END_UNKNOWN, END_ERROR };

struct want {
	enum machine_want what;
	struct str text; /* NUL-terminated */
	const char *pick;
	bool side;
	int lock;
	int64_t pause_us;
	bool backoff; /* the pause stands before another try */
};

enum machine_phase { PHASE_RUN, PHASE_UNDO, PHASE_FINALLY, PHASE_UNLOCK, PHASE_LEAVE, PHASE_END };

struct machine {
	const struct program *program;
	struct world *world;
	struct rng rng;
	int64_t think_us;
	struct buf regs[MACHINE_REGS];
	struct buf text;
	size_t at;      /* step */
	size_t finally; /* where the steps behind FINALLY begin; of END when there are none */
	enum machine_phase phase;
	bool again; /* what is left goes to another try */
	bool armed, locked;
	int lock;
	const char *undo; /* statement that undoes the open transaction; NULL = none is open */
	uint32_t tries;
	bool victim;      /* of a deadlock, in this try */
	uint32_t victims; /* tries that were */
	uint32_t awaits;  /* pauses of AWAIT */
	uint64_t retries, deadlocks, statements;
	enum machine_end end;
	struct builtin_count counts[BUILTIN_COUNTS_MAX];
	uint32_t counts_len;
	char trouble[160];
};

void pawl__machine_init(struct machine *m, struct world *world);
void pawl__machine_deinit(struct machine *m);

/* Who this client is, for one program. */
struct machine_start {
	const struct program *program;
	uint64_t seed;
	int64_t think_us;
	int64_t client, number, round;
};
void pawl__machine_start(struct machine *m, const struct machine_start *start);
/* Before start's program runs: a register is given a value. */
void pawl__machine_set(struct machine *m, char reg, int64_t v);

/* What it wants; the same until it is told what came of it. */
void pawl__machine_next(struct machine *m, struct want *ret);
/* A statement was answered. */
void pawl__machine_reply(struct machine *m, const struct reply *reply);
/* A lock was taken or given back, a pause is over. */
void pawl__machine_go(struct machine *m);

/* The text with its holes filled, in m->text; STR_NONE: over MACHINE_TEXT_MAX. */
struct str pawl__machine_fill(struct machine *m, const char *text, bool expression);

/* Sums and comparisons of integers; false: no such text. Pure. */
bool pawl__expr_sum(struct str text, int64_t *ret);
bool pawl__expr_holds(struct str text, bool *ret);

#endif /* PAWL_RACE_BUILTIN_MACHINE_H */
