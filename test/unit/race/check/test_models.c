/* SPDX-License-Identifier: Apache-2.0 */
/* Bank, counter, set, set-full, long-fork: examples, and thousands of random histories beside
 * checkers that look at everything from everywhere. */
#include "judge.h"

#include "base/buf.h"
#include "base/compiler.h"
#include "base/rng.h"

#define HISTORIES 4000
#define ROWS      14
#define ELEMENTS  5
#define KEYS      3

/* A row of a random history. */
struct row {
	bool read;
	int64_t value;      /* what is added */
	int64_t seen[ROWS]; /* what a read shows: a number, elements, values of keys */
	uint32_t seen_len;
	enum history_type type;
	uint32_t inv, ret; /* ret UINT32_MAX when there is no completion */
};

struct made {
	struct row row[ROWS];
	uint32_t rows, events;
	uint32_t event[ROWS * 2];
};

/* Rows that overlap at random; what they did is filled in by the caller. */
static void made_shape(struct made *m, struct rng *rng)
{
	uint32_t open[3] = { UINT32_MAX, UINT32_MAX, UINT32_MAX }, p;

	*m = (struct made){ 0 };
	while (m->rows < ROWS || open[0] != UINT32_MAX || open[1] != UINT32_MAX ||
	       open[2] != UINT32_MAX) {
		p = (uint32_t)pawl__rng_below(rng, 3);
		if (open[p] == UINT32_MAX) {
			if (m->rows == ROWS)
				continue;
			m->row[m->rows] = (struct row){ .inv = m->events,
				                        .ret = UINT32_MAX,
				                        .read = pawl__rng_below(rng, 2) == 0 };
			m->event[m->events++] = m->rows * 2;
			open[p] = m->rows++;
		} else {
			struct row *r = &m->row[open[p]];
			const uint64_t die = pawl__rng_below(rng, 8);

			r->type = die < 6 ? HT_OK : die == 6 ? HT_FAIL : HT_INFO;
			r->ret = m->events;
			m->event[m->events++] = open[p] * 2 + 1;
			open[p] = UINT32_MAX;
		}
	}
}

static void put(struct buf *b, const char *s)
{
	pawl__buf_put(b, s, strlen(s));
}

typedef void (*value_fn)(struct buf *b, const struct row *r, bool done);

/* Each row is a process of its own. */
static void made_write(const struct made *m, struct buf *b, const char *add, value_fn value)
{
	static const char *const types[] = { "ok", "fail", "info" };
	uint32_t e;

	for (e = 0; e < m->events; e++) {
		const struct row *r = &m->row[m->event[e] / 2];
		const bool done = m->event[e] % 2 != 0;

		put(b, "{:process ");
		pawl__buf_u64(b, m->event[e] / 2);
		put(b, " :type :");
		put(b, done ? types[r->type] : "invoke");
		put(b, " :f :");
		put(b, r->read ? "read" : add);
		put(b, " :value ");
		value(b, r, done && r->type == HT_OK);
		put(b, "}\n");
	}
}

static void judge_made(const struct made *m, const char *add, value_fn value, checker_fn fn,
                       const struct check_options *o, struct check_result *ret)
{
	struct pawl_error err = { 0 };
	struct buf b;

	pawl__buf_init(&b, 1 << 20);
	made_write(m, &b, add, value);
	if (judge_text(fn, b.data, b.len, o, ret, &err) != PAWL_OK)
		fail_msg("%.*s%s", (int)b.len, b.data, err.text);
	pawl__buf_deinit(&b);
}

static uint64_t count_of(const struct check_result *r, const char *name)
{
	const struct check_anomaly *a = anomaly_find(r, name);

	return a == NULL ? 0 : a->count;
}

/* --- Bank ------------------------------------------------------------------------------------ */

static void bank_is(const char *text, const struct check_options *o, enum check_verdict want,
                    const char *anomaly)
{
	struct check_result r;
	struct pawl_error err = { 0 };

	assert_int_equal(judge_text(pawl__check_bank, text, strlen(text), o, &r, &err), PAWL_OK);
	assert_int_equal(r.verdict, want);
	if (anomaly != NULL) {
		assert_int_equal(r.anomalies_len, 1);
		assert_string_equal(r.anomalies[0].name, anomaly);
		assert_int_equal(r.anomalies[0].count, 1);
	} else {
		assert_int_equal(r.anomalies_len, 0);
	}
	pawl__check_result_deinit(&r);
}

