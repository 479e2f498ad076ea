/* SPDX-License-Identifier: Apache-2.0 */
#include "race/check/linear_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/error.h"

#define INT_TEXT_MAX 24U
#define ARENA_BLOCK  (16U << 10)
#define ARENA_MAX    ((size_t)1 << 30)
#define TEXT_SHOWN   48U /* bytes of a text in a sentence */

#define F(f)         (1U << HF_##f)

/* What is known while the parts are being made; freed at the end. */
struct making {
	const struct history *h;
	const struct check_options *o;
	struct lin_parts *out;
	struct lin_op *op; /* in the order of rows; cells of steps are keys of the history */
	struct lin_step *step;
	uint32_t *row;
	uint32_t *op_of; /* by row: its operation, LIN_NONE when it does not count */
	uint32_t *root;  /* by key: union-find; then by root: part */
	uint32_t *cell;  /* by key */
	uint32_t *part;  /* by operation */
	uint32_t ops_len, steps_len, keys_len;
};

static enum pawl_status nomem(struct pawl_error *err)
{
	return pawl__error_set(err, PAWL_E_NOMEM, "no memory for the search");
}

static enum pawl_status refuse(const struct making *m, uint32_t row, const char *what,
                               struct pawl_error *err)
{
	return pawl__error_set(err, PAWL_E_INVALID, "line %u: %s", m->h->line[row], what);
}

/* --- Values ---------------------------------------------------------------------------------- */

static bool value_number(struct lin_parts *p, int64_t v, uint32_t *ret)
{
	uint32_t *slot = table_put(&p->values, (uint64_t)v);

	if (slot == NULL)
		return false;
	if (*slot == TABLE_NONE) {
		if (p->values_len == p->values_cap) {
			const uint32_t cap = p->values_cap == 0 ? 64 : p->values_cap * 2;
			int64_t *value = realloc(p->value, cap * sizeof(*value));

			if (value == NULL)
				return false;
			p->value = value;
			p->values_cap = cap;
		}
		p->value[p->values_len] = v;
		*slot = p->values_len++;
	}
	*ret = *slot;
	return true;
}

static bool text_number(struct lin_parts *p, int64_t v, uint32_t *ret)
{
	char digits[INT_TEXT_MAX];
	struct str s = STR_NONE;

	if (value_is_name(v))
		s = history_text(p->h, v);
	else if (value_is_int(v)) {
		const int n = snprintf(digits, sizeof(digits), "%lld", (long long)v);

		s = pawl__arena_str(&p->arena, (struct str){ digits, (size_t)n });
		if (s.ptr == NULL)
			return false;
	}
	*ret = pawl__lin_text_put(&p->texts, s);
	return *ret != LIN_TEXT_NONE;
}

static bool number(struct lin_parts *p, int64_t v, uint32_t *ret)
{
	return p->has_texts ? text_number(p, v, ret) : value_number(p, v, ret);
}

void pawl__lin_parts_value(const struct lin_parts *p, uint32_t value, struct buf *to)
{
	char text[TEXT_SHOWN];
	size_t len;

	if (!p->has_texts) {
		pawl__history_value(p->h, p->value[value], to);
		return;
	}
	len = pawl__lin_text_get(&p->texts, value, text, sizeof(text));
	pawl__buf_putc(to, '"');
	pawl__buf_put(to, text, len < sizeof(text) ? len : sizeof(text));
	if (len > sizeof(text))
		buf_lit(to, "..");
	pawl__buf_putc(to, '"');
}

/* --- Rows as operations ---------------------------------------------------------------------- */

static uint32_t known(enum check_model model)
{
	switch (model) {
	case MODEL_CAS_REGISTER:
		return F(READ) | F(WRITE) | F(PUT) | F(CAS);
	case MODEL_MULTI_REGISTER:
		return F(TXN) | F(READ) | F(WRITE) | F(PUT) | F(CAS);
	case MODEL_KV:
		return F(READ) | F(WRITE) | F(PUT) | F(APPEND);
	case MODEL_MUTEX:
		return F(ACQUIRE) | F(RELEASE);
	case MODEL_LIST_APPEND:
	case MODEL_RW_REGISTER:
	case MODEL_BANK:
	case MODEL_COUNTER:
	case MODEL_SET:
	case MODEL_SET_FULL:
	case MODEL_LONG_FORK:
	case MODEL_LEN:
		break;
	}
	UNREACHABLE();
}

