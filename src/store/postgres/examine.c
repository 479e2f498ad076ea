/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an administrator should know of the database as it is set up and used: one statement that
 * gives findings as rows, and what this process knows of its connections and clocks.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/postgres/store.h"

#define SKEW_US                                                                                    \
	INT64_C(1000000) /* between this machine's clock and the server's; above: a warning */

/* level 0 ok, 1 warning, 2 failure. $-parameters: none; names of others' work are not told. */
static const char examine_sql[] =
	"WITH set AS (SELECT current_setting('fsync') f, current_setting('full_page_writes') p,"
	"   current_setting('synchronous_commit') c, current_setting('synchronous_standby_names') "
	"s),"
	" act AS (SELECT pid, state, application_name LIKE 'pawl%' AS ours,"
	"   extract(epoch FROM clock_timestamp() - xact_start) AS age"
	"   FROM pg_stat_activity WHERE datname = current_database()"
	"   AND backend_type = 'client backend' AND pid <> pg_backend_pid()),"
	" idle AS (SELECT count(*) n, coalesce(max(age), 0)::bigint s FROM act"
	"   WHERE NOT ours AND state LIKE 'idle in transaction%' AND age > 5),"
	" long AS (SELECT count(*) n, coalesce(max(age), 0)::bigint s FROM act"
	"   WHERE NOT ours AND age > 60),"
	" waits AS (SELECT count(*) n FROM act WHERE ours AND EXISTS (SELECT FROM"
	"   unnest(pg_blocking_pids(pid)) b JOIN act o ON o.pid = b AND NOT o.ours)),"
	" room AS (SELECT current_setting('max_connections')::int m,"
	"   (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') n)"
	" SELECT 0, 'engine', 'PostgreSQL ' || current_setting('server_version')"
	" UNION ALL SELECT CASE WHEN f = 'on' AND p = 'on' AND c NOT IN ('off', 'local') THEN 0"
	"   WHEN f = 'on' AND p = 'on' AND c = 'local' THEN 1 ELSE 2 END, 'durability',"
	"   'fsync=' || f || ' full_page_writes=' || p || ' synchronous_commit=' || c FROM set"
	" UNION ALL SELECT 0, 'standby', CASE WHEN s = '' THEN"
	"   'none is synchronous: a failover may lose what was acknowledged just before it'"
	"   ELSE 'synchronous: what is acknowledged is on a standby, too' END FROM set"
	" UNION ALL SELECT CASE WHEN n > 0 THEN 1 ELSE 0 END, 'idle_transactions', n ||"
	"   ' of others idle for more than 5 s, the longest ' || s ||"
	"   ' s: they hold locks and keep events back' FROM idle"
	" UNION ALL SELECT CASE WHEN n > 0 THEN 1 ELSE 0 END, 'long_transactions', n ||"
	"   ' of others open for more than 60 s, the longest ' || s || ' s' FROM long"
	" UNION ALL SELECT CASE WHEN n > 0 THEN 1 ELSE 0 END, 'blocked', n ||"
	"   ' of the connections of pawl wait for a lock of others' FROM waits"
	" UNION ALL SELECT CASE WHEN n > m * 9 / 10 THEN 1 ELSE 0 END, 'server_connections', n ||"
	"   ' of ' || m || ' in use' FROM room";

static void found_rows(const PGresult *r, store_finding_fn found, void *arg)
{
	for (int i = 0; i < PQntuples(r); i++) {
		const struct str check = pg_str(r, i, 1), text = pg_str(r, i, 2);
		char name[32], line[256];

		(void)snprintf(name, sizeof(name), "%.*s", (int)check.len, check.ptr);
		(void)snprintf(line, sizeof(line), "%.*s", (int)text.len, text.ptr);
		found(arg, (enum finding_level)pg_i32(r, i, 0), name, line);
	}
}

static void found_pool(struct pg_shared *sh, store_finding_fn found, void *arg)
{
	const int64_t holds = atomic_load_explicit(&sh->holds, memory_order_relaxed);
	const int64_t held_us = atomic_load_explicit(&sh->held_us, memory_order_relaxed);
	const int64_t most_us = atomic_load_explicit(&sh->held_max_us, memory_order_relaxed);
	char text[192];
	uint32_t writers, readers, max;

	INVARIANT(pthread_mutex_lock(&sh->mu) == 0);
	writers = sh->writers;
	readers = sh->readers;
	max = sh->max;
	INVARIANT(pthread_mutex_unlock(&sh->mu) == 0);
	(void)snprintf(text, sizeof(text),
	               "%u at most (min(2 x %ld cores + 1, %u) unless told): %u write, %u read",
	               max, sysconf(_SC_NPROCESSORS_ONLN), PG_POOL_MAX_DEFAULT, writers, readers);
	found(arg, FINDING_OK, "connections", text);
	(void)snprintf(text, sizeof(text),
	               "a connection is held for %.2f ms on average, %.2f ms at most, by %" PRId64
	               " batches and reads",
	               holds == 0 ? 0.0 : (double)held_us / (double)holds / 1000.0,
	               (double)most_us / 1000.0, holds);
	found(arg, FINDING_OK, "hold_time", text);
}

static void found_clock(struct pg_shared *sh, store_finding_fn found, void *arg)
{
	const int64_t skew_us = pawl__clock_real_us() - pawl__pg_clock_us(sh);
	char text[128];

	(void)snprintf(text, sizeof(text),
	               "this machine's is %.3f s %s the server's, which is the one that counts",
	               (double)llabs(skew_us) / 1e6, skew_us < 0 ? "behind" : "ahead of");
	found(arg, llabs(skew_us) > SKEW_US ? FINDING_WARN : FINDING_OK, "clock_skew", text);
}

enum pawl_status pawl__pg_examine(struct pg_shared *sh, store_finding_fn found, void *arg,
                                  struct pawl_error *err)
{
	struct pg_reader *r;
	unsigned slot;
	enum pawl_status st = pawl__pg_take(sh, &r, err);

	if (st != PAWL_OK)
		return st;
	slot = pawl__pg_send_plain(&r->conn, examine_sql);
	st = pawl__pg_collect(&r->conn, PG_WAIT_US, err);
	if (st == PAWL_OK)
		found_rows(pg_res(&r->conn, slot), found, arg);
	else
		pawl__pg_close(&r->conn);
	pawl__pg_give(sh, r);
	if (st != PAWL_OK)
		return st;
	found_pool(sh, found, arg);
	found_clock(sh, found, arg);
	return PAWL_OK;
}
