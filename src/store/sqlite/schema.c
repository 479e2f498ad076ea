/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/schema.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/sqlite/runs.h"

/* clang-format off */
static const char schema_1[] =
	"CREATE TABLE meta ("
	"  one INTEGER PRIMARY KEY CHECK (one = 1),"
	"  revision INTEGER NOT NULL CHECK (revision >= 0),"
	"  answers_seq INTEGER NOT NULL CHECK (answers_seq >= 0),"
	"  high_water_us INTEGER NOT NULL CHECK (high_water_us >= 0),"
	"  accounts INTEGER NOT NULL CHECK (accounts >= 0),"
	"  holds_live INTEGER NOT NULL CHECK (holds_live >= 0),"
	"  orders INTEGER NOT NULL CHECK (orders >= 0),"
	"  records INTEGER NOT NULL CHECK (records >= 0),"
	"  events INTEGER NOT NULL CHECK (events >= 0),"
	"  jobs INTEGER NOT NULL CHECK (jobs >= 0),"
	"  answers INTEGER NOT NULL CHECK (answers >= 0),"
	"  hash_seed BLOB NOT NULL CHECK (length(hash_seed) = 16),"
	"  created_us INTEGER NOT NULL"
	") STRICT;"

	/* An overflow makes a REAL in SQLite: typeof keeps the comparison exact. */
	"CREATE TABLE account ("
	"  number INTEGER PRIMARY KEY,"
	"  id TEXT NOT NULL UNIQUE CHECK (id <> ''),"
	"  unit TEXT NOT NULL CHECK (unit <> ''),"
	"  balance INTEGER NOT NULL,"
	"  held INTEGER NOT NULL CHECK (held >= 0),"
	"  floor INTEGER," /* NULL: none */
	"  version INTEGER NOT NULL CHECK (version > 0),"
	"  due_us INTEGER NOT NULL CHECK (due_us >= 0)," /* no live hold expires before; 0: none live */
	"  CHECK (floor IS NULL OR (typeof(balance - held) = 'integer' AND balance - held >= floor))"
	") STRICT;"
	"CREATE INDEX account_due ON account (due_us) WHERE due_us > 0;"

	"CREATE TABLE transfer ("
	"  number INTEGER PRIMARY KEY CHECK (number > 0),"
	"  from_account INTEGER NOT NULL CHECK (from_account > 0),"
	"  to_account INTEGER NOT NULL CHECK (to_account > 0),"
	"  amount INTEGER NOT NULL CHECK (amount > 0),"
	"  hold INTEGER CHECK (hold > 0)" /* that it captures; NULL: none */
	") STRICT;"

	/* state: 0 held, 1 captured, 2 released, 3 expired */
	"CREATE TABLE hold ("
	"  number INTEGER PRIMARY KEY CHECK (number > 0),"
	"  from_account INTEGER NOT NULL CHECK (from_account > 0),"
	"  to_account INTEGER NOT NULL CHECK (to_account > 0),"
	"  amount INTEGER NOT NULL CHECK (amount > 0),"
	"  captured INTEGER NOT NULL CHECK (captured BETWEEN 0 AND amount),"
	"  expires_us INTEGER NOT NULL CHECK (expires_us > 0),"
	"  state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 3),"
	"  version INTEGER NOT NULL CHECK (version > 0),"
	"  CHECK (state <> 0 OR captured < amount)"
	") STRICT;"
	"CREATE INDEX hold_live ON hold (from_account, expires_us) WHERE state = 0;"

	/* state: 0 held, 1 confirmed, 2 cancelled; its holds are number + 1 .. number + holds */
	"CREATE TABLE order_ ("
	"  number INTEGER PRIMARY KEY CHECK (number > 0),"
	"  state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 2),"
	"  holds INTEGER NOT NULL CHECK (holds >= 0),"
	"  expires_us INTEGER NOT NULL CHECK (expires_us >= 0)," /* 0: never */
	"  version INTEGER NOT NULL CHECK (version > 0),"
	"  body TEXT NOT NULL"
	") STRICT;"

	"CREATE TABLE record ("
	"  key TEXT PRIMARY KEY CHECK (key <> ''),"
	"  version INTEGER NOT NULL CHECK (version > 0),"
	"  value TEXT NOT NULL"
	") STRICT, WITHOUT ROWID;"

	"CREATE TABLE lease ("
	"  name TEXT PRIMARY KEY CHECK (name <> ''),"
	"  owner TEXT NOT NULL,"
	"  token INTEGER NOT NULL CHECK (token > 0),"
	"  deadline_us INTEGER NOT NULL"
	") STRICT, WITHOUT ROWID;"

	"CREATE TABLE event ("
	"  number INTEGER PRIMARY KEY CHECK (number > 0),"
	"  topic TEXT NOT NULL CHECK (topic <> ''),"
	"  key TEXT NOT NULL,"
	"  body TEXT NOT NULL"
	") STRICT;"

	"CREATE TABLE job ("
	"  number INTEGER PRIMARY KEY CHECK (number > 0),"
	"  queue TEXT NOT NULL CHECK (queue <> ''),"
	"  state INTEGER NOT NULL CHECK (state >= 0)," /* 0: waiting */
	"  attempt INTEGER NOT NULL CHECK (attempt >= 0),"
	"  run_at_us INTEGER NOT NULL,"
	"  body TEXT NOT NULL"
	") STRICT;"

	/* The runs of remembered answers; each has tables of its own, see runs.h. */
	"CREATE TABLE answer_run ("
	"  run INTEGER PRIMARY KEY CHECK (run > 0),"
	"  state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 2)," /* 0 open, 1 finished, 2 going */
	"  answers INTEGER NOT NULL CHECK (answers >= 0),"        /* of a finished one */
	"  max_at_us INTEGER NOT NULL,"                           /* of the youngest */
	"  filter BLOB NOT NULL,"
	"  CHECK ((state = 0) = (answers = 0))"
	") STRICT;";

