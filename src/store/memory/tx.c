/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows between the tables and a working set.
 */
#include "base/assert.h"
#include "base/error.h"
#include "base/num.h"
#include "store/memory/world.h"

/* A row that must be counted as absent: an answer that has outlived its promise. */
static bool is_forgotten(const struct world *w, const struct ws_entry *e, int64_t now_us)
{
	return e->kind == ROW_ANSWER && now_us - e->row.answer.at_us >= w->retention_us;
}

/* The image's row with its strings in the working set's arena. */
static bool entry_fill(struct ws *ws, struct ws_entry *e, const struct memory_image *im)
{
	struct str *strs[ROW_STRS_MAX];
	unsigned n;

	e->row = im->e.row;
	n = pawl__row_strs(e, strs);
	for (unsigned i = 0; i < n; i++) {
		*strs[i] = pawl__arena_str(ws->arena, *strs[i]);
		if (strs[i]->ptr == NULL)
			return false;
	}
	e->present = true;
	e->stored = true;
	return true;
}

static int64_t account_number(const struct world *w, struct str id, bool staged)
{
	const struct memory_row *r = pawl__world_find_account(w, id);

	INVARIANT(r != NULL && pawl__row_image(r, staged) != NULL);
	return pawl__row_image(r, staged)->e.row.account.number;
}

enum pawl_status pawl__world_load(struct world *w, struct ws *ws, bool staged)
{
	for (struct ws_entry *e = ws->wanted; e != NULL; e = e->next) {
		const struct memory_row *r = e->loaded ? NULL : pawl__world_find(w, e);
		const struct memory_image *im = r == NULL ? NULL : pawl__row_image(r, staged);

		if (e->loaded)
			continue;
		if (im != NULL && !is_forgotten(w, &im->e, ws->now_us) && !entry_fill(ws, e, im)) {
			ws->failed = true;
			return PAWL_E_NOMEM;
		}
		if (e->kind == ROW_HOLD && e->present) {
			e->row.hold.from_number = account_number(w, e->row.hold.from, staged);
			e->row.hold.to_number = account_number(w, e->row.hold.to, staged);
		}
		e->loaded = true;
	}
	ws->wanted = NULL;
	return PAWL_OK;
}

enum pawl_status pawl__world_expire(struct world *w, const struct ws_entry *account, int64_t now_us,
                                    int64_t revision, int64_t ret_freed_due[2])
{
	int64_t freed = 0, due_us = 0;

	for (struct memory_row *r = w->kind[ROW_HOLD].first; r != NULL; r = r->next) {
		const struct memory_image *im = pawl__row_image(r, true);
		struct ws_entry e;

		if (im == NULL || im->e.row.hold.state != HOLD_HELD ||
		    !str_eq(im->e.row.hold.from, account->id))
			continue;
		e = im->e;
		if (e.row.hold.expires_us > now_us) {
			if (due_us == 0 || e.row.hold.expires_us < due_us)
				due_us = e.row.hold.expires_us;
			continue;
		}
		freed += e.row.hold.amount - e.row.hold.captured;
		e.row.hold.state = HOLD_EXPIRED;
		e.row.hold.version = revision;
		if (!pawl__world_stage(w, &e, &e))
			return PAWL_E_NOMEM;
	}
	ret_freed_due[0] = freed;
	ret_freed_due[1] = due_us;
	return PAWL_OK;
}

static const char *account_fault(const struct ws_entry *e)
{
	const struct account *a = &e->row.account;
	int64_t left;

	if (a->held < 0 || a->unit.len == 0 || !str_eq(a->id, e->id) || a->version <= 0 ||
	    a->due_us < 0)
		return "an account breaks its rules";
	if (!num_sub(a->balance, a->held, &left) || (a->has_floor && left < a->floor))
		return "an account is below its floor";
	return NULL;
}

