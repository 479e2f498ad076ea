/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/num.h"
#include "base/suggest.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "race/check/explain.h"
#include "race/check/report.h"

#define TEXT_MAX       ((size_t)256 << 20) /* of one file's result */
#define REPORT_MAX     ((size_t)1 << 30)
#define NAME_MAX_SHOWN 4096

struct check_values {
	const char *model, *consistency, *report;
	int mode, format;
	bool sequential_keys, linearizable_keys, wfr_keys, negative_balances, linearizable,
		unpartitioned;
	const char *initial, *total;
	int64_t group, steps;
	bool json;
};

/* In the order of the choices of --mode and --format. */
enum mode_choice { MODE_AUTO, MODE_AS_KNOSSOS, MODE_AS_ETCD };
static const char *const modes[] = { "auto", "knossos", "etcd", NULL };
static const char *const formats[] = { "auto",       "edn",         "json",  "etcd",  "plume",
	                               "plume-zero", "plume-first", "awdit", "dbcop", NULL };
static_assert(ARRAY_LEN(formats) == HISTORY_DBCOP + 2, "formats in the order of the enum");

/* One run: what was asked, and what has come of it so far. */
struct check_job {
	struct cli *cli;
	const struct check_values *values;
	bool model_said;
	struct check_options options; /* of every file; model as said */
	size_t count[4];              /* files by outcome */
	struct buf report;
	json_t *files; /* NULL: text */
	bool several;
};

enum outcome { OUT_VALID, OUT_INVALID, OUT_UNKNOWN, OUT_UNREADABLE };

static const char *const outcomes[] = { "valid", "invalid", "unknown", "unreadable" };

/* Names of files are no terminal's business: whatever is not visible ASCII is a '?'. */
static const char *shown(const char *name, char ret[NAME_MAX_SHOWN])
{
	size_t i;

	for (i = 0; name[i] != '\0' && i < NAME_MAX_SHOWN - 1; i++)
		ret[i] = (name[i] >= 0x20 && name[i] < 0x7f) ? name[i] : '?';
	ret[i] = '\0';
	return ret;
}

static int wrong_model(struct cli *cli, const char *name)
{
	struct suggestion s;
	struct buf b;
	char mem[512];

	if (name != NULL) {
		pawl__suggest_init(&s, name);
		for (unsigned m = 0; m < MODEL_LEN; m++)
			pawl__suggest_consider(&s, pawl__check_model_name((enum check_model)m));
		if (s.best != NULL)
			return pawl__cli_fail(cli, PAWL_E_INVALID,
			                      "check: no such model; did you mean %s?", s.best);
	}
	pawl__buf_init_fixed(&b, mem, sizeof(mem) - 1);
	for (unsigned m = 0; m < MODEL_LEN; m++) {
		if (m > 0)
			buf_lit(&b, ", ");
		buf_str(&b, pawl__str_of(pawl__check_model_name((enum check_model)m)));
	}
	mem[b.len] = '\0';
	return pawl__cli_fail(cli, PAWL_E_INVALID, "check: %s: %s",
	                      name == NULL ? "these operations fit no model or several; give one "
	                                     "with --model"
	                                   : "no such model; known are",
	                      mem);
}

static int wrong_level(struct cli *cli, const char *name)
{
	struct suggestion s;

	pawl__suggest_init(&s, name);
	for (unsigned l = 0; l < LEVEL_LEN; l++)
		pawl__suggest_consider(&s, pawl__level_name((enum level)l));
	return pawl__cli_fail(cli, PAWL_E_INVALID, "check: no such consistency level; %s%s%s",
	                      s.best == NULL ? "known are read-uncommitted, read-committed, "
	                                       "read-atomic, causal, repeatable-read, "
	                                       "snapshot-isolation, serializable, "
	                                       "strict-serializable and others: see docs/check.md"
	                                     : "did you mean ",
	                      s.best == NULL ? "" : s.best, s.best == NULL ? "" : "?");
}

