/* SPDX-License-Identifier: Apache-2.0 */
#include "race/check/edn.h"
#include "race/check/formats.h"

static bool opens(char c)
{
	return c == '[' || c == '(';
}

static char closer(char open)
{
	return open == '(' ? ')' : open == '[' ? ']' : '}';
}

/* Elements up to `close`, as the list that was read of key. p is behind the opening bracket. */
static const char *list(struct builder *b, const char *p, uint32_t key, char close, bool ok)
{
	struct list_reader r;
	const char *last;

	p = edn_space(b, p);
	if (p == NULL || !pawl__builder_list_begin(b, &r, key, ok, &p))
		return NULL;
	last = p;
	for (;;) {
		int64_t v;

		p = edn_space(b, p);
		if (p == NULL)
			return NULL;
		if (*p == close)
			break;
		p = edn_scalar(b, p, &v);
		if (p == NULL || !builder_list_push(b, &r, v))
			return NULL;
		last = p;
	}
	return pawl__builder_list_end(b, &r, last) ? p + 1 : NULL;
}

/* What f did to key: one mop, or a list. */
static const char *operand(struct builder *b, const char *p, enum history_f f, uint32_t key,
                           bool ok)
{
	int64_t v;

	if (f == HF_READ && b->lists == HISTORY_LISTS_AUTO) {
		if (opens(*p))
			return list(b, p + 1, key, closer(*p), ok);
		if (p[0] == '#' && p[1] == '{')
			return list(b, p + 2, key, '}', ok);
	}
	p = edn_scalar(b, p, &v);
	return p != NULL && builder_mop(b, f, key, v) ? p : NULL;
}

/* The word that begins a micro-operation; keywords, strings and symbols alike. */
static struct str mop_word(const char *p)
{
	struct str t = pawl__edn_token(p + (*p == '"' ? 1 : 0));

	if (t.len > 0 && t.ptr[0] == ':') {
		t.ptr++;
		t.len--;
	}
	return t;
}

static const char *mop(struct builder *b, const char *p, bool ok)
{
	const char *begin = p;
	const char close = closer(*p);
	enum history_f f;
	struct str word;
	int64_t key;

	if (!opens(*p))
		return pawl__edn_error(b, p, "a transaction is a vector of [f key value]");
	p = edn_space(b, p + 1);
	if (p == NULL)
		return NULL;
	if (p[0] == ':' && p[1] == 'r' && p[2] == ' ') {
		f = HF_READ;
		p += 2;
	} else {
		word = mop_word(p);
		f = pawl__builder_mop_f(word);
		if (f == HF_OTHER)
			return pawl__edn_error(b, p,
			                       "a transaction's operations are :r, :w and :append");
		p = word.ptr + word.len + (*p == '"' ? 1 : 0);
	}
	p = edn_space(b, p);
	if (p != NULL && *p == close)
		return pawl__edn_error(b, begin, "a micro-operation has no key");
	p = p == NULL ? NULL : edn_scalar(b, p, &key);
	p = p == NULL ? NULL : edn_space(b, p);
	if (p == NULL)
		return NULL;
	if (*p == close) /* [:r :x] */
		return builder_mop(b, f, builder_key(b, key), VALUE_NIL) ? p + 1 : NULL;
	p = operand(b, p, f, builder_key(b, key), ok);
	p = p == NULL ? NULL : edn_space(b, p);
	if (p != NULL && *p != close)
		return pawl__edn_error(b, p, "a micro-operation is [f key value]");
	return p == NULL ? NULL : p + 1;
}

static const char *txn(struct builder *b, const char *p, bool ok)
{
	const char close = closer(*p);

	p++;
	for (;;) {
		p = edn_space(b, p);
		if (p == NULL)
			return NULL;
		if (*p == close)
			return p + 1;
		p = mop(b, p, ok);
		if (p == NULL)
			return NULL;
	}
}

