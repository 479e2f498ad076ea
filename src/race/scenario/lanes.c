/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "race/scenario/report.h"

static uint32_t cell(int64_t us, int64_t end_us)
{
	return us >= end_us ? LANES_WIDTH - 1 : (uint32_t)(us * LANES_WIDTH / end_us);
}

void pawl__lanes_text(const struct lane *lanes, uint32_t len, struct buf *out)
{
	int64_t end_us = 1;

	for (uint32_t i = 0; i < len; i++)
		end_us = lanes[i].to_us > end_us ? lanes[i].to_us : end_us;
	for (uint32_t i = 0; i < len; i++) {
		const struct lane *l = &lanes[i];
		const uint32_t from = cell(l->from_us, end_us), to = cell(l->to_us, end_us);
		char bar[LANES_WIDTH];

		memset(bar, ' ', sizeof(bar));
		memset(bar + from, '=', to - from + 1);
		bar[from] = '[';
		bar[to] = to == from ? '|' : ']';
		pawl__put(out, "  client %-5u |%.*s| %.*s  %.*s\n", l->client, LANES_WIDTH, bar,
		          (int)l->outcome.len, l->outcome.ptr, (int)l->request.len, l->request.ptr);
		if (l->body.len > 0)
			pawl__put(out, "  %*s%.*s\n", 15, "", (int)l->body.len, l->body.ptr);
	}
	buf_lit(out, "               0");
	for (uint32_t i = 0; i + 8 < LANES_WIDTH; i++)
		buf_lit(out, " ");
	pawl__put_us(out, (uint64_t)end_us);
	buf_lit(out, "\n");
}
