/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postgres/pool - what a store and its siblings share: where the database is, how many connections
 * they may hold together, those that read, and the server's clock.
 *
 * A writer's connection is its own for as long as it lives. The rest are taken for one read and
 * given back; who finds none waits, PG_POOL_WAIT_US at most.
 * The clock: each round trip tells what the server's clock showed between two moments of our own
 * monotonic one, and the offset is kept within all that was told. So the nodes share one clock.
 * Threads: any.
 */
#ifndef PAWL_STORE_POSTGRES_POOL_H
#define PAWL_STORE_POSTGRES_POOL_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/postgres/conn.h"
#include "store/postgres/schema.h"

#define PG_POOL_WAIT_US     INT64_C(2000000)
#define PG_POOL_MAX_DEFAULT 25u
#define PG_POOL_MAX         1000u

struct pg_reader {
	struct pg_reader *next;
	int64_t taken_us; /* mono */
	struct pg_conn conn;
};

struct pg_shared {
	struct pg_url url;
	int64_t retention_us;
	uint32_t max;
	bool read_only;
	unsigned char hash_key[PG_HASH_KEY_LEN];
	_Atomic int64_t clock_offset_us; /* server's clock - our monotonic one */
	_Atomic bool clock_known;
	_Atomic int64_t high_water_us; /* the greatest that was seen */
	_Atomic int64_t commits;
	_Atomic int64_t holds, held_us, held_max_us; /* of connections: see pawl__pg_held */
	pthread_mutex_t mu;                          /* guards what follows */
	pthread_cond_t free;
	struct pg_reader *idle;
	uint32_t writers; /* connections kept for them */
	uint32_t readers; /* that are connected, or about to be */
};

void pawl__pg_shared_init(struct pg_shared *sh, uint32_t max);
void pawl__pg_shared_deinit(struct pg_shared *sh);

/* Keep a connection for one more writer. False: only one would be left for reads, or none. */
PAWL_MUST_CHECK bool pawl__pg_writer_join(struct pg_shared *sh);
void pawl__pg_writer_leave(struct pg_shared *sh);

/* Connected. E_STORE_UNAVAILABLE: none became free in time, or the server is not to be reached. */
PAWL_MUST_CHECK enum pawl_status pawl__pg_take(struct pg_shared *sh, struct pg_reader **ret,
                                               struct pawl_error *err);
/* One that has lost its connection may be given back, too. */
void pawl__pg_give(struct pg_shared *sh, struct pg_reader *take_reader);

/* Connect c, and set the clock by it. Never E_CONFIG: what was right at open may be wrong after a
 * failover, and right again. */
PAWL_MUST_CHECK enum pawl_status pawl__pg_reconnect(struct pg_shared *sh, struct pg_conn *c,
                                                    struct pawl_error *err);

/* The server's clock showed server_us during the round trip that c has just made. */
void pawl__pg_clock_set(struct pg_shared *sh, const struct pg_conn *c, int64_t server_us);
int64_t pawl__pg_clock_us(struct pg_shared *sh);

/* A connection was in use since from_us: for a batch, or for a read. */
void pawl__pg_held(struct pg_shared *sh, int64_t from_us);

/* Remember a high-water mark. */
void pawl__pg_high_water(struct pg_shared *sh, int64_t us);

#endif /* PAWL_STORE_POSTGRES_POOL_H */
