/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include "base/buf.h"
#include "net/http1.h"

#define BODY_MAX 1000
#define MORE     (-1) /* a status: not complete */

/* One message, given in pieces, and what came of it. */
struct outcome {
	int status;     /* 0 = accepted, MORE, or that of the refusal */
	char *data;     /* owned; exactly as long as the bytes given, so that reading on is seen */
	size_t left;    /* bytes behind the message */
	bool continues; /* the body was waited for with an expectation */
	struct http1 parser;
	struct http_request request;
};

static size_t piece(size_t at, size_t len, size_t first, size_t step)
{
	const size_t n = at == 0 && first > 0 ? first : step;

	return n < len - at ? n : len - at;
}

/* first bytes, then step at a time. Every piece lies in memory of exactly its length. */
static void feed(struct str text, size_t first, size_t step, struct outcome *o)
{
	size_t have = 0, at = 0;

	memset(o, 0, sizeof(*o));
	pawl__http1_reset(&o->parser);
	o->status = MORE;
	while (at < text.len && o->status == MORE) {
		const size_t n = piece(at, text.len, first, step);
		char *grown = malloc(have + n);
		enum http1_result res;

		assert_non_null(grown);
		if (have > 0)
			memcpy(grown, o->data, have);
		memcpy(grown + have, text.ptr + at, n);
		free(o->data);
		o->data = grown;
		have += n;
		at += n;
		res = pawl__http1_request(&o->parser, o->data, &have, BODY_MAX, &o->request);
		o->continues = o->continues || o->parser.wants_continue;
		if (res == HTTP1_DONE)
			o->status = 0;
		if (res == HTTP1_BAD)
			o->status = o->parser.status;
	}
	if (o->status == 0)
		o->left = have - pawl__http1_message_len(&o->parser) + (text.len - at);
}

static void outcome_free(struct outcome *o)
{
	free(o->data);
}

static void assert_same(const struct outcome *a, const struct outcome *b, size_t cut)
{
	if (a->status != b->status)
		fail_msg("cut at %zu: status %d, not %d", cut, b->status, a->status);
	if (a->status != 0)
		return;
	assert_int_equal(a->left, b->left);
	assert_true(str_eq(a->request.method_text, b->request.method_text));
	assert_true(str_eq(a->request.path, b->request.path));
	assert_true(str_eq(a->request.query, b->request.query));
	assert_true(str_eq(a->request.body, b->request.body));
	assert_int_equal(a->request.keep_alive, b->request.keep_alive);
	assert_int_equal(a->request.content_length, b->request.content_length);
	assert_int_equal(a->request.fields.count, b->request.fields.count);
	for (size_t i = 0; i < a->request.fields.count; i++) {
		assert_true(str_eq(a->request.fields.at[i].name, b->request.fields.at[i].name));
		assert_true(str_eq(a->request.fields.at[i].value, b->request.fields.at[i].value));
	}
}

struct row {
	const char *name;
	struct str text;
	int status;
	const char *body; /* when accepted */
};

#define H "Host: a\r\n"
#define ROW(name, status, text)                                                                    \
	{                                                                                          \
		"test_http1_request__" name, STR(text), status, ""                                 \
	}
#define BODY_ROW(name, text, body)                                                                 \
	{                                                                                          \
		"test_http1_request__" name, STR(text), 0, body                                    \
	}
#define POST_ROW(name, status, fields) ROW(name, status, "POST / HTTP/1.1\r\n" H fields)
#define CHUNKED                        "Transfer-Encoding: chunked\r\n\r\n"
#define CHUNKS(text)                   "POST / HTTP/1.1\r\n" H CHUNKED text

