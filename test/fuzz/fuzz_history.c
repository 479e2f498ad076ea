/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a history: the first byte says in which format (0: to be detected), the second and
 * third what it is checked for, the rest is the file, in memory of exactly its length and slack.
 * What must hold:
 *  - what is refused has a text, what is accepted has an operation or a nemesis;
 *  - every index of an accepted history is within its columns, events and rows agree;
 *  - it can be printed, and read a second time it gives the same rows;
 *  - whatever the model, a checker says something that its own promises allow, twice the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "race/check/check.h"
#include "race/check/explain.h"
#include "race/check/report.h"

#define INPUT_MAX 20000
#define STEPS     20000
#define HEAD      3 /* bytes before the file */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct history *load(const uint8_t *data, size_t size, const struct history_options *o)
{
	struct history *h = NULL;
	struct pawl_error err = { 0 };
	char *bytes = calloc(1, size + HISTORY_SLACK);
	enum pawl_status st;

	INVARIANT(bytes != NULL);
	memcpy(bytes, data, size);
	st = pawl__history_read(bytes, size, o, &h, &err);
	INVARIANT((st == PAWL_OK) == (h != NULL));
	INVARIANT(st == PAWL_OK || err.text[0] != '\0');
	INVARIANT(st != PAWL_E_NOMEM);
	free(bytes);
	return h;
}

static void check_value(const struct history *h, int64_t v)
{
	if (value_is_name(v))
		INVARIANT((uint64_t)(v - (INT64_MIN + 1)) < h->names_len);
}

static void check_mop(const struct history *h, uint32_t m)
{
	const int64_t *at;
	uint32_t len;

	INVARIANT(h->mop_f[m] < HF_LEN && h->mop_key[m] < h->keys_len);
	if (!history_is_list(h, m)) {
		check_value(h, h->mop_val[m]);
		return;
	}
	INVARIANT(h->mop_f[m] == HF_READ);
	INVARIANT(history_is_prefix(h, m) ? h->mop_val[m] <= h->list[h->mop_key[m]].len
	                                  : -1 - h->mop_val[m] < h->apart_len);
	at = history_list_at(h, m, &len);
	for (uint32_t i = 0; i < len; i++)
		check_value(h, at[i]);
}

static void check_row(const struct history *h, uint32_t i)
{
	const bool completed = h->ret[i] != HISTORY_NEVER;

	INVARIANT(h->type[i] <= HT_INFO && h->f[i] < HF_LEN);
	INVARIANT(h->process[i] < h->processes_len && h->line[i] > 0);
	INVARIANT(h->inv[i] < h->events_len && h->event[h->inv[i]] >> 1 == i);
	INVARIANT(completed == (h->type[i] != HT_INFO));
	INVARIANT((uint64_t)h->mop_first[i] + h->mop_len[i] <= h->mops_len);
	if (completed) {
		INVARIANT(h->inv[i] <= h->ret[i] && h->ret[i] < h->events_len);
		INVARIANT(h->event[h->ret[i]] == (i << 1 | 1));
	}
	if (i > 0)
		INVARIANT(h->inv[i - 1] <= h->inv[i]);
	for (uint32_t m = h->mop_first[i]; m < h->mop_first[i] + h->mop_len[i]; m++)
		check_mop(h, m);
}

static void check_history(const struct history *h, struct buf *text)
{
	INVARIANT(h->init_op == HISTORY_NONE || h->init_op < h->ops_len);
	for (uint32_t e = 0; e < h->events_len; e++)
		INVARIANT(h->event[e] >> 1 < h->ops_len);
	for (uint32_t k = 0; k < h->keys_len; k++)
		check_value(h, h->key[k]);
	for (uint32_t i = 0; i < h->ops_len; i++) {
		check_row(h, i);
		pawl__history_op(h, i, text);
		pawl__buf_putc(text, '\n');
	}
	for (size_t i = 0; i < text->len; i++)
		INVARIANT(text->data[i] == '\n' || (text->data[i] >= 0x20 && text->data[i] < 0x7f));
}

