/* SPDX-License-Identifier: Apache-2.0 */
#include "race/check/builder.h"

#include "base/error.h"
#include "race/check/columns.h"

#define ARENA_BLOCK ((size_t)256 << 10)
#define UNNAMED_MAX ((size_t)1 << 20)
#define NESTED_MAX  256 /* operations begun by a process that had one open */

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

/* Events */

static bool is_nil(const char *p)
{
	return p == NULL || memcmp(p, "nil", 3) == 0 || memcmp(p, "null", 4) == 0;
}

static bool has_time(struct builder *b, const struct event *e, uint32_t row, bool invocation)
{
	if (!e->has_time)
		return true;
	if (b->h->time == NULL && !pawl__columns_times(b))
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
		return pawl__columns_full(b, "too many open operations without a process");
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
	process = e->has_process ? pawl__columns_process(b, e->process)
	                         : pawl__columns_process_new(b, VALUE_NIL);
	if (process == HISTORY_NONE)
		return false;
	open.below = HISTORY_NONE;
	if (b->open[process].row != HISTORY_NONE && !nest(b, process, e, &open.below))
		return false;
	if (!pawl__columns_row(b, process, e->at, &open.row) ||
	    !pawl__columns_event(b, open.row, false))
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
	const uint32_t process =
		e->has_process ? pawl__columns_process(b, e->process) : HISTORY_NONE;
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
		return pawl__columns_row(
			b, e->has_process ? process : pawl__columns_process_new(b, VALUE_NIL),
			e->at, &ret->row);
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
	h->line[open.row] = pawl__columns_line(b, e->at);
	if (e->type == EVENT_INFO && h->inv[open.row] == h->events_len &&
	    !pawl__columns_event(b, open.row, false)) /* all that is known of it */
		return false;
	if (e->type == EVENT_INFO)
		return row_value(b, e, &open, HT_INFO) && has_time(b, e, open.row, false);
	h->ret[open.row] = h->events_len;
	return pawl__columns_event(b, open.row, true) &&
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
	if (!pawl__columns_row(b, pawl__columns_process(b, process), at, &row))
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
	return pawl__columns_event(b, row, true);
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
