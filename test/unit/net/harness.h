/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of net share: cmocka with the headers that it wants before it. */
#ifndef TEST_NET_HARNESS_H
#define TEST_NET_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"

#include "base/str.h"

static inline void assert_str(struct str got, const char *want)
{
	if (got.len != strlen(want) || (got.len > 0 && memcmp(got.ptr, want, got.len) != 0))
		fail_msg("got \"%.*s\", want \"%s\"", (int)got.len, got.ptr, want);
}

#endif /* TEST_NET_HARNESS_H */
