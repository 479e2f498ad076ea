/* SPDX-License-Identifier: Apache-2.0 */
#include "race/check/list.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "race/check/table.h"

void pawl__list_deinit(struct list_index *x)
{
	free(x->order);
	free(x->base);
	free(x->elem);
	free(x->pos);
	free(x->row);
	free(x->flags);
	free(x->unread_mop);
	free(x->slots);
	free(x->failed);
	free(x->garbage);
	*x = (struct list_index){ 0 };
}

static enum pawl_status no_memory(struct pawl_error *err)
{
	return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
}

/* Rows of micro-operations, and whether these are what the model knows. */
static enum pawl_status rows_make(struct list_index *x, struct pawl_error *err)
{
	const struct history *h = x->h;

	for (uint32_t i = 0; i < h->ops_len; i++) {
		for (uint32_t m = h->mop_first[i]; m < h->mop_first[i] + h->mop_len[i]; m++) {
			x->row[m] = i;
			if (h->mop_f[m] == HF_APPEND && !history_is_list(h, m))
				continue;
			if (h->mop_f[m] != HF_READ)
				return pawl__error_set(err, PAWL_E_INVALID,
				                       "line %u: operations of list-append read "
				                       "and append only",
				                       h->line[i]);
			if (h->type[i] == HT_OK && !history_is_list(h, m) &&
			    !value_is_nil(h->mop_val[m]))
				return pawl__error_set(err, PAWL_E_INVALID,
				                       "line %u: a read of list-append returns a "
				                       "list or nil",
				                       h->line[i]);
		}
	}
	return PAWL_OK;
}

static uint64_t slot_of(const struct list_index *x, uint32_t key, int64_t value)
{
	return table_pair(key, (uint64_t)value) & x->slots_mask;
}

uint32_t pawl__list_find(const struct list_index *x, uint32_t key, int64_t value)
{
	const struct history *h = x->h;
	uint64_t i = slot_of(x, key, value);

	while (x->slots[i] != LIST_NONE &&
	       (h->mop_val[x->slots[i]] != value || h->mop_key[x->slots[i]] != key))
		i = (i + 1) & x->slots_mask;
	return x->slots[i];
}

static bool slots_make(struct list_index *x)
{
	const struct history *h = x->h;
	uint64_t appends = 0, slots = 16;

	for (uint32_t m = 0; m < h->mops_len; m++)
		appends += h->mop_f[m] == HF_APPEND;
	while (slots < appends * 2)
		slots *= 2;
	x->slots_mask = slots - 1;
	x->slots = malloc(slots * sizeof(*x->slots));
	if (x->slots == NULL)
		return false;
	memset(x->slots, 0xff, slots * sizeof(*x->slots));
	for (uint32_t m = 0; m < h->mops_len; m++) {
		uint64_t i;

		if (h->mop_f[m] != HF_APPEND || x->row[m] == LIST_NONE)
			continue;
		i = slot_of(x, h->mop_key[m], h->mop_val[m]);
		while (x->slots[i] != LIST_NONE && (h->mop_val[x->slots[i]] != h->mop_val[m] ||
		                                    h->mop_key[x->slots[i]] != h->mop_key[m]))
			i = (i + 1) & x->slots_mask;
		if (x->slots[i] != LIST_NONE && x->twice_a == LIST_NONE) {
			x->twice_a = x->slots[i];
			x->twice_b = m;
		}
		x->slots[i] = m;
	}
	return true;
}

/* The longest list of every key. Lists that did not fit compete with the main one. */
static bool orders_make(struct list_index *x)
{
	const struct history *h = x->h;

	x->order = calloc((size_t)h->keys_len + 1, sizeof(*x->order));
	x->base = calloc((size_t)h->keys_len + 1, sizeof(*x->base));
	if (x->order == NULL || x->base == NULL)
		return false;
	for (uint32_t k = 0; k < h->keys_len; k++) {
		struct list_order *o = &x->order[k];

		*o = (struct list_order){ .main = true, .twice = LIST_NONE };
		if (h->list != NULL) {
			o->at = h->list[k].at;
			o->len = h->list[k].len;
		}
	}
	for (uint32_t m = 0; m < h->mops_len && h->apart_len > 0; m++) {
		struct list_order *o = &x->order[h->mop_key[m]];
		uint32_t len;
		const int64_t *at;

		if (x->row[m] == LIST_NONE || h->type[x->row[m]] != HT_OK ||
		    !history_is_list(h, m) || history_is_prefix(h, m))
			continue;
		at = history_list_at(h, m, &len);
		o->apart = true;
		if (len > o->len) {
			o->main = false;
			o->at = at;
			o->len = len;
		}
	}
	for (uint32_t k = 0; k < h->keys_len; k++)
		x->base[k + 1] = x->base[k] + x->order[k].len;
	return true;
}

