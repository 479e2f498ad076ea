/* SPDX-License-Identifier: Apache-2.0 */
#include "store/postgres/url.h"

#include <libpq-fe.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"

/* A parameter of our own; false: the value is none of those it may have. */
static bool own_set(struct pg_url *u, struct str name, struct str value)
{
	const bool yes = str_eq(value, STR("yes")) || str_eq(value, STR("on"));
	const bool no = str_eq(value, STR("no")) || str_eq(value, STR("off"));

	if (str_eq(name, STR("unsafe_durability"))) {
		u->unsafe_durability = yes;
		return yes || no;
	}
	u->prepare = yes ? PG_PREPARE_ON : no ? PG_PREPARE_OFF : PG_PREPARE_AUTO;
	return yes || no || str_eq(value, STR("auto"));
}

static bool own_is(struct str name)
{
	return str_eq(name, STR("unsafe_durability")) || str_eq(name, STR("prepared_statements"));
}

/* Copy the URL without our own parameters. */
static bool own_take(struct pg_url *u, const char *text, char *ret)
{
	const char *mark = strchr(text, '?');
	size_t len = mark == NULL ? strlen(text) : (size_t)(mark - text);
	char join = '?';

	memcpy(ret, text, len);
	while (mark != NULL) {
		const char *p = mark + 1;
		const struct str pair = { p, strcspn(p, "&") };
		const char *eq = memchr(p, '=', pair.len);
		const struct str name = { p, eq == NULL ? pair.len : (size_t)(eq - p) };

		mark = p[pair.len] == '&' ? p + pair.len : NULL;
		if (own_is(name)) {
			const size_t at = name.len + (eq != NULL);

			if (!own_set(u, name, (struct str){ p + at, pair.len - at }))
				return false;
			continue;
		}
		ret[len++] = join;
		memcpy(ret + len, pair.ptr, pair.len);
		len += pair.len;
		join = '&';
	}
	ret[len] = '\0';
	return true;
}

static void param_default(struct pg_url *u, unsigned *n, const char *keyword, const char *value)
{
	for (unsigned i = 0; i < *n; i++) {
		if (strcmp(u->keyword[i], keyword) == 0)
			return;
	}
	if (*n < PG_PARAMS_MAX) {
		u->keyword[*n] = keyword;
		u->value[(*n)++] = value;
	}
}

enum pawl_status pawl__pg_url_parse(const char *text, bool read_only, struct pg_url *ret,
                                    struct pawl_error *err)
{
	const PQconninfoOption *o;
	char url[PG_URL_MAX];
	unsigned n = 0;

	*ret = (struct pg_url){ .prepare = PG_PREPARE_AUTO };
	if (strlen(text) >= sizeof(url))
		return pawl__error_set(err, PAWL_E_CONFIG, "the store's URL is too long");
	if (!own_take(ret, text, url))
		return pawl__error_set(err, PAWL_E_CONFIG,
		                       "unsafe_durability is yes or no, prepared_statements auto, "
		                       "on or off");
	ret->options = PQconninfoParse(url, NULL);
	if (ret->options == NULL)
		return pawl__error_set(err, PAWL_E_CONFIG,
		                       "the store's URL is not one that libpq understands");
	for (o = ret->options; o->keyword != NULL && n < PG_PARAMS_MAX; o++) {
		if (o->val == NULL || o->val[0] == '\0')
			continue;
		ret->keyword[n] = o->keyword;
		ret->value[n++] = o->val;
	}
	param_default(ret, &n, "client_encoding", "UTF8");
	param_default(ret, &n, "connect_timeout", "5");
	param_default(ret, &n, "tcp_user_timeout", "15000");
	param_default(ret, &n, "fallback_application_name", "pawl");
	param_default(ret, &n, "target_session_attrs", read_only ? "any" : "read-write");
	return PAWL_OK;
}

void pawl__pg_url_deinit(struct pg_url *u)
{
	PQconninfoFree(u->options);
	u->options = NULL;
}
