/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads of one program that commit the same transaction under the same key, all at the same
 * moment, through libpawl: one effect, and the same bytes for everybody. Public headers only.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <pawl/pawl.h>

#define THREADS  50
#define EACH     20 /* commits of a thread */
#define BODY_MAX 512

struct sender {
	struct pawl *p;
	pthread_barrier_t *start;
	const char *key;
	int64_t amount;
	enum pawl_status expected; /* of every answer */
	int fresh;                 /* answers that are no replay */
	int wrong;                 /* answers that are not as expected, or not all the same */
	char body[BODY_MAX];       /* the first answer's */
};

static struct pawl_answer *commit(const struct sender *s)
{
	struct pawl_answer *a = NULL;
	struct pawl_error err;
	struct pawl_tx *tx;

	if (pawl_tx_new(s->p, &tx, &err) != PAWL_OK)
		return NULL;
	(void)pawl_tx_key(tx, s->key);
	(void)pawl_tx_transfer(tx, "world:EUR", "user:ada", s->amount);
	if (pawl_tx_commit(tx, &a, &err) != PAWL_OK)
		a = NULL;
	pawl_tx_free(tx);
	return a;
}

static void *send_all(void *arg)
{
	struct sender *s = arg;

	(void)pthread_barrier_wait(s->start);
	for (int i = 0; i < EACH; i++) {
		struct pawl_answer *a = commit(s);
		const char *body = a != NULL ? pawl_answer_json(a, NULL) : NULL;

		if (body == NULL || pawl_answer_code(a) != s->expected) {
			s->wrong++;
		} else {
			s->fresh += !pawl_answer_replayed(a);
			if (i == 0)
				(void)snprintf(s->body, sizeof(s->body), "%s", body);
			s->wrong += strcmp(s->body, body) != 0;
		}
		pawl_answer_free(a);
	}
	return NULL;
}

/* All threads at once; thread i as from[i]. */
static void race(struct sender from[THREADS])
{
	pthread_barrier_t start;
	pthread_t thread[THREADS];

	assert_int_equal(pthread_barrier_init(&start, NULL, THREADS), 0);
	for (int i = 0; i < THREADS; i++) {
		from[i].start = &start;
		assert_int_equal(pthread_create(&thread[i], NULL, send_all, &from[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
	assert_int_equal(pthread_barrier_destroy(&start), 0);
}

static int64_t balance(struct pawl *p)
{
	struct pawl_account a;
	struct pawl_error err;

	assert_int_equal(pawl_account_get(p, "user:ada", &a, &err), PAWL_OK);
	return a.balance;
}

static void setup(struct pawl **ret)
{
	struct pawl_answer *a;
	struct pawl_error err;

	assert_int_equal(pawl_open("memory:", NULL, ret, &err), PAWL_OK);
	assert_int_equal(pawl_account_open(*ret, "user:ada", "EUR", 0, &a, &err), PAWL_OK);
	pawl_answer_free(a);
}

static void test_tx_commit__same_key_from_many_threads_has_one_effect(void **state)
{
	static struct sender from[THREADS];
	struct pawl *p;
	int fresh = 0;

	(void)state;
	setup(&p);
	for (int i = 0; i < THREADS; i++)
		from[i] = (struct sender){ .p = p, .key = "one", .amount = 7 };
	race(from);
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(from[i].wrong, 0);
		assert_string_equal(from[i].body, from[0].body);
		fresh += from[i].fresh;
	}
	assert_int_equal(fresh, 1);
	assert_int_equal(balance(p), 7);
	pawl_close(p);
}

static void test_tx_commit__same_key_other_operations_is_refused_to_all(void **state)
{
	static struct sender from[THREADS];
	struct pawl_answer *first;
	struct pawl *p;

	(void)state;
	setup(&p);
	first = commit(&(struct sender){ .p = p, .key = "one", .amount = 7 });
	assert_non_null(first);
	for (int i = 0; i < THREADS; i++)
		from[i] = (struct sender){
			.p = p, .key = "one", .amount = 8, .expected = PAWL_E_KEY_REUSED
		};
	race(from);
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(from[i].wrong, 0);
		assert_int_equal(from[i].fresh, EACH);
		assert_null(strstr(from[i].body, "results"));
	}
	assert_int_equal(balance(p), 7);
	pawl_answer_free(first);
	pawl_close(p);
}

/* Two requests fight for one key: one of them is the request from then on. */
static void test_tx_commit__two_requests_one_key_one_wins_for_good(void **state)
{
	static struct sender from[THREADS];
	struct pawl *p;
	int64_t won;

	(void)state;
	setup(&p);
	for (int i = 0; i < THREADS; i++)
		from[i] = (struct sender){ .p = p, .key = "one", .amount = 1 + i % 2 };
	race(from);
	won = balance(p);
	assert_true(won == 1 || won == 2);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(from[i].wrong, from[i].amount == won ? 0 : EACH);
	pawl_close(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tx_commit__same_key_from_many_threads_has_one_effect),
		cmocka_unit_test(test_tx_commit__same_key_other_operations_is_refused_to_all),
		cmocka_unit_test(test_tx_commit__two_requests_one_key_one_wins_for_good),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
