/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "race/check/weak.h"

/* Writers by key, session and place: sessions are walked one by one, so a counting sort by key
 * leaves the rest in order. */
static bool group_writers(struct weak_writers *c, const struct weak *w)
{
	const uint32_t keys = w->h->keys_len, writes = w->write_first[w->txns];
	uint32_t *at = calloc((size_t)keys + 1, sizeof(*at)), groups = 0;
	uint32_t *owner = malloc(((size_t)writes + 1) * sizeof(*owner)); /* place -> write */

	if (at == NULL || owner == NULL) {
		free(at);
		free(owner);
		return false;
	}
	for (uint32_t j = 0; j < writes; j++)
		at[w->write_key[j] + 1]++;
	for (uint32_t k = 0; k < keys; k++)
		at[k + 1] += at[k];
	for (uint32_t i = 0; i < w->txns; i++) {
		const uint32_t t = w->session_txn[i];

		for (uint32_t j = w->write_first[t]; j < w->write_first[t + 1]; j++) {
			const uint32_t to = at[w->write_key[j]]++;

			c->writer[to] = t;
			owner[to] = j;
		}
	}
	/* at[k] is now the end of k's writers. */
	for (uint32_t k = 0; k < keys; k++) {
		c->group_first[k] = groups;
		for (uint32_t i = k == 0 ? 0 : at[k - 1]; i < at[k]; i++) {
			const uint32_t s = w->session[c->writer[i]];

			if (groups == c->group_first[k] || c->group[groups - 1].session != s)
				c->group[groups++] = (struct weak_group){ s, i, i, 0 };
			c->group_of[owner[i]] = groups - 1;
		}
	}
	c->group_first[keys] = groups;
	c->group[groups] = (struct weak_group){ .first = writes };
	free(at);
	free(owner);
	return true;
}

bool pawl__weak_writers_init(struct weak_writers *c, const struct weak *w)
{
	const size_t writes = (size_t)w->write_first[w->txns] + 1;

	c->group_first = malloc(((size_t)w->h->keys_len + 1) * sizeof(*c->group_first));
	c->group = malloc(writes * sizeof(*c->group));
	c->writer = malloc(writes * sizeof(*c->writer));
	c->group_of = malloc(writes * sizeof(*c->group_of));
	return c->group_first != NULL && c->group != NULL && c->writer != NULL &&
	       c->group_of != NULL && group_writers(c, w);
}

void pawl__weak_writers_deinit(struct weak_writers *c)
{
	free(c->group_first);
	free(c->group);
	free(c->writer);
	free(c->group_of);
	*c = (struct weak_writers){ 0 };
}
