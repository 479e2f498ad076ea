/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "race/load/volley.h"

/* --- shots --- */

void pawl__shot_heard(struct shot *s, int64_t at_ns, bool kernel)
{
	struct volley_outcome *o = s->o;

	if (o->first_byte_ns == 0) {
		o->first_byte_ns = at_ns;
		o->kernel_times = kernel;
		if (s->state != SHOT_RELEASED || s->pending || (kernel && at_ns < o->released_ns))
			o->early = true;
	}
	o->kernel_times = o->kernel_times && kernel;
}

void pawl__shot_prepared(struct shot *s)
{
	PRE(s->state == SHOT_SENDING);
	s->state = SHOT_PREPARED;
	s->channel->volley->sending--;
}

void pawl__shot_released(struct shot *s, int64_t at_ns, bool pending)
{
	if (s->state == SHOT_SENDING)
		pawl__shot_prepared(s);
	if (s->state != SHOT_RELEASED && s->state != SHOT_PREPARED)
		return;
	s->state = SHOT_RELEASED;
	s->pending = pending;
	if (!pending)
		s->o->released_ns = at_ns;
}

static void shots_remove(struct channel *c, struct shot *s)
{
	if (s->prev != NULL)
		s->prev->next = s->next;
	else
		c->shots = s->next;
	if (s->next != NULL)
		s->next->prev = s->prev;
	s->next = s->prev = NULL;
	c->shots_len--;
}

void pawl__shot_finish(struct shot *s, enum volley_class class, int native, int64_t at_ns)
{
	struct channel *c = s->channel;
	struct volley *v = c->volley;

	PRE(s->state != SHOT_DONE && s->state != SHOT_NEW);
	if (s->state == SHOT_SENDING)
		v->sending--;
	if (c->h2 == NULL) {
		s->o->bytes_out = c->wire.sent - s->sent_before;
		s->o->first_sent_ns = c->wire.first_sent_ns;
	}
	s->state = SHOT_DONE;
	s->o->class = class;
	s->o->native = native;
	s->o->done_ns = at_ns;
	shots_remove(c, s);
	c->used = true;
	if (s->warm)
		return;
	v->flying--;
	if (v->shot_done != NULL)
		v->shot_done(v, s);
}

/* --- life of a channel --- */

struct channel *pawl__channel_new(struct volley *v, uint32_t index)
{
	struct channel *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->volley = v;
	c->index = index;
	pawl__wire_init(&c->wire, &v->env);
	pawl__reply_init(&c->reply);
	c->reply.body_max = v->config.body_max;
	c->reply.kept = &v->kept;
	return c;
}

void pawl__channel_free(struct channel *c)
{
	if (c == NULL)
		return;
	pawl__h2_free(c->h2);
	pawl__wire_deinit(&c->wire);
	pawl__reply_deinit(&c->reply);
	pawl__outcome_deinit(&c->warm_outcome);
	free(c);
}

void pawl__channel_count(struct channel *c)
{
	const uint64_t out = c->h2 != NULL ? pawl__h2_made(c->h2) : c->wire.sent;

	c->volley->bytes_out += out - c->counted_out;
	c->volley->bytes_in += c->wire.received - c->counted_in;
	c->counted_out = out;
	c->counted_in = c->wire.received;
}

/* The wire is closed, or is to be: no more comes of it. */
static void channel_end(struct channel *c, enum volley_class class, int native)
{
	struct volley *v = c->volley;
	const int64_t now_ns = pawl__clock_mono_ns();
	const enum channel_state was = c->state;

	if (was == CHANNEL_CLOSED)
		return;
	c->state = CHANNEL_CLOSED;
	c->failed = class;
	c->native = native;
	if (was == CHANNEL_OPENING || was == CHANNEL_WARMING)
		v->opening--;
	while (c->shots != NULL)
		pawl__shot_finish(c->shots, class, native, now_ns);
	pawl__channel_count(c);
	pawl__wire_close(&c->wire);
	pawl__h2_free(c->h2);
	c->h2 = NULL;
	if (v->channel_lost != NULL && !c->spare)
		v->channel_lost(v, c);
}

