/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include <stdlib.h>
#include <string.h>

static struct str keep(struct world *w, struct str s)
{
	const struct str copy = s.len == 0 ? STR_NONE : pawl__arena_str(&w->arena, s);

	if (s.len > 0 && copy.ptr == NULL)
		abort();
	return copy;
}

static int name_index(struct str s, const char *const *names, int len)
{
	for (int i = 0; i < len; i++) {
		if (str_eq(s, (struct str){ names[i], strlen(names[i]) }))
			return i;
	}
	return -1;
}

void world_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	pawl__arena_init(&w->arena, 65536, SIZE_MAX / 2);
	pawl__arena_init(&w->batch, 65536, (size_t)64 << 20);
	w->now_us = INT64_C(1700000000000000);
	w->revision = 1;
}

void world_deinit(struct world *w)
{
	pawl__arena_deinit(&w->batch);
	pawl__arena_deinit(&w->arena);
}

static void load_account(struct world *w, struct ws_entry *e)
{
	const int at = m_account_index(e->id);

	e->present = at >= 0 && w->account_present[at];
	if (e->present)
		e->row.account = w->account[at];
}

static void load_hold(struct world *w, struct ws_entry *e)
{
	for (uint32_t i = 0; i < w->holds; i++) {
		if (w->hold[i].number != e->number)
			continue;
		e->row.hold = w->hold[i];
		e->present = true;
	}
}

static void load_order(struct world *w, struct ws_entry *e)
{
	for (uint32_t i = 0; i < w->orders; i++) {
		if (w->order[i].number != e->number)
			continue;
		e->row.order = w->order[i];
		e->present = true;
	}
}

static void load_answer(struct world *w, struct ws_entry *e)
{
	for (uint32_t i = 0; i < w->answers; i++) {
		if (!str_eq(w->answer[i].caller, e->id) || !str_eq(w->answer[i].key, e->id2))
			continue;
		e->row.answer = w->answer[i];
		e->present = true;
	}
}

static void load_named(struct world *w, struct ws_entry *e)
{
	int at;

	if (e->kind == ROW_RECORD) {
		at = name_index(e->id, m_record_keys, M_RECORDS);
		e->present = w->record_present[at];
		if (e->present)
			e->row.record = w->record[at];
		return;
	}
	at = name_index(e->id, m_lease_names, M_LEASES);
	e->present = w->token[at] > 0;
	if (e->present)
		e->row.lease = (struct lease){ .name = e->id, .token = w->token[at] };
}

static void load(struct world *w)
{
	for (struct ws_entry *e = w->ws.wanted; e != NULL; e = e->next) {
		if (e->loaded)
			continue;
		switch (e->kind) {
		case ROW_ACCOUNT:
			load_account(w, e);
			break;
		case ROW_HOLD:
			load_hold(w, e);
			break;
		case ROW_ORDER:
			load_order(w, e);
			break;
		case ROW_ANSWER:
			load_answer(w, e);
			break;
		case ROW_RECORD:
		case ROW_LEASE:
			load_named(w, e);
			break;
		}
		e->stored = e->present;
		e->loaded = true;
	}
	w->ws.wanted = NULL;
}

/* Holds of `at` whose time has come: expired in the rows, and what they had is freed. */
static void sweep(struct world *w, struct ws_entry *e, int at)
{
	const int64_t revision = pawl__ws_expiry_revision(&w->ws);
	int64_t freed = 0, due = 0;

	for (uint32_t i = 0; i < w->holds; i++) {
		struct hold *h = &w->hold[i];

		if (h->state != HOLD_HELD || m_account_index(h->from) != at)
			continue;
		if (h->expires_us > w->now_us) {
			due = due == 0 || h->expires_us < due ? h->expires_us : due;
			continue;
		}
		freed += h->amount - h->captured;
		h->state = HOLD_EXPIRED;
		h->version = revision;
	}
	w->swept = true;
	w->freed[at] = freed > 0;
	pawl__apply_expire(&w->ws, e, freed, due);
}

