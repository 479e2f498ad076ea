/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/demo/report.h"

#include "cli/cli.h"

static const char *const round_names[DEMO_ROUNDS] = { "last", "plenty" };

static int64_t per_second(int64_t n, int64_t us)
{
	return us <= 0 ? 0 : (int64_t)((double)n * 1e6 / (double)us);
}

static int64_t naive_oversold(const struct demo_round *round, const struct naive_result *n)
{
	return n->orders > round->counts.stock ? n->orders - round->counts.stock : 0;
}

/* What the stock should be, by the orders there are. */
static int64_t naive_stock(const struct demo_round *round, const struct naive_result *n)
{
	return round->counts.stock - n->orders;
}

/* In the round of the last item speed is that of turning buyers away, else that of selling. */
static int64_t naive_speed(enum demo_round_kind kind, const struct naive_result *n)
{
	return per_second(kind == ROUND_LAST ? n->tried : n->orders, n->elapsed_us);
}

int pawl__report_broken(const struct demo_report *r)
{
	int broken = 0;

	for (int i = 0; i < DEMO_ROUNDS; i++)
		broken += pawl__demo_broken(&r->rounds[i].counts);
	return broken;
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

static void print_speed(FILE *out, const struct demo_round *round)
{
	const struct hist *h = &round->race.latency_us;
	const struct demo_counts *c = &round->counts;
	char n[CLI_NUMBER_MAX];

	row_name(out, "latency");
	pawl__print(out, "p50 %.1f ms, p99 %.1f ms, max %.1f ms; %lld in flight at most\n",
	            ms(pawl__hist_quantile(h, 0.5)), ms(pawl__hist_quantile(h, 0.99)), ms(h->max),
	            (long long)round->race.in_flight_max);
	row_name(out, "throughput");
	pawl__print(out, "%s requests/s",
	            pawl__cli_number(per_second(c->answered, round->race.elapsed_us), n));
	if (round->commits > 0)
		pawl__print(out, "; %s commits, %.0f orders a commit",
		            pawl__cli_number(round->commits, n),
		            (double)(c->keys_sold + c->keys_refused) / (double)round->commits);
	pawl__print(out, "\n");
}

static void print_books(FILE *out, const struct demo_report *r, const struct demo_counts *c)
{
	char n[CLI_NUMBER_MAX];

	row_name(out, "books");
	if (c->audited)
		pawl__print(out, "%s: %lld kinds of check, %s drifts (pawl verify)\n",
		            c->audit_drifts == 0 ? "balanced" : "NOT balanced",
		            (long long)r->audit_checks, pawl__cli_number(c->audit_drifts, n));
	else
		pawl__print(out, "could not be looked at\n");
}

static void print_pawl(FILE *out, const struct demo_report *r, const struct demo_round *round)
{
	const struct demo_counts *c = &round->counts;
	const bool told = c->refused_insufficient == c->keys_refused;

	row(out, "requests sent", c->requests, "");
	row(out, "sold", c->keys_sold, "");
	row(out, "refused", c->keys_refused,
	    c->keys_refused == 0 ? ""
	    : told               ? "each told why: insufficient"
	                         : "NOT each told why");
	row(out, "replayed", c->replayed,
	    c->replayed == 0 ? "" : "the same key again: no second effect");
	row(out, "answers that changed", c->changed, "");
	row(out, "duplicates", pawl__demo_duplicates(c), "");
	row(out, "oversold", pawl__demo_oversold(c), "");
	row(out, "without an answer", c->requests - c->answered, "");
	if (c->keys_other > 0)
		row(out, "other answers", c->keys_other, "");
	print_speed(out, round);
	print_books(out, r, c);
}

static void print_naive(FILE *out, const struct demo_report *r, enum demo_round_kind kind)
{
	const struct demo_round *round = &r->rounds[kind];
	char a[CLI_NUMBER_MAX], b[CLI_NUMBER_MAX], c[CLI_NUMBER_MAX];

	pawl__print(out, "\n  %-22s%8s%8s%9s%9s%9s%8s%8s%11s\n", "by hand on SQLite", "buyers",
	            "sold", "oversold", "stock", "true", "failed", "retries",
	            kind == ROUND_LAST ? "buyers/s" : "sold/s");
	for (int i = 0; i < NAIVE_STRATEGIES; i++) {
		const struct naive_result *n = &round->naive[i];

		row_name(out, pawl__naive_name((enum naive_strategy)i));
		pawl__print(out, "%8s%8lld%9lld%9lld%9lld%8lld%8s%11s\n",
		            pawl__cli_number(n->tried, a), (long long)n->orders,
		            (long long)naive_oversold(round, n), (long long)n->stock_shown,
		            (long long)naive_stock(round, n), (long long)n->failed,
		            pawl__cli_number(n->retries, b),
		            pawl__cli_number(naive_speed(kind, n), c));
	}
	if (kind == ROUND_LAST && naive_oversold(round, &round->naive[NAIVE_STATEMENTS]) == 0)
		pawl__print(out, "  \"%s\" did not oversell in this run\n",
		            pawl__naive_name(NAIVE_STATEMENTS));
}

static void print_round(FILE *out, const struct demo_report *r, enum demo_round_kind kind)
{
	const struct demo_counts *c = &r->rounds[kind].counts;
	char a[CLI_NUMBER_MAX], b[CLI_NUMBER_MAX], d[CLI_NUMBER_MAX], title[128];
	int n;

	if (c->stock == 1)
		n = snprintf(title, sizeof(title), "%s buyers, one item",
		             pawl__cli_number(c->buyers, a));
	else
		n = snprintf(title, sizeof(title), "%s buyers, %s items",
		             pawl__cli_number(c->buyers, a), pawl__cli_number(c->stock, b));
	pawl__cli_tone(out, TONE_BOLD, n < 0 ? "" : title);
	if (c->repeats + c->twins > 0)
		pawl__print(out, "; %s send again, %s twice at once",
		            pawl__cli_number(c->repeats, b), pawl__cli_number(c->twins, d));
	pawl__print(out, "\n");
	print_pawl(out, r, &r->rounds[kind]);
	print_naive(out, r, kind);
	pawl__print(out, "\n");
}

static void print_verdict(FILE *out, const struct demo_report *r)
{
	if (pawl__report_broken(r) == 0) {
		pawl__cli_tone(out, TONE_GOOD, "every promise held");
		pawl__print(out, "\n");
		return;
	}
	for (int i = 0; i < DEMO_ROUNDS * DEMO_PROMISES; i++) {
		const struct demo_promise *p = &pawl__demo_promises[i % DEMO_PROMISES];

		if (p->held(&r->rounds[i / DEMO_PROMISES].counts))
			continue;
		pawl__cli_tone(out, TONE_BAD, "not held");
		pawl__print(out, "  %s (%s)\n", p->text, round_names[i / DEMO_PROMISES]);
	}
}

void pawl__report_print(FILE *out, const struct demo_report *r)
{
	pawl__print(out, "pawl      one server process, %u connections, %s\n", r->conns,
	            r->durability);
	pawl__print(out, "          %s\n", r->engine);
	pawl__print(
		out,
		"by hand   plain SQLite, WAL, synchronous=FULL; %u threads, released together;\n"
		"          %lld ms between the read and the write, as an application has;\n",
		r->threads, (long long)(r->think_us / 1000));
	pawl__print(out,
	            "          no new buyer after %.1f s; remembers no keys and no refusals.\n"
	            "          stock: what the table says; true: what the orders leave of it\n",
	            ms((uint64_t)r->budget_us) / 1000);
	pawl__print(out, "seed      %llu\n\n", (unsigned long long)r->seed);
	for (int i = 0; i < DEMO_ROUNDS; i++)
		print_round(out, r, (enum demo_round_kind)i);
	print_verdict(out, r);
}

static json_t *speed_json(const struct demo_round *round)
{
	const struct hist *h = &round->race.latency_us;

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "elapsed_us",
	                 (json_int_t)round->race.elapsed_us, "requests_per_s",
	                 (json_int_t)per_second(round->counts.answered, round->race.elapsed_us),
	                 "latency_p50_us", (json_int_t)pawl__hist_quantile(h, 0.5),
	                 "latency_p99_us", (json_int_t)pawl__hist_quantile(h, 0.99),
	                 "latency_max_us", (json_int_t)h->max, "commits",
	                 (json_int_t)round->commits, "in_flight_max",
	                 (json_int_t)round->race.in_flight_max);
}

