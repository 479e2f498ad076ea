/* SPDX-License-Identifier: Apache-2.0 */
#include "server/decode.h"

#include "api/canon.h"
#include "base/assert.h"
#include "base/id.h"
#include "base/num.h"
#include "core/answer.h"
#include "pawl/limits.h"
#include "server/json_heap.h"

#define MEMBER_NAME_SHOWN 128 /* longer unknown names are pointed at by their object */

void pawl__decode_init(struct decoder *d, struct arena *arena, struct buf *scratch)
{
	d->arena = arena;
	d->scratch = scratch;
	d->json = NULL;
	d->status = PAWL_OK;
	d->detail = NULL;
	pawl__buf_init_fixed(&d->pointer, d->pointer_mem, sizeof(d->pointer_mem));
}

/* All return whether decoding may go on; the pointer stays where the first refusal left it. */

static bool refuse(struct decoder *d, const char *detail)
{
	d->status = PAWL_E_INVALID;
	d->detail = detail;
	return false;
}

static bool out_of_memory(struct decoder *d)
{
	d->status = PAWL_E_NOMEM;
	d->detail = "out of memory; nothing was done";
	return false;
}

static size_t pointer_push(struct decoder *d, const char *name)
{
	const size_t at = d->pointer.len;

	pawl__buf_putc(&d->pointer, '/');
	for (const char *p = name; *p != '\0'; p++) {
		if (*p == '~')
			buf_lit(&d->pointer, "~0");
		else if (*p == '/')
			buf_lit(&d->pointer, "~1");
		else
			pawl__buf_putc(&d->pointer, *p);
	}
	return at;
}

static size_t pointer_push_index(struct decoder *d, size_t i)
{
	const size_t at = d->pointer.len;

	pawl__buf_putc(&d->pointer, '/');
	pawl__buf_u64(&d->pointer, i);
	return at;
}

static void pointer_pop(struct decoder *d, size_t at)
{
	d->pointer.len = at;
}

static struct str json_text(const json_t *json)
{
	return (struct str){ json_string_value(json), json_string_length(json) };
}

static bool int_between(struct decoder *d, const struct member *m, int64_t v, int64_t *ret)
{
	if (v < m->min)
		return refuse(d, m->min == 0   ? "must not be negative"
		                 : m->min == 1 ? "must be at least 1"
		                               : "is too small");
	if (v > m->max)
		return refuse(d, "is over the limit");
	INVARIANT(num_mul(v, m->times == 0 ? 1 : m->times, ret));
	return true;
}

static bool read_int(struct decoder *d, const json_t *json, const struct member *m, int64_t *ret)
{
	int64_t v;

	if (json_is_integer(json))
		return int_between(d, m, json_integer_value(json), ret);
	if (!json_is_string(json))
		return refuse(d, "must be an integer");
	if (!pawl__num_parse_i64(json_text(json), &v))
		return refuse(d, "must be an integer of 64 bits in decimal digits");
	return int_between(d, m, v, ret);
}

static bool read_id(struct decoder *d, const json_t *json, size_t max, struct str *ret)
{
	if (!json_is_string(json))
		return refuse(d, "must be a string");
	if (!pawl__str_visible(json_text(json), max, false))
		return refuse(d, json_string_length(json) > max
		                         ? "is too long"
		                         : "must be visible ASCII without '/', not empty");
	*ret = json_text(json);
	return true;
}

static bool read_text(struct decoder *d, const json_t *json, size_t max, struct str *ret)
{
	if (!json_is_string(json))
		return refuse(d, "must be a string");
	if (json_string_length(json) > max)
		return refuse(d, "is too long");
	*ret = json_text(json);
	return true;
}

static bool read_number(struct decoder *d, const json_t *json, int64_t *ret)
{
	if (!json_is_string(json) || !pawl__id_parse(json_text(json), ret))
		return refuse(d, "must be the id of a hold");
	return true;
}

