/* SPDX-License-Identifier: Apache-2.0 */
/* From cheap to dear: see the header. */
#include "race/check/sersi.h"

#include <stdlib.h>

/* Whether transactions, as they stand, are a serial order: then every level holds. */
static bool is_serial(const struct weak *w, const uint32_t *rank, bool *ret)
{
	uint32_t *last = malloc(((size_t)w->h->keys_len + 1) * sizeof(*last));
	uint32_t *at = malloc(((size_t)w->txns + 1) * sizeof(*at));

	*ret = last != NULL && at != NULL;
	if (!*ret) {
		free(last);
		free(at);
		return false;
	}
	for (uint32_t k = 0; k < w->h->keys_len; k++)
		last[k] = WEAK_INIT;
	for (uint32_t t = 0; t < w->txns; t++)
		at[rank == NULL ? t : rank[t]] = t;
	for (uint32_t i = 0; *ret && i < w->txns; i++) {
		const uint32_t t = at[i];

		for (uint32_t j = w->read_first[t]; *ret && j < w->read_first[t + 1]; j++)
			*ret = last[w->read_key[j]] == w->read_from[j];
		for (uint32_t j = w->write_first[t]; j < w->write_first[t + 1]; j++)
			last[w->write_key[j]] = t;
	}
	free(last);
	free(at);
	return true;
}

bool pawl__sersi_before(const void *graph, uint32_t point, uint32_t i, uint32_t *ret)
{
	const struct sersi *s = graph;
	const struct weak *w = s->w;
	const uint32_t t = point_txn(s, point);
	uint32_t u;

	if (point == point_start(s, t)) {
		const uint32_t reads = w->read_first[t + 1] - w->read_first[t];

		if (i <= reads) {
			u = i == 0 ? pawl__weak_before(w, t)
			           : w->read_from[w->read_first[t] + i - 1];
			*ret = u == WEAK_NONE || u == WEAK_INIT ? WEAK_NONE : point_commit(s, u);
			return true;
		}
		i -= reads + 1;
	} else {
		if (i == 0) {
			*ret = point_start(s, t);
			return true;
		}
		i--;
	}
	if (i >= s->first[point + 1] - s->first[point])
		return false;
	*ret = s->edge[s->by_target[s->first[point] + i]].from;
	return true;
}

bool pawl__sersi_index(struct sersi *s)
{
	uint32_t *at = realloc(s->by_target, ((size_t)s->edges_len + 1) * sizeof(*at));

	if (at == NULL)
		return false;
	s->by_target = at;
	memset(s->first, 0, ((size_t)s->points + 2) * sizeof(*s->first));
	for (uint32_t i = 0; i < s->edges_len; i++)
		s->first[s->edge[i].to + 2]++;
	for (uint32_t p = 0; p < s->points; p++)
		s->first[p + 2] += s->first[p + 1];
	for (uint32_t i = 0; i < s->edges_len; i++)
		at[s->first[s->edge[i].to + 1]++] = i;
	return true;
}

static enum sersi_answer init(struct sersi *s, const struct weak *w, const struct sersi_job *job)
{
	size_t clocks;

	*s = (struct sersi){ .w = w, .kind = job->kind, .rank = job->rank };
	s->without = job->without;
	s->steps = job->steps == 0 ? CHECK_STEPS_DEFAULT : job->steps;
	s->points = job->kind == SERSI_SER ? w->txns : 2 * w->txns;
	if (__builtin_mul_overflow((size_t)s->points * sizeof(*s->clock), w->sessions, &clocks) ||
	    clocks > SERSI_CLOCKS_MAX) {
		s->why = "too many transactions in too many sessions";
		return SERSI_UNKNOWN;
	}
	s->clock = malloc(clocks + 1);
	s->first = malloc(((size_t)s->points + 2) * sizeof(*s->first));
	if (s->clock == NULL || s->first == NULL || !pawl__weak_writers_init(&s->writers, w))
		return SERSI_NO_MEMORY;
	return SERSI_YES;
}

static void deinit(struct sersi *s)
{
	pawl__weak_writers_deinit(&s->writers);
	free(s->clock);
	free(s->edge);
	free(s->first);
	free(s->by_target);
	free(s->choice);
}

static enum sersi_answer decide(struct sersi *s, struct sersi_result *ret, struct check_result *out)
{
	uint32_t *points = NULL, len = 0;
	enum sersi_answer got = pawl__sersi_force(s);

	if (got == SERSI_NO)
		return pawl__sersi_cycles(s, ret, out) ? SERSI_NO : SERSI_NO_MEMORY;
	if (got != SERSI_YES || s->fits)
		return got;
	got = pawl__sersi_choices(s);
	if (got != SERSI_UNKNOWN || s->choices_len == 0)
		return got;
	got = pawl__sersi_search(s, &points, &len);
	if (got == SERSI_NO && !pawl__sersi_no_order(s, points, len, ret, out))
		got = SERSI_NO_MEMORY;
	free(points);
	return got;
}

bool pawl__sersi_check(const struct weak *w, const struct sersi_job *job, struct sersi_result *ret,
                       struct check_result *out)
{
	struct sersi s;
	enum sersi_answer got;
	bool serial = false;
	uint64_t steps;

	*ret = (struct sersi_result){ .verdict = VERDICT_VALID };
	if ((job->without & SERSI_NO_ORDER) == 0 && !is_serial(w, job->rank, &serial))
		return false;
	if (serial)
		return true;
	got = init(&s, w, job);
	steps = s.steps;
	if (got == SERSI_YES)
		got = decide(&s, ret, out);
	ret->steps = steps - s.steps;
	if (got == SERSI_NO)
		ret->verdict = VERDICT_INVALID;
	if (got == SERSI_UNKNOWN) {
		ret->verdict = VERDICT_UNKNOWN;
		ret->why = s.why;
	}
	deinit(&s);
	return got != SERSI_NO_MEMORY;
}
