/* SPDX-License-Identifier: Apache-2.0 */
/* The server as a whole, in a thread of its own, over a store in memory, both ways of commit. */
#include "harness.h"

#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "net/client.h"
#include "server/server.h"

#define TIMEOUT_US 60000000 /* only a hang reaches it */
#define WRITERS    4
#define WRITES     100

struct front {
	struct engine *engine;
	struct server *server;
	pthread_t thread;
	enum pawl_status ended;
};

static void *front_main(void *arg)
{
	struct front *f = arg;
	struct pawl_error err;

	f->ended = pawl__server_run(f->server, &err);
	return NULL;
}

static void front_start(struct front *f, enum engine_mode mode, struct server_options opt)
{
	static const char *const any[] = { "127.0.0.1:0" };
	const struct engine_options eo = { .mode = mode };
	struct pawl_error err;

	assert_int_equal(pawl__engine_open("memory:", &eo, &f->engine, &err), PAWL_OK);
	opt.engine = f->engine;
	opt.commit_on_loop = mode == ENGINE_LOOP;
	if (opt.listen_len == 0) {
		opt.listen = any;
		opt.listen_len = 1;
	}
	if (pawl__server_open(&opt, &f->server, &err) != PAWL_OK)
		fail_msg("%s", err.text);
	assert_int_equal(pthread_create(&f->thread, NULL, front_main, f), 0);
}

static void front_join(struct front *f)
{
	assert_int_equal(pthread_join(f->thread, NULL), 0);
	assert_int_equal(f->ended, PAWL_OK);
	pawl__server_close(f->server);
	pawl__engine_close(f->engine);
}

static void front_end(struct front *f)
{
	pawl__server_stop(f->server);
	front_join(f);
}

static struct http_client *client_new(const struct front *f)
{
	char text[32];
	struct net_peer peer;
	struct http_client *c;
	struct pawl_error err;

	(void)snprintf(text, sizeof(text), "127.0.0.1:%u", pawl__server_port(f->server, 0));
	assert_int_equal(pawl__peer_parse(text, 0, &peer, &err), PAWL_OK);
	assert_int_equal(pawl__client_new(&peer, 0, &c, &err), PAWL_OK);
	return c;
}

/* The status of an answer; *ret lives until the next one. 0: the connection broke. */
static int ask(struct http_client *c, const char *method, const char *target, const char *fields,
               const char *body, struct http_response *ret)
{
	const struct http_call call = { .method = pawl__str_of(method),
		                        .target = pawl__str_of(target),
		                        .fields = pawl__str_of(fields),
		                        .body = pawl__str_of(body),
		                        .timeout_us = TIMEOUT_US };
	struct pawl_error err;

	return pawl__client_request(c, &call, ret, &err) == PAWL_OK ? ret->status : 0;
}

static void assert_field(const struct http_response *r, const char *name, const char *want)
{
	struct str value;
	size_t count;

	if (!pawl__http1_field(&r->fields, pawl__str_of(name), &value, &count))
		fail_msg("no field %s", name);
	assert_int_equal(count, 1);
	assert_str(value, want);
}

/* writes */

struct writer {
	struct front *front;
	int id;
	int created;
};

static void *writer_main(void *arg)
{
	struct writer *w = arg;
	struct http_client *c = client_new(w->front);
	struct http_response r;
	char fields[64];

	for (int i = 0; i < WRITES; i++) {
		/* Two writers share each key: one of them moves the money, both are told so. */
		(void)snprintf(fields, sizeof(fields), "Idempotency-Key: \"%d-%d\"\r\n", w->id / 2,
		               i);
		if (ask(c, "POST", "/v1/transfers", fields,
		        "{\"from\":\"world:EUR\",\"to\":\"a\",\"amount\":1}", &r) == 201)
			w->created++;
	}
	pawl__client_free(c);
	return NULL;
}

