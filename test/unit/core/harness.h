/* SPDX-License-Identifier: Apache-2.0 */
/* cmocka, with the headers that it wants before it. */
#ifndef TEST_CORE_HARNESS_H
#define TEST_CORE_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif /* TEST_CORE_HARNESS_H */
