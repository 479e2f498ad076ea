/* SPDX-License-Identifier: Apache-2.0 */
#include "race/builtin/incidents.h"

/* ---- oversell ---- */

static const struct parts oversell[] = {
	{ .stores = SQL_STORES,
	  .schema =
	          STEPS(RUN("CREATE TABLE @items (id BIGINT PRIMARY KEY, stock BIGINT NOT NULL, "
	                    "version BIGINT NOT NULL)"),
	                RUN("CREATE TABLE @orders (id BIGINT PRIMARY KEY, buyer BIGINT NOT NULL)"),
	                RUN("CREATE TABLE @units (id BIGINT PRIMARY KEY, buyer BIGINT)")),
	  .reset = STEPS(RUN("DELETE FROM @items"), RUN("DELETE FROM @orders"),
	                 RUN("DELETE FROM @units"), RUN("INSERT INTO @items VALUES (1, {S}, 1)"),
	                 RUN("INSERT INTO @units (id) WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL "
	                     "SELECT n + 1 FROM g WHERE n < {S}) SELECT n FROM g")),
	  .read = STEPS(ASK("av", "SELECT stock, version FROM @items WHERE id = 1{L}"),
	                REFUSE_IF("{a} < 1"), CALC("b", "{a} - 1")),
	  .write = STEPS(RUN("UPDATE @items SET stock = {b}, version = version + 1 WHERE id = 1"),
	                 RUN("INSERT INTO @orders VALUES ({i}, {c})")),
	  .versioned =
	          STEPS(RUN("UPDATE @items SET stock = {b}, version = version + 1 WHERE id = 1 "
	                    "AND version = {v}"),
	                RETRY_IF("{n} = 0"), RUN("INSERT INTO @orders VALUES ({i}, {c})")),
	  .atomic = STEPS(
		  RUN("UPDATE @items SET stock = stock - 1, version = version + 1 WHERE id = 1 "
	              "AND stock >= 1"),
		  REFUSE_IF("{n} = 0"), RUN("INSERT INTO @orders VALUES ({i}, {c})")),
	  .specials = SPECIALS(
		  { .strategy = STRATEGY_SKIP_LOCKED,
	            .stores = BIT(STORE_PG),
	            .steps = STEPS(RUN("BEGIN"),
	                           ASK("a", "SELECT id FROM @units WHERE buyer IS NULL ORDER BY id "
	                                    "LIMIT 1 FOR UPDATE SKIP LOCKED"),
	                           REFUSE_IF("{n} = 0"), THINK,
	                           RUN("UPDATE @units SET buyer = {i} WHERE id = {a}"),
	                           RUN("INSERT INTO @orders VALUES ({i}, {c})"), RUN("COMMIT")) }),
	  .after =
	          STEPS(RUN("UPDATE @items SET stock = (SELECT COUNT(*) FROM @units WHERE buyer IS "
	                    "NULL) WHERE EXISTS (SELECT 1 FROM @units WHERE buyer IS NOT NULL)")),
	  .check = STEPS(ASK("ab",
	                     "SELECT (SELECT COUNT(*) FROM @orders), stock FROM @items WHERE id = "
	                     "1"),
	                 COUNT("oversold", "{a} - {S}"), COUNT("lost", "{S} - {a} - {b}"),
	                 COUNT("lost", "{a} + {b} - {S}"), COUNT("missing orders", "{D} - {a}")) },
	{ .stores = BIT(STORE_REDIS),
	  .reset = STEPS(RUN("SET @stock {S}"), RUN("DEL @orders")),
	  .read = STEPS(ASK("a", "GET @stock"), REFUSE_IF("{a} < 1"), CALC("b", "{a} - 1")),
	  .write = STEPS(RUN("SET @stock {b}"), RUN("RPUSH @orders {i}")),
	  .watch = "WATCH @stock",
	  .lua = STEPS(ASK("a",
	                   "EVAL 'if tonumber(redis.call(\"GET\", KEYS[1])) < 1 then return 0 end "
	                   "redis.call(\"DECR\", KEYS[1]) redis.call(\"RPUSH\", KEYS[2], ARGV[1]) "
	                   "return 1' 2 @stock @orders {i}"),
	               REFUSE_IF("{a} = 0")),
	  .specials = SPECIALS(
		  { .strategy = STRATEGY_ATOMIC,
	            .why = "DECR, and INCR again when it went below zero: each is atomic; for a "
	                   "moment "
	                   "readers see a negative stock",
	            .steps = STEPS(ASK("a", "DECR @stock"), RUN_WHEN("{a} < 0", "INCR @stock"),
	                           REFUSE_IF("{a} < 0"), RUN("RPUSH @orders {i}")) }),
	  .check = STEPS(ASK("ab",
	                     "EVAL 'return {redis.call(\"LLEN\", KEYS[1]), redis.call(\"GET\", "
	                     "KEYS[2])}' 2 @orders @stock"),
	                 COUNT("oversold", "{a} - {S}"), COUNT("lost", "{S} - {a} - {b}"),
	                 COUNT("lost", "{a} + {b} - {S}"), COUNT("missing orders", "{D} - {a}")) },
	{ .stores = BIT(STORE_HTTP),
	  .reset = STEPS(RUN("PUT /v1/items/@item\n{\"stock\":{S}}"),
	                 RUN("PUT /v1/records/@stock\n{\"n\":{S}}")),
	  .read = STEPS(FETCH("av", "/n ETag", "GET /v1/records/@stock"), REFUSE_IF("{a} < 1"),
	                CALC("b", "{a} - 1")),
	  .write = STEPS(RUN("PUT /v1/records/@stock if=*\n{\"n\":{b}}")),
	  .versioned =
	          STEPS(RUN("PUT /v1/records/@stock if={v}\n{\"n\":{b}}"), RETRY_IF("{s} = 412")),
	  .atomic = STEPS(RUN("POST /v1/orders key=@{i}\n{\"lines\":[{\"sku\":\"@item\","
	                      "\"quantity\":1}]}"),
	                  REFUSE_IF("{s} = 409")),
	  .check =
	          STEPS(FETCH("ax", "/sold /available", "GET /v1/items/@item"),
	                FETCH("b", "/n", "GET /v1/records/@stock"), COUNT("oversold", "{D} - {S}"),
	                COUNT("lost", "{D} - {a} - {S} + {b}"),
	                COUNT("lost", "{a} + {S} - {b} - {D}"), COUNT("lost", "{S} - {a} - {x}")) },
	{ .stores = 0 },
};

