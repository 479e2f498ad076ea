/* SPDX-License-Identifier: Apache-2.0 */
/* Who read from whom: from values back to the transactions that wrote them. */
#include "race/check/weak.h"

#include <stdlib.h>

#include "base/error.h"

#define SLOT_NONE 0U

/* A written value: the write's mop + 1, its row, and what else is known of it. */
struct slot {
	uint32_t mop1; /* SLOT_NONE: empty */
	uint32_t row;
};

struct loader {
	struct weak *w;
	const struct history *h;
	int64_t initial;
	struct slot *slots; /* open addressing by (key, value), at most half full */
	size_t mask;
	uint8_t *doubtful; /* bit by mop: an equal write may have happened */
	uint8_t *between;  /* bit by mop: overwritten by its own row */
	uint32_t *last;    /* by key: the last write of the row at hand, or of an earlier one */
	uint8_t *seen;     /* bit by row: a write of it was read */
	uint32_t *txn;     /* by row */
};

static bool bit_get(const uint8_t *bits, uint32_t i)
{
	return ((unsigned)bits[i / 8] >> i % 8 & 1U) != 0;
}

static void bit_set(uint8_t *bits, uint32_t i)
{
	bits[i / 8] = (uint8_t)(bits[i / 8] | 1U << i % 8);
}

static void *column(size_t size, size_t n)
{
	return calloc(n == 0 ? 1 : n, size);
}

static bool is_write(uint8_t f)
{
	return f == HF_WRITE || f == HF_PUT;
}

/* Every mop is a read or a write of one value. */
static enum pawl_status registers_only(const struct history *h, uint64_t *ret_writes,
                                       struct pawl_error *err)
{
	uint64_t writes = 0;

	for (uint32_t r = 0; r < h->ops_len; r++)
		for (uint32_t i = 0; i < h->mop_len[r]; i++) {
			const uint32_t m = h->mop_first[r] + i;

			if (is_write(h->mop_f[m])) {
				writes++;
			} else if (h->mop_f[m] != HF_READ || history_is_list(h, m)) {
				return pawl__error_set(err, PAWL_E_INVALID,
				                       "line %u: neither a read nor a write of a "
				                       "single value",
				                       h->line[r]);
			}
		}
	*ret_writes = writes;
	return PAWL_OK;
}

static struct slot *find(const struct loader *l, uint32_t key, int64_t value)
{
	const struct history *h = l->h;
	size_t i = (size_t)table_pair(key, (uint64_t)value) & l->mask;

	while (l->slots[i].mop1 != SLOT_NONE) {
		const uint32_t m = l->slots[i].mop1 - 1;

		if (h->mop_val[m] == value && h->mop_key[m] == key)
			break;
		i = (i + 1) & l->mask;
	}
	return &l->slots[i];
}

/* Two writes of one value to one key: which of them a reader read from; see invariant 2. */
static void meet(struct loader *l, struct slot *s, uint32_t m, uint32_t row)
{
	const uint8_t *type = l->h->type;
	const bool old_may = type[s->row] != HT_FAIL, new_may = type[row] != HT_FAIL;

	if (old_may && new_may)
		bit_set(l->doubtful, s->mop1 - 1);
	else if (new_may)
		*s = (struct slot){ m + 1, row };
}

static void put_row(struct loader *l, uint32_t row)
{
	const struct history *h = l->h;
	const uint32_t first = h->mop_first[row], len = h->mop_len[row];

	for (uint32_t m = first; m < first + len; m++) {
		const uint32_t key = h->mop_key[m];
		struct slot *s;

		if (!is_write(h->mop_f[m]))
			continue;
		if (l->last[key] - first < len)
			bit_set(l->between, l->last[key]);
		l->last[key] = m;
		s = find(l, key, h->mop_val[m]);
		if (s->mop1 == SLOT_NONE)
			*s = (struct slot){ m + 1, row };
		else
			meet(l, s, m, row);
	}
}

static void fault(struct loader *l, enum weak_read_fault kind, const struct weak_fault *f)
{
	struct weak_faults *faults = &l->w->fault[kind];

	if (faults->count++ < CHECK_WITNESSES_MAX)
		faults->first[faults->count - 1] = *f;
}

/* The last value that the row left in the key. */
static int64_t final_value(const struct history *h, uint32_t row, uint32_t key)
{
	for (uint32_t m = h->mop_first[row] + h->mop_len[row]; m-- > h->mop_first[row];)
		if (is_write(h->mop_f[m]) && h->mop_key[m] == key)
			return h->mop_val[m];
	UNREACHABLE();
}

