/* SPDX-License-Identifier: Apache-2.0 */
#include "race/builtin/incidents.h"

/* ---- lost-update ---- */

static const struct parts lost_update[] = {
	{ .stores = SQL_STORES,
	  .schema = STEPS(
		  RUN("CREATE TABLE @docs (id BIGINT PRIMARY KEY, body TEXT NOT NULL, version "
	              "BIGINT NOT NULL)")),
	  .reset = STEPS(RUN("DELETE FROM @docs"), RUN("INSERT INTO @docs VALUES (1, '', 1)")),
	  .read = STEPS(ASK("av", "SELECT body, version FROM @docs WHERE id = 1{L}")),
	  .write = STEPS(
		  RUN("UPDATE @docs SET body = '{a},{i}', version = version + 1 WHERE id = 1")),
	  .versioned =
	          STEPS(RUN("UPDATE @docs SET body = '{a},{i}', version = version + 1 WHERE id = 1 "
	                    "AND version = {v}"),
	                RETRY_IF("{n} = 0")),
	  .specials =
	          SPECIALS({ .strategy = STRATEGY_ATOMIC,
	                     .steps = STEPS(RUN("UPDATE @docs SET body = body || ',{i}', version = "
	                                        "version + 1 WHERE id = 1")) }),
	  .check =
	          STEPS(ASK("ae", "SELECT LENGTH(body) - LENGTH(REPLACE(body, ',', '')), body FROM "
	                          "@docs WHERE id = 1"),
	                COUNT("lost", "{D} - {a}")) },
	{ .stores = BIT(STORE_REDIS),
	  .reset = STEPS(RUN("DEL @doc")),
	  .read = STEPS(ASK("a", "GET @doc")),
	  .write = STEPS(RUN("SET @doc {a},{i}")),
	  .watch = "WATCH @doc",
	  .atomic = STEPS(RUN("APPEND @doc ,{i}")),
	  .lua = STEPS(
		  RUN("EVAL 'local b = redis.call(\"GET\", KEYS[1]) or \"\" redis.call(\"SET\", "
	              "KEYS[1], b .. \",\" .. ARGV[1]) return 1' 1 @doc {i}")),
	  .check = STEPS(ASK("ae",
	                     "EVAL 'local b = redis.call(\"GET\", KEYS[1]) or \"\" local _, n = "
	                     "string.gsub(b, \",\", \"\") return {n, b}' 1 @doc"),
	                 COUNT("lost", "{D} - {a}")) },
	{ .stores = BIT(STORE_HTTP),
	  .reset = STEPS(RUN("PUT /v1/records/@doc\n{\"body\":\"\",\"n\":0}")),
	  .read = STEPS(FETCH("abv", "/body /n ETag", "GET /v1/records/@doc"),
	                CALC("b", "{b} + 1")),
	  .write = STEPS(RUN("PUT /v1/records/@doc if=*\n{\"body\":\"{a},{i}\",\"n\":{b}}")),
	  .versioned = STEPS(RUN("PUT /v1/records/@doc if={v}\n{\"body\":\"{a},{i}\",\"n\":{b}}"),
	                     RETRY_IF("{s} = 412")),
	  .specials = SPECIALS(
		  { .strategy = STRATEGY_PAWL,
	            .why = "a transaction that checks the version it has read, and retries",
	            .steps = STEPS(
			    FETCH("abv", "/body /n ETag", "GET /v1/records/@doc"),
			    CALC("b", "{b} + 1"), THINK,
			    RUN("POST /v1/tx\n{\"ops\":[{\"op\":\"put\",\"key\":\"@doc\","
	                        "\"if_version\":{v},\"value\":{\"body\":\"{a},{i}\",\"n\":{b}}}"
	                        "]}"),
			    RETRY_IF("{s} = 412")) }),
	  .check = STEPS(FETCH("ae", "/n /body", "GET /v1/records/@doc"),
	                 COUNT("lost", "{D} - {a}")) },
	{ .stores = 0 },
};

