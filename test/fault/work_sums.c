/* SPDX-License-Identifier: Apache-2.0 */
#include "work_sums.h"

#include <stdio.h>

#include "base/assert.h"

struct sum {
	int64_t balance, held;
	bool exists;
};

struct sums {
	struct sum user[WORK_USERS], stock[WORK_SKUS], sold[WORK_SKUS];
	int64_t world_eur;
	const struct ask *record[WORK_RECORDS]; /* the latest that wrote or deleted it */
	int64_t orders, events, jobs, records, accounts, holds_live, answers;
};

static bool done(const struct ask *ask)
{
	return ask->known == KNOWN_ANSWER && ask->answer.code == PAWL_OK;
}

/* How a hold or an order has ended: the kind of ask that did it. A repeat changes nothing. */
static bool ended(const struct work *w, const struct ask *of, enum ask_kind by)
{
	for (uint32_t i = 0; i < w->len; i++) {
		if (w->ask[i].kind == by && done(&w->ask[i]) && &w->ask[w->ask[i].of] == of)
			return true;
	}
	return false;
}

static void sum_hold(const struct work *w, const struct ask *ask, struct sums *s)
{
	struct sum *from = &s->user[ask->a], *to = &s->user[ask->b];

	if (ended(w, ask, ASK_CAPTURE)) {
		from->balance -= ask->amount;
		to->balance += ask->amount;
	} else if (!ended(w, ask, ASK_RELEASE)) {
		from->held += ask->amount;
		s->holds_live++;
	}
}

static void sum_order(const struct work *w, const struct ask *ask, struct sums *s)
{
	const bool confirmed = ask->held && ended(w, ask, ASK_CONFIRM);
	const bool cancelled = ask->held && ended(w, ask, ASK_CANCEL);

	s->orders++;
	s->events += 1 + (confirmed || cancelled);
	for (uint32_t i = 0; i < ask->lines_len; i++) {
		struct sum *stock = &s->stock[ask->sku[i]];

		if (!ask->held || confirmed) {
			stock->balance -= ask->quantity[i];
			s->sold[ask->sku[i]].balance += ask->quantity[i];
		} else if (!cancelled) {
			stock->held += ask->quantity[i];
			s->holds_live++;
		}
	}
}

/* The latest writer of a record is the one with the greatest revision. */
static void sum_record(const struct ask *ask, uint32_t record, struct sums *s)
{
	const struct ask **latest = &s->record[record];

	if (*latest == NULL || (*latest)->answer.revision < ask->answer.revision)
		*latest = ask;
}

static void sum_move(struct sum *from, struct sum *to, int64_t amount)
{
	from->balance -= amount;
	to->balance += amount;
}

static void sum_item(const struct ask *ask, struct sums *s)
{
	s->accounts += 2 + (ask->amount > 0); /* world:sku:.. is made by its first transfer */
	if (ask->a >= WORK_SKUS)
		return; /* a probe */
	s->stock[ask->a].exists = s->sold[ask->a].exists = true;
	s->stock[ask->a].balance += ask->amount;
}

static void sum_ask(const struct work *w, const struct ask *ask, struct sums *s)
{
	switch (ask->kind) {
	case ASK_ACCOUNT:
		s->user[ask->a].exists = true;
		s->accounts++;
		return;
	case ASK_ITEM:
		sum_item(ask, s);
		return;
	case ASK_FUND:
		s->user[ask->b].balance += ask->amount;
		s->world_eur -= ask->amount;
		return;
	case ASK_TRANSFER:
		sum_move(&s->user[ask->a], &s->user[ask->b], ask->amount);
		return;
	case ASK_HOLD:
		sum_hold(w, ask, s);
		return;
	case ASK_ORDER:
		sum_order(w, ask, s);
		return;
	case ASK_PUT:
	case ASK_DELETE:
		sum_record(ask, ask->a, s);
		return;
	case ASK_MANY:
		sum_move(&s->user[ask->a], &s->user[ask->b], ask->amount);
		sum_record(ask, ask->lines_len, s);
		s->events++;
		s->jobs++;
		return;
	case ASK_CAPTURE:
	case ASK_RELEASE:
	case ASK_CONFIRM:
	case ASK_CANCEL:
		return; /* counted with what they end */
	}
	UNREACHABLE();
}

static void sums_make(const struct work *w, struct sums *s)
{
	*s = (struct sums){ .orders = 0 };
	for (uint32_t i = 0; i < w->len; i++) {
		s->answers += w->ask[i].known == KNOWN_ANSWER;
		if (done(&w->ask[i]))
			sum_ask(w, &w->ask[i], s);
	}
	s->accounts += s->world_eur != 0;
	for (uint32_t i = 0; i < WORK_RECORDS; i++)
		s->records += s->record[i] != NULL && s->record[i]->kind != ASK_DELETE;
}