/* Where a read of another's write came from: a row, WEAK_INIT, or WEAK_NONE: that is a fault. */
static uint32_t source(struct loader *l, uint32_t row, uint32_t m)
{
	const struct history *h = l->h;
	const uint32_t key = h->mop_key[m];
	const int64_t value = h->mop_val[m];
	const struct slot *s = find(l, key, value);
	struct weak_fault f = { row, key, WEAK_NONE, value, VALUE_NIL };
	const bool written = s->mop1 != SLOT_NONE && h->type[s->row] != HT_FAIL;

	if (value == l->initial && !written)
		return WEAK_INIT;
	if (s->mop1 == SLOT_NONE) {
		fault(l, READ_THIN_AIR, &f);
		return WEAK_NONE;
	}
	if ((value == l->initial || bit_get(l->doubtful, s->mop1 - 1)) && !l->w->ambiguous) {
		l->w->ambiguous = true;
		l->w->ambiguous_key = key;
		l->w->ambiguous_value = value;
	}
	f.from = s->row;
	if (s->row == row) {
		fault(l, READ_FUTURE, &f);
	} else if (h->type[s->row] == HT_FAIL) {
		fault(l, READ_ABORTED, &f);
	} else if (bit_get(l->between, s->mop1 - 1)) {
		f.expected = final_value(h, s->row, key);
		fault(l, READ_BETWEEN, &f);
	} else {
		bit_set(l->seen, s->row);
		return s->row;
	}
	return WEAK_NONE;
}

/* The reads of an ok row; read_from gets rows. */
static uint32_t read_row(struct loader *l, uint32_t row, uint32_t reads)
{
	const struct history *h = l->h;
	const uint32_t first = h->mop_first[row], len = h->mop_len[row];

	for (uint32_t m = first; m < first + len; m++) {
		const uint32_t key = h->mop_key[m], own = l->last[key];

		if (is_write(h->mop_f[m])) {
			l->last[key] = m;
			continue;
		}
		if (own - first < len) {
			const struct weak_fault f = { row, key, row, h->mop_val[m],
				                      h->mop_val[own] };

			if (h->mop_val[own] != h->mop_val[m])
				fault(l, READ_INTERNAL, &f);
			continue;
		}
		l->w->read_from[reads] = source(l, row, m);
		if (l->w->read_from[reads] == WEAK_NONE)
			continue;
		l->w->read_key[reads++] = key;
	}
	return reads;
}

static bool loader_init(struct loader *l, struct weak *w, const struct check_options *o,
                        uint64_t writes)
{
	const struct history *h = w->h;
	size_t slots = 16;

	while (slots < writes * 2)
		slots *= 2;
	*l = (struct loader){ .w = w, .h = h, .initial = VALUE_NIL, .mask = slots - 1 };
	if (h->has_initial)
		l->initial = h->initial;
	if (o->initial_set)
		l->initial = o->initial;
	w->initial = l->initial;
	l->slots = column(sizeof(*l->slots), slots);
	l->doubtful = column(1, (size_t)h->mops_len / 8 + 1);
	l->between = column(1, (size_t)h->mops_len / 8 + 1);
	l->seen = column(1, (size_t)h->ops_len / 8 + 1);
	l->last = column(sizeof(*l->last), h->keys_len);
	l->txn = column(sizeof(*l->txn), h->ops_len);
	if (l->slots == NULL || l->doubtful == NULL || l->between == NULL || l->seen == NULL ||
	    l->last == NULL || l->txn == NULL)
		return false;
	memset(l->last, 0xff, h->keys_len * sizeof(*l->last));
	return true;
}

static void loader_deinit(struct loader *l)
{
	free(l->slots);
	free(l->doubtful);
	free(l->between);
	free(l->seen);
	free(l->last);
	free(l->txn);
}

static bool columns(struct weak *w, uint64_t reads, uint64_t writes)
{
	const uint32_t n = w->h->ops_len;

	w->row = column(sizeof(*w->row), n);
	w->session = column(sizeof(*w->session), n);
	w->place = column(sizeof(*w->place), n);
	w->session_txn = column(sizeof(*w->session_txn), n);
	w->session_first = column(sizeof(*w->session_first), (size_t)w->sessions + 1);
	w->read_first = column(sizeof(*w->read_first), (size_t)n + 1);
	w->write_first = column(sizeof(*w->write_first), (size_t)n + 1);
	w->read_key = column(sizeof(*w->read_key), reads + 1);
	w->read_from = column(sizeof(*w->read_from), reads + 1);
	w->write_key = column(sizeof(*w->write_key), writes + 1);
	return w->row != NULL && w->session != NULL && w->place != NULL && w->session_txn != NULL &&
	       w->session_first != NULL && w->read_first != NULL && w->write_first != NULL &&
	       w->read_key != NULL && w->read_from != NULL && w->write_key != NULL;
}

