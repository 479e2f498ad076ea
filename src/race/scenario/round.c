/* SPDX-License-Identifier: Apache-2.0 */
#include "race/scenario/round.h"

#include <string.h>

#include "base/assert.h"
#include "base/error.h"

#define ARENA_BLOCK  ((size_t)256 << 10)
#define FLOW_CONNS   1000
#define NS_OF_US     1000
#define NS_OF_SECOND INT64_C(1000000000)

void pawl__round_init(struct round *r, struct field *field, uint64_t number, uint64_t id)
{
	*r = (struct round){ .field = field, .number = number, .id = id };
	pawl__arena_init(&r->arena, ARENA_BLOCK, RUN_ROUND_MEMORY);
}

void pawl__round_deinit(struct round *r)
{
	pawl__volley_result_free(&r->result);
	pawl__arena_deinit(&r->arena);
}

static enum pawl_status nomem(struct pawl_error *err)
{
	return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
}

void pawl__round_scope(const struct round *r, struct scope *ret)
{
	*ret = (struct scope){
		.names = &r->field->s->names,
		.round = r->id,
		.number = r->number,
		.random = pawl__deal_random(r->field->seed, r->number, UINT32_MAX),
		.of_round = r->of_round,
	};
}

static void client_scope(const struct round *r, uint32_t client, uint32_t leader, struct scope *ret)
{
	pawl__round_scope(r, ret);
	ret->client = leader;
	ret->random = pawl__deal_random(r->field->seed, r->number, leader);
	ret->of_client = r->of_client + (size_t)client * r->stride;
}

static bool cancelled(const struct round *r)
{
	return r->field->config->cancel != NULL && atomic_load(r->field->config->cancel);
}

/* Prefix the error with the step it is about. */
static enum pawl_status about(const struct step *step, const char *phase, enum pawl_status st,
                              struct pawl_error *err)
{
	struct pawl_error why = *err;

	return pawl__error_native(err, st, why.native, "%s: %.*s: %s", phase,
	                          step->name.len > 80 ? 80 : (int)step->name.len, step->name.ptr,
	                          why.text);
}

/* One request to the target, beside the race. */
static enum pawl_status call(struct round *r, const struct step *step, const struct scope *scope,
                             struct volley_result *ret, struct pawl_error *err)
{
	struct built b;
	enum pawl_status st = pawl__request_build(step, scope, STR_NONE, &r->arena, &b, err);

	if (st == PAWL_OK)
		st = pawl__volley_call(r->field->control, &b.request, ret, err);
	if (st == PAWL_OK && ret->outcomes[0].class != VOLLEY_ANSWERED)
		st = pawl__error_set(err, PAWL_E_IO, "the target does not answer: %s%s%s",
		                     pawl__volley_class_name(ret->outcomes[0].class),
		                     ret->trouble[0] == '\0' ? "" : ": ", ret->trouble);
	return st;
}

static enum pawl_status refused(int status, struct pawl_error *err)
{
	return pawl__error_set(err, status >= 500 ? PAWL_E_IO : PAWL_E_CONFIG,
	                       "is answered with %d", status);
}

enum pawl_status pawl__round_store(void *data, const struct step *step, struct asked *ret,
                                   struct pawl_error *err)
{
	struct round *r = data;
	struct str words[SCENARIO_ARGS_MAX];
	struct stores_ask ask = { .args = words,
		                  .args_len = step->args_len,
		                  .timeout_us = r->field->s->timeout_us };
	struct buf b, out;
	struct scope scope;
	enum pawl_status st;

