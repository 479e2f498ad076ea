/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/race/part.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"

enum pawl_status pawl__part_open(struct part *p, const char *path, struct pawl_error *err)
{
	int n, fd;

	p->f = NULL;
	p->path = path;
	if (path == NULL)
		return PAWL_OK;
	n = snprintf(p->temporary, sizeof(p->temporary), "%s.part-%ld", path, (long)getpid());
	if (n < 0 || (size_t)n >= sizeof(p->temporary))
		return pawl__error_set(err, PAWL_E_INVALID, "--report: the path is too long");
	fd = open(p->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	p->f = fd < 0 ? NULL : fdopen(fd, "w");
	if (p->f == NULL)
		return pawl__error_native(err, PAWL_E_IO, errno, "%s: cannot be made: %m", path);
	return PAWL_OK;
}

enum pawl_status pawl__part_keep(struct part *p, const struct buf *b, struct pawl_error *err)
{
	bool ok;

	if (p->f == NULL)
		return PAWL_OK;
	if (b->overflow) {
		pawl__part_drop(p);
		return pawl__error_set(err, PAWL_E_TOO_LARGE, "the report is too long");
	}
	ok = fwrite(b->data, 1, b->len, p->f) == b->len;
	ok = fclose(p->f) == 0 && ok;
	p->f = NULL;
	if (ok && rename(p->temporary, p->path) == 0)
		return PAWL_OK;
	(void)unlink(p->temporary);
	return pawl__error_set(err, PAWL_E_IO, "%s: could not be written", p->path);
}

void pawl__part_drop(struct part *p)
{
	if (p->f == NULL)
		return;
	(void)fclose(p->f);
	p->f = NULL;
	(void)unlink(p->temporary);
}