static void write_from_many(enum engine_mode mode)
{
	struct writer writers[WRITERS];
	pthread_t threads[WRITERS];
	struct http_response r;
	struct http_client *c;
	struct front f;

	front_start(&f, mode, (struct server_options){ 0 });
	c = client_new(&f);
	assert_int_equal(ask(c, "PUT", "/v1/accounts/a", "", "{\"unit\":\"EUR\"}", &r), 201);
	for (int i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){ .front = &f, .id = i };
		assert_int_equal(pthread_create(&threads[i], NULL, writer_main, &writers[i]), 0);
	}
	for (int i = 0; i < WRITERS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(writers[i].created, WRITES);
	}
	assert_int_equal(ask(c, "GET", "/v1/accounts/a", "", "", &r), 200);
	assert_str(r.body, "{\"id\":\"a\",\"unit\":\"EUR\",\"balance\":200,\"held\":0,"
	                   "\"available\":200,\"floor\":0,\"version\":201}");
	pawl__client_free(c);
	front_end(&f);
}

static void test_server__writes_of_many_committed_on_the_loop(void **state)
{
	(void)state;
	write_from_many(ENGINE_LOOP);
}

static void test_server__writes_of_many_committed_on_a_thread(void **state)
{
	(void)state;
	write_from_many(ENGINE_THREAD);
}

static void test_server__a_replay_is_the_first_answer(void **state)
{
	static const enum engine_mode modes[] = { ENGINE_LOOP, ENGINE_THREAD };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		struct http_response r;
		struct http_client *c;
		struct front f;

		front_start(&f, modes[i], (struct server_options){ 0 });
		c = client_new(&f);
		assert_int_equal(ask(c, "PUT", "/v1/records/k",
		                     "Idempotency-Key: w\r\nIf-None-Match: *\r\n", "[1]", &r),
		                 201);
		assert_field(&r, "ETag", "\"1\"");
		assert_int_equal(ask(c, "PUT", "/v1/records/k",
		                     "Idempotency-Key: \"w\"\r\nIf-None-Match: *\r\n", " [ 1 ] ",
		                     &r),
		                 201);
		assert_field(&r, "ETag", "\"1\"");
		assert_field(&r, "Idempotent-Replayed", "true");
		assert_str(r.body, "[1]");
		assert_int_equal(ask(c, "PUT", "/v1/records/k",
		                     "Idempotency-Key: w\r\nIf-None-Match: *\r\n", "[2]", &r),
		                 422);
		pawl__client_free(c);
		front_end(&f);
	}
}

/* what the engine refuses or can't know */

static const struct store_ops *real_ops;
static struct store_ops broken_ops;
static enum pawl_status commit_status;

static enum pawl_status commit_broken(struct store *s, struct pawl_error *err)
{
	if (commit_status == PAWL_OK)
		return real_ops->commit(s, err);
	real_ops->rollback(s);
	return pawl__error_set(err, commit_status, "the device is gone");
}

static enum pawl_status outcome_broken(struct store *s, int64_t revision, int64_t answers_seq,
                                       enum store_outcome *ret, struct pawl_error *err)
{
	(void)s;
	(void)revision;
	(void)answers_seq;
	(void)err;
	*ret = STORE_NOT_KNOWN;
	return PAWL_OK;
}

/* A front over a store whose commits end as commit_status says. */
static void front_start_broken(struct front *f)
{
	static const char *const any[] = { "127.0.0.1:0" };
	const struct engine_options eo = { .mode = ENGINE_LOOP };
	const struct store_options so = { .retention_us = 1000000 };
	struct server_options opt = { .listen = any, .listen_len = 1, .commit_on_loop = true };
	struct pawl_error err;
	struct store *store;

	assert_int_equal(pawl__store_open("memory:", &so, &store, &err), PAWL_OK);
	real_ops = store->ops;
	broken_ops = *store->ops;
	broken_ops.commit = commit_broken;
	broken_ops.outcome = outcome_broken;
	store->ops = &broken_ops;
	commit_status = PAWL_OK;
	assert_int_equal(pawl__engine_start(store, &eo, &f->engine, &err), PAWL_OK);
	opt.engine = f->engine;
	assert_int_equal(pawl__server_open(&opt, &f->server, &err), PAWL_OK);
	assert_int_equal(pthread_create(&f->thread, NULL, front_main, f), 0);
}

static void assert_code(const struct http_response *r, const char *code)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "\"code\":\"%s\"", code);
	if (memmem(r->body.ptr, r->body.len, text, strlen(text)) == NULL)
		fail_msg("no %s in %.*s", text, (int)r->body.len, r->body.ptr);
}

