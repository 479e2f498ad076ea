/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include <sys/resource.h>

#define H       " HTTP/1.1\r\nHost: a\r\n"
#define GET(p)  "GET " p H "\r\n"
#define POST(p) "POST " p H "Content-Length: 2\r\n\r\nab"

static void test_http__request_is_answered_and_connection_kept(void **state)
{
	struct world *w = world_open(NULL, NULL);
	struct reader *r = reader_new(peer_open(w));
	struct str value;
	size_t n;

	(void)state;
	w->fields = STR("ETag: \"7\"\r\n");
	SEND(w, r->fd, GET("/now/1"));
	expect_answer(w, r, 200, "/now/1");
	assert_true(r->response.keep_alive);
	assert_true(pawl__http1_field(&r->response.fields, STR("etag"), &value, &n));
	assert_str(value, "\"7\"");
	assert_true(pawl__http1_field(&r->response.fields, STR("date"), &value, &n));
	assert_int_equal(value.len, HTTP1_DATE_LEN);
	SEND(w, r->fd, POST("/now/2"));
	expect_answer(w, r, 200, "/now/2");
	assert_int_equal(w->body_len, 2);
	assert_int_equal(world_counters(w)->requests, 2);
	assert_int_equal(world_counters(w)->conns_open, 1);
	reader_free(r);
	WORLD_UNTIL(w, world_counters(w)->conns_open == 0);
	world_close(w);
}

static void test_http__bytes_that_drip_make_one_request(void **state)
{
	static const char text[] = POST("/now/1");
	struct world *w = world_open(NULL, NULL);
	struct reader *r = reader_new(peer_open(w));

	(void)state;
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		assert_int_equal(w->handed, 0);
		peer_send(w, r->fd, (struct str){ text + i, 1 });
	}
	expect_answer(w, r, 200, "/now/1");
	reader_free(r);
	world_close(w);
}

/* --- order --- */

static void test_http_answer_token__answers_leave_in_order_of_requests(void **state)
{
	struct world *w = world_open(NULL, NULL);
	struct reader *r = reader_new(peer_open(w));

	(void)state;
	SEND(w, r->fd, POST("/later/1") POST("/now/2") POST("/later/3") POST("/now/4"));
	assert_log(w, "/later/1 /now/2 /later/3 /now/4 ");
	assert_false(reader_next(r, false)); /* 2 and 4 are ready and must wait */
	answer_token(w, 1, "three");
	world_settle(w);
	assert_false(reader_next(r, false));
	answer_token(w, 0, "one");
	expect_answer(w, r, 200, "one");
	expect_answer(w, r, 200, "/now/2");
	expect_answer(w, r, 200, "three");
	expect_answer(w, r, 200, "/now/4");
	reader_free(r);
	world_close(w);
}

static void test_http__request_that_may_not_overlap_runs_alone(void **state)
{
	struct world *w = world_open(NULL, NULL);
	struct reader *r = reader_new(peer_open(w));

	(void)state;
	SEND(w, r->fd, POST("/later/1") POST("/hold/2") POST("/later/3") GET("/alone/4"));
	assert_log(w, "/later/1 ");
	answer_token(w, 0, "1");
	expect_answer(w, r, 200, "1");
	world_settle(w);
	assert_log(w, "/later/1 /hold/2 ");
	answer_token(w, 1, "2");
	expect_answer(w, r, 200, "2");
	world_settle(w);
	assert_log(w, "/later/1 /hold/2 /later/3 ");
	answer_token(w, 2, "3");
	expect_answer(w, r, 200, "3");
	expect_answer(w, r, 200, "/alone/4");
	reader_free(r);
	world_close(w);
}

static void test_http__chunked_request_that_waits_keeps_its_body(void **state)
{
	struct world *w = world_open(NULL, NULL);
	struct reader *r = reader_new(peer_open(w));

	(void)state;
	SEND(w, r->fd,
	     POST("/later/1") "POST /alone/2" H "Transfer-Encoding: chunked\r\n\r\n"
	                      "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n" GET("/alone/3"));
	assert_int_equal(w->handed, 1);
	answer_token(w, 0, "1");
	expect_answer(w, r, 200, "1");
	expect_answer(w, r, 200, "/alone/2");
	expect_answer(w, r, 200, "/alone/3");
	assert_log(w, "/later/1 /alone/2 /alone/3 ");
	reader_free(r);
	world_close(w);
}

