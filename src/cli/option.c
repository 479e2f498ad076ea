/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/option.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/num.h"
#include "base/str.h"
#include "base/suggest.h"

void pawl__options_init(struct options *o, const struct option_row *rows, size_t rows_len,
                        void *values)
{
	PRE(rows_len <= OPTIONS_MAX && (rows_len == 0 || (rows != NULL && values != NULL)));
	*o = (struct options){ .rows = rows, .rows_len = rows_len, .values = values };
}

static bool name_is(const char *row, const char *name, size_t name_len, char dash)
{
	if (strlen(row) != name_len)
		return false;
	for (size_t i = 0; i < name_len; i++) {
		if (name[i] != (row[i] == '-' ? dash : row[i]))
			return false;
	}
	return true;
}

size_t pawl__option_find(const struct options *o, const char *name, size_t name_len, char dash)
{
	size_t i = 0;

	while (i < o->rows_len && !name_is(o->rows[i].name, name, name_len, dash))
		i++;
	return i;
}

const char *pawl__origin_name(enum option_origin origin)
{
	static const char *const names[] = { "none", "default", "file", "environment", "flag" };

	return names[origin];
}

static enum pawl_status set_flag(bool *value, const char *text, struct pawl_error *err)
{
	const bool yes = strcmp(text, "true") == 0;

	if (!yes && strcmp(text, "false") != 0)
		return pawl__error_set(err, PAWL_E_INVALID, "must be true or false");
	*value = yes;
	return PAWL_OK;
}

static enum pawl_status set_list(struct option_list *list, const char *text, bool first,
                                 struct pawl_error *err)
{
	if (first)
		list->len = 0; /* (2) */
	if (list->len == OPTION_LIST_MAX)
		return pawl__error_set(err, PAWL_E_INVALID, "may be given %d times at most",
		                       OPTION_LIST_MAX);
	list->at[list->len++] = text;
	return PAWL_OK;
}

static enum pawl_status set_number(const struct option_row *row, int64_t *value, const char *text,
                                   struct pawl_error *err)
{
	int64_t v;

	if (!pawl__num_parse_i64(pawl__str_of(text), &v) || v < row->min || v > row->max)
		return pawl__error_set(err, PAWL_E_INVALID,
		                       "must be a whole number from %lld to %lld",
		                       (long long)row->min, (long long)row->max);
	*value = v;
	return PAWL_OK;
}

