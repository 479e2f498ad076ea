/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/demo/report.h"

#include "cli/cli.h"

static double per_second(int64_t n, int64_t us)
{
	return us <= 0 ? 0 : (double)n * 1e6 / (double)us;
}

static int64_t naive_oversold(const struct demo_report *r, int strategy)
{
	const int64_t over = r->naive[strategy].orders - r->counts.stock;

	return over > 0 ? over : 0;
}

static void row_name(FILE *out, const char *name)
{
	pawl__print(out, "  %-22s", name);
}

static void row(FILE *out, const char *name, int64_t v, const char *note)
{
	char n[CLI_NUMBER_MAX];

	row_name(out, name);
	pawl__print(out, "%10s%s%s\n", pawl__cli_number(v, n), note[0] == '\0' ? "" : "   ", note);
}

static double ms(uint64_t us)
{
	return (double)us / 1000;
}

static void print_speed(FILE *out, const struct demo_report *r)
{
	const struct hist *h = &r->race.latency_us;
	char n[CLI_NUMBER_MAX];

	row_name(out, "latency");
	pawl__print(out, "p50 %.1f ms, p99 %.1f ms, max %.1f ms; %lld in flight at most\n",
	            ms(pawl__hist_quantile(h, 0.5)), ms(pawl__hist_quantile(h, 0.99)), ms(h->max),
	            (long long)r->race.in_flight_max);
	row_name(out, "throughput");
	pawl__print(
		out, "%s requests/s",
		pawl__cli_number((int64_t)per_second(r->counts.answered, r->race.elapsed_us), n));
	if (r->commits > 0)
		pawl__print(out, "; %s commits, %.0f orders a commit",
		            pawl__cli_number(r->commits, n),
		            (double)(r->counts.keys_sold + r->counts.keys_refused) /
		                    (double)r->commits);
	pawl__print(out, "\n");
	row_name(out, "books");
	if (r->counts.audited)
		pawl__print(out, "%s: %lld kinds of check, %s drifts (pawl verify)\n",
		            r->counts.audit_drifts == 0 ? "balanced" : "NOT balanced",
		            (long long)r->audit_checks,
		            pawl__cli_number(r->counts.audit_drifts, n));
	else
		pawl__print(out, "could not be looked at\n");
}

static void print_pawl(FILE *out, const struct demo_report *r)
{
	const struct demo_counts *c = &r->counts;

	pawl__cli_tone(out, TONE_BOLD, "pawl");
	pawl__print(out, "   one server process, %s, %s\n", r->engine, r->durability);
	row(out, "requests sent", c->requests, "");
	row(out, "sold", c->keys_sold, "");
	row(out, "refused", c->keys_refused,
	    c->refused_insufficient == c->keys_refused ? "each told why: insufficient"
	                                               : "NOT each told why");
	row(out, "replayed", c->replayed, "the same key again: no second effect");
	row(out, "answers that changed", c->changed, "");
	row(out, "duplicates", pawl__demo_duplicates(c), "");
	row(out, "oversold", pawl__demo_oversold(c), "");
	row(out, "without an answer", c->requests - c->answered, "");
	if (c->keys_other > 0)
		row(out, "other answers", c->keys_other, "");
	print_speed(out, r);
}

static void print_naive(FILE *out, const struct demo_report *r)
{
	char a[CLI_NUMBER_MAX], b[CLI_NUMBER_MAX], c[CLI_NUMBER_MAX];

	pawl__print(out, "\n");
	pawl__cli_tone(out, TONE_BOLD, "the same sale by hand");
	pawl__print(
		out,
		"   plain SQLite (WAL, synchronous=FULL), %u threads,\n"
		"  %lld ms between the read and the write, as an application has; %lld s at most\n",
		r->threads, (long long)(r->think_us / 1000), (long long)(r->budget_us / 1000000));
	pawl__print(out, "  %-22s%8s%8s%10s%8s%8s%9s%11s\n", "", "buyers", "sold", "oversold",
	            "stock", "failed", "retries", "buyers/s");
	for (int i = 0; i < NAIVE_STRATEGIES; i++) {
		const struct naive_result *n = &r->naive[i];

		row_name(out, pawl__naive_name((enum naive_strategy)i));
		pawl__print(out, "%8s%8lld%10lld%8lld%8lld%9s%11s\n", pawl__cli_number(n->tried, a),
		            (long long)n->orders, (long long)naive_oversold(r, i),
		            (long long)n->stock_shown, (long long)n->failed,
		            pawl__cli_number(n->retries, b),
		            pawl__cli_number((int64_t)per_second(n->tried, n->elapsed_us), c));
	}
	if (naive_oversold(r, NAIVE_STATEMENTS) == 0)
		pawl__print(out,
		            "  \"%s\" did not oversell in this run: no two reads of the last\n"
		            "  items overlapped\n",
		            pawl__naive_name(NAIVE_STATEMENTS));
	pawl__print(
		out,
		"  these remember no refusals and no keys; what they keep is the orders alone\n");
}

static void print_verdict(FILE *out, const struct demo_report *r)
{
	const struct demo_counts *c = &r->counts;

	pawl__print(out, "\n");
	if (pawl__demo_broken(c) == 0) {
		pawl__cli_tone(out, TONE_GOOD, "every promise held");
		pawl__print(out, "\n");
		return;
	}
	for (int i = 0; i < DEMO_PROMISES; i++) {
		if (pawl__demo_promises[i].held(c))
			continue;
		pawl__cli_tone(out, TONE_BAD, "not held");
		pawl__print(out, "  %s\n", pawl__demo_promises[i].text);
	}
}