static json_t *unanswered_json(const struct demo_round *round)
{
	return json_pack("{s:I, s:I, s:I, s:I}", "total",
	                 (json_int_t)(round->counts.requests - round->counts.answered), "timeouts",
	                 (json_int_t)round->race.timeouts, "resets", (json_int_t)round->race.resets,
	                 "malformed", (json_int_t)round->race.malformed);
}

static json_t *books_json(const struct demo_report *r, const struct demo_counts *c)
{
	return json_pack("{s:b, s:I, s:I, s:I}", "audited", c->audited, "checks",
	                 (json_int_t)r->audit_checks, "orders", (json_int_t)c->audit_orders,
	                 "drifts", (json_int_t)c->audit_drifts);
}

static json_t *pawl_json(const struct demo_report *r, const struct demo_round *round)
{
	const struct demo_counts *c = &round->counts;

	return json_pack(
		"{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o}",
		"requests", (json_int_t)c->requests, "answered", (json_int_t)c->answered, "sold",
		(json_int_t)c->keys_sold, "refused", (json_int_t)c->keys_refused,
		"refused_insufficient", (json_int_t)c->refused_insufficient, "other_answers",
		(json_int_t)c->keys_other, "replayed", (json_int_t)c->replayed, "changed",
		(json_int_t)c->changed, "duplicates", (json_int_t)pawl__demo_duplicates(c),
		"oversold", (json_int_t)pawl__demo_oversold(c), "twins_overlapped",
		(json_int_t)c->overlaps, "stock_left", (json_int_t)c->item_available, "unanswered",
		unanswered_json(round), "speed", speed_json(round), "books", books_json(r, c));
}

