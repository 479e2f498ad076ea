/* SPDX-License-Identifier: Apache-2.0 */
#include "mutants.h"

#include "base/assert.h"

#define EVERY 5 /* calls until the promise is broken again */

static struct store_ops real, wrong;
static unsigned calls;

static bool now_wrong(void)
{
	return ++calls % EVERY == 0;
}

const char *mutant_name(enum mutant m)
{
	static const char *const names[] = {
#define X(name, text) [MUTANT_##name] = (text),
		MUTANT_MAP(X)
#undef X
	};

	PRE((size_t)m < ARRAY_LEN(names));
	return names[m];
}

static enum pawl_status flush_forget(struct store *s, struct ws *ws, struct pawl_error *err)
{
	if (ws->answers.len > 0 && now_wrong())
		ws->answers.len--;
	return real.flush(s, ws, err);
}

/* Not even the audit of the store can see it: both balances and the transfer agree. */
static enum pawl_status flush_twice(struct store *s, struct ws *ws, struct pawl_error *err)
{
	struct transfer *t =
		ws->transfers.len > 0 ? &ws->transfers.at[ws->transfers.len - 1] : NULL;

	for (struct ws_entry *e = ws->first; e != NULL && t != NULL && t->hold == 0; e = e->next) {
		if (&e->row.account == t->from && !e->row.account.has_floor)
			e->row.account.balance -= t->amount;
		else if (&e->row.account == t->to && !t->from->has_floor)
			e->row.account.balance += t->amount;
	}
	if (t != NULL && t->hold == 0 && !t->from->has_floor)
		t->amount *= 2;
	return real.flush(s, ws, err);
}

static enum pawl_status flush_tear(struct store *s, struct ws *ws, struct pawl_error *err)
{
	const bool tear = now_wrong();

	for (struct ws_entry *e = ws->first; e != NULL && tear; e = e->next) {
		if (e->kind == ROW_ACCOUNT && e->dirty && e->stored) {
			e->dirty = false;
			break;
		}
	}
	return real.flush(s, ws, err);
}

static enum pawl_status flush_stale(struct store *s, struct ws *ws, struct pawl_error *err)
{
	if (ws->answers.len > 0 && now_wrong()) {
		struct answer *a = &ws->answers.at[ws->answers.len - 1]->row.answer;

		if (a->body.len > 0)
			a->body.len--;
	}
	return real.flush(s, ws, err);
}

static enum pawl_status commit_lie(struct store *s, struct pawl_error *err)
{
	if (!now_wrong())
		return real.commit(s, err);
	real.rollback(s);
	return PAWL_OK;
}

static enum pawl_status outcome_unsure(struct store *s, int64_t revision, int64_t answers_seq,
                                       enum store_outcome *ret, struct pawl_error *err)
{
	const enum pawl_status st = real.outcome(s, revision, answers_seq, ret, err);

	if (st == PAWL_OK && *ret != STORE_NOT_KNOWN)
		*ret = *ret == STORE_COMMITTED ? STORE_NOT_COMMITTED : STORE_COMMITTED;
	return st;
}

static enum pawl_status expire_late(struct store *s, const struct ws_entry *account, int64_t now_us,
                                    int64_t revision, int64_t ret_freed_due[2],
                                    struct pawl_error *err)
{
	(void)s;
	(void)now_us;
	(void)revision;
	(void)err;
	ret_freed_due[0] = account->row.account.held;
	ret_freed_due[1] = 0;
	return PAWL_OK;
}

void mutant_apply(struct store *s, enum mutant m)
{
	real = *s->ops;
	wrong = real;
	calls = 0;
	switch (m) {
	case MUTANT_NONE:
	case MUTANTS:
		return;
	case MUTANT_FORGET:
		wrong.flush = flush_forget;
		break;
	case MUTANT_TWICE:
		wrong.flush = flush_twice;
		break;
	case MUTANT_TEAR:
		wrong.flush = flush_tear;
		break;
	case MUTANT_LIE:
		wrong.commit = commit_lie;
		break;
	case MUTANT_UNSURE:
		wrong.outcome = outcome_unsure;
		break;
	case MUTANT_LATE:
		wrong.expire = expire_late;
		break;
	case MUTANT_STALE:
		wrong.flush = flush_stale;
		break;
	}
	s->ops = &wrong;
}
