/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "race/scenario/pointer.h"
#include "race/scenario/template.h"

static const char hex[] = "0123456789abcdef";

void pawl__json_escape(struct buf *out, struct str s)
{
	size_t i = 0;

	while (i < s.len) {
		const unsigned char c = (unsigned char)s.ptr[i];
		size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

		if (c < 0x20 || c == 0x7f) {
			buf_lit(out, "\\u00");
			pawl__buf_putc(out, hex[c >> 4]);
			pawl__buf_putc(out, hex[c & 15]);
		} else if (c == '"' || c == '\\') {
			pawl__buf_putc(out, '\\');
			pawl__buf_putc(out, (char)c);
		} else if (n <= s.len - i && pawl__str_utf8((struct str){ s.ptr + i, n })) {
			pawl__buf_put(out, s.ptr + i, n);
		} else {
			buf_lit(out, "\xef\xbf\xbd");
			n = 1;
		}
		i += n;
	}
}

/* Visible, and without a meaning in a URL; a captured path keeps its slashes. */
static void path_escape(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		const unsigned char c = (unsigned char)s.ptr[i];

		if (c > 0x20 && c < 0x7f && strchr("%?#\"<>\\^`{|}", c) == NULL) {
			pawl__buf_putc(out, (char)c);
			continue;
		}
		pawl__buf_putc(out, '%');
		pawl__buf_putc(out, hex[c >> 4]);
		pawl__buf_putc(out, hex[c & 15]);
	}
}

static bool header_fits(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		const unsigned char c = (unsigned char)s.ptr[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

static bool query_fits(struct str s)
{
	if (s.ptr == NULL)
		return s.len == 0;
	for (size_t i = 0; i < s.len; i++) {
		const unsigned char c = (unsigned char)s.ptr[i];

		if (c < 0x20 || c >= 0x7f || strchr("'\"\\;$`", c) != NULL)
			return false;
	}
	return memmem(s.ptr, s.len, "--", 2) == NULL && memmem(s.ptr, s.len, "/*", 2) == NULL;
}

/* The text that fills the hole. mem: for numbers. */
static enum pawl_status value_of(const struct hole *hole, const struct scope *scope,
                                 struct buf *mem, struct capture_value *ret, struct pawl_error *err)
{
	const struct names *names = scope->names;
	const struct capture_value *v;

	switch (hole->kind) {
	case HOLE_CLIENT:
		pawl__buf_u64(mem, scope->client);
		break;
	case HOLE_ROUND:
		pawl__buf_u64(mem, scope->round);
		break;
	case HOLE_NUMBER:
		pawl__buf_u64(mem, scope->number);
		break;
	case HOLE_RANDOM:
		pawl__buf_u64(mem, scope->random);
		break;
	case HOLE_ENV:
		*ret = (struct capture_value){ .text = names->env[hole->index].value };
		return PAWL_OK;
	case HOLE_CAPTURE:
		v = names->captures[hole->index].owner == OWNER_ROUND ? scope->of_round
		                                                      : scope->of_client;
		if (v == NULL || v[hole->index].text.ptr == NULL)
			return pawl__error_set(err, PAWL_E_NOT_FOUND,
			                       "nothing was captured as {%s}",
			                       names->captures[hole->index].name.ptr);
		*ret = v[hole->index];
		return PAWL_OK;
	case HOLE_NONE:
	case HOLE_ANSWER:
		break;
	}
	*ret = (struct capture_value){ .text = buf_get(mem), .bare = hole->number };
	return PAWL_OK;
}

static enum pawl_status value_put(const struct hole *hole, struct capture_value v, struct buf *out,
                                  struct pawl_error *err)
{
	switch (hole->use) {
	case USE_TEXT:
		buf_str(out, v.text);
		return PAWL_OK;
	case USE_HEADER:
		if (!header_fits(v.text))
			return pawl__error_set(
				err, PAWL_E_INVALID,
				"a value with control bytes cannot go into a header");
		buf_str(out, v.text);
		return PAWL_OK;
	case USE_PATH:
		path_escape(out, v.text);
		return PAWL_OK;
	case USE_QUERY:
		if (!query_fits(v.text))
			return pawl__error_set(
				err, PAWL_E_INVALID,
				"a value with quotes or control bytes cannot go into SQL");
		buf_str(out, v.text);
		return PAWL_OK;
	case USE_JSON:
		if (hole->number && !pawl__pointer_number(v.text))
			return pawl__error_set(err, PAWL_E_INVALID, "{int:} of what is no number");
		if (hole->bare && !v.bare && !hole->number)
			buf_lit(out, "\"");
		pawl__json_escape(out, v.text);
		if (hole->bare && !v.bare && !hole->number)
			buf_lit(out, "\"");
		return PAWL_OK;
	}
	UNREACHABLE();
}

static enum pawl_status hole_fill(const struct hole *hole, const struct scope *scope,
                                  struct buf *out, struct pawl_error *err)
{
	struct capture_value v = { .text = STR_NONE };
	enum pawl_status st;
	char digits[24];
	struct buf mem;

	if (hole->kind == HOLE_NONE) {
		buf_str(out, hole->text);
		return PAWL_OK;
	}
	if (hole->kind == HOLE_ANSWER) {
		if (!pawl__pointer_json(scope->answer, hole->text, out))
			buf_lit(out, "null");
		return PAWL_OK;
	}
	pawl__buf_init_fixed(&mem, digits, sizeof(digits));
	st = value_of(hole, scope, &mem, &v, err);
	return st == PAWL_OK ? value_put(hole, v, out, err) : st;
}

enum pawl_status pawl__template_expand(const struct template *t, const struct scope *scope,
                                       struct buf *out, struct pawl_error *err)
{
	for (uint32_t i = 0; i < t->len; i++) {
		const enum pawl_status st = hole_fill(&t->holes[i], scope, out, err);

		if (st != PAWL_OK)
			return st;
	}
	if (out->overflow)
		return pawl__error_set(err, PAWL_E_TOO_LARGE, "a request is over its limit");
	return PAWL_OK;
}

/* The length of the secret that s begins with, in either form; 0 = none. */
static size_t secret_at(struct str s, struct str value)
{
	char mem[2048];
	struct buf escaped;

	if (value.len > 0 && str_starts(s, value))
		return value.len;
	pawl__buf_init_fixed(&escaped, mem, sizeof(mem));
	pawl__json_escape(&escaped, value);
	if (!escaped.overflow && escaped.len > 0 && str_starts(s, buf_get(&escaped)))
		return escaped.len;
	pawl__buf_reset(&escaped);
	path_escape(&escaped, value);
	if (!escaped.overflow && escaped.len > 0 && str_starts(s, buf_get(&escaped)))
		return escaped.len;
	return 0;
}

void pawl__names_redact(const struct names *names, struct str s, struct buf *out)
{
	size_t i = 0;

	while (i < s.len) {
		const struct str rest = { s.ptr + i, s.len - i };
		size_t n = 0;
		uint32_t best = 0;

		for (uint32_t j = 0; j < names->env_len; j++) {
			const size_t len = secret_at(rest, names->env[j].value);

			if (len > n) {
				n = len;
				best = j;
			}
		}
		if (n == 0) {
			pawl__buf_putc(out, s.ptr[i++]);
			continue;
		}
		buf_lit(out, "{env:");
		buf_str(out, names->env[best].name);
		buf_lit(out, "}");
		i += n;
	}
}