/* An element that nobody appended. */
struct stray {
	int64_t value;
	uint32_t key, place;
};

static int by_element(const void *pa, const void *pb)
{
	const struct stray *a = pa, *b = pb;

	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	if (a->value != b->value)
		return a->value < b->value ? -1 : 1;
	return a->place < b->place ? -1 : a->place > b->place;
}

static void twice_at(struct list_order *o, uint32_t place)
{
	if (o->twice == LIST_NONE || place < o->twice)
		o->twice = place;
}

/* Which of the elements that nobody appended stand in their order twice. */
static bool garbage_twice(struct list_index *x)
{
	struct stray *list = malloc(((size_t)x->garbage_len + 1) * sizeof(*list));
	uint32_t k = 0;

	if (list == NULL)
		return false;
	for (uint32_t i = 0; i < x->garbage_len; i++) {
		while (x->base[k + 1] <= x->garbage[i])
			k++;
		list[i].key = k;
		list[i].place = (uint32_t)(x->garbage[i] - x->base[k]);
		list[i].value = x->order[k].at[list[i].place];
	}
	qsort(list, x->garbage_len, sizeof(*list), by_element);
	for (uint32_t i = 1; i < x->garbage_len; i++) {
		if (list[i].key == list[i - 1].key && list[i].value == list[i - 1].value)
			twice_at(&x->order[list[i].key], list[i].place);
	}
	free(list);
	return true;
}

static void key_places(struct list_index *x, uint32_t k, bool keep)
{
	const struct history *h = x->h;
	struct list_order *o = &x->order[k];

	for (uint32_t p = 0; p < o->len; p++) {
		const uint64_t at = x->base[k] + p;
		const uint32_t m = keep ? x->elem[at] : pawl__list_find(x, k, o->at[p]);

		if (keep && m == LIST_NONE)
			x->garbage[x->garbage_len++] = at;
		else if (keep && h->type[x->row[m]] == HT_FAIL)
			x->failed[x->failed_len++] = at;
		if (keep)
			continue;
		x->elem[at] = m;
		if (m == LIST_NONE)
			x->garbage_len++;
		else if (x->pos[m] == LIST_NONE)
			x->pos[m] = p;
		else
			twice_at(o, p);
		if (m != LIST_NONE && h->type[x->row[m]] == HT_FAIL)
			x->failed_len++;
	}
}

/* Which append wrote each place, and the place of each append. */
static bool places_make(struct list_index *x)
{
	const struct history *h = x->h;

	x->elem = malloc((x->base[h->keys_len] + 1) * sizeof(*x->elem));
	if (x->elem == NULL)
		return false;
	for (uint32_t k = 0; k < h->keys_len; k++)
		key_places(x, k, false);
	x->failed = malloc(((size_t)x->failed_len + 1) * sizeof(*x->failed));
	x->garbage = malloc(((size_t)x->garbage_len + 1) * sizeof(*x->garbage));
	if (x->failed == NULL || x->garbage == NULL)
		return false;
	if (x->failed_len + x->garbage_len == 0)
		return true;
	x->failed_len = x->garbage_len = 0;
	for (uint32_t k = 0; k < h->keys_len; k++)
		key_places(x, k, true);
	return garbage_twice(x);
}

