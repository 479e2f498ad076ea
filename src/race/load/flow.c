/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/assert.h"
#include "base/error.h"
#include "race/load/volley.h"

#define SECOND_NS     INT64_C(1000000000)
#define REOPEN_NS     INT64_C(20000000) /* pause after a connection that could not be made */
#define FLOW_SLACK_NS 1000UL

/* A request of a flow, with what it needs while it is under way. */
struct item {
	struct shot shot;
	struct volley_request request;
	struct volley_outcome outcome;
	struct buf body; /* HTTP/2 reads it when the peer's window allows */
	struct item *next_free;
};

struct flow_run {
	struct volley *v;
	const struct volley_flow *flow;
	struct volley_flow_result *result;
	struct channel *free;         /* that can take a request, by next_free */
	struct item *items;           /* free ones */
	struct shot *oldest, *newest; /* under way, by time of sending */
	uint64_t begun, due_last;     /* requests taken; that are due in all */
	uint64_t claimed_out, claimed_in;
	int64_t start_ns;
	int64_t reopen_ns; /* the earliest time of those that wait to be opened */
	bool ended;        /* next has no more */
};

static int64_t due_ns(const struct flow_run *r, uint64_t k)
{
	const uint64_t rate = r->flow->rate;

	return r->start_ns + (int64_t)(k / rate) * SECOND_NS +
	       (int64_t)(k % rate * (uint64_t)SECOND_NS / rate);
}

/* Requests that are due by now. */
static uint64_t due_count(const struct flow_run *r, int64_t now_ns)
{
	const int64_t past_ns = now_ns - r->start_ns;
	uint64_t n;

	if (past_ns < 0)
		return 0;
	n = (uint64_t)(past_ns / SECOND_NS) * r->flow->rate +
	    (uint64_t)(past_ns % SECOND_NS) * r->flow->rate / (uint64_t)SECOND_NS + 1;
	/* The division may have been rounded either way. */
	while (n > 0 && due_ns(r, n - 1) > now_ns)
		n--;
	return n < r->due_last ? n : r->due_last;
}

/* --- channels that can take a request --- */

static bool has_room(const struct channel *c)
{
	uint32_t bytes;

	if (c->state != CHANNEL_READY)
		return false;
	return c->h2 != NULL ? pawl__h2_room(c->h2, false, &bytes) > 0 : c->shots_len == 0;
}

static void free_push(struct flow_run *r, struct channel *c)
{
	if (c->is_free || !has_room(c))
		return;
	c->is_free = true;
	c->next_free = r->free;
	r->free = c;
}

static struct channel *free_pop(struct flow_run *r)
{
	while (r->free != NULL) {
		struct channel *c = r->free;

		r->free = c->next_free;
		c->is_free = false;
		if (has_room(c))
			return c;
	}
	return NULL;
}

static void on_channel_ready(struct volley *v, struct channel *c)
{
	free_push(v->flow, c);
}

/* --- outcomes --- */

static void outcome_tell(struct flow_run *r, uint64_t k, struct volley_outcome *o)
{
	struct volley_flow_result *res = r->result;

	res->counts[o->class]++;
	res->early += o->early ? 1 : 0;
	res->last_ns = o->done_ns > res->last_ns ? o->done_ns : res->last_ns;
	r->claimed_out += o->bytes_out;
	r->claimed_in += o->bytes_in;
	if (o->class == VOLLEY_ANSWERED) {
		pawl__hist_put(&res->intended_us, (uint64_t)(o->done_ns - o->intended_ns) / 1000);
		pawl__hist_put(&res->sent_us, (uint64_t)(o->done_ns - o->first_sent_ns) / 1000);
	}
	if (r->flow->done != NULL)
		r->flow->done(r->flow->data, k, o);
}

static void on_shot_done(struct volley *v, struct shot *s)
{
	struct flow_run *r = v->flow;
	struct item *item = CONTAINER_OF(s, struct item, shot);

	if (s->older != NULL)
		s->older->younger = s->younger;
	else
		r->oldest = s->younger;
	if (s->younger != NULL)
		s->younger->older = s->older;
	else
		r->newest = s->older;
	outcome_tell(r, s->k, s->o);
	v->kept -= s->o->body.len < v->kept ? s->o->body.len : v->kept;
	item->next_free = r->items;
	r->items = item;
	if (s->channel->h2 != NULL)
		free_push(r, s->channel);
}

