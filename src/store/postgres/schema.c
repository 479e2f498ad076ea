/* SPDX-License-Identifier: Apache-2.0 */
#include "store/postgres/schema.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/error.h"

/* "pawl" and a version of this lock's meaning. */
#define SCHEMA_LOCK "8098991089090658305"

/* clang-format off */
/*
 * Rows that are appended have no foreign keys: the check of one costs a look-up by a trigger for
 * each row, which is more than the insert. The audit finds what they would have refused.
 * fillfactor leaves room in the page for the next version of a row that is changed often, so that
 * no index has to be touched (HOT); account_due and hold_live are partial for the same reason.
 */
static const char *const schema_1[] = {
	"CREATE SCHEMA IF NOT EXISTS pawl",

	"CREATE TABLE pawl.meta ("
	"  one integer PRIMARY KEY CHECK (one = 1),"
	"  version integer NOT NULL CHECK (version > 0),"
	"  hash_key uuid NOT NULL," /* of answer.hash */
	"  created timestamptz NOT NULL)",
	"INSERT INTO pawl.meta VALUES (1, 1, gen_random_uuid(), clock_timestamp())",

	/* Numbers the blocks of revisions. */
	"CREATE SEQUENCE pawl.revision AS bigint MINVALUE 1 MAXVALUE 2199023255551",

	/* One row a writer, which only it updates: how far it has come, and what it has added to each
	 * count. Row 0 has what was in those that are gone. */
	"CREATE TABLE pawl.lane ("
	"  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
	"  owner bigint NOT NULL," /* random: a row is its maker's alone */
	"  revision bigint NOT NULL DEFAULT 0 CHECK (revision >= 0),"
	"  answers bigint NOT NULL DEFAULT 0 CHECK (answers >= 0),"
	"  high_water_us bigint NOT NULL DEFAULT 0 CHECK (high_water_us >= 0),"
	"  accounts bigint NOT NULL DEFAULT 0,"
	"  holds_live bigint NOT NULL DEFAULT 0,"
	"  orders bigint NOT NULL DEFAULT 0,"
	"  records bigint NOT NULL DEFAULT 0,"
	"  events bigint NOT NULL DEFAULT 0,"
	"  jobs bigint NOT NULL DEFAULT 0,"
	"  seen timestamptz NOT NULL DEFAULT clock_timestamp()"
	") WITH (fillfactor = 30)",
	"INSERT INTO pawl.lane (id, owner) OVERRIDING SYSTEM VALUE VALUES (0, 0)",

	/* A key that no row has is locked by locking the row of its slot. */
	"CREATE TABLE pawl.gap (slot integer PRIMARY KEY)",
	"INSERT INTO pawl.gap SELECT generate_series(0, 16383)",

	"CREATE TABLE pawl.account ("
	"  number bigint PRIMARY KEY CHECK (number > 0),"
	"  id text COLLATE \"C\" NOT NULL UNIQUE CHECK (id <> ''),"
	"  unit text COLLATE \"C\" NOT NULL CHECK (unit <> ''),"
	"  balance bigint NOT NULL,"
	"  held bigint NOT NULL CHECK (held >= 0),"
	"  floor bigint," /* NULL: none */
	"  version bigint NOT NULL CHECK (version > 0),"
	"  due_us bigint NOT NULL CHECK (due_us >= 0)," /* no live hold expires before; 0: none live */
	"  CONSTRAINT account_floor CHECK (balance - held >= coalesce(floor, balance - held))"
	") WITH (fillfactor = 50)",
	"CREATE INDEX account_due ON pawl.account (due_us) WHERE due_us > 0",

	"CREATE TABLE pawl.transfer ("
	"  number bigint PRIMARY KEY CHECK (number > 0),"
	"  from_account bigint NOT NULL CHECK (from_account > 0),"
	"  to_account bigint NOT NULL CHECK (to_account > 0),"
	"  amount bigint NOT NULL CHECK (amount > 0),"
	"  hold bigint CHECK (hold > 0))", /* that it captures; NULL: none */

	/* state: 0 held, 1 captured, 2 released, 3 expired */
	"CREATE TABLE pawl.hold ("
	"  number bigint PRIMARY KEY CHECK (number > 0),"
	"  from_account bigint NOT NULL CHECK (from_account > 0),"
	"  to_account bigint NOT NULL CHECK (to_account > 0),"
	"  amount bigint NOT NULL CHECK (amount > 0),"
	"  captured bigint NOT NULL CHECK (captured BETWEEN 0 AND amount),"
	"  expires_us bigint NOT NULL CHECK (expires_us > 0),"
	"  state integer NOT NULL CHECK (state BETWEEN 0 AND 3),"
	"  version bigint NOT NULL CHECK (version > 0),"
	"  CONSTRAINT hold_live CHECK (state <> 0 OR captured < amount)"
	") WITH (fillfactor = 90)",
	"CREATE INDEX hold_live ON pawl.hold (from_account, expires_us) WHERE state = 0",

	/* state: 0 held, 1 confirmed, 2 cancelled; its holds are number + 1 .. number + holds */
	"CREATE TABLE pawl.order_ ("
	"  number bigint PRIMARY KEY CHECK (number > 0),"
	"  state integer NOT NULL CHECK (state BETWEEN 0 AND 2),"
	"  holds integer NOT NULL CHECK (holds >= 0),"
	"  expires_us bigint NOT NULL CHECK (expires_us >= 0)," /* 0: never */
	"  version bigint NOT NULL CHECK (version > 0),"
	"  body text NOT NULL)",

	"CREATE TABLE pawl.record ("
	"  key text COLLATE \"C\" PRIMARY KEY CHECK (key <> ''),"
	"  version bigint NOT NULL CHECK (version > 0),"
	"  value text NOT NULL"
	") WITH (fillfactor = 80)",

	"CREATE TABLE pawl.lease ("
	"  name text COLLATE \"C\" PRIMARY KEY CHECK (name <> ''),"
	"  owner text NOT NULL,"
	"  token bigint NOT NULL CHECK (token > 0),"
	"  deadline_us bigint NOT NULL"
	") WITH (fillfactor = 80)",

	/* In order of xact, then number: see the view, and PG_XACT. */
	"CREATE TABLE pawl.event ("
	"  xact bigint NOT NULL CHECK (xact > 0),"
	"  number bigint NOT NULL CHECK (number > 0),"
	"  topic text NOT NULL CHECK (topic <> ''),"
	"  key text NOT NULL,"
	"  body text NOT NULL,"
	"  PRIMARY KEY (xact, number))",

	"CREATE TABLE pawl.job ("
	"  number bigint PRIMARY KEY CHECK (number > 0),"
	"  queue text NOT NULL CHECK (queue <> ''),"
	"  state integer NOT NULL CHECK (state >= 0)," /* 0: waiting */
	"  attempt integer NOT NULL CHECK (attempt >= 0),"
	"  run_at_us bigint NOT NULL,"
	"  body text NOT NULL)",

	/* Remembered answers, cut by time so that they go by DROP. A key is answered once in a part,
	 * and a part ends when nobody is writing (upkeep.c). */
	"CREATE TABLE pawl.answer_part ("
	"  part bigint PRIMARY KEY CHECK (part > 0),"
	"  begun_us bigint NOT NULL CHECK (begun_us >= 0),"
	"  ended_us bigint CHECK (ended_us >= begun_us))", /* NULL: the latest */
	"CREATE TABLE pawl.answer ("
	"  part bigint NOT NULL,"
	"  hash uuid NOT NULL," /* of caller and key */
	"  caller text NOT NULL,"
	"  key text NOT NULL CHECK (key <> ''),"
	"  fingerprint bytea NOT NULL CHECK (octet_length(fingerprint) = 32),"
	"  code integer NOT NULL,"
	"  http integer NOT NULL,"
	"  revision bigint NOT NULL CHECK (revision >= 0),"
	"  etag bigint NOT NULL CHECK (etag >= 0),"
	"  at_us bigint NOT NULL,"
	"  location text NOT NULL,"
	"  body text NOT NULL,"
	"  PRIMARY KEY (hash, part)"
	") PARTITION BY LIST (part)",
	"CREATE TABLE pawl.answer_1 PARTITION OF pawl.answer FOR VALUES IN (1)",
	"INSERT INTO pawl.answer_part VALUES (1, 0, NULL)",
};

