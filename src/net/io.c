/* SPDX-License-Identifier: Apache-2.0 */
#include "net/io.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static ssize_t plain_result(ssize_t n)
{
	if (n >= 0)
		return n;
	return errno == EAGAIN ? NET_IO_AGAIN : NET_IO_FAILED;
}

static ssize_t plain_read(int fd, void *state, void *p, size_t len)
{
	ssize_t n;

	(void)state;
	do {
		n = recv(fd, p, len, 0);
	} while (n < 0 && errno == EINTR);
	return plain_result(n);
}

static ssize_t plain_write(int fd, void *state, const void *p, size_t len)
{
	ssize_t n;

	(void)state;
	do {
		n = send(fd, p, len, MSG_NOSIGNAL); /* a broken pipe is a result, not a signal */
	} while (n < 0 && errno == EINTR);
	return plain_result(n);
}

static void plain_finish(int fd, void *state)
{
	(void)state;
	(void)shutdown(fd, SHUT_WR); /* fails only when the peer has gone already */
}

static void plain_close(int fd, void *state)
{
	(void)state;
	(void)close(fd);
}

const struct net_io pawl__net_io_plain = {
	.read = plain_read,
	.write = plain_write,
	.finish = plain_finish,
	.close = plain_close,
	.short_read_drains = true,
};
