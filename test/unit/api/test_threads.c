/* SPDX-License-Identifier: Apache-2.0 */
/* Many threads, callbacks, and the ends: deadlines, full queues, draining, closing. */
#include "kit.h"

#include <stdatomic.h>
#include <time.h>

#define THREADS 6
#define EACH    60

struct worker {
	struct pawl *p;
	pthread_t thread;
	unsigned number;
	atomic_int done, refused, faults;
};

static void spawn(struct worker w[THREADS], struct pawl *p, void *(*fn)(void *))
{
	for (unsigned i = 0; i < THREADS; i++) {
		w[i].p = p;
		w[i].number = i;
		atomic_init(&w[i].done, 0);
		atomic_init(&w[i].refused, 0);
		atomic_init(&w[i].faults, 0);
		assert_int_equal(pthread_create(&w[i].thread, NULL, fn, &w[i]), 0);
	}
}

static void join(struct worker w[THREADS])
{
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(w[i].thread, NULL), 0);
}

static void count(struct worker *w, enum pawl_status st, const struct pawl_answer *answer)
{
	if (st != PAWL_OK)
		atomic_fetch_add(&w->faults, 1);
	else if (pawl_answer_code(answer) == PAWL_OK)
		atomic_fetch_add(&w->done, 1);
	else
		atomic_fetch_add(&w->refused, 1);
}

/* Every worker sends the same keys as its neighbour: half of all are replays. */
static void *commit_work(void *arg)
{
	struct worker *w = arg;
	struct pawl_tx *tx;

	if (pawl_tx_new(w->p, &tx, NULL) != PAWL_OK)
		return NULL;
	for (int i = 0; i < EACH; i++) {
		struct pawl_answer *answer = NULL;
		enum pawl_status st;
		char key[32];

		(void)snprintf(key, sizeof(key), "k%u-%d", w->number / 2, i);
		pawl_tx_reset(tx);
		(void)pawl_tx_key(tx, key);
		(void)pawl_tx_transfer(tx, "a", "b", 1);
		st = pawl_tx_commit(tx, &answer, NULL);
		count(w, st, answer);
		pawl_answer_free(answer);
	}
	pawl_tx_free(tx);
	return NULL;
}

static void test_commit__many_threads_one_effect_a_key(void **state)
{
	struct worker w[THREADS];

	kit_accounts(*state, 100000);
	spawn(w, *state, commit_work);
	join(w);
	for (unsigned i = 0; i < THREADS; i++) {
		assert_int_equal(w[i].done, EACH);
		assert_int_equal(w[i].faults, 0);
	}
	assert_int_equal(kit_balance(*state, "b"), THREADS / 2 * EACH);
}

/* The last unit is sold once. */
static void *buy_work(void *arg)
{
	static const struct pawl_order_line line = { "last", 1 };
	struct pawl_order order = PAWL_ORDER_INIT;
	struct worker *w = arg;

	order.lines = &line;
	order.lines_len = 1;
	for (int i = 0; i < EACH; i++) {
		struct pawl_answer *answer = NULL;
		enum pawl_status st;

		st = pawl_order_place(w->p, NULL, &order, &answer, NULL);
		count(w, st, answer);
		pawl_answer_free(answer);
	}
	return NULL;
}

static void test_order__the_last_one_is_sold_once(void **state)
{
	struct pawl_item item;
	struct pawl_answer *a;
	struct worker w[THREADS];
	int done = 0, refused = 0;

	assert_int_equal(pawl_item_open(*state, "last", 1, &a, NULL), PAWL_OK);
	pawl_answer_free(a);
	spawn(w, *state, buy_work);
	join(w);
	for (unsigned i = 0; i < THREADS; i++) {
		done += w[i].done;
		refused += w[i].refused;
	}
	assert_int_equal(done, 1);
	assert_int_equal(refused, THREADS * EACH - 1);
	assert_int_equal(pawl_item_get(*state, "last", &item, NULL), PAWL_OK);
	assert_int_equal(item.available, 0);
	assert_int_equal(item.sold, 1);
}

