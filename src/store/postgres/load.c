/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows under locks. All that is wanted is locked and read in one round trip: own lane, orders,
 * accounts - also those of holds that are named, and of the holds of orders - records, leases, in
 * the order of their keys; then what those locks protect; then a revision is drawn, so that the
 * versions of a row grow whoever writes it. Where a key has no row, a second round trip locks the
 * slots that stand for such keys and looks again.
 */
#include <sodium.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/postgres/store.h"

static enum pawl_status fill_nomem(struct ws *ws, struct pawl_error *err)
{
	ws->failed = true;
	return pawl__error_set(err, PAWL_E_NOMEM, "the batch is over its memory limit");
}

static struct str fill_str(struct ws *ws, const PGresult *r, int row, int column)
{
	return pawl__arena_str(ws->arena, pg_str(r, row, column));
}

void pawl__pg_hash(const struct pg_shared *sh, struct str caller, struct str key,
                   unsigned char ret[PG_HASH_KEY_LEN])
{
	const unsigned char len = (unsigned char)caller.len; /* "a" + "bc" is not "ab" + "c" */
	crypto_generichash_state h;

	(void)crypto_generichash_init(&h, sh->hash_key, PG_HASH_KEY_LEN, PG_HASH_KEY_LEN);
	(void)crypto_generichash_update(&h, &len, 1);
	if (caller.len > 0)
		(void)crypto_generichash_update(&h, (const unsigned char *)caller.ptr, caller.len);
	(void)crypto_generichash_update(&h, (const unsigned char *)key.ptr, key.len);
	(void)crypto_generichash_final(&h, ret, PG_HASH_KEY_LEN);
}

/* FNV-1a, and the same in every version: nodes of two versions must agree. */
int32_t pawl__pg_gap(enum row_kind kind, struct str id)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325) ^ (unsigned)kind;

	for (size_t i = 0; i < id.len; i++)
		h = (h ^ (unsigned char)id.ptr[i]) * UINT64_C(0x100000001b3);
	return (int32_t)((h ^ h >> 32) % PG_GAPS);
}

/* What is wanted */

void pawl__pg_wanted(const struct ws *ws, struct pg_wanted *ret)
{
	*ret = (struct pg_wanted){ .first = ws->wanted };
	for (const struct ws_entry *e = ws->wanted; e != NULL; e = e->next)
		ret->count[e->kind] += !e->loaded;
}

void pawl__pg_keys(struct pg_args *a, const struct pg_wanted *w, enum row_kind kind)
{
	const bool number = kind == ROW_HOLD || kind == ROW_ORDER;
	const unsigned i = a->len;

	pawl__args_array(a, number ? PG_INT8 : PG_TEXT);
	for (const struct ws_entry *e = w->first; e != NULL; e = e->next) {
		if (e->kind != kind || e->loaded)
			continue;
		if (number)
			args_put_i64(a, i, e->number);
		else
			args_put_str(a, i, e->id);
	}
}

void pawl__pg_hashes(struct pg_args *a, const struct pg_wanted *w, const struct pg_shared *sh)
{
	const unsigned i = a->len;
	unsigned char hash[PG_HASH_KEY_LEN];

	pawl__args_array(a, PG_UUID);
	for (const struct ws_entry *e = w->first; e != NULL; e = e->next) {
		if (e->kind != ROW_ANSWER || e->loaded)
			continue;
		pawl__pg_hash(sh, e->id, e->id2, hash);
		args_put(a, i, hash, sizeof(hash));
	}
}

/* Rows to entries */

static void filled(struct ws_entry *e)
{
	e->loaded = true;
	e->present = true;
	e->stored = true;
}

static enum pawl_status fill_accounts(struct ws *ws, const struct pg_rows *rows,
                                      struct pawl_error *err)
{
	const PGresult *r = rows->accounts;

