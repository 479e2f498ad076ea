/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/findings - collects what the checkers of plain models found, for a check_result.
 *
 * A finding is a name, the rows that show it and a sentence. Of one name everything is counted and
 * the CHECK_WITNESSES_MAX with the lowest rows are kept. What is needed of memory comes from the
 * result's arena; a refusal latches and finish reports it.
 *
 * Threads: one owner.
 */
#ifndef PAWL_RACE_CHECK_FINDINGS_H
#define PAWL_RACE_CHECK_FINDINGS_H

#include "base/buf.h"
#include "race/check/check.h"

#define FINDINGS_NAMES_MAX 8U
#define FINDINGS_NOTES_MAX 4U
#define FINDINGS_ROWS_MAX  64U         /* of one witness; the first ones */
#define FINDINGS_TEXT_MAX  (16U << 10) /* bytes; longer ones are cut */

struct findings {
	struct check_result *r; /* borrowed */
	struct check_anomaly anomaly[FINDINGS_NAMES_MAX];
	struct check_witness witness[FINDINGS_NAMES_MAX][CHECK_WITNESSES_MAX];
	uint32_t len;
	const char *notes[FINDINGS_NOTES_MAX];
	uint32_t notes_len;
	struct buf text; /* of the sentence being written */
	bool nomem;
};

/* r is initialised. */
void pawl__findings_init(struct findings *f, struct check_result *r);
void pawl__findings_deinit(struct findings *f);

/* Append to the sentence of the next finding, in f->text: these, or the functions of base/buf. */
PAWL_PRINTF(2, 3) void pawl__findings_say(struct findings *f, const char *fmt, ...);
/* Whether the sentence would be kept: counting on needs no words. rows are as for add. */
bool pawl__findings_wanted(const struct findings *f, const char *name, uint32_t row);

/* A finding with the sentence in f->text, which is then empty. name is static; rows, at least one,
 * ascend. */
void pawl__findings_add(struct findings *f, const char *name, const uint32_t *rows, uint32_t len);

/* Findings of this name do not make the history invalid. */
void pawl__findings_permit(struct findings *f, const char *name);

/* The sentence in f->text as a note; those beyond FINDINGS_NOTES_MAX are dropped. */
void pawl__findings_note(struct findings *f);

/* Why the verdict can't be valid. Not called twice. The sentence in f->text. */
void pawl__findings_unknown(struct findings *f);

/* Fill the result: invalid when a finding is not permitted, else unknown if told so, else valid. */
PAWL_MUST_CHECK enum pawl_status pawl__findings_finish(struct findings *f, struct pawl_error *err);

#endif /* PAWL_RACE_CHECK_FINDINGS_H */
