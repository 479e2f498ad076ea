/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scenario file from anybody. It is read or refused at a place in it; what was read has the
 * promised shape, and its requests can be made or cannot, but never crash. The starter file of any
 * URL is a scenario.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "race/scenario/report.h"
#include "race/scenario/round.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CLIENTS_FEW 64

static void requests(const struct scenario *s, struct arena *arena)
{
	struct capture_value *none = arena_array(arena, struct capture_value, NAMES_MAX);
	const struct dealt *d = pawl__deal(s, 1, 1, 1, arena);

	if (d == NULL || none == NULL)
		return;
	for (uint32_t c = 0; c < s->clients && c < CLIENTS_FEW; c++) {
		const struct scope scope = { .names = &s->names,
			                     .client = d[c].leader,
			                     .round = 1,
			                     .number = 1,
			                     .random = 1,
			                     .of_round = none,
			                     .of_client = none };
		struct pawl_error err;
		struct built b;

		INVARIANT(d[c].step >= s->requests && d[c].step < s->requests + s->requests_len);
		if (pawl__request_build(d[c].step, &scope, d[c].key, arena, &b, &err) != PAWL_OK)
			continue;
		INVARIANT(b.path.len > 0 && b.path.ptr[0] == '/');
		for (size_t i = 0; i < b.request.fields_len; i++)
			INVARIANT(memchr(b.request.fields[i].value.ptr, '\n',
			                 b.request.fields[i].value.len) == NULL);
		if (d[c].step->json_body) {
			json_t *doc = json_loadb(b.sent.ptr, b.sent.len, JSON_DECODE_ANY, NULL);

			INVARIANT(doc != NULL || b.sent.len == 0);
			json_decref(doc);
		}
	}
}

static void scenario(struct str yaml)
{
	struct scenario *s = NULL;
	struct pawl_error err;
	struct arena arena;

	pawl__arena_init(&arena, 4096, (size_t)64 << 20);
	if (pawl__scenario_parse(yaml, &arena, &s, &err) == PAWL_OK) {
		INVARIANT(s->clients >= 1 && s->clients <= SCENARIO_CLIENTS_MAX);
		INVARIANT(s->requests_len >= 1 && s->requests_len <= SCENARIO_REQUESTS_MAX);
		INVARIANT(s->expects_len >= 1 && s->expects_len <= SCENARIO_EXPECT_MAX);
		requests(s, &arena);
	} else {
		INVARIANT(err.status == PAWL_E_CONFIG || err.status == PAWL_E_NOMEM);
		INVARIANT(err.text[0] != '\0' && memchr(err.text, '\n', strlen(err.text)) == NULL);
	}
	pawl__arena_deinit(&arena);
}

static void starter(struct str url)
{
	struct buf b;

	if (!pawl__str_visible(url, 1024, true))
		return;
	pawl__buf_init(&b, REPORT_BYTES_MAX);
	pawl__race_starter(url, &b);
	scenario(buf_get(&b));
	pawl__buf_deinit(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct str input = { (const char *)data, size };

	scenario(input);
	starter(input);
	return 0;
}
