/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/assert.h"
#include "race/builtin/step.h"

const char *const pawl__store_names[STORES] = { "sqlite", "postgresql", "redis", "pawl" };

const struct strategy_info pawl__strategies[STRATEGIES] = {
	[STRATEGY_NAIVE] = { "naive", "reads, decides, writes: others do the same in between",
	                     true },
	[STRATEGY_TRANSACTION] = { "transaction",
	                           "the same between BEGIN and COMMIT, read committed: both read "
	                           "the "
	                           "old row, the second write wins",
	                           true },
	[STRATEGY_MUTEX] = { "mutex",
	                     "one mutex in one process: right, one at a time, and only for as long "
	                     "as "
	                     "there is one process",
	                     false },
	[STRATEGY_MUTEX_2] = { "mutex-2",
	                       "a mutex in each of two processes: they know nothing of each other",
	                       true },
	[STRATEGY_ROW_LOCK] = { "row-lock",
	                        "SELECT FOR UPDATE: the others wait for the row, also while this "
	                        "one "
	                        "thinks",
	                        false },
	[STRATEGY_PARENT_LOCK] = { "parent-lock",
	                           "locks the row that stands for the whole: right, and everybody "
	                           "queues there",
	                           false },
	[STRATEGY_NOWAIT] = { "nowait",
	                      "FOR UPDATE NOWAIT: an error at once instead of a queue, and "
	                      "the application asks again",
	                      false },
	[STRATEGY_SKIP_LOCKED] = { "skip-locked",
	                           "a row for each unit, FOR UPDATE SKIP LOCKED: nobody waits for "
	                           "anybody; wants one row for each unit",
	                           false },
	[STRATEGY_OPTIMISTIC] = { "optimistic",
	                          "writes only over the version it has read, else reads again: no "
	                          "lock, many retries where many want the same",
	                          false },
	[STRATEGY_ATOMIC] = { "atomic",
	                      "condition and change in one statement: nothing is read that could "
	                      "grow "
	                      "old",
	                      false },
	[STRATEGY_CONSTRAINT] = { "constraint",
	                          "the database refuses the second: a rule of the table, not of "
	                          "the "
	                          "code",
	                          false },
	[STRATEGY_REPEATABLE_READ] = { "repeatable-read",
	                               "snapshot, and retry when somebody else was first: right "
	                               "for "
	                               "the row that is written",
	                               false },
	[STRATEGY_SERIALIZABLE] = { "serializable",
	                            "the database finds the conflict and refuses one: right for "
	                            "everything, if refused transactions are tried again",
	                            false },
	[STRATEGY_REDIS_LOCK] = { "redis-lock",
	                          "SET NX PX, compare-and-delete: right while nobody outlives his "
	                          "lease; a round trip more for every try",
	                          false },
	[STRATEGY_REDIS_LUA] = { "redis-lua", "a script runs alone in Redis: one round trip",
	                         false },
	[STRATEGY_SESSION] = { "session", "a session for each unit of work, ended with it", false },
	[STRATEGY_RETRY] = { "retry",
	                     "the same, tried again by whoever was made the victim: works, and "
	                     "waits "
	                     "for the deadlock to be found each time",
	                     false },
	[STRATEGY_ORDERED] = { "ordered",
	                       "everybody takes the lower row first: no circle can close", false },
	[STRATEGY_INVALIDATE] = { "invalidate",
	                          "the writer empties the cache of its own process: the other ones "
	                          "keep theirs",
	                          true },
	[STRATEGY_NO_CACHE] = { "no-cache", "asks every time: never old, a query for each read",
	                        false },
	[STRATEGY_PUBLISH_FIRST] = { "publish-first",
	                             "tells the broker before it is sure: what is then refused was "
	                             "told all the same",
	                             true },
	[STRATEGY_OUTBOX] = { "outbox",
	                      "the event is a row of the same transaction; a relay tells the "
	                      "broker",
	                      false },
	[STRATEGY_FENCED] = { "fenced",
	                      "every holder has a higher token, and what is guarded refuses a "
	                      "lower "
	                      "one: a lease may run out, the write cannot",
	                      false },
	[STRATEGY_PAWL] = { "pawl", "one request: decided and committed as one", false },
};

enum strategy pawl__strategy_find(const char *name)
{
	int i = 0;

	while (i < STRATEGIES && strcmp(pawl__strategies[i].name, name) != 0)
		i++;
	return (enum strategy)i;
}

