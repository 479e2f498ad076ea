/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of the memory store: one hash table over all rows, a list by kind, and logs.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "store/memory/world.h"

#define WORLD_LOG_MIN 64u

unsigned pawl__row_strs(struct ws_entry *e, struct str *ret[ROW_STRS_MAX])
{
	unsigned n = 0;

	switch (e->kind) {
	case ROW_ACCOUNT:
		ret[n++] = &e->row.account.id;
		ret[n++] = &e->row.account.unit;
		return n;
	case ROW_HOLD:
		ret[n++] = &e->row.hold.from;
		ret[n++] = &e->row.hold.to;
		return n;
	case ROW_RECORD:
		ret[n++] = &e->row.record.key;
		ret[n++] = &e->row.record.value;
		return n;
	case ROW_ORDER:
		ret[n++] = &e->row.order.body;
		return n;
	case ROW_LEASE:
		ret[n++] = &e->row.lease.name;
		ret[n++] = &e->row.lease.owner;
		return n;
	case ROW_ANSWER:
		ret[n++] = &e->row.answer.caller;
		ret[n++] = &e->row.answer.key;
		ret[n++] = &e->row.answer.location;
		ret[n++] = &e->row.answer.body;
		return n;
	}
	UNREACHABLE();
}

/* FNV-1a: whoever can open a memory store may as well make it slow. */
static uint64_t hash_bytes(uint64_t h, const void *p, size_t len)
{
	const unsigned char *c = p;

	for (size_t i = 0; i < len; i++)
		h = (h ^ c[i]) * UINT64_C(0x100000001b3);
	return (h ^ len) * UINT64_C(0x100000001b3);
}

static uint64_t key_hash(const struct ws_entry *key)
{
	uint64_t h = hash_bytes(UINT64_C(0xcbf29ce484222325), &key->kind, sizeof(key->kind));

	h = hash_bytes(h, key->id.ptr, key->id.len);
	h = hash_bytes(h, key->id2.ptr, key->id2.len);
	h = hash_bytes(h, &key->number, sizeof(key->number));
	return h ^ (h >> 32);
}

struct memory_row *pawl__world_find(const struct world *w, const struct ws_entry *key)
{
	const uint64_t hash = key_hash(key);
	struct memory_row *r;

	for (r = w->bucket[hash & (w->buckets - 1)]; r != NULL; r = r->chain) {
		if (r->hash == hash && r->kind == key->kind && r->number == key->number &&
		    str_eq(r->id, key->id) && str_eq(r->id2, key->id2))
			return r;
	}
	return NULL;
}

struct memory_row *pawl__world_find_account(const struct world *w, struct str id)
{
	const struct ws_entry key = { .kind = ROW_ACCOUNT, .id = id };

	return pawl__world_find(w, &key);
}

struct memory_row *pawl__world_find_number(const struct world *w, enum row_kind kind,
                                           int64_t number)
{
	const struct ws_entry key = { .kind = kind, .number = number };

	return pawl__world_find(w, &key);
}

const struct memory_image *pawl__row_image(const struct memory_row *r, bool staged)
{
	return staged && r->is_staged ? r->staged : r->now;
}

/* Copy s to *at, move *at behind it, and return the copy. */
static struct str put_str(char **at, struct str s)
{
	const struct str copy = { *at, s.len };

	if (s.len > 0)
		memcpy(*at, s.ptr, s.len);
	*at += s.len;
	return copy;
}

static struct memory_image *image_new(const struct ws_entry *e)
{
	struct ws_entry copy = *e;
	struct memory_image *im;
	struct str *strs[ROW_STRS_MAX];
	unsigned n = pawl__row_strs(&copy, strs);
	size_t len = 0;
	char *at;

	for (unsigned i = 0; i < n; i++)
		len += strs[i]->len;
	im = malloc(sizeof(*im) + len);
	if (im == NULL)
		return NULL;
	im->e = copy;
	at = im->bytes;
	n = pawl__row_strs(&im->e, strs);
	for (unsigned i = 0; i < n; i++)
		*strs[i] = put_str(&at, *strs[i]);
	return im;
}

/* A longer chain is slower, not wrong: without memory the table stays as it is. */
static void world_grow(struct world *w)
{
	const uint32_t buckets = w->buckets * 2;
	struct memory_row **bucket = calloc(buckets, sizeof(struct memory_row *));

	if (bucket == NULL)
		return;
	for (unsigned k = 0; k < ROW_KINDS; k++) {
		for (struct memory_row *r = w->kind[k].first; r != NULL; r = r->next) {
			r->chain = bucket[r->hash & (buckets - 1)];
			bucket[r->hash & (buckets - 1)] = r;
		}
	}
	free(w->bucket);
	w->bucket = bucket;
	w->buckets = buckets;
}

static struct memory_row *row_new(struct world *w, const struct ws_entry *key)
{
	struct memory_kind *kind = &w->kind[key->kind];
	struct memory_row *r = calloc(1, sizeof(*r) + key->id.len + key->id2.len);
	char *at;

