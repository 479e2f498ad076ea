/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "race/check/regs.h"

/* What the transaction at hand did to a key so far. */
struct touch {
	uint32_t row;
	uint32_t version; /* that it must see */
	uint32_t read;    /* version of its first read before any update; REGS_NONE */
	bool updated;
};

struct update {
	uint32_t row;
	uint32_t before; /* the one before of the same version; REGS_NONE */
};

struct scan {
	const struct regs *x;
	const struct history *h;
	struct found *f;
	struct touch *touch; /* by key */
	uint32_t *head;      /* by version: last update */
	struct update *update;
	uint32_t updates_len;
	uint64_t strangers; /* reads of what nobody wrote */
	uint64_t unclear;   /* reads of what was written twice */
	uint32_t unclear_mop;
};

static void found_read(struct scan *s, enum found_kind kind, uint32_t m, uint32_t writer)
{
	const uint32_t row = s->x->row[m];
	const uint32_t rows[2] = { row, writer };

	if (found_wants(s->f, kind, row < writer ? row : writer)) {
		pawl__found_say(s->f, "%T read %V%K, written by %T", row, s->h->mop_val[m],
		                s->h->mop_key[m], writer);
		pawl__found_say(s->f, kind == FOUND_G1A
		                              ? ", which had failed"
		                              : ", which was not its last write of the key");
	}
	pawl__found_rows(s->f, kind, rows, 2);
}

static void read_check(struct scan *s, uint32_t m)
{
	const struct regs *x = s->x;
	const uint32_t v = x->version[m];

	if (x->writer[v] == REGS_SEVERAL) {
		s->unclear_mop = s->unclear == 0 ? m : s->unclear_mop;
		s->unclear++;
	}
	if (regs_is_initial(x, v))
		return;
	if (x->failed[v] != REGS_NONE)
		found_read(s, FOUND_G1A, m, x->failed[v]);
	if (x->middle[v] != REGS_NONE && x->middle[v] != x->row[m])
		found_read(s, FOUND_G1B, m, x->middle[v]);
	s->strangers +=
		x->writer[v] == REGS_NONE && x->failed[v] == REGS_NONE && x->middle[v] == REGS_NONE;
}

static void found_internal(struct scan *s, uint32_t m)
{
	const uint32_t row = s->x->row[m];

	if (found_wants(s->f, FOUND_INTERNAL, row))
		pawl__found_say(s->f,
		                "%T read %V%K, which contradicts what it had read or written "
		                "there itself",
		                row, s->h->mop_val[m], s->h->mop_key[m]);
	pawl__found_rows(s->f, FOUND_INTERNAL, &row, 1);
}

static void row_check(struct scan *s, uint32_t row)
{
	const struct history *h = s->h;
	const uint32_t end = h->mop_first[row] + h->mop_len[row];
	bool internal = false;

	for (uint32_t m = h->mop_first[row]; m < end; m++) {
		struct touch *t = &s->touch[h->mop_key[m]];
		const uint32_t v = s->x->version[m];

		if (t->row != row)
			*t = (struct touch){ .row = row, .version = REGS_NONE, .read = REGS_NONE };
		if (h->mop_f[m] == HF_READ) {
			read_check(s, m);
			if (!internal && t->version != REGS_NONE && t->version != v) {
				internal = true;
				found_internal(s, m);
			}
			t->read = t->read == REGS_NONE ? v : t->read;
		} else if (t->read != REGS_NONE && !t->updated) {
			t->updated = true;
			s->update[s->updates_len] = (struct update){ row, s->head[t->read] };
			s->head[t->read] = s->updates_len++;
		}
		t->version = v;
	}
}

static void lost_updates(struct scan *s)
{
	uint32_t rows[FOUND_ROWS_MAX];

	for (uint32_t v = 0; v < s->x->versions; v++) {
		uint64_t all = 0;
		uint32_t n, skip;

		for (uint32_t i = s->head[v]; i != REGS_NONE; i = s->update[i].before)
			all++;
		if (all < 2 || s->x->writer[v] == REGS_SEVERAL)
			continue;
		/* The list is backwards: its end are the lowest rows. */
		n = all < FOUND_ROWS_MAX ? (uint32_t)all : FOUND_ROWS_MAX;
		skip = (uint32_t)(all - n);
		for (uint32_t i = s->head[v], at = 0; i != REGS_NONE;
		     i = s->update[i].before, at++) {
			if (at >= skip)
				rows[n - 1 - (at - skip)] = s->update[i].row;
		}
		if (found_wants(s->f, FOUND_LOST_UPDATE, rows[0]))
			pawl__found_say(s->f,
			                "these %U transactions read the same version%K and then "
			                "wrote over it",
			                all, s->x->key[v]);
		pawl__found_rows(s->f, FOUND_LOST_UPDATE, rows, n);
	}
}

static void tell(struct scan *s)
{
	const uint32_t v = s->unclear > 0 ? s->x->version[s->unclear_mop] : 0;

	if (s->strangers > 0) {
		pawl__found_say(s->f,
		                "%U reads returned values that nobody wrote: taken for states from "
		                "before the history",
		                s->strangers);
		pawl__found_note(s->f);
	}
	if (s->unclear == 0)
		return;
	pawl__found_say(s->f,
	                "%V%K was written more than once, by %T for one, and read by %T: values of "
	                "a key must be unique to be judged",
	                s->h->mop_val[s->unclear_mop], s->h->mop_key[s->unclear_mop],
	                s->x->other[v], s->x->row[s->unclear_mop]);
	pawl__found_unknown(s->f);
}

enum pawl_status pawl__regs_scan(const struct regs *x, struct found *f, struct pawl_error *err)
{
	struct scan s = { .x = x, .h = x->h, .f = f };
	bool ok;

	s.touch = malloc(((size_t)x->h->keys_len + 1) * sizeof(*s.touch));
	s.head = malloc(((size_t)x->versions + 1) * sizeof(*s.head));
	s.update = malloc(((size_t)x->h->mops_len + 1) * sizeof(*s.update));
	ok = s.touch != NULL && s.head != NULL && s.update != NULL;
	if (ok) {
		memset(s.touch, 0xff, ((size_t)x->h->keys_len + 1) * sizeof(*s.touch));
		memset(s.head, 0xff, ((size_t)x->versions + 1) * sizeof(*s.head));
	}
	for (uint32_t i = 0; ok && i < x->h->ops_len; i++) {
		if (x->h->type[i] == HT_OK)
			row_check(&s, i);
	}
	if (ok) {
		lost_updates(&s);
		tell(&s);
	}
	free(s.touch);
	free(s.head);
	free(s.update);
	return ok ? PAWL_OK : pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
}
