/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "race/scenario/report.h"

static json_t *text(struct str s)
{
	return json_stringn(s.ptr == NULL ? "" : s.ptr, s.len);
}

static json_t *count(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *quantiles(const struct hist *h)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "p50", count(pawl__hist_quantile(h, 0.5)), "p90",
	                 count(pawl__hist_quantile(h, 0.9)), "p99",
	                 count(pawl__hist_quantile(h, 0.99)), "max", count(h->max));
}

static json_t *rounds(const uint64_t n[VERDICTS])
{
	json_t *ret = json_object();

	for (int i = 0; i < VERDICTS; i++)
		(void)json_object_set_new(ret, pawl__verdict_name((enum verdict)i), count(n[i]));
	return ret;
}

static json_t *rate(const struct race_report *r, const struct expect_report *e)
{
	char mem[120];
	struct buf b;
	double low, high;
	const uint64_t judged = e->rounds[VERDICT_HELD] + e->rounds[VERDICT_VIOLATED];

	pawl__buf_init_fixed(&b, mem, sizeof(mem));
	pawl__put_rate(&b, r, e);
	pawl__wilson(e->rounds[VERDICT_VIOLATED], judged, &low, &high);
	return json_pack("{s:f, s:f, s:o}", "low", low, "high", high, "text", text(buf_get(&b)));
}

static json_t *expects(const struct race_report *r)
{
	json_t *ret = json_array();

	for (uint32_t i = 0; i < r->s->expects_len; i++) {
		const struct expect_report *e = &r->expects[i];

		(void)json_array_append_new(
			ret,
			json_pack("{s:o, s:i, s:s, s:o, s:o, s:o, s:o}", "expect",
		                  text(r->s->expects[i].label), "line", (int)r->s->expects[i].line,
		                  "verdict", pawl__verdict_name(e->verdict), "rounds",
		                  rounds(e->rounds), "violation_rate", rate(r, e), "round",
		                  e->round == 0 ? json_null() : count(e->round), "detail",
		                  e->detail.len == 0 ? json_null() : text(e->detail)));
	}
	return ret;
}

static json_t *answers(const struct race_report *r)
{
	json_t *ret = json_object();

	for (uint32_t i = 0; i < r->statuses_len; i++) {
		char mem[32];
		struct buf b;

		pawl__buf_init_fixed(&b, mem, sizeof(mem) - 1);
		pawl__put_status(&b, &r->statuses[i]);
		mem[b.len] = '\0';
		(void)json_object_set_new(ret, mem, count(r->statuses[i].n));
	}
	return ret;
}

static json_t *interleaving(const struct race_report *r)
{
	json_t *lanes = json_array();

	if (r->lanes_len == 0) {
		json_decref(lanes);
		return json_null();
	}
	for (uint32_t i = 0; i < r->lanes_len; i++) {
		const struct lane *l = &r->lanes[i];

		(void)json_array_append_new(
			lanes, json_pack("{s:i, s:o, s:o, s:o, s:I, s:I}", "client", (int)l->client,
		                         "request", text(l->request), "outcome", text(l->outcome),
		                         "body", text(l->body), "from_us", (json_int_t)l->from_us,
		                         "to_us", (json_int_t)l->to_us));
	}
	return json_pack("{s:i, s:i, s:i, s:o}", "round", (int)r->lanes_round, "expect",
	                 (int)r->lanes_expect, "requests", (int)r->lanes_of, "operations", lanes);
}

static json_t *notes(const struct race_report *r)
{
	json_t *ret = json_array();

	for (uint32_t i = 0; i < r->notes_len; i++)
		(void)json_array_append_new(ret, text(r->notes[i]));
	return ret;
}

static json_t *started(const struct race_report *r)
{
	char mem[40];
	struct buf b;

	pawl__buf_init_fixed(&b, mem, sizeof(mem));
	pawl__clock_format(&b, r->started_us);
	return text(buf_get(&b));
}

json_t *pawl__race_json(const struct race_report *r)
{
	json_t *ret = json_pack("{s:o, s:s, s:o, s:o, s:o, s:i, s:i, s:o, s:o}", "scenario",
	                        text(r->s->name), "verdict", pawl__verdict_name(r->verdict),
	                        "expectations", expects(r), "rounds", rounds(r->rounds), "answers",
	                        answers(r), "rounds_run", (int)r->rounds_run, "rounds_carried",
	                        (int)r->carried, "arrival_skew_us", quantiles(&r->skew_us),
	                        "interleaving", interleaving(r));

	if (ret == NULL)
		return NULL;
	(void)json_object_set_new(ret, "latency_us",
	                          json_pack("{s:o, s:o}", "released", quantiles(&r->actual_us),
	                                    "intended", quantiles(&r->intended_us)));
	(void)json_object_set_new(
		ret, "overlap",
		json_pack("{s:o, s:o, s:i, s:i, s:i}", "pairs_min", count(r->pairs_min),
	                  "pairs_asked", count(r->pairs_asked), "peak_min", (int)r->peak_min,
	                  "peak_max", (int)r->peak_max, "rounds_missed", (int)r->overlap_missed));
	(void)json_object_set_new(ret, "requests", count(r->requests));
	(void)json_object_set_new(ret, "early", count(r->early));
	(void)json_object_set_new(ret, "error", r->error.len == 0 ? json_null() : text(r->error));
	(void)json_object_set_new(ret, "notes", notes(r));
	(void)json_object_set_new(ret, "target", json_string(r->target));
	(void)json_object_set_new(ret, "seed", count(r->seed));
	(void)json_object_set_new(ret, "started", started(r));
	(void)json_object_set_new(ret, "elapsed_us", json_integer(r->elapsed_us));
	(void)json_object_set_new(ret, "interrupted", json_boolean(r->interrupted));
	(void)json_object_set_new(ret, "command", text(r->command));
	return ret;
}