/* The next request; false when there is none. */
static bool request_take(struct flow_run *r, struct volley_request *ret, struct pawl_error *err,
                         enum pawl_status *st)
{
	*ret = (struct volley_request){ .conn = VOLLEY_ANY };
	if (!r->flow->next(r->flow->data, r->begun, ret)) {
		r->ended = true;
		r->due_last = r->begun;
		return false;
	}
	ret->conn = VOLLEY_ANY;
	*st = pawl__volley_check(r->v, ret, err);
	if (*st != PAWL_OK)
		return false;
	r->begun++;
	r->result->requests++;
	return true;
}

/* It was due, and no connection will carry it. */
static bool request_drop(struct flow_run *r, enum volley_class class, int native,
                         struct pawl_error *err, enum pawl_status *st)
{
	struct volley_outcome o = { .class = class, .native = native };
	struct volley_request request;
	const uint64_t k = r->begun;

	if (!request_take(r, &request, err, st))
		return false;
	o.intended_ns = due_ns(r, k);
	o.done_ns = pawl__clock_mono_ns();
	outcome_tell(r, k, &o);
	return true;
}

static void on_channel_lost(struct volley *v, struct channel *c)
{
	struct flow_run *r = v->flow;

	/* Not made, or lost at once: not again without a pause. */
	c->retry_ns = v->env.now_ns + (c->used && c->failed != VOLLEY_REFUSED ? 0 : REOPEN_NS);
	if (c->retry_ns < r->reopen_ns)
		r->reopen_ns = c->retry_ns;
}

/* --- sending --- */

static struct item *item_get(struct flow_run *r)
{
	struct item *item = r->items;

	if (item == NULL) {
		item = calloc(1, sizeof(*item));
		if (item != NULL)
			pawl__buf_init(&item->body, VOLLEY_BODY_OUT_MAX);
		return item;
	}
	r->items = item->next_free;
	pawl__buf_reset(&item->outcome.fields);
	pawl__buf_reset(&item->outcome.body);
	item->outcome = (struct volley_outcome){ .fields = item->outcome.fields,
		                                 .body = item->outcome.body };
	item->shot = (struct shot){ 0 };
	return item;
}

static void item_free(struct item *item)
{
	pawl__outcome_deinit(&item->outcome);
	pawl__buf_deinit(&item->body);
	free(item);
}

static enum pawl_status request_send(struct flow_run *r, struct channel *c, struct pawl_error *err)
{
	struct item *item = item_get(r);
	enum pawl_status st = PAWL_OK;
	struct shot *s;

	if (item == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for another request");
	s = &item->shot;
	s->k = r->begun;
	if (!request_take(r, &item->request, err, &st)) {
		item->next_free = r->items;
		r->items = item;
		free_push(r, c);
		return st;
	}
	pawl__buf_reset(&item->body);
	buf_str(&item->body, item->request.body);
	item->request.body = buf_get(&item->body);
	s->request = &item->request;
	s->o = &item->outcome;
	s->o->intended_ns = due_ns(r, s->k);
	s->older = r->newest;
	if (r->newest != NULL)
		r->newest->younger = s;
	else
		r->oldest = s;
	r->newest = s;
	pawl__channel_send(c, s, false);
	if (s->state != SHOT_DONE)
		pawl__channel_hold(c, s);
	if (s->state != SHOT_DONE)
		(void)pawl__channel_release(c, s->o->intended_ns);
	if (r->v->flying > r->result->peak)
		r->result->peak = r->v->flying;
	if (c->h2 != NULL)
		free_push(r, c);
	return PAWL_OK;
}

static enum pawl_status requests_send(struct flow_run *r, struct pawl_error *err)
{
	const int64_t now_ns = pawl__clock_mono_ns();
	const uint64_t due = due_count(r, now_ns);
	enum pawl_status st = PAWL_OK;

