/* SPDX-License-Identifier: Apache-2.0 */
#include "server/json_heap.h"

#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>

static _Thread_local struct arena *heap_arena;

static void *heap_malloc(size_t len)
{
	return heap_arena != NULL ? pawl__arena_alloc(heap_arena, len) : malloc(len);
}

/* What is freed while an arena is in use was allocated while it was: it is the parser's own. */
static void heap_free(void *p)
{
	if (heap_arena == NULL)
		free(p);
}

static void heap_install(void)
{
	json_set_alloc_funcs(heap_malloc, heap_free);
}

void pawl__json_heap_use(struct arena *a)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, heap_install);
	heap_arena = a;
}
