/* SPDX-License-Identifier: Apache-2.0 */
#include "race/builtin/session.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"

enum pawl_status pawl__store_of(const char *url, const struct store_ops **ret,
                                struct pawl_error *err)
{
	static const struct {
		const char *scheme;
		const struct store_ops *ops;
	} rows[] = {
		{ "sqlite:", &pawl__store_sqlite }, { "postgresql://", &pawl__store_pg },
		{ "postgres://", &pawl__store_pg }, { "redis://", &pawl__store_redis },
		{ "http://", &pawl__store_http },   { "unix:/", &pawl__store_http },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const size_t len = strlen(rows[i].scheme);

		if (strncmp(url, rows[i].scheme, len) != 0)
			continue;
		if (url[len] == '\0' || strlen(url) >= SESSION_URL_MAX)
			return pawl__error_set(err, PAWL_E_CONFIG,
			                       "--on: nothing behind %s, or too much",
			                       rows[i].scheme);
		*ret = rows[i].ops;
		return PAWL_OK;
	}
	return pawl__error_set(err, PAWL_E_CONFIG,
	                       "--on is sqlite:PATH, postgresql://..., redis://... or the "
	                       "http://... of a pawl serve");
}

void pawl__reply_fail(struct reply *r, enum reply_class class, const char *text)
{
	reply_init(r, class);
	(void)snprintf(r->text, sizeof(r->text), "%s", text);
}
