/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/2: the final frames in one read() of the other end, and what a peer may do instead. */
#include "harness.h"

#include <sys/resource.h>

#include "stamp_server.h"

#define STAMPS 4096

static char dir[] = "/tmp/pawl-load-XXXXXX", cert[64], key[64], other[64], other_key[64];

static int setup(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(cert, sizeof(cert), "%s/cert.pem", dir);
	(void)snprintf(key, sizeof(key), "%s/key.pem", dir);
	(void)snprintf(other, sizeof(other), "%s/other.pem", dir);
	(void)snprintf(other_key, sizeof(other_key), "%s/other-key.pem", dir);
	return stamp_server_cert(cert, key, "DNS:localhost,IP:127.0.0.1") &&
	                       stamp_server_cert(other, other_key, "DNS:elsewhere,IP:127.0.0.2")
	               ? 0
	               : -1;
}

static int teardown(void **state)
{
	(void)state;
	(void)unlink(cert);
	(void)unlink(key);
	(void)unlink(other);
	(void)unlink(other_key);
	return rmdir(dir);
}

static struct stamp_server *server(const struct stamp_config *config, uint16_t *port)
{
	struct stamp_server *s = stamp_server_start(config, port);

	assert_non_null(s);
	return s;
}

/* The read()s in which n requests were complete. */
static size_t reads_of(struct stamp_server *s, size_t n)
{
	static struct stamp stamps[STAMPS];
	size_t reads = 0;

	assert_int_equal(stamp_server_take(s, stamps, STAMPS), n);
	for (size_t i = 0; i < n; i++)
		reads += i == 0 || stamps[i].read != stamps[i - 1].read ? 1 : 0;
	return reads;
}

static void one_read(const char *scheme, const struct stamp_config *server_config, bool jitter)
{
	const struct volley_config config = { .proto = VOLLEY_HTTP2, .ca_file = cert };
	struct volley_plan plan = { .head_start_ns = jitter ? 150 * MS : -1 };
	struct volley_result r = { 0 };
	uint16_t port;
	struct stamp_server *s = server(server_config, &port);
	struct volley *v =
		volley_to(scheme, jitter ? relay_start(port, 20000, 4000) : port, &config);

	for (size_t n = 1; n <= 30; n += jitter ? 14 : 1) {
		fire(v, &plan, n, &r);
		assert_int_equal(r.counts[VOLLEY_ANSWERED], n);
		assert_int_equal(r.writes, 1);
		assert_int_equal(r.conns_used, 1);
		assert_false(r.split);
		assert_int_equal(r.release_spread_ns, 0);
		assert_int_equal(r.early, 0);
		assert_int_equal(r.outcomes[n - 1].status, 200);
		assert_int_equal(r.outcomes[n - 1].body_len, 2);
		assert_int_equal(reads_of(s, n), 1);
		assert_int_equal(r.streams_max, 250);
		assert_true(pawl__volley_overlapped(&r, (uint32_t)n));
	}
	pawl__volley_result_free(&r);
	pawl__volley_free(v);
	stamp_server_stop(s);
}

static void test_fire__h2c_final_frames_in_one_read(void **state)
{
	(void)state;
	one_read("http", &(struct stamp_config){ 0 }, false);
}

static void test_fire__h2_tls_final_frames_in_one_read(void **state)
{
	(void)state;
	one_read("https", &(struct stamp_config){ .cert_file = cert, .key_file = key }, false);
}

static void test_fire__h2c_one_read_behind_20_ms_of_jitter(void **state)
{
	(void)state;
	one_read("http", &(struct stamp_config){ 0 }, true);
}

/* Both ends count the same bytes, and every byte is of a stream or overhead. */
static void test_fire__h2_bytes_are_accounted_for(void **state)
{
	const struct volley_config config = { .proto = VOLLEY_HTTP2 };
	struct volley_plan plan = { 0 };
	struct volley_result r = { 0 };
	uint16_t port;
	struct stamp_server *s = server(&(struct stamp_config){ 0 }, &port);
	struct volley *v = volley_to("http", port, &config);
	uint64_t in, out, mine_in = 0, mine_out = 0;

	(void)state;
	for (int round = 0; round < 3; round++) {
		fire(v, &plan, 20, &r);
		assert_int_equal(r.counts[VOLLEY_ANSWERED], 20);
		mine_in += r.bytes_in;
		mine_out += r.bytes_out;
		/* HEADERS of at least 10 bytes, DATA of 15 and 10. */
		assert_true(r.outcomes[3].bytes_out >= 10 + 15 + 10);
		/* HEADERS, and DATA with two bytes of body and END_STREAM. */
		assert_true(r.outcomes[3].bytes_in >= 10 + 11);
	}
	pawl__volley_free(v);
	stamp_server_bytes(s, &in, &out);
	assert_int_equal(mine_out, in);
	/* The last SETTINGS ack or PING ack may still be on its way. */
	assert_true(mine_in <= out && out - mine_in <= 64);
	pawl__volley_result_free(&r);
	stamp_server_stop(s);
}

