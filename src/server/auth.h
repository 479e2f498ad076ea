/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server/auth - who is asking: bearer tokens from a file, one on each line:
 *
 *     NAME TOKEN     the caller is NAME; several tokens may have one name, to change them in turn
 *     TOKEN          the caller is named after a digest of the token
 *
 * Blank lines and those that begin with # are skipped. The caller's name scopes its idempotency
 * keys, so a token that takes another's place should keep the name.
 *
 * Only digests are kept. Finding one takes the same time whichever it is, or none.
 * Threads: read-only once loaded. Limits: AUTH_TOKENS_MAX, AUTH_TOKEN_MAX, AUTH_FILE_MAX.
 */
#ifndef PAWL_SERVER_AUTH_H
#define PAWL_SERVER_AUTH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/str.h"
#include "pawl/error.h"

#define AUTH_TOKENS_MAX 1024
#define AUTH_TOKEN_MAX  512 /* bytes of a token */
#define AUTH_FILE_MAX   (1024 * 1024)

struct auth;

/* PAWL_E_CONFIG: the file can't be read, others may read it, it holds no token, or a line is not
 * one; the text names the line. */
PAWL_MUST_CHECK enum pawl_status pawl__auth_load(const char *path, struct auth **ret,
                                                 struct pawl_error *err);

/* The same from bytes. */
PAWL_MUST_CHECK enum pawl_status pawl__auth_parse(struct str text, struct auth **ret,
                                                  struct pawl_error *err);

/* The caller that this token is, valid until free; false: none. */
PAWL_MUST_CHECK bool pawl__auth_find(const struct auth *a, struct str token, struct str *ret);

size_t pawl__auth_len(const struct auth *a);
void pawl__auth_free(struct auth *a);

#endif /* PAWL_SERVER_AUTH_H */
