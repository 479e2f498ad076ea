/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/sqlite.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/num.h"
#include "store/sqlite/audit.h"
#include "store/sqlite/file.h"
#include "store/sqlite/flush.h"
#include "store/sqlite/load.h"
#include "store/sqlite/schema.h"
#include "store/sqlite/vfs.h"

/* Pages of the WAL at which it is checkpointed: small and often keeps the tail of latency short. */
#define SQLITE_WAL_PAGES      1000
#define SQLITE_WAL_PAGES_IDLE 250

#define SQLITE_WAL_LONG       ((int64_t)256 << 20) /* bytes: something keeps it so */

struct sqlite_store {
	struct store base;
	struct place place;
	int64_t retention_us;
	bool read_only;
	struct place_look look; /* read_only: when it was opened */
	int lock_fd;            /* -1 = none */
	struct writer_vfs vfs;  /* the writer's */
	int64_t written_base;
	_Atomic int64_t commits;
	/* the lane's */
	struct conn writer;
	struct meta meta;      /* of the open transaction */
	struct meta committed; /* of the last one that committed */
	struct answers answers;
	int wal_pages; /* in the WAL after the last commit */
	int wal_next;  /* checkpoint when there are so many */
	int fatal;     /* extended code of the fault after which nothing is written; 0 = none */
	/* everybody's, one at a time */
	pthread_mutex_t reader_mu;
	struct conn reader;
};

static struct sqlite_store *sqlite_of(struct store *s)
{
	return CONTAINER_OF(s, struct sqlite_store, base);
}

static void mutex_lock(pthread_mutex_t *mu)
{
	INVARIANT(pthread_mutex_lock(mu) == 0);
}

static void mutex_unlock(pthread_mutex_t *mu)
{
	INVARIANT(pthread_mutex_unlock(mu) == 0);
}

/* A failed fsync, wherever it happened, is the last thing that this store has tried to write. */
static enum pawl_status sqlite_latch(struct sqlite_store *s, enum pawl_status st)
{
	const int rc = st == PAWL_OK ? SQLITE_OK : sqlite3_extended_errcode(s->writer.db);

	if (rc == SQLITE_IOERR_FSYNC || rc == SQLITE_IOERR_DIR_FSYNC)
		s->fatal = rc;
	return st;
}

static enum pawl_status sqlite_writable(const struct sqlite_store *s, struct pawl_error *err)
{
	if (s->read_only)
		return pawl__error_set(err, PAWL_E_UNSUPPORTED, "the store is open for reading");
	if (s->fatal != 0)
		return pawl__error_native(err, PAWL_E_IO, s->fatal,
		                          "the device has failed (%s); nothing more is written",
		                          sqlite3_errstr(s->fatal));
	return PAWL_OK;
}

/* Move the WAL into the file. What keeps it from that is passing, unless a sync fails. */
static enum pawl_status sqlite_checkpoint(struct sqlite_store *s, struct pawl_error *err)
{
	const int rc = sqlite3_wal_checkpoint_v2(s->writer.db, NULL, SQLITE_CHECKPOINT_PASSIVE,
	                                         NULL, NULL);
	enum pawl_status st;

	/* While a reader's snapshot keeps the WAL from its reset, do not try at each commit. */
	s->wal_next = s->wal_pages + SQLITE_WAL_PAGES;
	if (rc == SQLITE_OK || rc == SQLITE_BUSY)
		return PAWL_OK;
	st = sqlite_latch(s, pawl__conn_fail(&s->writer, rc, err));
	/* On a full disk, say, the WAL grows a little more. */
	return st == PAWL_E_IO || st == PAWL_E_CORRUPT ? st : PAWL_OK;
}

static enum conn_kind sqlite_reads_as(const struct sqlite_store *s)
{
	return s->look.still ? CONN_STILL : CONN_READER;
}

/* What was read from a file that nobody had open counts if still nobody has. */
static enum pawl_status sqlite_still(const struct sqlite_store *s, enum pawl_status st,
                                     struct pawl_error *err)
{
	if (!s->look.still || pawl__place_unchanged(&s->place, &s->look))
		return st;
	return pawl__error_set(err, PAWL_E_BUSY,
	                       "another process has opened the store meanwhile; open it again");
}

static int wal_hook(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct sqlite_store *s = arg;

	(void)db;
	(void)name;
	if (pages < s->wal_pages)
		s->wal_next = SQLITE_WAL_PAGES; /* it has been reset */
	s->wal_pages = pages;
	return SQLITE_OK;
}

