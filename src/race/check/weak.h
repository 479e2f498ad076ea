/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/weak - read committed, read atomic and causal consistency of register histories whose
 * writes are unique, decided exactly and in near-linear time.
 *
 *     history -> weak_load: who read from whom -> a level's rule: edges "committed before"
 *             -> no cycle: the level holds; a cycle: the witness
 *
 * A level holds when some total order of commits contains session order (so) and reads-from (wr)
 * and obeys, for every read of key x by t3 from t1 and every other writer t2 of x:
 *     read committed   t2 -wr-> an earlier read of t3      => t2 before t1
 *     read atomic      t2 -so or wr-> t3                   => t2 before t1
 *     causal           t2 -(so or wr)+-> t3                => t2 before t1
 * (Biswas and Enea 2019; that the edges below suffice: Moldrup and Pavlogiannis, PLDI 2025.)
 * Sessions are ordered at every level: a session is a process.
 *
 * Invariants:
 *  (1) A transaction is a row that is ok, or one of unknown outcome of which somebody read. Of the
 *      latter only the writes count. Transactions stand in the order of rows.
 *  (2) A read whose value several committed transactions may have written is never guessed at: the
 *      answer is unknown. A write of a failed transaction loses against one that may have happened:
 *      reading it would be invalid anyway.
 *  (3) Reads that no level allows (G1a, G1b, thin air, own writes not seen) are found while loading
 *      and are no part of the graph.
 *
 * Errors: false from any function is "no memory". Owner: one thread.
 * Cost: RC and RA O(n^1.5) at worst, linear for bounded transactions; causal O(n * sessions).
 * Clocks are kept only for sessions' heads and for transactions that still have readers to come.
 */
#ifndef PAWL_RACE_CHECK_WEAK_H
#define PAWL_RACE_CHECK_WEAK_H

#include "race/check/check.h"
#include "race/check/table.h"

#define WEAK_NONE         UINT32_MAX
#define WEAK_INIT         (UINT32_MAX - 1) /* imagined: it wrote the initial values */

#define WEAK_SESSIONS_MAX 8192U /* of the causal rule, whose memory grows with their square */

enum weak_read_fault {
	READ_FUTURE,   /* its own write that comes later */
	READ_ABORTED,  /* G1a */
	READ_BETWEEN,  /* G1b */
	READ_INTERNAL, /* not its own latest write */
	READ_THIN_AIR, /* nobody wrote it */
	READ_FAULTS
};

/* One read that no level allows. */
struct weak_fault {
	uint32_t row, key, from; /* from: the row that wrote it; WEAK_NONE */
	int64_t value,
		expected; /* expected: of READ_INTERNAL its own write, of G1b the final one */
};

struct weak_faults {
	uint64_t count;
	struct weak_fault first[CHECK_WITNESSES_MAX];
};

struct weak {
	const struct history *h;
	uint32_t txns;
	uint32_t *row;   /* by transaction */
	int64_t initial; /* what a key held before anybody wrote it */

	/* Those of session s are session_txn[session_first[s] .. session_first[s + 1]). */
	uint32_t sessions;
	uint32_t *session; /* by transaction */
	uint32_t *place;   /* by transaction: in its session, from 1 */
	uint32_t *session_first;
	uint32_t *session_txn;
	uint32_t init; /* the transaction that wrote the initial values, before all; or WEAK_NONE */

	/* Reads of others' writes, in program order, and keys written, in the order of keys. */
	uint32_t *read_first; /* by transaction, and one more */
	uint32_t *read_key;
	uint32_t *read_from; /* a transaction, or WEAK_INIT */
	uint32_t *write_first;
	uint32_t *write_key;

	/* What was wrong while loading. */
	struct weak_faults fault[READ_FAULTS];
	bool ambiguous; /* invariant 2; then nothing else is filled in */
	uint32_t ambiguous_key;
	int64_t ambiguous_value;
};

/* PAWL_E_INVALID: not a history of registers. w is zeroed first; deinit in any case. */
PAWL_MUST_CHECK enum pawl_status pawl__weak_load(struct weak *w, const struct history *h,
                                                 const struct check_options *o,
                                                 struct pawl_error *err);
void pawl__weak_deinit(struct weak *w);

/* Whether t writes key. */
bool pawl__weak_writes(const struct weak *w, uint32_t t, uint32_t key);
/* The value that t left in key. PRE: it writes key. */
int64_t pawl__weak_value(const struct weak *w, uint32_t t, uint32_t key);
/* The transaction before t in session order; the initial one for the first of a session. */
uint32_t pawl__weak_before(const struct weak *w, uint32_t t);