/* Whether the collection at p is [[:r ..]]. */
static bool is_txn(struct builder *b, const char *p, const struct event *e)
{
	p = edn_space(b, p + 1);
	if (p == NULL)
		return false;
	if (*p == ']' || *p == ')')
		return e->f == HF_TXN || !e->has_f;
	if (!opens(*p))
		return e->f == HF_TXN;
	p = edn_space(b, p + 1);
	return p != NULL && (e->f == HF_TXN || pawl__builder_mop_f(mop_word(p)) != HF_OTHER);
}

static const char *cas(struct builder *b, const char *p, uint32_t key)
{
	const char *begin = p;
	const char close = closer(*p);
	int64_t v[2];

	if (!opens(*p))
		return pawl__edn_error(b, p, "cas has the value [old new]");
	p++;
	for (int i = 0; i < 2; i++) {
		p = edn_space(b, p);
		if (p == NULL)
			return NULL;
		if (*p == close)
			return pawl__edn_error(b, begin, "cas has the value [old new]");
		p = edn_scalar(b, p, &v[i]);
		if (p == NULL)
			return NULL;
	}
	p = edn_space(b, p);
	if (p != NULL && *p != close)
		return pawl__edn_error(b, begin, "cas has the value [old new]");
	if (p == NULL || !builder_mop(b, HF_CAS, key, v[0]) ||
	    !builder_mop(b, HF_CAS_TO, key, v[1]))
		return NULL;
	return p + 1;
}

/* {account balance, ..} */
static const char *balances(struct builder *b, const char *p)
{
	for (p++;;) {
		int64_t key, v;

		p = edn_space(b, p);
		if (p == NULL)
			return NULL;
		if (*p == '}')
			return p + 1;
		p = edn_scalar(b, p, &key);
		p = p == NULL ? NULL : edn_space(b, p);
		if (p != NULL && *p == '}')
			return pawl__edn_error(b, p, "a map has a key without a value");
		p = p == NULL ? NULL : edn_scalar(b, p, &v);
		if (p == NULL || !builder_mop(b, HF_READ, builder_key(b, key), v))
			return NULL;
	}
}

/* {:from a, :to b, :amount n} */
static const char *transfer(struct builder *b, const char *p)
{
	static const char wrong[] = "transfer has the value {:from a, :to b, :amount n}";
	const char *begin = p;
	int64_t v[3];
	unsigned seen = 0;

	for (p++;;) {
		struct str word;
		unsigned i;

		p = edn_space(b, p);
		if (p == NULL)
			return NULL;
		if (*p == '}')
			break;
		word = mop_word(p);
		i = str_eq(word, STR("from")) ? 0 : str_eq(word, STR("to")) ? 1 : 2;
		if ((i == 2 && !str_eq(word, STR("amount"))) || (seen & 1U << i) != 0)
			return pawl__edn_error(b, p, wrong);
		seen |= 1U << i;
		p = edn_space(b, word.ptr + word.len);
		p = p == NULL ? NULL : edn_scalar(b, p, &v[i]);
		if (p == NULL)
			return NULL;
	}
	if (seen != 7)
		return pawl__edn_error(b, begin, wrong);
	if (!builder_mop(b, HF_TRANSFER, builder_key(b, v[0]), v[2]) ||
	    !builder_mop(b, HF_TRANSFER_TO, builder_key(b, v[1]), v[2]))
		return NULL;
	return p + 1;
}

static const char *nothing(struct builder *b, const char *p, const struct event *e, uint32_t key)
{
	if (e->f == HF_READ && !builder_mop(b, HF_READ, key, VALUE_NIL))
		return NULL;
	return p + 3;
}

