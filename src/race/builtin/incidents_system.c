/* SPDX-License-Identifier: Apache-2.0 */
#include "race/builtin/incidents.h"

/* ---- shared-session: every third unit of work is rolled back ---- */

#define UNIT_SQL                                                                                   \
	CARELESS("BEGIN"), RUN("INSERT INTO @orders VALUES ({i}, {c})"), THINK,                    \
		CARELESS_WHEN("{z} = 0", "ROLLBACK"), REFUSE_IF("{z} = 0"), CARELESS("COMMIT")
#define UNIT_REDIS                                                                                 \
	CARELESS("MULTI"), RUN("RPUSH @orders {i}"), THINK, CARELESS_WHEN("{z} = 0", "DISCARD"),   \
		REFUSE_IF("{z} = 0"), CARELESS("EXEC")
#define WHY_SHARED                                                                                 \
	"one session for all: BEGIN, COMMIT and ROLLBACK of one client hit the statements of the " \
	"others"
#define WHY_SHARED_MUTEX                                                                           \
	"one session, and a mutex around each whole unit of work: right, one client at a time"

static const struct parts shared_session[] = {
	{ .stores = SQL_STORES,
	  .schema =
	          STEPS(RUN("CREATE TABLE @orders (id BIGINT PRIMARY KEY, buyer BIGINT NOT NULL)")),
	  .reset = STEPS(RUN("DELETE FROM @orders")),
	  .specials = SPECIALS(
		  { .strategy = STRATEGY_NAIVE,
	            .shared = true,
	            .why = WHY_SHARED,
	            .steps = STEPS(UNIT_SQL) },
		  { .strategy = STRATEGY_MUTEX,
	            .shared = true,
	            .why = WHY_SHARED_MUTEX,
	            .steps = STEPS(LOCK("0"), UNIT_SQL) },
		  { .strategy = STRATEGY_SESSION,
	            .stores = BIT(STORE_PG),
	            .steps = STEPS(RUN("BEGIN"), RUN("INSERT INTO @orders VALUES ({i}, {c})"),
	                           THINK, REFUSE_IF("{z} = 0"), RUN("COMMIT")) },
		  { .strategy = STRATEGY_SESSION,
	            .stores = BIT(STORE_SQLITE),
	            .steps = STEPS(RUN("BEGIN IMMEDIATE"),
	                           RUN("INSERT INTO @orders VALUES ({i}, {c})"), THINK,
	                           REFUSE_IF("{z} = 0"), RUN("COMMIT")) }),
	  .check = STEPS(ASK("ab",
	                     "SELECT (SELECT COUNT(*) FROM @orders WHERE id % 3 <> 0), (SELECT "
	                     "COUNT(*) FROM @orders WHERE id % 3 = 0)"),
	                 COUNT("lost", "{D} - {a}"), COUNT("not rolled back", "{b}")) },
	{ .stores = BIT(STORE_REDIS),
	  .reset = STEPS(RUN("DEL @orders")),
	  .specials = SPECIALS({ .strategy = STRATEGY_NAIVE,
	                         .shared = true,
	                         .why = WHY_SHARED,
	                         .steps = STEPS(UNIT_REDIS) },
	                       { .strategy = STRATEGY_MUTEX,
	                         .shared = true,
	                         .why = WHY_SHARED_MUTEX,
	                         .steps = STEPS(LOCK("0"), UNIT_REDIS) },
	                       { .strategy = STRATEGY_SESSION,
	                         .steps = STEPS(RUN("MULTI"), RUN("RPUSH @orders {i}"), THINK,
	                                        REFUSE_IF("{z} = 0"), RUN("EXEC")) }),
	  .check = STEPS(ASK("ab",
	                     "EVAL 'local a, b = 0, 0 for _, v in ipairs(redis.call(\"LRANGE\", "
	                     "KEYS[1], 0, -1)) do if v % 3 == 0 then b = b + 1 else a = a + 1 end "
	                     "end return {a, b}' 1 @orders"),
	                 COUNT("lost", "{D} - {a}"), COUNT("not rolled back", "{b}")) },
	{ .stores = BIT(STORE_HTTP),
	  .reset = STEPS(RUN("PUT /v1/items/@item\n{\"stock\":1000000}")),
	  .specials = SPECIALS(
		  { .strategy = STRATEGY_PAWL,
	            .why = "each unit of work is a request, or a held order that is confirmed or "
	                   "cancelled by its id: connections carry no state",
	            .steps = STEPS(
			    FETCH("a", "/id",
	                          "POST /v1/orders key=@{i}\n{\"hold_s\":600,\"lines\":[{\"sku\":"
	                          "\"@item\",\"quantity\":1}]}"),
			    THINK, RUN_WHEN("{z} = 0", "POST /v1/orders/{a}/cancel\n{}"),
			    REFUSE_IF("{z} = 0"), RUN("POST /v1/orders/{a}/confirm\n{}")) }),
	  .check = STEPS(FETCH("ab", "/sold /held", "GET /v1/items/@item"),
	                 COUNT("lost", "{D} - {a}"), COUNT("not rolled back", "{b}"),
	                 COUNT("not rolled back", "{a} - {D}")) },
	{ .stores = 0 },
};

