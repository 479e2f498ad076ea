/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pawl/answer.h - what a transaction was answered: accepted, or refused and why.
 *
 * An answer rests on a commit and never changes: whoever asks again with the same idempotency key
 * gets it again, byte for byte, over HTTP and through this library alike.
 *
 * Ownership: an answer returned through `ret` is the caller's and ends with pawl_answer_free. One
 * that is handed to a callback is borrowed for that call; pawl_answer_dup keeps it.
 * Threads: an answer does not change, so any number may read it.
 */
#ifndef PAWL_ANSWER_H
#define PAWL_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pawl/error.h"
#include "pawl/export.h"

PAWL_BEGIN_DECLS

struct pawl;
struct pawl_answer;

/* Bytes of the text form of a hold's, order's, transfer's, event's or job's id, with the NUL. */
#define PAWL_ID_TEXT_SIZE 14

/* PAWL_OK, or why the transaction was refused: PAWL_E_INSUFFICIENT, PAWL_E_NOT_FOUND,
 * PAWL_E_VERSION_MISMATCH and the other verdicts of pawl/status.h. */
PAWL_EXPORT enum pawl_status pawl_answer_code(const struct pawl_answer *a);

/* The index of the operation that was refused, counted from 0; -1 = none. */
PAWL_EXPORT int pawl_answer_op(const struct pawl_answer *a);

/* This key had been answered before, and here is that answer: nothing was done this time. */
PAWL_EXPORT bool pawl_answer_replayed(const struct pawl_answer *a);

/* The commit's place in the order of all commits, growing; 0 when refused. The version of every row
 * that the transaction changed. */
PAWL_EXPORT int64_t pawl_answer_revision(const struct pawl_answer *a);

/* Version of the one record or resource that the request was about; 0 = none. */
PAWL_EXPORT int64_t pawl_answer_etag(const struct pawl_answer *a);

/* The status line that HTTP gives: 200, 201, 204, 404, 409, 412, 422 .. */
PAWL_EXPORT int pawl_answer_http(const struct pawl_answer *a);

/*
 * The body, as HTTP gives it: for a transaction {"committed":true,"revision":N,"results":[..]} with
 * one result per operation, for a refusal a problem document (RFC 9457). NUL-terminated and as old
 * as the answer; "" where there is no body. ret_len may be NULL. NULL only when memory ran out for
 * the text: the verdict stands.
 */
PAWL_EXPORT const char *pawl_answer_json(const struct pawl_answer *a, size_t *ret_len);

/*
 * The id that operation `op` gave to what it created: a hold, an order, a transfer, an event, a
 * job. PAWL_E_NOT_FOUND: it created nothing with an id, or there is no such operation, or the
 * transaction was refused. PAWL_E_NOMEM.
 */
PAWL_EXPORT enum pawl_status pawl_answer_id(const struct pawl_answer *a, unsigned op,
                                            char ret[PAWL_ID_TEXT_SIZE]);

/* A copy that is the caller's. PAWL_E_NOMEM. */
PAWL_EXPORT enum pawl_status pawl_answer_dup(const struct pawl_answer *a, struct pawl_answer **ret,
                                             struct pawl_error *err);

/* NULL is allowed. Only for an answer that was returned through `ret`. */
PAWL_EXPORT void pawl_answer_free(struct pawl_answer *a);

/*
 * What happened to an idempotency key of this handle's caller. For whoever got
 * PAWL_E_OUTCOME_UNKNOWN, or died before the answer came.
 *
 * PAWL_OK: this is its answer. PAWL_E_NOT_FOUND: no answer rests on a commit; a transaction that is
 * still in flight may yet be answered. PAWL_E_INVALID: not a key. PAWL_E_STORE_UNAVAILABLE and
 * other faults of the store. Any thread.
 */
PAWL_EXPORT enum pawl_status pawl_answer_find(struct pawl *p, const char *key,
                                              struct pawl_answer **ret, struct pawl_error *err);

PAWL_END_DECLS

#endif /* PAWL_ANSWER_H */
