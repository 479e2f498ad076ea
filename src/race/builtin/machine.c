/* SPDX-License-Identifier: Apache-2.0 */
#include "race/builtin/machine.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"

#define BACKOFF_US    INT64_C(200)
#define BACKOFF_SHIFT 6 /* 12.8 ms */
/* Victims that come back at once close the same circle again: inserts that collide by EXCLUDE. */
#define BACKOFF_SHIFT_DEADLOCK 11 /* 410 ms */
#define AWAIT_US               100
#define ACCOUNTS               8
#define AMOUNT_MAX             20

void pawl__machine_init(struct machine *m, struct world *world)
{
	memset(m, 0, sizeof(*m));
	m->world = world;
	m->phase = PHASE_END;
	for (size_t i = 0; i < MACHINE_REGS; i++)
		pawl__buf_init(&m->regs[i], MACHINE_REG_MAX);
	pawl__buf_init(&m->text, MACHINE_TEXT_MAX);
}

void pawl__machine_deinit(struct machine *m)
{
	for (size_t i = 0; i < MACHINE_REGS; i++)
		pawl__buf_deinit(&m->regs[i]);
	pawl__buf_deinit(&m->text);
}

static struct buf *reg_at(struct machine *m, char name)
{
	PRE(name >= 'a' && name <= 'z');
	return &m->regs[name - 'a'];
}

void pawl__machine_set(struct machine *m, char reg, int64_t v)
{
	struct buf *b = reg_at(m, reg);

	pawl__buf_reset(b);
	pawl__buf_i64(b, v);
}

static void begin(struct machine *m)
{
	m->at = 0;
	m->phase = PHASE_RUN;
	m->again = false;
	m->armed = false;
	m->undo = NULL;
	m->victim = false;
	m->tries++;
}

void pawl__machine_start(struct machine *m, const struct machine_start *start)
{
	const struct step *s = start->program->steps;
	int64_t x, y;
	bool back;

	rng_init(&m->rng, start->seed ^ (uint64_t)start->number * UINT64_C(0x9e3779b97f4a7c15) ^
	                          (uint64_t)start->round << 40);
	m->program = start->program;
	m->think_us = start->think_us;
	m->tries = 0;
	m->victims = 0;
	m->awaits = 0;
	m->end = END_DONE;
	m->trouble[0] = '\0';
	for (m->finally = 0; s[m->finally].op != STEP_END; m->finally++) {
		if (s[m->finally].op == STEP_FINALLY) {
			m->finally++;
			break;
		}
	}
	for (size_t i = 0; i < MACHINE_REGS; i++)
		pawl__buf_reset(&m->regs[i]);
	x = (int64_t)pawl__rng_below(&m->rng, ACCOUNTS - 1) + 1;
	y = x + 1 + (int64_t)pawl__rng_below(&m->rng, (uint64_t)(ACCOUNTS - x));
	pawl__machine_set(m, 'x', x);
	pawl__machine_set(m, 'y', y);
	x = (int64_t)pawl__rng_below(&m->rng, AMOUNT_MAX) + 1;
	back = pawl__rng_below(&m->rng, 2) == 1;
	pawl__machine_set(m, 'm', back ? -x : x);
	pawl__machine_set(m, 'q', x);
	buf_str(reg_at(m, 'f'), buf_get(reg_at(m, back ? 'y' : 'x')));
	buf_str(reg_at(m, 'g'), buf_get(reg_at(m, back ? 'x' : 'y')));
	pawl__machine_set(m, 'c', start->client);
	pawl__machine_set(m, 'i', start->number);
	pawl__machine_set(m, 'k', (start->number + 1) / 2);
	pawl__machine_set(m, 'd', start->number % 2);
	pawl__machine_set(m, 'z', start->number % 3);
	pawl__machine_set(m, 'p', start->client % MACHINE_PROCESSES);
	pawl__machine_set(m, 'r', start->round);
	pawl__machine_set(m, 't', start->round * 1000000 + start->number);
	begin(m);
}

/* ---- Texts ---- */

static void put_number(struct buf *out, int64_t v)
{
	pawl__buf_i64(out, v);
}

