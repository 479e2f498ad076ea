/* SPDX-License-Identifier: Apache-2.0 */
#include "race/load/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/net_tstamp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"

#define HTTP2_ALPN "\x02h2"
#define HTTP1_ALPN "\x08http/1.1"
/* A time of arrival that is older than this was made by a step of the real clock. */
#define STAMP_OLD_NS INT64_C(60000000000)

static void wire_fail(struct wire *w, enum wire_end why, int native, const char *text)
{
	pawl__wire_close(w);
	w->env->end(w, why, native, text);
}

/* --- sending --- */

static void watch(struct wire *w, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	if (w->watched == events)
		return;
	INVARIANT(epoll_ctl(w->env->epoll_fd, EPOLL_CTL_MOD, w->fd, &ev) == 0);
	w->watched = events;
}

/* Returns bytes taken, 0 when the kernel takes none now, -1 with errno. */
static ssize_t send_some(struct wire *w, const char *data, size_t len)
{
	const int64_t before_ns = w->first_sent_ns == 0 ? pawl__clock_mono_ns() : 0;
	ssize_t n;

	do
		n = send(w->fd, data, len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -1;
	if (n > 0 && w->first_sent_ns == 0)
		w->first_sent_ns = before_ns;
	if (w->ssl == NULL)
		w->sent += (uint64_t)n;
	return n;
}

/* False: the peer is gone; errno says how. */
static bool send_out(struct wire *w)
{
	while (w->out_at < w->out.len) {
		const ssize_t n = send_some(w, w->out.data + w->out_at, w->out.len - w->out_at);

		if (n < 0)
			return false;
		if (n == 0) {
			watch(w, EPOLLIN | EPOLLOUT);
			return true;
		}
		w->out_at += (size_t)n;
	}
	pawl__buf_reset(&w->out);
	w->out_at = 0;
	watch(w, EPOLLIN);
	return true;
}

void pawl__wire_flush(struct wire *w)
{
	if (w->state != WIRE_UP && w->state != WIRE_HANDSHAKE)
		return;
	if (w->out_at < w->out.len && !send_out(w))
		/* What the peer said before it went is still to be read. */
		watch(w, EPOLLIN | EPOLLOUT);
}

/* What TLS wants to send. */
static bool tls_take(struct wire *w, struct buf *to)
{
	BIO *bio = SSL_get_wbio(w->ssl);
	const size_t n = BIO_ctrl_pending(bio);
	char *room;

	if (n == 0)
		return true;
	room = pawl__buf_reserve(to, n);
	if (room == NULL || BIO_read(bio, room, (int)n) != (int)n)
		return false;
	to->len += n;
	return true;
}

static bool append(struct wire *w, struct buf *to, const char *data, size_t len)
{
	if (w->ssl == NULL) {
		pawl__buf_put(to, data, len);
		return !to->overflow;
	}
	if (!tls_take(w, &w->out)) /* its own messages go first */
		return false;
	for (size_t at = 0; at < len;) {
		const size_t left = len - at, n = left < (1 << 14) ? left : 1 << 14;

		ERR_clear_error();
		if (SSL_write(w->ssl, data + at, (int)n) != (int)n || !tls_take(w, to))
			return false;
		at += n;
	}
	w->sent += len;
	return true;
}

bool pawl__wire_put(struct wire *w, const char *data, size_t len)
{
	PRE(w->state == WIRE_UP);
	return append(w, &w->out, data, len);
}

bool pawl__wire_hold(struct wire *w, const char *data, size_t len)
{
	PRE(w->state == WIRE_UP);
	return append(w, &w->held, data, len);
}

void pawl__wire_release(struct wire *w)
{
	ssize_t n = 0;

	if (w->state != WIRE_UP || w->held.len == 0)
		return;
	if (wire_drained(w))
		n = send_some(w, w->held.data, w->held.len);
	if (n < 0) /* the next turn meets the same failure */
		n = 0;
	pawl__buf_put(&w->out, w->held.data + n, w->held.len - (size_t)n);
	pawl__buf_reset(&w->held);
	if (!wire_drained(w))
		watch(w, EPOLLIN | EPOLLOUT);
}

/* --- connecting --- */

static void tls_trouble(struct wire *w, const char *what, char ret[WIRE_TEXT_MAX])
{
	const long verify = SSL_get_verify_result(w->ssl);
	const unsigned long code = ERR_peek_last_error();
	const char *why = verify != X509_V_OK ? X509_verify_cert_error_string(verify)
	                  : code != 0         ? ERR_reason_error_string(code)
	                                      : NULL;
	struct buf b;

	pawl__buf_init_fixed(&b, ret, WIRE_TEXT_MAX - 1);
	buf_str(&b, pawl__str_of(what));
	if (why != NULL && b.len + 2 + strlen(why) < WIRE_TEXT_MAX) {
		buf_lit(&b, ": ");
		buf_str(&b, pawl__str_of(why));
	}
	ret[b.len] = '\0';
}

/* True: the handshake goes on, or has been completed. */
static bool handshake_step(struct wire *w)
{
	const unsigned char *alpn = NULL;
	unsigned alpn_len = 0;
	char text[WIRE_TEXT_MAX];
	int rc;

	ERR_clear_error();
	rc = SSL_do_handshake(w->ssl);
	if (!tls_take(w, &w->out)) {
		wire_fail(w, WIRE_PROTOCOL, 0, "TLS: no memory");
		return false;
	}
	if (w->out_at < w->out.len)
		(void)send_out(w); /* a failure is seen by reading */
	if (rc == 1) {
		SSL_get0_alpn_selected(w->ssl, &alpn, &alpn_len);
		if (w->env->h2 && !(alpn_len == 2 && memcmp(alpn, "h2", 2) == 0)) {
			wire_fail(w, WIRE_PROTOCOL, 0, "TLS: the peer does not offer h2 by ALPN");
			return false;
		}
		w->state = WIRE_UP;
		w->env->up(w);
		return w->state == WIRE_UP;
	}
	if (SSL_get_error(w->ssl, rc) == SSL_ERROR_WANT_READ)
		return true;
	tls_trouble(w, "TLS handshake", text);
	wire_fail(w, WIRE_PROTOCOL, 0, text);
	return false;
}

static bool tls_begin(struct wire *w)
{
	const struct wire_env *env = w->env;
	unsigned char addr[16];
	const bool ip = inet_pton(AF_INET, env->host, addr) == 1 ||
	                inet_pton(AF_INET6, env->host, addr) == 1;
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());

	w->ssl = SSL_new(env->tls);
	if (w->ssl == NULL || in == NULL || out == NULL) {
		BIO_free(in);
		BIO_free(out);
		return false;
	}
	(void)BIO_set_mem_eof_return(in, -1);
	SSL_set_bio(w->ssl, in, out);
	SSL_set_connect_state(w->ssl);
	SSL_set_alpn_protos(w->ssl, (const unsigned char *)(env->h2 ? HTTP2_ALPN : HTTP1_ALPN),
	                    env->h2 ? sizeof(HTTP2_ALPN) - 1 : sizeof(HTTP1_ALPN) - 1);
	if (ip) /* no SNI for an address: RFC 6066 section 3 */
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(w->ssl), env->host) == 1;
	return SSL_set_tlsext_host_name(w->ssl, env->host) == 1 &&
	       SSL_set1_host(w->ssl, env->host) == 1;
}

