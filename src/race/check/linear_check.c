/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/linear_check - judges registers, texts and locks of a history part by part, and says
 * in words why a part has no order.
 */
#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "race/check/check.h"
#include "race/check/findings.h"
#include "race/check/linear_core.h"
#include "race/check/linear_parts.h"
#include "race/check/linear_zone.h"

#define CONFIGS_SHOWN 8U
#define OPS_SHOWN     12U

static const char anomaly_name[] = "nonlinearizable";

struct judging {
	const struct check_options *o;
	struct lin_parts parts;
	struct lin_search *search;
	struct findings found;
	uint64_t steps;
};

static void judging_deinit(struct judging *j)
{
	pawl__lin_parts_deinit(&j->parts);
	pawl__lin_search_free(j->search);
	pawl__findings_deinit(&j->found);
}

static void say_row(struct judging *j, uint32_t row)
{
	pawl__findings_say(&j->found, "T%u ", row);
	pawl__history_op(j->parts.h, row, &j->found.text);
}

/* "(key 5) " where there are keys. */
static void say_key(struct judging *j, const struct lin_part *part)
{
	if (!j->parts.has_key || part->p.cells > 1)
		return;
	pawl__findings_say(&j->found, "key ");
	pawl__history_value(j->parts.h, j->parts.h->key[part->keys[0]], &j->found.text);
	pawl__findings_say(&j->found, ": ");
}

static void say_cells(struct judging *j, const struct lin_part *part, const uint32_t *cells)
{
	struct buf *to = &j->found.text;
	uint32_t i;

	if (j->o->model == MODEL_MUTEX) {
		pawl__findings_say(&j->found, cells[0] != 0 ? "held" : "free");
		return;
	}
	if (part->p.cells == 1) {
		pawl__lin_parts_value(&j->parts, cells[0], to);
		return;
	}
	for (i = 0; i < part->p.cells && i < OPS_SHOWN; i++) {
		if (i > 0)
			pawl__findings_say(&j->found, " ");
		pawl__history_value(j->parts.h, j->parts.h->key[part->keys[i]], to);
		pawl__findings_say(&j->found, "=");
		pawl__lin_parts_value(&j->parts, cells[i], to);
	}
	if (i < part->p.cells)
		pawl__findings_say(&j->found, " ..");
}

/* The last possibilities: what the state could be, and which open operations had happened. */
static void say_configs(struct judging *j, const struct lin_part *part)
{
	const uint32_t len = pawl__lin_search_last(j->search);
	uint32_t i, k;

	pawl__findings_say(&j->found, "Just before it returned %s could only be: ",
	                   j->o->model == MODEL_MUTEX ? "the lock"
	                   : part->p.cells == 1       ? "the value"
	                                              : "the values");
	for (i = 0; i < len && i < CONFIGS_SHOWN; i++) {
		const struct lin_config c = pawl__lin_search_config(j->search, i);

		if (i > 0)
			pawl__findings_say(&j->found, "; ");
		say_cells(j, part, c.cells);
		for (k = 0; k < c.done_len && k < OPS_SHOWN; k++)
			pawl__findings_say(&j->found, "%s T%u", k == 0 ? " (done:" : "",
			                   part->rows[c.done[k]]);
		pawl__findings_say(&j->found, k < c.done_len ? " ..)" : k > 0 ? ")" : "");
	}
	if (i < len)
		pawl__findings_say(&j->found, "; and %u more", len - i);
	pawl__findings_say(&j->found, ".");
}

