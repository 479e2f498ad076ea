/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/graph - the graph of dependencies between transactions, in compressed rows.
 *
 * Nodes below `rows` are rows of the history; those above are virtual and stand for many edges:
 *   barrier   T -> barrier -> .. -> barrier -> U says that T completed before U began. One barrier
 *             per run of completions, chained: n edges say what n * n pairs would.
 *   hub       T -> hub -> U says that T read a version which U overwrote, for all T and all U.
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

#define GRAPH_NODES_MAX ((uint64_t)1 << 31)
#define GRAPH_EDGES_MAX ((uint64_t)1 << 29)

enum graph_class {
	GRAPH_WW,
	GRAPH_WR,
	GRAPH_RW,    /* into a hub too */
	GRAPH_EXTRA, /* process or realtime: never both in one graph */
	GRAPH_HUB,   /* out of a hub */
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
