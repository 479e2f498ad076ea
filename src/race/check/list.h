/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/list - what the reads of a list-append history say about the order of its appends.
 *
 *     init: which append wrote which element -> order of each key's elements -> scan: anomalies
 *     that need no cycle -> (list_append) edges
 *
 * The order of a key is the longest list that a transaction read of it, of several the one read
 * first. A version of a key is a number: 0 the initial one, p + 1 the one that the element at place
 * p of the order made. An append that nobody read comes after every version.
 * Owner: the check that runs; it borrows the history. Threads: one.
 */
#ifndef PAWL_RACE_CHECK_LIST_H
#define PAWL_RACE_CHECK_LIST_H

#include "race/check/found.h"

#define LIST_NONE UINT32_MAX

/* Flags of micro-operations */
#define LIST_INTERMEDIATE 1u /* an append; its transaction appended to the key again */

struct list_order {
	const int64_t *at;
	uint32_t len;
	bool main;        /* it is the history's main list */
	bool apart;       /* a transaction read something that is no prefix of the main list */
	uint32_t twice;   /* first place whose element stands before it already; LIST_NONE */
	uint32_t unread;  /* appends that nobody read: unread_mop[.. the next key's) */
	uint32_t readers; /* reads of the last version */
	uint32_t fan;     /* list_append: where its fan begins among the virtual nodes */
};

struct list_index {
	const struct history *h;
	struct list_order *order; /* by key, and one more */
	uint64_t *base;           /* by key: where its places begin in elem */
	uint32_t *elem;           /* by place: the append; LIST_NONE: nobody appended it */
	/* By mop. Of an append: its place, LIST_NONE when unread. Of a read by an ok row: its
	 * version, LIST_NONE when its last element is not in the order. */
	uint32_t *pos;
	uint32_t *row;  /* by mop */
	uint8_t *flags; /* by mop */
	uint32_t *unread_mop;
	uint32_t *slots; /* hash of (key, element) -> append */
	uint64_t slots_mask;
	uint64_t *failed;  /* places of elements of failed appends, ascending */
	uint64_t *garbage; /* places of elements that nobody appended, ascending */
	uint32_t failed_len, garbage_len;
	uint32_t twice_a, twice_b; /* appends of one element to one key; LIST_NONE */
};

/* PAWL_E_INVALID: no list-append history. On failure too, deinit. Element appended twice: twice_a
 * and twice_b are set and the rest is not made. */
PAWL_MUST_CHECK enum pawl_status pawl__list_init(struct list_index *x, const struct history *h,
                                                 struct pawl_error *err);
void pawl__list_deinit(struct list_index *x);

/* The append of an element; LIST_NONE. */
uint32_t pawl__list_find(const struct list_index *x, uint32_t key, int64_t value);

/* Anomalies that show in one key or one transaction. */
PAWL_MUST_CHECK enum pawl_status pawl__list_scan(const struct list_index *x, struct found *f,
                                                 struct pawl_error *err);

/* Elements of a read; nil is the empty list. */
static inline const int64_t *list_read(const struct list_index *x, uint32_t m, uint32_t *ret_len)
{
	*ret_len = 0;
	return history_is_list(x->h, m) ? history_list_at(x->h, m, ret_len) : NULL;
}

/* The append that made version v; LIST_NONE: the initial one, or nobody appended that. Elements
 * that stand in the order twice count where they stand first. */
static inline uint32_t list_before(const struct list_index *x, uint32_t key, uint32_t v)
{
	while (v-- > 0) {
		const uint32_t m = x->elem[x->base[key] + v];

		if (m == LIST_NONE || x->pos[m] == v)
			return m;
	}
	return LIST_NONE;
}

/* The append that made the version after v. */
static inline uint32_t list_after(const struct list_index *x, uint32_t key, uint32_t v)
{
	for (; v < x->order[key].len; v++) {
		const uint32_t m = x->elem[x->base[key] + v];

		if (m == LIST_NONE || x->pos[m] == v)
			return m;
	}
	return LIST_NONE;
}

/* The append of a read's last element; LIST_NONE. */
static inline uint32_t list_last(const struct list_index *x, uint32_t m)
{
	uint32_t len;
	const int64_t *at;

	if (x->pos[m] != LIST_NONE)
		return list_before(x, x->h->mop_key[m], x->pos[m]);
	at = list_read(x, m, &len);
	return len == 0 ? LIST_NONE : pawl__list_find(x, x->h->mop_key[m], at[len - 1]);
}

#endif /* PAWL_RACE_CHECK_LIST_H */
