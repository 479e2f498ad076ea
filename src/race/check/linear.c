/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why the reductions lose nothing. "Order" is any order of effects that respects the intervals and
 * explains the answers; each says: from an order that the search would miss, one that it finds can
 * be made.
 *
 * JIT  Until something returns nothing has to take effect: what an order lets happen earlier can
 *      happen, in the same sequence, when the next operation returns.
 * GREEDY  An operation that fits now and can't change any state can be moved to here from wherever
 *      the order has it.
 * SYMMETRY  Two equal operations, both open: let them change places; the one that returns first
 *      then comes first, and the other is still open where it comes.
 * DOMINANCE  A crashed operation need not happen, so whatever follows from a configuration follows
 *      from the one that is equal but has more crashed operations left.
 * USELESS  Leaving out a crashed or optional operation that did not change the state changes
 *      nothing. (With COVER a write of what is there already can still cover others: it stays.)
 * COVER  A write that a write follows at once is seen by nobody. The search does not try it; a
 *      configuration remembers when its last write took effect, and a write that was open then is
 *      taken to have happened just before, when it returns. Later is better: it covers more.
 *      Whatever need not happen is pointless there, too.
 * DISJOINT  Operations that share no cell can change places. What is done before the return, but
 *      shares no cell with the operation that returns, nor with what must precede it, can come
 *      later.
 * LOOKAHEAD  Where a cell is only read and appended to, every later read begins with what it holds.
 */
#include "race/check/linear.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "race/check/linear_set.h"
#include "race/check/linear_state.h"
#include "race/check/linear_text.h"

#define BYTES_CHECK_STEPS 1024U /* between looks at how much memory is in use */
#define COMPARED_PER_STEP 16U   /* rows compared that cost as much as one made */

struct op_info {
	uint32_t inv, ret; /* events; ret LIN_NONE when crashed */
	uint32_t same;     /* the first operation that does the same */
	uint32_t slot;     /* bit in a row, from bit 64 on (word 0 is the head) */
	uint32_t more;     /* crashed: an equal one that started later, LIN_NONE */
	uint32_t last;     /* by `same`: the last crashed one, LIN_NONE */
	bool pure;         /* can't change the state */
	bool write;        /* sets the only cell, whatever it held */
	bool unseen;       /* pointless when a write follows at once */
	bool out;          /* crashed and without effect */
};

struct lin_search {
	const struct lin_problem *p;
	struct lin_limits limits;
	struct lin_states states;
	struct lin_set now, next, work;
	struct op_info *info; /* owned; by operation */
	uint32_t *seen;       /* owned; by operation: `stamp` when an equal one was tried */
	uint32_t *open;       /* owned; by return, those that crashed last */
	uint32_t *pure;       /* owned; open operations that are taken by greed */
	uint32_t *slot_op;    /* owned; by bit of a row */
	uint32_t *done;       /* owned; for lin_config */
	uint32_t *next_read;  /* owned; by cell: see LOOKAHEAD */
	uint32_t *later_read; /* owned; by operation: the next read of its cell */
	uint64_t *row;        /* owned; the row being made */
	bool *near;           /* owned; by cell */
	size_t ops_cap, slots_cap, cells_cap;
	uint32_t open_len, pure_len;
	uint32_t window, crashed; /* words */
	uint32_t crashed_len;     /* bits in use */
	uint32_t stamp;
	uint32_t event; /* the return being worked on */
	bool lookahead;
	enum { STOP_NOT, STOP_BUDGET, STOP_NOMEM } stop;
	uint64_t steps;
	uint64_t added;
	uint32_t configs_max;
};

enum pawl_status pawl__lin_search_new(struct lin_search **ret, struct pawl_error *err)
{
	struct lin_search *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for a search");
	pawl__lin_set_init(&s->now);
	pawl__lin_set_init(&s->next);
	pawl__lin_set_init(&s->work);
	pawl__lin_states_init(&s->states);
	*ret = s;
	return PAWL_OK;
}

void pawl__lin_search_free(struct lin_search *s)
{
	if (s == NULL)
		return;
	pawl__lin_set_deinit(&s->now);
	pawl__lin_set_deinit(&s->next);
	pawl__lin_set_deinit(&s->work);
	pawl__lin_states_deinit(&s->states);
	free(s->info);
	free(s->seen);
	free(s->open);
	free(s->pure);
	free(s->slot_op);
	free(s->done);
	free(s->next_read);
	free(s->later_read);
	free(s->row);
	free(s->near);
	free(s);
}