const struct incident pawl__incident_oversell = {
	.name = "oversell",
	.summary = "many buyers, fewer items than buyers: stock is read, checked and written back",
	.promise = "orders never exceed the stock, and the stock says what is left",
	.unit = "orders",
	.size_share = 50,
	.repeat = 3,
	.parts = oversell,
};

/* ---- last-item ---- */

static const struct parts last_item[] = {
	{ .stores = SQL_STORES,
	  .schema = STEPS(RUN("CREATE TABLE @items (id BIGINT PRIMARY KEY, owner BIGINT NOT NULL, "
	                      "version BIGINT NOT NULL)"),
	                  RUN("CREATE TABLE @receipts (buyer BIGINT PRIMARY KEY)"),
	                  RUN("CREATE TABLE @owners (item BIGINT PRIMARY KEY, owner BIGINT)")),
	  .reset = STEPS(RUN("DELETE FROM @items"), RUN("DELETE FROM @receipts"),
	                 RUN("DELETE FROM @owners"), RUN("INSERT INTO @items VALUES (1, 0, 1)")),
	  .read = STEPS(ASK("av", "SELECT owner, version FROM @items WHERE id = 1{L}"),
	                REFUSE_IF("{a} != 0")),
	  .write = STEPS(RUN("UPDATE @items SET owner = {i}, version = version + 1 WHERE id = 1"),
	                 RUN("INSERT INTO @receipts VALUES ({i})")),
	  .versioned =
	          STEPS(RUN("UPDATE @items SET owner = {i}, version = version + 1 WHERE id = 1 "
	                    "AND version = {v}"),
	                RETRY_IF("{n} = 0"), RUN("INSERT INTO @receipts VALUES ({i})")),
	  .atomic =
	          STEPS(RUN("UPDATE @items SET owner = {i}, version = version + 1 WHERE id = 1 AND "
	                    "owner = 0"),
	                REFUSE_IF("{n} = 0"), RUN("INSERT INTO @receipts VALUES ({i})")),
	  .specials = SPECIALS(
		  { .strategy = STRATEGY_CONSTRAINT,
	            .steps = STEPS(RUN("BEGIN"), RUN("INSERT INTO @owners VALUES (1, {i})"),
	                           RUN("INSERT INTO @receipts VALUES ({i})"), RUN("COMMIT")) }),
	  .check = STEPS(ASK("a", "SELECT COUNT(*) FROM @receipts"), COUNT("doubled", "{a} - 1"),
	                 COUNT("unsold", "1 - {a}"), COUNT("missing receipts", "{D} - {a}")) },
	{ .stores = BIT(STORE_REDIS),
	  .reset = STEPS(RUN("DEL @owner @receipts")),
	  .read = STEPS(RUN("GET @owner"), REFUSE_IF("{n} = 1")),
	  .write = STEPS(RUN("SET @owner {i}"), RUN("RPUSH @receipts {i}")),
	  .watch = "WATCH @owner",
	  .atomic =
	          STEPS(RUN("SET @owner {i} NX"), REFUSE_IF("{n} = 0"), RUN("RPUSH @receipts {i}")),
	  .lua = STEPS(ASK("a",
	                   "EVAL 'if redis.call(\"EXISTS\", KEYS[1]) == 1 then return 0 end "
	                   "redis.call(\"SET\", KEYS[1], ARGV[1]) redis.call(\"RPUSH\", KEYS[2], "
	                   "ARGV[1]) return 1' 2 @owner @receipts {i}"),
	               REFUSE_IF("{a} = 0")),
	  .check = STEPS(ASK("a", "LLEN @receipts"), COUNT("doubled", "{a} - 1"),
	                 COUNT("unsold", "1 - {a}"), COUNT("missing receipts", "{D} - {a}")) },
	{ .stores = BIT(STORE_HTTP),
	  .reset = STEPS(RUN("PUT /v1/items/@item\n{\"stock\":1}"),
	                 RUN("PUT /v1/records/@item\n{\"owner\":0}")),
	  .read = STEPS(FETCH("av", "/owner ETag", "GET /v1/records/@item"), REFUSE_IF("{a} != 0")),
	  .write = STEPS(RUN("PUT /v1/records/@item if=*\n{\"owner\":{i}}")),
	  .versioned = STEPS(RUN("PUT /v1/records/@item if={v}\n{\"owner\":{i}}"),
	                     RETRY_IF("{s} = 412")),
	  .atomic = STEPS(RUN("POST /v1/orders key=@{i}\n{\"lines\":[{\"sku\":\"@item\","
	                      "\"quantity\":1}]}"),
	                  REFUSE_IF("{s} = 409")),
	  .check = STEPS(COUNT("doubled", "{D} - 1"), COUNT("unsold", "1 - {D}")) },
	{ .stores = 0 },
};

