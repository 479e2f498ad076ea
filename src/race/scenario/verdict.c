/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "race/scenario/run.h"

#define Z 1.959963984540054 /* of the normal distribution, 95 % two-sided */

const char *pawl__verdict_name(enum verdict v)
{
	static const char *const names[VERDICTS] = { "held", "inconclusive", "error", "violated" };

	return names[v];
}

void pawl__wilson(uint64_t n, uint64_t total, double *ret_low, double *ret_high)
{
	const double t = (double)total, p = total == 0 ? 0 : (double)n / t;
	double middle, half, width;

	if (total == 0) {
		*ret_low = 0;
		*ret_high = 1;
		return;
	}
	width = 1 + Z * Z / t;
	middle = (p + Z * Z / (2 * t)) / width;
	half = Z * sqrt(p * (1 - p) / t + Z * Z / (4 * t * t)) / width;
	*ret_low = n == 0 ? 0 : (middle > half ? middle - half : 0);
	*ret_high = n == total ? 1 : (middle + half < 1 ? middle + half : 1);
}

enum answer_class pawl__answer_of(enum volley_class class)
{
	switch (class) {
	case VOLLEY_ANSWERED:
		return ANSWER_STATUS;
	case VOLLEY_TIMEOUT:
	case VOLLEY_DRIP:
		return ANSWER_TIMEOUT;
	case VOLLEY_RESET:
	case VOLLEY_CLOSED:
		return ANSWER_RESET;
	case VOLLEY_MALFORMED:
	case VOLLEY_TOO_LARGE:
		return ANSWER_MALFORMED;
	case VOLLEY_REFUSED:
	case VOLLEY_PROTOCOL:
	case VOLLEY_UNSENT:
	case VOLLEY_CLASSES:
		break;
	}
	return ANSWER_UNSENT;
}
