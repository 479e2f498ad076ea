/* SPDX-License-Identifier: Apache-2.0 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/assert.h"
#include "race/load/volley.h"

#define FRAME_HEAD   9
#define FINAL_LEN    (FRAME_HEAD + 1) /* DATA with END_STREAM and the body's last byte */
#define TLS_OVERHEAD 64               /* of one record, generously */
#define TLS_RECORD   16384
#define PACKET_UNIX  16384 /* no packets there: one write is one read up to this */
#define WINDOW_LEN   (1 << 20)
#define STATUS_LEN   3
/* Of a request: its target twice, its fields, and the volley's own. */
#define HEADERS_MAX (VOLLEY_BASE_MAX + 4 * (size_t)PAWL_HEAD_MAX)

/* Frames in a run of bytes, cut anywhere: whose they are, and how long. */
struct meter {
	uint8_t head[FRAME_HEAD];
	unsigned have;  /* bytes of the head */
	unsigned skip;  /* bytes before the first frame: the client's preface */
	uint32_t left;  /* of the payload */
	uint64_t total; /* bytes seen */
	bool any;       /* a frame's head was complete .. */
	bool settings;  /* .. and the first of them was SETTINGS */
};

struct h2 {
	struct channel *channel;
	nghttp2_session *session; /* owned */
	struct meter in, out;
	bool up, holding;
	int64_t at_ns; /* of the bytes that are looked at */
	bool kernel;
};

/* --- meter --- */

static uint8_t frame_type(const struct meter *m)
{
	return m->head[3];
}

static uint8_t frame_flags(const struct meter *m)
{
	return m->head[4];
}

static struct shot *frame_shot(const struct h2 *h2, const struct meter *m)
{
	const int32_t stream =
		(int32_t)((uint32_t)(m->head[5] & 0x7f) << 24 | (uint32_t)m->head[6] << 16 |
	                  (uint32_t)m->head[7] << 8 | m->head[8]);

	return stream == 0 ? NULL : nghttp2_session_get_stream_user_data(h2->session, stream);
}

/* n bytes of a frame, whose head is complete. */
static void frame_count(struct h2 *h2, struct meter *m, size_t n)
{
	struct shot *s = frame_shot(h2, m);
	const uint8_t type = frame_type(m);
	const bool message =
		type == NGHTTP2_DATA || type == NGHTTP2_HEADERS || type == NGHTTP2_CONTINUATION;

	if (s == NULL)
		return;
	if (m == &h2->in) {
		s->o->bytes_in += n;
		if (message)
			pawl__shot_heard(s, h2->at_ns, h2->kernel);
		return;
	}
	s->o->bytes_out += n;
	if (!message)
		return;
	if (!s->headed && !h2->holding)
		s->o->first_sent_ns = pawl__clock_mono_ns();
	s->headed = s->headed || !h2->holding;
	if (type != NGHTTP2_CONTINUATION && (frame_flags(m) & NGHTTP2_FLAG_END_STREAM) != 0)
		s->ended = true;
}

static void meter_walk(struct h2 *h2, struct meter *m, struct str bytes)
{
	size_t at = 0;

	m->total += bytes.len;
	while (at < bytes.len) {
		size_t n = bytes.len - at;

		if (m->skip > 0) {
			n = n < m->skip ? n : m->skip;
			m->skip -= (unsigned)n;
		} else if (m->have < FRAME_HEAD) {
			n = n < FRAME_HEAD - m->have ? n : FRAME_HEAD - m->have;
			memcpy(m->head + m->have, bytes.ptr + at, n);
			m->have += (unsigned)n;
			if (m->have == FRAME_HEAD) {
				if (!m->any)
					m->settings = frame_type(m) == NGHTTP2_SETTINGS;
				m->any = true;
				m->left = (uint32_t)m->head[0] << 16 | (uint32_t)m->head[1] << 8 |
				          m->head[2];
				frame_count(h2, m, FRAME_HEAD);
			}
		} else {
			n = n < m->left ? n : m->left;
			m->left -= (uint32_t)n;
			frame_count(h2, m, n);
		}
		at += n;
		if (m->have == FRAME_HEAD && m->left == 0)
			m->have = 0;
	}
}

