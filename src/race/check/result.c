/* SPDX-License-Identifier: Apache-2.0 */
#include "race/check/check.h"

#define RESULT_BLOCK ((size_t)64 << 10)
#define RESULT_MAX   ((size_t)1 << 30)

void pawl__check_result_init(struct check_result *ret)
{
	*ret = (struct check_result){ .verdict = VERDICT_VALID };
	pawl__arena_init(&ret->arena, RESULT_BLOCK, RESULT_MAX);
}

void pawl__check_result_deinit(struct check_result *r)
{
	pawl__arena_deinit(&r->arena);
}

void pawl__check_options_init(struct check_options *o, enum check_model model)
{
	*o = (struct check_options){
		.model = model,
		.level = LEVEL_STRONG_SERIALIZABLE,
		.mode = MODE_KNOSSOS,
		.steps = CHECK_STEPS_DEFAULT,
	};
}

static const char *const model_names[] = {
	[MODEL_LIST_APPEND] = "list-append",
	[MODEL_RW_REGISTER] = "rw-register",
	[MODEL_CAS_REGISTER] = "cas-register",
	[MODEL_MULTI_REGISTER] = "multi-register",
	[MODEL_KV] = "kv",
	[MODEL_MUTEX] = "mutex",
	[MODEL_BANK] = "bank",
	[MODEL_COUNTER] = "counter",
	[MODEL_SET] = "set",
	[MODEL_SET_FULL] = "set-full",
	[MODEL_LONG_FORK] = "long-fork",
};

static_assert(ARRAY_LEN(model_names) == MODEL_LEN, "a name for every model");

const char *pawl__check_model_name(enum check_model m)
{
	PRE(m < MODEL_LEN);
	return model_names[m];
}

bool pawl__check_model_find(const char *name, enum check_model *ret)
{
	for (unsigned m = 0; m < MODEL_LEN; m++) {
		if (str_eq(pawl__str_of(name), pawl__str_of(model_names[m]))) {
			*ret = (enum check_model)m;
			return true;
		}
	}
	if (!str_eq(pawl__str_of(name), STR("register")))
		return false;
	*ret = MODEL_CAS_REGISTER;
	return true;
}
