/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/meta.h"

#include <stddef.h>

#include "base/assert.h"
#include "base/error.h"

/* In the order of the columns of META_GET and the parameters of META_SET. */
static const size_t meta_columns[] = {
	offsetof(struct meta, revision),      offsetof(struct meta, answers_seq),
	offsetof(struct meta, high_water_us), offsetof(struct meta, accounts),
	offsetof(struct meta, holds_live),    offsetof(struct meta, orders),
	offsetof(struct meta, records),       offsetof(struct meta, events),
	offsetof(struct meta, jobs),          offsetof(struct meta, answers),
};

enum pawl_status pawl__meta_get(struct conn *c, struct meta *ret, struct pawl_error *err)
{
	sqlite3_stmt *q = conn_stmt(c, SQL_META_GET);
	struct meta m = { .revision = 0 };
	bool row;
	enum pawl_status st;

	static_assert(ARRAY_LEN(meta_columns) * sizeof(int64_t) == sizeof(m), "every member");
	st = pawl__conn_row(c, SQL_META_GET, &row, err);
	if (st != PAWL_OK)
		return st;
	if (!row)
		return pawl__error_set(err, PAWL_E_CORRUPT, "the store has lost its meta row");
	for (size_t i = 0; i < ARRAY_LEN(meta_columns); i++) {
		const int64_t v = sqlite3_column_int64(q, (int)i);

		memcpy((char *)&m + meta_columns[i], &v, sizeof(v));
	}
	conn_reset(c, SQL_META_GET);
	*ret = m;
	return PAWL_OK;
}

enum pawl_status pawl__meta_set(struct conn *c, const struct meta *m, struct pawl_error *err)
{
	sqlite3_stmt *q = conn_stmt(c, SQL_META_SET);

	for (size_t i = 0; i < ARRAY_LEN(meta_columns); i++) {
		int64_t v;

		memcpy(&v, (const char *)m + meta_columns[i], sizeof(v));
		bind_i64(q, (int)i + 1, v);
	}
	return pawl__conn_run_one(c, SQL_META_SET, err);
}
