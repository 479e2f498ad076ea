/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON decoder: the first byte chooses the form, the rest is the body.
 *
 * It never crashes or reads past the body. What it accepts it accepts again, as the same request,
 * with other white space between the tokens.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/rng.h"
#include "pawl/limits.h"
#include "server/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ARENA_MAX ((size_t)64 << 20)
#define CANON_MAX ((size_t)16 << 20)

struct work {
	struct arena arena;
	struct decoder d;
	struct op_draft one;
	struct tx tx;
	struct buf canon;
};

static enum pawl_status decode(struct work *w, struct buf *scratch, const struct form *form,
                               struct str body)
{
	enum pawl_status st;

	memset(w, 0, sizeof(*w));
	pawl__arena_init(&w->arena, 4096, ARENA_MAX);
	pawl__buf_init(&w->canon, CANON_MAX);
	pawl__decode_init(&w->d, &w->arena, scratch);
	st = pawl__decode_body(&w->d, form, body, &w->one, &w->tx);
	if (st == PAWL_OK) {
		pawl__tx_canonical(&w->tx, &w->canon);
		INVARIANT(!w->canon.overflow);
	} else {
		INVARIANT(w->d.detail != NULL);
	}
	return st;
}

static void work_end(struct work *w)
{
	pawl__buf_deinit(&w->canon);
	pawl__arena_deinit(&w->arena);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Does a space before c part two tokens, or would it cut one? */
static bool may_part(char before, char c)
{
	return before == '\0' || strchr("[]{},:", before) != NULL || strchr("[]{},:", c) != NULL;
}

/* The same tokens with other white space between them. body is valid JSON. */
static void respace(struct str body, struct buf *out)
{
	static const char spaces[] = " \t\r\n";
	struct rng rng;
	bool in_string = false;
	char before = '\0';

	rng_init(&rng, body.len);
	for (size_t i = 0; i < body.len; i++) {
		const char c = body.ptr[i];

		if (!in_string && is_space(c))
			continue;
		if (!in_string && may_part(before, c) && pawl__rng_below(&rng, 3) == 0)
			pawl__buf_putc(out, spaces[pawl__rng_below(&rng, 4)]);
		if (c == '"')
			in_string = !in_string;
		pawl__buf_putc(out, c);
		before = c;
		if (in_string && c == '\\' && i + 1 < body.len)
			pawl__buf_putc(out, body.ptr[++i]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char mem[DECODE_SCRATCH];
	const struct form *form;
	struct buf scratch, respaced;
	struct str body;
	struct work a, b;

	if (size == 0 || size > PAWL_BODY_MAX)
		return 0;
	form = pawl__form((enum form_id)(data[0] % FORMS));
	body = (struct str){ (const char *)data + 1, size - 1 };
	pawl__buf_init_fixed(&scratch, mem, sizeof(mem));
	if (decode(&a, &scratch, form, body) == PAWL_OK && form->body != BODY_NONE) {
		pawl__buf_init(&respaced, 2 * PAWL_BODY_MAX);
		respace(body, &respaced);
		INVARIANT(decode(&b, &scratch, form, buf_get(&respaced)) == PAWL_OK);
		INVARIANT(str_eq(buf_get(&a.canon), buf_get(&b.canon)));
		work_end(&b);
		pawl__buf_deinit(&respaced);
	}
	work_end(&a);
	return 0;
}
