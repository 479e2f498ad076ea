/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"

#include "cli/cli.h"

#define DRAW_US   100000
#define BAR_CELLS 30

void pawl__progress_init(struct progress *p, FILE *f, bool wanted)
{
	*p = (struct progress){ .f = f, .on = wanted && pawl__cli_terminal(f) };
}

void pawl__progress_update(struct progress *p, const char *what, int64_t done, int64_t total,
                           int64_t now_us)
{
	static const char cells[] = "##############################";
	int filled;

	if (!p->on || (p->drawn_us != 0 && now_us - p->drawn_us < DRAW_US))
		return;
	p->drawn_us = now_us;
	filled = (int)(done < total ? done * BAR_CELLS / total : BAR_CELLS);
	pawl__print(p->f, "\r%-24.24s [%-*.*s] %3d%%", what, BAR_CELLS, filled, cells,
	            filled * 100 / BAR_CELLS);
	(void)fflush(p->f);
}

void pawl__progress_clear(struct progress *p)
{
	if (!p->on || p->drawn_us == 0)
		return;
	p->drawn_us = 0;
	pawl__print(p->f, "\r\033[K");
	(void)fflush(p->f);
}
