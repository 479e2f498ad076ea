/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/rng - a seeded generator for simulation, jitter and tests. Never for secrets.
 * SplitMix64 (Steele, Lea, Flood 2014): every 64-bit seed is a good seed.
 */
#ifndef PAWL_BASE_RNG_H
#define PAWL_BASE_RNG_H

#include <stdint.h>

struct rng {
	uint64_t state;
};

static inline void rng_init(struct rng *r, uint64_t seed)
{
	r->state = seed;
}

uint64_t pawl__rng_next(struct rng *r);

/* Uniform in [0, bound); bound > 0. Unbiased (Lemire 2019). */
uint64_t pawl__rng_below(struct rng *r, uint64_t bound);

/* 64 bits of the kernel's randomness, for seeds. */
uint64_t pawl__rng_os(void);

#endif /* PAWL_BASE_RNG_H */
