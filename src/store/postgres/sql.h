/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postgres/sql - every statement that runs more than once, in one table: X(name, text).
 *
 * All names are qualified and no statement leaves anything in the session, so each may run on
 * another server connection of a pooler than the one before. Parameters and results are binary.
 * Row locks are taken in one order by everybody: own lane, orders, accounts, records, leases, gaps;
 * each by its key. The engine's promise (3) of store/store.h rests on that order.
 */
#ifndef PAWL_STORE_POSTGRES_SQL_H
#define PAWL_STORE_POSTGRES_SQL_H

/* clang-format off */

/* Microseconds of the server's clock. */
#define PG_NOW "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"

/* What is inserted is taken apart by unnest in the list of columns: half the cost of a FROM, which
 * first puts each array into a store of its own. All arrays are of one length. */

/* Where the events of a transaction that holds its locks stand, among those of all: behind every
 * transaction that it waited for, and not before the horizon has passed itself. Its own number alone
 * would not do: that may be older than the number of one it waited for. */
#define PG_XACT \
	"greatest(pg_current_xact_id()::text::bigint," \
	" pg_snapshot_xmax(pg_current_snapshot())::text::bigint - 1)"

/* A statement that changes exactly $n rows, or fails with 22012 before anything is committed. */
#define PG_EXACTLY(n, change) \
	"WITH changed AS (" change " RETURNING 1) SELECT 1 / (count(*) = " n ")::integer FROM changed"

/* Settings that end with the transaction. A plan may be kept from when a table was empty, and all of
 * our statements look rows up by keys: so none is to read a table through. */
#define PG_PLANS \
	"set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true)," \
	" set_config('plan_cache_mode', 'force_generic_plan', true)"
/* How long a lock is waited for; and how long a writer that has stopped in the middle of a batch is. */
#define PG_TIMEOUTS(lock, idle) \
	"set_config('lock_timeout', '" lock "', true)," \
	" set_config('idle_in_transaction_session_timeout', '" idle "', true)"

#define PG_ACCOUNT "a.id, a.number, a.unit, a.balance, a.held, a.floor, a.version, a.due_us"
#define PG_HOLD \
	"h.number, a.id, b.id, h.from_account, h.to_account, h.amount, h.captured, h.expires_us," \
	" h.state, h.version"
#define PG_ORDER  "number, state, holds, expires_us, version, body"
#define PG_ANSWER "hash, part, caller, key, fingerprint, code, http, revision, etag, at_us, location, body"

/* Numbers of the holds that are named, $1, and of those of the orders that are, $2. */
#define PG_HOLDS_NAMED \
	"SELECT unnest($1::bigint[]) UNION SELECT o.number + g FROM pawl.order_ o," \
	" generate_series(1, o.holds) g WHERE o.number = ANY($2::bigint[])"

/* For one test alone, check_pawl.py: a program that forgets a lock, as `pawl check` must notice. */
#ifdef PAWL_PLANT_UNLOCKED
#define PG_FOR_RECORDS ""
#else
#define PG_FOR_RECORDS " FOR UPDATE"
#endif

