/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/answer - answers as JSON text: the one place that knows their shape, so that a request over
 * HTTP and the same request through libpawl are answered with the same bytes.
 */
#ifndef PAWL_CORE_ANSWER_H
#define PAWL_CORE_ANSWER_H

#include "base/buf.h"
#include "core/rows.h"
#include "core/tx.h"

/* Resources, as GET and the success of a write show them. now_us decides what is expired. */
void pawl__json_account(struct buf *b, const struct account *a);
void pawl__json_hold(struct buf *b, const struct hold *h, int64_t now_us);
void pawl__json_order(struct buf *b, const struct order *o, int64_t now_us);
void pawl__json_transfer(struct buf *b, const struct transfer *t);
/* stock and sold are the accounts stock:SKU and sold:SKU. */
void pawl__json_item(struct buf *b, struct str sku, const struct account *stock,
                     const struct account *sold);
/* The members of an order's answer that never change, for struct order.body, from an OP_ORDER.
 * customer with a NULL pointer: none. */
void pawl__json_order_body(struct buf *b, const struct op *op, struct str customer);
/* {"key":..,"state":"unknown"|"committed"|"refused","status":..,..}; a NULL is unknown. */
void pawl__json_answer(struct buf *b, struct str key, const struct answer *a);

/* What a problem document (RFC 9457) says besides its code. Unused members stay zero. */
struct problem {
	enum pawl_status code;
	struct str detail;     /* "" = the table's text */
	struct str request_id; /* "" = none */
	int32_t op;            /* index of the refused operation; -1 = none */
	struct str pointer; /* JSON pointer into the request; PAWL_E_INVALID; "" with no errors[] */
	/* members by code; see API.md */
	struct str name; /* account, hold, lock or key */
	int64_t a, b;    /* available, requested | token, current | current_version */
	bool unlimited;  /* a is not a number */
	struct str state;
};

void pawl__json_problem(struct buf *b, const struct problem *p);

const char *pawl__hold_state_name(enum hold_state st);
const char *pawl__order_state_name(enum order_state st);

#endif /* PAWL_CORE_ANSWER_H */