const struct incident pawl__incident_lost_update = {
	.name = "lost-update",
	.summary = "everybody adds a line to the same document: read, append, write back",
	.promise = "every line that was acknowledged is in the document",
	.unit = "updates",
	.repeat = 2,
	.model = "list-append",
	.invoke = "\"f\":\"txn\",\"value\":[[\"r\",1,null],[\"append\",1,{i}]]",
	.ok = "\"f\":\"txn\",\"value\":[[\"r\",1,[{-a}]],[\"append\",1,{i}]]",
	.blind = "\"f\":\"txn\",\"value\":[[\"append\",1,{i}]]",
	.last = "\"f\":\"txn\",\"value\":[[\"r\",1,[{-e}]]]",
	.parts = lost_update,
};

/* ---- counter ---- */

static const struct parts counter[] = {
	{ .stores = SQL_STORES,
	  .schema = STEPS(
		  RUN("CREATE TABLE @counters (id BIGINT PRIMARY KEY, n BIGINT NOT NULL, version "
	              "BIGINT NOT NULL)")),
	  .reset = STEPS(RUN("DELETE FROM @counters"),
	                 RUN("INSERT INTO @counters VALUES (1, 0, 1)")),
	  .read = STEPS(ASK("av", "SELECT n, version FROM @counters WHERE id = 1{L}"),
	                CALC("b", "{a} + 1")),
	  .write = STEPS(RUN("UPDATE @counters SET n = {b}, version = version + 1 WHERE id = 1")),
	  .versioned =
	          STEPS(RUN("UPDATE @counters SET n = {b}, version = version + 1 WHERE id = 1 AND "
	                    "version = {v}"),
	                RETRY_IF("{n} = 0")),
	  .atomic =
	          STEPS(RUN("UPDATE @counters SET n = n + 1, version = version + 1 WHERE id = 1")),
	  .check = STEPS(ASK("e", "SELECT n FROM @counters WHERE id = 1"),
	                 COUNT("lost", "{D} - {e}"), COUNT("doubled", "{e} - {D}")) },
	{ .stores = BIT(STORE_REDIS),
	  .reset = STEPS(RUN("SET @n 0")),
	  .read = STEPS(ASK("a", "GET @n"), CALC("b", "{a} + 1")),
	  .write = STEPS(RUN("SET @n {b}")),
	  .watch = "WATCH @n",
	  .atomic = STEPS(RUN("INCR @n")),
	  .lua = STEPS(RUN(
		  "EVAL 'return redis.call(\"SET\", KEYS[1], redis.call(\"GET\", KEYS[1]) + 1)' "
		  "1 @n")),
	  .check = STEPS(ASK("e", "GET @n"), COUNT("lost", "{D} - {e}"),
	                 COUNT("doubled", "{e} - {D}")) },
	{ .stores = BIT(STORE_HTTP),
	  .reset = STEPS(RUN("PUT /v1/records/@n\n{\"n\":0}"),
	                 RUN("PUT /v1/accounts/@n\n{\"unit\":\"@u\"}")),
	  .read = STEPS(FETCH("av", "/n ETag", "GET /v1/records/@n"), CALC("b", "{a} + 1")),
	  .write = STEPS(RUN("PUT /v1/records/@n if=*\n{\"n\":{b}}")),
	  .versioned = STEPS(RUN("PUT /v1/records/@n if={v}\n{\"n\":{b}}"), RETRY_IF("{s} = 412")),
	  .specials = SPECIALS(
		  { .strategy = STRATEGY_PAWL,
	            .why = "a transfer of one: sums are added up by the store, nobody reads",
	            .steps = STEPS(RUN("POST /v1/transfers key=@{i}\n{\"from\":\"world:@u\",\"to\":"
	                               "\"@n\",\"amount\":1}")) }),
	  .check = STEPS(FETCH("a", "/n", "GET /v1/records/@n"),
	                 FETCH("b", "/balance", "GET /v1/accounts/@n"), CALC("e", "{a} + {b}"),
	                 COUNT("lost", "{D} - {e}"), COUNT("doubled", "{e} - {D}")) },
	{ .stores = 0 },
};

const struct incident pawl__incident_counter = {
	.name = "counter",
	.summary = "everybody counts one up: read, add, write back",
	.promise = "the counter is the number of acknowledged increments",
	.unit = "increments",
	.repeat = 4,
	.model = "counter",
	.invoke = "\"f\":\"add\",\"value\":1",
	.ok = "\"f\":\"add\",\"value\":1",
	.last = "\"f\":\"read\",\"value\":{e}",
	.parts = counter,
};

/* ---- bank-transfer ---- */

