/* SPDX-License-Identifier: Apache-2.0 */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/num.h"
#include "race/builtin/session.h"

#define WORDS_MAX    24
#define NUMBER_MAX   24
#define PORT_DEFAULT 6379

struct session {
	redisContext *ctx;
	redisReply *reply; /* what the last reply points into */
	char numbers[REPLY_CELLS_MAX][NUMBER_MAX];
};

static void redis_close(struct session *s)
{
	if (s == NULL)
		return;
	if (s->reply != NULL)
		freeReplyObject(s->reply);
	if (s->ctx != NULL)
		redisFree(s->ctx);
	free(s);
}

/* ---- redis://[[user]:password@]host[:port][/db] ---- */

struct place {
	char text[SESSION_URL_MAX]; /* the parts, each ended by NUL */
	const char *user, *password, *host, *db;
	int port;
};

static bool place_port(struct place *p, const char *text)
{
	int64_t port;

	if (!pawl__num_parse_i64(pawl__str_of(text), &port) || port < 1 || port > 65535)
		return false;
	p->port = (int)port;
	return true;
}

static bool place_parse(const char *url, struct place *p)
{
	const char *rest = url + strlen("redis://");
	char *at, *host, *mark;

	*p = (struct place){ .port = PORT_DEFAULT };
	if (strlen(rest) >= sizeof(p->text))
		return false;
	(void)snprintf(p->text, sizeof(p->text), "%s", rest);
	host = p->text;
	at = strrchr(p->text, '@');
	if (at != NULL) {
		*at = '\0';
		host = at + 1;
		mark = strchr(p->text, ':');
		p->password = mark == NULL ? p->text : mark + 1;
		if (mark != NULL && mark > p->text)
			p->user = p->text;
		if (mark != NULL)
			*mark = '\0';
	}
	mark = strchr(host, '/');
	if (mark != NULL) {
		*mark = '\0';
		p->db = mark[1] == '\0' ? NULL : mark + 1;
	}
	mark = strrchr(host, ':');
	if (mark != NULL) {
		*mark = '\0';
		if (!place_port(p, mark + 1))
			return false;
	}
	p->host = host;
	return host[0] != '\0';
}

static bool order(struct session *s, int argc, const char **argv)
{
	redisReply *r = redisCommandArgv(s->ctx, argc, argv, NULL);
	const bool well = r != NULL && r->type != REDIS_REPLY_ERROR;

	if (r != NULL)
		freeReplyObject(r);
	return well;
}

static bool enter(struct session *s, const struct place *p)
{
	const char *with_user[] = { "AUTH", p->user, p->password };
	const char *without[] = { "AUTH", p->password };
	const char *db[] = { "SELECT", p->db };

	if (p->password != NULL && p->user != NULL && !order(s, 3, with_user))
		return false;
	if (p->password != NULL && p->user == NULL && !order(s, 2, without))
		return false;
	return p->db == NULL || order(s, 2, db);
}

static enum pawl_status redis_open(const char *url, struct session **ret, struct pawl_error *err)
{
	const struct timeval connect = { .tv_sec = 10 };
	const struct timeval answer = { .tv_sec = (time_t)(SESSION_TIMEOUT_US / 1000000) };
	struct session *s;
	struct place place;

	if (!place_parse(url, &place))
		return pawl__error_set(err, PAWL_E_CONFIG,
		                       "not redis://[[user]:password@]host[:port][/db]");
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for a session");
	s->ctx = redisConnectWithTimeout(place.host, place.port, connect);
	if (s->ctx == NULL || s->ctx->err != 0 || redisSetTimeout(s->ctx, answer) != REDIS_OK) {
		redis_close(s);
		return pawl__error_set(err, PAWL_E_IO, "Redis cannot be reached");
	}
	if (!enter(s, &place)) {
		redis_close(s);
		return pawl__error_set(err, PAWL_E_IO, "Redis refused AUTH or SELECT");
	}
	*ret = s;
	return PAWL_OK;
}

/* Words with one space between; a word in single quotes may have spaces. */
static int words(char *text, const char *ret[WORDS_MAX])
{
	int n = 0;

	for (char *p = text; *p != '\0' && n < WORDS_MAX;) {
		const char stop = *p == '\'' ? '\'' : ' ';

		p += stop == '\'' ? 1 : 0;
		ret[n++] = p;
		p = strchr(p, stop);
		if (p == NULL)
			return n;
		*p++ = '\0';
		if (stop == '\'' && *p == ' ')
			p++;
	}
	return n;
}

static void put_cell(struct session *s, const redisReply *r, struct reply *ret)
{
	const size_t i = ret->cells_len;

	if (i == REPLY_CELLS_MAX)
		return;
	ret->cells_len++;
	if (r->type == REDIS_REPLY_INTEGER) {
		const int n = snprintf(s->numbers[i], NUMBER_MAX, "%lld", r->integer);

		ret->cells[i] = (struct str){ s->numbers[i], (size_t)n };
	} else if (r->type == REDIS_REPLY_NIL || r->str == NULL) {
		ret->cells[i] = (struct str){ "", 0 };
	} else {
		ret->cells[i] = (struct str){ r->str, r->len };
	}
}

