/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/num.h"
#include "base/rng.h"
#include "race/load/volley.h"

#define WAKE_NS         INT64_C(2000000) /* from the first byte that wakes the peer to the gate */
#define WAKE_STEPS      3
#define COLLECT_NS      500000L
#define COLLECT_BATCHES 20
#define WAKE_SPIN_NS    INT64_C(50000)
#define SLACK_NS        1000UL /* of the kernel's timers, while times matter */
#define SPIN_NS         INT64_C(60000)

/* A fire under way. */
struct fire {
	struct volley *v;
	const struct volley_plan *plan;
	struct volley_result *result;
	struct shot *shots; /* owned; of each request */
	uint32_t conns;     /* channels that carry them are among [0, conns) */
	uint32_t *order;    /* owned; SPREAD: requests by their time */
	int64_t *at_ns;     /* owned; SPREAD: times behind the gate */
};

/* --- results --- */

void pawl__outcome_deinit(struct volley_outcome *o)
{
	pawl__buf_deinit(&o->fields);
	pawl__buf_deinit(&o->body);
}

void pawl__volley_result_free(struct volley_result *r)
{
	for (size_t i = 0; i < r->len; i++)
		pawl__outcome_deinit(&r->outcomes[i]);
	free(r->outcomes);
	*r = (struct volley_result){ 0 };
}

bool pawl__volley_field(const struct volley_outcome *o, struct str name, struct str *ret)
{
	const char *at = o->fields.data, *end = at + o->fields.len;

	while (at < end) {
		const char *colon = memchr(at, ':', (size_t)(end - at));
		const char *cr = memmem(at, (size_t)(end - at), "\r\n", 2);

		if (colon == NULL || cr == NULL)
			return false;
		if (pawl__http1_name_eq((struct str){ at, (size_t)(colon - at) }, name)) {
			*ret = (struct str){ colon + 2, (size_t)(cr - colon) - 2 };
			return true;
		}
		at = cr + 2;
	}
	return false;
}

bool pawl__volley_overlapped(const struct volley_result *r, uint32_t peak_min)
{
	return pawl__overlap_reached(&r->overlap, peak_min);
}

/* --- stages --- */

static bool stopped(const struct fire *f)
{
	return atomic_load(&f->v->stopped);
}

static enum pawl_status plan_check(const struct volley *v, const struct volley_plan *plan,
                                   struct pawl_error *err)
{
	size_t total = 0;

	if (plan->len == 0 || plan->len > VOLLEY_REQUESTS_MAX)
		return pawl__error_set(err, PAWL_E_INVALID, "a volley has 1 to %d requests",
		                       VOLLEY_REQUESTS_MAX);
	if (v->config.proto == VOLLEY_HTTP1 && v->config.conns != 0 && plan->len > v->config.conns)
		return pawl__error_set(err, PAWL_E_INVALID,
		                       "over HTTP/1.1 each request needs its connection: %zu, and "
		                       "there are %u",
		                       plan->len, v->config.conns);
	if (plan->sync == VOLLEY_SPREAD && plan->spread_ns <= 0)
		return pawl__error_set(err, PAWL_E_INVALID, "a spread needs a duration");
	for (size_t i = 0; i < plan->len; i++) {
		const enum pawl_status st = pawl__volley_check(v, &plan->requests[i], err);

		if (st != PAWL_OK)
			return st;
		if (!num_size_add(total, plan->requests[i].body.len, &total) ||
		    total > VOLLEY_OUT_MAX)
			return pawl__error_set(err, PAWL_E_INVALID,
			                       "the requests of a volley are over %zu bytes",
			                       VOLLEY_OUT_MAX);
	}
	return plan->warm == NULL ? PAWL_OK : pawl__volley_check(v, plan->warm, err);
}

/* HTTP/1.1: the requests that chose a connection have it, the others get what is left. */
static enum pawl_status place_http1(struct fire *f, uint32_t *of, struct pawl_error *err)
{
	const struct volley_plan *plan = f->plan;
	bool taken[VOLLEY_CONNS_MAX] = { false };
	uint32_t next = 0;

