/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/canon - one text for one JSON value, one fingerprint for one request: libpawl and the server
 * must agree on both to the byte, or a retry over the other way in would be another request.
 *
 * Canonical: parsed strictly by RFC 8259 (no duplicate keys, no NUL, integers within int64, at most
 * PAWL_JSON_DEPTH_MAX levels), printed with sorted keys and without spaces.
 * Threads: pure functions of their arguments.
 */
#ifndef PAWL_API_CANON_H
#define PAWL_API_CANON_H

#include "base/buf.h"
#include "base/compiler.h"
#include "core/tx.h"

/* Append the canonical form of text to b. PAWL_E_INVALID: not one JSON value, or the form is over
 * max bytes; *ret_why, when not NULL, is a constant text. PAWL_E_NOMEM: b overflowed. */
PAWL_MUST_CHECK enum pawl_status pawl__canon_json(struct str text, size_t max, struct buf *b,
                                                  const char **ret_why);

/* Does text nest at most max levels of [] and {}? Looks at brackets outside of strings only. */
bool pawl__canon_depth_ok(struct str text, unsigned max);

/* Set tx->fingerprint: BLAKE2b-256 of pawl__tx_canonical, made in scratch (reset first).
 * PAWL_E_NOMEM: scratch overflowed. */
PAWL_MUST_CHECK enum pawl_status pawl__canon_fingerprint(struct tx *tx, struct buf *scratch);

#endif /* PAWL_API_CANON_H */
