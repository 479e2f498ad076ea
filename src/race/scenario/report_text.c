/* SPDX-License-Identifier: Apache-2.0 */
#include "race/scenario/report.h"

static void put_lit(struct buf *out, const char *name)
{
	pawl__put(out, "  %-14s", name);
}

static void text_expects(const struct race_report *r, struct buf *out)
{
	for (uint32_t i = 0; i < r->s->expects_len; i++) {
		const struct expect_report *e = &r->expects[i];
		const bool judged = e->rounds[VERDICT_HELD] + e->rounds[VERDICT_VIOLATED] +
		                            e->rounds[VERDICT_INCONCLUSIVE] +
		                            e->rounds[VERDICT_ERROR] >
		                    0;

		put_lit(out, judged ? pawl__verdict_name(e->verdict) : "not judged");
		buf_str(out, r->s->expects[i].label);
		buf_lit(out, "\n");
		if (e->detail.len > 0) {
			put_lit(out, "");
			buf_str(out, e->detail);
			pawl__put(out, " (round %u)\n", e->round);
		}
		if (!judged)
			continue;
		put_lit(out, "");
		buf_lit(out, "violated in ");
		pawl__put_rate(out, r, e);
		buf_lit(out, "\n");
	}
}

static void text_answers(const struct race_report *r, struct buf *out)
{
	uint32_t order[RUN_STATUSES_MAX];

	put_lit(out, "answers");
	pawl__statuses_sort(r, order);
	for (uint32_t i = 0; i < r->statuses_len; i++) {
		const struct status_count *c = &r->statuses[order[i]];

		buf_str(out, i == 0 ? STR("") : STR(", "));
		pawl__put(out, "%llu x ", (unsigned long long)c->n);
		pawl__put_status(out, c);
	}
	buf_lit(out, "\n");
}

static void text_measured(const struct race_report *r, struct buf *out)
{
	if (r->requests == 0)
		return;
	text_answers(r, out);
	if (r->s->sync != SYNC_RATE) {
		put_lit(out, "arrival skew");
		pawl__put_quantiles(out, &r->skew_us);
		buf_lit(out, " from the first request released to the last, by round\n");
	}
	put_lit(out, "latency");
	pawl__put_quantiles(out, &r->actual_us);
	buf_lit(out, " from when it was released\n");
	put_lit(out, "");
	pawl__put_quantiles(out, &r->intended_us);
	buf_lit(out, " from when it should have been\n");
	put_lit(out, "overlap");
	pawl__put_overlap(out, r);
	buf_lit(out, "\n");
}

static void text_lanes(const struct race_report *r, struct buf *out)
{
	if (r->lanes_len == 0)
		return;
	pawl__put(out, "\nhow it broke, in round %u, by %u of %u requests: ", r->lanes_round,
	          r->lanes_len, r->lanes_of);
	buf_str(out, r->s->expects[r->lanes_expect].label);
	buf_lit(out, "\n\n");
	pawl__lanes_text(r->lanes, r->lanes_len, out);
}

void pawl__race_text(const struct race_report *r, struct buf *out)
{
	buf_lit(out, "\n");
	if (r->error.len > 0) {
		put_lit(out, "error");
		buf_str(out, r->error);
		buf_lit(out, "\n");
	}
	text_expects(r, out);
	buf_lit(out, "\n");
	text_measured(r, out);
	put_lit(out, "rounds");
	pawl__put(out, "%u of %u clients each, ", r->rounds_run, r->s->clients);
	pawl__put_sync(out, r->s);
	buf_lit(out, ", in ");
	pawl__put_us(out, (uint64_t)r->elapsed_us);
	if (r->carried > 0)
		pawl__put(out, "; %u of them on what earlier ones left", r->carried);
	if (r->interrupted)
		buf_lit(out, "; interrupted");
	buf_lit(out, "\n");
	put_lit(out, "target");
	buf_str(out, pawl__str_of(r->target));
	buf_lit(out, "\n");
	for (uint32_t i = 0; i < r->notes_len; i++) {
		put_lit(out, "note");
		buf_str(out, r->notes[i]);
		buf_lit(out, "\n");
	}
	text_lanes(r, out);
	buf_lit(out, "\n");
	put_lit(out, "again");
	buf_str(out, r->command);
	buf_lit(out, "\n");
}
