/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net/loop - one thread's event loop: ready file descriptors, wake-ups, signals, coarse timers.
 *
 * One turn:
 *
 *     wait (epoll) -> ready watches -> due timers -> hooks, by stage:
 *                                      LOOP_INPUT  -> LOOP_WORK       -> LOOP_OUTPUT
 *                                      (parked      (the engine        (answers are
 *                                       input)       commits a batch)   written)
 *
 * A hook returns for how long it can be left alone; the loop blocks for the shortest of these and
 * of the timers. A wake-up from another thread only makes a turn happen: whoever posted work finds
 * it in its hook, so there is no per-message callback and no queue in here.
 *
 * It never allocates after init except to grow the timer heap, and never owns a watched fd.
 *
 * Invariants:
 *  (1) Every call but pawl__loop_wake and pawl__loop_stop is made on the loop's thread.
 *  (2) A watch that was deleted is not called again, not even by an event of the same turn. Its
 *      memory stays valid until the end of that turn; then its owner may reuse it.
 *  (3) Timers fire in order of their due time, never early, and at most LOOP_TIMERS_TURN a turn.
 *
 * Limits: LOOP_EVENTS_MAX events a look and LOOP_GATHER_MAX looks a turn, LOOP_HOOKS_MAX hooks,
 * resolution of waiting one millisecond, rounded up.
 */
#ifndef PAWL_NET_LOOP_H
#define PAWL_NET_LOOP_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "base/compiler.h"
#include "pawl/error.h"

#define LOOP_EVENTS_MAX   1024
#define LOOP_GATHER_MAX   8   /* looks at what is ready in one turn .. */
#define LOOP_GATHER_BELOW 128 /* .. while they find fewer than this */
#define LOOP_HOOKS_MAX    8
#define LOOP_TIMERS_MAX   65536
#define LOOP_TIMERS_TURN  256
#define LOOP_FOREVER      INT64_MAX /* of a hook: no need to run again before something happens */

struct loop;

/* Embedded in its owner, which finds itself with CONTAINER_OF. events: EPOLLIN, EPOLLOUT, ... */
struct loop_watch {
	int fd; /* -1 = not watched */
	void (*ready)(struct loop_watch *w, uint32_t events);
};

/* Embedded in its owner. Zero-initialised = not set. */
struct loop_timer {
	int64_t due_us; /* of the loop's clock, pawl__loop_now_us */
	size_t place;   /* in the heap, from 1; 0 = not set */
	void (*due)(struct loop_timer *t);
};

enum loop_stage { LOOP_INPUT, LOOP_WORK, LOOP_OUTPUT };

/* Embedded in its owner. run returns microseconds until it wants to run again: 0 = do not block,
 * LOOP_FOREVER = when something happens. */
struct loop_hook {
	enum loop_stage stage;
	int64_t (*run)(struct loop_hook *h);
};

PAWL_MUST_CHECK enum pawl_status pawl__loop_new(struct loop **ret_loop, struct pawl_error *err);
/* Every watch, timer and hook is forgotten, none is called. loop may be NULL. */
void pawl__loop_free(struct loop *loop);

/* Watch fd for events (EPOLLIN | EPOLLET ...). w->ready is set by the caller before. */
PAWL_MUST_CHECK enum pawl_status pawl__loop_add(struct loop *loop, struct loop_watch *w, int fd,
                                                uint32_t events, struct pawl_error *err);
/* Change what a watched fd is watched for. Takes nothing that could be lacking. */
void pawl__loop_mod(struct loop *loop, struct loop_watch *w, uint32_t events);
/* Forget the watch. The fd is still the caller's to close. Nothing happens when not watched. */
void pawl__loop_del(struct loop *loop, struct loop_watch *w);

/* (Re)set the timer to after_us from the turn's time. Fails when LOOP_TIMERS_MAX are set or the
 * heap refuses memory. t->due is set by the caller before. */
PAWL_MUST_CHECK enum pawl_status pawl__loop_timer_set(struct loop *loop, struct loop_timer *t,
                                                      int64_t after_us, struct pawl_error *err);
void pawl__loop_timer_cancel(struct loop *loop, struct loop_timer *t);

/* Hooks of one stage run in the order in which they were added. */
void pawl__loop_hook_add(struct loop *loop, struct loop_hook *h);
void pawl__loop_hook_del(struct loop *loop, struct loop_hook *h);

/* The next turn does not block: something was left to do for a hook. */
void pawl__loop_soon(struct loop *loop);

/* Make a turn happen soon. Any thread; async-signal-safe; many calls cost one write. */
void pawl__loop_wake(struct loop *loop);

/*
 * Block the signals of set in the calling thread (call it before other threads are made, they
 * inherit the mask) and deliver them as calls of handler on the loop's thread. Once per loop.
 */
PAWL_MUST_CHECK enum pawl_status pawl__loop_signals(struct loop *loop, const sigset_t *set,
                                                    void (*handler)(void *data, int signo),
                                                    void *data, struct pawl_error *err);

/* Monotonic time of this turn (pawl__clock_mono_us), read once after waiting. */
int64_t pawl__loop_now_us(const struct loop *loop);

/* One turn; waits at most max_wait_us (0 = poll, LOOP_FOREVER = no bound of its own). */
PAWL_MUST_CHECK enum pawl_status pawl__loop_turn(struct loop *loop, int64_t max_wait_us,
                                                 struct pawl_error *err);
/* Turns until pawl__loop_stop. */
PAWL_MUST_CHECK enum pawl_status pawl__loop_run(struct loop *loop, struct pawl_error *err);
/* The current turn is the last. Any thread. */
void pawl__loop_stop(struct loop *loop);

#endif /* PAWL_NET_LOOP_H */