static bool read_bool(struct decoder *d, const json_t *json, bool *ret)
{
	if (!json_is_boolean(json))
		return refuse(d, "must be true or false");
	*ret = json_is_true(json);
	return true;
}

static int canonical_write(const char *data, size_t len, void *arg)
{
	struct buf *b = arg;

	pawl__buf_put(b, data, len);
	return b->overflow ? -1 : 0;
}

static bool keep_scratch(struct decoder *d, struct str *ret)
{
	*ret = pawl__arena_str(d->arena, buf_get(d->scratch));
	return ret->ptr == NULL ? out_of_memory(d) : true;
}

/* The same bytes as pawl__canon_json makes of the text. */
static bool read_json(struct decoder *d, const json_t *json, size_t max, struct str *ret)
{
	int failed;

	pawl__buf_reset(d->scratch);
	failed = json_dump_callback(json, canonical_write, d->scratch,
	                            JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY);
	if (d->scratch->overflow || d->scratch->len > max)
		return refuse(d, "is too long");
	return failed != 0 ? out_of_memory(d) : keep_scratch(d, ret);
}

static bool read_object(struct decoder *d, json_t *json, const struct shape *shape, void *base);

/* The elements of an array of 1 to m->max. */
static bool read_array(struct decoder *d, const json_t *json, const struct member *m, size_t *ret)
{
	if (!json_is_array(json))
		return refuse(d, "must be an array");
	*ret = json_array_size(json);
	if (*ret == 0)
		return refuse(d, "must not be empty");
	return *ret > (size_t)m->max ? refuse(d, "has too many elements") : true;
}

static bool read_lines(struct decoder *d, json_t *json, const struct member *m, struct op *op)
{
	static const struct member members[] = {
		{ "sku", MEMBER_ID, true, 1, PAWL_ID_MAX, 0, offsetof(struct order_line, sku), 0 },
		{ "quantity", MEMBER_INT, true, 1, PAWL_AMOUNT_MAX, 0,
		  offsetof(struct order_line, quantity), 0 },
	};
	static const struct shape shape = { "line", OP_ORDER, false, members, ARRAY_LEN(members) };
	struct order_line *lines;
	size_t len;

	if (!read_array(d, json, m, &len))
		return false;
	lines = arena_array(d->arena, struct order_line, len);
	if (lines == NULL)
		return out_of_memory(d);
	for (size_t i = 0; i < len; i++) {
		const size_t at = pointer_push_index(d, i);

		if (!read_object(d, json_array_get(json, i), &shape, &lines[i]))
			return false;
		pointer_pop(d, at);
	}
	op->u.order.lines = lines;
	op->u.order.lines_len = (uint32_t)len;
	return true;
}

static bool read_pay(struct decoder *d, json_t *json, struct op_draft *one)
{
	static const struct member members[] = {
		{ "from", MEMBER_ID, true, 1, PAWL_ID_MAX, 0,
		  offsetof(struct op_draft, op.u.order.pay_from), 0 },
		{ "to", MEMBER_ID, true, 1, PAWL_ID_MAX, 0,
		  offsetof(struct op_draft, op.u.order.pay_to), 0 },
		{ "amount", MEMBER_INT, true, 1, PAWL_AMOUNT_MAX, 0,
		  offsetof(struct op_draft, op.u.order.pay_amount), 0 },
	};
	static const struct shape shape = { "pay", OP_ORDER, false, members, ARRAY_LEN(members) };

	return read_object(d, json, &shape, one);
}

/* Members that may be absent and do not default to zero. */
static void op_defaults(struct op *op, const struct shape *shape)
{
	op->kind = shape->kind;
	op->is_account = shape->is_account;
	if (shape->kind == OP_ACCOUNT)
		op->u.account.has_floor = true;
	else if (shape->is_account)
		op->u.account.check = true;
	else if (shape->kind == OP_PUT || shape->kind == OP_DELETE)
		op->u.record.if_version = TX_VERSION_ANY;
}