/* The hole at p, which stands behind '{'. Returns what follows it, NULL: no hole of ours. */
static const char *fill_hole(struct machine *m, const char *p, bool expression)
{
	const bool cut = *p == '-';
	const char name = p[cut ? 1 : 0];
	const struct world *w = m->world;

	if (name == '\0' || p[cut ? 2 : 1] != '}')
		return NULL;
	if (name >= 'a' && name <= 'z') {
		struct str v = buf_get(reg_at(m, name));

		if (cut && v.len > 0)
			v = (struct str){ v.ptr + 1, v.len - 1 };
		buf_str(&m->text, v.len == 0 && expression ? STR("0") : v);
		return p + (cut ? 3 : 2);
	}
	switch (cut ? '\0' : name) {
	case 'N':
		put_number(&m->text, w->clients);
		break;
	case 'S':
		put_number(&m->text, w->size);
		break;
	case 'D':
		put_number(&m->text, w->done);
		break;
	case 'G':
		put_number(&m->text, w->gave_up);
		break;
	case 'T':
		put_number(&m->text, pawl__clock_mono_us() / 1000);
		break;
	case 'L':
		buf_str(&m->text, pawl__str_of(m->program == NULL ? "" : m->program->lock));
		break;
	default:
		return NULL;
	}
	return p + 2;
}

struct str pawl__machine_fill(struct machine *m, const char *text, bool expression)
{
	pawl__buf_reset(&m->text);
	for (const char *p = text; *p != '\0';) {
		const char *next = *p == '{' ? fill_hole(m, p + 1, expression) : NULL;

		if (next != NULL) {
			p = next;
		} else if (*p == '@') {
			buf_str(&m->text, pawl__str_of(m->world->prefix));
			p++;
		} else {
			pawl__buf_putc(&m->text, *p++);
		}
	}
	pawl__buf_putc(&m->text, '\0');
	if (m->text.overflow)
		return STR_NONE;
	return (struct str){ m->text.data, m->text.len - 1 };
}

static int64_t sum(struct machine *m, const char *text)
{
	int64_t v = 0;
	const bool well = pawl__expr_sum(pawl__machine_fill(m, text, true), &v);

	if (!well && m->trouble[0] == '\0') {
		m->end = END_ERROR;
		(void)snprintf(m->trouble, sizeof(m->trouble), "not a number: %s", text);
	}
	return v;
}

static bool holds(struct machine *m, const char *text)
{
	bool v = false;

	if (text == NULL)
		return true;
	if (!pawl__expr_holds(pawl__machine_fill(m, text, true), &v) && m->trouble[0] == '\0') {
		m->end = END_ERROR;
		(void)snprintf(m->trouble, sizeof(m->trouble), "not a condition: %s", text);
	}
	return v;
}

/* ---- Steps ---- */

static void count(struct machine *m, const char *name, int64_t v)
{
	struct builtin_count *c = m->counts;

	while (c < m->counts + m->counts_len && strcmp(c->name, name) != 0)
		c++;
	if (c == m->counts + m->counts_len) {
		INVARIANT(m->counts_len < BUILTIN_COUNTS_MAX);
		*c = (struct builtin_count){ .name = name };
		m->counts_len++;
	}
	c->n += v > 0 ? (uint64_t)v : 0;
}

static void leave(struct machine *m, enum machine_end end)
{
	m->end = end;
	m->again = false;
	if (end == END_CRASHED)
		m->armed = false;
	m->phase = PHASE_UNDO;
}

static void again(struct machine *m)
{
	leave(m, END_GAVE_UP);
	if (m->program->once || m->tries >= MACHINE_TRIES_MAX || m->victims >= MACHINE_VICTIMS_MAX)
		return;
	m->retries++;
	m->again = true;
}

/* Processes are few, programs are not trusted with their number. */
static size_t process(struct machine *m)
{
	return (size_t)((uint64_t)sum(m, "{p}") % MACHINE_PROCESSES);
}

static void ack(struct machine *m, int64_t v)
{
	int64_t seen = atomic_load(&m->world->acked);

	while (seen < v && !atomic_compare_exchange_weak(&m->world->acked, &seen, v))
		;
}

static void cached(struct machine *m, char into)
{
	const int64_t v = atomic_load(&m->world->cache[process(m)]);

	pawl__buf_reset(reg_at(m, into));
	if (v != 0)
		pawl__machine_set(m, into, v);
}

