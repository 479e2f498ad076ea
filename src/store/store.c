/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include "base/assert.h"
#include "base/error.h"
#include "store/memory/memory.h"
#include "store/postgres/postgres.h"
#include "store/sqlite/sqlite.h"

/* What a store may say: faults, and from commit alone that the outcome is unknown. */
static bool result_legal(enum pawl_status st, bool commit)
{
	switch ((int)st) {
	case PAWL_OK:
	case PAWL_E_STORE_UNAVAILABLE:
	case PAWL_E_NOMEM:
	case PAWL_E_BUSY:
	case PAWL_E_SERIALIZE:
	case PAWL_E_IO:
	case PAWL_E_CORRUPT:
	case PAWL_E_SCHEMA:
	case PAWL_E_UNSUPPORTED:
		return true;
	case PAWL_E_OUTCOME_UNKNOWN:
		return commit;
	default:
		return false;
	}
}

enum pawl_status pawl__store_open(const char *url, const struct store_options *opt,
                                  struct store **ret, struct pawl_error *err)
{
	static const char sqlite_scheme[] = "sqlite:";

	PRE(url != NULL && opt != NULL && opt->retention_us > 0 && ret != NULL);
	if (strncmp(url, sqlite_scheme, sizeof(sqlite_scheme) - 1) == 0)
		return pawl__sqlite_open(url + sizeof(sqlite_scheme) - 1, opt, NULL, ret, err);
	if (strcmp(url, "memory:") == 0)
		return pawl__memory_open(opt, ret, err);
	if (strncmp(url, "postgresql://", 13) == 0 || strncmp(url, "postgres://", 11) == 0)
		return pawl__postgres_open(url, opt, ret, err);
	/* The url is not repeated: it may hold a password. */
	return pawl__error_set(err, PAWL_E_CONFIG,
	                       "unknown kind of store; known are sqlite:PATH, postgresql://... and "
	                       "memory:");
}

enum pawl_status store_begin(struct store *s, struct store_begin *ret, struct pawl_error *err)
{
	enum pawl_status st;

	PRE(!s->open_tx && ret != NULL);
	st = s->ops->begin(s, ret, err);
	POST(result_legal(st, false));
	s->open_tx = st == PAWL_OK;
	return st;
}

enum pawl_status store_load(struct store *s, struct ws *ws, struct pawl_error *err)
{
	enum pawl_status st;

	PRE(s->open_tx);
	st = s->ops->load(s, ws, err);
	POST(result_legal(st, false));
	POST(st != PAWL_OK || ws->wanted == NULL);
	return st;
}

enum pawl_status store_expire(struct store *s, const struct ws_entry *account, int64_t now_us,
                              int64_t revision, int64_t ret_freed_due[2], struct pawl_error *err)
{
	enum pawl_status st;

	PRE(s->open_tx && account->kind == ROW_ACCOUNT && account->stored);
	st = s->ops->expire(s, account, now_us, revision, ret_freed_due, err);
	POST(result_legal(st, false));
	POST(st != PAWL_OK ||
	     (ret_freed_due[0] >= 0 && (ret_freed_due[1] == 0 || ret_freed_due[1] > now_us)));
	return st;
}

enum pawl_status store_flush(struct store *s, struct ws *ws, struct pawl_error *err)
{
	enum pawl_status st;

	PRE(s->open_tx && ws->wanted == NULL && !ws->failed);
	st = s->ops->flush(s, ws, err);
	POST(result_legal(st, false));
	return st;
}

enum pawl_status store_commit(struct store *s, struct pawl_error *err)
{
	enum pawl_status st;

	PRE(s->open_tx);
	st = s->ops->commit(s, err);
	POST(result_legal(st, true));
	/* After any other failure the caller rolls back. This one is over: all that is left is to
	 * ask outcome. */
	if (st == PAWL_E_OUTCOME_UNKNOWN)
		s->ops->rollback(s);
	s->open_tx = st != PAWL_OK && st != PAWL_E_OUTCOME_UNKNOWN;
	return st;
}

void store_rollback(struct store *s)
{
	if (!s->open_tx)
		return;
	s->ops->rollback(s);
	s->open_tx = false;
}

enum pawl_status store_outcome(struct store *s, int64_t revision, int64_t answers_seq,
                               enum store_outcome *ret, struct pawl_error *err)
{
	enum pawl_status st;

	PRE(!s->open_tx && ret != NULL);
	st = s->ops->outcome(s, revision, answers_seq, ret, err);
	POST(result_legal(st, false));
	return st;
}

enum pawl_status pawl__store_another(struct store *s, struct store **ret, struct pawl_error *err)
{
	enum pawl_status st;

	PRE((s->ops->caps & STORE_CAP_SINGLE_WRITER) == 0 && s->ops->another != NULL);
	st = s->ops->another(s, ret, err);
	POST(result_legal(st, false));
	return st;
}

enum pawl_status store_read(struct store *s, struct ws *ws, struct pawl_error *err)
{
	enum pawl_status st = s->ops->read(s, ws, err);

	POST(result_legal(st, false));
	POST(st != PAWL_OK || ws->wanted == NULL);
	return st;
}

enum pawl_status store_due(struct store *s, int64_t now_us, struct arena *arena,
                           struct store_due *ret, struct pawl_error *err)
{
	enum pawl_status st = s->ops->due(s, now_us, arena, ret, err);

	POST(result_legal(st, false));
	POST(st != PAWL_OK || ret->len <= ret->max);
	return st;
}

enum pawl_status store_housekeep(struct store *s, bool idle, struct pawl_error *err)
{
	enum pawl_status st;

	PRE(!s->open_tx);
	st = s->ops->housekeep(s, idle, err);
	POST(result_legal(st, false));
	return st;
}

enum pawl_status store_audit(struct store *s, store_drift_fn drift, void *arg,
                             struct store_audit *ret, struct pawl_error *err)
{
	enum pawl_status st;

	PRE(drift != NULL && ret != NULL);
	st = s->ops->audit(s, drift, arg, ret, err);
	POST(result_legal(st, false));
	return st;
}

enum pawl_status store_stats(struct store *s, struct store_stats *ret, struct pawl_error *err)
{
	enum pawl_status st = s->ops->stats(s, ret, err);

	POST(result_legal(st, false));
	return st;
}

enum pawl_status store_examine(struct store *s, store_finding_fn found, void *arg,
                               struct pawl_error *err)
{
	enum pawl_status st;

	PRE(found != NULL);
	st = s->ops->examine(s, found, arg, err);
	POST(result_legal(st, false));
	return st;
}

void store_clock(struct store *s, int64_t *ret_real_us, int64_t *ret_mono_us)
{
	s->ops->clock(s, ret_real_us, ret_mono_us);
}

void store_close(struct store *s)
{
	if (s == NULL)
		return;
	store_rollback(s);
	s->ops->close(s);
}

void store_closep(struct store **s)
{
	store_close(TAKE_PTR(*s));
}
