/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/metric.h"

#include <math.h>
#include <stdlib.h>

#define VALUE_MAX 64

/* The value behind the last space of a line without timestamp. */
static bool line_value(struct str line, double *ret)
{
	char mem[VALUE_MAX];
	size_t at = line.len;
	char *end;
	double v;

	while (at > 0 && line.ptr[at - 1] != ' ')
		at--;
	if (at == 0 || line.len - at >= sizeof(mem))
		return false;
	memcpy(mem, line.ptr + at, line.len - at);
	mem[line.len - at] = '\0';
	v = strtod(mem, &end);
	if (end == mem || *end != '\0' || !isfinite(v))
		return false;
	*ret = v;
	return true;
}

bool pawl__metric_sum(struct str text, const char *name, double *ret)
{
	const struct str wanted = pawl__str_of(name);
	double sum = 0, v;
	bool found = false;

	while (text.len > 0) {
		const char *nl = memchr(text.ptr, '\n', text.len);
		const size_t len = nl == NULL ? text.len : (size_t)(nl - text.ptr);
		const struct str line = { text.ptr, len };
		const bool named = str_starts(line, wanted) && len > wanted.len &&
		                   (line.ptr[wanted.len] == ' ' || line.ptr[wanted.len] == '{');

		if (named && line_value(line, &v)) {
			sum += v;
			found = true;
		}
		text.ptr += nl == NULL ? len : len + 1;
		text.len -= nl == NULL ? len : len + 1;
	}
	if (found)
		*ret = sum;
	return found;
}
