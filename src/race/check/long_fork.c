/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/long_fork - two reads that saw two writes in opposite orders.
 *
 * Every key is written at most once; a transaction is one write, or reads of a group of keys. Of
 * two reads of one group one must have seen all that the other saw: if each misses what the other
 * shows, the writes were seen in two orders, which snapshot isolation forbids and parallel snapshot
 * isolation permits. Groups are compared as sets, whatever the order of the reads.
 *
 *   long-fork  two such reads; of each group neighbours by how much they saw
 * Unknown, as in Jepsen, where a key is written twice, or a group has another size than asked for,
 * or a key shows two values: nothing then follows from what was not seen.
 *
 * Reads that are all comparable form a chain; sorted by how many keys they show, each must contain
 * the one before. O(n log n). Limits: LONG_FORK_KEYS_MAX keys of a group. Threads: none of its own.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "race/check/findings.h"
#include "race/check/table.h"

#define LONG_FORK_KEYS_MAX 64U

struct fork_read {
	uint32_t row;
	uint32_t first; /* of its keys, ascending, in `keys` */
	uint32_t len;
	uint64_t seen; /* bit i: its i-th key had a value */
};

struct long_fork {
	const struct history *h;
	const struct check_options *o;
	struct findings found;
	struct fork_read *reads; /* owned */
	uint32_t *keys;          /* owned */
	int64_t *value;          /* owned; by key: what reads showed; VALUE_NIL */
	bool *written;           /* owned; by key */
	uint32_t reads_len, keys_len;
};

static void long_fork_deinit(struct long_fork *f)
{
	pawl__findings_deinit(&f->found);
	free(f->reads);
	free(f->keys);
	free(f->value);
	free(f->written);
}

static bool long_fork_alloc(struct long_fork *f)
{
	const struct history *h = f->h;
	uint32_t k;

	f->reads = malloc(((size_t)h->ops_len + 1) * sizeof(*f->reads));
	f->keys = malloc(((size_t)h->mops_len + 1) * sizeof(*f->keys));
	f->value = malloc(((size_t)h->keys_len + 1) * sizeof(*f->value));
	f->written = calloc((size_t)h->keys_len + 1, sizeof(*f->written));
	if (f->reads == NULL || f->keys == NULL || f->value == NULL || f->written == NULL)
		return false;
	for (k = 0; k < h->keys_len; k++)
		f->value[k] = VALUE_NIL;
	return true;
}

static void unknown_once(struct long_fork *f, uint32_t row, const char *why)
{
	if (f->found.r->unknown != NULL)
		return;
	pawl__findings_say(&f->found, "T%u ", row);
	pawl__history_op(f->h, row, &f->found.text);
	pawl__findings_say(&f->found, " %s", why);
	pawl__findings_unknown(&f->found);
}

/* Keys ascending, with what was seen of each. False: a key stands twice. */
static bool read_sort(struct long_fork *f, struct fork_read *r)
{
	const struct history *h = f->h;
	uint32_t *keys = f->keys + r->first, i, k;
	bool seen[LONG_FORK_KEYS_MAX];

	for (i = 0; i < r->len; i++) {
		const uint32_t m = h->mop_first[r->row] + i, key = h->mop_key[m];

		for (k = i; k > 0 && keys[k - 1] > key; k--) {
			keys[k] = keys[k - 1];
			seen[k] = seen[k - 1];
		}
		if (k > 0 && keys[k - 1] == key)
			return false;
		keys[k] = key;
		seen[k] = !value_is_nil(h->mop_val[m]);
	}
	for (i = 0; i < r->len; i++)
		r->seen |= (uint64_t)seen[i] << i;
	return true;
}

static enum pawl_status read_add(struct long_fork *f, uint32_t row, struct pawl_error *err)
{
	const struct history *h = f->h;
	struct fork_read *r = &f->reads[f->reads_len];
	uint32_t m;

	*r = (struct fork_read){ .row = row, .first = f->keys_len, .len = h->mop_len[row] };
	if (r->len > LONG_FORK_KEYS_MAX)
		return pawl__error_set(err, PAWL_E_TOO_LARGE,
		                       "line %u: a group of more than %u keys", h->line[row],
		                       LONG_FORK_KEYS_MAX);
	if (f->o->group != 0 && r->len != f->o->group) {
		unknown_once(f, row, "reads a group of another size");
		return PAWL_OK;
	}
	if (!read_sort(f, r)) {
		unknown_once(f, row, "reads a key twice");
		return PAWL_OK;
	}
	for (m = h->mop_first[row]; m < h->mop_first[row] + r->len; m++) {
		int64_t *value = &f->value[h->mop_key[m]];

		if (value_is_nil(h->mop_val[m]))
			continue;
		if (!value_is_nil(*value) && *value != h->mop_val[m])
			unknown_once(f, row, "shows a second value of a key");
		*value = h->mop_val[m];
	}
	f->keys_len += r->len;
	f->reads_len++;
	return PAWL_OK;
}

