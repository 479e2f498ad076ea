/* SPDX-License-Identifier: Apache-2.0 */
#include "stamp_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNS_MAX  8192
#define STAMPS_MAX 65536
#define IN_MAX     ((size_t)1 << 20)
#define READ_LEN   65536
#define MAGIC      "PRI * HTTP/2.0"

struct conn {
	int fd, index;
	struct stamp_server *server;
	SSL *ssl;
	nghttp2_session *h2;
	char *in; /* HTTP/1.1 */
	size_t in_len;
};

struct stamp_server {
	struct stamp_config config;
	SSL_CTX *tls;
	int listen_fd, epoll_fd, stop_fd;
	pthread_t thread;
	struct conn *conns[CONNS_MAX];
	uint64_t reads;
	_Atomic uint64_t bytes_in, bytes_out;
	pthread_mutex_t lock; /* of stamps */
	struct stamp stamps[STAMPS_MAX];
	size_t stamps_len;
};

static int64_t now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void note(struct conn *c)
{
	struct stamp_server *s = c->server;
	const int64_t at_ns = now_ns();

	(void)pthread_mutex_lock(&s->lock);
	if (s->stamps_len < STAMPS_MAX)
		s->stamps[s->stamps_len++] = (struct stamp){ at_ns, s->reads, c->index };
	(void)pthread_mutex_unlock(&s->lock);
}

static void conn_close(struct conn *c)
{
	c->server->conns[c->index] = NULL;
	nghttp2_session_del(c->h2);
	SSL_free(c->ssl);
	(void)close(c->fd);
	free(c->in);
	free(c);
}

/* Sockets are non-blocking; what does not fit waits, as the answers here are short. */
static bool raw_send(struct conn *c, const char *data, size_t len)
{
	while (len > 0) {
		const ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN) {
			const struct timespec ts = { 0, 100000 };

			(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
		} else if (n <= 0) {
			return false;
		} else {
			data += n;
			len -= (size_t)n;
		}
	}
	return true;
}

static bool tls_flush(struct conn *c)
{
	char bytes[READ_LEN];
	int n;

	while ((n = BIO_read(SSL_get_wbio(c->ssl), bytes, sizeof(bytes))) > 0) {
		if (!raw_send(c, bytes, (size_t)n))
			return false;
	}
	return true;
}

static bool conn_send(struct conn *c, const char *data, size_t len)
{
	c->server->bytes_out += len;
	if (c->ssl == NULL)
		return raw_send(c, data, len);
	return SSL_write(c->ssl, data, (int)len) == (int)len && tls_flush(c);
}

/* --- HTTP/1.1 --- */

static bool stamps_tell(struct conn *c)
{
	struct stamp_server *s = c->server;
	char *text = malloc(STAMPS_MAX * 48), head[128];
	size_t at = 0;
	int n;
	bool good;

	if (text == NULL)
		return false;
	(void)pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->stamps_len; i++)
		at += (size_t)snprintf(text + at, 48, "%lld %llu %d\n",
		                       (long long)s->stamps[i].at_ns,
		                       (unsigned long long)s->stamps[i].read, s->stamps[i].conn);
	s->stamps_len = 0;
	(void)pthread_mutex_unlock(&s->lock);
	n = snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", at);
	good = conn_send(c, head, (size_t)n) && conn_send(c, text, at);
	free(text);
	return good;
}

static bool http1_answer(struct conn *c, const char *head)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

	if (strncmp(head, "GET /stamps ", 12) == 0)
		return stamps_tell(c);
	note(c);
	/* Who speaks HTTP/1.0 waits for the end of the connection. */
	return conn_send(c, answer, sizeof(answer) - 1) &&
	       (strstr(head, " HTTP/1.0\r\n") == NULL || strcasestr(head, "keep-alive") != NULL);
}

static bool http1_bytes(struct conn *c, const char *data, size_t len)
{
	if (len > IN_MAX - c->in_len)
		return false;
	memcpy(c->in + c->in_len, data, len);
	c->in_len += len;
	for (;;) {
		const char *length;
		size_t all;
		char *end;

		c->in[c->in_len] = '\0';
		end = strstr(c->in, "\r\n\r\n");
		if (end == NULL)
			return true;
		length = strcasestr(c->in, "\ncontent-length:");
		all = (size_t)(end - c->in) + 4 +
		      (length != NULL && length < end ? strtoul(length + 16, NULL, 10) : 0);
		if (c->in_len < all)
			return true;
		if (!http1_answer(c, c->in))
			return false;
		c->in_len -= all;
		memmove(c->in, c->in + all, c->in_len);
	}
}

/* --- HTTP/2 --- */

static bool h2_flush(struct conn *c)
{
	for (;;) {
		const uint8_t *bytes;
		const ssize_t n = nghttp2_session_mem_send(c->h2, &bytes);

		if (n <= 0)
			return n == 0;
		if (!conn_send(c, (const char *)bytes, (size_t)n))
			return false;
	}
}