/* The 13 digits of base/id, five bits each; the first has three. */
#define DIGIT(n, shift) "substr('0123456789abcdefghjkmnpqrstvwxyz',((" n ">>" #shift ")&31)+1,1)"
#define ID(n) \
	DIGIT(n, 60) "||" DIGIT(n, 55) "||" DIGIT(n, 50) "||" DIGIT(n, 45) "||" DIGIT(n, 40) "||" \
	DIGIT(n, 35) "||" DIGIT(n, 30) "||" DIGIT(n, 25) "||" DIGIT(n, 20) "||" DIGIT(n, 15) "||" \
	DIGIT(n, 10) "||" DIGIT(n, 5) "||" DIGIT(n, 0)

static const char schema_1_views[] =
	"CREATE VIEW accounts AS SELECT id, unit, balance, held,"
	"  CASE WHEN floor IS NULL THEN NULL ELSE balance - held - floor END AS available,"
	"  floor, version FROM account;"
	"CREATE VIEW items AS SELECT substr(s.id, 7) AS sku, s.balance - s.held AS available, s.held,"
	"  coalesce(t.balance, 0) AS sold, s.version FROM account s"
	"  LEFT JOIN account t ON t.id = 'sold:' || substr(s.id, 7)"
	"  WHERE s.id >= 'stock:' AND s.id < 'stock;';"
	"CREATE VIEW transfers AS SELECT " ID("t.number") " AS id, a.id AS from_id, b.id AS to_id,"
	"  t.amount, a.unit, CASE WHEN t.hold IS NULL THEN NULL ELSE " ID("t.hold") " END AS hold,"
	"  t.number >> 10 AS revision FROM transfer t"
	"  JOIN account a ON a.number = t.from_account JOIN account b ON b.number = t.to_account;"
	"CREATE VIEW holds AS SELECT " ID("h.number") " AS id,"
	"  CASE h.state WHEN 0 THEN 'held' WHEN 1 THEN 'captured' WHEN 2 THEN 'released'"
	"  ELSE 'expired' END AS state, a.id AS from_id, b.id AS to_id, h.amount, h.captured,"
	"  " SQL_TIME("h.expires_us") " AS expires_at, h.version FROM hold h"
	"  JOIN account a ON a.number = h.from_account JOIN account b ON b.number = h.to_account;"
	"CREATE VIEW orders AS SELECT " ID("number") " AS id,"
	"  CASE state WHEN 0 THEN 'held' WHEN 1 THEN 'confirmed' ELSE 'cancelled' END AS state,"
	"  CASE WHEN expires_us > 0 THEN " SQL_TIME("expires_us") " END AS expires_at, body, version"
	"  FROM order_;"
	"CREATE VIEW events AS SELECT " ID("number") " AS id, topic, key, body,"
	"  number >> 10 AS revision FROM event;";
/* clang-format on */

/* steps[v] lifts a file from version v to v + 1. A published step is never changed. */
static const char *const steps[][2] = {
	{ schema_1, schema_1_views },
};
static_assert(ARRAY_LEN(steps) == SCHEMA_VERSION, "one step a version");

