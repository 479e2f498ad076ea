/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client and the load generator, against the front in another thread and against a server that
 * misbehaves by a script.
 */
#include "harness.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/client.h"
#include "net/load.h"
#include "net/server.h"

#define TIMEOUT_US 20000000 /* only a hang reaches it */

/* --- a front of our own --- */

struct front {
	struct loop *loop;
	struct http_server *server;
	pthread_t thread;
	struct net_peer peer;
	_Atomic uint64_t requests;
};

static void front_request(void *data, struct http_conn *conn, const struct http_request *req)
{
	struct front *f = data;
	const struct http_answer answer = {
		.status = req->method == HTTP_DELETE ? 204 : 200,
		.close = str_eq(req->path, STR("/close")),
		.fields = STR("ETag: \"1\"\r\n"),
		.body = req->method == HTTP_DELETE ? STR_NONE
		        : req->method == HTTP_HEAD ? STR("told of, not sent")
		                                   : req->body,
	};

	f->requests++;
	pawl__http_answer(conn, &answer);
}

static void *front_run(void *data)
{
	struct front *f = data;
	struct pawl_error err = { 0 };

	return pawl__loop_run(f->loop, &err) == PAWL_OK ? NULL : data;
}

static void front_open(struct front *f)
{
	struct http_config config = { .app = { .data = f, .request = front_request } };
	struct pawl_error err = { 0 };
	uint16_t port;
	char text[64];

	assert_int_equal(pawl__loop_new(&f->loop, &err), PAWL_OK);
	assert_int_equal(pawl__http_new(f->loop, &config, &f->server, &err), PAWL_OK);
	assert_int_equal(pawl__http_listen_tcp(f->server, "127.0.0.1", 0, &port, &err), PAWL_OK);
	(void)snprintf(text, sizeof(text), "http://127.0.0.1:%u/", port);
	assert_int_equal(pawl__peer_parse(text, 0, &f->peer, &err), PAWL_OK);
	assert_int_equal(pthread_create(&f->thread, NULL, front_run, f), 0);
}

static void front_close(struct front *f)
{
	void *failed;

	pawl__loop_stop(f->loop);
	assert_int_equal(pthread_join(f->thread, &failed), 0);
	assert_null(failed);
	pawl__http_free(f->server);
	pawl__loop_free(f->loop);
}

/* --- a server by a script: for each connection in turn, what it reads and what it sends --- */

struct act {
	size_t wait_len; /* bytes to read first */
	struct str send; /* then */
	bool reset;      /* then end by a reset, else in order */
	bool stay;       /* then wait for the peer to end */
	size_t more_len; /* then, before it ends, bytes to read and leave unanswered */
};

struct script {
	const struct act *acts;
	size_t acts_len;
	int fd;
	pthread_t thread;
	struct net_peer peer;
	_Atomic size_t ended; /* connections */
};

static void read_some(int fd, size_t len)
{
	char bytes[512];
	size_t got = 0;

	while (got < len) {
		const ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

		if (n <= 0)
			break;
		got += (size_t)n;
	}
}

static void act_run(int fd, const struct act *act)
{
	char bytes[512];

	read_some(fd, act->wait_len);
	if (act->send.len > 0)
		(void)!send(fd, act->send.ptr, act->send.len, MSG_NOSIGNAL);
	read_some(fd, act->more_len);
	if (act->reset)
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 },
		                 sizeof(struct linger));
	while (act->stay && recv(fd, bytes, sizeof(bytes), 0) > 0)
		;
}

static void *script_run(void *data)
{
	struct script *s = data;

	for (size_t i = 0; i < s->acts_len; i++) {
		const int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			return NULL;
		act_run(fd, &s->acts[i]);
		(void)close(fd);
		s->ended++;
	}
	return NULL;
}

static void script_open(struct script *s, const struct act *acts, size_t acts_len)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
		                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	struct pawl_error err = { 0 };
	char text[64];

	*s = (struct script){ .acts = acts, .acts_len = acts_len };
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(s->fd, 16), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&addr, &len), 0);
	(void)snprintf(text, sizeof(text), "127.0.0.1:%u", ntohs(addr.sin_port));
	assert_int_equal(pawl__peer_parse(text, 0, &s->peer, &err), PAWL_OK);
	assert_int_equal(pthread_create(&s->thread, NULL, script_run, s), 0);
}

