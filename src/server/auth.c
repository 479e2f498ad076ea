/* SPDX-License-Identifier: Apache-2.0 */
#include "server/auth.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/error.h"
#include "pawl/limits.h"

#define DIGEST_LEN  crypto_generichash_BYTES
#define NAME_DIGEST 8 /* bytes of the digest in a derived name */

struct auth_row {
	unsigned char digest[DIGEST_LEN];
	char name[PAWL_CALLER_MAX + 1];
	size_t name_len;
};

struct auth {
	size_t len, cap;
	struct auth_row *rows; /* owned */
};

void pawl__auth_free(struct auth *a)
{
	if (a == NULL)
		return;
	free(a->rows);
	free(a);
}

size_t pawl__auth_len(const struct auth *a)
{
	return a->len;
}

static void digest(struct str token, unsigned char ret[DIGEST_LEN])
{
	INVARIANT(crypto_generichash(ret, DIGEST_LEN, (const unsigned char *)token.ptr, token.len,
	                             NULL, 0) == 0);
}

static bool find_digest(const struct auth *a, const unsigned char want[DIGEST_LEN], size_t *ret)
{
	size_t at = a->len;

	/* All of them, always: how long it takes tells nothing. */
	for (size_t i = 0; i < a->len; i++) {
		if (sodium_memcmp(a->rows[i].digest, want, DIGEST_LEN) == 0)
			at = i;
	}
	*ret = at;
	return at < a->len;
}

bool pawl__auth_find(const struct auth *a, struct str token, struct str *ret)
{
	unsigned char want[DIGEST_LEN];
	size_t at;

	digest(token, want);
	if (!find_digest(a, want, &at))
		return false;
	*ret = (struct str){ a->rows[at].name, a->rows[at].name_len };
	return true;
}

static enum pawl_status bad_line(struct pawl_error *err, size_t line, const char *what)
{
	return pawl__error_set(err, PAWL_E_CONFIG, "token file, line %zu: %s", line, what);
}

static bool auth_grow(struct auth *a)
{
	const size_t cap = a->cap == 0 ? 16 : a->cap * 2;
	struct auth_row *rows;

	if (a->len < a->cap)
		return true;
	rows = realloc(a->rows, cap * sizeof(*rows));
	if (rows == NULL)
		return false;
	a->rows = rows;
	a->cap = cap;
	return true;
}

static void row_name(struct auth_row *row, struct str name)
{
	struct buf b;

	if (name.len == 0) {
		static const char hex[] = "0123456789abcdef";

		pawl__buf_init_fixed(&b, row->name, sizeof(row->name));
		buf_lit(&b, "token-");
		for (size_t i = 0; i < NAME_DIGEST; i++) {
			pawl__buf_putc(&b, hex[row->digest[i] >> 4]);
			pawl__buf_putc(&b, hex[row->digest[i] & 15]);
		}
		row->name_len = b.len;
		return;
	}
	memcpy(row->name, name.ptr, name.len);
	row->name_len = name.len;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next run of bytes that are not blank. */
static struct str take_word(struct str *line)
{
	struct str word;

	while (line->len > 0 && is_blank(line->ptr[0])) {
		line->ptr++;
		line->len--;
	}
	word = (struct str){ line->ptr, 0 };
	while (word.len < line->len && !is_blank(line->ptr[word.len]))
		word.len++;
	line->ptr += word.len;
	line->len -= word.len;
	return word;
}

static enum pawl_status add_line(struct auth *a, struct str line, size_t n, struct pawl_error *err)
{
	struct str token = take_word(&line), name = STR_NONE;
	const struct str second = take_word(&line);
	struct auth_row *row;
	size_t at;

	if (token.len == 0 || token.ptr[0] == '#')
		return PAWL_OK;
	if (second.len > 0) {
		name = token;
		token = second;
	}
	if (take_word(&line).len > 0)
		return bad_line(err, n, "expected TOKEN or NAME TOKEN");
	if (name.len > 0 && !pawl__str_visible(name, PAWL_CALLER_MAX, true))
		return bad_line(err, n, "a name is 1 to 64 visible ASCII bytes");
	if (!pawl__str_visible(token, AUTH_TOKEN_MAX, true))
		return bad_line(err, n, "a token is 1 to 512 visible ASCII bytes");
	if (a->len == AUTH_TOKENS_MAX)
		return bad_line(err, n, "too many tokens");
	if (!auth_grow(a))
		return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
	row = &a->rows[a->len];
	*row = (struct auth_row){ .name_len = 0 };
	digest(token, row->digest);
	if (find_digest(a, row->digest, &at))
		return bad_line(err, n, "this token stands in the file twice");
	row_name(row, name);
	a->len++;
	return PAWL_OK;
}

static enum pawl_status add_lines(struct auth *a, struct str text, struct pawl_error *err)
{
	size_t n = 0;

	while (text.len > 0) {
		const char *end = memchr(text.ptr, '\n', text.len);
		const size_t len = end == NULL ? text.len : (size_t)(end - text.ptr);
		const size_t step = end == NULL ? len : len + 1;
		const enum pawl_status st = add_line(a, (struct str){ text.ptr, len }, ++n, err);

		if (st != PAWL_OK)
			return st;
		text.ptr += step;
		text.len -= step;
	}
	if (a->len == 0)
		return pawl__error_set(err, PAWL_E_CONFIG, "the token file holds no token");
	return PAWL_OK;
}

enum pawl_status pawl__auth_parse(struct str text, struct auth **ret, struct pawl_error *err)
{
	struct auth *a = calloc(1, sizeof(*a));
	enum pawl_status st;

	if (a == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
	st = add_lines(a, text, err);
	if (st == PAWL_OK)
		*ret = a;
	else
		pawl__auth_free(a);
	return st;
}

static void closep(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

/* All of it, at most AUTH_FILE_MAX bytes. */
static enum pawl_status read_all(int fd, struct buf *b, struct pawl_error *err)
{
	for (;;) {
		char *p = pawl__buf_reserve(b, 4096);
		ssize_t n;

		if (p == NULL)
			return pawl__error_set(err, PAWL_E_CONFIG, "the token file is too large");
		n = read(fd, p, 4096);
		if (n == 0)
			return PAWL_OK;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return pawl__error_native(err, PAWL_E_CONFIG, errno,
			                          "cannot read the token file");
		b->len += (size_t)n;
	}
}

enum pawl_status pawl__auth_load(const char *path, struct auth **ret, struct pawl_error *err)
{
	PAWL_CLEANUP(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	struct buf text;
	enum pawl_status status;

	if (fd < 0 || fstat(fd, &st) != 0)
		return pawl__error_native(err, PAWL_E_CONFIG, errno, "cannot open the token file");
	if (!S_ISREG(st.st_mode))
		return pawl__error_set(err, PAWL_E_CONFIG, "the token file is not a regular file");
	if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return pawl__error_set(err, PAWL_E_CONFIG,
		                       "the token file is open to others than its owner: its mode "
		                       "must be 0600 or 0400");
	pawl__buf_init(&text, AUTH_FILE_MAX + 4096);
	status = read_all(fd, &text, err);
	if (status == PAWL_OK)
		status = pawl__auth_parse(buf_get(&text), ret, err);
	if (text.data != NULL)
		sodium_memzero(text.data, text.cap);
	pawl__buf_deinit(&text);
	return status;
}
