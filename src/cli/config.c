/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/suggest.h"

/*
 *     START -> MAPPING -> KEY <-> VALUE            END
 *                          |       |  ^             ^
 *                          |       v  |             |
 *                          |      LIST              |
 *                          +--- end of mapping -----+
 */
enum config_state { CONFIG_START, CONFIG_KEY, CONFIG_VALUE, CONFIG_LIST, CONFIG_END };

struct config {
	struct options *o;
	struct arena *arena;
	enum config_state state;
	size_t row; /* whose value comes */
	bool seen[OPTIONS_MAX];
};

#define REFUSE(err, mark, ...) config_refuse((err), (mark), (const char *[]){ __VA_ARGS__, NULL })

/* The place and the pieces of the sentence. */
static enum pawl_status config_refuse(struct pawl_error *err, yaml_mark_t mark,
                                      const char *const *pieces)
{
	char text[PAWL_ERROR_TEXT_MAX] = "";
	struct buf b;

	pawl__buf_init_fixed(&b, text, sizeof(text) - 1);
	for (size_t i = 0; pieces[i] != NULL; i++)
		pawl__buf_put(&b, pieces[i], strlen(pieces[i]));
	return pawl__error_set(err, PAWL_E_CONFIG, "%zu:%zu: %.*s", mark.line + 1, mark.column + 1,
	                       (int)b.len, text);
}

static void key_of(const char *name, char *ret, size_t cap)
{
	size_t n = strlen(name);

	PRE(n < cap);
	for (size_t i = 0; i <= n; i++)
		ret[i] = (char)(name[i] == '-' ? '_' : name[i]);
}

static enum pawl_status key_unknown(const struct config *c, const yaml_event_t *ev,
                                    struct pawl_error *err)
{
	char word[SUGGEST_WORD_MAX + 2], names[OPTIONS_MAX][SUGGEST_WORD_MAX + 1];
	size_t n = ev->data.scalar.length;
	struct suggestion s;

	if (n >= sizeof(word))
		n = sizeof(word) - 1;
	for (size_t i = 0; i < n; i++) {
		const unsigned char b = ev->data.scalar.value[i];

		word[i] = (char)(b < 0x20 || b > 0x7e ? '?' : b);
	}
	word[n] = '\0';
	pawl__suggest_init(&s, word);
	for (size_t i = 0; i < c->o->rows_len; i++) {
		if (!c->o->rows[i].file)
			continue;
		key_of(c->o->rows[i].name, names[i], sizeof(names[i]));
		pawl__suggest_consider(&s, names[i]);
	}
	if (s.best == NULL)
		return REFUSE(err, ev->start_mark, "unknown key \"", word, "\"");
	return REFUSE(err, ev->start_mark, "unknown key \"", word, "\"; did you mean \"", s.best,
	              "\"?");
}

static enum pawl_status take_key(struct config *c, const yaml_event_t *ev, struct pawl_error *err)
{
	const char *name = (const char *)ev->data.scalar.value;
	const size_t i = pawl__option_find(c->o, name, ev->data.scalar.length, '_');

	if (i == c->o->rows_len || !c->o->rows[i].file)
		return key_unknown(c, ev, err);
	if (c->seen[i])
		return REFUSE(err, ev->start_mark, "key \"", name, "\" is there twice");
	c->seen[i] = true;
	c->row = i;
	c->state = CONFIG_VALUE;
	return PAWL_OK;
}

static enum pawl_status take_value(struct config *c, const yaml_event_t *ev, struct pawl_error *err)
{
	const struct str value = { (const char *)ev->data.scalar.value, ev->data.scalar.length };
	char key[SUGGEST_WORD_MAX + 1];
	struct pawl_error why;
	struct str text;

	key_of(c->o->rows[c->row].name, key, sizeof(key));
	if (memchr(value.ptr, '\0', value.len) != NULL)
		return REFUSE(err, ev->start_mark, key, " has a NUL in it");
	text = pawl__arena_str(c->arena, value);
	if (c->arena->failed)
		return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
	if (pawl__option_set(c->o, c->row, text.ptr, ORIGIN_FILE, &why) != PAWL_OK)
		return REFUSE(err, ev->start_mark, key, " ", why.text);
	if (c->state == CONFIG_VALUE)
		c->state = CONFIG_KEY;
	return PAWL_OK;
}