/* --- what the session tells --- */

static struct shot *stream_shot(nghttp2_session *session, int32_t stream)
{
	return stream == 0 ? NULL : nghttp2_session_get_stream_user_data(session, stream);
}

static void stream_end(struct h2 *h2, struct shot *s, enum volley_class class, int native)
{
	(void)nghttp2_session_set_stream_user_data(h2->session, s->stream, NULL);
	pawl__shot_finish(s, class, native, h2->at_ns);
}

static void stream_refuse(struct h2 *h2, struct shot *s, enum volley_class class)
{
	(void)nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, s->stream, NGHTTP2_CANCEL);
	stream_end(h2, s, class, 0);
}

static struct str rcbuf_str(nghttp2_rcbuf *b)
{
	const nghttp2_vec v = nghttp2_rcbuf_get_buf(b);

	return (struct str){ (const char *)v.base, v.len };
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name,
                     nghttp2_rcbuf *value, uint8_t flags, void *data)
{
	struct h2 *h2 = data;
	struct shot *s = stream_shot(session, frame->hd.stream_id);
	const struct str n = rcbuf_str(name), v = rcbuf_str(value);
	struct volley_outcome *o;

	(void)flags;
	if (s == NULL || frame->hd.type != NGHTTP2_HEADERS || s->final)
		return 0;
	o = s->o;
	if (str_eq(n, STR(":status"))) { /* nghttp2 has seen that it is three digits */
		o->status = v.len == STATUS_LEN ? (v.ptr[0] - '0') * 100 + (v.ptr[1] - '0') * 10 +
		                                          v.ptr[2] - '0'
		                                : 0;
		return 0;
	}
	if (o->fields.max == 0)
		pawl__buf_init(&o->fields, PAWL_HEAD_MAX);
	buf_str(&o->fields, n);
	buf_lit(&o->fields, ": ");
	buf_str(&o->fields, v);
	buf_lit(&o->fields, "\r\n");
	if (o->fields.overflow)
		stream_refuse(h2, s, VOLLEY_TOO_LARGE);
	return 0;
}

static void on_head(struct h2 *h2, struct shot *s)
{
	if (s->final)
		return; /* trailers */
	if (s->o->status >= 200) {
		s->final = true;
		return;
	}
	s->o->status = 0;
	if (s->o->interim++ >= REPLY_INTERIM_MAX) {
		stream_refuse(h2, s, VOLLEY_MALFORMED);
		return;
	}
	pawl__buf_reset(&s->o->fields);
}

static void on_goaway(struct h2 *h2, const nghttp2_goaway *goaway)
{
	struct channel *c = h2->channel;

	c->leaving = true;
	for (struct shot *s = c->shots, *next; s != NULL; s = next) {
		next = s->next;
		if (s->stream > goaway->last_stream_id)
			stream_end(h2, s, VOLLEY_RESET, (int)goaway->error_code);
	}
	pawl__volley_trouble(c->volley, "HTTP/2: the peer sent GOAWAY", 0);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *data)
{
	struct h2 *h2 = data;
	struct shot *s = stream_shot(session, frame->hd.stream_id);

	if (frame->hd.type == NGHTTP2_SETTINGS && !(frame->hd.flags & NGHTTP2_FLAG_ACK))
		h2->up = true;
	if (frame->hd.type == NGHTTP2_GOAWAY)
		on_goaway(h2, &frame->goaway);
	if (s == NULL)
		return 0;
	if (frame->hd.type == NGHTTP2_RST_STREAM) {
		stream_end(h2, s, VOLLEY_RESET, (int)frame->rst_stream.error_code);
		return 0;
	}
	if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
		return 0;
	if (frame->hd.type == NGHTTP2_HEADERS)
		on_head(h2, s);
	if (s->state == SHOT_DONE || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return 0;
	if (s->state != SHOT_RELEASED || s->pending) /* early: the rest is of no use */
		(void)nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, s->stream,
		                                NGHTTP2_CANCEL);
	stream_end(h2, s, s->final ? VOLLEY_ANSWERED : VOLLEY_MALFORMED, 0);
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *bytes,
                   size_t len, void *data)
{
	struct h2 *h2 = data;
	struct shot *s = stream_shot(session, stream);
	struct volley *v = h2->channel->volley;

	(void)flags;
	if (s == NULL)
		return 0;
	pawl__outcome_body(s->o, (struct str){ (const char *)bytes, len }, v->config.body_max,
	                   &v->kept);
	if (s->o->body_len > VOLLEY_DRAIN_MAX)
		stream_refuse(h2, s, VOLLEY_TOO_LARGE);
	return 0;
}

