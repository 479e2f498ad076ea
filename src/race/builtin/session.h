/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/builtin/session - a connection to a store, and what a run has to know of the store itself.
 *
 *     store: sqlite, postgresql, redis, pawl over http, each a table of functions
 *
 * exec blocks until the answer or SESSION_TIMEOUT_US. What the store says is a reply, never an
 * error; a statement that timed out is lost, and so is the session.
 * For explorations a store may offer start and poll: a statement that waits for another session is
 * then seen to wait.
 *
 * Threads: a session has one user at a time. Texts of errors carry neither values nor the URL.
 */
#ifndef PAWL_RACE_BUILTIN_SESSION_H
#define PAWL_RACE_BUILTIN_SESSION_H

#include "base/compiler.h"
#include "pawl/error.h"
#include "race/builtin/machine.h"

#define SESSION_TIMEOUT_US INT64_C(30000000)
#define SESSION_URL_MAX    2048

struct session; /* each store has its own */

enum session_state { SESSION_ANSWERED, SESSION_WAITS };

struct store_ops {
	enum store_kind kind;
	const char *prefix; /* fills @ */
	PAWL_MUST_CHECK enum pawl_status (*open)(const char *url, struct session **ret,
	                                         struct pawl_error *err);
	void (*close)(struct session *s);
	/* pick: of HTTP; else NULL. */
	void (*exec)(struct session *s, struct str text, const char *pick, struct reply *ret);
	/* What of ours is there is removed; somebody else's is PAWL_E_CONFIG. Leaves the mark. */
	PAWL_MUST_CHECK enum pawl_status (*prepare)(struct session *s, struct pawl_error *err);
	/* All of ours goes, the mark last. */
	void (*clean)(struct session *s);
	/* "PostgreSQL 15.8" */
	void (*describe)(struct session *s, struct buf *out);
	/* How many more sessions it takes; UINT32_MAX: does not say. */
	uint32_t (*room)(struct session *s);

	/* Explorations; NULL: none. A session is made ready for them by explore. control is a
	 * session that takes no part. begun: the statement has been started before. */
	void (*explore)(struct session *s);
	enum session_state (*attempt)(struct session *s, struct session *control, struct str text,
	                              bool begun, struct reply *ret);
};

extern const struct store_ops pawl__store_sqlite, pawl__store_pg, pawl__store_redis,
	pawl__store_http;

/* PAWL_E_CONFIG: no such kind of URL. */
PAWL_MUST_CHECK enum pawl_status pawl__store_of(const char *url, const struct store_ops **ret,
                                                struct pawl_error *err);

static inline void reply_init(struct reply *r, enum reply_class class)
{
	r->class = class;
	r->rows = 0;
	r->status = 0;
	r->cells_len = 0;
	r->text[0] = '\0';
}

void pawl__reply_fail(struct reply *r, enum reply_class class, const char *text);

#endif /* PAWL_RACE_BUILTIN_SESSION_H */