static enum pawl_status take_scalar(struct config *c, const yaml_event_t *ev,
                                    struct pawl_error *err)
{
	if (ev->data.scalar.anchor != NULL || ev->data.scalar.tag != NULL)
		return REFUSE(err, ev->start_mark, "anchors and tags are not allowed");
	if (c->state == CONFIG_KEY)
		return take_key(c, ev, err);
	if (c->state == CONFIG_VALUE || c->state == CONFIG_LIST)
		return take_value(c, ev, err);
	/* An empty document is one empty scalar. */
	if (ev->data.scalar.length == 0 && ev->data.scalar.plain_implicit) {
		c->state = CONFIG_END;
		return PAWL_OK;
	}
	return REFUSE(err, ev->start_mark, "expected a mapping of keys to values");
}

static enum pawl_status take_sequence(struct config *c, const yaml_event_t *ev,
                                      struct pawl_error *err)
{
	if (ev->data.sequence_start.anchor != NULL || ev->data.sequence_start.tag != NULL)
		return REFUSE(err, ev->start_mark, "anchors and tags are not allowed");
	if (c->state != CONFIG_VALUE || c->o->rows[c->row].kind != OPTION_LIST)
		return REFUSE(err, ev->start_mark, "a list cannot stand here");
	c->state = CONFIG_LIST;
	return PAWL_OK;
}

static enum pawl_status take_mapping(struct config *c, const yaml_event_t *ev,
                                     struct pawl_error *err)
{
	if (ev->data.mapping_start.anchor != NULL || ev->data.mapping_start.tag != NULL)
		return REFUSE(err, ev->start_mark, "anchors and tags are not allowed");
	if (c->state != CONFIG_START)
		return REFUSE(err, ev->start_mark, "a mapping cannot stand here");
	c->state = CONFIG_KEY;
	return PAWL_OK;
}

static enum pawl_status take_event(struct config *c, const yaml_event_t *ev, struct pawl_error *err)
{
	switch (ev->type) {
	case YAML_SCALAR_EVENT:
		return take_scalar(c, ev, err);
	case YAML_SEQUENCE_START_EVENT:
		return take_sequence(c, ev, err);
	case YAML_SEQUENCE_END_EVENT:
		c->state = CONFIG_KEY;
		return PAWL_OK;
	case YAML_MAPPING_START_EVENT:
		return take_mapping(c, ev, err);
	case YAML_MAPPING_END_EVENT:
		c->state = CONFIG_END;
		return PAWL_OK;
	case YAML_ALIAS_EVENT:
		return REFUSE(err, ev->start_mark, "aliases are not allowed");
	case YAML_DOCUMENT_START_EVENT:
		if (c->state == CONFIG_END)
			return REFUSE(err, ev->start_mark, "a second document is not allowed");
		return PAWL_OK;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		return PAWL_OK;
	}
	return PAWL_OK;
}

enum pawl_status pawl__config_parse(struct options *o, struct str yaml, struct arena *arena,
                                    struct pawl_error *err)
{
	struct config c = { .o = o, .arena = arena };
	enum pawl_status st = PAWL_OK;
	yaml_parser_t parser;
	bool over = false;

	if (yaml_parser_initialize(&parser) != 1)
		return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
	yaml_parser_set_input_string(&parser, (const unsigned char *)yaml.ptr, yaml.len);
	while (st == PAWL_OK && !over) {
		yaml_event_t ev;

		if (yaml_parser_parse(&parser, &ev) != 1) {
			st = REFUSE(err, parser.problem_mark, "not YAML: ",
			            parser.problem == NULL ? "unreadable" : parser.problem);
			break;
		}
		st = take_event(&c, &ev, err);
		over = ev.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&ev);
	}
	yaml_parser_delete(&parser);
	return st;
}

static void close_fd(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

enum pawl_status pawl__config_read(struct options *o, const char *path, struct arena *arena,
                                   struct pawl_error *err)
{
	PAWL_CLEANUP(close_fd) const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char *mem;
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return pawl__error_native(err, PAWL_E_CONFIG, errno,
		                          "cannot be read: %m (it was named, so it is needed)");
	mem = pawl__arena_alloc(arena, CONFIG_FILE_MAX + 1);
	if (mem == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "out of memory");
	do {
		n = read(fd, mem + len, CONFIG_FILE_MAX + 1 - len);
		if (n > 0)
			len += (size_t)n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0)
		return pawl__error_native(err, PAWL_E_CONFIG, errno, "cannot be read: %m");
	if (len > CONFIG_FILE_MAX)
		return pawl__error_set(err, PAWL_E_CONFIG, "is over %zu bytes", CONFIG_FILE_MAX);
	return pawl__config_parse(o, (struct str){ mem, len }, arena, err);
}