const struct incident pawl__incident_shared_session = {
	.name = "shared-session",
	.summary =
		"all workers use one global database session; every third unit of work is rolled "
		"back",
	.promise = "what was acknowledged is there, what was rolled back is not",
	.unit = "orders",
	.repeat = 3,
	.parts = shared_session,
};

/* ---- stale-config: two processes, each with its own cache ---- */

#define WARM CALC("p", "0"), CACHE("1"), CALC("p", "1"), CACHE("1"), ACK("1")
#define READ_CACHED(...)                                                                           \
	AWAIT("2"), NOTE("a"), CACHED("b"), __VA_ARGS__, CACHE("{b}"), TALLY("stale", "{b} < {a}")
#define READ_FRESH(...) AWAIT("2"), NOTE("a"), __VA_ARGS__, TALLY("stale", "{b} < {a}")
#define CONFIG_SPECIALS(ask_, ask_when_, ...)                                                      \
	SPECIALS({ .strategy = STRATEGY_NAIVE,                                                     \
	           .why = "each process has cached the value and never asks again",                \
	           .steps = STEPS(READ_CACHED(ask_when_)) },                                       \
	         { .strategy = STRATEGY_INVALIDATE,                                                \
	           .steps = STEPS(READ_CACHED(ask_when_)),                                         \
	           .other = STEPS(__VA_ARGS__, CACHE("0"), ACK("{a}")) },                          \
	         { .strategy = STRATEGY_NO_CACHE, .steps = STEPS(READ_FRESH(ask_)) })
#define CONFIG_GET   "SELECT value FROM @config WHERE id = 1"
#define CONFIG_SET   ASK("a", "UPDATE @config SET value = value + 1 WHERE id = 1 RETURNING value")
#define CONFIG_FETCH "GET /v1/records/@config"

