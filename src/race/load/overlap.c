/* SPDX-License-Identifier: Apache-2.0 */
#include "race/load/overlap.h"

#include <stdlib.h>

#include "base/error.h"

static int compare_times(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

enum pawl_status pawl__overlap_measure(const struct race_span *spans, size_t len,
                                       struct race_overlap *ret, struct pawl_error *err)
{
	int64_t *times = malloc((len == 0 ? 1 : len) * 2 * sizeof(*times)), *starts = times;
	int64_t *ends = times + len;
	uint64_t apart = 0;
	uint32_t n = 0;

	if (times == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory to measure the overlap");
	for (size_t i = 0; i < len; i++) {
		if (spans[i].from_ns == 0 || spans[i].to_ns < spans[i].from_ns)
			continue;
		starts[n] = spans[i].from_ns;
		ends[n++] = spans[i].to_ns;
	}
	qsort(starts, n, sizeof(*starts), compare_times);
	qsort(ends, n, sizeof(*ends), compare_times);
	*ret = (struct race_overlap){ .asked = (uint32_t)len, .counted = n };
	/* Two spans are apart when one ends before the other begins: for each start, the ends
	 * before it. The others that have begun are under way. */
	for (uint32_t i = 0, ended = 0; i < n; i++) {
		while (ended < n && ends[ended] < starts[i])
			ended++;
		apart += ended;
		if (i + 1 - ended > ret->peak)
			ret->peak = i + 1 - ended;
	}
	ret->pairs = n == 0 ? 0 : (uint64_t)n * (n - 1) / 2 - apart;
	free(times);
	return PAWL_OK;
}

bool pawl__overlap_reached(const struct race_overlap *o, uint32_t peak_min)
{
	return o->pairs + 1 >= o->asked && o->peak >= peak_min;
}
