/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/set_full - additions to a set and reads all along: when was each element there?
 *
 * An element is known when its addition was confirmed or a read showed it, whichever came first.
 *   lost        known, and no read that began later than some read without it shows it
 *   stale       there for good in the end, but a read that began when it was known did not show it;
 *               forbidden when the set is to be linearizable, else only listed
 *   duplicated  shown twice by one read
 *   unexpected  shown, but nobody had tried to add it
 * Elements that no read could tell about are counted as never read. A history in which no element
 * came to be there for good is unknown. As Jepsen's set-full, except that time is the order of
 * events, not the clock, and that `unexpected` is an error.
 *
 * Work: proportional to what was read. Threads: none of its own.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "race/check/elements.h"
#include "race/check/findings.h"

struct timeline {
	uint32_t add;        /* the first row that tried to add it */
	uint32_t confirm;    /* an addition that was confirmed; HISTORY_NONE */
	uint32_t known;      /* event; HISTORY_NEVER */
	uint32_t present;    /* the read with it that began last; HISTORY_NONE */
	uint32_t absent;     /* the read without it that began last; HISTORY_NONE */
	uint32_t next;       /* element of the same key whose last absence is not known yet */
	uint32_t seen;       /* the read that was looked at last and shows it */
	uint32_t duplicated; /* a read that shows it twice; HISTORY_NONE */
};

struct set_full {
	const struct history *h;
	struct findings found;
	struct elements elements;
	struct timeline *at;   /* owned; by element */
	uint32_t *open, *tail; /* owned; by key: elements whose `absent` is open, in order */
	uint32_t **main_ids;   /* owned; by key: elements of its main list; NULL until wanted */
	uint32_t *ids;         /* owned; of a list that is no prefix */
	uint32_t ids_cap;
	uint64_t stable, never_read;
};

static void set_full_deinit(struct set_full *s)
{
	uint32_t k;

	pawl__findings_deinit(&s->found);
	pawl__elements_deinit(&s->elements);
	for (k = 0; s->main_ids != NULL && k < s->h->keys_len; k++)
		free(s->main_ids[k]);
	free(s->main_ids);
	free(s->at);
	free(s->open);
	free(s->tail);
	free(s->ids);
}

static bool set_full_alloc(struct set_full *s)
{
	const size_t keys = (size_t)s->h->keys_len + 1;

	s->at = malloc(((size_t)s->h->ops_len + 1) * sizeof(*s->at));
	s->open = malloc(keys * sizeof(*s->open));
	s->tail = malloc(keys * sizeof(*s->tail));
	s->main_ids = calloc(keys, sizeof(*s->main_ids));
	if (!pawl__elements_init(&s->elements) || s->at == NULL || s->open == NULL ||
	    s->tail == NULL || s->main_ids == NULL)
		return false;
	memset(s->open, 0xff, keys * sizeof(*s->open));
	memset(s->tail, 0xff, keys * sizeof(*s->tail));
	return true;
}

/* Rows stand in the order of their starts, so elements do, too. */
static bool adds_read(struct set_full *s)
{
	const struct history *h = s->h;
	uint32_t row, i;

	for (row = 0; row < h->ops_len; row++) {
		const uint32_t m = h->mop_first[row];
		const uint32_t had = s->elements.len;

		if (h->f[row] != HF_ADD)
			continue;
		i = pawl__elements_put(&s->elements, h->mop_key[m], h->mop_val[m]);
		if (i == ELEMENTS_NONE)
			return false;
		if (i == had) {
			uint32_t *tail = &s->tail[h->mop_key[m]];

			s->at[i] = (struct timeline){ .add = row,
				                      .confirm = HISTORY_NONE,
				                      .known = HISTORY_NEVER,
				                      .present = HISTORY_NONE,
				                      .absent = HISTORY_NONE,
				                      .next = ELEMENTS_NONE,
				                      .seen = HISTORY_NONE,
				                      .duplicated = HISTORY_NONE };
			*(*tail == ELEMENTS_NONE ? &s->open[h->mop_key[m]] : &s->at[*tail].next) =
				i;
			*tail = i;
		}
		if (h->type[row] == HT_OK && h->ret[row] < s->at[i].known) {
			s->at[i].confirm = row;
			s->at[i].known = h->ret[row];
		}
	}
	return true;
}

static void ids_fill(const struct set_full *s, uint32_t key, const int64_t *at, uint32_t len,
                     uint32_t *ids)
{
	uint32_t k;

	for (k = 0; k < len; k++)
		ids[k] = pawl__elements_find(&s->elements, key, at[k]);
}

/* The elements that a read shows, ELEMENTS_NONE for what nobody added. NULL: no memory. */
static const uint32_t *read_ids(struct set_full *s, uint32_t row, uint32_t *ret_len)
{
	const struct history *h = s->h;
	const uint32_t m = h->mop_first[row], key = h->mop_key[m];
	const int64_t *at = pawl__elements_read(h, row, ret_len);

	if (history_is_prefix(h, m)) {
		const struct history_list *list = &h->list[key];

		if (s->main_ids[key] == NULL) {
			s->main_ids[key] = malloc(((size_t)list->len + 1) * sizeof(uint32_t));
			if (s->main_ids[key] != NULL)
				ids_fill(s, key, list->at, list->len, s->main_ids[key]);
		}
		return s->main_ids[key];
	}
	if (*ret_len >= s->ids_cap) {
		uint32_t *ids = realloc(s->ids, ((size_t)*ret_len + 1) * sizeof(*ids));

		if (ids == NULL)
			return NULL;
		s->ids = ids;
		s->ids_cap = *ret_len + 1;
	}
	ids_fill(s, key, at, *ret_len, s->ids);
	return s->ids;
}

