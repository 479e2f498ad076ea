/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server/decode - a JSON body into a struct tx, by tables.
 *
 * Strict: RFC 8259, one value, no duplicate members, no unknown ones, at most PAWL_JSON_DEPTH_MAX
 * levels, integers as JSON integers or decimal strings within int64, never as reals; strings
 * without NUL. The first thing that is wrong is told with its JSON pointer (RFC 6901) and a fixed
 * text: no text repeats a value.
 *
 * JSON values that are stored (values, bodies) are made canonical as in api/canon: sorted keys,
 * compact.
 *
 * Invariants:
 *  (1) What is accepted has passed every check of pawl/limits.h that needs no row.
 *  (2) The bytes of pawl__tx_canonical depend on the values in the body alone, not on its spacing,
 *      the order of members or the spelling of numbers.
 * Ownership: strings of the tx point into the arena, where the parsed JSON is, too.
 * Threads: one decoder, one thread.
 */
#ifndef PAWL_SERVER_DECODE_H
#define PAWL_SERVER_DECODE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/compiler.h"
#include "core/tx.h"

#define DECODE_POINTER_MAX 512
#define DECODE_SCRATCH     ((size_t)512 * 1024) /* more than any canonical value or order body */

/* The operation of a route with one operation, and what is only needed while it is decoded. */
struct op_draft {
	struct op op; /* first: the offsets of tables are those of struct op */
	struct str customer;
	bool has_customer;
};

enum member_kind {
	MEMBER_ID,       /* 1 to max visible ASCII bytes without '/' */
	MEMBER_TEXT,     /* UTF-8 up to max bytes */
	MEMBER_INT,      /* in [min, max], times `times` */
	MEMBER_INT_NULL, /* the same or null; the flag says which */
	MEMBER_NUMBER,   /* the id text of a hold or order */
	MEMBER_BOOL,
	MEMBER_JSON,  /* any value, at most max bytes when canonical */
	MEMBER_LINES, /* of an order */
	MEMBER_PAY,   /* of an order */
	MEMBER_OPS,   /* of a transaction */
	MEMBER_NAME   /* "op": has been looked at */
};

struct member {
	const char *name;
	enum member_kind kind;
	bool required;
	int64_t min, max;
	int64_t times;  /* 0 = 1 */
	size_t at;      /* in struct op_draft */
	size_t flag_at; /* a bool that is set when the member is given (and not null); 0 = none */
};

/* An object of one shape. */
struct shape {
	const char *name; /* of the operation */
	enum op_kind kind;
	bool is_account; /* op.is_account: tells the two shapes of OP_CHECK apart */
	const struct member *members;
	size_t members_len;
};

enum form_body {
	BODY_OBJECT, /* the shape; none at all is {} when nothing is required */
	BODY_VALUE,  /* any JSON value: what is stored */
	BODY_NONE    /* is not looked at */
};

enum form_param { PARAM_NONE, PARAM_ID, PARAM_NUMBER };

/* What a mutating route takes and gives. */
struct form {
	struct shape shape;
	enum form_body body;
	enum form_param param; /* of the path, and where it goes */
	size_t param_at;
	enum tx_form answer;
	int http_created;
};

enum form_id {
	FORM_TX,
	FORM_ACCOUNT,
	FORM_TRANSFER,
	FORM_HOLD,
	FORM_CAPTURE,
	FORM_RELEASE,
	FORM_ITEM,
	FORM_RESTOCK,
	FORM_ORDER,
	FORM_CONFIRM,
	FORM_CANCEL,
	FORM_RECORD_PUT,
	FORM_RECORD_DELETE
};
#define FORMS 13

const struct form *pawl__form(enum form_id id);

/* The shapes of the elements of "ops": ret_len of them. */
const struct shape *pawl__form_ops(size_t *ret_len);

struct decoder {
	struct arena *arena; /* borrowed */
	struct buf *scratch; /* borrowed; DECODE_SCRATCH bytes at least */
	json_t *json;        /* in the arena; nobody's to release */
	/* what is wrong; PAWL_OK = nothing so far */
	enum pawl_status status;
	const char *detail; /* fixed text */
	struct buf pointer; /* while decoding: where; afterwards, of what is wrong */
	char pointer_mem[DECODE_POINTER_MAX];
};

void pawl__decode_init(struct decoder *d, struct arena *arena, struct buf *scratch);

/* Decode body into one and tx->ops, tx->form, tx->http_created. The path's parameter and the
 * preconditions of records are the caller's: they are set in one->op beforehand and kept.
 * PAWL_E_INVALID: see d->detail and d->pointer. PAWL_E_NOMEM. */
PAWL_MUST_CHECK enum pawl_status pawl__decode_body(struct decoder *d, const struct form *form,
                                                   struct str body, struct op_draft *one,
                                                   struct tx *tx);

#endif /* PAWL_SERVER_DECODE_H */