static const struct row rows[] = {
	/* what two parsers may read in two ways: the table of the survey of servers */
	POST_ROW("length_and_coding_refused", 400,
	         "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	POST_ROW("coding_and_length_refused", 400,
	         "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"),
	POST_ROW("two_lengths_that_differ_refused", 400,
	         "Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc"),
	POST_ROW("two_lengths_that_agree_refused", 400,
	         "Content-Length: 2\r\ncontent-length: 2\r\n\r\nab"),
	POST_ROW("space_before_the_colon_refused", 400, "Content-Length : 2\r\n\r\nab"),
	POST_ROW("tab_before_the_colon_refused", 400, "Content-Length\t: 2\r\n\r\nab"),
	POST_ROW("list_of_codings_refused", 400,
	         "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
	POST_ROW("chunked_twice_in_a_list_refused", 400,
	         "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
	POST_ROW("two_codings_refused", 400,
	         "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	POST_ROW("identity_then_chunked_refused", 400,
	         "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	POST_ROW("unknown_coding_refused", 400, "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
	POST_ROW("coding_with_a_parameter_refused", 400,
	         "Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n"),
	POST_ROW("empty_coding_refused", 400, "Transfer-Encoding:\r\n\r\n0\r\n\r\n"),
	POST_ROW("vertical_tab_in_a_coding_refused", 400,
	         "Transfer-Encoding: \x0b"
	         "chunked\r\n\r\n0\r\n\r\n"),
	ROW("coding_in_http10_refused", 400,
	    "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	POST_ROW("length_with_a_plus_refused", 400, "Content-Length: +2\r\n\r\nab"),
	POST_ROW("length_with_a_minus_refused", 400, "Content-Length: -2\r\n\r\nab"),
	POST_ROW("list_of_lengths_refused", 400, "Content-Length: 2, 2\r\n\r\nab"),
	POST_ROW("length_in_hexadecimal_refused", 400, "Content-Length: 0x2\r\n\r\nab"),
	POST_ROW("length_that_overflows_refused", 400,
	         "Content-Length: 18446744073709551618\r\n\r\nab"),
	POST_ROW("empty_length_refused", 400, "Content-Length: \r\n\r\n"),
	POST_ROW("length_with_a_space_inside_refused", 400, "Content-Length: 1 0\r\n\r\nab"),
	ROW("chunk_size_with_0x_refused", 400, CHUNKS("0x2\r\nab\r\n0\r\n\r\n")),
	ROW("chunk_size_with_a_plus_refused", 400, CHUNKS("+2\r\nab\r\n0\r\n\r\n")),
	ROW("chunk_size_with_a_space_behind_refused", 400, CHUNKS("2 \r\nab\r\n0\r\n\r\n")),
	ROW("chunk_size_with_a_space_before_refused", 400, CHUNKS(" 2\r\nab\r\n0\r\n\r\n")),
	ROW("chunk_size_that_overflows_refused", 400,
	    CHUNKS("10000000000000002\r\nab\r\n0\r\n\r\n")),
	ROW("chunk_size_missing_refused", 400, CHUNKS("\r\nab\r\n0\r\n\r\n")),
	ROW("chunk_size_that_ends_in_a_bare_lf_refused", 400, CHUNKS("2\nab\r\n0\r\n\r\n")),
	ROW("chunk_longer_than_its_size_refused", 400, CHUNKS("2\r\nabc\r\n0\r\n\r\n")),
	ROW("chunk_that_ends_in_a_bare_lf_refused", 400, CHUNKS("2\r\nab\n0\r\n\r\n")),
	ROW("chunk_that_ends_in_other_bytes_refused", 400, CHUNKS("2\r\nabXX0\r\n\r\n")),
	ROW("control_byte_in_an_extension_refused", 400, CHUNKS("2;a=\x01\r\nab\r\n0\r\n\r\n")),
	ROW("bare_cr_in_an_extension_refused", 400, CHUNKS("2;a\rb\r\nab\r\n0\r\n\r\n")),
	ROW("nul_in_a_value_refused", 400, "GET / HTTP/1.1\r\n" H "X: a\0b\r\n\r\n"),
	ROW("bare_cr_in_a_value_refused", 400, "GET / HTTP/1.1\r\n" H "X: a\rb\r\n\r\n"),
	ROW("two_crs_before_the_lf_refused", 400, "GET / HTTP/1.1\r\n" H "X: a\r\r\n\r\n"),
	ROW("delete_in_a_value_refused", 400, "GET / HTTP/1.1\r\n" H "X: a\x7f\r\n\r\n"),
	ROW("escape_in_a_long_value_refused", 400,
	    "GET / HTTP/1.1\r\n" H "X: 0123456789abcdef\x1b 0123456789\r\n\r\n"),
	ROW("no_host_refused", 400, "GET / HTTP/1.1\r\nX: a\r\n\r\n"),
	ROW("two_hosts_refused", 400, "GET / HTTP/1.1\r\n" H "Host: b\r\n\r\n"),
	ROW("two_equal_hosts_refused", 400, "GET / HTTP/1.1\r\n" H H "\r\n"),
	ROW("two_hosts_in_one_refused", 400, "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
	ROW("host_with_a_path_refused", 400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
	ROW("host_with_a_user_refused", 400, "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"),
	ROW("bare_lf_behind_the_request_line_refused", 400, "GET / HTTP/1.1\n" H "\r\n"),
	ROW("bare_lf_behind_a_field_refused", 400, "GET / HTTP/1.1\r\nHost: a\n\r\n"),
	ROW("bare_lf_as_the_empty_line_refused", 400, "GET / HTTP/1.1\r\n" H "\n"),
	ROW("folded_line_refused", 400, "GET / HTTP/1.1\r\n" H "X: a\r\n b\r\n\r\n"),
	ROW("folded_first_line_refused", 400, "GET / HTTP/1.1\r\n Host: a\r\n" H "\r\n"),
	ROW("line_folded_with_a_tab_refused", 400, "GET / HTTP/1.1\r\n" H "X: a\r\n\tb\r\n\r\n"),
	/* the request line */
	ROW("no_version_refused", 400, "GET /\r\n" H "\r\n"),
	ROW("no_target_refused", 400, "GET HTTP/1.1\r\n" H "\r\n"),
	ROW("two_spaces_refused", 400, "GET  / HTTP/1.1\r\n" H "\r\n"),
	ROW("space_in_the_target_refused", 400, "GET /a b HTTP/1.1\r\n" H "\r\n"),
	ROW("tab_for_a_space_refused", 400, "GET\t/ HTTP/1.1\r\n" H "\r\n"),
	ROW("space_behind_the_version_refused", 400, "GET / HTTP/1.1 \r\n" H "\r\n"),
	ROW("method_that_is_no_token_refused", 400, "G(T / HTTP/1.1\r\n" H "\r\n"),
	ROW("leading_space_refused", 400, " GET / HTTP/1.1\r\n" H "\r\n"),
	ROW("bytes_of_another_protocol_refused_at_once", 400, "\x16\x03\x01"),
	ROW("two_empty_lines_before_refused", 400, "\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n"),
	ROW("fragment_in_the_target_refused", 400, "GET /a#b HTTP/1.1\r\n" H "\r\n"),
	ROW("byte_above_ascii_in_the_target_refused", 400, "GET /\xc3\xa4 HTTP/1.1\r\n" H "\r\n"),
	ROW("relative_target_refused", 400, "GET a HTTP/1.1\r\n" H "\r\n"),
	ROW("asterisk_for_get_refused", 400, "GET * HTTP/1.1\r\n" H "\r\n"),
	ROW("authority_form_refused", 400, "CONNECT a:443 HTTP/1.1\r\n" H "\r\n"),
	ROW("absolute_form_without_a_host_refused", 400, "GET http:///a HTTP/1.1\r\n" H "\r\n"),
	ROW("absolute_form_of_another_scheme_refused", 400, "GET ftp://a/ HTTP/1.1\r\n" H "\r\n"),
	ROW("http2_preface_is_505", 505, "PRI * HTTP/2.0\r\n\r\n"),
	ROW("http12_is_505", 505, "GET / HTTP/1.2\r\n" H "\r\n"),
	ROW("http09_is_505", 505, "GET / HTTP/0.9\r\n" H "\r\n"),
	ROW("lower_case_version_refused", 400, "GET / http/1.1\r\n" H "\r\n"),
	ROW("version_without_a_dot_refused", 400, "GET / HTTP/11\r\n" H "\r\n"),
	/* fields */
	ROW("line_without_a_colon_refused", 400, "GET / HTTP/1.1\r\n" H "X\r\n\r\n"),
	ROW("empty_name_refused", 400, "GET / HTTP/1.1\r\n" H ": a\r\n\r\n"),
	ROW("name_that_is_no_token_refused", 400, "GET / HTTP/1.1\r\n" H "X@: a\r\n\r\n"),
	POST_ROW("unknown_expectation_is_417", 417, "Expect: a\r\nContent-Length: 1\r\n\r\na"),
	POST_ROW("declared_body_over_the_limit_is_413", 413, "Content-Length: 1001\r\n\r\n"),
	ROW("chunk_over_the_limit_is_413", 413, CHUNKS("3e9\r\n")),
	ROW("chunks_over_the_limit_together_are_413", 413, CHUNKS("2\r\nab\r\n3e7\r\n")),
	ROW("trailer_that_is_no_field_refused", 400, CHUNKS("0\r\nabc\r\n\r\n")),
	ROW("folded_trailer_refused", 400, CHUNKS("0\r\nA: b\r\n c\r\n\r\n")),
	ROW("trailer_that_ends_in_a_bare_lf_refused", 400, CHUNKS("0\r\nA: b\n\r\n")),
	/* not complete */
	ROW("head_without_its_end_waits", MORE, "GET / HTTP/1.1\r\n" H),
	POST_ROW("body_without_its_end_waits", MORE, "Content-Length: 3\r\n\r\nab"),
	ROW("chunks_without_the_last_wait", MORE, CHUNKS("2\r\nab\r\n")),
	ROW("trailers_without_their_end_wait", MORE, CHUNKS("0\r\n")),
	/* accepted */
	BODY_ROW("plain_get_accepted", "GET / HTTP/1.1\r\n" H "\r\n", ""),
	BODY_ROW("empty_line_before_accepted", "\r\nGET / HTTP/1.1\r\n" H "\r\n", ""),
	BODY_ROW("body_by_length_accepted", "POST / HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc",
	         "abc"),
	BODY_ROW("length_with_leading_zeros_accepted",
	         "POST / HTTP/1.1\r\n" H "Content-Length: 0003\r\n\r\nabc", "abc"),
	BODY_ROW("bytes_behind_belong_to_the_next",
	         "POST / HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabcGET / HTTP", "abc"),
	BODY_ROW("chunks_accepted", CHUNKS("2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"), "abcde"),
	BODY_ROW("chunks_with_extensions_accepted",
	         CHUNKS("2;a=b\r\nab\r\n03;c\r\ncde\r\n0;d\r\n\r\n"), "abcde"),
	BODY_ROW("chunk_size_in_both_cases_accepted",
	         CHUNKS("a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n"),
	         "01234567890123456789a"),
	BODY_ROW("trailers_are_dropped",
	         CHUNKS("2\r\nab\r\n0\r\nContent-Length: 9\r\nA: b\r\n\r\nGET / H"), "ab"),
	BODY_ROW("coding_in_capitals_accepted",
	         "POST / HTTP/1.1\r\n" H "TRANSFER-ENCODING: CHUNKED\r\n\r\n1\r\na\r\n0\r\n\r\n",
	         "a"),
	BODY_ROW("http10_without_a_host_accepted", "GET / HTTP/1.0\r\n\r\n", ""),
	BODY_ROW("empty_host_accepted", "GET / HTTP/1.1\r\nHost:\r\n\r\n", ""),
	BODY_ROW("host_of_ipv6_accepted", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", ""),
	BODY_ROW("tab_and_high_bytes_in_a_value_accepted",
	         "GET / HTTP/1.1\r\n" H "X: a\tb\xc3\xa4 0123456789\r\n\r\n", ""),
	BODY_ROW("empty_value_accepted", "GET / HTTP/1.1\r\n" H "X:\r\n\r\n", ""),
	BODY_ROW("expectation_in_http10_ignored",
	         "POST / HTTP/1.0\r\nExpect: a\r\nContent-Length: 1\r\n\r\na", "a"),
	BODY_ROW("asterisk_for_options_accepted", "OPTIONS * HTTP/1.1\r\n" H "\r\n", ""),
};

/* Whole, byte by byte, and cut in two at every place: always the same, and as the row says. */
static void test_row(void **state)
{
	const struct row *row = *state;
	struct outcome whole, pieces;

	feed(row->text, 0, row->text.len, &whole);
	assert_int_equal(whole.status, row->status);
	if (whole.status == 0)
		assert_str(whole.request.body, row->body);
	for (size_t cut = 1; cut < row->text.len; cut++) {
		feed(row->text, cut, row->text.len, &pieces);
		assert_same(&whole, &pieces, cut);
		outcome_free(&pieces);
	}
	feed(row->text, 0, 1, &pieces);
	assert_same(&whole, &pieces, 0);
	outcome_free(&pieces);
	outcome_free(&whole);
}

static void accept_one(const char *text, struct outcome *o)
{
	feed((struct str){ text, strlen(text) }, 0, strlen(text), o);
	assert_int_equal(o->status, 0);
}

static void test_http1_request__parts_are_slices(void **state)
{
	struct outcome o;
	struct str value;
	size_t n;

	(void)state;
	accept_one("PUT /v1/a%20b/c?x=1&y=? HTTP/1.1\r\n" H "If-Match:  \"7\" \r\nX: 1\r\nx: 2\r\n"
	           "Content-Length: 2\r\n\r\nok",
	           &o);
	assert_int_equal(o.request.method, HTTP_PUT);
	assert_str(o.request.method_text, "PUT");
	assert_str(o.request.target, "/v1/a%20b/c?x=1&y=?");
	assert_str(o.request.path, "/v1/a%20b/c");
	assert_str(o.request.query, "x=1&y=?");
	assert_int_equal(o.request.version_minor, 1);
	assert_int_equal(o.request.content_length, 2);
	assert_str(o.request.body, "ok");
	assert_true(o.request.keep_alive);
	assert_true(pawl__http1_field(&o.request.fields, STR("if-match"), &value, &n));
	assert_str(value, "\"7\"");
	assert_int_equal(n, 1);
	assert_true(pawl__http1_field(&o.request.fields, STR("X"), &value, &n));
	assert_str(value, "1");
	assert_int_equal(n, 2);
	assert_false(pawl__http1_field(&o.request.fields, STR("If-None-Match"), &value, &n));
	assert_int_equal(n, 0);
	assert_str(value, "1");
	outcome_free(&o);
}

static void test_http1_request__methods_are_told_apart(void **state)
{
	static const struct {
		const char *text;
		enum http_method method;
	} cases[] = { { "GET", HTTP_GET },       { "HEAD", HTTP_HEAD },
		      { "POST", HTTP_POST },     { "PUT", HTTP_PUT },
		      { "DELETE", HTTP_DELETE }, { "OPTIONS", HTTP_OPTIONS },
		      { "PATCH", HTTP_PATCH },   { "get", HTTP_OTHER },
		      { "PROPFIND", HTTP_OTHER } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[64];
		struct outcome o;

		(void)snprintf(text, sizeof(text), "%s / HTTP/1.1\r\n" H "\r\n", cases[i].text);
		accept_one(text, &o);
		assert_int_equal(o.request.method, cases[i].method);
		assert_str(o.request.method_text, cases[i].text);
		outcome_free(&o);
	}
}

static void test_http1_request__absolute_form_loses_its_authority(void **state)
{
	static const char *const cases[][3] = {
		{ "http://b:80/c?d", "/c", "d" },
		{ "HTTPS://b/", "/", "" },
		{ "http://b", "/", "" },
		{ "http://b?q", "/", "q" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[64];
		struct outcome o;

		(void)snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\n" H "\r\n", cases[i][0]);
		accept_one(text, &o);
		assert_str(o.request.path, cases[i][1]);
		assert_str(o.request.query, cases[i][2]);
		outcome_free(&o);
	}
}

static void test_http1_request__connection_field_decides_on_keeping(void **state)
{
	static const struct {
		const char *head;
		bool keep;
	} cases[] = {
		{ "GET / HTTP/1.1\r\n" H "\r\n", true },
		{ "GET / HTTP/1.1\r\n" H "Connection: Close\r\n\r\n", false },
		{ "GET / HTTP/1.1\r\n" H "Connection: a, close ,b\r\n\r\n", false },
		{ "GET / HTTP/1.1\r\n" H "Connection: keep-alive\r\nConnection: close\r\n\r\n",
		  false },
		{ "GET / HTTP/1.1\r\n" H "Connection: closer\r\n\r\n", true },
		{ "GET / HTTP/1.0\r\n\r\n", false },
		{ "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct outcome o;

		accept_one(cases[i].head, &o);
		assert_int_equal(o.request.keep_alive, cases[i].keep);
		outcome_free(&o);
	}
}

static void test_http1_request__expectation_is_told_only_before_the_body(void **state)
{
	const struct str text = STR("POST / HTTP/1.1\r\n" H "Expect: 100-Continue\r\n"
	                            "Content-Length: 2\r\n\r\nab");
	const struct str empty = STR("POST / HTTP/1.1\r\n" H "Expect: 100-continue\r\n"
	                             "Content-Length: 0\r\n\r\n");
	struct outcome o;

	(void)state;
	feed(text, text.len - 2, text.len, &o);
	assert_int_equal(o.status, 0);
	assert_true(o.continues);
	outcome_free(&o);
	feed(text, text.len - 1, text.len, &o);
	assert_int_equal(o.status, 0);
	assert_false(o.continues); /* the body is on its way: nobody waits */
	outcome_free(&o);
	feed(empty, 0, empty.len, &o);
	assert_int_equal(o.status, 0);
	assert_false(o.continues);
	outcome_free(&o);
}

/* --- limits: at the limit and one over --- */

static int status_of(const struct buf *b, bool slow)
{
	struct outcome o;
	int status;

	assert_false(b->overflow);
	feed(buf_get(b), 0, slow ? 1 : b->len, &o);
	status = o.status;
	outcome_free(&o);
	return status;
}

static void put_many(struct buf *b, char c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		pawl__buf_putc(b, c);
}

static void test_http1_request__target_limit_is_exact(void **state)
{
	(void)state;
	for (int over = 0; over <= 1; over++) {
		struct buf b;

		pawl__buf_init(&b, 100000);
		buf_lit(&b, "GET /");
		put_many(&b, 'a', PAWL_TARGET_MAX - 1 + (size_t)over);
		buf_lit(&b, " HTTP/1.1\r\n" H "\r\n");
		assert_int_equal(status_of(&b, false), over ? 414 : 0);
		assert_int_equal(status_of(&b, true), over ? 414 : 0);
		pawl__buf_deinit(&b);
	}
}

static void test_http1_request__endless_target_is_414_before_its_end(void **state)
{
	struct buf b;

	(void)state;
	pawl__buf_init(&b, 100000);
	buf_lit(&b, "GET /");
	put_many(&b, 'a', 3000);
	assert_int_equal(status_of(&b, false), 414);
	assert_int_equal(status_of(&b, true), 414);
	pawl__buf_deinit(&b);
}

static void test_http1_request__longest_method_and_target_fit_together(void **state)
{
	(void)state;
	for (int over = 0; over <= 1; over++) {
		struct buf b;

		pawl__buf_init(&b, 100000);
		put_many(&b, 'M', HTTP1_METHOD_MAX + (size_t)over);
		buf_lit(&b, " /");
		put_many(&b, 'a', PAWL_TARGET_MAX - 1 - (size_t)over);
		buf_lit(&b, " HTTP/1.1\r\n" H "\r\n");
		assert_int_equal(status_of(&b, false), over ? 400 : 0);
		pawl__buf_deinit(&b);
	}
}

static void test_http1_request__field_limit_is_exact(void **state)
{
	(void)state;
	for (int over = 0; over <= 1; over++) {
		struct buf b;

		pawl__buf_init(&b, 100000);
		buf_lit(&b, "GET / HTTP/1.1\r\n" H);
		for (int i = 1; i < PAWL_FIELDS_MAX + over; i++)
			buf_lit(&b, "A: b\r\n");
		buf_lit(&b, "\r\n");
		assert_int_equal(status_of(&b, false), over ? 431 : 0);
		assert_int_equal(status_of(&b, true), over ? 431 : 0);
		pawl__buf_deinit(&b);
	}
}

static void test_http1_request__head_limit_is_exact(void **state)
{
	const size_t fixed = sizeof("GET / HTTP/1.1\r\n" H "A: \r\n\r\n") - 1;

	(void)state;
	for (int over = 0; over <= 1; over++) {
		struct buf b;

		pawl__buf_init(&b, 100000);
		buf_lit(&b, "GET / HTTP/1.1\r\n" H "A: ");
		put_many(&b, 'a', PAWL_HEAD_MAX - fixed + (size_t)over);
		buf_lit(&b, "\r\n\r\n");
		assert_int_equal(status_of(&b, false), over ? 431 : 0);
		assert_int_equal(status_of(&b, true), over ? 431 : 0);
		pawl__buf_deinit(&b);
	}
}

static void test_http1_request__body_limit_is_exact(void **state)
{
	(void)state;
	for (int over = 0; over <= 1; over++) {
		struct buf b;

		pawl__buf_init(&b, 100000);
		buf_lit(&b, "POST / HTTP/1.1\r\n" H "Content-Length: ");
		pawl__buf_u64(&b, BODY_MAX + (uint64_t)over);
		buf_lit(&b, "\r\n\r\n");
		put_many(&b, 'a', BODY_MAX + (size_t)over);
		assert_int_equal(status_of(&b, false), over ? 413 : 0);
		pawl__buf_reset(&b);
		buf_lit(&b, CHUNKS(""));
		buf_lit(&b, "1f4\r\n"); /* 500 */
		put_many(&b, 'a', 500);
		buf_lit(&b, "\r\n1f");
		pawl__buf_putc(&b, over ? '5' : '4');
		buf_lit(&b, "\r\n");
		put_many(&b, 'a', 500 + (size_t)over);
		buf_lit(&b, "\r\n0\r\n\r\n");
		assert_int_equal(status_of(&b, false), over ? 413 : 0);
		assert_int_equal(status_of(&b, true), over ? 413 : 0);
		pawl__buf_deinit(&b);
	}
}

static void test_http1_request__chunk_line_limit_is_exact(void **state)
{
	(void)state;
	for (int over = 0; over <= 1; over++) {
		struct buf b;

		pawl__buf_init(&b, 100000);
		buf_lit(&b, CHUNKS("1;"));
		put_many(&b, 'a', HTTP1_CHUNK_LINE_MAX - 4 + (size_t)over);
		buf_lit(&b, "\r\nx\r\n0\r\n\r\n");
		assert_int_equal(status_of(&b, false), over ? 400 : 0);
		assert_int_equal(status_of(&b, true), over ? 400 : 0);
		pawl__buf_deinit(&b);
	}
}

static void test_http1_request__extensions_of_all_chunks_are_limited(void **state)
{
	(void)state;
	for (int over = 0; over <= 1; over++) {
		struct buf b;

		pawl__buf_init(&b, 100000);
		buf_lit(&b, CHUNKS(""));
		for (int i = 0; i < 32; i++) { /* 32 x 128 bytes */
			buf_lit(&b, "1;");
			put_many(&b, 'a', 127);
			buf_lit(&b, "\r\nx\r\n");
		}
		if (over)
			buf_lit(&b, "0;\r\n\r\n");
		else
			buf_lit(&b, "0\r\n\r\n");
		assert_int_equal(status_of(&b, false), over ? 400 : 0);
		assert_int_equal(status_of(&b, true), over ? 400 : 0);
		pawl__buf_deinit(&b);
	}
}

static void test_http1_request__trailer_limits_are_exact(void **state)
{
	(void)state;
	for (int over = 0; over <= 1; over++) {
		struct buf b;

		pawl__buf_init(&b, 100000);
		buf_lit(&b, CHUNKS("0\r\n"));
		for (int i = 0; i < PAWL_FIELDS_MAX + over; i++)
			buf_lit(&b, "A: b\r\n");
		buf_lit(&b, "\r\n");
		assert_int_equal(status_of(&b, false), over ? 431 : 0);
		assert_int_equal(status_of(&b, true), over ? 431 : 0);
		pawl__buf_reset(&b);
		buf_lit(&b, CHUNKS("0\r\nA: "));
		put_many(&b, 'a', PAWL_HEAD_MAX - 7 + (size_t)over);
		buf_lit(&b, "\r\n\r\n");
		assert_int_equal(status_of(&b, false), over ? 431 : 0);
		assert_int_equal(status_of(&b, true), over ? 431 : 0);
		pawl__buf_deinit(&b);
	}
}

static void test_http1_request_again__gives_the_same_after_a_move(void **state)
{
	const struct str text = STR(CHUNKS("2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"));
	struct http_request again;
	struct outcome o;
	char *moved;

	(void)state;
	feed(text, 0, text.len, &o);
	assert_int_equal(o.status, 0);
	moved = malloc(pawl__http1_message_len(&o.parser));
	assert_non_null(moved);
	memcpy(moved, o.data, pawl__http1_message_len(&o.parser));
	pawl__http1_request_again(&o.parser, moved, BODY_MAX, &again);
	assert_str(again.body, "abc");
	assert_true(again.body.ptr > moved && again.body.ptr < moved + text.len);
	assert_str(again.path, "/");
	free(moved);
	outcome_free(&o);
}

/* --- responses --- */

static int response_of(struct str text, size_t step, bool no_body, bool eof, struct str *ret_body)
{
	static char data[4096];
	static struct http_response res;
	struct http1 parser;
	size_t have = 0;

	assert_true(text.len <= sizeof(data));
	pawl__http1_reset(&parser);
	for (size_t at = 0; at < text.len;) {
		const size_t n = piece(at, text.len, 0, step);

		memcpy(data + have, text.ptr + at, n);
		at += n;
		have += n;
		switch (pawl__http1_response(&parser, data, &have, BODY_MAX, no_body, &res)) {
		case HTTP1_DONE:
			*ret_body = res.body;
			return res.status;
		case HTTP1_BAD:
			return -parser.status;
		case HTTP1_MORE:
			break;
		}
	}
	if (eof && pawl__http1_response_eof(&parser, data, have, &res) == HTTP1_DONE) {
		*ret_body = res.body;
		return res.status;
	}
	return 0;
}

static void test_http1_response__table(void **state)
{
	static const struct {
		struct str text;
		int status; /* 0: not complete; negative: refused */
		const char *body;
		bool no_body, eof;
	} cases[] = {
		{ STR("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"), 200, "ab", 0, 0 },
		{ STR("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"), 200, "", 0, 0 },
		{ STR("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"),
		  200, "a", 0, 0 },
		{ STR("HTTP/1.1 204 No Content\r\n\r\n"), 204, "", 0, 0 },
		{ STR("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"), 304, "", 0, 0 },
		{ STR("HTTP/1.1 100 Continue\r\n\r\n"), 100, "", 0, 0 },
		{ STR("HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n"), 200, "", 1, 0 },
		{ STR("HTTP/1.1 200 OK\r\n\r\nabc"), 200, "abc", 0, 1 },
		{ STR("HTTP/1.1 200 OK\r\n\r\nabc"), 0, "", 0, 0 },
		{ STR("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na"), 0, "", 0, 1 },
		{ STR("HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n"), -413, "", 0, 0 },
		{ STR("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab"), -400,
		  "", 0, 0 },
		{ STR("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"),
		  -400, "", 0, 0 },
		{ STR("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"), 200, "", 0, 0 },
		{ STR("HTTP/1.1 200X\r\nContent-Length: 0\r\n\r\n"), -400, "", 0, 0 },
		{ STR("HTTP/1.1 2001 OK\r\nContent-Length: 0\r\n\r\n"), -400, "", 0, 0 },
		{ STR("HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n"), -400, "", 0, 0 },
		{ STR("HTTP/1.1 999 OK\r\nContent-Length: 0\r\n\r\n"), -400, "", 0, 0 },
		{ STR("HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"), -400, "", 0, 0 },
		{ STR("HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n"), -400, "", 0, 0 },
		{ STR("HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n"), -400, "", 0, 0 },
		{ STR("hello\r\n\r\n"), -400, "", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t step = 1; step <= cases[i].text.len; step++) {
			struct str body = STR_NONE;
			const int got = response_of(cases[i].text, step, cases[i].no_body,
			                            cases[i].eof, &body);

			if (got != cases[i].status)
				fail_msg("case %zu, step %zu: %d, not %d", i, step, got,
				         cases[i].status);
			assert_str(body, cases[i].body);
		}
	}
}

/* --- helpers --- */

static void test_http1_unescape__decodes_and_refuses(void **state)
{
	static const struct {
		const char *in, *out; /* out NULL: refused */
	} cases[] = {
		{ "", "" },         { "abc", "abc" },  { "a%20b%3Ac", "a b:c" },
		{ "%41%7a", "Az" }, { "a+b", "a+b" },  { "%c3%a4", "\xc3\xa4" },
		{ "%2f", NULL },    { "a%2Fb", NULL }, { "%00", NULL },
		{ "%", NULL },      { "%4", NULL },    { "%4g", NULL },
		{ "%%41", NULL },   { "a%2", NULL },   { "%252f", "%2f" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char mem[32];
		struct str got = STR("untouched");
		const struct str in = { cases[i].in, strlen(cases[i].in) };

		if (pawl__http1_unescape(in, mem, sizeof(mem), &got) != (cases[i].out != NULL))
			fail_msg("case %zu: \"%s\"", i, cases[i].in);
		assert_str(got, cases[i].out != NULL ? cases[i].out : "untouched");
	}
}

static void test_http1_unescape__room_limit_is_exact(void **state)
{
	char mem[3];
	struct str got;

	(void)state;
	assert_true(pawl__http1_unescape(STR("a%41c"), mem, 3, &got));
	assert_false(pawl__http1_unescape(STR("a%41cd"), mem, 3, &got));
}

static void test_http1_put_head__writes_what_is_set(void **state)
{
	const struct http_head full = {
		.status = 201,
		.linger = HTTP_CLOSE,
		.date = STR("Sun, 06 Nov 1994 08:49:37 GMT"),
		.content_type = STR("a/b"),
		.fields = STR("ETag: \"1\"\r\nX: y\r\n"),
		.body_len = 1234567890,
	};
	const struct http_head bare = { .status = 204, .linger = HTTP_KEEP };
	const struct http_head odd = { .status = 299, .linger = HTTP_KEEP_SAY };
	struct buf b;

	(void)state;
	pawl__buf_init(&b, 4096);
	pawl__http1_put_head(&b, &full);
	assert_str(buf_get(&b), "HTTP/1.1 201 Created\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
	                        "Content-Type: a/b\r\nContent-Length: 1234567890\r\n"
	                        "Connection: close\r\nETag: \"1\"\r\nX: y\r\n\r\n");
	pawl__buf_reset(&b);
	pawl__http1_put_head(&b, &bare);
	assert_str(buf_get(&b), "HTTP/1.1 204 No Content\r\n\r\n");
	pawl__buf_reset(&b);
	pawl__http1_put_head(&b, &odd);
	assert_str(buf_get(&b),
	           "HTTP/1.1 299 \r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n");
	pawl__buf_deinit(&b);
}

static void test_http1_put_head__no_room_writes_nothing(void **state)
{
	const struct http_head head = { .status = 200 };
	char mem[40];
	struct buf b;

	(void)state;
	pawl__buf_init_fixed(&b, mem, sizeof(mem));
	pawl__http1_put_head(&b, &head);
	assert_int_equal(b.len, 0);
	assert_true(b.overflow);
}

static void test_http1_date__known_dates(void **state)
{
	char text[HTTP1_DATE_LEN];

	(void)state;
	pawl__http1_date(784111777, text);
	assert_str((struct str){ text, sizeof(text) }, "Sun, 06 Nov 1994 08:49:37 GMT");
	pawl__http1_date(0, text);
	assert_str((struct str){ text, sizeof(text) }, "Thu, 01 Jan 1970 00:00:00 GMT");
	pawl__http1_date(1709164799, text);
	assert_str((struct str){ text, sizeof(text) }, "Wed, 28 Feb 2024 23:59:59 GMT");
	pawl__http1_date(INT64_C(253402300799), text);
	assert_str((struct str){ text, sizeof(text) }, "Fri, 31 Dec 9999 23:59:59 GMT");
}

static void test_http1_name_eq__ignores_ascii_case_only(void **state)
{
	(void)state;
	assert_true(pawl__http1_name_eq(STR("If-Match"), STR("if-mATCH")));
	assert_false(pawl__http1_name_eq(STR("If-Match"), STR("If-Matc")));
	assert_false(pawl__http1_name_eq(STR("a@"), STR("a`")));
	assert_false(pawl__http1_name_eq(STR("[a"), STR("{a")));
}

int main(void)
{
	static const struct CMUnitTest single[] = {
		cmocka_unit_test(test_http1_request__parts_are_slices),
		cmocka_unit_test(test_http1_request__methods_are_told_apart),
		cmocka_unit_test(test_http1_request__absolute_form_loses_its_authority),
		cmocka_unit_test(test_http1_request__connection_field_decides_on_keeping),
		cmocka_unit_test(test_http1_request__expectation_is_told_only_before_the_body),
		cmocka_unit_test(test_http1_request__target_limit_is_exact),
		cmocka_unit_test(test_http1_request__endless_target_is_414_before_its_end),
		cmocka_unit_test(test_http1_request__longest_method_and_target_fit_together),
		cmocka_unit_test(test_http1_request__field_limit_is_exact),
		cmocka_unit_test(test_http1_request__head_limit_is_exact),
		cmocka_unit_test(test_http1_request__body_limit_is_exact),
		cmocka_unit_test(test_http1_request__chunk_line_limit_is_exact),
		cmocka_unit_test(test_http1_request__extensions_of_all_chunks_are_limited),
		cmocka_unit_test(test_http1_request__trailer_limits_are_exact),
		cmocka_unit_test(test_http1_request_again__gives_the_same_after_a_move),
		cmocka_unit_test(test_http1_response__table),
		cmocka_unit_test(test_http1_unescape__decodes_and_refuses),
		cmocka_unit_test(test_http1_unescape__room_limit_is_exact),
		cmocka_unit_test(test_http1_put_head__writes_what_is_set),
		cmocka_unit_test(test_http1_put_head__no_room_writes_nothing),
		cmocka_unit_test(test_http1_date__known_dates),
		cmocka_unit_test(test_http1_name_eq__ignores_ascii_case_only),
	};
	static struct CMUnitTest tests[ARRAY_LEN(rows) + ARRAY_LEN(single)];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		union {
			const struct row *row;
			void *state;
		} prestate = { .row = &rows[i] };

		tests[n++] = (struct CMUnitTest){ .name = rows[i].name,
			                          .test_func = test_row,
			                          .initial_state = prestate.state };
	}
	for (size_t i = 0; i < ARRAY_LEN(single); i++)
		tests[n++] = single[i];
	return cmocka_run_group_tests_name("http1", tests, NULL, NULL);
}
