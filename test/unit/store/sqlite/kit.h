/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the SQLite store are written with: a directory of their own, and batches put
 * together by hand, without an engine.
 */
#ifndef TEST_STORE_SQLITE_KIT_H
#define TEST_STORE_SQLITE_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/ws.h"
#include "store/sqlite/sqlite.h"
#include "store/store.h"

#define KIT_START_US INT64_C(4000000000000000) /* in 2096: the store's own clock is behind it */

struct kit {
	char dir[64];
	char path[96];
	char url[112];
	struct store_options opt;
	struct answers_tuning tuning;
	bool tuned;
	struct store *store;
	struct arena arena;
	struct ws ws;
	struct pawl_error err;
};

/* cmocka's setup and teardown: *state is a struct kit with an empty directory; nothing is open. */
int kit_setup(void **state);
int kit_teardown(void **state);

void kit_open(struct kit *k);
void kit_close(struct kit *k);
enum pawl_status kit_try_open(struct kit *k, struct store **ret);

/* Begin a batch at now_us. */
void kit_begin(struct kit *k, int64_t now_us);
void kit_load(struct kit *k);
/* Flush and commit; both must go well. */
void kit_commit(struct kit *k);
/* Flush must fail with this status; rolls back. */
void kit_flush_fails(struct kit *k, enum pawl_status expected);
void kit_rollback(struct kit *k);

struct ws_entry *kit_account(struct kit *k, const char *id);
/* Change the account, creating it with this unit. */
void kit_post(struct kit *k, struct ws_entry *e, const char *unit, int64_t amount);
void kit_transfer(struct kit *k, struct ws_entry *from, struct ws_entry *to, int64_t amount);
struct ws_entry *kit_hold(struct kit *k, struct ws_entry *from, struct ws_entry *to, int64_t amount,
                          int64_t expires_us);
void kit_answer(struct kit *k, struct ws_entry *e, const char *body);

/* One SQL statement on the file, by a connection of its own. The first column of the first row. */
int64_t kit_sql(struct kit *k, const char *sql);
void kit_sql_text(struct kit *k, const char *sql, char *ret, size_t size);
/* The result code of a statement that may be refused. */
int kit_sql_try(struct kit *k, const char *sql);

/* The audit: how many drifts of this check (NULL: of any). */
int64_t kit_drifts(struct kit *k, const char *check);

static inline struct str kit_str(const char *s)
{
	return (struct str){ s, strlen(s) };
}

#endif /* TEST_STORE_SQLITE_KIT_H */
