/* SPDX-License-Identifier: Apache-2.0 */
#include "race/check/columns.h"

bool pawl__columns_full(struct builder *b, const char *text)
{
	(void)pawl__builder_error(b, PAWL_E_TOO_LARGE, NULL, text);
	return false;
}

/* Names */

static uint64_t hash_text(enum history_name_kind kind, struct str s)
{
	uint64_t x = (uint64_t)kind * UINT64_C(0x9e3779b97f4a7c15) + s.len;
	size_t i = 0;

	for (; i + 8 <= s.len; i += 8) {
		uint64_t word;

		memcpy(&word, s.ptr + i, sizeof(word));
		x = table_mix(x ^ word);
	}
	if (i < s.len) {
		uint64_t word = 0;

		memcpy(&word, s.ptr + i, s.len - i);
		x = table_mix(x ^ word);
	}
	return x;
}

static uint32_t name_add(struct builder *b, enum history_name_kind kind, struct str text)
{
	struct history *h = b->h;
	struct str kept;

	if (h->names_len == b->names_cap) {
		const size_t cap = b->names_cap == 0 ? CAP_FIRST : b->names_cap * 2;

		if (h->names_len >= HISTORY_NAMES_MAX || !GROW(b, h->name, cap) ||
		    !GROW(b, b->name_next, cap)) {
			(void)pawl__columns_full(b, "too many different values");
			return HISTORY_NONE;
		}
		b->names_cap = cap;
	}
	kept = pawl__arena_str(&h->arena, text);
	if (h->arena.failed) {
		(void)pawl__builder_error(b, PAWL_E_NOMEM, NULL, "out of memory");
		return HISTORY_NONE;
	}
	h->name[h->names_len] = (struct history_name){ kept, kind };
	b->name_next[h->names_len] = HISTORY_NONE;
	return h->names_len++;
}

int64_t pawl__builder_name(struct builder *b, enum history_name_kind kind, struct str text)
{
	uint32_t *slot, last = HISTORY_NONE, i;

	if (text.len > HISTORY_TEXT_MAX) {
		(void)pawl__columns_full(b, "a value is over the limit of 16 MiB");
		return VALUE_NIL;
	}
	slot = table_put(&b->names, hash_text(kind, text));
	if (slot == NULL) {
		(void)pawl__builder_error(b, PAWL_E_NOMEM, NULL, "out of memory");
		return VALUE_NIL;
	}
	for (i = *slot; i != HISTORY_NONE; i = b->name_next[i]) {
		if (b->h->name[i].kind == kind && str_eq(b->h->name[i].text, text))
			return VALUE_NAME(i);
		last = i;
	}
	i = name_add(b, kind, text);
	if (i == HISTORY_NONE)
		return VALUE_NIL;
	if (last == HISTORY_NONE)
		*slot = i;
	else
		b->name_next[last] = i;
	return VALUE_NAME(i);
}

/* Keys, processes */

static bool keys_grow(struct builder *b)
{
	struct history *h = b->h;
	const size_t cap = b->keys_cap == 0 ? CAP_FIRST : b->keys_cap * 2;

	if (h->keys_len >= HISTORY_KEYS_MAX)
		return pawl__columns_full(b, "too many keys");
	if (!GROW(b, h->key, cap))
		return false;
	if (h->mop_list != NULL) {
		if (!GROW(b, h->list, cap) || !GROW(b, b->text, cap))
			return false;
		memset(h->list + b->keys_cap, 0, (cap - b->keys_cap) * sizeof(*h->list));
		memset(b->text + b->keys_cap, 0, (cap - b->keys_cap) * sizeof(*b->text));
	}
	b->keys_cap = cap;
	return true;
}

uint32_t pawl__builder_key_slow(struct builder *b, int64_t value)
{
	struct history *h = b->h;
	uint32_t *slot;

	if (b->error != NULL)
		return HISTORY_NONE;
	if (value >= 0 && value < BUILDER_SMALL)
		slot = &b->small_key[value];
	else
		slot = table_put(&b->keys, (uint64_t)value);
	if (slot == NULL) {
		(void)pawl__builder_error(b, PAWL_E_NOMEM, NULL, "out of memory");
		return HISTORY_NONE;
	}
	if (*slot != HISTORY_NONE)
		return *slot;
	if (h->keys_len == b->keys_cap && !keys_grow(b))
		return HISTORY_NONE;
	h->key[h->keys_len] = value;
	*slot = h->keys_len;
	return h->keys_len++;
}

uint32_t pawl__columns_process_new(struct builder *b, int64_t value)
{
	struct history *h = b->h;

	if (h->processes_len == b->processes_cap) {
		const size_t cap = b->processes_cap == 0 ? CAP_FIRST : b->processes_cap * 2;

		if (!GROW(b, h->process_name, cap) || !GROW(b, b->open, cap))
			return HISTORY_NONE;
		b->processes_cap = cap;
	}
	h->process_name[h->processes_len] = value;
	b->open[h->processes_len] = (struct open_row){ .row = HISTORY_NONE, .below = HISTORY_NONE };
	return h->processes_len++;
}

