/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a user would write by hand on SQLite, for comparison in the same run:
 *
 *   baseline tx --threads N    one order per transaction: claim of the key, conditional stock
 *                              update, order row, event row; BEGIN IMMEDIATE, text keys
 *   baseline batch --batch N   the ceiling of any design on SQLite: N orders per transaction, each
 *                              one appended row that holds key, fingerprint, answer and event, the
 *                              stock updated once; no look-up of keys, no checks
 *
 * Both: WAL, synchronous=FULL, prepared statements. One JSON line on stdout.
 */
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hist.h"
#include "base/rng.h"
#include "proc.h"

#define THREADS_MAX      64
#define KEY_LEN          32
#define ANSWER_LEN       150
#define EVENT_LEN        200
#define CHECKPOINT_PAGES "1000"

struct run {
	const char *path;
	int threads;
	int batch;
	double seconds;
};

struct worker {
	const struct run *run;
	pthread_t thread;
	uint64_t seed;
	uint64_t orders;
	uint64_t failed;
	struct hist latency_us;
};

static char filler[EVENT_LEN];

static void must(int rc, sqlite3 *db, const char *what)
{
	if (rc == SQLITE_OK || rc == SQLITE_DONE || rc == SQLITE_ROW)
		return;
	bench_fail(what, sqlite3_errmsg(db));
}

static sqlite3 *open_db(const char *path)
{
	sqlite3 *db;

	must(sqlite3_open(path, &db), NULL, "open");
	must(sqlite3_busy_timeout(db, 60000), db, "busy_timeout");
	must(sqlite3_exec(db,
	                  "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
	                  "PRAGMA wal_autocheckpoint=" CHECKPOINT_PAGES ";"
	                  "PRAGMA cache_size=-32768;",
	                  NULL, NULL, NULL),
	     db, "pragma");
	return db;
}

static void make_schema(const char *path)
{
	sqlite3 *db = open_db(path);

	must(sqlite3_exec(
		     db,
		     "CREATE TABLE stock(sku TEXT PRIMARY KEY, n INTEGER CHECK (n >= 0)) STRICT;"
		     "INSERT INTO stock VALUES('hot', 1000000000);"
		     "CREATE TABLE answer(key TEXT PRIMARY KEY, fingerprint BLOB, body TEXT) "
		     "STRICT;"
		     "CREATE TABLE orders(id INTEGER PRIMARY KEY, sku TEXT, n INTEGER) STRICT;"
		     "CREATE TABLE event(id INTEGER PRIMARY KEY, body TEXT) STRICT;"
		     "CREATE TABLE log(id INTEGER PRIMARY KEY, key TEXT, fingerprint BLOB,"
		     "                 answer TEXT, event TEXT) STRICT;",
		     NULL, NULL, NULL),
	     db, "schema");
	(void)sqlite3_close(db);
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *st;

	must(sqlite3_prepare_v2(db, sql, -1, &st, NULL), db, sql);
	return st;
}

/* Step to the end and reset; the result is checked in reset. */
static int run_stmt(sqlite3 *db, sqlite3_stmt *st)
{
	const int rc = sqlite3_step(st);

	if (rc != SQLITE_BUSY)
		must(rc, db, "step");
	(void)sqlite3_reset(st);
	return rc;
}

static void make_key(struct rng *r, char key[KEY_LEN + 1])
{
	(void)snprintf(key, KEY_LEN + 1, "%016llx%016llx", (unsigned long long)pawl__rng_next(r),
	               (unsigned long long)pawl__rng_next(r));
}

static void *worker_tx(void *arg)
{
	struct worker *w = arg;
	sqlite3 *db = open_db(w->run->path);
	sqlite3_stmt *begin = prepare(db, "BEGIN IMMEDIATE"), *commit = prepare(db, "COMMIT");
	sqlite3_stmt *claim = prepare(db, "INSERT INTO answer VALUES(?1, ?2, ?3)");
	sqlite3_stmt *take = prepare(db, "UPDATE stock SET n = n - 1 WHERE sku = 'hot' AND n >= 1");
	sqlite3_stmt *order = prepare(db, "INSERT INTO orders(sku, n) VALUES('hot', 1)");
	sqlite3_stmt *event = prepare(db, "INSERT INTO event(body) VALUES(?1)");
	const int64_t until_us = pawl__clock_mono_us() + (int64_t)(w->run->seconds * 1e6);
	char key[KEY_LEN + 1];
	struct rng r;
	int64_t t;

	rng_init(&r, w->seed);
	while ((t = pawl__clock_mono_us()) < until_us) {
		make_key(&r, key);
		(void)sqlite3_bind_text(claim, 1, key, KEY_LEN, SQLITE_STATIC);
		(void)sqlite3_bind_blob(claim, 2, filler, 32, SQLITE_STATIC);
		(void)sqlite3_bind_text(claim, 3, filler, ANSWER_LEN, SQLITE_STATIC);
		(void)sqlite3_bind_text(event, 1, filler, EVENT_LEN, SQLITE_STATIC);
		if (run_stmt(db, begin) == SQLITE_BUSY) {
			w->failed++;
			continue;
		}
		(void)run_stmt(db, claim);
		(void)run_stmt(db, take);
		(void)run_stmt(db, order);
		(void)run_stmt(db, event);
		(void)run_stmt(db, commit);
		w->orders++;
		pawl__hist_put(&w->latency_us, (uint64_t)(pawl__clock_mono_us() - t));
	}
	sqlite3_stmt *const all[] = { begin, commit, claim, take, order, event };
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		(void)sqlite3_finalize(all[i]);
	(void)sqlite3_close(db);
	return NULL;
}

