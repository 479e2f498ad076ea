/* SPDX-License-Identifier: Apache-2.0 */
#include "race/check/builder.h"

#include <stdlib.h>

#include "base/error.h"

#define CAP_FIRST   ((size_t)1024)
#define ARENA_BLOCK ((size_t)256 << 10)
#define UNNAMED_MAX ((size_t)1 << 20)
#define LIST_FIRST  8u
#define NESTED_MAX  256 /* operations begun by a process that had one open */

/* Make room for n elements; the old array stays when there is no memory. */
#define GROW(b, p, n)                                                                              \
	({                                                                                         \
		__typeof__(p) grown_ = realloc((p), (n) * sizeof(*(p)));                           \
		if (grown_ != NULL)                                                                \
			(p) = grown_;                                                              \
		else                                                                               \
			(void)pawl__builder_error((b), PAWL_E_NOMEM, NULL, "out of memory");       \
		grown_ != NULL;                                                                    \
	})

const char *pawl__builder_error(struct builder *b, enum pawl_status st, const char *at,
                                const char *text)
{
	if (b->error != NULL)
		return NULL;
	b->error = text;
	b->error_at = at;
	b->status = st;
	return NULL;
}

static bool too_large(struct builder *b, const char *text)
{
	(void)pawl__builder_error(b, PAWL_E_TOO_LARGE, NULL, text);
	return false;
}

enum pawl_status pawl__builder_init(struct builder *b, const char *bytes, size_t len,
                                    const struct history_options *o, struct pawl_error *err)
{
	const size_t small = (size_t)BUILDER_SMALL * sizeof(uint32_t);

	*b = (struct builder){
		.start = bytes, .end = bytes + len, .line_at = bytes, .line = 1, .lists = o->lists
	};
	b->h = calloc(1, sizeof(*b->h));
	b->small_key = malloc(small);
	b->small_process = malloc(small);
	if (b->h == NULL || b->small_key == NULL || b->small_process == NULL ||
	    !table_init(&b->keys, 0) || !table_init(&b->processes, 0) || !table_init(&b->names, 0))
		return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
	memset(b->small_key, 0xff, small);
	memset(b->small_process, 0xff, small);
	pawl__arena_init(&b->h->arena, ARENA_BLOCK, SIZE_MAX);
	b->h->init_op = HISTORY_NONE;
	return PAWL_OK;
}

void pawl__builder_deinit(struct builder *b)
{
	pawl__history_free(b->h);
	table_deinit(&b->keys);
	table_deinit(&b->processes);
	table_deinit(&b->names);
	free(b->small_key);
	free(b->small_process);
	free(b->name_next);
	free(b->text);
	free(b->open);
	free(b->nested.at);
	for (size_t f = 0; f < HF_LEN; f++)
		free(b->unnamed[f].at);
	free(b->scratch);
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
			(void)too_large(b, "too many different values");
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
		(void)too_large(b, "a value is over the limit of 16 MiB");
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
		return too_large(b, "too many keys");
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

static uint32_t process_new(struct builder *b, int64_t value)
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

static uint32_t process_find(struct builder *b, int64_t value)
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
		*slot = process_new(b, value);
	return *slot;
}

/* Columns */