uint32_t pawl__columns_process(struct builder *b, int64_t value)
{
	uint32_t *slot;

	if (value >= 0 && value < BUILDER_SMALL)
		slot = &b->small_process[value];
	else
		slot = table_put(&b->processes, (uint64_t)value);
	if (slot == NULL) {
		(void)pawl__builder_error(b, PAWL_E_NOMEM, NULL, "out of memory");
		return HISTORY_NONE;
	}
	if (*slot == HISTORY_NONE)
		*slot = pawl__columns_process_new(b, value);
	return *slot;
}

/* Columns */

bool pawl__builder_mops_grow(struct builder *b)
{
	struct history *h = b->h;
	const size_t cap = b->mops_cap == 0 ? CAP_FIRST : b->mops_cap * 2;

	if (h->mops_len >= HISTORY_MOPS_MAX)
		return pawl__columns_full(b, "too many micro-operations");
	if (!GROW(b, h->mop_f, cap) || !GROW(b, h->mop_key, cap) || !GROW(b, h->mop_val, cap))
		return false;
	if (h->mop_list != NULL && !GROW(b, h->mop_list, cap))
		return false;
	b->mops_cap = cap;
	return true;
}

bool pawl__builder_lists_on(struct builder *b)
{
	struct history *h = b->h;

	if (h->mop_list != NULL)
		return true;
	if (b->mops_cap == 0 && !pawl__builder_mops_grow(b))
		return false;
	if (b->keys_cap == 0 && !keys_grow(b))
		return false;
	if (!GROW(b, h->list, b->keys_cap) || !GROW(b, b->text, b->keys_cap) ||
	    !GROW(b, h->mop_list, b->mops_cap))
		return false;
	memset(h->list, 0, b->keys_cap * sizeof(*h->list));
	memset(b->text, 0, b->keys_cap * sizeof(*b->text));
	memset(h->mop_list, 0, b->mops_cap);
	return true;
}

static bool times_grow(struct builder *b, size_t cap)
{
	return GROW(b, b->h->time, cap) && GROW(b, b->h->ret_time, cap);
}

static bool places_grow(struct builder *b, size_t cap)
{
	struct history *h = b->h;

	return GROW(b, h->inv, cap) && GROW(b, h->ret, cap) && GROW(b, h->mop_first, cap) &&
	       GROW(b, h->mop_len, cap);
}

static bool facts_grow(struct builder *b, size_t cap)
{
	struct history *h = b->h;

	return GROW(b, h->process, cap) && GROW(b, h->line, cap) && GROW(b, h->type, cap) &&
	       GROW(b, h->f, cap);
}

static bool ops_grow(struct builder *b)
{
	const size_t cap = b->ops_cap == 0 ? CAP_FIRST : b->ops_cap * 2;

	if (b->h->ops_len >= HISTORY_OPS_MAX)
		return pawl__columns_full(b, "too many operations");
	if (!places_grow(b, cap) || !facts_grow(b, cap) ||
	    (b->h->time != NULL && !times_grow(b, cap)))
		return false;
	b->ops_cap = cap;
	return true;
}

bool pawl__columns_times(struct builder *b)
{
	struct history *h = b->h;

	if (!times_grow(b, b->ops_cap))
		return false;
	for (uint32_t i = 0; i < h->ops_len; i++)
		h->time[i] = h->ret_time[i] = INT64_MIN;
	return true;
}

bool pawl__columns_event(struct builder *b, uint32_t row, bool completion)
{
	struct history *h = b->h;

	if (h->events_len == b->events_cap) {
		const size_t cap = b->events_cap == 0 ? CAP_FIRST : b->events_cap * 2;

		if (h->events_len >= HISTORY_OPS_MAX)
			return pawl__columns_full(b, "too many events");
		if (!GROW(b, h->event, cap))
			return false;
		b->events_cap = cap;
	}
	h->event[h->events_len++] = row << 1 | (completion ? 1U : 0U);
	return true;
}

uint32_t pawl__columns_line(struct builder *b, const char *at)
{
	uint32_t n = 0;

	for (const char *p = b->line_at; p < at; p++)
		n += *p == '\n';
	b->line += n;
	b->line_at = at > b->line_at ? at : b->line_at;
	return b->line;
}

bool pawl__columns_row(struct builder *b, uint32_t process, const char *at, uint32_t *ret)
{
	struct history *h = b->h;
	const uint32_t i = h->ops_len;

	if (process == HISTORY_NONE)
		return false;
	if (h->ops_len == b->ops_cap && !ops_grow(b))
		return false;
	h->inv[i] = h->events_len;
	h->ret[i] = HISTORY_NEVER;
	h->mop_first[i] = h->mops_len;
	h->mop_len[i] = 0;
	h->process[i] = process;
	h->line[i] = pawl__columns_line(b, at);
	h->type[i] = HT_INFO;
	h->f[i] = HF_OTHER;
	if (h->time != NULL)
		h->time[i] = h->ret_time[i] = INT64_MIN;
	h->ops_len++;
	*ret = i;
	return true;
}
