/* SPDX-License-Identifier: Apache-2.0 */
#include "race/check/linear_text.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

/* A polynomial hash modulo the Mersenne prime 2^61 - 1: the hash of a text and a piece behind it
 * follows from theirs, whatever the split. It only finds candidates; the bytes decide. */
#define MOD  ((UINT64_C(1) << 61) - 1)
#define BASE UINT64_C(0x16a09e667f3bcc9)

static uint64_t mod_fold(unsigned __int128 p)
{
	uint64_t r = (uint64_t)(p & MOD) + (uint64_t)(p >> 61 & MOD) + (uint64_t)(p >> 122);

	r = (r & MOD) + (r >> 61);
	return r >= MOD ? r - MOD : r;
}

static uint64_t mod_mul(uint64_t a, uint64_t b)
{
	return mod_fold((unsigned __int128)a * b);
}

static uint64_t mod_add(uint64_t a, uint64_t b)
{
	uint64_t r = a + b;

	return r >= MOD ? r - MOD : r;
}

void pawl__lin_text_init(struct lin_text *t)
{
	*t = (struct lin_text){ 0 };
}

void pawl__lin_text_deinit(struct lin_text *t)
{
	free(t->nodes);
	free(t->slots);
	*t = (struct lin_text){ 0 };
}

/* Compare from the end, piece by piece. */
static bool same_bytes(const struct lin_text *t, struct lin_text_node a, struct lin_text_node b)
{
	if (a.len != b.len)
		return false;
	while (a.len > 0) {
		size_t n = a.piece_len < b.piece_len ? a.piece_len : b.piece_len;

		if (a.piece_len == b.piece_len && a.parent == b.parent && a.piece == b.piece)
			return true;
		if (n > 0 && memcmp(a.piece + a.piece_len - n, b.piece + b.piece_len - n, n) != 0)
			return false;
		a.piece_len -= (uint32_t)n;
		b.piece_len -= (uint32_t)n;
		a.len -= n;
		b.len -= n;
		if (a.piece_len == 0)
			a = t->nodes[a.parent];
		if (b.piece_len == 0)
			b = t->nodes[b.parent];
		INVARIANT(a.len == b.len);
	}
	return true;
}

static bool table_grow(struct lin_text *t)
{
	uint32_t len = t->slots_len == 0 ? 256 : t->slots_len * 2, i;
	uint32_t *slots = calloc(len, sizeof(*slots));

	if (slots == NULL)
		return false;
	for (i = 0; i < t->len; i++) {
		uint32_t at = (uint32_t)(t->nodes[i].hash * BASE >> 32) & (len - 1);

		while (slots[at] != 0)
			at = (at + 1) & (len - 1);
		slots[at] = i + 1;
	}
	free(t->slots);
	t->slots = slots;
	t->slots_len = len;
	return true;
}

static bool nodes_reserve(struct lin_text *t)
{
	uint32_t cap = t->cap == 0 ? 128 : t->cap * 2;
	struct lin_text_node *nodes;

	if (t->len < t->cap)
		return true;
	if (t->len >= LIN_TEXTS_MAX)
		return false;
	nodes = realloc(t->nodes, cap * sizeof(*nodes));
	if (nodes == NULL)
		return false;
	t->nodes = nodes;
	t->cap = cap;
	return true;
}

static uint32_t node_intern(struct lin_text *t, const struct lin_text_node *n)
{
	uint32_t at;

	if ((t->len + 1) * UINT64_C(2) > t->slots_len && !table_grow(t))
		return LIN_TEXT_NONE;
	at = (uint32_t)(n->hash * BASE >> 32) & (t->slots_len - 1);
	for (; t->slots[at] != 0; at = (at + 1) & (t->slots_len - 1)) {
		const struct lin_text_node *had = &t->nodes[t->slots[at] - 1];

		if (had->hash == n->hash && same_bytes(t, *had, *n))
			return t->slots[at] - 1;
	}
	if (!nodes_reserve(t))
		return LIN_TEXT_NONE;
	t->nodes[t->len] = *n;
	t->slots[at] = t->len + 1;
	return t->len++;
}

/* Eight bytes at a time: their products do not wait for each other. */
static uint64_t bytes_hash(const uint64_t *power, const char *p, size_t len)
{
	const unsigned char *b = (const unsigned char *)p;
	uint64_t h = 0;
	size_t i;

	for (; len >= 8; len -= 8, b += 8) {
		unsigned __int128 sum = (unsigned __int128)h * power[8];

		for (i = 0; i < 8; i++)
			sum += (unsigned __int128)power[7 - i] * (b[i] + 1U);
		h = mod_fold(sum);
	}
	for (; len > 0; len--, b++)
		h = mod_add(mod_mul(h, BASE), *b + 1U);
	return h;
}

static uint64_t base_power(size_t n)
{
	uint64_t r = 1, b = BASE;

	for (; n > 0; n /= 2) {
		if (n % 2 != 0)
			r = mod_mul(r, b);
		b = mod_mul(b, b);
	}
	return r;
}

/* The empty text is number 0, and its own parent. */
static bool empty_put(struct lin_text *t)
{
	const struct lin_text_node empty = { .piece = "", .power = 1 };

	return t->len > 0 || node_intern(t, &empty) == 0;
}

uint32_t pawl__lin_text_put(struct lin_text *t, struct str s)
{
	struct lin_text_node n = { .piece = s.ptr, .power = 1, .len = s.len };
	uint64_t power[9];
	uint32_t id, i;

	if (!empty_put(t) || s.len > UINT32_MAX)
		return LIN_TEXT_NONE;
	if (s.len == 0)
		return 0;
	n.piece_len = (uint32_t)s.len;
	for (i = 0, power[0] = 1; i < 8; i++)
		power[i + 1] = mod_mul(power[i], BASE);
	n.hash = bytes_hash(power, s.ptr, s.len);
	n.power = base_power(s.len);
	id = node_intern(t, &n);
	/* A text that appends had made is in one piece from now on, so that it can be a piece. */
	if (id != LIN_TEXT_NONE)
		t->nodes[id] = n;
	return id;
}

uint32_t pawl__lin_text_append(struct lin_text *t, uint32_t id, uint32_t piece)
{
	const struct lin_text_node *a = &t->nodes[id], *b = &t->nodes[piece];
	struct lin_text_node n;

	PRE(id < t->len && piece < t->len && b->parent == 0);
	if (b->len == 0)
		return id;
	if (a->len == 0)
		return piece;
	n = (struct lin_text_node){
		.piece = b->piece,
		.hash = mod_add(mod_mul(a->hash, b->power), b->hash),
		.power = mod_mul(a->power, b->power),
		.len = a->len + b->len,
		.parent = id,
		.piece_len = b->piece_len,
	};
	return node_intern(t, &n);
}

bool pawl__lin_text_may_start(const struct lin_text *t, uint32_t id, uint32_t whole)
{
	const struct lin_text_node *a = &t->nodes[id], *w = &t->nodes[whole];

	if (a->len > w->len)
		return false;
	if (w->parent != 0 || a->len == 0)
		return true;
	return memcmp(a->piece, w->piece + (a->len - a->piece_len), a->piece_len) == 0;
}

size_t pawl__lin_text_get(const struct lin_text *t, uint32_t id, char *ret, size_t cap)
{
	const struct lin_text_node *n = &t->nodes[id];
	size_t len = n->len, i;

	for (; n->len > 0; n = &t->nodes[n->parent])
		for (i = 0; i < n->piece_len; i++) {
			size_t at = n->len - n->piece_len + i;

			if (at < cap)
				ret[at] = n->piece[i];
		}
	return len;
}
