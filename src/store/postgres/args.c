/* SPDX-License-Identifier: Apache-2.0 */
#include "store/postgres/args.h"

#include "base/assert.h"

/* Before the elements: dimensions, has nulls, type, rows, lower bound. */
struct array_head {
	uint32_t dimensions, nulls, type, rows, lower;
};

void pawl__args_init(struct pg_args *a)
{
	for (unsigned i = 0; i < PG_ARGS_MAX; i++)
		pawl__buf_init(&a->at[i], PG_COLUMN_MAX);
	a->len = 0;
}

void pawl__args_deinit(struct pg_args *a)
{
	for (unsigned i = 0; i < PG_ARGS_MAX; i++)
		pawl__buf_deinit(&a->at[i]);
}

void pawl__args_start(struct pg_args *a)
{
	for (unsigned i = 0; i < a->len; i++) {
		if (a->at[i].cap > PG_COLUMN_KEEP) {
			pawl__buf_deinit(&a->at[i]);
			pawl__buf_init(&a->at[i], PG_COLUMN_MAX);
		} else {
			pawl__buf_reset(&a->at[i]);
		}
	}
	a->len = 0;
}

static unsigned args_next(struct pg_args *a, uint32_t type)
{
	PRE(a->len < PG_ARGS_MAX);
	a->type[a->len] = type;
	a->rows[a->len] = 0;
	a->nulls[a->len] = false;
	return a->len++;
}

void pawl__args_i64(struct pg_args *a, int64_t v)
{
	const uint64_t be = htobe64((uint64_t)v);

	pawl__buf_put(&a->at[args_next(a, 0)], &be, sizeof(be));
}

void pawl__args_array(struct pg_args *a, uint32_t type)
{
	const struct array_head room = { 0 };

	pawl__buf_put(&a->at[args_next(a, type)], &room, sizeof(room));
}

bool pawl__args_end(struct pg_args *a)
{
	for (unsigned i = 0; i < a->len; i++) {
		const struct array_head head = {
			.dimensions = htobe32(1),
			.nulls = htobe32(a->nulls[i]),
			.type = htobe32(a->type[i]),
			.rows = htobe32(a->rows[i]),
			.lower = htobe32(1),
		};
		const struct array_head none = { .type = head.type };

		if (a->at[i].overflow)
			return false;
		if (a->type[i] == 0)
			continue;
		/* An array of nothing has no dimension. */
		if (a->rows[i] == 0)
			a->at[i].len = offsetof(struct array_head, rows);
		memcpy(a->at[i].data, a->rows[i] == 0 ? &none : &head,
		       a->rows[i] == 0 ? offsetof(struct array_head, rows) : sizeof(head));
	}
	return true;
}
