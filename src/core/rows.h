/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/rows - the rows that decisions are made on. Plain data: strings are borrowed from the arena
 * of the working set (or of whoever made the row).
 *
 * Numbers: whatever a transaction creates (transfer, hold, order, event, job) gets the number
 * `revision << ROW_NUMBER_BITS | k`, k counting from 0 within the transaction. So numbers are
 * unique, grow in commit order, need no counter of their own, and are keys that append.
 * Times are microseconds of the store's clock. Amounts are integers in minor units.
 */
#ifndef PAWL_CORE_ROWS_H
#define PAWL_CORE_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "pawl/status.h"

#define ROW_NUMBER_BITS 10
#define ROW_NUMBERS_MAX (1 << ROW_NUMBER_BITS) /* rows that one transaction may create */
#define ROW_ID_MAX      160 /* an account id with its prefix, "world:sku:" + SKU */
#define FINGERPRINT_LEN 32

enum row_kind { ROW_ACCOUNT, ROW_HOLD, ROW_RECORD, ROW_ORDER, ROW_LEASE, ROW_ANSWER };
#define ROW_KINDS 6

/*
 * Invariants (core/account.c asserts them, the schema CHECKs them):
 *  (1) has_floor implies balance - held >= floor, exactly, in int64.
 *  (2) held >= 0.
 */
struct account {
	struct str id;
	struct str unit;
	int64_t number; /* the store's own, 0 until it is stored */
	int64_t balance;
	int64_t held;
	int64_t floor; /* 0 when !has_floor */
	bool has_floor;
	int64_t version; /* revision of the last change */
	int64_t due_us;  /* no live hold of this account expires before; 0 = it has no live hold */
};

enum hold_state { HOLD_HELD, HOLD_CAPTURED, HOLD_RELEASED, HOLD_EXPIRED };

/*
 *             capture of all, or final          HELD is left exactly once; the three others are
 *   HELD ------------------------> CAPTURED     final. A partial capture stays in HELD.
 *     |---- release -------------> RELEASED     (3) 0 <= captured <= amount.
 *     |---- now >= expires_us ---> EXPIRED      (4) only HELD rows count in account.held, each
 *                                                   with amount - captured.
 */
struct hold {
	int64_t number;
	struct str from; /* account ids */
	struct str to;
	int64_t from_number; /* account numbers, 0 until stored */
	int64_t to_number;
	int64_t amount;
	int64_t captured;
	int64_t expires_us;
	enum hold_state state;
	int64_t version;
};

struct record {
	struct str key;
	struct str value; /* compact JSON */
	int64_t version;
};

enum order_state { ORDER_HELD, ORDER_CONFIRMED, ORDER_CANCELLED, ORDER_EXPIRED };

/* An order is a numbered record with a state. Its holds, when it has any, are the rows
 * number + 1 .. number + holds: created by the same transaction right after it. */
struct order {
	int64_t number;
	enum order_state state; /* ORDER_EXPIRED is never stored: it is read off expires_us */
	uint32_t holds;
	int64_t expires_us; /* 0 = none */
	struct str body;    /* JSON members of the answer that never change: "lines":[..],.. */
	int64_t version;
};

/* Granted elsewhere; a transaction only checks it. */
struct lease {
	struct str name;
	struct str owner;
	int64_t token; /* of the latest grant; 0 = never granted */
	int64_t deadline_us;
};

/* What an idempotency key was answered with, byte for byte. */
struct answer {
	struct str caller;
	struct str key;
	unsigned char fingerprint[FINGERPRINT_LEN];
	enum pawl_status code; /* PAWL_OK or the refusal */
	int http;              /* status line */
	int64_t revision;      /* of the commit; 0 when refused */
	int64_t etag;          /* 0 = none */
	int64_t at_us;
	struct str location; /* "" = none */
	struct str body;
};

/* Rows that are only ever appended. */
struct transfer {
	int64_t number;
	const struct account *from;
	const struct account *to;
	int64_t amount;
	int64_t hold; /* number of the hold it captures, 0 = none */
};

struct event {
	int64_t number;
	struct str topic;
	struct str key; /* "" = none */
	struct str body;
};

struct job {
	int64_t number;
	struct str queue;
	struct str body;
	int64_t run_at_us;
};

static inline int64_t row_number_revision(int64_t number)
{
	return number >> ROW_NUMBER_BITS;
}

#endif /* PAWL_CORE_ROWS_H */