	for (size_t i = 0; i < plan->len; i++) {
		const uint32_t conn = plan->requests[i].conn;

		of[i] = conn;
		if (conn == VOLLEY_ANY)
			continue;
		if (taken[conn])
			return pawl__error_set(err, PAWL_E_INVALID,
			                       "two requests of one volley have connection %u",
			                       conn);
		taken[conn] = true;
		f->conns = conn >= f->conns ? conn + 1 : f->conns;
	}
	for (size_t i = 0; i < plan->len; i++) {
		if (of[i] != VOLLEY_ANY)
			continue;
		while (taken[next])
			next++;
		taken[next] = true;
		of[i] = next;
		f->conns = next >= f->conns ? next + 1 : f->conns;
	}
	return PAWL_OK;
}

/* The request does not go out; its connection says why. */
static void unplaced(struct fire *f, size_t i, const struct channel *c)
{
	struct volley_outcome *o = &f->result->outcomes[i];

	o->class = VOLLEY_UNSENT;
	if (c != NULL) {
		o->conn = c->index;
		o->native = c->native;
		if (c->state == CHANNEL_CLOSED && c->failed != VOLLEY_ANSWERED)
			o->class = c->failed;
	}
	o->done_ns = pawl__clock_mono_ns();
	f->shots[i].state = SHOT_DONE;
}

static void shot_place(struct fire *f, size_t i, struct channel *c)
{
	f->shots[i] = (struct shot){ .request = &f->plan->requests[i],
		                     .o = &f->result->outcomes[i],
		                     .channel = c };
}

/* Connections that have idled since the last fire may be closed by now: look. */
static enum pawl_status channels_look(struct fire *f, struct pawl_error *err)
{
	if (f->plan->fresh) {
		for (uint32_t i = 0; i < f->v->channels_len; i++)
			pawl__channel_close(f->v->channels[i], VOLLEY_ANSWERED, 0);
	}
	enum pawl_status st = PAWL_OK;

	for (uint32_t i = 0; st == PAWL_OK && i <= f->v->channels_len / VOLLEY_EVENTS_MAX; i++)
		st = pawl__volley_turn(f->v, 0, err);
	return st;
}

static enum pawl_status open_http1(struct fire *f, struct pawl_error *err)
{
	uint32_t *of = calloc(f->plan->len, sizeof(*of));
	enum pawl_status st;

	if (of == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for a volley");
	st = place_http1(f, of, err);
	if (st == PAWL_OK)
		st = pawl__volley_grow(f->v, f->conns, err);
	if (st == PAWL_OK)
		st = pawl__volley_open(f->v, f->conns, err);
	for (size_t i = 0; st == PAWL_OK && i < f->plan->len; i++) {
		struct channel *c = f->v->channels[of[i]];

		shot_place(f, i, c);
		if (c->state != CHANNEL_READY)
			unplaced(f, i, c);
	}
	free(of);
	return st;
}

/* HTTP/2: as many as there is room for on the connections [from, conns). Returns how many of all
 * have a place now. */
static size_t place_http2(struct fire *f, uint32_t from, size_t placed)
{
	const bool packet = f->plan->sync == VOLLEY_LAST_BYTE;
	struct volley_result *r = f->result;

	for (uint32_t i = from; i < f->conns; i++) {
		struct channel *c = f->v->channels[i];
		uint32_t room, streams, bytes;

		if (c->state != CHANNEL_READY)
			continue;
		room = pawl__h2_room(c->h2, packet, &bytes);
		streams = pawl__h2_streams_max(c->h2);
		r->streams_max =
			r->streams_max == 0 || streams < r->streams_max ? streams : r->streams_max;
		r->packet_max = r->packet_max == 0 || bytes < r->packet_max ? bytes : r->packet_max;
		for (; room > 0 && placed < f->plan->len; room--)
			shot_place(f, placed++, c);
	}
	return placed;
}

static enum pawl_status open_http2(struct fire *f, struct pawl_error *err)
{
	const uint32_t max = f->v->config.conns == 0 ? VOLLEY_CONNS_MAX : f->v->config.conns;
	enum pawl_status st = PAWL_OK;
	size_t placed = 0;
	uint32_t want = 1;

