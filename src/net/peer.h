/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net/peer - the address of a server, from its text to a socket that connects.
 *
 *     http://host[:port][/]   host[:port]   [v6]:port   unix:/path
 *
 * Names are resolved once, when the text is parsed; up to PEER_ADDRS_MAX addresses are kept and
 * tried in the resolver's order. It never retries and never logs.
 * Threads: any; a peer is plain data.
 */
#ifndef PAWL_NET_PEER_H
#define PAWL_NET_PEER_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/compiler.h"
#include "pawl/error.h"

#define PEER_ADDRS_MAX     4
#define PEER_HOST_MAX      253
#define PEER_AUTHORITY_MAX (PEER_HOST_MAX + 9) /* "[host]:65535" and NUL */

struct net_addr {
	socklen_t len;
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un local;
	} at;
};

struct net_peer {
	size_t addrs_len; /* at least 1 */
	struct net_addr addrs[PEER_ADDRS_MAX];
	char authority[PEER_AUTHORITY_MAX]; /* for the Host field; NUL-terminated */
};

/* PAWL_E_INVALID: not such a text; PAWL_E_IO: the name does not resolve. */
PAWL_MUST_CHECK enum pawl_status pawl__peer_parse(const char *text, uint16_t default_port,
                                                  struct net_peer *ret, struct pawl_error *err);

/* A non-blocking socket that is connected or connecting; -1 and errno on failure. */
PAWL_MUST_CHECK int pawl__peer_connect_start(const struct net_addr *addr);

/* A connected non-blocking socket. Waits until deadline_us of pawl__clock_mono_us. */
PAWL_MUST_CHECK enum pawl_status pawl__peer_connect(const struct net_peer *peer,
                                                    int64_t deadline_us, int *ret_fd,
                                                    struct pawl_error *err);

#endif /* PAWL_NET_PEER_H */