	while (st == PAWL_OK && r->begun < due && !r->ended) {
		struct channel *c;

		if (due_ns(r, r->begun) + r->v->config.answer_ns <= now_ns) {
			(void)request_drop(r, VOLLEY_UNSENT, 0, err, &st);
			continue;
		}
		c = free_pop(r);
		if (c == NULL)
			break;
		st = request_send(r, c, err);
	}
	if (r->begun < due && due - r->begun > r->result->backlog)
		r->result->backlog = due - r->begun;
	return st;
}

/* --- what time brings --- */

static void timeouts_run(struct flow_run *r)
{
	const int64_t limit_ns = pawl__clock_mono_ns() - r->v->config.answer_ns;

	while (r->oldest != NULL && r->oldest->begun_ns <= limit_ns) {
		struct shot *s = r->oldest;
		struct channel *c = s->channel;
		const enum volley_class class = s->state != SHOT_RELEASED || s->pending
		                                        ? VOLLEY_UNSENT
		                                : s->o->first_byte_ns != 0 ? VOLLEY_DRIP
		                                                           : VOLLEY_TIMEOUT;

		if (c->h2 == NULL) {
			pawl__channel_close(c, class, 0);
			continue;
		}
		pawl__h2_cancel(c->h2, s);
		pawl__shot_finish(s, class, 0, pawl__clock_mono_ns());
		if (!pawl__h2_pump(c->h2))
			pawl__channel_close(c, VOLLEY_MALFORMED, 0);
	}
}

/* Channels that are closed are opened again. One that cannot be made takes a request that waits
 * with it: what cannot be reached is refused, it is not only late. */
static enum pawl_status channels_reopen(struct flow_run *r, struct pawl_error *err)
{
	const int64_t now_ns = pawl__clock_mono_ns();
	enum pawl_status st = PAWL_OK;

	if (now_ns < r->reopen_ns)
		return PAWL_OK;
	r->reopen_ns = INT64_MAX;
	for (uint32_t i = 0; st == PAWL_OK && i < r->flow->conns; i++) {
		struct channel *c = r->v->channels[i];

		if (c->state != CHANNEL_CLOSED)
			continue;
		if (c->retry_ns > now_ns) {
			r->reopen_ns = c->retry_ns < r->reopen_ns ? c->retry_ns : r->reopen_ns;
			continue;
		}
		if ((c->failed == VOLLEY_REFUSED || c->failed == VOLLEY_PROTOCOL) &&
		    r->begun < due_count(r, now_ns))
			(void)request_drop(r, c->failed, c->native, err, &st);
		if (st == PAWL_OK && r->begun < r->due_last)
			pawl__channel_open(c);
	}
	return st;
}

static int64_t next_ns(const struct flow_run *r)
{
	int64_t at_ns = r->reopen_ns;

	if (r->free != NULL && r->begun < r->due_last && due_ns(r, r->begun) < at_ns)
		at_ns = due_ns(r, r->begun);
	if (r->begun < r->due_last && due_ns(r, r->begun) + r->v->config.answer_ns < at_ns)
		at_ns = due_ns(r, r->begun) + r->v->config.answer_ns;
	if (r->oldest != NULL && r->oldest->begun_ns + r->v->config.answer_ns < at_ns)
		at_ns = r->oldest->begun_ns + r->v->config.answer_ns;
	return at_ns;
}

static enum pawl_status flow_turns(struct flow_run *r, struct pawl_error *err)
{
	enum pawl_status st = PAWL_OK;

