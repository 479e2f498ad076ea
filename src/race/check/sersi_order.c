/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One order, without going back: of the points that may come next the one with the smallest past
 * comes next. A writer waits until nobody is left who has still to read what it would replace, and
 * under snapshot isolation until no other writer of its keys is under way. When all points are
 * placed this is the order that the level asks for; when none may go on, nothing is known.
 */
#include "race/check/sersi.h"

#include <stdlib.h>

struct order {
	const struct sersi *s;
	uint32_t *need;        /* by point: those before it that are not placed */
	uint32_t *after_first; /* by point, and one more */
	uint32_t *after;
	uint64_t *heap; /* past << 32 | point */
	uint32_t heap_len;
	uint32_t *past;    /* by point: how many are before it */
	uint32_t *readers; /* by write: how many reads of it */
	uint32_t *pending; /* by key: reads of its present value that are to come */
	uint8_t *active;   /* by key: a writer has started and not committed */
	uint32_t *waiting; /* by key: a point that waits for it; WEAK_NONE */
	uint32_t *behind;  /* by point: the next one that waits */
};

static void push(struct order *o, uint32_t point)
{
	const uint64_t v = (uint64_t)o->past[point] << 32 | point;
	uint32_t i = o->heap_len++;

	for (; i > 0 && o->heap[(i - 1) / 2] > v; i = (i - 1) / 2)
		o->heap[i] = o->heap[(i - 1) / 2];
	o->heap[i] = v;
}

static uint32_t pop(struct order *o)
{
	const uint32_t ret = (uint32_t)o->heap[0];
	const uint64_t v = o->heap[--o->heap_len];
	uint32_t i = 0;

	for (;;) {
		uint32_t c = 2 * i + 1;

		if (c >= o->heap_len)
			break;
		c += c + 1 < o->heap_len && o->heap[c + 1] < o->heap[c];
		if (o->heap[c] >= v)
			break;
		o->heap[i] = o->heap[c];
		i = c;
	}
	o->heap[i] = v;
	return ret;
}

static void wake(struct order *o, uint32_t key)
{
	uint32_t p = o->waiting[key];

	o->waiting[key] = WEAK_NONE;
	for (; p != WEAK_NONE; p = o->behind[p])
		push(o, p);
}

static uint32_t own_reads(const struct weak *w, uint32_t t, uint32_t key)
{
	uint32_t n = 0;

	for (uint32_t i = w->read_first[t]; i < w->read_first[t + 1]; i++)
		n += w->read_key[i] == key;
	return n;
}

/* The key for whose sake the point has to wait; HISTORY_NONE. */
static uint32_t obstacle(const struct order *o, uint32_t point)
{
	const struct weak *w = o->s->w;
	const uint32_t t = point_txn(o->s, point);
	const bool starts = point == point_start(o->s, t), commits = point == point_commit(o->s, t);

	for (uint32_t j = w->write_first[t]; j < w->write_first[t + 1]; j++) {
		const uint32_t key = w->write_key[j];

		if (starts && o->s->kind == SERSI_SI && o->active[key] != 0)
			return key;
		if (commits && o->pending[key] > (starts ? own_reads(w, t, key) : 0))
			return key;
	}
	return HISTORY_NONE;
}

static void place(struct order *o, uint32_t point)
{
	const struct weak *w = o->s->w;
	const uint32_t t = point_txn(o->s, point);

	if (point == point_start(o->s, t)) {
		for (uint32_t i = w->read_first[t]; i < w->read_first[t + 1]; i++)
			if (--o->pending[w->read_key[i]] == 0)
				wake(o, w->read_key[i]);
		for (uint32_t j = w->write_first[t]; j < w->write_first[t + 1]; j++)
			o->active[w->write_key[j]] = 1;
	}
	if (point == point_commit(o->s, t)) {
		for (uint32_t j = w->write_first[t]; j < w->write_first[t + 1]; j++) {
			o->pending[w->write_key[j]] = o->readers[j];
			o->active[w->write_key[j]] = 0;
			wake(o, w->write_key[j]);
		}
	}
	for (uint32_t i = o->after_first[point]; i < o->after_first[point + 1]; i++)
		if (--o->need[o->after[i]] == 0)
			push(o, o->after[i]);
}

