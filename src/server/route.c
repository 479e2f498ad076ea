/* SPDX-License-Identifier: Apache-2.0 */
#include "server/route.h"

#include <strings.h>

#include "base/assert.h"
#include "server/call.h"

#define WRITE(method, path, form)                                                                  \
	{                                                                                          \
		HTTP_##method, #method " " path, ROUTE_WRITE, pawl__call_write, form, NULL         \
	}
#define READ(path, flags, kind)                                                                    \
	{                                                                                          \
		HTTP_GET, "GET " path, flags, pawl__call_read, 0, kind                             \
	}
#define SELF(path, flags, handler)                                                                 \
	{                                                                                          \
		HTTP_GET, "GET " path, flags, handler, 0, NULL                                     \
	}

const struct route pawl__routes[] = {
	WRITE(POST, "/v1/tx", FORM_TX),
	WRITE(POST, "/v1/orders", FORM_ORDER),
	WRITE(POST, "/v1/transfers", FORM_TRANSFER),
	WRITE(POST, "/v1/holds", FORM_HOLD),
	WRITE(PUT, "/v1/accounts/{id}", FORM_ACCOUNT),
	READ("/v1/accounts/{id}", 0, &pawl__read_account),
	WRITE(POST, "/v1/holds/{id}/capture", FORM_CAPTURE),
	WRITE(POST, "/v1/holds/{id}/release", FORM_RELEASE),
	READ("/v1/holds/{id}", 0, &pawl__read_hold),
	WRITE(PUT, "/v1/items/{sku}", FORM_ITEM),
	WRITE(POST, "/v1/items/{sku}/restock", FORM_RESTOCK),
	READ("/v1/items/{sku}", 0, &pawl__read_item),
	WRITE(POST, "/v1/orders/{id}/confirm", FORM_CONFIRM),
	WRITE(POST, "/v1/orders/{id}/cancel", FORM_CANCEL),
	READ("/v1/orders/{id}", 0, &pawl__read_order),
	READ("/v1/records/{key}", 0, &pawl__read_record),
	WRITE(PUT, "/v1/records/{key}", FORM_RECORD_PUT),
	WRITE(DELETE, "/v1/records/{key}", FORM_RECORD_DELETE),
	READ("/v1/answers/{key}", ROUTE_KEY, &pawl__read_answer),
	READ("/v1/doctor", 0, &pawl__read_doctor),
	SELF("/livez", ROUTE_OPEN, pawl__get_livez),
	SELF("/readyz", ROUTE_OPEN, pawl__get_readyz),
	SELF("/metrics", 0, pawl__get_metrics),
};

const size_t pawl__routes_len = ARRAY_LEN(pawl__routes);

static_assert(ARRAY_LEN(pawl__routes) <= ROUTES_MAX, "the counters have a row for each");

struct str pawl__route_pattern(const struct route *route)
{
	const struct str text = pawl__str_of(route->text);
	const char *space = memchr(text.ptr, ' ', text.len);

	PRE(space != NULL);
	return (struct str){ space + 1, text.len - (size_t)(space + 1 - text.ptr) };
}

/* Whether path is an instance of pattern; *ret is its parameter. slash: the parameter ends the
 * path and may hold '/'. */
static bool pattern_matches(struct str pattern, struct str path, bool slash, struct str *ret)
{
	const char *brace = memchr(pattern.ptr, '{', pattern.len);
	size_t head, rest, len;

	if (brace == NULL) {
		*ret = STR_NONE;
		return str_eq(pattern, path);
	}
	head = (size_t)(brace - pattern.ptr);
	if (path.len <= head || memcmp(path.ptr, pattern.ptr, head) != 0)
		return false;
	rest = pattern.len - head;
	rest -= (size_t)((const char *)memchr(brace, '}', rest) + 1 - brace);
	if (path.len < head + rest)
		return false;
	len = path.len - head - rest;
	*ret = (struct str){ path.ptr + head, len };
	if (len == 0 || (!slash && memchr(ret->ptr, '/', len) != NULL))
		return false;
	return memcmp(path.ptr + path.len - rest, pattern.ptr + pattern.len - rest, rest) == 0;
}

void pawl__route_find(enum http_method method, struct str path, struct route_match *ret)
{
	const enum http_method want = method == HTTP_HEAD ? HTTP_GET : method;

	*ret = (struct route_match){ 0 };
	for (size_t i = 0; i < pawl__routes_len; i++) {
		const struct route *r = &pawl__routes[i];
		struct str param;

		if (!pattern_matches(pawl__route_pattern(r), path, (r->flags & ROUTE_KEY) != 0,
		                     &param))
			continue;
		ret->path_known = true;
		ret->methods |= 1U << r->method;
		if (r->method == want) {
			ret->route = r;
			ret->param = param;
			return;
		}
	}
}

/* Escaped slashes are put back between the pieces that the strict decoder has read. */
bool pawl__route_param(struct str raw, bool slash, char *mem, struct str *ret)
{
	size_t len = 0, from = 0;

	for (size_t i = 0; i <= raw.len; i++) {
		const bool end = i == raw.len;
		struct str piece;

		if (!end && !(slash && raw.len - i >= 3 && strncasecmp(raw.ptr + i, "%2F", 3) == 0))
			continue;
		if (!pawl__http1_unescape((struct str){ raw.ptr + from, i - from }, mem + len,
		                          raw.len - len, &piece))
			return false;
		len += piece.len;
		if (!end) {
			mem[len++] = '/';
			from = i + 3;
			i += 2;
		}
	}
	*ret = (struct str){ mem, len };
	return true;
}
