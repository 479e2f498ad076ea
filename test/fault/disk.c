/* SPDX-License-Identifier: Apache-2.0 */
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/rng.h"

#define NAME      "disk"
#define SECTOR    512U
#define PATH_LEN  512U
#define FILES_MAX 16U

enum kind { KIND_CREATE, KIND_WRITE, KIND_TRUNCATE, KIND_DELETE };

/* Something that was done to a file and is not durable yet. */
struct pending {
	struct pending *next;
	enum kind kind;
	sqlite3_int64 at; /* offset of a write, length of a truncation */
	size_t len;
	unsigned char data[];
};

struct image {
	unsigned char *data; /* owned */
	size_t len, cap;
	bool exists;
};

struct name {
	char path[PATH_LEN];
	struct image durable;
	struct pending *first, **last; /* owned */
	bool exists;                   /* now, durable or not */
};

/* A file as SQLite holds it. */
struct file {
	sqlite3_file base;
	struct name *name;   /* NULL: a temporary file, which nothing rests on */
	sqlite3_file *inner; /* the default VFS's, behind this struct */
};

static struct {
	sqlite3_vfs vfs;
	sqlite3_vfs *inner;
	struct disk_plan plan;
	struct rng rng;
	struct name names[FILES_MAX];
	uint32_t names_len;
	uint64_t count, struck;
	bool dark;
} disk;

static bool kind_counts(enum disk_fault what)
{
	return disk.plan.fault == what;
}

/* Whether an operation that the fault counts is struck now. */
static bool strikes(void)
{
	disk.count++;
	if (disk.count < disk.plan.nth || disk.count - disk.plan.nth >= disk.plan.times)
		return false;
	disk.struck++;
	if (disk.plan.last)
		disk.dark = true;
	return true;
}

/* The same for the cut: every later operation fails. */
static bool cuts(void)
{
	if (disk.plan.fault == DISK_POWER_CUT && !disk.dark && strikes())
		disk.dark = true;
	return disk.dark;
}

static void image_reserve(struct image *im, size_t len)
{
	if (len > im->cap) {
		im->cap = len * 2;
		im->data = realloc(im->data, im->cap);
		INVARIANT(im->data != NULL);
	}
	if (len > im->len) {
		memset(im->data + im->len, 0, len - im->len);
		im->len = len;
	}
}

static void image_write(struct image *im, size_t at, const unsigned char *data, size_t len)
{
	if (len == 0)
		return;
	image_reserve(im, at + len);
	memcpy(im->data + at, data, len);
}

static void image_apply(struct image *im, const struct pending *p)
{
	switch (p->kind) {
	case KIND_CREATE:
		im->exists = true;
		im->len = 0;
		return;
	case KIND_DELETE:
		im->exists = false;
		im->len = 0;
		return;
	case KIND_TRUNCATE:
		image_reserve(im, (size_t)p->at);
		im->len = (size_t)p->at;
		return;
	case KIND_WRITE:
		image_write(im, (size_t)p->at, p->data, p->len);
		return;
	}
	UNREACHABLE();
}

static void pend(struct name *n, enum kind kind, sqlite3_int64 at, const void *data, size_t len)
{
	struct pending *p = calloc(1, sizeof(*p) + len);

	INVARIANT(p != NULL && at >= 0);
	p->kind = kind;
	p->at = at;
	p->len = len;
	if (len > 0)
		memcpy(p->data, data, len);
	*n->last = p;
	n->last = &p->next;
}

static void name_settle(struct name *n, bool apply)
{
	while (n->first != NULL) {
		struct pending *p = n->first;

		n->first = p->next;
		if (apply)
			image_apply(&n->durable, p);
		free(p);
	}
	n->last = &n->first;
}

/* What the directory says is durable: files that are gone are, and those that are there keep what
 * was written to them pending. */
static void name_settle_names(struct name *n)
{
	struct pending *last = NULL;

	for (struct pending *p = n->first; p != NULL; p = p->next) {
		if (p->kind == KIND_CREATE || p->kind == KIND_DELETE)
			last = p;
	}
	while (last != NULL) {
		struct pending *p = n->first;

		n->first = p->next;
		if (p->kind == KIND_CREATE || p->kind == KIND_DELETE)
			image_apply(&n->durable, p);
		if (p == last)
			last = NULL;
		free(p);
	}
	if (n->first == NULL)
		n->last = &n->first;
}

