/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every store that the suite runs against, and what a test starts with: an empty store behind a
 * clock that stands at KIT_START_US, and an engine over it.
 */
#ifndef TEST_CONFORMANCE_STORES_H
#define TEST_CONFORMANCE_STORES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kit.h"

#define STORES_RETENTION_US KIT_DAY

struct store_kind {
	const char *name;
	const char *url; /* %s is the test's directory; none: the store is gone when it is closed */
	const char *env; /* the variable with a server's URL instead (test/rig/servers.py) */
};

extern const struct store_kind store_kinds[];
extern const size_t store_kinds_len;

/* Whether it can be tested here: its server's variable is set, and PAWL_TEST_STORES, if that is
 * set, names it. */
PAWL_MUST_CHECK bool store_kind_here(const struct store_kind *kind);

/* The URL of a server's database that is this process's own; empty it by dropping its schema. */
const char *stores_database(const struct store_kind *kind);
/* One statement on it, for tests that look at the tables from outside; the first value, if any. */
struct server_value {
	char text[256];
};
struct server_value stores_sql(const struct store_kind *kind, const char *sql);

struct fixture {
	const struct store_kind *kind;
	enum engine_mode mode;
	char dir[32];
	struct kit_clock clock;
	struct kit kit;      /* not in tests of the bare store */
	struct store *store; /* behind the clock; borrowed once the engine has it */
	struct kit_read read;
	struct kit_tx tx;
};

/* The kind and the mode that the running group is for. */
extern const struct store_kind *store_kind_now;
extern enum engine_mode engine_mode_now;

/* Of cmocka: *state is the fixture. bare: without an engine. */
int fixture_setup(void **state);
int fixture_setup_bare(void **state);
int fixture_teardown(void **state);

PAWL_MUST_CHECK enum pawl_status fixture_open(struct fixture *f, const struct store_options *o,
                                              struct store **ret, struct pawl_error *err);

/* Close everything and open it again, as the next process would. False: this store can't. */
PAWL_MUST_CHECK bool fixture_reopen(struct fixture *f);

/* Once, before anything else; stores_run does it. */
PAWL_MUST_CHECK bool stores_init(void);

/* Run the tests against every store that is here, in every mode that is asked for; the number of
 * failures. 77: none is. */
int stores_run(const char *suite, const struct CMUnitTest *tests, size_t len, bool with_engine);

/* The same, once on each that several writers may use at a time. */
int stores_run_shared(const char *suite, const struct CMUnitTest *tests, size_t len);

/* Assert that a request is answered so; reset it; op -1 = none. */
void expect_code(const struct kit_answer *a, enum pawl_status code, int32_t op);
void expect_has(const struct kit_answer *a, const char *text);

/* One request that must succeed, and its answer. */
const struct kit_answer *run_ok(struct fixture *f);
/* One request that must be refused so. */
const struct kit_answer *run_refused(struct fixture *f, enum pawl_status code, int32_t op);

/* The account as it is read; asserts that it is there. */
const struct account *read_account(struct fixture *f, const char *id);
void expect_account(struct fixture *f, const char *id, int64_t balance, int64_t held);
/* Every promise that the audit knows. */
void expect_clean(struct fixture *f);

/* Accounts a and b of EUR with floor 0, a has `amount` out of world:EUR. */
void two_accounts(struct fixture *f, int64_t amount);

#endif /* TEST_CONFORMANCE_STORES_H */
