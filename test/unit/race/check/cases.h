/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small histories with what must be found in them, for the checkers of transactions.
 */
#ifndef TEST_RACE_CHECK_CASES_H
#define TEST_RACE_CHECK_CASES_H

#include "judge.h"

/* A transaction without process or invocation; its two halves; both at once; one that failed; one
 * of unknown outcome. */
#define OK(v)       "{:type :ok, :value [" v "]}\n"
#define BEGIN(p, v) "{:type :invoke, :process " #p ", :f :txn, :value [" v "]}\n"
#define END(p, v)   "{:type :ok, :process " #p ", :f :txn, :value [" v "]}\n"
#define AT(p, v)    BEGIN(p, v) END(p, v)
#define FAIL(v)     "{:type :fail, :value [" v "]}\n"
#define INFO(v)     "{:type :info, :value [" v "]}\n"

struct small_case {
	const char *name;
	const char *text;
	enum level level;
	const char *found; /* "G0 1, G2-item 2?": ? is permitted */
	enum check_verdict verdict;
};

static inline void case_found(const struct check_result *r, char *to, size_t cap)
{
	size_t len = 0;

	to[0] = '\0';
	for (uint32_t i = 0; i < r->anomalies_len; i++)
		len += (size_t)snprintf(to + len, cap - len, "%s%s %u%s", i == 0 ? "" : ", ",
		                        r->anomalies[i].name, (unsigned)r->anomalies[i].count,
		                        r->anomalies[i].permitted ? "?" : "");
}

/* Every cycle closes over rows, its steps have what justifies them, rows are in order. */
static inline void case_witnesses(const struct check_result *r)
{
	for (uint32_t i = 0; i < r->anomalies_len; i++) {
		const struct check_anomaly *a = &r->anomalies[i];

		assert_in_range(a->witnesses_len, 1, CHECK_WITNESSES_MAX);
		for (uint32_t w = 0; w < a->witnesses_len; w++) {
			const struct check_witness *one = &a->witnesses[w];

			assert_true(one->steps_len >= (one->cycle ? 2u : 1u));
			for (uint32_t s = 0; s < one->steps_len; s++) {
				assert_true(one->cycle == (one->steps[s].edge != EDGE_NONE));
				if (one->steps[s].edge >= EDGE_WW && one->steps[s].edge <= EDGE_RW)
					assert_int_not_equal(one->steps[s].key, HISTORY_NONE);
				assert_true(!one->cycle || s == 0 ||
				            one->steps[s].op > one->steps[0].op);
			}
		}
	}
}

/* infer: which of the options s(equential), l(inearizable), w(rites follow reads) are on. */
static inline void case_run(checker_fn fn, enum check_model model, const struct small_case *c,
                            const char *infer)
{
	struct check_options o;
	struct check_result r;
	struct pawl_error err = { 0 };
	char found[512];

	pawl__check_options_init(&o, model);
	o.level = c->level;
	o.sequential_keys = strchr(infer, 's') != NULL;
	o.linearizable_keys = strchr(infer, 'l') != NULL;
	o.wfr_keys = strchr(infer, 'w') != NULL;
	if (judge_text(fn, c->text, strlen(c->text), &o, &r, &err) != PAWL_OK)
		fail_msg("%s: %s", c->name, err.text);
	case_found(&r, found, sizeof(found));
	if (strcmp(found, c->found) != 0 || r.verdict != c->verdict)
		fail_msg("%s: verdict %d, found: %s; expected: %d, %s", c->name, (int)r.verdict,
		         found, (int)c->verdict, c->found);
	assert_true((r.verdict == VERDICT_UNKNOWN) == (r.unknown != NULL));
	case_witnesses(&r);
	pawl__check_result_deinit(&r);
}

#endif /* TEST_RACE_CHECK_CASES_H */
