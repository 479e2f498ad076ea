/* SPDX-License-Identifier: Apache-2.0 */
/* The open loop, and what is pure: overlap, and answers cut at every place. */
#include "harness.h"

#include "base/rng.h"
#include "race/load/reply.h"
#include "stamp_server.h"

#define OK_LENGTH "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

struct seen {
	uint64_t next, done, limit;
	int64_t last_intended_ns;
	uint64_t waited; /* outcomes that were sent 20 ms or more behind their time */
	uint64_t classes[VOLLEY_CLASSES];
};

static bool on_next(void *data, uint64_t k, struct volley_request *ret)
{
	struct seen *s = data;

	assert_int_equal(k, s->next);
	if (s->limit != 0 && k == s->limit)
		return false;
	s->next++;
	ret->method = STR("POST");
	ret->target = STR("/x");
	ret->body = STR("body");
	return true;
}

static void on_done(void *data, uint64_t k, const struct volley_outcome *o)
{
	struct seen *s = data;

	(void)k;
	s->done++;
	s->classes[o->class]++;
	assert_true(o->intended_ns > 0 && o->done_ns >= o->intended_ns);
	if (o->first_sent_ns != 0) {
		assert_true(o->first_sent_ns >= o->intended_ns);
		s->waited += o->first_sent_ns - o->intended_ns >= 20 * MS ? 1 : 0;
	}
}

static void flow_to(struct volley *v, struct volley_flow flow, struct seen *seen,
                    struct volley_flow_result *ret)
{
	struct pawl_error err = { 0 };
	uint64_t sum = 0;

	flow.data = seen;
	flow.next = on_next;
	flow.done = on_done;
	if (pawl__volley_flow(v, &flow, ret, &err) != PAWL_OK)
		fail_msg("%s", err.text);
	for (int i = 0; i < VOLLEY_CLASSES; i++) {
		assert_int_equal(ret->counts[i], seen->classes[i]);
		sum += ret->counts[i];
	}
	assert_int_equal(ret->requests, sum);
	assert_int_equal(ret->requests, seen->done);
}

static void test_flow__every_request_that_was_due_has_an_outcome(void **state)
{
	static struct volley_flow_result r;
	struct seen seen = { 0 }, again = { 0 };
	uint16_t port;
	struct stamp_server *s = stamp_server_start(&(struct stamp_config){ 0 }, &port);
	struct volley *v = volley_to("http", port, &(struct volley_config){ 0 });
	uint64_t in, out, mine_in, mine_out;

	(void)state;
	flow_to(v, (struct volley_flow){ .rate = 500, .duration_ns = 400 * MS, .conns = 8 }, &seen,
	        &r);
	assert_int_equal(r.requests, 200);
	assert_int_equal(r.counts[VOLLEY_ANSWERED], 200);
	assert_int_equal(r.intended_us.count, 200);
	assert_true(pawl__hist_quantile(&r.intended_us, 0.5) >=
	            pawl__hist_quantile(&r.sent_us, 0.5));
	assert_true(r.last_ns - r.first_ns >= 398 * MS);
	mine_in = r.bytes_in;
	mine_out = r.bytes_out;
	assert_int_equal(r.overhead_out, 0);
	again.limit = 10; /* next has no more before the time is over */
	flow_to(v, (struct volley_flow){ .rate = 1000, .duration_ns = 60000 * MS, .conns = 8 },
	        &again, &r);
	assert_int_equal(r.requests, 10);
	pawl__volley_free(v);
	stamp_server_bytes(s, &in, &out);
	assert_int_equal(mine_out + r.bytes_out, in);
	assert_int_equal(mine_in + r.bytes_in, out);
	stamp_server_stop(s);
}

static void test_flow__h2_shares_connections(void **state)
{
	static struct volley_flow_result r;
	struct seen seen = { 0 };
	uint16_t port;
	struct stamp_server *s =
		stamp_server_start(&(struct stamp_config){ .max_streams = 3 }, &port);
	struct volley *v =
		volley_to("http", port, &(struct volley_config){ .proto = VOLLEY_HTTP2 });

	(void)state;
	flow_to(v, (struct volley_flow){ .rate = 2000, .duration_ns = 200 * MS, .conns = 2 }, &seen,
	        &r);
	assert_int_equal(r.requests, 400);
	assert_int_equal(r.counts[VOLLEY_ANSWERED], 400);
	assert_in_range(r.peak, 1, 6);
	pawl__volley_free(v);
	stamp_server_stop(s);
}