/* A pool of transactions that submit themselves again from their callback. */
struct looper {
	struct pawl_tx *tx;
	struct worker *w;
	int left;
	sem_t *end;
	char text[128];
};

static void looped(void *arg, enum pawl_status st, const struct pawl_answer *answer);

static void loop_submit(struct looper *l)
{
	pawl_tx_reset(l->tx);
	(void)pawl_tx_transfer(l->tx, "a", "b", 1);
	if (pawl_tx_submit(l->tx, looped, l, NULL) != PAWL_OK) {
		atomic_fetch_add(&l->w->faults, 1);
		(void)sem_post(l->end);
	}
}

static void looped(void *arg, enum pawl_status st, const struct pawl_answer *answer)
{
	struct looper *l = arg;

	count(l->w, st, answer);
	if (st == PAWL_OK) /* readable while it lasts */
		(void)snprintf(l->text, sizeof(l->text), "%s", pawl_answer_json(answer, NULL));
	if (--l->left > 0)
		loop_submit(l);
	else
		(void)sem_post(l->end);
}

#define LOOPERS 8

static void *submit_work(void *arg)
{
	struct worker *w = arg;
	struct looper l[LOOPERS] = { { .left = 0 } };
	sem_t end;

	(void)sem_init(&end, 0, 0);
	for (int i = 0; i < LOOPERS; i++) {
		l[i] = (struct looper){ .w = w, .left = EACH, .end = &end };
		if (pawl_tx_new(w->p, &l[i].tx, NULL) != PAWL_OK)
			abort();
		loop_submit(&l[i]);
	}
	for (int i = 0; i < LOOPERS; i++) {
		while (sem_wait(&end) != 0)
			;
	}
	for (int i = 0; i < LOOPERS; i++) {
		if (strncmp(l[i].text, "{\"committed\":true", 17) != 0)
			atomic_fetch_add(&w->faults, 1);
		pawl_tx_free(l[i].tx);
	}
	(void)sem_destroy(&end);
	return NULL;
}

static void test_submit__many_threads_from_callbacks(void **state)
{
	struct worker w[THREADS];

	kit_accounts(*state, 100000);
	spawn(w, *state, submit_work);
	join(w);
	for (unsigned i = 0; i < THREADS; i++) {
		assert_int_equal(w[i].done, LOOPERS * EACH);
		assert_int_equal(w[i].faults, 0);
	}
	assert_int_equal(kit_balance(*state, "b"), THREADS * LOOPERS * EACH);
}

static void free_in_callback(void *arg, enum pawl_status st, const struct pawl_answer *answer)
{
	struct looper *l = arg;

	count(l->w, st, answer);
	pawl_tx_free(l->tx);
	(void)sem_post(l->end);
}

static void test_submit__may_be_freed_in_its_callback(void **state)
{
	struct worker w = { .p = *state };
	struct looper l = { .w = &w };
	sem_t end;

	(void)sem_init(&end, 0, 0);
	l.end = &end;
	l.tx = kit_tx(*state, "k");
	assert_int_equal(pawl_tx_put(l.tx, "r", "1", PAWL_IF_ANY), PAWL_OK);
	assert_int_equal(pawl_tx_submit(l.tx, free_in_callback, &l, NULL), PAWL_OK);
	while (sem_wait(&end) != 0)
		;
	assert_int_equal(w.done, 1);
	(void)sem_destroy(&end);
}

