/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit of the memory store: every number that other rows imply is computed from them again.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/id.h"
#include "store/memory/world.h"

#define DRIFT_TEXT_MAX 512

struct audit {
	const struct world *w;
	store_drift_fn drift;
	void *arg;
	struct store_audit *ret;
};

/* Text for printf's %.*s */
#define TEXT(s) (int)(s).len, (s).ptr

PAWL_PRINTF(3, 4)
static void report(struct audit *a, const char *check, const char *fmt, ...)
{
	char text[DRIFT_TEXT_MAX];
	va_list ap;

	a->ret->drifts++;
	if (a->drift == NULL)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	a->drift(a->arg, check, text);
}

static void check_version(struct audit *a, const char *what, struct str id, int64_t version)
{
	if (version < 0 || version > a->w->now.revision)
		report(a, "version", "%s %.*s has version %" PRId64 ", the store %" PRId64, what,
		       TEXT(id), version, a->w->now.revision);
}

static struct memory_row *first(const struct audit *a, enum row_kind kind)
{
	return a->w->kind[kind].first;
}

static void clear(struct audit *a)
{
	static const enum row_kind kinds[] = { ROW_ACCOUNT, ROW_HOLD };

	for (unsigned k = 0; k < ARRAY_LEN(kinds); k++) {
		for (struct memory_row *r = first(a, kinds[k]); r != NULL; r = r->next) {
			r->audit_balance = 0;
			r->audit_held = 0;
			r->audit_due_us = 0;
		}
	}
}

static void audit_transfers(struct audit *a)
{
	int64_t last = 0;

	for (size_t i = 0; i < a->w->transfers.committed; i++) {
		const struct memory_transfer *t = &a->w->transfers.at[i];
		struct memory_row *hold;

		if (t->number <= last || row_number_revision(t->number) > a->w->now.revision)
			report(a, "transfer", "transfer %" PRId64 " follows %" PRId64, t->number,
			       last);
		last = t->number;
		if (t->amount <= 0 || t->from == t->to ||
		    !str_eq(t->from->now->e.row.account.unit, t->to->now->e.row.account.unit))
			report(a, "transfer", "transfer %" PRId64 " moves nothing real", t->number);
		t->from->audit_balance -= t->amount;
		t->to->audit_balance += t->amount;
		if (t->hold == 0)
			continue;
		hold = pawl__world_find_number(a->w, ROW_HOLD, t->hold);
		if (hold == NULL || hold->now == NULL)
			report(a, "transfer", "transfer %" PRId64 " captures no hold", t->number);
		else
			hold->audit_balance += t->amount;
	}
	a->ret->transfers = (int64_t)a->w->transfers.committed;
}

static void audit_hold(struct audit *a, struct memory_row *r)
{
	const struct hold *h = &r->now->e.row.hold;
	struct memory_row *from = pawl__world_find_account(a->w, h->from);
	const struct memory_row *to = pawl__world_find_account(a->w, h->to);

	if (h->amount <= 0 || h->captured < 0 || h->captured > h->amount ||
	    (h->state == HOLD_CAPTURED && h->captured == 0))
		report(a, "hold", "hold %" PRId64 " has captured %" PRId64 " of %" PRId64,
		       h->number, h->captured, h->amount);
	if (r->audit_balance != h->captured)
		report(a, "hold",
		       "hold %" PRId64 " says captured %" PRId64 ", its transfers differ",
		       h->number, h->captured);
	if (from == NULL || to == NULL || from->now == NULL || to->now == NULL) {
		report(a, "hold", "hold %" PRId64 " names an account that is not there", h->number);
		return;
	}
	if (h->state != HOLD_HELD)
		return;
	from->audit_held += h->amount - h->captured;
	if (from->audit_due_us == 0 || h->expires_us < from->audit_due_us)
		from->audit_due_us = h->expires_us;
}

static void audit_holds(struct audit *a)
{
	for (struct memory_row *r = first(a, ROW_HOLD); r != NULL; r = r->next) {
		if (r->now == NULL)
			continue;
		a->ret->holds++;
		audit_hold(a, r);
		check_version(a, "hold", STR(""), r->now->e.row.hold.version);
	}
}

static void audit_account(struct audit *a, const struct memory_row *r)
{
	const struct account *acc = &r->now->e.row.account;
	const __int128 free_amount = (__int128)acc->balance - acc->held;

	if (r->audit_balance != acc->balance)
		report(a, "balance", "account %.*s has %" PRId64 ", its transfers make %" PRId64,
		       TEXT(acc->id), acc->balance, (int64_t)r->audit_balance);
	if (r->audit_held != acc->held)
		report(a, "held", "account %.*s has %" PRId64 " held, its holds make %" PRId64,
		       TEXT(acc->id), acc->held, (int64_t)r->audit_held);
	if (acc->held < 0 || (acc->has_floor && free_amount < acc->floor))
		report(a, "floor", "account %.*s has %" PRId64 ", held %" PRId64 ", floor %" PRId64,
		       TEXT(acc->id), acc->balance, acc->held, acc->floor);
	if (r->audit_due_us != 0 && (acc->due_us == 0 || acc->due_us > r->audit_due_us))
		report(a, "due", "account %.*s is due at %" PRId64 ", its next hold at %" PRId64,
		       TEXT(acc->id), acc->due_us, r->audit_due_us);
	check_version(a, "account", acc->id, acc->version);
}

