/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server/call - one request at work, and what all of them share. Private to src/server.
 *
 * A read is answered within the call where the store is near; beyond a network it goes on as a
 * struct read_call, on a reader's thread of the engine. A write goes on as a struct pending, from a
 * pool, which the engine owns until it calls back:
 *
 *     FREE -> decoded -> submitted -> (the lane) -> answered -> FREE
 *                |  refused here                        ^ ENGINE_THREAD: by way of the list
 *                +--------------------------> FREE        `finished` and a wake-up of the loop
 *
 * Invariants:
 *  (1) Strings of a submitted tx point into its own arena and JSON, into the route table or into
 *      the tokens: nothing of the connection's bytes.
 *  (2) `pending` counts those that the engine owns or has put on a list, reads and writes.
 *  (3) Only `finished`, `reads` and `stops` are touched by another thread than the loop's.
 */
#ifndef PAWL_SERVER_CALL_H
#define PAWL_SERVER_CALL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/buf.h"
#include "core/answer.h"
#include "net/loop.h"
#include "net/server.h"
#include "server/auth.h"
#include "server/decode.h"
#include "server/fields.h"
#include "server/route.h"
#include "server/server.h"

#define ROUTES_MAX   64
#define FIELDS_LEN   1024              /* bytes of an answer's own fields */
#define BODY_OUT_MAX ((size_t)8 << 20) /* of a body that the server itself writes */
#define PENDING_KEPT 4096              /* unused ones that are not given back to the heap */
#define READS_KEPT   256
#define READ_MAX     ((size_t)16 << 20) /* rows of one read */

/* Buckets of request durations, upper bounds in microseconds. */
#define DURATION_BOUNDS                                                                            \
	{                                                                                          \
		500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000,       \
			2500000, 5000000, 10000000                                                 \
	}
#define DURATION_BUCKETS 15

struct route_counts {
	uint64_t by_class[6]; /* of the status: [2] = 2xx; [0] unused */
	uint64_t duration[DURATION_BUCKETS];
	uint64_t duration_sum_us;
};

/* A write that is under way. */
struct pending {
	struct lane_request lane;
	struct server *server;
	struct pending *next; /* free or finished */
	const struct route *route;
	struct http_token token;
	int64_t start_us;
	size_t bytes; /* of its arena when it was handed over */
	struct tx tx;
	struct op_draft one;
	struct arena arena;
	struct tx_answer answer; /* ENGINE_THREAD: a copy in the arena */
};

struct call {
	struct server *server;
	struct http_conn *conn;         /* NULL once it is deferred: */
	struct http_token token;        /* then this */
	const struct http_request *req; /* until then */
	const struct route *route;      /* NULL = none */
	struct str param;               /* as sent */
	struct str caller;
	struct str request_id;
	char request_id_mem[32];
	int64_t start_us;
};

/* A read: what the path and the fields ask for, then its rows. */
struct read_call {
	struct read_request rq;
	struct read_call *next; /* free or finished */
	struct call call;
	enum pawl_status st; /* how the rows were loaded */
	struct arena arena;
	struct ws ws;
	struct str id; /* decoded from the path */
	char id_mem[PAWL_TARGET_MAX];
	char name_mem[2][ROW_ID_MAX]; /* of accounts that are made of it */
	const struct ws_entry *row[2];
	bool has_match, has_none; /* If-Match, If-None-Match */
	struct etags match, none;
	struct buf text; /* what `work` has rendered, in the arena */
};

/* What a GET route reads and how it shows it. */
struct read_kind {
	bool (*want)(struct read_call *r);   /* false: it has answered */
	void (*render)(struct read_call *r); /* rows are loaded; answers */
	/* In place of loading rows; NULL = that. May run on another thread. */
	enum pawl_status (*work)(struct read_request *rq);
};

struct server {
	struct server_options opt;
	struct engine *engine;
	struct loop *loop;
	struct http_server *http;
	struct auth *auth; /* NULL: nobody is asked */
	struct loop_hook work;
	struct loop_timer drain_timer;
	uint16_t ports[SERVER_LISTEN_MAX];
	bool draining;    /* /readyz is 503 */
	bool closing;     /* pawl__http_drain was called */
	int64_t drain_us; /* when it must end */
	atomic_uint stops;
	unsigned stops_seen;
	/* pool of writes */
	struct pending *free_list;
	uint32_t free_len;
	uint32_t pending;
	size_t waiting;       /* bytes of those under way */
	pthread_mutex_t lock; /* guards finished and reads */
	struct pending *finished, **finished_last;
	struct read_call *reads; /* the same */
	struct read_call *reads_free;
	uint32_t reads_free_len;
	/* scratch of the loop's thread, used within one call */
	struct buf scratch; /* DECODE_SCRATCH */
	struct buf canon;
	struct buf out;
	struct read_call read_here; /* of a store that is near */
	struct decoder decoder;
	char refuse_fields[FIELDS_LEN];
	/* numbers */
	uint64_t id_prefix;
	uint64_t id_next;
	int64_t start_real_us;
	struct route_counts counts[ROUTES_MAX + 1]; /* the last: no route */
};

/* call.c: everything that comes in, and the answers that are given at once. */
void pawl__call_request(void *data, struct http_conn *conn, const struct http_request *req);
bool pawl__call_may_overlap(void *data, const struct http_request *req);
void pawl__call_refuse(void *data, struct http_answer *answer);

/* The value of a field that may stand once. *ret is STR_NONE when it is absent. False: twice. */
PAWL_MUST_CHECK bool pawl__call_field(const struct call *c, struct str name, struct str *ret);

/* An answer of the server itself: type and body, and further fields (NULL = none). */
void pawl__call_answer(struct call *c, int status, struct str type, struct str body,
                       const struct buf *fields);
void pawl__call_problem(struct call *c, const struct problem *p);
/* detail: NULL = the table's text. pointer: PAWL_E_INVALID only. */
void pawl__call_fail(struct call *c, enum pawl_status code, struct str pointer, const char *detail);

/* The path's parameter, decoded into mem of raw.len bytes; answered with 400 when it is no id. */
PAWL_MUST_CHECK bool pawl__call_param(struct call *c, size_t max, char *mem, struct str *ret);

/* Count an answer. */
void pawl__call_count(struct server *s, const struct route *route, int status, int64_t start_us);

#define TYPE_JSON    STR("application/json")
#define TYPE_PROBLEM STR("application/problem+json")
#define NO_STORE     "Cache-Control: no-store\r\n"

/* write.c */
void pawl__call_write(struct call *c);
/* Answer what the engine's thread has put on the list. */
void pawl__pending_drain(struct server *s);
void pawl__pending_free_all(struct server *s);

/* read.c */
extern const struct read_kind pawl__read_account, pawl__read_hold, pawl__read_item,
	pawl__read_order, pawl__read_record, pawl__read_answer;
void pawl__call_read(struct call *c);
/* Answer what the readers' threads have put on the list. */
void pawl__reads_drain(struct server *s);
void pawl__reads_init(struct server *s);
void pawl__reads_deinit(struct server *s);

/* doctor.c */
extern const struct read_kind pawl__read_doctor;

/* health.c, metrics.c */
void pawl__get_livez(struct call *c);
void pawl__get_readyz(struct call *c);
void pawl__get_metrics(struct call *c);

#endif /* PAWL_SERVER_CALL_H */
