/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pawl/tx.h - one transaction: build it, commit it, read its answer.
 *
 *     pawl_tx_new(p, &tx, &err);
 *     pawl_tx_key(tx, "payment-4711");
 *     pawl_tx_transfer(tx, "user:ada", "user:bob", 250);
 *     pawl_tx_put(tx, "receipt:4711", "{\"by\":\"ada\"}", PAWL_IF_ABSENT);
 *     st = pawl_tx_commit(tx, &answer, &err);
 *
 *               operations, key                 submit, commit
 *   EMPTY ---------------------> BUILDING ------------------------> IN FLIGHT
 *     ^                             ^  |                                |
 *     +---------- reset ------------+--+          answered              |
 *                                   +-----------------------------------+
 *
 * What is promised:
 *  (1) The operations are applied in order, a later one sees the earlier ones, and the first that
 *      is refused refuses the whole transaction and is named in the answer.
 *  (2) With a key, the effect happens at most once, however often and from wherever the transaction
 *      is sent; each time it is answered the same. The same key with other operations is refused
 *      (PAWL_E_KEY_REUSED) and does not tell the first answer. A transaction of the operations in
 *      the first group below is the same request as POST /v1/tx with the same caller, key and
 *      operations; one in the second group the same as its own route.
 *  (3) Refusals are remembered like successes; faults are not.
 *
 * Building never blocks and does no I/O. Every pawl_tx_* that adds something checks its arguments
 * against pawl/limits.h; the first that is wrong is remembered, named by operation and argument,
 * and makes every later call and the commit return it - so a caller may check once, at the commit.
 *
 * Committing again: once answered, the same transaction may be committed again as it is. With a key
 * that is the right thing to do after PAWL_E_OVERLOADED, PAWL_E_STORE_UNAVAILABLE or
 * PAWL_E_OUTCOME_UNKNOWN; without a key it is done again.
 *
 * Threads: one at a time. While in flight it is the engine's: pawl_tx_* return PAWL_E_INVALID and
 * change nothing. Memory: one object, which keeps what it has grown to (at most PAWL_TX_BYTES_MAX)
 * over pawl_tx_reset, so a loop that reuses objects allocates nothing per transaction.
 *
 * Ids, keys, names of locks, topics and queues: 1 to PAWL_ID_MAX visible ASCII bytes without '/'.
 * JSON values are parsed strictly (RFC 8259, no duplicate keys, integers within int64) and stored
 * with sorted keys and no spaces, so that two spellings of one value are one request.
 *
 * Sources: idempotency keys after draft-ietf-httpapi-idempotency-key-header-07; holds after
 * two-phase transfers in double-entry ledgers (TigerBeetle); fencing tokens after Gray and
 * Cheriton, "Leases" (1989), and Kleppmann (2016); outbox after Richardson's transactional outbox.
 */
#ifndef PAWL_TX_H
#define PAWL_TX_H

#include <stdbool.h>
#include <stdint.h>

#include "pawl/answer.h"
#include "pawl/error.h"
#include "pawl/export.h"

PAWL_BEGIN_DECLS

struct pawl;
struct pawl_tx;
struct pawl_order;

/* An empty transaction; p is borrowed until pawl_tx_free. PAWL_E_NOMEM. */
PAWL_EXPORT enum pawl_status pawl_tx_new(struct pawl *p, struct pawl_tx **ret,
                                         struct pawl_error *err);

/* Not while in flight (aborts: the engine would write to freed memory). NULL is allowed. */
PAWL_EXPORT void pawl_tx_free(struct pawl_tx *tx);

/* Back to EMPTY: no operations, no key, no remembered error, the handle's deadline. Keeps memory.
 * Not while in flight. */
PAWL_EXPORT void pawl_tx_reset(struct pawl_tx *tx);

/* The idempotency key, 1 to PAWL_KEY_MAX visible ASCII bytes. Make it where the intention arises
 * and keep it until the answer is known. */
PAWL_EXPORT enum pawl_status pawl_tx_key(struct pawl_tx *tx, const char *key);

/* How long the transaction may wait for its commit to start, in milliseconds, at least 1; after
 * that it ends with PAWL_E_OVERLOADED and nothing was done. */
PAWL_EXPORT enum pawl_status pawl_tx_deadline(struct pawl_tx *tx, int64_t deadline_ms);

