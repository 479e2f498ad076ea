/* SPDX-License-Identifier: Apache-2.0 */
#include "base/suggest.h"

#include <stdint.h>
#include <string.h>

#include "base/assert.h"

#define COLUMNS (SUGGEST_WORD_MAX + 1)

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Cell (i, j): what it takes to turn the first i letters of a into the first j of b. */
static size_t cell(size_t table[][COLUMNS], const char *a, const char *b, size_t i, size_t j)
{
	const size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
	size_t n = table[i - 1][j - 1] + change;

	n = least(n, table[i - 1][j] + 1);
	n = least(n, table[i][j - 1] + 1);
	if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
		n = least(n, table[i - 2][j - 2] + 1);
	return n;
}

size_t pawl__suggest_distance(const char *a, const char *b)
{
	size_t table[COLUMNS][COLUMNS];
	const size_t a_len = strlen(a), b_len = strlen(b);

	if (a_len > SUGGEST_WORD_MAX || b_len > SUGGEST_WORD_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= b_len; j++)
		table[0][j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		table[i][0] = i;
		for (size_t j = 1; j <= b_len; j++)
			table[i][j] = cell(table, a, b, i, j);
	}
	return table[a_len][b_len];
}

void pawl__suggest_init(struct suggestion *s, const char *word)
{
	PRE(word != NULL);
	*s = (struct suggestion){ .word = word, .distance = SIZE_MAX };
}

void pawl__suggest_consider(struct suggestion *s, const char *name)
{
	const size_t distance = pawl__suggest_distance(s->word, name);
	const size_t near = 1 + strlen(s->word) / 3; /* (1) */

	/* All letters changed is another word, however short. */
	if (distance > near || distance >= strlen(s->word) || distance >= s->distance)
		return;
	s->best = name;
	s->distance = distance;
}