#define BANK_READ(v)                                                                               \
	"{:process 0 :type :invoke :f :read :value nil}\n{:process 0 :type :ok :f :read :value " v \
	"}\n"

static void test_check_bank__names_what_is_wrong(void **state)
{
	struct check_options o;

	(void)state;
	pawl__check_options_init(&o, MODEL_BANK);
	bank_is(BANK_READ("{0 10 1 5}") BANK_READ("{0 15 1 0}"), &o, VERDICT_VALID, NULL);
	bank_is(BANK_READ("{0 10 1 5}") BANK_READ("{0 10 1 6}"), &o, VERDICT_INVALID,
	        "wrong-total");
	bank_is(BANK_READ("{0 10 1 5}") BANK_READ("{0 10 2 5}"), &o, VERDICT_INVALID,
	        "unexpected-key");
	bank_is(BANK_READ("{0 10 1 5}") BANK_READ("{0 15 1 nil}"), &o, VERDICT_INVALID,
	        "nil-balance");
	bank_is(BANK_READ("{0 10 1 5}") BANK_READ("{0 16 1 -1}"), &o, VERDICT_INVALID,
	        "negative-value");
	o.negative_balances = true;
	bank_is(BANK_READ("{0 10 1 5}") BANK_READ("{0 16 1 -1}"), &o, VERDICT_VALID, NULL);
	o.total_set = true;
	o.total = 15;
	bank_is(BANK_READ("{0 10 1 5}"), &o, VERDICT_VALID, NULL);
	o.total = 16;
	bank_is(BANK_READ("{0 10 1 5}"), &o, VERDICT_INVALID, "wrong-total");
	bank_is("{:process 0 :type :invoke :f :read :value nil}\n"
	        "{:process 0 :type :info :f :read :value nil}\n",
	        &o, VERDICT_UNKNOWN, NULL);
}

static void test_check_bank__refuses_other_things(void **state)
{
	static const char word[] = BANK_READ("{0 \"ten\"}");
	static const char much[] = BANK_READ("{0 9223372036854775807 1 9223372036854775807}");
	static const char other[] = "{:process 0 :type :invoke :f :write :value 1}\n";
	struct check_options o;
	struct check_result r;
	struct pawl_error err;

	(void)state;
	pawl__check_options_init(&o, MODEL_BANK);
	assert_int_equal(judge_text(pawl__check_bank, word, sizeof(word) - 1, &o, &r, &err),
	                 PAWL_E_INVALID);
	assert_string_equal(err.text, "line 2: a balance is a whole number");
	pawl__check_result_deinit(&r);
	assert_int_equal(judge_text(pawl__check_bank, much, sizeof(much) - 1, &o, &r, &err),
	                 PAWL_E_INVALID);
	assert_string_equal(err.text, "line 2: the balances add up to too much");
	pawl__check_result_deinit(&r);
	assert_int_equal(judge_text(pawl__check_bank, other, sizeof(other) - 1, &o, &r, &err),
	                 PAWL_E_INVALID);
	assert_string_equal(err.text, "line 1: a bank has reads and transfers");
	pawl__check_result_deinit(&r);
}

/* --- Counter --------------------------------------------------------------------------------- */

static void number_value(struct buf *b, const struct row *r, bool done)
{
	if (r->read && !done)
		put(b, "nil");
	else
		pawl__buf_i64(b, r->read ? r->seen[0] : r->value);
}

/* Whether some choice among what may have been added gives at most, and some at least, what was
 * read: every choice is tried. */
static bool counter_may(const struct made *m, const struct row *read)
{
	int64_t low = INT64_MAX, high = INT64_MIN;
	uint32_t set, i;

	for (set = 0; set < 1U << m->rows; set++) {
		int64_t sum = 0;
		bool fits = true;

		for (i = 0; i < m->rows && fits; i++) {
			const struct row *r = &m->row[i];
			const bool in = (set >> i & 1) != 0;

			if (in && (r->read || r->type == HT_FAIL || r->inv > read->ret))
				fits = false;
			if (!in && !r->read && r->type == HT_OK && r->ret < read->inv)
				fits = false;
			sum += in ? r->value : 0;
		}
		if (fits && sum < low)
			low = sum;
		if (fits && sum > high)
			high = sum;
	}
	return read->seen[0] >= low && read->seen[0] <= high;
}

