/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server/route - the one table of what the server answers to, and how a target finds its row.
 *
 * A pattern has at most one {parameter}. Patterns are matched as sent, so that no two spellings of
 * a path meet another row than the one that a proxy in front has seen; only the parameter is
 * percent-decoded.
 *
 * Invariant: (1) no path matches two patterns, but one pattern may stand with several methods.
 */
#ifndef PAWL_SERVER_ROUTE_H
#define PAWL_SERVER_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/str.h"
#include "net/http1.h"
#include "server/decode.h"

struct call;
struct read_kind;

#define ROUTE_OPEN  1U /* no token is asked for */
#define ROUTE_WRITE 2U /* goes to the engine; may be in flight with others of its connection */
#define ROUTE_KEY   4U /* the parameter is an idempotency key, and may hold '/' */

struct route {
	enum http_method method;
	const char *text; /* "PUT /v1/accounts/{id}" */
	unsigned flags;
	void (*handle)(struct call *c);
	enum form_id form;             /* ROUTE_WRITE */
	const struct read_kind *reads; /* pawl__call_read */
};

extern const struct route pawl__routes[];
extern const size_t pawl__routes_len;

struct route_match {
	const struct route *route; /* NULL = none has this method */
	bool path_known;
	unsigned methods; /* of all rows with this path: bits of enum http_method */
	struct str param; /* as sent */
};

/* HEAD finds the row of GET. */
void pawl__route_find(enum http_method method, struct str path, struct route_match *ret);

/* The pattern alone: "/v1/accounts/{id}". */
struct str pawl__route_pattern(const struct route *route);

/* Decode a parameter into mem (cap >= raw.len). slash: %2F is allowed. */
PAWL_MUST_CHECK bool pawl__route_param(struct str raw, bool slash, char *mem, struct str *ret);

#endif /* PAWL_SERVER_ROUTE_H */