void pawl__lin_search_freep(struct lin_search **s)
{
	pawl__lin_search_free(*s);
}

static bool on(const struct lin_search *s, enum lin_reduction r)
{
	return (s->limits.reductions & r) != 0;
}

static bool bit_get(const uint64_t *row, uint32_t bit)
{
	return (row[bit / 64] >> (bit % 64) & 1) != 0;
}

static void bit_flip(uint64_t *row, uint32_t bit)
{
	row[bit / 64] ^= UINT64_C(1) << (bit % 64);
}

/* --- Before the walk: what is known of every operation ------------------------------------- */

/* realloc, keeping the old memory on failure. The elements' old contents are of no use. */
static bool array_reserve(void *array_p, size_t n, size_t size)
{
	void **array = array_p;
	void *p = realloc(*array, (n == 0 ? 1 : n) * size);

	if (p == NULL)
		return false;
	*array = p;
	return true;
}

static bool ops_reserve(struct lin_search *s, size_t n)
{
	if (n <= s->ops_cap)
		return true;
	s->ops_cap = 0;
	if (!array_reserve(&s->info, n, sizeof(*s->info)) ||
	    !array_reserve(&s->seen, n, sizeof(*s->seen)) ||
	    !array_reserve(&s->open, n, sizeof(*s->open)) ||
	    !array_reserve(&s->pure, n, sizeof(*s->pure)) ||
	    !array_reserve(&s->done, n, sizeof(*s->done)) ||
	    !array_reserve(&s->later_read, n, sizeof(*s->later_read)))
		return false;
	s->ops_cap = n;
	return true;
}

static bool steps_pure(const struct lin_step *st, const struct lin_step *end)
{
	for (; st < end; st++)
		if (st->kind == LIN_WRITE || (st->kind == LIN_CAS && st->a != st->b) ||
		    (st->kind == LIN_APPEND && st->a != 0))
			return false;
	return true;
}

static uint64_t op_hash(const struct lin_problem *p, const struct lin_op *op)
{
	uint64_t h = op->count;
	uint32_t i;

	for (i = op->first; i < op->first + op->count; i++) {
		const struct lin_step *st = &p->steps[i];

		h = (h ^ ((uint64_t)st->a << 32 | st->b)) * UINT64_C(0x9e3779b97f4a7c15);
		h = (h ^ (h >> 29) ^ ((uint64_t)st->cell << 8 | st->kind)) *
		    UINT64_C(0xbf58476d1ce4e5b9);
	}
	return h ^ (h >> 32);
}

static bool op_same(const struct lin_problem *p, const struct lin_op *a, const struct lin_op *b)
{
	uint32_t i;

	/* One that need not happen can't stand in for one that must. */
	if (a->count != b->count || a->optional != b->optional)
		return false;
	for (i = 0; i < a->count; i++) {
		const struct lin_step *x = &p->steps[a->first + i], *y = &p->steps[b->first + i];

		if (x->kind != y->kind || x->cell != y->cell || x->a != y->a ||
		    (x->kind == LIN_CAS && x->b != y->b))
			return false;
	}
	return true;
}

/* Number the operations so that equal ones have the same number. */
static bool ops_classify(struct lin_search *s)
{
	const struct lin_problem *p = s->p;
	uint32_t len = 16, i;
	uint32_t *table;

	while (len < p->ops_len * UINT64_C(2))
		len *= 2;
	table = calloc(len, sizeof(*table));
	if (table == NULL)
		return false;
	for (i = 0; i < p->ops_len; i++) {
		uint32_t at = (uint32_t)op_hash(p, &p->ops[i]) & (len - 1);

		while (table[at] != 0 && !op_same(p, &p->ops[table[at] - 1], &p->ops[i]))
			at = (at + 1) & (len - 1);
		if (table[at] == 0)
			table[at] = i + 1;
		s->info[i].same = table[at] - 1;
	}
	free(table);
	return true;
}