static void test_tx__in_flight_belongs_to_the_engine(void **state)
{
	struct pawl_error err = { .status = PAWL_OK };
	struct pawl_answer *answer = NULL;
	struct worker w = { .p = *state };
	struct looper l = { .w = &w, .left = 1 };
	struct blocker b;
	sem_t end;

	kit_block(&b, *state);
	(void)sem_init(&end, 0, 0);
	l.end = &end;
	l.tx = kit_tx(*state, NULL);
	assert_int_equal(pawl_tx_put(l.tx, "r", "1", PAWL_IF_ANY), PAWL_OK);
	assert_int_equal(pawl_tx_submit(l.tx, looped, &l, NULL), PAWL_OK);
	assert_int_equal(pawl_tx_put(l.tx, "s", "1", PAWL_IF_ANY), PAWL_E_INVALID);
	assert_int_equal(pawl_tx_emit(l.tx, "t", "bad key", "]"), PAWL_E_INVALID);
	assert_int_equal(pawl_tx_item(l.tx, "", -1), PAWL_E_INVALID);
	assert_int_equal(pawl_tx_capture(l.tx, "x", 0, true), PAWL_E_INVALID);
	assert_int_equal(pawl_tx_key(l.tx, "k"), PAWL_E_INVALID);
	assert_int_equal(pawl_tx_deadline(l.tx, 5), PAWL_E_INVALID);
	assert_int_equal(pawl_tx_submit(l.tx, looped, &l, &err), PAWL_E_INVALID);
	assert_int_equal(pawl_tx_commit(l.tx, &answer, &err), PAWL_E_INVALID);
	assert_null(answer);
	kit_unblock(&b);
	while (sem_wait(&end) != 0)
		;
	assert_int_equal(w.done, 1);
	/* What was refused in between was not remembered as wrong. */
	assert_int_equal(pawl_tx_put(l.tx, "s", "1", PAWL_IF_ANY), PAWL_OK);
	assert_int_equal(kit_commit(l.tx), PAWL_OK);
	pawl_tx_free(l.tx);
	pawl_tx_free(b.tx);
	(void)sem_destroy(&end);
}

static int64_t mono_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct told {
	sem_t end;
	enum pawl_status st;
	bool answered;
};

static void tell(void *arg, enum pawl_status st, const struct pawl_answer *answer)
{
	struct told *t = arg;

	t->st = st;
	t->answered = answer != NULL;
	(void)sem_post(&t->end);
}

static void test_deadline__passed_before_the_commit_began(void **state)
{
	struct pawl_record *record = NULL;
	struct blocker b;
	struct told late, early;
	struct pawl_tx *tx, *other;
	int64_t until;

	kit_block(&b, *state);
	(void)sem_init(&late.end, 0, 0);
	(void)sem_init(&early.end, 0, 0);
	tx = kit_tx(*state, "late");
	assert_int_equal(pawl_tx_put(tx, "late", "1", PAWL_IF_ANY), PAWL_OK);
	assert_int_equal(pawl_tx_deadline(tx, 2), PAWL_OK);
	assert_int_equal(pawl_tx_submit(tx, tell, &late, NULL), PAWL_OK);
	other = kit_tx(*state, "early");
	assert_int_equal(pawl_tx_put(other, "early", "1", PAWL_IF_ANY), PAWL_OK);
	assert_int_equal(pawl_tx_deadline(other, 3600000), PAWL_OK);
	assert_int_equal(pawl_tx_submit(other, tell, &early, NULL), PAWL_OK);
	until = mono_ms() + 4;
	while (mono_ms() < until)
		;
	kit_unblock(&b);
	while (sem_wait(&late.end) != 0 || sem_wait(&early.end) != 0)
		;
	assert_int_equal(late.st, PAWL_E_OVERLOADED);
	assert_false(late.answered);
	assert_int_equal(early.st, PAWL_OK);
	/* Nothing was done and nothing is remembered: the same transaction may be sent again. */
	assert_int_equal(pawl_record_get(*state, "late", &record, NULL), PAWL_E_NOT_FOUND);
	assert_int_equal(pawl_tx_deadline(tx, 3600000), PAWL_OK);
	assert_int_equal(kit_commit(tx), PAWL_OK);
	pawl_tx_free(tx);
	pawl_tx_free(other);
	pawl_tx_free(b.tx);
	(void)sem_destroy(&late.end);
	(void)sem_destroy(&early.end);
}

