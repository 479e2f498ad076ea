/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "world.h"

#define REVISION_UNTOLD (INT64_C(1) << 50)

static void row_answer(const struct answer *a, struct kit_answer *ret)
{
	kit_answer_fill(ret, &(struct tx_answer){ .code = a->code,
	                                          .http = a->http,
	                                          .op = -1,
	                                          .revision = a->revision,
	                                          .etag = a->etag,
	                                          .location = a->location,
	                                          .body = a->body });
}

/* (1): the key is new in the store: the model must decide it the same way. */
static void key_decided(struct sim *s, struct sim_key *k, const struct answer *a)
{
	struct model_verdict v;
	int64_t op;

	if (a->at_us < s->last_at_us)
		sim_fail(s, "%s was decided %" PRId64 " us before the one before it", k->name,
		         s->last_at_us - a->at_us);
	s->last_at_us = a->at_us;
	k->decided = true;
	row_answer(a, &k->answer);
	/* What a refused transaction would have been numbered is not told to anybody. */
	v = model_apply(&s->model, &k->tx->tx, a->at_us,
	                a->code == PAWL_OK ? a->revision : REVISION_UNTOLD);
	sim_log(s, "  %s decided: %s at %" PRId64 " revision %" PRId64, k->name,
	        pawl_status_code(a->code), a->at_us, a->revision);
	if (v.code != a->code) {
		sim_fail(s, "%s was answered %s, the model says %s", k->name,
		         pawl_status_code(a->code), pawl_status_code(v.code));
		return;
	}
	op = kit_num(&k->answer, "op");
	if (v.code != PAWL_OK && op != v.op)
		sim_fail(s, "%s names operation %" PRId64 ", the model %u", k->name, op, v.op);
}

void check_answer(struct sim *s, struct sim_key *k, const struct kit_answer *given, bool was_known)
{
	const int http = given->http;

	if (http == 503 && k->decided && !was_known)
		sim_fail(s, "%s was answered 503 and left something", k->name); /* (3) */
	if (http == 503 || http == 504)
		return;
	if (!k->decided) {
		sim_fail(s, "%s was answered %s, and the store does not know it", k->name,
		         pawl_status_code(given->code));
		return;
	}
	if (!kit_same(given, &k->answer)) {
		sim_fail(s, "%s was answered differently from what is remembered:\n%s\n%s", k->name,
		         given->body, k->answer.body);
		return;
	}
	if (was_known && !given->replayed)
		sim_fail(s, "%s was known and not replayed", k->name);
	k->acked = true;
}

/* (1) to (4): every key, as the store remembers it now. */
static void check_keys(struct sim *s)
{
	struct kit_read *r = &s->read;
	struct ws_entry **e;

	kit_read_begin(r);
	e = arena_array(&r->arena, struct ws_entry *, s->keys_len);
	INVARIANT(e != NULL);
	for (uint32_t i = 0; i < s->keys_len; i++)
		e[i] = pawl__ws_want_answer(&r->ws, STR("sim"), pawl__str_of(s->keys[i].name));
	kit_read_all(r, &s->kit);
	for (uint32_t i = 0; i < s->queued_len; i++) {
		const uint32_t n = s->queued[i];

		if (e[n]->present && !s->keys[n].decided)
			key_decided(s, &s->keys[n], &e[n]->row.answer);
	}
	for (uint32_t i = 0; i < s->keys_len && !s->failed; i++) {
		struct sim_key *k = &s->keys[i];
		struct kit_answer now = { 0 };

		if (e[i]->present != k->decided) {
			sim_fail(s, "%s is %s", k->name,
			         k->decided ? "forgotten" : "decided without being asked");
			return;
		}
		if (!k->decided)
			continue;
		row_answer(&e[i]->row.answer, &now);
		if (!kit_same(&now, &k->answer)) /* (2) */
			sim_fail(s, "the remembered answer of %s has changed", k->name);
		kit_answer_deinit(&now);
	}
}

static void check_account(struct sim *s, uint32_t i, const struct account *a, int64_t now_us)
{
	const struct model_account *m = &s->model.account[i];
	const int64_t held = model_held(&s->model, i, now_us);

	if (a->balance != m->balance || a->held != held || a->has_floor != m->has_floor ||
	    (m->has_floor && a->floor != m->floor))
		sim_fail(s,
		         "%s has balance %" PRId64 " held %" PRId64 " floor %" PRId64
		         ", the model %" PRId64 " %" PRId64 " %" PRId64,
		         m->id, a->balance, a->held, a->floor, m->balance, held, m->floor);
	if (m->has_floor && a->balance - a->held < a->floor)
		sim_fail(s, "%s is below its floor", m->id);
}

