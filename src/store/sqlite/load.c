/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/load.h"

#include "base/assert.h"
#include "base/error.h"
#include "store/sqlite/runs.h"

static enum pawl_status load_nomem(struct loader *l, struct pawl_error *err)
{
	l->ws->failed = true;
	return pawl__error_set(err, PAWL_E_NOMEM, "the batch is over its memory limit");
}

static struct str load_str(const struct loader *l, sqlite3_stmt *q, int column)
{
	return pawl__arena_str(l->ws->arena, column_str(q, column));
}

/* `account` as a reader shows it: what is due no longer counts, though nobody has swept it. */
static enum pawl_status account_take_due(struct loader *l, struct account *a,
                                         struct pawl_error *err)
{
	int64_t freed;
	enum pawl_status st;

	if (a->due_us == 0 || a->due_us > l->ws->now_us)
		return PAWL_OK;
	bind_i64(conn_stmt(l->conn, SQL_HOLDS_DUE), 1, a->number);
	bind_i64(conn_stmt(l->conn, SQL_HOLDS_DUE), 2, l->ws->now_us);
	st = pawl__conn_number(l->conn, SQL_HOLDS_DUE, &freed, err);
	if (st != PAWL_OK)
		return st;
	if (freed > a->held)
		return pawl__error_set(err, PAWL_E_CORRUPT, "an account holds less than its holds");
	a->held -= freed;
	bind_i64(conn_stmt(l->conn, SQL_HOLDS_NEXT), 1, a->number);
	bind_i64(conn_stmt(l->conn, SQL_HOLDS_NEXT), 2, l->ws->now_us);
	return pawl__conn_number(l->conn, SQL_HOLDS_NEXT, &a->due_us, err);
}

static enum pawl_status load_account(struct loader *l, struct ws_entry *e, struct pawl_error *err)
{
	sqlite3_stmt *q = conn_stmt(l->conn, SQL_ACCOUNT_GET);
	enum pawl_status st;

	bind_str(q, 1, e->id);
	st = pawl__conn_row(l->conn, SQL_ACCOUNT_GET, &e->present, err);
	if (st != PAWL_OK || !e->present)
		return st;
	e->row.account = (struct account){
		.id = e->id,
		.number = sqlite3_column_int64(q, 0),
		.unit = load_str(l, q, 1),
		.balance = sqlite3_column_int64(q, 2),
		.held = sqlite3_column_int64(q, 3),
		.floor = sqlite3_column_int64(q, 4), /* of NULL: 0 */
		.has_floor = sqlite3_column_type(q, 4) != SQLITE_NULL,
		.version = sqlite3_column_int64(q, 5),
		.due_us = sqlite3_column_int64(q, 6),
	};
	conn_reset(l->conn, SQL_ACCOUNT_GET);
	return l->take_due ? account_take_due(l, &e->row.account, err) : PAWL_OK;
}

static enum pawl_status load_hold(struct loader *l, struct ws_entry *e, struct pawl_error *err)
{
	sqlite3_stmt *q = conn_stmt(l->conn, SQL_HOLD_GET);
	enum pawl_status st;

	bind_i64(q, 1, e->number);
	st = pawl__conn_row(l->conn, SQL_HOLD_GET, &e->present, err);
	if (st != PAWL_OK || !e->present)
		return st;
	e->row.hold = (struct hold){
		.number = e->number,
		.from = load_str(l, q, 0),
		.to = load_str(l, q, 1),
		.from_number = sqlite3_column_int64(q, 2),
		.to_number = sqlite3_column_int64(q, 3),
		.amount = sqlite3_column_int64(q, 4),
		.captured = sqlite3_column_int64(q, 5),
		.expires_us = sqlite3_column_int64(q, 6),
		.state = (enum hold_state)sqlite3_column_int(q, 7),
		.version = sqlite3_column_int64(q, 8),
	};
	conn_reset(l->conn, SQL_HOLD_GET);
	return PAWL_OK;
}

static enum pawl_status load_record(struct loader *l, struct ws_entry *e, struct pawl_error *err)
{
	sqlite3_stmt *q = conn_stmt(l->conn, SQL_RECORD_GET);
	enum pawl_status st;

	bind_str(q, 1, e->id);
	st = pawl__conn_row(l->conn, SQL_RECORD_GET, &e->present, err);
	if (st != PAWL_OK || !e->present)
		return st;
	e->row.record = (struct record){
		.key = e->id,
		.version = sqlite3_column_int64(q, 0),
		.value = load_str(l, q, 1),
	};
	conn_reset(l->conn, SQL_RECORD_GET);
	return PAWL_OK;
}