static void test_server__a_store_that_failed_is_told_and_reads_go_on(void **state)
{
	struct http_response r;
	struct http_client *c;
	struct front f;

	(void)state;
	front_start_broken(&f);
	c = client_new(&f);
	assert_int_equal(ask(c, "PUT", "/v1/accounts/a", "", "{\"unit\":\"EUR\"}", &r), 201);
	commit_status = PAWL_E_OUTCOME_UNKNOWN;
	assert_int_equal(ask(c, "PUT", "/v1/accounts/b", "", "{\"unit\":\"EUR\"}", &r), 504);
	assert_code(&r, "outcome_unknown");
	commit_status = PAWL_OK;
	assert_int_equal(ask(c, "PUT", "/v1/accounts/c", "", "{\"unit\":\"EUR\"}", &r), 503);
	assert_code(&r, "store_unavailable");
	assert_field(&r, "Retry-After", "1");
	assert_int_equal(ask(c, "GET", "/readyz", "", "", &r), 503);
	assert_str(r.body, "{\"status\":\"fail\"}");
	assert_int_equal(ask(c, "GET", "/livez", "", "", &r), 200);
	assert_int_equal(ask(c, "GET", "/v1/accounts/a", "", "", &r), 200);
	assert_int_equal(ask(c, "GET", "/metrics", "", "", &r), 200);
	assert_non_null(memmem(r.body.ptr, r.body.len, "\npawl_ready 0\n", 14));
	pawl__client_free(c);
	front_end(&f);
}

static void test_server__a_commit_that_failed_did_nothing(void **state)
{
	struct http_response r;
	struct http_client *c;
	struct front f;

	(void)state;
	front_start_broken(&f);
	c = client_new(&f);
	commit_status = PAWL_E_STORE_UNAVAILABLE;
	assert_int_equal(
		ask(c, "PUT", "/v1/accounts/a", "X-Request-Id: r1\r\n", "{\"unit\":\"EUR\"}", &r),
		503);
	assert_code(&r, "store_unavailable");
	assert_field(&r, "X-Request-Id", "r1");
	assert_field(&r, "Retry-After", "1");
	assert_int_equal(ask(c, "GET", "/v1/accounts/a", "", "", &r), 404);
	commit_status = PAWL_OK;
	assert_int_equal(ask(c, "PUT", "/v1/accounts/a", "", "{\"unit\":\"EUR\"}", &r), 201);
	pawl__client_free(c);
	front_end(&f);
}

/* Both in one write, so that the second comes while the first is under way. */
static void test_server__writes_over_the_bytes_that_may_wait_are_refused(void **state)
{
	static const char two[] =
		"PUT /v1/accounts/a HTTP/1.1\r\nHost: h\r\nContent-Length: 14\r\n\r\n"
		"{\"unit\":\"EUR\"}"
		"PUT /v1/accounts/b HTTP/1.1\r\nHost: h\r\nContent-Length: 14\r\n\r\n"
		"{\"unit\":\"EUR\"}";
	struct sockaddr_in at = { .sin_family = AF_INET };
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char got[8192] = "";
	struct http_response r;
	struct http_client *c;
	struct front f;
	size_t len = 0;

	(void)state;
	front_start(&f, ENGINE_LOOP, (struct server_options){ .waiting_max = 1 });
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	at.sin_port = htons(pawl__server_port(f.server, 0));
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(write(fd, two, sizeof(two) - 1), sizeof(two) - 1);
	while (strstr(got, "\"code\":\"overloaded\"") == NULL) {
		const ssize_t n = read(fd, got + len, sizeof(got) - 1 - len);

		assert_true(n > 0);
		len += (size_t)n;
	}
	(void)close(fd);
	assert_int_equal(strncmp(got, "HTTP/1.1 201 ", 13), 0);
	c = client_new(&f);
	assert_int_equal(ask(c, "GET", "/v1/accounts/b", "", "", &r), 404);
	assert_int_equal(ask(c, "PUT", "/v1/accounts/b", "", "{\"unit\":\"EUR\"}", &r), 201);
	pawl__client_free(c);
	front_end(&f);
}