	for (int i = 0; i < PQntuples(r); i++) {
		struct ws_entry *e = pawl__ws_find_account(ws, pg_str(r, i, 0));
		struct account *a;

		if (e == NULL) /* of a hold */
			e = pawl__ws_want(ws, ROW_ACCOUNT, fill_str(ws, r, i, 0));
		if (e == NULL)
			return fill_nomem(ws, err);
		if (e->loaded)
			continue;
		a = &e->row.account;
		*a = (struct account){
			.id = e->id,
			.number = pg_i64(r, i, 1),
			.unit = fill_str(ws, r, i, 2),
			.balance = pg_i64(r, i, 3),
			.held = pg_i64(r, i, 4),
			.floor = pg_i64(r, i, 5),
			.has_floor = !PQgetisnull(r, i, 5),
			.version = pg_i64(r, i, 6),
			.due_us = pg_i64(r, i, 7),
		};
		if (rows->due && a->due_us > 0 && a->due_us <= ws->now_us) {
			if (pg_i64(r, i, 8) > a->held)
				return pawl__error_set(err, PAWL_E_CORRUPT,
				                       "an account holds less than its holds");
			a->held -= pg_i64(r, i, 8);
			a->due_us = pg_i64(r, i, 9);
		}
		filled(e);
	}
	return PAWL_OK;
}

static enum pawl_status fill_holds(struct ws *ws, const PGresult *r, struct pawl_error *err)
{
	for (int i = 0; i < PQntuples(r); i++) {
		struct ws_entry *e = pawl__ws_want_number(ws, ROW_HOLD, pg_i64(r, i, 0));

		if (e == NULL)
			return fill_nomem(ws, err);
		if (e->loaded)
			continue;
		e->row.hold = (struct hold){
			.number = e->number,
			.from = fill_str(ws, r, i, 1),
			.to = fill_str(ws, r, i, 2),
			.from_number = pg_i64(r, i, 3),
			.to_number = pg_i64(r, i, 4),
			.amount = pg_i64(r, i, 5),
			.captured = pg_i64(r, i, 6),
			.expires_us = pg_i64(r, i, 7),
			.state = (enum hold_state)pg_i32(r, i, 8),
			.version = pg_i64(r, i, 9),
		};
		filled(e);
	}
	return PAWL_OK;
}

static enum pawl_status fill_orders(struct ws *ws, const PGresult *r, struct pawl_error *err)
{
	for (int i = 0; i < PQntuples(r); i++) {
		struct ws_entry *e = pawl__ws_want_number(ws, ROW_ORDER, pg_i64(r, i, 0));

		if (e == NULL)
			return fill_nomem(ws, err);
		if (e->loaded)
			continue;
		e->row.order = (struct order){
			.number = e->number,
			.state = (enum order_state)pg_i32(r, i, 1),
			.holds = (uint32_t)pg_i32(r, i, 2),
			.expires_us = pg_i64(r, i, 3),
			.version = pg_i64(r, i, 4),
			.body = fill_str(ws, r, i, 5),
		};
		filled(e);
	}
	return PAWL_OK;
}

static enum pawl_status fill_records(struct ws *ws, const PGresult *r, struct pawl_error *err)
{
	for (int i = 0; i < PQntuples(r); i++) {
		struct ws_entry *e = pawl__ws_want(ws, ROW_RECORD, pg_str(r, i, 0));

		if (e == NULL)
			return fill_nomem(ws, err);
		if (e->loaded)
			continue;
		e->row.record = (struct record){
			.key = e->id,
			.version = pg_i64(r, i, 1),
			.value = fill_str(ws, r, i, 2),
		};
		filled(e);
	}
	return PAWL_OK;
}

static enum pawl_status fill_leases(struct ws *ws, const PGresult *r, struct pawl_error *err)
{
	for (int i = 0; i < PQntuples(r); i++) {
		struct ws_entry *e = pawl__ws_want(ws, ROW_LEASE, pg_str(r, i, 0));

		if (e == NULL)
			return fill_nomem(ws, err);
		if (e->loaded)
			continue;
		e->row.lease = (struct lease){
			.name = e->id,
			.owner = fill_str(ws, r, i, 1),
			.token = pg_i64(r, i, 2),
			.deadline_us = pg_i64(r, i, 3),
		};
		filled(e);
	}
	return PAWL_OK;
}

