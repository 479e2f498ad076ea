/* SPDX-License-Identifier: Apache-2.0 */
#include "race/check/before.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

/* What Tarjan's algorithm keeps by node. */
struct tarjan {
	struct before_parts *c;
	const void *graph;
	before_fn before;
	uint32_t *index, *low, *edge, *stack, *path;
	uint32_t clock, members;
};

static void visit(struct tarjan *k, uint32_t t, uint32_t *depth, uint32_t *stacked)
{
	k->path[(*depth)++] = t;
	k->index[t] = k->low[t] = k->clock++;
	k->edge[t] = 0;
	k->stack[(*stacked)++] = t;
}

static void parts_from(struct tarjan *k, uint32_t root)
{
	uint32_t depth = 0, stacked = 0, u;

	visit(k, root, &depth, &stacked);
	while (depth > 0) {
		const uint32_t t = k->path[depth - 1];

		if (k->before(k->graph, t, k->edge[t], &u)) {
			k->edge[t]++;
			if (u == BEFORE_NONE || k->c->comp[u] != BEFORE_NONE)
				continue;
			if (k->index[u] == BEFORE_NONE)
				visit(k, u, &depth, &stacked);
			else if (k->index[u] < k->low[t])
				k->low[t] = k->index[u];
			continue;
		}
		depth--;
		if (depth > 0 && k->low[t] < k->low[k->path[depth - 1]])
			k->low[k->path[depth - 1]] = k->low[t];
		if (k->low[t] != k->index[t])
			continue;
		do {
			u = k->stack[--stacked];
			k->c->comp[u] = k->c->comps;
			k->c->member[k->members++] = u;
		} while (u != t);
		k->c->comps++;
	}
}

bool pawl__before_parts(struct before_parts *c, const void *graph, before_fn before, uint32_t nodes)
{
	const size_t n = (size_t)nodes + 1;
	struct tarjan k = { .c = c, .graph = graph, .before = before };

	*c = (struct before_parts){ 0 };
	c->comp = malloc(n * sizeof(*c->comp));
	c->member = malloc(n * sizeof(*c->member));
	c->scratch = malloc(5 * n * sizeof(*c->scratch));
	if (c->comp == NULL || c->member == NULL || c->scratch == NULL)
		return false;
	k.index = c->scratch;
	k.low = c->scratch + n;
	k.edge = c->scratch + 2 * n;
	k.stack = c->scratch + 3 * n;
	k.path = c->scratch + 4 * n;
	memset(c->comp, 0xff, n * sizeof(*c->comp));
	memset(k.index, 0xff, n * sizeof(*k.index));
	for (uint32_t t = 0; t < nodes; t++)
		if (k.index[t] == BEFORE_NONE)
			parts_from(&k, t);
	return true;
}

void pawl__before_parts_deinit(struct before_parts *c)
{
	free(c->comp);
	free(c->member);
	free(c->scratch);
	*c = (struct before_parts){ 0 };
}

struct walk {
	const void *graph;
	before_fn before;
	const uint32_t *comp;
	uint32_t *parent, *queue, *mark;
	uint64_t steps;
};

/* The shortest cycle through root, if it is shorter than best, into ret. Returns its length; best
 * when there is none. */
static uint32_t cycle_through(struct walk *k, uint32_t root, uint32_t best, uint32_t *ret)
{
	uint32_t head = 0, tail = 0, level_end = 1, depth = 1, u;

	k->queue[tail++] = root;
	k->mark[root] = root;
	while (head < tail && depth < best) {
		const uint32_t t = k->queue[head++];

		for (uint32_t i = 0; k->before(k->graph, t, i, &u); i++) {
			k->steps -= k->steps > 0;
			if (u == root) {
				ret[0] = root;
				for (uint32_t j = 1, v = t; v != root; v = k->parent[v])
					ret[j++] = v;
				return depth;
			}
			if (u == BEFORE_NONE || k->comp[u] != k->comp[root] || k->mark[u] == root)
				continue;
			k->mark[u] = root;
			k->parent[u] = t;
			k->queue[tail++] = u;
		}
		if (head == level_end) {
			level_end = tail;
			depth++;
		}
	}
	return best;
}