	while (st == PAWL_OK && !atomic_load(&r->v->stopped) &&
	       (r->begun < r->due_last || r->v->flying > 0)) {
		timeouts_run(r);
		st = channels_reopen(r, err);
		if (st == PAWL_OK)
			st = requests_send(r, err);
		if (st == PAWL_OK && (r->begun < r->due_last || r->v->flying > 0))
			st = pawl__volley_turn(r->v, next_ns(r), err);
	}
	return st;
}

/* --- the run --- */

static enum pawl_status flow_check(const struct volley *v, const struct volley_flow *flow,
                                   struct pawl_error *err)
{
	if (flow->rate == 0 || flow->rate > VOLLEY_RATE_MAX || flow->duration_ns <= 0 ||
	    flow->next == NULL)
		return pawl__error_set(err, PAWL_E_INVALID,
		                       "a flow has a rate of 1 to %d a second and a duration",
		                       VOLLEY_RATE_MAX);
	if (flow->conns == 0 || flow->conns > VOLLEY_CONNS_MAX ||
	    (v->config.conns != 0 && flow->conns > v->config.conns))
		return pawl__error_set(err, PAWL_E_INVALID, "a flow needs its connections");
	return flow->warm == NULL ? PAWL_OK : pawl__volley_check(v, flow->warm, err);
}

static void flow_begin(struct flow_run *r)
{
	struct volley *v = r->v;
	const int64_t per_s = (int64_t)r->flow->rate;

	v->flow = r;
	v->shot_done = on_shot_done;
	v->channel_ready = on_channel_ready;
	v->channel_lost = on_channel_lost;
	v->warm = NULL; /* of those that are made anew: not in the middle of a measurement */
	for (uint32_t i = 0; i < r->flow->conns; i++) {
		v->channels[i]->is_free = false;
		v->channels[i]->retry_ns = 0;
		free_push(r, v->channels[i]);
		if (v->channels[i]->state == CHANNEL_CLOSED)
			r->reopen_ns = 0;
	}
	r->start_ns = pawl__clock_mono_ns();
	r->due_last = (uint64_t)(r->flow->duration_ns / SECOND_NS * per_s +
	                         r->flow->duration_ns % SECOND_NS * per_s / SECOND_NS);
	if (r->due_last == 0)
		r->due_last = 1;
	r->result->first_ns = r->start_ns;
}

static void flow_end(struct flow_run *r)
{
	struct volley *v = r->v;

	while (r->oldest != NULL) {
		struct shot *s = r->oldest;

		if (s->channel->h2 != NULL)
			pawl__h2_cancel(s->channel->h2, s);
		pawl__shot_finish(s,
		                  s->state != SHOT_RELEASED  ? VOLLEY_UNSENT
		                  : s->o->first_byte_ns != 0 ? VOLLEY_DRIP
		                                             : VOLLEY_TIMEOUT,
		                  0, pawl__clock_mono_ns());
		pawl__channel_close(s->channel, VOLLEY_TIMEOUT, 0);
	}
	for (uint32_t i = 0; i < r->flow->conns; i++) {
		struct channel *c = v->channels[i];

		if (c->state == CHANNEL_OPENING || c->state == CHANNEL_WARMING)
			pawl__channel_close(c, VOLLEY_UNSENT, 0);
		pawl__channel_count(c);
	}
	v->flow = NULL;
	v->shot_done = NULL;
	v->channel_ready = NULL;
	v->channel_lost = NULL;
	r->result->stopped = atomic_load(&v->stopped);
	r->result->bytes_out = v->bytes_out;
	r->result->bytes_in = v->bytes_in;
	r->result->overhead_out = v->bytes_out - r->claimed_out;
	r->result->overhead_in = v->bytes_in - r->claimed_in;
	memcpy(r->result->trouble, v->trouble, sizeof(v->trouble));
	while (r->items != NULL) {
		struct item *item = r->items;

		r->items = item->next_free;
		item_free(item);
	}
}

enum pawl_status pawl__volley_flow(struct volley *v, const struct volley_flow *flow,
                                   struct volley_flow_result *ret, struct pawl_error *err)
{
	struct flow_run r = { .v = v, .flow = flow, .result = ret, .reopen_ns = INT64_MAX };
	const int slack = prctl(PR_GET_TIMERSLACK);
	enum pawl_status st = flow_check(v, flow, err);

	*ret = (struct volley_flow_result){ 0 };
	if (st == PAWL_OK)
		st = pawl__volley_grow(v, flow->conns, err);
	if (st != PAWL_OK)
		return st;
	v->warm = flow->warm;
	v->kept = 0;
	v->bytes_out = 0;
	v->bytes_in = 0;
	v->trouble[0] = '\0';
	st = pawl__volley_open(v, flow->conns, err);
	if (st != PAWL_OK)
		return st;
	(void)prctl(PR_SET_TIMERSLACK, FLOW_SLACK_NS);
	flow_begin(&r);
	st = flow_turns(&r, err);
	flow_end(&r);
	if (slack > 0)
		(void)prctl(PR_SET_TIMERSLACK, (unsigned long)slack);
	POST(v->flying == 0 && v->sending == 0);
	return st;
}