/* An expired answer of the part that is being written has to make room for a new one. */
static bool stale_note(struct pg_store *s, struct ws *ws, const PGresult *r, int row)
{
	if (pg_i64(r, row, 1) != s->part)
		return true;
	if (s->stale_len == s->stale_cap) {
		const uint32_t cap = s->stale_cap == 0 ? 64 : 2 * s->stale_cap;
		unsigned char(*p)[PG_HASH_KEY_LEN] =
			pawl__arena_alloc(ws->arena, (size_t)cap * PG_HASH_KEY_LEN);

		if (p == NULL)
			return false;
		if (s->stale_len > 0)
			memcpy(p, s->stale, (size_t)s->stale_len * PG_HASH_KEY_LEN);
		s->stale = p;
		s->stale_cap = cap;
	}
	memcpy(s->stale[s->stale_len++], PQgetvalue(r, row, 0), PG_HASH_KEY_LEN);
	return true;
}

static void fill_answer(struct ws *ws, struct ws_entry *e, const PGresult *r, int i)
{
	const struct str print = pg_str(r, i, 4);

	e->row.answer = (struct answer){
		.caller = e->id,
		.key = e->id2,
		.code = (enum pawl_status)pg_i32(r, i, 5),
		.http = pg_i32(r, i, 6),
		.revision = pg_i64(r, i, 7),
		.etag = pg_i64(r, i, 8),
		.at_us = pg_i64(r, i, 9),
		.location = fill_str(ws, r, i, 10),
		.body = fill_str(ws, r, i, 11),
	};
	INVARIANT(print.len == FINGERPRINT_LEN); /* CHECKed */
	memcpy(e->row.answer.fingerprint, print.ptr, FINGERPRINT_LEN);
	filled(e);
}

static enum pawl_status fill_answers(struct ws *ws, const struct pg_rows *rows,
                                     struct pawl_error *err)
{
	const PGresult *r = rows->answers;

	for (int i = 0; i < PQntuples(r); i++) {
		struct ws_entry *e = pawl__ws_want_answer(ws, pg_str(r, i, 2), pg_str(r, i, 3));
		const bool expired = pg_i64(r, i, 9) <= ws->now_us - rows->retention_us;

		if (e == NULL)
			return fill_nomem(ws, err);
		if (e->id2.ptr == PQgetvalue(r, i, 3)) { /* made just now: nobody asked for it */
			e->loaded = true;
			return pawl__error_set(err, PAWL_E_CORRUPT,
			                       "an answer stands under another key's hash");
		}
		if (expired && rows->stale != NULL && !stale_note(rows->stale, ws, r, i))
			return fill_nomem(ws, err);
		if (!expired && !e->loaded)
			fill_answer(ws, e, r, i);
	}
	return PAWL_OK;
}

enum pawl_status pawl__pg_fill(struct ws *ws, const struct pg_rows *rows, struct pawl_error *err)
{
	enum pawl_status st = PAWL_OK;

	if (rows->orders != NULL)
		st = fill_orders(ws, rows->orders, err);
	if (st == PAWL_OK && rows->accounts != NULL)
		st = fill_accounts(ws, rows, err);
	if (st == PAWL_OK && rows->holds != NULL)
		st = fill_holds(ws, rows->holds, err);
	if (st == PAWL_OK && rows->records != NULL)
		st = fill_records(ws, rows->records, err);
	if (st == PAWL_OK && rows->leases != NULL)
		st = fill_leases(ws, rows->leases, err);
	if (st == PAWL_OK && rows->answers != NULL)
		st = fill_answers(ws, rows, err);
	if (st == PAWL_OK && ws->arena->failed)
		st = fill_nomem(ws, err);
	return st;
}

void pawl__pg_filled(struct ws *ws)
{
	for (struct ws_entry *e = ws->wanted; e != NULL; e = e->next) {
		if (e->loaded)
			continue;
		e->loaded = true;
		e->present = false;
		e->stored = false;
	}
	ws->wanted = NULL;
}

/* Under locks */

/* Slots of a round trip; -1: not asked for. */
struct asked {
	int lane, orders, accounts, holds, records, leases, answers, draw;
};

static int ask(struct pg_store *s, const struct pg_wanted *w, enum pg_sql which, enum row_kind kind)
{
	if (w->count[kind] == 0)
		return -1;
	pawl__args_start(&s->conn.args);
	pawl__pg_keys(&s->conn.args, w, kind);
	return (int)pawl__pg_send(&s->conn, which);
}

