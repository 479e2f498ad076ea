/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postgres/store - one writer: what the files of this folder share about it.
 *
 *                 begin            load             flush            commit
 *   IDLE (nothing is sent) OPEN -----------> LOCKED -----------> SENT --------> IDLE
 *
 * A transaction begins on the server with the first load, in the same round trip; flush queues
 * what it writes, and commit sends that together with the COMMIT: two round trips a batch.
 * Threads: the lane's.
 */
#ifndef PAWL_STORE_POSTGRES_STORE_H
#define PAWL_STORE_POSTGRES_STORE_H

#include "core/ws.h"
#include "store/postgres/pool.h"
#include "store/store.h"

#define PG_BLOCK_UNKNOWN (-1) /* the next one is begun at its floor */

/* What a transaction adds to the counts of its lane. */
struct pg_counts {
	int64_t accounts, holds_live, orders, records, events, jobs;
};

struct pg_store {
	struct store base;
	struct pg_shared *sh; /* owned by the first */
	bool first;
	struct pg_conn conn;
	/* the lane's row */
	int64_t lane, owner;  /* 0: not yet */
	int64_t revision;     /* the latest that it committed */
	int64_t answers;      /* that it committed, as in its row */
	int64_t answers_base; /* of the other lanes, when this one was made */
	int64_t block;        /* drawn last */
	int64_t upkeep_us;    /* look after the parts of answers from this high-water mark on */
	/* the open transaction */
	bool sent;        /* it has begun on the server */
	int64_t begun_us; /* mono: then */
	bool loaded;      /* its revision is drawn under its locks */
	int64_t limit;    /* the last revision that it may use */
	int64_t part;     /* of answers, until it ends */
	int64_t xact;     /* where its events stand: PG_XACT */
	int64_t made;     /* accounts that it has numbered */
	struct pg_counts counts;
	uint64_t gap[PG_GAPS / 64]; /* slots that it has locked */
	bool gaps;                  /* any */
	/* expired answers that stand in the way of new ones */
	unsigned char (*stale)[PG_HASH_KEY_LEN];
	uint32_t stale_len, stale_cap;
	/* after a flush: what the lane's row will say */
	int64_t next_revision, next_answers, next_high_water_us;
};

static inline struct pg_store *pg_of(struct store *s)
{
	return CONTAINER_OF(s, struct pg_store, base);
}

/* The 128 bits that an answer is found by. */
void pawl__pg_hash(const struct pg_shared *sh, struct str caller, struct str key,
                   unsigned char ret[PG_HASH_KEY_LEN]);

/* The row of pawl.gap that stands for a key which no row has. */
int32_t pawl__pg_gap(enum row_kind kind, struct str id);

static inline bool gap_locked(const struct pg_store *s, int32_t slot)
{
	return (s->gap[slot / 64] >> (slot % 64) & 1) != 0;
}

/* load.c: begin on the server if need be, lock and read what is wanted. */
PAWL_MUST_CHECK enum pawl_status pawl__pg_load(struct pg_store *s, struct ws *ws,
                                               struct pawl_error *err);

/* Fill the entries that a result names; all that are wanted and not named are absent. Used by load
 * and read. */
struct pg_rows {
	const PGresult *orders, *accounts, *holds, *records, *leases, *answers; /* NULL: none */
	bool due; /* accounts come with what is due, to be taken off */
	int64_t retention_us;
	const struct pg_shared *sh;
	struct pg_store *stale; /* note expired answers there; NULL: do not */
};

/* Which kinds are wanted, and their keys as parameters. */
struct pg_wanted {
	uint32_t count[ROW_KINDS];
	const struct ws_entry *first;
};

void pawl__pg_wanted(const struct ws *ws, struct pg_wanted *ret);
/* The next parameter: an array of the keys of this kind that are wanted. */
void pawl__pg_keys(struct pg_args *a, const struct pg_wanted *w, enum row_kind kind);
void pawl__pg_hashes(struct pg_args *a, const struct pg_wanted *w, const struct pg_shared *sh);
PAWL_MUST_CHECK enum pawl_status pawl__pg_fill(struct ws *ws, const struct pg_rows *rows,
                                               struct pawl_error *err);
/* Everything that is wanted is loaded; what was not filled is absent. */
void pawl__pg_filled(struct ws *ws);

/* flush.c: queue what is to be written. */
PAWL_MUST_CHECK enum pawl_status pawl__pg_flush(struct pg_store *s, struct ws *ws,
                                                struct pawl_error *err);

/* read.c */
PAWL_MUST_CHECK enum pawl_status pawl__pg_read(struct pg_shared *sh, struct ws *ws,
                                               struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status pawl__pg_due(struct pg_shared *sh, int64_t now_us,
                                              struct arena *arena, struct store_due *ret,
                                              struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status pawl__pg_stats(struct pg_shared *sh, struct store_stats *ret,
                                                struct pawl_error *err);
/* examine.c */
PAWL_MUST_CHECK enum pawl_status pawl__pg_examine(struct pg_shared *sh, store_finding_fn found,
                                                  void *arg, struct pawl_error *err);

/* audit.c */
PAWL_MUST_CHECK enum pawl_status pawl__pg_audit(struct pg_shared *sh, store_drift_fn drift,
                                                void *arg, struct store_audit *ret,
                                                struct pawl_error *err);

/* upkeep.c: lanes and parts of answers. c is connected. */
PAWL_MUST_CHECK enum pawl_status pawl__pg_lane_open(struct pg_store *s, struct pawl_error *err);
void pawl__pg_lane_close(struct pg_store *s);
PAWL_MUST_CHECK enum pawl_status pawl__pg_upkeep(struct pg_shared *sh, struct pg_conn *c,
                                                 struct pawl_error *err);

#endif /* PAWL_STORE_POSTGRES_STORE_H */