const struct incident *pawl__incident_find(const char *name)
{
	for (const struct incident *const *p = pawl__incidents; *p != NULL; p++) {
		if (strcmp((*p)->name, name) == 0)
			return *p;
	}
	return NULL;
}

const struct parts *pawl__incident_parts(const struct incident *incident, enum store_kind store)
{
	for (const struct parts *p = incident->parts; p->stores != 0; p++) {
		if ((p->stores & BIT(store)) != 0)
			return p;
	}
	return NULL;
}

/* ---- A program from parts ---- */

struct maker {
	struct program *program;
	size_t len;
};

static void put(struct maker *k, struct step s)
{
	INVARIANT(k->len + 1 < PROGRAM_STEPS_MAX);
	k->program->steps[k->len++] = s;
}

static void put_all(struct maker *k, const struct step *steps)
{
	for (; steps->op != STEP_END; steps++)
		put(k, *steps);
}

static void put_run(struct maker *k, const char *text)
{
	put(k, (struct step)RUN(text));
}

static bool lockable(const struct step *steps)
{
	for (; steps != NULL && steps->op != STEP_END; steps++) {
		if (steps->text != NULL && strstr(steps->text, "{L}") != NULL)
			return true;
	}
	return false;
}

static size_t statements(const struct step *steps)
{
	size_t n = 0;

	for (; steps != NULL && steps->op != STEP_END; steps++)
		n += steps->op == STEP_ASK;
	return n;
}

static void put_naive(struct maker *k, const struct parts *p)
{
	put_all(k, p->read);
	put(k, (struct step)THINK);
	put_all(k, p->write);
}

static void put_between(struct maker *k, const struct parts *p, const char *begin)
{
	put_run(k, begin);
	put_naive(k, p);
	put_run(k, "COMMIT");
}

static void put_redis_lock(struct maker *k, const struct parts *p)
{
	static const struct step take[] = {
		SIDE("SET pawl_race:lock {t} NX PX 10000"),
		RETRY_IF("{n} = 0"),
		ARM,
		END,
	};
	static const struct step give[] = {
		FINALLY,
		SIDE("EVAL 'if redis.call(\"GET\", KEYS[1]) == ARGV[1] then return "
		     "redis.call(\"DEL\", KEYS[1]) end return 0' 1 pawl_race:lock {t}"),
		END,
	};

	put_all(k, take);
	put_naive(k, p);
	put_all(k, give);
	k->program->side = true;
}

static void put_optimistic(struct maker *k, const struct parts *p, enum store_kind store)
{
	if (store == STORE_REDIS)
		put_run(k, p->watch);
	put_all(k, p->read);
	put(k, (struct step)THINK);
	switch (store) {
	case STORE_REDIS:
		put_run(k, "MULTI");
		put_all(k, p->write);
		put_run(k, "EXEC");
		put(k, (struct step)RETRY_IF("{n} = 0"));
		return;
	case STORE_HTTP:
		put_all(k, p->versioned);
		return;
	case STORE_SQLITE:
	case STORE_PG:
		break;
	}
	put_run(k, store == STORE_SQLITE ? "BEGIN IMMEDIATE" : "BEGIN");
	put_all(k, p->versioned);
	put_run(k, "COMMIT");
}

static void put_atomic(struct maker *k, const struct parts *p, enum store_kind store)
{
	const bool several = statements(p->atomic) > 1 && store <= STORE_PG;

	if (several)
		put_run(k, store == STORE_SQLITE ? "BEGIN IMMEDIATE" : "BEGIN");
	put_all(k, p->atomic);
	if (several)
		put_run(k, "COMMIT");
}

/* On SQL stores, what stands around the naive steps; NULL: that strategy is not made so. */
static const char *begin_of(enum store_kind store, enum strategy s)
{
	static const struct {
		enum strategy strategy;
		const char *sqlite, *pg;
	} rows[] = {
		{ STRATEGY_TRANSACTION, "BEGIN", "BEGIN" },
		{ STRATEGY_ROW_LOCK, "BEGIN IMMEDIATE", "BEGIN" },
		{ STRATEGY_NOWAIT, NULL, "BEGIN" },
		{ STRATEGY_REPEATABLE_READ, NULL, "BEGIN ISOLATION LEVEL REPEATABLE READ" },
		{ STRATEGY_SERIALIZABLE, "BEGIN", "BEGIN ISOLATION LEVEL SERIALIZABLE" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows) && store <= STORE_PG; i++) {
		if (rows[i].strategy == s)
			return store == STORE_PG ? rows[i].pg : rows[i].sqlite;
	}
	return NULL;
}