/* The accounts that are named, and those that hang on holds and orders. */
static void ask_hanging(struct pg_store *s, const struct pg_wanted *w, struct asked *ret)
{
	struct pg_args *a = &s->conn.args;

	pawl__args_start(a);
	pawl__pg_keys(a, w, ROW_HOLD);
	pawl__pg_keys(a, w, ROW_ORDER);
	pawl__pg_keys(a, w, ROW_ACCOUNT);
	ret->accounts = (int)pawl__pg_send(&s->conn, PG_HANGING_LOCK);
}

static void ask_holds(struct pg_store *s, const struct pg_wanted *w, struct asked *ret)
{
	struct pg_args *a = &s->conn.args;

	pawl__args_start(a);
	pawl__pg_keys(a, w, ROW_HOLD);
	pawl__pg_keys(a, w, ROW_ORDER);
	ret->holds = (int)pawl__pg_send(&s->conn, PG_HOLDS_GET);
}

static void ask_all(struct pg_store *s, const struct pg_wanted *w, struct asked *ret)
{
	const bool hanging = w->count[ROW_HOLD] + w->count[ROW_ORDER] > 0;
	struct pg_args *a = &s->conn.args;

	*ret = (struct asked){ .lane = -1, .holds = -1, .answers = -1 };
	if (!s->sent) {
		(void)pawl__pg_send_bare(&s->conn, PG_BEGIN);
		pawl__args_start(a);
		pawl__args_i64(a, s->lane);
		pawl__args_i64(a, s->owner);
		ret->lane = (int)pawl__pg_send(&s->conn, PG_LANE_LOCK);
		s->sent = true;
		s->begun_us = pawl__clock_mono_us();
	}
	ret->orders = ask(s, w, PG_ORDERS_LOCK, ROW_ORDER);
	if (hanging)
		ask_hanging(s, w, ret);
	else
		ret->accounts = ask(s, w, PG_ACCOUNTS_LOCK, ROW_ACCOUNT);
	ret->records = ask(s, w, PG_RECORDS_LOCK, ROW_RECORD);
	ret->leases = ask(s, w, PG_LEASES_LOCK, ROW_LEASE);
	if (hanging)
		ask_holds(s, w, ret);
	if (w->count[ROW_ANSWER] > 0) {
		pawl__args_start(a);
		pawl__pg_hashes(a, w, s->sh);
		ret->answers = (int)pawl__pg_send(&s->conn, PG_ANSWERS_GET);
	}
	ret->draw = (int)pawl__pg_send_bare(&s->conn, PG_DRAW);
}

/*
 * What the draw says. Blocks are drawn one after the other by all writers: if this one follows the
 * one that was drawn here last, nobody has got a revision in between, and ours go on where they
 * stood; else they go on at the start of the block.
 */
static enum pawl_status drawn(struct pg_store *s, struct ws *ws, unsigned slot,
                              struct pawl_error *err)
{
	const PGresult *r = pg_res(&s->conn, slot);
	const int64_t block = pg_i64(r, 0, 0), high_water_us = pg_i64(r, 0, 1);

	if (s->block == PG_BLOCK_UNKNOWN || block != s->block + 1) {
		if (s->revision > block * PG_BLOCK) {
			/* A standby that had not got all has become the primary. Begin as new. */
			s->lane = 0;
			return pawl__error_set(err, PAWL_E_SERIALIZE, "the server has gone back");
		}
		ws->revision = block * PG_BLOCK;
		s->revision = block * PG_BLOCK;
	}
	s->block = block;
	s->limit = block * PG_BLOCK + PG_BLOCK - 1;
	s->part = pg_i64(r, 0, 3);
	s->xact = pg_i64(r, 0, 4);
	s->loaded = true;
	if (ws->now_us < high_water_us)
		ws->now_us = high_water_us;
	pawl__pg_high_water(s->sh, high_water_us);
	pawl__pg_clock_set(s->sh, &s->conn, pg_i64(r, 0, 2));
	return PAWL_OK;
}

static const PGresult *result(const struct pg_store *s, int slot)
{
	return slot < 0 ? NULL : pg_res(&s->conn, (unsigned)slot);
}

