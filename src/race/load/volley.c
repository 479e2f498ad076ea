/* SPDX-License-Identifier: Apache-2.0 */
#include "race/load/volley.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/error.h"

#define OPENING_MAX 64 /* connections under way at one time: many listen with short queues */
#define FDS_SPARE   64 /* descriptors that the rest of the process may need */

const char *pawl__volley_class_name(enum volley_class c)
{
	static const char *const names[VOLLEY_CLASSES] = {
		[VOLLEY_ANSWERED] = "answered",   [VOLLEY_TIMEOUT] = "timed-out",
		[VOLLEY_DRIP] = "slow-drip",      [VOLLEY_RESET] = "reset",
		[VOLLEY_CLOSED] = "closed-early", [VOLLEY_REFUSED] = "refused",
		[VOLLEY_PROTOCOL] = "protocol",   [VOLLEY_MALFORMED] = "malformed",
		[VOLLEY_TOO_LARGE] = "too-large", [VOLLEY_UNSENT] = "unsent",
	};

	PRE((unsigned)c < VOLLEY_CLASSES);
	return names[c];
}

void pawl__volley_trouble(struct volley *v, const char *text, int native)
{
	struct buf b;

	if (v->trouble[0] != '\0')
		return;
	if (text == NULL)
		text = native == 0 ? "the connection was lost" : strerrordesc_np(native);
	pawl__buf_init_fixed(&b, v->trouble, sizeof(v->trouble) - 1);
	buf_str(&b, (struct str){ text, strnlen(text, sizeof(v->trouble) - 1) });
	v->trouble[b.len] = '\0';
}

/* --- looking at what is ready --- */

/* The real clock is read to the microsecond: an answer is never back within so little. */
static void clocks_read(struct wire_env *env)
{
	const int64_t before_ns = pawl__clock_mono_ns();
	const int64_t real_ns = pawl__clock_real_us() * 1000 + 500;

	env->now_ns = pawl__clock_mono_ns();
	env->real_to_mono_ns = real_ns - (before_ns + (env->now_ns - before_ns) / 2);
}

static int wait_events(const struct volley *v, struct epoll_event *events, int64_t wait_ns)
{
	const struct timespec ts = { wait_ns / 1000000000, wait_ns % 1000000000 };
	const int n = epoll_pwait2(v->env.epoll_fd, events, VOLLEY_EVENTS_MAX, &ts, NULL);

	if (n >= 0 || (errno != ENOSYS && errno != EPERM))
		return n;
	/* Linux before 5.11: to the millisecond, never too late. */
	return epoll_wait(v->env.epoll_fd, events, VOLLEY_EVENTS_MAX, (int)(wait_ns / 1000000));
}

enum pawl_status pawl__volley_turn(struct volley *v, int64_t until_ns, struct pawl_error *err)
{
	struct epoll_event events[VOLLEY_EVENTS_MAX];
	int64_t wait_ns = until_ns - pawl__clock_mono_ns();
	int n;

	if (wait_ns < 0 || atomic_load(&v->stopped))
		wait_ns = 0;
	if (wait_ns > INT64_C(60000000000))
		wait_ns = INT64_C(60000000000);
	n = wait_events(v, events, wait_ns);
	if (n < 0 && errno != EINTR)
		return pawl__error_native(err, PAWL_E_IO, errno, "cannot wait for events");
	clocks_read(&v->env);
	v->env.turn++;
	for (int i = 0; i < n; i++) {
		uint64_t count;

		if (events[i].data.ptr != NULL)
			pawl__channel_events(events[i].data.ptr, events[i].events);
		else
			(void)!read(v->event_fd, &count, sizeof(count));
	}
	return PAWL_OK;
}

/* --- what may be sent --- */

static bool token_valid(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		const char c = s.ptr[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL)))
			return false;
	}
	return s.len > 0;
}

