/* SPDX-License-Identifier: Apache-2.0 */
#include "server/fields.h"

#include <strings.h>

#include "base/num.h"

static struct str tail(struct str s, size_t from)
{
	return (struct str){ s.ptr + from, s.len - from };
}

static struct str trimmed(struct str s)
{
	while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
		s = tail(s, 1);
	while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
		s.len--;
	return s;
}

static bool is_word(struct str s, struct str word)
{
	return s.len == word.len && strncasecmp(s.ptr, word.ptr, word.len) == 0;
}

/* Cut what comes before sep off *rest; the last piece leaves *rest with ptr NULL. */
static struct str next_piece(struct str *rest, char sep)
{
	const char *end = rest->len == 0 ? NULL : memchr(rest->ptr, sep, rest->len);
	struct str piece = *rest;

	if (end == NULL) {
		*rest = STR_NONE;
		return trimmed(piece);
	}
	piece.len = (size_t)(end - rest->ptr);
	*rest = tail(*rest, piece.len + 1);
	return trimmed(piece);
}

/* The inside of a quoted string: an escape is \" or \\ and nothing else. */
static bool key_unquote(struct str s, char mem[PAWL_KEY_MAX], struct str *ret)
{
	size_t len = 0;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (c == '"')
			return false;
		if (c == '\\') {
			i++;
			if (i == s.len || (s.ptr[i] != '"' && s.ptr[i] != '\\'))
				return false;
			c = s.ptr[i];
		}
		if (len == PAWL_KEY_MAX)
			return false;
		mem[len++] = c;
	}
	*ret = (struct str){ mem, len };
	return true;
}

bool pawl__field_key(struct str value, char mem[PAWL_KEY_MAX], struct str *ret)
{
	struct str key = value;

	if (value.len > 0 && value.ptr[0] == '"') {
		if (value.len < 2 || value.ptr[value.len - 1] != '"')
			return false;
		if (!key_unquote((struct str){ value.ptr + 1, value.len - 2 }, mem, &key))
			return false;
	}
	if (!pawl__str_visible(key, PAWL_KEY_MAX, true))
		return false;
	*ret = key;
	return true;
}

/* One entity tag at the front of *s: [W/] DQUOTE *etagc DQUOTE. */
static bool take_etag(struct str *s, struct etag *ret)
{
	struct str text = *s;
	size_t len = 0;

	ret->weak = str_starts(text, STR("W/"));
	if (ret->weak)
		text = tail(text, 2);
	if (text.len == 0 || text.ptr[0] != '"')
		return false;
	text = tail(text, 1);
	while (len < text.len && text.ptr[len] != '"') {
		const unsigned char c = (unsigned char)text.ptr[len++];

		if (c < 0x21 || c == 0x7f)
			return false;
	}
	if (len == text.len)
		return false;
	/* "0" is not a version: it would read as a condition that there is none. */
	if (!pawl__num_parse_i64((struct str){ text.ptr, len }, &ret->version) || ret->version < 1)
		ret->version = 0;
	*s = tail(text, len + 1);
	return true;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

bool pawl__field_etags(struct str value, struct etags *ret)
{
	struct str s = trimmed(value);
	bool comma = true;

	*ret = (struct etags){ .any = str_eq(s, STR("*")) };
	if (ret->any)
		return true;
	while (s.len > 0) {
		if (is_space(s.ptr[0]) || s.ptr[0] == ',') {
			/* Empty elements are allowed (RFC 9110 5.6.1.2). */
			comma = comma || s.ptr[0] == ',';
			s = tail(s, 1);
			continue;
		}
		if (!comma || ret->len == ETAGS_MAX || !take_etag(&s, &ret->at[ret->len]))
			return false;
		ret->len++;
		comma = false;
	}
	return ret->len > 0;
}

bool pawl__etags_match(const struct etags *tags, int64_t version, bool weak)
{
	if (tags->any)
		return version != 0;
	for (uint32_t i = 0; i < tags->len; i++) {
		if (version != 0 && tags->at[i].version == version && (weak || !tags->at[i].weak))
			return true;
	}
	return false;
}

bool pawl__field_is_json(struct str value)
{
	struct str rest = value;

	if (!is_word(next_piece(&rest, ';'), STR("application/json")))
		return false;
	while (rest.ptr != NULL) {
		const struct str param = next_piece(&rest, ';');

		if (param.len > 8 && is_word((struct str){ param.ptr, 8 }, STR("charset=")) &&
		    !is_word(tail(param, 8), STR("utf-8")) &&
		    !is_word(tail(param, 8), STR("\"utf-8\"")))
			return false;
	}
	return true;
}

/* "q=0", "q=0.0", ..: not wanted. */
static bool refuses(struct str params)
{
	while (params.ptr != NULL) {
		struct str p = next_piece(&params, ';');

		if (p.len < 3 || !is_word((struct str){ p.ptr, 2 }, STR("q=")))
			continue;
		p = tail(p, 2);
		while (p.len > 0 && (p.ptr[0] == '0' || p.ptr[0] == '.'))
			p = tail(p, 1);
		return p.len == 0;
	}
	return false;
}

bool pawl__field_openmetrics(struct str value)
{
	struct str rest = value;

	while (rest.ptr != NULL) {
		struct str params = next_piece(&rest, ',');
		const struct str type = next_piece(&params, ';');

		if (is_word(type, STR("application/openmetrics-text")) && !refuses(params))
			return true;
	}
	return false;
}

bool pawl__field_bearer(struct str value, struct str *ret)
{
	struct str token;

	if (value.len < 8 || !is_word((struct str){ value.ptr, 7 }, STR("Bearer ")))
		return false;
	token = trimmed(tail(value, 7));
	if (!pawl__str_visible(token, token.len, true))
		return false;
	*ret = token;
	return true;
}
