/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Health, without I/O: /livez says that the loop turns, also while draining; /readyz whether new
 * work is welcome.
 */
#include "server/call.h"

enum check { CHECK_PASS, CHECK_WARN, CHECK_FAIL };

static const char *check_name(enum check st)
{
	return st == CHECK_PASS ? "pass" : st == CHECK_WARN ? "warn" : "fail";
}

static void put_check(struct buf *b, const char *name, enum check st, const char *detail)
{
	pawl__buf_putc(b, '"');
	buf_str(b, pawl__str_of(name));
	buf_lit(b, "\":{\"status\":\"");
	buf_str(b, pawl__str_of(check_name(st)));
	pawl__buf_putc(b, '"');
	if (st != CHECK_PASS) {
		buf_lit(b, ",\"detail\":");
		pawl__buf_json(b, pawl__str_of(detail));
	}
	pawl__buf_putc(b, '}');
}

void pawl__get_livez(struct call *c)
{
	pawl__call_answer(c, 200, TYPE_JSON, STR("{\"status\":\"pass\"}"), NULL);
}

/* ?verbose, among others or alone, with or without a value. */
static bool asks_verbose(struct str query)
{
	const struct str word = STR("verbose");

	for (size_t i = 0; i + word.len <= query.len; i++) {
		const bool starts = i == 0 || query.ptr[i - 1] == '&';
		const size_t end = i + word.len;
		const bool ends =
			end == query.len || query.ptr[end] == '&' || query.ptr[end] == '=';

		if (starts && ends && memcmp(query.ptr + i, word.ptr, word.len) == 0)
			return true;
	}
	return false;
}

void pawl__get_readyz(struct call *c)
{
	struct server *s = c->server;
	struct engine_health h;
	char mem[2048];
	struct buf b, retry;
	bool draining, ready;

	pawl__engine_health(s->engine, &h);
	draining = s->draining || h.draining;
	ready = h.writable && !draining;
	pawl__buf_init_fixed(&b, mem, sizeof(mem));
	buf_lit(&b, "{\"status\":\"");
	buf_str(&b, pawl__str_of(check_name(!ready            ? CHECK_FAIL
	                                    : h.clock_stepped ? CHECK_WARN
	                                                      : CHECK_PASS)));
	pawl__buf_putc(&b, '"');
	if (asks_verbose(c->req->query)) {
		buf_lit(&b, ",\"checks\":{");
		put_check(&b, "serving", draining ? CHECK_FAIL : CHECK_PASS, "shutting down");
		pawl__buf_putc(&b, ',');
		put_check(&b, "store", h.writable ? CHECK_PASS : CHECK_FAIL, h.detail);
		pawl__buf_putc(&b, ',');
		put_check(&b, "clock", h.clock_stepped ? CHECK_WARN : CHECK_PASS,
		          "the clock jumped ahead: holds expire at the old pace");
		pawl__buf_putc(&b, '}');
	}
	pawl__buf_putc(&b, '}');
	pawl__buf_init_fixed(&retry, (char[32]){ 0 }, 32);
	if (!ready)
		buf_lit(&retry, "Retry-After: 1\r\n");
	pawl__call_answer(c, ready ? 200 : 503, TYPE_JSON, buf_get(&b), &retry);
}
