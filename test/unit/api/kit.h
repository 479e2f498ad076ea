/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of libpawl share: a store of the test's own, in memory or, with "sqlite" as the
 * program's argument, in a directory that is removed; and short forms of what must succeed.
 */
#ifndef TEST_API_KIT_H
#define TEST_API_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pawl/pawl.h"

/* Call first in main(). */
void kit_init(int argc, char **argv);

/* Set-up and tear-down of a test: *state is a struct pawl. */
int kit_setup(void **state);
int kit_teardown(void **state);

/* The URL of a store that no other test has used. */
const char *kit_url(void);
bool kit_durable(void);

/* For what asks a store to be there again after it was closed. */
#define KIT_NEEDS_DURABLE()                                                                        \
	do {                                                                                       \
		if (!kit_durable()) {                                                              \
			print_message("skipped: memory: is another store each time\n");            \
			skip();                                                                    \
		}                                                                                  \
	} while (0)

/* Commit: the answer's code, or the fault. The answer is freed. */
enum pawl_status kit_commit(struct pawl_tx *tx);
struct pawl_answer *kit_answer(struct pawl_tx *tx);
struct pawl_tx *kit_tx(struct pawl *p, const char *key);

/* Accounts a and b in EUR with a floor of 0, and money in a. */
void kit_accounts(struct pawl *p, int64_t in_a);
int64_t kit_balance(struct pawl *p, const char *id);

/* A text of len times c; one at a time. */
const char *kit_text(char c, size_t len);

/* Holds the lane up: submit a transaction whose callback waits until kit_unblock. */
struct blocker {
	sem_t entered, release;
	struct pawl_tx *tx;
};

void kit_block(struct blocker *b, struct pawl *p);
void kit_unblock(struct blocker *b);

#endif /* TEST_API_KIT_H */
