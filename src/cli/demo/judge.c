/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/demo/judge.h"

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

int64_t pawl__demo_duplicates(const struct demo_counts *c)
{
	const int64_t told = most(c->effects, c->orders);

	return most(0, most(told, most(c->item_sold, c->audit_orders)) - c->keys_sold);
}

int64_t pawl__demo_oversold(const struct demo_counts *c)
{
	const int64_t told = most(c->keys_sold, c->orders);

	return most(0, most(told, most(c->item_sold, c->audit_orders)) - c->stock);
}

static bool all_answered(const struct demo_counts *c)
{
	return c->requests == c->buyers + c->repeats + c->twins && c->answered == c->requests &&
	       c->keys_unanswered == 0 && c->keys_other == 0;
}

static bool never_oversold(const struct demo_counts *c)
{
	return c->item_seen && c->audited && pawl__demo_oversold(c) == 0 && c->item_available >= 0;
}

/* Refusing everybody would never oversell either. */
static bool sold_what_there_was(const struct demo_counts *c)
{
	return c->keys_sold == least(c->stock, c->buyers);
}

static bool told_why(const struct demo_counts *c)
{
	return c->keys_refused == c->buyers - c->keys_sold &&
	       c->refused_insufficient == c->keys_refused;
}

static bool one_effect_per_key(const struct demo_counts *c)
{
	return c->item_seen && c->audited && pawl__demo_duplicates(c) == 0 &&
	       c->effects == c->keys_sold && c->replayed == c->repeats + c->twins;
}

static bool answers_stay(const struct demo_counts *c)
{
	return c->answered > 0 && c->changed == 0;
}

static bool all_agree(const struct demo_counts *c)
{
	return c->item_seen && c->audited && c->orders == c->keys_sold &&
	       c->item_sold == c->keys_sold && c->audit_orders == c->keys_sold &&
	       c->item_held == 0 && c->item_available == c->stock - c->keys_sold;
}

static bool books_balance(const struct demo_counts *c)
{
	return c->stopped_well && c->audited && c->audit_drifts == 0;
}

const struct demo_promise pawl__demo_promises[DEMO_PROMISES] = {
	{ "all_answered", "every request was answered", all_answered },
	{ "never_oversold", "no more was sold than there was", never_oversold },
	{ "sold_what_there_was", "everything that could be sold was sold", sold_what_there_was },
	{ "told_why", "everybody else was told why not", told_why },
	{ "one_effect_per_key", "a key had one effect, however often it was sent",
	  one_effect_per_key },
	{ "answers_stay", "an answer never changed, to the byte", answers_stay },
	{ "all_agree", "buyers, server and books tell the same", all_agree },
	{ "books_balance", "the books balance", books_balance },
};

int pawl__demo_broken(const struct demo_counts *c)
{
	int broken = 0;

	for (int i = 0; i < DEMO_PROMISES; i++)
		broken += pawl__demo_promises[i].held(c) ? 0 : 1;
	return broken;
}
