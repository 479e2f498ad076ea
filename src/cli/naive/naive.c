/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/naive/naive.h"

#include <pthread.h>
#include <sqlite3.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"

#define BUSY_TIMEOUT_MS 5000

#define SCHEMA                                                                                     \
	"CREATE TABLE items (sku TEXT PRIMARY KEY, stock INTEGER NOT NULL);"                       \
	"CREATE TABLE orders (id INTEGER PRIMARY KEY, sku TEXT NOT NULL, buyer INTEGER NOT NULL);"

enum statement { SQL_BEGIN, SQL_READ, SQL_ORDER, SQL_STOCK, SQL_COMMIT, SQL_ROLLBACK, SQL_COUNT };

static const struct {
	const char *name;
	const char *begin; /* NULL = no transaction around the statements */
} strategies[NAIVE_STRATEGIES] = {
	[NAIVE_STATEMENTS] = { "read, then write", NULL },
	[NAIVE_DEFERRED] = { "BEGIN, retry on BUSY", "BEGIN" },
	[NAIVE_IMMEDIATE] = { "BEGIN IMMEDIATE", "BEGIN IMMEDIATE" },
};

struct sale {
	const struct naive_config *config;
	enum naive_strategy strategy;
	pthread_barrier_t start;
	_Atomic int64_t next; /* buyer */
	int64_t end_us;       /* written before the barrier */
};

struct seller {
	struct sale *sale;
	pthread_t thread;
	sqlite3 *db;
	sqlite3_stmt *sql[SQL_COUNT];
	struct naive_result result;
};

static void seller_close(struct seller *s)
{
	for (int i = 0; i < SQL_COUNT; i++)
		(void)sqlite3_finalize(s->sql[i]);
	(void)sqlite3_close(s->db);
}

static int db_open(const char *path, sqlite3 **ret)
{
	int rc = sqlite3_open_v2(
		path, ret, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_busy_timeout(*ret, BUSY_TIMEOUT_MS);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(*ret, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL", NULL,
		                  NULL, NULL);
	return rc;
}

static int seller_open(struct seller *s)
{
	const char *begin = strategies[s->sale->strategy].begin;
	const char *const texts[SQL_COUNT] = {
		[SQL_BEGIN] = begin == NULL ? "SELECT 1" : begin,
		[SQL_READ] = "SELECT stock FROM items WHERE sku = 'last'",
		[SQL_ORDER] = "INSERT INTO orders (sku, buyer) VALUES ('last', ?1)",
		[SQL_STOCK] = "UPDATE items SET stock = ?1 WHERE sku = 'last'",
		[SQL_COMMIT] = "COMMIT",
		[SQL_ROLLBACK] = "ROLLBACK",
	};
	int rc = db_open(s->sale->config->path, &s->db);

	for (int i = 0; i < SQL_COUNT && rc == SQLITE_OK; i++)
		rc = sqlite3_prepare_v2(s->db, texts[i], -1, &s->sql[i], NULL);
	return rc;
}

/* One step of a statement that gives at most one row; its first column when there is one. */
static int run(struct seller *s, enum statement which, int64_t argument, int64_t *ret_column)
{
	sqlite3_stmt *sql = s->sql[which];
	int rc;

	if (sqlite3_bind_parameter_count(sql) == 1)
		(void)sqlite3_bind_int64(sql, 1, argument);
	rc = sqlite3_step(sql);
	if (rc == SQLITE_ROW && ret_column != NULL)
		*ret_column = sqlite3_column_int64(sql, 0);
	if (rc == SQLITE_ROW || rc == SQLITE_DONE)
		rc = SQLITE_OK;
	(void)sqlite3_reset(sql);
	return rc;
}

/* The heart of every strategy. SQLITE_DONE: sold out. */
static int sell(struct seller *s, int64_t buyer)
{
	int64_t stock = 0;
	int rc = run(s, SQL_READ, 0, &stock);

	if (rc != SQLITE_OK)
		return rc;
	if (stock <= 0)
		return SQLITE_DONE;
	/* What an application does here: check the basket, ask for the price, render a template. */
	(void)sqlite3_sleep((int)(s->sale->config->think_us / 1000));
	rc = run(s, SQL_ORDER, buyer, NULL);
	if (rc == SQLITE_OK)
		rc = run(s, SQL_STOCK, stock - 1, NULL);
	return rc;
}

static int attempt(struct seller *s, int64_t buyer)
{
	int rc;

	if (strategies[s->sale->strategy].begin == NULL)
		return sell(s, buyer);
	rc = run(s, SQL_BEGIN, 0, NULL);
	if (rc != SQLITE_OK)
		return rc;
	rc = sell(s, buyer);
	if (rc == SQLITE_OK)
		rc = run(s, SQL_COMMIT, 0, NULL);
	if (sqlite3_get_autocommit(s->db) == 0)
		(void)run(s, SQL_ROLLBACK, 0, NULL);
	return rc;
}

static void serve_buyer(struct seller *s, int64_t buyer)
{
	int rc = attempt(s, buyer);

	for (int i = 0; i < NAIVE_RETRIES_MAX && (rc & 0xff) == SQLITE_BUSY; i++) {
		s->result.retries++;
		rc = attempt(s, buyer);
	}
	s->result.tried++;
	if (rc == SQLITE_OK)
		s->result.sold++;
	else if (rc == SQLITE_DONE)
		s->result.refused++;
	else
		s->result.failed++;
}

static void *seller_main(void *arg)
{
	struct seller *s = arg;
	struct sale *sale = s->sale;
	const atomic_bool *cancel = sale->config->cancel;

	(void)pthread_barrier_wait(&sale->start);
	while (pawl__clock_mono_us() < sale->end_us && (cancel == NULL || !atomic_load(cancel))) {
		const int64_t buyer = atomic_fetch_add(&sale->next, 1);

		if (buyer >= sale->config->buyers)
			break;
		serve_buyer(s, buyer);
	}
	return NULL;
}

static int ask(sqlite3 *db, const char *sql, int64_t *ret)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

	if (rc == SQLITE_OK) {
		rc = sqlite3_step(stmt) == SQLITE_ROW ? SQLITE_OK : SQLITE_ERROR;
		*ret = sqlite3_column_int64(stmt, 0);
	}
	(void)sqlite3_finalize(stmt);
	return rc;
}

