/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/load/volley - what the parts of a volley share: shots (one request and its outcome),
 * channels (a connection with what HTTP needs on it), and the look at what is ready. Private to
 * race/load.
 *
 *     channel: CLOSED -> OPENING -> WARMING -> READY -> CLOSED
 *     shot:    NEW -> SENDING (all but what is held) -> PREPARED -> RELEASED -> DONE
 *
 * Invariants:
 *  (1) A shot is DONE exactly once, by pawl__shot_finish.
 *  (2) volley->opening, sending and flying count the channels in OPENING and WARMING, the shots in
 *      SENDING, and those between NEW and DONE.
 *  (3) A channel lives as long as its volley, so that events may point to it.
 */
#ifndef PAWL_RACE_LOAD_VOLLEY_H
#define PAWL_RACE_LOAD_VOLLEY_H

#include <stdatomic.h>

#include "base/clock.h"
#include "race/load/load.h"
#include "race/load/reply.h"
#include "race/load/wire.h"

#define VOLLEY_EVENTS_MAX 256 /* of one turn */
#define VOLLEY_GATHER_MAX (VOLLEY_BODY_OUT_MAX + 4 * (size_t)PAWL_HEAD_MAX)

struct h2;
struct channel;

enum shot_state { SHOT_NEW, SHOT_SENDING, SHOT_PREPARED, SHOT_RELEASED, SHOT_DONE };

struct shot {
	const struct volley_request *request;
	struct volley_outcome *o;
	struct channel *channel;
	enum shot_state state;
	bool warm;                    /* a warm-up: in no result */
	bool pending;                 /* released, but the kernel has not taken the last byte yet */
	uint64_t k;                   /* of a flow */
	int64_t begun_ns;             /* it was given to its channel */
	struct shot *next, *prev;     /* of the channel */
	struct shot *younger, *older; /* of a flow, by time of sending */
	/* HTTP/1.1 */
	uint64_t sent_before; /* by the channel */
	/* HTTP/2 */
	int32_t stream;
	size_t body_at;
	bool hold;    /* the final frame is not to be made yet */
	bool at_gate; /* all but the final frame was made */
	bool headed;  /* its first frame was made */
	bool ended;   /* its final frame was made */
	bool final;   /* the final answer's head was read */
};

enum channel_state { CHANNEL_CLOSED, CHANNEL_OPENING, CHANNEL_WARMING, CHANNEL_READY };

struct channel {
	struct wire wire;
	struct volley *volley;
	uint32_t index;
	enum channel_state state;
	bool spare;               /* carries nothing but the bytes that wake the peer */
	bool used;                /* has carried an exchange */
	bool leaving;             /* the peer has said that it takes no more (GOAWAY) */
	enum volley_class failed; /* CLOSED: why; VOLLEY_ANSWERED = for no failure */
	int native;
	int64_t retry_ns;                 /* of a flow: not opened before */
	uint64_t counted_out, counted_in; /* of the wire's bytes, those in the volley's totals */
	uint32_t shots_len;
	struct shot *shots;
	struct shot warm;
	struct volley_outcome warm_outcome;
	struct reply reply;        /* HTTP/1.1 */
	struct h2 *h2;             /* HTTP/2; owned */
	struct channel *next_free; /* of a flow */
	bool is_free;
	bool marked; /* while counting */
};

struct volley {
	struct volley_target target;
	struct volley_config config;
	struct wire_env env;
	int event_fd;
	atomic_bool stopped;
	struct channel **channels; /* owned */
	uint32_t channels_len;
	struct channel *spare; /* owned; NULL until it is first needed */
	struct buf gather;     /* a request on its way into the wire */
	size_t kept;           /* bytes of bodies, of this fire */
	uint32_t opening, sending, flying;
	const struct volley_request *warm;
	bool no_keep_alive; /* the peer closes behind each answer: a warm-up would close it */
	uint64_t bytes_out, bytes_in; /* of this fire or flow */
	char trouble[VOLLEY_TROUBLE_MAX];
	/* Set by a flow. */
	void *flow;
	void (*shot_done)(struct volley *v, struct shot *s);
	void (*channel_ready)(struct volley *v, struct channel *c);
	void (*channel_lost)(struct volley *v, struct channel *c);
};

/* --- channel.c --- */

