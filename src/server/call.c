/* SPDX-License-Identifier: Apache-2.0 */
#include "server/call.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "server/fields.h"

static void put_hex(struct buf *b, uint64_t v, unsigned digits)
{
	static const char hex[] = "0123456789abcdef";

	while (digits-- > 0)
		pawl__buf_putc(b, hex[v >> (4 * digits) & 15]);
}

/* One that no other request of this process has: a random prefix and a count. */
static void put_request_id(struct server *s, struct buf *b)
{
	put_hex(b, s->id_prefix, 12);
	pawl__buf_putc(b, '-');
	put_hex(b, ++s->id_next, 12);
}

static void set_request_id(struct call *c)
{
	struct buf b;
	struct str given;

	if (pawl__call_field(c, STR("X-Request-Id"), &given) &&
	    pawl__str_visible(given, PAWL_REQUEST_ID_MAX, true)) {
		c->request_id = given;
		return;
	}
	pawl__buf_init_fixed(&b, c->request_id_mem, sizeof(c->request_id_mem));
	put_request_id(c->server, &b);
	c->request_id = buf_get(&b);
}

bool pawl__call_field(const struct call *c, struct str name, struct str *ret)
{
	size_t count;

	*ret = STR_NONE;
	(void)pawl__http1_field(&c->req->fields, name, ret, &count);
	return count <= 1;
}

void pawl__call_count(struct server *s, const struct route *route, int status, int64_t start_us)
{
	static const int64_t bounds[] = DURATION_BOUNDS;
	const size_t at = route == NULL ? ROUTES_MAX : (size_t)(route - pawl__routes);
	const int64_t us = pawl__clock_mono_us() - start_us;
	struct route_counts *n = &s->counts[at];
	size_t i = 0;

	static_assert(ARRAY_LEN(bounds) + 1 == DURATION_BUCKETS, "and one for the rest");
	while (i < ARRAY_LEN(bounds) && us > bounds[i])
		i++;
	n->by_class[status / 100]++;
	n->duration[i]++;
	n->duration_sum_us += (uint64_t)us;
}

void pawl__call_answer(struct call *c, int status, struct str type, struct str body,
                       const struct buf *fields)
{
	char mem[FIELDS_LEN];
	struct http_answer answer;
	struct buf b;

	pawl__buf_init_fixed(&b, mem, sizeof(mem));
	buf_lit(&b, NO_STORE "X-Request-Id: ");
	buf_str(&b, c->request_id);
	buf_lit(&b, "\r\n");
	if (fields != NULL)
		buf_str(&b, buf_get(fields));
	INVARIANT(!b.overflow && (fields == NULL || !fields->overflow));
	pawl__call_count(c->server, c->route, status, c->start_us);
	answer = (struct http_answer){
		.status = status, .content_type = type, .fields = buf_get(&b), .body = body
	};
	if (c->conn != NULL)
		pawl__http_answer(c->conn, &answer);
	else
		(void)pawl__http_answer_token(c->server->http, c->token, &answer);
}

static void problem_answer(struct call *c, const struct problem *p, const char *field)
{
	const struct status_row *row = pawl__status_row(p->code);
	struct problem full = *p;
	char mem[FIELDS_LEN / 2];
	struct buf fields;

	full.request_id = c->request_id;
	pawl__buf_init_fixed(&fields, mem, sizeof(mem));
	buf_str(&fields, pawl__str_of(field));
	if (row->http == 503 || p->code == PAWL_E_IN_PROGRESS)
		buf_lit(&fields, "Retry-After: 1\r\n");
	pawl__buf_reset(&c->server->out);
	pawl__json_problem(&c->server->out, &full);
	/* Out of memory for the body: the status says enough. */
	pawl__call_answer(c, row->http, TYPE_PROBLEM,
	                  c->server->out.overflow ? STR_NONE : buf_get(&c->server->out), &fields);
}

void pawl__call_problem(struct call *c, const struct problem *p)
{
	problem_answer(c, p, "");
}

void pawl__call_fail(struct call *c, enum pawl_status code, struct str pointer, const char *detail)
{
	pawl__call_problem(c, &(struct problem){ .code = code,
	                                         .op = -1,
	                                         .pointer = pointer,
	                                         .detail = pawl__str_of(detail) });
}

bool pawl__call_param(struct call *c, size_t max, char *mem, struct str *ret)
{
	const bool slash = (c->route->flags & ROUTE_KEY) != 0;

	if (pawl__route_param(c->param, slash, mem, ret) && pawl__str_visible(*ret, max, slash))
		return true;
	pawl__call_fail(c, PAWL_E_INVALID, STR_NONE,
	                "the id in the path is too long, or not visible ASCII");
	return false;
}

