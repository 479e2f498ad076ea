/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bank - threads that transfer at random between a few accounts, each transfer under a key and sent
 * until its answer is known. Whatever they do, no money appears or vanishes.
 *
 *     cc bank.c $(pkg-config --cflags --libs pawl) -pthread -o bank
 *     ./bank sqlite:bank.db
 */
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <pawl/pawl.h>

#define ACCOUNTS  10
#define THREADS   8
#define TRANSFERS 250 /* a thread */
#define OPENING   1000
#define TRIES_MAX 100

struct worker {
	struct pawl *p;
	pthread_t thread;
	unsigned number;
	int64_t run; /* tells the keys of this run from those of earlier ones on the same store */
	int64_t done, refused, replayed, faults;
};

static void account_name(char name[16], unsigned i)
{
	(void)snprintf(name, 16, "user:%u", i);
}

static unsigned next(uint32_t *state) /* xorshift, G. Marsaglia 2003 */
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* Until the answer is known. After a fault nothing was done, or it is not known whether: either way
 * the same key makes it safe to ask again. */
static enum pawl_status commit(struct pawl_tx *tx, struct pawl_answer **ret, struct pawl_error *err)
{
	enum pawl_status st = PAWL_OK;

	for (int tries = 1; tries <= TRIES_MAX; tries++) {
		st = pawl_tx_commit(tx, ret, err);
		if (st == PAWL_OK || pawl_status_retry(st) == PAWL_RETRY_NEVER)
			break;
		(void)poll(NULL, 0, tries); /* that many milliseconds */
	}
	return st;
}

static void transfer(struct worker *w, struct pawl_tx *tx, unsigned i, uint32_t *random)
{
	const unsigned from = next(random) % ACCOUNTS;
	const unsigned to = (from + 1 + next(random) % (ACCOUNTS - 1)) % ACCOUNTS;
	char key[64], from_name[16], to_name[16];
	struct pawl_answer *answer;
	struct pawl_error err;

	account_name(from_name, from);
	account_name(to_name, to);
	(void)snprintf(key, sizeof(key), "bank-%" PRId64 "-%u-%u", w->run, w->number, i);
	pawl_tx_reset(tx);
	(void)pawl_tx_key(tx, key); /* a wrong argument comes out of the commit */
	(void)pawl_tx_transfer(tx, from_name, to_name, 1 + next(random) % 400);
	/* Every fifth is sent twice, as a client does whose first answer got lost. */
	for (unsigned send = 0; send < (i % 5 == 0 ? 2U : 1U); send++) {
		if (commit(tx, &answer, &err) != PAWL_OK) {
			(void)fprintf(stderr, "bank: %s\n", err.text);
			w->faults++;
			return;
		}
		w->replayed += pawl_answer_replayed(answer);
		if (send == 0) {
			w->done += pawl_answer_code(answer) == PAWL_OK;
			w->refused += pawl_answer_code(answer) == PAWL_E_INSUFFICIENT;
		}
		pawl_answer_free(answer);
	}
}

static void *work(void *arg)
{
	struct worker *w = (struct worker *)arg;
	uint32_t random = 2463534242U + w->number;
	struct pawl_error err;
	struct pawl_tx *tx;

	if (pawl_tx_new(w->p, &tx, &err) != PAWL_OK) {
		w->faults++;
		return NULL;
	}
	for (unsigned i = 0; i < TRANSFERS; i++)
		transfer(w, tx, i, &random);
	pawl_tx_free(tx);
	return NULL;
}

