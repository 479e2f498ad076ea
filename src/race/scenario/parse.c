/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "race/scenario/bind.h"

#define NAME_TEXT_MAX  64
#define ABOUT_TEXT_MAX 2000
#define TIMEOUT_US     INT64_C(10000000)
#define CLIENTS        32
#define ROUNDS         20

static enum pawl_status take_list(struct parse *p, const struct tree *v, void *at,
                                  enum name_owner owner, uint32_t allowed)
{
	const struct member m = { .max = SCENARIO_STEPS_MAX };

	p->owner = owner;
	p->allowed = allowed;
	return pawl__take_steps(p, &m, v, at);
}

static enum pawl_status take_round_steps(struct parse *p, const struct member *m,
                                         const struct tree *v, void *at)
{
	(void)m;
	return take_list(p, v, at, OWNER_ROUND, HOLES_ROUND);
}

static enum pawl_status take_client_steps(struct parse *p, const struct member *m,
                                          const struct tree *v, void *at)
{
	(void)m;
	return take_list(p, v, at, OWNER_CLIENT, HOLES_CLIENT);
}

static enum pawl_status take_warm_up(struct parse *p, const struct member *m, const struct tree *v,
                                     void *at)
{
	struct steps *steps = at;
	enum pawl_status st;

	(void)m;
	p->allowed = HOLES_ROUND;
	steps->at = arena_new(p->arena, struct step);
	if (steps->at == NULL)
		return pawl__bind_nomem(p);
	st = pawl__step_parse(p, v, steps->at);
	if (st == PAWL_OK && steps->at->kind != STEP_HTTP)
		return pawl__bind_refuse(p, v, "must be a request to the target");
	if (st == PAWL_OK && steps->at->captures_len > 0)
		return pawl__bind_refuse(p, v, "cannot capture");
	steps->len = 1;
	return st;
}

static enum pawl_status requests_parse(struct parse *p, const struct tree *v, uint32_t len,
                                       const struct tree *first)
{
	struct scenario *s = p->s;
	enum pawl_status st = PAWL_OK;

	p->allowed = HOLES_CLIENT;
	p->owner = OWNER_CLIENT;
	p->in_race = true;
	s->requests = arena_array(p->arena, struct step, len);
	if (s->requests == NULL)
		return pawl__bind_nomem(p);
	for (const struct tree *child = first; child != NULL && st == PAWL_OK;
	     child = child->sibling) {
		st = pawl__step_parse(p, child, &s->requests[s->requests_len]);
		for (uint32_t i = 0; i < s->requests_len && st == PAWL_OK; i++) {
			if (str_eq(s->requests[i].name, s->requests[s->requests_len].name))
				st = pawl__tree_refuse(p->err, child, 0, "needs a name of its own");
		}
		s->requests_len++;
		if (s->requests_len == len)
			break;
	}
	p->in_race = false;
	(void)v;
	return st;
}

static enum pawl_status take_request(struct parse *p, const struct member *m, const struct tree *v,
                                     void *at)
{
	(void)m, (void)at;
	return requests_parse(p, v, 1, v);
}

static enum pawl_status take_requests(struct parse *p, const struct member *m, const struct tree *v,
                                      void *at)
{
	(void)m, (void)at;
	if (p->s->requests_len > 0)
		return pawl__bind_refuse(p, v, "cannot stand beside request");
	if (v->kind != TREE_LIST || v->len == 0 || v->len > SCENARIO_REQUESTS_MAX)
		return pawl__bind_refuse(p, v, "must be a list of 1 to %d requests",
		                         SCENARIO_REQUESTS_MAX);
	return requests_parse(p, v, v->len, v->first);
}

static enum pawl_status sync_spread(struct parse *p, const struct tree *v, struct str text)
{
	while (text.len > 0 && (text.ptr[0] == ' ' || text.ptr[0] == ':'))
		text = (struct str){ text.ptr + 1, text.len - 1 };
	if (!pawl__duration_parse(text, &p->s->spread_us) || p->s->spread_us < 1 ||
	    p->s->spread_us > SCENARIO_SPREAD_MAX)
		return pawl__bind_refuse(p, v, "must be a time such as 5ms, up to %llds",
		                         (long long)(SCENARIO_SPREAD_MAX / 1000000));
	p->s->sync = SYNC_SPREAD;
	return PAWL_OK;
}

static enum pawl_status sync_word(struct parse *p, const struct tree *v)
{
	static const char *const words[] = { "last-byte", "single-packet", "none", NULL };
	const struct member m = { .choices = words };
	const struct str spread = STR("spread");
	int at = 0;
	enum pawl_status st;

