/* SPDX-License-Identifier: Apache-2.0 */
#include "race/check/found.h"

#include <stdarg.h>
#include <string.h>

#include "base/assert.h"
#include "base/error.h"

static const char *const kind_names[] = {
#define X(id, name) [FOUND_##id] = (name),
	FOUND_MAP(X)
#undef X
};

void pawl__found_init(struct found *f, const struct history *h, struct check_result *r)
{
	*f = (struct found){ .h = h, .r = r };
	pawl__buf_init(&f->text, FOUND_TEXT_MAX);
}

void pawl__found_deinit(struct found *f)
{
	pawl__buf_deinit(&f->text);
}

static void say_one(struct found *f, char what, va_list *ap)
{
	uint32_t key;

	switch (what) {
	case 'T':
		pawl__buf_putc(&f->text, 'T');
		pawl__buf_u64(&f->text, va_arg(*ap, uint32_t));
		return;
	case 'V':
		pawl__history_value(f->h, va_arg(*ap, int64_t), &f->text);
		return;
	case 'U':
		pawl__buf_u64(&f->text, va_arg(*ap, uint64_t));
		return;
	case 'K':
		key = va_arg(*ap, uint32_t);
		if (value_is_nil(f->h->key[key]))
			return;
		buf_lit(&f->text, " of key ");
		pawl__history_value(f->h, f->h->key[key], &f->text);
		return;
	default:
		UNREACHABLE();
	}
}

void pawl__found_say(struct found *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	for (; *fmt != '\0'; fmt++) {
		if (*fmt == '%')
			say_one(f, *++fmt, &ap);
		else
			pawl__buf_putc(&f->text, *fmt);
	}
	va_end(ap);
}

/* The sentence in the arena; the buffer is empty again. One that was too long is cut. */
static const char *text_take(struct found *f)
{
	const struct str text = pawl__arena_str(&f->r->arena, buf_get(&f->text));

	pawl__buf_reset(&f->text);
	return text.ptr;
}

static void keep(struct found *f, enum found_kind k, uint32_t lowest, struct check_witness w)
{
	uint32_t i;

	if (f->witnesses_len[k] < CHECK_WITNESSES_MAX)
		f->witnesses_len[k]++;
	/* The last place is free, or its holder is beaten. */
	for (i = f->witnesses_len[k] - 1; i > 0 && f->lowest[k][i - 1] > lowest; i--) {
		f->witnesses[k][i] = f->witnesses[k][i - 1];
		f->lowest[k][i] = f->lowest[k][i - 1];
	}
	f->witnesses[k][i] = w;
	f->lowest[k][i] = lowest;
}

void pawl__found_rows(struct found *f, enum found_kind k, const uint32_t *rows, uint32_t len)
{
	struct check_step *steps;
	const char *text;
	uint32_t lowest = rows[0], i;

	PRE(len >= 1);
	f->count[k]++;
	len = len < FOUND_ROWS_MAX ? len : FOUND_ROWS_MAX;
	for (i = 1; i < len; i++)
		lowest = rows[i] < lowest ? rows[i] : lowest;
	if (!found_wants(f, k, lowest)) {
		pawl__buf_reset(&f->text);
		return;
	}
	steps = arena_array(&f->r->arena, struct check_step, len);
	text = text_take(f);
	if (steps == NULL || text == NULL) {
		f->nomem = true;
		return;
	}
	for (i = 0; i < len; i++)
		steps[i] = (struct check_step){
			.op = rows[i], .edge = EDGE_NONE, .key = HISTORY_NONE, .by = HISTORY_NONE
		};
	keep(f, k, lowest,
	     (struct check_witness){ .steps = steps, .steps_len = len, .text = text });
}

void pawl__found_cycle(struct found *f, enum found_kind k, const struct check_step *steps,
                       uint32_t len)
{
	struct check_step *kept;
	uint32_t at = 0;

	PRE(len >= 2);
	for (uint32_t i = 1; i < len; i++)
		at = steps[i].op < steps[at].op ? i : at;
	if (!found_wants(f, k, steps[at].op))
		return;
	kept = arena_array(&f->r->arena, struct check_step, len);
	if (kept == NULL) {
		f->nomem = true;
		return;
	}
	for (uint32_t i = 0; i < len; i++)
		kept[i] = steps[(at + i) % len];
	keep(f, k, kept[0].op,
	     (struct check_witness){ .steps = kept, .steps_len = len, .cycle = true });
}

void pawl__found_note(struct found *f)
{
	const char *text = text_take(f);

	PRE(f->notes_len < FOUND_NOTES_MAX);
	if (text == NULL)
		f->nomem = true;
	else
		f->notes[f->notes_len++] = text;
}

void pawl__found_unknown(struct found *f)
{
	const char *text = text_take(f);

	if (text == NULL)
		f->nomem = true;
	else if (f->r->unknown == NULL)
		f->r->unknown = text;
}

enum graph_extra pawl__found_extra(enum level level)
{
	static const enum found_kind cycles[] = { FOUND_G0, FOUND_G1C, FOUND_GSI, FOUND_GNI,
		                                  FOUND_G2I };
	enum graph_extra extra = GRAPH_NO_EXTRA;

