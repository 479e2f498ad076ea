/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP/1.1 side of the load generator, against peers that behave as they should not. */
#include "harness.h"

#define OK_LENGTH "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Kind: plain\r\n\r\n{}"
#define CLIENTS   4

/* What a peer does, and what must come of it. */
struct row {
	const char *name;
	struct act act;
	enum volley_class class;
	int status; /* -1 = not looked at */
	const char *body;
	int64_t answer_ns;
	bool early, unreleased;
	uint32_t interim;
};

#define ROW_OK(n, text, want_body)                                                                 \
	{                                                                                          \
		.name = (n), .act = { .requests = true, .send = STR(text) },                       \
		.class = VOLLEY_ANSWERED, .status = 200, .body = (want_body)                       \
	}
#define ROW_BAD(n, text)                                                                           \
	{                                                                                          \
		.name = (n), .act = { .requests = true, .send = STR(text), .hang = true },         \
		.class = VOLLEY_MALFORMED, .status = -1                                            \
	}

static const struct row rows[] = {
	ROW_OK("length, then close", OK_LENGTH, "{}"),
	ROW_OK("http/1.0", "HTTP/1.0 200 OK\r\n\r\nold", "old"),
	ROW_OK("until the end", "HTTP/1.1 200 OK\r\n\r\nto the end", "to the end"),
	ROW_OK("no reason", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", ""),
	ROW_OK("no reason and no space", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", ""),
	ROW_OK("chunked with trailers",
	       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	       "3\r\nabc\r\n2;x=\"y\"\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n",
	       "abcde"),
	{ .name = "chunked in drips is whole",
	  .act = { .requests = true,
	           .send = STR("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
	           .drip = STR("1\r\na\r\n0\r\n\r\n") },
	  .class = VOLLEY_ANSWERED,
	  .status = 200,
	  .body = "a" },
	{ .name = "100 and 103 first",
	  .act = { .requests = true,
	           .send = STR("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: "
	                       "b\r\n\r\n" OK_LENGTH) },
	  .class = VOLLEY_ANSWERED,
	  .status = 200,
	  .body = "{}",
	  .interim = 2 },
	{ .name = "204",
	  .act = { .requests = true, .send = STR("HTTP/1.1 204 None\r\n\r\n"), .again = true },
	  .class = VOLLEY_ANSWERED,
	  .status = 204,
	  .body = "" },
	{ .name = "304 that tells of a body",
	  .act = { .requests = true,
	           .send = STR("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"),
	           .again = true },
	  .class = VOLLEY_ANSWERED,
	  .status = 304,
	  .body = "" },
	{ .name = "redirect is an answer",
	  .act = { .requests = true,
	           .send = STR("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n"
	                       "Content-Length: 0\r\n\r\n") },
	  .class = VOLLEY_ANSWERED,
	  .status = 302,
	  .body = "" },
	{ .name = "hang",
	  .act = { .requests = true, .hang = true },
	  .class = VOLLEY_TIMEOUT,
	  .answer_ns = 60 * MS },
	{ .name = "slow drip of a head",
	  .act = { .requests = true, .send = STR("HTTP/1.1 200 OK\r\nA: "), .drip = STR("b") },
	  .class = VOLLEY_DRIP,
	  .answer_ns = 60 * MS },
	{ .name = "slow drip of a body",
	  .act = { .requests = true,
	           .send = STR("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"),
	           .drip = STR("b") },
	  .class = VOLLEY_DRIP,
	  .status = 200,
	  .answer_ns = 60 * MS },
	{ .name = "reset before the answer",
	  .act = { .requests = true, .reset = true },
	  .class = VOLLEY_RESET },
	{ .name = "reset in the head",
	  .act = { .requests = true, .send = STR("HTTP/1.1 200 OK\r\nCont"), .reset = true },
	  .class = VOLLEY_RESET },
	{ .name = "close before the answer", .act = { .requests = true }, .class = VOLLEY_CLOSED },
	{ .name = "close in the head",
	  .act = { .requests = true, .send = STR("HTTP/1.1 200 OK\r\nCont") },
	  .class = VOLLEY_CLOSED },
	{ .name = "close in the body",
	  .act = { .requests = true,
	           .send = STR("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab") },
	  .class = VOLLEY_CLOSED,
	  .status = 200,
	  .body = "ab" },
	{ .name = "close in a chunk",
	  .act = { .requests = true,
	           .send = STR("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab") },
	  .class = VOLLEY_CLOSED,
	  .status = 200,
	  .body = "ab" },
	ROW_BAD("garbage", "\x16\x03\x01 what is this"),
	ROW_BAD("another protocol", "SSH-2.0-OpenSSH\r\n"),
	ROW_BAD("no such version", "HTTP/1.7 200 OK\r\n\r\n"),
	ROW_BAD("two lengths",
	        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
	ROW_BAD("bad chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
	ROW_BAD("chunk of 2^64", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	                         "10000000000000000\r\n"),
	ROW_BAD("chunk without its end",
	        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n"),
	ROW_BAD("switching protocols", "HTTP/1.1 101 Switching Protocols\r\n\r\n"),
	{ .name = "endless interim answers",
	  .act = { .requests = true,
	           .send = STR("HTTP/1.1 100 Continue\r\n\r\n"),
	           .repeat = 1000,
	           .hang = true },
	  .class = VOLLEY_MALFORMED,
	  .status = -1,
	  .interim = UINT32_MAX },
	{ .name = "early answer, kept open",
	  .act = { .early_len = 20,
	           .early = STR("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"),
	           .hang = true },
	  .class = VOLLEY_ANSWERED,
	  .status = 413,
	  .body = "",
	  .early = true,
	  .unreleased = true },
	{ .name = "reset before the request is whole",
	  .act = { .early_len = 20, .early_reset = true },
	  .class = VOLLEY_RESET,
	  .unreleased = true },
};

static void check_row(const struct row *row)
{
	const struct volley_config config = { .answer_ns = row->answer_ns };
	struct peer *p = peer_open(&row->act);
	struct volley *v = volley_to("http", p->port, &config);
	struct volley_plan plan = { .no_wake = true, .head_start_ns = 40 * MS };
	struct volley_result r = { 0 };

	fire(v, &plan, CLIENTS, &r);
	for (size_t i = 0; i < r.len; i++) {
		const struct volley_outcome *o = &r.outcomes[i];

		if (o->class != row->class)
			fail_msg("%s: got %s, want %s (status %d)", row->name,
			         pawl__volley_class_name(o->class),
			         pawl__volley_class_name(row->class), o->status);
		if (row->status >= 0)
			assert_int_equal(o->status, row->status);
		if (row->body != NULL) {
			assert_int_equal(o->body_len, strlen(row->body));
			assert_memory_equal(o->body.data == NULL ? "" : o->body.data, row->body,
			                    strlen(row->body));
		}
		if (row->interim != UINT32_MAX)
			assert_int_equal(o->interim, row->interim);
		if (o->early != row->early)
			fail_msg("%s: early is %d", row->name, o->early);
		assert_int_equal(o->released_ns == 0, row->unreleased);
		assert_true(o->done_ns >= o->released_ns && o->done_ns > 0);
		assert_true(o->first_sent_ns > 0);
		assert_true(o->released_ns == 0 || o->first_sent_ns <= o->released_ns);
	}
	assert_int_equal(r.counts[row->class], CLIENTS);
	/* A reset may take unread bytes with it; otherwise both ends count the same. */
	pawl__volley_free(v);
	const struct act *a = &row->act;
	const bool lossy = a->reset || a->early_reset || a->drip.len > 0 || a->repeat > 0;
	struct peer *done = p;

	p = NULL;
	done->stop = true;
	(void)shutdown(done->fd, SHUT_RDWR);
	(void)pthread_join(done->thread, NULL);
	for (size_t i = 0; i < done->conns_len; i++)
		(void)pthread_join(done->conns[i], NULL);
	if (!lossy) {
		if (r.bytes_out != done->bytes_in && !row->unreleased && row->act.requests)
			fail_msg("%s: sent %lu, the peer read %lu", row->name, r.bytes_out,
			         (unsigned long)done->bytes_in);
		if (r.bytes_in != done->bytes_out)
			fail_msg("%s: read %lu, the peer sent %lu", row->name, r.bytes_in,
			         (unsigned long)done->bytes_out);
	}
	done->conns_len = 0;
	(void)close(done->fd);
	free(done);
	pawl__volley_result_free(&r);
}

static void test_fire__peer_misbehaves_one_clear_outcome_each(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(&rows[i]);
}

static void test_fire__nobody_listens_refused(void **state)
{
	const struct volley_config config = { 0 };
	struct volley_plan plan = { 0 };
	struct volley_result r = { 0 };
	uint16_t port;
	const int fd = listen_any(&port);
	struct volley *v;

	(void)state;
	(void)close(fd);
	v = volley_to("http", port, &config);
	fire(v, &plan, CLIENTS, &r);
	assert_int_equal(r.counts[VOLLEY_REFUSED], CLIENTS);
	assert_int_equal(r.released, 0);
	assert_string_not_equal(r.trouble, "");
	assert_false(pawl__volley_overlapped(&r, 0));
	pawl__volley_result_free(&r);
	pawl__volley_free(v);
}

/* A listener whose queue is full: connections neither stand nor fail. */
static void test_fire__connection_never_stands_times_out(void **state)
{
	const struct volley_config config = { .open_ns = 100 * MS, .answer_ns = 100 * MS };
	struct volley_plan plan = { .no_wake = true };
	struct volley_result r = { 0 };
	struct sockaddr_in addr = { .sin_family = AF_INET,
		                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct volley *v;

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 0), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	v = volley_to("http", ntohs(addr.sin_port), &config);
	fire(v, &plan, 20, &r);
	assert_int_equal(r.counts[VOLLEY_TIMEOUT], 20);
	assert_in_range(r.released, 1,
	                5); /* the queue takes a few, which are not accepted either */
	assert_string_not_equal(r.trouble, "");
	pawl__volley_result_free(&r);
	pawl__volley_free(v);
	(void)close(fd);
}

static void test_fire__huge_body_is_counted_and_cut(void **state)
{
	static char piece[65536];
	const size_t pieces = 64;
	const struct volley_config config = { .body_max = 1000 };
	struct act act = { .requests = true, .repeat = pieces - 1 };
	struct volley_plan plan = { .no_wake = true };
	struct volley_result r = { 0 };
	struct peer *p;
	struct volley *v;

	(void)state;
	memset(piece, 'x', sizeof(piece));
	/* The head is sent as often, too, and is then part of a body that goes on to the end. */
	memcpy(piece, "HTTP/1.1 200 OK\r\n\r\n", 19);
	act.send = (struct str){ piece, sizeof(piece) };
	p = peer_open(&act);
	v = volley_to("http", p->port, &config);
	fire(v, &plan, 2, &r);
	for (size_t i = 0; i < 2; i++) {
		assert_class(&r.outcomes[i], VOLLEY_ANSWERED);
		assert_int_equal(r.outcomes[i].body_len, pieces * sizeof(piece) - 19);
		assert_int_equal(r.outcomes[i].body.len, 1000);
		assert_true(r.outcomes[i].truncated);
		assert_int_equal(r.outcomes[i].bytes_in, pieces * sizeof(piece));
	}
	pawl__volley_result_free(&r);
	pawl__volley_free(v);
	peer_close(p);
}

static void test_fire__body_over_the_drain_limit_too_large(void **state)
{
	static char piece[1 << 20];
	struct act act = { .requests = true, .repeat = 1000 };
	struct volley_plan plan = { .no_wake = true };
	const struct volley_config config = { 0 };
	struct volley_result r = { 0 };
	struct peer *p;
	struct volley *v;

	(void)state;
	memset(piece, 'x', sizeof(piece));
	memcpy(piece, "HTTP/1.1 200 OK\r\n\r\n", 19);
	act.send = (struct str){ piece, sizeof(piece) };
	p = peer_open(&act);
	v = volley_to("http", p->port, &config);
	fire(v, &plan, 1, &r);
	assert_class(&r.outcomes[0], VOLLEY_TOO_LARGE);
	assert_true(r.outcomes[0].body_len > VOLLEY_DRAIN_MAX);
	assert_int_equal(r.outcomes[0].body.len, VOLLEY_BODY_MAX);
	pawl__volley_result_free(&r);
	pawl__volley_free(v);
	peer_close(p);
}

static void test_fire__head_over_the_limit_too_large(void **state)
{
	static char head[PAWL_HEAD_MAX + 1];
	struct act act = { .requests = true, .send = { head, sizeof(head) }, .hang = true };
	struct volley_plan plan = { .no_wake = true };
	const struct volley_config config = { 0 };
	struct volley_result r = { 0 };
	struct peer *p;
	struct volley *v;

	(void)state;
	memset(head, 'x', sizeof(head));
	memcpy(head, "HTTP/1.1 200 OK\r\nA: ", 20);
	p = peer_open(&act);
	v = volley_to("http", p->port, &config);
	fire(v, &plan, 1, &r);
	assert_class(&r.outcomes[0], VOLLEY_TOO_LARGE);
	pawl__volley_result_free(&r);
	pawl__volley_free(v);
	peer_close(p);
}

/* The same connections, fire after fire; both ends count the same bytes. */
static void test_fire__keep_alive_connections_are_reused(void **state)
{
	const struct volley_config config = { 0 };
	const struct act act = { .requests = true, .send = STR(OK_LENGTH), .again = true };
	const struct volley_request warm = { .conn = VOLLEY_ANY,
		                             .method = STR("GET"),
		                             .target = STR("/warm") };
	struct volley_plan plan = { .no_wake = true, .warm = &warm };
	struct volley_result r = { 0 };
	struct peer *p = peer_open(&act);
	struct volley *v = volley_to("http", p->port, &config);
	uint64_t out = 0, in = 0;
	struct str value;

	(void)state;
	for (int round = 0; round < 5; round++) {
		fire(v, &plan, 50, &r);
		assert_int_equal(r.counts[VOLLEY_ANSWERED], 50);
		assert_int_equal(r.writes, 50);
		assert_int_equal(r.conns_used, 50);
		assert_true(r.outcomes[49].reused);
		assert_true(pawl__volley_field(&r.outcomes[7], STR("x-kind"), &value));
		assert_true(str_eq(value, STR("plain")));
		assert_false(pawl__volley_field(&r.outcomes[7], STR("x-other"), &value));
		out += r.bytes_out;
		in += r.bytes_in;
		assert_int_equal(r.overhead_in > 0, round == 0); /* the warm-up */
	}
	assert_int_equal(p->conns_len, 50);
	assert_int_equal(out, p->bytes_in);
	assert_int_equal(in, p->bytes_out);
	pawl__volley_result_free(&r);
	pawl__volley_free(v);
	peer_close(p);
}

/* The peer sees everything but the last byte, and nothing more until the gate. */
static void test_fire__last_byte_is_held_until_the_gate(void **state)
{
	const struct volley_config config = { 0 };
	struct volley_plan plan = { .no_wake = true, .head_start_ns = 300 * MS };
	struct volley_result r = { 0 };
	/* The length of the request that fire makes, but its last byte: then the peer answers. */
	char text[128];
	const struct act act = { .requests = true, .send = STR(OK_LENGTH), .again = true };
	struct peer *p = peer_open(&act);
	struct volley *v = volley_to("http", p->port, &config);
	const int n = snprintf(text, sizeof(text),
	                       "POST /x HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Length: 7\r\n\r\n"
	                       "{\"n\":1}",
	                       p->port);

	(void)state;
	fire(v, &plan, 3, &r);
	for (size_t i = 0; i < 3; i++) {
		const struct volley_outcome *o = &r.outcomes[i];

		assert_class(o, VOLLEY_ANSWERED);
		assert_false(o->early);
		assert_int_equal(o->bytes_out, n);
		assert_true(o->released_ns - o->first_sent_ns >= 300 * MS);
		assert_true(o->first_byte_ns >= o->released_ns);
	}
	assert_int_equal(r.overlap.asked, 3);
	pawl__volley_result_free(&r);
	pawl__volley_free(v);
	peer_close(p);
}

/* A peer that answers at the last byte but one is found out. */
static void test_fire__answer_before_the_last_byte_is_early(void **state)
{
	const struct volley_config config = { 0 };
	struct volley_plan plan = { .no_wake = true, .head_start_ns = 5000 * MS };
	struct volley_result r = { 0 };
	char text[128];
	struct act act = { .early = STR(OK_LENGTH), .hang = true };
	struct peer *p;
	struct volley *v;

	(void)state;
	act.early_len = (size_t)snprintf(text, sizeof(text),
	                                 "POST /x HTTP/1.1\r\nHost: 127.0.0.1:12345\r\n"
	                                 "Content-Length: 7\r\n\r\n{\"n\":1}") -
	                1;
	/* Ports of another length would move the last byte. */
	do {
		p = peer_open(&act);
		if (p->port >= 10000)
			break;
		peer_close(p);
	} while (true);
	v = volley_to("http", p->port, &config);
	plan.head_start_ns = 200 * MS;
	fire(v, &plan, 1, &r);
	assert_class(&r.outcomes[0], VOLLEY_ANSWERED);
	assert_true(r.outcomes[0].early);
	assert_int_equal(r.early, 1);
	assert_int_equal(r.outcomes[0].released_ns, 0);
	assert_int_equal(r.outcomes[0].bytes_out, act.early_len);
	pawl__volley_result_free(&r);
	pawl__volley_free(v);
	peer_close(p);
}

static void test_fire__head_request_has_no_body(void **state)
{
	const struct volley_config config = { 0 };
	const struct act act = { .requests = true,
		                 .send = STR("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"),
		                 .again = true };
	const struct volley_request request = { .conn = VOLLEY_ANY,
		                                .method = STR("HEAD"),
		                                .target = STR("/") };
	struct volley_plan plan = { .no_wake = true, .requests = &request, .len = 1 };
	struct volley_result r = { 0 };
	struct peer *p = peer_open(&act);
	struct volley *v = volley_to("http", p->port, &config);

	(void)state;
	for (int i = 0; i < 2; i++) {
		fire(v, &plan, 1, &r);
		assert_class(&r.outcomes[0], VOLLEY_ANSWERED);
		assert_int_equal(r.outcomes[0].body_len, 0);
	}
	assert_true(r.outcomes[0].reused);
	pawl__volley_result_free(&r);
	pawl__volley_free(v);
	peer_close(p);
}

static void test_fire__spread_keeps_to_its_seed(void **state)
{
	const struct volley_config config = { 0 };
	const struct act act = { .requests = true, .send = STR(OK_LENGTH), .again = true };
	struct volley_plan plan = {
		.sync = VOLLEY_SPREAD, .no_wake = true, .spread_ns = 30 * MS, .seed = 7
	};
	struct volley_result a = { 0 }, b = { 0 };
	struct peer *p = peer_open(&act);
	struct volley *v = volley_to("http", p->port, &config);

	(void)state;
	fire(v, &plan, 20, &a);
	fire(v, &plan, 20, &b);
	for (size_t i = 0; i < 20; i++) {
		const int64_t at = a.outcomes[i].intended_ns - a.gate_ns;

		assert_class(&a.outcomes[i], VOLLEY_ANSWERED);
		assert_int_equal(at, b.outcomes[i].intended_ns - b.gate_ns);
		assert_true(at >= 0 && at < 30 * MS);
		assert_true(a.outcomes[i].released_ns >= a.outcomes[i].intended_ns);
	}
	pawl__volley_result_free(&a);
	pawl__volley_result_free(&b);
	pawl__volley_free(v);
	peer_close(p);
}

struct stopper {
	struct volley *v;
	struct peer *p;
};

static void *stop_run(void *data)
{
	struct stopper *s = data;

	while (s->p->bytes_in < 100)
		(void)poll(NULL, 0, 1);
	pawl__volley_stop(s->v);
	return NULL;
}

static void test_stop__fire_returns_at_once(void **state)
{
	const struct volley_config config = { 0 };
	const struct act act = { .requests = true, .hang = true };
	struct volley_plan plan = { .no_wake = true };
	struct volley_result r = { 0 };
	struct peer *p = peer_open(&act);
	struct volley *v = volley_to("http", p->port, &config);
	struct stopper s = { v, p };
	const int64_t start_ns = pawl__clock_mono_ns();
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, stop_run, &s), 0);
	fire(v, &plan, 3, &r);
	(void)pthread_join(thread, NULL);
	assert_true(r.stopped);
	assert_int_equal(r.counts[VOLLEY_ANSWERED], 0);
	assert_true(pawl__clock_mono_ns() - start_ns < GENEROUS_NS);
	pawl__volley_resume(v);
	pawl__volley_result_free(&r);
	pawl__volley_free(v);
	peer_close(p);
}

static void refused(struct volley *v, struct volley_request request)
{
	struct volley_plan plan = { .requests = &request, .len = 1 };
	struct volley_result r = { 0 };
	struct pawl_error err = { 0 };

	assert_int_equal(pawl__volley_fire(v, &plan, &r, &err), PAWL_E_INVALID);
	assert_string_not_equal(err.text, "");
	assert_int_equal(r.len, 0);
}

static void test_fire__request_that_cannot_be_sent_as_it_is_refused(void **state)
{
	const struct volley_config config = { .conns = 2 };
	struct volley *v = volley_to("http", 9, &config);
	static const struct http_field bad[] = {
		{ STR("Content-Length"), STR("1") },
		{ STR("transfer-encoding"), STR("chunked") },
		{ STR("A b"), STR("c") },
		{ STR("A"), STR("b\r\nC: d") },
		{ STR("Connection"), STR("close") },
		{ STR(""), STR("x") },
	};
	const struct volley_request good = { VOLLEY_ANY, STR("GET"), STR("/"), NULL, 0, STR_NONE };
	struct volley_request r = good, three[3] = { good, good, good };
	struct volley_plan plan = { .requests = three, .len = 3 };
	struct volley_result result = { 0 };
	struct pawl_error err = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		r.fields = &bad[i];
		r.fields_len = 1;
		refused(v, r);
	}
	r = good;
	r.method = STR("G T");
	refused(v, r);
	r.method = STR("CONNECT");
	refused(v, r);
	r = good;
	r.target = STR("http://elsewhere/");
	refused(v, r);
	r.target = STR("/a b");
	refused(v, r);
	r.target = STR("/a\r\nX: y");
	refused(v, r);
	r = good;
	r.conn = 2;
	refused(v, r);
	assert_int_equal(pawl__volley_fire(v, &plan, &result, &err), PAWL_E_INVALID); /* 3 > 2 */
	plan.len = 2;
	three[0].conn = three[1].conn = 1;
	assert_int_equal(pawl__volley_fire(v, &plan, &result, &err), PAWL_E_INVALID);
	plan.len = 0;
	assert_int_equal(pawl__volley_fire(v, &plan, &result, &err), PAWL_E_INVALID);
	pawl__volley_free(v);
}

static void test_target__texts_that_are_and_are_not(void **state)
{
	static const char *const bad[] = { "ftp://a/",
		                           "http://",
		                           "http://u@127.0.0.1/",
		                           "http://127.0.0.1/?q",
		                           "https://",
		                           "http://127.0.0.1:0",
		                           "http://127.0.0.1/a b",
		                           "unix:",
		                           "" };
	struct volley_target t;
	struct pawl_error err = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (pawl__volley_target_parse(bad[i], &t, &err) == PAWL_OK)
			fail_msg("taken: %s", bad[i]);
	}
	assert_int_equal(pawl__volley_target_parse("http://127.0.0.1", &t, &err), PAWL_OK);
	assert_string_equal(t.peer.authority, "127.0.0.1");
	assert_string_equal(t.base, "");
	assert_int_equal(pawl__volley_target_parse("https://127.0.0.1:8443/api/v2/", &t, &err),
	                 PAWL_OK);
	assert_true(t.tls);
	assert_string_equal(t.peer.authority, "127.0.0.1:8443");
	assert_string_equal(t.host, "127.0.0.1");
	assert_string_equal(t.base, "/api/v2");
	assert_int_equal(pawl__volley_target_parse("https://[::1]:443", &t, &err), PAWL_OK);
	assert_string_equal(t.peer.authority, "[::1]");
	assert_string_equal(t.host, "::1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fire__peer_misbehaves_one_clear_outcome_each),
		cmocka_unit_test(test_fire__nobody_listens_refused),
		cmocka_unit_test(test_fire__connection_never_stands_times_out),
		cmocka_unit_test(test_fire__huge_body_is_counted_and_cut),
		cmocka_unit_test(test_fire__body_over_the_drain_limit_too_large),
		cmocka_unit_test(test_fire__head_over_the_limit_too_large),
		cmocka_unit_test(test_fire__keep_alive_connections_are_reused),
		cmocka_unit_test(test_fire__last_byte_is_held_until_the_gate),
		cmocka_unit_test(test_fire__answer_before_the_last_byte_is_early),
		cmocka_unit_test(test_fire__head_request_has_no_body),
		cmocka_unit_test(test_fire__spread_keeps_to_its_seed),
		cmocka_unit_test(test_stop__fire_returns_at_once),
		cmocka_unit_test(test_fire__request_that_cannot_be_sent_as_it_is_refused),
		cmocka_unit_test(test_target__texts_that_are_and_are_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
