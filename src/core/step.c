/* SPDX-License-Identifier: Apache-2.0 */
#include "core/step.h"

#include "base/assert.h"
#include "base/id.h"
#include "core/account.h"
#include "core/hold.h"

enum pawl_status pawl__step_refuse(struct step *s, enum pawl_status code, const char *detail)
{
	s->why.code = code;
	s->why.detail = pawl__str_of(detail);
	return code;
}

enum pawl_status pawl__step_invalid(struct step *s, const char *member, const char *detail)
{
	s->member = member;
	return pawl__step_refuse(s, PAWL_E_INVALID, detail);
}

enum pawl_status pawl__step_not_found(struct step *s, const char *detail)
{
	return pawl__step_refuse(s, PAWL_E_NOT_FOUND, detail);
}

enum pawl_status pawl__step_hold_refuse(struct step *s, enum pawl_status code, int64_t number,
                                        const char *state)
{
	struct buf b;

	pawl__buf_init_fixed(&b, s->id_text, sizeof(s->id_text));
	pawl__id_format(&b, number);
	s->why.name = buf_get(&b);
	s->why.state = pawl__str_of(state);
	return pawl__step_refuse(s, code, NULL);
}

static enum pawl_status refuse_insufficient(struct step *s, const struct account *a,
                                            int64_t requested)
{
	s->why.name = a->id;
	s->why.unlimited = !pawl__account_available(a, &s->why.a);
	s->why.b = requested;
	return pawl__step_refuse(s, PAWL_E_INSUFFICIENT, "not enough available");
}

struct account *pawl__step_account(struct step *s, struct ws_entry *e)
{
	struct account *a = &e->row.account;

	INVARIANT(e->loaded && e->kind == ROW_ACCOUNT);
	if (!e->present) {
		const struct str unit = pawl__account_world_unit(e->id);

		if (unit.len == 0)
			return NULL;
		pawl__ws_change(s->ws, e);
		e->present = true;
		*a = (struct account){ .id = e->id, .unit = unit, .version = s->revision };
	}
	return a;
}

/* Change balance and held of one account, or say why not. */
static enum pawl_status step_post(struct step *s, struct ws_entry *e, int64_t balance, int64_t held)
{
	struct account *a = &e->row.account;
	enum pawl_status st;

	pawl__ws_change(s->ws, e);
	if (s->ws->failed)
		return PAWL_E_NOMEM;
	st = pawl__account_post(a, balance, held);
	if (st == PAWL_E_INSUFFICIENT)
		return refuse_insufficient(s, a, held - balance);
	if (st != PAWL_OK)
		return pawl__step_invalid(s, "amount",
		                          "the balance would leave the range of int64");
	a->version = s->revision;
	return PAWL_OK;
}

/* Both accounts exist, differ, and count the same unit. */
static enum pawl_status step_pair(struct step *s, struct ws_entry *from, struct ws_entry *to)
{
	const struct account *f = pawl__step_account(s, from), *t = pawl__step_account(s, to);

	if (f == NULL)
		return pawl__step_not_found(s, "no such account: from");
	if (t == NULL)
		return pawl__step_not_found(s, "no such account: to");
	if (from == to)
		return pawl__step_invalid(s, "to", "from and to are the same account");
	if (!str_eq(f->unit, t->unit))
		return pawl__step_invalid(s, "to", "the accounts have different units");
	return PAWL_OK;
}

static enum pawl_status step_number(struct step *s, int64_t *ret)
{
	*ret = pawl__ws_number(s->ws);
	if (*ret == 0)
		return pawl__step_invalid(s, "", "the transaction creates too many rows");
	return PAWL_OK;
}

static enum pawl_status append_transfer(struct step *s, struct ws_entry *from, struct ws_entry *to,
                                        int64_t amount, struct transfer **ret)
{
	struct transfer *t;
	int64_t number;
	enum pawl_status st = step_number(s, &number);

	if (st != PAWL_OK)
		return st;
	t = pawl__ws_transfer(s->ws);
	if (t == NULL)
		return PAWL_E_NOMEM;
	*t = (struct transfer){ .number = number,
		                .from = &from->row.account,
		                .to = &to->row.account,
		                .amount = amount };
	*ret = t;
	return PAWL_OK;
}

enum pawl_status pawl__step_transfer(struct step *s, struct ws_entry *from, struct ws_entry *to,
                                     int64_t amount, struct transfer **ret)
{
	enum pawl_status st = step_pair(s, from, to);

	PRE(amount > 0);
	if (st == PAWL_OK)
		st = step_post(s, from, -amount, 0);
	if (st == PAWL_OK)
		st = step_post(s, to, amount, 0);
	if (st != PAWL_OK)
		return st;
	return append_transfer(s, from, to, amount, ret);
}

