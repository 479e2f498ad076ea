/* SPDX-License-Identifier: Apache-2.0 */
#include "net/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/num.h"

/* The time beside the pointer: comparing touches the heap alone. */
struct heap_entry {
	int64_t due_us;
	struct loop_timer *timer;
};

struct loop {
	int epoll_fd;
	int64_t now_us;
	int64_t idle_us; /* what the hooks allow to wait */
	struct loop_watch wake;
	struct loop_watch signals;
	void (*on_signal)(void *data, int signo);
	void *on_signal_data;
	atomic_bool woken; /* the eventfd was written and not read yet */
	atomic_bool stopped;
	size_t hooks_len;
	struct loop_hook *hooks[LOOP_HOOKS_MAX];
	struct heap_entry *heap; /* owned; [1, timers] in heap order, [0] unused */
	size_t timers;
	size_t heap_cap;
	struct epoll_event events[LOOP_EVENTS_MAX];
};

static void wake_ready(struct loop_watch *w, uint32_t events)
{
	struct loop *loop = CONTAINER_OF(w, struct loop, wake);
	uint64_t n;

	(void)events;
	(void)!read(w->fd, &n, sizeof(n)); /* it only clears; a failure means it is clear */
	/* An exchange: the hooks of this turn see all that was posted before the wake-up. */
	(void)atomic_exchange(&loop->woken, false);
}

enum pawl_status pawl__loop_new(struct loop **ret_loop, struct pawl_error *err)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	enum pawl_status st;
	int fd;

	if (loop == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for the event loop");
	loop->wake = (struct loop_watch){ .fd = -1, .ready = wake_ready };
	loop->signals = (struct loop_watch){ .fd = -1 };
	loop->now_us = pawl__clock_mono_us();
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (loop->epoll_fd < 0 || fd < 0) {
		st = pawl__error_native(err, PAWL_E_IO, errno, "cannot make the event loop");
		if (fd >= 0)
			(void)close(fd);
		pawl__loop_free(loop);
		return st;
	}
	st = pawl__loop_add(loop, &loop->wake, fd, EPOLLIN, err);
	if (st != PAWL_OK) {
		(void)close(fd);
		pawl__loop_free(loop);
		return st;
	}
	*ret_loop = loop;
	return PAWL_OK;
}

void pawl__loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	if (loop->wake.fd >= 0)
		(void)close(loop->wake.fd);
	if (loop->signals.fd >= 0)
		(void)close(loop->signals.fd);
	if (loop->epoll_fd >= 0)
		(void)close(loop->epoll_fd);
	free(loop->heap);
	free(loop);
}

enum pawl_status pawl__loop_add(struct loop *loop, struct loop_watch *w, int fd, uint32_t events,
                                struct pawl_error *err)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	PRE(fd >= 0 && w->ready != NULL);
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &ev) != 0)
		return pawl__error_native(err, PAWL_E_IO, errno, "cannot watch a descriptor");
	w->fd = fd;
	return PAWL_OK;
}

void pawl__loop_mod(struct loop *loop, struct loop_watch *w, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	PRE(w->fd >= 0);
	INVARIANT(epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, w->fd, &ev) == 0);
}