	/* How many are needed is known when the first has told its limits. */
	while (st == PAWL_OK && placed < f->plan->len && f->conns < max && !stopped(f)) {
		const uint32_t from = f->conns;
		const size_t before = placed;

		f->conns = want < max ? want : max;
		st = pawl__volley_grow(f->v, f->conns, err);
		if (st == PAWL_OK)
			st = pawl__volley_open(f->v, f->conns, err);
		if (st != PAWL_OK)
			return st;
		placed = place_http2(f, from, placed);
		if (placed == before)
			break; /* it takes none: more of the same would not either */
		const size_t each = (placed - before) / (f->conns - from);

		want = f->conns +
		       (uint32_t)((f->plan->len - placed + each) / (each == 0 ? 1 : each));
	}
	if (placed < f->plan->len && placed > 0)
		pawl__volley_trouble(f->v, "more requests than the connections take streams", 0);
	for (size_t i = placed; i < f->plan->len; i++)
		unplaced(f, i, placed == 0 && f->v->channels_len > 0 ? f->v->channels[0] : NULL);
	return st;
}

static enum pawl_status prepare(struct fire *f, struct pawl_error *err)
{
	const int64_t deadline_ns = pawl__clock_mono_ns() + f->v->config.send_ns;
	enum pawl_status st = PAWL_OK;

	for (size_t i = 0; i < f->plan->len; i++) {
		struct shot *s = &f->shots[i];

		if (s->state != SHOT_NEW || s->channel == NULL)
			continue;
		if (s->channel->state != CHANNEL_READY)
			unplaced(f, i, s->channel);
		else if (f->plan->sync != VOLLEY_NONE || f->v->config.proto == VOLLEY_HTTP1)
			pawl__channel_send(s->channel, s, f->plan->sync != VOLLEY_NONE);
	}
	while (st == PAWL_OK && f->v->sending > 0 && !stopped(f) &&
	       pawl__clock_mono_ns() < deadline_ns)
		st = pawl__volley_turn(f->v, deadline_ns, err);
	for (size_t i = 0; i < f->plan->len; i++) {
		struct shot *s = &f->shots[i];

		if (s->state == SHOT_SENDING) /* its connection is in the middle of it */
			pawl__channel_close(s->channel, VOLLEY_UNSENT, 0);
	}
	return st;
}

static enum pawl_status wait_until(struct fire *f, int64_t until_ns, struct pawl_error *err)
{
	enum pawl_status st = PAWL_OK;

	while (st == PAWL_OK && !stopped(f) && pawl__clock_mono_ns() < until_ns)
		st = pawl__volley_turn(f->v, until_ns, err);
	return st;
}

static void spin_until(int64_t until_ns)
{
	while (pawl__clock_mono_ns() < until_ns)
		;
}

/* A connection that carries no request; without it the volley is no worse than before. */
static enum pawl_status spare_open(struct fire *f, struct pawl_error *err)
{
	struct volley *v = f->v;
	const int64_t deadline_ns = pawl__clock_mono_ns() + v->config.open_ns;
	enum pawl_status st = PAWL_OK;

	if (f->plan->no_wake || v->config.proto == VOLLEY_HTTP2)
		return PAWL_OK;
	if (v->spare == NULL) {
		v->spare = pawl__channel_new(v, UINT32_MAX);
		if (v->spare == NULL)
			return pawl__error_set(err, PAWL_E_NOMEM, "no memory for a connection");
		v->spare->spare = true;
	}
	pawl__channel_open(v->spare);
	while (st == PAWL_OK && v->spare->state == CHANNEL_OPENING && !stopped(f) &&
	       pawl__clock_mono_ns() < deadline_ns)
		st = pawl__volley_turn(v, deadline_ns, err);
	return st;
}

/* What is asleep at the other end, and on the way to it, wakes. This thread sleeps in between: one
 * that has been spinning is the first to be put aside when the peer shares its CPU. */
static enum pawl_status wake(struct fire *f, struct pawl_error *err)
{
	const int64_t start_ns = pawl__clock_mono_ns();
	enum pawl_status st = PAWL_OK;