/* NOLINTNEXTLINE(readability-function-size): nghttp2 prescribes the parameters */
static ssize_t h2_body(nghttp2_session *session, int32_t stream, uint8_t *to, size_t len,
                       uint32_t *flags, nghttp2_data_source *source, void *data)
{
	(void)session, (void)stream, (void)source, (void)data, (void)len;
	to[0] = '{';
	to[1] = '}';
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	return 2;
}

static void h2_answer(struct conn *c, int32_t stream)
{
	static uint8_t names[][8] = { ":status", "x-kind" }, values[][8] = { "200", "stamp" };
	const nghttp2_nv nv[] = { { names[0], values[0], 7, 3, 0 },
		                  { names[1], values[1], 6, 5, 0 } };
	const nghttp2_data_provider body = { .read_callback = h2_body };

	(void)nghttp2_submit_response(c->h2, stream, nv, 2, &body);
}

static int h2_frame(nghttp2_session *session, const nghttp2_frame *frame, void *data)
{
	struct conn *c = data;
	const struct stamp_config *config = &c->server->config;
	const bool head = frame->hd.type == NGHTTP2_HEADERS;
	const bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

	if ((!head && frame->hd.type != NGHTTP2_DATA) || config->silent)
		return 0;
	if (head && config->goaway)
		return nghttp2_submit_goaway(session, 0, 0, NGHTTP2_ENHANCE_YOUR_CALM, NULL, 0);
	if (head && config->early)
		h2_answer(c, frame->hd.stream_id);
	if (!end)
		return 0;
	note(c);
	if (config->reset)
		return nghttp2_submit_rst_stream(session, 0, frame->hd.stream_id,
		                                 NGHTTP2_REFUSED_STREAM);
	if (!config->early)
		h2_answer(c, frame->hd.stream_id);
	return 0;
}

static bool h2_begin(struct conn *c)
{
	const uint32_t max = c->server->config.max_streams;
	const nghttp2_settings_entry settings = { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
		                                  max == 0 ? 250 : max };
	nghttp2_session_callbacks *calls;
	bool good;

	if (nghttp2_session_callbacks_new(&calls) != 0)
		return false;
	nghttp2_session_callbacks_set_on_frame_recv_callback(calls, h2_frame);
	good = nghttp2_session_server_new(&c->h2, calls, c) == 0;
	nghttp2_session_callbacks_del(calls);
	return good && nghttp2_submit_settings(c->h2, 0, &settings, 1) == 0;
}

/* --- connections --- */

static bool plain_bytes(struct conn *c, const char *data, size_t len)
{
	const struct stamp_config *config = &c->server->config;

	c->server->bytes_in += len;
	if (c->h2 == NULL && c->in_len == 0 && len >= sizeof(MAGIC) - 1 && !config->only_http1 &&
	    memcmp(data, MAGIC, sizeof(MAGIC) - 1) == 0 && !h2_begin(c))
		return false;
	if (c->h2 == NULL)
		return http1_bytes(c, data, len);
	return nghttp2_session_mem_recv(c->h2, (const uint8_t *)data, len) == (ssize_t)len &&
	       h2_flush(c);
}

static bool tls_bytes(struct conn *c, const char *data, size_t len)
{
	char plain[READ_LEN];
	int n;

	(void)BIO_write(SSL_get_rbio(c->ssl), data, (int)len);
	if (!SSL_is_init_finished(c->ssl)) {
		n = SSL_do_handshake(c->ssl);
		if (!tls_flush(c) || (n != 1 && SSL_get_error(c->ssl, n) != SSL_ERROR_WANT_READ))
			return false;
		if (n != 1)
			return true;
	}
	while ((n = SSL_read(c->ssl, plain, sizeof(plain))) > 0) {
		if (!plain_bytes(c, plain, (size_t)n))
			return false;
	}
	return tls_flush(c) && SSL_get_error(c->ssl, n) == SSL_ERROR_WANT_READ;
}

static void conn_ready(struct conn *c)
{
	char bytes[READ_LEN];
	const ssize_t n = recv(c->fd, bytes, sizeof(bytes), 0);

	if (n < 0 && errno == EAGAIN)
		return;
	c->server->reads++;
	if (n <= 0 ||
	    !(c->ssl != NULL ? tls_bytes(c, bytes, (size_t)n) : plain_bytes(c, bytes, (size_t)n)))
		conn_close(c);
}

static void conn_accept(struct stamp_server *s)
{
	const int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), one = 1;
	struct epoll_event ev = { .events = EPOLLIN };
	struct conn *c;
	int at = 0;

	if (fd < 0)
		return;
	while (at < CONNS_MAX && s->conns[at] != NULL)
		at++;
	c = at == CONNS_MAX ? NULL : calloc(1, sizeof(*c));
	if (c == NULL || (c->in = malloc(IN_MAX + 1)) == NULL) {
		free(c);
		(void)close(fd);
		return;
	}
	c->fd = fd;
	c->index = at;
	c->server = s;
	s->conns[at] = c;
	ev.data.ptr = c;
	(void)setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &one, sizeof(one));
	(void)epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &ev);
	if (s->tls == NULL)
		return;
	c->ssl = SSL_new(s->tls);
	SSL_set_bio(c->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_accept_state(c->ssl);
}

