/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that can be derived again, derived again by the server from one snapshot. A query
 * gives a row for each thing that does not add up, as text; sums are numeric, which has no end.
 */
#include <stdio.h>

#include "base/assert.h"
#include "base/error.h"
#include "store/postgres/store.h"

/* clang-format off */
static const char sql_counts[] =
	"SELECT (SELECT count(*) FROM pawl.account), (SELECT count(*) FROM pawl.transfer),"
	" (SELECT count(*) FROM pawl.hold), (SELECT count(*) FROM pawl.order_),"
	" (SELECT count(*) FROM pawl.record), (SELECT count(DISTINCT unit) FROM pawl.account),"
	" (SELECT count(*) FROM pawl.answer)";

static const struct {
	const char *check;
	const char *sql;
} checks[] = {
	{ "transfer",
	  "SELECT format('transfer %s names an account that is not there', pawl.id(t.number))"
	  " FROM pawl.transfer t LEFT JOIN pawl.account a ON a.number = t.from_account"
	  " LEFT JOIN pawl.account b ON b.number = t.to_account"
	  " WHERE a.number IS NULL OR b.number IS NULL" },
	{ "hold",
	  "SELECT format('hold %s names an account that is not there', pawl.id(h.number))"
	  " FROM pawl.hold h LEFT JOIN pawl.account a ON a.number = h.from_account"
	  " LEFT JOIN pawl.account b ON b.number = h.to_account"
	  " WHERE a.number IS NULL OR b.number IS NULL" },
	{ "unit",
	  "SELECT format('%s %s joins accounts of two units', t.what, pawl.id(t.number))"
	  " FROM (SELECT 'transfer' AS what, number, from_account, to_account FROM pawl.transfer"
	  "  UNION ALL SELECT 'hold', number, from_account, to_account FROM pawl.hold) t"
	  " JOIN pawl.account a ON a.number = t.from_account"
	  " JOIN pawl.account b ON b.number = t.to_account WHERE a.unit <> b.unit" },
	{ "unit-sum",
	  "SELECT format('the balances of unit %s in order of names sum to %s',"
	  " row_number() OVER (ORDER BY unit), sum) FROM (SELECT unit, sum(balance) AS sum"
	  "  FROM pawl.account GROUP BY unit) u WHERE sum <> 0" },
	{ "balance",
	  "SELECT format('account %s: balance is %s, its transfers sum to %s', a.id, a.balance,"
	  " coalesce(t.sum, 0)) FROM pawl.account a LEFT JOIN (SELECT account, sum(amount) AS sum FROM"
	  "  (SELECT from_account AS account, -amount::numeric AS amount FROM pawl.transfer"
	  "   UNION ALL SELECT to_account, amount FROM pawl.transfer) x GROUP BY account) t"
	  " ON t.account = a.number WHERE a.balance <> coalesce(t.sum, 0)" },
	{ "held",
	  "SELECT format('account %s: held is %s, its live holds hold %s', a.id, a.held,"
	  " coalesce(h.sum, 0)) FROM pawl.account a LEFT JOIN (SELECT from_account,"
	  "  sum(amount - captured) AS sum FROM pawl.hold WHERE state = 0 GROUP BY 1) h"
	  " ON h.from_account = a.number WHERE a.held <> coalesce(h.sum, 0)" },
	{ "floor",
	  "SELECT format('account %s: balance %s - held %s is below its floor %s', id, balance, held,"
	  " floor) FROM pawl.account WHERE balance::numeric - held < floor" },
	{ "due",
	  "SELECT format('account %s: a live hold expires at %s us, before the account is looked at"
	  " (%s)', a.id, h.first, a.due_us) FROM pawl.account a JOIN (SELECT from_account,"
	  "  min(expires_us) AS first FROM pawl.hold WHERE state = 0 GROUP BY 1) h"
	  " ON h.from_account = a.number WHERE a.due_us = 0 OR a.due_us > h.first" },
	{ "capture",
	  "SELECT format('hold %s: captured is %s, its transfers sum to %s', pawl.id(h.number),"
	  " h.captured, coalesce(t.sum, 0)) FROM pawl.hold h LEFT JOIN (SELECT hold,"
	  "  sum(amount) AS sum FROM pawl.transfer WHERE hold IS NOT NULL GROUP BY 1) t"
	  " ON t.hold = h.number WHERE h.captured <> coalesce(t.sum, 0)" },
	{ "order",
	  "SELECT format('order %s: it has %s holds, %s are there', pawl.id(o.number), o.holds,"
	  " count(h.number)) FROM pawl.order_ o LEFT JOIN pawl.hold h"
	  " ON h.number BETWEEN o.number + 1 AND o.number + o.holds WHERE o.holds > 0"
	  " GROUP BY o.number HAVING o.holds <> count(h.number)" },
	{ "revision",
	  "SELECT format('table %s has a row of revision %s, the latest commit is %s', t.what, t.max,"
	  " l.max) FROM (SELECT max(revision) AS max FROM pawl.lane) l,"
	  " (SELECT 'account' AS what, max(version) AS max FROM pawl.account"
	  "  UNION ALL SELECT 'transfer', max(number) >> 10 FROM pawl.transfer"
	  "  UNION ALL SELECT 'hold', greatest(max(number) >> 10, max(version)) FROM pawl.hold"
	  "  UNION ALL SELECT 'order_', greatest(max(number) >> 10, max(version)) FROM pawl.order_"
	  "  UNION ALL SELECT 'record', max(version) FROM pawl.record"
	  "  UNION ALL SELECT 'event', max(number) >> 10 FROM pawl.event"
	  "  UNION ALL SELECT 'job', max(number) >> 10 FROM pawl.job"
	  "  UNION ALL SELECT 'answer', max(revision) FROM pawl.answer) t WHERE t.max > l.max" },
	{ "count",
	  "SELECT format('%s: the lanes say %s rows, there are %s', what, said, is_) FROM ("
	  "  SELECT 'accounts' AS what, sum(accounts) AS said, (SELECT count(*) FROM pawl.account)"
	  "   AS is_ FROM pawl.lane"
	  "  UNION ALL SELECT 'live holds', sum(holds_live), (SELECT count(*) FROM pawl.hold"
	  "   WHERE state = 0) FROM pawl.lane"
	  "  UNION ALL SELECT 'orders', sum(orders), (SELECT count(*) FROM pawl.order_) FROM pawl.lane"
	  "  UNION ALL SELECT 'records', sum(records), (SELECT count(*) FROM pawl.record) FROM pawl.lane"
	  "  UNION ALL SELECT 'events', sum(events), (SELECT count(*) FROM pawl.event) FROM pawl.lane"
	  "  UNION ALL SELECT 'jobs', sum(jobs), (SELECT count(*) FROM pawl.job) FROM pawl.lane"
	  " ) c WHERE said <> is_" },
	{ "event",
	  "SELECT format('event %s is there %s times', pawl.id(number), count(*)) FROM pawl.event"
	  " GROUP BY number HAVING count(*) > 1" },
	/* A key that was answered while an older answer of it still stood has been executed twice. */
	{ "answers",
	  "SELECT format('a key was answered twice within the retention, in parts %s and %s', before,"
	  " part) FROM (SELECT part, at_us, lag(part) OVER w AS before, lag(at_us) OVER w AS before_us"
	  "  FROM pawl.answer WINDOW w AS (PARTITION BY hash ORDER BY at_us, part)) a"
	  " WHERE before_us > at_us - $1::bigint" },
	{ "answers",
	  "SELECT format('part %s: an answer is of %s us, outside of %s to %s', a.part, a.at, p.begun_us,"
	  " p.ended_us) FROM (SELECT part, max(at_us) AS at FROM pawl.answer GROUP BY part) a"
	  " LEFT JOIN pawl.answer_part p ON p.part = a.part WHERE p.part IS NULL OR a.at > p.ended_us" },
};
/* clang-format on */

