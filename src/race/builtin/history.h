/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/builtin/history - what the clients of a round saw, as JSON lines for `pawl check`.
 *
 * The first round that was violated is kept, else the last. Texts are those of the incident's
 * table with the client's registers filled in.
 *
 * Threads: any; a mutex inside. Limits: BUILTIN_HISTORY_MAX bytes; beyond it the file is not
 * written, and says so (PAWL_E_TOO_LARGE).
 */
#ifndef PAWL_RACE_BUILTIN_HISTORY_H
#define PAWL_RACE_BUILTIN_HISTORY_H

#include "base/compiler.h"
#include "pawl/error.h"
#include "race/builtin/machine.h"

#define BUILTIN_HISTORY_MAX ((size_t)256 << 20)

struct builtin_history;

/* NULL: no memory. */
struct builtin_history *pawl__builtin_history_new(const struct incident *incident);
void pawl__builtin_history_free(struct builtin_history *h);

/* A round begins: unless a violated one is kept, what was there goes. */
void pawl__builtin_history_round(struct builtin_history *h, struct machine *m);
/* A program begins, or has ended. */
void pawl__builtin_history_invoke(struct builtin_history *h, struct machine *m, int64_t process,
                                  bool other);
void pawl__builtin_history_end(struct builtin_history *h, struct machine *m, int64_t process,
                               bool other);
/* The round has been checked, by this machine. */
void pawl__builtin_history_checked(struct builtin_history *h, struct machine *m, bool violated);

PAWL_MUST_CHECK enum pawl_status pawl__builtin_history_write(const struct builtin_history *h,
                                                             const char *path,
                                                             struct pawl_error *err);

#endif /* PAWL_RACE_BUILTIN_HISTORY_H */
