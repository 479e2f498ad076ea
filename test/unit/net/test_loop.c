/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/loop.h"

static struct loop *loop_open(void)
{
	struct loop *loop = NULL;
	struct pawl_error err = { 0 };

	assert_int_equal(pawl__loop_new(&loop, &err), PAWL_OK);
	return loop;
}

static void turn(struct loop *loop, int64_t wait_us)
{
	struct pawl_error err = { 0 };

	assert_int_equal(pawl__loop_turn(loop, wait_us, &err), PAWL_OK);
}

/* --- watches --- */

struct end {
	struct loop_watch watch;
	int peer;
	int calls;
	uint32_t events;
	struct loop *loop;
	struct end *victim; /* whose watch it deletes */
};

static void end_ready(struct loop_watch *w, uint32_t events)
{
	struct end *e = CONTAINER_OF(w, struct end, watch);

	e->calls++;
	e->events = events;
	if (e->victim != NULL)
		pawl__loop_del(e->loop, &e->victim->watch);
	e->victim = NULL;
}

static void end_open(struct end *e, struct loop *loop, uint32_t events)
{
	struct pawl_error err = { 0 };
	int fds[2];

	memset(e, 0, sizeof(*e));
	e->loop = loop;
	e->watch.ready = end_ready;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	e->peer = fds[1];
	assert_int_equal(pawl__loop_add(loop, &e->watch, fds[0], events, &err), PAWL_OK);
}

static void end_close(struct end *e, int fd)
{
	pawl__loop_del(e->loop, &e->watch);
	(void)close(fd);
	(void)close(e->peer);
}

static void test_loop_add__ready_fd_is_called_with_its_events(void **state)
{
	struct loop *loop = loop_open();
	struct end e;

	(void)state;
	end_open(&e, loop, EPOLLIN);
	turn(loop, 0);
	assert_int_equal(e.calls, 0);
	assert_int_equal(write(e.peer, "x", 1), 1);
	turn(loop, LOOP_FOREVER);
	assert_int_equal(e.calls, LOOP_GATHER_MAX); /* nobody reads: ready at every look */
	assert_int_equal(e.events, EPOLLIN);
	pawl__loop_mod(loop, &e.watch, EPOLLIN | EPOLLOUT);
	turn(loop, LOOP_FOREVER);
	assert_int_equal(e.events, EPOLLIN | EPOLLOUT);
	end_close(&e, e.watch.fd);
	turn(loop, 0);
	assert_int_equal(e.calls, 2 * LOOP_GATHER_MAX);
	pawl__loop_free(loop);
}

static void test_loop_del__in_the_same_turn_silences_the_watch(void **state)
{
	struct loop *loop = loop_open();
	struct end a, b;
	int fd_a, fd_b;

	(void)state;
	end_open(&a, loop, EPOLLIN);
	end_open(&b, loop, EPOLLIN);
	fd_a = a.watch.fd;
	fd_b = b.watch.fd;
	a.victim = &b;
	b.victim = &a;
	assert_int_equal(write(a.peer, "x", 1), 1);
	assert_int_equal(write(b.peer, "x", 1), 1);
	turn(loop, LOOP_FOREVER);
	assert_true((a.calls == 0) != (b.calls == 0)); /* whichever was first */
	end_close(&a, fd_a);
	end_close(&b, fd_b);
	pawl__loop_free(loop);
}

/* --- timers --- */

struct alarm {
	struct loop_timer timer;
	int calls;
	int64_t at_us;
	struct loop *loop;
	int *order; /* next place in the order of firing */
	int place;
};

static void alarm_due(struct loop_timer *t)
{
	struct alarm *a = CONTAINER_OF(t, struct alarm, timer);

	a->calls++;
	a->at_us = pawl__loop_now_us(a->loop);
	if (a->order != NULL)
		a->place = (*a->order)++;
}

static void alarm_set(struct alarm *a, int64_t after_us)
{
	struct pawl_error err = { 0 };

	a->timer.due = alarm_due;
	assert_int_equal(pawl__loop_timer_set(a->loop, &a->timer, after_us, &err), PAWL_OK);
}

