/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault/disk - a SQLite VFS named "disk": the default one, as an unreliable machine would run it.
 *
 *   SOUND --- the planned operation comes ---> BROKEN (some operations fail) --- healed ---> SOUND
 *     |                                           |
 *     +--------- power is cut --------------------+---> DARK (every operation fails)
 *
 * It fails the nth operation of a kind, or cuts the power at the nth operation of any kind. It
 * also remembers, for every file, what a sync has made durable and what was done since. After a cut
 * pawl__disk_lose puts in the place of each file what a real disk may hold then: the durable image
 * with any part of the later operations, whole or torn at sectors, in any order.
 *
 * What the model assumes, as SQLite does by default: a write harms no byte outside its range; a
 * sync of a file makes the file durable with its name and its length; names come and go in order,
 * and a deletion is durable once the directory was synced.
 *
 * It syncs nothing itself: a run lasts as long as its computation. Threads: one. One disk for each
 * process.
 */
#ifndef FAULT_DISK_H
#define FAULT_DISK_H

#include <stdbool.h>
#include <stdint.h>

enum disk_fault {
	DISK_SOUND,
	DISK_WRITE_FAILS, /* SQLITE_IOERR_WRITE, nothing written */
	DISK_WRITE_SHORT, /* SQLITE_IOERR_WRITE, a part written */
	DISK_WRITE_LIES,  /* SQLITE_IOERR_WRITE, yet all of it written */
	DISK_FULL,        /* SQLITE_FULL, a part written */
	DISK_SYNC_FAILS,  /* SQLITE_IOERR_FSYNC: what it should have made durable may never be */
	DISK_TRUNCATE_FAILS,
	DISK_OPEN_FAILS,
	DISK_READ_FAILS,
	DISK_POWER_CUT, /* at the nth write, truncation, sync or deletion */
};

#define DISK_FOR_EVER UINT64_MAX

struct disk_plan {
	enum disk_fault fault;
	uint64_t nth;   /* the first operation of the fault's kind that it strikes; from 1 */
	uint64_t times; /* how many in a row */
	uint64_t seed;  /* of what is torn and lost */
	bool last;      /* the process does nothing to the disk after it: it is killed right then */
};

/* Register the VFS and forget every file: what the disk holds now is durable. */
void pawl__disk_reset(const struct disk_plan *plan);

/* Operations go well again. Not in the dark: that needs a reset. */
void pawl__disk_heal(void);

/* How often the fault has struck. */
uint64_t pawl__disk_struck(void);

/* Operations of the kind that the plan counts, since the reset. */
uint64_t pawl__disk_count(void);

/* The power has been cut, or the process killed. */
bool pawl__disk_dark(void);

/* Rewrite every file to what may be left of it. Nothing may have it open. */
void pawl__disk_lose(void);

#endif /* FAULT_DISK_H */