static void test_check_counter__agrees_with_every_choice(void **state)
{
	struct check_options o;
	uint32_t n, i, valid = 0;
	struct rng rng;

	(void)state;
	pawl__check_options_init(&o, MODEL_COUNTER);
	rng_init(&rng, 1);
	for (n = 0; n < 300; n++) {
		struct check_result r;
		struct made m;
		uint64_t bad = 0, reads = 0;
		int64_t sum = 0;

		made_shape(&m, &rng);
		for (i = 0; i < m.rows; i++) {
			m.row[i].value = (int64_t)pawl__rng_below(&rng, 6) - (n % 2 ? 2 : 0);
			m.row[i].seen[0] = sum + (pawl__rng_below(&rng, 6) == 0 ? 3 : 0);
			if (!m.row[i].read && m.row[i].type != HT_FAIL)
				sum += m.row[i].value;
		}
		for (i = 0; i < m.rows; i++) {
			if (!m.row[i].read || m.row[i].type != HT_OK)
				continue;
			reads++;
			bad += !counter_may(&m, &m.row[i]);
		}
		judge_made(&m, "add", number_value, pawl__check_counter, &o, &r);
		assert_int_equal(count_of(&r, "counter-bounds"), bad);
		assert_int_equal(r.verdict, reads == 0 ? VERDICT_UNKNOWN
		                            : bad == 0 ? VERDICT_VALID
		                                       : VERDICT_INVALID);
		valid += r.verdict == VERDICT_VALID;
		pawl__check_result_deinit(&r);
	}
	assert_in_range(valid, 30, 270);
}

/* --- Sets ------------------------------------------------------------------------------------ */

static void set_value(struct buf *b, const struct row *r, bool done)
{
	uint32_t i;

	if (!r->read) {
		pawl__buf_i64(b, r->value);
	} else if (!done) {
		put(b, "nil");
	} else {
		put(b, "[");
		for (i = 0; i < r->seen_len; i++) {
			pawl__buf_i64(b, r->seen[i]);
			put(b, " ");
		}
		put(b, "]");
	}
}

static void set_make(struct made *m, struct rng *rng)
{
	uint32_t i;
	int64_t v;

	made_shape(m, rng);
	for (i = 0; i < m->rows; i++) {
		struct row *r = &m->row[i];

		r->value = (int64_t)pawl__rng_below(rng, ELEMENTS);
		for (v = 0; v < ELEMENTS + 1; v++)
			if (pawl__rng_below(rng, v == ELEMENTS ? 12 : 3) == 0)
				r->seen[r->seen_len++] = v;
		if (r->seen_len > 0 && pawl__rng_below(rng, 12) == 0)
			r->seen[r->seen_len++] = r->seen[0];
	}
}

static uint32_t shows(const struct row *r, int64_t v)
{
	uint32_t i, n = 0;

	for (i = 0; i < r->seen_len; i++)
		n += r->seen[i] == v;
	return n;
}

static void test_check_set__agrees_with_its_definition(void **state)
{
	struct check_options o;
	uint32_t n, i, verdicts[3] = { 0 };
	struct rng rng;
	int64_t v;

	(void)state;
	pawl__check_options_init(&o, MODEL_SET);
	rng_init(&rng, 2);
	for (n = 0; n < HISTORIES; n++) {
		struct check_result r;
		struct made m;
		const struct row *last = NULL;
		uint64_t lost = 0, unexpected = 0;

		set_make(&m, &rng);
		/* Mostly a last read that shows nearly all. */
		for (i = 0; i < m.rows; i++) {
			struct row *w = &m.row[i];

			if (!w->read || w->type != HT_OK)
				continue;
			if (last == NULL || w->ret > last->ret)
				last = w;
		}
		for (v = 0; v < ELEMENTS + 1 && last != NULL; v++) {
			bool tried = false, sure = false;

			for (i = 0; i < m.rows; i++) {
				const bool mine = !m.row[i].read && m.row[i].value == v;

				tried = tried || mine;
				sure = sure || (mine && m.row[i].type == HT_OK);
			}
			lost += sure && shows(last, v) == 0;
			unexpected += tried ? 0 : shows(last, v);
		}
		judge_made(&m, "add", set_value, pawl__check_set, &o, &r);
		assert_int_equal(count_of(&r, "lost"), lost);
		assert_int_equal(count_of(&r, "unexpected"), unexpected);
		assert_int_equal(r.verdict, lost + unexpected > 0 ? VERDICT_INVALID
		                            : last == NULL        ? VERDICT_UNKNOWN
		                                                  : VERDICT_VALID);
		verdicts[r.verdict]++;
		pawl__check_result_deinit(&r);
	}
	assert_true(verdicts[VERDICT_VALID] > 20 && verdicts[VERDICT_INVALID] > 1000);
}