	pawl__round_scope(r, &scope);
	pawl__buf_init(&b, SCENARIO_REQUEST_MAX);
	pawl__buf_init(&out, STORES_BYTES_MAX);
	st = pawl__template_expand(&step->on, &scope, &b, err);
	ask.url = pawl__arena_str(&r->arena, buf_get(&b));
	pawl__buf_reset(&b);
	if (st == PAWL_OK)
		st = pawl__template_expand(&step->query, &scope, &b, err);
	ask.sql = pawl__arena_str(&r->arena, buf_get(&b));
	for (uint32_t i = 0; i < step->args_len && st == PAWL_OK; i++) {
		pawl__buf_reset(&b);
		st = pawl__template_expand(&step->args[i], &scope, &b, err);
		words[i] = pawl__arena_str(&r->arena, buf_get(&b));
	}
	if (st == PAWL_OK && r->arena.failed)
		st = nomem(err);
	if (st == PAWL_OK)
		st = pawl__stores_ask(r->field->stores, &ask, &out, err);
	if (st == PAWL_OK && ret != NULL) {
		ret->body = pawl__arena_str(&r->arena, buf_get(&out));
		st = ret->body.ptr == NULL ? nomem(err) : PAWL_OK;
	}
	pawl__buf_deinit(&b);
	pawl__buf_deinit(&out);
	return st;
}

enum pawl_status pawl__round_get(void *data, const struct template *path, struct asked *ret,
                                 struct pawl_error *err)
{
	struct round *r = data;
	const struct scenario *s = r->field->s;
	struct step step = { .kind = STEP_HTTP, .method = STR("GET"), .path = *path };
	struct volley_result result = { 0 };
	struct header headers[SCENARIO_HEADERS_MAX];
	struct scope scope;
	enum pawl_status st;

	memcpy(headers, s->headers, sizeof(headers));
	step.headers = headers;
	step.headers_len = s->headers_len;
	pawl__round_scope(r, &scope);
	st = call(r, &step, &scope, &result, err);
	if (st == PAWL_OK) {
		const struct volley_outcome *o = &result.outcomes[0];

		ret->status = o->status;
		ret->body = pawl__arena_str(&r->arena, buf_get(&o->body));
		if (ret->body.ptr == NULL)
			st = nomem(err);
		else if (o->truncated)
			st = pawl__error_set(err, PAWL_E_TOO_LARGE, "the answer is too long");
	}
	pawl__volley_result_free(&result);
	return st;
}

/* Exists already, or its precondition fails: what an earlier round made is still there. */
static bool left_over(const struct round *r, const struct step *step, int status)
{
	return r->field->was_set_up && step->accepted.len == 0 && (status == 409 || status == 412);
}

static enum pawl_status step_play(struct round *r, const struct step *step, const char *phase,
                                  struct pawl_error *err)
{
	struct volley_result result = { 0 };
	struct scope scope;
	enum pawl_status st;

	if (step->kind != STEP_HTTP) {
		st = pawl__round_store(r, step, NULL, err);
		return st == PAWL_OK ? st : about(step, phase, st, err);
	}
	pawl__round_scope(r, &scope);
	st = call(r, step, &scope, &result, err);
	if (st == PAWL_OK) {
		const struct volley_outcome *o = &result.outcomes[0];

		if (!pawl__status_accepted(&step->accepted, ANSWER_STATUS, o->status)) {
			if (strcmp(phase, "setup") == 0 && left_over(r, step, o->status))
				r->carried = true;
			else
				st = refused(o->status, err);
		} else {
			st = pawl__request_capture(step, o, &r->arena, r->of_round, err);
		}
	}
	pawl__volley_result_free(&result);
	return st == PAWL_OK ? st : about(step, phase, st, err);
}

static enum pawl_status steps_play(struct round *r, const struct steps *steps, const char *phase,
                                   struct pawl_error *err)
{
	for (uint32_t i = 0; i < steps->len; i++) {
		const enum pawl_status st = step_play(r, &steps->at[i], phase, err);

		if (st != PAWL_OK)
			return st;
	}
	return PAWL_OK;
}

static uint32_t conn_of(const struct round *r, uint32_t client)
{
	return r->field->s->http2 ? VOLLEY_ANY : client;
}

/* One step of every client, all at once. A client that lacks a value sits `after` out: it was not
 * given one. */