static void op_rollback(struct store *base)
{
	pawl__conn_end(&sqlite_of(base)->writer, SQL_ROLLBACK);
}

static enum pawl_status sqlite_begin(struct sqlite_store *s, struct pawl_error *err)
{
	enum pawl_status st = pawl__conn_run(&s->writer, SQL_BEGIN, err);

	if (st != PAWL_OK)
		return st;
	st = pawl__meta_get(&s->writer, &s->meta, err);
	if (st == PAWL_OK && s->meta.answers_seq != s->answers.last_seq)
		st = pawl__error_set(err, PAWL_E_CORRUPT,
		                     "another program has written answers into the store");
	if (st != PAWL_OK)
		op_rollback(&s->base);
	pawl__answers_begin(&s->answers);
	return st;
}

static enum pawl_status op_begin(struct store *base, struct store_begin *ret,
                                 struct pawl_error *err)
{
	struct sqlite_store *s = sqlite_of(base);
	enum pawl_status st = sqlite_writable(s, err);

	/* Here, because under load nobody finds time for housekeep, and the answers of the previous
	 * batch are out. */
	if (st == PAWL_OK && s->wal_pages >= s->wal_next)
		st = sqlite_checkpoint(s, err);
	if (st == PAWL_OK)
		st = sqlite_latch(s, sqlite_begin(s, err));
	if (st == PAWL_OK)
		*ret = (struct store_begin){
			.real_us = pawl__clock_real_us(),
			.high_water_us = s->meta.high_water_us,
			.revision = s->meta.revision,
			.answers_seq = s->meta.answers_seq,
		};
	return st;
}

static enum pawl_status op_load(struct store *base, struct ws *ws, struct pawl_error *err)
{
	struct sqlite_store *s = sqlite_of(base);
	struct loader l = {
		.conn = &s->writer,
		.ws = ws,
		.retention_us = s->retention_us,
		.answers = &s->answers,
	};

	return sqlite_latch(s, pawl__load_wanted(&l, err));
}

static enum pawl_status op_expire(struct store *base, const struct ws_entry *account,
                                  int64_t now_us, int64_t revision, int64_t ret_freed_due[2],
                                  struct pawl_error *err)
{
	static const enum sql steps[] = { SQL_HOLDS_DUE, SQL_HOLDS_NEXT, SQL_HOLDS_EXPIRE };
	struct sqlite_store *s = sqlite_of(base);
	struct conn *c = &s->writer;
	int64_t freed = 0, next = 0;
	enum pawl_status st;

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		bind_i64(conn_stmt(c, steps[i]), 1, account->row.account.number);
		bind_i64(conn_stmt(c, steps[i]), 2, now_us);
	}
	bind_i64(conn_stmt(c, SQL_HOLDS_EXPIRE), 3, revision);
	st = pawl__conn_number(c, SQL_HOLDS_DUE, &freed, err);
	if (st == PAWL_OK)
		st = pawl__conn_number(c, SQL_HOLDS_NEXT, &next, err);
	if (st == PAWL_OK)
		st = pawl__conn_run(c, SQL_HOLDS_EXPIRE, err);
	if (st != PAWL_OK)
		return sqlite_latch(s, st);
	if (freed > account->row.account.held)
		return pawl__error_set(err, PAWL_E_CORRUPT, "an account holds less than its holds");
	s->meta.holds_live -= sqlite3_changes(c->db);
	ret_freed_due[0] = freed;
	ret_freed_due[1] = next;
	return PAWL_OK;
}

static enum pawl_status op_flush(struct store *base, struct ws *ws, struct pawl_error *err)
{
	struct sqlite_store *s = sqlite_of(base);
	struct meta *m = &s->meta;
	enum pawl_status st;

	PRE(ws->revision >= m->revision && ws->answers_seq >= m->answers_seq);
	m->revision = ws->revision;
	m->answers_seq = ws->answers_seq;
	if (ws->now_us > m->high_water_us)
		m->high_water_us = ws->now_us;
	st = pawl__flush_rows(&s->writer, m, ws, err);
	if (st == PAWL_OK)
		st = pawl__answers_flush(&s->answers, &s->writer, m, ws, 0, err);
	if (st == PAWL_OK)
		st = pawl__meta_set(&s->writer, m, err);
	return sqlite_latch(s, st);
}

