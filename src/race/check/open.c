/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "race/check/formats.h"

#define DETECT_BYTES ((size_t)64 << 10) /* looked at to tell the format */
#define READ_FIRST   ((size_t)64 << 10)
#define HUGE_PAGE    ((size_t)2 << 20)

static bool has(const char *bytes, size_t len, struct str word)
{
	return memmem(bytes, len < DETECT_BYTES ? len : DETECT_BYTES, word.ptr, word.len) != NULL;
}

static const char *space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
		p++;
	return p;
}

static enum history_format detect(const char *bytes, size_t len)
{
	const char *end = bytes + len;
	const char *p = space(bytes, end);
	const char *q = p;

	if ((p[0] == 'r' || p[0] == 'w') && p[1] == '(')
		return HISTORY_PLUME;
	if (((p[0] == 'r' || p[0] == 'w') && p[1] == ' ') || memcmp(p, "-----", 5) == 0 ||
	    memcmp(p, "=====", 5) == 0)
		return HISTORY_AWDIT;
	if (*q == '[')
		q = space(q + 1, end);
	if (*q == '{')
		q = space(q + 1, end);
	if (q > p && *q == '"')
		return *p == '{' && has(p, (size_t)(end - p), STR("\"sessions\"")) &&
		                       !has(p, (size_t)(end - p), STR("\"type\""))
		               ? HISTORY_DBCOP
		               : HISTORY_JSON;
	if (*p == '{' || *p == '[' || *p == '(' || *p == ';' || *p == '#')
		return HISTORY_EDN;
	return has(p, (size_t)(end - p), STR("jepsen.util - ")) ? HISTORY_ETCD : HISTORY_AUTO;
}

static enum pawl_status read_all(struct builder *b, enum history_format format,
                                 struct history **ret, struct pawl_error *err)
{
	b->h->format = format;
	switch (format) {
	case HISTORY_EDN:
		pawl__read_edn(b);
		break;
	case HISTORY_JSON:
		pawl__read_json(b);
		break;
	case HISTORY_ETCD:
		pawl__read_etcd(b);
		break;
	case HISTORY_PLUME:
	case HISTORY_PLUME_ZERO:
	case HISTORY_PLUME_FIRST:
		pawl__read_plume(b, format);
		break;
	case HISTORY_AWDIT:
		pawl__read_awdit(b);
		break;
	case HISTORY_DBCOP:
		pawl__read_dbcop(b);
		break;
	case HISTORY_AUTO:
		(void)pawl__builder_error(
			b, PAWL_E_INVALID, b->start,
			space(b->start, b->end) == b->end
				? "it is empty"
				: "this is in none of the formats that are known");
		break;
	}
	return pawl__builder_finish(b, ret, err);
}

enum pawl_status pawl__history_read(const char *bytes, size_t len, const struct history_options *o,
                                    struct history **ret, struct pawl_error *err)
{
	enum history_format format = o->format;
	struct builder b;
	enum pawl_status st;

	if (len > HISTORY_BYTES_MAX)
		return pawl__error_set(err, PAWL_E_TOO_LARGE, "over the limit of 64 GiB");
	st = pawl__builder_init(&b, bytes, len, o, err);
	if (st == PAWL_OK && len >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
		b.start = bytes + 3; /* a byte order mark */
	if (st == PAWL_OK && format == HISTORY_AUTO)
		format = detect(b.start, (size_t)(b.end - b.start));
	if (st == PAWL_OK)
		st = read_all(&b, format, ret, err);
	pawl__builder_deinit(&b);
	return st;
}

struct bytes {
	char *at;
	size_t len, cap;
};

static void bytes_deinit(struct bytes *b)
{
	free(b->at);
}

/* The old bytes stay when there is no memory. */
static bool bytes_reserve(struct bytes *b, size_t cap)
{
	char *bigger = realloc(b->at, cap);

	if (bigger == NULL)
		return false;
	b->at = bigger;
	b->cap = cap;
	/* Few faults instead of one in every 4 KiB; only a hint. */
	if (cap >= 4 * HUGE_PAGE) {
		const uintptr_t begin = ((uintptr_t)bigger + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);

		(void)madvise(bigger + (begin - (uintptr_t)bigger), cap - 2 * HUGE_PAGE,
		              MADV_HUGEPAGE);
	}
	return true;
}

/* Read rather than mapped: a file that another process cuts short must not kill this one. */
static enum pawl_status bytes_read(struct bytes *b, int fd, struct pawl_error *err)
{
	struct stat info;
	size_t cap = READ_FIRST;

	if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0 &&
	    (uint64_t)info.st_size <= HISTORY_BYTES_MAX)
		cap = (size_t)info.st_size + HISTORY_SLACK + 1;
	for (;;) {
		ssize_t n;

		if (b->cap - b->len <= HISTORY_SLACK) {
			if (b->len > HISTORY_BYTES_MAX)
				return pawl__error_set(err, PAWL_E_TOO_LARGE,
				                       "over the limit of 64 GiB");
			if (!bytes_reserve(b, b->cap == 0 ? cap : b->cap * 2))
				return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
		}
		n = read(fd, b->at + b->len, b->cap - b->len - HISTORY_SLACK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return pawl__error_native(err, PAWL_E_IO, errno, "it cannot be read: %s",
			                          strerrordesc_np(errno));
		if (n == 0)
			break;
		b->len += (size_t)n;
	}
	memset(b->at + b->len, 0, HISTORY_SLACK);
	return PAWL_OK;
}

enum pawl_status pawl__history_load(const char *path, const struct history_options *o,
                                    struct history **ret, struct pawl_error *err)
{
	PAWL_CLEANUP(bytes_deinit) struct bytes b = { 0 };
	enum pawl_status st;
	int fd = STDIN_FILENO;

	if (strcmp(path, "-") != 0)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return pawl__error_native(err, errno == ENOENT ? PAWL_E_NOT_FOUND : PAWL_E_IO,
		                          errno, "it cannot be opened: %s", strerrordesc_np(errno));
	st = bytes_read(&b, fd, err);
	if (fd != STDIN_FILENO)
		(void)close(fd);
	return st == PAWL_OK ? pawl__history_read(b.at, b.len, o, ret, err) : st;
}