static bool duration_parse(struct str s, int64_t *ret_us)
{
	static const struct {
		struct str suffix;
		int64_t us;
	} units[] = {
		{ { "ms", 2 }, 1000 },
		{ { "s", 1 }, 1000000 },
		{ { "m", 1 }, INT64_C(60000000) },
		{ { "h", 1 }, INT64_C(3600000000) },
		{ { "d", 1 }, INT64_C(86400000000) },
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

static enum pawl_status set_duration(const struct option_row *row, int64_t *value, const char *text,
                                     struct pawl_error *err)
{
	int64_t us;

	if (!duration_parse(pawl__str_of(text), &us))
		return pawl__error_set(err, PAWL_E_INVALID,
		                       "must be a whole number with ms, s, m, h or d behind it");
	if (us < row->min || us > row->max)
		return pawl__error_set(err, PAWL_E_INVALID, "must be from %llds to %llds",
		                       (long long)(row->min / 1000000),
		                       (long long)(row->max / 1000000));
	*value = us;
	return PAWL_OK;
}

static enum pawl_status set_choice(const struct option_row *row, int *value, const char *text,
                                   struct pawl_error *err)
{
	for (int i = 0; row->choices[i] != NULL; i++) {
		if (strcmp(row->choices[i], text) == 0) {
			*value = i;
			return PAWL_OK;
		}
	}
	return pawl__error_set(err, PAWL_E_INVALID, "must be one of %s", row->arg);
}

static enum pawl_status set_value(const struct option_row *row, void *value, const char *text,
                                  bool first, struct pawl_error *err)
{
	if (text[0] == '\0')
		return pawl__error_set(err, PAWL_E_INVALID, "needs a value");
	switch (row->kind) {
	case OPTION_FLAG:
		return set_flag(value, text, err);
	case OPTION_TEXT:
		*(const char **)value = text;
		return PAWL_OK;
	case OPTION_LIST:
		return set_list(value, text, first, err);
	case OPTION_NUMBER:
		return set_number(row, value, text, err);
	case OPTION_DURATION:
		return set_duration(row, value, text, err);
	case OPTION_CHOICE:
		return set_choice(row, value, text, err);
	}
	UNREACHABLE();
}

/* What a value of a lower origin is checked into and then forgotten. */
union any_value {
	bool flag;
	const char *text;
	struct option_list list;
	int64_t number;
	int choice;
};

enum pawl_status pawl__option_set(struct options *o, size_t i, const char *text,
                                  enum option_origin origin, struct pawl_error *err)
{
	const struct option_row *row;
	enum pawl_status st;

	PRE(i < o->rows_len && text != NULL && origin != ORIGIN_NONE);
	row = &o->rows[i];
	if (origin < o->origin[i]) { /* (1) */
		union any_value unused = { .list = { .len = 0 } };

		return set_value(row, &unused, text, true, err);
	}
	st = set_value(row, (char *)o->values + row->offset, text, origin > o->origin[i], err);
	if (st == PAWL_OK)
		o->origin[i] = origin;
	return st;
}

static enum pawl_status arg_unknown(const struct options *o, const char *name, size_t name_len,
                                    struct pawl_error *err)
{
	char word[SUGGEST_WORD_MAX + 2];
	struct suggestion s;

	if (name_len >= sizeof(word))
		name_len = sizeof(word) - 1;
	memcpy(word, name, name_len);
	word[name_len] = '\0';
	pawl__suggest_init(&s, word);
	for (size_t i = 0; i < o->rows_len; i++)
		pawl__suggest_consider(&s, o->rows[i].name);
	pawl__suggest_consider(&s, "help");
	if (s.best == NULL)
		return pawl__error_set(err, PAWL_E_INVALID, "unknown option --%s", word);
	return pawl__error_set(err, PAWL_E_INVALID, "unknown option --%s; did you mean --%s?", word,
	                       s.best);
}

/* One option at argv[*at]; leaves *at at the last argument it took. */
static enum pawl_status arg_option(struct options *o, int argc, const char *const *argv, int *at,
                                   struct pawl_error *err)
{
	const char *name = argv[*at] + 2;
	const size_t name_len = strcspn(name, "=");
	const size_t i = pawl__option_find(o, name, name_len, '-');
	const char *text = "true";
	struct pawl_error why;

	if (i == o->rows_len)
		return arg_unknown(o, name, name_len, err);
	if (name[name_len] == '=') {
		text = name + name_len + 1;
	} else if (o->rows[i].kind != OPTION_FLAG) {
		if (*at + 1 == argc)
			return pawl__error_set(err, PAWL_E_INVALID, "--%s needs a value",
			                       o->rows[i].name);
		text = argv[++*at];
	}
	if (pawl__option_set(o, i, text, ORIGIN_FLAG, &why) != PAWL_OK)
		return pawl__error_set(err, PAWL_E_INVALID, "--%s %s", o->rows[i].name, why.text);
	return PAWL_OK;
}

static bool is_help(const char *arg)
{
	return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0;
}

enum pawl_status pawl__options_args(struct options *o, int argc, const char *const *argv,
                                    struct pawl_error *err)
{
	bool options_over = false;

	for (int i = 0; i < argc; i++) {
		const char *arg = argv[i];
		enum pawl_status st = PAWL_OK;

		if (!options_over && strcmp(arg, "--") == 0) {
			options_over = true;
		} else if (!options_over && is_help(arg)) {
			o->help = true;
			return PAWL_OK;
		} else if (!options_over && strncmp(arg, "--", 2) == 0) {
			st = arg_option(o, argc, argv, &i, err);
		} else if (!options_over && arg[0] == '-' && arg[1] != '\0') {
			st = pawl__error_set(err, PAWL_E_INVALID, "unknown option %.*s",
			                     SUGGEST_WORD_MAX, arg);
		} else if (o->operands_len == OPERANDS_MAX) {
			st = pawl__error_set(err, PAWL_E_INVALID, "too many arguments");
		} else {
			o->operands[o->operands_len++] = arg;
		}
		if (st != PAWL_OK)
			return st;
	}
	return PAWL_OK;
}

enum pawl_status pawl__options_env(struct options *o, struct pawl_error *err)
{
	struct pawl_error why;

	for (size_t i = 0; i < o->rows_len; i++) {
		const char *env = o->rows[i].env;
		const char *text = env == NULL ? NULL : secure_getenv(env);

		if (text == NULL || text[0] == '\0')
			continue;
		if (pawl__option_set(o, i, text, ORIGIN_ENV, &why) != PAWL_OK)
			return pawl__error_set(err, PAWL_E_CONFIG, "%s %s", env, why.text);
	}
	return PAWL_OK;
}

enum pawl_status pawl__options_defaults(struct options *o, struct pawl_error *err)
{
	for (size_t i = 0; i < o->rows_len; i++) {
		enum pawl_status st;

		if (o->rows[i].def == NULL)
			continue;
		st = pawl__option_set(o, i, o->rows[i].def, ORIGIN_DEFAULT, err);
		if (st != PAWL_OK)
			return st;
	}
	return PAWL_OK;
}
