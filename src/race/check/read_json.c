/* SPDX-License-Identifier: Apache-2.0 */
#include "base/num.h"
#include "race/check/formats.h"
#include "race/check/json.h"

static const char *list(struct builder *b, const char *p, uint32_t key, bool ok)
{
	struct list_reader r;
	const char *last;
	bool first;

	p = json_space(p + 1);
	if (!pawl__builder_list_begin(b, &r, key, ok, &p))
		return NULL;
	first = r.matched == 0;
	last = p;
	for (;; first = false) {
		int64_t v;

		p = pawl__json_next(b, p, ']', first);
		if (p == NULL)
			return NULL;
		if (*p == ']')
			break;
		p = pawl__json_scalar(b, p, &v);
		if (p == NULL || !builder_list_push(b, &r, v))
			return NULL;
		last = p;
	}
	return pawl__builder_list_end(b, &r, last) ? p + 1 : NULL;
}

static const char *operand(struct builder *b, const char *p, enum history_f f, uint32_t key,
                           bool ok)
{
	int64_t v;

	if (f == HF_READ && *p == '[' && b->lists == HISTORY_LISTS_AUTO)
		return list(b, p, key, ok);
	p = pawl__json_scalar(b, p, &v);
	return p != NULL && builder_mop(b, f, key, v) ? p : NULL;
}

/* "r", and ":r" as some exports have it. */
static struct str mop_word(struct builder *b, const char *p, const char **ret_end)
{
	struct str t = pawl__json_raw(b, p, ret_end);

	if (t.len > 0 && t.ptr[0] == ':') {
		t.ptr++;
		t.len--;
	}
	return t;
}

static const char *mop(struct builder *b, const char *p, bool ok)
{
	const char *begin = p;
	enum history_f f;
	uint32_t key;
	int64_t v;

	if (*p != '[')
		return pawl__json_error(b, p, "a transaction is an array of [f, key, value]");
	p = json_space(p + 1);
	f = pawl__builder_mop_f(mop_word(b, p, &p));
	if (b->error == NULL && f == HF_OTHER)
		return pawl__json_error(b, begin, "a transaction's operations are r, w and append");
	p = b->error != NULL ? NULL : pawl__json_next(b, p, ']', false);
	if (p != NULL && *p == ']')
		return pawl__json_error(b, begin, "a micro-operation has no key");
	p = p == NULL ? NULL : pawl__json_scalar(b, p, &v);
	p = p == NULL ? NULL : pawl__json_next(b, p, ']', false);
	if (p == NULL)
		return NULL;
	key = builder_key(b, v);
	if (*p == ']')
		return builder_mop(b, f, key, VALUE_NIL) ? p + 1 : NULL;
	p = key == HISTORY_NONE ? NULL : operand(b, p, f, key, ok);
	p = p == NULL ? NULL : json_space(p);
	if (p != NULL && *p != ']')
		return pawl__json_error(b, p, "a micro-operation is [f, key, value]");
	return p == NULL ? NULL : p + 1;
}

static const char *txn(struct builder *b, const char *p, bool ok)
{
	bool first = true;

	for (p++;; first = false) {
		p = pawl__json_next(b, p, ']', first);
		if (p == NULL)
			return NULL;
		if (*p == ']')
			return p + 1;
		p = mop(b, p, ok);
		if (p == NULL)
			return NULL;
	}
}

static bool is_txn(const char *p, const struct event *e)
{
	p = json_space(p + 1);
	if (*p == ']')
		return e->f == HF_TXN || !e->has_f;
	if (*p != '[' || e->f == HF_TXN)
		return e->f == HF_TXN;
	p = json_space(p + 1);
	if (*p == '"' && p[1] == ':')
		p++;
	return *p == '"' || *p == ':'
	               ? memcmp(p + 1, "r\"", 2) == 0 || memcmp(p + 1, "w\"", 2) == 0 ||
	                         memcmp(p + 1, "read\"", 5) == 0 ||
	                         memcmp(p + 1, "write\"", 6) == 0 ||
	                         memcmp(p + 1, "append\"", 7) == 0
	               : false;
}