/* SQLite syncs the directory with the first sync of a journal or WAL that it has made. */
static void file_settle(struct name *n)
{
	bool is_new = false;

	for (const struct pending *p = n->first; p != NULL; p = p->next)
		is_new = is_new || p->kind == KIND_CREATE;
	name_settle(n, true);
	for (uint32_t i = 0; i < disk.names_len && is_new; i++)
		name_settle_names(&disk.names[i]);
}

static void name_load(struct name *n)
{
	const int fd = open(n->path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0) {
		INVARIANT(errno == ENOENT);
		return;
	}
	INVARIANT(fstat(fd, &st) == 0);
	n->exists = n->durable.exists = true;
	if (st.st_size > 0) {
		image_reserve(&n->durable, (size_t)st.st_size);
		INVARIANT(read(fd, n->durable.data, n->durable.len) == st.st_size);
	}
	(void)close(fd);
}

static struct name *name_of(const char *path)
{
	struct name *n;

	for (uint32_t i = 0; i < disk.names_len; i++) {
		if (strcmp(disk.names[i].path, path) == 0)
			return &disk.names[i];
	}
	INVARIANT(disk.names_len < FILES_MAX && strlen(path) < PATH_LEN);
	n = &disk.names[disk.names_len++];
	(void)snprintf(n->path, sizeof(n->path), "%s", path);
	n->last = &n->first;
	name_load(n);
	return n;
}

static struct file *file_of(sqlite3_file *f)
{
	return (struct file *)(void *)f;
}

static int file_close(sqlite3_file *f)
{
	sqlite3_file *in = file_of(f)->inner;

	return in->pMethods != NULL ? in->pMethods->xClose(in) : SQLITE_OK;
}

static int file_read(sqlite3_file *f, void *to, int len, sqlite3_int64 at)
{
	sqlite3_file *in = file_of(f)->inner;

	if (disk.dark || (kind_counts(DISK_READ_FAILS) && strikes()))
		return SQLITE_IOERR_READ;
	return in->pMethods->xRead(in, to, len, at);
}

static int write_through(struct file *f, const void *from, int len, sqlite3_int64 at)
{
	int rc;

	if (len == 0)
		return SQLITE_OK;
	rc = f->inner->pMethods->xWrite(f->inner, from, len, at);
	if (rc == SQLITE_OK && f->name != NULL)
		pend(f->name, KIND_WRITE, at, from, (size_t)len);
	return rc;
}

/* The struck write: how much of it is done, and what is said of it. */
static int write_struck(struct file *f, const void *from, int len, sqlite3_int64 at)
{
	const int part = (int)pawl__rng_below(&disk.rng, (uint64_t)len);

	switch (disk.plan.fault) {
	case DISK_WRITE_SHORT:
		(void)write_through(f, from, part, at);
		return SQLITE_IOERR_WRITE;
	case DISK_WRITE_LIES:
		(void)write_through(f, from, len, at);
		return SQLITE_IOERR_WRITE;
	case DISK_FULL:
		(void)write_through(f, from, part, at);
		return SQLITE_FULL;
	case DISK_SOUND:
	case DISK_WRITE_FAILS:
	case DISK_SYNC_FAILS:
	case DISK_TRUNCATE_FAILS:
	case DISK_OPEN_FAILS:
	case DISK_READ_FAILS:
	case DISK_POWER_CUT:
		return SQLITE_IOERR_WRITE;
	}
	UNREACHABLE();
}

static int file_write(sqlite3_file *file, const void *from, int len, sqlite3_int64 at)
{
	struct file *f = file_of(file);
	const bool was_dark = disk.dark;

	if (cuts()) {
		/* The write that met the cut may have reached the disk, or a part of it. */
		if (!was_dark && f->name != NULL)
			pend(f->name, KIND_WRITE, at, from, (size_t)len);
		return SQLITE_IOERR_WRITE;
	}
	if ((kind_counts(DISK_WRITE_FAILS) || kind_counts(DISK_WRITE_SHORT) ||
	     kind_counts(DISK_WRITE_LIES) || kind_counts(DISK_FULL)) &&
	    strikes())
		return write_struck(f, from, len, at);
	return write_through(f, from, len, at);
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 len)
{
	struct file *f = file_of(file);
	int rc;

	if (cuts() || (kind_counts(DISK_TRUNCATE_FAILS) && strikes()))
		return SQLITE_IOERR_TRUNCATE;
	rc = f->inner->pMethods->xTruncate(f->inner, len);
	if (rc == SQLITE_OK && f->name != NULL)
		pend(f->name, KIND_TRUNCATE, len, NULL, 0);
	return rc;
}

