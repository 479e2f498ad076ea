/* SPDX-License-Identifier: Apache-2.0 */
#include "race/load/gate_core.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"

#define EVENTS_MAX 256
#define WAKE_NS    INT64_C(2000000)
#define WAKE_STEPS 3
#define EVENT_FD   UINT64_MAX /* epoll's data of the descriptor that stops a run */

enum client_state { CLIENT_DELAYED, CLIENT_HOLDING, CLIENT_HELD, CLIENT_SENT, CLIENT_ENDED };

struct gate_client {
	enum client_state state;
	uint32_t step;
	uint32_t watched; /* epoll events; 0 = none */
	bool held;        /* the batch under way is the one of the gate */
	struct gate_options options;
	int64_t due_ns;
	int64_t sent_ns, released_ns, end_ns;
};

enum pawl_status pawl__gate_init(struct gate_core *g, const struct gate_ops *ops, void *db,
                                 struct pawl_error *err)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = EVENT_FD };

	*g = (struct gate_core){ .ops = ops, .db = db };
	g->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	g->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (g->epoll_fd < 0 || g->event_fd < 0 ||
	    epoll_ctl(g->epoll_fd, EPOLL_CTL_ADD, g->event_fd, &ev) != 0) {
		pawl__error_native(err, PAWL_E_IO, errno, "cannot make the event loop");
		pawl__gate_deinit(g);
		return PAWL_E_IO;
	}
	return PAWL_OK;
}

void pawl__gate_deinit(struct gate_core *g)
{
	if (g->epoll_fd >= 0)
		(void)close(g->epoll_fd);
	if (g->event_fd >= 0)
		(void)close(g->event_fd);
	g->epoll_fd = -1;
	g->event_fd = -1;
}

void pawl__gate_stop(struct gate_core *g)
{
	const uint64_t one = 1;

	atomic_store(&g->stopped, true);
	(void)!write(g->event_fd, &one, sizeof(one)); /* fails only when it is set */
}

static void trouble(struct gate_core *g, const char *text)
{
	struct buf b;

	if (g->result->trouble[0] != '\0')
		return;
	pawl__buf_init_fixed(&b, g->result->trouble, sizeof(g->result->trouble) - 1);
	buf_str(&b, (struct str){ text, strnlen(text, sizeof(g->result->trouble) - 1) });
	g->result->trouble[b.len] = '\0';
}

static void watch(struct gate_core *g, uint32_t i, uint32_t events)
{
	struct gate_client *c = &g->clients[i];
	struct epoll_event ev = { .events = events, .data.u64 = i };
	const int fd = g->ops->fd(g->db, i);

	if (c->watched == events || fd < 0)
		return;
	(void)epoll_ctl(g->epoll_fd,
	                events == 0       ? EPOLL_CTL_DEL
	                : c->watched == 0 ? EPOLL_CTL_ADD
	                                  : EPOLL_CTL_MOD,
	                fd, &ev);
	c->watched = events;
}

static void client_end(struct gate_core *g, uint32_t i)
{
	struct gate_client *c = &g->clients[i];

	if (c->state == CLIENT_HELD)
		g->held--;
	else
		g->waiting--;
	c->state = CLIENT_ENDED;
	c->end_ns = pawl__clock_mono_ns();
	watch(g, i, 0);
}

static struct gate_turn turn_of(const struct gate_client *c, uint32_t i)
{
	return (struct gate_turn){ .client = i,
		                   .step = c->step,
		                   .held = c->held,
		                   .sent_ns = c->sent_ns,
		                   .done_ns = c->step == 0 ? 0 : pawl__clock_mono_ns() };
}

/* told: next has filled a batch that is to come back to it. */
static void client_lose(struct gate_core *g, uint32_t i, bool timed_out, bool told)
{
	struct gate_client *c = &g->clients[i];
	struct gate_turn turn = turn_of(c, i);
	struct gate_options options = { 0 };
	const char *why = g->ops->trouble(g->db, i);

	if (timed_out) {
		g->result->timed_out++;
		why = "no answer before the deadline";
	} else {
		g->result->lost++;
	}
	trouble(g, why[0] == '\0' ? "the connection was lost" : why);
	client_end(g, i);
	g->ops->lost(g->db, i);
	if (!told)
		return;
	turn.lost = true;
	turn.timed_out = timed_out;
	turn.done_ns = c->end_ns;
	(void)g->ops->ask(g->db, &turn, &options);
}