static const char *const schema_1_views[] = {
	/* The 13 digits of an id, and back. */
	"CREATE FUNCTION pawl.id(n bigint) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE"
	" RETURN (SELECT string_agg(substr('0123456789abcdefghjkmnpqrstvwxyz',"
	"  ((n >> (60 - 5 * g)) & 31)::integer + 1, 1), '' ORDER BY g) FROM generate_series(0, 12) g)",
	"CREATE FUNCTION pawl.number(id text) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE"
	" RETURN (SELECT sum((strpos('0123456789abcdefghjkmnpqrstvwxyz', substr(id, g + 1, 1)) - 1)::bigint"
	"  << (60 - 5 * g))::bigint FROM generate_series(0, 12) g)",
	"CREATE FUNCTION pawl.time(us bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE STRICT"
	" PARALLEL SAFE RETURN timestamptz 'epoch' + us * interval '1 microsecond'",

	"CREATE VIEW pawl.accounts AS SELECT id, unit, balance, held,"
	" balance::numeric - held - floor AS available, floor, version FROM pawl.account",
	"CREATE VIEW pawl.items AS SELECT substr(s.id, 7) AS sku, s.balance - s.held AS available, s.held,"
	" coalesce(t.balance, 0) AS sold, s.version FROM pawl.account s"
	" LEFT JOIN pawl.account t ON t.id = 'sold:' || substr(s.id, 7)"
	" WHERE s.id >= 'stock:' AND s.id < 'stock;'",
	"CREATE VIEW pawl.transfers AS SELECT pawl.id(t.number) AS id, a.id AS from_id, b.id AS to_id,"
	" t.amount, a.unit, pawl.id(t.hold) AS hold, t.number >> 10 AS revision FROM pawl.transfer t"
	" JOIN pawl.account a ON a.number = t.from_account"
	" JOIN pawl.account b ON b.number = t.to_account",
	"CREATE VIEW pawl.holds AS SELECT pawl.id(h.number) AS id,"
	" (ARRAY['held', 'captured', 'released', 'expired'])[h.state + 1] AS state, a.id AS from_id,"
	" b.id AS to_id, h.amount, h.captured, pawl.time(h.expires_us) AS expires_at, h.version"
	" FROM pawl.hold h JOIN pawl.account a ON a.number = h.from_account"
	" JOIN pawl.account b ON b.number = h.to_account",
	"CREATE VIEW pawl.orders AS SELECT pawl.id(number) AS id,"
	" (ARRAY['held', 'confirmed', 'cancelled'])[state + 1] AS state,"
	" pawl.time(nullif(expires_us, 0)) AS expires_at, body, version FROM pawl.order_",
	/* Those that no transaction which still runs may precede. */
	"CREATE VIEW pawl.events AS SELECT pawl.id(number) AS id, topic, key, body,"
	" number >> 10 AS revision, xact, number FROM pawl.event"
	" WHERE xact < pg_snapshot_xmin(pg_current_snapshot())::text::bigint",

	/* What moves an amount by plain SQL as pawl does it: locks in its order, a revision drawn
	 * under the locks, an entry in the log. */
	"CREATE FUNCTION pawl.transfer(from_id text, to_id text, amount bigint) RETURNS text"
	" LANGUAGE plpgsql AS $$"
	"DECLARE a pawl.account; b pawl.account; r bigint; c CURSOR FOR"
	" SELECT * FROM pawl.account n WHERE n.id IN (from_id, to_id) ORDER BY n.id FOR NO KEY UPDATE;"
	"BEGIN"
	" FOR row IN c LOOP"
	"  IF row.id = from_id THEN a := row; ELSE b := row; END IF;"
	" END LOOP;"
	" IF a.number IS NULL OR b.number IS NULL THEN"
	"  RAISE EXCEPTION 'no such account' USING ERRCODE = 'no_data_found';"
	" END IF;"
	" IF a.unit <> b.unit OR amount IS NULL OR amount <= 0 THEN"
	"  RAISE EXCEPTION 'accounts of two units, or an amount below 1' USING ERRCODE = 'check_violation';"
	" END IF;"
	" r := (nextval('pawl.revision') << 12) + 1;"
	" UPDATE pawl.account SET balance = balance - amount, version = r WHERE number = a.number;"
	" UPDATE pawl.account SET balance = balance + amount, version = r WHERE number = b.number;"
	" INSERT INTO pawl.transfer VALUES (r << 10, a.number, b.number, amount, NULL);"
	" UPDATE pawl.lane SET revision = greatest(revision, r), seen = clock_timestamp() WHERE id = 0;"
	" RETURN pawl.id(r << 10);"
	"END $$",
};
/* clang-format on */

