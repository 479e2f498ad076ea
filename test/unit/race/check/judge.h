/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the tests of the checkers: a history written as text goes in, a result comes out; and where
 * the recorded histories of others lie, if they are there.
 */
#ifndef TEST_RACE_CHECK_JUDGE_H
#define TEST_RACE_CHECK_JUDGE_H

#include "../../base/harness.h"

#include <stdio.h>

#include "race/check/check.h"

typedef enum pawl_status (*checker_fn)(const struct history *h, const struct check_options *o,
                                       struct check_result *ret, struct pawl_error *err);

/* Reads text and judges it. ret is always to be deinitialised. */
static inline enum pawl_status judge_text(checker_fn fn, const char *text, size_t len,
                                          const struct check_options *o, struct check_result *ret,
                                          struct pawl_error *err)
{
	const struct history_options ho = { .lists = HISTORY_LISTS_AUTO };
	struct history *h = NULL;
	char *bytes = calloc(1, len + HISTORY_SLACK);
	enum pawl_status st;

	assert_non_null(bytes);
	memcpy(bytes, text, len);
	pawl__check_result_init(ret);
	st = pawl__history_read(bytes, len, &ho, &h, err);
	free(bytes);
	if (st == PAWL_OK)
		st = fn(h, o, ret, err);
	pawl__history_free(h);
	return st;
}

static inline const struct check_anomaly *anomaly_find(const struct check_result *r,
                                                       const char *name)
{
	for (uint32_t i = 0; i < r->anomalies_len; i++)
		if (strcmp(r->anomalies[i].name, name) == 0)
			return &r->anomalies[i];
	return NULL;
}

/* The folder of recorded histories; skips the test where it is absent. */
static inline const char *histories(void)
{
	const char *dir = getenv("PAWL_TEST_HISTORIES");

	if (dir == NULL)
		dir = "../shared/histories";
	if (access(dir, R_OK) != 0) {
		print_message("no recorded histories at %s\n", dir);
		skip();
	}
	return dir;
}

/* Judges a file of that folder. */
static inline enum check_verdict judge_file(checker_fn fn, const char *path,
                                            const struct check_options *o)
{
	const struct history_options ho = { .lists = HISTORY_LISTS_AUTO };
	struct history *h = NULL;
	struct check_result r;
	struct pawl_error err = { 0 };
	enum check_verdict verdict;

	pawl__check_result_init(&r);
	if (pawl__history_load(path, &ho, &h, &err) != PAWL_OK || fn(h, o, &r, &err) != PAWL_OK)
		fail_msg("%s: %s", path, err.text);
	verdict = r.verdict;
	pawl__check_result_deinit(&r);
	pawl__history_free(h);
	return verdict;
}

#endif /* TEST_RACE_CHECK_JUDGE_H */
