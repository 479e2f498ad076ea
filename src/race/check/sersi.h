/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/sersi - prefix consistency, snapshot isolation and serializability of register
 * histories with unique writes.
 *
 *     row order is a serial order? -> yes: valid
 *     saturation: forced edges until nothing changes -> a cycle: invalid, with the cycle;
 *         each time: the order that takes the smallest past first fits -> valid
 *     nothing left open -> valid
 *     search in each component of what is left open -> valid, invalid, or unknown: out of steps
 *
 * The levels as orders of points. Serializable: one point a transaction. The other two: a start S
 * and a commit C, S before C. For every read of key x by t3 from t1 and every other writer w of x:
 *     serializable   w before t1, or t3 before w
 *     snapshot       Cw before S1, or S3 before Cw; and of two writers of a key one commits
 *                    before the other starts
 *     prefix         Cw before C1, or S3 before Cw
 * (Cerone, Bernardi, Gotsman 2015; Biswas, Enea 2019; saturation after Cobra, OSDI 2020.) Sessions
 * are ordered.
 *
 *  (1) Whatever is answered is certain: when steps or SERSI_*_MAX do not suffice it is "unknown".
 *  (2) The search is deterministic; its budget is steps, never time.
 *
 * Owner: one thread. Memory: points * sessions * 4 bytes for the clocks (at most SERSI_CLOCKS_MAX),
 * and the square of the points of the component that is searched, in bits, twice.
 */
#ifndef PAWL_RACE_CHECK_SERSI_H
#define PAWL_RACE_CHECK_SERSI_H

#include "race/check/weak.h"

#define SERSI_CLOCKS_MAX  ((size_t)2 << 30) /* bytes */
#define SERSI_EDGES_MAX   ((uint32_t)1 << 26)
#define SERSI_CHOICES_MAX ((uint32_t)1 << 23) /* pairs left open that a search may begin with */
#define SERSI_SEARCH_MAX  16384U              /* points of one component */
#define SERSI_NAMES_MAX   16U
#define SERSI_ROWS_MAX    64U /* of a witness that is no cycle */

enum sersi_kind { SERSI_PREFIX, SERSI_SI, SERSI_SER };

struct sersi_anomaly {
	const char *name;
	uint64_t count;
	struct check_witness at[CHECK_WITNESSES_MAX];
	uint32_t len;
};

struct sersi_result {
	enum check_verdict verdict;
	const char *why; /* of unknown */
	uint64_t steps;
	struct sersi_anomaly anomaly[SERSI_NAMES_MAX];
	uint32_t anomalies_len;
};

/* For tests: leave out what would find the answer before the search does. */
enum sersi_without { SERSI_ALL = 0, SERSI_NO_ORDER = 1, SERSI_NO_FORCE = 2 };

struct sersi_job {
	enum sersi_kind kind;
	const uint32_t *rank; /* where so and wr let a transaction stand; NULL: as they are */
	uint64_t steps;       /* 0: CHECK_STEPS_DEFAULT */
	unsigned without;     /* enum sersi_without */
};

/* PRE: so and wr have no cycle. Witnesses lie in out's arena. false: no memory. */
PAWL_MUST_CHECK bool pawl__sersi_check(const struct weak *w, const struct sersi_job *job,
                                       struct sersi_result *ret, struct check_result *out);

/* ---- between sersi.c, sersi_force.c, sersi_order.c, sersi_search.c, sersi_witness.c ---- */

/* Why an edge between points is there, beyond so, wr and S before C. */
struct sersi_edge {
	uint32_t from, to; /* points */
	uint32_t key;
	uint32_t by;   /* the reader; of EDGE_WW WEAK_NONE */
	uint32_t edge; /* enum check_edge: EDGE_VISIBLE (w before t1), EDGE_RW, EDGE_WW */
};

/* Two edges of which one must hold. */
struct sersi_choice {
	struct sersi_edge either, or ;
};

struct sersi {
	const struct weak *w;
	enum sersi_kind kind;
	const uint32_t *rank;
	unsigned without;
	uint64_t steps; /* left */
	struct weak_writers writers;
	uint32_t points;
	uint32_t *clock; /* by point and session: the last point of the session that is before it */

	struct sersi_edge *edge; /* forced */
	uint32_t edges_len, edges_cap;
	uint32_t *first, *by_target; /* places in edge[] by target, as of the last index */

	struct sersi_choice *choice; /* left open */
	uint32_t choices_len, choices_cap;
	bool fits;       /* an order was found: nothing more has to be done */
	const char *why; /* of unknown */
};

enum sersi_answer { SERSI_YES, SERSI_NO, SERSI_UNKNOWN, SERSI_NO_MEMORY };

/* Points of a transaction: where it reads, where it takes effect. */
static inline uint32_t point_start(const struct sersi *s, uint32_t t)
{
	return s->kind == SERSI_SER ? t : 2 * t;
}

static inline uint32_t point_commit(const struct sersi *s, uint32_t t)
{
	return s->kind == SERSI_SER ? t : 2 * t + 1;
}

/* What of t1 another writer has to be before, for t1 to be what was read. */
static inline uint32_t point_behind(const struct sersi *s, uint32_t t)
{
	return s->kind == SERSI_PREFIX ? point_commit(s, t) : point_start(s, t);
}

static inline uint32_t point_txn(const struct sersi *s, uint32_t p)
{
	return s->kind == SERSI_SER ? p : p / 2;
}

/* Place in its session, from 1. */
static inline uint32_t point_place(const struct sersi *s, uint32_t p)
{
	if (s->kind == SERSI_SER)
		return s->w->place[p];
	return 2 * s->w->place[p / 2] - 1 + p % 2;
}

/* Whether p is before q, or is q, as of the last clocks. */
static inline bool point_before(const struct sersi *s, uint32_t p, uint32_t q)
{
	const uint32_t session = s->w->session[point_txn(s, p)];

	return s->clock[(size_t)q * s->w->sessions + session] >= point_place(s, p);
}

/* A before_fn of struct sersi. */
bool pawl__sersi_before(const void *s, uint32_t point, uint32_t i, uint32_t *ret);

/* Sort edge[] by target for pawl__sersi_before. */
PAWL_MUST_CHECK bool pawl__sersi_index(struct sersi *s);

/* Force what is forced, and try an order each time. SERSI_NO: there is a cycle. */
enum sersi_answer pawl__sersi_force(struct sersi *s);
/* Whether one order that is easily found fits. SERSI_UNKNOWN: that one does not. */
enum sersi_answer pawl__sersi_order(const struct sersi *s);
/* What is left open into choice[]. SERSI_YES: nothing is. */
enum sersi_answer pawl__sersi_choices(struct sersi *s);

/* Decide choice[]. SERSI_NO: ret_points are those of a component without any order (malloc). */
enum sersi_answer pawl__sersi_search(struct sersi *s, uint32_t **ret_points, uint32_t *ret_len);

PAWL_MUST_CHECK bool pawl__sersi_cycles(const struct sersi *s, struct sersi_result *ret,
                                        struct check_result *out);
PAWL_MUST_CHECK bool pawl__sersi_no_order(const struct sersi *s, const uint32_t *points,
                                          uint32_t len, struct sersi_result *ret,
                                          struct check_result *out);

#endif /* PAWL_RACE_CHECK_SERSI_H */