static const char *cas(struct builder *b, const char *p, uint32_t key)
{
	static const char wrong[] = "cas has the value [old, new]";
	const char *begin = p;
	int64_t v[2];

	if (*p != '[')
		return pawl__json_error(b, p, wrong);
	p++;
	for (int i = 0; i < 2; i++) {
		p = pawl__json_next(b, p, ']', i == 0);
		if (p == NULL)
			return NULL;
		if (*p == ']')
			return pawl__json_error(b, begin, wrong);
		p = pawl__json_scalar(b, p, &v[i]);
		if (p == NULL)
			return NULL;
	}
	p = json_space(p);
	if (*p != ']')
		return pawl__json_error(b, begin, wrong);
	return builder_mop(b, HF_CAS, key, v[0]) && builder_mop(b, HF_CAS_TO, key, v[1]) ? p + 1
	                                                                                 : NULL;
}

/* Names are strings in JSON, accounts are mostly numbers: "7" is the account 7. */
static const char *account(struct builder *b, const char *p, int64_t *ret)
{
	const char *end;
	struct str raw = pawl__json_raw(b, p, &end);

	if (raw.ptr == NULL)
		return NULL;
	if (!pawl__num_parse_i64(raw, ret) || *ret < VALUE_INT_MIN)
		*ret = pawl__builder_name(b, NAME_STRING, raw);
	end = json_space(end);
	if (b->error == NULL && *end != ':')
		return pawl__json_error(b, end, "a name is not followed by ':'");
	return b->error == NULL ? json_space(end + 1) : NULL;
}

static const char *balances(struct builder *b, const char *p)
{
	bool first = true;

	for (p++;; first = false) {
		int64_t key, v;

		p = pawl__json_next(b, p, '}', first);
		if (p == NULL)
			return NULL;
		if (*p == '}')
			return p + 1;
		p = account(b, p, &key);
		p = p == NULL ? NULL : pawl__json_scalar(b, p, &v);
		if (p == NULL || !builder_mop(b, HF_READ, builder_key(b, key), v))
			return NULL;
	}
}

static const char *transfer(struct builder *b, const char *p)
{
	static const char wrong[] = "transfer has the value {\"from\", \"to\", \"amount\"}";
	const char *begin = p;
	bool first = true;
	int64_t v[3];
	unsigned seen = 0;

	for (p++;; first = false) {
		struct str name;
		unsigned i;

		p = pawl__json_next(b, p, '}', first);
		if (p == NULL)
			return NULL;
		if (*p == '}')
			break;
		p = pawl__json_member(b, p, &name);
		if (p == NULL)
			return NULL;
		i = str_eq(name, STR("from")) ? 0 : str_eq(name, STR("to")) ? 1 : 2;
		if ((i == 2 && !str_eq(name, STR("amount"))) || (seen & 1U << i) != 0)
			return pawl__json_error(b, begin, wrong);
		seen |= 1U << i;
		p = pawl__json_scalar(b, p, &v[i]);
		if (p == NULL)
			return NULL;
	}
	if (seen != 7)
		return pawl__json_error(b, begin, wrong);
	if (!builder_mop(b, HF_TRANSFER, builder_key(b, v[0]), v[2]) ||
	    !builder_mop(b, HF_TRANSFER_TO, builder_key(b, v[1]), v[2]))
		return NULL;
	return p + 1;
}

static const char *nothing(struct builder *b, const char *p, const struct event *e, uint32_t key)
{
	if (e->f == HF_READ && !builder_mop(b, HF_READ, key, VALUE_NIL))
		return NULL;
	/* "nil": there was no value at all. */
	return p + 3;
}

static const char *json_value(struct builder *b, const char *p, struct event *e, bool ok)
{
	uint32_t key;

	if (*p == '[' && is_txn(p, e)) {
		e->f = HF_TXN;
		return txn(b, p, ok);
	}
	if (e->f == HF_TXN && *p != 'n')
		return pawl__json_error(b, p, "a transaction is an array of [f, key, value]");
	if (e->f == HF_ACQUIRE || e->f == HF_RELEASE)
		return *p == 'n' ? p + 3 : pawl__json_skip(b, p);
	if (*p == '{' && e->f == HF_READ && b->lists == HISTORY_LISTS_AUTO)
		return balances(b, p);
	if (*p == '{' && e->f == HF_TRANSFER)
		return transfer(b, p);
	if (e->f == HF_TRANSFER)
		return *p == 'n' ? p + 3 : pawl__json_skip(b, p);
	key = builder_key(b, e->has_key ? e->key : VALUE_NIL);
	if (key == HISTORY_NONE)
		return NULL;
	if (*p == 'n')
		return nothing(b, p, e, key);
	return e->f == HF_CAS ? cas(b, p, key) : operand(b, p, e->f, key, ok);
}

