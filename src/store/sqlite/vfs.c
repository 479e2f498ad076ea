/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/vfs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/error.h"

/* SQLite asks for a page at a time, so its VFS for Unix takes the length modulo 128 KiB. */
#define WRITE_MAX ((size_t)1 << 16)

/* A file as SQLite holds it; the one below lies behind it in the same memory. */
struct file {
	sqlite3_file base;
	struct sqlite3_io_methods methods; /* as many as the file below has */
	bool gathers;                      /* it is the WAL */
	/* not handed down yet: [at, at + len) */
	unsigned char *data; /* owned; of VFS_GATHER_MAX; made when it is first needed */
	sqlite3_int64 at;
	size_t len;
	/* the WAL's map */
	int fd;             /* -1 = not mapped */
	unsigned char *map; /* read only */
	size_t map_len;
};

static struct file *file_of(sqlite3_file *base)
{
	return CONTAINER_OF(base, struct file, base);
}

static sqlite3_file *below(sqlite3_file *base)
{
	return (sqlite3_file *)(file_of(base) + 1);
}

/* Hand down what was gathered. After a failure it is forgotten, as a failed write is. */
static int file_settle(sqlite3_file *base)
{
	struct file *f = file_of(base);
	const size_t len = f->len;
	int rc = SQLITE_OK;

	f->len = 0;
	for (size_t from = 0; from < len && rc == SQLITE_OK; from += WRITE_MAX) {
		const size_t n = len - from < WRITE_MAX ? len - from : WRITE_MAX;

		rc = below(base)->pMethods->xWrite(below(base), f->data + from, (int)n,
		                                   f->at + (sqlite3_int64)from);
	}
	return rc;
}

static void map_end(struct file *f)
{
	if (f->map != NULL)
		(void)munmap(f->map, f->map_len);
	f->map = NULL;
	f->map_len = 0;
}

/* Map the file as it is; it grows to the size of a WAL between two checkpoints and stays so. */
static void map_begin(struct file *f)
{
	struct stat st;
	void *p;

	map_end(f);
	if (fstat(f->fd, &st) != 0 || st.st_size <= 0)
		return;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, f->fd, 0);
	if (p == MAP_FAILED)
		return;
	f->map = p;
	f->map_len = (size_t)st.st_size;
}

static bool map_has(const struct file *f, sqlite3_int64 at, int len)
{
	return (size_t)at + (size_t)len <= f->map_len;
}

static int file_close(sqlite3_file *base)
{
	struct file *f = file_of(base);
	const int settled = file_settle(base);
	const int closed = below(base)->pMethods->xClose(below(base));

	map_end(f);
	if (f->fd >= 0)
		(void)close(f->fd);
	free(f->data);
	return settled != SQLITE_OK ? settled : closed;
}

static int file_read(sqlite3_file *base, void *to, int len, sqlite3_int64 at)
{
	struct file *f = file_of(base);
	const int rc = file_settle(base);

	if (rc != SQLITE_OK)
		return rc;
	if (f->fd >= 0 && !map_has(f, at, len))
		map_begin(f);
	if (f->fd < 0 || !map_has(f, at, len))
		return below(base)->pMethods->xRead(below(base), to, len, at);
	memcpy(to, f->map + at, (size_t)len);
	return SQLITE_OK;
}

static int file_write(sqlite3_file *base, const void *from, int len, sqlite3_int64 at)
{
	struct file *f = file_of(base);
	int rc = SQLITE_OK;

	if (f->len > 0 &&
	    (at != f->at + (sqlite3_int64)f->len || f->len + (size_t)len > VFS_GATHER_MAX))
		rc = file_settle(base);
	if (rc != SQLITE_OK)
		return rc;
	if (f->gathers && f->data == NULL)
		f->data = malloc(VFS_GATHER_MAX);
	if (f->data == NULL || (size_t)len > VFS_GATHER_MAX)
		return below(base)->pMethods->xWrite(below(base), from, len, at);
	if (f->len == 0)
		f->at = at;
	memcpy(f->data + f->len, from, (size_t)len);
	f->len += (size_t)len;
	return SQLITE_OK;
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size)
{
	const int rc = file_settle(base);

	/* A page of the map behind the end of the file must not be touched. */
	map_end(file_of(base));
	return rc != SQLITE_OK ? rc : below(base)->pMethods->xTruncate(below(base), size);
}

static int file_sync(sqlite3_file *base, int flags)
{
	const int rc = file_settle(base);

	return rc != SQLITE_OK ? rc : below(base)->pMethods->xSync(below(base), flags);
}

