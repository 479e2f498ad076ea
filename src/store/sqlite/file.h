/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite/file - what surrounds the database file: its place, its directory, and the lock that lets
 * one pawl at a time write it.
 *
 * The lock is an open file description lock on PATH.lock, held until close; the kernel gives it up
 * when the process dies. (A lock on the database file itself is impossible: SQLite's own are the
 * kind that a close of any descriptor drops.) The file is left behind: removing it would race with
 * an opener. The pid in it is for people.
 */
#ifndef PAWL_STORE_SQLITE_FILE_H
#define PAWL_STORE_SQLITE_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/compiler.h"
#include "pawl/error.h"

#define PLACE_VFS_MAX 32

struct place {
	char path[PATH_MAX];
	char vfs[PLACE_VFS_MAX]; /* "" = the default */
};

/* PATH or PATH?vfs=NAME. E_CONFIG. */
PAWL_MUST_CHECK enum pawl_status pawl__place_parse(const char *text, struct place *ret,
                                                   struct pawl_error *err);

/* Make the missing directories above path, mode 0700. E_IO. */
PAWL_MUST_CHECK enum pawl_status pawl__place_mkdir(const struct place *p, struct pawl_error *err);

/* E_BUSY: somebody has it. E_IO. *ret_fd is closed to unlock. */
PAWL_MUST_CHECK enum pawl_status pawl__place_lock(const struct place *p, int *ret_fd,
                                                  struct pawl_error *err);

/* Bytes of the file PATH with this suffix; -1 = there is none. */
int64_t pawl__place_len(const struct place *p, const char *suffix);

/* How a file looks that nobody has open: there is no WAL beside it. */
struct place_look {
	bool still;
	struct stat file;
};

void pawl__place_look(const struct place *p, struct place_look *ret);

/* Nobody has written the file since it was looked at, nor begun to. */
bool pawl__place_unchanged(const struct place *p, const struct place_look *since);

#endif /* PAWL_STORE_SQLITE_FILE_H */
