/* SPDX-License-Identifier: Apache-2.0 */
#include "race/load/gate_redis.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/num.h"
#include "net/peer.h"
#include "race/load/gate_core.h"

#define REDIS_PORT 6379
#define SECRET_MAX 256 /* bytes of user and of password */
#define URL_MAX    1024
#define READ_LEN   16384

struct redis_batch {
	struct buf bytes;
	size_t len; /* commands */
	bool failed;
};

struct redis_client {
	int fd;                 /* -1 = lost */
	redisReader *reader;    /* owned */
	struct buf out;         /* from out_at on not written yet */
	size_t out_at, out_end; /* what is held back begins at out_end */
	size_t sent_len;
	size_t replies_len;
	redisReply *replies[GATE_BATCH_MAX];
	char trouble[GATE_TEXT_MAX];
};

struct redis_gate {
	struct gate_core core;
	struct net_peer peer;
	char user[SECRET_MAX], password[SECRET_MAX];
	uint64_t db;
	int64_t open_ns;
	uint32_t conns;
	struct redis_client *clients; /* owned; conns, and the extra one behind them */
	const struct redis_app *app;
	struct gate_result *result;
	struct redis_batch batch;
};

bool pawl__redis_batch_add(struct redis_batch *batch, int argc, const char *const *argv,
                           const size_t *argv_len)
{
	if (batch->len == GATE_BATCH_MAX || argc < 1)
		batch->failed = true;
	if (batch->failed)
		return false;
	pawl__buf_putc(&batch->bytes, '*');
	pawl__buf_i64(&batch->bytes, argc);
	buf_lit(&batch->bytes, "\r\n");
	for (int i = 0; i < argc; i++) {
		const size_t n = argv_len == NULL ? strlen(argv[i]) : argv_len[i];

		pawl__buf_putc(&batch->bytes, '$');
		pawl__buf_u64(&batch->bytes, n);
		buf_lit(&batch->bytes, "\r\n");
		pawl__buf_put(&batch->bytes, argv[i], n);
		buf_lit(&batch->bytes, "\r\n");
	}
	batch->failed = batch->bytes.overflow;
	batch->len += batch->failed ? 0 : 1;
	return !batch->failed;
}

static void trouble_set(struct redis_client *c, const char *text)
{
	const size_t n = strcspn(text, "\r\n"), len = n < GATE_TEXT_MAX ? n : GATE_TEXT_MAX - 1;

	memcpy(c->trouble, text, len);
	c->trouble[len] = '\0';
}

/* --- bytes --- */

/* Up to out_end. False: the connection is gone. */
static bool client_write(struct redis_client *c)
{
	while (c->out_at < c->out_end) {
		const ssize_t n =
			send(c->fd, c->out.data + c->out_at, c->out_end - c->out_at, MSG_NOSIGNAL);

		if (n > 0) {
			c->out_at += (size_t)n;
		} else if (n < 0 && errno == EAGAIN) {
			return true;
		} else if (n < 0 && errno != EINTR) {
			trouble_set(c, strerrordesc_np(errno));
			return false;
		}
	}
	return true;
}

static void replies_clear(struct redis_client *c)
{
	for (size_t i = 0; i < c->replies_len; i++) {
		if (c->replies[i] != NULL)
			freeReplyObject(c->replies[i]);
	}
	c->replies_len = 0;
	c->sent_len = 0;
}

static enum gate_ready client_replies(struct redis_client *c)
{
	for (;;) {
		void *reply = NULL;

		if (redisReaderGetReply(c->reader, &reply) != REDIS_OK) {
			trouble_set(c, "the answer is not Redis");
			return GATE_LOST;
		}
		if (reply == NULL)
			return GATE_WAIT;
		if (c->replies_len == c->sent_len) {
			freeReplyObject(reply);
			trouble_set(c, "an answer that nobody asked for");
			return GATE_LOST;
		}
		c->replies[c->replies_len++] = reply;
		if (c->replies_len < c->sent_len)
			continue;
		if (c->reader->pos == c->reader->len)
			return GATE_ANSWERED;
		trouble_set(c, "an answer that nobody asked for");
		return GATE_LOST;
	}
}

static enum gate_ready client_read(struct redis_client *c)
{
	char bytes[READ_LEN];
	ssize_t n;

