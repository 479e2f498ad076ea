/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/check - what a checker is asked, what it answers, and one entry per model.
 *
 * A checker reads a history and says valid, invalid with witnesses, or unknown with the reason.
 * It never prints, never reads a clock, uses no randomness: the same history and options give the
 * same bytes. Work is bounded by `steps`, not by time; when they run out the answer is unknown.
 *
 * Invariants:
 *  (1) invalid has at least one anomaly that the level asked for forbids; valid has none.
 *      Anomalies that the level permits may be listed, with `permitted` set.
 *  (2) Anomalies stand in the order of their names (strcmp); witnesses of one in the order of their
 *      lowest row.
 *  (3) Everything in a result lies in its arena.
 *
 * A status other than PAWL_OK is a fault (no memory) or a history that the model cannot read
 * (PAWL_E_INVALID, a text for the user with the line): never a verdict.
 * Threads: a checker may use several; a result has one owner.
 */
#ifndef PAWL_RACE_CHECK_CHECK_H
#define PAWL_RACE_CHECK_CHECK_H

#include "race/check/history.h"
#include "race/check/level.h"

#define CHECK_WITNESSES_MAX 8                    /* kept of one anomaly; count has all */
#define CHECK_STEPS_DEFAULT ((uint64_t)20000000) /* of a search */

enum check_model {
	MODEL_LIST_APPEND,
	MODEL_RW_REGISTER,
	MODEL_CAS_REGISTER, /* also plain registers */
	MODEL_MULTI_REGISTER,
	MODEL_KV,
	MODEL_MUTEX,
	MODEL_BANK,
	MODEL_COUNTER,
	MODEL_SET,
	MODEL_SET_FULL,
	MODEL_LONG_FORK,
	MODEL_LEN
};

/* How a failed operation and a read of nil are understood; see pawl__check_linear. */
enum check_mode { MODE_KNOSSOS, MODE_ETCD };

struct check_options {
	enum check_model model;
	enum level level; /* transactional models: what was promised */
	enum check_mode mode;

	/* rw-register: what the order of versions may be inferred from, besides reads and writes */
	bool sequential_keys;   /* each key is sequentially consistent: processes' orders */
	bool linearizable_keys; /* each key is linearizable: real time */
	bool wfr_keys;          /* within a transaction writes follow reads */

	bool initial_set; /* else nil, or what the history says */
	int64_t initial;

	bool total_set; /* bank; else the sum of the first read */
	int64_t total;
	bool negative_balances; /* bank: allowed */

	uint32_t group;     /* long-fork: keys of a group; 0 = from the reads */
	bool linearizable;  /* set-full: a stale read is an error */
	bool unpartitioned; /* kv: one search over all keys, to measure by */

	uint64_t steps; /* of a search; 0 = CHECK_STEPS_DEFAULT */
};

enum check_verdict { VERDICT_VALID, VERDICT_INVALID, VERDICT_UNKNOWN };

enum check_edge {
	EDGE_NONE, /* last step of a witness that is no cycle */
	EDGE_WW,   /* this wrote `value`, the next wrote `value2` over it */
	EDGE_WR,   /* this wrote `value`, the next read it */
	EDGE_RW,   /* this read `value` (nil: the initial one), the next wrote `value2` over it */
	EDGE_PROCESS,  /* one process, this first */
	EDGE_REALTIME, /* this completed before the next began */
	EDGE_SESSION,  /* weak levels: session order */
	/* Weak levels, inferred: this must be committed before the next; `value` was read of `key`
	 * by row `by`, which also saw this */
	EDGE_VISIBLE,
};

struct check_step {
	uint32_t op;          /* row */
	enum check_edge edge; /* to the next step; of the last one to the first */
	uint32_t key;         /* HISTORY_NONE */
	int64_t value, value2;
	uint32_t by; /* EDGE_VISIBLE: the reader that forces it; else HISTORY_NONE */
};

struct check_witness {
	const struct check_step *steps; /* a cycle; else rows, every edge EDGE_NONE */
	uint32_t steps_len;
	bool cycle;
	const char *text; /* why, in a sentence; NULL for a cycle: it is written from the steps */
};

struct check_anomaly {
	const char *name; /* static or in the arena; the field's standard name */
	uint64_t count;   /* cycles: strongly connected components that have one */
	const struct check_witness *witnesses;
	uint32_t witnesses_len;
	bool permitted; /* found, but the level asked for allows it */
};

struct check_result {
	enum check_verdict verdict;
	const struct check_anomaly *anomalies;
	uint32_t anomalies_len;
	uint64_t not ;            /* LEVEL_BIT: weakest levels that do not hold */
	uint64_t also_not;        /* everything stronger than these */
	uint64_t strongest;       /* strongest levels that nothing found rules out */
	const char *const *notes; /* what could not be inferred, and the like; each a sentence */
	uint32_t notes_len;
	const char *unknown; /* why, where the verdict is unknown; else NULL */
	uint64_t steps;      /* that the search took; 0 = none */
	struct arena arena;
};

/* Zeroes ret and makes its arena. */
void pawl__check_result_init(struct check_result *ret);
void pawl__check_result_deinit(struct check_result *r);

/* What the options are when nobody says otherwise. */
void pawl__check_options_init(struct check_options *o, enum check_model model);

const char *pawl__check_model_name(enum check_model m);
/* false: no such model. "register" is cas-register. */
bool pawl__check_model_find(const char *name, enum check_model *ret);
/* Whether levels mean anything to the model. */
bool pawl__check_model_levels(enum check_model m);
/* The one model that the operations fit; false where none or several do. */
bool pawl__check_model_guess(const struct history *h, enum check_model *ret);
/* Whether the model reads collections as lists; others take them as values. */
bool pawl__check_model_lists(enum check_model m);

/*
 * Run the checker that the options name. ret is initialised before, by pawl__check_result_init,
 * and deinitialised by the caller also on failure.
 */
PAWL_MUST_CHECK enum pawl_status pawl__check_run(const struct history *h,
                                                 const struct check_options *o,
                                                 struct check_result *ret, struct pawl_error *err);

#define CHECK_FUNCTION(name)                                                                       \
	PAWL_MUST_CHECK enum pawl_status pawl__check_##name(                                       \
		const struct history *h, const struct check_options *o, struct check_result *ret,  \
		struct pawl_error *err)

CHECK_FUNCTION(list_append);
CHECK_FUNCTION(rw_register); /* by inferred version orders, as Elle does */
CHECK_FUNCTION(linear);      /* cas-register, multi-register, kv, mutex */
CHECK_FUNCTION(bank);
CHECK_FUNCTION(counter);
CHECK_FUNCTION(set);
CHECK_FUNCTION(set_full);
CHECK_FUNCTION(long_fork);

/*
 * rw-register histories with unique writes: read-committed, read-atomic and causal exactly;
 * snapshot-isolation and serializable by saturation and a bounded search. The runner comes here for
 * rw-register when the format has no invocations (has_realtime is false) or the level is
 * read-atomic or causal-cerone.
 */
CHECK_FUNCTION(weak);

#endif /* PAWL_RACE_CHECK_CHECK_H */