	if (f->plan->no_wake)
		return PAWL_OK;
	for (int step = 0; st == PAWL_OK && step < WAKE_STEPS; step++) {
		if (f->v->config.proto == VOLLEY_HTTP2) {
			for (uint32_t i = 0; i < f->conns; i++)
				pawl__channel_wake(f->v->channels[i], step);
		} else {
			pawl__channel_wake(f->v->spare, step);
		}
		st = wait_until(f, start_ns + (step + 1) * (WAKE_NS / WAKE_STEPS) - WAKE_SPIN_NS,
		                err);
	}
	spin_until(start_ns + WAKE_NS);
	return st;
}

/* --- the gate --- */

static bool shot_waits(const struct fire *f, const struct shot *s)
{
	return s->state == SHOT_PREPARED || (s->state == SHOT_NEW && f->plan->sync == VOLLEY_NONE);
}

static void gate_http1(struct fire *f)
{
	f->result->gate_ns = pawl__clock_mono_ns();
	for (size_t i = 0; i < f->plan->len; i++) {
		struct shot *s = &f->shots[i];

		if (shot_waits(f, s))
			f->result->writes += pawl__channel_release(s->channel, f->result->gate_ns);
	}
}

static void gate_http2(struct fire *f)
{
	for (size_t i = 0; i < f->plan->len; i++) {
		struct shot *s = &f->shots[i];

		if (s->state == SHOT_NEW && s->channel->state == CHANNEL_READY)
			pawl__channel_send(s->channel, s, false);
		else if (s->state == SHOT_NEW)
			unplaced(f, i, s->channel);
	}
	for (uint32_t i = 0; i < f->conns; i++) {
		if (f->v->channels[i]->state == CHANNEL_READY)
			pawl__channel_hold(f->v->channels[i], NULL);
	}
	f->result->gate_ns = pawl__clock_mono_ns();
	for (uint32_t i = 0; i < f->conns; i++) {
		struct channel *c = f->v->channels[i];

		if (c->state == CHANNEL_READY && c->wire.held.len > 0)
			f->result->writes += pawl__channel_release(c, f->result->gate_ns);
	}
}

static int compare_spread(const void *a, const void *b, void *data)
{
	const int64_t *at_ns = data, x = at_ns[*(const uint32_t *)a],
		      y = at_ns[*(const uint32_t *)b];

	return (x > y) - (x < y);
}

static enum pawl_status spread_draw(struct fire *f, struct pawl_error *err)
{
	const size_t len = f->plan->len;
	struct rng rng;

	if (f->plan->sync != VOLLEY_SPREAD)
		return PAWL_OK;
	f->order = calloc(len, sizeof(*f->order));
	f->at_ns = calloc(len, sizeof(*f->at_ns));
	if (f->order == NULL || f->at_ns == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for a volley");
	rng_init(&rng, f->plan->seed);
	for (size_t i = 0; i < len; i++) {
		f->order[i] = (uint32_t)i;
		f->at_ns[i] = (int64_t)pawl__rng_below(&rng, (uint64_t)f->plan->spread_ns);
	}
	qsort_r(f->order, len, sizeof(*f->order), compare_spread, f->at_ns);
	return PAWL_OK;
}

static enum pawl_status gate_spread(struct fire *f, struct pawl_error *err)
{
	enum pawl_status st = PAWL_OK;