static enum pawl_status clients_fire(struct round *r, const struct step *step, const char *phase,
                                     struct pawl_error *err)
{
	const uint32_t n = r->field->s->clients;
	const bool may_lack = strcmp(phase, "after") == 0;
	struct volley_request *requests = arena_array(&r->arena, struct volley_request, n);
	uint32_t *who = arena_array(&r->arena, uint32_t, n), len = 0;
	struct volley_plan plan = { .sync = VOLLEY_NONE, .head_start_ns = -1, .no_wake = true };
	struct volley_result result = { 0 };
	enum pawl_status st = requests == NULL || who == NULL ? nomem(err) : PAWL_OK;

	for (uint32_t c = 0; c < n && st == PAWL_OK; c++) {
		struct scope scope;
		struct built b;

		client_scope(r, c, c, &scope);
		st = pawl__request_build(step, &scope, STR_NONE, &r->arena, &b, err);
		if (st == PAWL_E_NOT_FOUND && may_lack) {
			st = PAWL_OK;
			continue;
		}
		if (st != PAWL_OK)
			break;
		requests[len] = b.request;
		requests[len].conn = conn_of(r, c);
		who[len++] = c;
	}
	plan.requests = requests;
	plan.len = len;
	if (st == PAWL_OK && len > 0)
		st = pawl__volley_fire(r->field->race, &plan, &result, err);
	for (uint32_t i = 0; i < len && st == PAWL_OK; i++) {
		const struct volley_outcome *o = &result.outcomes[i];

		if (o->class != VOLLEY_ANSWERED)
			st = pawl__error_set(err, PAWL_E_IO, "the target does not answer: %s",
			                     pawl__volley_class_name(o->class));
		else if (!pawl__status_accepted(&step->accepted, ANSWER_STATUS, o->status))
			st = refused(o->status, err);
		else
			st = pawl__request_capture(step, o, &r->arena,
			                           r->of_client + (size_t)who[i] * r->stride, err);
	}
	pawl__volley_result_free(&result);
	return st == PAWL_OK ? st : about(step, phase, st, err);
}

static enum pawl_status clients_play(struct round *r, const struct steps *steps, const char *phase,
                                     struct pawl_error *err)
{
	for (uint32_t i = 0; i < steps->len; i++) {
		const enum pawl_status st = clients_fire(r, &steps->at[i], phase, err);

		if (st != PAWL_OK)
			return st;
	}
	return PAWL_OK;
}

static void op_take(struct race_op *op, const struct volley_outcome *o, struct str body)
{
	op->class = o->class;
	op->status = o->class == VOLLEY_ANSWERED ? o->status : 0;
	op->early = o->early;
	op->truncated = o->truncated;
	op->body = body;
	op->intended_ns = o->intended_ns;
	op->sent_ns = o->first_sent_ns;
	op->released_ns = o->released_ns;
	op->first_byte_ns = o->first_byte_ns;
	op->done_ns = o->done_ns;
}

/* Everybody's request. */
static enum pawl_status race_build(struct round *r, struct volley_request *requests,
                                   struct pawl_error *err)
{
	const struct scenario *s = r->field->s;
	const struct dealt *d = pawl__deal(s, r->field->seed, r->number, r->id, &r->arena);

	if (d == NULL)
		return nomem(err);
	for (uint32_t c = 0; c < s->clients; c++) {
		struct scope scope;
		struct built b;
		enum pawl_status st;

		client_scope(r, c, d[c].leader, &scope);
		st = pawl__request_build(d[c].step, &scope, d[c].key, &r->arena, &b, err);
		if (st != PAWL_OK)
			return about(d[c].step, "race", st, err);
		requests[c] = b.request;
		requests[c].conn = conn_of(r, c);
		r->ops[c] = (struct race_op){ .step = d[c].step,
			                      .client = c,
			                      .leader = d[c].leader,
			                      .random = scope.random,
			                      .path = b.path,
			                      .key = b.key,
			                      .sent = b.sent };
	}
	r->ops_len = s->clients;
	return PAWL_OK;
}