/* A whole number, or nil. */
static bool whole(const char *text, int64_t *ret)
{
	if (strcmp(text, "nil") == 0) {
		*ret = VALUE_NIL;
		return true;
	}
	return pawl__num_parse_i64(pawl__str_of(text), ret) && *ret >= VALUE_INT_MIN;
}

/* What was asked, as options; CLI_OK or the exit status after a message. */
static int bind(struct check_job *job)
{
	const struct check_values *v = job->values;
	struct check_options *o = &job->options;
	enum check_model model = MODEL_LIST_APPEND;

	job->model_said = v->model != NULL;
	if (v->model != NULL && !pawl__check_model_find(v->model, &model))
		return wrong_model(job->cli, v->model);
	pawl__check_options_init(o, model);
	if (v->consistency != NULL) {
		o->level = pawl__level_find(v->consistency);
		if (o->level == LEVEL_LEN)
			return wrong_level(job->cli, v->consistency);
	}
	o->sequential_keys = v->sequential_keys;
	o->linearizable_keys = v->linearizable_keys;
	o->wfr_keys = v->wfr_keys;
	o->negative_balances = v->negative_balances;
	o->linearizable = v->linearizable;
	o->unpartitioned = v->unpartitioned;
	o->group = (uint32_t)v->group;
	o->steps = (uint64_t)v->steps;
	o->initial_set = v->initial != NULL;
	o->total_set = v->total != NULL;
	if ((v->initial != NULL && !whole(v->initial, &o->initial)) ||
	    (v->total != NULL && (!whole(v->total, &o->total) || o->total == VALUE_NIL)))
		return pawl__cli_fail(job->cli, PAWL_E_INVALID,
		                      "check: --initial and --total are whole numbers");
	return CLI_OK;
}

/* Read path; without a model, guess it. PAWL_E_INVALID + *ret_guess: read, but no model fits. */
static enum pawl_status load(const struct check_job *job, const char *path, struct check_options *o,
                             struct history **ret, struct pawl_error *err)
{
	const bool lists = !job->model_said || pawl__check_model_lists(o->model);
	const struct history_options how = {
		.format = (enum history_format)job->values->format,
		.lists = lists ? HISTORY_LISTS_AUTO : HISTORY_LISTS_OPAQUE,
	};

	return pawl__history_load(path, &how, ret, err);
}

/* Levels and modes that nobody asked for come from the file. */
static void settle(const struct check_job *job, const struct history *h, struct check_options *o)
{
	const int mode = job->values->mode;

	if (job->values->consistency == NULL && !h->has_realtime)
		o->level = LEVEL_SERIALIZABLE;
	o->mode = mode == MODE_AS_ETCD || (mode == MODE_AUTO && h->format == HISTORY_ETCD)
	                  ? MODE_ETCD
	                  : MODE_KNOSSOS;
}

static json_t *levels_json(uint64_t set)
{
	json_t *a = json_array();

	for (unsigned l = 0; l < LEVEL_LEN; l++) {
		if ((set & LEVEL_BIT(l)) != 0)
			(void)json_array_append_new(a,
			                            json_string(pawl__level_name((enum level)l)));
	}
	return a;
}

static json_t *witnesses_json(const struct history *h, const struct check_anomaly *a)
{
	json_t *list = json_array();
	struct buf text;

	pawl__buf_init(&text, TEXT_MAX);
	for (uint32_t i = 0; i < a->witnesses_len; i++) {
		const struct check_witness *w = &a->witnesses[i];
		json_t *rows = json_array();

		for (uint32_t k = 0; k < w->steps_len; k++)
			(void)json_array_append_new(rows, json_integer(w->steps[k].op));
		pawl__buf_reset(&text);
		pawl__explain_witness(h, w, &text);
		(void)json_array_append_new(
			list, json_pack("{s:b, s:o, s:s%}", "cycle", (int)w->cycle, "rows", rows,
		                        "text", text.data == NULL ? "" : text.data, text.len));
	}
	pawl__buf_deinit(&text);
	return list;
}

