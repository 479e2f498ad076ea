/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Histories of others with the verdicts that were recorded with them: list-append and rw-register.
 *
 * Agreement is exact but for one thing. In a component that has a cycle of ww or wr edges alone
 * (G0, G1c) the recorded search looks at one candidate for each lesser kind, and gives up when this
 * turns out to be the worse kind again. There a special case may stand for what was recorded, and
 * kinds of cycles may be more.
 */
#include "cases.h"

#define TEXT_MAX ((size_t)64 << 10)
#define SET_MAX  32

struct names {
	char at[SET_MAX][64];
	size_t len;
};

/* What stands in quotes, or behind colons, between the brackets after `field`. */
static void names_read(const char *line, const char *field, struct names *ret)
{
	const char *p = strstr(line, field);
	const char *end = p == NULL ? NULL : strpbrk(p + strlen(field), "]}");

	ret->len = 0;
	if (p == NULL)
		return;
	p = strchr(p, '[');
	while (p != NULL && p < end) {
		size_t n;

		p += strcspn(p, "\":]");
		if (p >= end)
			return;
		n = strcspn(p + 1, "\" ]");
		assert_true(ret->len < SET_MAX && n < sizeof(ret->at[0]));
		memcpy(ret->at[ret->len], p + 1, n);
		ret->at[ret->len][n] = '\0';
		ret->len++;
		p += n + 1;
		p += *p == '"';
	}
}

static bool has(const struct names *s, const char *name)
{
	for (size_t i = 0; i < s->len; i++) {
		if (strcmp(s->at[i], name) == 0)
			return true;
	}
	return false;
}

static void drop(struct names *s, const char *name)
{
	for (size_t i = 0; i < s->len; i++) {
		if (strcmp(s->at[i], name) == 0)
			memcpy(s->at[i], s->at[--s->len], sizeof(s->at[0]));
	}
}

static bool is_cycle(const char *name)
{
	return name[0] == 'G' && strcmp(name, "G1a") != 0 && strcmp(name, "G1b") != 0;
}

static void same_kinds(const char *file, const struct check_result *r, struct names *want)
{
	const bool exact = !has(want, "G0") && !has(want, "G1c");

	drop(want, "empty-transaction-graph");
	drop(want, "cycle-search-timeout");
	for (uint32_t i = 0; i < r->anomalies_len; i++) {
		const struct check_anomaly *a = &r->anomalies[i];

		if (!a->permitted && !has(want, a->name) && (exact || !is_cycle(a->name)))
			fail_msg("%s: found %s, which was not recorded", file, a->name);
	}
	for (size_t k = 0; k < want->len; k++) {
		bool found = false;

		for (uint32_t i = 0; i < r->anomalies_len; i++) {
			const char *name = r->anomalies[i].name;

			found = found || strcmp(name, want->at[k]) == 0 ||
			        (!exact && is_cycle(name) &&
			         pawl__level_case_of(name, want->at[k]));
		}
		if (!found)
			fail_msg("%s: %s was recorded and not found", file, want->at[k]);
	}
}

static void same_levels(const char *file, uint64_t got, const struct names *want)
{
	uint64_t set = 0;

	for (size_t i = 0; i < want->len; i++) {
		const enum level l = pawl__level_find(want->at[i]);

		assert_int_not_equal(l, LEVEL_LEN);
		set |= LEVEL_BIT(l);
	}
	if (set != got)
		fail_msg("%s: other levels are ruled out: %llx, recorded %llx", file,
		         (unsigned long long)got, (unsigned long long)set);
}

static void judge(const char *path, bool lists, const struct check_options *o,
                  struct check_result *ret)
{
	const struct history_options ho = { .lists = lists ? HISTORY_LISTS_AUTO
		                                           : HISTORY_LISTS_OPAQUE };
	struct history *h = NULL;
	struct pawl_error err = { 0 };
	enum pawl_status st;

	pawl__check_result_init(ret);
	if (pawl__history_load(path, &ho, &h, &err) != PAWL_OK)
		fail_msg("%s: %s", path, err.text);
	st = (lists ? pawl__check_list_append : pawl__check_rw_register)(h, o, ret, &err);
	if (st != PAWL_OK)
		fail_msg("%s: %s", path, err.text);
	case_witnesses(ret);
	pawl__history_free(h);
}

