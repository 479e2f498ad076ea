/* SPDX-License-Identifier: Apache-2.0 */
#include "server/address.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/num.h"

static bool take_port(struct str text, uint16_t *ret)
{
	uint64_t v;

	if (text.len > 5 || !pawl__num_parse_u64(text, &v) || v > UINT16_MAX)
		return false;
	*ret = (uint16_t)v;
	return true;
}

bool pawl__address_parse(const char *text, struct address *ret)
{
	const struct str s = pawl__str_of(text);
	const char *colon = strrchr(text, ':');
	struct str host;

	*ret = (struct address){ .is_unix = str_starts(s, STR("unix:")) };
	if (ret->is_unix) {
		ret->path = text + 5;
		return s.len > 5;
	}
	if (colon == NULL)
		return false;
	host = (struct str){ text, (size_t)(colon - text) };
	if (!take_port((struct str){ colon + 1, s.len - host.len - 1 }, &ret->port))
		return false;
	if (host.len > 0 && host.ptr[0] == '[') {
		if (host.len < 3 || host.ptr[host.len - 1] != ']')
			return false;
		host = (struct str){ host.ptr + 1, host.len - 2 };
	} else if (memchr(host.ptr, ':', host.len) != NULL) {
		return false; /* where would the port begin? */
	}
	if (host.len > ADDRESS_HOST_MAX)
		return false;
	memcpy(ret->host, host.ptr, host.len);
	return true;
}

bool pawl__address_local(const struct address *a)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (a->is_unix || strcmp(a->host, "localhost") == 0)
		return true;
	if (inet_pton(AF_INET, a->host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, a->host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}
