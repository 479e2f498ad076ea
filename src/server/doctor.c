/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/doctor: what the store and the engine have found out about themselves. */
#include "base/error.h"
#include "pawl/pawl.h"
#include "server/call.h"

#define DOCTOR_MAX ((size_t)64 << 10) /* bytes of all findings */

static const char *const levels[] = { "ok", "warn", "fail" };

struct findings {
	struct buf *b;
	enum finding_level worst;
	bool any;
};

static void put_finding(void *arg, enum finding_level level, const char *check, const char *text)
{
	struct findings *f = arg;

	if (f->any)
		pawl__buf_putc(f->b, ',');
	f->any = true;
	buf_lit(f->b, "{\"check\":");
	pawl__buf_json(f->b, pawl__str_of(check));
	buf_lit(f->b, ",\"level\":");
	pawl__buf_json(f->b, pawl__str_of(levels[level]));
	buf_lit(f->b, ",\"text\":");
	pawl__buf_json(f->b, pawl__str_of(text));
	pawl__buf_putc(f->b, '}');
	if (level > f->worst)
		f->worst = level;
}

static bool doctor_want(struct read_call *r)
{
	(void)r;
	return true;
}

static enum pawl_status doctor_work(struct read_request *rq)
{
	struct read_call *r = CONTAINER_OF(rq, struct read_call, rq);
	struct findings f = { .b = &r->text };
	char *mem = pawl__arena_alloc(&r->arena, DOCTOR_MAX);
	struct pawl_error err = { .status = PAWL_OK };
	enum pawl_status st;

	if (mem == NULL)
		return PAWL_E_NOMEM;
	pawl__buf_init_fixed(&r->text, mem, DOCTOR_MAX);
	buf_lit(&r->text, "{\"version\":\"" PAWL_VERSION "\",\"findings\":[");
	st = pawl__engine_examine(r->call.server->engine, put_finding, &f, &err);
	/* That it cannot be looked at is the most important thing to tell. */
	if (st != PAWL_OK)
		put_finding(&f, FINDING_FAIL, "store", err.text);
	buf_lit(&r->text, "],\"worst\":");
	pawl__buf_json(&r->text, pawl__str_of(levels[f.worst]));
	pawl__buf_putc(&r->text, '}');
	return r->text.overflow ? PAWL_E_NOMEM : PAWL_OK;
}

static void doctor_render(struct read_call *r)
{
	pawl__call_answer(&r->call, 200, TYPE_JSON, buf_get(&r->text), NULL);
}

const struct read_kind pawl__read_doctor = { doctor_want, doctor_render, doctor_work };