/* Of anomalies that were asked for one by one: the level at which these are looked for. */
static enum level level_for(const struct names *anomalies)
{
	static const struct {
		const char *name;
		enum level level;
	} map[] = { { "G0", LEVEL_READ_UNCOMMITTED }, { "G1", LEVEL_READ_COMMITTED },
		    { "G1a", LEVEL_READ_COMMITTED },  { "G1b", LEVEL_READ_COMMITTED },
		    { "G1c", LEVEL_READ_COMMITTED },  { "internal", LEVEL_READ_ATOMIC } };

	for (size_t i = 0; i < ARRAY_LEN(map); i++) {
		if (anomalies->len == 1 && strcmp(anomalies->at[0], map[i].name) == 0)
			return map[i].level;
	}
	return LEVEL_SERIALIZABLE;
}

/* Whether an anomaly is what was asked for. */
static bool asked(const struct names *anomalies, const char *name)
{
	for (size_t i = 0; i < anomalies->len; i++) {
		if (pawl__level_case_of(name, anomalies->at[i]))
			return true;
	}
	return false;
}

static void call_options(const char *line, bool lists, const struct names *models,
                         const struct names *anomalies, size_t i, struct check_options *o)
{
	pawl__check_options_init(o, lists ? MODEL_LIST_APPEND : MODEL_RW_REGISTER);
	o->level = LEVEL_STRONG_SERIALIZABLE;
	if (anomalies->len > 0)
		o->level = level_for(anomalies);
	if (models->len > 0)
		o->level = pawl__level_find(models->at[i]);
	assert_int_not_equal(o->level, LEVEL_LEN);
	o->sequential_keys = strstr(line, ":sequential-keys? true") != NULL;
	o->linearizable_keys = strstr(line, ":linearizable-keys? true") != NULL;
	o->wfr_keys = strstr(line, ":wfr-keys? true") != NULL;
}

/* One recorded call. Several levels: each must agree, and one of them have what was recorded. */
static void call(const char *dir, const char *line)
{
	struct names file, models, anomalies, kinds, not_these, also;
	const bool lists = strstr(line, ":model :list-append") != NULL;
	const bool valid = strstr(line, ":valid? true") != NULL;
	const bool unknown = strstr(line, ":valid? :unknown") != NULL;
	const char *opts = strstr(line, ":opts {");
	bool invalid = false;
	char path[4096];

	assert_non_null(opts);
	names_read(opts, ":consistency-models", &models);
	if (strstr(opts, ":consistency-models nil") != NULL ||
	    strstr(opts, ":consistency-models") == NULL)
		models.len = 0;
	names_read(opts, ":anomalies", &anomalies);
	names_read(line, ":not ", &not_these);
	names_read(line, ":also-not ", &also);
	file.len = strcspn(strstr(line, ":file \"") + 7, "\"");
	(void)snprintf(path, sizeof(path), "%s/elle-tests/%.*s", dir, (int)file.len,
	               strstr(line, ":file \"") + 7);
	if (access(path, R_OK) != 0)
		return;
	for (size_t i = 0; i == 0 || i < models.len; i++) {
		struct check_options o;
		struct check_result r;
		bool bad;

		call_options(opts, lists, &models, &anomalies, i, &o);
		names_read(line, ":anomaly-types", &kinds);
		judge(path, lists, &o, &r);
		bad = r.verdict == VERDICT_INVALID;
		for (uint32_t k = 0; k < r.anomalies_len && anomalies.len > 0; k++)
			bad = bad && asked(&anomalies, r.anomalies[k].name);
		if (unknown)
			assert_int_equal(r.verdict, VERDICT_UNKNOWN);
		if (valid)
			assert_false(bad);
		if (bad) {
			invalid = true;
			same_kinds(path, &r, &kinds);
			same_levels(path, r.not, &not_these);
			same_levels(path, r.also_not, &also);
		}
		pawl__check_result_deinit(&r);
	}
	if (invalid == (valid || unknown))
		fail_msg("%s: recorded as %s", path, valid ? "valid" : "invalid");
}

/* fn is called with each line of a file; how many there were. */
static unsigned lines(const char *dir, const char *name, void (*fn)(const char *, const char *))
{
	char path[4096], *line = malloc(TEXT_MAX);
	unsigned n = 0;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "r");
	assert_non_null(line);
	while (f != NULL && fgets(line, (int)TEXT_MAX, f) != NULL) {
		fn(dir, line);
		n++;
	}
	if (f != NULL)
		(void)fclose(f);
	free(line);
	return n;
}

static void test_calls(void **state)
{
	(void)state;
	assert_in_range(lines(histories(), "elle-tests/index.edn", call), 1, 1000);
}