/* The writers of one key in one session. */
struct weak_group {
	uint32_t session;
	uint32_t first;  /* in writer[]; the group ends where the next begins */
	uint32_t passed; /* for the causal rule: end of those that were passed */
	uint32_t last;   /* place of the last of them; 0 = none */
};

/* Who writes what: transactions by key, session, place. */
struct weak_writers {
	uint32_t *group_first;    /* by key, and one more */
	struct weak_group *group; /* and one more */
	uint32_t *writer;
	uint32_t *group_of; /* by write: its group */
};

PAWL_MUST_CHECK bool pawl__weak_writers_init(struct weak_writers *c, const struct weak *w);
void pawl__weak_writers_deinit(struct weak_writers *c);

/* A read of an initial value by someone who must have seen a later one. */
struct weak_stale {
	uint32_t by, key, seen;
};

struct weak_forced {
	uint32_t from, to, by, key;
};

/* Where a level's rule puts its edges. It is run once to count; when the order of rows does not
 * prove that there is no cycle, again to store them; and again to explain those of a witness. */
enum weak_pass { PASS_COUNT, PASS_STORE, PASS_EXPLAIN };

struct weak_edges {
	enum weak_pass pass;
	const uint32_t
		*order; /* for the causal rule: a topological order of so and wr; NULL: as is */
	const uint32_t *rank; /* places in order; NULL: as is */
	bool forward;         /* every edge goes forward in that order: there is no cycle */
	uint32_t *first; /* by target, and one more: its sources; while storing, the next's place */
	uint32_t *from;
	uint64_t count;
	uint64_t stale_count;
	struct weak_stale stale[CHECK_WITNESSES_MAX];
	struct table wanted; /* PASS_EXPLAIN: edge -> place in why; no slots before */
	struct weak_forced *why;
};

static inline uint64_t weak_edge_id(uint32_t from, uint32_t to)
{
	return (uint64_t)from << 32 | to;
}

/* t2 = from must be before t1 = to, because `by` read key from `to` and knows of `from`. */
static inline void weak_edge(struct weak_edges *e, uint32_t from, uint32_t to, uint32_t by,
                             uint32_t key)
{
	if (to == WEAK_INIT) {
		if (e->pass == PASS_COUNT && e->stale_count++ < CHECK_WITNESSES_MAX)
			e->stale[e->stale_count - 1] = (struct weak_stale){ by, key, from };
		return;
	}
	if (e->pass == PASS_COUNT) {
		e->first[to]++;
		e->count++;
		e->forward &= e->rank == NULL ? from < to : e->rank[from] < e->rank[to];
	} else if (e->pass == PASS_STORE) {
		e->from[e->first[to]++] = from;
	} else {
		const uint32_t i = table_get(&e->wanted, weak_edge_id(from, to));

		if (i != TABLE_NONE && e->why[i].by == WEAK_NONE)
			e->why[i] = (struct weak_forced){ from, to, by, key };
	}
}

/* The rules. Edges come in the same order every time. */
typedef bool (*weak_rule_fn)(const struct weak *w, struct weak_edges *e);
PAWL_MUST_CHECK bool pawl__weak_rc(const struct weak *w, struct weak_edges *e);
PAWL_MUST_CHECK bool pawl__weak_ra(const struct weak *w, struct weak_edges *e);
/* PRE: so and wr have no cycle, and e->order is from pawl__weak_order. */
PAWL_MUST_CHECK bool pawl__weak_cc(const struct weak *w, struct weak_edges *e);

/* A topological order of so and wr. *ret NULL: transactions stand in one; *cyclic: none is. */
PAWL_MUST_CHECK bool pawl__weak_order(const struct weak *w, uint32_t **ret, bool *cyclic);

/*
 * The cycles of so, wr and e, which is stored (NULL: none): a shortest one of each of the first
 * components that have one, its steps in out's arena. rule explains e.
 */
struct weak_witnesses {
	struct check_witness at[CHECK_WITNESSES_MAX];
	uint32_t len;
	uint64_t count; /* components with a cycle */
};
PAWL_MUST_CHECK bool pawl__weak_cycles(const struct weak *w, struct weak_edges *e,
                                       weak_rule_fn rule, struct weak_witnesses *ret,
                                       struct check_result *out);

/* The witness of a read of an initial value that came too late. */
PAWL_MUST_CHECK bool pawl__weak_stale_witness(const struct weak *w, const struct weak_stale *s,
                                              struct check_witness *ret, struct check_result *out);

/* Names of what is found at a level. */
#define ANOMALY_RC "OTV"
#define ANOMALY_RA "fractured-read"
#define ANOMALY_CC "causality-violation"

#endif /* PAWL_RACE_CHECK_WEAK_H */