PAWL_MUST_CHECK struct channel *pawl__channel_new(struct volley *v, uint32_t index);
void pawl__channel_free(struct channel *c);
/* From CLOSED. Ends READY or CLOSED, perhaps within the call. */
void pawl__channel_open(struct channel *c);
/* Shots on it end as `class`; nothing when it is closed. */
void pawl__channel_close(struct channel *c, enum volley_class class, int native);
/* Put the request on its way but for what is held: only the last byte, or all of it. */
void pawl__channel_send(struct channel *c, struct shot *s, bool ahead);
/* Make ready what is to be released: HTTP/2 makes its final frames now. s NULL = every shot. */
void pawl__channel_hold(struct channel *c, struct shot *s);
/* Let it go. Returns the system calls it took. */
uint32_t pawl__channel_release(struct channel *c, int64_t intended_ns);
/* Bytes that wake the peer. */
void pawl__channel_wake(struct channel *c, int step);
/* What wires call, and what epoll says of one. */
void pawl__channel_env(struct wire_env *env);
void pawl__channel_events(struct wire *w, uint32_t events);
/* Bring the volley's totals of bytes up to date. */
void pawl__channel_count(struct channel *c);

static inline struct channel *channel_of(struct wire *w)
{
	return CONTAINER_OF(w, struct channel, wire);
}

/* Bytes of the answer have come. */
void pawl__shot_heard(struct shot *s, int64_t at_ns, bool kernel);
void pawl__shot_finish(struct shot *s, enum volley_class class, int native, int64_t at_ns);
/* Its last byte is with the kernel, or pending. */
void pawl__shot_released(struct shot *s, int64_t at_ns, bool pending);
void pawl__shot_prepared(struct shot *s);

/* Remember the first. */
void pawl__volley_trouble(struct volley *v, const char *text, int native);

/* --- volley.c --- */

/* Look once at what is ready; wait for it no longer than until_ns. */
PAWL_MUST_CHECK enum pawl_status pawl__volley_turn(struct volley *v, int64_t until_ns,
                                                   struct pawl_error *err);
/* As many channels as that. */
PAWL_MUST_CHECK enum pawl_status pawl__volley_grow(struct volley *v, uint32_t len,
                                                   struct pawl_error *err);
/* Can the request be sent as it is? */
PAWL_MUST_CHECK enum pawl_status
pawl__volley_check(const struct volley *v, const struct volley_request *r, struct pawl_error *err);
/* Open the channels [0, len) that are not, a few at a time; wait for them until the deadline. */
PAWL_MUST_CHECK enum pawl_status pawl__volley_open(struct volley *v, uint32_t len,
                                                   struct pawl_error *err);
void pawl__outcome_deinit(struct volley_outcome *o);

/* --- h2.c: an HTTP/2 session of a channel --- */

PAWL_MUST_CHECK struct h2 *pawl__h2_new(struct channel *c);
void pawl__h2_free(struct h2 *h2);
/* The peer's settings have come. */
bool pawl__h2_up(const struct h2 *h2);
/* Streams that one more fire may have on it. packet: of them, those whose final frames fit one
 * packet, which is *ret_packet bytes. */
uint32_t pawl__h2_room(const struct h2 *h2, bool packet, uint32_t *ret_packet);
/* Streams the peer allows at one time. */
uint32_t pawl__h2_streams_max(const struct h2 *h2);
PAWL_MUST_CHECK bool pawl__h2_submit(struct h2 *h2, struct shot *s, bool hold);
/* What the session has to say goes to the wire, and out. False: it is broken. */
PAWL_MUST_CHECK bool pawl__h2_pump(struct h2 *h2);
PAWL_MUST_CHECK bool pawl__h2_hold(struct h2 *h2, struct shot *s);
void pawl__h2_released(struct h2 *h2, int64_t at_ns, int64_t intended_ns);
PAWL_MUST_CHECK bool pawl__h2_ping(struct h2 *h2);
/* False: what has come is no HTTP/2; *ret says which class of failure. */
PAWL_MUST_CHECK bool pawl__h2_bytes(struct h2 *h2, struct str bytes, int64_t at_ns, bool kernel,
                                    enum volley_class *ret);
/* The shot is given up; the stream is reset. */
void pawl__h2_cancel(struct h2 *h2, struct shot *s);
uint64_t pawl__h2_made(const struct h2 *h2);

#endif /* PAWL_RACE_LOAD_VOLLEY_H */