void pawl__channel_close(struct channel *c, enum volley_class class, int native)
{
	channel_end(c, class, native);
}

void pawl__channel_open(struct channel *c)
{
	PRE(c->state == CHANNEL_CLOSED);
	c->state = CHANNEL_OPENING;
	c->volley->opening++;
	c->failed = VOLLEY_ANSWERED;
	c->native = 0;
	c->used = false;
	c->leaving = false;
	c->counted_out = 0;
	c->counted_in = 0;
	pawl__wire_open(&c->wire);
}

static void channel_ready(struct channel *c)
{
	struct volley *v = c->volley;

	c->state = CHANNEL_READY;
	v->opening--;
	if (v->channel_ready != NULL && !c->spare)
		v->channel_ready(v, c);
}

/* The connection stands. */
static void channel_stands(struct channel *c)
{
	struct volley *v = c->volley;

	if (v->warm == NULL || c->spare || v->no_keep_alive) {
		channel_ready(c);
		return;
	}
	c->state = CHANNEL_WARMING;
	pawl__outcome_deinit(&c->warm_outcome);
	c->warm_outcome = (struct volley_outcome){ .conn = c->index };
	c->warm = (struct shot){ .request = v->warm, .o = &c->warm_outcome, .warm = true };
	pawl__channel_send(c, &c->warm, false);
	if (c->state == CHANNEL_WARMING) {
		pawl__channel_hold(c, &c->warm);
		(void)pawl__channel_release(c, pawl__clock_mono_ns());
	}
}

static void channel_up(struct wire *w)
{
	struct channel *c = channel_of(w);

	if (c->volley->config.proto != VOLLEY_HTTP2) {
		channel_stands(c);
		return;
	}
	c->h2 = pawl__h2_new(c);
	if (c->h2 == NULL || !pawl__h2_pump(c->h2)) {
		pawl__volley_trouble(c->volley, "no memory for an HTTP/2 session", 0);
		channel_end(c, VOLLEY_PROTOCOL, ENOMEM);
	}
}

/* The warm-up has been answered, with whatever status. */
static void warmed(struct channel *c, bool stays)
{
	if (stays) {
		channel_ready(c);
		return;
	}
	/* The peer closes behind each answer: once more, without. */
	c->volley->no_keep_alive = true;
	channel_end(c, VOLLEY_ANSWERED, 0);
	pawl__channel_open(c);
}

/* --- sending --- */

static void gather_request(struct volley *v, const struct volley_request *r)
{
	struct buf *b = &v->gather;
	bool host = false;

	pawl__buf_reset(b);
	buf_str(b, r->method);
	pawl__buf_putc(b, ' ');
	if (r->target.ptr[0] == '/')
		buf_str(b, pawl__str_of(v->target.base));
	buf_str(b, r->target);
	buf_lit(b, " HTTP/1.1\r\n");
	for (size_t i = 0; i < r->fields_len; i++)
		host = host || pawl__http1_name_eq(r->fields[i].name, STR("host"));
	if (!host) {
		buf_lit(b, "Host: ");
		buf_str(b, pawl__str_of(v->target.peer.authority));
		buf_lit(b, "\r\n");
	}
	for (size_t i = 0; i < r->fields_len; i++) {
		buf_str(b, r->fields[i].name);
		buf_lit(b, ": ");
		buf_str(b, r->fields[i].value);
		buf_lit(b, "\r\n");
	}
	if (r->body.len > 0 || str_eq(r->method, STR("POST")) || str_eq(r->method, STR("PUT")) ||
	    str_eq(r->method, STR("PATCH"))) {
		buf_lit(b, "Content-Length: ");
		pawl__buf_u64(b, r->body.len);
		buf_lit(b, "\r\n");
	}
	buf_lit(b, "\r\n");
	buf_str(b, r->body);
}

