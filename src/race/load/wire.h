/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/load/wire - one connection as bytes: connecting, TLS, and bytes that are held back until one
 * send lets them go.
 *
 *     CLOSED -> CONNECTING -> HANDSHAKE (TLS) -> UP -> CLOSED
 *
 * What is held is complete before the gate (with TLS: encrypted), so that releasing is one system
 * call and nothing else. It never reconnects by itself and knows nothing of HTTP.
 *
 * Invariants:
 *  (1) Bytes leave in the order of put and hold. Between a hold and its release nothing is put.
 *  (2) After `end` was called no other callback is, until the next open.
 *
 * A callback may close the wire; whoever calls a function of it looks at the state afterwards.
 * Threads: one. Limits: WIRE_OUT_MAX bytes waiting.
 */
#ifndef PAWL_RACE_LOAD_WIRE_H
#define PAWL_RACE_LOAD_WIRE_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "net/peer.h"

#define WIRE_OUT_MAX     ((size_t)32 << 20)
#define WIRE_SCRATCH_LEN ((size_t)64 << 10)
#define WIRE_TEXT_MAX    128

enum wire_state { WIRE_CLOSED, WIRE_CONNECTING, WIRE_HANDSHAKE, WIRE_UP };

enum wire_end {
	WIRE_EOF,      /* in order */
	WIRE_RESET,    /* native: errno */
	WIRE_REFUSED,  /* no address took the connection; native: errno */
	WIRE_PROTOCOL, /* TLS failed; text says how */
};

struct wire;

/* What the wires of one volley share. */
struct wire_env {
	int epoll_fd;
	const struct net_peer *peer;
	char *host;   /* not const for OpenSSL's sake; not changed */
	SSL_CTX *tls; /* NULL = plain */
	bool insecure;
	bool h2;                 /* ALPN must say h2 */
	int64_t real_to_mono_ns; /* of this turn: CLOCK_REALTIME - CLOCK_MONOTONIC */
	int64_t now_ns;          /* of this turn */
	uint64_t turn;           /* a look at what is ready; from 1 */
	char *scratch;           /* 2 * WIRE_SCRATCH_LEN bytes */
	void (*up)(struct wire *w);
	/* kernel: at_ns is the kernel's time of arrival. */
	void (*bytes)(struct wire *w, const char *data, size_t len, int64_t at_ns, bool kernel);
	void (*end)(struct wire *w, enum wire_end why, int native, const char *text);
};

struct wire {
	struct wire_env *env;
	int fd;
	enum wire_state state;
	uint32_t watched; /* epoll events */
	uint32_t addr;    /* of the peer's addresses, that is tried */
	uint64_t turn;    /* in which the socket was made: events of that turn are another's */
	bool stamped;     /* the kernel tells when bytes came */
	SSL *ssl;         /* owned */
	struct buf out;   /* from out_at on not taken by the kernel yet */
	size_t out_at;
	struct buf held;
	int64_t first_sent_ns; /* since it was last set to 0: the first send that took bytes */
	uint64_t sent;         /* bytes taken by the kernel; with TLS, bytes of HTTP encrypted */
	uint64_t received;     /* bytes of HTTP */
};

void pawl__wire_init(struct wire *w, struct wire_env *env);
/* Begin to connect; `up` or `end` follows, perhaps within the call. */
void pawl__wire_open(struct wire *w);
void pawl__wire_close(struct wire *w);
void pawl__wire_deinit(struct wire *w);

/* Epoll says so. */
void pawl__wire_events(struct wire *w, uint32_t events);

/* Bytes on their way; flush sends what the kernel takes. False: over the limit, or no memory. */
PAWL_MUST_CHECK bool pawl__wire_put(struct wire *w, const char *data, size_t len);
/* Bytes that only release lets go. False as with put. */
PAWL_MUST_CHECK bool pawl__wire_hold(struct wire *w, const char *data, size_t len);
/* May call `end`. */
void pawl__wire_flush(struct wire *w);
/* Let go of what is held, by one send. The rest of what the kernel does not take goes the way of
 * put. What goes wrong comes by `end` in the next turn: a release loop is not held up. */
void pawl__wire_release(struct wire *w);

/* All that was put is with the kernel. */
static inline bool wire_drained(const struct wire *w)
{
	return w->out_at == w->out.len;
}

#endif /* PAWL_RACE_LOAD_WIRE_H */
