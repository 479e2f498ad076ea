/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"

#include <sys/random.h>

#include "base/assert.h"

uint64_t pawl__rng_next(struct rng *r)
{
	uint64_t z = (r->state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint64_t pawl__rng_below(struct rng *r, uint64_t bound)
{
	unsigned __int128 m;

	PRE(bound > 0);
	do {
		m = (unsigned __int128)pawl__rng_next(r) * bound;
	} while ((uint64_t)m < bound && (uint64_t)m < (0 - bound) % bound);
	return (uint64_t)(m >> 64);
}

uint64_t pawl__rng_os(void)
{
	uint64_t v;

	INVARIANT(getrandom(&v, sizeof(v), 0) == (ssize_t)sizeof(v));
	return v;
}