const char *pawl__edn_value(struct builder *b, const char *p, struct event *e, bool ok)
{
	int64_t none;
	uint32_t key;

	p = edn_space(b, p);
	if (p == NULL)
		return NULL;
	if (opens(*p) && is_txn(b, p, e)) {
		e->f = HF_TXN;
		return txn(b, p, ok);
	}
	if (e->f == HF_TXN && memcmp(p, "nil", 3) != 0)
		return pawl__edn_error(b, p, "a transaction is a vector of [f key value]");
	if (e->f == HF_ACQUIRE || e->f == HF_RELEASE)
		return pawl__edn_skip(b, p);
	if (*p == '{' && e->f == HF_READ && b->lists == HISTORY_LISTS_AUTO)
		return balances(b, p);
	if (*p == '{' && e->f == HF_TRANSFER)
		return transfer(b, p);
	key = e->f == HF_TRANSFER ? 0 : builder_key(b, e->has_key ? e->key : VALUE_NIL);
	if (key == HISTORY_NONE)
		return NULL;
	if (memcmp(p, "nil", 3) == 0 && pawl__edn_token(p).len == 3)
		return nothing(b, p, e, key);
	if (e->f == HF_CAS)
		return cas(b, p, key);
	if (e->f == HF_TRANSFER) { /* of a shape of its own: the bank's reads tell */
		p = edn_scalar(b, p, &none);
		return p;
	}
	return operand(b, p, e->f, key, ok);
}

/* Operations */

enum field { FIELD_OTHER, FIELD_TYPE, FIELD_F, FIELD_PROCESS, FIELD_VALUE, FIELD_KEY, FIELD_TIME };

static enum field field_of(struct str word)
{
	switch (word.len) {
	case 1:
		return word.ptr[0] == 'f' ? FIELD_F : FIELD_OTHER;
	case 3:
		return str_eq(word, STR("key")) ? FIELD_KEY : FIELD_OTHER;
	case 4:
		return str_eq(word, STR("type"))   ? FIELD_TYPE
		       : str_eq(word, STR("time")) ? FIELD_TIME
		                                   : FIELD_OTHER;
	case 5:
		return str_eq(word, STR("value")) ? FIELD_VALUE : FIELD_OTHER;
	case 7:
		return str_eq(word, STR("process")) ? FIELD_PROCESS : FIELD_OTHER;
	default:
		return FIELD_OTHER;
	}
}

static const char *type_field(struct builder *b, const char *p, struct event *e)
{
	const struct str word = mop_word(p);

	e->type = pawl__builder_type(word);
	if (e->type == EVENT_UNSAID || *p != ':')
		return pawl__edn_error(b, p, "a type is :invoke, :ok, :fail or :info");
	return word.ptr + word.len;
}

static const char *f_field(struct builder *b, const char *p, struct event *e)
{
	const struct str word = mop_word(p);

	if (*p == ':' && word.len > 0) {
		e->f = pawl__builder_f(word);
		e->has_f = true;
		return word.ptr + word.len;
	}
	if (*p != '"')
		return pawl__edn_skip(b, p); /* nil */
	e->f = pawl__builder_f(word);
	e->has_f = true;
	return pawl__edn_skip(b, p);
}

/* nil: no process; a number: a client; anything else is none. */
static const char *process_field(struct builder *b, const char *p, struct event *e)
{
	int64_t v;
	const char *q = edn_scalar(b, p, &v);

	if (q == NULL)
		return NULL;
	e->has_process = value_is_int(v);
	e->process = v;
	e->skip = value_is_name(v);
	return q;
}

static const char *value_field(struct builder *b, const char *p, struct event *e)
{
	if (e->type != EVENT_OK || !e->has_f || e->skip || e->has_key || memcmp(p, "nil", 3) == 0) {
		e->value = p;
		return pawl__edn_skip(b, p);
	}
	/* Only a transaction needs no other field. */
	if (e->f != HF_TXN && !(opens(*p) && is_txn(b, p, e))) {
		e->value = p;
		return pawl__edn_skip(b, p);
	}
	e->value = p;
	e->parsed = true;
	e->mop_first = b->h->mops_len;
	return pawl__edn_value(b, p, e, true);
}

