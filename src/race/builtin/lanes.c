/* SPDX-License-Identifier: Apache-2.0 */
#include "race/builtin/lanes.h"

#include <stdio.h>
#include <string.h>

#define DRAWING_MAX ((size_t)32 << 10)
#define WIDTH_ALL   116
#define CELLS_SHOWN 4

void pawl__trace_init(struct trace *t, const char *prefix)
{
	t->prefix = prefix;
	t->len = 0;
}

void pawl__trace_deinit(struct trace *t)
{
	t->len = 0;
}

void pawl__trace_reset(struct trace *t)
{
	t->len = 0;
}

static struct buf text_at(struct trace *t, size_t i)
{
	struct buf b;

	pawl__buf_init_fixed(&b, t->texts[i], LANE_TEXT_MAX - 1);
	b.len = strlen(t->texts[i]);
	return b;
}

static void put(struct trace *t, size_t i, struct str s)
{
	struct buf b = text_at(t, i);
	const size_t room = b.cap - b.len;

	pawl__buf_put(&b, s.ptr, s.len < room ? s.len : room);
	t->texts[i][b.len] = '\0';
}

size_t pawl__trace_ask(struct trace *t, uint32_t session, struct str text)
{
	const size_t at = t->len, prefix = strlen(t->prefix);

	if (at == BUILTIN_LANE_STEPS_MAX)
		return SIZE_MAX;
	t->len++;
	t->texts[at][0] = '\0';
	t->steps[at] = (struct builtin_lane_step){ .session = session,
		                                   .text = t->texts[at],
		                                   .answered = (uint32_t)at };
	for (size_t i = 0; i < text.len;) {
		if (text.len - i >= prefix && memcmp(text.ptr + i, t->prefix, prefix) == 0) {
			i += prefix;
		} else {
			put(t, at, (struct str){ text.ptr + i, 1 });
			i++;
		}
	}
	return at;
}

void pawl__trace_wait(struct trace *t, size_t at)
{
	if (at != SIZE_MAX)
		t->steps[at].waits = true;
}

void pawl__trace_answer(struct trace *t, size_t at, const struct reply *r)
{
	if (at == SIZE_MAX)
		return;
	if (t->steps[at].waits)
		t->steps[at].answered = t->len - 1;
	t->steps[at].failed = r->class != REPLY_OK;
	if (r->class != REPLY_OK) {
		put(t, at, STR(" -> "));
		put(t, at, pawl__str_of(r->text));
	}
	for (size_t i = 0; r->class == REPLY_OK && i < r->cells_len && i < CELLS_SHOWN; i++) {
		put(t, at, i == 0 ? STR(" -> ") : STR(", "));
		put(t, at, r->cells[i].len == 0 ? STR("''") : r->cells[i]);
	}
	if (r->class == REPLY_OK && r->cells_len == 0 && r->rows == 0 &&
	    strncmp(t->texts[at], "UPDATE", strlen("UPDATE")) == 0)
		put(t, at, STR(" -> no row"));
}

/* ---- Drawing ---- */

static void spaces(struct buf *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		pawl__buf_putc(out, ' ');
}

/* The lines of a text in its lane, broken at spaces. */
static void draw_text(struct buf *out, struct str text, size_t indent, size_t width)
{
	bool first = true;

	while (text.len > 0) {
		size_t n = text.len < width ? text.len : width;

		if (n < text.len) {
			while (n > width / 2 && text.ptr[n] != ' ')
				n--;
			if (text.ptr[n] != ' ')
				n = width;
		}
		if (!first)
			spaces(out, indent);
		pawl__buf_put(out, text.ptr, n);
		buf_lit(out, "\n");
		while (n < text.len && text.ptr[n] == ' ')
			n++;
		text = (struct str){ text.ptr + n, text.len - n };
		first = false;
	}
}

static void draw(const struct trace *t, uint32_t sessions, struct buf *out)
{
	const size_t width = WIDTH_ALL / sessions;
	char number[32];

	spaces(out, 6);
	for (uint32_t s = 0; s < sessions; s++) {
		const int n = snprintf(number, sizeof(number), "session %u", s + 1);

		pawl__buf_put(out, number, (size_t)n);
		if (s + 1 < sessions)
			spaces(out, width - (size_t)n);
	}
	buf_lit(out, "\n");
	for (uint32_t i = 0; i < t->len; i++) {
		const struct builtin_lane_step *step = &t->steps[i];
		const size_t indent = 6 + step->session * width;
		char text[LANE_TEXT_MAX + 64];
		int n;

		(void)snprintf(number, sizeof(number), "%4u  ", i + 1);
		buf_str(out, pawl__str_of(number));
		spaces(out, indent - 6);
		if (step->waits)
			n = snprintf(text, sizeof(text), "%s [waited until %u]", step->text,
			             step->answered + 1);
		else
			n = snprintf(text, sizeof(text), "%s", step->text);
		draw_text(out, (struct str){ text, (size_t)n }, indent, width - 3);
	}
}

void pawl__trace_keep(const struct trace *t, struct builtin_exploration *x, struct arena *arena)
{
	uint32_t sessions = 1;
	struct buf out;

	for (uint32_t i = 0; i < t->len; i++) {
		if (t->steps[i].session >= sessions)
			sessions = t->steps[i].session + 1;
		x->lane[i] = t->steps[i];
		x->lane[i].text = pawl__arena_str(arena, pawl__str_of(t->texts[i])).ptr;
	}
	x->lane_len = t->len;
	pawl__buf_init(&out, DRAWING_MAX);
	draw(t, sessions, &out);
	x->lane_text = pawl__arena_str(arena, buf_get(&out)).ptr;
	pawl__buf_deinit(&out);
}