void world_begin(struct world *w, struct tx *const *txs, uint32_t len)
{
	bool ready = false;

	pawl__arena_reset(&w->batch);
	pawl__ws_init(&w->ws, &w->batch, 7, len);
	w->ws.now_us = w->now_us;
	w->ws.revision = w->revision;
	w->ws.answers_seq = w->answers_seq;
	w->swept = false;
	memset(w->freed, 0, sizeof(w->freed));
	for (uint32_t i = 0; i < len; i++)
		pawl__apply_reset(txs[i]);
	for (w->rounds = 0; !ready && w->rounds <= APPLY_ROUNDS_MAX; w->rounds++) {
		ready = true;
		for (uint32_t i = 0; i < len; i++) {
			if (!txs[i]->ready)
				pawl__apply_needs(&w->ws, txs[i]);
			ready = ready && txs[i]->ready;
		}
		load(w);
	}
	for (struct ws_entry *e = w->ws.first; e != NULL; e = e->next) {
		if (e->kind == ROW_ACCOUNT && e->present && e->row.account.due_us > 0 &&
		    e->row.account.due_us <= w->now_us)
			sweep(w, e, m_account_index(e->id));
	}
}

static void flush_account(struct world *w, const struct ws_entry *e)
{
	const int at = m_account_index(e->id);
	struct account *a = &w->account[at];

	*a = e->row.account;
	a->id = keep(w, a->id);
	a->unit = keep(w, a->unit);
	w->account_present[at] = true;
}

static void flush_hold(struct world *w, const struct ws_entry *e)
{
	uint32_t at = 0;

	while (at < w->holds && w->hold[at].number < e->number)
		at++;
	if (at == w->holds || w->hold[at].number != e->number) {
		memmove(&w->hold[at + 1], &w->hold[at], (w->holds - at) * sizeof(w->hold[0]));
		w->holds++;
	}
	w->hold[at] = e->row.hold;
	w->hold[at].from = keep(w, e->row.hold.from);
	w->hold[at].to = keep(w, e->row.hold.to);
}

static void flush_order(struct world *w, const struct ws_entry *e)
{
	uint32_t at = 0;

	while (at < w->orders && w->order[at].number < e->number)
		at++;
	if (at == w->orders || w->order[at].number != e->number) {
		memmove(&w->order[at + 1], &w->order[at], (w->orders - at) * sizeof(w->order[0]));
		w->orders++;
	}
	w->order[at] = e->row.order;
	w->order[at].body = keep(w, e->row.order.body);
}

static void flush_answer(struct world *w, const struct answer *from)
{
	struct answer *a = &w->answer[w->answers++];

	*a = *from;
	a->caller = keep(w, from->caller);
	a->key = keep(w, from->key);
	a->location = keep(w, from->location);
	a->body = keep(w, from->body);
}

static const char *flush_row(struct world *w, const struct ws_entry *e)
{
	int at;

	switch (e->kind) {
	case ROW_ACCOUNT:
		if (e->present)
			flush_account(w, e);
		return e->present ? NULL : "no account is ever deleted";
	case ROW_HOLD:
		if (e->present)
			flush_hold(w, e);
		return NULL;
	case ROW_ORDER:
		if (e->present)
			flush_order(w, e);
		return NULL;
	case ROW_RECORD:
		at = name_index(e->id, m_record_keys, M_RECORDS);
		w->record_present[at] = e->present;
		w->record[at] = e->row.record;
		w->record[at].value = keep(w, e->row.record.value);
		return NULL;
	case ROW_LEASE:
		return "a transaction does not write leases";
	case ROW_ANSWER:
		return NULL; /* by the list of answers */
	}
	return NULL;
}

