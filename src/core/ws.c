/* SPDX-License-Identifier: Apache-2.0 */
#include "core/ws.h"

#include "base/assert.h"

struct ws_saved {
	struct ws_saved *next;
	struct ws_entry *entry;
	struct ws_entry copy;
};

#define WS_BUCKETS_MIN 64u
#define WS_ROWS_PER_TX 4u /* a guess that decides the size of the table, not what fits */
#define WS_LIST_MIN    64u

/* A seeded multiply-and-fold hash: ids come from outside, and an attacker who knew the seed could
 * make one batch slow, never wrong. */
static uint64_t hash_mix(uint64_t a, uint64_t b)
{
	const unsigned __int128 m = (unsigned __int128)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static uint64_t hash_bytes(uint64_t h, struct str s)
{
	const char *p = s.ptr;
	size_t left = s.len;
	uint64_t word;

	h ^= s.len;
	for (; left >= sizeof(word); left -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		h = hash_mix(h ^ word, UINT64_C(0x9e3779b97f4a7c15));
	}
	word = 0;
	if (left > 0)
		memcpy(&word, p, left);
	return hash_mix(h ^ word, UINT64_C(0xd6e8feb86659fd93));
}

struct ws_key {
	enum row_kind kind;
	struct str id, id2;
	int64_t number;
};

static uint64_t key_hash(const struct ws *ws, const struct ws_key *k)
{
	uint64_t h = hash_mix(ws->seed ^ (uint64_t)k->kind, UINT64_C(0xa0761d6478bd642f));

	if (k->number != 0)
		return hash_mix(h ^ (uint64_t)k->number, UINT64_C(0x9e3779b97f4a7c15));
	h = hash_bytes(h, k->id);
	return k->kind == ROW_ANSWER ? hash_bytes(h, k->id2) : h;
}

void pawl__ws_init(struct ws *ws, struct arena *arena, uint64_t seed, uint32_t hint)
{
	uint32_t buckets = WS_BUCKETS_MIN;

	while (buckets / WS_ROWS_PER_TX < hint && buckets < (UINT32_C(1) << 30))
		buckets *= 2;
	*ws = (struct ws){ .arena = arena, .seed = seed, .buckets = buckets };
	ws->last = &ws->first;
	ws->bucket = arena_array(arena, struct ws_entry *, buckets);
	if (ws->bucket == NULL)
		ws->failed = true;
}

static struct ws_entry *key_find(const struct ws *ws, const struct ws_key *k, uint64_t hash)
{
	struct ws_entry *e;

	for (e = ws->bucket[hash & (ws->buckets - 1)]; e != NULL; e = e->chain) {
		if (e->hash == hash && e->kind == k->kind && e->number == k->number &&
		    str_eq(e->id, k->id) && str_eq(e->id2, k->id2))
			return e;
	}
	return NULL;
}

static struct ws_entry *key_add(struct ws *ws, const struct ws_key *k, uint64_t hash)
{
	struct ws_entry *e = arena_new(ws->arena, struct ws_entry);

	if (e == NULL) {
		ws->failed = true;
		return NULL;
	}
	e->hash = hash;
	e->kind = k->kind;
	e->id = k->id;
	e->id2 = k->id2;
	e->number = k->number;
	e->chain = ws->bucket[hash & (ws->buckets - 1)];
	ws->bucket[hash & (ws->buckets - 1)] = e;
	*ws->last = e;
	ws->last = &e->next;
	ws->entries++;
	return e;
}

static struct ws_entry *key_want(struct ws *ws, const struct ws_key *k)
{
	struct ws_entry *e;
	uint64_t hash;

	if (ws->failed)
		return NULL;
	hash = key_hash(ws, k);
	e = key_find(ws, k, hash);
	if (e == NULL)
		e = key_add(ws, k, hash);
	if (e != NULL && !e->loaded && ws->wanted == NULL)
		ws->wanted = e;
	return e;
}

struct ws_entry *pawl__ws_want(struct ws *ws, enum row_kind kind, struct str id)
{
	const struct ws_key k = { .kind = kind, .id = id };

	PRE(kind == ROW_ACCOUNT || kind == ROW_RECORD || kind == ROW_LEASE);
	PRE(id.len > 0 && id.len <= ROW_ID_MAX);
	return key_want(ws, &k);
}

struct ws_entry *pawl__ws_want_number(struct ws *ws, enum row_kind kind, int64_t number)
{
	const struct ws_key k = { .kind = kind, .number = number };

	PRE(kind == ROW_HOLD || kind == ROW_ORDER);
	PRE(number > 0);
	return key_want(ws, &k);
}

struct ws_entry *pawl__ws_want_answer(struct ws *ws, struct str caller, struct str key)
{
	const struct ws_key k = { .kind = ROW_ANSWER, .id = caller, .id2 = key };

	PRE(key.len > 0);
	return key_want(ws, &k);
}

struct ws_entry *pawl__ws_find_account(struct ws *ws, struct str id)
{
	const struct ws_key k = { .kind = ROW_ACCOUNT, .id = id };

	return ws->failed ? NULL : key_find(ws, &k, key_hash(ws, &k));
}

struct ws_entry *pawl__ws_fresh(struct ws *ws, enum row_kind kind, int64_t number)
{
	const struct ws_key k = { .kind = kind, .number = number };
	struct ws_entry *e;
	uint64_t hash;

	PRE(kind == ROW_HOLD || kind == ROW_ORDER);
	if (ws->failed)
		return NULL;
	hash = key_hash(ws, &k);
	e = key_find(ws, &k, hash);
	if (e == NULL)
		e = key_add(ws, &k, hash);
	if (e != NULL) {
		INVARIANT(!e->present); /* numbers are never given twice */
		e->loaded = true;
	}
	return e;
}

void pawl__ws_begin(struct ws *ws)
{
	ws->ordinal++;
	ws->undo = NULL;
	ws->created = 0;
	ws->changed = false;
	ws->mark_transfers = ws->transfers.len;
	ws->mark_events = ws->events.len;
	ws->mark_jobs = ws->jobs.len;
}

void pawl__ws_keep(struct ws *ws)
{
	if (ws->changed)
		ws->revision++;
	ws->undo = NULL;
}

void pawl__ws_undo(struct ws *ws)
{
	for (struct ws_saved *s = ws->undo; s != NULL; s = s->next) {
		struct ws_entry *e = s->entry;

		e->row = s->copy.row;
		e->present = s->copy.present;
		e->dirty = s->copy.dirty;
	}
	ws->undo = NULL;
	ws->changed = false;
	ws->created = 0;
	ws->transfers.len = ws->mark_transfers;
	ws->events.len = ws->mark_events;
	ws->jobs.len = ws->mark_jobs;
}

void pawl__ws_change(struct ws *ws, struct ws_entry *e)
{
	struct ws_saved *s;

	PRE(e->loaded); /* (2) */
	ws->changed = true;
	if (e->saved_by == ws->ordinal)
		return;
	s = pawl__arena_alloc(ws->arena, sizeof(*s));
	if (s == NULL) {
		ws->failed = true;
		return;
	}
	s->entry = e;
	s->copy = *e;
	s->next = ws->undo;
	ws->undo = s;
	e->saved_by = ws->ordinal;
	e->dirty = true;
}

int64_t pawl__ws_number(struct ws *ws)
{
	if (ws->created == ROW_NUMBERS_MAX)
		return 0;
	ws->changed = true;
	return (ws_next_revision(ws) << ROW_NUMBER_BITS) | ws->created++;
}

/* A slot at the end of a list, moved to a larger array in the arena when full. */
static void *list_slot(struct ws *ws, void **at, uint32_t *len, uint32_t *cap, size_t size)
{
	if (*len == *cap) {
		const uint32_t bigger = *cap == 0 ? WS_LIST_MIN : *cap * 2;
		void *p = pawl__arena_zero_array(ws->arena, size, bigger);

		if (p == NULL) {
			ws->failed = true;
			return NULL;
		}
		if (*len > 0)
			memcpy(p, *at, size * *len);
		*at = p;
		*cap = bigger;
	}
	return (char *)*at + size * (*len)++;
}

#define LIST_SLOT(ws, list)                                                                        \
	list_slot((ws), (void **)&(ws)->list.at, &(ws)->list.len, &(ws)->list.cap,                 \
	          sizeof(*(ws)->list.at))

struct transfer *pawl__ws_transfer(struct ws *ws)
{
	return LIST_SLOT(ws, transfers);
}

struct event *pawl__ws_event(struct ws *ws)
{
	return LIST_SLOT(ws, events);
}

struct job *pawl__ws_job(struct ws *ws)
{
	return LIST_SLOT(ws, jobs);
}

bool pawl__ws_answer(struct ws *ws, struct ws_entry *e)
{
	/* The list is of pointers. NOLINTNEXTLINE(bugprone-sizeof-expression) */
	struct ws_entry **slot = LIST_SLOT(ws, answers);

	if (slot == NULL)
		return false;
	*slot = e;
	ws->answers_seq++;
	return true;
}

int64_t pawl__ws_expiry_revision(struct ws *ws)
{
	if (!ws->expired) {
		ws->expired = true;
		ws->revision++;
	}
	return ws->revision;
}

char *pawl__ws_scratch(struct ws *ws, size_t len)
{
	if (len > ws->scratch_len) {
		ws->scratch = pawl__arena_alloc(ws->arena, len);
		ws->scratch_len = ws->scratch == NULL ? 0 : len;
		if (ws->scratch == NULL)
			ws->failed = true;
	}
	return ws->scratch;
}

bool pawl__ws_clean(const struct ws *ws)
{
	if (ws->expired || ws->transfers.len + ws->events.len + ws->jobs.len + ws->answers.len > 0)
		return false;
	for (const struct ws_entry *e = ws->first; e != NULL; e = e->next) {
		if (e->dirty)
			return false;
	}
	return true;
}
