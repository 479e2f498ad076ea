/* SPDX-License-Identifier: Apache-2.0 */
/* A write: its key, its preconditions and its body into a struct tx, into the engine, and back. */
#include <stdlib.h>

#include "api/canon.h"
#include "base/assert.h"
#include "base/error.h"
#include "base/id.h"
#include "server/call.h"
#include "server/fields.h"

#define PENDING_BLOCK 4096u
#define PENDING_MAX   ((size_t)64 << 20) /* a parsed body takes up to 48 times its text */

static struct pending *pending_new(struct server *s)
{
	struct pending *p = s->free_list;

	if (p != NULL) {
		s->free_list = p->next;
		s->free_len--;
	} else {
		p = calloc(1, sizeof(*p));
		if (p == NULL)
			return NULL;
		pawl__arena_init(&p->arena, PENDING_BLOCK, PENDING_MAX);
	}
	p->server = s;
	p->lane = (struct lane_request){ 0 };
	p->tx = (struct tx){ 0 };
	p->one = (struct op_draft){ 0 };
	return p;
}

static void pending_destroy(struct pending *p)
{
	pawl__arena_deinit(&p->arena);
	free(p);
}

static void pending_free(struct pending *p)
{
	struct server *s = p->server;

	if (s->free_len >= PENDING_KEPT) {
		pending_destroy(p);
		return;
	}
	pawl__arena_reset(&p->arena);
	p->next = s->free_list;
	s->free_list = p;
	s->free_len++;
}

/* It was under way, and is answered. */
static void pending_done(struct pending *p)
{
	p->server->pending--;
	p->server->waiting -= p->bytes;
	pending_free(p);
}

void pawl__pending_free_all(struct server *s)
{
	while (s->free_list != NULL) {
		struct pending *p = s->free_list;

		s->free_list = p->next;
		pending_destroy(p);
	}
	s->free_len = 0;
}

/* answers */

static void put_etag(struct buf *b, int64_t version)
{
	buf_lit(b, "ETag: \"");
	pawl__buf_i64(b, version);
	buf_lit(b, "\"\r\n");
}

static void pending_answer(struct pending *p, const struct tx_answer *a)
{
	char mem[FIELDS_LEN];
	struct buf b;
	struct http_answer answer = { .status = a->http, .body = a->body };

	pawl__buf_init_fixed(&b, mem, sizeof(mem));
	buf_lit(&b, NO_STORE "X-Request-Id: ");
	buf_str(&b, p->tx.request_id);
	buf_lit(&b, "\r\n");
	if (a->etag != 0)
		put_etag(&b, a->etag);
	if (a->location.len > 0) {
		buf_lit(&b, "Location: ");
		buf_str(&b, a->location);
		buf_lit(&b, "\r\n");
	}
	if (a->replayed)
		buf_lit(&b, "Idempotent-Replayed: true\r\n");
	if (a->http == 503 || a->code == PAWL_E_IN_PROGRESS)
		buf_lit(&b, "Retry-After: 1\r\n");
	INVARIANT(!b.overflow);
	answer.fields = buf_get(&b);
	if (a->body.len > 0)
		answer.content_type = a->code == PAWL_OK ? TYPE_JSON : TYPE_PROBLEM;
	pawl__call_count(p->server, p->route, a->http, p->start_us);
	/* A connection that is gone gets no answer: the commit stands, and the key tells. */
	(void)pawl__http_answer_token(p->server->http, p->token, &answer);
}

static void done_on_loop(struct lane_request *rq, const struct tx_answer *a)
{
	struct pending *p = CONTAINER_OF(rq, struct pending, lane);

	pending_answer(p, a);
	pending_done(p);
}

static struct str keep(struct pending *p, struct str s)
{
	return s.len == 0 ? STR_NONE : pawl__arena_str(&p->arena, s);
}