static enum pawl_status lane_locked(struct pg_store *s, int slot, struct pawl_error *err)
{
	const PGresult *r = result(s, slot);

	if (r == NULL)
		return PAWL_OK;
	if (PQntuples(r) != 1) {
		s->lane = 0; /* it was idle for long, or the database is another one */
		return pawl__error_set(err, PAWL_E_SERIALIZE, "the writer's row is gone");
	}
	if (s->answers != pg_i64(r, 0, 1)) { /* a commit of which nobody could tell */
		s->answers = pg_i64(r, 0, 1);
		s->block = PG_BLOCK_UNKNOWN;
		return pawl__error_set(err, PAWL_E_SERIALIZE, "the writer has come further");
	}
	return PAWL_OK;
}

/* Lock the slots of the keys that have no row, and make sure that they still have none. */
static enum pawl_status lock_gaps(struct pg_store *s, struct ws *ws, struct pawl_error *err)
{
	static const enum row_kind kinds[] = { ROW_ACCOUNT, ROW_RECORD, ROW_LEASE };
	struct pg_args *a = &s->conn.args;
	enum pawl_status st;
	struct pg_wanted w;
	unsigned look, draw;

	pawl__pg_wanted(ws, &w); /* what has no row is not loaded yet */
	pawl__args_start(a);
	pawl__args_array(a, PG_INT4);
	for (const struct ws_entry *e = ws->wanted; e != NULL; e = e->next) {
		int32_t slot;

		if (e->loaded ||
		    (e->kind != ROW_ACCOUNT && e->kind != ROW_RECORD && e->kind != ROW_LEASE))
			continue;
		slot = pawl__pg_gap(e->kind, e->id);
		if (gap_locked(s, slot))
			continue;
		s->gap[slot / 64] |= UINT64_C(1) << (slot % 64);
		s->gaps = true;
		args_put_i32(a, 0, slot);
	}
	if (a->rows[0] == 0)
		return PAWL_OK;
	(void)pawl__pg_send(&s->conn, PG_GAPS_LOCK);
	pawl__args_start(a);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		pawl__pg_keys(a, &w, kinds[i]);
	look = pawl__pg_send(&s->conn, PG_GAPS_LOOK);
	draw = pawl__pg_send_bare(&s->conn, PG_DRAW);
	st = pawl__pg_collect(&s->conn, PG_WAIT_US, err);
	if (st == PAWL_OK)
		st = drawn(s, ws, draw, err);
	if (st != PAWL_OK)
		return st;
	if (pg_i64(pg_res(&s->conn, look), 0, 0) > 0)
		return pawl__error_set(err, PAWL_E_SERIALIZE, "a row was made meanwhile");
	return PAWL_OK;
}

enum pawl_status pawl__pg_load(struct pg_store *s, struct ws *ws, struct pawl_error *err)
{
	struct pg_wanted w;
	struct asked q;
	struct pg_rows rows;
	enum pawl_status st;

	pawl__pg_wanted(ws, &w);
	ask_all(s, &w, &q);
	st = pawl__pg_collect(&s->conn, PG_WAIT_US, err);
	if (st == PAWL_OK)
		st = lane_locked(s, q.lane, err);
	if (st == PAWL_OK)
		st = drawn(s, ws, (unsigned)q.draw, err);
	if (st != PAWL_OK)
		return st;
	if (w.first == NULL) /* a revision is all that was wanted */
		return PAWL_OK;
	rows = (struct pg_rows){
		.orders = result(s, q.orders),
		.accounts = result(s, q.accounts),
		.holds = result(s, q.holds),
		.records = result(s, q.records),
		.leases = result(s, q.leases),
		.answers = result(s, q.answers),
		.retention_us = s->sh->retention_us,
		.stale = s,
	};
	st = pawl__pg_fill(ws, &rows, err);
	if (st == PAWL_OK && w.count[ROW_ACCOUNT] + w.count[ROW_RECORD] + w.count[ROW_LEASE] > 0)
		st = lock_gaps(s, ws, err);
	if (st == PAWL_OK)
		pawl__pg_filled(ws);
	return st;
}
