/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/assert.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "net/client.h"
#include "pawl/pawl.h"

#define DOCTOR_PORT_DEFAULT 7077
#define DOCTOR_CALL_US      INT64_C(15000000)

struct doctor_values {
	const char *server;
	bool json;
};

/* What the server says of itself; NULL: err, or *ret_status is not 200. */
static json_t *doctor_ask(const char *server, int *ret_status, struct pawl_error *err)
{
	const struct http_call call = { .method = STR("GET"),
		                        .target = STR("/v1/doctor"),
		                        .timeout_us = DOCTOR_CALL_US };
	struct http_client *client = NULL;
	struct http_response response;
	struct net_peer peer;
	json_t *doc = NULL;
	enum pawl_status st = pawl__peer_parse(server, DOCTOR_PORT_DEFAULT, &peer, err);

	*ret_status = 0;
	if (st == PAWL_OK)
		st = pawl__client_new(&peer, 0, &client, err);
	if (st == PAWL_OK)
		st = pawl__client_request(client, &call, &response, err);
	if (st == PAWL_OK) {
		*ret_status = response.status;
		doc = json_loadb(response.body.ptr, response.body.len, 0, NULL);
	}
	pawl__client_free(client);
	return doc;
}

static enum cli_tone level_tone(const char *level)
{
	if (strcmp(level, "ok") == 0)
		return TONE_GOOD;
	return strcmp(level, "warn") == 0 ? TONE_BOLD : TONE_BAD;
}

static const char *member(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text == NULL ? "?" : text;
}

static void doctor_print(FILE *out, const char *server, const json_t *doc)
{
	const char *version = member(doc, "version");
	json_t *finding;
	size_t i;

	pawl__print(out, "%s, pawl %s%s\n", server, version,
	            strcmp(version, PAWL_VERSION) == 0 ? "" : " (this program: " PAWL_VERSION ")");
	json_array_foreach(json_object_get(doc, "findings"), i, finding)
	{
		char level[8];

		(void)snprintf(level, sizeof(level), "%-4.4s", member(finding, "level"));
		pawl__print(out, "  ");
		pawl__cli_tone(out, level_tone(member(finding, "level")), level);
		pawl__print(out, "  %-22s%s\n", member(finding, "check"), member(finding, "text"));
	}
}

static int doctor_run(struct cli *cli, void *values)
{
	const struct doctor_values *v = values;
	struct pawl_error err = { 0 };
	int status;
	json_t *doc = doctor_ask(v->server, &status, &err);
	bool failed;

	if (status == 0)
		return pawl__cli_fail(cli, PAWL_E_IO, "doctor: the server cannot be reached: %s",
		                      err.text);
	if (status == 401) {
		json_decref(doc);
		return pawl__cli_fail(cli, PAWL_E_UNAUTHORIZED,
		                      "doctor: the server asks for a token");
	}
	if (status != 200 || !json_is_array(json_object_get(doc, "findings"))) {
		json_decref(doc);
		return pawl__cli_fail(cli, PAWL_E_STORE_UNAVAILABLE,
		                      "doctor: the server answered with status %d", status);
	}
	failed = strcmp(member(doc, "worst"), "fail") == 0;
	if (cli->json)
		pawl__json_print(cli->out, json_incref(doc));
	else
		doctor_print(cli->out, v->server, doc);
	json_decref(doc);
	return failed ? CLI_FAILED : CLI_OK;
}

static const struct option_row doctor_rows[] = {
	{ .name = "server",
	  .arg = "URL",
	  .kind = OPTION_TEXT,
	  .offset = offsetof(struct doctor_values, server),
	  .def = "http://127.0.0.1:7077",
	  .env = "PAWL_SERVER",
	  .doc = "http://HOST:PORT or unix:PATH" },
	OPTION_JSON(struct doctor_values),
};

const struct cli_command pawl__cmd_doctor = {
	.name = "doctor",
	.summary = "have a running server examine its store and its set-up",
	.usage = "[--server URL] [--json]",
	.about = "Versions, what an acknowledged write has survived, connections and how long they "
		 "are held, the clocks, and what of others stands in the way. Exit status: 0 "
		 "nothing failed, 1 something did, 6 the server is not reached.",
	.examples = (const char *const[]){ "pawl doctor", "pawl doctor --json", NULL },
	.rows = doctor_rows,
	.rows_len = ARRAY_LEN(doctor_rows),
	.values_len = sizeof(struct doctor_values),
	.json_offset = offsetof(struct doctor_values, json),
	.run = doctor_run,
};
