/* SPDX-License-Identifier: Apache-2.0 */
/* What goes through the writer's VFS is what another connection, on SQLite's own VFS, finds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/assert.h"
#include "store/sqlite/vfs.h"

struct files {
	char dir[32];
	char path[64];
	struct writer_vfs vfs;
	sqlite3 *writer, *other;
};

static void run(sqlite3 *db, const char *sql)
{
	char *text = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &text) != SQLITE_OK)
		fail_msg("%s: %s", sql, text);
}

static int64_t number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *q;
	int64_t n;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &q, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(q), SQLITE_ROW);
	n = sqlite3_column_int64(q, 0);
	assert_int_equal(sqlite3_finalize(q), SQLITE_OK);
	return n;
}

static int setup(void **state)
{
	struct files *f = calloc(1, sizeof(*f));
	struct pawl_error err;

	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/pawl-vfs-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(f->path, sizeof(f->path), "%s/t.db", f->dir);
	assert_int_equal(pawl__vfs_register(&f->vfs, NULL, &err), PAWL_OK);
	assert_true(f->vfs.map);
	assert_int_equal(sqlite3_open_v2(f->path, &f->writer,
	                                 SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, f->vfs.name),
	                 SQLITE_OK);
	run(f->writer, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
	               "PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = 16;"
	               "CREATE TABLE t (k INTEGER PRIMARY KEY, v BLOB);");
	assert_int_equal(sqlite3_open_v2(f->path, &f->other, SQLITE_OPEN_READWRITE, NULL),
	                 SQLITE_OK);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	static const char *const suffixes[] = { "", "-wal", "-shm" };
	struct files *f = *state;
	char path[80];

	assert_int_equal(sqlite3_close(f->other), SQLITE_OK);
	assert_int_equal(sqlite3_close(f->writer), SQLITE_OK);
	pawl__vfs_unregister(&f->vfs);
	assert_null(sqlite3_vfs_find(f->vfs.name));
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", f->path, suffixes[i]);
		(void)unlink(path);
	}
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

/* n rows of a page each, in one transaction. */
static void insert(struct files *f, int n)
{
	char sql[160];

	(void)snprintf(
		sql, sizeof(sql),
		"WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d)"
		" INSERT INTO t (v) SELECT randomblob(4000) FROM c",
		n);
	run(f->writer, sql);
}

static void test_vfs__commits_of_any_size_are_found_by_others(void **state)
{
	/* Around the 128 KiB that SQLite's VFS takes at once and what is gathered; larger ones
	 * also spill, because the cache is small. */
	static const int sizes[] = { 1, 15, 16, 17, 31, 32, 33, 64, 250, 256, 257, 600 };
	struct files *f = *state;
	int64_t rows = 0;

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		insert(f, sizes[i]);
		rows += sizes[i];
		assert_int_equal(number(f->other, "SELECT count(*) FROM t WHERE length(v) = 4000"),
		                 rows);
	}
	assert_int_equal(number(f->other, "SELECT count(*) FROM pragma_integrity_check WHERE "
	                                  "integrity_check = 'ok'"),
	                 1);
}

static void test_vfs__checkpoints_move_every_page(void **state)
{
	struct files *f = *state;
	int64_t rows = 0;

	for (int round = 0; round < 6; round++) {
		insert(f, 20 << round);
		rows += 20 << round;
		run(f->writer, "UPDATE t SET v = randomblob(4000) WHERE k % 7 = 0");
		assert_int_equal(sqlite3_wal_checkpoint_v2(f->writer, NULL,
		                                           round == 3 ? SQLITE_CHECKPOINT_TRUNCATE
		                                                      : SQLITE_CHECKPOINT_PASSIVE,
		                                           NULL, NULL),
		                 SQLITE_OK);
		assert_int_equal(number(f->other, "SELECT count(*) FROM t"), rows);
		assert_int_equal(number(f->other,
		                        "SELECT count(*) FROM pragma_integrity_check WHERE "
		                        "integrity_check = 'ok'"),
		                 1);
	}
}

static void test_vfs__a_checkpoint_cut_short_by_a_reader_shows_it_nothing_wrong(void **state)
{
	struct files *f = *state;

	insert(f, 40);
	run(f->other, "BEGIN");
	assert_int_equal(number(f->other, "SELECT count(*) FROM t"), 40);
	insert(f, 40);
	assert_int_equal(
		sqlite3_wal_checkpoint_v2(f->writer, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL),
		SQLITE_OK);
	assert_int_equal(number(f->other, "SELECT count(*) FROM t WHERE length(v) = 4000"), 40);
	run(f->other, "COMMIT");
	assert_int_equal(number(f->other, "SELECT count(*) FROM t WHERE length(v) = 4000"), 80);
}

static void test_vfs__a_foreign_truncation_of_the_wal_does_no_harm(void **state)
{
	struct files *f = *state;

	insert(f, 100);
	/* The writer maps the WAL here. */
	assert_int_equal(
		sqlite3_wal_checkpoint_v2(f->writer, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL),
		SQLITE_OK);
	assert_int_equal(
		sqlite3_wal_checkpoint_v2(f->other, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL),
		SQLITE_OK);
	insert(f, 30);
	assert_int_equal(number(f->writer, "SELECT count(*) FROM t WHERE length(v) = 4000"), 130);
	assert_int_equal(
		sqlite3_wal_checkpoint_v2(f->writer, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL),
		SQLITE_OK);
	assert_int_equal(number(f->other, "SELECT count(*) FROM t WHERE length(v) = 4000"), 130);
}

static void test_vfs_register__unknown_base_is_refused(void **state)
{
	struct writer_vfs v;
	struct pawl_error err;

	(void)state;
	assert_int_equal(pawl__vfs_register(&v, "no-such-vfs", &err), PAWL_E_CONFIG);
	pawl__vfs_unregister(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_vfs__commits_of_any_size_are_found_by_others,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(test_vfs__checkpoints_move_every_page, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(
			test_vfs__a_checkpoint_cut_short_by_a_reader_shows_it_nothing_wrong, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			test_vfs__a_foreign_truncation_of_the_wal_does_no_harm, setup, teardown),
		cmocka_unit_test(test_vfs_register__unknown_base_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