/*
 * After a COMMIT that failed, is it certain that it has not happened? SQLite goes on without it,
 * but whoever opens the file next takes what is whole in the WAL.
 *  - The disk was full, or somebody had a lock: its last frame was not written whole.
 *  - A write failed: most likely the same. To be sure, an empty commit is written over it: the
 *    chain of checksums then ends there.
 *  - Anything else - a sync, the index of the WAL - comes behind the last frame: it may be found.
 */
static bool commit_undone(struct sqlite_store *s, int rc)
{
	struct conn *c = &s->writer;

	if ((rc & 0xff) == SQLITE_FULL || (rc & 0xff) == SQLITE_BUSY)
		return true;
	if (rc != SQLITE_IOERR_WRITE)
		return false;
	pawl__conn_end(c, SQL_ROLLBACK);
	if (pawl__conn_run(c, SQL_BEGIN, NULL) == PAWL_OK &&
	    pawl__meta_set(c, &s->committed, NULL) == PAWL_OK &&
	    pawl__conn_run(c, SQL_COMMIT, NULL) == PAWL_OK)
		return true;
	pawl__conn_end(c, SQL_ROLLBACK);
	return false;
}

static enum pawl_status op_commit(struct store *base, struct pawl_error *err)
{
	struct sqlite_store *s = sqlite_of(base);
	sqlite3_stmt *q = conn_stmt(&s->writer, SQL_COMMIT);
	const int rc = sqlite3_step(q);
	enum pawl_status st = PAWL_OK;

	if (rc != SQLITE_DONE)
		st = pawl__conn_fail(&s->writer, rc, err);
	(void)sqlite3_reset(q);
	if (rc == SQLITE_DONE) {
		s->committed = s->meta;
		pawl__answers_committed(&s->answers);
		atomic_fetch_add_explicit(&s->commits, 1, memory_order_relaxed);
		return PAWL_OK;
	}
	if (commit_undone(s, rc))
		return st;
	/* Nothing may be built on either outcome, and nobody is told one. */
	s->fatal = rc;
	return pawl__error_native(err, PAWL_E_OUTCOME_UNKNOWN, rc,
	                          "the commit failed in a way that leaves it open (%s)",
	                          sqlite3_errstr(rc));
}

static enum pawl_status op_outcome(struct store *base, int64_t revision, int64_t answers_seq,
                                   enum store_outcome *ret, struct pawl_error *err)
{
	struct sqlite_store *s = sqlite_of(base);

	(void)err;
	if (s->committed.revision >= revision && s->committed.answers_seq >= answers_seq)
		*ret = STORE_COMMITTED;
	else
		*ret = s->fatal != 0 ? STORE_NOT_KNOWN : STORE_NOT_COMMITTED;
	return PAWL_OK;
}

/* The memory of answers as it is for the snapshot that has just been taken, under its mutex: in the
 * time between, a run might have been finished that the snapshot does not have. */
static enum pawl_status read_probe(struct sqlite_store *s, struct ws *ws, struct answer_probe **ret,
                                   struct pawl_error *err)
{
	uint32_t len = 0;
	struct answer_probe *p;

	for (const struct ws_entry *e = ws->wanted; e != NULL; e = e->next)
		len += !e->loaded && e->kind == ROW_ANSWER;
	p = arena_array(ws->arena, struct answer_probe, len);
	*ret = p;
	for (const struct ws_entry *e = ws->wanted; e != NULL && p != NULL; e = e->next) {
		if (e->loaded || e->kind != ROW_ANSWER)
			continue;
		p->arena = ws->arena;
		if (!pawl__answers_probe(&s->answers,
		                         pawl__answers_hash(&s->answers, e->id, e->id2), p++))
			p = NULL;
	}
	if (p != NULL)
		return PAWL_OK;
	ws->failed = true;
	return pawl__error_set(err, PAWL_E_NOMEM, "the read is over its memory limit");
}

/* SQLite takes a snapshot at the first look, not at BEGIN. */
static enum pawl_status read_snapshot(struct sqlite_store *s, struct ws *ws,
                                      struct answer_probe **ret_probes, struct pawl_error *err)
{
	struct meta m;
	enum pawl_status st;

