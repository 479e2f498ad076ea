/* SPDX-License-Identifier: Apache-2.0 */
/* A store's URL as it may be shown. */
#include "base/assert.h"
#include "base/buf.h"
#include "store/store.h"

/* Parameters of libpq whose values are secrets, or tell where one lies. */
static bool is_secret(struct str name)
{
	static const struct str secrets[] = { STR("password"), STR("sslpassword"), STR("passfile"),
		                              STR("sslkey") };

	for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
		if (str_eq(name, secrets[i]))
			return true;
	}
	return false;
}

/* user:password@ without the password; returns what follows the user. */
static const char *show_user(struct buf *b, const char *authority)
{
	const size_t len = strcspn(authority, "/?");
	const char *at = memchr(authority, '@', len);
	const char *colon = at == NULL ? NULL : memchr(authority, ':', (size_t)(at - authority));

	if (colon == NULL)
		return authority;
	pawl__buf_put(b, authority, (size_t)(colon - authority));
	buf_lit(b, ":***");
	return at;
}

/* name=value&name=value, each secret value as stars. */
static void show_query(struct buf *b, const char *p)
{
	while (*p != '\0') {
		const struct str name = { p, strcspn(p, "=&") };
		const size_t value = strcspn(p + name.len, "&");

		buf_str(b, name);
		if (value > 0 && is_secret(name))
			buf_lit(b, "=***");
		else
			pawl__buf_put(b, p + name.len, value);
		p += name.len + value;
		if (*p == '&')
			pawl__buf_putc(b, *p++);
	}
}

const char *pawl__store_shown(const char *url, char ret[STORE_SHOWN_MAX])
{
	const char *p = strstr(url, "://");
	struct buf b;

	pawl__buf_init_fixed(&b, ret, STORE_SHOWN_MAX - 1);
	if (p == NULL) {
		buf_str(&b, pawl__str_of(url));
	} else {
		size_t path;

		pawl__buf_put(&b, url, (size_t)(p + 3 - url));
		p = show_user(&b, p + 3);
		path = strcspn(p, "?");
		pawl__buf_put(&b, p, path);
		if (p[path] == '?') {
			pawl__buf_putc(&b, '?');
			show_query(&b, p + path + 1);
		}
	}
	if (b.overflow)
		pawl__buf_reset(&b);
	ret[b.len] = '\0';
	return ret;
}
