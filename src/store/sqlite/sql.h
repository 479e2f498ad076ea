/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite/sql - every statement that runs more than once, in one table: X(name, who, text).
 * who: READ = prepared on each connection, WRITE = on the writer alone.
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
	X(META_GET,      READ,  "SELECT revision, answers_seq, high_water_us, frozen_seq, run_next, " \
	                        "accounts, holds_live, orders, records, events, jobs, answers FROM meta") \
	X(META_SET,      WRITE, "UPDATE meta SET revision = ?1, answers_seq = ?2, high_water_us = ?3, " \
	                        "frozen_seq = ?4, run_next = ?5, accounts = ?6, holds_live = ?7, orders = ?8, " \
	                        "records = ?9, events = ?10, jobs = ?11, answers = ?12") \
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
	X(ANSWER_GET,    READ,  "SELECT caller, key, fingerprint, code, http, revision, etag, at_us, " \
	                        "location, body FROM answer WHERE seq = ?1") \
	X(ANSWERS_DROP,  WRITE, "DELETE FROM answer WHERE seq BETWEEN ?1 AND ?2") \
	X(KEYS_GET,      READ,  "SELECT seq FROM answer_key WHERE run = ?1 AND hash = ?2 ORDER BY seq DESC") \
	X(KEYS_DROP,     WRITE, "DELETE FROM answer_key WHERE run = ?1 AND hash <= ?2") \
	X(KEYS_FIND,     READ,  "SELECT k.seq FROM answer_run r JOIN answer_key k ON k.run = r.run " \
	                        "WHERE k.hash = ?1 ORDER BY r.run DESC, k.seq DESC") \
	X(TAIL_FIND,     READ,  "SELECT seq FROM answer WHERE seq > (SELECT coalesce(max(last_seq), 0) " \
	                        "FROM answer_run) AND caller = ?1 AND key = ?2 ORDER BY seq DESC") \
	X(RUN_ADD,       WRITE, "INSERT INTO answer_run (run, first_seq, last_seq, max_at_us, filter) " \
	                        "VALUES (?1, ?2, ?3, ?4, ?5)") \
	X(RUN_DROP,      WRITE, "DELETE FROM answer_run WHERE run = ?1")

/* Tables that get many rows at once: X(name, verb, table, columns, their names); see bulk.h. */
#define BULK_TABLE(X) \
	X(TRANSFER, "INSERT OR FAIL",   "transfer", 5, "number, from_account, to_account, amount, hold") \
	X(HOLD,     "INSERT OR FAIL",   "hold",     8, "number, from_account, to_account, amount, captured, " \
	                                               "expires_us, state, version") \
	X(ORDER,    "INSERT OR FAIL",   "order_",   6, "number, state, holds, expires_us, version, body") \
	X(EVENT,    "INSERT OR FAIL",   "event",    4, "number, topic, key, body") \
	X(JOB,      "INSERT OR FAIL",   "job",      6, "number, queue, state, attempt, run_at_us, body") \
	X(ANSWER,   "INSERT OR FAIL",   "answer",  11, "seq, caller, key, fingerprint, code, http, revision, " \
	                                               "etag, at_us, location, body") \
	X(KEY,      "INSERT OR IGNORE", "answer_key", 3, "run, hash, seq")
/* clang-format on */

#define BULK_ROWS 16u /* measured: 8 give most of it, 32 nothing more */

enum sql {
#define X(name, who, text) SQL_##name,
	SQL_TABLE(X)
#undef X
		SQL_STATEMENTS
};

enum bulk_table {
#define X(name, verb, table, columns, names) BULK_##name,
	BULK_TABLE(X)
#undef X
		BULK_TABLES
};

#endif /* PAWL_STORE_SQLITE_SQL_H */