static enum pawl_status warm_build(struct round *r, struct volley_request *ret,
                                   const struct volley_request **ret_at, struct pawl_error *err)
{
	const struct scenario *s = r->field->s;
	struct scope scope;
	struct built b;
	enum pawl_status st;

	*ret_at = NULL;
	if (s->warm_up.len == 0)
		return PAWL_OK;
	pawl__round_scope(r, &scope);
	st = pawl__request_build(&s->warm_up.at[0], &scope, STR_NONE, &r->arena, &b, err);
	if (st != PAWL_OK)
		return about(&s->warm_up.at[0], "warm_up", st, err);
	*ret = b.request;
	*ret_at = ret;
	return PAWL_OK;
}

/* Whether the round is worth a judgement, and whether there was anybody to ask. */
static enum pawl_status race_check(struct round *r, const uint64_t *counts, const char *trouble,
                                   struct pawl_error *err)
{
	const uint64_t none =
		counts[VOLLEY_REFUSED] + counts[VOLLEY_PROTOCOL] + counts[VOLLEY_UNSENT];

	if (cancelled(r))
		return pawl__error_set(err, PAWL_E_IO, "interrupted");
	if (none < r->ops_len)
		return PAWL_OK;
	return pawl__error_set(err, PAWL_E_IO, "race: no request could be sent%s%s",
	                       trouble[0] == '\0' ? "" : ": ", trouble);
}

static enum pawl_status race_fire(struct round *r, const struct volley_request *requests,
                                  const struct volley_request *warm, struct pawl_error *err)
{
	const struct scenario *s = r->field->s;
	const struct volley_plan plan = {
		.sync = s->sync == SYNC_NONE     ? VOLLEY_NONE
		        : s->sync == SYNC_SPREAD ? VOLLEY_SPREAD
		                                 : VOLLEY_LAST_BYTE,
		.requests = requests,
		.len = r->ops_len,
		.warm = warm,
		.head_start_ns = s->head_start_us < 0    ? 0
		                 : s->head_start_us == 0 ? -1
		                                         : s->head_start_us * NS_OF_US,
		.spread_ns = s->spread_us * NS_OF_US,
		.seed = pawl__deal_random(r->field->seed, r->number, UINT32_MAX - 2),
	};
	uint64_t counts[VOLLEY_CLASSES];
	enum pawl_status st = pawl__volley_fire(r->field->race, &plan, &r->result, err);

	if (st != PAWL_OK)
		return st;
	INVARIANT(r->result.len == r->ops_len);
	for (uint32_t i = 0; i < r->ops_len; i++)
		op_take(&r->ops[i], &r->result.outcomes[i], buf_get(&r->result.outcomes[i].body));
	for (int i = 0; i < VOLLEY_CLASSES; i++)
		counts[i] = r->result.counts[i];
	r->overlap = r->result.overlap;
	return race_check(r, counts, r->result.trouble, err);
}

/* ---- open loop ---- */

struct flow {
	struct round *r;
	const struct volley_request *requests;
};

static bool flow_next(void *data, uint64_t k, struct volley_request *ret)
{
	const struct flow *f = data;

	if (k >= f->r->ops_len)
		return false;
	*ret = f->requests[k];
	ret->conn = VOLLEY_ANY;
	return true;
}

static void flow_done(void *data, uint64_t k, const struct volley_outcome *o)
{
	struct flow *f = data;

	if (k < f->r->ops_len)
		op_take(&f->r->ops[k], o, pawl__arena_str(&f->r->arena, buf_get(&o->body)));
}

