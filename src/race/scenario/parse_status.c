/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/error.h"
#include "base/num.h"
#include "base/suggest.h"
#include "race/scenario/bind.h"

static const struct {
	const char *name;
	enum answer_class answer;
} outcomes[] = {
	{ "timeout", ANSWER_TIMEOUT },
	{ "reset", ANSWER_RESET },
	{ "malformed", ANSWER_MALFORMED },
	{ "unsent", ANSWER_UNSENT },
};

bool pawl__status_in(const struct status_rule *rule, enum answer_class answer, int status)
{
	return rule->answer == answer &&
	       (answer != ANSWER_STATUS || (status >= rule->low && status <= rule->high));
}

bool pawl__status_accepted(const struct status_set *set, enum answer_class answer, int status)
{
	if (set->len == 0)
		return answer == ANSWER_STATUS && status >= 200 && status <= 299;
	for (uint32_t i = 0; i < set->len; i++) {
		if (pawl__status_in(&set->at[i], answer, status))
			return true;
	}
	return false;
}

/* "201", "4xx", "timeout" */
static enum pawl_status rule_parse(struct parse *p, const struct tree *v, struct status_rule *ret)
{
	char word[TREE_WORD_MAX + 1];
	struct suggestion s;
	int64_t n;

	if (v->kind != TREE_SCALAR)
		return pawl__tree_refuse(p->err, v, 0, "must be a status such as 201 or 4xx");
	*ret = (struct status_rule){ .text = v->text, .count = { 0, INT64_MAX } };
	if (pawl__num_parse_i64(v->text, &n) && n >= 100 && n <= 599) {
		ret->low = ret->high = (int)n;
		return PAWL_OK;
	}
	if (v->text.len == 3 && v->text.ptr[0] >= '1' && v->text.ptr[0] <= '5' &&
	    memcmp(v->text.ptr + 1, "xx", 2) == 0) {
		ret->low = (v->text.ptr[0] - '0') * 100;
		ret->high = ret->low + 99;
		return PAWL_OK;
	}
	pawl__suggest_init(&s, pawl__tree_word(v->text, word));
	for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
		if (str_eq(v->text, pawl__str_of(outcomes[i].name))) {
			ret->answer = outcomes[i].answer;
			return PAWL_OK;
		}
		pawl__suggest_consider(&s, outcomes[i].name);
	}
	if (s.best != NULL)
		return pawl__tree_refuse(p->err, v, 0, "\"%s\" is no status; did you mean \"%s\"?",
		                         word, s.best);
	return pawl__tree_refuse(
		p->err, v, 0,
		"must be a status such as 201 or 4xx, or timeout, reset, malformed "
		"or unsent");
}

static bool overlap(const struct status_rule *a, const struct status_rule *b)
{
	return a->answer == b->answer &&
	       (a->answer != ANSWER_STATUS || (a->low <= b->high && b->low <= a->high));
}

static enum pawl_status rule_put(struct parse *p, const struct tree *v, struct status_set *set,
                                 struct status_rule rule)
{
	if (set->len == SCENARIO_VALUES_MAX)
		return pawl__tree_refuse(p->err, v, 0, "more than %d statuses",
		                         SCENARIO_VALUES_MAX);
	for (uint32_t i = 0; i < set->len; i++) {
		if (overlap(&set->at[i], &rule))
			return pawl__tree_refuse(p->err, v, 0, "counts a status twice");
	}
	set->at[set->len++] = rule;
	return PAWL_OK;
}

enum pawl_status pawl__take_statuses(struct parse *p, const struct member *m, const struct tree *v,
                                     void *at)
{
	struct status_set *set = at;
	struct status_rule rule;
	enum pawl_status st = PAWL_OK;

	(void)m;
	if (v->kind == TREE_SCALAR) {
		st = rule_parse(p, v, &rule);
		return st == PAWL_OK ? rule_put(p, v, set, rule) : st;
	}
	if (v->kind != TREE_LIST || v->len == 0)
		return pawl__bind_refuse(p, v, "must be a status or a list of them");
	tree_each(child, v)
	{
		st = rule_parse(p, child, &rule);
		if (st == PAWL_OK)
			st = rule_put(p, child, set, rule);
		if (st != PAWL_OK)
			return st;
	}
	return PAWL_OK;
}

static bool number_of(struct str s, int64_t *ret)
{
	while (s.len > 0 && s.ptr[0] == ' ')
		s = (struct str){ s.ptr + 1, s.len - 1 };
	while (s.len > 0 && s.ptr[s.len - 1] == ' ')
		s.len--;
	return pawl__num_parse_i64(s, ret) && *ret >= 0;
}

/* 1, ">= 1", "<= 3", "1..3" */
static bool range_parse(struct str t, struct count_range *ret)
{
	const char *dots = t.len < 2 ? NULL : memmem(t.ptr, t.len, "..", 2);
	int64_t low, high;

	if (number_of(t, &low)) {
		*ret = (struct count_range){ low, low };
		return true;
	}
	if (dots != NULL) {
		const struct str behind = { dots + 2, t.len - (size_t)(dots - t.ptr) - 2 };

		if (!number_of((struct str){ t.ptr, (size_t)(dots - t.ptr) }, &low) ||
		    !number_of(behind, &high) || low > high)
			return false;
		*ret = (struct count_range){ low, high };
		return true;
	}
	if (t.len < 3 || !number_of((struct str){ t.ptr + 2, t.len - 2 }, &low))
		return false;
	if (memcmp(t.ptr, ">=", 2) == 0)
		*ret = (struct count_range){ low, INT64_MAX };
	else if (memcmp(t.ptr, "<=", 2) == 0)
		*ret = (struct count_range){ 0, low };
	else
		return false;
	return true;
}

enum pawl_status pawl__take_counts(struct parse *p, const struct member *m, const struct tree *v,
                                   void *at)
{
	struct status_set *set = at;
	bool rest = false;

	(void)m;
	if (v->kind != TREE_MAP || v->len == 0)
		return pawl__bind_refuse(p, v, "must be a mapping such as {201: 1, 409: rest}");
	tree_each(child, v)
	{
		struct status_rule rule;
		enum pawl_status st = rule_parse(p, child->key, &rule);

		if (st != PAWL_OK)
			return st;
		rule.rest = child->kind == TREE_SCALAR && str_eq(child->text, STR("rest"));
		if (rule.rest && rest)
			return pawl__bind_refuse(p, child,
			                         "cannot be rest, too: that is what is left");
		rest = rest || rule.rest;
		if (!rule.rest &&
		    (child->kind != TREE_SCALAR ||
		     (!str_eq(child->text, STR("any")) && !range_parse(child->text, &rule.count))))
			return pawl__bind_refuse(p, child,
			                         "must be a number, \"1..3\", \">= 1\", \"<= 3\", "
			                         "any or rest");
		st = rule_put(p, child->key, set, rule);
		if (st != PAWL_OK)
			return st;
	}
	return PAWL_OK;
}