/* Numbers grow over everything that is appended, from one commit to the next. */
static const char *flush_numbers(struct world *w, int64_t first)
{
	const struct ws *ws = &w->ws;
	int64_t last = first;
	uint32_t t = 0, e = 0, j = 0;

	for (uint32_t i = 1; i < ws->transfers.len; i++) {
		if (ws->transfers.at[i].number <= ws->transfers.at[i - 1].number)
			return "transfers are in number order";
	}
	while (t < ws->transfers.len || e < ws->events.len || j < ws->jobs.len) {
		const int64_t nt = t < ws->transfers.len ? ws->transfers.at[t].number : INT64_MAX;
		const int64_t ne = e < ws->events.len ? ws->events.at[e].number : INT64_MAX;
		const int64_t nj = j < ws->jobs.len ? ws->jobs.at[j].number : INT64_MAX;
		const int64_t n = nt < ne ? (nt < nj ? nt : nj) : (ne < nj ? ne : nj);

		if (n <= last)
			return "numbers are unique and grow";
		last = n;
		t += nt == n;
		e += ne == n;
		j += nj == n;
	}
	w->last_number = last;
	return NULL;
}

const char *world_flush(struct world *w)
{
	const struct ws *ws = &w->ws;
	const char *why = flush_numbers(w, w->last_number);

	if (ws->revision < w->revision)
		return "the revision does not go back";
	if (pawl__ws_clean(ws) && (ws->transfers.len > 0 || ws->revision != w->revision))
		return "a clean working set has changed nothing";
	for (const struct ws_entry *e = ws->first; e != NULL && why == NULL; e = e->next) {
		if (e->dirty && !e->loaded)
			return "dirty implies loaded";
		if (e->dirty)
			why = flush_row(w, e);
	}
	for (uint32_t i = 0; i < ws->answers.len; i++)
		flush_answer(w, &ws->answers.at[i]->row.answer);
	w->transfers += ws->transfers.len;
	w->events += ws->events.len;
	w->jobs += ws->jobs.len;
	w->revision = ws->revision;
	w->answers_seq = ws->answers_seq;
	return why;
}

static const char *account_differs(const struct account *a, const struct m_account *m)
{
	if (a->balance != m->balance)
		return "balance";
	if (a->has_floor != m->has_floor || a->floor != m->floor)
		return "floor";
	if (!str_eq(a->unit, (struct str){ m->unit, strlen(m->unit) }))
		return "unit";
	return NULL;
}

static const char *hold_differs(const struct hold *h, const struct m_hold *m, int64_t now_us)
{
	const enum hold_state state =
		h->state == HOLD_HELD && now_us >= h->expires_us ? HOLD_EXPIRED : h->state;

	if (state != m->state)
		return "state of a hold";
	if (h->amount != m->amount || h->captured != m->captured)
		return "amounts of a hold";
	if (h->expires_us != m->expires_us)
		return "expiry of a hold";
	if (m_account_index(h->from) != m->from || m_account_index(h->to) != m->to)
		return "accounts of a hold";
	/* The sweep writes it when it comes by; the model does not know when. */
	if (state != HOLD_EXPIRED && h->version != m->version)
		return "version of a hold";
	return NULL;
}

static const char *record_differs(const struct record *r, const struct m_record *m)
{
	if (r->version != m->version)
		return "version of a record";
	return str_eq(r->value, (struct str){ m->value, strlen(m->value) }) ? NULL
	                                                                    : "value of a record";
}

static const char *order_differs(const struct order *o, const struct m_order *m)
{
	if (o->state != m->state || o->holds != m->holds || o->expires_us != m->expires_us)
		return "order";
	return o->version == m->version ? NULL : "version of an order";
}

/* The live holds of an account, summed, and the bound that due_us is. */
static const char *held_differs(const struct world *w, int at)
{
	const struct account *a = &w->account[at];
	int64_t held = 0, first = 0;

	for (uint32_t i = 0; i < w->holds; i++) {
		const struct hold *h = &w->hold[i];

		if (h->state != HOLD_HELD || m_account_index(h->from) != at)
			continue;
		held += h->amount - h->captured;
		first = first == 0 || h->expires_us < first ? h->expires_us : first;
	}
	if (a->held != held)
		return "held is not that of the live holds";
	if (first != 0 && (a->due_us == 0 || a->due_us > first))
		return "a live hold expires before due_us";
	return NULL;
}

