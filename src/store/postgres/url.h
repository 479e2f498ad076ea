/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postgres/url - where the database is: a URL of libpq (several hosts, sslmode, ...) with two
 * parameters of our own, which libpq does not get to see.
 *
 *   unsafe_durability=yes          serve although fsync, full_page_writes or synchronous_commit
 *                                  is off
 *   prepared_statements=auto|on|off  auto: on when no pooler stands between (conn.h)
 *
 * What libpq is told unless the URL says otherwise: client_encoding=UTF8, connect_timeout,
 * target_session_attrs=read-write (of a list of hosts: the primary), tcp_user_timeout.
 * Never: a part of the URL in an error text, for it may hold a password.
 */
#ifndef PAWL_STORE_POSTGRES_URL_H
#define PAWL_STORE_POSTGRES_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "pawl/error.h"

#define PG_URL_MAX    4096 /* bytes */
#define PG_PARAMS_MAX 64   /* of libpq, it knows some forty */

enum pg_prepare { PG_PREPARE_AUTO, PG_PREPARE_ON, PG_PREPARE_OFF };

struct pg_url {
	void *options;                          /* owned: libpq's list of what the URL says */
	const char *keyword[PG_PARAMS_MAX + 1]; /* NULL-terminated, into options or static */
	const char *value[PG_PARAMS_MAX + 1];
	bool unsafe_durability;
	enum pg_prepare prepare;
};

/* E_CONFIG. read_only: a standby will do. */
PAWL_MUST_CHECK enum pawl_status pawl__pg_url_parse(const char *text, bool read_only,
                                                    struct pg_url *ret, struct pawl_error *err);
void pawl__pg_url_deinit(struct pg_url *u);

#endif /* PAWL_STORE_POSTGRES_URL_H */