	do
		n = recv(c->fd, bytes, sizeof(bytes), 0);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return GATE_WAIT;
	if (n <= 0) {
		trouble_set(c, n == 0 ? "Redis closed the connection" : strerrordesc_np(errno));
		return GATE_LOST;
	}
	if (redisReaderFeed(c->reader, bytes, (size_t)n) != REDIS_OK) {
		trouble_set(c, "no memory for an answer");
		return GATE_LOST;
	}
	return client_replies(c);
}

/* --- connecting --- */

static void client_close(struct redis_client *c)
{
	if (c->fd >= 0)
		(void)close(c->fd);
	c->fd = -1;
	if (c->reader != NULL)
		redisReaderFree(c->reader);
	c->reader = NULL;
	pawl__buf_reset(&c->out);
	c->out_at = 0;
	c->out_end = 0;
}

/* Writes what is queued and waits for sent_len replies, none of which may be an error. */
static enum pawl_status client_greet(struct redis_client *c, int64_t deadline_us,
                                     struct pawl_error *err)
{
	enum gate_ready ready = GATE_WAIT;

	while (ready == GATE_WAIT) {
		const bool writes = c->out_at < c->out_end;
		struct pollfd pfd = { c->fd, (short)(POLLIN | (writes ? POLLOUT : 0)), 0 };
		const int64_t left_us = deadline_us - pawl__clock_mono_us();
		const int n = left_us <= 0 ? 0 : poll(&pfd, 1, (int)(left_us / 1000) + 1);

		if (n == 0)
			return pawl__error_set(err, PAWL_E_IO, "Redis did not answer in time");
		if (n < 0)
			continue;
		if (!client_write(c))
			ready = GATE_LOST;
		else if (pfd.revents & (POLLIN | POLLHUP | POLLERR))
			ready = client_read(c);
	}
	for (size_t i = 0; ready == GATE_ANSWERED && i < c->replies_len; i++) {
		if (c->replies[i]->type != REDIS_REPLY_ERROR)
			continue;
		/* What it says may repeat a name, never a password. */
		trouble_set(c, c->replies[i]->str);
		ready = GATE_LOST;
	}
	replies_clear(c);
	return ready == GATE_ANSWERED
	               ? PAWL_OK
	               : pawl__error_set(err, PAWL_E_IO, "cannot use Redis: %s", c->trouble);
}

static enum pawl_status client_open(struct redis_gate *g, struct redis_client *c,
                                    int64_t deadline_us, struct pawl_error *err)
{
	const char *const auth[] = { "AUTH", g->user[0] != '\0' ? g->user : g->password,
		                     g->password };
	char number[24];
	const char *const select[] = { "SELECT", number }, *const ping[] = { "PING" };
	struct buf b;
	enum pawl_status st;

	if (c->fd >= 0)
		return PAWL_OK;
	st = pawl__peer_connect(&g->peer, deadline_us, &c->fd, err);
	if (st != PAWL_OK)
		return st;
	c->reader = redisReaderCreate();
	pawl__buf_init_fixed(&b, number, sizeof(number) - 1);
	pawl__buf_u64(&b, g->db);
	number[b.len] = '\0';
	pawl__buf_reset(&g->batch.bytes);
	g->batch.len = 0;
	g->batch.failed = false;
	if (g->password[0] != '\0')
		(void)pawl__redis_batch_add(&g->batch, g->user[0] != '\0' ? 3 : 2, auth, NULL);
	if (g->db != 0)
		(void)pawl__redis_batch_add(&g->batch, 2, select, NULL);
	(void)pawl__redis_batch_add(&g->batch, 1, ping, NULL);
	buf_str(&c->out, buf_get(&g->batch.bytes));
	c->out_end = c->out.len;
	c->sent_len = g->batch.len;
	if (c->reader == NULL || g->batch.failed || c->out.overflow)
		st = pawl__error_set(err, PAWL_E_NOMEM, "no memory for a connection");
	else
		st = client_greet(c, deadline_us, err);
	if (st != PAWL_OK)
		client_close(c);
	return st;
}

static enum pawl_status conns_open(struct redis_gate *g, struct pawl_error *err)
{
	const int64_t deadline_us = pawl__clock_mono_us() + g->open_ns / 1000;
	enum pawl_status st = PAWL_OK;

	PRE(g->clients != NULL);
	for (uint32_t i = 0; st == PAWL_OK && i <= g->conns; i++) {
		g->clients[i].trouble[0] = '\0';
		st = client_open(g, &g->clients[i], deadline_us, err);
	}
	return st;
}

/* --- operations of the gate --- */