static enum pawl_status race_flow(struct round *r, const struct volley_request *requests,
                                  const struct volley_request *warm, struct pawl_error *err)
{
	const struct scenario *s = r->field->s;
	struct flow f = { .r = r, .requests = requests };
	const struct volley_flow flow = {
		.rate = (uint32_t)s->rate,
		/* One more period: the last request is due at its end. */
		.duration_ns = ((int64_t)r->ops_len + 1) * NS_OF_SECOND / s->rate,
		.conns = s->clients < FLOW_CONNS ? s->clients : FLOW_CONNS,
		.warm = warm,
		.data = &f,
		.next = flow_next,
		.done = flow_done,
	};
	struct race_span *spans = arena_array(&r->arena, struct race_span, r->ops_len);
	enum pawl_status st;

	if (spans == NULL)
		return nomem(err);
	for (uint32_t i = 0; i < r->ops_len; i++)
		r->ops[i].class = VOLLEY_UNSENT;
	st = pawl__volley_flow(r->field->race, &flow, &r->flow, err);
	if (st != PAWL_OK)
		return st;
	for (uint32_t i = 0; i < r->ops_len; i++)
		spans[i] = (struct race_span){ r->ops[i].released_ns, r->ops[i].done_ns };
	st = pawl__overlap_measure(spans, r->ops_len, &r->overlap, err);
	return st == PAWL_OK ? race_check(r, r->flow.counts, r->flow.trouble, err) : st;
}

/* What the clients captured in the race; one that was refused has nothing to capture. */
static enum pawl_status race_capture(struct round *r)
{
	struct pawl_error unused;

	for (uint32_t i = 0; i < r->result.len; i++) {
		const struct race_op *op = &r->ops[i];

		if (op->class == VOLLEY_ANSWERED && op->status >= 200 && op->status <= 299 &&
		    pawl__request_capture(op->step, &r->result.outcomes[i], &r->arena,
		                          r->of_client + (size_t)op->client * r->stride,
		                          &unused) == PAWL_E_NOMEM)
			return PAWL_E_NOMEM;
	}
	return PAWL_OK;
}

static enum pawl_status race_play(struct round *r, struct pawl_error *err)
{
	const struct scenario *s = r->field->s;
	struct volley_request *requests = arena_array(&r->arena, struct volley_request, s->clients);
	const struct volley_request *warm = NULL;
	struct volley_request warm_mem;
	enum pawl_status st;

	r->ops = arena_array(&r->arena, struct race_op, s->clients);
	if (requests == NULL || r->ops == NULL)
		return nomem(err);
	st = race_build(r, requests, err);
	if (st == PAWL_OK)
		st = warm_build(r, &warm_mem, &warm, err);
	if (st == PAWL_OK)
		st = s->sync == SYNC_RATE ? race_flow(r, requests, warm, err)
		                          : race_fire(r, requests, warm, err);
	if (st != PAWL_OK)
		return st;
	r->overlapped =
		s->overlap == 0 || s->clients == 1 ||
		pawl__overlap_reached(&r->overlap, s->overlap < 0 ? 0 : (uint32_t)s->overlap);
	return race_capture(r) == PAWL_OK ? PAWL_OK : nomem(err);
}

enum pawl_status pawl__round_play(struct round *r, struct pawl_error *err)
{
	const struct scenario *s = r->field->s;
	enum pawl_status st;

	r->stride = s->names.captures_len + 1;
	r->of_round = arena_array(&r->arena, struct capture_value, r->stride);
	r->of_client = arena_array(&r->arena, struct capture_value, (size_t)r->stride * s->clients);
	if (r->of_round == NULL || r->of_client == NULL)
		return nomem(err);
	st = steps_play(r, &s->setup, "setup", err);
	if (st != PAWL_OK)
		return st;
	r->field->was_set_up = r->field->was_set_up || !r->carried;
	st = clients_play(r, &s->before, "before", err);
	if (st == PAWL_OK)
		st = race_play(r, err);
	if (st == PAWL_OK)
		st = clients_play(r, &s->after, "after", err);
	return st;
}

enum pawl_status pawl__round_teardown(struct round *r, struct pawl_error *err)
{
	const struct steps *steps = &r->field->s->teardown;
	enum pawl_status first = PAWL_OK;

	/* Each is tried, whatever became of those before. */
	for (uint32_t i = 0; i < steps->len && r->of_round != NULL; i++) {
		struct pawl_error why;
		const enum pawl_status st = step_play(r, &steps->at[i], "teardown", &why);

		if (st != PAWL_OK && first == PAWL_OK) {
			first = st;
			if (err != NULL)
				*err = why;
		}
	}
	return first;
}
