/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server/fields - the values of the request fields that mean something here. Pure.
 *
 * Limits: PAWL_KEY_MAX, PAWL_REQUEST_ID_MAX, ETAGS_MAX.
 */
#ifndef PAWL_SERVER_FIELDS_H
#define PAWL_SERVER_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/str.h"
#include "pawl/limits.h"

#define ETAGS_MAX 32 /* entity tags in one If-Match or If-None-Match */

/* Idempotency-Key: a string of RFC 8941 ("with \" and \\ escaped") or the same bare; 1 to
 * PAWL_KEY_MAX visible ASCII bytes once decoded. *ret points into value or mem. */
PAWL_MUST_CHECK bool pawl__field_key(struct str value, char mem[PAWL_KEY_MAX], struct str *ret);

/* One entity tag. Ours are versions; any other text is some other server's and matches nothing. */
struct etag {
	int64_t version; /* 0 = not one of ours */
	bool weak;
};

struct etags {
	bool any; /* * */
	uint32_t len;
	struct etag at[ETAGS_MAX];
};

/* If-Match or If-None-Match, RFC 9110 13.1: "*" or a list of entity tags. */
PAWL_MUST_CHECK bool pawl__field_etags(struct str value, struct etags *ret);

/* Does version match one of them? weak: the weak comparison of RFC 9110 8.8.3.2. */
bool pawl__etags_match(const struct etags *tags, int64_t version, bool weak);

/* Content-Type: application/json, with no charset but UTF-8. */
bool pawl__field_is_json(struct str value);

/* Accept: prefers application/openmetrics-text over text/plain; no weights but 0 are looked at. */
bool pawl__field_openmetrics(struct str value);

/* Authorization: Bearer TOKEN (RFC 6750 2.1). */
PAWL_MUST_CHECK bool pawl__field_bearer(struct str value, struct str *ret);

#endif /* PAWL_SERVER_FIELDS_H */