bool pawl__builder_mops_grow(struct builder *b)
{
	struct history *h = b->h;
	const size_t cap = b->mops_cap == 0 ? CAP_FIRST : b->mops_cap * 2;

	if (h->mops_len >= HISTORY_MOPS_MAX)
		return too_large(b, "too many micro-operations");
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

static bool ops_grow(struct builder *b)
{
	struct history *h = b->h;
	const size_t cap = b->ops_cap == 0 ? CAP_FIRST : b->ops_cap * 2;

	if (h->ops_len >= HISTORY_OPS_MAX)
		return too_large(b, "too many operations");
	if (!GROW(b, h->inv, cap) || !GROW(b, h->ret, cap) || !GROW(b, h->mop_first, cap) ||
	    !GROW(b, h->mop_len, cap) || !GROW(b, h->process, cap) || !GROW(b, h->line, cap) ||
	    !GROW(b, h->type, cap) || !GROW(b, h->f, cap))
		return false;
	if (h->time != NULL && (!GROW(b, h->time, cap) || !GROW(b, h->ret_time, cap)))
		return false;
	b->ops_cap = cap;
	return true;
}

static bool times_on(struct builder *b)
{
	struct history *h = b->h;

	if (!GROW(b, h->time, b->ops_cap) || !GROW(b, h->ret_time, b->ops_cap))
		return false;
	for (uint32_t i = 0; i < h->ops_len; i++)
		h->time[i] = h->ret_time[i] = INT64_MIN;
	return true;
}

static bool event_add(struct builder *b, uint32_t row, bool completion)
{
	struct history *h = b->h;

	if (h->events_len == b->events_cap) {
		const size_t cap = b->events_cap == 0 ? CAP_FIRST : b->events_cap * 2;

		if (h->events_len >= HISTORY_OPS_MAX)
			return too_large(b, "too many events");
		if (!GROW(b, h->event, cap))
			return false;
		b->events_cap = cap;
	}
	h->event[h->events_len++] = row << 1 | (completion ? 1u : 0u);
	return true;
}

static uint32_t line_of(struct builder *b, const char *at)
{
	uint32_t n = 0;

	for (const char *p = b->line_at; p < at; p++)
		n += *p == '\n';
	b->line += n;
	b->line_at = at > b->line_at ? at : b->line_at;
	return b->line;
}

static bool row_new(struct builder *b, uint32_t process, const char *at, uint32_t *ret)
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
	h->line[i] = line_of(b, at);
	h->type[i] = HT_INFO;
	h->f[i] = HF_OTHER;
	if (h->time != NULL)
		h->time[i] = h->ret_time[i] = INT64_MIN;
	h->ops_len++;
	*ret = i;
	return true;
}

/* Lists */

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
		return too_large(b, "a list is over the limit");
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

/* Events */

static bool is_nil(const char *p)
{
	return p == NULL || memcmp(p, "nil", 3) == 0 || memcmp(p, "null", 4) == 0;
}

static bool has_time(struct builder *b, const struct event *e, uint32_t row, bool invocation)
{
	if (!e->has_time)
		return true;
	if (b->h->time == NULL && !times_on(b))
		return false;
	if (invocation)
		b->h->time[row] = e->time;
	else
		b->h->ret_time[row] = e->time;
	return true;
}

static struct open_stack *stack_of(struct builder *b, const struct event *e)
{
	return &b->unnamed[e->has_f ? e->f : HF_OTHER];
}

static bool stack_push(struct builder *b, struct open_stack *s, const struct open_row *open)
{
	if (s->len == UNNAMED_MAX)
		return too_large(b, "too many open operations without a process");
	if (s->len == s->cap) {
		const size_t cap = s->cap == 0 ? 16 : s->cap * 2;

		if (!GROW(b, s->at, cap))
			return false;
		s->cap = cap;
	}
	s->at[s->len++] = *open;
	return true;
}

/*
 * A process that begins an operation before its last one has ended. Elle's own tests have such
 * transactions, and what was done tells which one a completion ends; of anything else nothing does.
 */
static bool nest(struct builder *b, uint32_t process, const struct event *e, uint32_t *ret_below)
{
	const struct open_row *open = &b->open[process];

	if ((e->has_f && e->f != HF_TXN) || b->nested.len >= NESTED_MAX) {
		(void)pawl__builder_error(
			b, PAWL_E_INVALID, e->at,
			"a process began an operation before its last one had ended");
		return false;
	}
	*ret_below = (uint32_t)b->nested.len;
	return stack_push(b, &b->nested, open);
}

static bool invocation(struct builder *b, struct event *e)
{
	struct open_row open = { .value = e->value, .key = e->key, .has_key = e->has_key };
	uint32_t process;

	b->invoked = true;
	process = e->has_process ? process_find(b, e->process) : process_new(b, VALUE_NIL);
	if (process == HISTORY_NONE)
		return false;
	open.below = HISTORY_NONE;
	if (b->open[process].row != HISTORY_NONE && !nest(b, process, e, &open.below))
		return false;
	if (!row_new(b, process, e->at, &open.row) || !event_add(b, open.row, false))
		return false;
	b->h->f[open.row] = (uint8_t)e->f;
	if (e->has_process)
		b->open[process] = open;
	else if (!stack_push(b, stack_of(b, e), &open))
		return false;
	return has_time(b, e, open.row, true);
}