static json_t *result_json(const struct history *h, const struct check_options *o,
                           const struct check_result *r)
{
	json_t *doc =
		json_pack("{s:i, s:s, s:s, s:I, s:{}, s:{}, s:[], s:[]}", "schema_version", 1,
	                  "verdict", pawl__explain_verdict(r->verdict), "model",
	                  pawl__check_model_name(o->model), "operations", (json_int_t)h->ops_len,
	                  "anomalies", "witnesses", "permitted", "notes");

	for (uint32_t i = 0; i < r->anomalies_len; i++) {
		const struct check_anomaly *a = &r->anomalies[i];

		(void)json_object_set_new(json_object_get(doc, "anomalies"), a->name,
		                          json_integer((json_int_t)a->count));
		(void)json_object_set_new(json_object_get(doc, "witnesses"), a->name,
		                          witnesses_json(h, a));
		if (a->permitted)
			(void)json_array_append_new(json_object_get(doc, "permitted"),
			                            json_string(a->name));
	}
	for (uint32_t i = 0; i < r->notes_len; i++)
		(void)json_array_append_new(json_object_get(doc, "notes"),
		                            json_string(r->notes[i]));
	if (r->unknown != NULL)
		(void)json_object_set_new(doc, "because", json_string(r->unknown));
	if (!pawl__check_model_levels(o->model))
		return doc;
	(void)json_object_set_new(doc, "consistency", json_string(pawl__level_name(o->level)));
	(void)json_object_set_new(doc, "not", levels_json(r->not ));
	(void)json_object_set_new(doc, "also_not", levels_json(r->also_not));
	(void)json_object_set_new(doc, "strongest", levels_json(r->strongest));
	return doc;
}

static void print_line(const struct check_job *job, const char *name, const struct check_result *r)
{
	FILE *out = job->cli->out;
	bool first = true;

	pawl__print(out, "%-8s %s", pawl__explain_verdict(r->verdict), name);
	for (uint32_t i = 0; i < r->anomalies_len; i++) {
		if (r->anomalies[i].permitted)
			continue;
		pawl__print(out, "%s%s %llu", first ? ": " : ", ", r->anomalies[i].name,
		            (unsigned long long)r->anomalies[i].count);
		first = false;
	}
	if (r->unknown != NULL)
		pawl__print(out, ": %s", r->unknown);
	pawl__print(out, "\n");
}

static void tell(struct check_job *job, const char *name, const struct history *h,
                 const struct check_options *o, const struct check_result *r)
{
	struct buf text;

	job->count[r->verdict]++;
	if (job->values->report != NULL)
		pawl__report_history(name, h, o, r, &job->report);
	if (job->files != NULL) {
		json_t *doc = result_json(h, o, r);

		(void)json_object_set_new(doc, "file", json_string(name));
		(void)json_array_append_new(job->files, doc);
		return;
	}
	if (job->several) {
		print_line(job, name, r);
		return;
	}
	pawl__buf_init(&text, TEXT_MAX);
	pawl__explain_result(h, o, r, &text);
	if (text.len > 0)
		(void)fwrite(text.data, 1, text.len, job->cli->out);
	if (text.overflow)
		pawl__print(job->cli->out, "\n(cut: over 256 MiB of text)\n");
	pawl__buf_deinit(&text);
}

static void tell_unreadable(struct check_job *job, const char *name, const char *why)
{
	job->count[OUT_UNREADABLE]++;
	if (job->values->report != NULL)
		pawl__report_unreadable(name, why, &job->report);
	if (job->files != NULL)
		(void)json_array_append_new(job->files,
		                            json_pack("{s:i, s:s, s:s, s:s}", "schema_version", 1,
		                                      "verdict", "unreadable", "file", name,
		                                      "detail", why));
	else
		pawl__print(job->cli->out, "unreadable %s: %s\n", name, why);
}