static void connected(struct wire *w)
{
	const int flags = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;

	w->stamped = w->env->peer->addrs[w->addr].at.any.sa_family != AF_UNIX &&
	             setsockopt(w->fd, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof(flags)) == 0;
	watch(w, EPOLLIN);
	if (w->env->tls == NULL) {
		w->state = WIRE_UP;
		w->env->up(w);
		return;
	}
	w->state = WIRE_HANDSHAKE;
	if (!tls_begin(w))
		wire_fail(w, WIRE_PROTOCOL, 0, "TLS: no memory, or not a host name");
	else
		(void)handshake_step(w);
}

/* The next address that can be tried; false with errno when there is none. */
static bool connect_next(struct wire *w)
{
	const struct net_peer *peer = w->env->peer;

	for (; w->addr < peer->addrs_len; w->addr++) {
		struct epoll_event ev = { .events = EPOLLOUT, .data.ptr = w };

		w->fd = pawl__peer_connect_start(&peer->addrs[w->addr]);
		if (w->fd < 0)
			continue;
		if (epoll_ctl(w->env->epoll_fd, EPOLL_CTL_ADD, w->fd, &ev) == 0) {
			w->turn = w->env->turn;
			w->watched = EPOLLOUT;
			w->state = WIRE_CONNECTING;
			return true;
		}
		pawl__wire_close(w);
	}
	return false;
}

void pawl__wire_open(struct wire *w)
{
	PRE(w->state == WIRE_CLOSED);
	w->addr = 0;
	w->sent = 0;
	w->received = 0;
	w->first_sent_ns = 0;
	if (!connect_next(w))
		w->env->end(w, WIRE_REFUSED, errno, NULL);
}

static void connect_ready(struct wire *w)
{
	int failure = 0;
	socklen_t len = sizeof(failure);

	if (getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &failure, &len) != 0)
		failure = errno;
	if (failure == 0) {
		connected(w);
		return;
	}
	pawl__wire_close(w);
	w->addr++;
	if (!connect_next(w))
		w->env->end(w, WIRE_REFUSED, failure, NULL);
}

/* --- receiving --- */