#define PG_SQL_TABLE(X) \
	X(BEGIN,          "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE") \
	X(COMMIT,         "COMMIT") \
	X(ROLLBACK,       "ROLLBACK") \
	X(SNAPSHOT,       "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") \
	X(HELLO,          "SELECT pg_backend_pid()::bigint, " PG_NOW ", current_setting('fsync')," \
	                  " current_setting('full_page_writes'), current_setting('synchronous_commit')," \
	                  " getdatabaseencoding(), current_setting('server_version_num')::bigint") \
	/* the start of a transaction, and its end */ \
	X(LANE_LOCK,      "SELECT revision, answers, " PG_TIMEOUTS("5s", "10s") ", " PG_PLANS \
	                  " FROM pawl.lane WHERE id = $1::bigint AND owner = $2::bigint FOR UPDATE") \
	X(DRAW,           "SELECT nextval('pawl.revision'), (SELECT max(high_water_us) FROM pawl.lane), " \
	                  PG_NOW ", (SELECT max(part) FROM pawl.answer_part), " PG_XACT) \
	X(LANE_SET,       PG_EXACTLY("1", "UPDATE pawl.lane SET revision = greatest(revision, $2::bigint)," \
	                  " answers = $3::bigint, high_water_us = greatest(high_water_us, $4::bigint)," \
	                  " accounts = accounts + $5::bigint, holds_live = holds_live + $6::bigint," \
	                  " orders = orders + $7::bigint, records = records + $8::bigint," \
	                  " events = events + $9::bigint, jobs = jobs + $10::bigint, seen = clock_timestamp()" \
	                  " WHERE id = $1::bigint")) \
	X(LANE_ASK,       "SELECT revision, answers, " PG_TIMEOUTS("10s", "10s") \
	                  " FROM pawl.lane WHERE id = $1::bigint AND owner = $2::bigint FOR UPDATE") \
	/* rows under locks */ \
	X(ORDERS_LOCK,    "SELECT " PG_ORDER " FROM pawl.order_ WHERE number = ANY($1::bigint[])" \
	                  " ORDER BY number FOR NO KEY UPDATE") \
	X(ACCOUNTS_LOCK,  "SELECT " PG_ACCOUNT " FROM pawl.account a WHERE a.id = ANY($1::text[])" \
	                  " ORDER BY a.id FOR NO KEY UPDATE") \
	X(HANGING_LOCK,   "SELECT " PG_ACCOUNT " FROM pawl.account a WHERE a.number = ANY(ARRAY(" \
	                  "SELECT unnest(ARRAY[h.from_account, h.to_account]) FROM pawl.hold h" \
	                  " WHERE h.number = ANY(ARRAY(" PG_HOLDS_NAMED "))" \
	                  " UNION SELECT n.number FROM pawl.account n WHERE n.id = ANY($3::text[])))" \
	                  " ORDER BY a.id FOR NO KEY UPDATE") \
	X(RECORDS_LOCK,   "SELECT key, version, value FROM pawl.record WHERE key = ANY($1::text[])" \
	                  " ORDER BY key" PG_FOR_RECORDS) \
	X(LEASES_LOCK,    "SELECT name, owner, token, deadline_us FROM pawl.lease" \
	                  " WHERE name = ANY($1::text[]) ORDER BY name FOR UPDATE") \
	X(HOLDS_GET,      "SELECT " PG_HOLD " FROM pawl.hold h" \
	                  " JOIN pawl.account a ON a.number = h.from_account" \
	                  " JOIN pawl.account b ON b.number = h.to_account" \
	                  " WHERE h.number = ANY(ARRAY(" PG_HOLDS_NAMED "))") \
	X(ANSWERS_GET,    "SELECT " PG_ANSWER " FROM pawl.answer WHERE hash = ANY($1::uuid[])") \
	X(GAPS_LOCK,      "SELECT slot FROM pawl.gap WHERE slot = ANY($1::integer[])" \
	                  " ORDER BY slot FOR UPDATE") \
	X(GAPS_LOOK,      "SELECT (SELECT count(*) FROM pawl.account WHERE id = ANY($1::text[]))" \
	                  " + (SELECT count(*) FROM pawl.record WHERE key = ANY($2::text[]))" \
	                  " + (SELECT count(*) FROM pawl.lease WHERE name = ANY($3::text[]))") \
	X(HOLDS_EXPIRE,   "WITH gone AS (UPDATE pawl.hold SET state = 3, version = $3::bigint" \
	                  " WHERE from_account = $1::bigint AND state = 0 AND expires_us <= $2::bigint" \
	                  " RETURNING amount - captured AS freed)" \
	                  " SELECT count(*), least(coalesce(sum(freed), 0), 9223372036854775807)::bigint," \
	                  " (SELECT coalesce(min(expires_us), 0) FROM pawl.hold" \
	                  "   WHERE from_account = $1::bigint AND state = 0 AND expires_us > $2::bigint)" \
	                  " FROM gone") \
	/* what is written */ \
	X(ACCOUNT_ADD,    "INSERT INTO pawl.account (number, id, unit, balance, held, floor, version," \
	                  " due_us) SELECT unnest($1::bigint[]), unnest($2::text[]), unnest($3::text[])," \
	                  " unnest($4::bigint[]), unnest($5::bigint[]), unnest($6::bigint[])," \
	                  " unnest($7::bigint[]), unnest($8::bigint[])") \
	X(ACCOUNT_SET,    PG_EXACTLY("$7::bigint", "UPDATE pawl.account a SET balance = u.balance," \
	                  " held = u.held, floor = u.floor, version = u.version, due_us = u.due_us" \
	                  " FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]," \
	                  " $5::bigint[], $6::bigint[]) AS u (number, balance, held, floor, version, due_us)" \
	                  " WHERE a.number = u.number")) \
	X(TRANSFER_ADD,   "INSERT INTO pawl.transfer (number, from_account, to_account, amount, hold)" \
	                  " SELECT unnest($1::bigint[]), unnest($2::bigint[]), unnest($3::bigint[])," \
	                  " unnest($4::bigint[]), unnest($5::bigint[])") \
	X(HOLD_ADD,       "INSERT INTO pawl.hold (number, from_account, to_account, amount, captured," \
	                  " expires_us, state, version) SELECT unnest($1::bigint[])," \
	                  " unnest($2::bigint[]), unnest($3::bigint[]), unnest($4::bigint[])," \
	                  " unnest($5::bigint[]), unnest($6::bigint[]), unnest($7::integer[])," \
	                  " unnest($8::bigint[])") \
	X(HOLD_SET,       PG_EXACTLY("$5::bigint", "UPDATE pawl.hold h SET captured = u.captured," \
	                  " state = u.state, version = u.version FROM unnest($1::bigint[], $2::bigint[]," \
	                  " $3::integer[], $4::bigint[]) AS u (number, captured, state, version)" \
	                  " WHERE h.number = u.number AND h.state = 0")) \
	X(ORDER_ADD,      "INSERT INTO pawl.order_ (number, state, holds, expires_us, version, body)" \
	                  " SELECT unnest($1::bigint[]), unnest($2::integer[]), unnest($3::integer[])," \
	                  " unnest($4::bigint[]), unnest($5::bigint[]), unnest($6::text[])") \
	X(ORDER_SET,      PG_EXACTLY("$4::bigint", "UPDATE pawl.order_ o SET state = u.state," \
	                  " version = u.version FROM unnest($1::bigint[], $2::integer[], $3::bigint[])" \
	                  " AS u (number, state, version) WHERE o.number = u.number")) \
	X(RECORD_ADD,     "INSERT INTO pawl.record (key, version, value) SELECT unnest($1::text[])," \
	                  " unnest($2::bigint[]), unnest($3::text[])") \
	X(RECORD_SET,     PG_EXACTLY("$4::bigint", "UPDATE pawl.record r SET version = u.version," \
	                  " value = u.value FROM unnest($1::text[], $2::bigint[], $3::text[])" \
	                  " AS u (key, version, value) WHERE r.key = u.key")) \
	X(RECORD_DELETE,  PG_EXACTLY("$2::bigint", "DELETE FROM pawl.record WHERE key = ANY($1::text[])")) \
	X(LEASE_ADD,      "INSERT INTO pawl.lease (name, owner, token, deadline_us) SELECT" \
	                  " unnest($1::text[]), unnest($2::text[]), unnest($3::bigint[])," \
	                  " unnest($4::bigint[])") \
	X(LEASE_SET,      PG_EXACTLY("$5::bigint", "UPDATE pawl.lease l SET owner = u.owner," \
	                  " token = u.token, deadline_us = u.deadline_us FROM unnest($1::text[], $2::text[]," \
	                  " $3::bigint[], $4::bigint[]) AS u (name, owner, token, deadline_us)" \
	                  " WHERE l.name = u.name")) \
	X(EVENT_ADD,      "INSERT INTO pawl.event (number, topic, key, body, xact) SELECT unnest($1::bigint[])," \
	                  " unnest($2::text[]), unnest($3::text[]), unnest($4::text[]), $5::bigint") \
	X(JOB_ADD,        "INSERT INTO pawl.job (number, queue, state, attempt, run_at_us, body)" \
	                  " SELECT unnest($1::bigint[]), unnest($2::text[]), 0, 0, unnest($3::bigint[])," \
	                  " unnest($4::text[])") \
	X(ANSWER_STALE,   "DELETE FROM pawl.answer WHERE part = $2::bigint AND hash = ANY($1::uuid[])") \
	X(ANSWER_ADD,     "INSERT INTO pawl.answer (part, hash, caller, key, fingerprint, code, http," \
	                  " revision, etag, at_us, location, body) SELECT $1::bigint, unnest($2::uuid[])," \
	                  " unnest($3::text[]), unnest($4::text[]), unnest($5::bytea[])," \
	                  " unnest($6::integer[]), unnest($7::integer[]), unnest($8::bigint[])," \
	                  " unnest($9::bigint[]), unnest($10::bigint[]), unnest($11::text[])," \
	                  " unnest($12::text[])") \
	X(READ_META,      "SELECT max(revision), max(high_water_us), " PG_NOW ", " PG_PLANS " FROM pawl.lane") \
	X(READ_ORDERS,    "SELECT " PG_ORDER " FROM pawl.order_ WHERE number = ANY($1::bigint[])") \
	X(READ_ACCOUNTS,  "SELECT " PG_ACCOUNT ", least(d.freed, 9223372036854775807)::bigint, d.next" \
	                  " FROM pawl.account a LEFT JOIN LATERAL (" \
	                  "SELECT coalesce(sum(h.amount - h.captured) FILTER (WHERE h.expires_us <= t.now_us), 0)" \
	                  " AS freed, coalesce(min(h.expires_us) FILTER (WHERE h.expires_us > t.now_us), 0) AS next" \
	                  " FROM pawl.hold h, (SELECT greatest($2::bigint, max(high_water_us)) AS now_us FROM" \
	                  " pawl.lane) t WHERE h.from_account = a.number AND h.state = 0) d ON a.due_us > 0" \
	                  " WHERE a.id = ANY($1::text[])") \
	X(READ_RECORDS,   "SELECT key, version, value FROM pawl.record WHERE key = ANY($1::text[])") \
	X(READ_LEASES,    "SELECT name, owner, token, deadline_us FROM pawl.lease WHERE name = ANY($1::text[])") \
	X(READ_DUE,       "SELECT id FROM pawl.account WHERE due_us > 0 AND due_us <= $1::bigint" \
	                  " ORDER BY due_us LIMIT $2::bigint") \
	X(READ_STATS,     "SELECT max(revision), sum(accounts)::bigint, sum(holds_live)::bigint," \
	                  " sum(orders)::bigint, sum(records)::bigint, sum(events)::bigint, sum(jobs)::bigint," \
	                  " (SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class" \
	                  "   WHERE relnamespace = 'pawl'::regnamespace AND relkind IN ('r', 'S'))," \
	                  " current_setting('server_version'), current_setting('synchronous_commit')," \
	                  " current_setting('fsync'), current_setting('synchronous_standby_names')" \
	                  " FROM pawl.lane")
/* clang-format on */

enum pg_sql {
#define X(name, text) PG_##name,
	PG_SQL_TABLE(X)
#undef X
		PG_STATEMENTS
};

#endif /* PAWL_STORE_POSTGRES_SQL_H */