/* Turn mop i of a row into a step. ret_used is false when it says nothing. */
static enum pawl_status mop_step(struct making *m, uint32_t row, uint32_t i, bool *ret_used,
                                 struct pawl_error *err)
{
	const struct history *h = m->h;
	struct lin_step *st = &m->step[m->steps_len];
	const int64_t v = h->mop_val[i];

	*st = (struct lin_step){ .cell = h->mop_key[i] };
	*ret_used = true;
	if (history_is_list(h, i))
		return refuse(m, row, "a collection where this model has a single value", err);
	switch ((enum history_f)h->mop_f[i]) {
	case HF_READ:
		st->kind = LIN_READ;
		/* Without an answer, or with one that says nothing. */
		*ret_used = h->type[row] == HT_OK &&
		            !(value_is_nil(v) && m->o->mode == MODE_KNOSSOS && !m->out->has_texts);
		break;
	case HF_WRITE:
	case HF_PUT:
		st->kind = LIN_WRITE;
		break;
	case HF_APPEND:
		if (!m->out->has_texts)
			return refuse(m, row, "an append where this model has none", err);
		st->kind = LIN_APPEND;
		break;
	case HF_CAS:
		st->kind = h->type[row] == HT_FAIL ? LIN_NOT : LIN_CAS;
		if (i + 1 == h->mop_first[row] + h->mop_len[row] || h->mop_f[i + 1] != HF_CAS_TO)
			return refuse(m, row, "a cas is [old new]", err);
		if (!number(m->out, h->mop_val[i + 1], &st->b))
			return nomem(err);
		break;
	case HF_CAS_TO: /* with its cas */
		*ret_used = false;
		break;
	case HF_OTHER:
	case HF_TXN:
	case HF_ADD:
	case HF_TRANSFER:
	case HF_TRANSFER_TO:
	case HF_ACQUIRE:
	case HF_RELEASE:
	case HF_LEN:
		return refuse(m, row, "an operation that this model does not know", err);
	}
	if (*ret_used && !number(m->out, v, &st->a))
		return nomem(err);
	return PAWL_OK;
}

static bool row_counts(const struct making *m, uint32_t row)
{
	return m->h->type[row] != HT_FAIL || (m->h->f[row] == HF_CAS && m->o->mode == MODE_ETCD);
}

static enum pawl_status row_steps(struct making *m, uint32_t row, struct pawl_error *err)
{
	const struct history *h = m->h;
	const uint32_t first = h->mop_first[row], len = h->mop_len[row];
	enum pawl_status st;
	uint32_t i;
	bool used;

	if (h->f[row] == HF_ACQUIRE || h->f[row] == HF_RELEASE) {
		const bool get = h->f[row] == HF_ACQUIRE;

		m->step[m->steps_len++] = (struct lin_step){ .kind = LIN_CAS, .a = !get, .b = get };
		return PAWL_OK;
	}
	if (len == 0 && h->f[row] != HF_TXN && h->f[row] != HF_READ)
		return refuse(m, row, "an operation without a value", err);
	if (m->o->model == MODEL_CAS_REGISTER && len > 1 && h->mop_f[first] != HF_CAS)
		return refuse(m, row, "several keys in one operation on a register", err);
	for (i = first; i < first + len; i++) {
		st = mop_step(m, row, i, &used, err);
		if (st != PAWL_OK)
			return st;
		m->steps_len += used;
	}
	return PAWL_OK;
}

static enum pawl_status rows_read(struct making *m, struct pawl_error *err)
{
	const struct history *h = m->h;
	const uint32_t f = known(m->o->model);
	enum pawl_status st;
	uint32_t row;

	for (row = 0; row < h->ops_len; row++) {
		const uint32_t first = m->steps_len;
		uint32_t k;
		bool acts = false;

		m->op_of[row] = LIN_NONE;
		if ((f >> h->f[row] & 1) == 0)
			return refuse(m, row, "an operation that this model does not know", err);
		if (!row_counts(m, row))
			continue;
		st = row_steps(m, row, err);
		if (st != PAWL_OK)
			return st;
		for (k = first; k < m->steps_len; k++)
			acts = acts || m->step[k].kind != LIN_READ;
		/* Says nothing, or would have done nothing. */
		if (m->steps_len == first || (h->type[row] == HT_INFO && !acts)) {
			m->steps_len = first;
			continue;
		}
		m->op_of[row] = m->ops_len;
		m->row[m->ops_len] = row;
		m->op[m->ops_len++] = (struct lin_op){ .first = first,
			                               .count = m->steps_len - first,
			                               .crashed = h->type[row] == HT_INFO };
	}
	return PAWL_OK;
}

