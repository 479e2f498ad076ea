/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a batch has changed, queued as one statement for each kind of change, whatever the batch's
 * length. Nothing is sent yet but what does not fit libpq's buffer.
 */
#include "base/assert.h"
#include "base/error.h"
#include "store/postgres/store.h"

/* One kind of change of rows in the working set. */
enum change {
	ACCOUNT_NEW,
	ACCOUNT_OLD,
	HOLD_NEW,
	HOLD_OLD,
	ORDER_NEW,
	ORDER_OLD,
	RECORD_NEW,
	RECORD_OLD,
	RECORD_GONE,
	LEASE_NEW,
	LEASE_OLD,
	NOTHING, /* made and taken back, or written elsewhere */
	CHANGES = NOTHING
};

struct flush {
	struct pg_store *s;
	struct ws *ws;
	struct pg_args *a;
	struct ws_entry **at; /* by change */
	uint32_t from[CHANGES + 1];
};

/* The number of an account that may have been made by this batch. */
static int64_t account_number(struct ws *ws, int64_t number, struct str id)
{
	if (number == 0) {
		const struct ws_entry *e = pawl__ws_find_account(ws, id);

		INVARIANT(e != NULL && e->present);
		number = e->row.account.number;
	}
	INVARIANT(number > 0);
	return number;
}

static void put_floor(struct pg_args *a, unsigned i, const struct account *n)
{
	if (n->has_floor)
		args_put_i64(a, i, n->floor);
	else
		args_put_null(a, i);
}

static void row_account_new(struct flush *f, struct ws_entry *e)
{
	const struct account *n = &e->row.account;

	args_put_i64(f->a, 0, n->number);
	args_put_str(f->a, 1, n->id);
	args_put_str(f->a, 2, n->unit);
	args_put_i64(f->a, 3, n->balance);
	args_put_i64(f->a, 4, n->held);
	put_floor(f->a, 5, n);
	args_put_i64(f->a, 6, n->version);
	args_put_i64(f->a, 7, n->due_us);
}

static void row_account_old(struct flush *f, struct ws_entry *e)
{
	const struct account *n = &e->row.account;

	args_put_i64(f->a, 0, n->number);
	args_put_i64(f->a, 1, n->balance);
	args_put_i64(f->a, 2, n->held);
	put_floor(f->a, 3, n);
	args_put_i64(f->a, 4, n->version);
	args_put_i64(f->a, 5, n->due_us);
}

static void row_hold_new(struct flush *f, struct ws_entry *e)
{
	struct hold *h = &e->row.hold;

	f->s->counts.holds_live += h->state == HOLD_HELD;
	h->from_number = account_number(f->ws, h->from_number, h->from);
	h->to_number = account_number(f->ws, h->to_number, h->to);
	args_put_i64(f->a, 0, h->number);
	args_put_i64(f->a, 1, h->from_number);
	args_put_i64(f->a, 2, h->to_number);
	args_put_i64(f->a, 3, h->amount);
	args_put_i64(f->a, 4, h->captured);
	args_put_i64(f->a, 5, h->expires_us);
	args_put_i32(f->a, 6, (int32_t)h->state);
	args_put_i64(f->a, 7, h->version);
}

static void row_hold_old(struct flush *f, struct ws_entry *e)
{
	const struct hold *h = &e->row.hold;

	f->s->counts.holds_live -= h->state != HOLD_HELD;
	args_put_i64(f->a, 0, h->number);
	args_put_i64(f->a, 1, h->captured);
	args_put_i32(f->a, 2, (int32_t)h->state);
	args_put_i64(f->a, 3, h->version);
}

static void row_order_new(struct flush *f, struct ws_entry *e)
{
	const struct order *o = &e->row.order;

	args_put_i64(f->a, 0, o->number);
	args_put_i32(f->a, 1, (int32_t)o->state);
	args_put_i32(f->a, 2, (int32_t)o->holds);
	args_put_i64(f->a, 3, o->expires_us);
	args_put_i64(f->a, 4, o->version);
	args_put_str(f->a, 5, o->body);
}

