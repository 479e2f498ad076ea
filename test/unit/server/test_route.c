/* SPDX-License-Identifier: Apache-2.0 */
/* test_route HTTP-API.MD - routes, addresses, and whether the page about them tells all of it. */
#include "harness.h"

#include "base/error.h"
#include "server/address.h"
#include "server/route.h"

static const char *page_path;

struct row {
	enum http_method method;
	const char *path, *text; /* NULL: none */
	const char *param;
};

static void test_route_find__by_method_and_pattern(void **state)
{
	static const struct row rows[] = {
		{ HTTP_POST, "/v1/tx", "POST /v1/tx", "" },
		{ HTTP_PUT, "/v1/accounts/user:ada", "PUT /v1/accounts/{id}", "user:ada" },
		{ HTTP_GET, "/v1/accounts/user:ada", "GET /v1/accounts/{id}", "user:ada" },
		{ HTTP_HEAD, "/v1/accounts/user:ada", "GET /v1/accounts/{id}", "user:ada" },
		{ HTTP_GET, "/v1/holds/1", "GET /v1/holds/{id}", "1" },
		{ HTTP_POST, "/v1/holds/1/capture", "POST /v1/holds/{id}/capture", "1" },
		{ HTTP_POST, "/v1/holds/1/release", "POST /v1/holds/{id}/release", "1" },
		{ HTTP_POST, "/v1/items/x/restock", "POST /v1/items/{sku}/restock", "x" },
		{ HTTP_POST, "/v1/orders/1/confirm", "POST /v1/orders/{id}/confirm", "1" },
		{ HTTP_DELETE, "/v1/records/a%2fb", "DELETE /v1/records/{key}", "a%2fb" },
		{ HTTP_GET, "/v1/answers/a/b", "GET /v1/answers/{key}", "a/b" },
		{ HTTP_GET, "/v1/accounts/capture", "GET /v1/accounts/{id}", "capture" },
		{ HTTP_GET, "/livez", "GET /livez", "" },
		/* a known path, another method */
		{ HTTP_GET, "/v1/tx", NULL, NULL },
		{ HTTP_DELETE, "/v1/holds/1/capture", NULL, NULL },
		{ HTTP_PATCH, "/v1/records/k", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct route_match m;

		pawl__route_find(rows[i].method, pawl__str_of(rows[i].path), &m);
		assert_true(m.path_known);
		assert_int_not_equal(m.methods, 0);
		if (rows[i].text == NULL) {
			assert_null(m.route);
			continue;
		}
		if (m.route == NULL) {
			fail_msg("not found: %s", rows[i].path);
			return;
		}
		assert_string_equal(m.route->text, rows[i].text);
		assert_str(m.param, rows[i].param);
	}
}

static void test_route_find__unknown_paths(void **state)
{
	static const char *const rows[] = {
		"",
		"/",
		"*",
		"/v1",
		"/v1/",
		"/v1/tx/",
		"/v1/txx",
		"/V1/tx",
		"//v1/tx",
		"/v1//tx",
		"/v1/%74x",
		"/v1/accounts",
		"/v1/accounts/",
		"/v1/accounts/a/b",
		"/v1/accounts/a/",
		"/v1/holds//capture",
		"/v1/holds/1/capture/",
		"/v1/holds/1/2/capture",
		"/v1/orders/1/2",
		"/v1/answers/",
		"/livez/",
		"/livezz",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct route_match m;

		pawl__route_find(HTTP_POST, pawl__str_of(rows[i]), &m);
		if (m.path_known || m.route != NULL)
			fail_msg("found: %s", rows[i]);
	}
}

static void test_route_find__every_row_finds_itself(void **state)
{
	(void)state;
	for (size_t i = 0; i < pawl__routes_len; i++) {
		struct route_match m;

		/* A pattern is an instance of itself. */
		pawl__route_find(pawl__routes[i].method, pawl__route_pattern(&pawl__routes[i]), &m);
		assert_ptr_equal(m.route, &pawl__routes[i]);
	}
}

static void test_route_param__decoded_strictly(void **state)
{
	static const struct {
		const char *raw;
		bool slash;
		const char *param; /* NULL: refused */
	} rows[] = {
		{ "user:ada", false, "user:ada" },
		{ "user%3Aada", false, "user:ada" },
		{ "%61%62", false, "ab" },
		{ "a+b", false, "a+b" },
		{ "a%20b", false, "a b" }, /* refused by the check for visible bytes */
		{ "a%2Fb", false, NULL },
		{ "a%2fb", true, "a/b" },
		{ "%2F%2f", true, "//" },
		{ "a/b", true, "a/b" },
		{ "a%252Fb", true, "a%2Fb" },
		{ "a%00", false, NULL },
		{ "a%00", true, NULL },
		{ "a%", false, NULL },
		{ "a%2", true, NULL },
		{ "a%zz", false, NULL },
		{ "%2", false, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct str raw = pawl__str_of(rows[i].raw);
		char *mem = malloc(raw.len);
		struct str param;
		bool ok;

		assert_non_null(mem);
		ok = pawl__route_param(raw, rows[i].slash, mem, &param);
		if (ok != (rows[i].param != NULL))
			fail_msg("%s", rows[i].raw);
		if (ok)
			assert_str(param, rows[i].param);
		free(mem);
	}
}

static void test_address_parse__hosts_ports_and_sockets(void **state)
{
	static const struct {
		const char *text, *host;
		uint16_t port;
		bool local;
	} rows[] = {
		{ "127.0.0.1:7077", "127.0.0.1", 7077, true },
		{ "127.8.8.8:1", "127.8.8.8", 1, true },
		{ "localhost:0", "localhost", 0, true },
		{ "[::1]:65535", "::1", 65535, true },
		{ ":80", "", 80, false },
		{ "0.0.0.0:80", "0.0.0.0", 80, false },
		{ "[::]:80", "::", 80, false },
		{ "192.168.0.1:80", "192.168.0.1", 80, false },
		{ "128.0.0.1:80", "128.0.0.1", 80, false },
		{ "[::ffff:127.0.0.1]:80", "::ffff:127.0.0.1", 80, false },
		{ "localhost.example:80", "localhost.example", 80, false },
	};
	struct address a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!pawl__address_parse(rows[i].text, &a))
			fail_msg("refused: %s", rows[i].text);
		assert_false(a.is_unix);
		assert_string_equal(a.host, rows[i].host);
		assert_int_equal(a.port, rows[i].port);
		assert_int_equal(pawl__address_local(&a), rows[i].local);
	}
	assert_true(pawl__address_parse("unix:/run/pawl.sock", &a));
	assert_true(a.is_unix);
	assert_string_equal(a.path, "/run/pawl.sock");
	assert_true(pawl__address_local(&a));
}

