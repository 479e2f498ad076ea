/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server/address - where to listen: "ADDR:PORT", "[IPV6]:PORT", ":PORT" (every address) or
 * "unix:PATH". Pure; names are resolved by whoever listens.
 */
#ifndef PAWL_SERVER_ADDRESS_H
#define PAWL_SERVER_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

#define ADDRESS_HOST_MAX 253 /* bytes of a name, RFC 1035 */

struct address {
	bool is_unix;
	const char *path; /* of a Unix socket: the rest of the text */
	char host[ADDRESS_HOST_MAX + 1];
	uint16_t port; /* 0 = a free one */
};

/* False: it is none. text is borrowed. */
PAWL_MUST_CHECK bool pawl__address_parse(const char *text, struct address *ret);

/* Only this machine can reach it: 127.0.0.0/8, ::1, localhost, a Unix socket. */
bool pawl__address_local(const struct address *a);

#endif /* PAWL_SERVER_ADDRESS_H */