static struct ws_entry *want(struct work *w, struct ws *ws, enum row_kind kind, const char *prefix,
                             uint32_t n)
{
	char id[64];
	const int len = snprintf(id, sizeof(id), "%s%u", prefix, n);
	struct ws_entry *e = pawl__ws_want(
		ws, kind, pawl__arena_str(&w->arena, (struct str){ id, (size_t)len }));

	INVARIANT(e != NULL);
	return e;
}

static void compare_account(struct work *w, const struct ws_entry *e, const struct sum *s)
{
	const struct account *a = &e->row.account;

	if (e->present != s->exists)
		pawl__work_fail(w, "%.*s %s", (int)e->id.len, e->id.ptr,
		                e->present ? "is there" : "is not there");
	else if (e->present && (a->balance != s->balance || a->held != s->held))
		pawl__work_fail(
			w, "%.*s: balance %lld, held %lld, yet the answers add up to %lld, %lld",
			(int)e->id.len, e->id.ptr, (long long)a->balance, (long long)a->held,
			(long long)s->balance, (long long)s->held);
}

static void compare_record(struct work *w, const struct ws_entry *e, const struct ask *latest)
{
	const bool there = latest != NULL && latest->kind != ASK_DELETE;

	if (e->present != there)
		pawl__work_fail(w, "%.*s %s", (int)e->id.len, e->id.ptr,
		                e->present ? "is there" : "is not there");
	else if (there && (e->row.record.version != latest->answer.revision ||
	                   !str_eq(e->row.record.value, latest->value)))
		pawl__work_fail(w, "%.*s is not what the latest answer wrote", (int)e->id.len,
		                e->id.ptr);
}

static void compare_rows(struct work *w, const struct sums *s)
{
	const struct sum world = { .balance = s->world_eur, .exists = s->world_eur != 0 };
	struct ws_entry *user[WORK_USERS], *stock[WORK_SKUS], *sold[WORK_SKUS];
	struct ws_entry *record[WORK_RECORDS], *eur;
	struct pawl_error err;
	struct ws ws;

	pawl__ws_init(&ws, &w->arena, 1, 8);
	for (uint32_t i = 0; i < WORK_USERS; i++)
		user[i] = want(w, &ws, ROW_ACCOUNT, "user:", i);
	for (uint32_t i = 0; i < WORK_SKUS; i++) {
		stock[i] = want(w, &ws, ROW_ACCOUNT, "stock:sku", i);
		sold[i] = want(w, &ws, ROW_ACCOUNT, "sold:sku", i);
	}
	for (uint32_t i = 0; i < WORK_RECORDS; i++)
		record[i] = want(w, &ws, ROW_RECORD, "record:", i);
	eur = pawl__ws_want(&ws, ROW_ACCOUNT, STR("world:EUR"));
	if (pawl__engine_read(w->engine, &ws, &err) != PAWL_OK) {
		pawl__work_fail(w, "reading: %s", err.text);
		return;
	}
	for (uint32_t i = 0; i < WORK_USERS; i++)
		compare_account(w, user[i], &s->user[i]);
	for (uint32_t i = 0; i < WORK_SKUS; i++) {
		compare_account(w, stock[i], &s->stock[i]);
		compare_account(w, sold[i], &s->sold[i]);
	}
	for (uint32_t i = 0; i < WORK_RECORDS; i++)
		compare_record(w, record[i], s->record[i]);
	compare_account(w, eur, &world);
}

static void compare_count(struct work *w, const char *what, int64_t is, int64_t sum)
{
	if (is != -1 && is != sum)
		pawl__work_fail(w, "%lld %s are there, %lld were answered for", (long long)is, what,
		                (long long)sum);
}

void pawl__work_sums(struct work *w)
{
	struct store_stats st;
	struct pawl_error err;
	struct sums s;

	sums_make(w, &s);
	compare_rows(w, &s);
	if (pawl__engine_stats(w->engine, &st, &err) != PAWL_OK) {
		pawl__work_fail(w, "counting: %s", err.text);
		return;
	}
	compare_count(w, "accounts", st.accounts, s.accounts);
	compare_count(w, "live holds", st.holds_live, s.holds_live);
	compare_count(w, "orders", st.orders, s.orders);
	compare_count(w, "records", st.records, s.records);
	compare_count(w, "events", st.events, s.events);
	compare_count(w, "jobs", st.jobs, s.jobs);
	compare_count(w, "answers", st.answers, s.answers);
}