static void row_order_old(struct flush *f, struct ws_entry *e)
{
	const struct order *o = &e->row.order;

	args_put_i64(f->a, 0, o->number);
	args_put_i32(f->a, 1, (int32_t)o->state);
	args_put_i64(f->a, 2, o->version);
}

static void row_record(struct flush *f, struct ws_entry *e)
{
	args_put_str(f->a, 0, e->id);
	args_put_i64(f->a, 1, e->row.record.version);
	args_put_str(f->a, 2, e->row.record.value);
}

static void row_record_gone(struct flush *f, struct ws_entry *e)
{
	args_put_str(f->a, 0, e->id);
}

static void row_lease(struct flush *f, struct ws_entry *e)
{
	args_put_str(f->a, 0, e->id);
	args_put_str(f->a, 1, e->row.lease.owner);
	args_put_i64(f->a, 2, e->row.lease.token);
	args_put_i64(f->a, 3, e->row.lease.deadline_us);
}

#define I8 PG_INT8
#define I4 PG_INT4
#define TX PG_TEXT

/* In the order in which they are written. exactly: the statement's last parameter is how many. */
static const struct {
	enum pg_sql sql;
	bool exactly;
	uint32_t columns;
	uint32_t type[8];
	void (*row)(struct flush *f, struct ws_entry *e);
} changes[CHANGES] = {
	[ACCOUNT_NEW] = { PG_ACCOUNT_ADD,
	                  false,
	                  8,
	                  { I8, TX, TX, I8, I8, I8, I8, I8 },
	                  row_account_new },
	[ACCOUNT_OLD] = { PG_ACCOUNT_SET, true, 6, { I8, I8, I8, I8, I8, I8 }, row_account_old },
	[HOLD_NEW] = { PG_HOLD_ADD, false, 8, { I8, I8, I8, I8, I8, I8, I4, I8 }, row_hold_new },
	[HOLD_OLD] = { PG_HOLD_SET, true, 4, { I8, I8, I4, I8 }, row_hold_old },
	[ORDER_NEW] = { PG_ORDER_ADD, false, 6, { I8, I4, I4, I8, I8, TX }, row_order_new },
	[ORDER_OLD] = { PG_ORDER_SET, true, 3, { I8, I4, I8 }, row_order_old },
	[RECORD_NEW] = { PG_RECORD_ADD, false, 3, { TX, I8, TX }, row_record },
	[RECORD_OLD] = { PG_RECORD_SET, true, 3, { TX, I8, TX }, row_record },
	[RECORD_GONE] = { PG_RECORD_DELETE, true, 1, { TX }, row_record_gone },
	[LEASE_NEW] = { PG_LEASE_ADD, false, 4, { TX, TX, I8, I8 }, row_lease },
	[LEASE_OLD] = { PG_LEASE_SET, true, 4, { TX, TX, I8, I8 }, row_lease },
};

static enum change change_of(const struct ws_entry *e)
{
	if (!e->dirty)
		return NOTHING;
	if (e->kind == ROW_RECORD && !e->present && e->stored)
		return RECORD_GONE;
	if (!e->present) /* the others are never deleted: made and taken back */
		return NOTHING;
	switch (e->kind) {
	case ROW_ACCOUNT:
		return e->stored ? ACCOUNT_OLD : ACCOUNT_NEW;
	case ROW_HOLD:
		return e->stored ? HOLD_OLD : HOLD_NEW;
	case ROW_ORDER:
		return e->stored ? ORDER_OLD : ORDER_NEW;
	case ROW_RECORD:
		return e->stored ? RECORD_OLD : RECORD_NEW;
	case ROW_LEASE:
		return e->stored ? LEASE_OLD : LEASE_NEW;
	case ROW_ANSWER: /* is in ws->answers */
		return NOTHING;
	}
	UNREACHABLE();
}

/* A new row of a key that is not locked as one without a row would be a second one. */
static bool gap_covers(const struct pg_store *s, const struct ws_entry *e, enum change c)
{
	return (c != ACCOUNT_NEW && c != RECORD_NEW && c != LEASE_NEW) ||
	       gap_locked(s, pawl__pg_gap(e->kind, e->id));
}