#define QUEUE 3

static void test_submit__a_full_queue_refuses_and_does_nothing(void **state)
{
	struct pawl_options o = PAWL_OPTIONS_INIT;
	struct pawl_error err = { .status = PAWL_OK };
	struct pawl_tx *tx[QUEUE + 1];
	struct told told;
	struct pawl_health h;
	struct blocker b;
	struct pawl *p;

	(void)state;
	o.queue_max = QUEUE;
	assert_int_equal(pawl_open(kit_url(), &o, &p, NULL), PAWL_OK);
	(void)sem_init(&told.end, 0, 0);
	kit_block(&b, p);
	for (int i = 0; i <= QUEUE; i++) {
		tx[i] = kit_tx(p, NULL);
		assert_int_equal(pawl_tx_emit(tx[i], "t", NULL, "1"), PAWL_OK);
		assert_int_equal(pawl_tx_submit(tx[i], tell, &told, &err),
		                 i < QUEUE ? PAWL_OK : PAWL_E_OVERLOADED);
	}
	assert_int_equal(err.status, PAWL_E_OVERLOADED);
	pawl_health(p, &h);
	assert_int_equal(h.queued, QUEUE);
	kit_unblock(&b);
	for (int i = 0; i < QUEUE; i++) {
		while (sem_wait(&told.end) != 0)
			;
	}
	assert_int_equal(kit_commit(tx[QUEUE]), PAWL_OK);
	for (int i = 0; i <= QUEUE; i++)
		pawl_tx_free(tx[i]);
	pawl_tx_free(b.tx);
	pawl_close(p);
	(void)sem_destroy(&told.end);
}

static void *close_work(void *arg)
{
	pawl_close(arg);
	return NULL;
}

struct committer {
	struct pawl_tx *tx;
	pthread_t thread;
	enum pawl_status st, code;
};

static void *commit_one(void *arg)
{
	struct committer *c = arg;
	struct pawl_answer *answer = NULL;

	c->st = pawl_tx_commit(c->tx, &answer, NULL);
	c->code = c->st == PAWL_OK ? pawl_answer_code(answer) : c->st;
	pawl_answer_free(answer);
	return NULL;
}

#define FLYING 32

/* While the lane is held up, requests of both kinds pile up; then the handle is closed. */
static void test_close__answers_what_is_in_flight(void **state)
{
	struct committer c[THREADS];
	struct told told[FLYING];
	struct pawl_tx *tx[FLYING];
	struct blocker b;
	struct pawl_health h;
	struct pawl *p;
	pthread_t closer;

	(void)state;
	assert_int_equal(pawl_open(kit_url(), NULL, &p, NULL), PAWL_OK);
	kit_accounts(p, 100);
	kit_block(&b, p);
	for (int i = 0; i < FLYING; i++) {
		(void)sem_init(&told[i].end, 0, 0);
		tx[i] = kit_tx(p, NULL);
		assert_int_equal(pawl_tx_transfer(tx[i], "a", "b", 1), PAWL_OK);
		assert_int_equal(pawl_tx_submit(tx[i], tell, &told[i], NULL), PAWL_OK);
	}
	for (int i = 0; i < THREADS; i++) {
		c[i] = (struct committer){ .tx = kit_tx(p, NULL) };
		assert_int_equal(pawl_tx_transfer(c[i].tx, "a", "b", 1), PAWL_OK);
		assert_int_equal(pthread_create(&c[i].thread, NULL, commit_one, &c[i]), 0);
	}
	do /* until all of them wait for the lane */
		pawl_health(p, &h);
	while (h.queued < FLYING + THREADS);
	assert_int_equal(pthread_create(&closer, NULL, close_work, p), 0);
	kit_unblock(&b);
	assert_int_equal(pthread_join(closer, NULL), 0);
	for (int i = 0; i < FLYING; i++) {
		assert_int_equal(sem_trywait(&told[i].end), 0); /* before close returned */
		assert_int_equal(told[i].st, PAWL_OK);
		pawl_tx_free(tx[i]);
		(void)sem_destroy(&told[i].end);
	}
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(c[i].thread, NULL), 0);
		assert_int_equal(c[i].code, PAWL_OK);
		pawl_tx_free(c[i].tx);
	}
	pawl_tx_free(b.tx);
}