static_assert(PG_BLOCK_BITS == 12 && PG_GAPS == 16384, "as in the schema's text");

struct step {
	const char *const *at;
	size_t len;
};

/* steps[v] lifts a database from version v to v + 1. A published step is never changed. */
static const struct step steps[][2] = {
	{ { schema_1, ARRAY_LEN(schema_1) }, { schema_1_views, ARRAY_LEN(schema_1_views) } },
};
static_assert(ARRAY_LEN(steps) == PG_SCHEMA_VERSION, "one step a version");

static enum pawl_status run(struct pg_conn *c, const char *text, struct pawl_error *err)
{
	(void)pawl__pg_send_plain(c, text);
	return pawl__pg_collect(c, PG_WAIT_US, err);
}

/* 0: there is none. */
static enum pawl_status version_get(struct pg_conn *c, int64_t *ret,
                                    unsigned char ret_hash_key[PG_HASH_KEY_LEN],
                                    struct pawl_error *err)
{
	enum pawl_status st;

	*ret = 0;
	/* Not to_regclass: it may remember what was before the lock was waited for. */
	st = run(c,
	         "SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
	         " WHERE n.nspname = 'pawl' AND c.relname = 'meta'",
	         err);
	if (st != PAWL_OK || PQntuples(pg_res(c, 0)) == 0)
		return st;
	st = run(c, "SELECT version::bigint, hash_key FROM pawl.meta", err);
	if (st != PAWL_OK)
		return st;
	if (PQntuples(pg_res(c, 0)) != 1 || PQgetlength(pg_res(c, 0), 0, 1) != PG_HASH_KEY_LEN)
		return pawl__error_set(err, PAWL_E_SCHEMA,
		                       "the schema \"pawl\" is another program's");
	*ret = pg_i64(pg_res(c, 0), 0, 0);
	memcpy(ret_hash_key, PQgetvalue(pg_res(c, 0), 0, 1), PG_HASH_KEY_LEN);
	if (*ret > PG_SCHEMA_VERSION)
		return pawl__error_set(err, PAWL_E_SCHEMA,
		                       "the store has schema version %lld, this program knows %d",
		                       (long long)*ret, PG_SCHEMA_VERSION);
	return PAWL_OK;
}

