/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "race/load/load.h"

#define TEXT_MAX (PEER_AUTHORITY_MAX + VOLLEY_BASE_MAX + 16)

/* Visible ASCII but what would end or split it in a request line or a target. */
static bool base_valid(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] <= ' ' || s.ptr[i] > '~' || strchr("?#\"<>\\^`{|}", s.ptr[i]) != NULL)
			return false;
	}
	return true;
}

/* The name in "host:port", "[v6]:port": what SNI and the certificate are about. */
static void host_of(const char *authority, char *ret)
{
	const char *from = authority, *end = strrchr(authority, ':');

	if (*from == '[') {
		from++;
		end = strchr(from, ']');
	}
	const size_t n = end == NULL ? strlen(from) : (size_t)(end - from);

	memcpy(ret, from, n < PEER_HOST_MAX ? n : PEER_HOST_MAX);
	ret[n < PEER_HOST_MAX ? n : PEER_HOST_MAX] = '\0';
}

/* The port that goes without saying is left out: some servers compare the Host field as a text. */
static void authority_trim(struct volley_target *t)
{
	char *a = t->peer.authority;
	const char *usual = t->tls ? ":443" : ":80";
	const size_t n = strlen(a), m = strlen(usual);

	if (n > m && strcmp(a + n - m, usual) == 0)
		a[n - m] = '\0';
}

static enum pawl_status parse_tcp(struct str s, struct volley_target *ret, struct pawl_error *err)
{
	const char *slash = s.len == 0 ? NULL : memchr(s.ptr, '/', s.len);
	const size_t host_len = slash == NULL ? s.len : (size_t)(slash - s.ptr);
	struct str base = { s.ptr + host_len, s.len - host_len };
	char text[PEER_AUTHORITY_MAX];
	enum pawl_status st;

	while (base.len > 0 && base.ptr[base.len - 1] == '/')
		base.len--;
	if (base.len > VOLLEY_BASE_MAX || !base_valid(base))
		return pawl__error_set(err, PAWL_E_INVALID,
		                       "the target's path is too long, or not a plain path");
	if (host_len == 0 || host_len >= sizeof(text) || memchr(s.ptr, '@', host_len) != NULL)
		return pawl__error_set(err, PAWL_E_INVALID,
		                       "a target is http://host[:port], https://host[:port] or "
		                       "unix:/path, without a user name");
	memcpy(text, s.ptr, host_len);
	text[host_len] = '\0';
	st = pawl__peer_parse(text, ret->tls ? 443 : 80, &ret->peer, err);
	if (st != PAWL_OK)
		return st;
	host_of(ret->peer.authority, ret->host);
	authority_trim(ret);
	memcpy(ret->base, base.ptr, base.len);
	ret->base[base.len] = '\0';
	return PAWL_OK;
}

enum pawl_status pawl__volley_target_parse(const char *text, struct volley_target *ret,
                                           struct pawl_error *err)
{
	const struct str http = STR("http://"), https = STR("https://"), local = STR("unix:");
	struct str s = { text, strnlen(text, TEXT_MAX) };
	struct volley_target target = { 0 };
	enum pawl_status st;

	if (s.len == TEXT_MAX)
		return pawl__error_set(err, PAWL_E_INVALID, "the target is too long");
	if (str_starts(s, local)) {
		st = pawl__peer_parse(text, 0, &target.peer, err);
		memcpy(target.host, "localhost", sizeof("localhost"));
	} else {
		if (str_starts(s, https))
			target.tls = true;
		if (target.tls || str_starts(s, http)) {
			const size_t n = target.tls ? https.len : http.len;

			s = (struct str){ s.ptr + n, s.len - n };
		} else if (memmem(s.ptr, s.len, "://", 3) != NULL) {
			return pawl__error_set(err, PAWL_E_INVALID,
			                       "a target is http, https or unix, nothing else");
		}
		st = parse_tcp(s, &target, err);
	}
	if (st == PAWL_OK)
		*ret = target;
	return st;
}
