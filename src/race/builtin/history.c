/* SPDX-License-Identifier: Apache-2.0 */
#include "race/builtin/history.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"

#define PROCESS_CHECK 1000000 /* the one who looks before and after the race */

struct builtin_history {
	const struct incident *incident;
	pthread_mutex_t lock;
	struct buf lines;
	int64_t index;
	bool kept; /* a violated round stands there */
};

struct builtin_history *pawl__builtin_history_new(const struct incident *incident)
{
	struct builtin_history *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return NULL;
	h->incident = incident;
	(void)pthread_mutex_init(&h->lock, NULL);
	pawl__buf_init(&h->lines, BUILTIN_HISTORY_MAX);
	return h;
}

void pawl__builtin_history_free(struct builtin_history *h)
{
	if (h == NULL)
		return;
	(void)pthread_mutex_destroy(&h->lock);
	pawl__buf_deinit(&h->lines);
	free(h);
}

static void line(struct builtin_history *h, struct machine *m, const char *type, const char *text,
                 int64_t process)
{
	const struct str filled = pawl__machine_fill(m, text, false);

	(void)pthread_mutex_lock(&h->lock);
	if (!h->kept) {
		buf_lit(&h->lines, "{\"type\":\"");
		buf_str(&h->lines, pawl__str_of(type));
		buf_lit(&h->lines, "\",");
		buf_str(&h->lines, filled);
		buf_lit(&h->lines, ",\"process\":");
		pawl__buf_i64(&h->lines, process);
		buf_lit(&h->lines, ",\"time\":");
		pawl__buf_i64(&h->lines, pawl__clock_mono_ns());
		buf_lit(&h->lines, ",\"index\":");
		pawl__buf_i64(&h->lines, h->index++);
		buf_lit(&h->lines, "}\n");
	}
	(void)pthread_mutex_unlock(&h->lock);
}

static void whole(struct builtin_history *h, struct machine *m, const char *text)
{
	if (text == NULL)
		return;
	line(h, m, "invoke", text, PROCESS_CHECK);
	line(h, m, "ok", text, PROCESS_CHECK);
}

void pawl__builtin_history_round(struct builtin_history *h, struct machine *m)
{
	if (!h->kept) {
		pawl__buf_reset(&h->lines);
		h->index = 0;
	}
	whole(h, m, h->incident->first);
}

void pawl__builtin_history_invoke(struct builtin_history *h, struct machine *m, int64_t process,
                                  bool other)
{
	line(h, m, "invoke", other ? h->incident->other_invoke : h->incident->invoke, process);
}

/* The program looks before it writes: register a is what it saw. */
static bool sees(const struct program *p)
{
	for (const struct step *s = p->steps; s->op != STEP_END; s++) {
		if (s->op == STEP_ASK && s->into != NULL && s->into[0] == 'a')
			return true;
	}
	return false;
}

void pawl__builtin_history_end(struct builtin_history *h, struct machine *m, int64_t process,
                               bool other)
{
	static const char *const types[] = {
		[END_DONE] = "ok",      [END_REFUSED] = "fail", [END_GAVE_UP] = "fail",
		[END_CRASHED] = "info", [END_UNKNOWN] = "info", [END_ERROR] = "info",
	};
	const struct incident *i = h->incident;
	const char *text = other ? i->other_invoke : i->invoke;

	if (m->end == END_DONE && other)
		text = i->other_ok;
	else if (m->end == END_DONE)
		text = i->blind != NULL && !sees(m->program) ? i->blind : i->ok;
	line(h, m, types[m->end], text, process);
}

void pawl__builtin_history_checked(struct builtin_history *h, struct machine *m, bool violated)
{
	whole(h, m, h->incident->last);
	h->kept = h->kept || violated;
}

enum pawl_status pawl__builtin_history_write(const struct builtin_history *h, const char *path,
                                             struct pawl_error *err)
{
	FILE *f;
	bool well;

	if (h->lines.overflow)
		return pawl__error_set(err, PAWL_E_TOO_LARGE, "the history is over %zu bytes",
		                       BUILTIN_HISTORY_MAX);
	f = fopen(path, "we");
	if (f == NULL)
		return pawl__error_native(err, PAWL_E_IO, errno,
		                          "the history file cannot be opened for writing");
	well = h->lines.len == 0 || fwrite(h->lines.data, h->lines.len, 1, f) == 1;
	if (fclose(f) != 0 || !well)
		return pawl__error_native(err, PAWL_E_IO, errno, "the history cannot be written");
	return PAWL_OK;
}
