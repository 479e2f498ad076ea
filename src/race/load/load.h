/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/load/load - many requests to one target in the same instant, and what came of each.
 *
 * A volley is a set of connections to one target, on one thread. One fire goes:
 *
 *     OPEN (connect, TLS, HTTP/2 settings; a warm-up request on each connection that is new)
 *       -> PREPARE (every request is sent but its last byte)
 *       -> HEAD START (what was sent arrives and is parsed; early answers are seen)
 *       -> WARM (about 2 ms: the peer's CPU is woken over a spare connection, or by HTTP/2 PING)
 *       -> GATE (the last bytes, one send after the other in one loop; HTTP/2: one write)
 *       -> COLLECT (answers, until all are there or the deadline)
 *
 * It never repeats a request, never follows a redirect, never sends to another place than the
 * target, and never judges an answer. A connection that cannot be used again is made anew by the
 * next fire.
 *
 * Invariants:
 *  (1) Every request of a fire ends in exactly one outcome, whatever the peer does.
 *  (2) Every stage has a deadline; fire returns at most open + send + head start + answer after it
 *      was called.
 *  (3) bytes_out and bytes_in of the result are those of its outcomes plus overhead_out and
 *      overhead_in (warm-up, prefaces, settings, pings, what follows an answer).
 *  (4) released_ns is read before the last byte is handed to the kernel, so an answer to the whole
 *      request never seems to be older than the request.
 *
 * Threads: one at a time; pawl__volley_stop from any, and from signal handlers.
 * Units: ns of CLOCK_MONOTONIC (pawl__clock_mono_ns); a time of 0 = it did not happen.
 * Bytes are those of HTTP; TLS records and TCP are not counted.
 * Limits: VOLLEY_*, PAWL_HEAD_MAX and PAWL_FIELDS_MAX of an answer's head.
 * Errors: PAWL_E_INVALID (a target or a request that cannot be sent as it is), PAWL_E_CONFIG (CA
 * file), PAWL_E_IO (epoll, descriptors), PAWL_E_NOMEM. What the target does is no error but an
 * outcome.
 */
#ifndef PAWL_RACE_LOAD_LOAD_H
#define PAWL_RACE_LOAD_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/hist.h"
#include "base/str.h"
#include "net/http1.h"
#include "net/peer.h"
#include "pawl/error.h"
#include "race/load/overlap.h"

#define VOLLEY_CONNS_MAX         20000
#define VOLLEY_REQUESTS_MAX      20000
#define VOLLEY_BODY_OUT_MAX      ((size_t)16 << 20) /* bytes of a request's body */
#define VOLLEY_OUT_MAX           ((size_t)1 << 30)  /* bytes of all requests of a fire */
#define VOLLEY_BODY_MAX          ((size_t)1 << 20) /* bytes kept of an answer's body, unless told */
#define VOLLEY_KEPT_MAX          ((size_t)256 << 20)  /* bytes kept of all bodies of a fire */
#define VOLLEY_DRAIN_MAX         ((uint64_t)64 << 20) /* bytes of a body read; then TOO_LARGE */
#define VOLLEY_BASE_MAX          512                  /* bytes of the path in a target */
#define VOLLEY_TROUBLE_MAX       160
#define VOLLEY_RATE_MAX          1000000    /* requests a second */
#define VOLLEY_ANY               UINT32_MAX /* of request.conn: the volley chooses */

#define VOLLEY_OPEN_DEFAULT_NS   INT64_C(10000000000)
#define VOLLEY_SEND_DEFAULT_NS   INT64_C(10000000000)
#define VOLLEY_ANSWER_DEFAULT_NS INT64_C(30000000000)
#define VOLLEY_HEAD_DEFAULT_NS   INT64_C(100000000)

struct volley;

/* Where to. Plain data. */
struct volley_target {
	struct net_peer peer; /* authority is what the Host field says */
	bool tls;
	char host[PEER_HOST_MAX + 1];   /* the name that a certificate must be for */
	char base[VOLLEY_BASE_MAX + 1]; /* stands before the target of each request; "" or "/..." */
};

/* http://host[:port][/base], https://..., host:port, unix:/path. A query, a fragment or a user name
 * is refused. PAWL_E_INVALID, PAWL_E_IO (the name does not resolve). */
PAWL_MUST_CHECK enum pawl_status
pawl__volley_target_parse(const char *text, struct volley_target *ret, struct pawl_error *err);

enum volley_proto {
	VOLLEY_HTTP1, /* one request per connection */
	VOLLEY_HTTP2, /* as many per connection as fit one packet and the peer's limit of streams;
	               * over TLS by ALPN "h2", otherwise with prior knowledge */
};

/* Zero is the default everywhere. */
struct volley_config {
	enum volley_proto proto;
	uint32_t conns;      /* the most there may be; 0 = as many as a fire needs */
	const char *ca_file; /* PEM; NULL = the system's. Read by new */
	bool insecure;       /* any certificate will do */
	size_t body_max;     /* bytes kept of an answer's body; above: truncated */
	int64_t open_ns;     /* deadline of OPEN */
	int64_t send_ns;     /* deadline of PREPARE */
	int64_t answer_ns;   /* deadline of COLLECT, and of each request of a flow */
	uint32_t packet_max; /* HTTP/2: bytes of one packet; 0 = what the connection's MSS says */
};

PAWL_MUST_CHECK enum pawl_status pawl__volley_new(const struct volley_target *target,
                                                  const struct volley_config *config,
                                                  struct volley **ret_volley,
                                                  struct pawl_error *err);
/* Closes every connection. volley may be NULL. */
void pawl__volley_free(struct volley *volley);

/* Everything is borrowed for the call. Host, Content-Length and, over HTTP/1.1, Connection are
 * written by the volley; a Host among the fields takes its place. Content-Length,
 * Transfer-Encoding, Connection, Upgrade, TE and the like among the fields are refused. */
struct volley_request {
	uint32_t conn;     /* HTTP/1.1: in [0, conns), no two the same; or VOLLEY_ANY */
	struct str method; /* a token; not CONNECT */
	struct str target; /* begins with '/'; OPTIONS: "*" */
	const struct http_field *fields;
	size_t fields_len; /* at most PAWL_FIELDS_MAX - 4 */
	struct str body;
};

enum volley_sync {
	VOLLEY_LAST_BYTE, /* all but the last byte first; HTTP/2: all but the final frame */
	VOLLEY_NONE,      /* whole requests at the gate, one after the other as fast as possible */
	VOLLEY_SPREAD,    /* as LAST_BYTE, each released at a random time within spread_ns */
};

struct volley_plan {
	enum volley_sync sync;
	const struct volley_request *requests;
	size_t len;                        /* 1 .. VOLLEY_REQUESTS_MAX */
	const struct volley_request *warm; /* once on each new connection; NULL = connect only */
	int64_t head_start_ns; /* PREPARE to GATE; 0 = VOLLEY_HEAD_DEFAULT_NS, < 0 = none */
	bool no_wake;          /* without the 2 ms of warm-up before the gate */
	bool fresh;            /* over new connections */
	int64_t spread_ns;     /* VOLLEY_SPREAD */
	uint64_t seed;         /* VOLLEY_SPREAD; same seed, same times */
};

enum volley_class {
	VOLLEY_ANSWERED, /* a whole answer */
	VOLLEY_TIMEOUT,  /* the deadline, and no byte of the answer */
	VOLLEY_DRIP,     /* the deadline, in the middle of the answer */
	VOLLEY_RESET,    /* TCP reset, RST_STREAM or GOAWAY */
	VOLLEY_CLOSED,   /* the peer closed in order before its answer was complete */
	VOLLEY_REFUSED,  /* no connection could be made */
	VOLLEY_PROTOCOL, /* the connection is not what was asked for: TLS, certificate, no HTTP/2 */
	VOLLEY_MALFORMED, /* bytes that are no answer */
	VOLLEY_TOO_LARGE, /* a head over its limits, or a body over VOLLEY_DRAIN_MAX */
	VOLLEY_UNSENT,    /* stopped, or the deadline before the request could be sent */
	VOLLEY_CLASSES,
};

/* "answered", "timed-out", "slow-drip", "reset", "closed-early", "refused", "protocol",
 * "malformed", "too-large", "unsent". */
const char *pawl__volley_class_name(enum volley_class c);

struct volley_outcome {
	enum volley_class class;
	int status;        /* 0 = none came; may be there although the answer was not completed */
	int native;        /* errno, or the HTTP/2 error code of RST_STREAM or GOAWAY; 0 = none */
	uint32_t conn;     /* that it went over */
	uint32_t interim;  /* 1xx answers before the final one */
	bool early;        /* bytes of the answer came before the last byte was released */
	bool truncated;    /* body holds less than body_len bytes */
	bool reused;       /* its connection had carried an exchange before */
	bool kernel_times; /* first_byte_ns and done_ns are the kernel's times of arrival; otherwise
	                    * those at which they were read, which is later under load */
	struct buf fields; /* "Name: value\r\n" of the final answer, one line each; no trailers */
	struct buf body;   /* decoded; at most body_max bytes */
	uint64_t body_len; /* bytes of the body that came */
	uint64_t bytes_out, bytes_in; /* of this exchange, as on the wire (HTTP/2: its frames) */
	int64_t intended_ns;          /* when it should have been released */
	int64_t first_sent_ns;        /* its first byte was handed to the kernel */
	int64_t released_ns;          /* its last byte was; 0 = never */
	int64_t first_byte_ns;        /* of the answer */
	int64_t done_ns;              /* the last byte of the answer, or when it was given up */
};

/* The value of the first field of that name, without regard to case. */
bool pawl__volley_field(const struct volley_outcome *o, struct str name, struct str *ret);

struct volley_result {
	struct volley_outcome *outcomes; /* owned; in the order of the requests */
	size_t len;
	uint32_t counts[VOLLEY_CLASSES];
	uint32_t early;            /* outcomes with that flag */
	uint32_t released;         /* requests whose last byte was handed to the kernel */
	int64_t gate_ns;           /* when the gate was opened */
	int64_t release_spread_ns; /* from the first of released_ns to the last */
	uint32_t conns_used;
	uint32_t writes;      /* system calls of the gate: HTTP/1.1 one per request, HTTP/2 one per
	                       * connection when all is well */
	uint32_t streams_max; /* HTTP/2: the least limit of streams among the peers; else 0 */
	uint32_t packet_max;  /* HTTP/2: bytes that one packet was taken to hold; else 0 */
	bool split; /* HTTP/2: more than fit one packet: conns_used packets left, not one */
	bool stopped;
	uint64_t bytes_out, bytes_in;
	uint64_t overhead_out, overhead_in;
	struct race_overlap overlap;      /* of [released_ns, done_ns] of what was released */
	char trouble[VOLLEY_TROUBLE_MAX]; /* why the first connection that failed did; "" = none */
};

/* A result is zeroed by the caller before its first use, and freed with result_free; fire frees
 * what an earlier one left in it. Not PAWL_OK: nothing was released, *ret is empty. */
PAWL_MUST_CHECK enum pawl_status pawl__volley_fire(struct volley *volley,
                                                   const struct volley_plan *plan,
                                                   struct volley_result *ret,
                                                   struct pawl_error *err);
void pawl__volley_result_free(struct volley_result *r);

/* One request at once: for setup, teardown and looking at state. The same as a fire of one with
 * VOLLEY_NONE, no head start and no warm-up. */
PAWL_MUST_CHECK enum pawl_status pawl__volley_call(struct volley *volley,
                                                   const struct volley_request *request,
                                                   struct volley_result *ret,
                                                   struct pawl_error *err);

/* Was there the overlap that makes a race? Of n requests asked for, at least n - 1 pairs were under
 * way together, and at least peak_min at one time (0 = not asked). Otherwise a verdict on the
 * target would be without ground: inconclusive. One request overlaps with nothing: true. */
bool pawl__volley_overlapped(const struct volley_result *r, uint32_t peak_min);

/*
 * Open loop: a request every 1/rate seconds for duration_ns, whatever became of those before. One
 * that finds no free connection waits, and its waiting counts: latency is from intended_ns and,
 * beside it, from first_sent_ns. Requests that were not sent answer_ns after their time are UNSENT.
 */
struct volley_flow {
	uint32_t rate; /* a second; 1 .. VOLLEY_RATE_MAX */
	int64_t duration_ns;
	uint32_t conns; /* HTTP/2: with as many streams each as the peer allows */
	const struct volley_request *warm;
	void *data;
	/* Request k of the flow; conn is not looked at. What it points to is borrowed until the
	 * next call. False: stop early. */
	bool (*next)(void *data, uint64_t k, struct volley_request *ret);
	/* Once for each; the outcome is valid for the call. May be NULL. */
	void (*done)(void *data, uint64_t k, const struct volley_outcome *o);
};

struct volley_flow_result {
	uint64_t requests; /* that were due; = the sum of counts */
	uint64_t counts[VOLLEY_CLASSES];
	uint64_t early;
	uint32_t peak;             /* most under way at one time */
	uint64_t backlog;          /* most that were due and waited for a connection */
	int64_t first_ns, last_ns; /* intended time of the first, end of the last */
	bool stopped;
	uint64_t bytes_out, bytes_in, overhead_out, overhead_in;
	struct hist intended_us; /* latency of ANSWERED from when they were due */
	struct hist sent_us;     /* latency of ANSWERED from their first byte */
	char trouble[VOLLEY_TROUBLE_MAX];
};

PAWL_MUST_CHECK enum pawl_status pawl__volley_flow(struct volley *volley,
                                                   const struct volley_flow *flow,
                                                   struct volley_flow_result *ret,
                                                   struct pawl_error *err);

/* What is under way ends as UNSENT or, when it was released, TIMEOUT or DRIP; fire and flow return.
 * Stays set until pawl__volley_resume. */
void pawl__volley_stop(struct volley *volley);
void pawl__volley_resume(struct volley *volley);

#endif /* PAWL_RACE_LOAD_LOAD_H */
