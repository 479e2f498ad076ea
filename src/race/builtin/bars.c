/* SPDX-License-Identifier: Apache-2.0 */
#include "race/builtin/race.h"

#include <string.h>

static const char *const outcomes[] = {
	[END_DONE] = "done",       [END_REFUSED] = "refused", [END_GAVE_UP] = "gave up",
	[END_CRASHED] = "crashed", [END_UNKNOWN] = "unknown", [END_ERROR] = "error",
};

void pawl__race_bars(const struct race_span *spans, const enum machine_end *ends, uint32_t programs,
                     int64_t gate_ns, struct builtin_row *row)
{
	for (uint32_t i = 0; i < programs; i++) {
		const int64_t from_us = (spans[i].from_ns - gate_ns) / 1000;
		uint32_t at = row->bars_len;

		if (spans[i].from_ns == 0)
			continue; /* it did not happen */
		while (at > 0 && row->bars[at - 1].from_us > from_us)
			at--;
		if (at == BUILTIN_BARS_MAX)
			continue;
		if (row->bars_len < BUILTIN_BARS_MAX)
			row->bars_len++;
		memmove(&row->bars[at + 1], &row->bars[at],
		        (row->bars_len - at - 1) * sizeof(row->bars[0]));
		row->bars[at] =
			(struct builtin_bar){ i + 1, from_us, (spans[i].to_ns - gate_ns) / 1000,
			                      outcomes[ends[i]] };
	}
	row->bars_of = programs;
	row->bars_round = row->rounds + 1;
}
