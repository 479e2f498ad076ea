/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stamp_server - an HTTP server on one thread that notes when each request was complete, and in
 * which read() it was: what arrival looks like from the other end. HTTP/1.1, HTTP/2 with prior
 * knowledge, and both over TLS when it has a certificate. It can be told to misbehave in HTTP/2.
 *
 * GET /stamps answers "ns read conn" lines since the last one, and counts nothing itself.
 */
#ifndef TEST_RIG_STAMP_SERVER_H
#define TEST_RIG_STAMP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stamp_config {
	const char *cert_file, *key_file; /* PEM; NULL = no TLS */
	uint32_t max_streams;             /* HTTP/2; 0 = 250 */
	bool goaway;                      /* at the first request: GOAWAY that takes none */
	bool reset;                       /* RST_STREAM as the answer */
	bool early;                       /* answers when the head of a request is there */
	bool silent;                      /* takes the settings, never answers */
	bool only_http1; /* speaks HTTP/1.1 to whatever comes, and offers nothing by ALPN */
};

struct stamp {
	int64_t at_ns;
	uint64_t read; /* number of the read(), over all connections */
	int conn;
};

struct stamp_server;

/* On a free port of loopback, in a thread of its own. NULL: it cannot (stderr says why). */
struct stamp_server *stamp_server_start(const struct stamp_config *config, uint16_t *ret_port);
void stamp_server_stop(struct stamp_server *s);
/* Requests since the last call, at most max. */
size_t stamp_server_take(struct stamp_server *s, struct stamp *ret, size_t max);
/* Bytes of HTTP that came and went, over all connections. */
void stamp_server_bytes(struct stamp_server *s, uint64_t *ret_in, uint64_t *ret_out);

/* Self-signed, into two files. names: "DNS:localhost,IP:127.0.0.1". */
bool stamp_server_cert(const char *cert_file, const char *key_file, const char *names);

/* A relay to a port of loopback that delays each piece by N(mean, deviation), each connection and
 * direction by itself. Its threads live until the process ends. Returns its port, 0 = it cannot. */
uint16_t relay_start(uint16_t to_port, long mean_us, long deviation_us);

#endif /* TEST_RIG_STAMP_SERVER_H */