static void op_describe(struct lin_search *s, uint32_t i)
{
	const struct lin_op *op = &s->p->ops[i];
	const struct lin_step *st = s->p->steps + op->first;
	struct op_info *info = &s->info[i];

	PRE(op->count >= 1);
	*info = (struct op_info){
		.inv = LIN_NONE, .ret = LIN_NONE, .more = LIN_NONE, .last = LIN_NONE
	};
	info->pure = steps_pure(st, st + op->count);
	info->write =
		on(s, LIN_COVER) && s->p->cells == 1 && op->count == 1 && st->kind == LIN_WRITE;
	info->unseen = info->write ||
	               (on(s, LIN_COVER) && s->p->cells == 1 && (op->crashed || op->optional));
	info->out = (op->crashed || op->optional) && info->pure && on(s, LIN_USELESS);
}

/* Whether LOOKAHEAD may be used, and for every read which read of its cell starts next. */
static void reads_chain(struct lin_search *s)
{
	const struct lin_problem *p = s->p;
	uint32_t i;

	s->lookahead = on(s, LIN_LOOKAHEAD) && p->texts != NULL;
	for (i = 0; i < p->ops_len && s->lookahead; i++) {
		const struct lin_step *st = &p->steps[p->ops[i].first];

		s->lookahead =
			p->ops[i].count == 1 && (st->kind == LIN_READ || st->kind == LIN_APPEND);
	}
	if (!s->lookahead)
		return;
	for (i = 0; i < p->cells; i++)
		s->next_read[i] = LIN_NONE;
	for (i = p->events_len; i-- > 0;) {
		const uint32_t op = p->events[i] / 2;
		const struct lin_step *st = &p->steps[p->ops[op].first];

		if (p->events[i] % 2 != 0 || p->ops[op].crashed || p->ops[op].optional ||
		    st->kind != LIN_READ || st->a == LIN_ANY)
			continue;
		s->later_read[op] = s->next_read[st->cell];
		s->next_read[st->cell] = op;
	}
}

/* Read the events once: intervals, and how wide the rows must be. */
static void intervals_read(struct lin_search *s)
{
	const struct lin_problem *p = s->p;
	uint32_t open = 0, open_max = 0, crashed = 0, i;

	for (i = 0; i < p->events_len; i++) {
		const uint32_t op = p->events[i] / 2;
		struct op_info *info = &s->info[op];

		PRE(op < p->ops_len);
		if (p->events[i] % 2 != 0) {
			PRE(info->inv != LIN_NONE && info->ret == LIN_NONE && !p->ops[op].crashed);
			info->ret = i;
			open -= !info->out;
			continue;
		}
		PRE(info->inv == LIN_NONE);
		info->inv = i;
		if (info->out)
			continue;
		if (p->ops[op].crashed)
			crashed++;
		else if (++open > open_max)
			open_max = open;
	}
	for (i = 0; i < p->ops_len; i++)
		PRE(s->info[i].inv != LIN_NONE &&
		    p->ops[i].crashed == (s->info[i].ret == LIN_NONE));
	s->window = (open_max + 63) / 64;
	s->crashed = (crashed + 63) / 64;
}

static bool search_start(struct lin_search *s)
{
	const struct lin_problem *p = s->p;
	size_t slots;
	uint32_t i;

	if (!ops_reserve(s, p->ops_len))
		return false;
	if (p->cells > s->cells_cap) {
		if (!array_reserve(&s->near, p->cells, sizeof(*s->near)) ||
		    !array_reserve(&s->next_read, p->cells, sizeof(*s->next_read)))
			return false;
		s->cells_cap = p->cells;
	}
	for (i = 0; i < p->ops_len; i++) {
		op_describe(s, i);
		s->seen[i] = 0;
	}
	intervals_read(s);
	reads_chain(s);
	slots = ((size_t)s->window + s->crashed + 1) * 64;
	if (slots > s->slots_cap) {
		if (!array_reserve(&s->slot_op, slots, sizeof(*s->slot_op)) ||
		    !array_reserve(&s->row, slots / 64, sizeof(*s->row)))
			return false;
		s->slots_cap = slots;
	}
	for (i = 0; i < slots; i++)
		s->slot_op[i] = LIN_NONE;
	pawl__lin_states_reset(&s->states, p);
	pawl__lin_set_reset(&s->now, s->window, s->crashed, on(s, LIN_DOMINANCE));
	s->open_len = s->pure_len = s->crashed_len = s->stamp = s->configs_max = 0;
	s->steps = 0;
	s->stop = STOP_NOT;
	return ops_classify(s);
}

