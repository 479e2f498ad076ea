/* SPDX-License-Identifier: Apache-2.0 */
/* Lists that were read: invariant 4 of race/check/history.h. */
#include "race/check/columns.h"

#define LIST_FIRST 8

static bool scratch_push(struct builder *b, int64_t v)
{
	if (b->scratch_len == b->scratch_cap) {
		const size_t cap = b->scratch_cap == 0 ? CAP_FIRST : b->scratch_cap * 2;

		if (!GROW(b, b->scratch, cap))
			return false;
		b->scratch_cap = cap;
	}
	b->scratch[b->scratch_len++] = v;
	return true;
}

/* A text behind which an element can't go on. */
static bool ends_element(char c)
{
	return c == ' ' || c == ',' || c == ']' || c == ')' || c == '}' || c == '\n' || c == '\t';
}

bool pawl__builder_list_begin(struct builder *b, struct list_reader *r, uint32_t key, bool ok,
                              const char **at)
{
	const struct list_text *text;

	if (key == HISTORY_NONE || !pawl__builder_lists_on(b))
		return false;
	*r = (struct list_reader){ .main = &b->h->list[key], .key = key, .ok = ok, .text = *at };
	r->begun = r->main->len;
	text = &b->text[key];
	if (text->len > 0 && (size_t)(b->end - *at) > text->len &&
	    memcmp(text->at, *at, text->len) == 0 && ends_element((*at)[text->len])) {
		r->matched = r->begun;
		*at += text->len;
	}
	b->scratch_len = 0;
	return true;
}

static bool list_apart(struct builder *b, struct list_reader *r)
{
	r->apart = true;
	for (uint32_t i = 0; i < r->matched; i++) {
		if (!scratch_push(b, r->main->at[i]))
			return false;
	}
	return true;
}

bool pawl__builder_list_push_slow(struct builder *b, struct list_reader *r, int64_t v)
{
	struct history_list *main = r->main;

	if (b->error != NULL)
		return false;
	if ((r->apart ? b->scratch_len : r->matched) >= HISTORY_LIST_MAX)
		return pawl__columns_full(b, "a list is over the limit");
	if (!r->apart && (r->matched < r->begun || !r->ok) && !list_apart(b, r))
		return false;
	if (r->apart)
		return scratch_push(b, v);
	if (r->matched == main->cap) {
		const uint32_t cap = main->cap == 0 ? LIST_FIRST : main->cap * 2;
		int64_t *bigger = pawl__arena_alloc(&b->h->arena, (size_t)cap * sizeof(*bigger));

		if (bigger == NULL) {
			(void)pawl__builder_error(b, PAWL_E_NOMEM, NULL, "out of memory");
			return false;
		}
		if (r->matched > 0)
			memcpy(bigger, main->at, r->matched * sizeof(*bigger));
		main->at = bigger;
		main->cap = cap;
	}
	main->at[r->matched++] = v;
	return true;
}

static bool apart_add(struct builder *b, int64_t *ret)
{
	struct history *h = b->h;
	const size_t bytes = b->scratch_len * sizeof(int64_t);
	int64_t *at;

	if (h->apart_len == b->apart_cap) {
		const size_t cap = b->apart_cap == 0 ? CAP_FIRST : b->apart_cap * 2;

		if (!GROW(b, h->apart, cap))
			return false;
		b->apart_cap = cap;
	}
	at = pawl__arena_alloc(&h->arena, bytes);
	if (at == NULL) {
		(void)pawl__builder_error(b, PAWL_E_NOMEM, NULL, "out of memory");
		return false;
	}
	memcpy(at, b->scratch, bytes);
	*ret = -1 - (int64_t)h->apart_len;
	h->apart[h->apart_len++] = (struct history_apart){ at, (uint32_t)b->scratch_len };
	return true;
}

bool pawl__builder_list_end(struct builder *b, struct list_reader *r, const char *end)
{
	int64_t v = r->matched;

	if (r->apart && !apart_add(b, &v))
		return false;
	if (!r->apart && r->matched > r->begun) {
		r->main->len = r->matched;
		b->text[r->key] = end == NULL
		                          ? (struct list_text){ 0 }
		                          : (struct list_text){ r->text, (size_t)(end - r->text) };
	}
	if (!builder_mop(b, HF_READ, r->key, v))
		return false;
	b->h->mop_list[b->h->mops_len - 1] = 1;
	return true;
}