static enum pawl_status check_run(const struct pg_shared *sh, struct pg_conn *c, size_t i,
                                  struct pawl_error *err)
{
	pawl__args_start(&c->args);
	if (strstr(checks[i].sql, "$1") != NULL)
		pawl__args_i64(&c->args, sh->retention_us);
	(void)pawl__pg_send_text(c, checks[i].sql);
	return pawl__pg_collect(c, PG_WAIT_LONG_US, err);
}

static enum pawl_status audit_all(struct pg_shared *sh, struct pg_conn *c, store_drift_fn drift,
                                  void *arg, struct store_audit *ret, struct pawl_error *err)
{
	enum pawl_status st;
	const PGresult *r;

	(void)pawl__pg_send_bare(c, PG_SNAPSHOT);
	(void)pawl__pg_send_plain(c, "SET LOCAL jit = off");
	st = pawl__pg_collect(c, PG_WAIT_US, err);
	if (st != PAWL_OK)
		return st;
	(void)pawl__pg_send_plain(c, sql_counts);
	st = pawl__pg_collect(c, PG_WAIT_LONG_US, err);
	if (st != PAWL_OK)
		return st;
	r = pg_res(c, 0);
	*ret = (struct store_audit){
		.accounts = pg_i64(r, 0, 0),
		.transfers = pg_i64(r, 0, 1),
		.holds = pg_i64(r, 0, 2),
		.orders = pg_i64(r, 0, 3),
		.records = pg_i64(r, 0, 4),
		.units = pg_i64(r, 0, 5),
		.answers = pg_i64(r, 0, 6),
		.checks = ARRAY_LEN(checks),
	};
	for (size_t i = 0; i < ARRAY_LEN(checks) && st == PAWL_OK; i++) {
		st = check_run(sh, c, i, err);
		r = st == PAWL_OK ? pg_res(c, 0) : NULL;
		for (int row = 0; r != NULL && row < PQntuples(r); row++) {
			ret->drifts++;
			drift(arg, checks[i].check, PQgetvalue(r, row, 0));
		}
	}
	(void)pawl__pg_send_bare(c, PG_COMMIT);
	return st == PAWL_OK ? pawl__pg_collect(c, PG_WAIT_US, err) : st;
}

enum pawl_status pawl__pg_audit(struct pg_shared *sh, store_drift_fn drift, void *arg,
                                struct store_audit *ret, struct pawl_error *err)
{
	struct store_audit n;
	struct pg_reader *r;
	enum pawl_status st = pawl__pg_take(sh, &r, err);

	if (st != PAWL_OK)
		return st;
	st = audit_all(sh, &r->conn, drift, arg, &n, err);
	if (st == PAWL_OK)
		*ret = n;
	else
		pawl__pg_close(&r->conn);
	pawl__pg_give(sh, r);
	return st;
}
