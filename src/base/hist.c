/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hist.h"

#include "base/assert.h"

#define HIST_SUB (UINT64_C(1) << HIST_SUB_BITS)

static unsigned hist_index(uint64_t v)
{
	unsigned shift;

	if (v < HIST_SUB)
		return (unsigned)v;
	shift = 63U - (unsigned)__builtin_clzll(v) - HIST_SUB_BITS;
	return ((shift + 1) << HIST_SUB_BITS) + (unsigned)((v >> shift) - HIST_SUB);
}

/* The largest value that falls into bucket i. */
static uint64_t hist_bound(unsigned i)
{
	const unsigned octave = i >> HIST_SUB_BITS;
	const uint64_t sub = i & (HIST_SUB - 1);

	if (octave == 0)
		return sub;
	return ((HIST_SUB + sub) << (octave - 1)) + ((UINT64_C(1) << (octave - 1)) - 1);
}

void pawl__hist_put(struct hist *h, uint64_t v)
{
	const unsigned i = hist_index(v);

	INVARIANT(i < HIST_BUCKETS);
	h->bucket[i]++;
	h->count++;
	h->sum += v;
	if (v > h->max)
		h->max = v;
}

void pawl__hist_merge(struct hist *into, const struct hist *from)
{
	for (unsigned i = 0; i < HIST_BUCKETS; i++)
		into->bucket[i] += from->bucket[i];
	into->count += from->count;
	into->sum += from->sum;
	if (from->max > into->max)
		into->max = from->max;
}

uint64_t pawl__hist_quantile(const struct hist *h, double q)
{
	uint64_t want, seen = 0;

	PRE(q >= 0 && q <= 1);
	if (h->count == 0)
		return 0;
	want = (uint64_t)((double)h->count * q);
	if (want < h->count && (double)want < (double)h->count * q)
		want++;
	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen >= want && seen > 0)
			return hist_bound(i) < h->max ? hist_bound(i) : h->max;
	}
	return h->max;
}

uint64_t pawl__hist_count_le(const struct hist *h, uint64_t v)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < HIST_BUCKETS && hist_bound(i) <= v; i++)
		n += h->bucket[i];
	return n;
}