	if (str_starts(v->text, spread) && v->text.len > spread.len)
		return sync_spread(
			p, v, (struct str){ v->text.ptr + spread.len, v->text.len - spread.len });
	st = pawl__take_choice(p, &m, v, &at);
	if (st != PAWL_OK)
		return st;
	p->s->sync = (enum sync_kind)at;
	p->s->http2 = p->s->http2 || p->s->sync == SYNC_SINGLE_PACKET;
	return PAWL_OK;
}

static enum pawl_status take_sync(struct parse *p, const struct member *m, const struct tree *v,
                                  void *at)
{
	const struct member rate = { .min = 1, .max = SCENARIO_RATE_MAX };
	const struct tree *only = v->first;

	(void)m, (void)at;
	if (v->kind == TREE_SCALAR)
		return sync_word(p, v);
	if (v->kind == TREE_MAP && v->len == 1 && only->kind == TREE_SCALAR) {
		if (str_eq(only->key->text, STR("spread")))
			return sync_spread(p, only, only->text);
		if (str_eq(only->key->text, STR("rate"))) {
			p->s->sync = SYNC_RATE;
			return pawl__take_number(p, &rate, only, &p->s->rate);
		}
	}
	return pawl__bind_refuse(p, v,
	                         "must be last-byte, single-packet, none, {spread: 5ms} or "
	                         "{rate: 500}");
}

static enum pawl_status take_protocol(struct parse *p, const struct member *m, const struct tree *v,
                                      void *at)
{
	static const char *const words[] = { "http1", "http2", NULL };
	const struct member choice = { .choices = words };
	enum pawl_status st;
	int i = 0;

	(void)m, (void)at;
	st = pawl__take_choice(p, &choice, v, &i);
	if (st == PAWL_OK && i == 0 && p->s->http2)
		return pawl__bind_refuse(p, v,
		                         "must be http2: one packet holds no HTTP/1.1 requests "
		                         "of several connections");
	if (st == PAWL_OK)
		p->s->http2 = i == 1;
	return st;
}

static enum pawl_status take_repeat(struct parse *p, const struct member *m, const struct tree *v,
                                    void *at)
{
	(void)m;
	if (v->kind != TREE_SCALAR ||
	    (!str_eq(v->text, STR("until-failure")) && !str_eq(v->text, STR("until failure"))))
		return pawl__bind_refuse(p, v, "must be until-failure");
	*(bool *)at = true;
	return PAWL_OK;
}

#define IN(field) offsetof(struct scenario, field)

static const struct member race_members[] = {
	MEMBER("clients", pawl__take_count, IN(clients), .min = 1, .max = SCENARIO_CLIENTS_MAX),
	MEMBER("rounds", pawl__take_count, IN(rounds), .min = 1, .max = SCENARIO_ROUNDS_MAX),
	MEMBER("repeat", take_repeat, IN(until_failure)),
	MEMBER("sync", take_sync, 0),
	MEMBER("protocol", take_protocol, 0),
	MEMBER("head_start", pawl__take_duration, IN(head_start_us), .max = SCENARIO_HEAD_MAX),
	MEMBER("overlap", pawl__take_number, IN(overlap), .max = SCENARIO_CLIENTS_MAX),
	MEMBER("before", take_client_steps, IN(before)),
	MEMBER("request", take_request, 0),
	MEMBER("requests", take_requests, 0),
	MEMBER("after", take_client_steps, IN(after)),
};

static enum pawl_status requests_check(struct parse *p, const struct tree *v)
{
	const struct scenario *s = p->s;
	int64_t counted = 0, weight = 0;

	if (s->requests_len == 0)
		return pawl__tree_refuse(p->err, v, 0, "race needs \"request\" or \"requests\"");
	for (uint32_t i = 0; i < s->requests_len; i++) {
		counted += s->requests[i].count;
		weight += s->requests[i].weight;
	}
	if (counted > s->clients)
		return pawl__tree_refuse(p->err, v, 0, "the counts are more than the %u clients",
		                         s->clients);
	if (counted < s->clients && weight == 0)
		return pawl__tree_refuse(p->err, v, 0, "the counts are less than the %u clients",
		                         s->clients);
	if (s->overlap > s->clients)
		return pawl__tree_refuse(p->err, pawl__tree_member(v, STR("overlap")), 0,
		                         "overlap must be at most the %u clients", s->clients);
	return PAWL_OK;
}

