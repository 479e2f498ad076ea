/* SPDX-License-Identifier: Apache-2.0 */
#include "race/scenario/history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"

#define LINE_LEN_MAX ((size_t)4 << 20)

enum pawl_status pawl__history_open(struct history *h, const char *path, const struct scenario *s,
                                    struct pawl_error *err)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	*h = (struct history){ .s = s };
	if (fd < 0)
		return pawl__error_native(err, errno == EEXIST ? PAWL_E_EXISTS : PAWL_E_IO, errno,
		                          "%s: cannot be made: %m", path);
	h->f = fdopen(fd, "w");
	h->process = calloc(s->clients, sizeof(*h->process));
	if (h->f == NULL || h->process == NULL) {
		if (h->f == NULL)
			(void)close(fd);
		return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
	}
	for (uint32_t i = 0; i < s->clients; i++)
		h->process[i] = i;
	h->next = s->clients;
	return PAWL_OK;
}

enum pawl_status pawl__history_close(struct history *h, struct pawl_error *err)
{
	const bool bad = h->f != NULL && ferror(h->f) != 0;
	const bool closed = h->f == NULL || fclose(h->f) == 0;

	free(h->process);
	*h = (struct history){ .f = NULL };
	if (bad || !closed)
		return pawl__error_set(err, PAWL_E_IO, "the history could not be written");
	return PAWL_OK;
}

enum history_type pawl__history_type(enum volley_class class, int status)
{
	if (class != VOLLEY_ANSWERED)
		return pawl__answer_of(class) == ANSWER_UNSENT ? HISTORY_FAIL : HISTORY_INFO;
	if (status >= 200 && status <= 399)
		return HISTORY_OK;
	return status >= 400 && status <= 499 && status != 408 ? HISTORY_FAIL : HISTORY_INFO;
}

struct event {
	int64_t ns;
	bool invoke;
	uint32_t op;
};

static int by_time(const void *a, const void *b)
{
	const struct event *x = a, *y = b;

	if (x->ns != y->ns)
		return x->ns < y->ns ? -1 : 1;
	if (x->invoke != y->invoke)
		return x->invoke ? -1 : 1;
	return x->op < y->op ? -1 : x->op > y->op;
}

static void put_member(struct buf *b, const char *name)
{
	buf_lit(b, ",\"");
	buf_str(b, pawl__str_of(name));
	buf_lit(b, "\":");
}

static void put_string(struct buf *b, struct str s)
{
	buf_lit(b, "\"");
	pawl__json_escape(b, s);
	buf_lit(b, "\"");
}

/* A template as a JSON value; null when it cannot be filled. */
static void put_template(struct buf *b, const struct template *t, const struct scope *scope)
{
	struct pawl_error unused;
	const size_t at = b->len;

	if (pawl__template_expand(t, scope, b, &unused) != PAWL_OK && !b->overflow) {
		b->len = at;
		buf_lit(b, "null");
	}
}

static void put_value(struct buf *b, const struct race_op *op, const struct scope *scope,
                      bool result)
{
	const struct operation *o = &op->step->op;

	if (!o->given)
		put_string(b, op->path);
	else if (result && o->has_result)
		put_template(b, &o->result, scope);
	else if (o->has_value)
		put_template(b, &o->value, scope);
	else
		buf_lit(b, "null");
}

static void put_time(struct buf *b, const char *name, int64_t ns, const struct history *h)
{
	put_member(b, name);
	if (ns == 0)
		buf_lit(b, "null");
	else
		pawl__buf_i64(b, ns - h->start_ns);
}

static void event_put(struct history *h, const struct round *r, const struct event *e,
                      struct buf *b)
{
	static const char *const types[] = { "ok", "fail", "info" };
	const struct race_op *op = &r->ops[e->op];
	const struct operation *o = &op->step->op;
	const enum history_type type = pawl__history_type(op->class, op->status);
	struct scope scope;

	pawl__round_scope(r, &scope);
	scope.client = op->leader;
	scope.random = op->random;
	scope.of_client = r->of_client + (size_t)op->client * r->stride;
	scope.answer = op->body;
	buf_lit(b, "{\"index\":");
	pawl__buf_u64(b, h->index++);
	put_member(b, "process");
	pawl__buf_u64(b, h->process[op->client]);
	put_member(b, "type");
	put_string(b, pawl__str_of(e->invoke ? "invoke" : types[type]));
	put_member(b, "f");
	put_string(b, o->given ? o->f : op->step->name);
	if (o->has_key) {
		put_member(b, "key");
		put_template(b, &o->key, &scope);
	}
	put_member(b, "value");
	put_value(b, op, &scope, !e->invoke && type == HISTORY_OK);
	put_time(b, "time", e->ns, h);
	put_time(b, "t_send", op->released_ns, h);
	put_time(b, "t_recv", e->invoke || op->class != VOLLEY_ANSWERED ? 0 : op->done_ns, h);
	put_member(b, "http");
	if (e->invoke || op->class != VOLLEY_ANSWERED)
		buf_lit(b, "null");
	else
		pawl__buf_i64(b, op->status);
	put_member(b, "target");
	put_string(b, pawl__str_of(h->target));
	put_member(b, "strategy");
	put_string(b, h->s->name);
	put_member(b, "seed");
	pawl__buf_u64(b, h->seed);
	put_member(b, "round");
	pawl__buf_u64(b, r->number);
	buf_lit(b, "}\n");
	if (!e->invoke && type == HISTORY_INFO)
		h->process[op->client] = h->next++;
}

enum pawl_status pawl__history_round(struct history *h, struct round *r, struct pawl_error *err)
{
	struct event *events = arena_array(&r->arena, struct event, (size_t)r->ops_len * 2);
	size_t n = 0;
	struct buf b, clean;

	if (events == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
	for (uint32_t i = 0; i < r->ops_len; i++) {
		const struct race_op *op = &r->ops[i];

		if (op->released_ns == 0) /* never began */
			continue;
		events[n++] = (struct event){ op->released_ns, true, i };
		events[n++] = (struct event){ op->done_ns < op->released_ns ? op->released_ns
			                                                    : op->done_ns,
			                      false, i };
	}
	if (n > 0)
		qsort(events, n, sizeof(*events), by_time);
	if (n > 0 && h->start_ns == 0)
		h->start_ns = events[0].ns;
	pawl__buf_init(&b, LINE_LEN_MAX);
	pawl__buf_init(&clean, LINE_LEN_MAX * 2);
	for (size_t i = 0; i < n; i++) {
		pawl__buf_reset(&b);
		pawl__buf_reset(&clean);
		event_put(h, r, &events[i], &b);
		pawl__names_redact(&h->s->names, buf_get(&b), &clean);
		if (b.overflow || clean.overflow ||
		    fwrite(clean.data, 1, clean.len, h->f) != clean.len)
			break;
	}
	pawl__buf_deinit(&b);
	pawl__buf_deinit(&clean);
	if (n > 0 && (b.overflow || ferror(h->f) != 0))
		return pawl__error_set(err, PAWL_E_IO, "the history could not be written");
	return PAWL_OK;
}
