/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/tx - one transaction as it is asked for: operations in order, the idempotency key, and the
 * form of its answer. Built by the server's decoder or by libpawl, decided by core/apply.
 *
 * All strings are borrowed and must outlive the answer. Whoever builds a tx has checked lengths and
 * characters against pawl/limits.h; the checks that need rows are apply's.
 */
#ifndef PAWL_CORE_TX_H
#define PAWL_CORE_TX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "core/rows.h"

struct ws_entry;

enum op_kind {
	/* the ten operations of POST /v1/tx */
	OP_TRANSFER,
	OP_HOLD,
	OP_CAPTURE,
	OP_RELEASE,
	OP_PUT,
	OP_DELETE,
	OP_CHECK,
	OP_EMIT,
	OP_ENQUEUE,
	OP_FENCE,
	/* what the other routes need beside them */
	OP_ACCOUNT, /* open, or change the floor */
	OP_ITEM,    /* open stock:SKU and sold:SKU */
	OP_RESTOCK,
	OP_ORDER,
	OP_CONFIRM,
	OP_CANCEL,
	OP_TOUCH /* the sweeper: have an account's due holds expired; never refused, no answer */
};

#define TX_VERSION_ANY    (-1) /* no condition */
#define TX_VERSION_EXISTS (-2) /* must exist, any version (If-Match: *) */
#define TX_VERSION_ABSENT 0    /* must not exist (If-None-Match: *) */
#define TX_VERSION_LIST   (-4) /* any of versions[0..versions_len) */
#define TX_VERSION_NEW    (-3) /* may create, must not overwrite blindly: 428 when it exists */

struct order_line {
	struct str sku;
	int64_t quantity;
};

struct op {
	enum op_kind kind;
	union {
		struct {
			struct str from, to;
			int64_t amount;
			int64_t ttl_us; /* OP_HOLD */
		} move;                 /* OP_TRANSFER, OP_HOLD */
		struct {
			int64_t number;
			int64_t amount; /* OP_CAPTURE; 0 = all that is left */
			bool final;     /* OP_CAPTURE: release the rest */
		} hold;                 /* OP_CAPTURE, OP_RELEASE */
		struct {
			struct str key, value;
			int64_t if_version; /* TX_VERSION_* or a version */
			const int64_t *versions;
			uint32_t versions_len;
		} record; /* OP_PUT, OP_DELETE, OP_CHECK of a record */
		struct {
			struct str topic, key, body;
		} emit;
		struct {
			struct str queue, body;
			int64_t delay_us;
		} enqueue;
		struct {
			struct str name;
			int64_t token;
		} fence;
		struct {
			struct str id, unit;
			int64_t floor;
			bool has_floor;
			bool check; /* OP_CHECK of an account: available >= available_min */
			int64_t available_min;
		} account; /* OP_ACCOUNT, OP_CHECK, OP_TOUCH */
		struct {
			struct str sku;
			int64_t quantity;
		} item; /* OP_ITEM (stock, may be 0), OP_RESTOCK */
		struct {
			const struct order_line *lines;
			uint32_t lines_len;
			int64_t hold_us; /* 0 = confirmed at once */
			bool has_pay;
			struct str pay_from, pay_to;
			int64_t pay_amount;
			struct str body; /* see struct order */
		} order;
		int64_t order_number; /* OP_CONFIRM, OP_CANCEL */
	} u;
	bool is_account; /* OP_CHECK: which member of u */
	/* Scratch of core/apply: the rows, found once. Orders use the arrays. */
	struct ws_entry *row[2];
	struct ws_entry **rows;
	uint32_t rows_len;
};

/* What the body of a success looks like. */
enum tx_form {
	TX_FORM_TX,      /* {"committed":true,"revision":N,"results":[..]} */
	TX_FORM_ACCOUNT, /* the single operation's own resource .. */
	TX_FORM_TRANSFER,
	TX_FORM_HOLD,
	TX_FORM_ITEM,
	TX_FORM_ORDER,
	TX_FORM_RECORD, /* the stored value itself: with an ETag */
	TX_FORM_NONE    /* 204, no body (DELETE of a record) */
};

struct tx {
	struct op *ops;
	uint32_t ops_len;
	enum tx_form form;
	int http_created; /* status of a success that created its subject: 201 or 200 */
	struct str caller;
	struct str key;   /* idempotency key; "" = none, nothing is remembered */
	struct str route; /* "POST /v1/orders": for the fingerprint and for problem documents */
	struct str request_id;
	unsigned char fingerprint[FINGERPRINT_LEN]; /* of pawl__tx_canonical; set when key is */
	/* Scratch of core/apply. */
	struct ws_entry *answer_row;
	bool ready;
};

/*
 * The answer. Strings live in the arena that pawl__apply was given, until the batch ends.
 * `replayed`: this key had been answered before, here is that answer.
 */
struct tx_answer {
	enum pawl_status code;
	int http;
	bool replayed;
	int32_t op;       /* index of the refused operation, -1 = none */
	int64_t revision; /* 0 when refused */
	int64_t etag;     /* 0 = none */
	struct str location;
	struct str body; /* JSON; a problem document when code != PAWL_OK */
};

/* Everything that makes two requests the same request, one byte string for one meaning: caller,
 * route, form and operations, length-prefixed. JSON values are in it as given, so the builder makes
 * them canonical (sorted keys, compact). Version byte first: a later form can't collide. */
void pawl__tx_canonical(const struct tx *tx, struct buf *b);

const char *pawl__op_name(enum op_kind kind);

#endif /* PAWL_CORE_TX_H */