void pawl__channel_send(struct channel *c, struct shot *s, bool ahead)
{
	struct volley *v = c->volley;
	struct wire *w = &c->wire;
	size_t first;

	PRE(c->state == CHANNEL_READY || c->state == CHANNEL_WARMING);
	s->channel = c;
	s->begun_ns = pawl__clock_mono_ns();
	s->state = SHOT_SENDING;
	s->o->conn = c->index;
	s->o->reused = c->used;
	v->sending++;
	if (!s->warm)
		v->flying++;
	s->prev = NULL;
	s->next = c->shots;
	if (c->shots != NULL)
		c->shots->prev = s;
	c->shots = s;
	c->shots_len++;
	if (c->h2 != NULL) {
		if (!pawl__h2_submit(c->h2, s, ahead) || (ahead && !pawl__h2_pump(c->h2)))
			channel_end(c, VOLLEY_UNSENT, ENOMEM);
		return;
	}
	gather_request(v, s->request);
	first = ahead ? v->gather.len - 1 : 0;
	s->sent_before = w->sent;
	w->first_sent_ns = 0;
	pawl__reply_begin(&c->reply, s->o, str_eq(s->request->method, STR("HEAD")));
	if (v->gather.overflow || !pawl__wire_put(w, v->gather.data, first) ||
	    !pawl__wire_hold(w, v->gather.data + first, v->gather.len - first)) {
		channel_end(c, VOLLEY_UNSENT, ENOMEM);
		return;
	}
	pawl__wire_flush(w);
	if (wire_drained(w))
		pawl__shot_prepared(s);
}

void pawl__channel_hold(struct channel *c, struct shot *s)
{
	if (c->h2 != NULL && !pawl__h2_hold(c->h2, s))
		channel_end(c, VOLLEY_UNSENT, ENOMEM);
}

uint32_t pawl__channel_release(struct channel *c, int64_t intended_ns)
{
	const int64_t now_ns = pawl__clock_mono_ns();

	if (c->state == CHANNEL_CLOSED)
		return 0;
	pawl__wire_release(&c->wire);
	if (c->h2 != NULL) {
		pawl__h2_released(c->h2, now_ns, intended_ns);
		return 1;
	}
	if (c->shots == NULL)
		return 0;
	c->shots->o->intended_ns = intended_ns == 0 ? now_ns : intended_ns;
	pawl__shot_released(c->shots, now_ns, !wire_drained(&c->wire));
	return 1;
}

/* A request that is never completed does not reach an application: harmless, yet the peer's CPU
 * wakes to read it. HTTP/2 has PING for that. */
void pawl__channel_wake(struct channel *c, int step)
{
	static const char bytes[] = "GET";

	if (c->state != CHANNEL_READY)
		return;
	if (c->h2 != NULL) {
		if (!pawl__h2_ping(c->h2))
			channel_end(c, VOLLEY_UNSENT, ENOMEM);
		return;
	}
	if (pawl__wire_put(&c->wire, bytes + step % 3, 1))
		pawl__wire_flush(&c->wire);
}

/* --- receiving --- */

static void http1_answered(struct channel *c, int64_t at_ns, bool more)
{
	struct shot *s = c->shots;
	/* An answer before the request was whole, or followed by bytes that nobody asked for: the
	 * connection is in no known state. */
	const bool stays = c->reply.keep_alive && !more && s->state == SHOT_RELEASED &&
	                   !s->pending && c->wire.held.len == 0;
	const bool warm = s->warm;

	pawl__shot_finish(s, VOLLEY_ANSWERED, 0, at_ns);
	if (warm)
		warmed(c, stays);
	else if (!stays)
		channel_end(c, VOLLEY_ANSWERED, 0);
	else if (c->volley->channel_ready != NULL)
		c->volley->channel_ready(c->volley, c);
}