	for (size_t i = 0; i < ARRAY_LEN(cycles); i++) {
		/* The kinds of a cycle stand side by side. */
		if (pawl__level_forbids(level, kind_names[cycles[i] + GRAPH_REALTIME]))
			return GRAPH_REALTIME;
		if (pawl__level_forbids(level, kind_names[cycles[i] + GRAPH_PROCESS]))
			extra = GRAPH_PROCESS;
	}
	return extra;
}

/* Without an order in the file there is no such order to break; the next weaker is looked at. */
enum graph_extra pawl__found_extra_of(const struct history *h, enum level level)
{
	enum graph_extra extra = pawl__found_extra(level);

	if (extra == GRAPH_REALTIME && !h->has_realtime)
		extra = GRAPH_PROCESS;
	if (extra == GRAPH_PROCESS && !h->has_process)
		extra = GRAPH_NO_EXTRA;
	return extra;
}

uint64_t pawl__found_steps(const struct check_options *o)
{
	/* A step of this search is an edge: far less than one of the others. */
	return (o->steps == 0 ? CHECK_STEPS_DEFAULT : o->steps) * 16;
}

enum pawl_status pawl__found_no_graph(struct found *f, enum pawl_status st, struct pawl_error *err)
{
	if (st != PAWL_E_TOO_LARGE)
		return pawl__error_set(err, st, "out of memory");
	pawl__found_say(f, "there are more than %U dependencies between transactions",
	                GRAPH_EDGES_MAX);
	pawl__found_unknown(f);
	return PAWL_OK;
}

void pawl__found_limits(struct found *f, const struct check_options *o, bool any, bool ran_out)
{
	const enum graph_extra extra = pawl__found_extra_of(f->h, o->level);

	if (extra != pawl__found_extra(o->level)) {
		pawl__found_say(f, "the history does not tell in which order transactions ran, so "
		                   "that order was not checked");
		pawl__found_note(f);
	}
	if (!any) {
		pawl__found_say(f, "no transaction depends on another: nothing can be inferred");
		pawl__found_unknown(f);
	}
	if (!ran_out)
		return;
	pawl__found_say(f, "steps ran out before every G-single-item was told from a "
	                   "G-nonadjacent-item: --steps gives more");
	if (pawl__level_forbids(o->level, kind_names[FOUND_GSI]) &&
	    !pawl__level_forbids(o->level, kind_names[FOUND_GNI]))
		pawl__found_unknown(f);
	else
		pawl__found_note(f);
}

/* Levels that could not be judged because nobody looked at the order that they promise. */
static uint64_t unjudged(enum graph_extra extra)
{
	uint64_t set = 0;

	for (unsigned l = 0; l < LEVEL_LEN; l++) {
		if (pawl__found_extra((enum level)l) > extra)
			set |= LEVEL_BIT(l);
	}
	return set;
}

static void levels(struct check_result *r, enum graph_extra extra)
{
	uint64_t impossible = 0;

	for (uint32_t i = 0; i < r->anomalies_len; i++) {
		const uint64_t out = pawl__level_ruled_out(r->anomalies[i].name);

		for (unsigned l = 0; l < LEVEL_LEN; l++) {
			if ((out & LEVEL_BIT(l)) != 0)
				impossible |= pawl__level_impossible((enum level)l);
		}
	}
	r->not = pawl__level_weakest(impossible);
	r->also_not = impossible & ~r->not ;
	r->strongest =
		pawl__level_strongest((LEVEL_BIT(LEVEL_LEN) - 1) & ~impossible & ~unjudged(extra));
}

static const char **notes_take(struct found *f)
{
	const char **notes = arena_array(&f->r->arena, const char *, f->notes_len);

	if (notes != NULL && f->notes_len > 0)
		memcpy(notes, f->notes, f->notes_len * sizeof(*notes));
	return notes;
}

enum pawl_status pawl__found_finish(struct found *f, enum level level, enum graph_extra extra,
                                    struct pawl_error *err)
{
	struct check_result *r = f->r;
	struct check_anomaly *list = arena_array(&r->arena, struct check_anomaly, FOUND_KINDS);
	bool forbidden = false;

	r->notes = notes_take(f);
	r->notes_len = f->notes_len;
	for (unsigned k = 0; k < FOUND_KINDS && list != NULL; k++) {
		const size_t size = f->witnesses_len[k] * sizeof(struct check_witness);
		struct check_witness *w = pawl__arena_alloc(&r->arena, size);
		struct check_anomaly *a = &list[r->anomalies_len];

		if (f->count[k] == 0 || w == NULL)
			continue;
		memcpy(w, f->witnesses[k], size);
		*a = (struct check_anomaly){ .name = kind_names[k],
			                     .count = f->count[k],
			                     .witnesses = w,
			                     .witnesses_len = f->witnesses_len[k] };
		a->permitted = !pawl__level_forbids(level, a->name);
		forbidden = forbidden || !a->permitted;
		r->anomalies_len++;
	}
	if (f->nomem || r->arena.failed)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for what was found");
	r->anomalies = list;
	levels(r, extra);
	r->verdict = forbidden            ? VERDICT_INVALID
	             : r->unknown != NULL ? VERDICT_UNKNOWN
	                                  : VERDICT_VALID;
	if (forbidden)
		r->unknown = NULL;
	return PAWL_OK;
}
