/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rule of causal consistency: of each key a transaction reads the last of what it knows of.
 *
 * What t knows of is a clock: for each session, how many of its transactions. Transactions are
 * taken in a topological order of so and wr. A session's own clock runs along; the clock of a
 * transaction is kept aside only until the last reader from another session has been served, so
 * memory follows what is still being read and not the length of the history.
 *
 * For each key the rule needs the last writer in each session that a clock covers. Writers that
 * were already passed are counted per key and session; nearly always the last of these is the one,
 * otherwise it is looked for backwards. A writer of which the one read from knew needs no edge.
 */
#include "race/check/weak.h"

#include <stdlib.h>

struct clocks {
	const struct weak *w;
	struct weak_edges *e;
	uint32_t *head; /* by session: its clock */

	uint32_t **chunk; /* clocks kept aside, CLOCKS_CHUNK in each */
	uint32_t chunks, chunks_cap;
	uint32_t *spare; /* stack of clocks in no use */
	uint32_t spare_len, kept;
	uint32_t *kept_at; /* by transaction: its clock; WEAK_NONE */
	uint32_t *readers; /* by transaction: reads by other sessions that are still to come */

	struct weak_writers by_key;
};

#define CLOCKS_CHUNK 1024U

static uint32_t *clock_at(const struct clocks *c, uint32_t i)
{
	return c->chunk[i / CLOCKS_CHUNK] + (size_t)(i % CLOCKS_CHUNK) * c->w->sessions;
}

static bool clock_take(struct clocks *c, uint32_t *ret)
{
	if (c->spare_len > 0) {
		*ret = c->spare[--c->spare_len];
		return true;
	}
	if (c->kept == c->chunks * CLOCKS_CHUNK) {
		uint32_t *one = malloc((size_t)CLOCKS_CHUNK * c->w->sessions * sizeof(*one));

		if (one == NULL)
			return false;
		c->chunk[c->chunks++] = one;
	}
	*ret = c->kept++;
	return true;
}

/* Whether a read by t from `from` has to look at a kept clock. */
static bool foreign(const struct weak *w, uint32_t from, uint32_t t)
{
	return from != WEAK_INIT && w->session[from] != w->session[t];
}

static void join(uint32_t *restrict into, const uint32_t *restrict from, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		into[i] = into[i] > from[i] ? into[i] : from[i];
}

