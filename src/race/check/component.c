/* SPDX-License-Identifier: Apache-2.0 */
#include "race/check/component.h"

#include <stdlib.h>
#include <string.h>

#include "race/check/scc.h"

void pawl__components_deinit(struct components *c)
{
	free(c->first);
	free(c->member);
	free(c->local);
	free(c->of);
	free(c->mark);
	*c = (struct components){ 0 };
}

/* Number the components of two nodes or more in the order in which a node of one is met; c->of
 * goes from Tarjan's numbers to these. size[] by Tarjan's number becomes the new number. */
static bool renumber(struct components *c, struct scc *s)
{
	const uint32_t nodes = c->g->nodes;
	uint32_t *number = calloc((size_t)s->comps + 1, sizeof(*number));
	uint32_t total = 0;

	if (number == NULL)
		return false;
	for (uint32_t i = 0; i < nodes; i++)
		number[s->comp[i]]++;
	for (uint32_t k = 0; k < s->comps; k++) {
		total += number[k] > 1 ? number[k] : 0;
		number[k] = number[k] > 1 ? HISTORY_NONE - 1 : HISTORY_NONE;
	}
	for (uint32_t i = 0; i < nodes; i++) {
		uint32_t *n = &number[s->comp[i]];

		if (*n == HISTORY_NONE - 1)
			*n = c->len++;
		s->comp[i] = *n;
	}
	free(number);
	c->of = s->comp;
	s->comp = NULL;
	c->first = calloc((size_t)c->len + 2, sizeof(*c->first));
	c->member = malloc(((size_t)total + 1) * sizeof(*c->member));
	c->local = malloc(((size_t)nodes + 1) * sizeof(*c->local));
	return c->first != NULL && c->member != NULL && c->local != NULL;
}

static void gather(struct components *c)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < c->g->nodes; i++) {
		if (c->of[i] != HISTORY_NONE)
			c->first[c->of[i]]++;
	}
	for (uint32_t k = 0; k <= c->len; k++) {
		const uint32_t n = c->first[k];

		c->nodes_max = n > c->nodes_max ? n : c->nodes_max;
		c->first[k] = sum;
		sum += n;
	}
	for (uint32_t i = 0; i < c->g->nodes; i++) {
		if (c->of[i] != HISTORY_NONE)
			c->member[c->first[c->of[i]]++] = i;
	}
	memmove(c->first + 1, c->first, (size_t)c->len * sizeof(*c->first));
	c->first[0] = 0;
	for (uint32_t k = 0; k < c->len; k++) {
		uint64_t edges = 0;

		for (uint32_t j = c->first[k]; j < c->first[k + 1]; j++) {
			c->local[c->member[j]] = j - c->first[k];
			edges += c->g->first[c->member[j] + 1] - c->g->first[c->member[j]];
		}
		c->edges_max = edges > c->edges_max ? (uint32_t)edges : c->edges_max;
	}
}

bool pawl__components_init(struct components *c, const struct graph *g)
{
	struct scc s;
	bool ok;

	*c = (struct components){ .g = g };
	if (!pawl__scc_init(&s, g->nodes))
		return false;
	pawl__scc_run(&s, g, GRAPH_ALL);
	ok = renumber(c, &s);
	pawl__scc_deinit(&s);
	if (ok) {
		gather(c);
		c->mark = malloc(((size_t)c->nodes_max + 1) * sizeof(*c->mark));
	}
	if (ok && c->mark != NULL)
		return true;
	pawl__components_deinit(c);
	return false;
}

bool pawl__components_room(const struct components *c, uint32_t factor, struct graph *ret)
{
	*ret = (struct graph){ 0 };
	ret->first = malloc(((size_t)c->nodes_max * factor + 1) * sizeof(*ret->first));
	ret->to = malloc(((size_t)c->edges_max * factor + 1) * sizeof(*ret->to));
	ret->cls = malloc((size_t)c->edges_max * factor + 1);
	if (ret->first != NULL && ret->to != NULL && ret->cls != NULL)
		return true;
	pawl__graph_deinit(ret);
	return false;
}

/* Whether an edge between two nodes goes without saying: mark holds which came before. */
static bool goes_without(uint32_t *mark, uint32_t at, unsigned cls)
{
	const uint32_t worst = at * 2, rw = at * 2 + 1;

	if (*mark == worst || (*mark == rw && cls != GRAPH_EXTRA))
		return true;
	*mark = cls == GRAPH_RW ? rw : worst;
	return false;
}

/* The edges of one node within the component, worst class first. */
static void take_node(struct components *c, uint32_t i, uint32_t node, struct graph *ret)
{
	const struct graph *g = c->g;
	const uint32_t at = c->local[node];

	for (unsigned cls = 0; cls < GRAPH_CLASSES; cls++) {
		for (uint32_t e = g->first[node]; e < g->first[node + 1]; e++) {
			const uint32_t to = g->to[e];

			if (g->cls[e] != cls || c->of[to] != i ||
			    goes_without(&c->mark[c->local[to]], at, cls))
				continue;
			ret->to[ret->edges] = c->local[to];
			ret->cls[ret->edges++] = (uint8_t)cls;
		}
	}
}

void pawl__components_take(struct components *c, uint32_t i, struct graph *ret)
{
	const uint32_t first = c->first[i], n = c->first[i + 1] - first;

	ret->nodes = n;
	ret->edges = 0;
	ret->rows = 0;
	for (uint32_t k = 0; k < n; k++)
		c->mark[k] = HISTORY_NONE;
	for (uint32_t k = 0; k < n; k++) {
		ret->first[k] = ret->edges;
		ret->rows += c->member[first + k] < c->g->rows;
		take_node(c, i, c->member[first + k], ret);
	}
	ret->first[n] = ret->edges;
}