/* Operations */

static const char *type_member(struct builder *b, const char *p, struct event *e)
{
	const char *begin = p;

	e->type = pawl__builder_type(mop_word(b, p, &p));
	if (e->type == EVENT_UNSAID)
		return pawl__json_error(b, begin, "a type is invoke, ok, fail or info");
	return p;
}

static const char *f_member(struct builder *b, const char *p, struct event *e)
{
	if (*p != '"')
		return pawl__json_skip(b, p);
	e->f = pawl__builder_f(mop_word(b, p, &p));
	e->has_f = true;
	return b->error == NULL ? p : NULL;
}

static const char *process_member(struct builder *b, const char *p, struct event *e)
{
	int64_t v;
	const char *q = pawl__json_scalar(b, p, &v);

	if (q == NULL)
		return NULL;
	e->has_process = value_is_int(v);
	e->process = v;
	e->skip = value_is_name(v);
	return q;
}

static const char *value_member(struct builder *b, const char *p, struct event *e)
{
	e->value = p;
	if (e->type != EVENT_OK || !e->has_f || e->skip || *p != '[' || !is_txn(p, e))
		return pawl__json_skip(b, p);
	e->parsed = true;
	e->mop_first = b->h->mops_len;
	return json_value(b, p, e, true);
}

static const char *time_member(struct builder *b, const char *p, struct event *e)
{
	int64_t v;
	const char *q = pawl__json_scalar(b, p, &v);

	if (q == NULL || !value_is_int(v))
		return q;
	e->has_time = true;
	e->time = v;
	return q;
}

static const struct {
	struct str name;
	const char *(*read)(struct builder *b, const char *p, struct event *e);
} members[] = {
	{ { "type", 4 }, type_member },       { { "f", 1 }, f_member },
	{ { "process", 7 }, process_member }, { { "value", 5 }, value_member },
	{ { "time", 4 }, time_member },       { { "key", 3 }, NULL },
};

static const char *member(struct builder *b, const char *p, struct event *e, unsigned *seen)
{
	const char *begin = p;
	struct str name;

	p = pawl__json_member(b, p, &name);
	if (p == NULL)
		return NULL;
	for (unsigned i = 0; i < ARRAY_LEN(members); i++) {
		if (!str_eq(name, members[i].name))
			continue;
		if ((*seen & 1U << i) != 0)
			return pawl__json_error(b, begin, "a name stands twice in one object");
		*seen |= 1U << i;
		if (members[i].read != NULL)
			return members[i].read(b, p, e);
		e->has_key = true;
		return pawl__json_scalar(b, p, &e->key);
	}
	return pawl__json_skip(b, p);
}

static const char *op(struct builder *b, const char *p)
{
	struct event e = { .at = p };
	unsigned seen = 0;
	bool first = true;

	if (*p != '{')
		return pawl__json_error(b, p, "an operation is an object");
	for (p++;; first = false) {
		p = pawl__json_next(b, p, '}', first);
		if (p == NULL)
			return NULL;
		if (*p == '}')
			break;
		p = member(b, p, &e, &seen);
		if (p == NULL)
			return NULL;
	}
	return pawl__builder_event(b, &e) ? p + 1 : NULL;
}

void pawl__read_json(struct builder *b)
{
	const char *p = json_space(b->start);
	const bool array = *p == '[';
	bool first = true;

	b->value = json_value;
	b->h->has_realtime = true;
	if (array)
		p++;
	for (;; first = false) {
		p = array ? pawl__json_next(b, p, ']', first) : json_space(p);
		if (p == NULL || (array ? *p == ']' : p >= b->end))
			break;
		p = op(b, p);
		if (p == NULL)
			break;
	}
	if (p == NULL || !array)
		return;
	p = json_space(p + 1);
	if (p < b->end)
		(void)pawl__json_error(b, p, "something stands behind the history");
}