static void client_watch(struct gate_core *g, uint32_t i)
{
	watch(g, i, g->ops->writes(g->db, i) ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

/* A client's batch goes on its way: to the gate, or to the server. */
static void client_send(struct gate_core *g, uint32_t i)
{
	struct gate_client *c = &g->clients[i];
	const bool hold = !g->open && !c->options.ahead;

	c->sent_ns = pawl__clock_mono_ns();
	c->step++;
	c->held = hold;
	c->state = hold ? CLIENT_HOLDING : CLIENT_SENT;
	g->result->batches++;
	if (!(hold ? g->ops->hold : g->ops->send)(g->db, i)) {
		client_lose(g, i, false, true);
		return;
	}
	client_watch(g, i);
	if (hold && !g->ops->writes(g->db, i)) {
		c->state = CLIENT_HELD;
		g->waiting--;
		g->held++;
	}
}

static void client_ask(struct gate_core *g, uint32_t i)
{
	struct gate_client *c = &g->clients[i];
	const struct gate_turn turn = turn_of(c, i);
	int64_t max_ns = g->plan->deadline_ns;

	c->options = (struct gate_options){ 0 };
	switch (g->ops->ask(g->db, &turn, &c->options)) {
	case GATE_FINISHED:
		g->result->finished++;
		client_end(g, i);
		return;
	case GATE_BROKEN:
		trouble(g, "a batch is over its limits");
		client_lose(g, i, false, true);
		return;
	case GATE_FILLED:
		break;
	}
	if (c->step >= GATE_STEPS_MAX) {
		trouble(g, "a client has sent too many batches");
		client_lose(g, i, false, true);
		return;
	}
	g->result->retries += c->options.retry ? 1 : 0;
	if (c->options.delay_ns <= 0) {
		client_send(g, i);
		return;
	}
	c->state = CLIENT_DELAYED;
	c->due_ns = pawl__clock_mono_ns() +
	            (c->options.delay_ns < max_ns ? c->options.delay_ns : max_ns);
}

static void client_ready(struct gate_core *g, uint32_t i)
{
	struct gate_client *c = &g->clients[i];
	enum gate_ready ready;

	if (c->state == CLIENT_ENDED)
		return;
	ready = g->ops->ready(g->db, i);
	if (ready == GATE_LOST || (ready == GATE_ANSWERED && c->state != CLIENT_SENT)) {
		client_lose(g, i, false, true);
		return;
	}
	client_watch(g, i);
	if (c->state == CLIENT_HOLDING && !g->ops->writes(g->db, i)) {
		c->state = CLIENT_HELD;
		g->waiting--;
		g->held++;
	}
	if (ready == GATE_ANSWERED)
		client_ask(g, i);
}

/* --- time --- */

static int64_t delays_run(struct gate_core *g, int64_t until_ns)
{
	const int64_t now_ns = pawl__clock_mono_ns();

	for (uint32_t i = 0; i < g->plan->clients; i++) {
		struct gate_client *c = &g->clients[i];

		if (c->state != CLIENT_DELAYED)
			continue;
		if (c->due_ns <= now_ns)
			client_send(g, i);
		else if (c->due_ns < until_ns)
			until_ns = c->due_ns;
	}
	return until_ns;
}

static enum pawl_status turn(struct gate_core *g, int64_t until_ns, struct pawl_error *err)
{
	struct epoll_event events[EVENTS_MAX];
	int64_t wait_ns;
	int n;

	until_ns = delays_run(g, until_ns);
	if (g->open && g->ops->sample != NULL) {
		const int64_t now_ns = pawl__clock_mono_ns();

		if (now_ns - g->sampled_ns >= GATE_SAMPLE_NS) {
			g->sampled_ns = now_ns;
			g->ops->sample(g->db);
		}
		if (g->sampled_ns + GATE_SAMPLE_NS < until_ns)
			until_ns = g->sampled_ns + GATE_SAMPLE_NS;
	}
	wait_ns = until_ns - pawl__clock_mono_ns();
	if (wait_ns < 0 || atomic_load(&g->stopped))
		wait_ns = 0;
	const struct timespec ts = { wait_ns / 1000000000, wait_ns % 1000000000 };

	n = epoll_pwait2(g->epoll_fd, events, EVENTS_MAX, &ts, NULL);
	if (n < 0 && (errno == ENOSYS || errno == EPERM))
		n = epoll_wait(g->epoll_fd, events, EVENTS_MAX, (int)(wait_ns / 1000000));
	if (n < 0 && errno != EINTR)
		return pawl__error_native(err, PAWL_E_IO, errno, "cannot wait for events");
	for (int i = 0; i < n; i++) {
		uint64_t count;

		if (events[i].data.u64 == EVENT_FD)
			(void)!read(g->event_fd, &count, sizeof(count));
		else
			client_ready(g, (uint32_t)events[i].data.u64);
	}
	return PAWL_OK;
}

/* Turns until nobody is waited for (forever = until that time passes), or the deadline. */
static enum pawl_status turns(struct gate_core *g, int64_t until_ns, bool whole,
                              struct pawl_error *err)
{
	enum pawl_status st = PAWL_OK;

	while (st == PAWL_OK && !atomic_load(&g->stopped) && (whole || g->waiting > 0) &&
	       pawl__clock_mono_ns() < until_ns)
		st = turn(g, until_ns, err);
	return st;
}

/* Those who are not where they should be by now. */
static void give_up(struct gate_core *g, bool all)
{
	for (uint32_t i = 0; i < g->plan->clients; i++) {
		const enum client_state state = g->clients[i].state;

		if (state != CLIENT_ENDED && (all || state != CLIENT_HELD))
			client_lose(g, i, true, true);
	}
}

/* --- the run --- */

static void wake(struct gate_core *g)
{
	const int64_t start_ns = pawl__clock_mono_ns();

	if (g->plan->no_wake)
		return;
	for (int step = 0; step < WAKE_STEPS; step++) {
		g->ops->wake(g->db, step);
		while (pawl__clock_mono_ns() < start_ns + (step + 1) * (WAKE_NS / WAKE_STEPS))
			;
	}
}

static void release(struct gate_core *g)
{
	int64_t first_ns = 0, last_ns = 0;

	g->open = true;
	g->result->gate_ns = pawl__clock_mono_ns();
	for (uint32_t i = 0; i < g->plan->clients; i++) {
		struct gate_client *c = &g->clients[i];

		if (c->state != CLIENT_HELD)
			continue;
		last_ns = c->sent_ns = c->released_ns = pawl__clock_mono_ns();
		first_ns = first_ns == 0 ? last_ns : first_ns;
		g->result->released++;
		c->state = CLIENT_SENT;
		g->held--;
		g->waiting++;
		if (!g->ops->release(g->db, i))
			client_lose(g, i, false, true);
	}
	g->result->release_spread_ns = last_ns - first_ns;
	for (uint32_t i = 0; i < g->plan->clients; i++) {
		if (g->clients[i].state == CLIENT_SENT)
			client_watch(g, i);
	}
}

static void begin(struct gate_core *g)
{
	g->waiting = g->plan->clients;
	g->held = 0;
	g->open = false;
	for (uint32_t i = 0; i < g->plan->clients; i++) {
		g->clients[i].state = CLIENT_SENT; /* until it says otherwise */
		if (g->ops->fd(g->db, i) < 0)
			client_lose(g, i, false, false);
		else
			client_ask(g, i);
	}
}

static enum pawl_status overlap(struct gate_core *g, struct pawl_error *err)
{
	const uint32_t n = g->plan->clients;
	struct race_span *spans = calloc(n, sizeof(*spans));
	enum pawl_status st;

	if (spans == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for the results");
	for (uint32_t i = 0; i < n; i++)
		spans[i] = (struct race_span){ g->clients[i].released_ns, g->clients[i].end_ns };
	st = pawl__overlap_measure(spans, n, &g->result->overlap, err);
	free(spans);
	return st;
}

static enum pawl_status run(struct gate_core *g, struct pawl_error *err)
{
	const struct gate_plan *plan = g->plan;
	enum pawl_status st;

	begin(g);
	st = turns(g, pawl__clock_mono_ns() + plan->deadline_ns, false, err);
	if (st == PAWL_OK && !atomic_load(&g->stopped)) {
		give_up(g, false);
		st = turns(g, pawl__clock_mono_ns() + plan->head_start_ns, true, err);
	}
	if (st == PAWL_OK && !atomic_load(&g->stopped)) {
		wake(g);
		release(g);
		st = turns(g, pawl__clock_mono_ns() + plan->deadline_ns, false, err);
	}
	give_up(g, true);
	g->result->end_ns = pawl__clock_mono_ns();
	g->result->stopped = atomic_load(&g->stopped);
	return st == PAWL_OK ? overlap(g, err) : st;
}

enum pawl_status pawl__gate_run(struct gate_core *g, const struct gate_plan *plan,
                                struct gate_result *ret, struct pawl_error *err)
{
	struct gate_plan used = *plan;
	enum pawl_status st;

	if (plan->clients == 0 || plan->clients > GATE_CLIENTS_MAX)
		return pawl__error_set(err, PAWL_E_INVALID, "a gate is for 1 to %d clients",
		                       GATE_CLIENTS_MAX);
	if (used.head_start_ns == 0)
		used.head_start_ns = GATE_HEAD_DEFAULT_NS;
	if (used.head_start_ns < 0)
		used.head_start_ns = 0;
	if (used.deadline_ns <= 0)
		used.deadline_ns = GATE_DEADLINE_DEFAULT_NS;
	*ret = (struct gate_result){ .clients = plan->clients };
	g->clients = calloc(plan->clients, sizeof(*g->clients));
	if (g->clients == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for the clients");
	g->plan = &used;
	g->result = ret;
	st = run(g, err);
	free(g->clients);
	g->clients = NULL;
	g->plan = NULL;
	g->result = NULL;
	atomic_store(&g->stopped, false);
	return st;
}