enum fate { ABSENT, STABLE, STALE, LOST, NEVER };

/* The definition, read by read: see set_full.c. */
static enum fate element_fate(const struct made *m, int64_t v)
{
	int64_t added = -1, known = INT64_MAX, present = -1, absent = -1;
	uint32_t i;

	for (i = 0; i < m->rows; i++)
		if (!m->row[i].read && m->row[i].value == v && added < 0)
			added = m->row[i].inv;
	if (added < 0)
		return ABSENT;
	for (i = 0; i < m->rows; i++) {
		const struct row *r = &m->row[i];

		if (r->type != HT_OK || (int64_t)r->ret < added)
			continue;
		if ((r->read ? shows(r, v) > 0 : r->value == v) && r->ret < known)
			known = r->ret;
		if (r->read && shows(r, v) > 0 && r->inv > present)
			present = r->inv;
		if (r->read && shows(r, v) == 0 && r->inv > absent)
			absent = r->inv;
	}
	if (present >= 0 && absent < present)
		return known < absent ? STALE : STABLE;
	return absent >= 0 && known < absent ? LOST : NEVER;
}

static void test_check_set_full__agrees_with_its_definition(void **state)
{
	struct check_options o;
	uint32_t n, i, verdicts[3] = { 0 };
	struct rng rng;
	int64_t v;

	(void)state;
	pawl__check_options_init(&o, MODEL_SET_FULL);
	rng_init(&rng, 3);
	for (n = 0; n < HISTORIES; n++) {
		struct check_result r;
		struct made m;
		uint64_t fates[5] = { 0 }, unexpected = 0, duplicated = 0;
		bool bad;

		set_make(&m, &rng);
		o.linearizable = n % 2 == 0;
		for (v = 0; v < ELEMENTS; v++) {
			bool twice = false;

			fates[element_fate(&m, v)]++;
			for (i = 0; i < m.rows; i++)
				twice = twice || (m.row[i].read && m.row[i].type == HT_OK &&
				                  shows(&m.row[i], v) > 1);
			duplicated += twice;
		}
		for (i = 0; i < m.rows; i++) {
			const struct row *w = &m.row[i];
			uint32_t k, a;

			for (k = 0; w->read && w->type == HT_OK && k < w->seen_len; k++) {
				bool tried = false;

				for (a = 0; a < m.rows; a++)
					tried = tried ||
					        (!m.row[a].read && m.row[a].value == w->seen[k] &&
					         m.row[a].inv < w->ret);
				unexpected += !tried;
			}
		}
		judge_made(&m, "add", set_value, pawl__check_set_full, &o, &r);
		assert_int_equal(count_of(&r, "lost"), fates[LOST]);
		assert_int_equal(count_of(&r, "stale"), fates[STALE]);
		assert_int_equal(count_of(&r, "unexpected"), unexpected);
		assert_true(count_of(&r, "duplicated") <= duplicated);
		assert_true(unexpected > 0 || count_of(&r, "duplicated") == duplicated);
		bad = fates[LOST] + unexpected + count_of(&r, "duplicated") > 0 ||
		      (o.linearizable && fates[STALE] > 0);
		assert_int_equal(r.verdict, bad                                 ? VERDICT_INVALID
		                            : fates[STABLE] + fates[STALE] == 0 ? VERDICT_UNKNOWN
		                                                                : VERDICT_VALID);
		verdicts[r.verdict]++;
		pawl__check_result_deinit(&r);
	}
	assert_true(verdicts[VERDICT_INVALID] > 1000);
}