static const struct parts stale_config[] = {
	{ .stores = SQL_STORES,
	  .schema =
	          STEPS(RUN("CREATE TABLE @config (id BIGINT PRIMARY KEY, value BIGINT NOT NULL)")),
	  .reset =
	          STEPS(RUN("DELETE FROM @config"), RUN("INSERT INTO @config VALUES (1, 1)"), WARM),
	  .specials = CONFIG_SPECIALS(ASK("b", CONFIG_GET), ASK_WHEN("{b} = 0", "b", CONFIG_GET),
	                              CONFIG_SET),
	  .other = STEPS(CONFIG_SET, ACK("{a}")),
	  .check = STEPS(COUNT("stale", "0")) },
	{ .stores = BIT(STORE_REDIS),
	  .reset = STEPS(RUN("SET @config 1"), WARM),
	  .specials =
	          CONFIG_SPECIALS(ASK("b", "GET @config"), ASK_WHEN("{b} = 0", "b", "GET @config"),
	                          ASK("a", "INCR @config")),
	  .other = STEPS(ASK("a", "INCR @config"), ACK("{a}")),
	  .check = STEPS(COUNT("stale", "0")) },
	{ .stores = BIT(STORE_HTTP),
	  .reset = STEPS(RUN("PUT /v1/records/@config\n{\"n\":1}"), WARM),
	  .specials = CONFIG_SPECIALS(
		  FETCH("b", "/n", CONFIG_FETCH), FETCH_WHEN("{b} = 0", "b", "/n", CONFIG_FETCH),
		  FETCH("av", "/n ETag", CONFIG_FETCH), CALC("a", "{a} + 1"),
		  RUN("PUT /v1/records/@config if={v}\n{\"n\":{a}}"), RETRY_IF("{s} = 412")),
	  .other = STEPS(FETCH("av", "/n ETag", CONFIG_FETCH), CALC("a", "{a} + 1"),
	                 RUN("PUT /v1/records/@config if={v}\n{\"n\":{a}}"), RETRY_IF("{s} = 412"),
	                 ACK("{a}")),
	  .check = STEPS(COUNT("stale", "0")) },
	{ .stores = 0 },
};

const struct incident pawl__incident_stale_config = {
	.name = "stale-config",
	.summary = "two processes cache a configuration value; some clients change it",
	.promise = "nobody reads a value older than one whose change was acknowledged before",
	.unit = "reads",
	.other_races = true,
	.missing = "configuration over HTTP (coherent caches) is not there yet: strategy pawl left "
		   "out",
	.repeat = 4,
	.parts = stale_config,
};

/* ---- dual-write: the process dies in every third program ---- */

#define ORDER_ROW "INSERT INTO @orders VALUES ({i}, {c})"
#define EVENT_ROW "INSERT INTO @events VALUES ({i})"