static void test_http__refusal_waits_behind_earlier_requests(void **state)
{
	struct world *w = world_open(NULL, NULL);
	struct reader *r = reader_new(peer_open(w));

	(void)state;
	SEND(w, r->fd, POST("/later/1") "G(T / HTTP/1.1\r\n" GET("/now/2"));
	assert_false(reader_next(r, false));
	answer_token(w, 0, "1");
	expect_answer(w, r, 200, "1");
	expect_answer(w, r, 400, NULL);
	assert_false(r->response.keep_alive);
	expect_end(w, r);
	assert_log(w, "/later/1 ");
	reader_free(r);
	world_close(w);
}

static void test_http__unanswered_requests_are_limited(void **state)
{
	struct world *w = world_open(NULL, NULL);
	struct reader *r = reader_new(peer_open(w));
	const size_t all = PAWL_PIPELINE_MAX + 5;

	(void)state;
	for (size_t i = 0; i < all; i++)
		SEND(w, r->fd, POST("/later"));
	assert_int_equal(w->handed, PAWL_PIPELINE_MAX);
	answer_token(w, 0, "x");
	WORLD_UNTIL(w, w->handed == PAWL_PIPELINE_MAX + 1);
	for (size_t i = 1; i < all; i++) {
		WORLD_UNTIL(w, w->tokens_len > i);
		answer_token(w, i, "x");
	}
	for (size_t i = 0; i < all; i++)
		expect_answer(w, r, 200, "x");
	reader_free(r);
	world_close(w);
}

static void test_http_answer_token__connection_that_is_gone_gives_false(void **state)
{
	const struct http_answer answer = { .status = 200 };
	struct world *w = world_open(NULL, NULL);
	int fd = peer_open(w);
	struct reader *r;

	(void)state;
	SEND(w, fd, POST("/later/1"));
	assert_true(pawl__http_token_lives(w->server, w->tokens[0]));
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 },
	                 sizeof(struct linger)); /* a reset */
	(void)close(fd);
	WORLD_UNTIL(w, world_counters(w)->conns_open == 0);
	assert_false(pawl__http_token_lives(w->server, w->tokens[0]));
	assert_false(pawl__http_answer_token(w->server, w->tokens[0], &answer));
	r = reader_new(peer_open(w)); /* the same slot, another connection */
	SEND(w, r->fd, POST("/later/2"));
	assert_int_equal(w->tokens[1].slot, w->tokens[0].slot);
	assert_false(pawl__http_answer_token(w->server, w->tokens[0], &answer));
	assert_false(pawl__http_answer_token(w->server, (struct http_token){ 0 }, &answer));
	answer_token(w, 1, "2");
	expect_answer(w, r, 200, "2");
	reader_free(r);
	world_close(w);
}

/* --- ends --- */

static void test_http__half_closed_peer_gets_its_answers(void **state)
{
	struct world *w = world_open(NULL, NULL);
	struct reader *r = reader_new(peer_open(w));

	(void)state;
	SEND(w, r->fd, POST("/later/1") GET("/alone/2"));
	assert_int_equal(shutdown(r->fd, SHUT_WR), 0);
	world_settle(w);
	assert_int_equal(world_counters(w)->conns_open, 1);
	answer_token(w, 0, "1");
	expect_answer(w, r, 200, "1");
	expect_answer(w, r, 200, "/alone/2");
	expect_end(w, r);
	assert_int_equal(world_counters(w)->conns_open, 0);
	reader_free(r);
	world_close(w);
}

static void test_http__request_and_end_in_one_event_are_both_seen(void **state)
{
	struct world *w = world_open(NULL, NULL);
	struct reader *r = reader_new(peer_open(w));

	(void)state;
	assert_true(send(r->fd, GET("/now/1"), sizeof(GET("/now/1")) - 1, 0) > 0);
	assert_int_equal(shutdown(r->fd, SHUT_WR), 0);
	expect_answer(w, r, 200, "/now/1");
	expect_end(w, r);
	assert_int_equal(world_counters(w)->conns_open, 0);
	reader_free(r);
	world_close(w);
}

static void test_http__half_closed_within_a_request_is_closed(void **state)
{
	struct world *w = world_open(NULL, NULL);
	struct reader *r = reader_new(peer_open(w));

	(void)state;
	SEND(w, r->fd, "POST /now" H "Content-Length: 5\r\n\r\nab");
	assert_int_equal(shutdown(r->fd, SHUT_WR), 0);
	expect_end(w, r);
	assert_int_equal(w->handed, 0);
	reader_free(r);
	world_close(w);
}

static void test_http__connection_close_is_obeyed(void **state)
{
	struct world *w = world_open(NULL, NULL);
	struct reader *r = reader_new(peer_open(w));

	(void)state;
	SEND(w, r->fd, "GET /now/1" H "Connection: close\r\n\r\n" GET("/now/2"));
	expect_answer(w, r, 200, "/now/1");
	assert_false(r->response.keep_alive);
	expect_end(w, r);
	assert_int_equal(w->handed, 1);
	reader_free(r);
	world_close(w);
}