static const char *hold_fault(const struct world *w, const struct ws_entry *e)
{
	const struct hold *h = &e->row.hold;
	const bool in_range = h->amount > 0 && h->captured >= 0 && h->captured <= h->amount;

	if (!in_range || h->number != e->number || h->expires_us <= 0 || h->version <= 0 ||
	    (h->state == HOLD_HELD && h->captured == h->amount))
		return "a hold breaks its rules";
	if (pawl__world_find_account(w, h->from) == NULL ||
	    pawl__world_find_account(w, h->to) == NULL)
		return "a hold names an account that does not exist";
	return NULL;
}

/* The promises of core/rows, of one row. NULL when it keeps them. */
static const char *row_fault(const struct world *w, const struct ws_entry *e)
{
	bool keeps = false;

	switch (e->kind) {
	case ROW_ACCOUNT:
		return account_fault(e);
	case ROW_HOLD:
		return hold_fault(w, e);
	case ROW_RECORD:
		keeps = str_eq(e->row.record.key, e->id) && e->row.record.version > 0;
		break;
	case ROW_ORDER:
		keeps = e->row.order.number == e->number && e->row.order.state != ORDER_EXPIRED;
		break;
	case ROW_LEASE:
		keeps = str_eq(e->row.lease.name, e->id) && e->row.lease.token > 0;
		break;
	case ROW_ANSWER:
		keeps = str_eq(e->row.answer.caller, e->id) && str_eq(e->row.answer.key, e->id2);
		break;
	}
	return keeps ? NULL : "a row breaks its rules";
}

/* What an update may not do to the row that is there. */
static const char *update_fault(const struct memory_image *old, const struct ws_entry *e)
{
	const struct ws_entry *was = &old->e;

	if (e->kind == ROW_ACCOUNT && (was->row.account.number != e->row.account.number ||
	                               !str_eq(was->row.account.unit, e->row.account.unit)))
		return "an account changes its number or its unit";
	if (e->kind == ROW_HOLD && was->row.hold.state != HOLD_HELD &&
	    was->row.hold.state != e->row.hold.state)
		return "a hold leaves a final state";
	if (e->kind == ROW_LEASE && e->row.lease.token < was->row.lease.token)
		return "a lease's token goes back";
	return NULL;
}

static enum pawl_status entry_flush(struct world *w, struct ws_entry *e, struct pawl_error *err)
{
	const struct memory_row *r = pawl__world_find(w, e);
	const struct memory_image *old = r == NULL ? NULL : pawl__row_image(r, true);
	const char *fault = NULL;

	if (!e->present) {
		if (e->stored && e->kind != ROW_RECORD)
			return pawl__error_set(err, PAWL_E_CORRUPT, "only records are deleted");
		if (e->stored && !pawl__world_stage(w, e, NULL))
			return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
		return PAWL_OK;
	}
	if (e->kind == ROW_ANSWER && old != NULL &&
	    is_forgotten(w, &old->e, w->staged.high_water_us))
		old = NULL;
	if (e->stored != (old != NULL))
		return pawl__error_set(err, PAWL_E_CORRUPT,
		                       e->stored ? "an updated row is not there"
		                                 : "an inserted row is there");
	if (e->kind == ROW_ACCOUNT && e->row.account.number == 0)
		e->row.account.number = ++w->staged.accounts_seq;
	fault = row_fault(w, e);
	if (fault == NULL && old != NULL)
		fault = update_fault(old, e);
	if (fault != NULL)
		return pawl__error_set(err, PAWL_E_CORRUPT, "%s", fault);
	if (!pawl__world_stage(w, e, e))
		return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
	return PAWL_OK;
}

/* Accounts first: holds and transfers name them. */
static enum pawl_status entries_flush(struct world *w, struct ws *ws, struct pawl_error *err)
{
	enum pawl_status st = PAWL_OK;

	for (struct ws_entry *e = ws->first; e != NULL && st == PAWL_OK; e = e->next) {
		if (e->dirty && e->kind == ROW_ACCOUNT)
			st = entry_flush(w, e, err);
	}
	for (struct ws_entry *e = ws->first; e != NULL && st == PAWL_OK; e = e->next) {
		if (e->dirty && e->kind != ROW_ACCOUNT && e->kind != ROW_ANSWER)
			st = entry_flush(w, e, err);
	}
	for (uint32_t i = 0; i < ws->answers.len && st == PAWL_OK; i++)
		st = entry_flush(w, ws->answers.at[i], err);
	return st;
}

