/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/counter - a counter that is added to: every read lies within what can have been added.
 *
 * Lower bound of a read: what was added by operations that completed before it began. Upper bound:
 * what was attempted before it returned; failed additions count for neither. Subtractions count the
 * other way round. Jepsen's counter, which allows additions only, gives the same bounds for them.
 * The counter starts at 0, or at `initial`; one counter per key.
 * Anomaly: counter-bounds. One pass; threads: none of its own.
 */
#include <stdlib.h>

#include "base/error.h"
#include "base/num.h"
#include "race/check/findings.h"

struct bounds {
	int64_t low_sure, low_maybe;   /* additions that completed; subtractions that began */
	int64_t high_sure, high_maybe; /* subtractions that completed; additions that began */
};

struct counter {
	const struct history *h;
	struct findings found;
	struct bounds *by_key;     /* owned */
	int64_t *low_at, *high_at; /* owned; by row: what was sure when it began */
	int64_t initial;
	bool read; /* something was */
};

static void counter_deinit(struct counter *c)
{
	pawl__findings_deinit(&c->found);
	free(c->by_key);
	free(c->low_at);
	free(c->high_at);
}

static enum pawl_status refuse(const struct counter *c, uint32_t row, const char *what,
                               struct pawl_error *err)
{
	return pawl__error_set(err, PAWL_E_INVALID, "line %u: %s", c->h->line[row], what);
}

static enum pawl_status rows_check(const struct counter *c, struct pawl_error *err)
{
	const struct history *h = c->h;
	uint32_t row;

	for (row = 0; row < h->ops_len; row++) {
		const uint32_t m = h->mop_first[row];
		const bool ok = h->mop_len[row] == 1 && !history_is_list(h, m);

		if (h->f[row] != HF_READ && h->f[row] != HF_ADD)
			return refuse(c, row, "a counter has reads and additions", err);
		if (h->f[row] == HF_ADD && (!ok || !value_is_int(h->mop_val[m])))
			return refuse(c, row, "what is added is a whole number", err);
		if (h->f[row] == HF_READ && h->type[row] == HT_OK && h->mop_len[row] != 0 &&
		    (!ok || value_is_name(h->mop_val[m])))
			return refuse(c, row, "what a counter shows is a whole number", err);
	}
	return PAWL_OK;
}

static bool begin(struct counter *c, uint32_t row)
{
	const struct history *h = c->h;
	struct bounds *b;
	int64_t v;

	if (h->mop_len[row] == 0)
		return true;
	b = &c->by_key[h->mop_key[h->mop_first[row]]];
	if (h->f[row] == HF_READ) {
		c->low_at[row] = b->low_sure;
		c->high_at[row] = b->high_sure;
		return true;
	}
	v = h->mop_val[h->mop_first[row]];
	if (h->type[row] == HT_FAIL)
		return true;
	return v < 0 ? num_add(b->low_maybe, v, &b->low_maybe)
	             : num_add(b->high_maybe, v, &b->high_maybe);
}

static bool read_check(struct counter *c, uint32_t row)
{
	const struct history *h = c->h;
	const uint32_t m = h->mop_first[row];
	const struct bounds *b = &c->by_key[h->mop_key[m]];
	const int64_t v = h->mop_val[m];
	int64_t low, high;

	if (value_is_nil(v))
		return true;
	c->read = true;
	if (!num_add(c->low_at[row], b->low_maybe, &low) || !num_add(low, c->initial, &low) ||
	    !num_add(c->high_at[row], b->high_maybe, &high) || !num_add(high, c->initial, &high))
		return false;
	if (v >= low && v <= high)
		return true;
	pawl__findings_say(&c->found, "T%u ", row);
	pawl__history_op(h, row, &c->found.text);
	pawl__findings_say(&c->found,
	                   " shows %lld: what was added by then is between %lld and %lld.",
	                   (long long)v, (long long)low, (long long)high);
	pawl__findings_add(&c->found, "counter-bounds", &row, 1);
	return true;
}

static bool end(struct counter *c, uint32_t row)
{
	const struct history *h = c->h;
	struct bounds *b;
	int64_t v;

	if (h->type[row] != HT_OK || h->mop_len[row] == 0)
		return true;
	if (h->f[row] == HF_READ)
		return read_check(c, row);
	b = &c->by_key[h->mop_key[h->mop_first[row]]];
	v = h->mop_val[h->mop_first[row]];
	return v < 0 ? num_add(b->high_sure, v, &b->high_sure)
	             : num_add(b->low_sure, v, &b->low_sure);
}

enum pawl_status pawl__check_counter(const struct history *h, const struct check_options *o,
                                     struct check_result *ret, struct pawl_error *err)
{
	PAWL_CLEANUP(counter_deinit)
	struct counter c = { .h = h, .initial = o->initial_set ? o->initial : 0 };
	enum pawl_status st;
	uint32_t e;

	pawl__findings_init(&c.found, ret);
	st = rows_check(&c, err);
	if (st != PAWL_OK)
		return st;
	c.by_key = calloc((size_t)h->keys_len + 1, sizeof(*c.by_key));
	c.low_at = calloc((size_t)h->ops_len + 1, sizeof(*c.low_at));
	c.high_at = calloc((size_t)h->ops_len + 1, sizeof(*c.high_at));
	if (c.by_key == NULL || c.low_at == NULL || c.high_at == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for the counters");
	for (e = 0; e < h->events_len; e++) {
		const uint32_t row = h->event[e] >> 1;

		/* One event may be both, where the file has no invocations. */
		if ((e == h->inv[row] && !begin(&c, row)) || (e == h->ret[row] && !end(&c, row)))
			return refuse(&c, row, "the additions add up to too much", err);
	}
	if (!c.read) {
		pawl__findings_say(&c.found, "the counter was never read");
		pawl__findings_unknown(&c.found);
	}
	return pawl__findings_finish(&c.found, err);
}
