/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite/vfs - fewer system calls for the writer: a layer between SQLite and the VFS below it.
 *
 *   writes to the WAL   A commit writes a header of 24 bytes and a page for each page that it
 *                       changed, one after the other. They are gathered and written at once, before
 *                       the sync.
 *   reads of the WAL    A checkpoint reads every page back. On the default VFS the WAL is mapped,
 *                       which the kernel keeps equal to what anybody writes, and read without a
 *                       call.
 *
 * Writes to the database file are passed on as they come: a checkpoint that a reader cut short is
 * published without a sync.
 *
 * Nothing is promised to SQLite that was not done: what is gathered is handed down before any sync,
 * read, truncation or close of the WAL, in the order in which it came, and a failure is the
 * result of that call. So what a sync promises has been written; what a crash may take is, as
 * before, what no sync has promised. Other connections and programs use the file as they always
 * do: they learn of a frame from the index of the WAL, which SQLite changes after the sync.
 *
 * Threads: those of the connection. Ownership: it outlives every connection opened through it.
 * Limits: VFS_GATHER_MAX bytes. A foreign program that truncates the WAL under a running server,
 * which SQLite allows, leaves a mapping that is longer than the file; nothing in an empty WAL is
 * asked for, and the next commits fill it again.
 */
#ifndef PAWL_STORE_SQLITE_VFS_H
#define PAWL_STORE_SQLITE_VFS_H

#include <sqlite3.h>
#include <stdbool.h>

#include "base/compiler.h"
#include "pawl/error.h"

#define VFS_GATHER_MAX ((size_t)1 << 20)
#define VFS_NAME_MAX   48

struct writer_vfs {
	sqlite3_vfs vfs; /* first: SQLite hands it back */
	sqlite3_vfs *below;
	char name[VFS_NAME_MAX];
	bool map; /* the VFS below keeps its files where they can be mapped */
};

/* Register v over the VFS `below` (NULL = the default) under v->name. E_CONFIG: there is no such
 * VFS. E_NOMEM. */
PAWL_MUST_CHECK enum pawl_status pawl__vfs_register(struct writer_vfs *v, const char *below,
                                                    struct pawl_error *err);

/* Take it away again; v may be one that was never registered (all zero). */
void pawl__vfs_unregister(struct writer_vfs *v);

#endif /* PAWL_STORE_SQLITE_VFS_H */
