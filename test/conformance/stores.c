/* SPDX-License-Identifier: Apache-2.0 */
#include "stores.h"

#include <dirent.h>
#include <libpq-fe.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"

/* A later store is added here and must pass as it is. */
const struct store_kind store_kinds[] = {
	{ "memory", "memory:", NULL },
	{ "sqlite", "sqlite:%s/pawl.db", NULL },
	{ "postgres", NULL, "PAWL_TEST_POSTGRES" },
	{ "pgbouncer", NULL, "PAWL_TEST_PGBOUNCER" },
};
const size_t store_kinds_len = ARRAY_LEN(store_kinds);

const struct store_kind *store_kind_now;
enum engine_mode engine_mode_now;

static void dir_remove(const char *path)
{
	DIR *d = opendir(path);
	const struct dirent *e;

	if (d == NULL)
		return;
	while ((e = readdir(d)) !=
	       NULL) { /* NOLINT(concurrency-mt-unsafe): one stream, one thread */
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			(void)unlinkat(dirfd(d), e->d_name, 0);
	}
	(void)closedir(d);
	(void)rmdir(path);
}

static const char *env(const char *name)
{
	return getenv(name); /* NOLINT(concurrency-mt-unsafe): nobody sets one */
}

bool store_kind_here(const struct store_kind *kind)
{
	const char *only = env("PAWL_TEST_STORES");
	const size_t len = strlen(kind->name);

	if (kind->env != NULL && env(kind->env) == NULL)
		return false;
	for (const char *p = only; p != NULL; p = *p == ',' ? p + 1 : NULL) {
		if (strncmp(p, kind->name, len) == 0 && (p[len] == ',' || p[len] == '\0'))
			return true;
		p += strcspn(p, ",");
	}
	return only == NULL;
}

/* One database a process and server, made when it is first asked for. */
static struct database {
	const struct store_kind *kind;
	char url[256];
	char name[32];
} databases[4];

static void notice_ignore(void *arg, const PGresult *res)
{
	(void)arg;
	(void)res;
}

static struct server_value server_sql(const char *url, const char *sql)
{
	PGconn *pg = PQconnectdb(url);
	struct server_value v = { "" };
	ExecStatusType st;
	PGresult *r;

	(void)PQsetNoticeReceiver(pg, notice_ignore, NULL);
	r = PQexec(pg, sql);
	st = PQresultStatus(r);

	if (st != PGRES_COMMAND_OK && st != PGRES_TUPLES_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(pg));
	if (st == PGRES_TUPLES_OK && PQntuples(r) > 0)
		(void)snprintf(v.text, sizeof(v.text), "%s", PQgetvalue(r, 0, 0));
	PQclear(r);
	PQfinish(pg);
	return v;
}

const char *stores_database(const struct store_kind *kind)
{
	const char *server = env(kind->env);
	struct database *d = databases;
	const char *slash;
	char sql[64];

	while (d->kind != NULL && d->kind != kind)
		d++;
	if (d->kind == kind)
		return d->url;
	assert_non_null(server);
	slash = strrchr(server, '/');
	assert_non_null(slash);
	(void)snprintf(d->name, sizeof(d->name), "pawl_test_%d_%s", (int)getpid(), kind->name);
	(void)snprintf(sql, sizeof(sql), "CREATE DATABASE %s", d->name);
	(void)server_sql(server, sql);
	(void)snprintf(d->url, sizeof(d->url), "%.*s/%s", (int)(slash - server), server, d->name);
	d->kind = kind;
	return d->url;
}

struct server_value stores_sql(const struct store_kind *kind, const char *sql)
{
	return server_sql(stores_database(kind), sql);
}

static void databases_drop(void)
{
	char sql[80];

	for (struct database *d = databases; d->kind != NULL; d++) {
		(void)snprintf(sql, sizeof(sql), "DROP DATABASE %s WITH (FORCE)", d->name);
		(void)server_sql(env(d->kind->env), sql);
		d->kind = NULL;
	}
}

enum pawl_status fixture_open(struct fixture *f, const struct store_options *o, struct store **ret,
                              struct pawl_error *err)
{
	char url[128];
	struct str before = pawl__str_of(f->kind->url);
	const char *mark;

	if (f->kind->env != NULL)
		return pawl__store_open(stores_database(f->kind), o, ret, err);
	mark = strstr(f->kind->url, "%s");
	if (mark == NULL)
		return pawl__store_open(f->kind->url, o, ret, err);
	before.len = (size_t)(mark - f->kind->url);
	(void)snprintf(url, sizeof(url), "%.*s%s%s", (int)before.len, before.ptr, f->dir, mark + 2);
	return pawl__store_open(url, o, ret, err);
}

static void store_start(struct fixture *f)
{
	const struct store_options o = { .retention_us = STORES_RETENTION_US };
	struct pawl_error err = { 0 };
	struct store *s;

	if (fixture_open(f, &o, &s, &err) != PAWL_OK)
		fail_msg("the store does not open: %s", err.text);
	f->store = kit_clock_store(&f->clock, s);
}

static void engine_start(struct fixture *f)
{
	/* One lane, so that revisions are the same on every store; test_shared is about more. */
	const struct engine_options o = { .retention_us = STORES_RETENTION_US,
		                          .sweep_us = -1,
		                          .lanes = 1 };

	assert_true(kit_start(&f->kit, f->store, f->mode, &o));
}

