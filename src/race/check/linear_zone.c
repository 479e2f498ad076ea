/* SPDX-License-Identifier: Apache-2.0 */
#include "race/check/linear_zone.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "race/check/table.h"

/* The operations of one value. Times are places in events, from 1; the initial value's write began
 * and returned at 0. */
struct zone {
	uint32_t first_ret;
	uint32_t last_inv;
	uint32_t write_inv;
	uint32_t first_read_ret;
	/* Which operations these are; LIN_NONE for the initial value's write */
	uint32_t first, last, write, first_read;
	bool written;
};

struct zones {
	const struct lin_problem *p;
	struct table by_value; /* value -> zone */
	struct zone *at;       /* owned; by value; the initial one is 0 */
	struct zone *forward;  /* owned; by first_ret */
	uint32_t *inv, *ret;   /* owned; by operation */
	uint32_t len, forward_len;
};

static void zones_deinit(struct zones *z)
{
	table_deinit(&z->by_value);
	free(z->at);
	free(z->forward);
	free(z->inv);
	free(z->ret);
}

static bool plain(const struct lin_problem *p)
{
	uint32_t i;

	if (p->cells != 1 || p->initial_len != 1 || p->texts != NULL)
		return false;
	for (i = 0; i < p->ops_len; i++) {
		const struct lin_step *st = &p->steps[p->ops[i].first];

		if (p->ops[i].count != 1 || (st->kind != LIN_READ && st->kind != LIN_WRITE))
			return false;
	}
	return true;
}

static struct zone *zone_of(struct zones *z, uint32_t value)
{
	uint32_t *slot = table_put(&z->by_value, value);

	if (slot == NULL)
		return NULL;
	if (*slot == TABLE_NONE) {
		z->at[z->len] = (struct zone){
			.first_ret = LIN_NONE,
			.first_read_ret = LIN_NONE,
			.first = LIN_NONE,
			.last = LIN_NONE,
			.write = LIN_NONE,
		};
		*slot = z->len++;
	}
	return &z->at[*slot];
}

/* Sets *ret_unique to false where a value is written twice. False: no memory. */
static bool zones_read(struct zones *z, bool *ret_unique)
{
	const struct lin_problem *p = z->p;
	struct zone *zone = zone_of(z, p->initial[0]);
	uint32_t i;

	if (zone == NULL)
		return false;
	zone->written = true;
	zone->first_ret = 0;
	for (i = 0; i < p->ops_len; i++) {
		const struct lin_step *st = &p->steps[p->ops[i].first];

		if (st->kind == LIN_READ && (st->a == LIN_ANY || p->ops[i].crashed))
			continue;
		zone = zone_of(z, st->a);
		if (zone == NULL)
			return false;
		if (st->kind == LIN_WRITE) {
			*ret_unique = *ret_unique && !zone->written;
			zone->written = true;
			zone->write_inv = z->inv[i];
			zone->write = i;
		} else if (z->ret[i] < zone->first_read_ret) {
			zone->first_read_ret = z->ret[i];
			zone->first_read = i;
		}
		if (z->ret[i] < zone->first_ret) {
			zone->first_ret = z->ret[i];
			zone->first = i;
		}
		if (z->inv[i] > zone->last_inv) {
			zone->last_inv = z->inv[i];
			zone->last = i;
		}
	}
	return true;
}

static int by_first_ret(const void *a, const void *b)
{
	const uint32_t x = ((const struct zone *)a)->first_ret;
	const uint32_t y = ((const struct zone *)b)->first_ret;

	return (x > y) - (x < y);
}

static bool is_forward(const struct zone *zone)
{
	return zone->first_ret < zone->last_inv;
}

/* The last forward zone that begins before t; NULL: none. */
static const struct zone *forward_before(const struct zones *z, uint32_t t)
{
	uint32_t low = 0, high = z->forward_len;

	while (low < high) {
		const uint32_t mid = low + (high - low) / 2;

		if (z->forward[mid].first_ret < t)
			low = mid + 1;
		else
			high = mid;
	}
	return low == 0 ? NULL : &z->forward[low - 1];
}

