/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "race/check/check.h"

bool pawl__check_model_levels(enum check_model m)
{
	return m == MODEL_LIST_APPEND || m == MODEL_RW_REGISTER;
}

bool pawl__check_model_lists(enum check_model m)
{
	switch (m) {
	case MODEL_LIST_APPEND:
	case MODEL_BANK:
	case MODEL_COUNTER:
	case MODEL_SET:
	case MODEL_SET_FULL:
		return true;
	case MODEL_RW_REGISTER:
	case MODEL_CAS_REGISTER:
	case MODEL_MULTI_REGISTER:
	case MODEL_KV:
	case MODEL_MUTEX:
	case MODEL_LONG_FORK:
	case MODEL_LEN:
		break;
	}
	return false;
}

/* Transactions of reads and writes are what three models are made of: nobody can tell. */
bool pawl__check_model_guess(const struct history *h, enum check_model *ret)
{
	if (h->f_count[HF_TXN] > 0 && h->mop_count[HF_APPEND] > 0 && h->mop_count[HF_WRITE] == 0)
		*ret = MODEL_LIST_APPEND;
	else if (h->f_count[HF_TXN] > 0 && !h->has_realtime)
		*ret = MODEL_RW_REGISTER;
	else if (h->f_count[HF_TXN] > 0)
		return false;
	else if (h->f_count[HF_ACQUIRE] > 0 || h->f_count[HF_RELEASE] > 0)
		*ret = MODEL_MUTEX;
	else if (h->f_count[HF_TRANSFER] > 0)
		*ret = MODEL_BANK;
	else if (h->f_count[HF_PUT] > 0 || h->f_count[HF_APPEND] > 0)
		*ret = MODEL_KV;
	else if (h->f_count[HF_CAS] > 0 || h->format == HISTORY_ETCD)
		*ret = MODEL_CAS_REGISTER;
	else
		return false;
	return true;
}

static enum pawl_status no_rows(struct check_result *ret, struct pawl_error *err)
{
	const char **notes = arena_array(&ret->arena, const char *, 1);

	if (notes == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
	notes[0] = "no client did anything in this history";
	ret->notes = notes;
	ret->notes_len = 1;
	return PAWL_OK;
}

/* Which of the two ways serves a register history: see pawl__check_weak. */
static enum pawl_status registers(const struct history *h, const struct check_options *o,
                                  struct check_result *ret, struct pawl_error *err)
{
	if (!h->has_realtime || o->level == LEVEL_READ_ATOMIC || o->level == LEVEL_CAUSAL_CERONE)
		return pawl__check_weak(h, o, ret, err);
	return pawl__check_rw_register(h, o, ret, err);
}

static enum pawl_status dispatch(const struct history *h, const struct check_options *o,
                                 struct check_result *ret, struct pawl_error *err)
{
	switch (o->model) {
	case MODEL_LIST_APPEND:
		return pawl__check_list_append(h, o, ret, err);
	case MODEL_RW_REGISTER:
		return registers(h, o, ret, err);
	case MODEL_CAS_REGISTER:
	case MODEL_MULTI_REGISTER:
	case MODEL_KV:
	case MODEL_MUTEX:
		return pawl__check_linear(h, o, ret, err);
	case MODEL_BANK:
		return pawl__check_bank(h, o, ret, err);
	case MODEL_COUNTER:
		return pawl__check_counter(h, o, ret, err);
	case MODEL_SET:
		return pawl__check_set(h, o, ret, err);
	case MODEL_SET_FULL:
		return pawl__check_set_full(h, o, ret, err);
	case MODEL_LONG_FORK:
		return pawl__check_long_fork(h, o, ret, err);
	case MODEL_LEN:
		break;
	}
	UNREACHABLE();
}

enum pawl_status pawl__check_run(const struct history *h, const struct check_options *o,
                                 struct check_result *ret, struct pawl_error *err)
{
	enum pawl_status st;

	PRE(o->model < MODEL_LEN && o->level < LEVEL_LEN);
	if (h->ops_len == 0)
		return no_rows(ret, err);
	st = dispatch(h, o, ret, err);
	POST(st != PAWL_OK || ret->verdict != VERDICT_INVALID || ret->anomalies_len > 0);
	POST(st != PAWL_OK || ret->verdict != VERDICT_UNKNOWN || ret->unknown != NULL);
	return st;
}