static void say_core(struct judging *j, const struct lin_part *part, const struct lin_core *core)
{
	uint32_t i;

	if (core->len == 1) {
		pawl__findings_say(&j->found, " Nothing that was open by then explains it%s.",
		                   core->any_initial ? ", whatever the value was before" : "");
		return;
	}
	pawl__findings_say(&j->found, " %s cannot all be explained%s: ",
	                   core->smallest ? "These operations, and no fewer of them,"
	                                  : "These operations",
	                   core->any_initial ? ", whatever the value was before them" : "");
	for (i = 0; i < core->len && i < OPS_SHOWN; i++) {
		if (i > 0)
			pawl__findings_say(&j->found, "; ");
		say_row(j, part->rows[core->ops[i]]);
	}
	pawl__findings_say(&j->found, i < core->len ? "; .." : ".");
}

static enum pawl_status part_explain(struct judging *j, const struct lin_part *part,
                                     const struct lin_result *r, struct pawl_error *err)
{
	PAWL_CLEANUP(pawl__lin_core_deinit) struct lin_core core = { 0 };
	uint32_t rows[FINDINGS_ROWS_MAX], i;
	enum pawl_status st;

	if (!pawl__findings_wanted(&j->found, anomaly_name, part->rows[0])) {
		pawl__findings_add(&j->found, anomaly_name, part->rows, 1);
		return PAWL_OK;
	}
	say_key(j, part);
	pawl__findings_say(&j->found, "no order of the operations explains ");
	say_row(j, part->rows[r->op]);
	pawl__findings_say(&j->found, ". ");
	say_configs(j, part); /* before the search is used again */
	st = pawl__lin_core_find(j->search, &part->p, r, &core, err);
	if (st != PAWL_OK)
		return st;
	say_core(j, part, &core);
	INVARIANT(core.len >= 1);
	for (i = 0; i < core.len && i < FINDINGS_ROWS_MAX; i++)
		rows[i] = part->rows[core.ops[i]];
	pawl__findings_add(&j->found, anomaly_name, rows, i);
	return PAWL_OK;
}

/* "from the return of T4 {..} until T9 {..} began" */
static void say_stood(struct judging *j, const struct lin_part *part, uint32_t first, uint32_t last)
{
	if (first == LIN_NONE) {
		pawl__findings_say(&j->found, "from the start");
	} else {
		pawl__findings_say(&j->found, "from the return of ");
		say_row(j, part->rows[first]);
	}
	pawl__findings_say(&j->found, " until the start of ");
	say_row(j, part->rows[last]);
}

/* The conflict of a register whose values are all different, found without a search. */
static void part_conflict(struct judging *j, const struct lin_part *part,
                          const struct lin_conflict *c)
{
	static const uint32_t counts[] = {
		[LIN_UNWRITTEN] = 1, [LIN_EARLY] = 2, [LIN_OVERLAP] = 4, [LIN_INSIDE] = 4
	};
	uint32_t rows[4], n = 0, i, k, row;

	say_key(j, part);
	switch (c->kind) {
	case LIN_UNWRITTEN:
		say_row(j, part->rows[c->op[0]]);
		pawl__findings_say(&j->found, " read a value that nothing wrote.");
		break;
	case LIN_EARLY:
		say_row(j, part->rows[c->op[0]]);
		pawl__findings_say(&j->found, " returned before its value was written: ");
		say_row(j, part->rows[c->op[1]]);
		pawl__findings_say(&j->found, " began later.");
		break;
	case LIN_OVERLAP:
	case LIN_INSIDE:
		pawl__findings_say(&j->found, "one value must have stood ");
		say_stood(j, part, c->op[0], c->op[1]);
		pawl__findings_say(&j->found, c->kind == LIN_OVERLAP
		                                      ? ", and another at that time too: "
		                                      : ", and within that time another: ");
		if (c->kind == LIN_OVERLAP) {
			say_stood(j, part, c->op[2], c->op[3]);
		} else {
			say_row(j, part->rows[c->op[2]]);
		}
		pawl__findings_say(&j->found, ".");
		break;
	}
	/* Rows ascend, each once. */
	for (i = 0; i < counts[c->kind]; i++) {
		if (c->op[i] == LIN_NONE)
			continue;
		row = part->rows[c->op[i]];
		for (k = n; k > 0 && rows[k - 1] > row; k--)
			rows[k] = rows[k - 1];
		if (k > 0 && rows[k - 1] == row) {
			memmove(rows + k, rows + k + 1, (n - k) * sizeof(*rows));
			continue;
		}
		rows[k] = row;
		n++;
	}
	pawl__findings_add(&j->found, anomaly_name, rows, n);
}