static void http1_bytes(struct channel *c, struct str bytes, int64_t at_ns, bool kernel)
{
	struct shot *s = c->shots;
	enum reply_state state;
	size_t used;

	if (s == NULL) { /* an answer to nothing, such as 408 */
		channel_end(c, VOLLEY_CLOSED, 0);
		return;
	}
	pawl__shot_heard(s, at_ns, kernel);
	state = pawl__reply_feed(&c->reply, bytes.ptr, bytes.len, &used);
	s->o->bytes_in += state == REPLY_DONE ? used : bytes.len;
	switch (state) {
	case REPLY_MORE:
		break;
	case REPLY_DONE:
		http1_answered(c, at_ns, used < bytes.len);
		break;
	case REPLY_MALFORMED:
		channel_end(c, VOLLEY_MALFORMED, 0);
		break;
	case REPLY_TOO_LARGE:
		channel_end(c, VOLLEY_TOO_LARGE, 0);
		break;
	}
}

static void channel_bytes(struct wire *w, const char *data, size_t len, int64_t at_ns, bool kernel)
{
	struct channel *c = channel_of(w);
	enum volley_class class = VOLLEY_MALFORMED;

	if (c->h2 == NULL) {
		http1_bytes(c, (struct str){ data, len }, at_ns, kernel);
		return;
	}
	if (!pawl__h2_bytes(c->h2, (struct str){ data, len }, at_ns, kernel, &class)) {
		channel_end(c, class, 0);
		return;
	}
	if (c->state == CHANNEL_OPENING && pawl__h2_up(c->h2))
		channel_stands(c);
	if (c->state == CHANNEL_WARMING && c->warm.state == SHOT_DONE) {
		if (c->warm_outcome.class == VOLLEY_ANSWERED)
			channel_ready(c);
		else
			channel_end(c, c->warm_outcome.class, c->warm_outcome.native);
	}
	if (c->state == CHANNEL_READY && c->shots_len == 0 && c->leaving)
		channel_end(c, VOLLEY_CLOSED, 0);
}

static void channel_wire_end(struct wire *w, enum wire_end why, int native, const char *text)
{
	struct channel *c = channel_of(w);
	enum volley_class class = VOLLEY_RESET;

	if (why == WIRE_EOF)
		class = VOLLEY_CLOSED;
	else if (why == WIRE_REFUSED)
		class = VOLLEY_REFUSED;
	else if (why == WIRE_PROTOCOL)
		class = c->state == CHANNEL_OPENING ? VOLLEY_PROTOCOL : VOLLEY_MALFORMED;
	if (c->state == CHANNEL_OPENING && (why == WIRE_EOF || why == WIRE_RESET)) {
		/* It took the connection, and did not take the protocol. */
		class = VOLLEY_PROTOCOL;
		text = "the peer ended the connection before it was set up";
	}
	if (!c->spare && (text != NULL || why == WIRE_REFUSED))
		pawl__volley_trouble(c->volley, text, native);
	if (why == WIRE_EOF && c->h2 == NULL && c->shots != NULL && pawl__reply_eof(&c->reply)) {
		const bool warm = c->shots->warm;

		c->shots->o->kernel_times = false;
		pawl__shot_finish(c->shots, VOLLEY_ANSWERED, 0, pawl__clock_mono_ns());
		if (warm) {
			warmed(c, false);
			return;
		}
		class = VOLLEY_ANSWERED;
	}
	channel_end(c, class, native);
}

/* After the events of a wire: what was waiting for the kernel to take bytes. */
static void channel_settle(struct channel *c)
{
	struct shot *s = c->shots;

	if (c->state == CHANNEL_CLOSED)
		return;
	if (c->h2 != NULL) {
		if (!pawl__h2_pump(c->h2))
			channel_end(c, c->leaving ? VOLLEY_RESET : VOLLEY_MALFORMED, 0);
		return;
	}
	if (s == NULL || !wire_drained(&c->wire))
		return;
	if (s->state == SHOT_SENDING)
		pawl__shot_prepared(s);
	else if (s->pending)
		pawl__shot_released(s, c->volley->env.now_ns, false);
}

void pawl__channel_events(struct wire *w, uint32_t events)
{
	pawl__wire_events(w, events);
	channel_settle(channel_of(w));
}

void pawl__channel_env(struct wire_env *env)
{
	env->up = channel_up;
	env->bytes = channel_bytes;
	env->end = channel_wire_end;
}
