/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rule of read atomic: of what a transaction read from, and of its session's past, it saw all
 * or something newer.
 *
 * For the session it is enough to look at the last writer of a key before: earlier ones are before
 * that one by session order.
 */
#include "race/check/weak.h"

#include <stdlib.h>

struct read_of {
	uint32_t reader;  /* for whom this was noted */
	uint32_t from[2]; /* two different writers that it was read from; the second or WEAK_NONE */
};

struct last {
	uint32_t session;
	uint32_t txn;
};

struct walk {
	const struct weak *w;
	struct weak_edges *e;
	struct read_of *reads; /* by key */
	struct last *last;     /* by key: its last writer in the session at hand */
	uint32_t *met;         /* by transaction: the last reader that has dealt with it */
};

static void note_reads(const struct walk *k, uint32_t t)
{
	const struct weak *w = k->w;

	for (uint32_t i = w->read_first[t]; i < w->read_first[t + 1]; i++) {
		struct read_of *r = &k->reads[w->read_key[i]];
		const uint32_t from = w->read_from[i];

		if (r->reader != t)
			*r = (struct read_of){ t, { from, WEAK_NONE } };
		else if (r->from[0] != from && r->from[1] == WEAK_NONE)
			r->from[1] = from;
	}
}

/* t knows of `from`, which writes key. */
static void force(const struct walk *k, uint32_t from, uint32_t t, uint32_t key)
{
	const struct read_of *r = &k->reads[key];

	if (r->reader != t)
		return;
	for (int i = 0; i < 2; i++)
		if (r->from[i] != WEAK_NONE && r->from[i] != from)
			weak_edge(k->e, from, r->from[i], t, key);
}

static void met(const struct walk *k, uint32_t from, uint32_t t)
{
	const struct weak *w = k->w;
	const uint32_t a = w->write_first[from], b = w->write_first[from + 1];
	const uint32_t first = w->read_first[t], end = w->read_first[t + 1];

	if (b - a <= end - first) {
		for (uint32_t j = a; j < b; j++)
			force(k, from, t, w->write_key[j]);
		return;
	}
	for (uint32_t j = first; j < end; j++)
		if (pawl__weak_writes(w, from, w->read_key[j]))
			force(k, from, t, w->read_key[j]);
}

static void walk_reads(const struct walk *k, uint32_t t)
{
	const struct weak *w = k->w;
	const uint32_t session = w->session[t];

	note_reads(k, t);
	for (uint32_t i = w->read_first[t]; i < w->read_first[t + 1]; i++) {
		const uint32_t from = w->read_from[i], key = w->read_key[i];

		if (k->last[key].session == session)
			force(k, k->last[key].txn, t, key);
		if (from == WEAK_INIT || k->met[from] == t)
			continue;
		k->met[from] = t;
		met(k, from, t);
	}
	for (uint32_t j = w->write_first[t]; j < w->write_first[t + 1]; j++)
		k->last[w->write_key[j]] = (struct last){ session, t };
}

/* What the initial transaction wrote it wrote before every session. */
static void read_initial(const struct walk *k, uint32_t t)
{
	const struct weak *w = k->w;

	for (uint32_t i = w->read_first[t]; i < w->read_first[t + 1]; i++)
		if (w->read_from[i] == WEAK_INIT && pawl__weak_writes(w, w->init, w->read_key[i]))
			weak_edge(k->e, w->init, WEAK_INIT, t, w->read_key[i]);
}

bool pawl__weak_ra(const struct weak *w, struct weak_edges *e)
{
	struct walk k = { .w = w, .e = e };
	bool ok;

	k.reads = malloc(((size_t)w->h->keys_len + 1) * sizeof(*k.reads));
	k.last = malloc(((size_t)w->h->keys_len + 1) * sizeof(*k.last));
	k.met = malloc(((size_t)w->txns + 1) * sizeof(*k.met));
	ok = k.reads != NULL && k.last != NULL && k.met != NULL;
	if (ok) {
		memset(k.reads, 0xff, (size_t)w->h->keys_len * sizeof(*k.reads));
		memset(k.last, 0xff, (size_t)w->h->keys_len * sizeof(*k.last));
		memset(k.met, 0xff, (size_t)w->txns * sizeof(*k.met));
	}
	for (uint32_t i = 0; ok && i < w->txns; i++) {
		const uint32_t t = w->session_txn[i];

		walk_reads(&k, t);
		if (w->init != WEAK_NONE && t != w->init)
			read_initial(&k, t);
	}
	free(k.reads);
	free(k.last);
	free(k.met);
	return ok;
}