	mutex_lock(&s->answers.mu);
	st = pawl__meta_get(&s->reader, &m, err);
	if (st == PAWL_OK && !s->read_only)
		st = read_probe(s, ws, ret_probes, err);
	mutex_unlock(&s->answers.mu);
	if (st != PAWL_OK)
		return st;
	if (ws->now_us == 0)
		ws->now_us = pawl__clock_real_us();
	if (ws->now_us < m.high_water_us)
		ws->now_us = m.high_water_us;
	ws->revision = m.revision;
	return PAWL_OK;
}

static enum pawl_status op_read(struct store *base, struct ws *ws, struct pawl_error *err)
{
	struct sqlite_store *s = sqlite_of(base);
	struct answer_probe *probes = NULL;
	enum pawl_status st;

	mutex_lock(&s->reader_mu);
	st = pawl__conn_run(&s->reader, SQL_SNAPSHOT, err);
	if (st == PAWL_OK) {
		st = read_snapshot(s, ws, &probes, err);
		if (st == PAWL_OK) {
			struct loader l = {
				.conn = &s->reader,
				.ws = ws,
				.retention_us = s->retention_us,
				.answers = &s->answers,
				.probes = probes,
				.by_sql = s->read_only,
				.take_due = true,
			};

			st = pawl__load_wanted(&l, err);
		}
		pawl__conn_end(&s->reader, SQL_SNAPSHOT_END);
	}
	mutex_unlock(&s->reader_mu);
	return sqlite_still(s, st, err);
}

static enum pawl_status op_due(struct store *base, int64_t now_us, struct arena *arena,
                               struct store_due *ret, struct pawl_error *err)
{
	struct sqlite_store *s = sqlite_of(base);
	sqlite3_stmt *q = conn_stmt(&s->writer, SQL_ACCOUNTS_DUE);
	enum pawl_status st = sqlite_writable(s, err);
	uint32_t len = 0;
	bool row = true;

	if (st != PAWL_OK)
		return st;
	bind_i64(q, 1, now_us);
	bind_i64(q, 2, ret->max);
	while (st == PAWL_OK && row) {
		st = pawl__conn_row(&s->writer, SQL_ACCOUNTS_DUE, &row, err);
		if (st == PAWL_OK && row)
			ret->ids[len++] = pawl__arena_str(arena, column_str(q, 0));
	}
	if (st == PAWL_OK && arena->failed)
		st = pawl__error_set(err, PAWL_E_NOMEM,
		                     "the list of due accounts is over its limit");
	if (st == PAWL_OK)
		ret->len = len;
	return st;
}

/* The index of answers, when there are no batches to do it with. */
static enum pawl_status sqlite_upkeep(struct sqlite_store *s, struct pawl_error *err)
{
	enum pawl_status st = sqlite_latch(s, sqlite_begin(s, err));

	if (st != PAWL_OK)
		return st;
	st = pawl__answers_flush(&s->answers, &s->writer, &s->meta, NULL, ANSWERS_SLICE_IDLE, err);
	if (st == PAWL_OK)
		st = pawl__meta_set(&s->writer, &s->meta, err);
	st = sqlite_latch(s, st);
	if (st == PAWL_OK)
		st = op_commit(&s->base, err);
	if (st != PAWL_OK)
		op_rollback(&s->base);
	if (st == PAWL_E_OUTCOME_UNKNOWN)
		st = sqlite_writable(s, err); /* nobody waits for this one: the device has failed */
	return st;
}

static enum pawl_status op_housekeep(struct store *base, bool idle, struct pawl_error *err)
{
	struct sqlite_store *s = sqlite_of(base);
	const int pages = idle ? SQLITE_WAL_PAGES_IDLE : SQLITE_WAL_PAGES;
	enum pawl_status st;

	if (s->read_only)
		return PAWL_OK;
	st = sqlite_writable(s, err);
	if (st == PAWL_OK && s->wal_pages >= s->wal_next - SQLITE_WAL_PAGES + pages)
		st = sqlite_checkpoint(s, err);
	if (st == PAWL_OK && idle && pawl__answers_due(&s->answers, s->committed.high_water_us))
		st = sqlite_upkeep(s, err);
	return st;
}

static enum pawl_status op_audit(struct store *base, store_drift_fn drift, void *arg,
                                 struct store_audit *ret, struct pawl_error *err)
{
	struct sqlite_store *s = sqlite_of(base);
	const char *vfs = s->place.vfs[0] != '\0' ? s->place.vfs : NULL;
	struct conn c;
	enum pawl_status st = pawl__conn_open(&c, s->place.path, vfs, sqlite_reads_as(s), err);