/* Submits from its callback until it is refused: what closing does to a loop. */
static void until_refused(void *arg, enum pawl_status st, const struct pawl_answer *answer)
{
	struct looper *l = arg;

	(void)answer;
	if (st == PAWL_OK)
		st = pawl_tx_submit(l->tx, until_refused, l, NULL);
	if (st == PAWL_OK)
		return;
	l->left = (int)st;
	(void)sem_post(l->end);
}

static void test_close__ends_loops_of_callbacks(void **state)
{
	struct looper l = { .left = 0 };
	struct pawl *p;
	sem_t end;

	(void)state;
	assert_int_equal(pawl_open(kit_url(), NULL, &p, NULL), PAWL_OK);
	(void)sem_init(&end, 0, 0);
	l.end = &end;
	l.tx = kit_tx(p, NULL);
	assert_int_equal(pawl_tx_emit(l.tx, "t", NULL, "1"), PAWL_OK);
	assert_int_equal(pawl_tx_submit(l.tx, until_refused, &l, NULL), PAWL_OK);
	pawl_close(p);
	assert_int_equal(sem_trywait(&end), 0);
	assert_int_equal(l.left, PAWL_E_DRAINING);
	pawl_tx_free(l.tx);
	(void)sem_destroy(&end);
}

/* Reads, the audit and writes at the same time. */
static void *read_work(void *arg)
{
	struct worker *w = arg;

	for (int i = 0; i < EACH; i++) {
		struct pawl_account a, b;
		struct pawl_audit audit;

		if (pawl_account_get(w->p, "a", &a, NULL) != PAWL_OK ||
		    pawl_account_get(w->p, "b", &b, NULL) != PAWL_OK || a.balance < 0)
			atomic_fetch_add(&w->faults, 1);
		if (i % 20 == 0 &&
		    (pawl_verify(w->p, NULL, NULL, &audit, NULL) != PAWL_OK || audit.drifts != 0))
			atomic_fetch_add(&w->faults, 1);
	}
	return NULL;
}

static void *mixed_work(void *arg)
{
	const struct worker *w = arg;

	return w->number % 2 == 0 ? read_work(arg) : commit_work(arg);
}

static void test_reads__beside_writes(void **state)
{
	struct worker w[THREADS];

	kit_accounts(*state, 100000);
	spawn(w, *state, mixed_work);
	join(w);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(w[i].faults, 0);
	assert_int_equal(kit_balance(*state, "b"), THREADS / 2 * EACH);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, kit_setup, kit_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(test_commit__many_threads_one_effect_a_key),
		WITH_STORE(test_order__the_last_one_is_sold_once),
		WITH_STORE(test_submit__many_threads_from_callbacks),
		WITH_STORE(test_submit__may_be_freed_in_its_callback),
		WITH_STORE(test_tx__in_flight_belongs_to_the_engine),
		WITH_STORE(test_deadline__passed_before_the_commit_began),
		cmocka_unit_test(test_submit__a_full_queue_refuses_and_does_nothing),
		cmocka_unit_test(test_close__answers_what_is_in_flight),
		cmocka_unit_test(test_close__ends_loops_of_callbacks),
		WITH_STORE(test_reads__beside_writes),
	};

	kit_init(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