static bool value_valid(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		const unsigned char c = (unsigned char)s.ptr[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

/* What decides how a message is delimited, or is of one connection, is the volley's. */
static bool field_ours(struct str name)
{
	static const char *const ours[] = {
		"content-length", "transfer-encoding", "connection", "proxy-connection",
		"keep-alive",     "upgrade",           "te",         "trailer",
		"http2-settings"
	};

	for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
		if (pawl__http1_name_eq(name, pawl__str_of(ours[i])))
			return true;
	}
	return false;
}

static enum pawl_status fields_check(const struct volley_request *r, struct pawl_error *err)
{
	size_t len = 0, hosts = 0;

	if (r->fields_len > PAWL_FIELDS_MAX - 4)
		return pawl__error_set(err, PAWL_E_INVALID, "a request has more than %d fields",
		                       PAWL_FIELDS_MAX - 4);
	for (size_t i = 0; i < r->fields_len; i++) {
		const struct http_field *f = &r->fields[i];

		if (!token_valid(f->name) || !value_valid(f->value))
			return pawl__error_set(err, PAWL_E_INVALID,
			                       "field %zu of a request has a name or a value that "
			                       "HTTP does not allow",
			                       i + 1);
		if (field_ours(f->name))
			return pawl__error_set(
				err, PAWL_E_INVALID,
				"field %zu of a request is written by the tool itself", i + 1);
		hosts += pawl__http1_name_eq(f->name, STR("host")) ? 1 : 0;
		len += f->name.len + f->value.len + 4;
	}
	if (hosts > 1)
		return pawl__error_set(err, PAWL_E_INVALID, "a request has more than one Host");
	if (len > PAWL_HEAD_MAX)
		return pawl__error_set(err, PAWL_E_INVALID, "a request's fields are over %d bytes",
		                       PAWL_HEAD_MAX);
	return PAWL_OK;
}

enum pawl_status pawl__volley_check(const struct volley *v, const struct volley_request *r,
                                    struct pawl_error *err)
{
	if (!token_valid(r->method) || r->method.len > HTTP1_METHOD_MAX ||
	    str_eq(r->method, STR("CONNECT")))
		return pawl__error_set(err, PAWL_E_INVALID,
		                       "a request's method is none, or CONNECT");
	if (r->target.len == 0 || r->target.len > PAWL_HEAD_MAX ||
	    (r->target.ptr[0] != '/' &&
	     !(str_eq(r->target, STR("*")) && str_eq(r->method, STR("OPTIONS")))))
		return pawl__error_set(err, PAWL_E_INVALID, "a request's target begins with '/'");
	for (size_t i = 0; i < r->target.len; i++) {
		if (r->target.ptr[i] <= ' ' || r->target.ptr[i] > '~' || r->target.ptr[i] == '#')
			return pawl__error_set(err, PAWL_E_INVALID,
			                       "byte %zu of a request's target is to be escaped",
			                       i + 1);
	}
	if (r->body.len > VOLLEY_BODY_OUT_MAX)
		return pawl__error_set(err, PAWL_E_INVALID, "a request's body is over %zu bytes",
		                       VOLLEY_BODY_OUT_MAX);
	if (r->conn != VOLLEY_ANY && v->config.proto == VOLLEY_HTTP1 &&
	    r->conn >= (v->config.conns == 0 ? VOLLEY_CONNS_MAX : v->config.conns))
		return pawl__error_set(err, PAWL_E_INVALID,
		                       "a request's connection does not exist");
	return fields_check(r, err);
}

/* --- channels --- */

/* Descriptors for that many connections, if the process may have them. */
static enum pawl_status fds_allow(uint32_t conns, struct pawl_error *err)
{
	struct rlimit limit;
	const rlim_t want = (rlim_t)conns + FDS_SPARE;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= want)
		return PAWL_OK;
	if (limit.rlim_max < want)
		return pawl__error_set(
			err, PAWL_E_IO, "%u connections need %llu open files, the limit is %llu",
			conns, (unsigned long long)want, (unsigned long long)limit.rlim_max);
	limit.rlim_cur = want;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		return pawl__error_native(err, PAWL_E_IO, errno, "cannot raise the limit of files");
	return PAWL_OK;
}

enum pawl_status pawl__volley_grow(struct volley *v, uint32_t len, struct pawl_error *err)
{
	struct channel **channels;
	enum pawl_status st;

	PRE(len <= VOLLEY_CONNS_MAX);
	if (len <= v->channels_len)
		return PAWL_OK;
	st = fds_allow(len, err);
	if (st != PAWL_OK)
		return st;
	channels = realloc(v->channels, len * sizeof(struct channel *));
	if (channels == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for %u connections", len);
	v->channels = channels;
	while (v->channels_len < len) {
		struct channel *c = pawl__channel_new(v, v->channels_len);

		if (c == NULL)
			return pawl__error_set(err, PAWL_E_NOMEM, "no memory for %u connections",
			                       len);
		v->channels[v->channels_len++] = c;
	}
	return PAWL_OK;
}

enum pawl_status pawl__volley_open(struct volley *v, uint32_t len, struct pawl_error *err)
{
	const int64_t deadline_ns = pawl__clock_mono_ns() + v->config.open_ns;
	uint32_t at = 0;
	enum pawl_status st = PAWL_OK;