static int file_sync(sqlite3_file *file, int flags)
{
	struct file *f = file_of(file);
	const bool was_dark = disk.dark;

	(void)flags;
	if (cuts()) {
		if (!was_dark && f->name != NULL && pawl__rng_below(&disk.rng, 2) == 0)
			file_settle(f->name);
		return SQLITE_IOERR_FSYNC;
	}
	if (kind_counts(DISK_SYNC_FAILS) && strikes())
		return SQLITE_IOERR_FSYNC;
	/* A sync that comes after a failed one says yes, and what was lost stays lost. */
	if (f->name != NULL && !(kind_counts(DISK_SYNC_FAILS) && disk.struck > 0))
		file_settle(f->name);
	return SQLITE_OK;
}

static int file_size(sqlite3_file *f, sqlite3_int64 *ret)
{
	sqlite3_file *in = file_of(f)->inner;

	return in->pMethods->xFileSize(in, ret);
}

static int file_lock(sqlite3_file *f, int level)
{
	sqlite3_file *in = file_of(f)->inner;

	return in->pMethods->xLock(in, level);
}

static int file_unlock(sqlite3_file *f, int level)
{
	sqlite3_file *in = file_of(f)->inner;

	return in->pMethods->xUnlock(in, level);
}

static int file_locked(sqlite3_file *f, int *ret)
{
	sqlite3_file *in = file_of(f)->inner;

	return in->pMethods->xCheckReservedLock(in, ret);
}

static int file_control(sqlite3_file *f, int op, void *arg)
{
	sqlite3_file *in = file_of(f)->inner;

	return in->pMethods->xFileControl(in, op, arg);
}

static int file_sector(sqlite3_file *f)
{
	(void)f;
	return (int)SECTOR;
}

static int file_traits(sqlite3_file *f)
{
	(void)f;
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int file_shm_map(sqlite3_file *f, int page, int len, int extend, void volatile **ret)
{
	sqlite3_file *in = file_of(f)->inner;

	return in->pMethods->xShmMap(in, page, len, extend, ret);
}

static int file_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
	sqlite3_file *in = file_of(f)->inner;

	return in->pMethods->xShmLock(in, at, n, flags);
}

static void file_shm_barrier(sqlite3_file *f)
{
	sqlite3_file *in = file_of(f)->inner;

	in->pMethods->xShmBarrier(in);
}

static int file_shm_unmap(sqlite3_file *f, int delete)
{
	sqlite3_file *in = file_of(f)->inner;

	return in->pMethods->xShmUnmap(in, delete);
}

static const sqlite3_io_methods file_methods = {
	.iVersion = 2, /* 3 has xFetch: memory-mapped reads would pass by */
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_unlock,
	.xCheckReservedLock = file_locked,
	.xFileControl = file_control,
	.xSectorSize = file_sector,
	.xDeviceCharacteristics = file_traits,
	.xShmMap = file_shm_map,
	.xShmLock = file_shm_lock,
	.xShmBarrier = file_shm_barrier,
	.xShmUnmap = file_shm_unmap,
};