static void test_http__answer_may_close(void **state)
{
	struct world *w = world_open(NULL, NULL);
	struct reader *r = reader_new(peer_open(w));

	(void)state;
	w->close = true;
	SEND(w, r->fd, GET("/now/1") GET("/now/2"));
	expect_answer(w, r, 200, "/now/1");
	assert_false(r->response.keep_alive);
	expect_end(w, r);
	reader_free(r);
	world_close(w);
}

static void test_http__http10_is_kept_only_when_asked(void **state)
{
	struct world *w = world_open(NULL, NULL);
	struct reader *r = reader_new(peer_open(w));
	struct str value;
	size_t n;

	(void)state;
	SEND(w, r->fd, "GET /now/1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	expect_answer(w, r, 200, "/now/1");
	assert_true(pawl__http1_field(&r->response.fields, STR("connection"), &value, &n));
	assert_str(value, "keep-alive");
	SEND(w, r->fd, "GET /now/2 HTTP/1.0\r\n\r\n");
	expect_answer(w, r, 200, "/now/2");
	assert_false(r->response.keep_alive);
	expect_end(w, r);
	reader_free(r);
	world_close(w);
}

static void test_http__head_is_answered_without_its_body(void **state)
{
	struct world *w = world_open(NULL, NULL);
	struct reader *r = reader_new(peer_open(w));
	struct str value;
	size_t n;

	(void)state;
	SEND(w, r->fd, POST("/later/1") "HEAD /now/22" H "\r\n" GET("/now/3"));
	assert_log(w, "/later/1 "); /* it runs alone, whatever the application says */
	answer_token(w, 0, "1");
	expect_answer(w, r, 200, "1");
	WORLD_UNTIL(w, reader_next(r, true));
	assert_true(pawl__http1_field(&r->response.fields, STR("content-length"), &value, &n));
	assert_str(value, "7");
	expect_answer(w, r, 200, "/now/3");
	reader_free(r);
	world_close(w);
}

static void test_http__refusal_is_read_though_the_peer_still_sends(void **state)
{
	struct world *w = world_open(NULL, NULL);
	struct reader *r = reader_new(peer_open(w));
	static char rest[300000];

	(void)state;
	memset(rest, 'x', sizeof(rest));
	w->refuse_as = STR("no");
	SEND(w, r->fd, "POST /now" H "Content-Length: 99999999\r\n\r\n");
	peer_send(w, r->fd, (struct str){ rest, sizeof(rest) });
	expect_answer(w, r, 413, "no");
	assert_false(r->response.keep_alive);
	expect_end(w, r);
	assert_int_equal(world_counters(w)->conns_open, 1); /* it is still read from: no reset */
	assert_int_equal(world_counters(w)->refusals, 1);
	assert_int_equal(w->handed, 0);
	reader_free(r);
	WORLD_UNTIL(w, world_counters(w)->conns_open == 0);
	world_close(w);
}

static void test_http__refusal_by_default_is_a_problem_document(void **state)
{
	struct world *w = world_open(NULL, NULL);
	struct reader *r = reader_new(peer_open(w));
	struct str value;
	size_t n;

	(void)state;
	SEND(w, r->fd, "GET / HTTP/3.0\r\nHost: a\r\n\r\n");
	expect_answer(w, r, 505, "{\"title\":\"HTTP Version Not Supported\",\"status\":505}\n");
	assert_true(pawl__http1_field(&r->response.fields, STR("content-type"), &value, &n));
	assert_str(value, "application/problem+json");
	expect_end(w, r);
	reader_free(r);
	world_close(w);
}

/* --- 100-continue --- */

static void test_http__expectation_is_answered_by_100(void **state)
{
	struct world *w = world_open(NULL, NULL);
	struct reader *r = reader_new(peer_open(w));

	(void)state;
	SEND(w, r->fd, "POST /now/1" H "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
	expect_answer(w, r, 100, "");
	SEND(w, r->fd, "ab");
	expect_answer(w, r, 200, "/now/1");
	assert_int_equal(w->body_len, 2);
	reader_free(r);
	world_close(w);
}

static void test_http__100_waits_behind_earlier_answers(void **state)
{
	struct world *w = world_open(NULL, NULL);
	struct reader *r = reader_new(peer_open(w));

	(void)state;
	SEND(w, r->fd,
	     POST("/later/1") "POST /later/2" H "Expect: 100-continue\r\n"
	                      "Transfer-Encoding: chunked\r\n\r\n");
	assert_false(reader_next(r, false));
	answer_token(w, 0, "1");
	expect_answer(w, r, 200, "1");
	expect_answer(w, r, 100, "");
	SEND(w, r->fd, "2\r\nab\r\n0\r\n\r\n");
	answer_token(w, 1, "2");
	expect_answer(w, r, 200, "2");
	reader_free(r);
	world_close(w);
}

/* --- deadlines: short ones, given as limits --- */

static void expect_408(const struct http_limits *limits, struct str text)
{
	struct world *w = world_open(limits, NULL);
	struct reader *r = reader_new(peer_open(w));

	peer_send(w, r->fd, text);
	expect_answer(w, r, 408, NULL);
	expect_end(w, r);
	assert_int_equal(world_counters(w)->timeouts, 1);
	assert_int_equal(w->handed, 0);
	reader_free(r);
	world_close(w);
}

static void test_http__head_that_does_not_come_is_408(void **state)
{
	const struct http_limits limits = { .head_timeout_us = 20000 };

	(void)state;
	expect_408(&limits, STR("GET / HTTP/1.1\r\nHost"));
}

static void test_http__body_that_does_not_come_is_408(void **state)
{
	const struct http_limits limits = { .body_timeout_us = 20000 };

	(void)state;
	expect_408(&limits, STR("POST /" H "Content-Length: 5\r\n\r\nab"));
	expect_408(&limits, STR("POST /" H "Transfer-Encoding: chunked\r\n\r\n5\r\nab"));
}

static void test_http__idle_connection_is_closed_silently(void **state)
{
	const struct http_limits limits = { .idle_timeout_us = 20000 };
	struct world *w = world_open(&limits, NULL);
	struct reader *r = reader_new(peer_open(w));

	(void)state;
	SEND(w, r->fd, GET("/now"));
	expect_answer(w, r, 200, "/now");
	expect_end(w, r);
	assert_int_equal(world_counters(w)->timeouts, 0);
	reader_free(r);
	world_close(w);
}

static void test_http__unanswered_request_has_no_deadline_here(void **state)
{
	const struct http_limits limits = { .head_timeout_us = 4000,
		                            .body_timeout_us = 4000,
		                            .idle_timeout_us = 4000 };
	struct world *w = world_open(&limits, NULL);
	struct reader *r = reader_new(peer_open(w));
	const int64_t start_us = pawl__loop_now_us(w->loop);

	(void)state;
	SEND(w, r->fd, POST("/later"));
	WORLD_UNTIL(w, pawl__loop_now_us(w->loop) - start_us > 30000);
	answer_token(w, 0, "x");
	expect_answer(w, r, 200, "x");
	reader_free(r);
	world_close(w);
}

static void test_http__peer_that_does_not_read_is_closed(void **state)
{
	static char large[200000];
	const struct http_limits limits = { .write_timeout_us = 20000 };
	struct world *w = world_open(&limits, NULL);
	struct reader *r = reader_new(peer_open(w));

	(void)state;
	memset(large, 'x', sizeof(large));
	w->body = (struct str){ large, sizeof(large) };
	for (int i = 0; i < 100 && world_counters(w)->conns_open == 1; i++)
		(void)!send(r->fd, GET("/now"), sizeof(GET("/now")) - 1, MSG_NOSIGNAL);
	WORLD_UNTIL(w, world_counters(w)->conns_open == 0);
	assert_int_equal(world_counters(w)->timeouts, 1);
	reader_free(r);
	world_close(w);
}

static void test_http__lingering_peer_is_closed(void **state)
{
	const struct http_limits limits = { .linger_timeout_us = 20000 };
	struct world *w = world_open(&limits, NULL);
	struct reader *r = reader_new(peer_open(w));

	(void)state;
	SEND(w, r->fd, "bad\r\n\r\n");
	expect_answer(w, r, 400, NULL);
	expect_end(w, r); /* our side is still open */
	WORLD_UNTIL(w, world_counters(w)->conns_open == 0);
	reader_free(r);
	world_close(w);
}

/* --- amounts --- */

static void test_http__unread_answers_hold_back_requests(void **state)
{
	static char large[100000];
	struct world *w = world_open(NULL, NULL);
	const int fd = peer_open(w);
	static struct buf all;
	char *bytes;
	size_t got = 0;
	const size_t n = 400; /* 40 MB of answers */

	(void)state;
	memset(large, 'x', sizeof(large));
	w->body = (struct str){ large, sizeof(large) };
	pawl__buf_init(&all, 1000000);
	for (size_t i = 0; i < n; i++)
		buf_lit(&all, GET("/now"));
	peer_send(w, fd, buf_get(&all));
	assert_true(w->handed < n); /* not all are taken while nobody reads */
	bytes = malloc(1 << 20);
	assert_non_null(bytes);
	WORLD_UNTIL(w, ({
			    ssize_t k;
			    while ((k = peer_take(fd, bytes, 1 << 20)) > 0)
				    got += (size_t)k;
			    got >= n * sizeof(large) && w->handed == n;
		    }));
	assert_int_equal(world_counters(w)->conns_open, 1);
	free(bytes);
	pawl__buf_deinit(&all);
	(void)close(fd);
	world_close(w);
}

/* Answers that wait for earlier ones count as unsent, too: at the limit the connection ends. */
static void test_http__answers_that_wait_are_limited(void **state)
{
	static char large[30000];
	const struct http_limits limits = { .answer_max = 100000 };
	struct world *w = world_open(&limits, NULL);
	struct reader *r = reader_new(peer_open(w));

	(void)state;
	memset(large, 'x', sizeof(large));
	w->body = (struct str){ large, sizeof(large) };
	SEND(w, r->fd, POST("/later/1") POST("/now/2") POST("/now/3") POST("/now/4"));
	assert_int_equal(world_counters(w)->conns_open, 1);
	SEND(w, r->fd, POST("/now/5"));
	assert_int_equal(world_counters(w)->conns_open, 0);
	assert_int_equal(world_counters(w)->broken, 1);
	reader_free(r);
	world_close(w);
}

static void body_of(struct world *w, struct reader *r, size_t len, bool chunked)
{
	struct buf text;
	uint64_t sum = 0;

	pawl__buf_init(&text, 8u << 20);
	buf_lit(&text, "POST /now" H);
	if (chunked) {
		buf_lit(&text, "Transfer-Encoding: chunked\r\n\r\n");
	} else {
		buf_lit(&text, "Content-Length: ");
		pawl__buf_u64(&text, len);
		buf_lit(&text, "\r\n\r\n");
	}
	for (size_t i = 0; i < len; i++) {
		const char c = (char)(i * 7);

		sum += (unsigned char)c;
		if (chunked && i % 4 == 0)
			buf_lit(&text, "4\r\n");
		pawl__buf_putc(&text, c);
		if (chunked && i % 4 == 3)
			buf_lit(&text, "\r\n");
	}
	if (chunked)
		buf_lit(&text, "0\r\n\r\n");
	assert_false(text.overflow);
	peer_send(w, r->fd, buf_get(&text));
	expect_answer(w, r, 200, "/now");
	assert_int_equal(w->body_len, len);
	assert_int_equal(w->body_sum, sum);
	pawl__buf_deinit(&text);
}

static void test_http__largest_body_arrives_whole(void **state)
{
	struct world *w = world_open(NULL, NULL);
	struct reader *r = reader_new(peer_open(w));

	(void)state;
	body_of(w, r, PAWL_BODY_MAX, false);
	body_of(w, r, PAWL_BODY_MAX, true);
	body_of(w, r, 4, true);
	reader_free(r);
	world_close(w);
}

static void test_http__connection_over_the_limit_is_503(void **state)
{
	const struct http_limits limits = { .conns_max = 2 };
	struct world *w = world_open(&limits, NULL);
	struct reader *r[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		r[i] = reader_new(peer_open(w));
	for (int i = 2; i < 4; i++) {
		expect_answer(w, r[i], 503, NULL);
		expect_end(w, r[i]);
		reader_free(r[i]);
	}
	assert_int_equal(world_counters(w)->conns_refused, 2);
	SEND(w, r[1]->fd, GET("/now/1"));
	expect_answer(w, r[1], 200, "/now/1");
	reader_free(r[0]);
	WORLD_UNTIL(w, world_counters(w)->conns_open == 1);
	r[0] = reader_new(peer_open(w));
	SEND(w, r[0]->fd, GET("/now/0"));
	expect_answer(w, r[0], 200, "/now/0");
	reader_free(r[0]);
	reader_free(r[1]);
	world_close(w);
}

static void test_http__thousands_of_idle_connections_are_served(void **state)
{
	enum { CONNS = 5000 };
	struct rlimit files;
	struct world *w;
	static int fds[CONNS];
	static struct reader r;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_cur < 2 * CONNS + 100) {
		print_message("skipped: only %lu descriptors allowed\n",
		              (unsigned long)files.rlim_cur);
		skip();
	}
	w = world_open(NULL, NULL);
	for (int i = 0; i < CONNS; i++)
		fds[i] = peer_open(w);
	assert_int_equal(world_counters(w)->conns_open, CONNS);
	for (int i = 0; i < CONNS; i += 97) {
		memset(&r, 0, sizeof(r));
		r.fd = fds[i];
		SEND(w, r.fd, GET("/now/x"));
		expect_answer(w, &r, 200, "/now/x");
	}
	for (int i = 0; i < CONNS; i++)
		(void)close(fds[i]);
	WORLD_UNTIL(w, world_counters(w)->conns_open == 0);
	world_close(w);
}

/* --- the seam --- */

static struct {
	size_t reads, writes, write_max, read_max;
	int opened, closed;
} seam;

static ssize_t seam_read(int fd, void *state, void *p, size_t len)
{
	assert_ptr_equal(state, &seam);
	seam.reads++;
	return pawl__net_io_plain.read(fd, NULL, p, len < seam.read_max ? len : seam.read_max);
}

static ssize_t seam_write(int fd, void *state, const void *p, size_t len)
{
	assert_ptr_equal(state, &seam);
	seam.writes++;
	return pawl__net_io_plain.write(fd, NULL, p, len < seam.write_max ? len : seam.write_max);
}

static void seam_finish(int fd, void *state)
{
	pawl__net_io_plain.finish(fd, state);
}

static void seam_close(int fd, void *state)
{
	assert_ptr_equal(state, &seam);
	seam.closed++;
	pawl__net_io_plain.close(fd, NULL);
}

static bool seam_open(int fd, void *config, void **ret_state)
{
	(void)fd;
	(void)config;
	*ret_state = &seam;
	seam.opened++;
	return true;
}

static const struct net_io seam_io = {
	.read = seam_read,
	.write = seam_write,
	.finish = seam_finish,
	.close = seam_close,
	.open = seam_open,
	.short_read_drains = false,
};

static void seam_reset(size_t read_max, size_t write_max)
{
	memset(&seam, 0, sizeof(seam));
	seam.read_max = read_max;
	seam.write_max = write_max;
}

static void test_http__io_of_single_bytes_works(void **state)
{
	struct world *w;
	struct reader *r;

	(void)state;
	seam_reset(1, 1);
	w = world_open(NULL, &seam_io);
	r = reader_new(peer_open(w));
	SEND(w, r->fd, POST("/now/1") POST("/later/2") POST("/alone/3"));
	expect_answer(w, r, 200, "/now/1");
	WORLD_UNTIL(w, w->tokens_len == 1);
	answer_token(w, 0, "2");
	expect_answer(w, r, 200, "2");
	expect_answer(w, r, 200, "/alone/3");
	reader_free(r);
	WORLD_UNTIL(w, seam.closed == 1);
	assert_int_equal(seam.opened, 1);
	world_close(w);
}

static void test_http__answers_of_one_turn_leave_in_one_write(void **state)
{
	struct world *w;
	struct reader *r;

	(void)state;
	seam_reset(SIZE_MAX, SIZE_MAX);
	w = world_open(NULL, &seam_io);
	r = reader_new(peer_open(w));
	SEND(w, r->fd, POST("/now/1") POST("/now/2") POST("/alone/3") POST("/now/4"));
	assert_int_equal(seam.writes, 1);
	SEND(w, r->fd, POST("/later/5") POST("/now/6") POST("/later/7"));
	assert_int_equal(seam.writes, 1);
	answer_token(w, 0, "5");
	answer_token(w, 1, "7");
	world_settle(w);
	assert_int_equal(seam.writes, 2);
	expect_answer(w, r, 200, "/now/1");
	expect_answer(w, r, 200, "/now/2");
	expect_answer(w, r, 200, "/alone/3");
	expect_answer(w, r, 200, "/now/4");
	expect_answer(w, r, 200, "5");
	expect_answer(w, r, 200, "/now/6");
	expect_answer(w, r, 200, "7");
	reader_free(r);
	world_close(w);
}

/* What the engine is to the front: it answers at the end of the turn that has read the request. */
struct engine {
	struct loop_hook hook;
	struct world *world;
	size_t answered;
};

static int64_t engine_run(struct loop_hook *h)
{
	struct engine *e = CONTAINER_OF(h, struct engine, hook);

	for (; e->answered < e->world->tokens_len; e->answered++)
		answer_token(e->world, e->answered, "done");
	return LOOP_FOREVER;
}

static void test_http__answers_of_a_commit_join_those_given_at_once(void **state)
{
	struct engine engine = { { LOOP_WORK, engine_run }, NULL, 0 };
	struct reader *r;

	(void)state;
	seam_reset(SIZE_MAX, SIZE_MAX);
	engine.world = world_open(NULL, &seam_io);
	pawl__loop_hook_add(engine.world->loop, &engine.hook);
	r = reader_new(peer_open(engine.world));
	SEND(engine.world, r->fd, POST("/now/1") POST("/later/2") POST("/later/3"));
	assert_int_equal(seam.writes, 1);
	expect_answer(engine.world, r, 200, "/now/1");
	expect_answer(engine.world, r, 200, "done");
	expect_answer(engine.world, r, 200, "done");
	reader_free(r);
	world_close(engine.world);
}

static void test_http_flush__writes_before_the_end_of_the_turn(void **state)
{
	struct world *w;
	struct reader *r;

	(void)state;
	seam_reset(SIZE_MAX, SIZE_MAX);
	w = world_open(NULL, &seam_io);
	r = reader_new(peer_open(w));
	SEND(w, r->fd, POST("/later"));
	answer_token(w, 0, "x");
	assert_int_equal(seam.writes, 0);
	pawl__http_flush(w->server);
	assert_int_equal(seam.writes, 1);
	expect_answer(w, r, 200, "x");
	reader_free(r);
	world_close(w);
}

/* --- drain --- */

static void test_http_drain__finishes_what_is_in_flight(void **state)
{
	struct world *w = world_open(NULL, NULL);
	struct reader *idle = reader_new(peer_open(w)), *busy = reader_new(peer_open(w));
	struct reader *partial = reader_new(peer_open(w)), *waiting = reader_new(peer_open(w));
	int late;

	(void)state;
	SEND(w, busy->fd, POST("/later"));
	SEND(w, partial->fd, "GET /now/p HTTP");
	/* In the kernel, not yet seen when the drain begins. */
	assert_true(send(waiting->fd, GET("/now/w"), sizeof(GET("/now/w")) - 1, 0) > 0);
	pawl__http_drain(w->server);
	pawl__http_drain(w->server);
	expect_end(w, idle);
	expect_answer(w, waiting, 200, "/now/w");
	assert_false(waiting->response.keep_alive);
	expect_end(w, waiting);
	SEND(w, partial->fd, "/1.1\r\nHost: a\r\n\r\n");
	expect_answer(w, partial, 200, "/now/p");
	assert_false(partial->response.keep_alive);
	expect_end(w, partial);
	answer_token(w, 0, "x");
	expect_answer(w, busy, 200, "x");
	assert_false(busy->response.keep_alive);
	expect_end(w, busy);
	late = pawl__peer_connect_start(&w->peer.addrs[0]);
	if (late >= 0) {
		char byte;

		world_settle(w);
		assert_true(peer_take(late, &byte, 1) < 0); /* nobody listens */
		(void)close(late);
	}
	reader_free(idle);
	reader_free(busy);
	reader_free(partial);
	reader_free(waiting);
	WORLD_UNTIL(w, world_counters(w)->conns_open == 0);
	world_close(w);
}

static void test_http_free__with_everything_open_leaks_nothing(void **state)
{
	struct world *w = world_open(NULL, NULL);
	struct reader *r = reader_new(peer_open(w)), *p = reader_new(peer_open(w));

	(void)state;
	SEND(w, r->fd, POST("/later/1") POST("/now/2") "GET /par");
	SEND(w, p->fd, "POST /now" H "Content-Length: 100\r\n\r\nabc");
	world_close(w); /* leak detection is the judge */
	reader_free(r);
	reader_free(p);
}

/* --- listening --- */

static void test_http_listen_unix__replaces_only_a_stale_socket(void **state)
{
	struct world *w = world_open(NULL, NULL), *other = world_open(NULL, NULL);
	char dir[] = "/tmp/test-net-XXXXXX", path[64], text[80];
	struct pawl_error err = { 0 };
	struct reader *r;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/socket", dir);
	(void)snprintf(text, sizeof(text), "unix:%s", path);
	assert_int_equal(pawl__http_listen_unix(w->server, path, 0600, &err), PAWL_OK);
	assert_int_equal(pawl__http_listen_unix(other->server, path, 0600, &err), PAWL_E_BUSY);
	assert_int_equal(pawl__peer_parse(text, 0, &w->peer, &err), PAWL_OK);
	r = reader_new(peer_open(w));
	SEND(w, r->fd, POST("/now/u"));
	expect_answer(w, r, 200, "/now/u");
	reader_free(r);
	world_close(w);
	assert_int_equal(access(path, F_OK), -1); /* removed when listening ended */

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); /* a stale one */
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	memcpy(addr.sun_path, path, strlen(path) + 1);
	assert_int_equal(bind(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	(void)close(fd);
	assert_int_equal(pawl__http_listen_unix(other->server, path, 0600, &err), PAWL_OK);
	world_close(other);

	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600); /* somebody's file */
	(void)close(fd);
	w = world_open(NULL, NULL);
	assert_int_equal(pawl__http_listen_unix(w->server, path, 0600, &err), PAWL_E_BUSY);
	world_close(w);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void test_http_listen_tcp__port_in_use_is_busy(void **state)
{
	struct world *w = world_open(NULL, NULL), *other = world_open(NULL, NULL);
	struct pawl_error err = { 0 };

	(void)state;
	assert_int_equal(pawl__http_listen_tcp(other->server, "127.0.0.1", w->port, NULL, &err),
	                 PAWL_E_BUSY);
	assert_int_equal(pawl__http_listen_tcp(other->server, "not a host", 0, NULL, &err),
	                 PAWL_E_CONFIG);
	world_close(w);
	world_close(other);
}

static void test_http_listen_fd__takes_listening_sockets_only(void **state)
{
	struct world *w = world_open(NULL, NULL);
	struct pawl_error err = { 0 };
	struct sockaddr_in addr = { .sin_family = AF_INET,
		                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	struct reader *r;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)state;
	assert_int_equal(pawl__http_listen_fd(w->server, fd, &err), PAWL_E_CONFIG);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	assert_int_equal(pawl__http_listen_fd(w->server, fd, &err), PAWL_OK);
	w->peer.addrs[0].at.v4 = addr;
	r = reader_new(peer_open(w));
	SEND(w, r->fd, GET("/now"));
	expect_answer(w, r, 200, "/now");
	reader_free(r);
	world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_http__request_is_answered_and_connection_kept),
		cmocka_unit_test(test_http__bytes_that_drip_make_one_request),
		cmocka_unit_test(test_http_answer_token__answers_leave_in_order_of_requests),
		cmocka_unit_test(test_http__request_that_may_not_overlap_runs_alone),
		cmocka_unit_test(test_http__chunked_request_that_waits_keeps_its_body),
		cmocka_unit_test(test_http__refusal_waits_behind_earlier_requests),
		cmocka_unit_test(test_http__unanswered_requests_are_limited),
		cmocka_unit_test(test_http_answer_token__connection_that_is_gone_gives_false),
		cmocka_unit_test(test_http__half_closed_peer_gets_its_answers),
		cmocka_unit_test(test_http__request_and_end_in_one_event_are_both_seen),
		cmocka_unit_test(test_http__half_closed_within_a_request_is_closed),
		cmocka_unit_test(test_http__connection_close_is_obeyed),
		cmocka_unit_test(test_http__answer_may_close),
		cmocka_unit_test(test_http__http10_is_kept_only_when_asked),
		cmocka_unit_test(test_http__head_is_answered_without_its_body),
		cmocka_unit_test(test_http__refusal_is_read_though_the_peer_still_sends),
		cmocka_unit_test(test_http__refusal_by_default_is_a_problem_document),
		cmocka_unit_test(test_http__expectation_is_answered_by_100),
		cmocka_unit_test(test_http__100_waits_behind_earlier_answers),
		cmocka_unit_test(test_http__head_that_does_not_come_is_408),
		cmocka_unit_test(test_http__body_that_does_not_come_is_408),
		cmocka_unit_test(test_http__idle_connection_is_closed_silently),
		cmocka_unit_test(test_http__unanswered_request_has_no_deadline_here),
		cmocka_unit_test(test_http__peer_that_does_not_read_is_closed),
		cmocka_unit_test(test_http__lingering_peer_is_closed),
		cmocka_unit_test(test_http__unread_answers_hold_back_requests),
		cmocka_unit_test(test_http__answers_that_wait_are_limited),
		cmocka_unit_test(test_http__largest_body_arrives_whole),
		cmocka_unit_test(test_http__connection_over_the_limit_is_503),
		cmocka_unit_test(test_http__thousands_of_idle_connections_are_served),
		cmocka_unit_test(test_http__io_of_single_bytes_works),
		cmocka_unit_test(test_http__answers_of_one_turn_leave_in_one_write),
		cmocka_unit_test(test_http__answers_of_a_commit_join_those_given_at_once),
		cmocka_unit_test(test_http_flush__writes_before_the_end_of_the_turn),
		cmocka_unit_test(test_http_drain__finishes_what_is_in_flight),
		cmocka_unit_test(test_http_free__with_everything_open_leaks_nothing),
		cmocka_unit_test(test_http_listen_unix__replaces_only_a_stale_socket),
		cmocka_unit_test(test_http_listen_tcp__port_in_use_is_busy),
		cmocka_unit_test(test_http_listen_fd__takes_listening_sockets_only),
	};

	return cmocka_run_group_tests_name("server", tests, NULL, NULL);
}