/* The version that a read saw: what its last element made. */
static uint32_t version_of(const struct list_index *x, uint32_t m)
{
	const struct history *h = x->h;
	const uint32_t key = h->mop_key[m];
	uint32_t len, append;
	const int64_t *at = list_read(x, m, &len);

	if (len == 0)
		return 0;
	if (x->order[key].main && history_is_prefix(h, m)) {
		append = x->elem[x->base[key] + len - 1];
		return append == LIST_NONE ? len : x->pos[append] + 1;
	}
	append = pawl__list_find(x, key, at[len - 1]);
	return append == LIST_NONE || x->pos[append] == LIST_NONE ? LIST_NONE : x->pos[append] + 1;
}

/* Versions of reads, and appends that nobody read by key. */
static bool versions_make(struct list_index *x)
{
	const struct history *h = x->h;
	uint32_t sum = 0;

	for (uint32_t m = 0; m < h->mops_len; m++) {
		const uint32_t key = h->mop_key[m], row = x->row[m];

		if (row == LIST_NONE || h->type[row] == HT_FAIL)
			continue;
		if (h->mop_f[m] == HF_APPEND) {
			x->order[key].unread += x->pos[m] == LIST_NONE;
			sum += x->pos[m] == LIST_NONE;
		} else if (h->type[row] == HT_OK) {
			x->pos[m] = version_of(x, m);
			x->order[key].readers += x->pos[m] == x->order[key].len;
		}
	}
	x->unread_mop = malloc(((size_t)sum + 1) * sizeof(*x->unread_mop));
	if (x->unread_mop == NULL)
		return false;
	sum = 0;
	for (uint32_t k = 0; k <= h->keys_len; k++) {
		const uint32_t n = x->order[k].unread;

		x->order[k].unread = sum;
		sum += n;
	}
	for (uint32_t m = 0; m < h->mops_len; m++) {
		if (x->row[m] != LIST_NONE && h->type[x->row[m]] != HT_FAIL &&
		    h->mop_f[m] == HF_APPEND && x->pos[m] == LIST_NONE)
			x->unread_mop[x->order[h->mop_key[m]].unread++] = m;
	}
	for (uint32_t k = h->keys_len; k > 0; k--)
		x->order[k].unread = x->order[k - 1].unread;
	x->order[0].unread = 0;
	return true;
}

/* The last append to a key, while the rows go by. */
struct seen {
	uint32_t row, mop;
};

static bool flags_make(struct list_index *x)
{
	const struct history *h = x->h;
	struct seen *seen = malloc(((size_t)h->keys_len + 1) * sizeof(*seen));

	if (seen == NULL)
		return false;
	memset(seen, 0xff, ((size_t)h->keys_len + 1) * sizeof(*seen));
	for (uint32_t i = 0; i < h->ops_len; i++) {
		const uint32_t first = h->mop_first[i], end = first + h->mop_len[i];

		for (uint32_t m = first; m < end; m++) {
			struct seen *s = &seen[h->mop_key[m]];

			if (h->mop_f[m] != HF_APPEND)
				continue;
			if (s->row == i)
				x->flags[s->mop] |= LIST_INTERMEDIATE;
			s->row = i;
			s->mop = m;
		}
	}
	free(seen);
	return true;
}

enum pawl_status pawl__list_init(struct list_index *x, const struct history *h,
                                 struct pawl_error *err)
{
	const size_t mops = (size_t)h->mops_len + 1;
	enum pawl_status st;

	*x = (struct list_index){ .h = h, .twice_a = LIST_NONE, .twice_b = LIST_NONE };
	x->row = malloc(mops * sizeof(*x->row));
	x->pos = malloc(mops * sizeof(*x->pos));
	x->flags = calloc(mops, 1);
	if (x->row == NULL || x->pos == NULL || x->flags == NULL)
		return no_memory(err);
	/* Mops that belong to no row stay marked as such. */
	memset(x->row, 0xff, mops * sizeof(*x->row));
	memset(x->pos, 0xff, mops * sizeof(*x->pos));
	st = rows_make(x, err);
	if (st != PAWL_OK)
		return st;
	if (!slots_make(x))
		return no_memory(err);
	if (x->twice_a != LIST_NONE)
		return PAWL_OK;
	if (!orders_make(x) || !places_make(x) || !versions_make(x) || !flags_make(x))
		return no_memory(err);
	return PAWL_OK;
}
