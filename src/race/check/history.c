/* SPDX-License-Identifier: Apache-2.0 */
#include "race/check/history.h"

#include <stdlib.h>

#define LIST_SHOWN 12  /* elements at either end of a long list */
#define TEXT_SHOWN 200 /* bytes of a long text */

void pawl__history_free(struct history *h)
{
	if (h == NULL)
		return;
	free(h->inv);
	free(h->ret);
	free(h->mop_first);
	free(h->mop_len);
	free(h->process);
	free(h->line);
	free(h->type);
	free(h->f);
	free(h->time);
	free(h->ret_time);
	free(h->event);
	free(h->mop_f);
	free(h->mop_key);
	free(h->mop_val);
	free(h->mop_list);
	free(h->key);
	free(h->list);
	free(h->apart);
	free(h->process_name);
	free(h->name);
	pawl__arena_deinit(&h->arena);
	free(h);
}

const char *pawl__history_f_name(enum history_f f)
{
	static const char *const names[HF_LEN] = {
		[HF_OTHER] = "other",       [HF_TXN] = "txn",        [HF_READ] = "r",
		[HF_WRITE] = "w",           [HF_APPEND] = "append",  [HF_CAS] = "cas",
		[HF_CAS_TO] = "cas-to",     [HF_PUT] = "put",        [HF_ADD] = "add",
		[HF_TRANSFER] = "transfer", [HF_TRANSFER_TO] = "to", [HF_ACQUIRE] = "acquire",
		[HF_RELEASE] = "release",
	};

	PRE(f < HF_LEN);
	return names[f];
}

const char *pawl__history_type_name(enum history_type t)
{
	return t == HT_OK ? "ok" : t == HT_FAIL ? "fail" : "info";
}

static void put(struct buf *to, const char *s)
{
	buf_str(to, pawl__str_of(s));
}

/* Texts come from anywhere: what is no visible ASCII is escaped, so that they can't play with a
 * terminal. */
static void put_text(struct buf *to, struct str s)
{
	static const char hex[] = "0123456789abcdef";
	const size_t len = s.len > TEXT_SHOWN ? TEXT_SHOWN : s.len;

	for (size_t i = 0; i < len; i++) {
		const unsigned char c = (unsigned char)s.ptr[i];

		if (c == '"' || c == '\\') {
			pawl__buf_putc(to, '\\');
			pawl__buf_putc(to, (char)c);
		} else if (c >= 0x20 && c < 0x7f) {
			pawl__buf_putc(to, (char)c);
		} else {
			buf_lit(to, "\\x");
			pawl__buf_putc(to, hex[c >> 4]);
			pawl__buf_putc(to, hex[c & 15]);
		}
	}
	if (len < s.len)
		buf_lit(to, "..");
}

void pawl__history_value(const struct history *h, int64_t v, struct buf *to)
{
	const struct history_name *name;

	if (value_is_nil(v)) {
		buf_lit(to, "nil");
		return;
	}
	if (value_is_int(v)) {
		pawl__buf_i64(to, v);
		return;
	}
	name = &h->name[(uint32_t)(v - (INT64_MIN + 1))];
	if (name->kind == NAME_STRING)
		pawl__buf_putc(to, '"');
	if (name->kind == NAME_KEYWORD)
		pawl__buf_putc(to, ':');
	put_text(to, name->text);
	if (name->kind == NAME_STRING)
		pawl__buf_putc(to, '"');
}

static void put_list(const struct history *h, uint32_t m, struct buf *to)
{
	uint32_t len;
	const int64_t *at = history_list_at(h, m, &len);

	pawl__buf_putc(to, '[');
	for (uint32_t i = 0; i < len; i++) {
		if (i == LIST_SHOWN && len > 2 * LIST_SHOWN) {
			buf_lit(to, " ..");
			i = len - LIST_SHOWN;
		}
		if (i > 0)
			pawl__buf_putc(to, ' ');
		pawl__history_value(h, at[i], to);
	}
	pawl__buf_putc(to, ']');
}

static void put_operand(const struct history *h, uint32_t m, struct buf *to)
{
	if (history_is_list(h, m))
		put_list(h, m, to);
	else
		pawl__history_value(h, h->mop_val[m], to);
}

/* [:append 5 1] */
static void put_mop(const struct history *h, uint32_t m, struct buf *to)
{
	buf_lit(to, "[:");
	put(to, pawl__history_f_name((enum history_f)h->mop_f[m]));
	pawl__buf_putc(to, ' ');
	if (!value_is_nil(h->key[h->mop_key[m]])) {
		pawl__history_value(h, h->key[h->mop_key[m]], to);
		pawl__buf_putc(to, ' ');
	}
	put_operand(h, m, to);
	pawl__buf_putc(to, ']');
}

void pawl__history_op(const struct history *h, uint32_t op, struct buf *to)
{
	const uint32_t first = h->mop_first[op], len = h->mop_len[op];
	const int64_t process = h->process_name[h->process[op]];

	buf_lit(to, "{:");
	put(to, pawl__history_type_name((enum history_type)h->type[op]));
	if (!value_is_nil(process)) {
		buf_lit(to, " process ");
		pawl__history_value(h, process, to);
	}
	buf_lit(to, " line ");
	pawl__buf_u64(to, h->line[op]);
	buf_lit(to, ",");
	if (len == 0) {
		buf_lit(to, " :");
		put(to, pawl__history_f_name((enum history_f)h->f[op]));
	}
	for (uint32_t i = 0; i < len; i++) {
		if (i == LIST_SHOWN && len > 2 * LIST_SHOWN) {
			buf_lit(to, " ..");
			i = len - LIST_SHOWN;
		}
		pawl__buf_putc(to, ' ');
		put_mop(h, first + i, to);
	}
	pawl__buf_putc(to, '}');
}