static void check_witness(const struct history *h, const struct check_witness *w)
{
	INVARIANT(w->steps_len > 0 && (w->cycle || w->text != NULL));
	for (uint32_t i = 0; i < w->steps_len; i++) {
		const struct check_step *s = &w->steps[i];

		INVARIANT(s->op < h->ops_len);
		INVARIANT(!w->cycle || s->edge != EDGE_NONE);
		INVARIANT(s->key == HISTORY_NONE || s->key < h->keys_len);
		INVARIANT(s->edge != EDGE_VISIBLE || s->by == HISTORY_NONE || s->by < h->ops_len);
	}
}

static void check_anomalies(const struct history *h, const struct check_result *r)
{
	uint32_t forbidden = 0;

	for (uint32_t i = 0; i < r->anomalies_len; i++) {
		const struct check_anomaly *a = &r->anomalies[i];

		INVARIANT(a->count >= a->witnesses_len && a->count > 0);
		INVARIANT(a->witnesses_len <= CHECK_WITNESSES_MAX);
		INVARIANT(i == 0 || strcmp(r->anomalies[i - 1].name, a->name) < 0);
		forbidden += !a->permitted;
		for (uint32_t k = 0; k < a->witnesses_len; k++)
			check_witness(h, &a->witnesses[k]);
	}
	INVARIANT((r->verdict == VERDICT_INVALID) == (forbidden > 0));
	INVARIANT((r->verdict == VERDICT_UNKNOWN) == (r->unknown != NULL));
	INVARIANT((r->not &r->also_not) == 0);
}

static void judge(const struct history *h, const struct check_options *o, struct buf *text)
{
	struct check_result r;
	struct pawl_error err = { 0 };
	enum pawl_status st;

	pawl__check_result_init(&r);
	st = pawl__check_run(h, o, &r, &err);
	INVARIANT(st == PAWL_OK || (st != PAWL_E_NOMEM && err.text[0] != '\0'));
	if (st == PAWL_OK) {
		check_anomalies(h, &r);
		pawl__explain_result(h, o, &r, text);
		pawl__report_begin(text);
		pawl__report_history("a<b", h, o, &r, text);
		pawl__report_end(text);
	} else {
		buf_str(text, pawl__str_of(err.text));
	}
	pawl__check_result_deinit(&r);
}

static void check_models(const struct history *h, const uint8_t *head)
{
	struct check_options o;
	struct buf first, second;

	pawl__check_options_init(&o, (enum check_model)(head[1] % MODEL_LEN));
	o.level = (enum level)(head[2] % LEVEL_LEN);
	o.mode = (head[0] & 0x40) != 0 ? MODE_ETCD : MODE_KNOSSOS;
	o.sequential_keys = (head[0] & 0x20) != 0;
	o.linearizable_keys = (head[0] & 0x10) != 0;
	o.wfr_keys = (head[1] & 0x80) != 0;
	o.linearizable = (head[1] & 0x40) != 0;
	o.steps = STEPS;
	pawl__buf_init(&first, 1U << 28);
	pawl__buf_init(&second, 1U << 28);
	judge(h, &o, &first);
	judge(h, &o, &second);
	INVARIANT(str_eq(buf_get(&first), buf_get(&second)));
	pawl__buf_deinit(&first);
	pawl__buf_deinit(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct history_options o = { 0 };
	struct history *h, *again;
	struct buf first, second;

	if (size < HEAD || size > INPUT_MAX)
		return 0;
	o.format = (enum history_format)((data[0] & 0xf) % (HISTORY_DBCOP + 1));
	o.lists = (data[0] & 0x80) != 0 ? HISTORY_LISTS_OPAQUE : HISTORY_LISTS_AUTO;
	h = load(data + HEAD, size - HEAD, &o);
	if (h == NULL)
		return 0;
	pawl__buf_init(&first, 1U << 28);
	pawl__buf_init(&second, 1U << 28);
	check_history(h, &first);
	again = load(data + HEAD, size - HEAD, &o);
	INVARIANT(again != NULL);
	check_history(again, &second);
	INVARIANT(str_eq(buf_get(&first), buf_get(&second)));
	check_models(h, data);
	pawl__history_free(h);
	pawl__history_free(again);
	pawl__buf_deinit(&first);
	pawl__buf_deinit(&second);
	return 0;
}