static void test_check_set_full__good_ones_are_valid(void **state)
{
	static const char good[] = "{:process 0 :type :invoke :f :add :value 1}\n"
				   "{:process 1 :type :invoke :f :read :value nil}\n"
				   "{:process 0 :type :ok :f :add :value 1}\n"
				   "{:process 1 :type :ok :f :read :value #{}}\n"
				   "{:process 1 :type :invoke :f :read :value nil}\n"
				   "{:process 1 :type :ok :f :read :value #{1}}\n";
	static const char none[] = "{:process 0 :type :invoke :f :add :value 1}\n"
				   "{:process 0 :type :info :f :add :value 1}\n"
				   "{:process 1 :type :invoke :f :read :value nil}\n"
				   "{:process 1 :type :ok :f :read :value #{}}\n";
	struct check_options o;
	struct check_result r;
	struct pawl_error err;

	(void)state;
	pawl__check_options_init(&o, MODEL_SET_FULL);
	o.linearizable = true;
	assert_int_equal(judge_text(pawl__check_set_full, good, sizeof(good) - 1, &o, &r, &err),
	                 PAWL_OK);
	assert_int_equal(r.verdict, VERDICT_VALID);
	assert_string_equal(r.notes[0], "1 of 1 elements were there for good, 0 never read");
	pawl__check_result_deinit(&r);
	assert_int_equal(judge_text(pawl__check_set_full, none, sizeof(none) - 1, &o, &r, &err),
	                 PAWL_OK);
	assert_int_equal(r.verdict, VERDICT_UNKNOWN);
	assert_string_equal(r.unknown, "no element came to be there for good");
	pawl__check_result_deinit(&r);
}

static void test_check_sets__keys_are_apart(void **state)
{
	/* 1 was added to a, and b shows it. */
	static const char text[] = "{:process 0 :type :invoke :f :add :key :a :value 1}\n"
				   "{:process 0 :type :ok :f :add :key :a :value 1}\n"
				   "{:process 1 :type :invoke :f :read :key :b :value nil}\n"
				   "{:process 1 :type :ok :f :read :key :b :value [1]}\n"
				   "{:process 1 :type :invoke :f :read :key :a :value nil}\n"
				   "{:process 1 :type :ok :f :read :key :a :value [1]}\n";
	static const checker_fn checkers[] = { pawl__check_set, pawl__check_set_full };
	struct check_options o;
	struct check_result r;
	struct pawl_error err;
	uint32_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(checkers); i++) {
		pawl__check_options_init(&o, MODEL_SET);
		assert_int_equal(judge_text(checkers[i], text, sizeof(text) - 1, &o, &r, &err),
		                 PAWL_OK);
		assert_int_equal(r.verdict, VERDICT_INVALID);
		assert_int_equal(r.anomalies_len, 1);
		assert_int_equal(count_of(&r, "unexpected"), 1);
		pawl__check_result_deinit(&r);
	}
}

/* --- Long fork ------------------------------------------------------------------------------- */

static void fork_value(struct buf *b, const struct row *r, bool done)
{
	uint32_t i;

	put(b, "[");
	if (!r->read) {
		put(b, "[:w ");
		pawl__buf_i64(b, r->value);
		put(b, " 1]");
	}
	for (i = 0; r->read && i < KEYS; i++) {
		/* Groups are the same in any order. */
		const uint32_t k = r->value % 2 == 0 ? i : KEYS - 1 - i;

		put(b, "[:r ");
		pawl__buf_u64(b, k);
		put(b, done && r->seen[k] != 0 ? " 1]" : " nil]");
	}
	put(b, "]");
}

static bool fork_between(const struct row *a, const struct row *b)
{
	bool more = false, less = false;
	uint32_t k;

	for (k = 0; k < KEYS; k++) {
		more = more || (a->seen[k] != 0 && b->seen[k] == 0);
		less = less || (a->seen[k] == 0 && b->seen[k] != 0);
	}
	return more && less;
}