/* CLI_OK: told, whatever the verdict; else the exit status after a message. */
static int check_file(struct check_job *job, const char *path)
{
	PAWL_CLEANUP(history_freep) struct history *h = NULL;
	PAWL_CLEANUP(pawl__check_result_deinit) struct check_result r;
	struct check_options o = job->options;
	struct pawl_error err = { 0 };
	char name[NAME_MAX_SHOWN];
	enum pawl_status st;

	pawl__check_result_init(&r);
	(void)shown(strcmp(path, "-") == 0 ? "standard input" : path, name);
	st = load(job, path, &o, &h, &err);
	if (st == PAWL_OK && !job->model_said) {
		if (!pawl__check_model_guess(h, &o.model))
			return wrong_model(job->cli, NULL);
		if (h->mop_list != NULL && !pawl__check_model_lists(o.model))
			return pawl__cli_fail(job->cli, PAWL_E_INVALID,
			                      "check: %s looks like %s, but reads collections; "
			                      "give a --model",
			                      name, pawl__check_model_name(o.model));
	}
	if (st == PAWL_OK) {
		settle(job, h, &o);
		st = pawl__check_run(h, &o, &r, &err);
	}
	if (st == PAWL_E_NOMEM)
		return pawl__cli_fail(job->cli, st, "check: %s: %s", name, err.text);
	if (st != PAWL_OK)
		tell_unreadable(job, name, err.text);
	else
		tell(job, name, h, &o, &r);
	return CLI_OK;
}

static enum outcome worst(const struct check_job *job)
{
	static const enum outcome order[] = { OUT_UNREADABLE, OUT_INVALID, OUT_UNKNOWN };

	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		if (job->count[order[i]] > 0)
			return order[i];
	}
	return OUT_VALID;
}

static int write_report(struct check_job *job)
{
	const char *path = job->values->report;
	FILE *f;
	bool ok;

	if (path == NULL)
		return CLI_OK;
	pawl__report_end(&job->report);
	if (job->report.overflow)
		return pawl__cli_fail(job->cli, PAWL_E_NOMEM, "check: the report is over 1 GiB");
	f = fopen(path, "we");
	if (f == NULL)
		return pawl__cli_fail(job->cli, PAWL_E_IO,
		                      "check: the report cannot be written: %s",
		                      strerrordesc_np(errno));
	ok = fwrite(job->report.data, 1, job->report.len, f) == job->report.len;
	ok = fclose(f) == 0 && ok;
	return ok ? CLI_OK
	          : pawl__cli_fail(job->cli, PAWL_E_IO, "check: the report cannot be written");
}

static void print_json(struct check_job *job)
{
	json_t *files = TAKE_PTR(job->files);

	if (job->several) {
		pawl__json_print(job->cli->out,
		                 json_pack("{s:i, s:s, s:o}", "schema_version", 1, "verdict",
		                           outcomes[worst(job)], "files", files));
		return;
	}
	pawl__json_print(job->cli->out, json_incref(json_array_get(files, 0)));
	json_decref(files);
}

static int check_run(struct cli *cli, void *values)
{
	static const int exits[] = { CLI_OK, CLI_FAILED, CLI_UNKNOWN, CLI_USAGE };
	struct check_job job = { .cli = cli, .values = values };
	const struct options *args = cli->options;
	int status;

	if (args->operands_len == 0)
		return pawl__cli_fail(
			cli, PAWL_E_INVALID,
			"check: give the file of a history, or -; see pawl help check");
	status = bind(&job);
	if (status != CLI_OK)
		return status;
	job.several = args->operands_len > 1;
	if (cli->json)
		job.files = json_array();
	pawl__buf_init(&job.report, REPORT_MAX);
	pawl__report_begin(&job.report);
	for (size_t i = 0; i < args->operands_len && status == CLI_OK; i++)
		status = check_file(&job, args->operands[i]);
	if (status == CLI_OK && cli->json)
		print_json(&job);
	if (status == CLI_OK)
		status = write_report(&job);
	json_decref(job.files);
	pawl__buf_deinit(&job.report);
	return status == CLI_OK ? exits[worst(&job)] : status;
}

#define FLAG(field, flag, text)                                                                    \
	{                                                                                          \
		.name = (flag), .kind = OPTION_FLAG,                                               \
		.offset = offsetof(struct check_values, field), .doc = (text),                     \
	}
