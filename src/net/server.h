/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net/server - the HTTP/1.1 front: connections in, whole requests to the application, answers out
 * in the order of the requests.
 *
 *     accept -> IDLE -> reading a head -> reading a body -> request() -> answered -> IDLE
 *                 |          | 408             | 408          | deferred     |
 *                 v          v                 v              v              v
 *               closed <- LINGER (the answer was sent, what still comes is read and dropped)
 *
 * The application gets one call per complete request and either answers in it
 * (pawl__http_answer) or keeps a token (pawl__http_defer) and answers later on the same thread.
 * All answers of a connection that become ready in one turn leave in one write.
 *
 * Requests that the application says may overlap are handed over while earlier ones of the same
 * connection are unanswered, up to PAWL_PIPELINE_MAX. Every other request runs alone: it waits
 * until all before it are answered, and holds back all behind it. So a read that is pipelined
 * behind a write sees that write, and nothing has to be put back in order but the answers.
 *
 * It never decides what a target means, never looks at the body, never logs.
 *
 * Invariants:
 *  (1) Answers leave in the order of the requests, in whatever order they are given.
 *  (2) Each request is answered exactly once or its connection is gone; a token outlives its
 *      connection harmlessly.
 *  (3) A request is handed over only when it is complete, and its slices live as long as the call.
 *  (4) After a refused message nothing more of that connection is read as a request.
 *  (5) A connection that waits for nothing but its peer always has a deadline.
 *  (6) No allocation per request in the steady state; an idle connection holds no buffer.
 *
 * Owning thread: the loop's, for every call. Limits: struct http_limits.
 */
#ifndef PAWL_NET_SERVER_H
#define PAWL_NET_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/compiler.h"
#include "base/str.h"
#include "net/http1.h"
#include "net/io.h"
#include "net/loop.h"
#include "pawl/error.h"

struct http_server;
struct http_conn;

struct http_answer {
	int status;              /* 200-599 */
	bool close;              /* end the connection after this answer */
	struct str content_type; /* empty = no such field */
	struct str fields;       /* further fields, each as "Name: value\r\n"; no control bytes */
	struct str body;         /* copied; not sent in answer to HEAD, but its length is told */
};

/* A deferred request. Plain data; zero is no token. */
struct http_token {
	uint32_t slot;
	uint32_t generation; /* of the slot; from 1 */
	uint32_t serial;     /* of the request in its connection */
};

/* What the front is for. Calls are on the loop's thread; they may call every function below
 * but pawl__http_free. */
struct http_app {
	void *data;
	/* A complete request. Before it returns, exactly one of pawl__http_answer and
	 * pawl__http_defer is called for conn. */
	void (*request)(void *data, struct http_conn *conn, const struct http_request *req);
	/* Whether req may be handed over while earlier requests of its connection are unanswered.
	 * Has no effects: it may be asked several times. HEAD and HTTP/1.0 never overlap.
	 * NULL: none may. */
	bool (*may_overlap)(void *data, const struct http_request *req);
	/* The front itself refuses a message with answer->status (400, 408, 413, 414, 417, 431,
	 * 503, 505). May set content_type, fields and body, borrowed until the next call. NULL: a
	 * short problem document is sent. */
	void (*refuse)(void *data, struct http_answer *answer);
};

/* Zero in a member takes the default of pawl/limits.h. */
struct http_limits {
	size_t body_max;
	size_t answer_max; /* bytes of answers that one connection has not taken yet */
	uint32_t conns_max;
	int64_t head_timeout_us;
	int64_t body_timeout_us;
	int64_t idle_timeout_us;
	int64_t write_timeout_us;
	int64_t linger_timeout_us;
};

struct http_config {
	struct http_app app;
	struct http_limits limits;
	const struct net_io *io; /* NULL = plain */
	void *io_config;         /* given to io->open */
};

/* Since the start, but conns_open. Read on the loop's thread. */
struct http_counters {
	uint64_t conns_open;
	uint64_t conns_accepted; /* including refused */
	uint64_t conns_refused;  /* over conns_max */
	uint64_t requests;       /* handed to the application */
	uint64_t refusals;       /* messages answered by the front itself */
	uint64_t timeouts;       /* connections that ran into a deadline, but idle ones */
	uint64_t broken;         /* connections that the peer or the network broke */
	uint64_t bytes_in;
	uint64_t bytes_out;
};

PAWL_MUST_CHECK enum pawl_status pawl__http_new(struct loop *loop, const struct http_config *config,
                                                struct http_server **ret_server,
                                                struct pawl_error *err);
/* Close everything at once. server may be NULL. Not from within a callback. */
void pawl__http_free(struct http_server *server);

/* Listen on every address that host (a name, an IPv4 or IPv6 address, "" = all) has. port 0 takes a
 * free one; ret_port (may be NULL) tells which. May be called several times. */
PAWL_MUST_CHECK enum pawl_status pawl__http_listen_tcp(struct http_server *server, const char *host,
                                                       uint16_t port, uint16_t *ret_port,
                                                       struct pawl_error *err);
/* Listen on a Unix socket. A socket file that nobody listens on any more is replaced; any other
 * file, and one that somebody listens on, is left alone (PAWL_E_BUSY). The file is removed when
 * listening ends. */
PAWL_MUST_CHECK enum pawl_status pawl__http_listen_unix(struct http_server *server,
                                                        const char *path, mode_t mode,
                                                        struct pawl_error *err);
/* Listen on a socket that is listening already (socket activation). take_fd is the server's from
 * here on, also on failure. */
PAWL_MUST_CHECK enum pawl_status pawl__http_listen_fd(struct http_server *server, int take_fd,
                                                      struct pawl_error *err);

/* Answer the request that is being handed over. Only within the call of app.request. */
void pawl__http_answer(struct http_conn *conn, const struct http_answer *answer);

/* Answer it later. Only within the call of app.request. */
PAWL_MUST_CHECK struct http_token pawl__http_defer(struct http_conn *conn);

/* Answer a deferred request. False, with no effect, when its connection is gone. */
bool pawl__http_answer_token(struct http_server *server, struct http_token token,
                             const struct http_answer *answer);

/* Whether somebody still waits for that answer. */
bool pawl__http_token_lives(const struct http_server *server, struct http_token token);

/* Write what is ready now instead of at the end of the turn: for an application that is about to
 * do something slow, such as a commit. */
void pawl__http_flush(struct http_server *server);

/* Stop listening, close idle connections, end every other one after what it has in flight. The
 * owner waits, bounded, until conns_open is 0, then frees. */
void pawl__http_drain(struct http_server *server);

/* Valid until free. */
const struct http_counters *pawl__http_counters(const struct http_server *server);

#endif /* PAWL_NET_SERVER_H */
