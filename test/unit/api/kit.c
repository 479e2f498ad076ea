/* SPDX-License-Identifier: Apache-2.0 */
#include "kit.h"

#include <ftw.h>
#include <unistd.h>

static bool sqlite;
static char dir[64];
static unsigned stores;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void remove_dir(void)
{
	(void)nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void kit_init(int argc, char **argv)
{
	sqlite = argc > 1 && strcmp(argv[1], "sqlite") == 0;
	if (!sqlite)
		return;
	(void)snprintf(dir, sizeof(dir), "%s/pawl-test-XXXXXX", P_tmpdir);
	if (mkdtemp(dir) == NULL)
		abort();
	(void)atexit(remove_dir);
}

const char *kit_url(void)
{
	static char url[128];

	if (!sqlite)
		return "memory:";
	(void)snprintf(url, sizeof(url), "sqlite:%s/%u.db", dir, stores++);
	return url;
}

bool kit_durable(void)
{
	return sqlite;
}

int kit_setup(void **state)
{
	struct pawl_error err = { .status = PAWL_OK };
	struct pawl *p;

	if (pawl_open(kit_url(), NULL, &p, &err) != PAWL_OK)
		fail_msg("cannot open the store: %s", err.text);
	*state = p;
	return 0;
}

int kit_teardown(void **state)
{
	pawl_close(*state);
	return 0;
}

struct pawl_answer *kit_answer(struct pawl_tx *tx)
{
	struct pawl_answer *answer = NULL;
	struct pawl_error err = { .status = PAWL_OK };

	if (pawl_tx_commit(tx, &answer, &err) != PAWL_OK)
		fail_msg("cannot commit: %s", err.text);
	return answer;
}

enum pawl_status kit_commit(struct pawl_tx *tx)
{
	struct pawl_answer *answer = NULL;
	enum pawl_status st = pawl_tx_commit(tx, &answer, NULL);

	if (st != PAWL_OK) {
		assert_null(answer);
		return st;
	}
	st = pawl_answer_code(answer);
	pawl_answer_free(answer);
	return st;
}

struct pawl_tx *kit_tx(struct pawl *p, const char *key)
{
	struct pawl_tx *tx;

	assert_int_equal(pawl_tx_new(p, &tx, NULL), PAWL_OK);
	if (key != NULL)
		assert_int_equal(pawl_tx_key(tx, key), PAWL_OK);
	return tx;
}

void kit_accounts(struct pawl *p, int64_t in_a)
{
	struct pawl_answer *answer;
	struct pawl_tx *tx = kit_tx(p, NULL);

	for (const char *id = "a"; id != NULL; id = *id == 'a' ? "b" : NULL) {
		assert_int_equal(pawl_account_open(p, id, "EUR", 0, &answer, NULL), PAWL_OK);
		assert_int_equal(pawl_answer_code(answer), PAWL_OK);
		pawl_answer_free(answer);
	}
	if (in_a > 0) {
		assert_int_equal(pawl_tx_transfer(tx, "world:EUR", "a", in_a), PAWL_OK);
		assert_int_equal(kit_commit(tx), PAWL_OK);
	}
	pawl_tx_free(tx);
}

int64_t kit_balance(struct pawl *p, const char *id)
{
	struct pawl_account a;

	assert_int_equal(pawl_account_get(p, id, &a, NULL), PAWL_OK);
	return a.balance;
}

const char *kit_text(char c, size_t len)
{
	static char text[PAWL_BODY_MAX + 16];

	assert_true(len < sizeof(text));
	memset(text, c, len);
	text[len] = '\0';
	return text;
}

static void blocked(void *arg, enum pawl_status st, const struct pawl_answer *answer)
{
	struct blocker *b = arg;

	(void)st;
	(void)answer;
	(void)sem_post(&b->entered);
	while (sem_wait(&b->release) != 0)
		;
}

void kit_block(struct blocker *b, struct pawl *p)
{
	(void)sem_init(&b->entered, 0, 0);
	(void)sem_init(&b->release, 0, 0);
	b->tx = kit_tx(p, NULL);
	assert_int_equal(pawl_tx_emit(b->tx, "block", NULL, "1"), PAWL_OK);
	assert_int_equal(pawl_tx_submit(b->tx, blocked, b, NULL), PAWL_OK);
	while (sem_wait(&b->entered) != 0)
		;
}

void kit_unblock(struct blocker *b)
{
	(void)sem_post(&b->release);
}