/* Sort what is dirty by the kind of its change, and number new accounts. */
static enum pawl_status sort_changes(struct flush *f, struct pawl_error *err)
{
	uint32_t at[CHANGES + 1] = { 0 };

	for (const struct ws_entry *e = f->ws->first; e != NULL; e = e->next)
		at[change_of(e)]++;
	for (uint32_t c = 0, sum = 0; c <= CHANGES; c++) {
		const uint32_t n = at[c];

		f->from[c] = sum;
		at[c] = sum;
		sum += n;
	}
	f->at = pawl__arena_alloc(f->ws->arena, sizeof(struct ws_entry *) * f->from[CHANGES]);
	if (f->at == NULL || f->s->made + f->from[ACCOUNT_NEW + 1] >= INT64_C(1) << PG_ACCOUNT_BITS)
		return pawl__error_set(err, PAWL_E_NOMEM, "the batch is over its memory limit");
	for (struct ws_entry *e = f->ws->first; e != NULL; e = e->next) {
		const enum change c = change_of(e);

		if (c == NOTHING)
			continue;
		if (!gap_covers(f->s, e, c))
			return pawl__error_set(err, PAWL_E_CORRUPT,
			                       "a row is to be made that was there");
		if (c == ACCOUNT_NEW)
			e->row.account.number = (f->s->block << PG_ACCOUNT_BITS) | ++f->s->made;
		f->at[at[c]++] = e;
	}
	return PAWL_OK;
}

static void flush_change(struct flush *f, enum change c)
{
	const uint32_t n = f->from[c + 1] - f->from[c];

	if (n == 0)
		return;
	pawl__args_start(f->a);
	for (uint32_t i = 0; i < changes[c].columns; i++)
		pawl__args_array(f->a, changes[c].type[i]);
	for (uint32_t i = 0; i < n; i++)
		changes[c].row(f, f->at[f->from[c] + i]);
	if (changes[c].exactly)
		pawl__args_i64(f->a, n);
	(void)pawl__pg_send(&f->s->conn, changes[c].sql);
}

static void flush_transfers(struct flush *f)
{
	if (f->ws->transfers.len == 0)
		return;
	pawl__args_start(f->a);
	for (unsigned i = 0; i < 5; i++)
		pawl__args_array(f->a, PG_INT8);
	for (uint32_t i = 0; i < f->ws->transfers.len; i++) {
		const struct transfer *t = &f->ws->transfers.at[i];

		INVARIANT(t->from->number > 0 && t->to->number > 0);
		args_put_i64(f->a, 0, t->number);
		args_put_i64(f->a, 1, t->from->number);
		args_put_i64(f->a, 2, t->to->number);
		args_put_i64(f->a, 3, t->amount);
		if (t->hold != 0)
			args_put_i64(f->a, 4, t->hold);
		else
			args_put_null(f->a, 4);
	}
	(void)pawl__pg_send(&f->s->conn, PG_TRANSFER_ADD);
}

static void flush_events(struct flush *f)
{
	if (f->ws->events.len == 0)
		return;
	pawl__args_start(f->a);
	pawl__args_array(f->a, PG_INT8);
	for (unsigned i = 0; i < 3; i++)
		pawl__args_array(f->a, PG_TEXT);
	for (uint32_t i = 0; i < f->ws->events.len; i++) {
		const struct event *v = &f->ws->events.at[i];

		args_put_i64(f->a, 0, v->number);
		args_put_str(f->a, 1, v->topic);
		args_put_str(f->a, 2, v->key);
		args_put_str(f->a, 3, v->body);
	}
	pawl__args_i64(f->a, f->s->xact);
	(void)pawl__pg_send(&f->s->conn, PG_EVENT_ADD);
}

static void flush_jobs(struct flush *f)
{
	if (f->ws->jobs.len == 0)
		return;
	pawl__args_start(f->a);
	pawl__args_array(f->a, PG_INT8);
	pawl__args_array(f->a, PG_TEXT);
	pawl__args_array(f->a, PG_INT8);
	pawl__args_array(f->a, PG_TEXT);
	for (uint32_t i = 0; i < f->ws->jobs.len; i++) {
		const struct job *j = &f->ws->jobs.at[i];

		args_put_i64(f->a, 0, j->number);
		args_put_str(f->a, 1, j->queue);
		args_put_i64(f->a, 2, j->run_at_us);
		args_put_str(f->a, 3, j->body);
	}
	(void)pawl__pg_send(&f->s->conn, PG_JOB_ADD);
}

