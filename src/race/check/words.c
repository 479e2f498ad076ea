/* SPDX-License-Identifier: Apache-2.0 */
#include "race/check/builder.h"

struct word {
	const char *text;
	enum history_f f;
};

static const struct word words[] = {
	{ "txn", HF_TXN },         { "read", HF_READ },         { "r", HF_READ },
	{ "get", HF_READ },        { "write", HF_WRITE },       { "w", HF_WRITE },
	{ "append", HF_APPEND },   { "cas", HF_CAS },           { "put", HF_PUT },
	{ "add", HF_ADD },         { "transfer", HF_TRANSFER }, { "acquire", HF_ACQUIRE },
	{ "release", HF_RELEASE },
};

static const struct word mop_words[] = {
	{ "r", HF_READ },  { "read", HF_READ },   { "append", HF_APPEND },
	{ "w", HF_WRITE }, { "write", HF_WRITE },
};

static enum history_f find(const struct word *at, size_t len, struct str word)
{
	for (size_t i = 0; i < len; i++) {
		if (str_eq(word, pawl__str_of(at[i].text)))
			return at[i].f;
	}
	return HF_OTHER;
}

enum history_f pawl__builder_f(struct str word)
{
	return find(words, ARRAY_LEN(words), word);
}

enum history_f pawl__builder_mop_f(struct str word)
{
	return find(mop_words, ARRAY_LEN(mop_words), word);
}

enum event_type pawl__builder_type(struct str word)
{
	if (str_eq(word, STR("ok")))
		return EVENT_OK;
	if (str_eq(word, STR("invoke")))
		return EVENT_INVOKE;
	if (str_eq(word, STR("info")))
		return EVENT_INFO;
	return str_eq(word, STR("fail")) ? EVENT_FAIL : EVENT_UNSAID;
}