static int row_unit_cmp(const void *pa, const void *pb)
{
	const struct memory_row *const *a = pa, *const *b = pb;
	const struct str ua = (*a)->now->e.row.account.unit, ub = (*b)->now->e.row.account.unit;
	const size_t n = ua.len < ub.len ? ua.len : ub.len;
	const int order = n == 0 ? 0 : memcmp(ua.ptr, ub.ptr, n);

	return order != 0 ? order : (ua.len > ub.len) - (ua.len < ub.len);
}

static void audit_units(struct audit *a, struct memory_row **rows, size_t n)
{
	__int128 sum = 0;

	qsort(rows, n, sizeof(struct memory_row *), row_unit_cmp);
	for (size_t i = 0; i < n; i++) {
		const struct account *acc = &rows[i]->now->e.row.account;

		sum += acc->balance;
		if (i + 1 < n && row_unit_cmp(&rows[i], &rows[i + 1]) == 0)
			continue;
		a->ret->units++;
		if (sum != 0)
			report(a, "unit", "unit %.*s sums to %" PRId64, TEXT(acc->unit),
			       (int64_t)sum);
		sum = 0;
	}
}

static bool audit_accounts(struct audit *a)
{
	struct memory_row **rows = calloc((size_t)a->w->rows + 1, sizeof(struct memory_row *));
	size_t n = 0;

	if (rows == NULL)
		return false;
	for (struct memory_row *r = first(a, ROW_ACCOUNT); r != NULL; r = r->next) {
		if (r->now == NULL)
			continue;
		audit_account(a, r);
		rows[n++] = r;
	}
	a->ret->accounts = (int64_t)n;
	audit_units(a, rows, n);
	free(rows);
	return true;
}

/* The holds of an order are the rows after it, all there and all expiring with it. */
static void audit_order(struct audit *a, const struct order *o)
{
	if (o->state == ORDER_EXPIRED || (o->state == ORDER_HELD && o->expires_us == 0))
		report(a, "order", "order %" PRId64 " has an impossible state", o->number);
	for (uint32_t i = 0; i < o->holds; i++) {
		const struct memory_row *r =
			pawl__world_find_number(a->w, ROW_HOLD, o->number + 1 + i);

		if (r == NULL || r->now == NULL || r->now->e.row.hold.expires_us != o->expires_us)
			report(a, "order", "order %" PRId64 " misses hold %" PRId64, o->number,
			       o->number + 1 + i);
	}
}

static void audit_orders(struct audit *a)
{
	for (const struct memory_row *r = first(a, ROW_ORDER); r != NULL; r = r->next) {
		if (r->now == NULL)
			continue;
		a->ret->orders++;
		audit_order(a, &r->now->e.row.order);
		check_version(a, "order", STR(""), r->now->e.row.order.version);
	}
}

static void audit_records(struct audit *a)
{
	for (const struct memory_row *r = first(a, ROW_RECORD); r != NULL; r = r->next) {
		if (r->now == NULL)
			continue;
		a->ret->records++;
		check_version(a, "record", r->id, r->now->e.row.record.version);
	}
}

static void audit_answers(struct audit *a)
{
	for (const struct memory_row *r = first(a, ROW_ANSWER); r != NULL; r = r->next) {
		const struct answer *an;

		if (r->now == NULL)
			continue;
		an = &r->now->e.row.answer;
		a->ret->answers++;
		if (an->at_us > a->w->now.high_water_us)
			report(a, "answer", "an answer is %" PRId64 " us ahead of the store",
			       an->at_us - a->w->now.high_water_us);
		check_version(a, "answer", STR(""), an->revision);
	}
}

static void audit_log(struct audit *a, const char *what, const struct memory_text *at, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (row_number_revision(at[i].number) > a->w->now.revision ||
		    (i > 0 && at[i].number <= at[i - 1].number))
			report(a, "log", "%s %" PRId64 " is out of order", what, at[i].number);
	}
}

bool pawl__world_audit(const struct world *w, store_drift_fn drift, void *arg,
                       struct store_audit *ret)
{
	struct audit a = { .w = w, .drift = drift, .arg = arg, .ret = ret };

	/* transfer, hold, balance, held, floor, due, unit, order, version, answer, log */
	*ret = (struct store_audit){ .checks = 11 };
	clear(&a);
	audit_transfers(&a);
	audit_holds(&a);
	if (!audit_accounts(&a))
		return false;
	audit_orders(&a);
	audit_records(&a);
	audit_answers(&a);
	audit_log(&a, "event", w->events.at, w->events.committed);
	audit_log(&a, "job", w->jobs.at, w->jobs.committed);
	return true;
}
