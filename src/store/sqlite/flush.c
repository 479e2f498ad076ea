/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/flush.h"

#include "base/assert.h"
#include "store/sqlite/bulk.h"

struct flush {
	struct conn *c;
	struct meta *meta;
	struct ws *ws;
	struct bulk holds, orders; /* new ones */
};

static void bind_floor(sqlite3_stmt *q, int i, const struct account *a)
{
	if (a->has_floor)
		bind_i64(q, i, a->floor);
	else
		(void)sqlite3_bind_null(q, i);
}

static enum pawl_status flush_account(struct conn *c, struct meta *meta, struct ws_entry *e,
                                      struct pawl_error *err)
{
	struct account *a = &e->row.account;
	sqlite3_stmt *q = conn_stmt(c, e->stored ? SQL_ACCOUNT_SET : SQL_ACCOUNT_ADD);
	enum pawl_status st;

	if (!e->present) /* created and taken back: accounts are never deleted */
		return PAWL_OK;
	if (e->stored) {
		bind_i64(q, 1, a->number);
		bind_i64(q, 2, a->balance);
		bind_i64(q, 3, a->held);
		bind_floor(q, 4, a);
		bind_i64(q, 5, a->version);
		bind_i64(q, 6, a->due_us);
		return pawl__conn_run_one(c, SQL_ACCOUNT_SET, err);
	}
	bind_str(q, 1, a->id);
	bind_str(q, 2, a->unit);
	bind_i64(q, 3, a->balance);
	bind_i64(q, 4, a->held);
	bind_floor(q, 5, a);
	bind_i64(q, 6, a->version);
	bind_i64(q, 7, a->due_us);
	st = pawl__conn_run(c, SQL_ACCOUNT_ADD, err);
	if (st == PAWL_OK) {
		a->number = sqlite3_last_insert_rowid(c->db);
		meta->accounts++;
	}
	return st;
}

/* The number of an account that may have been created by this batch. */
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

static enum pawl_status flush_hold(struct flush *f, struct ws_entry *e, struct pawl_error *err)
{
	struct hold *h = &e->row.hold;
	sqlite3_stmt *q = conn_stmt(f->c, SQL_HOLD_SET);
	int at;

	if (e->stored) {
		if (h->state != HOLD_HELD)
			f->meta->holds_live--;
		bind_i64(q, 1, h->number);
		bind_i64(q, 2, h->captured);
		bind_i64(q, 3, h->state);
		bind_i64(q, 4, h->version);
		return pawl__conn_run_one(f->c, SQL_HOLD_SET, err);
	}
	if (h->state == HOLD_HELD)
		f->meta->holds_live++;
	h->from_number = account_number(f->ws, h->from_number, h->from);
	h->to_number = account_number(f->ws, h->to_number, h->to);
	q = pawl__bulk_row(&f->holds);
	at = f->holds.at;
	bind_i64(q, at + 1, h->number);
	bind_i64(q, at + 2, h->from_number);
	bind_i64(q, at + 3, h->to_number);
	bind_i64(q, at + 4, h->amount);
	bind_i64(q, at + 5, h->captured);
	bind_i64(q, at + 6, h->expires_us);
	bind_i64(q, at + 7, h->state);
	bind_i64(q, at + 8, h->version);
	return pawl__bulk_step(&f->holds, err);
}

static enum pawl_status flush_record(struct conn *c, struct meta *meta, const struct ws_entry *e,
                                     struct pawl_error *err)
{
	const enum sql which = e->stored ? SQL_RECORD_SET : SQL_RECORD_ADD;
	sqlite3_stmt *q = conn_stmt(c, which);

	if (!e->present && !e->stored)
		return PAWL_OK;
	if (!e->present) {
		meta->records--;
		bind_str(conn_stmt(c, SQL_RECORD_DELETE), 1, e->id);
		return pawl__conn_run_one(c, SQL_RECORD_DELETE, err);
	}
	if (!e->stored)
		meta->records++;
	bind_str(q, 1, e->id);
	bind_i64(q, 2, e->row.record.version);
	bind_str(q, 3, e->row.record.value);
	return pawl__conn_run_one(c, which, err);
}

static enum pawl_status flush_order(struct flush *f, const struct ws_entry *e,
                                    struct pawl_error *err)
{
	const struct order *o = &e->row.order;
	sqlite3_stmt *q = conn_stmt(f->c, SQL_ORDER_SET);
	int at;

	if (e->stored) {
		bind_i64(q, 1, o->number);
		bind_i64(q, 2, o->state);
		bind_i64(q, 3, o->version);
		return pawl__conn_run_one(f->c, SQL_ORDER_SET, err);
	}
	f->meta->orders++;
	q = pawl__bulk_row(&f->orders);
	at = f->orders.at;
	bind_i64(q, at + 1, o->number);
	bind_i64(q, at + 2, o->state);
	bind_i64(q, at + 3, o->holds);
	bind_i64(q, at + 4, o->expires_us);
	bind_i64(q, at + 5, o->version);
	bind_str(q, at + 6, o->body);
	return pawl__bulk_step(&f->orders, err);
}

static enum pawl_status flush_lease(struct conn *c, const struct ws_entry *e,
                                    struct pawl_error *err)
{
	const enum sql which = e->stored ? SQL_LEASE_SET : SQL_LEASE_ADD;
	const struct lease *l = &e->row.lease;
	sqlite3_stmt *q = conn_stmt(c, which);