	f->result->gate_ns = pawl__clock_mono_ns();
	for (size_t i = 0; st == PAWL_OK && i < f->plan->len && !stopped(f); i++) {
		const uint32_t at = f->order[i];
		struct shot *s = &f->shots[at];
		const int64_t due_ns = f->result->gate_ns + f->at_ns[at];

		while (st == PAWL_OK && !stopped(f) && pawl__clock_mono_ns() < due_ns - SPIN_NS)
			st = pawl__volley_turn(f->v, due_ns - SPIN_NS, err);
		if (stopped(f))
			break;
		spin_until(due_ns);
		if (s->state != SHOT_PREPARED)
			continue;
		pawl__channel_hold(s->channel, s);
		f->result->writes += pawl__channel_release(s->channel, due_ns);
	}
	return st;
}

/* --- the end --- */

static void pause_ns(long ns)
{
	const struct timespec ts = { 0, ns };

	(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

static bool stamped(const struct fire *f)
{
	for (uint32_t i = 0; i < f->conns; i++) {
		if (f->v->channels[i]->state == CHANNEL_READY && !f->v->channels[i]->wire.stamped)
			return false;
	}
	return true;
}

static enum pawl_status collect(struct fire *f, struct pawl_error *err)
{
	const int64_t deadline_ns = pawl__clock_mono_ns() + f->v->config.answer_ns;
	enum pawl_status st = PAWL_OK;
	int batches = f->plan->len > 1 ? COLLECT_BATCHES : 0;

	/* Where the kernel says when answers came, they are read in batches: waking for each would
	 * take the CPU from a peer on this machine while the requests are still arriving. */
	while (st == PAWL_OK && f->v->flying > 0 && !stopped(f) &&
	       pawl__clock_mono_ns() < deadline_ns) {
		if (batches-- > 0 && stamped(f))
			pause_ns(COLLECT_NS);
		st = pawl__volley_turn(f->v, deadline_ns, err);
	}
	if (f->v->spare != NULL)
		pawl__channel_close(f->v->spare, VOLLEY_ANSWERED, 0);
	return st;
}

/* Whatever is still under way is given up. */
static void give_up(struct fire *f)
{
	if (f->v->spare != NULL)
		pawl__channel_close(f->v->spare, VOLLEY_ANSWERED, 0);
	for (size_t i = 0; i < f->plan->len; i++) {
		struct shot *s = &f->shots[i];

		if (s->state == SHOT_DONE)
			continue;
		if (s->state == SHOT_NEW) {
			unplaced(f, i, s->channel);
			continue;
		}
		const enum volley_class class = s->state != SHOT_RELEASED || s->pending
		                                        ? VOLLEY_UNSENT
		                                : s->o->first_byte_ns != 0 ? VOLLEY_DRIP
		                                                           : VOLLEY_TIMEOUT;

		if (s->channel->h2 != NULL)
			pawl__h2_cancel(s->channel->h2, s);
		pawl__shot_finish(s, class, 0, pawl__clock_mono_ns());
		/* Over HTTP/1.1 what comes later would be taken for the next answer. */
		if (s->channel->h2 == NULL)
			pawl__channel_close(s->channel, class, 0);
	}
}

static uint32_t conns_used(const struct fire *f)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < f->v->channels_len; i++)
		f->v->channels[i]->marked = false;
	for (size_t i = 0; i < f->plan->len; i++) {
		struct channel *c = f->shots[i].channel;

		if (c != NULL && f->result->outcomes[i].released_ns != 0 && !c->marked) {
			c->marked = true;
			n++;
		}
	}
	return n;
}

static enum pawl_status summarize(struct fire *f, struct pawl_error *err)
{
	struct volley_result *r = f->result;
	struct race_span *spans = calloc(r->len, sizeof(*spans));
	int64_t first_ns = INT64_MAX, last_ns = 0;
	uint64_t out = 0, in = 0;
	enum pawl_status st;