int fixture_setup_bare(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->kind = store_kind_now;
	f->mode = engine_mode_now;
	(void)snprintf(f->dir, sizeof(f->dir), "conformance-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->clock.real_us = KIT_START_US;
	f->clock.mono_us = KIT_SECOND;
	f->clock.near = true;
	if (f->kind->env != NULL)
		(void)stores_sql(f->kind, "DROP SCHEMA IF EXISTS pawl CASCADE");
	kit_read_init(&f->read);
	kit_tx_init(&f->tx);
	store_start(f);
	*state = f;
	return 0;
}

int fixture_setup(void **state)
{
	(void)fixture_setup_bare(state);
	engine_start(*state);
	return 0;
}

static void store_stop(struct fixture *f)
{
	if (f->kit.engine != NULL)
		kit_stop(&f->kit);
	else
		store_close(f->store);
	f->store = NULL;
}

int fixture_teardown(void **state)
{
	struct fixture *f = *state;

	store_stop(f);
	kit_read_deinit(&f->read);
	kit_tx_deinit(&f->tx);
	dir_remove(f->dir);
	free(f);
	return 0;
}

bool fixture_reopen(struct fixture *f)
{
	const bool engine = f->kit.engine != NULL;

	if ((f->store->ops->caps & STORE_CAP_DURABLE) == 0)
		return false;
	store_stop(f);
	store_start(f);
	if (engine)
		engine_start(f);
	return true;
}

bool stores_init(void)
{
	return sodium_init() >= 0;
}

static bool skipped(const char *suite, const struct store_kind *kind)
{
	if (store_kind_here(kind))
		return false;
	print_message("# %s on %s: skipped, %s\n", suite, kind->name,
	              kind->env != NULL && env(kind->env) == NULL ? kind->env : "not asked for");
	return true;
}

int stores_run(const char *suite, const struct CMUnitTest *tests, size_t len, bool with_engine)
{
	static const char *const modes[] = { [ENGINE_THREAD] = "thread", [ENGINE_LOOP] = "loop" };
	int failed = 0;
	bool none = true;

	INVARIANT(stores_init());
	for (size_t i = 0; i < store_kinds_len; i++) {
		if (skipped(suite, &store_kinds[i]))
			continue;
		none = false;
		for (int mode = ENGINE_THREAD; mode <= (with_engine ? ENGINE_LOOP : 0); mode++) {
			char name[64];

			store_kind_now = &store_kinds[i];
			engine_mode_now = (enum engine_mode)mode;
			(void)snprintf(name, sizeof(name), "%s on %s%s%s", suite,
			               store_kinds[i].name, with_engine ? ", " : "",
			               with_engine ? modes[mode] : "");
			failed += _cmocka_run_group_tests(name, tests, len, NULL, NULL);
		}
	}
	databases_drop();
	return none ? 77 : failed;
}

int stores_run_shared(const char *suite, const struct CMUnitTest *tests, size_t len)
{
	int failed = 0;
	bool none = true;

	INVARIANT(stores_init());
	for (size_t i = 0; i < store_kinds_len; i++) {
		char name[64];

		if (store_kinds[i].env == NULL || skipped(suite, &store_kinds[i]))
			continue;
		none = false;
		store_kind_now = &store_kinds[i];
		engine_mode_now = ENGINE_THREAD;
		(void)snprintf(name, sizeof(name), "%s on %s", suite, store_kinds[i].name);
		failed += _cmocka_run_group_tests(name, tests, len, NULL, NULL);
	}
	databases_drop();
	return none ? 77 : failed;
}

void expect_code(const struct kit_answer *a, enum pawl_status code, int32_t op)
{
	if (a->code != code || a->op != op)
		fail_msg("expected %s at operation %d, was %s at %d: %s", pawl_status_code(code),
		         op, pawl_status_code(a->code), a->op, a->body);
	if (code != PAWL_OK)
		assert_int_equal(a->http, pawl_status_http(code));
}

void expect_has(const struct kit_answer *a, const char *text)
{
	if (!kit_has(a, text))
		fail_msg("expected %s in %s", text, a->body);
}

const struct kit_answer *run_ok(struct fixture *f)
{
	const struct kit_answer *a = kit_run(&f->kit, &f->tx);

	expect_code(a, PAWL_OK, -1);
	return a;
}

const struct kit_answer *run_refused(struct fixture *f, enum pawl_status code, int32_t op)
{
	const struct kit_answer *a = kit_run(&f->kit, &f->tx);

	expect_code(a, code, op);
	assert_int_equal(a->revision, 0);
	return a;
}

const struct account *read_account(struct fixture *f, const char *id)
{
	const struct ws_entry *e = kit_read_row(&f->read, &f->kit, ROW_ACCOUNT, id);

	if (e == NULL)
		fail_msg("there is no account %s", id);
	return &e->row.account;
}

void expect_account(struct fixture *f, const char *id, int64_t balance, int64_t held)
{
	const struct account *a = read_account(f, id);

	assert_int_equal(a->balance, balance);
	assert_int_equal(a->held, held);
}

void expect_clean(struct fixture *f)
{
	struct store_audit audit;

	assert_int_equal(kit_audit(&f->kit, &audit), 0);
	assert_true(audit.checks > 0);
}

void two_accounts(struct fixture *f, int64_t amount)
{
	kit_tx_reset(&f->tx);
	kit_account(&f->tx, "a", "EUR", 0);
	kit_account(&f->tx, "b", "EUR", 0);
	if (amount > 0)
		kit_transfer(&f->tx, "world:EUR", "a", amount);
	(void)run_ok(f);
	kit_tx_reset(&f->tx);
}