static void *server_run(void *data)
{
	struct stamp_server *s = data;
	struct epoll_event events[64];

	for (;;) {
		const int n = epoll_wait(s->epoll_fd, events, 64, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr == &s->listen_fd)
				conn_accept(s);
			else if (events[i].data.ptr == &s->stop_fd)
				return NULL;
			else
				conn_ready(events[i].data.ptr);
		}
	}
}

/* --- life --- */

static int alpn_choose(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                       const unsigned char *in, unsigned in_len, void *data)
{
	const struct stamp_server *s = data;

	(void)ssl;
	if (s->config.only_http1 ||
	    SSL_select_next_proto((unsigned char **)(uintptr_t)out, out_len,
	                          (const unsigned char *)"\x02h2\x08http/1.1", 12, in,
	                          in_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_NOACK;
	return SSL_TLSEXT_ERR_OK;
}

static bool tls_begin(struct stamp_server *s)
{
	if (s->config.cert_file == NULL)
		return true;
	s->tls = SSL_CTX_new(TLS_server_method());
	if (s->tls == NULL ||
	    SSL_CTX_use_certificate_file(s->tls, s->config.cert_file, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_use_PrivateKey_file(s->tls, s->config.key_file, SSL_FILETYPE_PEM) != 1)
		return false;
	SSL_CTX_set_alpn_select_cb(s->tls, alpn_choose, s);
	return true;
}

static int listen_any(uint16_t *ret_port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
		                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 ||
	    listen(fd, 4096) != 0 || getsockname(fd, (struct sockaddr *)&addr, &len) != 0) {
		perror("stamp_server");
		return -1;
	}
	*ret_port = ntohs(addr.sin_port);
	return fd;
}

struct stamp_server *stamp_server_start(const struct stamp_config *config, uint16_t *ret_port)
{
	struct stamp_server *s = calloc(1, sizeof(*s));
	struct epoll_event ev = { .events = EPOLLIN };

	if (s == NULL)
		return NULL;
	s->config = *config;
	(void)pthread_mutex_init(&s->lock, NULL);
	s->listen_fd = listen_any(ret_port);
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	s->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (s->listen_fd < 0 || s->epoll_fd < 0 || s->stop_fd < 0 || !tls_begin(s)) {
		free(s);
		return NULL;
	}
	ev.data.ptr = &s->listen_fd;
	(void)epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->listen_fd, &ev);
	ev.data.ptr = &s->stop_fd;
	(void)epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->stop_fd, &ev);
	if (pthread_create(&s->thread, NULL, server_run, s) != 0) {
		free(s);
		return NULL;
	}
	return s;
}

void stamp_server_stop(struct stamp_server *s)
{
	const uint64_t one = 1;

	(void)!write(s->stop_fd, &one, sizeof(one));
	(void)pthread_join(s->thread, NULL);
	for (int i = 0; i < CONNS_MAX; i++) {
		if (s->conns[i] != NULL)
			conn_close(s->conns[i]);
	}
	SSL_CTX_free(s->tls);
	(void)close(s->listen_fd);
	(void)close(s->epoll_fd);
	(void)close(s->stop_fd);
	free(s);
}

size_t stamp_server_take(struct stamp_server *s, struct stamp *ret, size_t max)
{
	size_t n;

	(void)pthread_mutex_lock(&s->lock);
	n = s->stamps_len < max ? s->stamps_len : max;
	memcpy(ret, s->stamps, n * sizeof(*ret));
	s->stamps_len = 0;
	(void)pthread_mutex_unlock(&s->lock);
	return n;
}

void stamp_server_bytes(struct stamp_server *s, uint64_t *ret_in, uint64_t *ret_out)
{
	*ret_in = s->bytes_in;
	*ret_out = s->bytes_out;
}

bool stamp_server_cert(const char *cert_file, const char *key_file, const char *names)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
	FILE *f;
	bool good;

	(void)ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	(void)X509_set_version(cert, X509_VERSION_3);
	(void)X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	(void)X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
	(void)X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	                                 (const unsigned char *)"localhost", -1, -1, 0);
	(void)X509_set_issuer_name(cert, name);
	(void)X509_set_pubkey(cert, key);
	(void)X509_add_ext(cert, ext, -1);
	good = X509_sign(cert, key, EVP_sha256()) > 0;
	f = fopen(cert_file, "we");
	good = good && f != NULL && PEM_write_X509(f, cert) == 1;
	if (f != NULL)
		(void)fclose(f);
	f = fopen(key_file, "we");
	good = good && f != NULL && PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1;
	if (f != NULL)
		(void)fclose(f);
	X509_EXTENSION_free(ext);
	X509_free(cert);
	EVP_PKEY_free(key);
	return good;
}