/* The last of the group's writers that stands at most at place `most`; WEAK_NONE. */
static uint32_t covered(const struct clocks *c, const struct weak_group *g, uint32_t most)
{
	const uint32_t *place = c->w->place;
	uint32_t lo = g->first, hi = g->passed, step = 1;

	/* Back in growing steps, then halves: the one sought is near the end. */
	while (hi - lo > step && place[c->by_key.writer[hi - step]] > most) {
		hi -= step;
		step *= 2;
	}
	if (hi - lo > step)
		lo = hi - step;
	while (lo < hi) {
		const uint32_t mid = lo + (hi - lo) / 2;

		if (place[c->by_key.writer[mid]] <= most)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo == g->first ? WEAK_NONE : c->by_key.writer[lo - 1];
}

/* t, whose clock is `clock` without t itself, read key from `from`. */
static void force(const struct clocks *c, uint32_t t, uint32_t key, uint32_t from,
                  const uint32_t *clock)
{
	const struct weak *w = c->w;
	const uint32_t *knew = NULL;

	if (foreign(w, from, t))
		knew = clock_at(c, c->kept_at[from]);
	for (uint32_t i = c->by_key.group_first[key]; i < c->by_key.group_first[key + 1]; i++) {
		const struct weak_group *g = &c->by_key.group[i];
		uint32_t last = g->last;
		uint32_t writer;

		if (last == 0 || clock[g->session] == 0)
			continue;
		if (PAWL_LIKELY(last <= clock[g->session])) {
			if (knew != NULL && last <= knew[g->session])
				continue;
			writer = c->by_key.writer[g->passed - 1];
		} else {
			writer = covered(c, g, clock[g->session]);
			if (writer == WEAK_NONE ||
			    (knew != NULL && w->place[writer] <= knew[g->session]))
				continue;
		}
		if (writer != from)
			weak_edge(c->e, writer, from, t, key);
	}
}

static void pass_writes(const struct clocks *c, uint32_t t)
{
	const struct weak *w = c->w;

	for (uint32_t j = w->write_first[t]; j < w->write_first[t + 1]; j++) {
		struct weak_group *g = &c->by_key.group[c->by_key.group_of[j]];

		g->passed++;
		g->last = w->place[t];
	}
}

static bool pass(struct clocks *c, uint32_t t)
{
	const struct weak *w = c->w;
	const uint32_t first = w->read_first[t], end = w->read_first[t + 1];
	uint32_t *clock = c->head + (size_t)w->session[t] * w->sessions;

	if (w->init != WEAK_NONE && t != w->init && clock[w->session[w->init]] == 0)
		clock[w->session[w->init]] = 1;
	for (uint32_t i = first; i < end; i++)
		if (foreign(w, w->read_from[i], t))
			join(clock, clock_at(c, c->kept_at[w->read_from[i]]), w->sessions);
	for (uint32_t i = first; i < end; i++)
		force(c, t, w->read_key[i], w->read_from[i], clock);
	for (uint32_t i = first; i < end; i++) {
		const uint32_t from = w->read_from[i];

		if (foreign(w, from, t) && --c->readers[from] == 0)
			c->spare[c->spare_len++] = c->kept_at[from];
	}
	clock[w->session[t]] = w->place[t];
	pass_writes(c, t);
	if (c->readers[t] == 0)
		return true;
	if (!clock_take(c, &c->kept_at[t]))
		return false;
	memcpy(clock_at(c, c->kept_at[t]), clock, w->sessions * sizeof(*clock));
	return true;
}

static bool clocks_init(struct clocks *c)
{
	const struct weak *w = c->w;
	const size_t txns = (size_t)w->txns + 1;

	c->chunks_cap = w->txns / CLOCKS_CHUNK + 1;
	c->head = calloc((size_t)w->sessions * w->sessions + 1, sizeof(*c->head));
	c->chunk = calloc(c->chunks_cap, sizeof(*c->chunk));
	c->spare = malloc(txns * sizeof(*c->spare));
	c->kept_at = malloc(txns * sizeof(*c->kept_at));
	c->readers = calloc(txns, sizeof(*c->readers));
	if (c->head == NULL || c->chunk == NULL || c->spare == NULL || c->kept_at == NULL ||
	    c->readers == NULL)
		return false;
	for (uint32_t t = 0; t < w->txns; t++)
		for (uint32_t i = w->read_first[t]; i < w->read_first[t + 1]; i++)
			if (foreign(w, w->read_from[i], t))
				c->readers[w->read_from[i]]++;
	return pawl__weak_writers_init(&c->by_key, w);
}

static void clocks_deinit(struct clocks *c)
{
	for (uint32_t i = 0; i < c->chunks; i++)
		free(c->chunk[i]);
	free(c->head);
	free(c->chunk);
	free(c->spare);
	free(c->kept_at);
	free(c->readers);
	pawl__weak_writers_deinit(&c->by_key);
}

bool pawl__weak_cc(const struct weak *w, struct weak_edges *e)
{
	struct clocks c = { .w = w, .e = e };
	bool ok = clocks_init(&c);

	for (uint32_t i = 0; ok && i < w->txns; i++)
		ok = pass(&c, e->order == NULL ? i : e->order[i]);
	clocks_deinit(&c);
	return ok;
}

/* The last of session s that may go now goes; then its session waits at the end of the queue, or at
 * the transaction that its next one needs. */
struct order {
	const struct weak *w;
	uint32_t *next;   /* by session: how many went */
	uint32_t *queue;  /* ring of sessions that may be able to go on */
	uint32_t *waiter; /* by transaction: a session that waits for it; WEAK_NONE */
	uint32_t *behind; /* by session: who waits for the same */
	uint8_t *gone;    /* by transaction */
	uint32_t head, len;
};

/* What t still needs; WEAK_NONE. */
static uint32_t missing(const struct order *o, uint32_t t)
{
	const struct weak *w = o->w;

	if (w->init != WEAK_NONE && t != w->init && o->gone[w->init] == 0)
		return w->init;
	for (uint32_t i = w->read_first[t]; i < w->read_first[t + 1]; i++)
		if (w->read_from[i] != WEAK_INIT && o->gone[w->read_from[i]] == 0)
			return w->read_from[i];
	return WEAK_NONE;
}

static void enqueue(struct order *o, uint32_t s)
{
	o->queue[(o->head + o->len++) % o->w->sessions] = s;
}

static uint32_t run_queue(struct order *o, uint32_t *ret)
{
	const struct weak *w = o->w;
	uint32_t done = 0;

	while (o->len > 0) {
		const uint32_t s = o->queue[o->head];
		uint32_t t, need;

		o->head = (o->head + 1) % w->sessions;
		o->len--;
		if (w->session_first[s] + o->next[s] == w->session_first[s + 1])
			continue;
		t = w->session_txn[w->session_first[s] + o->next[s]];
		need = missing(o, t);
		if (need != WEAK_NONE) {
			o->behind[s] = o->waiter[need];
			o->waiter[need] = s;
			continue;
		}
		ret[done++] = t;
		o->gone[t] = 1;
		o->next[s]++;
		for (uint32_t i = o->waiter[t]; i != WEAK_NONE; i = o->behind[i])
			enqueue(o, i);
		enqueue(o, s);
	}
	return done;
}

static bool in_order(const struct weak *w)
{
	if (w->init != WEAK_NONE && w->init != 0)
		return false;
	for (uint32_t t = 0; t < w->txns; t++)
		for (uint32_t i = w->read_first[t]; i < w->read_first[t + 1]; i++)
			if (w->read_from[i] != WEAK_INIT && w->read_from[i] >= t)
				return false;
	return true;
}

bool pawl__weak_order(const struct weak *w, uint32_t **ret, bool *cyclic)
{
	struct order o = { .w = w };
	const size_t sessions = (size_t)w->sessions + 1, txns = (size_t)w->txns + 1;
	uint32_t *order = NULL;
	bool ok;

	*ret = NULL;
	*cyclic = false;
	if (in_order(w))
		return true;
	o.next = calloc(sessions, sizeof(*o.next));
	o.queue = malloc(sessions * sizeof(*o.queue));
	o.behind = malloc(sessions * sizeof(*o.behind));
	o.waiter = malloc(txns * sizeof(*o.waiter));
	o.gone = calloc(txns, 1);
	order = malloc(txns * sizeof(*order));
	ok = o.next != NULL && o.queue != NULL && o.behind != NULL && o.waiter != NULL &&
	     o.gone != NULL && order != NULL;
	if (ok) {
		memset(o.waiter, 0xff, txns * sizeof(*o.waiter));
		for (uint32_t s = 0; s < w->sessions; s++)
			enqueue(&o, s);
		*cyclic = run_queue(&o, order) < w->txns;
	}
	if (ok && !*cyclic)
		*ret = TAKE_PTR(order);
	free(o.next);
	free(o.queue);
	free(o.behind);
	free(o.waiter);
	free(o.gone);
	free(order);
	return ok;
}
