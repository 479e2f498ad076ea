/* SPDX-License-Identifier: Apache-2.0 */
#include "race/check/linear_core.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/error.h"

#define WINDOW_FIRST  4U     /* events of the first window that is tried */
#define ANY_VALUES    256U   /* most values that "whatever it was" goes through */
#define ATTEMPT_STEPS 200000 /* configurations of one attempt */

enum role { OUT, MAY, MUST };

struct core_search {
	struct lin_search *s;
	const struct lin_problem *p;
	uint32_t last; /* event: the return that nothing explains */
	uint32_t active_len;
	uint8_t *role; /* owned, as all below; by operation of p */
	bool *returns; /* by `last` */
	uint32_t *local;
	struct lin_op *ops;
	uint32_t *events;
	uint32_t *active; /* events up to `last` of operations that are not OUT */
	uint32_t *values; /* ANY_VALUES + 1 of them */
	uint64_t left;    /* steps */
};

static void core_search_deinit(struct core_search *c)
{
	free(c->role);
	free(c->returns);
	free(c->local);
	free(c->ops);
	free(c->events);
	free(c->active);
	free(c->values);
}

static bool changes(const struct lin_problem *p, const struct lin_op *op)
{
	uint32_t i;

	for (i = op->first; i < op->first + op->count; i++)
		if (p->steps[i].kind != LIN_READ && p->steps[i].kind != LIN_NOT)
			return true;
	return false;
}

/* The values that operations of the window speak of, and one that none does. 0: too many. */
static uint32_t values_any(struct core_search *c, uint32_t n)
{
	uint32_t len = 1, i, k, v;

	c->values[0] = LIN_ANY - 1;
	for (i = 0; i < n * 2; i++) {
		const struct lin_op *op = &c->ops[i / 2];
		const struct lin_step *st = &c->p->steps[op->first];

		for (; st < &c->p->steps[op->first + op->count]; st++) {
			if (st->kind == LIN_WRITE || (i % 2 != 0 && st->kind != LIN_CAS))
				continue;
			v = i % 2 == 0 ? st->a : st->b;
			for (k = 0; k < len && c->values[k] != v; k++)
				;
			if (k < len || v == LIN_ANY)
				continue;
			if (len == ANY_VALUES)
				return 0;
			c->values[len++] = v;
		}
	}
	return len;
}

/* Whether there is still no order of the operations by their roles. */
static enum pawl_status attempt(struct core_search *c, bool any, bool *ret_none,
                                struct pawl_error *err)
{
	struct lin_problem sub = *c->p;
	struct lin_limits limits = { .steps_max = ATTEMPT_STEPS,
		                     .bytes_max = LIN_BYTES_MAX,
		                     .reductions = LIN_ALL };
	struct lin_result r;
	uint32_t n = 0, e, events = 0;
	enum pawl_status st;

	for (e = 0; e < c->active_len; e++) {
		const uint32_t op = c->active[e] / 2;

		if (c->role[op] == OUT)
			continue;
		if (c->active[e] % 2 == 0) {
			c->local[op] = n;
			c->ops[n] = c->p->ops[op];
			c->ops[n].optional = c->role[op] == MAY && c->returns[op];
			c->ops[n].crashed = !c->returns[op];
			c->events[events++] = n++ * 2;
		} else {
			c->events[events++] = c->local[op] * 2 + 1;
		}
	}
	sub.ops = c->ops;
	sub.ops_len = n;
	sub.events = c->events;
	sub.events_len = events;
	if (any) {
		sub.initial = c->values;
		sub.initial_len = values_any(c, n);
	}
	*ret_none = false;
	if (c->left == 0 || sub.initial_len == 0)
		return PAWL_OK;
	if (limits.steps_max > c->left)
		limits.steps_max = c->left;
	st = pawl__lin_search_run(c->s, &sub, &limits, &r, err);
	if (st != PAWL_OK)
		return st;
	/* Setting up costs, too. */
	r.steps += events / 8;
	c->left -= r.steps < c->left ? r.steps : c->left;
	*ret_none = r.verdict == LIN_INVALID;
	return PAWL_OK;
}

/* Roles for a window: what returned before it is out; what was open then, or is still open at its
 * end, may happen. */
static void roles_set(struct core_search *c, uint32_t from)
{
	uint32_t e;

	memset(c->role, OUT, c->p->ops_len);
	for (e = 0; e <= c->last; e++) {
		const uint32_t op = c->p->events[e] / 2;
		const bool acts = changes(c->p, &c->p->ops[op]);

		if (c->p->events[e] % 2 == 0)
			c->role[op] = acts ? MAY : OUT;
		else
			c->role[op] = e < from ? OUT : MUST;
	}
	/* A return inside of an operation that began before: it may have happened before, too. */
	for (e = 0; e < from; e++) {
		const uint32_t op = c->p->events[e] / 2;

		if (c->p->events[e] % 2 == 0 && c->role[op] == MUST)
			c->role[op] = changes(c->p, &c->p->ops[op]) ? MAY : OUT;
	}
	c->active_len = 0;
	for (e = 0; e <= c->last; e++)
		if (c->role[c->p->events[e] / 2] != OUT)
			c->active[c->active_len++] = c->p->events[e];
}

