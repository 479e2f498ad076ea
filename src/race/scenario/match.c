/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "race/scenario/judge.h"
#include "race/scenario/pointer.h"

#define VALUE_MAX ((size_t)256 << 10) /* bytes of an expected value */
#define SHOWN_MAX 120                 /* bytes of a value in a text */

/* As text: of a string its letters, else its JSON. */
static void text_of(const json_t *v, struct buf *out)
{
	if (json_is_string(v))
		pawl__buf_put(out, json_string_value(v), json_string_length(v));
	else
		pawl__pointer_dump(v, out);
}

static bool equal(const json_t *a, const json_t *b, bool lenient)
{
	struct buf x, y;
	bool same;

	if (json_is_number(a) && json_is_number(b)) {
		if (json_is_integer(a) && json_is_integer(b))
			return json_integer_value(a) == json_integer_value(b);
		return fabs(json_number_value(a) - json_number_value(b)) <= 0.0;
	}
	if (!lenient || json_is_string(a) == json_is_string(b) || json_is_null(a) ||
	    json_is_null(b))
		return json_equal(a, b) == 1;
	pawl__buf_init(&x, VALUE_MAX);
	pawl__buf_init(&y, VALUE_MAX);
	text_of(a, &x);
	text_of(b, &y);
	same = !x.overflow && !y.overflow && str_eq(buf_get(&x), buf_get(&y));
	pawl__buf_deinit(&x);
	pawl__buf_deinit(&y);
	return same;
}

/* Rows of a database: cell by cell. */
static bool equal_rows(const json_t *a, const json_t *b)
{
	size_t i, j;
	json_t *row, *cell;

	if (!json_is_array(a) || !json_is_array(b) || json_array_size(a) != json_array_size(b))
		return false;
	json_array_foreach(a, i, row)
	{
		const json_t *other = json_array_get(b, i);

		if (!json_is_array(row) || json_array_size(row) != json_array_size(other))
			return false;
		json_array_foreach(row, j, cell)
		{
			if (!equal(cell, json_array_get(other, j), true))
				return false;
		}
	}
	return true;
}

/* A number, also where a database gives it as text. */
static bool number_of(const json_t *v, bool lenient, double *ret)
{
	json_t *parsed;

	if (json_is_number(v)) {
		*ret = json_number_value(v);
		return true;
	}
	if (!lenient || !json_is_string(v))
		return false;
	parsed = json_loadb(json_string_value(v), json_string_length(v), JSON_DECODE_ANY, NULL);
	if (!json_is_number(parsed)) {
		json_decref(parsed);
		return false;
	}
	*ret = json_number_value(parsed);
	json_decref(parsed);
	return true;
}

static bool at_least(const json_t *v, const json_t *bound, bool lenient)
{
	double a, b;

	if (json_is_integer(v) && json_is_integer(bound))
		return json_integer_value(v) >= json_integer_value(bound);
	return number_of(v, lenient, &a) && number_of(bound, lenient, &b) && a >= b;
}

static bool length_is(const json_t *v, const json_t *n)
{
	size_t len;

	if (json_is_array(v))
		len = json_array_size(v);
	else if (json_is_object(v))
		len = json_object_size(v);
	else if (json_is_string(v))
		len = json_string_length(v);
	else
		return false;
	return json_is_integer(n) && json_integer_value(n) >= 0 &&
	       (uint64_t)json_integer_value(n) == len;
}

static enum pawl_status expected(const struct template *t, const struct scope *scope, json_t **ret,
                                 struct pawl_error *err)
{
	enum pawl_status st;
	struct buf b;

	pawl__buf_init(&b, VALUE_MAX);
	st = pawl__template_expand(t, scope, &b, err);
	if (st == PAWL_OK) {
		*ret = json_loadb(b.data == NULL ? "" : b.data, b.len, JSON_DECODE_ANY, NULL);
		if (*ret == NULL)
			st = pawl__error_set(err, PAWL_E_CONFIG, "the expected value is no JSON");
	}
	pawl__buf_deinit(&b);
	return st;
}

static bool holds(const struct match *m, const json_t *v, const json_t *want, const json_t *high)
{
	const bool lenient = m->lenient;

	if (v == NULL)
		return m->kind == MATCH_EXISTS && !m->exists;
	switch (m->kind) {
	case MATCH_EQ:
		return lenient && json_is_array(v) && json_is_array(want) ? equal_rows(v, want)
		                                                          : equal(v, want, lenient);
	case MATCH_NE:
		return !equal(v, want, lenient);
	case MATCH_MIN:
		return at_least(v, want, lenient);
	case MATCH_MAX:
		return at_least(want, v, lenient);
	case MATCH_RANGE:
		return at_least(v, want, lenient) && at_least(high, v, lenient);
	case MATCH_EXISTS:
		return m->exists;
	case MATCH_LEN:
		return length_is(v, want);
	}
	UNREACHABLE();
}

static void shown(struct buf *why, const json_t *v)
{
	struct buf b;

	if (v == NULL) {
		buf_lit(why, "nothing");
		return;
	}
	pawl__buf_init(&b, VALUE_MAX);
	pawl__pointer_dump(v, &b);
	pawl__buf_put(why, b.overflow ? "" : b.data, b.len < SHOWN_MAX ? b.len : SHOWN_MAX);
	if (b.len > SHOWN_MAX || b.overflow)
		buf_lit(why, "...");
	pawl__buf_deinit(&b);
}

static void explain(const struct match *m, const json_t *v, const json_t *want, const json_t *high,
                    struct buf *why)
{
	static const char *const words[] = {
		[MATCH_EQ] = "",
		[MATCH_NE] = "not ",
		[MATCH_MIN] = "at least ",
		[MATCH_MAX] = "at most ",
		[MATCH_RANGE] = "between ",
		[MATCH_EXISTS] = "",
		[MATCH_LEN] = "of length ",
	};

	if (m->pointer.len > 0) {
		buf_str(why, m->pointer);
		buf_lit(why, " ");
	}
	buf_lit(why, "is ");
	shown(why, v);
	buf_lit(why, ", expected ");
	if (m->kind == MATCH_EXISTS) {
		buf_str(why, m->exists ? STR("a value") : STR("nothing"));
		return;
	}
	buf_str(why, pawl__str_of(words[m->kind]));
	shown(why, want);
	if (m->kind == MATCH_RANGE) {
		buf_lit(why, " and ");
		shown(why, high);
	}
}

enum pawl_status pawl__match(const struct match *m, const struct scope *scope, const json_t *v,
                             bool *ret_ok, struct buf *why, struct pawl_error *err)
{
	json_t *want = NULL, *high = NULL;
	enum pawl_status st = PAWL_OK;

	if (m->kind != MATCH_EXISTS)
		st = expected(&m->value, scope, &want, err);
	if (st == PAWL_OK && m->kind == MATCH_RANGE)
		st = expected(&m->high, scope, &high, err);
	if (st == PAWL_OK) {
		*ret_ok = holds(m, v, want, high);
		if (!*ret_ok)
			explain(m, v, want, high, why);
	}
	json_decref(want);
	json_decref(high);
	return st;
}
