/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/graph - the graph of dependencies between transactions, in compressed rows.
 *
 * Nodes below `rows` are rows of the history; those above are virtual and stand for many edges:
 *   barrier   T -> barrier -> .. -> barrier -> U says that T completed before U began. One barrier
 *             per run of completions, chained: n edges say what n * n pairs would.
 *   fan       T -> fan -> .. -> U says that T read a version which U wrote over, for all T of some
 *             rows and all U of others but T itself. Two chains of nodes, one per U and chain: from
 *             a node one gets to its own U and to those behind it; in the other chain, before it.
 * An edge's class stands beside it in a byte. Edges are emitted twice by the same code, once to be
 * counted and once to be placed, so no list of them is ever held.
 *
 * Invariants: no edge leads to its own node; edges of a node stand in the order of emission.
 * Limits: GRAPH_NODES_MAX, GRAPH_EDGES_MAX. Threads: one owner.
 */
#ifndef PAWL_RACE_CHECK_GRAPH_H
#define PAWL_RACE_CHECK_GRAPH_H

#include <stdbool.h>
#include <stdint.h>

#include "race/check/history.h"

#define GRAPH_NODES_MAX ((uint64_t)1 << 30)
#define GRAPH_EDGES_MAX ((uint64_t)1 << 29)

enum graph_class {
	GRAPH_WW,
	GRAPH_WR,
	GRAPH_RW,    /* into a fan too */
	GRAPH_EXTRA, /* process or realtime: never both in one graph */
	GRAPH_FAN,   /* within a fan, and out of it */
	GRAPH_CLASSES
};

/* Sets of classes */
#define GRAPH_BIT(c) (1u << (c))
#define GRAPH_ALL    ((1u << GRAPH_CLASSES) - 1)

/* What besides data orders two transactions. */
enum graph_extra { GRAPH_NO_EXTRA, GRAPH_PROCESS, GRAPH_REALTIME };

struct graph {
	uint32_t nodes, rows;
	uint32_t edges;
	uint32_t *first; /* nodes + 1; edges of node i are [first[i], first[i + 1]) */
	uint32_t *to;
	uint8_t *cls; /* enum graph_class */
};

void pawl__graph_deinit(struct graph *g);

/* How an edge gets in: */
struct graph_maker {
	struct graph *g;
	uint64_t counted;
	bool placing; /* the second time */
};

static inline void graph_edge(struct graph_maker *m, uint32_t from, uint32_t to,
                              enum graph_class cls)
{
	struct graph *g = m->g;
	uint32_t at;

	if (from == to)
		return;
	if (!m->placing) {
		g->first[from]++;
		m->counted++;
		return;
	}
	at = g->first[from]++;
	g->to[at] = to;
	g->cls[at] = (uint8_t)cls;
}

/* A fan of len rows is used from so many edges on, and so many times what its nodes have. */
#define GRAPH_FAN_MIN    1024u
#define GRAPH_FAN_FACTOR 16u

static inline bool graph_fan_pays(uint64_t from, uint64_t to)
{
	return from * to > GRAPH_FAN_MIN + GRAPH_FAN_FACTOR * (from + to);
}

/* Nodes of a fan, which stand from `fan` on. */
static inline uint64_t graph_fan_nodes(uint32_t len)
{
	return (uint64_t)len * 2;
}

/* That row is number i of a fan. */
static inline void graph_fan_to(struct graph_maker *m, uint32_t fan, uint32_t len, uint32_t i,
                                uint32_t row)
{
	graph_edge(m, fan + i, row, GRAPH_FAN);
	graph_edge(m, fan + len + i, row, GRAPH_FAN);
	if (i + 1 < len)
		graph_edge(m, fan + i, fan + i + 1, GRAPH_FAN);
	if (i > 0)
		graph_edge(m, fan + len + i, fan + len + i - 1, GRAPH_FAN);
}

/* From a row to all in a fan but [own, own_end). */
static inline void graph_fan_from(struct graph_maker *m, uint32_t fan, uint32_t len, uint32_t row,
                                  uint32_t own, uint32_t own_end)
{
	if (own_end < len)
		graph_edge(m, row, fan + own_end, GRAPH_RW);
	if (own > 0 && own < own_end)
		graph_edge(m, row, fan + len + own - 1, GRAPH_RW);
}

/* Emits every edge through graph_edge; the same ones both times. */
typedef void (*graph_emit_fn)(struct graph_maker *m, const void *arg);

/*
 * PAWL_E_TOO_LARGE: over a limit, counted before anything of that size is allocated;
 * PAWL_E_NOMEM. ret is for pawl__graph_deinit on success only.
 */
PAWL_MUST_CHECK enum pawl_status pawl__graph_make(struct graph *ret, uint32_t rows,
                                                  uint64_t virtual_nodes, graph_emit_fn emit,
                                                  const void *arg);

/* Rows that may have taken effect: only these have edges. */
static inline bool graph_has_row(const struct history *h, uint32_t row)
{
	return h->type[row] != HT_FAIL;
}

/* Barriers that pawl__graph_extra needs at most. */
uint64_t pawl__graph_barriers(const struct history *h, enum graph_extra extra);

/* Emit process or realtime edges; barriers are nodes from `barrier` on, last has room for every
 * process. Returns whether any row is before another. */
bool pawl__graph_extra(struct graph_maker *m, const struct history *h, enum graph_extra extra,
                       uint32_t barrier, uint32_t *last);

#endif /* PAWL_RACE_CHECK_GRAPH_H */