/* --- Operations in parts --------------------------------------------------------------------- */

static uint32_t root_of(uint32_t *root, uint32_t key)
{
	while (root[key] != key) {
		root[key] = root[root[key]];
		key = root[key];
	}
	return key;
}

static void keys_join(struct making *m)
{
	uint32_t i, k;

	for (i = 0; i < m->keys_len; i++)
		m->root[i] = m->o->unpartitioned ? 0 : i;
	for (i = 0; i < m->ops_len; i++)
		for (k = 1; k < m->op[i].count; k++) {
			const struct lin_step *st = &m->step[m->op[i].first];

			m->root[root_of(m->root, st[k].cell)] = root_of(m->root, st[0].cell);
		}
}

/* Number the parts in the order of their first operations, and count what each has. */
static bool parts_count(struct making *m)
{
	uint32_t *part_of = malloc(m->keys_len * sizeof(*part_of)), i, k;
	struct lin_parts *out = m->out;

	out->at = calloc((size_t)m->keys_len + 1, sizeof(*out->at));
	if (part_of == NULL || out->at == NULL) {
		free(part_of);
		return false;
	}
	memset(part_of, 0xff, m->keys_len * sizeof(*part_of));
	memset(m->cell, 0xff, m->keys_len * sizeof(*m->cell));
	for (i = 0; i < m->ops_len; i++) {
		const struct lin_op *op = &m->op[i];
		uint32_t *part = &part_of[root_of(m->root, m->step[op->first].cell)];
		struct lin_problem *p;

		if (*part == LIN_NONE)
			*part = out->len++;
		m->part[i] = *part;
		p = &out->at[*part].p;
		p->ops_len++;
		p->events_len += op->crashed ? 1 : 2;
		for (k = op->first; k < op->first + op->count; k++)
			if (m->cell[m->step[k].cell] == LIN_NONE)
				m->cell[m->step[k].cell] = p->cells++;
	}
	free(part_of);
	return true;
}

static bool parts_alloc(struct making *m)
{
	struct lin_parts *out = m->out;
	const size_t n = (size_t)m->ops_len + 1;

	out->ops = malloc(n * sizeof(*out->ops));
	out->rows = malloc(n * sizeof(*out->rows));
	out->events = malloc(n * 2 * sizeof(*out->events));
	out->keys = malloc(((size_t)m->keys_len + 1) * sizeof(*out->keys));
	out->initial = malloc(((size_t)m->keys_len + 1) * sizeof(*out->initial));
	return out->ops != NULL && out->rows != NULL && out->events != NULL && out->keys != NULL &&
	       out->initial != NULL;
}

/* Give each part its share of the arrays; the lengths are counted again while they are filled. */
static void parts_place(struct making *m, uint32_t initial)
{
	struct lin_parts *out = m->out;
	uint32_t ops = 0, events = 0, cells = 0, i;

	for (i = 0; i < out->len; i++) {
		struct lin_part *part = &out->at[i];
		struct lin_problem *p = &part->p;

		p->ops = out->ops + ops;
		p->events = out->events + events;
		p->initial = out->initial + cells;
		p->initial_len = 1;
		p->steps = out->steps;
		p->texts = out->has_texts ? &out->texts : NULL;
		part->rows = out->rows + ops;
		part->keys = out->keys + cells;
		ops += p->ops_len;
		events += p->events_len;
		cells += p->cells;
		p->ops_len = p->events_len = 0;
	}
	for (i = 0; i < cells; i++)
		out->initial[i] = initial;
	for (i = 0; i < m->ops_len; i++) {
		struct lin_part *part = &out->at[m->part[i]];
		const size_t first = (size_t)(part->p.ops - out->ops);
		const uint32_t local = part->p.ops_len++;

		out->ops[first + local] = m->op[i];
		out->rows[first + local] = m->row[i];
		m->op_of[m->row[i]] = local;
	}
}

static void event_add(struct lin_parts *out, struct lin_part *part, uint32_t event)
{
	out->events[(size_t)(part->p.events - out->events) + part->p.events_len++] = event;
}