static int redis_fd(void *db, uint32_t i)
{
	const struct redis_gate *g = db;

	return g->clients[i].fd;
}

static enum gate_ask redis_ask(void *db, const struct gate_turn *turn, struct gate_options *options)
{
	struct redis_gate *g = db;
	struct redis_client *c = &g->clients[turn->client];
	bool more;

	while (c->replies_len < c->sent_len)
		c->replies[c->replies_len++] = NULL;
	for (size_t i = 0; i < c->replies_len; i++) {
		if (c->replies[i] != NULL && c->replies[i]->type == REDIS_REPLY_ERROR)
			g->result->errors++;
	}
	pawl__buf_reset(&g->batch.bytes);
	g->batch.len = 0;
	g->batch.failed = false;
	more = g->app->next(g->app->data, turn, c->replies, c->replies_len, &g->batch, options);
	replies_clear(c);
	if (g->batch.failed)
		return GATE_BROKEN;
	if (!more || g->batch.len == 0)
		return GATE_FINISHED;
	/* A delayed batch waits here, so each client has its own bytes. */
	pawl__buf_reset(&c->out);
	c->out_at = 0;
	c->out_end = 0;
	buf_str(&c->out, buf_get(&g->batch.bytes));
	c->sent_len = g->batch.len;
	return c->out.overflow ? GATE_BROKEN : GATE_FILLED;
}

static bool redis_hold(void *db, uint32_t i)
{
	struct redis_gate *g = db;
	struct redis_client *c = &g->clients[i];

	c->out_end = c->out.len - 1;
	return client_write(c);
}

static bool redis_release(void *db, uint32_t i)
{
	struct redis_gate *g = db;
	struct redis_client *c = &g->clients[i];

	c->out_end = c->out.len;
	return client_write(c);
}

static bool redis_writes(void *db, uint32_t i)
{
	const struct redis_gate *g = db;

	return g->clients[i].out_at < g->clients[i].out_end;
}

static enum gate_ready redis_ready(void *db, uint32_t i)
{
	struct redis_gate *g = db;
	struct redis_client *c = &g->clients[i];

	return client_write(c) ? client_read(c) : GATE_LOST;
}

static void redis_wake(void *db, int step)
{
	static const char bytes[] = "*1\r\n$4\r\nPING\r\n";
	struct redis_gate *g = db;
	const struct redis_client *extra = &g->clients[g->conns];
	char drop[256];

	(void)step;
	if (extra->fd < 0)
		return;
	(void)!recv(extra->fd, drop, sizeof(drop), MSG_DONTWAIT);
	(void)!send(extra->fd, bytes, sizeof(bytes) - 1, MSG_NOSIGNAL);
}

static void redis_lost(void *db, uint32_t i)
{
	struct redis_gate *g = db;

	client_close(&g->clients[i]);
}

static const char *redis_trouble(void *db, uint32_t i)
{
	const struct redis_gate *g = db;

	return g->clients[i].trouble;
}

static const struct gate_ops redis_ops = {
	.fd = redis_fd,
	.ask = redis_ask,
	.send = redis_release,
	.hold = redis_hold,
	.release = redis_release,
	.writes = redis_writes,
	.ready = redis_ready,
	.wake = redis_wake,
	.lost = redis_lost,
	.trouble = redis_trouble,
};

enum pawl_status pawl__redis_gate_run(struct redis_gate *g, const struct gate_plan *plan,
                                      const struct redis_app *app, struct gate_result *ret,
                                      struct pawl_error *err)
{
	enum pawl_status st;

	if (plan->clients > g->conns)
		return pawl__error_set(err, PAWL_E_INVALID, "more clients than connections");
	st = conns_open(g, err);
	if (st != PAWL_OK)
		return st;
	g->app = app;
	g->result = ret;
	st = pawl__gate_run(&g->core, plan, ret, err);
	for (uint32_t i = 0; i < g->conns; i++)
		replies_clear(&g->clients[i]);
	/* The answers to its PINGs may still be on their way. */
	client_close(&g->clients[g->conns]);
	g->app = NULL;
	g->result = NULL;
	return st;
}

void pawl__redis_gate_stop(struct redis_gate *g)
{
	pawl__gate_stop(&g->core);
}

/* --- life --- */