static void test_check_long_fork__agrees_with_every_pair(void **state)
{
	struct check_options o;
	uint32_t n, i, k, writes, verdicts[3] = { 0 };
	struct rng rng;

	(void)state;
	pawl__check_options_init(&o, MODEL_LONG_FORK);
	rng_init(&rng, 4);
	for (n = 0; n < HISTORIES; n++) {
		struct check_result r;
		struct made m;
		bool fork = false, reads = false;

		made_shape(&m, &rng);
		o.group = n % 2 == 0 ? KEYS : 0;
		for (i = writes = 0; i < m.rows; i++) {
			struct row *w = &m.row[i];

			if (!w->read && writes == KEYS)
				w->read = true;
			w->value = w->read ? (int64_t)pawl__rng_below(&rng, 2) : (int64_t)writes++;
			/* Nearly always what a chain of writes would show. */
			for (k = 0; k < KEYS; k++)
				w->seen[k] = (k * 3 < i) != (pawl__rng_below(&rng, 25) == 0);
		}
		for (i = 0; i < m.rows; i++)
			for (k = 0; k < i; k++)
				fork = fork || (m.row[i].read && m.row[k].read &&
				                m.row[i].type == HT_OK && m.row[k].type == HT_OK &&
				                fork_between(&m.row[i], &m.row[k]));
		for (i = 0; i < m.rows; i++)
			reads = reads || (m.row[i].read && m.row[i].type == HT_OK);
		judge_made(&m, "write", fork_value, pawl__check_long_fork, &o, &r);
		assert_int_equal(r.verdict, fork    ? VERDICT_INVALID
		                            : reads ? VERDICT_VALID
		                                    : VERDICT_UNKNOWN);
		assert_int_equal(count_of(&r, "long-fork") > 0, fork);
		verdicts[r.verdict]++;
		pawl__check_result_deinit(&r);
	}
	assert_true(verdicts[VERDICT_VALID] > 500 && verdicts[VERDICT_INVALID] > 500);
}

static void test_check_long_fork__unknown_where_nothing_follows(void **state)
{
	static const char *const texts[] = {
		"{:process 0 :type :invoke :f :write :value [[:w 0 1]]}\n"
		"{:process 0 :type :ok :f :write :value [[:w 0 1]]}\n"
		"{:process 0 :type :invoke :f :write :value [[:w 0 2]]}\n"
		"{:process 0 :type :ok :f :write :value [[:w 0 2]]}\n",
		"{:process 0 :type :invoke :f :read :value [[:r 0 nil] [:r 1 nil] [:r 2 nil]]}\n"
		"{:process 0 :type :ok :f :read :value [[:r 0 nil] [:r 1 1] [:r 2 1]]}\n",
		"{:process 0 :type :invoke :f :read :value [[:r 0 nil] [:r 1 nil]]}\n"
		"{:process 0 :type :ok :f :read :value [[:r 0 1] [:r 1 nil]]}\n"
		"{:process 0 :type :invoke :f :read :value [[:r 0 nil] [:r 1 nil]]}\n"
		"{:process 0 :type :ok :f :read :value [[:r 0 2] [:r 1 nil]]}\n",
	};
	static const char *const says[] = { "writes a key a second time",
		                            "reads a group of another size",
		                            "shows a second value of a key" };
	struct check_options o;
	uint32_t i;

	(void)state;
	pawl__check_options_init(&o, MODEL_LONG_FORK);
	o.group = 2;
	for (i = 0; i < ARRAY_LEN(texts); i++) {
		struct check_result r;
		struct pawl_error err = { 0 };

		assert_int_equal(
			judge_text(pawl__check_long_fork, texts[i], strlen(texts[i]), &o, &r, &err),
			PAWL_OK);
		assert_int_equal(r.verdict, VERDICT_UNKNOWN);
		assert_non_null(strstr(r.unknown, says[i]));
		pawl__check_result_deinit(&r);
	}
}

static void test_files__elle_cli(void **state)
{
	char path[512];
	struct check_options o;

	(void)state;
	pawl__check_options_init(&o, MODEL_SET);
	snprintf(path, sizeof(path), "%s/elle-cli/jepsen/set.edn", histories());
	assert_int_equal(judge_file(pawl__check_set, path, &o), VERDICT_VALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check_bank__names_what_is_wrong),
		cmocka_unit_test(test_check_bank__refuses_other_things),
		cmocka_unit_test(test_check_counter__agrees_with_every_choice),
		cmocka_unit_test(test_check_set__agrees_with_its_definition),
		cmocka_unit_test(test_check_set_full__agrees_with_its_definition),
		cmocka_unit_test(test_check_set_full__good_ones_are_valid),
		cmocka_unit_test(test_check_sets__keys_are_apart),
		cmocka_unit_test(test_check_long_fork__agrees_with_every_pair),
		cmocka_unit_test(test_check_long_fork__unknown_where_nothing_follows),
		cmocka_unit_test(test_files__elle_cli),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