static void test_fire__more_than_a_packet_takes_is_spread_and_said(void **state)
{
	const struct volley_config config = { .proto = VOLLEY_HTTP2, .packet_max = 100 };
	struct volley_plan plan = { 0 };
	struct volley_result r = { 0 };
	uint16_t port;
	struct stamp_server *s = server(&(struct stamp_config){ 0 }, &port);
	struct volley *v = volley_to("http", port, &config);

	(void)state;
	fire(v, &plan, 10, &r); /* 10 final frames of 10 bytes: they just fit */
	assert_int_equal(r.conns_used, 1);
	assert_false(r.split);
	fire(v, &plan, 11, &r);
	assert_int_equal(r.counts[VOLLEY_ANSWERED], 11);
	assert_int_equal(r.conns_used, 2);
	assert_int_equal(r.writes, 2);
	assert_int_equal(r.packet_max, 100);
	assert_true(r.split);
	pawl__volley_result_free(&r);
	pawl__volley_free(v);
	stamp_server_stop(s);
}

static void test_fire__one_stream_at_a_time_spread_over_connections(void **state)
{
	const struct volley_config config = { .proto = VOLLEY_HTTP2 },
				   few = { .proto = VOLLEY_HTTP2, .conns = 3 };
	struct volley_plan plan = { 0 };
	struct volley_result r = { 0 };
	uint16_t port;
	struct stamp_server *s = server(&(struct stamp_config){ .max_streams = 1 }, &port);
	struct volley *v = volley_to("http", port, &config);

	(void)state;
	fire(v, &plan, 7, &r);
	assert_int_equal(r.counts[VOLLEY_ANSWERED], 7);
	assert_int_equal(r.conns_used, 7);
	assert_int_equal(r.streams_max, 1);
	assert_true(r.split);
	pawl__volley_free(v);
	v = volley_to("http", port, &few);
	fire(v, &plan, 7, &r);
	assert_int_equal(r.counts[VOLLEY_ANSWERED], 3);
	assert_int_equal(r.counts[VOLLEY_UNSENT], 4);
	assert_string_not_equal(r.trouble, "");
	assert_false(pawl__volley_overlapped(&r, 0));
	pawl__volley_result_free(&r);
	pawl__volley_free(v);
	stamp_server_stop(s);
}

static void misbehaves(const struct stamp_config *server_config, enum volley_class want,
                       int64_t answer_ns)
{
	const struct volley_config config = { .proto = VOLLEY_HTTP2, .answer_ns = answer_ns };
	struct volley_plan plan = { .head_start_ns = 50 * MS };
	struct volley_result r = { 0 };
	uint16_t port;
	struct stamp_server *s = server(server_config, &port);
	struct volley *v = volley_to("http", port, &config);

	for (int round = 0; round < 2; round++) {
		fire(v, &plan, 5, &r);
		if (r.counts[want] != 5)
			fail_msg("got %s, want %s", pawl__volley_class_name(r.outcomes[0].class),
			         pawl__volley_class_name(want));
	}
	if (want == VOLLEY_RESET)
		assert_int_not_equal(r.outcomes[4].native, 0);
	assert_int_equal(r.early, server_config->early ? 5 : 0);
	pawl__volley_result_free(&r);
	pawl__volley_free(v);
	stamp_server_stop(s);
}

static void test_fire__h2_goaway_is_a_reset(void **state)
{
	(void)state;
	misbehaves(&(struct stamp_config){ .goaway = true }, VOLLEY_RESET, 0);
}

static void test_fire__h2_rst_stream_is_a_reset(void **state)
{
	(void)state;
	misbehaves(&(struct stamp_config){ .reset = true }, VOLLEY_RESET, 0);
}

static void test_fire__h2_silence_times_out(void **state)
{
	(void)state;
	misbehaves(&(struct stamp_config){ .silent = true }, VOLLEY_TIMEOUT, 60 * MS);
}

static void test_fire__h2_early_answer_is_flagged(void **state)
{
	(void)state;
	misbehaves(&(struct stamp_config){ .early = true }, VOLLEY_ANSWERED, 0);
}