/*
 * First group: up to PAWL_OPS_MAX operations in one transaction.
 */

/* Move amount. Refused: PAWL_E_NOT_FOUND (an account), PAWL_E_INSUFFICIENT (below the floor, holds
 * counted), PAWL_E_INVALID (units differ, the same account twice, a balance would leave int64).
 * "world:UNIT" exists for each unit and has no floor: money enters and leaves through it. */
PAWL_EXPORT enum pawl_status pawl_tx_transfer(struct pawl_tx *tx, const char *from, const char *to,
                                              int64_t amount);

/* Reserve amount for `to` for ttl_s seconds, 1 to PAWL_HOLD_TTL_MAX_S. It counts against what is
 * available in `from` at once and until it is captured, released or expired. Refused like a
 * transfer. Its id: pawl_answer_id. */
PAWL_EXPORT enum pawl_status pawl_tx_hold(struct pawl_tx *tx, const char *from, const char *to,
                                          int64_t amount, int64_t ttl_s);

/* Carry out a hold: amount of it, 0 = all that is left. final gives the rest back; otherwise it
 * stays held for further captures. Refused: PAWL_E_NOT_FOUND, PAWL_E_HOLD_EXPIRED,
 * PAWL_E_HOLD_FINISHED (released), PAWL_E_INSUFFICIENT (more than is left). A repeat of the capture
 * that ended the hold succeeds and changes nothing. */
PAWL_EXPORT enum pawl_status pawl_tx_capture(struct pawl_tx *tx, const char *hold, int64_t amount,
                                             bool final);

/* Give back what is left of a hold. A repeat succeeds. Refused: PAWL_E_NOT_FOUND,
 * PAWL_E_HOLD_EXPIRED, PAWL_E_HOLD_FINISHED (captured). */
PAWL_EXPORT enum pawl_status pawl_tx_release(struct pawl_tx *tx, const char *hold);

/* Conditions on a record: one of these, or the version that it must have. */
#define PAWL_IF_ANY    (-1) /* no condition */
#define PAWL_IF_EXISTS (-2) /* it exists, in any version */
#define PAWL_IF_ABSENT 0    /* it does not exist */

/* Write a record: any JSON value of at most PAWL_VALUE_MAX bytes in compact form. Its version is
 * the revision of the commit; versions are never used again, also not after a delete.
 * Refused: PAWL_E_VERSION_MISMATCH. */
PAWL_EXPORT enum pawl_status pawl_tx_put(struct pawl_tx *tx, const char *key, const char *json,
                                         int64_t if_version);

/* Refused: PAWL_E_NOT_FOUND, PAWL_E_VERSION_MISMATCH. */
PAWL_EXPORT enum pawl_status pawl_tx_delete(struct pawl_tx *tx, const char *key,
                                            int64_t if_version);

/* Only look: refuse the transaction unless the record has this version (a condition other than
 * PAWL_IF_ANY). Refused: PAWL_E_VERSION_MISMATCH, PAWL_E_NOT_FOUND. */
PAWL_EXPORT enum pawl_status pawl_tx_check(struct pawl_tx *tx, const char *key, int64_t version);

/* Only look: refuse the transaction unless at least this much may leave the account. Refused:
 * PAWL_E_NOT_FOUND, PAWL_E_INSUFFICIENT. */
PAWL_EXPORT enum pawl_status pawl_tx_check_account(struct pawl_tx *tx, const char *account,
                                                   int64_t available_min);

/* An event that is seen by readers exactly when the transaction committed, in commit order. key:
 * what order is kept by; NULL = none. At most PAWL_EVENT_MAX bytes. Never refused. */
PAWL_EXPORT enum pawl_status pawl_tx_emit(struct pawl_tx *tx, const char *topic, const char *key,
                                          const char *json);

/* A job that may be claimed delay_s seconds after the commit, 0 to PAWL_JOB_DELAY_MAX_S. At most
 * PAWL_EVENT_MAX bytes. Never refused. */
PAWL_EXPORT enum pawl_status pawl_tx_enqueue(struct pawl_tx *tx, const char *queue,
                                             const char *json, int64_t delay_s);

/* Refuse the transaction (PAWL_E_FENCED) unless token, at least 1, is the latest of this lock: a
 * writer that lost its lease can't commit. */
