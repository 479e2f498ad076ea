/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/compiler - the few attributes and macros that the house uses.
 */
#ifndef PAWL_BASE_COMPILER_H
#define PAWL_BASE_COMPILER_H

#include <stddef.h>

#define PAWL_MUST_CHECK        __attribute__((warn_unused_result))
#define PAWL_CLEANUP(fn)       __attribute__((cleanup(fn)))
#define PAWL_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define PAWL_LIKELY(e)         __builtin_expect(!!(e), 1)
#define PAWL_UNLIKELY(e)       __builtin_expect(!!(e), 0)
#define TAKE_PTR(p)                                                                                \
	({                                                                                         \
		__typeof__(p) take_ = (p);                                                         \
		(p) = NULL;                                                                        \
		take_;                                                                             \
	})
#define ARRAY_LEN(a)                    (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif /* PAWL_BASE_COMPILER_H */