/* A peer that answers nothing: with one connection everything behind the first request waits, and
 * the waiting is seen. A loop that sends when it can would report one slow request. */
static void test_flow__waiting_counts_from_the_intended_start(void **state)
{
	static struct volley_flow_result r;
	const struct act act = { .requests = true, .hang = true };
	struct seen seen = { 0 };
	struct peer *p = peer_open(&act);
	struct volley *v =
		volley_to("http", p->port, &(struct volley_config){ .answer_ns = 100 * MS });

	(void)state;
	flow_to(v, (struct volley_flow){ .rate = 100, .duration_ns = 300 * MS, .conns = 1 }, &seen,
	        &r);
	assert_int_equal(r.requests, 30);
	assert_int_equal(r.counts[VOLLEY_ANSWERED], 0);
	assert_true(r.counts[VOLLEY_TIMEOUT] >= 2);
	assert_true(r.counts[VOLLEY_UNSENT] >= 10);
	assert_true(seen.waited >= 1);
	assert_true(r.backlog >= 5);
	pawl__volley_free(v);
	peer_close(p);
}

static void test_flow__nobody_listens_all_refused(void **state)
{
	static struct volley_flow_result r;
	struct seen seen = { 0 };
	uint16_t port;
	const int fd = listen_any(&port);
	struct volley *v;

	(void)state;
	(void)close(fd);
	v = volley_to("http", port, &(struct volley_config){ .answer_ns = 400 * MS });
	flow_to(v, (struct volley_flow){ .rate = 50, .duration_ns = 200 * MS, .conns = 2 }, &seen,
	        &r);
	assert_int_equal(r.requests, 10);
	assert_int_equal(r.counts[VOLLEY_REFUSED], 10);
	pawl__volley_free(v);
}

static void test_flow__peer_closes_each_connection_goes_on(void **state)
{
	static struct volley_flow_result r;
	const struct act act = { .requests = true, .send = STR("HTTP/1.0 200 OK\r\n\r\nok") };
	struct seen seen = { 0 };
	struct peer *p = peer_open(&act);
	struct volley *v = volley_to("http", p->port, &(struct volley_config){ 0 });

	(void)state;
	flow_to(v, (struct volley_flow){ .rate = 200, .duration_ns = 200 * MS, .conns = 3 }, &seen,
	        &r);
	assert_int_equal(r.requests, 40);
	assert_int_equal(r.counts[VOLLEY_ANSWERED], 40);
	pawl__volley_free(v);
	peer_close(p);
}

/* --- pure --- */

static void test_overlap__pairs_and_peak_as_counted_one_by_one(void **state)
{
	struct race_span spans[40];
	struct race_overlap o;
	struct pawl_error err = { 0 };
	struct rng rng;

	(void)state;
	rng_init(&rng, 5);
	for (int round = 0; round < 500; round++) {
		const size_t n = (size_t)pawl__rng_below(&rng, 40);
		uint64_t pairs = 0;
		uint32_t counted = 0, peak = 0;

		for (size_t i = 0; i < n; i++) {
			spans[i].from_ns = (int64_t)pawl__rng_below(&rng, 30);
			spans[i].to_ns = spans[i].from_ns + (int64_t)pawl__rng_below(&rng, 12) - 2;
		}
		for (size_t i = 0; i < n; i++) {
			uint32_t at = 0;

			if (spans[i].from_ns == 0 || spans[i].to_ns < spans[i].from_ns)
				continue;
			counted++;
			for (size_t j = 0; j < n; j++) {
				const bool good =
					spans[j].from_ns != 0 && spans[j].to_ns >= spans[j].from_ns;

				if (good && j < i && spans[j].from_ns <= spans[i].to_ns &&
				    spans[i].from_ns <= spans[j].to_ns)
					pairs++;
				if (good && spans[j].from_ns <= spans[i].from_ns &&
				    spans[j].to_ns >= spans[i].from_ns)
					at++;
			}
			peak = at > peak ? at : peak;
		}
		assert_int_equal(pawl__overlap_measure(spans, n, &o, &err), PAWL_OK);
		assert_int_equal(o.asked, n);
		assert_int_equal(o.counted, counted);
		assert_int_equal(o.pairs, pairs);
		assert_int_equal(o.peak, peak);
	}
}