/* On the lane's thread: what the answer points to lives only as long as this call. */
static void done_on_thread(struct lane_request *rq, const struct tx_answer *a)
{
	struct pending *p = CONTAINER_OF(rq, struct pending, lane);
	struct server *s = p->server;
	bool first;

	p->answer = *a;
	p->answer.location = keep(p, a->location);
	p->answer.body = keep(p, a->body);
	if (p->arena.failed)
		/* It is decided, and there is no room to say how. */
		p->answer =
			(struct tx_answer){ .code = PAWL_E_OUTCOME_UNKNOWN, .http = 504, .op = -1 };
	p->next = NULL;
	(void)pthread_mutex_lock(&s->lock);
	first = s->finished == NULL;
	*s->finished_last = p;
	s->finished_last = &p->next;
	(void)pthread_mutex_unlock(&s->lock);
	if (first)
		pawl__loop_wake(s->loop);
}

void pawl__pending_drain(struct server *s)
{
	struct pending *list;

	(void)pthread_mutex_lock(&s->lock);
	list = s->finished;
	s->finished = NULL;
	s->finished_last = &s->finished;
	(void)pthread_mutex_unlock(&s->lock);
	while (list != NULL) {
		struct pending *p = list;

		list = p->next;
		pending_answer(p, &p->answer);
		pending_done(p);
	}
}

/* the request; each step returns false when it has answered */

static bool invalid(struct call *c, const char *detail)
{
	pawl__call_fail(c, PAWL_E_INVALID, STR_NONE, detail);
	return false;
}

static bool no_memory(struct call *c)
{
	pawl__call_fail(c, PAWL_E_NOMEM, STR_NONE, NULL);
	return false;
}

static bool take_key(struct call *c, struct pending *p)
{
	char mem[PAWL_KEY_MAX];
	struct str value, key;

	if (!pawl__call_field(c, STR("Idempotency-Key"), &value))
		return invalid(c, "Idempotency-Key is given twice");
	if (value.ptr == NULL)
		return true;
	if (!pawl__field_key(value, mem, &key))
		return invalid(c, "Idempotency-Key is 1 to 255 visible ASCII bytes, bare or as a "
		                  "quoted string");
	p->tx.key = pawl__arena_str(&p->arena, key);
	return true;
}

static bool take_param(struct call *c, struct pending *p)
{
	const struct form *form = pawl__form(c->route->form);
	char *mem = pawl__arena_alloc(&p->arena, c->param.len + 1);
	void *at = (char *)&p->one + form->param_at;
	struct str param;

	if (mem == NULL)
		return no_memory(c);
	if (form->param == PARAM_NONE)
		return true;
	if (!pawl__call_param(c, PAWL_ID_MAX, mem, &param))
		return false;
	if (form->param == PARAM_ID) {
		*(struct str *)at = param;
		return true;
	}
	if (pawl__id_parse(param, (int64_t *)at))
		return true;
	/* No number has such a text, so nothing can be there. */
	pawl__call_fail(c, PAWL_E_NOT_FOUND, STR_NONE,
	                form->shape.kind == OP_CAPTURE || form->shape.kind == OP_RELEASE
	                        ? "no such hold"
	                        : "no such order");
	return false;
}

/* JSON, or nothing said; and what curl -d says unasked. A form in a browser says that, too, and may
 * send it to another origin without asking, but a browser names the origin: then it is refused. */
static bool type_fits(const struct call *c, struct str type)
{
	struct str origin;

	if (type.ptr == NULL || pawl__field_is_json(type))
		return true;
	return pawl__http1_name_eq(type, STR("application/x-www-form-urlencoded")) &&
	       pawl__call_field(c, STR("Origin"), &origin) && origin.ptr == NULL;
}

static bool take_body(struct call *c, struct pending *p)
{
	struct decoder *d = &c->server->decoder;
	const struct form *form = pawl__form(c->route->form);
	struct str type;
	enum pawl_status st;

	if (c->req->body.len > 0 && form->body != BODY_NONE) {
		const bool once = pawl__call_field(c, STR("Content-Type"), &type);

		if (!once || !type_fits(c, type)) {
			pawl__call_fail(c, PAWL_E_MEDIA_TYPE, STR_NONE, NULL);
			return false;
		}
	}
	pawl__decode_init(d, &p->arena, &c->server->scratch);
	st = pawl__decode_body(d, form, c->req->body, &p->one, &p->tx);
	if (st == PAWL_OK)
		return true;
	/* A pointer that did not fit would point elsewhere. */
	pawl__call_fail(c, st, d->pointer.overflow ? STR_NONE : buf_get(&d->pointer), d->detail);
	return false;
}

