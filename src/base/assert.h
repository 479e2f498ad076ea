/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/assert - a broken contract is a bug, and a bug stops the process at once.
 *
 * Always on: the cost is a compare, and what is at stake is other people's money. Never used
 * for contention (a verdict) or for faults (a status).
 */
#ifndef PAWL_BASE_ASSERT_H
#define PAWL_BASE_ASSERT_H

#include <assert.h> /* static_assert */

#include "base/compiler.h"

/* Print kind, expression and place to stderr and abort. */
_Noreturn void pawl__bug(const char *kind, const char *expr, const char *file, int line);

#define PAWL__CHECK(kind, e) (PAWL_LIKELY(e) ? (void)0 : pawl__bug(kind, #e, __FILE__, __LINE__))
#define PRE(e)               PAWL__CHECK("precondition", e)
#define POST(e)              PAWL__CHECK("postcondition", e)
#define INVARIANT(e)         PAWL__CHECK("invariant", e)
#define UNREACHABLE()        pawl__bug("reachability", "unreachable", __FILE__, __LINE__)

#endif /* PAWL_BASE_ASSERT_H */
