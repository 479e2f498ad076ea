/* SPDX-License-Identifier: Apache-2.0 */
#include "race/check/findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/error.h"

void pawl__findings_init(struct findings *f, struct check_result *r)
{
	*f = (struct findings){ .r = r };
	pawl__buf_init(&f->text, FINDINGS_TEXT_MAX);
}

void pawl__findings_deinit(struct findings *f)
{
	pawl__buf_deinit(&f->text);
}

void pawl__findings_say(struct findings *f, const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	INVARIANT(n >= 0 && (size_t)n < sizeof(line));
	pawl__buf_put(&f->text, line, (size_t)n);
}

static uint32_t name_find(const struct findings *f, const char *name)
{
	uint32_t i;

	for (i = 0; i < f->len && strcmp(f->anomaly[i].name, name) != 0; i++)
		;
	return i;
}

bool pawl__findings_wanted(const struct findings *f, const char *name, uint32_t row)
{
	const uint32_t i = name_find(f, name);

	return i == f->len || f->anomaly[i].witnesses_len < CHECK_WITNESSES_MAX ||
	       f->witness[i][CHECK_WITNESSES_MAX - 1].steps[0].op > row;
}

/* The sentence in the arena; the buffer is empty again. NULL: no memory. */
static const char *text_take(struct findings *f)
{
	static const struct str cut = { " ..", 3 };
	struct buf *b = &f->text;
	struct str text;

	if (b->overflow && b->len == 0) {
		f->nomem = true;
		return NULL;
	}
	/* A sentence that did not fit ends before the first append that was refused. */
	if (b->overflow && b->len + cut.len <= b->cap) {
		memcpy(b->data + b->len, cut.ptr, cut.len);
		b->len += cut.len;
	}
	text = pawl__arena_str(&f->r->arena, buf_get(b));
	pawl__buf_reset(b);
	return text.ptr;
}

void pawl__findings_add(struct findings *f, const char *name, const uint32_t *rows, uint32_t len)
{
	const uint32_t i = name_find(f, name);
	struct check_anomaly *a = &f->anomaly[i];
	struct check_step *steps;
	const char *text;
	uint32_t k;

	PRE(len >= 1 && i < FINDINGS_NAMES_MAX);
	if (i == f->len) {
		*a = (struct check_anomaly){ .name = name };
		f->len++;
	}
	a->count++;
	if (!pawl__findings_wanted(f, name, rows[0])) {
		pawl__buf_reset(&f->text);
		return;
	}
	len = len < FINDINGS_ROWS_MAX ? len : FINDINGS_ROWS_MAX;
	steps = arena_array(&f->r->arena, struct check_step, len);
	text = text_take(f);
	if (steps == NULL || text == NULL) {
		f->nomem = true;
		return;
	}
	for (k = 0; k < len; k++)
		steps[k] = (struct check_step){
			.op = rows[k], .edge = EDGE_NONE, .key = HISTORY_NONE, .by = HISTORY_NONE
		};
	if (a->witnesses_len < CHECK_WITNESSES_MAX)
		a->witnesses_len++;
	/* The last place is free, or its holder is beaten. */
	for (k = a->witnesses_len - 1; k > 0 && f->witness[i][k - 1].steps[0].op > rows[0]; k--)
		f->witness[i][k] = f->witness[i][k - 1];
	f->witness[i][k] = (struct check_witness){ .steps = steps, .steps_len = len, .text = text };
}

void pawl__findings_permit(struct findings *f, const char *name)
{
	const uint32_t i = name_find(f, name);

	if (i < f->len)
		f->anomaly[i].permitted = true;
}

void pawl__findings_note(struct findings *f)
{
	if (f->notes_len < FINDINGS_NOTES_MAX)
		f->notes[f->notes_len++] = text_take(f);
	else
		pawl__buf_reset(&f->text);
}

void pawl__findings_unknown(struct findings *f)
{
	PRE(f->r->unknown == NULL);
	f->r->unknown = text_take(f);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct check_anomaly *)a)->name,
	              ((const struct check_anomaly *)b)->name);
}

static bool notes_copy(struct findings *f)
{
	const char **notes = arena_array(&f->r->arena, const char *, f->notes_len + 1);

	if (notes == NULL)
		return false;
	memcpy(notes, f->notes, f->notes_len * sizeof(*notes));
	f->r->notes = notes;
	f->r->notes_len = f->notes_len;
	return true;
}

enum pawl_status pawl__findings_finish(struct findings *f, struct pawl_error *err)
{
	struct check_anomaly *list = arena_array(&f->r->arena, struct check_anomaly, f->len + 1);
	bool invalid = false;
	uint32_t i;

	for (i = 0; i < f->len && list != NULL; i++) {
		const size_t size = f->anomaly[i].witnesses_len * sizeof(struct check_witness);
		struct check_witness *w = pawl__arena_alloc(&f->r->arena, size);

		if (w == NULL)
			break;
		memcpy(w, f->witness[i], size);
		list[i] = f->anomaly[i];
		list[i].witnesses = w;
		invalid = invalid || !list[i].permitted;
	}
	if (list == NULL || !notes_copy(f) || f->nomem || f->r->arena.failed)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for what was found");
	qsort(list, f->len, sizeof(*list), by_name);
	f->r->anomalies = list;
	f->r->anomalies_len = f->len;
	if (invalid)
		f->r->unknown = NULL;
	f->r->verdict = invalid                 ? VERDICT_INVALID
	                : f->r->unknown != NULL ? VERDICT_UNKNOWN
	                                        : VERDICT_VALID;
	return PAWL_OK;
}