static enum pawl_status load_order(struct loader *l, struct ws_entry *e, struct pawl_error *err)
{
	sqlite3_stmt *q = conn_stmt(l->conn, SQL_ORDER_GET);
	enum pawl_status st;

	bind_i64(q, 1, e->number);
	st = pawl__conn_row(l->conn, SQL_ORDER_GET, &e->present, err);
	if (st != PAWL_OK || !e->present)
		return st;
	e->row.order = (struct order){
		.number = e->number,
		.state = (enum order_state)sqlite3_column_int(q, 0),
		.holds = (uint32_t)sqlite3_column_int64(q, 1),
		.expires_us = sqlite3_column_int64(q, 2),
		.version = sqlite3_column_int64(q, 3),
		.body = load_str(l, q, 4),
	};
	conn_reset(l->conn, SQL_ORDER_GET);
	return PAWL_OK;
}

static enum pawl_status load_lease(struct loader *l, struct ws_entry *e, struct pawl_error *err)
{
	sqlite3_stmt *q = conn_stmt(l->conn, SQL_LEASE_GET);
	enum pawl_status st;

	bind_str(q, 1, e->id);
	st = pawl__conn_row(l->conn, SQL_LEASE_GET, &e->present, err);
	if (st != PAWL_OK || !e->present)
		return st;
	e->row.lease = (struct lease){
		.name = e->id,
		.owner = load_str(l, q, 0),
		.token = sqlite3_column_int64(q, 1),
		.deadline_us = sqlite3_column_int64(q, 2),
	};
	conn_reset(l->conn, SQL_LEASE_GET);
	return PAWL_OK;
}

/* Is answer `seq` the one that e asks for? Then *ret_found, and e is filled unless it has expired.
 *  */
static enum pawl_status answer_try(struct loader *l, struct ws_entry *e, struct answer_candidate at,
                                   bool *ret_found, struct pawl_error *err)
{
	enum pawl_status st;
	sqlite3_stmt *q;
	bool row;

	*ret_found = false;
	st = pawl__conn_run_stmt(l->conn, at.run, RUN_SQL_ANSWER_GET, &q, err);
	if (st != PAWL_OK || q == NULL)
		return st;
	bind_i64(q, 1, at.seq);
	st = pawl__conn_run_row(l->conn, at.run, q, &row, err);
	if (st != PAWL_OK || !row) /* none: not in this snapshot yet, or dropped */
		return st;
	*ret_found = str_eq(column_str(q, 0), e->id) && str_eq(column_str(q, 1), e->id2);
	e->present = *ret_found &&
	             !answer_expired(sqlite3_column_int64(q, 7), l->retention_us, l->ws->now_us);
	if (e->present) {
		const struct str print = column_str(q, 2);

		e->row.answer = (struct answer){
			.caller = e->id,
			.key = e->id2,
			.code = (enum pawl_status)sqlite3_column_int(q, 3),
			.http = sqlite3_column_int(q, 4),
			.revision = sqlite3_column_int64(q, 5),
			.etag = sqlite3_column_int64(q, 6),
			.at_us = sqlite3_column_int64(q, 7),
			.location = load_str(l, q, 8),
			.body = load_str(l, q, 9),
		};
		INVARIANT(print.len == FINGERPRINT_LEN); /* CHECKed */
		memcpy(e->row.answer.fingerprint, print.ptr, FINGERPRINT_LEN);
	}
	(void)sqlite3_reset(q);
	return PAWL_OK;
}

/* Try every answer that the rows of a bound look-up in `run` name, until one is it. */
static enum pawl_status answer_try_rows(struct loader *l, struct ws_entry *e, int64_t run,
                                        sqlite3_stmt *q, bool *ret_found, struct pawl_error *err)
{
	enum pawl_status st;
	bool row;

	*ret_found = false;
	do {
		st = pawl__conn_run_row(l->conn, run, q, &row, err);
		if (st == PAWL_OK && row) {
			const struct answer_candidate at = { run, sqlite3_column_int64(q, 0) };

			st = answer_try(l, e, at, ret_found, err);
		}
	} while (st == PAWL_OK && row && !*ret_found);
	(void)sqlite3_reset(q);
	return st;
}