/* A step that asks for nothing outside. */
static void step_local(struct machine *m, const struct step *s)
{
	m->at++;
	switch (s->op) {
	case STEP_REFUSE:
		if (holds(m, s->text))
			leave(m, END_REFUSED);
		break;
	case STEP_RETRY:
		if (holds(m, s->text))
			again(m);
		break;
	case STEP_DONE:
		if (holds(m, s->text))
			leave(m, END_DONE);
		break;
	case STEP_CRASH:
		if (holds(m, s->text))
			leave(m, END_CRASHED);
		break;
	case STEP_CALC:
		pawl__machine_set(m, s->into[0], sum(m, s->text));
		break;
	case STEP_COUNT:
		count(m, s->into, sum(m, s->text));
		break;
	case STEP_TALLY:
		count(m, s->into, holds(m, s->text) ? 1 : 0);
		break;
	case STEP_ASK:   /* not on its condition */
	case STEP_AWAIT: /* it has come */
		break;
	case STEP_ARM:
		m->armed = true;
		break;
	case STEP_CACHED:
		cached(m, s->into[0]);
		break;
	case STEP_CACHE:
		atomic_store(&m->world->cache[process(m)], sum(m, s->text));
		break;
	case STEP_NOTE:
		pawl__machine_set(m, s->into[0], atomic_load(&m->world->acked));
		break;
	case STEP_ACK:
		ack(m, sum(m, s->text));
		break;
	case STEP_END:
	case STEP_FINALLY:
		leave(m, END_DONE);
		break;
	case STEP_THINK:
	case STEP_PAUSE:
	case STEP_LOCK:
		UNREACHABLE();
	}
	if (m->trouble[0] != '\0')
		leave(m, END_ERROR);
}

static void want_text(struct machine *m, const struct step *s, struct want *ret)
{
	ret->what = WANT_STATEMENT;
	ret->text = pawl__machine_fill(m, s->text, false);
	ret->pick = s->pick;
	ret->side = (s->flags & STEP_SIDE) != 0;
	if (ret->text.ptr == NULL) {
		(void)snprintf(m->trouble, sizeof(m->trouble), "a statement is over %zu bytes",
		               MACHINE_TEXT_MAX);
		leave(m, END_ERROR);
	}
}

/* True: it wants something. */
static bool run(struct machine *m, struct want *ret)
{
	const struct step *s = &m->program->steps[m->at];

	if (s->op == STEP_ASK && holds(m, s->when)) {
		want_text(m, s, ret);
		return m->phase == PHASE_RUN;
	}
	if (s->op == STEP_THINK || s->op == STEP_PAUSE) {
		*ret = (struct want){ .what = WANT_PAUSE, .pause_us = m->think_us };
		if (s->op == STEP_PAUSE)
			ret->pause_us = holds(m, s->text) ? PAUSE_US : 0;
		return true;
	}
	if (s->op == STEP_AWAIT && atomic_load(&m->world->acked) < sum(m, s->text) &&
	    m->awaits < MACHINE_AWAITS_MAX) {
		*ret = (struct want){ .what = WANT_PAUSE, .pause_us = AWAIT_US, .backoff = true };
		return true;
	}
	if (s->op == STEP_LOCK) {
		m->lock = (int)((uint64_t)sum(m, s->text) % MACHINE_PROCESSES);
		*ret = (struct want){ .what = WANT_LOCK, .lock = m->lock };
		return true;
	}
	step_local(m, s);
	return false;
}

static int64_t backoff(struct machine *m)
{
	const uint32_t shift_max = m->victim ? BACKOFF_SHIFT_DEADLOCK : BACKOFF_SHIFT;
	const uint32_t shift = m->tries < shift_max ? m->tries : shift_max;
	const int64_t most = BACKOFF_US << shift;

	return most / 2 + (int64_t)pawl__rng_below(&m->rng, (uint64_t)most / 2);
}

static bool next(struct machine *m, struct want *ret)
{
	switch (m->phase) {
	case PHASE_RUN:
		return run(m, ret);
	case PHASE_UNDO:
		if (m->undo != NULL) {
			*ret = (struct want){ .what = WANT_STATEMENT,
				              .text = pawl__str_of(m->undo) };
			return true;
		}
		m->at = m->finally;
		m->phase = PHASE_FINALLY;
		return false;
	case PHASE_FINALLY:
		if (m->armed && m->program->steps[m->at].op == STEP_ASK) {
			want_text(m, &m->program->steps[m->at], ret);
			return m->phase == PHASE_FINALLY;
		}
		m->armed = false;
		m->phase = PHASE_UNLOCK;
		return false;
	case PHASE_UNLOCK:
		*ret = (struct want){ .what = WANT_UNLOCK, .lock = m->lock };
		if (m->locked)
			return true;
		m->phase = PHASE_LEAVE;
		return false;
	case PHASE_LEAVE:
		if (m->again) {
			*ret = (struct want){ .what = WANT_PAUSE, .backoff = true };
			ret->pause_us = backoff(m);
			return true;
		}
		m->phase = PHASE_END;
		return false;
	case PHASE_END:
		break;
	}
	*ret = (struct want){ .what = WANT_END };
	return true;
}

