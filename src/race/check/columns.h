/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/columns - the builder's hands: columns that grow, numbers for names, keys and
 * processes, rows and events put behind the last ones. Only builder.c and columns*.c include it.
 *
 * What returns bool or HISTORY_NONE has kept an error in the builder when it says false or none.
 */
#ifndef PAWL_RACE_CHECK_COLUMNS_H
#define PAWL_RACE_CHECK_COLUMNS_H

#include <stdlib.h>

#include "race/check/builder.h"

#define CAP_FIRST ((size_t)1024)

/* Make room for n elements; the old array stays when there is no memory. */
#define GROW(b, p, n)                                                                              \
	({                                                                                         \
		__typeof__(p) grown_ = realloc((p), (n) * sizeof(*(p)));                           \
		if (grown_ != NULL)                                                                \
			(p) = grown_;                                                              \
		else                                                                               \
			(void)pawl__builder_error((b), PAWL_E_NOMEM, NULL, "out of memory");       \
		grown_ != NULL;                                                                    \
	})

/* false, with the error that something is over its limit. */
bool pawl__columns_full(struct builder *b, const char *text);

uint32_t pawl__columns_process(struct builder *b, int64_t value);
/* One of its own, whose value is VALUE_NIL, or a new one of that value. */
uint32_t pawl__columns_process_new(struct builder *b, int64_t value);

PAWL_MUST_CHECK bool pawl__columns_row(struct builder *b, uint32_t process, const char *at,
                                       uint32_t *ret);
PAWL_MUST_CHECK bool pawl__columns_event(struct builder *b, uint32_t row, bool completion);
PAWL_MUST_CHECK bool pawl__columns_times(struct builder *b);

/* The line of a place in the file, no earlier than the one asked for before. */
uint32_t pawl__columns_line(struct builder *b, const char *at);

#endif /* PAWL_RACE_CHECK_COLUMNS_H */