static void take(struct session *s, struct reply *ret)
{
	const redisReply *r = s->reply;

	switch (r->type) {
	case REDIS_REPLY_ERROR:
		pawl__reply_fail(ret, REPLY_ERROR, r->str);
		return;
	case REDIS_REPLY_NIL:
		return;
	case REDIS_REPLY_ARRAY:
		ret->rows = (int64_t)r->elements;
		for (size_t i = 0; i < r->elements; i++)
			put_cell(s, r->element[i], ret);
		return;
	default:
		ret->rows = 1;
		put_cell(s, r, ret);
	}
}

static void redis_exec(struct session *s, struct str text, const char *pick, struct reply *ret)
{
	const char *argv[WORDS_MAX];
	char *copy = strndup(text.ptr, text.len);
	int argc;

	(void)pick;
	reply_init(ret, REPLY_OK);
	if (copy == NULL) {
		pawl__reply_fail(ret, REPLY_ERROR, "no memory for a command");
		return;
	}
	if (s->reply != NULL)
		freeReplyObject(s->reply);
	argc = words(copy, argv);
	s->reply = s->ctx->err != 0 ? NULL : redisCommandArgv(s->ctx, argc, argv, NULL);
	free(copy);
	if (s->reply == NULL)
		pawl__reply_fail(ret, REPLY_LOST, "the connection to Redis is lost");
	else
		take(s, ret);
}

#define MARK "pawl_race:mark"

/* A batch of our keys, the mark left out; false: there are none. */
static bool clean_batch(struct session *s)
{
	static const char script[] =
		"EVAL 'local c = \"0\" local d = 0 repeat local r = redis.call(\"SCAN\", c, "
		"\"MATCH\", \"pawl_race:*\", \"COUNT\", 1000) c = r[1] for _, k in ipairs(r[2]) do "
		"if k ~= KEYS[1] then redis.call(\"DEL\", k) d = d + 1 end end until c == \"0\" "
		"return d' 1 " MARK;
	struct reply r;

	redis_exec(s, pawl__str_of(script), NULL, &r);
	return r.class == REPLY_OK && r.cells_len == 1 && !str_eq(r.cells[0], STR("0"));
}

static void redis_clean(struct session *s)
{
	struct reply r;

	(void)clean_batch(s);
	redis_exec(s, STR("DEL " MARK), NULL, &r);
}

static enum pawl_status redis_prepare(struct session *s, struct pawl_error *err)
{
	struct reply r;

	redis_exec(s,
	           STR("EVAL 'if redis.call(\"EXISTS\", KEYS[1]) == 1 then return 0 end local c = "
	               "\"0\" repeat local r = redis.call(\"SCAN\", c, \"MATCH\", "
	               "\"pawl_race:*\", \"COUNT\", 1000) if #r[2] > 0 then return 1 end c = r[1] "
	               "until c == \"0\" return 0' 1 " MARK),
	           NULL, &r);
	if (r.class != REPLY_OK)
		return pawl__error_set(err, PAWL_E_IO, "Redis: %s", r.text);
	if (r.cells_len != 1 || !str_eq(r.cells[0], STR("0")))
		return pawl__error_set(err, PAWL_E_CONFIG,
		                       "the Redis has keys pawl_race:* that are not of a race: "
		                       "take another database, or rename them");
	(void)clean_batch(s);
	redis_exec(s, STR("SET " MARK " scratch"), NULL, &r);
	return r.class == REPLY_OK ? PAWL_OK : pawl__error_set(err, PAWL_E_IO, "Redis: %s", r.text);
}

static void redis_describe(struct session *s, struct buf *out)
{
	static const char key[] = "redis_version:";
	struct reply r;
	const char *at;

	buf_lit(out, "Redis");
	redis_exec(s, STR("INFO server"), NULL, &r);
	at = r.class == REPLY_OK && r.cells_len == 1 ? strstr(r.cells[0].ptr, key) : NULL;
	if (at == NULL)
		return;
	at += strlen(key);
	buf_lit(out, " ");
	pawl__buf_put(out, at, strspn(at, "0123456789."));
}

static uint32_t redis_room(struct session *s)
{
	struct reply r;
	int64_t most;

	redis_exec(s, STR("CONFIG GET maxclients"), NULL, &r);
	if (r.class != REPLY_OK || r.cells_len != 2 || !pawl__num_parse_i64(r.cells[1], &most))
		return UINT32_MAX;
	return most > 64 ? (uint32_t)(most - 32) : 1;
}

const struct store_ops pawl__store_redis = {
	.kind = STORE_REDIS,
	.prefix = "pawl_race:",
	.open = redis_open,
	.close = redis_close,
	.exec = redis_exec,
	.prepare = redis_prepare,
	.clean = redis_clean,
	.describe = redis_describe,
	.room = redis_room,
};
