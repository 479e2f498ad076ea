/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/found - the anomalies of transactions that a checker found, and the verdict on them.
 *
 * Of each kind everything is counted; of the witnesses the CHECK_WITNESSES_MAX with the lowest rows
 * are kept. finish puts them into a result in the order of their names, with the levels that they
 * rule out. Memory is the result's arena; a refusal latches and finish reports it.
 * Threads: one owner.
 */
#ifndef PAWL_RACE_CHECK_FOUND_H
#define PAWL_RACE_CHECK_FOUND_H

#include "base/buf.h"
#include "race/check/check.h"
#include "race/check/graph.h"

/* In the order of their names; cycles of three kinds each: data only, process, realtime. */
#define FOUND_MAP(X)                                                                               \
	X(GNI, "G-nonadjacent-item")                                                               \
	X(GNI_PROCESS, "G-nonadjacent-item-process")                                               \
	X(GNI_REALTIME, "G-nonadjacent-item-realtime")                                             \
	X(GSI, "G-single-item")                                                                    \
	X(GSI_PROCESS, "G-single-item-process")                                                    \
	X(GSI_REALTIME, "G-single-item-realtime")                                                  \
	X(G0, "G0")                                                                                \
	X(G0_PROCESS, "G0-process")                                                                \
	X(G0_REALTIME, "G0-realtime")                                                              \
	X(G1A, "G1a")                                                                              \
	X(G1B, "G1b")                                                                              \
	X(G1C, "G1c")                                                                              \
	X(G1C_PROCESS, "G1c-process")                                                              \
	X(G1C_REALTIME, "G1c-realtime")                                                            \
	X(G2I, "G2-item")                                                                          \
	X(G2I_PROCESS, "G2-item-process")                                                          \
	X(G2I_REALTIME, "G2-item-realtime")                                                        \
	X(CYCLIC_VERSIONS, "cyclic-versions")                                                      \
	X(DIRTY_UPDATE, "dirty-update")                                                            \
	X(DUPLICATE_ELEMENTS, "duplicate-elements")                                                \
	X(FUTURE_READ, "future-read")                                                              \
	X(GARBAGE_READ, "garbage-read")                                                            \
	X(INCOMPATIBLE_ORDER, "incompatible-order")                                                \
	X(INTERNAL, "internal")                                                                    \
	X(LOST_UPDATE, "lost-update")

enum found_kind {
#define X(id, name) FOUND_##id,
	FOUND_MAP(X)
#undef X
		FOUND_KINDS
};

#define FOUND_ROWS_MAX  ((uint32_t)16)     /* of one witness that is no cycle; the first ones */
#define FOUND_TEXT_MAX  ((size_t)16 << 10) /* bytes of a sentence; longer ones are cut */
#define FOUND_NOTES_MAX ((uint32_t)8)

struct found {
	const struct history *h;
	struct check_result *r; /* borrowed */
	uint64_t count[FOUND_KINDS];
	uint32_t witnesses_len[FOUND_KINDS];
	struct check_witness witnesses[FOUND_KINDS][CHECK_WITNESSES_MAX];
	uint32_t lowest[FOUND_KINDS][CHECK_WITNESSES_MAX]; /* row of each witness */
	const char *notes[FOUND_NOTES_MAX];
	uint32_t notes_len;
	struct buf text; /* of the sentence being written */
	bool nomem;
};

void pawl__found_init(struct found *f, const struct history *h, struct check_result *r);
void pawl__found_deinit(struct found *f);

/* Whether a witness whose lowest row is this one would be kept. */
static inline bool found_wants(const struct found *f, enum found_kind k, uint32_t row)
{
	return f->witnesses_len[k] < CHECK_WITNESSES_MAX ||
	       row < f->lowest[k][CHECK_WITNESSES_MAX - 1];
}

/* Append to the sentence: plain text with %T a row (uint32_t), %V a value (int64_t), %K a key
 * (uint32_t, as " of key 5" - nothing for the key nil), %U a number (uint64_t). */
void pawl__found_say(struct found *f, const char *fmt, ...);

/* Count one more, with these rows and the sentence as its witness if it is wanted. */
void pawl__found_rows(struct found *f, enum found_kind k, const uint32_t *rows, uint32_t len);

/* A cycle; steps are copied and turned so that the lowest row is first. Does not count. */
void pawl__found_cycle(struct found *f, enum found_kind k, const struct check_step *steps,
                       uint32_t len);

/* The sentence as a note; as the reason for not knowing (the first counts). */
void pawl__found_note(struct found *f);
void pawl__found_unknown(struct found *f);

/*
 * Fill the result: invalid when the level forbids something found, else unknown if there is a
 * reason, else valid. extra: the order besides data that was looked at; levels that need more are
 * not claimed.
 */
PAWL_MUST_CHECK enum pawl_status pawl__found_finish(struct found *f, enum level level,
                                                    enum graph_extra extra, struct pawl_error *err);

/* What must be looked at to judge that level; of it, what the history tells. */
enum graph_extra pawl__found_extra(enum level level);
enum graph_extra pawl__found_extra_of(const struct history *h, enum level level);

/* Steps that the search for cycles may take. */
uint64_t pawl__found_steps(const struct check_options *o);

/* There is no graph, as st says: too large makes the verdict unknown, no memory is an error. */
PAWL_MUST_CHECK enum pawl_status pawl__found_no_graph(struct found *f, enum pawl_status st,
                                                      struct pawl_error *err);

/* What the graph and the search leave open. any: some row depends on another; ran_out: not every
 * G-single-item was told from a G-nonadjacent-item. */
void pawl__found_limits(struct found *f, const struct check_options *o, bool any, bool ran_out);

#endif /* PAWL_RACE_CHECK_FOUND_H */
