/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net/io - how the bytes of a connection are read and written: the seam where TLS fits.
 *
 * The server reads and writes through this table only. The plain one is recv and send; one with
 * TLS keeps its session in `state`, and says with short_read_drains = false that a short read
 * does not mean that no more bytes are waiting.
 *
 * Threads: the loop's. Owns: the fd, from the moment it is given to the server.
 */
#ifndef PAWL_NET_IO_H
#define PAWL_NET_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/compiler.h"

#define NET_IO_AGAIN  (-1) /* would block */
#define NET_IO_FAILED (-2) /* the connection is broken */

struct net_io {
	/* Bytes read, 0 at the end of the peer's bytes, or NET_IO_AGAIN, or NET_IO_FAILED. */
	ssize_t (*read)(int fd, void *state, void *p, size_t len);
	/* Bytes written, at least one, or NET_IO_AGAIN, or NET_IO_FAILED. len is not 0. */
	ssize_t (*write)(int fd, void *state, const void *p, size_t len);
	/* End our side's bytes; the peer's may still be read. */
	void (*finish)(int fd, void *state);
	/* Free state and close fd. */
	void (*close)(int fd, void *state);
	/* Make a new connection's state. NULL = there is none. False: the fd is just closed. */
	bool (*open)(int fd, void *config, void **ret_state);
	bool short_read_drains;
};

extern const struct net_io pawl__net_io_plain;

#endif /* PAWL_NET_IO_H */