static enum pawl_status take_race(struct parse *p, const struct member *m, const struct tree *v,
                                  void *at)
{
	const enum pawl_status st =
		pawl__bind(p, v, "race", race_members, ARRAY_LEN(race_members), at);

	(void)m;
	return st == PAWL_OK ? requests_check(p, v) : st;
}

static enum pawl_status take_all_headers(struct parse *p, const struct member *m,
                                         const struct tree *v, void *at)
{
	struct scenario *s = at;
	struct headers_at h = { .len = 0 };
	enum pawl_status st;

	p->allowed = HOLES_CLIENT & ~(1U << HOLE_CLIENT);
	st = pawl__take_headers(p, m, v, &h);
	if (st != PAWL_OK)
		return st;
	memcpy(s->headers, h.at, sizeof(h.at));
	s->headers_len = h.len;
	return PAWL_OK;
}

static enum pawl_status take_target(struct parse *p, const struct member *m, const struct tree *v,
                                    void *at)
{
	const uint32_t allowed = p->allowed;
	enum pawl_status st;

	p->allowed = 1U << HOLE_ENV;
	st = pawl__take_template(p, m, v, at);
	p->allowed = allowed;
	return st;
}

static enum pawl_status take_seed(struct parse *p, const struct member *m, const struct tree *v,
                                  void *at)
{
	int64_t n = 0;
	const enum pawl_status st = pawl__take_number(p, m, v, &n);

	if (st == PAWL_OK)
		*(uint64_t *)at = (uint64_t)n;
	return st;
}

/* In this order, so that names are known before they are used. */
static const struct member scenario_members[] = {
	MEMBER("name", pawl__take_text, IN(name), .max = NAME_TEXT_MAX, .required = true),
	MEMBER("description", pawl__take_text, IN(description), .max = ABOUT_TEXT_MAX),
	MEMBER("target", take_target, IN(target), .required = true),
	MEMBER("verify_tls", pawl__take_flag, IN(verify_tls)),
	MEMBER("timeout", pawl__take_duration, IN(timeout_us), .min = 1000,
	       .max = SCENARIO_TIMEOUT_MAX),
	MEMBER("seed", take_seed, IN(seed), .min = 1, .max = INT64_MAX),
	MEMBER("headers", take_all_headers, 0),
	MEMBER("setup", take_round_steps, IN(setup)),
	MEMBER("warm_up", take_warm_up, IN(warm_up)),
	MEMBER("race", take_race, 0, .required = true),
	MEMBER("expect", pawl__take_expects, 0, .required = true),
	MEMBER("teardown", take_round_steps, IN(teardown)),
};

enum pawl_status pawl__scenario_parse(struct str yaml, struct arena *arena, struct scenario **ret,
                                      struct pawl_error *err)
{
	struct scenario *s = arena_new(arena, struct scenario);
	struct parse p = { .s = s, .arena = arena, .err = err, .allowed = HOLES_ROUND };
	struct tree *root = NULL;
	enum pawl_status st;

	if (s == NULL)
		return pawl__bind_nomem(&p);
	s->arena = s->names.arena = arena;
	s->clients = CLIENTS;
	s->rounds = ROUNDS;
	s->timeout_us = TIMEOUT_US;
	s->verify_tls = true;
	s->overlap = OVERLAP_DEFAULT;
	s->head_start_us = -1;
	st = pawl__tree_parse(yaml, arena, &root, err);
	if (st == PAWL_OK)
		st = pawl__bind(&p, root, "a scenario", scenario_members,
		                ARRAY_LEN(scenario_members), s);
	if (st == PAWL_OK)
		*ret = s;
	return st;
}

static void close_fd(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

enum pawl_status pawl__scenario_read(const char *path, struct arena *arena, struct scenario **ret,
                                     struct pawl_error *err)
{
	PAWL_CLEANUP(close_fd) const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct pawl_error why;
	enum pawl_status st;
	char *mem;
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return pawl__error_native(err, PAWL_E_CONFIG, errno, "%s: cannot be read: %m",
		                          path);
	mem = pawl__arena_alloc(arena, TREE_FILE_MAX + 1);
	if (mem == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
	do {
		n = read(fd, mem + len, TREE_FILE_MAX + 1 - len);
		if (n > 0)
			len += (size_t)n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0)
		return pawl__error_native(err, PAWL_E_CONFIG, errno, "%s: cannot be read: %m",
		                          path);
	st = pawl__scenario_parse((struct str){ mem, len }, arena, ret, &why);
	if (st == PAWL_OK)
		return PAWL_OK;
	return pawl__error_set(err, st, "%s:%s%s", path,
	                       why.text[0] >= '0' && why.text[0] <= '9' ? "" : " ", why.text);
}