static const struct parts dual_write[] = {
	{ .stores = SQL_STORES,
	  .schema =
	          STEPS(RUN("CREATE TABLE @orders (id BIGINT PRIMARY KEY, buyer BIGINT NOT NULL)"),
	                RUN("CREATE TABLE @events (id BIGINT PRIMARY KEY)"),
	                RUN("CREATE TABLE @outbox (id BIGINT PRIMARY KEY)")),
	  .reset = STEPS(RUN("DELETE FROM @orders"), RUN("DELETE FROM @events"),
	                 RUN("DELETE FROM @outbox")),
	  .specials = SPECIALS(
		  { .strategy = STRATEGY_NAIVE,
	            .why = "commits, then tells the broker: who dies in between never tells",
	            .steps = STEPS(RUN(ORDER_ROW), THINK, CRASH_IF("{z} = 0"), SIDE(EVENT_ROW)) },
		  { .strategy = STRATEGY_PUBLISH_FIRST,
	            .steps = STEPS(SIDE(EVENT_ROW), THINK, CRASH_IF("{z} = 0"), RUN(ORDER_ROW)) },
		  { .strategy = STRATEGY_TRANSACTION,
	            .stores = BIT(STORE_PG),
	            .why = "tells the broker inside the transaction: a rollback does not untell",
	            .steps = STEPS(RUN("BEGIN"), RUN(ORDER_ROW), SIDE(EVENT_ROW), THINK,
	                           CRASH_IF("{z} = 0"), RUN("COMMIT")) },
		  { .strategy = STRATEGY_OUTBOX,
	            .stores = BIT(STORE_PG),
	            .steps = STEPS(RUN("BEGIN"), RUN(ORDER_ROW),
	                           RUN("INSERT INTO @outbox VALUES ({i})"), RUN("COMMIT"), THINK,
	                           CRASH_IF("{z} = 0")) },
		  { .strategy = STRATEGY_OUTBOX,
	            .stores = BIT(STORE_SQLITE),
	            .steps = STEPS(RUN("BEGIN IMMEDIATE"), RUN(ORDER_ROW),
	                           RUN("INSERT INTO @outbox VALUES ({i})"), RUN("COMMIT"), THINK,
	                           CRASH_IF("{z} = 0")) }),
	  .after = STEPS(
		  RUN("INSERT INTO @events SELECT id FROM @outbox WHERE id NOT IN (SELECT id FROM "
	              "@events)")),
	  .check = STEPS(ASK("ab",
	                     "SELECT (SELECT COUNT(*) FROM @orders WHERE id NOT IN (SELECT id FROM "
	                     "@events)), (SELECT COUNT(*) FROM @events WHERE id NOT IN (SELECT id "
	                     "FROM @orders))"),
	                 COUNT("lost events", "{a}"), COUNT("ghost events", "{b}")) },
	{ .stores = BIT(STORE_REDIS),
	  .reset = STEPS(RUN("DEL @orders @events")),
	  .specials = SPECIALS(
		  { .strategy = STRATEGY_NAIVE,
	            .why = "two commands: who dies in between never tells",
	            .steps = STEPS(RUN("SADD @orders {i}"), THINK, CRASH_IF("{z} = 0"),
	                           SIDE("SADD @events {i}")) },
		  { .strategy = STRATEGY_PUBLISH_FIRST,
	            .steps = STEPS(SIDE("SADD @events {i}"), THINK, CRASH_IF("{z} = 0"),
	                           RUN("SADD @orders {i}")) },
		  { .strategy = STRATEGY_OUTBOX,
	            .why = "MULTI: order and event in one step, because both are in this Redis",
	            .steps = STEPS(RUN("MULTI"), RUN("SADD @orders {i}"), RUN("SADD @events {i}"),
	                           RUN("EXEC"), THINK, CRASH_IF("{z} = 0")) }),
	  .check = STEPS(ASK("ab", "EVAL 'return {#redis.call(\"SDIFF\", KEYS[1], KEYS[2]), "
	                           "#redis.call(\"SDIFF\", KEYS[2], KEYS[1])}' 2 @orders @events"),
	                 COUNT("lost events", "{a}"), COUNT("ghost events", "{b}")) },
	{ .stores = 0 },
};

const struct incident pawl__incident_dual_write = {
	.name = "dual-write",
	.summary = "an order is saved in a database and told to a broker; some processes die on "
		   "the way",
	.promise = "every order has its event, every event its order",
	.unit = "orders",
	.timed = "what breaks it is a process that dies, not the order of statements",
	.missing = "events over HTTP are not there yet: not run on pawl",
	.repeat = 3,
	.parts = dual_write,
};

/* ---- lock-expiry: who finds the value untouched pauses past the lease ---- */

#define TAKE_LEASE                                                                                 \
	RUN("UPDATE @locks SET owner = {t}, until = {T} + " LEASE_MS " WHERE id = 1 AND until < "  \
	    "{T}"),                                                                                \
		RETRY_IF("{n} = 0"), ARM
#define GUARDED                                                                                    \
	ASK("a", "SELECT value FROM @resource WHERE id = 1"), CALC("b", "{a} + 1"),                \
		PAUSE_IF("{a} = 0"), RUN("UPDATE @resource SET value = {b} WHERE id = 1")
#define GUARDED_REDIS                                                                              \
	ASK("a", "GET @resource"), CALC("b", "{a} + 1"), PAUSE_IF("{a} = 0"),                      \
		RUN("SET @resource {b}")
#define COMPARE_DELETE                                                                             \
	"EVAL 'if redis.call(\"GET\", KEYS[1]) == ARGV[1] then return redis.call(\"DEL\", "        \
	"KEYS[1]) end return 0' 1 pawl_race:lock {t}"