/* The latest event from which there is no order whatever the value was. *ret_from stays when there
 * is none, or it would take too long. */
static enum pawl_status window_find(struct core_search *c, uint32_t *ret_from, bool *ret_any,
                                    struct pawl_error *err)
{
	uint32_t low = 0, high = c->last, len;
	enum pawl_status st;
	bool none = false;

	for (len = WINDOW_FIRST; !none; len *= 2) {
		low = len >= c->last ? 0 : c->last - len;
		roles_set(c, low);
		st = attempt(c, true, &none, err);
		if (st != PAWL_OK)
			return st;
		if (none)
			break;
		if (low == 0 || c->left == 0)
			return PAWL_OK;
		high = low;
	}
	/* None from low on; an order, or no answer, from high on. */
	while (high - low > 1) {
		const uint32_t mid = low + (high - low) / 2;

		roles_set(c, mid);
		st = attempt(c, true, &none, err);
		if (st != PAWL_OK)
			return st;
		if (none)
			low = mid;
		else
			high = mid;
	}
	*ret_from = low;
	*ret_any = true;
	return PAWL_OK;
}

/* Let some operations go; take them back when there is an order without them. */
static enum pawl_status try_without(struct core_search *c, const struct lin_core *core,
                                    const uint32_t *ops, uint32_t len, bool *ret_none,
                                    struct pawl_error *err)
{
	enum pawl_status st;
	uint32_t i;

	for (i = 0; i < len; i++)
		c->role[ops[i]] = changes(c->p, &c->p->ops[ops[i]]) ? MAY : OUT;
	st = attempt(c, core->any_initial, ret_none, err);
	if (st != PAWL_OK || *ret_none)
		return st;
	for (i = 0; i < len; i++)
		c->role[ops[i]] = MUST;
	return PAWL_OK;
}

/* Let go of as many operations as can be, in runs that become shorter. */
static enum pawl_status let_go(struct core_search *c, struct lin_core *core, struct pawl_error *err)
{
	uint32_t *must = c->local + c->p->ops_len, n = 0, i, run, at, len;
	const uint32_t cause = c->p->events[c->last] / 2;
	bool none, gone = true;

	for (i = 0; i < c->p->ops_len; i++)
		if (c->role[i] == MUST && i != cause)
			must[n++] = i;
	/* At length 1 again until none goes: what stays may depend on what went after it. */
	for (run = n; n > 0 && (run > 1 || gone); run = (run + 1) / 2) {
		gone = run > 1;
		for (at = 0; at < n; at += none ? 0 : len) {
			enum pawl_status st;

			len = n - at < run ? n - at : run;
			st = try_without(c, core, must + at, len, &none, err);
			if (st != PAWL_OK)
				return st;
			if (!none)
				continue;
			memmove(must + at, must + at + len, (n - at - len) * sizeof(*must));
			n -= len;
			gone = true;
		}
	}
	core->smallest = c->left > 0;
	return PAWL_OK;
}

static bool core_search_alloc(struct core_search *c)
{
	const size_t n = (size_t)c->p->ops_len + 1;

	c->role = malloc(n);
	c->returns = calloc(n, sizeof(*c->returns));
	c->local = malloc(n * 2 * sizeof(*c->local));
	c->ops = malloc(n * sizeof(*c->ops));
	c->events = malloc(n * 2 * sizeof(*c->events));
	c->active = malloc(n * 2 * sizeof(*c->active));
	c->values = malloc((ANY_VALUES + 1) * sizeof(*c->values));
	return c->role != NULL && c->returns != NULL && c->local != NULL && c->ops != NULL &&
	       c->events != NULL && c->active != NULL && c->values != NULL;
}

enum pawl_status pawl__lin_core_find(struct lin_search *s, const struct lin_problem *p,
                                     const struct lin_result *r, struct lin_core *ret,
                                     struct pawl_error *err)
{
	PAWL_CLEANUP(core_search_deinit)
	struct core_search c = { .s = s, .p = p, .last = r->event, .left = LIN_CORE_STEPS_MAX };
	enum pawl_status st = PAWL_OK;
	uint32_t i;

	PRE(r->verdict == LIN_INVALID);
	*ret = (struct lin_core){ 0 };
	if (!core_search_alloc(&c))
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for the witness");
	for (i = 0; i <= c.last; i++)
		c.returns[p->events[i] / 2] = p->events[i] % 2 != 0;
	if (p->cells == 1 && p->texts == NULL)
		st = window_find(&c, &ret->from, &ret->any_initial, err);
	if (st != PAWL_OK)
		return st;
	roles_set(&c, ret->from);
	st = let_go(&c, ret, err);
	if (st != PAWL_OK)
		return st;
	ret->ops = malloc(((size_t)p->ops_len + 1) * sizeof(*ret->ops));
	if (ret->ops == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for the witness");
	for (i = 0; i < p->ops_len; i++)
		if (c.role[i] == MUST)
			ret->ops[ret->len++] = i;
	return PAWL_OK;
}

void pawl__lin_core_deinit(struct lin_core *c)
{
	free(c->ops);
	*c = (struct lin_core){ 0 };
}