/* "check" has two shapes, told apart by the member that it names its subject with. */
static const struct shape *op_shape(const json_t *json)
{
	const char *name = json_string_value(json_object_get(json, "op"));
	const bool by_account = json_object_get(json, "account") != NULL;
	const struct shape *shapes;
	size_t len;

	shapes = pawl__form_ops(&len);
	for (size_t i = 0; name != NULL && i < len; i++) {
		const struct shape *s = &shapes[i];

		if (strcmp(s->name, name) == 0 &&
		    (s->kind != OP_CHECK || s->is_account == by_account))
			return s;
	}
	return NULL;
}

static bool read_op(struct decoder *d, json_t *json, struct op *op)
{
	const struct shape *shape;

	if (!json_is_object(json))
		return refuse(d, "must be an object");
	shape = op_shape(json);
	if (shape == NULL) {
		(void)pointer_push(d, "op");
		return refuse(d, "must name an operation: transfer, hold, capture, release, put, "
		                 "delete, check, emit, enqueue or fence");
	}
	op_defaults(op, shape);
	return read_object(d, json, shape, op);
}

static bool read_ops(struct decoder *d, json_t *json, const struct member *m, struct tx *tx)
{
	struct op *ops;
	size_t len;

	if (!read_array(d, json, m, &len))
		return false;
	ops = arena_array(d->arena, struct op, len);
	if (ops == NULL)
		return out_of_memory(d);
	for (size_t i = 0; i < len; i++) {
		const size_t at = pointer_push_index(d, i);

		if (!read_op(d, json_array_get(json, i), &ops[i]))
			return false;
		pointer_pop(d, at);
	}
	tx->ops = ops;
	tx->ops_len = (uint32_t)len;
	return true;
}

/* base: what the offsets of the shape are in; of MEMBER_OPS, the struct tx itself. */
static bool read_member(struct decoder *d, json_t *json, const struct member *m, void *base)
{
	void *at = (char *)base + m->at;

	if (m->flag_at != 0)
		*(bool *)((char *)base + m->flag_at) = !json_is_null(json);
	switch (m->kind) {
	case MEMBER_ID:
		return read_id(d, json, (size_t)m->max, at);
	case MEMBER_TEXT:
		return read_text(d, json, (size_t)m->max, at);
	case MEMBER_INT_NULL:
		return json_is_null(json) || read_int(d, json, m, at);
	case MEMBER_INT:
		return read_int(d, json, m, at);
	case MEMBER_NUMBER:
		return read_number(d, json, at);
	case MEMBER_BOOL:
		return read_bool(d, json, at);
	case MEMBER_JSON:
		return read_json(d, json, (size_t)m->max, at);
	case MEMBER_LINES:
		return read_lines(d, json, m, base);
	case MEMBER_PAY:
		return read_pay(d, json, base);
	case MEMBER_OPS:
		return read_ops(d, json, m, base);
	case MEMBER_NAME:
		return true;
	}
	UNREACHABLE();
}

static const struct member *shape_find(const struct shape *shape, const char *name)
{
	for (size_t i = 0; i < shape->members_len; i++) {
		if (strcmp(shape->members[i].name, name) == 0)
			return &shape->members[i];
	}
	return NULL;
}

static bool refuse_unknown(struct decoder *d, const char *name)
{
	if (strlen(name) <= MEMBER_NAME_SHOWN)
		(void)pointer_push(d, name);
	return refuse(d, "is not a member that is known here");
}

