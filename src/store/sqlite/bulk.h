/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite/bulk - insert many rows into one table with few statements.
 *
 * A step of a statement costs about as much as a row of it, and the second row of a statement finds
 * the end of the table where the first has left it. So rows go in BULK_ROWS at a time while there
 * are so many, and the rest one at a time.
 *
 *     pawl__bulk_begin(&b, c, BULK_EVENT, len);
 *     for each row: q = pawl__bulk_row(&b); bind_..(q, b.at + 1, ..), b.at + 2, ..;
 *     pawl__bulk_step()
 *
 * Bound strings must live until the last step. Exactly as many rows are put as were announced.
 * A failed step leaves a part of its rows: the transaction must be rolled back. (OR FAIL spares
 * SQLite the journal that it would need to undo one statement alone.)
 */
#ifndef PAWL_STORE_SQLITE_BULK_H
#define PAWL_STORE_SQLITE_BULK_H

#include "base/compiler.h"
#include "store/sqlite/conn.h"

struct bulk {
	struct conn *c;
	enum bulk_table table;
	uint32_t left; /* rows to come, with the one that is being bound */
	uint32_t rows; /* of the statement that is being bound */
	uint32_t row;  /* rows bound in it */
	int at;        /* the last parameter of the row before */
};

void pawl__bulk_begin(struct bulk *b, struct conn *c, enum bulk_table table, uint32_t rows);

/* The statement to bind the next row in. */
sqlite3_stmt *pawl__bulk_row(struct bulk *b);

/* The row is bound. */
PAWL_MUST_CHECK enum pawl_status pawl__bulk_step(struct bulk *b, struct pawl_error *err);

#endif /* PAWL_STORE_SQLITE_BULK_H */