#define ACCOUNTS_SUM "800"
#define ALL_ACCOUNTS "SELECT balance FROM @accounts ORDER BY id"
#define FUND(n_)                                                                                   \
	RUN("PUT /v1/accounts/@" n_ "\n{\"unit\":\"@u\"}"),                                        \
		RUN("POST /v1/transfers\n{\"from\":\"world:@u\",\"to\":\"@" n_                     \
	            "\",\"amount\":100}")
#define BALANCE(reg_, n_) FETCH(reg_, "/balance", "GET /v1/accounts/@" n_)

static const struct parts bank_transfer[] = {
	{ .stores = SQL_STORES,
	  .schema = STEPS(
		  RUN("CREATE TABLE @accounts (id BIGINT PRIMARY KEY, balance BIGINT NOT NULL, "
	              "version BIGINT NOT NULL)")),
	  .reset = STEPS(
		  RUN("DELETE FROM @accounts"),
		  RUN("INSERT INTO @accounts VALUES (1, 100, 1), (2, 100, 1), (3, 100, 1), (4, "
	              "100, 1), (5, 100, 1), (6, 100, 1), (7, 100, 1), (8, 100, 1)")),
	  .read = STEPS(ASK("aubv",
	                    "SELECT balance, version FROM @accounts WHERE id IN ({x}, {y}) ORDER "
	                    "BY id{L}"),
	                CALC("a", "{a} - {m}"), CALC("b", "{b} + {m}"), REFUSE_IF("{a} < 0"),
	                REFUSE_IF("{b} < 0")),
	  .write = STEPS(
		  RUN("UPDATE @accounts SET balance = {a}, version = version + 1 WHERE id = {x}"),
		  RUN("UPDATE @accounts SET balance = {b}, version = version + 1 WHERE id = {y}")),
	  .versioned =
	          STEPS(RUN("UPDATE @accounts SET balance = {a}, version = version + 1 WHERE id = "
	                    "{x} AND version = {u}"),
	                RETRY_IF("{n} = 0"),
	                RUN("UPDATE @accounts SET balance = {b}, version = version + 1 WHERE id = "
	                    "{y} AND version = {v}"),
	                RETRY_IF("{n} = 0")),
	  .atomic = STEPS(
		  RUN("UPDATE @accounts SET balance = balance - ({m}) WHERE id = {x} AND balance "
	              "- ({m}) >= 0"),
		  REFUSE_IF("{n} = 0"),
		  RUN("UPDATE @accounts SET balance = balance + ({m}) WHERE id = {y} AND balance "
	              "+ ({m}) >= 0"),
		  REFUSE_IF("{n} = 0")),
	  .other = STEPS(ASK("abcdefgh", ALL_ACCOUNTS)),
	  .check = STEPS(ASK("ab",
	                     "SELECT SUM(balance), SUM(CASE WHEN balance < 0 THEN 1 ELSE 0 END) "
	                     "FROM @accounts"),
	                 COUNT("created", "{a} - " ACCOUNTS_SUM),
	                 COUNT("destroyed", ACCOUNTS_SUM " - {a}"), COUNT("overdrawn", "{b}"),
	                 ASK("abcdefgh", ALL_ACCOUNTS)) },
	{ .stores = BIT(STORE_REDIS),
	  .reset = STEPS(RUN("MSET @1 100 @2 100 @3 100 @4 100 @5 100 @6 100 @7 100 @8 100")),
	  .read = STEPS(ASK("ab", "MGET @{x} @{y}"), CALC("a", "{a} - {m}"), CALC("b", "{b} + {m}"),
	                REFUSE_IF("{a} < 0"), REFUSE_IF("{b} < 0")),
	  .write = STEPS(RUN("SET @{x} {a}"), RUN("SET @{y} {b}")),
	  .watch = "WATCH @{x} @{y}",
	  .lua = STEPS(ASK("a",
	                   "EVAL 'if redis.call(\"GET\", KEYS[1]) - ARGV[1] < 0 then return 0 end "
	                   "redis.call(\"DECRBY\", KEYS[1], ARGV[1]) redis.call(\"INCRBY\", "
	                   "KEYS[2], ARGV[1]) return 1' 2 @{f} @{g} {q}"),
	               REFUSE_IF("{a} = 0")),
	  .other = STEPS(ASK("abcdefgh", "MGET @1 @2 @3 @4 @5 @6 @7 @8")),
	  .check = STEPS(
		  ASK("a", "EVAL 'local s = 0 for i = 1, 8 do s = s + redis.call(\"GET\", KEYS[i]) "
	                   "end return s' 8 @1 @2 @3 @4 @5 @6 @7 @8"),
		  COUNT("created", "{a} - " ACCOUNTS_SUM),
		  COUNT("destroyed", ACCOUNTS_SUM " - {a}"),
		  ASK("abcdefgh", "MGET @1 @2 @3 @4 @5 @6 @7 @8")) },
	{ .stores = BIT(STORE_HTTP),
	  .reset = STEPS(FUND("1"), FUND("2"), FUND("3"), FUND("4"), FUND("5"), FUND("6"),
	                 FUND("7"), FUND("8")),
	  .atomic = STEPS(RUN("POST /v1/transfers key=@{i}\n{\"from\":\"@{f}\",\"to\":\"@{g}\","
	                      "\"amount\":{q}}"),
	                  REFUSE_IF("{s} = 409")),
	  .check = STEPS(BALANCE("a", "1"), BALANCE("b", "2"), BALANCE("c", "3"), BALANCE("d", "4"),
	                 BALANCE("e", "5"), BALANCE("f", "6"), BALANCE("g", "7"), BALANCE("h", "8"),
	                 CALC("j", "{a} + {b} + {c} + {d} + {e} + {f} + {g} + {h}"),
	                 COUNT("created", "{j} - " ACCOUNTS_SUM),
	                 COUNT("destroyed", ACCOUNTS_SUM " - {j}")) },
	{ .stores = 0 },
};

