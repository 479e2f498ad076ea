/* SPDX-License-Identifier: Apache-2.0 */
#include "api/canon.h"

#include <jansson.h>
#include <sodium.h>

#include "base/assert.h"
#include "pawl/limits.h"

bool pawl__canon_depth_ok(struct str text, unsigned max)
{
	unsigned depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < text.len; i++) {
		switch (text.ptr[i]) {
		case '"':
			in_string = !in_string;
			break;
		case '\\':
			i += in_string ? 1 : 0;
			break;
		case '[':
		case '{':
			if (!in_string && ++depth > max)
				return false;
			break;
		case ']':
		case '}':
			if (!in_string && depth > 0)
				depth--;
			break;
		default:
			break;
		}
	}
	return true;
}

static int canon_write(const char *data, size_t len, void *arg)
{
	struct buf *b = arg;

	pawl__buf_put(b, data, len);
	return b->overflow ? -1 : 0;
}

static void json_freep(json_t **json)
{
	json_decref(*json);
}

enum pawl_status pawl__canon_json(struct str text, size_t max, struct buf *b, const char **ret_why)
{
	PAWL_CLEANUP(json_freep) json_t *json = NULL;
	const size_t start = b->len;
	const char *why = NULL;
	json_error_t error;

	/* Before the parser, which recurses. */
	if (text.len > PAWL_BODY_MAX) {
		why = "is too long";
	} else if (!pawl__canon_depth_ok(text, PAWL_JSON_DEPTH_MAX)) {
		why = "nests too deep";
	} else {
		json = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY,
		                  &error);
		if (json == NULL && json_error_code(&error) == json_error_out_of_memory)
			return PAWL_E_NOMEM;
		if (json == NULL)
			why = "is not one valid JSON value";
	}
	if (why == NULL && json_dump_callback(json, canon_write, b,
	                                      JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY) != 0)
		return PAWL_E_NOMEM;
	if (why == NULL && b->len - start > max)
		why = "is too long";
	if (why == NULL)
		return PAWL_OK;
	b->len = start;
	if (ret_why != NULL)
		*ret_why = why;
	return PAWL_E_INVALID;
}

enum pawl_status pawl__canon_fingerprint(struct tx *tx, struct buf *scratch)
{
	pawl__buf_reset(scratch);
	pawl__tx_canonical(tx, scratch);
	if (scratch->overflow)
		return PAWL_E_NOMEM;
	INVARIANT(crypto_generichash(tx->fingerprint, sizeof(tx->fingerprint),
	                             (const unsigned char *)scratch->data, scratch->len, NULL,
	                             0) == 0);
	return PAWL_OK;
}