	bind_str(q, 1, e->id);
	bind_str(q, 2, l->owner);
	bind_i64(q, 3, l->token);
	bind_i64(q, 4, l->deadline_us);
	return pawl__conn_run_one(c, which, err);
}

static enum pawl_status flush_entry(struct flush *f, struct ws_entry *e, struct pawl_error *err)
{
	switch (e->kind) {
	case ROW_RECORD:
		return flush_record(f->c, f->meta, e, err);
	case ROW_HOLD: /* these three are never deleted: created and taken back */
		return e->present ? flush_hold(f, e, err) : PAWL_OK;
	case ROW_ORDER:
		return e->present ? flush_order(f, e, err) : PAWL_OK;
	case ROW_LEASE:
		return e->present ? flush_lease(f->c, e, err) : PAWL_OK;
	case ROW_ACCOUNT: /* went first */
	case ROW_ANSWER:  /* is in ws->answers */
		return PAWL_OK;
	}
	UNREACHABLE();
}

static enum pawl_status flush_entries(struct flush *f, struct pawl_error *err)
{
	enum pawl_status st = PAWL_OK;
	uint32_t holds = 0, orders = 0;

	/* Accounts first: holds and transfers name them by the number that they get here. */
	for (struct ws_entry *e = f->ws->first; e != NULL && st == PAWL_OK; e = e->next) {
		if (!e->dirty)
			continue;
		if (e->kind == ROW_ACCOUNT)
			st = flush_account(f->c, f->meta, e, err);
		holds += e->kind == ROW_HOLD && e->present && !e->stored;
		orders += e->kind == ROW_ORDER && e->present && !e->stored;
	}
	pawl__bulk_begin(&f->holds, f->c, BULK_HOLD, holds);
	pawl__bulk_begin(&f->orders, f->c, BULK_ORDER, orders);
	/* The list is in order of creation, so new holds and orders come in order of their numbers.
	 *  */
	for (struct ws_entry *e = f->ws->first; e != NULL && st == PAWL_OK; e = e->next) {
		if (e->dirty)
			st = flush_entry(f, e, err);
	}
	return st;
}

static enum pawl_status flush_transfers(struct flush *f, struct pawl_error *err)
{
	enum pawl_status st = PAWL_OK;
	struct bulk b;

	pawl__bulk_begin(&b, f->c, BULK_TRANSFER, f->ws->transfers.len);
	for (uint32_t i = 0; i < f->ws->transfers.len && st == PAWL_OK; i++) {
		const struct transfer *t = &f->ws->transfers.at[i];
		sqlite3_stmt *q = pawl__bulk_row(&b);

		INVARIANT(t->from->number > 0 && t->to->number > 0);
		bind_i64(q, b.at + 1, t->number);
		bind_i64(q, b.at + 2, t->from->number);
		bind_i64(q, b.at + 3, t->to->number);
		bind_i64(q, b.at + 4, t->amount);
		if (t->hold != 0)
			bind_i64(q, b.at + 5, t->hold);
		else
			(void)sqlite3_bind_null(q, b.at + 5);
		st = pawl__bulk_step(&b, err);
	}
	return st;
}

static enum pawl_status flush_events(struct flush *f, struct pawl_error *err)
{
	enum pawl_status st = PAWL_OK;
	struct bulk b;

	pawl__bulk_begin(&b, f->c, BULK_EVENT, f->ws->events.len);
	for (uint32_t i = 0; i < f->ws->events.len && st == PAWL_OK; i++) {
		const struct event *v = &f->ws->events.at[i];
		sqlite3_stmt *q = pawl__bulk_row(&b);

		bind_i64(q, b.at + 1, v->number);
		bind_str(q, b.at + 2, v->topic);
		bind_str(q, b.at + 3, v->key);
		bind_str(q, b.at + 4, v->body);
		st = pawl__bulk_step(&b, err);
	}
	return st;
}

static enum pawl_status flush_jobs(struct flush *f, struct pawl_error *err)
{
	enum pawl_status st = PAWL_OK;
	struct bulk b;

	pawl__bulk_begin(&b, f->c, BULK_JOB, f->ws->jobs.len);
	for (uint32_t i = 0; i < f->ws->jobs.len && st == PAWL_OK; i++) {
		const struct job *j = &f->ws->jobs.at[i];
		sqlite3_stmt *q = pawl__bulk_row(&b);

		bind_i64(q, b.at + 1, j->number);
		bind_str(q, b.at + 2, j->queue);
		bind_i64(q, b.at + 3, 0); /* waiting */
		bind_i64(q, b.at + 4, 0); /* attempts */
		bind_i64(q, b.at + 5, j->run_at_us);
		bind_str(q, b.at + 6, j->body);
		st = pawl__bulk_step(&b, err);
	}
	return st;
}

enum pawl_status pawl__flush_rows(struct conn *c, struct meta *meta, struct ws *ws,
                                  struct pawl_error *err)
{
	struct flush f = { .c = c, .meta = meta, .ws = ws };
	enum pawl_status st = flush_entries(&f, err);

	if (st == PAWL_OK)
		st = flush_transfers(&f, err);
	if (st == PAWL_OK)
		st = flush_events(&f, err);
	if (st == PAWL_OK)
		st = flush_jobs(&f, err);
	meta->events += ws->events.len;
	meta->jobs += ws->jobs.len;
	return st;
}