static void flush_stale(struct flush *f)
{
	if (f->s->stale_len == 0)
		return;
	pawl__args_start(f->a);
	pawl__args_array(f->a, PG_UUID);
	for (uint32_t i = 0; i < f->s->stale_len; i++)
		args_put(f->a, 0, f->s->stale[i], PG_HASH_KEY_LEN);
	pawl__args_i64(f->a, f->s->part);
	(void)pawl__pg_send(&f->s->conn, PG_ANSWER_STALE);
}

static void flush_answers(struct flush *f)
{
	static const uint32_t type[] = { PG_UUID, TX, TX, PG_BYTEA, I4, I4, I8, I8, I8, TX, TX };
	unsigned char hash[PG_HASH_KEY_LEN];

	if (f->ws->answers.len == 0)
		return;
	flush_stale(f);
	pawl__args_start(f->a);
	pawl__args_i64(f->a, f->s->part);
	for (unsigned i = 0; i < ARRAY_LEN(type); i++)
		pawl__args_array(f->a, type[i]);
	for (uint32_t i = 0; i < f->ws->answers.len; i++) {
		const struct answer *w = &f->ws->answers.at[i]->row.answer;

		pawl__pg_hash(f->s->sh, w->caller, w->key, hash);
		args_put(f->a, 1, hash, sizeof(hash));
		args_put_str(f->a, 2, w->caller);
		args_put_str(f->a, 3, w->key);
		args_put(f->a, 4, w->fingerprint, FINGERPRINT_LEN);
		args_put_i32(f->a, 5, w->code);
		args_put_i32(f->a, 6, w->http);
		args_put_i64(f->a, 7, w->revision);
		args_put_i64(f->a, 8, w->etag);
		args_put_i64(f->a, 9, w->at_us);
		args_put_str(f->a, 10, w->location);
		args_put_str(f->a, 11, w->body);
	}
	(void)pawl__pg_send(&f->s->conn, PG_ANSWER_ADD);
}

static void flush_lane(struct flush *f)
{
	struct pg_store *s = f->s;
	const struct pg_counts *n = &s->counts;
	const int64_t values[] = {
		s->lane,     s->next_revision, s->next_answers, s->next_high_water_us,
		n->accounts, n->holds_live,    n->orders,       n->records,
		n->events,   n->jobs,
	};

	pawl__args_start(f->a);
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		pawl__args_i64(f->a, values[i]);
	(void)pawl__pg_send(&s->conn, PG_LANE_SET);
}

enum pawl_status pawl__pg_flush(struct pg_store *s, struct ws *ws, struct pawl_error *err)
{
	struct flush f = { .s = s, .ws = ws, .a = &s->conn.args };
	enum pawl_status st;

	PRE(s->loaded);
	if (ws->revision > s->limit)
		return pawl__error_set(err, PAWL_E_NOMEM, "the batch has too many revisions");
	st = sort_changes(&f, err);
	if (st != PAWL_OK)
		return st;
	for (enum change c = 0; c < CHANGES; c++)
		flush_change(&f, c);
	flush_transfers(&f);
	flush_events(&f);
	flush_jobs(&f);
	flush_answers(&f);
	s->counts.accounts += f.from[ACCOUNT_NEW + 1] - f.from[ACCOUNT_NEW];
	s->counts.orders += f.from[ORDER_NEW + 1] - f.from[ORDER_NEW];
	s->counts.records += f.from[RECORD_NEW + 1] - f.from[RECORD_NEW];
	s->counts.records -= f.from[RECORD_GONE + 1] - f.from[RECORD_GONE];
	s->counts.events += ws->events.len;
	s->counts.jobs += ws->jobs.len;
	s->next_revision = ws->revision;
	s->next_answers = ws->answers_seq - s->answers_base;
	s->next_high_water_us = ws->now_us;
	flush_lane(&f);
	return PAWL_OK;
}
