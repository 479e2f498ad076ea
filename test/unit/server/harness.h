/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the server share: cmocka with the headers that it wants before it. */
#ifndef TEST_SERVER_HARNESS_H
#define TEST_SERVER_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/str.h"

static inline void assert_str(struct str got, const char *want)
{
	const size_t len = strlen(want);

	if (got.len != len || (len > 0 && memcmp(got.ptr, want, len) != 0))
		fail_msg("got \"%.*s\", want \"%s\"", (int)got.len, got.len > 0 ? got.ptr : "",
		         want);
}

#endif /* TEST_SERVER_HARNESS_H */