static void part_unknown(struct judging *j, const struct lin_part *part, const struct lin_result *r)
{
	if (j->found.r->unknown != NULL)
		return;
	say_key(j, part);
	pawl__findings_say(&j->found, "the search gave up after %llu steps, at ",
	                   (unsigned long long)r->steps);
	say_row(j, part->rows[r->op]);
	pawl__findings_unknown(&j->found);
}

/* LOOKAHEAD ends a search where the texts go wrong, before the read that shows it. Find that read;
 * where that takes too long, say where they go wrong. */
static enum pawl_status part_without_lookahead(struct judging *j, const struct lin_part *part,
                                               struct lin_limits limits, const struct lin_result *r,
                                               struct pawl_error *err)
{
	struct lin_result plain;
	enum pawl_status st;

	limits.reductions &= ~(unsigned)LIN_LOOKAHEAD;
	st = pawl__lin_search_run(j->search, &part->p, &limits, &plain, err);
	if (st != PAWL_OK)
		return st;
	j->steps += plain.steps;
	if (plain.verdict == LIN_INVALID)
		return part_explain(j, part, &plain, err);
	say_key(j, part);
	pawl__findings_say(&j->found, "no order of the operations up to ");
	say_row(j, part->rows[r->op]);
	pawl__findings_say(&j->found, " begins what later reads show.");
	pawl__findings_add(&j->found, anomaly_name, &part->rows[r->op], 1);
	return PAWL_OK;
}

static enum pawl_status part_judge(struct judging *j, const struct lin_part *part,
                                   struct pawl_error *err)
{
	const struct lin_limits limits = { .steps_max = j->o->steps != 0 ? j->o->steps
		                                                         : CHECK_STEPS_DEFAULT,
		                           .bytes_max = LIN_BYTES_MAX,
		                           .reductions = LIN_ALL };
	struct lin_conflict why;
	struct lin_result r;
	enum lin_zone zone;
	enum pawl_status st = pawl__lin_zone_check(&part->p, &zone, &why, err);

	if (st != PAWL_OK || zone == LIN_ZONE_VALID)
		return st;
	if (zone == LIN_ZONE_INVALID) {
		part_conflict(j, part, &why);
		return PAWL_OK;
	}
	st = pawl__lin_search_run(j->search, &part->p, &limits, &r, err);
	if (st != PAWL_OK)
		return st;
	j->steps += r.steps;
	if (r.verdict == LIN_INVALID && part->p.texts != NULL)
		return part_without_lookahead(j, part, limits, &r, err);
	if (r.verdict == LIN_INVALID)
		return part_explain(j, part, &r, err);
	if (r.verdict == LIN_UNKNOWN)
		part_unknown(j, part, &r);
	return PAWL_OK;
}

enum pawl_status pawl__check_linear(const struct history *h, const struct check_options *o,
                                    struct check_result *ret, struct pawl_error *err)
{
	PAWL_CLEANUP(judging_deinit) struct judging j = { .o = o };
	enum pawl_status st;
	uint32_t i;

	pawl__findings_init(&j.found, ret);
	st = pawl__lin_parts_build(h, o, &j.parts, err);
	if (st == PAWL_OK)
		st = pawl__lin_search_new(&j.search, err);
	for (i = 0; i < j.parts.len && st == PAWL_OK; i++)
		st = part_judge(&j, &j.parts.at[i], err);
	if (st != PAWL_OK)
		return st;
	ret->steps = j.steps;
	return pawl__findings_finish(&j.found, err);
}
