/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "race/builtin/builtin.h"
#include "race/builtin/step.h"

#define LINE_MAX_BYTES 1024

PAWL_PRINTF(2, 3)
static void put(struct buf *out, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n > 0)
		pawl__buf_put(out, line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

static double ms(const struct hist *h, double q)
{
	return (double)pawl__hist_quantile(h, q) / 1000;
}

static const char *correct(const struct builtin_row *row)
{
	switch (row->verdict) {
	case BUILTIN_HELD:
		return "yes";
	case BUILTIN_VIOLATED:
		return "NO";
	case BUILTIN_INCONCLUSIVE:
		return "?";
	case BUILTIN_ERROR:
		return "error";
	case BUILTIN_LEFT_OUT:
		break;
	}
	return "-";
}

static void head(const struct builtin_report *r, struct buf *out)
{
	put(out, "%s: %s\n", r->incident, r->summary);
	put(out, "must hold: %s\n", r->promise);
	if (r->explore)
		put(out, "on %s, %u sessions, every order of their statements\n", r->server,
		    r->clients);
	else
		put(out, "on %s, %u clients, %u rounds, %lld us of thinking, seed %llu\n",
		    r->server, r->clients, r->rounds, (long long)r->think_us,
		    (unsigned long long)r->seed);
	for (uint32_t i = 0; i < r->notes_len; i++)
		put(out, "note: %s\n", r->notes[i]);
	put(out, "\n");
}

static void race_table(const struct builtin_report *r, struct buf *out)
{
	put(out, "%-16s %-7s %11s %9s %9s %8s %9s %7s  %s\n", "strategy", "correct", r->unit,
	    "p50 ms", "p99 ms", "retries", "deadlocks", "failed", "what broke");
	for (uint32_t i = 0; i < r->rows_len; i++) {
		const struct builtin_row *row = &r->rows[i];

		if (row->verdict == BUILTIN_LEFT_OUT) {
			put(out, "%-16s %-7s %s\n", row->strategy, "-", row->text);
			continue;
		}
		put(out, "%-16s %-7s %9.0f/s %9.1f %9.1f %8llu %9llu %7llu  %s\n", row->strategy,
		    correct(row), row->per_second, ms(&row->latency_us, 0.5),
		    ms(&row->latency_us, 0.99), (unsigned long long)row->retries,
		    (unsigned long long)row->deadlocks, (unsigned long long)row->gave_up,
		    row->text);
	}
}

static void explore_table(const struct builtin_report *r, struct buf *out)
{
	put(out, "%-16s %-7s %8s %8s %8s %9s  %s\n", "strategy", "correct", "orders", "broken",
	    "retries", "deadlocks", "result");
	for (uint32_t i = 0; i < r->rows_len; i++) {
		const struct builtin_row *row = &r->rows[i];

		if (row->verdict == BUILTIN_LEFT_OUT) {
			put(out, "%-16s %-7s %s\n", row->strategy, "-", row->text);
			continue;
		}
		put(out, "%-16s %-7s %8llu %8llu %8llu %9llu  %s\n", row->strategy, correct(row),
		    (unsigned long long)row->explored.schedules,
		    (unsigned long long)row->explored.violations, (unsigned long long)row->retries,
		    (unsigned long long)row->deadlocks, row->text);
	}
}

static void drawings(const struct builtin_report *r, struct buf *out)
{
	for (uint32_t i = 0; i < r->rows_len; i++) {
		const struct builtin_exploration *x = &r->rows[i].explored;

		if (x->lane_text == NULL)
			continue;
		put(out, "\n%s breaks in order %llu:\n\n", r->rows[i].strategy,
		    (unsigned long long)x->first);
		buf_str(out, pawl__str_of(x->lane_text));
	}
}

static void overlap(const struct builtin_report *r, struct buf *out)
{
	for (uint32_t i = 0; i < r->rows_len; i++) {
		const struct builtin_row *row = &r->rows[i];

		if (row->verdict == BUILTIN_LEFT_OUT || row->rounds == 0)
			continue;
		put(out,
		    "  %-16s %u of %u rounds, at least %u under way together, first statement "
		    "within %.1f ms (p50 %.1f)\n",
		    row->strategy, row->rounds_overlapped, row->rounds, row->peak,
		    ms(&row->arrival_us, 1), ms(&row->arrival_us, 0.5));
	}
}

void pawl__builtin_text(const struct builtin_report *r, struct buf *out)
{
	head(r, out);
	if (r->explore)
		explore_table(r, out);
	else
		race_table(r, out);
	put(out, "\nwhy:\n");
	for (uint32_t i = 0; i < r->rows_len; i++)
		put(out, "  %-16s %s\n", r->rows[i].strategy, r->rows[i].why);
	if (!r->explore) {
		put(out, "\ntogether:\n");
		overlap(r, out);
	}
	drawings(r, out);
	put(out, "\nverdict: %s\nagain: %s\n", pawl__builtin_verdict_name(r->verdict), r->command);
}

/* ---- JSON ---- */

static json_t *hist_json(const struct hist *h)
{
	return json_pack("{s:I, s:I, s:I, s:I}", "p50_us", (json_int_t)pawl__hist_quantile(h, 0.5),
	                 "p90_us", (json_int_t)pawl__hist_quantile(h, 0.9), "p99_us",
	                 (json_int_t)pawl__hist_quantile(h, 0.99), "max_us", (json_int_t)h->max);
}

static json_t *lane_json(const struct builtin_exploration *x)
{
	json_t *lanes = json_array();

	for (uint32_t i = 0; i < x->lane_len; i++) {
		const struct builtin_lane_step *s = &x->lane[i];

		(void)json_array_append_new(
			lanes, json_pack("{s:i, s:s, s:b, s:i, s:b}", "session",
		                         (int)s->session + 1, "text", s->text, "waits", s->waits,
		                         "answered", (int)s->answered + 1, "failed", s->failed));
	}
	return lanes;
}

static json_t *explored_json(const struct builtin_exploration *x)
{
	json_t *doc =
		json_pack("{s:b, s:i, s:I, s:I, s:I}", "complete", x->complete, "sessions",
	                  (int)x->sessions, "schedules", (json_int_t)x->schedules, "violations",
	                  (json_int_t)x->violations, "deadlocks", (json_int_t)x->deadlocks);

	if (x->violations > 0) {
		(void)json_object_set_new(doc, "first", json_integer((json_int_t)x->first));
		(void)json_object_set_new(doc, "schedule", lane_json(x));
	}
	return doc;
}

static json_t *row_json(const struct builtin_row *row)
{
	json_t *doc = json_pack("{s:s, s:s, s:b, s:s, s:s}", "strategy", row->strategy, "verdict",
	                        pawl__builtin_verdict_name(row->verdict), "known_wrong", row->wrong,
	                        "text", row->text, "why", row->why);
	json_t *broke = json_object();

	if (row->verdict == BUILTIN_LEFT_OUT) {
		json_decref(broke);
		return doc;
	}
	for (uint32_t i = 0; i < row->counts_len; i++)
		(void)json_object_set_new(broke, row->counts[i].name,
		                          json_integer((json_int_t)row->counts[i].n));
	(void)json_object_update_new(
		doc,
		json_pack("{s:o, s:i, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:i, s:i, s:I}",
	                  "broke", broke, "rounds", (int)row->rounds, "rounds_violated",
	                  (int)row->rounds_violated, "rounds_overlapped",
	                  (int)row->rounds_overlapped, "done", (json_int_t)row->done, "refused",
	                  (json_int_t)row->refused, "failed", (json_int_t)row->gave_up, "unknown",
	                  (json_int_t)row->unknown, "retries", (json_int_t)row->retries,
	                  "deadlocks", (json_int_t)row->deadlocks, "statements",
	                  (json_int_t)row->statements, "connections", (int)row->conns, "peak",
	                  (int)row->peak, "pairs", (json_int_t)row->pairs));
	(void)json_object_set_new(doc, "per_second", json_real(row->per_second));
	if (row->explored.done) {
		(void)json_object_set_new(doc, "explored", explored_json(&row->explored));
	} else {
		(void)json_object_set_new(doc, "latency", hist_json(&row->latency_us));
		(void)json_object_set_new(doc, "arrival", hist_json(&row->arrival_us));
	}
	return doc;
}

json_t *pawl__builtin_json(const struct builtin_report *r)
{
	json_t *rows = json_array(), *notes = json_array();

	for (uint32_t i = 0; i < r->rows_len; i++)
		(void)json_array_append_new(rows, row_json(&r->rows[i]));
	for (uint32_t i = 0; i < r->notes_len; i++)
		(void)json_array_append_new(notes, json_string(r->notes[i]));
	return json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:I, s:I, s:b, s:o, s:o, s:s}",
		"incident", r->incident, "summary", r->summary, "promise", r->promise, "store",
		r->store, "server", r->server, "unit", r->unit, "verdict",
		pawl__builtin_verdict_name(r->verdict), "clients", (int)r->clients, "rounds",
		(int)r->rounds, "seed", (json_int_t)r->seed, "think_us", (json_int_t)r->think_us,
		"explore", r->explore, "strategies", rows, "notes", notes, "command", r->command);
}