static int disk_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *ret)
{
	struct file *f = file_of(file);
	const bool temporary = path == NULL || (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
	int rc;

	(void)vfs;
	*f = (struct file){ .inner = (sqlite3_file *)(void *)(f + 1) };
	if (disk.dark || (kind_counts(DISK_OPEN_FAILS) && strikes()))
		return SQLITE_CANTOPEN;
	f->name = temporary ? NULL : name_of(path);
	rc = disk.inner->xOpen(disk.inner, path, f->inner, flags, ret);
	if (rc == SQLITE_OK && f->name != NULL && !f->name->exists) {
		pend(f->name, KIND_CREATE, 0, NULL, 0);
		f->name->exists = true;
	}
	if (f->inner->pMethods != NULL)
		f->base.pMethods = &file_methods;
	return rc;
}

static int disk_delete(sqlite3_vfs *vfs, const char *path, int sync)
{
	struct name *n = name_of(path);
	int rc;

	(void)vfs;
	if (cuts())
		return SQLITE_IOERR_DELETE;
	rc = disk.inner->xDelete(disk.inner, path, 0);
	if (rc == SQLITE_OK) {
		pend(n, KIND_DELETE, 0, NULL, 0);
		n->exists = false;
		if (sync != 0)
			name_settle(n, true);
	}
	return rc;
}

static int disk_access(sqlite3_vfs *vfs, const char *path, int flags, int *ret)
{
	(void)vfs;
	return disk.inner->xAccess(disk.inner, path, flags, ret);
}

static int disk_full_path(sqlite3_vfs *vfs, const char *path, int len, char *ret)
{
	(void)vfs;
	return disk.inner->xFullPathname(disk.inner, path, len, ret);
}

static void disk_register(void)
{
	if (disk.inner != NULL)
		return;
	disk.inner = sqlite3_vfs_find(NULL);
	INVARIANT(disk.inner != NULL);
	disk.vfs = *disk.inner; /* clock, randomness, errors: as they are */
	disk.vfs.szOsFile = (int)sizeof(struct file) + disk.inner->szOsFile;
	disk.vfs.zName = NAME;
	disk.vfs.pNext = NULL;
	disk.vfs.xOpen = disk_open;
	disk.vfs.xDelete = disk_delete;
	disk.vfs.xAccess = disk_access;
	disk.vfs.xFullPathname = disk_full_path;
	INVARIANT(sqlite3_vfs_register(&disk.vfs, 0) == SQLITE_OK);
}

static void disk_forget(void)
{
	for (uint32_t i = 0; i < disk.names_len; i++) {
		name_settle(&disk.names[i], false);
		free(disk.names[i].durable.data);
		disk.names[i] = (struct name){ .exists = false };
	}
	disk.names_len = 0;
}

void pawl__disk_reset(const struct disk_plan *plan)
{
	disk_register();
	disk_forget();
	disk.plan = *plan;
	rng_init(&disk.rng, plan->seed);
	disk.count = disk.struck = 0;
	disk.dark = false;
}

void pawl__disk_heal(void)
{
	PRE(!disk.dark);
	disk.plan.times = 0;
}

uint64_t pawl__disk_struck(void)
{
	return disk.struck;
}

uint64_t pawl__disk_count(void)
{
	return disk.count;
}

bool pawl__disk_dark(void)
{
	return disk.dark;
}

/* A part of a write, as sectors reach the medium: each or none. */
static void write_torn(struct image *im, const struct pending *p)
{
	size_t at = 0;

	while (at < p->len) {
		const size_t pos = (size_t)p->at + at;
		size_t len = SECTOR - pos % SECTOR;

		if (len > p->len - at)
			len = p->len - at;
		if (pawl__rng_below(&disk.rng, 2) == 0)
			image_write(im, pos, p->data + at, len);
		at += len;
	}
}

/* How much of what was not durable is there: one temper for the whole cut, so that both "nothing"
 * and "all" come often. */
enum temper { TEMPER_NONE, TEMPER_ALL, TEMPER_SOME, TEMPER_TORN, TEMPERS };

static void lose_some(struct image *im, const struct pending *p, enum temper temper)
{
	const uint64_t dice = pawl__rng_below(&disk.rng, 4);

	if (temper == TEMPER_NONE || (temper != TEMPER_ALL && dice == 0))
		return;
	if (temper == TEMPER_TORN && dice == 1 && p->kind == KIND_WRITE)
		write_torn(im, p);
	else if (temper != TEMPER_SOME || dice >= 2)
		image_apply(im, p);
}

static void image_store(const struct image *im, const char *path)
{
	int fd;

	if (unlink(path) != 0)
		INVARIANT(errno == ENOENT);
	if (!im->exists)
		return;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	INVARIANT(fd >= 0);
	if (im->len > 0)
		INVARIANT(write(fd, im->data, im->len) == (ssize_t)im->len);
	INVARIANT(close(fd) == 0);
}

static void name_lose(struct name *n, enum temper temper)
{
	uint64_t names = 0, kept;

	for (const struct pending *p = n->first; p != NULL; p = p->next)
		names += p->kind == KIND_CREATE || p->kind == KIND_DELETE;
	kept = pawl__rng_below(&disk.rng, names + 1);
	for (const struct pending *p = n->first; p != NULL; p = p->next) {
		if (p->kind != KIND_CREATE && p->kind != KIND_DELETE)
			lose_some(&n->durable, p, temper);
		else if (kept-- > 0)
			image_apply(&n->durable, p);
		else
			break; /* what follows was done to a file that has no name */
	}
	name_settle(n, false);
	image_store(&n->durable, n->path);
}

void pawl__disk_lose(void)
{
	const enum temper temper = (enum temper)pawl__rng_below(&disk.rng, TEMPERS);

	for (uint32_t i = 0; i < disk.names_len; i++) {
		char shm[PATH_LEN + sizeof("-shm")];

		name_lose(&disk.names[i], temper);
		(void)snprintf(shm, sizeof(shm), "%s-shm", disk.names[i].path);
		(void)unlink(shm);
	}
}
