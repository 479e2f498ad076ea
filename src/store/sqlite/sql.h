/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite/sql - every statement that runs more than once, in one table: X(name, who, text).
 * who: READ = prepared on each connection, WRITE = on the writer alone.
 *
 * The tables of a run of answers have its number in their names (runs.h), so statements on them are
 * made for one run: they stand in tables of their own, with the name's place left open.
 */
#ifndef PAWL_STORE_SQLITE_SQL_H
#define PAWL_STORE_SQLITE_SQL_H

/* clang-format off */
#define SQL_TABLE(X) \
	X(BEGIN,         WRITE, "BEGIN IMMEDIATE") \
	X(COMMIT,        WRITE, "COMMIT") \
	X(ROLLBACK,      WRITE, "ROLLBACK") \
	X(SNAPSHOT,      READ,  "BEGIN") \
	X(SNAPSHOT_END,  READ,  "COMMIT") \
	X(META_GET,      READ,  "SELECT revision, answers_seq, high_water_us, accounts, holds_live, " \
	                        "orders, records, events, jobs, answers FROM meta") \
	X(META_SET,      WRITE, "UPDATE meta SET revision = ?1, answers_seq = ?2, high_water_us = ?3, " \
	                        "accounts = ?4, holds_live = ?5, orders = ?6, records = ?7, events = ?8, " \
	                        "jobs = ?9, answers = ?10") \
	X(ACCOUNT_GET,   READ,  "SELECT number, unit, balance, held, floor, version, due_us " \
	                        "FROM account WHERE id = ?1") \
	X(ACCOUNT_ADD,   WRITE, "INSERT INTO account (id, unit, balance, held, floor, version, due_us) " \
	                        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)") \
	X(ACCOUNT_SET,   WRITE, "UPDATE account SET balance = ?2, held = ?3, floor = ?4, version = ?5, " \
	                        "due_us = ?6 WHERE number = ?1") \
	X(ACCOUNTS_DUE,  WRITE, "SELECT id FROM account WHERE due_us > 0 AND due_us <= ?1 " \
	                        "ORDER BY due_us LIMIT ?2") \
	X(HOLD_GET,      READ,  "SELECT a.id, b.id, h.from_account, h.to_account, h.amount, h.captured, " \
	                        "h.expires_us, h.state, h.version FROM hold h " \
	                        "JOIN account a ON a.number = h.from_account " \
	                        "JOIN account b ON b.number = h.to_account WHERE h.number = ?1") \
	X(HOLD_SET,      WRITE, "UPDATE hold SET captured = ?2, state = ?3, version = ?4 " \
	                        "WHERE number = ?1 AND state = 0") \
	X(HOLDS_DUE,     READ,  "SELECT coalesce(sum(amount - captured), 0) FROM hold " \
	                        "WHERE from_account = ?1 AND state = 0 AND expires_us <= ?2") \
	X(HOLDS_NEXT,    READ,  "SELECT coalesce(min(expires_us), 0) FROM hold " \
	                        "WHERE from_account = ?1 AND state = 0 AND expires_us > ?2") \
	X(HOLDS_EXPIRE,  WRITE, "UPDATE hold SET state = 3, version = ?3 " \
	                        "WHERE from_account = ?1 AND state = 0 AND expires_us <= ?2") \
	X(RECORD_GET,    READ,  "SELECT version, value FROM record WHERE key = ?1") \
	X(RECORD_ADD,    WRITE, "INSERT INTO record (key, version, value) VALUES (?1, ?2, ?3)") \
	X(RECORD_SET,    WRITE, "UPDATE record SET version = ?2, value = ?3 WHERE key = ?1") \
	X(RECORD_DELETE, WRITE, "DELETE FROM record WHERE key = ?1") \
	X(ORDER_GET,     READ,  "SELECT state, holds, expires_us, version, body FROM order_ WHERE number = ?1") \
	X(ORDER_SET,     WRITE, "UPDATE order_ SET state = ?2, version = ?3 WHERE number = ?1") \
	X(LEASE_GET,     READ,  "SELECT owner, token, deadline_us FROM lease WHERE name = ?1") \
	X(LEASE_ADD,     WRITE, "INSERT INTO lease (name, owner, token, deadline_us) VALUES (?1, ?2, ?3, ?4)") \
	X(LEASE_SET,     WRITE, "UPDATE lease SET owner = ?2, token = ?3, deadline_us = ?4 WHERE name = ?1") \
	X(RUNS_GET,      READ,  "SELECT run, state FROM answer_run WHERE state < 2 ORDER BY run DESC") \
	X(RUN_LIVES,     READ,  "SELECT count(*) FROM answer_run WHERE run = ?1 AND state < 2") \
	X(RUN_FINISH,    WRITE, "UPDATE answer_run SET state = 1, answers = ?2, max_at_us = ?3, filter = ?4 " \
	                        "WHERE run = ?1 AND state = 0")

/* On the tables of one run: X(name, before its number, behind it); see pawl__conn_run_stmt. */
#define RUN_SQL_TABLE(X) \
	X(ANSWER_GET,    "SELECT caller, key, fingerprint, code, http, revision, etag, at_us, " \
	                 "location, body FROM answer_", " WHERE seq = ?1") \
	X(KEYS_GET,      "SELECT seq FROM answer_key_", " WHERE hash = ?1 ORDER BY seq DESC") \
	X(TAIL_FIND,     "SELECT seq FROM answer_", " WHERE caller = ?1 AND key = ?2 ORDER BY seq DESC")

/* Tables that get many rows at once: X(name, verb, table, columns, their names); see bulk.h. The
 * name of a run's table ends in '_' here. */
#define BULK_TABLE(X) \
	X(TRANSFER, "INSERT OR FAIL",   "transfer", 5, "number, from_account, to_account, amount, hold") \
	X(HOLD,     "INSERT OR FAIL",   "hold",     8, "number, from_account, to_account, amount, captured, " \
	                                               "expires_us, state, version") \
	X(ORDER,    "INSERT OR FAIL",   "order_",   6, "number, state, holds, expires_us, version, body") \
	X(EVENT,    "INSERT OR FAIL",   "event",    4, "number, topic, key, body") \
	X(JOB,      "INSERT OR FAIL",   "job",      6, "number, queue, state, attempt, run_at_us, body") \
	X(ANSWER,   "INSERT OR FAIL",   "answer_", 11, "seq, caller, key, fingerprint, code, http, revision, " \
	                                               "etag, at_us, location, body") \
	X(KEY,      "INSERT OR IGNORE", "answer_key_", 2, "hash, seq")
/* clang-format on */

/* Microseconds as the views show them. */
#define SQL_TIME(us) "strftime('%Y-%m-%dT%H:%M:%fZ', " us " / 1e6, 'unixepoch')"

#define BULK_ROWS    16u /* measured: 8 give most of it, 32 nothing more */

enum sql {
#define X(name, who, text) SQL_##name,
	SQL_TABLE(X)
#undef X
		SQL_STATEMENTS
};

enum run_sql {
#define X(name, before, behind) RUN_SQL_##name,
	RUN_SQL_TABLE(X)
#undef X
		RUN_SQL_STATEMENTS
};

enum bulk_table {
#define X(name, verb, table, columns, names) BULK_##name,
	BULK_TABLE(X)
#undef X
		BULK_TABLES
};

#endif /* PAWL_STORE_SQLITE_SQL_H */
