/* SPDX-License-Identifier: Apache-2.0 */
#include "net/peer.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/num.h"
#include "base/str.h"

static enum pawl_status parse_unix(struct str path, struct net_peer *ret, struct pawl_error *err)
{
	struct net_addr *addr = &ret->addrs[0];

	if (path.len == 0 || path.len >= sizeof(addr->at.local.sun_path))
		return pawl__error_set(err, PAWL_E_INVALID, "the socket's path is too long");
	*ret = (struct net_peer){ .addrs_len = 1, .authority = "localhost" };
	addr->at.local.sun_family = AF_UNIX;
	memcpy(addr->at.local.sun_path, path.ptr, path.len);
	addr->len = sizeof(addr->at.local);
	return PAWL_OK;
}

/* "host", "host:port", "[v6]", "[v6]:port". host becomes a NUL-terminated text. */
static bool parse_authority(struct str s, char host[PEER_HOST_MAX + 1], uint64_t *port)
{
	const char *end = NULL;
	struct str name = s;

	if (s.len > 0 && s.ptr[0] == '[') {
		end = memchr(s.ptr, ']', s.len);
		if (end == NULL)
			return false;
		name = (struct str){ s.ptr + 1, (size_t)(end - s.ptr) - 1 };
		end++;
	} else {
		end = s.len == 0 ? NULL : memchr(s.ptr, ':', s.len);
		if (end != NULL)
			name.len = (size_t)(end - s.ptr);
		else
			end = s.ptr + s.len;
	}
	if (name.len == 0 || name.len > PEER_HOST_MAX || memchr(name.ptr, '\0', name.len) != NULL)
		return false;
	memcpy(host, name.ptr, name.len);
	host[name.len] = '\0';
	if (end == s.ptr + s.len)
		return true;
	return *end == ':' &&
	       pawl__num_parse_u64((struct str){ end + 1, (size_t)(s.ptr + s.len - end) - 1 },
	                           port) &&
	       *port > 0 && *port <= UINT16_MAX;
}

static enum pawl_status resolve(const char *host, uint16_t port, struct net_peer *ret,
                                struct pawl_error *err)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;
	const int rc = getaddrinfo(host, NULL, &hints, &list);

	if (rc != 0)
		return pawl__error_set(err, PAWL_E_IO, "cannot resolve the server's name: %s",
		                       gai_strerror(rc));
	ret->addrs_len = 0;
	for (const struct addrinfo *ai = list; ai != NULL && ret->addrs_len < PEER_ADDRS_MAX;
	     ai = ai->ai_next) {
		struct net_addr *addr = &ret->addrs[ret->addrs_len];

		if (ai->ai_addrlen > sizeof(addr->at))
			continue;
		memcpy(&addr->at, ai->ai_addr, ai->ai_addrlen);
		addr->len = ai->ai_addrlen;
		if (addr->at.any.sa_family == AF_INET6)
			addr->at.v6.sin6_port = htons(port);
		else
			addr->at.v4.sin_port = htons(port);
		ret->addrs_len++;
	}
	freeaddrinfo(list);
	if (ret->addrs_len == 0)
		return pawl__error_set(err, PAWL_E_IO, "the server's name has no address");
	return PAWL_OK;
}

enum pawl_status pawl__peer_parse(const char *text, uint16_t default_port, struct net_peer *ret,
                                  struct pawl_error *err)
{
	const struct str http = STR("http://"), local = STR("unix:");
	struct str s = { text, strlen(text) };
	char host[PEER_HOST_MAX + 1];
	uint64_t port = default_port;
	struct net_peer peer = { 0 };
	enum pawl_status st;
	struct buf name;

	if (str_starts(s, local))
		return parse_unix((struct str){ s.ptr + local.len, s.len - local.len }, ret, err);
	if (str_starts(s, http)) {
		s = (struct str){ s.ptr + http.len, s.len - http.len };
		if (s.len > 0 && s.ptr[s.len - 1] == '/')
			s.len--;
	}
	if (!parse_authority(s, host, &port))
		return pawl__error_set(err, PAWL_E_INVALID,
		                       "a server is http://host:port, host:port or unix:/path");
	st = resolve(host, (uint16_t)port, &peer, err);
	if (st != PAWL_OK)
		return st;
	pawl__buf_init_fixed(&name, peer.authority, sizeof(peer.authority) - 1);
	if (strchr(host, ':') != NULL) {
		pawl__buf_putc(&name, '[');
		buf_str(&name, (struct str){ host, strlen(host) });
		pawl__buf_putc(&name, ']');
	} else {
		buf_str(&name, (struct str){ host, strlen(host) });
	}
	pawl__buf_putc(&name, ':');
	pawl__buf_u64(&name, port);
	*ret = peer;
	return PAWL_OK;
}

int pawl__peer_connect_start(const struct net_addr *addr)
{
	const int one = 1;
	const int fd =
		socket(addr->at.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int saved;

	if (fd < 0)
		return -1;
	if (addr->at.any.sa_family != AF_UNIX)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, &addr->at.any, addr->len) == 0 || errno == EINPROGRESS)
		return fd;
	saved = errno;
	(void)close(fd);
	errno = saved;
	return -1;
}

/* Wait until the connecting socket has decided. Returns 0 or an errno. */
static int connect_wait(int fd, int64_t deadline_us)
{
	int failure = 0;
	socklen_t len = sizeof(failure);

	for (;;) {
		const int64_t left_us = deadline_us - pawl__clock_mono_us();
		struct pollfd pfd = { .fd = fd, .events = POLLOUT };
		const int n = left_us <= 0 ? 0 : poll(&pfd, 1, (int)(left_us / 1000) + 1);

		if (n > 0)
			break;
		if (n == 0)
			return ETIMEDOUT;
		if (errno != EINTR)
			return errno;
	}
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &len) == 0 ? failure : errno;
}

enum pawl_status pawl__peer_connect(const struct net_peer *peer, int64_t deadline_us, int *ret_fd,
                                    struct pawl_error *err)
{
	int failure = 0;

	for (size_t i = 0; i < peer->addrs_len; i++) {
		const int fd = pawl__peer_connect_start(&peer->addrs[i]);

		if (fd < 0) {
			failure = errno;
			continue;
		}
		failure = connect_wait(fd, deadline_us);
		if (failure == 0) {
			*ret_fd = fd;
			return PAWL_OK;
		}
		(void)close(fd);
	}
	return pawl__error_native(err, PAWL_E_IO, failure, "cannot connect to the server: %s",
	                          strerrordesc_np(failure));
}
