/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net/load - many connections kept busy with requests: the closed loop of a load test.
 *
 * Each connection has up to `depth` requests under way; when one is answered the next is asked
 * for, all that are ready leave in one write. Every request that was taken from the application
 * ends in exactly one outcome. A lost connection is made again, after a pause when it cannot be.
 *
 * It never repeats a request and never judges an answer.
 *
 * Invariants:
 *  (1) Outcomes of one connection come in the order of its requests.
 *  (2) requests = answered + timeouts + resets + malformed, once run has returned.
 *
 * Owning thread: the one that calls run; it runs its own loop. Several loads may run in several
 * threads. Limits: conns, depth <= LOAD_DEPTH_MAX, body_max of an answer.
 */
#ifndef PAWL_NET_LOAD_H
#define PAWL_NET_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "net/http1.h"
#include "net/peer.h"
#include "pawl/error.h"

#define LOAD_DEPTH_MAX 1024
#define LOAD_FOREVER   INT64_MAX

struct http_load;

enum load_outcome {
	LOAD_ANSWERED,
	LOAD_TIMEOUT,   /* no answer in time; the connection was closed */
	LOAD_RESET,     /* the connection ended before the answer */
	LOAD_MALFORMED, /* bytes came that are no answer; the connection was closed */
};

struct load_request {
	uint32_t conn;   /* in [0, conns) */
	struct buf *out; /* append the whole request */
	uint64_t tag;    /* set for yourself; 0 before */
	bool head;       /* set for a HEAD: its answer has no body */
};

struct load_result {
	enum load_outcome outcome;
	uint32_t conn;
	uint64_t tag;
	int64_t sent_us; /* of pawl__clock_mono_us */
	int64_t done_us;
	const struct http_response *response; /* NULL unless answered; for the call only */
};

struct load_app {
	void *data;
	/* The next request of that connection. False: it has no more. */
	bool (*next)(void *data, struct load_request *request);
	void (*done)(void *data, const struct load_result *result);
};

struct load_config {
	struct load_app app;
	uint32_t conns;
	uint32_t depth;     /* 0 = 1 */
	int64_t timeout_us; /* of one answer; 0 = 30 s */
	size_t body_max;    /* of one answer; 0 = PAWL_BODY_MAX */
};

struct load_counters {
	uint64_t requests;
	uint64_t answered;
	uint64_t timeouts;
	uint64_t resets;
	uint64_t malformed;
	uint64_t connects;      /* made */
	uint64_t connects_lost; /* that failed */
	uint64_t bytes_in;
	uint64_t bytes_out;
};

PAWL_MUST_CHECK enum pawl_status pawl__load_new(const struct net_peer *peer,
                                                const struct load_config *config,
                                                struct http_load **ret_load,
                                                struct pawl_error *err);
void pawl__load_free(struct http_load *load);

/* Until duration_us has passed, or every connection has no more requests, or stop. Then no more
 * requests are taken, and those under way are waited for. May be called again. */
PAWL_MUST_CHECK enum pawl_status pawl__load_run(struct http_load *load, int64_t duration_us,
                                                struct pawl_error *err);

/* From within a callback, or any thread. */
void pawl__load_stop(struct http_load *load);

const struct load_counters *pawl__load_counters(const struct http_load *load);

#endif /* PAWL_NET_LOAD_H */