const struct incident pawl__incident_last_item = {
	.name = "last-item",
	.summary = "one item, everybody wants it",
	.promise = "exactly one buyer gets it",
	.unit = "orders",
	.repeat = 1,
	.model = "cas-register",
	.first = "\"f\":\"write\",\"value\":0",
	.invoke = "\"f\":\"cas\",\"value\":[0,{i}]",
	.ok = "\"f\":\"cas\",\"value\":[0,{i}]",
	.parts = last_item,
};

/* ---- double-submit ---- */

static const struct parts double_submit[] = {
	{ .stores = SQL_STORES,
	  .schema = STEPS(
		  RUN("CREATE TABLE @payments (id BIGINT PRIMARY KEY, request BIGINT NOT NULL, "
	              "amount BIGINT NOT NULL)"),
		  RUN("CREATE TABLE @payments_once (id BIGINT PRIMARY KEY, request BIGINT NOT "
	              "NULL UNIQUE, amount BIGINT NOT NULL)"),
		  RUN("CREATE TABLE @customers (id BIGINT PRIMARY KEY)")),
	  .reset = STEPS(RUN("DELETE FROM @payments"), RUN("DELETE FROM @payments_once"),
	                 RUN("DELETE FROM @customers"), RUN("INSERT INTO @customers VALUES (1)")),
	  .read = STEPS(RUN("SELECT id FROM @payments WHERE request = {k}{L}"),
	                REFUSE_IF("{n} > 0")),
	  .write = STEPS(RUN("INSERT INTO @payments VALUES ({i}, {k}, 10)")),
	  .specials = SPECIALS(
		  { .strategy = STRATEGY_ROW_LOCK,
	            .stores = BIT(STORE_PG),
	            .wrong = true,
	            .why = "FOR UPDATE locks rows that are there; the one that matters is not "
	                   "there "
	                   "yet",
	            .steps = STEPS(RUN("BEGIN"),
	                           RUN("SELECT id FROM @payments WHERE request = {k} FOR UPDATE"),
	                           REFUSE_IF("{n} > 0"), THINK,
	                           RUN("INSERT INTO @payments VALUES ({i}, {k}, 10)"),
	                           RUN("COMMIT")) },
		  { .strategy = STRATEGY_PARENT_LOCK,
	            .stores = BIT(STORE_PG),
	            .steps = STEPS(
			    RUN("BEGIN"), RUN("SELECT id FROM @customers WHERE id = 1 FOR UPDATE"),
			    RUN("SELECT id FROM @payments WHERE request = {k}"),
			    REFUSE_IF("{n} > 0"), THINK,
			    RUN("INSERT INTO @payments VALUES ({i}, {k}, 10)"), RUN("COMMIT")) },
		  { .strategy = STRATEGY_CONSTRAINT,
	            .why = "UNIQUE on the request's key: the second is refused by the index",
	            .steps = STEPS(RUN("INSERT INTO @payments_once VALUES ({i}, {k}, 10)")) }),
	  .wrong = BIT(STRATEGY_REPEATABLE_READ),
	  .without = BIT(STRATEGY_NOWAIT),
	  .check = STEPS(ASK("ab",
	                     "SELECT COUNT(*), COUNT(DISTINCT request) FROM (SELECT request FROM "
	                     "@payments UNION ALL SELECT request FROM @payments_once) AS p"),
	                 COUNT("doubled", "{a} - {b}"), COUNT("lost", "{D} - {a}")) },
	{ .stores = BIT(STORE_REDIS),
	  .reset = STEPS(RUN("DEL @payments @once")),
	  .read = STEPS(ASK("a", "SISMEMBER @once {k}"), REFUSE_IF("{a} = 1")),
	  .write = STEPS(RUN("SADD @once {k}"), RUN("RPUSH @payments {k}")),
	  .watch = "WATCH @once",
	  .atomic = STEPS(ASK("a", "SADD @once {k}"), REFUSE_IF("{a} = 0"),
	                  RUN("RPUSH @payments {k}")),
	  .lua = STEPS(ASK("a",
	                   "EVAL 'if redis.call(\"SADD\", KEYS[1], ARGV[1]) == 0 then return 0 end "
	                   "redis.call(\"RPUSH\", KEYS[2], ARGV[1]) return 1' 2 @once @payments "
	                   "{k}"),
	               REFUSE_IF("{a} = 0")),
	  .check = STEPS(ASK("ab",
	                     "EVAL 'return {redis.call(\"LLEN\", KEYS[1]), redis.call(\"SCARD\", "
	                     "KEYS[2])}' 2 @payments @once"),
	                 COUNT("doubled", "{a} - {b}"), COUNT("lost", "{D} - {a}")) },
	{ .stores = BIT(STORE_HTTP),
	  .reset = STEPS(RUN("PUT /v1/items/@item\n{\"stock\":1000000}")),
	  .atomic = STEPS(RUN("POST /v1/orders key=@{k}\n{\"lines\":[{\"sku\":\"@item\","
	                      "\"quantity\":1}]}")),
	  .specials =
	          SPECIALS({ .strategy = STRATEGY_NAIVE,
	                     .why = "sends the order again without an Idempotency-Key: two orders",
	                     .steps = STEPS(RUN("POST /v1/orders\n{\"lines\":[{\"sku\":\"@item\","
	                                        "\"quantity\":1}]}")) }),
	  .check = STEPS(FETCH("a", "/sold", "GET /v1/items/@item"), COUNT("doubled", "{a} - {k}"),
	                 COUNT("lost", "{k} - {a}")) },
	{ .stores = 0 },
};

const struct incident pawl__incident_double_submit = {
	.name = "double-submit",
	.summary = "every payment is sent twice at once: a retry, an impatient click",
	.promise = "one payment for each request key",
	.unit = "payments",
	.repeat = 2,
	.parts = double_submit,
};