/* ---- What there is ---- */

static bool fits(const struct incident *i, int store, int strategy, bool *ret_wrong)
{
	const struct parts *parts = pawl__incident_parts(i, (enum store_kind)store);
	struct program p;

	if (parts == NULL ||
	    !pawl__program_make(parts, (enum store_kind)store, (enum strategy)strategy, &p))
		return false;
	*ret_wrong = p.wrong;
	return true;
}

void pawl__builtin_list_text(struct buf *out)
{
	for (const struct incident *const *p = pawl__incidents; *p != NULL; p++) {
		const struct incident *i = *p;

		put(out, "%s\n  %s\n  must hold: %s\n", i->name, i->summary, i->promise);
		for (int store = 0; store < STORES; store++) {
			bool wrong, any = false;

			for (int s = 0; s < STRATEGIES; s++) {
				if (!fits(i, store, s, &wrong))
					continue;
				if (!any)
					put(out, "  %-11s", pawl__store_names[store]);
				any = true;
				put(out, " %s%s", pawl__strategies[s].name, wrong ? "(!)" : "");
			}
			put(out, "%s", any ? "\n" : "");
		}
		if (i->model != NULL)
			put(out, "  --history    pawl check --model %s\n", i->model);
		if (i->missing != NULL)
			put(out, "  not yet      %s\n", i->missing);
		put(out, "\n");
	}
	put(out, "(!) known to break. redis-lock on a database needs --redis URL beside it.\n");
}