/* An account and its first money, once however often the program is run. */
static int open_account(struct pawl *p, struct pawl_tx *tx, unsigned i, struct pawl_error *err)
{
	struct pawl_answer *answer;
	char name[16], key[32];
	int ok;

	account_name(name, i);
	if (pawl_account_open(p, name, "EUR", 0, &answer, err) != PAWL_OK)
		return 0;
	pawl_answer_free(answer);
	(void)snprintf(key, sizeof(key), "bank-open-%u", i);
	pawl_tx_reset(tx);
	(void)pawl_tx_key(tx, key);
	(void)pawl_tx_transfer(tx, "world:EUR", name, OPENING);
	if (commit(tx, &answer, err) != PAWL_OK)
		return 0;
	ok = pawl_answer_code(answer) == PAWL_OK;
	pawl_answer_free(answer);
	return ok;
}

static int open_accounts(struct pawl *p)
{
	struct pawl_error err;
	struct pawl_tx *tx;
	int ok = 1;

	if (pawl_tx_new(p, &tx, &err) != PAWL_OK)
		return 0;
	for (unsigned i = 0; i < ACCOUNTS && ok; i++)
		ok = open_account(p, tx, i, &err);
	pawl_tx_free(tx);
	return ok;
}

static int print_sum(struct pawl *p)
{
	struct pawl_account a;
	struct pawl_error err;
	int64_t sum = 0;
	char name[16];

	for (unsigned i = 0; i < ACCOUNTS; i++) {
		account_name(name, i);
		if (pawl_account_get(p, name, &a, &err) != PAWL_OK || a.balance < 0)
			return 0;
		sum += a.balance;
	}
	(void)printf("sum      %" PRId64 " (put in: %d)\n", sum, ACCOUNTS * OPENING);
	return sum == (int64_t)ACCOUNTS * OPENING;
}

static void drift(void *arg, const char *check, const char *text)
{
	(void)arg;
	(void)printf("DRIFT    %s: %s\n", check, text);
}

static int print_verify(struct pawl *p)
{
	struct pawl_audit audit;
	struct pawl_error err;

	if (pawl_verify(p, drift, NULL, &audit, &err) != PAWL_OK) {
		(void)fprintf(stderr, "bank: %s\n", err.text);
		return 0;
	}
	(void)printf("verify   %" PRId64 " accounts, %" PRId64 " transfers, %" PRId64 " drifts\n",
	             audit.accounts, audit.transfers, audit.drifts);
	return audit.drifts == 0;
}

static int64_t run_number(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int run(struct pawl *p)
{
	struct worker w[THREADS] = { { NULL, 0, 0, 0, 0, 0, 0, 0 } };
	int64_t done = 0, refused = 0, replayed = 0, faults = 0;
	unsigned started = 0;
	int sound;

	if (!open_accounts(p))
		return 0;
	for (unsigned i = 0; i < THREADS; i++) {
		w[i].p = p;
		w[i].number = i;
		w[i].run = run_number();
		if (pthread_create(&w[i].thread, NULL, work, &w[i]) != 0)
			break;
		started++;
	}
	for (unsigned i = 0; i < started; i++) {
		(void)pthread_join(w[i].thread, NULL);
		done += w[i].done;
		refused += w[i].refused;
		replayed += w[i].replayed;
		faults += w[i].faults;
	}
	(void)printf("done     %" PRId64 "\nrefused  %" PRId64 " (not enough money)\n", done,
	             refused);
	(void)printf("replayed %" PRId64 " (sent twice, done once)\n", replayed);
	sound = print_sum(p);
	return print_verify(p) && sound && faults == 0 && started == THREADS &&
	       done + refused == (int64_t)THREADS * TRANSFERS;
}

int main(int argc, char **argv)
{
	const char *url = argc > 1 ? argv[1] : "memory:";
	struct pawl_error err;
	struct pawl *p;
	int sound;

	if (pawl_open(url, NULL, &p, &err) != PAWL_OK) {
		(void)fprintf(stderr, "bank: cannot open the store: %s\n", err.text);
		return pawl_status_exit(err.status);
	}
	sound = run(p);
	pawl_close(p);
	(void)puts(sound ? "the books balance" : "THE BOOKS DO NOT BALANCE");
	return sound ? EXIT_SUCCESS : EXIT_FAILURE;
}