static void test_loop_timer_set__fires_once_and_never_early(void **state)
{
	struct loop *loop = loop_open();
	struct alarm a = { .loop = loop };
	int64_t set_us;

	(void)state;
	set_us = pawl__loop_now_us(loop);
	alarm_set(&a, 3000);
	while (a.calls == 0)
		turn(loop, LOOP_FOREVER); /* the timer bounds the wait */
	assert_true(a.at_us >= set_us + 3000);
	assert_int_equal(a.timer.place, 0);
	turn(loop, 0);
	assert_int_equal(a.calls, 1);
	pawl__loop_free(loop);
}

static void test_loop_timer_set__many_fire_in_order_of_time(void **state)
{
	enum { N = 200 };
	struct loop *loop = loop_open();
	static struct alarm alarms[N];
	int order = 0, left = 0;

	(void)state;
	for (int i = 0; i < N; i++) {
		alarms[i] = (struct alarm){ .loop = loop, .order = &order };
		alarm_set(&alarms[i], 2000 + (i * 7919) % N); /* all different */
	}
	for (int i = 0; i < N; i += 3) /* from the middle of the heap */
		pawl__loop_timer_cancel(loop, &alarms[i].timer);
	for (int i = 1; i < N; i += 3) /* later or earlier */
		alarm_set(&alarms[i], 1000 + (i * 104729) % 1999);
	for (int i = 0; i < N; i++)
		left += alarms[i].timer.place != 0;
	while (order < left)
		turn(loop, LOOP_FOREVER);
	for (int i = 0; i < N; i++) {
		assert_int_equal(alarms[i].calls, i % 3 != 0);
		for (int j = 0; j < N; j++) {
			if (i % 3 == 0 || j % 3 == 0)
				continue;
			if (alarms[i].timer.due_us < alarms[j].timer.due_us)
				assert_true(alarms[i].place < alarms[j].place);
		}
	}
	pawl__loop_free(loop);
}

static void test_loop_timer_set__at_the_limit_and_one_over(void **state)
{
	struct loop *loop = loop_open();
	struct alarm *alarms = calloc(LOOP_TIMERS_MAX + 1, sizeof(*alarms));
	struct pawl_error err = { 0 };

	(void)state;
	assert_non_null(alarms);
	for (size_t i = 0; i < LOOP_TIMERS_MAX; i++) {
		alarms[i].loop = loop;
		alarm_set(&alarms[i], 1000000000);
	}
	alarms[LOOP_TIMERS_MAX].timer.due = alarm_due;
	assert_int_equal(pawl__loop_timer_set(loop, &alarms[LOOP_TIMERS_MAX].timer, 1, &err),
	                 PAWL_E_NOMEM);
	pawl__loop_timer_cancel(loop, &alarms[7].timer);
	alarms[LOOP_TIMERS_MAX].loop = loop;
	alarm_set(&alarms[LOOP_TIMERS_MAX], 1);
	free(alarms);
	pawl__loop_free(loop);
}

/* --- hooks --- */

struct recorder {
	struct loop_hook hook;
	char name;
	char *log;
	int64_t idle_us;
};

static int64_t recorder_run(struct loop_hook *h)
{
	struct recorder *r = CONTAINER_OF(h, struct recorder, hook);
	const size_t len = strlen(r->log);

	r->log[len] = r->name;
	return r->idle_us;
}

static void test_loop_hook_add__hooks_run_by_stage_then_in_order(void **state)
{
	struct loop *loop = loop_open();
	char log[16] = "";
	struct recorder r[] = {
		{ { LOOP_OUTPUT, recorder_run }, 'o', log, LOOP_FOREVER },
		{ { LOOP_WORK, recorder_run }, 'w', log, LOOP_FOREVER },
		{ { LOOP_INPUT, recorder_run }, 'i', log, LOOP_FOREVER },
		{ { LOOP_WORK, recorder_run }, 'x', log, LOOP_FOREVER },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(r); i++)
		pawl__loop_hook_add(loop, &r[i].hook);
	turn(loop, LOOP_FOREVER); /* does not block: nobody has said yet for how long it may */
	assert_string_equal(log, "iwxo");
	pawl__loop_hook_del(loop, &r[1].hook);
	turn(loop, 0);
	assert_string_equal(log, "iwxoixo");
	pawl__loop_free(loop);
}