/* The number behind ":NAME " in a line; 0. */
static uint64_t recorded_count(const char *line, const char *name)
{
	char key[64];
	const char *p;

	(void)snprintf(key, sizeof(key), ":%s ", name);
	p = strstr(line, key);
	return p == NULL ? 0 : strtoull(p + strlen(key), NULL, 10);
}

/* A simulated database's history: what needs no search has the recorded count. */
static void simulated(const char *dir, const char *line)
{
	static const char *const counted[] = { "G1a",          "G1b",
		                               "internal",     "lost-update",
		                               "dirty-update", "incompatible-order",
		                               "future-read",  "duplicate-elements" };
	const bool invalid = strstr(line, ":valid? false") != NULL;
	struct names models, kinds = { .len = 0 }, not_these;
	struct check_options o;
	struct check_result r;
	char path[4096];
	const char *p = strstr(line, ":file \"");

	assert_non_null(p);
	(void)snprintf(path, sizeof(path), "%s/history.sim/%.*s", dir, (int)strcspn(p + 7, "\""),
	               p + 7);
	if (access(path, R_OK) != 0)
		return;
	names_read(line, ":cms", &models);
	names_read(line, ":not ", &not_these);
	pawl__check_options_init(&o, MODEL_LIST_APPEND);
	o.level = pawl__level_find(models.at[0]);
	judge(path, true, &o, &r);
	assert_int_equal(r.verdict, invalid ? VERDICT_INVALID : VERDICT_VALID);
	for (p = strstr(line, ":anomalies {"); p != NULL && *p != '}'; p++) {
		const size_t n = strcspn(p + 1, " ");

		if (*p == ':' && strncmp(p, ":anomalies", 10) != 0) {
			assert_true(kinds.len < SET_MAX && n < 64);
			memcpy(kinds.at[kinds.len], p + 1, n);
			kinds.at[kinds.len++][n] = '\0';
		}
	}
	same_kinds(path, &r, &kinds);
	if (invalid)
		same_levels(path, r.not, &not_these);
	for (size_t i = 0; i < ARRAY_LEN(counted); i++) {
		const struct check_anomaly *a = anomaly_find(&r, counted[i]);

		const uint64_t count = a == NULL ? 0 : a->count;

		if (count != recorded_count(line, counted[i]))
			fail_msg("%s: %s %llu", path, counted[i], (unsigned long long)count);
	}
	pawl__check_result_deinit(&r);
}

static void test_simulated(void **state)
{
	(void)state;
	assert_in_range(lines(histories(), "history.sim/expected-elle.txt", simulated), 1, 1000);
}

/* Three histories, judged at several levels. */
static void test_examples(void **state)
{
	static const struct {
		const char *file;
		enum level level;
		enum check_verdict verdict;
		const char *found[3];
	} cases[] = {
		{ "paper-example.edn", LEVEL_SERIALIZABLE, VERDICT_INVALID, { "G-single-item" } },
		{ "paper-example.edn", LEVEL_CURSOR_STABILITY, VERDICT_VALID, { NULL } },
		{ "si-without-g-single.edn", LEVEL_SNAPSHOT_ISOLATION, VERDICT_VALID, { NULL } },
		{ "si-without-g-single.edn", LEVEL_SERIALIZABLE, VERDICT_INVALID, { "G2-item" } },
		{ "si-without-g-single.edn",
		  LEVEL_STRONG_SERIALIZABLE,
		  VERDICT_INVALID,
		  { "G2-item", "G-single-item-realtime" } },
		{ "huge-scc.edn", LEVEL_SERIALIZABLE, VERDICT_VALID, { NULL } },
		{ "huge-scc.edn", LEVEL_STRONG_SERIALIZABLE, VERDICT_INVALID, { NULL } },
	};
	const char *dir = histories();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct check_options o;
		struct check_result r;
		char path[4096];

		(void)snprintf(path, sizeof(path), "%s/elle/%s", dir, cases[i].file);
		if (access(path, R_OK) != 0)
			continue;
		pawl__check_options_init(&o, MODEL_LIST_APPEND);
		o.level = cases[i].level;
		judge(path, true, &o, &r);
		if (r.verdict != cases[i].verdict)
			fail_msg("%s: verdict %d at %s", path, (int)r.verdict,
			         pawl__level_name(o.level));
		for (size_t k = 0; k < 3 && cases[i].found[k] != NULL; k++)
			assert_non_null(anomaly_find(&r, cases[i].found[k]));
		pawl__check_result_deinit(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_simulated),
		cmocka_unit_test(test_examples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