static void events_fill(struct making *m)
{
	const struct history *h = m->h;
	uint32_t *part_of_row =
		m->part; /* by operation, rows in order: walked beside m->row below */
	uint32_t e;

	for (e = 0; e < h->events_len; e++) {
		const uint32_t row = h->event[e] >> 1, local = m->op_of[row];
		struct lin_part *part;

		if (local == LIN_NONE)
			continue;
		part = &m->out->at[part_of_row[row]];
		if (e == h->inv[row])
			event_add(m->out, part, local * 2);
		if (e == h->ret[row] && !part->p.ops[local].crashed)
			event_add(m->out, part, local * 2 + 1);
	}
}

/* From now on m->part is by row: events are found by their rows. Rows ascend, so from the end. */
static void part_by_row(struct making *m)
{
	uint32_t i;

	for (i = m->ops_len; i-- > 0;)
		m->part[m->row[i]] = m->part[i];
}

static enum pawl_status parts_make(struct making *m, struct pawl_error *err)
{
	struct lin_parts *out = m->out;
	uint32_t initial, i, k;

	keys_join(m);
	if (!number(out, m->o->initial_set ? m->o->initial : VALUE_NIL, &initial))
		return nomem(err);
	if (m->o->model == MODEL_MUTEX)
		initial = 0;
	if (!parts_count(m) || !parts_alloc(m))
		return nomem(err);
	for (i = 0; i < out->len; i++)
		if (out->at[i].p.cells > LIN_CELLS_MAX)
			return pawl__error_set(err, PAWL_E_TOO_LARGE,
			                       "operations join more than %u keys", LIN_CELLS_MAX);
	parts_place(m, initial);
	for (i = 0; i < m->ops_len; i++) {
		struct lin_part *part = &out->at[m->part[i]];

		for (k = m->op[i].first; k < m->op[i].first + m->op[i].count; k++) {
			const uint32_t key = m->step[k].cell;

			m->step[k].cell = m->cell[key];
			out->keys[(size_t)(part->keys - out->keys) + m->cell[key]] = key;
		}
	}
	part_by_row(m);
	events_fill(m);
	return PAWL_OK;
}

static bool making_alloc(struct making *m)
{
	const size_t rows = (size_t)m->h->ops_len + 1, steps = (size_t)m->h->mops_len + rows;

	m->keys_len = m->h->keys_len == 0 ? 1 : m->h->keys_len;
	m->op = malloc(rows * sizeof(*m->op));
	m->row = malloc(rows * sizeof(*m->row));
	m->op_of = malloc(rows * sizeof(*m->op_of));
	m->part = malloc(rows * sizeof(*m->part));
	m->root = malloc(m->keys_len * sizeof(*m->root));
	m->cell = malloc(m->keys_len * sizeof(*m->cell));
	m->out->steps = m->step = malloc(steps * sizeof(*m->step));
	return m->op != NULL && m->row != NULL && m->op_of != NULL && m->part != NULL &&
	       m->root != NULL && m->cell != NULL && m->step != NULL;
}

static void making_deinit(struct making *m)
{
	free(m->op);
	free(m->row);
	free(m->op_of);
	free(m->part);
	free(m->root);
	free(m->cell);
}

enum pawl_status pawl__lin_parts_build(const struct history *h, const struct check_options *o,
                                       struct lin_parts *ret, struct pawl_error *err)
{
	PAWL_CLEANUP(making_deinit) struct making m = { .h = h, .o = o, .out = ret };
	enum pawl_status st;
	uint32_t i, nil;

	*ret = (struct lin_parts){ .h = h, .has_texts = o->model == MODEL_KV };
	pawl__arena_init(&ret->arena, ARENA_BLOCK, ARENA_MAX);
	pawl__lin_text_init(&ret->texts);
	for (i = 0; i < h->keys_len; i++)
		ret->has_key = ret->has_key || !value_is_nil(h->key[i]);
	if (!table_init(&ret->values, 0) || !making_alloc(&m))
		return nomem(err);
	/* nil is number 0, the empty text too. */
	if (!number(ret, VALUE_NIL, &nil))
		return nomem(err);
	POST(nil == 0);
	st = rows_read(&m, err);
	return st == PAWL_OK ? parts_make(&m, err) : st;
}

void pawl__lin_parts_deinit(struct lin_parts *p)
{
	free(p->at);
	free(p->ops);
	free(p->steps);
	free(p->rows);
	free(p->events);
	free(p->keys);
	free(p->initial);
	table_deinit(&p->values);
	free(p->value);
	pawl__lin_text_deinit(&p->texts);
	pawl__arena_deinit(&p->arena);
	*p = (struct lin_parts){ 0 };
}
