/* SPDX-License-Identifier: Apache-2.0 */
#include "race/check/regs.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "race/check/table.h"

void pawl__regs_deinit(struct regs *x)
{
	free(x->version);
	free(x->row);
	free(x->flags);
	free(x->key);
	free(x->writer);
	free(x->failed);
	free(x->middle);
	free(x->other);
	free(x->first);
	free(x->reader);
	free(x->slots);
	free(x->before);
	free(x->after);
	pawl__graph_deinit(&x->order);
	free(x->led);
	*x = (struct regs){ 0 };
}

static enum pawl_status no_memory(struct pawl_error *err)
{
	return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
}

static enum pawl_status rows_make(struct regs *x, struct pawl_error *err)
{
	const struct history *h = x->h;

	for (uint32_t i = 0; i < h->ops_len; i++) {
		for (uint32_t m = h->mop_first[i]; m < h->mop_first[i] + h->mop_len[i]; m++) {
			x->row[m] = i;
			if ((h->mop_f[m] != HF_READ && h->mop_f[m] != HF_WRITE) ||
			    (history_is_list(h, m) && h->type[i] == HT_OK))
				return pawl__error_set(
					err, PAWL_E_INVALID,
					"line %u: operations of rw-register read and "
					"write single values",
					h->line[i]);
		}
	}
	return PAWL_OK;
}

static bool initial(const struct regs *x, int64_t v)
{
	return value_is_nil(v) || (x->o->initial_set && v == x->o->initial) ||
	       (x->h->has_initial && v == x->h->initial);
}

/* A read of a row that is not ok says nothing. */
static bool counts(const struct regs *x, uint32_t m)
{
	const uint32_t row = x->row[m];

	return row != REGS_NONE && (x->h->mop_f[m] == HF_WRITE || x->h->type[row] == HT_OK);
}

/* A number for every (key, value) that was read or written; slots hold a mop that has it. */
static bool versions_make(struct regs *x)
{
	const struct history *h = x->h;
	uint64_t slots = 16;

	while (slots < (uint64_t)h->mops_len * 2)
		slots *= 2;
	x->slots_mask = slots - 1;
	x->slots = malloc(slots * sizeof(*x->slots));
	if (x->slots == NULL)
		return false;
	memset(x->slots, 0xff, slots * sizeof(*x->slots));
	x->versions = h->keys_len;
	for (uint32_t m = 0; m < h->mops_len; m++) {
		uint64_t i;

		if (!counts(x, m))
			continue;
		if (initial(x, h->mop_val[m])) {
			x->version[m] = h->mop_key[m];
			continue;
		}
		i = table_pair(h->mop_key[m], (uint64_t)h->mop_val[m]) & x->slots_mask;
		while (x->slots[i] != REGS_NONE && (h->mop_val[x->slots[i]] != h->mop_val[m] ||
		                                    h->mop_key[x->slots[i]] != h->mop_key[m]))
			i = (i + 1) & x->slots_mask;
		if (x->slots[i] == REGS_NONE) {
			x->slots[i] = m;
			x->version[m] = x->versions++;
		} else {
			x->version[m] = x->version[x->slots[i]];
		}
	}
	return true;
}

/* The last mop of a key in the row at hand. */
struct seen {
	uint32_t row, mop;
};

static void row_flags(struct regs *x, struct seen *seen, uint32_t row)
{
	const struct history *h = x->h;
	const uint32_t first = h->mop_first[row], end = first + h->mop_len[row];

	for (uint32_t m = first; m < end; m++) {
		struct seen *s = &seen[h->mop_key[m]];

		if (h->mop_f[m] == HF_READ && s->row != row)
			x->flags[m] |= REGS_EXTERNAL;
		s->row = row;
	}
	for (uint32_t m = first; m < end; m++)
		seen[h->mop_key[m]].row = REGS_NONE;
	for (uint32_t m = end; m-- > first;) {
		struct seen *s = &seen[h->mop_key[m]];

		if (h->mop_f[m] != HF_WRITE)
			continue;
		if (s->row != row)
			x->flags[m] |= REGS_EXTERNAL;
		s->row = row;
	}
}