static void script_close(struct script *s)
{
	(void)shutdown(s->fd, SHUT_RDWR); /* ends an accept that nobody comes for */
	assert_int_equal(pthread_join(s->thread, NULL), 0);
	(void)close(s->fd);
}

/* --- peers --- */

static void test_peer_parse__forms(void **state)
{
	static const struct {
		const char *text, *authority; /* NULL: refused */
		uint16_t port;
	} cases[] = {
		{ "http://127.0.0.1:7077", "127.0.0.1:7077", 7077 },
		{ "http://127.0.0.1/", "127.0.0.1:80", 80 },
		{ "127.0.0.1:1", "127.0.0.1:1", 1 },
		{ "127.0.0.1", "127.0.0.1:80", 80 },
		{ "[::1]:65535", "[::1]:65535", 65535 },
		{ "[::1]", "[::1]:80", 80 },
		{ "unix:/a/b", "localhost", 0 },
		{ "", NULL, 0 },
		{ "127.0.0.1:", NULL, 0 },
		{ "127.0.0.1:0", NULL, 0 },
		{ "127.0.0.1:65536", NULL, 0 },
		{ "127.0.0.1:7x", NULL, 0 },
		{ "[::1", NULL, 0 },
		{ "[]:1", NULL, 0 },
		{ "[::1]7", NULL, 0 },
		{ ":80", NULL, 0 },
		{ "unix:", NULL, 0 },
		{ "http://127.0.0.1/a", NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct net_peer peer = { 0 };
		struct pawl_error err = { 0 };
		const enum pawl_status st = pawl__peer_parse(cases[i].text, 80, &peer, &err);

		if ((st == PAWL_OK) != (cases[i].authority != NULL))
			fail_msg("\"%s\": %d", cases[i].text, st);
		if (st != PAWL_OK)
			continue;
		assert_string_equal(peer.authority, cases[i].authority);
		if (peer.addrs[0].at.any.sa_family == AF_INET)
			assert_int_equal(ntohs(peer.addrs[0].at.v4.sin_port), cases[i].port);
		if (peer.addrs[0].at.any.sa_family == AF_INET6)
			assert_int_equal(ntohs(peer.addrs[0].at.v6.sin6_port), cases[i].port);
	}
}

static void test_peer_parse__path_limit_is_exact(void **state)
{
	const size_t max = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;
	struct pawl_error err = { 0 };
	struct net_peer peer;
	char text[256] = "unix:";

	(void)state;
	memset(text + 5, 'a', max);
	assert_int_equal(pawl__peer_parse(text, 0, &peer, &err), PAWL_OK);
	text[5 + max] = 'a';
	assert_int_equal(pawl__peer_parse(text, 0, &peer, &err), PAWL_E_INVALID);
}

/* --- the client --- */

static enum pawl_status ask(struct http_client *client, const char *method, struct str body,
                            int64_t timeout_us, struct http_response *res)
{
	const struct http_call call = {
		.method = { method, strlen(method) },
		.target = STR("/x"),
		.fields = STR("X-Y: z\r\n"),
		.body = body,
		.timeout_us = timeout_us,
	};
	struct pawl_error err = { 0 };

	return pawl__client_request(client, &call, res, &err);
}

static struct http_client *client_open(const struct net_peer *peer, size_t body_max)
{
	struct http_client *client = NULL;
	struct pawl_error err = { 0 };

	assert_int_equal(pawl__client_new(peer, body_max, &client, &err), PAWL_OK);
	return client;
}

static void test_client_request__answers_of_every_kind(void **state)
{
	static char large[1000000];
	struct http_response res;
	struct front f = { 0 };
	struct http_client *client;
	struct str value;
	size_t n;

	(void)state;
	memset(large, 'x', sizeof(large));
	front_open(&f);
	client = client_open(&f.peer, 0);
	assert_int_equal(ask(client, "POST", STR("hello"), TIMEOUT_US, &res), PAWL_OK);
	assert_int_equal(res.status, 200);
	assert_str(res.body, "hello");
	assert_true(pawl__http1_field(&res.fields, STR("etag"), &value, &n));
	assert_int_equal(ask(client, "GET", STR_NONE, TIMEOUT_US, &res), PAWL_OK);
	assert_str(res.body, "");
	assert_int_equal(ask(client, "DELETE", STR_NONE, TIMEOUT_US, &res), PAWL_OK);
	assert_int_equal(res.status, 204);
	assert_int_equal(ask(client, "HEAD", STR_NONE, TIMEOUT_US, &res), PAWL_OK);
	assert_int_equal(ask(client, "PUT", (struct str){ large, sizeof(large) }, TIMEOUT_US, &res),
	                 PAWL_OK);
	assert_int_equal(res.body.len, sizeof(large));
	assert_memory_equal(res.body.ptr, large, sizeof(large));
	assert_int_equal(f.requests, 5);
	pawl__client_free(client);
	front_close(&f);
}

static void test_client_request__closed_connection_is_made_again(void **state)
{
	const struct http_call call = { .method = STR("GET"),
		                        .target = STR("/close"),
		                        .timeout_us = TIMEOUT_US };
	struct pawl_error err = { 0 };
	struct http_response res;
	struct front f = { 0 };
	struct http_client *client;

	(void)state;
	front_open(&f);
	client = client_open(&f.peer, 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(pawl__client_request(client, &call, &res, &err), PAWL_OK);
		assert_false(res.keep_alive);
	}
	assert_int_equal(f.requests, 3);
	pawl__client_free(client);
	front_close(&f);
}

static void test_client_request__nobody_listens_is_io(void **state)
{
	struct script s;
	struct http_response res;
	struct http_client *client;

	(void)state;
	script_open(&s, NULL, 0);
	script_close(&s);
	client = client_open(&s.peer, 0);
	assert_int_equal(ask(client, "POST", STR("a"), TIMEOUT_US, &res), PAWL_E_IO);
	pawl__client_free(client);
}

#define OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static void test_client_request__lost_answers_are_told_apart(void **state)
{
	static const struct {
		struct act act;
		enum pawl_status status;
		int64_t timeout_us;
	} cases[] = {
		{ { .wait_len = 1, .send = STR(OK_ANSWER) }, PAWL_OK, TIMEOUT_US },
		{ { .wait_len = 1, .send = STR("HTTP/1.1 100 Continue\r\n\r\n" OK_ANSWER) },
		  PAWL_OK,
		  TIMEOUT_US },
		{ { .wait_len = 1, .send = STR("HTTP/1.1 200 OK\r\n\r\nuntil the end") },
		  PAWL_OK,
		  TIMEOUT_US },
		{ { .wait_len = 1 }, PAWL_E_OUTCOME_UNKNOWN, TIMEOUT_US },
		{ { .wait_len = 1, .reset = true }, PAWL_E_OUTCOME_UNKNOWN, TIMEOUT_US },
		{ { .wait_len = 1, .send = STR("HTTP/1.1 200 OK\r\nContent-Le") },
		  PAWL_E_OUTCOME_UNKNOWN,
		  TIMEOUT_US },
		{ { .wait_len = 1, .send = STR("220 mail ready\r\n\r\n") },
		  PAWL_E_OUTCOME_UNKNOWN,
		  TIMEOUT_US },
		{ { .wait_len = 1, .stay = true }, PAWL_E_OUTCOME_UNKNOWN, 20000 },
		{ { .wait_len = 1,
		    .send = STR("HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n"),
		    .stay = true },
		  PAWL_E_TOO_LARGE,
		  TIMEOUT_US },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct script s;
		struct http_response res;
		struct http_client *client;
		enum pawl_status st;

		script_open(&s, &cases[i].act, 1);
		client = client_open(&s.peer, 100);
		st = ask(client, "POST", STR("a"), cases[i].timeout_us, &res);
		if (st != cases[i].status)
			fail_msg("case %zu: %d", i, st);
		if (st == PAWL_OK)
			assert_int_equal(res.status, 200);
		pawl__client_free(client);
		script_close(&s);
	}
}

/* The server takes the second request on the kept connection and ends it unanswered. */
static void test_client_request__kept_connection_lost_repeats_only_what_may_be(void **state)
{
	static const struct {
		const char *method;
		enum pawl_status status;
	} cases[] = { { "GET", PAWL_OK }, { "PUT", PAWL_OK }, { "POST", PAWL_E_OUTCOME_UNKNOWN } };
	static const struct act acts[] = {
		{ .wait_len = 1, .send = STR(OK_ANSWER), .more_len = 1 },
		{ .wait_len = 1, .send = STR(OK_ANSWER) },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct script s;
		struct http_response res;
		struct http_client *client;
		enum pawl_status st;

		script_open(&s, acts, ARRAY_LEN(acts));
		client = client_open(&s.peer, 100);
		st = ask(client, cases[i].method, STR_NONE, TIMEOUT_US, &res);
		assert_int_equal(st, PAWL_OK);
		st = ask(client, cases[i].method, STR_NONE, TIMEOUT_US, &res);
		if (st != cases[i].status)
			fail_msg("case %zu: %d", i, st);
		pawl__client_free(client);
		script_close(&s);
	}
}

/* The server has ended the kept connection before the second request: it is never risked there. */
static void test_client_request__kept_connection_found_ended_is_made_again(void **state)
{
	static const struct act acts[] = {
		{ .wait_len = 1, .send = STR(OK_ANSWER) },
		{ .wait_len = 1, .send = STR(OK_ANSWER) },
	};
	struct script s;
	struct http_response res;
	struct http_client *client;

	(void)state;
	script_open(&s, acts, ARRAY_LEN(acts));
	client = client_open(&s.peer, 100);
	assert_int_equal(ask(client, "POST", STR("a"), TIMEOUT_US, &res), PAWL_OK);
	while (s.ended == 0)
		(void)sched_yield();
	assert_int_equal(ask(client, "POST", STR("b"), TIMEOUT_US, &res), PAWL_OK);
	pawl__client_free(client);
	script_close(&s);
}

/* --- the load --- */

struct driver {
	const struct net_peer *peer;
	uint32_t conns;
	uint64_t to_send; /* over all */
	uint64_t next_tag;
	uint64_t last_tag[64]; /* of each connection, as answered */
	uint64_t outcomes[4];
	uint64_t bad; /* answers out of order or of another request */
	struct http_load *load;
	uint64_t stop_at; /* answers; 0 = never */
};

static bool driver_next(void *data, struct load_request *rq)
{
	struct driver *d = data;
	char body[32];
	struct http_call call = { .target = STR("/l") };

	if (d->to_send == 0)
		return false;
	d->to_send--;
	rq->tag = ++d->next_tag;
	rq->head = rq->tag % 5 == 0;
	call.method = rq->head ? STR("HEAD") : STR("POST");
	if (!rq->head)
		call.body = (struct str){ body, (size_t)snprintf(body, sizeof(body), "%lu",
			                                         (unsigned long)rq->tag) };
	pawl__client_put_head(rq->out, d->peer, &call);
	buf_str(rq->out, call.body);
	return true;
}

static void driver_done(void *data, const struct load_result *result)
{
	struct driver *d = data;
	char want[32] = "";

	d->outcomes[result->outcome]++;
	if (result->tag <= d->last_tag[result->conn] || result->done_us < result->sent_us)
		d->bad++;
	d->last_tag[result->conn] = result->tag;
	if (result->outcome != LOAD_ANSWERED)
		return;
	if (result->tag % 5 != 0)
		(void)snprintf(want, sizeof(want), "%lu", (unsigned long)result->tag);
	if (!str_eq(result->response->body, (struct str){ want, strlen(want) }))
		d->bad++;
	if (d->stop_at > 0 && d->outcomes[LOAD_ANSWERED] == d->stop_at)
		pawl__load_stop(d->load);
}

static void load_through(struct driver *d, const struct net_peer *peer, uint32_t conns,
                         uint32_t depth, int64_t timeout_us)
{
	const struct load_config config = {
		.app = { d, driver_next, driver_done },
		.conns = conns,
		.depth = depth,
		.timeout_us = timeout_us,
	};
	const struct load_counters *n;
	struct pawl_error err = { 0 };

	d->peer = peer;
	d->conns = conns;
	assert_int_equal(pawl__load_new(peer, &config, &d->load, &err), PAWL_OK);
	assert_int_equal(pawl__load_run(d->load, LOAD_FOREVER, &err), PAWL_OK);
	n = pawl__load_counters(d->load);
	assert_int_equal(n->requests, d->next_tag);
	assert_int_equal(n->answered, d->outcomes[LOAD_ANSWERED]);
	assert_int_equal(n->requests, n->answered + n->timeouts + n->resets + n->malformed);
	assert_int_equal(d->bad, 0);
	pawl__load_free(d->load);
}

static void test_load_run__every_request_has_its_answer(void **state)
{
	static const uint32_t depths[] = { 1, 7, 200 };
	struct front f = { 0 };

	(void)state;
	front_open(&f);
	for (size_t i = 0; i < ARRAY_LEN(depths); i++) {
		struct driver d = { .to_send = 20000 };

		load_through(&d, &f.peer, 16, depths[i], TIMEOUT_US);
		assert_int_equal(d.outcomes[LOAD_ANSWERED], 20000);
	}
	front_close(&f);
}

static void test_load_stop__takes_no_more_and_waits_for_the_rest(void **state)
{
	struct front f = { 0 };
	struct driver d = { .to_send = UINT64_MAX, .stop_at = 1000 };

	(void)state;
	front_open(&f);
	load_through(&d, &f.peer, 8, 4, TIMEOUT_US);
	assert_true(d.outcomes[LOAD_ANSWERED] >= 1000);
	assert_int_equal(d.outcomes[LOAD_ANSWERED], d.next_tag);
	front_close(&f);
}

static void test_load_run__lost_connections_are_outcomes(void **state)
{
	/* The body of the first request is "1", of the fourth "4". */
	static const struct act acts[] = {
		{ .wait_len = 1,
		  .send = STR("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"),
		  .more_len = 1 },
		{ .wait_len = 1, .reset = true },
		/* An interim answer, the answer, and one to nothing: the connection is bad. */
		{ .wait_len = 1,
		  .send = STR("HTTP/1.1 103 \r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n4"
		              "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n5"),
		  .stay = true },
		{ .wait_len = 1,
		  .send = STR("HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n"),
		  .stay = true },
	};
	struct driver d = { .to_send = 5 };
	struct script s;

	(void)state;
	script_open(&s, acts, ARRAY_LEN(acts));
	load_through(&d, &s.peer, 1, 1, TIMEOUT_US);
	assert_int_equal(d.outcomes[LOAD_ANSWERED], 2);
	assert_int_equal(d.outcomes[LOAD_RESET], 2);
	assert_int_equal(d.outcomes[LOAD_MALFORMED], 1);
	assert_int_equal(d.outcomes[LOAD_TIMEOUT], 0);
	script_close(&s);
}

static void test_load_run__answer_that_does_not_come_is_a_timeout(void **state)
{
	static const struct act acts[] = { { .wait_len = 1, .stay = true },
		                           { .wait_len = 1, .stay = true } };
	struct driver d = { .to_send = 6 };
	struct script s;

	(void)state;
	script_open(&s, acts, ARRAY_LEN(acts));
	load_through(&d, &s.peer, 1, 3, 20000);
	assert_int_equal(d.outcomes[LOAD_TIMEOUT], 6);
	script_close(&s);
}

static void test_load_run__nobody_listens_ends_with_the_time(void **state)
{
	struct driver d = { .to_send = 5 };
	const struct load_config config = { .app = { &d, driver_next, driver_done }, .conns = 2 };
	struct pawl_error err = { 0 };
	struct script s;

	(void)state;
	script_open(&s, NULL, 0);
	script_close(&s);
	assert_int_equal(pawl__load_new(&s.peer, &config, &d.load, &err), PAWL_OK);
	assert_int_equal(pawl__load_run(d.load, 100000, &err), PAWL_OK);
	assert_int_equal(pawl__load_counters(d.load)->requests, 0);
	assert_true(pawl__load_counters(d.load)->connects_lost >= 2);
	pawl__load_free(d.load);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_peer_parse__forms),
		cmocka_unit_test(test_peer_parse__path_limit_is_exact),
		cmocka_unit_test(test_client_request__answers_of_every_kind),
		cmocka_unit_test(test_client_request__closed_connection_is_made_again),
		cmocka_unit_test(test_client_request__nobody_listens_is_io),
		cmocka_unit_test(test_client_request__lost_answers_are_told_apart),
		cmocka_unit_test(
			test_client_request__kept_connection_lost_repeats_only_what_may_be),
		cmocka_unit_test(test_client_request__kept_connection_found_ended_is_made_again),
		cmocka_unit_test(test_load_run__every_request_has_its_answer),
		cmocka_unit_test(test_load_stop__takes_no_more_and_waits_for_the_rest),
		cmocka_unit_test(test_load_run__lost_connections_are_outcomes),
		cmocka_unit_test(test_load_run__answer_that_does_not_come_is_a_timeout),
		cmocka_unit_test(test_load_run__nobody_listens_ends_with_the_time),
	};

	return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}