PAWL_EXPORT enum pawl_status pawl_tx_fence(struct pawl_tx *tx, const char *lock, int64_t token);

/*
 * Second group: each is a transaction of its own and stands alone in it. Answered with the
 * resource, like the route that is named.
 */

/* PUT /v1/accounts/{id}: make the account, or change the floor of the one that exists. unit: 1 to
 * PAWL_UNIT_MAX bytes like an id. Refused: PAWL_E_INSUFFICIENT (the balance is below the floor),
 * PAWL_E_EXISTS (in another unit), PAWL_E_INVALID (a world account has its own unit and no floor).
 *  */
PAWL_EXPORT enum pawl_status pawl_tx_account(struct pawl_tx *tx, const char *id, const char *unit,
                                             int64_t floor);

/* The same without a floor: the balance may be negative. */
PAWL_EXPORT enum pawl_status pawl_tx_account_nofloor(struct pawl_tx *tx, const char *id,
                                                     const char *unit);

/* PUT /v1/items/{sku}: make an item with this stock, 0 or more. Refused: PAWL_E_EXISTS. */
PAWL_EXPORT enum pawl_status pawl_tx_item(struct pawl_tx *tx, const char *sku, int64_t stock);

/* POST /v1/items/{sku}/restock. Refused: PAWL_E_NOT_FOUND, PAWL_E_INVALID (leaves int64). */
PAWL_EXPORT enum pawl_status pawl_tx_restock(struct pawl_tx *tx, const char *sku, int64_t quantity);

/* POST /v1/orders: all lines or none, see pawl/order.h. order is borrowed for the call. Refused:
 * PAWL_E_NOT_FOUND (an item, an account), PAWL_E_INSUFFICIENT. Its id: pawl_answer_id(answer, 0).
 *  */
PAWL_EXPORT enum pawl_status pawl_tx_order(struct pawl_tx *tx, const struct pawl_order *order);

/* POST /v1/orders/{id}/confirm: a held order is sold. A repeat succeeds. Refused: PAWL_E_NOT_FOUND,
 * PAWL_E_HOLD_EXPIRED, PAWL_E_HOLD_FINISHED (cancelled). */
PAWL_EXPORT enum pawl_status pawl_tx_confirm(struct pawl_tx *tx, const char *order);

/* POST /v1/orders/{id}/cancel: a held order is given back. A repeat succeeds. Refused:
 * PAWL_E_NOT_FOUND, PAWL_E_HOLD_EXPIRED, PAWL_E_HOLD_FINISHED (confirmed). */
PAWL_EXPORT enum pawl_status pawl_tx_cancel(struct pawl_tx *tx, const char *order);

/*
 * Commit and wait for the answer.
 *
 * PAWL_OK: *ret is the answer, the caller's; look at pawl_answer_code. PAWL_E_INVALID: the first
 * argument that was wrong, or no operation, or in flight. PAWL_E_OVERLOADED (the queue is full or
 * the deadline passed), PAWL_E_DRAINING, PAWL_E_STORE_UNAVAILABLE, PAWL_E_NOMEM: nothing was done.
 * PAWL_E_OUTCOME_UNKNOWN: commit it again with its key, or ask pawl_answer_find.
 * Not from a callback of the same handle: it would wait for itself.
 */
PAWL_EXPORT enum pawl_status pawl_tx_commit(struct pawl_tx *tx, struct pawl_answer **ret,
                                            struct pawl_error *err);

/*
 * st is what pawl_tx_commit would have returned; answer is NULL unless st is PAWL_OK, and borrowed
 * until the callback returns or tx is reset, submitted again or freed, whichever comes first - each
 * is allowed in the callback. Runs on the lane's thread, after the commit: it holds up all commits
 * while it runs, so it must not block; it may submit.
 */
typedef void (*pawl_tx_fn)(void *arg, enum pawl_status st, const struct pawl_answer *answer);

/* Commit and be told. PAWL_OK: fn will be called, exactly once, perhaps before this returns.
 * Otherwise (as in pawl_tx_commit) it never will be, and nothing was done. */
PAWL_EXPORT enum pawl_status pawl_tx_submit(struct pawl_tx *tx, pawl_tx_fn fn, void *arg,
                                            struct pawl_error *err);

PAWL_END_DECLS

#endif /* PAWL_TX_H */