static json_t *stores_json(const struct incident *i)
{
	json_t *stores = json_object();

	for (int store = 0; store < STORES; store++) {
		json_t *list = json_array();
		bool wrong;

		for (int s = 0; s < STRATEGIES; s++) {
			if (fits(i, store, s, &wrong))
				(void)json_array_append_new(list,
				                            json_pack("{s:s, s:b}", "strategy",
				                                      pawl__strategies[s].name,
				                                      "known_wrong", wrong));
		}
		if (json_array_size(list) > 0)
			(void)json_object_set(stores, pawl__store_names[store], list);
		json_decref(list);
	}
	return stores;
}

json_t *pawl__builtin_list_json(void)
{
	json_t *list = json_array();

	for (const struct incident *const *p = pawl__incidents; *p != NULL; p++) {
		const struct incident *i = *p;
		json_t *doc = json_pack("{s:s, s:s, s:s, s:o, s:b}", "incident", i->name, "summary",
		                        i->summary, "promise", i->promise, "stores", stores_json(i),
		                        "explorable", i->timed == NULL);

		if (i->model != NULL)
			(void)json_object_set_new(doc, "history_model", json_string(i->model));
		if (i->missing != NULL)
			(void)json_object_set_new(doc, "not_yet", json_string(i->missing));
		(void)json_array_append_new(list, doc);
	}
	return list;
}
