/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes from outside of a body: values of fields, parameters of paths, the token file, the
 * address to listen on. The whole input is given to each.
 *
 * They never crash or read past the value. A key that was read is a key, and is read again from its
 * quoted form; entity tags that were read match what they say; a decoded parameter is what its
 * escaped form gives.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/buf.h"
#include "server/address.h"
#include "server/auth.h"
#include "server/fields.h"
#include "server/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void key(struct str value)
{
	char mem[PAWL_KEY_MAX], again_mem[PAWL_KEY_MAX], quoted[2 * PAWL_KEY_MAX + 2];
	struct str k, again;
	struct buf b;

	if (!pawl__field_key(value, mem, &k))
		return;
	INVARIANT(pawl__str_visible(k, PAWL_KEY_MAX, true));
	pawl__buf_init_fixed(&b, quoted, sizeof(quoted));
	pawl__buf_putc(&b, '"');
	for (size_t i = 0; i < k.len; i++) {
		if (k.ptr[i] == '"' || k.ptr[i] == '\\')
			pawl__buf_putc(&b, '\\');
		pawl__buf_putc(&b, k.ptr[i]);
	}
	pawl__buf_putc(&b, '"');
	INVARIANT(pawl__field_key(buf_get(&b), again_mem, &again) && str_eq(k, again));
}

static void etags(struct str value)
{
	struct etags tags;

	if (!pawl__field_etags(value, &tags))
		return;
	INVARIANT(tags.any || tags.len > 0);
	INVARIANT(!pawl__etags_match(&tags, 0, true));
	for (uint32_t i = 0; i < tags.len; i++) {
		INVARIANT(tags.at[i].version >= 0);
		INVARIANT(tags.at[i].version == 0 ||
		          pawl__etags_match(&tags, tags.at[i].version, true));
	}
}

static void param(struct str value, bool slash)
{
	static const char hex[] = "0123456789abcdef";
	char *mem = malloc(value.len + 1), *again_mem = malloc(value.len + 1);
	struct str p, again;
	struct buf escaped;

	INVARIANT(mem != NULL && again_mem != NULL);
	if (pawl__route_param(value, slash, mem, &p)) {
		INVARIANT(p.len <= value.len);
		pawl__buf_init(&escaped, 3 * p.len + 1);
		for (size_t i = 0; i < p.len; i++) {
			const unsigned char c = (unsigned char)p.ptr[i];

			/* NUL and, without slash, '/' are not escapable. */
			if (c == '\0' || (c == '/' && !slash)) {
				pawl__buf_putc(&escaped, (char)c);
				continue;
			}
			pawl__buf_putc(&escaped, '%');
			pawl__buf_putc(&escaped, hex[c >> 4]);
			pawl__buf_putc(&escaped, hex[c & 15]);
		}
		INVARIANT(!escaped.overflow);
		free(again_mem);
		again_mem = malloc(escaped.len + 1);
		INVARIANT(again_mem != NULL);
		INVARIANT(pawl__route_param(buf_get(&escaped), slash, again_mem, &again));
		INVARIANT(str_eq(p, again));
		pawl__buf_deinit(&escaped);
	}
	free(mem);
	free(again_mem);
}

static void routes(struct str value)
{
	struct route_match m;

	pawl__route_find(HTTP_GET, value, &m);
	INVARIANT(m.route == NULL || m.path_known);
	INVARIANT(m.route == NULL || m.param.len < value.len);
}

static void tokens(struct str value)
{
	struct auth *a = NULL;
	struct pawl_error err;
	struct str caller;

	if (pawl__auth_parse(value, &a, &err) != PAWL_OK)
		return;
	INVARIANT(pawl__auth_len(a) > 0);
	INVARIANT(!pawl__auth_find(a, STR("\n"), &caller));
	pawl__auth_free(a);
}

static void address(struct str value)
{
	char *text = malloc(value.len + 1);
	struct address a;

	INVARIANT(text != NULL);
	if (value.len > 0)
		memcpy(text, value.ptr, value.len);
	text[value.len] = '\0';
	if (pawl__address_parse(text, &a))
		(void)pawl__address_local(&a);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct str value = { (const char *)data, size };
	struct str token;

	if (size == 0)
		return 0;
	key(value);
	etags(value);
	param(value, false);
	param(value, true);
	routes(value);
	tokens(value);
	address(value);
	(void)pawl__field_is_json(value);
	(void)pawl__field_openmetrics(value);
	if (pawl__field_bearer(value, &token))
		INVARIANT(pawl__str_visible(token, size, true));
	return 0;
}