	if (st != PAWL_OK)
		return st;
	st = pawl__conn_prepare(&c, CONN_READER, err);
	if (st == PAWL_OK)
		st = pawl__audit_run(&c, &s->answers, drift, arg, ret, err);
	pawl__conn_close(&c, false);
	return sqlite_still(s, st, err);
}

/* Bytes that this process has sent towards the disk, as the kernel counts. 0 = not known. */
static int64_t process_written(void)
{
	FILE *f = fopen("/proc/self/io", "re");
	char line[64];
	int64_t n = 0;

	if (f == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL) {
		struct str s = pawl__str_of(line);
		const struct str key = STR("write_bytes: ");

		if (!str_starts(s, key))
			continue;
		s = (struct str){ s.ptr + key.len, strcspn(s.ptr + key.len, "\n") };
		if (!pawl__num_parse_i64(s, &n))
			n = 0;
	}
	(void)fclose(f);
	return n;
}

/* https://sqlite.org/wal.html#walresetbug: 3.7.0 to 3.51.2, but for the fixes carried back. */
static bool wal_reset_bug(int version)
{
	return version < 3051003 && !(version >= 3050007 && version < 3051000) &&
	       !(version >= 3044006 && version < 3045000);
}

static enum pawl_status op_stats(struct store *base, struct store_stats *ret,
                                 struct pawl_error *err)
{
	struct sqlite_store *s = sqlite_of(base);
	const int64_t written = process_written();
	const int64_t wal_bytes = pawl__place_len(&s->place, "-wal");
	struct meta m;
	enum pawl_status st;

	mutex_lock(&s->reader_mu);
	st = pawl__meta_get(&s->reader, &m, err);
	mutex_unlock(&s->reader_mu);
	if (st != PAWL_OK)
		return st;
	*ret = (struct store_stats){
		.revision = m.revision,
		.accounts = m.accounts,
		.holds_live = m.holds_live,
		.orders = m.orders,
		.records = m.records,
		.events = m.events,
		.jobs = m.jobs,
		.answers = m.answers,
		.file_bytes = pawl__place_len(&s->place, ""),
		.wal_bytes = wal_bytes > 0 ? wal_bytes : 0,
		.written_bytes = written - s->written_base,
		.commits = atomic_load_explicit(&s->commits, memory_order_relaxed),
		.durability = "fsync (synchronous=FULL)",
	};
	(void)snprintf(ret->engine, sizeof(ret->engine), "SQLite %s (WAL-reset bug %s)",
	               sqlite3_libversion(),
	               wal_reset_bug(sqlite3_libversion_number())
	                       ? "avoided: one connection writes and checkpoints"
	                       : "fixed");
	return PAWL_OK;
}

static enum pawl_status op_examine(struct store *base, store_finding_fn found, void *arg,
                                   struct pawl_error *err)
{
	struct sqlite_store *s = sqlite_of(base);
	const int64_t wal_bytes = pawl__place_len(&s->place, "-wal");
	struct store_stats stats;
	const enum pawl_status st = op_stats(base, &stats, err);
	char text[192];

	if (st != PAWL_OK)
		return st;
	found(arg, FINDING_OK, "engine", stats.engine);
	if (s->fatal != 0)
		found(arg, FINDING_FAIL, "durability",
		      "the device has failed a sync: nothing more is written; start anew");
	else
		found(arg, FINDING_OK, "durability", stats.durability);
	found(arg, FINDING_OK, "writers", "one connection writes and checkpoints, this process's");
	(void)snprintf(text, sizeof(text), "%lld bytes, %lld of them in the WAL",
	               (long long)stats.file_bytes, (long long)stats.wal_bytes);
	found(arg, FINDING_OK, "size", text);
	if (wal_bytes > SQLITE_WAL_LONG) {
		(void)snprintf(text, sizeof(text),
		               "%lld bytes: a reader that does not end keeps it from the file",
		               (long long)wal_bytes);
		found(arg, FINDING_WARN, "wal", text);
	}
	return PAWL_OK;
}

static void op_clock(struct store *base, int64_t *ret_real_us, int64_t *ret_mono_us)
{
	(void)base;
	*ret_real_us = pawl__clock_real_us();
	*ret_mono_us = pawl__clock_mono_us();
}