/* The time from which a conflict shows: when the later of the two is over. */
static void conflict_keep(struct lin_conflict *best, uint32_t *best_at, uint32_t at,
                          struct lin_conflict c)
{
	if (at >= *best_at)
		return;
	*best_at = at;
	*best = c;
}

static uint32_t later(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* Values that nobody wrote, or that were read too early; the others that stand are put aside. */
static uint32_t values_fit(struct zones *z, struct lin_conflict *why)
{
	uint32_t at = LIN_NONE, i;

	for (i = 0; i < z->len; i++) {
		const struct zone *v = &z->at[i];

		if (!v->written)
			conflict_keep(why, &at, v->first_read_ret,
			              (struct lin_conflict){ LIN_UNWRITTEN, { v->first_read } });
		else if (v->first_read_ret < v->write_inv)
			conflict_keep(
				why, &at, v->write_inv,
				(struct lin_conflict){ LIN_EARLY, { v->first_read, v->write } });
		if (is_forward(v))
			z->forward[z->forward_len++] = *v;
	}
	qsort(z->forward, z->forward_len, sizeof(*z->forward), by_first_ret);
	return at;
}

static bool zones_fit(struct zones *z, struct lin_conflict *why)
{
	uint32_t at = values_fit(z, why), i;

	if (at != LIN_NONE)
		return false;
	for (i = 1; i < z->forward_len; i++) {
		const struct zone *a = &z->forward[i - 1], *b = &z->forward[i];

		if (a->last_inv > b->first_ret)
			conflict_keep(
				why, &at, later(a->last_inv, b->last_inv),
				(struct lin_conflict){ LIN_OVERLAP,
			                               { a->first, a->last, b->first, b->last } });
	}
	for (i = 0; i < z->len; i++) {
		const struct zone *b = &z->at[i];
		const struct zone *a = is_forward(b) ? NULL : forward_before(z, b->last_inv);

		/* A crashed write that nobody read never happened: its return is never. */
		if (a != NULL && a->last_inv > b->first_ret)
			conflict_keep(
				why, &at, a->last_inv,
				(struct lin_conflict){ LIN_INSIDE,
			                               { a->first, a->last, b->last, b->first } });
	}
	return at == LIN_NONE;
}

enum pawl_status pawl__lin_zone_check(const struct lin_problem *p, enum lin_zone *ret,
                                      struct lin_conflict *ret_why, struct pawl_error *err)
{
	PAWL_CLEANUP(zones_deinit) struct zones z = { .p = p };
	bool unique = true, memory;
	uint32_t i;

	*ret = LIN_ZONE_OTHER;
	if (!plain(p))
		return PAWL_OK;
	z.at = malloc(((size_t)p->ops_len + 1) * sizeof(*z.at));
	z.forward = malloc(((size_t)p->ops_len + 1) * sizeof(*z.forward));
	z.inv = malloc(((size_t)p->ops_len + 1) * sizeof(*z.inv));
	z.ret = malloc(((size_t)p->ops_len + 1) * sizeof(*z.ret));
	memory = z.at != NULL && z.forward != NULL && z.inv != NULL && z.ret != NULL &&
	         table_init(&z.by_value, p->ops_len / 2);
	if (memory) {
		memset(z.ret, 0xff, p->ops_len * sizeof(*z.ret));
		for (i = 0; i < p->events_len; i++)
			(p->events[i] % 2 == 0 ? z.inv : z.ret)[p->events[i] / 2] = i + 1;
		memory = zones_read(&z, &unique);
	}
	if (!memory)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for the zones");
	if (unique)
		*ret = zones_fit(&z, ret_why) ? LIN_ZONE_VALID : LIN_ZONE_INVALID;
	return PAWL_OK;
}
