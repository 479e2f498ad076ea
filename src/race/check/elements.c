/* SPDX-License-Identifier: Apache-2.0 */
#include "race/check/elements.h"

#include <stdlib.h>

#include "base/error.h"

bool pawl__elements_init(struct elements *e)
{
	*e = (struct elements){ 0 };
	return table_init(&e->by_hash, 0);
}

void pawl__elements_deinit(struct elements *e)
{
	table_deinit(&e->by_hash);
	free(e->at);
	*e = (struct elements){ 0 };
}

static uint32_t chain_find(const struct elements *e, uint32_t i, uint32_t key, int64_t value)
{
	while (i != ELEMENTS_NONE && (e->at[i].key != key || e->at[i].value != value))
		i = e->at[i].next;
	return i;
}

uint32_t pawl__elements_find(const struct elements *e, uint32_t key, int64_t value)
{
	return chain_find(e, table_get(&e->by_hash, table_pair(key, (uint64_t)value)), key, value);
}

uint32_t pawl__elements_put(struct elements *e, uint32_t key, int64_t value)
{
	uint32_t *slot = table_put(&e->by_hash, table_pair(key, (uint64_t)value));
	uint32_t had;

	if (slot == NULL)
		return ELEMENTS_NONE;
	had = chain_find(e, *slot, key, value);
	if (had != ELEMENTS_NONE)
		return had;
	if (e->len == e->cap) {
		const uint32_t cap = e->cap == 0 ? 256 : e->cap * 2;
		struct element *at =
			e->len >= ELEMENTS_MAX ? NULL : realloc(e->at, cap * sizeof(*at));

		if (at == NULL)
			return ELEMENTS_NONE;
		e->at = at;
		e->cap = cap;
	}
	e->at[e->len] = (struct element){ .value = value, .key = key, .next = *slot };
	*slot = e->len;
	return e->len++;
}

enum pawl_status pawl__elements_rows(const struct history *h, struct pawl_error *err)
{
	uint32_t row;

	for (row = 0; row < h->ops_len; row++) {
		const uint32_t m = h->mop_first[row];
		const char *what = NULL;

		if (h->f[row] != HF_READ && h->f[row] != HF_ADD)
			what = "a set has reads and additions";
		else if (h->f[row] == HF_ADD && (h->mop_len[row] != 1 || history_is_list(h, m)))
			what = "one value is added at a time";
		else if (h->f[row] == HF_READ && h->type[row] == HT_OK && h->mop_len[row] > 1)
			what = "what a set shows is a collection";
		else if (h->f[row] == HF_READ && h->type[row] == HT_OK && h->mop_len[row] == 1 &&
		         !history_is_list(h, m) && !value_is_nil(h->mop_val[m]))
			what = "what a set shows is a collection";
		if (what != NULL)
			return pawl__error_set(err, PAWL_E_INVALID, "line %u: %s", h->line[row],
			                       what);
	}
	return PAWL_OK;
}

bool pawl__elements_said(const struct history *h, uint32_t row)
{
	return h->mop_len[row] == 1 && history_is_list(h, h->mop_first[row]);
}

const int64_t *pawl__elements_read(const struct history *h, uint32_t row, uint32_t *ret_len)
{
	*ret_len = 0;
	return pawl__elements_said(h, row) ? history_list_at(h, h->mop_first[row], ret_len) : NULL;
}