static bool read_object(struct decoder *d, json_t *json, const struct shape *shape, void *base)
{
	const char *name;
	json_t *value;
	uint32_t seen = 0;

	if (!json_is_object(json))
		return refuse(d, "must be an object");
	json_object_foreach(json, name, value)
	{
		const struct member *m = shape_find(shape, name);
		size_t at;

		if (m == NULL)
			return refuse_unknown(d, name);
		seen |= 1U << (m - shape->members);
		at = pointer_push(d, name);
		if (!read_member(d, value, m, base))
			return false;
		pointer_pop(d, at);
	}
	for (size_t i = 0; i < shape->members_len; i++) {
		if (!shape->members[i].required || (seen & 1U << i) != 0)
			continue;
		(void)pointer_push(d, shape->members[i].name);
		return refuse(d, "is required");
	}
	return true;
}

static const char *parse_detail(const json_error_t *error)
{
	static const struct {
		enum json_error_code code;
		const char *detail;
	} rows[] = {
		{ json_error_duplicate_key, "a member is given twice" },
		{ json_error_numeric_overflow, "a number is out of range" },
		{ json_error_null_character, "a string holds the character U+0000" },
		{ json_error_null_byte_in_key, "a member's name holds the character U+0000" },
		{ json_error_invalid_utf8, "the body is not UTF-8" },
		{ json_error_premature_end_of_input, "the JSON value is cut off" },
		{ json_error_end_of_input_expected, "there is more than one JSON value" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].code == json_error_code(error))
			return rows[i].detail;
	}
	return "the body is not JSON";
}

static bool parse(struct decoder *d, struct str body)
{
	json_error_t error;

	/* The parser loses a NUL behind a number. */
	if (body.len > 0 && memchr(body.ptr, '\0', body.len) != NULL)
		return refuse(d, "the body is not JSON");
	/* Before the parser, which recurses. */
	if (!pawl__canon_depth_ok(body, PAWL_JSON_DEPTH_MAX))
		return refuse(d, "the JSON value nests too deep");
	d->json = json_loadb(body.ptr == NULL ? "" : body.ptr, body.len,
	                     JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (d->json != NULL)
		return true;
	if (d->arena->failed || json_error_code(&error) == json_error_out_of_memory)
		return out_of_memory(d);
	return refuse(d, parse_detail(&error));
}

static bool order_body(struct decoder *d, struct op_draft *one)
{
	pawl__buf_reset(d->scratch);
	pawl__json_order_body(d->scratch, &one->op, one->has_customer ? one->customer : STR_NONE);
	INVARIANT(!d->scratch->overflow);
	return keep_scratch(d, &one->op.u.order.body);
}

static bool nothing_required(const struct shape *shape)
{
	for (size_t i = 0; i < shape->members_len; i++) {
		if (shape->members[i].required)
			return false;
	}
	return true;
}

static bool read_body(struct decoder *d, const struct form *form, struct str body,
                      struct op_draft *one, struct tx *tx)
{
	if (form->body == BODY_NONE)
		return true;
	if (form->body == BODY_VALUE)
		return parse(d, body) &&
		       read_json(d, d->json, PAWL_VALUE_MAX, &one->op.u.record.value);
	if (body.len == 0)
		return nothing_required(&form->shape) ? true : refuse(d, "a body is required");
	if (!parse(d, body))
		return false;
	if (form->answer == TX_FORM_TX)
		return read_object(d, d->json, &form->shape, tx);
	return read_object(d, d->json, &form->shape, one) &&
	       (form->shape.kind != OP_ORDER || order_body(d, one));
}

enum pawl_status pawl__decode_body(struct decoder *d, const struct form *form, struct str body,
                                   struct op_draft *one, struct tx *tx)
{
	const int64_t if_version = one->op.u.record.if_version;

	tx->form = form->answer;
	tx->http_created = form->http_created;
	tx->ops = &one->op;
	tx->ops_len = 1;
	if (form->answer != TX_FORM_TX)
		op_defaults(&one->op, &form->shape);
	if (form->body != BODY_OBJECT)
		one->op.u.record.if_version = if_version;
	pawl__json_heap_use(d->arena);
	(void)read_body(d, form, body, one, tx);
	pawl__json_heap_use(NULL);
	return d->status;
}
