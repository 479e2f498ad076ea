/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/set - additions to a set and a final read: what was confirmed must be there.
 *
 *   lost        an addition that was confirmed, and the last read does not show it
 *   unexpected  the last read shows what nobody tried to add
 * The last read is the one that answered last, of each key its own; a set that was never read is
 * unknown. An addition that failed or has no outcome may be there or not. As Jepsen's set.
 * Threads: none of its own.
 */
#include <stdlib.h>

#include "base/error.h"
#include "race/check/elements.h"
#include "race/check/findings.h"

struct set_check {
	const struct history *h;
	struct findings found;
	struct elements elements;
	uint32_t *add;  /* owned; by element: the row that confirmed it, or tried to */
	bool *shown;    /* owned; by element */
	uint32_t *last; /* owned; by key: the last read; HISTORY_NONE */
};

static void set_deinit(struct set_check *s)
{
	pawl__findings_deinit(&s->found);
	pawl__elements_deinit(&s->elements);
	free(s->add);
	free(s->shown);
	free(s->last);
}

static bool adds_read(struct set_check *s)
{
	const struct history *h = s->h;
	uint32_t row, i;

	for (row = 0; row < h->ops_len; row++) {
		const uint32_t m = h->mop_first[row];

		if (h->f[row] != HF_ADD)
			continue;
		i = pawl__elements_put(&s->elements, h->mop_key[m], h->mop_val[m]);
		if (i == ELEMENTS_NONE)
			return false;
		if (s->add[i] == HISTORY_NONE ||
		    (h->type[row] == HT_OK && h->type[s->add[i]] != HT_OK))
			s->add[i] = row;
	}
	return true;
}

static void last_read_check(struct set_check *s, uint32_t key)
{
	const uint32_t read = s->last[key];
	uint32_t len, k, i;
	const int64_t *at = pawl__elements_read(s->h, read, &len);

	for (k = 0; k < len; k++) {
		i = pawl__elements_find(&s->elements, key, at[k]);
		if (i != ELEMENTS_NONE) {
			s->shown[i] = true;
			continue;
		}
		if (pawl__findings_wanted(&s->found, "unexpected", read)) {
			pawl__findings_say(&s->found, "T%u, the last read, shows ", read);
			pawl__history_value(s->h, at[k], &s->found.text);
			pawl__findings_say(&s->found, ", which nobody tried to add.");
		}
		pawl__findings_add(&s->found, "unexpected", &read, 1);
	}
}

static void lost_check(struct set_check *s)
{
	uint32_t i;

	for (i = 0; i < s->elements.len; i++) {
		const uint32_t add = s->add[i], read = s->last[s->elements.at[i].key];
		const uint32_t rows[2] = { add < read ? add : read, add < read ? read : add };

		if (s->h->type[add] != HT_OK || s->shown[i] || read == HISTORY_NONE)
			continue;
		if (pawl__findings_wanted(&s->found, "lost", rows[0])) {
			pawl__findings_say(&s->found, "T%u ", add);
			pawl__history_op(s->h, add, &s->found.text);
			pawl__findings_say(&s->found,
			                   " was confirmed, and the last read, T%u, does "
			                   "not show it.",
			                   read);
		}
		pawl__findings_add(&s->found, "lost", rows, 2);
	}
}

static bool set_alloc(struct set_check *s)
{
	const struct history *h = s->h;
	uint32_t i;

	s->add = malloc(((size_t)h->ops_len + 1) * sizeof(*s->add));
	s->shown = calloc((size_t)h->ops_len + 1, sizeof(*s->shown));
	s->last = malloc(((size_t)h->keys_len + 1) * sizeof(*s->last));
	if (!pawl__elements_init(&s->elements) || s->add == NULL || s->shown == NULL ||
	    s->last == NULL)
		return false;
	for (i = 0; i < h->ops_len; i++)
		s->add[i] = HISTORY_NONE;
	for (i = 0; i < h->keys_len; i++)
		s->last[i] = HISTORY_NONE;
	return true;
}

enum pawl_status pawl__check_set(const struct history *h, const struct check_options *o,
                                 struct check_result *ret, struct pawl_error *err)
{
	PAWL_CLEANUP(set_deinit) struct set_check s = { .h = h };
	enum pawl_status st = pawl__elements_rows(h, err);
	bool read = false;
	uint32_t e;

	(void)o;
	pawl__findings_init(&s.found, ret);
	if (st != PAWL_OK)
		return st;
	if (!set_alloc(&s) || !adds_read(&s))
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for the elements");
	for (e = 0; e < h->events_len; e++) {
		const uint32_t row = h->event[e] >> 1;

		if (e == h->ret[row] && h->f[row] == HF_READ && h->type[row] == HT_OK &&
		    pawl__elements_said(h, row))
			s.last[h->mop_key[h->mop_first[row]]] = row;
	}
	for (e = 0; e < h->keys_len; e++) {
		if (s.last[e] == HISTORY_NONE)
			continue;
		read = true;
		last_read_check(&s, e);
	}
	lost_check(&s);
	if (!read) {
		pawl__findings_say(&s.found, "the set was never read");
		pawl__findings_unknown(&s.found);
	}
	return pawl__findings_finish(&s.found, err);
}