static int file_size(sqlite3_file *base, sqlite3_int64 *ret)
{
	const int rc = file_settle(base);

	return rc != SQLITE_OK ? rc : below(base)->pMethods->xFileSize(below(base), ret);
}

static int file_lock(sqlite3_file *base, int level)
{
	return below(base)->pMethods->xLock(below(base), level);
}

static int file_unlock(sqlite3_file *base, int level)
{
	return below(base)->pMethods->xUnlock(below(base), level);
}

static int file_check_lock(sqlite3_file *base, int *ret)
{
	return below(base)->pMethods->xCheckReservedLock(below(base), ret);
}

static int file_control(sqlite3_file *base, int op, void *arg)
{
	const int rc = file_settle(base);

	return rc != SQLITE_OK ? rc : below(base)->pMethods->xFileControl(below(base), op, arg);
}

static int file_sector_size(sqlite3_file *base)
{
	return below(base)->pMethods->xSectorSize(below(base));
}

static int file_characteristics(sqlite3_file *base)
{
	return below(base)->pMethods->xDeviceCharacteristics(below(base));
}

static int file_shm_map(sqlite3_file *base, int region, int size, int extend, void volatile **ret)
{
	return below(base)->pMethods->xShmMap(below(base), region, size, extend, ret);
}

static int file_shm_lock(sqlite3_file *base, int offset, int n, int flags)
{
	return below(base)->pMethods->xShmLock(below(base), offset, n, flags);
}

static void file_shm_barrier(sqlite3_file *base)
{
	below(base)->pMethods->xShmBarrier(below(base));
}

static int file_shm_unmap(sqlite3_file *base, int remove)
{
	return below(base)->pMethods->xShmUnmap(below(base), remove);
}

static int file_fetch(sqlite3_file *base, sqlite3_int64 at, int len, void **ret)
{
	return below(base)->pMethods->xFetch(below(base), at, len, ret);
}

static int file_unfetch(sqlite3_file *base, sqlite3_int64 at, void *p)
{
	return below(base)->pMethods->xUnfetch(below(base), at, p);
}

static const struct sqlite3_io_methods methods = {
	.iVersion = 3,
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_unlock,
	.xCheckReservedLock = file_check_lock,
	.xFileControl = file_control,
	.xSectorSize = file_sector_size,
	.xDeviceCharacteristics = file_characteristics,
	.xShmMap = file_shm_map,
	.xShmLock = file_shm_lock,
	.xShmBarrier = file_shm_barrier,
	.xShmUnmap = file_shm_unmap,
	.xFetch = file_fetch,
	.xUnfetch = file_unfetch,
};

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags,
                    int *ret_flags)
{
	struct writer_vfs *v = CONTAINER_OF(vfs, struct writer_vfs, vfs);
	struct file *f = file_of(base);
	int rc;

	*f = (struct file){ .fd = -1 };
	rc = v->below->xOpen(v->below, name, below(base), flags, ret_flags);
	if (rc != SQLITE_OK)
		return rc; /* without methods: SQLite does not close it */
	f->methods = methods;
	f->methods.iVersion = below(base)->pMethods->iVersion;
	f->gathers = (flags & SQLITE_OPEN_WAL) != 0;
	/* No lock of SQLite's lies on the WAL, so a second descriptor endangers none. */
	if ((flags & SQLITE_OPEN_WAL) != 0 && v->map)
		f->fd = open(name, O_RDONLY | O_CLOEXEC);
	base->pMethods = &f->methods;
	return SQLITE_OK;
}

enum pawl_status pawl__vfs_register(struct writer_vfs *v, const char *below_name,
                                    struct pawl_error *err)
{
	*v = (struct writer_vfs){ .below = sqlite3_vfs_find(below_name) };
	if (v->below == NULL)
		return pawl__error_set(err, PAWL_E_CONFIG, "there is no such VFS");
	v->vfs = *v->below; /* its other methods do not look at which VFS they are called for */
	(void)snprintf(v->name, sizeof(v->name), "pawl-%p", (void *)v);
	v->map = v->below == sqlite3_vfs_find("unix");
	v->vfs.zName = v->name;
	v->vfs.pNext = NULL;
	v->vfs.szOsFile += (int)sizeof(struct file);
	v->vfs.xOpen = vfs_open;
	if (sqlite3_vfs_register(&v->vfs, 0) != SQLITE_OK)
		return pawl__error_set(err, PAWL_E_NOMEM, "cannot register a VFS");
	return PAWL_OK;
}

void pawl__vfs_unregister(struct writer_vfs *v)
{
	if (v->below != NULL)
		(void)sqlite3_vfs_unregister(&v->vfs);
	v->below = NULL;
}