static enum pawl_status pragma_get(struct conn *c, const char *pragma, int64_t *ret,
                                   struct pawl_error *err)
{
	sqlite3_stmt *q;
	int rc = sqlite3_prepare_v2(c->db, pragma, -1, &q, NULL);

	if (rc != SQLITE_OK)
		return pawl__conn_fail(c, rc, err);
	rc = sqlite3_step(q);
	*ret = sqlite3_column_int64(q, 0); /* without a row: 0 */
	(void)sqlite3_finalize(q);
	return rc == SQLITE_ROW ? PAWL_OK : pawl__conn_fail(c, rc, err);
}

static enum pawl_status version_get(struct conn *c, int64_t *ret, struct pawl_error *err)
{
	int64_t app = 0, tables = 0, version = 0;
	enum pawl_status st = pragma_get(c, "PRAGMA application_id", &app, err);

	if (st == PAWL_OK)
		st = pragma_get(c, "PRAGMA user_version", &version, err);
	if (st == PAWL_OK)
		st = pragma_get(c, "SELECT count(*) FROM sqlite_schema", &tables, err);
	if (st != PAWL_OK)
		return st;
	if (app != SCHEMA_APPLICATION_ID && (app != 0 || version != 0 || tables != 0))
		return pawl__error_set(err, PAWL_E_CONFIG,
		                       "the file is a database of another program");
	if (version > SCHEMA_VERSION)
		return pawl__error_set(err, PAWL_E_SCHEMA,
		                       "the store has schema version %lld, this program knows %d",
		                       (long long)version, SCHEMA_VERSION);
	*ret = version;
	return PAWL_OK;
}

/* The row that a new store starts with. The seed is the file's own, so that who does not have the
 * file cannot choose keys that collide. */
static enum pawl_status meta_create(struct conn *c, struct pawl_error *err)
{
	char sql[256];

	(void)snprintf(sql, sizeof(sql),
	               "INSERT INTO meta VALUES (1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,"
	               " randomblob(16), %lld)",
	               (long long)pawl__clock_real_us());
	return pawl__conn_exec(c, sql, err);
}

static enum pawl_status version_step(struct conn *c, int64_t version, struct pawl_error *err)
{
	enum pawl_status st = PAWL_OK;
	char sql[128];

	for (size_t i = 0; i < ARRAY_LEN(steps[version]) && st == PAWL_OK; i++)
		st = pawl__conn_exec(c, steps[version][i], err);
	if (st == PAWL_OK && version == 0)
		st = meta_create(c, err);
	if (st == PAWL_OK && version == 0)
		st = pawl__run_create(c, 1, err);
	(void)snprintf(sql, sizeof(sql), "PRAGMA application_id = %d; PRAGMA user_version = %lld;",
	               SCHEMA_APPLICATION_ID, (long long)version + 1);
	return st == PAWL_OK ? pawl__conn_exec(c, sql, err) : st;
}

enum pawl_status pawl__schema_upgrade(struct conn *c, struct pawl_error *err)
{
	enum pawl_status st;
	int64_t version = 0;
	char sql[96];

	st = version_get(c, &version, err);
	if (st != PAWL_OK)
		return st;
	/* The page size takes effect on an empty file only; WAL is kept in the file. */
	(void)snprintf(sql, sizeof(sql), "PRAGMA page_size = %d; PRAGMA journal_mode = WAL;",
	               SCHEMA_PAGE_SIZE);
	st = pawl__conn_exec(c, sql, err);
	if (st != PAWL_OK || version == SCHEMA_VERSION)
		return st;
	st = pawl__conn_exec(c, "BEGIN IMMEDIATE", err);
	for (; version < SCHEMA_VERSION && st == PAWL_OK; version++)
		st = version_step(c, version, err);
	if (st == PAWL_OK)
		return pawl__conn_exec(c, "COMMIT", err);
	(void)sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
	return st;
}

enum pawl_status pawl__schema_check(struct conn *c, struct pawl_error *err)
{
	int64_t version = 0;
	enum pawl_status st = version_get(c, &version, err);

	if (st == PAWL_OK && version < SCHEMA_VERSION)
		return pawl__error_set(err, PAWL_E_SCHEMA,
		                       "the store has schema version %lld; open it for writing once"
		                       " to bring it to %d",
		                       (long long)version, SCHEMA_VERSION);
	return st;
}