static void test_address_parse__anything_else_is_refused(void **state)
{
	static const char *const rows[] = {
		"",     "7077",   "localhost", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
		"a:b",  "::1:80", "[::1]",     "[::1:80",    "[]:80",           "unix:",
		"a:1 ", "a: 1",   "a:000001",
	};
	char long_name[ADDRESS_HOST_MAX + 8];
	struct address a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (pawl__address_parse(rows[i], &a))
			fail_msg("accepted: %s", rows[i]);
	}
	memset(long_name, 'a', sizeof(long_name));
	memcpy(long_name + ADDRESS_HOST_MAX, ":80", 4);
	assert_true(pawl__address_parse(long_name, &a));
	memcpy(long_name + ADDRESS_HOST_MAX, "a:80", 5);
	assert_false(pawl__address_parse(long_name, &a));
}

/* the page */

static char *page;

static int page_read(void **state)
{
	FILE *in = fopen(page_path, "re");
	size_t len;

	(void)state;
	page = calloc(1, 1 << 20);
	if (in == NULL || page == NULL)
		return -1;
	len = fread(page, 1, (1 << 20) - 1, in);
	(void)fclose(in);
	return len > 0 ? 0 : -1;
}

static int page_forget(void **state)
{
	(void)state;
	free(page);
	return 0;
}

static void assert_told(const char *text)
{
	if (strstr(page, text) == NULL)
		fail_msg("the page does not tell of %s", text);
}

static void test_page__tells_every_route(void **state)
{
	(void)state;
	for (size_t i = 0; i < pawl__routes_len; i++)
		assert_told(pawl__routes[i].text);
}

static void assert_members_told(const struct shape *shape)
{
	for (size_t i = 0; i < shape->members_len; i++) {
		char text[64];

		(void)snprintf(text, sizeof(text), "\"%s\"", shape->members[i].name);
		assert_told(text);
	}
}

static void test_page__tells_every_member_and_operation(void **state)
{
	const struct shape *ops;
	size_t len;

	(void)state;
	for (int i = 0; i < FORMS; i++)
		assert_members_told(&pawl__form((enum form_id)i)->shape);
	ops = pawl__form_ops(&len);
	for (size_t i = 0; i < len; i++) {
		char text[64];

		assert_members_told(&ops[i]);
		(void)snprintf(text, sizeof(text), "{\"op\":\"%s\"", ops[i].name);
		assert_told(text);
	}
}

static void test_page__tells_every_code(void **state)
{
	/* The last verdict to the last of the front: what an answer can carry. */
	static const enum pawl_status codes[] = {
#define X(name, num, code, http, exit, retry, text) PAWL_##name,
		PAWL_STATUS_MAP(X)
#undef X
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		char text[64];

		if (codes[i] == PAWL_OK || codes[i] <= PAWL_E_UNSUPPORTED ||
		    codes[i] == PAWL_E_HELD || codes[i] == PAWL_E_SERIALIZE ||
		    codes[i] == PAWL_E_NOT_ACCEPTABLE)
			continue;
		(void)snprintf(text, sizeof(text), "`%s` | %d", pawl__status_row(codes[i])->code,
		               pawl__status_row(codes[i])->http);
		assert_told(text);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_route_find__by_method_and_pattern),
		cmocka_unit_test(test_route_find__unknown_paths),
		cmocka_unit_test(test_route_find__every_row_finds_itself),
		cmocka_unit_test(test_route_param__decoded_strictly),
		cmocka_unit_test(test_address_parse__hosts_ports_and_sockets),
		cmocka_unit_test(test_address_parse__anything_else_is_refused),
		cmocka_unit_test(test_page__tells_every_route),
		cmocka_unit_test(test_page__tells_every_member_and_operation),
		cmocka_unit_test(test_page__tells_every_code),
	};

	if (argc != 2) {
		(void)fprintf(stderr, "usage: test_route HTTP-API.MD\n");
		return 2;
	}
	page_path = argv[1];
	return cmocka_run_group_tests(tests, page_read, page_forget);
}