/* All reads; read_first counts by row for now. */
static void load_reads(struct loader *l)
{
	uint32_t reads = 0;

	for (uint32_t r = 0; r < l->h->ops_len; r++) {
		l->w->read_first[r] = reads;
		if (l->h->type[r] == HT_OK)
			reads = read_row(l, r, reads);
	}
	l->w->read_first[l->h->ops_len] = reads;
}

/* Rows that count become transactions. */
static void number(struct loader *l)
{
	struct weak *w = l->w;
	const struct history *h = l->h;

	for (uint32_t r = 0; r < h->ops_len; r++) {
		uint32_t t = w->txns;

		l->txn[r] = WEAK_NONE;
		if (h->type[r] != HT_OK && !(h->type[r] == HT_INFO && bit_get(l->seen, r)))
			continue;
		l->txn[r] = t;
		w->row[t] = r;
		w->session[t] = h->process[r];
		w->place[t] = ++w->session_first[h->process[r] + 1];
		/* A row that does not count has no reads, so this only moves the border down. */
		w->read_first[t] = w->read_first[r];
		w->txns++;
	}
	w->read_first[w->txns] = w->read_first[h->ops_len];
	for (uint32_t s = 0; s < w->sessions; s++)
		w->session_first[s + 1] += w->session_first[s];
	for (uint32_t t = 0; t < w->txns; t++)
		w->session_txn[w->session_first[w->session[t]] + w->place[t] - 1] = t;
	for (uint32_t i = 0; i < w->read_first[w->txns]; i++)
		if (w->read_from[i] != WEAK_INIT)
			w->read_from[i] = l->txn[w->read_from[i]];
	w->init = h->init_op == HISTORY_NONE ? WEAK_NONE : l->txn[h->init_op];
}

static void sort_keys(uint32_t *at, uint32_t n)
{
	for (uint32_t gap = n / 2; gap > 0; gap = gap == 2 ? 1 : gap * 5 / 11)
		for (uint32_t i = gap; i < n; i++) {
			const uint32_t v = at[i];
			uint32_t j = i;

			for (; j >= gap && at[j - gap] > v; j -= gap)
				at[j] = at[j - gap];
			at[j] = v;
		}
}

/* Every key that a transaction writes, once. */
static void load_writes(struct loader *l)
{
	struct weak *w = l->w;
	const struct history *h = l->h;
	uint32_t n = 0;

	for (uint32_t t = 0; t < w->txns; t++) {
		const uint32_t first = h->mop_first[w->row[t]], len = h->mop_len[w->row[t]];

		w->write_first[t] = n;
		for (uint32_t m = first; m < first + len; m++)
			if (is_write(h->mop_f[m]) && !bit_get(l->between, m))
				w->write_key[n++] = h->mop_key[m];
		sort_keys(w->write_key + w->write_first[t], n - w->write_first[t]);
	}
	w->write_first[w->txns] = n;
}

enum pawl_status pawl__weak_load(struct weak *w, const struct history *h,
                                 const struct check_options *o, struct pawl_error *err)
{
	struct loader l;
	uint64_t writes = 0;
	enum pawl_status st;

	*w = (struct weak){ .h = h, .sessions = h->processes_len, .init = WEAK_NONE };
	st = registers_only(h, &writes, err);
	if (st != PAWL_OK)
		return st;
	if (!loader_init(&l, w, o, writes) || !columns(w, h->mops_len - writes, writes)) {
		loader_deinit(&l);
		return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
	}
	for (uint32_t r = 0; r < h->ops_len; r++)
		put_row(&l, r);
	/* What the first pass left there is of no row that the second has come to yet. */
	memset(l.last, 0xff, h->keys_len * sizeof(*l.last));
	load_reads(&l);
	if (!w->ambiguous) {
		number(&l);
		load_writes(&l);
	}
	loader_deinit(&l);
	return PAWL_OK;
}

void pawl__weak_deinit(struct weak *w)
{
	free(w->row);
	free(w->session);
	free(w->place);
	free(w->session_first);
	free(w->session_txn);
	free(w->read_first);
	free(w->read_key);
	free(w->read_from);
	free(w->write_first);
	free(w->write_key);
	*w = (struct weak){ 0 };
}

bool pawl__weak_writes(const struct weak *w, uint32_t t, uint32_t key)
{
	uint32_t lo = w->write_first[t], hi = w->write_first[t + 1];

	while (lo < hi) {
		const uint32_t mid = lo + (hi - lo) / 2;

		if (w->write_key[mid] == key)
			return true;
		if (w->write_key[mid] < key)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

int64_t pawl__weak_value(const struct weak *w, uint32_t t, uint32_t key)
{
	return final_value(w->h, w->row[t], key);
}

uint32_t pawl__weak_before(const struct weak *w, uint32_t t)
{
	if (w->place[t] > 1)
		return w->session_txn[w->session_first[w->session[t]] + w->place[t] - 2];
	return t == w->init ? WEAK_NONE : w->init;
}