static void test_overlap__reached_needs_n_minus_1_pairs_and_the_peak(void **state)
{
	const struct race_overlap o = { .asked = 10, .counted = 10, .peak = 4, .pairs = 9 };
	const struct race_overlap less = { .asked = 10, .counted = 10, .peak = 4, .pairs = 8 };
	const struct race_overlap one = { .asked = 1, .counted = 1, .peak = 1 };

	(void)state;
	assert_true(pawl__overlap_reached(&o, 0));
	assert_true(pawl__overlap_reached(&o, 4));
	assert_false(pawl__overlap_reached(&o, 5));
	assert_false(pawl__overlap_reached(&less, 0));
	assert_true(pawl__overlap_reached(&one, 1));
}

static void reply_of(struct str text, size_t step, struct volley_outcome *o, size_t *kept,
                     enum reply_state *ret, size_t *ret_used)
{
	struct reply r;
	size_t at = 0, used;

	pawl__reply_init(&r);
	r.body_max = 4;
	r.kept = kept;
	pawl__reply_begin(&r, o, false);
	*ret = REPLY_MORE;
	while (at < text.len && *ret == REPLY_MORE) {
		const size_t n = text.len - at < step ? text.len - at : step;

		*ret = pawl__reply_feed(&r, text.ptr + at, n, &used);
		assert_true(used <= n && (*ret != REPLY_MORE || used == n));
		at += used;
	}
	*ret_used = at;
	pawl__reply_deinit(&r);
}

/* How the bytes are cut does not change what they are. */
static void test_reply__cut_anywhere_the_same(void **state)
{
	static const struct str texts[] = {
		STR("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
		    "6\r\n\r\nabcdefNEXT"),
		STR("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n"
		    "00a\r\n0123456789\r\n0\r\nA: b\r\nC: d\r\n\r\nNEXT"),
		STR("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX\r\n0\r\n\r\n"),
		STR("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n"),
		STR("HTTP/1.1 204 None\r\n\r\nNEXT"),
		STR("HTTP/2 200\r\n\r\n"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct volley_outcome whole = { 0 };
		enum reply_state state_whole;
		size_t kept = 0, used_whole;

		reply_of(texts[i], texts[i].len, &whole, &kept, &state_whole, &used_whole);
		assert_int_equal(kept, whole.body.len);
		for (size_t step = 1; step < texts[i].len; step++) {
			struct volley_outcome o = { 0 };
			enum reply_state got;
			size_t used;

			reply_of(texts[i], step, &o, &kept, &got, &used);
			assert_int_equal(got, state_whole);
			assert_int_equal(o.status, whole.status);
			assert_int_equal(o.interim, whole.interim);
			assert_int_equal(o.body_len, whole.body_len);
			assert_int_equal(o.body.len, whole.body.len);
			assert_int_equal(o.truncated, whole.truncated);
			if (got == REPLY_DONE)
				assert_int_equal(used, used_whole);
			pawl__buf_deinit(&o.body);
			pawl__buf_deinit(&o.fields);
		}
		if (state_whole == REPLY_DONE && whole.status == 200) {
			assert_true(whole.truncated);
			assert_int_equal(whole.body.len, 4);
		}
		pawl__buf_deinit(&whole.body);
		pawl__buf_deinit(&whole.fields);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flow__every_request_that_was_due_has_an_outcome),
		cmocka_unit_test(test_flow__h2_shares_connections),
		cmocka_unit_test(test_flow__waiting_counts_from_the_intended_start),
		cmocka_unit_test(test_flow__nobody_listens_all_refused),
		cmocka_unit_test(test_flow__peer_closes_each_connection_goes_on),
		cmocka_unit_test(test_overlap__pairs_and_peak_as_counted_one_by_one),
		cmocka_unit_test(test_overlap__reached_needs_n_minus_1_pairs_and_the_peak),
		cmocka_unit_test(test_reply__cut_anywhere_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
