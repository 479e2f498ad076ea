/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/child - another run of this very program, as a process of its own: started, listened to,
 * stopped by its pid and waited for.
 *
 * The child gets none of this program's own environment variables (PAWL_*, NOTIFY_SOCKET): what it
 * is to do stands in its arguments alone.
 *
 * Invariants:
 *  (1) A child that was started has been waited for when pawl__child_end returns: it is gone.
 *
 * Threads: none of its own. Limits: CHILD_ENV_MAX environment variables.
 */
#ifndef PAWL_CLI_CHILD_H
#define PAWL_CLI_CHILD_H

#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "pawl/error.h"

#define CHILD_ENV_MAX 1024

struct child {
	pid_t pid; /* 0 = none */
	int out;   /* its stdout; -1 = none */
};

/* argv: up to a NULL, argv[0] included. Its stderr goes to the file err_path. */
PAWL_MUST_CHECK enum pawl_status pawl__child_start(const char *const *argv, const char *err_path,
                                                   struct child *ret, struct pawl_error *err);

/* Append its stdout to b until a line feed, or (line = false) until its end. PAWL_E_IO: it ended
 * before a line, or timeout_us passed, or it says more than b holds. */
PAWL_MUST_CHECK enum pawl_status pawl__child_read(struct child *c, bool line, int64_t timeout_us,
                                                  struct buf *b, struct pawl_error *err);

/* Send signo (0 = none), wait up to timeout_us, then kill it. Returns its exit status, or 128 and
 * the signal that ended it. c may be none: 0. */
int pawl__child_end(struct child *c, int signo, int64_t timeout_us);

#endif /* PAWL_CLI_CHILD_H */