#define TEXT(field, flag, what, text)                                                              \
	{                                                                                          \
		.name = (flag), .arg = (what), .kind = OPTION_TEXT,                                \
		.offset = offsetof(struct check_values, field), .doc = (text),                     \
	}

static const struct option_row check_rows[] = {
	TEXT(model, "model", "MODEL",
	     "list-append, rw-register, cas-register, multi-register, kv, mutex, bank, counter, "
	     "set, set-full or long-fork; found out where only one fits"),
	TEXT(consistency, "consistency", "LEVEL",
	     "what was promised, for list-append and rw-register: read-committed, read-atomic, "
	     "causal, repeatable-read, snapshot-isolation, serializable, strict-serializable .. "
	     "(default strict-serializable; serializable where a format has no real time)"),
	{ .name = "mode",
	  .arg = "MODE",
	  .kind = OPTION_CHOICE,
	  .offset = offsetof(struct check_values, mode),
	  .def = "auto",
	  .choices = modes,
	  .doc = "what :fail means to a register: knossos (it did not happen) or etcd (a cas that "
	         "failed saw another value)" },
	{ .name = "format",
	  .arg = "FORMAT",
	  .kind = OPTION_CHOICE,
	  .offset = offsetof(struct check_values, format),
	  .def = "auto",
	  .choices = formats,
	  .doc = "edn, json, etcd, plume (plume-zero, plume-first: its two dialects), awdit, "
	         "dbcop" },
	TEXT(report, "report", "FILE", "write an HTML page with pictures too"),
	FLAG(sequential_keys, "sequential-keys",
	     "rw-register: infer versions from the order of each process"),
	FLAG(linearizable_keys, "linearizable-keys", "rw-register: infer versions from real time"),
	FLAG(wfr_keys, "wfr-keys", "rw-register: within a transaction, writes follow reads"),
	TEXT(initial, "initial", "N", "registers: the value before the first write"),
	TEXT(total, "total", "N", "bank: the sum of all balances"),
	FLAG(negative_balances, "negative-balances", "bank: balances may be negative"),
	{ .name = "group",
	  .arg = "N",
	  .kind = OPTION_NUMBER,
	  .offset = offsetof(struct check_values, group),
	  .def = "0",
	  .max = 1024,
	  .doc = "long-fork: keys of a group; 0 = as read" },
	FLAG(linearizable, "linearizable",
	     "set-full: a read that misses an older element is wrong"),
	FLAG(unpartitioned, "unpartitioned", "kv: one search over all keys"),
	{ .name = "steps",
	  .arg = "N",
	  .kind = OPTION_NUMBER,
	  .offset = offsetof(struct check_values, steps),
	  .def = "20000000",
	  .min = 1,
	  .max = INT64_MAX,
	  .doc = "of a search, before the verdict is unknown" },
	OPTION_JSON(struct check_values),
};

const struct cli_command pawl__cmd_check = {
	.name = "check",
	.summary = "judge a recorded history: was the promised consistency kept",
	.usage = "[--model MODEL] [--consistency LEVEL] [options] FILE...",
	.about =
		"Reads histories of Jepsen (EDN, JSON, etcd logs), of weak-isolation checkers "
		"(text) "
		"and of pawl race, from files or standard input (-). The first word printed is the "
		"verdict: valid, invalid, unknown (the steps ran out) or unreadable; then each "
		"anomaly by its name, with the cycle spelled out. Several files get one line each. "
		"Exit status: 0 valid, 1 invalid, 2 usage or unreadable, 9 unknown.",
	.examples = (const char *const[]){ "pawl check --model list-append history.edn",
	                                   "pawl check --consistency snapshot-isolation "
	                                   "--report report.html history.edn",
	                                   "pawl check --model cas-register etcd_*.log", NULL },
	.rows = check_rows,
	.rows_len = ARRAY_LEN(check_rows),
	.values_len = sizeof(struct check_values),
	.operands_max = OPERANDS_MAX,
	.json_offset = offsetof(struct check_values, json),
	.run = check_run,
};