static bool initial_add(struct lin_search *s)
{
	uint32_t i, state;

	for (i = 0; i < s->p->initial_len; i++) {
		const uint32_t *values = s->p->initial + (size_t)i * s->p->cells;

		if (!pawl__lin_states_put(&s->states, values, &state))
			return false;
		memset(s->row, 0, s->now.width * sizeof(*s->row));
		s->row[0] = lin_head(state, 0);
		if (pawl__lin_set_add(&s->now, s->row) == LIN_FULL)
			return false;
	}
	return true;
}

/* --- The walk ------------------------------------------------------------------------------- */

static uint32_t slot_take(struct lin_search *s, uint32_t op)
{
	uint32_t bit = 64;

	if (s->p->ops[op].crashed)
		bit = (1 + s->window) * 64 + s->crashed_len++;
	else
		while (s->slot_op[bit] != LIN_NONE)
			bit++;
	s->slot_op[bit] = op;
	return bit;
}

static void op_open(struct lin_search *s, uint32_t op)
{
	struct op_info *info = &s->info[op];
	uint32_t i;

	if (s->lookahead && s->next_read[s->p->steps[s->p->ops[op].first].cell] == op)
		s->next_read[s->p->steps[s->p->ops[op].first].cell] = s->later_read[op];
	if (info->out)
		return;
	info->slot = slot_take(s, op);
	if (info->pure && on(s, LIN_GREEDY)) {
		s->pure[s->pure_len++] = op;
		return;
	}
	/* Of equal crashed ones only the first stands in the list: there may be thousands. */
	if (s->p->ops[op].crashed && on(s, LIN_SYMMETRY)) {
		uint32_t *last = &s->info[info->same].last;
		const bool first = *last == LIN_NONE;

		if (!first)
			s->info[*last].more = op;
		*last = op;
		if (!first)
			return;
	}
	/* LIN_NONE is the greatest: those that crashed come last, in the order of their starts. */
	for (i = s->open_len++; i > 0 && s->info[s->open[i - 1]].ret > info->ret; i--)
		s->open[i] = s->open[i - 1];
	s->open[i] = op;
}

static void op_close(struct lin_search *s, uint32_t op)
{
	struct op_info *info = &s->info[op];
	uint32_t *list = info->pure && on(s, LIN_GREEDY) ? s->pure : s->open;
	uint32_t *len = list == s->pure ? &s->pure_len : &s->open_len;
	uint32_t i = 0;

	while (list[i] != op)
		i++;
	memmove(list + i, list + i + 1, (*len - i - 1) * sizeof(*list));
	(*len)--;
	s->slot_op[info->slot] = LIN_NONE;
}

static bool near_any(const struct lin_search *s, const struct lin_op *op)
{
	uint32_t i;

	for (i = op->first; i < op->first + op->count; i++)
		if (s->near[s->p->steps[i].cell])
			return true;
	return false;
}

static bool near_add(struct lin_search *s, const struct lin_op *op)
{
	bool grew = false;
	uint32_t i;

	for (i = op->first; i < op->first + op->count; i++) {
		bool *cell = &s->near[s->p->steps[i].cell];

		grew = grew || !*cell;
		*cell = true;
	}
	return grew;
}

static bool near_spread(struct lin_search *s, const uint32_t *list, uint32_t len)
{
	bool grew = false;
	uint32_t i;

	for (i = 0; i < len; i++) {
		const struct lin_op *op = &s->p->ops[list[i]];

		if (op->count > 1 && near_any(s, op) && near_add(s, op))
			grew = true;
	}
	return grew;
}

/* Mark the cells that have to do with x through the operations that are open; one that only reads
 * counts, since it may have to see one cell before another changes. */
static void near_mark(struct lin_search *s, uint32_t x)
{
	bool grew = true;

	if (s->p->cells == 1)
		return;
	memset(s->near, !on(s, LIN_DISJOINT), s->p->cells * sizeof(*s->near));
	near_add(s, &s->p->ops[x]);
	while (grew) {
		grew = near_spread(s, s->open, s->open_len);
		grew = near_spread(s, s->pure, s->pure_len) || grew;
	}
}