static enum pawl_status rows_read(struct long_fork *f, struct pawl_error *err)
{
	const struct history *h = f->h;
	enum pawl_status st = PAWL_OK;
	uint32_t row, m;

	for (row = 0; row < h->ops_len && st == PAWL_OK; row++) {
		const uint32_t first = h->mop_first[row], len = h->mop_len[row];
		bool reads = true;

		for (m = first; m < first + len; m++)
			reads = reads && h->mop_f[m] == HF_READ && !history_is_list(h, m);
		if (!reads && (len != 1 || h->mop_f[first] != HF_WRITE))
			return pawl__error_set(err, PAWL_E_INVALID,
			                       "line %u: an operation here is one write, or reads",
			                       h->line[row]);
		if (!reads) {
			if (f->written[h->mop_key[first]])
				unknown_once(f, row, "writes a key a second time");
			f->written[h->mop_key[first]] = true;
		} else if (h->type[row] == HT_OK && len > 0) {
			st = read_add(f, row, err);
		}
	}
	return st;
}

static int group_compare(const uint32_t *keys, const struct fork_read *x, const struct fork_read *y)
{
	uint32_t i;

	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	for (i = 0; i < x->len; i++)
		if (keys[x->first + i] != keys[y->first + i])
			return keys[x->first + i] < keys[y->first + i] ? -1 : 1;
	return 0;
}

static int by_group(const void *a, const void *b, void *keys)
{
	const struct fork_read *x = a, *y = b;
	const int group = group_compare(keys, x, y);
	const int nx = __builtin_popcountll(x->seen), ny = __builtin_popcountll(y->seen);

	if (group != 0)
		return group;
	if (nx != ny)
		return nx < ny ? -1 : 1;
	if (x->seen != y->seen)
		return x->seen < y->seen ? -1 : 1;
	return (x->row > y->row) - (x->row < y->row);
}

static void fork_report(struct long_fork *f, const struct fork_read *a, const struct fork_read *b)
{
	const uint32_t *keys = f->keys + a->first;
	const uint32_t rows[2] = { a->row < b->row ? a->row : b->row,
		                   a->row < b->row ? b->row : a->row };

	if (pawl__findings_wanted(&f->found, "long-fork", rows[0])) {
		pawl__findings_say(&f->found, "T%u ", a->row);
		pawl__history_op(f->h, a->row, &f->found.text);
		pawl__findings_say(&f->found, " saw the write of ");
		pawl__history_value(f->h, f->h->key[keys[__builtin_ctzll(a->seen & ~b->seen)]],
		                    &f->found.text);
		pawl__findings_say(&f->found, " but not that of ");
		pawl__history_value(f->h, f->h->key[keys[__builtin_ctzll(b->seen & ~a->seen)]],
		                    &f->found.text);
		pawl__findings_say(&f->found, "; T%u ", b->row);
		pawl__history_op(f->h, b->row, &f->found.text);
		pawl__findings_say(&f->found, " saw it the other way round.");
	}
	pawl__findings_add(&f->found, "long-fork", rows, 2);
}

static void forks_find(struct long_fork *f)
{
	uint32_t i;

	qsort_r(f->reads, f->reads_len, sizeof(*f->reads), by_group, f->keys);
	for (i = 1; i < f->reads_len; i++) {
		const struct fork_read *a = &f->reads[i - 1], *b = &f->reads[i];

		if (group_compare(f->keys, a, b) == 0 && (a->seen & ~b->seen) != 0)
			fork_report(f, a, b);
	}
}

enum pawl_status pawl__check_long_fork(const struct history *h, const struct check_options *o,
                                       struct check_result *ret, struct pawl_error *err)
{
	PAWL_CLEANUP(long_fork_deinit) struct long_fork f = { .h = h, .o = o };
	enum pawl_status st;

	pawl__findings_init(&f.found, ret);
	if (!long_fork_alloc(&f))
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for the reads");
	st = rows_read(&f, err);
	if (st != PAWL_OK)
		return st;
	forks_find(&f);
	if (f.reads_len == 0 && ret->unknown == NULL) {
		pawl__findings_say(&f.found, "nothing was read");
		pawl__findings_unknown(&f.found);
	}
	return pawl__findings_finish(&f.found, err);
}