#define TAKE_REDIS "SET pawl_race:lock {t} NX PX " LEASE_MS
#define WHY_LEASE                                                                                  \
	"compare-and-delete frees only its own lock; but who paused past his lease writes all "    \
	"the "                                                                                     \
	"same"

static const struct parts lock_expiry[] = {
	{ .stores = SQL_STORES,
	  .schema = STEPS(
		  RUN("CREATE TABLE @locks (id BIGINT PRIMARY KEY, owner BIGINT NOT NULL, until "
	              "BIGINT NOT NULL, token BIGINT NOT NULL)"),
		  RUN("CREATE TABLE @resource (id BIGINT PRIMARY KEY, value BIGINT NOT NULL, "
	              "token BIGINT NOT NULL)")),
	  .reset = STEPS(RUN("DELETE FROM @locks"), RUN("DELETE FROM @resource"),
	                 RUN("INSERT INTO @locks VALUES (1, 0, 0, 0)"),
	                 RUN("INSERT INTO @resource VALUES (1, 0, 0)")),
	  .specials = SPECIALS(
		  { .strategy = STRATEGY_NAIVE,
	            .why = "a lease in a table, freed by whoever comes back: two hold it after a "
	                   "pause",
	            .steps = STEPS(TAKE_LEASE, GUARDED, FINALLY,
	                           RUN("UPDATE @locks SET until = 0 WHERE id = 1")) },
		  { .strategy = STRATEGY_REDIS_LOCK,
	            .why = WHY_LEASE,
	            .steps = STEPS(SIDE(TAKE_REDIS), RETRY_IF("{n} = 0"), ARM, GUARDED, FINALLY,
	                           SIDE(COMPARE_DELETE)) },
		  { .strategy = STRATEGY_ROW_LOCK,
	            .stores = BIT(STORE_PG),
	            .why = "FOR UPDATE is held by the session, not by a clock: the others wait out "
	                   "the "
	                   "pause",
	            .steps = STEPS(RUN("BEGIN"),
	                           ASK("a", "SELECT value FROM @resource WHERE id = 1 FOR UPDATE"),
	                           CALC("b", "{a} + 1"), PAUSE_IF("{a} = 0"),
	                           RUN("UPDATE @resource SET value = {b} WHERE id = 1"),
	                           RUN("COMMIT")) },
		  { .strategy = STRATEGY_ROW_LOCK,
	            .stores = BIT(STORE_SQLITE),
	            .why = "BEGIN IMMEDIATE is held by the session, not by a clock: the others "
	                   "wait out "
	                   "the pause",
	            .steps = STEPS(RUN("BEGIN IMMEDIATE"),
	                           ASK("a", "SELECT value FROM @resource WHERE id = 1"),
	                           CALC("b", "{a} + 1"), PAUSE_IF("{a} = 0"),
	                           RUN("UPDATE @resource SET value = {b} WHERE id = 1"),
	                           RUN("COMMIT")) },
		  { .strategy = STRATEGY_FENCED,
	            .steps = STEPS(
			    ASK("e",
	                        "UPDATE @locks SET owner = {t}, until = {T} + " LEASE_MS
	                        ", token = token + 1 WHERE id = 1 AND until < {T} RETURNING token"),
			    RETRY_IF("{n} = 0"), ARM,
			    ASK("a",
	                        "UPDATE @resource SET token = {e} WHERE id = 1 AND token <= {e} "
	                        "RETURNING value"),
			    RETRY_IF("{n} = 0"), CALC("b", "{a} + 1"), PAUSE_IF("{e} = 1"),
			    RUN("UPDATE @resource SET value = {b} WHERE id = 1 AND token = {e}"),
			    RETRY_IF("{n} = 0"), FINALLY,
			    RUN("UPDATE @locks SET until = 0 WHERE id = 1 AND token = {e}")) }),
	  .wrong = BIT(STRATEGY_REDIS_LOCK),
	  .check = STEPS(ASK("e", "SELECT value FROM @resource WHERE id = 1"),
	                 COUNT("lost", "{D} - {e}"), COUNT("doubled", "{e} - {D}")) },
	{ .stores = BIT(STORE_REDIS),
	  .reset = STEPS(RUN("SET @resource 0"), RUN("DEL @lock @fence @token")),
	  .specials = SPECIALS(
		  { .strategy = STRATEGY_NAIVE,
	            .why = "SET NX PX and DEL: after a pause it writes, and frees somebody else's "
	                   "lock",
	            .steps = STEPS(RUN(TAKE_REDIS), RETRY_IF("{n} = 0"), ARM, GUARDED_REDIS,
	                           FINALLY, RUN("DEL @lock")) },
		  { .strategy = STRATEGY_REDIS_LOCK,
	            .why = WHY_LEASE,
	            .steps = STEPS(RUN(TAKE_REDIS), RETRY_IF("{n} = 0"), ARM, GUARDED_REDIS,
	                           FINALLY, RUN(COMPARE_DELETE)) },
		  { .strategy = STRATEGY_FENCED,
	            .steps = STEPS(
			    ASK("e", "EVAL 'if not redis.call(\"SET\", KEYS[1], ARGV[1], \"NX\", "
	                             "\"PX\", "
	                             "ARGV[2]) then return 0 end return redis.call(\"INCR\", "
	                             "KEYS[2])' 2 "
	                             "@lock @fence {t} " LEASE_MS),
			    RETRY_IF("{e} = 0"), ARM,
			    ASK("wa",
	                        "EVAL 'if tonumber(redis.call(\"GET\", KEYS[1]) or 0) > "
	                        "tonumber(ARGV[1]) then return {0, 0} end redis.call(\"SET\", "
	                        "KEYS[1], ARGV[1]) return {1, redis.call(\"GET\", KEYS[2])}' 2 "
	                        "@token @resource {e}"),
			    RETRY_IF("{w} = 0"), CALC("b", "{a} + 1"), PAUSE_IF("{e} = 1"),
			    ASK("w", "EVAL 'if redis.call(\"GET\", KEYS[1]) ~= ARGV[1] then return "
	                             "0 end "
	                             "redis.call(\"SET\", KEYS[2], ARGV[2]) return 1' 2 @token "
	                             "@resource "
	                             "{e} {b}"),
			    RETRY_IF("{w} = 0"), FINALLY, RUN(COMPARE_DELETE)) }),
	  .wrong = BIT(STRATEGY_REDIS_LOCK),
	  .check = STEPS(ASK("e", "GET @resource"), COUNT("lost", "{D} - {e}"),
	                 COUNT("doubled", "{e} - {D}")) },
	{ .stores = 0 },
};

const struct incident pawl__incident_lock_expiry = {
	.name = "lock-expiry",
	.summary = "a lock with a lease of " LEASE_MS " ms; its first holder is paused past it",
	.promise = "the guarded value counts every acknowledged change",
	.unit = "changes",
	.timed = "a lease runs out by the clock, not by the order of statements",
	.missing = "locks over HTTP are not there yet: not run on pawl",
	.repeat = 1,
	.parts = lock_expiry,
};

/* ---- */

const struct incident *const pawl__incidents[] = {
	&pawl__incident_oversell,        &pawl__incident_last_item,
	&pawl__incident_lost_update,     &pawl__incident_counter,
	&pawl__incident_bank_transfer,   &pawl__incident_double_submit,
	&pawl__incident_shared_session,  &pawl__incident_write_skew,
	&pawl__incident_phantom_booking, &pawl__incident_deadlock,
	&pawl__incident_stale_config,    &pawl__incident_dual_write,
	&pawl__incident_lock_expiry,     NULL,
};