	if (spans == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for the results");
	for (size_t i = 0; i < r->len; i++) {
		const struct volley_outcome *o = &r->outcomes[i];

		spans[i] = (struct race_span){ o->released_ns, o->done_ns };
		r->counts[o->class]++;
		r->early += o->early ? 1 : 0;
		out += o->bytes_out;
		in += o->bytes_in;
		if (o->released_ns == 0)
			continue;
		r->released++;
		first_ns = o->released_ns < first_ns ? o->released_ns : first_ns;
		last_ns = o->released_ns > last_ns ? o->released_ns : last_ns;
	}
	st = pawl__overlap_measure(spans, r->len, &r->overlap, err);
	free(spans);
	r->release_spread_ns = r->released == 0 ? 0 : last_ns - first_ns;
	r->conns_used = conns_used(f);
	r->split = f->v->config.proto == VOLLEY_HTTP2 && r->conns_used > 1;
	r->stopped = stopped(f);
	for (uint32_t i = 0; i < f->v->channels_len; i++)
		pawl__channel_count(f->v->channels[i]);
	if (f->v->spare != NULL)
		pawl__channel_count(f->v->spare);
	r->bytes_out = f->v->bytes_out;
	r->bytes_in = f->v->bytes_in;
	r->overhead_out = r->bytes_out - out;
	r->overhead_in = r->bytes_in - in;
	memcpy(r->trouble, f->v->trouble, sizeof(r->trouble));
	return st;
}

static enum pawl_status fire_run(struct fire *f, struct pawl_error *err)
{
	const struct volley_plan *plan = f->plan;
	const bool http2 = f->v->config.proto == VOLLEY_HTTP2;
	const int64_t head_ns = plan->head_start_ns == 0  ? VOLLEY_HEAD_DEFAULT_NS
	                        : plan->head_start_ns < 0 ? 0
	                                                  : plan->head_start_ns;
	enum pawl_status st = spread_draw(f, err);

	if (st == PAWL_OK)
		st = channels_look(f, err);
	if (st == PAWL_OK)
		st = http2 ? open_http2(f, err) : open_http1(f, err);
	if (st == PAWL_OK)
		st = spare_open(f, err);
	if (st == PAWL_OK)
		st = prepare(f, err);
	if (st == PAWL_OK)
		st = wait_until(f, pawl__clock_mono_ns() + head_ns, err);
	if (st != PAWL_OK || stopped(f))
		return st;
	st = wake(f, err);
	if (st == PAWL_OK)
		st = pawl__volley_turn(f->v, 0,
		                       err); /* answers that are too early are seen as that */
	if (st != PAWL_OK)
		return st;
	if (plan->sync == VOLLEY_SPREAD)
		st = gate_spread(f, err);
	else if (http2)
		gate_http2(f);
	else
		gate_http1(f);
	return st == PAWL_OK ? collect(f, err) : st;
}

enum pawl_status pawl__volley_fire(struct volley *v, const struct volley_plan *plan,
                                   struct volley_result *ret, struct pawl_error *err)
{
	struct fire f = { .v = v, .plan = plan, .result = ret };
	const int slack = prctl(PR_GET_TIMERSLACK);
	enum pawl_status st = plan_check(v, plan, err);

	pawl__volley_result_free(ret);
	if (st != PAWL_OK)
		return st;
	ret->outcomes = calloc(plan->len, sizeof(*ret->outcomes));
	f.shots = calloc(plan->len, sizeof(*f.shots));
	if (ret->outcomes == NULL || f.shots == NULL) {
		free(f.shots);
		pawl__volley_result_free(ret);
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for a volley");
	}
	ret->len = plan->len;
	v->warm = plan->warm;
	v->kept = 0;
	v->bytes_out = 0;
	v->bytes_in = 0;
	v->trouble[0] = '\0';
	(void)prctl(PR_SET_TIMERSLACK, SLACK_NS);
	st = fire_run(&f, err);
	give_up(&f);
	if (st == PAWL_OK)
		st = summarize(&f, err);
	if (slack > 0)
		(void)prctl(PR_SET_TIMERSLACK, (unsigned long)slack);
	if (st != PAWL_OK)
		pawl__volley_result_free(ret);
	v->warm = NULL;
	free(f.shots);
	free(f.order);
	free(f.at_ns);
	POST(v->flying == 0 && v->sending == 0);
	return st;
}

enum pawl_status pawl__volley_call(struct volley *v, const struct volley_request *request,
                                   struct volley_result *ret, struct pawl_error *err)
{
	const struct volley_plan plan = { .sync = VOLLEY_NONE,
		                          .requests = request,
		                          .len = 1,
		                          .head_start_ns = -1,
		                          .no_wake = true };

	return pawl__volley_fire(v, &plan, ret, err);
}
