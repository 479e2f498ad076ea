/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rule of read committed: what a transaction saw, it does not un-see.
 *
 * A transaction is walked from its last read to its first. At the first read from t2 the rule asks,
 * for each key x that t2 writes, for the next read of x that is not from t2; reads of x after that
 * one follow from it by the same rule.
 */
#include "race/check/weak.h"

#include <stdlib.h>

/* Of a key: the writer that its next read is from, and the next different one after that. */
struct next {
	uint32_t reader; /* for whom this was noted */
	uint32_t from[2];
};

struct walk {
	const struct weak *w;
	struct weak_edges *e;
	struct next *next;  /* by key */
	uint32_t *first_at; /* by transaction: the place of a reader's first read from it */
};

static void force(const struct walk *k, uint32_t from, uint32_t by, uint32_t key)
{
	const struct next *n = &k->next[key];
	uint32_t to;

	if (n->reader != by)
		return;
	to = n->from[0] != from ? n->from[0] : n->from[1];
	if (to != WEAK_NONE)
		weak_edge(k->e, from, to, by, key);
}

/* The keys of t2 = from that are read at i + 1 .. end, whichever of the two is fewer to try. */
static void first_read(const struct walk *k, uint32_t by, uint32_t i, uint32_t end)
{
	const struct weak *w = k->w;
	const uint32_t from = w->read_from[i];
	const uint32_t a = w->write_first[from], b = w->write_first[from + 1];

	if (b - a <= end - i - 1) {
		for (uint32_t j = a; j < b; j++)
			force(k, from, by, w->write_key[j]);
		return;
	}
	for (uint32_t j = i + 1; j < end; j++)
		if (pawl__weak_writes(w, from, w->read_key[j]))
			force(k, from, by, w->read_key[j]);
}

static void walk_reads(const struct walk *k, uint32_t t)
{
	const struct weak *w = k->w;
	const uint32_t first = w->read_first[t], end = w->read_first[t + 1];

	for (uint32_t i = end; i-- > first;)
		if (w->read_from[i] != WEAK_INIT)
			k->first_at[w->read_from[i]] = i;
	for (uint32_t i = end; i-- > first;) {
		const uint32_t from = w->read_from[i];
		struct next *n = &k->next[w->read_key[i]];

		if (from != WEAK_INIT && k->first_at[from] == i)
			first_read(k, t, i, end);
		if (n->reader != t)
			*n = (struct next){ t, { from, WEAK_NONE } };
		else if (n->from[0] != from)
			*n = (struct next){ t, { from, n->from[0] } };
	}
}

bool pawl__weak_rc(const struct weak *w, struct weak_edges *e)
{
	struct walk k = { .w = w, .e = e };
	bool ok;

	k.next = calloc((size_t)w->h->keys_len + 1, sizeof(*k.next));
	k.first_at = calloc((size_t)w->txns + 1, sizeof(*k.first_at));
	ok = k.next != NULL && k.first_at != NULL;
	for (uint32_t i = 0; ok && i < w->h->keys_len; i++)
		k.next[i].reader = WEAK_NONE;
	for (uint32_t t = 0; ok && t < w->txns; t++)
		walk_reads(&k, t);
	free(k.next);
	free(k.first_at);
	return ok;
}