	while (st == PAWL_OK && (at < len || v->opening > 0)) {
		if (atomic_load(&v->stopped) || pawl__clock_mono_ns() >= deadline_ns)
			break;
		for (; at < len && v->opening < OPENING_MAX; at++) {
			if (v->channels[at]->state == CHANNEL_CLOSED)
				pawl__channel_open(v->channels[at]);
		}
		if (at < len || v->opening > 0)
			st = pawl__volley_turn(v, deadline_ns, err);
	}
	for (uint32_t i = 0; i < len; i++) {
		struct channel *c = v->channels[i];

		if (c->state == CHANNEL_OPENING || c->state == CHANNEL_WARMING) {
			if (!atomic_load(&v->stopped))
				pawl__volley_trouble(v, "the connection was not set up in time", 0);
			pawl__channel_close(
				c, atomic_load(&v->stopped) ? VOLLEY_UNSENT : VOLLEY_TIMEOUT, 0);
		}
	}
	return st;
}

/* --- life --- */

static enum pawl_status tls_new(struct volley *v, struct pawl_error *err)
{
	const char *ca = v->config.ca_file;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	v->env.tls = ctx;
	if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for TLS");
	SSL_CTX_set_verify(ctx, v->config.insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
	/* A peer that closes without saying so in TLS is as common as one that does. */
	SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
	if (v->config.insecure)
		return PAWL_OK;
	if (ca == NULL && SSL_CTX_set_default_verify_paths(ctx) != 1)
		return pawl__error_set(err, PAWL_E_CONFIG,
		                       "the system's certificates cannot be read");
	if (ca != NULL && SSL_CTX_load_verify_file(ctx, ca) != 1) {
		ERR_clear_error();
		return pawl__error_set(
			err, PAWL_E_CONFIG,
			"the CA file cannot be read, or holds no certificate in PEM");
	}
	return PAWL_OK;
}

static enum pawl_status epoll_new(struct volley *v, struct pawl_error *err)
{
	struct epoll_event ev = { .events = EPOLLIN };

	v->env.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	v->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (v->env.epoll_fd < 0 || v->event_fd < 0 ||
	    epoll_ctl(v->env.epoll_fd, EPOLL_CTL_ADD, v->event_fd, &ev) != 0)
		return pawl__error_native(err, PAWL_E_IO, errno, "cannot make the event loop");
	return PAWL_OK;
}

enum pawl_status pawl__volley_new(const struct volley_target *target,
                                  const struct volley_config *config, struct volley **ret_volley,
                                  struct pawl_error *err)
{
	struct volley *v = calloc(1, sizeof(*v));
	enum pawl_status st;

	if (v == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for a volley");
	v->target = *target;
	v->config = *config;
	v->env = (struct wire_env){ .epoll_fd = -1,
		                    .peer = &v->target.peer,
		                    .host = v->target.host,
		                    .h2 = config->proto == VOLLEY_HTTP2 };
	v->event_fd = -1;
	if (v->config.body_max == 0)
		v->config.body_max = VOLLEY_BODY_MAX;
	if (v->config.open_ns <= 0)
		v->config.open_ns = VOLLEY_OPEN_DEFAULT_NS;
	if (v->config.send_ns <= 0)
		v->config.send_ns = VOLLEY_SEND_DEFAULT_NS;
	if (v->config.answer_ns <= 0)
		v->config.answer_ns = VOLLEY_ANSWER_DEFAULT_NS;
	pawl__buf_init(&v->gather, VOLLEY_GATHER_MAX);
	pawl__channel_env(&v->env);
	v->env.scratch = malloc(2 * WIRE_SCRATCH_LEN);
	st = config->conns > VOLLEY_CONNS_MAX
	             ? pawl__error_set(err, PAWL_E_INVALID, "more than %d connections",
	                               VOLLEY_CONNS_MAX)
	             : PAWL_OK;
	if (st == PAWL_OK && v->env.scratch == NULL)
		st = pawl__error_set(err, PAWL_E_NOMEM, "no memory for a volley");
	if (st == PAWL_OK)
		st = epoll_new(v, err);
	if (st == PAWL_OK && target->tls)
		st = tls_new(v, err);
	if (st != PAWL_OK) {
		pawl__volley_free(v);
		return st;
	}
	*ret_volley = v;
	return PAWL_OK;
}

void pawl__volley_free(struct volley *v)
{
	if (v == NULL)
		return;
	v->channel_lost = NULL;
	for (uint32_t i = 0; i < v->channels_len; i++)
		pawl__channel_free(v->channels[i]);
	pawl__channel_free(v->spare);
	free(v->channels);
	if (v->event_fd >= 0)
		(void)close(v->event_fd);
	if (v->env.epoll_fd >= 0)
		(void)close(v->env.epoll_fd);
	SSL_CTX_free(v->env.tls);
	free(v->env.scratch);
	pawl__buf_deinit(&v->gather);
	free(v);
}

void pawl__volley_stop(struct volley *v)
{
	const uint64_t one = 1;

	atomic_store(&v->stopped, true);
	(void)!write(v->event_fd, &one, sizeof(one)); /* fails only when it is set */
}

void pawl__volley_resume(struct volley *v)
{
	atomic_store(&v->stopped, false);
}
