/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postgres/args - the parameters of one statement in PostgreSQL's binary form: integers, strings,
 * and arrays of them, a column each, which the statement takes apart with unnest.
 *
 * The buffers are kept from statement to statement; libpq copies them when it queues one.
 * Threads: the owner of the connection.
 */
#ifndef PAWL_STORE_POSTGRES_ARGS_H
#define PAWL_STORE_POSTGRES_ARGS_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define PG_ARGS_MAX    12
#define PG_COLUMN_MAX  ((size_t)256 << 20) /* bytes of one parameter */
#define PG_COLUMN_KEEP ((size_t)1 << 20)

/* Types, as pg_type.dat numbers them. */
#define PG_BYTEA 17u
#define PG_INT8  20u
#define PG_INT4  23u
#define PG_TEXT  25u
#define PG_UUID  2950u

struct pg_args {
	struct buf at[PG_ARGS_MAX];
	uint32_t rows[PG_ARGS_MAX]; /* of an array */
	uint32_t type[PG_ARGS_MAX]; /* of an array's elements; 0: no array */
	bool nulls[PG_ARGS_MAX];
	unsigned len;
};

void pawl__args_init(struct pg_args *a);
void pawl__args_deinit(struct pg_args *a);

/* Forget all parameters. */
void pawl__args_start(struct pg_args *a);

/* The next parameter: a value, or an array with nothing in it. */
void pawl__args_i64(struct pg_args *a, int64_t v);
void pawl__args_array(struct pg_args *a, uint32_t type);

/* Ready to be sent. False: over the limit, or out of memory. */
bool pawl__args_end(struct pg_args *a);

static inline void args_len(struct pg_args *a, unsigned i, uint32_t len)
{
	const uint32_t be = htobe32(len);

	a->rows[i]++;
	pawl__buf_put(&a->at[i], &be, sizeof(be));
}

static inline void args_put(struct pg_args *a, unsigned i, const void *p, size_t len)
{
	args_len(a, i, (uint32_t)len);
	pawl__buf_put(&a->at[i], p, len);
}

static inline void args_put_i64(struct pg_args *a, unsigned i, int64_t v)
{
	const struct {
		uint32_t len, hi, lo;
	} be = { htobe32(8), htobe32((uint32_t)((uint64_t)v >> 32)), htobe32((uint32_t)v) };

	a->rows[i]++;
	pawl__buf_put(&a->at[i], &be, sizeof(be));
}

static inline void args_put_i32(struct pg_args *a, unsigned i, int32_t v)
{
	const uint32_t be[2] = { htobe32(4), htobe32((uint32_t)v) };

	a->rows[i]++;
	pawl__buf_put(&a->at[i], be, sizeof(be));
}

static inline void args_put_str(struct pg_args *a, unsigned i, struct str s)
{
	args_put(a, i, s.ptr, s.len);
}

static inline void args_put_null(struct pg_args *a, unsigned i)
{
	a->nulls[i] = true;
	args_len(a, i, UINT32_MAX);
}

#endif /* PAWL_STORE_POSTGRES_ARGS_H */
