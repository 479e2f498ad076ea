/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "engine/engine.h"
#include "pawl/limits.h"

#define VERIFY_DRIFTS_SHOWN 1000 /* of any number that are counted */

struct verify_values {
	const char *store;
	bool json;
};

struct verify {
	struct cli *cli;
	json_t *drifts; /* NULL: printed as they come */
	int64_t shown;
};

static void on_drift(void *arg, const char *check, const char *text)
{
	struct verify *v = arg;

	if (v->shown++ >= VERIFY_DRIFTS_SHOWN)
		return;
	if (v->drifts == NULL)
		pawl__print(v->cli->out, "drift     %s: %s\n", check, text);
	else
		(void)json_array_append_new(v->drifts,
		                            json_pack("{s:s, s:s}", "check", check, "text", text));
}

static void print_text(const struct verify *v, const struct store_audit *a)
{
	FILE *out = v->cli->out;
	char n[CLI_NUMBER_MAX];
	const struct {
		int64_t count;
		const char *what;
	} rows[] = {
		{ a->accounts, "accounts" }, { a->transfers, "transfers" }, { a->holds, "holds" },
		{ a->orders, "orders" },     { a->records, "records" },     { a->units, "units" },
		{ a->answers, "answers" },
	};

	if (v->shown > VERIFY_DRIFTS_SHOWN)
		pawl__print(out, "drift     and %s more\n",
		            pawl__cli_number(v->shown - VERIFY_DRIFTS_SHOWN, n));
	pawl__print(out, "checked  ");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		pawl__print(out, "%s %s %s", i == 0 ? "" : ",", pawl__cli_number(rows[i].count, n),
		            rows[i].what);
	pawl__print(out, "\nchecks    %lld kinds, each on one snapshot\n", (long long)a->checks);
	if (a->drifts == 0) {
		pawl__cli_tone(out, TONE_GOOD, "clean");
		pawl__print(out, "     everything adds up\n");
	} else {
		pawl__cli_tone(out, TONE_BAD, "drifted");
		pawl__print(out, "   %s things do not add up\n", pawl__cli_number(a->drifts, n));
	}
}

static json_t *audit_json(const struct store_audit *a, json_t *take_drifts)
{
	return json_pack("{s:i, s:b, s:{s:I, s:I, s:I, s:I, s:I, s:I, s:I}, s:I, s:I, s:o}",
	                 "schema_version", 1, "clean", a->drifts == 0, "checked", "accounts",
	                 (json_int_t)a->accounts, "transfers", (json_int_t)a->transfers, "holds",
	                 (json_int_t)a->holds, "orders", (json_int_t)a->orders, "records",
	                 (json_int_t)a->records, "units", (json_int_t)a->units, "answers",
	                 (json_int_t)a->answers, "checks", (json_int_t)a->checks, "drifts_total",
	                 (json_int_t)a->drifts, "drifts", take_drifts);
}

/* Opened to read only: no lock is taken, so a server may have the store and go on writing. */
static enum pawl_status store_look(const char *url, struct verify *v, struct store_audit *ret,
                                   struct pawl_error *err)
{
	const struct store_options opt = {
		.retention_us = (int64_t)PAWL_ANSWER_RETENTION_S_DEFAULT * 1000000,
		.read_only = true,
	};
	PAWL_CLEANUP(store_closep) struct store *store = NULL;
	const enum pawl_status st = pawl__store_open(url, &opt, &store, err);

	return st == PAWL_OK ? store_audit(store, on_drift, v, ret, err) : st;
}

/* A file that is not there is another mistake than one that cannot be read. */
static bool store_missing(const char *url)
{
	static const char scheme[] = "sqlite:";
	char path[4096];
	size_t len;

	if (strncmp(url, scheme, sizeof(scheme) - 1) != 0)
		return false;
	url += sizeof(scheme) - 1;
	len = strcspn(url, "?");
	if (len == 0 || len >= sizeof(path))
		return false;
	memcpy(path, url, len);
	path[len] = '\0';
	return access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

/* "Could not look" is 6 whatever the reason, so that 1 always means: looked, and it drifted. */
static enum pawl_status verify_status(enum pawl_status st)
{
	return st == PAWL_E_CORRUPT || st == PAWL_E_INTERNAL ? PAWL_E_IO : st;
}

static int verify_run(struct cli *cli, void *values)
{
	const struct verify_values *values_in = values;
	struct verify v = { .cli = cli };
	struct store_audit audit = { 0 };
	struct pawl_error err = { 0 };
	enum pawl_status st;

	if (strcmp(values_in->store, "memory:") == 0)
		return pawl__cli_fail(cli, PAWL_E_INVALID,
		                      "verify: a memory: store lives in its server alone");
	if (store_missing(values_in->store))
		return pawl__cli_fail(cli, PAWL_E_NOT_FOUND, "verify: there is no such store");
	if (cli->json)
		v.drifts = json_array();
	st = store_look(values_in->store, &v, &audit, &err);
	if (st != PAWL_OK) {
		json_decref(v.drifts);
		return pawl__cli_fail(cli, verify_status(st), "verify: could not look: %s",
		                      err.text);
	}
	POST(audit.drifts == v.shown);
	if (cli->json)
		pawl__json_print(cli->out, audit_json(&audit, v.drifts));
	else
		print_text(&v, &audit);
	return audit.drifts == 0 ? CLI_OK : CLI_FAILED;
}

static const struct option_row verify_rows[] = {
	{ .name = "store",
	  .arg = "URL",
	  .kind = OPTION_TEXT,
	  .offset = offsetof(struct verify_values, store),
	  .def = "sqlite:./pawl-data/pawl.db",
	  .env = "PAWL_STORE",
	  .doc = "sqlite:PATH" },
	OPTION_JSON(struct verify_values),
};

const struct cli_command pawl__cmd_verify = {
	.name = "verify",
	.summary = "re-derive every balance and check every promise of a store",
	.usage = "[--store URL] [--json]",
	.about = "Reads one snapshot of the store, also while a server writes to it, and names "
		 "each thing "
		 "that does not add up. Exit status: 0 clean, 1 drifted, 3 no such store, 6 could "
		 "not "
		 "look.",
	.examples = (const char *const[]){ "pawl verify",
	                                   "pawl verify --store sqlite:shop.db --json", NULL },
	.rows = verify_rows,
	.rows_len = ARRAY_LEN(verify_rows),
	.values_len = sizeof(struct verify_values),
	.json_offset = offsetof(struct verify_values, json),
	.run = verify_run,
};