static void say_unexpected(struct set_full *s, uint32_t row, int64_t value)
{
	if (pawl__findings_wanted(&s->found, "unexpected", row)) {
		pawl__findings_say(&s->found, "T%u shows ", row);
		pawl__history_value(s->h, value, &s->found.text);
		pawl__findings_say(&s->found, ", which nobody had tried to add.");
	}
	pawl__findings_add(&s->found, "unexpected", &row, 1);
}

/* What a read says of the elements that it shows. */
static void shown_note(struct set_full *s, uint32_t row, const uint32_t *ids, uint32_t len)
{
	const struct history *h = s->h;
	uint32_t k, ignored;
	const int64_t *at = pawl__elements_read(h, row, &ignored);

	for (k = 0; k < len; k++) {
		struct timeline *t;

		if (ids[k] == ELEMENTS_NONE || h->inv[s->at[ids[k]].add] > h->ret[row]) {
			say_unexpected(s, row, at[k]);
			continue;
		}
		t = &s->at[ids[k]];
		if (t->seen == row)
			t->duplicated = row;
		t->seen = row;
		if (h->ret[row] < t->known)
			t->known = h->ret[row];
		if (t->present == HISTORY_NONE)
			t->present = row;
	}
}

/* What it says of those that it does not: reads come from the last start to the first, so the first
 * absence that is met is the one that counts. */
static void absent_note(struct set_full *s, uint32_t row)
{
	const struct history *h = s->h;
	uint32_t *link = &s->open[h->mop_key[h->mop_first[row]]];

	while (*link != ELEMENTS_NONE && h->inv[s->at[*link].add] < h->ret[row]) {
		struct timeline *t = &s->at[*link];

		if (t->seen == row) {
			link = &t->next;
			continue;
		}
		t->absent = row;
		*link = t->next;
	}
}

static bool reads_note(struct set_full *s)
{
	const struct history *h = s->h;
	uint32_t row, len;

	for (row = h->ops_len; row-- > 0;) {
		const uint32_t *ids;

		if (h->f[row] != HF_READ || h->type[row] != HT_OK || !pawl__elements_said(h, row))
			continue;
		ids = read_ids(s, row, &len);
		if (ids == NULL)
			return false;
		shown_note(s, row, ids, len);
		absent_note(s, row);
	}
	return true;
}

/* Count a finding of element i that these rows show. */
static void report(struct set_full *s, const char *name, uint32_t i, uint32_t other,
                   const char *text)
{
	const uint32_t add = s->at[i].add;
	const uint32_t rows[2] = { add < other ? add : other, add < other ? other : add };

	if (pawl__findings_wanted(&s->found, name, rows[0])) {
		pawl__findings_say(&s->found, "element ");
		pawl__history_value(s->h, s->elements.at[i].value, &s->found.text);
		pawl__findings_say(&s->found, ", added by T%u: T%u%s", add, other, text);
	}
	pawl__findings_add(&s->found, name, rows, 2);
}

static void element_judge(struct set_full *s, uint32_t i)
{
	const struct history *h = s->h;
	const struct timeline *t = &s->at[i];
	const bool absent = t->absent != HISTORY_NONE, present = t->present != HISTORY_NONE;
	/* Rows are in the order of their starts. */
	const bool stable = present && (!absent || t->absent < t->present);
	const bool late = absent && t->known < h->inv[t->absent];

	if (t->duplicated != HISTORY_NONE)
		report(s, "duplicated", i, t->duplicated, " shows it more than once.");
	if (stable)
		s->stable++;
	if (stable && late)
		report(s, "stale", i, t->absent,
		       ", which began when the element was known to be there, does not show it; "
		       "later reads do.");
	else if (!stable && late)
		report(s, "lost", i, t->absent,
		       ", which began when the element was known to be there, does not show it, "
		       "and no later read does.");
	else if (!stable)
		s->never_read++;
}

enum pawl_status pawl__check_set_full(const struct history *h, const struct check_options *o,
                                      struct check_result *ret, struct pawl_error *err)
{
	PAWL_CLEANUP(set_full_deinit) struct set_full s = { .h = h };
	enum pawl_status st = pawl__elements_rows(h, err);
	uint32_t i;

	pawl__findings_init(&s.found, ret);
	if (st != PAWL_OK)
		return st;
	if (!set_full_alloc(&s) || !adds_read(&s) || !reads_note(&s))
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for the elements");
	for (i = 0; i < s.elements.len; i++)
		element_judge(&s, i);
	if (!o->linearizable)
		pawl__findings_permit(&s.found, "stale");
	pawl__findings_say(&s.found, "%llu of %u elements were there for good, %llu never read",
	                   (unsigned long long)s.stable, s.elements.len,
	                   (unsigned long long)s.never_read);
	pawl__findings_note(&s.found);
	if (s.stable == 0) {
		pawl__findings_say(&s.found, "no element came to be there for good");
		pawl__findings_unknown(&s.found);
	}
	return pawl__findings_finish(&s.found, err);
}
