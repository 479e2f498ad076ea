/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server/json_heap - jansson's memory for one request comes from that request's arena.
 *
 * A parse is many short allocations, which are given back one by one. With an arena in use they
 * cost an addition each, and go with the request. A tree made so must not be given to
 * json_decref: it ends with the arena.
 *
 * jansson has one allocator for the process: it is set at the first use, and serves whoever has no
 * arena in use with malloc and free as before.
 * Threads: the arena in use is the thread's own. Limits: the arena's ceiling.
 */
#ifndef PAWL_SERVER_JSON_HEAP_H
#define PAWL_SERVER_JSON_HEAP_H

#include "base/arena.h"

/* From here on this thread's jansson takes its memory from a; NULL = from the heap again. */
void pawl__json_heap_use(struct arena *a);

#endif /* PAWL_SERVER_JSON_HEAP_H */