/* Let every open operation that fits and can't change the state take effect in s->row. */
static bool greed(struct lin_search *s)
{
	const uint32_t state = lin_head_state(s->row[0]);
	bool any = false;
	uint32_t i, same;

	for (i = 0; i < s->pure_len; i++) {
		const uint32_t op = s->pure[i], bit = s->info[op].slot;

		if (bit_get(s->row, bit) ||
		    pawl__lin_states_step(&s->states, state, &s->p->ops[op], &same) != LIN_STEPPED)
			continue;
		bit_flip(s->row, bit);
		any = true;
	}
	return any;
}

/* Whether some read that starts later can't follow from s->row, whose last step was op's. */
static bool doomed(const struct lin_search *s, const struct lin_op *op)
{
	const uint32_t cell = s->p->steps[op->first].cell;
	uint32_t scalar;
	const uint32_t *v = pawl__lin_states_values(&s->states, lin_head_state(s->row[0]), &scalar);
	const uint32_t read = s->next_read[cell];

	return read != LIN_NONE && !pawl__lin_text_may_start(s->p->texts, v[cell],
	                                                     s->p->steps[s->p->ops[read].first].a);
}

static bool add(struct lin_search *s, struct lin_set *set)
{
	const uint64_t compared = set->compared;
	size_t bytes;

	if (pawl__lin_set_add(set, s->row) == LIN_FULL) {
		s->stop = STOP_NOMEM;
		return false;
	}
	/* Where many crashed operations could have been used, comparing is the work. */
	s->steps += 1 + (set->compared - compared) / COMPARED_PER_STEP;
	if (++s->added % BYTES_CHECK_STEPS == 0) {
		bytes = lin_set_bytes(&s->now) + lin_set_bytes(&s->next) + lin_set_bytes(&s->work) +
		        lin_states_bytes(&s->states);
		if (bytes > s->limits.bytes_max)
			s->stop = STOP_BUDGET;
	}
	if (s->steps > s->limits.steps_max)
		s->stop = STOP_BUDGET;
	return s->stop == STOP_NOT;
}

/* s->row goes to the next set when x has taken effect in it, else to those to be worked on. */
static bool place(struct lin_search *s, uint32_t x)
{
	const uint32_t bit = s->info[x].slot;

	if (!bit_get(s->row, bit))
		return add(s, &s->work);
	bit_flip(s->row, bit);
	s->row[0] &= ~LIN_FRESH;
	return add(s, &s->next);
}

/* Make s->row what row becomes when y takes effect. False: it can't, or need not be tried. */
static bool follow(struct lin_search *s, const uint64_t *row, uint32_t y)
{
	const struct op_info *info = &s->info[y];
	const uint32_t state = lin_head_state(row[0]);
	enum lin_stepped stepped;
	uint32_t to;

	stepped = pawl__lin_states_step(&s->states, state, &s->p->ops[y], &to);
	if (stepped == LIN_STATES_FULL)
		s->stop = STOP_NOMEM;
	if (stepped != LIN_STEPPED || (to == state && on(s, LIN_USELESS) && !info->write &&
	                               (s->p->ops[y].crashed || s->p->ops[y].optional)))
		return false;
	memcpy(s->row, row, s->now.width * sizeof(*row));
	s->row[0] = lin_head(to, info->write ? s->event : lin_head_cover(row[0]));
	bit_flip(s->row, info->slot);
	if (s->lookahead && to != state && doomed(s, &s->p->ops[y]))
		return false;
	if (!greed(s) && info->unseen)
		s->row[0] |= LIN_FRESH;
	return true;
}

/* The first of y and the equal ones behind it that did not take effect yet; LIN_NONE. */
static uint32_t unused(const struct lin_search *s, const uint64_t *row, uint32_t y)
{
	while (y != LIN_NONE && bit_get(row, s->info[y].slot))
		y = s->info[y].more;
	return y;
}

/* Try every open operation on row i of the work. */
static bool expand(struct lin_search *s, uint32_t i, uint32_t x)
{
	uint32_t k;

	if (++s->stamp == 0) {
		memset(s->seen, 0, s->p->ops_len * sizeof(*s->seen));
		s->stamp = 1;
	}
	for (k = 0; k < s->open_len; k++) {
		/* Again in each round: adding may move the rows. */
		const uint64_t *row = lin_set_row(&s->work, i);
		const uint32_t y = unused(s, row, s->open[k]);
		const struct op_info *info;

		if (y == LIN_NONE)
			continue;
		info = &s->info[y];
		if ((row[0] & LIN_FRESH) != 0 && info->write)
			continue;
		if (on(s, LIN_SYMMETRY)) {
			if (s->seen[info->same] == s->stamp)
				continue;
			s->seen[info->same] = s->stamp;
		}
		if (s->p->cells > 1 && !near_any(s, &s->p->ops[y]))
			continue;
		if (follow(s, row, y) && !place(s, x))
			return false;
		if (s->stop != STOP_NOT)
			return false;
	}
	return true;
}