const struct incident pawl__incident_bank_transfer = {
	.name = "bank-transfer",
	.summary = "transfers between eight accounts, read first and written back",
	.promise = "the sum over all accounts never changes, no account goes below zero",
	.unit = "transfers",
	.repeat = 3,
	.model = "bank",
	.invoke = "\"f\":\"transfer\",\"value\":{\"from\":{f},\"to\":{g},\"amount\":{q}}",
	.ok = "\"f\":\"transfer\",\"value\":{\"from\":{f},\"to\":{g},\"amount\":{q}}",
	.other_invoke = "\"f\":\"read\",\"value\":null",
	.other_ok = "\"f\":\"read\",\"value\":{\"1\":{a},\"2\":{b},\"3\":{c},\"4\":{d},\"5\":{e},"
		    "\"6\":{f},"
		    "\"7\":{g},\"8\":{h}}",
	.last = "\"f\":\"read\",\"value\":{\"1\":{a},\"2\":{b},\"3\":{c},\"4\":{d},\"5\":{e},\"6\":"
		"{f},"
		"\"7\":{g},\"8\":{h}}",
	.parts = bank_transfer,
};

/* ---- deadlock ---- */

/* The pair's two rows: one takes the lower first, the other the higher. */
#define ROWS_CROSSED  CALC("a", "{k} + {k} - {d}"), CALC("b", "{k} + {k} - 1 + {d}")
#define ROWS_ORDERED  CALC("a", "{k} + {k} - 1"), CALC("b", "{k} + {k}")
#define ADD_ROW(reg_) RUN("UPDATE @rows SET n = n + 1 WHERE id = {" reg_ "}")

