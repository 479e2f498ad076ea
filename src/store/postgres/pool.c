/* SPDX-License-Identifier: Apache-2.0 */
#include "store/postgres/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"

static void pool_lock(struct pg_shared *sh)
{
	INVARIANT(pthread_mutex_lock(&sh->mu) == 0);
}

static void pool_unlock(struct pg_shared *sh)
{
	INVARIANT(pthread_mutex_unlock(&sh->mu) == 0);
}

static uint32_t max_default(void)
{
	const long cores = sysconf(_SC_NPROCESSORS_ONLN);
	const uint32_t n = cores > 0 && cores < 100 ? 2 * (uint32_t)cores + 1 : PG_POOL_MAX_DEFAULT;

	return n < PG_POOL_MAX_DEFAULT ? n : PG_POOL_MAX_DEFAULT;
}

void pawl__pg_shared_init(struct pg_shared *sh, uint32_t max)
{
	pthread_condattr_t attr;

	*sh = (struct pg_shared){ .max = max == 0 ? max_default() : max };
	INVARIANT(pthread_mutex_init(&sh->mu, NULL) == 0);
	INVARIANT(pthread_condattr_init(&attr) == 0);
	INVARIANT(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
	INVARIANT(pthread_cond_init(&sh->free, &attr) == 0);
	(void)pthread_condattr_destroy(&attr);
}

static void reader_free(struct pg_reader *r)
{
	pawl__pg_deinit(&r->conn);
	free(r);
}

void pawl__pg_shared_deinit(struct pg_shared *sh)
{
	while (sh->idle != NULL) {
		struct pg_reader *r = sh->idle;

		sh->idle = r->next;
		reader_free(r);
		sh->readers--;
	}
	INVARIANT(sh->readers == 0);
	(void)pthread_cond_destroy(&sh->free);
	(void)pthread_mutex_destroy(&sh->mu);
	pawl__pg_url_deinit(&sh->url);
}

bool pawl__pg_writer_join(struct pg_shared *sh)
{
	struct pg_reader *spare = NULL;
	bool joins;

	pool_lock(sh);
	joins = sh->writers + 1 < sh->max;
	/* A reader's place, where it is idle; else the reader goes when it is given back. */
	if (joins && sh->writers + sh->readers == sh->max && sh->idle != NULL) {
		spare = sh->idle;
		sh->idle = spare->next;
		sh->readers--;
	}
	sh->writers += joins;
	pool_unlock(sh);
	if (spare != NULL)
		reader_free(spare);
	return joins;
}

void pawl__pg_writer_leave(struct pg_shared *sh)
{
	pool_lock(sh);
	sh->writers--;
	pool_unlock(sh);
	(void)pthread_cond_signal(&sh->free);
}

/* An idle connection, or a place for a new one (*ret NULL). False: neither in time. */
static bool take_place(struct pg_shared *sh, struct pg_reader **ret)
{
	const int64_t until_us = pawl__clock_mono_us() + PG_POOL_WAIT_US;
	const struct timespec until = { .tv_sec = (time_t)(until_us / 1000000),
		                        .tv_nsec = (long)(until_us % 1000000) * 1000 };
	bool got = true;

	pool_lock(sh);
	while (sh->idle == NULL && sh->writers + sh->readers >= sh->max && got)
		got = pthread_cond_timedwait(&sh->free, &sh->mu, &until) != ETIMEDOUT;
	*ret = sh->idle;
	got = sh->idle != NULL || sh->writers + sh->readers < sh->max;
	if (sh->idle != NULL)
		sh->idle = sh->idle->next;
	else if (got)
		sh->readers++;
	pool_unlock(sh);
	return got;
}

enum pawl_status pawl__pg_take(struct pg_shared *sh, struct pg_reader **ret, struct pawl_error *err)
{
	struct pg_reader *r;
	enum pawl_status st = PAWL_OK;

	if (!take_place(sh, &r))
		return pawl__error_set(err, PAWL_E_STORE_UNAVAILABLE,
		                       "all %u connections to PostgreSQL are in use", sh->max);
	if (r == NULL) {
		r = calloc(1, sizeof(*r));
		if (r != NULL) {
			pawl__pg_init(&r->conn);
		} else {
			pool_lock(sh);
			sh->readers--;
			pool_unlock(sh);
			return pawl__error_set(err, PAWL_E_NOMEM, "no memory for a connection");
		}
	}
	if (r->conn.pg == NULL)
		st = pawl__pg_reconnect(sh, &r->conn, err);
	r->taken_us = pawl__clock_mono_us();
	if (st != PAWL_OK)
		pawl__pg_give(sh, r);
	else
		*ret = r;
	return st;
}

void pawl__pg_give(struct pg_shared *sh, struct pg_reader *take_reader)
{
	bool keep;

	pawl__pg_held(sh, take_reader->taken_us);
	pool_lock(sh);
	keep = take_reader->conn.pg != NULL && sh->writers + sh->readers <= sh->max;
	if (keep) {
		take_reader->next = sh->idle;
		sh->idle = take_reader;
	} else {
		sh->readers--;
	}
	pool_unlock(sh);
	if (!keep)
		reader_free(take_reader);
	(void)pthread_cond_signal(&sh->free);
}

enum pawl_status pawl__pg_reconnect(struct pg_shared *sh, struct pg_conn *c, struct pawl_error *err)
{
	struct pg_hello hello;
	enum pawl_status st = pawl__pg_connect(c, &sh->url, &hello, err);

	if (st == PAWL_OK)
		pawl__pg_clock_set(sh, c, hello.now_us);
	if (st == PAWL_E_CONFIG) {
		st = PAWL_E_STORE_UNAVAILABLE;
		if (err != NULL)
			err->status = st;
	}
	return st;
}

void pawl__pg_clock_set(struct pg_shared *sh, const struct pg_conn *c, int64_t server_us)
{
	const int64_t least = server_us - c->seen_us, most = server_us - c->sent_us;
	int64_t offset_us = atomic_load_explicit(&sh->clock_offset_us, memory_order_relaxed);

	/* Unknown yet: rather behind the server than ahead of it. */
	if (!atomic_exchange(&sh->clock_known, true) || offset_us < least)
		offset_us = least;
	if (offset_us > most)
		offset_us = most;
	atomic_store_explicit(&sh->clock_offset_us, offset_us, memory_order_relaxed);
}

int64_t pawl__pg_clock_us(struct pg_shared *sh)
{
	return pawl__clock_mono_us() +
	       atomic_load_explicit(&sh->clock_offset_us, memory_order_relaxed);
}

static void raise_to(_Atomic int64_t *most, int64_t us)
{
	int64_t was = atomic_load_explicit(most, memory_order_relaxed);

	while (us > was && !atomic_compare_exchange_weak(most, &was, us))
		;
}

void pawl__pg_held(struct pg_shared *sh, int64_t from_us)
{
	const int64_t us = pawl__clock_mono_us() - from_us;

	atomic_fetch_add_explicit(&sh->holds, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&sh->held_us, us, memory_order_relaxed);
	raise_to(&sh->held_max_us, us);
}

void pawl__pg_high_water(struct pg_shared *sh, int64_t us)
{
	raise_to(&sh->high_water_us, us);
}