static const char *field(struct builder *b, const char *p, enum field f, struct event *e)
{
	int64_t v;
	const char *q;

	switch (f) {
	case FIELD_TYPE:
		return type_field(b, p, e);
	case FIELD_F:
		return f_field(b, p, e);
	case FIELD_PROCESS:
		return process_field(b, p, e);
	case FIELD_VALUE:
		return value_field(b, p, e);
	case FIELD_KEY:
		e->has_key = true;
		return edn_scalar(b, p, &e->key);
	case FIELD_TIME:
		q = scan_int(p, &v);
		if (q == NULL || !edn_ends(*q))
			return pawl__edn_skip(b, p);
		e->has_time = true;
		e->time = v;
		return q;
	case FIELD_OTHER:
		break;
	}
	return pawl__edn_skip(b, p);
}

/* The name of a key as ours; "" when it is another's. qualified: of a map #:ns{..}. */
static struct str key_word(const char *p, bool qualified, const char **ret_end)
{
	struct str t = pawl__edn_token(p);

	*ret_end = t.ptr + t.len;
	t.ptr++;
	t.len--;
	if (!qualified)
		return t;
	if (!str_starts(t, STR("_/")))
		return STR("");
	return (struct str){ t.ptr + 2, t.len - 2 };
}

static const char *op_map(struct builder *b, const char *p, bool qualified)
{
	struct event e = { .at = p };
	unsigned seen = 0;

	for (p++;;) {
		enum field f = FIELD_OTHER;
		const char *begin;

		p = edn_space(b, p);
		if (p == NULL)
			return NULL;
		if (*p == '}')
			break;
		begin = p;
		if (*p == ':')
			f = field_of(key_word(p, qualified, &p));
		else
			p = pawl__edn_skip(b, p);
		p = p == NULL ? NULL : edn_space(b, p);
		if (p == NULL)
			return NULL;
		if (*p == '}')
			return pawl__edn_error(b, begin, "a map has a key without a value");
		if (f != FIELD_OTHER && (seen & 1U << f) != 0)
			return pawl__edn_error(b, begin, "a key stands twice in one map");
		seen |= 1U << f;
		p = field(b, p, f, &e);
		if (p == NULL)
			return NULL;
	}
	return pawl__builder_event(b, &e) ? p + 1 : NULL;
}

/* A map, with whatever tag: #jepsen.history.Op{..}, #:ns{..}. */
static const char *op(struct builder *b, const char *p)
{
	bool qualified = false;

	for (unsigned tags = 0; *p == '#' && tags < HISTORY_DEPTH_MAX; tags++) {
		const struct str tag = pawl__edn_token(p + 1);

		if (tag.len == 0)
			return pawl__edn_error(b, p, "an operation is a map");
		qualified = tag.ptr[0] == ':';
		p = edn_space(b, tag.ptr + tag.len);
		if (p == NULL)
			return NULL;
	}
	if (*p != '{')
		return pawl__edn_error(b, p, "an operation is a map");
	return op_map(b, p, qualified);
}

void pawl__read_edn(struct builder *b)
{
	const char *p = edn_space(b, b->start);
	char close = '\0';

	b->value = pawl__edn_value;
	b->h->has_realtime = true;
	if (p != NULL && opens(*p)) {
		close = closer(*p);
		p = edn_space(b, p + 1);
	}
	while (p != NULL && p < b->end && *p != close) {
		p = op(b, p);
		p = p == NULL ? NULL : edn_space(b, p);
	}
	if (p == NULL || close == '\0') {
		if (p != NULL && p < b->end)
			(void)pawl__edn_error(b, p, "unexpected character");
		return;
	}
	if (p >= b->end) {
		(void)pawl__edn_error(b, p, "");
		return;
	}
	p = edn_space(b, p + 1);
	if (p != NULL && p < b->end)
		(void)pawl__edn_error(b, p, "something stands behind the history");
}