/* x need not take effect in s->row: it has been covered, or never has to. */
static bool may_pass(const struct lin_search *s, uint32_t x)
{
	const struct op_info *info = &s->info[x];

	return s->p->ops[x].optional || (info->write && info->inv < lin_head_cover(s->row[0]));
}

/* Make `next` of `now`: every configuration in which x has taken effect, or may pass. */
static bool op_return(struct lin_search *s, uint32_t x)
{
	const struct op_info *info = &s->info[x];
	uint32_t i;

	pawl__lin_set_reset(&s->next, s->window, s->crashed, on(s, LIN_DOMINANCE));
	pawl__lin_set_reset(&s->work, s->window, s->crashed, on(s, LIN_DOMINANCE));
	near_mark(s, x);
	for (i = 0; i < s->now.len; i++) {
		const uint64_t *row = lin_set_row(&s->now, i);

		if ((row[0] & LIN_GONE) != 0)
			continue;
		memcpy(s->row, row, s->now.width * sizeof(*row));
		greed(s);
		if (!bit_get(s->row, info->slot) && may_pass(s, x) && !add(s, &s->next))
			return false;
		if (!place(s, x))
			return false;
	}
	for (i = 0; i < s->work.len; i++)
		if ((lin_set_row(&s->work, i)[0] & LIN_GONE) == 0 && !expand(s, i, x))
			return false;
	return true;
}

static enum lin_verdict walk(struct lin_search *s, struct lin_result *r)
{
	uint32_t i;

	for (i = 0; i < s->p->events_len; i++) {
		const uint32_t op = s->p->events[i] / 2;
		struct lin_set was;

		if (s->p->events[i] % 2 == 0) {
			op_open(s, op);
			continue;
		}
		if (s->info[op].out)
			continue;
		s->event = i;
		if (op_return(s, op) && s->next.len > 0) {
			was = s->now;
			s->now = s->next;
			s->next = was;
			op_close(s, op);
			if (s->now.len - s->now.gaps > s->configs_max)
				s->configs_max = s->now.len - s->now.gaps;
			continue;
		}
		r->op = op;
		r->event = i;
		return s->stop == STOP_NOT ? LIN_INVALID : LIN_UNKNOWN;
	}
	return LIN_VALID;
}

enum pawl_status pawl__lin_search_run(struct lin_search *s, const struct lin_problem *p,
                                      const struct lin_limits *limits, struct lin_result *ret,
                                      struct pawl_error *err)
{
	struct lin_result r = { .op = LIN_NONE, .event = LIN_NONE };

	PRE(p->ops_len <= LIN_OPS_MAX && p->cells >= 1 && p->cells <= LIN_CELLS_MAX);
	PRE(p->initial_len >= 1);
	s->p = p;
	s->limits = *limits;
	if (!search_start(s) || !initial_add(s))
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for the search");
	r.verdict = walk(s, &r);
	if (s->stop == STOP_NOMEM)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for the search");
	r.steps = s->steps;
	r.configs_max = s->configs_max;
	*ret = r;
	return PAWL_OK;
}

uint32_t pawl__lin_search_last(const struct lin_search *s)
{
	return s->now.len - s->now.gaps;
}

struct lin_config pawl__lin_search_config(struct lin_search *s, uint32_t i)
{
	struct lin_config c = { .done = s->done };
	const uint64_t *row;
	uint32_t k = 0, bit, n = 0;

	PRE(i < pawl__lin_search_last(s));
	for (;; k++) {
		row = lin_set_row(&s->now, k);
		if ((row[0] & LIN_GONE) == 0 && i-- == 0)
			break;
	}
	c.cells = pawl__lin_states_values(&s->states, lin_head_state(row[0]), &s->seen[0]);
	for (bit = 64; bit < s->now.width * 64; bit++)
		if (bit_get(row, bit))
			s->done[n++] = s->slot_op[bit];
	c.done_len = n;
	return c;
}