void pawl__report_print(FILE *out, const struct demo_report *r)
{
	const struct demo_counts *c = &r->counts;
	char a[CLI_NUMBER_MAX], b[CLI_NUMBER_MAX], d[CLI_NUMBER_MAX], e[CLI_NUMBER_MAX];

	pawl__print(out, "%s buyers for %s over %u connections; ", pawl__cli_number(c->buyers, a),
	            c->stock == 1 ? "one last item" : pawl__cli_number(c->stock, b), r->conns);
	pawl__print(out, "%s send again, %s twice at once (seed %llu)\n\n",
	            pawl__cli_number(c->repeats, d), pawl__cli_number(c->twins, e),
	            (unsigned long long)r->seed);
	print_pawl(out, r);
	print_naive(out, r);
	print_verdict(out, r);
}

static json_t *pawl_json(const struct demo_report *r)
{
	const struct demo_counts *c = &r->counts;
	const struct hist *h = &r->race.latency_us;
	json_t *doc = json_pack(
		"{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
		"engine", r->engine, "durability", r->durability, "requests",
		(json_int_t)c->requests, "answered", (json_int_t)c->answered, "sold",
		(json_int_t)c->keys_sold, "refused", (json_int_t)c->keys_refused,
		"refused_insufficient", (json_int_t)c->refused_insufficient, "other_answers",
		(json_int_t)c->keys_other, "replayed", (json_int_t)c->replayed, "changed",
		(json_int_t)c->changed, "duplicates", (json_int_t)pawl__demo_duplicates(c),
		"oversold", (json_int_t)pawl__demo_oversold(c), "twins_overlapped",
		(json_int_t)c->overlaps, "stock_left", (json_int_t)c->item_available,
		"in_flight_max", (json_int_t)r->race.in_flight_max);

	(void)json_object_set_new(
		doc, "unanswered",
		json_pack("{s:I, s:I, s:I, s:I}", "total", (json_int_t)(c->requests - c->answered),
	                  "timeouts", (json_int_t)r->race.timeouts, "resets",
	                  (json_int_t)r->race.resets, "malformed", (json_int_t)r->race.malformed));
	(void)json_object_set_new(
		doc, "latency_us",
		json_pack("{s:I, s:I, s:I}", "p50", (json_int_t)pawl__hist_quantile(h, 0.5), "p99",
	                  (json_int_t)pawl__hist_quantile(h, 0.99), "max", (json_int_t)h->max));
	(void)json_object_set_new(doc, "elapsed_us", json_integer(r->race.elapsed_us));
	(void)json_object_set_new(doc, "requests_per_s",
	                          json_real(per_second(c->answered, r->race.elapsed_us)));
	(void)json_object_set_new(doc, "commits", json_integer(r->commits));
	(void)json_object_set_new(doc, "books",
	                          json_pack("{s:b, s:I, s:I, s:I}", "audited", c->audited, "checks",
	                                    (json_int_t)r->audit_checks, "orders",
	                                    (json_int_t)c->audit_orders, "drifts",
	                                    (json_int_t)c->audit_drifts));
	return doc;
}

static json_t *naive_json(const struct demo_report *r, int strategy)
{
	const struct naive_result *n = &r->naive[strategy];

	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "strategy",
	                 pawl__naive_name((enum naive_strategy)strategy), "buyers",
	                 (json_int_t)n->tried, "told_sold", (json_int_t)n->sold, "sold",
	                 (json_int_t)n->orders, "oversold", (json_int_t)naive_oversold(r, strategy),
	                 "stock_shown", (json_int_t)n->stock_shown, "failed", (json_int_t)n->failed,
	                 "retries", (json_int_t)n->retries, "elapsed_us", (json_int_t)n->elapsed_us,
	                 "buyers_per_s", per_second(n->tried, n->elapsed_us));
}

json_t *pawl__report_json(const struct demo_report *r)
{
	const struct demo_counts *c = &r->counts;
	const int broken = pawl__demo_broken(c);
	json_t *doc =
		json_pack("{s:i, s:s, s:{s:I, s:I, s:I, s:I, s:I, s:I}, s:o, s:{s:I, s:I}, s:[], "
	                  "s:[]}",
	                  "schema_version", 1, "verdict", broken == 0 ? "held" : "broken", "asked",
	                  "buyers", (json_int_t)c->buyers, "stock", (json_int_t)c->stock,
	                  "send_again", (json_int_t)c->repeats, "send_twice", (json_int_t)c->twins,
	                  "connections", (json_int_t)r->conns, "seed", (json_int_t)r->seed, "pawl",
	                  pawl_json(r), "by_hand", "threads", (json_int_t)r->threads, "think_us",
	                  (json_int_t)r->think_us, "naive", "promises");

	for (int i = 0; i < NAIVE_STRATEGIES; i++)
		(void)json_array_append_new(json_object_get(doc, "naive"), naive_json(r, i));
	for (int i = 0; i < DEMO_PROMISES; i++) {
		const struct demo_promise *p = &pawl__demo_promises[i];

		(void)json_array_append_new(json_object_get(doc, "promises"),
		                            json_pack("{s:s, s:b, s:s}", "name", p->name, "held",
		                                      p->held(c), "text", p->text));
	}
	return doc;
}
