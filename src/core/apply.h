/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/apply - the transaction: rows and a request in, rows and an answer out. Pure: no I/O, no
 * clock, no heap, no randomness; the same working set and the same transactions give the same
 * bytes on every store.
 *
 * The driver (engine/lane) does, for a batch:
 *
 *     pawl__ws_init
 *     repeat: pawl__apply_needs for each tx; load what is wanted   -- at most APPLY_ROUNDS_MAX
 *             pawl__apply_expire for each account whose holds are due
 *     pawl__apply for each tx, in arrival order                    -- decides
 *     store flush, commit; only then are answers given
 *
 * Promises:
 *  (1) All operations of a transaction or none. They are applied in order and a later one sees the
 *      earlier ones; the first that is refused refuses the whole and is named in the answer.
 *  (2) A refusal changes no row but its own remembered answer.
 *  (3) A key that was answered is answered the same again: body, status, ETag, Location. The same
 *      key with another fingerprint is PAWL_E_KEY_REUSED and says nothing of the first answer.
 *      The key is looked up before any condition, so a retried compare-and-set replays its success.
 *  (4) Every amount moves from one account to another of the same unit: each unit sums to zero.
 *  (5) Expiry is decided by now >= expires_us, now being the batch's time, whoever sweeps.
 */
#ifndef PAWL_CORE_APPLY_H
#define PAWL_CORE_APPLY_H

#include "core/tx.h"
#include "core/ws.h"

/* order -> its holds -> their accounts, after the rows that the request itself names */
#define APPLY_ROUNDS_MAX 4

/* Forget what an earlier batch found for tx: before its first pawl__apply_needs in a new one. */
void pawl__apply_reset(struct tx *tx);

/* Put every row that tx needs, as far as the loaded rows tell, on the wanted list. Sets tx->ready
 * when nothing more is missing. Call again after each load until it is. */
void pawl__apply_needs(struct ws *ws, struct tx *tx);

/* An account row that was just loaded with due_us in (0, now]: `freed` is the sum of what its due
 * holds still held, which the store has marked expired under pawl__ws_expiry_revision(ws);
 * due_us the next expiry, 0 = none left. */
void pawl__apply_expire(struct ws *ws, struct ws_entry *account, int64_t freed, int64_t due_us);

/* Decide tx and write its answer to *ret. tx->ready. With ws->failed on return nothing holds. */
void pawl__apply(struct ws *ws, struct tx *tx, struct tx_answer *ret);

#endif /* PAWL_CORE_APPLY_H */
