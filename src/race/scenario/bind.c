/* SPDX-License-Identifier: Apache-2.0 */
#include "race/scenario/bind.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/num.h"
#include "base/suggest.h"
#include "race/scenario/pointer.h"

enum pawl_status pawl__bind_nomem(struct parse *p)
{
	return pawl__error_set(p->err, PAWL_E_NOMEM, "out of memory");
}

enum pawl_status pawl__bind_refuse(struct parse *p, const struct tree *v, const char *fmt, ...)
{
	char text[PAWL_ERROR_TEXT_MAX], word[TREE_WORD_MAX + 1];
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	if (v->key == NULL)
		return pawl__tree_refuse(p->err, v, 0, "%s", text);
	return pawl__tree_refuse(p->err, v, 0, "%s %s", pawl__tree_word(v->key->text, word), text);
}

static enum pawl_status unknown(struct parse *p, const struct tree *v, const char *what,
                                const struct member *members, size_t len)
{
	char word[TREE_WORD_MAX + 1];
	struct suggestion s;

	pawl__suggest_init(&s, pawl__tree_word(v->key->text, word));
	for (size_t i = 0; i < len; i++)
		pawl__suggest_consider(&s, members[i].name);
	if (s.best == NULL)
		return pawl__tree_refuse(p->err, v->key, 0, "%s has no \"%s\"", what, word);
	return pawl__tree_refuse(p->err, v->key, 0, "%s has no \"%s\"; did you mean \"%s\"?", what,
	                         word, s.best);
}

static bool known(const struct tree *v, const struct member *members, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (str_eq(v->key->text, pawl__str_of(members[i].name)))
			return true;
	}
	return false;
}

enum pawl_status pawl__bind(struct parse *p, const struct tree *node, const char *what,
                            const struct member *members, size_t len, void *into)
{
	if (node->kind != TREE_MAP)
		return pawl__tree_refuse(p->err, node, 0, "%s must be a mapping", what);
	tree_each(v, node)
	{
		if (!known(v, members, len))
			return unknown(p, v, what, members, len);
	}
	for (size_t i = 0; i < len; i++) {
		const struct member *m = &members[i];
		const struct tree *v = pawl__tree_member(node, pawl__str_of(m->name));
		enum pawl_status st;

		if (v == NULL && m->required)
			return pawl__tree_refuse(p->err, node, 0, "%s needs \"%s\"", what, m->name);
		if (v == NULL)
			continue;
		st = m->take(p, m, v, (char *)into + m->offset);
		if (st != PAWL_OK)
			return st;
	}
	return PAWL_OK;
}

enum pawl_status pawl__take_ignored(struct parse *p, const struct member *m, const struct tree *v,
                                    void *at)
{
	(void)p, (void)m, (void)v, (void)at;
	return PAWL_OK;
}

enum pawl_status pawl__take_text(struct parse *p, const struct member *m, const struct tree *v,
                                 void *at)
{
	if (v->kind != TREE_SCALAR || v->text.len == 0 || v->text.len > (size_t)m->max ||
	    !pawl__str_utf8(v->text))
		return pawl__bind_refuse(p, v, "must be text of 1 to %lld bytes",
		                         (long long)m->max);
	for (size_t i = 0; i < v->text.len; i++) {
		const unsigned char c = (unsigned char)v->text.ptr[i];

		if (c == 0x7f || (c < 0x20 && c != '\n'))
			return pawl__bind_refuse(p, v, "must not have control bytes");
	}
	*(struct str *)at = v->text;
	return PAWL_OK;
}

enum pawl_status pawl__take_number(struct parse *p, const struct member *m, const struct tree *v,
                                   void *at)
{
	int64_t n;

	if (v->kind != TREE_SCALAR || !v->plain || !pawl__num_parse_i64(v->text, &n) ||
	    n < m->min || n > m->max)
		return pawl__bind_refuse(p, v, "must be a whole number from %lld to %lld",
		                         (long long)m->min, (long long)m->max);
	*(int64_t *)at = n;
	return PAWL_OK;
}

enum pawl_status pawl__take_count(struct parse *p, const struct member *m, const struct tree *v,
                                  void *at)
{
	int64_t n = 0;
	const enum pawl_status st = pawl__take_number(p, m, v, &n);

	PRE(m->min >= 0 && m->max <= UINT32_MAX);
	if (st == PAWL_OK)
		*(uint32_t *)at = (uint32_t)n;
	return st;
}

