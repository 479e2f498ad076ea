/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"
#include "race/scenario/round.h"

#define RANDOM_BITS 46 /* exact in every JSON reader, and too many to meet twice */

uint64_t pawl__deal_random(uint64_t seed, uint64_t number, uint32_t client)
{
	struct rng r;

	/* One step of the generator between the parts, so that they cannot cancel out. */
	rng_init(&r, seed);
	rng_init(&r, pawl__rng_next(&r) ^ number);
	rng_init(&r, pawl__rng_next(&r) ^ client);
	return (pawl__rng_next(&r) >> (64 - RANDOM_BITS)) + 1;
}

/* Counts first, then by weight; then everybody changes places. */
static void steps_deal(const struct scenario *s, struct rng *rng, struct dealt *ret)
{
	uint64_t weights = 0;
	uint32_t len = 0;

	for (uint32_t i = 0; i < s->requests_len; i++) {
		weights += (uint64_t)s->requests[i].weight;
		for (int64_t n = 0; n < s->requests[i].count; n++)
			ret[len++].step = &s->requests[i];
	}
	for (; len < s->clients; len++) {
		uint64_t at = pawl__rng_below(rng, weights);
		uint32_t i = 0;

		while (at >= (uint64_t)s->requests[i].weight)
			at -= (uint64_t)s->requests[i++].weight;
		ret[len].step = &s->requests[i];
	}
	for (uint32_t i = s->clients; i > 1 && s->requests_len > 1; i--) {
		const uint32_t k = (uint32_t)pawl__rng_below(rng, i);
		const struct dealt d = ret[i - 1];

		ret[i - 1] = ret[k];
		ret[k] = d;
	}
}

static struct str key_of(struct arena *arena, uint64_t id, size_t step, const char *letter,
                         uint32_t n)
{
	char mem[80];
	struct buf b;

	pawl__buf_init_fixed(&b, mem, sizeof(mem));
	pawl__buf_u64(&b, id);
	buf_lit(&b, "-");
	pawl__buf_u64(&b, step);
	buf_str(&b, pawl__str_of(letter));
	pawl__buf_u64(&b, n);
	return pawl__arena_str(arena, buf_get(&b));
}

struct dealt *pawl__deal(const struct scenario *s, uint64_t seed, uint64_t number, uint64_t id,
                         struct arena *arena)
{
	struct dealt *d = arena_array(arena, struct dealt, s->clients);
	uint32_t first[SCENARIO_REQUESTS_MAX], last[SCENARIO_REQUESTS_MAX];
	uint32_t n[SCENARIO_REQUESTS_MAX] = { 0 };
	struct rng rng;

	if (d == NULL)
		return NULL;
	rng_init(&rng, pawl__deal_random(seed, number, UINT32_MAX - 1));
	steps_deal(s, &rng, d);
	for (uint32_t c = 0; c < s->clients; c++) {
		const size_t i = (size_t)(d[c].step - s->requests);

		if (n[i]++ == 0)
			first[i] = c;
		if (n[i] % 2 == 1)
			last[i] = c; /* the first of a pair */
		d[c].leader = c;
		switch (d[c].step->key) {
		case KEY_NONE:
			break;
		case KEY_OWN:
			d[c].key = key_of(arena, id, i, ".", c);
			break;
		case KEY_SHARED:
			d[c].leader = first[i];
			d[c].key = key_of(arena, id, i, ".", first[i]);
			break;
		case KEY_REPEATED:
			d[c].leader = last[i];
			d[c].key = key_of(arena, id, i, ".", last[i]);
			break;
		case KEY_REUSED:
			d[c].key = key_of(arena, id, i, ".", first[i]);
			break;
		}
	}
	return arena->failed ? NULL : d;
}