enum pawl_status pawl__step_hold(struct step *s, struct ws_entry *from, struct ws_entry *to,
                                 int64_t amount, int64_t expires_us, struct hold **ret)
{
	enum pawl_status st = step_pair(s, from, to);
	struct account *f = &from->row.account;
	struct ws_entry *e;
	int64_t number;

	PRE(amount > 0 && expires_us > s->ws->now_us);
	if (st == PAWL_OK)
		st = step_post(s, from, 0, amount);
	if (st == PAWL_OK)
		st = step_number(s, &number);
	if (st != PAWL_OK)
		return st;
	e = pawl__ws_fresh(s->ws, ROW_HOLD, number);
	if (e == NULL)
		return PAWL_E_NOMEM;
	pawl__ws_change(s->ws, e);
	e->present = true;
	e->row.hold = (struct hold){
		.number = number,
		.from = from->id,
		.to = to->id,
		.from_number = f->number,
		.to_number = to->row.account.number,
		.amount = amount,
		.expires_us = expires_us,
		.state = HOLD_HELD,
		.version = s->revision,
	};
	if (f->due_us == 0 || expires_us < f->due_us)
		f->due_us = expires_us;
	*ret = &e->row.hold;
	return PAWL_OK;
}

/* Carry out what core/hold decided. */
static enum pawl_status hold_apply(struct step *s, struct ws_entry *e, const struct hold_step *how)
{
	struct ws_entry *from, *to;
	struct transfer *t;
	enum pawl_status st;

	if (how->repeat)
		return PAWL_OK;
	from = pawl__ws_find_account(s->ws, e->row.hold.from);
	to = pawl__ws_find_account(s->ws, e->row.hold.to);
	INVARIANT(from != NULL && from->present && to != NULL && to->present);
	st = step_post(s, from, -how->take, -(how->take + how->give));
	if (st != PAWL_OK)
		return st;
	if (how->take > 0) {
		st = step_post(s, to, how->take, 0);
		if (st == PAWL_OK)
			st = append_transfer(s, from, to, how->take, &t);
		if (st != PAWL_OK)
			return st;
		t->hold = e->number;
	}
	pawl__ws_change(s->ws, e);
	e->row.hold = how->next;
	e->row.hold.version = s->revision;
	return PAWL_OK;
}

enum pawl_status pawl__step_capture(struct step *s, struct ws_entry *hold, int64_t amount,
                                    bool final)
{
	const struct hold *h = &hold->row.hold;
	struct hold_step how;
	enum pawl_status st;

	if (!hold->present)
		return pawl__step_not_found(s, "no such hold");
	st = pawl__hold_capture(h, s->ws->now_us, amount, final, &how);
	if (st == PAWL_E_INSUFFICIENT) {
		s->why.name = h->from;
		s->why.a = hold_left(h);
		s->why.b = amount;
		return pawl__step_refuse(s, st, "more than is left of the hold");
	}
	if (st != PAWL_OK)
		return pawl__step_hold_refuse(
			s, st, hold->number,
			pawl__hold_state_name(pawl__hold_state(h, s->ws->now_us)));
	return hold_apply(s, hold, &how);
}

enum pawl_status pawl__step_release(struct step *s, struct ws_entry *hold)
{
	const struct hold *h = &hold->row.hold;
	struct hold_step how;
	enum pawl_status st;

	if (!hold->present)
		return pawl__step_not_found(s, "no such hold");
	st = pawl__hold_release(h, s->ws->now_us, &how);
	if (st != PAWL_OK)
		return pawl__step_hold_refuse(
			s, st, hold->number,
			pawl__hold_state_name(pawl__hold_state(h, s->ws->now_us)));
	return hold_apply(s, hold, &how);
}

enum pawl_status pawl__step_emit(struct step *s, struct str topic, struct str key, struct str body,
                                 int64_t *ret_number)
{
	struct event *ev;
	int64_t number;
	enum pawl_status st = step_number(s, &number);

	if (st != PAWL_OK)
		return st;
	ev = pawl__ws_event(s->ws);
	if (ev == NULL)
		return PAWL_E_NOMEM;
	*ev = (struct event){ .number = number, .topic = topic, .key = key, .body = body };
	*ret_number = number;
	return PAWL_OK;
}