static enum pawl_status answer_try_keys(struct loader *l, struct ws_entry *e, int64_t run,
                                        uint64_t hash, bool *ret_found, struct pawl_error *err)
{
	sqlite3_stmt *q;
	enum pawl_status st = pawl__conn_run_stmt(l->conn, run, RUN_SQL_KEYS_GET, &q, err);

	*ret_found = false;
	if (st != PAWL_OK || q == NULL)
		return st;
	bind_i64(q, 1, (int64_t)hash);
	return answer_try_rows(l, e, run, q, ret_found, err);
}

/* The answers of an open run are read through. */
static enum pawl_status answer_try_tail(struct loader *l, struct ws_entry *e, int64_t run,
                                        bool *ret_found, struct pawl_error *err)
{
	sqlite3_stmt *q;
	enum pawl_status st = pawl__conn_run_stmt(l->conn, run, RUN_SQL_TAIL_FIND, &q, err);

	*ret_found = false;
	if (st != PAWL_OK || q == NULL)
		return st;
	bind_str(q, 1, e->id);
	bind_str(q, 2, e->id2);
	return answer_try_rows(l, e, run, q, ret_found, err);
}

/* Candidates come newest first, and the newest answer of a key is the one that counts. */
static enum pawl_status load_candidates(struct loader *l, struct ws_entry *e, uint64_t hash,
                                        const struct answer_probe *p, struct pawl_error *err)
{
	enum pawl_status st = PAWL_OK;
	bool found = false;

	for (uint32_t i = 0; i < p->len && st == PAWL_OK && !found; i++) {
		if (p->at[i].seq != 0)
			st = answer_try(l, e, p->at[i], &found, err);
		else
			st = answer_try_keys(l, e, p->at[i].run, hash, &found, err);
	}
	return st;
}

/* Without memory: the directory says where to look. */
static enum pawl_status load_by_sql(struct loader *l, struct ws_entry *e, struct pawl_error *err)
{
	const uint64_t hash = pawl__answers_hash(l->answers, e->id, e->id2);
	sqlite3_stmt *q = conn_stmt(l->conn, SQL_RUNS_GET);
	bool found = false, row = true;
	enum pawl_status st;

	do {
		st = pawl__conn_row(l->conn, SQL_RUNS_GET, &row, err);
		if (st != PAWL_OK || !row)
			break;
		if (sqlite3_column_int(q, 1) == RUN_OPEN)
			st = answer_try_tail(l, e, sqlite3_column_int64(q, 0), &found, err);
		else
			st = answer_try_keys(l, e, sqlite3_column_int64(q, 0), hash, &found, err);
	} while (st == PAWL_OK && !found);
	conn_reset(l->conn, SQL_RUNS_GET);
	return st;
}

static enum pawl_status load_answer(struct loader *l, struct ws_entry *e, struct pawl_error *err)
{
	struct answer_probe now = { .arena = l->ws->arena };
	uint64_t hash;

	e->present = false;
	if (l->by_sql)
		return load_by_sql(l, e, err);
	hash = pawl__answers_hash(l->answers, e->id, e->id2);
	if (l->probes != NULL)
		return load_candidates(l, e, hash, l->probes++, err);
	if (!pawl__answers_probe(l->answers, hash, &now))
		return load_nomem(l, err);
	return load_candidates(l, e, hash, &now, err);
}

static enum pawl_status load_entry(struct loader *l, struct ws_entry *e, struct pawl_error *err)
{
	switch (e->kind) {
	case ROW_ACCOUNT:
		return load_account(l, e, err);
	case ROW_HOLD:
		return load_hold(l, e, err);
	case ROW_RECORD:
		return load_record(l, e, err);
	case ROW_ORDER:
		return load_order(l, e, err);
	case ROW_LEASE:
		return load_lease(l, e, err);
	case ROW_ANSWER:
		return load_answer(l, e, err);
	}
	UNREACHABLE();
}

enum pawl_status pawl__load_wanted(struct loader *l, struct pawl_error *err)
{
	for (struct ws_entry *e = l->ws->wanted; e != NULL; e = e->next) {
		enum pawl_status st;

		if (e->loaded)
			continue;
		st = load_entry(l, e, err);
		if (st != PAWL_OK)
			return st;
		if (l->ws->arena->failed)
			return load_nomem(l, err);
		e->loaded = true;
		e->stored = e->present;
	}
	l->ws->wanted = NULL;
	return PAWL_OK;
}
