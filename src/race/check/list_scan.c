/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "race/check/list.h"

/* What the transaction at hand did to a key so far. */
struct touch {
	uint32_t row;
	uint32_t last; /* mop */
	uint32_t read; /* first one; LIST_NONE */
	bool updated;  /* it read, then appended */
};

/* One transaction that read a version and then appended. */
struct update {
	uint32_t row;
	uint32_t before; /* the one before of the same version; LIST_NONE */
};

struct scan {
	const struct list_index *x;
	const struct history *h;
	struct found *f;
	struct touch *touch; /* by key */
	uint32_t *prev;      /* by place in the row: mop of the same key before */
	uint64_t *version;   /* by key: where its versions begin in head */
	uint32_t *head;      /* by version of main lists: last update */
	struct update *update;
	uint32_t updates_len;
	uint32_t *apart; /* reads that are no prefix of a main list, then updated from */
	uint32_t apart_len;
	uint32_t *rows; /* of one witness */
};

static bool same_list(const struct scan *s, uint32_t a, uint32_t b)
{
	uint32_t alen, blen;
	const int64_t *pa = list_read(s->x, a, &alen), *pb = list_read(s->x, b, &blen);

	return alen == blen && (alen == 0 || memcmp(pa, pb, alen * sizeof(*pa)) == 0);
}

/* Whether a is a prefix of b, or is when cut to its first `len`. */
static bool agrees(const struct scan *s, uint32_t a, uint32_t b)
{
	uint32_t alen, blen;
	const int64_t *pa = list_read(s->x, a, &alen), *pb = list_read(s->x, b, &blen);

	if (alen > blen)
		return false;
	if (alen == 0 || (history_is_prefix(s->h, a) && history_is_prefix(s->h, b)))
		return true;
	return memcmp(pa, pb, alen * sizeof(*pa)) == 0;
}

/*
 * Whether read m contradicts what its transaction did to the key before: the last read before with
 * everything appended since, or, without such a read, a list that ends in what it appended.
 */
static bool contradicts(const struct scan *s, uint32_t m, uint32_t first)
{
	const struct history *h = s->h;
	uint32_t len, appends = 0, base_len;
	const int64_t *at = list_read(s->x, m, &len);
	uint32_t p = s->prev[m - first];

	for (; p != LIST_NONE && h->mop_f[p] == HF_APPEND; p = s->prev[p - first]) {
		if (appends == len || at[len - 1 - appends] != h->mop_val[p])
			return true;
		appends++;
	}
	if (p == LIST_NONE)
		return false;
	(void)list_read(s->x, p, &base_len);
	return base_len + appends != len || !agrees(s, p, m);
}

static void found_internal(struct scan *s, uint32_t row, uint32_t m)
{
	if (found_wants(s->f, FOUND_INTERNAL, row))
		pawl__found_say(s->f,
		                "%T read a list%K that contradicts what it had read of it or "
		                "appended to it itself",
		                row, s->h->mop_key[m]);
	pawl__found_rows(s->f, FOUND_INTERNAL, &row, 1);
}

/* Whether an earlier read of the transaction has the element that append m adds. */
static bool foreseen(const struct scan *s, uint32_t m, uint32_t first)
{
	const struct history *h = s->h;

	for (uint32_t p = s->prev[m - first]; p != LIST_NONE; p = s->prev[p - first]) {
		uint32_t len;
		const int64_t *at;

		if (h->mop_f[p] != HF_READ)
			continue;
		at = list_read(s->x, p, &len);
		if (len > 0 && s->x->order[h->mop_key[m]].main && history_is_prefix(h, p)) {
			if (s->x->pos[m] < len)
				return true;
			continue;
		}
		for (uint32_t i = 0; i < len; i++) {
			if (at[i] == h->mop_val[m])
				return true;
		}
	}
	return false;
}

static void found_future(struct scan *s, uint32_t row, uint32_t m)
{
	if (found_wants(s->f, FOUND_FUTURE_READ, row))
		pawl__found_say(s->f, "%T read %V%K before it appended that itself", row,
		                s->h->mop_val[m], s->h->mop_key[m]);
	pawl__found_rows(s->f, FOUND_FUTURE_READ, &row, 1);
}

static void update_add(struct scan *s, uint32_t row, uint32_t read)
{
	const struct history *h = s->h;
	uint32_t *head, len;

	(void)list_read(s->x, read, &len);
	if (len > 0 && !history_is_prefix(h, read)) {
		s->apart[s->apart_len++] = read;
		return;
	}
	head = &s->head[s->version[h->mop_key[read]] + len];
	s->update[s->updates_len] = (struct update){ row, *head };
	*head = s->updates_len++;
}