/* (5) over accounts: the model's, by unit zero, and what went into stock is somewhere. */
static void check_accounts(struct sim *s)
{
	struct ws_entry *e[MODEL_ACCOUNTS];
	int64_t world = 0, items = 0;

	kit_read_begin(&s->read);
	for (uint32_t i = 0; i < s->model.accounts; i++)
		e[i] = pawl__ws_want(&s->read.ws, ROW_ACCOUNT,
		                     pawl__str_of(s->model.account[i].id));
	kit_read_all(&s->read, &s->kit);
	for (uint32_t i = 0; i < s->model.accounts; i++) {
		const struct str id = pawl__str_of(s->model.account[i].id);

		if (!e[i]->present) {
			sim_fail(s, "%s is gone", s->model.account[i].id);
			return;
		}
		check_account(s, i, &e[i]->row.account, s->read.ws.now_us);
		world += e[i]->row.account.balance;
		if (str_starts(id, STR("stock:")) || str_starts(id, STR("sold:")))
			items += e[i]->row.account.balance;
	}
	if (world != 0)
		sim_fail(s, "all balances sum to %" PRId64, world);
	if (items != s->model.stocked)
		sim_fail(s, "%" PRId64 " items were put in, %" PRId64 " are there",
		         s->model.stocked, items);
}

static void check_records(struct sim *s)
{
	struct ws_entry *e[MODEL_RECORDS];

	kit_read_begin(&s->read);
	for (uint32_t i = 0; i < s->model.records; i++)
		e[i] = pawl__ws_want(&s->read.ws, ROW_RECORD, pawl__str_of(s->model.record[i].key));
	kit_read_all(&s->read, &s->kit);
	for (uint32_t i = 0; i < s->model.records; i++) {
		const struct model_record *m = &s->model.record[i];
		const struct record *r = &e[i]->row.record;

		if (e[i]->present != m->present ||
		    (m->present &&
		     (r->version != m->version || !str_eq(r->value, pawl__str_of(m->value)))))
			sim_fail(s, "record %s is not the model's", m->key);
	}
}

/* Holds end once: the row's state is the one that the model has seen it reach. */
static void check_holds(struct sim *s)
{
	const struct model *m = &s->model;
	struct ws_entry **e;

	kit_read_begin(&s->read);
	e = arena_array(&s->read.arena, struct ws_entry *, m->holds + m->orders + 1);
	INVARIANT(e != NULL);
	for (uint32_t i = 0; i < m->holds; i++)
		e[i] = pawl__ws_want_number(&s->read.ws, ROW_HOLD, m->hold[i].number);
	for (uint32_t i = 0; i < m->orders; i++)
		e[m->holds + i] = pawl__ws_want_number(&s->read.ws, ROW_ORDER, m->order[i].number);
	kit_read_all(&s->read, &s->kit);
	for (uint32_t i = 0; i < m->holds; i++) {
		const struct model_hold *want = &m->hold[i];
		const struct hold *h = &e[i]->row.hold;
		const bool expired = want->state == HOLD_HELD && h->state == HOLD_EXPIRED;

		if (!e[i]->present || h->captured != want->captured ||
		    h->expires_us != want->expires_us ||
		    (h->state != want->state &&
		     !(expired && s->read.ws.now_us >= want->expires_us)))
			sim_fail(s, "hold %" PRId64 " is not the model's", want->number);
	}
	for (uint32_t i = 0; i < m->orders; i++) {
		if (!e[m->holds + i]->present ||
		    e[m->holds + i]->row.order.state != m->order[i].state)
			sim_fail(s, "order %" PRId64 " is not the model's", m->order[i].number);
	}
}

static void drift_seen(void *arg, const char *check, const char *text)
{
	sim_fail(arg, "audit: %s: %s", check, text);
}

static void check_store(struct sim *s)
{
	struct store_audit audit;
	struct store_stats stats;
	struct pawl_error err;

	if (pawl__engine_audit(s->kit.engine, drift_seen, s, &audit, &err) != PAWL_OK ||
	    pawl__engine_stats(s->kit.engine, &stats, &err) != PAWL_OK) {
		sim_fail(s, "the store can't be looked at: %s", err.text);
		return;
	}
	if (audit.transfers != s->model.transfers || stats.events != s->model.events ||
	    stats.jobs != s->model.jobs)
		sim_fail(s,
		         "%" PRId64 " transfers, %" PRId64 " events, %" PRId64
		         " jobs; the model has %" PRId64 ", %" PRId64 ", %" PRId64,
		         audit.transfers, stats.events, stats.jobs, s->model.transfers,
		         s->model.events, s->model.jobs);
}

void check_step(struct sim *s)
{
	check_keys(s);
	if (!s->failed)
		check_accounts(s);
	if (!s->failed)
		check_records(s);
	if (!s->failed)
		check_holds(s);
	if (!s->failed)
		check_store(s);
}
