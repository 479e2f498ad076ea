/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/notify - tells the service manager how far the server is: sd_notify(3), in one datagram to
 * the socket that $NOTIFY_SOCKET names. Nothing happens where nobody asked.
 */
#ifndef PAWL_CLI_NOTIFY_H
#define PAWL_CLI_NOTIFY_H

#include <stdbool.h>

/* state: "READY=1". False: there is a socket and it could not be told. */
bool pawl__notify(const char *state);

#endif /* PAWL_CLI_NOTIFY_H */
