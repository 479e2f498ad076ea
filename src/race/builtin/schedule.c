/* SPDX-License-Identifier: Apache-2.0 */
#include "race/builtin/schedule.h"

#include "base/assert.h"

void pawl__schedule_begin(struct schedule *s)
{
	s->len = 0;
}

bool pawl__schedule_choose(struct schedule *s, uint32_t ready)
{
	const uint32_t i = s->len;

	PRE(ready != 0);
	if (i == SCHEDULE_STEPS_MAX)
		return false;
	if (i < s->kept && (ready & 1U << s->at[i].chosen) == 0) {
		s->strayed++;
		s->kept = i;
	}
	if (i >= s->kept) {
		s->at[i].chosen = (uint32_t)__builtin_ctz(ready);
		s->kept = i + 1;
	}
	s->at[i].ready = ready;
	s->len = i + 1;
	return true;
}

bool pawl__schedule_next(struct schedule *s)
{
	while (s->len > 0) {
		const uint32_t i = s->len - 1;
		const uint32_t higher = s->at[i].ready & ~((2U << s->at[i].chosen) - 1);

		if (higher != 0) {
			s->at[i].chosen = (uint32_t)__builtin_ctz(higher);
			s->kept = i + 1;
			return true;
		}
		s->len--;
	}
	return false;
}
