/* SPDX-License-Identifier: Apache-2.0 */
#include "race/scenario/report.h"

/* Rounds that said something, each of its own. */
static uint64_t trials(const struct race_report *r, const struct expect_report *e)
{
	const uint64_t judged = e->rounds[VERDICT_HELD] + e->rounds[VERDICT_VIOLATED];
	const uint64_t fresh = judged > r->carried ? judged - r->carried : 0;

	return fresh > e->rounds[VERDICT_VIOLATED] ? fresh : e->rounds[VERDICT_VIOLATED];
}

void pawl__put_rate(struct buf *out, const struct race_report *r, const struct expect_report *e)
{
	const uint64_t n = e->rounds[VERDICT_VIOLATED], of = trials(r, e);
	double low, high;

	pawl__wilson(n, of, &low, &high);
	pawl__put(out, "%llu of %llu rounds", (unsigned long long)n, (unsigned long long)of);
	if (of == 0)
		return;
	if (n == 0)
		pawl__put(out, ": < %.1f %% at 95 %%", high * 100);
	else
		pawl__put(out, ": %.1f to %.1f %% at 95 %%", low * 100, high * 100);
}

void pawl__put_status(struct buf *out, const struct status_count *c)
{
	if (c->class == VOLLEY_ANSWERED)
		pawl__put(out, "%d", c->status);
	else
		buf_str(out, pawl__str_of(pawl__volley_class_name(c->class)));
}

void pawl__put_overlap(struct buf *out, const struct race_report *r)
{
	pawl__put(out,
	          "%llu pairs of requests under way together, %u at one time, in the least of "
	          "the rounds",
	          (unsigned long long)r->pairs_min, r->peak_min);
	if (r->s->overlap == 0)
		buf_lit(out, " (not asked for)");
	else if (r->s->overlap > 0)
		pawl__put(out, " (asked for: %lld at one time)", (long long)r->s->overlap);
	else
		pawl__put(out, " (asked for: %llu pairs)", (unsigned long long)r->pairs_asked);
	if (r->overlap_missed > 0)
		pawl__put(out, "; missed in %u rounds", r->overlap_missed);
}

void pawl__put_sync(struct buf *out, const struct scenario *s)
{
	switch (s->sync) {
	case SYNC_LAST_BYTE:
		buf_lit(out, "last-byte");
		break;
	case SYNC_SINGLE_PACKET:
		buf_lit(out, "single-packet");
		break;
	case SYNC_NONE:
		buf_lit(out, "none");
		break;
	case SYNC_SPREAD:
		buf_lit(out, "spread over ");
		pawl__put_us(out, (uint64_t)s->spread_us);
		break;
	case SYNC_RATE:
		pawl__put(out, "%lld requests a second", (long long)s->rate);
		break;
	}
	buf_str(out, s->http2 ? STR(", HTTP/2") : STR(", HTTP/1.1"));
}

static bool before(const struct status_count *a, const struct status_count *b)
{
	return a->class != b->class ? a->class < b->class : a->status < b->status;
}

void pawl__statuses_sort(const struct race_report *r, uint32_t ret[RUN_STATUSES_MAX])
{
	for (uint32_t i = 0; i < r->statuses_len; i++) {
		uint32_t k = i;

		for (; k > 0 && before(&r->statuses[i], &r->statuses[ret[k - 1]]); k--)
			ret[k] = ret[k - 1];
		ret[k] = i;
	}
}
