/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/bank - transfers between accounts: every read of all of them must show the same total.
 *
 * The accounts are those of the first read, the total is what was asked for, else the sum of that
 * read. Of one read the first of these is reported, as Jepsen's bank test does:
 *   unexpected-key   an account that the first read did not have
 *   nil-balance      an account without a balance
 *   wrong-total      the sum is another
 *   negative-value   a balance below zero, unless they are allowed
 * One pass; threads: none of its own.
 */
#include <stdlib.h>

#include "base/error.h"
#include "base/num.h"
#include "race/check/findings.h"

struct bank {
	const struct history *h;
	const struct check_options *o;
	struct findings found;
	bool *account; /* owned; by key: the first read had it */
	int64_t total;
	uint32_t first; /* row of the first read; HISTORY_NONE */
};

static void bank_deinit(struct bank *b)
{
	pawl__findings_deinit(&b->found);
	free(b->account);
}

/* A read that said nothing: its only entry is nothing about nobody. */
static bool says_nothing(const struct history *h, uint32_t row)
{
	const uint32_t m = h->mop_first[row];

	return h->mop_len[row] == 0 || (h->mop_len[row] == 1 && value_is_nil(h->mop_val[m]) &&
	                                value_is_nil(h->key[h->mop_key[m]]));
}

static enum pawl_status row_sum(const struct bank *b, uint32_t row, int64_t *ret,
                                struct pawl_error *err)
{
	const struct history *h = b->h;
	int64_t sum = 0;
	uint32_t m;

	for (m = h->mop_first[row]; m < h->mop_first[row] + h->mop_len[row]; m++) {
		if (value_is_nil(h->mop_val[m]) && !history_is_list(h, m))
			continue;
		if (history_is_list(h, m) || !value_is_int(h->mop_val[m]))
			return pawl__error_set(err, PAWL_E_INVALID,
			                       "line %u: a balance is a whole number",
			                       h->line[row]);
		if (!num_add(sum, h->mop_val[m], &sum))
			return pawl__error_set(err, PAWL_E_INVALID,
			                       "line %u: the balances add up to too much",
			                       h->line[row]);
	}
	*ret = sum;
	return PAWL_OK;
}

static void say_read(struct bank *b, uint32_t row)
{
	pawl__findings_say(&b->found, "T%u ", row);
	pawl__history_op(b->h, row, &b->found.text);
}

static void report(struct bank *b, const char *name, uint32_t row)
{
	uint32_t rows[2] = { b->first, row };

	if (row < b->first) {
		rows[0] = row;
		rows[1] = b->first;
	}
	if (row == b->first)
		pawl__findings_add(&b->found, name, &row, 1);
	else
		pawl__findings_add(&b->found, name, rows, 2);
}

/* The first read: who has an account, and what they have together. */
static enum pawl_status bank_open(struct bank *b, uint32_t row, struct pawl_error *err)
{
	const struct history *h = b->h;
	int64_t sum;
	enum pawl_status st = row_sum(b, row, &sum, err);
	uint32_t m;

	if (st != PAWL_OK)
		return st;
	b->first = row;
	b->total = b->o->total_set ? b->o->total : sum;
	for (m = h->mop_first[row]; m < h->mop_first[row] + h->mop_len[row]; m++)
		b->account[h->mop_key[m]] = true;
	return PAWL_OK;
}

static enum pawl_status read_check(struct bank *b, uint32_t row, struct pawl_error *err)
{
	const struct history *h = b->h;
	const uint32_t end = h->mop_first[row] + h->mop_len[row];
	uint32_t unexpected = HISTORY_NONE, nil = HISTORY_NONE, negative = HISTORY_NONE, m;
	int64_t sum;
	enum pawl_status st = row_sum(b, row, &sum, err);

	if (st != PAWL_OK)
		return st;
	for (m = end; m-- > h->mop_first[row];) {
		if (!b->account[h->mop_key[m]])
			unexpected = m;
		if (value_is_nil(h->mop_val[m]))
			nil = m;
		else if (h->mop_val[m] < 0)
			negative = m;
	}
	if (unexpected != HISTORY_NONE) {
		say_read(b, row);
		pawl__findings_say(&b->found, " shows account ");
		pawl__history_value(h, h->key[h->mop_key[unexpected]], &b->found.text);
		pawl__findings_say(&b->found, ", which the first read, T%u, did not have.",
		                   b->first);
		report(b, "unexpected-key", row);
	} else if (nil != HISTORY_NONE) {
		say_read(b, row);
		pawl__findings_say(&b->found, " shows no balance of account ");
		pawl__history_value(h, h->key[h->mop_key[nil]], &b->found.text);
		pawl__findings_say(&b->found, ".");
		report(b, "nil-balance", row);
	} else if (sum != b->total) {
		say_read(b, row);
		pawl__findings_say(&b->found, " adds up to %lld instead of %lld%s.", (long long)sum,
		                   (long long)b->total,
		                   b->o->total_set ? "" : ", which the first read showed");
		report(b, "wrong-total", row);
	} else if (negative != HISTORY_NONE && !b->o->negative_balances) {
		say_read(b, row);
		pawl__findings_say(&b->found, " shows a balance below zero: %lld of account ",
		                   (long long)h->mop_val[negative]);
		pawl__history_value(h, h->key[h->mop_key[negative]], &b->found.text);
		pawl__findings_say(&b->found, ".");
		report(b, "negative-value", row);
	}
	return PAWL_OK;
}

enum pawl_status pawl__check_bank(const struct history *h, const struct check_options *o,
                                  struct check_result *ret, struct pawl_error *err)
{
	PAWL_CLEANUP(bank_deinit) struct bank b = { .h = h, .o = o, .first = HISTORY_NONE };
	enum pawl_status st = PAWL_OK;
	uint32_t e;

	pawl__findings_init(&b.found, ret);
	b.account = calloc((size_t)h->keys_len + 1, sizeof(*b.account));
	if (b.account == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for the accounts");
	for (e = 0; e < h->ops_len; e++)
		if (h->f[e] != HF_READ && h->f[e] != HF_TRANSFER)
			return pawl__error_set(err, PAWL_E_INVALID,
			                       "line %u: a bank has reads and transfers",
			                       h->line[e]);
	/* In the order of their answers. */
	for (e = 0; e < h->events_len && st == PAWL_OK; e++) {
		const uint32_t row = h->event[e] >> 1;

		if (e != h->ret[row] || h->type[row] != HT_OK || h->f[row] != HF_READ ||
		    says_nothing(h, row))
			continue;
		if (b.first == HISTORY_NONE)
			st = bank_open(&b, row, err);
		if (st == PAWL_OK)
			st = read_check(&b, row, err);
	}
	if (st != PAWL_OK)
		return st;
	if (b.first == HISTORY_NONE) {
		pawl__findings_say(&b.found, "the accounts were never read");
		pawl__findings_unknown(&b.found);
	}
	return pawl__findings_finish(&b.found, err);
}
