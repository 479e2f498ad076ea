/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net/conn - one connection of the front, and the state that all of them share. Private to the
 * server (server.c, conn.c, listen.c); server.h is the interface and tells the rules.
 *
 *     FREE -> OPEN -> LINGER -> CLOSED -> FREE
 *               \------------->/
 *
 * Reading is edge-triggered: `readable` says that the kernel may hold bytes. A connection is
 * `stalled` while it must not take more requests (too many unanswered, one that runs alone, too
 * many unsent bytes); whatever lifts that puts it on the `again` list. A closed connection keeps
 * its slot and its bytes until the end of the turn, because events and slices may point there.
 *
 * Bytes are read into one scratch buffer of the server; only what is left of an incomplete or
 * waiting request is copied to a chunk of the connection's own.
 */
#ifndef PAWL_NET_CONN_H
#define PAWL_NET_CONN_H

#include "base/buf.h"
#include "net/server.h"

#define NET_CHUNK_LEN    4096         /* bytes of a pooled chunk */
#define NET_CHUNKS_KEPT  2048         /* free chunks that do not go back to the heap */
#define NET_SCRATCH_LEN  (64 * 1024)  /* bytes read at a time */
#define NET_READS_TURN   4            /* reads of one connection in one turn */
#define NET_UNSENT_STALL (256 * 1024) /* unsent bytes at which no more requests are taken */
#define NET_REFUSED_MAX  256          /* connections over the limit that get to read their 503 */
#define NET_LISTENERS    16
#define NET_ACCEPTS_TURN 128 /* per listening socket */

enum conn_state { CONN_FREE, CONN_OPEN, CONN_LINGER, CONN_CLOSED };

enum conn_wait { WAIT_NONE, WAIT_IDLE, WAIT_HEAD, WAIT_BODY, WAIT_WRITE, WAIT_LINGER };

enum conn_handing { HANDING_NOT, HANDING_OPEN, HANDING_DONE };

struct conn_late; /* an answer that waits for earlier ones */

struct http_conn {
	struct loop_watch watch;
	struct http_server *server;
	void *io_state;
	uint32_t slot;
	uint32_t generation; /* grows with every use of the slot, so that old tokens are dead */
	uint32_t next;       /* serial of the next request */
	uint32_t due;        /* serial of the next answer to leave; next - due are in flight */
	uint32_t wait_next;  /* value of next when the deadline was set */
	enum conn_state state;
	enum conn_wait wait;
	enum conn_handing handing;
	bool readable;     /* the kernel may hold bytes */
	bool hung_up;      /* the kernel says the peer has ended: read until that is seen */
	bool eof;          /* it was seen */
	bool blocked;      /* a write would block */
	bool watches_out;  /* is watched for EPOLLOUT */
	bool stalled;      /* takes no more requests for now */
	bool last;         /* request next - 1 is the last one */
	bool alone;        /* the one request in flight runs alone ... */
	bool alone_head;   /* ... and is a HEAD */
	bool alone_old;    /* ... and is HTTP/1.0 that asked to keep the connection */
	bool polite;       /* the peer asked for the end and sends nothing more */
	bool over;         /* in a slot beyond conns_max, only to be refused */
	bool dirty_queued; /* on the list dirty */
	bool again_queued; /* on the list again */
	struct http1 parser;
	struct buf in;  /* bytes from in_at on are not parsed; no memory when empty */
	struct buf out; /* bytes from out_at on are not written; no memory when empty */
	size_t in_at;
	size_t out_at;
	struct conn_late *late; /* owned; by serial */
	size_t late_len;        /* bytes of theirs, counted against answer_max as well */
	struct http_conn *dirty_next;
	struct http_conn *again_next;
	struct http_conn *gone_next; /* closed or free */
};

/* Memory of a buffer while nobody uses it. */
union net_chunk {
	union net_chunk *next;
	char bytes[NET_CHUNK_LEN];
};

struct conn_list {
	struct http_conn *first;
	struct http_conn *last;
};

struct net_listener {
	struct loop_watch watch;
	struct http_server *server;
	char *path; /* owned; of a Unix socket, removed when listening ends */
	dev_t dev;  /* of that file, lest somebody else's is removed */
	ino_t ino;
};

struct http_server {
	struct loop *loop;
	struct http_app app;
	struct http_limits limits;
	const struct net_io *io;
	void *io_config;
	struct http_counters counters;
	struct loop_hook input;
	struct loop_hook output;
	struct loop_timer sweep;
	struct loop_timer accept_pause;
	bool draining;
	bool accept_paused;
	struct http_conn *conns; /* owned; slots [0, slots_used) were ever used */
	int64_t *due_us;         /* owned; the deadline of each slot, INT64_MAX = none */
	uint32_t slots;
	uint32_t slots_used;
	uint32_t over;               /* connections over the limit */
	struct http_conn *free_slot; /* list */
	struct http_conn *gone;      /* list: closed in this turn */
	struct conn_list dirty;      /* answers to write at the end of the turn */
	struct conn_list again;      /* input to go on with in the next turn */
	struct http_conn *current;   /* its input is being handled; it is flushed by that */
	union net_chunk *free_chunk; /* list */
	size_t free_chunks;
	char *scratch; /* owned; NET_SCRATCH_LEN */
	int64_t date_until_us;
	char date[HTTP1_DATE_LEN];
	struct net_listener listeners[NET_LISTENERS];
	size_t listeners_len;
	struct http_request request; /* the one at hand */
};

/* conn.c */

/* take_fd becomes a connection; one over the limit is answered 503 at once. */
void pawl__http_conn_open(struct http_server *server, int take_fd);
/* Go on with its input, then write what is ready. */
void pawl__http_conn_input(struct http_conn *c);
/* Its answers of this turn. */
void pawl__http_conn_flush(struct http_conn *c);
/* Its deadline has passed. */
void pawl__http_conn_expire(struct http_conn *c);
void pawl__http_conn_close(struct http_conn *c);
/* Memory and slots of the connections that were closed. */
void pawl__http_conn_reap(struct http_server *server);
void pawl__http_conn_again(struct http_conn *c);
struct http_conn *pawl__http_conn_list_take_dirty(struct http_server *server);
struct http_conn *pawl__http_conn_list_take_again(struct http_server *server);

/* listen.c */
void pawl__listen_end(struct http_server *server);
void pawl__listen_resume(struct http_server *server);

static inline uint32_t conn_in_flight(const struct http_conn *c)
{
	return c->next - c->due;
}

static inline size_t conn_unsent(const struct http_conn *c)
{
	return c->out.len - c->out_at;
}

#endif /* PAWL_NET_CONN_H */