static void protocol_of(const char *scheme, uint16_t port, struct volley_config config)
{
	struct volley_plan plan = { .no_wake = true };
	struct volley_result r = { 0 };
	struct volley *v = volley_to(scheme, port, &config);

	fire(v, &plan, 3, &r);
	if (r.counts[VOLLEY_PROTOCOL] != 3)
		fail_msg("got %s", pawl__volley_class_name(r.outcomes[0].class));
	assert_int_equal(r.released, 0);
	assert_string_not_equal(r.trouble, "");
	pawl__volley_result_free(&r);
	pawl__volley_free(v);
}

static void test_fire__no_h2_at_all(void **state)
{
	const struct act says_400 = {
		.early_len = 24,
		.early = STR("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
		.hang = true
	};
	const struct act says_nothing = { .early_len = 24 };
	uint16_t port;
	struct stamp_server *s = server(
		&(struct stamp_config){ .cert_file = cert, .key_file = key, .only_http1 = true },
		&port);
	struct peer *p = peer_open(&says_400), *q = peer_open(&says_nothing);

	(void)state;
	protocol_of("https", port,
	            (struct volley_config){ .proto = VOLLEY_HTTP2, .ca_file = cert });
	protocol_of("http", p->port, (struct volley_config){ .proto = VOLLEY_HTTP2 });
	protocol_of("http", q->port, (struct volley_config){ .proto = VOLLEY_HTTP2 });
	stamp_server_stop(s);
	peer_close(p);
	peer_close(q);
}

static void test_fire__tls_certificate_is_judged(void **state)
{
	const struct stamp_config tls = { .cert_file = cert, .key_file = key };
	const struct volley_config trusting = { .insecure = true }, right = { .ca_file = cert };
	struct volley_plan plan = { .no_wake = true };
	struct volley_result r = { 0 };
	uint16_t port;
	struct stamp_server *s = server(&tls, &port), *plain;
	struct volley *v;
	uint16_t plain_port;

	(void)state;
	protocol_of("https", port, (struct volley_config){ 0 }); /* unknown to the system */
	v = volley_to("https", port, &trusting);
	fire(v, &plan, 3, &r);
	assert_int_equal(r.counts[VOLLEY_ANSWERED], 3);
	pawl__volley_free(v);
	v = volley_to("https", port, &right);
	fire(v, &plan, 3, &r);
	assert_int_equal(r.counts[VOLLEY_ANSWERED], 3);
	fire(v, &plan, 3, &r);
	assert_int_equal(r.counts[VOLLEY_ANSWERED], 3);
	assert_true(r.outcomes[0].reused);
	pawl__volley_free(v);
	/* TLS to who does not speak it. */
	plain = server(&(struct stamp_config){ .only_http1 = true }, &plain_port);
	pawl__volley_result_free(&r);
	stamp_server_stop(plain);
	stamp_server_stop(s);
}

/* A certificate that is trusted, and somebody else's. */
static void test_fire__tls_certificate_of_another_name_is_refused(void **state)
{
	const struct stamp_config tls = { .cert_file = other, .key_file = other_key };
	const struct volley_config config = { .ca_file = other };
	struct volley_plan plan = { .no_wake = true };
	struct volley_result r = { 0 };
	struct volley_target target;
	struct pawl_error err = { 0 };
	struct volley *v = NULL;
	uint16_t port;
	struct stamp_server *s = server(&tls, &port);
	char text[64];

	(void)state;
	protocol_of("https", port, config);
	(void)snprintf(text, sizeof(text), "https://localhost:%u", port);
	assert_int_equal(pawl__volley_target_parse(text, &target, &err), PAWL_OK);
	assert_int_equal(pawl__volley_new(&target, &config, &v, &err), PAWL_OK);
	fire(v, &plan, 2, &r);
	assert_int_equal(r.counts[VOLLEY_PROTOCOL], 2);
	assert_non_null(strstr(r.trouble, "ostname"));
	pawl__volley_result_free(&r);
	pawl__volley_free(v);
	stamp_server_stop(s);
}

static void test_new__ca_file_that_is_none_is_refused(void **state)
{
	struct volley_config config = { .ca_file = "/nonexistent.pem" };
	struct volley_target target;
	struct pawl_error err = { 0 };
	struct volley *v = NULL;

	(void)state;
	assert_int_equal(pawl__volley_target_parse("https://127.0.0.1", &target, &err), PAWL_OK);
	assert_int_equal(pawl__volley_new(&target, &config, &v, &err), PAWL_E_CONFIG);
	config.ca_file = key; /* PEM, and no certificate */
	assert_int_equal(pawl__volley_new(&target, &config, &v, &err), PAWL_E_CONFIG);
	assert_null(v);
}

/* More than a stream's window: the body is sent ahead as the peer allows, the last byte is not. */
static void test_fire__h2_large_bodies(void **state)
{
	static char body[300000];
	const struct volley_config config = { .proto = VOLLEY_HTTP2 };
	struct volley_request requests[4];
	struct volley_plan plan = { .requests = requests, .len = 4 };
	struct volley_result r = { 0 };
	uint16_t port;
	struct stamp_server *s = server(&(struct stamp_config){ 0 }, &port);
	struct volley *v = volley_to("http", port, &config);

	(void)state;
	memset(body, 'b', sizeof(body));
	for (size_t i = 0; i < 4; i++)
		requests[i] = (struct volley_request){ .conn = VOLLEY_ANY,
			                               .method = STR("PUT"),
			                               .target = STR("/big"),
			                               .body = { body, sizeof(body) } };
	for (enum volley_sync sync = VOLLEY_LAST_BYTE; sync <= VOLLEY_SPREAD; sync++) {
		plan.sync = sync;
		plan.spread_ns = 5 * MS;
		fire(v, &plan, 4, &r);
		assert_int_equal(r.counts[VOLLEY_ANSWERED], 4);
		assert_true(r.outcomes[0].bytes_out > sizeof(body));
		assert_int_equal(r.released, 4);
		if (sync == VOLLEY_LAST_BYTE)
			assert_int_equal(reads_of(s, 4), 1);
		else
			(void)reads_of(s, 4);
	}
	pawl__volley_result_free(&r);
	pawl__volley_free(v);
	stamp_server_stop(s);
}

#define MANY 2000

/* Both ends are in this process. */
static void test_fire__two_thousand_connections_on_one_thread(void **state)
{
	static struct volley_request requests[MANY];
	const struct volley_config config = { 0 };
	struct volley_plan plan = { .requests = requests, .len = MANY, .no_wake = true };
	struct volley_result r = { 0 };
	struct rlimit limit;
	struct stamp_server *s;
	struct volley *v;
	uint64_t in, out;
	uint16_t port;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_max < 2 * MANY + 200) {
		print_message("skipped: this process may not open %d files\n", 2 * MANY + 200);
		skip();
	}
	limit.rlim_cur = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (size_t i = 0; i < MANY; i++)
		requests[i] = (struct volley_request){ .conn = (uint32_t)(MANY - 1 - i),
			                               .method = STR("GET"),
			                               .target = STR("/") };
	s = server(&(struct stamp_config){ 0 }, &port);
	v = volley_to("http", port, &config);
	fire(v, &plan, MANY, &r);
	assert_int_equal(r.counts[VOLLEY_ANSWERED], MANY);
	assert_int_equal(r.conns_used, MANY);
	assert_int_equal(r.outcomes[0].conn, MANY - 1);
	stamp_server_bytes(s, &in, &out);
	assert_int_equal(r.bytes_out, in);
	assert_int_equal(r.bytes_in, out);
	pawl__volley_result_free(&r);
	pawl__volley_free(v);
	stamp_server_stop(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fire__h2c_final_frames_in_one_read),
		cmocka_unit_test(test_fire__h2_tls_final_frames_in_one_read),
		cmocka_unit_test(test_fire__h2c_one_read_behind_20_ms_of_jitter),
		cmocka_unit_test(test_fire__h2_bytes_are_accounted_for),
		cmocka_unit_test(test_fire__more_than_a_packet_takes_is_spread_and_said),
		cmocka_unit_test(test_fire__one_stream_at_a_time_spread_over_connections),
		cmocka_unit_test(test_fire__h2_goaway_is_a_reset),
		cmocka_unit_test(test_fire__h2_rst_stream_is_a_reset),
		cmocka_unit_test(test_fire__h2_silence_times_out),
		cmocka_unit_test(test_fire__h2_early_answer_is_flagged),
		cmocka_unit_test(test_fire__no_h2_at_all),
		cmocka_unit_test(test_fire__tls_certificate_is_judged),
		cmocka_unit_test(test_fire__tls_certificate_of_another_name_is_refused),
		cmocka_unit_test(test_new__ca_file_that_is_none_is_refused),
		cmocka_unit_test(test_fire__h2_large_bodies),
		cmocka_unit_test(test_fire__two_thousand_connections_on_one_thread),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