static enum pawl_status version_step(struct pg_conn *c, int64_t version, struct pawl_error *err)
{
	enum pawl_status st = PAWL_OK;
	char sql[64];

	for (size_t part = 0; part < ARRAY_LEN(steps[version]) && st == PAWL_OK; part++) {
		for (size_t i = 0; i < steps[version][part].len; i++)
			(void)pawl__pg_send_plain(c, steps[version][part].at[i]);
		st = pawl__pg_collect(c, PG_WAIT_LONG_US, err);
	}
	(void)snprintf(sql, sizeof(sql), "UPDATE pawl.meta SET version = %lld",
	               (long long)version + 1);
	return st == PAWL_OK ? run(c, sql, err) : st;
}

/* Under the lock. */
static enum pawl_status upgrade(struct pg_conn *c, unsigned char ret_hash_key[PG_HASH_KEY_LEN],
                                struct pawl_error *err)
{
	int64_t version;
	enum pawl_status st = version_get(c, &version, ret_hash_key, err);

	for (; version < PG_SCHEMA_VERSION && st == PAWL_OK; version++)
		st = version_step(c, version, err);
	return st == PAWL_OK ? version_get(c, &version, ret_hash_key, err) : st;
}

/* Numbers of transactions are a cluster's own. After a restore into another, rows that claim a
 * number which has not come yet would stay hidden until it has. */
static enum pawl_status events_adopt(struct pg_conn *c, struct pawl_error *err)
{
	return run(c,
	           "UPDATE pawl.event SET xact = 3"
	           " WHERE xact > pg_current_xact_id()::text::bigint",
	           err);
}

enum pawl_status pawl__pg_schema(struct pg_conn *c, bool read_only,
                                 unsigned char ret_hash_key[PG_HASH_KEY_LEN],
                                 struct pawl_error *err)
{
	int64_t version;
	enum pawl_status st = version_get(c, &version, ret_hash_key, err);

	if (st == PAWL_OK && read_only && version < PG_SCHEMA_VERSION)
		return pawl__error_set(err, PAWL_E_SCHEMA,
		                       "the store has schema version %lld; open it for writing once"
		                       " to bring it to %d",
		                       (long long)version, PG_SCHEMA_VERSION);
	if (st != PAWL_OK || read_only)
		return st;
	if (version == PG_SCHEMA_VERSION)
		return events_adopt(c, err);
	(void)pawl__pg_send_bare(c, PG_BEGIN);
	(void)pawl__pg_send_plain(c, "SELECT pg_advisory_xact_lock(" SCHEMA_LOCK ")");
	st = pawl__pg_collect(c, PG_WAIT_LONG_US, err);
	if (st == PAWL_OK)
		st = upgrade(c, ret_hash_key, err);
	if (st == PAWL_OK) {
		(void)pawl__pg_send_bare(c, PG_COMMIT);
		return pawl__pg_collect(c, PG_WAIT_US, err);
	}
	(void)pawl__pg_send_bare(c, PG_ROLLBACK);
	(void)!pawl__pg_collect(c, PG_WAIT_US, NULL);
	return st;
}
