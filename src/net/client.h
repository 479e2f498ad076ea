/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net/client - one request, one answer, blocking with a deadline, over one kept connection.
 *
 * What failed and what is known about it:
 *     PAWL_E_IO               nothing was sent, the server has done nothing
 *     PAWL_E_OUTCOME_UNKNOWN  it was sent, in part at least, and no answer came
 *     PAWL_E_TOO_LARGE        the answer was over body_max
 * A kept connection that the server has closed in the meantime is not a failure: a request that
 * may be repeated (GET, HEAD, PUT, DELETE, OPTIONS) is sent once more on a new one, any other is
 * PAWL_E_OUTCOME_UNKNOWN. It never follows a redirect and never retries anything else.
 *
 * Threads: one owner at a time. Limits: body_max of an answer, PAWL_HEAD_MAX of its head.
 */
#ifndef PAWL_NET_CLIENT_H
#define PAWL_NET_CLIENT_H

#include <stdint.h>

#include "base/compiler.h"
#include "base/str.h"
#include "net/http1.h"
#include "net/peer.h"
#include "pawl/error.h"

struct http_client;

struct http_call {
	struct str method; /* such as "GET" */
	struct str target; /* such as "/v1/status?verbose" */
	struct str fields; /* further fields, each as "Name: value\r\n"; Host and length are set */
	struct str body;   /* empty: no body */
	int64_t timeout_us;
};

/* peer is copied. body_max 0 takes PAWL_UNSENT_MAX. Connects at the first request. */
PAWL_MUST_CHECK enum pawl_status pawl__client_new(const struct net_peer *peer, size_t body_max,
                                                  struct http_client **ret_client,
                                                  struct pawl_error *err);
void pawl__client_free(struct http_client *client);

/* The slices of *ret live until the next call for this client. Any status is a success. */
PAWL_MUST_CHECK enum pawl_status pawl__client_request(struct http_client *client,
                                                      const struct http_call *call,
                                                      struct http_response *ret,
                                                      struct pawl_error *err);

/* The head of a request for peer with a body of that length, for whoever writes requests
 * himself. */
void pawl__client_put_head(struct buf *out, const struct net_peer *peer,
                           const struct http_call *call);

#endif /* PAWL_NET_CLIENT_H */