/* The graph in its own direction, and how many are before each point. */
static bool turn(struct order *o)
{
	const struct sersi *s = o->s;
	uint32_t sum = 0, u;

	for (uint32_t p = 0; p < s->points; p++)
		for (uint32_t i = 0; pawl__sersi_before(s, p, i, &u); i++)
			if (u != WEAK_NONE) {
				o->after_first[u]++;
				o->need[p]++;
			}
	for (uint32_t p = 0; p <= s->points; p++) {
		sum += o->after_first[p];
		o->after_first[p] = sum;
	}
	o->after = malloc(((size_t)sum + 1) * sizeof(*o->after));
	if (o->after == NULL)
		return false;
	for (uint32_t p = s->points; p-- > 0;)
		for (uint32_t i = 0; pawl__sersi_before(s, p, i, &u); i++)
			if (u != WEAK_NONE)
				o->after[--o->after_first[u]] = p;
	for (uint32_t p = 0; p < s->points; p++)
		for (uint32_t i = 0; i < s->w->sessions; i++)
			o->past[p] += s->clock[(size_t)p * s->w->sessions + i];
	return true;
}

static void count_readers(struct order *o)
{
	const struct weak *w = o->s->w;

	for (uint32_t i = 0; i < w->read_first[w->txns]; i++) {
		const uint32_t from = w->read_from[i];
		uint32_t lo, hi;

		if (from == WEAK_INIT) {
			o->pending[w->read_key[i]]++;
			continue;
		}
		lo = w->write_first[from];
		hi = w->write_first[from + 1];
		while (hi - lo > 1) {
			const uint32_t mid = lo + (hi - lo) / 2;

			if (w->write_key[mid] <= w->read_key[i])
				lo = mid;
			else
				hi = mid;
		}
		o->readers[lo]++;
	}
}

static bool order_init(struct order *o)
{
	const struct weak *w = o->s->w;
	const size_t points = (size_t)o->s->points + 1, keys = (size_t)w->h->keys_len + 1;

	o->need = calloc(points, sizeof(*o->need));
	o->after_first = calloc(points, sizeof(*o->after_first));
	o->heap = malloc(points * sizeof(*o->heap));
	o->past = calloc(points, sizeof(*o->past));
	o->behind = malloc(points * sizeof(*o->behind));
	o->readers = calloc((size_t)w->write_first[w->txns] + 1, sizeof(*o->readers));
	o->pending = calloc(keys, sizeof(*o->pending));
	o->active = calloc(keys, 1);
	o->waiting = malloc(keys * sizeof(*o->waiting));
	if (o->need == NULL || o->after_first == NULL || o->heap == NULL || o->past == NULL ||
	    o->behind == NULL || o->readers == NULL || o->pending == NULL || o->active == NULL ||
	    o->waiting == NULL)
		return false;
	memset(o->waiting, 0xff, keys * sizeof(*o->waiting));
	count_readers(o);
	return turn(o);
}

static void order_deinit(struct order *o)
{
	free(o->need);
	free(o->after_first);
	free(o->after);
	free(o->heap);
	free(o->past);
	free(o->behind);
	free(o->readers);
	free(o->pending);
	free(o->active);
	free(o->waiting);
}

enum sersi_answer pawl__sersi_order(const struct sersi *s)
{
	struct order o = { .s = s };
	enum sersi_answer ret = SERSI_NO_MEMORY;

	if (order_init(&o)) {
		uint32_t placed = 0;

		for (uint32_t p = 0; p < s->points; p++)
			if (o.need[p] == 0)
				push(&o, p);
		while (o.heap_len > 0) {
			const uint32_t p = pop(&o), key = obstacle(&o, p);

			if (key == HISTORY_NONE) {
				place(&o, p);
				placed++;
			} else {
				o.behind[p] = o.waiting[key];
				o.waiting[key] = p;
			}
		}
		ret = placed == s->points ? SERSI_YES : SERSI_UNKNOWN;
	}
	order_deinit(&o);
	return ret;
}