/* Elements of failed appends, or of none, among the first ones of an order. */
static uint64_t among(const uint64_t *places, uint32_t n, uint64_t from, uint64_t to)
{
	uint32_t lo[2] = { 0, 0 };
	const uint64_t bound[2] = { from, to };

	for (int i = 0; i < 2; i++) {
		uint32_t hi = n;

		while (lo[i] < hi) {
			const uint32_t mid = lo[i] + (hi - lo[i]) / 2;

			if (places[mid] < bound[i])
				lo[i] = mid + 1;
			else
				hi = mid;
		}
	}
	return lo[1] - lo[0];
}

/* The reader, and the writer of what it should not have read. */
static void found_read(struct scan *s, enum found_kind kind, uint32_t row, uint32_t m,
                       uint32_t append, int64_t value)
{
	const uint32_t key = s->h->mop_key[m];
	const uint32_t rows[2] = { row, append == LIST_NONE ? row : s->x->row[append] };
	const char *why = kind == FOUND_G1A ? ", which had failed"
	                                    : ", which was not its last append to the key";

	if (!found_wants(s->f, kind, row)) {
		pawl__found_rows(s->f, kind, rows, 1);
		return;
	}
	if (append == LIST_NONE) {
		pawl__found_say(s->f, "%T read %V%K, which nobody appended", row, value, key);
	} else {
		pawl__found_say(s->f, "%T read %V%K, appended by %T", row, value, key, rows[1]);
		pawl__found_say(s->f, why);
	}
	pawl__found_rows(s->f, kind, rows, append == LIST_NONE || rows[1] == row ? 1 : 2);
}

/* G1a and garbage of a read, element by element. */
static void elements(struct scan *s, uint32_t row, uint32_t m, const int64_t *at, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++) {
		const uint32_t append = pawl__list_find(s->x, s->h->mop_key[m], at[i]);

		if (append == LIST_NONE)
			found_read(s, FOUND_GARBAGE_READ, row, m, append, at[i]);
		else if (s->h->type[s->x->row[append]] == HT_FAIL)
			found_read(s, FOUND_G1A, row, m, append, at[i]);
	}
}

static void aborted(struct scan *s, uint32_t row, uint32_t m, const int64_t *at, uint32_t len)
{
	const struct list_index *x = s->x;
	const uint32_t key = s->h->mop_key[m];
	uint64_t failed, garbage;

	if (!x->order[key].main || !history_is_prefix(s->h, m)) {
		elements(s, row, m, at, len);
		return;
	}
	if (x->failed_len + x->garbage_len == 0)
		return;
	failed = among(x->failed, x->failed_len, x->base[key], x->base[key] + len);
	garbage = among(x->garbage, x->garbage_len, x->base[key], x->base[key] + len);
	if ((failed > 0 && found_wants(s->f, FOUND_G1A, row)) ||
	    (garbage > 0 && found_wants(s->f, FOUND_GARBAGE_READ, row))) {
		elements(s, row, m, at, len);
		return;
	}
	s->f->count[FOUND_G1A] += failed;
	s->f->count[FOUND_GARBAGE_READ] += garbage;
}

