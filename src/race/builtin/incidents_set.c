/* SPDX-License-Identifier: Apache-2.0 */
#include "race/builtin/incidents.h"

/* ---- write-skew ---- */

#define ON_CALL "SELECT COUNT(*) FROM @oncall WHERE on_call = 1"
#define LEAVE   "UPDATE @oncall SET on_call = 0 WHERE doctor = {c} + 1"

static const struct parts write_skew[] = {
	{ .stores = SQL_STORES,
	  .schema = STEPS(
		  RUN("CREATE TABLE @oncall (doctor BIGINT PRIMARY KEY, on_call BIGINT NOT "
	              "NULL)"),
		  RUN("CREATE TABLE @shifts (id BIGINT PRIMARY KEY, version BIGINT NOT NULL)")),
	  .reset = STEPS(
		  RUN("DELETE FROM @oncall"), RUN("DELETE FROM @shifts"),
		  RUN("INSERT INTO @oncall WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + "
	              "1 FROM g WHERE n < {N}) SELECT n, 1 FROM g"),
		  RUN("INSERT INTO @shifts VALUES (1, 1)")),
	  .read = STEPS(ASK("v", "SELECT version FROM @shifts WHERE id = 1"),
	                RUN("SELECT doctor FROM @oncall WHERE on_call = 1 ORDER BY doctor{L}"),
	                REFUSE_IF("{n} < 2")),
	  .write = STEPS(RUN(LEAVE)),
	  .versioned =
	          STEPS(RUN("UPDATE @shifts SET version = version + 1 WHERE id = 1 AND version = "
	                    "{v}"),
	                RETRY_IF("{n} = 0"), RUN(LEAVE)),
	  .specials = SPECIALS(
		  { .strategy = STRATEGY_PARENT_LOCK,
	            .stores = BIT(STORE_PG),
	            .steps = STEPS(RUN("BEGIN"),
	                           RUN("SELECT id FROM @shifts WHERE id = 1 FOR UPDATE"),
	                           ASK("a", ON_CALL), REFUSE_IF("{a} < 2"), THINK, RUN(LEAVE),
	                           RUN("COMMIT")) },
		  { .strategy = STRATEGY_ATOMIC,
	            .wrong = true,
	            .why = "one statement, but its condition reads other rows than it writes: "
	                   "nothing "
	                   "looks at them again",
	            .stores = BIT(STORE_PG),
	            .steps = STEPS(RUN("BEGIN"), RUN(LEAVE " AND (" ON_CALL ") >= 2"),
	                           REFUSE_IF("{n} = 0"), THINK, RUN("COMMIT")) },
		  { .strategy = STRATEGY_ATOMIC,
	            .stores = BIT(STORE_SQLITE),
	            .steps = STEPS(RUN(LEAVE " AND (" ON_CALL ") >= 2"), REFUSE_IF("{n} = 0")) },
		  { .strategy = STRATEGY_REPEATABLE_READ,
	            .why = "each writes a row of its own, so the snapshots never collide: both saw "
	                   "two "
	                   "on call",
	            .stores = BIT(STORE_PG),
	            .steps = STEPS(RUN("BEGIN ISOLATION LEVEL REPEATABLE READ"), ASK("a", ON_CALL),
	                           REFUSE_IF("{a} < 2"), THINK, RUN(LEAVE), RUN("COMMIT")) }),
	  .wrong = BIT(STRATEGY_REPEATABLE_READ),
	  .check = STEPS(ASK("a", ON_CALL), COUNT("empty shifts", "1 - {a}")) },
	{ .stores = BIT(STORE_REDIS),
	  .reset = STEPS(RUN("EVAL 'redis.call(\"DEL\", KEYS[1]) for i = 1, ARGV[1] do "
	                     "redis.call(\"HSET\", KEYS[1], i, 1) end return 1' 1 @oncall {N}")),
	  .read = STEPS(ASK("a", "HLEN @oncall"), REFUSE_IF("{a} < 2"), CALC("e", "{c} + 1")),
	  .write = STEPS(RUN("HDEL @oncall {e}")),
	  .watch = "WATCH @oncall",
	  .lua = STEPS(CALC("e", "{c} + 1"),
	               ASK("a",
	                   "EVAL 'if redis.call(\"HLEN\", KEYS[1]) < 2 then return 0 end return "
	                   "redis.call(\"HDEL\", KEYS[1], ARGV[1])' 1 @oncall {e}"),
	               REFUSE_IF("{a} = 0")),
	  .check = STEPS(ASK("a", "HLEN @oncall"), COUNT("empty shifts", "1 - {a}")) },
	{ .stores = BIT(STORE_HTTP),
	  .reset = STEPS(RUN("PUT /v1/records/@1\n{\"on\":1}"),
	                 RUN("PUT /v1/records/@0\n{\"on\":1}")),
	  .read = STEPS(FETCH("au", "/on ETag", "GET /v1/records/@1"),
	                FETCH("bv", "/on ETag", "GET /v1/records/@0"), CALC("a", "{a} + {b}"),
	                REFUSE_IF("{a} < 2")),
	  .write = STEPS(RUN("PUT /v1/records/@{d} if=*\n{\"on\":0}")),
	  .specials = SPECIALS(
		  { .strategy = STRATEGY_OPTIMISTIC,
	            .why = "If-Match on the record it writes: nobody checks the one it only read",
	            .steps = STEPS(FETCH("au", "/on ETag", "GET /v1/records/@1"),
	                           FETCH("bv", "/on ETag", "GET /v1/records/@0"),
	                           CALC("a", "{a} + {b}"), REFUSE_IF("{a} < 2"), THINK,
	                           RUN_WHEN("{d} = 1", "PUT /v1/records/@1 if={u}\n{\"on\":0}"),
	                           RUN_WHEN("{d} = 0", "PUT /v1/records/@0 if={v}\n{\"on\":0}"),
	                           RETRY_IF("{s} = 412")) },
		  { .strategy = STRATEGY_PAWL,
	            .why = "the transaction names the versions it has read: what it decided by is "
	                   "part "
	                   "of the commit",
	            .steps = STEPS(
			    FETCH("au", "/on ETag", "GET /v1/records/@1"),
			    FETCH("bv", "/on ETag", "GET /v1/records/@0"), CALC("a", "{a} + {b}"),
			    REFUSE_IF("{a} < 2"), THINK,
			    RUN("POST /v1/tx\n{\"ops\":[{\"op\":\"check\",\"key\":\"@1\","
	                        "\"version\":{u}},{\"op\":\"check\",\"key\":\"@0\",\"version\":"
	                        "{v}},{\"op\":\"put\",\"key\":\"@{d}\",\"value\":{\"on\":0}}]}"),
			    RETRY_IF("{s} = 412")) }),
	  .wrong = BIT(STRATEGY_OPTIMISTIC),
	  .check = STEPS(FETCH("a", "/on", "GET /v1/records/@1"),
	                 FETCH("b", "/on", "GET /v1/records/@0"),
	                 COUNT("empty shifts", "1 - {a} - {b}")) },
	{ .stores = 0 },
};