const char *world_differs(const struct world *w, const struct model *m)
{
	const char *why = NULL;

	if (w->revision != m->revision)
		return "revision";
	if (w->transfers != m->transfers || w->events != m->events || w->jobs != m->jobs)
		return "how many transfers, events and jobs there are";
	if (w->holds != m->holds || w->orders != m->orders)
		return "how many holds and orders there are";
	for (int i = 0; i < M_ACCOUNTS && why == NULL; i++) {
		if (w->account_present[i] != m->account[i].present)
			return "which accounts there are";
		if (!w->account_present[i])
			continue;
		why = account_differs(&w->account[i], &m->account[i]);
		why = why == NULL ? held_differs(w, i) : why;
		if (why == NULL && w->account[i].version != m->account[i].version)
			why = "version of an account";
	}
	for (uint32_t i = 0; i < w->holds && why == NULL; i++)
		why = w->hold[i].number != m->hold[i].number
		              ? "number of a hold"
		              : hold_differs(&w->hold[i], &m->hold[i], w->now_us);
	for (uint32_t i = 0; i < w->orders && why == NULL; i++)
		why = w->order[i].number != m->order[i].number
		              ? "number of an order"
		              : order_differs(&w->order[i], &m->order[i]);
	for (int i = 0; i < M_RECORDS && why == NULL; i++) {
		if (w->record_present[i] != m->record[i].present)
			return "which records there are";
		if (w->record_present[i])
			why = record_differs(&w->record[i], &m->record[i]);
	}
	return why;
}

static const struct m_hold *m_hold_find(const struct model *m, int64_t number)
{
	for (uint32_t i = 0; i < m->holds; i++) {
		if (m->hold[i].number == number)
			return &m->hold[i];
	}
	return NULL;
}

static const struct m_order *m_order_find(const struct model *m, int64_t number)
{
	for (uint32_t i = 0; i < m->orders; i++) {
		if (m->order[i].number == number)
			return &m->order[i];
	}
	return NULL;
}

static const char *account_entry_differs(const struct ws_entry *e, const struct model *m)
{
	const int at = m_account_index(e->id);
	const struct m_account *a = at < 0 ? NULL : &m->account[at];
	const char *why;

	if (e->present != (a != NULL && a->present))
		return "whether an account exists";
	if (!e->present)
		return NULL;
	why = account_differs(&e->row.account, a);
	if (why == NULL && e->row.account.held != a->held)
		why = "held";
	return why;
}

static const char *entry_differs(const struct ws_entry *e, const struct model *m, int64_t now_us)
{
	const struct m_hold *h;
	const struct m_order *o;
	const struct m_record *r;

	switch (e->kind) {
	case ROW_ACCOUNT:
		return account_entry_differs(e, m);
	case ROW_HOLD:
		h = m_hold_find(m, e->number);
		if (e->present != (h != NULL))
			return "whether a hold exists";
		return h == NULL ? NULL : hold_differs(&e->row.hold, h, now_us);
	case ROW_ORDER:
		o = m_order_find(m, e->number);
		if (e->present != (o != NULL))
			return "whether an order exists";
		return o == NULL ? NULL : order_differs(&e->row.order, o);
	case ROW_RECORD:
		r = &m->record[name_index(e->id, m_record_keys, M_RECORDS)];
		if (e->present != r->present)
			return "whether a record exists";
		return r->present ? record_differs(&e->row.record, r) : NULL;
	case ROW_LEASE:
	case ROW_ANSWER:
		break;
	}
	return NULL;
}

const char *ws_differs(const struct ws *ws, const struct model *m)
{
	const char *why = NULL;

	if (ws->revision != m->revision)
		return "revision";
	for (const struct ws_entry *e = ws->first; e != NULL && why == NULL; e = e->next)
		why = entry_differs(e, m, ws->now_us);
	return why;
}
