/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postgres/conn - one connection, driven in libpq's pipeline mode without blocking: statements are
 * queued, then sent and their results read in one round trip.
 *
 *   CLOSED --pawl__pg_connect--> IDLE --pawl__pg_send*--> QUEUED --pawl__pg_collect--> IDLE
 *     ^                                                     |
 *     +------------- connection lost, or too slow ----------+
 *
 * A statement that fails takes those queued behind it along, up to the collect. Named statements
 * are used where no pooler stands between: behind one the name may be another server's. It shows:
 * the process number that came with the connection is the pooler's invention, not that of the
 * server which answers.
 * Errors: see pg_fail in conn.c. Texts are the server's primary message, which has no values in it.
 * Limits: PG_SLOTS_MAX statements a round trip; PG_WAIT_US for it, then the connection is closed.
 * Threads: one at a time.
 */
#ifndef PAWL_STORE_POSTGRES_CONN_H
#define PAWL_STORE_POSTGRES_CONN_H

#include <endian.h>
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/compiler.h"
#include "base/str.h"
#include "pawl/error.h"
#include "store/postgres/args.h"
#include "store/postgres/sql.h"
#include "store/postgres/url.h"

#define PG_SLOTS_MAX    48
#define PG_WAIT_US      INT64_C(20000000)    /* more than a lock is waited for, see sql.h */
#define PG_WAIT_LONG_US INT64_C(86400000000) /* of an audit */
#define PG_VERSION_MIN  150000

struct pg_slot {
	PGresult *res;
	enum pg_sql which;
	bool prepares;
};

struct pg_conn {
	PGconn *pg;   /* NULL: closed */
	bool named;   /* prepared statements may be used */
	uint64_t has; /* those that this connection has, by number */
	bool broken;  /* queueing failed; the next collect says so */
	bool lost;    /* in the last collect, before all was answered: what was done is not known */
	int64_t sent_us, seen_us; /* mono: when the last round trip began and ended */
	struct pg_slot slot[PG_SLOTS_MAX];
	unsigned slots;
	bool read;           /* the slots' results are of the round trip before */
	struct pg_args args; /* for whoever queues the next statement */
};

/* What the server says of itself when it is connected to. */
struct pg_hello {
	int64_t now_us; /* its clock, between sent_us and seen_us of the connection */
	int64_t version;
};

void pawl__pg_init(struct pg_conn *c);
/* Closes. */
void pawl__pg_deinit(struct pg_conn *c);
void pawl__pg_close(struct pg_conn *c);

/* Connect, greet and check. E_STORE_UNAVAILABLE; E_CONFIG: a server that does not keep what it
 * has committed, is too old, or a database not in UTF-8. */
PAWL_MUST_CHECK enum pawl_status pawl__pg_connect(struct pg_conn *c, const struct pg_url *url,
                                                  struct pg_hello *ret, struct pawl_error *err);

/* Queue a statement with c->args as they are (text: another statement than those of the table).
 * Returns the slot of its result. */
unsigned pawl__pg_send(struct pg_conn *c, enum pg_sql which);
unsigned pawl__pg_send_text(struct pg_conn *c, const char *text);
/* The same without parameters. */
unsigned pawl__pg_send_bare(struct pg_conn *c, enum pg_sql which);
unsigned pawl__pg_send_plain(struct pg_conn *c, const char *text);

/* One round trip: send what is queued, read all results. The first failure, or PAWL_OK. c->pg is
 * NULL afterwards if the connection is gone, and after E_STORE_UNAVAILABLE: the next one may lead
 * to a server that is better off. Results stay until the next send. */
PAWL_MUST_CHECK enum pawl_status pawl__pg_collect(struct pg_conn *c, int64_t wait_us,
                                                  struct pawl_error *err);

/* Whether the last collect read this result before something failed. */
bool pawl__pg_done(const struct pg_conn *c, unsigned slot);

static inline const PGresult *pg_res(const struct pg_conn *c, unsigned slot)
{
	return c->slot[slot].res;
}

static inline int64_t pg_i64(const PGresult *r, int row, int column)
{
	uint64_t be;

	if (PQgetisnull(r, row, column))
		return 0;
	memcpy(&be, PQgetvalue(r, row, column), sizeof(be));
	return (int64_t)be64toh(be);
}

static inline int32_t pg_i32(const PGresult *r, int row, int column)
{
	uint32_t be;

	memcpy(&be, PQgetvalue(r, row, column), sizeof(be));
	return (int32_t)be32toh(be);
}

static inline struct str pg_str(const PGresult *r, int row, int column)
{
	return (struct str){ PQgetvalue(r, row, column), (size_t)PQgetlength(r, row, column) };
}

#endif /* PAWL_STORE_POSTGRES_CONN_H */
