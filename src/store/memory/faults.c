/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schedule of faults: what a step meets, by the seed.
 */
#include "base/assert.h"
#include "base/error.h"
#include "base/id.h"
#include "store/memory/world.h"

static bool chance(struct world *w, uint32_t in_65536)
{
	return in_65536 > 0 && pawl__rng_below(&w->rng, 65536) < in_65536;
}

static enum pawl_status refusal(struct world *w, struct pawl_error *err)
{
	static const enum pawl_status kinds[] = { PAWL_E_BUSY, PAWL_E_SERIALIZE,
		                                  PAWL_E_STORE_UNAVAILABLE };

	return pawl__error_set(err, kinds[pawl__rng_below(&w->rng, ARRAY_LEN(kinds))],
	                       "refused by the simulation");
}

static enum pawl_status broken(const struct world *w, struct pawl_error *err)
{
	return pawl__error_set(err, PAWL_E_IO,
	                       w->sim.crashed ? "the store has crashed" : "the device has failed");
}

static enum pawl_status crash(struct world *w, struct pawl_error *err)
{
	w->sim.crashed = true;
	return broken(w, err);
}

void pawl__world_trace(struct world *w, enum memory_call call, enum pawl_status st)
{
	w->trace[w->sim.steps % MEMORY_TRACE_LEN] = (struct memory_step){
		.n = w->sim.steps, .call = call, .status = st, .revision = w->now.revision
	};
}

static enum pawl_status step_fault(struct world *w, enum memory_call call, struct pawl_error *err)
{
	const struct memory_faults *f = &w->sim.faults;
	const bool reads = call == MEMORY_READ || call == MEMORY_DUE || call == MEMORY_OUTCOME;

	if (w->sim.crashed || (w->sim.failed && !reads))
		return broken(w, err);
	if (chance(w, f->crash))
		return crash(w, err);
	if (call == MEMORY_OUTCOME)
		return PAWL_OK;
	if (reads || call == MEMORY_HOUSEKEEP)
		return chance(w, f->refuse_read) ? pawl__error_set(err, PAWL_E_STORE_UNAVAILABLE,
		                                                   "refused by the simulation")
		                                 : PAWL_OK;
	return chance(w, f->refuse) ? refusal(w, err) : PAWL_OK;
}

enum pawl_status pawl__world_step(struct world *w, enum memory_call call, struct pawl_error *err)
{
	enum pawl_status st;

	w->sim.steps++;
	st = step_fault(w, call, err);
	pawl__world_trace(w, call, st);
	return st;
}

enum pawl_status pawl__world_step_commit(struct world *w, bool *ret_apply, struct pawl_error *err)
{
	const struct memory_faults *f = &w->sim.faults;
	const bool coin = w->simulated && pawl__rng_below(&w->rng, 2) == 1;

	w->sim.steps++;
	*ret_apply = false;
	if (w->sim.crashed || w->sim.failed)
		return broken(w, err);
	if (chance(w, f->refuse_commit))
		return refusal(w, err);
	if (chance(w, f->crash)) {
		*ret_apply = coin;
		return crash(w, err);
	}
	if (chance(w, f->fail_commit)) {
		/* After a failed fsync nobody knows what reached the device. */
		*ret_apply = coin;
		w->sim.failed = true;
		return broken(w, err);
	}
	if (chance(w, f->lose_reply)) {
		*ret_apply = coin;
		w->not_known = (uint32_t)pawl__rng_below(&w->rng, (uint64_t)f->not_known_max + 1);
		return pawl__error_set(err, PAWL_E_OUTCOME_UNKNOWN, "the reply was lost");
	}
	*ret_apply = true;
	return PAWL_OK;
}

static const char *call_name(enum memory_call call)
{
	static const char *const names[] = {
		[MEMORY_BEGIN] = "begin",     [MEMORY_LOAD] = "load",
		[MEMORY_EXPIRE] = "expire",   [MEMORY_FLUSH] = "flush",
		[MEMORY_COMMIT] = "commit",   [MEMORY_ROLLBACK] = "rollback",
		[MEMORY_OUTCOME] = "outcome", [MEMORY_READ] = "read",
		[MEMORY_DUE] = "due",         [MEMORY_HOUSEKEEP] = "housekeep",
	};

	PRE((size_t)call < ARRAY_LEN(names));
	return names[call];
}

static void put_text(struct buf *b, const char *s)
{
	pawl__buf_put(b, s, strlen(s));
}

void pawl__memory_trace(struct store *s, struct buf *b)
{
	struct world *w = ((struct memory_store *)s)->world;
	uint64_t n;

	INVARIANT(pthread_mutex_lock(&w->lock) == 0);
	n = w->sim.steps < MEMORY_TRACE_LEN ? 1 : w->sim.steps - MEMORY_TRACE_LEN + 1;
	for (; n <= w->sim.steps; n++) {
		const struct memory_step *t = &w->trace[n % MEMORY_TRACE_LEN];

		pawl__buf_u64(b, t->n);
		pawl__buf_putc(b, ' ');
		put_text(b, call_name(t->call));
		pawl__buf_putc(b, ' ');
		put_text(b, pawl_status_code(t->status));
		buf_lit(b, " revision ");
		pawl__buf_i64(b, t->revision);
		pawl__buf_putc(b, '\n');
	}
	INVARIANT(pthread_mutex_unlock(&w->lock) == 0);
}
