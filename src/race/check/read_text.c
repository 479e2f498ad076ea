/* SPDX-License-Identifier: Apache-2.0 */
/* The plain-text formats of weak-isolation checkers: transactions of sessions, no real time. */
#include "race/check/formats.h"

static const char *wrong(struct builder *b, const char *p, const char *text)
{
	return pawl__builder_error(b, PAWL_E_INVALID, p, p >= b->end ? "it ends too early" : text);
}

static const char *space(const char *p)
{
	while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')
		p++;
	return p;
}

static const char *whole(struct builder *b, const char *p, int64_t *ret)
{
	int64_t v = 0;
	const char *q = scan_int(p, &v);

	*ret = v;
	return q == NULL ? wrong(b, p, "a whole number of at most 18 digits is missing") : q;
}

/* An integer and the character behind it. */
static const char *field(struct builder *b, const char *p, char behind, int64_t *ret)
{
	const char *q = whole(b, p, ret);

	if (q == NULL)
		return NULL;
	return *q == behind ? q + 1 : wrong(b, q, "unexpected character");
}

/* Plume, PolySI, IsoVista: r(key,value,session,transaction) */

struct plume {
	int64_t session, txn; /* that is open; -1 before the first */
	struct table seen;    /* session << 32 | transaction */
	bool zero_written;
	uint32_t first_row; /* transaction 0 of session 0 */
};

static bool plume_txn(struct builder *b, struct plume *s, const char *at, int64_t session,
                      int64_t txn)
{
	uint32_t *slot;

	if (session == s->session && txn == s->txn)
		return true;
	if (session < 0 || txn < 0 || session > UINT32_MAX || txn > UINT32_MAX) {
		(void)wrong(b, at, "a session or transaction is no number below 2^32");
		return false;
	}
	if (s->session >= 0 && !pawl__builder_txn_end(b, HT_OK))
		return false;
	slot = table_put(&s->seen, (uint64_t)session << 32 | (uint64_t)txn);
	if (slot == NULL || *slot != TABLE_NONE) {
		(void)pawl__builder_error(b, slot == NULL ? PAWL_E_NOMEM : PAWL_E_INVALID, at,
		                          slot == NULL ? "out of memory"
		                                       : "the lines of a transaction must "
		                                         "stand together");
		return false;
	}
	*slot = b->h->ops_len;
	if (session == 0 && txn == 0)
		s->first_row = b->h->ops_len;
	s->session = session;
	s->txn = txn;
	return pawl__builder_txn_begin(b, session, at);
}

static const char *plume_line(struct builder *b, const char *p, struct plume *s)
{
	const char *begin = p;
	int64_t v[4];

	if ((*p != 'r' && *p != 'w') || p[1] != '(')
		return wrong(b, p, "a line is r(key,value,session,transaction), or w");
	p += 2;
	for (int i = 0; i < 4; i++) {
		p = field(b, p, i == 3 ? ')' : ',', &v[i]);
		if (p == NULL)
			return NULL;
	}
	if (!plume_txn(b, s, begin, v[2], v[3]))
		return NULL;
	s->zero_written = s->zero_written || (*begin == 'w' && v[1] == 0);
	return builder_mop(b, *begin == 'r' ? HF_READ : HF_WRITE, builder_key(b, v[0]), v[1])
	               ? p
	               : NULL;
}

/* Whether row writes all keys. */
static bool writes_all(const struct history *h, uint32_t row)
{
	uint8_t *written = calloc(h->keys_len, 1);
	uint32_t n = 0;

	if (written == NULL)
		return false;
	for (uint32_t m = h->mop_first[row]; m < h->mop_first[row] + h->mop_len[row]; m++) {
		if (h->mop_f[m] != HF_WRITE || written[h->mop_key[m]] != 0)
			continue;
		written[h->mop_key[m]] = 1;
		n++;
	}
	free(written);
	return n == h->keys_len;
}

/*
 * The same lines have two meanings. Where a 0 is written, 0 can't be what every key began as; and a
 * first transaction that writes every key is there for that alone.
 */
static void plume_dialect(struct history *h, const struct plume *s, enum history_format format)
{
	if (format == HISTORY_PLUME)
		format = s->first_row != HISTORY_NONE &&
		                         (s->zero_written || writes_all(h, s->first_row))
		                 ? HISTORY_PLUME_FIRST
		                 : HISTORY_PLUME_ZERO;
	h->format = format;
	if (format == HISTORY_PLUME_FIRST)
		h->init_op = s->first_row;
	h->has_initial = format == HISTORY_PLUME_ZERO && !s->zero_written;
	h->initial = 0;
}

void pawl__read_plume(struct builder *b, enum history_format format)
{
	struct plume s = { .session = -1, .txn = -1, .first_row = HISTORY_NONE };
	const char *p = space(b->start);

	if (!table_init(&s.seen, 0)) {
		(void)pawl__builder_error(b, PAWL_E_NOMEM, p, "out of memory");
		return;
	}
	while (p != NULL && p < b->end) {
		p = plume_line(b, p, &s);
		p = p == NULL ? NULL : space(p);
	}
	if (p != NULL && s.session >= 0 && pawl__builder_txn_end(b, HT_OK))
		plume_dialect(b->h, &s, format);
	table_deinit(&s.seen);
}

/* AWDIT: "w k v" and "r k v", "-----" between transactions, "=====" between sessions */

struct awdit {
	int64_t session;
	bool open; /* a transaction is */
};

static const char *awdit_line(struct builder *b, const char *p, struct awdit *s)
{
	const char *begin = p;
	int64_t key, value;

	if (memcmp(p, "-----", 5) == 0 || memcmp(p, "=====", 5) == 0) {
		if (s->open && !pawl__builder_txn_end(b, HT_OK))
			return NULL;
		s->open = false;
		if (*p == '=')
			s->session++;
		while (*p == *begin)
			p++;
		return p;
	}
	if ((*p != 'r' && *p != 'w') || p[1] != ' ')
		return wrong(b, p, "a line is \"w key value\", \"r key value\", ----- or =====");
	p = field(b, p + 2, ' ', &key);
	p = p == NULL ? NULL : whole(b, p, &value);
	if (p == NULL || (!s->open && !pawl__builder_txn_begin(b, s->session, begin)))
		return NULL;
	s->open = true;
	return builder_mop(b, *begin == 'r' ? HF_READ : HF_WRITE, builder_key(b, key), value)
	               ? p
	               : NULL;
}

void pawl__read_awdit(struct builder *b)
{
	struct awdit s = { 0 };
	const char *p = space(b->start);

	while (p != NULL && p < b->end) {
		p = awdit_line(b, p, &s);
		if (p != NULL && p < b->end && space(p) == p)
			p = wrong(b, p, "unexpected character");
		p = p == NULL ? NULL : space(p);
	}
	if (p != NULL && s.open)
		(void)!pawl__builder_txn_end(b, HT_OK);
}