/* What ends a stream in order was seen before: this is nghttp2 refusing what came on it. */
static int on_close(nghttp2_session *session, int32_t stream, uint32_t code, void *data)
{
	struct h2 *h2 = data;
	struct shot *s = stream_shot(session, stream);

	if (s != NULL)
		stream_end(h2, s, code == NGHTTP2_REFUSED_STREAM ? VOLLEY_RESET : VOLLEY_MALFORMED,
		           (int)code);
	return 0;
}

/* A request that could not be made a frame. */
static int on_not_sent(nghttp2_session *session, const nghttp2_frame *frame, int code, void *data)
{
	struct h2 *h2 = data;
	struct shot *s = stream_shot(session, frame->hd.stream_id);

	(void)code;
	if (frame->hd.type == NGHTTP2_HEADERS && s != NULL)
		stream_end(h2, s, VOLLEY_UNSENT, 0);
	return 0;
}

/* NOLINTNEXTLINE(readability-function-size): nghttp2 prescribes the parameters */
static ssize_t read_body(nghttp2_session *session, int32_t stream, uint8_t *to, size_t len,
                         uint32_t *flags, nghttp2_data_source *source, void *data)
{
	struct shot *s = source->ptr;
	const struct str body = s->request == NULL ? STR_NONE : s->request->body;
	const size_t end = s->hold && body.len > 0 ? body.len - 1 : body.len;
	const size_t left = end - s->body_at, n = left < len ? left : len;

	(void)session;
	(void)stream;
	(void)data;
	if (n == 0 && s->hold) {
		s->at_gate = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	if (n > 0 && body.ptr != NULL)
		memcpy(to, body.ptr + s->body_at, n);
	s->body_at += n;
	if (!s->hold && s->body_at == body.len)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

/* --- session --- */

static bool session_make(struct h2 *h2)
{
	const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW_LEN },
	};
	nghttp2_session_callbacks *calls = NULL;
	bool made;

	if (nghttp2_session_callbacks_new(&calls) != 0)
		return false;
	nghttp2_session_callbacks_set_on_header_callback2(calls, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(calls, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(calls, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(calls, on_close);
	nghttp2_session_callbacks_set_on_frame_not_send_callback(calls, on_not_sent);
	made = nghttp2_session_client_new(&h2->session, calls, h2) == 0;
	nghttp2_session_callbacks_del(calls);
	return made &&
	       nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings,
	                               ARRAY_LEN(settings)) == 0 &&
	       nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0,
	                                             16 * WINDOW_LEN) == 0;
}

struct h2 *pawl__h2_new(struct channel *c)
{
	struct h2 *h2 = calloc(1, sizeof(*h2));

	if (h2 == NULL)
		return NULL;
	h2->channel = c;
	h2->out.skip = NGHTTP2_CLIENT_MAGIC_LEN;
	if (!session_make(h2)) {
		pawl__h2_free(h2);
		return NULL;
	}
	return h2;
}

void pawl__h2_free(struct h2 *h2)
{
	if (h2 == NULL)
		return;
	nghttp2_session_del(h2->session);
	free(h2);
}

bool pawl__h2_up(const struct h2 *h2)
{
	return h2->up;
}

uint64_t pawl__h2_made(const struct h2 *h2)
{
	return h2->out.total;
}

uint32_t pawl__h2_streams_max(const struct h2 *h2)
{
	return nghttp2_session_get_remote_settings(h2->session,
	                                           NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

static uint32_t packet_len(const struct h2 *h2)
{
	const struct channel *c = h2->channel;
	const struct volley *v = c->volley;
	uint32_t n = v->config.packet_max;
	int mss = 0;
	socklen_t len = sizeof(mss);

	if (n == 0) {
		n = PACKET_UNIX;
		if (v->target.peer.addrs[c->wire.addr].at.any.sa_family != AF_UNIX &&
		    getsockopt(c->wire.fd, IPPROTO_TCP, TCP_MAXSEG, &mss, &len) == 0 && mss > 0)
			n = (uint32_t)mss;
	}
	if (v->target.tls)
		n = (n < TLS_RECORD ? n : TLS_RECORD) - (n > TLS_OVERHEAD ? TLS_OVERHEAD : 0);
	return n;
}

uint32_t pawl__h2_room(const struct h2 *h2, bool packet, uint32_t *ret_packet)
{
	const struct channel *c = h2->channel;
	uint32_t n = pawl__h2_streams_max(h2);

	*ret_packet = packet ? packet_len(h2) : 0;
	if (c->leaving)
		return 0;
	if (n > VOLLEY_REQUESTS_MAX)
		n = VOLLEY_REQUESTS_MAX;
	if (packet && *ret_packet / FINAL_LEN < n)
		n = *ret_packet / FINAL_LEN;
	return n > c->shots_len ? n - c->shots_len : 0;
}

/* A copy of s behind what is there; the buffer has room for it. */
static char *text_put(struct buf *b, struct str s)
{
	char *at = b->data + b->len;

	buf_str(b, s);
	return at;
}

static nghttp2_nv header_put(struct buf *b, struct str name, struct str value)
{
	char *n = text_put(b, name), *v = text_put(b, value);

	/* Names of HTTP/2 are in lower case. */
	for (size_t i = 0; i < name.len; i++)
		n[i] = (char)(n[i] >= 'A' && n[i] <= 'Z' ? n[i] | 0x20 : n[i]);
	return (nghttp2_nv){ (uint8_t *)n, (uint8_t *)v, name.len, value.len,
		             NGHTTP2_NV_FLAG_NONE };
}

/* The request as header fields, whose texts are in b. Returns how many. */
static size_t headers_make(const struct volley *v, const struct volley_request *r, struct buf *b,
                           nghttp2_nv *nv)
{
	struct str authority = pawl__str_of(v->target.peer.authority), path;
	size_t n = 4;

	for (size_t i = 0; i < r->fields_len; i++) {
		if (pawl__http1_name_eq(r->fields[i].name, STR("host")))
			authority = r->fields[i].value;
	}
	path.ptr = text_put(b, r->target.ptr[0] == '/' ? pawl__str_of(v->target.base) : STR_NONE);
	(void)text_put(b, r->target);
	path.len = (size_t)(b->data + b->len - path.ptr);
	nv[0] = header_put(b, STR(":method"), r->method);
	nv[1] = header_put(b, STR(":scheme"), v->target.tls ? STR("https") : STR("http"));
	nv[2] = header_put(b, STR(":authority"), authority);
	nv[3] = header_put(b, STR(":path"), path);
	for (size_t i = 0; i < r->fields_len; i++) {
		if (!pawl__http1_name_eq(r->fields[i].name, STR("host")))
			nv[n++] = header_put(b, r->fields[i].name, r->fields[i].value);
	}
	if (r->body.len > 0) {
		char *digits = text_put(b, STR_NONE);

		pawl__buf_u64(b, r->body.len);
		nv[n++] = header_put(b, STR("content-length"),
		                     (struct str){ digits, (size_t)(b->data + b->len - digits) });
	}
	return n;
}

bool pawl__h2_submit(struct h2 *h2, struct shot *s, bool hold)
{
	nghttp2_data_provider body = { .source.ptr = s, .read_callback = read_body };
	struct volley *v = h2->channel->volley;
	nghttp2_nv nv[PAWL_FIELDS_MAX + 4];
	size_t n;

	pawl__buf_reset(&v->gather);
	/* Reserved first: the fields point into it. */
	if (pawl__buf_reserve(&v->gather, HEADERS_MAX) == NULL)
		return false;
	n = headers_make(v, s->request, &v->gather, nv);
	s->hold = hold;
	s->stream = nghttp2_submit_request(h2->session, NULL, nv, n,
	                                   hold || s->request->body.len > 0 ? &body : NULL, s);
	if (s->stream < 0)
		pawl__shot_finish(s, VOLLEY_UNSENT, 0, pawl__clock_mono_ns());
	return true;
}

/* All frames that the session would send now. */
static bool session_drain(struct h2 *h2)
{
	struct wire *w = &h2->channel->wire;

	for (;;) {
		const uint8_t *bytes;
		const ssize_t n = nghttp2_session_mem_send(h2->session, &bytes);
		const char *chars = (const char *)bytes;

		if (n <= 0)
			return n == 0;
		meter_walk(h2, &h2->out, (struct str){ chars, (size_t)n });
		if (!(h2->holding ? pawl__wire_hold(w, chars, (size_t)n)
		                  : pawl__wire_put(w, chars, (size_t)n)))
			return false;
	}
}

static void shots_settle(struct h2 *h2)
{
	const int64_t now_ns = pawl__clock_mono_ns();

	if (!wire_drained(&h2->channel->wire))
		return;
	for (struct shot *s = h2->channel->shots, *next; s != NULL; s = next) {
		next = s->next;
		if (s->state == SHOT_SENDING && s->at_gate)
			pawl__shot_prepared(s);
		else if (s->state == SHOT_RELEASED && s->pending && s->ended)
			pawl__shot_released(s, now_ns, false);
	}
}

bool pawl__h2_pump(struct h2 *h2)
{
	if (h2->channel->wire.state != WIRE_UP)
		return true;
	if (!session_drain(h2))
		return false;
	pawl__wire_flush(&h2->channel->wire);
	shots_settle(h2);
	return nghttp2_session_want_read(h2->session) || nghttp2_session_want_write(h2->session);
}

bool pawl__h2_hold(struct h2 *h2, struct shot *s)
{
	bool good;

	for (struct shot *it = h2->channel->shots; it != NULL; it = it->next) {
		if ((s == NULL || it == s) && it->hold) {
			it->hold = false;
			if (it->at_gate)
				(void)nghttp2_session_resume_data(h2->session, it->stream);
		}
	}
	h2->holding = true;
	good = session_drain(h2);
	h2->holding = false;
	return good;
}

void pawl__h2_released(struct h2 *h2, int64_t at_ns, int64_t intended_ns)
{
	const bool drained = wire_drained(&h2->channel->wire);

	for (struct shot *s = h2->channel->shots; s != NULL; s = s->next) {
		if (s->hold || s->state == SHOT_RELEASED || s->state == SHOT_DONE)
			continue;
		if (!s->headed)
			s->o->first_sent_ns = at_ns;
		s->headed = true;
		s->o->intended_ns = intended_ns == 0 ? at_ns : intended_ns;
		pawl__shot_released(s, at_ns, !(drained && s->ended));
	}
}

bool pawl__h2_ping(struct h2 *h2)
{
	return nghttp2_submit_ping(h2->session, NGHTTP2_FLAG_NONE, NULL) == 0 && pawl__h2_pump(h2);
}

bool pawl__h2_bytes(struct h2 *h2, struct str bytes, int64_t at_ns, bool kernel,
                    enum volley_class *ret)
{
	ssize_t n;

	h2->at_ns = at_ns;
	h2->kernel = kernel;
	*ret = VOLLEY_MALFORMED;
	meter_walk(h2, &h2->in, bytes);
	/* RFC 9113 section 3.4: the peer's first frame is SETTINGS. Anything else is another
	 * protocol, mostly HTTP/1.1 that says 400. */
	if (h2->in.any && !h2->in.settings) {
		pawl__volley_trouble(h2->channel->volley, "the peer does not speak HTTP/2", 0);
		*ret = VOLLEY_PROTOCOL;
		return false;
	}
	n = nghttp2_session_mem_recv(h2->session, (const uint8_t *)bytes.ptr, bytes.len);
	return n == (ssize_t)bytes.len;
}

void pawl__h2_cancel(struct h2 *h2, struct shot *s)
{
	(void)nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, s->stream, NGHTTP2_CANCEL);
	(void)nghttp2_session_set_stream_user_data(h2->session, s->stream, NULL);
}