static const struct parts deadlock[] = {
	{ .stores = SQL_STORES,
	  .schema = STEPS(RUN("CREATE TABLE @rows (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)")),
	  .reset = STEPS(
		  RUN("DELETE FROM @rows"),
		  RUN("INSERT INTO @rows WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 "
	              "FROM g WHERE n < {N} + 1) SELECT n, 0 FROM g")),
	  .specials = SPECIALS(
		  { .strategy = STRATEGY_NAIVE,
	            .stores = BIT(STORE_PG),
	            .once = true,
	            .why = "each holds what the other wants: after deadlock_timeout one is killed, "
	                   "and "
	                   "its client gets the error",
	            .steps = STEPS(ROWS_CROSSED, RUN("BEGIN"), ADD_ROW("a"), THINK, ADD_ROW("b"),
	                           RUN("COMMIT")) },
		  { .strategy = STRATEGY_NAIVE,
	            .stores = BIT(STORE_SQLITE),
	            .once = true,
	            .why = "SQLite's form of it: two have read, both want to write; one is refused "
	                   "at "
	                   "once, its client gets the error",
	            .steps = STEPS(ROWS_CROSSED, RUN("BEGIN"),
	                           RUN("SELECT n FROM @rows WHERE id = {a}"), THINK, ADD_ROW("a"),
	                           ADD_ROW("b"), RUN("COMMIT")) },
		  { .strategy = STRATEGY_MUTEX,
	            .steps = STEPS(ROWS_CROSSED, LOCK("0"), RUN("BEGIN"), ADD_ROW("a"), THINK,
	                           ADD_ROW("b"), RUN("COMMIT")) },
		  { .strategy = STRATEGY_ROW_LOCK,
	            .stores = BIT(STORE_SQLITE),
	            .why = "BEGIN IMMEDIATE: the file is taken before anything is read, so nobody "
	                   "waits "
	                   "for somebody who waits",
	            .steps = STEPS(ROWS_CROSSED, RUN("BEGIN IMMEDIATE"), ADD_ROW("a"), THINK,
	                           ADD_ROW("b"), RUN("COMMIT")) },
		  { .strategy = STRATEGY_RETRY,
	            .stores = BIT(STORE_PG),
	            .steps = STEPS(ROWS_CROSSED, RUN("BEGIN"), ADD_ROW("a"), THINK, ADD_ROW("b"),
	                           RUN("COMMIT")) },
		  { .strategy = STRATEGY_RETRY,
	            .stores = BIT(STORE_SQLITE),
	            .why = "the same, tried again by whoever was refused",
	            .steps = STEPS(ROWS_CROSSED, RUN("BEGIN"),
	                           RUN("SELECT n FROM @rows WHERE id = {a}"), THINK, ADD_ROW("a"),
	                           ADD_ROW("b"), RUN("COMMIT")) },
		  { .strategy = STRATEGY_ORDERED,
	            .stores = BIT(STORE_PG),
	            .steps = STEPS(ROWS_ORDERED, RUN("BEGIN"), ADD_ROW("a"), THINK, ADD_ROW("b"),
	                           RUN("COMMIT")) },
		  { .strategy = STRATEGY_NOWAIT,
	            .stores = BIT(STORE_PG),
	            .steps = STEPS(ROWS_CROSSED, RUN("BEGIN"),
	                           RUN("SELECT n FROM @rows WHERE id = {a} FOR UPDATE NOWAIT"),
	                           THINK,
	                           RUN("SELECT n FROM @rows WHERE id = {b} FOR UPDATE NOWAIT"),
	                           ADD_ROW("a"), ADD_ROW("b"), RUN("COMMIT")) }),
	  .check = STEPS(ASK("e", "SELECT SUM(n) FROM @rows"), COUNT("failed", "{G}"),
	                 COUNT("lost", "{D} + {D} - {e}")) },
	{ .stores = BIT(STORE_HTTP),
	  .reset = STEPS(RUN("PUT /v1/accounts/@1\n{\"unit\":\"@u\",\"floor\":null}"),
	                 RUN("PUT /v1/accounts/@2\n{\"unit\":\"@u\",\"floor\":null}")),
	  .specials = SPECIALS(
		  { .strategy = STRATEGY_PAWL,
	            .why = "one transaction with both transfers: what it needs is taken in one "
	                   "order",
	            .steps = STEPS(
			    CALC("a", "1 + {d}"), CALC("b", "2 - {d}"),
			    RUN("POST /v1/tx key=@{i}\n{\"ops\":[{\"op\":\"transfer\",\"from\":"
	                        "\"@{a}\",\"to\":\"@{b}\",\"amount\":2},{\"op\":\"transfer\","
	                        "\"from\":\"@{b}\",\"to\":\"@{a}\",\"amount\":1}]}")) }),
	  .check = STEPS(FETCH("a", "/balance", "GET /v1/accounts/@1"),
	                 FETCH("b", "/balance", "GET /v1/accounts/@2"), COUNT("failed", "{G}"),
	                 COUNT("lost", "{a} + {b}"), COUNT("lost", "0 - {a} - {b}")) },
	{ .stores = 0 },
};

const struct incident pawl__incident_deadlock = {
	.name = "deadlock",
	.summary = "two clients change the same two rows in opposite order",
	.promise = "nobody gets an error for it, and nothing is lost",
	.unit = "changes",
	.repeat = 1,
	.parts = deadlock,
};