static void test_loop_hook_add__idle_time_bounds_the_wait(void **state)
{
	struct loop *loop = loop_open();
	char log[16] = "";
	struct recorder at_once = { { LOOP_WORK, recorder_run }, 'a', log, 0 };
	struct recorder soon = { { LOOP_WORK, recorder_run }, 's', log, 2000 };

	(void)state;
	pawl__loop_hook_add(loop, &soon.hook);
	turn(loop, 0);
	turn(loop, LOOP_FOREVER); /* returns, though nothing happens */
	pawl__loop_hook_add(loop, &at_once.hook);
	turn(loop, LOOP_FOREVER);
	turn(loop, LOOP_FOREVER);
	assert_string_equal(log, "sssasa");
	pawl__loop_free(loop);
}

static void test_loop_soon__next_turn_does_not_block(void **state)
{
	struct loop *loop = loop_open();

	(void)state;
	turn(loop, 0);
	pawl__loop_soon(loop);
	turn(loop, LOOP_FOREVER);
	pawl__loop_free(loop);
}

/* --- other threads --- */

struct poster {
	struct loop *loop;
	struct loop_hook hook;
	_Atomic uint64_t posted;
	uint64_t seen;
	uint64_t all;
};

static void *poster_run(void *data)
{
	struct poster *p = data;

	for (uint64_t i = 0; i < p->all; i++) {
		p->posted++;
		pawl__loop_wake(p->loop);
	}
	return NULL;
}

static int64_t poster_hook(struct loop_hook *h)
{
	struct poster *p = CONTAINER_OF(h, struct poster, hook);

	p->seen = p->posted;
	return LOOP_FOREVER;
}

static void test_loop_wake__no_wake_up_is_lost(void **state)
{
	struct poster p = { .loop = loop_open(), .all = 20000 };
	pthread_t thread;

	(void)state;
	p.hook = (struct loop_hook){ LOOP_WORK, poster_hook };
	pawl__loop_hook_add(p.loop, &p.hook);
	assert_int_equal(pthread_create(&thread, NULL, poster_run, &p), 0);
	while (p.seen < p.all)
		turn(p.loop, LOOP_FOREVER); /* a lost one hangs here */
	assert_int_equal(pthread_join(thread, NULL), 0);
	pawl__loop_free(p.loop);
}

static void *stopper_run(void *data)
{
	pawl__loop_stop(data);
	return NULL;
}

static void test_loop_stop__from_another_thread_ends_run(void **state)
{
	struct loop *loop = loop_open();
	struct pawl_error err = { 0 };
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, stopper_run, loop), 0);
	assert_int_equal(pawl__loop_run(loop, &err), PAWL_OK);
	assert_int_equal(pthread_join(thread, NULL), 0);
	pawl__loop_free(loop);
}

static void signal_note(void *data, int signo)
{
	int *last = data;

	*last = signo;
}

static void test_loop_signals__signal_becomes_a_call(void **state)
{
	struct loop *loop = loop_open();
	struct pawl_error err = { 0 };
	sigset_t set;
	int got = 0;

	(void)state;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	assert_int_equal(pawl__loop_signals(loop, &set, signal_note, &got, &err), PAWL_OK);
	assert_int_equal(raise(SIGHUP), 0);
	turn(loop, LOOP_FOREVER);
	assert_int_equal(got, SIGHUP);
	assert_int_equal(raise(SIGTERM), 0);
	turn(loop, LOOP_FOREVER);
	assert_int_equal(got, SIGTERM);
	pawl__loop_free(loop);
	(void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loop_add__ready_fd_is_called_with_its_events),
		cmocka_unit_test(test_loop_del__in_the_same_turn_silences_the_watch),
		cmocka_unit_test(test_loop_timer_set__fires_once_and_never_early),
		cmocka_unit_test(test_loop_timer_set__many_fire_in_order_of_time),
		cmocka_unit_test(test_loop_timer_set__at_the_limit_and_one_over),
		cmocka_unit_test(test_loop_hook_add__hooks_run_by_stage_then_in_order),
		cmocka_unit_test(test_loop_hook_add__idle_time_bounds_the_wait),
		cmocka_unit_test(test_loop_soon__next_turn_does_not_block),
		cmocka_unit_test(test_loop_wake__no_wake_up_is_lost),
		cmocka_unit_test(test_loop_stop__from_another_thread_ends_run),
		cmocka_unit_test(test_loop_signals__signal_becomes_a_call),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