static enum pawl_status transfer_flush(struct world *w, const struct transfer *t, int64_t *last,
                                       struct pawl_error *err)
{
	struct memory_row *from = pawl__world_find_account(w, t->from->id);
	struct memory_row *to = pawl__world_find_account(w, t->to->id);
	struct memory_transfer *m;

	if (from == NULL || to == NULL || from == to || t->amount <= 0 || t->number <= *last ||
	    !str_eq(t->from->unit, t->to->unit))
		return pawl__error_set(err, PAWL_E_CORRUPT, "a transfer breaks its rules");
	if (t->hold != 0 && pawl__world_find_number(w, ROW_HOLD, t->hold) == NULL)
		return pawl__error_set(err, PAWL_E_CORRUPT, "a transfer captures no hold");
	m = pawl__world_add_transfer(w);
	if (m == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
	*m = (struct memory_transfer){ t->number, from, to, t->amount, t->hold };
	*last = t->number;
	return PAWL_OK;
}

static enum pawl_status text_flush(struct memory_text *t, int64_t number, int64_t last,
                                   struct pawl_error *err)
{
	if (t == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
	t->number = number;
	if (number <= last)
		return pawl__error_set(err, PAWL_E_CORRUPT, "an appended row is out of order");
	return PAWL_OK;
}

static enum pawl_status event_flush(struct world *w, const struct event *ev, struct pawl_error *err)
{
	const size_t n = w->events.len;
	const int64_t last = n == 0 ? 0 : w->events.at[n - 1].number;
	struct memory_text *t = pawl__world_add_event(w);
	const enum pawl_status st = text_flush(t, ev->number, last, err);

	if (st == PAWL_OK && !pawl__text_fill(t, ev->topic, ev->key, ev->body))
		return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
	return st;
}

static enum pawl_status job_flush(struct world *w, const struct job *j, struct pawl_error *err)
{
	const size_t n = w->jobs.len;
	const int64_t last = n == 0 ? 0 : w->jobs.at[n - 1].number;
	struct memory_text *t = pawl__world_add_job(w);
	const enum pawl_status st = text_flush(t, j->number, last, err);

	if (st == PAWL_OK && !pawl__text_fill(t, j->queue, STR_NONE, j->body))
		return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
	if (st == PAWL_OK)
		t->run_at_us = j->run_at_us;
	return st;
}

static enum pawl_status appended_flush(struct world *w, const struct ws *ws, struct pawl_error *err)
{
	const size_t n = w->transfers.len;
	int64_t last = n == 0 ? 0 : w->transfers.at[n - 1].number;
	enum pawl_status st = PAWL_OK;

	for (uint32_t i = 0; i < ws->transfers.len && st == PAWL_OK; i++)
		st = transfer_flush(w, &ws->transfers.at[i], &last, err);
	for (uint32_t i = 0; i < ws->events.len && st == PAWL_OK; i++)
		st = event_flush(w, &ws->events.at[i], err);
	for (uint32_t i = 0; i < ws->jobs.len && st == PAWL_OK; i++)
		st = job_flush(w, &ws->jobs.at[i], err);
	return st;
}

enum pawl_status pawl__world_flush(struct world *w, struct ws *ws, struct pawl_error *err)
{
	struct memory_marks *m = &w->staged;
	enum pawl_status st;

	if (ws->revision < m->revision || ws->answers_seq < m->answers_seq)
		return pawl__error_set(err, PAWL_E_CORRUPT, "the batch is older than the store");
	m->revision = ws->revision;
	m->answers_seq = ws->answers_seq;
	if (ws->now_us > m->high_water_us)
		m->high_water_us = ws->now_us;
	st = entries_flush(w, ws, err);
	return st == PAWL_OK ? appended_flush(w, ws, err) : st;
}
