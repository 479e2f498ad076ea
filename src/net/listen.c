/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/error.h"
#include "net/conn.h"
#include "net/server.h"

#define BACKLOG         4096
#define ACCEPT_PAUSE_US 100000

/* Out of descriptors or memory: the waiting connection cannot be taken, and asking again at once
 * would only spin. */
static void accept_pause(struct http_server *server)
{
	if (server->accept_paused)
		return;
	if (pawl__loop_timer_set(server->loop, &server->accept_pause, ACCEPT_PAUSE_US, NULL) !=
	    PAWL_OK)
		return;
	server->accept_paused = true;
	for (size_t i = 0; i < server->listeners_len; i++)
		pawl__loop_mod(server->loop, &server->listeners[i].watch, 0);
}

void pawl__listen_resume(struct http_server *server)
{
	server->accept_paused = false;
	for (size_t i = 0; i < server->listeners_len; i++)
		pawl__loop_mod(server->loop, &server->listeners[i].watch, EPOLLIN);
}

static void listen_ready(struct loop_watch *w, uint32_t events)
{
	struct http_server *server = CONTAINER_OF(w, struct net_listener, watch)->server;

	(void)events;
	for (int i = 0; i < NET_ACCEPTS_TURN && w->fd >= 0; i++) {
		const int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			pawl__http_conn_open(server, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			accept_pause(server);
		if (errno != EINTR && errno != ECONNABORTED)
			return; /* nobody waits any more; or an error of that one connection */
	}
}

static enum pawl_status listener_add(struct http_server *server, int take_fd, const char *path,
                                     struct pawl_error *err)
{
	struct net_listener *l = &server->listeners[server->listeners_len];
	enum pawl_status st = PAWL_OK;
	struct stat file = { 0 };

	PRE(!server->draining);
	if (server->listeners_len == NET_LISTENERS) {
		(void)close(take_fd);
		return pawl__error_set(err, PAWL_E_CONFIG, "too many addresses to listen on");
	}
	*l = (struct net_listener){ .watch = { -1, listen_ready }, .server = server };
	if (path != NULL) {
		l->path = strdup(path);
		if (l->path == NULL)
			st = pawl__error_set(err, PAWL_E_NOMEM, "no memory to listen");
		else if (stat(path, &file) != 0)
			st = pawl__error_native(err, PAWL_E_IO, errno, "the socket file has gone");
		if (st == PAWL_OK) {
			l->dev = file.st_dev;
			l->ino = file.st_ino;
		}
	}
	if (st == PAWL_OK)
		st = pawl__loop_add(server->loop, &l->watch, take_fd, EPOLLIN, err);
	if (st != PAWL_OK) {
		free(l->path);
		(void)close(take_fd);
		return st;
	}
	server->listeners_len++;
	return PAWL_OK;
}

void pawl__listen_end(struct http_server *server)
{
	for (size_t i = 0; i < server->listeners_len; i++) {
		struct net_listener *l = &server->listeners[i];
		const int fd = l->watch.fd;
		struct stat file;

		pawl__loop_del(server->loop, &l->watch);
		(void)close(fd);
		if (l->path != NULL && lstat(l->path, &file) == 0 && file.st_dev == l->dev &&
		    file.st_ino == l->ino)
			(void)unlink(l->path);
		free(l->path);
		l->path = NULL;
	}
	server->listeners_len = 0;
	pawl__loop_timer_cancel(server->loop, &server->accept_pause);
}

enum pawl_status pawl__http_listen_fd(struct http_server *server, int take_fd,
                                      struct pawl_error *err)
{
	int listening = 0;
	socklen_t len = sizeof(listening);
	const int one = 1;

	if (getsockopt(take_fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) != 0 || !listening) {
		(void)close(take_fd);
		return pawl__error_set(err, PAWL_E_CONFIG, "the descriptor is no listening socket");
	}
	/* Connections inherit it; a Unix socket refuses it, and needs it not. */
	(void)setsockopt(take_fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return listener_add(server, take_fd, NULL, err);
}

static uint16_t bound_port(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} addr = { 0 };
	socklen_t len = sizeof(addr);

	if (getsockname(fd, &addr.any, &len) != 0)
		return 0;
	return ntohs(addr.any.sa_family == AF_INET6 ? addr.v6.sin6_port : addr.v4.sin_port);
}

static void port_set(struct sockaddr *addr, uint16_t port)
{
	if (addr->sa_family == AF_INET6)
		((struct sockaddr_in6 *)(void *)addr)->sin6_port = htons(port);
	else if (addr->sa_family == AF_INET)
		((struct sockaddr_in *)(void *)addr)->sin_port = htons(port);
}

/* A listening socket, or -1 and errno. */
static int tcp_listen(const struct addrinfo *ai)
{
	const int one = 1;
	const int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int saved;

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0 &&
	    (ai->ai_family != AF_INET6 ||
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) == 0) &&
	    bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	saved = errno;
	(void)close(fd);
	errno = saved;
	return -1;
}