static void test_server__a_draining_engine_takes_no_writes(void **state)
{
	struct http_response r;
	struct http_client *c;
	struct front f;

	(void)state;
	front_start(&f, ENGINE_THREAD, (struct server_options){ 0 });
	c = client_new(&f);
	pawl__engine_drain(f.engine);
	assert_int_equal(ask(c, "PUT", "/v1/accounts/a", "", "{\"unit\":\"EUR\"}", &r), 503);
	assert_code(&r, "draining");
	assert_field(&r, "Retry-After", "1");
	assert_int_equal(ask(c, "GET", "/readyz", "", "", &r), 503);
	pawl__client_free(c);
	front_end(&f);
}

/* ending */

static void test_server_stop__drains_and_then_ends(void **state)
{
	struct server_options opt = { .drain_delay_us = TIMEOUT_US, .drain_us = TIMEOUT_US };
	struct http_response r;
	struct http_client *c;
	struct front f;

	(void)state;
	front_start(&f, ENGINE_LOOP, opt);
	c = client_new(&f);
	assert_int_equal(ask(c, "GET", "/readyz", "", "", &r), 200);
	pawl__server_stop(f.server);
	while (ask(c, "GET", "/readyz?verbose", "", "", &r) == 200)
		;
	assert_int_equal(r.status, 503);
	assert_field(&r, "Retry-After", "1");
	assert_str(r.body, "{\"status\":\"fail\",\"checks\":{\"serving\":{\"status\":\"fail\","
	                   "\"detail\":\"shutting down\"},\"store\":{\"status\":\"pass\"},"
	                   "\"clock\":{\"status\":\"pass\"}}}");
	assert_int_equal(ask(c, "GET", "/livez", "", "", &r), 200);
	assert_int_equal(ask(c, "PUT", "/v1/accounts/a", "", "{\"unit\":\"EUR\"}", &r), 201);
	pawl__server_stop(f.server);
	front_join(&f); /* long before the delay is over */
	pawl__client_free(c);
}

static void test_server_stop__idle_connections_do_not_hold_it_up(void **state)
{
	struct http_response r;
	struct http_client *c;
	struct front f;

	(void)state;
	front_start(&f, ENGINE_THREAD,
	            (struct server_options){ .drain_us = INT64_C(60) * TIMEOUT_US });
	c = client_new(&f);
	assert_int_equal(ask(c, "GET", "/livez", "", "", &r), 200);
	front_end(&f);
	pawl__client_free(c);
}

/* opening */

struct tokens {
	char dir[32];
	char path[64];
};

static void tokens_make(struct tokens *t, const char *text)
{
	FILE *out;

	memcpy(t->dir, "/tmp/pawl-serv-XXXXXX", sizeof("/tmp/pawl-serv-XXXXXX"));
	assert_non_null(mkdtemp(t->dir));
	(void)snprintf(t->path, sizeof(t->path), "%s/tokens", t->dir);
	out = fopen(t->path, "we");
	assert_non_null(out);
	assert_int_equal(chmod(t->path, 0600), 0);
	assert_int_equal(fwrite(text, 1, strlen(text), out), strlen(text));
	assert_int_equal(fclose(out), 0);
}

static void tokens_remove(const struct tokens *t)
{
	assert_int_equal(unlink(t->path), 0);
	assert_int_equal(rmdir(t->dir), 0);
}

static enum pawl_status open_with(const char *listen, const char *token_file, bool plaintext,
                                  struct pawl_error *err)
{
	const struct engine_options eo = { .mode = ENGINE_LOOP };
	struct server_options opt = { .listen = &listen,
		                      .listen_len = 1,
		                      .token_file = token_file,
		                      .plaintext = plaintext,
		                      .commit_on_loop = true };
	struct server *s = NULL;
	enum pawl_status st;

	assert_int_equal(pawl__engine_open("memory:", &eo, &opt.engine, err), PAWL_OK);
	st = pawl__server_open(&opt, &s, err);
	pawl__server_close(s);
	pawl__engine_close(opt.engine);
	return st;
}