/* Those made of read and write. */
static bool make_naive(struct maker *k, const struct parts *p, enum store_kind store,
                       enum strategy s)
{
	const char *start = begin_of(store, s);
	const bool locks = s == STRATEGY_ROW_LOCK || s == STRATEGY_NOWAIT;

	if (p->read == NULL || p->write == NULL || (locks && !lockable(p->read)))
		return false;
	if (s == STRATEGY_MUTEX || s == STRATEGY_MUTEX_2)
		put(k, (struct step)LOCK(s == STRATEGY_MUTEX ? "0" : "{p}"));
	if (s == STRATEGY_NAIVE || s == STRATEGY_MUTEX || s == STRATEGY_MUTEX_2) {
		put_naive(k, p);
	} else if (s == STRATEGY_REDIS_LOCK && store != STORE_HTTP) {
		put_redis_lock(k, p);
	} else if (start != NULL) {
		k->program->once = s == STRATEGY_TRANSACTION && store == STORE_SQLITE;
		if (locks && store == STORE_PG)
			k->program->lock =
				s == STRATEGY_NOWAIT ? " FOR UPDATE NOWAIT" : " FOR UPDATE";
		put_between(k, p, start);
	} else {
		return false;
	}
	return true;
}

/* What each strategy is made of; false: something of it is not there, or only specials have it. */
static bool make(struct maker *k, const struct parts *p, enum store_kind store, enum strategy s)
{
	if (s == STRATEGY_OPTIMISTIC) {
		if (p->read == NULL ||
		    (store == STORE_REDIS ? p->watch == NULL : p->versioned == NULL))
			return false;
		put_optimistic(k, p, store);
		return true;
	}
	if (s == STRATEGY_ATOMIC || s == STRATEGY_PAWL) {
		if (p->atomic == NULL || (s == STRATEGY_PAWL) != (store == STORE_HTTP))
			return false;
		put_atomic(k, p, store);
		return true;
	}
	if (s == STRATEGY_REDIS_LUA) {
		if (p->lua != NULL)
			put_all(k, p->lua);
		return p->lua != NULL;
	}
	return make_naive(k, p, store, s);
}

static const struct special *special_find(const struct parts *p, enum store_kind store,
                                          enum strategy strategy)
{
	for (const struct special *s = p->specials; s != NULL && s->steps != NULL; s++) {
		if (s->strategy == strategy && (s->stores == 0 || (s->stores & BIT(store)) != 0))
			return s;
	}
	return NULL;
}

static bool has_side(const struct step *steps)
{
	for (; steps->op != STEP_END; steps++) {
		if ((steps->flags & STEP_SIDE) != 0)
			return true;
	}
	return false;
}

/* SQLite's words for what other databases do with rows. */
static const char *why_sqlite(enum strategy s)
{
	static const char *const whys[STRATEGIES] = {
		[STRATEGY_ROW_LOCK] = "BEGIN IMMEDIATE: there are no row locks, the whole file is "
				      "taken, also while this one thinks",
		[STRATEGY_TRANSACTION] = "BEGIN, without retry: a read that has grown old may not "
					 "become a write, the client gets \"database is locked\"",
		[STRATEGY_SERIALIZABLE] = "BEGIN, and retry when it was busy: SQLite is always "
					  "serializable, the retries are what it costs",
	};

	return whys[s];
}

bool pawl__program_make(const struct parts *parts, enum store_kind store, enum strategy strategy,
                        struct program *ret)
{
	const struct special *special = special_find(parts, store, strategy);
	const char *why = store == STORE_SQLITE ? why_sqlite(strategy) : NULL;
	struct maker k = { .program = ret };

	*ret = (struct program){ .strategy = strategy, .lock = "", .other = parts->other };
	if (special != NULL) {
		put_all(&k, special->steps);
		ret->once = special->once;
		ret->shared = special->shared;
		if (special->other != NULL)
			ret->other = special->other;
		why = special->why;
	} else if ((parts->without & BIT(strategy)) != 0 || !make(&k, parts, store, strategy)) {
		return false;
	}
	put(&k, (struct step)END);
	ret->side = has_side(ret->steps);
	ret->why = why != NULL ? why : pawl__strategies[strategy].why;
	ret->wrong = pawl__strategies[strategy].wrong || (parts->wrong & BIT(strategy)) != 0 ||
	             (special != NULL && special->wrong);
	if (strategy == STRATEGY_TRANSACTION && store == STORE_SQLITE)
		ret->wrong = false;
	return true;
}