static enum pawl_status tcp_listen_all(struct http_server *server, const struct addrinfo *list,
                                       uint16_t *port, struct pawl_error *err)
{
	int added = 0, missing = 0;

	for (const struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next) {
		enum pawl_status st;
		int fd;

		port_set(ai->ai_addr, *port);
		fd = tcp_listen(ai);
		if (fd < 0 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
			missing = errno; /* a family that this host does not have */
			continue;
		}
		if (fd < 0)
			return pawl__error_native(err,
			                          errno == EADDRINUSE ? PAWL_E_BUSY : PAWL_E_IO,
			                          errno, "cannot listen on the address");
		if (*port == 0)
			*port = bound_port(fd); /* the same one for the other addresses */
		st = listener_add(server, fd, NULL, err);
		if (st != PAWL_OK)
			return st;
		added++;
	}
	if (added == 0)
		return pawl__error_native(err, PAWL_E_IO, missing, "no address to listen on");
	return PAWL_OK;
}

enum pawl_status pawl__http_listen_tcp(struct http_server *server, const char *host, uint16_t port,
                                       uint16_t *ret_port, struct pawl_error *err)
{
	const struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
	};
	struct addrinfo *list = NULL;
	enum pawl_status st;
	uint16_t got = port;
	const int rc = getaddrinfo(host[0] == '\0' ? NULL : host, "0", &hints, &list);

	if (rc != 0)
		return pawl__error_set(err, PAWL_E_CONFIG, "cannot resolve the address: %s",
		                       gai_strerror(rc));
	st = tcp_listen_all(server, list, &got, err);
	freeaddrinfo(list);
	if (st == PAWL_OK && ret_port != NULL)
		*ret_port = got;
	return st;
}

/* Whether the path is free for us: nothing is there, or a socket that nobody listens on. */
static enum pawl_status unix_clear(const struct sockaddr_un *addr, struct pawl_error *err)
{
	struct stat file;
	int fd, rc, saved;

	if (lstat(addr->sun_path, &file) != 0)
		return errno == ENOENT ? PAWL_OK
		                       : pawl__error_native(err, PAWL_E_IO, errno,
		                                            "cannot look at the socket file");
	if (!S_ISSOCK(file.st_mode))
		return pawl__error_set(err, PAWL_E_BUSY, "the path is taken by another file");
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return pawl__error_native(err, PAWL_E_IO, errno, "cannot make a socket");
	rc = connect(fd, (const struct sockaddr *)addr, sizeof(*addr));
	saved = errno;
	(void)close(fd);
	if (rc == 0 || saved != ECONNREFUSED)
		return pawl__error_native(err, PAWL_E_BUSY, rc == 0 ? 0 : saved,
		                          "another process listens on the socket");
	if (unlink(addr->sun_path) != 0)
		return pawl__error_native(err, PAWL_E_IO, errno, "cannot remove the stale socket");
	return PAWL_OK;
}

enum pawl_status pawl__http_listen_unix(struct http_server *server, const char *path, mode_t mode,
                                        struct pawl_error *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	enum pawl_status st;
	int fd;

	if (path[0] == '\0' || strlen(path) >= sizeof(addr.sun_path))
		return pawl__error_set(err, PAWL_E_CONFIG, "the socket's path is too long");
	memcpy(addr.sun_path, path, strlen(path) + 1);
	st = unix_clear(&addr, err);
	if (st != PAWL_OK)
		return st;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return pawl__error_native(err, PAWL_E_IO, errno, "cannot make a socket");
	/* The mode is set before listen: until then nobody can connect. */
	if (bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0 || chmod(path, mode) != 0 ||
	    listen(fd, BACKLOG) != 0) {
		st = pawl__error_native(err, PAWL_E_IO, errno, "cannot listen on the socket");
		(void)close(fd);
		return st;
	}
	return listener_add(server, fd, path, err);
}
