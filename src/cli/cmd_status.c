/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/assert.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/metric.h"
#include "net/client.h"

#define STATUS_PORT_DEFAULT 7077
#define STATUS_CALL_US      INT64_C(5000000)

struct status_values {
	const char *server;
	bool json;
};

/* What of /metrics is shown. */
static const struct {
	const char *metric;
	const char *name; /* member of the JSON */
	const char *text;
} figures[] = {
	{ "pawl_http_requests_total", "requests", "requests answered" },
	{ "pawl_http_connections", "connections", "connections open" },
	{ "pawl_queue_depth", "queue", "requests that wait" },
	{ "pawl_store_commits_total", "commits", "commits" },
	{ "pawl_store_revision", "revision", "revision of the store" },
	{ "pawl_store_file_bytes", "store_bytes", "bytes of the store" },
	{ "process_resident_memory_bytes", "memory_bytes", "bytes of memory" },
};

static enum pawl_status get(struct http_client *client, struct str target,
                            struct http_response *ret, struct pawl_error *err)
{
	const struct http_call call = { .method = STR("GET"),
		                        .target = target,
		                        .timeout_us = STATUS_CALL_US };

	return pawl__client_request(client, &call, ret, err);
}

/* A new document of what the server says of itself; NULL: err. */
static json_t *status_ask(struct http_client *client, int *ret_ready, struct pawl_error *err)
{
	struct http_response response;
	json_t *doc, *ready, *values;
	double v;

	if (get(client, STR("/livez"), &response, err) != PAWL_OK)
		return NULL;
	doc = json_pack("{s:i, s:b}", "schema_version", 1, "live", response.status == 200);
	if (get(client, STR("/readyz?verbose"), &response, err) != PAWL_OK) {
		json_decref(doc);
		return NULL;
	}
	*ret_ready = response.status;
	(void)json_object_set_new(doc, "ready", json_boolean(response.status == 200));
	ready = json_loadb(response.body.ptr, response.body.len, 0, NULL);
	(void)json_object_set(doc, "checks", json_object_get(ready, "checks"));
	json_decref(ready);
	/* With tokens the metrics are not for everybody; health is. */
	if (get(client, STR("/metrics"), &response, err) != PAWL_OK || response.status != 200)
		return doc;
	values = json_object();
	for (size_t i = 0; i < ARRAY_LEN(figures); i++) {
		if (pawl__metric_sum(response.body, figures[i].metric, &v))
			(void)json_object_set_new(values, figures[i].name,
			                          json_integer((json_int_t)v));
	}
	(void)json_object_set_new(doc, "figures", values);
	return doc;
}

static void status_print(FILE *out, const char *server, const json_t *doc)
{
	const json_t *values = json_object_get(doc, "figures");
	const char *name;
	json_t *check;
	char n[CLI_NUMBER_MAX];

	pawl__print(out, "%s\n  %-24s%s\n  %-24s%s\n", server, "live",
	            json_is_true(json_object_get(doc, "live")) ? "yes" : "no", "ready",
	            json_is_true(json_object_get(doc, "ready")) ? "yes" : "no");
	json_object_foreach(json_object_get(doc, "checks"), name, check)
	{
		const char *detail = json_string_value(json_object_get(check, "detail"));
		const char *state = json_string_value(json_object_get(check, "status"));

		pawl__print(out, "    %-22s%s%s%s\n", name, state == NULL ? "?" : state,
		            detail == NULL ? "" : ": ", detail == NULL ? "" : detail);
	}
	for (size_t i = 0; i < ARRAY_LEN(figures); i++) {
		const json_t *v = json_object_get(values, figures[i].name);

		if (v != NULL)
			pawl__print(out, "  %-24s%s\n", figures[i].text,
			            pawl__cli_number(json_integer_value(v), n));
	}
	if (values == NULL)
		pawl__print(out, "  the metrics are for callers with a token\n");
}

static int status_run(struct cli *cli, void *values)
{
	const struct status_values *v = values;
	struct http_client *client = NULL;
	struct pawl_error err = { 0 };
	struct net_peer peer;
	json_t *doc = NULL;
	int ready = 0;
	enum pawl_status st = pawl__peer_parse(v->server, STATUS_PORT_DEFAULT, &peer, &err);

	if (st == PAWL_OK)
		st = pawl__client_new(&peer, 0, &client, &err);
	if (st != PAWL_OK)
		return pawl__cli_fail(cli, st, "status: %s", err.text);
	doc = status_ask(client, &ready, &err);
	pawl__client_free(client);
	if (doc == NULL)
		return pawl__cli_fail(cli, PAWL_E_IO, "status: the server cannot be reached: %s",
		                      err.text);
	if (cli->json)
		pawl__json_print(cli->out, json_incref(doc));
	else
		status_print(cli->out, v->server, doc);
	json_decref(doc);
	return ready == 200 ? CLI_OK : CLI_UNAVAILABLE;
}

static const struct option_row status_rows[] = {
	{ .name = "server",
	  .arg = "URL",
	  .kind = OPTION_TEXT,
	  .offset = offsetof(struct status_values, server),
	  .def = "http://127.0.0.1:7077",
	  .env = "PAWL_SERVER",
	  .doc = "http://HOST:PORT or unix:PATH" },
	OPTION_JSON(struct status_values),
};

const struct cli_command pawl__cmd_status = {
	.name = "status",
	.summary = "ask a running server how it is",
	.usage = "[--server URL] [--json]",
	.about = "Health, readiness and a few figures. Exit status: 0 ready, 6 not ready or not "
		 "reached.",
	.examples = (const char *const[]){ "pawl status",
	                                   "pawl status --server unix:/run/pawl/pawl.sock", NULL },
	.rows = status_rows,
	.rows_len = ARRAY_LEN(status_rows),
	.values_len = sizeof(struct status_values),
	.json_offset = offsetof(struct status_values, json),
	.run = status_run,
};