static int by_value(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* Whether an element stands in a list twice; ret: one that does. -1: no memory. */
static int repeats(const int64_t *at, uint32_t len, int64_t *ret)
{
	int64_t *copy = malloc(((size_t)len + 1) * sizeof(*copy));
	int found = 0;

	if (copy == NULL)
		return -1;
	memcpy(copy, at, len * sizeof(*copy));
	qsort(copy, len, sizeof(*copy), by_value);
	for (uint32_t i = 1; i < len && found == 0; i++) {
		found = copy[i] == copy[i - 1];
		*ret = copy[i];
	}
	free(copy);
	return found;
}

static void duplicates(struct scan *s, uint32_t row, uint32_t m, const int64_t *at, uint32_t len)
{
	const struct list_order *o = &s->x->order[s->h->mop_key[m]];
	int64_t value = VALUE_NIL;
	int found;

	if (o->main && history_is_prefix(s->h, m)) {
		found = o->twice < len;
		if (found != 0)
			value = at[o->twice];
	} else {
		found = repeats(at, len, &value);
	}
	if (found < 0)
		s->f->nomem = true;
	if (found <= 0)
		return;
	if (found_wants(s->f, FOUND_DUPLICATE_ELEMENTS, row))
		pawl__found_say(s->f, "%T read %V%K more than once in one list", row, value,
		                s->h->mop_key[m]);
	pawl__found_rows(s->f, FOUND_DUPLICATE_ELEMENTS, &row, 1);
}

static void read_check(struct scan *s, uint32_t row, uint32_t m)
{
	uint32_t len, last;
	const int64_t *at = list_read(s->x, m, &len);

	if (len == 0)
		return;
	aborted(s, row, m, at, len);
	duplicates(s, row, m, at, len);
	last = list_last(s->x, m);
	if (last != LIST_NONE && (s->x->flags[last] & LIST_INTERMEDIATE) != 0 &&
	    s->x->row[last] != row)
		found_read(s, FOUND_G1B, row, m, last, s->h->mop_val[last]);
}

static void row_check(struct scan *s, uint32_t row)
{
	const struct history *h = s->h;
	const uint32_t first = h->mop_first[row], end = first + h->mop_len[row];
	bool internal = false, future = false;

	for (uint32_t m = first; m < end; m++) {
		struct touch *t = &s->touch[h->mop_key[m]];

		if (t->row != row)
			*t = (struct touch){ .row = row, .last = LIST_NONE, .read = LIST_NONE };
		s->prev[m - first] = t->last;
		t->last = m;
		if (h->mop_f[m] == HF_READ) {
			read_check(s, row, m);
			if (!internal && s->prev[m - first] != LIST_NONE &&
			    contradicts(s, m, first)) {
				internal = true;
				found_internal(s, row, m);
			}
			t->read = t->read == LIST_NONE ? m : t->read;
			continue;
		}
		if (t->read == LIST_NONE)
			continue;
		if (!t->updated)
			update_add(s, row, t->read);
		t->updated = true;
		if (!future && foreseen(s, m, first)) {
			future = true;
			found_future(s, row, m);
		}
	}
}

static void found_lost(struct scan *s, uint32_t rows_len, uint32_t key)
{
	if (found_wants(s->f, FOUND_LOST_UPDATE, s->rows[0]))
		pawl__found_say(s->f,
		                "these %U transactions read the same version%K and then appended "
		                "to it",
		                (uint64_t)rows_len, key);
	pawl__found_rows(s->f, FOUND_LOST_UPDATE, s->rows, rows_len);
}

/* Reads by key, by list, then as they stand in the history. */
static int by_list(const void *pa, const void *pb, void *arg)
{
	const struct scan *s = arg;
	const uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;
	uint32_t alen, blen;
	const int64_t *la = list_read(s->x, a, &alen), *lb = list_read(s->x, b, &blen);
	int cmp;

	if (s->h->mop_key[a] != s->h->mop_key[b])
		return s->h->mop_key[a] < s->h->mop_key[b] ? -1 : 1;
	if (alen != blen)
		return alen < blen ? -1 : 1;
	cmp = alen == 0 ? 0 : memcmp(la, lb, alen * sizeof(*la));
	if (cmp != 0)
		return cmp;
	return s->x->row[a] < s->x->row[b] ? -1 : s->x->row[a] > s->x->row[b];
}

/* Versions that two transactions or more updated. */
static void lost_updates(struct scan *s)
{
	for (uint32_t k = 0; k < s->h->keys_len; k++) {
		for (uint64_t v = s->version[k]; v < s->version[k + 1]; v++) {
			uint32_t n = 0;

			for (uint32_t i = s->head[v]; i != LIST_NONE; i = s->update[i].before)
				s->rows[n++] = s->update[i].row;
			for (uint32_t i = 0; i < n / 2; i++) {
				const uint32_t row = s->rows[i];

				s->rows[i] = s->rows[n - 1 - i];
				s->rows[n - 1 - i] = row;
			}
			if (n > 1)
				found_lost(s, n, k);
		}
	}
	qsort_r(s->apart, s->apart_len, sizeof(*s->apart), by_list, s);
	for (uint32_t i = 0, n; i < s->apart_len; i += n) {
		const uint32_t key = s->h->mop_key[s->apart[i]];

		for (n = 0; i + n < s->apart_len && key == s->h->mop_key[s->apart[i + n]] &&
		            same_list(s, s->apart[i], s->apart[i + n]);
		     n++)
			s->rows[n] = s->x->row[s->apart[i + n]];
		if (n > 1)
			found_lost(s, n, key);
	}
}

/* A failed append under a committed one. */
static void dirty_update(struct scan *s, uint32_t key)
{
	const struct list_index *x = s->x;
	uint32_t under = LIST_NONE; /* the failed append that the list stands on */

	for (uint32_t p = 0; p < x->order[key].len; p++) {
		const uint32_t m = x->elem[x->base[key] + p];
		const uint32_t rows[2] = { under == LIST_NONE ? 0 : x->row[under],
			                   m == LIST_NONE ? 0 : x->row[m] };

		if (m == LIST_NONE || x->pos[m] != p || s->h->type[rows[1]] == HT_INFO)
			continue;
		if (s->h->type[rows[1]] == HT_FAIL) {
			under = under == LIST_NONE ? m : under;
			continue;
		}
		if (under == LIST_NONE)
			continue;
		pawl__found_say(s->f,
		                "%T, which failed, appended %V%K, and %T appended %V behind it",
		                rows[0], s->h->mop_val[under], key, rows[1], s->h->mop_val[m]);
		pawl__found_rows(s->f, FOUND_DIRTY_UPDATE, rows, 2);
		under = LIST_NONE;
	}
}

/* A row that read a prefix of the main list which is not a prefix of what m read, nor beyond. */
static uint32_t other_reader(const struct scan *s, uint32_t m)
{
	const struct history *h = s->h;
	uint32_t len;
	const int64_t *at = list_read(s->x, m, &len), *main = h->list[h->mop_key[m]].at;
	uint32_t same = 0;

	while (same < len && same < h->list[h->mop_key[m]].len && at[same] == main[same])
		same++;
	for (uint32_t i = 0; i < h->mops_len; i++) {
		if (h->mop_key[i] == h->mop_key[m] && s->x->row[i] != LIST_NONE &&
		    h->type[s->x->row[i]] == HT_OK && history_is_list(h, i) &&
		    history_is_prefix(h, i) && h->mop_val[i] > (int64_t)same)
			return s->x->row[i];
	}
	return s->x->row[m];
}

/* One for each key that has lists of which none is a prefix of the other. */
static bool incompatible(struct scan *s)
{
	const struct history *h = s->h;
	uint8_t *told = calloc((size_t)h->keys_len + 1, 1);

	if (told == NULL)
		return false;
	for (uint32_t m = 0; m < h->mops_len && h->apart_len > 0; m++) {
		const uint32_t key = h->mop_key[m], row = s->x->row[m];
		uint32_t rows[2] = { row, row };

		if (row == LIST_NONE || h->type[row] != HT_OK || !history_is_list(h, m) ||
		    history_is_prefix(h, m) || told[key] != 0)
			continue;
		told[key] = 1;
		if (found_wants(s->f, FOUND_INCOMPATIBLE_ORDER, 0)) {
			rows[1] = other_reader(s, m);
			pawl__found_say(
				s->f,
				"%T and %T read lists%K of which neither is a prefix of the "
				"other",
				rows[0], rows[1], key);
		}
		pawl__found_rows(s->f, FOUND_INCOMPATIBLE_ORDER, rows, rows[0] == rows[1] ? 1 : 2);
	}
	free(told);
	return true;
}

static bool scan_init(struct scan *s)
{
	const struct history *h = s->h;
	uint32_t longest = 0, rows = 0, apart = 0;

	for (uint32_t i = 0; i < h->ops_len; i++) {
		longest = h->mop_len[i] > longest ? h->mop_len[i] : longest;
		rows += h->type[i] == HT_OK ? h->mop_len[i] : 0;
	}
	s->version = calloc((size_t)h->keys_len + 1, sizeof(*s->version));
	if (s->version == NULL)
		return false;
	for (uint32_t k = 0; k < h->keys_len; k++)
		s->version[k + 1] = s->version[k] + 1 + (h->list == NULL ? 0 : h->list[k].len);
	for (uint32_t m = 0; m < h->mops_len && h->apart_len > 0; m++)
		apart += history_is_list(h, m) && !history_is_prefix(h, m);
	s->touch = malloc(((size_t)h->keys_len + 1) * sizeof(*s->touch));
	s->prev = malloc(((size_t)longest + 1) * sizeof(*s->prev));
	s->head = malloc((s->version[h->keys_len] + 1) * sizeof(*s->head));
	s->update = malloc(((size_t)rows + 1) * sizeof(*s->update));
	s->apart = malloc(((size_t)apart + 1) * sizeof(*s->apart));
	s->rows = malloc(((size_t)h->ops_len + 1) * sizeof(*s->rows));
	if (s->touch == NULL || s->prev == NULL || s->head == NULL || s->update == NULL ||
	    s->apart == NULL || s->rows == NULL)
		return false;
	memset(s->touch, 0xff, ((size_t)h->keys_len + 1) * sizeof(*s->touch));
	memset(s->head, 0xff, (s->version[h->keys_len] + 1) * sizeof(*s->head));
	return true;
}

enum pawl_status pawl__list_scan(const struct list_index *x, struct found *f,
                                 struct pawl_error *err)
{
	struct scan s = { .x = x, .h = x->h, .f = f };
	bool ok = scan_init(&s);

	for (uint32_t i = 0; ok && i < s.h->ops_len; i++) {
		if (s.h->type[i] == HT_OK)
			row_check(&s, i);
	}
	for (uint32_t k = 0; ok && k < s.h->keys_len && x->failed_len > 0; k++)
		dirty_update(&s, k);
	if (ok)
		lost_updates(&s);
	ok = ok && incompatible(&s);
	free(s.touch);
	free(s.prev);
	free(s.version);
	free(s.head);
	free(s.update);
	free(s.apart);
	free(s.rows);
	return ok ? PAWL_OK : pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
}
