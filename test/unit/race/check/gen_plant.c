/* SPDX-License-Identifier: Apache-2.0 */
#include "gen_history.h"

#include "base/compiler.h"

/*
 * Transactions, "|" between them. "wx1" writes (or appends) 1 to x, "rx12" reads 1 then 2 of x: a
 * register's value is the last. "!": it fails. "+": of the process of the one before, after it;
 * all others overlap.
 */
static const struct plan {
	const char *registers, *lists; /* NULL: not in such histories */
} plans[PLANTS] = {
	[PLANT_G0] = { NULL, "wx1 wy1|wx2 wy2|rx12 ry21" },
	[PLANT_G1A] = { "!wx1|rx1", "!wx1|rx1" },
	[PLANT_G1B] = { "wx1 wx2|rx1", "wx1 wx2|rx1" },
	[PLANT_G1C] = { "wx1 ry1|wy1 rx1", "wx1 ry1|wy1 rx1" },
	[PLANT_SINGLE] = { NULL, "wx1 wy1|rx ry1|rx1 ry1" },
	[PLANT_FRACTURED_INITIAL] = { "wx1 wy1|rx ry1", NULL },
	[PLANT_FRACTURED] = { "wx1 wy1|rx1 wx2 wy2|ry1 rx2", NULL },
	[PLANT_LONG_FORK] = { "wx1|wy1|rx1 ry|rx ry1", "wx1|wy1|rx1 ry|rx ry1" },
	[PLANT_LOST_UPDATE] = { "wx1|rx1 wx2|rx1 wx3", "wx1|rx1 wx2|rx1 wx3|rx123" },
	[PLANT_WRITE_SKEW] = { "rx wy1|ry wx1", "rx wy1|ry wx1|rx1 ry1" },
	[PLANT_G2] = { "rx wy1|ry wz1|rz wx1", "rx wy1|ry wz1|rz wx1|rx1 ry1 rz1" },
	[PLANT_INTERNAL] = { "wx1 rx", "wx1 rx" },
	[PLANT_FUTURE] = { "rx1 wx1", NULL },
	[PLANT_THIN_AIR] = { "rx9", NULL },
	[PLANT_OTV] = { "wx1 wy1|rx1 wx2 wy2|rx2 ry1", NULL },
	[PLANT_CAUSAL] = { "wx1|rx1 wx2|rx2 wy1|ry1 rx1", NULL },
	[PLANT_CAUSAL_SESSION] = { "wx1|rx1 wx2|+wy1|ry1|+rx1", NULL },
	[PLANT_ORDER] = { NULL, "wx1|wx2|rx12|rx21" },
	[PLANT_DUPLICATE] = { NULL, "wx1|rx11" },
};

#define PLANT_KEYS  3   /* x, y, z: behind the others */
#define PLANT_VALUE 500 /* what the plan's values are added to */
#define PLANT_SPACE 100 /* in time */

static const char *parse_mop(const char *p, struct gen_op *op, uint32_t keys)
{
	struct gen_mop *m = &op->mop[op->mops++];

	*m = (struct gen_mop){ .write = p[0] == 'w', .key = keys + (uint32_t)(p[1] - 'x') };
	for (p += 2; *p >= '0' && *p <= '9'; p++) {
		m->value = (uint16_t)(PLANT_VALUE + *p - '0');
		m->at[m->len++] = m->value;
	}
	return *p == ' ' ? p + 1 : p;
}

/* All begin, then all end: at `at`, and those with "+" later. */
static void parse(struct gen_history *g, const char *p, uint32_t at)
{
	uint32_t process = 100, n = 0;

	while (*p != '\0') {
		struct gen_op *op = &g->op[g->ops++];
		const bool fails = *p == '!', later = *p == '+';

		p += fails || later;
		process += !later;
		*op = (struct gen_op){ .process = process, .type = fails ? HT_FAIL : HT_OK };
		op->inv = at + n + (later ? PLANT_SPACE / 2 : 0);
		op->ret = op->inv + PLANT_SPACE / 4;
		n++;
		while (*p != '|' && *p != '\0')
			p = parse_mop(p, op, g->keys);
		p += *p == '|';
	}
	g->keys += PLANT_KEYS;
}

bool gen_plant(struct gen_history *g, enum gen_anomaly what, bool lists, struct rng *rng)
{
	const char *plan = lists ? plans[what].lists : plans[what].registers;
	const struct gen_shape shape = { .db = GEN_SERIAL,
		                         .lists = lists,
		                         .ops = 24,
		                         .mops = 4,
		                         .keys = 3,
		                         .processes = 5,
		                         .crashes = true,
		                         .last_read = lists };
	uint32_t end = 0;
	const uint32_t early = (uint32_t)pawl__rng_below(rng, 2);

	if (plan == NULL)
		return false;
	gen_make(g, &shape, rng);
	for (uint32_t i = 0; i < g->ops; i++) {
		struct gen_op *op = &g->op[i];

		op->inv += early * PLANT_SPACE;
		op->ret += op->ret == GEN_NEVER ? 0 : early * PLANT_SPACE;
		end = op->inv >= end ? op->inv + 1 : end;
		end = op->ret != GEN_NEVER && op->ret >= end ? op->ret + 1 : end;
	}
	parse(g, plan, early != 0 ? 0 : end);
	return true;
}
