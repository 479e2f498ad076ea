/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments of operations: checked at the door, copied into the transaction. */
#include "api/api.h"

#include <stdlib.h>

#include "api/canon.h"
#include "base/assert.h"
#include "base/error.h"
#include "base/id.h"

static_assert(PAWL_ID_TEXT_SIZE == ID_TEXT_LEN + 1, "text form of a number and its NUL");

struct str pawl__text(const char *s, size_t max)
{
	return s == NULL ? STR_NONE : (struct str){ s, strnlen(s, max + 1) };
}

void pawl__adding_refuse(struct adding *add, enum pawl_status st, const char *what, const char *why)
{
	if (add->st != PAWL_OK)
		return;
	add->st = pawl__error_set(&add->tx->err, st, "operation %u (%s): %s %s",
	                          add->tx->tx.ops_len, pawl__op_name(add->op.kind), what, why);
}

static bool ops_grow(struct pawl_tx *tx)
{
	const uint32_t cap = tx->ops_cap == 0 ? TX_OPS_FIRST : tx->ops_cap * 2;
	struct op *ops = realloc(tx->ops, cap * sizeof(*ops));

	if (ops == NULL)
		return false;
	tx->ops = ops;
	tx->ops_cap = cap;
	return true;
}

struct adding pawl__adding(struct pawl_tx *tx, enum op_kind kind, bool alone)
{
	struct adding add = { .tx = tx, .op = { .kind = kind } };

	PRE(tx != NULL);
	if (atomic_load(&tx->in_flight)) {
		add.st =
			PAWL_E_INVALID; /* the object is the lane's: nothing may be written to it */
		return add;
	}
	add.st = tx->err.status;
	if (tx->tx.ops_len > 0 && (alone || tx->alone))
		pawl__adding_refuse(&add, PAWL_E_INVALID, "this operation",
		                    "stands alone in its transaction");
	if (tx->tx.ops_len >= PAWL_OPS_MAX)
		pawl__adding_refuse(&add, PAWL_E_INVALID, "the transaction",
		                    "has too many operations");
	if (add.st == PAWL_OK && tx->tx.ops_len == tx->ops_cap && !ops_grow(tx))
		pawl__adding_refuse(&add, PAWL_E_NOMEM, "the transaction", "got no memory");
	if (add.st == PAWL_OK)
		tx->alone = alone;
	return add;
}

enum pawl_status pawl__added(struct adding *add)
{
	struct pawl_tx *tx = add->tx;

	if (add->st == PAWL_OK)
		tx->ops[tx->tx.ops_len++] = add->op;
	return add->st;
}

static struct str arg_copy(struct adding *add, const char *what, struct str s)
{
	struct arena *a = &add->tx->arena;
	const bool room = a->used + s.len + a->block_len <= a->max;
	const struct str copy = pawl__arena_str(a, s);

	if (copy.ptr == NULL && room)
		pawl__adding_refuse(add, PAWL_E_NOMEM, what, "got no memory");
	else if (copy.ptr == NULL)
		pawl__adding_refuse(add, PAWL_E_INVALID, what, "makes the transaction too long");
	return copy;
}

static struct str arg_visible(struct adding *add, const char *what, const char *s, size_t max,
                              const char *why)
{
	const struct str text = pawl__text(s, max);

	if (add->st != PAWL_OK)
		return STR_NONE;
	if (!pawl__str_visible(text, max, false)) {
		pawl__adding_refuse(add, PAWL_E_INVALID, what, why);
		return STR_NONE;
	}
	return arg_copy(add, what, text);
}

struct str pawl__arg_id(struct adding *add, const char *what, const char *id)
{
	return arg_visible(add, what, id, PAWL_ID_MAX,
	                   "must be 1 to 128 visible ASCII bytes without '/'");
}

struct str pawl__arg_unit(struct adding *add, const char *what, const char *unit)
{
	return arg_visible(add, what, unit, PAWL_UNIT_MAX,
	                   "must be 1 to 64 visible ASCII bytes without '/'");
}
static_assert(PAWL_ID_MAX == 128 && PAWL_UNIT_MAX == 64, "the texts above name them");

struct str pawl__arg_json(struct adding *add, const char *what, const char *json, size_t max)
{
	const struct str text = pawl__text(json, PAWL_BODY_MAX);
	struct buf *b = &add->tx->text;
	const char *why = "got no memory";
	enum pawl_status st;

	if (add->st != PAWL_OK)
		return STR_NONE;
	pawl__buf_reset(b);
	st = pawl__canon_json(text, max, b, &why);
	if (st != PAWL_OK) {
		pawl__adding_refuse(add, st, what, why);
		return STR_NONE;
	}
	return arg_copy(add, what, buf_get(b));
}

int64_t pawl__arg_between(struct adding *add, const char *what, int64_t v, int64_t min, int64_t max)
{
	if (v < min)
		pawl__adding_refuse(add, PAWL_E_INVALID, what, "is too small");
	else if (v > max)
		pawl__adding_refuse(add, PAWL_E_INVALID, what, "is too large");
	else
		return v;
	return min;
}

int64_t pawl__arg_number(struct adding *add, const char *what, const char *id)
{
	int64_t number = 0;

	if (!pawl__id_parse(pawl__text(id, ID_TEXT_LEN), &number))
		pawl__adding_refuse(add, PAWL_E_INVALID, what, "must be an id as it was answered");
	return number;
}