void pawl__machine_next(struct machine *m, struct want *ret)
{
	*ret = (struct want){ .what = WANT_END };
	while (!next(m, ret))
		;
}

void pawl__machine_go(struct machine *m)
{
	switch (m->phase) {
	case PHASE_RUN:
		if (m->program->steps[m->at].op == STEP_AWAIT) {
			m->awaits++;
			return;
		}
		if (m->program->steps[m->at].op == STEP_LOCK)
			m->locked = true;
		m->at++;
		return;
	case PHASE_UNLOCK:
		m->locked = false;
		return;
	case PHASE_LEAVE:
		begin(m);
		return;
	case PHASE_UNDO:
	case PHASE_FINALLY:
	case PHASE_END:
		break;
	}
	UNREACHABLE();
}

/* ---- Replies ---- */

static const struct {
	const char *word, *undo;
} undos[] = {
	{ "BEGIN", "ROLLBACK" }, { "MULTI", "DISCARD" }, { "WATCH", "UNWATCH" }, { "COMMIT", NULL },
	{ "ROLLBACK", NULL },    { "EXEC", NULL },       { "DISCARD", NULL },
};

static void track(struct machine *m, const char *statement)
{
	for (size_t i = 0; i < ARRAY_LEN(undos); i++) {
		if (strncmp(statement, undos[i].word, strlen(undos[i].word)) == 0) {
			m->undo = undos[i].undo;
			return;
		}
	}
}

static void store_cells(struct machine *m, const char *into, const struct reply *r)
{
	for (size_t i = 0; into != NULL && into[i] != '\0'; i++) {
		struct buf *b = reg_at(m, into[i]);

		pawl__buf_reset(b);
		if (i < r->cells_len)
			buf_str(b, r->cells[i]);
		if (b->overflow) {
			(void)snprintf(m->trouble, sizeof(m->trouble),
			               "an answer is over %zu bytes", MACHINE_REG_MAX);
			leave(m, END_ERROR);
			return;
		}
	}
}

static void failed(struct machine *m, const struct reply *r)
{
	switch (r->class) {
	case REPLY_DEADLOCK:
		m->deadlocks++;
		m->victim = true;
		m->victims++;
		again(m);
		return;
	case REPLY_TRANSIENT:
	case REPLY_LOCKED:
		again(m);
		return;
	case REPLY_DUPLICATE:
		leave(m, END_REFUSED);
		return;
	case REPLY_LOST:
		m->undo = NULL;
		leave(m, END_UNKNOWN);
		return;
	case REPLY_OK:
	case REPLY_ERROR:
		break;
	}
	(void)snprintf(m->trouble, sizeof(m->trouble), "%s", r->text);
	leave(m, END_ERROR);
}

static void replied(struct machine *m, const struct reply *r)
{
	const struct step *s = &m->program->steps[m->at++];

	if (r->class != REPLY_OK) {
		if ((s->flags & STEP_IGNORE) == 0 || r->class == REPLY_LOST)
			failed(m, r);
		return;
	}
	if ((s->flags & (STEP_SIDE | STEP_IGNORE)) == 0)
		track(m, s->text);
	pawl__machine_set(m, 'n', r->rows);
	pawl__machine_set(m, 's', r->status);
	store_cells(m, s->into, r);
}

void pawl__machine_reply(struct machine *m, const struct reply *r)
{
	m->statements++;
	switch (m->phase) {
	case PHASE_RUN:
		replied(m, r);
		return;
	case PHASE_UNDO: /* refused: there was nothing to undo any more */
		m->undo = NULL;
		break;
	case PHASE_FINALLY:
		m->at++;
		break;
	case PHASE_UNLOCK:
	case PHASE_LEAVE:
	case PHASE_END:
		UNREACHABLE();
	}
	if (r->class == REPLY_LOST) {
		m->again = false;
		m->armed = false;
		m->end = END_UNKNOWN;
	}
}
