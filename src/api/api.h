/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/api - what the files of libpawl share: the structs behind the public names, argument checks,
 * and the gate that lets pawl_close wait for those who are inside.
 *
 * The public headers are the manual; nothing here decides anything about rows.
 */
#ifndef PAWL_API_API_H
#define PAWL_API_API_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/compiler.h"
#include "core/tx.h"
#include "engine/engine.h"
#include "pawl/pawl.h"

/* The gate's word: twice the number of threads inside, plus GATE_CLOSING. */
#define GATE_CLOSING 1U
#define GATE_ONE     2U

/*
 * Invariants:
 *  (1) engine is used only between pawl__gate_enter and pawl__gate_leave. An engine answers a
 *      request perhaps before the call that submitted it has returned, so being answered does not
 *      mean that nobody is inside.
 */
struct pawl {
	struct engine *engine;
	int64_t deadline_ms; /* 0 = the engine's default */
	char caller[PAWL_CALLER_MAX + 1];
	size_t caller_len;
	atomic_uint gate;
	pthread_mutex_t lock; /* guards `left` */
	pthread_cond_t cond;
	bool left; /* the last one inside has seen GATE_CLOSING and gone */
};

/* false: closing; do not leave. */
PAWL_MUST_CHECK bool pawl__gate_enter(struct pawl *p, struct pawl_error *err);
void pawl__gate_leave(struct pawl *p);

/*
 * An answer. One that was returned is on the heap and owns its body; the one that a callback sees
 * lies on the lane's stack and borrows the body from the transaction's buffer.
 */
struct pawl_answer {
	enum pawl_status code;
	int http;
	int32_t op;
	bool replayed;
	int64_t revision;
	int64_t etag;
	char *body; /* NUL-terminated; NULL = no memory for it */
	size_t body_len;
};

/* Give an answer on the heap its own copy of body. */
void pawl__answer_body(struct pawl_answer *a, struct str body);

/* An answer on the heap like a, with this body. PAWL_E_NOMEM. */
enum pawl_status pawl__answer_copy(const struct pawl_answer *a, struct str body,
                                   struct pawl_answer **ret, struct pawl_error *err);

/* A verdict belongs in an answer; everything else is a fault of the call. */
static inline bool status_is_verdict(enum pawl_status st)
{
	return st <= PAWL_OK && st > PAWL_E_OVERLOADED;
}

#define TX_OPS_FIRST 4u

/*
 * Invariants:
 *  (1) in_flight from before pawl__lane_submit until the answer has been copied out; in between
 *      only the lane's thread touches the object.
 *  (2) ops[0..tx.ops_len) have passed every check that needs no rows; err.status says whether all
 *      that was added did.
 */
struct pawl_tx {
	struct lane_request rq;
	struct tx tx;
	struct pawl *p;
	struct op *ops; /* owned */
	uint32_t ops_cap;
	bool alone;            /* the one operation takes no other beside it */
	struct arena arena;    /* what the operations borrow */
	struct buf text;       /* canonical form while submitting, body of the answer afterwards */
	struct pawl_error err; /* of the first wrong argument; PAWL_OK = none */
	int64_t deadline_ms;   /* 0 = of the handle */
	atomic_bool in_flight;
	pawl_tx_fn fn; /* NULL: pawl_tx_commit waits */
	void *arg;
	/* of pawl_tx_commit */
	pthread_mutex_t lock; /* guards `answered` and what it announces */
	pthread_cond_t cond;
	bool answered;
	enum pawl_status status;
	struct pawl_answer *answer; /* made before the submit, so that a commit can't lack it */
};

/* An operation that is being added. It counts only when every argument has passed. */
struct adding {
	struct pawl_tx *tx;
	struct op op;
	enum pawl_status st; /* the first refusal */
};

/* Start an operation. alone: see struct pawl_tx. */
struct adding pawl__adding(struct pawl_tx *tx, enum op_kind kind, bool alone);

/* All arguments were given: returns PAWL_OK and counts it, or the first refusal. */
enum pawl_status pawl__added(struct adding *add);

/* Remember that argument `what` is wrong, and why; the first one stays. */
void pawl__adding_refuse(struct adding *add, enum pawl_status st, const char *what,
                         const char *why);

/* Arguments, checked and copied. After a refusal they return something harmless. */
struct str pawl__arg_id(struct adding *add, const char *what, const char *id);
struct str pawl__arg_unit(struct adding *add, const char *what, const char *unit);
struct str pawl__arg_json(struct adding *add, const char *what, const char *json, size_t max);
int64_t pawl__arg_between(struct adding *add, const char *what, int64_t v, int64_t min,
                          int64_t max);
int64_t pawl__arg_number(struct adding *add, const char *what, const char *id);

/* s, read up to max + 1 bytes: enough to see that it is too long. NULL is empty. */
struct str pawl__text(const char *s, size_t max);

/* Commit and free. What was wrong while it was built comes out of the commit. */
enum pawl_status pawl__tx_once(struct pawl_tx *take_tx, struct pawl_answer **ret,
                               struct pawl_error *err);

#endif /* PAWL_API_API_H */