static void op_close(struct store *base)
{
	struct sqlite_store *s = sqlite_of(base);

	if (s->writer.db != NULL)
		op_rollback(base);
	pawl__conn_close(&s->reader, false);
	/* After a fault the WAL is left to the next open: it has what was durable. */
	pawl__conn_close(&s->writer, s->fatal == 0);
	pawl__vfs_unregister(&s->vfs);
	pawl__answers_deinit(&s->answers);
	INVARIANT(pthread_mutex_destroy(&s->reader_mu) == 0);
	if (s->lock_fd >= 0)
		(void)close(s->lock_fd);
	free(s);
}

static const struct store_ops sqlite_ops = {
	.name = "sqlite",
	.caps = STORE_CAP_SINGLE_WRITER | STORE_CAP_DURABLE,
	.begin = op_begin,
	.load = op_load,
	.expire = op_expire,
	.flush = op_flush,
	.commit = op_commit,
	.rollback = op_rollback,
	.outcome = op_outcome,
	.read = op_read,
	.due = op_due,
	.housekeep = op_housekeep,
	.audit = op_audit,
	.stats = op_stats,
	.examine = op_examine,
	.clock = op_clock,
	.close = op_close,
};

static enum pawl_status open_writer(struct sqlite_store *s, struct pawl_error *err)
{
	const char *vfs = s->place.vfs[0] != '\0' ? s->place.vfs : NULL;
	enum pawl_status st = pawl__place_mkdir(&s->place, err);
	int rc;

	if (st == PAWL_OK)
		st = pawl__place_lock(&s->place, &s->lock_fd, err);
	if (st == PAWL_OK)
		st = pawl__vfs_register(&s->vfs, vfs, err);
	if (st == PAWL_OK)
		st = pawl__conn_open(&s->writer, s->place.path, s->vfs.name, CONN_WRITER, err);
	if (st == PAWL_OK)
		st = pawl__schema_upgrade(&s->writer, err);
	if (st != PAWL_OK)
		return st;
	/* Promise (1): a WAL whose sync failed may look well to this kernel, and only to it. */
	rc = sqlite3_wal_checkpoint_v2(s->writer.db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	if (rc != SQLITE_OK && rc != SQLITE_BUSY)
		return pawl__conn_fail(&s->writer, rc, err);
	(void)sqlite3_wal_hook(s->writer.db, wal_hook, s);
	st = pawl__conn_prepare(&s->writer, CONN_WRITER, err);
	if (st == PAWL_OK)
		st = pawl__meta_get(&s->writer, &s->committed, err);
	if (st == PAWL_OK)
		st = pawl__answers_open(&s->answers, &s->writer, err);
	return st;
}

static enum pawl_status open_reader(struct sqlite_store *s, struct pawl_error *err)
{
	const char *vfs = s->place.vfs[0] != '\0' ? s->place.vfs : NULL;
	enum pawl_status st;

	if (s->read_only)
		pawl__place_look(&s->place, &s->look);
	st = pawl__conn_open(&s->reader, s->place.path, vfs, sqlite_reads_as(s), err);
	if (st == PAWL_OK && s->read_only)
		st = pawl__schema_check(&s->reader, err);
	if (st == PAWL_OK)
		st = pawl__conn_prepare(&s->reader, CONN_READER, err);
	if (st == PAWL_OK && s->read_only)
		st = pawl__answers_open_bare(&s->answers, &s->reader, err);
	return st;
}

enum pawl_status pawl__sqlite_open(const char *place, const struct store_options *opt,
                                   const struct answers_tuning *tuning, struct store **ret,
                                   struct pawl_error *err)
{
	struct sqlite_store *s;
	enum pawl_status st;

	PRE(opt->retention_us > 0 && ret != NULL);
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for the store");
	s->base.ops = &sqlite_ops;
	s->retention_us = opt->retention_us;
	s->read_only = opt->read_only;
	s->lock_fd = -1;
	s->wal_next = SQLITE_WAL_PAGES;
	s->written_base = process_written();
	INVARIANT(pthread_mutex_init(&s->reader_mu, NULL) == 0);
	pawl__answers_init(&s->answers, tuning, opt->retention_us);
	st = pawl__place_parse(place, &s->place, err);
	if (st == PAWL_OK && !s->read_only)
		st = open_writer(s, err);
	if (st == PAWL_OK)
		st = open_reader(s, err);
	if (st != PAWL_OK) {
		op_close(&s->base);
		return st;
	}
	*ret = &s->base;
	return PAWL_OK;
}