/* The mops of row, from whichever of the two says more. */
static bool row_value(struct builder *b, struct event *e, const struct open_row *open,
                      enum history_type type)
{
	struct history *h = b->h;
	const uint32_t row = open->row;
	/* ":info :read :timed-out": what a read without an answer says is no value. */
	const bool own = type == HT_OK ? e->parsed || !is_nil(e->value)
	                               : is_nil(open->value) && h->f[row] != HF_READ;
	const char *value = own ? e->value : open->value;

	if (!e->has_f)
		e->f = (enum history_f)h->f[row];
	if (!e->has_key && open->has_key) {
		e->key = open->key;
		e->has_key = true;
	}
	h->mop_first[row] = e->parsed ? e->mop_first : h->mops_len;
	if (!e->parsed &&
	    b->value(b, value == NULL ? "nil" : value, e, own && type == HT_OK) == NULL)
		return false;
	h->mop_len[row] = h->mops_len - h->mop_first[row];
	h->f[row] = (uint8_t)e->f;
	h->type[row] = (uint8_t)type;
	return true;
}

/* Whether the mops from m on are those of the invocation: the same but for what was read. */
static bool same_txn(struct builder *b, uint32_t m, uint32_t len, const struct open_row *open)
{
	struct history *h = b->h;
	struct event e = { .f = HF_TXN };
	const uint32_t n = h->mops_len;
	bool same;

	if (b->value(b, open->value == NULL ? "nil" : open->value, &e, false) == NULL)
		return false;
	same = h->mops_len - n == len;
	for (uint32_t i = 0; same && i < len; i++)
		same = h->mop_f[n + i] == h->mop_f[m + i] &&
		       h->mop_key[n + i] == h->mop_key[m + i] &&
		       (h->mop_f[m + i] == HF_READ || h->mop_val[n + i] == h->mop_val[m + i]);
	h->mops_len = n;
	return same;
}

/* Take the open row of process that e ends, where several are open. */
static void unnest(struct builder *b, uint32_t process, const struct event *e, struct open_row *ret)
{
	struct history *h = b->h;
	struct open_row *at = &b->open[process];
	struct event told = *e;
	const uint32_t first = e->parsed ? e->mop_first : h->mops_len;
	const uint32_t end = h->mops_len;

	if (!e->parsed && (e->value == NULL || b->value(b, e->value, &told, false) == NULL))
		return;
	while (at != NULL && at->row != HISTORY_NONE && b->error == NULL &&
	       !same_txn(b, first, h->mops_len - first, at))
		at = at->below == HISTORY_NONE ? NULL : &b->nested.at[at->below];
	if (!e->parsed)
		h->mops_len = end;
	if (at == NULL || b->error != NULL)
		return;
	*ret = *at;
	if (at->below != HISTORY_NONE)
		*at = b->nested.at[at->below];
	else
		at->row = HISTORY_NONE;
}

/* Which row e ends; a new one where the file has no invocations. */
static bool completed(struct builder *b, const struct event *e, struct open_row *ret)
{
	const uint32_t process = e->has_process ? process_find(b, e->process) : HISTORY_NONE;
	struct open_stack *s = stack_of(b, e);

	*ret = (struct open_row){ .row = HISTORY_NONE, .below = HISTORY_NONE };
	if (process != HISTORY_NONE && b->open[process].row != HISTORY_NONE &&
	    b->open[process].below != HISTORY_NONE) {
		unnest(b, process, e, ret);
	} else if (process != HISTORY_NONE) {
		*ret = b->open[process];
		b->open[process].row = HISTORY_NONE;
	} else if (s->len > 0) {
		*ret = s->at[--s->len];
	}
	if (b->error != NULL)
		return false;
	if (ret->row != HISTORY_NONE)
		return true;
	if (!b->invoked) {
		*ret = (struct open_row){ 0 };
		return row_new(b, e->has_process ? process : process_new(b, VALUE_NIL), e->at,
		               &ret->row);
	}
	(void)pawl__builder_error(b, PAWL_E_INVALID, e->at,
	                          "a process completed what it had not begun, or twice");
	return false;
}