static void put_allow(struct buf *b, unsigned methods)
{
	static const struct {
		enum http_method method;
		struct str name;
	} rows[] = {
		{ HTTP_GET, STR("GET, HEAD, ") },
		{ HTTP_POST, STR("POST, ") },
		{ HTTP_PUT, STR("PUT, ") },
		{ HTTP_DELETE, STR("DELETE, ") },
	};

	buf_lit(b, "Allow: ");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if ((methods & 1U << rows[i].method) != 0)
			buf_str(b, rows[i].name);
	}
	buf_lit(b, "OPTIONS\r\n");
}

/* No row has this path with this method. */
static void answer_unrouted(struct call *c, const struct route_match *m)
{
	char mem[128] = "";
	struct buf allow;

	pawl__buf_init_fixed(&allow, mem, sizeof(mem) - 1);
	put_allow(&allow, m->methods);
	if (!m->path_known)
		pawl__call_fail(c, PAWL_E_NOT_FOUND, STR_NONE, "there is nothing at this path");
	else if (c->req->method == HTTP_OPTIONS)
		pawl__call_answer(c, 204, STR_NONE, STR_NONE, &allow);
	else
		problem_answer(c, &(struct problem){ .code = PAWL_E_METHOD_NOT_ALLOWED, .op = -1 },
		               mem);
}

/* Whether the caller is known; answered with 401 when not. */
static bool authorize(struct call *c)
{
	struct str value, token;

	c->caller = STR("anonymous");
	if (c->server->auth == NULL)
		return true;
	if (pawl__call_field(c, STR("Authorization"), &value) &&
	    pawl__field_bearer(value, &token) &&
	    pawl__auth_find(c->server->auth, token, &c->caller))
		return true;
	problem_answer(c, &(struct problem){ .code = PAWL_E_UNAUTHORIZED, .op = -1 },
	               "WWW-Authenticate: Bearer\r\n");
	return false;
}

void pawl__call_request(void *data, struct http_conn *conn, const struct http_request *req)
{
	struct call c = {
		.server = data, .conn = conn, .req = req, .start_us = pawl__clock_mono_us()
	};
	struct route_match m;

	set_request_id(&c);
	pawl__route_find(req->method, req->path, &m);
	if (str_eq(req->path, STR("*")))
		m = (struct route_match){ .path_known = true,
			                  .methods = 1U << HTTP_GET | 1U << HTTP_POST |
			                             1U << HTTP_PUT | 1U << HTTP_DELETE };
	c.route = m.route;
	c.param = m.param;
	if ((m.route == NULL || (m.route->flags & ROUTE_OPEN) == 0) && !authorize(&c))
		return;
	if (m.route == NULL)
		answer_unrouted(&c, &m);
	else
		m.route->handle(&c);
}

bool pawl__call_may_overlap(void *data, const struct http_request *req)
{
	struct route_match m;

	(void)data;
	pawl__route_find(req->method, req->path, &m);
	return m.route != NULL && (m.route->flags & ROUTE_WRITE) != 0;
}

/* Everything that the front refuses has a row in the status table. */
static enum pawl_status status_of_http(int http)
{
	static const enum pawl_status rows[] = {
		PAWL_E_REQUEST_TIMEOUT,   PAWL_E_TOO_LARGE,  PAWL_E_URI_TOO_LONG,
		PAWL_E_EXPECTATION,       PAWL_E_OVERLOADED, PAWL_E_HTTP_VERSION,
		PAWL_E_HEADERS_TOO_LARGE,
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (pawl__status_row(rows[i])->http == http)
			return rows[i];
	}
	return PAWL_E_INVALID;
}

void pawl__call_refuse(void *data, struct http_answer *answer)
{
	struct server *s = data;
	const enum pawl_status code = status_of_http(answer->status);
	struct problem p = { .code = code, .op = -1 };
	struct buf fields;
	size_t id_at;

	pawl__buf_init_fixed(&fields, s->refuse_fields, sizeof(s->refuse_fields));
	buf_lit(&fields, NO_STORE "X-Request-Id: ");
	id_at = fields.len;
	put_request_id(s, &fields);
	p.request_id = (struct str){ fields.data + id_at, fields.len - id_at };
	buf_lit(&fields, "\r\n");
	if (answer->status == 503)
		buf_lit(&fields, "Retry-After: 1\r\n");
	if (code == PAWL_E_INVALID)
		p.detail = STR("not a well-formed HTTP/1.1 request");
	pawl__buf_reset(&s->out);
	pawl__json_problem(&s->out, &p);
	answer->content_type = TYPE_PROBLEM;
	answer->fields = buf_get(&fields);
	answer->body = s->out.overflow ? STR_NONE : buf_get(&s->out);
	s->counts[ROUTES_MAX].by_class[answer->status / 100]++;
}