/* When the kernel got these bytes, of CLOCK_MONOTONIC; 0 = it does not say. */
static int64_t stamp_of(const struct wire *w, struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		struct timespec ts[3];
		int64_t at_ns;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPING)
			continue;
		memcpy(ts, CMSG_DATA(c), sizeof(ts));
		if (ts[0].tv_sec == 0)
			return 0;
		at_ns = (int64_t)ts[0].tv_sec * 1000000000 + ts[0].tv_nsec -
		        w->env->real_to_mono_ns;
		if (at_ns < w->env->now_ns - STAMP_OLD_NS || at_ns > w->env->now_ns + STAMP_OLD_NS)
			return 0;
		return at_ns;
	}
	return 0;
}

/* Deciphered bytes, as long as there are any. */
static void tls_bytes(struct wire *w, const char *data, size_t len, int64_t at_ns, bool kernel)
{
	char text[WIRE_TEXT_MAX];

	if (BIO_write(SSL_get_rbio(w->ssl), data, (int)len) != (int)len) {
		wire_fail(w, WIRE_PROTOCOL, 0, "TLS: no memory");
		return;
	}
	if (w->state == WIRE_HANDSHAKE && (!handshake_step(w) || w->state != WIRE_UP))
		return;
	while (w->state == WIRE_UP) {
		char *plain = w->env->scratch + WIRE_SCRATCH_LEN; /* its second half */
		int n, error;

		ERR_clear_error();
		n = SSL_read(w->ssl, plain, (int)WIRE_SCRATCH_LEN);
		if (n > 0) {
			w->received += (uint64_t)n;
			w->env->bytes(w, plain, (size_t)n, at_ns, kernel);
			continue;
		}
		error = SSL_get_error(w->ssl, n);
		if (error == SSL_ERROR_WANT_READ) {
			if (w->held.len == 0 && tls_take(w, &w->out)) /* (1) */
				pawl__wire_flush(w);
			return;
		}
		if (error == SSL_ERROR_ZERO_RETURN) {
			wire_fail(w, WIRE_EOF, 0, NULL);
			return;
		}
		tls_trouble(w, "TLS", text);
		wire_fail(w, WIRE_PROTOCOL, 0, text);
		return;
	}
}

static void receive(struct wire *w)
{
	union {
		struct cmsghdr align;
		char bytes[256];
	} control;
	struct iovec iov = { w->env->scratch, WIRE_SCRATCH_LEN };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int64_t at_ns = 0;
	ssize_t n;

	if (w->stamped) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof(control.bytes);
	}
	do
		n = recvmsg(w->fd, &msg, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		if (errno != EAGAIN)
			wire_fail(w, WIRE_RESET, errno, NULL);
		return;
	}
	if (n == 0) {
		wire_fail(w, WIRE_EOF, 0, NULL);
		return;
	}
	if (w->stamped)
		at_ns = stamp_of(w, &msg);
	const bool kernel = at_ns != 0;

	if (!kernel)
		at_ns = pawl__clock_mono_ns();
	if (w->ssl != NULL) {
		tls_bytes(w, w->env->scratch, (size_t)n, at_ns, kernel);
		return;
	}
	w->received += (uint64_t)n;
	w->env->bytes(w, w->env->scratch, (size_t)n, at_ns, kernel);
}

void pawl__wire_events(struct wire *w, uint32_t events)
{
	if (w->state == WIRE_CLOSED || w->turn == w->env->turn)
		return; /* an event of the connection before this one */
	if (w->state == WIRE_CONNECTING) {
		connect_ready(w);
		return;
	}
	/* What has come is read before a failure to write is looked at: an early answer is often
	 * followed by a reset. */
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		receive(w);
	if ((events & EPOLLOUT) && (w->state == WIRE_UP || w->state == WIRE_HANDSHAKE) &&
	    !send_out(w) && !(events & EPOLLIN))
		wire_fail(w, WIRE_RESET, errno, NULL);
}

/* --- life --- */

void pawl__wire_init(struct wire *w, struct wire_env *env)
{
	*w = (struct wire){ .env = env, .fd = -1 };
	pawl__buf_init(&w->out, WIRE_OUT_MAX);
	pawl__buf_init(&w->held, WIRE_OUT_MAX);
}

void pawl__wire_close(struct wire *w)
{
	if (w->fd >= 0) {
		(void)epoll_ctl(w->env->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
		(void)close(w->fd);
	}
	w->fd = -1;
	w->state = WIRE_CLOSED;
	w->watched = 0;
	SSL_free(w->ssl);
	w->ssl = NULL;
	pawl__buf_reset(&w->out);
	pawl__buf_reset(&w->held);
	w->out_at = 0;
}

void pawl__wire_deinit(struct wire *w)
{
	pawl__wire_close(w);
	pawl__buf_deinit(&w->out);
	pawl__buf_deinit(&w->held);
}