static bool part_copy(struct str s, char ret[SECRET_MAX])
{
	if (s.len >= SECRET_MAX || (s.len > 0 && memchr(s.ptr, '\0', s.len) != NULL))
		return false;
	if (s.len > 0)
		memcpy(ret, s.ptr, s.len);
	ret[s.len] = '\0';
	return true;
}

/* Where c is, from `from` on; s.len = nowhere. */
static size_t find(struct str s, size_t from, char c)
{
	while (from < s.len && s.ptr[from] != c)
		from++;
	return from;
}

static struct str part(struct str s, size_t from, size_t to)
{
	return (struct str){ s.ptr + from, to - from };
}

/* "[[user]:password@]": a password alone may stand without its colon. */
static bool who_parse(struct str who, struct redis_gate *g)
{
	const size_t colon = find(who, 0, ':');

	if (colon == who.len)
		return part_copy(who, g->password);
	return part_copy(part(who, 0, colon), g->user) &&
	       part_copy(part(who, colon + 1, who.len), g->password);
}

static bool url_split(struct str s, struct redis_gate *g, char host[URL_MAX])
{
	size_t from = STR("redis://").len, slash, n;

	/* The last one: a password may have others. */
	for (size_t at = from; (at = find(s, at, '@')) < s.len; at++)
		from = at + 1;
	if (from > STR("redis://").len && !who_parse(part(s, STR("redis://").len, from - 1), g))
		return false;
	slash = find(s, from, '/');
	if (slash + 1 < s.len && !pawl__num_parse_u64(part(s, slash + 1, s.len), &g->db))
		return false;
	n = slash - from;
	memcpy(host, s.ptr + from, n);
	host[n] = '\0';
	return n > 0;
}

static enum pawl_status url_parse(const char *url, struct redis_gate *g, struct pawl_error *err)
{
	const struct str s = { url, strnlen(url, URL_MAX) };
	char host[URL_MAX];

	if (s.len < URL_MAX && str_starts(s, STR("unix:")))
		return pawl__peer_parse(url, 0, &g->peer, err);
	if (s.len == URL_MAX || !str_starts(s, STR("redis://")) || !url_split(s, g, host))
		return pawl__error_set(
			err, PAWL_E_INVALID,
			"Redis is redis://[[user]:password@]host[:port][/db] or unix:/path");
	return pawl__peer_parse(host, REDIS_PORT, &g->peer, err);
}

enum pawl_status pawl__redis_gate_new(const char *url, uint32_t conns, int64_t open_ns,
                                      struct redis_gate **ret_gate, struct pawl_error *err)
{
	struct redis_gate *g;
	enum pawl_status st;

	if (conns == 0 || conns > GATE_CLIENTS_MAX)
		return pawl__error_set(err, PAWL_E_INVALID, "a gate has 1 to %d connections",
		                       GATE_CLIENTS_MAX);
	g = calloc(1, sizeof(*g));
	if (g == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for a gate");
	g->core.epoll_fd = -1;
	g->core.event_fd = -1;
	g->open_ns = open_ns > 0 ? open_ns : GATE_DEADLINE_DEFAULT_NS;
	pawl__buf_init(&g->batch.bytes, GATE_BATCH_BYTES_MAX);
	g->clients = calloc((size_t)conns + 1, sizeof(*g->clients));
	st = g->clients == NULL ? pawl__error_set(err, PAWL_E_NOMEM, "no memory for a gate")
	                        : url_parse(url, g, err);
	for (uint32_t i = 0; g->clients != NULL && i <= conns; i++) {
		g->clients[i].fd = -1;
		pawl__buf_init(&g->clients[i].out, GATE_BATCH_BYTES_MAX);
	}
	if (st == PAWL_OK) {
		g->conns = conns;
		st = conns_open(g, err);
	}
	if (st == PAWL_OK)
		st = pawl__gate_init(&g->core, &redis_ops, g, err);
	if (st != PAWL_OK) {
		pawl__redis_gate_free(g);
		return st;
	}
	*ret_gate = g;
	return PAWL_OK;
}

void pawl__redis_gate_free(struct redis_gate *g)
{
	if (g == NULL)
		return;
	for (uint32_t i = 0; g->clients != NULL && i <= g->conns; i++) {
		replies_clear(&g->clients[i]);
		client_close(&g->clients[i]);
		pawl__buf_deinit(&g->clients[i].out);
	}
	explicit_bzero(g->password, sizeof(g->password));
	pawl__gate_deinit(&g->core);
	pawl__buf_deinit(&g->batch.bytes);
	free(g->clients);
	free(g);
}
