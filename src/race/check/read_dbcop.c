/* SPDX-License-Identifier: Apache-2.0 */
/* dbcop: {"sessions":[[{"committed":true,"events":[["w","x",1],["r","x",null]]}]]}; other members
 * are not looked at. */
#include "race/check/formats.h"
#include "race/check/json.h"

static const char *event(struct builder *b, const char *p)
{
	const char *begin = p;
	enum history_f f;
	int64_t key, value;

	if (*p != '[')
		return pawl__json_error(b, p, "an event is [\"r\" or \"w\", key, value]");
	p = json_space(p + 1);
	f = pawl__builder_mop_f(pawl__json_raw(b, p, &p));
	if (b->error != NULL)
		return NULL;
	if (f != HF_READ && f != HF_WRITE)
		return pawl__json_error(b, begin, "an event is [\"r\" or \"w\", key, value]");
	p = pawl__json_next(b, p, ']', false);
	p = p == NULL ? NULL : pawl__json_scalar(b, p, &key);
	p = p == NULL ? NULL : pawl__json_next(b, p, ']', false);
	p = p == NULL ? NULL : pawl__json_scalar(b, p, &value);
	p = p == NULL ? NULL : json_space(p);
	if (p != NULL && *p != ']')
		return pawl__json_error(b, p, "an event is [\"r\" or \"w\", key, value]");
	return p != NULL && builder_mop(b, f, builder_key(b, key), value) ? p + 1 : NULL;
}

/* Elements of the array at p. */
static const char *each(struct builder *b, const char *p,
                        const char *(*element)(struct builder *b, const char *p))
{
	bool first = true;

	if (*p != '[')
		return pawl__json_error(b, p, "an array is missing");
	for (p++;; first = false) {
		p = pawl__json_next(b, p, ']', first);
		if (p == NULL)
			return NULL;
		if (*p == ']')
			return p + 1;
		p = element(b, p);
		if (p == NULL)
			return NULL;
	}
}

static const char *transaction(struct builder *b, const char *p)
{
	const char *begin = p;
	bool first = true, committed = true;
	struct str name;

	if (*p != '{')
		return pawl__json_error(b, p, "a transaction is an object");
	if (!pawl__builder_txn_begin(b, b->session, begin))
		return NULL;
	for (p++;; first = false) {
		p = pawl__json_next(b, p, '}', first);
		if (p == NULL)
			return NULL;
		if (*p == '}')
			break;
		p = pawl__json_member(b, p, &name);
		if (p == NULL)
			return NULL;
		if (str_eq(name, STR("events"))) {
			p = each(b, p, event);
		} else {
			if (str_eq(name, STR("committed")))
				committed = *p != 'f';
			p = pawl__json_skip(b, p);
		}
		if (p == NULL)
			return NULL;
	}
	return pawl__builder_txn_end(b, committed ? HT_OK : HT_FAIL) ? p + 1 : NULL;
}

static const char *session(struct builder *b, const char *p)
{
	p = each(b, p, transaction);
	b->session++;
	return p;
}

void pawl__read_dbcop(struct builder *b)
{
	const char *p = json_space(b->start);
	struct str name;
	bool first = true;

	if (*p != '{') {
		(void)pawl__json_error(b, p, "a history is an object");
		return;
	}
	for (p++;; first = false) {
		p = pawl__json_next(b, p, '}', first);
		if (p == NULL)
			return;
		if (*p == '}')
			break;
		p = pawl__json_member(b, p, &name);
		if (p == NULL)
			return;
		p = str_eq(name, STR("sessions")) ? each(b, p, session) : pawl__json_skip(b, p);
		if (p == NULL)
			return;
	}
	p = json_space(p + 1);
	if (p < b->end)
		(void)pawl__json_error(b, p, "something stands behind the history");
}