static int schema_create(const struct naive_config *config)
{
	sqlite3_stmt *stmt = NULL;
	sqlite3 *db = NULL;
	int rc = db_open(config->path, &db);

	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, SCHEMA, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(db, "INSERT INTO items VALUES ('last', ?1)", -1, &stmt,
		                        NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(stmt, 1, config->stock);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt) == SQLITE_DONE ? SQLITE_OK : SQLITE_ERROR;
	(void)sqlite3_finalize(stmt);
	(void)sqlite3_close(db);
	return rc;
}

/* Open all, then start all: a seller that cannot be opened must not leave others at the barrier. */
static int sellers_open(struct seller *sellers, struct sale *sale)
{
	int rc = SQLITE_OK;

	for (uint32_t i = 0; i < sale->config->threads && rc == SQLITE_OK; i++) {
		sellers[i].sale = sale;
		rc = seller_open(&sellers[i]);
	}
	return rc;
}

static void sellers_run(struct seller *sellers, struct sale *sale, struct naive_result *sum)
{
	const uint32_t n = sale->config->threads;
	int64_t begun_us;

	INVARIANT(pthread_barrier_init(&sale->start, NULL, n + 1) == 0);
	for (uint32_t i = 0; i < n; i++)
		INVARIANT(pthread_create(&sellers[i].thread, NULL, seller_main, &sellers[i]) == 0);
	begun_us = pawl__clock_mono_us();
	sale->end_us = begun_us + sale->config->budget_us;
	(void)pthread_barrier_wait(&sale->start);
	for (uint32_t i = 0; i < n; i++) {
		INVARIANT(pthread_join(sellers[i].thread, NULL) == 0);
		sum->tried += sellers[i].result.tried;
		sum->sold += sellers[i].result.sold;
		sum->refused += sellers[i].result.refused;
		sum->failed += sellers[i].result.failed;
		sum->retries += sellers[i].result.retries;
	}
	sum->elapsed_us = pawl__clock_mono_us() - begun_us;
	(void)pthread_barrier_destroy(&sale->start);
}

const char *pawl__naive_name(enum naive_strategy strategy)
{
	return strategies[strategy].name;
}

enum pawl_status pawl__naive_run(enum naive_strategy strategy, const struct naive_config *config,
                                 struct naive_result *ret, struct pawl_error *err)
{
	struct seller sellers[NAIVE_THREADS_MAX] = { 0 };
	struct sale sale = { .config = config, .strategy = strategy };
	struct naive_result result = { 0 };
	int rc;

	PRE(config->threads >= 1 && config->threads <= NAIVE_THREADS_MAX);
	rc = schema_create(config);
	if (rc == SQLITE_OK)
		rc = sellers_open(sellers, &sale);
	if (rc == SQLITE_OK) {
		sellers_run(sellers, &sale, &result);
		rc = ask(sellers[0].db, "SELECT count(*) FROM orders", &result.orders);
	}
	if (rc == SQLITE_OK)
		rc = ask(sellers[0].db, "SELECT stock FROM items", &result.stock_shown);
	for (uint32_t i = 0; i < config->threads; i++)
		seller_close(&sellers[i]);
	if (rc != SQLITE_OK)
		return pawl__error_native(err, PAWL_E_IO, rc, "plain SQLite: %s",
		                          sqlite3_errstr(rc));
	*ret = result;
	return PAWL_OK;
}