const struct incident pawl__incident_write_skew = {
	.name = "write-skew",
	.summary =
		"doctors leave their shift when another one is still there; each changes only his "
		"own row",
	.promise = "at least one stays on call",
	.unit = "leaves",
	.repeat = 1,
	.parts = write_skew,
};

/* ---- phantom-booking ---- */

#define OVERLAP_ROWS "SELECT id FROM @bookings WHERE room = 1 AND lo < 20 + {d} AND hi > 10 + {d}"
#define BOOK         "INSERT INTO @bookings (id, room, lo, hi) VALUES ({i}, 1, 10 + {d}, 20 + {d})"
#define BOOK_UNLESS                                                                                \
	"INSERT INTO @bookings (id, room, lo, hi) SELECT {i}, 1, 10 + {d}, 20 + {d} WHERE NOT "    \
	"EXISTS (" OVERLAP_ROWS ")"

static const struct parts phantom_booking[] = {
	{ .stores = BIT(STORE_PG),
	  .schema = STEPS(
		  RUN("CREATE TABLE @bookings (id BIGINT PRIMARY KEY, room BIGINT NOT NULL, lo "
	              "BIGINT NOT NULL, hi BIGINT NOT NULL)"),
		  RUN("CREATE INDEX ON @bookings (room, lo)"),
		  RUN("CREATE TABLE @bookings_x (id BIGINT PRIMARY KEY, room BIGINT NOT NULL, lo "
	              "BIGINT NOT NULL, hi BIGINT NOT NULL, EXCLUDE USING gist "
	              "(int8range(room * 1000000 + lo, room * 1000000 + hi) WITH &&))"),
		  RUN("CREATE TABLE @rooms (id BIGINT PRIMARY KEY, version BIGINT NOT NULL)")),
	  .reset = STEPS(RUN("DELETE FROM @bookings"), RUN("DELETE FROM @bookings_x"),
	                 RUN("DELETE FROM @rooms"), RUN("INSERT INTO @rooms VALUES (1, 1)")),
	  .read = STEPS(ASK("v", "SELECT version FROM @rooms WHERE id = 1"),
	                RUN(OVERLAP_ROWS "{L}"), REFUSE_IF("{n} > 0")),
	  .write = STEPS(RUN(BOOK)),
	  .versioned =
	          STEPS(RUN("UPDATE @rooms SET version = version + 1 WHERE id = 1 AND version = "
	                    "{v}"),
	                RETRY_IF("{n} = 0"), RUN(BOOK)),
	  .specials = SPECIALS(
		  { .strategy = STRATEGY_ROW_LOCK,
	            .why = "FOR UPDATE locks the bookings that are there; the one that collides "
	                   "comes "
	                   "later",
	            .steps = STEPS(RUN("BEGIN"), RUN(OVERLAP_ROWS " FOR UPDATE"),
	                           REFUSE_IF("{n} > 0"), THINK, RUN(BOOK), RUN("COMMIT")) },
		  { .strategy = STRATEGY_PARENT_LOCK,
	            .steps = STEPS(RUN("BEGIN"),
	                           RUN("SELECT id FROM @rooms WHERE id = 1 FOR UPDATE"),
	                           RUN(OVERLAP_ROWS), REFUSE_IF("{n} > 0"), THINK, RUN(BOOK),
	                           RUN("COMMIT")) },
		  { .strategy = STRATEGY_ATOMIC,
	            .why = "INSERT .. WHERE NOT EXISTS: one statement, but it cannot see what "
	                   "others "
	                   "have not committed yet",
	            .steps = STEPS(RUN("BEGIN"), RUN(BOOK_UNLESS), REFUSE_IF("{n} = 0"), THINK,
	                           RUN("COMMIT")) },
		  { .strategy = STRATEGY_CONSTRAINT,
	            .why = "EXCLUDE USING gist: overlapping ranges are refused by the index",
	            .steps = STEPS(RUN("INSERT INTO @bookings_x VALUES ({i}, 1, 10 + {d}, 20 + "
	                               "{d})")) }),
	  .wrong = BIT(STRATEGY_ROW_LOCK) | BIT(STRATEGY_ATOMIC) | BIT(STRATEGY_REPEATABLE_READ),
	  .without = BIT(STRATEGY_NOWAIT),
	  .check = STEPS(ASK("a", "SELECT (SELECT COUNT(*) FROM @bookings) + (SELECT COUNT(*) FROM "
	                          "@bookings_x)"),
	                 COUNT("double-booked", "{a} - 1"), COUNT("not booked", "1 - {a}")) },
	{ .stores = BIT(STORE_SQLITE),
	  .schema = STEPS(
		  RUN("CREATE TABLE @bookings (id BIGINT PRIMARY KEY, room BIGINT NOT NULL, lo "
	              "BIGINT NOT NULL, hi BIGINT NOT NULL)"),
		  RUN("CREATE TABLE @rooms (id BIGINT PRIMARY KEY, version BIGINT NOT NULL)")),
	  .reset = STEPS(RUN("DELETE FROM @bookings"), RUN("DELETE FROM @rooms"),
	                 RUN("INSERT INTO @rooms VALUES (1, 1)")),
	  .read = STEPS(ASK("v", "SELECT version FROM @rooms WHERE id = 1"),
	                RUN(OVERLAP_ROWS "{L}"), REFUSE_IF("{n} > 0")),
	  .write = STEPS(RUN(BOOK)),
	  .versioned =
	          STEPS(RUN("UPDATE @rooms SET version = version + 1 WHERE id = 1 AND version = "
	                    "{v}"),
	                RETRY_IF("{n} = 0"), RUN(BOOK)),
	  .atomic = STEPS(RUN(BOOK_UNLESS), REFUSE_IF("{n} = 0")),
	  .check = STEPS(ASK("a", "SELECT COUNT(*) FROM @bookings"),
	                 COUNT("double-booked", "{a} - 1"), COUNT("not booked", "1 - {a}")) },
	{ .stores = BIT(STORE_REDIS),
	  .reset = STEPS(RUN("DEL @room")),
	  .read = STEPS(ASK("a", "ZCARD @room"), REFUSE_IF("{a} > 0")),
	  .write = STEPS(RUN("ZADD @room 10 {i}")),
	  .watch = "WATCH @room",
	  .lua = STEPS(ASK("a",
	                   "EVAL 'if redis.call(\"ZCARD\", KEYS[1]) > 0 then return 0 end return "
	                   "redis.call(\"ZADD\", KEYS[1], 10, ARGV[1])' 1 @room {i}"),
	               REFUSE_IF("{a} = 0")),
	  .check = STEPS(ASK("a", "ZCARD @room"), COUNT("double-booked", "{a} - 1"),
	                 COUNT("not booked", "1 - {a}")) },
	{ .stores = BIT(STORE_HTTP),
	  .reset = STEPS(RUN("PUT /v1/items/@slot\n{\"stock\":1}")),
	  .atomic = STEPS(
		  RUN("POST /v1/orders key=@{i}\n{\"lines\":[{\"sku\":\"@slot\",\"quantity\":1}]"
	              "}"),
		  REFUSE_IF("{s} = 409")),
	  .check = STEPS(COUNT("double-booked", "{D} - 1"), COUNT("not booked", "1 - {D}")) },
	{ .stores = 0 },
};

const struct incident pawl__incident_phantom_booking = {
	.name = "phantom-booking",
	.summary =
		"a room is booked when no booking overlaps: the row that collides is not there yet",
	.promise = "no two bookings of a room overlap",
	.unit = "bookings",
	.repeat = 1,
	.parts = phantom_booking,
};