static bool flags_make(struct regs *x)
{
	const size_t size = ((size_t)x->h->keys_len + 1) * sizeof(struct seen);
	struct seen *seen = malloc(size);

	if (seen == NULL)
		return false;
	memset(seen, 0xff, size);
	for (uint32_t i = 0; i < x->h->ops_len; i++)
		row_flags(x, seen, i);
	free(seen);
	return true;
}

static void write_by(struct regs *x, uint32_t m)
{
	const uint32_t v = x->version[m], row = x->row[m];

	if ((x->flags[m] & REGS_EXTERNAL) == 0 && !regs_is_initial(x, v))
		x->middle[v] = row;
	if (x->h->type[row] == HT_FAIL) {
		x->failed[v] = row;
		return;
	}
	if (regs_is_initial(x, v)) {
		x->other[v] = row;
		x->writer[v] = REGS_SEVERAL;
		return;
	}
	if (x->writer[v] != REGS_NONE || x->other[v] != REGS_NONE) {
		x->other[v] = x->writer[v] < REGS_SEVERAL ? x->writer[v] : x->other[v];
		x->writer[v] = REGS_SEVERAL;
	} else if ((x->flags[m] & REGS_EXTERNAL) != 0) {
		x->writer[v] = row;
	}
}

static bool readers_make(struct regs *x)
{
	const struct history *h = x->h;
	uint32_t sum = 0;

	for (uint32_t m = 0; m < h->mops_len; m++) {
		if (counts(x, m) && h->mop_f[m] == HF_READ && (x->flags[m] & REGS_EXTERNAL) != 0)
			x->first[x->version[m]]++;
	}
	for (uint32_t v = 0; v <= x->versions; v++) {
		const uint32_t n = x->first[v];

		x->first[v] = sum;
		sum += n;
	}
	x->reader = malloc(((size_t)sum + 1) * sizeof(*x->reader));
	if (x->reader == NULL)
		return false;
	for (uint32_t m = 0; m < h->mops_len; m++) {
		if (counts(x, m) && h->mop_f[m] == HF_READ && (x->flags[m] & REGS_EXTERNAL) != 0)
			x->reader[x->first[x->version[m]]++] = x->row[m];
	}
	memmove(x->first + 1, x->first, (size_t)x->versions * sizeof(*x->first));
	x->first[0] = 0;
	return true;
}

static bool who_make(struct regs *x)
{
	const size_t size = ((size_t)x->versions + 1) * sizeof(uint32_t);

	x->key = malloc(size);
	x->writer = malloc(size);
	x->failed = malloc(size);
	x->middle = malloc(size);
	x->other = malloc(size);
	x->first = calloc((size_t)x->versions + 2, sizeof(uint32_t));
	if (x->key == NULL || x->writer == NULL || x->failed == NULL || x->middle == NULL ||
	    x->other == NULL || x->first == NULL)
		return false;
	memset(x->writer, 0xff, size);
	memset(x->failed, 0xff, size);
	memset(x->middle, 0xff, size);
	memset(x->other, 0xff, size);
	for (uint32_t k = 0; k < x->h->keys_len; k++)
		x->key[k] = k;
	for (uint32_t m = 0; m < x->h->mops_len; m++) {
		if (!counts(x, m))
			continue;
		x->key[x->version[m]] = x->h->mop_key[m];
		if (x->h->mop_f[m] == HF_WRITE)
			write_by(x, m);
	}
	return readers_make(x);
}

enum pawl_status pawl__regs_init(struct regs *x, const struct history *h,
                                 const struct check_options *o, struct pawl_error *err)
{
	const size_t mops = (size_t)h->mops_len + 1;
	enum pawl_status st;

	*x = (struct regs){ .h = h, .o = o };
	x->row = malloc(mops * sizeof(*x->row));
	x->version = malloc(mops * sizeof(*x->version));
	x->flags = calloc(mops, 1);
	if (x->row == NULL || x->version == NULL || x->flags == NULL)
		return no_memory(err);
	memset(x->row, 0xff, mops * sizeof(*x->row));
	memset(x->version, 0xff, mops * sizeof(*x->version));
	st = rows_make(x, err);
	if (st != PAWL_OK)
		return st;
	if (!versions_make(x) || !flags_make(x) || !who_make(x))
		return no_memory(err);
	return PAWL_OK;
}