void pawl__loop_del(struct loop *loop, struct loop_watch *w)
{
	if (w->fd < 0)
		return;
	/* Explicitly, because closing does not remove a descriptor that was inherited elsewhere. */
	(void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
	w->fd = -1;
}

/* --- timers: a binary heap by due time --- */

static void heap_put(struct loop *loop, size_t place, struct heap_entry e)
{
	loop->heap[place] = e;
	e.timer->place = place;
}

static void heap_up(struct loop *loop, size_t place, struct heap_entry e)
{
	for (; place > 1 && loop->heap[place / 2].due_us > e.due_us; place /= 2)
		heap_put(loop, place, loop->heap[place / 2]);
	heap_put(loop, place, e);
}

static void heap_down(struct loop *loop, size_t place, struct heap_entry e)
{
	for (size_t child = place * 2; child <= loop->timers; place = child, child *= 2) {
		if (child < loop->timers && loop->heap[child + 1].due_us < loop->heap[child].due_us)
			child++;
		if (loop->heap[child].due_us >= e.due_us)
			break;
		heap_put(loop, place, loop->heap[child]);
	}
	heap_put(loop, place, e);
}

enum pawl_status pawl__loop_timer_set(struct loop *loop, struct loop_timer *t, int64_t after_us,
                                      struct pawl_error *err)
{
	PRE(after_us >= 0 && t->due != NULL);
	pawl__loop_timer_cancel(loop, t);
	if (loop->timers == LOOP_TIMERS_MAX)
		return pawl__error_set(err, PAWL_E_NOMEM, "too many timers");
	if (loop->timers + 1 >= loop->heap_cap) {
		const size_t cap = loop->heap_cap == 0 ? 16 : loop->heap_cap * 2;
		struct heap_entry *heap = realloc(loop->heap, cap * sizeof(*heap));

		if (heap == NULL)
			return pawl__error_set(err, PAWL_E_NOMEM, "no memory for another timer");
		loop->heap = heap;
		loop->heap_cap = cap;
	}
	if (!num_add(loop->now_us, after_us, &t->due_us))
		t->due_us = INT64_MAX;
	heap_up(loop, ++loop->timers, (struct heap_entry){ t->due_us, t });
	return PAWL_OK;
}

void pawl__loop_timer_cancel(struct loop *loop, struct loop_timer *t)
{
	const size_t place = t->place;
	struct heap_entry last;

	if (place == 0)
		return;
	INVARIANT(place <= loop->timers && loop->heap[place].timer == t);
	t->place = 0;
	last = loop->heap[loop->timers--];
	if (last.timer == t)
		return;
	if (place > 1 && loop->heap[place / 2].due_us > last.due_us)
		heap_up(loop, place, last);
	else
		heap_down(loop, place, last);
}

static void timers_run(struct loop *loop)
{
	for (int i = 0; i < LOOP_TIMERS_TURN && loop->timers > 0; i++) {
		struct loop_timer *t = loop->heap[1].timer;

		if (t->due_us > loop->now_us) /* (3) */
			return;
		pawl__loop_timer_cancel(loop, t);
		t->due(t);
	}
}

/* --- hooks --- */

void pawl__loop_hook_add(struct loop *loop, struct loop_hook *h)
{
	size_t at = loop->hooks_len;

	PRE(loop->hooks_len < LOOP_HOOKS_MAX && h->run != NULL);
	for (; at > 0 && loop->hooks[at - 1]->stage > h->stage; at--)
		loop->hooks[at] = loop->hooks[at - 1];
	loop->hooks[at] = h;
	loop->hooks_len++;
	loop->idle_us = 0; /* it has not said yet how long it can wait */
}

void pawl__loop_hook_del(struct loop *loop, struct loop_hook *h)
{
	size_t kept = 0;

	for (size_t i = 0; i < loop->hooks_len; i++) {
		if (loop->hooks[i] != h)
			loop->hooks[kept++] = loop->hooks[i];
	}
	loop->hooks_len = kept;
}

static void hooks_run(struct loop *loop)
{
	loop->idle_us = LOOP_FOREVER;
	for (size_t i = 0; i < loop->hooks_len; i++) {
		const int64_t idle_us = loop->hooks[i]->run(loop->hooks[i]);

		if (idle_us < loop->idle_us)
			loop->idle_us = idle_us;
	}
}

void pawl__loop_soon(struct loop *loop)
{
	loop->idle_us = 0;
}

/* --- wake-ups and signals --- */

void pawl__loop_wake(struct loop *loop)
{
	const uint64_t one = 1;

	if (!atomic_exchange(&loop->woken, true))
		(void)!write(loop->wake.fd, &one, sizeof(one)); /* fails only when it is set */
}

static void signals_ready(struct loop_watch *w, uint32_t events)
{
	struct loop *loop = CONTAINER_OF(w, struct loop, signals);
	struct signalfd_siginfo info;

	(void)events;
	while (read(w->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		loop->on_signal(loop->on_signal_data, (int)info.ssi_signo);
}

enum pawl_status pawl__loop_signals(struct loop *loop, const sigset_t *set,
                                    void (*handler)(void *data, int signo), void *data,
                                    struct pawl_error *err)
{
	enum pawl_status st;
	int fd, rc;

	PRE(loop->signals.fd < 0 && handler != NULL);
	rc = pthread_sigmask(SIG_BLOCK, set, NULL);
	if (rc != 0)
		return pawl__error_native(err, PAWL_E_IO, rc, "cannot block signals");
	fd = signalfd(-1, set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return pawl__error_native(err, PAWL_E_IO, errno, "cannot receive signals");
	loop->signals.ready = signals_ready;
	loop->on_signal = handler;
	loop->on_signal_data = data;
	st = pawl__loop_add(loop, &loop->signals, fd, EPOLLIN, err);
	if (st != PAWL_OK)
		(void)close(fd);
	return st;
}

/* --- turns --- */

int64_t pawl__loop_now_us(const struct loop *loop)
{
	return loop->now_us;
}

static int wait_ms(const struct loop *loop, int64_t max_wait_us)
{
	int64_t us = loop->idle_us < max_wait_us ? loop->idle_us : max_wait_us;

	if (us > 0 && loop->timers > 0) {
		/* now_us is the start of the last turn: its own length counts as waited. */
		const int64_t left_us = loop->heap[1].due_us - pawl__clock_mono_us();

		if (left_us < us)
			us = left_us > 0 ? left_us : 0;
	}
	if (us == LOOP_FOREVER)
		return -1;
	if (us > INT64_C(60000000)) /* an early turn does no harm */
		us = INT64_C(60000000);
	return (int)((us + 999) / 1000);
}

/* One look at what is ready. Returns how many were, -1 with errno. */
static int events_run(struct loop *loop, int timeout)
{
	const int n = epoll_wait(loop->epoll_fd, loop->events, LOOP_EVENTS_MAX, timeout);

	loop->now_us = pawl__clock_mono_us();
	for (int i = 0; i < n; i++) {
		struct loop_watch *w = loop->events[i].data.ptr;

		if (w->fd >= 0) /* (2) */
			w->ready(w, loop->events[i].events);
	}
	return n;
}

enum pawl_status pawl__loop_turn(struct loop *loop, int64_t max_wait_us, struct pawl_error *err)
{
	int n = events_run(loop, wait_ms(loop, max_wait_us));

	if (n < 0 && errno != EINTR)
		return pawl__error_native(err, PAWL_E_IO, errno, "cannot wait for events");
	/* What has come while these were handled comes along: a hook that commits does so once for
	 * all of it. Nobody waits for more than is there, and many are enough. */
	for (int round = 1; round < LOOP_GATHER_MAX && n > 0 && n < LOOP_GATHER_BELOW; round++)
		n = events_run(loop, 0);
	timers_run(loop);
	hooks_run(loop);
	return PAWL_OK;
}

enum pawl_status pawl__loop_run(struct loop *loop, struct pawl_error *err)
{
	enum pawl_status st = PAWL_OK;

	while (st == PAWL_OK && !atomic_load(&loop->stopped))
		st = pawl__loop_turn(loop, LOOP_FOREVER, err);
	atomic_store(&loop->stopped, false);
	return st;
}

void pawl__loop_stop(struct loop *loop)
{
	atomic_store(&loop->stopped, true);
	pawl__loop_wake(loop);
}