static void *worker_batch(void *arg)
{
	struct worker *w = arg;
	sqlite3 *db = open_db(w->run->path);
	sqlite3_stmt *begin = prepare(db, "BEGIN IMMEDIATE"), *commit = prepare(db, "COMMIT");
	sqlite3_stmt *log = prepare(
		db, "INSERT INTO log(key, fingerprint, answer, event) VALUES(?1, ?2, ?3, ?4)");
	sqlite3_stmt *take =
		prepare(db, "UPDATE stock SET n = n - ?1 WHERE sku = 'hot' AND n >= ?1");
	const int64_t until_us = pawl__clock_mono_us() + (int64_t)(w->run->seconds * 1e6);
	char key[KEY_LEN + 1];
	struct rng r;
	int64_t t;

	rng_init(&r, w->seed);
	while ((t = pawl__clock_mono_us()) < until_us) {
		(void)run_stmt(db, begin);
		for (int i = 0; i < w->run->batch; i++) {
			make_key(&r, key);
			(void)sqlite3_bind_text(log, 1, key, KEY_LEN, SQLITE_STATIC);
			(void)sqlite3_bind_blob(log, 2, filler, 32, SQLITE_STATIC);
			(void)sqlite3_bind_text(log, 3, filler, ANSWER_LEN, SQLITE_STATIC);
			(void)sqlite3_bind_text(log, 4, filler, EVENT_LEN, SQLITE_STATIC);
			(void)run_stmt(db, log);
		}
		(void)sqlite3_bind_int(take, 1, w->run->batch);
		(void)run_stmt(db, take);
		(void)run_stmt(db, commit);
		w->orders += (uint64_t)w->run->batch;
		pawl__hist_put(&w->latency_us, (uint64_t)(pawl__clock_mono_us() - t));
	}
	sqlite3_stmt *const all[] = { begin, commit, log, take };
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		(void)sqlite3_finalize(all[i]);
	(void)sqlite3_close(db);
	return NULL;
}

static void report(const char *name, const struct run *run, struct worker *workers, double took,
                   const struct proc_use *before)
{
	static struct hist all;
	uint64_t orders = 0, failed = 0;

	for (int i = 0; i < run->threads; i++) {
		orders += workers[i].orders;
		failed += workers[i].failed;
		pawl__hist_merge(&all, &workers[i].latency_us);
	}
	const double n = orders == 0 ? 1 : (double)orders;
	const struct proc_use now = proc_use(0);

	(void)printf(
		"{\"name\":\"%s\",\"threads\":%d,\"batch\":%d,\"orders\":%llu,\"failed\":%llu,"
		"\"seconds\":%.3f,\"per_s\":%.0f,\"p50_us\":%llu,\"p99_us\":%llu,\"p999_us\":%llu,"
		"\"cpu_us\":%.2f,\"bytes\":%.0f}\n",
		name, run->threads, run->batch, (unsigned long long)orders,
		(unsigned long long)failed, took, (double)orders / took,
		(unsigned long long)pawl__hist_quantile(&all, 0.5),
		(unsigned long long)pawl__hist_quantile(&all, 0.99),
		(unsigned long long)pawl__hist_quantile(&all, 0.999),
		(now.cpu_s - before->cpu_s) * 1e6 / n, (double)(now.written - before->written) / n);
}

int main(int argc, char **argv)
{
	struct run run = { .path = NULL, .threads = 1, .batch = 1, .seconds = 3 };
	static struct worker workers[THREADS_MAX];
	const char *mode = argc > 1 ? argv[1] : "";
	struct proc_use before;
	int64_t start_us;

	for (int i = 2; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--threads") == 0)
			run.threads = (int)strtol(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--batch") == 0)
			run.batch = (int)strtol(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--seconds") == 0)
			run.seconds = strtod(argv[i + 1], NULL);
		else if (strcmp(argv[i], "--file") == 0)
			run.path = argv[i + 1];
	}
	if ((strcmp(mode, "tx") != 0 && strcmp(mode, "batch") != 0) || run.path == NULL ||
	    run.threads < 1 || run.threads > THREADS_MAX || run.batch < 1) {
		(void)fprintf(stderr,
		              "usage: baseline tx|batch --file NEW.db [--threads N] [--batch N]"
		              " [--seconds S]\n");
		return 2;
	}
	memset(filler, 'x', sizeof(filler));
	make_schema(run.path);
	before = proc_use(0);
	start_us = pawl__clock_mono_us();
	for (int i = 0; i < run.threads; i++) {
		workers[i].run = &run;
		workers[i].seed = (uint64_t)i * 7919 + 1;
		if (pthread_create(&workers[i].thread, NULL,
		                   strcmp(mode, "tx") == 0 ? worker_tx : worker_batch,
		                   &workers[i]) != 0)
			return 1;
	}
	for (int i = 0; i < run.threads; i++)
		(void)pthread_join(workers[i].thread, NULL);
	report(mode, &run, workers, (double)(pawl__clock_mono_us() - start_us) / 1e6, &before);
	return 0;
}