static bool completion(struct builder *b, struct event *e)
{
	struct history *h = b->h;
	struct open_row open;

	if (!completed(b, e, &open))
		return false;
	if (e->has_f && h->f[open.row] != HF_OTHER && h->f[open.row] != (uint8_t)e->f &&
	    !(e->parsed && e->f == HF_TXN)) {
		(void)pawl__builder_error(b, PAWL_E_INVALID, e->at,
		                          "a process completed another operation than it began");
		return false;
	}
	h->line[open.row] = line_of(b, e->at);
	if (e->type == EVENT_INFO && h->inv[open.row] == h->events_len &&
	    !event_add(b, open.row, false)) /* all that is known of it */
		return false;
	if (e->type == EVENT_INFO)
		return row_value(b, e, &open, HT_INFO) && has_time(b, e, open.row, false);
	h->ret[open.row] = h->events_len;
	return event_add(b, open.row, true) &&
	       row_value(b, e, &open, e->type == EVENT_OK ? HT_OK : HT_FAIL) &&
	       has_time(b, e, open.row, false);
}

bool pawl__builder_event(struct builder *b, struct event *e)
{
	if (b->error != NULL)
		return false;
	b->any = true;
	if (e->skip) {
		PRE(!e->parsed || e->mop_first <= b->h->mops_len);
		if (e->parsed)
			b->h->mops_len = e->mop_first;
		return true;
	}
	b->named = b->named || e->has_process;
	b->unnamed_seen = b->unnamed_seen || !e->has_process;
	switch (e->type) {
	case EVENT_INVOKE:
		return invocation(b, e);
	case EVENT_OK:
	case EVENT_FAIL:
	case EVENT_INFO:
		return completion(b, e);
	case EVENT_UNSAID:
		break;
	}
	(void)pawl__builder_error(b, PAWL_E_INVALID, e->at,
	                          "an operation has a type: invoke, ok, fail or info");
	return false;
}

bool pawl__builder_txn_begin(struct builder *b, int64_t process, const char *at)
{
	uint32_t row;

	b->named = true;
	if (!row_new(b, process_find(b, process), at, &row))
		return false;
	b->h->f[row] = HF_TXN;
	return true;
}

bool pawl__builder_txn_end(struct builder *b, enum history_type type)
{
	struct history *h = b->h;
	const uint32_t row = h->ops_len - 1;

	h->mop_len[row] = h->mops_len - h->mop_first[row];
	h->type[row] = (uint8_t)type;
	h->inv[row] = h->events_len;
	h->ret[row] = h->events_len;
	return event_add(b, row, true);
}

/* The end */

static bool never_completed(struct builder *b, const struct open_row *open)
{
	struct event e = { 0 };

	return row_value(b, &e, open, HT_INFO);
}

static bool rows_end(struct builder *b)
{
	for (uint32_t p = 0; p < b->h->processes_len; p++) {
		const struct open_row *open = &b->open[p];

		while (b->error == NULL && open->row != HISTORY_NONE) {
			(void)never_completed(b, open);
			if (open->below == HISTORY_NONE)
				break;
			open = &b->nested.at[open->below];
		}
	}
	for (size_t f = 0; f < HF_LEN; f++) {
		for (size_t i = 0; i < b->unnamed[f].len && b->error == NULL; i++)
			(void)never_completed(b, &b->unnamed[f].at[i]);
	}
	return b->error == NULL;
}

static void count(struct history *h)
{
	for (uint32_t i = 0; i < h->ops_len; i++) {
		h->f_count[h->f[i]]++;
		if (h->f[i] != HF_TXN)
			continue;
		for (uint32_t m = h->mop_first[i]; m < h->mop_first[i] + h->mop_len[i]; m++)
			h->mop_count[h->mop_f[m]]++;
	}
}

static enum pawl_status report(const struct builder *b, struct pawl_error *err)
{
	size_t line = 1;
	const char *begin = b->start;

	if (b->error_at == NULL)
		return pawl__error_set(err, b->status, "%s", b->error);
	for (const char *p = b->start; p < b->error_at && p < b->end; p++) {
		if (*p == '\n') {
			line++;
			begin = p + 1;
		}
	}
	return pawl__error_set(err, b->status, "line %zu, column %zu: %s", line,
	                       (size_t)(b->error_at - begin) + 1, b->error);
}

enum pawl_status pawl__builder_finish(struct builder *b, struct history **ret,
                                      struct pawl_error *err)
{
	struct history *h = b->h;

	if (b->error == NULL && rows_end(b) && h->ops_len == 0 && !b->any)
		(void)pawl__builder_error(b, PAWL_E_INVALID, NULL, "there is no operation in it");
	if (b->error != NULL)
		return report(b, err);
	h->has_process = b->named;
	h->mixed_processes = b->named && b->unnamed_seen;
	count(h);
	b->h = NULL;
	*ret = h;
	return PAWL_OK;
}