/* If-Match and If-None-Match of PUT and DELETE. A list is left in *ret_list: it is settled after
 * the fingerprint, which must not depend on the version that happens to be there. */
/* Strong tags only: those of a write. */
static bool take_list(struct call *c, struct pending *p, const struct etags *tags)
{
	struct op *op = &p->one.op;
	int64_t *versions = arena_array(&p->arena, int64_t, tags->len);

	if (versions == NULL)
		return no_memory(c);
	op->u.record.if_version = TX_VERSION_LIST;
	op->u.record.versions = versions;
	for (uint32_t i = 0; i < tags->len; i++) {
		if (!tags->at[i].weak && tags->at[i].version != 0)
			versions[op->u.record.versions_len++] = tags->at[i].version;
	}
	return true;
}

static bool take_conditions(struct call *c, struct pending *p)
{
	int64_t *version = &p->one.op.u.record.if_version;
	struct str match, none;
	struct etags tags;

	*version = TX_VERSION_NEW;
	if (!pawl__call_field(c, STR("If-None-Match"), &none))
		return invalid(c, "If-None-Match is given twice");
	if (!pawl__call_field(c, STR("If-Match"), &match))
		return invalid(c, "If-Match is given twice");
	if (match.ptr != NULL && none.ptr != NULL)
		return invalid(c, "give If-Match or If-None-Match, not both");
	if (none.ptr != NULL) {
		if (c->route->method != HTTP_PUT || !str_eq(none, STR("*")))
			return invalid(c, "If-None-Match is * and goes with PUT");
		*version = TX_VERSION_ABSENT;
		return true;
	}
	if (match.ptr == NULL)
		return true;
	if (!pawl__field_etags(match, &tags))
		return invalid(c, "If-Match is * or a list of at most 32 entity tags");
	if (!tags.any)
		return take_list(c, p, &tags);
	*version = TX_VERSION_EXISTS;
	return true;
}

static bool build(struct call *c, struct pending *p)
{
	const enum op_kind kind = pawl__form(c->route->form)->shape.kind;

	p->tx.caller = c->caller;
	p->tx.route = pawl__str_of(c->route->text);
	p->tx.request_id = pawl__arena_str(&p->arena, c->request_id);
	if (!take_key(c, p) || !take_param(c, p))
		return false;
	if ((kind == OP_PUT || kind == OP_DELETE) && !take_conditions(c, p))
		return false;
	if (!take_body(c, p))
		return false;
	if (p->arena.failed)
		return no_memory(c);
	if (p->tx.key.len > 0 && pawl__canon_fingerprint(&p->tx, &c->server->canon) != PAWL_OK)
		return no_memory(c);
	return true;
}

void pawl__call_write(struct call *c)
{
	struct server *s = c->server;
	struct pending *p;
	enum pawl_status st;

	/* A small body may parse into much, and stays until its commit: requests alone do not bound
	 * what waits. */
	if (s->waiting >= s->opt.waiting_max) {
		pawl__call_fail(c, PAWL_E_OVERLOADED, STR_NONE, NULL);
		return;
	}
	p = pending_new(s);
	if (p == NULL) {
		(void)no_memory(c);
		return;
	}
	if (!build(c, p)) {
		pending_free(p);
		return;
	}
	p->route = c->route;
	p->start_us = c->start_us;
	p->bytes = p->arena.used; /* the lane may add to it */
	p->lane.tx = &p->tx;
	p->lane.done = s->opt.commit_on_loop ? done_on_loop : done_on_thread;
	st = pawl__lane_submit(s->engine, &p->lane);
	if (st != PAWL_OK) {
		pawl__call_fail(c, st, STR_NONE, NULL);
		pending_free(p);
		return;
	}
	/* It is answered on this thread, so not before the token is there. */
	s->pending++;
	s->waiting += p->bytes;
	p->token = pawl__http_defer(c->conn);
}
