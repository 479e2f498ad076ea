/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/bulk.h"

#include "base/assert.h"

static const int bulk_columns[] = {
#define X(name, verb, table, columns, names) columns,
	BULK_TABLE(X)
#undef X
};

void pawl__bulk_begin(struct bulk *b, struct conn *c, enum bulk_table table, uint32_t rows)
{
	*b = (struct bulk){ .c = c, .table = table, .left = rows };
}

sqlite3_stmt *pawl__bulk_row(struct bulk *b)
{
	PRE(b->left > 0);
	if (b->row == 0) {
		b->rows = b->left >= BULK_ROWS ? BULK_ROWS : 1;
		b->at = 0;
	}
	return b->c->bulk[b->table][b->rows > 1];
}

enum pawl_status pawl__bulk_step(struct bulk *b, struct pawl_error *err)
{
	b->left--;
	b->at += bulk_columns[b->table];
	if (++b->row < b->rows)
		return PAWL_OK;
	b->row = 0;
	return pawl__conn_step(b->c, b->c->bulk[b->table][b->rows > 1], err);
}
