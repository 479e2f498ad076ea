/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A wire between a store and its server that can be told to fail: for the questions that only a
 * lost connection asks.
 */
#ifndef TEST_CONFORMANCE_PROXY_H
#define TEST_CONFORMANCE_PROXY_H

#include <pthread.h>
#include <stdbool.h>

enum proxy_mode {
	PROXY_PASS,
	PROXY_LOSE_REPLY,   /* its next reply is lost, and the client is cut */
	PROXY_LOSE_REQUEST, /* the next request is lost, and both are cut */
	PROXY_HOLD_REQUEST, /* the client is cut, its request kept */
	PROXY_KEEP_HELD     /* what is held stays so, the rest passes; with PROXY_PASS it goes on */
};

struct proxy;

/* url: of a server, postgresql://USER@HOST:PORT/DATABASE. */
struct proxy *proxy_start(const char *url);
void proxy_stop(struct proxy *p);
/* The same database through the proxy. */
const char *proxy_url(const struct proxy *p);
void proxy_mode(struct proxy *p, enum proxy_mode mode);

#endif /* TEST_CONFORMANCE_PROXY_H */