static void test_server_open__other_machines_need_a_token_and_a_word(void **state)
{
	/* Not a spelling that counts as local, though it is: nothing is opened to the network. */
	const char *far = "127.1:0";
	struct pawl_error err;
	struct tokens t;

	(void)state;
	tokens_make(&t, "shop s3cret\n");
	assert_int_equal(open_with(far, NULL, false, &err), PAWL_E_CONFIG);
	assert_non_null(strstr(err.text, "token file"));
	assert_int_equal(open_with(far, NULL, true, &err), PAWL_E_CONFIG);
	assert_int_equal(open_with(far, t.path, false, &err), PAWL_E_CONFIG);
	assert_non_null(strstr(err.text, "plaintext"));
	assert_int_equal(open_with(far, t.path, true, &err), PAWL_OK);
	assert_int_equal(open_with("127.0.0.1:0", NULL, false, &err), PAWL_OK);
	tokens_remove(&t);
}

static void test_server_open__bad_options_are_refused(void **state)
{
	struct pawl_error err;

	(void)state;
	assert_int_equal(open_with("7077", NULL, false, &err), PAWL_E_CONFIG);
	assert_int_equal(open_with("127.0.0.1:0", "/nonexistent/tokens", false, &err),
	                 PAWL_E_CONFIG);
}

static void test_server__callers_do_not_share_keys(void **state)
{
	struct http_response r;
	struct http_client *c;
	struct tokens t;
	struct front f;

	(void)state;
	tokens_make(&t, "shop s3cret\nbilling b1lling\nshop n3xt\n");
	front_start(&f, ENGINE_LOOP, (struct server_options){ .token_file = t.path });
	c = client_new(&f);
	assert_int_equal(ask(c, "GET", "/livez", "", "", &r), 200);
	assert_int_equal(ask(c, "GET", "/readyz", "", "", &r), 200);
	assert_int_equal(ask(c, "GET", "/metrics", "", "", &r), 401);
	assert_field(&r, "WWW-Authenticate", "Bearer");
	assert_int_equal(ask(c, "GET", "/nothing", "", "", &r), 401);
	assert_int_equal(ask(c, "PUT", "/v1/accounts/a", "Authorization: Bearer wrong\r\n",
	                     "{\"unit\":\"EUR\"}", &r),
	                 401);
	assert_int_equal(ask(c, "PUT", "/v1/accounts/a",
	                     "Authorization: Bearer s3cret\r\nIdempotency-Key: k\r\n",
	                     "{\"unit\":\"EUR\"}", &r),
	                 201);
	/* Another token of the same caller. */
	assert_int_equal(ask(c, "GET", "/v1/answers/k", "Authorization: Bearer n3xt\r\n", "", &r),
	                 200);
	assert_non_null(memmem(r.body.ptr, r.body.len, "committed", 9));
	assert_int_equal(
		ask(c, "GET", "/v1/answers/k", "Authorization: Bearer b1lling\r\n", "", &r), 200);
	assert_str(r.body, "{\"key\":\"k\",\"state\":\"unknown\"}");
	assert_int_equal(ask(c, "PUT", "/v1/accounts/b",
	                     "Authorization: Bearer b1lling\r\nIdempotency-Key: k\r\n",
	                     "{\"unit\":\"EUR\"}", &r),
	                 201);
	pawl__client_free(c);
	front_end(&f);
	tokens_remove(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_server__writes_of_many_committed_on_the_loop),
		cmocka_unit_test(test_server__writes_of_many_committed_on_a_thread),
		cmocka_unit_test(test_server__a_replay_is_the_first_answer),
		cmocka_unit_test(test_server__a_store_that_failed_is_told_and_reads_go_on),
		cmocka_unit_test(test_server__a_commit_that_failed_did_nothing),
		cmocka_unit_test(test_server__writes_over_the_bytes_that_may_wait_are_refused),
		cmocka_unit_test(test_server__a_draining_engine_takes_no_writes),
		cmocka_unit_test(test_server_stop__drains_and_then_ends),
		cmocka_unit_test(test_server_stop__idle_connections_do_not_hold_it_up),
		cmocka_unit_test(test_server_open__other_machines_need_a_token_and_a_word),
		cmocka_unit_test(test_server_open__bad_options_are_refused),
		cmocka_unit_test(test_server__callers_do_not_share_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