static json_t *naive_json(const struct demo_round *round, int strategy)
{
	const struct naive_result *n = &round->naive[strategy];

	return json_pack(
		"{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "strategy",
		pawl__naive_name((enum naive_strategy)strategy), "buyers", (json_int_t)n->tried,
		"sold", (json_int_t)n->orders, "oversold", (json_int_t)naive_oversold(round, n),
		"stock_shown", (json_int_t)n->stock_shown, "stock_true",
		(json_int_t)naive_stock(round, n), "failed", (json_int_t)n->failed, "retries",
		(json_int_t)n->retries, "elapsed_us", (json_int_t)n->elapsed_us);
}

static json_t *round_json(const struct demo_report *r, int kind)
{
	const struct demo_round *round = &r->rounds[kind];
	const struct demo_counts *c = &round->counts;
	json_t *doc =
		json_pack("{s:s, s:I, s:I, s:I, s:I, s:o, s:[], s:[]}", "name", round_names[kind],
	                  "buyers", (json_int_t)c->buyers, "stock", (json_int_t)c->stock,
	                  "send_again", (json_int_t)c->repeats, "send_twice", (json_int_t)c->twins,
	                  "pawl", pawl_json(r, round), "by_hand", "promises");

	for (int i = 0; i < NAIVE_STRATEGIES; i++)
		(void)json_array_append_new(json_object_get(doc, "by_hand"), naive_json(round, i));
	for (int i = 0; i < DEMO_PROMISES; i++) {
		const struct demo_promise *p = &pawl__demo_promises[i];

		(void)json_array_append_new(json_object_get(doc, "promises"),
		                            json_pack("{s:s, s:b, s:s}", "name", p->name, "held",
		                                      p->held(c), "text", p->text));
	}
	return doc;
}

json_t *pawl__report_json(const struct demo_report *r)
{
	json_t *doc = json_pack("{s:i, s:s, s:I, s:I, s:s, s:s, s:{s:I, s:I, s:I}, s:[]}",
	                        "schema_version", 1, "verdict",
	                        pawl__report_broken(r) == 0 ? "held" : "broken", "seed",
	                        (json_int_t)r->seed, "connections", (json_int_t)r->conns, "engine",
	                        r->engine, "durability", r->durability, "by_hand", "threads",
	                        (json_int_t)r->threads, "think_us", (json_int_t)r->think_us,
	                        "budget_us", (json_int_t)r->budget_us, "rounds");

	for (int i = 0; i < DEMO_ROUNDS; i++)
		(void)json_array_append_new(json_object_get(doc, "rounds"), round_json(r, i));
	return doc;
}