bool pawl__duration_parse(struct str s, int64_t *ret_us)
{
	static const struct {
		struct str suffix;
		int64_t us;
	} units[] = {
		{ { "us", 2 }, 1 },
		{ { "ms", 2 }, 1000 },
		{ { "s", 1 }, 1000000 },
		{ { "m", 1 }, INT64_C(60000000) },
	};

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		const struct str suffix = units[i].suffix;
		int64_t n;

		if (s.len <= suffix.len ||
		    memcmp(s.ptr + s.len - suffix.len, suffix.ptr, suffix.len) != 0)
			continue;
		/* "5ms" also ends in "s", but "5m" is no number. */
		if (pawl__num_parse_i64((struct str){ s.ptr, s.len - suffix.len }, &n))
			return num_mul(n, units[i].us, ret_us);
	}
	return false;
}

enum pawl_status pawl__take_duration(struct parse *p, const struct member *m, const struct tree *v,
                                     void *at)
{
	int64_t us;

	if (v->kind != TREE_SCALAR || !pawl__duration_parse(v->text, &us) || us < m->min ||
	    us > m->max)
		return pawl__bind_refuse(
			p, v, "must be a whole number with us, ms, s or m behind it, up to %llds",
			(long long)(m->max / 1000000));
	*(int64_t *)at = us;
	return PAWL_OK;
}

enum pawl_status pawl__take_flag(struct parse *p, const struct member *m, const struct tree *v,
                                 void *at)
{
	(void)m;
	if (v->kind == TREE_SCALAR && str_eq(v->text, STR("true")))
		*(bool *)at = true;
	else if (v->kind == TREE_SCALAR && str_eq(v->text, STR("false")))
		*(bool *)at = false;
	else
		return pawl__bind_refuse(p, v, "must be true or false");
	return PAWL_OK;
}

enum pawl_status pawl__take_choice(struct parse *p, const struct member *m, const struct tree *v,
                                   void *at)
{
	char list[PAWL_ERROR_TEXT_MAX / 2], word[TREE_WORD_MAX + 1];
	struct suggestion s;
	struct buf b;

	pawl__buf_init_fixed(&b, list, sizeof(list) - 1);
	pawl__suggest_init(&s, pawl__tree_word(v->kind == TREE_SCALAR ? v->text : STR(""), word));
	for (int i = 0; m->choices[i] != NULL; i++) {
		if (v->kind == TREE_SCALAR && str_eq(v->text, pawl__str_of(m->choices[i]))) {
			*(int *)at = i;
			return PAWL_OK;
		}
		pawl__suggest_consider(&s, m->choices[i]);
		buf_str(&b, i == 0 ? STR("") : STR(", "));
		buf_str(&b, pawl__str_of(m->choices[i]));
	}
	list[b.len] = '\0';
	if (s.best != NULL)
		return pawl__bind_refuse(p, v, "cannot be \"%s\"; did you mean \"%s\"?", word,
		                         s.best);
	return pawl__bind_refuse(p, v, "must be one of %s", list);
}

enum pawl_status pawl__take_template(struct parse *p, const struct member *m, const struct tree *v,
                                     void *at)
{
	(void)m;
	if (v->kind != TREE_SCALAR || v->text.len == 0)
		return pawl__bind_refuse(p, v, "must be text");
	return pawl__template_parse(&p->s->names, v, USE_TEXT, p->allowed, at, p->err);
}

enum pawl_status pawl__take_path(struct parse *p, const struct member *m, const struct tree *v,
                                 void *at)
{
	(void)m;
	if (v->kind != TREE_SCALAR || !pawl__str_visible(v->text, 4096, true) ||
	    (v->text.ptr[0] != '/' && v->text.ptr[0] != '{'))
		return pawl__bind_refuse(
			p, v,
			"must begin with / and have no blanks: requests go to the target only");
	if (memchr(v->text.ptr, '#', v->text.len) != NULL)
		return pawl__bind_refuse(p, v, "must not have a #");
	return pawl__template_parse(&p->s->names, v, USE_PATH, p->allowed, at, p->err);
}

enum pawl_status pawl__take_pointer(struct parse *p, const struct member *m, const struct tree *v,
                                    void *at)
{
	(void)m;
	if (v->kind != TREE_SCALAR || !pawl__pointer_valid(v->text))
		return pawl__bind_refuse(p, v, "must be a JSON pointer such as /available");
	*(struct str *)at = v->text;
	return PAWL_OK;
}