/* members ascend. Of equally short cycles the one found first. */
static bool shortest(struct walk *k, const uint32_t *members, uint32_t n, struct before_cycle *ret)
{
	uint32_t best = n + 1;

	ret->at = malloc(((size_t)n + 1) * sizeof(*ret->at));
	if (ret->at == NULL)
		return false;
	for (uint32_t i = 0; i < n && best > 2 && (i == 0 || k->steps > 0); i++)
		best = cycle_through(k, members[i], best, ret->at);
	POST(best <= n);
	ret->len = best;
	return true;
}

static int ascending(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* By component: where its members begin and how many they are. */
static void sizes(const struct before_parts *c, uint32_t nodes, uint32_t *begin, uint32_t *len)
{
	memset(len, 0, (size_t)nodes * sizeof(*len));
	for (uint32_t i = 0; i < nodes; i++)
		if (len[c->comp[c->member[i]]]++ == 0)
			begin[c->comp[c->member[i]]] = i;
}

bool pawl__before_cycles(struct before_cycles *ret, const void *graph, before_fn before,
                         uint32_t nodes)
{
	const size_t n = (size_t)nodes + 1;
	struct walk k = { .graph = graph, .before = before, .steps = BEFORE_STEPS };
	struct before_parts c;
	bool ok = pawl__before_parts(&c, graph, before, nodes);

	*ret = (struct before_cycles){ 0 };
	if (ok && c.comps < nodes) {
		/* What Tarjan's algorithm needed is free again. */
		uint32_t *begin = c.scratch, *len = c.scratch + n;

		k.comp = c.comp;
		k.parent = c.scratch + 2 * n;
		k.queue = c.scratch + 3 * n;
		k.mark = c.scratch + 4 * n;
		memset(k.mark, 0xff, n * sizeof(*k.mark));
		sizes(&c, nodes, begin, len);
		for (uint32_t t = 0; ok && t < nodes; t++) {
			uint32_t *members = c.member + begin[c.comp[t]];
			const uint32_t size = len[c.comp[t]];

			if (size < 2)
				continue;
			len[c.comp[t]] = 0;
			if (ret->count++ >= BEFORE_KEPT_MAX)
				continue;
			qsort(members, size, sizeof(*members), ascending);
			ok = shortest(&k, members, size, &ret->at[ret->len++]);
		}
	}
	pawl__before_parts_deinit(&c);
	return ok;
}

void pawl__before_cycles_deinit(struct before_cycles *c)
{
	for (uint32_t i = 0; i < c->len; i++)
		free(c->at[i].at);
	*c = (struct before_cycles){ 0 };
}

bool pawl__before_way(struct before_cycle *ret, const void *graph, before_fn before, uint32_t nodes,
                      const uint32_t ends[2])
{
	const size_t n = (size_t)nodes + 1;
	uint32_t *parent = malloc(2 * n * sizeof(*parent)), *queue;
	uint32_t head = 0, tail = 0, t = ends[1], from;

	*ret = (struct before_cycle){ .at = malloc(n * sizeof(*ret->at)) };
	if (parent == NULL || ret->at == NULL) {
		free(parent);
		return false;
	}
	memset(parent, 0xff, n * sizeof(*parent));
	queue = parent + n;
	parent[t] = t;
	queue[tail++] = t;
	while (parent[ends[0]] == BEFORE_NONE) {
		INVARIANT(head < tail);
		t = queue[head++];
		for (uint32_t i = 0; before(graph, t, i, &from); i++) {
			if (from == BEFORE_NONE || parent[from] != BEFORE_NONE)
				continue;
			parent[from] = t;
			queue[tail++] = from;
		}
	}
	for (t = ends[0]; t != ends[1]; t = parent[t])
		ret->at[ret->len++] = t;
	ret->at[ret->len++] = t;
	free(parent);
	return true;
}