	if (r == NULL)
		return NULL;
	at = r->bytes;
	r->hash = key_hash(key);
	r->kind = key->kind;
	r->number = key->number;
	r->id = put_str(&at, key->id);
	r->id2 = put_str(&at, key->id2);
	r->chain = w->bucket[r->hash & (w->buckets - 1)];
	w->bucket[r->hash & (w->buckets - 1)] = r;
	r->prev = kind->last;
	if (kind->last != NULL)
		kind->last->next = r;
	else
		kind->first = r;
	kind->last = r;
	if (++w->rows > w->buckets)
		world_grow(w);
	return r;
}

static void row_free(struct world *w, struct memory_row *r)
{
	struct memory_kind *kind = &w->kind[r->kind];
	struct memory_row **at = &w->bucket[r->hash & (w->buckets - 1)];

	while (*at != r)
		at = &(*at)->chain;
	*at = r->chain;
	*(r->prev != NULL ? &r->prev->next : &kind->first) = r->next;
	*(r->next != NULL ? &r->next->prev : &kind->last) = r->prev;
	w->rows--;
	free(r->now);
	free(r);
}

void pawl__world_remove(struct world *w, struct memory_row *r)
{
	PRE(!r->is_staged); /* (1) */
	row_free(w, r);
}

bool pawl__world_stage(struct world *w, const struct ws_entry *key, const struct ws_entry *e)
{
	struct memory_row *r = pawl__world_find(w, key);
	struct memory_image *im = NULL;

	if (e != NULL) {
		im = image_new(e);
		if (im == NULL)
			return false;
	}
	if (r == NULL)
		r = row_new(w, key);
	if (r == NULL) {
		free(im);
		return false;
	}
	if (!r->is_staged) {
		r->next_staged = w->staged_rows;
		w->staged_rows = r;
		r->is_staged = true;
	}
	free(r->staged);
	r->staged = im;
	return true;
}

/* A log's next slot, the array moved when it is full. */
static void *log_slot(void **at, size_t *len, size_t *cap, size_t size)
{
	if (*len == *cap) {
		const size_t bigger = *cap == 0 ? WORLD_LOG_MIN : *cap * 2;
		void *p = reallocarray(*at, bigger, size);

		if (p == NULL)
			return NULL;
		*at = p;
		*cap = bigger;
	}
	return (char *)*at + size * (*len)++;
}

#define LOG_SLOT(log) log_slot((void **)&(log)->at, &(log)->len, &(log)->cap, sizeof(*(log)->at))

struct memory_transfer *pawl__world_add_transfer(struct world *w)
{
	return LOG_SLOT(&w->transfers);
}

static struct memory_text *text_blank(struct memory_text *t)
{
	if (t != NULL)
		*t = (struct memory_text){ 0 };
	return t;
}

struct memory_text *pawl__world_add_event(struct world *w)
{
	return text_blank(LOG_SLOT(&w->events));
}

struct memory_text *pawl__world_add_job(struct world *w)
{
	return text_blank(LOG_SLOT(&w->jobs));
}

bool pawl__text_fill(struct memory_text *t, struct str name, struct str key, struct str body)
{
	char *at = malloc(name.len + key.len + body.len + 1);

	if (at == NULL)
		return false;
	t->mem = at;
	t->name = put_str(&at, name);
	t->key = put_str(&at, key);
	t->body = put_str(&at, body);
	return true;
}

/* The rows that the transaction staged; keep says which image stays. */
static void rows_settle(struct world *w, bool keep)
{
	while (w->staged_rows != NULL) {
		struct memory_row *r = w->staged_rows;

		w->staged_rows = r->next_staged;
		if (keep) {
			free(r->now);
			r->now = r->staged;
		} else {
			free(r->staged);
		}
		r->staged = NULL;
		r->is_staged = false;
		r->next_staged = NULL;
		if (r->now == NULL) /* (1) */
			row_free(w, r);
	}
}

void pawl__world_keep(struct world *w)
{
	rows_settle(w, true);
	w->transfers.committed = w->transfers.len;
	w->events.committed = w->events.len;
	w->jobs.committed = w->jobs.len;
	w->now = w->staged;
	w->commits++;
}

void pawl__world_forget(struct world *w)
{
	rows_settle(w, false);
	w->transfers.len = w->transfers.committed;
	while (w->events.len > w->events.committed)
		free(w->events.at[--w->events.len].mem);
	while (w->jobs.len > w->jobs.committed)
		free(w->jobs.at[--w->jobs.len].mem);
	w->staged = w->now;
}

bool pawl__world_init(struct world *w)
{
	w->buckets = WORLD_BUCKETS_MIN;
	w->bucket = calloc(w->buckets, sizeof(struct memory_row *));
	return w->bucket != NULL;
}

void pawl__world_deinit(struct world *w)
{
	pawl__world_forget(w);
	for (unsigned k = 0; k < ROW_KINDS; k++) {
		struct memory_row *next;

		for (struct memory_row *r = w->kind[k].first; r != NULL; r = next) {
			next = r->next;
			free(r->now);
			free(r);
		}
	}
	w->events.committed = 0;
	w->jobs.committed = 0;
	pawl__world_forget(w);
	free(w->transfers.at);
	free(w->events.at);
	free(w->jobs.at);
	free(w->bucket);
}
