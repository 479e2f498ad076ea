/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

enum pawl_status pawl__place_parse(const char *text, struct place *ret, struct pawl_error *err)
{
	static const char vfs_key[] = "?vfs=";
	const char *query = strchr(text, '?');
	const size_t len = query != NULL ? (size_t)(query - text) : strlen(text);
	struct place p = { .vfs = "" };

	/* Beside it stand PATH-journal, the longest of SQLite's names, and PATH.lock. */
	if (len == 0 || len + sizeof("-journal") > sizeof(p.path))
		return pawl__error_set(err, PAWL_E_CONFIG, "the path of the store is %s",
		                       len == 0 ? "missing" : "too long");
	memcpy(p.path, text, len);
	if (query != NULL) {
		if (strncmp(query, vfs_key, sizeof(vfs_key) - 1) != 0)
			return pawl__error_set(
				err, PAWL_E_CONFIG,
				"the only option behind a store's path is ?vfs=NAME");
		query += sizeof(vfs_key) - 1;
		if (strlen(query) >= sizeof(p.vfs) || sqlite3_vfs_find(query) == NULL)
			return pawl__error_set(err, PAWL_E_CONFIG,
			                       "the store asks for a VFS that is not registered");
		memcpy(p.vfs, query, strlen(query) + 1);
	}
	*ret = p;
	return PAWL_OK;
}

static enum pawl_status file_fail(struct pawl_error *err, int sys, const char *what)
{
	return pawl__error_native(err, PAWL_E_IO, sys, "%s: %s", what, strerrordesc_np(sys));
}

/* A new directory is there after a power loss only when the one above it has been synced. */
static int dir_make(const char *path)
{
	char parent[PATH_MAX + sizeof("/..")];
	int fd, sys = 0;

	if (mkdir(path, 0700) != 0)
		return errno == EEXIST ? 0 : errno;
	(void)snprintf(parent, sizeof(parent), "%s/..", path);
	fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	if (fsync(fd) != 0)
		sys = errno;
	(void)close(fd);
	return sys;
}

enum pawl_status pawl__place_mkdir(const struct place *p, struct pawl_error *err)
{
	char path[PATH_MAX];

	memcpy(path, p->path, sizeof(path));
	for (char *at = strchr(path + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
		int sys;

		*at = '\0';
		sys = dir_make(path);
		*at = '/';
		if (sys != 0)
			return file_fail(err, sys, "cannot make the store's directory");
	}
	return PAWL_OK;
}

static enum pawl_status lock_busy(int fd, struct pawl_error *err)
{
	char pid[16];
	const ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);

	pid[n > 0 ? n : 0] = '\0';
	pid[strcspn(pid, "\n")] = '\0';
	return pawl__error_set(err, PAWL_E_BUSY, "the store is in use by process %s",
	                       pid[0] != '\0' ? pid : "(unknown)");
}

enum pawl_status pawl__place_lock(const struct place *p, int *ret_fd, struct pawl_error *err)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[PATH_MAX + sizeof(".lock")];
	enum pawl_status st = PAWL_OK;
	char pid[16];
	int fd, n;

	(void)snprintf(path, sizeof(path), "%s.lock", p->path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return file_fail(err, errno, "cannot open the store's lock file");
	n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (fcntl(fd, F_OFD_SETLK, &lock) != 0)
		st = errno == EAGAIN || errno == EACCES
		             ? lock_busy(fd, err)
		             : file_fail(err, errno, "cannot lock the store's lock file");
	if (st != PAWL_OK) {
		(void)close(fd);
		return st;
	}
	/* The pid is for people; a full disk must not keep the store shut. */
	if (ftruncate(fd, 0) == 0 && pwrite(fd, pid, (size_t)n, 0) < 0)
		errno = 0;
	*ret_fd = fd;
	return PAWL_OK;
}

int64_t pawl__place_len(const struct place *p, const char *suffix)
{
	char name[PATH_MAX + sizeof("-wal")];
	struct stat sb;

	(void)snprintf(name, sizeof(name), "%s%s", p->path, suffix);
	return stat(name, &sb) == 0 ? sb.st_size : -1;
}

void pawl__place_look(const struct place *p, struct place_look *ret)
{
	*ret = (struct place_look){ .still = false };
	ret->still = stat(p->path, &ret->file) == 0 && pawl__place_len(p, "-wal") < 0;
}

bool pawl__place_unchanged(const struct place *p, const struct place_look *since)
{
	struct place_look now;

	pawl__place_look(p, &now);
	return now.still && now.file.st_ino == since->file.st_ino &&
	       now.file.st_size == since->file.st_size &&
	       now.file.st_mtim.tv_sec == since->file.st_mtim.tv_sec &&
	       now.file.st_mtim.tv_nsec == since->file.st_mtim.tv_nsec;
}
