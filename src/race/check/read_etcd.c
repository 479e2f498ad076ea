/* SPDX-License-Identifier: Apache-2.0 */
#include "race/check/edn.h"
#include "race/check/formats.h"

/* Over spaces and tabs, never into the next line. */
static const char *blanks(const char *p)
{
	while (*p == ' ' || *p == '\t')
		p++;
	return p;
}

static struct str keyword(const char *p)
{
	struct str t = pawl__edn_token(p);

	if (t.len < 2 || *t.ptr != ':')
		return STR_NONE;
	return (struct str){ t.ptr + 1, t.len - 1 };
}

/* "0 :invoke :cas [3 0]", to the end of the line. */
static void line(struct builder *b, const char *p, const char *eol)
{
	struct event e = { .at = p, .has_process = true, .has_f = true };
	const char *q = scan_int(p, &e.process);
	struct str word;

	if (q == NULL || (*q != ' ' && *q != '\t'))
		return; /* :nemesis, or prose */
	p = blanks(q);
	word = keyword(p);
	e.type = pawl__builder_type(word);
	if (e.type == EVENT_UNSAID) {
		(void)pawl__edn_error(b, p, "a type is :invoke, :ok, :fail or :info");
		return;
	}
	p = blanks(word.ptr + word.len);
	word = keyword(p);
	if (word.ptr == NULL) {
		(void)pawl__edn_error(b, p, "what was done is missing: :read, :write or :cas");
		return;
	}
	e.f = pawl__builder_f(word);
	p = blanks(word.ptr + word.len);
	if (p < eol && *p != '\r') {
		q = pawl__edn_skip(b, p);
		if (q != NULL && q > eol)
			q = pawl__edn_error(b, p, "a value goes on in the next line");
		if (q == NULL)
			return;
		e.value = p;
	}
	(void)!pawl__builder_event(b, &e);
}

void pawl__read_etcd(struct builder *b)
{
	static const char mark[] = "jepsen.util - ";
	const size_t mark_len = sizeof(mark) - 1;

	b->value = pawl__edn_value;
	b->h->has_realtime = true;
	for (const char *p = b->start; p < b->end && b->error == NULL;) {
		const char *eol = memchr(p, '\n', (size_t)(b->end - p));
		const char *at;

		eol = eol == NULL ? b->end : eol;
		at = memmem(p, (size_t)(eol - p), mark, mark_len);
		if (at != NULL)
			line(b, blanks(at + mark_len), eol);
		p = eol + 1;
	}
}
