/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/step - inside core/apply: one operation at work. Every step_* returns PAWL_OK or the
 * refusal, having described it in s->why; what it changed before a refusal is undone by the caller.
 */
#ifndef PAWL_CORE_STEP_H
#define PAWL_CORE_STEP_H

#include "core/answer.h"
#include "core/tx.h"
#include "core/ws.h"

struct step {
	struct ws *ws;
	const struct tx *tx;
	struct buf *out;    /* JSON of the operation's result is appended */
	struct problem why; /* filled on refusal */
	const char *member; /* of the request that is at fault, for PAWL_E_INVALID */
	int64_t revision;   /* of this transaction */
	/* about the answer */
	bool created;
	int64_t etag;
	const char *location; /* prefix before the text of location_number */
	int64_t location_number;
	char id_text[16]; /* why.name of a hold or an order */
};

/* Describe a refusal: returns code. detail NULL = the status table's text. */
enum pawl_status pawl__step_refuse(struct step *s, enum pawl_status code, const char *detail);
enum pawl_status pawl__step_invalid(struct step *s, const char *member, const char *detail);
enum pawl_status pawl__step_not_found(struct step *s, const char *detail);
enum pawl_status pawl__step_hold_refuse(struct step *s, enum pawl_status code, int64_t number,
                                        const char *state);

/* The account of an entry, made on the spot when it is a world account; NULL when there is none. */
struct account *pawl__step_account(struct step *s, struct ws_entry *e);

/* Move amount at once, or reserve it until expires_us. hold: number of the captured hold, 0. */
enum pawl_status pawl__step_transfer(struct step *s, struct ws_entry *from, struct ws_entry *to,
                                     int64_t amount, struct transfer **ret);
enum pawl_status pawl__step_hold(struct step *s, struct ws_entry *from, struct ws_entry *to,
                                 int64_t amount, int64_t expires_us, struct hold **ret);
enum pawl_status pawl__step_capture(struct step *s, struct ws_entry *hold, int64_t amount,
                                    bool final);
enum pawl_status pawl__step_release(struct step *s, struct ws_entry *hold);
enum pawl_status pawl__step_emit(struct step *s, struct str topic, struct str key, struct str body,
                                 int64_t *ret_number);

/* core/order.c */
enum pawl_status pawl__step_item(struct step *s, const struct op *op);
enum pawl_status pawl__step_restock(struct step *s, const struct op *op);
enum pawl_status pawl__step_order(struct step *s, const struct op *op);
enum pawl_status pawl__step_finish(struct step *s, const struct op *op);

#endif /* PAWL_CORE_STEP_H */
